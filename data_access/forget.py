"""Forget a customer: personal data leaves the store, its rejects, its labels and its older generations; counts stay.

What stays is one pseudonymous customer (a random id) with the same interactions and conversations, without
texts, authors, evidence and source ids, with identities and conversations under random names, and with an age
group, or a made-up birth date that gives the same groups, instead of the real one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

import data_access.annotations as kept  # `annotations` is the name of a __future__ feature here
from data_access import derive, dialects
from data_access.config import Settings, age_band_bounds
from data_access.errors import FrontdoorError, StoreError
from data_access.forgotten import MARK, SALT, identity_hash, salt_of, searched_as, tokens, without_values
from data_access.identities import Identity, opaque_id, split_identity
from data_access.loader import Progress, derive_changed
from data_access.schema import (
    conversations,
    customer_identities,
    customers,
    event_keys,
    forgotten_identities,
    interactions,
    rejected_rows,
    reported_facts,
)
from data_access.store import current_settings, open_reader, open_writer, settings_in_force, store_folder, write_info
from data_access.vocabulary import UNKNOWN

CUSTOMER = "customer"  # kind under which a forgotten customer's former id is remembered
_AT_ONCE = 500  # ids in one statement

_work = MetaData()
_events = Table(
    "forget_events",
    _work,
    Column("source", Text),
    Column("external_id", Text),
    Column("new_id", Text),
    prefixes=["TEMPORARY"],
)
_conversations = Table(
    "forget_conversations", _work, Column("conversation_id", Text), Column("new_id", Text), prefixes=["TEMPORARY"]
)


@dataclasses.dataclass
class Forgotten:
    """What was removed from how many rows."""

    customer_count: int = 0
    interaction_count: int = 0
    conversation_count: int = 0
    identity_count: int = 0
    rejected_row_count: int = 0
    label_count: int = 0

    def sentence(self) -> str:
        """The counts in words."""
        if not self.customer_count:
            return "was forgotten before; the older generations of the store were removed"
        return (
            f"forgot {self.customer_count:,} customers: {self.interaction_count:,} interactions in "
            f"{self.conversation_count:,} conversations stay as counts, without text and author; "
            f"{self.identity_count:,} identities, the raw text of {self.rejected_row_count:,} rejected rows and "
            f"{self.label_count:,} labels are gone; older generations were removed. "
            "Backups and the source systems are yours to clear"
        )


def forget(
    url: str, named: Sequence[str], *, now: dt.datetime | None = None, progress: Progress | None = None
) -> Forgotten:
    """Forget customers, each given by customer id or as kind=value (email=anna@example.org).

    All or nothing; a customer forgotten before is no error. Raises FrontdoorError for one that the store does not
    know, and StoreError. Figures stay, but for those on words of texts.
    """
    open_reader(url).dispose()  # an absent store is an error, not a new one
    at = now or dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    report = progress or (lambda _stage, _rows: None)
    done = Forgotten()
    with open_writer(url, leave_no_trace=True) as connection:
        salt = salt_of(connection)
        if salt is None:
            salt = secrets.token_hex(16)
            write_info(connection, **{SALT: salt})
        wanted = [_customer(connection, salt, name) for name in named]
        derive.begin_touched(connection)
        interaction_ids: list[str] = []
        for customer_id in dict.fromkeys(name for name in wanted if name):
            report("forgetting", 1)
            interaction_ids += _forget_customer(connection, salt, customer_id, at, done)
        if done.customer_count:
            derive_changed(connection, current_settings(url), report)
        # Before the store is published: after an interruption the same command finds the customer again.
        done.label_count = _forget_labels(url, interaction_ids)
    return done


def _customer(connection: Connection, salt: str, name: str) -> str | None:
    """Id of the customer; None where they are forgotten already."""
    known = select(customers.c.customer_id).where(customers.c.customer_id == name)
    pair = split_identity(name)
    if pair is not None:
        c = customer_identities.c
        known = select(c.customer_id).where(c.identity_kind == pair[0], c.identity_value == pair[1])
    found = connection.scalar(known)
    if found is not None:
        return str(found)
    key = identity_hash(salt, *(pair or (CUSTOMER, name)))
    if connection.scalar(
        select(forgotten_identities.c.identity_hash).where(forgotten_identities.c.identity_hash == key)
    ):
        return None
    raise FrontdoorError(
        f"no customer of the store is {name!r}; name a customer_id or an identity as the store holds it, "
        "such as email=anna@example.org, phone=+441234567, handle:twitter=anna or id:crm=17; nothing was forgotten"
    )


def _forget_customer(
    connection: Connection, salt: str, customer_id: str, at: dt.datetime, done: Forgotten
) -> list[str]:
    """Replace one customer by a pseudonymous one; the ids of their interactions."""
    i, c = interactions.c, customer_identities.c
    identities: list[Identity] = [
        (row.identity_kind, row.identity_value)
        for row in connection.execute(
            select(c.identity_kind, c.identity_value).where(c.customer_id == customer_id).order_by(*c)
        )
    ]
    events = connection.execute(
        select(i.interaction_id, i.source, i.external_id, i.thread_id, i.author, i.direction).where(
            i.customer_id == customer_id
        )
    ).all()
    person = connection.execute(select(customers).where(customers.c.customer_id == customer_id)).one()
    done.rejected_row_count += _blank_rejects(connection, identities, events, person)
    new_id = "f" + secrets.token_urlsafe(8)
    _name_anew(connection, customer_id, events)
    done.conversation_count += int(connection.scalar(select(func.count()).select_from(_conversations)) or 0)
    _replace_customer(connection, customer_id, new_id, person)
    _move(connection, interactions, customer_id, _without_personal_data(new_id))
    _move(connection, reported_facts, customer_id, {"customer_id": literal(new_id)})
    connection.execute(update(event_keys).where(event_keys.c.customer_id == customer_id).values(customer_id=new_id))
    _replace_identities(connection, customer_id, new_id, identities)
    _remember(connection, salt, [*identities, (CUSTOMER, customer_id)], at)
    connection.execute(insert(derive.touched), [{"customer_id": name} for name in (customer_id, new_id)])
    for table in (_events, _conversations):
        table.drop(connection)
    done.customer_count += 1
    done.interaction_count += len(events)
    done.identity_count += len(identities)
    return [event.interaction_id for event in events]


def _name_anew(connection: Connection, customer_id: str, events: Sequence[Any]) -> None:
    """Random names for the customer's conversations, in the order of the old, and for their events' ids."""
    names: dict[str, None] = {}
    for table in (interactions, reported_facts, conversations):
        of_table = select(table.c.conversation_id).where(table.c.customer_id == customer_id).distinct()
        names |= dict.fromkeys(connection.scalars(of_table))
    for table in (_events, _conversations):
        dialects.create_temporary(connection, table)
    _fill(connection, _conversations, conversation_id=list(names), new_id=[""] * len(names))
    # Which of two conversations of one second was first is decided by their names, as the engine orders them.
    order = connection.scalars(
        select(_conversations.c.conversation_id).order_by(_conversations.c.conversation_id)
    ).all()
    connection.execute(delete(_conversations))
    fresh = sorted("v" + secrets.token_hex(8) for _ in order)
    _fill(connection, _conversations, conversation_id=list(order), new_id=fresh)
    _fill(
        connection,
        _events,
        source=[event.source for event in events],
        external_id=[event.external_id for event in events],
        new_id=[f"{MARK}-{secrets.token_hex(8)}" for _ in events],
    )


def _fill(connection: Connection, table: Table, **columns: list[Any]) -> None:
    schema = dialects.arrow_schema(table)
    dialects.bulk_insert(connection, table, pa.table(columns, schema=schema))


def _without_personal_data(new_id: str) -> dict[str, ColumnElement[Any]]:
    i = interactions.c
    own, answered = _events.alias("own"), _events.alias("answered")

    def new_name(of: Any, external_id: ColumnElement[Any]) -> ColumnElement[Any]:
        same = and_(of.c.source == i.source, of.c.external_id == external_id)
        return select(func.min(of.c.new_id)).where(same).correlate(interactions).scalar_subquery()

    is_answer = i.reply_to.is_not(None)
    return {
        "customer_id": literal(new_id),
        "external_id": new_name(own, i.external_id),
        "thread_id": null(),
        "author": case((i.direction == "outbound", i.author)),
        "text": null(),
        "evidence": null(),
        "reply_to": case((is_answer, func.coalesce(new_name(answered, i.reply_to), MARK))),
        "recorded_responses": null(),
        "content_hash": literal(MARK),
    }


def _move(connection: Connection, table: Table, customer_id: str, changed: Mapping[str, ColumnElement[Any]]) -> None:
    """Insert the customer's rows changed and delete them as they were: no engine need update a distribution column."""
    n = _conversations
    values = {"conversation_id": n.c.new_id, **changed}
    rows = (
        select(
            *(
                dialects.typed(values[column.name], column).label(column.name) if column.name in values else column
                for column in table.columns
            )
        )
        .select_from(table)
        .join(n, n.c.conversation_id == table.c.conversation_id)
        .where(table.c.customer_id == customer_id)
    )
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))
    connection.execute(delete(table).where(table.c.customer_id == customer_id))


def _replace_customer(connection: Connection, customer_id: str, new_id: str, person: Any) -> None:
    contacts = connection.execute(
        select(conversations.c.opened_at, conversations.c.age_group).where(conversations.c.customer_id == customer_id)
    ).all()
    age = made_up_age(
        [(contact.opened_at, contact.age_group) for contact in contacts],
        person.birth_date,
        person.birth_year,
        settings_in_force(connection),
    )
    connection.execute(insert(customers).values(customer_id=new_id, **age))
    connection.execute(delete(customers).where(customers.c.customer_id == customer_id))


def made_up_age(
    contacts: Sequence[tuple[dt.datetime, str]],
    birth_date: dt.date | None,
    birth_year: int | None,
    settings: Settings,
) -> dict[str, Any]:
    """What to know of a forgotten customer's age so that every contact keeps its age group; never the birth date
    itself, unless no other date will do (contacts on the day before a round birthday and on it).
    """
    groups = {group for _, group in contacts}
    nothing: dict[str, Any] = {"birth_date": None, "birth_year": None, "age_group_given": None}
    if len(groups) <= 1:
        (group,) = groups or {UNKNOWN}
        return nothing | {"age_group_given": None if group == UNKNOWN else group}
    zone = ZoneInfo(settings.zone)
    local = [(at.replace(tzinfo=dt.UTC).astimezone(zone).date(), group) for at, group in contacts]

    def fits(born: dt.date) -> bool:
        return all(_band(day, born, settings) == group for day, group in local)

    year = birth_date.year if birth_date else birth_year
    if year is None:
        raise StoreError("a customer without a birth date has several age groups; run: frontdoor rebuild")
    for candidate in (year, year - 1, year + 1):
        if fits(dt.date(candidate, 7, 1)):
            return nothing | {"birth_year": candidate}
    for born in _days(year):
        if born != birth_date and fits(born):
            return nothing | {"birth_date": born}
    return nothing | {"birth_date": birth_date}


def _days(year: int) -> Iterator[dt.date]:
    """The days from half a year before to half a year after the year, each first of a month before the others."""
    start = dt.date(year - 1, 7, 1)
    days = [start + dt.timedelta(days=number) for number in range(731)]
    yield from sorted(days, key=lambda day: (day.day != 1, day))


def _band(day: dt.date, born: dt.date, settings: Settings) -> str:
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    for band in settings.age_bands:
        low, high = age_band_bounds(band)
        if low <= age <= high:
            return band
    return UNKNOWN


def _replace_identities(connection: Connection, customer_id: str, new_id: str, identities: Sequence[Identity]) -> None:
    """Of each identity its kind stays: on how many channels customers are known is a figure."""
    connection.execute(delete(customer_identities).where(customer_identities.c.customer_id == customer_id))
    rows = [
        {
            "customer_id": new_id,
            "identity_kind": kind,
            "identity_value": f"{MARK}-{secrets.token_hex(8)}",
            "origin": MARK,
        }
        for kind, _ in identities
    ]
    if rows:
        connection.execute(insert(customer_identities), rows)


def _remember(connection: Connection, salt: str, identities: Sequence[Identity], at: dt.datetime) -> None:
    pairs = {*identities, *(searched_as(kind, value) for kind, value in identities if kind != CUSTOMER)}
    hashes = sorted({identity_hash(salt, *pair) for pair in pairs})
    connection.execute(delete(forgotten_identities).where(forgotten_identities.c.identity_hash.in_(hashes)))
    connection.execute(insert(forgotten_identities), [{"identity_hash": key, "forgotten_at": at} for key in hashes])


def _blank_rejects(connection: Connection, identities: Sequence[Identity], events: Sequence[Any], person: Any) -> int:
    """Remove the raw text of rejected rows that name the customer, one of their identities or one of their events."""
    anywhere = {searched_as(kind, value) for kind, value in identities}
    authors = {event.author for event in events if event.author and event.direction == "inbound"}
    shown = [name.casefold() for name in (person.display_name, person.handle, *authors) if name and len(name) > 3]
    ids = {event.interaction_id for event in events}
    threads = {(event.source, event.thread_id.casefold()) for event in events if event.thread_id}
    r = rejected_rows.c
    blanked = 0
    rows = connection.execute(select(r.reject_id, r.source, r.reason, r.raw).where(r.raw.is_not(None))).all()
    for row in rows:
        named = {
            word
            for word in tokens(row.raw)
            if ("*", word) in anywhere
            or ("*" + row.source, word) in anywhere
            or (row.source, word) in threads
            or opaque_id("i", row.source, word) in ids
        }
        named |= {name for name in shown if name in row.raw.casefold()}
        if named:
            values = {"raw": None, "reason": without_values(row.reason, named)}
            connection.execute(update(rejected_rows).where(r.reject_id == row.reject_id).values(values))
            blanked += 1
    return blanked


def _forget_labels(url: str, interaction_ids: Sequence[str]) -> int:
    """Remove what managers entered about the interactions; number of rows removed."""
    folder = store_folder(url)
    if not interaction_ids or not kept.is_there(url):
        return 0
    opened = kept.open_annotations(url)
    if opened.engine is None:
        raise StoreError(f"labels of the customer cannot be removed: {opened.reason}; nothing was forgotten")
    removed = 0
    try:
        with opened.engine.begin() as connection:
            if folder is not None:
                connection.execute(text("PRAGMA secure_delete = ON"))
            for table in kept.metadata.sorted_tables:
                if "interaction_id" not in table.c:
                    continue
                for start in range(0, len(interaction_ids), _AT_ONCE):
                    ids = interaction_ids[start : start + _AT_ONCE]
                    removed += connection.execute(delete(table).where(table.c.interaction_id.in_(ids))).rowcount
    finally:
        opened.engine.dispose()
    return removed


# What is done with each table of the store; a test asks for every new one.
TABLES: dict[str, str] = {
    "customers": "replaced by a pseudonymous customer with an age group at most",
    "customer_identities": "only the kinds stay",
    "event_keys": "points to the pseudonymous customer; holds hashes of source ids",
    "interactions": "text, author, evidence and source ids are removed",
    "reported_facts": "moved to the pseudonymous customer",
    "waits": "derived again",
    "conversations": "derived again",
    "rejected_rows": "raw text that names the customer is removed",
    "forgotten_identities": "keeps keyed hashes, so that no load brings the customer back",
    "agents": "employees only",
    "calendar_days": "no personal data",
    "load_runs": "no personal data but file names",
    "source_status": "no personal data",
    "store_info": "no personal data",
}

__all__ = ["TABLES", "Forgotten", "forget", "made_up_age"]
