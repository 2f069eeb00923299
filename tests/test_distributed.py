"""The layout on Citus: as far as a stock PostgreSQL can tell, by lint, and on a real one where it is given."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import UniqueConstraint, create_engine, text
from sqlalchemy.exc import DBAPIError
from stored_rows import rows_of
from test_engines import DIMENSION_SETS, FILTERS, report_text
from test_migrations import make_version_1

from data_access import distributed, migrate, migrations
from data_access.cli import main
from data_access.forget import forget
from data_access.loader import LoadOrder, load, rebuild, rescore
from data_access.reports import REPORTS
from data_access.schema import conversations, event_keys, metadata, rejected_rows, waits
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_info, read_status, resolved

ROOT = Path(__file__).resolve().parents[1]
CITUS_VARIABLE = "FRONTDOOR_TEST_CITUS_URL"
LARGE = (
    *("customers", "customer_identities", "stated_identities", "customer_records"),
    *("interactions", "reported_facts", "waits", "conversations"),
)


@pytest.fixture
def stub_url(new_database) -> str:
    """A stock PostgreSQL with functions of Citus' names, which check what they can."""
    url = new_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        script = (ROOT / "tests" / "citus_stub.sql").read_text(encoding="utf-8")
        connection.connection.cursor().execute(script)  # without parameters, so that % stays %
    engine.dispose()
    return url


def calls(url: str) -> dict[str, tuple[str | None, str | None]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, by, beside FROM citus_stub.calls ORDER BY position")).all()
    engine.dispose()
    return {row.name: (row.by, row.beside) for row in rows}


def orders(folder: Path) -> list[LoadOrder]:
    (folder / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    (folder / "customers.csv").write_text(TINY_CUSTOMERS, encoding="utf-8")
    return [
        LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny")),
        LoadOrder(folder / "customers.csv", "customers"),
    ]


# --- lint


def test_every_key_of_a_distributed_table_holds_its_distribution_column():
    for table in metadata.sorted_tables:
        column = distributed.distribution_column(table)
        if column is None:
            continue
        assert column in table.primary_key.columns, table.name
        unique = [part for part in table.constraints if isinstance(part, UniqueConstraint)]
        unique += [index for index in table.indexes if index.unique]
        assert all(column in part.columns for part in unique), table.name
    assert {name for name in LARGE if distributed.distribution_column(metadata.tables[name]) != "customer_id"} == set()
    assert distributed.distribution_column(event_keys) == "interaction_id"
    assert distributed.distribution_column(rejected_rows) == "reject_id"


def test_no_table_has_a_foreign_key():
    assert [table.name for table in metadata.sorted_tables if table.foreign_keys] == []


def test_no_statement_groups_in_a_way_that_citus_refuses():
    found = []
    for path in (ROOT / "data_access").rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"grouping.?sets|func\.(cube|rollup)\b|\b(ROLLUP|CUBE)\s*\(", line, re.IGNORECASE):
                found.append(f"{path.name}:{number}")
    assert found == []


# --- a stock PostgreSQL


@pytest.mark.postgresql
def test_a_server_without_citus_is_refused_with_words_and_left_empty(new_database, capsys):
    url = new_database()
    assert main(["init", "--distributed", "--store", url]) == 2
    assert "CREATE EXTENSION citus" in capsys.readouterr().err
    engine = create_engine(url)
    with engine.connect() as connection:
        assert read_info(connection) == {}
    engine.dispose()
    assert main(["init", "--store", url]) == 0
    assert main(["init", "--distributed", "--store", url]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_folder_cannot_be_distributed(tmp_path, capsys):
    assert main(["init", "--distributed", "--store", f"duckdb:///{tmp_path / 'store'}"]) == 2
    assert "needs a PostgreSQL with Citus" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgresql
def test_large_tables_are_colocated_by_customer_and_small_ones_are_everywhere(stub_url):
    assert main(["init", "--distributed", "--store", stub_url]) == 0
    made = calls(stub_url)
    assert made.keys() == metadata.tables.keys()
    assert next(iter(made)) == "customers"
    assert made["customers"] == ("customer_id", "none")
    assert all(made[name] == ("customer_id", "customers") for name in LARGE if name != "customers")
    assert made["event_keys"] == ("interaction_id", "none")
    assert made["agents"] == made["store_info"] == made["source_status"] == (None, None)


@pytest.mark.postgresql
def test_the_stand_in_for_citus_refuses_what_citus_refuses(stub_url, tmp_path):
    assert main(["init", "--distributed", "--store", stub_url]) == 0
    load(stub_url, orders(tmp_path))
    engine = create_engine(stub_url)
    with engine.connect() as connection, pytest.raises(DBAPIError, match="modifying the partition value"):
        connection.execute(text("UPDATE interactions SET customer_id = 'another'"))
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE bad (a text PRIMARY KEY, b text)"))
        with pytest.raises(DBAPIError, match="lacks the partition column"):
            connection.execute(text("SELECT create_distributed_table('bad', 'b')"))
    engine.dispose()


@pytest.mark.postgresql
def test_all_that_writes_works_without_changing_a_row_s_place(stub_url, tmp_path):
    """Loading, joining, correcting, reading again, deriving and forgetting; the figures are those of DuckDB."""
    assert main(["init", "--distributed", "--store", stub_url]) == 0
    plain = f"duckdb:///{tmp_path / 'plain'}"
    for url in (stub_url, plain):
        messages, people = orders(tmp_path)
        load(url, [messages])
        load(url, [people])  # joins the customers of the messages with those of the file
        later = TINY_MESSAGES.replace("My order never came", "My order never, ever came")
        (tmp_path / "messages.csv").write_text(later, encoding="utf-8")
        load(url, [messages])
        rescore(url)
        rebuild(url)
    assert rows_of(stub_url) == rows_of(plain)
    forget(stub_url, ["id:tiny=anna", "id:tiny=dora"])
    assert main(["check", "--numbers", "--store", stub_url]) == 0


@pytest.mark.postgresql
def test_a_store_moves_into_a_distributed_one_and_stays_distributed(stub_url, tmp_path):
    source = f"duckdb:///{tmp_path / 'source'}"
    load(source, orders(tmp_path))
    assert main(["init", "--distributed", "--store", stub_url]) == 0
    migrate.migrate(source, stub_url)
    assert rows_of(stub_url) == rows_of(source)
    engine = open_reader(stub_url)
    with engine.connect() as connection:
        assert read_info(connection)["layout"] == distributed.LAYOUT
    engine.dispose()


@pytest.mark.postgresql
def test_an_upgrade_lays_out_again_what_it_makes_anew(stub_url):
    make_version_1(stub_url)
    engine = create_engine(stub_url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO store_info VALUES ('layout', 'distributed')"))
        connection.execute(
            text("SELECT create_distributed_table('customers', 'customer_id', colocate_with => 'none')")
        )
        connection.execute(text("DELETE FROM citus_stub.calls WHERE name <> 'customers'"))
    engine.dispose()
    migrations.upgrade(stub_url)
    made = calls(stub_url)
    assert made[waits.name] == made[conversations.name] == ("customer_id", "customers")
    assert made["forgotten_identities"] == (None, None)
    assert "interactions" not in made  # only got columns, and stays where it is


# --- a real Citus


@pytest.fixture
def citus_url() -> str:
    """An empty database of a Citus cluster; all tables of the store in it are dropped."""
    url = os.environ.get(CITUS_VARIABLE)
    if not url:
        pytest.skip(f"no Citus here: set {CITUS_VARIABLE} to an empty database of a cluster to run this")
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(text(f'DROP TABLE IF EXISTS "{table.name}" CASCADE'))
    engine.dispose()
    assert main(["init", "--distributed", "--store", url]) == 0
    return url


@pytest.mark.citus
def test_every_report_gives_the_same_rows_on_citus_as_on_duckdb(citus_url, tmp_path):
    plain = f"duckdb:///{tmp_path / 'plain'}"
    for url in (plain, citus_url):
        load(url, orders(tmp_path))
    assert rows_of(citus_url) == rows_of(plain)
    for name, wanted in FILTERS.items():
        opened = [open_reader(url) for url in (plain, citus_url)]
        filters = [
            resolved(wanted, read_status(engine, url)) for engine, url in zip(opened, (plain, citus_url), strict=True)
        ]
        for report in REPORTS.values():
            for by in DIMENSION_SETS if report.takes_by else [()]:
                texts = [report_text(engine, report.name, f, by) for engine, f in zip(opened, filters, strict=True)]
                assert texts[0] == texts[1], f"{report.name} by {by} of {name}"
        for engine in opened:
            engine.dispose()


@pytest.mark.citus
def test_all_that_writes_works_on_citus(citus_url, tmp_path):
    plain = f"duckdb:///{tmp_path / 'plain'}"
    for url in (plain, citus_url):
        messages, people = orders(tmp_path)
        load(url, [messages])
        load(url, [people])
        load(url, [messages])
        rescore(url)
        rebuild(url)
    assert rows_of(citus_url) == rows_of(plain)
    home = f"duckdb:///{tmp_path / 'home'}"
    migrate.migrate(citus_url, home)
    assert rows_of(home) == rows_of(plain)
    forget(citus_url, ["id:tiny=anna"])
    assert main(["check", "--numbers", "--store", citus_url]) == 0
