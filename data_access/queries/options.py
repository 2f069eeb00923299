"""What can be chosen in the filter bar."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlalchemy import Engine, func, select, union

from data_access.errors import FilterError
from data_access.filters import Filter, known_or_unknown
from data_access.schema import conversations, waits
from data_access.vocabulary import UNKNOWN

_NEAREST = 3


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


def unknown_values(engine: Engine, wanted: Filter, age_bands: Sequence[str]) -> list[str]:
    """A phrase for each value of the filter that the store has nowhere, with the nearest that it has.

    Brands, teams and topics are the data's own words: a misspelt one is no error, but must not pass in silence.
    Raises FilterError for an age group that is neither in the settings nor in the store, as for a channel.
    """
    bands = list(dict.fromkeys((*age_bands, UNKNOWN, *_stored(engine, "age_group"))))
    for value in wanted.age_groups:
        if value not in bands:
            raise FilterError(f"unknown age group {value!r}; known are {', '.join(bands)}")
    found = []
    for name, values in (("brand", wanted.brands), ("team", wanted.teams), ("topic", wanted.topics)):
        named = [value for value in values if value != UNKNOWN]
        stored = _stored(engine, name) if named else []
        found += [
            f"no {name} {value!r} in the store ({_near(value, stored)})" for value in named if value not in stored
        ]
    return found


def _stored(engine: Engine, name: str) -> list[str]:
    both = union(select(conversations.c[name].label("value")), select(waits.c[name].label("value"))).subquery("both")
    statement = select(both.c.value).where(both.c.value.is_not(None)).order_by(both.c.value)
    with engine.connect() as connection:
        return [str(value) for value in connection.scalars(statement)]


def _near(value: str, stored: Sequence[str]) -> str:
    spelt = {known.casefold(): known for known in stored}
    near = difflib.get_close_matches(value.casefold(), spelt, n=_NEAREST, cutoff=0.5)
    if near:
        return f"nearest: {', '.join(spelt[known] for known in near)}"
    return (
        f"known: {', '.join(stored[:_NEAREST])}{' …' if len(stored) > _NEAREST else ''}" if stored else "it has none"
    )
