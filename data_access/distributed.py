"""Lay the store out on Citus: large tables in shards by `customer_id`, small ones whole on every node."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, func, select, text

from data_access.errors import StoreError
from data_access.schema import customers, event_keys, metadata, rejected_rows

LAYOUT = "distributed"
# Distributed by what their rows are looked up by, for they have no customer or are asked for the customer.
_OTHER_COLUMNS = {event_keys.name: "interaction_id", rejected_rows.name: "reject_id"}


def distribution_column(table: Table) -> str | None:
    """The column by which a table is distributed; None for a small table that every node holds whole."""
    if table.name in _OTHER_COLUMNS:
        return _OTHER_COLUMNS[table.name]
    return "customer_id" if "customer_id" in table.primary_key.columns else None


def require_citus(connection: Connection) -> None:
    """Raise StoreError where the database cannot distribute tables."""
    if connection.dialect.name != "postgresql":
        raise StoreError("only a PostgreSQL database with the Citus extension can be distributed, not a DuckDB folder")
    if connection.scalar(select(func.to_regproc("create_distributed_table"))) is None:
        raise StoreError(
            "this PostgreSQL has no Citus: install it on every node, then CREATE EXTENSION citus in this database; "
            "without --distributed the store works on one machine"
        )


def lay_out(connection: Connection, tables: Iterable[Table] = ()) -> None:
    """Distribute the given tables (all, where none are given); they exist, and are moved with their rows."""
    require_citus(connection)
    # One transaction makes reference and distributed tables: Citus then works shard after shard.
    connection.execute(text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"))
    wanted = set(tables) or set(metadata.sorted_tables)
    # Customers first: the other tables by customer_id are colocated with them.
    for table in sorted(wanted, key=lambda t: (t is not customers, t.name)):
        column = distribution_column(table)
        if column is None:
            connection.execute(select(func.create_reference_table(table.name)))
        elif column == "customer_id" and table is not customers:
            connection.execute(
                text("SELECT create_distributed_table(:table, :column, colocate_with => :with)"),
                {"table": table.name, "column": column, "with": customers.name},
            )
        else:
            connection.execute(
                text("SELECT create_distributed_table(:table, :column, colocate_with => 'none')"),
                {"table": table.name, "column": column},
            )
