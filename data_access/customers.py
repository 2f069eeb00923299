"""Which customer everything in the store belongs to: evidence in, people out, rows moved.

`stated_identities` holds what conversations and customers files state. When some of it changes, all that hangs
together with it is looked at again (`identities.people_of`), and what belongs to another customer moves:
delete and insert, in the transaction of the load. So any order of loads gives the rows of one load, a decision
by hand can be taken back, and an address that becomes known as shared lets go of those it had joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    collate,
    delete,
    distinct,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from data_access import derive, dialects
from data_access.config import IdentityRules
from data_access.identities import (
    CONVERSATION_KIND,
    IDENTITY_PRIORITY,
    REASONS,
    Decision,
    Identity,
    People,
    Statement,
    customer_of,
    customers_of,
    normalised,
    opaque_id,
    own_customer,
    people_of,
    reason_of_itself,
    split_identity,
)
from data_access.schema import (
    customer_identities,
    customer_records,
    customers,
    event_keys,
    identity_decisions,
    interactions,
    reported_facts,
    stated_identities,
)
from data_access.sources.base import BATCH_ROWS

FILE_FIELDS = ("birth_date", "birth_year", "age_group_given", "segment", "followers", "display_name")

_work = MetaData()


def _temporary(name: str, *columns: str | Column[Any]) -> Table:
    made = (Column(column, Text) if isinstance(column, str) else column for column in columns)
    return Table(name, _work, *made, prefixes=["TEMPORARY"])


def _copy_of(table: Table) -> Table:
    return _temporary(f"moving_{table.name}", *(Column(column.name, column.type) for column in table.columns))


_subjects = _temporary("settle_subjects", "statement_id")
_raw = _temporary("settle_raw", "statement_id", "source", "identity_kind", "given")
_known = _temporary(
    "settle_known",
    "identity_kind",
    "given",
    "identity_value",
    "identity_customer_id",
    "reason",
)
_near = _temporary("settle_near", "identity_kind", "identity_value")
_near_statements = _temporary("settle_statements", "statement_id")
_writers = _temporary("settle_writers", "statement_id", "customer_id", Column("id_count", Integer))
_unsettled = _temporary("settle_unsettled", "customer_id")
_solved = _temporary("settle_solved", "identity_kind", "identity_value", "customer_id", "reason")
_solved_statements = _temporary("settle_answers", "statement_id", "customer_id")
owners = _temporary("settle_owners", "statement_id", "customer_id")
_affected = _temporary("settle_affected", "customer_id")
_keys = _temporary("settle_keys", "a", "b")
_moving = {
    table.name: _copy_of(table) for table in (interactions, reported_facts, stated_identities, customer_records)
}
_TABLES = (_subjects, _raw, _known, _near, _near_statements, _solved, _solved_statements, owners, _affected)
_MOST_NAMED = 5  # lines that a note counts
IDENTITIES_OF = 300_000  # customers whose identities are written at once, in `dialects.ENGINE_MB`
TOLD_OF = 1_000_000  # customers whose events are looked through at once: each time all events are read
FEW_STATEMENTS = 2_000  # up to so many, planning a handful of statements takes longer than looking at each


# --- what is stated -----------------------------------------------------------------------------------


def settle_events(connection: Connection, stage: Table, rules: IdentityRules) -> None:
    """Say whose the staged conversations are: fills `owners`, and moves all stored rows that changed hands.

    `stage` holds rows of `interactions` with `change`: those that are not "same" will replace stored ones.
    """
    _begin(connection)
    s, i = stage.c, interactions.c
    writing = s.change != "same"
    left = select(i.conversation_id).join(stage, and_(s.interaction_id == i.interaction_id, writing))
    _fill(connection, _subjects, union(select(s.conversation_id).where(writing), left))
    unstaged = interactions.outerjoin(stage, s.interaction_id == i.interaction_id)
    _state_conversations(
        connection, rules, _showing(stage), _showing(interactions, unstaged).where(s.interaction_id.is_(None))
    )
    _settle(connection, rules)


def settle_customers(
    connection: Connection, rows: Sequence[Mapping[str, Any]], source: str, rules: IdentityRules
) -> tuple[int, list[str]]:
    """Store or update lines of a customers file and settle who they are; number stored, and notes on lines.

    A newer line of a customer corrects the older one cell by cell, the list of identities as one cell: what it leaves
    out is taken back. An empty cell forgets nothing.
    """
    given = {opaque_id("k", *own): (own, row) for row in rows for own in [_own_id(row, source)]}
    stored = {row.record_id: row for row in _records(connection, list(given))}
    changed, taken_back = [], dict[int, int]()
    for record_id, (own, row) in given.items():
        before = stored.get(record_id)
        cells = {**row, "identities": ";".join(dict.fromkeys(row["identities"] or ())) or None}
        record = {
            name: cells[name] if cells[name] is not None or before is None else getattr(before, name)
            for name in (*FILE_FIELDS, "identities")
        }
        if before is not None and before.identities != record["identities"]:
            old, new = (
                {split_identity(text, rules.phone_region) for text in _listed(texts)}
                for texts in (before.identities, record["identities"])
            )
            taken_back[row["line"]] = len(old - new)
        if before is None or any(getattr(before, name) != value for name, value in record.items()):
            own_columns = {"identity_kind": own[0], "identity_value": own[1], "source": source}
            changed.append({**record, **own_columns, "record_id": record_id, "customer_id": customer_of(own)})
    if changed:
        _begin(connection)
        dialects.bulk_columns(connection, _subjects, {"statement_id": [record["record_id"] for record in changed]})
        subjects = select(_subjects.c.statement_id)
        before_now = select(customer_records.c.customer_id).where(customer_records.c.record_id.in_(subjects))
        _fill(connection, derive.touched, before_now)
        _fill(connection, _affected, before_now)
        connection.execute(delete(customer_records).where(customer_records.c.record_id.in_(subjects)))
        columns = {column.name: [record[column.name] for record in changed] for column in customer_records.columns}
        dialects.bulk_columns(connection, customer_records, columns)
        _state_records(connection, changed, rules)
        _settle(connection, rules)
        now = select(customer_records.c.customer_id).where(customer_records.c.record_id.in_(subjects))
        _fill(connection, derive.touched, now)
        refresh(connection)
    notes = _notes(connection, [row for _, row in given.values()], rules)
    return len(changed), [*_note_on_taken_back(taken_back), *notes]


def settle_all(connection: Connection, rules: IdentityRules) -> None:
    """State and settle everything again, from what the events and the customers files gave."""
    _begin(connection)
    i = interactions.c
    _fill(connection, _subjects, select(i.conversation_id).distinct())
    _state_conversations(connection, rules, _showing(interactions))
    connection.execute(delete(_subjects))
    records = [dict(row) for row in connection.execute(select(customer_records)).mappings()]
    dialects.bulk_columns(connection, _subjects, {"statement_id": [record["record_id"] for record in records]})
    _state_records(connection, records, rules)
    connection.execute(delete(_subjects))
    _fill(connection, _subjects, select(i.conversation_id).distinct())
    _settle(connection, rules)
    _fill(connection, _affected, union(select(customers.c.customer_id), select(i.customer_id)))
    refresh(connection)


def settle_again(
    connection: Connection,
    before: Sequence[str],
    conversations: Sequence[str],
    records: Sequence[str],
    rules: IdentityRules,
) -> None:
    """Settle conversations and lines of customers files whose rows were rewritten.

    `before` are the names under which they stated what they stated; the others are their names now.
    """
    _begin(connection)
    dialects.bulk_columns(connection, _subjects, {"statement_id": list(before)})
    _forget_stated(connection)
    connection.execute(delete(_subjects))
    lines = [dict(row._mapping) for row in _records(connection, records)]
    dialects.bulk_columns(connection, _subjects, {"statement_id": [line["record_id"] for line in lines]})
    _state_records(connection, lines, rules)
    connection.execute(delete(_subjects))
    dialects.bulk_columns(connection, _subjects, {"statement_id": list(conversations)})
    _state_conversations(connection, rules, _showing(interactions))
    _settle(connection, rules)
    _touch_subjects(connection)
    refresh(connection)


def settle_near(connection: Connection, identities: Iterable[Identity], rules: IdentityRules) -> None:
    """Settle all that hangs together with some identities again, as after a decision by hand."""
    _begin(connection)
    pairs = sorted(set(identities))
    dialects.bulk_columns(
        connection,
        _near,
        {"identity_kind": [kind for kind, _ in pairs], "identity_value": [value for _, value in pairs]},
    )
    named = [value for kind, value in pairs if kind == CONVERSATION_KIND]
    if named:
        dialects.bulk_columns(connection, _subjects, {"statement_id": named})
        _state_conversations(connection, rules, _showing(interactions))
    _settle(connection, rules)
    _touch_subjects(connection)
    refresh(connection)


def _touch_subjects(connection: Connection) -> None:
    """Have the customers of the subjects derived again: what is stated may say more of them, also where none moved."""
    theirs = select(owners.c.customer_id).where(owners.c.statement_id.in_(select(_subjects.c.statement_id)))
    _fill(connection, derive.touched, theirs.distinct())


def _showing(table: Table, rows: FromClause | None = None) -> Select[Any]:
    """The events of the subjects, as far as they show who wrote them; what many of them show alike stands there once.

    `rows` is the table joined with others that a condition names.
    """
    names = ("conversation_id", "source", "channel", "customer", "email", "phone", "handle")
    mine = table.c.conversation_id.in_(select(_subjects.c.statement_id))
    return (
        select(*(table.c[name] for name in names)).select_from(table if rows is None else rows).where(mine).distinct()
    )


def given_kinds(source: str, channel: str) -> dict[str, str]:
    """Columns in which an event gives identities, and of which kind each is."""
    return {"customer": f"id:{source}", "email": "email", "phone": "phone", "handle": f"handle:{channel}"}


def given_by(table: FromClause) -> list[Select[Any]]:
    """What the events of a table gave: conversation, source, identity kind, value as given."""
    c = table.c
    kinds: tuple[tuple[ColumnElement[str], ColumnElement[str]], ...] = (
        (func.concat("id:", c.source), c.customer),
        (literal("email"), c.email),
        (literal("phone"), c.phone),
        (func.concat("handle:", c.channel), c.handle),
    )
    return [
        select(c.conversation_id, c.source, kind.label("identity_kind"), given.label("given")).where(
            given.is_not(None)
        )
        for kind, given in kinds
    ]


def _state_conversations(connection: Connection, rules: IdentityRules, *showing: Select[Any]) -> None:
    """Replace what the subjects state by what these events (of `_showing`) show, normalised."""
    shown = union_all(*showing).cte("shown") if len(showing) > 1 else showing[0].cte("shown")
    _fill(connection, _raw, union_all(*given_by(shown)))
    if _has_decisions(connection):
        d = identity_decisions.c
        decided = select(d.identity_value, null(), d.identity_kind, d.identity_value).where(
            d.identity_kind == CONVERSATION_KIND, d.identity_value.in_(select(_subjects.c.statement_id))
        )
        _fill(connection, _raw, decided.distinct())
    _know_given(connection, rules)
    _forget_stated(connection)
    k = _known.c
    stated = (
        select(
            _raw.c.statement_id,
            k.identity_kind,
            k.identity_value,
            func.min(_raw.c.source).label("source"),
            func.min(k.identity_customer_id).label("identity_customer_id"),
            func.min(k.reason).label("reason"),
        )
        .join(_known, and_(k.identity_kind == _raw.c.identity_kind, k.given == _raw.c.given))
        .group_by(_raw.c.statement_id, k.identity_kind, k.identity_value)
        .subquery("stated")
    )
    of = stated.c
    named_after = case((of.reason.is_(None), of.identity_customer_id))
    of_id = case((and_(of.reason.is_(None), of.identity_kind.startswith("id:")), of.identity_customer_id))
    together: dict[str, Any] = {"partition_by": of.statement_id}
    rows_of = {
        # Most are their id's, as will be found: what is at the right place at once need not move.
        "customer_id": func.coalesce(
            func.min(of_id).over(**together), func.min(named_after).over(**together), _unknown(of.statement_id)
        ),
        "is_listed": false(),
        "is_own": false(),
        "is_alone": func.count(named_after).over(**together) == 1,
        **{column.name: column for column in of},
    }
    names = [column.name for column in stated_identities.columns]
    connection.execute(
        insert(stated_identities).from_select(names, select(*(rows_of[name].label(name) for name in names)))
    )
    _look_near(connection)


def _know_given(connection: Connection, rules: IdentityRules) -> None:
    """Fill `settle_known` with the normalised form of all that `settle_raw` holds, each once."""
    given = select(_raw.c.identity_kind, _raw.c.given).distinct()
    # All of them before the first is written: one connection holds one open result.
    for frame in list(dialects.column_batches(connection, given, BATCH_ROWS)):
        for kind in frame["identity_kind"].unique():
            texts = frame["given"][frame["identity_kind"] == kind].tolist()
            values = {text: value for text in texts if (value := normalised(kind, text, rules.phone_region))}
            found = pa.array(values.values(), pa.string())
            columns = {
                "identity_kind": pa.repeat(kind, len(found)),
                "given": pa.array(values.keys(), pa.string()),
                "identity_value": found,
                "identity_customer_id": customers_of(kind, found),
                "reason": pa.array([reason_of_itself(kind, value, rules) for value in values.values()], pa.string()),
            }
            dialects.bulk_insert(connection, _known, pa.table(columns))


def _state_records(connection: Connection, records: Iterable[Mapping[str, Any]], rules: IdentityRules) -> None:
    """Replace what the subjects state by what these lines of customers files say."""
    columns: dict[str, list[Any]] = {column.name: [] for column in stated_identities.columns}
    for record in records:
        own = record["identity_kind"], record["identity_value"]
        listed = [split_identity(text, rules.phone_region) for text in _listed(record["identities"])]
        for kind, value in dict.fromkeys([own, *(pair for pair in listed if pair)]):
            is_own = (kind, value) == own
            row = {
                "customer_id": record["customer_id"],
                "statement_id": record["record_id"],
                "identity_kind": kind,
                "identity_value": value,
                "source": record["source"],
                "is_listed": True,
                "is_own": is_own,
                "is_alone": False,
                "identity_customer_id": customer_of((kind, value)),
                "reason": None if is_own else reason_of_itself(kind, value, rules),
            }
            for name, column in columns.items():
                column.append(row[name])
    _forget_stated(connection)
    dialects.bulk_columns(connection, stated_identities, columns)
    _look_near(connection)


def _forget_stated(connection: Connection) -> None:
    """Delete what the subjects stated so far; those with whom it joined them are looked at again."""
    stated = stated_identities.c.statement_id.in_(select(_subjects.c.statement_id))
    if not dialects.has_rows(connection, select(stated_identities.c.statement_id).where(stated)):
        return
    _look_near(connection)
    connection.execute(delete(stated_identities).where(stated))


def _look_near(connection: Connection) -> None:
    s = stated_identities.c
    stated = (
        select(s.identity_kind, s.identity_value)
        .select_from(stated_identities)
        .outerjoin(_near, _same_identity(_near.c, s))
        .where(
            s.reason.is_(None), s.statement_id.in_(select(_subjects.c.statement_id)), _near.c.identity_kind.is_(None)
        )
    )
    _fill(connection, _near, stated.distinct())


def _is_near(columns: Any) -> ColumnElement[bool]:
    """For small tables only, which every node holds: Citus refuses it of a distributed one (docs/engines.md)."""
    return exists().where(_same_identity(_near.c, columns))


def _same_identity(one: Any, other: Any) -> ColumnElement[bool]:
    return and_(one.identity_kind == other.identity_kind, one.identity_value == other.identity_value)


# --- who is who ---------------------------------------------------------------------------------------


def _begin(connection: Connection) -> None:
    for table in _TABLES:
        dialects.create_temporary(connection, table)


def _settle(connection: Connection, rules: IdentityRules) -> None:
    """Look at all that hangs together with `settle_near` again; fills `owners` and moves what changed hands."""
    is_decided = _has_decisions(connection)
    statement_count = _widen(connection, is_decided=is_decided)
    if statement_count > FEW_STATEMENTS:
        _settle_plain(connection, rules, is_decided=is_decided)
    _settle_others(connection, rules, is_decided=is_decided)
    _find_owners(connection)
    _note_affected(connection)
    for table, key in (
        (interactions, "conversation_id"),
        (reported_facts, "conversation_id"),
        (stated_identities, "statement_id"),
        (customer_records, "record_id"),
    ):
        _move(connection, table, key)
    _refresh_identities(connection)
    if is_decided:
        _keep_split_off(connection)


def _has_decisions(connection: Connection) -> bool:
    return dialects.has_rows(connection, select(identity_decisions.c.decision))


def _note_affected(connection: Connection) -> None:
    """Whose rows may have to be written again: all who had or get what was settled. One after the other, to hold less.

    What is settled grows with all that these customers ever wrote.
    """
    s, i, k, a = stated_identities.c, interactions.c, customer_identities.c, _affected.c
    for rows in (
        select(owners.c.customer_id),
        select(s.customer_id).join(owners, owners.c.statement_id == s.statement_id),
        select(i.customer_id).where(i.conversation_id.in_(select(owners.c.statement_id))),
        select(k.customer_id).join(_near, _same_identity(_near.c, k)),
    ):
        found = rows.distinct().subquery("found")
        # By a join: "not in" is slow on a server, of so many, and Citus refuses "not exists" between these tables.
        noted = found.outerjoin(_affected, a.customer_id == found.c.customer_id)
        _fill(connection, _affected, select(found.c.customer_id).select_from(noted).where(a.customer_id.is_(None)))


def _widen(connection: Connection, *, is_decided: bool) -> int:
    """Follow shared identities and decisions until nothing new is found; number of statements found."""
    s, d = stated_identities.c, identity_decisions.c
    other = identity_decisions.alias("other")
    decided = (
        select(other.c.identity_kind, other.c.identity_value)
        .join(identity_decisions, d.decision == other.c.decision)
        .where(_is_near(d), ~_is_near(other.c))
    )
    beside = (
        select(s.statement_id)
        .join(_near, _same_identity(_near.c, s))
        .outerjoin(_near_statements, _near_statements.c.statement_id == s.statement_id)
        .where(s.reason.is_(None), s.is_alone.is_(False), _near_statements.c.statement_id.is_(None))
        .distinct()
    )
    stated = (
        select(s.identity_kind, s.identity_value)
        .join(_near_statements, _near_statements.c.statement_id == s.statement_id)
        .outerjoin(_near, _same_identity(_near.c, s))
        .where(s.reason.is_(None), _near.c.identity_kind.is_(None))
    )
    sizes = select(
        select(func.count()).select_from(_near).scalar_subquery(),
        select(func.count()).select_from(_near_statements).scalar_subquery(),
    )
    seen = 0
    while True:
        near_count, statement_count = connection.execute(sizes).one()
        if near_count == seen:
            return int(statement_count)
        seen = near_count
        if is_decided:
            _fill(connection, _near, decided.distinct())
        _fill(connection, _near_statements, beside)
        _fill(connection, _near, stated.distinct())


def _settle_plain(connection: Connection, rules: IdentityRules, *, is_decided: bool) -> None:
    """Settle the statements that need no thought at once, and leave the others in `settle_statements`.

    The writer of a statement is its id; without one, its strongest address. Plain are all statements of a writer,
    where each names one id at most and every address that they show is shown together with this writer alone.
    `people_of` would say the same: with an id the addresses have one writer each, so none is shared, chained or of
    two customers; without one they are too few to be shared or chained. The writer is the strongest of all and names
    the customer. A writer that stands in a decision by hand, or one of whose addresses does, is not plain. What is
    left shares no identity with what was settled.
    """
    s, w, u = stated_identities.c, _writers.c, _unsettled.c
    is_id = s.identity_kind.startswith("id:")
    of_statement = and_(w.statement_id == s.statement_id, s.reason.is_(None))
    for table in (_writers, _unsettled):
        dialects.create_temporary(connection, table)
    named = func.coalesce(
        func.min(case((is_id, s.identity_customer_id))),
        dialects.value_at_least(s.identity_customer_id, _rank_of_address(), ~is_id),
    )
    _fill(
        connection,
        _writers,
        select(s.statement_id, named, func.count(case((is_id, 1))))
        .join(_near_statements, _near_statements.c.statement_id == s.statement_id)
        .where(s.reason.is_(None))
        .group_by(s.statement_id),
    )
    shared = (
        select(s.identity_kind, s.identity_value)
        .join(_writers, of_statement)
        .where(~is_id)
        .group_by(s.identity_kind, s.identity_value)
        .having(or_(func.min(w.customer_id) != func.max(w.customer_id), func.min(w.id_count) != func.max(w.id_count)))
        .subquery("shared")
    )
    ids = select(s.identity_customer_id).join(_writers, of_statement)
    writers = select(w.customer_id).select_from(stated_identities).join(_writers, of_statement)
    address_count = func.count(distinct(func.concat(s.identity_kind, "=", s.identity_value)))
    unsettled: list[Select[Any]] = [
        ids.where(is_id, w.id_count != 1),
        writers.join(shared, _same_identity(shared.c, s)).where(w.id_count <= 1),
        writers.where(w.id_count == 0)
        .group_by(w.customer_id)
        .having(address_count > min(rules.shared_after + 1, rules.chained_after)),
    ]
    if is_decided:
        unsettled.append(
            writers.join(identity_decisions, _same_identity(identity_decisions.c, s)).where(w.id_count <= 1)
        )
    _fill(connection, _unsettled, union(*unsettled))
    plain = (
        select(w.statement_id, w.customer_id)
        .outerjoin(_unsettled, u.customer_id == w.customer_id)
        .where(w.id_count <= 1, u.customer_id.is_(None))
    )
    _fill(connection, _solved_statements, plain)
    a = _solved_statements.c
    _fill(
        connection,
        _solved,
        select(s.identity_kind, s.identity_value, func.min(a.customer_id), dialects.typed(null(), _solved.c.reason))
        .join(_solved_statements, a.statement_id == s.statement_id)
        .where(s.reason.is_(None), ~is_id)
        .group_by(s.identity_kind, s.identity_value),
    )
    connection.execute(delete(_near_statements).where(_near_statements.c.statement_id.in_(select(a.statement_id))))


def _rank_of_address() -> ColumnElement[str]:
    """Sorts addresses as `identities.identity_rank` does."""
    s = stated_identities.c
    of_kind = ((s.identity_kind == kind, str(rank)) for kind, rank in IDENTITY_PRIORITY.items())
    rank = case(*of_kind, (s.identity_kind.startswith("handle:"), str(IDENTITY_PRIORITY["handle"])))
    return collate(func.concat(rank, s.identity_kind, "\x01", s.identity_value), "C")


def _settle_others(connection: Connection, rules: IdentityRules, *, is_decided: bool) -> None:
    """Let `people_of` look at the statements in `settle_statements`, alike ones together."""
    names, people = _solve(connection, rules, is_decided=is_decided)
    answered = zip(names, people.of_statement, strict=True)
    rows = [(name, customer or own_customer(name)) for names_of, customer in answered for name in names_of]
    dialects.bulk_columns(
        connection,
        _solved_statements,
        {"statement_id": [name for name, _ in rows], "customer_id": [customer for _, customer in rows]},
    )
    identities = list({**people.of_identity, **people.reasons})
    dialects.bulk_columns(
        connection,
        _solved,
        {
            "identity_kind": [kind for kind, _ in identities],
            "identity_value": [value for _, value in identities],
            "customer_id": [people.of_identity.get(identity) for identity in identities],
            "reason": [people.reasons.get(identity) for identity in identities],
        },
    )


def _solve(connection: Connection, rules: IdentityRules, *, is_decided: bool) -> tuple[list[list[str]], People]:
    """The statements that state more than one identity, alike ones together, and whose they are."""
    s, d = stated_identities.c, identity_decisions.c
    rows = connection.execute(
        select(s.statement_id, s.identity_kind, s.identity_value, s.is_own)
        .join(_near_statements, _near_statements.c.statement_id == s.statement_id)
        .where(s.reason.is_(None))
    )
    stated: defaultdict[str, list[Identity]] = defaultdict(list)
    own: dict[str, Identity] = {}
    for statement_id, kind, value, is_own in rows:
        stated[statement_id].append((kind, value))
        if is_own:
            own[statement_id] = (kind, value)
    alike: defaultdict[Statement, list[str]] = defaultdict(list)
    for statement_id, identities in stated.items():
        alike[Statement(frozenset(identities), own.get(statement_id))].append(statement_id)
    order = sorted(alike, key=lambda one: sorted(one.identities))
    present, decided = set[Identity](), list[Decision]()
    if is_decided:
        beside = (
            select(d.identity_kind, d.identity_value)
            .join(_near, _same_identity(_near.c, d))
            .join(stated_identities, _same_identity(s, d))
            .where(s.reason.is_(None))
        )
        present = {(kind, value) for kind, value in connection.execute(beside.distinct())}
        decided = decisions(connection, select(d.decision).where(_is_near(d)))
    people = people_of(order, present, decided, rules)
    return [alike[statement] for statement in order], people


def decisions(connection: Connection, wanted: Select[Any] | None = None) -> list[Decision]:
    """Decisions by hand, in their order; those of `wanted` only, where it is given."""
    d = identity_decisions.c
    statement = select(identity_decisions).order_by(d.decision, d.side, d.identity_kind, d.identity_value)
    if wanted is not None:
        statement = statement.where(d.decision.in_(wanted))
    sides: defaultdict[tuple[int, str], tuple[set[Identity], set[Identity]]] = defaultdict(lambda: (set(), set()))
    for row in connection.execute(statement):
        sides[row.decision, row.verdict][row.side].add((row.identity_kind, row.identity_value))
    return [
        Decision(number, verdict, (frozenset(one), frozenset(other)))
        for (number, verdict), (one, other) in sides.items()
    ]


def _find_owners(connection: Connection) -> None:
    s, x = stated_identities.c, _solved.c
    of_solved = func.coalesce(x.customer_id, _unknown(s.statement_id))
    alone = (
        select(s.statement_id, case((x.identity_kind.is_(None), s.identity_customer_id), else_=of_solved))
        .select_from(stated_identities)
        .join(_near, _same_identity(_near.c, s))
        .outerjoin(_solved, _same_identity(x, s))
        .where(s.reason.is_(None), s.is_alone.is_(True))
    )
    subjects, r = select(_subjects.c.statement_id), customer_records.c
    stating = union(
        select(s.statement_id).where(s.statement_id.in_(subjects), s.reason.is_(None)),
        select(r.record_id).where(r.record_id.in_(subjects)),
    ).subquery("stating")
    nobody = (
        select(_subjects.c.statement_id, _unknown(_subjects.c.statement_id))
        .outerjoin(stating, stating.c.statement_id == _subjects.c.statement_id)
        .where(stating.c.statement_id.is_(None))
    )
    answered = select(_solved_statements.c.statement_id, _solved_statements.c.customer_id)
    _fill(connection, owners, union_all(answered, alone, nobody.distinct()))


def _unknown(statement_id: ColumnElement[str]) -> ColumnElement[str]:
    """Customer of a conversation whose writer nobody knows, as `own_customer` names them."""
    return literal("a").concat(func.substr(statement_id, 2))


def _move(connection: Connection, table: Table, key: str) -> None:
    """What changed hands moves, whole: delete and insert, for the tables are distributed by customer."""
    of_key = owners.c.statement_id == table.c[key]
    differing = select(table.c[key]).join(owners, of_key).where(table.c.customer_id != owners.c.customer_id)
    if not dialects.has_rows(connection, differing):
        return
    moving = _moving[table.name]
    dialects.create_temporary(connection, moving)
    for customer in (table.c.customer_id, owners.c.customer_id):
        changed = select(customer).select_from(table).join(owners, of_key)
        _fill(connection, derive.touched, changed.where(table.c.customer_id != owners.c.customer_id).distinct())
    new = [owners.c.customer_id if column.name == "customer_id" else column for column in table.columns]
    _fill(
        connection,
        moving,
        select(*new).select_from(table).join(owners, of_key).where(table.c.customer_id != owners.c.customer_id),
    )
    connection.execute(delete(table).where(table.c[key].in_(select(moving.c[key]))))
    _fill(connection, table, select(moving))
    if table is interactions:
        ids = select(moving.c.interaction_id)
        connection.execute(delete(event_keys).where(event_keys.c.interaction_id.in_(ids)))
        connection.execute(
            insert(event_keys).from_select(
                ["interaction_id", "customer_id"], select(moving.c.interaction_id, moving.c.customer_id)
            )
        )
    moving.drop(connection)


# --- what is told of customers ------------------------------------------------------------------------


def _refresh_identities(connection: Connection) -> None:
    """Write `customer_identities` of all who were looked at again.

    An identity that joins stands with its person alone; one that joins nobody with everyone who shows it.
    """
    affected = select(_affected.c.customer_id)
    connection.execute(delete(customer_identities).where(customer_identities.c.customer_id.in_(affected)))
    for initials in _parts_of_affected(connection, IDENTITIES_OF):
        _write_identities(connection, initials)


def _parts_of_affected(connection: Connection, at_once: int) -> list[list[str]]:
    """Initials that divide who was looked at again into parts of about so many; no initials stand for everybody.

    An initial is the first character of the hash that an id is, so each has about as many.
    """
    initial = _initial(_affected.c.customer_id)
    sizes = connection.execute(select(initial, func.count()).group_by(initial).order_by(initial)).all()
    parts = [
        found for found, _ in dialects.packed(((name, count) for name, count in sizes), dialects.at_once(at_once))
    ]
    return parts if len(parts) > 1 else [[]]


def _initial(customer_id: ColumnElement[str]) -> ColumnElement[str]:
    return func.substr(customer_id, 2, 1)


def _is_of(customer_id: ColumnElement[str], initials: Sequence[str]) -> ColumnElement[bool]:
    return _initial(customer_id).in_(initials) if initials else true()


def _write_identities(connection: Connection, initials: Sequence[str]) -> None:
    """Of those who were looked at again: one part of `_parts_of_affected`."""
    s, x, a = stated_identities.c, _solved.c, _affected.c
    affected = select(a.customer_id).where(_is_of(a.customer_id, initials))
    mine = and_(_is_of(s.customer_id, initials), s.customer_id.in_(affected))
    is_theirs = or_(
        s.reason.is_not(None),
        x.identity_kind.is_not(None) & (x.customer_id.is_(None) | (x.customer_id == s.customer_id)),
        x.identity_kind.is_(None),
    )
    connection.execute(
        insert(customer_identities).from_select(
            ["customer_id", "identity_kind", "identity_value", "origin", "reason"],
            select(
                s.customer_id,
                s.identity_kind,
                s.identity_value,
                func.min(s.source),
                func.min(func.coalesce(s.reason, x.reason)),
            )
            .select_from(stated_identities)
            .outerjoin(_solved, and_(x.identity_kind == s.identity_kind, x.identity_value == s.identity_value))
            .where(mine, is_theirs, s.identity_kind != CONVERSATION_KIND)
            .group_by(s.customer_id, s.identity_kind, s.identity_value),
        )
    )


def _keep_split_off(connection: Connection) -> None:
    """Identities that a split made another person, who wrote nothing: the statements stay with the other side.

    Without a row of their own nobody could name them any more, and so take the split back.
    """
    s, x, d = stated_identities.c, _solved.c, identity_decisions.c
    split_off = (
        select(x.customer_id, x.identity_kind, x.identity_value, func.min(s.source).label("origin"))
        .select_from(_solved)
        .join(identity_decisions, _same_identity(d, x))
        .join(stated_identities, _same_identity(s, x))
        .where(d.verdict == "split", x.reason.is_(None), x.identity_kind != CONVERSATION_KIND)
        .group_by(x.customer_id, x.identity_kind, x.identity_value)
        .having(func.count().filter(s.customer_id == x.customer_id) == 0)
    )
    names = ["customer_id", "identity_kind", "identity_value", "origin"]
    connection.execute(insert(customer_identities).from_select(names, split_off))
    _fill(connection, _affected, select(split_off.subquery().c.customer_id))


def refresh(connection: Connection) -> None:
    """Write `customers` again for all who were settled last, from lines of files and from their events.

    Not for all whom the load touched so far: a file of many slices would have everybody written again for each. A
    person of whom only an identity is known, since a split, has a row without anything else.
    """
    connection.execute(delete(customers).where(customers.c.customer_id.in_(select(_affected.c.customer_id))))
    for initials in _parts_of_affected(connection, TOLD_OF):
        _write_customers(connection, initials)
    connection.execute(delete(_affected))


def _write_customers(connection: Connection, initials: Sequence[str]) -> None:
    """Of those who were looked at again: one part of `_parts_of_affected`."""
    i, r, k, a = interactions.c, customer_records.c, customer_identities.c, _affected.c
    affected = select(a.customer_id).where(_is_of(a.customer_id, initials))
    listed = (
        select(r.customer_id, *(func.max(r[name]).label(name) for name in FILE_FIELDS))
        .where(r.customer_id.in_(affected))
        .group_by(r.customer_id)
        .subquery("listed")
    )

    def by_customer(column: Any) -> ColumnElement[Any]:
        return func.coalesce(func.max(column).filter(i.direction == "inbound"), func.max(column))

    seen = (
        select(
            i.customer_id,
            by_customer(i.display_name).label("display_name"),
            by_customer(i.handle).label("handle"),
            func.max(i.audience).label("followers"),
        )
        .where(i.customer_id.in_(affected))
        .group_by(i.customer_id)
        .subquery("seen")
    )
    split_off = select(k.customer_id).where(k.customer_id.in_(affected))
    known = union(select(listed.c.customer_id), select(seen.c.customer_id), split_off).subquery("known")
    values: dict[str, Any] = {
        "customer_id": known.c.customer_id,
        **{name: listed.c[name] for name in FILE_FIELDS},
        "display_name": func.coalesce(listed.c.display_name, seen.c.display_name),
        "followers": func.coalesce(listed.c.followers, seen.c.followers),
        "handle": seen.c.handle,
    }
    connection.execute(
        insert(customers).from_select(
            list(values),
            select(*values.values())
            .select_from(known)
            .outerjoin(listed, listed.c.customer_id == known.c.customer_id)
            .outerjoin(seen, seen.c.customer_id == known.c.customer_id),
        )
    )


def _own_id(row: Mapping[str, Any], source: str) -> Identity:
    kind = f"id:{source}"
    return kind, normalised(kind, row["external_id"]) or row["external_id"]


def _listed(text: str | None) -> list[str]:
    return text.split(";") if text else []


def _records(connection: Connection, record_ids: Sequence[str]) -> Sequence[Any]:
    dialects.create_temporary(connection, _keys)
    dialects.bulk_columns(connection, _keys, {"a": list(record_ids)})
    found = connection.execute(
        select(customer_records).where(customer_records.c.record_id.in_(select(_keys.c.a)))
    ).all()
    _keys.drop(connection)
    return found


def _note_on_taken_back(counts: Mapping[int, int]) -> list[str]:
    """What a load says of identities that an earlier version of a line listed, by line how many."""
    lines = [line for line, count in counts.items() if count]
    if not lines:
        return []
    named = ", ".join(map(str, lines[:_MOST_NAMED])) + (", …" if len(lines) > _MOST_NAMED else "")
    return [
        f"{sum(counts.values()):,} × an identity that an earlier file listed is no longer listed beside its customer "
        f"(line{'s' if len(lines) > 1 else ''} {named}): the file takes it back; an empty cell would keep it"
    ]


def _notes(connection: Connection, rows: Sequence[Mapping[str, Any]], rules: IdentityRules) -> list[str]:
    """Which listed identities turned out to join nobody, line by line, where others showed it."""
    listed = [
        (row["line"], pair)
        for row in rows
        for pair in (split_identity(text, rules.phone_region) for text in row["identities"] or ())
        if pair is not None
    ]
    dialects.create_temporary(connection, _keys)
    pairs = list(dict.fromkeys(pair for _, pair in listed))
    dialects.bulk_columns(connection, _keys, {"a": [kind for kind, _ in pairs], "b": [value for _, value in pairs]})
    c = customer_identities.c
    found = connection.execute(
        select(c.identity_kind, c.identity_value, c.reason)
        .join(_keys, and_(_keys.c.a == c.identity_kind, _keys.c.b == c.identity_value))
        .where(c.reason.in_(["customers", "shared", "chain", "decision", "forgotten"]))
    )
    reasons = {(kind, value): reason for kind, value, reason in found}
    _keys.drop(connection)
    return [
        f"line {line}: the {pair[0]} was not joined: {REASONS[reasons[pair]]}"
        for line, pair in listed
        if pair in reasons
    ]


def _fill(connection: Connection, table: Table, rows: Any) -> None:
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))
