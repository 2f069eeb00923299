"""Parquet files: their records one by one, or the wanted columns of many as text.

A value that Python cannot hold (a year 10000, a time in a zone that nobody knows) comes as text, so that only its
own record is rejected for it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_access.errors import SourceError

BLOCK_ROWS, BLOCK_BYTES = 50_000, 16 << 20
_READ_ROWS = 2_000  # that are read at once: their texts may be long
_BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError, TypeError)
_NOT_FOR_PYTHON = (*_BROKEN, KeyError)  # an unknown zone is a KeyError

AsText = Callable[[str, Any], str]


@dataclasses.dataclass(frozen=True)
class ParquetBlock:
    """Records that follow each other, as columns of text in the order of the wanted names.

    `lines` number them from 1; `given` are all their columns as they stand in the file.
    """

    columns: list[pa.Array]
    lines: npt.NDArray[np.int64]
    byte_count: int
    given: pa.RecordBatch

    @property
    def where(self) -> dict[str, pa.Array]:
        """Where the records stand in the file: `raw_texts` of `base` reads them again."""
        return {"raw_at": pa.array(self.lines - 1)}

    def raw(self, place: int) -> str:
        """A record as JSON."""
        return record_text(record_of(self.given, place))


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Some records that follow each other; `first` numbers the first of them from 0."""

    first: int
    byte_count: int
    given: pa.RecordBatch

    def block(self, wanted: Sequence[str], as_text: AsText) -> ParquetBlock:
        """Its records as a block, each different value made text by `as_text(column, value)`, which may raise."""
        columns = [_as_texts(self.given.column(name), name, as_text) for name in wanted]
        lines = np.arange(self.first + 1, self.first + len(self.given) + 1)
        return ParquetBlock(columns, lines, self.byte_count, self.given)

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of each record from 1, and the record by the names of its columns."""
        names = self.given.schema.names
        columns = [_values(column) for column in self.given.columns]
        for place, values in enumerate(zip(*columns, strict=True)):
            yield self.first + place + 1, dict(zip(names, values, strict=True))


def open_file(path: Path) -> pq.ParquetFile:
    """The opened file. Raises SourceError where it is no Parquet file."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise SourceError(f"{path}: is not a Parquet file: {str(problem).splitlines()[0][:120]}") from problem


def stretches(path: Path, rows: int | None = None) -> Iterator[Stretch]:
    """All records, about so many together (else `BLOCK_ROWS`) and fewer where they are long.

    Raises SourceError where the file is broken, with the place.
    """
    size = path.stat().st_size
    with open_file(path) as file:
        done, total = 0, max(file.metadata.num_rows, 1)
        try:
            held: list[pa.RecordBatch] = []
            for batch in _batches(file):
                held.append(batch)
                count = sum(map(len, held))
                if count >= (rows or BLOCK_ROWS) or sum(part.nbytes for part in held) >= BLOCK_BYTES:
                    yield Stretch(done, _share(size, done, done + count, total), pa.concat_batches(held))
                    done, held = done + count, []
            if held:
                yield Stretch(done, _share(size, done, total, total), pa.concat_batches(held))
        except _BROKEN as problem:
            first = (str(problem).splitlines() or [""])[0]
            raise SourceError(f"{path}: is broken behind row {done}: {first[:120]}") from problem


def _share(size: int, first: int, behind: int, total: int) -> int:
    return size * behind // total - size * first // total


def _batches(file: pq.ParquetFile, groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
    for batch in file.iter_batches(batch_size=_READ_ROWS, row_groups=groups):
        # Each batch comes with the whole dictionary of its row group: of that it would be a copy as a block.
        columns = [column.dictionary_decode() if _is_coded(column) else column for column in batch.columns]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _is_coded(column: pa.Array) -> bool:
    return isinstance(column, pa.DictionaryArray)


def record_of(batch: pa.RecordBatch, place: int) -> dict[str, Any]:
    """One record by the names of its columns."""
    row = batch.slice(place, 1)
    return dict(zip(row.schema.names, (_values(column)[0] for column in row.columns), strict=True))


def record_text(record: dict[str, Any]) -> str:
    """A record as JSON: how it is shown."""
    return json.dumps(record, default=str, ensure_ascii=False)


def record_texts(path: Path, places: Sequence[int]) -> list[str]:
    """The records at these places of the file (the first is 0) as JSON, from one pass over it; "" where none is."""
    wanted = np.unique(np.array(places, np.int64))
    found: dict[int, str] = {}
    with open_file(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            behind = first + file.metadata.row_group(group).num_rows
            mine = _between(wanted, first, behind)
            if len(mine):
                at = first
                for batch in _batches(file, [group]):
                    for place in _between(mine, at, at + len(batch)).tolist():
                        found[place] = record_text(record_of(batch, place - at))
                    at += len(batch)
                    if at > mine[-1]:
                        break
            first = behind
    return [found.get(place, "") for place in places]


def _between(places: npt.NDArray[np.int64], first: int, behind: int) -> npt.NDArray[np.int64]:
    return places[np.searchsorted(places, first) : np.searchsorted(places, behind)]


def has_single_values(schema: pa.Schema, names: Sequence[str]) -> bool:
    """Whether each of these columns is there, and holds values that are no lists or objects."""
    return all(name in schema.names and _is_single(schema.field(name).type) for name in names)


def _is_single(kind: pa.DataType) -> bool:
    while isinstance(kind, pa.BaseExtensionType | pa.DictionaryType):
        kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind.value_type
    return not pa.types.is_nested(kind)


def _as_texts(values: pa.Array, name: str, as_text: AsText) -> pa.Array:
    """The values as text; missing ones are null or empty."""
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values.validate(full=True)
        texts = values.cast(pa.string())
        if not pc.any(pc.match_substring(texts, "\x00")).as_py():
            return texts
    try:
        coded = values.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return pa.array([as_text(name, value) for value in _values(values)], pa.string())
    return pa.array([as_text(name, value) for value in _values(coded.dictionary)], pa.string()).take(coded.indices)


def _values(values: pa.Array) -> list[Any]:
    """As Python has them; what it cannot have as text, bytes that are no UTF-8 as halves of surrogate pairs."""
    try:
        found: list[Any] = values.to_pylist()
    except _NOT_FOR_PYTHON:
        found = [_value(values[place]) for place in range(len(values))]
    return found


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except _NOT_FOR_PYTHON:
        if pa.types.is_string(scalar.type) or pa.types.is_large_string(scalar.type):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        try:
            if pa.types.is_timestamp(scalar.type) and scalar.type.tz is not None:  # what is stored is UTC
                return f"{scalar.cast(pa.timestamp(scalar.type.unit)).cast(pa.string()).as_py()}Z"
            return scalar.cast(pa.string()).as_py()
        except _NOT_FOR_PYTHON:
            return f"a value of the type {scalar.type}"
