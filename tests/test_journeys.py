"""Journeys: every wait of one customer in order, blind to as-of, limited by scope; counted on the tiny store."""

from __future__ import annotations

import datetime as dt
import json
import math

import pandas as pd
import pytest
from test_demo_stories import Report, reporting

from data_access.cli import main
from data_access.errors import FilterError
from data_access.queries.journeys import eventful_customers, journeys
from data_access.reports import run_report
from pages.components import charts_journey, findings_age, theme


@pytest.fixture(scope="module")
def tiny(tiny_store_url) -> Report:
    return reporting(tiny_store_url)


@pytest.fixture(scope="module")
def dora(tiny) -> str:
    """She tweeted (c4), was called by phone (c9) two hours later, and said thanks three days later."""
    rows = tiny("conversations").set_index("external_id")
    return str(rows.loc["c4", "customer_id"])


def test_a_journey_is_every_wait_of_a_customer_in_order(tiny, dora):
    frame = journeys(tiny.engine, tiny.wanted, dora)
    assert list(zip(frame["step_number"], frame["wait_number"], frame["channel"], strict=True)) == [
        (1, 1, "twitter"),
        (2, 1, "phone"),
        (2, 2, "phone"),
    ]
    tweet, call, thanks = (row for _, row in frame.iterrows())
    assert tweet["response_state"] == "answered_elsewhere"
    assert tweet["answered_elsewhere_on"] == "phone"
    assert tweet["ended_at"] == pd.Timestamp("2026-01-06T11:00:00")
    assert tweet["waited_minutes"] == 120
    assert tweet["is_failed"]  # an hour is the target on Twitter
    assert call["response_state"] == "answered_late"
    assert call["waited_minutes"] == 10
    assert call["previous_channel"] == "twitter"
    assert call["previous_gap_minutes"] == 110
    assert call["is_repeat"]  # about the same outage, within seven days
    assert not tweet["is_repeat"]
    assert math.isnan(thanks["waited_minutes"])
    assert not thanks["is_failed"]


def test_a_repeat_contact_is_one_within_the_days_of_the_settings(tiny, dora):
    assert journeys(tiny.engine, tiny.wanted, dora, repeat_days=1)["is_repeat"].any()
    assert not journeys(tiny.engine, tiny.wanted, dora, repeat_days=0)["is_repeat"].any()


def test_a_journey_is_blind_to_what_came_later(tiny, dora):
    wanted = tiny.wanted.replace(as_of=dt.datetime(2026, 1, 6, 10, 30))
    frame = journeys(tiny.engine, wanted, dora)
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["response_state"] == "waiting"
    assert row["waited_minutes"] == 90
    assert row["waited_until_at"] == pd.Timestamp("2026-01-06T10:30:00")
    assert pd.isna(row["ended_at"])
    assert pd.isna(row["answered_elsewhere_on"])
    assert row["is_failed"]
    assert run_report(tiny.engine, "journeys", wanted).empty  # one conversation is no journey yet


def test_the_report_holds_whole_journeys_of_customers_with_two_conversations_of_whom_one_is_in_the_filter(tiny, dora):
    frame = tiny("journeys")
    assert set(frame["customer_id"]) == {dora}
    tweets = tiny("journeys", channels=("twitter",))
    assert list(tweets["is_in_filter"]) == [True, False, False]
    assert tiny("journeys", channels=("email",)).empty


def test_a_conversation_in_which_nobody_waits_stands_there_once_without_a_wait(tiny):
    rows = tiny("conversations").set_index("external_id")
    frame = journeys(tiny.engine, tiny.wanted, str(rows.loc["c8", "customer_id"]))
    assert list(frame["wait_number"]) == [0]
    assert list(frame["kind"]) == ["outreach"]
    assert frame["response_state"].isna().all()


def test_a_limited_viewer_sees_of_other_teams_only_channel_time_and_state(tiny, dora):
    frame = journeys(tiny.engine, tiny.wanted.replace(scope_teams=("Social",)), dora)
    assert list(frame["is_readable"]) == [True, False, False]
    hidden = frame[~frame["is_readable"]]
    assert hidden[["topic", "team", "brand"]].isna().all().all()
    assert not hidden[["is_complaint", "is_repeat"]].any().any()
    assert list(hidden["channel"]) == ["phone", "phone"]
    assert hidden["response_state"].iloc[0] == "answered_late"
    assert journeys(tiny.engine, tiny.wanted.replace(scope_teams=("Mail",)), dora).empty
    assert journeys(tiny.engine, tiny.wanted.replace(scope_teams=()), dora).empty


def test_the_command_line_prints_the_journey_of_one_customer(tiny_store_url, dora, capsys):
    call = ["report", "journeys", "--store", tiny_store_url, "--format", "json", "--customer", dora]
    assert main(call) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["step_number"], row["channel"]) for row in rows] == [(1, "twitter"), (2, "phone"), (2, "phone")]
    assert rows[0]["previous_gap_minutes"] is None
    assert main(["report", "backlog", "--store", tiny_store_url, "--customer", dora]) != 0
    assert "--customer goes with report journeys" in capsys.readouterr().err
    with pytest.raises(FilterError):
        run_report(reporting(tiny_store_url).engine, "worklist", reporting(tiny_store_url).wanted, customer=dora)


def test_the_most_eventful_customer_is_who_was_ignored_on_most_channels(tiny, dora, demo_store_url):
    frame = eventful_customers(tiny.engine, tiny.wanted)
    assert list(frame["customer_id"]) == [dora]
    row = frame.iloc[0]
    assert (row["conversation_count"], row["channel_count"], row["ignored_count"], row["late_count"]) == (2, 2, 0, 2)
    demo = reporting(demo_store_url)
    most = eventful_customers(demo.engine, demo.wanted, 5)
    assert most["ignored_channel_count"].is_monotonic_decreasing
    for customer in most.to_dict("records"):
        journey = journeys(demo.engine, demo.wanted, customer["customer_id"])
        ignored = journey[journey["response_state"] == "ignored"]
        assert len(ignored) == customer["ignored_count"]
        assert ignored["channel"].nunique() == customer["ignored_channel_count"]


def test_a_few_eventful_customers_are_the_first_of_all_of_them(demo_store_url):
    demo = reporting(demo_store_url)
    everybody = eventful_customers(demo.engine, demo.wanted)
    assert len(everybody) > 100
    for number in (1, 8, len(everybody) - 1, len(everybody) + 1):
        few = eventful_customers(demo.engine, demo.wanted, number)
        assert few.to_dict("records") == everybody.head(number).to_dict("records")
    first = everybody.iloc[0]
    names = ["ignored_channel_count", "ignored_count"]
    assert first["equally_ignored_count"] == (everybody[names] == first[names]).all(axis=1).sum()


def test_how_many_were_left_without_an_answer_as_often_does_not_hang_on_how_many_are_listed():
    listed = pd.DataFrame({"ignored_channel_count": [2], "ignored_count": [2], "equally_ignored_count": [38]})
    assert findings_age.eventful(listed) == "38 customers were left without an answer twice on 2 channels"
    one = listed.assign(equally_ignored_count=1)
    assert findings_age.eventful(one) == "One customer was left without an answer twice on 2 channels"
    assert findings_age.eventful(listed.assign(ignored_count=0)).endswith("some were answered late")


def test_who_hung_up_waited_until_then_and_was_failed_all_the_same(demo_store_url):
    demo = reporting(demo_store_url)
    calls = demo("journeys").query("is_abandoned")
    assert len(calls) > 20
    assert set(calls["channel"]) == {"phone"}
    assert calls["waited_minutes"].between(0, 120).all()
    assert calls["ended_at"].isna().all()
    assert set(calls["response_state"]) <= {"ignored", "waiting", "answered_elsewhere"}
    assert calls.loc[calls["response_state"] == "ignored", "is_failed"].all()


def test_repeats_of_the_demo_company_are_repeats_in_its_journeys(demo_store_url, tmp_path):
    from data_access.demo import write_demo_sources

    truth = write_demo_sources(tmp_path, seed=7, scale=0.25)
    demo = reporting(demo_store_url)
    names = demo("conversations").set_index("conversation_id")["external_id"]
    steps = demo("journeys").drop_duplicates("conversation_id")
    found = set(steps.loc[steps["is_repeat"], "conversation_id"].map(names))
    soon = {pair.second_id for pair in truth.repeat_contact_pairs if pair.hours_between <= 7 * 24}
    assert len(soon) > 50
    assert len(soon & found) / len(soon) > 0.65  # the others were read as being about another topic
    assert len(found & {pair.second_id for pair in truth.repeat_contact_pairs}) / len(found) > 0.97


# --- the time line


def test_the_time_line_is_red_only_beyond_the_target(tiny, dora):
    frame = journeys(tiny.engine, tiny.wanted, dora)
    figure = charts_journey.journey_timeline(frame, "UTC")
    lines = {trace.line.color: trace for trace in figure.data if trace.mode == "lines" and trace.x[0] is not None}
    red = lines[theme.IGNORED]
    assert list(red.x[:2]) == [pd.Timestamp("2026-01-06T10:00"), pd.Timestamp("2026-01-06T11:00")]
    blue = next(trace for color, trace in lines.items() if color != theme.IGNORED)
    assert list(blue.x[:2]) == [pd.Timestamp("2026-01-06T09:00"), pd.Timestamp("2026-01-06T10:00")]


def test_the_time_line_has_a_lane_per_channel_and_a_mark_per_conversation_that_opens_it(tiny, dora):
    frame = journeys(tiny.engine, tiny.wanted, dora)
    figure = charts_journey.journey_timeline(frame, "Europe/Berlin", frame["conversation_id"].iloc[0])
    assert list(figure.layout.yaxis.ticktext) == ["Twitter", "Phone"]
    dots = next(trace for trace in figure.data if trace.mode == "markers+text")
    assert [cell[1] for cell in dots.customdata] == list(frame["conversation_id"].unique())
    assert pd.Timestamp(dots.x[0]) == pd.Timestamp("2026-01-06T10:00")  # an hour later in Berlin
    assert list(dots.text) == ["<b>1</b>", "2"]
    names = [trace.name for trace in figure.data]
    assert "Answered on another channel" in names
    assert "Answered by a human" in names


def test_a_journey_in_words_counts_conversations_channels_and_failures(tiny, dora):
    frame = journeys(tiny.engine, tiny.wanted, dora)
    assert findings_age.journey(frame) == "2 conversations on 2 channels: beyond the target twice"
    assert len(charts_journey.journey_timeline(frame.head(0), "UTC").data) == 0


def test_the_legend_of_a_journey_says_what_each_mark_is(tiny, dora):
    figure = charts_journey.journey_timeline(journeys(tiny.engine, tiny.wanted, dora), "UTC")
    legend = {trace.name: trace.marker.color for trace in figure.data if trace.mode == "markers" and trace.name}
    drawn = next(trace.marker.color for trace in figure.data if trace.mode == "markers+text")
    assert set(drawn) <= {legend.get("Opened"), legend.get("Opened, failed in a wait")}
    assert legend["Answered by a human"] not in drawn
