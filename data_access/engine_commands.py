"""Commands of the store's operation: upgrade, migrate, forget, watch. Each says what it did; `cli` prints it."""

from __future__ import annotations

import argparse
import dataclasses
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data_access import migrations
from data_access.errors import SourceError
from data_access.forget import forget as forget_customers
from data_access.loader import LoadOrder
from data_access.migrate import migrate as migrate_store
from data_access.output import counted
from data_access.progress import Progress
from data_access.sources import SOURCES
from data_access.store import default_store_url, open_reader, shown_url
from data_access.watch import Watch


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command did: in words, as values for `--json`, and its exit status."""

    words: str
    values: dict[str, Any]
    status: int = 0


Run = Callable[[argparse.Namespace, Progress], Outcome]


def add_commands(
    command: Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser],
    printed: Callable[[Run], Callable[[argparse.Namespace], int]],
    orders: Callable[[argparse.Namespace, Sequence[Path]], Sequence[LoadOrder]],
    say: Callable[[str], None],
) -> None:
    """Add the commands to the command line's parser.

    `printed` turns an outcome into output and exit status, `orders` finds how files are loaded, `say` tells at once.
    """
    command("upgrade", printed(upgrade), "bring an older store to the present schema; nothing is lost")
    moving = command(
        "migrate", printed(migrate), "move a store to another engine or place; can be interrupted and resumed"
    )
    moving.add_argument("source", metavar="FROM", help="store URL to read")
    moving.add_argument("target", metavar="TO", help="store URL of an empty place: a new folder or an empty database")
    moving.add_argument("--start-over", action="store_true", help="drop what an interrupted migration copied")
    removal = command("forget", printed(forget), "remove a customer's personal data; counts stay")
    removal.add_argument(
        "customers", nargs="+", metavar="CUSTOMER", help="customer_id, or an identity such as email=anna@example.org"
    )

    watching = command(
        "watch", printed(partial(watch, orders, say)), "load the files that land in a folder, each once"
    )
    watching.add_argument(
        "folder", type=Path, metavar="FOLDER", help="is read only; folders in it are not looked into"
    )
    watching.add_argument("--every", type=_seconds, default=5.0, metavar="SECONDS", help="time between two looks")
    watching.add_argument("--once", action="store_true", help="load what is complete now, then end")
    watching.add_argument("--source", choices=list(SOURCES), help="the files' format; recognised where it can be")
    watching.add_argument("--mapping", type=Path, metavar="MAP.toml", help="for --source csv: which column is what")
    watching.add_argument("--source-name", metavar="NAME", help="store the rows under this name")
    watching.add_argument("--encoding", help="of the files, where it is not UTF-8")
    watching.set_defaults(complete_to=None)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def store_url(options: argparse.Namespace) -> str:
    """`--store`, else the store of the environment."""
    return str(options.store or default_store_url())


def upgrade(options: argparse.Namespace, _progress: Progress) -> Outcome:
    """Bring an older store to the present schema."""
    url = store_url(options)
    before, after = migrations.upgrade(url)
    values = {"store": shown_url(url), "schema_before": before, "schema_after": after}
    if before == after:
        return Outcome(f"{shown_url(url)} has the present schema, {after}; nothing was done", values)
    return Outcome(f"upgraded {shown_url(url)} from schema {before} to {after}; everything was derived again", values)


def forget(options: argparse.Namespace, progress: Progress) -> Outcome:
    """Remove the personal data of customers; counts stay."""
    done = forget_customers(store_url(options), options.customers, progress=progress)
    return Outcome(done.sentence(), dataclasses.asdict(done))


def migrate(options: argparse.Namespace, progress: Progress) -> Outcome:
    """Move a store to another engine."""
    done = migrate_store(options.source, options.target, start_over=options.start_over, progress=progress)
    count = sum(done.row_counts.values())
    words = (
        f"moved {counted(count, 'row')} and {counted(done.label_count, 'label')} from {shown_url(options.source)} to "
        f"{shown_url(options.target)}; counts and hashes of every table agree"
    )
    if done.resumed_row_count:
        words += f"; {counted(done.resumed_row_count, 'row')} moved before"
    return Outcome("; ".join([words, *done.notes]), dataclasses.asdict(done))


def watch(
    orders: Callable[[argparse.Namespace, Sequence[Path]], Sequence[LoadOrder]],
    say: Callable[[str], None],
    options: argparse.Namespace,
    progress: Progress,
) -> Outcome:
    """Load what lands in a folder until Ctrl+C or SIGTERM, which end it well."""
    url, folder = store_url(options), options.folder
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder")
    open_reader(url).dispose()  # an absent store is an error, not a new one
    watching = Watch(url, folder, lambda path: orders(options, [path]), say, progress)

    def stop(_number: int, _frame: object) -> None:
        watching.stopped.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    say(f"watching {folder} every {options.every:g} s" + ("" if options.once else "; Ctrl+C ends"))
    try:
        done = watching.run(options.every, once=options.once)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    words = (
        f"{counted(done.loaded_count, 'file')} loaded, {done.known_count:,} known already, "
        f"{done.failed_count:,} not loaded; "
        f"{counted(done.result.stored_count, 'row')} stored, {done.result.rejected_count:,} rejected"
    )
    values = {
        "loaded_count": done.loaded_count,
        "known_count": done.known_count,
        "failed_count": done.failed_count,
        "stored_count": done.result.stored_count,
        "rejected_count": done.result.rejected_count,
    }
    if done.is_folder_unread:
        words += f"; {folder} could not be read at the last look"
    has_failed = done.failed_count or done.result.rejected_count or done.is_folder_unread
    return Outcome(words, values, status=1 if options.once and has_failed else 0)
