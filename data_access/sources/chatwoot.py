"""Chatwoot: conversations and messages of its API as JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_access.sources.base import Batch, Part, Source
from data_access.sources.files import Building, Files, Lookup
from data_access.sources.records import Row, plain
from data_access.sources.states import is_deleted
from data_access.vocabulary import SAME_OPENING

CHANNELS = {
    "webwidget": "chat", "api": "chat", "email": "email", "facebookpage": "facebook", "twitterprofile": "twitter",
    "twiliosms": "sms", "sms": "sms", "whatsapp": "whatsapp", "instagram": "instagram", "voice": "phone",
    "line": "other", "telegram": "other",
}  # fmt: skip
INCOMING, OUTGOING, ACTIVITY, TEMPLATE = range(4)
TYPES = {"incoming": INCOMING, "outgoing": OUTGOING, "activity": ACTIVITY, "template": TEMPLATE} | {
    str(number): number for number in range(4)
}
FAILED = frozenset({"failed", "3"})
DELETED = "content_attributes.deleted"
PARTS = (
    Part("conversations", frozenset({"id", "inbox_id", "status", "meta"}), frozenset({"conversations"})),
    Part("messages", frozenset({"id", "message_type", "created_at", "conversation_id"}), frozenset({"messages"})),
)
_KEPT = ("channel", "customer", "display_name", "email", "phone", "handle", "team", "brand")


def read(path: Path, *, more: tuple[Path, ...] = (), encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of the files of one account. Raises SourceError where none of them is there.

    A conversation only says whose its messages are; those inside it (its newest) and those of message files are
    the interactions.
    """
    files = Files((path, *more), PARTS, "chatwoot", encoding)
    known, seen, read_of = Lookup(), Lookup(), Lookup()
    events, in_gaps = Building(), Building()

    def remember(part: str, _file: str | None, row: Row) -> None:
        if part == "conversations":
            known[row.needed("id")] = _conversation(row)
        for message in (row,) if part == "messages" else _inside(row):
            _remember(message, read_of)

    def add_messages(part: str, file: str | None, row: Row) -> None:
        for message in (row,) if part == "messages" else _inside(row):
            try:
                event = _message(message, known)
                # The newest message stands in its conversation and among the messages: one record, told twice.
                told = message.text("created_at"), event["text"] if event else None
                if event is not None and seen.get(event["external_id"]) != told:
                    seen[event["external_id"]] = told
                    fact = _fact(event, known, read_of)
                    (events if fact is None else in_gaps).add(message, file, event, fact)
            except ValueError as problem:
                events.reject(message, file, problem)

    yield from events.take(files, ("conversations", "messages"), remember)
    yield from events.take(files, ("messages", "conversations"), add_messages, beside=in_gaps)
    yield in_gaps.rest()
    for lookup in (known, seen, read_of):
        lookup.close()


def _remember(message: Row, read_of: Lookup) -> None:
    """Of each conversation the oldest message that is read, of whatever kind, and whether an agent's is among them."""
    try:
        key, at = message.needed("conversation_id"), message.needed_moment("created_at").isoformat()
        kind = TYPES.get((message.text("message_type") or "").lower())
        is_answer = kind == OUTGOING and _is_of_user(message) and _is_visible(message, kind)
    except ValueError:
        return  # told when it is read as an event
    oldest, is_answered = read_of.get(key) or (at, False)
    read_of[key] = (min(at, oldest), is_answered or is_answer)


def _fact(event: Mapping[str, Any], known: Lookup, read_of: Lookup) -> dict[str, Any] | None:
    """What the conversation says of answers that are not among its messages; None where these say all.

    Silence is none where the beginning is missing, as in a list of conversations, which has their newest message only:
    what stands before it may have been answered there. It is so of all that is read of it, not of its oldest message
    only: where another load brings the beginning, that tells.
    """
    opened_at, first_reply = (known.get(event["conversation"]) or (None,))[-2:]
    oldest, is_answered = read_of.get(event["conversation"]) or (None, False)
    fact: dict[str, Any] = {}
    if (
        opened_at
        and oldest
        and dt.datetime.fromisoformat(oldest) - dt.datetime.fromisoformat(opened_at) > SAME_OPENING
    ):
        fact["is_response_known"] = False
    if first_reply and not is_answered and event["direction"] == "inbound":
        answered_at = dt.datetime.fromisoformat(first_reply)
        if event["occurred_at"].isoformat() == oldest and answered_at >= event["occurred_at"]:
            fact = {"is_response_known": True} | fact | {"is_answered": True, "first_response_at": answered_at}
    return fact or None


def _conversation(row: Row) -> tuple[str | None, ...]:
    kind = (row.text("meta.channel", "channel") or "").rsplit("::", maxsplit=1)[-1].lower()
    channel = CHANNELS.get(kind, "other")
    sender = row.text("meta.sender.id")
    handle = row.text("meta.sender.identifier") if channel in ("facebook", "twitter", "instagram") else None
    shown = (row.text(f"meta.sender.{name}") for name in ("name", "email", "phone_number"))
    told = (channel, sender, *shown, handle, row.text("meta.team.name"), row.text("inbox.name"))
    return (*told, _time_of(row, "created_at"), _time_of(row, "first_reply_created_at"))


def _time_of(row: Row, column: str) -> str | None:
    """UTC as text; None where there is none, also where it cannot be read: the messages tell the times that count."""
    with contextlib.suppress(ValueError):
        at = row.moment(column)
        return at.isoformat() if at is not None else None
    return None


def _inside(row: Row) -> Iterator[Row]:
    inside = row.get("messages")
    for message in inside if isinstance(inside, list) else ():
        if isinstance(message, dict):
            yield Row(row.line, "messages", {"conversation_id": row.get("id"), **message}, row.raw)


def _message(row: Row, known: Lookup) -> dict[str, Any] | None:
    """A message as an event; None for what only tells of the conversation (assigned, resolved, label added)."""
    kind = TYPES.get((row.text("message_type") or "").lower())
    if kind is None:
        raise ValueError(f"message_type is {row.text('message_type')!r}, none of {', '.join(TYPES)}")
    if kind == ACTIVITY:
        return None
    conversation = row.needed("conversation_id")
    told = known.get(conversation)
    if told is None:
        raise ValueError(f"conversation {conversation} of this message is not in the files: load both together")
    of: Mapping[str, Any] = dict(zip(_KEPT, told[: len(_KEPT)], strict=True))
    author_kind = "customer" if kind == INCOMING else "agent"
    # Templates are greetings and forms; an outgoing message without a user is of a bot or a campaign.
    if kind == TEMPLATE or (kind == OUTGOING and not _is_of_user(row)):
        author_kind = "bot"
    agent = row.text("sender.name", "sender.id", "sender_id") if author_kind == "agent" else None
    return {
        **of,
        "external_id": f"message:{row.needed('id')}",
        "thread_id": conversation,
        "conversation": conversation,
        "direction": "inbound" if kind == INCOMING else "outbound",
        "author_kind": author_kind,
        "author": row.text("sender.id", "sender_id"),
        "agent": agent,
        "occurred_at": row.needed_moment("created_at"),
        # What was deleted has "This message was deleted" for its text.
        "text": None if is_deleted(row, DELETED) else plain(row.text("content")),
        "is_visible": _is_visible(row, kind),
    }


def _is_of_user(row: Row) -> bool:
    return (row.text("sender_type", "sender.type") or "").lower() == "user"


def _is_visible(row: Row, kind: int) -> bool:
    """The customer can have seen it: a note, or what was never delivered or is deleted, is no answer."""
    if row.flag("private") is True:
        return False
    is_undelivered = (row.text("status") or "").lower() in FAILED
    return kind == INCOMING or not (is_undelivered or is_deleted(row, DELETED))


SOURCE = Source(
    name="chatwoot",
    summary="Chatwoot conversations and messages (JSON of its API)",
    gaps="a list of conversations holds only their newest messages: load the messages, too; no resolution times",
    read=read,
    parts=PARTS,
    is_folder=True,
)
