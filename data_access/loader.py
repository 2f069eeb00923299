"""Load files into the store: stage, classify, resolve customers, read the texts, store, derive. All or nothing.

Every record ends in exactly one of three counts: stored (new or corrected), unchanged, rejected (kept with
its reason). Loading a file again stores nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from data_access import derive, dialects, forgotten, text
from data_access.config import Settings
from data_access.errors import FrontdoorError
from data_access.identities import (
    IDENTITY_PRIORITY,
    Identity,
    People,
    content_hash,
    normalised,
    opaque_id,
    split_identity,
)
from data_access.schema import (
    customer_identities,
    customers,
    event_keys,
    interactions,
    load_runs,
    rejected_rows,
    reported_facts,
)
from data_access.sources import SOURCES
from data_access.sources.base import BATCH_ROWS, Batch, Reject, StoredEvent, without_impossible_times
from data_access.sources.mapping import Mapping as FileMapping
from data_access.store import current_settings, open_writer, read_info, write_info
from data_access.vocabulary import PUBLIC_CHANNELS

Progress = Callable[[str, int], None]

_work = MetaData()
_stage = Table(
    "stage_events",
    _work,
    *(Column(c.name, c.type) for c in interactions.columns),
    Column("is_from_file", Boolean),
    Column("line", BigInteger),
    Column("raw", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("handle", Text),
    Column("customer", Text),
    Column("display_name", Text),
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
_stage_identities = Table(
    "stage_identities",
    _work,
    Column("conversation_id", Text),
    Column("identity_kind", Text),
    Column("identity_value", Text),
    Column("new_customer_id", Text),
    prefixes=["TEMPORARY"],
)
_changes = Table(
    "stage_changes", _work, Column("interaction_id", Text), Column("change", Text), prefixes=["TEMPORARY"]
)
_owners = Table(
    "stage_owners",
    _work,
    Column("conversation_id", Text),
    Column("customer_id", Text),
    prefixes=["TEMPORARY"],
)
_SCORE_COLUMNS = (
    "language",
    "sentiment_label",
    "sentiment_score",
    "sentiment_confidence",
    "sentiment_scorer",
    "not_scored_reason",
    "is_complaint",
    "complaint_scorer",
    "needs_reply",
    "topics",
    "topic",
    "blamed_channel",
    "evidence",
    "supplied",
)
_READ_FIELDS = ("interaction_id", "text", "direction", "channel", "brand")
_SUPPLIED_FIELDS = (
    "language",
    "sentiment_label",
    "sentiment_score",
    "is_complaint",
    "needs_reply",
    "topic",
    "blamed_channel",
)
_scores = Table(
    "stage_scores",
    _work,
    Column("interaction_id", Text),
    *(Column(name, interactions.c[name].type) for name in _SCORE_COLUMNS),
    prefixes=["TEMPORARY"],
)
_claims = Table(
    "stage_claims",
    _work,
    Column("conversation_id", Text),
    Column("customer_id", Text),
    Column("rank", Text),
    prefixes=["TEMPORARY"],
)
_same = Table("stage_same", _work, Column("customer_id", Text), Column("owner_id", Text), prefixes=["TEMPORARY"])
_CUSTOMER_ATTRIBUTES = [c.name for c in customers.columns if c.name != "customer_id"]
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
    "conversation_id",
    "brand",
    "thread_id",
    "is_addressed",
    "is_parent_missing",
    "has_reported_answer",
)
_THREADED_SOURCES = frozenset({"twcs"})
# Where conversations are threads, later loads may say better who the customer is: no content of the event.
_THREAD_FIELDS = frozenset({"customer", "handle"})


@dataclasses.dataclass
class LoadResult:
    """What a load did. `read_count` is always the sum of the other three."""

    read_count: int = 0
    stored_count: int = 0
    unchanged_count: int = 0
    rejected_count: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: LoadResult) -> None:
        """Add the counts of another file."""
        self.read_count += other.read_count
        self.stored_count += other.stored_count
        self.unchanged_count += other.unchanged_count
        self.rejected_count += other.rejected_count
        self.notes += other.notes


@dataclasses.dataclass(frozen=True)
class LoadOrder:
    """What to load and how. `source_name` overrides the name under which a twcs or customers file is stored."""

    path: Path
    kind: str
    mapping: FileMapping | None = None
    encoding: str | None = None
    source_name: str | None = None
    complete_to: dt.datetime | None = None
    file_hash: str | None = None

    @property
    def source(self) -> str:
        """Name under which the rows are stored."""
        return self.source_name or (self.mapping.source if self.mapping else self.kind)


def load(
    url: str, orders: Sequence[LoadOrder], *, now: dt.datetime | None = None, progress: Progress | None = None
) -> LoadResult:
    """Load files into the store, derive the touched customers again, and publish all of it at once.

    `now` is the load time, naive UTC (events later than a day after it are rejected). Raises SourceError,
    MappingError or StoreError; then nothing has changed.
    """
    started = now or dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    settings = current_settings(url)
    report = progress or (lambda _stage, _rows: None)
    total = LoadResult()
    with open_writer(url) as connection:
        derive.begin_touched(connection)
        for order in orders:
            total.add(_load_file(connection, order, settings, started, report))
        derive_changed(connection, settings, report)
        for order in orders:
            if order.kind != "customers":
                derive.refresh_source_status(connection, order.source, order.complete_to)
    return total


def rebuild(url: str, *, progress: Progress | None = None) -> int:
    """Derive all of the store again with the present settings; number of conversations."""
    from data_access.schema import conversations  # noqa: PLC0415

    if progress:
        progress("deriving", 0)
    with open_writer(url) as connection:
        derive.rebuild(connection, current_settings(url))
        return int(connection.scalar(select(func.count()).select_from(conversations)) or 0)


def rescore(
    url: str,
    *,
    scorer: str | None = None,
    since: dt.datetime | None = None,
    progress: Progress | None = None,
    chunk_rows: int = 10 * BATCH_ROWS,
) -> int:
    """Read the texts again; number of interactions read. What a source supplied is kept.

    Works in chunks, each published whole: after an interruption the same command goes on where it stopped.
    Raises StoreError, or the text readers' own errors for an unknown scorer or a wrong cue file.
    """
    report = progress or (lambda _stage, _rows: None)
    settings = current_settings(url)
    done = 0
    while True:
        with open_writer(url) as connection:
            wanted = f"{scorer or text.SCORER_ID} since {since or 'the beginning'} {settings.fingerprint()}"
            info = read_info(connection)
            position = info.get("rescore_position", "") if info.get("rescore_order") == wanted else ""
            count, last = _rescore_chunk(connection, settings, scorer, since, position, chunk_rows, report)
            done += count
            is_finished = count < chunk_rows
            write_info(
                connection,
                rescore_order="" if is_finished else wanted,
                rescore_position="" if is_finished else last,
            )
            derive_changed(connection, settings, report)
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
        select(*(i[name] for name in _READ_FIELDS), *(if_supplied(name) for name in _SUPPLIED_FIELDS))
        .where(i.interaction_id > position, ~forgotten.is_forgotten())
        .order_by(i.interaction_id)
        .limit(limit)
    )
    if since is not None:
        statement = statement.where(i.occurred_at >= since)
    rows = connection.execute(statement).all()
    dialects.create_temporary(connection, _scores)
    for start in range(0, len(rows), BATCH_ROWS):
        columns = _scored(rows[start : start + BATCH_ROWS], text_settings, report)
        dialects.bulk_insert(connection, _scores, _arrow(_scores, columns))
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
        .values({name: _scores.c[name] for name in _SCORE_COLUMNS})
    )
    _scores.drop(connection)
    return len(rows), rows[-1].interaction_id if rows else position


def derive_changed(connection: Connection, settings: Settings, report: Progress) -> None:
    """Derive what the load touched; everything, where the settings are others than those in force."""
    report("deriving", 0)
    if read_info(connection).get("settings_fingerprint") != settings.fingerprint():
        derive.rebuild(connection, settings)
    elif connection.scalar(select(func.count()).select_from(derive.touched)):
        derive.derive_touched(connection, settings)


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
        context=_StoredContext(connection, order.source, settings),
        mapping=order.mapping,
        encoding=order.encoding,
        age_bands=settings.age_bands,
    )
    if order.kind == "customers":
        result, rejects = _load_customers(connection, batches, order, report)
    else:
        result, rejects = _load_events(connection, batches, order, settings, started, run, report)
    _keep_rejects(connection, rejects, order, run)
    result.rejected_count = len(rejects)
    result.unchanged_count = result.read_count - result.stored_count - result.rejected_count
    connection.execute(
        insert(load_runs).values(
            load_run=run,
            started_at=started,
            finished_at=max(started, dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)),
            file=order.path.name,
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
        opaque_id("r", order.source, order.path.name, str(reject.line), reject.reason, reject.raw): reject
        for reject in rejects
    }
    if not rows:
        return
    known = set(connection.scalars(select(rejected_rows.c.reject_id).where(rejected_rows.c.source == order.source)))
    new = {key: reject for key, reject in rows.items() if key not in known}
    new = forgotten.without_forgotten_raw(connection, new, order.source)
    columns: dict[str, list[Any]] = {
        "reject_id": list(new),
        "load_run": [run] * len(new),
        "source": [order.source] * len(new),
        "file": [order.path.name] * len(new),
        "line": [reject.line for reject in new.values()],
        "reason": [_clean(reject.reason) for reject in new.values()],
        "raw": [_clean(reject.raw) for reject in new.values()],
    }
    schema = dialects.arrow_schema(rejected_rows)
    dialects.bulk_insert(connection, rejected_rows, pa.table(columns, schema=schema))


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
    for table in (_stage, _stage_facts, _stage_identities, _changes, _owners, _scores):
        dialects.create_temporary(connection, table)
    result, rejects, place = LoadResult(), list[Reject](), 0
    for batch in batches:
        result.read_count += batch.read_count
        rejects += batch.rejects
        report("reading", batch.read_count)
        if batch.events is not None and batch.events.num_rows:
            rejects += _stage_batch(connection, batch, order, started, run, place)
            place += batch.events.num_rows
    rejects += _reject_duplicates(connection)
    rejects += forgotten.without_forgotten_events(connection, _stage, _stage_identities)
    _classify(connection)
    _resolve_customers(connection)
    _read_texts(connection, settings, report)
    result.stored_count = int(
        connection.scalar(
            select(func.count()).where(_stage.c.is_from_file.is_(True), _stage.c.change.in_(("new", "changed")))
        )
        or 0
    )
    _merge(connection)
    for table in (_stage, _stage_facts, _stage_identities, _changes, _owners, _scores):
        table.drop(connection)
    return result, rejects


def _stage_batch(
    connection: Connection, batch: Batch, order: LoadOrder, started: dt.datetime, run: int, place: int
) -> list[Reject]:
    assert batch.events is not None
    events, facts, rejects = without_impossible_times(batch.events, batch.facts, started)
    columns = {name: events[name].to_pylist() for name in events.column_names}
    source, count = order.source, events.num_rows
    if order.kind in _THREADED_SOURCES:
        content = [columns[name] for name in _CONTENT_FIELDS if name not in _THREAD_FIELDS]
    else:
        content = [columns[name] for name in (*_CONTENT_FIELDS, "conversation", "brand")]
    if facts is not None:
        content += [facts[name].to_pylist() for name in facts.column_names]
    conversation_ids = [opaque_id("v", source, name) for name in columns["conversation"]]
    staged: dict[str, Any] = {
        **{name: columns[name] for name in columns if name in _stage.c},
        "interaction_id": [opaque_id("i", source, key) for key in columns["external_id"]],
        "conversation_id": conversation_ids,
        "source": [source] * count,
        "content_hash": [content_hash(*parts) for parts in zip(*content, strict=True)],
        "load_run": [run] * count,
        "text": [_clean(value) for value in columns["text"]],
        "raw": [_clean(value) for value in columns["raw"]],
        "place": range(place, place + count),
    }
    dialects.bulk_insert(connection, _stage, _arrow(_stage, staged))
    _stage_identity_keys(connection, columns, conversation_ids, source)
    if facts is not None:
        named = {name: facts[name].to_pylist() for name in facts.column_names if name != "conversation"}
        named |= {"conversation_id": conversation_ids, "source": [source] * count, "place": staged["place"]}
        dialects.bulk_insert(connection, _stage_facts, _arrow(_stage_facts, named))
    return rejects


def _arrow(table: Table, columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    schema = dialects.arrow_schema(table)
    names = [name for name in schema.names if name in columns]
    return pa.table([pa.array(columns[n], schema.field(n).type) for n in names], names=names)


def _stage_identity_keys(
    connection: Connection, columns: Mapping[str, Sequence[Any]], conversation_ids: Sequence[str], source: str
) -> None:
    rows: dict[tuple[str, str, str], str] = {}
    fields = zip(
        conversation_ids,
        columns["customer"],
        columns["email"],
        columns["phone"],
        columns["handle"],
        columns["channel"],
        strict=True,
    )
    for conversation_id, customer, email, phone, handle, channel in fields:
        given = (
            (f"id:{source}", customer),
            ("email", email),
            ("phone", phone),
            (f"handle:{channel}", handle),
        )
        for kind, raw in given:
            value = normalised(kind, raw) if raw else None
            if value is None:
                continue
            rows.setdefault((conversation_id, kind, value), opaque_id("c", kind, value))
    if rows:
        dialects.bulk_insert(
            connection,
            _stage_identities,
            _arrow(
                _stage_identities,
                {
                    "conversation_id": [key[0] for key in rows],
                    "identity_kind": [key[1] for key in rows],
                    "identity_value": [_clean(key[2]) for key in rows],
                    "new_customer_id": list(rows.values()),
                },
            ),
        )


def _reject_duplicates(connection: Connection) -> list[Reject]:
    """Within one file the first row of an id counts; a later one with other content is rejected."""
    s = _stage.c
    first = (
        select(s.interaction_id, func.min(s.line).label("line"))
        .group_by(s.interaction_id)
        .having(func.count() > 1)
        .subquery("first")
    )
    if not connection.scalar(select(func.count()).select_from(first)):
        return []
    other = _stage.alias("other")
    rows = connection.execute(
        select(
            s.interaction_id,
            s.external_id,
            s.line,
            s.raw,
            s.content_hash,
            first.c.line.label("first_line"),
            other.c.content_hash.label("kept"),
        )
        .join(first, first.c.interaction_id == s.interaction_id)
        .join(other, and_(other.c.interaction_id == first.c.interaction_id, other.c.line == first.c.line))
        .where(s.line != first.c.line)
        .order_by(s.line)
    ).all()
    rejects = [
        Reject(
            row.line,
            f"id {row.external_id} stands in line {row.first_line} already, with different content",
            row.raw or "",
        )
        for row in rows
        if row.content_hash != row.kept
    ]
    connection.execute(
        delete(_stage).where(exists().where(first.c.interaction_id == s.interaction_id, first.c.line != s.line))
    )
    return rejects


def _classify(connection: Connection) -> None:
    """Mark each staged row as new, changed (other content), moved (other conversation) or same."""
    s, i = _stage.c, interactions.c
    moved = or_(*(s[name].is_distinct_from(i[name]) for name in _PLACEMENT_FIELDS))
    change = case(
        (i.interaction_id.is_(None), "new"),
        (and_(s.is_from_file.is_(True), s.content_hash != i.content_hash), "changed"),
        (moved, "moved"),
        else_="same",
    )
    connection.execute(
        insert(_changes).from_select(
            ["interaction_id", "change"],
            select(s.interaction_id, change)
            .select_from(_stage)
            .outerjoin(interactions, i.interaction_id == s.interaction_id),
        )
    )
    connection.execute(
        update(_stage).where(s.interaction_id == _changes.c.interaction_id).values(change=_changes.c.change)
    )
    # What a stored tweet said of itself stays as it was loaded, when only its place in the thread moves.
    connection.execute(
        update(_stage)
        .where(s.interaction_id == i.interaction_id, s.is_from_file.is_(False))
        .values(content_hash=i.content_hash, load_run=i.load_run)
    )


def _resolve_customers(connection: Connection) -> None:
    """Give every staged conversation its customer: the owner of its strongest identity.

    Customers whose identities stand in one conversation are one person and joined (see `People`); a
    conversation without identities has a customer of its own.
    """
    s, k = _stage.c, _stage_identities.c
    wanted = select(s.conversation_id).where(s.change != "same").distinct().subquery("wanted")
    named = (
        select(
            k.conversation_id,
            func.coalesce(customer_identities.c.customer_id, k.new_customer_id).label("customer_id"),
            _identity_rank(k.identity_kind, k.identity_value).label("rank"),
        )
        .select_from(_stage_identities)
        .join(wanted, wanted.c.conversation_id == k.conversation_id)
        .outerjoin(
            customer_identities,
            and_(
                customer_identities.c.identity_kind == k.identity_kind,
                customer_identities.c.identity_value == k.identity_value,
            ),
        )
    )
    # Under whom it is stored counts like an identity: by the strongest that this customer has.
    strongest = (
        select(
            customer_identities.c.customer_id,
            func.min(_identity_rank(customer_identities.c.identity_kind, customer_identities.c.identity_value)).label(
                "rank"
            ),
        )
        .group_by(customer_identities.c.customer_id)
        .subquery("strongest")
    )
    stored = (
        select(interactions.c.conversation_id, interactions.c.customer_id, func.max(strongest.c.rank).label("rank"))
        .select_from(interactions)
        .join(wanted, wanted.c.conversation_id == interactions.c.conversation_id)
        .join(strongest, strongest.c.customer_id == interactions.c.customer_id)
        .group_by(interactions.c.conversation_id, interactions.c.customer_id)
    )
    dialects.create_temporary(connection, _claims)
    connection.execute(
        insert(_claims).from_select(["conversation_id", "customer_id", "rank"], union_all(named, stored))
    )
    _join_people(connection)
    connection.execute(
        update(_claims).where(_claims.c.customer_id == _same.c.customer_id).values(customer_id=_same.c.owner_id)
    )
    first = (
        select(
            _claims.c.conversation_id,
            _claims.c.customer_id,
            func.row_number().over(partition_by=_claims.c.conversation_id, order_by=_claims.c.rank).label("place"),
        )
    ).subquery("first")
    unidentified = literal("a").concat(func.substr(wanted.c.conversation_id, 2))
    connection.execute(
        insert(_owners).from_select(
            ["conversation_id", "customer_id"],
            select(wanted.c.conversation_id, func.coalesce(first.c.customer_id, unidentified))
            .select_from(wanted)
            .outerjoin(first, and_(first.c.conversation_id == wanted.c.conversation_id, first.c.place == 1)),
        )
    )
    connection.execute(
        update(_stage).where(s.conversation_id == _owners.c.conversation_id).values(customer_id=_owners.c.customer_id)
    )
    _add_customers(connection)
    _move_conversations(connection)
    _claims.drop(connection)
    _same.drop(connection)


def _identity_rank(kind: ColumnElement[str], value: ColumnElement[str]) -> ColumnElement[str]:
    """Text that sorts identities from the strongest to the weakest."""
    of_kind = [(kind.like(f"{name}%"), str(priority)) for name, priority in IDENTITY_PRIORITY.items()]
    return func.concat(case(*of_kind, else_="9"), kind, "=", value)


def _join_people(connection: Connection) -> None:
    """Join stored customers whom the staged conversations show to be one person; `stage_same` says who is whom."""
    c = _claims.c
    least = func.min(c.customer_id).over(partition_by=c.conversation_id).label("least")
    pairs = select(least, c.customer_id).subquery("pairs")
    links = connection.execute(
        select(pairs.c.least, pairs.c.customer_id).where(pairs.c.least != pairs.c.customer_id).distinct()
    ).all()
    dialects.create_temporary(connection, _same)
    if not links:
        return
    linked = sorted({customer for link in links for customer in link})
    people = People(_identities_of(connection, linked, is_staged=True), _own_kinds(connection))
    for one, other in sorted(links, key=lambda link: (people.rank(link[0]), people.rank(link[1]))):
        people.link(one, other)
    _join_all(connection, {customer: people.name(customer) for customer in linked})


def _identities_of(connection: Connection, wanted: Sequence[str], *, is_staged: bool) -> dict[str, list[Identity]]:
    """The stored identities of customers and, where events are staged, those that they bring."""
    k, c = _stage_identities.c, customer_identities.c
    dialects.create_temporary(connection, _keys)
    dialects.bulk_insert(connection, _keys, _arrow(_keys, {"a": list(wanted)}))
    stored = select(c.customer_id, c.identity_kind, c.identity_value).join(_keys, _keys.c.a == c.customer_id)
    staged = select(k.new_customer_id, k.identity_kind, k.identity_value).join(_keys, _keys.c.a == k.new_customer_id)
    found: dict[str, list[Identity]] = defaultdict(list)
    for statement in (stored, staged.distinct()) if is_staged else (stored,):
        for customer, kind, value in connection.execute(statement):
            found[customer].append((kind, value))
    _keys.drop(connection)
    return found


def _own_kinds(connection: Connection) -> frozenset[str]:
    """Kinds of the ids that customers files give their customers."""
    named = connection.scalars(select(load_runs.c.source).where(load_runs.c.adapter == "customers").distinct())
    return frozenset(f"id:{source}" for source in named)


def _join_all(connection: Connection, owners: Mapping[str, str]) -> None:
    """Move everything of each customer to its owner; both are derived again with the load. Fills `stage_same`."""
    changed = {customer: owner for customer, owner in owners.items() if customer != owner}
    columns = {"customer_id": list(changed), "owner_id": list(changed.values())}
    dialects.bulk_insert(connection, _same, _arrow(_same, columns))
    m, c = _same.c, customers.c
    old = customers.alias("old")
    merged = (
        select(m.owner_id, *(func.max(old.c[name]).label(name) for name in _CUSTOMER_ATTRIBUTES))
        .select_from(_same)
        .join(old, old.c.customer_id == m.customer_id)
        .group_by(m.owner_id)
        .subquery("merged")
    )
    connection.execute(
        insert(customers).from_select(
            ["customer_id"],
            select(merged.c.owner_id).where(~exists().where(c.customer_id == merged.c.owner_id)),
        )
    )
    connection.execute(
        update(customers)
        .where(c.customer_id == merged.c.owner_id)
        .values({name: func.coalesce(c[name], merged.c[name]) for name in _CUSTOMER_ATTRIBUTES})
    )
    for table in (interactions, reported_facts, customer_identities):
        _give(connection, table, _same, table.c.customer_id == m.customer_id, m.owner_id)
    connection.execute(
        update(event_keys).where(event_keys.c.customer_id == m.customer_id).values(customer_id=m.owner_id)
    )
    connection.execute(delete(customers).where(c.customer_id.in_(select(m.customer_id))))
    for moved in (m.customer_id, m.owner_id):
        connection.execute(insert(derive.touched).from_select(["customer_id"], select(moved)))


def _give(
    connection: Connection, table: Table, owners: Table, are_moved: ColumnElement[bool], owner: ColumnElement[str]
) -> None:
    """Move rows to other customers, by insert and delete: Citus cannot update the column that says where a row is."""
    values = [owner.label(c.name) if c.name == "customer_id" else c for c in table.columns]
    rows = select(*values).select_from(table).join(owners, are_moved)
    connection.execute(insert(table).from_select([c.name for c in table.columns], rows))
    connection.execute(delete(table).where(exists(select(1).select_from(owners).where(are_moved).correlate(table))))


def _add_customers(connection: Connection) -> None:
    s, k = _stage.c, _stage_identities.c
    shown = (
        select(
            s.customer_id,
            func.max(s.display_name).label("display_name"),
            func.max(s.handle).label("handle"),
            func.max(s.audience).label("followers"),
        )
        .where(s.customer_id.is_not(None), ~exists().where(customers.c.customer_id == s.customer_id))
        .group_by(s.customer_id)
    )
    connection.execute(insert(customers).from_select(["customer_id", "display_name", "handle", "followers"], shown))
    owner = func.coalesce(_same.c.owner_id, k.new_customer_id)
    owned = (
        select(func.min(owner).label("customer_id"), k.identity_kind, k.identity_value, func.min(s.source))
        .select_from(_stage_identities)
        .join(_stage, s.conversation_id == k.conversation_id)
        .outerjoin(_same, _same.c.customer_id == k.new_customer_id)
        .where(
            ~exists().where(
                customer_identities.c.identity_kind == k.identity_kind,
                customer_identities.c.identity_value == k.identity_value,
            ),
            exists().where(customers.c.customer_id == owner),
        )
        .group_by(k.identity_kind, k.identity_value)
    )
    connection.execute(
        insert(customer_identities).from_select(["customer_id", "identity_kind", "identity_value", "origin"], owned)
    )


def _move_conversations(connection: Connection) -> None:
    """A conversation that becomes identified moves, whole, to its customer."""
    for table in (interactions, reported_facts):
        moved = and_(
            table.c.conversation_id == _owners.c.conversation_id,
            table.c.customer_id != _owners.c.customer_id,
        )
        connection.execute(
            insert(derive.touched).from_select(
                ["customer_id"], select(table.c.customer_id).join(_owners, moved).distinct()
            )
        )
        _give(connection, table, _owners, moved, _owners.c.customer_id)
    connection.execute(
        update(event_keys)
        .where(
            event_keys.c.interaction_id == interactions.c.interaction_id,
            interactions.c.conversation_id == _owners.c.conversation_id,
            event_keys.c.customer_id != _owners.c.customer_id,
        )
        .values(customer_id=_owners.c.customer_id)
    )


def _read_texts(connection: Connection, settings: Settings, report: Progress) -> None:
    """Score the texts of new, changed and moved rows; what the source supplied is kept and marked so."""
    s = _stage.c
    text_settings = text_settings_of(settings)
    last = connection.scalar(select(func.max(s.place)))
    for start in range(0, int(last or 0) + 1, BATCH_ROWS):
        rows = connection.execute(
            select(*(s[name] for name in (*_READ_FIELDS, *_SUPPLIED_FIELDS))).where(
                s.place >= start, s.place < start + BATCH_ROWS, s.change != "same"
            )
        ).all()
        if rows:
            dialects.bulk_insert(connection, _scores, _arrow(_scores, _scored(rows, text_settings, report)))


def text_settings_of(settings: Settings) -> text.TextSettings:
    """What the text readers need to know."""
    return text.TextSettings(
        brand_words=tuple(sorted(word.lower() for word in settings.brand_words)),
        cues_file=settings.cues_file or None,
        preset_public=settings.preset_public,
        preset_private=settings.preset_private,
    )


def _read(rows: Sequence[Any], settings: text.TextSettings) -> dict[str, list[Any]]:
    """What the texts say, row by row. The words of a row's own brand never count as sentiment: that of other
    brands would depend on which rows are read together.
    """
    by_brand: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_brand[(row.brand or "") if settings.scorer == text.SCORER_ID else ""].append(place)
    columns: dict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
    for brand, places in by_brand.items():
        words = tuple(sorted({*settings.brand_words, *brand.lower().split()}))
        read = text.read_batch(
            [rows[place].text for place in places],
            inbound=[rows[place].direction == "inbound" for place in places],
            public=[rows[place].channel in PUBLIC_CHANNELS for place in places],
            settings=dataclasses.replace(settings, brand_words=words),
            languages=[rows[place].language for place in places],
        )
        for name, values in read.items():
            column = columns[name]
            for place, value in zip(places, values, strict=True):
                column[place] = value
    return columns


def _scored(rows: Sequence[Any], settings: text.TextSettings, report: Progress) -> dict[str, list[Any]]:
    read = _read(rows, settings)
    report("reading texts", len(rows))
    columns: dict[str, list[Any]] = {
        name: list(read[name]) for name in _SCORE_COLUMNS if name not in ("topic", "supplied")
    }
    columns["supplied"] = [
        ",".join(name for name in _SUPPLIED_FIELDS if getattr(row, name) is not None) or None for row in rows
    ]
    columns["topics"] = [",".join(topics) or None for topics in read["topics"]]
    columns["topic"] = [topics[0] if topics else None for topics in read["topics"]]
    columns["interaction_id"] = [row.interaction_id for row in rows]
    for index, row in enumerate(rows):
        if row.sentiment_label is not None or row.sentiment_score is not None:
            _keep_supplied_sentiment(columns, index, row)
        if row.is_complaint is not None:
            columns["is_complaint"][index] = row.is_complaint if row.direction == "inbound" else None
            columns["complaint_scorer"][index] = "supplied"
        if row.needs_reply is not None:
            columns["needs_reply"][index] = row.needs_reply
        if row.topic is not None:
            columns["topic"][index] = columns["topics"][index] = row.topic
        if row.blamed_channel is not None:
            columns["blamed_channel"][index] = row.blamed_channel
        if columns["is_complaint"][index]:
            columns["needs_reply"][index] = True
    return columns


def _keep_supplied_sentiment(columns: dict[str, list[Any]], index: int, row: Any) -> None:
    score, label = row.sentiment_score, row.sentiment_label
    if label is None:
        label = "negative" if score <= -0.05 else "positive" if score >= 0.05 else "neutral"
    if score is None:
        score = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[label]
    columns["sentiment_label"][index], columns["sentiment_score"][index] = label, score
    columns["sentiment_confidence"][index] = None
    columns["sentiment_scorer"][index] = "supplied"
    columns["not_scored_reason"][index] = None


def _merge(connection: Connection) -> None:
    s = _stage.c
    writing = s.change != "same"
    # Customers who lose an event to another conversation must be derived again, too.
    before = (
        select(interactions.c.customer_id)
        .join(_stage, and_(s.interaction_id == interactions.c.interaction_id, writing))
        .distinct()
    )
    connection.execute(insert(derive.touched).from_select(["customer_id"], before))
    connection.execute(
        insert(derive.touched).from_select(["customer_id"], select(s.customer_id).where(writing).distinct())
    )
    ids = select(s.interaction_id).where(writing)
    connection.execute(delete(interactions).where(interactions.c.interaction_id.in_(ids)))
    scored = {name: _scores.c[name] for name in _SCORE_COLUMNS}
    connection.execute(
        insert(interactions).from_select(
            [c.name for c in interactions.columns],
            select(*(scored.get(c.name, s[c.name]).label(c.name) for c in interactions.columns))
            .select_from(_stage)
            .join(_scores, _scores.c.interaction_id == s.interaction_id)
            .where(writing),
        )
    )
    connection.execute(delete(event_keys).where(event_keys.c.interaction_id.in_(ids)))
    connection.execute(
        insert(event_keys).from_select(
            ["interaction_id", "customer_id"], select(s.interaction_id, s.customer_id).where(writing)
        )
    )
    _merge_facts(connection)


def _merge_facts(connection: Connection) -> None:
    s, f = _stage.c, _stage_facts.c
    # One ticket may stand in several rows of a file that were not rejected: the first counts.
    place = func.row_number().over(partition_by=f.conversation_id, order_by=s.place)
    rows = (
        select(s.customer_id, *(f[name] for name in _FACT_NAMES), place.label("nth"))
        .select_from(_stage_facts)
        .join(_stage, s.place == f.place)
        .where(s.change != "same")
        .subquery("rows")
    )
    ids = select(rows.c.conversation_id)
    connection.execute(delete(reported_facts).where(reported_facts.c.conversation_id.in_(ids)))
    names = ["customer_id", *_FACT_NAMES]
    connection.execute(
        insert(reported_facts).from_select(names, select(*(rows.c[name] for name in names)).where(rows.c.nth == 1))
    )


class _StoredContext:
    """Answers a source's questions about earlier loads."""

    def __init__(self, connection: Connection, source: str, settings: Settings) -> None:
        self._connection = connection
        self._source = source
        self._settings = settings

    def company_accounts(self) -> Mapping[str, str]:
        i = interactions.c
        rows = self._connection.execute(
            select(i.author, i.brand)
            .where(i.source == self._source, i.direction == "outbound", i.author.is_not(None))
            .distinct()
        )
        stored = {row.author.lower(): row.brand or row.author for row in rows}
        return {**stored, **self._settings.company_accounts(self._source)}

    def related_events(self, ids: Sequence[str], new_accounts: Sequence[str]) -> Iterator[StoredEvent]:
        i = interactions.c
        dialects.create_temporary(self._connection, _keys)
        if ids:
            dialects.bulk_insert(self._connection, _keys, _arrow(_keys, {"a": list(ids)}))
        near = or_(i.external_id.in_(select(_keys.c.a)), i.reply_to.in_(select(_keys.c.a)))
        naming = [dialects.contains_text(i.text, f"@{account}") for account in new_accounts]
        threads = select(i.thread_id).where(i.source == self._source, or_(near, *naming)).distinct()
        rows = self._connection.execute(
            select(
                i.external_id, i.author, i.direction, i.occurred_at, i.text, i.reply_to, i.recorded_responses
            ).where(i.source == self._source, i.thread_id.in_(threads), ~forgotten.is_forgotten())
        ).all()
        _keys.drop(self._connection)
        for row in rows:
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
    connection: Connection, batches: Iterable[Batch], order: LoadOrder, report: Progress
) -> tuple[LoadResult, list[Reject]]:
    result, rejects = LoadResult(), list[Reject]()
    for batch in batches:
        result.read_count += batch.read_count
        rejects += batch.rejects
        report("reading", batch.read_count)
        if batch.customers is not None:
            listed = batch.customers.to_pylist()
            wanted = forgotten.without_forgotten_customers(connection, listed, order.source)
            if len(wanted) < len(listed):
                result.notes.append(f"{len(listed) - len(wanted)} forgotten customers were left out")
            stored, notes = _store_customers(connection, wanted, order.source)
            result.stored_count += stored
            result.notes += notes
    return result, rejects


_CUSTOMER_FIELDS = ("birth_date", "birth_year", "age_group_given", "segment", "followers", "display_name")


def _store_customers(connection: Connection, rows: Sequence[Mapping[str, Any]], source: str) -> tuple[int, list[str]]:
    """Store or update customers; an identity that events brought first is joined to its customer.

    Ids are joined before addresses, so that an address which two customers share joins neither.
    """
    given: list[tuple[Identity, list[Identity], Mapping[str, Any]]] = []
    for row in rows:
        own = (f"id:{source}", normalised(f"id:{source}", row["external_id"]) or row["external_id"])
        others = [split_identity(text) for text in row["identities"] or ()]
        given.append((own, list(dict.fromkeys([own, *(pair for pair in others if pair)])), row))
    owners = _identity_owners(connection, [pair for _, pairs, _ in given for pair in pairs])
    wanted = {owners.get(own) or opaque_id("c", *own): (pairs, row) for own, pairs, row in given}
    stored = {
        row.customer_id: row
        for row in connection.execute(select(customers).where(customers.c.customer_id.in_(list(wanted))))
    }
    identities = _identities_of(connection, sorted({*owners.values(), *wanted}), is_staged=False)
    for name, (listed, _) in wanted.items():
        identities[name].append(listed[0])
    people = People(identities, _own_kinds(connection) | {f"id:{source}"})
    notes: list[str] = []
    new_identities: list[tuple[str, str, str]] = []
    changed = {name: None for name, (_, row) in wanted.items() if _differs(stored.get(name), row)}
    claims = [(name, pair, row["line"]) for name, (pairs, row) in wanted.items() for pair in pairs]
    for name, pair, line in sorted(claims, key=lambda claim: not claim[1][0].startswith("id:")):
        owner = owners.setdefault(pair, "")
        if not owner:
            new_identities.append((name, *pair))
            owners[pair] = name
            people.add(name, pair)
            changed[name] = None
        elif people.name(owner) != people.name(name):
            if people.link(name, owner, is_listed=pair[0].startswith("id:")):
                changed[name] = None
            else:
                notes.append(f"line {line}: a {pair[0]} belongs to another customer already; it was not joined")
    _write_customers(connection, list(changed), {name: row for name, (_, row) in wanted.items()}, stored)
    _add_identities(connection, new_identities, source)
    dialects.create_temporary(connection, _same)
    _join_all(connection, {name: people.name(name) for name in {*owners.values(), *wanted}})
    _same.drop(connection)
    if changed:
        connection.execute(insert(derive.touched), [{"customer_id": customer_id} for customer_id in changed])
    return len(changed), notes


def _differs(before: Any, given: Mapping[str, Any]) -> bool:
    return before is None or any(
        getattr(before, name) != given[name] for name in _CUSTOMER_FIELDS if given[name] is not None
    )


def _identity_owners(connection: Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    dialects.create_temporary(connection, _keys)
    unique = list(dict.fromkeys(pairs))
    dialects.bulk_insert(
        connection,
        _keys,
        _arrow(_keys, {"a": [kind for kind, _ in unique], "b": [value for _, value in unique]}),
    )
    c = customer_identities.c
    rows = connection.execute(
        select(c.identity_kind, c.identity_value, c.customer_id).join(
            _keys, and_(_keys.c.a == c.identity_kind, _keys.c.b == c.identity_value)
        )
    ).all()
    _keys.drop(connection)
    return {(row.identity_kind, row.identity_value): row.customer_id for row in rows}


def _write_customers(
    connection: Connection,
    changed: Sequence[str],
    attributes: Mapping[str, Mapping[str, Any]],
    stored: Mapping[str, Any],
) -> None:
    if not changed:
        return
    rows = []
    for customer_id in changed:
        before = stored.get(customer_id)
        given = attributes[customer_id]
        row = {
            name: given[name] if given[name] is not None or before is None else getattr(before, name)
            for name in _CUSTOMER_FIELDS
        }
        rows.append({**row, "customer_id": customer_id, "handle": before.handle if before else None})
    connection.execute(delete(customers).where(customers.c.customer_id.in_(list(changed))))
    columns = {c.name: [row[c.name] for row in rows] for c in customers.columns}
    dialects.bulk_insert(connection, customers, _arrow(customers, columns))


def _add_identities(connection: Connection, rows: Sequence[tuple[str, str, str]], source: str) -> None:
    if rows:
        columns = {
            "customer_id": [row[0] for row in rows],
            "identity_kind": [row[1] for row in rows],
            "identity_value": [row[2] for row in rows],
            "origin": [source] * len(rows),
        }
        dialects.bulk_insert(connection, customer_identities, _arrow(customer_identities, columns))


def join_customers(connection: Connection, old: str, new: str) -> None:
    """Move everything of one customer to another; both are derived again with the load."""
    dialects.create_temporary(connection, _same)
    _join_all(connection, {old: new})
    _same.drop(connection)


__all__ = ["LoadOrder", "LoadResult", "join_customers", "load", "rebuild", "rescore", "text_settings_of"]
