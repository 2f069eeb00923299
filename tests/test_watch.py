"""Watching a folder: each complete file once, bad ones said and survived, other writers waited for, a clean end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from source_files import ZENDESK, write_files
from sqlalchemy import func, select
from stored_rows import frame_of, rows_of

from data_access.cli import main
from data_access.errors import SourceError
from data_access.loader import LoadOrder, load
from data_access.schema import interactions, load_runs, reported_facts
from data_access.store import open_reader, open_writer
from data_access.watch import Watch

HEADER = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"


def tweets(first: int, count: int = 2) -> str:
    rows = [
        f"{name},{1000 + name},True,2025-05-05 10:00:00+00:00,@Acme hello {name},,\n"
        for name in range(first, first + count)
    ]
    return HEADER + "".join(rows)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty store."""
    url = f"duckdb:///{tmp_path / 'store'}"
    assert main(["init", "--store", url]) == 0
    return url


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """The watched folder."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def said() -> list[str]:
    """What the watch says."""
    return []


@pytest.fixture
def watch(url: str, inbox: Path, said: list[str]) -> Watch:
    """A watch that looks when it is told to."""
    return Watch(url, inbox, lambda path: [LoadOrder(path, "twcs")], said.append)


def interaction_count(url: str) -> int:
    engine = open_reader(url)
    with engine.connect() as connection:
        count = int(connection.scalar(select(func.count()).select_from(interactions)) or 0)
    engine.dispose()
    return count


def test_a_file_is_loaded_when_two_looks_find_it_unchanged_and_never_again(watch, url, inbox, said):
    (inbox / "a.csv").write_text(tweets(1))
    watch.look()
    assert interaction_count(url) == 0
    watch.look()
    assert interaction_count(url) == 2
    watch.look()
    watch.look()
    assert said == ["a.csv: 2 rows read: 2 stored, 0 there already, 0 rejected"]
    assert (inbox / "a.csv").read_text() == tweets(1)
    assert len(frame_of(url, load_runs)) == 1


def test_a_file_that_still_grows_waits_until_it_is_whole(watch, url, inbox):
    path = inbox / "a.csv"
    path.write_text("")
    watch.look()
    watch.look()  # empty: somebody has just begun
    path.write_text(tweets(1)[:100])
    watch.look()
    path.write_text(tweets(1)[:150])
    watch.look()
    path.write_text(tweets(1, 5))
    watch.look()
    assert len(frame_of(url, load_runs)) == 0
    watch.look()
    assert interaction_count(url) == 5


def test_files_being_written_under_another_name_count_once_they_are_renamed_into_place(watch, url, inbox):
    for name in (".a.csv", "a.csv.part", "b.tmp", "c.csv~", "D.PART"):
        (inbox / name).write_text(tweets(1))
    (inbox / "folder").mkdir()
    for _ in range(3):
        watch.look()
    assert interaction_count(url) == 0
    (inbox / "a.csv.part").rename(inbox / "a.csv")
    watch.look()
    watch.look()
    assert interaction_count(url) == 2


def test_the_same_content_under_another_name_is_loaded_once_also_by_a_later_watch(watch, url, inbox, said):
    (inbox / "a.csv").write_text(tweets(1))
    watch.look()
    watch.look()
    shutil.copy(inbox / "a.csv", inbox / "copy.csv")
    later = Watch(url, inbox, lambda path: [LoadOrder(path, "twcs")], said.append)
    later.look()
    later.look()
    assert sorted(said[1:]) == ["a.csv: loaded before", "copy.csv: loaded before, as a.csv"]
    assert len(frame_of(url, load_runs)) == 1


def test_a_file_that_is_written_again_with_more_is_loaded_again(watch, url, inbox):
    (inbox / "a.csv").write_text(tweets(1, 2))
    watch.look()
    watch.look()
    (inbox / "a.csv").write_text(tweets(1, 3))
    watch.look()
    watch.look()
    assert interaction_count(url) == 3
    assert frame_of(url, load_runs)["unchanged_count"].tolist() == [0, 2]


def test_a_file_that_becomes_again_what_it_was_is_loaded_again_also_by_a_later_watch(url, inbox, said):
    def texts() -> list[str]:
        return frame_of(url, interactions)["text"].tolist()

    path, earlier = inbox / "a.csv", tweets(1, 1)
    for content in (earlier, earlier.replace("hello", "goodbye"), earlier, earlier):
        path.write_text(content)
        later = Watch(url, inbox, lambda path: [LoadOrder(path, "twcs")], said.append)
        later.look()
        later.look()
        assert texts() == ["@Acme goodbye 1" if "goodbye" in content else "@Acme hello 1"]
    assert said[-1] == "a.csv: loaded before"
    assert len(said) == 4


def test_an_empty_file_and_a_link_to_nothing_are_said_once(watch, url, inbox, said):
    (inbox / "empty.csv").touch()
    (inbox / "dangling.csv").symlink_to(inbox / "absent.csv")
    for _ in range(4):
        watch.look()
    assert sorted(said) == [
        "dangling.csv: not loaded: it is a link to a file that is not there; looking again when it changes",
        "empty.csv: not loaded: it is empty; looking again when it changes",
    ]
    assert watch.watched.failed_count == 2
    (inbox / "empty.csv").write_text(tweets(1))
    (inbox / "absent.csv").write_text(tweets(5))
    watch.look()
    watch.look()
    assert interaction_count(url) == 4


@pytest.mark.parametrize("first", ["tickets.csv", "comments.csv"])
def test_the_tables_of_one_export_load_together_whichever_lands_first(url, inbox, said, tmp_path, first):
    def orders(path: Path) -> list[LoadOrder]:
        return [LoadOrder(path, "twcs" if path.name == "tweets.csv" else "zendesk")]

    watch = Watch(url, inbox, orders, said.append)
    (inbox / "tweets.csv").write_text(tweets(1))
    for number, name in enumerate([first, *(name for name in ZENDESK if name != first)]):
        (inbox / name).write_bytes(ZENDESK[name].encode())
        os.utime(inbox / name, (1_000 + number, 1_000 + number))
        watch.look()
        watch.look()
    assert said[-1].startswith(first)
    assert ", users.csv, groups.csv, brands.csv: 8 rows read: " in said[-1]
    assert said[-1].endswith(" 2 rejected")
    assert watch.watched.failed_count == 0
    whole = f"duckdb:///{tmp_path / 'whole'}"
    load(
        whole,
        [LoadOrder(write_files(tmp_path / "export", ZENDESK), "zendesk"), LoadOrder(inbox / "tweets.csv", "twcs")],
    )
    assert rows_of(url) == rows_of(whole)
    later = Watch(url, inbox, orders, said.append)
    later.look()
    later.look()
    assert said[-1].endswith(": loaded before")
    assert (later.watched.known_count, later.watched.loaded_count) == (6, 0)


def test_a_table_that_lands_later_under_another_name_corrects_the_earlier_one(url, inbox, said):
    write_files(inbox, ZENDESK)
    watch = Watch(url, inbox, lambda path: [LoadOrder(path, "zendesk")], said.append)
    watch.look()
    watch.look()
    day = time.time() + 60
    header, ticket, *_ = ZENDESK["tickets.csv"].splitlines()
    (inbox / "a-later-day.csv").write_text(f"{header}\n{ticket.replace(',open,', ',solved,')}\n")
    (inbox / "its-comments.csv").write_text(
        "id,ticket_id,user_id,body,public,created\n200,2,10,Of the day before,TRUE,2026-01-06 09:00:00\n"
    )
    for name in ("a-later-day.csv", "its-comments.csv"):
        os.utime(inbox / name, (day, day))
    watch.look()
    watch.look()
    assert said[-1].endswith("10 rows read: 2 stored, 6 there already, 2 rejected")
    assert "comment:200" in frame_of(url, interactions)["external_id"].tolist()
    facts = frame_of(url, reported_facts)
    assert sorted(facts["status"]) == ["closed", "solved", "solved"]


def test_files_dated_by_a_clock_ahead_or_behind_are_loaded_and_loaded_again_when_they_change(watch, url, inbox):
    for name, first, seconds in (("ahead.csv", 1, 4_000_000_000), ("behind.csv", 5, 100), ("ahead.csv", 2, 50)):
        (inbox / name).write_text(tweets(first))
        os.utime(inbox / name, (seconds, seconds))
        watch.look()
        watch.look()
    assert interaction_count(url) == 5


def test_a_bad_file_is_said_once_and_the_others_are_loaded(url, inbox, said):
    def orders(path: Path) -> list[LoadOrder]:
        if path.name == "unknown.csv":
            raise SourceError(f"{path.name}: no known format")
        if path.name == "worse.csv":
            raise ZeroDivisionError
        return [LoadOrder(path, "twcs")]

    (inbox / "bad.csv").write_text("nothing,of,this\n1,2,3\n")
    (inbox / "binary.csv").write_bytes(bytes(range(256)) * 20)
    for name in ("unknown.csv", "worse.csv"):
        (inbox / name).write_text("x\n1\n")
    (inbox / "good.csv").write_text(tweets(1))
    watch = Watch(url, inbox, orders, said.append)
    for _ in range(4):
        watch.look()
    assert interaction_count(url) == 2
    for name in ("bad.csv", "binary.csv", "unknown.csv", "worse.csv"):
        assert [words for words in said if words.startswith(f"{name}: not loaded: ")], name
    assert len(said) == 5
    assert watch.watched.failed_count == 4
    (inbox / "bad.csv").write_text(tweets(11))
    watch.look()
    watch.look()
    assert interaction_count(url) == 4


def test_a_file_that_may_not_be_read_is_said_without_codes(url, inbox, said):
    def orders(path: Path) -> list[LoadOrder]:
        raise PermissionError(13, "Permission denied", str(path))

    (inbox / "a.csv").write_text("x\n")
    watch = Watch(url, inbox, orders, said.append)
    watch.look()
    watch.look()
    assert said == ["a.csv: not loaded: Permission denied; looking again when it changes"]


def test_while_another_loads_the_watch_waits_and_says_so_once(watch, url, inbox, said):
    (inbox / "a.csv").write_text(tweets(1))
    (inbox / "b.csv").write_text(tweets(5))
    watch.look()
    with open_writer(url):
        watch.look()
        watch.look()
        assert len(said) == 1
        assert said[0].startswith("waiting: ")
        assert f"process {os.getpid()}" in said[0]
    watch.look()
    assert interaction_count(url) == 4
    assert len(said) == 3


def test_a_folder_that_goes_away_for_a_while_is_waited_for(watch, url, inbox, said):
    (inbox / "a.csv").write_text(tweets(1))
    inbox.rename(inbox.with_name("away"))
    watch.look()
    watch.look()
    assert len(said) == 1
    assert "cannot be read" in said[0]
    inbox.with_name("away").rename(inbox)
    watch.look()
    watch.look()
    assert interaction_count(url) == 2


# --- the command


def start(inbox: Path, url: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "data_access", "watch", str(inbox), "--every", "0.2", "--store", url, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_watch_well(url, inbox, number):
    (inbox / "a.csv").write_text(tweets(1))
    process = start(inbox, url)
    deadline = time.monotonic() + 120
    while interaction_count(url) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "a.csv: recognised as twcs" in err
    assert "1 file loaded, 0 known already, 0 not loaded; 2 rows stored" in out
    assert "Traceback" not in err


def test_an_interruption_in_the_middle_of_a_load_leaves_the_store_as_it_was(url, inbox):
    (inbox / "big.csv").write_text(tweets(1, 60_000))
    process = start(inbox, url)
    work = Path(url.removeprefix("duckdb:///")) / "loading.duckdb"
    deadline = time.monotonic() + 120
    while not work.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "0 files loaded" in out, err
    assert interaction_count(url) == 0
    assert not work.exists()


def test_an_interruption_that_python_dropped_ends_the_load_all_the_same(url, inbox):
    (inbox / "a.csv").write_text(tweets(1, 10))
    watching: Watch
    stages = []

    def progress(stage: str, _rows: int, _expected: int | None = None, /) -> None:
        stages.append(stage)
        watching.stopped.set()  # as the handler does; its exception is lost

    watching = Watch(url, inbox, lambda path: [LoadOrder(path, "twcs")], lambda _words: None, progress)
    done = watching.run(0.01)
    assert stages == ["reading"]
    assert (done.loaded_count, done.failed_count) == (0, 0)
    assert interaction_count(url) == 0


def test_one_look_for_cron_loads_and_ends_and_says_by_its_status_what_failed(url, inbox, capsys):
    (inbox / "a.csv").write_text(tweets(1))
    arguments = ["watch", str(inbox), "--once", "--every", "0.1", "--store", url]
    assert main(arguments) == 0
    assert "1 file loaded" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert '"known_count": 1' in capsys.readouterr().out
    (inbox / "bad.csv").write_text("nothing,of,this\n1,2,3\n")
    assert main(arguments) == 1
    assert main(["watch", str(inbox / "absent"), "--store", url]) == 2


def test_one_look_for_cron_says_by_its_status_that_the_store_cannot_be_written(url, inbox, capsys):
    for name, first in (("a.csv", 1), ("b.csv", 5)):
        (inbox / name).write_text(tweets(first))
    lock = Path(url.removeprefix("duckdb:///")) / "LOCK"
    lock.unlink()
    lock.mkdir()  # cannot be opened for writing, not even by root
    arguments = ["watch", str(inbox), "--once", "--every", "0.1", "--store", url]
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert "a.csv: not loaded, trying again: " in told.err
    assert "0 files loaded, 0 known already, 2 not loaded" in told.out
    lock.rmdir()
    assert main(arguments) == 0
    assert interaction_count(url) == 4


def test_one_look_for_cron_says_by_its_status_that_the_folder_cannot_be_read(url, inbox, capsys, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert main(["watch", str(inbox), "--once", "--every", "0.1", "--store", url]) == 1
    told = capsys.readouterr()
    assert "cannot be read: Permission denied" in told.err
    assert "could not be read at the last look" in told.out


def test_one_look_for_cron_waits_while_another_loads(url, inbox):
    (inbox / "a.csv").write_text(tweets(1))
    with open_writer(url):
        process = start(inbox, url, "--once")
        assert process.stderr is not None
        while "waiting: " not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(1)
        assert process.poll() is None
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "1 file loaded" in out


def test_a_file_is_loaded_again_once_its_mapping_is_mended_and_rejects_show_in_the_status(
    url, inbox, tmp_path, capsys
):
    mapping = tmp_path / "map.toml"
    (inbox / "a.csv").write_text("id,at,via\n1,2026-01-05 09:00,email\n2,2026-01-05 10:00,email\n")
    arguments = ["watch", str(inbox), "--once", "--every", "0.1", "--store", url, "--mapping", str(mapping)]

    def written(year: str) -> None:
        mapping.write_text(
            'source = "desk"\n[columns]\nid = "id"\noccurred_at = "at"\nchannel = "via"\n'
            f'[time]\nformat = "{year}-%m-%d %H:%M"\n'
        )

    written("%y")
    assert main(arguments) == 1
    assert "0 rows stored, 2 rejected" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "1 known already" in capsys.readouterr().out
    written("%Y")
    assert main(arguments) == 0
    assert "2 rows stored, 0 rejected" in capsys.readouterr().out
    assert main([*arguments, "--source-name", "other"]) == 0
    assert interaction_count(url) == 4
