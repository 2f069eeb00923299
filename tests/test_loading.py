"""Loading as a whole: what is counted, said and kept, whichever format a file has."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
import platform
import subprocess
import sys
import weakref
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import func, select, update
from stored_rows import frame_of, rows_of

from data_access import dialects
from data_access.errors import FrontdoorError, SourceError, StoreError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild, rehearse, rescore
from data_access.queries.data_quality import rejected_counts
from data_access.queries.data_quality import rejected_rows as rejected_rows_listed
from data_access.reports import run_report
from data_access.schema import (
    agents,
    conversations,
    customers,
    event_keys,
    interactions,
    load_runs,
    rejected_rows,
    reported_facts,
    source_status,
)
from data_access.sources import SOURCES, recognise
from data_access.sources.mapping import mapping_of
from data_access.store import current_version, open_reader, open_writer, read_status, resolved

COLUMNS = ("id", "conversation", "customer", "channel", "direction", "agent", "team", "occurred_at", "text")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path / 'store'}"


def order(path: Path, rows: str, source: str = "desk", **fields: object) -> LoadOrder:
    path.write_text(",".join(COLUMNS) + "\n" + rows)
    mapping = mapping_of({"source": source, "columns": {name: name for name in COLUMNS}}, "t")
    return LoadOrder(path, "csv", mapping, **fields)


def row(name: int, at: str = "2025-05-05T09:00:00Z", text: str = "hello", **fields: str) -> str:
    cells = {"id": str(name), "channel": "email", "occurred_at": at, "text": text, **fields}
    return ",".join(cells.get(column, "") for column in COLUMNS) + "\n"


# --- what a load says of itself


def test_every_load_is_recorded_with_its_file_source_and_counts(url, tmp_path):
    first = order(tmp_path / "a.csv", row(1) + row(2) + "3,,,fax,,,,2025-05-05T09:00:00Z,x\n")
    load(url, [first], now=dt.datetime(2025, 6, 1, 12))
    load(url, [first, order(tmp_path / "b.csv", row(4), "shop")], now=dt.datetime(2025, 6, 2))
    runs = frame_of(url, load_runs).sort_values("load_run")
    assert runs["load_run"].tolist() == [1, 2, 3]
    assert runs["file"].tolist() == ["a.csv", "a.csv", "b.csv"]
    assert runs["source"].tolist() == ["desk", "desk", "shop"]
    assert runs["adapter"].tolist() == ["csv"] * 3
    columns = ["read_count", "stored_count", "unchanged_count", "rejected_count"]
    assert runs[columns].to_numpy().tolist() == [[3, 2, 0, 1], [3, 0, 2, 1], [1, 1, 0, 0]]
    assert runs["started_at"].iloc[0] == pd.Timestamp("2025-06-01 12:00")
    assert (runs["finished_at"] >= runs["started_at"]).all()


def test_a_row_is_still_rejected_until_its_file_is_loaded_without_it(new_store_url, tmp_path):
    def still() -> list[tuple[str, int, bool]]:
        engine = open_reader(new_store_url)
        wanted = resolved(Filter(), read_status(engine, new_store_url))
        frame = rejected_rows_listed(engine, wanted)
        assert rejected_counts(engine, wanted) == (len(frame), frame["is_still_rejected"].sum())
        engine.dispose()
        return list(frame[["file", "line", "is_still_rejected"]].itertuples(index=False, name=None))

    bad = row(3, channel="fax")
    load(new_store_url, [order(tmp_path / "a.csv", row(1) + bad), order(tmp_path / "b.csv", bad)])
    assert still() == [("b.csv", 2, True), ("a.csv", 3, True)]
    load(new_store_url, [order(tmp_path / "a.csv", row(1) + bad + row(2, channel="telex"))])
    assert still() == [("a.csv", 4, True), ("b.csv", 2, True), ("a.csv", 3, True)]
    load(new_store_url, [order(tmp_path / "a.csv", row(1) + row(3) + row(2, channel="telex"))])
    assert still() == [("a.csv", 4, True), ("b.csv", 2, True), ("a.csv", 3, False)]


def test_the_result_adds_up_over_the_files_of_one_load(url, tmp_path):
    result = load(url, [order(tmp_path / "a.csv", row(1)), order(tmp_path / "b.csv", row(1) + row(2))])
    assert (result.read_count, result.stored_count, result.unchanged_count, result.rejected_count) == (3, 2, 1, 0)


def test_progress_names_the_stages_and_counts_every_row_read(url, tmp_path):
    told: list[tuple[str, int]] = []
    expected: dict[str, int | None] = {}

    def progress(stage: str, rows: int, rows_expected: int | None = None, /) -> None:
        told.append((stage, rows))
        expected[stage] = rows_expected

    load(url, [order(tmp_path / "a.csv", "".join(row(n) for n in range(100)))], progress=progress)
    assert expected["reading"] == pytest.approx(100, abs=2)  # by bytes; the header is counted in
    assert sum(count for stage, count in told if stage == "reading") == 100
    assert sum(count for stage, count in told if stage == "reading texts") == 100
    assert [stage for stage, _ in told][-1] == "deriving"


def test_a_batch_ends_where_the_next_begins(url, tmp_path, monkeypatch):
    """Batches of three rows give the store of one batch, duplicates and replies across them included."""
    rows = "".join(row(n % 8, customer=f"c{n % 3}", conversation=f"v{n % 4}") for n in range(11))
    load(url, [order(tmp_path / "a.csv", rows)])
    for module in ("data_access.sources.mapped", "data_access.loader"):
        monkeypatch.setattr(f"{module}.BATCH_ROWS", 3)
    monkeypatch.setattr("data_access.sources.blocks.BLOCK_BYTES", 300)
    other = f"duckdb:///{tmp_path / 'other'}"
    result = load(other, [order(tmp_path / "a.csv", rows)])
    assert (result.stored_count, result.rejected_count) == (8, 3)
    assert rows_of(other) == rows_of(url)
    assert len(frame_of(other, rejected_rows)) == 3


@pytest.mark.parametrize("staged_at_once", [1, 1_000, 100_000_000])
def test_batches_that_fill_other_columns_are_staged_together(url, tmp_path, monkeypatch, staged_at_once):
    """Columns without any value in a batch are left out of it; however much is staged at once, nothing moves."""
    rows = "".join(
        row(n, text="", customer=f"c{n}") if n < 6 else row(n, direction="outbound", agent="Bo", team="Mail")
        for n in range(12)
    )
    load(url, [order(tmp_path / "a.csv", rows)])
    monkeypatch.setattr("data_access.sources.mapped.BATCH_ROWS", 3)
    monkeypatch.setattr("data_access.sources.blocks.BLOCK_BYTES", 200)
    monkeypatch.setattr("data_access.loader.COMMIT_BYTES", staged_at_once)
    other = f"duckdb:///{tmp_path / 'other'}"
    assert load(other, [order(tmp_path / "a.csv", rows)]).stored_count == 12
    assert rows_of(other) == rows_of(url)


# --- what the store then holds


def test_each_event_is_known_by_its_key_under_its_customer(url, tmp_path):
    load(url, [order(tmp_path / "a.csv", row(1, customer="x") + row(2))])
    keys, events = frame_of(url, event_keys), frame_of(url, interactions)
    assert set(zip(keys["interaction_id"], keys["customer_id"], strict=True)) == set(
        zip(events["interaction_id"], events["customer_id"], strict=True)
    )
    assert frame_of(url, customers)["customer_id"].notna().all()


def test_agents_have_the_team_of_their_newest_interaction(url, tmp_path):
    rows = row(1, direction="outbound", agent="Bo", team="Mail") + row(
        2, "2025-06-05T09:00:00Z", direction="outbound", agent="Bo", team="Social"
    )
    load(url, [order(tmp_path / "a.csv", rows)])
    (found,) = frame_of(url, agents).itertuples()
    assert (found.agent, found.team, str(found.last_seen_at)) == ("Bo", "Social", "2025-06-05 09:00:00")


def complete_to(url: str) -> tuple[str, bool]:
    (status,) = frame_of(url, source_status).itertuples()
    return str(status.complete_to), status.is_complete_to_given


def test_complete_to_of_a_customers_file_is_named_and_left_aside(url, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("customer_id,birth_year\nA,1980\n", encoding="utf-8")
    result = load(url, [LoadOrder(people, "customers", complete_to=dt.datetime(2025, 5, 5))])
    assert result.notes == ["people.csv: --complete-to says nothing of a customers file, which has no events"]


def test_a_source_is_complete_to_what_is_given_else_to_the_later_of_what_was_given_and_its_newest_event(url, tmp_path):
    days = {n: order(tmp_path / f"{n}.csv", row(n, f"2025-05-0{n}T09:00:00Z")) for n in (1, 2, 8)}
    assert load(url, [days[1]]).notes == []
    assert complete_to(url) == ("2025-05-01 09:00:00", False)
    given = load(url, [dataclasses.replace(days[1], complete_to=dt.datetime(2025, 5, 5))])
    assert given.notes == ["desk is complete to 2025-05-05 00:00:00 UTC, as given"]
    assert load(url, [days[2]]).notes == []
    assert complete_to(url) == ("2025-05-05 00:00:00", True)
    assert load(url, [days[8]]).notes == [
        "desk is complete to 2025-05-08 09:00:00 UTC, its newest event, no longer to 2025-05-05 00:00:00, as given "
        "before"
    ]
    assert complete_to(url) == ("2025-05-08 09:00:00", False)
    again = load(url, [dataclasses.replace(days[1], complete_to=dt.datetime(2025, 5, 5)), days[8]])
    assert again.notes == [
        "desk is complete to 2025-05-05 00:00:00 UTC, as given: what is newer, up to 2025-05-08 09:00:00, is not "
        "counted yet"
    ]
    assert complete_to(url) == ("2025-05-05 00:00:00", True)


def test_no_source_is_complete_to_a_moment_to_come(url, tmp_path):
    now = dt.datetime(2025, 5, 5, 12)
    day = order(tmp_path / "a.csv", row(1))
    for make in (load, rehearse):
        with pytest.raises(FrontdoorError, match=r"2025-05-06 12:00:01 UTC is in the future: give the moment"):
            make(url, [dataclasses.replace(day, complete_to=dt.datetime(2025, 5, 6, 12, 0, 1))], now=now)
    load(url, [dataclasses.replace(day, complete_to=dt.datetime(2025, 5, 6, 12))], now=now)
    assert complete_to(url) == ("2025-05-06 12:00:00", True)


def test_a_moment_to_come_that_an_older_version_kept_ends_with_the_next_load(url, tmp_path):
    load(url, [order(tmp_path / "a.csv", row(1))])
    with open_writer(url) as connection:
        connection.execute(
            update(source_status).values(complete_to=dt.datetime(2199, 1, 1), is_complete_to_given=True)
        )
    load(url, [order(tmp_path / "b.csv", row(2, "2025-05-06T09:00:00Z"))])
    assert complete_to(url) == ("2025-05-06 09:00:00", False)


def test_the_same_id_in_two_sources_is_two_events(url, tmp_path):
    load(url, [order(tmp_path / "a.csv", row(1)), order(tmp_path / "b.csv", row(1), "shop")])
    assert len(frame_of(url, interactions)) == 2
    named = LoadOrder(tmp_path / "a.csv", "csv", order(tmp_path / "a.csv", row(1)).mapping, source_name="third")
    assert load(url, [named]).stored_count == 1
    assert sorted(frame_of(url, interactions)["source"]) == ["desk", "shop", "third"]


def test_late_and_out_of_order_events_find_their_place(url, tmp_path):
    load(
        url,
        [
            order(
                tmp_path / "a.csv", row(3, "2025-05-05T12:00:00Z", conversation="c", direction="outbound", agent="Cy")
            )
        ],
    )
    load(url, [order(tmp_path / "b.csv", row(1, "2025-05-05T09:00:00Z", conversation="c"))])
    load(
        url,
        [
            order(
                tmp_path / "c.csv", row(2, "2025-05-05T10:00:00Z", conversation="c", direction="outbound", agent="Bo")
            )
        ],
    )
    (found,) = frame_of(url, conversations).itertuples()
    assert (found.kind, found.responder_agent, found.first_response_seconds) == ("customer_opened", "Bo", 3600)


def test_events_up_to_a_day_ahead_of_the_clock_load_and_later_ones_are_rejected(url, tmp_path):
    rows = row(1, "2025-05-06T12:00:00Z") + row(2, "2025-05-06T12:00:01Z")
    result = load(url, [order(tmp_path / "a.csv", rows)], now=dt.datetime(2025, 5, 5, 12))
    assert (result.stored_count, result.rejected_count) == (1, 1)
    assert "in the future" in frame_of(url, rejected_rows)["reason"].iloc[0]


def test_rescoring_with_the_same_scorer_changes_nothing_and_keeps_what_was_supplied(tiny_store_url, tmp_path):
    messages, listed = tmp_path / "messages.csv", tmp_path / "customers.csv"
    messages.write_text(TINY_MESSAGES)
    listed.write_text(TINY_CUSTOMERS)
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "t")), LoadOrder(listed, "customers")])
    before = rows_of(url)
    assert before == rows_of(tiny_store_url)
    assert rescore(url) == 19
    assert rows_of(url) == before


@pytest.mark.real_data
def test_rescoring_and_rebuilding_real_tweets_gives_what_the_load_gave(twcs_store_url, tmp_path):
    import shutil

    shutil.copytree(twcs_store_url.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    assert rescore(url) == 5000
    assert rows_of(url) == rows_of(twcs_store_url)
    rebuild(url)
    assert rows_of(url) == rows_of(twcs_store_url)


# --- formats


def test_formats_are_recognised_by_their_columns(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("tweet_id,author_id,inbound,created_at,text\n")
    assert [order.source for order in recognise([path])] == ["twcs"]
    path.write_text(TINY_CUSTOMERS)
    assert [order.source for order in recognise([path])] == ["customers"]
    path.write_text("a,b\n")
    with pytest.raises(SourceError, match="--source csv --mapping"):
        recognise([path])
    assert set(SOURCES) >= {"twcs", "csv", "customers"}


def test_an_unknown_format_or_an_absent_file_is_refused_and_leaves_no_store(url, tmp_path):
    (tmp_path / "a.csv").write_text("x")
    for wrong in (LoadOrder(tmp_path / "a.csv", "excel"), LoadOrder(tmp_path / "absent.csv", "twcs")):
        with pytest.raises(FrontdoorError):
            load(url, [wrong])
    assert current_version(url) == 0


def test_settings_that_change_what_is_derived_take_effect_with_the_next_load(url, tmp_path):
    load(url, [order(tmp_path / "a.csv", row(1, "2025-05-05T09:00:00Z") + row(2, "2025-05-05T18:00:00Z"))])
    engine = open_reader(url)
    assert (
        run_report(engine, "response_times", resolved(Filter(), read_status(engine, url))).iloc[0]["target_due_count"]
        == 1
    )
    (tmp_path / "store" / "settings.toml").write_text(
        '[[thresholds]]\nchannel = "email"\ntarget = "10 h"\nignored_after = "20 h"\n'
    )
    load(url, [order(tmp_path / "b.csv", row(3, "2025-05-05T18:00:00Z"))])
    engine = open_reader(url)
    assert (
        run_report(engine, "response_times", resolved(Filter(), read_status(engine, url))).iloc[0]["target_due_count"]
        == 0
    )


def test_a_batch_is_let_go_of_once_it_is_inserted(tmp_path):
    """Else all of a file would stay in memory until its transaction ends."""
    with open_writer(f"duckdb:///{tmp_path / 'memory'}") as connection:
        batch = pa.table({"interaction_id": ["i1"], "customer_id": ["c1"]})
        kept = weakref.ref(batch)
        dialects.bulk_insert(connection, event_keys, batch)
        assert connection.scalar(select(func.count()).select_from(event_keys)) == 1
        del batch
        gc.collect()
        assert kept() is None


def test_the_engine_has_its_own_limit_of_memory_again_after_a_load(tmp_path):
    with open_writer(f"duckdb:///{tmp_path / 'memory'}") as connection:
        limit = "SELECT current_setting('memory_limit')"
        before = connection.exec_driver_sql(limit).scalar()
        with dialects.bounded_memory(connection):
            assert connection.exec_driver_sql(limit).scalar() != before
        assert connection.exec_driver_sql(limit).scalar() == before


def test_a_step_may_have_more_or_less_of_the_engines_memory_for_a_while(tmp_path):
    with open_writer(f"duckdb:///{tmp_path / 'memory'}") as connection, dialects.bounded_memory(connection):
        limit = "SELECT current_setting('memory_limit')"
        usual = connection.exec_driver_sql(limit).scalar()
        for times, expected in ((2, "667.5 MiB"), (0.6, "200.2 MiB")):
            with dialects.times_the_memory(connection, times):
                assert connection.exec_driver_sql(limit).scalar() == expected
            assert connection.exec_driver_sql(limit).scalar() == usual


def test_memory_is_limited_also_where_much_is_not_committed_yet_and_not_below_what_is_held(tmp_path, monkeypatch):
    limit = "SELECT current_setting('memory_limit')"
    with open_writer(f"duckdb:///{tmp_path / 'memory'}") as connection:
        many = "CREATE TABLE many AS SELECT hash(range) AS h, range::VARCHAR AS s FROM range(2000000)"
        connection.exec_driver_sql(many)
        monkeypatch.setattr(dialects, "ENGINE_MB", 30)
        with dialects.bounded_memory(connection):
            usual = connection.exec_driver_sql(limit).scalar()
            with dialects.times_the_memory(connection, 0.001):
                assert connection.exec_driver_sql(limit).scalar() == usual == "28.6 MiB"
                assert connection.exec_driver_sql("SELECT count(*) FROM many").scalar() == 2_000_000
        connection.exec_driver_sql("DROP TABLE many")


def test_a_load_takes_the_memory_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("FRONTDOOR_LOAD_MB", "700")
    assert dialects.at_once(1_000) == 2_000
    with open_writer(f"duckdb:///{tmp_path / 'memory'}") as connection, dialects.bounded_memory(connection):
        assert connection.exec_driver_sql("SELECT current_setting('memory_limit')").scalar() == "667.5 MiB"


HEAPS = """
import ctypes, sys, threading
from data_access import dialects
if sys.argv[1] == "shared":
    dialects.reuse_freed_memory()
met = threading.Barrier(4)
threads = [threading.Thread(target=lambda: (bytes(1000), met.wait())) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has heaps of threads")
def test_the_threads_of_a_load_share_their_heap():
    def heaps(how: str) -> int:
        said = subprocess.run([sys.executable, "-c", HEAPS, how], capture_output=True, text=True, check=True).stderr
        return said.count("Arena ")

    assert heaps("shared") < heaps("own")


def test_an_empty_memory_setting_is_none_as_that_of_every_other_variable(monkeypatch):
    monkeypatch.setenv("FRONTDOOR_LOAD_MB", "")
    assert dialects.engine_memory_mb() == dialects.ENGINE_MB


@pytest.mark.parametrize("given", ["1GB", "349", " ", "-800"])
def test_memory_that_is_no_number_or_too_little_is_refused_in_words(tmp_path, monkeypatch, given):
    monkeypatch.setenv("FRONTDOOR_LOAD_MB", given)
    (tmp_path / "messages.csv").write_text(TINY_MESSAGES)
    url = f"duckdb:///{tmp_path / 'store'}"
    with pytest.raises(StoreError, match=r"FRONTDOOR_LOAD_MB=.* is no whole number of megabytes from 350 on"):
        load(url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])


@pytest.mark.parametrize("slice_rows", [1, 1_000])
def test_of_files_in_a_succession_the_last_counts_and_in_it_the_first_row(
    new_store_url, tmp_path, monkeypatch, slice_rows
):
    monkeypatch.setattr("data_access.loader.SLICE_ROWS", slice_rows)
    monkeypatch.setattr("data_access.sources.files.BATCH_ROWS", 1)
    header = "id,requester_id,submitter_id,created_at,status,via_channel,description\n"
    days = {
        "a.csv": ("1,7,7,2026-01-05,new,email,first", "2,7,7,2026-01-05,new,email,only"),
        "b.csv": (
            "3,7,7,2026-01-05,new,email,other",
            "1,7,7,2026-01-05,open,email,second",
            "1,7,7,2026-01-05,open,email,twice",
        ),
        "c.csv": ("1,7,7,2026-01-05,solved,email,third", "1,7,7,2026-01-05,closed,email,fourth"),
    }
    for name, rows in days.items():
        (tmp_path / name).write_text(header + "".join(f"{row}\n" for row in rows))
    paths = [tmp_path / name for name in days]
    result = load(new_store_url, [LoadOrder(paths[0], "zendesk", more=tuple(paths[1:]), is_succession=True)])
    assert (result.read_count, result.stored_count + result.unchanged_count, result.rejected_count) == (7, 5, 2)
    bad = frame_of(new_store_url, rejected_rows)
    assert sorted(zip(bad["file"], bad["line"], strict=True)) == [("b.csv", 4), ("c.csv", 3)]
    stored = frame_of(new_store_url, interactions).sort_values("external_id")
    assert stored["text"].tolist() == ["third", "only", "other"]
    assert frame_of(new_store_url, reported_facts)["status"].tolist().count("solved") == 1
    again = load(new_store_url, [LoadOrder(paths[0], "zendesk", more=tuple(paths[1:]), is_succession=True)])
    assert sorted(frame_of(new_store_url, interactions)["text"]) == ["only", "other", "third"]
    assert again.rejected_count == 2
