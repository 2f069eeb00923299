"""Move a store from one engine to another: copied range by range, verified by counts and row hashes, resumable.

The target shows nothing until all of it is there and verified. A journal in the target (`frontdoor_migration`)
says what was copied; each range of rows and its line of the journal are one transaction.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

import data_access.annotations as kept  # `annotations` is the name of a __future__ feature here
from data_access import dialects, distributed
from data_access.config import Settings, read_settings
from data_access.errors import StoreError
from data_access.migrations import differences
from data_access.progress import Progress, say_nothing
from data_access.schema import metadata, store_info
from data_access.settings_text import settings_text
from data_access.store import (
    MIGRATION_JOURNAL,
    WRITER_LOCK,
    current_generation,
    drop_old_generations,
    generation_number,
    locked_folder,
    locked_server,
    one_line,
    open_reader,
    publish_generation,
    read_info,
    read_status,
    server_writer_engine,
    settings_file,
    shown_url,
    store_folder,
    writable_database,
    write_info,
)
from data_access.temporary import remove_database

RANGE_ROWS = 200_000  # rows in one transaction
BATCH_ROWS = 20_000  # rows in memory
WORK_FILE = "migrating.duckdb"

journal = Table(MIGRATION_JOURNAL, MetaData(), Column("key", Text, primary_key=True), Column("value", Text))
_TABLES = [table for table in metadata.sorted_tables if table is not store_info]


@dataclasses.dataclass
class Migrated:
    """Rows moved per table, rows that an earlier attempt had moved, and what the administrator should know."""

    row_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    resumed_row_count: int = 0
    label_count: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)


def migrate(
    source_url: str, target_url: str, *, start_over: bool = False, progress: Progress = say_nothing
) -> Migrated:
    """Copy a store into an empty place of either engine, verify it, and publish it.

    After an interruption the same command goes on; `start_over` drops what an earlier one copied. Raises StoreError:
    no source, a target with data of its own, another source than the interrupted one's, or rows that differ.
    """
    if shown_url(source_url) == shown_url(target_url):
        raise StoreError("a store cannot be migrated onto itself")
    done = Migrated()
    source_engine = open_reader(source_url)
    try:
        with source_engine.connect() as source, _open_target(target_url, start_over=start_over) as target:
            info = read_info(source)
            stored = read_status(source_engine, source_url).settings
            _begin(target, target_url, f"{info['created_at']} version {info['store_version']}", shown_url(source_url))
            for table in _TABLES:
                done.row_counts[table.name] = _copy_table(source, target, table, progress, done)
            for table in _TABLES:
                _verify(target, table, target_url, progress)
            done.label_count = _copy_labels(source_url, target_url)
            # Before the copy is published: what is published is no place to go on with.
            _move_settings(source_url, target_url, stored, done)
            _finish(target, target_url, info)
    finally:
        source_engine.dispose()
    return done


@contextlib.contextmanager
def _open_target(url: str, *, start_over: bool) -> Iterator[Engine]:
    """The database that is being filled, kept from other writers; a folder's becomes a generation in `_finish`."""
    folder = store_folder(url)
    if folder is not None:
        with locked_folder(folder):
            _require_empty_generation(url)
            if start_over:
                remove_database(folder / WORK_FILE)
            engine = _resumed_database(folder / WORK_FILE)
            try:
                yield engine
            finally:
                engine.dispose()
        return
    engine = server_writer_engine(url)
    try:
        with engine.connect() as holder:
            if not holder.scalar(select(func.pg_try_advisory_lock(WRITER_LOCK))):
                raise locked_server(holder, url)
            holder.commit()
            if start_over:
                _clear(engine)
            yield engine
    finally:
        engine.dispose()


def _resumed_database(path: Path) -> Engine:
    """The file that is being filled, after whatever a kill left of it.

    DuckDB 1.5 may fail to replay the log of a killed writer. Without its log the file is as it was at the last
    checkpoint, rows and journal alike. A file that cannot be opened at all is begun again, and so is one without a
    journal: killed between its last commit and its publication, it no longer says of which source it is.
    """
    log = path.with_name(path.name + ".wal")
    for leftover in (log, path):
        engine = writable_database(path)
        try:
            with engine.connect() as connection:
                if dialects.stored_columns(connection, journal.name):
                    return engine
            engine.dispose()
            break
        except (SQLAlchemyError, duckdb.Error):
            engine.dispose()
            leftover.unlink(missing_ok=True)
    remove_database(path)
    return writable_database(path)


def _require_empty_generation(url: str) -> None:
    folder = store_folder(url)
    if folder is None or current_generation(folder) is None:
        return
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            _require_empty(connection, url)
    finally:
        engine.dispose()


def _require_empty(connection: Connection, url: str) -> None:
    for table in _TABLES:
        if not dialects.stored_columns(connection, table.name):
            continue
        if connection.scalar(select(func.count()).select_from(table)):
            raise StoreError(
                f"{shown_url(url)} holds data already ({table.name}); migrate into an empty place, "
                "such as a new folder or database"
            )


def _clear(engine: Engine) -> None:
    """Drop what an interrupted migration copied; nothing else."""
    with engine.begin() as connection:
        if not dialects.stored_columns(connection, journal.name):
            return
        for table in _TABLES:
            connection.execute(delete(table))
        connection.execute(delete(journal).where(journal.c.key != "layout"))


def _begin(target: Engine, url: str, source: str, source_name: str) -> None:
    """Make the tables and the journal, or find those of the interrupted migration of the same source."""
    with target.begin() as connection:
        if dialects.stored_columns(connection, journal.name):
            entries = _journal(connection)
            if entries.get("source", source) != source:
                raise StoreError(
                    f"{shown_url(url)} holds a half-done migration of another store or of an earlier state of it "
                    f"({entries.get('source_name')}); --start-over drops what it copied"
                )
            _note(connection, source=source, source_name=source_name)
            return
        is_there = bool(dialects.stored_columns(connection, store_info.name))
        if is_there:
            _require_empty(connection, url)
        for table in metadata.sorted_tables:
            found = differences(connection, table)
            if found not in ([], ["is missing"]):
                raise StoreError(f"{shown_url(url)} has a table {table.name} of another kind: {found[0]}")
        layout = read_info(connection).get("layout")
        dialects.create_tables(connection, metadata)
        _require_empty(connection, url)
        if is_there:
            connection.execute(delete(store_info))
        journal.create(connection)
        _note(connection, source=source, source_name=source_name, **({"layout": layout} if layout else {}))


def _journal(connection: Connection) -> dict[str, str]:
    return {row.key: row.value for row in connection.execute(select(journal))}


def _note(connection: Connection, **entries: str) -> None:
    connection.execute(delete(journal).where(journal.c.key.in_(list(entries))))
    connection.execute(insert(journal), [{"key": key, "value": value} for key, value in entries.items()])


def _copy_table(source: Connection, target: Engine, table: Table, report: Progress, done: Migrated) -> int:
    """Copy what is not yet copied of one table; its rows."""
    with target.connect() as connection:
        entries = _journal(connection)
    position = entries.get(f"{table.name} to")
    count, total = int(entries.get(f"{table.name} rows", "0")), int(entries.get(f"{table.name} hash", "0"))
    done.resumed_row_count += count
    if entries.get(f"{table.name} complete"):
        return count
    for low, high in _ranges(source, table, position):
        with target.begin() as connection:
            for batch in _batches(source, table, low, high):
                dialects.bulk_insert(connection, table, batch)
                count, total = count + batch.num_rows, (total + row_hash(batch)) % 2**64
                report(f"copying {table.name}", batch.num_rows)
            _note(
                connection,
                **{f"{table.name} to": high, f"{table.name} rows": str(count), f"{table.name} hash": str(total)},
            )
        with target.connect() as connection:
            dialects.make_durable(connection)
    with target.begin() as connection:
        entry = {f"{table.name} rows": str(count), f"{table.name} hash": str(total), f"{table.name} complete": "yes"}
        _note(connection, **entry)
    return count


def _range_column(table: Table) -> Column[Any]:
    column = distributed.distribution_column(table)
    return table.c[column] if column else next(iter(table.primary_key.columns))


def _ranges(connection: Connection, table: Table, after: str | None) -> Iterator[tuple[str | None, str]]:
    """Bounds of about RANGE_ROWS rows each, above and up to and including, as text."""
    key = _range_column(table)
    number = func.row_number().over(order_by=key) - 1
    numbered = select(key.label("key"), dialects.whole_quotient(number, RANGE_ROWS).label("part")).subquery("numbered")
    highs = connection.scalars(
        select(func.max(numbered.c.key)).group_by(numbered.c.part).order_by(func.max(numbered.c.key))
    )
    low = after
    for high in dict.fromkeys(str(value) for value in highs):
        if not _is_done(key, after, high, connection):
            yield low, high
            low = high


def _is_done(key: Column[Any], after: str | None, high: str, connection: Connection) -> bool:
    if after is None:
        return False
    bound = dialects.typed(literal(high), key)
    return bool(connection.scalar(select(bound <= dialects.typed(literal(after), key))))


def _batches(connection: Connection, table: Table, low: str | None, high: str | None) -> Iterator[pa.Table]:
    """The rows of one range, or of the whole table, as column batches in memory one at a time."""
    key = _range_column(table)
    statement = select(table)
    if high is not None:
        statement = statement.where(key <= dialects.typed(literal(high), key))
    if low is not None:
        statement = statement.where(key > dialects.typed(literal(low), key))
    schema = dialects.arrow_schema(table)
    result = connection.execution_options(stream_results=True).execute(statement)
    for rows in result.partitions(BATCH_ROWS):
        columns = list(zip(*rows, strict=True))
        yield pa.table(
            [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
        )


def row_hash(batch: pa.Table) -> int:
    """Sum of the hashes of the rows: the same for the same rows in any order, batches and engine."""
    if batch.num_rows == 0:
        return 0
    combined = np.full(batch.num_rows, 14695981039346656037, dtype=np.uint64)
    for column in batch.columns:
        combined = (combined ^ _column_hash(column.combine_chunks())) * np.uint64(1099511628211)
    return int(combined.sum(dtype=np.uint64))


def _column_hash(column: pa.ChunkedArray | pa.Array) -> Any:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    is_null = np.asarray(values.is_null())
    if pa.types.is_string(values.type):
        hashed = pd.util.hash_array(np.asarray(pc.fill_null(values, ""), dtype=object), categorize=False)
    elif pa.types.is_floating(values.type):
        hashed = pd.util.hash_array(np.asarray(pc.fill_null(values, 0.0), dtype=np.float64).view(np.int64))
    else:
        if pa.types.is_date32(values.type):
            values = values.cast(pa.int32())
        whole = pc.fill_null(values.cast(pa.int64()), 0)
        hashed = pd.util.hash_array(np.asarray(whole, dtype=np.int64))
    hashed = hashed.astype(np.uint64)
    hashed[is_null] = 7023771
    return hashed


def _verify(target: Engine, table: Table, url: str, report: Progress) -> None:
    """Read the copied rows back: as many, and with the same hash, as the source had."""
    count, total = 0, 0
    with target.connect() as connection:
        entries = _journal(connection)
        for batch in _batches(connection, table, None, None):
            count, total = count + batch.num_rows, (total + row_hash(batch)) % 2**64
            report(f"verifying {table.name}", batch.num_rows)
    if (str(count), str(total)) != (entries[f"{table.name} rows"], entries[f"{table.name} hash"]):
        raise StoreError(
            f"{shown_url(url)}: {table.name} differs from the source ({count:,} rows, "
            f"{entries[f'{table.name} rows']} copied); nothing was published; try again with --start-over"
        )


def _copy_labels(source_url: str, target_url: str) -> int:
    """Copy what managers entered; number of rows. Nothing is made in the target where there is nothing to copy."""
    try:
        entered = _labels_of(source_url)
        if not any(entered.values()) and not kept.is_there(target_url):
            return 0
        target = kept.open_annotations(target_url)
        if target.engine is None:
            raise StoreError(f"labels cannot be moved: {target.reason}; run the same command again")
        try:
            with target.engine.begin() as new:
                for table, rows in entered.items():
                    new.execute(delete(table))
                    if rows:
                        new.execute(insert(table), rows)
        finally:
            target.engine.dispose()
    except SQLAlchemyError as problem:
        raise StoreError(f"labels cannot be moved: {one_line(problem)}; run the same command again") from problem
    return sum(map(len, entered.values()))


def _labels_of(url: str) -> dict[Table, list[dict[str, Any]]]:
    """The rows of each table in which managers enter something."""
    engine = kept.open_to_read(url)
    if engine is None:
        return {table: [] for table in kept.metadata.sorted_tables}
    try:
        with engine.connect() as connection:
            return {
                table: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in kept.metadata.sorted_tables
            }
    finally:
        engine.dispose()


def _finish(target: Engine, url: str, info: dict[str, str]) -> None:
    """Publish the copy: from now on it is a store."""
    folder = store_folder(url)
    before = current_generation(folder) if folder is not None else None
    version = max(int(info["store_version"]), generation_number(before) + 1)
    with target.begin() as connection:
        layout = _journal(connection).get("layout")
        entries = {key: value for key, value in info.items() if key != "layout"} | {"store_version": str(version)}
        write_info(connection, **entries, **({"layout": layout} if layout else {}))
        journal.drop(connection)
    if folder is not None:
        target.dispose()
        publish_generation(folder, folder / WORK_FILE, version)
        drop_old_generations(folder, version)


def _move_settings(source_url: str, target_url: str, stored: Settings, done: Migrated) -> None:
    """Give the copy the settings of the source: its file, else what its store was derived with.

    The store holds what it was derived with, too; the file is where people read and change it.
    """
    old, new = settings_file(source_url), settings_file(target_url)
    if old is not None and old == new:
        return
    source_file = old if old is not None and old.exists() else None
    if new is None:
        if source_file is not None:  # else those in force stay in force, also without a file
            done.notes.append(
                f"the settings stay in {source_file}: set FRONTDOOR_SETTINGS={source_file} where the new store is used"
            )
    elif new.exists():
        done.notes += _kept_file(new, source_file, stored)
    elif source_file is not None:
        content = source_file.read_text(encoding="utf-8")
        done.notes.append(f"the settings were copied to {new}")
        done.notes += _copy_cues(content, source_file, new)
        _write_whole(new, content)
    elif not _are_shipped(stored):
        done.notes += _write_stored(new, stored)


def _are_shipped(stored: Settings) -> bool:
    return stored == read_settings()


def _kept_file(new: Path, source_file: Path | None, stored: Settings) -> list[str]:
    """A file that was there before counts from now on; not in silence where it says something else."""
    source = read_settings(source_file) if source_file is not None else stored
    is_same = dataclasses.replace(read_settings(new), cues_file="") == dataclasses.replace(source, cues_file="")
    if is_same:
        return []
    return [f"{new} was there, is kept and says other settings than {source_file or 'the store that was moved'}"]


def _write_stored(new: Path, stored: Settings) -> list[str]:
    """Write the settings that only the store holds; they are read back, and none is lost in silence."""
    settings = dataclasses.replace(stored, cues_file="")
    heading = "# Written by `frontdoor migrate`: the settings with which the store was derived."
    part = _write_part(new, f"{heading}\n{settings_text(settings)}")
    is_whole = read_settings(part) == settings
    part.replace(new)
    notes = [f"the settings stood in no file and were written to {new}"]
    if stored.cues_file:
        notes.append(f"but for its cues: copy {stored.cues_file} beside it, and name it there as cues_file")
    if not is_whole:
        notes.append("and not all could be written: compare `frontdoor status` and the Data page before the next load")
    return notes


def _copy_cues(content: str, source_file: Path, new: Path) -> list[str]:
    """Copy the cues that lie beside a settings file: the copied file looks for them beside itself."""
    name = tomllib.loads(content).get("cues_file", "")
    if not name or Path(name).is_absolute() or (new.parent / name).exists():
        return []
    cues = source_file.parent / name
    if not cues.exists() or Path(name).parent != Path():
        return [f"copy {cues} to {new.parent / name}"]
    _write_whole(new.parent / name, cues.read_text(encoding="utf-8"))
    return [f"the cues were copied to {new.parent / name}"]


def _write_whole(path: Path, content: str) -> None:
    """A file that is there is whole, whenever this is interrupted."""
    _write_part(path, content).replace(path)


def _write_part(path: Path, content: str) -> Path:
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    return part
