"""The same statements give the same rows on DuckDB and on a real PostgreSQL, which the tests start themselves."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    select,
    text,
)
from stored_rows import rows_of
from test_customers import Files, event
from test_identities import WHO

from data_access import audit, decisions, dialects
from data_access.cli import main
from data_access.demo import write_demo_sources
from data_access.export import to_csv
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild
from data_access.queries.back_door import back_door, back_door_at_once, back_door_flow, back_door_range
from data_access.queries.backlog import backlog, backlog_and_ages
from data_access.queries.data_quality import tells_complaints
from data_access.queries.sentiment import sentiment, sentiment_at_once, sentiment_trend
from data_access.reports import REPORT_DIMENSIONS, REPORTS, run_report
from data_access.sources.mapping import mapping_of, read_mapping
from data_access.store import open_reader, open_writer, read_status, resolved

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="session")
def two_stores(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The tiny rows and a small demo company, loaded into both engines."""
    folder = tmp_path_factory.mktemp("both")
    (folder / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    (folder / "customers-tiny.csv").write_text(TINY_CUSTOMERS, encoding="utf-8")
    demo = folder / "demo"
    demo.mkdir()
    write_demo_sources(demo, scale=0.03)
    orders = [
        LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny")),
        LoadOrder(folder / "customers-tiny.csv", "customers", source_name="people"),
        LoadOrder(demo / "customers.csv", "customers"),
        *(
            LoadOrder(path.with_suffix(".csv"), "csv", read_mapping(path))
            for path in sorted(demo.glob("*.toml"))
            if path.name != "settings.toml"
        ),
    ]
    duckdb_url = f"duckdb:///{folder / 'store'}"
    for url in (duckdb_url, postgresql_url):
        load(url, orders)
    return duckdb_url, postgresql_url


FILTERS = {
    "everything": Filter(grain="month"),
    "ignored complaints of two channels": Filter(channels=("email", "twitter"), states=("ignored",)),
    "autumn, by day, negative, private": Filter(
        date_from=dt.date(2026, 10, 1), grain="day", sentiments=("negative",), visibility="private"
    ),
}


DIMENSION_SETS: list[tuple[str, ...]] = [(), ("period",), ("channel",)]


@pytest.mark.parametrize("name", FILTERS)
def test_every_report_gives_the_same_rows_on_both_engines(two_stores, name):
    opened = []
    for url in two_stores:
        engine = open_reader(url)
        opened.append((engine, resolved(FILTERS[name], read_status(engine, url))))
    dimensions = [(), *((d,) for d in REPORT_DIMENSIONS)] if name == "everything" else DIMENSION_SETS
    for report in REPORTS.values():
        for by in dimensions if report.takes_by else [()]:
            texts = [report_text(engine, report.name, wanted, by) for engine, wanted in opened]
            assert texts[0] == texts[1], f"{report.name} by {by}"


@pytest.mark.parametrize("name", FILTERS)
def test_what_pages_ask_at_once_is_what_reports_ask_apart(two_stores, name):
    for url in two_stores:
        engine = open_reader(url)
        wanted = resolved(FILTERS[name], read_status(engine, url))
        door, flow, days = back_door_at_once(engine, wanted)
        waiting, ages = backlog_and_ages(engine, wanted)
        tone, trend = sentiment_at_once(engine, wanted)
        pairs = [
            (door, back_door(engine, wanted)),
            (flow, back_door_flow(engine, wanted)),
            (days, back_door_range(engine, wanted)),
            (waiting, backlog(engine, wanted)),
            (ages, backlog(engine, wanted, ("age",))),
            (trend, sentiment_trend(engine, wanted)),
            *((frame, sentiment(engine, wanted, by)) for by, frame in tone.items()),
        ]
        for together, apart in pairs:
            assert to_csv(together) == to_csv(apart)


def test_every_engine_says_alike_whether_a_complaint_would_be_known(two_stores):
    found = []
    for url in two_stores:
        engine = open_reader(url)
        found.append(
            [tells_complaints(engine, resolved(wanted, read_status(engine, url))) for wanted in FILTERS.values()]
        )
    assert found[0] == found[1]
    assert any(found[0])


def report_text(engine, report, wanted, by) -> str:
    from data_access.errors import FilterError

    try:
        return to_csv(run_report(engine, report, wanted, by))
    except FilterError as problem:  # a dimension that the report does not have is refused alike
        return str(problem)


def test_the_store_is_sound_and_the_numbers_agree_on_postgresql(two_stores):
    assert main(["check", "--numbers", "--store", two_stores[1]]) == 0


def test_loading_again_stores_nothing_twice_on_postgresql(two_stores, tmp_path):
    file = tmp_path / "messages.csv"
    file.write_text(TINY_MESSAGES, encoding="utf-8")
    result = load(two_stores[1], [LoadOrder(file, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert (result.read_count, result.stored_count, result.unchanged_count) == (19, 0, 19)
    engine = open_reader(two_stores[1])
    assert all(finding.is_ok for finding in audit.check_store(engine))


def test_a_failing_load_leaves_the_database_as_it_was(two_stores, tmp_path):
    from data_access.errors import SourceError

    before = read_status(open_reader(two_stores[1]), two_stores[1]).version
    with pytest.raises(SourceError):
        load(two_stores[1], [LoadOrder(_broken(tmp_path), "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert read_status(open_reader(two_stores[1]), two_stores[1]).version == before


def _broken(folder: Path) -> Path:
    path = folder / "broken.csv"
    path.write_text("nothing,of,this\n1,2,3\n", encoding="utf-8")
    return path


def test_customers_are_split_and_merged_alike_on_both_engines(postgresql_url, tmp_path):
    """In a database of its own: a family with one telephone, a split, a reload, a merge, a rebuild."""
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE people"))
    server.dispose()
    urls = (f"duckdb:///{tmp_path / 'store'}", postgresql_url.removesuffix("/postgres") + "/people")
    shared = "+442079460123"
    parts = [
        event(1, "desk", customer="1", email="a@x.example", phone=shared) + event(2, "call", phone=shared),
        event(3, "mail", email="a@x.example") + event(4, "nobody") + event(5, "tweet", handle="h", channel="twitter"),
        event(6, "son", customer="2", phone=shared),
    ]
    found: dict[str, list[object]] = {url: [] for url in urls}
    for url in urls:
        files = FilesOf(tmp_path, url)

        def note(url: str = url) -> object:
            found[url].append(rows_of(url, *WHO))
            return found[url][-1]

        files.events(parts[0] + parts[1])
        first = note()
        decisions.split(url, "id:desk=1", ["email=a@x.example"])
        apart = note()
        files.events(parts[0] + parts[1])
        rebuild(url)
        assert note() == apart
        decisions.merge(url, "id:desk=1", "email=a@x.example")
        assert note() == first
        files.events(parts[2])
        note()
        decisions.merge(url, "id:desk=2", "handle:twitter=h")
        note()
        assert main(["check", "--store", url]) == 0
    assert found[urls[0]] == found[urls[1]]


class FilesOf(Files):
    """Files of events that go into one store, wherever it is."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._url = url

    def url(self, store: str = "store") -> str:
        return self._url


# --- the bulk path


HARD_VALUES: dict[str, list[object]] = {
    "text": [
        "",
        None,
        "NULL",
        "\\N",
        "\\.",
        '"',
        'a"b',
        "a,b",
        "a\nb",
        "a\r\nb",
        " x\t",
        "caf\u00e9 \U0001d11e",
        "'--",
    ],
    "is_it": [True, False, None],
    "number": [0, None, -(2**31), 2**31 - 1],
    "big_number": [None, -(2**63), 2**63 - 1],
    "measure": [0.1, None, 1e308, 5e-324, -0.0, float("inf"), float("-inf"), 1 / 3],
    "day": [dt.date(1900, 1, 1), None, dt.date(9999, 12, 31)],
    "at": [dt.datetime(2026, 10, 25, 1, 59, 59, 999999), None, dt.datetime(1900, 1, 1), dt.datetime(9800, 1, 1)],
}


def test_values_come_through_the_bulk_path_as_they_were(new_store_url: str) -> None:
    kinds = (Text, Boolean, Integer, BigInteger, Double, Date, DateTime)
    columns = [Column(name, kind) for name, kind in zip(HARD_VALUES, kinds, strict=True)]
    table = Table("hard_values", MetaData(), Column("place", BigInteger), *columns, prefixes=["TEMPORARY"])
    count = max(map(len, HARD_VALUES.values()))
    filled = {name: [*values, *[None] * (count - len(values))] for name, values in HARD_VALUES.items()}
    with open_writer(new_store_url) as connection:
        dialects.create_temporary(connection, table)
        dialects.bulk_columns(connection, table, {"place": list(range(count)), **filled})
        dialects.bulk_columns(connection, table, {"place": [count]})
        rows = connection.execute(select(table).order_by(table.c.place)).all()
    assert {name: [getattr(row, name) for row in rows[:count]] for name in HARD_VALUES} == filled
    assert tuple(rows[count]) == (count, *[None] * len(HARD_VALUES))
