"""First response, reply, resolution and phone answer times, silence included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Engine, Select, and_, case, func, literal, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.estimates import AnswerCurve, share, wilson_interval
from data_access.estimates import answer_curve as kaplan_meier
from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    fetch_many,
    grouped,
    in_natural_order,
    percentiles,
    row_query,
    typed,
)
from data_access.measures import (
    MEASURES,
    Measure,
    answered_seconds,
    clocked_seconds,
    is_answered,
    is_answered_timed,
    is_answered_untimed,
    is_in_target,
    is_target_due,
    is_target_open,
    needs_reply,
    waited_seconds,
)
from data_access.schema import conversations, waits

_TAIL = {
    "answered_count": "count",
    "unanswered_count": "count",
    "answered_unknown_time_count": "count",
    "no_reply_needed_count": "count",
    "closed_without_reply_count": "count",
    "answered_share": "share",
    "answered_share_low": "share",
    "answered_share_high": "share",
    "target_due_count": "count",
    "in_target_count": "count",
    "in_target_share": "share",
    "in_target_share_low": "share",
    "in_target_share_high": "share",
    "median_minutes_answered": "minutes",
    "p90_minutes_answered": "minutes",
    "median_minutes_all": "minutes",
    "is_provisional": "flag",
}


def response_times(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """First response times. One row per group of customer-opened conversations; without `by` exactly one row.

    `answered_count` includes answers at an unknown time, which leave the target and the medians.
    `median_minutes_all` keeps the unanswered in; NaN where half are not answered so far ("not reached").
    `is_provisional`: some target of the group has not passed, so its share in target will still move.
    """
    return _times(engine, wanted, by, MEASURES["first_responses"], "conversation_count")


def reply_times(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Reply times. One row per group of waits that ask for a reply; otherwise as `response_times`."""
    return _times(engine, wanted, by, MEASURES["waits"], "wait_count")


def _times(engine: Engine, wanted: Filter, by: Sequence[str], measure: Measure, total: str) -> pd.DataFrame:
    table = measure.table
    needless: ColumnElement[bool] = ~needs_reply(table, wanted)
    counted: ColumnElement[bool] = true()
    if table is waits and not wanted.with_no_reply_needed:
        counted = needs_reply(table, wanted)
    closed = conversations.c.is_closed_without_reply.is_(True) if table is conversations else ~true()
    flags: dict[str, ColumnElement[Any]] = {
        "is_counted": counted,
        "is_needless": needless,
        "is_answered": and_(counted, is_answered(table, wanted)),
        "is_timed": and_(counted, is_answered_timed(table, wanted)),
        "is_untimed": and_(counted, is_answered_untimed(table, wanted)),
        "is_due": and_(counted, is_target_due(table, wanted)),
        "is_in_target": and_(counted, is_in_target(table, wanted)),
        "is_closed": and_(counted, closed),
        "is_young": and_(counted, is_target_open(table, wanted)),
        "seconds": _observed_seconds(table, wanted),
    }
    rows = row_query(measure, wanted.replace(with_no_reply_needed=True), by, flags)
    frame = grouped(
        engine,
        rows,
        by,
        {
            total: count_if("is_counted"),
            "answered_count": count_if("is_answered"),
            "answered_timed_count": count_if("is_timed"),
            "answered_unknown_time_count": count_if("is_untimed"),
            "no_reply_needed_count": count_if("is_needless"),
            "closed_count": count_if("is_closed"),
            "closed_answered_count": lambda c: func.count().filter(and_(c.is_closed, c.is_answered)),
            "target_due_count": count_if("is_due"),
            "in_target_count": count_if("is_in_target"),
            "young_count": count_if("is_young"),
            **_TIMING,
        },
    )
    if by:
        frame = frame[frame[total] > 0].reset_index(drop=True)
    frame["unanswered_count"] = frame[total] - frame["answered_count"]
    frame["closed_without_reply_count"] = frame["closed_count"] - frame["closed_answered_count"]
    frame["is_provisional"] = frame["young_count"] > 0
    _add_share(frame, "answered_share", frame["answered_count"], frame[total])
    _add_share(frame, "in_target_share", frame["in_target_count"], frame["target_due_count"])
    frame["median_minutes_answered"], frame["p90_minutes_answered"] = _answered_minutes(frame)
    frame["median_minutes_all"] = _medians_of_all(engine, rows, by, frame, measure, wanted)
    kinds = {**dimension_kinds(by), total: "count", **_TAIL}
    if table is waits:
        kinds.pop("closed_without_reply_count")
    return in_natural_order(typed(frame, kinds), by, total)


def _observed_seconds(table: Any, wanted: Filter) -> ColumnElement[int]:
    return case(
        (is_answered_timed(table, wanted), answered_seconds(table, wanted)), else_=waited_seconds(table, wanted)
    )


def _add_share(frame: pd.DataFrame, name: str, successes: pd.Series, trials: pd.Series) -> None:
    frame[name] = share(successes, trials)
    frame[f"{name}_low"], frame[f"{name}_high"] = wilson_interval(successes, trials)


def _keys(frame: pd.DataFrame, by: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(frame[list(by)].itertuples(index=False, name=None)) if by else [()] * len(frame)


def _distributions(engine: Engine, rows: Any, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Per group: how many were answered, and how many still waited, after each whole number of seconds."""
    inner = rows.subquery("counted")
    statement = (
        select(
            *(inner.c[name] for name in by),
            inner.c.seconds,
            func.count().filter(inner.c.is_timed).label("answered"),
            func.count().filter(~inner.c.is_timed).label("unanswered"),
        )
        .where(inner.c.is_counted, ~inner.c.is_untimed)
        .group_by(*(inner.c[name] for name in by), inner.c.seconds)
    )
    frame = fetch_many(engine, statement)
    if frame.empty:
        return
    if not by:
        yield (), frame
        return
    for key, part in frame.groupby(list(by), sort=False):
        yield key if isinstance(key, tuple) else (key,), part


def _arrays(part: pd.DataFrame) -> tuple[Any, Any, Any]:
    return (
        part["seconds"].to_numpy(np.float64),
        part["answered"].to_numpy(np.int64),
        part["unanswered"].to_numpy(np.int64),
    )


# In the place of the seconds of those who were not answered: longer than anybody can have waited.
_NEVER = 2**52


def _with_known_end(columns: Any) -> ColumnElement[bool]:
    """In the curve: counted, and not answered at an unknown time."""
    return and_(columns.is_counted, ~columns.is_untimed)


_TIMING: Mapping[str, Any] = {
    "answered_seconds": lambda c: percentiles(c.seconds, 0.5, 0.9).filter(_with_known_end(c), c.is_timed),
    "last_answered_seconds": lambda c: func.max(c.seconds).filter(_with_known_end(c), c.is_timed),
    "first_open_seconds": lambda c: func.min(c.seconds).filter(_with_known_end(c), ~c.is_timed),
    "half_seconds": lambda c: (
        func.percentile_disc(0.5).within_group(case((c.is_timed, c.seconds), else_=_NEVER)).filter(_with_known_end(c))
    ),
}


def _answered_minutes(frame: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Median and 90th percentile of the answered; NaN where nobody was.

    Percentiles of whole seconds are multiples of a tenth; what an engine's arithmetic leaves beyond is rounded.
    """
    nothing = (float("nan"), float("nan"))
    both = [nothing if seconds is None else seconds for seconds in frame["answered_seconds"]]
    minutes = np.array(both, dtype=np.float64).reshape(-1, 2).round(6) / 60
    return minutes[:, 0], minutes[:, 1]


def _medians_of_all(
    engine: Engine, rows: Select[Any], by: Sequence[str], frame: pd.DataFrame, measure: Measure, wanted: Filter
) -> list[float]:
    """Per row of `frame` the median of its answer curve in minutes; NaN where it is not reached.

    While nobody of a group has left unanswered, the curve is the share of the group answered so far. So where half
    were answered before the first one who still waits had waited as long, that is the median; only for the other
    groups the curve itself is computed, from no more of it than the median needs.
    """
    first_open = frame["first_open_seconds"].to_numpy(np.float64, na_value=np.inf)
    half = frame["half_seconds"].to_numpy(np.float64, na_value=_NEVER)
    last = frame["last_answered_seconds"].to_numpy(np.float64, na_value=0)
    needed = np.where(half < _NEVER, half, last)
    medians = np.where(half < _NEVER, half, np.nan)
    is_open = needed > first_open
    if is_open.any():
        limit = int(needed[is_open].max())
        curves = _curves(engine, _of_groups(rows, by, frame[is_open], measure, wanted), by, limit)
        keys = _keys(frame, by)
        for place in np.flatnonzero(is_open):
            medians[place] = curves[keys[place]].median_seconds()
    return [float(median) / 60 for median in medians]


def _of_groups(
    rows: Select[Any], by: Sequence[str], groups: pd.DataFrame, measure: Measure, wanted: Filter
) -> Select[Any]:
    """The rows of the groups' periods and later: where not all need their curve, it is the newest that do."""
    if "period" not in by:
        return rows
    first = groups["period"].min().date()
    start, _ = wanted.replace(date_from=first, date_to=None).bounds_utc()
    return rows.where(measure.owning_time >= start)


def _curves(engine: Engine, rows: Select[Any], by: Sequence[str], limit: int) -> dict[tuple[Any, ...], AnswerCurve]:
    """Per group the answer curve up to `limit` seconds: what came later is one number, still open then."""
    inner = rows.subquery("counted")
    capped = select(
        *(inner.c[name] for name in by),
        func.least(inner.c.seconds, limit + 1).label("seconds"),
        and_(inner.c.is_timed, inner.c.seconds <= limit).label("is_timed"),
        literal(value=True).label("is_counted"),
        literal(value=False).label("is_untimed"),
    ).where(_with_known_end(inner.c))
    return {key: kaplan_meier(*_arrays(part)) for key, part in _distributions(engine, capped, by)}


def answer_curve(
    engine: Engine, wanted: Filter, by: Sequence[str] = (), *, of: str = "first_responses"
) -> pd.DataFrame:
    """Share answered within t, the unanswered kept in. One row per group and whole-second answer time.

    `of` is `first_responses` (conversations) or `waits` (replies). Unanswered ones are censored at
    `as_of` or their source's *complete to*; answers at an unknown time are left out. Columns: `minutes`,
    `answered_share` with 95 % log-log Greenwood interval, `at_risk_count` still waiting just before.
    """
    measure = MEASURES[of]
    table = measure.table
    rows = row_query(
        measure,
        wanted,
        by,
        {
            "is_counted": true(),
            "is_timed": func.coalesce(is_answered_timed(table, wanted), ~true()),
            "is_untimed": func.coalesce(is_answered_untimed(table, wanted), ~true()),
            "seconds": _observed_seconds(table, wanted),
        },
    )
    parts = []
    for key, part in _distributions(engine, rows, by):
        parts.append(_curve_frame(kaplan_meier(*_arrays(part)), dict(zip(by, key, strict=True))))
    kinds = {
        **dimension_kinds(by),
        "minutes": "minutes",
        "answered_share": "share",
        "answered_share_low": "share",
        "answered_share_high": "share",
        "at_risk_count": "count",
    }
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(kinds))
    return in_natural_order(typed(frame, kinds), by, "at_risk_count")


def _curve_frame(curve: AnswerCurve, group: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "minutes": curve.seconds / 60,
            "answered_share": curve.answered_share,
            "answered_share_low": curve.low,
            "answered_share_high": curve.high,
            "at_risk_count": curve.at_risk,
        }
    )
    for name, value in group.items():
        frame[name] = value
    return frame


def calls(engine: Engine, wanted: Filter, by: Sequence[str] = (), *, short_abandon_seconds: int = 5) -> pd.DataFrame:
    """Phone calls. One row per group of offered calls; without `by` exactly one row.

    `service_level_share`: answered within target, of the calls offered less the short abandons;
    `service_level_all_share`: of all calls offered. `average_speed_of_answer_seconds` is the field's mean
    over answered calls; it never stands without the abandoned count. Source: ITIL/ICMI usage.
    """
    measure = MEASURES["calls_offered"]
    c = conversations.c
    answered = is_answered(conversations, wanted)
    abandoned = and_(c.is_abandoned.is_(True), ~func.coalesce(answered, ~true()))
    rows = row_query(
        measure,
        wanted,
        by,
        {
            "is_answered": answered,
            "is_timed": is_answered_timed(conversations, wanted),
            "is_abandoned": abandoned,
            "is_short": and_(abandoned, c.abandoned_seconds <= short_abandon_seconds),
            "is_in_target": and_(
                is_answered_timed(conversations, wanted), clocked_seconds(conversations) <= c.target_seconds
            ),
            "seconds": answered_seconds(conversations, wanted),
        },
    )
    frame = grouped(
        engine,
        rows,
        by,
        {
            "offered_count": count_all(),
            "answered_count": count_if("is_answered"),
            "abandoned_count": count_if("is_abandoned"),
            "short_abandoned_count": count_if("is_short"),
            "in_target_count": count_if("is_in_target"),
            "average_speed_of_answer_seconds": lambda q: func.avg(q.seconds).filter(q.is_timed),
        },
    )
    served = frame["offered_count"] - frame["short_abandoned_count"]
    _add_share(frame, "answered_share", frame["answered_count"], frame["offered_count"])
    _add_share(frame, "abandoned_share", frame["abandoned_count"], frame["offered_count"])
    _add_share(frame, "service_level_share", frame["in_target_count"], served)
    frame["service_level_all_share"] = share(frame["in_target_count"], frame["offered_count"])
    kinds = {
        **dimension_kinds(by),
        **dict.fromkeys(
            (
                "offered_count",
                "answered_count",
                "abandoned_count",
                "short_abandoned_count",
                "in_target_count",
            ),
            "count",
        ),
        "answered_share": "share",
        "abandoned_share": "share",
        "service_level_share": "share",
        "service_level_share_low": "share",
        "service_level_share_high": "share",
        "service_level_all_share": "share",
        "average_speed_of_answer_seconds": "seconds",
    }
    return in_natural_order(typed(frame, kinds), by, "offered_count")


def resolution_times(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Resolution times, where the source knows them. One row per group of customer-opened conversations
    of sources that report resolution; the unresolved stay in `median_minutes_all`.
    """
    measure = MEASURES["opened"]
    c = conversations.c
    knowing = select(c.source).where(or_(c.resolved_at.is_not(None), c.status.is_not(None))).distinct()
    resolved = and_(c.resolved_at.is_not(None), c.resolved_at <= wanted.now)
    until = dialects.seconds_between(c.opened_at, wanted.censored_at(conversations))
    seconds = case((resolved, dialects.seconds_between(c.opened_at, c.resolved_at)), (until > 0, until), else_=0)
    rows = row_query(
        measure,
        wanted,
        by,
        {
            "is_counted": true(),
            "is_timed": func.coalesce(resolved, ~true()),
            "is_untimed": ~true(),
            "seconds": seconds,
        },
    ).where(c.source.in_(knowing))
    counts = {"conversation_count": count_all(), "resolved_count": count_if("is_timed"), **_TIMING}
    frame = grouped(engine, rows, by, counts)
    _add_share(frame, "resolved_share", frame["resolved_count"], frame["conversation_count"])
    frame["median_minutes_resolved"], frame["p90_minutes_resolved"] = _answered_minutes(frame)
    frame["median_minutes_all"] = _medians_of_all(engine, rows, by, frame, measure, wanted)
    kinds = {
        **dimension_kinds(by),
        "conversation_count": "count",
        "resolved_count": "count",
        "resolved_share": "share",
        "resolved_share_low": "share",
        "resolved_share_high": "share",
        "median_minutes_resolved": "minutes",
        "p90_minutes_resolved": "minutes",
        "median_minutes_all": "minutes",
    }
    return in_natural_order(typed(frame, kinds), by, "conversation_count")
