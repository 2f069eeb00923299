"""Open the interaction store: a folder of DuckDB generations, or a PostgreSQL database.

`duckdb:///PATH` names a folder. The loader works on a copy (`store-000124.duckdb`), then moves the
pointer `CURRENT` with `os.replace`; readers open what `CURRENT` names, read-only, and follow it.
Replacing a file under the same name would be silently stale: DuckDB caches by path.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import duckdb
from sqlalchemy import Engine, create_engine, delete, event, func, insert, inspect, select, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from data_access import dialects
from data_access.aside import pattern_of, quoted
from data_access.calendars import open_seconds_until
from data_access.config import Settings, read_settings, settings_from_json
from data_access.errors import FrontdoorError, StoreError, StoreLockedError, UnfinishedError
from data_access.filters import Filter
from data_access.schema import SCHEMA_VERSION, metadata, source_status, store_info
from data_access.temporary import TemporaryFolder, parts_folder, remove_abandoned, remove_database

ENVIRONMENT_VARIABLE = "FRONTDOOR_STORE"
SETTINGS_VARIABLE = "FRONTDOOR_SETTINGS"
KEPT_GENERATIONS = 2
STATEMENT_SECONDS = 60  # after which a server stops a statement of the dashboard
WATCH_SECONDS = 4  # the same for a look whether the store is there
OPEN_ATTEMPTS = 5  # a reader's, while loads publish one generation after the other
WRITER_LOCK = 7023771  # key of the advisory lock that a server's writers take
MIGRATION_JOURNAL = "frontdoor_migration"  # table of a store that is being filled from another
_REWRITE_LOCK_SECONDS = 90  # for a table that somebody reads: longer than a statement of the dashboard may take
_DEAD_ROWS = re.compile(r"[1-9]\d* ")  # how VACUUM's detail begins where it had to keep rows, in any language
EMPTY_AS_OF = dt.datetime(1970, 1, 1)  # an empty store has no data to be "as of"
LOCK_NAME = "LOCK"
_FOLDER_MODE = 0o750
_HOLDER = re.compile(r"^process (?P<process>\d+) on (?P<host>\S+) since ")
_GENERATION = re.compile(r"^store-(\d{6,})\.duckdb$")


def default_store_url() -> str:
    """`FRONTDOOR_STORE`, else the folder `frontdoor` below the user's data directory."""
    given = os.environ.get(ENVIRONMENT_VARIABLE)
    if given:
        return given
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return f"duckdb:///{Path(base) / 'frontdoor'}"


@dataclass(frozen=True)
class StoreStatus:
    """What the store says of itself at one version; read once per rerun."""

    url: str
    version: int
    settings: Settings
    fingerprint: str
    as_of: dt.datetime | None
    complete_to: tuple[tuple[str, dt.datetime], ...]

    @property
    def is_empty(self) -> bool:
        """True where nothing has been loaded yet."""
        return self.as_of is None


def parse_url(url: str) -> URL:
    """A supported store URL. Raises StoreError saying which are supported."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError) as problem:  # a port that is no number is a ValueError
        # It is not repeated: what cannot be taken apart may hold a password anywhere.
        raise StoreError(
            "what is given is not a store URL; write duckdb:///PATH or "
            "postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME, with a number for the port"
        ) from problem
    if "@" in (parsed.host or ""):
        raise StoreError(
            "the store URL has several @: write duckdb:///PATH or "
            "postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME, and in the password %40 for an @, %2F for a slash"
        )
    if parsed.get_backend_name() not in ("duckdb", "postgresql"):
        raise StoreError(
            f"a {parsed.get_backend_name()} store is not supported; write duckdb:///PATH or postgresql+psycopg://…"
        )
    if parsed.get_backend_name() == "duckdb" and not parsed.database:
        raise StoreError("duckdb:/// needs a folder, such as duckdb:///store")
    return parsed


def shown_url(url: str) -> str:
    """The URL without its passwords, for messages."""
    parsed = parse_url(url)
    secret = {name: "hidden" for name in parsed.query if "password" in name.lower()}
    return parsed.update_query_dict(secret).render_as_string(hide_password=True)


def store_folder(url: str) -> Path | None:
    """Folder of the generations; None where the store is a database server."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "duckdb":
        return None
    return Path(parsed.database or "").expanduser()


def settings_file(url: str) -> Path | None:
    """`FRONTDOOR_SETTINGS`, else `settings.toml` in the store's folder."""
    given = os.environ.get(SETTINGS_VARIABLE)
    if given:
        path = Path(given)
        if not path.exists():
            raise StoreError(f"{SETTINGS_VARIABLE} names {path}, which does not exist")
        return path
    folder = store_folder(url)
    return folder / "settings.toml" if folder is not None else None


def current_settings(url: str, connection: Connection) -> Settings:
    """The settings that the next load or rebuild will use: those of the file; where there is none, those in force.

    So a command on another machine, or without the variable that names the file, changes no figure. The shipped
    defaults where the store was derived by a version whose settings cannot be read any more, or never.
    """
    path = settings_file(url)
    if path is not None and path.exists():
        return read_settings(path)
    try:
        return settings_in_force(connection)
    except (KeyError, TypeError, ValueError):
        return read_settings()


def current_generation(folder: Path) -> Path | None:
    """File that `CURRENT` names; None where there is no store yet.

    A generation removed by hand is an error that says what to do, never an empty store.
    """
    name = _named_by_current(folder)
    while name is not None and not (folder / name).exists():
        again = _named_by_current(folder)
        if again == name:
            raise StoreError(
                f"{folder / 'CURRENT'} names {name!r}, which is not there; restore it from a backup, "
                "or remove CURRENT and load the sources again"
            )
        name = again  # it was replaced between the look at CURRENT and the look for the file
    return folder / name if name is not None else None


def _named_by_current(folder: Path) -> str | None:
    try:
        name = (folder / "CURRENT").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        raise StoreError(f"{folder / 'CURRENT'} cannot be read: {problem}") from problem
    if not _GENERATION.match(name):
        raise StoreError(
            f"{folder / 'CURRENT'} names {name!r}, which is no generation; restore it from a backup, "
            "or remove CURRENT and load the sources again"
        )
    return name


def generation_number(generation: Path | None) -> int:
    """The version that a generation's file name says; 0 without one."""
    return int(_GENERATION.match(generation.name)[1]) if generation else 0  # type: ignore[index]


def writable_database(path: Path) -> Engine:
    """A DuckDB file for a writer that holds its folder's lock."""
    dialects.reuse_freed_memory()
    return _duckdb_engine(path, read_only=False)


def has_store(url: str) -> bool:
    """Whether there is a store at the URL, of whatever version."""
    folder = store_folder(url)
    if folder is not None:
        return current_generation(folder) is not None
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return bool(read_info(connection))
    except SQLAlchemyError as problem:
        raise StoreError(f"{shown_url(url)} cannot be opened: {one_line(problem)}") from problem
    finally:
        engine.dispose()


def stored_schema_version(url: str) -> int:
    """Schema version of the store, whichever it is. Raises StoreError where there is no store."""
    folder = store_folder(url)
    if folder is None:
        engine = create_engine(url)
    else:
        generation = current_generation(folder)
        if generation is None:
            raise _no_store(url)
        engine = _duckdb_engine(generation, read_only=True)
    try:
        return _found_version(engine, url)
    finally:
        engine.dispose()


def current_version(url: str, watcher: Engine | None = None) -> int:
    """Version of the store now: cheap enough to ask on every rerun; 0 where there is no store.

    `watcher` (of `open_watcher`) keeps its connection to a server from one look to the next.
    """
    folder = store_folder(url)
    if folder is not None:
        generation = current_generation(folder)
        return generation_number(generation)
    if watcher is not None:
        with contextlib.suppress(ProgrammingError), watcher.connect() as connection:  # no such table: say why, below
            found = connection.scalar(select(store_info.c.value).where(store_info.c.key == "store_version"))
            return int(found or 0)
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            return int(read_info(connection).get("store_version", "0"))
    finally:
        engine.dispose()


def open_watcher(url: str) -> Engine | None:
    """An engine that only looks for a new version, and gives up on a server within seconds; None for a folder."""
    return None if store_folder(url) is not None else dialects.server_reader(url, WATCH_SECONDS)


def open_reader(url: str) -> Engine:
    """A read-only engine pinned to the present generation (REPEATABLE READ on PostgreSQL).

    Raises StoreError where there is no store, or it is newer than this program.
    """
    folder = store_folder(url)
    if folder is None:
        engine = dialects.server_reader(url, STATEMENT_SECONDS)
        _check_version(engine, url)
        return engine
    for attempt in range(OPEN_ATTEMPTS):
        generation = current_generation(folder)
        if generation is None:
            raise _no_store(url)
        engine = _duckdb_engine(generation, read_only=True)
        try:
            _check_version(engine, url)
            return engine
        except StoreError:
            # Between the look at CURRENT and the opening a later generation may have replaced this one.
            if attempt == OPEN_ATTEMPTS - 1 or current_generation(folder) == generation:
                raise
    raise AssertionError("the last attempt returns or raises")


# A new file is written as the oldest DuckDB that pyproject.toml admits can read it, not as that of years ago: its
# texts take a quarter less time to write. Files keep the version they were made with.
_DUCKDB_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "storage_compatibility_version": "v1.5.0",
}


def _duckdb_engine(path: Path, *, read_only: bool) -> Engine:
    """No statement reaches another file; a writer's may reach what it puts aside (`data_access.aside`)."""
    engine = create_engine(f"duckdb:///{path}", connect_args={"read_only": read_only, "config": _DUCKDB_CONFIG})
    folder = parts_folder(path)
    aside = ", ".join(map(quoted, (str(folder), pattern_of(folder))))

    @event.listens_for(engine, "connect")
    def _closed(connection: Any, _record: object) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        if connection.execute("SELECT current_setting('enable_external_access')").fetchone()[0]:
            if not read_only:
                connection.execute(f"SET allowed_directories = [{aside}]")
            connection.execute("SET enable_external_access = false")

    return engine


def _no_store(url: str) -> StoreError:
    place = store_folder(url) or shown_url(url)
    return StoreError(f"there is no store in {place}; create it with: frontdoor init --store {shown_url(url)}")


def _found_version(engine: Engine, url: str) -> int:
    try:
        with engine.connect() as connection:
            _refuse_half_done(connection, url)
            found = int(read_info(connection).get("schema_version", "0"))
    except (SQLAlchemyError, duckdb.Error) as problem:
        raise StoreError(f"{shown_url(url)} cannot be opened: {one_line(problem)}") from problem
    if found == 0:
        raise _no_store(url)
    return found


def _refuse_half_done(connection: Connection, url: str) -> None:
    if inspect(connection).has_table(MIGRATION_JOURNAL):
        raise StoreError(
            f"{shown_url(url)} is being filled by `frontdoor migrate`, or that was interrupted; "
            "run the same command again to finish it"
        )


def _check_version(engine: Engine, url: str) -> None:
    """Refuse to read a store of another schema version, saying what to do."""
    try:
        found = _found_version(engine, url)
        _refuse_newer(found, url)
        if found < SCHEMA_VERSION:
            raise StoreError(
                f"{shown_url(url)} has schema {found}, this Frontdoor needs {SCHEMA_VERSION}; "
                f"run: frontdoor upgrade --store {shown_url(url)} (the next load does the same)"
            )
    except StoreError:
        engine.dispose()
        raise


def _refuse_newer(found: int, url: str) -> None:
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{shown_url(url)} was written by a newer Frontdoor (schema {found}, this one reads {SCHEMA_VERSION}); "
            "update Frontdoor"
        )


def one_line(problem: BaseException) -> str:
    """First line of an engine's message, without the statement that SQLAlchemy appends."""
    return str(getattr(problem, "orig", None) or problem).strip().splitlines()[0]


def read_info(connection: Connection) -> dict[str, str]:
    """All of `store_info`; empty where there are no tables yet."""
    if not inspect(connection).has_table(store_info.name):
        return {}
    return {row.key: row.value for row in connection.execute(select(store_info))}


def settings_in_force(connection: Connection) -> Settings:
    """The settings with which the store was derived."""
    return settings_from_json(read_info(connection)["settings"])


def read_status(engine: Engine, url: str) -> StoreStatus:
    """What the pages need to know before any query: version, settings in force, data as of."""
    with engine.connect() as connection:
        info = read_info(connection)
        rows = connection.execute(select(source_status).order_by(source_status.c.source)).all()
    try:
        settings = settings_from_json(info["settings"])
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreError(
            f"{shown_url(url)} was derived by another version of Frontdoor; load the sources into a new store"
        ) from problem
    return StoreStatus(
        url=shown_url(url),
        version=int(info["store_version"]),
        settings=settings,
        fingerprint=info["settings_fingerprint"],
        as_of=max((row.complete_to for row in rows), default=None),
        complete_to=tuple((row.source, row.complete_to) for row in rows),
    )


def resolved(wanted: Filter, status: StoreStatus) -> Filter:
    """The filter with all that it takes from the store: as of, zone, complete to, definitions.

    Without an `as_of` of its own the filter looks as of the newest complete data, never the clock.
    """
    as_of = wanted.as_of or status.as_of or EMPTY_AS_OF
    return wanted.replace(
        as_of=as_of,
        zone=wanted.zone or status.settings.zone,
        complete_to=status.complete_to,
        unknown_time_counts_as=wanted.unknown_time_counts_as or status.settings.unknown_time_counts_as,
        business_now=_business_now(as_of, status),
        within_days=wanted.within_days or status.settings.joined_up.window_days,
        restated_similarity=wanted.restated_similarity or status.settings.joined_up.restated_similarity,
        silent_after_days=wanted.silent_after_days or status.settings.joined_up.silent_after_days,
    )


def _business_now(as_of: dt.datetime, status: StoreStatus) -> tuple[tuple[str, str, int], ...]:
    """Open seconds of each calendar up to the moment at which each source is looked at."""
    return tuple(
        (source, calendar.name, open_seconds_until(calendar, min(as_of, until)))
        for source, until in status.complete_to
        for calendar in status.settings.calendars
    )


def write_info(connection: Connection, **values: str) -> None:
    """Set entries of `store_info`."""
    connection.execute(delete(store_info).where(store_info.c.key.in_(list(values))))
    connection.execute(insert(store_info), [{"key": key, "value": value} for key, value in values.items()])


@contextlib.contextmanager
def open_writer(url: str, *, leave_no_trace: bool = False) -> Iterator[Connection]:
    """A connection on which everything done becomes visible at once, or not at all.

    With `leave_no_trace` nothing that was deleted can be read from the store's files any more: the generation is
    written afresh and the older ones are removed (a reader that holds one open keeps it until it closes it); a server
    rewrites its tables.

    Creates the store where there is none. Raises StoreLockedError naming the holder, and StoreError
    for a read-only folder, a full disk or a newer store. After an error nothing has changed.
    """
    remove_abandoned()
    folder = store_folder(url)
    if folder is None:
        with _open_server_writer(url) as connection:
            yield connection
        if leave_no_trace:
            write_tables_afresh(url, *(f'"{table.name}"' for table in metadata.sorted_tables))
        return
    with locked_folder(folder), _generation_writer(url, folder, leave_no_trace=leave_no_trace) as connection:
        yield connection


def make_folder(folder: Path) -> None:
    """Make a store's folder where it is not there: what it holds is personal, so at most its group may look into it.

    Who made the folder before has decided who may.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep other writers out of it. Raises StoreLockedError naming the holder.

    A folder that was made for this, and in which nothing was left, is removed again.
    """
    is_new = not folder.exists()
    try:
        make_folder(folder)
        lock = _taken_lock(folder)
    except OSError as problem:
        raise StoreError(f"{folder} cannot be written: {problem.strerror}; choose another with --store") from problem
    with lock:
        try:
            yield
        finally:
            with contextlib.suppress(
                OSError
            ):  # of a disk that became read-only, or was removed; that is said elsewhere
                lock.truncate(0)  # who has written is no longer who writes
                if is_new and os.listdir(folder) == [LOCK_NAME]:
                    (folder / LOCK_NAME).unlink()
                    folder.rmdir()


def _taken_lock(folder: Path) -> TextIO:
    """The lock's file, held until it is closed, and so also when the process is killed."""
    path = folder / LOCK_NAME
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            file.seek(0)
            holder = _living_holder(file.read())
            file.close()
            raise StoreLockedError(
                f"{folder} is being loaded by {holder}; wait until it is done and try again"
            ) from problem
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break
        file.close()  # its folder was removed, and perhaps made again, before it was taken
        make_folder(folder)
    file.truncate(0)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}")
    file.flush()
    return file


def _living_holder(said: str) -> str:
    """Who holds the lock, as its file says, unless that is of a process that has ended: of an earlier load."""
    match = _HOLDER.match(said)
    if match is None:
        return said.strip() or "another process"
    if match["host"] == socket.gethostname():
        try:
            os.kill(int(match["process"]), 0)
        except (ProcessLookupError, OverflowError):
            return "another process"
        except PermissionError:
            pass  # it lives, and is somebody else's
    return said.strip()


@contextlib.contextmanager
def open_rehearsal(url: str) -> Iterator[Connection]:
    """A connection like a writer's, of which nothing is kept.

    Beside a folder the work is done on a copy among the temporary files: the folder is neither made nor locked.
    A server's transaction is rolled back; other writers are kept out until then. Raises what `open_writer` raises.
    """
    folder = store_folder(url)
    if folder is None:
        with _open_server_writer(url, keep=False) as connection:
            yield connection
        return
    with (
        TemporaryFolder("rehearsal") as temporary,
        _shortage_said(temporary.path, "point TMPDIR to another folder"),
        _working_copy(url, current_generation(folder), temporary.path / "rehearsal.duckdb") as connection,
    ):
        yield connection


@contextlib.contextmanager
def _generation_writer(url: str, folder: Path, *, leave_no_trace: bool) -> Iterator[Connection]:
    current = current_generation(folder)
    number = generation_number(current)
    work = folder / "loading.duckdb"
    for leftover in (work, folder / "rewriting.duckdb"):  # of a load that was killed
        remove_database(leftover)
    with _shortage_said(folder, "choose another store with --store"):
        try:
            with _working_copy(url, current, work) as connection:
                yield connection
            if leave_no_trace:
                _write_afresh(work)
            publish_generation(folder, work, number + 1)
        except BaseException:
            remove_database(work)
            raise
    drop_old_generations(folder, number + 1, kept=1 if leave_no_trace else KEPT_GENERATIONS)


@contextlib.contextmanager
def _working_copy(url: str, current: Path | None, work: Path) -> Iterator[Connection]:
    """A transaction on a copy of a generation, or on a new store where there is none; it is committed."""
    if current is not None:
        shutil.copyfile(current, work)
    engine = writable_database(work)
    try:
        if current is not None:
            _refuse_newer(_found_version(engine, url), url)
        with engine.connect() as connection, connection.begin():
            _create_or_bump(connection, url, generation_number(current) + 1)
            yield connection
    finally:
        engine.dispose()


@contextlib.contextmanager
def _shortage_said(folder: Path, advice: str) -> Iterator[None]:
    """Turn a full or write-protected disk, and too little memory, into words."""
    try:
        yield
    except FrontdoorError:
        raise  # says which folder is full or write-protected: not always the store's
    except BaseException as problem:
        reason = _shortage_reason(problem, advice)
        if reason:
            raise StoreError(f"{folder}: {reason}; nothing was changed") from problem
        raise


def publish_generation(folder: Path, work: Path, number: int) -> None:
    """Make a finished database the present generation; the caller holds the folder's lock."""
    if work.with_name(f"{work.name}.wal").exists():  # closing it brought not all into the file, and did not say why
        engine = writable_database(work)
        try:
            with engine.connect() as connection:
                connection.execute(text("CHECKPOINT"))
        finally:
            engine.dispose()
    target = folder / f"store-{number:06d}.duckdb"
    _sync(work)
    work.rename(target)
    _point_to(folder, target.name)


def _write_afresh(work: Path) -> None:
    """Copy the rows into a new file: what was deleted would stay readable in the old one's free blocks."""
    fresh = work.with_name("rewriting.duckdb")
    remove_database(fresh)
    try:
        with duckdb.connect(config=_DUCKDB_CONFIG) as connection:
            for name, path in (("old", work), ("fresh", fresh)):
                quoted = str(path).replace("'", "''")
                connection.execute(f"ATTACH '{quoted}' AS {name}")
            connection.execute("COPY FROM DATABASE old TO fresh")
        remove_database(work)
        fresh.rename(work)
    except BaseException:
        remove_database(fresh)
        raise


def write_tables_afresh(url: str, *names: str) -> None:
    """Rewrite a server's tables and what it knows of their values: of deleted rows, neither holds anything any more.

    A plain VACUUM leaves the old bytes in the file, and the values in the planner's statistics, which everybody may
    read who may read the table. Each table is locked while it is rewritten, for readers, too. Raises UnfinishedError
    where another session keeps a table, or still sees its old rows.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    kept_rows: list[str] = []
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SET lock_timeout = '{_REWRITE_LOCK_SECONDS}s'"))
            session: Any = connection.connection.driver_connection
            session.add_notice_handler(lambda notice: kept_rows.append(notice.message_detail or ""))
            for name in names:
                connection.execute(text(f"VACUUM (FULL, ANALYZE, VERBOSE) {name}"))
            # Values of rows that were deleted long ago lie in the file of the statistics, too.
            connection.execute(text("VACUUM (FULL) pg_catalog.pg_statistic"))
    except SQLAlchemyError as problem:
        raise UnfinishedError(_unfinished(url, one_line(problem))) from problem
    finally:
        engine.dispose()
    if any(_DEAD_ROWS.match(detail) for detail in kept_rows):
        raise UnfinishedError(_unfinished(url, "a session that began before still sees the old rows"))


def _unfinished(url: str, reason: str) -> str:
    return (
        f"{shown_url(url)}: it is done, but deleted rows are still in the files of the server: {reason}; "
        "run the same command again later to finish it"
    )


def _shortage_reason(problem: BaseException, advice: str) -> str | None:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and load again"
    if isinstance(problem, OSError) and problem.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"cannot be written ({problem.strerror}); {advice}"
    message = str(problem)
    is_out_of_memory = "Out of Memory" in message
    if "No space left" in message or (is_out_of_memory and "max_temp_directory_size" in message):
        return "the disk is full; free some space and load again"
    if is_out_of_memory:
        more = f"{dialects.MEMORY_VARIABLE}={10 * dialects.engine_memory_mb()}"
        return f"the embedded engine has too little memory for this; give it more, such as {more}, where there is more"
    return None


def _create_or_bump(connection: Connection, url: str, version: int) -> None:
    """Make the tables where there are none, bring older ones to the present schema, count the version up."""
    settings = current_settings(url, connection)
    _refuse_half_done(connection, url)
    if not inspect(connection).has_table(store_info.name):
        dialects.create_tables(connection, metadata)
        write_info(
            connection,
            schema_version=str(SCHEMA_VERSION),
            created_at=dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds"),
            settings=settings.to_json(),
            settings_fingerprint=settings.fingerprint(),
        )
    else:
        found = int(read_info(connection)["schema_version"])
        _refuse_newer(found, url)
        if found < SCHEMA_VERSION:
            from data_access.migrations import migrate_forward  # noqa: PLC0415 (it derives, and writes through here)

            migrate_forward(connection, settings)
    write_info(connection, store_version=str(version))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _point_to(folder: Path, name: str) -> None:
    pointer = folder / "CURRENT.new"
    pointer.write_text(name + "\n", encoding="ascii")
    _sync(pointer)
    pointer.replace(folder / "CURRENT")
    _sync(folder)


def drop_old_generations(folder: Path, current: int, *, kept: int = KEPT_GENERATIONS) -> None:
    """Remove the generations that nobody needs any more, and any that were never published."""
    for path in folder.iterdir():
        match = _GENERATION.match(path.name)
        if match and (int(match[1]) <= current - kept or int(match[1]) > current):
            remove_database(path)


@contextlib.contextmanager
def _open_server_writer(url: str, *, keep: bool = True) -> Iterator[Connection]:
    engine = server_writer_engine(url)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            if not connection.scalar(select(func.pg_try_advisory_xact_lock(WRITER_LOCK))):
                raise locked_server(connection, url)
            version = int(read_info(connection).get("store_version", "0"))
            _create_or_bump(connection, url, version + 1)
            yield connection
            if not keep:
                transaction.rollback()
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error, OSError) as problem:  # COPY raises the driver's own
        raise StoreError(f"{shown_url(url)}: {one_line(problem)}; nothing was changed") from problem
    finally:
        engine.dispose()


def server_writer_engine(url: str) -> Engine:
    """An engine whose sessions say on the server which process they are of."""
    name = f"frontdoor {os.getpid()} on {socket.gethostname()}"
    return create_engine(url, connect_args={"application_name": name[:63]})  # the server cuts longer ones


def locked_server(connection: Connection, url: str) -> StoreLockedError:
    """Who writes the store now, as an error."""
    holder = connection.execute(
        text(
            "SELECT a.application_name, a.backend_start FROM pg_locks l JOIN pg_stat_activity a "
            "USING (pid) JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = :key AND l.granted "
            "AND d.datname = current_database()"
        ),
        {"key": WRITER_LOCK},
    ).first()
    who = "another session"  # it has just ended
    if holder is not None:
        since = (
            f" since {holder.backend_start.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S UTC}" if holder.backend_start else ""
        )
        who = f"{holder.application_name or 'another session'}{since}"
    return StoreLockedError(f"{shown_url(url)} is being loaded by {who}; wait until it is done and try again")


def store_size_bytes(url: str) -> int | None:
    """Bytes of the present generation; None on a server."""
    folder = store_folder(url)
    generation = current_generation(folder) if folder is not None else None
    return generation.stat().st_size if generation is not None else None


def store_info_json(status: StoreStatus) -> str:
    """The status as one JSON object, for the command line."""
    as_of = status.as_of.isoformat() + "Z" if status.as_of else None
    return json.dumps({"store": status.url, "store_version": status.version, "as_of": as_of})
