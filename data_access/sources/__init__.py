"""File kinds: each turns a file into column batches, and knows nothing of tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from data_access.errors import SourceError
from data_access.sources import chatwoot, customers, flat, freshdesk, intercom, mail, mapped, twcs, zendesk
from data_access.sources.base import Part, Source
from data_access.sources.files import Look, files_of, look

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        twcs.SOURCE,
        zendesk.SOURCE,
        intercom.SOURCE,
        freshdesk.SOURCE,
        chatwoot.SOURCE,
        mail.SOURCE,
        flat.CALLS,
        flat.CFPB,
        flat.OPEN311,
        mapped.SOURCE,
        customers.SOURCE,
    )
}
# Files whose names say that records are in them.
_OF_RECORDS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".mbox", ".eml"})
_AGES_WITHOUT_TIMES = frozenset({"ticket id", "customer age", "ticket channel", "first response time"})


@dataclasses.dataclass(frozen=True)
class Recognised:
    """Files that load as one order: of which source, what each holds, and what is in none of its parts.

    `missed` are those left out that were surely to be loaded, each with the reason; `left_out` the others.
    """

    source: str
    paths: tuple[Path, ...]
    parts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was recognised, in one line."""
        names = ", ".join(path.name or str(path) for path in self.paths)
        held = f" ({', '.join(self.parts)})" if self.parts else ""
        left = "".join(f"; not read: {one}" for one in (*self.missed, _few(self.left_out)) if one)
        return f"{names}: recognised as {self.source}{held}{left}"


def recognise(paths: Sequence[Path], encoding: str | None = None) -> list[Recognised]:
    """The orders that these files and folders make, in their order; the tables of one system together.

    Raises SourceError, in one line, where a file fits no source or several.
    """
    orders: dict[str, list[Path]] = {}
    held: dict[str, dict[str, None]] = {}
    left_out: dict[str, list[str]] = {}
    missed: dict[str, list[str]] = {}
    found = (one for given in paths for one in _found(given, encoding))
    for number, (path, name, parts, others) in enumerate(found):
        # What does not belong together is loaded file by file.
        key = name if SOURCES[name].is_folder else f"{name} {number}"
        orders.setdefault(key, []).append(path)
        held.setdefault(key, {}).update(dict.fromkeys(parts))
        left_out.setdefault(key, []).extend(other for other, reason in others if not reason)
        missed.setdefault(key, []).extend(f"{other} ({reason})" for other, reason in others if reason)
    return [
        Recognised(
            key.split(" ", maxsplit=1)[0], tuple(files), tuple(held[key]), tuple(left_out[key]), tuple(missed[key])
        )
        for key, files in orders.items()
    ]


def _found(path: Path, encoding: str | None) -> list[tuple[Path, str, list[str], list[tuple[str, str]]]]:
    """Path, source, parts, and what is left out and why: one for a file or the tables of one system, else many."""
    if not path.is_dir():
        seen = look(path, encoding)
        fitting = _fitting(seen)
        if len(fitting) != 1:
            raise SourceError(_unknown(path, seen, list(fitting)))
        return [(path, name, parts, []) for name, parts in fitting.items()]
    looks: list[tuple[Path, dict[str, list[str]]]] = []
    unread: dict[Path, str] = {}
    for file in files_of([path]):
        try:
            seen = look(file, encoding)
            parts_of = {name: [part.name for part in parts] for name, parts in _holding(seen).items()}
            looks.append((file, _fitting(seen) if seen.form == "mail" else parts_of))
        except SourceError as problem:
            looks.append((file, {}))
            unread[file] = str(problem).removeprefix(f"{file}: ")
    together = [name for name, source in SOURCES.items() if source.is_folder]
    counts = {name: len({part for _, fitting in looks for part in fitting.get(name, ())}) for name in together}
    most = max(counts.values())
    best = [name for name, count in counts.items() if count == most > 0]
    if len(best) == 1:
        parts = list(dict.fromkeys(part for _, fitting in looks for part in fitting.get(best[0], ())))
        rest = [(file, fitting) for file, fitting in looks if best[0] not in fitting]
        return [(path, best[0], parts, _left_out(path, rest, unread))]
    single = [(file, *next(iter(fitting.items()))) for file, fitting in looks if len(fitting) == 1]
    if best or not single:
        raise SourceError(_unknown_folder(path, [file for file, _ in looks], best))
    rest = [(file, fitting) for file, fitting in looks if len(fitting) != 1]
    others = _left_out(path, rest, unread)
    return [(file, name, parts, others if n == 0 else []) for n, (file, name, parts) in enumerate(single)]


def _left_out(
    folder: Path, files: Sequence[tuple[Path, Collection[str]]], unread: Mapping[Path, str]
) -> list[tuple[str, str]]:
    """Names of the files that are not loaded, with the reason where there is one; links to nothing are among them."""
    links = (path for path in sorted(folder.rglob("*")) if path.is_symlink() and not path.exists())
    return [
        *((file.name, _reason_of(file, fitting, unread.get(file, ""))) for file, fitting in files),
        *((path.name, "a link to a file that is not there") for path in links),
    ]


def _reason_of(file: Path, fitting: Collection[str], unread: str) -> str:
    """Why a file that was surely to be loaded is not; empty for what just lies there, such as a picture."""
    if fitting:
        return f"recognised as {' or '.join(fitting)}: load it by itself"
    if file.suffix.lower() in _OF_RECORDS and file.stat().st_size == 0:
        return "it is empty"
    is_packed = any(words in unread for words in ("unpack it", "save it as CSV"))
    return unread if is_packed or unread.startswith("cannot be read") else ""


def _fitting(seen: Look) -> dict[str, list[str]]:
    """Sources whose parts the file holds; of several those that ask for most of its columns."""
    if seen.form == "mail":
        return {mail.SOURCE.name: ["messages"]}
    found = _holding(seen)
    most = max((len(part.required) for parts in found.values() for part in parts), default=0)
    best = {name: parts for name, parts in found.items() if any(len(part.required) == most for part in parts)}
    return {name: list(dict.fromkeys(part.name for part in parts)) for name, parts in best.items()}


def _holding(seen: Look) -> dict[str, list[Part]]:
    found = {name: seen.parts(source.parts) for name, source in SOURCES.items()}
    return {name: parts for name, parts in found.items() if parts}


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _unknown(path: Path, seen: Look, fitting: Sequence[str]) -> str:
    if fitting:
        return f"{path}: could be {' or '.join(fitting)}: say which with --source"
    names = frozenset().union(*(names for _, names in seen.samples))
    if names >= _AGES_WITHOUT_TIMES:
        return (
            f"{path}: tickets with ages, but without the time when each was opened: nothing can be counted by day, "
            "and no response time exists; load another export of the same tickets"
        )
    missing = sorted(
        (len(part.required - names), name, part.name, sorted(part.required - names))
        for name, source in SOURCES.items()
        for part in source.parts
        if len(part.required & names) * 2 >= len(part.required)
    )
    near = "; ".join(f"{name} ({part}) but for {', '.join(lacks)}" for _, name, part, lacks in missing[:3])
    what = f"its columns ({', '.join(sorted(names))[:200]}) are" if names else "it is"
    close = f", nearest: {near}" if near else f"; known are {', '.join(SOURCES)}"
    return f"{path}: {what} of no known format{close}; describe it with --source csv --mapping MAP.toml"


def _unknown_folder(path: Path, files: Sequence[Path], best: Sequence[str]) -> str:
    if not files:
        return f"{path}: is an empty folder"
    if best:
        return f"{path}: is a folder that could be {' or '.join(best)}: say which with --source"
    return f"{path}: is a folder with files of no known format ({_few([file.name for file in files])})"
