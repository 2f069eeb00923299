"""Journeys: what one customer went through, across all channels, wait by wait."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Engine, Select, and_, case, exists, func, literal, null, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.filters import Filter, known_or_unknown
from data_access.frames import fetch, typed
from data_access.measures import MEASURES, answered_at, is_answered, is_failed, is_not_timed, needs_reply, wait_state
from data_access.queries.conversations import is_in_scope
from data_access.schema import conversations, waits
from data_access.vocabulary import UNKNOWN

_DAY_SECONDS = 86_400
_CANDIDATES = 5  # looked at for each customer that is listed: some have one conversation only and are left out


def journeys(engine: Engine, wanted: Filter, customer: str | None = None, *, repeat_days: int = 7) -> pd.DataFrame:
    """Whole journeys up to `as_of`. One row per customer, conversation (`step_number`) and wait (`wait_number`).

    Of the customers with at least two conversations and one of them in the filter; or of one `customer`, whatever
    the filter. A journey is never cut by the filter: `is_in_filter` marks what matches it. A conversation in which
    nobody waited has one row, with wait 0. `waited_minutes` runs on the calendar to `ended_at` (the human answer,
    here or elsewhere), else until the caller gave up, as-of or the source's *complete to*. `is_failed`: ignored, or
    answered or still waiting past the target. `is_repeat`: another contact came within `repeat_days` before, about
    the same topic or one of the two unknown. Of conversations outside the viewer's scope only channel, times and
    state are given.
    """
    c, w = conversations.c, waits.c
    readable = is_in_scope(wanted)
    before = conversations.alias("before")
    is_contact = and_(c.kind.in_(("customer_opened", "fragment")), c.first_inbound_at.is_not(None))
    is_repeat = and_(
        is_contact,
        exists().where(
            before.c.customer_id == c.customer_id,
            before.c.opened_at < c.opened_at,
            dialects.add_seconds(before.c.opened_at, repeat_days * _DAY_SECONDS) >= c.opened_at,
            before.c.kind.in_(("customer_opened", "fragment")),
            before.c.first_inbound_at.is_not(None),
            or_(
                known_or_unknown(before.c.topic) == known_or_unknown(c.topic),
                known_or_unknown(before.c.topic) == UNKNOWN,
                known_or_unknown(c.topic) == UNKNOWN,
            ),
        ),
    )
    order = (c.opened_at, c.conversation_id)
    steps = (
        select(
            c.customer_id,
            c.conversation_id,
            func.row_number().over(partition_by=c.customer_id, order_by=order).label("step_number"),
            func.count().over(partition_by=c.customer_id).label("conversation_count"),
            func.lag(c.channel).over(partition_by=c.customer_id, order_by=order).label("previous_channel"),
            func.lag(c.opened_at).over(partition_by=c.customer_id, order_by=order).label("previous_at"),
        )
        .where(c.opened_at <= wanted.now, c.kind != "not_addressed", c.customer_id.in_(_chosen(wanted, customer)))
        .subquery("steps")
    )
    s = steps.c
    matching = select(c.conversation_id).where(*MEASURES["contacts"].clauses(wanted))
    state = case(
        (and_(~needs_reply(waits, wanted), ~func.coalesce(is_answered(waits, wanted), ~true())), null()),
        (w.started_at.is_not(None), wait_state(wanted)),
        else_=null(),
    )
    is_elsewhere = state == "answered_elsewhere"
    ended_at = case(
        (answered_at(waits, wanted).is_not(None), answered_at(waits, wanted)),
        (and_(is_elsewhere, w.first_complaint_at <= wanted.now), w.complaint_elsewhere_at),
        (is_elsewhere, w.elsewhere_at),
        else_=null(),
    )
    # Who hung up no longer waits on that call; it stays unanswered all the same.
    hung_up = and_(c.is_abandoned.is_(True), ended_at.is_(None), state.is_not(None))
    hung_up_at = dialects.add_seconds(w.started_at, func.coalesce(c.abandoned_seconds, 0))
    until = case(
        (hung_up, func.least(hung_up_at, wanted.censored_at(waits))),
        else_=func.coalesce(ended_at, wanted.censored_at(waits)),
    )
    waited = case(
        (and_(state.is_not(None), state != "answered_unknown_time"), dialects.seconds_between(w.started_at, until)),
        else_=null(),
    )
    columns: dict[str, tuple[ColumnElement[Any], str]] = {
        "customer_id": (s.customer_id, "text"),
        "step_number": (s.step_number, "count"),
        "wait_number": (func.coalesce(w.wait_number, 0), "count"),
        "conversation_id": (s.conversation_id, "text"),
        "kind": (c.kind, "text"),
        "channel": (c.channel, "text"),
        "previous_channel": (s.previous_channel, "text"),
        "opened_at": (c.opened_at, "at"),
        "previous_gap_minutes": (dialects.seconds_between(s.previous_at, c.opened_at) / 60.0, "minutes"),
        "is_repeat": (and_(readable, is_repeat), "flag"),
        "started_at": (w.started_at, "at"),
        "target_due_at": (
            case((w.first_complaint_at <= wanted.now, w.complaint_target_due_at), else_=w.target_due_at),
            "at",
        ),
        "ended_at": (ended_at, "at"),
        "waited_until_at": (case((waited.is_not(None), until), else_=null()), "at"),
        "bot_answered_at": (case((w.first_bot_response_at <= wanted.now, w.first_bot_response_at)), "at"),
        "answered_elsewhere_on": (
            case(
                (and_(is_elsewhere, w.first_complaint_at <= wanted.now), w.complaint_elsewhere_channel),
                (is_elsewhere, w.elsewhere_channel),
                else_=null(),
            ),
            "text",
        ),
        "waited_minutes": (case((waited > 0, waited), else_=waited * 0) / 60.0, "minutes"),
        "response_state": (state, "text"),
        "is_failed": (func.coalesce(and_(state.is_not(None), is_failed(wanted, state)), ~true()), "flag"),
        "is_abandoned": (func.coalesce(and_(hung_up, hung_up_at <= wanted.now), ~true()), "flag"),
        "is_complaint": (and_(readable, func.coalesce(w.first_complaint_at <= wanted.now, ~true())), "flag"),
        "topic": (case((readable, c.topic)), "text"),
        "brand": (case((readable, c.brand)), "text"),
        "team": (case((readable, c.team)), "text"),
        "is_in_filter": (c.conversation_id.in_(matching), "flag"),
        "is_readable": (readable, "flag"),
    }
    same_step = and_(c.customer_id == s.customer_id, c.conversation_id == s.conversation_id)
    same_wait = and_(
        w.customer_id == s.customer_id, w.conversation_id == s.conversation_id, w.started_at <= wanted.now
    )
    statement = (
        select(*(expression.label(name) for name, (expression, _) in columns.items()))
        .select_from(steps.join(conversations, same_step).outerjoin(waits, same_wait))
        .order_by(s.customer_id, s.step_number, func.coalesce(w.wait_number, 0))
    )
    if customer is None:
        statement = statement.where(s.conversation_count >= 2)
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def _chosen(wanted: Filter, customer: str | None) -> Any:
    """Customers with a contact in the filter; or the one asked for, where the viewer may know of them."""
    c = conversations.c
    if customer is None:
        return select(c.customer_id).where(*MEASURES["contacts"].clauses(wanted))
    return select(c.customer_id).where(c.customer_id == literal(customer), is_in_scope(wanted))


def eventful_customers(engine: Engine, wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """Customers ignored on most channels, then most often. One row per customer with two conversations or more.

    Counts are of the waits in the filter that ask for a reply: `ignored_count`, and `late_count` for those
    answered late or still waiting past the target. `equally_ignored_count`: customers, this one too, who were ignored
    as often on as many channels.
    """
    kinds = {
        "customer_id": "text",
        "conversation_count": "count",
        "channel_count": "count",
        "ignored_count": "count",
        "ignored_channel_count": "count",
        "equally_ignored_count": "count",
        "late_count": "count",
        "first_at": "at",
        "last_at": "at",
    }
    if limit is not None:
        found = fetch(engine, _eventful(wanted, limit, _most_ignored(wanted, limit * _CANDIDATES)))
        if len(found) == limit:
            return typed(found, kinds)
    return typed(fetch(engine, _eventful(wanted, limit)), kinds)


def _most_ignored(wanted: Filter, number: int) -> Select[Any]:
    """The customers who are first by ignored channels and ignored waits, with all who are equal to the last of them.

    Everybody else comes after all of these in `eventful_customers`. Only the ignored waits are looked at.
    """
    w = waits.c
    ignored = (
        select(
            w.customer_id,
            func.count(w.channel.distinct()).label("channels"),
            func.count().label("ignored"),
        )
        .where(*MEASURES["waits"].clauses(wanted), is_not_timed(waits, wanted), wait_state(wanted) == "ignored")
        .group_by(w.customer_id)
        .subquery("ignored")
    )
    i = ignored.c
    placed = select(
        i.customer_id, func.rank().over(order_by=(i.channels.desc(), i.ignored.desc())).label("place")
    ).subquery("placed")
    return select(placed.c.customer_id).where(placed.c.place <= number)


def _eventful(wanted: Filter, limit: int | None, of: Select[Any] | None = None) -> Select[Any]:
    """The figures of customers in the order of `eventful_customers`; of those in `of`, by default of all."""
    w = waits.c
    state = wait_state(wanted)
    chosen = select(
        w.customer_id,
        w.conversation_id,
        w.channel,
        w.started_at,
        func.coalesce(is_failed(wanted, state), ~true()).label("is_failed"),
        (state == "ignored").label("is_ignored"),
    ).where(*MEASURES["waits"].clauses(wanted))
    if of is not None:
        chosen = chosen.where(w.customer_id.in_(of))
    r = chosen.subquery("counted").c
    conversation_count = func.count(r.conversation_id.distinct())
    failed_count = func.count().filter(r.is_failed)
    ignored_count = func.count().filter(r.is_ignored)
    ignored_channel_count = func.count(r.channel.distinct()).filter(r.is_ignored)
    each = (
        select(
            r.customer_id,
            conversation_count.label("conversation_count"),
            func.count(r.channel.distinct()).label("channel_count"),
            ignored_count.label("ignored_count"),
            ignored_channel_count.label("ignored_channel_count"),
            (failed_count - ignored_count).label("late_count"),
            func.min(r.started_at).label("first_at"),
            func.max(r.started_at).label("last_at"),
        )
        .group_by(r.customer_id)
        .having(conversation_count >= 2, failed_count > 0)
        .subquery("each_customer")
    )
    e = each.c
    # Exact with `of`, too: whoever was ignored as often as one of those is among them.
    alike = func.count().over(partition_by=(e.ignored_channel_count, e.ignored_count))
    statement = select(*e, alike.label("equally_ignored_count")).order_by(
        e.ignored_channel_count.desc(),
        e.ignored_count.desc(),
        e.channel_count.desc(),
        (e.ignored_count + e.late_count).desc(),
        e.customer_id,
    )
    return statement if limit is None else statement.limit(limit)
