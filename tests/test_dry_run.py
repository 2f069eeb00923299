"""A dry run says what the load would do, of every source and on both engines, and changes nothing."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from conftest import TINY_CUSTOMERS
from source_files import FOLDERS, write_files
from sqlalchemy import create_engine, inspect
from stored_rows import rows_of

from data_access import loader
from data_access.cli import main
from data_access.errors import StoreError, StoreLockedError
from data_access.loader import LoadOrder
from data_access.schema import load_runs, metadata, store_info
from data_access.sources import SOURCES, recognise
from data_access.store import open_writer, store_folder

TABLES = [table for table in metadata.sorted_tables if table not in (store_info, load_runs)]
TWEETS = """\
tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id
1,1001,True,2026-01-05 10:00:00+00:00,@Acme hello,,
2,Acme,False,2026-01-05 11:00:00+00:00,@1001 hi,,1
2,Acme,False,2026-01-05 11:30:00+00:00,@1001 hi again,,1
"""


def orders_of_every_source(folder: Path) -> list[LoadOrder]:
    """One for each shape of each source, stored under a name of its own."""
    (folder / "more").mkdir(parents=True)
    for name, text in (("twcs", TWEETS), ("customers", TINY_CUSTOMERS)):
        (folder / "more" / f"{name}.csv").write_text(text, encoding="utf-8")
    paths = {
        (source, shape): write_files(folder / source / shape, files)
        for source, shapes in FOLDERS.items()
        for shape, files in shapes.items()
    }
    paths |= {(path.stem, ""): path for path in (folder / "more").iterdir()}
    orders = []
    for (source, shape), path in paths.items():
        (found,) = recognise([path], None)
        assert found.source == source
        name = f"{source}-{shape}" if len(FOLDERS.get(source, ())) > 1 else None
        orders.append(LoadOrder(found.paths[0], source, more=found.paths[1:], source_name=name))
    return orders


def shape_of(url: str) -> object:
    """All that a dry run could have changed of a place."""
    folder = store_folder(url)
    if folder is not None:
        return sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) if folder.exists() else None
    engine = create_engine(url)
    names = inspect(engine).get_table_names()
    engine.dispose()
    return rows_of(url, *metadata.sorted_tables) if names else None


def counts_of(result: loader.LoadResult) -> tuple[int, int, int, int]:
    return result.read_count, result.stored_count, result.unchanged_count, result.rejected_count


def test_a_dry_run_counts_as_the_load_does_and_changes_nothing(new_store_url, tmp_path, monkeypatch):
    (tmp_path / "settings.toml").write_text('[accounts.mail]\n"support@acme.example" = "Acme"\n')
    monkeypatch.setenv("FRONTDOOR_SETTINGS", str(tmp_path / "settings.toml"))
    orders = orders_of_every_source(tmp_path / "files")
    assert {order.kind for order in orders} == {*SOURCES} - {"csv"}  # which has a mapping: test_mapped_csv.py
    if store_folder(new_store_url) is None:
        orders = orders[-3:]  # what differs between engines is how nothing is kept
    would = loader.rehearse(new_store_url, orders)
    assert shape_of(new_store_url) is None
    total = loader.LoadResult()
    for result in would:
        total.add(result)
    assert total.stored_count > 0
    assert total.rejected_count > 0
    did = loader.load(new_store_url, orders)
    assert (counts_of(total), total.rejects, total.notes) == (counts_of(did), did.rejects, did.notes)
    before = shape_of(new_store_url)
    again = loader.rehearse(new_store_url, orders[-3:])
    assert shape_of(new_store_url) == before
    assert [result.stored_count for result in again] == [0, 0, 0]
    assert [result.rejected_count for result in again] == [result.rejected_count for result in would[-3:]]


def test_a_dry_run_says_file_by_file_what_would_be_rejected_and_why(tmp_path, capsys):
    url = f"duckdb:///{tmp_path / 'store'}"
    (tmp_path / "tweets.csv").write_text(TWEETS)
    command = ["load", str(tmp_path / "tweets.csv"), "--store", url, "--dry-run"]
    assert main(command) == 1
    out = capsys.readouterr().out
    assert "tweets.csv: 3 rows read, 1 would be rejected, 2 stored, 0 are there already\n" in out
    assert "line 4: tweet 2 stands in line 3 already, with different content" in out
    assert main([*command, "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert (shown["read_count"], shown["stored_count"], shown["unchanged_count"], shown["rejected_count"]) == (
        3,
        2,
        0,
        1,
    )
    assert [reject["line"] for reject in shown["rejected"]] == [4]
    assert not (tmp_path / "store").exists()
    (tmp_path / "tweets.csv").write_text(TWEETS.splitlines(keepends=True)[0] + "1,2\n")
    assert main([*command, "--source", "calls"]) == 2


def test_a_dry_run_beside_a_load_waits_for_nobody_on_a_folder_and_is_refused_on_a_server(new_store_url, tmp_path):
    (tmp_path / "tweets.csv").write_text(TWEETS)
    order = LoadOrder(tmp_path / "tweets.csv", "twcs")
    with open_writer(new_store_url):
        pass
    with open_writer(new_store_url):
        if store_folder(new_store_url) is not None:
            assert loader.rehearse(new_store_url, [order])[0].stored_count == 2
        else:
            with pytest.raises(StoreLockedError, match=f"frontdoor {os.getpid()} on "):
                loader.rehearse(new_store_url, [order])


def test_a_dry_run_refuses_what_the_load_would_refuse(tmp_path):
    url = f"duckdb:///{tmp_path / 'store'}"
    (tmp_path / "tweets.csv").write_text(TWEETS)
    order = LoadOrder(tmp_path / "tweets.csv", "twcs")
    loader.load(url, [order])
    next((tmp_path / "store").glob("store-*")).write_bytes(b"no database")
    for run in (loader.rehearse, loader.load):
        with pytest.raises(StoreError, match="cannot be opened"):
            run(url, [dataclasses.replace(order)])
