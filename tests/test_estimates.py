"""Intervals, percentiles and the answer curve, against textbooks, numpy and scikit-survival."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_access.estimates import (
    answer_curve,
    discoveries,
    laney_p_prime,
    lead_p_value,
    percentile_of_counts,
    share,
    wilson_interval,
)

# Seconds, and whether an answer came then (True) or it is only known that none had come (False).
OBSERVATIONS = st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=80)


def grouped(observations: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per whole second: how many were answered, and how many still waited."""
    seconds = sorted({second for second, _ in observations})
    answered = [observations.count((second, True)) for second in seconds]
    unanswered = [observations.count((second, False)) for second in seconds]
    return np.array(seconds, dtype=float), np.array(answered), np.array(unanswered)


# --- Wilson ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_is_that_of_the_published_table(successes, trials, low, high):
    found_low, found_high = wilson_interval(successes, trials)
    assert (float(found_low), float(found_high)) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_the_wilson_interval_contains_the_share_and_stays_between_0_and_1(successes, trials):
    successes = min(successes, trials)
    low, high = (float(bound) for bound in wilson_interval(successes, trials))
    assert 0 <= low <= successes / trials <= high <= 1


@given(st.integers(0, 300), st.integers(1, 300))
def test_the_wilson_bounds_are_the_shares_that_a_score_test_just_accepts(successes, trials):
    successes = min(successes, trials)
    for bound in wilson_interval(successes, trials):
        p = float(bound)
        if 0 < p < 1:
            z = (successes / trials - p) / math.sqrt(p * (1 - p) / trials)
            assert abs(z) == pytest.approx(1.959964, abs=1e-5)


def test_nobody_and_everybody_reach_the_ends_exactly():
    low, high = wilson_interval([0, 7], [7, 7])
    assert low[0] == 0.0
    assert high[1] == 1.0


def test_a_share_of_nothing_is_missing_not_zero():
    assert math.isnan(float(share(0, 0)))
    assert all(math.isnan(float(bound)) for bound in wilson_interval(0, 0))


# --- percentiles ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.floats(0, 1))
def test_a_percentile_of_counts_is_that_of_the_raw_values(values, q):
    unique, counts = np.unique(np.array(values, dtype=float), return_counts=True)
    assert percentile_of_counts(unique, counts, q) == pytest.approx(float(np.percentile(values, 100 * q)))


@given(OBSERVATIONS)
def test_values_that_nobody_has_do_not_move_a_percentile(observations):
    seconds, answered, _ = grouped(observations)
    raw = [second for second, is_answered in observations if is_answered]
    found = percentile_of_counts(seconds, answered, 0.5)
    assert math.isnan(found) if not raw else found == pytest.approx(float(np.median(raw)))


def test_a_percentile_of_nothing_is_missing():
    assert math.isnan(percentile_of_counts(np.array([]), np.array([], dtype=np.int64), 0.5))


def test_the_order_of_the_counted_values_does_not_matter():
    values, counts = np.array([60.0, 1.0, 600.0]), np.array([1, 2, 1])
    assert percentile_of_counts(values, counts, 0.5) == 30.5


# --- the answer curve ---------------------------------------------------------------------------------------


def test_the_curve_of_a_textbook_example_is_the_printed_one():
    # Remission of leukaemia under 6-MP (Freireich 1963), as in Kalbfleisch and Prentice: 21 patients.
    ends = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    seconds, events, silent = grouped([*((s, True) for s in ends), *((s, False) for s in censored)])
    curve = answer_curve(seconds, events, silent)
    assert list(curve.seconds) == [6, 7, 10, 13, 16, 22, 23]
    assert 1 - curve.answered_share == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=6e-4)
    assert list(curve.at_risk) == [21, 17, 15, 12, 11, 7, 6]
    assert curve.median_seconds() == 23


@settings(max_examples=300, deadline=None)
@given(OBSERVATIONS)
def test_the_curve_and_its_intervals_are_those_of_scikit_survival(observations):
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    events = np.array([is_answered for _, is_answered in observations])
    times = np.array([second for second, _ in observations], dtype=float)
    curve = answer_curve(*grouped(observations))
    if not events.any():
        assert len(curve.seconds) == 0
        return
    with np.errstate(all="ignore"):
        theirs, survival, bounds = nonparametric.kaplan_meier_estimator(events, times, conf_type="log-log")
    at = np.searchsorted(theirs, curve.seconds)
    assert list(theirs[at]) == list(curve.seconds)
    assert curve.answered_share == pytest.approx(1 - survival[at], abs=1e-9)
    inside = (survival[at] > 0) & (survival[at] < 1)
    assert curve.low[inside] == pytest.approx(1 - bounds[1][at][inside], abs=1e-9)
    assert curve.high[inside] == pytest.approx(1 - bounds[0][at][inside], abs=1e-9)


@given(OBSERVATIONS)
def test_the_curve_rises_inside_its_interval_and_starts_with_everybody_still_observed(observations):
    curve = answer_curve(*grouped(observations))
    if not len(curve.seconds):
        return
    first = curve.seconds[0]
    assert curve.at_risk[0] == sum(second >= first for second, _ in observations)
    assert (np.diff(curve.answered_share) > 0).all()
    assert (curve.low <= curve.answered_share + 1e-12).all()
    assert (curve.high >= curve.answered_share - 1e-12).all()
    assert not np.isnan(curve.low).any()
    assert not np.isnan(curve.high).any()


@given(OBSERVATIONS, st.randoms(use_true_random=False))
def test_seconds_that_repeat_give_the_curve_of_counts_by_second(observations, random):
    rows = list(observations)
    random.shuffle(rows)
    by_row = answer_curve(
        np.array([second for second, _ in rows], dtype=float),
        np.array([int(is_answered) for _, is_answered in rows]),
        np.array([int(not is_answered) for _, is_answered in rows]),
    )
    by_second = answer_curve(*grouped(observations))
    for name in ("seconds", "answered_share", "low", "high", "at_risk", "answered"):
        np.testing.assert_array_equal(getattr(by_row, name), getattr(by_second, name))


def test_without_silence_the_curve_is_the_plain_share_answered():
    curve = answer_curve(np.array([10.0, 20.0, 30.0]), np.array([1, 2, 1]), np.array([0, 0, 0]))
    assert list(curve.answered_share) == pytest.approx([0.25, 0.75, 1.0])
    assert curve.median_seconds() == 20
    assert curve.share_within(9) == 0
    assert curve.share_within(29) == pytest.approx(0.75)
    assert curve.high[-1] == 1.0


def test_the_median_is_not_reached_where_under_half_are_ever_answered():
    curve = answer_curve(np.array([10.0, 99.0]), np.array([2, 0]), np.array([0, 3]))
    assert curve.answered_share[-1] == pytest.approx(0.4)
    assert math.isnan(curve.median_seconds())


def test_exactly_half_answered_reaches_the_median():
    curve = answer_curve(np.array([10.0, 99.0]), np.array([3, 0]), np.array([0, 3]))
    assert curve.median_seconds() == 10


def test_an_answer_at_the_second_of_the_censoring_comes_first():
    curve = answer_curve(np.array([60.0]), np.array([1]), np.array([1]))
    assert list(curve.at_risk) == [2]
    assert curve.answered_share[0] == pytest.approx(0.5)


def test_an_answer_in_the_same_second_is_an_answer_after_0_seconds():
    curve = answer_curve(np.array([0.0, 5.0]), np.array([1, 1]), np.array([0, 0]))
    assert curve.share_within(0) == pytest.approx(0.5)


def test_without_any_answer_the_curve_is_empty_and_says_nothing():
    curve = answer_curve(np.array([60.0]), np.array([0]), np.array([4]))
    assert len(curve.seconds) == 0
    assert math.isnan(curve.median_seconds())
    assert math.isnan(curve.share_within(10))


# --- changes and limits ---------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=30))
def test_discoveries_are_those_of_benjamini_and_hochberg(p_values):
    valid = sorted(p for p in p_values if not math.isnan(p))
    limit = max((p for place, p in enumerate(valid, 1) if p <= 0.05 * place / len(valid)), default=-1.0)
    assert list(discoveries(np.array(p_values, dtype=float))) == [p <= limit for p in p_values]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_a_lead_is_as_likely_by_chance_as_a_fair_coin_says(one, other, third):
    first, second = max(one, other), min(one, other)
    p = lead_p_value([second, min(third, second), first])
    if not first:
        assert math.isnan(p)
        return
    exact = 2 * sum(math.comb(first + second, k) for k in range(first, first + second + 1)) / 2 ** (first + second)
    assert p == pytest.approx(min(exact, 1), abs=0.08 if first + second < 10 else 0.02)


def test_a_tie_is_no_lead_and_a_count_alone_must_be_large_enough():
    assert lead_p_value([1, 1]) == 1
    assert lead_p_value([1]) == 1
    assert lead_p_value([30]) < 0.001


def test_control_limits_want_eight_periods_and_never_signal_a_share_that_does_not_move():
    assert laney_p_prime([5] * 7, [10] * 7, [True] * 7) is None
    limits = laney_p_prime([50] * 12, [100] * 12, [True] * 8 + [False] * 4)
    assert limits is not None
    assert limits.centre == 0.5
    assert limits.signal == [""] * 12
    assert limits.low[0] == pytest.approx(0.5 - 3 * math.sqrt(0.25 / 100))


def test_a_share_that_doubles_leaves_the_control_limits():
    limits = laney_p_prime([20, 21, 19, 20, 22, 18, 20, 20, 60], [100] * 9, [True] * 8 + [False])
    assert limits is not None
    assert limits.signal == [""] * 8 + ["beyond the limits"]
