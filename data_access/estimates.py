"""The one implementation of intervals, percentiles and the answer curve. Pure numpy, no SQL."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def reciprocal(shares: npt.ArrayLike) -> Floats:
    """1 / share, as the number of contacts to one that begins an issue; missing where the share is 0: no end to it."""
    return share(np.ones_like(np.asarray(shares, dtype=np.float64)), shares)


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
        return self._first_at_half(self.answered_share)

    def median_interval_seconds(self) -> tuple[float, float]:
        """95 % interval of the median, where the curve's limits pass a half; NaN at an end that is not reached.

        Source: Brookmeyer and Crowley, Biometrics 38 (1982) 29-41.
        """
        return self._first_at_half(self.high), self._first_at_half(self.low)

    def _first_at_half(self, shares: Floats) -> float:
        reached = np.flatnonzero(shares >= 0.5 - 1e-12)
        return float(self.seconds[reached[0]]) if len(reached) else float("nan")


def answer_curve(seconds: Floats, answered: Counts, unanswered: Counts) -> AnswerCurve:
    """Kaplan-Meier estimate from counts by whole seconds, which may repeat; unanswered ones censored.

    `answered[i]` were answered after `seconds[i]`, `unanswered[i]` still waited then and are not known
    further. Intervals are log-log Greenwood, 95 %. Source: Kaplan and Meier, JASA 53 (1958) 457-481;
    Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 2nd ed., 1.4.
    """
    order = np.argsort(seconds, kind="stable")
    times = np.asarray(seconds, dtype=np.float64)[order]
    events = np.asarray(answered, dtype=np.int64)[order]
    censored = np.asarray(unanswered, dtype=np.int64)[order]
    if len(times):
        first = np.flatnonzero(np.concatenate(([True], times[1:] != times[:-1])))
        times, events, censored = times[first], np.add.reduceat(events, first), np.add.reduceat(censored, first)
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


def mixed_curve(curves: Sequence[AnswerCurve], weights: Sequence[float]) -> AnswerCurve:
    """One curve from those of several strata, each with its weight (direct standardisation); weights add to 1.

    Intervals join those of the strata (MOVER: Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702).
    """
    times = np.unique(np.concatenate([curve.seconds for curve in curves])) if curves else np.zeros(0)
    shares, below, above = (np.zeros(len(times)) for _ in range(3))
    at_risk, answered = (np.zeros(len(times), dtype=np.int64) for _ in range(2))
    for curve, weight in zip(curves, weights, strict=True):
        if len(curve.seconds) == 0:  # nobody of the stratum was ever answered
            continue
        place = np.searchsorted(curve.seconds, times, side="right") - 1
        has_begun = place >= 0
        share_then, low, high = (
            np.where(has_begun, values[place], 0.0) for values in (curve.answered_share, curve.low, curve.high)
        )
        shares += weight * share_then
        below += (weight * (share_then - low)) ** 2
        above += (weight * (high - share_then)) ** 2
        following = np.minimum(np.searchsorted(curve.seconds, times, side="left"), len(curve.seconds) - 1)
        at_risk += np.where(times <= curve.seconds[-1], curve.at_risk[following], 0)
        answered += np.where(has_begun & (curve.seconds[place] == times), curve.answered[place], 0)
    low, high = np.maximum(shares - np.sqrt(below), 0.0), np.minimum(shares + np.sqrt(above), 1.0)
    return AnswerCurve(times, shares, low, high, at_risk, answered)


def combined_shares(
    coefficients: npt.ArrayLike, successes: npt.ArrayLike, trials: npt.ArrayLike
) -> tuple[float, float, float]:
    """A sum of independent shares, each times its coefficient: estimate and 95 % interval.

    Joins the Wilson limits of the shares, so that a small stratum, or one in which all were answered, widens
    the interval as it should. A share with coefficient 0 needs no trials; NaN where another has none. Source:
    MOVER, Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702; for two shares Newcombe (1998), method 10.
    """
    a = np.asarray(coefficients, dtype=np.float64)
    counts = a != 0
    k, n = np.asarray(successes, dtype=np.float64)[counts], np.asarray(trials, dtype=np.float64)[counts]
    a, shares = a[counts], share(k, n)
    low, high = wilson_interval(k, n)
    down = np.where(a > 0, a * (shares - low), a * (shares - high))
    up = np.where(a > 0, a * (high - shares), a * (low - shares))
    estimate = float((a * shares).sum())
    return estimate, estimate - float(np.sqrt((down**2).sum())), estimate + float(np.sqrt((up**2).sum()))


def p_values(estimates: Floats, low: Floats, high: Floats) -> Floats:
    """Two-sided p values of estimates against 0, from the side of their 95 % intervals that looks to 0; NaN stays."""
    towards_zero = np.where(estimates > 0, estimates - low, high - estimates)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(estimates == 0, 0.0, np.abs(estimates) / towards_zero * Z95)
    return np.array([math.erfc(value / math.sqrt(2)) for value in z], dtype=np.float64)


def bounds_with_unknown(
    successes: npt.ArrayLike,
    trials: npt.ArrayLike,
    unknown_successes: npt.ArrayLike,
    unknown_failures: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """Lowest and highest share that a group can have when any part of the unknown may belong to it.

    Lowest where all unknown failures and no unknown success belong to it, highest the other way. Source: C. F.
    Manski, Partial Identification of Probability Distributions (2003), chapter 1.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    more_k, more_rest = np.asarray(unknown_successes, dtype=np.float64), np.asarray(unknown_failures, dtype=np.float64)
    return share(k, n + more_rest), share(k + more_k, n + more_k)


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


def lead_p_value(counts: npt.ArrayLike) -> float:
    """Two-sided p value of the largest count of one sample against the second: how often a tie would look like this.

    Whoever leads was picked for leading, yet beating the second is proof of beating all (K. Hung and W. Fithian,
    Annals of Statistics 47 (2019) 758-782). Of those in either count half would be in each: McNemar's test with
    Edwards' correction (Psychometrika 13 (1948) 185-187). NaN where nothing is counted.
    """
    *_, second, first = sorted([0.0, 0.0, *np.asarray(counts, dtype=np.float64).tolist()])
    if not first:
        return float("nan")
    return math.erfc(max(first - second - 1, 0.0) / math.sqrt(2 * (first + second)))


def has_leader(counts: npt.ArrayLike) -> bool:
    """Whether the largest count of one sample is ahead of all others by more than chance, at 5 %."""
    return lead_p_value(counts) < 0.05


@dataclass(frozen=True)
class StratifiedDifference:
    """Difference of two shares over strata, each group's share at the common weights, and who was compared."""

    difference: float
    low: float
    high: float
    share: float
    share_other: float
    strata_count: int
    count: int
    count_other: int


def mantel_haenszel_difference(
    successes: npt.ArrayLike, trials: npt.ArrayLike, successes_other: npt.ArrayLike, trials_other: npt.ArrayLike
) -> StratifiedDifference:
    """Mantel-Haenszel difference of shares, the first group less the other, one entry per stratum, 95 % interval.

    Strata in which one group is missing compare nobody and count nothing; NaN where none is left. The variance
    holds for few large and for many small strata. Sources: N. Mantel and W. Haenszel, JNCI 22 (1959) 719-748;
    S. Greenland and J. M. Robins, Biometrics 41 (1985) 55-68; T. Sato, Biometrics 45 (1989) 1323-1324.
    """
    a, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    b, m = np.asarray(successes_other, dtype=np.float64), np.asarray(trials_other, dtype=np.float64)
    both = (n > 0) & (m > 0)
    a, n, b, m = a[both], n[both], b[both], m[both]
    if not len(n):
        nan = float("nan")
        return StratifiedDifference(nan, nan, nan, nan, nan, 0, 0, 0)
    total = n + m
    weight = n * m / total
    share_here, share_there = (float((weight * part / whole).sum() / weight.sum()) for part, whole in ((a, n), (b, m)))
    difference = share_here - share_there
    p = ((n / total) ** 2 * b - (m / total) ** 2 * a + n * m * (m - n) / (2 * total**2)).sum()
    q = (a * (m - b) + b * (n - a)) / (2 * total)
    half = Z95 * float(np.sqrt(max(difference * p + q.sum(), 0.0))) / float(weight.sum())
    return StratifiedDifference(
        difference,
        max(difference - half, -1.0),
        min(difference + half, 1.0),
        share_here,
        share_there,
        len(n),
        int(n.sum()),
        int(m.sum()),
    )


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
