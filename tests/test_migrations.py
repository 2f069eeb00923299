"""Stores of older schema versions: refused with words, upgraded whole or not at all, on both engines."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from schema_snapshot import snapshot_file, structure
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, inspect, select, text
from stored_rows import rows_of

from data_access import dialects, migrations
from data_access.cli import main
from data_access.errors import StoreError
from data_access.export import to_csv
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild
from data_access.reports import run_report
from data_access.schema import (
    SCHEMA_VERSION,
    conversations,
    customer_identities,
    customers,
    event_keys,
    interactions,
    load_runs,
    metadata,
    rejected_rows,
)
from data_access.sources.mapping import mapping_of
from data_access.store import (
    current_generation,
    open_reader,
    open_writer,
    read_status,
    resolved,
    store_folder,
    stored_schema_version,
    write_info,
)

VERSION_1 = (Path(__file__).parent / "store_v1.sql").read_text(encoding="utf-8")
# What was released can no longer change. Version to the SHA-256 of the file that describes it.
RELEASED = {
    1: "ac246f576180b2ab8179b8678a810c594637b5356f717ba1fc0234ae293d0eb8",
    2: "9463cd51ed82563c7b885a468fb790eab3a6372a3f80ee23081a7fc87c06627b",
    3: "f45c1de16ed4590184f68ab38b75876e5a9476807d7a87d65e10d5cc5501198c",
}
BASE = (customers, customer_identities, event_keys, interactions, load_runs, rejected_rows)


def make_version_1(url: str, script: str = VERSION_1) -> None:
    """A store as version 1 wrote it, at a URL of either engine."""
    folder = store_folder(url)
    if folder is None:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql(script)
        engine.dispose()
        return
    folder.mkdir()
    with duckdb.connect(str(folder / "store-000002.duckdb")) as connection:
        connection.execute(re.sub(r",\n    PRIMARY KEY .*", "", script))  # version 1 kept no keys on DuckDB
    (folder / "CURRENT").write_text("store-000002.duckdb\n")


def structure_of(url: str) -> dict[str, dict[str, str]]:
    engine = open_reader(url)
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        found = {
            name: {
                **dict(sorted(dialects.stored_columns(connection, name).items())),
                "key": ", ".join(sorted(dialects.stored_keys(connection, name) or [])),
            }
            for name in names
        }
    engine.dispose()
    return found


def declared_structure(*, has_keys: bool) -> dict[str, dict[str, str]]:
    return {
        table.name: {
            **dict(sorted((column.name, dialects.declared_column(column)) for column in table.columns)),
            "key": ", ".join(sorted(column.name for column in table.primary_key.columns)) if has_keys else "",
        }
        for table in metadata.sorted_tables
    }


def figures(url: str) -> list[str]:
    engine = open_reader(url)
    wanted = resolved(Filter(grain="month"), read_status(engine, url))
    reports = ("response_times", "reply_times", "ignored_complaints", "channel_mix", "sentiment", "coverage")
    found = [to_csv(run_report(engine, name, wanted)) for name in reports]
    engine.dispose()
    return found


def version_1_rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """The base tables with the columns that version 1 had."""
    engine = create_engine(url) if store_folder(url) is None else create_engine(f"duckdb:///{_generation(url)}")
    found = {}
    with engine.connect() as connection:
        for table in BASE:
            names = re.search(rf"CREATE TABLE {table.name} \((.*?)\n\);", VERSION_1, re.DOTALL)
            columns = re.findall(r"^    (\w+) [A-Z]", names[1] if names else "", re.MULTILINE)
            columns = [name for name in columns if name != "PRIMARY"]
            rows = connection.execute(text(f"SELECT {', '.join(columns)} FROM {table.name}")).all()
            found[table.name] = sorted((tuple(row) for row in rows), key=repr)
    engine.dispose()
    return found


def _generation(url: str) -> Path:
    folder = store_folder(url)
    assert folder is not None
    generation = current_generation(folder)
    assert generation is not None
    return generation


def test_an_older_store_is_not_read_but_says_what_to_run(new_store_url, capsys):
    make_version_1(new_store_url)
    with pytest.raises(StoreError, match=r"has schema 1.* run: frontdoor upgrade --store"):
        open_reader(new_store_url)
    assert main(["status", "--store", new_store_url]) == 2
    assert "frontdoor upgrade --store" in capsys.readouterr().err


def test_upgrading_loses_no_event_and_gives_the_structure_and_the_figures_of_a_new_store(
    new_store_url, tmp_path, capsys
):
    make_version_1(new_store_url)
    before = version_1_rows(new_store_url)
    assert len(before["interactions"]) == 19
    assert main(["upgrade", "--store", new_store_url]) == 0
    assert f"from schema 1 to {SCHEMA_VERSION}" in capsys.readouterr().out
    after = version_1_rows(new_store_url)
    new = f"duckdb:///{tmp_path / 'loaded-anew'}"
    load_tiny(tmp_path, new)
    assert figures(new_store_url) == figures(new)
    assert {row[0] for row in before.pop("customers")} == {row[0] for row in after["customers"]}
    assert after.pop("customers") == version_1_rows(new)["customers"]
    # It named as origin of an identity the source that was loaded first, not the first by name.
    identities = [{row[:3] for row in rows.pop("customer_identities")} for rows in (before, after)]
    assert identities[0] == identities[1]
    assert after == before
    assert structure_of(new_store_url) == declared_structure(has_keys=store_folder(new_store_url) is None)
    assert main(["check", "--numbers", "--store", new_store_url]) == 0


def test_an_upgraded_store_is_derived_as_a_rebuild_derives_it(new_store_url):
    make_version_1(new_store_url)
    migrations.upgrade(new_store_url)
    upgraded = rows_of(new_store_url)
    assert len(upgraded["conversations"]) == 10
    rebuild(new_store_url)
    assert rows_of(new_store_url) == upgraded


# One person by an e-mail address and a telephone number, known by two addresses; no customers file tells of her.
MERGED = """
INSERT INTO customer_identities VALUES ('cPwjZ5kZmJNY', 'email', 'gus@example.org', 'tiny');
INSERT INTO customer_identities VALUES ('cPwjZ5kZmJNY', 'email', 'gus@work.example', 'tiny');
INSERT INTO customer_identities VALUES ('cPwjZ5kZmJNY', 'phone', '+442079460018', 'tiny');
INSERT INTO customer_identities VALUES ('cPwjZ5kZmJNY', 'handle:twitter', 'gus', 'tiny');
"""


def test_what_version_1_had_joined_stays_joined_and_joins_what_comes(new_store_url, tmp_path):
    make_version_1(new_store_url, VERSION_1 + MERGED)
    migrations.upgrade(new_store_url)
    rebuild(new_store_url)
    rows = rows_of(new_store_url, customer_identities, conversations)
    gus = {row[0] for row in rows["customer_identities"] if row[2] == "gus@work.example"}
    assert len(gus) == 1
    mine = {row[1:3] for row in rows["customer_identities"] if row[0] in gus}
    assert mine >= {
        ("id:tiny", "gus"),
        ("email", "gus@example.org"),
        ("email", "gus@work.example"),
        ("phone", "+442079460018"),
        ("handle:twitter", "gus"),
    }
    before = {row[0] for row in rows["conversations"]}
    header = TINY_MESSAGES.splitlines()[0]
    names = header.split(",")
    new = dict.fromkeys(names, "") | {
        "id": "late",
        "conversation": "late",
        "customer": "",
        "channel": "email",
        "direction": "inbound",
        "author_kind": "customer",
        "occurred_at": "2026-01-09T09:00:00Z",
        "text": "Gus again",
    }
    file = tmp_path / "late.csv"
    file.write_text(f"{header},email\n{','.join(new[name] for name in names)},GUS@work.example\n", encoding="utf-8")
    mapping = {"source": "tiny", "columns": {**TINY_MAPPING["columns"], "email": "email"}}
    load(new_store_url, [LoadOrder(file, "csv", mapping_of(mapping, "tiny"))])
    rows = rows_of(new_store_url, conversations)
    assert {row[0] for row in rows["conversations"]} == before


def test_settings_written_for_version_1_are_read(new_store_url, tmp_path, monkeypatch):
    """The window of repeat contacts had a name of its own."""
    make_version_1(new_store_url)
    file = tmp_path / "settings.toml"
    file.write_text("repeat_contact_days = 5\n", encoding="utf-8")
    monkeypatch.setenv("FRONTDOOR_SETTINGS", str(file))
    migrations.upgrade(new_store_url)
    engine = open_reader(new_store_url)
    assert read_status(engine, new_store_url).settings.joined_up.window_days == 5
    engine.dispose()


def test_upgrading_twice_does_nothing_the_second_time(new_store_url, capsys):
    make_version_1(new_store_url)
    assert migrations.upgrade(new_store_url) == (1, SCHEMA_VERSION)
    engine = open_reader(new_store_url)
    version = read_status(engine, new_store_url).version
    engine.dispose()
    assert main(["upgrade", "--store", new_store_url]) == 0
    assert "has the present schema" in capsys.readouterr().out
    engine = open_reader(new_store_url)
    assert read_status(engine, new_store_url).version == version
    engine.dispose()


def test_the_next_load_upgrades_by_itself_and_stores_nothing_twice(new_store_url, tmp_path):
    make_version_1(new_store_url)
    result = load_tiny(tmp_path, new_store_url)
    assert (result.read_count, result.unchanged_count, result.rejected_count) == (23, 23, 0)
    assert stored_schema_version(new_store_url) == SCHEMA_VERSION
    new = f"duckdb:///{tmp_path / 'loaded-anew'}"
    load_tiny(tmp_path, new)
    assert figures(new_store_url) == figures(new)


def load_tiny(folder, url):
    (folder / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    (folder / "customers.csv").write_text(TINY_CUSTOMERS, encoding="utf-8")
    return load(
        url,
        [
            LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny")),
            LoadOrder(folder / "customers.csv", "customers"),
        ],
    )


def test_a_failing_upgrade_leaves_the_old_store_as_it_was(new_store_url, monkeypatch):
    make_version_1(new_store_url)
    before = version_1_rows(new_store_url)

    def fail(*_arguments: object) -> None:
        raise StoreError("the derive step fails")

    with monkeypatch.context() as patched:
        patched.setattr(migrations.derive, "derive_touched", fail)
        with pytest.raises(StoreError, match="the derive step fails"):
            migrations.upgrade(new_store_url)
    assert stored_schema_version(new_store_url) == 1
    assert version_1_rows(new_store_url) == before
    assert migrations.upgrade(new_store_url) == (1, SCHEMA_VERSION)


def test_an_upgrade_killed_in_the_middle_leaves_the_old_store_and_the_next_does_it(new_store_url):
    make_version_1(new_store_url)
    before = version_1_rows(new_store_url)
    program = (
        "import os, signal\n"
        "from data_access import derive, migrations\n"
        "derive.derive_touched = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"migrations.upgrade({new_store_url!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert stored_schema_version(new_store_url) == 1
    assert version_1_rows(new_store_url) == before
    assert main(["upgrade", "--store", new_store_url]) == 0
    assert main(["check", "--store", new_store_url]) == 0


def test_a_newer_store_is_neither_read_nor_written(new_store_url):
    make_version_1(new_store_url, VERSION_1.replace("('schema_version', '1')", "('schema_version', '999')"))
    for attempt in (lambda: open_reader(new_store_url), lambda: migrations.upgrade(new_store_url)):
        with pytest.raises(StoreError, match="newer Frontdoor"):
            attempt()
    with pytest.raises(StoreError, match="newer Frontdoor"), open_writer(new_store_url):
        pass
    assert stored_schema_version(new_store_url) == 999


def test_a_place_without_a_store_is_not_upgraded(new_store_url, capsys):
    assert main(["upgrade", "--store", new_store_url]) == 2
    assert "frontdoor init" in capsys.readouterr().err


def test_a_base_table_whose_key_changed_is_copied_with_its_rows_and_filled(new_store_url, monkeypatch):
    """`thing` gets a key column that is never empty, loses one column, and changes a type."""
    make_version_1(new_store_url)
    old = MetaData()
    before = Table("thing", old, Column("name", Text, primary_key=True), Column("gone", Text), Column("size", Integer))
    after = Table(
        "thing",
        MetaData(),
        Column("name", Text, primary_key=True),
        Column("place", Text, primary_key=True),
        Column("size", Text),
    )
    monkeypatch.setitem(migrations._FILLS, ("thing", "place"), lambda rows: rows.c.name.concat("!"))
    migrations.upgrade(new_store_url)
    with open_writer(new_store_url) as connection:
        before.create(connection)
        connection.execute(
            before.insert(), [{"name": "a", "gone": "x", "size": 7}, {"name": "b", "gone": "y", "size": None}]
        )
    with open_writer(new_store_url) as connection:
        assert migrations.differences(connection, after) != []
        assert migrations._brought_up(connection, after)
        assert migrations.differences(connection, after) == []
        rows = connection.execute(select(after).order_by(after.c.name)).all()
        assert [tuple(row) for row in rows] == [("a", "a!", "7"), ("b", "b!", None)]


def test_a_store_of_version_2_gets_the_columns_that_it_lacks(new_store_url, tmp_path):
    for name, content in (("messages", TINY_MESSAGES), ("customers", TINY_CUSTOMERS)):
        (tmp_path / f"{name}.csv").write_text(content)
    messages = LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))
    load(new_store_url, [messages, LoadOrder(tmp_path / "customers.csv", "customers")])
    wanted = rows_of(new_store_url)
    with open_writer(new_store_url) as connection:
        for name in ("previous_agent", "earlier_conversation_count", "is_recognisable"):
            connection.execute(text(f"ALTER TABLE waits DROP COLUMN {name}"))
        connection.execute(text("ALTER TABLE interactions DROP COLUMN changed_at"))
        connection.execute(text("ALTER TABLE rejected_rows DROP COLUMN last_load_run"))
        write_info(connection, schema_version="2")
    lines = [line for line in snapshot_file(2).read_text().split("waits\n", 1)[1].splitlines() if "key:" not in line]
    stored = dict(line.strip().split(": ") for line in lines)
    assert _stored_waits(new_store_url) == stored
    assert migrations.upgrade(new_store_url) == (2, SCHEMA_VERSION)
    assert rows_of(new_store_url) == wanted


def _stored_waits(url: str) -> dict[str, str]:
    engine = create_engine(url) if store_folder(url) is None else create_engine(f"duckdb:///{_generation(url)}")
    with engine.connect() as connection:
        found = dialects.stored_columns(connection, "waits")
    engine.dispose()
    return found


# --- what changes the schema


def test_a_change_of_the_schema_comes_with_a_new_version():
    file = snapshot_file(SCHEMA_VERSION)
    assert file.exists(), f"new schema version: run python tests/schema_snapshot.py and commit {file.name}"
    assert structure() == file.read_text(encoding="utf-8"), (
        f"data_access/schema.py no longer declares version {SCHEMA_VERSION}. Where that version is released "
        "(it stands in RELEASED of this file), raise SCHEMA_VERSION and look whether data_access/migrations.py must "
        "say what older rows hold in a new column; then run python tests/schema_snapshot.py and commit its file."
    )


def test_what_describes_a_released_version_has_not_changed():
    assert SCHEMA_VERSION not in RELEASED
    assert hashlib.sha256(VERSION_1.encode()).hexdigest() == RELEASED[1]
    for version in range(2, SCHEMA_VERSION):
        assert hashlib.sha256(snapshot_file(version).read_bytes()).hexdigest() == RELEASED[version]


def test_every_column_of_a_base_table_since_version_1_is_nullable_or_filled(tmp_path):
    """An upgraded row must hold something where the schema wants it."""
    make_version_1(f"duckdb:///{tmp_path / 'store'}")
    engine = create_engine(f"duckdb:///{tmp_path / 'store' / 'store-000002.duckdb'}")
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            stored = dialects.stored_columns(connection, table.name)
            if not stored or table in migrations.DERIVED:
                continue
            for column in table.columns:
                known = column.name in stored or column.nullable or (table.name, column.name) in migrations._FILLS
                assert known, f"say in data_access/migrations.py what older rows hold in {table.name}.{column.name}"
    engine.dispose()
    shutil.rmtree(tmp_path / "store")
