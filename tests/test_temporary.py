"""Temporary folders hold what people wrote, so none outlives its command for long, killed or not."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES

from data_access.loader import LoadOrder, load
from data_access.sources.mapping import mapping_of
from data_access.store import open_writer
from data_access.temporary import TemporaryFolder, remove_abandoned

HOLDING = """
import sys, time
from pathlib import Path
from data_access.store import open_rehearsal
from data_access.temporary import TemporaryFolder

def wait():
    print("begun", flush=True)
    time.sleep(600)

if sys.argv[1] == "rehearsal":
    with open_rehearsal(sys.argv[2]):
        wait()
with TemporaryFolder(sys.argv[1]) as folder:
    (folder.path / "text").write_text("what somebody wrote")
    wait()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for temporary files, of this process and those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@contextmanager
def holding(kind: str, url: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process that has such a folder."""
    command = [sys.executable, "-c", HOLDING, kind, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            yield process
        finally:
            process.kill()


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_folder_ends_with_its_use(place):
    with TemporaryFolder("kind") as folder:
        assert folder.path.parent == place
        assert folder.path.name.startswith("frontdoor-kind-")
        (folder.path / "a").mkdir()
        (folder.path / "a" / "b").write_text("c")
    assert [*place.iterdir()] == []


def test_a_dry_run_that_was_killed_leaves_its_copy_only_until_the_next_command(place, tmp_path):
    url = f"duckdb:///{tmp_path / 'store'}"
    messages = tmp_path / "messages.csv"
    messages.write_text(TINY_MESSAGES)
    order = LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))
    load(url, [order])
    with holding("rehearsal", url) as process:
        killed(process)
        (left,) = place.iterdir()
        assert (left / "rehearsal.duckdb").stat().st_size > 0
        load(url, [order])
    assert [*place.iterdir()] == []


def test_what_another_process_uses_stays(place, tmp_path):
    with holding("tweets") as used, holding("demo") as process:
        killed(process)
        with open_writer(f"duckdb:///{tmp_path / 'store'}"):
            (left,) = place.iterdir()
        assert left.name.startswith("frontdoor-tweets-")
        assert (left / "text").read_text() == "what somebody wrote"
        killed(used)
        remove_abandoned()
        assert [*place.iterdir()] == []


def test_folders_that_are_none_of_ours_stay(place, tmp_path):
    """Without the file that says whose it is, or behind a link, a folder is somebody else's."""
    (place / "frontdoor-notes").mkdir()
    (place / "frontdoor-notes" / "mine").write_text("kept")
    (place / "frontdoor-file").write_text("kept")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "IN-USE").write_text("")
    (place / "frontdoor-link").symlink_to(elsewhere)
    (place / "other").mkdir()
    (place / "other" / "IN-USE").write_text("")
    before = sorted(path.name for path in place.iterdir())
    remove_abandoned()
    assert sorted(path.name for path in place.iterdir()) == before
    assert (elsewhere / "IN-USE").exists()
    assert (place / "frontdoor-notes" / "mine").read_text() == "kept"


def test_a_temporary_folder_that_cannot_be_read_stops_no_command(place, tmp_path):
    broken = place / "frontdoor-tweets-x"
    broken.mkdir()
    (broken / "IN-USE").mkdir()  # no file to lock
    with open_writer(f"duckdb:///{tmp_path / 'store'}"):
        assert broken.exists()
