"""Read delimited text block by block, as columns, wherever the text leaves no doubt.

A block is read as columns only as far as its quotes stand where RFC 4180 wants them: there the reader of columns
and the reader of records (`delimited`) cannot differ. Where there is doubt (a stray quote, a lone carriage return, a
byte that is no UTF-8, a record without an end) the records are read one by one, and reasons are theirs.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from data_access.sources.base import Reject
from data_access.sources.delimited import Lines, Record, header_of, open_text, records_of

BLOCK_BYTES = 4 << 20
_LEAST_BLOCK = 1 << 16
_MAX_RECORD_BYTES = 1 << 19  # longer ones are read as records, which knows the limits
_MAX_RECORD_LINES = 1_000
_QUOTE, _LF, _CR = b'"\n\r'

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Block:
    """Records that follow each other, as columns of text in the order of the wanted names.

    `lines` are the lines on which they begin; `at` and `sizes` say where they stand in the file, in bytes.
    """

    columns: list[pa.Array]
    lines: Places
    at: Places
    sizes: Places
    data: memoryview
    data_at: int

    @property
    def byte_count(self) -> int:
        """Bytes of all records."""
        return int(self.sizes.sum())

    @property
    def where(self) -> dict[str, pa.Array]:
        """Where the records stand in the file: `raw_texts` of `base` reads them again."""
        return {"raw_at": pa.array(self.at), "raw_bytes": pa.array(self.sizes)}

    def raw(self, place: int) -> str:
        """The text of a record, with its line end."""
        start = int(self.at[place]) - self.data_at
        return str(self.data[start : start + int(self.sizes[place])], "utf-8")


@dataclasses.dataclass(frozen=True)
class _Form:
    """What all blocks of a file share: its width, the places of the wanted columns, its delimiter."""

    width: int
    wanted: Sequence[int]
    delimiter: str

    def table(self, data: memoryview) -> pa.Table | None:
        """The wanted columns; None where a record has another width."""
        names = [str(place) for place in range(self.width)]
        wanted = [str(place) for place in self.wanted]
        try:
            return pa_csv.read_csv(
                pa.BufferReader(pa.py_buffer(data)),
                read_options=pa_csv.ReadOptions(column_names=names, block_size=len(data) + 1),
                parse_options=pa_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=wanted,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None


def can_read_blocks(path: Path, encoding: str | None, delimiter: str) -> bool:
    """Whether the file is UTF-8 by what is said of it, so that places in it can be counted in bytes."""
    if not delimiter.isascii():
        return False
    with path.open("rb") as file:
        has_utf16_mark = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
    named = (encoding or "utf-8").lower().replace("_", "-")
    return named in ("utf-8", "utf8", "utf-8-sig") and (encoding is not None or not has_utf16_mark)


def read_blocks(
    path: Path, wanted: Sequence[int], *, encoding: str | None, delimiter: str
) -> Iterator[Block | Record | Reject]:
    """All of a file behind its header: blocks with the columns at these places, whole records where a block would be
    in doubt, and rejects. In file order, but for records of another width than the header: they follow their block.
    """
    with open_text(path, encoding) as text:
        lines, names = header_of(path, text, delimiter)
    form = _Form(len(names), wanted, delimiter)
    with path.open("rb") as file:
        start = lines.bytes_read + (3 if file.read(3) == b"\xef\xbb\xbf" else 0)
        line = lines.number
        length = BLOCK_BYTES
        while True:
            file.seek(start)
            data = file.read(length)
            if not data:
                return
            ends = _record_ends(data, delimiter, is_last=len(data) < length)
            size = int(ends[-1]) if len(ends) else 0
            if size:
                yield from _block(memoryview(data)[:size], ends, form, start, line)
                start, line = start + size, line + data.count(b"\n", 0, size)
            if size == 0 or size < min(length, len(data)) // 2:
                # In doubt: a stretch of single records; less is tried at once where doubts are many.
                length = max(length // 2, _LEAST_BLOCK)
                with path.open("rb") as again:
                    again.seek(start)
                    found = Lines(io.TextIOWrapper(again, "utf-8", "surrogateescape", newline=""), line)
                    for item in records_of(found, form.width, delimiter):
                        yield item
                        if found.bytes_read >= _LEAST_BLOCK:
                            break
                start, line = start + found.bytes_read, found.number
            else:
                length = min(2 * length, BLOCK_BYTES)


def _block(
    data: memoryview, ends: Places, form: _Form, data_at: int, line_before: int
) -> Iterator[Block | Record | Reject]:
    """The records that end there as a block; those of another width one by one behind it."""
    octets = np.frombuffer(data, np.uint8)
    starts = np.concatenate(([0], ends[:-1]))
    line_ends = np.flatnonzero(octets == _LF)
    lines = line_before + 1 + np.searchsorted(line_ends, starts)
    is_empty = (octets[starts] == _LF) | ((octets[starts] == _CR) & (ends - starts == 2))
    starts, ends, lines = starts[~is_empty], ends[~is_empty], lines[~is_empty]
    table = form.table(data)
    is_wide = np.ones(len(starts), bool)
    if table is None:
        is_wide = _field_counts(octets, starts, ends, form.delimiter) == form.width
        parts = [data[a:b] for a, b in _stretches(starts, ends, is_wide)]
        table = form.table(memoryview(b"".join(parts)))
    if table is None or table.num_rows != int(is_wide.sum()):
        is_wide[:] = False  # the readers disagree about what a record is
    if is_wide.any():
        columns = [column.combine_chunks() for column in table.columns]  # type: ignore[union-attr]
        yield Block(columns, lines[is_wide], starts[is_wide] + data_at, (ends - starts)[is_wide], data, data_at)
    for place in np.flatnonzero(~is_wide):
        text = io.StringIO(str(data[starts[place] : ends[place]], "utf-8"), newline="")
        yield from records_of(Lines(text, int(lines[place]) - 1), form.width, form.delimiter)


def _stretches(starts: Places, ends: Places, is_kept: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Begin and end of each run of records that are kept."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_kept.astype(np.int8), [0]))))
    for first, behind in zip(edges[::2], edges[1::2], strict=True):
        yield int(starts[first]), int(ends[behind - 1])


def _field_counts(octets: Bytes, starts: Places, ends: Places, delimiter: str) -> Places:
    between = np.flatnonzero(octets == ord(delimiter))
    quotes = np.flatnonzero(octets == _QUOTE)
    between = between[np.searchsorted(quotes, between) % 2 == 0]
    count: Places = np.searchsorted(between, ends) - np.searchsorted(between, starts) + 1
    return count


def _record_ends(data: bytes, delimiter: str, *, is_last: bool) -> Places:
    """Where the records end that are beyond doubt, each behind its line end; the first begins at 0.

    Quotes before a place are even in number exactly where it is outside of quoted text, as long as all of them stand
    where they should: at the edges of a field, or doubled in it.
    """
    octets = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(octets == _QUOTE)
    line_ends = np.flatnonzero(octets == _LF)
    ends: Places = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0] + 1
    if is_last and len(quotes) % 2 == 0 and (not len(ends) or ends[-1] < len(data)):
        ends = np.append(ends, len(data))
    ends = ends[ends <= _first_doubt(data, octets, quotes, ord(delimiter))]
    starts = np.concatenate(([0], ends[:-1]))
    line_count = np.searchsorted(line_ends, ends) - np.searchsorted(line_ends, starts)
    is_long = (ends - starts > _MAX_RECORD_BYTES) | (line_count > _MAX_RECORD_LINES)
    return ends[: int(np.argmax(is_long))] if is_long.any() else ends


def _first_doubt(data: bytes, octets: Bytes, quotes: Places, delimiter: int) -> int:
    """The first byte that the two readers may understand differently; the length of the data where there is none."""
    doubts = [len(data)]
    edges = np.zeros(256, bool)
    edges[[delimiter, _LF, _QUOTE]] = True
    opening, closing = quotes[::2], quotes[1::2]
    doubts += opening[~edges[octets[opening - 1]] & (opening > 0)][:1].tolist()
    edges[_CR] = True
    inside = closing[closing + 1 < len(data)]
    doubts += inside[~edges[octets[inside + 1]]][:1].tolist()
    if b"\r" in data:
        returns = np.flatnonzero(octets == _CR)
        inside = returns[returns + 1 < len(data)]
        doubts += inside[octets[inside + 1] != _LF][:1].tolist() + returns[returns + 1 == len(data)].tolist()
    if (nothing := data.find(b"\x00")) >= 0:
        doubts.append(nothing)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as problem:
            doubts.append(problem.start)
    return min(doubts)
