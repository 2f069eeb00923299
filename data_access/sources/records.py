"""Records of CSV, JSON, JSON-lines and Parquet files, streamed, each with its line and raw text.

JSON is read element by element (the standard library alone would hold a whole array): lists at the top, lists in
an envelope such as {"tickets": […], "next_page": …}, one object a line, or one object.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import pyarrow as pa

from data_access.errors import SourceError
from data_access.sources import parquet
from data_access.sources.base import Reject, clean
from data_access.sources.delimited import Record, open_text, read_records

CHUNK = 1 << 20
MAX_RECORD = 64 << 20
RAW_KEPT = 100_000
SAMPLE = 40
# Lists under these names hold records of their own; any other list is a property of its record.
ENVELOPES = frozenset({
    "tickets", "users", "groups", "brands", "comments", "ticket_events", "metric_sets", "conversations", "contacts",
    "admins", "teams", "agents", "messages", "results", "payload", "helpdesk_tickets", "requests",
})  # fmt: skip
NESTED = frozenset({"data"})
_SCALAR = r'(?:"[^"\\]*"|[\w.+-]+|\{[^{}]*\}|\[\])'
_ENVELOPE = re.compile(
    rf'\{{\s*(?:"[^"]*"\s*:\s*{_SCALAR}\s*,\s*)*"(?:(?:{"|".join(sorted(ENVELOPES))})"\s*:\s*\[|data"\s*:\s*\{{)'
)
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
# Names of HTML. People also write "<name>", "<b@x.org>", "<30 min" and "<i think": these are words. What could be
# either is a tag only with an attribute.
_NAMES = (
    "abbr|acronym|address|article|aside|audio|big|blockquote|body|br|button|canvas|caption|center|cite|code|col|colgroup|"
    "dd|del|details|dfn|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|frameset|h[1-6]|head|"
    "header|hr|html|iframe|img|input|ins|kbd|legend|li|meta|nav|noframes|noscript|ol|optgroup|option|picture|pre|samp|"
    "script|section|select|small|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|"
    "thead|title|tr|tt|ul|var|video|wbr|[ovwm]:[a-z]\\w{0,40}"
)
_LETTERS, _EITHER = "[bipqsu]", "a|area|base|data|label|link|main|map|mark|object|output|param|source|time|track"
_TAG = re.compile(
    r"<(script|style)\b(?:(?!<\1\b).)*?</\1\s*>"
    r"|<!--(?:(?!<!--).)*?-->|<(?:!doctype|!\[|\?xml)[^>]{0,2000}>"
    rf"|</(?:{_NAMES}|{_LETTERS}|{_EITHER})\s{{0,20}}>"
    rf"|<(?:(?:{_NAMES})(?:[\s/][^>]{{0,2000}})?|{_LETTERS}\s{{0,20}}/?"
    rf"|(?:{_LETTERS}|{_EITHER})\s(?=[^<>]{{0,2000}}=)[^>]{{0,2000}})>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h\d)(?:[\s/][^>]{0,200})?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_UTC_WORD = re.compile(r"\s*(?:UTC|GMT|Z)$", re.IGNORECASE)
_EPOCH = re.compile(r"-?\d{1,13}(\.\d+)?")
_ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
# Years 1990 to 3000: smaller numbers are years, or days of a spreadsheet (45,000 is in 2023), never seconds.
_EARLIEST_EPOCH, _LATEST_EPOCH = 631_152_000, 32_503_680_000
_SERIAL_DAYS = (20_000, 80_000)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One record: its first line, the JSON list it stood in ("" for none), its values by lower-case name, raw text."""

    line: int
    list_name: str
    values: dict[str, Any]
    raw: str

    def get(self, path: str) -> Any:
        """The value at a dotted path; None where it is missing."""
        value: Any = self.values.get(path)
        if value is None and "." in path:
            value = self.values
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
        return value

    def text(self, *paths: str) -> str | None:
        """The first of these that is given, as stripped text. Raises ValueError for a list or an object."""
        for path in paths:
            value = self.values.get(path)
            if value is None and "." in path:
                value = self.get(path)
            if type(value) is str and value.isascii() and "\x00" not in value:
                text: str | None = value.strip() or None  # as as_text has it, at a third of the cost
            else:
                text = None if value is None else as_text(path, value)
            if text is not None:
                return text
        return None

    def needed(self, *paths: str) -> str:
        """As `text`. Raises ValueError where it is empty."""
        value = self.text(*paths)
        if value is None:
            raise ValueError(f"{paths[0]} is empty")
        return value

    def flag(self, path: str) -> bool | None:
        """True, False or missing. Raises ValueError for anything else."""
        value = self.values.get(path)
        if value is True or value is False:
            return bool(value)
        value = self.text(path)
        if value is None:
            return None
        lower = value.lower()
        if lower not in _TRUE and lower not in _FALSE:
            raise ValueError(f"{path} is {value[:60]!r}, not true or false")
        return lower in _TRUE

    def moment(self, *paths: str) -> dt.datetime | None:
        """UTC, naive, of the first that is given. Raises ValueError where that is no time."""
        for path in paths:
            value = self.get(path)
            if value not in (None, ""):
                return moment(value, path)
        return None

    def needed_moment(self, *paths: str) -> dt.datetime:
        """As `moment`. Raises ValueError where it is empty."""
        value = self.moment(*paths)
        if value is None:
            raise ValueError(f"{paths[0]} is empty")
        return value

    def number(self, path: str) -> float | None:
        """A number that is not negative, or missing. Raises ValueError for anything else."""
        value = self.text(path)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 2**31 - 1:
            raise ValueError(f"{path} is {value[:60]!r}, not a number from 0 to {2**31 - 1:,}")
        return number


def as_text(name: str, value: Any) -> str | None:
    """A scalar as stripped text that every engine can hold; None for nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dict | list):
        raise ValueError(f"{name} is {'an object' if isinstance(value, dict) else 'a list'}, not a text")
    return clean(str(value)).strip() or None


def moment(value: Any, name: str = "time", zone: str | None = None) -> dt.datetime:
    """UTC, naive, from ISO 8601 or epoch seconds; without an offset in `zone` or UTC. Raises ValueError."""
    if isinstance(value, dt.datetime):
        found = value
    else:
        text = as_text(name, value) or ""
        if _EPOCH.fullmatch(text) and not (len(text) == 8 and text.isdigit()):
            return _of_epoch(text, name)
        try:
            if _ISO_UTC.fullmatch(text):
                return dt.datetime.fromisoformat(text[:19])
            found = dt.datetime.fromisoformat(_UTC_WORD.sub("+00:00", text) if text[-1:].isalpha() else text)
        except (ValueError, OverflowError) as problem:
            raise ValueError(f"{name} is {text[:60]!r}, not a time such as 2026-01-31T09:30:00Z") from problem
    is_leapt = False
    try:
        if found.tzinfo is None and zone is not None:
            local = found.replace(tzinfo=ZoneInfo(zone))
            is_leapt = local.astimezone(dt.UTC).astimezone(local.tzinfo).replace(tzinfo=None) != found
            found = local
        found = found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo is not None else found
    except (ValueError, OverflowError) as problem:
        raise ValueError(f"{name} is {str(value)[:60]!r}, not a possible time") from problem
    if is_leapt:
        raise ValueError(f"{name} is {str(value)[:60]!r}, a time that never comes in {zone}: the clock leaps over it")
    return found


def _of_epoch(text: str, name: str) -> dt.datetime:
    """UTC, naive, of seconds or milliseconds since 1970. Raises ValueError where these are before 1990."""
    number = float(text)
    seconds = number / (1000 if abs(number) > _LATEST_EPOCH else 1)
    if not _EARLIEST_EPOCH <= seconds <= _LATEST_EPOCH:
        is_serial = _SERIAL_DAYS[0] <= number <= _SERIAL_DAYS[1]
        hint = ": is it a date that a spreadsheet shows as a number?" if is_serial else ""
        raise ValueError(f"{name} is {text!r}, not a time such as 2026-01-31T09:30:00Z{hint}")
    return dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)


def plain(markup: str | None) -> str | None:
    """The words of HTML; a text without tags as it is, but for entities such as &amp;."""
    if markup is None or ("<" not in markup and "&" not in markup):
        return markup
    bare = _TAG.sub(" ", _BREAK.sub("\n", markup))
    if bare == markup:
        return _ENTITY.sub(lambda entity: html.unescape(entity[0]), markup)
    words = html.unescape(bare)
    return "\n".join(line for line in (" ".join(part.split()) for part in words.splitlines()) if line) or None


def form_of(path: Path) -> str:
    """What a file looks like by its first bytes: parquet, mail, json, csv; empty where it has none."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as problem:
        raise SourceError(f"{path}: cannot be read: {problem.strerror}") from problem
    if head.startswith(b"PAR1"):
        return "parquet"
    if (of_two_bytes := _of_utf_16(head)) is not None:
        return "json" if of_two_bytes.startswith(("{", "[")) else "csv" if of_two_bytes else ""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith(b"From ") or re.match(rb"[A-Za-z][A-Za-z0-9-]{1,60}:(?:\r?\n)?[ \t]", start):
        first_line = start.split(b"\n", 1)[0]
        if start.startswith(b"From ") or b"," not in first_line.split(b":", 1)[0]:
            return "mail"
    return "csv" if start else ""


def _of_utf_16(head: bytes) -> str | None:
    """The first text of a file in UTF-16, as PowerShell writes it, or None; without its mark only JSON is known."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif head[:2] in (b"{\x00", b"[\x00"):
        encoding = "utf-16-le"
    elif head[:2] in (b"\x00{", b"\x00["):
        encoding = "utf-16-be"
    else:
        return None
    return head.decode(encoding, "ignore").lstrip()


def read_rows(path: Path, encoding: str | None = None) -> Iterator[Row | Reject]:
    """The records of a file of any of these forms, in its order. Raises SourceError where it is none of them."""
    form = form_of(path)
    if form == "parquet":
        yield from _parquet_rows(path)
    elif form == "json":
        with open_text(path, encoding) as file:
            yield from _JsonFile(path, file).rows()
    else:
        yield from _csv_rows(path, encoding)


def look_through(path: Path, encoding: str | None = None) -> list[tuple[str, frozenset[str]]]:
    """Lists and keys of the first records of a JSON file."""
    first = itertools.islice(read_rows(path, encoding), SAMPLE)
    return list(dict.fromkeys((row.list_name, frozenset(row.values)) for row in first if isinstance(row, Row)))


def column_names(path: Path, encoding: str | None = None) -> list[str]:
    """Lower-case column names of a CSV or Parquet file."""
    if form_of(path) == "parquet":
        with parquet.open_file(path) as file:
            return [name.lower() for name in file.schema_arrow.names]
    return [_column(name) for name in read_records(path, encoding=encoding)[0]]


def read_columns(
    path: Path, columns: Sequence[str], encoding: str | None = None
) -> tuple[list[str], Iterator[parquet.ParquetBlock | Record | Reject]]:
    """JSON or Parquet as a table of these columns (dotted paths into objects).

    Parquet comes in blocks where each column holds single values. Raises SourceError where a Parquet file has none
    of that name, or no JSON record has any.
    """
    if form_of(path) == "parquet":
        with parquet.open_file(path) as file:
            schema = file.schema_arrow
        known = schema.names
        for column in columns:
            if known.count(column) > 1:
                raise SourceError(f"{path}: column {column!r} of the mapping stands there twice")
            if column not in known and column.split(".")[0] not in known:
                shown = ", ".join(known)[:300]
                raise SourceError(f"{path}: column {column!r} of the mapping is missing; its columns are {shown}")
        return list(columns), _parquet_items(path, columns, in_blocks=parquet.has_single_values(schema, columns))
    else:
        first = next((row for row in read_rows(path, encoding) if isinstance(row, Row)), None)
        if first is None:
            raise SourceError(f"{path}: holds no JSON object")
        if all(_value_at(first, column) is None for column in columns):
            shown = ", ".join(first.values)[:300]
            raise SourceError(f"{path}: its records have none of the columns of the mapping; they have {shown}")
    return list(columns), _as_records(path, columns, encoding)


def _as_records(path: Path, columns: Sequence[str], encoding: str | None) -> Iterator[Record | Reject]:
    for row in read_rows(path, encoding):
        yield row if isinstance(row, Reject) else _as_record(row, columns)


def _as_record(row: Row, columns: Sequence[str]) -> Record | Reject:
    try:
        return Record(row.line, [text_of(column, _value_at(row, column)) for column in columns], row.raw)
    except ValueError as problem:
        return Reject(row.line, str(problem), row.raw)


def _value_at(row: Row, column: str) -> Any:
    """The value of a column, or at a dotted path: names at the top in any case, as they stand below."""
    value = row.values.get(column.lower())
    if value is None and "." in column:
        top, *rest = column.split(".")
        value = row.values.get(top.lower())
        for name in rest:
            value = value.get(name, value.get(name.lower())) if isinstance(value, dict) else None
    return value


def _parquet_items(
    path: Path, columns: Sequence[str], *, in_blocks: bool
) -> Iterator[parquet.ParquetBlock | Record | Reject]:
    """Blocks where they are wanted, and the single records of stretches in which a value is none that can be text."""
    for stretch in parquet.stretches(path):
        try:
            if in_blocks:
                yield stretch.block(columns, text_of)
                continue
        except (pa.ArrowException, ValueError):
            pass  # one of its records says it again, for itself
        for line, record in stretch.records():
            row = _parquet_row(line, record, {column: record[column] for column in columns if column in record})
            yield row if isinstance(row, Reject) else _as_record(row, columns)


def text_of(name: str, value: Any) -> str:
    """A scalar as the text of a CSV cell. Raises ValueError for a list or an object."""
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return (clean(value) if isinstance(value, str) else as_text(name, value)) or ""


def _column(name: str) -> str:
    return name.strip().strip('"').lower()


def _csv_rows(path: Path, encoding: str | None) -> Iterator[Row | Reject]:
    header, items = read_records(path, encoding=encoding)
    names = [_column(name) for name in header]
    for item in items:
        if isinstance(item, Reject):
            yield item
        elif len(item.fields) > len(names):
            yield Reject(item.line, f"{len(item.fields)} fields instead of {len(names)}", item.raw)
        else:
            yield Row(item.line, "", dict(zip(names, item.fields, strict=False)), item.raw)


def _parquet_rows(path: Path) -> Iterator[Row | Reject]:
    for stretch in parquet.stretches(path, rows=1):
        for line, record in stretch.records():
            yield _parquet_row(line, record, {})


def _parquet_row(line: int, record: dict[str, Any], exact: dict[str, Any]) -> Row | Reject:
    """A record as a row; of names that differ in case only those of `exact` count."""
    values = {name.lower(): value for name, value in record.items()}
    return _row(line, "", values | {name.lower(): value for name, value in exact.items()}, parquet.record_text(record))


class _BrokenError(Exception):
    """Text that is no JSON, or an element that is cut or too large."""


class _JsonFile:
    """Pulls values out of a text stream, holding no more than one element (and a chunk)."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._decoder = json.JSONDecoder(parse_constant=lambda _: None)
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._is_at_end = False
        self._is_inside = False

    def rows(self) -> Iterator[Row | Reject]:
        """Every record of the file; the text that is none as a reject."""
        try:
            while self._peek():
                line, self._is_inside = self._line, False
                try:
                    yield from self._top()
                except _BrokenError as problem:
                    if self._is_inside:
                        reason = f"is not valid JSON from here on: {problem}; the rest of the file was not read"
                        yield Reject(self._line, reason, clean(self._buffer[self._at : self._at + RAW_KEPT]))
                        return
                    # One object a line: only this line is lost.
                    yield Reject(line, f"is not valid JSON: {problem}", self._rest_of_line())
        except UnicodeError as problem:
            raise SourceError(f"{self._path}: cannot be read in its encoding: {problem}") from problem

    def _top(self) -> Iterator[Row | Reject]:
        character, line = self._peek(), self._line
        if character == "[":
            self._is_inside = True
            yield from self._elements("")
        elif character != "{":
            raise _BrokenError("an object or a list is expected")
        elif _ENVELOPE.match(self._buffer, self._at, self._at + 4096):
            self._is_inside = True
            yield from self._members(line, "")
        else:
            try:
                value, raw = self._value(within=CHUNK)
            except _TooLargeError:
                self._is_inside = True
                yield from self._members(line, "")
                return
            yield from _unwrapped(line, "", value, raw)

    def _elements(self, name: str) -> Iterator[Row | Reject]:
        self._at += 1
        while (character := self._peek()) != "]":
            if character == ",":
                self._at += 1
                continue
            if not character:
                raise _BrokenError("it ends within a list")
            line = self._line
            value, raw = self._value()
            if isinstance(value, dict):
                yield from _unwrapped(line, name, value, raw)
            else:
                yield _no_object(line, value, raw)
        self._at += 1

    def _members(self, line: int, name: str) -> Iterator[Row | Reject]:
        """An object that is larger than a chunk, member by member; lists of records are streamed."""
        self._at += 1
        collected: dict[str, Any] = {}
        is_envelope = False
        while (character := self._peek()) != "}":
            if character == ",":
                self._at += 1
                continue
            if not character:
                raise _BrokenError("it ends within an object")
            key, _ = self._value()
            if not isinstance(key, str) or self._peek() != ":":
                raise _BrokenError("a name and a colon are expected")
            self._at += 1
            following = self._peek()
            if following == "[" and key in ENVELOPES and "id" not in collected:
                is_envelope = True
                yield from self._elements(key)
            elif following == "{" and key in NESTED and "id" not in collected:
                is_envelope = True
                yield from self._members(self._line, key)
            else:
                collected[key], _ = self._value()
        self._at += 1
        if collected and not is_envelope:
            yield _row(line, name, collected, json.dumps(collected, ensure_ascii=False))

    def _value(self, within: int = MAX_RECORD) -> tuple[Any, str]:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or not self._more():
                    raw = self._buffer[self._at : end]
                    self._advance(end)
                    return value, raw
            except json.JSONDecodeError as problem:
                is_cut = problem.msg.startswith("Unterminated") or problem.pos >= len(self._buffer) - 16
                if is_cut and len(self._buffer) - self._at > within:
                    if within < MAX_RECORD:
                        raise _TooLargeError from problem
                    raise _BrokenError(f"one element is over {MAX_RECORD:,} characters") from problem
                if not is_cut or not self._more():
                    raise _BrokenError(problem.msg) from problem
            except (RecursionError, ValueError) as problem:
                raise _BrokenError(str(problem)[:80]) from problem

    def _peek(self) -> str:
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                if character not in " \t\r\n\ufeff":
                    return character
                self._line += character == "\n"
                self._at += 1
            if not self._more():
                return ""

    def _advance(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        if self._is_at_end:
            return False
        # As much again as is held: parsing a large element anew then costs no more than twice its length.
        part = self._file.read(max(CHUNK, len(self._buffer) - self._at))
        self._is_at_end = not part
        self._buffer = self._buffer[self._at :] + part
        self._at = 0
        return bool(part)

    def _rest_of_line(self) -> str:
        kept: list[str] = []
        while True:
            end = self._buffer.find("\n", self._at)
            if end >= 0:
                kept.append(self._buffer[self._at : end])
                self._at = end
                break
            kept.append(self._buffer[self._at :] if sum(map(len, kept)) < RAW_KEPT else "")
            self._at = len(self._buffer)
            if not self._more():
                break
        return clean("".join(kept)[:RAW_KEPT])


class _TooLargeError(Exception):
    pass


def _row(line: int, name: str, values: dict[str, Any], raw: str) -> Row | Reject:
    if not raw.isascii() and (bad := _BAD_BYTE.search(raw)):
        reason = f"byte 0x{ord(bad[0]) - 0xDC00:02x} is not UTF-8; if the file is in another encoding, use --encoding"
        return Reject(line, reason, clean(raw[:RAW_KEPT]))
    names = "".join(values)
    if names != names.lower():
        values = {key.lower(): value for key, value in values.items()}
    return Row(line, name, values, clean(raw[:RAW_KEPT]))


# How JSON calls what Python read.
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}


def _no_object(line: int, value: Any, raw: str) -> Reject:
    kind = _KINDS.get(type(value), "null")
    return Reject(line, f"{kind} where an object is expected", clean(raw[:RAW_KEPT]))


def _unwrapped(line: int, name: str, value: dict[str, Any], raw: str) -> Iterator[Row | Reject]:
    """The records of an envelope, or the object as the one record it is."""
    if "id" not in value:
        inner = [(key, part) for key, part in value.items() if key in ENVELOPES and isinstance(part, list)]
        nested = [(key, part) for key, part in value.items() if key in NESTED and isinstance(part, dict)]
        for key, part in nested:
            yield from _unwrapped(line, key, part, json.dumps(part, ensure_ascii=False))
        for key, records in inner:
            for record in records:
                text = json.dumps(record, ensure_ascii=False)
                yield _row(line, key, record, text) if isinstance(record, dict) else _no_object(line, record, text)
        if inner or nested:
            return
    yield _row(line, name, value, raw)
