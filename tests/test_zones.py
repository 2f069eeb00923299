"""Local time: offsets spelt out and the engine's own conversion give the same, before and after every change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import DateTime, bindparam, cast, create_engine, select

from data_access import dialects
from data_access.zones import utc_offsets

NOW = dt.datetime(2026, 6, 1)
# Half hours, no summer time, a summer time of half an hour, a day left out.
ZONES = ("UTC", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")


def test_the_offsets_of_london_change_at_one_in_the_morning_utc():
    found = utc_offsets("Europe/London", dt.datetime(2024, 1, 1), dt.datetime(2025, 1, 1))
    hour = dt.timedelta(hours=1)
    assert found == (
        (dt.datetime(2024, 1, 1), 0 * hour),
        (dt.datetime(2024, 3, 31, 1), hour),
        (dt.datetime(2024, 10, 27, 1), 0 * hour),
    )


@pytest.fixture(scope="module")
def clock(postgresql_url):
    """Local times of moments on each engine, by zone."""

    def read(url: str, moments: list[dt.datetime], zone: str) -> list[dt.datetime]:
        statement = select(dialects.local_time(cast(bindparam("at", type_=DateTime), DateTime), zone, NOW))
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return [connection.scalar(statement, {"at": at}) for at in moments]
        finally:
            engine.dispose()

    return {"duckdb": lambda *given: read("duckdb:///:memory:", *given),
            "postgresql": lambda *given: read(postgresql_url, *given)}  # fmt: skip


@pytest.mark.postgresql
@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
@pytest.mark.parametrize("zone", ZONES)
def test_local_time_is_that_of_the_zone_wherever_the_offsets_are_spelt_out_or_not(clock, engine, zone):
    changes = [since for since, _ in utc_offsets(zone, dt.datetime(2015, 1, 1), dt.datetime(2027, 1, 1))]
    moments = [change + dt.timedelta(seconds=seconds) for change in changes for seconds in (-1, 0, 1)]
    moments += [dt.datetime(1971, 7, 1, 12), dt.datetime(2016, 1, 1), dt.datetime(2027, 1, 1)]
    expected = [at.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in moments]
    assert clock[engine](moments, zone) == expected


def test_a_missing_time_has_no_local_time(clock):
    assert clock["duckdb"]([None], "Europe/London") == [None]
