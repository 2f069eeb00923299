"""Business hours: calendars expanded to open segments in UTC, so that business time is an equi-join and arithmetic.

A shift belongs to the local day on which it starts, also overnight; on a holiday no shift starts. Where the
autumn night brings a local time twice, a shift opens and closes at its first coming.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime as dt
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from data_access.errors import MappingError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = ""  # the calendar of teams that never close
_SHIFT = re.compile(r"^\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*$")
_MIDNIGHT_MINUTES = 24 * 60

Segment = tuple[dt.datetime, dt.datetime]


@dataclasses.dataclass(frozen=True)
class Hours:
    """Weekly shifts in force from a local date on: per weekday (Monday first) pairs of minutes of the day.

    An end at or before its start is on the next day.
    """

    since: dt.date | None
    shifts: tuple[tuple[tuple[int, int], ...], ...]


@dataclasses.dataclass(frozen=True)
class Calendar:
    """When a team works, in one IANA zone."""

    name: str
    zone: str
    country: str
    subdivision: str
    closed_days: tuple[dt.date, ...]
    hours: tuple[Hours, ...]

    def hours_on(self, day: dt.date) -> Hours | None:
        """The weekly hours in force on a local day; None before the first."""
        fitting = [h for h in self.hours if h.since is None or h.since <= day]
        return max(fitting, key=lambda h: h.since or dt.date.min) if fitting else None


@dataclasses.dataclass(frozen=True)
class CalendarUse:
    """Which channel, brand or team works by which calendar; the more specific entry wins."""

    calendar: str
    channel: str | None
    brand: str | None
    team: str | None


def calendar_of(name: str, raw: Mapping[str, Any], where: str) -> Calendar:
    """A calendar of the settings. Raises MappingError naming the wrong entry."""
    unknown = sorted(set(raw) - {"zone", "country", "subdivision", "closed_days", "hours"})
    if unknown:
        raise MappingError(
            f"{where}: unknown key {unknown[0]!r}; known are zone, country, subdivision, closed_days, hours"
        )
    zone = raw.get("zone", "")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError) as problem:
        raise MappingError(f"{where}: zone {zone!r} is not an IANA time zone") from problem
    closed_days = raw.get("closed_days", [])
    for day in closed_days if isinstance(closed_days, list) else [closed_days]:
        if not isinstance(day, dt.date) or isinstance(day, dt.datetime):
            raise MappingError(f"{where}: closed_days must be dates such as 2026-01-02, not {day!r}")
    given = raw.get("hours", [])
    is_list = isinstance(given, list) and all(isinstance(entry, dict) for entry in given)
    hours = tuple(_hours_of(entry, f"{where}: hours") for entry in given) if is_list else ()
    if not hours:
        raise MappingError(f"{where}: hours are missing, such as [[calendars.{name}.hours]] mon = ['09:00-17:30']")
    calendar = Calendar(
        name, zone, raw.get("country", ""), raw.get("subdivision", ""), tuple(sorted(closed_days)), hours
    )
    _holidays(calendar, [2026], where)
    return calendar


def _hours_of(raw: Mapping[str, Any], where: str) -> Hours:
    unknown = sorted(set(raw) - {"from", *WEEKDAYS})
    if unknown:
        raise MappingError(f"{where}: unknown key {unknown[0]!r}; known are from, {', '.join(WEEKDAYS)}")
    since = raw.get("from")
    if since is not None and (not isinstance(since, dt.date) or isinstance(since, dt.datetime)):
        raise MappingError(f"{where}: from must be a date such as 2026-01-31, not {since!r}")
    for day in WEEKDAYS:
        if not isinstance(raw.get(day, []), list):
            raise MappingError(f"{where}: {day} must be a list such as ['09:00-17:30'], not {raw[day]!r}")
    return Hours(since, tuple(tuple(_shift(text, where) for text in raw.get(day, [])) for day in WEEKDAYS))


def _shift(text: object, where: str) -> tuple[int, int]:
    match = _SHIFT.match(text) if isinstance(text, str) else None
    if match is None:
        raise MappingError(f"{where}: a shift is written '09:00-17:30', not {text!r}")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start >= _MIDNIGHT_MINUTES or end > _MIDNIGHT_MINUTES or int(match[2]) > 59 or int(match[4]) > 59:
        raise MappingError(f"{where}: {text!r} is no time of day")
    return start, end


def use_of(raw: Mapping[str, Any], calendars: Mapping[str, Calendar], where: str) -> CalendarUse:
    """An entry of `calendar_use`. Raises MappingError naming the wrong entry."""
    unknown = sorted(set(raw) - {"calendar", "channel", "brand", "team"})
    if unknown:
        raise MappingError(f"{where}: unknown key {unknown[0]!r}; known are calendar, channel, brand, team")
    if raw.get("calendar") not in calendars:
        raise MappingError(f"{where}: calendar {raw.get('calendar')!r} is none of {', '.join(calendars) or '(none)'}")
    return CalendarUse(raw["calendar"], raw.get("channel"), raw.get("brand"), raw.get("team"))


def _holidays(calendar: Calendar, years: Sequence[int], where: str = "settings") -> frozenset[dt.date]:
    if not calendar.country:
        return frozenset()
    import holidays  # noqa: PLC0415  (loads slowly, and only where a country is named)

    try:
        found = holidays.country_holidays(calendar.country, subdiv=calendar.subdivision or None, years=list(years))
    except NotImplementedError as problem:
        raise MappingError(f"{where}: country {calendar.country!r} {calendar.subdivision!r}: {problem}") from problem
    return frozenset(found)


def open_segments(calendar: Calendar, first: dt.date, last: dt.date) -> list[Segment]:
    """Stretches of opening whose shift starts on a local day from `first` to `last`, naive UTC, merged, in order."""
    zone = ZoneInfo(calendar.zone)
    closed = _holidays(calendar, range(first.year, last.year + 1)) | frozenset(calendar.closed_days)
    found: list[Segment] = []
    day = first
    while day <= last:
        hours = calendar.hours_on(day)
        if hours is not None and day not in closed:
            for start, end in hours.shifts[day.weekday()]:
                later = day if end > start else day + dt.timedelta(days=1)
                segment = _utc(day, start, zone), _utc(later, end, zone)
                if segment[0] < segment[1]:
                    found.append(segment)
        day += dt.timedelta(days=1)
    return _merged(sorted(found))


def _utc(day: dt.date, minutes: int, zone: ZoneInfo) -> dt.datetime:
    if minutes == _MIDNIGHT_MINUTES:
        day, minutes = day + dt.timedelta(days=1), 0
    local = dt.datetime.combine(day, dt.time(minutes // 60, minutes % 60), tzinfo=zone)
    return local.astimezone(dt.UTC).replace(tzinfo=None)


def _merged(segments: Sequence[Segment]) -> list[Segment]:
    merged: list[Segment] = []
    for start, end in segments:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def day_rows(calendar: Calendar, first: dt.date, last: dt.date) -> Iterator[dict[str, Any]]:
    """Rows of `calendar_days`: per UTC date its open segments, cut at midnight, with the open seconds before.

    A date without opening has one empty segment, so that every date can be joined.
    """
    pieces: dict[dt.date, list[Segment]] = {}
    margin = dt.timedelta(days=2)
    for start, end in open_segments(calendar, first - margin, last + margin):
        at = start
        while at < end:
            midnight = dt.datetime.combine(at.date() + dt.timedelta(days=1), dt.time())
            pieces.setdefault(at.date(), []).append((at, min(end, midnight)))
            at = min(end, midnight)
    before, day = 0, first
    while day <= last:
        midnight = dt.datetime.combine(day, dt.time())
        for start, end in pieces.get(day, [(midnight, midnight)]):
            yield {
                "calendar": calendar.name,
                "day": day,
                "open_at": start,
                "close_at": end,
                "open_seconds_before": before,
            }
            before += int((end - start).total_seconds())
        day += dt.timedelta(days=1)


# Business seconds are counted from here on every calendar, so that later loads never shift them.
FIRST_DAY = dt.date(1995, 1, 1)
LAST_DAY = dt.date(2049, 12, 31)


@functools.lru_cache(maxsize=32)
def _expanded(calendar: Calendar) -> tuple[list[dt.datetime], list[dict[str, Any]]]:
    rows = list(day_rows(calendar, FIRST_DAY, LAST_DAY))
    return [row["open_at"] for row in rows], rows


def expanded(calendar: Calendar) -> list[dict[str, Any]]:
    """All rows of `calendar_days` of one calendar."""
    return _expanded(calendar)[1]


def open_seconds_until(calendar: Calendar, moment: dt.datetime) -> int:
    """Open seconds of the calendar before a naive UTC moment, counted from `FIRST_DAY`."""
    starts, rows = _expanded(calendar)
    place = bisect.bisect_right(starts, moment) - 1
    if place < 0:
        return 0
    row = rows[place]
    length = int((row["close_at"] - row["open_at"]).total_seconds())
    gone = int((moment - row["open_at"]).total_seconds())
    return int(row["open_seconds_before"]) + min(max(gone, 0), length)
