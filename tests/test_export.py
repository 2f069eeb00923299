"""Frames to CSV and JSON: nothing lost, nothing run by a spreadsheet, missing said the same everywhere."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_access import export
from data_access.export import csv_lines, defused, to_csv, write_json


def parsed(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(to_csv(frame), newline="")))


def as_json(frame: pd.DataFrame) -> list[dict]:
    out = io.StringIO()
    write_json(frame, out)
    return json.loads(out.getvalue(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


FRAME = pd.DataFrame(
    {
        "period": pd.to_datetime(["2026-01-05", "2026-01-12"]),
        "opened_at": pd.to_datetime(["2026-01-05 09:00:00.250", None], format="ISO8601"),
        "conversation_count": pd.Series([3, 4], dtype="int64"),
        "answered_share": [0.1 + 0.2, math.nan],
        "is_provisional": [True, False],
        "team": pd.Series(["Mail, north", None], dtype="str"),
    }
)


def test_a_frame_as_csv_has_utc_times_named_flags_and_empty_cells_for_missing():
    assert parsed(FRAME) == [
        ["period", "opened_at", "conversation_count", "answered_share", "is_provisional", "team"],
        ["2026-01-05", "2026-01-05T09:00:00.250000Z", "3", "0.30000000000000004", "true", "Mail, north"],
        ["2026-01-12", "", "4", "", "false", ""],
    ]


def test_a_frame_as_json_is_a_bare_array_with_null_for_missing():
    assert as_json(FRAME) == [
        {
            "period": "2026-01-05",
            "opened_at": "2026-01-05T09:00:00.250000Z",
            "conversation_count": 3,
            "answered_share": 0.30000000000000004,
            "is_provisional": True,
            "team": "Mail, north",
        },
        {
            "period": "2026-01-12",
            "opened_at": None,
            "conversation_count": 4,
            "answered_share": None,
            "is_provisional": False,
            "team": None,
        },
    ]


def test_an_empty_frame_is_a_header_and_an_empty_array():
    assert parsed(FRAME.iloc[:0]) == [list(FRAME.columns)]
    assert as_json(FRAME.iloc[:0]) == []


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\x00=1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "\tx",
    ],
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_before_it(text):
    assert defused(text) == "'" + text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("hi;=1+1", "hi;'=1+1"),
        ("hi; =1;b", "hi; '=1;b"),
        ("hi\n=1", "hi\n'=1"),
        ("hi\t@x", "hi\t'@x"),
        ("=1;-2", "'=1;'-2"),
        ("a;b;+c", "a;b;'+c"),
    ],
)
def test_what_would_run_where_lists_are_separated_by_semicolons_gets_one_too(text, written):
    """Such a spreadsheet splits our lines at semicolons, whatever stands in quotes behind the beginning of a cell."""
    assert defused(text) == written
    frame = pd.DataFrame({"text": [text], "n": [1]})
    assert parsed(frame)[1] == [written, "1"]


@pytest.mark.parametrize("text", ["", "hello", "1-2", "a=b", "'=1", "5 > 3", "\u20ac5", "a; b", "x\n1-2"])
def test_harmless_texts_stay_as_they_are(text):
    assert defused(text) == text


@given(st.lists(st.text(), max_size=8))
def test_no_text_can_break_out_of_its_cell(texts):
    frame = pd.DataFrame({"text": pd.Series(texts, dtype="object"), "n": range(len(texts))})
    rows = parsed(frame)[1:]
    assert [row[1] for row in rows] == [str(place) for place in range(len(texts))]
    assert [row["text"] for row in as_json(frame)] == texts
    for row, text in zip(rows, texts, strict=True):
        assert row[0].replace("'", "") == text.replace("'", "")
        assert not re.search(r"(^|[;\t\r\n])[\s\x00]*[=+\-@]", row[0])


@given(st.lists(st.one_of(st.floats(allow_infinity=False), st.integers(-(2**53), 2**53)), min_size=1, max_size=8))
def test_numbers_come_back_exactly(numbers):
    frame = pd.DataFrame({"x": pd.Series(numbers, dtype="float64")})
    found = [float(row[0]) if row[0] else math.nan for row in parsed(frame)[1:]]
    assert np.array_equal(found, frame["x"].to_numpy(), equal_nan=True)
    found = [math.nan if row["x"] is None else row["x"] for row in as_json(frame)]
    assert np.array_equal(found, frame["x"].to_numpy(), equal_nan=True)


def test_a_long_frame_comes_in_parts_that_join_to_the_whole():
    frame = pd.DataFrame({"n": range(45_000)})
    parts = list(csv_lines(frame))
    assert len(parts) == 3
    assert [row[0] for row in csv.reader(io.StringIO("".join(parts)))] == ["n", *map(str, range(45_000))]


CELLS = st.text(st.sampled_from("aZ09 ,;\"'\r\n\t=+-@\x00ä＝\u00a0"), max_size=6)
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))
ROWS = st.lists(
    st.tuples(
        CELLS | st.none(),
        st.integers(-(10**12), 10**12),
        st.floats(allow_nan=True, allow_infinity=True),
        st.booleans(),
        MOMENTS.map(lambda at: at.replace(microsecond=0)) | st.none(),
        MOMENTS | st.none(),
    ),
    max_size=8,
)


@given(rows=ROWS)
def test_every_cell_stands_as_the_csv_module_writes_it_one_by_one(rows) -> None:
    kinds = {"text": "str", "n": "int64", "x": "float64", "flag": "bool", "at": "M8[us]", "precise_at": "M8[us]"}
    frame = pd.DataFrame.from_records(rows, columns=list(kinds)).astype(kinds)
    for shown in (frame, frame[["text"]], frame[["at"]]):
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\r\n")
        writer.writerow(shown.columns)
        for row in shown.itertuples(index=False):
            writer.writerow([export._csv_cell(value, name) for value, name in zip(row, shown.columns, strict=True)])
        assert to_csv(shown) == written.getvalue()
