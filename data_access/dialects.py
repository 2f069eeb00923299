"""What differs between the engines: one function per difference, each tested on every engine."""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import functools
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    Select,
    String,
    Table,
    case,
    create_engine,
    event,
    insert,
    literal_column,
    select,
    text,
    types,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable, PrimaryKeyConstraint
from sqlalchemy.sql import func
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from data_access.errors import StoreError
from data_access.vocabulary import GRAINS
from data_access.zones import utc_offsets


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


_YEARS_SPELT_OUT = 10


def local_time(when: ColumnElement[Any], zone: str, now: dt.datetime) -> ColumnElement[dt.datetime]:
    """What the clock on the wall of the zone shows at a UTC time, as a naive timestamp.

    An engine's own conversion of one row costs more than all else that a figure needs of it. So the offsets in
    force from ten years before `now` to the end of its year are spelt out, and only other moments are the
    engine's; `now` changes the cost, never the result.
    """
    begin, end = dt.datetime(now.year - _YEARS_SPELT_OUT, 1, 1), dt.datetime(now.year + 1, 1, 1)
    quoted = zone.replace("'", "''")
    by_engine = func.timezone(literal_column(f"'{quoted}'"), func.timezone(literal_column("'UTC'"), when))
    # Newest first: most rows are, and the first that fits ends the search.
    spelt_out = [
        (when >= since, when + literal_column(f"interval '{int(offset.total_seconds())} seconds'"))
        for since, offset in reversed(utc_offsets(zone, begin, end))
    ]
    return sql_cast(case((when >= end, by_engine), *spelt_out, else_=by_engine), DateTime)


def local_bucket(when: ColumnElement[Any], grain: str, zone: str, now: dt.datetime) -> ColumnElement[dt.datetime]:
    """Start of the local day, week (Monday), month or quarter of a UTC time, as a naive timestamp.

    Cast to TIMESTAMP always: an engine may give a date for some grains, which fails silently later.
    """
    if grain not in GRAINS:
        raise ValueError(f"unknown grain {grain!r}")
    return sql_cast(func.date_trunc(literal_column(f"'{grain}'"), local_time(when, zone, now)), DateTime)


def local_part(when: ColumnElement[Any], part: str, zone: str, now: dt.datetime) -> ColumnElement[int]:
    """Hour (0-23) or ISO weekday (1 is Monday) of a UTC time in the zone."""
    return sql_cast(func.date_part(literal_column(f"'{part}'"), local_time(when, zone, now)), BigInteger)


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


class _value_at_least(FunctionElement[Any]):
    inherit_cache = True


@compiles(_value_at_least, "duckdb")
def _value_at_least_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    value, rank, when = (compiler.process(clause, **options) for clause in element.clauses)
    return f"arg_min_null({value}, {rank}) FILTER (WHERE {when})"


@compiles(_value_at_least, "postgresql")
def _value_at_least_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    value, rank, when = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(array_agg({value} ORDER BY {rank}) FILTER (WHERE {when}))[1]"


def value_at_least(
    value: ColumnElement[Any], rank: ColumnElement[Any], when: ColumnElement[bool]
) -> ColumnElement[Any]:
    """Aggregate: the value in the row of least rank among those that fulfil `when`, also where it is null."""
    return sql_cast(_value_at_least(value, rank, when), value.type)


def contains_text(column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
    """Case-insensitive containment, with wildcards of the needle taken literally."""
    escaped = needle.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return column.ilike(f"%{escaped}%", escape="\\")


def typed(value: ColumnElement[Any], column: Column[Any]) -> ColumnElement[Any]:
    """A value of a column's type: engines guess that of a bare null or parameter wrongly."""
    return sql_cast(value, column.type)


class whole_quotient(FunctionElement[int]):
    """A whole number divided by another, rounded down."""

    type = BigInteger()
    inherit_cache = True


@compiles(whole_quotient, "duckdb")
def _whole_quotient_duckdb(element: Any, compiler: Any, **options: Any) -> str:
    number, by = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(({number}) // ({by}))"


@compiles(whole_quotient, "postgresql")
def _whole_quotient_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    number, by = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(({number}) / ({by}))"


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


class _Handed:
    """An Arrow table in the hands of DuckDB, which keeps what was registered until its transaction ends: so it is
    emptied after use, or a load of any size would stay in memory.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table: pa.Table | None = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        assert self.table is not None
        return self.table.__arrow_c_stream__(requested_schema)


def bulk_insert(connection: Connection, table: Table, batch: pa.Table) -> None:
    """Append a column batch through the engine's own bulk path; columns by name, absent ones null.

    The batch's column types must be those of `arrow_schema(table)`.
    """
    if batch.num_rows == 0:
        return
    names = ", ".join(f'"{name}"' for name in batch.column_names)
    if connection.dialect.name == "duckdb":
        # `register` is the dialect's own way to hand over an Arrow table.
        handed = _Handed(batch)
        connection.exec_driver_sql("register", ("frontdoor_batch", handed))
        statement = f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM frontdoor_batch'  # noqa: S608
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("DROP VIEW frontdoor_batch")
        handed.table = None
        return
    cursor = connection.connection.cursor()
    with cast(Any, cursor).copy(f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT csv)') as copy:
        for part in batch.to_batches():  # what is staged together may have long texts
            copy.write(_as_csv(part))


def _as_csv(batch: pa.RecordBatch) -> bytes:
    """The rows as PostgreSQL's COPY reads them: every value in quotes, so that nothing at all is null."""
    written = pa.BufferOutputStream()
    pa_csv.write_csv(batch, written, pa_csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return bytes(written.getvalue().to_pybytes())


def bulk_columns(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append plain columns by name; absent ones are null."""
    schema = arrow_schema(table)
    names = [name for name in schema.names if name in columns]
    batch = pa.table([pa.array(columns[name], schema.field(name).type) for name in names], names=names)
    bulk_insert(connection, table, batch)


def create_temporary(connection: Connection, table: Table) -> None:
    """Create a session-local table, empty, in place of one of the same name."""
    created = _creation(table, connection.dialect)
    if connection.dialect.name == "duckdb":
        connection.exec_driver_sql(created.replace("CREATE", "CREATE OR REPLACE", 1))
        return
    connection.exec_driver_sql(f'DROP TABLE IF EXISTS "{table.name}"')
    connection.exec_driver_sql(created)


@functools.lru_cache
def _creation(table: Table, dialect: Dialect) -> str:
    """The statement that makes a table, written once: a load makes dozens of temporary ones, again and again."""
    return str(CreateTable(table).compile(dialect=dialect)).strip()


ENGINE_MB = 350  # of the embedded engine while files are loaded or rows derived, however many
MEMORY_VARIABLE = "FRONTDOOR_LOAD_MB"


def engine_memory_mb() -> int:
    """`FRONTDOOR_LOAD_MB`, else `ENGINE_MB`. Raises StoreError for less than that, or no number; empty is none."""
    given = os.environ.get(MEMORY_VARIABLE)
    if not given:
        return ENGINE_MB
    if not given.isdecimal() or int(given) < ENGINE_MB:
        raise StoreError(f"{MEMORY_VARIABLE}={given} is no whole number of megabytes from {ENGINE_MB} on")
    return int(given)


def at_once(rows: int) -> int:
    """How many rows are worked on at once where so many are with `ENGINE_MB`."""
    return rows * engine_memory_mb() // ENGINE_MB


def packed(sizes: Iterable[tuple[str, int]], most: int) -> list[tuple[list[str], int]]:
    """Names in their order, packed into parts of at most so many together, or of one name; with the size of each."""
    parts: list[tuple[list[str], int]] = []
    for name, size in sizes:
        if parts and parts[-1][1] + size <= most:
            parts[-1] = [*parts[-1][0], name], parts[-1][1] + size
        else:
            parts.append(([name], size))
    return parts


_M_ARENA_MAX = -8  # of <malloc.h>


def reuse_freed_memory() -> None:
    """Let this process use again, or give back, what its threads have freed; for before the engine starts its threads.

    With a heap of glibc for each thread and Arrow's own allocator a load kept 150 to 200 MB that nobody could use.
    All threads then share one heap, and Arrow takes jemalloc where it has it and gives back at once what it freed: a
    batch is far larger than what is worth keeping. Other systems are left as they are.
    """
    if sys.platform == "linux" and hasattr(c_library := ctypes.CDLL(None), "mallopt"):
        c_library.mallopt(_M_ARENA_MAX, 1)
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
        pa.jemalloc_set_decay_ms(0)


@contextlib.contextmanager
def bounded_memory(connection: Connection) -> Iterator[None]:
    """Let DuckDB write to disk what does not fit into `engine_memory_mb`; a server has limits of its own."""
    if connection.dialect.name != "duckdb":
        yield
        return
    _limit_memory(connection, engine_memory_mb())
    yield
    connection.execute(text("RESET memory_limit"))


@contextlib.contextmanager
def times_the_memory(connection: Connection, times: float) -> Iterator[None]:
    """Inside of `bounded_memory`: so many times as much for a while.

    More for rows that can only be worked on together; less for what spills well, since what the engine may have it
    keeps: where it holds more than that already, it stays as it was. After an error it stays, too, as `_setting` says.
    """
    if connection.dialect.name != "duckdb":
        yield
        return
    try:
        _limit_memory(connection, engine_memory_mb() * times)
    except OperationalError:
        if times >= 1:
            raise
        _limit_memory(connection, engine_memory_mb())
    yield
    _limit_memory(connection, engine_memory_mb())


def _limit_memory(connection: Connection, megabytes: float) -> None:
    """Between two transactions: DuckDB refuses a limit below what it holds, and of one that is open it holds more."""
    connection.exec_driver_sql("COMMIT")
    try:
        connection.exec_driver_sql(f"SET memory_limit = '{round(megabytes)}MB'")
    finally:
        connection.exec_driver_sql("BEGIN TRANSACTION")


@contextlib.contextmanager
def in_any_order(connection: Connection) -> Iterator[None]:
    """Let DuckDB store rows as they come: to be kept in order they are held back, and written by one thread."""
    with _setting(connection, "preserve_insertion_order", "false"):
        yield


@contextlib.contextmanager
def files_uncached(connection: Connection) -> Iterator[None]:
    """Let DuckDB keep nothing of the files that it reads, for a while: the system does that, outside its memory."""
    with _setting(connection, "enable_external_file_cache", "false"):
        yield


@contextlib.contextmanager
def rows_in_partitions(connection: Connection, rows: int) -> Iterator[None]:
    """How many rows DuckDB holds in each thread before it writes them where they belong, for a while: else 524,288."""
    with _setting(connection, "partitioned_write_flush_threshold", str(rows)):
        yield


@contextlib.contextmanager
def _setting(connection: Connection, name: str, value: str) -> Iterator[None]:
    """A setting of DuckDB for a while; elsewhere nothing.

    After an error it stays: the transaction takes no more statements, and its connection is given up.
    """
    if connection.dialect.name != "duckdb":
        yield
        return
    connection.execute(text(f"SET {name} = '{value}'"))
    yield
    connection.execute(text(f"RESET {name}"))


def commit_copy(connection: Connection) -> None:
    """Commit what was written to DuckDB's working copy and begin another transaction.

    Rows of an open transaction are read with a single thread and stay in memory: 7 million staged rows were too many
    for any limit. Only for what `open_writer` gives, a copy that is published or thrown away whole. On a server
    everything stays one transaction.
    """
    if connection.dialect.name == "duckdb":
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN TRANSACTION")


def stores_in_order(connection: Connection) -> bool:
    """Whether the order in which rows are stored is worth something: see `in_order_of`."""
    return connection.dialect.name == "duckdb"


def in_order_of(order: Sequence[ColumnElement[Any]], rows: Select[Any], connection: Connection) -> Select[Any]:
    """Rows that are about to be stored, on DuckDB in an order; elsewhere as they come.

    Of each block of 122,880 rows DuckDB keeps the first and last value, and whether any is missing, and reads only the
    blocks that can hold what is asked for. Rows that later loads touch are appended: a rebuild brings the order back.
    """
    return rows.order_by(*order) if stores_in_order(connection) else rows


# What the engines call the types of the store, and how the store names them.
_STORED_KINDS = {
    "text": "text",
    "varchar": "text",
    "bigint": "bigint",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp without time zone": "timestamp",
    "double": "double",
    "double precision": "double",
}
_DECLARED_KINDS: dict[type[types.TypeEngine[Any]], str] = {
    types.Boolean: "boolean",
    types.Integer: "integer",
    types.BigInteger: "bigint",
    types.Double: "double",
    types.Date: "date",
    types.DateTime: "timestamp",
    types.Text: "text",
}


def create_tables(connection: Connection, metadata: MetaData) -> None:
    """Make the declared tables that are not there.

    On DuckDB without the comments on columns: one statement each, a fifth of the time that making a store takes.
    """
    if connection.dialect.name == "duckdb":
        connection.dialect.supports_comments = False
    metadata.create_all(connection)


def _catalog_schema(connection: Connection) -> str:
    return "main" if connection.dialect.name == "duckdb" else str(connection.scalar(text("SELECT current_schema()")))


def stored_columns(connection: Connection, table: str) -> dict[str, str]:
    """Columns of a stored table with type and "not null", as `declared_column` says them; empty without the table."""
    rows = connection.execute(
        text(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_name = :table AND table_schema = :schema ORDER BY ordinal_position"
        ),
        {"table": table, "schema": _catalog_schema(connection)},
    )
    return {
        row.column_name: _STORED_KINDS.get(row.data_type.lower(), row.data_type)
        + ("" if row.is_nullable == "YES" else " not null")
        for row in rows
    }


def declared_column(column: Column[Any]) -> str:
    """Type of a declared column and whether it may be empty."""
    return _DECLARED_KINDS[type(column.type)] + ("" if column.nullable else " not null")


def stored_keys(connection: Connection, table: str) -> list[str] | None:
    """Columns of a stored table's primary key; None on DuckDB, which keeps no keys."""
    if connection.dialect.name == "duckdb":
        return None
    rows = connection.execute(
        text(
            "SELECT k.column_name FROM information_schema.key_column_usage k "
            "JOIN information_schema.table_constraints c USING (constraint_schema, constraint_name, table_name) "
            "WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_name = :table AND k.table_schema = :schema "
            "ORDER BY k.ordinal_position"
        ),
        {"table": table, "schema": _catalog_schema(connection)},
    )
    return [row.column_name for row in rows]


def add_column(connection: Connection, table: Table, column: Column[Any]) -> None:
    """Add a declared column to a stored table; its rows hold null."""
    kind = column.type.compile(dialect=connection.dialect)
    connection.execute(text(f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {kind}'))


def rename_table(connection: Connection, table: Table, name: str) -> None:
    """Give a stored table another name."""
    connection.execute(text(f'ALTER TABLE "{table.name}" RENAME TO "{name}"'))


def make_durable(connection: Connection) -> None:
    """Bring what was committed into the database file: DuckDB keeps it in a log until then; a server needs nothing."""
    if connection.dialect.name == "duckdb":
        connection.execute(text("CHECKPOINT"))


def insert_rows(connection: Connection, table: Table, rows: Select[Any]) -> None:
    """Put the rows of a statement into the columns of the same names."""
    connection.execute(insert(table).from_select([column.name for column in rows.selected_columns], rows))


def has_rows(connection: Connection, rows: Select[Any]) -> bool:
    """Whether a statement has any row; its first column is never null.

    PostgreSQL plans for the first row where it is to give one only, and then takes hours to find that there is none:
    it would look up each row of one table in an index of the other. So it plans for all of them, and stops at one.
    """
    if connection.dialect.name == "postgresql":
        found = rows.cte("found").prefix_with("MATERIALIZED")
        rows = select(next(iter(found.c)))
    return connection.scalar(rows.limit(1)) is not None


def column_batches(connection: Connection, statement: Executable, rows: int) -> Iterator[pd.DataFrame]:
    """The rows of a statement as frames of at most so many, streamed; at least one frame.

    From DuckDB they come as Arrow columns, never as objects.
    """
    if connection.dialect.name == "duckdb":
        result = connection.execute(statement)  # not streamed: rows that SQLAlchemy buffers would be missing here
        frames = (batch.to_pandas() for batch in cast(Any, result.cursor).to_arrow_reader(rows))
    else:
        result = connection.execute(statement, execution_options={"stream_results": True, "max_row_buffer": rows})
        frames = (pd.DataFrame(dict(enumerate(zip(*part, strict=True)))) for part in result.partitions(rows))
    names = list(result.keys())
    number = -1
    for number, frame in enumerate(frames):  # noqa: B007  # also says whether there was any
        yield frame.set_axis(names, axis="columns")
    if number < 0:
        yield pd.DataFrame(columns=names)


CONNECT_SECONDS = 5
_DEADLINE_MARGIN_SECONDS = 2.0


def server_reader(url: str, seconds: int) -> Engine:
    """A read-only REPEATABLE READ engine of a database server on which nothing waits for ever.

    The server stops a statement after `seconds`. Where the network is cut it cannot say so: TCP gives up on what it
    sent or on a silent connection, and where something between still answers for the server, the connection is shut
    soon after its time. A connection that the server closed meanwhile, as on a restart, is replaced before its use.
    """
    engine = create_engine(
        url,
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
        connect_args={
            "options": f"-c default_transaction_read_only=on -c statement_timeout={1000 * seconds}",
            "connect_timeout": CONNECT_SECONDS,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return _impatient(seconds + _DEADLINE_MARGIN_SECONDS).connect(*given, **named)

    return engine


def _impatient(seconds: float) -> Any:
    """A psycopg connection that shuts its socket where one step of it takes longer than this."""
    import psycopg  # noqa: PLC0415  # an extra that embedded stores do without

    class _Connection(psycopg.Connection[Any]):
        def wait(self, *given: Any, **named: Any) -> Any:
            alarm = threading.Timer(seconds, _shut, (self.pgconn.socket,))
            alarm.daemon = True
            alarm.start()
            try:
                return super().wait(*given, **named)
            finally:
                alarm.cancel()

    return _Connection


def _shut(descriptor: int) -> None:
    with (
        contextlib.suppress(OSError),
        socket.socket(fileno=os.dup(descriptor)) as connection,
    ):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def is_statement_timeout(problem: BaseException) -> bool:
    """The server stopped the statement because it took too long."""
    return getattr(getattr(problem, "orig", None), "sqlstate", None) == "57014"
