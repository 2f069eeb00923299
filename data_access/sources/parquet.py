"""Parquet files: their records one by one, or the wanted columns of many as text."""

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
_READ_ROWS = 2_000
_RECORD_ROWS = 10_000  # that are made Python values at once

AsText = Callable[[str, Any], str]
Record = dict[str, Any]


def open_file(path: Path) -> pq.ParquetFile:
    """The opened file. Raises SourceError where it is no Parquet file."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError) as problem:
        raise SourceError(f"{path}: is not a Parquet file: {str(problem).splitlines()[0][:120]}") from problem


def records(path: Path) -> Iterator[Record]:
    """Every record by the names of its columns. Raises SourceError where the file is broken, with the place."""
    with open_file(path) as file:
        done = 0
        try:
            for batch in file.iter_batches(batch_size=_RECORD_ROWS):
                for record in batch.to_pylist():
                    done += 1
                    yield record
        except _BROKEN as problem:
            raise _broken(path, done, problem) from problem


def record_text(record: Record) -> str:
    """A record as JSON: how it is shown."""
    return json.dumps(record, default=str, ensure_ascii=False)


def record_texts(path: Path, places: Sequence[int]) -> list[str]:
    """The records at these places of the file (the first is 0) as JSON, from one pass over it."""
    wanted = np.unique(np.array(places, np.int64))
    found: dict[int, str] = {}
    with open_file(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            behind = first + file.metadata.row_group(group).num_rows
            if len(_between(wanted, first, behind)):
                at = first
                for batch in file.iter_batches(batch_size=_RECORD_ROWS, row_groups=[group]):
                    here = _between(wanted, at, at + batch.num_rows)
                    found |= zip(
                        here.tolist(), map(record_text, batch.take(pa.array(here - at)).to_pylist()), strict=True
                    )
                    at += batch.num_rows
            first = behind
    return [found[place] for place in places]


def _between(places: npt.NDArray[np.int64], first: int, behind: int) -> npt.NDArray[np.int64]:
    return places[np.searchsorted(places, first) : np.searchsorted(places, behind)]


@dataclasses.dataclass(frozen=True)
class Block:
    """Records that follow each other, as columns of text in the order of the wanted names.

    `lines` number them from 1; `given` are all their columns as they stand in the file.
    """

    columns: list[pa.Array]
    lines: npt.NDArray[np.int64]
    byte_count: int
    given: pa.Table

    @property
    def where(self) -> dict[str, pa.Array]:
        """Where the records stand in the file: `raw_texts` of `base` reads them again."""
        return {"raw_at": pa.array(self.lines - 1)}

    def raw(self, place: int) -> str:
        """A record as JSON."""
        return record_text(self.given.slice(place, 1).to_pylist()[0])


def can_read_blocks(path: Path, wanted: Sequence[str]) -> bool:
    """Whether the file has each of these columns once, and each holds single values."""
    with open_file(path) as file:
        schema = file.schema_arrow
    return all(schema.names.count(name) == 1 and _is_single(schema.field(name).type) for name in wanted)


def _is_single(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind.value_type if pa.types.is_dictionary(kind) else kind)


def read_blocks(path: Path, wanted: Sequence[str], as_text: AsText) -> Iterator[Block]:
    """All records in blocks. Each different value of these columns is made text by `as_text(column, value)`.

    Raises SourceError where the file is broken, with the place.
    """
    size = path.stat().st_size
    with open_file(path) as file:
        done, total = 0, max(file.metadata.num_rows, 1)
        try:
            for table in _stretches(file):
                behind = done + table.num_rows
                columns = [_texts(table[name].combine_chunks(), name, as_text) for name in wanted]
                byte_count = size * behind // total - size * done // total
                yield Block(columns, np.arange(done + 1, behind + 1), byte_count, table)
                done = behind
        except _BROKEN as problem:
            raise _broken(path, done, problem) from problem


def _stretches(file: pq.ParquetFile) -> Iterator[pa.Table]:
    """Rows up to `BLOCK_ROWS`, fewer where they are long; read in small steps, so that no more long ones are held."""
    held: list[pa.RecordBatch] = []
    for batch in file.iter_batches(batch_size=_READ_ROWS):
        batch.validate(full=True)
        held.append(batch)
        if sum(map(len, held)) >= BLOCK_ROWS or sum(part.nbytes for part in held) >= BLOCK_BYTES:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _texts(values: pa.Array, name: str, as_text: AsText) -> pa.Array:
    """The values as text; missing ones are null or empty."""
    if isinstance(values, pa.DictionaryArray):
        return _texts(values.dictionary, name, as_text).take(values.indices)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        texts = values.cast(pa.string())
        return texts if not pc.any(pc.match_substring(texts, "\x00")).as_py() else _each(texts, name, as_text)
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    return _each(values, name, as_text)


def _each(values: pa.Array, name: str, as_text: AsText) -> pa.Array:
    try:
        coded = values.dictionary_encode()
    except pa.ArrowNotImplementedError:
        return pa.array([as_text(name, value) for value in values.to_pylist()], pa.string())
    texts = pa.array([as_text(name, value) for value in coded.dictionary.to_pylist()], pa.string())
    return texts.take(coded.indices)


_BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError, TypeError)


def _broken(path: Path, done: int, problem: Exception) -> SourceError:
    first = (str(problem).splitlines() or [""])[0]
    return SourceError(f"{path}: is broken behind row {done}: {first[:120]}")
