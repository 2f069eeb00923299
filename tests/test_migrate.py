"""Moving a store between engines: nothing lost, verified, resumed after a kill, never into somebody's data."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import TINY_CUSTOMERS, TINY_MAPPING, TINY_MESSAGES
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, func, select, text
from stored_rows import rows_of

from data_access import annotations as kept
from data_access import migrate
from data_access.cli import main
from data_access.config import Settings, read_settings
from data_access.errors import StoreError
from data_access.loader import LoadOrder, load
from data_access.schema import customers, interactions, metadata, store_info, waits
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, open_writer, read_status, store_folder

pytestmark = pytest.mark.postgresql
CUES_FILE = Path(migrate.__file__).with_name("text") / "cues.toml"
TABLES = [table for table in metadata.sorted_tables if table is not store_info]


def fill(url: str, folder: Path) -> None:
    """The tiny store with one rejected row, opening hours and a label."""
    bad = "20,c11,jo,email,inbound,customer,,Mail,Acme,yesterday,When?,,,,,,\n"
    (folder / "messages.csv").write_text(TINY_MESSAGES + bad, encoding="utf-8")
    (folder / "customers.csv").write_text(TINY_CUSTOMERS, encoding="utf-8")
    load(
        url,
        [
            LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny")),
            LoadOrder(folder / "customers.csv", "customers"),
        ],
    )
    opened = kept.open_annotations(url)
    kept.save_label(opened, "i1", sentiment_label="negative", is_complaint=True, viewer="mo")
    assert opened.engine is not None
    opened.engine.dispose()


@pytest.fixture(params=["duckdb to postgresql", "postgresql to duckdb"])
def places(request, new_database, tmp_path) -> tuple[str, str]:
    """A filled store, and an empty place of the other engine."""
    folder = f"duckdb:///{tmp_path / 'store'}"
    source, target = (folder, new_database()) if request.param.startswith("duckdb") else (new_database(), folder)
    if store_folder(source) is not None:
        store_folder(source).mkdir()
        (store_folder(source) / "settings.toml").write_text('zone = "Europe/Berlin"\n', encoding="utf-8")
    fill(source, tmp_path)
    return source, target


def labels_of(url: str) -> list[str]:
    opened = kept.open_annotations(url)
    assert opened.engine is not None
    found = kept.saved_labels(opened)["interaction_id"].tolist()
    opened.engine.dispose()
    return found


def test_a_store_arrives_on_the_other_engine_row_by_row_with_its_labels(places, capsys):
    source, target = places
    assert main(["migrate", source, target]) == 0
    out = capsys.readouterr().out
    assert "counts and hashes of every table agree" in out
    assert "1 label from" in out
    if store_folder(source) is not None:
        assert f"FRONTDOOR_SETTINGS={store_folder(source) / 'settings.toml'}" in out
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)
    assert labels_of(target) == ["i1"]
    statuses = []
    for url in places:
        engine = open_reader(url)
        statuses.append(read_status(engine, url))
        engine.dispose()
    assert (statuses[0].settings, statuses[0].as_of) == (statuses[1].settings, statuses[1].as_of)
    assert main(["check", "--numbers", "--store", target]) == 0


def test_the_moved_store_is_loaded_into_as_the_old_one_and_moves_back(places, tmp_path):
    source, target = places
    migrate.migrate(source, target)
    result = load(target, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert (result.stored_count, result.unchanged_count, result.rejected_count) == (0, 19, 1)
    home = f"duckdb:///{tmp_path / 'home'}"
    migrate.migrate(target, home)
    assert rows_of(home) == rows_of(source)


# Kills itself after so many ranges of two rows, in the middle of the next.
KILLED = """
import os, signal, sys
from data_access import dialects, migrate
migrate.RANGE_ROWS, left, insert = 2, int(sys.argv[3]), dialects.bulk_insert
def bulk_insert(*given):
    global left
    insert(*given)
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
dialects.bulk_insert = bulk_insert
migrate.migrate(sys.argv[1], sys.argv[2])
"""


def test_a_killed_migration_shows_nothing_and_goes_on_where_it_stopped(places, capsys):
    source, target = places
    for ranges in (0, 3, 17, 4):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, source, target, str(ranges)], check=False, capture_output=True, timeout=300
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        with pytest.raises(StoreError, match=r"there is no store|is being filled"):
            open_reader(target)
    moved = migrate.migrate(source, target)
    # 24 ranges were whole; the four that were being written when it was killed are not there.
    assert 24 <= moved.resumed_row_count < sum(moved.row_counts.values())
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)
    assert labels_of(target) == ["i1"]
    with pytest.raises(StoreError, match="holds data already"):
        migrate.migrate(source, target)
    if store_folder(target) is not None:
        names = {path.name for path in store_folder(target).iterdir()}
        assert names == {"CURRENT", "LOCK", "store-000001.duckdb", "annotations.sqlite"}


def test_a_migration_that_ended_between_its_last_commit_and_its_publication_is_begun_again(
    new_database, tmp_path, monkeypatch
):
    """Its file holds all rows but no journal any more; it was taken for somebody's data."""
    source, target = new_database(), f"duckdb:///{tmp_path / 'store'}"
    fill(source, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "publish_generation", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            migrate.migrate(source, target)
    assert (tmp_path / "store" / migrate.WORK_FILE).exists()
    migrate.migrate(source, target)
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)
    assert labels_of(target) == ["i1"]


def test_a_half_done_target_is_not_written_by_a_load(new_database, tmp_path):
    source, target = f"duckdb:///{tmp_path / 'store'}", new_database()
    fill(source, tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, source, target, "5"], check=False, capture_output=True, timeout=300)
    with pytest.raises(StoreError, match="frontdoor migrate"), open_writer(target):
        pass
    with pytest.raises(StoreError, match="frontdoor migrate"):
        open_reader(target)


def test_a_migration_goes_on_only_with_the_same_state_of_the_source(places, tmp_path, capsys):
    source, target = places
    subprocess.run([sys.executable, "-c", KILLED, source, target, "9"], check=False, capture_output=True, timeout=300)
    with open_writer(source):
        pass  # a load between the two attempts
    with pytest.raises(StoreError, match="--start-over"):
        migrate.migrate(source, target)
    assert main(["migrate", source, target, "--start-over"]) == 0
    assert "had been moved before" not in capsys.readouterr().out
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)


def test_a_place_with_data_is_refused_and_left_as_it_is(places, tmp_path):
    source, target = places
    fill(target, tmp_path)
    before = rows_of(target, *TABLES)
    for start_over in (False, True):
        with pytest.raises(StoreError, match="holds data already"):
            migrate.migrate(source, target, start_over=start_over)
    assert rows_of(target, *TABLES) == before
    with pytest.raises(StoreError, match="onto itself"):
        migrate.migrate(source, source)


def test_an_empty_store_is_a_place_to_migrate_into(places):
    source, target = places
    assert main(["init", "--store", target]) == 0
    migrate.migrate(source, target)
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)


def test_a_database_with_another_programs_tables_of_our_names_is_refused(new_database, tmp_path):
    source, target = f"duckdb:///{tmp_path / 'store'}", new_database()
    fill(source, tmp_path)
    engine = create_engine(target)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE customers (id int)"))
    with pytest.raises(StoreError, match="has a table customers of another kind"):
        migrate.migrate(source, target)
    engine.dispose()


def test_rows_that_differ_after_copying_are_noticed_and_nothing_is_published(places, monkeypatch):
    source, target = places
    verify = migrate._verify

    def damage_first(engine, table, url, report):
        if table is waits:
            with engine.begin() as connection:
                late = waits.c.wait_number == 1
                connection.execute(waits.update().where(late).values(response_seconds=waits.c.response_seconds + 1))
        verify(engine, table, url, report)

    with monkeypatch.context() as patched:
        patched.setattr(migrate, "_verify", damage_first)
        with pytest.raises(StoreError, match=r"waits differs from the source .* nothing was published"):
            migrate.migrate(source, target)
    with pytest.raises(StoreError):
        open_reader(target)
    migrate.migrate(source, target, start_over=True)
    assert rows_of(target, *TABLES) == rows_of(source, *TABLES)


def test_a_migration_keeps_other_writers_out(places):
    source, target = places
    with open_writer(target), pytest.raises(StoreError, match="wait"):
        migrate.migrate(source, target)


# --- settings


def settings_of(url: str) -> Settings:
    engine = open_reader(url)
    status = read_status(engine, url)
    engine.dispose()
    return status.settings


SETTINGS = """\
company = "Ac\\"me \u00e4\\u007f"
zone = "Europe/Berlin"
age_bands = ["<30", "30+"]
brand_words = ["acme", "a\\tb"]
unknown_time_counts_as = "unanswered"
[accounts.twcs]
"115911" = "TMobileHelp"
[identity]
joins = ["id", "email"]
shared_after = 5
[joined_up]
restated_similarity = 0.3
[calendars."back office"]
zone = "Europe/London"
country = "GB"
subdivision = "SCT"
closed_days = [2026-01-02]
[[calendars."back office".hours]]
mon = ["09:00-17:30"]
fri = ["09:00-12:00", "22:00-06:00"]
[[calendars."back office".hours]]
from = 2026-06-01
tue = ["00:00-24:00"]
[[calendar_use]]
calendar = "back office"
team = "Mail"
[[thresholds]]
channel = ["email", "chat"]
target = "90 s"
ignored_after = "2 d"
clock = "business"
team = "Mail"
from = 2026-01-03
[[thresholds]]
channel = "phone"
target = "45 s"
ignored_after = "30 min"
"""


def test_settings_that_only_a_server_holds_are_written_beside_the_folder_and_give_the_same(
    new_database, tmp_path, monkeypatch, capsys
):
    source, folder = new_database(), tmp_path / "moved"
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setenv("FRONTDOOR_SETTINGS", str(tmp_path / "settings.toml"))
        fill(source, tmp_path)
    target = f"duckdb:///{folder}"
    assert main(["migrate", source, target]) == 0
    assert f"were written to {folder / 'settings.toml'}" in capsys.readouterr().out
    assert read_settings(folder / "settings.toml") == settings_of(source) != read_settings()
    assert main(["status", "--store", target]) == 0
    assert "is derived with present settings: True" in capsys.readouterr().out


def test_a_store_with_the_shipped_settings_needs_no_file(new_database, tmp_path):
    source = new_database()
    fill(source, tmp_path)
    assert migrate.migrate(source, f"duckdb:///{tmp_path / 'moved'}").notes == []
    assert not (tmp_path / "moved" / "settings.toml").exists()


def test_settings_without_a_file_stay_in_force_on_another_server(new_database, tmp_path, monkeypatch):
    source, target = new_database(), new_database()
    (tmp_path / "settings.toml").write_text('zone = "Europe/Berlin"\n', encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setenv("FRONTDOOR_SETTINGS", str(tmp_path / "settings.toml"))
        fill(source, tmp_path)
    assert migrate.migrate(source, target).notes == []
    load(target, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert settings_of(target) == settings_of(source) != read_settings()


@pytest.fixture
def with_cues(tmp_path: Path) -> tuple[Path, str]:
    """A store in a folder with settings and cues of its own, and where it goes to."""
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "settings.toml").write_text('zone = "Europe/Berlin"\ncues_file = "cues.toml"\n', encoding="utf-8")
    (folder / "cues.toml").write_text(CUES_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    fill(f"duckdb:///{folder}", tmp_path)
    return folder, f"duckdb:///{tmp_path / 'moved'}"


def test_a_migration_that_ended_before_its_publication_has_moved_the_settings_with_their_cues(
    with_cues, tmp_path, monkeypatch
):
    """Once published, the same command is refused: what was not moved by then never is."""
    folder, target = with_cues
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "publish_generation", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            migrate.migrate(f"duckdb:///{folder}", target)
    for name in ("settings.toml", "cues.toml"):
        assert (tmp_path / "moved" / name).read_bytes() == (folder / name).read_bytes()
    assert migrate.migrate(f"duckdb:///{folder}", target).notes == []
    result = load(target, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert (result.stored_count, result.unchanged_count) == (0, 19)


def test_a_settings_file_that_was_there_is_kept_and_said_to_differ(with_cues, tmp_path):
    folder, target = with_cues
    assert main(["init", "--store", target]) == 0
    before = (tmp_path / "moved" / "settings.toml").read_text()
    (note,) = migrate.migrate(f"duckdb:///{folder}", target).notes
    assert f"{tmp_path / 'moved' / 'settings.toml'} was there" in note
    assert (tmp_path / "moved" / "settings.toml").read_text() == before


# --- hashes


VALUES = st.tuples(
    st.one_of(st.none(), st.text(max_size=4)),
    st.one_of(st.none(), st.integers(-5, 2**40)),
    st.one_of(st.none(), st.floats(allow_nan=False)),
    st.one_of(st.none(), st.booleans()),
)
KINDS = [pa.string(), pa.int64(), pa.float64(), pa.bool_()]


def batch_of(rows):
    columns = list(zip(*rows, strict=True)) or [()] * len(KINDS)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, KINDS, strict=True)]
    return pa.table(arrays, names=list("abcd"))


@given(st.lists(VALUES, max_size=12), st.randoms(), st.integers(0, 12))
def test_a_row_hash_depends_on_the_rows_and_on_nothing_else(rows, dice, cut):
    whole = migrate.row_hash(batch_of(rows))
    mixed = list(rows)
    dice.shuffle(mixed)
    parts = migrate.row_hash(batch_of(mixed[:cut])) + migrate.row_hash(batch_of(mixed[cut:]))
    assert parts % 2**64 == whole


@given(VALUES, VALUES)
def test_different_rows_have_different_hashes(one, other):
    same = [repr(value) for value in one] == [repr(value) for value in other]
    assert (migrate.row_hash(batch_of([one])) == migrate.row_hash(batch_of([other]))) == same


def test_an_empty_text_is_not_a_missing_one_and_a_swap_of_columns_is_seen():
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    rows = [("", None), (None, ""), ("x", "y"), ("y", "x")]
    hashes = {migrate.row_hash(pa.table([[a], [b]], schema=schema)) for a, b in rows}
    assert len(hashes) == 4


def test_ranges_cover_every_row_once_and_keep_a_customer_whole(tmp_path, monkeypatch):
    url = f"duckdb:///{tmp_path / 'store'}"
    fill(url, tmp_path)
    monkeypatch.setattr(migrate, "RANGE_ROWS", 3)
    engine = open_reader(url)
    with engine.connect() as connection:
        for table in (interactions, customers):
            ranges = list(migrate._ranges(connection, table, None))
            assert len(ranges) > 2
            seen = [
                row
                for low, high in ranges
                for batch in migrate._batches(connection, table, low, high)
                for row in batch.to_pylist()
            ]
            assert len(seen) == connection.scalar(select(func.count()).select_from(table))
            assert list(migrate._ranges(connection, table, ranges[1][1])) == ranges[2:]
    engine.dispose()
