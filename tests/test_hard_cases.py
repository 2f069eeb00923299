"""Each hard case of a contact has a stated rule (docs/metrics.md) and a test."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select

from data_access.audit import check_numbers
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.back_door import back_door
from data_access.queries.backlog import backlog
from data_access.queries.conversations import conversations_rows, selected_rows
from data_access.queries.definitions import definitions
from data_access.queries.ignored_complaints import ignored_complaints, ignored_worklist
from data_access.queries.response_times import reply_times, response_times
from data_access.queries.teams import orphans
from data_access.schema import conversations, waits
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved

HEADER = "id,conversation,direction,author_kind,agent,occurred_at,text,is_complaint,needs_reply,is_internal\n"
COLUMNS = {name: name for name in HEADER.strip().split(",")}
MAPPING = mapping_of({"source": "mail", "columns": COLUMNS, "constants": {"channel": "email"}}, "test")


@pytest.fixture
def loaded(tmp_path: Path):
    """Load rows of one conversation, again and again into the same store; gives its waits and the URL."""
    url = f"duckdb:///{tmp_path / 'store'}"

    def _load(rows: str, name: str = "m.csv") -> tuple[list, str]:
        file = tmp_path / name
        file.write_text(HEADER + rows, encoding="utf-8")
        load(url, [LoadOrder(file, "csv", MAPPING)])
        with open_reader(url).connect() as connection:
            found = connection.execute(select(waits).order_by(waits.c.conversation_id, waits.c.wait_number)).all()
        return found, url

    return _load


def test_a_conversation_revived_after_a_month_is_one_conversation_with_a_wait_of_its_own(loaded):
    rows, url = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,,true,\n"
        "2,a,outbound,agent,Bo,2026-01-01T11:00:00Z,Done,,,\n"
        "3,a,inbound,customer,,2026-02-02T10:00:00Z,It is broken again,true,true,\n"
        "4,a,outbound,agent,Bo,2026-02-02T12:00:00Z,Sorry,,,\n"
    )
    assert [wait.response_seconds for wait in rows] == [3600, 7200]
    with open_reader(url).connect() as connection:
        assert len(connection.execute(select(conversations)).all()) == 1


def test_a_reopened_conversation_whose_last_message_nobody_answered_waits_again(loaded, opened):
    _, url = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,true,true,\n"
        "2,a,outbound,agent,Bo,2026-01-01T11:00:00Z,Done and closed,,,\n"
        "3,a,inbound,customer,,2026-01-02T10:00:00Z,No it is not,true,true,\n"
        "9,z,inbound,customer,,2026-01-20T10:00:00Z,Other,false,true,\n"
    )
    row = ignored_complaints(*opened(url)).iloc[0]
    assert (row["complaint_count"], row["answered_in_target_count"], row["ignored_count"]) == (2, 1, 1)


def test_an_internal_note_and_an_automatic_acknowledgement_are_no_response(loaded):
    rows, _ = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,true,true,\n"
        "2,a,outbound,system,,2026-01-01T10:00:01Z,We got your mail,,,\n"
        "3,a,outbound,agent,Bo,2026-01-01T10:05:00Z,who takes this?,,,true\n"
        "4,a,outbound,agent,Bo,2026-01-01T12:00:00Z,Hello,,,\n"
    )
    (wait,) = rows
    assert wait.response_seconds == 7200
    assert (wait.first_bot_response_at - wait.started_at).total_seconds() == 1


def test_of_several_agents_the_first_ends_the_wait(loaded):
    rows, _ = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,true,true,\n"
        "2,a,outbound,agent,Bo,2026-01-01T10:10:00Z,Hello,,,\n"
        "3,a,outbound,agent,Cy,2026-01-01T10:20:00Z,Me too,,,\n"
    )
    (wait,) = rows
    assert (wait.responder_agent, wait.response_seconds) == ("Bo", 600)


def test_a_customer_who_writes_again_extends_the_wait_and_does_not_restart_its_clock(loaded):
    rows, _ = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,false,true,\n"
        "2,a,inbound,customer,,2026-01-01T11:00:00Z,Solved it myself,false,true,\n"
        "3,a,outbound,agent,Bo,2026-01-01T12:00:00Z,Good,,,\n"
    )
    (wait,) = rows
    assert (wait.inbound_count, wait.response_seconds) == (2, 7200)


def test_an_answer_before_the_complaint_does_not_answer_the_complaint(loaded):
    rows, _ = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,A question,false,true,\n"
        "2,a,outbound,agent,Bo,2026-01-01T10:10:00Z,An answer,,,\n"
        "3,a,inbound,customer,,2026-01-01T10:20:00Z,That is wrong!,true,true,\n"
    )
    assert [wait.first_complaint_at is not None for wait in rows] == [False, True]
    assert [wait.response_at is not None for wait in rows] == [True, False]


def test_the_clock_of_a_complaint_starts_at_the_first_complaint_of_its_wait(loaded):
    rows, _ = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,A question,false,true,\n"
        "2,a,inbound,customer,,2026-01-01T13:00:00Z,Still no answer!,true,true,\n"
        "3,a,outbound,agent,Bo,2026-01-01T14:00:00Z,Sorry,,,\n"
    )
    (wait,) = rows
    assert (wait.response_seconds, wait.complaint_response_seconds) == (4 * 3600, 3600)


def test_merged_tickets_become_one_conversation_when_the_source_sends_them_so(loaded):
    first = (
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Help,true,true,\n"
        "2,b,inbound,customer,,2026-01-01T11:00:00Z,Help me please,true,true,\n"
    )
    before, _ = loaded(first)
    assert len(before) == 2
    merged = first.replace("2,b,", "2,a,") + "3,a,outbound,agent,Bo,2026-01-01T12:00:00Z,Hello,,,\n"
    after, url = loaded(merged, "merged.csv")
    assert [(wait.inbound_count, wait.response_seconds) for wait in after] == [(2, 7200)]
    with open_reader(url).connect() as connection:
        assert len(connection.execute(select(conversations)).all()) == 1


def test_spam_and_thanks_leave_the_denominators_of_waits_and_are_counted_beside(loaded, opened):
    _, url = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,BUY CHEAP WATCHES,false,false,\n"
        "2,b,inbound,customer,,2026-01-01T10:00:00Z,Where is it?,false,true,\n"
        "3,b,outbound,agent,Bo,2026-01-01T10:10:00Z,Here,,,\n"
        "4,b,inbound,customer,,2026-01-01T10:20:00Z,Thanks,false,false,\n"
    )
    engine, wanted = opened(url)
    row = reply_times(engine, wanted).iloc[0]
    assert (row["wait_count"], row["no_reply_needed_count"], row["unanswered_count"]) == (1, 2, 0)
    with_them = reply_times(engine, wanted.replace(with_no_reply_needed=True)).iloc[0]
    assert (with_them["wait_count"], with_them["unanswered_count"]) == (3, 2)
    # Conversations keep it: one of the two openings asks for nothing.
    first = response_times(engine, wanted).iloc[0]
    assert (first["conversation_count"], first["no_reply_needed_count"]) == (2, 1)


def test_a_complaint_always_needs_a_reply_whatever_the_flag_says(loaded):
    rows, _ = loaded("1,a,inbound,customer,,2026-01-01T10:00:00Z,Terrible,true,false,\n")
    assert rows[0].needs_reply_at == rows[0].first_complaint_at == rows[0].started_at


def test_thanks_that_a_question_follows_need_no_reply_until_the_question_came(loaded, opened):
    rows, url = loaded(
        "1,a,inbound,customer,,2026-01-01T10:00:00Z,Thanks,false,false,\n"
        "2,a,inbound,customer,,2026-01-20T10:00:00Z,Where is it now?,false,true,\n"
    )
    assert (rows[0].started_at.day, rows[0].needs_reply_at.day) == (1, 20)
    for as_of, asked in ((dt.datetime(2026, 1, 10), 0), (dt.datetime(2026, 1, 20, 10), 1)):
        engine, wanted = opened(url, as_of=as_of)
        row = reply_times(engine, wanted).iloc[0]
        assert (row["wait_count"], row["no_reply_needed_count"], row["unanswered_count"]) == (asked, 1 - asked, asked)
        assert backlog(engine, wanted).iloc[0]["open_count"] == asked
        [conversation] = conversations_rows(engine, wanted).to_dict("records")
        assert conversation["needs_reply"] == bool(asked)
        assert pd.isna(conversation["response_state"]) == (not asked)


TICKETS = mapping_of(
    {
        "source": "mail",
        "grain": "conversation",
        "columns": {"id": "ticket", "conversation": "ticket", "opened_at": "opened", "status": "status"},
        "constants": {"channel": "email"},
    },
    "test",
)


@pytest.mark.parametrize("order", ["messages first", "tickets first", "together"])
def test_where_messages_are_stored_a_list_of_tickets_without_answers_hides_no_silence(new_store_url, tmp_path, order):
    messages, tickets = tmp_path / "messages.csv", tmp_path / "tickets.csv"
    messages.write_text(
        HEADER + "1,a,inbound,customer,,2026-01-01T10:00:00Z,Where is it,true,true,\n"
        "2,a,outbound,agent,Bo,2026-01-01T11:00:00Z,We look,,,\n"
        "3,a,inbound,customer,,2026-01-02T10:00:00Z,Still nothing,true,true,\n"
        "4,b,inbound,customer,,2026-01-02T10:00:00Z,Nobody answers,true,true,\n"
        "9,z,inbound,customer,,2026-01-20T10:00:00Z,Other,false,true,\n"
    )
    tickets.write_text("ticket,opened,status\n" + "".join(f"{name},2026-01-02T10:00:00Z,open\n" for name in "abc"))
    orders = [LoadOrder(messages, "csv", MAPPING), LoadOrder(tickets, "csv", TICKETS)]
    if order == "together":
        load(new_store_url, orders)
    else:
        for one in orders if order == "messages first" else reversed(orders):
            load(new_store_url, [one])
    with open_reader(new_store_url).connect() as connection:
        found = connection.execute(
            select(conversations.c.external_id, waits.c.is_response_known)
            .join(waits, waits.c.conversation_id == conversations.c.conversation_id)
            .order_by(conversations.c.external_id, waits.c.wait_number)
        ).all()
    # Only of c nothing but its ticket is known.
    assert [tuple(row) for row in found] == [("a", True), ("a", True), ("b", True), ("c", False), ("z", True)]


EVENTS = "id,occurred_at,conversation,customer,channel,author_kind,agent,team,is_complaint,needs_reply\n"
OF_EVENTS = mapping_of({"source": "desk", "columns": {name: name for name in EVENTS.strip().split(",")}}, "test")


@pytest.fixture
def asked(new_store_url, tmp_path: Path):
    """Load events, then ask a query as of a moment, on both engines."""

    def _load(rows: str):
        file = tmp_path / "events.csv"
        file.write_text(EVENTS + rows)
        load(new_store_url, [LoadOrder(file, "csv", OF_EVENTS)])
        engine = open_reader(new_store_url)
        status = read_status(engine, new_store_url)

        def _ask(query, as_of: str | None = None, **fields: object):
            at = None if as_of is None else dt.datetime.fromisoformat(as_of)
            return query(engine, resolved(Filter(as_of=at, **fields), status))

        return _ask

    return _load


def test_a_private_contact_that_asked_for_nothing_before_the_post_is_no_back_door_whatever_follows(asked):
    ask = asked(
        "1,2026-03-02T09:00:00Z,k1,c1,chat,customer,,,false,false\n"
        "2,2026-03-02T12:00:00Z,k2,c1,twitter,customer,,,true,true\n"
        "3,2026-03-03T09:00:00Z,k1,c1,chat,customer,,,false,true\n"
        "4,2026-03-20T09:00:00Z,k3,c9,chat,customer,,,false,true\n"
    )
    for as_of in ("2026-03-02T13:00:00", "2026-03-10T09:00:00"):
        assert ask(back_door, as_of).iloc[0]["back_door_count"] == 0
        assert ask(back_door, as_of, with_no_reply_needed=True).iloc[0]["back_door_count"] == 1


def test_a_complaint_after_the_answer_on_another_channel_is_in_the_backlog_as_in_the_work_list(asked):
    ask = asked(
        "1,2026-03-02T09:00:00Z,k1,c1,twitter,customer,,,false,true\n"
        "2,2026-03-02T09:30:00Z,k2,c1,phone,customer,,,false,true\n"
        "3,2026-03-02T10:00:00Z,k2,c1,phone,agent,Bo,,,\n"
        "4,2026-03-02T11:00:00Z,k1,c1,twitter,customer,,,true,true\n"
        "5,2026-03-20T09:00:00Z,k3,c9,chat,customer,,,false,true\n"
        "6,2026-03-20T09:01:00Z,k3,c9,chat,agent,Bo,,,\n"
    )
    before, after = (ask(backlog, as_of).iloc[0] for as_of in ("2026-03-02T10:30:00", None))
    assert before["open_count"] == 0
    assert [after[f"{name}_count"] for name in ("open", "complaint", "ignored")] == [1, 1, 1]
    assert ask(ignored_worklist)["response_state"].tolist() == ["ignored"]
    listed = ask(lambda engine, wanted: selected_rows(engine, Selection(wanted, "open_waits")))
    assert listed["response_state"].tolist() == ["ignored"]


def test_what_came_after_as_of_is_counted_nowhere(asked):
    ask = asked(
        "1,2026-03-01T09:00:00Z,k1,a,email,customer,,T1,true,true\n"
        "2,2026-03-01T09:10:00Z,k1,a,email,agent,Ann,T1,,\n"
        "3,2026-03-01T11:00:00Z,k1,a,email,customer,,T1,true,true\n"
        "4,2026-03-02T12:00:00Z,k1,a,email,customer,,T1,true,true\n"
        "5,2026-03-08T11:00:00Z,k1,a,email,agent,Bo,T2,,\n"
        "6,2026-03-09T11:00:00Z,k1,a,email,customer,,T1,true,true\n"
        "7,2026-03-02T10:00:00Z,k2,b,email,customer,,T2,false,true\n"
        "8,2026-03-02T10:10:00Z,k2,b,email,agent,Bo,T2,,\n"
        "9,2026-03-20T10:00:00Z,k3,c,email,customer,,T2,false,true\n"
    )
    messages = {}
    for as_of in ("2026-03-02T11:00:00", "2026-03-03T11:00:00", "2026-03-08T12:00:00"):
        rows = ask(definitions, as_of)
        (row,) = rows[rows["definition"].str.startswith("messages")].to_dict("records")
        messages[as_of] = row["numerator_count"], row["denominator_count"]
    assert list(messages.values()) == [(2, 3), (2, 4), (4, 4)]
    assert ask(ignored_worklist, "2026-03-02T11:00:00")["complaint_count"].tolist() == [1]
    assert ask(ignored_worklist, "2026-03-03T11:00:00")["complaint_count"].tolist() == [2]
    # As of then Bo had answered in another conversation only.
    assert ask(orphans, "2026-03-04T11:00:00").empty


def test_tickets_without_answers_that_ask_for_nothing_are_counted_as_they_are_listed(tmp_path):
    """Of them no response is known, so they are in no figure of waits, nor in the rows that one opens."""
    file, url = tmp_path / "tickets.csv", f"duckdb:///{tmp_path / 'store'}"
    file.write_text("ticket,opened,asks\na,2026-01-02T10:00:00Z,false\nb,2026-01-03T10:00:00Z,true\n")
    names = {"id": "ticket", "conversation": "ticket", "opened_at": "opened", "needs_reply": "asks"}
    raw = {"source": "mail", "grain": "conversation", "columns": names, "constants": {"channel": "email"}}
    load(url, [LoadOrder(file, "csv", mapping_of(raw, "test"))])
    engine = open_reader(url)
    wanted = resolved(Filter(), read_status(engine, url))
    assert reply_times(engine, wanted).iloc[0]["no_reply_needed_count"] == 0
    assert selected_rows(engine, Selection(wanted, "no_reply_needed")).empty
    assert [finding for finding in check_numbers(engine, wanted) if not finding.is_ok] == []
