"""Load what lands in a folder: each complete file once, bad ones named and left, nothing moved or changed."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from data_access import loader
from data_access.errors import StoreError, StoreLockedError
from data_access.progress import Progress, say_nothing
from data_access.schema import load_runs
from data_access.store import open_reader

# Names under which programs write before they rename into place.
PARTIAL_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_BLOCK = 1 << 20

Orders = Callable[[Path], Sequence[loader.LoadOrder]]
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class _Look:
    """What tells that a file is still being written, or was written again."""

    size: int
    changed: int
    inode: int


@dataclasses.dataclass
class Watched:
    """What was done until the watch ended."""

    loaded_count: int = 0
    known_count: int = 0
    failed_count: int = 0
    result: loader.LoadResult = dataclasses.field(default_factory=loader.LoadResult)


class Watch:
    """One watch of a folder. Files are complete when two looks in a row find the same size and time of change."""

    def __init__(self, url: str, folder: Path, orders: Orders, say: Say, progress: Progress = say_nothing) -> None:
        self._url, self._folder, self._orders, self._say = url, folder, orders, say
        self._progress = progress
        self._seen: dict[Path, _Look] = {}
        self._done: dict[Path, _Look] = {}
        self._said = ""
        self.stopped = Event()
        self.watched = Watched()

    def run(self, every_seconds: float, *, once: bool = False) -> Watched:
        """Look every so many seconds until interrupted; with `once` load what is complete now, and end."""
        try:
            self.look()
            while not self.stopped.is_set():
                time.sleep(every_seconds)
                self.look()
                if once:
                    break
        except KeyboardInterrupt:
            self.stopped.set()
        return self.watched

    def look(self) -> None:
        """Load every file that is complete and not yet loaded, the oldest first."""
        found = self._files()
        for path, look in sorted(found.items(), key=lambda item: (item[1].changed, item[0])):
            is_complete = self._seen.get(path) == look and look.size > 0
            if is_complete and self._done.get(path) != look and not self._load(path, look):
                break
        self._seen = found

    def _files(self) -> dict[Path, _Look]:
        found = {}
        try:
            for path in self._folder.iterdir():
                if path.name.startswith(".") or path.name.lower().endswith(PARTIAL_SUFFIXES) or not path.is_file():
                    continue
                state = path.stat()
                found[path] = _Look(state.st_size, state.st_mtime_ns, state.st_ino)
        except OSError as problem:  # a network folder comes and goes; files vanish between two calls
            self._say_once(f"{self._folder} cannot be read: {problem.strerror}; looking again")
        return found

    def _load(self, path: Path, look: _Look) -> bool:
        """Load one file; False where the store cannot take anything now and all wait for the next look."""
        try:
            name = file_hash(path)
            before = self._loaded_as(name)
            if before is not None:
                self._say(f"{path.name}: loaded before" + (f", as {before}" if before != path.name else ""))
                self.watched.known_count += 1
            else:
                orders = [dataclasses.replace(order, file_hash=name) for order in self._orders(path)]
                result = loader.load(self._url, orders, progress=self._report)
                self.watched.result.add(result)
                self.watched.loaded_count += 1
                self._say(
                    f"{path.name}: {result.read_count:,} rows read: {result.stored_count:,} stored, "
                    f"{result.unchanged_count:,} there already, {result.rejected_count:,} rejected"
                )
        except StoreLockedError as problem:
            self._say_once(f"waiting: {problem}")
            return False
        except (StoreError, SQLAlchemyError) as problem:
            self._stop_if_asked(problem)
            self._say_once(f"{path.name}: not loaded, trying again: {problem}")
            return False
        except Exception as problem:  # whatever a file holds, the next one is loaded
            self._stop_if_asked(problem)
            self._say(f"{path.name}: not loaded: {problem or type(problem).__name__}; looking again when it changes")
            self.watched.failed_count += 1
        self._done[path] = look
        self._said = ""
        return True

    def _report(self, stage: str, rows: int, expected: int | None = None, /) -> None:
        """An interruption that came where Python drops it, as in a collection of garbage, ends the load here."""
        if self.stopped.is_set():
            raise KeyboardInterrupt
        self._progress(stage, rows, expected)

    def _stop_if_asked(self, problem: Exception) -> None:
        """An engine may answer an interruption with an error of its own."""
        if self.stopped.is_set():
            raise KeyboardInterrupt from problem

    def _say_once(self, words: str) -> None:
        if words != self._said:
            self._say(words)
            self._said = words

    def _loaded_as(self, name: str) -> str | None:
        """Name of a file with the same content that was loaded by a watch."""
        engine = open_reader(self._url)
        try:
            with engine.connect() as connection:
                found = connection.scalar(
                    select(load_runs.c.file)
                    .where(load_runs.c.file_hash == name)
                    .order_by(load_runs.c.load_run)
                    .limit(1)
                )
                return str(found) if found is not None else None
        finally:
            engine.dispose()


def file_hash(path: Path) -> str:
    """Hash of a file's content."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
