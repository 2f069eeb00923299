"""Business time equals a slow minute-by-minute count: over DST nights, overnight shifts, holidays and changes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from data_access.calendars import calendar_of, open_seconds_until, open_segments
from data_access.cli import main
from data_access.config import read_settings, settings_from_json
from data_access.errors import MappingError
from data_access.loader import LoadOrder, load, rebuild
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.response_times import reply_times, response_times
from data_access.schema import conversations, waits
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader

OFFICE = {
    "zone": "Europe/London",
    "country": "GB",
    "closed_days": [dt.date(2026, 10, 23)],
    "hours": [
        {day: ["09:00-12:30", "13:00-17:30"] for day in ("mon", "tue", "wed", "thu", "fri")},
        {"from": dt.date(2026, 6, 1), "mon": ["10:00-18:00"], "sat": ["22:00-06:00"], "sun": ["00:30-01:30"]},
    ],
}
NIGHT = {"zone": "America/New_York", "hours": [{day: ["20:00-04:00"] for day in ("mon", "fri", "sat", "sun")}]}
HOLIDAYS = {dt.date(2026, 12, 25), dt.date(2026, 12, 28), dt.date(2026, 5, 25), dt.date(2026, 4, 3)}


def slow_open_minutes(raw: dict, start: dt.datetime, end: dt.datetime) -> int:
    """Count minute by minute whether a shift is running, from the weekly hours as written."""
    zone = ZoneInfo(raw["zone"])
    minutes = 0
    at = start
    while at < end:
        minutes += _is_open(raw, zone, at)
        at += dt.timedelta(minutes=1)
    return minutes


def _is_open(raw: dict, zone: ZoneInfo, at: dt.datetime) -> bool:
    local_day = at.replace(tzinfo=dt.UTC).astimezone(zone).date()
    for day in (local_day - dt.timedelta(days=1), local_day):
        if day in raw.get("closed_days", ()) or (raw.get("country") == "GB" and day in HOLIDAYS):
            continue
        versions = [h for h in raw["hours"] if h.get("from", dt.date.min) <= day]
        hours = max(versions, key=lambda h: h.get("from", dt.date.min))
        for shift in hours.get(day.strftime("%a").lower(), ()):
            opens, closes = (dt.time.fromisoformat(part) for part in shift.split("-"))
            last = day if closes > opens else day + dt.timedelta(days=1)
            begin = dt.datetime.combine(day, opens, tzinfo=zone).astimezone(dt.UTC).replace(tzinfo=None)
            finish = dt.datetime.combine(last, closes, tzinfo=zone).astimezone(dt.UTC).replace(tzinfo=None)
            if begin <= at < finish:
                return True
    return False


# Weeks with a clock change, a holiday, a change of hours, and an ordinary one.
WEEKS = [dt.datetime(2026, 3, 27), dt.datetime(2026, 10, 22), dt.datetime(2026, 12, 23), dt.datetime(2026, 5, 29)]


@settings(max_examples=60, deadline=None)
@given(
    week=st.sampled_from(WEEKS),
    offset=st.integers(0, 4 * 24 * 60),
    length=st.integers(0, 3 * 24 * 60),
    raw=st.sampled_from([OFFICE, NIGHT]),
)
def test_open_time_between_two_moments_equals_the_minute_by_minute_count(week, offset, length, raw):
    calendar = calendar_of("x", raw, "test")
    start = week + dt.timedelta(minutes=offset)
    end = start + dt.timedelta(minutes=length)
    fast = open_seconds_until(calendar, end) - open_seconds_until(calendar, start)
    assert fast == slow_open_minutes(raw, start, end) * 60


def test_an_overnight_shift_over_the_autumn_night_is_an_hour_longer():
    calendar = calendar_of("x", OFFICE, "test")
    (segment,) = open_segments(calendar, dt.date(2026, 10, 24), dt.date(2026, 10, 24))
    assert segment == (dt.datetime(2026, 10, 24, 21), dt.datetime(2026, 10, 25, 6))  # 22:00 BST to 06:00 GMT: 9 h


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({**OFFICE, "zone": "Mars/Base"}, "not an IANA time zone"),
        ({**OFFICE, "hours": [{"mon": ["9 to 5"]}]}, "09:00-17:30"),
        ({**OFFICE, "hours": [{"mon": ["09:00-25:00"]}]}, "no time of day"),
        ({**OFFICE, "country": "Atlantis"}, "Atlantis"),
        ({**OFFICE, "opening": 1}, "unknown key 'opening'"),
        ({"zone": "UTC"}, "hours are missing"),
    ],
)
def test_a_mistake_in_a_calendar_is_named(raw, words):
    with pytest.raises(MappingError, match=words):
        calendar_of("office", raw, "settings.toml: calendars.office")


MESSAGES = """\
id,conversation,direction,occurred_at,team,is_complaint
1,a,inbound,2026-10-16T16:30:00Z,Mail,true
2,a,outbound,2026-10-19T09:30:00Z,Mail,
3,b,inbound,2026-10-17T12:00:00Z,Mail,true
4,c,inbound,2026-10-16T16:30:00Z,Night,true
5,c,outbound,2026-10-16T17:30:00Z,Night,
6,d,inbound,2026-10-20T16:00:00Z,Night,false
"""
SETTINGS = """\
zone = "Europe/London"
[calendars.office]
zone = "Europe/London"
country = "GB"
[[calendars.office.hours]]
mon = ["09:00-17:30"]
tue = ["09:00-17:30"]
fri = ["09:00-17:30"]
[[calendar_use]]
calendar = "office"
team = "Mail"
[[thresholds]]
channel = "email"
team = "Mail"
clock = "business"
target = "2 h"
ignored_after = "4 h"
"""


@pytest.fixture
def office_url(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    file = tmp_path / "m.csv"
    file.write_text(MESSAGES, encoding="utf-8")
    columns = {n: n for n in ("id", "conversation", "direction", "occurred_at", "team", "is_complaint")}
    mapping = mapping_of({"source": "mail", "columns": columns, "constants": {"channel": "email"}}, "test")
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(file, "csv", mapping)])
    return url


def test_both_clocks_stand_side_by_side_and_due_times_follow_the_clock_of_the_threshold(office_url):
    engine = open_reader(office_url)
    with engine.connect() as connection:
        rows = connection.execute(
            select(waits, conversations.c.external_id)
            .join(conversations, conversations.c.conversation_id == waits.c.conversation_id)
            .order_by(conversations.c.external_id)
        ).all()
    a, b, c, d = rows
    # Friday 17:30 BST is closing time: the office opens again on Monday 09:00 BST = 08:00 UTC.
    assert a.response_seconds == (2 * 24 + 17) * 3600
    assert a.business_response_seconds == 90 * 60  # Monday 09:00 to 10:30 local
    assert a.target_due_at == dt.datetime(2026, 10, 19, 10)  # 2 business hours after Monday 08:00 UTC
    assert a.complaint_ignored_due_at == dt.datetime(2026, 10, 19, 12)
    assert b.calendar == "office"
    assert b.business_response_seconds is None
    # The night team works at all hours: both clocks are one.
    assert (c.response_seconds, c.business_response_seconds) == (3600, 3600)
    assert c.target_due_at == dt.datetime(2026, 10, 17, 0, 30)
    assert d.calendar == ""


def test_the_clock_switches_the_times_shown_and_not_the_target(office_url, opened):
    engine, calendar = opened(office_url)
    _, business = opened(office_url, clock="business")
    slow, fast = response_times(engine, calendar).iloc[0], response_times(engine, business).iloc[0]
    assert slow["median_minutes_answered"] == (65 * 60 + 60) / 2
    assert fast["median_minutes_answered"] == (90 + 60) / 2
    assert slow["in_target_count"] == fast["in_target_count"] == 2


@pytest.mark.parametrize(
    ("report", "as_of", "is_young"),
    [
        (ignored_complaints, (11, 59), True),
        (ignored_complaints, (12, 0), False),
        (response_times, (9, 59), True),
        (response_times, (10, 0), False),
        (reply_times, (9, 59), True),
        (reply_times, (10, 0), False),
    ],
)
def test_a_period_is_provisional_until_the_opening_hours_of_its_threshold_ran_out(
    office_url, opened, report, as_of, is_young
):
    """Two opening hours of the target, four of *ignored after*, from Friday's close on end on Monday."""
    engine, wanted = opened(office_url, as_of=dt.datetime(2026, 10, 19, *as_of), teams=("Mail",))
    assert report(engine, wanted).iloc[0]["is_provisional"] == is_young


def test_changing_a_calendar_derives_again_and_the_calendar_in_force_applies(office_url, tmp_path):
    path = tmp_path / "store" / "settings.toml"
    path.write_text(
        SETTINGS.replace(
            "[[calendar_use]]",
            '[[calendars.office.hours]]\nfrom = 2026-10-19\nmon = ["10:00-12:00"]\n[[calendar_use]]',
        ),
        encoding="utf-8",
    )
    rebuild(office_url)
    with open_reader(office_url).connect() as connection:
        row = connection.execute(select(waits).where(waits.c.response_seconds == 65 * 3600)).one()
    assert row.business_response_seconds == 30 * 60  # Monday 10:00 to 10:30


def test_settings_with_calendars_survive_being_stored(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    found = read_settings(path)
    assert settings_from_json(found.to_json()) == found
    assert found.calendar_for("email", None, "Mail") == "office"
    assert found.calendar_for("email", None, "Night") == ""


def test_check_numbers_holds_on_the_business_clock(office_url):
    assert main(["check", "--numbers", "--clock", "business", "--store", office_url]) == 0
