"""What a store holds, row by row, to compare two stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from sqlalchemy import Table, select

from data_access.schema import conversations, interactions, waits
from data_access.store import open_reader

# Which load stored a row is no property of the row.
_OF_THE_LOAD = frozenset({"load_run"})


def rows_of(url: str, *tables: Table) -> dict[str, list[tuple[Any, ...]]]:
    """Per table all rows in a fixed order, without what only says which load stored them."""
    engine = open_reader(url)
    found = {}
    with engine.connect() as connection:
        for table in tables or (waits, conversations, interactions):
            columns = [column for column in table.columns if column.name not in _OF_THE_LOAD]
            found[table.name] = sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)
    engine.dispose()
    return found


def frame_of(url: str, table: Table) -> pd.DataFrame:
    """One table as a frame."""
    engine = open_reader(url)
    with engine.connect() as connection:
        result = connection.execute(select(table))
        frame = pd.DataFrame([dict(row) for row in result.mappings()], columns=list(result.keys()))
    engine.dispose()
    return frame


def differing(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> list[str]:
    """Names of the tables that differ."""
    return [name for name in one if one[name] != other[name]]
