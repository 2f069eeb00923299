"""Load files into the store: stage, classify, resolve customers, read the texts, store, derive. All or nothing.

Every record ends in exactly one of three counts: stored (new or corrected), unchanged, rejected (kept with
its reason). Loading a file again stores nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from data_access import customers, derive, dialects, forgotten, text
from data_access.config import Settings
from data_access.errors import FrontdoorError
from data_access.identities import content_hashes, masked, opaque_id, opaque_ids, reason_of_itself
from data_access.progress import Progress, say_nothing
from data_access.schema import (
    event_keys,
    interactions,
    load_runs,
    rejected_rows,
    reported_facts,
)
from data_access.scoring import SCORE_COLUMNS, SUPPLIED_FIELDS, TextRow, scored_in_turn
from data_access.sources import SOURCES
from data_access.sources.base import (
    BATCH_ROWS,
    EARLIEST,
    FUTURE_TOLERANCE,
    Batch,
    Reject,
    StoredEvent,
    as_array,
    file_size,
    raw_texts,
    without_impossible_times,
)
from data_access.sources.mapping import Mapping as FileMapping
from data_access.store import current_settings, open_rehearsal, open_writer, read_info, settings_in_force, write_info

COMMIT_ROWS = 5 * BATCH_ROWS  # staged in one go, and in one transaction of the embedded engine
COMMIT_BYTES = 100 << 20  # or fewer, where their texts are long
SLICE_ROWS = 24 * BATCH_ROWS  # of a file that are stored before the next are read: memory must not grow with the file

_work = MetaData()
_stage = Table(
    "stage_events",
    _work,
    *(Column(c.name, c.type) for c in interactions.columns),
    Column("is_from_file", Boolean),
    Column("file", Text),
    Column("line", BigInteger),
    Column("raw", Text),
    Column("raw_at", BigInteger),
    Column("raw_bytes", BigInteger),
    Column("change", Text),
    Column("place", BigInteger),
    prefixes=["TEMPORARY"],
)
_stage_facts = Table(
    "stage_facts",
    _work,
    *(Column(c.name, c.type) for c in reported_facts.columns),
    Column("place", BigInteger),
    prefixes=["TEMPORARY"],
)
_FACT_NAMES = [c.name for c in reported_facts.columns if c.name != "customer_id"]
_RESPONSE_NAMES = ("is_answered", "first_response_at", "responder_agent", "is_response_known", "response_changed_at")
_told = Table(
    "stage_told",
    _work,
    *(Column(name, reported_facts.c[name].type) for name in ("interaction_id", *_RESPONSE_NAMES)),
    prefixes=["TEMPORARY"],
)
_known = Table(
    "stage_known",
    _work,
    Column("interaction_id", Text),
    Column("change", Text),
    Column("content_hash", Text),
    Column("load_run", BigInteger),
    prefixes=["TEMPORARY"],
)
_scores = Table(
    "stage_scores",
    _work,
    Column("interaction_id", Text),
    *(Column(name, interactions.c[name].type) for name in SCORE_COLUMNS),
    prefixes=["TEMPORARY"],
)
# Rows of the slices of a file that are stored already: an id that comes again is a duplicate, no correction.
_seen = Table(
    "stage_seen",
    _work,
    *(Column(name, _stage.c[name].type) for name in ("interaction_id", "content_hash", "changed_at", "file", "line")),
    prefixes=["TEMPORARY"],
)
# Replies whose question had not come when they were loaded.
_orphans = Table(
    "stage_orphans",
    _work,
    *(Column(name, Text) for name in ("interaction_id", "source", "thread_id", "reply_to")),
    prefixes=["TEMPORARY"],
)
_keys = Table("stage_keys", _work, Column("a", Text), Column("b", Text), prefixes=["TEMPORARY"])
_CONTENT_FIELDS = [
    "channel",
    "direction",
    "author_kind",
    "author",
    "agent",
    "team",
    "occurred_at",
    "text",
    "language",
    "sentiment_label",
    "sentiment_score",
    "is_complaint",
    "needs_reply",
    "topic",
    "blamed_channel",
    "audience",
    "reply_to",
    "recorded_responses",
    "is_visible",
    "is_outreach",
    "customer",
    "email",
    "phone",
    "handle",
]
_PLACEMENT_FIELDS = (
    "customer",
    "handle",
    "conversation_id",
    "brand",
    "thread_id",
    "is_addressed",
    "is_parent_missing",
    "has_reported_answer",
)
_THREADED_SOURCES = frozenset(name for name, source in SOURCES.items() if source.rethread)
_LINKED_SOURCES = frozenset(name for name, source in SOURCES.items() if source.has_parents_later)
_NO_LIMIT = dt.datetime(9000, 1, 1)
_MOST_NAMED = 5  # of what a note counts
MOST_OF_A_PERSON = 1000  # conversations under one id, from which a load asks whether it is a person's
# Where conversations are threads, later loads may say better who the customer is: no content of the event.
_THREAD_FIELDS = frozenset({"customer", "handle"})


@dataclasses.dataclass
class LoadResult:
    """What a load did. `read_count` is always the sum of the other three; `rejects` are those of its files."""

    read_count: int = 0
    stored_count: int = 0
    unchanged_count: int = 0
    rejected_count: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    rejects: list[Reject] = dataclasses.field(default_factory=list)

    def add(self, other: LoadResult) -> None:
        """Add the counts of another file."""
        self.read_count += other.read_count
        self.stored_count += other.stored_count
        self.unchanged_count += other.unchanged_count
        self.rejected_count += other.rejected_count
        self.notes += other.notes


@dataclasses.dataclass(frozen=True)
class LoadOrder:
    """What to load and how. `source_name` overrides the name under which a file without a mapping is stored.

    `path` may be a folder; `more` are further files that belong to it. In a succession they came one after the other:
    a row of a later file replaces that of an earlier one, which then counts as there already.
    """

    path: Path
    kind: str
    mapping: FileMapping | None = None
    encoding: str | None = None
    source_name: str | None = None
    complete_to: dt.datetime | None = None
    more: tuple[Path, ...] = ()
    file_hash: str | None = None
    is_succession: bool = False

    @property
    def source(self) -> str:
        """Name under which the rows are stored."""
        return self.source_name or (self.mapping.source if self.mapping else self.kind)


def load(
    url: str, orders: Sequence[LoadOrder], *, now: dt.datetime | None = None, progress: Progress = say_nothing
) -> LoadResult:
    """Load files into the store, derive the touched customers again, and publish all of it at once.

    `now` is the load time, naive UTC (events later than a day after it are rejected, a *complete to* refused). Raises
    FrontdoorError, SourceError, MappingError or StoreError; then nothing has changed.
    """
    started = now or dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    _refuse_complete_to_ahead(orders, started)
    total = LoadResult()
    with open_writer(url) as connection:
        settings = _usable_settings(url, connection)
        derive.begin_touched(connection)
        with dialects.bounded_memory(connection), dialects.in_any_order(connection):
            for order in orders:
                total.add(_load_file(connection, order, settings, started, progress))
        total.notes += derive_changed(connection, settings, progress)
        total.notes += _complete_sources(connection, orders, started)
    return total


def rehearse(
    url: str, orders: Sequence[LoadOrder], *, now: dt.datetime | None = None, progress: Progress = say_nothing
) -> list[LoadResult]:
    """What `load` would do with each of the files, one after the other; the store stays as it is.

    The very load on a copy of a folder's generation, or in a transaction that is rolled back; only the derived tables,
    which change no count, are left out. Raises what `load` raises.
    """
    started = now or dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    _refuse_complete_to_ahead(orders, started)
    with open_rehearsal(url) as connection:
        settings = _usable_settings(url, connection)
        derive.begin_touched(connection)
        with dialects.bounded_memory(connection), dialects.in_any_order(connection):
            return [_load_file(connection, order, settings, started, progress) for order in orders]


def _usable_settings(url: str, connection: Connection) -> Settings:
    """The settings that apply now; a wrong cue file or preset is said before anything is done, texts or none."""
    settings = current_settings(url, connection)
    text.require_usable(text_settings_of(settings))
    return settings


def _refuse_complete_to_ahead(orders: Sequence[LoadOrder], started: dt.datetime) -> None:
    """Nothing is complete up to a moment to come: all that is open would count as ignored."""
    for order in orders:
        if order.complete_to is not None and order.complete_to > started + FUTURE_TOLERANCE:
            raise FrontdoorError(
                f"--complete-to {order.complete_to} UTC is in the future: give the moment up to which "
                f"{order.source} is complete, or leave it out: then it is that of its newest event"
            )


def _complete_sources(connection: Connection, orders: Sequence[LoadOrder], started: dt.datetime) -> list[str]:
    """Set *complete to* of the loaded sources; what a load says of it, where it was given now or before."""
    notes, given = [], dict[str, dt.datetime | None]()
    for order in orders:
        if order.kind != "customers":
            given[order.source] = max(filter(None, (given.get(order.source), order.complete_to)), default=None)
        elif order.complete_to is not None:
            notes.append(f"{order.path.name}: --complete-to says nothing of a customers file, which has no events")
    for source, moment in given.items():
        found = derive.refresh_source_status(connection, source, moment, started + FUTURE_TOLERANCE)
        if found is None:
            continue
        said = f"{source} is complete to {found.complete_to} UTC"
        if found.overtaken is not None:
            notes.append(f"{said}, its newest event, no longer to {found.overtaken}, as given before")
        elif moment is not None and found.newest_event_at is not None and found.newest_event_at > moment:
            notes.append(f"{said}, as given: what is newer, up to {found.newest_event_at}, is not counted yet")
        elif moment is not None:
            notes.append(f"{said}, as given")
    return notes


def rebuild(url: str, *, progress: Progress = say_nothing) -> int:
    """Derive all of the store again with the present settings; number of conversations."""
    from data_access.schema import conversations  # noqa: PLC0415

    progress("deriving", 0)
    with open_writer(url) as connection:
        _rebuild(connection, _usable_settings(url, connection), progress)
        return int(connection.scalar(select(func.count()).select_from(conversations)) or 0)


def _rebuild(connection: Connection, settings: Settings, report: Progress) -> None:
    """Place events of threads again, say again whose everything is, then derive everything."""
    derive.begin_touched(connection)
    with dialects.bounded_memory(connection):
        _rethread(connection, settings, report)
        runs = select(load_runs.c.source).where(load_runs.c.adapter.in_(_LINKED_SOURCES)).distinct()
        for source in sorted(connection.scalars(runs)):
            _find_parents(connection, source)
        customers.settle_all(connection, settings.identity)
    derive.rebuild(connection, settings, report)


def rescore(
    url: str,
    *,
    scorer: str | None = None,
    since: dt.datetime | None = None,
    progress: Progress = say_nothing,
    chunk_rows: int = 10 * BATCH_ROWS,
) -> int:
    """Read the texts again; number of interactions read. What a source supplied is kept.

    Works in chunks, each published whole: after an interruption the same command goes on where it stopped.
    Raises StoreError, or the text readers' own errors for an unknown scorer or a wrong cue file.
    """
    done = 0
    while True:
        with open_writer(url) as connection:
            settings = _usable_settings(url, connection)
            wanted = f"{scorer or text.SCORER_ID} since {since or 'the beginning'} {settings.fingerprint()}"
            info = read_info(connection)
            position = info.get("rescore_position", "") if info.get("rescore_order") == wanted else ""
            count, last = _rescore_chunk(connection, settings, scorer, since, position, chunk_rows, progress)
            done += count
            is_finished = count < chunk_rows
            write_info(
                connection,
                rescore_order="" if is_finished else wanted,
                rescore_position="" if is_finished else last,
            )
            derive_changed(connection, settings, progress)
        if is_finished:
            return done


def _rescore_chunk(
    connection: Connection,
    settings: Settings,
    scorer: str | None,
    since: dt.datetime | None,
    position: str,
    limit: int,
    report: Progress,
) -> tuple[int, str]:
    i = interactions.c
    text_settings = text_settings_of(settings)
    if scorer:
        name, _, folder = scorer.partition(":")
        text_settings = dataclasses.replace(text_settings, scorer=name, model_folder=folder or None)

    def if_supplied(name: str) -> Any:
        is_supplied = func.concat(",", func.coalesce(i.supplied, ""), ",").like(f"%,{name},%")
        return case((is_supplied, i[name])).label(name)

    statement = (
        select(*(if_supplied(name) if name in SUPPLIED_FIELDS else i[name] for name in TextRow._fields))
        .where(i.interaction_id > position, ~forgotten.is_forgotten())
        .order_by(i.interaction_id)
        .limit(limit)
    )
    if since is not None:
        statement = statement.where(i.occurred_at >= since)
    rows = connection.execute(statement).all()
    dialects.create_temporary(connection, _scores)
    _store_scores(connection, map(TextRow._make, rows), len(rows), text_settings, report)
    derive.begin_touched(connection)
    read = select(_scores.c.interaction_id)
    connection.execute(
        insert(derive.touched).from_select(
            ["customer_id"], select(i.customer_id).where(i.interaction_id.in_(read)).distinct()
        )
    )
    connection.execute(
        update(interactions)
        .where(i.interaction_id == _scores.c.interaction_id)
        .values({name: _scores.c[name] for name in SCORE_COLUMNS})
    )
    _scores.drop(connection)
    return len(rows), rows[-1].interaction_id if rows else position


def derive_changed(connection: Connection, settings: Settings, report: Progress) -> list[str]:
    """Derive what the load touched; everything, and say so, where the settings are others than those in force."""
    report("deriving", 0)
    if read_info(connection).get("settings_fingerprint") != settings.fingerprint():
        before = settings_in_force(connection)
        _rebuild(connection, settings, report)
        return [f"everything was derived again, for the settings have changed: {_changed(before, settings)}"]
    if connection.scalar(select(func.count()).select_from(derive.touched)):
        derive.derive_touched(connection, settings, report)
    return []


def _changed(before: Settings, now: Settings) -> str:
    """Names of the settings that differ."""
    names = (field.name for field in dataclasses.fields(Settings))
    return ", ".join(name for name in names if getattr(before, name) != getattr(now, name))


def _rethread(connection: Connection, settings: Settings, report: Progress) -> None:
    """Place the stored events again where the settings name other accounts of a source than those in force."""
    before = settings_in_force(connection)
    runs = select(load_runs.c.source, load_runs.c.adapter).where(load_runs.c.adapter.in_(_THREADED_SOURCES)).distinct()
    for source, adapter in sorted(map(tuple, connection.execute(runs))):
        rethread = SOURCES[adapter].rethread
        if rethread is None or before.company_accounts(source) == settings.company_accounts(source):
            continue
        batches = rethread(_StoredContext(connection, source, adapter, settings))
        order = LoadOrder(Path(), adapter, source_name=source)
        _load_events(connection, batches, order, settings, _NO_LIMIT, 0, report)


def _load_file(
    connection: Connection, order: LoadOrder, settings: Settings, started: dt.datetime, report: Progress
) -> LoadResult:
    source = SOURCES.get(order.kind)
    if source is None:
        raise FrontdoorError(f"unknown source {order.kind!r}; known are {', '.join(SOURCES)}")
    if not order.path.exists():
        raise FrontdoorError(f"{order.path}: there is no such file")
    run = int(connection.scalar(select(func.max(load_runs.c.load_run))) or 0) + 1
    batches = source.read(
        order.path,
        more=order.more,
        context=_StoredContext(connection, order.source, order.kind, settings),
        mapping=order.mapping,
        encoding=order.encoding,
        age_bands=settings.age_bands,
        today=started.date(),
    )
    if order.kind == "customers":
        result, rejects = _load_customers(connection, batches, order, settings, report)
    else:
        result, rejects = _load_events(connection, batches, order, settings, started, run, report)
    _keep_rejects(connection, rejects, order, run)
    result.rejected_count, result.rejects = len(rejects), rejects
    result.unchanged_count = result.read_count - result.stored_count - result.rejected_count
    connection.execute(
        insert(load_runs).values(
            load_run=run,
            started_at=started,
            finished_at=max(started, dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)),
            file=forgotten.stored_file_name(connection, order.path.name, order.source),
            source=order.source,
            adapter=order.kind,
            read_count=result.read_count,
            stored_count=result.stored_count,
            unchanged_count=result.unchanged_count,
            rejected_count=result.rejected_count,
            file_hash=order.file_hash,
        )
    )
    return result


def _keep_rejects(connection: Connection, rejects: Sequence[Reject], order: LoadOrder, run: int) -> None:
    rows = {
        opaque_id(
            "r", order.source, reject.file or order.path.name, str(reject.line), reject.reason, reject.raw
        ): reject
        for reject in rejects
    }
    if not rows:
        return
    r = rejected_rows.c
    known = set(connection.scalars(select(r.reject_id).where(r.source == order.source)))
    _see_again(connection, [key for key in rows if key in known], run)
    new = {key: reject for key, reject in rows.items() if key not in known}
    new = forgotten.without_forgotten_raw(connection, new, order.source)
    names = {reject.file or order.path.name for reject in new.values()}
    stored = {name: forgotten.stored_file_name(connection, name, order.source) for name in names}
    columns: dict[str, list[Any]] = {
        "reject_id": list(new),
        "load_run": [run] * len(new),
        "last_load_run": [run] * len(new),
        "source": [order.source] * len(new),
        "file": [_clean(stored[reject.file or order.path.name]) for reject in new.values()],
        "line": [reject.line for reject in new.values()],
        "reason": [_clean(reject.reason) for reject in new.values()],
        "raw": [_clean(reject.raw) for reject in new.values()],
    }
    schema = dialects.arrow_schema(rejected_rows)
    dialects.bulk_insert(connection, rejected_rows, pa.table(columns, schema=schema))


def _see_again(connection: Connection, ids: list[str], run: int) -> None:
    """Rejected rows that stand in the file once more: what a later load of it does not see is mended."""
    if not ids:
        return
    dialects.create_temporary(connection, _keys)
    dialects.bulk_insert(connection, _keys, _arrow(_keys, {"a": ids}))
    r = rejected_rows.c
    connection.execute(update(rejected_rows).where(r.reject_id.in_(select(_keys.c.a))).values(last_load_run=run))
    _keys.drop(connection)


def _clean(value: str | None) -> str | None:
    """Text that every engine can hold: no NUL, no half of a surrogate pair."""
    if value is None:
        return None
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


# --- events -------------------------------------------------------------------------------------------


def _load_events(
    connection: Connection,
    batches: Iterable[Batch],
    order: LoadOrder,
    settings: Settings,
    started: dt.datetime,
    run: int,
    report: Progress,
) -> tuple[LoadResult, list[Reject]]:
    dialects.create_temporary(connection, _seen)
    size, bytes_read, before = sum(map(file_size, (order.path, *order.more))), 0, 0
    staged = _Slice(connection, order, settings, report)
    for batch, ready in _made_ready(batches, order, started, run):
        staged.result.read_count += batch.read_count
        staged.rejects += batch.rejects
        bytes_read += batch.bytes_read
        expected = staged.result.read_count * size // bytes_read - before if bytes_read else None
        report("reading", batch.read_count, expected)
        if ready is not None:
            staged.add(ready)
            if staged.count >= dialects.at_once(SLICE_ROWS):
                staged.store(is_last=False)
                before = staged.result.read_count
    staged.store(is_last=True)
    if order.kind in _LINKED_SOURCES:
        _find_parents(connection, order.source)
    _seen.drop(connection)
    return staged.result, staged.rejects


class _Slice:
    """The staged rows of a file, or of a part of it: added batch by batch, then stored together.

    A file of several slices is stored as if it were as many files, of which the first row of an id counts.
    """

    def __init__(self, connection: Connection, order: LoadOrder, settings: Settings, report: Progress) -> None:
        self.result, self.rejects, self.count = LoadResult(), list[Reject](), 0
        self._connection, self._order, self._settings, self._report = connection, order, settings, report
        self._place = self._committed = self._misdated_count = 0
        self._misdated = list[str]()
        self._crowds = dict[str, int]()
        self._is_first, self._has_facts = True, False
        i = interactions.c
        of_source = select(i.interaction_id).where(i.source == order.source)
        self._was_loaded = dialects.has_rows(connection, of_source)
        # Whether any state of a row says when it was changed: then the newest counts, else the last.
        self._is_dated = self._was_loaded and dialects.has_rows(connection, of_source.where(i.changed_at.is_not(None)))
        self._undated_count = 0
        self._waiting = list[pa.Table]()
        self._begin()

    def _begin(self) -> None:
        for table in (_stage, _stage_facts, _known, _scores):
            dialects.create_temporary(self._connection, table)
        self.count, self._has_facts = 0, False

    def add(self, ready: _Ready) -> None:
        """Stage the rows of a batch."""
        self.rejects += ready.rejects
        self._waiting.append(ready.events)
        if ready.facts is not None:
            dialects.bulk_insert(self._connection, _stage_facts, ready.facts)
            self._has_facts = True
        self.count += ready.place - self._place
        self._place = ready.place
        waiting_bytes = sum(events.nbytes for events in self._waiting)
        if self._place - self._committed >= COMMIT_ROWS or waiting_bytes >= COMMIT_BYTES:
            self._stage_waiting()

    def _stage_waiting(self) -> None:
        """Stage what has come: many rows together are a third less work for the engine, on both its threads."""
        if self._waiting:
            together = pa.concat_tables(self._waiting, promote_options="default")  # each has the columns it fills
            dialects.bulk_insert(self._connection, _stage, together)
            self._waiting.clear()
        dialects.commit_copy(self._connection)
        self._committed = self._place

    def _keep_what_counts(self, *, is_last: bool) -> None:
        """Of each row its newest state, of equally new ones the first; duplicates of that are rejected."""
        connection, s = self._connection, _stage.c
        if not self._is_dated:
            self._is_dated = dialects.has_rows(connection, select(s.place).where(s.changed_at.is_not(None)))
        if self._is_dated:
            _drop_older_staged(connection, has_facts=self._has_facts)
            if self._was_loaded or not self._is_first:
                told, undated = _drop_older_than_stored(connection, has_facts=self._has_facts)
                self.result.stored_count += told
                self._undated_count += undated
        if not self._is_first:
            self.rejects += _reject_seen(connection, self._order)
        self.rejects += _reject_duplicates(connection, self._order)
        if is_last:
            return
        is_from_file = s.is_from_file.is_(True)
        if self._is_dated and not self._is_first:  # of a row that came before only its newest state is known
            again = _seen.c.interaction_id.in_(select(s.interaction_id).where(is_from_file))
            connection.execute(delete(_seen).where(again))
        dialects.insert_rows(connection, _seen, select(*(s[c.name] for c in _seen.columns)).where(is_from_file))

    def store(self, *, is_last: bool) -> None:
        """Store what is staged: new rows, corrections, and what they show of customers."""
        connection, settings = self._connection, self._settings
        self._stage_waiting()
        self._keep_what_counts(is_last=is_last)
        self.rejects += forgotten.without_forgotten_events(connection, _stage, settings.identity)
        is_replaced = (self._order.is_succession or self._is_dated) and not self._is_first
        if self._was_loaded or is_replaced or dialects.has_rows(connection, _not_from_file()):
            _classify(connection)
        _find_customers(connection, settings)
        counts = _counted(connection)
        _read_texts(connection, counts, settings, self._report)
        self.result.stored_count += counts.stored
        dialects.commit_copy(connection)
        if self._has_facts and (self._was_loaded or is_replaced):
            _keep_told_responses(connection)
        _merge(connection, counts)
        if self._is_dated and (self._was_loaded or is_replaced):
            _remember_changes(connection, has_facts=self._has_facts)
        if self._has_facts:
            _merge_facts(connection)
        dialects.commit_copy(connection)
        customers.refresh(connection)
        count, named = _misdated_replies(connection, self._order)
        self._misdated_count += count
        self._misdated = [*self._misdated, *named][:_MOST_NAMED]
        for customer, conversations in _crowds(connection):
            if reason_of_itself(f"id:{self._order.source}", customer, settings.identity) is None:
                self._crowds[customer] = max(conversations, self._crowds.get(customer, 0))
        if is_last:
            self.result.notes += _note_on_times(self._misdated_count, self._misdated)
            self.result.notes += _note_on_crowds(self._crowds)
            self.result.notes += _note_on_undated(self._undated_count)
        for table in (_stage, _stage_facts, _known, _scores):
            table.drop(connection)
        self._is_first = False
        if not is_last:
            self._begin()


class _Ready(NamedTuple):
    """Rows of a batch as they are staged, what of it is rejected, and the place behind its last row."""

    events: pa.Table
    facts: pa.Table | None
    rejects: list[Reject]
    place: int


def _made_ready(
    batches: Iterable[Batch], order: LoadOrder, started: dt.datetime, run: int
) -> Iterator[tuple[Batch, _Ready | None]]:
    """The batches with their rows made ready, in another thread while the rows before them are stored.

    Hashing them takes about as long as storing them; the batches themselves are asked for in this thread.
    """
    place, last = 0, None
    with ThreadPoolExecutor(1, thread_name_prefix="frontdoor-hashing") as worker:
        for batch in batches:
            coming = worker.submit(_make_ready, batch, order, started, run, place)
            if last is not None:
                yield last[0], last[1].result()
            last = batch, coming
            place += batch.events.num_rows if batch.events is not None else 0
        if last is not None:
            yield last[0], last[1].result()


def _make_ready(batch: Batch, order: LoadOrder, started: dt.datetime, run: int, place: int) -> _Ready | None:
    """Give the rows of a batch their ids and hashes; what has an impossible time is rejected."""
    if batch.events is None or not batch.events.num_rows:
        return None
    events, facts, rejects = without_impossible_times(batch.events, batch.facts, started, order.path)
    count = events.num_rows
    columns = {name: events[name].combine_chunks() for name in events.column_names}
    if order.kind in _THREADED_SOURCES:
        content = [columns[name] for name in _CONTENT_FIELDS if name not in _THREAD_FIELDS]
    else:
        content = [columns[name] for name in (*_CONTENT_FIELDS, "conversation", "brand")]
    told = {name: facts[name].combine_chunks() for name in facts.column_names} if facts is not None else {}
    conversations = columns["conversation"].dictionary_encode()
    staged = {
        **{name: _without_nul(columns[name]) for name in columns if name in _stage.c},
        "interaction_id": opaque_ids("i", order.source, columns["external_id"]),
        "conversation_id": opaque_ids("v", order.source, conversations.dictionary).take(conversations.indices),
        "source": pa.repeat(order.source, count),
        "content_hash": content_hashes([*content, *told.values()]),
        "load_run": pa.repeat(run, count),
        "change": pa.repeat("new", count),
        "place": pa.array(np.arange(place, place + count)),
    }
    told_of = {name: column for name, column in staged.items() if column.null_count < count}
    if facts is not None:
        del told["conversation"]
        is_known = pc.fill_null(told["is_response_known"], True)
        told["response_changed_at"] = pc.if_else(is_known, columns["changed_at"], pa.scalar(None, pa.timestamp("us")))
        told |= {name: staged[name] for name in ("conversation_id", "interaction_id", "source", "place")}
    return _Ready(
        _arrow(_stage, told_of),
        _arrow(_stage_facts, told) if facts is not None else None,
        rejects,
        place + batch.events.num_rows,
    )


def _without_nul(column: pa.Array) -> pa.Array:
    """Text that every engine can hold."""
    if column.type != pa.string() or not pc.any(pc.match_substring(column, "\x00")).as_py():
        return column
    return pc.replace_substring(column, "\x00", "\ufffd")


def _arrow(table: Table, columns: Mapping[str, Any]) -> pa.Table:
    schema = dialects.arrow_schema(table)
    names = [name for name in schema.names if name in columns]
    return pa.table([as_array(columns[name], schema.field(name).type) for name in names], names=names)


def _version(changed_at: ColumnElement[dt.datetime]) -> ColumnElement[dt.datetime]:
    """When a state of a row was changed; one that does not say it is older than any that does."""
    return func.coalesce(changed_at, literal(EARLIEST))


def _drop_older_staged(connection: Connection, *, has_facts: bool) -> None:
    """Take states of a row that are older than another staged one off the stage.

    What is told of the response to a ticket is kept of the newest state that can tell it.
    """
    s, f, told = _stage.c, _stage_facts.c, _told.c
    newest = (
        select(s.interaction_id, func.max(_version(s.changed_at)).label("at"))
        .group_by(s.interaction_id)
        .having(func.count() > 1)
        .subquery("newest")
    )
    is_older = exists().where(newest.c.interaction_id == s.interaction_id, _version(s.changed_at) < newest.c.at)
    if has_facts:
        _take_responses(connection, select(s.place).where(is_older))
        untold = and_(f.interaction_id == told.interaction_id, f.is_response_known.is_(False))
        connection.execute(update(_stage_facts).where(untold).values({name: told[name] for name in _RESPONSE_NAMES}))
        _told.drop(connection)
    connection.execute(delete(_stage).where(is_older))


def _drop_older_than_stored(connection: Connection, *, has_facts: bool) -> tuple[int, int]:
    """The same of states that are older than the stored one.

    How many stored tickets an older state told a response; how many of the states do not say when they were changed,
    and differ from what is kept.
    """
    s, i = _stage.c, interactions.c
    is_older = and_(i.interaction_id == s.interaction_id, _version(s.changed_at) < i.changed_at)
    told_count = _tell_responses(connection, is_older) if has_facts else 0
    undated = and_(is_older, s.changed_at.is_(None), s.is_from_file.is_(True), s.content_hash != i.content_hash)
    undated_count = int(connection.scalar(select(func.count()).select_from(_stage).join(interactions, undated)) or 0)
    connection.execute(delete(_stage).where(exists().where(is_older)))
    return told_count, undated_count


def _tell_responses(connection: Connection, is_older: ColumnElement[bool]) -> int:
    """Give stored tickets the response that an older staged state tells, where no newer one has told it; how many."""
    stored, told = reported_facts.c, _told.c
    _take_responses(connection, select(_stage.c.place).join(interactions, is_older).where(~forgotten.is_forgotten()))
    is_newer = told.response_changed_at > _version(stored.response_changed_at)
    is_untold = stored.is_response_known.is_(False)
    better = and_(stored.interaction_id == told.interaction_id, or_(is_untold, is_newer))
    count = int(connection.scalar(select(func.count()).select_from(reported_facts).join(_told, better)) or 0)
    if count:
        theirs = select(stored.customer_id).join(_told, better).distinct()
        dialects.insert_rows(connection, derive.touched, theirs)
        values = {name: told[name] for name in _RESPONSE_NAMES}
        connection.execute(update(reported_facts).where(better).values(values))
    _told.drop(connection)
    return count


def _take_responses(connection: Connection, places: Select[Any]) -> None:
    """Make the table of what the newest of these staged states that can tell it says of each ticket's response."""
    f = _stage_facts.c
    names = ["interaction_id", *_RESPONSE_NAMES]
    dialects.create_temporary(connection, _told)
    newest_first = (_version(f.response_changed_at).desc(), f.place)
    rank = func.row_number().over(partition_by=f.interaction_id, order_by=newest_first)
    known = and_(f.is_response_known.is_not(False), f.place.in_(places))
    ranked = select(*(f[name] for name in names), rank.label("rank")).where(known).subquery("ranked")
    found = select(*(ranked.c[name] for name in names)).where(ranked.c.rank == 1)
    dialects.insert_rows(connection, _told, found)


def _note_on_undated(count: int) -> list[str]:
    """What a load says of states without a time of change beside stored ones that have it."""
    if not count:
        return []
    return [
        f"{count:,} × a row that does not say when it was changed, and differs from what is stored with such a time: "
        "the stored one was kept"
    ]


def _remember_changes(connection: Connection, *, has_facts: bool) -> None:
    """What came again as it is stored, but of a later change, is as new as that: no state between them replaces it."""
    s, i, f, stored = _stage.c, interactions.c, _stage_facts.c, reported_facts.c
    is_newer = and_(s.change == "same", s.changed_at > _version(i.changed_at))
    connection.execute(
        update(interactions).where(i.interaction_id == s.interaction_id, is_newer).values(changed_at=s.changed_at)
    )
    if has_facts:
        is_newer = f.response_changed_at > _version(stored.response_changed_at)
        is_same = exists().where(s.place == f.place, s.change == "same")
        connection.execute(
            update(reported_facts)
            .where(stored.interaction_id == f.interaction_id, is_newer, is_same)
            .values(response_changed_at=f.response_changed_at)
        )


def _reject_duplicates(connection: Connection, order: LoadOrder) -> list[Reject]:
    """Within one file the first row of an id counts; a later one with other content is rejected.

    So it is among the files of an order; in a succession each has its own first row, and that of the last file counts.
    """
    s = _stage.c
    repeating = select(s.interaction_id).group_by(s.interaction_id).having(func.count() > 1)
    if not dialects.has_rows(connection, repeating):
        return []
    key = [s.interaction_id, s.file] if order.is_succession else [s.interaction_id]
    first = select(*key, func.min(s.place).label("place")).group_by(*key).having(func.count() > 1).subquery("first")
    is_repeated = and_(*(first.c[column.name] == column for column in key), s.place != first.c.place)
    other = _stage.alias("other")
    is_first = and_(other.c.interaction_id == first.c.interaction_id, other.c.place == first.c.place)
    repeated = select(_stage, *_first_place(other.c)).join(first, is_repeated).join(other, is_first)
    rejects = _rejects_of(connection, repeated, order.path)
    connection.execute(delete(_stage).where(exists().where(is_repeated)))
    if order.is_succession:
        last = repeating.add_columns(func.max(s.place).label("place")).subquery("last")
        connection.execute(
            delete(_stage).where(exists().where(last.c.interaction_id == s.interaction_id, s.place < last.c.place))
        )
    return rejects


def _reject_seen(connection: Connection, order: LoadOrder) -> list[Reject]:
    """The same against the slices of the file that are stored already; a newer state of a row is no duplicate."""
    s, seen = _stage.c, _seen.c
    again = and_(
        seen.interaction_id == s.interaction_id,
        s.is_from_file.is_(True),
        _version(s.changed_at) <= _version(seen.changed_at),
    )
    if order.is_succession:  # what an earlier file said is corrected, as by a load of its own
        again = and_(again, seen.file == s.file)
    if not dialects.has_rows(connection, select(s.interaction_id).join(_seen, again)):
        return []
    repeated = select(_stage, *_first_place(seen)).join(_seen, again)
    rejects = _rejects_of(connection, repeated, order.path)
    connection.execute(delete(_stage).where(exists().where(again)))
    return rejects


def _first_place(first: Any) -> list[ColumnElement[Any]]:
    return [first.file.label("first_file"), first.line.label("first_line"), first.content_hash.label("kept")]


def _rejects_of(connection: Connection, repeated: Select[Any], path: Path) -> list[Reject]:
    """Of staged rows beside the row that is `kept` those with other content, as rejects."""
    r = repeated.subquery("repeated").c
    rows = connection.execute(
        select(r.external_id, r.file, r.line, r.raw, r.raw_at, r.raw_bytes, r.first_file, r.first_line)
        .where(r.content_hash != r.kept)
        .order_by(r.place)
    ).all()
    raws = raw_texts(path, [(row.raw, row.raw_at, row.raw_bytes) for row in rows])
    return [
        Reject(
            row.line,
            f"id {row.external_id} stands in line {row.first_line}"
            f"{f' of {row.first_file}' if row.first_file != row.file else ''} already, with different content",
            raw,
            row.file,
        )
        for row, raw in zip(rows, raws, strict=True)
    ]


def _not_from_file() -> Select[Any]:
    """Staged rows that are stored already and find another place, as in a thread that a new row begins."""
    return select(_stage.c.interaction_id).where(_stage.c.is_from_file.is_not(True))


def _classify(connection: Connection) -> None:
    """Mark the staged rows that are stored already as changed (other content), moved (other conversation) or same.

    Those of the file's own slices before are gone from the stage: so nothing is to be found where the source had no
    rows, and all that is stored need not be looked through once a slice.
    """
    s, i, k = _stage.c, interactions.c, _known.c
    moved = or_(*(s[name].is_distinct_from(i[name]) for name in _PLACEMENT_FIELDS))
    change = case(
        (and_(s.is_from_file.is_(True), s.content_hash != i.content_hash), "changed"), (moved, "moved"), else_="same"
    )
    connection.execute(
        insert(_known).from_select(
            ["interaction_id", "change", "content_hash", "load_run"],
            select(s.interaction_id, change, i.content_hash, i.load_run).join(
                interactions, i.interaction_id == s.interaction_id
            ),
        )
    )
    # What a stored tweet said of itself stays as it was loaded, when only its place in the thread moves.
    is_from_file = s.is_from_file.is_(True)
    connection.execute(
        update(_stage)
        .where(s.interaction_id == k.interaction_id)
        .values(
            change=k.change,
            content_hash=case((is_from_file, s.content_hash), else_=k.content_hash),
            load_run=case((is_from_file, s.load_run), else_=k.load_run),
        )
    )


class _Staged(NamedTuple):
    """How many staged rows are new or corrected in the file, replace a stored one, have a text or none to store."""

    stored: int
    replacing: int
    with_text: int
    without_text: int
    first_place: int
    last_place: int


def _counted(connection: Connection) -> _Staged:
    s = _stage.c
    writing = s.change != "same"
    counts = (
        and_(s.is_from_file.is_(True), s.change.in_(("new", "changed"))),
        s.change.in_(("changed", "moved")),
        and_(writing, s.text.is_not(None)),
        and_(writing, s.text.is_(None)),
    )
    ends = (func.coalesce(end(s.place), 0) for end in (func.min, func.max))
    return _Staged._make(connection.execute(select(*(func.count().filter(one) for one in counts), *ends)).one())


def _find_customers(connection: Connection, settings: Settings) -> None:
    """Give every staged conversation its customer, and move what the new rows show to be another's."""
    customers.settle_events(connection, _stage, settings.identity)
    owner = customers.owners.c
    connection.execute(
        update(_stage).where(_stage.c.conversation_id == owner.statement_id).values(customer_id=owner.customer_id)
    )


def _read_texts(connection: Connection, staged: _Staged, settings: Settings, report: Progress) -> None:
    """Score the texts of new, changed and moved rows; what the source supplied is kept and marked so."""
    s = _stage.c
    has_text = and_(s.change != "same", s.text.is_not(None))
    report("reading texts", staged.without_text, staged.without_text + staged.with_text)
    columns = [s[name] for name in TextRow._fields]

    def rows() -> Iterator[TextRow]:
        for start in range(staged.first_place, staged.last_place + 1, BATCH_ROWS):
            within = and_(s.place >= start, s.place < start + BATCH_ROWS)
            found = connection.execute(select(*columns).where(within, has_text).order_by(s.place))
            yield from map(TextRow._make, found.all())

    if staged.with_text:
        _store_scores(connection, rows(), staged.with_text, text_settings_of(settings), report)


def _store_scores(
    connection: Connection, rows: Iterator[TextRow], count: int, settings: text.TextSettings, report: Progress
) -> None:
    for columns in scored_in_turn(rows, count, settings):
        report("reading texts", len(columns["interaction_id"]))
        dialects.bulk_insert(connection, _scores, _arrow(_scores, columns))


def _without_text() -> dict[str, ColumnElement[Any]]:
    """What `scored` says of a staged row without a text: only what the source supplied."""
    s = _stage.c
    has_sentiment = or_(s.sentiment_label.is_not(None), s.sentiment_score.is_not(None))
    label = case((s.sentiment_score <= -0.05, "negative"), (s.sentiment_score >= 0.05, "positive"), else_="neutral")
    of_label = case((s.sentiment_label == "negative", -1.0), (s.sentiment_label == "positive", 1.0), else_=0.0)
    is_complaint = case((s.direction == "inbound", s.is_complaint))
    given = (case((s[name].is_not(None), name)) for name in SUPPLIED_FIELDS)
    values: dict[str, Any] = dict.fromkeys(SCORE_COLUMNS, null()) | {
        "sentiment_label": case((has_sentiment, func.coalesce(s.sentiment_label, label))),
        "sentiment_score": case((has_sentiment, func.coalesce(s.sentiment_score, of_label))),
        "sentiment_scorer": case((has_sentiment, "supplied")),
        "not_scored_reason": case((~has_sentiment, "empty")),
        "is_complaint": is_complaint,
        "complaint_scorer": case((s.is_complaint.is_not(None), "supplied")),
        "needs_reply": or_(func.coalesce(is_complaint, false()), func.coalesce(s.needs_reply, true())),
        "topics": s.topic,
        "topic": s.topic,
        "blamed_channel": s.blamed_channel,
        "supplied": func.nullif(func.concat_ws(",", *given), ""),
    }
    return {name: dialects.typed(value, interactions.c[name]) for name, value in values.items()}


def text_settings_of(settings: Settings) -> text.TextSettings:
    """What the text readers need to know."""
    return text.TextSettings(
        brand_words=tuple(sorted(word.lower() for word in settings.brand_words)),
        cues_file=settings.cues_file or None,
        preset_public=settings.preset_public,
        preset_private=settings.preset_private,
    )


def _merge(connection: Connection, staged: _Staged) -> None:
    s = _stage.c
    writing = s.change != "same"
    if staged.replacing:
        _remove_replaced(connection)
    connection.execute(
        insert(derive.touched).from_select(["customer_id"], select(s.customer_id).where(writing).distinct())
    )
    names = [c.name for c in interactions.columns]
    if staged.with_text:
        read = {name: _scores.c[name] for name in SCORE_COLUMNS}
        with_text = select(*(read.get(name, s[name]).label(name) for name in names)).join_from(
            _stage, _scores, _scores.c.interaction_id == s.interaction_id
        )
        connection.execute(insert(interactions).from_select(names, with_text.where(writing)))
    if staged.without_text:
        supplied = _without_text()
        without_text = select(*(supplied.get(name, s[name]).label(name) for name in names)).where(s.text.is_(None))
        connection.execute(insert(interactions).from_select(names, without_text.where(writing)))
    connection.execute(
        insert(event_keys).from_select(
            ["interaction_id", "customer_id"], select(s.interaction_id, s.customer_id).where(writing)
        )
    )


def _remove_replaced(connection: Connection) -> None:
    """Delete the stored rows that staged ones replace.

    Customers who lose an event to another conversation must be derived again, too.
    """
    replacing = _stage.c.change.in_(("changed", "moved"))
    before = (
        select(interactions.c.customer_id)
        .join(_stage, and_(_stage.c.interaction_id == interactions.c.interaction_id, replacing))
        .distinct()
    )
    connection.execute(insert(derive.touched).from_select(["customer_id"], before))
    ids = select(_stage.c.interaction_id).where(replacing)
    for table in (interactions, event_keys, reported_facts):
        connection.execute(delete(table).where(table.c.interaction_id.in_(ids)))


def _keep_told_responses(connection: Connection) -> None:
    """What an earlier load told of the response to a ticket stays where a later file cannot tell it."""
    f, stored, told = _stage_facts.c, reported_facts.c, _told.c
    names = ["interaction_id", *_RESPONSE_NAMES]
    dialects.create_temporary(connection, _told)
    connection.execute(
        insert(_told).from_select(
            names,
            select(*(stored[name] for name in names))
            .join(_stage_facts, f.interaction_id == stored.interaction_id)
            .where(f.is_response_known.is_(False), stored.is_response_known.is_not(False)),
        )
    )
    connection.execute(
        update(_stage_facts)
        .where(f.interaction_id == told.interaction_id)
        .values({name: told[name] for name in _RESPONSE_NAMES})
    )
    _told.drop(connection)


def _merge_facts(connection: Connection) -> None:
    """What became of a ticket or call is kept by its own row, also where several stand in one conversation."""
    s, f = _stage.c, _stage_facts.c
    names = ["customer_id", *_FACT_NAMES]
    connection.execute(
        insert(reported_facts).from_select(
            names,
            select(s.customer_id, *(f[name] for name in _FACT_NAMES))
            .select_from(_stage_facts)
            .join(_stage, s.place == f.place)
            .where(s.change != "same"),
        )
    )


def _find_parents(connection: Connection, source: str) -> None:
    """Let replies know that what they answer came with another file: so the order of loads makes no difference.

    Only within their thread: where the missing message alone could tell to which thread a reply belongs, it stays in
    one of its own, whose beginning is not in the data, until it is loaded again.
    """
    i, o = interactions.c, _orphans.c
    orphans = select(*(i[column.name] for column in o)).where(i.source == source, i.is_parent_missing.is_(True))
    if not dialects.has_rows(connection, orphans):
        return
    for table in (_orphans, _keys):
        dialects.create_temporary(connection, table)
    dialects.insert_rows(connection, _orphans, orphans)
    is_parent = and_(i.source == o.source, i.thread_id == o.thread_id, i.external_id == o.reply_to)
    found = select(o.interaction_id.label("a")).join(interactions, is_parent).distinct()
    dialects.insert_rows(connection, _keys, found)
    is_found = i.interaction_id.in_(select(_keys.c.a))
    dialects.insert_rows(connection, derive.touched, select(i.customer_id).where(is_found).distinct())
    connection.execute(update(interactions).where(is_found).values(is_parent_missing=False))
    for table in (_orphans, _keys):
        table.drop(connection)


def _crowds(connection: Connection) -> Sequence[Any]:
    """Ids of customers in more of the staged conversations than a person begins, with how many, the most first."""
    s = _stage.c
    known = and_(s.customer.is_not(None), s.is_from_file.is_(True))
    # Rows are counted first, which is a third of the work: hardly anybody has so many.
    many = select(s.customer).where(known).group_by(s.customer).having(func.count() > MOST_OF_A_PERSON)
    count = func.count(s.conversation_id.distinct())
    return connection.execute(
        select(s.customer, count)
        .where(known, s.customer.in_(many))
        .group_by(s.customer)
        .having(count > MOST_OF_A_PERSON)
        .order_by(count.desc(), s.customer)
        .limit(_MOST_NAMED)
    ).all()


def _note_on_crowds(crowds: Mapping[str, int]) -> list[str]:
    """What a load says of an id such as "guest" that many people share: all of them would be one customer."""
    if not crowds:
        return []
    largest = sorted(crowds.items(), key=lambda one: -one[1])[:_MOST_NAMED]
    named = ", ".join(f"{masked('id', customer)} in {conversations:,}" for customer, conversations in largest)
    return [
        f"an id of a customer stands in more than {MOST_OF_A_PERSON:,} conversations ({named}): if many people share "
        "it, name it in identity.never_joins of the settings, as in 'id:guest', and run frontdoor rebuild"
    ]


def _misdated_replies(connection: Connection, order: LoadOrder) -> tuple[int, list[str]]:
    """How many replies staged now, or to events staged now, are dated before what they answer; the first in words."""
    i = interactions.c
    replies = select(i.interaction_id).where(i.source == order.source, i.reply_to.is_not(None))
    if not dialects.has_rows(connection, replies):
        return 0, []
    written = select(_stage.c.interaction_id).where(_stage.c.change != "same")
    pairs = derive.misdated_replies().subquery("pairs")
    reply, question = interactions.alias("reply"), interactions.alias("asked")
    reply_row, question_row = _stage.alias("reply_row"), _stage.alias("asked_row")
    rows = connection.execute(
        select(
            func.count().over(),
            reply.c.external_id,
            reply_row.c.file,
            reply_row.c.line,
            question.c.external_id,
            question_row.c.file,
            question_row.c.line,
        )
        .select_from(pairs)
        .join(reply, reply.c.interaction_id == pairs.c.reply_id)
        .join(question, question.c.interaction_id == pairs.c.question_id)
        .outerjoin(reply_row, reply_row.c.interaction_id == pairs.c.reply_id)
        .outerjoin(question_row, question_row.c.interaction_id == pairs.c.question_id)
        .where(or_(pairs.c.reply_id.in_(written), pairs.c.question_id.in_(written)))
        .order_by(reply.c.occurred_at, reply.c.external_id)
        .limit(_MOST_NAMED)
    ).all()

    def named(key: str, file: str | None, line: int | None) -> str:
        return f"{key} in line {line} of {file or order.path.name}" if line else key

    return rows[0][0] if rows else 0, [f"{named(*row[1:4])} before {named(*row[4:])}" for row in rows]


def _note_on_times(count: int, named: Sequence[str]) -> list[str]:
    """What a load says of replies that are dated before what they answer."""
    if not count:
        return []
    return [
        f"{count:,} × a reply dated before what it answers ({', '.join(named)}{', …' if count > len(named) else ''}): "
        "one of the two times is wrong, so it counts as an answer at an unknown time"
    ]


class _StoredContext:
    """Answers a source's questions about earlier loads."""

    def __init__(self, connection: Connection, source: str, kind: str, settings: Settings) -> None:
        self._connection = connection
        self._source = source
        self._kind = kind
        self._settings = settings

    def company_accounts(self) -> Mapping[str, str]:
        named = self._settings.company_accounts(self._source)
        if self._kind not in _THREADED_SOURCES:
            return named  # what an earlier load took for the company's proves nothing, and would stay for ever
        i = interactions.c
        rows = self._connection.scalars(
            select(i.author)
            .where(i.source == self._source, i.direction == "outbound", i.author.is_not(None))
            .distinct()
            .order_by(i.author)
        )
        stored = {author.lower(): author for author in rows}
        return {**stored, **named}

    def related_events(self, ids: Iterable[str], new_accounts: Sequence[str]) -> Iterator[StoredEvent]:
        i = interactions.c
        if not dialects.has_rows(self._connection, select(i.interaction_id).where(i.source == self._source)):
            return
        dialects.create_temporary(self._connection, _keys)
        remaining = iter(ids)
        while part := list(itertools.islice(remaining, BATCH_ROWS)):
            dialects.bulk_insert(self._connection, _keys, _arrow(_keys, {"a": part}))
        near = or_(i.external_id.in_(select(_keys.c.a)), i.reply_to.in_(select(_keys.c.a)))
        naming = [dialects.contains_text(i.text, f"@{account}") for account in new_accounts]
        threads = select(i.thread_id).where(i.source == self._source, or_(near, *naming)).distinct()
        yield from self._events(i.thread_id.in_(threads))
        _keys.drop(self._connection)

    def stored_events(self) -> Iterator[StoredEvent]:
        return self._events(true())

    def _events(self, condition: ColumnElement[bool]) -> Iterator[StoredEvent]:
        """The events, never all of them in memory: nothing else may be asked of the store before the last of them."""
        i = interactions.c
        columns = (i.external_id, i.author, i.direction, i.occurred_at, i.text, i.reply_to, i.recorded_responses)
        mine = select(*columns).where(i.source == self._source, condition, ~forgotten.is_forgotten())
        for row in self._connection.execute(mine, execution_options={"yield_per": BATCH_ROWS}):
            yield StoredEvent(
                row.external_id,
                row.author,
                row.direction == "inbound",
                row.occurred_at,
                row.text,
                row.reply_to,
                row.recorded_responses,
            )


# --- customers ------------------------------------------------------------------------------------------


def _load_customers(
    connection: Connection, batches: Iterable[Batch], order: LoadOrder, settings: Settings, report: Progress
) -> tuple[LoadResult, list[Reject]]:
    result, rejects = LoadResult(), list[Reject]()
    for batch in batches:
        result.read_count += batch.read_count
        rejects += batch.rejects
        report("reading", batch.read_count)
        if batch.customers is not None:
            listed = batch.customers.to_pylist()
            wanted = forgotten.without_forgotten_customers(connection, listed, order.source, settings.identity)
            if len(wanted) < len(listed):
                result.notes.append(f"{len(listed) - len(wanted)} forgotten customers were left out")
            stored, notes = customers.settle_customers(connection, wanted, order.source, settings.identity)
            result.stored_count += stored
            result.notes += notes
    return result, rejects


__all__ = [
    "LoadOrder",
    "LoadResult",
    "load",
    "rebuild",
    "rehearse",
    "rescore",
    "text_settings_of",
]
