"""Every help desk and public file: what its adapter makes of it, row by row, and what it admits not to know."""

from __future__ import annotations

import datetime as dt
import email
import json
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_files import (
    CALLS,
    CFPB,
    CHATWOOT,
    FOLDERS,
    FRESHDESK,
    FRESHDESK_CSV,
    FRESHDESK_OLD,
    GEOREPORT,
    INTERCOM,
    INTERCOM_JSON,
    MAIL,
    QUESTION,
    REPLY,
    SF311,
    ZENDESK,
    ZENDESK_JSON,
    ZENDESK_METRICS,
    write_files,
)
from sqlalchemy import update
from stored_rows import frame_of, rows_of

from data_access.cli import main
from data_access.errors import SourceError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild
from data_access.queries.age_fairness import age_fairness
from data_access.queries.conversations import Selection, count_rows
from data_access.queries.data_quality import coverage, sources
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.response_times import response_times
from data_access.schema import conversations, customers, interactions, rejected_rows
from data_access.sources import SOURCES, recognise
from data_access.sources.base import Reject
from data_access.sources.mail import _body, _markup_unquoted, _unquoted
from data_access.sources.records import Row, moment, plain, read_rows
from data_access.store import open_reader, open_writer, read_status, resolved


class Loaded:
    """A store of its own, into which files are loaded through the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.url = f"duckdb:///{folder / 'store'}"
        self.count = 0
        (folder / "store").mkdir()
        (folder / "store" / "settings.toml").write_text('[accounts.mail]\n"support@acme.example" = "Acme"\n')

    def __call__(self, files: dict, *arguments: str) -> tuple[int, tuple[int, ...], str]:
        """Status; read, stored, unchanged, rejected; standard error."""
        self.count += 1
        return self.load(write_files(self.folder / str(self.count), files), *arguments)

    def load(self, *arguments: object) -> tuple[int, tuple[int, ...], str]:
        self.capsys.readouterr()
        status = main(["load", "--json", "--store", self.url, *map(str, arguments)])
        out, err = self.capsys.readouterr()
        counts = tuple(json.loads(out.splitlines()[-1]).values()) if out else ()
        assert not counts or counts[0] == sum(counts[1:])
        return status, counts, err

    def events(self, *columns: str) -> list[tuple]:
        frame = frame_of(self.url, interactions).sort_values(["occurred_at", "external_id"])
        rows = frame[list(columns)].itertuples(index=False, name=None)
        return [tuple(None if pd.isna(value) else value for value in row) for row in rows]

    def rejects(self) -> list[tuple]:
        frame = frame_of(self.url, rejected_rows).sort_values(["file", "line"])
        return list(frame[["file", "line", "reason"]].itertuples(index=False, name=None))

    def conversation(self, name: str) -> dict:
        frame = frame_of(self.url, conversations)
        return frame[frame["external_id"] == name].iloc[0].to_dict()

    def report(self, query) -> pd.Series:
        engine = open_reader(self.url)
        return query(engine, resolved(Filter(), read_status(engine, self.url))).iloc[0]


@pytest.fixture
def loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Loaded:
    return Loaded(tmp_path, capsys)


KINDS = ("external_id", "direction", "author_kind", "agent", "is_visible")


# --- Zendesk


def test_zendesk_tables_make_tickets_with_their_comments(loaded):
    status, counts, err = loaded(ZENDESK)
    assert (status, counts) == (1, (8, 6, 0, 2))  # 3 tickets, 5 comments that are not a ticket's first
    assert "recognised as zendesk" in err
    assert loaded.events(*KINDS) == [
        ("ticket:1", "inbound", "customer", None, True),
        ("comment:101", "outbound", "agent", "Bo", False),
        ("comment:102", "outbound", "agent", "Bo", True),
        ("ticket:2", "inbound", "customer", None, True),
        ("comment:103", "inbound", "customer", None, True),
        ("ticket:3", "outbound", "agent", "Bo", True),
    ]
    assert loaded.rejects() == [
        ("comments.csv", 6, "ticket 9 of this comment is not in the files: load tickets and comments together"),
        ("comments.csv", 7, "nobody says whether user 99 is an agent or a customer: load the users, too"),
    ]
    first = loaded.conversation("1")
    assert (first["channel"], first["team"], first["brand"]) == ("email", "Parcels", "Acme")
    assert (first["first_response_seconds"], first["kind"]) == (3600, "customer_opened")
    second, third = loaded.conversation("2"), loaded.conversation("3")
    assert (second["is_closed_without_reply"], second["channel"]) == (True, "chat")
    assert (third["kind"], third["customer_id"]) == ("outreach", first["customer_id"])
    assert loaded(ZENDESK)[:2] == (1, (8, 0, 6, 2))
    assert len(loaded.rejects()) == 2


def test_the_json_of_zendesks_incremental_export_makes_the_same_interactions(loaded):
    status, counts, _ = loaded(ZENDESK_JSON)
    assert (status, counts) == (0, (2, 2, 0, 0))
    assert loaded.events("external_id", "author_kind", "agent", "text") == [
        ("ticket:1", "customer", None, "Parcel\nMy parcel is lost"),
        ("comment:511", "agent", "Bo", "It arrives today"),
    ]
    assert loaded.conversation("1")["first_response_seconds"] == 3600


def test_a_row_that_stands_in_another_file_already_is_rejected_with_the_name_of_that(loaded):
    again = ZENDESK["tickets.csv"].replace("Nobody helps", "Who helps")
    loaded({"a.csv": ZENDESK["tickets.csv"], "b.csv": again, "users.csv": ZENDESK["users.csv"]})
    assert loaded.rejects() == [("b.csv", 3, "id ticket:2 stands in line 3 of a.csv already, with different content")]


def test_of_a_zendesk_ticket_on_several_pages_the_newest_state_counts_whatever_the_files_are_called(loaded):
    """The incremental export repeats a ticket on each page on which it changed, and so its metric set."""
    ticket, people = ZENDESK_JSON["tickets.json"]["tickets"][0], ZENDESK_JSON["tickets.json"]["users"]
    metrics = {"ticket_id": 1, "reply_time_in_minutes": {"calendar": None}, "solved_at": None}

    def page(updated_at: str, status: str, **told: object) -> dict:
        state = {**ticket, "updated_at": updated_at, "status": status}
        return {"tickets": [state], "users": people, "metric_sets": [{**metrics, "updated_at": updated_at, **told}]}

    old = page("2026-01-05T09:00:00Z", "open")
    new = page(
        "2026-01-05T11:00:00+01:00", "solved", reply_time_in_minutes={"calendar": 30}, solved_at="2026-01-05T10:00:00Z"
    )
    for pages in ({"a.json": old, "b.json": new}, {"a.json": new, "b.json": old}):
        status, counts, _ = loaded(pages)
        assert (status, counts[0], counts[3]) == (0, 2, 0)
        found = loaded.conversation("1")
        assert (found["status"], found["first_response_seconds"]) == ("solved", 1800)
        assert found["resolved_at"] == pd.Timestamp("2026-01-05 10:00")
    assert counts == (2, 0, 2, 0)  # the order of the pages changes nothing


def _at_states(system: str, *, is_old: bool) -> dict[str, object]:
    """Files of one ticket as they were at 9 o'clock, when nothing had been done, or at 11."""
    changed, kept = ("2026-01-07T09:00:00Z", "old") if is_old else ("2026-01-07T11:00:00Z", "new")
    if system == "zendesk":
        ticket = {**ZENDESK_JSON["tickets.json"]["tickets"][0], "group_id": kept}
        state = {**ticket, "updated_at": changed, "status": "open" if is_old else "solved"}
        return {"tickets.json": {"tickets": [state], "users": ZENDESK_JSON["tickets.json"]["users"]}}
    if system == "freshdesk":
        ticket = {**FRESHDESK["tickets.json"][0], "updated_at": changed, "group_id": kept}
        return {"tickets.json": [{**ticket, "status": 2 if is_old else 4}]}
    if system == "intercom":
        talk = INTERCOM_JSON["conversations.json"]["conversations"][0]
        state = {**talk, "updated_at": changed, "state": "open" if is_old else "closed", "team_assignee_id": kept}
        return {"conversations.json": {"conversations": [state]}}
    request = {**GEOREPORT["requests.json"][0], "updated_datetime": changed, "agency_responsible": kept}
    return {"requests.json": [{**request, "status": "open" if is_old else "closed"}]}


@pytest.mark.parametrize("system", ["zendesk", "freshdesk", "intercom", "open311"])
def test_an_older_state_that_is_loaded_later_changes_nothing(loaded, system):
    old, new = (_at_states(system, is_old=is_old) for is_old in (True, False))
    assert loaded(old)[1][1] > 0
    at_first = rows_of(loaded.url)
    loaded(new)
    newest = rows_of(loaded.url)
    assert newest != at_first
    for state in (old, new, old):
        status, counts, _ = loaded(state)
        assert (status, counts[1], counts[3]) == (0, 0, 0)
        assert rows_of(loaded.url) == newest
    assert set(frame_of(loaded.url, conversations)["team"]) == {"new"}


def test_an_older_export_still_tells_the_responses_that_the_newest_state_of_a_ticket_cannot(loaded):
    """A list of tickets came first, without comments; then the whole export of the day before."""
    tickets = ZENDESK["tickets.csv"]
    header, *rows = tickets.splitlines()
    dated = {
        name: "\n".join([f"{header},updated_at", *(f"{row},{at}" for row in rows)])
        for name, at in (("old", "2026-01-06T00:00:00Z"), ("new", "2026-01-07T00:00:00Z"))
    }
    loaded({"tickets.csv": dated["new"], "users.csv": ZENDESK["users.csv"]})
    assert not any(frame_of(loaded.url, conversations)["is_response_known"])
    counts = loaded(ZENDESK | {"tickets.csv": dated["old"]})[1]
    told = rows_of(loaded.url)
    assert loaded.conversation("1")["first_response_seconds"] == 3600
    assert all(loaded.conversation(name)["is_response_known"] for name in ("1", "2"))
    assert loaded(ZENDESK | {"tickets.csv": dated["old"]})[1] == (counts[0], 0, counts[0] - 2, 2)
    assert rows_of(loaded.url) == told


def test_what_a_connector_marks_as_deleted_in_zendesk_is_no_comment_and_asks_for_no_reply(loaded):
    """The users who are gone still say who wrote: an answer of a former agent is one."""

    def marked(table: str, *deleted: str) -> str:
        header, *rows = (
            ZENDESK[table]
            .replace("Nobody helps me,Help", "Win money,Money")
            .replace("Nobody helps me", "Win money")
            .splitlines()
        )
        marks = ["true" if row.startswith(deleted) else "false" for row in rows]
        return "\n".join([f"{header},_fivetran_deleted", *map(",".join, zip(rows, marks, strict=True))])

    tables = {
        "tickets.csv": marked("tickets.csv", "2,"),
        "comments.csv": marked("comments.csv", "103,", "104,", "105,"),
        "users.csv": marked("users.csv", "10,"),
    }
    assert loaded(ZENDESK | tables)[:2] == (0, (5, 5, 0, 0))
    assert "comment:103" not in [name for (name,) in loaded.events("external_id")]
    assert loaded.conversation("1")["first_response_seconds"] == 3600
    assert pd.isna(loaded.conversation("2")["needs_reply_at"])


def test_tickets_without_comments_or_metrics_are_left_out_of_response_measures(loaded):
    status, counts, _ = loaded({name: ZENDESK[name] for name in ("tickets.csv", "users.csv")})
    assert (status, counts) == (0, (3, 3, 0, 0))
    assert loaded.report(response_times)["conversation_count"] == 0
    assert loaded.report(ignored_complaints)["complaint_count"] == 0
    engine = open_reader(loaded.url)
    known = coverage(engine, resolved(Filter(), read_status(engine, loaded.url))).set_index("item")
    assert tuple(known.loc["response_recorded", ["known_count", "conversation_count"]]) == (0, 2)
    # The comments come later, with their tickets: now silence is silence.
    loaded(ZENDESK)
    row = loaded.report(response_times)
    assert (row["conversation_count"], row["answered_count"]) == (2, 1)


def test_what_a_customer_says_at_the_moment_of_the_ticket_is_kept(loaded):
    """Only the first comment, and only with the ticket's own words, is the description again."""
    said = (
        "100,1,20,My parcel is lost,TRUE,2026-01-05 09:00:00\n"
        "110,1,20,I want my money back,TRUE,2026-01-05 09:00:04\n"
        "111,1,20,lost,TRUE,2026-01-05 09:05:00\n"
        "112,1,20,My parcel is lost,TRUE,2026-01-05 09:06:00\n"
        "113,2,21,Something else,TRUE,2026-01-05 10:00:00\n"
    )
    header = ZENDESK["comments.csv"].partition("\n")[0]
    _, counts, _ = loaded(ZENDESK | {"comments.csv": f"{header}\n{said}"})
    assert counts == (7, 7, 0, 0)
    assert [name for (name,) in loaded.events("external_id")] == [
        *("ticket:1", "comment:110", "comment:111", "comment:112"),
        *("comment:113", "ticket:2", "ticket:3"),
    ]


def test_a_ticket_of_which_no_file_has_the_first_comment_tells_no_response(loaded):
    """An export from some day on has late comments only: who was answered before is not called ignored."""
    comments = ZENDESK["comments.csv"].replace("\n106,2,21,Nobody helps me,TRUE,2026-01-05 10:00:00", "")
    late = "107,2,21,Still nobody,TRUE,2026-01-09 10:00:00\n"
    loaded(ZENDESK | {"comments.csv": comments + late})
    assert [loaded.conversation(name)["is_response_known"] for name in ("1", "2")] == [True, False]
    assert not loaded.conversation("2")["is_closed_without_reply"]


def test_a_reported_first_reply_stands_beside_comments_of_other_tickets(loaded):
    tickets = json.loads(json.dumps(ZENDESK_JSON["tickets.json"]))
    tickets["tickets"].append({**tickets["tickets"][0], "id": 2})
    tickets["metric_sets"] = [
        {"ticket_id": 1, "reply_time_in_minutes": {"calendar": 90}, "solved_at": None},
        {"ticket_id": 2, "reply_time_in_minutes": {"calendar": 30}, "solved_at": None},
    ]
    loaded({**ZENDESK_JSON, "tickets.json": tickets})
    seconds = [loaded.conversation(name)["first_response_seconds"] for name in ("1", "2")]
    assert seconds == [3600, 1800]  # the comment's time wins over the metric


def test_what_one_load_told_of_a_response_outlasts_one_that_cannot_tell(loaded):
    loaded(ZENDESK)
    loaded(ZENDESK_JSON)
    changed = ZENDESK["tickets.csv"].replace(",open,", ",solved,")
    loaded({"tickets.csv": changed, "users.csv": ZENDESK["users.csv"]})
    first, second = loaded.conversation("1"), loaded.conversation("2")
    assert (first["status"], first["first_response_seconds"]) == ("solved", 3600)
    assert (second["is_response_known"], second["is_closed_without_reply"]) == (True, True)


def test_zendesk_metric_rows_carry_the_first_reply_and_channels_of_ones_own_are_other(loaded):
    status, counts, _ = loaded(ZENDESK_METRICS)
    assert (status, counts) == (1, (3, 2, 0, 1))
    assert loaded.conversation("1")["first_response_seconds"] == 3630
    assert loaded.conversation("2")["channel"] == "other"
    assert [reason for _, _, reason in loaded.rejects()] == ["it is resolved before it is opened"]
    assert loaded.report(response_times)["unanswered_count"] == 1


@pytest.mark.parametrize(
    ("given", "hint"), [("46024.5", ": is it a date that a spreadsheet"), ("2026", ""), ("0", ""), ("-5", "")]
)
def test_numbers_that_are_no_seconds_since_1970_are_refused(given, hint):
    with pytest.raises(ValueError, match=f"^created is '{given}', not a time such as .*Z{hint}"):
        moment(given, "created")


def test_a_local_time_that_the_clock_leaps_over_is_refused_with_that_reason():
    assert moment("2025-03-30T00:59:00", "created", "Europe/London") == dt.datetime(2025, 3, 30, 0, 59)
    with pytest.raises(ValueError, match=r"^created is .*, a time that never comes in Europe/London: the clock leaps"):
        moment("2025-03-30T01:30:00", "created", "Europe/London")


@pytest.mark.parametrize("given", [1767603600, "1767603600", 1767603600.0, "1767603600000"])
def test_seconds_and_milliseconds_since_1970_are_times(given):
    assert moment(given) == dt.datetime(2026, 1, 5, 9)


def answer_to(loaded: Loaded, name: str) -> tuple[bool, bool, bool]:
    """Whether the response to a conversation is known, was reported, and is missing though it is closed."""
    found = loaded.conversation(name)
    return found["is_response_known"], found["has_reported_answer"], found["is_closed_without_reply"]


@pytest.mark.parametrize(
    ("submitter", "expected"), [(10, (True, True, False)), (20, (False, False, False)), (-1, (False, False, False))]
)
def test_a_call_that_an_agent_wrote_down_was_taken_and_no_other_is_ignored(loaded, submitter, expected):
    ticket = {**ZENDESK_JSON["tickets.json"]["tickets"][0], "via": {"channel": "voice"}, "status": "solved"}
    metrics = {"ticket_id": 1, "reply_time_in_minutes": {"calendar": None}, "solved_at": "2026-01-05T09:03:00Z"}
    tickets = {"tickets": [{**ticket, "submitter_id": submitter}], "metric_sets": [metrics]}
    loaded({"tickets.json": {**ZENDESK_JSON["tickets.json"], **tickets}})
    assert loaded.conversation("1")["kind"] == "customer_opened"
    assert answer_to(loaded, "1") == expected


def test_a_call_among_zendesks_metric_rows_is_taken_by_the_agent_who_wrote_it_down_or_not_known(loaded):
    loaded({
        "metrics.csv": """\
ticket_id,created_timestamp,status,first_reply_time_calendar_minutes,ticket_channel,first_solved_at,submitter_role
1,2026-01-05 09:00:00,closed,,voice,2026-01-05 09:10:00,agent
2,2026-01-05 09:00:00,closed,,voice,2026-01-05 09:10:00,end-user
3,2026-01-05 09:00:00,closed,,email,2026-01-05 09:10:00,end-user
"""
    })  # fmt: skip
    assert [answer_to(loaded, name) for name in "123"] == [
        *((True, True, False), (False, False, False), (True, False, True))
    ]


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [("utf-16", []), ("utf-16", ["--encoding", "utf-16"]), ("utf-16-be", ["--encoding", "utf-16-be"])],
)
def test_json_in_utf_16_as_powershell_writes_it_is_recognised(loaded, encoding, arguments):
    folder = write_files(loaded.folder / "wide", ZENDESK_JSON)
    for path in folder.iterdir():
        path.write_bytes(path.read_text("utf-8").encode(encoding))
    assert loaded.load(folder, *arguments)[:2] == (0, (2, 2, 0, 0))


# --- Intercom


def test_intercom_tables_make_the_newest_state_of_a_conversation_and_its_parts(loaded):
    status, counts, _ = loaded(INTERCOM)
    assert (status, counts) == (0, (6, 5, 1, 0))  # two conversations, an older state of one, three parts
    assert loaded.events(*KINDS) == [
        ("conversation:50", "inbound", "customer", None, True),
        ("part:60", "outbound", "bot", None, True),
        ("part:61", "outbound", "agent", "Bo", False),
        ("part:62", "outbound", "agent", "Bo", True),
        ("conversation:51", "inbound", "customer", None, True),
    ]
    first = loaded.conversation("50")
    assert (first["first_response_seconds"], first["status"], first["team"]) == (600, "closed", "Support")
    assert first["resolved_at"] == pd.Timestamp("2026-01-05 12:00")
    assert first["first_bot_response_at"] == pd.Timestamp("2026-01-05 09:00:02")
    assert [text for (text,) in loaded.events("text")][0::4] == ["Where is it?", "Billing\nHello?"]


def test_an_intercom_conversation_without_parts_is_silent_only_where_the_parts_cover_it(loaded):
    rows = (
        "52,2026-01-05 10:30:00,2026-01-05 10:30:00,closed,c1,lead,email,<p>Closed</p>,,,\n"
        "53,2026-01-04 10:30:00,2026-01-04 10:30:00,open,c1,lead,email,<p>Before</p>,,,\n"
        "54,2026-01-06 10:30:00,2026-01-06 10:30:00,open,c1,lead,email,<p>After</p>,,,\n"
    )
    loaded(INTERCOM | {"conversation.csv": INTERCOM["conversation.csv"] + rows})
    known = [loaded.conversation(name)["is_response_known"] for name in ("50", "51", "52", "53", "54")]
    assert known == [True, True, False, False, False]


def test_intercoms_json_holds_the_parts_inside_their_conversation(loaded):
    status, counts, _ = loaded(INTERCOM_JSON)
    assert (status, counts) == (0, (2, 2, 0, 0))
    found = loaded.conversation("50")
    assert (found["first_response_seconds"], found["channel"], found["responder_agent"]) == (600, "email", "Bo")
    assert loaded.events("text")[0] == ("Parcel\nWhere is it?",)


def test_what_a_connector_marks_as_deleted_in_intercom_says_nothing(loaded):
    header, *rows = INTERCOM["part.csv"].splitlines()
    marks = [f"{row},{'true' if row.startswith('62,') else ''}" for row in rows]
    members = "admin_id,team_id,_fivetran_deleted\na1,8,true\n"
    parts = "\n".join([f"{header},_fivetran_deleted", *marks])
    loaded(INTERCOM | {"part.csv": parts, "team_admin.csv": members})
    assert "part:62" not in [name for (name,) in loaded.events("external_id")]
    assert pd.isna(loaded.conversation("50")["team"])


def test_intercoms_json_of_teams_names_the_team_of_a_conversation(loaded):
    conversation = INTERCOM_JSON["conversations.json"]["conversations"][0]
    team = {"type": "team", "id": "7", "name": "Billing", "admin_ids": [91]}
    files = {
        "conversations.json": {"conversations": [{**conversation, "team_assignee_id": 7}]},
        "teams.json": {"type": "team.list", "teams": [team]},
    }
    _, _, err = loaded(files)
    assert (loaded.conversation("50")["team"], "not read" in err) == ("Billing", False)


def test_an_intercom_reply_that_is_only_an_attachment_is_an_answer(loaded):
    conversation = INTERCOM_JSON["conversations.json"]["conversations"][0]
    (reply,) = conversation["conversation_parts"]["conversation_parts"]
    told = [
        {**reply, "id": "61", "part_type": "assignment", "body": None, "created_at": 1767603900, "attachments": []},
        {**reply, "body": None, "attachments": [{"type": "upload", "name": "label.pdf"}]},
    ]
    one = {**conversation, "conversation_parts": {"conversation_parts": told}}
    assert loaded({"conversations.json": {"conversations": [one]}})[1] == (2, 2, 0, 0)
    assert loaded.events("external_id", "text")[1] == ("part:62", None)
    assert loaded.conversation("50")["first_response_seconds"] == 600


def test_an_intercom_call_without_a_written_reply_is_not_known_to_be_unanswered(loaded):
    conversation = INTERCOM_JSON["conversations.json"]["conversations"][0]
    summary = {"id": "63", "part_type": "call_summary", "body": "Mended", "created_at": 1767603890}
    call = {
        **conversation,
        "source": {**conversation["source"], "type": "phone_call"},
        "conversation_parts": {"conversation_parts": [{**summary, "author": {"type": "bot", "id": "b1"}}]},
    }
    loaded({"conversations.json": {"conversations": [call]}})
    assert answer_to(loaded, "50") == (False, False, False)
    assert loaded.events("external_id", "is_visible")[1] == ("part:63", False)


# --- Freshdesk


def test_freshdesk_conversations_win_over_the_stats_of_the_ticket(loaded):
    status, counts, _ = loaded(FRESHDESK)
    assert (status, counts) == (0, (4, 4, 0, 0))
    first, spam = loaded.conversation("1"), loaded.conversation("2")
    assert (first["first_response_seconds"], first["responder_agent"], first["team"]) == (1800, "Bo", "Parcels")
    assert (first["status"], first["resolved_at"]) == ("resolved", pd.Timestamp("2026-01-05 11:00"))
    assert (pd.isna(spam["needs_reply_at"]), spam["channel"]) == (True, "web_form")


def test_of_a_freshdesk_ticket_on_several_pages_the_newest_state_counts_with_the_notes_of_all(loaded):
    ticket = FRESHDESK["tickets.json"][0]
    note = {name: value for name, value in FRESHDESK["conversations.json"][1].items() if name != "ticket_id"}
    old = {
        **ticket,
        "updated_at": "2026-01-05T09:00:00Z",
        "status": 2,
        "group_id": 8,
        "stats": {},
        "conversations": [note],
    }
    new = {**ticket, "updated_at": "2026-01-05T11:00:00Z"}
    for pages in ({"a.json": [old], "b.json": [new]}, {"a.json": [new], "b.json": [old]}):
        status, counts, _ = loaded(pages | {"groups.json": FRESHDESK["groups.json"]})
        assert (status, counts[0], counts[3]) == (0, 3, 0)
        found = loaded.conversation("1")
        assert (found["status"], found["team"], found["first_response_seconds"]) == ("resolved", "Parcels", 1800)
    assert counts == (3, 0, 3, 0)


def test_freshdesk_tickets_alone_answer_by_their_stats_or_not_at_all(loaded):
    loaded({"tickets.json": FRESHDESK["tickets.json"]})
    assert loaded.conversation("1")["first_response_seconds"] == 3600
    assert [loaded.conversation(name)["is_response_known"] for name in ("1", "2")] == [True, False]


def test_the_older_version_of_freshdesk_wraps_tickets_and_their_notes(loaded):
    status, counts, _ = loaded(FRESHDESK_OLD)
    assert (status, counts) == (0, (2, 2, 0, 0))
    found = loaded.conversation("1")
    assert (found["channel"], found["first_response_seconds"], found["status"]) == ("phone", 1800, "Open")
    assert found["opened_at"] == pd.Timestamp("2026-01-05 09:00")


def test_freshdesks_csv_export_tells_first_response_and_resolution(loaded):
    assert loaded(FRESHDESK_CSV)[:2] == (0, (2, 2, 0, 0))
    first, second = loaded.conversation("1"), loaded.conversation("2")
    assert (first["first_response_seconds"], first["responder_agent"]) == (1800, "Bo")
    assert (second["is_response_known"], second["has_reported_answer"]) == (True, False)


def test_a_freshdesk_ticket_without_stats_is_silent_only_beside_a_conversation_of_its_own(loaded):
    tickets = [{name: value for name, value in t.items() if name != "stats"} for t in FRESHDESK["tickets.json"]]
    loaded(FRESHDESK | {"tickets.json": [*tickets, {**tickets[0], "id": 3}]})
    assert [loaded.conversation(name)["is_response_known"] for name in "123"] == [True, False, False]


def test_a_freshdesk_ticket_whose_stats_are_null_or_that_is_a_call_is_not_known_to_be_unanswered(loaded):
    ticket = {**FRESHDESK["tickets.json"][0], "status": 5}
    nothing = {"first_responded_at": None, "resolved_at": None}
    told = [
        {**ticket, "id": 1, "stats": nothing},
        {**ticket, "id": 2, "stats": None},
        {**ticket, "id": 3, "stats": nothing, "source": 3},
    ]
    loaded({"tickets.json": told})
    assert [answer_to(loaded, name) for name in "123"] == [
        *((True, False, True), (False, False, False), (False, False, False))
    ]


# --- Chatwoot


def test_chatwoot_messages_keep_bots_apart_and_leave_activity_out(loaded):
    status, counts, _ = loaded(CHATWOOT)
    assert (status, counts) == (0, (3, 3, 0, 0))
    assert loaded.events(*KINDS) == [
        ("message:90", "inbound", "customer", None, True),
        ("message:91", "outbound", "bot", None, True),
        ("message:92", "outbound", "agent", "Bo", True),
    ]
    found = loaded.conversation("5")
    assert (found["channel"], found["team"], found["first_response_seconds"]) == ("chat", "Web", 600)


def test_chatwoot_messages_without_their_conversation_are_rejected_by_name(loaded):
    status, counts, _ = loaded({"messages.json": CHATWOOT["messages.json"]})
    assert (status, counts) == (1, (3, 0, 0, 3))
    assert "conversation 5 of this message is not in the files" in loaded.rejects()[0][2]


def chatwoot_messages(*told: dict) -> dict:
    """The conversation of Chatwoot's files and its first message, with further ones."""
    first = CHATWOOT["messages.json"]["payload"][0]
    return {
        "conversations.json": CHATWOOT["conversations.json"]["data"]["payload"],
        "messages.json": {"payload": [first, *told]},
    }


def test_a_list_of_chatwoot_conversations_whose_beginning_is_missing_tells_no_silence(loaded):
    conversation = CHATWOOT["conversations.json"]["data"]["payload"][0]
    asked = {**CHATWOOT["messages.json"]["payload"][0], "id": 94, "created_at": 1767607300, "content": "Still broken!"}
    newest = {"list.json": [{**conversation, "first_reply_created_at": 1767604200, "messages": [asked]}]}
    loaded(newest)
    assert not loaded.conversation("5")["is_response_known"]
    assert loaded.report(response_times)["conversation_count"] == 0
    # The messages from the beginning on tell it, whether they come before or after the list.
    for files in (chatwoot_messages(asked), newest):
        loaded(files)
        found = loaded.conversation("5")
        assert (found["is_response_known"], found["first_response_seconds"]) == (True, 600)
        assert loaded.report(response_times)["conversation_count"] == 1


def test_a_first_reply_that_no_chatwoot_message_holds_is_told_by_the_conversation(loaded):
    conversation = CHATWOOT["conversations.json"]["data"]["payload"][0]
    first = CHATWOOT["messages.json"]["payload"][0]
    for replied, known in ((None, (None, True)), (1767603900, (300, True))):
        loaded({"list.json": [{**conversation, "first_reply_created_at": replied, "messages": [first]}]})
        found = loaded.conversation("5")
        seconds = None if pd.isna(found["first_response_seconds"]) else found["first_response_seconds"]
        assert (seconds, found["is_response_known"]) == known


@pytest.mark.parametrize("told", [{"status": "failed"}, {"content_attributes": {"deleted": True}}])
def test_a_chatwoot_reply_that_was_never_delivered_or_is_deleted_is_no_answer(loaded, told):
    files = chatwoot_messages({**CHATWOOT["messages.json"]["payload"][3], **told})
    files["conversations.json"] = [{**files["conversations.json"][0], "messages": []}]
    _, counts, _ = loaded(files)
    assert counts == (2, 2, 0, 0)
    found = loaded.conversation("5")
    assert (pd.isna(found["first_response_at"]), found["is_response_known"]) == (True, True)
    assert loaded.events("external_id", "is_visible")[1] == ("message:92", False)


def test_the_last_moment_of_the_calendar_is_a_time_that_is_refused_not_raised(loaded):
    last = "9999-12-31T23:59:59Z"
    conversation = {**CHATWOOT["conversations.json"]["data"]["payload"][0], "created_at": last}
    assert loaded({"conversations.json": [conversation]})[:2] == (0, (1, 1, 0, 0))
    tickets = ZENDESK["tickets.csv"].replace("2026-01-05 10:00:00", last)
    assert loaded(ZENDESK | {"tickets.csv": tickets})[0] == 1
    assert any("in the future" in reason for _, _, reason in loaded.rejects())
    metrics = ZENDESK_METRICS["metrics.csv"].replace("2026-01-06 09:00:00.000000", "")
    status, counts, err = loaded({"metrics.csv": metrics.replace("2026-01-05 09:00:00.000000", last)})
    assert "60.5 minutes after 9999-12-31 23:59:59 are at no possible time" in {
        told for _, _, told in loaded.rejects()
    }
    assert (status, counts) == (1, (3, 0, 0, 3)), err


def test_a_deleted_message_of_a_chatwoot_customer_was_said_but_has_no_words(loaded):
    gone = {**CHATWOOT["messages.json"]["payload"][0], "content": "This message was deleted"}
    conversation = {**CHATWOOT["conversations.json"]["data"]["payload"][0], "messages": []}
    gone["content_attributes"] = {"deleted": True}
    loaded({"conversations.json": [conversation], "messages.json": {"payload": [gone]}})
    assert loaded.events("text", "is_visible") == [(None, True)]


# --- complaints, service requests, calls


def test_cfpb_complaints_are_answered_or_not_but_never_at_a_time(loaded):
    status, counts, _ = loaded(CFPB)
    assert (status, counts) == (1, (4, 3, 0, 1))
    row = loaded.report(response_times)
    assert (row["conversation_count"], row["answered_unknown_time_count"], row["unanswered_count"]) == (3, 2, 1)
    assert pd.isna(row["median_minutes_answered"])
    assert [loaded.conversation(key)["channel"] for key in ("7001", "7002", "7003")] == ["web_form", "letter", "other"]
    # Midnight in New York, where the bureau is.
    assert loaded.conversation("7001")["opened_at"] == pd.Timestamp("2026-01-05 05:00")
    engine = open_reader(loaded.url)
    assert not sources(engine)["has_response_times"].any()


def test_days_that_no_calendar_has_are_rejected_not_raised(loaded):
    header, first = CFPB["complaints.csv"].splitlines()[:2]
    days = ("9999-12-31", "0001-01-01", "0000-00-00")
    rows = "".join(f"{first.replace('2026/1/5', day).replace('7001', str(n))}\n" for n, day in enumerate(days))
    status, counts, _ = loaded({"complaints.csv": f"{header}\n{first}\n{rows}"})
    assert (status, counts) == (1, (4, 1, 0, 3))


def test_a_refused_time_of_a_public_file_is_named_as_it_stands_there(loaded):
    header, first = CFPB["complaints.csv"].splitlines()[:2]
    days = [first.replace("2026/1/5", day) for day in ("01/06/26", "")]
    loaded({"complaints.csv": "\n".join([header, *days, ""])})
    reason = "date received is '01/06/26', not a day such as 2026-01-31 or 01/31/2026"
    assert [said for _, _, said in loaded.rejects()] == [reason, "date received is empty"]


def test_a_time_of_the_leapt_hour_in_san_francisco_is_refused_with_that_reason(loaded):
    loaded({
        "cases.csv": "caseid,opened,closed,status,responsible agency,category,request type,source\n"
        "1,03/08/2026 02:30:00 AM,,Open,Streets,Noise,Noise,Phone\n"
        "2,03/08/2026 03:30:00 AM,,Open,Streets,Noise,Noise,Phone\n"
    })  # fmt: skip
    ((_, _, reason),) = loaded.rejects()
    assert reason.startswith("opened is '2026-03-08 02:30:00', a time that never comes in America/Los_Angeles")
    assert loaded.conversation("2")["opened_at"] == pd.Timestamp("2026-03-08 10:30")


def test_service_requests_of_a_city_give_no_response_time_and_nobody_is_called_ignored(loaded):
    status, counts, _ = loaded(SF311)
    assert (status, counts) == (1, (3, 2, 0, 1))
    first = loaded.conversation("1")
    assert (first["opened_at"], first["channel"]) == (pd.Timestamp("2026-01-05 17:00"), "phone")  # local, not UTC
    assert (first["is_response_known"], first["is_closed_without_reply"]) == (False, False)
    assert loaded.report(response_times)["conversation_count"] == 0
    assert loaded.report(ignored_complaints)["complaint_count"] == 0
    engine = open_reader(loaded.url)
    assert not sources(engine)["has_response_times"].any()


def test_open311_requests_close_when_they_were_last_updated(loaded):
    assert loaded(GEOREPORT)[:2] == (0, (1, 1, 0, 0))
    found = loaded.conversation("638344")
    assert (found["opened_at"], found["resolved_at"]) == (
        pd.Timestamp("2026-01-05 14:37:38"),
        pd.Timestamp("2026-01-06 14:37:38"),
    )


def test_a_call_log_tells_answered_abandoned_and_neither(loaded):
    status, counts, _ = loaded(CALLS)
    assert (status, counts) == (1, (5, 3, 0, 2))
    one, two, three = (loaded.conversation(key) for key in "123")
    assert (one["first_response_seconds"], one["talk_seconds"], one["responder_agent"]) == (15, 300, "Bo")
    assert (two["is_abandoned"], two["abandoned_seconds"], two["queue"]) == (True, 95, "Billing")
    assert (bool(three["is_abandoned"]), three["is_response_known"], three["is_call"]) == (False, True, True)
    assert [reason[:40] for _, _, reason in loaded.rejects()] == [
        "outcome is 'teleported', none of answere",
        "wait_seconds is '-3', not a number from ",
    ]


def test_a_format_without_a_mapping_does_not_speak_of_one(loaded):
    loaded({"calls.csv": "call_id,offered_at,outcome,direction\n1,2026-01-05T09:00:00Z,answered,sideways\n"})
    assert [reason for *_, reason in loaded.rejects()] == ["unknown direction 'sideways'; known are inbound, outbound"]


def test_a_known_export_saved_again_with_semicolons_is_recognised(loaded):
    assert loaded({"calls.csv": CALLS["calls.csv"].replace(",", ";")})[:2] == (1, (5, 3, 0, 2))


# --- mail


def test_mail_is_threaded_and_automatic_replies_are_no_answer(loaded):
    status, counts, err = loaded(MAIL)
    assert (status, counts) == (1, (4, 3, 0, 1))
    assert "recognised as mail" in err
    assert loaded.events("external_id", "direction", "author_kind", "agent", "text") == [
        ("q1@mail.example", "inbound", "customer", None, "My parcel is lost\nWhere is my caf\ufffd order?"),
        ("r1@acme.example", "outbound", "system", None, "Thank you for writing."),
        ("a1@acme.example", "outbound", "agent", "Bo of Acme", "It arrives today."),
    ]
    assert loaded.rejects() == [("inbox.mbox", 11, "cannot be read as mail: Date is 'some day', not a time")]
    found = loaded.conversation("q1@mail.example")
    assert (found["first_response_seconds"], found["brand"], found["kind"]) == (5400, "Acme", "customer_opened")
    assert found["first_bot_response_at"] == pd.Timestamp("2026-01-05 09:00:05")


def test_mail_through_a_group_is_by_people_and_bulk_mail_is_not(loaded):
    """Google Groups as a shared inbox writes Precedence: list on questions and answers alike."""
    question = QUESTION.replace("Subject:", "Precedence: list\nList-ID: <support.acme.example>\nSubject:")
    reply = REPLY.replace("Subject:", "Precedence: list\nSubject:")
    offer = QUESTION.replace("Subject:", "Precedence: bulk\nSubject:").replace("q1@", "q2@")
    loaded({"1.eml": question, "2.eml": reply, "3.eml": offer})
    kinds = dict(loaded.events("external_id", "author_kind"))
    assert kinds == {"q1@mail.example": "customer", "a1@acme.example": "agent", "q2@mail.example": "system"}
    assert loaded.conversation("q1@mail.example")["first_response_seconds"] == 5400


def test_replies_loaded_later_find_their_thread(loaded):
    loaded({"inbox.mbox": MAIL["inbox.mbox"]})
    loaded({"2.eml": MAIL["sent/2.eml"]})
    assert loaded.conversation("q1@mail.example")["first_response_seconds"] == 5400


def mail(key: str, day: int, sender: str, to: str, answers: str = "", referred: str = "") -> str:
    headers = f"From: {sender}\nTo: {to}\nDate: Mon, {day} Jan 2026 09:00:00 +0000\nMessage-ID: <{key}@x>\n"
    if answers:
        headers += f"In-Reply-To: <{answers}@x>\n" + (f"References: {referred}\n" if referred else "")
    return f"{headers}\nText of {key}\n"


ANN, US, BEN = "ann@mail.example", "support@acme.example", "ben@mail.example"
# Ann asks, we answer, she goes on; Ben, who is told of it, joins in; Ann answers a message that nobody has.
MAILS = {
    "1": mail("1", 5, ANN, US),
    "2": mail("2", 6, US, ANN, "1", "<1@x>"),
    "3": mail("3", 7, ANN, US, "2", "<1@x> <2@x>"),
    "4": mail("4", 8, BEN, US, "2", "<1@x> <2@x>"),
    "5": mail("5", 9, ANN, US, "lost", "<other@x> <lost@x>"),
}


@pytest.fixture
def our_address(tmp_path, monkeypatch):
    (tmp_path / "accounts.toml").write_text(f'[accounts.mail]\n"{US}" = "Acme"\n')
    monkeypatch.setenv("FRONTDOOR_SETTINGS", str(tmp_path / "accounts.toml"))


@pytest.mark.usefixtures("our_address")
@pytest.mark.parametrize("loads", ["134,25", "25,134", "5,4,3,2,1"])
def test_mail_in_any_order_of_loads_gives_the_rows_of_one_load(new_store_url, tmp_path, loads):
    together = f"duckdb:///{tmp_path / 'together'}"
    load(together, [LoadOrder(write_files(tmp_path / "all", {f"{n}.eml": text for n, text in MAILS.items()}), "mail")])
    kinds = frame_of(together, conversations).set_index("first_inbound_at")["kind"].to_dict()
    assert {at.day: kind for at, kind in kinds.items()} == {5: "customer_opened", 8: "customer_opened", 9: "fragment"}
    for number, part in enumerate(loads.split(",")):
        files = {f"{name}.eml": MAILS[name] for name in part}
        load(new_store_url, [LoadOrder(write_files(tmp_path / str(number), files), "mail")])
    assert rows_of(new_store_url) == rows_of(together)
    assert load(new_store_url, [LoadOrder(tmp_path / "0", "mail")]).stored_count == 0
    assert rows_of(new_store_url) == rows_of(together)


@pytest.mark.usefixtures("our_address")
def test_a_rebuild_finds_the_parents_that_an_older_version_took_for_missing(new_store_url, tmp_path):
    load(new_store_url, [LoadOrder(write_files(tmp_path / "all", {f"{n}.eml": MAILS[n] for n in "123"}), "mail")])
    right = rows_of(new_store_url)
    with open_writer(new_store_url) as connection:
        connection.execute(
            update(interactions).where(interactions.c.external_id == "3@x").values(is_parent_missing=True)
        )
    rebuild(new_store_url)
    assert rows_of(new_store_url) == right


@pytest.mark.usefixtures("our_address")
def test_a_reply_that_only_the_missing_mail_could_place_stays_a_fragment_until_it_is_loaded_again(
    new_store_url, tmp_path
):
    first = write_files(tmp_path / "1", {"1.eml": MAILS["1"], "3.eml": mail("3", 7, ANN, US, "2")})
    load(new_store_url, [LoadOrder(first, "mail")])
    load(new_store_url, [LoadOrder(write_files(tmp_path / "2", {"2.eml": MAILS["2"]}), "mail")])
    assert sorted(frame_of(new_store_url, conversations)["kind"]) == ["customer_opened", "fragment"]
    load(new_store_url, [LoadOrder(first, "mail")])
    assert frame_of(new_store_url, conversations)["kind"].tolist() == ["customer_opened"]


@pytest.mark.parametrize("days", ["121", "212"])
def test_who_answered_in_an_earlier_load_does_not_become_a_brand(loaded, days):
    (loaded.folder / "store" / "settings.toml").write_text('[accounts.mail]\n"acme.example" = "Acme"\n')
    bo = "bo@acme.example"
    texts = {"1": [mail("1", 5, ANN, US), mail("2", 6, bo, ANN, "1")], "2": [mail("3", 7, ANN, bo)]}
    stored = [loaded({f"{n}.eml": text for n, text in enumerate(texts[day])})[1][1] for day in days]
    assert stored[2] == 0
    assert set(loaded.events("brand")) == {("Acme",)}


def test_a_domain_that_is_no_longer_named_is_no_longer_the_companys(loaded):
    settings = loaded.folder / "store" / "settings.toml"
    named = settings.read_text()
    settings.write_text(named + '"mail.example" = "Acme"\n')
    loaded({"1.eml": QUESTION})
    assert loaded.events("direction", "brand") == [("outbound", "Acme")]
    settings.write_text(named)
    loaded({"1.eml": QUESTION})
    assert loaded.events("direction", "brand", "author_kind") == [("inbound", "Acme", "customer")]


def test_the_sent_mail_of_a_maildir_is_read_but_not_what_was_never_sent_or_thrown_away(loaded):
    """Dovecot keeps each folder of a mailbox in one whose name begins with a dot."""
    folders = [".Drafts", ".INBOX.Trash", ".Junk", ".Spam", ".Deleted Items", "Spam"]
    aside = {f"Maildir/{name}/cur/1.M1:2,S": mail(f"aside{n}", 7, ANN, US) for n, name in enumerate(folders)}
    status, counts, _ = loaded(
        {
            "Maildir/cur/1.M1P1.host:2,S": mail("1", 5, ANN, US),
            "Maildir/.Sent/cur/2.M2P1.host:2,S": mail("2", 6, US, ANN, "1"),
            "Maildir/.Archive.2026/new/3.M3P1.host": mail("3", 7, ANN, US, "2"),
            "Maildir/tmp/4.M4P1.host": mail("4", 7, ANN, US),
            "Maildir/.cache/5": mail("5", 7, ANN, US),
            "Maildir/cur/.6": mail("6", 7, ANN, US),
            **aside,
        }
    )
    assert (status, counts) == (0, (3, 3, 0, 0))
    assert loaded.conversation("1@x")["first_response_seconds"] == 86400


def test_a_folder_of_drafts_is_read_where_it_is_named(loaded):
    files = {"Maildir/cur/1": mail("1", 5, ANN, US), "Maildir/.Spam/cur/2": mail("2", 5, BEN, US)}
    folder = write_files(loaded.folder / "named", files)
    assert loaded.load(folder / "Maildir" / ".Spam")[:2] == (0, (1, 1, 0, 0))


ORIGINAL = "X-Original-From: Gina <gina@mail.example>\n"
REPLY_TO = "Reply-To: Gina <gina@mail.example>\n"


@pytest.mark.parametrize(
    ("sender", "headers", "to", "expected"),
    [
        ("'Gina' via Support <support@acme.example>", ORIGINAL, US, ("inbound", "gina@mail.example", "Gina")),
        ("'Gina' via Support <support@acme.example>", ORIGINAL, ANN, ("inbound", "gina@mail.example", "Gina")),
        (
            "'Gina' via Support <support@acme.example>",
            "X-Original-Sender: gina@mail.example\n",
            US,
            ("inbound", "gina@mail.example", "Gina"),
        ),
        ("Website <support@acme.example>", REPLY_TO, US, ("inbound", "gina@mail.example", "Gina")),
        ("Bo <support@acme.example>", REPLY_TO, ANN, ("outbound", US, None)),
        ("Bo <support@acme.example>", "Reply-To: support@acme.example\n", US, ("outbound", US, None)),
        ("Bo <support@acme.example>", "X-Original-Sender: support@acme.example\n", ANN, ("outbound", US, None)),
        ("Ann <ann@mail.example>", REPLY_TO, US, ("inbound", ANN, "Ann")),
    ],
)
def test_who_wrote_through_a_group_or_a_contact_form_is_the_customer(loaded, sender, headers, to, expected):
    loaded({"1.eml": headers + mail("1", 5, sender, to)})
    names = dict(loaded.events("external_id", "direction")), dict(loaded.events("external_id", "author"))
    assert (names[0]["1@x"], names[1]["1@x"]) == expected[:2]
    known = frame_of(loaded.url, customers)["display_name"].dropna().tolist()
    assert known == ([expected[2]] if expected[2] else [])


def test_an_answer_to_a_customer_who_wrote_through_a_group_is_a_response(loaded):
    question = ORIGINAL + mail("1", 5, "'Gina' via Support <support@acme.example>", US)
    loaded({"1.eml": question, "2.eml": mail("2", 6, US, "gina@mail.example", "1")})
    assert loaded.conversation("1@x")["first_response_seconds"] == 86400


BOOKS = (
    "Date: Mon, 05 Jan 2026 08:00:00 +0000\nFrom: Mail System Internal Data <MAILER-DAEMON@host.example>\n"
    "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nMessage-ID: <1767600000@host.example>\n"
    "X-IMAP: 1767600000 0000000012\n\nThis text is part of the internal format of your mail folder.\n"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("2.eml", "X-Gmail-Labels: Drafts\n" + mail("2", 6, US, ANN, "1")),
        ("2.eml", "X-Gmail-Labels: Unread,\n Trash\n" + mail("2", 6, US, ANN, "1")),
        ("2.eml", "X-Gmail-Labels: =?UTF-8?Q?Gelesen,Entw=C3=BCrfe?=\n" + mail("2", 6, US, ANN, "1")),
        ("2.eml", "X-Gmail-Labels: Corbeille\n" + mail("2", 6, US, ANN, "1")),
        ("2.eml", "X-Status: D\n" + mail("2", 6, US, ANN, "1")),
        ("cur/2.M1P1.host:2,DS", mail("2", 6, US, ANN, "1")),
        ("cur/2.M1P1.host:2,ST", mail("2", 6, US, ANN, "1")),
        ("2.eml", BOOKS),
        ("2.eml", BOOKS.replace("X-IMAP:", "X-IMAPbase:")),
    ],
)
def test_drafts_and_deleted_mail_and_the_books_of_a_mail_server_are_not_read(loaded, name, content):
    assert loaded({"1.eml": mail("1", 5, ANN, US), name: content})[:2] == (0, (1, 1, 0, 0))
    assert loaded.events("external_id") == [("1@x",)]
    assert pd.isna(loaded.conversation("1@x")["first_response_seconds"])
    assert loaded({"1.eml": mail("1", 5, ANN, US), name: content})[:2] == (0, (1, 0, 1, 0))


@pytest.mark.parametrize(
    ("sender", "header"),
    [
        ("MAILER-DAEMON@mx.example", ""),
        ("Postmaster@mx.example", ""),
        (ANN, "Return-Path: <>\n"),
        (ANN, "Content-Type: multipart/report; report-type=delivery-status; boundary=zz\n"),
    ],
)
def test_a_bounce_is_no_customer_who_waits(loaded, sender, header):
    loaded({"1.eml": header + mail("1", 5, sender, US), "2.eml": "Return-Path: <ann@mail.example>\n" + QUESTION})
    assert loaded.events("external_id", "author_kind") == [("1@x", "system"), ("q1@mail.example", "customer")]


def test_what_gmail_took_for_spam_asks_for_nothing(loaded):
    spam = mail("1", 5, ANN, US).replace("Text of 1", "This is terrible, the worst service. Where is my money?")
    loaded({"1.eml": "X-Gmail-Labels: Spam,Unread\n" + spam, "2.eml": spam.replace("<1@x>", "<2@x>")})
    assert loaded.events("external_id", "needs_reply", "is_complaint") == [("1@x", False, False), ("2@x", True, True)]


HEAD = "From: Support <support@acme.example>\nSent: Monday, January 5, 2026 10:00 AM\nTo: Lou\nSubject: hi\n\n"
FAILED = "Sorry that our awful service failed you, this is terrible."
INTRO = "On Mon, Jan 5, 2026 at 10:00 AM Acme Customer Support Team <\nsupport@acme.example> wrote:"


@pytest.mark.parametrize(
    ("form", "body", "expected"),
    [
        ("plain", f"Thanks.\n\n{'_' * 32}\n{HEAD}{FAILED}\n", "Thanks."),
        ("plain", f"Thanks.\n\n{HEAD.replace('From:', '*From:*').replace('Sent:', '*Date:*')}{FAILED}\n", "Thanks."),
        ("plain", f"Thanks.\n\nVon: Wir\nGesendet: Montag\nAn: Lou\nBetreff: hi\n\n{FAILED}\n", "Thanks."),
        ("plain", f"Thanks.\n\n{INTRO}\n\n> {FAILED}\n", "Thanks."),
        ("plain", f"{INTRO}\n> {FAILED}\n\nThanks.\n", "Thanks."),
        ("plain", f"On 5 Jan, Us wrote:\n> {FAILED}\n\nThanks.\n", "Thanks."),
        ("plain", f"On 5 Jan, Us wrote:\n{FAILED}\n", None),
        (
            "plain",
            "On 5 January I called.\nYour agent wrote:\nWait.\n",
            "On 5 January I called.\nYour agent wrote:\nWait.",
        ),
        (
            "plain",
            "From: Berlin\nTo: Bonn\nDate: 5 May\nA ticket?\n",
            "From: Berlin\nTo: Bonn\nDate: 5 May\nA ticket?",
        ),
        (
            "plain",
            "See this.\n\n--- Forwarded message ---\nFrom: Kim\nDate: 5 Jan\nSubject: x\n\nLate!\n",
            "See this.\n\n--- Forwarded message ---\nFrom: Kim\nDate: 5 Jan\nSubject: x\n\nLate!",
        ),
        (
            "html",
            f"<p>Thanks.</p><p><b>From:</b> Us<br><b>Sent:</b> Monday<br><b>Subject:</b> x</p><p>{FAILED}</p>",
            "Thanks.",
        ),
        ("html", f"<p>Thanks.</p><BLOCKQUOTE type=cite>{FAILED}<blockquote>x</blockquote>y</BLOCKQUOTE>", "Thanks."),
        ("html", f"<p>Thanks.</p><blockquote>{FAILED}", "Thanks."),
        ("html", f"<blockquote><p>{FAILED}</p></blockquote><p>Thanks.</p>", "Thanks."),
        ("html", f'Thanks.<div class="gmail_quote"><div>Le 5 janvier, Nous a dit :</div>{FAILED}</div>', "Thanks."),
        ("html", f'Thanks.<hr><div id="divRplyFwdMsg" dir="ltr"><b>From:</b> Us</div><div>{FAILED}</div>', "Thanks."),
        (
            "html",
            f'<div class="gmail_quote">On 5 Jan, Us wrote:<br><blockquote>{FAILED}</blockquote></div><p>Thanks.</p>',
            "Thanks.",
        ),
        ("html", '<div class="gmail_quote">Forwarded: <p>It is late.</p></div>', "Forwarded: It is late."),
    ],
)
def test_what_a_mail_quotes_is_not_its_writers(form, body, expected):
    assert _body(email.message_from_string(f"Content-Type: text/{form}\n\n{body}")) == expected


def test_what_a_mail_quotes_makes_no_complaint_of_it(loaded):
    page = f"<p>Thanks, all works now.</p><b>From:</b> Support<blockquote>{FAILED}</blockquote>"
    headers, _, _ = mail("1", 5, ANN, US, "0").partition("\n\n")
    loaded({"1.eml": f"{headers}\nContent-Type: text/html\n\n{page}\n", "2.eml": mail("2", 5, BEN, US) + FAILED})
    assert dict(loaded.events("external_id", "is_complaint")) == {"1@x": False, "2@x": True}


@pytest.mark.parametrize(
    "text",
    [
        "On 1 wrote:\n" * 15_000 + ">",
        "Am " + "schrieb " * 24_000,
        ("Am x" + " schrieb" * 20 + "\n") * 1_100,
        "On \n" * 50_000,
        "Forwarded\n" + "\n" * 90_000 + "From: x\n" * 12_000,
        "-" * 200_000,
        "<blockquote" * 18_000,
        "<blockquote></blockquote" * 8_000,
        '<div class="' * 16_000,
        "<div " + "gmail_quot " * 18_000,
    ],
)
def test_no_text_takes_long_to_be_freed_of_its_quotes(text):
    started = time.process_time()
    _unquoted((plain(_markup_unquoted(text)) or "").splitlines())
    _unquoted(text.splitlines())
    assert time.process_time() - started < 5


def test_a_line_that_an_mbox_had_to_escape_is_no_quote(loaded):
    question = mail("1", 5, ANN, US).replace("Text of 1", "Hello.\n\n>From Monday on I wait.\n>>From afar.\n> Quoted")
    loaded({"1.mbox": f"From ann Mon Jan  5 10:00:00 2026\n{question}\n"})
    assert loaded.events("text") == [("Hello.\n\nFrom Monday on I wait.",)]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_headers_in_bytes_of_no_named_charset_are_read(loaded, encoding):
    text = mail("1", 5, "J\u00fcrgen <j@mail.example>", US).replace("\n\n", "\nSubject: Gr\u00f6\u00dfe\n\n", 1)
    (loaded.folder / "1.eml").write_bytes(text.encode(encoding))
    loaded.load(loaded.folder / "1.eml")
    assert loaded.events("text") == [("Gr\u00f6\u00dfe\nText of 1",)]
    assert frame_of(loaded.url, customers)["display_name"].tolist() == ["J\u00fcrgen"]


def test_files_of_a_mail_folder_that_are_no_mail_are_left_alone(loaded):
    files = {
        "cur/1.M1P1.host:2,S": "Received:\n\tfrom mx.example by us.example\n" + mail("1", 5, ANN, US),
        "dovecot-uidlist": "3 V1767600000 N3 G12345678\n1 :1767603600.M1P1.host\n",
        "dovecot-uidvalidity": "",
        "dovecot.index.log": "\x01\x02\xff" * 100,
        "subscriptions": "V\t2\n\nSent\nDrafts\n",
        "notes.pdf": "%PDF-1.4 \xff\xfe",
        "todo.txt": "a,b\n1,2\n",
    }
    status, counts, err = loaded(files)
    assert (status, counts) == (0, (1, 1, 0, 0))
    assert "not read: dovecot-uidlist, dovecot-uidvalidity, dovecot.index.log, notes.pdf, subscriptions" in err
    assert loaded(files, "--source", "mail")[:2] == (0, (1, 0, 1, 0))
    status, _, err = loaded({"notes.pdf": files["notes.pdf"]}, "--source", "mail")
    assert (status, "holds no mail" in err) == (2, True)


def test_a_file_that_is_named_is_read_as_mail_whatever_it_holds(loaded):
    folder = write_files(loaded.folder / "named", {"todo.txt": "a,b\n1,2\n"})
    assert loaded.load(folder / "todo.txt", "--source", "mail")[:2] == (1, (1, 0, 0, 1))


# Ann asks, Ben joins in and asks, too; we answer both (and a vendor, who never wrote) at once; Ann goes on.
SHARED = {
    "1": mail("1", 5, ANN, f"{US}, {BEN}"),
    "2": mail("2", 6, BEN, f"{US}, {ANN}", "1", "<1@x>"),
    "3": mail("3", 7, US, f"{ANN}, vendor@parts.example, {BEN}, {ANN}", "2", "<1@x> <2@x>"),
    "4": mail("4", 8, ANN, US, "3", "<1@x> <2@x> <3@x>"),
}


def test_one_reply_to_two_customers_of_a_thread_answers_both(loaded):
    files = {f"{name}.eml": text for name, text in SHARED.items()}
    assert loaded(files)[:2] == (0, (5, 5, 0, 0))
    assert loaded.events("external_id", "reply_to") == [
        ("1@x", None), ("2@x", "1@x"), ("3@x", "2@x"), ("3@x 1", "2@x"), ("4@x", "3@x"),
    ]  # fmt: skip
    assert sorted(frame_of(loaded.url, conversations)["first_response_seconds"]) == [86400, 2 * 86400]
    assert loaded(files)[:2] == (0, (5, 0, 5, 0))


@pytest.mark.usefixtures("our_address")
@pytest.mark.parametrize("loads", ["12,34", "4,12,3", "3,124,3"])
def test_a_reply_to_two_customers_is_the_same_in_loads_one_after_another(new_store_url, tmp_path, loads):
    together = f"duckdb:///{tmp_path / 'together'}"
    load(together, [LoadOrder(write_files(tmp_path / "all", {f"{n}.eml": SHARED[n] for n in SHARED}), "mail")])
    for number, part in enumerate(loads.split(",")):
        files = {f"{name}.eml": SHARED[name] for name in part}
        load(new_store_url, [LoadOrder(write_files(tmp_path / str(number), files), "mail")])
    assert rows_of(new_store_url) == rows_of(together)


def test_mail_needs_the_addresses_of_the_company(loaded):
    (loaded.folder / "store" / "settings.toml").write_text("")
    status, _, err = loaded({"1.eml": QUESTION})
    assert status == 2
    assert "[accounts.mail]" in err.splitlines()[-1]


# --- JSON-lines and Parquet through a mapping

MAPPING = (
    'source="desk"\n[columns]\nid="id"\noccurred_at="meta.at"\nchannel="via"\ntext="body"\n'
    '[values.channel]\napp="chat"\n'
)


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_a_mapping_reads_json_and_parquet_as_it_reads_csv(loaded, form):
    records = [
        {"id": 1, "meta": {"at": "2026-01-05T09:00:00Z"}, "via": "app", "body": "caf\u00e9"},
        {"id": 2, "meta": {"at": "2026-01-05T10:00:00Z"}, "via": "email", "body": None},
        {"id": 3, "meta": {"at": "soon"}, "via": "email", "body": None},
    ]
    path = loaded.folder / f"rows.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text("\n".join(map(json.dumps, records)) if form == "jsonl" else json.dumps(records, indent=2))
    (loaded.folder / "map.toml").write_text(MAPPING)
    status, counts, _ = loaded.load(path, "--mapping", loaded.folder / "map.toml")
    assert (status, counts) == (1, (3, 2, 0, 1))
    assert loaded.events("external_id", "channel", "text") == [("1", "chat", "caf\u00e9"), ("2", "email", None)]


# --- streams of JSON


def lines_of(path: Path, text: str) -> list[tuple]:
    path.write_text(text, encoding="utf-8")
    return [
        (item.line, item.list_name, item.values) if isinstance(item, Row) else (item.line, "rejected")
        for item in read_rows(path)
    ]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ("7", "a number"),
        ("1.5", "a number"),
        ('"x"', "a text"),
        ("[]", "a list"),
        ("true", "true or false"),
        ("null", "null"),
    ],
)
def test_what_is_no_object_is_called_as_json_calls_it(tmp_path, record, kind):
    (tmp_path / "a.json").write_text(f'[{{"a": 1}}, {record}]', encoding="utf-8")
    (reason,) = (item.reason for item in read_rows(tmp_path / "a.json") if isinstance(item, Reject))
    assert reason == f"{kind} where an object is expected"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}\n{"a": 2}', [(1, "", {"a": 1}), (2, "", {"a": 2})]),
        ('{"a": 1}\n{"a": \n{"a": 3}', [(1, "", {"a": 1}), (2, "rejected"), (3, "", {"a": 3})]),
        ('[{"a": 1},\n {"a": 2}]', [(1, "", {"a": 1}), (2, "", {"a": 2})]),
        ('[{"a": 1},\n {"a": ', [(1, "", {"a": 1}), (2, "rejected")]),
        ('[{"a": 1},\n 7]', [(1, "", {"a": 1}), (2, "rejected")]),
        (
            '{"count": 2,\n"tickets": [{"a": 1}], "users": [{"b": 2}]}',
            [(2, "tickets", {"a": 1}), (2, "users", {"b": 2})],
        ),
        ('{"data": {"meta": {}, "payload": [{"a": 1}]}}', [(1, "payload", {"a": 1})]),
        ('{"id": 1, "conversations": [{"a": 1}]}', [(1, "", {"id": 1, "conversations": [{"a": 1}]})]),
        ('{"tickets": [{"a": 1}, {"a": 2', [(1, "tickets", {"a": 1}), (1, "rejected")]),
        ('{"a": NaN}', [(1, "", {"a": None})]),
    ],
)  # fmt: skip
def test_json_is_read_element_by_element_and_a_cut_costs_what_was_cut(tmp_path, text, found):
    assert lines_of(tmp_path / "a.json", text) == found


def test_a_long_list_of_json_is_read_in_little_memory(tmp_path):
    path = tmp_path / "long.json"
    with path.open("w") as file:
        file.write('{"tickets": [')
        file.writelines(f'{{"id": {number}, "text": "{"x" * 1000}"}},\n' for number in range(20_000))
        file.write('{"id": 0}]}')
    import tracemalloc

    tracemalloc.start()
    count = sum(not isinstance(row, Reject) for row in read_rows(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, path.stat().st_size > 20_000_000) == (20_001, True)
    assert peak < 12_000_000


# --- which format is it?


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shapes in FOLDERS.items() for shape in shapes])
def test_every_shape_is_recognised_as_a_folder_and_as_files(tmp_path, name, shape):
    folder = write_files(tmp_path / "any", FOLDERS[name][shape])
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if SOURCES[name].is_folder:
        assert [order.source for order in recognise([folder])] == [name]
        assert [(order.source, order.paths) for order in recognise(files)] == [(name, tuple(files))]
    else:
        assert [order.source for order in recognise(files)] == [name] * len(files)


def test_files_of_two_systems_are_two_orders(tmp_path):
    first = write_files(tmp_path / "a", CALLS) / "calls.csv"
    second = write_files(tmp_path / "b", CHATWOOT)
    found = recognise([second, first])
    assert [(order.source, order.paths) for order in found] == [("chatwoot", (second,)), ("calls", (first,))]
    assert found[0].words == "b: recognised as chatwoot (conversations, messages)"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.csv": "call_id,offered_at,queue\n1,2,3\n"}, "nearest: calls (calls) but for outcome"),
        ({"a.csv": "x,y\n1,2\n"}, "known are twcs, zendesk"),
        ({"a.csv": "Ticket ID,Customer Age,Ticket Channel,First Response Time\n"}, "without the time when each"),
        ({"a.bin": "\x89PNG\r\n\x1a\n\x00"}, "is not a CSV: it is binary"),
        ({"a.json": [1, 2]}, "is of no known format"),
        ({}, "is an empty folder"),
        ({"a.csv": "x,y\n1,2\n", "b.csv": "z\n1\n"}, "files of no known format"),
    ],
)  # fmt: skip
def test_what_cannot_be_recognised_is_refused_in_one_line_that_says_what_it_could_be(loaded, files, said):
    folder = write_files(loaded.folder / "any", files)
    folder.mkdir(exist_ok=True)
    status, _, err = loaded.load(folder / next(iter(files)) if len(files) == 1 else folder)
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


def test_a_folder_of_two_systems_is_ambiguous(tmp_path):
    write_files(tmp_path, {"a.json": CHATWOOT["messages.json"], "b.csv": FRESHDESK_CSV["tickets.csv"]})
    with pytest.raises(SourceError, match="could be freshdesk or chatwoot: say which with --source"):
        recognise([tmp_path])


def test_sources_are_listed_with_what_they_cannot_tell(capsys):
    assert main(["sources"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(SOURCES)
    assert all(
        "Cannot tell: " in line and source.gaps in line for line, source in zip(lines, SOURCES.values(), strict=True)
    )


def test_every_source_has_its_recipe_in_the_documentation():
    text = (Path(__file__).resolve().parents[1] / "docs" / "sources.md").read_text(encoding="utf-8")
    for name in SOURCES:
        section = text.split(f"\n## {name}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]
        assert "**Where to get it.**" in section, name
        assert "**What it cannot tell.**" in section, name


# --- the shared data: real files and the vendors' own shapes


@pytest.mark.parametrize("measure", ["first_responses", "hour_due", "in_hour"])
def test_requests_of_which_no_answer_is_known_open_no_rows_of_a_response_measure(loaded, measure):
    loaded(SF311)
    engine = open_reader(loaded.url)
    wanted = resolved(Filter(), read_status(engine, loaded.url))
    assert count_rows(engine, Selection(wanted, "opened")) > 0
    assert age_fairness(engine, wanted).empty
    assert count_rows(engine, Selection(wanted, measure)) == 0


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "source", "counts"),
    [
        ("helpdesk_formats/zendesk_ticket_metrics", "zendesk", (5849, 5849, 0, 0)),
        ("helpdesk_formats/dbt_zendesk", "zendesk", (30, 10, 0, 20)),
        ("helpdesk_formats/dbt_intercom", "intercom", (10, 2, 7, 1)),
        ("helpdesk_formats/freshdesk_v2_json", "freshdesk", (10, 3, 7, 0)),
        ("cfpb/complaints_sample.csv", "cfpb", (6623, 6623, 0, 0)),
        ("sf311/sf311.csv", "open311", (10000, 9952, 0, 48)),
    ],
)
def test_shared_files_are_recognised_and_load(loaded, shared_data, name, source, counts):
    status, found, err = loaded.load(shared_data / name)
    assert f"recognised as {source}" in err
    assert (status, found) == (1 if counts[3] else 0, counts)
    assert len(frame_of(loaded.url, rejected_rows)) == counts[3]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["dbt_zendesk", "dbt_intercom"])
def test_tables_whose_comments_are_of_other_tickets_call_nobody_ignored(loaded, shared_data, name):
    loaded.load(shared_data / "helpdesk_formats" / name)
    assert loaded.report(response_times)["conversation_count"] == 0
    assert loaded.report(ignored_complaints)["complaint_count"] == 0


@pytest.mark.real_data
def test_ticket_metrics_leave_553_tickets_unanswered(loaded, shared_data):
    loaded.load(shared_data / "helpdesk_formats" / "zendesk_ticket_metrics")
    row = loaded.report(response_times)
    assert (row["conversation_count"], row["unanswered_count"], row["closed_without_reply_count"]) == (5849, 553, 361)
