"""Who is waiting for us now, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Engine, func, select

from data_access.estimates import percentile_of_counts
from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    fetch,
    grouped,
    in_natural_order,
    row_query,
    typed,
)
from data_access.measures import MEASURES, response_state, waited_seconds
from data_access.schema import waits


def backlog(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Open waits at `as_of`. One row per group, without `by` exactly one; `by=("age",)` gives age groups.

    Open: asks for a reply, nobody human answered here or elsewhere in time, the caller did not hang up.
    """
    rows = row_query(
        MEASURES["open_waits"],
        wanted,
        by,
        {
            "seconds": waited_seconds(waits, wanted),
            "is_ignored": response_state(wanted, of_complaint=False) == "ignored",
            "is_complaint": waits.c.first_complaint_at <= wanted.now,
        },
    )
    frame = grouped(
        engine,
        rows,
        by,
        {
            "open_count": count_all(),
            "ignored_count": count_if("is_ignored"),
            "complaint_count": count_if("is_complaint"),
            "oldest_minutes": lambda c: func.max(c.seconds) / 60.0,
        },
    )
    frame["waiting_count"] = frame["open_count"] - frame["ignored_count"]
    frame["median_minutes"] = _median_minutes(engine, rows, by, frame)
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


def _median_minutes(engine: Engine, rows: object, by: Sequence[str], frame: pd.DataFrame) -> list[float]:
    inner = rows.subquery("counted")  # type: ignore[attr-defined]
    keys = [inner.c[name] for name in by]
    counts = fetch(engine, select(*keys, inner.c.seconds, func.count().label("n")).group_by(*keys, inner.c.seconds))
    medians = {}
    parts = counts.groupby(list(by), sort=False) if by else [((), counts)]
    for key, part in parts:
        values = part["seconds"].to_numpy(np.float64), part["n"].to_numpy(np.int64)
        medians[key if isinstance(key, tuple) else (key,)] = percentile_of_counts(*values, 0.5) / 60
    names = frame[list(by)].itertuples(index=False, name=None) if by else [()] * len(frame)
    return [medians.get(tuple(name), float("nan")) for name in names]
