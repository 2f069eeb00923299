"""Complaints by response state, the ignored share with its fixed horizon, and the worklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Engine, and_, case, func, select
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.errors import FilterError
from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    fetch,
    grouped,
    in_natural_order,
    row_query,
    summed,
    typed,
)
from data_access.measures import (
    MEASURES,
    counted_by_now,
    is_complaint_due,
    is_complaint_ignored_in_time,
    is_complaint_young,
    is_in_states,
    response_state,
)
from data_access.schema import interactions, waits
from data_access.vocabulary import RESPONSE_STATES

_WORKLIST_KINDS = {
    "conversation_id": "text",
    "customer_id": "text",
    "channel": "text",
    "brand": "text",
    "team": "text",
    "response_state": "text",
    "complained_at": "at",
    "waited_minutes": "minutes",
    "minutes_to_ignored": "minutes",
    "audience": "count",
    "topic": "text",
    "sentiment_label": "text",
    "age_group": "text",
    "complaint_count": "count",
    "earlier_conversation_count": "count",
    "last_agent": "text",
    "is_bot_answered": "flag",
}
WORKLIST_ORDERS = ("oldest", "audience", "time_left")
_STATE_COUNTS = tuple(f"{name}_count" for name in RESPONSE_STATES)


def ignored_complaints(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Complaints. One row per group, without `by` exactly one; the six state counts partition `complaint_count`.

    `ignored_share` has a fixed horizon: of the complaints old enough (`due_count`), those that nobody
    human answered anywhere within *ignored after* (`ignored_in_time_count`); Wilson interval. `ignored_count`
    is the present backlog instead: ignored now.
    """
    return _with_shares(_counted(engine, wanted, by), by)


def ignored_complaints_by(
    engine: Engine, wanted: Filter, groupings: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], pd.DataFrame]:
    """The frame of `ignored_complaints` for each grouping, all from one pass over the complaints."""
    dimensions = tuple(dict.fromkeys(name for by in groupings for name in by))
    counts = _counted(engine, wanted, dimensions)
    return {by: _with_shares(summed(counts, dimensions, by), by) for by in groupings}


def _counted(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    measure = MEASURES["complaints"]
    state = response_state(wanted, of_complaint=True)
    flags: dict[str, ColumnElement[Any]] = {f"is_{name}": state == name for name in RESPONSE_STATES}
    flags["is_due"] = is_complaint_due(wanted)
    flags["is_ignored_in_time"] = is_complaint_ignored_in_time(wanted)
    flags["is_young"] = is_complaint_young(wanted)
    flags["has_bot_only"] = and_(state.in_(("waiting", "ignored")), waits.c.first_bot_response_at <= wanted.now)
    rows = row_query(measure, wanted, by, flags)
    return grouped(
        engine,
        rows,
        by,
        {
            "complaint_count": count_all(),
            **{name: count_if(f"is_{name.removesuffix('_count')}") for name in _STATE_COUNTS},
            "bot_only_count": count_if("has_bot_only"),
            "due_count": count_if("is_due"),
            "ignored_in_time_count": count_if("is_ignored_in_time"),
            "young_count": count_if("is_young"),
        },
    )


def _with_shares(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    frame["is_provisional"] = frame["young_count"] > 0
    frame["ignored_share"] = share(frame["ignored_in_time_count"], frame["due_count"])
    frame["ignored_share_low"], frame["ignored_share_high"] = wilson_interval(
        frame["ignored_in_time_count"], frame["due_count"]
    )
    kinds = {
        **dimension_kinds(by),
        "complaint_count": "count",
        **dict.fromkeys(_STATE_COUNTS, "count"),
        "bot_only_count": "count",
        "due_count": "count",
        "ignored_in_time_count": "count",
        "ignored_share": "share",
        "ignored_share_low": "share",
        "ignored_share_high": "share",
        "is_provisional": "flag",
    }
    return in_natural_order(typed(frame, kinds), by, "complaint_count")


def ignored_worklist(
    engine: Engine, wanted: Filter, limit: int | None = None, *, order: str = "oldest"
) -> pd.DataFrame:
    """Complaints still unanswered at `as_of`, waiting or ignored. One row per complaint, oldest first.

    `order="audience"` puts the most seen first, `"time_left"` what is ignored soonest, or has been for longest; raises
    FilterError for any other. `minutes_to_ignored` counts down and is negative once
    ignored; `earlier_conversation_count` are the customer's conversations before this one, `last_agent` is who
    answered last before the wait.
    """
    if order not in WORKLIST_ORDERS:
        raise FilterError(f"unknown order {order!r}; known are {', '.join(WORKLIST_ORDERS)}")
    w = waits.c
    now = wanted.censored_at(waits)
    of_wait: dict[str, ColumnElement[Any]] = {
        "conversation_id": w.conversation_id,
        "customer_id": w.customer_id,
        "wait_number": w.wait_number,
        "channel": w.channel,
        "brand": w.brand,
        "team": w.team,
        "response_state": response_state(wanted, of_complaint=True),
        "complained_at": w.first_complaint_at,
        "waited_minutes": dialects.seconds_between(w.first_complaint_at, now) / 60.0,
        "minutes_to_ignored": dialects.seconds_between(now, w.complaint_ignored_due_at) / 60.0,
        "audience": func.coalesce(w.audience, 0),
        "topic": w.topic,
        "sentiment_label": w.sentiment_label,
        "age_group": w.age_group,
        "complaint_count": counted_by_now(wanted, w.complaint_count, interactions.c.is_complaint.is_(True)),
        "earlier_conversation_count": w.earlier_conversation_count,
        "last_agent": w.previous_agent,
        "is_bot_answered": w.first_bot_response_at <= wanted.now,
    }
    unanswered = select(*(expression.label(name) for name, expression in of_wait.items())).where(
        *MEASURES["complaints"].clauses(wanted), *is_in_states(wanted, ("waiting", "ignored"), of_complaint=True)
    )
    unanswered = unanswered.order_by(*_worklist_order(unanswered.selected_columns, order)).limit(limit)
    return typed(fetch(engine, unanswered), _WORKLIST_KINDS)


def _worklist_order(columns: Any, order: str) -> list[ColumnElement[Any]]:
    by_age = [columns.complained_at, columns.conversation_id, columns.wait_number]
    if order == "audience":
        return [columns.audience.desc(), *by_age]
    if order == "time_left":  # what has no limit comes last, whatever the engine does with null
        return [case((columns.minutes_to_ignored.is_(None), 1), else_=0), columns.minutes_to_ignored, *by_age]
    return by_age
