"""Any CSV of interactions, or of tickets and calls (one row per conversation), through a mapping file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from data_access.errors import SourceError
from data_access.sources.base import (
    BATCH_ROWS,
    FACT_SCHEMA,
    Batch,
    Reject,
    Source,
    event_table,
    table_of,
    without_impossible_times,
)
from data_access.sources.delimited import Record, read_records, too_short_or_long
from data_access.sources.mapping import CLOSED_VALUES, Mapping
from data_access.sources.records import form_of, read_columns

_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_BOOLEANS = ("is_complaint", "needs_reply", "is_internal", "is_answered", "is_abandoned", "outreach")
_COUNTS = ("audience", "abandoned_seconds", "talk_seconds")
_MEASURES = ("sentiment_score", "first_response_seconds", "first_response_minutes")
_TIMES = ("occurred_at", "opened_at", "first_response_at", "resolved_at")

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

Mask = npt.NDArray[np.bool_]
Texts = "pd.Series[str]"


class _Rows:
    """Up to a batch of records as columns of text, with the reasons why rows fall out."""

    def __init__(self, records: Sequence[Record], names: Sequence[str], mapping: Mapping) -> None:
        self.records = records
        self.mapping = mapping
        width = len(names)
        place = {name: index for index, name in enumerate(names)}
        self.reasons: list[str | None] = [self._wrong_width(record, width) for record in records]
        self.columns: dict[str, pd.Series[str]] = {}
        for field, column in mapping.columns.items():
            index = place[column]
            values = [r.fields[index] if index < len(r.fields) else "" for r in records]
            self.columns[field] = pd.Series(values, dtype="object")

    def __len__(self) -> int:
        return len(self.records)

    def _wrong_width(self, record: Record, width: int) -> str | None:
        """Fewer fields than the header are a line cut short, unless the mapping says that the writer does so.

        A last line without a line end is cut short whatever the mapping says.
        """
        is_whole = record.raw.endswith(("\n", "\r"))
        if len(record.fields) == width or (
            self.mapping.short_rows == "fill" and len(record.fields) < width and is_whole
        ):
            return None
        hint = '; if the program leaves out empty last fields, say short_rows = "fill" in the mapping'
        is_short = len(record.fields) < width and is_whole and self.mapping.short_rows == "reject"
        return too_short_or_long(record, width) + (hint if is_short else "")

    def text(self, field: str) -> pd.Series[str]:
        """The field as stripped text, translated; missing is None."""
        if field in self.columns:
            series = self.columns[field].str.strip() if field != "text" else self.columns[field]
            translations = self.mapping.values.get(field)
            if translations:
                series = series.map(lambda value: translations.get(value, value))
            series = series.where(series.str.len() > 0, None)
            if field in self.mapping.constants:
                series = series.where(series.notna(), self.mapping.constants[field])
            return series
        return pd.Series([self.mapping.constants.get(field)] * len(self), dtype="object")

    def reject(self, wrong: Mask | pd.Series[bool], reason: str, shown: pd.Series[str] | None = None) -> None:
        """Mark rows as rejected with a reason; the first reason of a row is kept."""
        for index in np.flatnonzero(np.asarray(wrong, dtype=bool)):
            if self.reasons[index] is None:
                value = "" if shown is None else repr(shown.iloc[index])[:80]
                self.reasons[index] = reason.format(value=value)

    def closed(self, field: str) -> pd.Series[str]:
        """A field with a closed list of values; others are rejected by name."""
        given = self.text(field)
        series = given.str.lower().str.replace(r"[\s-]+", "_", regex=True)
        known = CLOSED_VALUES[field]
        hint = f"unknown {field} {{value}}; known are {', '.join(known)}; translate it under [values.{field}]"
        self.reject(series.notna() & ~series.isin(known), hint, given)
        return series

    def boolean(self, field: str) -> pd.Series[bool]:
        """True, False or missing."""
        given = self.text(field)
        lowered = given.str.lower()
        self.reject(
            lowered.notna() & ~lowered.isin((*_TRUE, *_FALSE)),
            f"{field} is {{value}}, not true or false",
            given,
        )
        return lowered.map(lambda v: None if pd.isna(v) else v in _TRUE).astype("object")

    def number(self, field: str) -> pd.Series[float]:
        """A number or missing."""
        given = self.text(field)
        numbers = pd.to_numeric(given, errors="coerce")
        finite = np.isfinite(numbers.astype("float64"))
        self.reject(given.notna() & ~finite, f"{field} is {{value}}, not a number", given)
        return numbers.astype("float64")

    def count(self, field: str) -> pd.Series[float]:
        """A whole number that is not negative, or missing."""
        number = self.number(field).round()
        self.reject(number < 0, f"{field} is {{value}}, below zero", self.text(field))
        self.reject(number > MAX_COUNT, f"{field} is {{value}}, over {MAX_COUNT:,}", self.text(field))
        return number

    def time(self, field: str) -> pd.Series[pd.Timestamp]:
        """UTC, naive; missing is NaT. A time that does not exist in the zone is rejected."""
        given = self.text(field)
        present = given.notna()
        moments = pd.Series(pd.NaT, index=given.index, dtype="datetime64[us, UTC]")
        if present.any():
            moments.loc[present] = self._parsed(given[present])
        naive: pd.Series[pd.Timestamp] = moments.dt.tz_convert("UTC").dt.tz_localize(None)
        naive = naive.where((naive < LATEST) & (naive >= FIRST))  # Python knows neither year 0 nor 10000
        wanted = self.mapping.time_format or "2026-01-31 09:30:00"
        self.reject(present & naive.isna(), f"{field} is {{value}}, not a possible time of the form {wanted}", given)
        return naive

    def _parsed(self, texts: pd.Series[str]) -> pd.Series[pd.Timestamp]:
        form = self.mapping.time_format
        if form is not None:
            has_offset = pd.Series("%z" in form or "%Z" in form, index=texts.index)
        else:
            form = "ISO8601"
            texts = texts.str.upper()  # a lower-case t or z is ISO 8601, too
            # pandas takes "now" and "today" for times: they would be another one with every load.
            texts = texts.where(texts.str.contains(r"^\d"), None)
            has_offset = texts.str.contains(_OFFSET, regex=True, na=False).astype(bool)
        moments = pd.to_datetime(texts, format=form, errors="coerce", utc=True).astype("datetime64[us, UTC]")
        if not has_offset.all() and self.mapping.zone != "UTC":
            moments.loc[~has_offset] = self._localised(moments[~has_offset].dt.tz_localize(None))
        return moments

    def _localised(self, local: pd.Series[pd.Timestamp]) -> pd.Series[pd.Timestamp]:
        # An hour that comes twice is read as its first coming, one that never comes is impossible.
        first_coming = np.ones(len(local), dtype=bool)
        local = local.where((local >= FIRST) & (local < LATEST))
        localised = local.dt.tz_localize(self.mapping.zone, ambiguous=first_coming, nonexistent="NaT")
        return localised.dt.tz_convert("UTC").astype("datetime64[us, UTC]")

    def kept(self) -> Mask:
        """Rows without a reason to reject them."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)

    def rejects(self) -> list[Reject]:
        """The rows that fell out."""
        return [
            Reject(record.line, reason, record.raw)
            for record, reason in zip(self.records, self.reasons, strict=True)
            if reason is not None
        ]


def read(path: Path, *, mapping: Mapping, encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of one file. Raises SourceError where a mapped column is not in the file, or stands there twice.

    `encoding` goes before that of the mapping.
    """
    names, items = _items(path, mapping, encoding or mapping.encoding)
    for field, column in mapping.columns.items():
        if names.count(column) > 1:
            raise SourceError(f"{path}: column {column!r} (mapped to {field}) stands there twice")
        if column not in names:
            raise SourceError(
                f"{path}: column {column!r} (mapped to {field}) is missing; its columns are {', '.join(names)[:300]}"
            )
    yield from batches(names, items, mapping)


def _items(path: Path, mapping: Mapping, encoding: str | None) -> tuple[Sequence[str], Iterator[Record | Reject]]:
    if form_of(path) in ("json", "parquet"):
        return read_columns(path, list(dict.fromkeys(mapping.columns.values())), encoding)
    return read_records(path, encoding=encoding, delimiter=mapping.delimiter)


def batches(names: Sequence[str], items: Iterable[Record | Reject], mapping: Mapping) -> Iterator[Batch]:
    """The mapping applied to records whose columns are `names`."""
    pending: list[Record] = []
    batch = Batch()
    for item in items:
        batch.read_count += 1
        if isinstance(item, Reject):
            batch.rejects.append(item)
            continue
        pending.append(item)
        if len(pending) >= BATCH_ROWS:
            yield _mapped(pending, names, mapping, batch)
            pending, batch = [], Batch()
    yield _mapped(pending, names, mapping, batch)


def _mapped(records: Sequence[Record], names: Sequence[str], mapping: Mapping, batch: Batch) -> Batch:
    if not records:
        return batch
    rows = _Rows(records, names, mapping)
    columns = _shared_columns(rows)
    facts: dict[str, object] | None = None
    if mapping.grain == "conversation":
        facts = _fact_columns(rows, columns)
    else:
        _interaction_columns(rows, columns)
    kept = rows.kept()
    batch.rejects += rows.rejects()
    count = int(kept.sum())
    batch.events = event_table({name: _taken(values, kept) for name, values in columns.items()}, count)
    if facts is not None:
        batch.facts = table_of(FACT_SCHEMA, {name: _taken(values, kept) for name, values in facts.items()}, count)
    return batch


def _taken(values: object, kept: Mask) -> list[object]:
    series = pd.Series(values) if not isinstance(values, pd.Series) else values
    chosen = series[kept]
    if str(chosen.dtype).startswith("datetime64"):
        return [None if value is pd.NaT else value.to_pydatetime() for value in chosen]
    return [None if pd.isna(value) else value for value in chosen.tolist()]


def _shared_columns(rows: _Rows) -> dict[str, object]:
    identifier = rows.text("id")
    rows.reject(identifier.isna(), "id is empty")
    channel = rows.closed("channel")
    rows.reject(channel.isna(), "channel is empty")
    conversation = rows.text("conversation")
    score = rows.number("sentiment_score")
    rows.reject(
        score.notna() & (score.abs() > 1),
        "sentiment_score is {value}, not between -1 and 1",
        rows.text("sentiment_score"),
    )
    columns: dict[str, object] = {
        "external_id": identifier,
        "conversation": conversation.where(conversation.notna(), identifier),
        "channel": channel,
        "sentiment_label": rows.closed("sentiment_label"),
        "sentiment_score": score,
        "is_complaint": rows.boolean("is_complaint"),
        "needs_reply": rows.boolean("needs_reply"),
        "blamed_channel": rows.closed("blamed_channel"),
        "audience": rows.count("audience"),
        "is_outreach": rows.boolean("outreach").map(lambda value: value is True),
        "line": [record.line for record in rows.records],
        "raw": [record.raw for record in rows.records],
    }
    columns["thread_id"] = columns["conversation"]
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
        "topic",
    ):
        columns[field] = rows.text(field)
    topic = rows.text("topic")
    columns["topic"] = topic.str.lower().str.replace(r"[\s-]+", "_", regex=True)
    return columns


def _interaction_columns(rows: _Rows, columns: dict[str, object]) -> None:
    occurred_at = rows.time("occurred_at")
    rows.reject(occurred_at.isna(), "occurred_at is empty")
    author_kind = rows.closed("author_kind")
    direction = rows.closed("direction")
    by_author = author_kind.map(lambda kind: "inbound" if pd.isna(kind) or kind == "customer" else "outbound")
    direction = direction.where(direction.notna(), by_author)
    usual = direction.map(lambda way: "customer" if way == "inbound" else "agent")
    author_kind = author_kind.where(author_kind.notna(), usual)
    rows.reject(
        (direction == "inbound") & (author_kind != "customer")
        | (direction == "outbound") & (author_kind == "customer"),
        "direction and author_kind {value} contradict each other",
        author_kind,
    )
    internal = rows.boolean("is_internal")
    columns["occurred_at"] = occurred_at
    columns["direction"] = direction
    columns["author_kind"] = author_kind
    columns["is_visible"] = internal.map(lambda value: value is not True)
    columns["reply_to"] = rows.text("reply_to")
    columns["author"] = rows.text("customer").where(direction == "inbound", rows.text("agent"))


def _fact_columns(rows: _Rows, columns: dict[str, object]) -> dict[str, object]:
    opened_at = rows.time("opened_at")
    rows.reject(opened_at.isna(), "opened_at is empty")
    first_response_at = rows.time("first_response_at")
    for field, factor in (("first_response_seconds", 1.0), ("first_response_minutes", 60.0)):
        seconds = (rows.number(field) * factor).round()
        rows.reject(seconds < 0, f"{field} is {{value}}: a response before the question", rows.text(field))
        too_long = seconds > 100 * 365 * 86400
        rows.reject(too_long, f"{field} is {{value}}: over a hundred years", rows.text(field))
        computed = opened_at + pd.to_timedelta(seconds.where((seconds >= 0) & ~too_long, np.nan), unit="s")
        first_response_at = first_response_at.where(first_response_at.notna(), computed)
    resolved_at = rows.time("resolved_at")
    rows.reject(first_response_at < opened_at, "the first response is dated before the opening")
    rows.reject(resolved_at < opened_at, "it is resolved before it is opened")
    is_answered = rows.boolean("is_answered")
    rows.reject(
        is_answered.map(lambda value: value is False) & first_response_at.notna(),
        "is_answered is false, but there is a first response",
    )
    direction = rows.closed("direction")
    direction = direction.where(direction.notna(), "inbound")
    columns["occurred_at"] = opened_at
    columns["direction"] = direction
    columns["author_kind"] = direction.map(lambda way: "customer" if way == "inbound" else "agent")
    columns["author"] = rows.text("customer")
    columns["agent"] = rows.text("agent").where(direction == "outbound", None)
    facts: dict[str, object] = {
        "conversation": columns["conversation"],
        "is_answered": is_answered.where(
            is_answered.notna(), first_response_at.notna().map(lambda v: True if v else None)
        ),
        "first_response_at": first_response_at,
        "responder_agent": rows.text("agent").where(first_response_at.notna(), None),
        "resolved_at": resolved_at,
        "status": rows.text("status"),
        "queue": rows.text("queue"),
        "is_abandoned": rows.boolean("is_abandoned"),
    }
    for field in ("abandoned_seconds", "talk_seconds"):
        facts[field] = rows.count(field)
    # Without any of these nobody can say who was answered; nobody is called ignored then.
    tells_answers = any(map(rows.mapping.has, ANSWER_FIELDS))
    facts["is_response_known"] = [tells_answers] * len(rows)
    return facts


def first_rows(
    path: Path, mapping: Mapping, limit: int = 5, *, encoding: str | None = None
) -> list[dict[str, object]]:
    """The mapping applied: the first rows as they would be stored, with their lines; of one id the first."""
    rows: dict[str, dict[str, object]] = {}
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    for batch in read(path, mapping=mapping, encoding=encoding):
        if batch.events is None:
            continue
        events, facts, _ = without_impossible_times(batch.events, batch.facts, now)
        told = facts.to_pylist() if facts is not None else [{}] * events.num_rows
        for event, fact in zip(events.to_pylist(), told, strict=True):
            shown = {**event, **{k: v for k, v in fact.items() if k != "conversation"}}
            line = shown.pop("line")
            del shown["raw"], shown["is_from_file"]
            row = {"line": line, **{k: _plain(v) for k, v in shown.items() if v is not None}}
            rows.setdefault(event["external_id"], row)
            if len(rows) == limit:
                return list(rows.values())
    return list(rows.values())


def _plain(value: object) -> object:
    return value.isoformat() + "Z" if isinstance(value, dt.datetime) else value


SOURCE = Source(
    name="csv",
    summary="Any CSV, JSON-lines or Parquet of interactions, tickets or calls, with --mapping MAP.toml",
    gaps="knows what the mapping names; without a response, an answer or an abandonment no response time",
    read=read,
)
