"""The command line `frontdoor` (`python -m data_access`): load, check and report without a browser.

Exit status: 0 done; 1 done, but some rows were rejected, files of a folder not read, a check failed, or something
after it is unfinished (such as writing the output); 2 nothing done.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from data_access import __version__, audit, cli_identities, distributed, engine_commands, loader, migrations, text
from data_access.config import DEFAULTS_FILE, Settings, read_settings
from data_access.errors import FilterError, FrontdoorError, SourceError, UnfinishedError
from data_access.export import csv_lines, write_json
from data_access.filters import Filter
from data_access.measures import MEASURES, Selection, parse_cell
from data_access.output import OutputError, counted, standard_output
from data_access.queries.conversations import selected_rows
from data_access.queries.ignored_complaints import WORKLIST_ORDERS
from data_access.queries.options import unknown_values
from data_access.reports import REPORT_DIMENSIONS, REPORTS, run_report
from data_access.sources import SOURCES, Recognised, recognise
from data_access.sources.base import Reject
from data_access.sources.delimited import guessed_encoding, read_records
from data_access.sources.mapped import first_rows
from data_access.sources.mapping import read_mapping
from data_access.store import (
    StoreStatus,
    current_generation,
    current_settings,
    default_store_url,
    has_store,
    make_folder,
    one_line,
    open_reader,
    open_writer,
    read_status,
    resolved,
    settings_file,
    shown_url,
    store_folder,
    store_size_bytes,
)
from data_access.temporary import TemporaryFolder
from data_access.vocabulary import CHANNELS, GRAINS, RESPONSE_STATES, SENTIMENTS

DONE, SOME_REJECTED, NOTHING_DONE = 0, 1, 2
MAX_SCALE = 1000
_SHOWN_LETTERS = 200  # of a value in the rows that a dry run shows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        options = _parser().parse_args(arguments)
        with standard_output(_say):
            return int(options.run(options))
    except OutputError as problem:
        if not problem.is_reader_gone:  # as `head` does when it has seen enough
            _say(f"frontdoor: the output could not be written: {problem}; all else that the command does is done")
        return SOME_REJECTED
    except UnfinishedError as problem:
        _say(f"frontdoor: {problem}")
        return SOME_REJECTED
    except FrontdoorError as problem:
        _say(f"frontdoor: {problem}")
    except SQLAlchemyError as problem:
        _say(f"frontdoor: the store's database says: {one_line(problem)}")
    except (text.CueFileError, text.ScorerUnavailableError) as problem:
        _say(f"frontdoor: {problem}")
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        _say(f"frontdoor: {where}{problem.strerror or problem}; `frontdoor status` shows what the store holds")
    except KeyboardInterrupt:
        _say("frontdoor: stopped; the store is as it was")
    return NOTHING_DONE


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # where nobody can be told, the command is done all the same
        print(text, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(NOTHING_DONE, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="frontdoor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"frontdoor {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=words, description=words)
        sub.set_defaults(run=run)
        sub.add_argument("--store", metavar="URL", default=None, help="duckdb:///FOLDER or postgresql+psycopg://…")
        sub.add_argument("--json", action="store_true", help="machine-readable output on standard output")
        return sub

    init = command("init", _init, "create an empty store and a settings file")
    init.add_argument("--distributed", action="store_true", help="on Citus: lay the tables out by customer_id")
    demo = command("demo", _demo, "create a store with the simulated demo company")
    demo.add_argument("--if-missing", action="store_true", help="do nothing where the store has data")
    demo.add_argument("--seed", type=int, default=7)
    demo.add_argument("--scale", type=_scale, default=1.0, help="size of the company, 1 is about 22,000 conversations")
    load = command("load", _load, "load files into the store")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or a folder with the tables of one export")
    load.add_argument("--source", choices=list(SOURCES), help="the file's format; recognised where it can be")
    load.add_argument(
        "--mapping", type=Path, metavar="MAP.toml", help="for any CSV, JSON-lines or Parquet: what is what"
    )
    load.add_argument("--source-name", metavar="NAME", help="store the rows under this name instead of the source's")
    load.add_argument("--encoding", help="of the file, where it is not UTF-8")
    load.add_argument(
        "--complete-to",
        type=_moment,
        metavar="TIME",
        help="up to when the source is complete, UTC; else its newest event",
    )
    load.add_argument("--dry-run", action="store_true", help="say what would be stored and rejected; changes nothing")
    command("rebuild", _rebuild, "derive waits and conversations again with the present settings")
    engine_commands.add_commands(command, _outcome_of, _orders, _say)
    rescore = command("rescore", _rescore, "read all texts again: sentiment, complaints, topics, blamed channel")
    rescore.add_argument("--scorer", help="lexlinear-en (default), use-multilingual or transformers:FOLDER")
    rescore.add_argument("--since", type=_moment, metavar="TIME", help="only interactions from this time on")
    evaluate = command("evaluate", _evaluate, "compare what is read with the labels of a CSV")
    _add_evaluation(evaluate)
    check = command("check", _check, "check the store, and with --numbers every figure")
    check.add_argument("--numbers", action="store_true", help="card = chart = table = rows = CSV")
    _add_filters(check)
    report = command("report", _report, "print the frame that a page charts")
    report.add_argument("name", metavar="NAME", help=", ".join(REPORTS))
    report.add_argument("--by", action="append", default=[], metavar="DIMENSION", help=", ".join(REPORT_DIMENSIONS))
    report.add_argument("--format", choices=("csv", "json"), default=None)
    report.add_argument("--measure", metavar="NAME", help="with conversations: exactly the rows of a measure")
    report.add_argument("--cell", action="append", default=[], metavar="KEY=VALUE", help="and of one cell of it")
    report.add_argument("--customer", metavar="ID", help="with journeys: the whole journey of one customer")
    report.add_argument(
        "--order",
        choices=WORKLIST_ORDERS,
        help="with worklist: oldest first (default), most seen first, or least time left until ignored first",
    )
    _add_filters(report)
    export = command("export", _export, "write every report as CSV into a folder")
    export.add_argument("folder", type=Path, metavar="FOLDER")
    _add_filters(export)
    identities = commands.add_parser(
        "identities", help="who is one customer, and why", description=cli_identities.__doc__
    )
    cli_identities.add_commands(identities, _url)
    command("status", _status, "where the store is and what is in it")
    command("sources", _sources, "list the file formats, each with what it cannot tell")
    return parser


def _add_evaluation(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("file", type=Path, metavar="FILE")
    evaluate.add_argument("--text", required=True, metavar="COLUMN")
    evaluate.add_argument("--label", required=True, metavar="COLUMN")
    evaluate.add_argument("--task", choices=("sentiment", "complaint", "topic"), default="sentiment")
    evaluate.add_argument("--preset", choices=("sensitive", "strict"), help="of the complaint cues")
    evaluate.add_argument(
        "--scorer", default="lexlinear-en", help="lexlinear-en, use-multilingual or transformers:FOLDER"
    )
    evaluate.add_argument("--encoding", help="of the file, where it is not UTF-8")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters (those with a list may be repeated)")
    group.add_argument("--from", dest="date_from", type=_day, metavar="DATE", help="first local day, inclusive")
    group.add_argument("--to", dest="date_to", type=_day, metavar="DATE", help="last local day, inclusive")
    group.add_argument("--grain", choices=GRAINS, default="week", help="length of a period")
    group.add_argument("--as-of", type=_moment, metavar="TIME", help="look from this moment; without zone: UTC")
    many: dict[str, Any] = {"action": "append", "default": []}
    group.add_argument("--channel", **many, choices=CHANNELS, metavar="CHANNEL")
    group.add_argument("--brand", **many, metavar="BRAND")
    group.add_argument("--team", **many, metavar="TEAM")
    group.add_argument("--age-group", **many, metavar="BAND")
    group.add_argument("--topic", **many, metavar="TOPIC")
    group.add_argument("--sentiment", **many, choices=SENTIMENTS, metavar="LABEL")
    group.add_argument("--state", **many, choices=RESPONSE_STATES, metavar="STATE")
    group.add_argument("--visibility", choices=("all", "public", "private"), default="all")
    group.add_argument("--unknown-time", choices=("answered", "unanswered"), default="", help="overrides the setting")
    group.add_argument("--clock", choices=("calendar", "business"), default="calendar", help="of the times shown")
    group.add_argument("--within-days", type=int, default=0, metavar="N", help="back door and repeats; else setting")
    group.add_argument("--no-reply-needed", choices=("exclude", "include"), default="exclude")


def _filter(options: argparse.Namespace) -> Filter:
    return Filter(
        date_from=options.date_from,
        date_to=options.date_to,
        grain=options.grain,
        as_of=options.as_of,
        channels=tuple(options.channel),
        brands=tuple(options.brand),
        teams=tuple(options.team),
        age_groups=tuple(options.age_group),
        topics=tuple(options.topic),
        sentiments=tuple(options.sentiment),
        states=tuple(options.state),
        visibility=options.visibility,
        unknown_time_counts_as=options.unknown_time,
        clock=options.clock,
        with_no_reply_needed=options.no_reply_needed == "include",
        within_days=options.within_days,
    )


def _wanted(options: argparse.Namespace, engine: Engine, status: StoreStatus) -> Filter:
    """The filter of a command, resolved; says on standard error what no row can match because nothing is called so."""
    wanted = resolved(_filter(options), status)
    unknown = unknown_values(engine, wanted, status.settings.age_bands)
    if unknown:
        _say(f"note: {'; '.join(unknown)}")
    return wanted


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-01-31") from None


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= MAX_SCALE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to {MAX_SCALE}")
    return scale


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-01-31T09:30:00") from None


def _url(options: argparse.Namespace) -> str:
    return str(options.store or default_store_url())


class _Progress:
    """A bar with rows per second on a terminal, and with the time left where the end is known; silent elsewhere."""

    def __init__(self) -> None:
        self._bar: tqdm[NoReturn] | None = None
        self._stage = ""

    def __call__(self, stage: str, rows: int, expected: int | None = None, /) -> None:
        if stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(desc=stage, unit=" rows", unit_scale=True, file=sys.stderr, disable=None, leave=False)
        if self._bar is not None:
            if expected is not None:
                self._bar.total = max(expected, self._bar.n + rows)
            self._bar.update(rows)
            self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _init(options: argparse.Namespace) -> int:
    url = _url(options)
    if has_store(url):
        raise FrontdoorError(f"{shown_url(url)} exists already; `frontdoor status` shows what is in it")
    if options.distributed and store_folder(url) is not None:
        raise FrontdoorError("--distributed needs a PostgreSQL with Citus: --store postgresql+psycopg://…")
    with open_writer(url) as connection:
        if options.distributed:
            distributed.set_up(connection)
    _write_settings_template(url)
    place = settings_file(url) or "the shipped ones; FRONTDOOR_SETTINGS=FILE names others"
    _done(options, f"created {shown_url(url)}; settings: {place}", store=shown_url(url))
    return DONE


def _write_settings_template(url: str) -> None:
    path = settings_file(url)
    if path is None or path.exists():
        return
    lines = DEFAULTS_FILE.read_text(encoding="utf-8").splitlines()
    path.write_text(
        "\n".join(line if not line or line.startswith("#") else f"# {line}" for line in lines) + "\n",
        encoding="utf-8",
    )


def _demo(options: argparse.Namespace) -> int:
    from data_access.demo import write_demo_sources  # noqa: PLC0415

    url = _url(options)
    folder = store_folder(url)
    if folder is None:
        raise FrontdoorError("the demo company goes into a folder of its own: --store duckdb:///FOLDER")
    if current_generation(folder) is not None:
        if options.if_missing:
            before, after = migrations.upgrade(url)
            words = "is there already" + (f"; upgraded from schema {before} to {after}" if before != after else "")
            _done(options, f"{shown_url(url)} {words}", store=shown_url(url))
            return DONE
        raise FrontdoorError(f"{shown_url(url)} exists already; choose another folder with --store")
    with TemporaryFolder("demo") as temporary:
        sources = temporary.path
        _say("simulating the demo company …")
        write_demo_sources(sources, seed=options.seed, scale=options.scale)
        make_folder(folder)
        settings = folder / "settings.toml"
        if not settings.exists():
            settings.write_text((sources / "settings.toml").read_text(encoding="utf-8"), encoding="utf-8")
        orders = [loader.LoadOrder(sources / "customers.csv", "customers")]
        for mapping in sorted(path for path in sources.glob("*.toml") if path.name != "settings.toml"):
            orders.append(loader.LoadOrder(mapping.with_suffix(".csv"), "csv", read_mapping(mapping)))
        result = _run_load(url, orders)
    _done(options, f"created the demo company in {shown_url(url)}: {_counts(result)}", **_result(result))
    return SOME_REJECTED if result.rejected_count else DONE


def _run_load(url: str, orders: Sequence[loader.LoadOrder]) -> loader.LoadResult:
    progress = _Progress()
    try:
        return loader.load(url, orders, progress=progress)
    finally:
        progress.close()


def _orders(options: argparse.Namespace, files: Sequence[Path]) -> list[loader.LoadOrder]:
    """What to load and how: by the options, else as the files are recognised; these know what else was to be read."""
    options.is_part_missed = False
    mapping = read_mapping(options.mapping) if options.mapping else None
    for path in files:
        if not path.exists():
            raise SourceError(f"{path}: there is no such file")
        if not path.is_file() and not path.is_dir():
            raise SourceError(f"{path}: is a pipe or a device, which cannot be read twice: write it to a file first")
    kind = options.source or ("csv" if mapping else None)
    if kind == "csv" and mapping is None:
        raise FrontdoorError("--source csv needs --mapping MAP.toml, which says what each column is")
    if kind not in ("csv", None) and mapping is not None:
        raise FrontdoorError(f"--mapping goes with --source csv, not {kind}")
    if kind is None:
        found = recognise(files, options.encoding)
        for order in found:
            _say(order.words)
            options.is_part_missed |= bool(order.missed)
    elif SOURCES[kind].is_folder:
        found = [Recognised(kind, tuple(files))]
    else:
        found = [Recognised(kind, (path,)) for path in files]
    encoding = options.encoding or (mapping.encoding if mapping else None)
    return [
        loader.LoadOrder(
            order.paths[0], order.source, mapping, encoding, options.source_name, options.complete_to, order.paths[1:]
        )
        for order in found
    ]


def _load(options: argparse.Namespace) -> int:
    orders = _orders(options, options.files)
    if options.dry_run:
        return _dry_run(options, orders)
    result = _run_load(_url(options), orders)
    for note in result.notes:
        _say(f"note: {note}")
    words = _counts(result)
    if result.rejected_count:
        words += "; see why: frontdoor report rejected_rows"
    elif result.stored_count == 0:
        words += "; nothing new"
    _done(options, words, **_result(result))
    return SOME_REJECTED if result.rejected_count or options.is_part_missed else DONE


def _dry_run(options: argparse.Namespace, orders: Sequence[loader.LoadOrder]) -> int:
    """Say file by file what the same command would do without --dry-run."""
    progress = _Progress()
    try:
        results = loader.rehearse(_url(options), orders, progress=progress)
    finally:
        progress.close()
    for order, result in zip(orders, results, strict=True):
        rows = first_rows(order.path, order.mapping, encoding=order.encoding) if order.mapping else []
        rejects = sorted(result.rejects, key=lambda reject: (reject.file or "", reject.line))
        if options.json:
            shown = {"first_rows": rows, "rejected": [vars(reject) for reject in rejects], "notes": result.notes}
            print(json.dumps({"file": order.path.name, **_result(result), **shown}, ensure_ascii=False))
            continue
        print(
            f"{order.path.name}: {counted(result.read_count, 'row')} read, "
            f"{result.rejected_count:,} would be rejected, "
            f"{result.stored_count:,} stored, {result.unchanged_count:,} are there already"
        )
        if rows:
            print("The first rows as they would be stored:")
        for row in rows:
            print("  " + ", ".join(f"{name}={_shortened(value)!r}" for name, value in row.items()))
        for reject in rejects:
            print(f"  {f'{reject.file}, ' if reject.file else ''}line {reject.line}: {reject.reason}")
        for note in result.notes:
            _say(f"note: {note}")
    is_whole = not options.is_part_missed and not any(result.rejected_count for result in results)
    return DONE if is_whole else SOME_REJECTED


def _shortened(value: object) -> object:
    """A value on a line that is read by people."""
    is_long = isinstance(value, str) and len(value) > _SHOWN_LETTERS
    return f"{str(value)[:_SHOWN_LETTERS]}…" if is_long else value


def _counts(result: loader.LoadResult) -> str:
    return (
        f"{counted(result.read_count, 'row')} read: {result.stored_count:,} stored, "
        f"{result.unchanged_count:,} there already, {result.rejected_count:,} rejected"
    )


def _result(result: loader.LoadResult) -> dict[str, Any]:
    return {
        "read_count": result.read_count,
        "stored_count": result.stored_count,
        "unchanged_count": result.unchanged_count,
        "rejected_count": result.rejected_count,
    }


def _done(options: argparse.Namespace, words: str, **values: Any) -> None:
    if options.json:
        print(json.dumps(values))
        _say(words)
    else:
        print(words)


def _outcome_of(run: engine_commands.Run) -> Callable[[argparse.Namespace], int]:
    def _run(options: argparse.Namespace) -> int:
        progress = _Progress()
        try:
            outcome = run(options, progress)
        finally:
            progress.close()
        _done(options, outcome.words, **outcome.values)
        return outcome.status

    return _run


def _rebuild(options: argparse.Namespace) -> int:
    progress = _Progress()
    open_reader(_url(options)).dispose()  # an absent store is an error, not a new one
    try:
        count = loader.rebuild(_url(options), progress=progress)
    finally:
        progress.close()
    _done(options, f"derived {counted(count, 'conversation')} again", conversation_count=count)
    return DONE


def _rescore(options: argparse.Namespace) -> int:
    open_reader(_url(options)).dispose()
    progress = _Progress()
    try:
        count = loader.rescore(_url(options), scorer=options.scorer, since=options.since, progress=progress)
    except ValueError as problem:
        raise FrontdoorError(str(problem)) from problem
    finally:
        progress.close()
    _done(options, f"read {counted(count, 'interaction')} again", interaction_count=count)
    return DONE


def _evaluate(options: argparse.Namespace) -> int:
    encoding = options.encoding or guessed_encoding(options.file)
    if encoding != options.encoding and encoding is not None:
        _say(f"{options.file.name}: not UTF-8; read as {encoding}")
    names, items = read_records(options.file, encoding=encoding)
    for column in (options.text, options.label):
        if column not in names:
            raise SourceError(f"{options.file}: column {column!r} is missing; its columns are {', '.join(names)}")
    text_place, label_place = names.index(options.text), names.index(options.label)
    rows, rejected = [], 0
    for item in items:
        if isinstance(item, Reject) or max(text_place, label_place) >= len(item.fields):
            rejected += 1
            _say(f"line {item.line}: left out: {item.reason if isinstance(item, Reject) else 'a field is missing'}")
            continue
        rows.append((item.fields[text_place], item.fields[label_place]))
    settings = loader.text_settings_of(_settings(_url(options)))
    scorer, _, folder = options.scorer.partition(":")
    try:
        found = text.evaluate(
            rows,
            task=options.task,
            preset=options.preset,
            scorer=scorer,
            settings=dataclasses.replace(settings, scorer=scorer, model_folder=folder or None),
        )
    except ValueError as problem:
        raise FrontdoorError(f"{options.file}: {problem}") from problem
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            if name != "per_class":
                print(f"{name.replace('_', ' ')}: {value}")
        for label, figures in found["per_class"].items():
            print(f"  {label}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    return SOME_REJECTED if rejected else DONE


def _settings(url: str) -> Settings:
    """What the next load would use; there need not be a store yet."""
    folder = store_folder(url)
    if folder is not None and current_generation(folder) is None:
        return read_settings(settings_file(url))
    with open_reader(url).connect() as connection:
        return current_settings(url, connection)


def _check(options: argparse.Namespace) -> int:
    engine = open_reader(_url(options))
    status = read_status(engine, _url(options))
    findings = list(audit.check_store(engine))
    if options.numbers:
        findings += audit.check_numbers(engine, _wanted(options, engine, status))
    wrong = [finding for finding in findings if not finding.is_ok]
    if options.json:
        print(json.dumps({"checks": len(findings), "failed": [vars(finding) for finding in wrong]}))
    for finding in wrong:
        _say(f"wrong: {finding.check}: {finding.detail}")
    if status.fingerprint != _settings(_url(options)).fingerprint():
        _say("note: the settings have changed since the store was derived; run: frontdoor rebuild")
    words = f"{len(findings)} checks, {len(wrong)} failed"
    _say(words) if options.json else print(words)
    return SOME_REJECTED if wrong else DONE


def _report(options: argparse.Namespace) -> int:
    engine = open_reader(_url(options))
    status = read_status(engine, _url(options))
    wanted = _wanted(options, engine, status)
    if options.measure:
        if options.name != "conversations" or options.customer:
            raise FilterError("--measure goes with report conversations")
        if options.order:
            raise FilterError("--order goes with report worklist")
        if options.measure not in MEASURES:
            raise FilterError(f"unknown measure {options.measure!r}; known are {', '.join(MEASURES)}")
        selection = Selection(wanted, options.measure, parse_cell(options.cell))
        frame = selected_rows(engine, selection, newest_first=False)
    else:
        if options.cell:
            raise FilterError("--cell goes with --measure")
        frame = run_report(
            engine, options.name, wanted, tuple(options.by), customer=options.customer, order=options.order
        )
        if options.customer and frame.empty:
            _say(
                f"note: no customer_id of the store with a contact up to then is {options.customer!r}; frontdoor "
                "identities explain KIND=VALUE gives that of an address"
            )
    form = options.format or ("json" if options.json else "csv")
    if form == "json":
        write_json(frame, sys.stdout)
    else:
        for part in csv_lines(frame):
            sys.stdout.write(part)
    return DONE


def _export(options: argparse.Namespace) -> int:
    engine = open_reader(_url(options))
    wanted = _wanted(options, engine, read_status(engine, _url(options)))
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in REPORTS:
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            for part in csv_lines(run_report(engine, name, wanted)):
                file.write(part)
        written.append(path.name)
    _done(
        options,
        f"wrote {len(written)} files into {folder}: {wanted.sentence()}",
        folder=str(folder),
        files=written,
    )
    return DONE


def _status(options: argparse.Namespace) -> int:
    url = _url(options)
    folder = store_folder(url)
    facts: dict[str, Any] = {"store": shown_url(url), "settings_file": str(settings_file(url) or "")}
    if folder is not None and current_generation(folder) is None:
        facts["exists"] = False
        if options.json:
            print(json.dumps(facts))
        else:
            print(f"store: {facts['store']} (not created yet: frontdoor init, frontdoor load FILE or frontdoor demo)")
        return DONE
    engine = open_reader(url)
    status = read_status(engine, url)
    facts |= {
        "exists": True,
        "store_version": status.version,
        "as_of": status.as_of.isoformat() + "Z" if status.as_of else None,
        "zone": status.settings.zone,
        "size_bytes": store_size_bytes(url),
        "is_derived_with_present_settings": status.fingerprint == _settings(url).fingerprint(),
    }
    with engine.connect() as connection:
        from sqlalchemy import func, select  # noqa: PLC0415

        from data_access.schema import metadata  # noqa: PLC0415

        facts["rows"] = {
            table.name: connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables
        }
        decided = metadata.tables["identity_decisions"].c
        by_hand = select(func.count(decided.decision.distinct())).where(decided.verdict != "apart")
        facts["identity_decision_count"] = connection.scalar(by_hand)
    if options.json:
        print(json.dumps(facts))
        return DONE
    for name, value in facts.items():
        if name == "rows":
            for table, count in value.items():
                print(f"  {table}: {count:,}")
        else:
            print(f"{name.replace('_', ' ')}: {value}")
    return DONE


def _sources(options: argparse.Namespace) -> int:
    if options.json:
        shown = [{"name": s.name, "summary": s.summary, "gaps": s.gaps} for s in SOURCES.values()]
        print(json.dumps(shown))
        return DONE
    for source in SOURCES.values():
        print(f"{source.name}: {source.summary}. Cannot tell: {source.gaps}")
    return DONE
