"""Faults, done for real: full disks, read-only folders, several loaders, open readers, clocks, lost connections.

Killed loaders stand in test_kills.py.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from stored_rows import frame_of, rows_of

from data_access import dialects
from data_access.cli import main
from data_access.errors import StoreError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.progress import Progress, say_nothing
from data_access.queries.response_times import response_times
from data_access.schema import load_runs
from data_access.sources import threads
from data_access.store import (
    WRITER_LOCK,
    current_generation,
    current_version,
    open_reader,
    open_writer,
    read_status,
    resolved,
)

HEADER = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"


def tweets(first: int, count: int, length: int = 20) -> str:
    """Questions and their answers."""
    rows = []
    for name in range(first, first + count):
        words = "@Acme " + f"word{name} " * (length // 5)
        rows.append(f"{2 * name},{1000 + name},True,2025-05-05 {name % 24:02d}:00:00+00:00,{words},,\n")
        rows.append(
            f"{2 * name + 1},Acme,False,2025-05-06 {name % 24:02d}:00:00+00:00,@{1000 + name} hi,,{2 * name}\n"
        )
    return HEADER + "".join(rows)


def conversation_count(url: str) -> int:
    engine = open_reader(url)
    wanted = resolved(Filter(), read_status(engine, url))
    count = int(response_times(engine, wanted).iloc[0]["conversation_count"])
    engine.dispose()
    return count


def command(file: Path, url: str) -> list[str]:
    return [sys.executable, "-m", "data_access", "load", str(file), "--source", "twcs", "--store", url]


@pytest.fixture(scope="session")
def first_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store`, which holds 20 conversations, and the file that they are from."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "first.csv").write_text(tweets(1, 20))
    load(f"duckdb:///{folder / 'store'}", [LoadOrder(folder / "first.csv", "twcs")])
    return folder


@pytest.fixture
def base(first_store: Path, tmp_path: Path) -> tuple[str, Path]:
    """A store with 20 conversations, and a file with 40 more."""
    shutil.copytree(first_store, tmp_path, dirs_exist_ok=True)
    (tmp_path / "more.csv").write_text(tweets(100, 40))
    return f"duckdb:///{tmp_path / 'store'}", tmp_path / "more.csv"


def test_what_a_killed_load_leaves_behind_harms_nobody(base, tmp_path):
    url, more = base
    folder = tmp_path / "store"
    (folder / "loading.duckdb").write_bytes(b"half of a store" * 1000)
    (folder / "loading.duckdb.wal").write_bytes(b"half of a log")
    (folder / "CURRENT.new").write_text("store-0")
    (folder / "store-000002.duckdb").write_bytes(b"written, but never published")
    (folder / "LOCK").write_text("process 1 on elsewhere since yesterday")
    assert conversation_count(url) == 20
    assert main(["load", str(more), "--source", "twcs", "--store", url]) == 0
    assert conversation_count(url) == 60
    names = {path.name for path in folder.iterdir()}
    assert names == {"CURRENT", "LOCK", "store-000001.duckdb", "store-000002.duckdb"}


# --- several at once


def test_of_two_loaders_at_once_the_second_is_refused_naming_the_holder(new_store_url, tmp_path, capsys):
    (tmp_path / "first.csv").write_text(tweets(1, 20))
    command = ["load", str(tmp_path / "first.csv"), "--source", "twcs", "--store", new_store_url]
    with open_writer(new_store_url):
        started = time.monotonic()
        assert main(command) == 2
        assert time.monotonic() - started < 30
    err = capsys.readouterr().err
    holder = f"{os.getpid()} on {socket.gethostname()} since 20"
    assert re.search(rf"is being loaded by (process|frontdoor) {re.escape(holder)}.* UTC; wait .* try again\n", err)
    assert main(command) == 0


def test_readers_answer_while_loads_run_and_see_old_then_new_without_a_restart(base, tmp_path):
    url, _ = base
    pinned = open_reader(url)
    done = threading.Event()
    seen: list[tuple[int, int]] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                seen.append((current_version(url), conversation_count(url)))
        except BaseException as problem:  # whatever it is, the test must hear of it
            failures.append(problem)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for place in range(3):
        (tmp_path / f"{place}.csv").write_text(tweets(1000 * (place + 1), 10))
        subprocess.run(command(tmp_path / f"{place}.csv", url), check=True, capture_output=True, timeout=300)
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert {count for _, count in seen} <= {20, 30, 40, 50}
    assert 20 in {count for _, count in seen}
    # A version read before the count can only be older than what was counted.
    assert all(count >= 10 + 10 * version for version, count in seen)
    assert conversation_count(url) == 50
    wanted = resolved(Filter(), read_status(pinned, url))
    assert response_times(pinned, wanted).iloc[0]["conversation_count"] == 20


def test_a_generation_deleted_by_hand_is_said_and_mended_by_loading_again(base, tmp_path, capsys):
    url, more = base
    current_generation(tmp_path / "store").unlink()
    for arguments in (["report", "response_times"], ["status"], ["load", str(more), "--source", "twcs"], ["rebuild"]):
        assert main([*arguments, "--store", url]) == 2
        err = capsys.readouterr().err
        assert "remove CURRENT and load the sources again" in err
        assert err.count("\n") == 1
    (tmp_path / "store" / "CURRENT").unlink()
    assert main(["load", str(tmp_path / "first.csv"), str(more), "--source", "twcs", "--store", url]) == 0
    assert conversation_count(url) == 60


# --- disks


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small file system of its own; skips where it cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("a file system can only be mounted by root")
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_too_little_memory_changes_nothing_and_is_not_called_a_full_disk(base, capsys, monkeypatch):
    url, more = base
    more.write_text(tweets(100, 2500, 400))
    before = rows_of(url)
    monkeypatch.setattr(dialects, "ENGINE_MB", 2)
    assert main(["load", str(more), "--source", "twcs", "--store", url]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "too little memory" in line
    assert "FRONTDOOR_LOAD_MB=20" in line
    assert "nothing was changed" in line
    assert rows_of(url) == before


@pytest.mark.parametrize("copies", [0, 1])
def test_a_full_disk_changes_nothing_and_says_so(base, tmp_path, capsys, copies):
    """In one megabyte the copy of the store does not fit; where it fits, the new rows do not."""
    _, more = base
    more.write_text(tweets(100, 2500, 400))
    disk = tmp_path / "disk"
    url = f"duckdb:///{disk / 'store'}"
    with mounted(disk, "size=24m"):
        load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
        before = rows_of(url)
        left = (1 << 20) + copies * (disk / "store" / "store-000001.duckdb").stat().st_size
        (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - left))
        capsys.readouterr()
        status = main(["load", str(more), "--source", "twcs", "--store", url])
        err = capsys.readouterr().err
        assert status == 2
        assert "disk is full" in err
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) == 1
        assert rows_of(url) == before
        assert {path.name for path in (disk / "store").iterdir()} == {"CURRENT", "LOCK", "store-000001.duckdb"}
        (disk / "filler").unlink()
        (tmp_path / "small.csv").write_text(tweets(9000, 3))
        assert main(["load", str(tmp_path / "small.csv"), "--source", "twcs", "--store", url]) == 0
        assert conversation_count(url) == 23


@pytest.mark.parametrize(
    ("room", "what"),
    [
        pytest.param("4k", "tweets.duckdb", id="no room to begin"),
        pytest.param("512k", "Failed to commit", id="none for the tweets"),
        pytest.param("4m", "Error writing bytes", id="none to put them into groups"),
        pytest.param("16m", None, id="enough"),
    ],
)
def test_a_full_temporary_folder_is_said_with_its_name(base, tmp_path, monkeypatch, capsys, room, what):
    _, more = base
    more.write_text(tweets(100, 1000, 1000))
    url = f"duckdb:///{tmp_path / 'store'}"
    before = rows_of(url)
    disk = tmp_path / "temporary"
    monkeypatch.setattr(threads, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    with mounted(disk, f"size={room}"):
        status = main(["load", str(more), "--source", "twcs", "--store", url])
        assert [*disk.iterdir()] == []
    err = capsys.readouterr().err
    assert "Traceback" not in err
    if what is None:
        assert status == 0
        return
    assert status == 2
    assert f"{disk}/frontdoor-" in err
    assert "the temporary folder cannot hold the tweets: " in err
    assert what in err
    assert len(err.strip().splitlines()) == 1
    assert rows_of(url) == before


def test_tables_that_the_temporary_folder_cannot_hold_are_said_in_one_line(base, tmp_path):
    """In a process of its own: SQLite asks for TMPDIR once."""
    names = "".join(f"{n},{'User' * 50} {n},u{n}@mail.example,end-user,,\n" for n in range(3_000))
    export = tmp_path / "export"
    export.mkdir()
    (export / "users.csv").write_text(f"id,name,email,role,organization_id,phone\n{names}")
    (export / "tickets.csv").write_text(
        "id,created_at,description,subject,requester_id,submitter_id,status,is_public,via_channel\n"
        "1,2025-01-01 00:00:00,Where is it?,Parcel,7,7,open,TRUE,email\n"
    )
    disk = tmp_path / "temporary"
    url = f"duckdb:///{tmp_path / 'store'}"
    before = rows_of(url)
    script = (
        "import sys; from data_access.cli import main; from data_access.sources import files; "
        "files.REMEMBERED, files.LOOKUP_MEMORY_KIB = 100, 16; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "load", str(export), "--store", url]
    for room, status in (("64k", 2), ("16m", 0)):
        with mounted(disk, f"size={room}"):
            ended = subprocess.run(
                command, env=os.environ | {"TMPDIR": str(disk)}, capture_output=True, text=True, check=False
            )
        disk.rmdir()
        assert ended.returncode == status, ended.stderr
        if status:
            assert "the temporary folder (TMPDIR) cannot hold the tables of this export: " in ended.stderr
            assert "Traceback" not in ended.stderr
            assert rows_of(url) == before


def test_a_read_only_disk_is_read_and_not_written(base, tmp_path, capsys):
    _, more = base
    disk = tmp_path / "disk"
    url = f"duckdb:///{disk / 'store'}"
    with mounted(disk, "size=32m"):
        load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert conversation_count(url) == 20
        assert main(["report", "response_times", "--store", url]) == 0
        capsys.readouterr()
        assert main(["load", str(more), "--source", "twcs", "--store", url]) == 2
        err = capsys.readouterr().err
        assert "cannot be written" in err
        assert "--store" in err
        assert err.count("\n") == 1
        assert main(["init", "--store", f"duckdb:///{disk / 'other'}"]) == 2


def test_a_folder_without_write_permission_is_refused(base, tmp_path):
    _, more = base
    folder = tmp_path / "locked"
    folder.mkdir()
    arguments = command(more, f"duckdb:///{folder / 'store'}")
    if os.geteuid() == 0:  # root writes everywhere: become nobody for this
        for parent in tmp_path.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        tmp_path.chmod(0o755)
        arguments = ["setpriv", "--reuid", "65534", "--clear-groups", *arguments]
        if subprocess.run(
            [*arguments[:5], "-c", "import data_access.cli"], capture_output=True, check=False
        ).returncode:
            pytest.skip("root writes everywhere, and another user cannot run this interpreter")
    else:
        folder.chmod(0o555)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300)
    folder.chmod(0o755)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


# --- clocks


def test_a_clock_that_steps_back_and_forth_loses_nothing(base):
    """Events of 2025, loaded by a clock that says 2100, then 2000, then the truth."""
    url, more = base
    versions = [current_version(url)]
    rejected = []
    for year in (2100, 2000, 2025):
        result = load(url, [LoadOrder(more, "twcs")], now=dt.datetime(year, 6, 1))
        assert result.read_count == result.stored_count + result.unchanged_count + result.rejected_count
        rejected.append(result.rejected_count)
        versions.append(current_version(url))
        if year == 2100:
            assert conversation_count(url) == 60
    assert rejected == [0, 80, 0]  # by a clock of 2000 all of it is in the future; what is stored stays
    assert conversation_count(url) == 60
    assert versions == sorted(set(versions))
    runs = frame_of(url, load_runs)
    assert runs["load_run"].tolist() == [1, 2, 3, 4]
    assert (runs["finished_at"] >= runs["started_at"]).all()
    assert main(["check", "--store", url]) == 0


# --- a store elsewhere


def test_a_store_copied_while_a_load_runs_opens_and_loads_elsewhere(base, tmp_path):
    url, more = base
    with open_writer(url):
        shutil.copytree(tmp_path / "store", tmp_path / "elsewhere" / "store")
    (tmp_path / "elsewhere" / "store" / "LOCK").write_text("process 1 on a-machine-that-is-gone since yesterday")
    copied = f"duckdb:///{tmp_path / 'elsewhere' / 'store'}"
    shutil.rmtree(tmp_path / "store")  # nothing of it names its former place
    assert conversation_count(copied) == 20
    assert main(["load", str(more), "--source", "twcs", "--store", copied]) == 0
    assert conversation_count(copied) == 60
    names = {path.name for path in (tmp_path / "elsewhere" / "store").iterdir()}
    assert names == {"CURRENT", "LOCK", "store-000001.duckdb", "store-000002.duckdb"}


# --- a server that fails


@pytest.fixture
def served(new_database, tmp_path) -> tuple[str, LoadOrder]:
    """A store on PostgreSQL with 20 conversations, and a file with 40 more."""
    url = new_database()
    (tmp_path / "first.csv").write_text(tweets(1, 20))
    (tmp_path / "more.csv").write_text(tweets(100, 40))
    load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
    return url, LoadOrder(tmp_path / "more.csv", "twcs")


def fails_in_one_line(url: str, order: LoadOrder, words: str, progress: Progress = say_nothing):
    before = rows_of(url)
    with pytest.raises(StoreError, match=words) as caught:
        load(url, [order], progress=progress)
    assert str(caught.value).endswith("; nothing was changed")
    assert len(str(caught.value).splitlines()) == 1
    assert rows_of(url) == before


@pytest.mark.postgresql
def test_a_connection_lost_in_the_middle_of_a_load_is_one_line_and_changes_nothing(served):
    """Lost before rows are copied, before texts are read, and before all is derived."""
    url, order = served
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    holders = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key")
    for stage in ("reading", "reading texts", "deriving"):

        def lose(now: str, _rows: int, _expected: int | None = None, *, stage: str = stage) -> None:
            if now == stage:
                with server.connect() as connection:
                    assert connection.scalars(holders, {"key": WRITER_LOCK}).all() == [True]

        fails_in_one_line(url, order, "terminating connection|server closed the connection|connection", lose)
    server.dispose()
    load(url, [order])
    assert conversation_count(url) == 60


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("statement_timeout=1", "canceling statement due to statement timeout"),
        ("default_transaction_read_only=on", "in a read-only transaction"),
    ],
)
def test_a_server_that_does_not_let_a_load_finish_is_one_line_and_changes_nothing(served, option, words):
    url, order = served
    strict = make_url(url).update_query_dict({"options": f"-c {option}"}).render_as_string(hide_password=False)
    before = rows_of(url)
    with pytest.raises(StoreError, match=f"{words}; nothing was changed$"):
        load(strict, [order])
    assert rows_of(url) == before


@pytest.mark.postgresql
def test_a_full_disk_of_the_server_changes_nothing_and_says_so(postgresql_url, tmp_path):
    """A database in a tablespace of its own that is too small."""
    (tmp_path / "first.csv").write_text(tweets(1, 20))
    (tmp_path / "more.csv").write_text(tweets(100, 2500, 400))
    disk = Path(tempfile.mkdtemp(prefix="frontdoor-disk-")) / "disk"
    disk.parent.chmod(0o755)  # none of pytest's folders, into which the server's user cannot go
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    url = make_url(postgresql_url).set(database="on_a_small_disk").render_as_string(hide_password=False)
    with mounted(disk, "size=14m"):
        shutil.chown(disk, "postgres")
        with server.connect() as connection:
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{disk}'"))
            connection.execute(text("CREATE DATABASE on_a_small_disk TABLESPACE small"))
        try:
            load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
            fails_in_one_line(url, LoadOrder(tmp_path / "more.csv", "twcs"), "No space left on device")
            (tmp_path / "more.csv").write_text(tweets(9000, 3))
            load(url, [LoadOrder(tmp_path / "more.csv", "twcs")])
            assert conversation_count(url) == 23
        finally:
            with server.connect() as connection:
                connection.execute(text("DROP DATABASE on_a_small_disk WITH (FORCE)"))
                connection.execute(text("DROP TABLESPACE small"))
            server.dispose()
    shutil.rmtree(disk.parent)
