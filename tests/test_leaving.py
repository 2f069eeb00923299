"""Leaving? The comparison of ignored with answered customers: the estimator, a store counted on paper, the story."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import TINY_MAPPING

from data_access.demo import ALL_STORIES, write_demo_sources
from data_access.demo.channels import IGNORED_AFTER_MINUTES
from data_access.estimates import mantel_haenszel_difference
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import count_rows, selected_rows
from data_access.reports import run_report
from data_access.sources.mapping import mapping_of, read_mapping
from data_access.store import open_reader, read_status, resolved, settings_file

# All in January by email about billing, negative, unless said otherwise; *ignored after* 48 h, then 7 days, then 90.
# ian: ignored, never again: silent. ina: ignored, calls after 30 days: back. ivo: ignored, asks once more after 5
# days (the same matter), then nothing: silent. nia: answered, silent. ned, nora: answered, write again after 50 days:
# back. lou: ignored on chat, nobody comparable. mia: complains in April, too recent. An author without a name: cannot
# be known again. omar: only there to keep the data running to 1 June.
HEADER = (
    "id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,"
    "is_complaint,needs_reply,topic,is_internal,outreach\n"
)


def wrote(place: int, customer: str, channel: str, at: str, *, is_complaint: bool = True, thread: str = "") -> str:
    feeling = "negative" if is_complaint else "neutral"
    return (
        f"{place},{thread or f'c{place}'},{customer},{channel},inbound,customer,,Mail,Acme,{at}Z,My bill is wrong,"
        f"{feeling},{str(is_complaint).lower()},true,billing,,\n"
    )


def answered(place: int, thread: str, customer: str, at: str) -> str:
    return f"{place},{thread},{customer},email,outbound,agent,Bo,Mail,Acme,{at}Z,Sorry,,,,,,\n"


MESSAGES = HEADER + "".join(
    [
        wrote(1, "ian", "email", "2026-01-05T09:00:00"),
        wrote(2, "ina", "email", "2026-01-06T09:00:00"),
        wrote(3, "ina", "phone", "2026-02-05T09:00:00", is_complaint=False),
        wrote(4, "ivo", "email", "2026-01-07T09:00:00", thread="t4"),
        wrote(5, "ivo", "email", "2026-01-12T09:00:00", is_complaint=False, thread="t4"),
        wrote(6, "nia", "email", "2026-01-05T09:00:00", thread="t6"),
        answered(7, "t6", "nia", "2026-01-05T10:00:00"),
        wrote(8, "ned", "email", "2026-01-06T09:00:00", thread="t8"),
        answered(9, "t8", "ned", "2026-01-06T10:00:00"),
        wrote(10, "ned", "email", "2026-02-25T09:00:00", is_complaint=False),
        wrote(11, "nora", "email", "2026-01-07T09:00:00", thread="t11"),
        answered(12, "t11", "nora", "2026-01-07T10:00:00"),
        wrote(13, "nora", "chat", "2026-02-26T09:00:00", is_complaint=False),
        wrote(14, "lou", "chat", "2026-01-05T09:00:00"),
        wrote(15, "mia", "email", "2026-04-05T09:00:00"),
        wrote(16, "", "email", "2026-01-05T09:00:00"),
        wrote(17, "omar", "email", "2026-06-01T09:00:00", is_complaint=False),
    ]
)


def stored(folder: Path, messages: str = MESSAGES) -> str:
    (folder / "messages.csv").write_text(messages, encoding="utf-8")
    url = f"duckdb:///{folder / 'store'}"
    load(url, [LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    return url


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stored(tmp_path_factory.mktemp("leaving"))


def fell_silent(url, by=(), **fields):
    engine = open_reader(url)
    return run_report(engine, "fell_silent", resolved(Filter(**fields), read_status(engine, url)), by)


# --- the estimator


def test_in_one_stratum_the_difference_and_its_variance_are_those_of_two_shares():
    found = mantel_haenszel_difference([3], [10], [1], [10])
    assert found.difference == pytest.approx(0.2)
    # 0.3 x 0.7 / 10 + 0.1 x 0.9 / 10 = 0.03
    assert found.high - found.low == pytest.approx(2 * 1.959963984540054 * math.sqrt(0.03))


def test_over_strata_it_is_the_hand_computed_value():
    found = mantel_haenszel_difference([3, 2], [10, 2], [1, 1], [10, 4])
    # weights 5 and 4/3; differences 0.2 and 0.75: (1 + 1) / (19/3) = 6/19
    assert found.difference == pytest.approx(6 / 19)
    # P: -1/2 and -5/9; Q: 17/20 and 1/2; variance (6/19 x -19/18 + 27/20) / (19/3)^2
    variance = (-1 / 3 + 27 / 20) / (19 / 3) ** 2
    assert found.high - found.difference == pytest.approx(1.959963984540054 * math.sqrt(variance))
    assert found.share - found.share_other == pytest.approx(found.difference)
    assert (found.strata_count, found.count, found.count_other) == (2, 12, 14)


def test_strata_with_only_one_group_count_nothing_and_none_left_is_unknown():
    both = mantel_haenszel_difference([3, 5, 0], [10, 5, 0], [1, 0, 2], [10, 0, 9])
    assert both == mantel_haenszel_difference([3], [10], [1], [10])
    nothing = mantel_haenszel_difference([1], [2], [0], [0])
    assert math.isnan(nothing.difference)
    assert nothing.strata_count == nothing.count == 0


def test_the_interval_holds_the_truth_about_19_times_in_20_also_over_many_small_strata():
    dice = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        n, m = dice.integers(1, 3, 80), dice.integers(1, 5, 80)
        base = dice.uniform(0.3, 0.6, 80)
        found = mantel_haenszel_difference(dice.binomial(n, base + 0.2), n, dice.binomial(m, base), m)
        inside += found.low <= 0.2 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


# --- the store counted on paper


def test_ignored_and_answered_customers_are_counted_as_on_paper(store):
    row = fell_silent(store).iloc[0]
    assert (row["complaining_customer_count"], row["followed_customer_count"]) == (9, 7)
    assert (row["ignored_customer_count"], row["ignored_silent_count"]) == (4, 3)
    assert (row["answered_customer_count"], row["answered_silent_count"]) == (3, 1)
    assert (row["strata_count"], row["matched_ignored_count"], row["matched_answered_count"]) == (1, 3, 3)
    assert row["left_out_count"] == 1
    assert row["matched_ignored_silent_share"] == pytest.approx(2 / 3)
    assert row["silence_difference_share"] == pytest.approx(1 / 3)


def test_every_count_opens_its_rows_also_inside_a_cell(store):
    engine = open_reader(store)
    wanted = resolved(Filter(), read_status(engine, store))
    row = fell_silent(store).iloc[0]
    for measure, column in (
        ("first_complaints", "complaining_customer_count"),
        ("followed_customers", "followed_customer_count"),
        ("followed_ignored", "ignored_customer_count"),
        ("silent_ignored", "ignored_silent_count"),
        ("followed_answered", "answered_customer_count"),
        ("silent_answered", "answered_silent_count"),
    ):
        selection = Selection(wanted, measure)
        assert count_rows(engine, selection) == len(selected_rows(engine, selection)) == row[column], measure
    assert count_rows(engine, Selection(wanted, "silent_ignored", (("channel", "chat"),))) == 1
    by_channel = fell_silent(store, ("channel",)).set_index("channel")
    assert by_channel.loc["chat", "ignored_silent_count"] == 1
    assert by_channel["followed_customer_count"].sum() == 7


def test_only_a_new_matter_ends_the_silence(tmp_path):
    """ian's silence begins on 14 January, 9:00."""
    same = wrote(18, "ian", "email", "2026-02-10T09:00:00", is_complaint=False, thread="c1")
    again = wrote(19, "ian", "phone", "2026-01-12T09:00:00", is_complaint=False)
    again += wrote(20, "ian", "phone", "2026-01-18T09:00:00", is_complaint=False)  # six days later: still the same
    new = wrote(21, "ian", "phone", "2026-02-20T09:00:00", is_complaint=False)
    silent = []
    for place, more in enumerate((same, again, same + again, new)):
        (tmp_path / str(place)).mkdir()
        silent.append(fell_silent(stored(tmp_path / str(place), MESSAGES + more))["ignored_silent_count"].iloc[0])
    assert silent == [3, 3, 3, 2]


def test_nobody_is_called_silent_before_the_silence_could_be_seen(store):
    # ian's limit passes on 7 January 09:00; 97 days later it is 14 April 09:00
    early = fell_silent(store, as_of=dt.datetime(2026, 4, 14, 8, 59)).iloc[0]
    then = fell_silent(store, as_of=dt.datetime(2026, 4, 14, 9, 0)).iloc[0]
    assert (early["ignored_silent_count"], then["ignored_silent_count"]) == (1, 2)  # lou's limit on chat passes sooner
    assert fell_silent(store, as_of=dt.datetime(2026, 3, 1))["followed_customer_count"].iloc[0] == 0


def test_a_customer_counts_once_by_the_first_complaint_of_the_filter(tmp_path):
    url = stored(tmp_path, MESSAGES + wrote(18, "ian", "email", "2026-01-20T09:00:00"))
    assert fell_silent(url)["complaining_customer_count"].iloc[0] == 9
    later = fell_silent(url, date_from=dt.date(2026, 1, 15), date_to=dt.date(2026, 1, 31)).iloc[0]
    assert (later["complaining_customer_count"], later["ignored_silent_count"]) == (1, 1)


@pytest.mark.parametrize(("ended", "followed"), [("2026-02-01", 0), ("2026-01-02", 7), ("2026-07-01", 7)])
def test_a_feed_that_stalled_inside_the_silence_follows_nobody_one_that_had_ended_before_is_gone(
    tmp_path, ended, followed
):
    url = stored(tmp_path)
    other = tmp_path / "other.csv"
    other.write_text(HEADER + wrote(99, "zoe", "sms", "2026-01-01T09:00:00", is_complaint=False), encoding="utf-8")
    mapping = mapping_of({**TINY_MAPPING, "source": "other"}, "other")
    load(url, [LoadOrder(other, "csv", mapping, complete_to=dt.datetime.fromisoformat(ended))])
    row = fell_silent(url, as_of=dt.datetime(2026, 6, 1, 9)).iloc[0]
    assert row["followed_customer_count"] == followed


def test_other_days_of_silence_are_a_setting(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "settings.toml").write_text("[joined_up]\nsilent_after_days = 20\n")
    row = fell_silent(stored(tmp_path)).iloc[0]
    assert (row["ignored_silent_count"], row["answered_silent_count"]) == (4 + 1, 3)  # and mia, who is old enough now


def test_an_empty_store_and_a_filter_that_matches_nothing_give_one_row_of_zeros(empty_store_url, store):
    for frame in (fell_silent(empty_store_url), fell_silent(store, brands=("Nobody",))):
        assert len(frame) == 1
        assert frame["complaining_customer_count"].iloc[0] == frame["strata_count"].iloc[0] == 0
        assert frame["silence_difference_share"].isna().all()


@pytest.mark.real_data
def test_the_month_of_tweets_is_too_short_to_follow_anybody(twcs_store_url):
    assert fell_silent(twcs_store_url, date_from=dt.date(2017, 9, 1))["followed_customer_count"].iloc[0] == 0


# --- the planted story


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_the_planted_leaving_is_in_its_interval_and_nothing_is_found_where_none_was_planted(tmp_path, seed):
    plain, nothing = _company(tmp_path / "plain", seed, frozenset())
    assert "ignored_leave" not in nothing.stories
    without = fell_silent(plain).iloc[0]
    assert without["silence_difference_share_low"] <= 0 <= without["silence_difference_share_high"]
    planted, truth = _company(tmp_path / "planted", seed, ALL_STORIES)
    row = fell_silent(planted).iloc[0]
    assert row["silence_difference_share_low"] > 0
    made = _made_silent_difference(planted, truth)
    assert row["silence_difference_share_low"] <= made <= row["silence_difference_share_high"]


def _made_silent_difference(url, truth):
    """By how much more of the ignored the generator made fall silent, among the customers that are compared.

    It let a share of those leave who would else have come back: many of the ignored, and some of the answered, whom
    it had ignored about another matter. The effect is the difference of these two shares, times the share of
    customers who would have come back had nobody left. That one does not depend on being ignored, so it is counted
    over all who were followed: the effect the generator has, not the luck of those few who happen to be compared.
    """
    engine = open_reader(url)
    wanted = resolved(Filter(), read_status(engine, url))
    rows = []
    for state in ("ignored", "answered"):
        silent = set(selected_rows(engine, Selection(wanted, f"silent_{state}"))["customer_id"])
        followed = selected_rows(engine, Selection(wanted, f"followed_{state}"))
        rows.append(followed.assign(state=state, is_silent=followed["customer_id"].isin(silent)))
    compared = pd.concat(rows, ignore_index=True)
    person = {one.conversation_id: one.recorded_customer for one in truth.conversations}
    away: dict[str, list[dt.datetime]] = {}
    for name, at in truth.stories["ignored_leave"].kept_away:
        away.setdefault(name, []).append(at.replace(tzinfo=None))
    begin = compared["first_complaint_at"] + compared["channel"].map(IGNORED_AFTER_MINUTES).map(
        lambda minutes: dt.timedelta(days=7, minutes=minutes)
    )
    would_have_come = [
        any(start < at <= start + dt.timedelta(days=90) for at in away.get(person[name], []))
        for name, start in zip(compared["external_id"], begin, strict=True)
    ]
    compared["is_made_silent"] = compared["is_silent"] & np.array(would_have_come)
    compared["would_come_back"] = compared["is_made_silent"] | ~compared["is_silent"]
    month = compared["first_complaint_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/London").dt.strftime("%Y-%m")
    by = [compared["channel"], compared["topic"], compared["sentiment_label"].fillna("unknown"), month]
    here = compared["state"].eq("ignored")
    n, other = (is_of.groupby(by, observed=True).transform("sum") for is_of in (here, ~here))
    weight = (np.where(here, other, n) / (n + other)).to_numpy(float)  # of Mantel and Haenszel, per customer

    # Who would have come back is drawn alike for all, but an account that nothing links is seen on its channel only.
    come_back = compared.groupby("channel", observed=True)["would_come_back"].transform("mean")

    def made(of: pd.Series) -> float:
        counted = of.to_numpy()
        would, silent = (compared[name].to_numpy()[counted] for name in ("would_come_back", "is_made_silent"))
        return float(weight[counted][silent].sum() / weight[counted][would].sum())

    return (made(here) - made(~here)) * float((weight * come_back).sum() / weight.sum())


def _company(folder, seed, plant):
    truth = write_demo_sources(folder, seed=seed, scale=0.25, plant=plant)
    url = f"duckdb:///{folder / 'store'}"
    path = settings_file(url)
    path.parent.mkdir()
    shutil.copy(folder / "settings.toml", path)
    orders = [LoadOrder(folder / "customers.csv", "customers")]
    orders += [
        LoadOrder(folder / f"{n}.csv", "csv", read_mapping(folder / f"{n}.toml"))
        for n in ("messages", "social", "calls")
    ]
    load(url, orders)
    return url, truth
