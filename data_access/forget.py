"""Forget a customer: personal data leaves the store, its rejects, its labels and its older generations; counts stay.

What stays is one pseudonymous customer with the same interactions and conversations, without texts, names, authors,
evidence and source ids, with conversations under random names, and with an age group, or a made-up birth date that
gives the same groups, instead of the real one. Each identity is replaced by a made-up one of its kind wherever it
stands, also in decisions by hand: the evidence keeps its shape, so that a rebuild finds the same people again. An
identity that others show, too, stays in their rows, and joins nobody there as before.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

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
    tuple_,
    union,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

import data_access.annotations as kept  # `annotations` is the name of a __future__ feature here
from data_access import customers as settling
from data_access import derive, dialects
from data_access.config import IdentityRules, Settings, age_band_bounds
from data_access.customers import given_by, given_kinds
from data_access.errors import FrontdoorError, StoreError
from data_access.forgotten import (
    MARK,
    SALT,
    comparable,
    identity_hash,
    name_of,
    names_in,
    names_of_file,
    pseudonym_of_file,
    salt_of,
    searched_as,
    tokens,
    without_values,
    words_of_file,
)
from data_access.identities import CONVERSATION_KIND, Identity, normalised, opaque_id, split_identity
from data_access.loader import derive_changed
from data_access.output import counted
from data_access.progress import Progress, say_nothing
from data_access.schema import (
    conversations,
    customer_identities,
    customer_records,
    customers,
    event_keys,
    forgotten_identities,
    identity_decisions,
    interactions,
    load_runs,
    rejected_rows,
    reported_facts,
    stated_identities,
)
from data_access.store import open_reader, open_writer, settings_in_force, store_folder, write_info
from data_access.vocabulary import UNKNOWN
from data_access.zones import local

CUSTOMER = "customer"  # kind under which a forgotten customer's former id is remembered
_AT_ONCE = 500  # ids in one statement
_LAST = "~"  # sorts after letters and digits
_SHORT = 3  # a shorter name is not looked for in raw rows
# Reasons not told by the identity's form: with another value, or without this customer, it could join.
_KEPT_APART = frozenset({"never", "customers", "shared", "chain", "decision", "forgotten"})

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
_identities = Table(
    "forget_identities",
    _work,
    Column("identity_kind", Text),
    Column("given", Text),
    Column("new_value", Text),
    prefixes=["TEMPORARY"],
)
# Rows are changed in a copy beside these tables: a distributed table cannot look things up in them.
_copies = {
    table.name: Table(
        f"forget_{table.name}", _work, *(Column(c.name, c.type) for c in table.columns), prefixes=["TEMPORARY"]
    )
    for table in (interactions, reported_facts)
}


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
            f"forgot {counted(self.customer_count, 'customer')}: "
            f"{counted(self.interaction_count, 'interaction')} in "
            f"{counted(self.conversation_count, 'conversation')} left as counts, without text and author; "
            f"{counted(self.identity_count, 'identity', 'identities')}, the raw text of "
            f"{counted(self.rejected_row_count, 'rejected row')} and {counted(self.label_count, 'label')} removed; "
            "older generations were removed. "
            "Backups and the source systems are yours to clear"
        )


def forget(
    url: str, named: Sequence[str], *, now: dt.datetime | None = None, progress: Progress = say_nothing
) -> Forgotten:
    """Forget customers, each given by customer id or as kind=value (email=anna@example.org).

    All or nothing; a customer forgotten before is no error. Raises FrontdoorError for one that the store does not
    know, and StoreError. Figures stay, but for those on words of texts.
    """
    open_reader(url).dispose()  # an absent store is an error, not a new one
    at = now or dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    done = Forgotten()
    with open_writer(url, leave_no_trace=True) as connection:
        salt = salt_of(connection)
        if salt is None:
            salt = secrets.token_hex(16)
            write_info(connection, **{SALT: salt})
        settings = settings_in_force(connection)  # figures stay: what changed in the file waits for a load
        wanted = [_customer(connection, salt, name, settings.identity.phone_region) for name in named]
        derive.begin_touched(connection)
        interaction_ids: list[str] = []
        for customer_id in dict.fromkeys(name for name in wanted if name):
            progress("forgetting", 1)
            interaction_ids += _forget_customer(connection, settings.identity, salt, customer_id, at, done)
        if done.customer_count:
            derive_changed(connection, settings, progress)
        # Before the store is published: after an interruption the same command finds the customer again.
        done.label_count = _forget_labels(url, interaction_ids)
    kept.write_afresh(url)
    return done


def _customer(connection: Connection, salt: str, name: str, region: str) -> str | None:
    """Id of the customer; None where they are forgotten already."""
    pair = split_identity(name, region) if "=" in name else None
    if pair is None:
        found = list(connection.scalars(select(customers.c.customer_id).where(customers.c.customer_id == name)))
    else:
        c = customer_identities.c
        of_pair = select(c.customer_id).where(c.identity_kind == pair[0], c.identity_value == pair[1])
        found = sorted(connection.scalars(of_pair.distinct()))
    if len(found) > 1:
        raise FrontdoorError(
            f"{name} joins nobody and was shown by {len(found)} customers; name one of them by its id: "
            f"{', '.join(found[:5])}{' …' if len(found) > 5 else ''}; nothing was forgotten"
        )
    if found:
        return str(found[0])
    kind, _, value = name.partition("=")
    asked = comparable(kind, value, region) if pair else {(CUSTOMER, name)}
    keys = [identity_hash(salt, *one) for one in asked]
    if connection.scalar(
        select(func.count()).select_from(forgotten_identities).where(forgotten_identities.c.identity_hash.in_(keys))
    ):
        return None
    raise FrontdoorError(
        f"no customer of the store is {name!r}; name a customer_id or an identity as the store holds it, "
        "such as email=anna@example.org, phone=+441234567, handle:twitter=anna or id:crm=17; nothing was forgotten"
    )


@dataclasses.dataclass(frozen=True)
class _Evidence:
    """What one customer's conversations and lines of customers files state, and what was split off to be them.

    `theirs` are the identities that stand for nobody else; the others stay in the rows of those who show them, too.
    `split_off` are those of them that only others state, since a decision by hand. `reasons` say why an identity
    joins nobody; `elsewhere` and `listed` are conversations, and lines of customers files, of others that state some
    of `theirs`.
    """

    given: dict[tuple[str, str], Identity]
    stated: frozenset[Identity]
    theirs: frozenset[Identity]
    split_off: frozenset[Identity]
    reasons: dict[Identity, str]
    statements: tuple[str, ...]
    elsewhere: tuple[str, ...]
    listed: tuple[str, ...]


def _forget_customer(
    connection: Connection, rules: IdentityRules, salt: str, customer_id: str, at: dt.datetime, done: Forgotten
) -> list[str]:
    """Replace one customer by a pseudonymous one; the ids of their interactions."""
    i = interactions.c
    evidence = _evidence(connection, customer_id, rules)
    events = connection.execute(
        select(i.interaction_id, i.source, i.external_id, i.thread_id, i.author, i.direction, i.display_name).where(
            i.customer_id == customer_id
        )
    ).all()
    person = connection.execute(select(customers).where(customers.c.customer_id == customer_id)).one()
    named_by = _NamedBy.of(evidence, events, person)
    done.rejected_row_count += _blank_rejects(connection, named_by)
    _rename_files(connection, salt, named_by)
    new_id = "f" + secrets.token_urlsafe(8)  # until their new names say whose all is
    made_up = made_up_identities(evidence.stated, evidence.reasons, evidence.split_off)
    _name_anew(connection, customer_id, events)
    _fill(
        connection,
        _identities,
        identity_kind=[kind for kind, _ in evidence.given],
        given=[given for _, given in evidence.given],
        new_value=[made_up[identity] for identity in evidence.given.values()],
    )
    n = _conversations.c
    named = {row.conversation_id: row.new_id for row in connection.execute(select(n.conversation_id, n.new_id))}
    done.conversation_count += len(named)
    records = _replace_records(connection, customer_id, new_id, made_up, rules)
    _move(connection, interactions, customer_id, _without_personal_data(new_id))
    _move(connection, reported_facts, customer_id, {"customer_id": literal(new_id)})
    _replace_links(connection)
    connection.execute(update(event_keys).where(event_keys.c.customer_id == customer_id).values(customer_id=new_id))
    for table in (customer_identities, customers):
        connection.execute(delete(table).where(table.c.customer_id == customer_id))
    elsewhere = _replace_elsewhere(connection, evidence, made_up, rules)
    _replace_listed(connection, evidence, made_up, rules)
    records += evidence.listed
    _replace_decisions(connection, evidence, made_up, named, at)
    connection.execute(insert(derive.touched), [{"customer_id": name} for name in (customer_id, new_id)])
    before = [*evidence.statements, *named, *elsewhere, *evidence.listed]
    settling.settle_again(connection, before, [*named.values(), *elsewhere], records, rules)
    names = {person.display_name, *(event.display_name for event in events if event.direction == "inbound")}
    named_as = [known for name in names if name and (known := name_of(name)) is not None]
    threads = {(CONVERSATION_KIND, conversation_id) for conversation_id in named}
    _remember(connection, salt, evidence, {(CUSTOMER, customer_id), *named_as, *threads}, at, rules.phone_region)
    for table in (_events, _conversations, _identities):
        table.drop(connection)
    done.customer_count += 1
    done.interaction_count += len(events)
    done.identity_count += len(evidence.theirs)
    return [event.interaction_id for event in events]


def _evidence(connection: Connection, customer_id: str, rules: IdentityRules) -> _Evidence:
    s, c = stated_identities.c, customer_identities.c
    rows = connection.execute(
        select(s.statement_id, s.identity_kind, s.identity_value).where(
            s.customer_id == customer_id, s.identity_kind != CONVERSATION_KIND
        )
    ).all()
    by_them = select(s.identity_kind, s.identity_value).where(
        s.customer_id == customer_id, s.identity_kind != CONVERSATION_KIND
    )
    joining = select(c.identity_kind, c.identity_value).where(c.customer_id == customer_id, c.reason.is_(None))
    mine = union(by_them, joining).subquery("mine")
    stated = frozenset((kind, value) for kind, value in connection.execute(select(mine)))
    split_off = stated - {(row.identity_kind, row.identity_value) for row in rows}
    by_others = connection.execute(
        select(s.statement_id, s.is_listed, s.identity_kind, s.identity_value)
        .join(mine, and_(mine.c.identity_kind == s.identity_kind, mine.c.identity_value == s.identity_value))
        .where(s.customer_id != customer_id)
    ).all()
    shown_by_others = {(row.identity_kind, row.identity_value) for row in by_others}
    known = connection.execute(
        select(c.customer_id, c.identity_kind, c.identity_value, c.reason).join(
            mine, and_(mine.c.identity_kind == c.identity_kind, mine.c.identity_value == c.identity_value)
        )
    ).all()
    reasons = {(row.identity_kind, row.identity_value): row.reason for row in known if row.reason}
    joined = {
        (row.identity_kind, row.identity_value)
        for row in known
        if row.customer_id == customer_id and row.reason is None
    }
    their_events = select(interactions).where(interactions.c.customer_id == customer_id).subquery("their_events")
    given_values = union(*given_by(their_events)).subquery("given_values")
    of = given_values.c
    given = {}
    for kind, value in connection.execute(select(of.identity_kind, of.given).distinct()):
        clean = normalised(kind, value, rules.phone_region)
        if clean is not None and (kind, clean) in stated:
            given[kind, value] = (kind, clean)
    theirs = frozenset(one for one in stated if one in joined or one not in shown_by_others)
    of_theirs = [row for row in by_others if (row.identity_kind, row.identity_value) in theirs]
    elsewhere = tuple(sorted({row.statement_id for row in of_theirs if not row.is_listed}))
    listed = tuple(sorted({row.statement_id for row in of_theirs if row.is_listed}))
    statements = tuple(dict.fromkeys(row.statement_id for row in rows))
    return _Evidence(given, stated, theirs, split_off, reasons, statements, elsewhere, listed)


def made_up_identities(
    identities: Collection[Identity],
    reasons: Mapping[Identity, str],
    split_off: Collection[Identity] = (),
) -> dict[Identity, str]:
    """A random value for each identity, in the order of the real ones: the order may decide who is who.

    What joins nobody by its form (a number without a country code) does not with the new value either. What was
    split off and stands with others alone comes after all others: theirs stays what it stands with.
    """
    made_up = {}
    for kind in {kind for kind, _ in identities}:
        mine = sorted(identity for identity in identities if identity[0] == kind)
        words = sorted(_word() for _ in mine)
        for identity, word in zip(mine, words, strict=True):
            value = f"{_LAST if identity in split_off else ''}{MARK}-{word}"
            if kind == "email":
                value += "@forgotten.invalid"
            elif kind == "phone" and reasons.get(identity) != "number":
                value = "+" + value
            made_up[identity] = value
    return made_up


def _word() -> str:
    """Sixteen random letters: digits could be read as a telephone number."""
    return "".join(secrets.choice("abcdefghijklmnop") for _ in range(16))


def _replace_records(
    connection: Connection,
    customer_id: str,
    new_id: str,
    made_up: Mapping[Identity, str],
    rules: IdentityRules,
) -> list[str]:
    """Lines of customers files: of each identity its kind stays, of the birth date an age; their new names."""
    r, v = customer_records.c, conversations.c
    lines = connection.execute(
        select(customer_records).where(r.customer_id == customer_id).order_by(r.record_id)
    ).all()
    contacts = connection.execute(
        select(v.opened_at, v.age_group).where(v.customer_id == customer_id, v.age_group.is_not(None))
    ).all()
    person = connection.execute(select(customers).where(customers.c.customer_id == customer_id)).one()
    age = made_up_age(
        [(contact.opened_at, contact.age_group) for contact in contacts],
        person.birth_date,
        person.birth_year,
        settings_in_force(connection),
    )
    connection.execute(delete(customer_records).where(r.customer_id == customer_id))
    new = []
    for line in lines:
        own = (line.identity_kind, made_up[line.identity_kind, line.identity_value])
        listed = (split_identity(text, rules.phone_region) for text in (line.identities or "").split(";"))
        texts = [f"{pair[0]}={made_up[pair]}" for pair in listed if pair is not None and pair in made_up]
        new.append(
            {
                **dict.fromkeys((column.name for column in customer_records.columns), None),
                **age,
                "customer_id": new_id,
                "record_id": opaque_id("k", *own),
                "identity_kind": own[0],
                "identity_value": own[1],
                "source": line.source,
                "identities": ";".join(texts) or None,
            }
        )
    if new:
        connection.execute(insert(customer_records), new)
    return [line["record_id"] for line in new]


def _replace_elsewhere(
    connection: Connection, evidence: _Evidence, made_up: Mapping[Identity, str], rules: IdentityRules
) -> list[str]:
    """What the customer wrote in conversations of others: the same pseudonyms, and no text; those conversations."""
    i, found = interactions.c, list(evidence.elsewhere)
    if not found:
        return []
    rows = connection.execute(select(interactions).where(i.conversation_id.in_(found))).mappings().all()
    for row in rows:
        changed: dict[str, Any] = {}
        for name, kind in given_kinds(row["source"], row["channel"]).items():
            clean = normalised(kind, row[name], rules.phone_region)
            if clean is not None and (kind, clean) in evidence.theirs:
                # Whose the conversation is, is decided by the first id: this one was not.
                is_last = not kind.startswith("id:") or (kind, clean) in evidence.split_off
                changed[name] = ("" if is_last else _LAST) + made_up[kind, clean]
        if changed:
            changed |= dict.fromkeys(("text", "evidence", "display_name"), None) | {"content_hash": MARK}
            changed |= {"author": None} if row["direction"] == "inbound" else {}
            connection.execute(update(interactions).where(i.interaction_id == row["interaction_id"]).values(**changed))
    return found


def _replace_listed(
    connection: Connection, evidence: _Evidence, made_up: Mapping[Identity, str], rules: IdentityRules
) -> None:
    """Lines of customers files that list the customer's identities as another's, since a split: the pseudonyms."""
    r = customer_records.c
    lines = connection.execute(select(r.record_id, r.identities).where(r.record_id.in_(evidence.listed))).all()
    for line in lines:
        texts = []
        for listed in line.identities.split(";"):
            pair = split_identity(listed, rules.phone_region)
            texts.append(f"{pair[0]}={made_up[pair]}" if pair in evidence.theirs else listed)
        connection.execute(
            update(customer_records).where(r.record_id == line.record_id).values(identities=";".join(texts))
        )


def _replace_decisions(
    connection: Connection,
    evidence: _Evidence,
    made_up: Mapping[Identity, str],
    named: Mapping[str, str],
    at: dt.datetime,
) -> None:
    """Decisions by hand name the pseudonyms; what joined nobody because of this customer still joins nobody."""
    d = identity_decisions.c
    rows = [dict(row) for row in connection.execute(select(identity_decisions)).mappings()]
    is_apart = {(row["identity_kind"], row["identity_value"]) for row in rows if row["verdict"] == "apart"}
    new = {identity: made_up[identity] for identity in evidence.theirs}
    new |= {(CONVERSATION_KIND, before): after for before, after in named.items()}
    for row in rows:
        identity = (row["identity_kind"], row["identity_value"])
        if identity in new:
            is_row = and_(d.decision == row["decision"], d.side == row["side"], d.identity_kind == identity[0])
            connection.execute(delete(identity_decisions).where(is_row, d.identity_value == identity[1]))
            connection.execute(insert(identity_decisions).values({**row, "identity_value": new[identity]}))
    apart = [
        (kind, made_up[kind, value])
        for (kind, value), reason in sorted(evidence.reasons.items())
        if reason in _KEPT_APART and not ((kind, value) in is_apart and (kind, value) in evidence.theirs)
    ]
    shown_by_others = {identity for identity in evidence.stated - evidence.theirs if identity in evidence.reasons}
    apart += sorted(
        identity
        for identity in _chained_with(connection, shown_by_others, evidence.reasons)
        if identity not in is_apart
    )
    number = int(connection.scalar(select(func.max(d.decision))) or 0)
    added = [
        {
            "decision": number + place,
            "side": 0,
            "identity_kind": kind,
            "identity_value": value,
            "verdict": "apart",
            "decided_at": at,
        }
        for place, (kind, value) in enumerate(apart, start=1)
    ]
    if added:
        connection.execute(insert(identity_decisions), added)


def _chained_with(
    connection: Connection, identities: Collection[Identity], reasons: Mapping[Identity, str]
) -> set[Identity]:
    """Identities that others show and that joined nobody, with the rest of the chains of which they are a part."""
    s, c = stated_identities.c, customer_identities.c
    found = {one for one in identities if reasons[one] in _KEPT_APART and reasons[one] != "never"}
    new = {one for one in found if reasons[one] == "chain"}
    while new:
        beside = stated_identities.alias("beside")
        rows = connection.execute(
            select(c.identity_kind, c.identity_value)
            .join(beside, and_(beside.c.identity_kind == c.identity_kind, beside.c.identity_value == c.identity_value))
            .join(stated_identities, s.statement_id == beside.c.statement_id)
            .where(c.reason == "chain", tuple_(s.identity_kind, s.identity_value).in_(sorted(new)))
            .distinct()
        )
        new = {(kind, value) for kind, value in rows} - found
        found |= new
    return found


def _name_anew(connection: Connection, customer_id: str, events: Sequence[Any]) -> None:
    """Random names for the customer's conversations, in the order of the old, and for their events' ids."""
    names: dict[str, None] = {}
    for table in (interactions, reported_facts, conversations):
        of_table = select(table.c.conversation_id).where(table.c.customer_id == customer_id).distinct()
        names |= dict.fromkeys(connection.scalars(of_table))
    for table in (_events, _conversations, _identities):
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
    copy = _copies[interactions.name]
    i = copy.c
    own, answered = _events.alias("own"), _events.alias("answered")

    def new_name(of: Any, external_id: ColumnElement[Any]) -> ColumnElement[Any]:
        same = and_(of.c.source == i.source, of.c.external_id == external_id)
        return select(func.min(of.c.new_id)).where(same).correlate(copy).scalar_subquery()

    x = _identities.c

    def pseudonym(kind: Any, given: ColumnElement[Any]) -> ColumnElement[Any]:
        same = and_(x.identity_kind == kind, x.given == given)
        return select(func.min(x.new_value)).where(same).correlate(copy).scalar_subquery()

    is_answer = i.reply_to.is_not(None)
    return {
        "customer_id": literal(new_id),
        "external_id": new_name(own, i.external_id),
        "thread_id": null(),
        "author": case((i.direction == "outbound", i.author)),
        "customer": pseudonym(func.concat("id:", i.source), i.customer),
        "email": pseudonym("email", i.email),
        "phone": pseudonym("phone", i.phone),
        "handle": pseudonym(func.concat("handle:", i.channel), i.handle),
        "display_name": null(),
        "text": null(),
        "evidence": null(),
        "reply_to": case((is_answer, func.coalesce(new_name(answered, i.reply_to), MARK))),
        "recorded_responses": null(),
        "content_hash": literal(MARK),
    }


def _move(connection: Connection, table: Table, customer_id: str, changed: Mapping[str, ColumnElement[Any]]) -> None:
    """Delete the customer's rows as they were and insert them changed: no engine need update a distribution column.

    `changed` are expressions on the table's copy.
    """
    copy, n = _copies[table.name], _conversations
    names = [column.name for column in table.columns]
    dialects.create_temporary(connection, copy)
    theirs = table.c.customer_id == customer_id
    connection.execute(insert(copy).from_select(names, select(table).where(theirs)))
    connection.execute(delete(table).where(theirs))
    values = {"conversation_id": n.c.new_id, **changed}
    rows = (
        select(
            *(
                dialects.typed(values[column.name], column).label(column.name)
                if column.name in values
                else copy.c[column.name]
                for column in table.columns
            )
        )
        .select_from(copy)
        .join(n, n.c.conversation_id == copy.c.conversation_id)
    )
    connection.execute(insert(table).from_select(names, rows))
    copy.drop(connection)


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
    days = [(local(at, settings.zone).date(), group) for at, group in contacts]

    def fits(born: dt.date) -> bool:
        return all(_band(day, born, settings) == group for day, group in days)

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


def _remember(
    connection: Connection, salt: str, evidence: _Evidence, more: Collection[Identity], at: dt.datetime, region: str
) -> None:
    """Keep keyed hashes of what stood for this customer alone, and of more, so that no load brings them back."""
    pairs = set(more)
    for kind, value in evidence.theirs:
        pairs |= {(kind, value), searched_as(kind, value)}
    for (kind, given), identity in evidence.given.items():
        if identity in evidence.theirs:
            pairs |= comparable(kind, given, region)
    hashes = sorted({identity_hash(salt, *pair) for pair in pairs})
    connection.execute(delete(forgotten_identities).where(forgotten_identities.c.identity_hash.in_(hashes)))
    connection.execute(insert(forgotten_identities), [{"identity_hash": key, "forgotten_at": at} for key in hashes])


def _replace_links(connection: Connection) -> None:
    """Where rows of others answer one of the customer's messages, or stand in its thread, its made-up id."""
    i, e = interactions.c, _events.c
    is_thread = and_(e.source == i.source, e.external_id == i.thread_id)
    in_thread = select(i.customer_id).join(_events, is_thread).distinct()
    dialects.insert_rows(connection, derive.touched, in_thread)  # the id of a conversation is that of its thread
    is_answered = and_(e.source == i.source, e.external_id == i.reply_to)
    connection.execute(update(interactions).where(is_thread).values(thread_id=e.new_id))
    connection.execute(update(interactions).where(is_answered).values(reply_to=e.new_id))
    listed = func.concat(",", i.recorded_responses, ",").contains(
        func.concat(",", e.external_id, ","), autoescape=False
    )
    rows = connection.execute(
        select(i.interaction_id, i.recorded_responses, e.external_id, e.new_id).join(
            _events, and_(e.source == i.source, i.recorded_responses.is_not(None), listed)
        )
    ).all()
    new = {row.interaction_id: row.recorded_responses.split(",") for row in rows}
    for row in rows:
        new[row.interaction_id] = [row.new_id if one == row.external_id else one for one in new[row.interaction_id]]
    for interaction_id, responses in new.items():
        is_row = i.interaction_id == interaction_id
        connection.execute(update(interactions).where(is_row).values(recorded_responses=",".join(responses)))


@dataclasses.dataclass(frozen=True)
class _NamedBy:
    """All by which a text may name the customer: identities as they are looked for, ids of messages and threads, names
    of two to four words in any order, and what stands in it anywhere.
    """

    anywhere: frozenset[Identity]
    threads: frozenset[tuple[str, str]]
    interaction_ids: frozenset[str]
    names: frozenset[Identity]
    shown: tuple[str, ...]

    @classmethod
    def of(cls, evidence: _Evidence, events: Sequence[Any], person: Any) -> _NamedBy:
        authors = {event.author for event in events if event.direction == "inbound"}
        names = {person.display_name, person.handle, *authors, *(event.display_name for event in events)}
        given = {value for (_, value), identity in evidence.given.items() if identity in evidence.theirs}
        return cls(
            frozenset(searched_as(kind, value) for kind, value in evidence.theirs),
            frozenset((event.source, event.thread_id.casefold()) for event in events if event.thread_id),
            frozenset(event.interaction_id for event in events),
            frozenset(known for name in names if name and (known := name_of(name)) is not None),
            tuple(name.casefold() for name in names | given if name and len(name) > _SHORT),
        )

    def among(self, words: Collection[str], whole: str, source: str | None) -> set[str]:
        """Those of the words, and of what the whole text holds, that name the customer."""
        found = {
            word
            for word in words
            if ("*", word) in self.anywhere
            or (f"*{source}", word) in self.anywhere
            or (source, word) in self.threads
            or opaque_id("i", source or "", word) in self.interaction_ids
        }
        found |= {shown for name, shown in names_in(whole).items() if name in self.names}
        return found | {name for name in self.shown if name in whole.casefold()}


def _blank_rejects(connection: Connection, named_by: _NamedBy) -> int:
    """Remove the raw text of rejected rows that name the customer, one of their identities or one of their events."""
    r = rejected_rows.c
    blanked = 0
    rows = connection.execute(select(r.reject_id, r.source, r.reason, r.raw)).all()
    for row in rows:
        # The raw text may have gone with another customer; the reason may still quote this one.
        told = f"{row.raw or ''}\n{row.reason}"
        named = named_by.among(tokens(told), told, row.source)
        if named:
            values = {"raw": None, "reason": without_values(row.reason, named)}
            connection.execute(update(rejected_rows).where(r.reject_id == row.reject_id).values(values))
            blanked += row.raw is not None
    return blanked


def _rename_files(connection: Connection, salt: str, named_by: _NamedBy) -> None:
    """Give files whose name names the customer another: an export of one mailbox is often called by its address."""
    for table in (load_runs, rejected_rows):
        c = table.c
        for file, source in connection.execute(select(c.file, c.source).where(c.file.is_not(None)).distinct()).all():
            if named_by.among(words_of_file(file), f"{file}\n{names_of_file(file)}", source):
                is_file = and_(c.file == file, c.source == source)
                connection.execute(update(table).where(is_file).values(file=pseudonym_of_file(salt, file)))


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
    "stated_identities": "only the kinds stay, under made-up values",
    "customer_records": "only the kinds of the identities stay, and an age group at most",
    "identity_decisions": "name the made-up values",
    "event_keys": "points to the pseudonymous customer; holds hashes of source ids",
    "interactions": "text, author, name, evidence and source ids are removed, links to them too, identities made up",
    "reported_facts": "moved to the pseudonymous customer",
    "waits": "derived again",
    "conversations": "derived again",
    "rejected_rows": "raw text that names the customer is removed, a name of a file replaced",
    "forgotten_identities": "keeps keyed hashes, so that no load brings the customer back",
    "agents": "employees only",
    "calendar_days": "no personal data",
    "load_runs": "a name of a file that names the customer is replaced",
    "source_status": "no personal data",
    "store_info": "no personal data",
}

__all__ = ["TABLES", "Forgotten", "forget", "made_up_age"]
