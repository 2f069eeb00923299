"""Local times of a zone, and its offsets from UTC spelt out, so that no engine has to convert every row."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


def local(at: dt.datetime, zone: str) -> dt.datetime:
    """A naive UTC moment as the clocks of `zone` show it, aware of that zone."""
    return at.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone))


@lru_cache(maxsize=64)
def utc_offsets(zone: str, begin: dt.datetime, end: dt.datetime) -> tuple[tuple[dt.datetime, dt.timedelta], ...]:
    """The offsets in force from `begin` until before `end`: since which moment, and local time less UTC.

    Moments are naive UTC, oldest first; the first is `begin`. No zone changes its offset twice in one day.
    """

    def offset(at: dt.datetime) -> dt.timedelta:
        return local(at, zone).utcoffset() or dt.timedelta()

    found = [(begin, offset(begin))]
    at = begin
    while at < end:
        following = min(at + _DAY, end)
        if offset(following) != offset(at):
            before, since = at, following
            while since - before > _SECOND:
                middle = before + (since - before) // 2
                if offset(middle) == offset(at):
                    before = middle
                else:
                    since = middle
            # Offsets change on whole seconds; halving may have left a part of one.
            since = since.replace(microsecond=0)
            found.append((since, offset(following)))
        at = following
    return tuple(entry for entry in found if entry[0] < end)
