"""The back door: who complained in public after a private channel had failed them, from where, and how long it took.

A row is a complaint in public (a wait with a complaint on a public channel). Which contacts of the same customer
failed before it is one predicate (`measures.is_back_door`); nothing that depends on N is stored. What other teams'
contacts tell is channel, time and state only, so they count for a viewer who is limited to some teams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, case, select, true
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.errors import FilterError
from data_access.estimates import percentile_of_counts, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    grouped,
    in_natural_order,
    row_query,
    typed,
)
from data_access.measures import (
    MEASURES,
    came_out_in_public,
    failed_fronts,
    is_known_in_private,
    is_known_in_public,
)

# The range of N in which figures are shown, so that nobody picks the handy one; the setting joins it.
WINDOWS = (1, 3, 7, 14, 30)
_PERCENTILES = {"p25_minutes_waited": 0.25, "median_minutes_waited": 0.5, "p75_minutes_waited": 0.75}
_DAY_SECONDS = 86_400
_FLOW = ("front_channel", "channel")


def windows(wanted: Filter) -> list[int]:
    """The range of N, with the one in force."""
    return sorted({*WINDOWS, wanted.within_days})


def back_door(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Complaints in public. One row per group, without `by` exactly one.

    `back_door_share` is `back_door_count` over `known_private_count`, the complaints whose customer was known on a
    private channel when they posted; Wilson interval. `known_private_share` is the coverage: their part of all.
    """
    if "front_channel" in by:
        raise FilterError("back_door has no front_channel for those whom no channel failed: see back_door_flow")
    return _shares(_public(engine, wanted, by), _failed(engine, wanted, by), by)


def back_door_at_once(engine: Engine, wanted: Filter) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The frames of `back_door`, `back_door_flow` and `back_door_range`, from one look at the contacts that failed."""
    public, failed = _public(engine, wanted, ()), _failed(engine, wanted, ())
    return _shares(public, failed, ()), _flow(failed), _range(public, failed, wanted)


def back_door_flow(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per private channel that failed and public channel on which it came out; largest first.

    Each complaint counts once, under the contact that had waited longest; `*_minutes_waited` are how long that was
    at the moment of the post. `back_door_count` adds up to that of `back_door`.
    """
    return _flow(_failed(engine, wanted, ()))


def back_door_range(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """The back-door share for a range of N, in one scan. One row per `within_days`."""
    return _range(_public(engine, wanted, ()), _failed(engine, wanted, ()), wanted)


def _public(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    """Per group the complaints in public, and those of customers known on a private channel."""
    rows = row_query(MEASURES["public_complaints"], wanted, by, {"is_known": is_known_in_private(wanted)})
    counts = {"public_complaint_count": count_all(), "known_private_count": count_if("is_known")}
    return grouped(engine, rows, by, counts)


def _failed(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    """Complaints of the measure `back_door` for the longest of the windows, counted.

    One row per group, both channels, seconds waited and window: the contact that had waited longest is that of the N
    days of the filter where `is_within`, and `within_days` the shortest of the windows in which one had failed.
    """
    days = windows(wanted)
    pairs = failed_fronts(wanted, max(days), by).subquery("pairs")
    p = pairs.c
    gap = dialects.seconds_between(p.newest_started_at, p.complained_at)
    rows = select(
        *(p[name] for name in by),
        p.front_channel,
        p.public_channel,
        p.is_within,
        dialects.seconds_between(p.front_started_at, p.complained_at).label("seconds"),
        case(*((gap <= n * _DAY_SECONDS, n) for n in days), else_=max(days)).label("within_days"),
    ).where(p.place == 1)
    keys = (*by, "front_channel", "public_channel", "is_within", "seconds", "within_days")
    return grouped(engine, rows, keys, {"complaint_count": count_all()})


def _shares(public: pd.DataFrame, failed: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    came = failed[failed["is_within"].astype(bool)]
    if by:
        counts = came.groupby(list(by))[["complaint_count"]].sum().reset_index()
        counts = counts.astype({name: public[name].dtype for name in by})  # of nothing the engine gives no types
        frame = public.merge(counts.rename(columns={"complaint_count": "back_door_count"}), on=list(by), how="left")
    else:
        frame = public.assign(back_door_count=came["complaint_count"].sum())
    frame["back_door_count"] = frame["back_door_count"].fillna(0).astype("int64")
    frame["known_private_share"] = share(frame["known_private_count"], frame["public_complaint_count"])
    frame = _with_share(frame, "back_door_share", "back_door_count", "known_private_count")
    kinds = {
        **dimension_kinds(by),
        "public_complaint_count": "count",
        "known_private_count": "count",
        "known_private_share": "share",
        "back_door_count": "count",
        **_share_kinds("back_door_share"),
    }
    return in_natural_order(typed(frame, kinds), by, "public_complaint_count")


def _flow(failed: pd.DataFrame) -> pd.DataFrame:
    rows = failed[failed["is_within"].astype(bool)].rename(columns={"public_channel": "channel"})
    found = []
    for keys, part in rows.groupby(list(_FLOW), sort=False):
        waited, counts = part["seconds"].to_numpy(np.float64), part["complaint_count"].to_numpy(np.int64)
        percentiles = {name: percentile_of_counts(waited, counts, q) / 60 for name, q in _PERCENTILES.items()}
        found.append({**dict(zip(_FLOW, keys, strict=True)), "back_door_count": counts.sum(), **percentiles})
    kinds = {**dimension_kinds(_FLOW), "back_door_count": "count", **dict.fromkeys(_PERCENTILES, "minutes")}
    frame = typed(pd.DataFrame(found, columns=list(kinds)), kinds)
    return frame.sort_values(["back_door_count", *_FLOW], ascending=[False, True, True]).reset_index(drop=True)


def _range(public: pd.DataFrame, failed: pd.DataFrame, wanted: Filter) -> pd.DataFrame:
    days = windows(wanted)
    frame = pd.DataFrame({"within_days": days})
    frame["known_private_count"] = int(public["known_private_count"].iloc[0])
    frame["back_door_count"] = [int(failed.loc[failed["within_days"] <= n, "complaint_count"].sum()) for n in days]
    frame = _with_share(frame, "back_door_share", "back_door_count", "known_private_count")
    frame["is_ours"] = frame["within_days"] == wanted.within_days
    kinds = {
        "within_days": "count",
        "known_private_count": "count",
        "back_door_count": "count",
        **_share_kinds("back_door_share"),
        "is_ours": "flag",
    }
    return typed(frame, kinds)


def front_doors(engine: Engine, wanted: Filter, by: Sequence[str] = ("channel",)) -> pd.DataFrame:
    """Private contacts that no human answered in time. One row per group, by default per private channel.

    `came_out_share` is the part whose customer complained in public within the N days, still without a human
    reply; fixed horizon, Wilson interval. A post from an account that cannot be joined is not seen, so it is a
    lower bound; `known_public_share` says for how many a post could be seen at all.
    """
    flags: dict[str, ColumnElement[Any]] = {
        "has_come_out": came_out_in_public(wanted),
        "is_known": is_known_in_public(wanted) & true(),
    }
    frame = grouped(
        engine,
        row_query(MEASURES["failed_contacts"], wanted, by, flags),
        by,
        {
            "failed_contact_count": count_all(),
            "known_public_count": count_if("is_known"),
            "came_out_count": count_if("has_come_out"),
        },
    )
    frame["known_public_share"] = share(frame["known_public_count"], frame["failed_contact_count"])
    frame = _with_share(frame, "came_out_share", "came_out_count", "failed_contact_count")
    kinds = {
        **dimension_kinds(by),
        "failed_contact_count": "count",
        "known_public_count": "count",
        "known_public_share": "share",
        "came_out_count": "count",
        **_share_kinds("came_out_share"),
    }
    return in_natural_order(typed(frame, kinds), by, "failed_contact_count")


def _share_kinds(name: str) -> dict[str, str]:
    return dict.fromkeys((name, f"{name}_low", f"{name}_high"), "share")


def _with_share(frame: pd.DataFrame, name: str, numerator: str, denominator: str) -> pd.DataFrame:
    low, high = wilson_interval(frame[numerator], frame[denominator])
    values = share(frame[numerator], frame[denominator])
    return frame.assign(**{name: values, f"{name}_low": low, f"{name}_high": high})
