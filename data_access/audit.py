"""Checks of the store and of the numbers: each finding names what does not agree with what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, Select, Table, and_, exists, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.filters import Filter
from data_access.measures import Selection
from data_access.queries.age_fairness import age_fairness
from data_access.queries.back_door import back_door, back_door_flow, back_door_range, front_doors
from data_access.queries.backlog import backlog
from data_access.queries.channel_mix import channel_mix
from data_access.queries.conversations import count_listed, count_rows
from data_access.queries.data_quality import rejected_counts, rejected_rows
from data_access.queries.heard_or_not import heard_or_not
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.repeat_contacts import COUNTED, Topic, repeat_contacts
from data_access.queries.response_times import answer_curve, reply_times, response_times
from data_access.queries.sentiment import sentiment
from data_access.schema import (
    conversations,
    customer_identities,
    event_keys,
    interactions,
    load_runs,
    metadata,
    reported_facts,
    source_status,
    stated_identities,
    waits,
)
from data_access.vocabulary import CHANNELS, CONVERSATION_KINDS, RESPONSE_STATES

_PARTS = ("channel", "team", "age_group", "period", "agent")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One check: what was compared, and what it found."""

    check: str
    is_ok: bool
    detail: str


def check_store(engine: Engine) -> Iterator[Finding]:
    """Keys are unique, rows belong together, loads add up."""
    with engine.connect() as connection:

        def count(statement: object) -> int:
            return int(connection.scalar(statement) or 0)  # type: ignore[call-overload]

        for table in metadata.sorted_tables:
            keys = list(table.primary_key.columns)
            twice = select(*keys).group_by(*keys).having(func.count() > 1).subquery()
            yield _is_zero(f"{table.name}: keys are unique", count(select(func.count()).select_from(twice)))
        for child, parent in (
            (interactions, conversations),
            (waits, conversations),
            (reported_facts, conversations),
        ):
            orphans = select(func.count()).select_from(child).where(~_same_conversation(child, parent))
            if child is interactions:
                orphans = orphans.where(interactions.c.is_visible.is_(True))
            yield _is_zero(f"{child.name}: every row has its conversation", count(orphans))
        keyless = (
            select(func.count())
            .select_from(interactions)
            .where(
                ~exists().where(
                    event_keys.c.interaction_id == interactions.c.interaction_id,
                    event_keys.c.customer_id == interactions.c.customer_id,
                )
            )
        )
        yield _is_zero("event_keys: every interaction is known under its customer", count(keyless))
        lost = (
            select(func.count())
            .select_from(event_keys)
            .where(~exists().where(interactions.c.interaction_id == event_keys.c.interaction_id))
        )
        yield _is_zero("event_keys: every known event is there", count(lost))
        for check, wrong in (*_derived_wrong().items(), *_people_wrong().items()):
            yield _is_zero(check, count(wrong))
        backwards = select(func.count()).select_from(waits).where(waits.c.response_at < waits.c.started_at)
        yield _is_zero("waits: no response before its question", count(backwards))
        unsummed = (
            select(func.count())
            .select_from(load_runs)
            .where(
                load_runs.c.read_count
                != load_runs.c.stored_count + load_runs.c.unchanged_count + load_runs.c.rejected_count
            )
        )
        yield _is_zero("load_runs: read = stored + unchanged + rejected", count(unsummed))


def _people_wrong() -> dict[str, Select[Any]]:
    """Identities that join and yet have two customers; evidence under another customer than its conversation."""
    k, s, i = customer_identities.c, stated_identities.c, interactions.c
    owners = select(func.count()).where(k.reason.is_(None)).group_by(k.identity_kind, k.identity_value)
    astray = ~exists().where(i.conversation_id == s.statement_id, i.customer_id == s.customer_id)
    return {
        "customer_identities: what joins has one customer": select(func.count()).select_from(
            owners.having(func.count() > 1).subquery()
        ),
        "stated_identities: what a conversation states stands under its customer": select(func.count())
        .select_from(stated_identities)
        .where(s.is_listed.is_(False), astray),
    }


def _derived_wrong() -> dict[str, Select[Any]]:
    """Rows of the derived tables that contradict the rows they were derived from, or one another."""
    c, w, i = conversations.c, waits.c, interactions.c
    same = and_(w.customer_id == c.customer_id, w.conversation_id == c.conversation_id)
    joined = select(func.count()).select_from(conversations.join(waits, same))
    wait_count = select(func.count()).select_from(waits).where(same).correlate(conversations).scalar_subquery()
    inbound_count = (
        select(func.count())
        .where(
            i.customer_id == c.customer_id,
            i.conversation_id == c.conversation_id,
            i.is_visible.is_(True),
            i.direction == "inbound",
        )
        .correlate(conversations)
        .scalar_subquery()
    )
    answered_after = dialects.seconds_between(w.started_at, w.response_at)
    shared = ("source", "channel", "brand", "kind", "age_group", "topic")
    is_written, is_reported = (
        exists().where(of.customer_id == w.customer_id, of.conversation_id == w.conversation_id, at == w.response_at)
        for of, at in ((i, i.occurred_at), (reported_facts.c, reported_facts.c.first_response_at))
    )
    sources = select(i.source).distinct().subquery("sources")
    return {
        "waits: every response is an outbound interaction or a reported one": select(func.count())
        .select_from(waits)
        .where(w.response_at.is_not(None), ~is_written.where(i.direction == "outbound"), ~is_reported),
        "source_status: every source of the interactions says how far it is complete": select(func.count())
        .select_from(sources)
        .where(~exists().where(source_status.c.source == sources.c.source)),
        "conversations: kinds and channels are known ones": select(func.count())
        .select_from(conversations)
        .where(or_(c.kind.not_in(CONVERSATION_KINDS), c.channel.not_in(CHANNELS))),
        "conversations: as many waits as there are": select(func.count())
        .select_from(conversations)
        .where(c.wait_count != wait_count),
        "conversations: as many inbound interactions as there are": select(func.count())
        .select_from(conversations)
        .where(c.inbound_count != inbound_count),
        "conversations: the first response is that of the first wait": joined.where(
            w.wait_number == 1, c.first_response_at.is_distinct_from(w.response_at)
        ),
        "waits: channel, brand, kind, age and topic are those of the conversation": joined.where(
            or_(*(w[name].is_distinct_from(c[name]) for name in shared))
        ),
        "waits: seconds are those from start to response": select(func.count())
        .select_from(waits)
        .where(w.response_seconds.is_distinct_from(answered_after)),
    }


def _same_conversation(child: Table, parent: Table) -> ColumnElement[bool]:
    return exists().where(
        and_(parent.c.customer_id == child.c.customer_id, parent.c.conversation_id == child.c.conversation_id)
    )


def check_numbers(engine: Engine, wanted: Filter) -> Iterator[Finding]:
    """For this filter: card = chart = table = drill-down = CSV, states partition, parts add up."""
    times, replies = response_times(engine, wanted).iloc[0], reply_times(engine, wanted).iloc[0]
    ignored, tone = ignored_complaints(engine, wanted).iloc[0], sentiment(engine, wanted).iloc[0]
    mix, waiting = channel_mix(engine, wanted), backlog(engine, wanted).iloc[0]
    drill = {
        "first_responses": times["conversation_count"],
        "answered": times["answered_count"],
        "unanswered": times["unanswered_count"],
        "answered_unknown_time": times["answered_unknown_time_count"],
        "target_due": times["target_due_count"],
        "in_target": times["in_target_count"],
        "closed_without_reply": times["closed_without_reply_count"],
        "waits": replies["wait_count"],
        "waits_answered": replies["answered_count"],
        "waits_unanswered": replies["unanswered_count"],
        "waits_in_target": replies["in_target_count"],
        "no_reply_needed": replies["no_reply_needed_count"],
        "complaints": ignored["complaint_count"],
        **{f"complaints_{state}": ignored[f"{state}_count"] for state in RESPONSE_STATES},
        "complaints_due": ignored["due_count"],
        "complaints_ignored_in_time": ignored["ignored_in_time_count"],
        "scored": tone["scored_count"],
        "not_scored": tone["not_scored_count"],
        "negative": tone["negative_count"],
        "contacts": mix["conversation_count"].sum(),
        "open_waits": waiting["open_count"],
        **_joined_up(engine, wanted),
    }
    for measure, shown in drill.items():
        counted = count_rows(engine, Selection(wanted, measure))
        yield _equal(f"{measure}: figure = drill-down", int(shown), counted)
        listed = count_listed(engine, Selection(wanted, measure))
        yield _equal(f"{measure}: drill-down = CSV rows", counted, listed)
    yield _equal(
        "rejected rows: figure = table", rejected_counts(engine, wanted)[0], len(rejected_rows(engine, wanted))
    )
    for channels, heard in (
        ("heard by channel", heard_or_not(engine, wanted)),
        ("heard by age and channel", heard_or_not(engine, wanted, ("age_group",))),
        ("heard by brand and channel", heard_or_not(engine, wanted, ("brand",))),
    ):
        for column in ("conversation_count", "answered_count"):
            yield _equal(f"{channels}: {column} adds up", int(times[column]), int(heard[column].sum()))
    ages = age_fairness(engine, wanted)
    for column, measure in (
        ("conversation_count", "first_responses"),
        ("answered_count", "answered"),
        ("in_hour_due_count", "hour_due"),
        ("in_hour_count", "in_hour"),
    ):
        counted = count_rows(engine, Selection(wanted, measure))
        yield _equal(f"{column} by age = drill-down", int(ages[column].sum()), counted)
    states = sum(int(ignored[f"{state}_count"]) for state in RESPONSE_STATES)
    yield _equal("response states partition the complaints", int(ignored["complaint_count"]), states)
    for name in _PARTS:
        parts = {
            "conversations": (
                response_times(engine, wanted, (name,))["conversation_count"].sum(),
                times["conversation_count"],
            ),
            "waits": (reply_times(engine, wanted, (name,))["wait_count"].sum(), replies["wait_count"]),
            "complaints": (
                ignored_complaints(engine, wanted, (name,))["complaint_count"].sum(),
                ignored["complaint_count"],
            ),
            "ignored": (
                ignored_complaints(engine, wanted, (name,))["ignored_count"].sum(),
                ignored["ignored_count"],
            ),
        }
        for what, (total, whole) in parts.items():
            yield _equal(f"{what} by {name} add up", int(whole), int(total))
    yield from _back_door_parts(engine, wanted)
    curve = answer_curve(engine, wanted)
    at_risk = int(curve["at_risk_count"].iloc[0]) if len(curve) else 0
    known = int(times["conversation_count"] - times["answered_unknown_time_count"])
    if len(curve):
        yield Finding(
            "the answer curve starts with everyone whose answer time can be known",
            at_risk <= known,
            f"{at_risk} at risk, {known} known",
        )


def _joined_up(engine: Engine, wanted: Filter) -> dict[str, int]:
    """What back door and repeat contacts show, by the measure that opens its rows."""
    public, doors = back_door(engine, wanted).iloc[0], front_doors(engine, wanted, ()).iloc[0]
    found = {
        "public_complaints": public["public_complaint_count"],
        "public_complaints_known": public["known_private_count"],
        "back_door": public["back_door_count"],
        "failed_contacts": doors["failed_contact_count"],
        "came_out": doors["came_out_count"],
    }
    topics: tuple[tuple[Topic, str], ...] = (("fitting", ""), ("any", "_any_topic"))
    for topic, suffix in topics:
        again = repeat_contacts(engine, wanted, topic=topic).iloc[0]
        found |= {"recognisable": again["recognisable_count"]}
        found |= {f"{measure}{suffix}": again[name] for name, measure in COUNTED.items()}
    return {measure: int(shown) for measure, shown in found.items()}


def _back_door_parts(engine: Engine, wanted: Filter) -> Iterator[Finding]:
    """The arrows add up to the card, each opens its rows, and the range of N holds the card's figure."""
    whole = int(back_door(engine, wanted).iloc[0]["back_door_count"])
    flow = back_door_flow(engine, wanted)
    yield _equal("arrows of the back door add up", whole, int(flow["back_door_count"].sum()))
    for row in flow.to_dict("records"):
        cell = (("front_channel", row["front_channel"]), ("channel", row["channel"]))
        counted = count_rows(engine, Selection(wanted, "back_door", cell))
        yield _equal(f"arrow {row['front_channel']} to {row['channel']} = its rows", row["back_door_count"], counted)
    for row in back_door_range(engine, wanted).to_dict("records"):
        days = (("within_days", str(row["within_days"])),)
        counted = count_rows(engine, Selection(wanted, "back_door", days))
        yield _equal(f"back door within {row['within_days']} days = its rows", row["back_door_count"], counted)


def _is_zero(check: str, found: int) -> Finding:
    return Finding(check, found == 0, f"{found} rows do not")


def _equal(check: str, one: int, other: int) -> Finding:
    return Finding(check, one == other, f"{one} and {other}")
