"""Load what lands in a folder: each complete file once, bad ones named and left, nothing moved or changed.

The tables of one export load together, and together again when another of them lands or changes: a comment without its
ticket would be rejected for good.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from data_access import loader
from data_access.errors import SourceError, StoreError, StoreLockedError
from data_access.output import counted
from data_access.progress import Progress, say_nothing
from data_access.schema import load_runs
from data_access.sources import SOURCES
from data_access.store import open_reader

# Names under which programs write before they rename into place.
PARTIAL_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".download", ".filepart", ".swp", "~")
_BLOCK = 1 << 20

_MOST_NAMED = 5
_DANGLING = -1
_NOTHING_TO_LOAD = {
    0: "it is empty",
    _DANGLING: "it is a link to a file that is not there",
}

Orders = Callable[[Path], Sequence[loader.LoadOrder]]
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class _Look:
    """What tells that a file is still being written, or was written again; size in bytes, or `_DANGLING`."""

    size: int
    changed: int
    inode: int


@dataclasses.dataclass
class Watched:
    """What was done until the watch ended; counts of files, each time one was loaded."""

    loaded_count: int = 0
    known_count: int = 0
    failed_count: int = 0
    is_folder_unread: bool = False  # at the last look
    result: loader.LoadResult = dataclasses.field(default_factory=loader.LoadResult)


class Watch:
    """One watch of a folder. Files are complete when two looks in a row find the same size and time of change."""

    def __init__(self, url: str, folder: Path, orders: Orders, say: Say, progress: Progress = say_nothing) -> None:
        self._url, self._folder, self._orders, self._say = url, folder, orders, say
        self._progress = progress
        self._seen: dict[Path, _Look] = {}
        self._done: dict[Path, _Look] = {}
        self._order_of: dict[Path, tuple[_Look, loader.LoadOrder]] = {}
        self._said = ""
        self._not_loaded: set[Path] = set()  # complete, and the store could not take them at the last look
        self._is_store_locked = False
        self.stopped = Event()
        self.watched = Watched()

    def run(self, every_seconds: float, *, once: bool = False) -> Watched:
        """Look every so many seconds until interrupted; with `once` load what is complete now, and end.

        Even so it waits while another load runs, which ends; for a store that cannot be written nobody knows how long.
        """
        try:
            self.look()
            while not self.stopped.is_set():
                time.sleep(every_seconds)
                self.look()
                if once and not self._is_store_locked:
                    break
        except KeyboardInterrupt:
            self.stopped.set()
        if not self.stopped.is_set():
            self.watched.failed_count += len(self._not_loaded)
        return self.watched

    def look(self) -> None:
        """Load every file that is complete and not yet loaded, the oldest first."""
        found = self._files()
        in_order = sorted(found, key=lambda path: (found[path].changed, path))
        complete = [path for path in in_order if self._seen.get(path) == found[path]]
        tables: dict[str, list[Path]] = {}
        new: dict[tuple[Path, ...] | str, loader.LoadOrder] = {}
        if any(self._done.get(path) != found[path] for path in complete):
            for path in complete:
                order = self._recognised(path, found[path])
                if order is None:
                    continue
                of_several = len(SOURCES[order.kind].parts) > 1 and SOURCES[order.kind].is_folder
                if of_several:
                    tables.setdefault(order.kind, []).append(path)
                if self._done.get(path) != found[path]:
                    new.setdefault(order.kind if of_several else (path,), order)
        self._not_loaded = {path for path in complete if self._done.get(path) != found[path]}
        self._is_store_locked = False
        for which, order in new.items():
            paths = tables[which] if isinstance(which, str) else list(which)
            if not self._load(paths, order, found):
                break
        self._seen = found

    def _recognised(self, path: Path, look: _Look) -> loader.LoadOrder | None:
        """How a complete file is loaded; None, said once, where it cannot be."""
        known = self._order_of.get(path)
        if known is not None and known[0] == look:
            return known[1]
        if self._done.get(path) == look:
            return None
        try:
            if look.size in _NOTHING_TO_LOAD:
                raise SourceError(_NOTHING_TO_LOAD[look.size])
            (order,) = self._orders(path)
        except Exception as problem:  # whatever a file holds, the next one is loaded
            self._stop_if_asked(problem)
            self._fail([path], problem)
            self._done[path] = look
            return None
        self._order_of[path] = look, order
        return order

    def _files(self) -> dict[Path, _Look]:
        found: dict[Path, _Look] = {}
        self.watched.is_folder_unread = False
        try:
            for path in self._folder.iterdir():
                if path.name.startswith(".") or path.name.lower().endswith(PARTIAL_SUFFIXES):
                    continue
                with contextlib.suppress(FileNotFoundError):  # files vanish between two calls
                    found |= _look_at(path)
        except OSError as problem:  # a network folder comes and goes
            self.watched.is_folder_unread = True
            self._say_once(f"{self._folder} cannot be read: {problem.strerror}; looking again")
        return found

    def _load(self, paths: Sequence[Path], order: loader.LoadOrder, found: dict[Path, _Look]) -> bool:
        """Load files that belong together, the oldest first; False where the store cannot take anything now."""
        names = _named(paths)
        order = dataclasses.replace(order, path=paths[0], more=tuple(paths[1:]), is_succession=len(paths) > 1)
        try:
            order = dataclasses.replace(order, file_hash=_fingerprint(order))
            before = self._loaded_as(order)
            if before is not None:
                self._say(f"{names}: loaded before" + (f", as {before}" if before != order.path.name else ""))
                self.watched.known_count += len(paths)
            else:
                result = loader.load(self._url, [order], progress=self._report)
                self.watched.result.add(result)
                self.watched.loaded_count += len(paths)
                self._say(
                    f"{names}: {counted(result.read_count, 'row')} read: {result.stored_count:,} stored, "
                    f"{result.unchanged_count:,} there already, {result.rejected_count:,} rejected"
                )
                for note in result.notes:
                    self._say(f"note: {note}")
        except StoreLockedError as problem:
            self._is_store_locked = True
            self._say_once(f"waiting: {problem}")
            return False
        except (StoreError, SQLAlchemyError) as problem:
            self._stop_if_asked(problem)
            self._say_once(f"{names}: not loaded, trying again: {problem}")
            return False
        except Exception as problem:  # whatever a file holds, the next one is loaded
            self._stop_if_asked(problem)
            self._fail(paths, problem)
        self._done |= {path: found[path] for path in paths}
        self._not_loaded.difference_update(paths)
        self._said = ""
        return True

    def _fail(self, paths: Sequence[Path], problem: Exception) -> None:
        names = _named(paths)
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else problem
        self._say(f"{names}: not loaded: {reason or type(problem).__name__}; looking again when it changes")
        self.watched.failed_count += len(paths)

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

    def _loaded_as(self, order: loader.LoadOrder) -> str | None:
        """Name of a file that a watch loaded with this content in this way, if nothing else was loaded as it since."""
        run, later = load_runs.c, load_runs.alias("later").c
        replaced = exists().where(
            later.file == run.file,
            later.source == run.source,
            later.load_run > run.load_run,
            later.file_hash.is_distinct_from(run.file_hash),
        )
        known = select(run.file).where(run.file_hash == order.file_hash, ~replaced).order_by(run.load_run).limit(1)
        engine = open_reader(self._url)
        try:
            with engine.connect() as connection:
                found = connection.scalar(known)
                return str(found) if found is not None else None
        finally:
            engine.dispose()


def _look_at(path: Path) -> dict[Path, _Look]:
    """How a file is, and a link to nothing; nothing for what is neither, such as a folder."""
    if path.is_file():
        state = path.stat()
        return {path: _Look(state.st_size, state.st_mtime_ns, state.st_ino)}
    if path.is_symlink() and not path.exists():
        state = path.lstat()
        return {path: _Look(_DANGLING, state.st_mtime_ns, state.st_ino)}
    return {}


def _named(paths: Sequence[Path]) -> str:
    rest = len(paths) - _MOST_NAMED
    return ", ".join(path.name for path in paths[:_MOST_NAMED]) + (f" and {rest:,} more" if rest > 0 else "")


def _fingerprint(order: loader.LoadOrder) -> str:
    """Hash of what the files of an order hold and of how they are read: another mapping may store other rows."""
    how = repr((order.kind, order.source, order.mapping, order.encoding))
    contents = [file_hash(path) for path in (order.path, *order.more)]
    return hashlib.blake2b("\n".join([how, *contents]).encode(), digest_size=16).hexdigest()


def file_hash(path: Path) -> str:
    """Hash of a file's content."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
