"""Leaving? Customers who were ignored and then fell silent, against comparable customers who were answered."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Engine, Subquery, and_, false, func, select

from data_access import dialects
from data_access.estimates import mantel_haenszel_difference, share, wilson_interval
from data_access.filters import Filter, known_or_unknown
from data_access.frames import dimension_kinds, fetch, in_natural_order, row_query, typed
from data_access.measures import (
    MEASURES,
    came_back_between,
    complaint_place,
    is_complaint_due,
    is_complaint_ignored_in_time,
    is_followed,
    silent_from,
    silent_to,
)
from data_access.schema import conversations, waits

_STRATUM = ("in_channel", "in_topic", "in_sentiment", "in_month")
_KINDS = {
    "complaining_customer_count": "count",
    "followed_customer_count": "count",
    "followed_customer_share": "share",
    "ignored_customer_count": "count",
    "ignored_silent_count": "count",
    "ignored_silent_share": "share",
    "ignored_silent_share_low": "share",
    "ignored_silent_share_high": "share",
    "answered_customer_count": "count",
    "answered_silent_count": "count",
    "answered_silent_share": "share",
    "answered_silent_share_low": "share",
    "answered_silent_share_high": "share",
    "strata_count": "count",
    "matched_ignored_count": "count",
    "matched_answered_count": "count",
    "left_out_count": "count",
    "matched_ignored_silent_share": "share",
    "matched_answered_silent_share": "share",
    "silence_difference_share": "share",
    "silence_difference_share_low": "share",
    "silence_difference_share_high": "share",
}


def fell_silent(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Customers by the first complaint of the filter: ignored or answered in time, silent afterwards or not.

    One row per group, without `by` exactly one. Each customer counts once. Compared are customers of the same
    channel, topic, opening sentiment and local month; `silence_difference_share` is the Mantel-Haenszel
    difference, `matched_*` what it stands on and `left_out_count` the followed customers without a counterpart.
    """
    r = _first_complaints(wanted, by).c
    keys = [r[name] for name in (*by, *_STRATUM)]
    ignored, answered = and_(r.is_followed, r.is_ignored), and_(r.is_followed, ~r.is_ignored)
    counts = fetch(
        engine,
        select(
            *keys,
            func.count().label("customers"),
            func.count().filter(ignored).label("n"),
            func.count().filter(and_(ignored, r.is_silent)).label("k"),
            func.count().filter(answered).label("n_other"),
            func.count().filter(and_(answered, r.is_silent)).label("k_other"),
        ).group_by(*keys),
    ).sort_values([*by, *_STRATUM])  # a sum of floats must not depend on the engine's order
    parts = counts.groupby(list(by), sort=False) if by else [((), counts)]
    found = [{**dict(zip(by, _key(key), strict=True)), **_compared(part)} for key, part in parts]
    kinds = {**dimension_kinds(by), **_KINDS}
    frame = typed(pd.DataFrame(found, columns=list(kinds)), kinds)
    return in_natural_order(frame, by, "complaining_customer_count")


def _first_complaints(wanted: Filter, by: Sequence[str]) -> Subquery:
    """One row per customer: the first complaint of the filter, and what became of it. Rows of `first_complaints`.

    Who came back is found in one join, not by a search per row.
    """
    w = waits.c
    ranked = row_query(
        MEASURES["complaints"],
        wanted,
        by,
        {
            "in_channel": w.channel,
            "in_topic": w.topic,
            "in_sentiment": known_or_unknown(w.sentiment_label),
            "in_month": dialects.local_bucket(w.first_complaint_at, "month", wanted.zone, wanted.now),
            "is_followed": func.coalesce(and_(is_complaint_due(wanted), is_followed(wanted)), false()),
            "is_ignored": func.coalesce(is_complaint_ignored_in_time(wanted), false()),
            "customer_id": w.customer_id,
            "begin_at": silent_from(wanted),
            "end_at": silent_to(wanted),
            "place": complaint_place(),
        },
    ).subquery("ranked")
    first = select(*ranked.c).where(ranked.c.place == 1).cte("first_complaints")
    f = first.c
    again = and_(*came_back_between(f.customer_id, f.begin_at, f.end_at, wanted))
    came_back = select(f.customer_id).distinct().where(f.is_followed).join(conversations, again).subquery("came_back")
    back = came_back.c.customer_id
    return (
        select(*f, back.is_(None).label("is_silent"))
        .select_from(first.outerjoin(came_back, back == f.customer_id))
        .subquery("counted")
    )


def _key(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)


def _compared(strata: pd.DataFrame) -> dict[str, object]:
    n, k, n_other, k_other = (strata[name].to_numpy("int64") for name in ("n", "k", "n_other", "k_other"))
    matched = mantel_haenszel_difference(k, n, k_other, n_other)
    customers, followed = int(strata["customers"].sum()), int(n.sum() + n_other.sum())
    row: dict[str, object] = {
        "complaining_customer_count": customers,
        "followed_customer_count": followed,
        "followed_customer_share": float(share(followed, customers)),
    }
    for name, part, whole in (("ignored", k.sum(), n.sum()), ("answered", k_other.sum(), n_other.sum())):
        low, high = wilson_interval(part, whole)
        row |= {f"{name}_customer_count": int(whole), f"{name}_silent_count": int(part)}
        row |= {f"{name}_silent_share": float(share(part, whole))}
        row |= {f"{name}_silent_share_low": float(low), f"{name}_silent_share_high": float(high)}
    return row | {
        "strata_count": matched.strata_count,
        "matched_ignored_count": matched.count,
        "matched_answered_count": matched.count_other,
        "left_out_count": followed - matched.count - matched.count_other,
        "matched_ignored_silent_share": matched.share,
        "matched_answered_silent_share": matched.share_other,
        "silence_difference_share": matched.difference,
        "silence_difference_share_low": matched.low,
        "silence_difference_share_high": matched.high,
    }
