"""Time in the demo company: local days, hours of contact, staffed hours, the clock change of autumn."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from data_access.demo.channels import CONTACT_HOURS, TEAM_HOURS

ZONE_NAME = "Europe/London"
ZONE = ZoneInfo(ZONE_NAME)


def local_to_utc(day: date, seconds: int) -> datetime:
    """Instant of a local wall-clock time; an ambiguous one is the earlier."""
    wall = datetime(day.year, day.month, day.day, tzinfo=ZONE) + timedelta(seconds=seconds)
    return wall.astimezone(UTC)


def draw_time(rng: random.Random, day: date, channel: str) -> datetime:
    """Draw a moment of contact on a local day from the hours in which people use the channel."""
    hour = rng.choices(range(24), CONTACT_HOURS[channel])[0]
    return local_to_utc(day, hour * 3600 + rng.randrange(3600))


@lru_cache(maxsize=8192)
def shift(team: str, day: date) -> tuple[datetime, datetime] | None:
    """Opening and closing instant of a team on a local day, None where it is closed."""
    hours = TEAM_HOURS[team][day.weekday()]
    if hours is None:
        return None
    return local_to_utc(day, hours[0] * 3600), local_to_utc(day, hours[1] * 3600)


def after_staffed(team: str, start: datetime, seconds: float) -> datetime:
    """Instant at which a team has worked so many seconds since `start`."""
    day = start.astimezone(ZONE).date()
    remaining = timedelta(seconds=round(seconds))
    while True:
        hours = shift(team, day)
        if hours is not None and hours[1] > start:
            begin = max(hours[0], start)
            if begin + remaining <= hours[1]:
                return begin + remaining
            remaining -= hours[1] - begin
        day += timedelta(days=1)


def repeated_hour(first_day: date, last_day: date) -> datetime | None:
    """Instant (UTC) at which the local hour that comes twice in autumn begins, if it is in the period."""
    day = first_day
    while day <= last_day:
        before = datetime(day.year, day.month, day.day, tzinfo=ZONE).utcoffset()
        after = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE).utcoffset()
        if before is not None and after is not None and after < before:
            return datetime(day.year, day.month, day.day, 1, tzinfo=ZONE).astimezone(UTC)
        day += timedelta(days=1)
    return None
