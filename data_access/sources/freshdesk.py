"""Freshdesk: tickets and conversations of its API as JSON (both versions), or its ticket export as CSV."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_access.sources.base import Batch, Part, Source
from data_access.sources.files import Building, Files, Lookup
from data_access.sources.records import Row, plain
from data_access.sources.states import NewestTold, changed_at, tells_silence

CHANNELS = {
    "1": "email", "2": "web_form", "3": "phone", "4": "forum", "5": "twitter", "6": "facebook", "7": "chat",
    "9": "web_form", "10": "email", "13": "whatsapp", "email": "email", "portal": "web_form", "phone": "phone",
    "forum": "forum", "twitter": "twitter", "facebook": "facebook", "chat": "chat", "feedback widget": "web_form",
    "outbound email": "email", "whatsapp": "whatsapp",
}  # fmt: skip
OUTBOUND = frozenset({"10", "outbound email"})
STATUSES = {"2": "open", "3": "pending", "4": "resolved", "5": "closed"}
PARTS = (
    Part(
        "tickets",
        frozenset({"id", "requester_id", "responder_id", "created_at", "status", "source"}),
        frozenset({"tickets", "helpdesk_tickets"}),
    ),
    Part("wrapped tickets", frozenset({"helpdesk_ticket"})),
    Part("ticket export", frozenset({"ticket id", "created time", "status", "source"})),
    Part("conversations", frozenset({"id", "ticket_id", "incoming", "private", "user_id", "created_at"})),
    Part("contacts", frozenset({"id", "email", "mobile", "phone", "name", "active"}), frozenset({"contacts"})),
    Part("agents", frozenset({"id", "ticket_scope", "contact"}), frozenset({"agents"})),
    Part("groups", frozenset({"id", "name", "unassigned_for", "escalate_to"}), frozenset({"groups"})),
)
TICKETS = ("tickets", "wrapped tickets", "ticket export")
# Lists of conversations within a ticket.
_NOTES = ("conversations", "notes")
# What conversations need to know of their ticket.
_KEPT = ("conversation", "customer", "display_name", "email", "phone", "channel", "team", "brand")
_CHANGED = ("updated_at", "last update time", "last updated time")


def read(path: Path, *, more: tuple[Path, ...] = (), encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of the files of one account. Raises SourceError where none of them is there."""
    files = Files((path, *more), PARTS, "freshdesk", encoding)
    people, tickets, talked, groups = Lookup(), NewestTold(_KEPT), Lookup(), dict[str, str]()
    openings, events = Building(), Building()
    with_notes: set[str] = set()

    def remember(part: str, _file: str | None, row: Row) -> None:
        if part in TICKETS:
            with contextlib.suppress(ValueError):  # told when it is read as an event
                ticket, key = _state(part, row)
                if any(isinstance(ticket.get(name), list) for name in _NOTES):
                    talked[key] = ()
                    with_notes.add(part)
        elif part == "conversations":
            with contextlib.suppress(ValueError):  # told when it is read as an event
                talked[row.needed("ticket_id")] = ()
        elif part == "groups":
            groups[row.needed("id")] = row.needed("name")
        else:
            _remember_person(part, row, people)

    def add_ticket(part: str, file: str | None, row: Row) -> None:
        ticket, key = _state(part, row)
        if part == "ticket export":
            openings.add(row, file, *_exported(row))
            return
        event, fact = _ticket(ticket, people, groups, talked)
        openings.add(row, file, event, fact)
        tickets.see(key, event, event["changed_at"])

    def add_conversation(part: str, file: str | None, row: Row) -> None:
        for note in _notes(part, row):
            try:
                key = note.needed("ticket_id")
                ticket = tickets.get(key)
                if ticket is not None:
                    events.add(note, file, _conversation(note, ticket, people))
                elif part == "conversations":  # else it stands in its ticket, which was rejected
                    raise ValueError(f"ticket {key} of this conversation is not in the files")
            except ValueError as problem:
                events.reject(note, file, problem)

    yield from openings.take(files, ("contacts", "agents", "groups", "conversations", *TICKETS), remember)
    yield from openings.take(files, TICKETS, add_ticket)
    yield from events.take(files, ("conversations", *sorted(with_notes)), add_conversation)
    for lookup in (people, tickets, talked):
        lookup.close()


def _remember_person(part: str, row: Row, people: Lookup) -> None:
    inside = "contact." if part == "agents" else ""
    told = (row.text(f"{inside}{name}") for name in ("name", "email", "mobile"))
    people[row.needed("id")] = (*told, row.text(f"{inside}phone"))


def _state(part: str, row: Row) -> tuple[Row, str]:
    """A ticket and its id. Raises ValueError where it is none, or has no id."""
    if part == "ticket export":
        return row, row.needed("ticket id")
    ticket = _unwrapped(row) if part == "wrapped tickets" else row
    return ticket, ticket.needed("id")


def _unwrapped(row: Row) -> Row:
    inside = row.get("helpdesk_ticket")
    if not isinstance(inside, dict):
        raise ValueError("helpdesk_ticket is no object")
    # The older version numbers tickets for people by display_id.
    return Row(row.line, row.list_name, {**inside, "id": inside.get("display_id", inside.get("id"))}, row.raw)


def _ticket(
    row: Row, people: Lookup, groups: Mapping[str, str], talked: Lookup
) -> tuple[dict[str, Any], dict[str, Any]]:
    key, opened_at = row.needed("id"), row.needed_moment("created_at")
    source = (row.text("source", "source_name") or "").lower()
    requester, responder = row.text("requester_id"), row.text("responder_id")
    name, email, mobile, phone = people.get(requester) or (None,) * 4
    is_ours = source in OUTBOUND
    agent = (people.get(responder) or (None,))[0] or row.text("responder_name") or responder
    group, product = row.text("group_id"), row.text("product_id")
    subject, body = row.text("subject"), plain(row.text("description_text", "description", "description_html"))
    event = {
        "external_id": f"ticket:{key}",
        "thread_id": key,
        "conversation": key,
        "customer": requester,
        "display_name": name or row.text("requester.name", "requester_name"),
        "email": email or row.text("requester.email", "email"),
        "phone": mobile or phone or row.text("requester.mobile", "requester.phone", "phone"),
        "channel": CHANNELS.get(source, "other"),
        "direction": "outbound" if is_ours else "inbound",
        "author_kind": "agent" if is_ours else "customer",
        "author": responder if is_ours else requester,
        "agent": agent if is_ours else None,
        "team": groups.get(group, group) if group else None,
        "brand": product,
        "occurred_at": opened_at,
        "changed_at": changed_at(row, *_CHANGED),
        "text": "\n".join(filter(None, (subject, body))) or None,
        "needs_reply": False if row.flag("spam") or row.flag("deleted") else None,
        "is_complaint": False if row.flag("spam") else None,  # a complaint that somebody deleted stays one
        "is_outreach": is_ours,
    }
    status = row.text("status")
    answered_at = row.moment("stats.first_responded_at")
    resolved_at = row.moment("stats.resolved_at", "stats.closed_at")
    # The stats of a table that has none are null.
    knows = key in talked or isinstance(row.get("stats"), dict)
    for at, words in ((answered_at, "answered"), (resolved_at, "resolved")):
        if at is not None and at < opened_at:
            raise ValueError(f"it is {words} before it is opened")
    fact = {
        "status": row.text("status_name") or STATUSES.get(status or "", status),
        "resolved_at": resolved_at,
        "first_response_at": answered_at,
        "is_answered": True if answered_at else None,
        "responder_agent": agent if answered_at else None,
        "is_response_known": knows and (answered_at is not None or tells_silence(event["channel"])),
    }
    return event, fact


def _exported(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of the CSV export: local times without a zone are taken for UTC."""
    key, opened_at = row.needed("ticket id"), row.needed_moment("created time")
    source = (row.text("source") or "").lower()
    is_ours = source in OUTBOUND
    agent = row.text("agent")
    answered_at = row.moment("initial response time")
    resolved_at = row.moment("resolved time", "closed time")
    for at, words in ((answered_at, "answered"), (resolved_at, "resolved")):
        if at is not None and at < opened_at:
            raise ValueError(f"it is {words} before it is opened")
    event = {
        "external_id": f"ticket:{key}",
        "thread_id": key,
        "conversation": key,
        "customer": row.text("contact id"),
        "display_name": row.text("full name"),
        "email": row.text("email"),
        "phone": row.text("mobile phone", "work phone"),
        "channel": CHANNELS.get(source, "other"),
        "direction": "outbound" if is_ours else "inbound",
        "author_kind": "agent" if is_ours else "customer",
        "agent": agent if is_ours else None,
        "team": row.text("group"),
        "brand": row.text("product"),
        "occurred_at": opened_at,
        "changed_at": changed_at(row, *_CHANGED),
        "text": row.text("subject"),
        "is_outreach": is_ours,
    }
    return event, {
        "status": row.text("status"),
        "resolved_at": resolved_at,
        "first_response_at": answered_at,
        "is_answered": True if answered_at else None,
        "responder_agent": agent if answered_at else None,
        "is_response_known": "initial response time" in row.values
        and (answered_at is not None or tells_silence(event["channel"])),
    }


def _notes(part: str, row: Row) -> Iterator[Row]:
    """A conversation, or those that stand within a ticket: `include=conversations`, or notes of the older version.

    Those of an older state of a ticket, too: a later one may have been loaded without them.
    """
    if part == "conversations":
        yield row
        return
    try:
        ticket, key = _state(part, row)
    except ValueError:
        return  # told when the ticket was read
    for name in _NOTES:
        given = ticket.get(name)
        for note in given if isinstance(given, list) else ():
            inner = note.get("note", note) if isinstance(note, dict) else None
            if isinstance(inner, dict):
                yield Row(ticket.line, name, {**inner, "ticket_id": key}, ticket.raw)


def _conversation(row: Row, ticket: Mapping[str, Any], people: Lookup) -> dict[str, Any]:
    is_incoming = row.flag("incoming")
    if is_incoming is None:
        raise ValueError("incoming is empty")
    user = row.text("user_id")
    return {
        **ticket,
        "external_id": f"conversation:{row.needed('id')}",
        "thread_id": ticket["conversation"],
        "direction": "inbound" if is_incoming else "outbound",
        "author_kind": "customer" if is_incoming else "agent",
        "author": user,
        "agent": None if is_incoming else (people.get(user) or (None,))[0] or user,
        "occurred_at": row.needed_moment("created_at"),
        "text": plain(row.text("body_text", "body")),
        "is_visible": row.flag("private") is not True,
    }


SOURCE = Source(
    name="freshdesk",
    summary="Freshdesk tickets, conversations, contacts and agents (API JSON, both versions), or its CSV export",
    gaps="tickets without conversations or stats tell no response; automatic replies look human; no texts in CSV",
    read=read,
    parts=PARTS,
    is_folder=True,
)
