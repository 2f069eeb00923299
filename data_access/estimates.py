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
        """First time by which half were answered; NaN where fewer were so far ("not reached")."""
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


def net_share_interval(
    negative_share: npt.ArrayLike, net_share: npt.ArrayLike, trials: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """95 % interval of positive less negative share of one multinomial sample.

    Source: C. H. Franklin, The "margin of error" for differences in polls (2007), section 2.
    """
    negative, net = np.asarray(negative_share, dtype=np.float64), np.asarray(net_share, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        either = net + 2 * negative
        half = Z95 * np.sqrt(np.maximum(either - net**2, 0) / np.asarray(trials, dtype=np.float64))
    return np.maximum(net - half, -1.0), np.minimum(net + half, 1.0)


@dataclass(frozen=True)
class ControlLimits:
    """A chart of shares over time with limits frozen on a baseline. `signal` names the rule broken, else ""."""

    centre: float
    low: Floats
    high: Floats
    signal: list[str]
    baseline_count: int


RUN_LENGTH = 8
MIN_BASELINE = 8


def laney_p_prime(successes: npt.ArrayLike, trials: npt.ArrayLike, baseline: npt.ArrayLike) -> ControlLimits | None:
    """Limits that hold at large n: three sigma, widened by how much the baseline's z scores really vary.

    `baseline` marks the periods on which centre and spread are frozen; None under eight of them. Signals:
    "beyond the limits" (one point outside), "eight in a row on one side". Source: D. B. Laney, Quality
    Engineering 14 (2002) 531-537; runs rule: Western Electric handbook (1956).
    """
    k = np.asarray(successes, dtype=np.float64)
    n = np.asarray(trials, dtype=np.float64)
    frozen = np.asarray(baseline, dtype=bool) & (n > 0)
    if frozen.sum() < MIN_BASELINE:
        return None
    centre = float(k[frozen].sum() / n[frozen].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.sqrt(centre * (1 - centre) / n)
        shares = k / n
        z = (shares - centre) / sigma
    moving_ranges = np.abs(np.diff(z[frozen]))
    finite = moving_ranges[np.isfinite(moving_ranges)]
    # Never narrower than binomial: a lucky baseline must not turn noise into signals.
    spread = max(1.0, float(finite.mean()) / 1.128) if len(finite) else 1.0
    low = np.clip(centre - 3 * sigma * spread, 0.0, 1.0)
    high = np.clip(centre + 3 * sigma * spread, 0.0, 1.0)
    signal = []
    run, side = 0, 0
    for place in range(len(n)):
        if n[place] == 0:
            signal.append("")
            continue
        now = int(np.sign(shares[place] - centre))
        run = run + 1 if now == side and now != 0 else 1
        side = now
        if shares[place] < low[place] or shares[place] > high[place]:
            signal.append("beyond the limits")
        elif run >= RUN_LENGTH and side != 0:
            signal.append("eight in a row on one side")
        else:
            signal.append("")
    return ControlLimits(centre, low, high, signal, int(frozen.sum()))


def discoveries(p_values: Floats, rate: float = 0.05) -> npt.NDArray[np.bool_]:
    """Which p values are discoveries at this false discovery rate; NaN never is.

    Source: Benjamini and Hochberg, JRSS B 57 (1995) 289-300.
    """
    found = np.zeros(len(p_values), dtype=bool)
    valid = np.flatnonzero(~np.isnan(p_values))
    if len(valid) == 0:
        return found
    order = valid[np.argsort(p_values[valid], kind="stable")]
    below = np.flatnonzero(p_values[order] <= rate * np.arange(1, len(order) + 1) / len(order))
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found


def log_odds_z(counts: Counts, counts_before: Counts, total: int, total_before: int) -> tuple[Floats, Floats]:
    """Log-odds ratio of each term, now against before, with an informative Dirichlet prior, and its z score.

    Counts are of documents that hold the term. The prior is the term's frequency in both periods together,
    worth a twentieth of them. Source: Monroe, Colaresi and Quinn, Political Analysis 16 (2008) 372-403.
    """
    k, k_before = counts.astype(np.float64), counts_before.astype(np.float64)
    everything = max(total + total_before, 1)
    weight = max(everything / 20.0, 1.0)
    prior = np.maximum(weight * (k + k_before) / everything, 0.01)
    odds = np.log((k + prior) / np.maximum(total + weight - k - prior, 0.5))
    odds_before = np.log((k_before + prior) / np.maximum(total_before + weight - k_before - prior, 0.5))
    variance = 1 / (k + prior) + 1 / (k_before + prior)
    return odds - odds_before, (odds - odds_before) / np.sqrt(variance)
