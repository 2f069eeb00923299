"""Find, for each telling, the most alike earlier telling of the same customer: made to say it again.

A *telling* is what the customer wrote or said in the first hour of a wait. It is set against the customer's
tellings of the 30 days before: the most alike on another channel, and the most alike on the same channel that
another agent had answered. Only the likeness is stored, never a verdict: the threshold is a setting.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from data_access.text.retelling import NOTHING_TOLD, Telling, likeness, telling_of

WINDOW = dt.timedelta(days=30)
TELLING_SECONDS = 3600
MOST_EARLIER = 20
"""With more tellings than this in the window (a shared account) only the newest are compared."""


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """One wait with what was told in it; `at` is the last message of the telling."""

    customer_id: str
    conversation_id: str
    wait_number: int
    channel: str
    started_at: dt.datetime
    at: dt.datetime
    response_at: dt.datetime | None
    agent: str | None
    telling: Telling


def told(rows: Iterable[Any], brand_words: Sequence[str]) -> list[Told]:
    """One per wait from rows of its messages, in order of customer, wait and time.

    Brand words, the words of the row's brand and the customer's own name never count.
    """
    found: list[Told] = []
    parts: list[str] = []
    last: Any = None
    for row in (*rows, None):
        if last is not None and (row is None or _key(row) != _key(last)):
            found.append(
                Told(
                    last.customer_id,
                    last.conversation_id,
                    last.wait_number,
                    last.channel,
                    last.started_at,
                    last.at,
                    last.response_at,
                    last.responder_agent,
                    _telling(parts, last, brand_words),
                )
            )
            parts = []
        if row is not None and row.text:
            parts.append(row.text)
        last = row
    return found


def _telling(texts: Sequence[str], row: Any, brand_words: Sequence[str]) -> Telling:
    if not texts:  # a call, or a source without texts
        return NOTHING_TOLD
    ignored = {*brand_words, *_words(row.brand), *_words(row.display_name), *_words(row.handle)}
    return telling_of("\n".join(texts), ignored)


def _key(row: Any) -> tuple[str, str, int]:
    return row.customer_id, row.conversation_id, row.wait_number


def _words(text: str | None) -> list[str]:
    return (text or "").lower().replace("_", " ").replace(".", " ").split()


def against_earlier(tellings: Sequence[Told]) -> list[dict[str, Any]]:
    """One row per telling that has an earlier one to be set against, by the columns of `waits`."""
    by_customer: dict[str, list[Told]] = {}
    for one in tellings:
        by_customer.setdefault(one.customer_id, []).append(one)
    found = []
    for mine in by_customer.values():
        mine.sort(key=lambda one: (one.started_at, one.conversation_id, one.wait_number))
        for place, one in enumerate(mine):
            before = [
                other for other in mine[:place] if other.at <= one.started_at and one.started_at - other.at <= WINDOW
            ]
            channel = [other for other in before if other.channel != one.channel]
            agent = [other for other in before if _told_another_agent(other, one)]
            if channel or agent:
                row = {name: getattr(one, name) for name in ("customer_id", "conversation_id", "wait_number")}
                found.append(
                    {**row, "told_at": one.at, **_best(one, channel, "channel"), **_best(one, agent, "agent")}
                )
    return found


def _told_another_agent(earlier: Told, one: Told) -> bool:
    """Both were answered, the earlier before the other began, on one channel and by different people."""
    return (
        earlier.channel == one.channel
        and earlier.agent is not None
        and one.agent is not None
        and earlier.agent != one.agent
        and earlier.response_at is not None
        and earlier.response_at <= one.started_at
    )


def _best(one: Told, earlier: Sequence[Told], other: str) -> dict[str, Any]:
    """The most alike of the earlier tellings, among equals the newest; empty where there is none."""
    ranked = [(likeness(other.telling, one.telling), other) for other in earlier[-MOST_EARLIER:]]
    alike, best = max(
        ranked,
        key=lambda pair: (-1.0 if pair[0] is None else pair[0], pair[1].at, pair[1].conversation_id),
        default=(None, None),
    )
    return {
        f"other_{other}_likeness": None if alike is None else round(alike, 6),
        f"other_{other}_conversation_id": best and best.conversation_id,
        f"other_{other}_wait_number": best and best.wait_number,
        f"other_{other}_told_at": best and best.at,
        **({"other_channel": best and best.channel} if other == "channel" else {}),
    }
