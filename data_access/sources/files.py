"""The files of one order, and which kind of record each holds: by columns and keys, never by file name."""

from __future__ import annotations

import contextlib
import dataclasses
import marshal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_access.errors import SourceError
from data_access.sources.base import BATCH_ROWS, FACT_SCHEMA, Batch, Part, Reject, event_table, table_of
from data_access.sources.records import Row, column_names, form_of, look_through, read_rows

# Entries of a lookup in memory, some hundred bytes each: tables are mostly in the order in which others refer to them.
REMEMBERED = 20_000
# What SQLite holds of a lookup before it writes to the temporary folder.
LOOKUP_MEMORY_KIB = 32_000
# Kinds of records, by the names of their values, that a file may have before they are told apart anew.
_SHAPES_KNOWN = 1_000
# Folders of a Maildir in which no mail of a conversation lies, as mail servers and programs name them.
_ASIDE = frozenset(
    {"drafts", "trash", "junk", "spam", "deleted items", "deleted messages", "junk e-mail", "junk email", "bulk mail"}
)
# Lists that say nothing of what they hold: their records are known by their keys.
_UNNAMED = frozenset({"", "results", "payload", "data", "requests"})


@dataclasses.dataclass(frozen=True)
class Look:
    """What the beginning of a file shows: its form, and the lists and keys (or columns) of its first records."""

    path: Path
    form: str
    samples: tuple[tuple[str, frozenset[str]], ...] = ()

    def parts(self, known: Sequence[Part]) -> list[Part]:
        """The parts of a source that its first records are."""
        found = (part_of(known, list_name, names) for list_name, names in self.samples)
        return list(dict.fromkeys(part for part in found if part is not None))


def look(path: Path, encoding: str | None = None) -> Look:
    """Look at the beginning of a file. Raises SourceError where it cannot be read at all."""
    form = form_of(path)
    if form == "json":
        return Look(path, form, tuple(look_through(path, encoding)))
    if form in ("csv", "parquet"):
        return Look(path, form, (("", frozenset(column_names(path, encoding))),))
    return Look(path, form)


def part_of(known: Sequence[Part], list_name: str, names: frozenset[str] | Mapping[str, Any]) -> Part | None:
    """The part whose columns or keys these are; of several the one that asks for most."""
    given = names.keys() if isinstance(names, Mapping) else names
    fitting = [
        part
        for part in known
        if part.required <= given and (list_name in part.lists or list_name in _UNNAMED or not part.lists)
    ]
    return max(fitting, key=lambda part: len(part.required), default=None)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """These files, and those in these folders (and theirs), in order of name.

    Hidden ones are left out, but for the folders of a Maildir, whose names begin with a dot (`.Sent`).
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            _require_readable(path)
            is_read = {path: True}
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            found += [file for file in inside if not file.name.startswith(".") and _is_read(file.parent, is_read)]
        else:
            found.append(path)
    return found


def _is_read(folder: Path, known: dict[Path, bool]) -> bool:
    """Whether the files of this folder are read; `known` says it of one above it, and remembers."""
    if folder not in known:
        if _is_maildir(folder):
            is_read = _ASIDE.isdisjoint(folder.name.lower().split("."))
        else:
            # In the tmp of a Maildir lie messages that are being delivered.
            is_read = not folder.name.startswith(".") and not (folder.name == "tmp" and _is_maildir(folder.parent))
        known[folder] = is_read and _is_read(folder.parent, known)
    return known[folder]


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() or (folder / "new").is_dir()


def _require_readable(folder: Path) -> None:
    """A folder that may not be read looks as if nothing were in it."""
    try:
        next(folder.iterdir(), None)
    except OSError as problem:
        raise SourceError(f"{folder}: cannot be read: {problem.strerror}") from problem


class Files:
    """The records of an order, part by part: a file is read once for every pass that needs one of its parts.

    What cannot be parsed, or is none of the parts, is kept in `rejects` when its file is read first.
    """

    def __init__(self, paths: Sequence[Path], known: Sequence[Part], source: str, encoding: str | None = None) -> None:
        self._known, self._source, self._encoding = tuple(known), source, encoding
        self.rejects: list[Reject] = []
        self._parts: dict[Path, set[str]] = {}
        self._whole: set[Path] = set()
        self._part_of_shape: dict[tuple[str, ...], str | None] = {}
        files = files_of(paths)
        for path in files:
            seen = self._looked(path, is_alone=len(files) == 1)
            if seen is not None and (parts := seen.parts(self._known)):
                self._parts[path] = {part.name for part in parts}
        if not self._parts:
            words = "; ".join(f"{part.name}: {', '.join(sorted(part.required))}" for part in self._known)
            raise SourceError(f"{paths[0]}: is not in the {source} format; it needs one of these: {words}"[:600])
        self._names = {path: path.name for path in self._parts} if len(files) > 1 else {}

    def _looked(self, path: Path, *, is_alone: bool) -> Look | None:
        try:
            return look(path, self._encoding)
        except SourceError:
            if is_alone:
                raise
            return None  # a picture beside the tables is none of them

    def has(self, *parts: str) -> bool:
        """The beginning of some file holds one of these parts."""
        return any(held & set(parts) for held in self._parts.values())

    def rows(self, *parts: str) -> Iterator[tuple[str, str | None, Row]]:
        """Part, file name (where there are several files) and record of everything that is one of these parts."""
        wanted = set(parts)
        for path, held in self._parts.items():
            is_first = path not in self._whole
            if not is_first and not held & wanted:
                continue
            if is_first and form_of(path) != "json" and not held & wanted:
                continue  # a table holds one part only
            name = self._names.get(path)
            for row in read_rows(path, self._encoding):
                if isinstance(row, Reject):
                    if is_first:
                        self.rejects.append(dataclasses.replace(row, file=name))
                    continue
                part = self._part_of_row(row)
                if part is None:
                    if is_first and row.list_name in _UNNAMED:
                        known = ", ".join(dict.fromkeys(p.name for p in self._known))
                        reason = f"is none of the records of {self._source}: {known}"
                        self.rejects.append(Reject(row.line, reason, row.raw, name))
                    continue
                held.add(part)
                if part in wanted:
                    yield part, name, row
            self._whole.add(path)

    def _part_of_row(self, row: Row) -> str | None:
        shape = (row.list_name, *row.values)
        if shape not in self._part_of_shape:
            if len(self._part_of_shape) >= _SHAPES_KNOWN:
                self._part_of_shape.clear()
            part = part_of(self._known, row.list_name, row.values)
            if part is None and row.list_name not in _UNNAMED:
                part = next((known for known in self._known if row.list_name in known.lists), None)
            self._part_of_shape[shape] = part.name if part else None
        return self._part_of_shape[shape]


@contextlib.contextmanager
def _saying_full() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as problem:
        # Without TMPDIR it is SQLite that chooses the folder.
        raise SourceError(
            f"the temporary folder (TMPDIR) cannot hold the tables of this export: {problem}"
        ) from problem


class Lookup:
    """Key to tuple, on disk where it grows: what one table of an export says of the rows of another."""

    def __init__(self) -> None:
        self._recent: dict[str, tuple[Any, ...]] = {}
        self._unwritten: set[str] = set()
        self._database: sqlite3.Connection | None = None

    def __setitem__(self, key: str, value: tuple[Any, ...]) -> None:
        self._remember(key, value)
        self._unwritten.add(key)

    def get(self, key: str | None) -> tuple[Any, ...] | None:
        """The tuple of a key, or None."""
        if key is None:
            return None
        value = self._recent.get(key)
        if value is None and self._database is not None:
            with _saying_full():
                row = self._database.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
            if row is not None:
                value = marshal.loads(row[0])  # noqa: S302 - written by us, never a file
                self._remember(key, value)
        return value

    def __contains__(self, key: object) -> bool:
        return self.get(str(key)) is not None

    def _remember(self, key: str, value: tuple[Any, ...]) -> None:
        if len(self._recent) >= REMEMBERED and key not in self._recent:
            self._write()
        self._recent[key] = value

    def _write(self) -> None:
        with _saying_full():
            if self._database is None:
                self._database = sqlite3.connect("", isolation_level=None)
                self._database.execute(f"PRAGMA cache_size = -{LOOKUP_MEMORY_KIB}")
                self._database.execute("PRAGMA journal_mode = OFF")
                self._database.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
                self._database.execute("BEGIN")
            entries = ((key, marshal.dumps(self._recent[key])) for key in self._unwritten)
            self._database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", entries)
        self._unwritten.clear()
        self._recent.clear()

    def close(self) -> None:
        """Give the space back."""
        if self._database is not None:
            self._database.close()


Step = Callable[[str, str | None, Row], None]


class Building:
    """Events (with facts or without) on their way into batches."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._facts: list[dict[str, Any]] = []
        self._batch = Batch()

    def add(self, row: Row, file: str | None, event: Mapping[str, Any], fact: Mapping[str, Any] | None = None) -> None:
        """One record that became an event. All events of one builder have a fact, or none has."""
        self._batch.read_count += 1
        self._events.append({**event, "file": file, "line": row.line, "raw": row.raw})
        if fact is not None:
            self._facts.append({**fact, "conversation": event["conversation"]})

    def reject(self, row: Row, file: str | None, reason: object) -> None:
        """One record that did not."""
        self._batch.read_count += 1
        self._batch.rejects.append(Reject(row.line, str(reason), row.raw, file))

    def take(self, files: Files, parts: Sequence[str], step: Step, beside: Building | None = None) -> Iterator[Batch]:
        """Run `step` on every record of these parts and yield the batches that become of it.

        A ValueError of `step` rejects its record here. `beside` is another builder to which `step` adds.
        """
        for part, file, row in files.rows(*parts):
            try:
                step(part, file, row)
            except ValueError as problem:
                self.reject(row, file, problem)
            if self.is_full:
                yield self.rest()
            if beside is not None and beside.is_full:
                yield beside.rest()
        self._add_rejects(files.rejects)
        yield self.rest()

    def _add_rejects(self, rejects: list[Reject]) -> None:
        """Records that could not even be parsed; the list is emptied."""
        self._batch.read_count += len(rejects)
        self._batch.rejects += rejects
        rejects.clear()

    @property
    def is_full(self) -> bool:
        """The batch has reached its size."""
        return len(self._events) >= BATCH_ROWS

    def rest(self) -> Batch:
        """What there is."""
        batch, self._batch = self._batch, Batch()
        if self._events:
            names = set().union(*self._events)
            columns = {name: [event.get(name) for event in self._events] for name in names}
            for name, usual in _USUAL.items():
                if name in columns:
                    columns[name] = [usual if value is None else value for value in columns[name]]
            batch.events = event_table(columns, len(self._events))
            if self._facts:
                facts = {field.name: [fact.get(field.name) for fact in self._facts] for field in FACT_SCHEMA}
                batch.facts = table_of(FACT_SCHEMA, facts, len(self._facts))
        self._events, self._facts = [], []
        return batch


_USUAL = {"is_visible": True, "is_outreach": False, "is_parent_missing": False, "is_addressed": True}
