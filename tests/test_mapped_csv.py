"""Any CSV through a mapping: messages, tickets and calls, their times, values, corrections and rejects."""

from __future__ import annotations

import csv
import json
import random
import re
import statistics
import tomllib
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from conftest import TIMES
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from stored_rows import differing, frame_of, rows_of

from data_access import loader
from data_access.cli import main
from data_access.errors import MappingError, SourceError
from data_access.filters import Filter
from data_access.loader import LoadOrder, LoadResult, load
from data_access.reports import run_report
from data_access.schema import conversations, customers, interactions, rejected_rows, reported_facts, waits
from data_access.sources import blocks
from data_access.sources.mapped import _Rows
from data_access.sources.mapping import FIELDS, mapping_of, read_mapping
from data_access.store import open_reader, read_status, resolved

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def load_text(tmp_path: Path):
    """Load one more file of text through a mapping; fields are mapped to columns of the same name."""
    count = 0

    def _load(
        text: str, *, grain: str = "interaction", store: str = "store", encoding: str | None = None, **mapping: object
    ) -> LoadResult:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.csv"
        path.write_bytes(text.encode(encoding or "utf-8"))
        names = [name for name in text.splitlines()[0].split(",") if name in FIELDS[grain]]
        raw = {"source": "desk", "grain": grain, "columns": {name: name for name in names}, **mapping}
        return load(f"duckdb:///{tmp_path / store}", [LoadOrder(path, "csv", mapping_of(raw, "map"), encoding)])

    _load.url = f"duckdb:///{tmp_path / 'store'}"
    _load.path = tmp_path
    return _load


def reasons(url: str) -> list[str]:
    return frame_of(url, rejected_rows).sort_values("line")["reason"].tolist()


def report(url: str, name: str, by: tuple[str, ...] = (), **fields: object) -> pd.DataFrame:
    engine = open_reader(url)
    return run_report(engine, name, resolved(Filter(**fields), read_status(engine, url)), by)


def occurred(url: str) -> dict[str, str]:
    events = frame_of(url, interactions)
    return {row.external_id: str(row.occurred_at) for row in events.itertuples()}


# --- the tickets of a help desk (real shape, invented names) ------------------------------------------------------


@pytest.fixture(scope="session")
def tickets(shared_data: Path) -> list[dict[str, str]]:
    path = shared_data / "helpdesk_formats" / "zendesk_ticket_metrics" / "dunder_mifflin_tickets.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def tickets_url(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Loaded with the very mapping that docs/loading.md prints."""
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / "loading.md").read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if 'source = "zendesk"' in block]
    path = shared_data / "helpdesk_formats" / "zendesk_ticket_metrics" / "dunder_mifflin_tickets.csv"
    url = f"duckdb:///{tmp_path_factory.mktemp('zendesk') / 'store'}"
    result = load(url, [LoadOrder(path, "csv", mapping_of(tomllib.loads(block), "docs"))])
    assert (result.read_count, result.stored_count, result.rejected_count) == (5849, 5849, 0)
    return url


@pytest.mark.real_data
def test_the_553_tickets_without_a_first_reply_are_unanswered(tickets, tickets_url):
    silent = [row for row in tickets if not row["first_reply_time_calendar_minutes"]]
    assert len(silent) == 553
    row = report(tickets_url, "response_times").iloc[0]
    assert row["conversation_count"] == 5849
    assert row["unanswered_count"] == 553
    assert row["answered_unknown_time_count"] == 0
    rows = report(tickets_url, "conversations")
    assert set(rows[~rows["is_answered"]]["external_id"]) == {row["ticket_id"] for row in silent}


@pytest.mark.real_data
def test_tickets_closed_without_a_reply_are_unanswered_and_said_so_by_name(tickets, tickets_url):
    silent = [row for row in tickets if not row["first_reply_time_calendar_minutes"]]
    by_status = Counter(row["status"] for row in silent)
    assert by_status["closed"] == 307
    assert by_status["solved"] == 54
    # One was solved and is open again: its status counts.
    assert [row["status"] for row in silent if row["first_solved_at"] and row["ticket_id"] == "157392"] == ["open"]
    closed = {row["ticket_id"] for row in silent if row["status"] in ("closed", "solved")}
    assert report(tickets_url, "response_times").iloc[0]["closed_without_reply_count"] == len(closed) == 361
    rows = report(tickets_url, "conversations")
    named = rows[rows["is_closed_without_reply"]]
    assert set(named["external_id"]) == closed
    assert (named["status"] == "closed").sum() == 307
    assert not named["is_answered"].any()


@pytest.mark.real_data
def test_first_reply_times_are_those_of_the_file(tickets, tickets_url):
    minutes = [
        float(r["first_reply_time_calendar_minutes"]) for r in tickets if r["first_reply_time_calendar_minutes"]
    ]
    row = report(tickets_url, "response_times").iloc[0]
    assert row["answered_count"] == len(minutes) == 5296
    assert row["median_minutes_answered"] == pytest.approx(statistics.median(minutes), abs=0.01)
    # Silence counted, the median is later: half of 5,849 are answered only then.
    assert row["median_minutes_all"] == pytest.approx(sorted(minutes)[5849 // 2], rel=0.01)


@pytest.mark.real_data
def test_agents_teams_and_channels_are_those_of_the_file(tickets, tickets_url):
    channels = report(tickets_url, "response_times", ("channel",)).set_index("channel")["conversation_count"].to_dict()
    assert channels == {"web_form": 4655, "other": 943, "email": 251}
    teams = report(tickets_url, "response_times", ("team",)).set_index("team")["unanswered_count"].to_dict()
    silent = Counter(
        row["ticket_group"] or "unknown" for row in tickets if not row["first_reply_time_calendar_minutes"]
    )
    assert {team: count for team, count in teams.items() if count} == silent
    agents = report(tickets_url, "response_times", ("agent",)).set_index("agent")["conversation_count"].to_dict()
    named = Counter(row["assignee_name"] or "unknown" for row in tickets if row["first_reply_time_calendar_minutes"])
    assert agents == {**named, "nobody": 553}


@pytest.mark.real_data
def test_resolution_is_known_where_the_file_knows_it(tickets, tickets_url):
    row = report(tickets_url, "resolution_times").iloc[0]
    assert row["conversation_count"] == 5849
    assert row["resolved_count"] == sum(bool(r["first_solved_at"]) for r in tickets) == 4531
    assert (report(tickets_url, "sources")["has_response_times"]).all()


# --- one row per message --------------------------------------------------------------------------------------------


def test_messages_of_a_conversation_make_its_waits(load_text):
    load_text(
        "id,conversation,customer,channel,direction,agent,team,brand,occurred_at,text\n"
        "1,t1,anna,email,inbound,,Mail,Acme,2025-05-05T09:00:00Z,Where is it?\n"
        "2,t1,anna,email,outbound,Bo,Mail,Acme,2025-05-05T09:30:00Z,On its way\n"
        "3,t1,anna,email,inbound,,Mail,Acme,2025-05-06T09:00:00Z,Still not here!\n"
    )
    rows = frame_of(load_text.url, waits).sort_values("wait_number")
    assert rows["response_seconds"].fillna(-1).tolist() == [1800, -1]
    assert rows["responder_agent"].fillna("").tolist() == ["Bo", ""]
    assert frame_of(load_text.url, conversations)["responder_agent"].tolist() == ["Bo"]


def test_without_a_direction_the_author_decides_and_without_both_it_is_the_customer(load_text):
    load_text(
        "id,channel,author_kind,occurred_at\n"
        "1,email,customer,2025-05-05T09:00:00Z\n2,email,agent,2025-05-05T09:00:00Z\n"
        "3,email,bot,2025-05-05T09:00:00Z\n4,email,system,2025-05-05T09:00:00Z\n5,email,,2025-05-05T09:00:00Z\n"
    )
    events = frame_of(load_text.url, interactions).set_index("external_id")["direction"].to_dict()
    assert events == {"1": "inbound", "2": "outbound", "3": "outbound", "4": "outbound", "5": "inbound"}


def test_bots_acknowledgements_and_notes_are_never_a_response(load_text):
    load_text(
        "id,conversation,channel,author_kind,is_internal,occurred_at\n"
        "1,c,chat,customer,,2025-05-05T09:00:00Z\n2,c,chat,bot,,2025-05-05T09:00:00Z\n"
        "3,c,chat,system,,2025-05-05T09:00:10Z\n4,c,chat,agent,true,2025-05-05T09:00:20Z\n"
        "5,c,chat,agent,no,2025-05-05T09:04:00Z\n"
    )
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert row.first_response_seconds == 240
    assert str(row.first_bot_response_at) == "2025-05-05 09:00:00"
    assert row.outbound_count == 1


def test_two_agents_who_answer_one_question_end_one_wait(load_text):
    load_text(
        "id,conversation,channel,direction,agent,occurred_at\n1,c,email,inbound,,2025-05-05T09:00:00Z\n"
        "2,c,email,outbound,Bo,2025-05-05T10:00:00Z\n3,c,email,outbound,Cy,2025-05-05T10:05:00Z\n"
    )
    (row,) = frame_of(load_text.url, waits).itertuples()
    assert (row.responder_agent, row.response_seconds) == ("Bo", 3600)


def test_a_conversation_revived_after_a_month_stays_one_with_a_wait_of_its_own(load_text):
    load_text(
        "id,conversation,channel,direction,occurred_at\n1,c,email,inbound,2025-05-05T09:00:00Z\n"
        "2,c,email,outbound,2025-05-05T10:00:00Z\n3,c,email,inbound,2025-06-20T10:00:00Z\n"
    )
    assert frame_of(load_text.url, conversations)["wait_count"].tolist() == [2]


def test_outreach_is_marked_by_the_source_or_told_by_who_speaks_first(load_text):
    load_text(
        "id,conversation,customer,channel,direction,outreach,occurred_at\n"
        "1,a,x,email,outbound,,2025-05-05T09:00:00Z\n2,a,x,email,inbound,,2025-05-05T10:00:00Z\n"
        "3,b,y,email,outbound,true,2025-05-05T09:00:00Z\n4,c,z,email,inbound,,2025-05-05T09:00:00Z\n"
    )
    rows = frame_of(load_text.url, conversations).set_index("external_id")["kind"].to_dict()
    assert rows == {"a": "outreach", "b": "outreach", "c": "customer_opened"}


def test_what_the_source_supplies_is_kept_and_the_rest_is_read_from_the_text(load_text):
    load_text(
        "id,channel,occurred_at,text,sentiment_label,sentiment_score,is_complaint,needs_reply,topic,blamed_channel\n"
        "1,email,2025-05-05T09:00:00Z,You are wonderful,negative,,true,,My Topic,phone\n"
        "2,email,2025-05-05T09:00:00Z,I am very angry about this terrible service,,0.5,false,false,,\n"
        "3,email,2025-05-05T09:00:00Z,I am very angry about this terrible service,,,,,,\n"
    )
    events = frame_of(load_text.url, interactions).set_index("external_id")
    assert tuple(events.loc["1", ["sentiment_label", "topic", "blamed_channel"]]) == ("negative", "my_topic", "phone")
    assert events.loc["1", "sentiment_score"] == -1.0
    assert events["is_complaint"].tolist() == [True, False, True]
    assert tuple(events.loc["2", ["sentiment_label", "sentiment_scorer"]]) == ("positive", "supplied")
    assert not events.loc["2", "needs_reply"]
    assert events.loc["3", "sentiment_label"] == "negative"
    assert events.loc["3", "sentiment_scorer"].startswith("lexlinear-en/")


# --- values, constants, translations ------------------------------------------------------------------------------


def test_constants_stand_for_columns_and_fill_empty_cells(load_text):
    load_text(
        "id,occurred_at,team\n1,2025-05-05T09:00:00Z,\n2,2025-05-05T09:00:00Z,Web\n",
        constants={"channel": "email", "brand": "Acme", "team": "Mail"},
    )
    events = frame_of(load_text.url, interactions).set_index("external_id")
    assert events["team"].to_dict() == {"1": "Mail", "2": "Web"}
    assert set(events["brand"]) == {"Acme"}
    assert set(events["channel"]) == {"email"}


def test_values_are_translated_and_others_taken_as_they_are(load_text):
    load_text(
        "id,channel,direction,occurred_at\n1,Mobile,I,2025-05-05T09:00:00Z\n2,Web Form,o,2025-05-05T09:00:00Z\n"
        "3,EMAIL,inbound,2025-05-05T09:00:00Z\n",
        values={"channel": {"Mobile": "chat"}, "direction": {"I": "inbound", "o": "outbound"}},
    )
    events = frame_of(load_text.url, interactions).set_index("external_id")
    assert events["channel"].to_dict() == {"1": "chat", "2": "web_form", "3": "email"}
    assert events["direction"].to_dict() == {"1": "inbound", "2": "outbound", "3": "inbound"}


def test_an_unknown_channel_is_named_with_the_known_ones_and_the_way_to_translate_it(load_text):
    result = load_text("id,channel,occurred_at\n1,Fax,2025-05-05T09:00:00Z\n2,email,2025-05-05T09:00:00Z\n")
    assert (result.stored_count, result.rejected_count) == (1, 1)
    (reason,) = reasons(load_text.url)
    assert "unknown channel 'Fax'" in reason
    assert "web_form" in reason
    assert "[values.channel]" in reason


WRONG_FIELDS = (
    "is_complaint",
    "sentiment_label",
    "sentiment_score",
    "audience",
    "direction",
    "author_kind",
)
WRONG_ROWS = [
    (",email,2025-05-05T09:00:00Z", {}, "id is empty"),
    ("1,,2025-05-05T09:00:00Z", {}, "channel is empty"),
    ("1,email,", {}, "occurred_at is empty"),
    ("1,email,2025-02-30T09:00:00Z", {}, "not a possible time"),
    ("1,email,yesterday", {}, "not a possible time"),
    ("1,email,2099-01-01T00:00:00Z", {}, "in the future"),
    ("1,email,1066-10-14T00:00:00Z", {}, "before 1900"),
    ("1,email,9999-12-31T23:59:59-10:00", {}, "not a possible time"),
    ("1,email,2025-05-05T09:00:00Z", {"is_complaint": "perhaps"}, "is_complaint is 'perhaps', not true or false"),
    ("1,email,2025-05-05T09:00:00Z", {"sentiment_label": "angry"}, "unknown sentiment_label 'angry'"),
    ("1,email,2025-05-05T09:00:00Z", {"sentiment_score": "7"}, "sentiment_score is '7', not between -1 and 1"),
    ("1,email,2025-05-05T09:00:00Z", {"sentiment_score": "good"}, "sentiment_score is 'good', not a number"),
    ("1,email,2025-05-05T09:00:00Z", {"audience": "-1"}, "audience is '-1', below zero"),
    ("1,email,2025-05-05T09:00:00Z", {"audience": "1e300"}, "audience is '1e300', over"),
    ("1,email,2025-05-05T09:00:00Z", {"audience": "inf"}, "audience is 'inf', not a number"),
    ("1,email,2025-05-05T09:00:00Z", {"direction": "inbound", "author_kind": "agent"}, "contradict"),
    ("1,email,2025-05-05T09:00:00Z", {"direction": "sideways"}, "unknown direction 'sideways'"),
    ("1,email,2025-05-05T09:00:00Z", {"author_kind": "customer,too,many"}, "11 fields instead of 9"),
]


def test_a_bad_row_is_rejected_by_name_with_its_line_and_raw_text(load_text):
    good = "email,2025-05-05T09:00:00Z" + "," * len(WRONG_FIELDS)
    rows = [",".join([row, *(fields.get(name, "") for name in WRONG_FIELDS)]) + "\n" for row, fields, _ in WRONG_ROWS]
    header = f"id,channel,occurred_at,{','.join(WRONG_FIELDS)}\n"
    result = load_text(f"{header}8,{good}\n{''.join(rows)}9,{good}\n")
    assert (result.stored_count, result.rejected_count) == (2, len(rows))
    rejected = {reject.line: reject for reject in frame_of(load_text.url, rejected_rows).itertuples()}
    for line, (row, (_, _, named)) in enumerate(zip(rows, WRONG_ROWS, strict=True), 3):
        assert named in rejected[line].reason
        assert (rejected[line].file, rejected[line].raw) == ("1.csv", row)


def test_a_line_cut_short_is_rejected_by_name(load_text):
    result = load_text(
        "id,channel,occurred_at,text\n1,email,2025-05-05T09:00:00Z\n2,email,2025-05-05T09:00:00Z,a\n3,em"
    )
    assert (result.read_count, result.stored_count, result.rejected_count) == (3, 1, 2)
    first, last = reasons(load_text.url)
    assert first.startswith("3 fields instead of 4: the line is cut short, or a line end inside a text is not quoted")
    assert 'short_rows = "fill"' in first
    assert last == "2 fields instead of 4: the line is cut short"


def test_short_rows_load_where_the_mapping_says_so_but_never_a_last_line_without_its_end(load_text):
    text = "id,channel,occurred_at,text\n1,email,2025-05-05T09:00:00Z\n2,email,2025-05-05T09:00:00Z"
    result = load_text(text, short_rows="fill")
    assert (result.stored_count, result.rejected_count) == (1, 1)
    assert reasons(load_text.url) == ["3 fields instead of 4: the line is cut short"]
    with pytest.raises(MappingError, match="short_rows must be reject or fill"):
        load_text(text, short_rows="perhaps")


REPLIES = "id,conversation,channel,direction,reply_to,occurred_at\n"


def test_a_reply_dated_before_its_question_is_an_answer_at_an_unknown_time(load_text):
    result = load_text(
        REPLIES + "1,c,email,inbound,,2025-05-05T09:00:00Z\n2,c,email,outbound,1,2025-05-05T08:59:59Z\n"
        "3,d,email,inbound,,2025-05-05T09:00:00Z\n4,d,email,outbound,3,2025-05-05T09:00:00Z\n"
    )
    assert (result.stored_count, result.rejected_count) == (4, 0)
    assert (
        "1 × a reply dated before what it answers (2 in line 3 of 1.csv before 1 in line 2 of 1.csv)"
        in result.notes[0]
    )
    rows = frame_of(load_text.url, conversations).set_index("external_id")
    assert rows["kind"].tolist() == ["customer_opened"] * 2  # the misdated answer does not open the conversation
    assert rows["has_reported_answer"].to_dict() == {"c": True, "d": False}
    assert rows["first_response_seconds"].fillna(-1).to_dict() == {"c": -1, "d": 0}
    row = report(load_text.url, "response_times").iloc[0]
    assert (row["answered_count"], row["answered_unknown_time_count"]) == (2, 1)


def test_a_misdated_reply_of_a_bot_or_in_a_note_is_no_answer(load_text):
    load_text(
        "id,conversation,channel,author_kind,is_internal,reply_to,occurred_at\n"
        "1,c,chat,customer,,,2025-05-05T09:00:00Z\n2,c,chat,bot,,1,2025-05-05T08:00:00Z\n"
        "3,c,chat,agent,true,1,2025-05-05T08:00:00Z\n"
    )
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert (row.has_reported_answer, row.kind) == (False, "customer_opened")


def test_what_a_customer_says_stays_though_it_is_dated_before_what_it_answers(load_text):
    result = load_text(
        REPLIES + "1,c,email,outbound,,2025-05-05T09:00:00Z\n2,c,email,inbound,1,2025-05-05T08:00:00Z\n"
    )
    assert result.notes == []
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert (row.kind, row.first_response_seconds) == ("customer_opened", 3600)


def test_replies_before_questions_are_found_across_batches(load_text, monkeypatch):
    batches = []
    make_ready = loader._make_ready
    monkeypatch.setattr(
        loader, "_make_ready", lambda batch, *rest: (batches.append(batch), make_ready(batch, *rest))[1]
    )
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 60)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 1)
    load_text(
        REPLIES + "1,c,email,inbound,,2025-05-05T09:00:00Z\n3,c,email,inbound,,2025-05-05T09:30:00Z\n"
        "2,c,email,outbound,1,2025-05-05T08:59:59Z\n"
    )
    assert sum(batch.read_count > 0 for batch in batches) > 1
    assert frame_of(load_text.url, conversations)["has_reported_answer"].tolist() == [True]


@hypothesis_settings(max_examples=4 * TIMES, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6), grain=st.sampled_from(["interaction", "conversation"]))
def test_rows_split_over_files_in_any_order_give_the_rows_of_one_load(tmp_path_factory, seed, grain):
    """Also with replies dated before their questions, and several tickets in one conversation."""
    folder, dice = tmp_path_factory.mktemp("split"), random.Random(seed)
    at = "2025-05-05T09:0{}:00Z"
    if grain == "interaction":
        header = ["id", "conversation", "channel", "author_kind", "reply_to", "occurred_at"]
        rows = [
            [
                name,
                dice.choice("ab"),
                "email",
                dice.choice(["customer", "agent", "bot"]),
                dice.choice(["", *range(1, 13)]),
                at.format(dice.randrange(6)),
            ]
            for name in range(1, 13)
        ]
    else:
        header = ["id", "conversation", "channel", "status", "is_answered", "opened_at", "first_response_at"]
        rows = []
        for name in range(1, 13):
            opened = dice.randrange(5)
            answered = dice.choice(["", at.format(opened + dice.randrange(4))])
            rows.append([name, dice.choice("abc"), "email", dice.choice(["", "Open", "closed"])])
            rows[-1] += ["true" if answered else dice.choice(["", "true"]), at.format(opened), answered]
    mapping = mapping_of({"source": "desk", "grain": grain, "columns": {name: name for name in header}}, "t")

    def store(rows: list[list[object]], name: str) -> LoadResult:
        path = folder / f"{dice.random()}.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return load(f"duckdb:///{folder / name}", [LoadOrder(path, "csv", mapping)])

    assert store(rows, "whole").stored_count == 12
    dice.shuffle(rows)
    cut = dice.randrange(1, 12)
    for part in (rows[:cut], rows[cut:], rows[:3]):
        result = store(part, "split")
        assert result.read_count == result.stored_count + result.unchanged_count + result.rejected_count == len(part)
    tables = (waits, conversations, interactions, reported_facts)
    one, other = (rows_of(f"duckdb:///{folder / name}", *tables) for name in ("whole", "split"))
    assert differing(one, other) == []


# --- times ----------------------------------------------------------------------------------------------------------


def test_times_with_an_offset_are_exact_and_those_without_are_local(load_text):
    load_text(
        "id,channel,occurred_at\n1,email,2025-07-01T12:00:00Z\n2,email,2025-07-01T12:00:00+05:30\n"
        "3,email,2025-07-01T12:00:00\n4,email,2025-07-01 12:00:00\n5,email,2025-01-01 12:00\n6,email,2025-07-01\n",
        time={"zone": "Europe/London"},
    )
    assert occurred(load_text.url) == {
        "1": "2025-07-01 12:00:00",
        "2": "2025-07-01 06:30:00",
        "3": "2025-07-01 11:00:00",
        "4": "2025-07-01 11:00:00",
        "5": "2025-01-01 12:00:00",
        "6": "2025-06-30 23:00:00",
    }


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2025-07-01T12:00:00z", "2025-07-01 12:00:00"),
        ("2025-07-01t12:00:00Z", "2025-07-01 12:00:00"),
        ("2025-07-01T12:00:00+05", "2025-07-01 07:00:00"),
        ("2025-07-01T12:00:00.5+05", "2025-07-01 07:00:00.500000"),
        ("2025-07-01T12:00:00-0530", "2025-07-01 17:30:00"),
        ("2025-07-01T12:00:00 +05:30", "2025-07-01 06:30:00"),
        ("2025-07-01T12:00:00-5", "2025-07-01 17:00:00"),
        ("2025-07-01T12+05", "2025-07-01 07:00:00"),
        ("2025-07-01T12Z", "2025-07-01 12:00:00"),
        ("20250701T120000+0530", "2025-07-01 06:30:00"),
        ("20250701T1200-05", "2025-07-01 17:00:00"),
        ("2025-07-01T12:00", "2025-07-01 11:00:00"),
        ("2025-07-01 12", "2025-07-01 11:00:00"),
        ("2025-07-01", "2025-06-30 23:00:00"),
        ("20250701", "2025-06-30 23:00:00"),
    ],
)
@pytest.mark.parametrize("other", ["2025-01-01T12:00:00+14:00", "2025-01-01 12:00"])
def test_each_time_is_read_by_its_own_offset_whatever_its_neighbours_have(given, utc, other):
    assert _moments([given, other], zone="Europe/London")[0] == pd.Timestamp(utc)
    assert _moments([other, given, "x"], zone="Europe/London")[1:] == [pd.Timestamp(utc), None]


@pytest.mark.parametrize(
    "given",
    [
        *("now", "today", "nan", "2025-07-01T12:00:00+99:99", "2025-07-01T24:00:01", "2025-07-01Z", "1.7e9", "-5"),
        *("2025", "2025-07", "2025 07", "2025-07 09:00", "2025 07 09:00"),
    ],
)
def test_words_and_impossible_times_are_no_times(given):
    assert _moments([given, "2025-07-01T12:00:00+05"]) == [None, pd.Timestamp("2025-07-01 07:00")]


def test_a_format_with_offsets_or_zone_names_reads_several_in_one_column():
    form = "%d.%m.%Y %H:%M %z"
    given = ["01.07.2025 12:00 +0200", "01.07.2025 12:00 -05:00", "01.07.2025 12:00"]
    assert _moments(given, form) == [pd.Timestamp("2025-07-01 10:00"), pd.Timestamp("2025-07-01 17:00"), None]
    assert _moments(["01.07.2025 UTC", "01.07.2025 ?"], "%d.%m.%Y %Z") == [pd.Timestamp("2025-07-01"), None]


@given(
    texts=st.lists(
        st.one_of(
            st.text(max_size=12),
            st.from_regex(r"\A20\d\d-?[01]\d-?[0-3]\d[T t][012]\d:?[0-5]\d([zZ]|[+-]\d\d?(:?\d\d)?)?\Z"),
        ),
        min_size=1,
        max_size=5,
    ),
    zone=st.sampled_from(["UTC", "Europe/London", "Asia/Kathmandu"]),
)
def test_no_column_of_times_raises_and_no_time_depends_on_its_neighbours(texts, zone):
    assert _moments(texts, zone=zone) == [_moments([text], zone=zone)[0] for text in texts]


def _moments(texts: list[str], form: str | None = None, zone: str = "UTC") -> list[pd.Timestamp | None]:
    """Times as the adapter reads a column of them."""
    raw = {"source": "x", "columns": {n: n for n in ("id", "occurred_at")}, "constants": {"channel": "email"}}
    mapping = mapping_of({**raw, "time": {"zone": zone, **({"format": form} if form else {})}}, "t")
    rows = _Rows({"occurred_at": pa.array(texts, pa.string())}, len(texts), mapping)
    return [None if moment is None else pd.Timestamp(moment) for moment in rows.time("occurred_at").to_pylist()]


def test_on_dst_nights_the_hour_that_comes_twice_is_its_first_coming_and_the_one_that_never_comes_is_rejected(
    load_text,
):
    result = load_text(
        "id,channel,occurred_at\n1,email,2025-10-26T00:59:59\n2,email,2025-10-26T01:30:00\n"
        "3,email,2025-10-26T02:00:00\n4,email,2025-03-30T00:59:59\n5,email,2025-03-30T01:30:00\n"
        "6,email,2025-03-30T02:00:00\n",
        time={"zone": "Europe/London"},
    )
    assert occurred(load_text.url) == {
        "1": "2025-10-25 23:59:59",
        "2": "2025-10-26 00:30:00",
        "3": "2025-10-26 02:00:00",
        "4": "2025-03-30 00:59:59",
        "6": "2025-03-30 01:00:00",
    }
    assert result.rejected_count == 1
    (reason,) = reasons(load_text.url)
    assert reason.endswith("'2025-03-30T01:30:00', a time that never comes in Europe/London: the clock leaps over it")


@pytest.mark.parametrize("form", [None, "%Y-%m-%d %H:%M"])
def test_a_time_that_is_wrong_in_any_zone_is_not_called_one_that_the_clock_leaps_over(load_text, form):
    rows = "id,channel,occurred_at\n1,email,2025-03-30 01:30\n2,email,2025-02-30 01:30\n3,email,soon\n"
    load_text(rows, time={"zone": "Europe/London", **({"format": form} if form else {})})
    found = ["leaps" if "leaps over it" in reason else "possible" for reason in reasons(load_text.url)]
    assert sorted(found) == ["leaps", "possible", "possible"]


@pytest.mark.parametrize(
    ("form", "zone", "text", "utc"),
    [
        ("%d/%m/%Y %H:%M", "UTC", "05/07/2025 14:30", "2025-07-05 14:30:00"),
        ("%d/%m/%Y %H:%M", "America/New_York", "05/07/2025 14:30", "2025-07-05 18:30:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "Europe/London", "2025-07-05T14:30:00+0200", "2025-07-05 12:30:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "Europe/London", "2025-10-26T01:30:00+00:00", "2025-10-26 01:30:00"),
        ("%a %b %d %H:%M:%S %z %Y", "UTC", "Tue Oct 31 22:10:47 +0000 2017", "2017-10-31 22:10:47"),
        ("%Y-%m-%d %H:%M:%S.%f", "UTC", "2025-07-05 14:30:00.900000", "2025-07-05 14:30:00.900000"),
        ("%m/%d/%y", "Asia/Tokyo", "07/05/25", "2025-07-04 15:00:00"),
        ("%Y %j", "UTC", "2025 186", "2025-07-05 00:00:00"),
        ("%G-W%V-%u", "UTC", "2025-W27-6", "2025-07-05 00:00:00"),
        ("%d/%m/%Y %I:%M %p", "UTC", "05/07/2025 02:30 PM", "2025-07-05 14:30:00"),
        ("ISO8601", "Europe/London", "2025-07-05T14:30:00+02:00", "2025-07-05 12:30:00"),
        ("%Y-%m-%dT%H:%M:%SZ", "Europe/London", "2025-07-05T14:30:00Z", "2025-07-05 14:30:00"),
        ("%Y-%m-%d %H:%M UTC", "Europe/London", "2025-07-05 14:30 UTC", "2025-07-05 14:30:00"),
    ],
)
def test_a_time_format_is_read_in_its_zone(load_text, form, zone, text, utc):
    load_text(f"id,channel,occurred_at\n1,email,{text}\n", time={"format": form, "zone": zone})
    assert occurred(load_text.url) == {"1": utc}


def test_without_a_format_a_number_is_seconds_or_milliseconds_since_1970_in_any_zone(load_text):
    load_text(
        "id,channel,occurred_at\n1,email,1767603600\n2,email,1767603600250\n3,email,2026-01-05 09:00:00\n"
        "4,email,20260105\n5,email,12345\n6,email,100000000\n",
        time={"zone": "Europe/Berlin"},
    )
    assert occurred(load_text.url) == {
        "1": "2026-01-05 09:00:00",
        "2": "2026-01-05 09:00:00.250000",
        "3": "2026-01-05 08:00:00",
        "4": "2026-01-04 23:00:00",
    }


def test_seconds_are_whole_and_rounded_down(load_text):
    load_text(
        "id,conversation,channel,direction,occurred_at\n1,c,email,inbound,2025-05-05T09:00:00.900Z\n"
        "2,c,email,outbound,2025-05-05T09:00:02.100Z\n"
    )
    assert frame_of(load_text.url, waits)["response_seconds"].tolist() == [1]


# --- one row per ticket or call -----------------------------------------------------------------------------------

CALLS = """\
id,customer,channel,opened_at,first_response_seconds,is_answered,is_abandoned,abandoned_seconds,talk_seconds,agent
1,a,phone,2025-05-05T09:00:00Z,10,true,false,,60,Bo
2,b,phone,2025-05-05T09:01:00Z,25,true,false,,60,Bo
3,c,phone,2025-05-05T09:02:00Z,,false,true,3,,
4,d,phone,2025-05-05T09:03:00Z,,false,true,40,,
5,e,phone,2025-05-05T09:04:00Z,,false,true,5,,
6,f,phone,2025-05-05T09:05:00Z,,,,,,
"""


def test_calls_show_offered_answered_and_abandoned_with_short_abandons_apart(load_text):
    load_text(CALLS, grain="conversation")
    row = report(load_text.url, "calls").iloc[0]
    assert (row["offered_count"], row["answered_count"], row["in_target_count"]) == (6, 2, 1)
    assert (row["abandoned_count"], row["short_abandoned_count"]) == (3, 2)
    assert row["service_level_share"] == pytest.approx(1 / 4)
    assert row["service_level_all_share"] == pytest.approx(1 / 6)
    assert row["average_speed_of_answer_seconds"] == 17.5
    agents = report(load_text.url, "calls", ("agent",)).set_index("agent")["offered_count"].to_dict()
    assert agents == {"nobody": 4, "Bo": 2}


def test_how_short_a_short_abandon_is_stands_in_the_settings_also_for_the_report(load_text):
    (load_text.path / "store").mkdir()
    (load_text.path / "store" / "settings.toml").write_text("short_abandon_seconds = 4\n")
    load_text(CALLS, grain="conversation")
    assert report(load_text.url, "calls").iloc[0]["short_abandoned_count"] == 1


def test_a_caller_who_hung_up_is_unanswered_but_waits_no_longer(load_text):
    load_text(CALLS, grain="conversation")
    row = report(load_text.url, "response_times").iloc[0]
    assert (row["conversation_count"], row["answered_count"], row["unanswered_count"]) == (6, 2, 4)
    assert report(load_text.url, "backlog").iloc[0]["open_count"] == 1


IMPOSSIBLE_FACTS = [
    ({"first_response_at": "2025-05-05T08:59:00Z"}, "the first response is dated before the opening"),
    ({"first_response_seconds": "-1"}, "a response before the question"),
    ({"first_response_seconds": "6e309"}, "not a number"),
    ({"first_response_seconds": "1e308"}, "over a hundred years"),
    ({"resolved_at": "2025-05-04T09:00:00Z"}, "resolved before it is opened"),
    ({"resolved_at": "2203-05-04T09:00:00Z"}, "resolved at 2203-05-04"),
    ({"first_response_at": "2203-05-04T09:00:00Z"}, "answered at 2203-05-04"),
    ({"is_answered": "false", "first_response_seconds": "60"}, "is_answered is false, but there is a first response"),
    ({"talk_seconds": "-4"}, "below zero"),
    ({"talk_seconds": "3e9"}, "over 2,147,483,647"),
]


def test_facts_that_cannot_be_are_rejected_by_name(load_text):
    names = ("first_response_at", "first_response_seconds", "resolved_at", "is_answered", "talk_seconds")
    rows = [
        f"{number},email,2025-05-05T09:00:00Z,{','.join(facts.get(name, '') for name in names)}\n"
        for number, (facts, _) in enumerate([*IMPOSSIBLE_FACTS, ({}, "")])
    ]
    result = load_text(f"id,channel,opened_at,{','.join(names)}\n{''.join(rows)}", grain="conversation")
    assert (result.stored_count, result.rejected_count) == (1, len(IMPOSSIBLE_FACTS))
    found = frame_of(load_text.url, rejected_rows).set_index("line")["reason"]
    for line, (_, named) in enumerate(IMPOSSIBLE_FACTS, 2):
        assert named in found[line]


def test_minutes_over_a_hundred_years_are_no_response_time(load_text):
    load_text(
        "id,channel,opened_at,first_response_minutes\n1,email,2025-05-05T09:00:00Z,1e308\n", grain="conversation"
    )
    assert "over a hundred years" in reasons(load_text.url)[0]


def test_answered_without_a_time_is_answered_at_an_unknown_time(load_text):
    load_text(
        "id,channel,opened_at,is_answered\n1,email,2025-05-05T09:00:00Z,true\n2,email,2025-05-05T09:00:00Z,false\n"
        "3,email,2025-05-05T09:00:00Z,\n",
        grain="conversation",
    )
    row = report(load_text.url, "response_times").iloc[0]
    assert (row["answered_count"], row["answered_unknown_time_count"], row["unanswered_count"]) == (1, 1, 2)
    assert report(load_text.url, "response_times", unknown_time_counts_as="unanswered").iloc[0]["answered_count"] == 0


def test_an_answer_at_an_unknown_time_is_by_an_unknown_agent_not_by_nobody(load_text):
    load_text("id,channel,opened_at,is_answered\n1,email,2025-05-05T09:00:00Z,true\n", grain="conversation")
    rows = report(load_text.url, "response_times", ("agent",))
    assert list(zip(rows["agent"], rows["answered_count"], strict=True)) == [("unknown", 1)]


TICKETS = "id,conversation,customer,channel,opened_at,first_response_at,is_answered,resolved_at,status,agent\n"


def test_two_tickets_of_one_conversation_keep_both_their_answers(load_text):
    result = load_text(
        TICKETS + "1,c,a,email,2025-05-05T09:00:00Z,2025-05-05T09:30:00Z,,,Open,Bo\n"
        "2,c,a,email,2025-05-05T11:00:00Z,2025-05-05T11:20:00Z,,,Open,Cy\n",
        grain="conversation",
    )
    assert (result.stored_count, len(frame_of(load_text.url, reported_facts))) == (2, 2)
    rows = frame_of(load_text.url, waits).sort_values("wait_number")
    assert rows["response_seconds"].tolist() == [1800, 1200]
    assert rows["responder_agent"].tolist() == ["Bo", "Cy"]


def test_an_answer_to_the_second_ticket_is_not_lost_nor_given_to_the_first(load_text):
    load_text(
        TICKETS + "1,c,a,email,2025-05-05T09:00:00Z,2025-05-05T09:30:00Z,,,,Bo\n"
        "2,c,a,email,2025-05-05T11:00:00Z,,true,,,\n3,d,b,email,2025-05-05T09:00:00Z,2025-05-05T09:30:00Z,,,,Bo\n"
        "4,d,b,email,2025-05-05T11:00:00Z,,false,,,\n5,e,f,email,2025-05-05T11:00:00Z,,,,,\n"
        "6,e,f,email,2025-05-05T11:10:00Z,2025-05-05T11:15:00Z,,,,\n",
        grain="conversation",
    )
    rows = frame_of(load_text.url, waits)
    names = frame_of(load_text.url, conversations).set_index("conversation_id")["external_id"]
    found = {(names[w.conversation_id], w.wait_number): w for w in rows.itertuples()}
    assert {key: w.has_reported_answer for key, w in found.items()} == {
        ("c", 1): False,
        ("c", 2): True,
        ("d", 1): False,
        ("d", 2): False,
        ("e", 1): False,
    }
    assert found["e", 1].response_seconds == 900


def test_of_several_tickets_the_newest_speaks_for_the_conversation_but_an_open_one_first(load_text):
    load_text(
        TICKETS + "1,c,a,email,2025-05-05T09:00:00Z,,,2025-05-06T09:00:00Z,Closed,\n"
        "2,c,a,email,2025-05-05T11:00:00Z,,,2025-05-07T09:00:00Z,Solved,\n"
        "3,d,b,email,2025-05-05T09:00:00Z,,,,Open,\n4,d,b,email,2025-05-05T11:00:00Z,,,2025-05-06T09:00:00Z,Closed,\n",
        grain="conversation",
    )
    rows = frame_of(load_text.url, conversations).set_index("external_id")
    assert rows["status"].to_dict() == {"c": "Solved", "d": "Open"}
    assert rows["is_closed_without_reply"].to_dict() == {"c": True, "d": False}
    assert str(rows.loc["c", "resolved_at"]) == "2025-05-07 09:00:00"


def test_a_ticket_that_a_correction_moves_takes_its_facts_along(load_text):
    load_text(TICKETS + "1,c,a,email,2025-05-05T09:00:00Z,2025-05-05T09:30:00Z,,,Open,Bo\n", grain="conversation")
    load_text(TICKETS + "1,d,a,email,2025-05-05T09:00:00Z,2025-05-05T09:30:00Z,,,Open,Bo\n", grain="conversation")
    assert len(frame_of(load_text.url, reported_facts)) == 1
    assert frame_of(load_text.url, conversations)["external_id"].tolist() == ["d"]


@pytest.mark.parametrize(
    ("status", "is_closed"), [("open", False), ("Pending", False), ("CLOSED", True), ("solved", True), ("", True)]
)
def test_a_given_status_says_whether_a_ticket_is_closed_not_that_it_was_solved_once(load_text, status, is_closed):
    load_text(TICKETS + f"1,c,a,email,2025-05-05T09:00:00Z,,,2025-05-06T09:00:00Z,{status},\n", grain="conversation")
    assert frame_of(load_text.url, conversations)["is_closed_without_reply"].tolist() == [is_closed]


def test_events_of_the_same_second_stand_in_the_order_of_their_ids_nine_before_ten(load_text):
    rows = [f"m{n},c,email,inbound,2025-05-05T09:00:00Z,text {n},t{n}\n" for n in (10, 9, 100, 11)]
    header = "id,conversation,channel,direction,occurred_at,text,team\n"
    load_text(header + "".join(rows))
    assert frame_of(load_text.url, conversations)["team"].tolist() == ["t9"]
    assert frame_of(load_text.url, waits)["team"].tolist() == ["t9"]
    for row in rows:
        load_text(header + row, store="other")
    assert rows_of(load_text.url) == rows_of(f"duckdb:///{load_text.path / 'other'}")


def test_the_newest_of_the_same_second_is_the_last_of_the_order(load_text):
    load_text(
        "id,conversation,channel,direction,occurred_at,agent,sentiment_label\n"
        "9,c,email,inbound,2025-05-05T09:00:00Z,,negative\n10,c,email,inbound,2025-05-05T09:00:00Z,,positive\n"
        "99,c,email,outbound,2025-05-05T09:00:00Z,Bo,\n100,c,email,outbound,2025-05-05T09:00:00Z,Cy,\n"
    )
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert (row.sentiment_label, row.closing_sentiment_label) == ("negative", "positive")
    assert (row.responder_agent, row.last_agent) == ("Bo", "Cy")


def test_events_win_over_reported_facts(load_text):
    load_text(
        "id,conversation,customer,channel,direction,agent,occurred_at\n"
        "m1,1,a,email,inbound,,2025-05-05T09:00:00Z\nm2,1,a,email,outbound,Bo,2025-05-05T10:00:00Z\n"
    )
    load_text(
        "id,customer,channel,opened_at,first_response_minutes,agent\n1,a,email,2025-05-05T09:00:00Z,5,Cy\n",
        grain="conversation",
    )
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert (row.first_response_seconds, row.responder_agent) == (3600, "Bo")


def test_a_source_that_knows_only_resolution_gives_no_response_time_and_says_so(load_text):
    load_text(
        "id,channel,opened_at,resolved_at,status\n1,phone,2025-05-05T09:00:00Z,2025-05-06T09:00:00Z,Closed\n"
        "2,phone,2025-05-05T09:00:00Z,,Open\n",
        grain="conversation",
    )
    assert not report(load_text.url, "sources")["has_response_times"].any()
    row = report(load_text.url, "resolution_times").iloc[0]
    assert (row["conversation_count"], row["resolved_count"], row["median_minutes_resolved"]) == (2, 1, 1440)


# --- corrections and repeats ----------------------------------------------------------------------------------------


def test_loading_again_stores_nothing_and_a_correction_replaces_the_row(load_text):
    header = "id,conversation,channel,occurred_at,text\n"
    rows = "1,c,email,2025-05-05T09:00:00Z,first\n2,c,email,2025-05-05T09:01:00Z,second\n"
    assert load_text(header + rows).stored_count == 2
    before = rows_of(load_text.url)
    again = load_text(header + rows)
    assert (again.stored_count, again.unchanged_count) == (0, 2)
    assert rows_of(load_text.url) == before
    corrected = load_text(header + rows.replace("second", "third"))
    assert (corrected.stored_count, corrected.unchanged_count) == (1, 1)
    assert sorted(frame_of(load_text.url, interactions)["text"]) == ["first", "third"]


def test_the_same_id_twice_in_a_file_is_unchanged_if_equal_and_rejected_if_not(load_text):
    row = "1,email,2025-05-05T09:00:00Z,hello\n"
    result = load_text("id,channel,occurred_at,text\n" + row + row + row.replace("hello", "other"))
    assert (result.read_count, result.stored_count, result.unchanged_count, result.rejected_count) == (3, 1, 1, 1)
    assert reasons(load_text.url) == ["id 1 stands in line 2 already, with different content"]
    assert frame_of(load_text.url, interactions)["text"].tolist() == ["hello"]


def test_a_rejected_second_row_of_a_ticket_leaves_no_fact_behind(load_text):
    load_text(
        "id,channel,opened_at,first_response_minutes,status\n1,email,2025-05-05T09:00:00Z,,open\n"
        "1,email,2025-05-05T09:00:00Z,5,closed\n",
        grain="conversation",
    )
    (fact,) = frame_of(load_text.url, reported_facts).itertuples()
    assert fact.status == "open"
    assert pd.isna(fact.first_response_at)


def test_a_ticket_answered_since_the_last_export_is_answered(load_text):
    header = "id,customer,channel,opened_at,first_response_minutes,status\n"
    load_text(header + "1,a,email,2025-05-05T09:00:00Z,,open\n", grain="conversation")
    assert load_text(header + "1,a,email,2025-05-05T09:00:00Z,30,solved\n", grain="conversation").stored_count == 1
    (row,) = frame_of(load_text.url, conversations).itertuples()
    assert (row.first_response_seconds, row.status) == (1800, "solved")
    assert len(frame_of(load_text.url, reported_facts)) == 1


def test_an_event_that_a_correction_moves_to_another_conversation_leaves_the_old_one(load_text):
    header = "id,conversation,customer,channel,direction,occurred_at\n"
    load_text(header + "1,a,x,email,inbound,2025-05-05T09:00:00Z\n2,a,x,email,outbound,2025-05-05T10:00:00Z\n")
    load_text(header + "2,b,y,email,outbound,2025-05-05T10:00:00Z\n")
    rows = frame_of(load_text.url, conversations).set_index("external_id")
    assert pd.isna(rows.loc["a", "first_response_at"])
    assert rows.loc["b", "kind"] == "outreach"


def test_one_conversation_of_two_customers_belongs_to_the_stronger_identity_of_both(load_text):
    load_text(
        "id,conversation,customer,email,channel,occurred_at\n1,c,,x@example.com,email,2025-05-05T09:00:00Z\n"
        "2,c,anna,,email,2025-05-05T09:05:00Z\n"
    )
    assert frame_of(load_text.url, conversations)["customer_id"].nunique() == 1
    assert frame_of(load_text.url, interactions)["customer_id"].nunique() == 1


def test_authors_without_any_identity_are_customers_of_their_own(load_text):
    load_text("id,channel,occurred_at\n1,email,2025-05-05T09:00:00Z\n2,email,2025-05-05T09:00:00Z\n")
    assert frame_of(load_text.url, interactions)["customer_id"].nunique() == 2
    assert len(frame_of(load_text.url, customers)) == 2


# --- the mapping file, encodings, dry run ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("", "source is missing"),
        ('source = "x"', "[columns] id is missing"),
        ('source = "x"\ncolour = 1', "unknown entry 'colour'"),
        ('source = "x"\ngrain = "year"', "grain must be interaction or conversation"),
        ('source = "x"\n[columns]\nid = "i"\noccurred_at = "t"', "channel is missing"),
        ('source = "x"\n[columns]\nid = "i"\nfoo = "t"', "'foo' is no field"),
        ('source = "x"\n[columns]\nid = ["i"]', "must be a text"),
        ('source = "x"\ncolumns = 3', "[columns] must be a table"),
        ('source = "x"\nvalues = 3\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"', "[values] must be a table"),
        ('source = "x"\ntime = 3\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"', "[time] must be a table"),
        ('source = "x"\nencoding = 3\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"', "encoding must be a text"),
        ('source = "x"\ndelimiter = ";;"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"', "one character"),
        ('source = "x"\ndelimiter = "\\n"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"', "one character"),
        ('source = "x"\n[columns]\nid="i"\noccurred_at="t"\n[constants]\nchannel="fax"', "'fax' is unknown"),
        (
            'source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[values.channel]\na="fax"',
            "'fax' is unknown",
        ),
        (
            'source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[values.foo]\na="b"',
            "[values.foo] is no field",
        ),
        (
            'source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[values.topic]\na="b"',
            "[values.topic] translates nothing: no column is topic under [columns]",
        ),
        ('source = "x"\n[columns]\noccurred_at="t"\nchannel="c"\n[constants]\nid="1"', "id must be a column"),
        (
            'source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[time]\nzone="Mars"',
            "'Mars' is not an IANA",
        ),
        ('source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[time]\nformat="%Q"', "format '%Q'"),
        ('source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[time]\nformat=5', "format 5"),
        ('source = "x"\n[columns]\nid="i"\noccurred_at="t"\nchannel="c"\n[time]\nform="x"', "unknown entry 'form'"),
        *(
            (f"source='x'\n[columns]\nid='i'\noccurred_at='t'\nchannel='c'\n[time]\nformat='{form}'", words)
            for form, words in (
                ("%d/%m %H:%M", "does not say year, month and day"),
                ("%H:%M", "does not say year, month and day"),
                ("%Y-%M-%d", "does not say year, month and day"),
                ("mixed", "format 'mixed' does not say year, month and day"),
                ("%%Y-%m-%d", "does not say year, month and day"),
                ("%d/%m/%Y %I:%M", "needs %I and %p together"),
                ("%d/%m/%Y %H:%M %p", "needs %I and %p together"),
            )
        ),
        ("source = ", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_mapping_names_the_file_and_the_entry(tmp_path, toml, named):
    path = tmp_path / "map.toml"
    path.write_text(toml)
    with pytest.raises(MappingError) as problem:
        read_mapping(path)
    assert named in str(problem.value)
    assert str(path) in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_mapped_column_that_is_not_in_the_file_is_named_with_those_that_are(load_text):
    with pytest.raises(SourceError, match=r"column 'team' \(mapped to team\) is missing; its columns are id, channel"):
        load_text("id,channel,occurred_at\n", columns={n: n for n in ("id", "channel", "occurred_at", "team")})


def test_a_mapped_column_that_stands_twice_is_refused(load_text):
    with pytest.raises(SourceError, match="stands there twice"):
        load_text("id,channel,occurred_at,id\n1,email,2025-05-05T09:00:00Z,2\n")


def test_semicolons_and_other_encodings_are_read_where_the_mapping_says_so(load_text):
    text = "id;channel;occurred_at;text\n1;email;2025-05-05T09:00:00Z;café\n"
    columns = {name: name for name in ("id", "channel", "occurred_at", "text")}
    load_text(text, encoding="cp1252", delimiter=";", columns=columns)
    assert frame_of(load_text.url, interactions)["text"].tolist() == ["café"]


def test_an_encoding_on_the_command_line_is_obeyed_as_the_reject_advises(tmp_path, capsys):
    (tmp_path / "a.csv").write_bytes("id,ch,at,t\n1,email,2025-05-05T09:00:00Z,café\n".encode("cp1252"))
    (tmp_path / "m.toml").write_text('source="x"\n[columns]\nid="id"\nchannel="ch"\noccurred_at="at"\ntext="t"\n')
    command = ["load", str(tmp_path / "a.csv"), "--source", "csv", "--mapping", str(tmp_path / "m.toml")]
    command += ["--store", f"duckdb:///{tmp_path / 'store'}"]
    assert main(command) == 1
    assert "--encoding cp1252" in reasons(f"duckdb:///{tmp_path / 'store'}")[0]
    assert main([*command, "--encoding", "cp1252"]) == 0
    assert frame_of(f"duckdb:///{tmp_path / 'store'}", interactions)["text"].tolist() == ["café"]
    capsys.readouterr()
    assert main([*command, "--encoding", "cp1252", "--dry-run"]) == 0
    assert "café" in capsys.readouterr().out


def test_a_dry_run_shows_the_newest_state_of_a_row_and_no_endless_texts(tmp_path, capsys):
    rows = [
        "1,2025-03-02 10:00,older",
        "2,,other",
        "1,2025-03-05 10:00,newest",
        f"1,,{'x' * 3000}",
        f"3,,{'y' * 3000}",
    ]
    (tmp_path / "a.csv").write_text("\n".join(["id,changed_at,text", *rows]) + "\n")
    (tmp_path / "m.toml").write_text(
        'source="x"\n[columns]\nid="id"\nchanged_at="changed_at"\ntext="text"\n'
        '[constants]\nchannel="email"\noccurred_at="2025-03-01 09:00"\n'
    )
    where = ["--mapping", str(tmp_path / "m.toml"), "--store", f"duckdb:///{tmp_path / 'store'}"]
    command = ["load", str(tmp_path / "a.csv"), *where]
    assert main([*command, "--dry-run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    told = {row["external_id"]: row["text"] for row in shown["first_rows"]}
    assert main([*command, "--dry-run"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 1000
    assert main(command) == 0
    stored = frame_of(f"duckdb:///{tmp_path / 'store'}", interactions)
    assert dict(zip(stored["external_id"], stored["text"], strict=True)) == told
    assert told["1"] == "newest"


def test_a_dry_run_shows_first_rows_and_everything_that_would_be_rejected_and_stores_nothing(tmp_path, capsys):
    rows = [
        "1,Mail,2025-05-05T09:00:00Z",
        "1,Mail,2025-05-05T09:30:00Z",
        "2,Fax,2025-05-05T09:00:00Z",
        "3,Mail,2099-01-01T00:00:00Z",
        "4,Mail,yesterday",
        "1,Mail,2025-05-05T09:00:00Z",
    ]
    (tmp_path / "a.csv").write_text("id,ch,at\n" + "\n".join(rows) + "\n")
    (tmp_path / "m.toml").write_text(
        'source="x"\n[columns]\nid="id"\nchannel="ch"\noccurred_at="at"\n[values.channel]\nMail="email"\n'
    )
    url = f"duckdb:///{tmp_path / 'store'}"
    command = [
        "load",
        str(tmp_path / "a.csv"),
        "--source",
        "csv",
        "--mapping",
        str(tmp_path / "m.toml"),
        "--store",
        url,
    ]
    assert main([*command, "--dry-run", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert not (tmp_path / "store").exists()
    assert shown["read_count"] == 6
    assert [row["channel"] for row in shown["first_rows"]] == ["email"]
    assert [reject["line"] for reject in shown["rejected"]] == [3, 4, 5, 6]
    assert main([*command, "--dry-run"]) == 1
    words = capsys.readouterr().out
    assert "6 rows read, 4 would be rejected" in words
    assert main(command) == 1
    assert [r["reason"] for r in shown["rejected"]] == reasons(url)
