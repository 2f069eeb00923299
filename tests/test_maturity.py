"""What provisional periods will come to: an interval that promises no certainty, and nothing without a past."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from conftest import TINY_MAPPING

from data_access.loader import LoadOrder, load
from data_access.queries.maturity import maturity
from data_access.sources.mapping import mapping_of
from pages.components import findings_silence

# E-mail is ignored after 48 h. Three complaints of the first week were answered after 40 h; the two of the third
# week are 3 h and 2 h old when the data ends, unanswered.
PAST = "".join(
    f"{n},p{n},past{n},email,inbound,customer,2026-01-05T0{n}:00:00Z,late,negative,true,true\n"
    f"{n}a,p{n},past{n},email,outbound,agent,2026-01-06T{16 + n}:00:00Z,sorry,neutral,,\n"
    for n in (1, 2, 3)
)
IGNORED = "".join(
    f"{n},p{n},past{n},email,inbound,customer,2026-01-05T0{n}:00:00Z,late,negative,true,true\n" for n in (1, 2, 3)
)
YOUNG = """\
7,y7,new7,email,inbound,customer,2026-01-19T09:00:00Z,late,negative,true,true
8,y8,new8,email,inbound,customer,2026-01-19T10:00:00Z,late,negative,true,true
9,y9,new9,email,inbound,customer,2026-01-19T12:00:00Z,hello,neutral,false,false
"""
COLUMNS = "id,conversation,customer,channel,direction,author_kind,occurred_at,text,sentiment_label,is_complaint"


@pytest.fixture
def weeks(tmp_path: Path, opened):
    """The maturity of a store with these rows, by week."""

    def _weeks(rows: str):
        path, url = tmp_path / "rows.csv", f"duckdb:///{tmp_path / 'store'}"
        path.write_text(f"{COLUMNS},needs_reply\n{rows}")
        names = [*COLUMNS.split(","), "needs_reply"]
        load(url, [LoadOrder(path, "csv", mapping_of({**TINY_MAPPING, "columns": {n: n for n in names}}, "tiny"))])
        return maturity(*opened(url, grain="week"))

    return _weeks


def test_a_past_without_an_ignored_complaint_does_not_promise_that_nobody_will_be(weeks):
    row = weeks(PAST + YOUNG).iloc[0]
    assert (row["complaint_count"], row["young_count"], row["expected_ignored_share"]) == (2, 2, 0)
    assert row["expected_ignored_share_low"] == 0
    # Wilson's upper limit of 0 of 3 is 0.5615; of 2 open ones that is 1.123, their own chance 1.96 * sqrt(2 * 0.5615 *
    # 0.4385) = 1.375; together the root of the squares, 1.776 of 2.
    assert row["expected_ignored_share_high"] == pytest.approx(1.776 / 2, abs=0.001)


def test_a_past_in_which_everybody_was_ignored_leaves_hope(weeks):
    row = weeks(IGNORED + YOUNG).iloc[0]
    assert (row["expected_ignored_share"], row["expected_ignored_share_high"]) == (1, 1)
    assert row["expected_ignored_share_low"] == pytest.approx(1 - 1.776 / 2, abs=0.001)


def test_without_a_past_nothing_is_expected_and_nothing_is_said(weeks):
    frame = weeks(YOUNG)
    assert list(frame["young_count"]) == [2]
    assert all(math.isnan(frame[f"expected_ignored_share{end}"].iloc[0]) for end in ("", "_low", "_high"))
    assert findings_silence.expected(frame, "week") == ""


def test_answered_young_complaints_need_no_past(weeks):
    answered = YOUNG + "".join(
        f"{n}a,y{n},new{n},email,outbound,agent,2026-01-19T11:00:00Z,sorry,neutral,,\n" for n in (7, 8)
    )
    row = weeks(answered).iloc[0]
    assert (row["young_count"], row["young_answered_count"]) == (2, 2)
    assert [row[f"expected_ignored_share{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]
