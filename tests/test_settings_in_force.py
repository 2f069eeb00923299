"""Which settings a command uses: those of the file, without one those in force; on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES

from data_access.config import Settings, read_settings
from data_access.decisions import merge
from data_access.forget import forget
from data_access.loader import LoadOrder, LoadResult, load
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status

LONDON = 'company = "Acme"\nzone = "Europe/London"\n'


@pytest.fixture
def named_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The settings that the environment names."""
    file = tmp_path / "settings.toml"
    file.write_text(LONDON, encoding="utf-8")
    monkeypatch.setenv("FRONTDOOR_SETTINGS", str(file))
    return file


def loaded(url: str, folder: Path, *numbers: int) -> LoadResult:
    """Load these rows of the hand-made file."""
    head, *rows = TINY_MESSAGES.splitlines()
    file = folder / "messages.csv"
    file.write_text("\n".join([head, *(rows[number - 1] for number in numbers)]) + "\n", encoding="utf-8")
    return load(url, [LoadOrder(file, "csv", mapping_of(TINY_MAPPING, "tiny"))])


def in_force(url: str) -> Settings:
    engine = open_reader(url)
    try:
        return read_status(engine, url).settings
    finally:
        engine.dispose()


def test_without_a_file_the_settings_in_force_stay(new_store_url, named_file, tmp_path, monkeypatch):
    loaded(new_store_url, tmp_path, 1, 2)
    before = in_force(new_store_url)
    assert (before.company, before.zone) == ("Acme", "Europe/London")
    monkeypatch.delenv("FRONTDOOR_SETTINGS")
    result = loaded(new_store_url, tmp_path, 3, 4)
    assert in_force(new_store_url) == before
    assert not any("derived again" in note for note in result.notes)


def test_changed_settings_are_applied_by_a_load_which_names_them(new_store_url, named_file, tmp_path):
    loaded(new_store_url, tmp_path, 1, 2)
    named_file.write_text(LONDON.replace("London", "Berlin"), encoding="utf-8")
    result = loaded(new_store_url, tmp_path, 3, 4)
    assert in_force(new_store_url).zone == "Europe/Berlin"
    assert "everything was derived again, for the settings have changed: zone" in result.notes


def test_an_empty_file_stands_for_the_defaults(new_store_url, named_file, tmp_path):
    loaded(new_store_url, tmp_path, 1, 2)
    named_file.write_text("", encoding="utf-8")
    loaded(new_store_url, tmp_path, 3, 4)
    assert in_force(new_store_url) == read_settings()


def test_forgetting_and_deciding_leave_a_changed_file_to_the_next_load(new_store_url, named_file, tmp_path):
    loaded(new_store_url, tmp_path, 1, 2, 3, 4, 5)
    before = in_force(new_store_url)
    named_file.write_text(LONDON.replace("London", "Berlin"), encoding="utf-8")
    forget(new_store_url, ["id:tiny=anna"])
    merge(new_store_url, "id:tiny=ben", "id:tiny=cleo")
    assert in_force(new_store_url) == before
    loaded(new_store_url, tmp_path, 7)
    assert in_force(new_store_url).zone == "Europe/Berlin"
