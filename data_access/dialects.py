"""What differs between the engines: one function per difference, each tested on every engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa
from sqlalchemy import BigInteger, DateTime, String, Table, literal_column, text, types
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable, PrimaryKeyConstraint
from sqlalchemy.sql import func
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from data_access.vocabulary import GRAINS


class seconds_between(FunctionElement[int]):
    """Whole seconds from the first time to the second, rounded down."""

    type = BigInteger()
    inherit_cache = True


@compiles(seconds_between, "duckdb")
def _seconds_between_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST((epoch_us({end}) - epoch_us({start})) // 1000000 AS BIGINT)"


@compiles(seconds_between, "postgresql")
def _seconds_between_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CAST(floor(extract(epoch FROM ({end}) - ({start}))) AS BIGINT)"


class add_seconds(FunctionElement[dt.datetime]):
    """A time plus a whole number of seconds."""

    type = DateTime()
    inherit_cache = True


@compiles(add_seconds, "duckdb")
def _add_seconds_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    start, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({start} + to_seconds(CAST({seconds} AS BIGINT)))"


@compiles(add_seconds, "postgresql")
def _add_seconds_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    start, seconds = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({start} + ({seconds}) * interval '1 second')"


@compiles(PrimaryKeyConstraint, "duckdb")
def _no_primary_key_on_duckdb(element: Any, compiler: Any, **options: Any) -> str | None:
    """DuckDB keeps an index per key in memory and refuses delete-then-insert of a key in one transaction.

    The loader's set operations keep keys unique; `frontdoor check` proves it.
    """
    return None


@compiles(CreateTable, "duckdb")
def _create_table_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    statement = cast(str, compiler.visit_create_table(element, **options))
    return statement.replace("DOUBLE PRECISION", "DOUBLE")


def local_time(when: ColumnElement[Any], zone: str) -> ColumnElement[dt.datetime]:
    """What the clock on the wall of the zone shows at a UTC time, as a naive timestamp."""
    quoted = zone.replace("'", "''")
    local = func.timezone(literal_column(f"'{quoted}'"), func.timezone(literal_column("'UTC'"), when))
    return cast(ColumnElement[dt.datetime], local)


def local_bucket(when: ColumnElement[Any], grain: str, zone: str) -> ColumnElement[dt.datetime]:
    """Start of the local day, week (Monday), month or quarter of a UTC time, as a naive timestamp.

    Cast to TIMESTAMP always: an engine may give a date for some grains, which fails silently later.
    """
    if grain not in GRAINS:
        raise ValueError(f"unknown grain {grain!r}")
    return sql_cast(func.date_trunc(literal_column(f"'{grain}'"), local_time(when, zone)), DateTime)


def local_part(when: ColumnElement[Any], part: str, zone: str) -> ColumnElement[int]:
    """Hour (0-23) or ISO weekday (1 is Monday) of a UTC time in the zone."""
    return sql_cast(func.date_part(literal_column(f"'{part}'"), local_time(when, zone)), BigInteger)


class words_of(FunctionElement[str]):
    """One row per different lower-case word of a text; a set-returning function of the select list."""

    type = String()
    inherit_cache = True


@compiles(words_of, "duckdb")
def _words_of_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    (text_sql,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"unnest(list_distinct(string_split_regex(lower({text_sql}), '[^a-z]+')))"


@compiles(words_of, "postgresql")
def _words_of_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    (text_sql,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"regexp_split_to_table(lower({text_sql}), '[^a-z]+')"


def contains_text(column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
    """Case-insensitive containment, with wildcards of the needle taken literally."""
    escaped = needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.ilike(f"%{escaped}%", escape="\\")


_ARROW_TYPES: dict[type[types.TypeEngine[Any]], pa.DataType] = {
    types.Boolean: pa.bool_(),
    types.Integer: pa.int32(),
    types.BigInteger: pa.int64(),
    types.Double: pa.float64(),
    types.Date: pa.date32(),
    types.DateTime: pa.timestamp("us"),
    types.Text: pa.string(),
    String: pa.string(),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow types of a table's columns, in order."""
    return pa.schema([(column.name, _ARROW_TYPES[type(column.type)]) for column in table.columns])


def bulk_insert(connection: Connection, table: Table, batch: pa.Table) -> None:
    """Append a column batch through the engine's own bulk path; columns by name, absent ones null.

    The batch's column types must be those of `arrow_schema(table)`.
    """
    if batch.num_rows == 0:
        return
    names = ", ".join(f'"{name}"' for name in batch.column_names)
    if connection.dialect.name == "duckdb":
        # `register` is the dialect's own way to hand over an Arrow table.
        connection.exec_driver_sql("register", ("frontdoor_batch", batch))
        statement = f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM frontdoor_batch'  # noqa: S608
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("DROP VIEW frontdoor_batch")
        return
    cursor = connection.connection.cursor()
    columns = [column.to_pylist() for column in batch.columns]
    with cast(Any, cursor).copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in zip(*columns, strict=True):
            copy.write_row(row)


def bulk_columns(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append plain columns by name; absent ones are null."""
    schema = arrow_schema(table)
    names = [name for name in schema.names if name in columns]
    batch = pa.table([pa.array(columns[name], schema.field(name).type) for name in names], names=names)
    bulk_insert(connection, table, batch)


def create_temporary(connection: Connection, table: Table) -> None:
    """Create a session-local table, empty, dropping one of the same name."""
    connection.execute(text(f'DROP TABLE IF EXISTS "{table.name}"'))
    connection.execute(CreateTable(table))
