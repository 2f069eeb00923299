"""Made to say it again: tellings that repeat an earlier one of the same customer, and the pairs side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, Select, and_, case, false, func, select

from data_access.estimates import percentile_of_counts, reciprocal, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import dimension_kinds, fetch, in_natural_order, row_query, typed
from data_access.measures import (
    MEASURES,
    is_restated,
    is_told_elsewhere,
    retold_likeness,
)
from data_access.queries.conversations import is_in_scope
from data_access.schema import conversations, interactions, waits

_KINDS = {
    "telling_count": "count",
    "compared_count": "count",
    "compared_share": "share",
    "restatement_count": "count",
    "restated_share": "share",
    "restated_share_low": "share",
    "restated_share_high": "share",
    "compared_customer_count": "count",
    "restated_customer_count": "count",
    "restated_customer_share": "share",
    "restated_customer_share_low": "share",
    "restated_customer_share_high": "share",
    "restated_issue_count": "count",
    "restatements_per_issue": "share",
    "restatements_per_issue_low": "share",
    "restatements_per_issue_high": "share",
    "between_tellings_minutes": "minutes",
    "median_issue_minutes": "minutes",
}


def _chosen(wanted: Filter, name: str) -> Any:
    """A column of the most alike earlier telling, on another channel or to another agent."""
    return case((is_told_elsewhere(wanted), waits.c[f"other_channel_{name}"]), else_=waits.c[f"other_agent_{name}"])


def restatements(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Tellings with an earlier one to compare, and those said again. One row per group, without `by` exactly one.

    `restated_issue_count` are the matters said again: chains of tellings each of which repeats an earlier one.
    `between_tellings_minutes` adds the time from the first to the last telling of each; every restatement owns
    the part since the telling before it in its chain, so that groups add up.
    """
    flags = {
        "customer_id": waits.c.customer_id,
        "is_compared": retold_likeness(wanted).is_not(None),
        "is_restated": is_restated(wanted),
    }
    rows = row_query(MEASURES["tellings"], wanted, by, flags).subquery("counted")
    r = rows.c
    compared, restated = r.is_compared.is_(True), r.is_restated.is_(True)
    statement = select(
        *(r[name] for name in by),
        func.count().label("telling_count"),
        func.count().filter(compared).label("compared_count"),
        func.count().filter(restated).label("restatement_count"),
        func.count(case((compared, r.customer_id)).distinct()).label("compared_customer_count"),
        func.count(case((restated, r.customer_id)).distinct()).label("restated_customer_count"),
    )
    frame = fetch(engine, statement.group_by(*(r[name] for name in by)) if by else statement)
    frame["compared_share"] = share(frame["compared_count"], frame["telling_count"])
    for what, part, whole in (
        ("restated_share", "restatement_count", "compared_count"),
        ("restated_customer_share", "restated_customer_count", "compared_customer_count"),
    ):
        frame[what] = share(frame[part], frame[whole])
        frame[f"{what}_low"], frame[f"{what}_high"] = wilson_interval(frame[part], frame[whole])
    issues = _issues(engine, wanted, by)
    issues = issues.astype({name: frame[name].dtype for name in by})  # of nothing the engine gives no types
    frame = frame.merge(issues, on=list(by), how="left") if by else frame.join(issues)
    # Every restatement begins a matter said again or goes on with one: the interval is that of the share that begin.
    begun = frame["restated_issue_count"].fillna(0)
    frame["restatements_per_issue"] = share(frame["restatement_count"], begun)
    low, high = wilson_interval(begun, frame["restatement_count"])
    frame["restatements_per_issue_low"], frame["restatements_per_issue_high"] = reciprocal(high), reciprocal(low)
    frame["between_tellings_minutes"] = frame["between_tellings_minutes"].fillna(0.0)
    kinds = {**dimension_kinds(by), **_KINDS}
    return in_natural_order(typed(frame, kinds), by, "telling_count")


def _issues(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    """Per group: matters said again, and the customers' time between their tellings."""
    chains = _chains(engine, wanted)
    names = ["restated_issue_count", "between_tellings_minutes", "median_issue_minutes"]
    links = fetch(
        engine,
        row_query(
            MEASURES["restatements"],
            wanted,
            by,
            {"conversation_id": waits.c.conversation_id, "wait_number": waits.c.wait_number},
        ),
    )
    links = links.merge(chains, on=["conversation_id", "wait_number"]).sort_values([*by, "issue", "wait_number"])
    if links.empty:
        found = [] if by else [(0, 0.0, float("nan"))]
        return pd.DataFrame(found, columns=names, index=range(len(found))).reindex(columns=[*by, *names])
    rows = []
    for key, part in links.groupby(list(by), sort=True) if by else [((), links)]:
        seconds = part.groupby("issue", sort=True)["seconds"].sum().to_numpy(np.float64)
        middle = percentile_of_counts(seconds, np.ones(len(seconds), dtype=np.int64), 0.5)
        rows.append((*key, len(seconds), float(seconds.sum()) / 60, middle / 60))
    return pd.DataFrame(rows, columns=[*by, *names])


def _chains(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Every restatement known at `as_of` with its issue and the seconds since the issue's telling before it.

    Whatever the filter: an issue whose first telling lies before the period is the same issue. One row per
    restatement of a customer who has one in the filter.
    """
    measure = MEASURES["restatements"]
    customers = select(waits.c.customer_id).where(*measure.clauses(wanted))
    columns = {
        "conversation_id": waits.c.conversation_id,
        "wait_number": waits.c.wait_number,
        "told_at": waits.c.started_at,
        "before_id": _chosen(wanted, "conversation_id"),
        "before_number": _chosen(wanted, "wait_number"),
        "before_at": _chosen(wanted, "told_at"),
    }
    statement = select(*(column.label(name) for name, column in columns.items())).where(
        waits.c.customer_id.in_(customers), *measure.where(wanted)
    )
    rows = fetch(engine, statement.order_by(waits.c.started_at, waits.c.conversation_id, waits.c.wait_number))
    issue_of: dict[tuple[str, int], str] = {}
    last_told: dict[str, dt.datetime] = {}
    issues, seconds = [], []
    for row in rows.to_dict("records"):
        before = (str(row["before_id"]), int(row["before_number"]))
        issue = issue_of.setdefault(before, f"{before[0]} {before[1]}")
        issue_of[str(row["conversation_id"]), int(row["wait_number"])] = issue
        since = max(last_told.get(issue, row["before_at"]), row["before_at"])
        seconds.append(max((row["told_at"] - since).total_seconds(), 0.0))
        last_told[issue] = max(row["told_at"], since)
        issues.append(issue)
    rows["issue"], rows["seconds"] = pd.Series(issues, dtype="str"), pd.Series(seconds, dtype="float64")
    return rows[["conversation_id", "wait_number", "issue", "seconds"]]


# --- the pairs, side by side --------------------------------------------------------------------------

_PAIR_KINDS = {
    "told_before_at": "at",
    "told_before_on": "text",
    "text_before": "text",
    "told_again_at": "at",
    "channel": "text",
    "text_again": "text",
    "between_minutes": "minutes",
    "likeness": "share",
    "to_another": "text",
    "team": "text",
    "brand": "text",
    "topic": "text",
    "age_group": "text",
    "is_before_readable": "flag",
    "customer_id": "text",
    "conversation_id": "text",
    "wait_number": "count",
    "before_conversation_id": "text",
}


def told_again(engine: Engine, wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """The restatements with both texts, newest first. One row per restatement: the rows of the measure.

    Texts of conversations outside the viewer's scope are empty.
    """
    w = waits
    before = conversations.alias("before")
    is_elsewhere = is_told_elsewhere(wanted)
    pairs = (
        select(
            w.c.customer_id,
            w.c.conversation_id,
            w.c.wait_number,
            w.c.started_at,
            w.c.told_at,
            w.c.channel,
            w.c.team,
            w.c.brand,
            w.c.topic,
            w.c.age_group,
            retold_likeness(wanted).label("likeness"),
            case((is_elsewhere, "channel"), else_="agent").label("to_another"),
            case((is_elsewhere, w.c.other_channel), else_=w.c.channel).label("told_before_on"),
            _chosen(wanted, "conversation_id").label("before_id"),
            _chosen(wanted, "wait_number").label("before_number"),
            _chosen(wanted, "told_at").label("before_at"),
        )
        .where(*MEASURES["restatements"].clauses(wanted))
        .order_by(w.c.started_at.desc(), w.c.conversation_id, w.c.wait_number)
    )
    p = (pairs.limit(limit) if limit is not None else pairs).subquery("pairs")
    readable = (
        select(
            *p.c,
            func.coalesce(is_in_scope(wanted, conversations), false()).label("is_readable"),
            func.coalesce(is_in_scope(wanted, before), false()).label("is_before_readable"),
        )
        .select_from(p)
        .join(
            conversations,
            and_(
                conversations.c.customer_id == p.c.customer_id, conversations.c.conversation_id == p.c.conversation_id
            ),
        )
        .join(before, and_(before.c.customer_id == p.c.customer_id, before.c.conversation_id == p.c.before_id))
    )
    rows = fetch(engine, readable)
    rows["text_again"] = _texts(engine, p, p.c.conversation_id, p.c.started_at, p.c.told_at, rows)
    earlier = waits.alias("earlier")
    joined = p.join(
        earlier,
        and_(
            earlier.c.customer_id == p.c.customer_id,
            earlier.c.conversation_id == p.c.before_id,
            earlier.c.wait_number == p.c.before_number,
        ),
    )
    rows["text_before"] = _texts(engine, joined, p.c.before_id, earlier.c.started_at, p.c.before_at, rows, base=p)
    rows.loc[~rows["is_readable"].astype(bool), "text_again"] = None
    rows.loc[~rows["is_before_readable"].astype(bool), "text_before"] = None
    rows["between_minutes"] = (rows["started_at"] - rows["before_at"]).dt.total_seconds() / 60 if len(rows) else None
    rows = rows.rename(
        columns={"started_at": "told_again_at", "before_at": "told_before_at", "before_id": "before_conversation_id"}
    )
    rows = rows.sort_values(["told_again_at", "conversation_id", "wait_number"], ascending=[False, True, True])
    return typed(rows.reset_index(drop=True), _PAIR_KINDS)


def _texts(
    engine: Engine, source: Any, conversation: Any, start: Any, end: Any, rows: pd.DataFrame, base: Any = None
) -> pd.Series[Any]:
    """The customer's messages of each telling, one below the other; by the rows' conversation and wait."""
    p = (source if base is None else base).c
    i = interactions.c
    statement: Select[Any] = (
        select(p.conversation_id, p.wait_number, i.text)
        .select_from(source)
        .join(
            interactions,
            and_(
                i.customer_id == p.customer_id,
                i.conversation_id == conversation,
                i.direction == "inbound",
                i.author_kind == "customer",
                i.is_visible.is_(True),
                i.occurred_at >= start,
                i.occurred_at <= end,
            ),
        )
        .order_by(p.conversation_id, p.wait_number, i.occurred_at, i.interaction_id)
    )
    found: dict[tuple[str, int], list[str]] = {}
    for row in fetch(engine, statement).to_dict("records"):
        found.setdefault((row["conversation_id"], row["wait_number"]), []).append(row["text"] or "")
    keys = zip(rows["conversation_id"], rows["wait_number"], strict=True)
    return pd.Series(["\n".join(found.get(key, [])) for key in keys], index=rows.index, dtype="object")
