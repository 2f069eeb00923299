"""Bring a store of an older schema version to the present one, in the transaction of whoever writes next.

Structure is compared, not scripted: missing tables and columns are added, a table whose keys or types changed
is copied into its new form, `waits` and `conversations` are made anew and derived again. Only what the rows of
an older version hold in a new column needs words: `_FILLS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Select, Table, insert, null, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.elements import ColumnElement

from data_access import derive, dialects, distributed
from data_access.config import Settings
from data_access.schema import SCHEMA_VERSION, conversations, interactions, metadata, waits
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
    derive.rebuild(connection, settings)
    write_info(connection, schema_version=str(SCHEMA_VERSION))


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
        found.append(f"its key is {', '.join(keys)}")
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
