"""PostgreSQL with the roles of docs/engines.md, made by its own statements: readers label, loaders do the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import create_engine, make_url, text
from stored_rows import frame_of, rows_of

from data_access import annotations as kept
from data_access.errors import StoreError
from data_access.forget import forget
from data_access.loader import LoadOrder, load
from data_access.migrate import migrate
from data_access.schema import interactions, metadata, store_info
from data_access.sources.mapping import mapping_of

pytestmark = pytest.mark.postgresql
ENGINES = (Path(__file__).resolve().parents[1] / "docs" / "engines.md").read_text(encoding="utf-8")
SERVER_BLOCK, LABELS_BLOCK = re.findall(r"```sql\n(.*?)```", ENGINES, re.DOTALL)
DATABASE = "frontdoor"
ROLES = ("frontdoor_loader", "frontdoor_reader")


@pytest.fixture
def administrator(postgresql_url: str) -> Iterator[str]:
    """URL of the superuser in the document's database, after its first block; all of it is dropped after the test."""
    inside = make_url(postgresql_url).set(database=DATABASE).render_as_string(hide_password=False)
    before, within = SERVER_BLOCK.split(f"\\c {DATABASE}\n")
    run(postgresql_url, before)
    run(inside, within)
    yield inside
    run(postgresql_url, f"DROP DATABASE {DATABASE} WITH (FORCE)", *(f"DROP ROLE {role}" for role in ROLES))


def run(url: str, *blocks: str) -> None:
    """What an administrator types into psql."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in ";".join(blocks).split(";"):
            if statement.strip():
                connection.execute(text(statement))
    engine.dispose()


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role).render_as_string(hide_password=False)


@pytest.fixture
def loader(administrator: str, tmp_path: Path) -> str:
    """The tiny store, loaded as the loader."""
    url = as_role(administrator, "frontdoor_loader")
    (tmp_path / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    load(url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    return url


@pytest.fixture
def reader(administrator: str, loader: str) -> str:
    """The reader, who may label."""
    run(administrator, LABELS_BLOCK)
    return as_role(administrator, "frontdoor_reader")


def label(url: str, external_id: str) -> None:
    opened = kept.open_annotations(url)
    assert opened.engine is not None, opened.reason
    found = frame_of(url, interactions).set_index("external_id")["interaction_id"][external_id]
    kept.save_label(opened, found, sentiment_label="negative", is_complaint=True, viewer="mo")
    opened.engine.dispose()


def label_count(url: str) -> int:
    opened = kept.open_annotations(url)
    assert opened.engine is not None, opened.reason
    count = len(kept.saved_labels(opened))
    opened.engine.dispose()
    return count


def test_without_the_second_block_the_reader_is_told_that_labels_cannot_be_kept(administrator, loader):
    url = as_role(administrator, "frontdoor_reader")
    assert rows_of(url)  # and reads the store
    opened = kept.open_annotations(url)
    assert opened.engine is None
    assert opened.reason.startswith("labels cannot be kept: ")
    forget(loader, ["id:tiny=anna"])


def test_managers_label_as_the_reader_who_writes_nothing_else(reader):
    label(reader, "1")
    assert label_count(reader) == 1
    with pytest.raises(StoreError, match="permission denied"):
        forget(reader, ["id:tiny=anna"])


def test_the_loader_forgets_a_customer_whom_a_manager_labelled_and_one_nobody_did(reader, loader):
    assert forget(loader, ["id:tiny=ben"]).label_count == 0  # nobody has opened the labels yet
    label(reader, "1")
    label(reader, "5")
    assert forget(loader, ["id:tiny=anna"]).label_count == 1
    assert label_count(reader) == 1


def test_the_loader_migrates_with_the_labels_in_both_directions(
    administrator, reader, loader, tmp_path, postgresql_url
):
    label(reader, "1")
    folder = f"duckdb:///{tmp_path / 'moved'}"
    assert migrate(loader, folder).label_count == 1
    run(postgresql_url, f"DROP DATABASE {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE} OWNER {ROLES[0]}")
    run(administrator, SERVER_BLOCK.split(f"\\c {DATABASE}\n")[1], LABELS_BLOCK)
    assert migrate(folder, loader).label_count == 1
    label(reader, "5")
    assert label_count(reader) == 2
    assert label_count(loader) == 2


def test_a_full_store_is_called_so_and_an_empty_one_says_why_the_reader_cannot_fill_it(
    reader, loader, tmp_path, administrator
):
    source = f"duckdb:///{tmp_path / 'moved'}"
    migrate(loader, source)
    with pytest.raises(StoreError, match="holds data already"):
        migrate(source, reader)
    run(administrator, *(f"DELETE FROM {table.name}" for table in metadata.sorted_tables if table is not store_info))
    with pytest.raises(
        StoreError, match="its key is missing, or hidden from this role: the owner of the tables sees it"
    ):
        migrate(source, reader)


def test_a_reader_whose_transactions_stay_read_only_cannot_label_and_is_told(administrator, reader):
    label(reader, "1")
    run(administrator, "ALTER ROLE frontdoor_reader SET default_transaction_read_only = on")
    opened = kept.open_annotations(reader)
    assert (opened.engine, opened.reason) == (None, "labels cannot be kept: the role's transactions are read-only")
