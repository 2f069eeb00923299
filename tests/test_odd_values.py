"""Odd values of filters and cells, on the command line and in URLs: words, never a traceback, never other rows."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from data_access.cli import main
from data_access.errors import FilterError, FrontdoorError
from data_access.filters import Filter
from data_access.measures import DIMENSIONS, MEASURES, Selection, parse_cell
from data_access.queries.conversations import count_rows, selected_rows
from data_access.store import open_reader, read_status, resolved
from pages.components import selection

MAIN = Path(__file__).resolve().parents[1] / "pages" / "main.py"

REFUSED_OPTIONS = (
    ("--to", "9999-12-31"),
    ("--from", "0001-01-01"),
    ("--from", "yesterday"),
    ("--as-of", "9999-12-31T23:59:59-05:00"),
    ("--as-of", "9999-12-31T23:59:59"),
    ("--as-of", "0001-01-01"),
    ("--as-of", "0001-01-01T00:00:00+14:00"),
    ("--as-of", "now"),
)
REFUSED_CELLS = (
    *("period=9999-12-31", "period=0001-01-01", "period=2999-12-31", "period=soon", "period=2026-01-05 or so"),
    *(f"hour={odd}" for odd in ("inf", "-inf", "1e400", "1e18", "nan", "24", "-1", "1.5", "noon", "")),
    *(f"weekday={odd}" for odd in ("inf", "nan", "0", "8", "1e18", "Monday")),
    *(f"within_minutes={odd}" for odd in ("inf", "nan", "1e400", "1e18", "-1", "long")),
    *("colour=red", "channel", "age=1 to 4 hours", "state=ignored"),
)


def run(*arguments: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
    return status, out.getvalue(), err.getvalue()


reader = functools.cache(open_reader)


# --- the command line


@pytest.mark.parametrize("option", REFUSED_OPTIONS, ids=" ".join)
def test_a_time_that_cannot_be_meant_is_refused_in_one_line(tiny_store_url, option):
    status, out, err = run("report", "response_times", "--store", tiny_store_url, *option)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


@pytest.mark.parametrize("cell", REFUSED_CELLS)
def test_a_cell_that_cannot_be_meant_is_refused_in_one_line(tiny_store_url, cell):
    status, out, err = run(
        "report", "conversations", "--store", tiny_store_url, "--measure", "answered_timed", "--cell", cell
    )
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("hour=9", 2), ("hour=09", 2), ("weekday=1", 2), ("within_minutes=60", 3), ("period=2026-01-05", 4)],
)
def test_a_cell_that_can_be_meant_opens_its_rows(tiny_store_url, cell, expected):
    # c1 after 60, c2 after 600, c4 never here, c6 after 1, c9 after 10 minutes; c1 and c2 began on Monday at 9:00
    status, out, _ = run(
        *("report", "conversations", "--store", tiny_store_url, "--measure", "answered_timed", "--cell", cell)
    )
    assert (status, out.count("\n") - 1) == (0, expected)


# --- the pages


@pytest.fixture
def rows_page(nothing_set, monkeypatch, tiny_store_url):
    """The page Conversations with URL parameters."""
    monkeypatch.setenv("FRONTDOOR_STORE", tiny_store_url)
    return opened


def opened(**params: str | list[str]) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    app.switch_page("reports/conversations.py")
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


def warned(app: AppTest) -> str:
    return (
        " ".join(str(element.value) for element in [*app.warning, *app.error]).replace("\\", "").replace("\u00a0", " ")
    )


@pytest.mark.parametrize("cell", REFUSED_CELLS)
def test_a_cell_in_a_url_that_cannot_be_meant_is_left_out_with_a_notice(rows_page, cell):
    app = rows_page(period="all", measure="answered_timed", cell=cell)
    assert not app.exception
    assert "Left out of the link" in warned(app)
    assert app.subheader[0].value.startswith("4 ")  # the measure without the cell


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", "9999-12-31"),
        ("from", "0001-01-01"),
        ("to", "inf"),
        ("as_of", "2026-01-06"),
        ("as_of", "9999-12-31T23:59:59-05:00"),
        ("grain", "nan"),
        ("clock", "sundial"),
        ("period", "inf"),
        ("age_group", "1e400"),
        ("brand", "Nobody & Sons"),
        ("team", "\x00"),
        ("no_reply_needed", "perhaps"),
    ],
)
def test_a_filter_value_in_a_url_that_cannot_be_meant_is_left_out_with_a_notice(rows_page, name, value):
    app = rows_page(**{name: value})
    assert not app.exception
    assert f"{name}=" in warned(app)


@pytest.mark.parametrize(("name", "day"), [("from", "1900-01-01"), ("to", "2999-12-31"), ("to", "2050-06-30")])
def test_a_day_long_ago_or_far_off_is_a_day(rows_page, name, day):
    app = rows_page(**{name: day})
    assert not app.exception
    assert warned(app) == ""


# --- anything at all

ODD = some.sampled_from(
    ["", "nan", "inf", "-inf", "1e400", "1e18", "-1", "0", "7", "23", "24", "1.5", "9999-12-31", "0001-01-01", "\x00",
     "2999-12-31", "2026-01-05", "2026-W01-1", "2026-01-05T10:00:00+14:00", "9999-12-31T23:59:59-12:00", "unknown",
     "email", "Mail", "65+", "ignored", "all", "'; drop table waits; --", "%", "\u0663", "\u202e", "\U0001f600", "٣"]
)  # fmt: skip
VALUES = some.one_of(ODD, some.text(max_size=8), some.dates().map(str), some.floats().map(str))
KEYS = some.one_of(some.sampled_from((*DIMENSIONS, "within_minutes", "customer")), some.text(max_size=5))
CELLS = some.lists(some.one_of(some.builds("{}={}".format, KEYS, VALUES), VALUES), max_size=3)
NAMES = ("from", "to", "grain", "channel", "brand", "team", "age_group", "topic", "sentiment", "state", "visibility",
         "no_reply_needed", "clock")  # fmt: skip
PARAMS = some.dictionaries(some.sampled_from(NAMES), some.lists(VALUES, min_size=1, max_size=2), max_size=4)
MEASURE = some.one_of(some.sampled_from(list(MEASURES)), VALUES)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(params=PARAMS, measure=MEASURE, cells=CELLS)
def test_any_url_gives_rows_or_words(tiny_store_url, params, measure, cells):
    engine = reader(tiny_store_url)
    wanted, notices = Filter.from_params(params)
    assert all(isinstance(notice, str) for notice in notices)
    try:
        chosen = Selection(resolved(wanted, read_status(engine, tiny_store_url)), measure, parse_cell(cells))
    except FrontdoorError:
        return
    assert selection.in_words(chosen)
    assert chosen.sentence()
    assert count_rows(engine, chosen) == len(selected_rows(engine, chosen))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(params=PARAMS, measure=MEASURE, cells=CELLS)
def test_any_url_opens_the_page_of_rows(rows_page, params, measure, cells):
    app = rows_page(**params, measure=measure, cell=cells)
    assert not app.exception


OPTIONS = some.lists(
    some.tuples(
        some.sampled_from(
            ["--from", "--to", "--as-of", "--grain", "--channel", "--brand", "--team", "--age-group", "--topic",
             "--sentiment", "--state", "--visibility", "--clock", "--unknown-time", "--no-reply-needed", "--by"]
        ),
        VALUES,
    ),
    max_size=3,
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(options=OPTIONS, measure=some.one_of(some.none(), MEASURE), cells=CELLS)
def test_any_command_line_gives_rows_or_one_line(tiny_store_url, options, measure, cells):
    words = [f"{name}={value}" for name, value in options]
    if measure is not None:
        words += [f"--measure={measure}", *(f"--cell={cell}" for cell in cells)]
    status, out, err = run("report", "conversations", f"--store={tiny_store_url}", *words)
    assert status in (0, 2)
    assert "Traceback" not in err
    assert bool(out) == (status == 0)


def test_a_moment_out_of_range_is_refused_by_the_filter_itself():
    for moment in (dt.datetime.max, dt.datetime.min):
        with pytest.raises(FilterError, match="out of range"):
            Filter(as_of=moment)


# --- names that the store does not have


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--brand", "acme", "note: no brand 'acme' in the store (nearest: Acme)"),
        ("--team", "Mial", "note: no team 'Mial' in the store (nearest: Mail, Social)"),
        ("--topic", "biling", "note: no topic 'biling' in the store (nearest: billing)"),
        ("--team", "Zzz", "note: no team 'Zzz' in the store (known: Chat, Mail, Phone …)"),
    ],
)
def test_a_name_that_the_store_does_not_have_is_said_in_one_line_and_is_no_error(tiny_store_url, option, value, said):
    status, out, err = run("report", "conversations", "--store", tiny_store_url, option, value)
    assert (status, err) == (0, said + "\n")
    assert out.count("\n") == 1  # the heading, no row


def test_names_that_the_store_has_are_not_mentioned(tiny_store_url):
    options = ("--brand", "Acme", "--team", "Mail", "--team", "unknown", "--topic", "billing", "--age-group", "65+")
    assert run("report", "conversations", "--store", tiny_store_url, *options)[::2] == (0, "")
    assert run("report", "conversations", "--store", tiny_store_url, "--age-group", "18-24")[::2] == (0, "")


def test_an_age_group_that_no_setting_and_no_row_has_is_refused_like_a_channel(tiny_store_url):
    status, out, err = run("report", "conversations", "--store", tiny_store_url, "--age-group", "20-30")
    assert (status, out) == (2, "")
    assert err.startswith("frontdoor: unknown age group '20-30'; known are <18, 18-24")
    assert err.count("\n") == 1


@pytest.mark.parametrize("parameter", ["brand", "team", "age_group", "topic", "channel"])
def test_a_url_that_names_what_the_store_does_not_have_is_answered_with_a_notice(rows_page, parameter):
    app = rows_page(period="all", **{parameter: "letter"})
    assert f"{parameter}=letter is not in the store" in warned(app)
    assert app.subheader[0].value.startswith("9 ")
