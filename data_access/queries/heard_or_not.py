"""Is anybody listening where customers talk? Conversations against answers, and against what was read at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Engine, func, select

from data_access.estimates import combined_shares, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import count_all, count_if, dimension_kinds, grouped, row_query, typed
from data_access.measures import MEASURES, is_answered, is_read_by_scorer, is_seen, period_bounds
from data_access.schema import conversations

_WEEK = dt.timedelta(days=7)
_SHORTEST = dt.timedelta(days=1)
_INTERVAL = ("", "_low", "_high")
# Who listened, in the name of the count; the share of it; the gap to it.
_LISTENERS = (("answered", "answer"), ("seen", "seen"), ("read", "read"))


def heard_or_not(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Where customers talk against where they are answered. One row per group and channel, largest gaps first.

    Of the group's customer-opened conversations: `inbound_share` came by this channel; so did `answer_share` of
    those that a human answered, `seen_share` of those that a human saw (answered, or left a note in), and
    `read_share` of those whose opening the scorer read. `*_gap_share` is the share of inbound less that share,
    above 0 where customers talk more than anybody listens; within a group the gaps add up to 0.
    `*_gap_per_week` is that gap times the group's conversations per week. Intervals are 95 %; a gap is empty
    where nobody of the group was answered, seen or read at all. `recorded_share` is the coverage: of all
    conversations that customers of the group opened, those whose source can tell whether anybody answered.
    """
    outer = tuple(name for name in by if name != "channel")
    dimensions = (*outer, "channel")
    flags = {
        "is_answered": is_answered(conversations, wanted),
        "is_seen": is_seen(wanted),
        "is_read": is_read_by_scorer(),
    }
    counts = {f"{name}_count": count_if(f"is_{name}") for name, _ in _LISTENERS}
    rows = row_query(MEASURES["first_responses"], wanted, dimensions, flags)
    frame = grouped(engine, rows, dimensions, {"conversation_count": count_all(), **counts})
    frame = frame.sort_values(list(dimensions), kind="stable").reset_index(drop=True)
    n = frame["conversation_count"].to_numpy(float)
    whole = _of_group(frame, "conversation_count", outer)
    frame["group_conversation_count"] = whole.astype(np.int64)
    frame["weeks"] = _weeks(engine, wanted, frame, outer)
    frame["recorded_share"] = share(whole, _opened(engine, wanted, frame, outer))
    _add_share(frame, "inbound_share", n, whole)
    _add_share(frame, "answered_share", frame["answered_count"].to_numpy(float), n)
    per_week = whole / frame["weeks"].to_numpy(float)
    for name, listened in _LISTENERS:
        k, k_whole = frame[f"{name}_count"].to_numpy(float), _of_group(frame, f"{name}_count", outer)
        _add_share(frame, f"{listened}_share", k, k_whole)
        gaps = [_gap(*numbers) for numbers in zip(n, whole, k, k_whole, strict=True)]
        for place, end in enumerate(_INTERVAL):
            values = np.array([gap[place] for gap in gaps], dtype=np.float64)
            frame[f"{listened}_gap_share{end}"] = values
            frame[f"{listened}_gap_per_week{end}"] = values * per_week
    kinds = {
        **dimension_kinds(dimensions),
        "conversation_count": "count",
        "group_conversation_count": "count",
        "weeks": "share",
        "recorded_share": "share",
        **{f"{name}_count": "count" for name, _ in _LISTENERS},
        **{f"{name}_share{end}": "share" for name in ("inbound", "answered") for end in _INTERVAL},
        **{
            f"{listened}_{part}{end}": "share"
            for _, listened in _LISTENERS
            for part in ("share", "gap_share", "gap_per_week")
            for end in _INTERVAL
        },
    }
    found = typed(frame, kinds)
    return found.sort_values("answer_gap_per_week", ascending=False, kind="stable").reset_index(drop=True)


def _gap(n: float, whole: float, k: float, k_whole: float) -> tuple[float, float, float]:
    """Share of inbound less share of the heard, with interval.

    The heard are part of the inbound. So the gap is that between the unheard and the heard, two samples apart,
    times the part that is unheard.
    """
    if not k_whole:
        return (float("nan"),) * 3
    if n == whole:  # the only channel of the group: its shares are both 1, whatever was heard
        return (0.0, 0.0, 0.0)
    unheard = float(share(whole - k_whole, whole))
    return combined_shares([unheard, -unheard], [n - k, k], [whole - k_whole, k_whole])


def _add_share(frame: pd.DataFrame, name: str, part: np.ndarray, whole: np.ndarray) -> None:
    frame[name] = share(part, whole)
    frame[f"{name}_low"], frame[f"{name}_high"] = wilson_interval(part, whole)


def _of_group(frame: pd.DataFrame, column: str, outer: Sequence[str]) -> np.ndarray:
    if outer and len(frame):
        return frame.groupby(list(outer))[column].transform("sum").to_numpy(float)
    return np.full(len(frame), float(frame[column].sum()))


def _opened(engine: Engine, wanted: Filter, frame: pd.DataFrame, outer: Sequence[str]) -> np.ndarray:
    """Conversations that customers of each row's group opened, whether or not their source knows of answers."""
    rows = row_query(MEASURES["opened"], wanted, outer, {"conversation_id": conversations.c.conversation_id})
    counts = grouped(engine, rows, outer, {"opened_count": count_all()})
    if not outer:
        return np.full(len(frame), float(counts["opened_count"].sum()))
    keys = counts[list(outer)].itertuples(index=False, name=None)
    of_group = dict(zip(keys, counts["opened_count"], strict=True))
    return np.array([of_group[key] for key in frame[list(outer)].itertuples(index=False, name=None)], dtype=float)


def _weeks(engine: Engine, wanted: Filter, frame: pd.DataFrame, outer: Sequence[str]) -> np.ndarray:
    """Weeks on which each row stands: of its period, of the filter, cut to where there is data; a day at least."""
    with engine.connect() as connection:
        begun = connection.scalar(select(func.min(conversations.c.opened_at)))
    if "period" not in outer:
        return np.full(len(frame), _length(wanted, begun) / _WEEK)
    lengths = {}
    for period in frame["period"].unique():
        first, last = period_bounds(f"{pd.Timestamp(period):%Y-%m-%d}", wanted.grain)
        date_from, date_to = max(first, wanted.date_from or first), min(last, wanted.date_to or last)
        lengths[period] = _length(wanted.replace(date_from=date_from, date_to=date_to), begun) / _WEEK
    return frame["period"].map(lengths).to_numpy(np.float64)


def _length(wanted: Filter, begun: dt.datetime | None) -> dt.timedelta:
    start, end = wanted.bounds_utc()
    first = max(moment for moment in (start, begun) if moment is not None) if start or begun else wanted.now
    last = min(wanted.now, end) if end else wanted.now
    return max(last - first, _SHORTEST)
