"""Faults, done for real: killed loaders, full disks, read-only folders, several loaders, open readers."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored_rows import rows_of

from data_access.cli import main
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.queries.response_times import response_times
from data_access.store import current_generation, current_version, open_reader, open_writer, read_status, resolved

HEADER = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
KILLS = 10


def tweets(first: int, count: int, length: int = 20) -> str:
    """Questions and their answers."""
    rows = []
    for name in range(first, first + count):
        text = "@Acme " + f"word{name} " * (length // 5)
        rows.append(f"{2 * name},{1000 + name},True,2025-05-05 {name % 24:02d}:00:00+00:00,{text},,\n")
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


@pytest.fixture
def base(tmp_path: Path) -> tuple[str, Path]:
    """A store with 20 conversations, and a file with 400 more."""
    (tmp_path / "first.csv").write_text(tweets(1, 20))
    (tmp_path / "more.csv").write_text(tweets(100, 400))
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
    return url, tmp_path / "more.csv"


# --- killed loaders


def test_a_load_killed_at_any_moment_leaves_the_store_as_it_was_or_whole_and_the_next_repairs_it(base, tmp_path):
    url, more = base
    shutil.copytree(tmp_path / "store", tmp_path / "before")
    whole = f"duckdb:///{tmp_path / 'whole'}"
    shutil.copytree(tmp_path / "store", tmp_path / "whole")
    started = time.monotonic()
    subprocess.run(command(more, whole), check=True, capture_output=True, timeout=300)
    usual = time.monotonic() - started
    old, new = rows_of(f"duckdb:///{tmp_path / 'before'}"), rows_of(whole)
    dice, outcomes = random.Random(20), []
    for _ in range(KILLS):
        process = subprocess.Popen(command(more, url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(usual * (0.25 + 0.85 * dice.random()))  # the first quarter is the interpreter starting
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = rows_of(url)
        assert found in (old, new)
        outcomes.append(found == new)
        assert main(["check", "--store", url]) == 0
        if found == new:
            shutil.rmtree(tmp_path / "store")
            shutil.copytree(tmp_path / "before", tmp_path / "store")
    assert not all(outcomes)  # some were killed in the middle
    assert main(["load", str(more), "--source", "twcs", "--store", url]) == 0
    assert rows_of(url) == new
    names = {path.name for path in (tmp_path / "store").iterdir()}
    assert names <= {"CURRENT", "LOCK", "settings.toml"} | {f"store-{n:06d}.duckdb" for n in range(100)}


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
    assert conversation_count(url) == 420
    names = {path.name for path in folder.iterdir()}
    assert names == {"CURRENT", "LOCK", "store-000001.duckdb", "store-000002.duckdb"}


# --- several at once


def test_of_two_loaders_at_once_the_second_is_refused_naming_the_holder(base, capsys):
    url, more = base
    with open_writer(url):
        started = time.monotonic()
        assert main(["load", str(more), "--source", "twcs", "--store", url]) == 2
        assert time.monotonic() - started < 30
    err = capsys.readouterr().err
    assert f"is being loaded by process {os.getpid()} on " in err
    assert "try again" in err
    assert main(["load", str(more), "--source", "twcs", "--store", url]) == 0


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
    assert conversation_count(url) == 420


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


@pytest.mark.parametrize("megabytes", [1, 6])
def test_a_full_disk_changes_nothing_and_says_so(base, tmp_path, capsys, megabytes):
    """In one megabyte the copy of the store does not fit, in six the new rows do not."""
    _, more = base
    more.write_text(tweets(100, 6000, 400))
    disk = tmp_path / "disk"
    url = f"duckdb:///{disk / 'store'}"
    with mounted(disk, "size=24m"):
        load(url, [LoadOrder(tmp_path / "first.csv", "twcs")])
        before = rows_of(url)
        (disk / "filler").write_bytes(b"x" * (shutil.disk_usage(disk).free - (megabytes << 20)))
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


def test_a_clock_that_was_set_back_loses_nothing(base):
    import datetime as dt

    url, more = base
    result = load(url, [LoadOrder(more, "twcs")], now=dt.datetime(2025, 5, 7))  # before the first load
    assert (result.stored_count, result.rejected_count) == (800, 0)
    assert conversation_count(url) == 420
