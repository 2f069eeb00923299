"""Any CSV, JSON or Parquet of interactions, or of tickets and calls (one a conversation), through a mapping file.

All of it works on columns: what few rows differ in (a channel, a flag) is read once per different value.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_access.errors import SourceError
from data_access.sources.base import (
    BATCH_ROWS,
    EARLIEST,
    FACT_SCHEMA,
    Batch,
    Reject,
    Source,
    event_table,
    one_ahead,
    table_of,
    without_impossible_times,
)
from data_access.sources.blocks import Block, can_read_blocks, read_blocks
from data_access.sources.delimited import Record, read_header, read_records, too_short_or_long
from data_access.sources.mapping import CLOSED_VALUES, Mapping
from data_access.sources.parquet import ParquetBlock
from data_access.sources.records import form_of, moment, read_columns

_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_BOOLEANS = ("is_complaint", "needs_reply", "is_internal", "is_answered", "is_abandoned", "outreach")
_COUNTS = ("audience", "abandoned_seconds", "talk_seconds")
_MEASURES = ("sentiment_score", "first_response_seconds", "first_response_minutes")
_TIMES = ("occurred_at", "opened_at", "first_response_at", "resolved_at")

_FULL_DATE = r"^(?:\d{8}|\d{4}(?:-\d{1,2}-|/\d{1,2}/|\.\d{1,2}\.| \d{1,2} )\d{1,2})(?![\d:])"
# Seconds or milliseconds since 1970: of fewer digits are years, days as 20260131, and days of a spreadsheet.
_EPOCH = r"\d{9,13}(?:\.\d+)?"
# Behind the hour a sign can only begin an offset: Z, +05, +0530, +05:30, also -5.
_OFFSET = r"[T ]\d{2}.*(?:Z|[+-]\d{1,2}(?::?\d{2})?)$"
ANSWER_FIELDS = (
    "first_response_at",
    "first_response_seconds",
    "first_response_minutes",
    "is_answered",
    "is_abandoned",
)
MAX_COUNT = 2**31 - 1
FIRST, LATEST = dt.datetime(2, 1, 1), dt.datetime(9800, 1, 1)
BATCH_CHARACTERS = 16_000_000  # of records that are read one by one
# The usual form of a time, which needs no guessing; all others go through pandas.
_PLAIN_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z?$"
_MICROSECONDS = pa.timestamp("us")


class _Rows:
    """Up to a batch of records as columns of text by field, with the reasons why rows fall out."""

    def __init__(self, columns: dict[str, pa.Array], count: int, mapping: Mapping) -> None:
        self.columns = columns
        self.count = count
        self.mapping = mapping
        self.reasons: dict[int, str] = {}
        self._texts: dict[str, pa.Array] = {}

    def text(self, field: str) -> pa.Array:
        """The field as stripped text, translated; missing is null."""
        if field not in self._texts:
            self._texts[field] = self._text(field)
        return self._texts[field]

    def _text(self, field: str) -> pa.Array:
        constant = pa.scalar(self.mapping.constants.get(field), pa.string())
        if field not in self.columns:
            return pa.repeat(constant, self.count)
        given = self.columns[field] if field == "text" else pc.utf8_trim_whitespace(self.columns[field])
        translations = self.mapping.values.get(field)
        if translations:
            given = _each(given, lambda value: translations.get(value, value))
        given = pc.if_else(pc.equal(pc.binary_length(given), 0), pa.scalar(None, pa.string()), given)
        return pc.fill_null(given, constant) if constant.is_valid else given

    def reject(self, wrong: pa.Array, reason: str, shown: pa.Array | None = None) -> None:
        """Mark rows as rejected with a reason; the first reason of a row is kept."""
        for index in pc.indices_nonzero(pc.fill_null(wrong, False)).to_pylist():
            if index not in self.reasons:
                value = "" if shown is None else repr(shown[index].as_py())[:80]
                self.reasons[index] = reason.format(value=value)

    def closed(self, field: str) -> pa.Array:
        """A field with a closed list of values; others are rejected by name."""
        given = self.text(field)
        values = _each(given, _as_name)
        known = CLOSED_VALUES[field]
        hint = f"unknown {field} {{value}}; known are {', '.join(known)}"
        if not self.mapping.is_built_in:
            hint += f"; translate it under [values.{field}]"
        self.reject(_none_of(values, known), hint, given)
        return values

    def boolean(self, field: str) -> pa.Array:
        """True, False or missing."""
        given = self.text(field)
        lowered = _each(given, str.lower)
        self.reject(_none_of(lowered, (*_TRUE, *_FALSE)), f"{field} is {{value}}, not true or false", given)
        is_true = pc.is_in(lowered, value_set=pa.array(_TRUE))
        return pc.if_else(pc.is_valid(lowered), is_true, pa.scalar(None, pa.bool_()))

    def number(self, field: str) -> pa.Array:
        """A number or missing."""
        given = self.text(field)
        numbers = _each_all(given, _finite, pa.float64())
        self.reject(pc.and_(pc.is_valid(given), pc.is_null(numbers)), f"{field} is {{value}}, not a number", given)
        return numbers

    def count_of(self, field: str) -> pa.Array:
        """A whole number that is not negative, or missing."""
        number = pc.round(self.number(field), round_mode="half_to_even")
        self.reject(pc.less(number, 0), f"{field} is {{value}}, below zero", self.text(field))
        self.reject(pc.greater(number, MAX_COUNT), f"{field} is {{value}}, over {MAX_COUNT:,}", self.text(field))
        possible = pc.and_(pc.greater_equal(number, 0), pc.less_equal(number, MAX_COUNT))
        return pc.if_else(possible, number, pa.scalar(None, pa.float64())).cast(pa.int64())

    def time(self, field: str) -> pa.Array:
        """UTC, naive; missing is null. A time that does not exist in the zone is rejected."""
        given = self.text(field)
        moments = self._moments(given)
        # Python knows neither year 0 nor 10000.
        is_possible = pc.and_(pc.less(moments, pa.scalar(LATEST)), pc.greater_equal(moments, pa.scalar(FIRST)))
        moments = pc.if_else(is_possible, moments, pa.scalar(None, _MICROSECONDS))
        wanted = self.mapping.time_format or "2026-01-31 09:30:00"
        is_wrong = pc.and_(pc.is_valid(given), pc.is_null(moments))
        if pc.any(is_wrong).as_py():
            zone = self.mapping.zone
            leapt = f"{field} is {{value}}, a time that never comes in {zone}: the clock leaps over it"
            self.reject(self._is_leapt(pc.if_else(is_wrong, given, pa.scalar(None, pa.string()))), leapt, given)
        self.reject(is_wrong, f"{field} is {{value}}, not a possible time of the form {wanted}", given)
        return moments

    def _is_leapt(self, wrong: pa.Array) -> pa.Array:
        """Which of the impossible times would be possible in a zone whose clock never leaps."""
        steady = copy.copy(self)
        steady.mapping = dataclasses.replace(self.mapping, zone="UTC")
        moments = steady._moments(wrong)
        return pc.and_(pc.less(moments, pa.scalar(LATEST)), pc.greater_equal(moments, pa.scalar(FIRST)))

    def _moments(self, given: pa.Array) -> pa.Array:
        """The usual form at once, what has another one by its different values."""
        if self.mapping.time_format is not None:
            return _each_all(given, self._parsed, _MICROSECONDS)
        is_plain = pc.match_substring_regex(given, _PLAIN_TIME)
        has_offset = pc.ends_with(given, "Z")
        try:
            plain = pc.utf8_rtrim(pc.if_else(is_plain, given, pa.scalar(None, pa.string())), "Z").cast(_MICROSECONDS)
        except pa.ArrowInvalid:  # a day that does not exist
            return _each_all(given, self._parsed, _MICROSECONDS)
        if self.mapping.zone != "UTC":
            local = pc.if_else(has_offset, pa.scalar(None, _MICROSECONDS), plain)
            zoned = _from_pandas(self._localised(local.to_pandas()))
            plain = pc.if_else(has_offset, plain, zoned)
        other = pc.if_else(is_plain, pa.scalar(None, pa.string()), given)
        if other.null_count == len(other):
            return plain
        return pc.if_else(is_plain, plain, _each_all(other, self._parsed, _MICROSECONDS))

    def _parsed(self, given: pa.Array) -> pa.Array:
        texts: pd.Series[str] = pd.Series(given.to_pylist(), dtype="object")
        form = self.mapping.time_format
        is_epoch, of_epoch = pd.Series(False, index=texts.index), texts.iloc[:0]
        if form is not None:
            has_offset = pd.Series(self.mapping.tells_offset, index=texts.index)
        else:
            form = "ISO8601"
            is_epoch = texts.str.fullmatch(_EPOCH).astype(bool)
            of_epoch = texts[is_epoch]
            texts = texts.str.upper()  # a lower-case t or z is ISO 8601, too
            # pandas takes "now" and "today" for times: they would be another one with every load.
            # A year or a month alone would be its first day.
            texts = texts.where(texts.str.contains(_FULL_DATE), None)
            has_offset = texts.str.contains(_OFFSET, regex=True, na=False).astype(bool)
        moments = pd.to_datetime(texts, format=form, errors="coerce", utc=True).astype("datetime64[us, UTC]")
        if not has_offset.all() and self.mapping.zone != "UTC":
            moments.loc[~has_offset] = self._localised(moments[~has_offset].dt.tz_localize(None))
        if is_epoch.any():  # whatever the zone: they count from a moment
            counted = pd.to_datetime(pd.Series(map(_of_epoch, of_epoch), of_epoch.index, "datetime64[us]"), utc=True)
            moments.loc[is_epoch] = counted
        return _from_pandas(moments)

    def _localised(self, local: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
        # An hour that comes twice is read as its first coming, one that never comes is impossible.
        first_coming = np.ones(len(local), dtype=bool)
        local = local.where((local >= FIRST) & (local < LATEST))
        localised = local.dt.tz_localize(self.mapping.zone, ambiguous=first_coming, nonexistent="NaT")
        return localised.dt.tz_convert("UTC").astype("datetime64[us, UTC]")

    def kept(self) -> pa.Array:
        """Rows without a reason to reject them."""
        kept = np.ones(self.count, dtype=bool)
        kept[list(self.reasons)] = False
        return pa.array(kept)


def _of_epoch(text: str) -> dt.datetime | None:
    """UTC, naive, of seconds or milliseconds since 1970; None, which is rejected, where these are before 1990."""
    with contextlib.suppress(ValueError):
        return moment(text)
    return None


def _each(values: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """A text for a text, made once for each different one; null stays null."""
    return _each_all(values, lambda known: pa.array(map(change, known.to_pylist()), pa.string()), pa.string())


def _each_all(values: pa.Array, change: Callable[[pa.Array], pa.Array], kind: pa.DataType) -> pa.Array:
    """The same, with a function of all different values at once."""
    if values.null_count == len(values):
        return pa.nulls(len(values), kind)
    coded = values.dictionary_encode()
    return change(coded.dictionary).take(coded.indices)


def _as_name(value: str) -> str:
    """Lower case, with underscores for spaces and hyphens."""
    return re.sub(r"[\s-]+", "_", value.lower())


def _none_of(values: pa.Array, known: Sequence[str]) -> pa.Array:
    return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=pa.array(known))))


def _finite(texts: pa.Array) -> pa.Array:
    numbers = pd.to_numeric(pd.Series(texts.to_pylist(), dtype="object"), errors="coerce").astype("float64")
    return pa.array(numbers.where(np.isfinite(numbers)), pa.float64(), from_pandas=True)


def _from_pandas(moments: pd.Series[pd.Timestamp]) -> pa.Array:
    """UTC times without their zone."""
    naive = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return pa.array(naive, _MICROSECONDS, from_pandas=True)


def read(path: Path, *, mapping: Mapping, encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of one file. Raises SourceError where a mapped column is not in the file, or stands there twice.

    `encoding` goes before that of the mapping.
    """
    encoding = encoding or mapping.encoding
    wanted = list(dict.fromkeys(mapping.columns.values()))
    if form_of(path) in ("json", "parquet"):
        names, items = read_columns(path, wanted, encoding)
        yield from one_ahead(batches(names, items, mapping))
        return
    names = read_header(path, encoding=encoding, delimiter=mapping.delimiter)
    for field, column in mapping.columns.items():
        if names.count(column) > 1:
            raise SourceError(f"{path}: column {column!r} (mapped to {field}) stands there twice")
        if column not in names:
            raise SourceError(
                f"{path}: column {column!r} (mapped to {field}) is missing; its columns are "
                f"{', '.join(names)[:300]}{_other_delimiter(names, column)}"
            )
    if can_read_blocks(path, encoding, mapping.delimiter):
        places = [names.index(column) for column in wanted]
        blocks = read_blocks(path, places, encoding=encoding, delimiter=mapping.delimiter)
        yield from one_ahead(batches(names, blocks, mapping))
    else:
        yield from batches(*read_records(path, encoding=encoding, delimiter=mapping.delimiter), mapping)


def _other_delimiter(names: Sequence[str], column: str) -> str:
    """What to write into the mapping where a header that was not divided holds the column."""
    for delimiter, written in ((";", '";"'), ("\t", '"\\t"'), (",", '","')):
        if len(names) == 1 and column in [name.strip('" ') for name in names[0].split(delimiter)]:
            return f"; write into the mapping: delimiter = {written}"
    return ""


def batches(
    names: Sequence[str], items: Iterable[Block | ParquetBlock | Record | Reject], mapping: Mapping
) -> Iterator[Batch]:
    """The mapping applied to records whose columns are `names`, and to blocks of the mapped ones."""
    pending: list[Record] = []
    size = 0
    batch = Batch()
    for item in items:
        if isinstance(item, Block | ParquetBlock):
            yield _mapped_block(item, mapping)
            continue
        batch.read_count += 1
        batch.bytes_read += len(item.raw)  # about: only the reader knows how many bytes a character takes
        if isinstance(item, Reject):
            batch.rejects.append(item)
            continue
        pending.append(item)
        size += len(item.raw)
        if len(pending) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield _mapped_records(pending, names, mapping, batch)
            pending, size, batch = [], 0, Batch()
    yield _mapped_records(pending, names, mapping, batch)


def _mapped_block(block: Block | ParquetBlock, mapping: Mapping) -> Batch:
    wanted = list(dict.fromkeys(mapping.columns.values()))
    columns = {field: block.columns[wanted.index(column)] for field, column in mapping.columns.items()}
    count = len(block.lines)
    rows = _Rows(columns, count, mapping)
    batch = Batch(read_count=count, bytes_read=block.byte_count)
    place = {"line": pa.array(block.lines), **block.where}
    _map(rows, place, batch)
    batch.rejects += [
        Reject(int(block.lines[index]), reason, block.raw(index)) for index, reason in sorted(rows.reasons.items())
    ]
    return batch


def _mapped_records(records: Sequence[Record], names: Sequence[str], mapping: Mapping, batch: Batch) -> Batch:
    if not records:
        return batch
    width = len(names)
    columns = {}
    for field, column in mapping.columns.items():
        index = names.index(column)
        columns[field] = pa.array([r.fields[index] if index < len(r.fields) else "" for r in records], pa.string())
    rows = _Rows(columns, len(records), mapping)
    for index, record in enumerate(records):
        if len(record.fields) != width and (reason := _wrong_width(record, width, mapping)):
            rows.reasons[index] = reason
    place = {
        "line": pa.array([record.line for record in records], pa.int64()),
        "raw": pa.array([record.raw for record in records], pa.string()),
    }
    _map(rows, place, batch)
    batch.rejects += [
        Reject(records[index].line, reason, records[index].raw) for index, reason in sorted(rows.reasons.items())
    ]
    return batch


def _wrong_width(record: Record, width: int, mapping: Mapping) -> str | None:
    """Fewer fields than the header are a line cut short, unless the mapping says that the writer does so.

    A last line without a line end is cut short whatever the mapping says.
    """
    is_whole = record.raw.endswith(("\n", "\r"))
    is_short = len(record.fields) < width and is_whole
    if is_short and mapping.short_rows == "fill":
        return None
    hint = '; if the program leaves out empty last fields, say short_rows = "fill" in the mapping'
    return too_short_or_long(record, width) + (hint if is_short else "")


def _map(rows: _Rows, place: dict[str, pa.Array], batch: Batch) -> None:
    """Put the rows that can be kept into the batch; `place` says where each of them stands."""
    columns = {**_shared_columns(rows), **place}
    facts: dict[str, pa.Array] | None = None
    if rows.mapping.grain == "conversation":
        facts = _fact_columns(rows, columns)
    else:
        _interaction_columns(rows, columns)
    events = event_table(columns, rows.count)
    told = table_of(FACT_SCHEMA, facts, rows.count) if facts is not None else None
    if rows.reasons:
        kept = rows.kept()
        events, told = events.filter(kept), told.filter(kept) if told is not None else None
    batch.events, batch.facts = events, told


def _shared_columns(rows: _Rows) -> dict[str, pa.Array]:
    identifier = rows.text("id")
    rows.reject(pc.is_null(identifier), "id is empty")
    channel = rows.closed("channel")
    rows.reject(pc.is_null(channel), "channel is empty")
    score = rows.number("sentiment_score")
    rows.reject(
        pc.greater(pc.abs(score), 1),
        "sentiment_score is {value}, not between -1 and 1",
        rows.text("sentiment_score"),
    )
    conversation = pc.coalesce(rows.text("conversation"), identifier)
    columns = {
        "external_id": identifier,
        "conversation": conversation,
        "thread_id": conversation,
        "channel": channel,
        "sentiment_label": rows.closed("sentiment_label"),
        "sentiment_score": score,
        "is_complaint": rows.boolean("is_complaint"),
        "needs_reply": rows.boolean("needs_reply"),
        "blamed_channel": rows.closed("blamed_channel"),
        "audience": rows.count_of("audience"),
        "is_outreach": pc.fill_null(rows.boolean("outreach"), False),
        "topic": _each(rows.text("topic"), _as_name),
        "changed_at": rows.time("changed_at"),
    }
    for field in (
        "customer",
        "email",
        "phone",
        "handle",
        "display_name",
        "agent",
        "team",
        "brand",
        "text",
        "language",
    ):
        columns[field] = rows.text(field)
    return columns


def _interaction_columns(rows: _Rows, columns: dict[str, pa.Array]) -> None:
    occurred_at = rows.time("occurred_at")
    rows.reject(pc.is_null(occurred_at), "occurred_at is empty")
    author_kind = rows.closed("author_kind")
    is_by_customer = pc.fill_null(pc.equal(author_kind, "customer"), True)
    direction = pc.coalesce(rows.closed("direction"), pc.if_else(is_by_customer, "inbound", "outbound"))
    is_inbound = pc.equal(direction, "inbound")
    author_kind = pc.coalesce(author_kind, pc.if_else(is_inbound, "customer", "agent"))
    rows.reject(
        pc.or_(
            pc.and_(is_inbound, pc.not_equal(author_kind, "customer")),
            pc.and_(pc.equal(direction, "outbound"), pc.equal(author_kind, "customer")),
        ),
        "direction and author_kind {value} contradict each other",
        author_kind,
    )
    columns["occurred_at"] = occurred_at
    columns["direction"] = direction
    columns["author_kind"] = author_kind
    columns["is_visible"] = pc.invert(pc.fill_null(rows.boolean("is_internal"), False))
    columns["reply_to"] = rows.text("reply_to")
    columns["author"] = pc.if_else(is_inbound, rows.text("customer"), rows.text("agent"))


def _fact_columns(rows: _Rows, columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    nobody = pa.scalar(None, pa.string())
    opened_at = rows.time("opened_at")
    rows.reject(pc.is_null(opened_at), "opened_at is empty")
    first_response_at = rows.time("first_response_at")
    for field, factor in (("first_response_seconds", 1.0), ("first_response_minutes", 60.0)):
        seconds = pc.round(pc.multiply(rows.number(field), factor), round_mode="half_to_even")
        rows.reject(pc.less(seconds, 0), f"{field} is {{value}}: a response before the question", rows.text(field))
        too_long = pc.greater(seconds, 100 * 365 * 86400)
        rows.reject(too_long, f"{field} is {{value}}: over a hundred years", rows.text(field))
        possible = pc.and_(pc.greater_equal(seconds, 0), pc.invert(too_long))
        whole = pc.if_else(possible, seconds, pa.scalar(None, pa.float64())).cast(pa.int64())
        computed = pc.add(opened_at, whole.cast(pa.duration("s")).cast(pa.duration("us")))
        first_response_at = pc.coalesce(first_response_at, computed)
    resolved_at = rows.time("resolved_at")
    rows.reject(pc.less(first_response_at, opened_at), "the first response is dated before the opening")
    rows.reject(pc.less(resolved_at, opened_at), "it is resolved before it is opened")
    is_answered = rows.boolean("is_answered")
    has_response = pc.is_valid(first_response_at)
    rows.reject(
        pc.and_(pc.equal(is_answered, False), has_response),
        "is_answered is false, but there is a first response",
    )
    direction = pc.fill_null(rows.closed("direction"), "inbound")
    agent = rows.text("agent")
    columns["occurred_at"] = opened_at
    columns["direction"] = direction
    columns["author_kind"] = pc.if_else(pc.equal(direction, "inbound"), "customer", "agent")
    columns["author"] = rows.text("customer")
    columns["agent"] = pc.if_else(pc.equal(direction, "outbound"), agent, nobody)
    facts = {
        "conversation": columns["conversation"],
        "is_answered": pc.coalesce(is_answered, pc.if_else(has_response, True, pa.scalar(None, pa.bool_()))),
        "first_response_at": first_response_at,
        "responder_agent": pc.if_else(has_response, agent, nobody),
        "resolved_at": resolved_at,
        "status": rows.text("status"),
        "queue": rows.text("queue"),
        "is_abandoned": rows.boolean("is_abandoned"),
    }
    for field in ("abandoned_seconds", "talk_seconds"):
        facts[field] = rows.count_of(field)
    # Without any of these nobody can say who was answered; nobody is called ignored then.
    tells_answers = any(map(rows.mapping.has, ANSWER_FIELDS))
    facts["is_response_known"] = pa.repeat(tells_answers, rows.count)
    return facts


def first_rows(
    path: Path, mapping: Mapping, limit: int = 5, *, encoding: str | None = None
) -> list[dict[str, object]]:
    """The mapping applied: the first rows as they would be stored, with their lines.

    Of one id the state that is the newest by `changed_at` in the batches that are read for it, else the first.
    """
    rows: dict[str, dict[str, object]] = {}
    versions: dict[str, dt.datetime] = {}
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    not_content = ("line", "raw", "raw_at", "raw_bytes", "is_from_file")
    for batch in read(path, mapping=mapping, encoding=encoding):
        if batch.events is None:
            continue
        events, facts, _ = without_impossible_times(batch.events, batch.facts, now, path)
        told = facts.to_pylist() if facts is not None else [{}] * events.num_rows
        for event, fact in zip(events.to_pylist(), told, strict=True):
            key, version = event["external_id"], event["changed_at"] or EARLIEST
            if version <= versions[key] if key in versions else len(versions) == limit:
                continue
            versions[key] = version
            shown = {**event, **{k: v for k, v in fact.items() if k != "conversation"}}
            line, *_ = (shown.pop(name) for name in not_content)
            row = {"line": line, **{k: _plain(v) for k, v in shown.items() if v is not None}}
            rows[key] = row
        if len(rows) == limit:
            break
    return list(rows.values())


def _plain(value: object) -> object:
    return value.isoformat() + "Z" if isinstance(value, dt.datetime) else value


SOURCE = Source(
    name="csv",
    summary="Any CSV, JSON-lines or Parquet of interactions, tickets or calls, with --mapping MAP.toml",
    gaps="knows what the mapping names; without a response, an answer or an abandonment no response time",
    read=read,
)
