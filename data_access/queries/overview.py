"""What changed: shares of this period against the one before, called a change only when it is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from data_access.estimates import discoveries
from data_access.filters import Filter, previous_period
from data_access.frames import count_all, count_if, grouped, in_natural_order, row_query, typed
from data_access.measures import (
    MEASURES,
    is_complaint_due,
    is_complaint_ignored_in_time,
    is_in_target,
    is_target_due,
)
from data_access.queries.sentiment import sentiment
from data_access.schema import conversations

_KINDS = {
    "metric": "text",
    "measure": "text",
    "channel": "text",
    "share": "share",
    "numerator_count": "count",
    "denominator_count": "count",
    "previous_share": "share",
    "previous_denominator_count": "count",
    "difference": "share",
    "p_value": "share",
    "is_change": "flag",
}


def changes(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per share and channel ("" is all channels): this period against the previous of equal length.

    Two-proportion z test; `is_change` controls the false discovery rate at 5 % over all rows (Benjamini and
    Hochberg 1995). Only mature contacts stand in these shares, and only shares that both periods have. Largest
    real changes first; empty where the filter has no beginning or end.
    """
    before = previous_period(wanted)
    rows = []
    if before is not None:
        for metric, query, numerator, denominator, measure in _SHARES:
            channels = [
                query(engine, period, ("channel",))[["channel", numerator, denominator]] for period in (wanted, before)
            ]
            now, then = (frame.drop(columns="channel").sum().to_frame().T.assign(channel="") for frame in channels)
            for joined in (now.merge(then, on="channel", suffixes=("", "_before")), _merged(*channels)):
                rows += [_compared(metric, measure, row, numerator, denominator) for row in joined.to_dict("records")]
    both = [row for row in rows if row["denominator_count"] and row["previous_denominator_count"]]
    frame = pd.DataFrame(both, columns=[name for name in _KINDS if name != "is_change"])
    frame["is_change"] = discoveries(frame["p_value"].to_numpy(np.float64))
    frame = typed(frame, _KINDS)
    order = frame.assign(size=frame["difference"].abs()).sort_values(
        ["is_change", "size"], ascending=[False, False], kind="stable"
    )
    return frame.loc[order.index].reset_index(drop=True)


def _merged(now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Channels of both periods; none where one channel says the same as all."""
    return now.merge(before, on="channel", suffixes=("", "_before")).head(len(now) if len(now) > 1 else 0)


def _ignored(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    """The counts of the ignored share as in `ignored_complaints`, without the states: they cost as much again."""
    flags = {"is_due": is_complaint_due(wanted), "is_ignored": is_complaint_ignored_in_time(wanted)}
    rows = row_query(MEASURES["complaints"], wanted, by, flags)
    counts = {"complaint_count": count_all(), "due_count": count_if("is_due")}
    frame = grouped(engine, rows, by, counts | {"ignored_in_time_count": count_if("is_ignored")})
    return in_natural_order(frame, by, "complaint_count")


def _in_target(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    """The counts of the in-target share as in `response_times`, without its percentiles."""
    flags = {"is_due": is_target_due(conversations, wanted), "is_in_target": is_in_target(conversations, wanted)}
    rows = row_query(MEASURES["first_responses"], wanted, by, flags)
    counts = {"target_due_count": count_if("is_due"), "in_target_count": count_if("is_in_target")}
    return in_natural_order(grouped(engine, rows, by, counts), by, "target_due_count")


_SHARES = (
    ("ignored_share", _ignored, "ignored_in_time_count", "due_count", "complaints_ignored_in_time"),
    ("in_target_share", _in_target, "in_target_count", "target_due_count", "in_target"),
    ("negative_share", sentiment, "negative_count", "scored_count", "negative"),
)


def _compared(
    metric: str, measure: str, row: Mapping[Any, Any], numerator: str, denominator: str
) -> dict[str, object]:
    k, n = int(str(row[numerator])), int(str(row[denominator]))
    k_before, n_before = int(str(row[f"{numerator}_before"])), int(str(row[f"{denominator}_before"]))
    now = k / n if n else float("nan")
    before = k_before / n_before if n_before else float("nan")
    return {
        "metric": metric,
        "measure": measure,
        "channel": row["channel"],
        "share": now,
        "numerator_count": k,
        "denominator_count": n,
        "previous_share": before,
        "previous_denominator_count": n_before,
        "difference": now - before,
        "p_value": _two_proportions(k, n, k_before, n_before),
    }


def _two_proportions(k: int, n: int, k_before: int, n_before: int) -> float:
    """Two-sided p value of equal shares, pooled; NaN under five expected in a cell, where the test does not hold."""
    if n == 0 or n_before == 0:
        return float("nan")
    pooled = (k + k_before) / (n + n_before)
    if min(n, n_before) * min(pooled, 1 - pooled) < 5:
        return float("nan")
    spread = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_before))
    z = (k / n - k_before / n_before) / spread
    return math.erfc(abs(z) / math.sqrt(2))
