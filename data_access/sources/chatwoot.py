"""Chatwoot: conversations and messages of its API as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_access.sources.base import Batch, Part, Source
from data_access.sources.files import Building, Files, Lookup
from data_access.sources.records import Row, plain

CHANNELS = {
    "webwidget": "chat", "api": "chat", "email": "email", "facebookpage": "facebook", "twitterprofile": "twitter",
    "twiliosms": "sms", "sms": "sms", "whatsapp": "whatsapp", "instagram": "instagram", "voice": "phone",
    "line": "other", "telegram": "other",
}  # fmt: skip
INCOMING, OUTGOING, ACTIVITY, TEMPLATE = range(4)
TYPES = {"incoming": INCOMING, "outgoing": OUTGOING, "activity": ACTIVITY, "template": TEMPLATE} | {
    str(number): number for number in range(4)
}
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
    known, seen = Lookup(), Lookup()
    events = Building()

    def remember(_part: str, _file: str | None, row: Row) -> None:
        known[row.needed("id")] = _conversation(row)

    def add_messages(part: str, file: str | None, row: Row) -> None:
        for message in (row,) if part == "messages" else _inside(row):
            try:
                event = _message(message, known)
                # The newest message stands in its conversation and among the messages: one record, told twice.
                told = message.text("created_at"), event["text"] if event else None
                if event is not None and seen.get(event["external_id"]) != told:
                    seen[event["external_id"]] = told
                    events.add(message, file, event)
            except ValueError as problem:
                events.reject(message, file, problem)

    yield from events.take(files, ("conversations",), remember)
    yield from events.take(files, ("messages", "conversations"), add_messages)
    known.close()
    seen.close()


def _conversation(row: Row) -> tuple[str | None, ...]:
    kind = (row.text("meta.channel", "channel") or "").rsplit("::", maxsplit=1)[-1].lower()
    channel = CHANNELS.get(kind, "other")
    sender = row.text("meta.sender.id")
    handle = row.text("meta.sender.identifier") if channel in ("facebook", "twitter", "instagram") else None
    shown = (row.text(f"meta.sender.{name}") for name in ("name", "email", "phone_number"))
    return (channel, sender, *shown, handle, row.text("meta.team.name"), row.text("inbox.name"))


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
    of: Mapping[str, Any] = dict(zip(_KEPT, told, strict=True))
    sender_type = (row.text("sender_type", "sender.type") or "").lower()
    author_kind = "customer" if kind == INCOMING else "agent"
    # Templates are greetings and forms; an outgoing message without a user is of a bot or a campaign.
    if kind == TEMPLATE or (kind == OUTGOING and sender_type != "user"):
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
        "text": plain(row.text("content")),
        "is_visible": row.flag("private") is not True,
    }


SOURCE = Source(
    name="chatwoot",
    summary="Chatwoot conversations and messages (JSON of its API)",
    gaps="a list of conversations holds only their newest messages: load the messages, too; no resolution times",
    read=read,
    parts=PARTS,
    is_folder=True,
)
