"""kill -9 at random moments: the store is as it was or whole, readers work, and the next command repairs it.

`make test` kills a load ten times on each engine and the other writing commands once; FRONTDOOR_KILLS=200
(`make test-faults`) kills a load 200 times on each, and the others 20 times.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from killing import Commands, DatabasePlace, FolderPlace, Place, children_of, commands, is_alive
from sqlalchemy import func, select
from stored_rows import rows_of
from test_migrations import make_version_1, version_1_rows

from data_access.audit import check_store
from data_access.errors import StoreError
from data_access.loader import LoadOrder, load
from data_access.schema import SCHEMA_VERSION, customers, interactions, load_runs, metadata, store_info
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, stored_schema_version

KILLS = int(os.environ.get("FRONTDOOR_KILLS", "10"))
OTHER_KILLS = max(1, KILLS // 10)
TABLES = [table for table in metadata.sorted_tables if table not in (store_info, load_runs)]
HEADER = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
# Other complaints are found, and other waits are late: a rescore and a rebuild change rows.
OTHER_SETTINGS = """\
preset_private = "strict"
brand_words = ["order", "wrong", "worst"]
[[thresholds]]
channel = "email"
target = "5 min"
ignored_after = "10 min"
"""


def tweets(count: int) -> str:
    """Questions and their answers."""
    rows = []
    for name in range(100, 100 + count):
        rows.append(f"{2 * name},{1000 + name},True,2025-05-05 {name % 24:02d}:00:00+00:00,@Acme no help {name},,\n")
        rows.append(
            f"{2 * name + 1},Acme,False,2025-05-06 {name % 24:02d}:00:00+00:00,@{1000 + name} hi,,{2 * name}\n"
        )
    return HEADER + "".join(rows)


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place for a store, on each engine."""
    yield from _place(request.param, request, tmp_path)


def _place(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Place]:
    if engine == "duckdb":
        folder.mkdir(exist_ok=True)
        yield FolderPlace(folder)
        return
    made = DatabasePlace(request.getfixturevalue("new_database")())
    yield made
    made.drop_kept()


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Commands]:
    """Commands that can be killed; their settings are not those with which the stores were loaded."""
    (tmp_path / "other.toml").write_text(OTHER_SETTINGS, encoding="utf-8")
    with commands(tmp_path, FRONTDOOR_SETTINGS=str(tmp_path / "other.toml")) as made:
        yield made


def fill(url: str, folder: Path) -> None:
    """The tiny store."""
    (folder / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    (folder / "customers.csv").write_text(TINY_CUSTOMERS, encoding="utf-8")
    tiny = LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))
    load(url, [tiny, LoadOrder(folder / "customers.csv", "customers")])


def all_rows(url: str) -> Any:
    return rows_of(url, *TABLES)


def all_rows_or_why_not(url: str) -> Any:
    try:
        return all_rows(url)
    except StoreError as problem:
        return str(problem)


def rows_of_any_version(url: str) -> Any:
    return rows_of(url, *TABLES) if stored_schema_version(url) == SCHEMA_VERSION else version_1_rows(url)


def what_is_known(url: str) -> Any:
    """What forgetting Anna changes, without the names that it makes up."""
    i = interactions.c
    engine = open_reader(url)
    with engine.connect() as connection:
        texts = connection.execute(select(i.occurred_at, i.channel, i.text).order_by(i.occurred_at, i.text)).all()
        people = connection.scalar(select(func.count()).select_from(customers))
    engine.dispose()
    return texts, people, {name: len(rows) for name, rows in rows_of(url, *TABLES).items()}


def is_sound(url: str) -> bool:
    engine = open_reader(url)
    findings = list(check_store(engine))
    engine.dispose()
    return all(finding.is_ok for finding in findings)


def kill_often(
    killable: Commands,
    place: Place,
    arguments: list[str],
    kills: int,
    state: Callable[[str], Any],
    dice: random.Random,
) -> None:
    """Kill a command that changes a kept store at moments spread over its time, then let it run to its end."""
    old = state(place.url)
    usual = killable.run(arguments)
    new = state(place.url)
    assert new != old
    place.restore()
    outcomes = []
    for kill in range(kills):
        was_killed = killable.kill(arguments, usual * (kill + dice.random()) / kills)
        place.come_to_rest()
        found = state(place.url)
        assert found == new if not was_killed else found in (old, new)
        outcomes.append(found == new)
        if found == new:
            place.restore()
        if stored_schema_version(place.url) == SCHEMA_VERSION:
            assert is_sound(place.url)
    assert kills < 4 or not all(outcomes)  # the first are early in its time
    killable.run(arguments)
    assert state(place.url) == new
    place.come_to_rest()
    if isinstance(place, FolderPlace):
        names = {path.name for path in place.folder.iterdir()} - {"CURRENT", "LOCK"}
        assert all(name.startswith("store-") for name in names)
        assert len(names) <= 2


def test_a_load_killed_at_any_moment_leaves_the_store_as_it_was_or_whole_and_the_next_repairs_it(
    place, killable, tmp_path
):
    fill(place.url, tmp_path)
    place.keep()
    (tmp_path / "more.csv").write_text(tweets(40), encoding="utf-8")
    arguments = ["load", str(tmp_path / "more.csv"), "--source", "twcs", "--store", place.url]
    kill_often(killable, place, arguments, KILLS, all_rows, random.Random(20))


@pytest.mark.parametrize("command", ["rebuild", "rescore"])
def test_deriving_or_reading_again_may_be_killed_at_any_moment(place, killable, tmp_path, command):
    fill(place.url, tmp_path)
    place.keep()
    kill_often(killable, place, [command, "--store", place.url], OTHER_KILLS, all_rows, random.Random(21))


def test_forgetting_may_be_killed_at_any_moment_and_is_finished_by_the_same_command(place, killable, tmp_path):
    fill(place.url, tmp_path)
    place.keep()
    arguments = ["forget", "id:tiny=anna", "--store", place.url]
    kill_often(killable, place, arguments, OTHER_KILLS, what_is_known, random.Random(22))
    if isinstance(place, FolderPlace):
        assert len(list(place.folder.glob("store-*"))) == 1
        assert all(b"My order never came" not in path.read_bytes() for path in place.folder.iterdir())


def test_an_upgrade_may_be_killed_at_any_moment(place, killable):
    make_version_1(place.url)
    place.keep()
    arguments = ["upgrade", "--store", place.url]
    kill_often(killable, place, arguments, OTHER_KILLS, rows_of_any_version, random.Random(23))


@pytest.mark.postgresql
@pytest.mark.parametrize("target_engine", ["duckdb", "postgresql"])
def test_a_migration_may_be_killed_at_any_moment_and_goes_on(request, killable, tmp_path, target_engine):
    sources = _place("postgresql" if target_engine == "duckdb" else "duckdb", request, tmp_path / "from")
    targets = _place(target_engine, request, tmp_path / "to")
    source, target = next(sources), next(targets)
    fill(source.url, tmp_path)
    target.keep()
    old = all_rows(source.url)
    arguments = ["migrate", source.url, target.url]
    usual = killable.run(arguments)
    dice = random.Random(24)
    target.restore()
    for kill in range(OTHER_KILLS):
        was_killed = killable.kill(arguments, usual * (kill + dice.random()) / OTHER_KILLS)
        target.come_to_rest()
        source.come_to_rest()
        found = all_rows_or_why_not(target.url)
        if found == old:
            target.restore()
        else:
            assert was_killed
            assert re.search("there is no store|is being filled", found)
        assert all_rows(source.url) == old
    killable.run(arguments)
    assert all_rows(target.url) == old
    assert is_sound(target.url)
    for places in (sources, targets):
        assert next(places, None) is None  # drops what was kept


# Stops in the middle of reading texts, where a load uses most processes.
STOPPED = """
import sys, time
from pathlib import Path
from data_access import scoring
from data_access.loader import LoadOrder, load
def stop(stage, rows, _expected=None):
    if stage == "reading texts" and rows:
        print(stage, flush=True)
        time.sleep(600)
scoring.LEAST_FOR_WORKERS, scoring.ROWS_PER_TASK = 1, 500
load(sys.argv[1], [LoadOrder(Path(sys.argv[2]), "twcs")], progress=stop)
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


def test_a_killed_load_leaves_no_process_behind(tmp_path):
    (tmp_path / "more.csv").write_text(tweets(1500), encoding="utf-8")
    arguments = [f"duckdb:///{tmp_path / 'store'}", str(tmp_path / "more.csv")]
    process = subprocess.Popen([sys.executable, "-c", STOPPED, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading texts\n"
    started = children_of(process.pid)
    assert started or os.cpu_count() == 1
    process.kill()
    process.wait()
    assert still_alive(started, seconds=10) == set()


def test_processes_that_outlive_their_parent_are_found():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert children_of(process.pid) == {child}
    process.kill()
    process.wait()
    assert still_alive({child}, seconds=0.5) == {child}
    os.kill(child, signal.SIGKILL)
    assert still_alive({child}, seconds=10) == set()


def still_alive(processes: set[int], *, seconds: float) -> set[int]:
    """Those that have not ended after so long."""
    until = time.monotonic() + seconds
    while alive := {process for process in processes if is_alive(process)}:
        if time.monotonic() > until:
            return alive
        time.sleep(0.05)
    return set()
