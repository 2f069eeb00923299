"""The derived tables: the same rows after any loads as after a full rebuild, and only touched customers derived."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import TIMES, TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement
from stored_rows import frame_of, rows_of

from data_access import customers, derive, dialects, loader
from data_access.config import read_settings
from data_access.demo import write_demo_sources
from data_access.loader import LoadOrder, LoadResult, load, rebuild
from data_access.schema import conversations, customer_identities, interactions, rejected_rows, reported_facts, waits
from data_access.schema import customers as stored_customers
from data_access.sources import blocks, threads
from data_access.sources.mapping import Mapping, mapping_of, read_mapping
from data_access.store import open_reader, open_writer, settings_file


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo company at a hundredth of its size, as files."""
    folder = tmp_path_factory.mktemp("sources")
    write_demo_sources(folder, scale=0.01)
    return folder


@pytest.fixture(scope="module")
def at_once(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """All of it in one load."""
    url = f"duckdb:///{tmp_path_factory.mktemp('once') / 'store'}"
    _settings(url, sources)
    load(url, [_order(sources / f"{name}.csv", sources) for name in ("customers", "messages", "social", "calls")])
    return url


def _settings(url: str, sources: Path) -> None:
    path = settings_file(url)
    assert path is not None
    path.parent.mkdir(parents=True)
    shutil.copy(sources / "settings.toml", path)


def _order(path: Path, sources: Path) -> LoadOrder:
    """A file, or a part of it, by the mapping of its kind."""
    kind = path.name.split(".")[0].split("-")[0]
    if kind == "customers":
        return LoadOrder(path, "customers")
    return LoadOrder(path, "csv", read_mapping(sources / f"{kind}.toml"))


def _parts(path: Path, folder: Path, dice: random.Random, count: int) -> list[Path]:
    """The rows of a file, dealt at random into several files."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    dealt: list[list[list[str]]] = [[] for _ in range(count)]
    for row in rows:
        dice.choice(dealt).append(row)
    found = []
    for place, part in enumerate(dealt):
        found.append(folder / f"{path.stem}-{place}.csv")
        with found[-1].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *part])
    return found


@settings(max_examples=3 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_any_order_and_split_of_the_files_gives_the_rows_of_one_load(sources, at_once, tmp_path_factory, seed):
    folder, dice = tmp_path_factory.mktemp("split"), random.Random(seed)
    url = f"duckdb:///{folder / 'store'}"
    _settings(url, sources)
    files = [
        part
        for name in ("customers", "messages", "social", "calls")
        for part in _parts(sources / f"{name}.csv", folder, dice, dice.choice((1, 2)))
    ]
    dice.shuffle(files)
    files.append(dice.choice(files))  # one comes twice
    for place in range(0, len(files), 2):  # two files a load
        load(url, [_order(path, sources) for path in files[place : place + 2]])
    one, other = rows_of(at_once), rows_of(url)
    for table in one:
        assert one[table] == other[table], table


_TOLD = ("id", "opened_at", "status", "team", "customer", "changed_at")
_ANSWERED = ("first_response_at", "resolved_at")


def _states_mapping(*names: str) -> Mapping:
    raw = {"source": "desk", "grain": "conversation", "columns": {name: name for name in names}}
    return mapping_of(raw | {"constants": {"channel": "email"}}, "desk.toml")


# An export with answers, and a list of tickets that cannot tell whether anybody answered.
STATES, LIST = _states_mapping(*_TOLD, *_ANSWERED), _states_mapping(*_TOLD)


def _states_of_a_ticket(number: int, dice: random.Random) -> list[tuple[Mapping, dict[str, str]]]:
    """A ticket as it was after each of its changes, in the export or in the list; some change nothing that is read.

    Before the first change that is dated it may have stood there without a time.
    """
    state = {"id": f"t{number}", "opened_at": f"2025-03-0{number} 09:00", "status": "open", "team": "a"}
    state["customer"] = f"c{dice.randint(1, 2)}"
    states = [(dice.choice((STATES, LIST)), state)] if dice.random() < 0.3 else []
    for hour in range(dice.randint(1, 5)):
        at = f"2025-03-1{number} {10 + hour}:00"
        change = dice.choice(("", "answered", "solved", "team", "customer"))
        if change == "answered":
            state = {**state, "first_response_at": at}
        elif change == "solved":
            state = {**state, "status": "solved", "resolved_at": at}
        elif change:
            state = {**state, change: dice.choice(("c1", "c2", "c3"))}
        state = {**state, "changed_at": at}
        states.append((dice.choice((STATES, STATES, LIST)), state))
    return states


def _write_states(path: Path, mapping: Mapping, states: Sequence[dict[str, str]]) -> LoadOrder:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(mapping.columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(states)
    return LoadOrder(path, "csv", mapping)


def test_states_of_tickets_in_any_order_give_the_rows_of_those_that_came_in_theirs(tmp_path, monkeypatch):
    """Also where several stand in one file, in slices of it, or in several loads, and where one comes again."""
    slices: list[int] = []
    store = loader._Slice.store
    monkeypatch.setattr(
        loader._Slice, "store", lambda self, **named: (slices.append(self.count), store(self, **named))
    )
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 150)
    tables = (interactions, reported_facts, waits, conversations, stored_customers)

    @settings(max_examples=2 * TIMES, deadline=None)
    @given(seed=st.integers(0, 10**6))
    @example(seed=1)
    @example(seed=2)
    def check(seed: int) -> None:
        folder, dice = tmp_path / f"{len(slices)}-{seed}", random.Random(seed)
        folder.mkdir()
        in_order, url = f"duckdb:///{folder / 'in-order'}", f"duckdb:///{folder / 'store'}"
        tickets = [_states_of_a_ticket(number, dice) for number in range(1, 6)]
        for place, states in enumerate(itertools.zip_longest(*tickets)):
            orders = [
                _write_states(folder / f"{place}-{n}", *_alone(one)) for n, one in enumerate(filter(None, states))
            ]
            load(in_order, orders)
        known = [one for states in tickets for one in states]
        known += dice.choices(known, k=3)
        dice.shuffle(known)
        monkeypatch.setattr(loader, "SLICE_ROWS", 1 if seed % 2 else 100)
        while known:
            size = dice.randint(1, 8)
            part, known = known[:size], known[size:]
            orders = [
                _write_states(folder / f"{len(known)}-{name}.csv", mapping, found)
                for name, mapping in (("export", STATES), ("list", LIST))
                if (found := [state for of, state in part if of is mapping])
            ]
            result = load(url, orders)
            assert (result.rejected_count, result.read_count) == (0, len(part))
            assert min(result.stored_count, result.unchanged_count) >= 0
        one, other = rows_of(in_order, *tables), rows_of(url, *tables)
        for table in one:
            assert one[table] == other[table], table

    check()
    assert max(map(len, _runs(slices))) > 1  # some file was stored in several slices


def _alone(one: tuple[Mapping, dict[str, str]]) -> tuple[Mapping, list[dict[str, str]]]:
    return one[0], [one[1]]


def _runs(counts: list[int]) -> list[list[int]]:
    """Slices file by file: each file ends with a slice that may be empty."""
    return [list(group) for is_full, group in itertools.groupby(counts, key=bool) if is_full] or [[]]


def test_of_equally_undated_rows_beside_dated_ones_each_counts_once(tmp_path, monkeypatch):
    """Read = stored + there already + rejected, also where slices hold several states of one row."""
    monkeypatch.setattr(loader, "SLICE_ROWS", 1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 150)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 1)
    first = {"id": "t1", "opened_at": "2025-03-01 09:00", "status": "open"}
    fill = [first | {"id": f"f{n}", "team": "long enough to be a block of its own" * 3} for n in range(6)]
    dated = [
        first | {"team": "x", "changed_at": "2025-03-02 10:00"},
        first | {"team": "y", "changed_at": "2025-03-02 11:00"},
    ]
    undated = first | {"team": "z"}
    for n, states in enumerate(itertools.permutations([*dated, undated])):
        url = f"duckdb:///{tmp_path / str(n)}"
        rows = [
            row for state, pair in zip(states, (fill[:2], fill[2:4], fill[4:]), strict=True) for row in (state, *pair)
        ]
        result = load(url, [_write_states(tmp_path / f"{n}.csv", STATES, rows)])
        assert (result.read_count, result.rejected_count) == (9, 0)
        assert result.unchanged_count == 9 - result.stored_count >= 0
        frame = frame_of(url, interactions).set_index("external_id")
        assert (len(frame), frame.loc["t1", "team"]) == (7, "y")


def test_on_every_engine_the_newest_state_counts_and_nothing_between_replaces_it(new_store_url, tmp_path):
    first = {"id": "t1", "opened_at": "2025-03-01 09:00", "status": "open"}
    solved = first | {"status": "solved", "first_response_at": "2025-03-02 08:00"}

    def load_state(name: str, state: dict[str, str], at: str, mapping: Mapping = STATES) -> LoadResult:
        path = tmp_path / f"{name}.csv"
        return load(new_store_url, [_write_states(path, mapping, [state | {"changed_at": at}])])

    for hour, state in ((10, first), (14, first), (12, solved), (9, solved)):
        load_state(str(hour), state, f"2025-03-02 {hour}:00")
        stored = frame_of(new_store_url, interactions)["changed_at"].tolist()
        assert stored == [pd.Timestamp(2025, 3, 2, 10 if hour == 10 else 14)]
        assert frame_of(new_store_url, conversations)["status"].tolist() == ["open"]
    before = rows_of(new_store_url, interactions, reported_facts)
    assert load_state("future", solved, "2199-03-02 15:00").rejected_count == 1
    assert frame_of(new_store_url, rejected_rows)["reason"].tolist() == [
        "it was changed at 2199-03-02 15:00:00 UTC, in the future: are time format and zone right?"
    ]
    result = load_state("undated", solved, "")
    assert (result.unchanged_count, result.notes) == (
        1,
        [
            "1 × a row that does not say when it was changed, and differs from what is stored with such a time: the "
            "stored one was kept"
        ],
    )
    assert load_state("undated-too", first, "").notes == []
    assert rows_of(new_store_url, interactions, reported_facts) == before
    load_state("list", first | {"status": "pending"}, "2025-03-02 16:00", LIST)
    assert (
        load_state("older", solved, "2025-03-02 15:00").stored_count == 1
    )  # it tells a response, which the list cannot
    (found,) = frame_of(new_store_url, conversations).itertuples()
    assert (found.status, found.first_response_at) == ("pending", pd.Timestamp(2025, 3, 2, 8))
    assert load_state("older still", first, "2025-03-02 13:00").stored_count == 0
    assert frame_of(new_store_url, conversations)["first_response_at"].tolist() == [found.first_response_at]


def test_a_full_rebuild_gives_the_rows_that_the_loads_gave(at_once, twcs_store_url, tmp_path):
    for name, url in (("demo", at_once), ("twcs", twcs_store_url)):
        shutil.copytree(url.removeprefix("duckdb:///"), tmp_path / name)
        copy = f"duckdb:///{tmp_path / name}"
        assert rebuild(copy) == len(frame_of(url, conversations))
        assert rows_of(copy) == rows_of(url)


def test_changing_settings_and_back_again_gives_the_same_rows(tiny_store_url, tmp_path):
    shutil.copytree(tiny_store_url.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    (tmp_path / "store" / "settings.toml").write_text('zone = "Asia/Tokyo"\nage_bands = ["<30", "30+"]\n')
    rebuild(url)
    assert set(frame_of(url, conversations)["age_group"]) == {"<30", "30+", "unknown"}
    (tmp_path / "store" / "settings.toml").write_text("")  # the defaults; without a file those in force would stay
    rebuild(url)
    assert rows_of(url) == rows_of(tiny_store_url)


def test_only_the_customers_of_a_load_are_derived_again_and_each_once(tmp_path):
    messages, customers = tmp_path / "messages.csv", tmp_path / "customers.csv"
    messages.write_text(TINY_MESSAGES)
    customers.write_text(TINY_CUSTOMERS)
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "t")), LoadOrder(customers, "customers")])
    before = rows_of(url)
    with open_writer(url) as connection:
        # A mark on a row of nobody touched: it stays, so the row was not derived again.
        connection.execute(conversations.update().where(conversations.c.external_id == "c2").values(queue="mark"))
        ben, fay = (
            connection.scalar(select(conversations.c.customer_id).where(conversations.c.external_id == name))
            for name in ("c2", "c6")
        )
        derive.begin_touched(connection)
        connection.execute(derive.touched.insert(), [{"customer_id": fay}] * 3)
        derive.derive_touched(connection, read_settings())
        count = connection.scalar(select(func.count()).select_from(waits).where(waits.c.customer_id == fay))
        assert count == 2
        marked = connection.scalar(select(conversations.c.queue).where(conversations.c.customer_id == ben))
        assert marked == "mark"
        connection.execute(conversations.update().values(queue=None))
    assert rows_of(url) == before


def test_a_load_of_one_new_message_leaves_all_other_rows_as_they_were(at_once, sources, tmp_path):
    shutil.copytree(at_once.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    (tmp_path / "messages-9.csv").write_text(
        (sources / "messages.csv").read_text().splitlines()[0]
        + "\nnew1,NEWTICKET,newcomer,,,,E-mail,in,Customer,,,2026-10-01T10:00:00Z,hello,,,\n"
    )
    assert load(url, [_order(tmp_path / "messages-9.csv", sources)]).stored_count == 1
    before, after = rows_of(at_once), rows_of(url)
    for table in before:
        assert len(set(after[table]) - set(before[table])) == 1
        assert set(before[table]) <= set(after[table])


def test_thresholds_in_force_when_the_wait_began_stay_with_it(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "settings.toml").write_text(
        'zone = "Europe/London"\n'
        '[[thresholds]]\nchannel = "email"\ntarget = "1 h"\nignored_after = "4 h"\nfrom = 2025-07-01\n'
        '[[thresholds]]\nchannel = "email"\nteam = "Gold"\ntarget = "5 min"\nignored_after = "1 h"\n'
        '[[thresholds]]\nchannel = "email"\nbrand = "Bolt"\ntarget = "2 h"\nignored_after = "3 h"\nfrom = 2025-07-02\n'
    )
    header = "id,channel,occurred_at,team,brand\n"
    rows = [
        ("before", "2025-06-30T22:59:59Z", "", "", 8 * 3600),  # a second before midnight in London
        ("after", "2025-06-30T23:00:00Z", "", "", 3600),
        ("gold", "2025-07-05T00:00:00Z", "Gold", "", 300),  # the team counts for more, though its entry is older
        ("gold too", "2024-07-05T00:00:00Z", "Gold", "Bolt", 300),
        ("bolt early", "2025-07-01T12:00:00Z", "", "Bolt", 3600),
        ("bolt", "2025-07-02T12:00:00Z", "", "Bolt", 7200),
    ]
    path = tmp_path / "a.csv"
    path.write_text(header + "".join(f"{name},email,{at},{team},{brand}\n" for name, at, team, brand, _ in rows))
    columns = {name: name for name in header.strip().split(",")}
    load(
        f"duckdb:///{tmp_path / 'store'}",
        [LoadOrder(path, "csv", mapping_of({"source": "x", "columns": columns}, "t"))],
    )
    found = frame_of(f"duckdb:///{tmp_path / 'store'}", conversations).set_index("external_id")["target_seconds"]
    assert found.to_dict() == {name: seconds for name, _, _, _, seconds in rows}


def test_every_event_of_a_store_is_in_exactly_one_conversation_of_its_customer(at_once, twcs_store_url):
    for url in (at_once, twcs_store_url):
        events = frame_of(url, interactions)
        rows = frame_of(url, conversations)
        assert set(events["conversation_id"]) == set(rows["conversation_id"])
        assert events.groupby("conversation_id")["customer_id"].nunique().eq(1).all()
        visible = events[events["is_visible"]]
        inbound = visible[visible["direction"] == "inbound"].groupby("conversation_id").size()
        assert rows.set_index("conversation_id")["inbound_count"].loc[inbound.index].eq(inbound).all()
        assert rows["inbound_count"].sum() == len(visible[visible["direction"] == "inbound"])


def test_the_previous_contact_is_the_customers_own_whatever_the_channel(tiny_store_url):
    rows = frame_of(tiny_store_url, conversations).set_index("external_id")
    assert rows.loc["c9", "previous_conversation_id"] == rows.loc["c4", "conversation_id"]
    assert rows.loc["c9", "previous_gap_seconds"] == 110 * 60
    assert rows.loc["c9", "previous_channel"] == "twitter"
    assert rows["previous_conversation_id"].notna().sum() == 1


def test_an_event_in_the_year_1900_has_its_thresholds_too(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,channel,occurred_at\n1,letter,1900-01-01T00:00:00Z\n")
    columns = {name: name for name in ("id", "channel", "occurred_at")}
    url = f"duckdb:///{tmp_path / 'store'}"
    load(
        url,
        [LoadOrder(path, "csv", mapping_of({"source": "x", "columns": columns}, "t"))],
        now=dt.datetime(2026, 1, 1),
    )
    assert len(frame_of(url, waits)) == 1


def _as_stored(url: str, *columns: ColumnElement[dt.datetime]) -> list[tuple[bool, dt.datetime]]:
    """Whether it is unanswered, and when it began, of every row in the order of the file."""
    engine = open_reader(url)
    with engine.connect() as connection:
        stored = connection.execute(select(*columns).order_by(literal_column("rowid"))).all()
    engine.dispose()
    return [(answered is None, begun) for answered, begun in stored]


@pytest.mark.parametrize(
    ("table", "names"),
    [(waits, ("response_at", "started_at")), (conversations, ("first_response_at", "opened_at"))],
)
def test_the_embedded_engine_stores_answered_rows_before_unanswered_ones_each_in_order_of_time(at_once, table, names):
    stored = _as_stored(at_once, *(table.c[name] for name in names))
    assert len(stored) > 100
    assert {is_unanswered for is_unanswered, _ in stored} == {True, False}
    assert stored == sorted(stored)


@pytest.mark.parametrize(
    ("part_events", "copied_at_once", "sorted_rows"), [(1, 16, 10**6), (300, 2, 10**6), (300, 16, 50)]
)
def test_customers_derived_part_by_part_are_the_rows_of_one_go_in_the_same_order(
    at_once, tmp_path, monkeypatch, part_events, copied_at_once, sorted_rows
):
    monkeypatch.setattr(derive, "PARTS_AT_ONCE", copied_at_once)
    monkeypatch.setattr(derive, "SORTED_ROWS", sorted_rows)
    shutil.copytree(at_once.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    if part_events == 1:  # every customer a part: of a few of them
        few = select(interactions.c.customer_id).distinct().order_by(interactions.c.customer_id).limit(20)
        with open_writer(url) as connection:
            connection.execute(interactions.delete().where(interactions.c.customer_id.not_in(few)))
        rebuild(url)
    before = rows_of(url)
    done: list[int] = []
    derive_part = derive._derive
    monkeypatch.setattr(derive, "PART_EVENTS", part_events)
    monkeypatch.setattr(derive, "_derive", lambda connection, *rest: (done.append(1), derive_part(connection, *rest)))
    rebuild(url)
    events = len(before["interactions"])
    assert len(done) == 20 if part_events == 1 else 1 < len(done) <= events // part_events + 1
    assert rows_of(url) == before
    stored = _as_stored(url, waits.c.response_at, waits.c.started_at)
    assert stored == sorted(stored)


@pytest.mark.postgresql
def test_parts_give_the_same_rows_on_a_server(tiny_store_url, new_database, tmp_path, monkeypatch):
    messages, customers = tmp_path / "messages.csv", tmp_path / "customers.csv"
    messages.write_text(TINY_MESSAGES)
    customers.write_text(TINY_CUSTOMERS)
    url = new_database()
    monkeypatch.setattr(derive, "PART_EVENTS", 3)
    load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny")), LoadOrder(customers, "customers")])
    assert rows_of(url) == rows_of(tiny_store_url)


def test_a_file_stored_slice_by_slice_gives_the_rows_of_one_that_is_stored_at_once(
    sources, at_once, tmp_path, monkeypatch
):
    monkeypatch.setattr(loader, "SLICE_ROWS", 1)  # every batch
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 8_000)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 1_000)
    stored = []
    store = loader._Slice.store
    monkeypatch.setattr(loader._Slice, "store", lambda self, **named: (stored.append(1), store(self, **named)))
    url = f"duckdb:///{tmp_path / 'store'}"
    _settings(url, sources)
    names = ("messages", "social", "calls", "customers")
    told: list[tuple[str, int, int | None]] = []

    def progress(stage: str, rows: int, expected: int | None = None, /) -> None:
        told.append((stage, rows, expected))

    results = []
    for name in names:
        told.clear()
        results.append(load(url, [_order(sources / f"{name}.csv", sources)], progress=progress))
        readings = [
            list(steps) for stage, steps in itertools.groupby(told, lambda step: step[0]) if stage == "reading"
        ]
        if name != "customers":  # reading that begins anew is for what is left; the header counts as a row or two
            assert len(readings) > 1
            assert 0 <= readings[-1][-1][2] - sum(rows for _, rows, _ in readings[-1]) <= 2
    assert len(stored) > 20
    one, other = rows_of(at_once), rows_of(url)
    for table in one:
        assert one[table] == other[table], table
    for result in results:
        assert result.read_count == result.stored_count > 0


def test_a_slice_writes_its_own_customers_and_not_those_of_the_slices_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "SLICE_ROWS", 1)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 120)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 40)
    path, names = tmp_path / "messages.csv", ("id", "conversation", "customer", "channel", "direction", "occurred_at")
    rows = [f"i{n},v{n},p{n},email,inbound,2025-05-05T09:00:{n:02d}Z" for n in range(20)]
    path.write_text("\n".join((",".join(names), *rows)) + "\n")
    refresh, written = customers.refresh, []

    def refresh_and_take_away(connection: Any) -> None:
        refresh(connection)
        written.append(connection.scalar(select(func.count()).select_from(stored_customers)))
        connection.execute(delete(stored_customers))

    monkeypatch.setattr(customers, "refresh", refresh_and_take_away)
    mapping = mapping_of({"source": "desk", "columns": {name: name for name in names}}, "t")
    load(f"duckdb:///{tmp_path / 'store'}", [LoadOrder(path, "csv", mapping)])
    assert len(written) > 5
    assert sum(written) == 20


def test_tweets_stored_slice_by_slice_give_the_rows_of_one_go(twcs_store_url, shared_data, tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "SLICE_ROWS", 1)
    monkeypatch.setattr(threads, "IN_MEMORY", 0)
    monkeypatch.setattr(threads, "BATCH_ROWS", 400)
    url = f"duckdb:///{tmp_path / 'store'}"
    result = load(url, [LoadOrder(shared_data / "twcs" / "twcs_first5000.csv", "twcs")])
    assert (result.read_count, result.stored_count, result.rejected_count) == (5_001, 5_000, 1)
    assert rows_of(url) == rows_of(twcs_store_url)


@pytest.mark.parametrize("slice_rows", [1, 10**9])
def test_an_id_that_comes_again_in_a_later_slice_is_a_duplicate_and_no_correction(
    new_store_url, tmp_path, monkeypatch, slice_rows
):
    monkeypatch.setattr(loader, "SLICE_ROWS", slice_rows)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 120)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 40)
    header, first, *others = TINY_MESSAGES.splitlines()
    other, corrected = first.replace("1,", "other,", 1), first.replace("2026", "2025", 1)
    path = tmp_path / "messages.csv"
    path.write_text("\n".join((header, first, *others, first, corrected, other, corrected)) + "\n")
    result = load(new_store_url, [LoadOrder(path, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    line, rejected = len(others) + 4, frame_of(new_store_url, rejected_rows).sort_values("line")
    assert list(rejected["line"]) == [line, line + 2]
    assert set(rejected["reason"]) == {"id 1 stands in line 2 already, with different content"}
    assert list(rejected["raw"].str.strip()) == [corrected, corrected]
    assert (result.stored_count, result.unchanged_count) == (len(others) + 2, 1)
    assert result.read_count == len(others) + 5


@pytest.mark.parametrize("slice_rows", [1, 10**9])
def test_replies_with_wrong_times_are_one_note_however_many_slices_a_file_has(tmp_path, monkeypatch, slice_rows):
    monkeypatch.setattr(loader, "SLICE_ROWS", slice_rows)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 160)
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 40)
    path, names = tmp_path / "replies.csv", ("id", "conversation", "channel", "direction", "reply_to", "occurred_at")
    asked = [f"q{n},c{n},email,inbound,,2025-05-05T09:00:{n:02d}Z" for n in range(7)]
    answered = [f"a{n},c{n},email,outbound,q{n},2025-05-05T08:59:{n:02d}Z" for n in range(7)]
    path.write_text("\n".join((",".join(names), *asked, *answered)) + "\n")
    mapping = mapping_of({"source": "desk", "columns": {name: name for name in names}}, "t")
    result = load(f"duckdb:///{tmp_path / 'store'}", [LoadOrder(path, "csv", mapping)])
    (note,) = result.notes
    # What a slice finds is named with its line; a question of an earlier slice only by its id.
    assert note.startswith("7 × a reply dated before what it answers (a0 in line 9 of replies.csv before q0")
    assert "a4 in line 13 of replies.csv before q4" in note
    assert "a5" not in note
    assert ", …): " in note


def test_a_customer_with_more_events_than_a_part_holds_is_derived_with_memory_in_proportion(tmp_path, monkeypatch):
    messages, url = tmp_path / "messages.csv", f"duckdb:///{tmp_path / 'store'}"
    messages.write_text(TINY_MESSAGES)
    load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    before = rows_of(url)
    seen: list[tuple[int, float]] = []
    derive_part = derive._derive

    def limit(connection) -> float:
        number, unit = connection.exec_driver_sql("SELECT current_setting('memory_limit')").scalar().split()
        return float(number) * {"MiB": 1, "GiB": 1024}[unit] * 2**20 / 1e6

    def watched(connection, *rest):
        seen.append((derive._event_count(connection), limit(connection)))
        derive_part(connection, *rest)

    monkeypatch.setattr(derive, "PART_EVENTS", 2)
    monkeypatch.setattr(derive, "_derive", watched)
    rebuild(url)
    assert rows_of(url) == before
    assert {events > 2 for events, _ in seen} == {True, False}
    for events, megabytes in seen:
        assert megabytes == pytest.approx(dialects.ENGINE_MB * max(1, events / 2), rel=0.1)


def test_parts_hold_every_event_once_and_no_more_than_they_may(new_store_url, tmp_path, monkeypatch):
    messages = tmp_path / "messages.csv"
    messages.write_text(TINY_MESSAGES)
    load(new_store_url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    monkeypatch.setattr(derive, "PART_EVENTS", 3)
    with open_writer(new_store_url) as connection:
        derive.begin_touched(connection)
        for _ in range(2):  # touched twice, derived once
            dialects.insert_rows(connection, derive.touched, select(interactions.c.customer_id).distinct())
        sizes = derive._divide(connection)
        part, customer_id = derive._parts.c.part, interactions.c.customer_id
        held = connection.execute(
            select(part, customer_id, func.count())
            .join_from(interactions, derive._parts, customer_id == derive._parts.c.customer_id)
            .group_by(part, customer_id)
        ).all()
        assert sum(count for *_, count in held) == connection.scalar(select(func.count()).select_from(interactions))
    assert sizes == [sum(count for part, _, count in held if part == number) for number in range(len(sizes))]
    buckets = [{one[1:3] for part, one, _ in held if part == number} for number in range(len(sizes))]
    assert len(set.union(*buckets)) == sum(map(len, buckets))  # no bucket is in two parts
    for number, events in enumerate(sizes):
        assert events <= 3 or len(buckets[number]) == 1
    assert len(sizes) > 2


@pytest.mark.parametrize("name", ["demo_store_url", "at_once"])
def test_what_a_wait_knows_of_its_customer_is_what_a_loop_finds(name, request):
    url = request.getfixturevalue(name)
    tables = (waits, conversations, interactions, reported_facts, customer_identities)
    told, held, events, facts, known = (frame_of(url, table).astype(object) for table in tables)
    answers = events[(events["direction"] == "outbound") & (events["author_kind"] == "agent") & events["is_visible"]]
    facts = facts[facts["first_response_at"].notna() & ~facts["conversation_id"].isin(answers["conversation_id"])]
    facts = facts.rename(columns={"first_response_at": "occurred_at", "responder_agent": "agent"})
    answered: dict[str, list[dict[str, Any]]] = {}
    for answer in pd.concat([answers, facts])[["conversation_id", "occurred_at", "agent"]].to_dict("records"):
        answered.setdefault(answer["conversation_id"], []).append(answer)
    begun: dict[str, list[tuple[dt.datetime, str]]] = {}
    for one in held[held["first_inbound_at"].notna()].to_dict("records"):
        begun.setdefault(one["customer_id"], []).append((one["opened_at"], one["conversation_id"]))
    opened = dict(zip(held["conversation_id"], held["opened_at"], strict=True))
    can_join = set(known[known["reason"].isna()]["customer_id"])
    seen = set()
    for wait in told.where(told.notna(), None).to_dict("records"):
        own = opened[wait["conversation_id"]], wait["conversation_id"]
        count = sum(other < own for other in begun[wait["customer_id"]])
        before = [one for one in answered.get(wait["conversation_id"], ()) if one["occurred_at"] < wait["started_at"]]
        newest = max((one["occurred_at"] for one in before), default=None)
        agents = {one["agent"] for one in before if one["occurred_at"] == newest} or {None}
        assert wait["earlier_conversation_count"] == count
        assert wait["previous_agent"] in agents
        assert wait["is_recognisable"] == (wait["customer_id"] in can_join)
        seen.add((count > 0, wait["previous_agent"] is not None))
    assert len(seen) == 4


def test_answers_elsewhere_are_those_that_a_loop_finds(demo_store_url):
    tables = (waits, conversations, interactions, reported_facts)
    told, held, events, facts = (frame_of(demo_store_url, table).astype(object) for table in tables)
    events = events[(events["direction"] == "outbound") & (events["author_kind"] == "agent") & events["is_visible"]]
    # An answer that only the ticket or call reports; where there are events, these tell.
    facts = facts[facts["first_response_at"].notna() & ~facts["conversation_id"].isin(events["conversation_id"])]
    held = held[held["kind"] != "outreach"][["conversation_id", "channel", "brand", "topic"]]
    names = ["customer_id", "conversation_id", "occurred_at"]
    both = pd.concat([events[names], facts.rename(columns={"first_response_at": "occurred_at"})[names]])
    both = both.merge(held, on="conversation_id")
    replies: dict[str, list[dict[str, Any]]] = {}
    for reply in both.where(both.notna(), None).to_dict("records"):
        replies.setdefault(reply["customer_id"], []).append(reply)
    found = 0
    for wait in told.where(told.notna(), None).to_dict("records"):
        fitting = [
            reply
            for reply in replies.get(wait["customer_id"], ())
            if reply["channel"] != wait["channel"]
            and reply["brand"] == wait["brand"]
            and ("unknown" in (reply["topic"], wait["topic"]) or reply["topic"] == wait["topic"])
        ]
        for since, due, name in (
            ("started_at", "ignored_due_at", "elsewhere"),
            ("first_complaint_at", "complaint_ignored_due_at", "complaint_elsewhere"),
        ):
            start, end = wait[since], wait[due]
            first = min(
                ((r["occurred_at"], r["channel"]) for r in fitting if start and start < r["occurred_at"] <= end),
                default=(None, None),
            )
            assert (wait[f"{name}_at"], wait[f"{name}_channel"]) == first
            found += first[0] is not None
    assert found > 30
