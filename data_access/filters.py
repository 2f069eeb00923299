"""Filters are data: one frozen value that yields where-clauses, a sentence, URL parameters and a cache key."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Table, and_, case, false, func, literal, or_
from sqlalchemy.sql.elements import ColumnElement

from data_access.config import MOST_WINDOW_DAYS
from data_access.errors import FilterError
from data_access.vocabulary import (
    CHANNEL_LABELS,
    CHANNELS,
    GRAINS,
    RESPONSE_STATES,
    SENTIMENTS,
    STATE_LABELS,
    TOPIC_LABELS,
    UNKNOWN,
)

TURNED_ROUND = "the period ended before it began"

# What every engine and zone can hold.
EARLIEST_DAY, LATEST_DAY = dt.date(1900, 1, 1), dt.date(2999, 12, 31)
Visibility = Literal["all", "public", "private"]

_LIST_FIELDS = ("channels", "brands", "teams", "age_groups", "topics", "sentiments", "states")
_PARAMETER = {
    "channels": "channel",
    "brands": "brand",
    "teams": "team",
    "age_groups": "age_group",
    "topics": "topic",
    "sentiments": "sentiment",
    "states": "state",
}
_CLOSED_LISTS: dict[str, Sequence[str]] = {
    "channels": CHANNELS,
    "sentiments": SENTIMENTS,
    "states": RESPONSE_STATES,
}


@dataclasses.dataclass(frozen=True)
class Filter:
    """What is looked at. Dates are local, both inclusive; an empty tuple means "all".

    `as_of`, `zone`, `complete_to`, `unknown_time_counts_as`, `within_days` (the N of repeat contacts and of the
    back door), `restated_similarity` and `silent_after_days` are filled in by `resolved`, from the store; queries
    want a resolved filter. `scope_*` limit what a viewer may see and never come from a URL.
    """

    date_from: dt.date | None = None
    date_to: dt.date | None = None
    grain: str = "week"
    channels: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    age_groups: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    sentiments: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    visibility: Visibility = "all"
    as_of: dt.datetime | None = None
    zone: str = ""
    complete_to: tuple[tuple[str, dt.datetime], ...] = ()
    unknown_time_counts_as: str = ""
    with_no_reply_needed: bool = False
    clock: Literal["calendar", "business"] = "calendar"
    business_now: tuple[tuple[str, str, int], ...] = ()
    within_days: int = 0
    restated_similarity: float = 0.0
    silent_after_days: int = 0
    scope_teams: tuple[str, ...] | None = None
    scope_brands: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Reject what cannot be meant; messages name the value."""
        if self.grain not in GRAINS:
            raise FilterError(f"unknown grain {self.grain!r}; known are {', '.join(GRAINS)}")
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise FilterError(f"the period begins ({self.date_from}) after it ends ({self.date_to})")
        for day in (self.date_from, self.date_to):
            if day and not EARLIEST_DAY <= day <= LATEST_DAY:
                raise FilterError(f"{day} is out of range: dates go from {EARLIEST_DAY} to {LATEST_DAY}")
        if self.as_of and not EARLIEST_DAY <= self.as_of.date() <= LATEST_DAY:
            raise FilterError(f"as of {self.as_of} is out of range: dates go from {EARLIEST_DAY} to {LATEST_DAY}")
        for field, name in _PARAMETER.items():
            for value in getattr(self, field):
                check_text(name, value)
        if not 0 <= self.within_days <= MOST_WINDOW_DAYS:
            raise FilterError(f"within {self.within_days} days is out of range: 1 to {MOST_WINDOW_DAYS}")
        for field, known in _CLOSED_LISTS.items():
            for value in getattr(self, field):
                if value not in known:
                    raise FilterError(f"unknown {_PARAMETER[field]} {value!r}; known are {', '.join(known)}")

    def replace(self, **changes: Any) -> Filter:
        """The same filter with some fields changed."""
        return dataclasses.replace(self, **changes)

    # --- to SQL -----------------------------------------------------------------------------------

    @property
    def now(self) -> dt.datetime:
        """`as_of`, naive UTC. Raises FilterError on a filter that was not resolved."""
        if self.as_of is None or not self.zone:
            raise FilterError("the filter has no as_of: resolve it against the store first")
        return self.as_of

    @property
    def window_seconds(self) -> int:
        """The N days within which contacts belong together. Raises FilterError on a filter that was not resolved."""
        if not self.within_days:
            raise FilterError("the filter has no window of days: resolve it against the store first")
        return self.within_days * 86_400

    def bounds_utc(self) -> tuple[dt.datetime | None, dt.datetime | None]:
        """First moment of the period and first moment after it, naive UTC; None where open."""
        start = _local_midnight_utc(self.date_from, self.zone) if self.date_from else None
        end = _local_midnight_utc(self.date_to + dt.timedelta(days=1), self.zone) if self.date_to else None
        return start, end

    def censored_at(self, table: Table) -> ColumnElement[dt.datetime]:
        """The earlier of `as_of` and the source's *complete to*: a stalled feed creates no silence."""
        moments = {source: min(self.now, until) for source, until in self.complete_to}
        if len(set(moments.values())) <= 1:
            return literal(next(iter(moments.values()), self.now))
        return case(
            *((table.c.source == source, literal(moment)) for source, moment in sorted(moments.items())),
            else_=literal(self.now),
        )

    def is_observed_from(
        self, table: Table, start: ColumnElement[Any], until: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Whether everything of that stretch can be known: it ends by now, and no source stopped inside it.

        A source that had stopped before says nothing either way; the row's own source must reach to the end.
        """
        stops = sorted({min(self.now, moment) for _, moment in self.complete_to})
        return and_(until <= self.censored_at(table), *(or_(start > stop, until <= stop) for stop in stops))

    def clauses(self, table: Table, owning_time: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Where-clauses on `conversations` or `waits`, except the response states (see measures)."""
        start, end = self.bounds_utc()
        found: list[ColumnElement[bool]] = [owning_time <= self.now]
        if start is not None:
            found.append(owning_time >= start)
        if end is not None:
            found.append(owning_time < end)
        columns = {
            "channels": table.c.channel,
            "brands": table.c.brand,
            "teams": table.c.team,
            "age_groups": table.c.age_group,
            "topics": table.c.topic,
            "sentiments": table.c.sentiment_label,
        }
        for field, column in columns.items():
            values = getattr(self, field)
            if values:
                found.append(matches_any(column, values))
        if self.visibility != "all":
            found.append(table.c.is_public.is_(self.visibility == "public"))
        for scope, column in ((self.scope_teams, table.c.team), (self.scope_brands, table.c.brand)):
            if scope is not None:
                found.append(column.in_(scope) if scope else false())
        return found

    @property
    def is_limited(self) -> bool:
        """For a viewer who may see some teams or brands only."""
        return self.scope_teams is not None or self.scope_brands is not None

    # --- to words ---------------------------------------------------------------------------------

    def sentence(self) -> str:
        """What is shown, in words, for captions and receipts."""
        parts = [self._period_words()]
        words: dict[str, tuple[str, Callable[[str], str]]] = {
            "channels": ("channel", lambda v: CHANNEL_LABELS[v]),
            "brands": ("brand", str),
            "teams": ("team", str),
            "age_groups": ("age", str),
            "topics": ("topic", _topic_words),
            "sentiments": ("sentiment", str),
            "states": ("state", lambda v: STATE_LABELS[v].lower()),
        }
        for field, (noun, label) in words.items():
            values = getattr(self, field)
            if values:
                parts.append(f"{noun} {listed([label(v) for v in values], 'or')}")
        if self.visibility != "all":
            parts.append(f"{self.visibility} channels only")
        if len(parts) == 1:
            parts.append("everything")
        if self.with_no_reply_needed:
            parts.append("waits that ask for no reply included")
        if self.clock == "business":  # leaves nobody out, so it is said beside "everything", not in its place
            is_always = bool(self.complete_to) and not self.business_now
            hint = " (no opening hours in the settings: all hours count)" if is_always else ""
            parts.append(f"times in business hours{hint}")
        if self.scope_teams is not None:
            parts.append(f"limited to your teams: {', '.join(self.scope_teams) or 'none'}")
        if self.scope_brands is not None:
            parts.append(f"limited to your brands: {', '.join(self.scope_brands) or 'none'}")
        return "; ".join(parts)

    def _period_words(self) -> str:
        if self.date_from and self.date_from == self.date_to:
            return day_words(self.date_from)
        if self.date_from and self.date_to:
            return f"{day_words(self.date_from)} to {day_words(self.date_to)}"
        if self.date_from:
            return f"since {day_words(self.date_from)}"
        if self.date_to:
            return f"up to {day_words(self.date_to)}"
        return "All time"

    # --- to and from URL parameters -----------------------------------------------------------------

    def to_params(self) -> dict[str, str | list[str]]:
        """URL parameters that give this filter back; defaults are left out."""
        params: dict[str, str | list[str]] = {}
        if self.date_from:
            params["from"] = self.date_from.isoformat()
        if self.date_to:
            params["to"] = self.date_to.isoformat()
        if self.grain != "week":
            params["grain"] = self.grain
        for field, name in _PARAMETER.items():
            values = getattr(self, field)
            if values:
                params[name] = list(values)
        if self.visibility != "all":
            params["visibility"] = self.visibility
        if self.with_no_reply_needed:
            params["no_reply_needed"] = "include"
        if self.clock != "calendar":
            params["clock"] = self.clock
        return params

    @staticmethod
    def from_params(params: Mapping[str, Sequence[str]]) -> tuple[Filter, list[str]]:
        """The filter of a URL, and a notice for each value that was dropped because it cannot be read."""
        notices: list[str] = []
        fields: dict[str, Any] = {}
        for name, field in (("from", "date_from"), ("to", "date_to")):
            for value in list(params.get(name, ()))[:1]:
                try:
                    fields[field] = Filter(date_from=dt.date.fromisoformat(value)).date_from
                except (ValueError, FilterError):
                    notices.append(f"{name}={value} is not a date such as 2026-01-31")
        if fields.get("date_from") and fields.get("date_to") and fields["date_from"] > fields["date_to"]:
            first, last = sorted((fields["date_from"], fields["date_to"]))
            fields |= {"date_from": first, "date_to": last}
            notices.append(f"{TURNED_ROUND}: shown from {first} to {last}")
        for name, field, known in (
            ("grain", "grain", GRAINS),
            ("visibility", "visibility", ("all", "public", "private")),
            ("clock", "clock", ("calendar", "business")),
        ):
            for value in list(params.get(name, ()))[:1]:
                if value in known:
                    fields[field] = value
                else:
                    notices.append(f"{name}={value} is none of {', '.join(known)}")
        for field, name in _PARAMETER.items():
            values = [v for v in params.get(name, ()) if v]
            allowed = _CLOSED_LISTS.get(field)
            kept = [v for v in values if is_text(v) and (allowed is None or v in allowed)]
            notices += [f"{name}={v} is unknown" for v in values if v not in kept]
            if kept:
                fields[field] = tuple(dict.fromkeys(kept))
        for value in list(params.get("no_reply_needed", ()))[:1]:
            if value in ("include", "exclude"):
                fields["with_no_reply_needed"] = value == "include"
            else:
                notices.append(f"no_reply_needed={value} is none of include, exclude")
        return Filter(**fields), notices


def _topic_words(topic: str) -> str:
    """A topic in a list joined by "or", which its own label may hold."""
    known = TOPIC_LABELS.get(topic)
    return known.lower().replace(" or ", "/") if known else topic.replace("_", " ")


def is_text(value: str) -> bool:
    """Whether every engine can hold it: no NUL, and no byte of a command line that was not UTF-8."""
    return "\0" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)


def check_text(name: str, value: str) -> None:
    """Raise FilterError for a value that is no text."""
    if not is_text(value):
        raise FilterError(f"{name} {value!r} is not a text in UTF-8")


def matches_any(column: ColumnElement[Any], values: Sequence[str]) -> ColumnElement[bool]:
    """Column is one of the values; 'unknown' also stands for missing."""
    named = [v for v in values if v != UNKNOWN]
    tests: list[ColumnElement[bool]] = []
    if named:
        tests.append(column.in_(named))
    if UNKNOWN in values:
        tests.append(or_(column.is_(None), column == UNKNOWN))
    return or_(*tests) if len(tests) > 1 else tests[0]


def known_or_unknown(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The column with 'unknown' for missing, so that every row has a group."""
    return func.coalesce(column, UNKNOWN)


def all_of(clauses: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Conjunction of clauses."""
    return and_(*clauses)


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names in a sentence: 'a', 'a and b', 'a, b and c'."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)


def day_words(day: dt.date) -> str:
    """A date as people write it, such as 5 Oct 2026."""
    return f"{day.day} {day:%b %Y}"


def previous_period(current: Filter) -> Filter | None:
    """The period of equal length just before; None where the filter has no beginning or end, or is too long."""
    if current.date_from is None or current.date_to is None:
        return None
    length = current.date_to - current.date_from + dt.timedelta(days=1)
    if current.date_from - EARLIEST_DAY < length:
        return None
    return current.replace(date_from=current.date_from - length, date_to=current.date_from - dt.timedelta(days=1))


def _local_midnight_utc(day: dt.date, zone: str) -> dt.datetime:
    local = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(zone))
    return local.astimezone(dt.UTC).replace(tzinfo=None)
