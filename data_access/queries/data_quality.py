"""Can this be trusted: loads, rejects, freshness, coverage."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import CompoundSelect, Engine, and_, exists, func, or_, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.estimates import share
from data_access.filters import Filter
from data_access.frames import fetch, typed
from data_access.identities import masked
from data_access.measures import MEASURES, is_answered, is_answered_untimed
from data_access.schema import (
    conversations,
    customer_identities,
    interactions,
    load_runs,
    source_status,
    stated_identities,
)
from data_access.schema import rejected_rows as rejected_rows_table
from data_access.vocabulary import UNKNOWN


def loads(engine: Engine) -> pd.DataFrame:
    """One row per loaded file, newest first."""
    kinds = {
        "load_run": "count",
        "finished_at": "at",
        "file": "text",
        "source": "text",
        "adapter": "text",
        "read_count": "count",
        "stored_count": "count",
        "unchanged_count": "count",
        "rejected_count": "count",
    }
    statement = select(*(load_runs.c[name] for name in kinds)).order_by(load_runs.c.load_run.desc())
    return typed(fetch(engine, statement), kinds)


def rejected_rows(engine: Engine, wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """One row per rejected record; those that still stand in their file first, then by newest load.

    `is_still_rejected`: the newest load of the file saw it, too. The raw text is shown only to viewers without limits.
    """
    r = rejected_rows_table.c
    raw = func.substr(r.raw, 1, 0 if wanted.is_limited else 2000)
    still = _is_still_rejected().label("is_still_rejected")
    statement = select(r.load_run, still, r.source, r.file, r.line, r.reason, raw.label("raw")).order_by(
        still.desc(), r.load_run.desc(), r.file, r.line, r.reject_id
    )
    if limit is not None:
        statement = statement.limit(limit)
    kinds = {
        "load_run": "count",
        "is_still_rejected": "flag",
        "source": "text",
        "file": "text",
        "line": "count",
        "reason": "text",
        "raw": "text",
    }
    return typed(fetch(engine, statement), kinds)


def _is_still_rejected() -> ColumnElement[bool]:
    """No later load of the file, or of the folder of files, that brought the record was without it."""
    seen, later = load_runs.alias("seen"), load_runs.alias("later")
    is_same = and_(later.c.source == seen.c.source, later.c.file == seen.c.file, later.c.load_run > seen.c.load_run)
    mended = exists().where(seen.c.load_run == rejected_rows_table.c.last_load_run, is_same)
    return ~mended.correlate(rejected_rows_table)


def rejected_counts(engine: Engine, wanted: Filter) -> tuple[int, int]:
    """How many rows `rejected_rows` has uncut, each record once; and how many of them are still rejected."""
    still = select(_is_still_rejected().label("is_still")).select_from(rejected_rows_table).subquery("still")
    statement = select(func.count().label("n"), func.count().filter(still.c.is_still).label("still"))
    row = fetch(engine, statement.select_from(still)).iloc[0]
    return int(row["n"]), int(row["still"])


def sources(engine: Engine) -> pd.DataFrame:
    """One row per source: up to when it is complete, and whether it can tell response times at all."""
    s, c = source_status.c, conversations.c
    counts = select(c.source, func.count().label("conversation_count")).group_by(c.source).subquery("counts")
    statement = (
        select(
            s.source,
            s.complete_to.label("complete_to_at"),
            s.is_complete_to_given,
            s.newest_event_at,
            s.has_response_times,
            func.coalesce(counts.c.conversation_count, 0).label("conversation_count"),
        )
        .select_from(source_status.outerjoin(counts, counts.c.source == s.source))
        .order_by(s.source)
    )
    kinds = {
        "source": "text",
        "conversation_count": "count",
        "newest_event_at": "at",
        "complete_to_at": "at",
        "is_complete_to_given": "flag",
        "has_response_times": "flag",
    }
    return typed(fetch(engine, statement), kinds)


def coverage(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per thing that may be missing: how many conversations have it, of how many.

    `age_known`, `sentiment_scored`, `topic_known`, `team_known`, `customer_identified` (by an identity that
    joins), `known_on_several_channels` and `response_recorded` are of the conversations with us;
    `addressed_to_us` of all; `answer_time_known` of the answered. Where a response is not recorded, nobody can
    say whether there was one.
    """
    c = conversations.c
    # Known on several channels: has talked on two, or an address, number or handle of a second kind joins.
    k = customer_identities.c
    by_identity = (
        select(k.customer_id)
        .where(~k.identity_kind.like("id:%"), k.reason.is_(None))
        .group_by(k.customer_id)
        .having(func.count(k.identity_kind.distinct()) > 1)
    )
    identified = select(k.customer_id).where(k.reason.is_(None))
    contacts = MEASURES["contacts"]
    answered = is_answered(conversations, wanted)
    statement = select(
        func.count().label("contact_count"),
        func.count().filter(c.age_group != UNKNOWN).label("age_known"),
        func.count().filter(c.sentiment_label.is_not(None)).label("sentiment_scored"),
        func.count().filter(c.topic != UNKNOWN).label("topic_known"),
        func.count().filter(c.team.is_not(None)).label("team_known"),
        func.count()
        .filter(or_(c.customer_id.in_(by_identity), c.customer_id.in_(_on_two_channels(wanted))))
        .label("known_on_several_channels"),
        func.count().filter(c.customer_id.in_(identified)).label("customer_identified"),
        func.count().filter(c.is_response_known.is_(True)).label("response_recorded"),
        func.count().filter(answered).label("answered"),
        func.count()
        .filter(and_(answered, ~func.coalesce(is_answered_untimed(conversations, wanted), False)))
        .label("answer_time_known"),
    ).where(*contacts.clauses(wanted))
    counted = fetch(engine, statement).iloc[0]
    everything = MEASURES["all_conversations"]
    total = fetch(
        engine,
        select(func.count().label("all"), func.count().filter(c.kind != "not_addressed").label("addressed")).where(
            *everything.clauses(wanted)
        ),
    ).iloc[0]
    rows = [("addressed_to_us", total["addressed"], total["all"])]
    rows += [
        (name, counted[name], counted["contact_count"])
        for name in (
            "age_known",
            "sentiment_scored",
            "topic_known",
            "team_known",
            "customer_identified",
            "known_on_several_channels",
            "response_recorded",
        )
    ]
    rows.append(("answer_time_known", counted["answer_time_known"], counted["answered"]))
    frame = pd.DataFrame(rows, columns=["item", "known_count", "conversation_count"])
    frame["known_share"] = share(frame["known_count"], frame["conversation_count"])
    return typed(
        frame, {"item": "text", "known_count": "count", "conversation_count": "count", "known_share": "share"}
    )


def _on_two_channels(wanted: Filter) -> CompoundSelect[Any]:
    """Customers with conversations on more than one channel by `as_of`; some are named more than once.

    Then one of these follows one on another channel, which is stored; but contacts in which the customer spoke and
    outreach without an answer each know only those of their own kind, so customers with both are looked at anew.
    """
    c = conversations.c
    is_begun = c.opened_at <= wanted.now
    changed = select(c.customer_id).where(is_begun, c.previous_channel != c.channel)
    unspoken = select(c.customer_id).where(is_begun, c.first_inbound_at.is_(None))
    several = (
        select(c.customer_id)
        .where(is_begun, c.customer_id.in_(unspoken))
        .group_by(c.customer_id)
        .having(func.min(c.channel) != func.max(c.channel))
    )
    return union_all(changed, several)


def response_recorded(engine: Engine, wanted: Filter) -> tuple[int, int]:
    """Conversations with us whose source can tell whether anybody answered, and all with us: as in `coverage`."""
    is_recorded = conversations.c.is_response_known.is_(True)
    statement = select(func.count().filter(is_recorded), func.count()).where(*MEASURES["contacts"].clauses(wanted))
    known, whole = fetch(engine, statement).iloc[0]
    return int(known), int(whole)


def tells_complaints(engine: Engine, wanted: Filter) -> bool:
    """Whether a complaint would be seen as one: a text was read, or marked, of a conversation that could be one.

    Without it no complaint is counted, however many there were. The response states of the filter play no part.
    """
    c, i = conversations.c, interactions.c
    statement = (
        select(c.conversation_id)
        .join(interactions, and_(i.customer_id == c.customer_id, i.conversation_id == c.conversation_id))
        .where(
            *MEASURES["contacts"].clauses(wanted.replace(states=())),
            c.is_response_known.is_(True),
            i.occurred_at <= wanted.now,
            i.is_complaint.is_not(None),
        )
    )
    with engine.connect() as connection:
        return dialects.has_rows(connection, statement)


def shared_identities(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per address, number, handle or id that joins nobody, those of most customers first; masked.

    `reason` is a key of `identities.REASONS`. `customer_count` and `conversation_count` are of those who showed
    it. A viewer with limits sees no part of it.
    """
    k, s = customer_identities.c, stated_identities.c
    customers_of = (
        select(k.identity_kind, k.identity_value, k.reason, func.count().label("customer_count"))
        .where(k.reason.is_not(None))
        .group_by(k.identity_kind, k.identity_value, k.reason)
        .subquery("customers_of")
    )
    conversations_of = (
        select(s.identity_kind, s.identity_value, func.count().label("conversation_count"))
        .where(s.is_listed.is_(False))
        .group_by(s.identity_kind, s.identity_value)
        .subquery("conversations_of")
    )
    x, y = customers_of.c, conversations_of.c
    same = and_(y.identity_kind == x.identity_kind, y.identity_value == x.identity_value)
    statement = (
        select(
            x.identity_kind,
            x.identity_value.label("identity"),
            x.reason,
            x.customer_count,
            func.coalesce(y.conversation_count, 0).label("conversation_count"),
        )
        .select_from(customers_of.outerjoin(conversations_of, same))
        .order_by(x.customer_count.desc(), x.identity_kind, x.identity_value)
    )
    frame = fetch(engine, statement)
    frame["identity"] = [
        "…" if wanted.is_limited else masked(kind, value)
        for kind, value in zip(frame["identity_kind"], frame["identity"], strict=True)
    ]
    kinds = {
        "identity_kind": "text",
        "identity": "text",
        "reason": "text",
        "customer_count": "count",
        "conversation_count": "count",
    }
    return typed(frame, kinds)


def unknown_time_effect(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """How far the setting for answers at an unknown time moves the figures: one row per reading."""
    from data_access.queries.ignored_complaints import ignored_complaints  # noqa: PLC0415
    from data_access.queries.response_times import response_times  # noqa: PLC0415

    rows = []
    for reading in ("answered", "unanswered"):
        seen = wanted.replace(unknown_time_counts_as=reading)
        times, ignored = response_times(engine, seen).iloc[0], ignored_complaints(engine, seen).iloc[0]
        rows.append(
            {
                "unknown_time_counts_as": reading,
                "conversation_count": times["conversation_count"],
                "answered_unknown_time_count": times["answered_unknown_time_count"],
                "answered_share": times["answered_share"],
                "in_target_share": times["in_target_share"],
                "ignored_share": ignored["ignored_share"],
            }
        )
    return pd.DataFrame(rows)
