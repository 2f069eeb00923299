"""How customers sound when they come to us."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Engine, func

from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.frames import count_if, dimension_kinds, grouped, in_natural_order, row_query, typed
from data_access.measures import MEASURES
from data_access.schema import conversations
from data_access.vocabulary import SENTIMENTS


def sentiment(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Sentiment of the opening inbound interaction. One row per group of conversations, without `by` exactly one.

    Shares are of the scored (`scored_count`); the others are counted beside them (`not_scored_count`).
    """
    label = conversations.c.sentiment_label
    rows = row_query(
        MEASURES["contacts"],
        wanted,
        by,
        {
            "is_scored": label.is_not(None),
            "is_not_scored": label.is_(None),
            **{f"is_{name}": label == name for name in SENTIMENTS},
            "score": conversations.c.sentiment_score,
        },
    )
    frame = grouped(
        engine,
        rows,
        by,
        {
            "scored_count": count_if("is_scored"),
            "not_scored_count": count_if("is_not_scored"),
            **{f"{name}_count": count_if(f"is_{name}") for name in SENTIMENTS},
            "mean_score": lambda c: func.avg(c.score).filter(c.is_scored),
        },
    )
    for name in SENTIMENTS:
        frame[f"{name}_share"] = share(frame[f"{name}_count"], frame["scored_count"])
    frame["negative_share_low"], frame["negative_share_high"] = wilson_interval(
        frame["negative_count"], frame["scored_count"]
    )
    kinds = {
        **dimension_kinds(by),
        "scored_count": "count",
        "not_scored_count": "count",
        **{f"{name}_count": "count" for name in SENTIMENTS},
        "negative_share": "share",
        "negative_share_low": "share",
        "negative_share_high": "share",
        "neutral_share": "share",
        "positive_share": "share",
        "mean_score": "share",
    }
    return in_natural_order(typed(frame, kinds), by, "scored_count")
