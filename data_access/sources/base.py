"""What every source yields: column batches of normalised events, facts and customers, and rejects."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from data_access.sources import parquet

BATCH_ROWS = 50_000
EARLIEST = dt.datetime(1900, 1, 1)
FUTURE_TOLERANCE = dt.timedelta(days=1)

_TEXT, _TIME, _BOOL, _INT, _FLOAT = (
    pa.string(),
    pa.timestamp("us"),
    pa.bool_(),
    pa.int64(),
    pa.float64(),
)

# One row per event. `conversation` names the conversation within the source; identities are raw. The record as it
# stands in the file is `raw`, or else these bytes of the file, or its record `raw_at`: few are ever shown.
EVENT_SCHEMA = pa.schema(
    [
        ("external_id", _TEXT),
        ("thread_id", _TEXT),
        ("conversation", _TEXT),
        ("customer", _TEXT),
        ("email", _TEXT),
        ("phone", _TEXT),
        ("handle", _TEXT),
        ("display_name", _TEXT),
        ("channel", _TEXT),
        ("direction", _TEXT),
        ("author_kind", _TEXT),
        ("author", _TEXT),
        ("agent", _TEXT),
        ("team", _TEXT),
        ("brand", _TEXT),
        ("occurred_at", _TIME),
        ("changed_at", _TIME),
        ("text", _TEXT),
        ("language", _TEXT),
        ("sentiment_label", _TEXT),
        ("sentiment_score", _FLOAT),
        ("is_complaint", _BOOL),
        ("needs_reply", _BOOL),
        ("topic", _TEXT),
        ("blamed_channel", _TEXT),
        ("audience", _INT),
        ("reply_to", _TEXT),
        ("recorded_responses", _TEXT),
        ("has_reported_answer", _BOOL),
        ("is_visible", _BOOL),
        ("is_addressed", _BOOL),
        ("is_parent_missing", _BOOL),
        ("is_outreach", _BOOL),
        ("is_from_file", _BOOL),
        ("file", _TEXT),
        ("line", _INT),
        ("raw", _TEXT),
        ("raw_at", _INT),
        ("raw_bytes", _INT),
    ]
)

# One row per conversation whose ticket or call is known, but not its events.
FACT_SCHEMA = pa.schema(
    [
        ("conversation", _TEXT),
        ("is_answered", _BOOL),
        ("first_response_at", _TIME),
        ("responder_agent", _TEXT),
        ("resolved_at", _TIME),
        ("status", _TEXT),
        ("queue", _TEXT),
        ("is_abandoned", _BOOL),
        ("abandoned_seconds", _INT),
        ("talk_seconds", _INT),
        ("is_response_known", _BOOL),
    ]
)

# One row per customer; `identities` are "kind=value" texts.
CUSTOMER_SCHEMA = pa.schema(
    [
        ("external_id", _TEXT),
        ("birth_date", pa.date32()),
        ("birth_year", _INT),
        ("age_group_given", _TEXT),
        ("segment", _TEXT),
        ("followers", _INT),
        ("display_name", _TEXT),
        ("identities", pa.list_(_TEXT)),
        ("line", _INT),
        ("raw", _TEXT),
    ]
)


@dataclasses.dataclass(frozen=True)
class Reject:
    """One record that was not loaded, and why. `file` where the order has several."""

    line: int
    reason: str
    raw: str
    file: str | None = None


@dataclasses.dataclass
class Batch:
    """Some rows of a file. `read_count` counts records of the file, rejected ones included."""

    read_count: int = 0
    events: pa.Table | None = None
    facts: pa.Table | None = None
    customers: pa.Table | None = None
    rejects: list[Reject] = dataclasses.field(default_factory=list)
    bytes_read: int = 0


@dataclasses.dataclass(frozen=True)
class StoredEvent:
    """An event of the same source that is in the store already."""

    external_id: str
    author: str | None
    is_inbound: bool
    occurred_at: dt.datetime
    text: str | None
    reply_to: str | None
    recorded_responses: str | None


class StoreContext(Protocol):
    """What a source may ask about earlier loads, without knowing tables."""

    def company_accounts(self) -> Mapping[str, str]:
        """Accounts (lower case) that the settings name as the company's, with brand.

        For a source that rethreads, also those that authored company posts in earlier loads: their own brands.
        """

    def stored_events(self) -> Iterable[StoredEvent]:
        """Every event of this source; nothing else may be asked before the last of them."""

    def related_events(self, ids: Iterable[str], new_accounts: Sequence[str]) -> Iterable[StoredEvent]:
        """Stored events in threads that touch these ids, or that name one of the new accounts."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One kind of record in the files of a source: the columns or keys by which it is recognised.

    `lists` are names of JSON lists that hold it, as in {"tickets": […]}.
    """

    name: str
    required: frozenset[str]
    lists: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Source:
    """A file kind: its name, what it reads, what it cannot tell, and the reader.

    `is_folder` where the files of one command belong together and load as one order. `rethread` is there where
    conversations are threads, which depend on the settings: it places the stored events again. `has_parents_later`
    where an event says that what it answers is missing, and another file may bring it.
    """

    name: str
    summary: str
    read: Callable[..., Iterator[Batch]]
    rethread: Callable[[StoreContext], Iterator[Batch]] | None = None
    gaps: str = ""
    parts: tuple[Part, ...] = ()
    is_folder: bool = False
    has_parents_later: bool = False


def one_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, the next one being read in another thread while the last one is stored.

    Only for what reads nothing but files: the store has one connection.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="frontdoor-reading") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


def event_table(columns: Mapping[str, Any], row_count: int) -> pa.Table:
    """An event batch from lists or Arrow arrays; columns that are not given are null, flags have their usual value."""
    defaults: dict[str, Any] = {
        "has_reported_answer": False,
        "is_visible": True,
        "is_addressed": True,
        "is_parent_missing": False,
        "is_outreach": False,
        "is_from_file": True,
    }
    arrays = [
        as_array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(defaults.get(field.name), field.type), row_count)
        for field in EVENT_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def as_array(values: Any, kind: pa.DataType) -> pa.Array:
    """A column of this type, from a list or from an Arrow array."""
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, type=kind, from_pandas=True)


def table_of(schema: pa.Schema, columns: Mapping[str, Any], row_count: int) -> pa.Table:
    """A batch of the given schema from lists or Arrow arrays; columns that are not given are null."""
    arrays = [
        as_array(columns[field.name], field.type) if field.name in columns else pa.nulls(row_count, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def without_impossible_times(
    events: pa.Table, facts: pa.Table | None, now: dt.datetime, path: Path
) -> tuple[pa.Table, pa.Table | None, list[Reject]]:
    """The rows without those dated more than a day after `now` (naive UTC), or before 1900; these as rejects.

    `path` is the file they were read from.

    One time in the future, also one of an answer or a solution, would move *as of* for everybody.
    """
    times = [(events, "occurred_at", "it happened"), (events, "changed_at", "it was changed")]
    if facts is not None:
        times += [(facts, "first_response_at", "it was answered"), (facts, "resolved_at", "it was resolved")]
    reasons: dict[int, str] = {}
    for table, name, words in times:
        column = table[name]
        future = pc.greater(column, pa.scalar(now + FUTURE_TOLERANCE, pa.timestamp("us")))
        past = pc.less(column, pa.scalar(EARLIEST, pa.timestamp("us")))
        for place in pc.indices_nonzero(pc.fill_null(pc.or_(future, past), False)).to_pylist():
            when = column[place].as_py()
            wrong = "before 1900" if when < EARLIEST else "in the future"
            reasons.setdefault(place, f"{words} at {when} UTC, {wrong}: are time format and zone right?")
    if not reasons:
        return events, facts, []
    wrong = events.take(pa.array(sorted(reasons), pa.int64())).select(["line", "file", "raw", "raw_at", "raw_bytes"])
    rows = wrong.to_pylist()
    raws = raw_texts(path, [(row["raw"], row["raw_at"], row["raw_bytes"]) for row in rows])
    rejects = [
        Reject(row["line"], reasons[place], raw, row["file"])
        for place, row, raw in zip(sorted(reasons), rows, raws, strict=True)
    ]
    keep = pa.array([place not in reasons for place in range(events.num_rows)])
    return events.filter(keep), facts.filter(keep) if facts is not None else None, rejects


def raw_texts(path: Path, places: Sequence[tuple[str | None, int | None, int | None]]) -> list[str]:
    """The texts of records: as they were kept, or else read again from the file.

    Each is the kept text, and where the record stands: its first byte and its length, or which of a Parquet file's
    records it is (the first is 0).
    """
    found = [raw or "" for raw, _, _ in places]
    open_ones = [(n, at, size) for n, (raw, at, size) in enumerate(places) if raw is None and at is not None]
    numbered = [(n, at) for n, at, size in open_ones if size is None]
    if numbered:
        for (n, _), text in zip(numbered, parquet.record_texts(path, [at for _, at in numbered]), strict=True):
            found[n] = clean(text)
    if len(numbered) < len(open_ones):
        with path.open("rb") as file:
            for n, at, size in open_ones:
                if size is not None:
                    file.seek(at)
                    found[n] = file.read(size).decode("utf-8", "replace")
    return found


def clean(text: str) -> str:
    """Without NUL and halves of surrogate pairs."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def file_size(path: Path) -> int:
    """Bytes of a file, for progress; 0 where it cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
