"""The one implementation of intervals, percentiles and the answer curve. Pure numpy, no SQL."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054
SMALL_SAMPLE = 30

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def wilson_interval(successes: npt.ArrayLike, trials: npt.ArrayLike) -> tuple[Floats, Floats]:
    """95 % Wilson score interval of each share; NaN where there are no trials.

    Source: E. B. Wilson, JASA 22 (1927) 209-212.
    """
    k = np.asarray(successes, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 / (1 + Z95**2 / n) * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
        low = np.where(n > 0, np.clip(centre - half, 0.0, 1.0), np.nan)
        high = np.where(n > 0, np.clip(centre + half, 0.0, 1.0), np.nan)
    # At the ends the interval reaches the end exactly; rounding must not say otherwise.
    return np.where(k == 0, np.where(n > 0, 0.0, np.nan), low), np.where(k == n, np.where(n > 0, 1.0, np.nan), high)


def share(successes: npt.ArrayLike, trials: npt.ArrayLike) -> Floats:
    """Successes over trials; NaN where there are no trials."""
    k = np.asarray(successes, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0, k / n, np.nan)


def percentile_of_counts(values: Floats, counts: Counts, q: float) -> float:
    """Percentile `q` (0-1) of values that occur `counts` times, interpolated as `percentile_cont` does.

    NaN where nothing is counted.
    """
    total = int(counts.sum())
    if total == 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    ordered, upto = values[order], np.cumsum(counts[order])
    position = q * (total - 1)
    below, above = int(np.floor(position)), int(np.ceil(position))
    low = ordered[np.searchsorted(upto, below, side="right")]
    high = ordered[np.searchsorted(upto, above, side="right")]
    return float(low + (high - low) * (position - below))


@dataclass(frozen=True)
class AnswerCurve:
    """Cumulative incidence of answers: one entry per distinct time at which somebody was answered."""

    seconds: Floats
    answered_share: Floats
    low: Floats
    high: Floats
    at_risk: Counts
    answered: Counts

    def share_within(self, seconds: float) -> float:
        """Share answered within so many seconds, silence included; NaN for an empty curve."""
        if len(self.seconds) == 0:
            return float("nan")
        index = int(np.searchsorted(self.seconds, seconds, side="right")) - 1
        return float(self.answered_share[index]) if index >= 0 else 0.0

    def median_seconds(self) -> float:
        """First time by which half were answered; NaN where half are never answered ("not reached")."""
        reached = np.flatnonzero(self.answered_share >= 0.5 - 1e-12)
        return float(self.seconds[reached[0]]) if len(reached) else float("nan")


def answer_curve(seconds: Floats, answered: Counts, unanswered: Counts) -> AnswerCurve:
    """Kaplan-Meier estimate from counts grouped by whole seconds, unanswered ones censored.

    `answered[i]` were answered after `seconds[i]`, `unanswered[i]` still waited then and are not known
    further. Intervals are log-log Greenwood, 95 %. Source: Kaplan and Meier, JASA 53 (1958) 457-481;
    Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd ed., 1.4.
    """
    order = np.argsort(seconds, kind="stable")
    times = np.asarray(seconds, dtype=np.float64)[order]
    events = np.asarray(answered, dtype=np.int64)[order]
    censored = np.asarray(unanswered, dtype=np.int64)[order]
    leaving = events + censored
    at_risk = leaving.sum() - np.concatenate(([0], np.cumsum(leaving)[:-1])) if len(leaving) else leaving
    keep = events > 0
    times, events, at_risk = times[keep], events[keep], at_risk[keep].astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - events / at_risk)
        variance = np.cumsum(events / (at_risk * (at_risk - events).astype(np.float64)))
        log_survival = np.log(survival)
        spread = Z95 * np.sqrt(variance) / np.abs(log_survival)
        upper_survival = survival ** np.exp(-spread)
        lower_survival = survival ** np.exp(spread)
    done = survival <= 0
    low = np.where(done, np.nan, 1 - upper_survival)
    high = np.where(done, np.nan, 1 - lower_survival)
    if done.any():  # everybody was answered: the log-log interval is undefined there, the share is 1
        previous = low[~done][-1] if (~done).any() else 0.0
        low, high = np.where(done, previous, low), np.where(done, 1.0, high)
    return AnswerCurve(times, 1 - survival, low, high, at_risk, events)
