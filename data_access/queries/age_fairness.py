"""Are age groups answered alike, once they use the same channels? Raw and standardised to one channel mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, and_, case, func

from data_access.estimates import (
    SMALL_SAMPLE,
    AnswerCurve,
    bounds_with_unknown,
    combined_shares,
    discoveries,
    mixed_curve,
    p_values,
    share,
    wilson_interval,
)
from data_access.estimates import answer_curve as kaplan_meier
from data_access.filters import Filter
from data_access.frames import count_all, count_if, fetch_many, grouped_query, in_natural_order, row_query, typed
from data_access.measures import (
    MEASURES,
    answered_seconds,
    is_answered,
    is_answered_timed,
    is_answered_untimed,
    is_hour_due,
    is_in_hour,
    waited_seconds,
)
from data_access.schema import conversations
from data_access.vocabulary import UNKNOWN

_SHARES = ("answered", "in_hour")
_INTERVAL = ("", "_low", "_high")
_COUNTS = ("conversation_count", "answered_count", "in_hour_due_count", "in_hour_count", "timed", "untimed")
_KINDS: Mapping[str, str] = {
    "age_group": "text",
    "conversation_count": "count",
    "answered_count": "count",
    "in_hour_due_count": "count",
    "in_hour_count": "count",
    **{
        f"{column}{end}": "share"
        for name in _SHARES
        for column in (
            f"{name}_share",
            f"standardised_{name}_share",
            f"{name}_gap_share",
            f"standardised_{name}_gap_share",
        )
        for end in _INTERVAL
    },
    "answered_channel_part_share": "share",
    "in_hour_channel_part_share": "share",
    "answered_verdict": "text",
    "in_hour_verdict": "text",
    **{f"median_minutes_all{end}": "minutes" for end in _INTERVAL},
    **{f"standardised_median_minutes{end}": "minutes" for end in _INTERVAL},
    "overall_answered_share": "share",
    "overall_in_hour_share": "share",
    "overall_median_minutes": "minutes",
    "same_answered_share": "share",
    "same_in_hour_share": "share",
    "same_median_minutes": "minutes",
    "covered_share": "share",
    "left_out_channels": "text",
    "unknown_worst_share": "share",
    "unknown_all_share": "share",
    "unknown_best_share": "share",
}


def age_fairness(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """How each age group is answered, as it is and at everybody's channel mix. One row per age group.

    Grain: customer-opened conversations, age at the time of contact. `standardised_*` weigh the channels of
    each group as those of all customers (direct standardisation; the curve is standardised, then its median
    read). Channels that a group of 30 or more does not use are left out for all, and `covered_share` says how
    much of the conversations remains; where fewer than two groups are that large, every group decides. `same_*` are
    all customers on the channels that remain, `left_out_channels` the others. `*_gap_share`:
    the group less all customers; `*_channel_part_share`: the part of that gap which goes with the channels.
    `unknown_worst_share` to `unknown_best_share` bound the answered share whoever the customers of unknown
    age are; `unknown_all_share` is it if all of them belonged to the group. Empty where it cannot be known.
    `*_verdict` is `below` or `above` where the standardised gap is a discovery among all groups of known age and
    30 or more (false discovery rate 5 %), else `no clear gap`; smaller groups and the unknown are `not judged`.
    """
    counts = _counts(engine, wanted)
    if counts.empty:
        return typed(pd.DataFrame(columns=list(_KINDS)), _KINDS)
    cells = counts.groupby(["age_group", "channel"], observed=True)[list(_COUNTS)].sum()
    tables = {name: cells[name].unstack(fill_value=0).sort_index() for name in _COUNTS}
    followed = tables["conversation_count"] - tables["untimed"]  # those whose wait can be seen on a curve
    common = _common_channels(followed)
    overall = _curve(counts)
    total = tables["conversation_count"].to_numpy(float).sum()
    covered = float(tables["conversation_count"][common].to_numpy(float).sum() / total)
    weights = _weights(tables["conversation_count"], common)
    of_group = dict(list(counts.groupby("age_group", observed=True)))
    by_channel = dict(list(counts.groupby("channel", observed=True)))
    whole_mix = [_curve(by_channel[channel]) for channel in common]
    same = mixed_curve(whole_mix, list(weights)).median_seconds() / 60 if common else float("nan")
    left_out = ", ".join(sorted(set(map(str, tables["conversation_count"].columns)) - set(common)))
    found = []
    for group in tables["conversation_count"].index:
        mine = of_group[group]
        row: dict[str, Any] = {"age_group": group, "covered_share": covered, "left_out_channels": left_out}
        row |= {name: int(tables[name].loc[group].sum()) for name in _COUNTS[:4]}
        for name, part, whole in (
            ("answered", "answered_count", "conversation_count"),
            ("in_hour", "in_hour_count", "in_hour_due_count"),
        ):
            row |= _shares(name, tables[part], tables[whole], group, weights)
        row |= _timing("median_minutes_all", _curve(mine))
        of_channel = dict(list(mine.groupby("channel", observed=True)))
        strata = [_curve(of_channel.get(channel, mine.iloc[:0])) for channel in common]
        is_complete = bool(common) and bool((followed.loc[group, common] > 0).all())
        row |= _timing("standardised_median_minutes", mixed_curve(strata, list(weights)) if is_complete else None)
        row |= {"overall_median_minutes": overall.median_seconds() / 60, "same_median_minutes": same}
        row |= _with_unknown(tables["answered_count"], tables["conversation_count"], group)
        found.append(row)
    frame = pd.DataFrame(found)
    for name in _SHARES:
        frame[f"{name}_verdict"] = _verdicts(frame, f"standardised_{name}_gap_share")
    return in_natural_order(typed(frame, _KINDS), ("age_group",), "conversation_count")


def _verdicts(frame: pd.DataFrame, gap: str) -> np.ndarray:
    """Which gaps are real when all known groups of 30 or more are looked at together."""
    estimate, low, high = (frame[f"{gap}{end}"].to_numpy(float) for end in _INTERVAL)
    is_large = (frame["age_group"] != UNKNOWN) & (frame["conversation_count"] >= SMALL_SAMPLE)
    is_judged = is_large.to_numpy(bool) & ~np.isnan(estimate)
    is_real = discoveries(np.where(is_judged, p_values(estimate, low, high), np.nan))
    told = np.where(is_real, np.where(estimate < 0, "below", "above"), "no clear gap")
    return np.where(is_judged, told, "not judged")


def _counts(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Conversations by age group, channel and whole seconds to the answer, or waited without one."""
    timed = is_answered_timed(conversations, wanted)
    flags = {
        "is_answered": is_answered(conversations, wanted),
        "is_timed": timed,
        "is_untimed": is_answered_untimed(conversations, wanted),
        "is_hour_due": is_hour_due(conversations, wanted),
        "is_in_hour": is_in_hour(conversations, wanted),
        "seconds": case((timed, answered_seconds(conversations, wanted)), else_=waited_seconds(conversations, wanted)),
    }
    aggregates = {
        "conversation_count": count_all(),
        "answered_count": count_if("is_answered"),
        "in_hour_due_count": count_if("is_hour_due"),
        "in_hour_count": count_if("is_in_hour"),
        "timed": count_if("is_timed"),
        "untimed": lambda c: func.count().filter(and_(c.is_untimed.is_(True))),
    }
    by = ("age_group", "channel")
    rows = row_query(MEASURES["first_responses"], wanted, by, flags)
    frame = fetch_many(engine, grouped_query(rows, (*by, "seconds"), aggregates))
    return frame.astype(dict.fromkeys(by, "category"))  # a few texts in very many rows: compared as numbers


def _curve(counts: pd.DataFrame) -> AnswerCurve:
    everybody, timed, untimed = (
        counts[name].to_numpy(np.int64) for name in ("conversation_count", "timed", "untimed")
    )
    return kaplan_meier(counts["seconds"].to_numpy(np.float64), timed, everybody - timed - untimed)


def _common_channels(followed: pd.DataFrame) -> list[str]:
    """Channels that every group uses which is large enough to judge; where fewer than two are, every group."""
    judged = followed[followed.sum(axis=1) >= SMALL_SAMPLE]
    deciding = judged if len(judged) > 1 else followed
    return [str(channel) for channel in followed.columns if (deciding[channel] > 0).all()]


def _weights(whole: pd.DataFrame, common: Sequence[str]) -> pd.Series:
    total = whole[list(common)].sum()
    return total / total.sum()


def _shares(name: str, part: pd.DataFrame, whole: pd.DataFrame, group: str, weights: pd.Series) -> dict[str, float]:
    """Share, standardised share, and their gaps to all customers, each with its interval.

    The gap to all is that to the others times their part of all: so the two sides are independent.
    """
    common = list(weights.index)
    everybody_n, everybody_k = whole.to_numpy(float).sum(), part.to_numpy(float).sum()
    n, k = _total(whole, group), _total(part, group)
    found = {f"overall_{name}_share": float(share(everybody_k, everybody_n))}
    low, high = wilson_interval(k, n)
    _put(found, f"{name}_share", (float(share(k, n)), float(low), float(high)))
    others = share(everybody_n - n, everybody_n)
    gap = combined_shares([float(others), -float(others)], [k, everybody_k - k], [n, everybody_n - n])
    _put(found, f"{name}_gap_share", gap if n else (float("nan"),) * 3)
    w = weights.to_numpy(float)
    every_n, every_k = (table[common].to_numpy(float).sum(axis=0) for table in (whole, part))
    found[f"same_{name}_share"] = float((w * share(every_k, every_n)).sum()) if common else float("nan")
    stratum_n, stratum_k = whole.loc[group, common].to_numpy(float), part.loc[group, common].to_numpy(float)
    rest_n, rest_k = every_n - stratum_n, every_k - stratum_k
    unknown = (float("nan"),) * 3
    is_complete = bool(common) and bool((stratum_n > 0).all())
    _put(found, f"standardised_{name}_share", combined_shares(w, stratum_k, stratum_n) if is_complete else unknown)
    apart = w * share(rest_n, rest_n + stratum_n)
    both = combined_shares(
        np.concatenate((apart, -apart)), np.concatenate((stratum_k, rest_k)), np.concatenate((stratum_n, rest_n))
    )
    _put(found, f"standardised_{name}_gap_share", both if is_complete else unknown)
    found[f"{name}_channel_part_share"] = (
        found[f"{name}_gap_share"] - found[f"standardised_{name}_gap_share"] if is_complete else float("nan")
    )
    return found


def _total(table: pd.DataFrame, group: str) -> float:
    return float(table.to_numpy(np.float64)[table.index.get_loc(group)].sum())


def _put(found: dict[str, float], name: str, values: tuple[float, float, float]) -> None:
    for end, value in zip(_INTERVAL, values, strict=True):
        found[f"{name}{end}"] = value


def _timing(name: str, curve: AnswerCurve | None) -> dict[str, float]:
    if curve is None:
        return {f"{name}{end}": float("nan") for end in _INTERVAL}
    low, high = curve.median_interval_seconds()
    return {name: curve.median_seconds() / 60, f"{name}_low": low / 60, f"{name}_high": high / 60}


def _with_unknown(part: pd.DataFrame, whole: pd.DataFrame, group: str) -> dict[str, float]:
    """What the customers of unknown age could make of the group's answered share."""
    if group == UNKNOWN:
        return {f"unknown_{name}_share": float("nan") for name in ("worst", "all", "best")}
    n, k = _total(whole, group), _total(part, group)
    is_there = UNKNOWN in whole.index
    more_n = _total(whole, UNKNOWN) if is_there else 0.0
    more_k = _total(part, UNKNOWN) if is_there else 0.0
    worst, best = bounds_with_unknown(k, n, more_k, more_n - more_k)
    return {
        "unknown_worst_share": float(worst),
        "unknown_all_share": float(share(k + more_k, n + more_n)),
        "unknown_best_share": float(best),
    }
