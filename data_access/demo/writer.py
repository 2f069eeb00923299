"""Write the demo company as files that the public loader loads: CSV, one mapping each, and settings."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path

from data_access.demo.clock import ZONE
from data_access.demo.company import World, simulate
from data_access.demo.model import Conversation, Customer, Event
from data_access.demo.stories import ALL_STORIES
from data_access.demo.truth import DemoTruth, tell_truth

DEFAULT_END = date(2026, 10, 31)
CHANNEL_LABELS = {
    "email": "E-mail", "chat": "Live chat", "web_form": "Web form", "sms": "SMS", "whatsapp": "WhatsApp",
    "review": "Review", "twitter": "Twitter", "facebook": "Facebook",
}  # fmt: skip
AUTHOR_LABELS = {"customer": "Customer", "agent": "Agent", "bot": "Assistant", "system": "Automatic"}

CUSTOMER_COLUMNS = (
    "customer_id", "birth_date", "birth_year", "age_group", "segment", "followers", "display_name",
    "identities",
)  # fmt: skip
MESSAGE_COLUMNS = (
    "message_id", "ticket", "customer_ref", "email", "phone", "nickname", "channel", "direction", "sender",
    "agent", "team", "sent_at", "body", "in_reply_to", "internal", "proactive",
)  # fmt: skip
SOCIAL_COLUMNS = (
    "post_id", "thread_id", "account_id", "account", "network", "direction", "written_by", "agent", "team",
    "posted_utc", "text", "in_reply_to", "followers",
)  # fmt: skip
CALL_COLUMNS = (
    "call_id", "caller_id", "phone", "medium", "direction", "team", "queue", "agent", "offered_at",
    "wait_seconds", "answered", "abandoned", "abandoned_after_seconds", "talk_seconds", "closed_at", "status",
    "transcript",
)  # fmt: skip
MAPPINGS = ("messages.toml", "social.toml", "calls.toml", "settings.toml")


def write_demo_sources(
    folder: Path,
    *,
    seed: int = 7,
    scale: float = 1.0,
    end: date = DEFAULT_END,
    plant: frozenset[str] = ALL_STORIES,
) -> DemoTruth:
    """Simulate the twelve months that end with `end`, write their source files, return what is true.

    The same arguments write the same bytes. Raises ValueError for an unknown story or a scale not above zero.
    """
    if scale <= 0:
        raise ValueError(f"scale must be positive, not {scale}")
    world = simulate(seed, scale, end, plant)
    folder.mkdir(parents=True, exist_ok=True)
    listed = (customer for customer in world.customers if customer.is_listed)
    _write(folder / "customers.csv", CUSTOMER_COLUMNS, map(_customer_row, listed))
    _write(folder / "messages.csv", MESSAGE_COLUMNS, (_message_row(*pair) for pair in _events(world, "messages")))
    _write(folder / "social.csv", SOCIAL_COLUMNS, (_social_row(*pair) for pair in _events(world, "social")))
    calls = (one for one in world.conversations if one.call is not None)
    _write(folder / "calls.csv", CALL_COLUMNS, map(_call_row, calls))
    for name in MAPPINGS:
        text = files("data_access.demo").joinpath(name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return tell_truth(world, seed, scale, plant)


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _events(world: World, source: str) -> list[tuple[Conversation, Event]]:
    """Messages of a source in order of time, as an export has them."""
    pairs = [(one, event) for one in world.conversations if one.source == source for event in one.events]
    return sorted(pairs, key=lambda pair: pair[1].at)


def _customer_row(customer: Customer) -> tuple[object, ...]:
    known = customer.age_known_as
    return (
        customer.customer_id,
        customer.birth_date.isoformat() if known == "date" else "",
        customer.birth_date.year if known == "year" else "",
        customer.band_on(customer.known_on) if known == "band" else "",
        customer.segment,
        customer.followers if customer.is_public_linked and customer.has_public_account else "",
        f"{customer.first} {customer.last}",
        ";".join(f"{kind}={value}" for kind, value in _identities(customer)),
    )


def _identities(customer: Customer) -> Iterable[tuple[str, str]]:
    yield "email", customer.email
    if customer.phone:
        yield "phone", customer.phone
    yield "id:messages", customer.source_id("email")
    yield "id:calls", customer.source_id("phone")
    for network, has_account in (("twitter", customer.has_twitter), ("facebook", customer.has_facebook)):
        if has_account and customer.is_public_linked:
            yield f"handle:{network}", customer.handle(network)
            yield "id:social", customer.source_id(network)


def _message_row(one: Conversation, event: Event) -> tuple[object, ...]:
    customer, is_review = one.customer, one.channel == "review"
    return (
        event.event_id,
        one.conversation_id,
        customer.source_id(one.channel) if one.shows_source_id else "",
        customer.email if one.channel in ("email", "web_form") else "",
        customer.phone if one.channel in ("sms", "whatsapp") and customer.has_mobile else "",
        customer.handle("review") if is_review else "",
        CHANNEL_LABELS[one.channel],
        "in" if event.direction == "inbound" else "out",
        AUTHOR_LABELS[event.author_kind],
        event.agent,
        one.team,
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        event.text,
        event.reply_to,
        _flag(event.is_internal),
        _flag(one.is_outreach),
    )


def _social_row(one: Conversation, event: Event) -> tuple[object, ...]:
    is_inbound = event.direction == "inbound"
    return (
        event.event_id,
        one.conversation_id,
        one.customer.source_id(one.channel),
        one.customer.handle(one.channel),
        CHANNEL_LABELS[one.channel],
        "from customer" if is_inbound else "from company",
        "Customer" if is_inbound else "Desk",
        event.agent,
        one.team,
        f"{event.at:%d/%m/%Y %H:%M:%S}",
        event.text,
        event.reply_to,
        one.customer.followers if is_inbound else "",
    )


def _call_row(one: Conversation) -> tuple[object, ...]:
    call = one.call
    if call is None:
        raise ValueError(f"{one.conversation_id} is not a call")
    is_lost = not call.is_answered and not one.is_outreach
    return (
        one.conversation_id,
        one.customer.source_id("phone"),
        one.customer.phone,
        "Telephone",
        "Outgoing" if one.is_outreach else "Incoming",
        one.team,
        call.queue,
        call.agent,
        _local(one.opened_at),
        call.wait_seconds if call.is_answered and not one.is_outreach else "",
        _flag(call.is_answered),
        _flag(is_lost),
        call.wait_seconds if is_lost else "",
        call.talk_seconds if call.is_answered else "",
        _local(one.ended_at) if call.is_answered else "",
        "Completed" if call.is_answered else "Abandoned" if is_lost else "Not reached",
        call.text,
    )


def _local(at: datetime) -> str:
    """Local time with its offset, so that the repeated hour of autumn stays unambiguous."""
    return f"{at.astimezone(ZONE):%Y-%m-%dT%H:%M:%S%z}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
