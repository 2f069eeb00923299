"""Teams and agents without league tables: what chance and mix explain, who jumps the queue, what is orphaned."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sqlalchemy import Engine, and_, case, func, or_, select

from data_access.estimates import Z95, share, wilson_interval
from data_access.filters import Filter, known_or_unknown
from data_access.frames import fetch, in_natural_order, row_query, typed
from data_access.measures import MEASURES, is_answered_timed, is_in_target, is_target_due, waited_seconds
from data_access.schema import conversations, interactions, waits
from data_access.vocabulary import NOBODY

_Z998 = 3.090232306167813
GONE_AFTER_DAYS = 14


def funnel(engine: Engine, wanted: Filter, by: Sequence[str] = ("team",)) -> pd.DataFrame:
    """In-target share of waits per group against what its channel mix lets expect. One row per group.

    `expected_share`: the share the group would have if it did on each channel as everybody does (indirect
    standardisation); `adjusted_share` is the overall share times observed over expected. `limit_*` are the
    95 % and 99.8 % funnel limits round the overall share at the group's size; `verdict` is `above`, `below`
    or `as expected` by the 99.8 % limits. `comparable_count` of the waits came on channels that another group
    answers, too: without any, the group's share is what is expected of it. Unanswered waits are in it: of
    teams as missed, of agents under "nobody", who is compared with nobody: what is usual, and the overall share, are
    then those of the answered. Source: D. J. Spiegelhalter, Statistics in Medicine 24 (2005)
    1185-1202.
    """
    (name,) = by or ("team",)
    measure = MEASURES["waits"]
    flags = {"is_due": is_target_due(waits, wanted), "is_in_target": is_in_target(waits, wanted)}
    rows = row_query(measure, wanted, tuple(dict.fromkeys((name, "channel"))), flags).subquery("counted")
    r = rows.c
    counts = fetch(
        engine,
        select(
            r[name].label("grp"),
            r.channel.label("channel_name"),
            func.count().filter(r.is_due).label("n"),
            func.count().filter(r.is_in_target).label("k"),
        ).group_by(r[name], r.channel),
    )
    counts = counts[counts["n"] > 0].sort_values(["grp", "channel_name"]).reset_index(drop=True)
    known = counts[counts["grp"] != NOBODY]
    overall = known.groupby("channel_name")[["n", "k"]].sum()
    usual = (overall["k"] / overall["n"]).to_dict()
    counts["expected"] = counts["n"] * counts["channel_name"].map(usual)
    is_shared = counts["channel_name"].map(known["channel_name"].value_counts()) > 1
    counts["comparable_count"] = counts["n"].where(is_shared & (counts["grp"] != NOBODY), 0)
    frame = counts.groupby("grp", as_index=False)[["n", "k", "expected", "comparable_count"]].sum()
    centre = float(known["k"].sum() / known["n"].sum()) if len(known) else float("nan")
    frame = frame.rename(columns={"grp": name, "n": "target_due_count", "k": "in_target_count"})
    n = frame["target_due_count"].to_numpy(np.float64)
    frame["in_target_share"] = share(frame["in_target_count"], n)
    frame["in_target_share_low"], frame["in_target_share_high"] = wilson_interval(frame["in_target_count"], n)
    frame["expected_share"] = share(frame["expected"], n)
    frame["adjusted_share"] = np.clip(centre * share(frame["in_target_count"], frame["expected"]), 0, 1)
    spread = np.sqrt(centre * (1 - centre) / n) if len(frame) else n
    for label, z in (("95", Z95), ("998", _Z998)):
        frame[f"limit_low_{label}"] = np.clip(centre - z * spread, 0, 1)
        frame[f"limit_high_{label}"] = np.clip(centre + z * spread, 0, 1)
    frame["overall_share"] = centre
    outside = np.where(
        frame["adjusted_share"] < frame["limit_low_998"],
        "below",
        np.where(frame["adjusted_share"] > frame["limit_high_998"], "above", "as expected"),
    )
    frame["verdict"] = outside
    compared = ["expected_share", "adjusted_share", *(name for name in frame if str(name).startswith("limit_"))]
    frame.loc[frame[name] == NOBODY, [*compared, "verdict"]] = None
    kinds = {name: "text", "target_due_count": "count", "comparable_count": "count", "in_target_count": "count"}
    kinds |= dict.fromkeys(
        (
            "in_target_share",
            "in_target_share_low",
            "in_target_share_high",
            "expected_share",
            "adjusted_share",
            "overall_share",
            "limit_low_95",
            "limit_high_95",
            "limit_low_998",
            "limit_high_998",
        ),
        "share",
    )
    kinds["verdict"] = "text"
    return in_natural_order(typed(frame, kinds), (name,), "target_due_count")


def cherry_picking(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Newer waits without a complaint that were answered while an older complaint still waited, per team and channel.

    Only an older complaint of the same team and channel counts that was not yet ignored by then: an answer
    jumps a queue, not a graveyard. One row per team and channel; `overtaking_share` of the answered waits
    without a complaint, with Wilson interval.
    """
    measure = MEASURES["waits"]
    w = waits.c
    answered = is_answered_timed(waits, wanted)
    queue_end = case((answered, func.least(w.response_at, w.ignored_due_at)), else_=w.ignored_due_at)
    rows = (
        select(
            known_or_unknown(w.team).label("team"),
            w.channel,
            w.response_at,
            and_(answered, w.first_complaint_at.is_(None)).label("is_easy"),
            func.max(case((w.first_complaint_at.is_not(None), queue_end)))
            .over(
                partition_by=(known_or_unknown(w.team), w.channel),
                order_by=(w.started_at, w.conversation_id, w.wait_number),
                rows=(None, -1),
            )
            .label("older_waits_until"),
        )
        .where(*measure.clauses(wanted))
        .subquery("queue")
    )
    q = rows.c
    frame = fetch(
        engine,
        select(
            q.team,
            q.channel,
            func.count().filter(q.is_easy).label("easy_answered_count"),
            func.count().filter(and_(q.is_easy, q.older_waits_until > q.response_at)).label("overtaking_count"),
        ).group_by(q.team, q.channel),
    )
    frame = frame[frame["easy_answered_count"] > 0].reset_index(drop=True)
    frame["overtaking_share"] = share(frame["overtaking_count"], frame["easy_answered_count"])
    frame["overtaking_share_low"], frame["overtaking_share_high"] = wilson_interval(
        frame["overtaking_count"], frame["easy_answered_count"]
    )
    kinds = {
        "team": "text",
        "channel": "text",
        "easy_answered_count": "count",
        "overtaking_count": "count",
        "overtaking_share": "share",
        "overtaking_share_low": "share",
        "overtaking_share_high": "share",
    }
    return in_natural_order(typed(frame, kinds), ("team", "channel"), "easy_answered_count")


def orphans(engine: Engine, wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """Customers waiting in conversations whose last agent left or changed team. One row per open wait, oldest first.

    Left: no trace of the agent in the 14 days before `as_of`. Changed: the agent's newest interaction by
    then was for another team than the wait's.
    """
    i, c, w = interactions.c, conversations.c, waits.c
    ranked = (
        select(
            i.agent,
            i.source,
            i.team,
            i.occurred_at,
            func.row_number()
            .over(partition_by=(i.agent, i.source), order_by=(i.occurred_at.desc(), i.interaction_id))
            .label("place"),
        )
        .where(i.agent.is_not(None), i.occurred_at <= wanted.now, i.author_kind == "agent")
        .subquery("ranked")
    )
    newest = select(ranked).where(ranked.c.place == 1).subquery("newest")
    n = newest.c
    has_left = n.occurred_at < wanted.now - dt.timedelta(days=GONE_AFTER_DAYS)
    has_moved = and_(n.team.is_not(None), w.team.is_not(None), n.team != w.team)
    columns = {
        "conversation_id": (w.conversation_id, "text"),
        "customer_id": (w.customer_id, "text"),
        "channel": (w.channel, "text"),
        "team": (w.team, "text"),
        "last_agent": (c.last_agent, "text"),
        "agent_team": (n.team, "text"),
        "agent_last_seen_at": (n.occurred_at, "at"),
        "reason": (case((has_left, "agent left"), else_="agent changed team"), "text"),
        "started_at": (w.started_at, "at"),
        "waited_minutes": (waited_seconds(waits, wanted) / 60.0, "minutes"),
    }
    statement = (
        select(*(expression.label(name) for name, (expression, _) in columns.items()))
        .select_from(waits)
        .join(conversations, and_(c.customer_id == w.customer_id, c.conversation_id == w.conversation_id))
        .join(newest, and_(n.agent == c.last_agent, n.source == w.source))
        .where(*MEASURES["open_waits"].clauses(wanted), c.last_event_at <= wanted.now, or_(has_left, has_moved))
        .order_by(w.started_at, w.conversation_id)
    )
    if limit is not None:
        statement = statement.limit(limit)
    return typed(fetch(engine, statement), {name: kind for name, (_, kind) in columns.items()})


def standardised(engine: Engine, wanted: Filter, by: Sequence[str] = ("age_group",)) -> pd.DataFrame:
    """Share answered within target per group, raw and standardised to one channel mix. One row per group.

    Direct standardisation to the channel mix of everybody; channels that are empty in one group are dropped
    for all, and `covered_share` says how much of the conversations remains. `same_share` is that of everybody on
    these channels. `channel_part` is how much of the group's gap to everybody the channel mix explains.
    """
    (name,) = by or ("age_group",)
    flags = {"is_due": is_target_due(conversations, wanted), "is_in_target": is_in_target(conversations, wanted)}
    rows = row_query(MEASURES["first_responses"], wanted, (name, "channel"), flags).subquery("counted")
    r = rows.c
    counts = fetch(
        engine,
        select(
            r[name].label("grp"),
            r.channel.label("channel_name"),
            func.count().filter(r.is_due).label("n"),
            func.count().filter(r.is_in_target).label("k"),
        ).group_by(r[name], r.channel),
    )
    counts = counts[counts["n"] > 0].sort_values(["grp", "channel_name"]).reset_index(drop=True)
    kinds = {
        name: "text",
        "target_due_count": "count",
        "in_target_count": "count",
        "in_target_share": "share",
        "in_target_share_low": "share",
        "in_target_share_high": "share",
        "standardised_share": "share",
        "standardised_share_low": "share",
        "standardised_share_high": "share",
        "overall_share": "share",
        "same_share": "share",
        "channel_part": "share",
        "covered_share": "share",
    }
    if counts.empty:
        return typed(pd.DataFrame(columns=list(kinds)), kinds)
    n = counts.pivot_table(index="grp", columns="channel_name", values="n", aggfunc="sum").fillna(0)
    k = counts.pivot_table(index="grp", columns="channel_name", values="k", aggfunc="sum").fillna(0)
    common = [channel for channel in n.columns if (n[channel] > 0).all()]
    weights = n[common].sum() / n[common].sum().sum() if common else pd.Series(dtype="float64")
    covered = float(n[common].sum().sum() / n.sum().sum())
    overall = float(k.sum().sum() / n.sum().sum())
    same = float(k[common].sum().sum() / n[common].sum().sum()) if common else float("nan")
    found = []
    for group in n.index:
        whole, part = int(n.loc[group].sum()), int(k.loc[group].sum())
        low, high = wilson_interval(part, whole)
        adjusted, half = float("nan"), float("nan")
        if common:
            shares = k.loc[group, common] / n.loc[group, common]
            adjusted = float((weights * shares).sum())
            half = Z95 * math.sqrt(float((weights**2 * shares * (1 - shares) / n.loc[group, common]).sum()))
        raw = part / whole
        found.append(
            {
                name: group,
                "target_due_count": whole,
                "in_target_count": part,
                "in_target_share": raw,
                "in_target_share_low": float(low),
                "in_target_share_high": float(high),
                "standardised_share": adjusted,
                "standardised_share_low": max(0.0, adjusted - half),
                "standardised_share_high": min(1.0, adjusted + half),
                "overall_share": overall,
                "same_share": same,
                "channel_part": raw - adjusted,
                "covered_share": covered,
            }
        )
    return in_natural_order(typed(pd.DataFrame(found), kinds), (name,), "target_due_count")
