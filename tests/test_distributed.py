"""The layout on Citus: as far as a stock PostgreSQL can tell, by lint, and on a real one where it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import (
    Column,
    Engine,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError
from stored_rows import rows_of
from test_engines import DIMENSION_SETS, FILTERS, report_text
from test_migrations import make_version_1

from data_access import customers as settling
from data_access import decisions, distributed, migrate, migrations
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


GROUPING = re.compile(r"grouping.?sets|func\.(cube|rollup)\b|\b(ROLLUP|CUBE)\s*\(", re.IGNORECASE)


def keys_without_distribution_column(tables: Iterable[Table]) -> list[str]:
    """Unique keys and indexes of distributed tables that Citus refuses."""
    found = []
    for table in tables:
        column = distributed.distribution_column(table)
        unique: list[Any] = [
            part for part in table.constraints if isinstance(part, (PrimaryKeyConstraint, UniqueConstraint))
        ]
        unique += [index for index in table.indexes if index.unique]
        found += [table.name for part in unique if column is not None and column not in part.columns]
    return found


def lines_that_group_in_sets(text: str) -> list[int]:
    """Numbers of the lines with a grouping that Citus refuses across shards."""
    return [number for number, line in enumerate(text.splitlines(), 1) if GROUPING.search(line)]


def test_every_key_of_a_distributed_table_holds_its_distribution_column():
    assert keys_without_distribution_column(metadata.sorted_tables) == []
    assert {name for name in LARGE if distributed.distribution_column(metadata.tables[name]) != "customer_id"} == set()
    assert distributed.distribution_column(event_keys) == "interaction_id"
    assert distributed.distribution_column(rejected_rows) == "reject_id"


def test_a_planted_key_without_the_distribution_column_is_found():
    planted = MetaData()
    columns = (Column("customer_id", Text, primary_key=True), Column("email", Text))
    constrained = Table("constrained", planted, *columns, UniqueConstraint("email"))
    indexed = Table(
        "indexed", planted, *(column.copy() for column in columns), Index("one_email", "email", unique=True)
    )
    sound = Table("sound", planted, *(column.copy() for column in columns), UniqueConstraint("email", "customer_id"))
    keyed = Table(
        event_keys.name, planted, Column("customer_id", Text, primary_key=True), Column("interaction_id", Text)
    )
    assert keys_without_distribution_column([constrained, indexed, sound, keyed]) == [
        "constrained",
        "indexed",
        event_keys.name,
    ]


def test_no_table_has_a_foreign_key():
    assert [table.name for table in metadata.sorted_tables if table.foreign_keys] == []


def test_no_statement_groups_in_a_way_that_citus_refuses():
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "data_access").rglob("*.py")}
    assert {
        name: lines_that_group_in_sets(text) for name, text in texts.items() if lines_that_group_in_sets(text)
    } == {}


@pytest.mark.parametrize(
    "planted",
    [
        "select(x).group_by(func.rollup(x, y))",
        "func.cube(x)",
        "func.grouping_sets(x)",
        "GROUP BY GROUPING SETS ((a))",
        "rollup (a)",
    ],
)
def test_a_planted_grouping_in_sets_is_found(planted):
    assert lines_that_group_in_sets(f"x = 1\nfunc.sum(x)\n{planted}\n") == [3]


def crossing_subqueries(statement: str, distributed_names: Container[str], staged_names: Container[str]) -> list[str]:
    """Subqueries of a statement that Citus refuses: they look from a staged (local) table into a distributed one.

    Such a table, named in a subquery, is correlated with one of the other kind outside (docs/engines.md).
    """

    def kinds(names: Iterable[str]) -> set[str]:
        return {
            kind
            for name in names
            for kind, known in (("distributed", distributed_names), ("staged", staged_names))
            if name in known
        }

    parts: list[tuple[str, str | None]] = []  # each SELECT in brackets without those inside of it, and its alias
    while (start := statement.rfind("(SELECT ")) >= 0:  # the last one holds no other
        end, depth = start, 1
        while depth:
            end += 1
            depth += {"(": 1, ")": -1}.get(statement[end], 0)
        alias = re.match(r"\) AS (\w+)", statement[end:])
        parts.append((statement[start + 1 : end], alias[1] if alias else None))
        statement = f"{statement[:start]} subquery{len(parts)} {statement[end + 1 :]}"
    parts.append((statement, None))
    named: dict[str, set[str]] = {}  # alias to tables
    for text_, alias in parts:
        tables = re.findall(r"(?:FROM|JOIN|UPDATE|INTO|,) \"?(\w+)\"?", text_)
        named |= {short: {name} for name, short in re.findall(r"(\w+) AS (\w+)", text_)}
        if alias:
            named[alias] = {*tables}
    found = []
    for text_, _ in parts[:-1]:
        own = {name for pair in re.findall(r"(?:FROM|JOIN|,) (\w+)(?: AS (\w+))?", text_) for name in pair if name}
        outside = {name for name in re.findall(r"\b(\w+)\.\w+", text_) if name not in own}
        outer = {table for name in outside for table in named.get(name, {name})}
        inner = {table for name in own for table in named.get(name, {name})}
        if outer and len(kinds(inner) | kinds(outer)) > 1:
            found.append(text_)
    return found


@pytest.mark.parametrize(
    ("statement", "is_refused"),
    [
        ("SELECT big.a FROM big WHERE NOT (EXISTS (SELECT * FROM small WHERE small.a = big.a))", True),
        ("DELETE FROM small WHERE (EXISTS (SELECT * FROM big WHERE big.a = small.a))", True),
        ("SELECT big.a, (SELECT min(small.b) FROM small WHERE small.a = big.a) AS b FROM big", True),
        ("SELECT n.a FROM (SELECT small.a FROM small) AS n WHERE EXISTS (SELECT * FROM big WHERE big.a = n.a)", True),
        ("SELECT one.a FROM big AS one WHERE EXISTS (SELECT * FROM small WHERE small.a = lower(one.a))", True),
        ("SELECT big.a FROM big WHERE big.a IN (SELECT small.a FROM small WHERE small.b = 1)", False),
        ("SELECT big.a FROM big LEFT OUTER JOIN small ON small.a = big.a WHERE small.a IS NULL", False),
        ("SELECT big.a FROM big WHERE EXISTS (SELECT * FROM big AS two WHERE two.a = big.a)", False),
        (
            "SELECT big.a FROM big WHERE EXISTS (SELECT * FROM big AS two WHERE two.a = big.a "
            "AND two.b IN (SELECT small.b FROM small))",
            False,
        ),
    ],
)  # fmt: skip
def test_a_planted_subquery_across_staged_and_distributed_tables_is_found(statement, is_refused):
    assert bool(crossing_subqueries(statement, {"big"}, {"small"})) == is_refused


@contextmanager
def statements_seen() -> Iterator[list[str]]:
    """The statements that are sent to any server meanwhile, on one line each."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


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


def write_all(url: str, folder: Path) -> None:
    """Load, join with a file of customers, correct, read again, derive again, decide by hand and take it back."""
    messages, people = orders(folder)
    load(url, [messages])
    load(url, [people])
    later = TINY_MESSAGES.replace("My order never came", "My order never, ever came")
    (folder / "messages.csv").write_text(later, encoding="utf-8")
    load(url, [messages])
    rescore(url)
    rebuild(url)
    decisions.merge(url, "id:tiny=ben", "id:tiny=fay")
    decisions.split(url, "id:tiny=ben", ["id:tiny=fay"])


@pytest.mark.postgresql
def test_all_that_writes_works_without_changing_a_row_s_place(stub_url, tmp_path, monkeypatch):
    """Loading, joining, correcting, reading again, deriving and forgetting; the figures are those of DuckDB."""
    monkeypatch.setattr(settling, "FEW_STATEMENTS", 0)  # so that these statements are among those seen
    assert main(["init", "--distributed", "--store", stub_url]) == 0
    plain = f"duckdb:///{tmp_path / 'plain'}"
    with statements_seen() as seen:
        for url in (stub_url, plain):
            write_all(url, tmp_path)
        assert rows_of(stub_url) == rows_of(plain)
        forget(stub_url, ["id:tiny=anna", "id:tiny=dora"])
        load(stub_url, orders(tmp_path))
    staged = {
        found[1] for found in (re.match(r'CREATE TEMPORARY TABLE "?(\w+)', statement) for statement in seen) if found
    }
    large = {table.name for table in metadata.sorted_tables if distributed.distribution_column(table)}
    assert [one for statement in seen for one in crossing_subqueries(statement, large, staged)] == []
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
        write_all(url, tmp_path)
    assert rows_of(citus_url) == rows_of(plain)
    home = f"duckdb:///{tmp_path / 'home'}"
    migrate.migrate(citus_url, home)
    assert rows_of(home) == rows_of(plain)
    forget(citus_url, ["id:tiny=anna"])
    assert main(["check", "--numbers", "--store", citus_url]) == 0
