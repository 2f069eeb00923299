"""Rows that wait in Parquet files beside DuckDB's working copy until all of them can be stored in order.

For more rows than a temporary table should hold: of each million of them some 10 MB stay in the engine's memory,
whatever it spills. A table in a file takes several times as long: the engine logs and compresses again what comes
in small parts.
"""

from __future__ import annotations

import contextlib
import glob
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, FromClause, Select, Table, column, func, literal_column, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement, ColumnElement

from data_access import dialects
from data_access.temporary import parts_folder

_GROUP_ROWS = 30_000  # that the engine holds before it writes them, for each of its threads
_DIVIDED_ROWS, _DIVIDED_BYTES = 10_000, 4_000_000  # the same for each of the files into which rows are divided


class _CopyTo(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, rows: Select[Any], path: Path, divided_by: str | None = None) -> None:
        self.rows, self.path, self.divided_by = rows, path, divided_by


@compiles(_CopyTo, "duckdb")
def _copy_to(element: _CopyTo, compiler: Any, **options: Any) -> str:
    rows, path = compiler.process(element.rows, **options), quoted(str(element.path))
    if element.divided_by is None:
        how = f"ROW_GROUP_SIZE {_GROUP_ROWS}"
    else:
        how = f"ROW_GROUP_SIZE {_DIVIDED_ROWS}, ROW_GROUP_SIZE_BYTES {_DIVIDED_BYTES}"
        how += f", PARTITION_BY ({compiler.preparer.quote(element.divided_by)})"
    return f"COPY ({rows}) TO {path} (FORMAT parquet, COMPRESSION snappy, {how})"


def quoted(text: str) -> str:
    """A text as a statement writes it, where it takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def pattern_of(folder: Path) -> str:
    """A folder as DuckDB's patterns for files write it: its name may look like one. A backslash they cannot write."""
    return glob.escape(str(folder)).replace("\\", "?")


class Aside:
    """Rows put aside for tables, in no order."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection, self._folder = connection, folder
        self._count = 0

    def put(self, table: Table, rows: Select[Any]) -> None:
        """Put rows with the columns of a table aside, of the types that the table has."""
        given = rows.subquery("given").c
        typed = select(*(sql_cast(given[c.name], c.type).label(c.name) for c in table.columns))
        folder = self._folder / table.name
        folder.mkdir(parents=True, exist_ok=True)
        with dialects.in_any_order(self._connection):
            self._connection.execute(_CopyTo(typed, folder / f"{self._count}.parquet"))
        self._count += 1

    def rows(self, table: Table) -> FromClause:
        """All that was put aside for a table: something to select from, with its columns."""
        return _read(self._folder / table.name, table.name, table.columns)

    @contextlib.contextmanager
    def divided(self, table: Table, rows: Select[Any], by: str) -> Iterator[Callable[[int], FromClause]]:
        """Rows with some columns of a table, divided for a while by one more, a whole number that each has.

        Gives what says, for such a number that some rows have, what to select these from, by the name of the table.
        """
        folder = self._folder / f"{table.name}-divided"
        self._folder.mkdir(parents=True, exist_ok=True)
        columns = [table.columns[c.name] for c in rows.selected_columns if c.name != by]
        with dialects.in_any_order(self._connection), dialects.rows_in_partitions(self._connection, _DIVIDED_ROWS):
            self._connection.execute(_CopyTo(rows, folder, by))
        try:
            yield lambda number: _read(folder / f"{by}={number}", table.name, columns)
        finally:
            shutil.rmtree(folder)


def _read(folder: Path, name: str, columns: Iterable[ColumnElement[Any]]) -> FromClause:
    files = f"{pattern_of(folder)}/*.parquet"
    # Folders named like `brand=acme` would else be columns, and go before those of the files.
    as_they_are: ColumnElement[bool] = literal_column("hive_partitioning = false")
    return func.read_parquet(files, as_they_are).table_valued(*(column(c.name, c.type) for c in columns), name=name)


@contextlib.contextmanager
def put_aside(connection: Connection) -> Iterator[Aside]:
    """A place for rows beside the working copy that DuckDB has open; it is removed at the end."""
    found = connection.exec_driver_sql("SELECT path FROM duckdb_databases() WHERE database_name = current_database()")
    folder = parts_folder(Path(str(found.scalar())))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with dialects.files_uncached(connection):
            yield Aside(connection, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
