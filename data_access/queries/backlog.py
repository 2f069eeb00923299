"""Who is waiting for us now, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Engine, Select, Text, cast, func, null, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    fetch,
    grouped,
    in_natural_order,
    percentile,
    row_query,
    typed,
)
from data_access.measures import MEASURES, wait_state, waited_seconds
from data_access.schema import waits

_AGGREGATES: Mapping[str, Any] = {
    "open_count": count_all(),
    "ignored_count": count_if("is_ignored"),
    "complaint_count": count_if("is_complaint"),
    "oldest_minutes": lambda c: func.max(c.seconds) / 60.0,
    "median_minutes": lambda c: percentile(c.seconds, 0.5) / 60.0,
}


def backlog(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Open waits at `as_of`. One row per group, without `by` exactly one; `by=("age",)` gives age groups.

    Open: asks for a reply, nobody human answered here or elsewhere in time, the caller did not hang up.
    """
    return _finished(grouped(engine, _open_waits(wanted, by), by, _AGGREGATES), by)


def backlog_and_ages(engine: Engine, wanted: Filter) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames of `backlog` and of `backlog` by age, from one look at the waits."""
    rows = _open_waits(wanted, ("age",)).cte("open_waits")
    figures = [build(rows.c).label(name) for name, build in _AGGREGATES.items()]
    of_all = select(cast(null(), Text).label("age"), *figures)
    found = fetch(engine, union_all(of_all, select(rows.c.age, *figures).group_by(rows.c.age)))
    is_total = found["age"].isna()
    return _finished(found[is_total], ()), _finished(found[~is_total], ("age",))


def _open_waits(wanted: Filter, by: Sequence[str]) -> Select[Any]:
    flags: dict[str, ColumnElement[Any]] = {
        "seconds": waited_seconds(waits, wanted),
        "is_ignored": wait_state(wanted) == "ignored",
        "is_complaint": waits.c.first_complaint_at <= wanted.now,
    }
    return row_query(MEASURES["open_waits"], wanted, by, flags)


def _finished(counts: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    frame = counts.assign(waiting_count=counts["open_count"] - counts["ignored_count"])
    kinds = {
        **dimension_kinds(by),
        "open_count": "count",
        "waiting_count": "count",
        "ignored_count": "count",
        "complaint_count": "count",
        "oldest_minutes": "minutes",
        "median_minutes": "minutes",
    }
    return in_natural_order(typed(frame, kinds), by, "open_count")
