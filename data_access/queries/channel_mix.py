"""Where which customers talk: contacts and people by age group and channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, case, func, select

from data_access.estimates import bounds_with_unknown, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import count_all, dimension_kinds, grouped, in_natural_order, row_query, typed
from data_access.measures import MEASURES
from data_access.schema import conversations
from data_access.vocabulary import CHANNELS, UNKNOWN


def channel_counts(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Contacts alone: one row per further dimension, age group and channel, with its `conversation_count`."""
    dimensions = (*_without_age_and_channel(by), "age_group", "channel")
    rows = row_query(MEASURES["contacts"], wanted, dimensions, {})
    frame = grouped(engine, rows, dimensions, {"conversation_count": count_all()})
    kinds = {**dimension_kinds(dimensions), "conversation_count": "count"}
    return in_natural_order(typed(frame, kinds), dimensions, "conversation_count")


def channel_users(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Customers by what they use: one row per further dimension, age group and set of channels.

    `used_channels` is the set, the channel at place n of `CHANNELS` as 2 to the power of n. So every customer is
    found once, whatever is asked of it: who used a channel, one of several, or any. One whose age group changes
    within the period counts in both.
    """
    dimensions = (*_without_age_and_channel(by), "age_group")
    c = conversations.c
    bit = case({channel: 1 << place for place, channel in enumerate(CHANNELS)}, value=c.channel)
    rows = row_query(MEASURES["contacts"], wanted, dimensions, {"customer_id": c.customer_id, "bit": bit})
    inner = rows.subquery("used")
    each = (*(inner.c[name] for name in dimensions), inner.c.customer_id)
    customers = select(*each[:-1], func.bit_or(inner.c.bit).label("used_channels")).group_by(*each)
    by_set = (*dimensions, "used_channels")
    frame = grouped(engine, customers, by_set, {"customer_count": count_all()})
    return typed(frame, {**dimension_kinds(dimensions), "used_channels": "count", "customer_count": "count"})


def channel_mix(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """One row per further dimension, age group and channel.

    `share` is the channel's part of the age group's conversations, with Wilson interval; `customer_share`
    the part of the age group's customers who used the channel at all, as surveys ask (adds to over 1).
    `index` is 100 times the share over that of all customers (of the same further dimension). `unknown_low_share`
    to `unknown_high_share` bound the share whoever the customers of unknown age are; empty in their own row.
    """
    return mix_and_users(engine, wanted, by)[0]


def mix_and_users(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`channel_mix` and `channel_users` of the same filter, the customers looked for once."""
    users = channel_users(engine, wanted, by)
    return _mix(channel_counts(engine, wanted, by), users, _without_age_and_channel(by)), users


def _without_age_and_channel(by: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in by if name not in ("age_group", "channel"))


def _mix(counts: pd.DataFrame, users: pd.DataFrame, outer: tuple[str, ...]) -> pd.DataFrame:
    dimensions = (*outer, "age_group", "channel")
    group = [*outer, "age_group"]
    places = np.arange(len(CHANNELS))
    is_used = (users["used_channels"].to_numpy(np.int64)[:, None] >> places) & 1
    of_channel = pd.DataFrame(is_used * users["customer_count"].to_numpy(np.int64)[:, None], columns=list(CHANNELS))
    whole = users[[*group, "customer_count"]].rename(columns={"customer_count": "everybody"})
    summed = pd.concat([whole, of_channel], axis="columns").groupby(group, as_index=False).sum()
    found = summed.melt([*group, "everybody"], var_name="channel", value_name="customer_count")
    frame = counts.merge(found, on=list(dimensions), how="left", validate="one_to_one")
    total = frame.groupby(group)["conversation_count"].transform("sum") if len(frame) else frame["conversation_count"]
    frame["share"] = share(frame["conversation_count"], total)
    frame["share_low"], frame["share_high"] = wilson_interval(frame["conversation_count"], total)
    frame["customer_share"] = share(frame["customer_count"], frame["everybody"])
    _add_index(frame, outer)
    _add_unknown(frame, total, outer)
    kinds = {
        **dimension_kinds(dimensions),
        "conversation_count": "count",
        "share": "share",
        "share_low": "share",
        "share_high": "share",
        "customer_count": "count",
        "customer_share": "share",
        "index": "share",
        "index_low": "share",
        "index_high": "share",
        "unknown_low_share": "share",
        "unknown_high_share": "share",
    }
    return in_natural_order(typed(frame, kinds), dimensions, "conversation_count")


def _add_index(frame: pd.DataFrame, outer: Sequence[str]) -> None:
    keys = [*outer, "channel"]
    on_channel = frame.groupby(keys)["conversation_count"].transform("sum") if len(frame) else 0
    usual = share(on_channel, _sum(frame, outer))
    for end in ("", "_low", "_high"):
        frame[f"index{end}"] = 100 * frame[f"share{end}"] / usual


def _add_unknown(frame: pd.DataFrame, total: pd.Series, outer: Sequence[str]) -> None:
    """Bounds of each share, if any part of the conversations of unknown age belonged to the age group."""
    is_unknown = frame["age_group"] == UNKNOWN
    ageless = frame["conversation_count"].where(is_unknown, 0)
    here = ageless.groupby([frame[name] for name in (*outer, "channel")]).transform("sum") if len(frame) else ageless
    everywhere = ageless.groupby([frame[name] for name in outer]).transform("sum") if outer else ageless.sum()
    low, high = bounds_with_unknown(frame["conversation_count"], total, here, everywhere - here)
    frame["unknown_low_share"] = np.where(is_unknown, np.nan, low)
    frame["unknown_high_share"] = np.where(is_unknown, np.nan, high)


def _sum(frame: pd.DataFrame, outer: Sequence[str]) -> Any:
    if outer and len(frame):
        return frame.groupby(list(outer))["conversation_count"].transform("sum")
    return frame["conversation_count"].sum()


def customers_using(users: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Different customers per age group, and how many of them used one of the channels at all.

    `users` is `channel_users` without a further dimension. One row per age group with any contact. A customer of
    two of the channels counts once. `customer_share` with Wilson interval.
    """
    wished = sum(1 << CHANNELS.index(channel) for channel in channels)
    frame = users.rename(columns={"customer_count": "everybody_count"})
    frame["customer_count"] = frame["everybody_count"].where((frame.pop("used_channels") & wished) > 0, 0)
    frame = frame.groupby("age_group", as_index=False).sum()
    frame["customer_share"] = share(frame["customer_count"], frame["everybody_count"])
    low, high = wilson_interval(frame["customer_count"], frame["everybody_count"])
    frame["customer_share_low"], frame["customer_share_high"] = low, high
    kinds = {
        **dimension_kinds(("age_group",)),
        "everybody_count": "count",
        "customer_count": "count",
        "customer_share": "share",
        "customer_share_low": "share",
        "customer_share_high": "share",
    }
    return in_natural_order(typed(frame, kinds), ("age_group",), "everybody_count")
