"""Derive `waits` and `conversations` from the events: one documented step, set-based, for touched customers only.

1. Visible events are put in order: by time, at the same second inbound before outbound.
2. A *wait* is the run of inbound events between two human responses; the number of responses before an
   event numbers the runs, so one aggregation gives all waits (gaps and islands).
3. A conversation's first response, complaint and texts come from its waits and first events.
4. Thresholds in force are copied on; *answered elsewhere* is the customer's first human reply on another
   channel after the clock started; ages are those at the time of contact.

A full rebuild gives the same rows as any sequence of loads.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
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
    Integer,
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
    union_all,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.calendars import expanded
from data_access.config import Settings, age_band_bounds
from data_access.schema import (
    agents,
    calendar_days,
    conversations,
    customers,
    interactions,
    reported_facts,
    source_status,
    waits,
)
from data_access.store import write_info
from data_access.vocabulary import PUBLIC_CHANNELS, UNKNOWN

_CLOSED_STATUSES = ("closed", "solved", "resolved", "done", "completed")
_FAR_PAST, _FAR_FUTURE = dt.datetime.min + dt.timedelta(days=1), dt.datetime.max - dt.timedelta(days=365)

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
    Column("run", BigInteger),
    Column("run_start", DateTime),
    Column("inbound_in_run", BigInteger),
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
    Column("first_bot_response_at", DateTime),
    Column("direct_response_at", DateTime),
    Column("has_reply_links", Boolean),
    Column("last_agent", Text),
    prefixes=["TEMPORARY"],
)
_waits = Table(
    "derive_waits",
    _work,
    *(Column(c.name, c.type) for c in waits.columns),
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
_points = Table(
    "derive_points",
    _work,
    Column("conversation_id", Text),
    Column("wait_number", Integer),
    Column("name", Text),
    Column("seconds", BigInteger),
    prefixes=["TEMPORARY"],
)
_elsewhere = Table(
    "derive_elsewhere",
    _work,
    Column("conversation_id", Text),
    Column("wait_number", Integer),
    Column("at", DateTime),
    Column("channel", Text),
    Column("complaint_at", DateTime),
    Column("complaint_channel", Text),
    prefixes=["TEMPORARY"],
)


def begin_touched(connection: Connection) -> None:
    """Start collecting the customers whose rows must be derived again."""
    dialects.create_temporary(connection, touched)


def rebuild(connection: Connection, settings: Settings) -> None:
    """Derive everything again, for all customers."""
    begin_touched(connection)
    connection.execute(insert(touched).from_select(["customer_id"], select(interactions.c.customer_id).distinct()))
    connection.execute(delete(waits))
    connection.execute(delete(conversations))
    derive_touched(connection, settings)


def derive_touched(connection: Connection, settings: Settings) -> None:
    """Derive `waits` and `conversations` of the customers in `touched_customers` again.

    Writes the settings used to `store_info`; the caller's transaction makes all of it visible at once.
    """
    mine = select(touched.c.customer_id)
    connection.execute(delete(waits).where(waits.c.customer_id.in_(mine)))
    connection.execute(delete(conversations).where(conversations.c.customer_id.in_(mine)))
    for table in (_events, _opened, _waits, _thresholds, _elsewhere):
        dialects.create_temporary(connection, table)
    _fill(connection, _events, _ordered_events())
    _fill(connection, _opened, _opened_conversations(settings))
    _fill_thresholds(connection, settings)
    _fill(connection, _waits, _runs())
    _fill_business_time(connection, settings)
    _fill(connection, _elsewhere, _answers_elsewhere())
    _fill(connection, waits, _final_waits())
    _fill(connection, conversations, _final_conversations())
    _refresh_agents(connection)
    write_info(connection, settings=settings.to_json(), settings_fingerprint=settings.fingerprint())
    for table in (_events, _opened, _waits, _thresholds, _elsewhere):
        table.drop(connection)


def refresh_source_status(connection: Connection, source: str, complete_to: dt.datetime | None) -> None:
    """Set *complete to* of a source: as given, else kept as given before, else its newest event."""
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
    given = complete_to or (before.complete_to if before and before.is_complete_to_given else None)
    if given is None and newest is None:
        return
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
            complete_to=given or newest,
            is_complete_to_given=given is not None,
            newest_event_at=newest,
            has_response_times=bool(has_times),
        )
    )


def _fill(connection: Connection, table: Table, rows: Select[Any]) -> None:
    names = [column.name for column in rows.selected_columns]
    connection.execute(insert(table).from_select(names, rows))


def _ordered_events() -> Select[Any]:
    i = interactions
    is_inbound = and_(i.c.direction == "inbound", i.c.author_kind == "customer")
    is_response = and_(i.c.direction == "outbound", i.c.author_kind == "agent")
    is_bot = and_(i.c.direction == "outbound", i.c.author_kind != "agent")
    shared = [
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
    ]
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
        *(i.c[name] for name in shared),
    ).where(i.c.customer_id.in_(select(touched.c.customer_id)), i.c.is_visible.is_(True))
    # A ticket or call whose answer is reported, but none of whose events is an answer: events win.
    f = reported_facts
    answered_by_event = exists().where(
        i.c.customer_id == f.c.customer_id,
        i.c.conversation_id == f.c.conversation_id,
        i.c.direction == "outbound",
        i.c.author_kind == "agent",
        i.c.is_visible.is_(True),
    )
    from_facts = select(
        f.c.customer_id,
        f.c.conversation_id,
        literal("").label("event_id"),
        sql_cast(null(), Text).label("external_event_id"),
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
            for name in shared
        ),
    ).where(f.c.customer_id.in_(select(touched.c.customer_id)), f.c.first_response_at.is_not(None), ~answered_by_event)
    events = union_all(from_events, from_facts).subquery("events")
    conversation = (events.c.customer_id, events.c.conversation_id)
    order = (events.c.at, case((events.c.is_inbound, 0), else_=1), events.c.event_id)
    responses_before = func.coalesce(
        func.sum(case((events.c.is_response, 1), else_=0)).over(
            partition_by=conversation, order_by=order, rows=(None, -1)
        ),
        0,
    )
    numbered = select(*events.columns, sql_cast(responses_before, BigInteger).label("run")).subquery("numbered")
    run = (numbered.c.customer_id, numbered.c.conversation_id, numbered.c.run)
    order = (numbered.c.at, case((numbered.c.is_inbound, 0), else_=1), numbered.c.event_id)
    return select(
        *(numbered.c[column.name] for column in _events.columns if column.name in numbered.c),
        func.min(case((numbered.c.is_inbound, numbered.c.at))).over(partition_by=run).label("run_start"),
        case(
            (
                numbered.c.is_inbound,
                func.row_number().over(partition_by=(*run, numbered.c.is_inbound), order_by=order),
            )
        ).label("inbound_in_run"),
    )


def _opened_conversations(settings: Settings) -> Select[Any]:
    e = _events
    conversation = (e.c.customer_id, e.c.conversation_id)
    order = (e.c.at, case((e.c.is_inbound, 0), else_=1), e.c.event_id)
    group = (*conversation, e.c.is_inbound)
    ranked = select(
        *e.columns,
        func.row_number().over(partition_by=(*conversation, e.c.is_bot), order_by=order).label("place"),
        func.row_number().over(partition_by=group, order_by=order).label("from_first"),
        func.row_number().over(partition_by=group, order_by=(e.c.at.desc(), e.c.event_id.desc())).label("from_last"),
        func.row_number()
        .over(partition_by=group, order_by=(case((e.c.topic.is_(None), 1), else_=0), *order))
        .label("topic_place"),
        func.row_number()
        .over(partition_by=group, order_by=(case((e.c.blamed_channel.is_(None), 1), else_=0), *order))
        .label("blame_place"),
        func.first_value(e.c.external_event_id)
        .over(partition_by=conversation, order_by=(case((e.c.is_inbound, 0), else_=1), *order))
        .label("opening_id"),
        func.row_number()
        .over(partition_by=(*conversation, e.c.is_response), order_by=(e.c.at.desc(), e.c.event_id.desc()))
        .label("response_from_last"),
    ).subquery("ranked")
    r = ranked.c

    def pick(column: ColumnElement[Any], *when: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.max(case((and_(*when), column)))

    inbound = r.is_inbound
    is_first_contact = and_(r.place == 1, ~r.is_bot)
    opened_by_us = func.max(case((and_(is_first_contact, or_(r.is_response, r.is_outreach)), 1), else_=0)) == 1
    no_customer = func.max(case((inbound, 1), else_=0)) == 0
    kind = case(
        (func.max(case((r.is_addressed, 1), else_=0)) == 0, "not_addressed"),
        (func.max(case((r.is_parent_missing, 1), else_=0)) == 1, "fragment"),
        (or_(opened_by_us, no_customer), "outreach"),
        else_="customer_opened",
    )
    grouped = (
        select(
            r.customer_id,
            r.conversation_id,
            func.max(r.source).label("source"),
            func.coalesce(pick(r.channel, inbound, r.from_first == 1), func.max(r.channel)).label("channel"),
            func.max(r.brand).label("brand"),
            func.coalesce(pick(r.team, inbound, r.from_first == 1), case((no_customer, func.max(r.team)))).label(
                "team"
            ),
            kind.label("kind"),
            func.max(r.thread_id).label("external_id"),
            func.coalesce(func.min(case((~r.is_bot, r.at))), func.min(r.at)).label("opened_at"),
            func.min(case((inbound, r.at))).label("first_inbound_at"),
            func.max(case((inbound, r.at))).label("last_inbound_at"),
            func.max(r.at).label("last_event_at"),
            pick(r.topic, inbound, r.topic_place == 1).label("topic"),
            pick(r.topics, inbound, r.topic_place == 1).label("topics"),
            pick(r.blamed_channel, inbound, r.blame_place == 1).label("blamed_channel"),
            pick(r.sentiment_label, inbound, r.from_first == 1).label("sentiment_label"),
            pick(r.sentiment_score, inbound, r.from_first == 1).label("sentiment_score"),
            pick(r.sentiment_label, inbound, r.from_last == 1).label("closing_sentiment_label"),
            pick(r.sentiment_score, inbound, r.from_last == 1).label("closing_sentiment_score"),
            sql_cast(func.sum(case((inbound, 1), else_=0)), Integer).label("inbound_count"),
            sql_cast(func.sum(case((r.is_response, 1), else_=0)), Integer).label("outbound_count"),
            func.max(case((inbound, r.audience))).label("audience"),
            func.min(case((and_(r.is_bot, r.at >= r.run_start), r.at))).label("first_bot_response_at"),
            func.min(case((and_(r.is_response, r.reply_to == r.opening_id), r.at))).label("direct_response_at"),
            func.bool_or(r.reply_to.is_not(None)).label("has_reply_links"),
            pick(r.agent, r.is_response, r.response_from_last == 1).label("last_agent"),
        )
        .group_by(r.customer_id, r.conversation_id)
        .subquery("grouped")
    )
    names = [c.name for c in _opened.columns if c.name in grouped.c and c.name != "topic"]
    return (
        select(
            *(grouped.c[name] for name in names),
            func.coalesce(grouped.c.topic, UNKNOWN).label("topic"),
            _age_group(dialects.local_time(grouped.c.opened_at, settings.zone), settings).label("age_group"),
        )
        .select_from(grouped)
        .outerjoin(customers, customers.c.customer_id == grouped.c.customer_id)
    )


def _age_group(at: ColumnElement[Any], settings: Settings) -> ColumnElement[str]:
    """Band of the customer's age on that local day; by birth date, else birth year (as if 1 July), else as given."""
    year, month, day = (func.extract(part, at) for part in ("year", "month", "day"))
    born = customers.c.birth_date
    had_birthday = or_(
        month > func.extract("month", born),
        and_(month == func.extract("month", born), day >= func.extract("day", born)),
    )
    exact = year - func.extract("year", born) - case((had_birthday, 0), else_=1)
    by_year = year - customers.c.birth_year - case((month >= 7, 0), else_=1)
    age = case((born.is_not(None), exact), else_=by_year)
    bands = []
    for band in settings.age_bands:
        low, high = age_band_bounds(band)
        bands.append((and_(age >= low, age <= high), band))
    given = case((customers.c.age_group_given.in_(settings.age_bands), customers.c.age_group_given), else_=UNKNOWN)
    return case(*bands, else_=given)


def _runs() -> Select[Any]:
    e, o, t = _events.c, _opened.c, _thresholds.c

    def first(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((e.inbound_in_run == 1, column)))

    runs = (
        select(
            e.customer_id,
            e.conversation_id,
            e.run,
            func.min(case((e.is_inbound, e.at))).label("started_at"),
            first(e.team).label("team"),
            func.min(case((and_(e.is_inbound, e.is_complaint.is_(True)), e.at))).label("first_complaint_at"),
            sql_cast(func.sum(case((e.is_inbound, 1), else_=0)), Integer).label("inbound_count"),
            sql_cast(func.sum(case((and_(e.is_inbound, e.is_complaint.is_(True)), 1), else_=0)), Integer).label(
                "complaint_count"
            ),
            func.max(case((and_(e.is_inbound, func.coalesce(e.needs_reply, true())), 1), else_=0)).label("needs"),
            func.max(case((and_(e.is_inbound, e.has_reported_answer.is_(True)), 1), else_=0)).label("reported"),
            func.max(case((e.is_response, e.at))).label("response_at"),
            func.max(case((e.is_response, e.agent))).label("responder_agent"),
            func.max(case((e.is_response, e.team))).label("responder_team"),
            func.min(case((and_(e.is_bot, e.at >= e.run_start), e.at))).label("first_bot_response_at"),
            func.max(case((e.is_inbound, e.audience))).label("audience"),
        )
        .group_by(e.customer_id, e.conversation_id, e.run)
        .having(func.max(case((e.is_inbound, 1), else_=0)) == 1)
        .subquery("runs")
    )
    r = runs.c
    number = func.row_number().over(partition_by=(r.customer_id, r.conversation_id), order_by=r.run)
    numbered = select(*runs.columns, sql_cast(number, Integer).label("wait_number")).subquery("numbered")
    w = numbered.c
    is_opening = and_(w.wait_number == 1, o.kind == "customer_opened")
    # "Answered", without a time, by the ticket or call: said of its first wait.
    reported_by_fact = and_(
        w.wait_number == 1,
        exists().where(
            reported_facts.c.customer_id == w.customer_id,
            reported_facts.c.conversation_id == w.conversation_id,
            reported_facts.c.is_answered.is_(True),
            reported_facts.c.first_response_at.is_(None),
        ),
    )
    # A ticket whose comments are not in the data: silence here is no silence of the company.
    is_unknown = exists().where(
        reported_facts.c.customer_id == w.customer_id,
        reported_facts.c.conversation_id == w.conversation_id,
        reported_facts.c.is_response_known.is_(False),
    )
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
            or_(w.needs == 1, w.first_complaint_at.is_not(None)).label("needs_reply"),
            and_(w.response_at.is_(None), or_(w.reported == 1, reported_by_fact)).label("has_reported_answer"),
            or_(w.response_at.is_not(None), ~is_unknown).label("is_response_known"),
            w.response_at,
            w.responder_agent,
            w.responder_team,
            w.first_bot_response_at,
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
        )
        .select_from(numbered)
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
    connection.execute(delete(calendar_days))
    if not settings.calendars:
        return
    for calendar in settings.calendars:
        rows = expanded(calendar)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        schema = dialects.arrow_schema(calendar_days)
        dialects.bulk_insert(connection, calendar_days, pa.table(columns, schema=schema))
    dialects.create_temporary(connection, _points)
    moments = (
        ("start", w.started_at),
        ("complaint", w.first_complaint_at),
        ("response", w.response_at),
    )
    d = calendar_days.c
    for name, at in moments:
        length = dialects.seconds_between(d.open_at, func.least(func.greatest(at, d.open_at), d.close_at))
        _fill(
            connection,
            _points,
            select(
                w.conversation_id,
                w.wait_number,
                literal(name).label("name"),
                sql_cast(func.min(d.open_seconds_before) + func.sum(length), BigInteger).label("seconds"),
            )
            .select_from(_waits)
            .join(calendar_days, and_(d.calendar == w.calendar, d.day == sql_cast(at, Date)))
            .where(at.is_not(None))
            .group_by(w.conversation_id, w.wait_number),
        )
    points = (
        select(
            _points.c.conversation_id,
            _points.c.wait_number,
            *(
                func.max(case((_points.c.name == name, _points.c.seconds))).label(name)
                for name in ("start", "complaint", "response")
            ),
        )
        .group_by(_points.c.conversation_id, _points.c.wait_number)
        .subquery("points")
    )
    p = points.c
    connection.execute(
        update(_waits)
        .where(w.conversation_id == p.conversation_id, w.wait_number == p.wait_number)
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

    Not from outreach; topic the same or unknown; after the clock started and before *ignored after* ran out.
    """
    o, e = _opened.c, _events.c
    w = _waits
    several = (
        select(o.customer_id).group_by(o.customer_id).having(func.count(o.channel.distinct()) > 1).subquery("several")
    )
    replies = (
        select(o.customer_id, o.conversation_id, o.channel, o.brand, o.topic, e.at)
        .select_from(_opened)
        .join(_events, and_(e.customer_id == o.customer_id, e.conversation_id == o.conversation_id))
        .join(several, several.c.customer_id == o.customer_id)
        .where(e.is_response.is_(True), o.kind != "outreach")
        .subquery("replies")
    )
    r = replies.c
    complaint_fits = and_(r.at > w.c.first_complaint_at, r.at <= w.c.complaint_ignored_due_at)
    wait_fits = and_(r.at > w.c.started_at, r.at <= w.c.ignored_due_at)
    pairs = (
        select(
            w.c.conversation_id,
            w.c.wait_number,
            case((wait_fits, r.at)).label("at"),
            case((complaint_fits, r.at)).label("complaint_at"),
            r.channel,
        )
        .select_from(w)
        .join(
            replies,
            and_(
                r.customer_id == w.c.customer_id,
                r.channel != w.c.channel,
                func.coalesce(r.brand, "") == func.coalesce(w.c.brand, ""),
                or_(r.topic == w.c.topic, r.topic == UNKNOWN, w.c.topic == UNKNOWN),
                or_(wait_fits, complaint_fits),
            ),
        )
        .subquery("pairs")
    )
    p = pairs.c
    firsts = select(
        *pairs.columns,
        func.min(p.at).over(partition_by=(p.conversation_id, p.wait_number)).label("first_at"),
        func.min(p.complaint_at).over(partition_by=(p.conversation_id, p.wait_number)).label("first_complaint"),
    ).subquery("firsts")
    f = firsts.c
    return select(
        f.conversation_id,
        f.wait_number,
        func.min(f.at).label("at"),
        func.min(case((f.at == f.first_at, f.channel))).label("channel"),
        func.min(f.complaint_at).label("complaint_at"),
        func.min(case((f.complaint_at == f.first_complaint, f.channel))).label("complaint_channel"),
    ).group_by(f.conversation_id, f.wait_number)


def _final_waits() -> Select[Any]:
    filled = {
        "elsewhere_at": _elsewhere.c.at,
        "elsewhere_channel": _elsewhere.c.channel,
        "complaint_elsewhere_at": _elsewhere.c.complaint_at,
        "complaint_elsewhere_channel": _elsewhere.c.complaint_channel,
    }
    return (
        select(*(filled[c.name].label(c.name) if c.name in filled else _waits.c[c.name] for c in waits.columns))
        .select_from(_waits)
        .outerjoin(
            _elsewhere,
            and_(
                _elsewhere.c.conversation_id == _waits.c.conversation_id,
                _elsewhere.c.wait_number == _waits.c.wait_number,
            ),
        )
    )


def _final_conversations() -> Select[Any]:
    o, w = _opened.c, waits.c
    f = reported_facts.c
    first = select(waits).where(w.wait_number == 1, w.customer_id.in_(select(touched.c.customer_id))).subquery("first")
    totals = (
        select(
            w.customer_id,
            w.conversation_id,
            sql_cast(func.count(), Integer).label("wait_count"),
            func.min(w.first_complaint_at).label("first_complaint_at"),
        )
        .where(w.customer_id.in_(select(touched.c.customer_id)))
        .group_by(w.customer_id, w.conversation_id)
        .subquery("totals")
    )
    # Only conversations in which the customer spoke are contacts that another can follow.
    spoke = case((o.first_inbound_at.is_not(None), 0), else_=1)
    window: dict[str, Any] = {
        "partition_by": (o.customer_id, spoke),
        "order_by": (o.opened_at, o.conversation_id),
    }
    previous_opened_at = func.lag(o.opened_at).over(**window)
    is_answered = or_(first.c.response_at.is_not(None), first.c.has_reported_answer.is_(True))
    is_closed = or_(f.resolved_at.is_not(None), func.lower(f.status).in_(_CLOSED_STATUSES))
    filled: dict[str, Any] = {
        "is_public": o.channel.in_(sorted(PUBLIC_CHANNELS)),
        "first_response_at": first.c.response_at,
        "responder_agent": first.c.responder_agent,
        "responder_team": first.c.responder_team,
        "first_response_seconds": first.c.response_seconds,
        "calendar": first.c.calendar,
        "business_start_seconds": first.c.business_start_seconds,
        "business_response_seconds": first.c.business_response_seconds,
        "has_reported_answer": func.coalesce(first.c.has_reported_answer, false()),
        "is_response_known": func.coalesce(first.c.is_response_known, f.is_response_known, true()),
        "needs_reply": func.coalesce(first.c.needs_reply, false()),
        "target_seconds": first.c.target_seconds,
        "ignored_after_seconds": first.c.ignored_after_seconds,
        "clock": first.c.clock,
        "target_due_at": first.c.target_due_at,
        "resolved_at": f.resolved_at,
        "status": f.status,
        "queue": f.queue,
        "is_call": and_(o.channel == "phone", f.conversation_id.is_not(None)),
        "is_abandoned": func.coalesce(f.is_abandoned, false()),
        "abandoned_seconds": f.abandoned_seconds,
        "talk_seconds": f.talk_seconds,
        "is_closed_without_reply": and_(
            func.coalesce(is_closed, false()),
            ~func.coalesce(is_answered, false()),
            func.coalesce(first.c.is_response_known, true()),
        ),
        "is_complaint": totals.c.first_complaint_at.is_not(None),
        "first_complaint_at": totals.c.first_complaint_at,
        "wait_count": func.coalesce(totals.c.wait_count, 0),
        "previous_conversation_id": func.lag(o.conversation_id).over(**window),
        "previous_opened_at": previous_opened_at,
        "previous_channel": func.lag(o.channel).over(**window),
        "previous_gap_seconds": dialects.seconds_between(previous_opened_at, o.opened_at),
    }

    def same(table: Any) -> ColumnElement[bool]:
        return and_(table.customer_id == o.customer_id, table.conversation_id == o.conversation_id)

    return (
        select(*(filled[c.name].label(c.name) if c.name in filled else o[c.name] for c in conversations.columns))
        .select_from(_opened)
        .outerjoin(first, same(first.c))
        .outerjoin(totals, same(totals.c))
        .outerjoin(reported_facts, same(f))
    )


def _refresh_agents(connection: Connection) -> None:
    i = interactions.c
    connection.execute(delete(agents))
    ranked = (
        select(
            i.agent,
            i.source,
            i.team,
            i.occurred_at,
            func.row_number()
            .over(partition_by=(i.agent, i.source), order_by=(i.occurred_at.desc(), i.interaction_id))
            .label("place"),
        )
        .where(i.agent.is_not(None), i.author_kind == "agent")
        .subquery("ranked")
    )
    connection.execute(
        insert(agents).from_select(
            ["agent", "source", "team", "last_seen_at"],
            select(ranked.c.agent, ranked.c.source, ranked.c.team, ranked.c.occurred_at).where(ranked.c.place == 1),
        )
    )
