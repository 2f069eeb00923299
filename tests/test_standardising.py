"""The estimates behind comparisons: joined intervals, standardised curves, bounds, p values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_access.estimates import (
    answer_curve,
    bounds_with_unknown,
    combined_shares,
    mixed_curve,
    p_values,
    wilson_interval,
)


def curve(seconds: list[float], answered: list[int], unanswered: list[int]):
    return answer_curve(np.array(seconds), np.array(answered), np.array(unanswered))


def test_one_share_alone_has_its_wilson_interval():
    low, high = wilson_interval(3, 10)
    assert combined_shares([1.0], [3], [10]) == pytest.approx((0.3, float(low), float(high)))


def test_the_difference_of_two_shares_has_newcombes_interval():
    # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10: 56/70 against 48/80.
    estimate, low, high = combined_shares([1.0, -1.0], [56, 48], [70, 80])
    assert estimate == pytest.approx(0.2)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_a_share_that_weighs_nothing_needs_no_trials_and_one_that_weighs_does():
    assert combined_shares([0.0, 1.0], [0, 5], [0, 10])[0] == 0.5
    assert math.isnan(combined_shares([0.5, 0.5], [0, 5], [0, 10])[0])


def test_a_stratum_in_which_all_were_answered_still_widens_the_interval():
    _, low, high = combined_shares([0.5, 0.5], [3, 30], [3, 30])
    assert low < 0.85
    assert high == 1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40), st.floats(-1, 1)), min_size=1, max_size=6),
)
def test_a_joined_interval_holds_its_estimate(strata):
    k, n, a = (list(column) for column in zip(*strata, strict=True))
    k = [min(part, whole) for part, whole in zip(k, n, strict=True)]
    estimate, low, high = combined_shares(a, k, n)
    assert low - 1e-12 <= estimate <= high + 1e-12
    mirrored = combined_shares([-weight for weight in a], k, n)
    assert mirrored == pytest.approx((-estimate, -high, -low))


def test_a_mixed_curve_of_equal_curves_is_that_curve():
    one = curve([10, 20, 30, 99], [1, 1, 1, 0], [0, 0, 0, 1])
    mixed = mixed_curve([one, one], [0.3, 0.7])
    assert list(mixed.seconds) == [10, 20, 30]
    assert list(mixed.answered_share) == pytest.approx(list(one.answered_share))
    assert mixed.median_seconds() == one.median_seconds() == 20


def test_a_mixed_curve_weighs_its_strata_at_every_time():
    fast, slow = curve([10, 99], [1, 0], [0, 1]), curve([60], [2], [0])
    mixed = mixed_curve([fast, slow], [0.4, 0.6])
    assert list(mixed.seconds) == [10, 60]
    assert list(mixed.answered_share) == pytest.approx([0.2, 0.8])
    assert list(mixed.at_risk) == [4, 2]
    assert mixed.median_seconds() == 60
    assert (mixed.low <= mixed.answered_share).all()
    assert (mixed.answered_share <= mixed.high).all()


def test_a_stratum_that_is_never_answered_keeps_the_mixed_curve_down():
    fast, never = curve([10], [4], [0]), curve([99], [0], [3])
    assert list(mixed_curve([fast, never], [0.4, 0.6]).answered_share) == pytest.approx([0.4])
    assert math.isnan(mixed_curve([fast, never], [0.4, 0.6]).median_seconds())
    assert mixed_curve([never], [1.0]).median_seconds() != 0
    assert len(mixed_curve([], []).seconds) == 0


def test_the_interval_of_a_median_is_where_the_limits_of_the_curve_pass_a_half():
    times = np.arange(1.0, 101.0)
    many = answer_curve(times, np.ones(100, dtype=np.int64), np.zeros(100, dtype=np.int64))
    low, high = many.median_interval_seconds()
    assert many.median_seconds() == 50
    assert 38 <= low <= 42
    assert 58 <= high <= 62
    few = curve([1, 2, 99], [1, 1, 0], [0, 0, 2])
    assert math.isnan(few.median_interval_seconds()[1])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.data())
def test_no_share_of_the_unknown_leaves_the_bounds(answered, silent, more_answered, more_silent, data):
    if answered + silent == 0:
        return
    low, high = bounds_with_unknown(answered, answered + silent, more_answered, more_silent)
    some = answered + data.draw(st.integers(0, more_answered))
    others = silent + data.draw(st.integers(0, more_silent))
    assert low - 1e-12 <= some / (some + others) <= high + 1e-12


def test_an_estimate_at_the_edge_of_its_interval_has_the_p_value_of_one_in_twenty():
    found = p_values(
        np.array([0.1, -0.1, 0.0, np.nan]), np.array([0.0, -0.3, -1.0, np.nan]), np.array([1.0, 0.0, 1, 1])
    )
    assert found[:3] == pytest.approx([0.05, 0.05, 1.0])
    assert math.isnan(found[3])
