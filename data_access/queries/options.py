"""What can be chosen in the filter bar."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from data_access.filters import Filter, known_or_unknown
from data_access.schema import conversations


def filter_options(engine: Engine, wanted: Filter) -> dict[str, list[str]]:
    """Values of each dimension in the store, most frequent first, within the viewer's scope, of all time."""
    scope = Filter(
        as_of=wanted.as_of, zone=wanted.zone, scope_teams=wanted.scope_teams, scope_brands=wanted.scope_brands
    )
    found = {}
    with engine.connect() as connection:
        for name in ("channel", "brand", "team", "age_group", "topic"):
            value = known_or_unknown(conversations.c[name]).label("value")
            rows = select(value).where(*scope.clauses(conversations, conversations.c.opened_at)).subquery("rows")
            statement = select(rows.c.value).group_by(rows.c.value).order_by(func.count().desc(), rows.c.value)
            found[name] = [str(row) for row in connection.scalars(statement)]
    return found
