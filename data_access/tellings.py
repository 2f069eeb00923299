"""Find, for each telling, the most alike earlier telling of the same customer: made to say it again.

A *telling* is what the customer wrote or said in the first hour of a wait. It is set against the customer's
tellings of the 30 days before: the most alike on another channel, and the most alike on the same channel that
another agent had answered. Only the likeness is stored, never a verdict: the threshold is a setting.

The engine finds which are set against which; only the texts of those pairs are read here.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    FromClause,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    collate,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.schema import customers, waits
from data_access.text.retelling import Telling, likeness, telling_of

WINDOW = dt.timedelta(days=30)
TELLING_SECONDS = 3600
MOST_EARLIER = 20
"""With more tellings than this in the window (a shared account) only the newest are compared."""
MOST_IN_QUARTER = 1_000
"""Who tells more than this in a quarter is no person, but an id that stands for many: none of it is compared."""

RESULT_COLUMNS = tuple(c.name for c in waits.columns if c.name == "told_at" or c.name.startswith("other_"))
_CUSTOMERS_AT_ONCE = 20_000
_OTHERS = ("channel", "agent")

_work = MetaData()
found = Table(
    "derive_tellings",
    _work,
    Column("number", BigInteger),
    *(Column(name, waits.c[name].type) for name in RESULT_COLUMNS),
    prefixes=["TEMPORARY"],
)
_told = Table(
    "derive_told",
    _work,
    Column("number", BigInteger),
    Column("customer_id", Text),
    Column("conversation_id", Text),
    Column("wait_number", Integer),
    Column("channel", Text),
    Column("brand", Text),
    Column("started_at", DateTime),
    Column("told_at", DateTime),
    Column("response_at", DateTime),
    Column("agent", Text),
    Column("has_text", Boolean),
    prefixes=["TEMPORARY"],
)
_pairs = Table(
    "derive_told_pairs",
    _work,
    Column("number", BigInteger),
    Column("earlier", BigInteger),
    Column("other", Text),
    Column("with_texts", Boolean),
    prefixes=["TEMPORARY"],
)
_alike = Table(
    "derive_alike",
    _work,
    Column("number", BigInteger),
    Column("earlier", BigInteger),
    Column("likeness", Double),
    Column("rounded", Double),
    prefixes=["TEMPORARY"],
)


def fill(
    connection: Connection, *, waits: Table, events: Table, stored: FromClause, brand_words: Sequence[str]
) -> None:
    """Fill `found`: one row per telling of `waits` that has an earlier one to be set against, by number of the wait.

    `waits` and `events` are those of derive, for the customers that it derives, `stored` the interactions that hold
    their texts. The caller makes and drops `found`.
    """
    tables = (_told, _pairs, _alike)
    for table in tables:
        dialects.create_temporary(connection, table)
    dialects.insert_rows(connection, _told, _tellings(waits, events))
    if dialects.has_rows(connection, select(_told.c.number)):
        dialects.insert_rows(connection, _pairs, _set_against())
        if dialects.has_rows(connection, select(_pairs.c.number)):
            _compare_texts(connection, events, stored, [word.lower() for word in brand_words])
            dialects.insert_rows(connection, found, _most_alike())
    for table in tables:
        table.drop(connection)


def _tellings(waits: Table, events: Table) -> Select[Any]:
    """The tellings whose customer told something else within the window."""
    w, e = waits.c, events.c
    in_time: dict[str, Any] = {"partition_by": w.customer_id, "order_by": w.started_at}
    near = (
        select(
            w.number, w.customer_id, w.conversation_id, w.wait_number, w.channel, w.brand, w.started_at,
            w.response_at, w.responder_agent,
            func.lag(w.started_at).over(**in_time).label("before_at"),
            func.lead(w.started_at).over(**in_time).label("after_at"),
            func.count().over(partition_by=(w.customer_id, _quarter(w.started_at))).label("in_quarter"),
        )
        .where(w.kind.in_(("customer_opened", "fragment")), w.needs_reply_at.is_not(None))
        .subquery("near")
    )  # fmt: skip
    n = near.c
    reach = literal(int(WINDOW.total_seconds()) + TELLING_SECONDS)
    has_other = or_(
        n.started_at <= dialects.add_seconds(n.before_at, reach),
        n.after_at <= dialects.add_seconds(n.started_at, reach),
    )
    names = ("customer_id", "conversation_id", "wait_number", "channel", "brand", "started_at", "response_at")
    return (
        select(
            n.number,
            *(func.max(n[name]).label(name) for name in names),
            func.max(n.responder_agent).label("agent"),
            func.max(e.at).label("told_at"),
            func.bool_or(e.has_text).label("has_text"),
        )
        .select_from(near)
        .join(events, _is_part_of(n, n.started_at, n.response_at, events))
        .where(has_other, n.in_quarter <= MOST_IN_QUARTER)
        .group_by(n.number)
    )


def _quarter(at: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.date_trunc("quarter", at)


def _is_part_of(
    wait: Any, started_at: ColumnElement[Any], response_at: ColumnElement[Any], events: Table
) -> ColumnElement[bool]:
    """Events in which the customer told something: inbound, in the first hour of the wait."""
    e = events.c
    return and_(
        e.customer_id == wait.customer_id,
        e.conversation_id == wait.conversation_id,
        e.is_inbound.is_(True),
        e.at >= started_at,
        or_(response_at.is_(None), e.at <= response_at),
        e.at <= dialects.add_seconds(started_at, literal(TELLING_SECONDS)),
    )


def _set_against() -> Select[Any]:
    """Pairs of a telling and an earlier one of its customer, the newest `MOST_EARLIER` of each kind.

    On the same channel both must have been answered, the earlier before the other began, and by different people.
    A telling meets those of its quarter, and of the one before where the window reaches into it.
    """
    t = _told.c
    reached = dialects.add_seconds(t.started_at, literal(-int(WINDOW.total_seconds())))
    quarters = (select(_told, _quarter(at).label("quarter")) for at in (t.started_at, reached))
    one, earlier = (
        union(*quarters).subquery("one"),
        select(_told, _quarter(t.told_at).label("quarter")).subquery("earlier"),
    )
    o, b = one.c, earlier.c
    another_agent = and_(b.channel == o.channel, b.agent != o.agent, b.response_at <= o.started_at)
    pairs = (
        select(
            o.number,
            b.number.label("earlier"),
            case((b.channel != o.channel, "channel"), else_="agent").label("other"),
            and_(o.has_text, b.has_text).label("with_texts"),
            b.started_at,
            b.conversation_id,
            b.wait_number,
        )
        .join(
            earlier,
            and_(
                b.customer_id == o.customer_id,
                b.quarter == o.quarter,
                b.number != o.number,
                b.told_at <= o.started_at,
                o.started_at <= dialects.add_seconds(b.told_at, literal(int(WINDOW.total_seconds()))),
                _is_before(b, o),
                or_(b.channel != o.channel, another_agent),
            ),
        )
        .subquery("pairs")
    )
    p = pairs.c
    newest_first = (p.started_at.desc(), collate(p.conversation_id, "C").desc(), p.wait_number.desc())
    place = func.row_number().over(partition_by=(p.number, p.other), order_by=newest_first)
    ranked = select(*pairs.columns, place.label("place")).subquery("ranked")
    r = ranked.c
    return select(r.number, r.earlier, r.other, r.with_texts).where(r.place <= MOST_EARLIER)


def _is_before(earlier: Any, one: Any) -> ColumnElement[bool]:
    """The order of tellings: by time, then by conversation and wait."""
    earlier_id, one_id = collate(earlier.conversation_id, "C"), collate(one.conversation_id, "C")
    return or_(
        earlier.started_at < one.started_at,
        and_(
            earlier.started_at == one.started_at,
            or_(
                earlier_id < one_id,
                and_(
                    earlier.conversation_id == one.conversation_id,
                    earlier.wait_number < one.wait_number,
                ),
            ),
        ),
    )


def _compare_texts(connection: Connection, events: Table, stored: FromClause, brand_words: Sequence[str]) -> None:
    """Fill `derive_alike` with the likeness of each pair of which both have texts; some thousand customers at once."""
    t, p, e, i = _told.c, _pairs.c, events.c, stored.c
    of_pairs = select(t.customer_id).join(_pairs, p.number == t.number).where(p.with_texts)
    customer_ids = connection.scalars(of_pairs.distinct().order_by(t.customer_id)).all()
    texts = (
        select(t.number, t.brand, customers.c.display_name, customers.c.handle, i.text)
        .select_from(_told)
        .join(events, _is_part_of(t, t.started_at, t.response_at, events))
        .join(stored, and_(i.customer_id == e.customer_id, i.interaction_id == e.event_id))
        .outerjoin(customers, customers.c.customer_id == t.customer_id)
        .where(t.has_text, e.has_text)
        .order_by(t.number, e.position)
    )
    pairs = select(p.number, p.earlier).join(_told, t.number == p.number).where(p.with_texts).distinct()
    schema = dialects.arrow_schema(_alike)
    for start in range(0, len(customer_ids), _CUSTOMERS_AT_ONCE):
        part = customer_ids[start : start + _CUSTOMERS_AT_ONCE]
        mine = and_(t.customer_id >= part[0], t.customer_id <= part[-1])
        tellings = tellings_of(connection.execute(texts.where(mine)), brand_words)
        alike = likenesses(connection.execute(pairs.where(mine)), tellings)
        if alike:
            dialects.bulk_insert(connection, _alike, pa.Table.from_pylist(alike, schema=schema))


def tellings_of(rows: Iterable[Any], brand_words: Sequence[str]) -> dict[int, Telling]:
    """By number, from rows of their messages in order of number and time.

    Brand words, the words of the row's brand and the customer's own name never count.
    """
    tellings = {}
    for number, messages in itertools.groupby(rows, lambda row: int(row.number)):
        parts = list(messages)
        ignored = {*brand_words, *(word for name in parts[0][1:4] for word in _words(name))}
        tellings[number] = telling_of("\n".join(row.text for row in parts), ignored)
    return tellings


def _words(text: str | None) -> list[str]:
    return (text or "").lower().replace("_", " ").replace(".", " ").split()


def likenesses(pairs: Iterable[Any], tellings: Mapping[int, Telling]) -> list[dict[str, Any]]:
    """One row per pair of which both say enough to be compared, by the columns of `derive_alike`."""
    rows = []
    for number, earlier in pairs:
        alike = likeness(tellings[earlier], tellings[number])
        if alike is not None:
            rows.append({"number": number, "earlier": earlier, "likeness": alike, "rounded": round(alike, 6)})
    return rows


def _most_alike() -> Select[Any]:
    """Per telling the most alike earlier one of each kind, among equals the newest."""
    p, a, one, earlier = _pairs.c, _alike.c, _told.alias("one"), _told.alias("earlier")
    o, b = one.c, earlier.c
    newest_first = (b.told_at.desc(), collate(b.conversation_id, "C").desc(), b.wait_number)
    place = func.row_number().over(
        partition_by=(p.number, p.other), order_by=(func.coalesce(a.likeness, -1.0).desc(), *newest_first)
    )
    ranked = (
        select(p.number, p.earlier, p.other, a.rounded, place.label("place"))
        .select_from(_pairs)
        .join(earlier, b.number == p.earlier)
        .outerjoin(_alike, and_(a.number == p.number, a.earlier == p.earlier))
        .subquery("ranked")
    )
    r = ranked.c

    def of(other: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((r.other == other, column)))

    return (
        select(
            o.number,
            o.told_at,
            *(of(other, r.rounded).label(f"other_{other}_likeness") for other in _OTHERS),
            *(of(other, b.conversation_id).label(f"other_{other}_conversation_id") for other in _OTHERS),
            *(of(other, b.wait_number).label(f"other_{other}_wait_number") for other in _OTHERS),
            *(of(other, b.told_at).label(f"other_{other}_told_at") for other in _OTHERS),
            of("channel", b.channel).label("other_channel"),
        )
        .select_from(ranked)
        .join(one, o.number == r.number)
        .join(earlier, b.number == r.earlier)
        .where(r.place == 1)
        .group_by(o.number, o.told_at)
    )
