"""Intercom: its tables (conversation, part, contact, admin, team) or the conversations of its API as JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_access.sources.base import Batch, Part, Source
from data_access.sources.files import Building, Files, Lookup
from data_access.sources.records import Row, plain
from data_access.sources.states import NewestTold, changed_at, is_deleted, tells_silence

CHANNELS = {
    "conversation": "chat", "chat": "chat", "push": "chat", "email": "email", "facebook": "facebook",
    "twitter": "twitter", "instagram": "instagram", "whatsapp": "whatsapp",
    "sms": "sms", "phone_call": "phone", "phone_switch": "phone",
}  # fmt: skip
CUSTOMERS = frozenset({"user", "lead", "contact", "visitor"})
KINDS = {"admin": "agent", "team": "agent", "bot": "bot", "fin": "bot", "operator": "bot"}
# Parts that only the company sees.
NOTES = frozenset({"note", "note_and_reopen", "call_summary"})
PARTS = (
    Part("conversations", frozenset({"id", "created_at", "state", "source_author_type"})),
    Part("conversations", frozenset({"id", "created_at", "state", "source"}), frozenset({"conversations"})),
    Part("parts", frozenset({"id", "conversation_id", "part_type", "author_type", "created_at"})),
    Part("contacts", frozenset({"id", "role", "email", "workspace_id"}), frozenset({"contacts"})),
    Part("contact links", frozenset({"contact_id", "conversation_id"})),
    Part("admins", frozenset({"id", "job_title", "name", "email"}), frozenset({"admins"})),
    Part("teams", frozenset({"id", "name", "_fivetran_deleted"})),
    Part("teams", frozenset({"id", "name", "admin_ids"}), frozenset({"teams"})),
    Part("team members", frozenset({"admin_id", "team_id"})),
)


def read(path: Path, *, more: tuple[Path, ...] = (), encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of the tables of one export. Raises SourceError where none of them is there."""
    files = Files((path, *more), PARTS, "intercom", encoding)
    people, known, closed = Lookup(), NewestTold(_KEPT), Lookup()
    parts = _Parts()
    teams: dict[str, str] = {}
    openings, events = Building(), Building()

    def remember(part: str, _file: str | None, row: Row) -> None:
        if part == "conversations":
            with contextlib.suppress(ValueError):  # told when it is read as an event
                parts.see_state(row)
            return
        try:
            _remember(part, row, people, closed, teams)
            if part == "parts":
                parts.see(row)
        except ValueError:
            if part != "parts":  # a broken part is told when it is read as an event
                raise

    def add_conversation(_part: str, file: str | None, row: Row) -> None:
        event, fact, inner = _opening(row, people, closed, teams, parts)
        known.see(row.needed("id"), event, event["changed_at"])
        told = {name: event[name] for name in (*_KEPT, "changed_at")}
        openings.add(row, file, event, fact)
        for child in inner:
            try:
                events.add(child, file, _said_part(child, told, people))
            except ValueError as problem:
                events.reject(child, file, problem)

    def add_part(_part: str, file: str | None, row: Row) -> None:
        if not _is_said(row):
            return
        told = known.get(row.needed("conversation_id"))
        if told is None:
            raise ValueError(f"conversation {row.text('conversation_id')} of this part is not in the files")
        events.add(row, file, _said_part(row, told, people))

    described = ("contacts", "contact links", "admins", "teams", "team members", "parts", "conversations")
    yield from openings.take(files, described, remember)
    yield from openings.take(files, ("conversations",), add_conversation, beside=events)
    yield from events.take(files, ("parts",), add_part)
    for lookup in (people, known, closed, parts.of, parts.were_closed):
        lookup.close()


class _Parts:
    """Which conversations the part tables speak of, and from when to when."""

    def __init__(self) -> None:
        self.of, self.were_closed = Lookup(), Lookup()
        self._from: dt.datetime | None = None
        self._to: dt.datetime | None = None

    def see(self, row: Row) -> None:
        """Remember one part. Raises ValueError where it has no conversation or no time."""
        key, at = row.needed("conversation_id"), row.needed_moment("created_at")
        if key not in self.of:
            self.of[key] = ()
        self._from = min(at, self._from or at)
        self._to = max(at, self._to or at)

    def see_state(self, row: Row) -> None:
        """Remember a conversation that is closed in any of its states. Raises ValueError where it has no id."""
        if row.text("state") == "closed":
            self.were_closed[row.needed("id")] = ()

    def tell_all_of(self, key: str, opened_at: dt.datetime) -> bool:
        """They hold what was answered in this conversation, or that nothing was.

        Closing is a part: what was ever closed, but has none, is not in them. An open one may have none yet.
        """
        is_within = self._from is not None and self._to is not None and self._from <= opened_at <= self._to
        return key in self.of or (is_within and key not in self.were_closed)


_KEPT = ("conversation", "customer", "display_name", "email", "phone", "channel", "team", "brand")


def _remember(part: str, row: Row, people: Lookup, closed: Lookup, teams: dict[str, str]) -> None:
    if part == "contact links":
        people[f"of:{row.needed('conversation_id')}"] = (row.needed("contact_id"),)
    elif part == "teams":
        teams[row.needed("id")] = row.text("name") or row.needed("id")
    elif part == "team members":
        if is_deleted(row):
            return  # who has left a team is of another now
        people[f"team:{row.needed('admin_id')}"] = (row.needed("team_id"),)
    elif part == "parts":
        at = row.moment("created_at")
        if row.text("part_type") == "close" and at is not None:
            key = row.needed("conversation_id")
            closed[key] = (max(at.isoformat(), (closed.get(key) or ("",))[0]),)
    else:
        people[row.needed("id")] = (row.text("name"), row.text("email"), row.text("phone"))


def _author(row: Row, prefix: str) -> tuple[str | None, str | None, str | None]:
    """Type, id and name of an author, of a table or of the API."""
    table = "source_author" if prefix == "source.author" else "author"
    return (
        (row.text(f"{prefix}.type", f"{table}_type") or "").lower() or None,
        row.text(f"{prefix}.id", f"{table}_id"),
        row.text(f"{prefix}.name"),
    )


def _kind(given: str | None) -> str:
    if given in CUSTOMERS:
        return "customer"
    if given is None or given not in KINDS:
        raise ValueError(f"author type {given!r} is none of {', '.join(sorted({*CUSTOMERS, *KINDS}))}")
    return KINDS[given]


def _first_contact(row: Row) -> tuple[str | None, Mapping[str, Any]]:
    inside = row.get("contacts.contacts")
    first = inside[0] if isinstance(inside, list) and inside and isinstance(inside[0], dict) else {}
    return Row(0, "", first, "").text("id"), first


def _opening(
    row: Row, people: Lookup, closed: Lookup, teams: dict[str, str], parts: _Parts
) -> tuple[dict[str, Any], dict[str, Any], list[Row]]:
    key, opened_at = row.needed("id"), row.needed_moment("created_at")
    author_type, author, author_name = _author(row, "source.author")
    kind = _kind(author_type)
    contact, inside = _first_contact(row)
    customer = author if kind == "customer" else contact or (people.get(f"of:{key}") or (None,))[0]
    name, email, phone = people.get(customer) or (None,) * 3
    shown = Row(row.line, "", {**inside, "author": row.get("source.author") if kind == "customer" else {}}, "")
    assignee = row.text("assignee_id", "admin_assignee_id")
    team = row.text("team_assignee_id") or (assignee if row.text("assignee_type") == "team" else None)
    team = team or (people.get(f"team:{assignee}") or (None,))[0]
    subject, body = plain(row.text("source_subject", "source.subject")), plain(row.text("source_body", "source.body"))
    event = {
        "external_id": f"conversation:{key}",
        "thread_id": key,
        "conversation": key,
        "customer": customer,
        "display_name": name or shown.text("author.name", "name"),
        "email": email or shown.text("author.email", "email"),
        "phone": phone or shown.text("phone"),
        "channel": CHANNELS.get((row.text("source_type", "source.type") or "").lower(), "other"),
        "direction": "inbound" if kind == "customer" else "outbound",
        "author_kind": kind,
        "author": author,
        "agent": _agent(author, author_name, people) if kind == "agent" else None,
        "team": teams.get(team, team) if team and team != "0" else None,
        "brand": row.text("brand", "source.brand"),
        "occurred_at": opened_at,
        "changed_at": changed_at(row, "updated_at"),
        "text": "\n".join(filter(None, (subject, body))) or None,
        "needs_reply": False if is_deleted(row) else None,
        # What the company or its automation sends first is outreach, also where a bot sends it.
        "is_outreach": kind != "customer",
    }
    inner = row.get("conversation_parts.conversation_parts")
    children = [
        Row(row.line, "parts", {name.lower(): value for name, value in part.items()}, row.raw)
        for part in (inner if isinstance(inner, list) else ())
        if isinstance(part, dict)
    ]
    resolved = row.moment("statistics.last_close_at")
    if resolved is None and (last_close := (closed.get(key) or (None,))[0]):
        resolved = dt.datetime.fromisoformat(last_close)
    state = row.text("state")
    tells_reply = tells_silence(event["channel"]) and (isinstance(inner, list) or parts.tell_all_of(key, opened_at))
    fact: dict[str, Any] = {
        "status": state,
        "resolved_at": max(resolved, opened_at) if resolved and state == "closed" else None,
        "is_response_known": tells_reply,
    }
    first_reply = row.moment("statistics.first_admin_reply_at")
    if first_reply is not None:
        fact |= {"is_response_known": True, "is_answered": True, "first_response_at": max(first_reply, opened_at)}
    return event, fact, [child for child in children if _is_said(child)]


def _agent(author: str | None, name: str | None, people: Lookup) -> str | None:
    return (people.get(author) or (None,))[0] or name or author


def _is_said(row: Row) -> bool:
    """It says something; all other parts (assignment, snooze, close without words) only move the conversation.

    A picture or a file says something without words: it may be all of an answer. Connectors write lists as JSON text.
    """
    if is_deleted(row):
        return False
    body, attached = row.get("body"), row.get("attachments")
    if isinstance(attached, str):
        attached = attached.strip() not in ("", "[]", "null", "{}")
    return (body is not None and body != "") or bool(attached)


def _said_part(row: Row, of: Mapping[str, Any], people: Lookup) -> dict[str, Any]:
    author_type, author, author_name = _author(row, "author")
    kind = _kind(author_type)
    return {
        **of,
        "external_id": f"part:{row.needed('id')}",
        "thread_id": of["conversation"],
        "direction": "inbound" if kind == "customer" else "outbound",
        "author_kind": kind,
        "author": author,
        "agent": _agent(author, author_name, people) if kind == "agent" else None,
        "occurred_at": row.needed_moment("created_at"),
        "text": plain(row.text("body")),
        "is_visible": (row.text("part_type") or "").lower() not in NOTES,
    }


SOURCE = Source(
    name="intercom",
    summary="Intercom conversations, parts, contacts and admins (tables, or the API's JSON)",
    gaps="conversations without parts tell no response; the team is the present one; no audience",
    read=read,
    parts=PARTS,
    is_folder=True,
)
