"""The planted stories are found by the queries, with the counts of the truth; where none is planted, nothing is."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from stored_rows import frame_of

from data_access.demo import DemoTruth, write_demo_sources
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import selected_rows
from data_access.queries.teams import standardised
from data_access.reports import run_report
from data_access.schema import conversations
from data_access.sources.mapping import read_mapping
from data_access.store import open_reader, read_status, resolved, settings_file

SCALE = 0.25
Report = Callable[..., pd.DataFrame]


def reporting(url: str) -> Report:
    engine = open_reader(url)
    status = read_status(engine, url)

    def _report(name: str, by: tuple[str, ...] = (), **fields: object) -> pd.DataFrame:
        return run_report(engine, name, resolved(Filter(**fields), status), by)

    _report.engine, _report.wanted = engine, resolved(Filter(), status)
    return _report


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    """What happened in the company of `demo_store_url`: the same seed and scale."""
    return write_demo_sources(tmp_path_factory.mktemp("truth"), seed=7, scale=SCALE)


@pytest.fixture(scope="session")
def report(demo_store_url: str) -> Report:
    return reporting(demo_store_url)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The same company in a year in which nothing happened."""
    folder = tmp_path_factory.mktemp("plain")
    write_demo_sources(folder, seed=7, scale=SCALE, plant=frozenset())
    url = f"duckdb:///{folder / 'store'}"
    path: Path = settings_file(url)
    path.parent.mkdir()
    path.write_text((folder / "settings.toml").read_text())
    orders = [LoadOrder(folder / "customers.csv", "customers")]
    orders += [
        LoadOrder(folder / f"{n}.csv", "csv", read_mapping(folder / f"{n}.toml"))
        for n in ("messages", "social", "calls")
    ]
    load(url, orders)
    return reporting(url)


def share_z(one: pd.Series, other: pd.Series, count: str, total: str) -> float:
    """How many standard errors two shares are apart."""
    k, n, k2, n2 = one[count], one[total], other[count], other[total]
    pooled = (k + k2) / (n + n2)
    return float((k / n - k2 / n2) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n2)))


# --- the counts of the truth, exactly


def test_every_conversation_is_there_under_its_channel_kind_age_and_time(report, truth):
    rows = report("conversations").set_index("external_id")
    told = {one.conversation_id: one for one in truth.conversations}
    assert set(rows.index) == set(told)
    for row in rows.itertuples():
        one = told[row.Index]
        assert (row.channel, row.team, row.kind == "outreach") == (one.channel, one.team, one.is_outreach)
        assert row.opened_at == pd.Timestamp(one.opened_at).tz_localize(None)
        if not one.is_outreach:
            assert row.age_group == one.age_group
            expected = pd.Timestamp(one.first_response_at).tz_localize(None) if one.first_response_at else pd.NaT
            assert row.first_response_at == expected or (pd.isna(row.first_response_at) and pd.isna(expected))


def test_counts_by_channel_are_those_of_the_truth(report, truth):
    frame = report("response_times", ("channel",)).set_index("channel")
    assert frame["conversation_count"].to_dict() == {c: n for c, n in truth.customer_opened_by_channel.items() if n}
    assert frame["unanswered_count"].to_dict() == {
        channel: truth.unanswered_by_channel[channel] for channel in frame.index
    }
    whole = report("response_times").iloc[0]
    assert whole["conversation_count"] == truth.customer_opened_count
    assert whole["unanswered_count"] == len(truth.unanswered_ids)


def test_the_unanswered_are_those_of_the_truth_one_by_one(report, truth):
    rows = selected_rows(report.engine, Selection(report.wanted, "unanswered"))
    assert set(rows["external_id"]) == truth.unanswered_ids


def test_people_are_joined_across_channels_as_the_truth_knows_them(report, truth):
    rows = report("conversations").set_index("external_id")["customer_id"]
    people: dict[str, set[str]] = {}
    for one in truth.conversations:
        people.setdefault(one.recorded_customer, set()).add(rows[one.conversation_id])
    listed = {name: ids for name, ids in people.items() if name.startswith("LF")}
    assert len(listed) > 500
    assert all(len(ids) == 1 for ids in listed.values())
    assert len(set().union(*listed.values())) == len(listed)


def test_answers_by_age_and_channel_are_those_of_the_truth(report, truth):
    frame = report("response_times", ("age_group", "channel")).set_index(["age_group", "channel"])
    cells = {(cell.age_group, cell.channel): cell for cell in truth.age_by_channel}
    assert set(frame.index) == set(cells)
    for key, cell in cells.items():
        assert tuple(frame.loc[key, ["conversation_count", "answered_count"]]) == (
            cell.conversation_count,
            cell.answered_count,
        )


def test_repeat_contacts_of_the_truth_follow_one_another_in_the_store(demo_store_url, truth):
    rows = frame_of(demo_store_url, conversations)
    by_name = rows.set_index("external_id")
    by_id = rows.set_index("conversation_id")
    assert len(truth.repeat_contact_pairs) > 100
    for pair in truth.repeat_contact_pairs:
        first, second = by_name.loc[pair.first_id], by_name.loc[pair.second_id]
        assert first["customer_id"] == second["customer_id"]
        assert (second["opened_at"] - first["opened_at"]).total_seconds() / 3600 == pytest.approx(
            pair.hours_between, abs=0.01
        )
        earlier = second
        while earlier["conversation_id"] != first["conversation_id"]:  # each knows the contact just before it
            earlier = by_id.loc[earlier["previous_conversation_id"]].copy()
            earlier["conversation_id"] = earlier.name
            assert earlier["opened_at"] >= first["opened_at"]


# --- the stories


def test_the_phone_outage_shows_as_abandoned_calls_and_as_posts_that_blame_the_phone(report, truth):
    story = truth.stories["phone_outage"]
    days = report("calls", ("period",), grain="day").set_index("period")
    during = days.loc[str(story.first_day) : str(story.last_day)]
    assert (during["offered_count"].sum(), during["abandoned_count"].sum()) == (
        story.call_count,
        story.abandoned_count,
    )
    worst = days.sort_values(["abandoned_count"], ascending=False).head(3).index
    assert {day.date() for day in worst} == {story.first_day + dt.timedelta(days=n) for n in range(3)}
    outage = {"date_from": story.first_day, "date_to": story.last_day}
    blamed = report("said_on_about", **outage)
    phone = blamed[(blamed["blamed_channel"] == "phone") & blamed["channel"].isin(["twitter", "facebook"])]
    assert phone["conversation_count"].sum() >= 0.8 * len(story.phone_post_ids)
    everything = report("said_on_about")
    of_the_year = everything[
        (everything["blamed_channel"] == "phone") & everything["channel"].isin(["twitter", "facebook"])
    ]
    usual = (of_the_year["conversation_count"].sum() - phone["conversation_count"].sum()) / 362
    assert phone["conversation_count"].sum() / 3 > 10 * usual


def test_reviews_are_ignored_from_the_day_on_which_the_desk_stopped_answering(report, truth):
    story = truth.stories["reviews_ignored"]
    before = {"channels": ("review",), "date_to": story.from_day - dt.timedelta(days=1)}
    after = {"channels": ("review",), "date_from": story.from_day}
    counts = [report("response_times", **period).iloc[0] for period in (before, after)]
    assert tuple(counts[0][["conversation_count", "unanswered_count"]]) == (
        story.before_count,
        story.before_unanswered_count,
    )
    assert tuple(counts[1][["conversation_count", "unanswered_count"]]) == (
        story.after_count,
        len(story.after_unanswered_ids),
    )
    shares = [report("ignored_complaints", **period).iloc[0] for period in (before, after)]
    assert shares[0]["ignored_share"] < 0.45
    assert shares[1]["ignored_share_low"] > 0.7


def test_the_bot_that_answers_at_once_is_never_a_response(report, truth):
    story = truth.stories["instant_bot"]
    row = report("response_times", channels=("chat",)).iloc[0]
    assert (row["conversation_count"], row["answered_count"]) == (story.chat_count, story.human_reply_count)
    assert row["median_minutes_answered"] == pytest.approx(story.median_minutes_human, abs=0.02)
    assert report("answer_curve", channels=("chat",))["minutes"].min() > 0
    rows = selected_rows(report.engine, Selection(report.wanted, "unanswered", (("channel", "chat"),)))
    assert truth.bot_only_ids <= set(rows["external_id"])
    assert report("ignored_complaints", channels=("chat",)).iloc[0]["bot_only_count"] > 0


def in_hour(report: Report, **fields: object) -> pd.Series:
    """Customer-opened conversations, and those answered within an hour."""
    engine = report.engine
    wanted = report.wanted.replace(**fields)
    whole = len(selected_rows(engine, Selection(wanted, "first_responses")))
    within = len(selected_rows(engine, Selection(wanted, "answered_timed", (("within_minutes", "60"),))))
    return pd.Series({"total": whole, "in_hour": within})


KNOWN_YOUNGER = ("<18", "18-24", "25-34", "35-44", "45-54", "55-64")


def test_the_gap_of_the_oldest_is_there_in_the_raw_figures_and_not_inside_the_channels(report, truth):
    story = truth.stories["age_gap_mix"]
    oldest, others = in_hour(report, age_groups=("65+",)), in_hour(report, age_groups=KNOWN_YOUNGER)
    assert tuple(oldest) == (story.oldest_count, story.oldest_within_hour_count)
    assert tuple(others) == (story.others_count, story.others_within_hour_count)
    assert share_z(oldest, others, "in_hour", "total") < -4
    assert abs(_within_channels(report, ("65+",), KNOWN_YOUNGER)) < 0.035
    assert not standardised(report.engine, report.wanted, ("age_group",)).empty


def test_the_gap_of_the_young_on_whatsapp_is_real(report, truth):
    story = truth.stories["age_gap_real"]
    ages = report("response_times", ("age_group",), channels=("whatsapp",)).set_index("age_group")
    young = ages.loc["18-24"]
    others = ages.drop(["18-24", "unknown"])[["conversation_count", "answered_count"]].sum()
    assert tuple(young[["conversation_count", "answered_count"]]) == (story.group_count, story.group_answered_count)
    assert tuple(others) == (story.others_count, story.others_answered_count)
    assert share_z(young, others, "answered_count", "conversation_count") < -4


def test_e_mail_slows_down_month_by_month_as_the_truth_says(report, truth):
    story = truth.stories["email_decline"]
    months = report("response_times", ("period",), grain="month", channels=("email",))
    assert list(months["period"].dt.strftime("%Y-%m")) == [month.month for month in story.months]
    assert list(months["answered_count"]) == [month.answered_count for month in story.months]
    assert list(months["median_minutes_answered"]) == pytest.approx([m.median_minutes for m in story.months], abs=0.02)
    assert months["median_minutes_answered"].iloc[-1] > 3 * months["median_minutes_answered"].iloc[2:8].median()


def test_on_the_autumn_night_both_hours_called_one_o_clock_are_counted_and_no_answer_is_negative(report, truth):
    story = truth.stories["dst_night"]
    night = {"date_from": story.night, "date_to": story.night, "channels": ("chat",)}
    hours = report("response_times", ("hour",), **night).set_index("hour")["conversation_count"]
    assert hours[1] == len(story.first_hour_ids) + len(story.second_hour_ids)
    wanted = report.wanted.replace(**night)
    rows = selected_rows(report.engine, Selection(wanted, "first_responses", (("hour", "1"),)))
    assert set(rows["external_id"]) == {*story.first_hour_ids, *story.second_hour_ids}
    assert (rows["first_response_minutes"].dropna() >= 0).all()
    assert story.answered_earlier_by_wall_clock > 0


def test_those_who_went_public_after_silence_are_followed_back(report, truth):
    """The store knows the customer's contact before each public complaint."""
    rows = report("conversations").set_index("external_id")
    for pair in truth.back_door_pairs:
        assert rows.loc[pair.first_id, "customer_id"] == rows.loc[pair.second_id, "customer_id"]
        assert rows.loc[pair.first_id, "opened_at"] < rows.loc[pair.second_id, "opened_at"]
        assert not rows.loc[pair.first_id, "is_answered"]


def test_most_texts_are_read_as_they_were_meant(report, truth):
    rows = report("conversations").set_index("external_id")
    meant = {one.conversation_id: one for one in truth.conversations if not one.is_outreach}
    worded = [name for name in meant if rows.loc[name, "sentiment_label"] == rows.loc[name, "sentiment_label"]]
    complaints = [name for name in worded if meant[name].intent == "complaint"]
    found = sum(bool(rows.loc[name, "is_complaint"]) for name in complaints)
    assert found / len(complaints) > 0.9
    topics = Counter(rows.loc[name, "topic"] != "unknown" for name in complaints)
    assert topics[True] / len(complaints) > 0.6


# --- and nothing where nothing was planted


def _within_channels(report: Report, group: tuple[str, ...], others: tuple[str, ...]) -> float:
    """Difference in the share answered within an hour, inside the channels, weighted by the group's contacts."""
    gap, weight = 0.0, 0
    for channel in report("response_times", ("channel",))["channel"]:
        mine = in_hour(report, age_groups=group, channels=(channel,))
        theirs = in_hour(report, age_groups=others, channels=(channel,))
        if mine["total"] and theirs["total"]:
            gap += mine["total"] * (mine["in_hour"] / mine["total"] - theirs["in_hour"] / theirs["total"])
            weight += mine["total"]
    return gap / weight


def test_in_a_quiet_year_no_day_loses_most_of_its_calls_and_nobody_blames_the_phone_in_crowds(plain):
    days = plain("calls", ("period",), grain="day")
    busy = days[days["offered_count"] >= 5]
    assert (busy["abandoned_share"] < 0.6).all()
    blamed = plain("said_on_about")
    assert blamed[blamed["blamed_channel"] == "phone"]["share"].max() < 0.1


def test_in_a_quiet_year_reviews_are_answered_as_before(plain, truth):
    day = truth.stories["reviews_ignored"].from_day
    before = plain("response_times", channels=("review",), date_to=day - dt.timedelta(days=1)).iloc[0]
    after = plain("response_times", channels=("review",), date_from=day).iloc[0]
    assert abs(share_z(before, after, "unanswered_count", "conversation_count")) < 3


def test_in_a_quiet_year_no_age_waits_longer_inside_the_channels(plain):
    assert abs(_within_channels(plain, ("65+",), KNOWN_YOUNGER)) < 0.035
    ages = plain("response_times", ("age_group",), channels=("whatsapp",)).set_index("age_group")
    others = ages.drop(["18-24", "unknown"])[["conversation_count", "answered_count"]].sum()
    assert abs(share_z(ages.loc["18-24"], others, "answered_count", "conversation_count")) < 3


def test_in_a_quiet_year_no_bot_answers_and_no_channel_slows_down(plain):
    assert plain("ignored_complaints", channels=("chat",)).iloc[0]["bot_only_count"] == 0
    months = plain("response_times", ("period",), grain="month", channels=("email",))["median_minutes_answered"]
    assert months.iloc[-3:].median() < 2 * months.iloc[:8].median()


def test_in_a_quiet_year_hardly_any_change_is_called_a_change(plain):
    called = [
        plain("changes", date_from=dt.date(2026, month, 1), date_to=dt.date(2026, month, 28))["is_change"].sum()
        for month in range(1, 10)
    ]
    assert sum(called) <= 3
