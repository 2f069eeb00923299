"""Lay the store out on Citus: large tables in shards by `customer_id`, small ones whole on every node."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, column, func, literal_column, select, table, text
from sqlalchemy.sql.elements import ColumnElement

from data_access.errors import StoreError
from data_access.schema import customers, event_keys, metadata, rejected_rows
from data_access.store import write_info

LAYOUT = "distributed"
# Distributed by what their rows are looked up by, for they have no customer or are asked for the customer.
_OTHER_COLUMNS = {event_keys.name: "interaction_id", rejected_rows.name: "reject_id"}


def distribution_column(of: Table) -> str | None:
    """The column by which a table is distributed; None for a small table that every node holds whole."""
    if of.name in _OTHER_COLUMNS:
        return _OTHER_COLUMNS[of.name]
    return "customer_id" if "customer_id" in of.primary_key.columns else None


def require_citus(connection: Connection) -> None:
    """Raise StoreError where the database cannot distribute tables."""
    if connection.dialect.name != "postgresql":
        raise StoreError("only a PostgreSQL database with the Citus extension can be distributed, not a DuckDB folder")
    p = table("pg_proc", column("proname"), column("oid"), schema="pg_catalog").c
    here = select(func.count()).where(p.proname == "create_distributed_table", func.pg_function_is_visible(p.oid))
    if not connection.scalar(here):
        raise StoreError(
            "this PostgreSQL has no Citus: install it on every node, then CREATE EXTENSION citus in this database; "
            "without --distributed the store works on one machine; nothing was created"
        )


def set_up(connection: Connection) -> None:
    """Distribute a new store's tables, and note it: an upgrade then lays out what it makes anew."""
    lay_out(connection)
    write_info(connection, layout=LAYOUT)


def lay_out(connection: Connection, tables: Iterable[Table] = ()) -> None:
    """Distribute the given tables (all, where none are given) with the rows that are in them."""
    require_citus(connection)
    # One transaction makes reference and distributed tables: Citus then works shard after shard.
    connection.execute(text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"))
    wanted = list(tables) or metadata.sorted_tables
    # Customers first: the other tables by customer_id are colocated with them.
    for each in sorted(wanted, key=lambda one: (one is not customers, one.name)):
        by = distribution_column(each)
        if by is None:
            connection.execute(select(func.create_reference_table(_quoted(each.name))))
            continue
        beside = customers.name if by == "customer_id" and each is not customers else "none"
        place = (_quoted(each.name), _quoted(by), _quoted("hash"), _quoted(beside))
        connection.execute(select(func.create_distributed_table(*place)))


def _quoted(name: str) -> ColumnElement[str]:
    """A name of our own as a bare literal, which the server takes for the type that the function wants."""
    return literal_column(f"'{name}'")
