"""The rows behind any figure, one conversation, and one customer's journey."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import (
    Connection,
    Date,
    Engine,
    FromClause,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.filters import Filter
from data_access.frames import fetch, typed
from data_access.measures import (
    MEASURES,
    Selection,
    answered_at,
    answered_seconds,
    conversation_states,
    front_of,
    is_answered,
    measure_named,
    needs_reply,
    response_state,
    wait_state,
    waited_seconds,
)
from data_access.schema import conversations, customers, interactions, waits

ROWS_AT_ONCE = 200_000
"""Rows of an export that the engine puts in order at once: some 150 MB of its memory."""

ROWS_IN_A_PART = 20_000

_Columns = dict[str, tuple[ColumnElement[Any], str]]


def _columns(wanted: Filter, state: ColumnElement[Any], rows: Table = conversations) -> _Columns:
    """What is told of each row; of a wait what it says itself, for in a conversation every wait may differ."""
    c, own = conversations.c, rows.c
    answered = answered_at(conversations, wanted)
    return {
        "conversation_id": (c.conversation_id, "text"),
        "customer_id": (c.customer_id, "text"),
        "kind": (own.kind, "text"),
        "channel": (own.channel, "text"),
        "brand": (own.brand, "text"),
        "team": (own.team, "text"),
        "opened_at": (c.opened_at, "at"),
        "first_response_at": (answered, "at"),
        "first_response_minutes": (case((answered.is_not(None), c.first_response_seconds / 60.0)), "minutes"),
        "is_answered": (func.coalesce(is_answered(rows, wanted), ~true()), "flag"),
        "is_complaint": (func.coalesce(own.first_complaint_at <= wanted.now, ~true()), "flag"),
        "response_state": (state, "text"),
        "age_group": (own.age_group, "text"),
        "topic": (own.topic, "text"),
        "sentiment_label": (own.sentiment_label, "text"),
        "needs_reply": (needs_reply(rows, wanted), "flag"),
        "status": (c.status, "text"),
        "is_closed_without_reply": (
            and_(
                c.is_closed_without_reply.is_(True),
                ~func.coalesce(is_answered(conversations, wanted), ~true()),
            ),
            "flag",
        ),
        "responder_agent": (case((answered_at(rows, wanted).is_not(None), own.responder_agent)), "text"),
        "resolved_at": (case((c.resolved_at <= wanted.now, c.resolved_at)), "at"),
        "source": (c.source, "text"),
        "external_id": (c.external_id, "text"),
    }


def _of_conversations(wanted: Filter, states: Any) -> _Columns:
    """The columns of conversations that stand beside their states."""
    columns = _columns(wanted, states.response_state)
    return columns | {"opening_state": (states.opening_state, "text")}


def _with_states(wanted: Filter, *of: ColumnElement[bool]) -> tuple[Any, Any]:
    """Conversations beside their states, and the columns of these; from the waits of these conditions, else all."""
    states = conversation_states(wanted).where(*of).subquery("states")
    joined = conversations.outerjoin(
        states,
        and_(
            states.c.customer_id == conversations.c.customer_id,
            states.c.conversation_id == conversations.c.conversation_id,
        ),
    )
    return joined, states.c


def conversations_rows(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Every conversation of the filter, of every kind, never cut. One row each, oldest first.

    `response_state` is that of the worst complaint, else of the opening wait; `opening_state` is that of the opening
    wait, to which `first_response_minutes` belongs. Empty where nothing was asked.
    """
    return selected_rows(engine, Selection(wanted, "all_conversations"), newest_first=False)


def _selected(
    selection: Selection,
    *,
    newest_first: bool,
    limit: int | None = None,
    offset: int = 0,
    stretch: tuple[dt.datetime, dt.datetime] | None = None,
) -> tuple[Select[Any], _Columns]:
    """The rows of a selection, all or a page of them, or those of a stretch of time from and before a moment."""
    wanted = selection.wanted
    measure = measure_named(selection.measure)
    table, owning = measure.table, measure.owning_time
    clauses = list(selection.clauses())
    if stretch is not None:
        clauses += [owning >= stretch[0], owning < stretch[1]]
    key = list(table.primary_key.columns)
    tie = (table.c.conversation_id, *((waits.c.wait_number,) if table is waits else ()))
    in_order = (owning.desc() if newest_first else owning, *tie)
    # What is known of a row beyond what selects it is read for the rows that are shown.
    shown = (
        None
        if limit is None
        else select(*key).where(*clauses).order_by(*in_order).limit(limit).offset(offset).subquery("shown")
    )
    if table is conversations:
        if shown is not None:
            joined, states = _with_states(wanted, waits.c.customer_id.in_(select(shown.c.customer_id)))
        elif stretch is not None:
            # No wait begins before its conversation does.
            mine = select(table.c.customer_id).where(*clauses)
            joined, states = _with_states(wanted, waits.c.started_at >= stretch[0], waits.c.customer_id.in_(mine))
        else:
            joined, states = _with_states(wanted)
        columns = _of_conversations(wanted, states)
    else:
        of_complaint = measure.owning == "first_complaint_at"
        is_backlog = measure.name == "open_waits"
        own_state = wait_state(wanted) if is_backlog else response_state(wanted, of_complaint=of_complaint)
        joined = waits.join(
            conversations,
            and_(
                conversations.c.customer_id == waits.c.customer_id,
                conversations.c.conversation_id == waits.c.conversation_id,
            ),
        )
        columns = _columns(wanted, own_state, waits)
        columns |= {
            "wait_number": (waits.c.wait_number, "count"),
            "started_at": (waits.c.started_at, "at"),
            "first_complaint_at": (
                case((waits.c.first_complaint_at <= wanted.now, waits.c.first_complaint_at)),
                "at",
            ),
            "response_at": (answered_at(waits, wanted), "at"),
            "waited_minutes": (
                case(
                    (answered_at(waits, wanted).is_not(None), answered_seconds(waits, wanted)),
                    else_=waited_seconds(waits, wanted),
                )
                / 60.0,
                "minutes",
            ),
            "answered_elsewhere_on": (
                case((waits.c.elsewhere_at <= wanted.now, waits.c.elsewhere_channel), else_=null()),
                "text",
            ),
        }
    if measure.name == "back_door":
        waited = dialects.seconds_between(front_of("started_at", wanted), waits.c.first_complaint_at)
        columns |= {
            "front_channel": (front_of("channel", wanted), "text"),
            "front_waited_minutes": (waited / 60.0, "minutes"),
        }
    if shown is not None:
        joined = joined.join(shown, and_(*(column == shown.c[column.name] for column in key)))
    statement = select(*(expression.label(name) for name, (expression, _) in columns.items())).select_from(joined)
    if shown is None:
        statement = statement.where(*clauses)
    return statement.order_by(*in_order), columns


def selected_rows(
    engine: Engine,
    selection: Selection,
    limit: int | None = None,
    offset: int = 0,
    *,
    newest_first: bool = True,
) -> pd.DataFrame:
    """Exactly the rows that a figure counted. One row per conversation, or per wait where waits are counted.

    What a wait says itself is told of it, such as team, answerer and whether it holds a complaint; the columns
    `first_response_*`, `opened_at`, `status`, `is_closed_without_reply`, `resolved_at` are those of its conversation.
    """
    statement, columns = _selected(selection, newest_first=newest_first, limit=limit, offset=offset)
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def selected_row_parts(engine: Engine, selection: Selection) -> Iterator[pd.DataFrame]:
    """The same rows in the same order, in frames of some thousand: for exports of any length.

    Asked for by stretches of time: an engine that must put all rows in order holds all of them.
    """
    with engine.connect() as connection:  # one, so that all stretches see one state of the store
        for stretch in _stretches(connection, selection) or [None]:
            statement, columns = _selected(selection, newest_first=True, stretch=stretch)
            kinds = {name: kind for name, (_, kind) in columns.items()}
            for part in dialects.column_batches(connection, statement, ROWS_IN_A_PART):
                yield typed(part, kinds)


def _stretches(connection: Connection, selection: Selection) -> Sequence[tuple[dt.datetime, dt.datetime] | None]:
    """Stretches of whole UTC days, newest first, of `ROWS_AT_ONCE` rows or a little more; together all rows."""
    measure = measure_named(selection.measure)
    day = sql_cast(measure.owning_time, Date)
    days = select(day, func.count()).select_from(measure.table).where(*selection.clauses()).group_by(day)
    counted = connection.execute(days.order_by(day.desc())).all()
    found, rows = list[tuple[dt.datetime, dt.datetime]](), 0
    before = None
    for date, count in counted:
        start = dt.datetime.combine(date, dt.time())
        before = before or start + dt.timedelta(days=1)
        rows += count
        if rows >= ROWS_AT_ONCE or date == counted[-1][0]:
            found.append((start, before))
            before, rows = None, 0
    return found


def count_rows(engine: Engine, selection: Selection) -> int:
    """How many rows `selected_rows` gives."""
    measure = measure_named(selection.measure)
    with engine.connect() as connection:
        statement = select(func.count()).select_from(measure.table).where(*selection.clauses())
        return int(connection.scalar(statement) or 0)


def count_listed(engine: Engine, selection: Selection) -> int:
    """How many rows the statement of `selected_rows` has, with all that it joins, counted by the engine."""
    statement, _ = _selected(selection, newest_first=True)
    with engine.connect() as connection:
        rows = statement.order_by(None).subquery("listed")
        return int(connection.scalar(select(func.count()).select_from(rows)) or 0)


def is_in_scope(wanted: Filter, table: FromClause = conversations) -> ColumnElement[bool]:
    """The viewer may read the texts of this conversation."""
    allowed: list[ColumnElement[bool]] = []
    for scope, column in (
        (wanted.scope_teams, table.c.team),
        (wanted.scope_brands, table.c.brand),
    ):
        if scope is not None:
            allowed.append(column.in_(scope) if scope else ~true())
    return func.coalesce(and_(true(), *allowed), ~true())


def _visible(wanted: Filter) -> ColumnElement[bool]:
    """The viewer may know of this conversation: it, or another of the same customer, is in scope."""
    if wanted.scope_teams is None and wanted.scope_brands is None:
        return true()
    other = conversations.alias("other")
    allowed: list[ColumnElement[bool]] = []
    for scope, column in ((wanted.scope_teams, other.c.team), (wanted.scope_brands, other.c.brand)):
        if scope is not None:
            allowed.append(column.in_(scope) if scope else ~true())
    return or_(is_in_scope(wanted), exists().where(other.c.customer_id == conversations.c.customer_id, *allowed))


# What a viewer may know of another team's conversation, and of its events, beside that they are not shown.
_KNOWN_TO_ALL = (
    "conversation_id", "customer_id", "kind", "channel", "age_group", "opened_at", "first_response_at",
    "first_response_minutes", "is_answered", "response_state", "opening_state",
)  # fmt: skip
_EVENTS_KNOWN_TO_ALL = ("occurred_at", "direction", "author_kind", "is_visible", "needs_reply")


def _for_the_viewer(wanted: Filter, columns: _Columns, known_to_all: Sequence[str]) -> _Columns:
    """The columns, empty where the conversation is outside the viewer's scope but for these; and `is_readable`."""
    readable = is_in_scope(wanted)
    shown = {
        name: (expression if name in known_to_all else case((readable, expression)), kind)
        for name, (expression, kind) in columns.items()
    }
    return shown | {"is_readable": (readable, "flag")}


def conversation_events(engine: Engine, wanted: Filter, conversation_id: str) -> pd.DataFrame:
    """The events of one conversation up to `as_of`, in order. One row per interaction, internal notes included.

    Only time, direction and kind of author are told where the conversation is outside the viewer's scope.
    """
    i = interactions.c
    columns: _Columns = {
        "occurred_at": (i.occurred_at, "at"),
        "direction": (i.direction, "text"),
        "author_kind": (i.author_kind, "text"),
        "agent": (i.agent, "text"),
        "team": (i.team, "text"),
        "text": (i.text, "text"),
        "is_visible": (i.is_visible, "flag"),
        "is_complaint": (i.is_complaint, "flag"),
        "needs_reply": (or_(~is_in_scope(wanted), func.coalesce(i.needs_reply, true())), "flag"),
        "sentiment_label": (i.sentiment_label, "text"),
        "sentiment_score": (i.sentiment_score, "share"),
        "sentiment_scorer": (i.sentiment_scorer, "text"),
        "not_scored_reason": (i.not_scored_reason, "text"),
        "topics": (i.topics, "text"),
        "blamed_channel": (i.blamed_channel, "text"),
        "evidence": (i.evidence, "text"),
        "external_id": (i.external_id, "text"),
    }
    columns = _for_the_viewer(wanted, columns, _EVENTS_KNOWN_TO_ALL)
    statement = (
        select(*(expression.label(name) for name, (expression, _) in columns.items()))
        .select_from(interactions)
        .join(
            conversations,
            and_(
                conversations.c.customer_id == i.customer_id,
                conversations.c.conversation_id == i.conversation_id,
            ),
        )
        .where(i.conversation_id == conversation_id, i.occurred_at <= wanted.now, _visible(wanted))
        .order_by(i.occurred_at, case((i.direction == "inbound", 0), else_=1), i.interaction_id)
    )
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def customer_conversations(engine: Engine, wanted: Filter, customer_id: str) -> pd.DataFrame:
    """All conversations of one customer up to `as_of`, on every channel, oldest first; filters do not apply.

    Of those outside the viewer's scope only channel, times and state are told.
    """
    joined, states = _with_states(wanted)
    columns = _for_the_viewer(wanted, _of_conversations(wanted, states), _KNOWN_TO_ALL)
    statement = (
        select(*(expression.label(name) for name, (expression, _) in columns.items()))
        .select_from(joined)
        .where(
            conversations.c.customer_id == customer_id,
            conversations.c.opened_at <= wanted.now,
            _visible(wanted),
        )
        .order_by(conversations.c.opened_at, conversations.c.conversation_id)
    )
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def customer_facts(engine: Engine, wanted: Filter, customer_id: str) -> pd.DataFrame:
    """Who the customer is, for the head of a journey: one row or none; nothing outside the viewer's scope."""
    c = customers.c
    columns: _Columns = {
        "customer_id": (c.customer_id, "text"),
        "display_name": (c.display_name, "text"),
        "handle": (c.handle, "text"),
        "segment": (c.segment, "text"),
        "followers": (func.coalesce(c.followers, 0), "count"),
    }
    seen = exists().where(conversations.c.customer_id == c.customer_id, is_in_scope(wanted))
    statement = select(*(expression.label(name) for name, (expression, _) in columns.items())).where(
        c.customer_id == customer_id, seen
    )
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def conversation_of(engine: Engine, wanted: Filter, conversation_id: str) -> pd.DataFrame:
    """One conversation as a row of `conversations`; empty where there is none or the viewer may not know of it."""
    joined, states = _with_states(wanted)
    columns = _for_the_viewer(wanted, _of_conversations(wanted, states), _KNOWN_TO_ALL)
    statement = (
        select(*(expression.label(name) for name, (expression, _) in columns.items()))
        .select_from(joined)
        .where(
            conversations.c.conversation_id == literal(conversation_id),
            conversations.c.opened_at <= wanted.now,
            _visible(wanted),
        )
    )
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


__all__ = [
    "MEASURES",
    "conversation_events",
    "conversation_of",
    "conversations_rows",
    "count_rows",
    "customer_conversations",
    "customer_facts",
    "is_in_scope",
    "selected_row_parts",
    "selected_rows",
]
