"""The headline under each competing definition, side by side, with the spread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, and_, case, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.estimates import answer_curve as kaplan_meier
from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.frames import fetch, row_query, typed
from data_access.measures import (
    MEASURES,
    counted_by_now,
    is_answered,
    is_answered_timed,
    is_answered_untimed,
    is_complaint_due,
    is_complaint_ignored_in_time,
    waited_seconds,
)
from data_access.queries.response_times import calls, response_times
from data_access.schema import conversations, waits

_KINDS = {
    "question": "text",
    "definition": "text",
    "is_ours": "flag",
    "unit": "text",
    "value": "share",
    "value_low": "share",
    "value_high": "share",
    "numerator_count": "count",
    "denominator_count": "count",
    "spread": "share",
}
_WAIT = "How long do customers wait (median, silence included)?"
_ANSWERED = "What share is answered?"
_IGNORED = "What share of complaints is ignored?"
_SERVICE = "What is the phone service level?"


def definitions(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per question and definition. `spread` is the largest less the smallest value of the question.

    `is_ours` marks the definition of the headline on the pages. Medians in minutes; empty is "not reached".
    """
    rows = [
        *_median_rows(engine, wanted),
        *_answered_rows(engine, wanted),
        *_ignored_rows(engine, wanted),
        *_service_level_rows(engine, wanted),
    ]
    frame = pd.DataFrame(rows, columns=[name for name in _KINDS if name != "spread"])
    values = frame.groupby("question", sort=False)["value"]
    frame["spread"] = values.transform("max") - values.transform("min")
    return typed(frame, _KINDS)


def _row(question: str, definition: str, unit: str, value: float, **more: Any) -> dict[str, Any]:
    empty = {"value_low": float("nan"), "value_high": float("nan"), "numerator_count": 0, "denominator_count": 0}
    return {
        "question": question,
        "definition": definition,
        "is_ours": False,
        "unit": unit,
        "value": value,
        **empty,
        **more,
    }


def _share_row(question: str, definition: str, part: int, whole: int, *, is_ours: bool = False) -> dict[str, Any]:
    low, high = wilson_interval(part, whole)
    return _row(
        question,
        definition,
        "share",
        float(share(part, whole)),
        is_ours=is_ours,
        value_low=float(low),
        value_high=float(high),
        numerator_count=part,
        denominator_count=whole,
    )


def _median_rows(engine: Engine, wanted: Filter) -> list[dict[str, Any]]:
    c = conversations.c
    by_calendar = response_times(engine, wanted.replace(clock="calendar")).iloc[0]
    by_business = response_times(engine, wanted.replace(clock="business")).iloc[0]
    shown = {
        "denominator_count": int(by_calendar["conversation_count"]),
        "numerator_count": int(by_calendar["answered_count"]),
    }
    with_bots = func.least(
        func.coalesce(c.first_bot_response_at, c.first_response_at),
        func.coalesce(c.first_response_at, c.first_bot_response_at),
    )
    rows = [
        _row(
            _WAIT,
            "calendar clock, first human answer",
            "minutes",
            float(by_calendar["median_minutes_all"]),
            is_ours=wanted.clock == "calendar",
            **shown,
        ),
        _row(
            _WAIT,
            "business clock, first human answer",
            "minutes",
            float(by_business["median_minutes_all"]),
            is_ours=wanted.clock == "business",
            **shown,
        ),
        _row(
            _WAIT,
            "answered only (silence left out)",
            "minutes",
            float(by_calendar["median_minutes_answered"]),
            **shown,
        ),
        _row(_WAIT, "bots count as answers", "minutes", _median_to(engine, wanted, with_bots), **shown),
    ]
    if _has_reply_links(engine, wanted):
        direct = _median_to(engine, wanted, c.direct_response_at)
        rows.append(_row(_WAIT, "only a direct reply to the opening counts", "minutes", direct, **shown))
    return rows


def _has_reply_links(engine: Engine, wanted: Filter) -> bool:
    clauses = MEASURES["first_responses"].clauses(wanted)
    statement = (
        select(func.count()).select_from(conversations).where(*clauses, conversations.c.has_reply_links.is_(True))
    )
    return bool(fetch(engine, statement).iloc[0, 0])


def _median_to(engine: Engine, wanted: Filter, answer: ColumnElement[Any]) -> float:
    """Median minutes from the opening to another kind of answer, the unanswered censored; calendar clock."""
    seen = wanted.replace(clock="calendar")
    c = conversations.c
    answered = and_(answer.is_not(None), answer >= c.opened_at, answer <= wanted.now)
    seconds = case(
        (answered, dialects.seconds_between(c.opened_at, answer)), else_=waited_seconds(conversations, seen)
    )
    rows = row_query(
        MEASURES["first_responses"],
        wanted,
        (),
        {
            "is_timed": func.coalesce(answered, ~true()),
            "is_untimed": func.coalesce(is_answered_untimed(conversations, wanted), ~true()),
            "seconds": seconds,
        },
    ).subquery("counted")
    counts = fetch(
        engine,
        select(
            rows.c.seconds,
            func.count().filter(rows.c.is_timed).label("answered"),
            func.count().filter(~rows.c.is_timed).label("unanswered"),
        )
        .where(or_(rows.c.is_timed, ~rows.c.is_untimed))
        .group_by(rows.c.seconds),
    )
    curve = kaplan_meier(
        counts["seconds"].to_numpy(np.float64),
        counts["answered"].to_numpy(np.int64),
        counts["unanswered"].to_numpy(np.int64),
    )
    return curve.median_seconds() / 60


def _counts(engine: Engine, measure: str, wanted: Filter, columns: Mapping[str, ColumnElement[Any]]) -> dict[str, int]:
    chosen = MEASURES[measure]
    statement = select(*(column.label(name) for name, column in columns.items())).where(*chosen.clauses(wanted))
    row = fetch(engine, statement.select_from(chosen.table)).iloc[0]
    return {name: int(row[name] or 0) for name in columns}


def _answered_rows(engine: Engine, wanted: Filter) -> list[dict[str, Any]]:
    c, w = conversations.c, waits.c
    answered = func.coalesce(is_answered(conversations, wanted), ~true())
    n = _counts(
        engine,
        "first_responses",
        wanted,
        {
            "all": func.count(),
            "answered": func.count().filter(answered),
            "bots": func.count().filter(or_(answered, c.first_bot_response_at <= wanted.now)),
            "timed": func.count().filter(func.coalesce(is_answered_timed(conversations, wanted), ~true())),
            "direct": func.count().filter(c.direct_response_at <= wanted.now),
            "customers": func.count(c.customer_id.distinct()),
            "left": func.count(case((~answered, c.customer_id)).distinct()),
        },
    )
    replied = func.coalesce(is_answered(waits, wanted), ~true())
    inbound = counted_by_now(wanted, w.inbound_count)
    per = _counts(
        engine,
        "waits",
        wanted,
        {
            "waits": func.count(),
            "replied": func.count().filter(replied),
            "messages": func.coalesce(func.sum(inbound), 0),
            "heard": func.coalesce(func.sum(inbound).filter(replied), 0),
        },
    )
    rows = [
        _share_row(_ANSWERED, "conversations, any human answer", n["answered"], n["all"], is_ours=True),
        _share_row(_ANSWERED, "conversations, bots count", n["bots"], n["all"]),
        _share_row(_ANSWERED, "conversations, only answers in the data", n["timed"], n["all"]),
        _share_row(_ANSWERED, "waits: every time a customer was left waiting", per["replied"], per["waits"]),
        _share_row(_ANSWERED, "messages: every inbound interaction", per["heard"], per["messages"]),
        _share_row(
            _ANSWERED, "customers whose every conversation is answered", n["customers"] - n["left"], n["customers"]
        ),
    ]
    if _has_reply_links(engine, wanted):
        rows.insert(3, _share_row(_ANSWERED, "conversations, direct reply to the opening", n["direct"], n["all"]))
    return rows


def _ignored_rows(engine: Engine, wanted: Filter) -> list[dict[str, Any]]:
    frame = ignored_rates(engine, wanted)
    words = {
        "complaint": "complaints",
        "conversation": "conversations with at least one ignored complaint",
        "customer": "customers with at least one ignored complaint",
    }
    rows = [
        _share_row(
            _IGNORED,
            words[str(row["unit_counted"])],
            int(row["ignored_in_time_count"]),
            int(row["due_count"]),
            is_ours=row["unit_counted"] == "complaint",
        )
        for row in frame.to_dict("records")
    ]
    unanswered = ignored_rates(engine, wanted.replace(unknown_time_counts_as="unanswered")).iloc[0]
    rows.append(
        _share_row(
            _IGNORED,
            "complaints, answers at an unknown time not believed",
            int(unanswered["ignored_in_time_count"]),
            int(unanswered["due_count"]),
        )
    )
    return rows


def ignored_rates(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """The ignored share per complaint, per conversation and per customer: one row each, with Wilson interval.

    A conversation or customer is due with at least one due complaint, ignored with at least one ignored in time.
    """
    due, ignored = is_complaint_due(wanted), is_complaint_ignored_in_time(wanted)
    w = waits.c
    n = _counts(
        engine,
        "complaints",
        wanted,
        {
            "complaint": func.count().filter(due),
            "complaint_ignored": func.count().filter(ignored),
            "conversation": func.count(case((due, w.conversation_id)).distinct()),
            "conversation_ignored": func.count(case((ignored, w.conversation_id)).distinct()),
            "customer": func.count(case((due, w.customer_id)).distinct()),
            "customer_ignored": func.count(case((ignored, w.customer_id)).distinct()),
        },
    )
    rows = []
    for unit in ("complaint", "conversation", "customer"):
        part, whole = n[f"{unit}_ignored"], n[unit]
        low, high = wilson_interval(part, whole)
        rows.append((unit, whole, part, float(share(part, whole)), float(low), float(high)))
    kinds = {
        "unit_counted": "text",
        "due_count": "count",
        "ignored_in_time_count": "count",
        "ignored_share": "share",
        "ignored_share_low": "share",
        "ignored_share_high": "share",
    }
    return typed(pd.DataFrame(rows, columns=list(kinds)), kinds)


def _service_level_rows(engine: Engine, wanted: Filter) -> list[dict[str, Any]]:
    row = calls(engine, wanted).iloc[0]
    offered, in_target = int(row["offered_count"]), int(row["in_target_count"])
    if offered == 0:
        return []
    short, answered = int(row["short_abandoned_count"]), int(row["answered_count"])
    return [
        _share_row(_SERVICE, "of calls offered less short abandons", in_target, offered - short, is_ours=True),
        _share_row(_SERVICE, "of all calls offered", in_target, offered),
        _share_row(_SERVICE, "of calls answered (abandons left out)", in_target, answered),
    ]
