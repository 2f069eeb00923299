"""Who is waiting for us now, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Engine, func

from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    grouped,
    in_natural_order,
    percentile,
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
            "median_minutes": lambda c: percentile(c.seconds, 0.5) / 60.0,
        },
    )
    frame["waiting_count"] = frame["open_count"] - frame["ignored_count"]
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
