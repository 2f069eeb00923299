"""Customers: their ages at the time of contact, and what joins them across channels in whatever order files come."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import TIMES
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from sqlalchemy import event as events
from stored_rows import frame_of, rows_of

from data_access import customers as settling
from data_access.errors import SourceError
from data_access.filters import Filter
from data_access.loader import LoadOrder, LoadResult, load, rebuild
from data_access.reports import run_report
from data_access.schema import (
    conversations,
    customer_identities,
    customer_records,
    customers,
    interactions,
    rejected_rows,
    stated_identities,
    waits,
)
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved

EVENT_COLUMNS = ("id", "conversation", "customer", "email", "phone", "handle", "channel", "direction", "occurred_at")


class Files:
    """Loads lines of events and customers into stores of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = itertools.count()

    def url(self, store: str = "store") -> str:
        return f"duckdb:///{self.folder / store}"

    def events(self, rows: str, *, source: str = "desk", store: str = "store") -> LoadResult:
        path = self.folder / f"{next(self.count)}.csv"
        path.write_text(",".join(EVENT_COLUMNS) + "\n" + rows)
        mapping = mapping_of({"source": source, "columns": {name: name for name in EVENT_COLUMNS}}, "t")
        return load(self.url(store), [LoadOrder(path, "csv", mapping)])

    def customers(
        self, rows: str, *, store: str = "store", header: str = "customer_id,birth_date,identities"
    ) -> LoadResult:
        path = self.folder / f"{next(self.count)}.csv"
        path.write_text(header + "\n" + rows)
        return load(self.url(store), [LoadOrder(path, "customers")])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def event(
    name: object, conversation: str, *, at: str = "2025-05-05T09:00:00Z", channel: str = "email", **who: str
) -> str:
    cells = {
        "id": str(name),
        "conversation": conversation,
        "channel": channel,
        "direction": "inbound",
        "occurred_at": at,
    }
    return ",".join({**cells, **who}.get(column, "") for column in EVENT_COLUMNS) + "\n"


def people(url: str) -> set[frozenset[str]]:
    """Which conversations belong to one person."""
    rows = frame_of(url, conversations)
    return {frozenset(group["external_id"]) for _, group in rows.groupby("customer_id")}


# --- ages


AGES = [
    ({"birth_date": "2000-05-06"}, "2025-05-05T09:00:00Z", "18-24"),  # the day before the 25th birthday
    ({"birth_date": "2000-05-05"}, "2025-05-05T09:00:00Z", "25-34"),  # on it
    ({"birth_date": "2008-02-29"}, "2026-02-28T23:59:59Z", "<18"),  # born on a leap day
    ({"birth_date": "2008-02-29"}, "2026-03-01T00:00:00Z", "18-24"),
    ({"birth_date": "1920-01-01"}, "2025-05-05T09:00:00Z", "65+"),
    ({"birth_date": "2026-01-01"}, "2025-05-05T09:00:00Z", "unknown"),  # not born yet
    ({"birth_year": "2000"}, "2025-06-30T12:00:00Z", "18-24"),  # as if born on 1 July
    ({"birth_year": "2000"}, "2025-07-01T12:00:00Z", "25-34"),
    ({"birth_year": "1960.0"}, "2025-07-01T12:00:00Z", "65+"),
    ({"age_group": "35-44"}, "2025-07-01T12:00:00Z", "35-44"),
    ({"age_group": "unknown"}, "2025-07-01T12:00:00Z", "unknown"),
    # the most exact counts
    ({"birth_date": "2000-05-06", "birth_year": "1950", "age_group": "65+"}, "2025-05-05T09:00:00Z", "18-24"),
    ({"birth_year": "1950", "age_group": "18-24"}, "2025-05-05T09:00:00Z", "65+"),
    ({"segment": "gold"}, "2025-05-05T09:00:00Z", "unknown"),
]
AGE_COLUMNS = ("birth_date", "birth_year", "age_group", "segment")


def test_the_age_group_is_that_of_the_day_of_contact(files):
    files.events("".join(event(n, f"c{n}", customer=f"x{n}", at=at) for n, (_, at, _) in enumerate(AGES)))
    lines = [
        f"P{n},{','.join(said.get(name, '') for name in AGE_COLUMNS)},id:desk=x{n}\n"
        for n, (said, _, _) in enumerate(AGES)
    ]
    files.customers("".join(lines), header=f"customer_id,{','.join(AGE_COLUMNS)},identities")
    expected = {f"c{n}": band for n, (_, _, band) in enumerate(AGES)}
    found = frame_of(files.url(), conversations).set_index("external_id")["age_group"]
    assert found.to_dict() == expected
    waited = frame_of(files.url(), waits).merge(
        frame_of(files.url(), conversations)[["conversation_id", "external_id"]]
    )
    assert waited.set_index("external_id")["age_group"].to_dict() == expected


@pytest.mark.parametrize("named", AGE_COLUMNS)
def test_a_customers_file_needs_no_column_for_what_it_does_not_know(files, named):
    said, at, band = next(row for row in AGES if list(row[0]) == [named])
    files.events(event(1, "c", customer="x", at=at))
    files.customers(f"A,{said[named]},id:desk=x\n", header=f"customer_id,{named},identities")
    assert frame_of(files.url(), conversations)["age_group"].tolist() == [band]


def test_the_day_of_contact_is_the_local_one(files):
    """At 23:30 UTC in summer it is the birthday already in London."""
    (files.folder / "store").mkdir()
    (files.folder / "store" / "settings.toml").write_text('zone = "Europe/London"\n')
    files.events(
        event(1, "c", customer="x", at="2025-06-04T23:30:00Z") + event(2, "d", customer="x", at="2025-06-04T22:30:00Z")
    )
    files.customers("A,2000-06-05,id:desk=x\n")
    ages = frame_of(files.url(), conversations).set_index("external_id")["age_group"].to_dict()
    assert ages == {"c": "25-34", "d": "18-24"}


def test_a_customer_has_the_age_of_each_contact_not_of_the_last(files):
    files.events(
        event(1, "a", customer="x", at="2024-05-05T09:00:00Z") + event(2, "b", customer="x", at="2025-05-05T09:00:00Z")
    )
    files.customers("A,2000-01-01,id:desk=x\n")
    rows = frame_of(files.url(), conversations).set_index("external_id")["age_group"].to_dict()
    assert rows == {"a": "18-24", "b": "25-34"}


def test_bands_are_settings_and_a_rebuild_uses_the_new_ones(files):
    files.events(event(1, "c", customer="x"))
    files.customers("A,1990-01-01,id:desk=x\n")
    (files.folder / "store" / "settings.toml").write_text('age_bands = ["<30", "30-59", "60+"]\n')
    files.events(event(2, "d", customer="y"))  # any load derives all again when the settings changed
    assert sorted(frame_of(files.url(), conversations)["age_group"]) == ["30-59", "unknown"]


# --- the file


@pytest.mark.parametrize(
    ("header", "cells", "named"),
    [
        ("birth_date", "A,yesterday,", "birth_date is 'yesterday'"),
        ("birth_date", "A,1800-01-01,", "before 1900"),
        ("birth_date", "A,1899-12-31,", "before 1900"),
        ("birth_date", "A,2126-01-01,", "in the future"),
        ("birth_year", "A,1899,", "before 1900"),
        ("birth_year", "A,2099,", "in the future"),
        ("birth_date", "A,2000-01-01", "2 fields instead of 3: the line is cut short"),
        ("birth_date", ",1980-01-01,", "customer_id is empty"),
        ("birth_year", "A,80,", "birth_year is '80'"),
        ("age_group", "A,old,", "age_group is 'old', none of <18, 18-24"),
        ("followers", "A,many,", "followers is 'many'"),
        ("followers", "A,99999999999999999999,", "followers is '99999999999999999999'"),
        ("segment", "A,x,email", "identity 'email' is none of"),
        ("segment", "A,x,twitter=@a", "identity 'twitter=@a' is none of"),
        ("segment", 'A,x,"email=b@x.org, phone=+442079460002"', "phone=+442079460002' holds two: separate them by ;"),
        ("segment", "A,x,phone=+442079460002|email=b@x.org", "email=b@x.org' holds two: separate them by ;"),
        ("segment", "A,x,handle:twitter=a id:desk=5", "identity 'handle:twitter=a id:desk=5' holds two"),
        ("segment", 'A,x,"email=b@x.org, c@x.org"', "identity 'email=b@x.org, c@x.org' is no e-mail address"),
        ("segment", "A,x,email=b", "identity 'email=b' is no e-mail address"),
    ],
)
def test_a_bad_customer_is_rejected_by_name_and_the_good_ones_load(files, header, cells, named):
    result = files.customers(f"G,,\n{cells}\nH,,\n", header=f"customer_id,{header},identities")
    assert (result.read_count, result.stored_count, result.rejected_count) == (3, 2, 1)
    assert named in frame_of(files.url(), rejected_rows)["reason"].iloc[0]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_a_customers_file_is_separated_as_its_first_line_shows(files, mark):
    rows = ("A", "1980-01-01", '"email=a@x.org;phone=+442079460002"')
    result = files.customers(f"{mark.join(rows)}\n", header=mark.join(("customer_id", "birth_date", "identities")))
    assert (result.stored_count, result.rejected_count) == (1, 0)
    assert len(frame_of(files.url(), customer_identities)) == 3


def test_a_file_without_customer_ids_is_told_what_it_has(files):
    with pytest.raises(SourceError, match=r"column customer_id is missing among id, birth_date; known columns are"):
        files.customers("A,1980-01-01\n", header="id,birth_date")


def test_the_same_customer_twice_is_unchanged_if_equal_and_rejected_if_not(files):
    result = files.customers("A,1980-01-01,\nA,1980-01-01,\nA,1981-01-01,\n")
    assert (result.stored_count, result.unchanged_count, result.rejected_count) == (1, 1, 1)


def test_loading_customers_again_changes_nothing_and_a_correction_changes_the_age(files):
    files.events(event(1, "c", customer="x"))
    assert files.customers("A,1980-01-01,id:desk=x;email=a@example.com\n").stored_count == 1
    before = rows_of(files.url(), conversations, waits, interactions, customers, customer_identities)
    again = files.customers("A,1980-01-01,id:desk=x;email=a@example.com\n")
    assert (again.stored_count, again.unchanged_count) == (0, 1)
    assert rows_of(files.url(), conversations, waits, interactions, customers, customer_identities) == before
    assert files.customers("A,2004-01-01,id:desk=x\n").stored_count == 1
    assert frame_of(files.url(), conversations)["age_group"].tolist() == ["18-24"]


def test_an_empty_cell_forgets_nothing(files):
    files.events(event(1, "c", customer="x"))
    files.customers("A,1980-01-01,id:desk=x\n")
    files.customers("A,,id:desk=x\n")
    assert frame_of(files.url(), conversations)["age_group"].tolist() == ["45-54"]


WHO = (conversations, waits, interactions, customers, customer_identities, customer_records, stated_identities)
WRONG = "1,1980-01-01,id:desk=1;email=ann@x.example;email=bob@x.example\n2,1950-01-01,phone=+442079460002\n"
RIGHT = "1,1980-01-01,id:desk=1;email=ann@x.example\n2,1950-01-01,phone=+442079460002;email=bob@x.example\n"


@pytest.mark.parametrize("order", ["ewr", "wer", "wre", "ewrr", "wewr", "ew12", "w21e", "w1e2"])
def test_a_corrected_file_moves_an_identity_to_another_customer_whenever_the_events_come(files, order):
    """`e` are the events, `w` the wrong file, `r` the right one, 1 and 2 its lines loaded one by one."""
    rows = event(1, "a", customer="1") + event(2, "b", email="bob@x.example") + event(3, "c", email="ann@x.example")
    files.events(rows, store="right")
    files.customers(RIGHT, store="right")
    line = dict(zip("12", RIGHT.splitlines(keepends=True), strict=True))
    for step in order:
        if step == "e":
            files.events(rows)
        else:
            files.customers({"w": WRONG, "r": RIGHT, **line}[step])
    assert rows_of(files.url(), *WHO) == rows_of(files.url("right"), *WHO)
    ages = frame_of(files.url(), conversations).set_index("external_id")["age_group"].to_dict()
    assert ages == {"a": "45-54", "b": "65+", "c": "45-54"}
    before = rows_of(files.url(), *WHO)
    rebuild(files.url())
    assert rows_of(files.url(), *WHO) == before


def test_a_load_says_which_lines_take_identities_back_and_an_empty_cell_keeps_them(files):
    files.customers(WRONG)
    assert files.customers("1,,\n").notes == []
    assert files.customers("1,,id:desk=1;email=ANN@x.example;email=bob@x.example\n").notes == []
    assert files.customers(RIGHT).notes == [
        "1 × an identity that an earlier file listed is no longer listed beside its customer (line 2): the file takes "
        "it back; an empty cell would keep it"
    ]


# --- who is who


def both_orders(files: Files, events: list[str], listed: str) -> set[frozenset[str]]:
    """The people, and a check that customers first, events first and events one by one give the same rows."""
    orders = {
        "customers first": [
            lambda s: files.customers(listed, store=s),
            lambda s: files.events("".join(events), store=s),
        ],
        "events first": [lambda s: files.events("".join(events), store=s), lambda s: files.customers(listed, store=s)],
        "in between": [
            lambda s: files.events("".join(events[::2]), store=s),
            lambda s: files.customers(listed, store=s),
            lambda s: files.events("".join(events[1::2]), store=s),
            lambda s: files.customers(listed, store=s),
            lambda s: files.events("".join(events), store=s),
        ],
    }
    found = {}
    for name, steps in orders.items():
        for step in steps:
            step(name)
        found[name] = rows_of(files.url(name), conversations, waits, interactions)
    assert found["customers first"] == found["events first"] == found["in between"]
    return people(files.url("events first"))


def test_identities_join_one_customer_across_channels_in_any_order_of_files(files):
    rows = [
        event(1, "mail", email="Anna@Example.com"),
        event(2, "call", phone="0044 7700 900123", channel="phone"),
        event(3, "tweet", handle="@Anna_A", channel="twitter"),
        event(4, "ticket", customer="77"),
        event(5, "other", email="ben@example.com"),
        event(6, "facebook", handle="anna_a", channel="facebook"),  # another network: another account
    ]
    listed = "A,1980-01-01,email=anna@example.com;phone=+447700900123;handle:twitter=anna_a;id:desk=77\n"
    assert both_orders(files, rows, listed) == {
        frozenset({"mail", "call", "tweet", "ticket"}),
        frozenset({"other"}),
        frozenset({"facebook"}),
    }


def test_an_address_that_two_customers_share_joins_neither(files):
    rows = [event(1, "a", customer="1"), event(2, "b", customer="2")]
    listed = "A,1980-01-01,id:desk=1;email=family@example.com\nB,2010-01-01,id:desk=2;email=family@example.com\n"
    assert both_orders(files, rows, listed) == {frozenset({"a"}), frozenset({"b"})}
    result = files.customers(listed, store="events first")
    assert any("line 3" in note and "not joined" in note for note in result.notes)


def test_the_same_id_in_two_systems_is_two_people_unless_a_file_says_otherwise(files):
    files.events(event(1, "a", customer="7"), source="desk")
    files.events(event(1, "b", customer="7"), source="shop")
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"})}
    files.customers("A,,id:desk=7;id:shop=7\n")
    assert people(files.url()) == {frozenset({"a", "b"})}


def test_joining_customers_and_loading_all_again_changes_no_count(files):
    rows = event(1, "a", email="x@example.com") + event(2, "b", phone="+447700900123", channel="phone")
    files.events(rows)
    files.customers("A,1980-01-01,email=x@example.com;phone=+447700900123\n")
    before = rows_of(files.url())
    assert files.events(rows).stored_count == 0
    assert rows_of(files.url()) == before
    assert len(frame_of(files.url(), customers)) == 1


def test_events_without_a_customers_file_are_joined_by_what_they_share_in_any_order(files):
    """One message has id and address, one only the id, one only the address."""
    rows = [
        event(1, "both", customer="7", email="x@example.com"),
        event(2, "id", customer="7"),
        event(3, "mail", email="x@example.com"),
    ]
    found = {}
    for place, order in enumerate(itertools.permutations(range(3))):
        for part in order:
            files.events(rows[part], store=f"one by one {place}")
        found[order] = rows_of(files.url(f"one by one {place}"))
    files.events("".join(rows), store="at once")
    assert people(files.url("at once")) == {frozenset({"both", "id", "mail"})}
    for order, rows_found in found.items():
        assert rows_found == rows_of(files.url("at once")), order


@st.composite
def messages(draw) -> list[dict[str, str]]:
    """Messages of a few people, each showing some of the writer's identities."""
    shown = st.sets(st.sampled_from(["customer", "email", "phone", "handle"]))
    found = []
    for _ in range(draw(st.integers(3, 8))):
        who = draw(st.integers(1, 3))
        all_of_them = {
            "customer": f"{who}",
            "email": f"{who}@x.example",
            "phone": f"+4477009000{who}",
            "handle": f"h{who}",
        }
        found.append({name: all_of_them[name] for name in draw(shown)})
    return found


@settings(max_examples=3 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(everyone=messages(), seed=st.integers(0, 10**6))
@example(everyone=[{"customer": "1", "email": "a@x.example"}, {"customer": "1"}, {"email": "a@x.example"}], seed=1)
def test_random_identities_in_any_split_and_order_give_the_rows_of_one_load(tmp_path_factory, everyone, seed):
    files, dice = Files(tmp_path_factory.mktemp("who")), random.Random(seed)
    rows = [event(place, f"c{place}", **who) for place, who in enumerate(everyone)]
    files.events("".join(rows), store="at once")
    dice.shuffle(rows)
    cut = dice.randrange(1, len(rows))
    files.events("".join(rows[:cut]), store="split")
    files.events("".join(rows[cut:]), store="split")
    assert rows_of(files.url("split")) == rows_of(files.url("at once"))


def test_two_ids_of_one_source_are_two_people_also_where_they_share_a_telephone(files):
    shared = "+447700900123"
    files.events(event(1, "a", customer="1", phone=shared) + event(2, "b", customer="2", phone=shared))
    files.events(event(3, "c", customer="2") + event(4, "d", customer="1"))
    assert people(files.url()) == {frozenset({"a", "d"}), frozenset({"b", "c"})}


def test_one_person_may_have_several_ids_in_a_source_where_a_customers_file_lists_them(files):
    rows = [event(1, "a", customer="1"), event(2, "b", customer="2"), event(3, "c", customer="3")]
    assert both_orders(files, rows, "A,1980-01-01,id:desk=1;id:desk=2\n") == {frozenset({"a", "b"}), frozenset({"c"})}


def test_known_on_several_channels_is_covered(files):
    files.events(event(1, "a", email="x@example.com") + event(2, "b", phone="+447700900123", channel="phone"))
    files.customers("A,,email=x@example.com;phone=+447700900123\n")
    engine = open_reader(files.url())
    coverage = run_report(engine, "coverage", resolved(Filter(), read_status(engine, files.url()))).set_index("item")
    assert coverage.loc["known_on_several_channels", "known_count"] == 2


def test_handles_are_shown_with_the_customer_and_survive_a_join(files):
    files.events(event(1, "a", handle="Anna_A", channel="twitter"))
    files.customers("A,1980-01-01,handle:twitter=anna_a\n")
    row = frame_of(files.url(), customers).iloc[0]
    assert row["handle"] == "Anna_A"
    assert row["birth_date"] == pd.Timestamp("1980-01-01").date()


# --- many customers at once ----------------------------------------------------------------------------------


def test_identities_and_customers_written_in_parts_are_the_same(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(
        f"{n},c{n},k{n % 40},p{n % 30}@x.org,,h{n % 50},email,inbound,2026-01-05T09:{n % 60:02}:00Z\n"
        for n in range(200)
    )
    people = "".join(f"A{n},19{50 + n}-01-01,email=p{n}@x.org;id:desk=k{n}\n" for n in range(30))
    written: list[int] = []
    write = settling._write_identities

    def noted(connection: Connection, initials: Sequence[str]) -> None:
        written.append(len(initials))
        write(connection, initials)

    monkeypatch.setattr(settling, "_write_identities", noted)
    for store, at_once in (("whole", 10**6), ("parts", 1)):
        monkeypatch.setattr(settling, "IDENTITIES_OF", at_once)
        monkeypatch.setattr(settling, "TOLD_OF", at_once)
        files.events(rows, store=store)
        files.customers(people, store=store)
        rebuild(files.url(store))
    tables = (customers, customer_identities, stated_identities, conversations)
    whole, parts = (rows_of(files.url(store), *tables) for store in ("whole", "parts"))
    assert whole == parts
    assert len(whole["customers"]) > 20
    assert set(written) == {0, 1}  # all at once, or one initial after the other


@pytest.mark.postgresql
def test_a_first_load_into_a_server_asks_nothing_row_by_row(new_database, tmp_path):
    """Whether anybody moved is asked of all at once: an index looked up for each row took hours for 200,000."""
    url = new_database()
    rows = [f"{n},{n % 700},c{n % 700},email,inbound,2025-05-05T09:00:00Z,u{n % 700}@x.example" for n in range(4000)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["id,conversation,customer,channel,direction,occurred_at,email", *rows]) + "\n")
    columns = {name: name for name in path.read_text().splitlines()[0].split(",")}
    asked: list[tuple[str, Any]] = []

    def note(_connection, cursor, statement, parameters, *_rest) -> None:
        if "MATERIALIZED" in statement:
            asked.append((statement, parameters))

    events.listen(Engine, "before_cursor_execute", note)
    try:
        load(url, [LoadOrder(path, "csv", mapping_of({"source": "desk", "columns": columns}, "t"))])
    finally:
        events.remove(Engine, "before_cursor_execute", note)
    assert any("settle_owners" in statement for statement, _ in asked)
