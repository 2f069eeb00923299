"""One number, wherever it is read: card, chart, table, drill-down, CSV, and its parts added up."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math

import pandas as pd
import pytest

from data_access.cli import main
from data_access.export import to_csv
from data_access.filters import Filter
from data_access.measures import Selection
from data_access.queries.conversations import selected_rows
from data_access.reports import run_report
from data_access.store import open_reader, read_status, resolved
from data_access.vocabulary import RESPONSE_STATES

FILTERS = [
    {},
    {"date_from": dt.date(2026, 6, 1), "date_to": dt.date(2026, 8, 31)},
    {"as_of": dt.datetime(2026, 2, 14, 15, 30), "channels": ("email", "twitter", "phone")},
    {"age_groups": ("65+",), "with_no_reply_needed": True},
    {"states": ("ignored", "answered_late")},
]
DIMENSIONS = (
    "period",
    "channel",
    "brand",
    "team",
    "agent",
    "age_group",
    "topic",
    "sentiment",
    "source",
    "hour",
    "weekday",
)
REPORTS = ("response_times", "reply_times", "ignored_complaints", "backlog", "sentiment", "calls", "resolution_times")


@pytest.fixture(scope="module")
def demo(demo_store_url):
    engine = open_reader(demo_store_url)
    return engine, read_status(engine, demo_store_url)


@pytest.mark.parametrize("fields", FILTERS, ids=range(len(FILTERS)))
@pytest.mark.parametrize("name", REPORTS)
def test_the_parts_add_up_to_the_whole_by_every_dimension(demo, name, fields):
    engine, status = demo
    wanted = resolved(Filter(**fields), status)
    whole = run_report(engine, name, wanted).iloc[0]
    for dimension in DIMENSIONS:
        parts = run_report(engine, name, wanted, (dimension,))
        for column in parts.columns:
            if column.endswith("_count") and (name, column) != ("reply_times", "no_reply_needed_count"):
                assert parts[column].sum() == whole[column], (dimension, column)


@pytest.mark.parametrize("fields", FILTERS, ids=range(len(FILTERS)))
def test_response_states_partition_the_complaints_in_every_group(demo, fields):
    engine, status = demo
    wanted = resolved(Filter(**fields), status)
    for by in ((), ("channel",), ("team", "age_group"), ("period",)):
        frame = run_report(engine, "ignored_complaints", wanted, by)
        assert (frame[[f"{state}_count" for state in RESPONSE_STATES]].sum(axis=1) == frame["complaint_count"]).all()
        assert (frame["ignored_in_time_count"] <= frame["due_count"]).all()
        assert (frame["due_count"] <= frame["complaint_count"]).all()


@pytest.mark.parametrize("states", [(), ("ignored", "answered_late")])
def test_changes_compare_the_shares_of_the_reports_of_both_periods(demo, states):
    engine, status = demo
    both = Filter(date_from=dt.date(2026, 6, 1), date_to=dt.date(2026, 6, 30), states=states)
    now, before = (
        resolved(f, status) for f in (both, both.replace(date_from=dt.date(2026, 5, 2), date_to=dt.date(2026, 5, 31)))
    )
    rows = run_report(engine, "changes", now).set_index(["metric", "channel"])
    for metric, name, numerator, denominator in (
        ("ignored_share", "ignored_complaints", "ignored_in_time_count", "due_count"),
        ("in_target_share", "response_times", "in_target_count", "target_due_count"),
        ("negative_share", "sentiment", "negative_count", "scored_count"),
    ):
        for by in ((), ("channel",)):
            found, past = (run_report(engine, name, wanted, by) for wanted in (now, before))
            past = past.set_index("channel") if by else past.set_axis([""])
            for row in found.to_dict("records"):
                compared = rows.loc[metric, row.get("channel", "")]
                assert compared["numerator_count"] == row[numerator]
                assert compared["denominator_count"] == row[denominator] > 0
                earlier = past.loc[row.get("channel", "")]
                assert compared["previous_denominator_count"] == earlier[denominator]
                assert compared["previous_share"] == pytest.approx(earlier[numerator] / earlier[denominator])


def test_a_share_that_one_period_does_not_have_is_not_compared(tiny_store_url, opened):
    engine, wanted = opened(tiny_store_url, date_from=dt.date(2026, 1, 9), date_to=dt.date(2026, 1, 12))
    compared = run_report(engine, "changes", wanted)  # on the 9th there is one complaint, not due yet
    assert set(zip(compared["metric"], compared["channel"], strict=True)) == {
        ("negative_share", ""),
        ("in_target_share", ""),
    }
    later = wanted.replace(date_from=dt.date(2026, 3, 9), date_to=dt.date(2026, 3, 12))
    assert run_report(engine, "changes", later).empty


@pytest.mark.parametrize("name", ["response_times", "reply_times"])
def test_shares_are_their_counts_and_lie_in_their_intervals(demo, name):
    engine, status = demo
    total = "conversation_count" if name == "response_times" else "wait_count"
    frame = run_report(engine, name, resolved(Filter(), status), ("team",))
    assert frame["answered_share"].to_list() == pytest.approx((frame["answered_count"] / frame[total]).to_list())
    assert (frame["answered_count"] + frame["unanswered_count"] == frame[total]).all()
    assert (frame["in_target_count"] <= frame["target_due_count"]).all()
    for share in ("answered_share", "in_target_share"):
        known = frame[frame[share].notna()]
        assert (known[f"{share}_low"] <= known[share]).all()
        assert (known[share] <= known[f"{share}_high"]).all()


def test_a_median_is_that_of_the_rows_it_opens(demo):
    engine, status = demo
    for channel in ("email", "chat", "phone", "review"):
        wanted = resolved(Filter(channels=(channel,)), status)
        row = run_report(engine, "response_times", wanted).iloc[0]
        minutes = selected_rows(engine, Selection(wanted, "answered_timed"))["first_response_minutes"]
        assert row["median_minutes_answered"] == pytest.approx(minutes.median())
        assert row["p90_minutes_answered"] == pytest.approx(minutes.quantile(0.9))


def test_the_curve_ends_at_or_above_the_share_answered_and_crosses_half_at_the_median(demo):
    engine, status = demo
    for fields in ({}, {"channels": ("email",)}, {"channels": ("review",)}):
        wanted = resolved(Filter(**fields), status)
        row = run_report(engine, "response_times", wanted).iloc[0]
        curve = run_report(engine, "answer_curve", wanted)
        assert curve["answered_share"].is_monotonic_increasing
        assert curve["answered_share"].iloc[-1] >= row["answered_share"] - 1e-9
        half = curve[curve["answered_share"] >= 0.5]
        first = half["minutes"].iloc[0] if len(half) else math.nan
        assert first == pytest.approx(row["median_minutes_all"], nan_ok=True)


def test_the_channel_mix_has_the_contacts_of_sentiment_and_its_customers_are_people(demo):
    engine, status = demo
    wanted = resolved(Filter(), status)
    mix = run_report(engine, "channel_mix", wanted)
    tone = run_report(engine, "sentiment", wanted).iloc[0]
    assert mix["conversation_count"].sum() == tone["scored_count"] + tone["not_scored_count"]
    assert mix.groupby("age_group")["share"].sum().to_list() == pytest.approx([1.0] * mix["age_group"].nunique())
    assert (mix["customer_count"] <= mix["conversation_count"]).all()
    assert (mix["customer_share"] <= 1).all()
    rows = selected_rows(engine, Selection(wanted, "contacts"))
    for row in mix.itertuples():
        cell = rows[(rows["age_group"] == row.age_group) & (rows["channel"] == row.channel)]
        assert (len(cell), cell["customer_id"].nunique()) == (row.conversation_count, row.customer_count)


def test_sentiments_are_all_of_the_scored(demo):
    engine, status = demo
    frame = run_report(engine, "sentiment", resolved(Filter(), status), ("channel",))
    assert (frame["negative_count"] + frame["neutral_count"] + frame["positive_count"] == frame["scored_count"]).all()
    shares = frame[["negative_share", "neutral_share", "positive_share"]].sum(axis=1)
    assert shares[frame["scored_count"] > 0].to_list() == pytest.approx([1.0] * int((frame["scored_count"] > 0).sum()))


def test_the_worklist_is_the_waiting_and_the_ignored(demo):
    engine, status = demo
    wanted = resolved(Filter(), status)
    row = run_report(engine, "ignored_complaints", wanted).iloc[0]
    rows = run_report(engine, "worklist", wanted)
    counts = rows["response_state"].value_counts()
    assert (counts["waiting"], counts["ignored"]) == (row["waiting_count"], row["ignored_count"])
    assert rows["complained_at"].is_monotonic_increasing
    assert rows["is_bot_answered"].sum() == row["bot_only_count"]


def test_a_table_its_csv_and_the_command_line_hold_the_same_cells(demo, demo_store_url, capsys):
    engine, status = demo
    frame = run_report(engine, "ignored_complaints", resolved(Filter(channels=("email",)), status), ("team",))
    capsys.readouterr()
    command = ["report", "ignored_complaints", "--by", "team", "--channel", "email", "--store", demo_store_url]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert list(csv.reader(io.StringIO(printed))) == list(csv.reader(io.StringIO(to_csv(frame), newline="")))
    assert main([*command, "--format", "json"]) == 0
    again = pd.DataFrame(json.loads(capsys.readouterr().out))
    assert again["complaint_count"].to_list() == frame["complaint_count"].to_list()


def test_check_numbers_agrees_for_any_of_these_filters(demo_store_url, capsys):
    for arguments in (
        [],
        ["--channel", "phone"],
        ["--from", "2026-10-25", "--to", "2026-10-25"],
        ["--team", "nobody"],
    ):
        assert main(["check", "--numbers", *arguments, "--store", demo_store_url]) == 0
        assert "0 failed" in capsys.readouterr().out


def test_rows_of_first_responses_show_the_state_of_the_opening_that_they_were_counted_by(demo):
    engine, status = demo
    wanted = resolved(Filter(), status)
    for measure, states in (
        ("in_target", {"answered_in_target"}),
        ("unanswered", {"answered_elsewhere", "waiting", "ignored", ""}),
        ("answered_unknown_time", {"answered_unknown_time"}),
    ):
        rows = selected_rows(engine, Selection(wanted, measure))
        assert set(rows["opening_state"].fillna("")) <= states
    assert not set(selected_rows(engine, Selection(wanted, "in_target"))["response_state"]) <= {"answered_in_target"}


def test_the_worklist_by_time_left_begins_with_what_is_ignored_soonest(demo, demo_store_url, capsys):
    engine, status = demo
    wanted = resolved(Filter(states=("waiting",)), status)
    listed = run_report(engine, "worklist", wanted, order="time_left")
    oldest = run_report(engine, "worklist", wanted)
    assert list(listed["minutes_to_ignored"]) == sorted(oldest["minutes_to_ignored"])
    assert list(listed["conversation_id"]) != list(oldest["conversation_id"])
    asked = ["report", "worklist", "--store", demo_store_url, "--state", "waiting"]
    assert main([*asked, "--order", "time_left"]) == 0
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["conversation_id"] for row in printed] == list(listed["conversation_id"])
    assert main(["report", "backlog", "--store", demo_store_url, "--order", "oldest"]) == 2
    assert "--order goes with report worklist" in capsys.readouterr().err
