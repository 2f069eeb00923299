"""Response states partition the complaints at any moment, move along allowed paths only, and stay honest."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_access.audit import check_numbers
from data_access.cli import main
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import conversations_rows, selected_rows
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved
from data_access.vocabulary import RESPONSE_STATES

# From each state, where a complaint may be found at a later moment.
ALLOWED = {
    "waiting": {"waiting", "answered_in_target", "answered_late", "answered_elsewhere", "ignored"},
    "ignored": {"ignored", "answered_late"},
    "answered_elsewhere": {"answered_elsewhere", "answered_in_target", "answered_late"},
    "answered_in_target": {"answered_in_target"},
    "answered_late": {"answered_late"},
    "answered_unknown_time": {"answered_unknown_time"},
}
START, END = dt.datetime(2025, 11, 10), dt.datetime(2026, 10, 31)


@pytest.fixture(scope="session")
def small_demo_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"duckdb:///{tmp_path_factory.mktemp('small') / 'store'}"
    assert main(["demo", "--store", url, "--scale", "0.06"]) == 0
    return url


def states_at(engine, status, moment: dt.datetime) -> dict[tuple[str, int], str]:
    wanted = resolved(Filter(as_of=moment), status)
    rows = selected_rows(engine, Selection(wanted, "complaints"))
    return dict(
        zip(zip(rows["conversation_id"], rows["wait_number"], strict=True), rows["response_state"], strict=True)
    )


def test_moving_the_moment_only_moves_complaints_along_allowed_paths(small_demo_url):
    engine = open_reader(small_demo_url)
    status = read_status(engine, small_demo_url)
    hours = int((END - START).total_seconds() // 3600)

    @settings(max_examples=25, deadline=None)
    @given(first=st.integers(0, hours), step=st.integers(0, 24 * 40))
    def property_holds(first: int, step: int) -> None:
        before = states_at(engine, status, START + dt.timedelta(hours=first))
        after = states_at(engine, status, START + dt.timedelta(hours=first + step))
        assert set(before) <= set(after)  # a complaint, once made, is never lost
        for complaint, state in before.items():
            assert after[complaint] in ALLOWED[state], complaint

    property_holds()


def test_the_six_states_partition_the_complaints_at_any_moment(small_demo_url):
    engine = open_reader(small_demo_url)
    status = read_status(engine, small_demo_url)
    for days in (0, 30, 200, 355):
        wanted = resolved(Filter(as_of=START + dt.timedelta(days=days)), status)
        for by in ((), ("channel",), ("team",)):
            frame = ignored_complaints(engine, wanted, by)
            assert (
                frame[[f"{state}_count" for state in RESPONSE_STATES]].sum(axis=1) == frame["complaint_count"]
            ).all()


def test_conversations_in_state_ignored_with_a_complaint_are_the_ignored_count(small_demo_url):
    engine = open_reader(small_demo_url)
    wanted = resolved(Filter(), read_status(engine, small_demo_url))
    rows = conversations_rows(engine, wanted)
    ignored = rows[rows["is_complaint"] & (rows["response_state"] == "ignored")]
    assert len(ignored) == ignored_complaints(engine, wanted).iloc[0]["ignored_count"]


HEADER = "id,conversation,direction,occurred_at,is_complaint,channel\n"
COLUMNS = {name: name for name in HEADER.strip().split(",")}


def _load(url: str, path: Path, rows: str, source: str = "mail", **order: object) -> None:
    path.write_text(HEADER + rows, encoding="utf-8")
    load(url, [LoadOrder(path, "csv", mapping_of({"source": source, "columns": COLUMNS}, "test"), **order)])


def test_answering_all_old_complaints_late_leaves_the_old_weeks_unmoved(tmp_path, opened):
    url = f"duckdb:///{tmp_path / 's'}"
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(28)]
    questions = "".join(f"q{n},c{n},inbound,{day}T10:00:00Z,true,email\n" for n, day in enumerate(days))
    quick = "".join(f"a{n},c{n},outbound,{day}T11:00:00Z,,email\n" for n, day in enumerate(days) if n % 2)
    clock = "z,z,inbound,2026-03-01T00:00:00Z,false,email\n"
    _load(url, tmp_path / "1.csv", questions + quick + clock)
    engine, wanted = opened(url)
    before = ignored_complaints(engine, wanted, ("period",))
    assert before["ignored_count"].sum() == 14
    late = "".join(f"l{n},c{n},outbound,2026-03-02T10:00:00Z,,email\n" for n in range(0, 28, 2))
    _load(url, tmp_path / "2.csv", late)
    engine, wanted = opened(url)
    after = ignored_complaints(engine, wanted, ("period",))
    shares = ["period", "due_count", "ignored_in_time_count", "ignored_share"]
    assert after[shares].equals(before[shares])  # the fixed horizon does not move
    assert after["ignored_count"].sum() == 0  # the backlog of today does
    assert after["answered_late_count"].sum() == 14


def test_a_source_that_stopped_delivering_creates_no_ignored_complaints(tmp_path, opened):
    url = f"duckdb:///{tmp_path / 's'}"
    _load(url, tmp_path / "1.csv", "1,a,inbound,2026-01-01T10:00:00Z,true,email\n", source="stalled")
    _load(url, tmp_path / "2.csv", "1,a,inbound,2026-02-01T10:00:00Z,true,email\n", source="alive")
    row = ignored_complaints(*opened(url)).iloc[0]
    assert (row["complaint_count"], row["waiting_count"], row["ignored_count"], row["due_count"]) == (2, 2, 0, 0)
    # Told that the first one is complete, its complaint is ignored.
    order = {"complete_to": dt.datetime(2026, 2, 1)}
    _load(url, tmp_path / "3.csv", "2,b,inbound,2026-01-01T11:00:00Z,false,email\n", source="stalled", **order)
    row = ignored_complaints(*opened(url)).iloc[0]
    assert (row["waiting_count"], row["ignored_count"]) == (1, 1)


def test_the_audit_catches_a_figure_that_counts_other_rows_than_it_opens(tiny_store_url, opened, monkeypatch):
    from data_access.queries import response_times as module

    engine, wanted = opened(tiny_store_url)
    assert all(finding.is_ok for finding in check_numbers(engine, wanted))
    # Plant a wrong expression in the figure alone: every answer counts as in target.
    monkeypatch.setattr(module, "is_in_target", module.is_answered_timed)
    wrong = [finding.check for finding in check_numbers(engine, wanted) if not finding.is_ok]
    assert "in_target: figure = drill-down" in wrong
