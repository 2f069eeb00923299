"""Filters: local days, words, URLs and back, and what matches."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_access.errors import FilterError
from data_access.filters import Filter, day_words, previous_period
from data_access.queries.response_times import response_times
from data_access.reports import run_report
from data_access.vocabulary import CHANNELS, GRAINS, RESPONSE_STATES, SENTIMENTS

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2050, 12, 31))
WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12), max_size=3, unique=True
).map(tuple)


def some(values):
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


@st.composite
def filters(draw) -> Filter:
    days = sorted([draw(DAYS), draw(DAYS)])
    return Filter(
        date_from=draw(st.sampled_from([None, days[0]])),
        date_to=draw(st.sampled_from([None, days[1]])),
        grain=draw(st.sampled_from(GRAINS)),
        channels=draw(some(CHANNELS)),
        brands=draw(WORDS),
        teams=draw(WORDS),
        age_groups=draw(some(["<18", "18-24", "65+", "unknown"])),
        topics=draw(WORDS),
        sentiments=draw(some(SENTIMENTS)),
        states=draw(some(RESPONSE_STATES)),
        visibility=draw(st.sampled_from(["all", "public", "private"])),
        with_no_reply_needed=draw(st.booleans()),
        clock=draw(st.sampled_from(["calendar", "business"])),
    )


# --- URLs ------------------------------------------------------------------------------------------------------------


@given(filters())
def test_a_filter_survives_the_way_through_a_url(wanted):
    params = {name: [value] if isinstance(value, str) else value for name, value in wanted.to_params().items()}
    again, notices = Filter.from_params(params)
    assert again == wanted
    assert notices == []


def test_the_usual_filter_has_an_empty_url():
    assert Filter().to_params() == {}
    assert Filter.from_params({}) == (Filter(), [])


@pytest.mark.parametrize(
    ("name", "value", "notice"),
    [
        ("from", "yesterday", "from=yesterday is not a date"),
        ("to", "2026-02-30", "to=2026-02-30 is not a date"),
        ("to", "9999-12-31", "to=9999-12-31 is not a date"),
        ("from", "0001-01-01", "from=0001-01-01 is not a date"),
        ("grain", "century", "grain=century is none of day, week, month, quarter"),
        ("channel", "fax", "channel=fax is unknown"),
        ("sentiment", "angry", "sentiment=angry is unknown"),
        ("state", "lost", "state=lost is unknown"),
        ("visibility", "secret", "visibility=secret is none of"),
        ("clock", "sundial", "clock=sundial is none of"),
    ],
)
def test_a_bad_value_in_a_url_is_dropped_with_a_notice_and_the_good_ones_stay(name, value, notice):
    wanted, notices = Filter.from_params({name: [value], "team": ["Mail"]})
    assert wanted == Filter(teams=("Mail",))
    assert len(notices) == 1
    assert notice in notices[0]


def test_a_period_that_ends_before_it_begins_is_read_the_other_way_round_with_a_notice():
    wanted, notices = Filter.from_params({"from": ["2026-03-01"], "to": ["2026-02-01"]})
    assert wanted == Filter(date_from=dt.date(2026, 2, 1), date_to=dt.date(2026, 3, 1))
    assert len(notices) == 1


def test_scopes_never_come_from_a_url():
    wanted, _ = Filter.from_params({"scope_teams": ["Mail"], "scope_brands": ["Acme"], "as_of": ["2020-01-01"]})
    assert wanted == Filter()


@pytest.mark.parametrize(
    "fields", [{"grain": "year"}, {"channels": ("fax",)}, {"states": ("x",)}, {"sentiments": ("x",)}]
)
def test_what_cannot_be_meant_is_refused_by_name(fields):
    with pytest.raises(FilterError, match="known are"):
        Filter(**fields)


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(FilterError, match="begins"):
        Filter(date_from=dt.date(2026, 3, 1), date_to=dt.date(2026, 2, 1))


@pytest.mark.parametrize("day", [dt.date(9999, 12, 31), dt.date(1, 1, 1)])
def test_days_that_no_engine_can_hold_are_refused(day):
    with pytest.raises(FilterError, match="out of range"):
        Filter(date_to=day)
    assert previous_period(Filter(date_from=dt.date(1901, 1, 1), date_to=dt.date(2999, 12, 31))) is None


def test_a_filter_that_was_not_resolved_is_refused_before_any_query(tiny_store_url, opened):
    engine, _ = opened(tiny_store_url)
    with pytest.raises(FilterError, match="resolve"):
        response_times(engine, Filter())


def test_filters_are_values_that_can_key_a_cache():
    assert hash(Filter(channels=("email",))) == hash(Filter(channels=("email",)))
    assert Filter(scope_teams=("a",)) != Filter(scope_teams=("b",)) != Filter()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Filter().grain = "day"


# --- local days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "first", "last", "start", "end"),
    [
        ("UTC", "2026-01-05", "2026-01-05", "2026-01-05 00:00", "2026-01-06 00:00"),
        ("Europe/London", "2026-07-01", "2026-07-31", "2026-06-30 23:00", "2026-07-31 23:00"),
        ("Europe/London", "2026-03-29", "2026-03-29", "2026-03-29 00:00", "2026-03-29 23:00"),  # 23 hours
        ("Europe/London", "2026-10-25", "2026-10-25", "2026-10-24 23:00", "2026-10-26 00:00"),  # 25 hours
        ("Asia/Kolkata", "2026-01-01", "2026-01-01", "2025-12-31 18:30", "2026-01-01 18:30"),
        ("America/New_York", "2026-11-01", "2026-11-01", "2026-11-01 04:00", "2026-11-02 05:00"),
        ("America/Havana", "2026-03-08", "2026-03-08", "2026-03-08 05:00", "2026-03-09 04:00"),  # no midnight
    ],
)
def test_days_are_local_and_both_inclusive_also_when_the_clock_changes(zone, first, last, start, end):
    wanted = Filter(date_from=dt.date.fromisoformat(first), date_to=dt.date.fromisoformat(last), zone=zone)
    assert [str(moment)[:16] for moment in wanted.bounds_utc()] == [start, end]


@given(DAYS, st.sampled_from(["UTC", "Europe/London", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]))
def test_the_days_of_a_zone_follow_one_another_without_gap_or_overlap(day, zone):
    one = Filter(date_from=day, date_to=day, zone=zone).bounds_utc()
    following = day + dt.timedelta(days=1)
    other = Filter(date_from=following, date_to=following, zone=zone).bounds_utc()
    assert one[1] == other[0]
    assert 22 <= (one[1] - one[0]).total_seconds() / 3600 <= 26


def test_an_open_period_has_an_open_end():
    assert Filter(zone="UTC").bounds_utc() == (None, None)
    assert Filter(zone="UTC", date_from=dt.date(2026, 1, 1)).bounds_utc()[1] is None


def test_the_period_before_has_the_same_length_and_ends_the_day_before():
    march = Filter(date_from=dt.date(2026, 3, 1), date_to=dt.date(2026, 3, 31), channels=("email",))
    before = previous_period(march)
    assert (before.date_from, before.date_to) == (dt.date(2026, 1, 29), dt.date(2026, 2, 28))
    assert before.channels == ("email",)
    assert previous_period(Filter(date_from=dt.date(2026, 3, 1))) is None


def test_days_at_the_borders_of_a_period_belong_to_it(tiny_store_url, opened):
    for first, last, count in [(5, 9, 9), (5, 5, 3), (6, 6, 2), (9, 9, 1), (6, 8, 5), (10, 31, 0), (1, 4, 0)]:
        days = {"date_from": dt.date(2026, 1, first), "date_to": dt.date(2026, 1, last)}
        row = response_times(*opened(tiny_store_url, **days)).iloc[0]
        assert row["conversation_count"] == count, (first, last)


def test_a_day_of_another_zone_has_other_rows(tiny_store_url, opened):
    engine, wanted = opened(tiny_store_url, date_from=dt.date(2026, 1, 6), date_to=dt.date(2026, 1, 6))
    # In Auckland (UTC+13) the 6th lasts from the 5th 11:00 to the 6th 11:00 UTC: c3, c4 and c9.
    assert response_times(engine, wanted.replace(zone="Pacific/Auckland")).iloc[0]["conversation_count"] == 3


# --- what matches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"channels": ("email", "chat")}, 6),
        ({"brands": ("Acme",)}, 9),
        ({"brands": ("acme",)}, 0),
        ({"teams": ("Mail",)}, 4),
        ({"teams": ("Mail", "unknown")}, 4),
        ({"age_groups": ("unknown",)}, 4),
        ({"age_groups": ("<18", "65+")}, 3),
        ({"topics": ("billing",)}, 4),
        ({"topics": ("unknown",)}, 1),
        ({"topics": ("unknown", "outage")}, 3),
        ({"sentiments": ("positive",)}, 1),
        ({"visibility": "public"}, 2),
        ({"visibility": "private"}, 7),
        ({"states": ("ignored",)}, 2),
        ({"states": ("answered_late", "waiting")}, 4),
        ({"channels": ("email",), "topics": ("billing",), "states": ("ignored",)}, 1),
        ({"channels": ("letter",)}, 0),
    ],
)
def test_a_filter_matches_what_was_counted_on_paper(tiny_store_url, opened, fields, count):
    engine, wanted = opened(tiny_store_url, **fields)
    assert response_times(engine, wanted).iloc[0]["conversation_count"] == count
    rows = run_report(engine, "conversations", wanted)
    assert (rows["kind"] == "customer_opened").sum() == count


def test_as_of_hides_what_had_not_begun(tiny_store_url, opened):
    rows = run_report(*_named("conversations", opened(tiny_store_url, as_of=dt.datetime(2026, 1, 6, 10, 50))))
    assert set(rows["external_id"]) == {"c1", "c2", "c3", "c4", "c9"}


def _named(name, opened_store):
    engine, wanted = opened_store
    return engine, name, wanted


# --- words -----------------------------------------------------------------------------------------------------------


def test_a_filter_says_in_words_what_is_shown():
    assert Filter().sentence() == "All time; everything"
    wanted = Filter(
        date_from=dt.date(2026, 1, 5),
        date_to=dt.date(2026, 1, 9),
        channels=("web_form", "sms"),
        topics=("lost_parcel",),
        states=("answered_elsewhere",),
        visibility="private",
        scope_teams=("Mail",),
    )
    assert wanted.sentence() == (
        "5 Jan 2026 to 9 Jan 2026; channel Web form or SMS; topic lost parcel; state answered on another channel; "
        "private channels only; limited to your teams: Mail"
    )
    three = Filter(channels=("web_form", "sms", "email"), age_groups=("18-24", "65+"))
    assert three.sentence() == "All time; channel Web form, SMS or Email; age 18-24 or 65+"
    assert Filter(date_from=dt.date(2026, 1, 5)).sentence().startswith("since 5 Jan 2026")
    assert Filter(date_to=dt.date(2026, 1, 5)).sentence().startswith("up to 5 Jan 2026")
    day = dt.date(2026, 1, 5)
    assert Filter(date_from=day, date_to=day).sentence() == "5 Jan 2026; everything"
    assert Filter(clock="business").sentence() == "All time; everything; times in business hours"
    assert Filter(clock="business", channels=("sms",)).sentence() == "All time; channel SMS; times in business hours"
    assert Filter(with_no_reply_needed=True).sentence() == "All time; everything; waits that ask for no reply included"
    assert day_words(dt.date(2026, 12, 31)) == "31 Dec 2026"


@given(filters())
def test_every_filter_has_a_sentence_of_one_line_unless_a_name_has_several(wanted):
    assert wanted.sentence()
