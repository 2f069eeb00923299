"""What is counted: states against a plain-Python reading, figures against the rows they open, and the audit."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from stored_rows import frame_of

from data_access.audit import check_numbers, check_store
from data_access.cli import main
from data_access.errors import FilterError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import DIMENSIONS, MEASURES, Selection, dimension, parse_cell, period_bounds
from data_access.queries.backlog import backlog
from data_access.queries.channel_mix import channel_mix
from data_access.queries.conversations import count_listed, count_rows, selected_rows
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.response_times import answer_curve, calls, reply_times, response_times
from data_access.queries.sentiment import sentiment
from data_access.reports import REPORT_DIMENSIONS
from data_access.schema import conversations, waits
from data_access.sources.mapping import mapping_of
from data_access.store import current_generation, open_reader, read_status, resolved
from data_access.vocabulary import RESPONSE_STATES
from pages.components import charts

BEGIN = dt.datetime(2025, 11, 3)
# The figure of each measure: the report, its column.
FIGURES = {
    "first_responses": (response_times, "conversation_count"),
    "answered": (response_times, "answered_count"),
    "unanswered": (response_times, "unanswered_count"),
    "answered_unknown_time": (response_times, "answered_unknown_time_count"),
    "target_due": (response_times, "target_due_count"),
    "in_target": (response_times, "in_target_count"),
    "closed_without_reply": (response_times, "closed_without_reply_count"),
    "waits": (reply_times, "wait_count"),
    "waits_answered": (reply_times, "answered_count"),
    "waits_unanswered": (reply_times, "unanswered_count"),
    "waits_answered_unknown_time": (reply_times, "answered_unknown_time_count"),
    "waits_target_due": (reply_times, "target_due_count"),
    "waits_in_target": (reply_times, "in_target_count"),
    "complaints": (ignored_complaints, "complaint_count"),
    **{f"complaints_{state}": (ignored_complaints, f"{state}_count") for state in RESPONSE_STATES},
    "complaints_due": (ignored_complaints, "due_count"),
    "complaints_ignored_in_time": (ignored_complaints, "ignored_in_time_count"),
    "open_waits": (backlog, "open_count"),
    "scored": (sentiment, "scored_count"),
    "not_scored": (sentiment, "not_scored_count"),
    "negative": (sentiment, "negative_count"),
    "neutral": (sentiment, "neutral_count"),
    "positive": (sentiment, "positive_count"),
    "calls_offered": (calls, "offered_count"),
    "calls_answered": (calls, "answered_count"),
    "calls_abandoned": (calls, "abandoned_count"),
}
SPLITS = (
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


@pytest.fixture(scope="module")
def demo(demo_store_url):
    engine = open_reader(demo_store_url)
    status = read_status(engine, demo_store_url)

    def _resolved(**fields: object) -> Filter:
        return resolved(Filter(**fields), status)

    return engine, _resolved


@pytest.fixture(scope="module")
def tiny(tiny_store_url):
    engine = open_reader(tiny_store_url)
    return engine, lambda **fields: resolved(Filter(**fields), read_status(engine, tiny_store_url))


def test_every_point_of_the_answer_curve_opens_what_was_answered_by_then(demo):
    engine, wanted_at = demo
    wanted = wanted_at()
    figure = charts.answer_curve_line(answer_curve(engine, wanted, ("channel",)), "channel")
    cells = [cell for trace in figure.data for cell in trace.customdata or () if trace.customdata is not None]
    rows = selected_rows(engine, Selection(wanted, "first_responses"))
    seconds = (rows["first_response_minutes"] * 60).round()
    assert len(cells) > 500
    for measure, within, channel in random.Random(1).sample([tuple(cell) for cell in cells], 40):
        point = round(float(within.removeprefix("within_minutes=")) * 60)
        by_then = int(((rows["channel"] == channel.removeprefix("channel=")) & (seconds <= point)).sum())
        assert by_then > 0
        assert count_rows(engine, Selection(wanted, measure, parse_cell([within, channel]))) == by_then


def test_every_part_of_a_bar_of_calls_opens_its_calls(demo):
    engine, wanted_at = demo
    wanted = wanted_at()
    figure = charts.calls_by_period_bar(calls(engine, wanted, ("period",), short_abandon_seconds=9), short=9)
    opened = dict.fromkeys((trace.name for trace in figure.data), 0)
    for trace in figure.data:
        for number, (measure, *cell) in zip(trace.y, trace.customdata, strict=True):
            assert count_rows(engine, Selection(wanted, measure, parse_cell(cell))) == number
            opened[trace.name] += number
    whole = calls(engine, wanted).iloc[0]
    assert sum(opened.values()) == whole["offered_count"]
    assert opened["Caller gave up"] + opened["Gave up at once"] == whole["abandoned_count"]


# --- states, read again in plain Python ------------------------------------------------------------------------------


def state_of(row: dict, as_of: dt.datetime, known_to: dt.datetime) -> str:
    """The definition of DESIGN section 2, for one complaint, without SQL."""
    clock = row["first_complaint_at"]
    if row["response_at"] is not None and row["response_at"] <= as_of:
        in_target = (row["response_at"] - clock).total_seconds() // 1 <= row["target_seconds"]
        return "answered_in_target" if in_target else "answered_late"
    if row["has_reported_answer"]:
        return "answered_unknown_time"
    limit = clock + dt.timedelta(seconds=row["ignored_after_seconds"])
    elsewhere = row["complaint_elsewhere_at"]
    if elsewhere is not None and elsewhere <= min(as_of, limit):
        return "answered_elsewhere"
    return "waiting" if limit > min(as_of, known_to) else "ignored"


def plain_waits(url: str) -> list[dict]:
    rows = frame_of(url, waits).to_dict("records")
    return [
        {
            name: None if value is None or value is pd.NaT or value != value else value  # noqa: PLR0124 - NaN
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.mark.parametrize("seed", range(6))
def test_states_and_ignored_shares_are_those_of_the_definition_read_in_plain_python(demo, demo_store_url, seed):
    engine, wanted_at = demo
    dice = random.Random(seed)
    as_of = BEGIN + dt.timedelta(seconds=dice.randrange(362 * 86400))
    wanted = wanted_at(as_of=as_of)
    known_to = dict(wanted.complete_to)
    rows = [
        row
        for row in _DEMO_WAITS.setdefault(demo_store_url, plain_waits(demo_store_url))
        if row["kind"] in ("customer_opened", "fragment")
        and row["first_complaint_at"] is not None
        and row["first_complaint_at"] <= as_of
    ]
    states = {
        (row["conversation_id"], row["wait_number"]): state_of(row, as_of, known_to[row["source"]]) for row in rows
    }
    shown = selected_rows(engine, Selection(wanted, "complaints"))
    found = dict(
        zip(zip(shown["conversation_id"], shown["wait_number"], strict=True), shown["response_state"], strict=True)
    )
    assert found == states
    due = ignored = 0
    for row in rows:
        limit = row["first_complaint_at"] + dt.timedelta(seconds=row["ignored_after_seconds"])
        if limit > min(as_of, known_to[row["source"]]):
            continue
        due += 1
        answers = [row["response_at"], row["complaint_elsewhere_at"]]
        in_time = any(answer is not None and answer <= min(limit, as_of) for answer in answers)
        ignored += not in_time and not row["has_reported_answer"]
    figure = ignored_complaints(engine, wanted).iloc[0]
    assert (figure["due_count"], figure["ignored_in_time_count"]) == (due, ignored)
    assert {name: figure[f"{name}_count"] for name in RESPONSE_STATES if figure[f"{name}_count"]} == Counter(
        states.values()
    )


_DEMO_WAITS: dict[str, list[dict]] = {}


def test_the_past_stays_what_it_was_when_the_moment_moves_on(demo):
    """Shares of a week that all could be judged are the same at any later moment."""
    engine, wanted_at = demo
    week = {"date_from": dt.date(2026, 2, 2), "date_to": dt.date(2026, 2, 8)}
    columns = ["complaint_count", "due_count", "ignored_in_time_count", "ignored_share"]
    seen = [
        ignored_complaints(engine, wanted_at(as_of=moment, **week)).iloc[0][columns].tolist()
        for moment in (dt.datetime(2026, 2, 17), dt.datetime(2026, 4, 1), dt.datetime(2026, 10, 31))
    ]
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] > 0


# --- every figure opens exactly its rows -----------------------------------------------------------------------------


FILTERS = [
    {},
    {"date_from": dt.date(2026, 6, 1), "date_to": dt.date(2026, 6, 30), "channels": ("email", "phone")},
    {"as_of": dt.datetime(2026, 3, 1, 12), "age_groups": ("18-24", "unknown"), "visibility": "public"},
    {"sentiments": ("negative",), "states": ("ignored", "waiting")},
    {"states": ("answered_late",), "teams": ("Digital care", "unknown"), "with_no_reply_needed": True},
    {"topics": ("nonsense",)},
    {"scope_teams": ("Reviews desk",)},
]


@pytest.mark.parametrize("fields", FILTERS, ids=range(len(FILTERS)))
def test_every_figure_is_the_number_of_rows_it_opens(demo, fields):
    engine, wanted_at = demo
    wanted = wanted_at(**fields)
    shown = {query: query(engine, wanted).iloc[0] for query in {query for query, _ in FIGURES.values()}}
    for name, (query, column) in FIGURES.items():
        assert count_rows(engine, Selection(wanted, name)) == shown[query][column], name
    assert all(finding.is_ok for finding in check_numbers(engine, wanted))


def test_every_measure_lists_as_many_rows_as_it_counts_and_each_row_once(tiny, demo):
    for engine, wanted_at in (tiny, demo):
        for name in MEASURES:
            selection = Selection(wanted_at(), name)
            rows = selected_rows(engine, selection)
            assert len(rows) == count_rows(engine, selection) == count_listed(engine, selection), name
            key = ["conversation_id", *(["wait_number"] if "wait_number" in rows else [])]
            assert not rows.duplicated(key).any(), name


@pytest.mark.parametrize("dimension", SPLITS)
def test_every_cell_of_every_figure_opens_exactly_its_rows_on_the_tiny_store(tiny, dimension):
    engine, wanted_at = tiny
    wanted = wanted_at(grain="day")
    frames = {query: query(engine, wanted, (dimension,)) for query in {query for query, _ in FIGURES.values()}}
    for name, (query, column) in FIGURES.items():
        for row in frames[query].to_dict("records"):
            value = str(row[dimension])
            cell = ((dimension, value[:10] if dimension == "period" else value),)
            assert count_rows(engine, Selection(wanted, name, cell)) == row[column], (name, value)


@pytest.mark.parametrize(
    ("dimension", "grain"), [("period", "day"), ("period", "month"), ("hour", "week"), ("agent", "week")]
)
def test_cells_of_local_time_and_of_agents_open_exactly_their_rows_on_the_demo(demo, dimension, grain):
    """The demo lies in London, with both nights on which the clock changes."""
    engine, wanted_at = demo
    wanted = wanted_at(grain=grain, date_from=dt.date(2026, 3, 22), date_to=dt.date(2026, 10, 31))
    dice = random.Random(grain)
    for name in ("first_responses", "complaints_ignored_in_time", "waits_answered"):
        query, column = FIGURES[name]
        rows = query(engine, wanted, (dimension,)).to_dict("records")
        nights = [
            row for row in rows if dimension == "period" and str(row["period"])[:10] in ("2026-03-29", "2026-10-25")
        ]
        for row in [*dice.sample(rows, min(6, len(rows))), *nights]:
            value = str(row[dimension])
            cell = ((dimension, value[:10] if dimension == "period" else value),)
            assert count_rows(engine, Selection(wanted, name, cell)) == row[column], (name, value)


def test_states_ages_and_points_of_the_curve_open_their_rows(demo):
    engine, wanted_at = demo
    wanted = wanted_at()
    whole = ignored_complaints(engine, wanted).iloc[0]
    for state in RESPONSE_STATES:
        assert count_rows(engine, Selection(wanted, "complaints", (("state", state),))) == whole[f"{state}_count"]
    for row in backlog(engine, wanted, ("age",)).to_dict("records"):
        assert count_rows(engine, Selection(wanted, "open_waits", (("age", row["age"]),))) == row["open_count"]
    times = response_times(engine, wanted).iloc[0]
    answered = [
        count_rows(engine, Selection(wanted, "answered_timed", (("within_minutes", str(minutes)),)))
        for minutes in (1, 60, 1440, 10**6)
    ]
    assert answered == sorted(answered)
    assert answered[-1] == times["answered_count"] - times["answered_unknown_time_count"]
    half = count_rows(
        engine, Selection(wanted, "answered_timed", (("within_minutes", str(times["median_minutes_answered"])),))
    )
    assert half / answered[-1] == pytest.approx(0.5, abs=0.01)


def test_the_cells_of_the_channel_mix_open_their_contacts(demo):
    engine, wanted_at = demo
    wanted = wanted_at()
    for row in channel_mix(engine, wanted).to_dict("records")[:12]:
        cell = (("age_group", row["age_group"]), ("channel", row["channel"]))
        rows = selected_rows(engine, Selection(wanted, "contacts", cell))
        assert (len(rows), rows["customer_id"].nunique()) == (row["conversation_count"], row["customer_count"])


def test_the_first_row_of_a_curve_has_everybody_at_risk_whose_time_can_be_known(demo):
    engine, wanted_at = demo
    curve = answer_curve(engine, wanted_at())
    assert curve["at_risk_count"].iloc[0] == response_times(engine, wanted_at()).iloc[0]["conversation_count"]


def test_rows_can_be_paged_without_losing_or_repeating_any(demo):
    engine, wanted_at = demo
    selection = Selection(wanted_at(channels=("chat",)), "first_responses")
    pages = [selected_rows(engine, selection, 100, start) for start in range(0, 3000, 100)]
    paged = pd.concat([page for page in pages if len(page)])["conversation_id"].tolist()
    assert paged == selected_rows(engine, selection)["conversation_id"].tolist()


def test_conversations_in_a_state_filter_are_those_that_show_the_state(demo):
    engine, wanted_at = demo
    everything = selected_rows(engine, Selection(wanted_at(), "all_conversations"))
    for state in RESPONSE_STATES:
        rows = selected_rows(engine, Selection(wanted_at(states=(state,)), "all_conversations"))
        assert set(rows["response_state"]) <= {state}
        assert len(rows) == (everything["response_state"] == state).sum()


# --- cells, names, scopes --------------------------------------------------------------------------------------------


def test_unknown_measures_cells_and_values_are_refused_by_name(tiny):
    engine, wanted_at = tiny
    for build in (
        lambda: Selection(wanted_at(), "nonsense"),
        lambda: Selection(wanted_at(), "waits", (("nonsense", "1"),)),
        lambda: parse_cell(["channel"]),
        lambda: count_rows(engine, Selection(wanted_at(), "waits", (("hour", "noon"),))),
        lambda: count_rows(engine, Selection(wanted_at(), "waits", (("period", "today"),))),
        lambda: count_rows(engine, Selection(wanted_at(), "first_responses", (("state", "ignored"),))),
        lambda: count_rows(engine, Selection(wanted_at(), "contacts", (("age", "over 7 days"),))),
    ):
        with pytest.raises(FilterError):
            build()


def test_a_value_that_looks_like_sql_is_a_value(tiny):
    engine, wanted_at = tiny
    assert count_rows(engine, Selection(wanted_at(), "waits", (("team", "x' OR '1'='1"),))) == 0
    assert count_rows(engine, Selection(wanted_at(teams=("x' OR '1'='1",)), "waits")) == 0


@pytest.mark.parametrize("cell", [("channel", "foo"), ("sentiment", "angry"), ("wait_band", "1 week")])
def test_a_cell_whose_value_cannot_be_is_refused_by_name(tiny, cell):
    _, wanted_at = tiny
    with pytest.raises(FilterError, match=f"unknown {cell[0]} '{cell[1]}'; known are"):
        Selection(wanted_at(), "first_responses", (cell,))
    assert Selection(wanted_at(), "first_responses", ((cell[0], "unknown" if cell[0] != "wait_band" else "nobody"),))


def test_every_measure_and_selection_says_itself_in_words(tiny):
    _, wanted_at = tiny
    for name, measure in MEASURES.items():
        assert measure.label
        assert Selection(wanted_at(), name, (("channel", "web_form"),)).sentence().endswith("channel: web form")
    assert "state" in DIMENSIONS


def test_what_a_refused_dimension_names_instead_can_be_taken(tiny):
    _, wanted_at = tiny
    for name, measure in MEASURES.items():
        with pytest.raises(FilterError, match=f"^{measure.label} cannot be split by 'nothing'; known are ") as refused:
            dimension("nothing", measure, wanted_at())
        known = str(refused.value).partition("; known are ")[2].split(", ")
        assert ("state" in known) == (measure.table is waits), name
        for taken in known:
            dimension(taken, measure, wanted_at())
            assert taken in REPORT_DIMENSIONS


@pytest.mark.parametrize(
    ("value", "grain", "bounds"),
    [
        ("2026-02-27", "day", (dt.date(2026, 2, 27), dt.date(2026, 2, 27))),
        ("2026-02-23", "week", (dt.date(2026, 2, 23), dt.date(2026, 3, 1))),
        ("2024-02-01", "month", (dt.date(2024, 2, 1), dt.date(2024, 2, 29))),
        ("2026-10-01", "quarter", (dt.date(2026, 10, 1), dt.date(2026, 12, 31))),
        ("2026-12-01", "month", (dt.date(2026, 12, 1), dt.date(2026, 12, 31))),
    ],
)
def test_a_period_has_a_first_and_a_last_local_day(value, grain, bounds):
    assert period_bounds(value, grain) == bounds


def test_a_scope_holds_for_every_measure(demo):
    engine, wanted_at = demo
    limited = wanted_at(scope_teams=("Reviews desk",))
    for name in MEASURES:
        rows = selected_rows(engine, Selection(limited, name))
        assert set(rows["channel"]) <= {"review"}, name
    assert selected_rows(engine, Selection(wanted_at(scope_teams=()), "all_conversations")).empty


# --- one number, several moments -------------------------------------------------------------------------------------


@pytest.fixture
def load_events(tmp_path: Path):
    """Load events of several sources into one store and open it."""
    header = "id,conversation,customer,direction,occurred_at,is_complaint,channel,topic,brand,needs_reply,outreach\n"
    columns = {name: name for name in header.strip().split(",")}

    def _load(rows: str, source: str = "desk") -> tuple:
        path = tmp_path / f"{source}.csv"
        path.write_text(header + rows)
        load(
            f"duckdb:///{tmp_path / 's'}",
            [LoadOrder(path, "csv", mapping_of({"source": source, "columns": columns}, "t"))],
        )
        engine = open_reader(f"duckdb:///{tmp_path / 's'}")
        status = read_status(engine, f"duckdb:///{tmp_path / 's'}")
        return engine, lambda **fields: resolved(Filter(**fields), status)

    return _load


def complaint_states(opened, **fields: object) -> dict[str, str]:
    engine, wanted_at = opened
    rows = selected_rows(engine, Selection(wanted_at(**fields), "complaints"))
    return dict(zip(rows["external_id"], rows["response_state"], strict=True))


ELSEWHERE = """\
1,tw,ann,inbound,2026-01-05T09:00:00Z,true,twitter,{topic},Acme,,
2,ph,ann,inbound,2026-01-05T08:00:00Z,false,phone,{other},{brand},,
3,ph,ann,outbound,{at},,phone,,{brand},,{outreach}
4,z,zoe,inbound,2026-02-01T00:00:00Z,false,email,,Acme,false,
"""


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "answered_elsewhere"),
        ({"other": "billing"}, "ignored"),  # about something else
        ({"other": ""}, "answered_elsewhere"),  # about something unknown
        ({"topic": "", "other": "billing"}, "answered_elsewhere"),
        ({"brand": "Bolt"}, "ignored"),  # by another brand
        ({"at": "2026-01-05T08:30:00Z"}, "ignored"),  # before the complaint
        ({"at": "2026-01-05T09:00:00Z"}, "ignored"),  # not after it
        ({"at": "2026-01-06T09:00:00Z"}, "answered_elsewhere"),  # in the last second of 24 hours
        ({"at": "2026-01-06T09:00:01Z"}, "ignored"),  # a second too late
    ],
)
def test_answered_elsewhere_wants_the_same_customer_brand_and_matter_in_time(load_events, changed, state):
    facts = {"topic": "outage", "other": "outage", "brand": "Acme", "at": "2026-01-05T10:00:00Z", "outreach": ""}
    assert complaint_states(load_events(ELSEWHERE.format(**{**facts, **changed})))["tw"] == state


def test_outreach_on_another_channel_is_no_answer(load_events):
    rows = """\
1,tw,ann,inbound,2026-01-05T09:00:00Z,true,twitter,outage,Acme,,
3,ph,ann,outbound,2026-01-05T10:00:00Z,,phone,outage,Acme,,true
4,z,zoe,inbound,2026-02-01T00:00:00Z,false,email,,Acme,false,
"""
    assert complaint_states(load_events(rows))["tw"] == "ignored"


def test_an_answer_elsewhere_does_not_hide_a_later_answer_here(load_events):
    rows = ELSEWHERE.format(topic="", other="", brand="Acme", at="2026-01-05T10:00:00Z", outreach="")
    opened = load_events(rows + "5,tw,ann,outbound,2026-01-07T09:00:00Z,,twitter,,Acme,,\n")
    assert complaint_states(opened, as_of=dt.datetime(2026, 1, 6))["tw"] == "answered_elsewhere"
    assert complaint_states(opened)["tw"] == "answered_late"
    # It was answered in time, only elsewhere: the fixed horizon says so for ever.
    assert ignored_complaints(opened[0], opened[1]()).iloc[0]["ignored_in_time_count"] == 0


def test_each_source_is_judged_only_up_to_where_it_is_complete(load_events):
    load_events("1,a,ann,inbound,2026-01-01T10:00:00Z,true,email,,,,\n", "stalled")
    opened = load_events("1,b,ben,inbound,2026-02-01T10:00:00Z,true,email,,,,\n", "alive")
    assert complaint_states(opened) == {"a": "waiting", "b": "waiting"}
    engine, wanted_at = opened
    assert response_times(engine, wanted_at()).iloc[0]["target_due_count"] == 0
    assert backlog(engine, wanted_at()).iloc[0]["oldest_minutes"] == 0
    assert len(answer_curve(engine, wanted_at())) == 0


# --- the audit -------------------------------------------------------------------------------------------------------

PLANTED = {
    "a wait stored twice": "INSERT INTO waits SELECT * FROM waits LIMIT 1",
    "a conversation stored twice": "INSERT INTO conversations SELECT * FROM conversations LIMIT 1",
    "a wait without its conversation": "DELETE FROM conversations WHERE external_id = 'c1'",
    "a response before its question": "UPDATE waits SET response_at = started_at - INTERVAL 1 HOUR",
    "a response that nobody wrote": "UPDATE waits SET response_at = response_at + INTERVAL 1 DAY,"
    " response_seconds = response_seconds + 86400 WHERE wait_number = 2",
    "a source of which nobody knows how far it goes": "DELETE FROM source_status",
    "a wait that is missing": "DELETE FROM waits WHERE wait_number = 2",
    "a first response that its wait does not know": "UPDATE conversations SET first_response_at = NULL",
    "a wrong number of seconds": "UPDATE waits SET response_seconds = response_seconds + 60",
    "an event that is missing": "DELETE FROM interactions WHERE external_id = '4'",
    "an event stored twice": "INSERT INTO interactions SELECT * FROM interactions LIMIT 1",
    "a fact without its conversation": "INSERT INTO reported_facts "
    "(customer_id, conversation_id, interaction_id, source) VALUES ('c', 'v', 'i', 's')",
    "a kind that does not exist": "UPDATE conversations SET kind = 'odd' WHERE external_id = 'c1'",
    "a wait of another channel than its conversation": "UPDATE waits SET channel = 'letter' WHERE wait_number = 2",
    "an event under another customer": "UPDATE event_keys SET customer_id = 'cnobody'",
    "an identity with two customers": "INSERT INTO customer_identities SELECT 'cnobody', identity_kind,"
    " identity_value, origin, reason FROM customer_identities LIMIT 1",
    "evidence under another customer": "UPDATE stated_identities SET customer_id = 'cnobody'",
    "a load that does not add up": "UPDATE load_runs SET stored_count = stored_count + 1",
}


@pytest.mark.parametrize("error", PLANTED)
def test_the_audit_catches_planted_errors(tiny_store_url, tmp_path, error):
    shutil.copytree(tiny_store_url.removeprefix("duckdb:///"), tmp_path / "copy")
    url = f"duckdb:///{tmp_path / 'copy'}"
    engine = create_engine(f"duckdb:///{current_generation(tmp_path / 'copy')}")
    with engine.begin() as connection:
        connection.execute(text(PLANTED[error]))
    engine.dispose()
    assert [finding for finding in check_store(open_reader(url)) if not finding.is_ok]
    assert main(["check", "--numbers", "--store", url]) == 1


def test_the_audit_finds_nothing_in_sound_stores(tiny_store_url, empty_store_url, demo_store_url, opened):
    for url in (tiny_store_url, empty_store_url, demo_store_url):
        engine, wanted = opened(url)
        assert [f for f in (*check_store(engine), *check_numbers(engine, wanted)) if not f.is_ok] == []
    assert len(frame_of(tiny_store_url, conversations)) == 10


@pytest.mark.parametrize("measure", ["open_waits", "waits", "complaints"])
def test_a_listed_wait_tells_what_it_says_itself_not_what_its_conversation_does(demo_store_url, measure):
    """Of 3,000 open waits of the demo store 900 named who had answered another wait of the same conversation."""
    engine = open_reader(demo_store_url)
    wanted = resolved(Filter(), read_status(engine, demo_store_url))
    shown = selected_rows(engine, Selection(wanted, measure))
    own = {(row["conversation_id"], row["wait_number"]): row for row in plain_waits(demo_store_url)}
    assert len(shown) > 100
    answered = complaints = 0
    for row in shown.to_dict("records"):
        wait = own[row["conversation_id"], row["wait_number"]]
        is_answered = wait["response_at"] is not None and wait["response_at"] <= wanted.now
        is_complaint = wait["first_complaint_at"] is not None and wait["first_complaint_at"] <= wanted.now
        answered, complaints = answered + is_answered, complaints + is_complaint
        told = {name: None if pd.isna(row[name]) else row[name] for name in ("responder_agent", "team", "topic")}
        assert told == {
            "responder_agent": wait["responder_agent"] if is_answered else None,
            "team": wait["team"],
            "topic": wait["topic"],
        }
        assert (row["is_complaint"], pd.isna(row["response_at"])) == (is_complaint, not is_answered)
    assert answered or measure == "open_waits"
    if measure == "open_waits":
        assert not shown["is_answered"].any()
        assert complaints == shown["is_complaint"].sum() == backlog(engine, wanted).iloc[0]["complaint_count"]
