"""Where which customers talk: contacts and people by age group and channel."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Engine, case, func

from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.frames import count_all, dimension_kinds, grouped, in_natural_order, row_query, typed
from data_access.measures import MEASURES
from data_access.schema import conversations


def channel_mix(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """One row per further dimension, age group and channel.

    `share` is the channel's part of the age group's conversations, with Wilson interval; `customer_share`
    the part of the age group's customers who used the channel at all, as surveys ask (adds to over 1).
    """
    outer = tuple(name for name in by if name not in ("age_group", "channel"))
    dimensions = (*outer, "age_group", "channel")
    measure = MEASURES["contacts"]
    customer = {"customer_id": conversations.c.customer_id}
    people = {"customer_count": lambda c: func.count(c.customer_id.distinct())}
    frame = grouped(
        engine,
        row_query(measure, wanted, dimensions, customer),
        dimensions,
        {"conversation_count": count_all(), **people},
    )
    whole = grouped(
        engine,
        row_query(measure, wanted, dimensions[:-1], customer),
        dimensions[:-1],
        {"everybody": people["customer_count"]},
    )
    frame = frame.merge(whole, on=list(dimensions[:-1]), how="left")
    total = (
        frame.groupby(list(dimensions[:-1]))["conversation_count"].transform("sum")
        if len(frame)
        else frame["conversation_count"]
    )
    frame["share"] = share(frame["conversation_count"], total)
    frame["share_low"], frame["share_high"] = wilson_interval(frame["conversation_count"], total)
    frame["customer_share"] = share(frame["customer_count"], frame["everybody"])
    kinds = {
        **dimension_kinds(dimensions),
        "conversation_count": "count",
        "share": "share",
        "share_low": "share",
        "share_high": "share",
        "customer_count": "count",
        "customer_share": "share",
    }
    return in_natural_order(typed(frame, kinds), dimensions, "conversation_count")


def customers_using(engine: Engine, wanted: Filter, channels: Sequence[str]) -> pd.DataFrame:
    """Distinct customers per age group, and how many of them used one of the channels at all.

    One row per age group with any contact on the filter's channels. A customer of two of the channels counts
    once; one whose age group changes within the period counts in both. `customer_share` with Wilson interval.
    """
    row = {"customer_id": conversations.c.customer_id, "used": conversations.c.channel}
    frame = grouped(
        engine,
        row_query(MEASURES["contacts"], wanted, ("age_group",), row),
        ("age_group",),
        {
            "everybody_count": lambda c: func.count(c.customer_id.distinct()),
            "customer_count": lambda c: func.count(case((c.used.in_(list(channels)), c.customer_id)).distinct()),
        },
    )
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
