"""What is counted, once: each measure is one predicate with one owning time, shared by figure, drill-down and CSV."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, Table, and_, case, exists, false, func, literal, null, or_, select, true, tuple_
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.config import MOST_WINDOW_DAYS
from data_access.errors import FilterError
from data_access.filters import EARLIEST_DAY, LATEST_DAY, Filter, check_text, known_or_unknown
from data_access.schema import conversations, interactions, stated_identities, waits
from data_access.vocabulary import (
    CHANNELS,
    GRAINS,
    NOBODY,
    PUBLIC_CHANNELS,
    RESPONSE_STATES,
    SENTIMENTS,
    UNKNOWN,
)

Clause = ColumnElement[bool]
_WITH_US = ("customer_opened", "fragment")
MAX_CELL = 1e12
_DAY_SECONDS = 86_400
_ONLY_OF = {
    "age": waits,
    "state": waits,
    "told_before_on": waits,
    "closing_sentiment": conversations,
    "gave_up_within": conversations,
    "gave_up_after": conversations,
}
_WHOLE_NUMBERS = {
    "hour": (0, 23),
    "weekday": (1, 7),
    "within_days": (1, MOST_WINDOW_DAYS),
    "gave_up_within": (0, _DAY_SECONDS),
    "gave_up_after": (0, _DAY_SECONDS),
}
HOUR_SECONDS = 3600
DIMENSIONS = (
    "period",
    "channel",
    "brand",
    "team",
    "agent",
    "age_group",
    "topic",
    "sentiment",
    "source",
    "blamed_channel",
    "state",
    "hour",
    "weekday",
    "age",
    "wait_band",
    "closing_sentiment",
    "responder_team",
    "front_channel",
    "told_before_on",
)
# Values of a cell that are no dimension.
CELL_KEYS = ("within_minutes", "customer", "within_days", "gave_up_within", "gave_up_after")
# Ages of the open backlog, lower bounds in minutes.
BACKLOG_AGES = (
    ("under 1 hour", 0, 60),
    ("1 to 4 hours", 60, 240),
    ("4 to 24 hours", 240, 1440),
    ("1 to 3 days", 1440, 4320),
    ("3 to 7 days", 4320, 10080),
    ("over 7 days", 10080, None),
)
# How long the customer waited for the first response, upper bounds in minutes.
WAIT_BANDS = (
    ("within 15 minutes", 15),
    ("15 to 60 minutes", 60),
    ("1 to 4 hours", 240),
    ("4 to 24 hours", 1440),
    ("over 1 day", None),
)
# Cells whose values are known beforehand; others depend on what is loaded.
_CLOSED_LISTS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("channel", "blamed_channel", "front_channel", "told_before_on"), (*CHANNELS, UNKNOWN)),
    **dict.fromkeys(("sentiment", "closing_sentiment"), (*SENTIMENTS, UNKNOWN)),
    "state": RESPONSE_STATES,
    "age": tuple(label for label, *_ in BACKLOG_AGES),
    "wait_band": (*(label for label, _ in WAIT_BANDS), NOBODY),
}
# Rank of a state when a conversation has several complaints: the worst is the conversation's.
_SEVERITY = (
    "answered_in_target",
    "answered_late",
    "answered_elsewhere",
    "answered_unknown_time",
    "waiting",
    "ignored",
)


# --- building blocks: the single expressions -------------------------------------------------------


def answered_at(table: Table, wanted: Filter) -> ColumnElement[dt.datetime]:
    """Time of the human response as known at `as_of`; null where it came later or never."""
    response = table.c.first_response_at if table is conversations else table.c.response_at
    return case((response <= wanted.now, response), else_=null())


def is_answered_timed(table: Table, wanted: Filter) -> Clause:
    """A human answered by `as_of`, and it is known when."""
    response = table.c.first_response_at if table is conversations else table.c.response_at
    return and_(response.is_not(None), response <= wanted.now)


def is_answered_untimed(table: Table, wanted: Filter) -> Clause:
    """The source says answered, but not when; never true where the setting calls that unanswered."""
    if wanted.unknown_time_counts_as == "unanswered":
        return false()
    return and_(is_not_timed(table, wanted), table.c.has_reported_answer.is_(True))


def is_not_timed(table: Table, wanted: Filter) -> Clause:
    """No human answered by `as_of` at a time that is known; never null, and plain enough to be told while reading."""
    response = table.c.first_response_at if table is conversations else table.c.response_at
    return or_(response.is_(None), response > wanted.now)


def is_answered(table: Table, wanted: Filter) -> Clause:
    """Answered by `as_of`, at a known or unknown time."""
    return or_(is_answered_timed(table, wanted), is_answered_untimed(table, wanted))


def needs_reply(table: Table, wanted: Filter) -> Clause:
    """By `as_of` the customer had asked for something; a thanks that a question follows needs none until then."""
    return _is_true(table.c.needs_reply_at <= wanted.now)


def answered_seconds(table: Table, wanted: Filter) -> ColumnElement[int]:
    """Seconds to the response, on the clock that the filter asks for."""
    if wanted.clock == "business":
        return table.c.business_response_seconds
    return table.c.first_response_seconds if table is conversations else table.c.response_seconds


def clocked_seconds(table: Table) -> ColumnElement[int]:
    """Seconds to the response on the clock of its own thresholds."""
    calendar = table.c.first_response_seconds if table is conversations else table.c.response_seconds
    return case((table.c.clock == "business", table.c.business_response_seconds), else_=calendar)


def started(table: Table) -> ColumnElement[dt.datetime]:
    """Start of the clock of first response or reply time."""
    return table.c.opened_at if table is conversations else table.c.started_at


def waited_seconds(table: Table, wanted: Filter) -> ColumnElement[int]:
    """Seconds an unanswered one is known to have waited: to `as_of` or its source's *complete to*; at least 0."""
    waited: ColumnElement[int] = dialects.seconds_between(started(table), wanted.censored_at(table))
    if wanted.clock == "business" and wanted.business_now:
        on_calendar = (
            (and_(table.c.source == source, table.c.calendar == calendar), seconds - table.c.business_start_seconds)
            for source, calendar, seconds in wanted.business_now
        )
        waited = case(*on_calendar, else_=waited)
    return case((waited > 0, waited), else_=0)


def is_target_due(table: Table, wanted: Filter) -> Clause:
    """Its own target has passed, and its answer, if any, has a known time: the in-target denominator."""
    return and_(
        table.c.target_due_at <= wanted.censored_at(table),
        ~_is_true(is_answered_untimed(table, wanted)),
    )


def is_in_target(table: Table, wanted: Filter) -> Clause:
    """Among the due: answered within the target."""
    return and_(
        is_target_due(table, wanted),
        is_answered_timed(table, wanted),
        clocked_seconds(table) <= table.c.target_seconds,
    )


def is_hour_due(table: Table, wanted: Filter) -> Clause:
    """Began an hour or more before `as_of`, and its answer, if any, has a known time."""
    return and_(waited_seconds(table, wanted) >= HOUR_SECONDS, ~_is_true(is_answered_untimed(table, wanted)))


def is_in_hour(table: Table, wanted: Filter) -> Clause:
    """Among these: answered within the hour, on whatever channel; unlike a target the same for all channels."""
    return and_(
        is_hour_due(table, wanted),
        is_answered_timed(table, wanted),
        answered_seconds(table, wanted) <= HOUR_SECONDS,
    )


def is_seen(wanted: Filter) -> Clause:
    """A human of the company saw the conversation by `as_of`: answered it, or left an internal note in it."""
    i = interactions.c
    noted = select(i.conversation_id).where(
        i.is_visible.is_(False), i.author_kind == "agent", i.occurred_at <= wanted.now
    )
    return or_(_is_true(is_answered(conversations, wanted)), conversations.c.conversation_id.in_(noted))


def is_read_by_scorer() -> Clause:
    """The scorer read the opening: it has a sentiment. Calls without words and unknown languages have none."""
    return conversations.c.sentiment_label.is_not(None)


def response_state(wanted: Filter, *, of_complaint: bool) -> ColumnElement[str]:
    """The response state of each wait at `as_of`; for complaints the clock is the first complaint.

    Exactly one of `RESPONSE_STATES`; blind to whatever happened after `as_of`. Source: DESIGN section 2.
    """
    elsewhere = waits.c.complaint_elsewhere_at if of_complaint else waits.c.elsewhere_at
    due = waits.c.complaint_ignored_due_at if of_complaint else waits.c.ignored_due_at
    seconds = _complaint_seconds() if of_complaint else clocked_seconds(waits)
    timed = is_answered_timed(waits, wanted)
    return case(
        (and_(timed, seconds <= waits.c.target_seconds), "answered_in_target"),
        (timed, "answered_late"),
        (is_answered_untimed(waits, wanted), "answered_unknown_time"),
        (and_(elsewhere <= wanted.now, elsewhere <= due), "answered_elsewhere"),
        (due > wanted.censored_at(waits), "waiting"),
        else_="ignored",
    )


def is_in_states(wanted: Filter, states: Sequence[str], *, of_complaint: bool) -> list[Clause]:
    """The response state of the wait is one of these.

    Where none of them has an answer at a known time, that is said first: it can be told while reading, and few rows
    are left whose state must be worked out.
    """
    is_one = response_state(wanted, of_complaint=of_complaint).in_(states)
    has_timed = not {"answered_in_target", "answered_late"}.isdisjoint(states)
    return [is_one] if has_timed else [is_not_timed(waits, wanted), is_one]


def wait_state(wanted: Filter) -> ColumnElement[str]:
    """The response state of each wait: by its complaint where it holds one, else by its start."""
    of_complaint, of_wait = (response_state(wanted, of_complaint=is_complaint) for is_complaint in (True, False))
    state: ColumnElement[str] = by_its_complaint(wanted, of_complaint, of_wait)
    return state


def by_its_complaint(wanted: Filter, of_complaint: ColumnElement[Any], of_wait: ColumnElement[Any]) -> Any:
    """What counts from the complaint where the wait holds one by `as_of`, else what counts from its start."""
    return case((waits.c.first_complaint_at <= wanted.now, of_complaint), else_=of_wait)


def counted_by_now(wanted: Filter, column: ColumnElement[int], *of: Clause) -> ColumnElement[int]:
    """A column of waits that counts inbound interactions, `of` some kind, as it stood at `as_of`.

    Only where data from after `as_of` is there, and the wait was still open, are they counted anew.
    """
    if all(at <= wanted.now for _, at in wanted.complete_to):
        return column
    i = interactions.c
    counted = select(func.count()).where(
        i.customer_id == waits.c.customer_id,
        i.conversation_id == waits.c.conversation_id,
        i.direction == "inbound",
        i.is_visible.is_(True),
        i.occurred_at.between(waits.c.started_at, wanted.now),
        *of,
    )
    return case((is_answered_timed(waits, wanted), column), else_=counted.correlate(waits).scalar_subquery())


def is_failed(wanted: Filter, state: ColumnElement[str]) -> Clause:
    """We failed the wait: ignored, answered late, or past its target without an answer here so far."""
    w = waits.c
    due = by_its_complaint(wanted, w.complaint_target_due_at, w.target_due_at)
    elsewhere = by_its_complaint(wanted, w.complaint_elsewhere_at, w.elsewhere_at)
    return or_(
        state.in_(("ignored", "answered_late")),
        and_(state == "waiting", due < wanted.censored_at(waits)),
        and_(state == "answered_elsewhere", due < elsewhere),
    )


def _complaint_seconds() -> ColumnElement[int]:
    return case(
        (waits.c.clock == "business", waits.c.business_complaint_response_seconds),
        else_=waits.c.complaint_response_seconds,
    )


def is_complaint_due(wanted: Filter) -> Clause:
    """The complaint's clock plus *ignored after* has passed: the denominator of the ignored share."""
    return waits.c.complaint_ignored_due_at <= wanted.censored_at(waits)


def is_complaint_ignored_in_time(wanted: Filter) -> Clause:
    """Due, and nobody human answered anywhere within *ignored after*. A late answer changes nothing."""
    due = waits.c.complaint_ignored_due_at
    answered_in_time = or_(
        _is_true(and_(is_answered_timed(waits, wanted), waits.c.response_at <= due)),
        _is_true(is_answered_untimed(waits, wanted)),
        _is_true(and_(waits.c.complaint_elsewhere_at <= wanted.now, waits.c.complaint_elsewhere_at <= due)),
    )
    return and_(is_complaint_due(wanted), ~answered_in_time)


def is_complaint_young(wanted: Filter) -> Clause:
    """The complaint's own *ignored after* has not run out, on its own clock: an ignored share will still move."""
    return waits.c.complaint_ignored_due_at > wanted.censored_at(waits)


def is_target_open(table: Table, wanted: Filter) -> Clause:
    """Its own target has not passed, on its own clock: a share answered within target will still move."""
    return table.c.target_due_at > wanted.censored_at(table)


# --- joined-up service: what a customer's contacts on other channels tell ------------------------------

# Another wait of the same customer: the private contact before a public complaint, or the public one after it.
_front: Any = waits.alias("front")
_post: Any = waits.alias("post")


def _no_human_before(table: Any, moment: ColumnElement[Any], wanted: Filter) -> Clause:
    """Nobody human had answered this wait, here or elsewhere, before the moment.

    An answer at an unknown time may have come before: the source's word is taken, unless the setting is not to.
    """
    return and_(
        or_(table.c.response_at.is_(None), table.c.response_at >= moment),
        or_(table.c.elsewhere_at.is_(None), table.c.elsewhere_at >= moment),
        ~_is_true(is_answered_untimed(table, wanted)),
    )


def _asks_in_private(table: Any, wanted: Filter) -> Clause:
    needs = true() if wanted.with_no_reply_needed else needs_reply(table, wanted)
    return and_(table.c.is_public.is_(False), table.c.kind.in_(_WITH_US), table.c.is_response_known.is_(True), needs)


def _complained_in_public(table: Any) -> Clause:
    return and_(table.c.is_public.is_(True), table.c.kind.in_(_WITH_US), table.c.first_complaint_at.is_not(None))


def _listed_on(channels: Sequence[str]) -> Clause:
    """A customers file lists an address, number or handle of the customer on such a channel; it has no date."""
    kinds = [f"handle:{channel}" for channel in channels]
    if "email" in channels:
        kinds += ["email", "phone"]
    i = stated_identities.c
    listed = select(i.customer_id).where(i.identity_kind.in_(kinds), i.is_listed.is_(True))
    return waits.c.customer_id.in_(listed)


def is_known_in_private(wanted: Filter) -> Clause:
    """Of a public complaint: its customer was known on a private channel when it was posted.

    A private conversation had begun before, or a customers file lists an e-mail address, telephone number or
    private handle. Blind to private contacts after the post. Source: DESIGN section 2, "back door".
    """
    private = [channel for channel in CHANNELS if channel not in PUBLIC_CHANNELS]
    return or_(_is_true(waits.c.private_since_at < waits.c.first_complaint_at), _listed_on(private))


def is_known_in_public(wanted: Filter) -> Clause:
    """Of a private contact: a public account of its customer is known, so a post could be seen as theirs."""
    return or_(_is_true(waits.c.public_since_at <= wanted.now), _listed_on(sorted(PUBLIC_CHANNELS)))


def _failed_before(front: Any, post: Any, wanted: Filter) -> list[Clause]:
    """A customer's private contact and public complaint within N days: past its target, without a human reply.

    It must have asked for something by then: what is written after the post changes nothing.
    Whoever looks from one end must say of it that it is a private contact that asks, or a complaint in public.
    """
    posted_at = post.c.first_complaint_at
    asked = [] if wanted.with_no_reply_needed else [front.c.needs_reply_at <= posted_at]
    return [
        front.c.customer_id == post.c.customer_id,
        *asked,
        front.c.target_due_at < posted_at,
        posted_at <= dialects.add_seconds(front.c.started_at, literal(wanted.window_seconds)),
        _no_human_before(front, posted_at, wanted),
    ]


def _failed_fronts(wanted: Filter) -> list[Clause]:
    """Of `_front`, seen from a public complaint: the private contacts that had failed its customer."""
    return [
        *_failed_before(_front, waits, wanted),
        _asks_in_private(_front, wanted),
        wanted.censored_at(_front) >= waits.c.first_complaint_at,
    ]


def front_of(column: str, wanted: Filter) -> ColumnElement[Any]:
    """A column of the private contact that failed before a public complaint and had waited longest; else null."""
    found: ColumnElement[Any] = (
        select(_front.c[column])
        .where(*_failed_fronts(wanted))
        .order_by(*_front_order())
        .limit(1)
        .correlate(waits)
        .scalar_subquery()
    )
    return found


def _front_order() -> tuple[ColumnElement[Any], ...]:
    return _front.c.started_at, _front.c.conversation_id, _front.c.wait_number


def failed_fronts(wanted: Filter, longest_days: int, by: Sequence[str] = ()) -> Select[Any]:
    """One row per complaint in public of a customer known in private and private contact that had failed it.

    In one join, of contacts in the `longest_days` before the complaint. `is_within`: in the N days of the filter.
    `place` 1 is the contact that had waited longest of these, that of `front_of`; without one, any.
    """
    measure = MEASURES["public_complaints_known"]
    widest = wanted.replace(within_days=longest_days)
    w = waits.c
    is_within = w.first_complaint_at <= dialects.add_seconds(_front.c.started_at, literal(wanted.window_seconds))
    complaint = (w.customer_id, w.conversation_id, w.wait_number)
    best_first = (case((is_within, 0), else_=1), *_front_order())
    statement = (
        select(
            *(dimension(name, measure, wanted).label(name) for name in by),
            known_or_unknown(_front.c.channel).label("front_channel"),
            known_or_unknown(w.channel).label("public_channel"),
            _front.c.started_at.label("front_started_at"),
            w.first_complaint_at.label("complained_at"),
            is_within.label("is_within"),
            func.row_number().over(partition_by=complaint, order_by=best_first).label("place"),
            func.max(_front.c.started_at).over(partition_by=complaint).label("newest_started_at"),
        )
        .select_from(waits.join(_front, _front.c.customer_id == w.customer_id))
        .where(*measure.clauses(wanted), *_failed_fronts(widest))
    )
    return statement.where(*_near_the_period(_front.c.started_at, wanted, days_before=longest_days))


def _near_the_period(
    moment: ColumnElement[Any], wanted: Filter, *, days_before: int = 0, days_after: int = 0
) -> list[Clause]:
    """Bounds that follow from the rest of a statement, and spare reading what lies outside."""
    start, end = wanted.bounds_utc()
    found: list[Clause] = []
    if start is not None:
        found.append(moment >= start - dt.timedelta(days=days_before))
    if end is not None:
        found.append(moment < end + dt.timedelta(days=days_after))
    return found


def is_back_door(wanted: Filter) -> Clause:
    """Of a public complaint: a private contact had failed its customer in the N days before. DESIGN section 2."""
    return exists().where(*_failed_fronts(wanted)).correlate(waits)


def _has_failed(wanted: Filter) -> Clause:
    """Of a private contact: no human replied within *ignored after*, here or elsewhere, and the N days can be seen.

    Not "within target": targets are tight on some channels and wide on others, and would rank the channels by
    themselves. Those whose target is longer than the N days cannot come out within them and are left out.
    """
    due = waits.c.ignored_due_at
    ends_at = dialects.add_seconds(waits.c.started_at, literal(wanted.window_seconds))
    return and_(
        waits.c.target_due_at < ends_at,
        due <= wanted.censored_at(waits),
        or_(waits.c.response_at.is_(None), waits.c.response_at > due),
        or_(waits.c.elsewhere_at.is_(None), waits.c.elsewhere_at > due),
        ~_is_true(is_answered_untimed(waits, wanted)),
        wanted.is_observed_from(waits, waits.c.started_at, ends_at),
    )


def came_out_in_public(wanted: Filter) -> Clause:
    """Of a failed private contact: its customer complained in public within the N days, still without a reply."""
    within = _near_the_period(_post.c.first_complaint_at, wanted, days_after=wanted.within_days)
    return (
        exists().where(*_failed_before(waits, _post, wanted), _complained_in_public(_post), *within).correlate(waits)
    )


def is_within(gap: ColumnElement[int], wanted: Filter) -> Clause:
    """A gap between two contacts of at most N days; none is no."""
    return _is_true(gap <= wanted.window_seconds)


def conversation_states(wanted: Filter) -> Select[Any]:
    """One row per conversation: its response state at `as_of`, and that of its opening wait, `opening_state`.

    The first is the state of its worst complaint; without a complaint, of its opening wait. Null where that asked
    for nothing and got nothing.
    """
    complained = and_(waits.c.first_complaint_at.is_not(None), waits.c.first_complaint_at <= wanted.now)
    complaint_rank = _severity(response_state(wanted, of_complaint=True))
    opening_rank = case(
        (and_(~needs_reply(waits, wanted), ~_is_true(is_answered(waits, wanted))), null()),
        else_=_severity(response_state(wanted, of_complaint=False)),
    )
    opening = func.max(opening_rank).filter(waits.c.wait_number == 1)
    worst = func.coalesce(func.max(complaint_rank).filter(complained), opening)
    state, opening_state = (
        case(*((rank == number, name) for number, name in enumerate(_SEVERITY)), else_=null())
        for rank in (worst, opening)
    )
    return (
        select(
            waits.c.conversation_id,
            waits.c.customer_id,
            state.label("response_state"),
            opening_state.label("opening_state"),
        )
        .where(waits.c.started_at <= wanted.now, waits.c.is_response_known.is_(True))
        .group_by(waits.c.conversation_id, waits.c.customer_id)
    )


def _severity(state: ColumnElement[str]) -> ColumnElement[int]:
    return case(*((state == name, number) for number, name in enumerate(_SEVERITY)), else_=null())


# --- made to say it again -----------------------------------------------------------------------------


def other_channel_likeness(wanted: Filter) -> ColumnElement[float]:
    """Likeness to the most alike earlier telling on another channel; null before the telling was complete."""
    return case((waits.c.told_at <= wanted.now, waits.c.other_channel_likeness), else_=null())


def other_agent_likeness(wanted: Filter) -> ColumnElement[float]:
    """The same to a telling that another agent had answered; null until it is known who answered this one."""
    return case((is_answered_timed(waits, wanted), waits.c.other_agent_likeness), else_=null())


def is_told_elsewhere(wanted: Filter) -> Clause:
    """The most alike earlier telling is one on another channel, not one to another agent."""
    channel, agent = other_channel_likeness(wanted), other_agent_likeness(wanted)
    return func.coalesce(and_(channel.is_not(None), or_(agent.is_(None), channel >= agent)), false())


def retold_likeness(wanted: Filter) -> ColumnElement[float]:
    """Likeness to the most alike earlier telling, as known at `as_of`; null where there is none to compare."""
    return case((is_told_elsewhere(wanted), other_channel_likeness(wanted)), else_=other_agent_likeness(wanted))


def _told(wanted: Filter) -> list[Clause]:
    return [*_addressed(waits), needs_reply(waits, wanted), waits.c.started_at <= wanted.now]


def _comparable(wanted: Filter) -> list[Clause]:
    return [*_told(wanted), retold_likeness(wanted).is_not(None)]


def is_restated(wanted: Filter) -> Clause:
    """The telling is so like an earlier one of the customer that it counts as said again."""
    return func.coalesce(retold_likeness(wanted) >= wanted.restated_similarity, false())


# --- fell silent --------------------------------------------------------------------------------------


def silent_from(wanted: Filter) -> ColumnElement[dt.datetime]:
    """When a customer's silence can begin: *ignored after* has passed, and the days of repeat contacts after it.

    Who asks once more within these days still has the same matter, and is not back.
    """
    days = literal(wanted.within_days * _DAY_SECONDS)
    return dialects.add_seconds(waits.c.complaint_ignored_due_at, days)


def silent_to(wanted: Filter) -> ColumnElement[dt.datetime]:
    """When a customer has been silent for long enough to be called so."""
    days = literal((wanted.within_days + wanted.silent_after_days) * _DAY_SECONDS)
    return dialects.add_seconds(waits.c.complaint_ignored_due_at, days)


def is_followed(wanted: Filter) -> Clause:
    """The customer can be known again and was observed until the silence would be complete.

    A customer of whom no identity that joins is known cannot come back under the same name.
    """
    return and_(is_observed_to_the_end(wanted), waits.c.is_recognisable.is_(True))


def is_observed_to_the_end(wanted: Filter) -> Clause:
    """A complaint's customer was observed until the silence would be complete.

    On the complaint's own source, and on every other that had not ended before the silence could begin: a
    stalled feed makes nobody silent.
    """
    begin, end = silent_from(wanted), silent_to(wanted)
    ends = sorted({moment for _, moment in wanted.complete_to})
    return and_(
        end <= wanted.censored_at(waits),
        *(or_(literal(moment) <= begin, literal(moment) >= end) for moment in ends),
    )


def is_silent(wanted: Filter) -> Clause:
    """The customer began nothing new on any channel in the days of silence.

    A message in a conversation that began before, or a repeat contact of one, is still the same matter. The ignored
    have more of these, because nobody answered: to count them as coming back would hide who stays away.
    """
    came_back = exists().where(*came_back_between(waits.c.customer_id, silent_from(wanted), silent_to(wanted), wanted))
    return ~came_back.correlate(waits)


def came_back_between(customer_id: Any, begin: Any, end: Any, wanted: Filter) -> list[Clause]:
    """Of conversations: the customer began something new after `begin` and by `end`."""
    c = conversations.c
    return [
        c.customer_id == customer_id,
        c.first_inbound_at > begin,
        c.first_inbound_at <= end,
        ~is_within(c.repeats_after_seconds, wanted),
    ]


def complaint_place() -> ColumnElement[int]:
    """Which of its customer's complaints a complaint is, the first being 1."""
    w = waits.c
    order = (w.first_complaint_at, w.conversation_id, w.wait_number)
    return func.row_number().over(partition_by=w.customer_id, order_by=order)


def _first_complaint(wanted: Filter) -> list[Clause]:
    """Each customer once: by the first complaint of the filter, so that nobody counts twice."""
    key = (waits.c.customer_id, waits.c.conversation_id, waits.c.wait_number)
    ranked = (
        select(*key, complaint_place().label("place"))
        .where(*MEASURES["complaints"].clauses(wanted))
        .subquery("ranked")
    )
    r = ranked.c
    return [tuple_(*key).in_(select(r.customer_id, r.conversation_id, r.wait_number).where(r.place == 1))]


def _followed(wanted: Filter) -> list[Clause]:
    return [*_first_complaint(wanted), is_complaint_due(wanted), is_followed(wanted)]


def _is_true(clause: ColumnElement[Any]) -> Clause:
    """Null counts as false, so that `not` of it is true."""
    return func.coalesce(clause, false())


# --- measures ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Measure:
    """One countable set of rows. `where` gives its predicate for a resolved filter."""

    name: str
    label: str
    table: Table
    owning: str
    where: Callable[[Filter], Sequence[Clause]]

    @property
    def owning_time(self) -> ColumnElement[Any]:
        """The one moment that decides to which period a row belongs."""
        return self.table.c[self.owning]

    def clauses(self, wanted: Filter) -> list[Clause]:
        """Everything that makes a row count: measure, filter, scope and states."""
        found = [*wanted.clauses(self.table, self.owning_time), *self.where(wanted)]
        if wanted.states:
            if self.table is waits:
                found += is_in_states(wanted, wanted.states, of_complaint=self.owning == "first_complaint_at")
            else:
                states = conversation_states(wanted).subquery()
                matching = select(states.c.conversation_id).where(states.c.response_state.in_(wanted.states))
                found.append(conversations.c.conversation_id.in_(matching))
        return found

    def count(self, wanted: Filter) -> ColumnElement[int]:
        """Rows of this measure among rows already limited by the filter: `count(*) filter (where …)`."""
        return func.count().filter(and_(true(), *self.where(wanted)))


def _addressed(table: Table) -> list[Clause]:
    return [table.c.kind.in_(_WITH_US)]


def _contact(wanted: Filter) -> list[Clause]:
    return [*_addressed(conversations), conversations.c.first_inbound_at <= wanted.now]


def _opened(_: Filter) -> list[Clause]:
    return [conversations.c.kind == "customer_opened"]


def _asked(wanted: Filter) -> list[Clause]:
    """Opened by customers, and the source can tell whether anybody answered."""
    return [*_opened(wanted), conversations.c.is_response_known.is_(True)]


def _waited(wanted: Filter) -> list[Clause]:
    found = [*_addressed(waits), waits.c.is_response_known.is_(True)]
    return found if wanted.with_no_reply_needed else [*found, needs_reply(waits, wanted)]


def _complained(wanted: Filter) -> list[Clause]:
    return [*_addressed(waits), waits.c.is_response_known.is_(True), waits.c.first_complaint_at.is_not(None)]


def _scored(wanted: Filter) -> list[Clause]:
    return [*_contact(wanted), conversations.c.sentiment_label.is_not(None)]


def _open_wait(wanted: Filter) -> list[Clause]:
    w = waits.c
    answered_elsewhere = by_its_complaint(
        wanted,
        and_(w.complaint_elsewhere_at <= wanted.now, w.complaint_elsewhere_at <= w.complaint_ignored_due_at),
        and_(w.elsewhere_at <= wanted.now, w.elsewhere_at <= w.ignored_due_at),
    )
    return [
        *_addressed(waits),
        waits.c.is_response_known.is_(True),
        needs_reply(waits, wanted),
        is_not_timed(waits, wanted),
        ~_is_true(is_answered_untimed(waits, wanted)),
        ~_is_true(answered_elsewhere),
        ~_is_abandoned_call(),
    ]


def _is_abandoned_call() -> Clause:
    """A caller who hung up no longer waits on that call; the call stays unanswered in every share."""
    hung_up = select(conversations.c.conversation_id).where(conversations.c.is_abandoned.is_(True))
    return waits.c.conversation_id.in_(hung_up)


def _blaming(wanted: Filter) -> list[Clause]:
    return [*_contact(wanted), conversations.c.blamed_channel.is_not(None)]


def _heard_again(wanted: Filter) -> list[Clause]:
    """Answered, and the customer wrote again after the answer: the opening can be set against the closing."""
    c = conversations.c
    return [
        *_opened(wanted),
        c.sentiment_label.is_not(None),
        is_answered_timed(conversations, wanted),
        c.last_inbound_at > c.first_response_at,
        c.last_inbound_at <= wanted.now,
        c.closing_sentiment_label.is_not(None),
    ]


def _written_again(wanted: Filter) -> list[Clause]:
    """The same, opened negative: recovery can be seen."""
    return [*_heard_again(wanted), conversations.c.sentiment_label == "negative"]


def _call(_: Filter) -> list[Clause]:
    return [conversations.c.kind == "customer_opened", conversations.c.is_call.is_(True)]


def _public_complaint(_: Filter) -> list[Clause]:
    return [_complained_in_public(waits)]


def _failed_contact(wanted: Filter) -> list[Clause]:
    return [_asks_in_private(waits, wanted), _has_failed(wanted)]


def _recognisable(wanted: Filter) -> list[Clause]:
    return [*_contact(wanted), conversations.c.is_recognisable.is_(True)]


def _repeated(wanted: Filter, topic: str) -> list[Clause]:
    return [*_recognisable(wanted), is_within(conversations.c[f"repeats{topic}_after_seconds"], wanted)]


def _first(wanted: Filter, topic: str) -> list[Clause]:
    """Begins an issue: no contact of the customer in the N days before."""
    return [*_recognisable(wanted), ~is_within(conversations.c[f"repeats{topic}_after_seconds"], wanted)]


def _judged(wanted: Filter, topic: str) -> list[Clause]:
    """Begins an issue, and the N days after it can be seen."""
    opened = conversations.c.opened_at
    ends_at = dialects.add_seconds(opened, literal(wanted.window_seconds))
    return [*_first(wanted, topic), wanted.is_observed_from(conversations, opened, ends_at)]


def _without_another(wanted: Filter, topic: str, channel: str) -> list[Clause]:
    gap = conversations.c[f"again{channel}{topic}_after_seconds"]
    return [*_judged(wanted, topic), ~is_within(gap, wanted)]


def _repeat_measures(suffix: str, of_topic: str) -> tuple[Measure, ...]:
    """Repeat contacts, issues and first-contact resolution; `suffix` is that of the gaps of any topic, or none."""
    return (
        _conversation(f"repeat_contacts{suffix}", f"repeat contacts, {of_topic}", lambda f: _repeated(f, suffix)),
        _conversation(f"first_contacts{suffix}", f"first contacts, {of_topic}", lambda f: _first(f, suffix)),
        _conversation(
            f"first_contacts_judged{suffix}",
            f"first contacts old enough to be judged, {of_topic}",
            lambda f: _judged(f, suffix),
        ),
        _conversation(
            f"no_further_contact{suffix}",
            f"first contacts without a further one on any channel, {of_topic}",
            lambda f: _without_another(f, suffix, ""),
        ),
        _conversation(
            f"no_further_contact_same_channel{suffix}",
            f"first contacts without a further one on the same channel, {of_topic}",
            lambda f: _without_another(f, suffix, "_same_channel"),
        ),
        _conversation(
            f"no_further_contact_unanswered{suffix}",
            f"first contacts without a further one that nobody answered, {of_topic}",
            lambda f: [
                *_without_another(f, suffix, ""),
                conversations.c.is_response_known.is_(True),
                ~_is_true(is_answered(conversations, f)),
            ],
        ),
    )


def _conversation(name: str, label: str, where: Callable[[Filter], Sequence[Clause]]) -> Measure:
    return Measure(name, label, conversations, "opened_at", where)


def _wait(name: str, label: str, where: Callable[[Filter], Sequence[Clause]]) -> Measure:
    return Measure(name, label, waits, "started_at", where)


def _complaint(name: str, label: str, where: Callable[[Filter], Sequence[Clause]]) -> Measure:
    return Measure(name, label, waits, "first_complaint_at", lambda f: [*_complained(f), *where(f)])


def _state_measure(state: str) -> Measure:
    return _complaint(
        f"complaints_{state}",
        f"complaints {state.replace('_', ' ')}",
        lambda f: is_in_states(f, (state,), of_complaint=True),
    )


_ALL = (
    _conversation("all_conversations", "conversations of every kind", lambda f: []),
    _conversation("contacts", "conversations with us", _contact),
    _conversation(
        "not_addressed",
        "conversations not addressed to us",
        lambda f: [conversations.c.kind == "not_addressed"],
    ),
    _conversation("opened", "conversations opened by customers, answers recorded or not", _opened),
    _conversation(
        "responses_not_recorded",
        "conversations whose source cannot tell whether anybody answered",
        lambda f: [*_opened(f), conversations.c.is_response_known.is_(False)],
    ),
    _conversation("first_responses", "conversations opened by customers", _asked),
    _conversation("answered", "answered conversations", lambda f: [*_asked(f), is_answered(conversations, f)]),
    _conversation(
        "answered_timed",
        "conversations answered at a known time",
        lambda f: [*_asked(f), is_answered_timed(conversations, f)],
    ),
    _conversation(
        "answered_unknown_time",
        "conversations answered at an unknown time",
        lambda f: [*_asked(f), is_answered_untimed(conversations, f)],
    ),
    _conversation(
        "unanswered",
        "unanswered conversations",
        lambda f: [*_asked(f), ~_is_true(is_answered(conversations, f))],
    ),
    _conversation(
        "target_due",
        "conversations whose target has passed",
        lambda f: [*_asked(f), is_target_due(conversations, f)],
    ),
    _conversation(
        "in_target",
        "conversations answered within target",
        lambda f: [*_asked(f), is_in_target(conversations, f)],
    ),
    _conversation(
        "hour_due",
        "conversations opened an hour ago or earlier",
        lambda f: [*_asked(f), is_hour_due(conversations, f)],
    ),
    _conversation(
        "in_hour",
        "conversations answered within an hour",
        lambda f: [*_asked(f), is_in_hour(conversations, f)],
    ),
    _conversation("seen", "conversations that a human of ours saw", lambda f: [*_opened(f), is_seen(f)]),
    _conversation(
        "read_by_scorer",
        "conversations whose opening the scorer read",
        lambda f: [*_opened(f), is_read_by_scorer()],
    ),
    _conversation(
        "closed_without_reply",
        "conversations closed without a reply",
        lambda f: [
            *_asked(f),
            conversations.c.is_closed_without_reply.is_(True),
            ~_is_true(is_answered(conversations, f)),
        ],
    ),
    _conversation("resolved", "resolved conversations", lambda f: [*_opened(f), conversations.c.resolved_at <= f.now]),
    _conversation("scored", "conversations with a scored opening", _scored),
    *(
        _conversation(
            label,
            f"conversations with a {label} opening",
            lambda f, label=label: [*_scored(f), conversations.c.sentiment_label == label],  # type: ignore[misc]
        )
        for label in SENTIMENTS
    ),
    _conversation(
        "not_scored",
        "conversations whose opening has no sentiment",
        lambda f: [*_contact(f), conversations.c.sentiment_label.is_(None)],
    ),
    _conversation("blaming", "conversations blaming a channel", _blaming),
    _conversation(
        "answered_and_written_again", "conversations whose customer wrote again after the answer", _heard_again
    ),
    _conversation("written_again", "negative openings after whose answer the customer wrote again", _written_again),
    _conversation(
        "recovered",
        "negative openings that ended neutral or positive after the answer",
        lambda f: [*_written_again(f), conversations.c.closing_sentiment_label != "negative"],
    ),
    _conversation("calls_offered", "calls offered", _call),
    _conversation("calls_answered", "calls answered", lambda f: [*_call(f), is_answered(conversations, f)]),
    _conversation(
        "calls_abandoned",
        "calls abandoned",
        lambda f: [
            *_call(f),
            ~_is_true(is_answered(conversations, f)),
            conversations.c.is_abandoned.is_(True),
        ],
    ),
    _conversation(
        "calls_lost",
        "calls neither answered nor known to be given up",
        lambda f: [
            *_call(f),
            ~_is_true(is_answered(conversations, f)),
            func.coalesce(conversations.c.is_abandoned, false()).is_(False),
        ],
    ),
    _wait("waits", "waits", _waited),
    _wait("waits_answered", "answered waits", lambda f: [*_waited(f), is_answered(waits, f)]),
    _wait(
        "waits_answered_timed",
        "waits answered at a known time",
        lambda f: [*_waited(f), is_answered_timed(waits, f)],
    ),
    _wait(
        "waits_answered_unknown_time",
        "waits answered at an unknown time",
        lambda f: [*_waited(f), is_answered_untimed(waits, f)],
    ),
    _wait("waits_unanswered", "unanswered waits", lambda f: [*_waited(f), ~_is_true(is_answered(waits, f))]),
    _wait("waits_target_due", "waits whose target has passed", lambda f: [*_waited(f), is_target_due(waits, f)]),
    _wait("waits_in_target", "waits answered within target", lambda f: [*_waited(f), is_in_target(waits, f)]),
    _wait(
        "no_reply_needed",
        "waits asking for nothing",
        lambda f: [*_addressed(waits), waits.c.is_response_known.is_(True), ~needs_reply(waits, f)],
    ),
    _wait("open_waits", "waits open now", _open_wait),
    _wait("failed_contacts", "private contacts that no human answered in time", _failed_contact),
    _wait(
        "came_out",
        "failed private contacts whose customer then complained in public",
        lambda f: [*_failed_contact(f), came_out_in_public(f)],
    ),
    _conversation("recognisable", "conversations of customers who can be recognised", _recognisable),
    *_repeat_measures("", "same or unknown topic"),
    *_repeat_measures("_any_topic", "any topic"),
    _complaint("public_complaints", "complaints in public", _public_complaint),
    _complaint(
        "public_complaints_known",
        "complaints in public of customers known on a private channel",
        lambda f: [*_public_complaint(f), is_known_in_private(f)],
    ),
    _complaint(
        "back_door",
        "complaints in public after a private contact had failed",
        lambda f: [*_public_complaint(f), is_known_in_private(f), is_back_door(f)],
    ),
    _wait("tellings", "tellings", _told),
    _wait("tellings_compared", "tellings that can be set against an earlier one", _comparable),
    _wait("restatements", "times a customer had to say it again", lambda f: [*_comparable(f), is_restated(f)]),
    _complaint("complaints", "complaints", lambda f: []),
    _complaint("first_complaints", "customers by their first complaint", _first_complaint),
    _complaint("followed_customers", "complaining customers followed long enough", _followed),
    _complaint(
        "followed_ignored",
        "ignored customers followed long enough",
        lambda f: [*_followed(f), is_complaint_ignored_in_time(f)],
    ),
    _complaint(
        "followed_answered",
        "answered customers followed long enough",
        lambda f: [*_followed(f), ~is_complaint_ignored_in_time(f)],
    ),
    _complaint(
        "silent_ignored",
        "ignored customers who fell silent",
        lambda f: [*_followed(f), is_complaint_ignored_in_time(f), is_silent(f)],
    ),
    _complaint(
        "silent_answered",
        "answered customers who fell silent",
        lambda f: [*_followed(f), ~is_complaint_ignored_in_time(f), is_silent(f)],
    ),
    *(_state_measure(state) for state in RESPONSE_STATES),
    _complaint("complaints_due", "complaints old enough to be called ignored", lambda f: [is_complaint_due(f)]),
    _complaint(
        "complaints_ignored_in_time",
        "complaints nobody answered in time",
        lambda f: [is_complaint_ignored_in_time(f)],
    ),
)
MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _ALL}


def measure_named(name: str) -> Measure:
    """The measure of that name. Raises FilterError listing the known ones."""
    try:
        return MEASURES[name]
    except KeyError:
        raise FilterError(f"unknown measure {name!r}; known are {', '.join(MEASURES)}") from None


# --- dimensions and cells -----------------------------------------------------------------------------


def dimension(name: str, measure: Measure, wanted: Filter) -> ColumnElement[Any]:
    """The grouping expression of a dimension; never null, so that groups add up to the whole."""
    table = measure.table
    if name == "period":
        return dialects.local_bucket(measure.owning_time, wanted.grain, wanted.zone, wanted.now)
    if name == "hour":
        return dialects.local_part(measure.owning_time, "hour", wanted.zone, wanted.now)
    if name == "weekday":
        return dialects.local_part(measure.owning_time, "isodow", wanted.zone, wanted.now)
    if name == "agent":
        return case(
            (answered_at(table, wanted).is_not(None), known_or_unknown(table.c.responder_agent)),
            (is_answered_untimed(table, wanted), UNKNOWN),
            else_=NOBODY,
        )
    if name == "responder_team":
        return case(
            (answered_at(table, wanted).is_not(None), known_or_unknown(table.c.responder_team)),
            (is_answered_untimed(table, wanted), UNKNOWN),
            else_=NOBODY,
        )
    if name == "told_before_on" and table is waits:
        agent = case((other_agent_likeness(wanted).is_not(None), waits.c.channel), else_=UNKNOWN)
        return case((is_told_elsewhere(wanted), known_or_unknown(waits.c.other_channel)), else_=agent)
    if name == "closing_sentiment" and table is conversations:
        return known_or_unknown(table.c.closing_sentiment_label)
    if name == "sentiment":
        return known_or_unknown(table.c.sentiment_label)
    if name == "state" and table is waits:
        return response_state(wanted, of_complaint=measure.owning == "first_complaint_at")
    if name == "age" and table is waits:
        minutes = waited_seconds(table, wanted)
        return case(
            *((minutes < upper * 60, label) for label, _, upper in BACKLOG_AGES if upper),
            else_=BACKLOG_AGES[-1][0],
        )
    if name == "wait_band":
        minutes = answered_seconds(table, wanted)
        banded = case(
            *((minutes < upper * 60, label) for label, upper in WAIT_BANDS if upper), else_=WAIT_BANDS[-1][0]
        )
        return case((answered_at(table, wanted).is_not(None), banded), else_=NOBODY)
    if name == "front_channel" and measure.name == "back_door":
        return known_or_unknown(front_of("channel", wanted))
    if name in ("channel", "brand", "team", "age_group", "topic", "source", "blamed_channel"):
        return known_or_unknown(table.c[name])
    raise FilterError(f"{measure.label} cannot be split by {name!r}; known are {', '.join(_that_split(measure))}")


def _that_split(measure: Measure) -> list[str]:
    """The dimensions of reports by which this measure can be split: some are of one table only."""
    of_cells = ("closing_sentiment", "front_channel")
    return [name for name in DIMENSIONS if name not in of_cells and _ONLY_OF.get(name, measure.table) is measure.table]


@dataclasses.dataclass(frozen=True)
class Selection:
    """Filter + measure + the cell that was clicked: opens exactly the rows that a figure counted."""

    filter: Filter
    measure: str
    cell: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Unknown measures and cells are refused here, before any query."""
        measure = measure_named(self.measure)
        for key, value in self.cell:
            _check_cell(measure, key, value, self.filter.grain)

    @property
    def wanted(self) -> Filter:
        """The filter, with the window of days that the cell asks for."""
        days = [value for key, value in self.cell if key == "within_days"]
        return self.filter.replace(within_days=_whole_number("within_days", days[-1])) if days else self.filter

    def clauses(self) -> list[Clause]:
        """The predicate of the rows: that of the measure, limited to the cell."""
        measure = measure_named(self.measure)
        found = measure.clauses(self.wanted)
        for key, value in self.cell:
            if key != "within_days":
                found.append(self._cell_clause(measure, key, value))
        return found

    def _cell_clause(self, measure: Measure, key: str, value: str) -> Clause:
        if key == "period":
            start, end = period_bounds(value, self.filter.grain)
            within = self.filter.replace(date_from=start, date_to=end)
            low, high = within.bounds_utc()
            return and_(measure.owning_time >= low, measure.owning_time < high)
        if key == "within_minutes":
            seconds = round(_number(key, value) * 60)  # a third of a minute has no end as a decimal number
            return and_(
                is_answered_timed(measure.table, self.filter), answered_seconds(measure.table, self.filter) <= seconds
            )
        if key == "customer":
            return measure.table.c.customer_id == value
        if key == "gave_up_within":
            return conversations.c.abandoned_seconds <= _whole_number(key, value)
        if key == "gave_up_after":
            return func.coalesce(conversations.c.abandoned_seconds > _whole_number(key, value), true())
        if key in ("hour", "weekday"):
            return dimension(key, measure, self.wanted) == _whole_number(key, value)
        return dimension(key, measure, self.wanted) == literal(value)

    def sentence(self) -> str:
        """What the rows are, in words."""
        words = [f"{measure_named(self.measure).label}"]
        words += [f"{key.replace('_', ' ')}: {value.replace('_', ' ')}" for key, value in self.cell]
        return ", ".join(words)


def parse_cell(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Cells of a command line or URL, each `KEY=VALUE`."""
    cells = []
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise FilterError(f"a cell is KEY=VALUE, not {text!r}")
        cells.append((key, value))
    return tuple(cells)


def period_start(day: dt.date, grain: str) -> dt.date:
    """First local day of the period that holds `day`; weeks begin on Monday."""
    if grain == "week":
        return day - dt.timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return day


def period_bounds(value: str, grain: str) -> tuple[dt.date, dt.date]:
    """First and last local day of the period that begins on `value`."""
    try:
        start = dt.datetime.fromisoformat(value).date()
        if not EARLIEST_DAY <= start < LATEST_DAY - dt.timedelta(days=100):
            raise ValueError
    except ValueError:
        raise FilterError(f"period {value!r} is not a date such as 2026-01-31") from None
    if grain == "day":
        return start, start
    if grain == "week":
        return start, start + dt.timedelta(days=6)
    months = 1 if grain == "month" else 3
    index = start.month - 1 + months
    after = dt.date(start.year + index // 12, index % 12 + 1, 1)
    return start, after - dt.timedelta(days=1)


def _check_cell(measure: Measure, key: str, value: str, grain: str) -> None:
    """Raise FilterError for a cell that the measure does not have or whose value cannot be meant."""
    if key not in (*DIMENSIONS, *CELL_KEYS):
        raise FilterError(f"unknown cell {key!r}; known are {', '.join((*DIMENSIONS, *CELL_KEYS))}")
    if _ONLY_OF.get(key, measure.table) is not measure.table:
        raise FilterError(f"{measure.label} cannot be split by {key!r}")
    check_text(f"cell {key}", value)
    if key == "period":
        period_bounds(value, grain)
    elif key == "within_minutes":
        _number(key, value)
    elif key in _WHOLE_NUMBERS:
        _whole_number(key, value)
    elif value not in _CLOSED_LISTS.get(key, (value,)):
        raise FilterError(f"unknown {key} {value!r}; known are {', '.join(_CLOSED_LISTS[key])}")


def _number(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number < MAX_CELL:
        raise FilterError(f"cell {key}={value!r} is not a number of 0 or more")
    return number


def _whole_number(key: str, value: str) -> int:
    first, last = _WHOLE_NUMBERS[key]
    number = _number(key, value)
    if number != int(number) or not first <= number <= last:
        raise FilterError(f"cell {key}={value!r} is not a whole number from {first} to {last}")
    return int(number)


def dimension_order(name: str) -> list[str] | None:
    """Natural order of a dimension's values; None where size decides."""
    return {
        "sentiment": [*SENTIMENTS, UNKNOWN],
        "closing_sentiment": [*SENTIMENTS, UNKNOWN],
        "state": list(RESPONSE_STATES),
        "channel": list(CHANNELS),
        "age": [label for label, _, _ in BACKLOG_AGES],
        "wait_band": [*(label for label, _ in WAIT_BANDS), NOBODY],
    }.get(name)


__all__ = [
    "DIMENSIONS",
    "GRAINS",
    "MEASURES",
    "Measure",
    "Selection",
    "dimension",
    "measure_named",
    "parse_cell",
]
