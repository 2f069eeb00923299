"""Zendesk: ticket, comment and user tables, its incremental JSON export, or rows of ticket metrics.

A ticket is its opening interaction (its description is its first comment, so that comment is not read a second
time) and carries status and resolution; every other comment is an interaction.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_access.sources.base import Batch, Part, Source
from data_access.sources.files import Building, Files, Lookup
from data_access.sources.records import Row, plain
from data_access.sources.states import Newest, NewestTold, changed_at, is_deleted, tells_silence, version_of
from data_access.vocabulary import SAME_OPENING

CHANNELS = {
    "web": "web_form", "web_form": "web_form", "mobile": "web_form", "mobile_sdk": "web_form",
    "help_center": "web_form", "web_widget": "web_form", "web_service": "other", "email": "email",
    "chat": "chat", "messaging": "chat",
    "native_messaging": "chat", "answer_bot_for_web_widget": "chat", "voice": "phone", "phone": "phone",
    "twitter": "twitter", "twitter_dm": "twitter", "twitter_fav": "twitter", "twitter_like": "twitter",
    "x_corp": "twitter", "facebook": "facebook", "facebook_post": "facebook",
    "facebook_message": "facebook", "instagram_dm": "instagram",
    "sms": "sms", "whatsapp": "whatsapp", "forum": "forum", "topic": "forum", "google_play": "review",
}  # fmt: skip
_CHANGED = ("updated_at", "updated_timestamp")
# What comments need to know of their ticket.
_KEPT = ("opened", "description", "channel", "team", "brand", "requester_id", "submitter_id", "assignee_id")
SOLVED = frozenset({"solved", "closed"})
# The first comment bears the ticket's own time; Zendesk may write it a moment later.
SAME_MOMENT = dt.timedelta(seconds=5)
PARTS = (
    Part("tickets", frozenset({"id", "requester_id", "submitter_id", "created_at", "status"}), frozenset({"tickets"})),
    Part("comments", frozenset({"id", "ticket_id", "body", "public"}), frozenset({"comments"})),
    Part("ticket events", frozenset({"ticket_id", "child_events"}), frozenset({"ticket_events"})),
    Part("users", frozenset({"id", "role", "email", "organization_id"}), frozenset({"users"})),
    Part("groups", frozenset({"id", "name", "url", "created_at", "updated_at"}), frozenset({"groups"})),
    Part("brands", frozenset({"id", "name", "subdomain"}), frozenset({"brands"})),
    Part("metric sets", frozenset({"ticket_id", "reply_time_in_minutes"}), frozenset({"metric_sets"})),
    Part("metrics", frozenset({"ticket_id", "status", "first_reply_time_calendar_minutes"})),
)


def read(path: Path, *, more: tuple[Path, ...] = (), encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of the tables of one export. Raises SourceError where none of them is there."""
    files = Files((path, *more), PARTS, "zendesk", encoding)
    names: dict[str, dict[str, str]] = {"groups": {}, "brands": {}}
    users, tickets, metrics, firsts = Lookup(), NewestTold(_KEPT), Lookup(), Lookup()
    openings, events, states = Building(), Building(), Newest()

    def remember(part: str, _file: str | None, row: Row) -> None:
        if part == "metrics":
            with contextlib.suppress(ValueError):  # told when it is read as an event
                states.see(row.needed("ticket_id"), version_of(row, *_CHANGED))
        elif part in ("comments", "ticket events"):
            for comment in _comments(part, row):
                _keep_first(comment, firsts)
        else:
            _remember(part, row, names, users, metrics)

    def add_ticket(part: str, file: str | None, row: Row) -> None:
        if part == "metrics":
            if not states.has_newer(row.needed("ticket_id"), version_of(row, *_CHANGED)):
                openings.add(row, file, *_metric_row(row))
            return
        event, fact = _ticket(row, names, users, metrics, firsts)
        openings.add(row, file, event, fact)
        told = {name: row.text(name) for name in ("requester_id", "submitter_id", "assignee_id")}
        told |= {"opened": event["occurred_at"].isoformat(), "description": plain(row.text("description"))}
        tickets.see(row.needed("id"), event | told, event["changed_at"])

    def add_comments(part: str, file: str | None, row: Row) -> None:
        for comment in _comments(part, row):
            try:
                found = _comment(comment, users, tickets, firsts)
                if found is not None:
                    events.add(comment, file, found)
            except ValueError as problem:
                events.reject(comment, file, problem)

    described = ("users", "groups", "brands", "metric sets", "comments", "ticket events", "metrics")
    yield from openings.take(files, described, remember)
    yield from openings.take(files, ("tickets", "metrics"), add_ticket)
    yield states.rest()
    yield from events.take(files, ("comments", "ticket events"), add_comments)
    for lookup in (users, tickets, metrics, firsts, states):
        lookup.close()


def _keep_first(comment: Row, firsts: Lookup) -> None:
    """Remember the first comment of each ticket: its time as UTC text, and its id."""
    try:
        key, at = comment.needed("ticket_id"), comment.needed_moment("created_at", "created").isoformat()
        identifier = comment.needed("id")
    except ValueError:
        return  # told when it is read as an event
    before = firsts.get(key)
    if before is None or (at, len(identifier), identifier) < (before[0], len(before[1]), before[1]):
        firsts[key] = (at, identifier)


def _remember(part: str, row: Row, names: dict[str, dict[str, str]], users: Lookup, metrics: Lookup) -> None:
    if part == "metric sets":
        minutes = row.get("reply_time_in_minutes")
        given = minutes.get("calendar") if isinstance(minutes, dict) else minutes
        solved, key = row.moment("solved_at"), row.needed("ticket_id")
        told = (
            Row(row.line, "", {"minutes": given}, row.raw).number("minutes"),
            solved.isoformat() if solved else None,
            version_of(row, "updated_at"),
        )
        before = metrics.get(key)
        if before is None or _rank(before) < _rank(told):
            metrics[key] = told
        return
    key = row.needed("id")
    if part == "users":
        users[key] = (row.text("role"), row.text("name"), row.text("email"), row.text("phone"))
    else:
        names[part][key] = row.text("name") or key


def _rank(metric_set: tuple[Any, ...]) -> tuple[str, bool, str]:
    """The newest metric set of a ticket counts; of those without a time the one that tells most."""
    minutes, solved, version = metric_set
    return version, minutes is not None, solved or ""


def _role(user: str | None, users: Lookup) -> str | None:
    """customer, agent, or None where the user table does not know."""
    known = users.get(user)
    if user == "-1":
        return "system"
    return None if known is None or known[0] is None else "customer" if known[0] == "end-user" else "agent"


def _named(user: str | None, users: Lookup) -> str | None:
    known = users.get(user)
    return (known[1] if known else None) or user


def _customer(requester: str, users: Lookup) -> dict[str, Any]:
    _, name, email, phone = users.get(requester) or (None,) * 4
    return {"customer": requester, "display_name": name, "email": email, "phone": phone}


def _ticket(
    row: Row, names: dict[str, dict[str, str]], users: Lookup, metrics: Lookup, firsts: Lookup
) -> tuple[dict[str, Any], dict[str, Any]]:
    key, requester = row.needed("id"), row.needed("requester_id")
    submitter, opened_at = row.text("submitter_id") or requester, row.needed_moment("created_at")
    channel = CHANNELS.get((row.text("via_channel", "via.channel") or "").lower(), "other")
    # A call that an agent wrote down was the customer's; another ticket that an agent opens is ours.
    is_ours = submitter != requester and _role(submitter, users) != "customer" and channel != "phone"
    is_public = row.flag("is_public") is not False
    group, brand = row.text("group_id"), row.text("brand_id")
    description = plain(row.text("description"))
    subject = row.text("subject", "raw_subject")
    shown = (
        description if not subject or (description or "").startswith(subject) else f"{subject}\n{description or ''}"
    )
    event = {
        "external_id": f"ticket:{key}",
        "thread_id": key,
        "conversation": key,
        **_customer(requester, users),
        "channel": channel,
        "direction": "outbound" if is_ours else "inbound",
        "author_kind": "agent" if is_ours else "customer",
        "author": submitter if is_ours else requester,
        "agent": _named(submitter, users) if is_ours else None,
        "team": names["groups"].get(group, group) if group else None,
        "brand": names["brands"].get(brand, brand) if brand else None,
        "occurred_at": opened_at,
        "changed_at": changed_at(row, *_CHANGED),
        "text": shown,
        "is_visible": is_public or not is_ours,
    }
    status = row.text("status")
    if status == "deleted" or is_deleted(row):  # almost always spam
        event["needs_reply"] = False
    minutes, solved, _ = metrics.get(key) or (None,) * 3
    # Every ticket has its description as its first comment: without that, other comments of it may be missing, too.
    first = firsts.get(key)
    has_comments = first is not None and dt.datetime.fromisoformat(first[0]) - opened_at <= SAME_OPENING
    fact: dict[str, Any] = {"status": status, "is_response_known": has_comments or key in metrics}
    if solved is not None:
        fact["resolved_at"] = max(dt.datetime.fromisoformat(solved), opened_at)
    if minutes is not None:
        assignee = row.text("assignee_id")
        fact |= {
            "first_response_at": _after(opened_at, minutes),
            "is_answered": True,
            "responder_agent": _named(assignee, users),
        }
    elif not tells_silence(channel):
        fact |= _call(submitter if submitter != requester else None, users)
    return event, fact


def _call(submitter: str | None, users: Lookup) -> dict[str, Any]:
    """What a call tells without a reply: an agent who wrote it down took it; else it may have been taken or not.

    Zendesk itself submits as user -1.
    """
    is_taken = submitter is not None and _role(submitter, users) in ("agent", None)
    if not is_taken:
        return {"is_response_known": False}
    return {"is_response_known": True, "is_answered": True, "responder_agent": _named(submitter, users)}


def _after(opened_at: dt.datetime, minutes: float) -> dt.datetime:
    """The moment so many minutes later. Raises ValueError where the calendar ends before."""
    try:
        return opened_at + dt.timedelta(seconds=round(minutes * 60))
    except OverflowError:
        raise ValueError(f"{minutes:g} minutes after {opened_at} are at no possible time") from None


def _metric_row(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    key, opened_at = row.needed("ticket_id"), row.needed_moment("created_timestamp", "created_at")
    minutes = row.number("first_reply_time_calendar_minutes")
    resolved_at = row.moment("first_solved_at", "solved_at")
    if resolved_at is not None and resolved_at < opened_at:
        raise ValueError("it is resolved before it is opened")
    via = (row.text("ticket_channel", "channel") or "").lower()
    # `submitter_role` says who entered the ticket, not who began the contact: all count as the customers'.
    agent = row.text("assignee_name")
    channel = CHANNELS.get(via, "other")
    # A call that an agent wrote down was taken; of another without a reply nobody knows.
    is_call = minutes is None and not tells_silence(channel)
    is_taken = is_call and (row.text("submitter_role") or "").lower() in ("agent", "admin")
    event = {
        "external_id": f"ticket:{key}",
        "thread_id": key,
        "conversation": key,
        "channel": channel,
        "direction": "inbound",
        "author_kind": "customer",
        "team": row.text("ticket_group", "group_name"),
        "brand": row.text("ticket_brand", "brand_name"),
        "occurred_at": opened_at,  # no time of change: of what the row lacks the ticket's own states tell
        "text": row.text("description", "subject"),
    }
    answered_at = _after(opened_at, minutes) if minutes is not None else None
    return event, {
        "first_response_at": answered_at,
        "is_answered": True if answered_at or is_taken else None,
        "responder_agent": agent if answered_at else row.text("submitter_name") if is_taken else None,
        "resolved_at": resolved_at,
        "status": row.text("status"),
        "is_response_known": is_taken or not is_call,
    }


def _comments(part: str, row: Row) -> Iterator[Row]:
    """The comments of a record: itself, unless it is deleted, or those among the changes of a ticket event."""
    if part == "comments":
        if not is_deleted(row):
            yield row
        return
    events = row.get("child_events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and str(event.get("event_type", event.get("type"))).lower() == "comment":
            # Without the comment sideload only the fact of a comment is told; it has no text then.
            values = {"ticket_id": row.get("ticket_id"), "user_id": row.get("updater_id"), **event}
            values.setdefault("created_at", row.get("created_at") or row.get("timestamp"))
            values.setdefault("public", event.get("comment_public"))
            yield Row(row.line, row.list_name, values, row.raw)


def _comment(row: Row, users: Lookup, tickets: NewestTold, firsts: Lookup) -> dict[str, Any] | None:
    """A comment as an event; None for the first one where it is the ticket's description again."""
    key = row.needed("ticket_id")
    at = row.needed_moment("created_at", "created")
    text, author = plain(row.text("body", "html_body")), row.text("author_id", "user_id")
    ticket = tickets.get(key)
    if ticket is None:
        raise ValueError(f"ticket {key} of this comment is not in the files: load tickets and comments together")
    requester, submitter, assignee = (ticket[name] for name in ("requester_id", "submitter_id", "assignee_id"))
    opened_at, description = dt.datetime.fromisoformat(ticket["opened"]), ticket["description"]
    is_first = (firsts.get(key) or (None, None))[1] == row.text("id")
    is_same_text = (text or "").split() == (description or "").split()
    is_description = (
        abs(at - opened_at) <= SAME_OPENING if is_same_text else not text and abs(at - opened_at) <= SAME_MOMENT
    )
    if is_first and is_description and author in (submitter, requester, None):
        return None
    kind = "customer" if author == requester else _role(author, users)
    if kind is None and author is not None and author in (assignee, submitter):
        kind = "agent"
    if kind is None:
        raise ValueError(f"nobody says whether user {author} is an agent or a customer: load the users, too")
    is_public = row.flag("public")
    return {
        "external_id": f"comment:{row.needed('id')}",
        "thread_id": key,
        "conversation": key,
        **_customer(requester, users),
        "direction": "inbound" if kind == "customer" else "outbound",
        "author_kind": kind,
        "author": author,
        "agent": _named(author, users) if kind == "agent" else None,
        **{name: ticket[name] for name in ("channel", "team", "brand", "changed_at")},
        "occurred_at": at,
        "text": text,
        "is_visible": is_public is not False,
    }


SOURCE = Source(
    name="zendesk",
    summary="Zendesk tickets, comments and users (tables or incremental JSON export), or ticket-metric rows",
    gaps="tickets without first comment or metrics tell no response; group of today; no texts of metrics",
    read=read,
    parts=PARTS,
    is_folder=True,
)
