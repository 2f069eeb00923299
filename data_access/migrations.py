"""Bring a store of an older schema version to the present one, in the transaction of whoever writes next.

Structure is compared, not scripted: missing tables and columns are added, a table whose keys or types changed
is copied into its new form, `waits` and `conversations` are made anew and derived again. Only what the rows of
an older version hold in a new column needs words: `_FILLS`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Select, Table, and_, func, insert, null, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.elements import ColumnElement

from data_access import customers as settling
from data_access import derive, dialects, distributed
from data_access.config import Settings
from data_access.identities import Identity, identity_rank, opaque_id
from data_access.schema import (
    SCHEMA_VERSION,
    conversations,
    customer_identities,
    customer_records,
    customers,
    interactions,
    load_runs,
    metadata,
    waits,
)
from data_access.store import open_writer, read_info, stored_schema_version, write_info

DERIVED = (waits, conversations)


def _first_inbound(before: Table) -> ColumnElement[Any]:
    """Version 1 kept one row of facts per conversation: they are those of its first inbound interaction."""
    i = interactions.c
    return (
        select(i.interaction_id)
        .where(
            i.customer_id == before.c.customer_id,
            i.conversation_id == before.c.conversation_id,
            i.direction == "inbound",
        )
        .order_by(i.occurred_at, i.interaction_id)
        .limit(1)
        .correlate(before)
        .scalar_subquery()
    )


# Table and column to what the rows of a version without the column hold in it; null where it is not named.
_FILLS: dict[tuple[str, str], Callable[[Table], ColumnElement[Any]]] = {
    ("reported_facts", "interaction_id"): _first_inbound,
    ("rejected_rows", "last_load_run"): lambda before: before.c.load_run,
}


def upgrade(url: str) -> tuple[int, int]:
    """Migrate the store to the present schema now; its version before and after (equal: nothing was done)."""
    before = stored_schema_version(url)
    if before != SCHEMA_VERSION:  # a newer one is refused by the writer
        with open_writer(url):
            pass
    return before, stored_schema_version(url)


def migrate_forward(connection: Connection, settings: Settings) -> None:
    """Give the open store the present structure and derive it again; the caller's transaction publishes it."""
    is_distributed = read_info(connection).get("layout") == distributed.LAYOUT
    made = [table for table in metadata.sorted_tables if _brought_up(connection, table)]
    if is_distributed:
        distributed.lay_out(connection, made)
    if customer_records in made:
        _state_what_joined(connection)
        derive.begin_touched(connection)
        settling.settle_all(connection, settings.identity)
    derive.rebuild(connection, settings)
    write_info(connection, schema_version=str(SCHEMA_VERSION))


def _state_what_joined(connection: Connection) -> None:
    """Version 1 knew whose an identity is, not where it stood: let rows say it from which the joins can be made again.

    Events name the identities of their customer, of each kind one. A line of a customers file lists all of
    them where that is not enough: of several of one kind, and of customers of whom a file told more than their id.
    """
    i, k, c = interactions.c, customer_identities.c, customers.c

    def one_of(kind: Any) -> ColumnElement[Any]:
        mine = and_(k.customer_id == i.customer_id, k.identity_kind == kind)
        return select(func.min(k.identity_value)).where(mine).correlate(interactions).scalar_subquery()

    kinds = settling.given_kinds("", "")
    values = {
        name: one_of(func.concat(kind, i.source if name == "customer" else i.channel) if kind.endswith(":") else kind)
        for name, kind in kinds.items()
    }
    shown = select(func.max(c.display_name)).where(c.customer_id == i.customer_id)
    values["display_name"] = shown.correlate(interactions).scalar_subquery()
    connection.execute(interactions.update().values(values))
    files = set(connection.scalars(select(load_runs.c.source).where(load_runs.c.adapter == "customers").distinct()))
    identities: defaultdict[str, list[Identity]] = defaultdict(list)
    for row in connection.execute(select(k.customer_id, k.identity_kind, k.identity_value)):
        identities[row.customer_id].append((row.identity_kind, row.identity_value))
    columns: dict[str, list[Any]] = {column.name: [] for column in customer_records.columns}
    for person in connection.execute(select(customers).order_by(c.customer_id)).mappings():
        mine = sorted(identities[person["customer_id"]], key=identity_rank)
        listed_in = [(kind, value) for kind, value in mine if kind.removeprefix("id:") in files]
        is_told = any(person[name] is not None for name in ("birth_date", "birth_year", "age_group_given", "segment"))
        is_ambiguous = len({kind for kind, _ in mine}) < len(mine)
        if not (listed_in or is_told or is_ambiguous):
            continue
        own = listed_in[0] if listed_in else ("id:schema-1", person["customer_id"])
        record = {
            **{name: person[name] for name in settling.FILE_FIELDS},
            "customer_id": person["customer_id"],
            "record_id": opaque_id("k", *own),
            "identity_kind": own[0],
            "identity_value": own[1],
            "source": own[0].removeprefix("id:"),
            "identities": ";".join(f"{kind}={value}" for kind, value in mine if (kind, value) != own) or None,
        }
        for name, cells in columns.items():
            cells.append(record[name])
    dialects.bulk_columns(connection, customer_records, columns)


def differences(connection: Connection, table: Table) -> list[str]:
    """What a stored table has otherwise than it is declared; empty where they agree."""
    stored = dialects.stored_columns(connection, table.name)
    if not stored:
        return ["is missing"]
    found = [f"{name} is no longer declared" for name in stored if name not in table.c]
    for column in table.columns:
        if column.name not in stored:
            found.append(f"{column.name} is missing" if column.nullable else f"{column.name} must be filled")
        elif stored[column.name] != dialects.declared_column(column):
            found.append(f"{column.name} is {stored[column.name]}, not {dialects.declared_column(column)}")
    keys = dialects.stored_keys(connection, table.name)
    if keys is not None and keys != [column.name for column in table.primary_key.columns]:
        shown = ", ".join(keys) or "missing, or hidden from this role: the owner of the tables sees it"
        found.append(f"its key is {shown}")
    return found


def _brought_up(connection: Connection, table: Table) -> bool:
    """Bring one table to its declared structure; True where it was made anew."""
    found = differences(connection, table)
    if found == ["is missing"]:
        connection.execute(CreateTable(table))
        return True
    if table in DERIVED:
        connection.execute(DropTable(table))
        connection.execute(CreateTable(table))
        return True
    if all(difference.endswith(" is missing") for difference in found):
        for difference in found:
            column = table.c[difference.removesuffix(" is missing")]
            dialects.add_column(connection, table, column)
            _fill_added(connection, table, column)
        return False
    _copy_into_new_form(connection, table)
    return True


def _fill_added(connection: Connection, table: Table, column: Column[Any]) -> None:
    fill = _FILLS.get((table.name, column.name))
    if fill is not None:
        connection.execute(table.update().values({column.name: fill(table)}))


def _copy_into_new_form(connection: Connection, table: Table) -> None:
    stored = dialects.stored_columns(connection, table.name)
    old = f"{table.name}_before"
    dialects.rename_table(connection, table, old)
    before = Table(
        old, MetaData(), *(Column(name, table.c[name].type if name in table.c else None) for name in stored)
    )
    connection.execute(CreateTable(table))
    connection.execute(insert(table).from_select([c.name for c in table.columns], _as_declared(table, before)))
    connection.execute(DropTable(before))


def _as_declared(table: Table, before: Table) -> Select[Any]:
    def value(column: Column[Any]) -> ColumnElement[Any]:
        fill = _FILLS.get((table.name, column.name))
        if column.name in before.c:
            return sql_cast(before.c[column.name], column.type)
        return sql_cast(fill(before) if fill else null(), column.type)

    return select(*(value(column).label(column.name) for column in table.columns)).select_from(before)


__all__ = ["DERIVED", "differences", "migrate_forward", "upgrade"]
