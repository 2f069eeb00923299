"""From statement to data frame: declared types, natural order, names with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import ARRAY, Double, Engine, Executable, Select, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.config import age_band_bounds
from data_access.errors import FilterError
from data_access.filters import Filter
from data_access.measures import Measure, dimension, dimension_order
from data_access.vocabulary import UNKNOWN

# Frames are small here: Arrow's strings take more time at each step than they save on long columns.
pd.set_option("mode.string_storage", "python")

DTYPES: Mapping[str, str] = {
    "count": "int64",
    "share": "float64",
    "minutes": "float64",
    "seconds": "float64",
    "at": "datetime64[us]",
    "text": "str",
    "flag": "bool",
}

_ROWS_IN_A_PART = 1_000_000


def fetch(engine: Engine, statement: Executable) -> pd.DataFrame:
    """All rows of a statement; an empty result keeps its column names."""
    with engine.connect() as connection:
        result = connection.execute(statement)
        names = list(result.keys())
        # Plain tuples: pandas asks each row whether it has names, and a row of SQLAlchemy's takes long to say no.
        return pd.DataFrame.from_records([tuple(row) for row in result.all()], columns=names)


def fetch_many(engine: Engine, statement: Executable) -> pd.DataFrame:
    """As `fetch`, for results of very many rows: from DuckDB they come as columns, not row by row."""
    with engine.connect() as connection:
        parts = list(dialects.column_batches(connection, statement, _ROWS_IN_A_PART))
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def typed(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The frame with exactly these columns, in order, each cast to its declared kind (see `DTYPES`)."""
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        values = frame[name]
        if kind == "count":
            columns[name] = values.fillna(0).astype("int64")
        elif kind == "text" and isinstance(values.dtype, pd.StringDtype):
            columns[name] = values.astype("str")
        elif kind == "flag" and values.dtype == bool:
            columns[name] = values
        elif kind == "text":
            columns[name] = values.astype("object").where(values.notna(), None).astype("str")
        elif kind == "flag":
            columns[name] = values.map(lambda value: value is True or value == 1).astype("bool")
        else:
            columns[name] = values.astype(DTYPES[kind])  # type: ignore[call-overload]
    return pd.DataFrame(columns, index=frame.index)


def dimension_kinds(by: Sequence[str]) -> dict[str, str]:
    """Column kinds of dimensions."""
    return {name: "at" if name == "period" else "count" if name in ("hour", "weekday") else "text" for name in by}


def row_query(
    measure: Measure, wanted: Filter, by: Sequence[str], columns: Mapping[str, ColumnElement[Any]]
) -> Select[Any]:
    """One row per counted row: its dimensions and the flags to add up.

    Aggregating over this as a subquery keeps every grouping expression in one place; repeated
    expressions with parameters would not be recognised as equal by every engine.
    """
    if len(set(by)) != len(by):
        raise FilterError(f"a dimension is named twice: {', '.join(by)}")
    dimensions = [dimension(name, measure, wanted).label(name) for name in by]
    return (
        select(*dimensions, *(expression.label(name) for name, expression in columns.items()))
        .select_from(measure.table)
        .where(*measure.clauses(wanted))
    )


def grouped(
    engine: Engine,
    rows: Select[Any],
    by: Sequence[str],
    aggregates: Mapping[str, Any],
) -> pd.DataFrame:
    """Aggregate `rows` by the dimensions; `aggregates` maps a column to a function of the subquery's columns.

    Without dimensions exactly one row.
    """
    return fetch(engine, grouped_query(rows, by, aggregates))


def grouped_query(rows: Select[Any], by: Sequence[str], aggregates: Mapping[str, Any]) -> Select[Any]:
    """The statement of `grouped`."""
    inner = rows.subquery("counted")
    statement = select(
        *(inner.c[name] for name in by),
        *(build(inner.c).label(name) for name, build in aggregates.items()),
    ).select_from(inner)
    if by:
        statement = statement.group_by(*(inner.c[name] for name in by))
    return statement


def summed(counts: pd.DataFrame, dimensions: Sequence[str], by: Sequence[str]) -> pd.DataFrame:
    """Counts that were grouped by `dimensions`, added up to the fewer groups of `by`; without `by` exactly one row."""
    if not by:
        return counts.drop(columns=list(dimensions)).sum().to_frame().T
    dropped = [name for name in dimensions if name not in by]
    return counts.drop(columns=dropped).groupby(list(by), sort=False, as_index=False).sum()


def count_if(name: str) -> Any:
    """Aggregate: rows whose flag is true."""
    return lambda columns: func.count().filter(columns[name].is_(True))


def count_all() -> Any:
    """Aggregate: all rows."""
    return lambda columns: func.count()


def percentile(value: ColumnElement[Any], q: float) -> Any:
    """Aggregate: percentile `q` (0-1), interpolated as `estimates.percentile_of_counts` does; null counts nothing."""
    return func.percentile_cont(q).within_group(value)


def percentiles(value: ColumnElement[Any], *qs: float) -> Any:
    """Aggregate: a list of such percentiles, for the cost of one; null where nothing is counted."""
    wanted: ColumnElement[Any] = literal_column(f"CAST(ARRAY[{', '.join(repr(q) for q in qs)}] AS FLOAT8[])")
    return func.percentile_cont(wanted, type_=ARRAY(Double)).within_group(value)


def _age_place(band: str) -> int:
    return 1000 if band == UNKNOWN else age_band_bounds(band)[0]


def in_natural_order(frame: pd.DataFrame, by: Sequence[str], size: str) -> pd.DataFrame:
    """Sort by time and natural order where a dimension has one, else by size, largest first; unknown last."""
    if not by or frame.empty:
        return frame.reset_index(drop=True)
    keys = pd.DataFrame(index=frame.index)
    for name in by:
        order = dimension_order(name)
        if name in ("period", "hour", "weekday"):
            keys[name] = frame[name]
        elif name == "age_group":
            keys[name] = frame[name].map(_age_place)
        elif order is not None and name != "channel":
            keys[name] = frame[name].map({value: place for place, value in enumerate(order)}).fillna(len(order))
        else:
            totals = frame.groupby(name)[size].sum()
            ranked = sorted(totals.index, key=lambda value: (value == UNKNOWN, -totals[value], value))
            keys[name] = frame[name].map({value: place for place, value in enumerate(ranked)})
    return frame.loc[keys.sort_values(list(keys.columns), kind="stable").index].reset_index(drop=True)
