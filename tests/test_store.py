"""The folder of generations: what CURRENT names, what readers see, and what is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from data_access.cli import main
from data_access.config import read_settings
from data_access.errors import StoreError, StoreLockedError
from data_access.filters import Filter
from data_access.schema import SCHEMA_VERSION, metadata, store_info
from data_access.store import (
    EMPTY_AS_OF,
    current_generation,
    current_version,
    default_store_url,
    open_reader,
    open_writer,
    parse_url,
    read_info,
    read_status,
    resolved,
    settings_file,
    shown_url,
    store_folder,
    store_size_bytes,
    write_info,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path / 'store'}"


def files(url: str) -> set[str]:
    folder = store_folder(url)
    assert folder is not None
    return {path.name for path in folder.iterdir()}


def mark(url: str, value: str) -> None:
    with open_writer(url) as connection:
        write_info(connection, mark=value)


def marked(engine) -> str | None:
    with engine.connect() as connection:
        return read_info(connection).get("mark")


# --- URLs


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "is not a store URL"),
        ("postgresql+psycopg://frontdoor:Sekret@host:abc/real", "a number for the port"),
        ("postgresql+psycopg://frontdoor:Sek/ret@99@host/real", "%40"),
        ("store", "is not a store URL"),
        ("mysql://me@host/base", "mysql store is not supported"),
        ("sqlite:///x.db", "sqlite store is not supported"),
        ("duckdb:///", "needs a folder"),
    ],
)
def test_urls_that_name_no_store_are_refused_with_the_form_they_should_have(url, named):
    with pytest.raises(StoreError, match=named) as problem:
        parse_url(url)
    assert "duckdb:///" in str(problem.value)


def test_the_store_is_where_the_environment_says_else_below_the_users_data(monkeypatch, tmp_path):
    monkeypatch.setenv("FRONTDOOR_STORE", "duckdb:///elsewhere")
    assert default_store_url() == "duckdb:///elsewhere"
    monkeypatch.delenv("FRONTDOOR_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_store_url() == f"duckdb:///{tmp_path}/frontdoor"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_store_url() == f"duckdb:///{Path.home()}/.local/share/frontdoor"


def test_settings_lie_beside_the_store_unless_the_environment_names_others(monkeypatch, tmp_path, url):
    assert settings_file(url) == tmp_path / "store" / "settings.toml"
    monkeypatch.setenv("FRONTDOOR_SETTINGS", str(tmp_path / "mine.toml"))
    with pytest.raises(StoreError, match="does not exist"):
        settings_file(url)
    (tmp_path / "mine.toml").write_text('company = "Acme"\n')
    assert read_settings(settings_file(url)).company == "Acme"


def test_a_password_is_never_shown():
    assert "secret" not in shown_url("postgresql+psycopg://me:secret@host/base")


# --- generations


def test_a_new_store_has_every_table_and_says_what_it_is(url):
    mark(url, "1")
    assert files(url) == {"CURRENT", "LOCK", "store-000001.duckdb"}
    engine = open_reader(url)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table is not store_info:
                assert connection.scalar(select(func.count()).select_from(table)) == 0
    status = read_status(engine, url)
    assert (status.version, status.is_empty, status.as_of, status.complete_to) == (1, True, None, ())
    assert status.settings == read_settings()
    assert store_size_bytes(url) == current_generation(store_folder(url)).stat().st_size


def test_each_write_makes_one_generation_and_the_one_before_the_last_is_kept(url):
    for number in range(1, 5):
        mark(url, str(number))
        assert current_version(url) == number
        kept = {f"store-{n:06d}.duckdb" for n in (number - 1, number) if n > 0}
        assert files(url) == {"CURRENT", "LOCK", *kept}


def test_a_reader_keeps_its_generation_and_the_next_one_sees_the_new(url):
    mark(url, "old")
    old = open_reader(url)
    assert marked(old) == "old"
    mark(url, "new")
    assert marked(old) == "old"
    assert marked(open_reader(url)) == "new"
    assert current_version(url) == 2
    mark(url, "newer")  # the file of the old reader is removed only now
    assert marked(old) == "old"


def test_nothing_changes_where_the_work_fails_in_the_middle(url):
    mark(url, "good")
    with contextlib.suppress(RuntimeError), open_writer(url) as connection:
        write_info(connection, mark="bad")
        connection.execute(text("DELETE FROM store_info WHERE key = 'created_at'"))
        raise RuntimeError
    assert files(url) == {"CURRENT", "LOCK", "store-000001.duckdb"}
    assert marked(open_reader(url)) == "good"
    mark(url, "better")
    assert marked(open_reader(url)) == "better"


HOLDS_THE_LOCK = """
import fcntl, sys
lock = open(sys.argv[1], "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("process {here} on {host} since 2026-01-05 09:00:00 UTC", "process {here} on {host} since 2026-01-05"),
        ("process {gone} on {host} since 2026-01-05 09:00:00 UTC", "another process;"),
        ("process {gone} on elsewhere since 2026-01-05 09:00:00 UTC", "process {gone} on elsewhere since 2026-01-05"),
        ("", "another process;"),
    ],
)
def test_whoever_holds_the_lock_is_named_unless_its_file_names_a_process_that_has_ended(url, said, named):
    """Between taking the lock and writing its name a process is found with the name of the one before."""
    mark(url, "1")
    lock = store_folder(url) / "LOCK"
    assert lock.read_text() == ""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    words = {"here": os.getpid(), "gone": ended.pid, "host": socket.gethostname()}
    arguments = [sys.executable, "-c", HOLDS_THE_LOCK, str(lock)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        lock.write_text(said.format(**words))
        with pytest.raises(StoreLockedError, match=f"is being loaded by {named.format(**words)}"), open_writer(url):
            pass
        holder.stdin.close()
    mark(url, "2")


@pytest.mark.parametrize("was_there", [False, True])
def test_a_first_load_that_fails_leaves_no_folder_that_was_not_there(url, was_there):
    folder = store_folder(url)
    if was_there:
        folder.mkdir()
    with contextlib.suppress(RuntimeError), open_writer(url):
        assert (folder / "LOCK").read_text().startswith(f"process {os.getpid()} on ")
        raise RuntimeError
    assert folder.exists() == was_there


def test_others_than_the_group_cannot_look_into_a_folder_unless_whoever_made_it_said_so(url, tmp_path):
    before = os.umask(0o022)
    try:
        mark(url, "1")
        assert main(["demo", "--scale", "0.01", "--store", f"duckdb:///{tmp_path / 'demo'}"]) in (0, 1)
        shared = tmp_path / "shared"
        shared.mkdir(mode=0o755)
        mark(f"duckdb:///{shared}", "1")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (store_folder(url), tmp_path / "demo", shared)]
    assert modes == [0o750, 0o750, 0o755]


def test_a_lock_whose_folder_was_removed_meanwhile_is_taken_anew(url, monkeypatch):
    """Who waits with an open file of a folder that is gone would lock out nobody."""
    folder, flock, removals = store_folder(url), fcntl.flock, iter([True])

    def removed_before(file: object, how: int) -> None:
        if next(removals, False):
            shutil.rmtree(folder)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_before)
    mark(url, "1")
    assert marked(open_reader(url)) == "1"
    assert (folder / "LOCK").exists()


def test_a_reader_cannot_write(url):
    mark(url, "1")
    with open_reader(url).connect() as connection, pytest.raises(SQLAlchemyError):
        connection.execute(insert(store_info).values(key="x", value="y"))


def test_a_reader_reaches_no_other_file(url, tmp_path):
    mark(url, "1")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with open_reader(url).connect() as connection, pytest.raises(SQLAlchemyError):
        connection.execute(text(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')"))


def test_a_second_writer_is_refused_and_told_who_holds_the_store(url):
    with open_writer(url), pytest.raises(StoreLockedError, match=r"process \d+ on .* since .* UTC"), open_writer(url):
        pass
    mark(url, "free again")


def test_a_store_copied_elsewhere_is_the_same_store(url, tmp_path):
    mark(url, "1")
    shutil.copytree(tmp_path / "store", tmp_path / "copy")
    assert marked(open_reader(f"duckdb:///{tmp_path / 'copy'}")) == "1"
    mark(f"duckdb:///{tmp_path / 'copy'}", "2")
    assert marked(open_reader(url)) == "1"


# --- what is refused


def test_without_a_store_the_reader_says_how_to_make_one(url):
    with pytest.raises(StoreError, match="frontdoor init --store duckdb:///"):
        open_reader(url)
    assert current_version(url) == 0


def test_a_generation_removed_by_hand_is_an_error_that_says_what_to_do_never_an_empty_store(url):
    mark(url, "1")
    current_generation(store_folder(url)).unlink()
    for attempt in (open_reader, current_version, lambda u: mark(u, "2")):
        with pytest.raises(StoreError, match="restore it from a backup, or remove CURRENT"):
            attempt(url)
    (store_folder(url) / "CURRENT").unlink()
    mark(url, "2")
    assert marked(open_reader(url)) == "2"


@pytest.mark.parametrize(
    "content", [b"", b"store-1.duckdb\n", b"../../etc/passwd\n", b"\xff\xfe\x00", b"store-000009.duckdb\n"]
)
def test_a_broken_pointer_is_an_error_that_says_what_to_do(url, content):
    mark(url, "1")
    (store_folder(url) / "CURRENT").write_bytes(content)
    with pytest.raises(StoreError, match="CURRENT"):
        open_reader(url)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_damaged_generation_is_an_error_of_one_line(url, damage):
    mark(url, "1")
    path = current_generation(store_folder(url))
    data = path.read_bytes()
    path.write_bytes({"cut": data[:3000], "noise": b"noise" * 10_000, "empty": b""}[damage])
    for attempt in (open_reader, lambda u: mark(u, "2")):
        with pytest.raises(StoreError) as problem:
            attempt(url)
        assert "\n" not in str(problem.value)
    assert files(url) == {"CURRENT", "LOCK", path.name}


def test_a_store_of_a_newer_version_is_neither_read_nor_written(url):
    mark(url, "1")
    engine = create_engine(f"duckdb:///{current_generation(store_folder(url))}")
    with engine.begin() as connection:
        write_info(connection, schema_version=str(SCHEMA_VERSION + 1))
    engine.dispose()
    for attempt in (open_reader, lambda u: mark(u, "2")):
        with pytest.raises(StoreError, match="newer Frontdoor"):
            attempt(url)
    assert current_version(url) == 1


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot be written"):
        mark(f"duckdb:///{tmp_path / 'file'}", "1")


# --- what a filter takes from the store


def test_a_filter_takes_as_of_zone_and_definitions_from_the_store(tiny_store_url, empty_store_url):
    engine = open_reader(tiny_store_url)
    wanted = resolved(Filter(), read_status(engine, tiny_store_url))
    assert wanted.as_of == dt.datetime(2026, 1, 9, 12)
    assert (wanted.zone, wanted.unknown_time_counts_as) == ("UTC", "answered")
    assert wanted.complete_to == (("tiny", dt.datetime(2026, 1, 9, 12)),)
    own = Filter(as_of=dt.datetime(2026, 1, 6), zone="Asia/Tokyo", unknown_time_counts_as="unanswered")
    again = resolved(own, read_status(engine, tiny_store_url))
    assert (again.as_of, again.zone, again.unknown_time_counts_as) == (own.as_of, own.zone, own.unknown_time_counts_as)
    empty = open_reader(empty_store_url)
    assert resolved(Filter(), read_status(empty, empty_store_url)).as_of == EMPTY_AS_OF


def test_no_message_shows_a_password_of_the_url():
    url = "postgresql+psycopg://frontdoor:Sekret97@host/real?password=Sekret98&sslpassword=Sekret99&sslmode=require"
    assert shown_url(url) == (
        "postgresql+psycopg://frontdoor:***@host/real?password=hidden&sslmode=require&sslpassword=hidden"
    )
    for wrong in (
        "postgresql+psycopg://frontdoor:Sekret@host:abc/real",
        "postgresql+psycopg://f:Sek/ret@99@host/real",
    ):
        with pytest.raises(StoreError) as raised:
            parse_url(wrong)
        assert "Sek" not in str(raised.value)
        assert "99" not in str(raised.value)
