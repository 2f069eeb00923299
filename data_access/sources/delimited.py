"""Read delimited text record by record, so that one broken record never costs its neighbours.

Each record keeps its first line number and its raw text. A quote that is never closed would swallow the
rest of the file; here only its first line is rejected and reading goes on with the next.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from data_access.errors import SourceError
from data_access.sources.base import Reject

MAX_RECORD_LINES = 2_000
MAX_FIELD_CHARACTERS = 4_000_000
MAX_LINE_CHARACTERS = 16_000_000
RAW_KEPT_CHARACTERS = 64_000_000
_WORKBOOK = "a workbook: save it as CSV"
_PACKED = (
    (b"\x1f\x8b", "compressed (gzip): unpack it"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"\xfd7zXZ", "compressed (xz): unpack it"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"\xd0\xcf\x11\xe0", _WORKBOOK),
)
# Names near the beginning of a zip archive that is a workbook: of Excel, or of OpenDocument.
_IN_WORKBOOK = (b"[Content_Types].xml", b"xl/", b"opendocument.spreadsheet")


@dataclasses.dataclass(frozen=True)
class Record:
    """One record: the line it begins on (the header is 1), its fields and its raw text."""

    line: int
    fields: list[str]
    raw: str


class Lines:
    """Line iterator that remembers what the parser took, and can be given lines back."""

    def __init__(self, file: TextIO, number: int = 0) -> None:
        self.file = file
        self.number = number
        self.taken: list[str] = []
        self.returned: list[str] = []
        self._bytes_done = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_RECORD_LINES:
            raise _TooLongError(f"a record of over {MAX_RECORD_LINES} lines: a quote is never closed")
        line = self.returned.pop() if self.returned else self.file.readline(MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        if len(line) >= MAX_LINE_CHARACTERS and not line.endswith(("\n", "\r")):
            self._skip_rest_of_line()
            raise _TooLongError(f"a line of over {MAX_LINE_CHARACTERS:,} characters")
        return line

    def _skip_rest_of_line(self) -> None:
        kept = sum(map(len, self.taken))
        while rest := self.file.readline(MAX_LINE_CHARACTERS):
            if kept < RAW_KEPT_CHARACTERS:
                self.taken.append(rest)
                kept += len(rest)
            else:
                self._bytes_done += _byte_count(rest)
            if rest.endswith(("\n", "\r")):
                break

    @property
    def bytes_read(self) -> int:
        """UTF-8 bytes of all lines taken so far, without those given back."""
        return self._bytes_done + sum(map(_byte_count, self.taken))

    def begin_record(self) -> None:
        """Forget the lines of the record before."""
        self._bytes_done = self.bytes_read
        self.taken.clear()

    def give_back_all_but_first(self) -> None:
        """Let parsing go on behind the first line of the record just tried."""
        rest = self.taken[1:]
        self.returned.extend(reversed(rest))
        self.number -= len(rest)
        self.taken = self.taken[:1]


class _TooLongError(Exception):
    pass


def _byte_count(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def open_text(path: Path, encoding: str | None) -> TextIO:
    """The file as text; bytes that are not in the encoding become surrogates, so that only their row is rejected.

    Without an encoding: UTF-8, or UTF-16 where the file begins with its byte order mark.
    """
    try:
        with path.open("rb") as probe:
            head = probe.read(4096)
        packed = next((words for mark, words in _PACKED if head.startswith(mark)), None)
        if packed is not None:
            words = _WORKBOOK if any(name in head for name in _IN_WORKBOOK) else packed
            raise SourceError(f"{path}: is not a CSV but {words}")
        if encoding is None:
            encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
            encoding = "utf-8-sig"
        errors = "surrogateescape" if not encoding.startswith("utf-16") else "replace"
        return path.open("r", encoding=encoding, errors=errors, newline="")
    except LookupError as problem:
        raise SourceError(f"{path}: unknown encoding {encoding!r}; try utf-8, cp1252 or latin-1") from problem
    except IsADirectoryError as problem:
        raise SourceError(f"{path}: is a folder; name the files in it") from problem
    except OSError as problem:
        raise SourceError(f"{path}: cannot be read: {problem.strerror}") from problem


def guessed_encoding(path: Path) -> str | None:
    """None where the file is UTF-8 (or UTF-16 with its mark), else cp1252: the usual other one."""
    try:
        with path.open("rb") as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                return None
            file.seek(0)
            decoder = codecs.getincrementaldecoder("utf-8")()
            while chunk := file.read(1 << 20):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    except OSError as problem:
        raise SourceError(f"{path}: cannot be read: {problem.strerror}") from problem
    return None


def read_header(path: Path, *, encoding: str | None, delimiter: str) -> list[str]:
    """Column names of the first record. Raises SourceError for an empty file or one that is not text."""
    with open_text(path, encoding) as file:
        return header_of(path, file, delimiter)[1]


def header_of(path: Path, file: TextIO, delimiter: str) -> tuple[Lines, list[str]]:
    """The lines behind the first record, and its fields: the column names. Raises as `read_header`."""
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    lines = Lines(file)
    try:
        names = next((row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row), None)
    except (csv.Error, _TooLongError, UnicodeError) as problem:
        raise SourceError(f"{path}: is not a CSV: its first line has {problem}") from problem
    if not names or not any(name.strip() for name in names):
        raise SourceError(f"{path}: is empty: a first line with column names is needed")
    first_line = "".join(names)
    if any(character < " " and character not in "\t\r\n" for character in first_line):
        raise SourceError(f"{path}: is not a CSV: its first line is binary")
    if _has_surrogates(first_line):
        with path.open("rb") as probe:
            if b"\x00" in probe.read(1024):
                raise SourceError(f"{path}: is not a CSV: it is binary")
        raise SourceError(f"{path}: its first line: {_encoding_reason(first_line)}")
    lines.begin_record()
    return lines, [name.strip().lstrip("\ufeff") for name in names]


def read_records(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None
) -> tuple[list[str], Iterator[Record | Reject]]:
    """The column names, and an iterator over records and rejects in file order.

    Without a delimiter: a comma, or a semicolon or tab where the first line has no comma but one of these, as
    spreadsheets of many countries write it. Raises SourceError at once for a file that is empty or not text.
    """
    names = read_header(path, encoding=encoding, delimiter=delimiter or ",")
    if delimiter is None:
        delimiter = next((other for other in ";\t" if len(names) == 1 and other in names[0]), ",")
        names = names if delimiter == "," else read_header(path, encoding=encoding, delimiter=delimiter)
    return names, _records(path, encoding, delimiter)


def _records(path: Path, encoding: str | None, delimiter: str) -> Iterator[Record | Reject]:
    with open_text(path, encoding) as file:
        lines, names = header_of(path, file, delimiter)
        try:
            yield from records_of(lines, len(names), delimiter)
        except UnicodeError as problem:
            raise SourceError(f"{path}: cannot be read as {encoding}: {problem}") from problem


def records_of(lines: Lines, width: int, delimiter: str) -> Iterator[Record | Reject]:
    """Records and rejects from a place where a record begins; `width` is that of the header."""
    # Strict, so that a quote that is never closed does not end at the next quote of a later row.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_record()
        first = lines.number + 1
        try:
            fields = next(reader, None)
        except (csv.Error, _TooLongError) as problem:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            if "line of over" in str(problem):
                yield Reject(first, f"cannot be split into fields: {problem}", _escaped("".join(lines.taken)))
                continue
            reason = _reason(problem, len(lines.taken))
            lines.give_back_all_but_first()
            fields = _split_leniently(lines.taken[0], delimiter) if lines.taken else None
            if fields is None or len(fields) != width:
                yield Reject(first, f"cannot be split into fields: {reason}", _escaped("".join(lines.taken)))
                continue
        if fields is None:
            if not lines.returned:
                return
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        if not fields:
            continue  # an empty line is no record
        raw = "".join(lines.taken)
        if not raw.isascii() and _has_surrogates(raw):
            yield Reject(first, _encoding_reason(raw), _escaped(raw))
            continue
        yield Record(first, fields, raw)


def _reason(problem: Exception, line_count: int) -> str:
    """Why these lines were taken for no record: what the parser says of quotes is no sentence."""
    if not isinstance(problem, csv.Error):
        return str(problem)
    quote = "a quote is not closed, or not doubled"
    if "field limit" not in str(problem):
        return quote
    size = f"a field of over {MAX_FIELD_CHARACTERS:,} characters"
    return size if line_count == 1 else f"{size}, or {quote}"


def _split_leniently(line: str, delimiter: str) -> list[str] | None:
    """The fields of a line whose quotes are not doubled; None where one stays open, or the line is too long."""
    try:
        rows = list(csv.reader([line, "\n"], delimiter=delimiter))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 2 else None


def _has_surrogates(raw: str) -> bool:
    try:
        raw.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _escaped(raw: str) -> str:
    """The text with bytes that are no UTF-8 written as \\x..; other text as it is."""
    if not _has_surrogates(raw):
        return raw
    return raw.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")


def _encoding_reason(raw: str) -> str:
    bad = next(character for character in raw if "\udc80" <= character <= "\udcff")
    return (
        f"byte 0x{ord(bad) - 0xDC00:02x} is not UTF-8; if the file is in another encoding, "
        "load it with --encoding, for instance --encoding cp1252"
    )


def too_short_or_long(record: Record, width: int) -> str:
    """Why a record with another number of fields than the header is rejected."""
    reason = f"{len(record.fields)} fields instead of {width}"
    if len(record.fields) < width:
        reason += ": the line is cut short"
        if record.raw.endswith(("\n", "\r")):
            reason += ", or a line end inside a text is not quoted"
    return reason


def record_text(fields: Sequence[str]) -> str:
    """A record written again, for showing."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow(fields)
    return buffer.getvalue().rstrip("\r\n")
