"""Derive `waits` and `conversations` from the events: one documented step, set-based, for touched customers only.

1. Visible events are put in order: by time, at the same moment inbound before outbound, then by their id in
   the source (9 before 10). A reply dated before what it answers is no response: it says *answered*, not when.
2. A *wait* is the run of inbound events between two human responses; the number of responses before an
   event numbers the runs, so one aggregation gives all waits (gaps and islands).
3. A conversation's first response, complaint and texts come from its waits and first events.
4. Each telling of a customer is set against the earlier ones (`data_access.tellings`).
5. Thresholds in force are copied on; *answered elsewhere* is the customer's first human reply on another
   channel after the clock started; ages are those at the time of contact.
6. Contacts of one customer know their neighbours: seconds to the one before and to the next, by topic and
   channel. Whether that is a repeat depends on N and is asked later.

A full rebuild gives the same rows as any sequence of loads. Nothing looks beyond one customer, so customers with
many events together are derived part by part, in memory that does not grow with them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Double,
    FromClause,
    Integer,
    MetaData,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    case,
    collate,
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
    union_all,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects, tellings
from data_access.aside import Aside, put_aside
from data_access.calendars import expanded
from data_access.config import Settings, age_band_bounds
from data_access.progress import Progress, say_nothing
from data_access.schema import (
    agents,
    calendar_days,
    conversations,
    customer_identities,
    customers,
    interactions,
    reported_facts,
    source_status,
    waits,
)
from data_access.store import write_info
from data_access.vocabulary import PUBLIC_CHANNELS, SAME_OPENING, UNKNOWN

_CLOSED_STATUSES = ("closed", "solved", "resolved", "done", "completed")
_FAR_PAST, _FAR_FUTURE = dt.datetime.min + dt.timedelta(days=1), dt.datetime.max - dt.timedelta(days=365)

_SHARED = (
    "source",
    "channel",
    "team",
    "brand",
    "agent",
    "thread_id",
    "is_complaint",
    "needs_reply",
    "has_reported_answer",
    "is_addressed",
    "is_parent_missing",
    "is_outreach",
    "sentiment_label",
    "sentiment_score",
    "topic",
    "topics",
    "blamed_channel",
    "audience",
)  # by their names, of an interaction as of an event
_READ = (
    "customer_id",
    "conversation_id",
    "interaction_id",
    "external_id",
    "reply_to",
    "occurred_at",
    "direction",
    "author_kind",
    "is_visible",
    "text",
    *_SHARED,
)

PART_EVENTS = 250_000  # events that are derived at once in `dialects.ENGINE_MB`, or all of one bucket of customers

PARTS_AT_ONCE = 8  # whose events are copied in one pass over all of them: each has a file open, and rows in memory

_Keep = Callable[[Table, Select[Any]], None]

SORTED_ROWS = 500_000  # that are sorted at once: a million of 42 were too many for what the engine then has
SORTING_MEMORY = 0.8  # of the engine's: at the end of a long load most else is held, and sorting spills well
_ORDERED_BY = {"waits": ("response_at", "started_at"), "conversations": ("first_response_at", "opened_at")}

_work = MetaData()
touched = Table("touched_customers", _work, Column("customer_id", Text), prefixes=["TEMPORARY"])
_events = Table(
    "derive_events",
    _work,
    Column("customer_id", Text),
    Column("conversation_id", Text),
    Column("event_id", Text),
    Column("external_event_id", Text),
    Column("reply_to", Text),
    Column("at", DateTime),
    Column("is_inbound", Boolean),
    Column("is_response", Boolean),
    Column("is_bot", Boolean),
    Column("position", BigInteger),
    Column("run", BigInteger),
    Column("source", Text),
    Column("channel", Text),
    Column("team", Text),
    Column("brand", Text),
    Column("agent", Text),
    Column("thread_id", Text),
    Column("is_complaint", Boolean),
    Column("needs_reply", Boolean),
    Column("has_reported_answer", Boolean),
    Column("is_addressed", Boolean),
    Column("is_parent_missing", Boolean),
    Column("is_outreach", Boolean),
    Column("sentiment_label", Text),
    Column("sentiment_score", Double),
    Column("topic", Text),
    Column("topics", Text),
    Column("blamed_channel", Text),
    Column("audience", BigInteger),
    Column("has_text", Boolean),
    Column("is_ticket", Boolean),
    prefixes=["TEMPORARY"],
)
_opened = Table(
    "derive_conversations",
    _work,
    Column("customer_id", Text),
    Column("conversation_id", Text),
    Column("source", Text),
    Column("channel", Text),
    Column("brand", Text),
    Column("team", Text),
    Column("kind", Text),
    Column("age_group", Text),
    Column("external_id", Text),
    Column("opened_at", DateTime),
    Column("first_inbound_at", DateTime),
    Column("last_inbound_at", DateTime),
    Column("last_event_at", DateTime),
    Column("topic", Text),
    Column("topics", Text),
    Column("blamed_channel", Text),
    Column("sentiment_label", Text),
    Column("sentiment_score", Double),
    Column("closing_sentiment_label", Text),
    Column("closing_sentiment_score", Double),
    Column("inbound_count", Integer),
    Column("outbound_count", Integer),
    Column("audience", BigInteger),
    Column("opening_event_id", Text),
    Column("direct_response_at", DateTime),
    Column("has_reply_links", Boolean),
    Column("last_agent", Text),
    Column("tells_silence", Boolean),
    prefixes=["TEMPORARY"],
)
_waits = Table(
    "derive_waits",
    _work,
    *(Column(c.name, c.type) for c in waits.columns),
    Column("number", BigInteger),  # what is found of a wait is joined by it: whole numbers are the quickest
    prefixes=["TEMPORARY"],
)
_buckets = Table(
    "derive_buckets",
    _work,
    Column("bucket", Text),
    Column("part", BigInteger),
    prefixes=["TEMPORARY"],
)
_parts = Table(
    "derive_parts",
    _work,
    Column("customer_id", Text),
    Column("part", BigInteger),
    prefixes=["TEMPORARY"],
)
_thresholds = Table(
    "derive_thresholds",
    _work,
    Column("channel", Text),
    Column("brand", Text),
    Column("team", Text),
    Column("from_at", DateTime),
    Column("to_at", DateTime),
    Column("target_seconds", BigInteger),
    Column("ignored_after_seconds", BigInteger),
    Column("clock", Text),
    Column("calendar", Text),
    prefixes=["TEMPORARY"],
)
_misdated = Table(
    "derive_misdated",
    _work,
    Column("reply_id", Text),
    Column("question_id", Text),
    Column("is_response", Boolean),
    prefixes=["TEMPORARY"],
)
_points = Table(
    "derive_points",
    _work,
    Column("number", BigInteger),
    Column("name", Text),
    Column("seconds", BigInteger),
    prefixes=["TEMPORARY"],
)
_elsewhere = Table(
    "derive_elsewhere",
    _work,
    Column("number", BigInteger),
    Column("at", DateTime),
    Column("channel", Text),
    Column("complaint_at", DateTime),
    Column("complaint_channel", Text),
    prefixes=["TEMPORARY"],
)


def begin_touched(connection: Connection) -> None:
    """Start collecting the customers whose rows must be derived again."""
    dialects.create_temporary(connection, touched)


def rebuild(connection: Connection, settings: Settings, progress: Progress = say_nothing) -> None:
    """Derive everything again, for all customers."""
    begin_touched(connection)
    connection.execute(insert(touched).from_select(["customer_id"], select(interactions.c.customer_id).distinct()))
    connection.execute(delete(waits))
    connection.execute(delete(conversations))
    derive_touched(connection, settings, progress)


def derive_touched(connection: Connection, settings: Settings, progress: Progress = say_nothing) -> None:
    """Derive `waits` and `conversations` of the customers in `touched_customers` again, and empty that table.

    Writes the settings used to `store_info`; the caller's transaction makes all of it visible at once.
    """
    mine = select(touched.c.customer_id)
    connection.execute(delete(waits).where(waits.c.customer_id.in_(mine)))
    connection.execute(delete(conversations).where(conversations.c.customer_id.in_(mine)))
    _fill_calendar_days(connection, settings)
    events = _event_count(connection)
    progress("deriving", 0, events)
    with dialects.bounded_memory(connection):
        if events <= dialects.at_once(PART_EVENTS):
            _derive(connection, settings, _stored(connection))
            progress("deriving", events, events)
        else:
            _derive_in_parts(connection, settings, lambda done: progress("deriving", done, events))
        _refresh_agents(connection)
    dialects.create_temporary(connection, touched)
    write_info(connection, settings=settings.to_json(), settings_fingerprint=settings.fingerprint())


def _event_count(connection: Connection) -> int:
    mine = interactions.c.customer_id.in_(select(touched.c.customer_id))
    return int(connection.scalar(select(func.count()).select_from(interactions).where(mine)) or 0)


def _derive_in_parts(connection: Connection, settings: Settings, progress: Callable[[int], None]) -> None:
    """Derive buckets of customers with `PART_EVENTS` events together, and the next ones, until all are done.

    Where the order of rows matters they are put aside, and stored when all are there.
    """
    sizes = _divide(connection)

    def derive_part(part: int, keep: _Keep, stored: FromClause) -> None:
        dialects.create_temporary(connection, touched)
        dialects.insert_rows(connection, touched, select(_parts.c.customer_id).where(_parts.c.part == part))
        # The events of one customer cannot be divided: more of them than a part holds take memory in proportion.
        with dialects.times_the_memory(connection, max(sizes[part] / dialects.at_once(PART_EVENTS), 1)):
            _derive(connection, settings, keep, stored)
        progress(sizes[part])

    if not dialects.stores_in_order(connection):
        for part in range(len(sizes)):
            derive_part(part, _stored(connection), interactions)
        _parts.drop(connection)
        return
    with put_aside(connection) as aside:
        for first in range(0, len(sizes), PARTS_AT_ONCE):
            some = range(first, min(first + PARTS_AT_ONCE, len(sizes)))
            with _copied(aside, some) as copies:
                for part in some:
                    derive_part(part, aside.put, copies(part))
        _parts.drop(connection)
        with dialects.times_the_memory(connection, SORTING_MEMORY):
            for table in (waits, conversations):
                _store_in_order(connection, table, aside.rows(table).c)


def _copied(aside: Aside, parts: range) -> contextlib.AbstractContextManager[Callable[[int], FromClause]]:
    """The `_READ` of each of some parts, copied in one pass: for every part alone all events would be read again."""
    i, p = interactions.c, _parts.c
    mine = p.part.between(parts[0], parts[-1])
    rows = select(*(i[name] for name in _READ), p.part).join_from(interactions, _parts, p.customer_id == i.customer_id)
    return aside.divided(interactions, rows.where(mine), p.part.name)


def _store_in_order(connection: Connection, table: Table, rows: Any) -> None:
    """Store what was put aside, stretch by stretch."""
    for within in _stretches(connection, table, rows):
        dialects.commit_copy(connection)
        stretch = select(*rows).where(within)
        dialects.insert_rows(connection, table, _in_stored_order(table, stretch, connection))


def _stored(connection: Connection) -> _Keep:
    """Stores rows in their table as they come, on DuckDB in order."""
    return lambda table, rows: dialects.insert_rows(connection, table, _in_stored_order(table, rows, connection))


def _stretches(connection: Connection, table: Table, rows: Any) -> list[ColumnElement[bool]]:
    """Conditions that divide what was put aside, in its order, into stretches of whole days of about `SORTED_ROWS`."""
    answered_at, begun_at = _ORDERED_BY[table.name]
    is_open, day = rows[answered_at].is_(None), sql_cast(rows[begun_at], Date)
    days = select(is_open.label("is_open"), day.label("day")).subquery("days").c
    counted = select(days.is_open, days.day, func.count()).group_by(days.is_open, days.day)
    stretches: list[tuple[bool, dt.date, dt.date, int]] = []
    for kind, at, count in connection.execute(counted.order_by(days.is_open, days.day)).all():
        if stretches and stretches[-1][0] == kind and stretches[-1][3] + count <= dialects.at_once(SORTED_ROWS):
            stretches[-1] = kind, stretches[-1][1], at, stretches[-1][3] + count
        else:
            stretches.append((kind, at, at, count))
    midnight = dt.time()
    return [
        and_(
            is_open == kind,
            rows[begun_at] >= dt.datetime.combine(first, midnight),  # not by day: so the engine looks before it reads
            rows[begun_at] < dt.datetime.combine(last + dt.timedelta(days=1), midnight),
        )
        for kind, first, last, _ in stretches
    ]


def _in_stored_order(table: Table, rows: Select[Any], connection: Connection) -> Select[Any]:
    """Rows for one of both tables: the answered first, then the unanswered, each in order of time.

    So who asks only for the unanswered reads only these, and who asks for some days reads two stretches.
    """
    given = rows.selected_columns
    answered_at, begun_at = _ORDERED_BY[table.name]
    return dialects.in_order_of((given[answered_at].is_(None), given[begun_at]), rows, connection)


def _divide(connection: Connection) -> list[int]:
    """Fill `derive_parts` with every touched customer that has events, once; the number of events of each part.

    A bucket is two of the characters of a customer's id, which are those of a hash: 4,096 of about the same size. To
    number the customers themselves needs all of them in memory at once: of 42 million events that was too much.
    """
    i, b, t = interactions.c, _buckets.c, touched.c
    mine = i.customer_id.in_(select(t.customer_id))
    own = select(_bucket(i.customer_id).label("bucket")).where(mine).subquery("own").c
    sizes = select(own.bucket, func.count()).group_by(own.bucket)
    found = sorted((bucket, int(events)) for bucket, events in connection.execute(sizes))
    parts = dialects.packed(found, dialects.at_once(PART_EVENTS))
    numbered = [(bucket, part) for part, (buckets, _) in enumerate(parts) for bucket in buckets]
    for table in (_buckets, _parts):
        dialects.create_temporary(connection, table)
    dialects.bulk_columns(
        connection, _buckets, dict(zip(("bucket", "part"), zip(*numbered, strict=True), strict=True))
    )
    members = select(t.customer_id, b.part).join_from(touched, _buckets, b.bucket == _bucket(t.customer_id))
    dialects.insert_rows(connection, _parts, members.distinct())
    _buckets.drop(connection)
    dialects.commit_copy(connection)
    return [events for _, events in parts]


def _bucket(customer_id: ColumnElement[str]) -> ColumnElement[str]:
    return func.substr(customer_id, 2, 2)


def _derive(connection: Connection, settings: Settings, keep: _Keep, stored: FromClause = interactions) -> None:
    """Derive the waits and conversations of the customers in `touched_customers`, and hand both to `keep`.

    `stored` are all their `interactions`, or a copy of these with at least the columns in `_READ`.
    """
    steps = (_misdated, _events, _opened, _waits, _thresholds, tellings.found, _elsewhere)
    for table in steps:
        dialects.create_temporary(connection, table)
    mine = stored.c.customer_id.in_(select(touched.c.customer_id))
    dialects.insert_rows(connection, _misdated, misdated_replies(stored).where(mine))
    dialects.insert_rows(connection, _events, _ordered_events(stored))
    dialects.commit_copy(connection)
    dialects.insert_rows(connection, _opened, _opened_conversations(settings))
    _set_direct_responses(connection)
    _fill_thresholds(connection, settings)
    dialects.commit_copy(connection)
    dialects.insert_rows(connection, _waits, _runs())
    dialects.commit_copy(connection)
    _fill_business_time(connection, settings)
    tellings.fill(connection, waits=_waits, events=_events, stored=stored, brand_words=settings.brand_words)
    dialects.insert_rows(connection, _elsewhere, _answers_elsewhere())
    dialects.commit_copy(connection)
    keep(waits, _final_waits())
    dialects.commit_copy(connection)
    keep(conversations, _final_conversations(stored))
    for table in steps:
        table.drop(connection)


class Completeness(NamedTuple):
    """Up to when a source is complete, and what says so. `overtaken` was given before; newer events passed it."""

    complete_to: dt.datetime
    is_given: bool
    newest_event_at: dt.datetime | None
    overtaken: dt.datetime | None = None


def refresh_source_status(
    connection: Connection, source: str, given: dt.datetime | None, latest: dt.datetime
) -> Completeness | None:
    """Set *complete to* of a source: as given now, else the later of what was given before and its newest event.

    `latest` is the latest moment that may be given: an older version kept others. None where the source has no events.
    """
    newest = max(
        (
            moment
            for moment in (
                connection.scalar(select(func.max(interactions.c.occurred_at)).where(interactions.c.source == source)),
                connection.scalar(
                    select(func.max(reported_facts.c.first_response_at)).where(reported_facts.c.source == source)
                ),
                connection.scalar(
                    select(func.max(reported_facts.c.resolved_at)).where(reported_facts.c.source == source)
                ),
            )
            if moment is not None
        ),
        default=None,
    )
    before = connection.execute(select(source_status).where(source_status.c.source == source)).one_or_none()
    kept = before.complete_to if before and before.is_complete_to_given else None
    is_overtaken = given is None and kept is not None and (kept > latest or (newest is not None and newest > kept))
    moment = given or (None if is_overtaken else kept)
    if (complete_to := moment or newest) is None:
        return None
    has_times = connection.scalar(
        select(
            or_(
                exists().where(interactions.c.source == source, interactions.c.direction == "outbound"),
                exists().where(
                    reported_facts.c.source == source,
                    reported_facts.c.first_response_at.is_not(None),
                ),
            )
        )
    )
    connection.execute(delete(source_status).where(source_status.c.source == source))
    connection.execute(
        insert(source_status).values(
            source=source,
            complete_to=complete_to,
            is_complete_to_given=moment is not None,
            newest_event_at=newest,
            has_response_times=bool(has_times),
        )
    )
    return Completeness(complete_to, moment is not None, newest, kept if is_overtaken else None)


def misdated_replies(stored: FromClause = interactions) -> Select[Any]:
    """Replies of the company, among what is stored, dated before what they answer; one of both times is wrong."""
    reply, question = stored, stored.alias("question")
    return (
        select(
            reply.c.interaction_id.label("reply_id"),
            question.c.interaction_id.label("question_id"),
            and_(reply.c.author_kind == "agent", reply.c.is_visible.is_(True)).label("is_response"),
        )
        .join(
            question,
            and_(
                question.c.customer_id == reply.c.customer_id,
                question.c.conversation_id == reply.c.conversation_id,
                question.c.external_id == reply.c.reply_to,
                question.c.occurred_at > reply.c.occurred_at,
                reply.c.direction == "outbound",
            ),
        )
        .where(reply.c.reply_to.is_not(None))  # as the join says; DuckDB then skips blocks without any
    )


def _in_order(external_id: ColumnElement[str], event_id: ColumnElement[str]) -> tuple[ColumnElement[Any], ...]:
    """How events of the same moment are ordered: by their id in the source, the shorter first (9 before 10)."""
    return func.length(external_id), collate(external_id, "C"), collate(event_id, "C")


def _ordered_events(stored: FromClause) -> Select[Any]:
    i = stored
    is_inbound = and_(i.c.direction == "inbound", i.c.author_kind == "customer")
    is_response = and_(i.c.direction == "outbound", i.c.author_kind == "agent")
    is_bot = and_(i.c.direction == "outbound", i.c.author_kind != "agent")
    f, m = reported_facts, _misdated.c
    # The source says answered, but not when: of this ticket or call, or by a reply with a wrong time.
    answered_tickets = select(f.c.interaction_id).where(f.c.is_answered.is_(True), f.c.first_response_at.is_(None))
    silent_tickets = select(f.c.interaction_id).where(
        f.c.is_response_known.is_(False), f.c.customer_id.in_(select(touched.c.customer_id))
    )
    misdated = select(m.reply_id)
    has_reported_answer = or_(
        i.c.has_reported_answer,
        i.c.interaction_id.in_(answered_tickets.where(f.c.customer_id.in_(select(touched.c.customer_id)))),
        i.c.interaction_id.in_(select(m.question_id).where(m.is_response)),
    )
    from_events = select(
        i.c.customer_id,
        i.c.conversation_id,
        i.c.interaction_id.label("event_id"),
        i.c.external_id.label("external_event_id"),
        i.c.reply_to,
        i.c.occurred_at.label("at"),
        is_inbound.label("is_inbound"),
        is_response.label("is_response"),
        is_bot.label("is_bot"),
        *(has_reported_answer.label(name) if name == "has_reported_answer" else i.c[name] for name in _SHARED),
        func.coalesce(i.c.text != "", false()).label("has_text"),
        i.c.interaction_id.in_(silent_tickets).label("is_ticket"),
    ).where(
        i.c.customer_id.in_(select(touched.c.customer_id)),
        i.c.is_visible.is_(True),
        i.c.interaction_id.not_in(misdated),
    )
    # A ticket or call whose answer is reported, but none of whose events is an answer: events win.
    answered_by_event = exists().where(
        i.c.customer_id == f.c.customer_id,
        i.c.conversation_id == f.c.conversation_id,
        i.c.direction == "outbound",
        i.c.author_kind == "agent",
        i.c.is_visible.is_(True),
        i.c.interaction_id.not_in(misdated),
    )
    from_facts = select(
        f.c.customer_id,
        f.c.conversation_id,
        f.c.interaction_id.label("event_id"),
        literal("").label("external_event_id"),
        sql_cast(null(), Text).label("reply_to"),
        f.c.first_response_at.label("at"),
        false().label("is_inbound"),
        true().label("is_response"),
        false().label("is_bot"),
        *(
            f.c.responder_agent.label(name)
            if name == "agent"
            else f.c.source.label(name)
            if name == "source"
            else (true() if name == "is_addressed" else sql_cast(null(), i.c[name].type)).label(name)
            for name in _SHARED
        ),
        false().label("has_text"),
        true().label("is_ticket"),
    ).where(f.c.customer_id.in_(select(touched.c.customer_id)), f.c.first_response_at.is_not(None), ~answered_by_event)
    events = union_all(from_events, from_facts).cte("events")
    # One order for everything that follows: whatever is "first" or "last" is so by `position`. Only what orders
    # is sorted: rows with all their columns take several times as long.
    in_order: dict[str, Any] = {
        "partition_by": (events.c.customer_id, events.c.conversation_id),
        "order_by": (
            events.c.at,
            case((events.c.is_inbound, 0), else_=1),
            *_in_order(events.c.external_event_id, events.c.event_id),
        ),
    }
    responses_before = func.sum(case((events.c.is_response, 1), else_=0)).over(**in_order, rows=(None, -1))
    places = select(
        events.c.event_id,
        events.c.is_response,
        func.row_number().over(**in_order).label("position"),
        sql_cast(func.coalesce(responses_before, 0), BigInteger).label("run"),
    ).subquery("places")
    p = places.c
    # A ticket's first message and its reported answer have one id.
    return select(*events.columns, p.position, p.run).join(
        places, and_(p.event_id == events.c.event_id, p.is_response == events.c.is_response)
    )


def _tells_silence(is_ticket: ColumnElement[bool], at: ColumnElement[dt.datetime]) -> ColumnElement[bool]:
    """Of the events of a conversation: that no answer is among them says that nobody answered.

    Not where a ticket is all that is known, whose source gives no answers. Where its messages are stored, too, in this
    load or an earlier one, these tell who answered: events win. They do from the beginning on: messages that begin
    later than the ticket, as in an export of what is new, leave a gap.
    """
    first_message, opened_at = func.min(case((~is_ticket, at))), func.min(case((is_ticket, at)))
    begins_with_it = first_message <= dialects.add_seconds(opened_at, literal(int(SAME_OPENING.total_seconds())))
    return or_(opened_at.is_(None), func.coalesce(begins_with_it, false()))


def _opened_conversations(settings: Settings) -> Select[Any]:
    e = _events.c

    def first(column: ColumnElement[Any], *when: ColumnElement[bool]) -> ColumnElement[Any]:
        return dialects.value_at_least(column, e.position, and_(*when))

    def last(column: ColumnElement[Any], *when: ColumnElement[bool]) -> ColumnElement[Any]:
        return dialects.value_at_least(column, -e.position, and_(*when))

    inbound = e.is_inbound
    by_us = or_(e.is_response, e.is_outreach.is_(True))
    opened_by_us = func.coalesce(first(by_us, ~e.is_bot), false())
    no_customer = func.max(case((inbound, 1), else_=0)) == 0
    kind = case(
        (func.max(case((e.is_addressed, 1), else_=0)) == 0, "not_addressed"),
        (func.max(case((e.is_parent_missing, 1), else_=0)) == 1, "fragment"),
        (or_(opened_by_us, no_customer), "outreach"),
        else_="customer_opened",
    )
    has_topic, blames = e.topic.is_not(None), e.blamed_channel.is_not(None)
    grouped = (
        select(
            e.customer_id,
            e.conversation_id,
            func.max(e.source).label("source"),
            func.coalesce(first(e.channel, inbound), func.max(e.channel)).label("channel"),
            func.max(e.brand).label("brand"),
            func.coalesce(first(e.team, inbound), case((no_customer, func.max(e.team)))).label("team"),
            kind.label("kind"),
            func.max(e.thread_id).label("external_id"),
            func.coalesce(func.min(case((~e.is_bot, e.at))), func.min(e.at)).label("opened_at"),
            func.min(case((inbound, e.at))).label("first_inbound_at"),
            func.max(case((inbound, e.at))).label("last_inbound_at"),
            func.max(e.at).label("last_event_at"),
            first(e.topic, inbound, has_topic).label("topic"),
            first(e.topics, inbound, has_topic).label("topics"),
            first(e.blamed_channel, inbound, blames).label("blamed_channel"),
            first(e.sentiment_label, inbound).label("sentiment_label"),
            first(e.sentiment_score, inbound).label("sentiment_score"),
            last(e.sentiment_label, inbound).label("closing_sentiment_label"),
            last(e.sentiment_score, inbound).label("closing_sentiment_score"),
            sql_cast(func.sum(case((inbound, 1), else_=0)), Integer).label("inbound_count"),
            sql_cast(func.sum(case((e.is_response, 1), else_=0)), Integer).label("outbound_count"),
            func.max(case((inbound, e.audience))).label("audience"),
            func.coalesce(first(e.external_event_id, inbound), first(e.external_event_id, true())).label(
                "opening_event_id"
            ),
            func.bool_or(e.reply_to.is_not(None)).label("has_reply_links"),
            last(e.agent, e.is_response).label("last_agent"),
            _tells_silence(e.is_ticket, e.at).label("tells_silence"),
        )
        .group_by(e.customer_id, e.conversation_id)
        .subquery("grouped")
    )
    # Step by step, so that local time and age are worked out once a row, not in each use.
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    local = dialects.local_time(grouped.c.opened_at, settings.zone, now)
    opened = select(*grouped.columns, local.label("opened_local")).subquery("opened")
    aged = (
        select(*opened.columns, _age(opened.c.opened_local).label("age"), customers.c.age_group_given)
        .select_from(opened)
        .outerjoin(customers, customers.c.customer_id == opened.c.customer_id)
        .subquery("aged")
    )
    names = [c.name for c in _opened.columns if c.name in grouped.c and c.name != "topic"]
    return select(
        *(aged.c[name] for name in names),
        func.coalesce(aged.c.topic, UNKNOWN).label("topic"),
        _age_group(aged.c.age, aged.c.age_group_given, settings).label("age_group"),
    )


def _age(at: ColumnElement[Any]) -> ColumnElement[int]:
    """Years of a customer at a local time: by birth date, else birth year (as if born on 1 July)."""
    year, month, day = (func.extract(part, at) for part in ("year", "month", "day"))
    born = customers.c.birth_date
    had_birthday = or_(
        month > func.extract("month", born),
        and_(month == func.extract("month", born), day >= func.extract("day", born)),
    )
    exact = year - func.extract("year", born) - case((had_birthday, 0), else_=1)
    by_year = year - customers.c.birth_year - case((month >= 7, 0), else_=1)
    return case((born.is_not(None), exact), else_=by_year)


def _age_group(age: ColumnElement[int], given: ColumnElement[str], settings: Settings) -> ColumnElement[str]:
    """Band of an age, else the band that the source gives."""
    bands = []
    for band in settings.age_bands:
        low, high = age_band_bounds(band)
        bands.append((age.between(low, high), band))
    return case(*bands, else_=case((given.in_(settings.age_bands), given), else_=UNKNOWN))


def _runs() -> Select[Any]:
    e, o, t = _events.c, _opened.c, _thresholds.c

    asks = and_(e.is_inbound, or_(func.coalesce(e.needs_reply, true()), e.is_complaint.is_(True)))
    runs = (
        select(
            e.customer_id,
            e.conversation_id,
            e.run,
            func.min(case((e.is_inbound, e.at))).label("started_at"),
            dialects.value_at_least(e.team, e.position, e.is_inbound).label("team"),
            func.min(case((and_(e.is_inbound, e.is_complaint.is_(True)), e.at))).label("first_complaint_at"),
            sql_cast(func.sum(case((e.is_inbound, 1), else_=0)), Integer).label("inbound_count"),
            sql_cast(func.sum(case((and_(e.is_inbound, e.is_complaint.is_(True)), 1), else_=0)), Integer).label(
                "complaint_count"
            ),
            func.min(case((asks, e.at))).label("needs_reply_at"),
            func.max(case((and_(e.is_inbound, e.has_reported_answer.is_(True)), 1), else_=0)).label("reported"),
            func.max(case((e.is_response, e.at))).label("response_at"),
            func.max(case((e.is_response, e.agent))).label("responder_agent"),
            func.max(case((e.is_response, e.team))).label("responder_team"),
            func.max(case((e.is_inbound, e.audience))).label("audience"),
            func.max(case((e.is_inbound, 1), else_=0)).label("has_inbound"),
        )
        .group_by(e.customer_id, e.conversation_id, e.run)
        .subquery("runs")
    )
    r = runs.c
    in_order: dict[str, Any] = {"partition_by": (r.customer_id, r.conversation_id), "order_by": r.run}
    numbered = select(
        *runs.columns,
        sql_cast(func.sum(r.has_inbound).over(**in_order), Integer).label("wait_number"),
        func.lag(r.responder_agent).over(**in_order).label("previous_agent"),  # each run but the last ends with one
    ).subquery("numbered")
    w = numbered.c
    is_opening = and_(w.wait_number == 1, o.kind == "customer_opened")
    bots = _first_bot_responses().subquery("bots")
    return (
        select(
            w.customer_id,
            w.conversation_id,
            w.wait_number,
            o.source,
            o.channel,
            o.channel.in_(sorted(PUBLIC_CHANNELS)).label("is_public"),
            o.brand,
            o.kind,
            o.age_group,
            o.topic,
            o.sentiment_label,
            o.blamed_channel,
            w.team,
            is_opening.label("is_opening"),
            w.started_at,
            w.first_complaint_at,
            w.inbound_count,
            w.complaint_count,
            w.needs_reply_at,
            and_(w.response_at.is_(None), w.reported == 1).label("has_reported_answer"),
            or_(w.response_at.is_not(None), o.tells_silence).label("is_response_known"),
            w.response_at,
            w.responder_agent,
            w.responder_team,
            bots.c.first_bot_response_at,
            dialects.seconds_between(w.started_at, w.response_at).label("response_seconds"),
            dialects.seconds_between(w.first_complaint_at, w.response_at).label("complaint_response_seconds"),
            t.target_seconds,
            t.ignored_after_seconds,
            t.clock,
            t.calendar,
            dialects.add_seconds(w.started_at, t.target_seconds).label("target_due_at"),
            dialects.add_seconds(w.started_at, t.ignored_after_seconds).label("ignored_due_at"),
            dialects.add_seconds(w.first_complaint_at, t.target_seconds).label("complaint_target_due_at"),
            dialects.add_seconds(w.first_complaint_at, t.ignored_after_seconds).label("complaint_ignored_due_at"),
            w.audience,
            w.previous_agent,
            func.row_number().over().label("number"),
        )
        .select_from(numbered)
        .outerjoin(
            bots,
            and_(
                bots.c.customer_id == w.customer_id,
                bots.c.conversation_id == w.conversation_id,
                bots.c.run == w.run,
            ),
        )
        .join(_opened, and_(o.customer_id == w.customer_id, o.conversation_id == w.conversation_id))
        .join(
            _thresholds,
            and_(
                t.channel == o.channel,
                t.brand == func.coalesce(o.brand, ""),
                t.team == func.coalesce(w.team, ""),
                t.from_at <= w.started_at,
                t.to_at > w.started_at,
            ),
        )
        .where(w.has_inbound == 1)
    )


def _first_bot_responses() -> Select[Any]:
    """Per run: the first bot or automatic answer after its first inbound event."""
    e, bot = _events.c, _events.alias("bot").c
    run = (e.customer_id, e.conversation_id, e.run)
    with_bot = select(bot.conversation_id).where(bot.is_bot)
    starts = (
        select(*run, func.min(e.position).label("position"))
        .where(e.is_inbound, e.conversation_id.in_(with_bot))
        .group_by(*run)
        .subquery("starts")
    )
    s = starts.c
    same_run = and_(bot.customer_id == s.customer_id, bot.conversation_id == s.conversation_id, bot.run == s.run)
    return (
        select(s.customer_id, s.conversation_id, s.run, func.min(bot.at).label("first_bot_response_at"))
        .join(starts, and_(same_run, bot.position > s.position))
        .where(bot.is_bot)
        .group_by(s.customer_id, s.conversation_id, s.run)
    )


def _set_direct_responses(connection: Connection) -> None:
    """The first human response that answers the opening event itself, by its reply link."""
    e, o = _events.c, _opened.c
    direct = (
        select(o.customer_id, o.conversation_id, func.min(e.at).label("at"))
        .join(_events, and_(e.customer_id == o.customer_id, e.conversation_id == o.conversation_id))
        .where(e.is_response, e.reply_to == o.opening_event_id)
        .group_by(o.customer_id, o.conversation_id)
        .subquery("direct")
    )
    connection.execute(
        update(_opened)
        .where(o.customer_id == direct.c.customer_id, o.conversation_id == direct.c.conversation_id)
        .values(direct_response_at=direct.c.at)
    )


def _fill_thresholds(connection: Connection, settings: Settings) -> None:
    """One row per channel, brand, team and stretch of time in which one entry is in force."""
    e, o = _events.c, _opened.c
    combinations = connection.execute(
        select(o.channel, func.coalesce(o.brand, ""), func.coalesce(e.team, ""))
        .select_from(_opened)
        .join(_events, and_(e.customer_id == o.customer_id, e.conversation_id == o.conversation_id))
        .where(e.is_inbound.is_(True))
        .distinct()
    ).all()
    zone = ZoneInfo(settings.zone)
    changes = sorted({t.in_force_from for t in settings.thresholds if t.in_force_from is not None})
    starts: list[dt.date | None] = [None, *changes]
    rows = []
    for channel, brand, team in combinations:
        for number, start in enumerate(starts):
            entry = settings.threshold_for(channel, brand or None, team or None, start or dt.date.min)
            after = starts[number + 1] if number + 1 < len(starts) else None
            rows.append(
                {
                    "channel": channel,
                    "brand": brand,
                    "team": team,
                    "from_at": _midnight(start, zone) if start else _FAR_PAST,
                    "to_at": _midnight(after, zone) if after else _FAR_FUTURE,
                    "target_seconds": entry.target_seconds,
                    "ignored_after_seconds": entry.ignored_after_seconds,
                    "clock": entry.clock,
                    "calendar": settings.calendar_for(channel, brand or None, team or None),
                }
            )
    if rows:
        connection.execute(insert(_thresholds), rows)


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC).replace(tzinfo=None)


def _fill_calendar_days(connection: Connection, settings: Settings) -> None:
    connection.execute(delete(calendar_days))
    for calendar in settings.calendars:
        rows = expanded(calendar)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        schema = dialects.arrow_schema(calendar_days)
        dialects.bulk_insert(connection, calendar_days, pa.table(columns, schema=schema))


def _fill_business_time(connection: Connection, settings: Settings) -> None:
    """Set the business clocks of `derive_waits`, and the due times of waits whose thresholds run on them.

    Where no calendar applies the business clock is the calendar clock. Business time is an equi-join of a
    moment's UTC date with `calendar_days` and arithmetic; only due times look for their segment by range.
    """
    w = _waits.c
    connection.execute(
        update(_waits).values(
            business_response_seconds=w.response_seconds,
            business_complaint_response_seconds=w.complaint_response_seconds,
        )
    )
    if not settings.calendars:
        return
    dialects.create_temporary(connection, _points)
    moments = (
        ("start", w.started_at),
        ("complaint", w.first_complaint_at),
        ("response", w.response_at),
    )
    d = calendar_days.c
    for name, at in moments:
        length = dialects.seconds_between(d.open_at, func.least(func.greatest(at, d.open_at), d.close_at))
        dialects.insert_rows(
            connection,
            _points,
            select(
                w.number,
                literal(name).label("name"),
                sql_cast(func.min(d.open_seconds_before) + func.sum(length), BigInteger).label("seconds"),
            )
            .select_from(_waits)
            .join(calendar_days, and_(d.calendar == w.calendar, d.day == sql_cast(at, Date)))
            .where(at.is_not(None))
            .group_by(w.number),
        )
    points = (
        select(
            _points.c.number,
            *(
                func.max(case((_points.c.name == name, _points.c.seconds))).label(name)
                for name in ("start", "complaint", "response")
            ),
        )
        .group_by(_points.c.number)
        .subquery("points")
    )
    p = points.c
    connection.execute(
        update(_waits)
        .where(w.number == p.number)
        .values(
            business_start_seconds=p.start,
            business_complaint_start_seconds=p.complaint,
            business_response_seconds=p.response - p.start,
            business_complaint_response_seconds=p.response - p.complaint,
        )
    )
    for column, since, seconds in (
        ("target_due_at", w.business_start_seconds, w.target_seconds),
        ("ignored_due_at", w.business_start_seconds, w.ignored_after_seconds),
        ("complaint_target_due_at", w.business_complaint_start_seconds, w.target_seconds),
        ("complaint_ignored_due_at", w.business_complaint_start_seconds, w.ignored_after_seconds),
    ):
        wanted = since + seconds
        length = dialects.seconds_between(d.open_at, d.close_at)
        connection.execute(
            update(_waits)
            .where(
                w.clock == "business",
                w.calendar == d.calendar,
                d.open_seconds_before < wanted,
                d.open_seconds_before + length >= wanted,
            )
            .values({column: dialects.add_seconds(d.open_at, wanted - d.open_seconds_before)})
        )
    _points.drop(connection)


def _answers_elsewhere() -> Select[Any]:
    """Per wait: the first human reply to the same customer, for the same brand, on another channel.

    Not from outreach; topic the same or unknown; after the clock started and before *ignored after* ran out. A wait
    meets the replies of the days that its clock touches only: of a customer with tens of thousands of both, all
    pairs would be too many.
    """
    o, e = _opened.c, _events.c
    w = _waits
    several = (
        select(o.customer_id).group_by(o.customer_id).having(func.count(o.channel.distinct()) > 1).subquery("several")
    )
    replies = (
        select(
            o.customer_id,
            o.conversation_id,
            o.channel,
            o.brand,
            o.topic,
            e.at,
            sql_cast(e.at, Date).label("day"),
        )
        .select_from(_opened)
        .join(_events, and_(e.customer_id == o.customer_id, e.conversation_id == o.conversation_id))
        .join(several, several.c.customer_id == o.customer_id)
        .where(e.is_response.is_(True), o.kind != "outreach")
        .cte("replies")
    )
    r = replies.c
    days = select(r.customer_id, r.day).distinct().subquery("days")
    complaint_fits = and_(r.at > w.c.first_complaint_at, r.at <= w.c.complaint_ignored_due_at)
    wait_fits = and_(r.at > w.c.started_at, r.at <= w.c.ignored_due_at)
    last_due = func.greatest(w.c.ignored_due_at, w.c.complaint_ignored_due_at)
    by_channel = (
        select(
            w.c.number,
            r.channel,
            func.min(case((wait_fits, r.at))).label("at"),
            func.min(case((complaint_fits, r.at))).label("complaint_at"),
        )
        .select_from(w)
        .join(
            days,
            and_(
                days.c.customer_id == w.c.customer_id,
                days.c.day >= sql_cast(w.c.started_at, Date),
                days.c.day <= sql_cast(last_due, Date),
            ),
        )
        .join(
            replies,
            and_(
                r.customer_id == days.c.customer_id,
                r.day == days.c.day,
                r.channel != w.c.channel,
                func.coalesce(r.brand, "") == func.coalesce(w.c.brand, ""),
                or_(r.topic == w.c.topic, r.topic == UNKNOWN, w.c.topic == UNKNOWN),
                or_(wait_fits, complaint_fits),
            ),
        )
        .group_by(w.c.number, r.channel)
        .subquery("by_channel")
    )
    p = by_channel.c
    firsts = select(
        *by_channel.columns,
        func.min(p.at).over(partition_by=p.number).label("first_at"),
        func.min(p.complaint_at).over(partition_by=p.number).label("first_complaint"),
    ).subquery("firsts")
    f = firsts.c
    return select(
        f.number,
        func.min(f.at).label("at"),
        func.min(case((f.at == f.first_at, f.channel))).label("channel"),
        func.min(f.complaint_at).label("complaint_at"),
        func.min(case((f.complaint_at == f.first_complaint, f.channel))).label("complaint_channel"),
    ).group_by(f.number)


def _final_waits() -> Select[Any]:
    filled: dict[str, ColumnElement[Any]] = {
        "elsewhere_at": _elsewhere.c.at,
        "elsewhere_channel": _elsewhere.c.channel,
        "complaint_elsewhere_at": _elsewhere.c.complaint_at,
        "complaint_elsewhere_channel": _elsewhere.c.complaint_channel,
        **{name: tellings.found.c[name] for name in tellings.RESULT_COLUMNS},
    }
    o = _opened.c
    is_public, is_ours = o.channel.in_(sorted(PUBLIC_CHANNELS)), o.kind != "not_addressed"
    since = (
        select(
            o.customer_id,
            func.min(case((and_(is_ours, ~is_public), o.opened_at))).label("private_since_at"),
            func.min(case((and_(is_ours, is_public), o.opened_at))).label("public_since_at"),
        )
        .group_by(o.customer_id)
        .subquery("since")
    )
    filled |= {name: since.c[name] for name in ("private_since_at", "public_since_at")}
    place = func.row_number().over(partition_by=o.customer_id, order_by=(o.opened_at, collate(o.conversation_id, "C")))
    begun = (
        select(o.customer_id, o.conversation_id, sql_cast(place - 1, Integer).label("earlier_conversation_count"))
        .where(o.first_inbound_at.is_not(None))
        .subquery("begun")
    )
    filled |= {
        "earlier_conversation_count": begun.c.earlier_conversation_count,
        "is_recognisable": _waits.c.customer_id.in_(_recognised()),
    }
    return (
        select(*(filled[c.name].label(c.name) if c.name in filled else _waits.c[c.name] for c in waits.columns))
        .select_from(_waits)
        .join(since, since.c.customer_id == _waits.c.customer_id)
        .join(
            begun,
            and_(begun.c.customer_id == _waits.c.customer_id, begun.c.conversation_id == _waits.c.conversation_id),
        )
        .outerjoin(_elsewhere, _elsewhere.c.number == _waits.c.number)
        .outerjoin(tellings.found, tellings.found.c.number == _waits.c.number)
    )


def _reported(stored: FromClause) -> Subquery:
    """Per conversation the ticket or call that speaks for it: one that is open before closed ones, then the newest."""
    f, i = reported_facts.c, stored.c
    # A ticket that was opened again is open, whenever it was solved before.
    is_closed = case(
        (f.status.is_not(None), func.lower(f.status).in_(_CLOSED_STATUSES)), else_=f.resolved_at.is_not(None)
    )
    newest_first = (i.occurred_at.desc(), *(part.desc() for part in _in_order(i.external_id, i.interaction_id)))
    place = func.row_number().over(
        partition_by=(f.customer_id, f.conversation_id), order_by=(case((is_closed, 1), else_=0), *newest_first)
    )
    ranked = (
        select(reported_facts, is_closed.label("is_closed"), place.label("place"))
        .join(stored, and_(i.customer_id == f.customer_id, i.interaction_id == f.interaction_id))
        .where(f.customer_id.in_(select(touched.c.customer_id)))
        .subquery("ranked")
    )
    return select(ranked).where(ranked.c.place == 1).subquery("reported")


def _final_conversations(stored: FromClause) -> Select[Any]:
    o, w = _opened.c, _waits.c
    reported = _reported(stored)
    f = reported.c
    first = select(_waits).where(w.wait_number == 1).subquery("first")
    totals = (
        select(
            w.customer_id,
            w.conversation_id,
            sql_cast(func.count(), Integer).label("wait_count"),
            func.min(w.first_complaint_at).label("first_complaint_at"),
            func.min(w.first_bot_response_at).label("first_bot_response_at"),
        )
        .group_by(w.customer_id, w.conversation_id)
        .subquery("totals")
    )
    neighbours = _neighbours().subquery("neighbours")
    is_answered = or_(first.c.response_at.is_not(None), first.c.has_reported_answer.is_(True))
    filled: dict[str, Any] = {
        "is_public": o.channel.in_(sorted(PUBLIC_CHANNELS)),
        "first_response_at": first.c.response_at,
        "responder_agent": first.c.responder_agent,
        "responder_team": first.c.responder_team,
        "first_bot_response_at": totals.c.first_bot_response_at,
        "first_response_seconds": first.c.response_seconds,
        "calendar": first.c.calendar,
        "business_start_seconds": first.c.business_start_seconds,
        "business_response_seconds": first.c.business_response_seconds,
        "has_reported_answer": func.coalesce(first.c.has_reported_answer, false()),
        "is_response_known": func.coalesce(first.c.is_response_known, f.is_response_known, true()),
        "needs_reply_at": first.c.needs_reply_at,
        "target_seconds": first.c.target_seconds,
        "ignored_after_seconds": first.c.ignored_after_seconds,
        "clock": first.c.clock,
        "target_due_at": first.c.target_due_at,
        "ignored_due_at": first.c.ignored_due_at,
        "resolved_at": f.resolved_at,
        "status": f.status,
        "queue": f.queue,
        "is_call": and_(o.channel == "phone", f.conversation_id.is_not(None)),
        "is_abandoned": func.coalesce(f.is_abandoned, false()),
        "abandoned_seconds": f.abandoned_seconds,
        "talk_seconds": f.talk_seconds,
        "is_closed_without_reply": and_(
            func.coalesce(f.is_closed, false()),
            ~func.coalesce(is_answered, false()),
            func.coalesce(first.c.is_response_known, true()),
        ),
        "is_complaint": totals.c.first_complaint_at.is_not(None),
        "first_complaint_at": totals.c.first_complaint_at,
        "wait_count": func.coalesce(totals.c.wait_count, 0),
        "is_recognisable": o.customer_id.in_(_recognised()),
    }
    filled |= {c.name: c for c in neighbours.columns if c.name not in ("customer_id", "conversation_id")}

    def same(table: Any) -> ColumnElement[bool]:
        return and_(table.customer_id == o.customer_id, table.conversation_id == o.conversation_id)

    return (
        select(*(filled[c.name].label(c.name) if c.name in filled else o[c.name] for c in conversations.columns))
        .select_from(_opened)
        .outerjoin(first, same(first.c))
        .outerjoin(totals, same(totals.c))
        .outerjoin(reported, same(f))
        .join(neighbours, same(neighbours.c))
    )


def _recognised() -> Select[Any]:
    """The customers of whom something is known by which another contact would be joined with theirs.

    Of the touched only, as everything here: the identities of ten million customers were too many for the engine.
    """
    k = customer_identities.c
    return select(k.customer_id).where(k.reason.is_(None), k.customer_id.in_(select(touched.c.customer_id)))


def _neighbours() -> Select[Any]:
    """One row per conversation of `derive_conversations`: the customer's contact before it, and `schema.CONTACT_GAPS`.

    Apart from the other columns of conversations: windows sort only what they need.
    """
    o = _opened.c
    is_contact = and_(o.kind.in_(("customer_opened", "fragment")), o.first_inbound_at.is_not(None))
    placed = select(
        o.customer_id,
        o.conversation_id,
        o.opened_at,
        o.channel,
        o.topic,
        case((o.topic == UNKNOWN, o.opened_at)).label("topicless_at"),
        # Only conversations in which the customer spoke are contacts that another can follow.
        o.first_inbound_at.is_not(None).label("spoke"),
        is_contact.label("is_contact"),
    ).subquery("placed")
    p = placed.c
    order = (p.opened_at, collate(p.conversation_id, "C"))

    def before(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.lag(column).over(partition_by=(p.customer_id, p.spoke), order_by=order)

    def nearest(function: Any, *partition: ColumnElement[Any]) -> ColumnElement[Any]:
        found: ColumnElement[Any] = function(p.opened_at).over(
            partition_by=(p.customer_id, p.is_contact, *partition), order_by=order
        )
        return found

    def topicless(function: Any, rows: tuple[int | None, int | None], *partition: ColumnElement[Any]) -> Any:
        return function(p.topicless_at).over(
            partition_by=(p.customer_id, p.is_contact, *partition), order_by=order, rows=rows
        )

    beside = select(
        p.customer_id,
        p.conversation_id,
        p.opened_at,
        p.topic,
        p.is_contact,
        before(p.conversation_id).label("previous_conversation_id"),
        before(p.opened_at).label("previous_opened_at"),
        before(p.channel).label("previous_channel"),
        nearest(func.lag).label("before_at"),
        nearest(func.lag, p.topic).label("before_same_at"),
        topicless(func.max, (None, -1)).label("before_topicless_at"),
        nearest(func.lead).label("after_at"),
        nearest(func.lead, p.topic).label("after_same_at"),
        topicless(func.min, (1, None)).label("after_topicless_at"),
        nearest(func.lead, p.channel).label("after_channel_at"),
        nearest(func.lead, p.channel, p.topic).label("after_channel_same_at"),
        topicless(func.min, (1, None), p.channel).label("after_channel_topicless_at"),
    ).subquery("beside")
    n = beside.c
    gaps = {
        "repeats_any_topic_after_seconds": dialects.seconds_between(n.before_at, n.opened_at),
        "repeats_after_seconds": dialects.seconds_between(
            _fitting(n, n.before_at, n.before_same_at, n.before_topicless_at, func.greatest), n.opened_at
        ),
        "again_any_topic_after_seconds": dialects.seconds_between(n.opened_at, n.after_at),
        "again_after_seconds": dialects.seconds_between(
            n.opened_at, _fitting(n, n.after_at, n.after_same_at, n.after_topicless_at, func.least)
        ),
        "again_same_channel_any_topic_after_seconds": dialects.seconds_between(n.opened_at, n.after_channel_at),
        "again_same_channel_after_seconds": dialects.seconds_between(
            n.opened_at,
            _fitting(n, n.after_channel_at, n.after_channel_same_at, n.after_channel_topicless_at, func.least),
        ),
    }
    return select(
        n.customer_id,
        n.conversation_id,
        n.previous_conversation_id,
        n.previous_opened_at,
        n.previous_channel,
        dialects.seconds_between(n.previous_opened_at, n.opened_at).label("previous_gap_seconds"),
        *(case((n.is_contact, gap)).label(name) for name, gap in gaps.items()),
    )


def _fitting(
    contact: Any,
    nearest: ColumnElement[Any],
    same_topic: ColumnElement[Any],
    topicless: ColumnElement[Any],
    nearer: Any,
) -> ColumnElement[Any]:
    """The nearest contact of the same topic or of none; to a contact without a topic every one fits.

    `nearer` passes over what is null: `least` and `greatest` do on each engine.
    """
    return case((contact.topic == UNKNOWN, nearest), else_=nearer(same_topic, topicless))


def _refresh_agents(connection: Connection) -> None:
    """Who answers, in the team of their newest interaction (of several at that time, of the one with the first id).

    By aggregates: to rank the interactions of an agent a window holds all of them at once.
    """
    i = interactions.c
    by_agents = and_(i.agent.is_not(None), i.author_kind == "agent")
    newest = (
        select(i.agent, i.source, func.max(i.occurred_at).label("last_seen_at"))
        .where(by_agents)
        .group_by(i.agent, i.source)
        .subquery("newest")
    )
    n = newest.c
    connection.execute(delete(agents))
    connection.execute(
        insert(agents).from_select(
            ["agent", "source", "team", "last_seen_at"],
            select(
                n.agent,
                n.source,
                dialects.value_at_least(i.team, collate(i.interaction_id, "C"), true()),
                n.last_seen_at,
            )
            .join(
                interactions,
                and_(i.agent == n.agent, i.source == n.source, i.occurred_at == n.last_seen_at, by_agents),
            )
            .group_by(n.agent, n.source, n.last_seen_at),
        )
    )
