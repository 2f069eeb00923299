"""Whatever the files of a source hold: one line of error, or counts that add up and a store that agrees with them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import TIMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_files import FOLDERS, as_bytes, write_files
from sqlalchemy import func, select

from data_access.cli import main
from data_access.errors import FrontdoorError
from data_access.schema import event_keys, interactions
from data_access.sources import SOURCES
from data_access.sources.base import StoredEvent
from data_access.sources.mapping import Mapping as FileMapping
from data_access.sources.mapping import read_mapping
from data_access.store import open_reader
from data_access.vocabulary import CHANNELS

TRICKY = [
    None, "", " ", 0, -1, 1, 1.5, 1e300, 10**30, True, False, [], {}, [None], [{}], {"id": {}}, "nan", "true",
    "2026-13-45", "2026-01-05T09:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 253402300800,
    -62135596801, "1767603600", "\x00", "\ud800", "\u202e", "caf\u00e9", "x" * 5000, "=1+1", "<b>", "&#0;", "a\nb",
    'say "x"', "user", "incoming", "closed",
]  # fmt: skip
SHAPES = [(name, shape) for name, shapes in FOLDERS.items() for shape in shapes]


class Store:
    """One store for many loads, and what must hold after each."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.count = folder, name, 0
        (folder / "store").mkdir()
        (folder / "store" / "settings.toml").write_text('[accounts.mail]\n"support@acme.example" = "Acme"\n')
        self.url = f"duckdb:///{folder / 'store'}"
        self.held = (0, 0, 0)

    def rows(self) -> tuple[int, int, int]:
        if not (self.folder / "store" / "CURRENT").exists():
            return (0, 0, 0)
        engine = open_reader(self.url)
        with engine.connect() as connection:
            counted = (connection.scalar(select(func.count()).select_from(t)) for t in (interactions, event_keys))
            found = (*counted, connection.scalar(select(func.count(interactions.c.interaction_id.distinct()))))
        engine.dispose()
        return found

    def holds(self, files: Mapping[str, bytes], capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        """Load twice: one line of error and nothing stored, or counts that add up; the second load stores nothing."""
        self.count += 1
        folder = self.folder / str(self.count)
        put(folder, files)
        command = ["load", "--json", "--store", self.url, "--source", self.name, *arguments]
        command += (
            [str(folder)]
            if self.name in ("zendesk", "intercom", "freshdesk", "chatwoot", "mail")
            else sorted(str(path) for path in folder.rglob("*") if path.is_file())
        )
        before = self.held
        capsys.readouterr()
        status = main(command)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        after = self.held = self.rows()
        assert after[0] == after[1] == after[2]
        if status == 2:
            assert (out, after, len(err.splitlines())) == ("", before, 1)
            return
        read, stored, unchanged, rejected = json.loads(out.splitlines()[-1]).values()
        assert min(read, stored, unchanged, rejected) >= 0
        assert read == stored + unchanged + rejected
        assert status == (1 if rejected else 0)
        assert before[0] <= after[0] <= before[0] + stored
        assert main(command) == status
        again = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert again["stored_count"] == 0
        assert (again["read_count"], again["rejected_count"]) == (read, rejected)


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """The files in a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def mutated(value: object, random_: random.Random) -> object:
    """The same with one thing wrong: a value of another kind, one missing, doubled, or put elsewhere."""
    if isinstance(value, list) and value and random_.random() < 0.8:
        place = random_.randrange(len(value))
        how = random_.choice(["inside", "inside", "inside", "drop", "double", "tricky"])
        if how == "inside":
            return [*value[:place], mutated(value[place], random_), *value[place + 1 :]]
        part = {"drop": [], "double": [value[place]] * 2, "tricky": [random_.choice(TRICKY)]}[how]
        return [*value[:place], *part, *value[place + 1 :]]
    if isinstance(value, dict) and value and random_.random() < 0.9:
        name = random_.choice(sorted(value))
        how = random_.choice(["inside", "inside", "drop", "tricky", "rename"])
        if how == "inside":
            return {**value, name: mutated(value[name], random_)}
        rest = {key: other for key, other in value.items() if key != name}
        if how == "drop":
            return rest
        return {**rest, (name if how == "tricky" else str(random_.choice(TRICKY))): random_.choice(TRICKY)}
    if isinstance(value, str) and ("\n" in value):
        lines = value.splitlines(keepends=True)
        place = random_.randrange(len(lines))
        cells = lines[place].split(",")
        cells[random_.randrange(len(cells))] = (
            str(random_.choice(TRICKY)).encode("latin-1", "replace").decode("latin-1")
        )
        lines[place] = ",".join(cells)
        return "".join(lines)
    return random_.choice(TRICKY)


def damaged(data: bytes, random_: random.Random) -> bytes:
    """Bytes cut, put in, or changed."""
    place = random_.randrange(len(data) + 1)
    how = random_.choice(["cut", "cut front", "insert", "change", "nothing"])
    if how == "cut":
        return data[:place]
    if how == "cut front":
        return data[place:]
    noise = random_.randbytes(random_.randrange(1, 5))
    if how == "nothing":
        return data
    return data[:place] + noise + data[place + (len(noise) if how == "change" else 0) :]


def broken(files: Mapping[str, object], random_: random.Random) -> dict[str, bytes]:
    """The files of a shape with a few things wrong in them."""
    found = dict(files)
    for _ in range(random_.randrange(1, 4)):
        hit = random_.choice(sorted(found))
        found[hit] = mutated(found[hit], random_)
    made = {}
    for file, content in found.items():
        data = content.encode("latin-1", "replace") if isinstance(content, str) else json.dumps(content).encode()
        made[file] = damaged(data, random_) if random_.random() < 0.4 else data
    return made


class NothingStored:
    """A store without earlier loads, as a source sees it."""

    def company_accounts(self) -> Mapping[str, str]:
        return {"support@acme.example": "Acme"}

    def related_events(self, ids: Iterable[str], new_accounts: Sequence[str]) -> Iterator[StoredEvent]:
        return iter(())


def reads_soundly(folder: Path, name: str, files: Mapping[str, bytes], mapping: FileMapping | None = None) -> None:
    """Read through the source alone: batches that a load can take, or one line of error."""
    shutil.rmtree(folder, ignore_errors=True)
    put(folder, files)
    source = SOURCES[name]
    for path in [folder] if source.is_folder else [path for path in folder.rglob("*") if path.is_file()]:
        said = None
        try:
            for batch in source.read(path, context=NothingStored(), mapping=mapping, age_bands=()):
                events, facts = batch.events, batch.facts
                assert batch.read_count >= len(batch.rejects) + (events.num_rows if events else 0)
                assert events is None or events["external_id"].null_count == 0
                assert events is None or events["occurred_at"].null_count == 0
                assert events is None or set(events["channel"].to_pylist()) <= set(CHANNELS)
                assert facts is None or facts["conversation"].to_pylist() == events["conversation"].to_pylist()
                assert all(reject.reason and "\n" not in reject.reason for reject in batch.rejects)
        except FrontdoorError as problem:
            said = str(problem)
        assert said is None or len(said.splitlines()) == 1


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_a_source_yields_sound_batches_of_whatever_its_files_hold_or_one_line(name, shape, tmp_path_factory):
    root = tmp_path_factory.mktemp(name)

    @settings(max_examples=60 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def property_holds(seed: int) -> None:
        reads_soundly(root / "files", name, broken(FOLDERS[name][shape], random.Random(seed)))

    property_holds()


@pytest.mark.parametrize(("name", "shape"), SHAPES)
def test_broken_files_of_every_source_load_whole_or_not_at_all(name, shape, tmp_path_factory, capsys):
    store = Store(tmp_path_factory.mktemp(name), name)

    @settings(max_examples=2 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def property_holds(seed: int) -> None:
        store.holds(broken(FOLDERS[name][shape], random.Random(seed)), capsys)

    property_holds()
    if (store.folder / "store" / "CURRENT").exists():
        assert main(["check", "--store", store.url]) == 0, capsys.readouterr()


@pytest.mark.parametrize("name", list(FOLDERS))
def test_any_bytes_under_any_source_end_with_a_line_or_counts(name, tmp_path_factory, capsys):
    root = tmp_path_factory.mktemp(name)
    store = Store(root, name)
    starts = [
        b"",
        b"[",
        b'{"tickets": [',
        b'{"id": 1, ',
        b"From ",
        b"PAR1",
        b"From: a@b\nDate: ",
        b"id,ticket_id\n",
        b"\xff\xfe",
    ]

    @settings(max_examples=60 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(start=st.sampled_from(starts), rest=st.binary(max_size=200))
    def reading_holds(start: bytes, rest: bytes) -> None:
        reads_soundly(root / "files", name, {"any.bin": start + rest})

    @settings(max_examples=2 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(start=st.sampled_from(starts), rest=st.binary(max_size=200))
    def loading_holds(start: bytes, rest: bytes) -> None:
        store.holds({"any.bin": start + rest}, capsys)

    reading_holds()
    loading_holds()


MAPPING = 'source="x"\n[columns]\nid="id"\noccurred_at="meta.at"\nchannel="via"\ntext="body"\naudience="n"\n'
GOOD = {"id": 1, "meta": {"at": "2026-01-05T09:00:00Z"}, "via": "email", "body": "hello", "n": 3}


def any_json(seed: int, is_lines: bool) -> dict[str, bytes]:
    """Records with a thing wrong, as lines or as a list, cut or not."""
    random_ = random.Random(seed)
    records = [mutated({**GOOD, "id": number}, random_) for number in range(4)]
    data = ("\n".join(map(json.dumps, records)) if is_lines else json.dumps(records)).encode()
    return {"any.json": damaged(data, random_) if random_.random() < 0.5 else data}


def test_any_json_through_a_mapping_ends_with_a_line_or_counts(tmp_path, capsys):
    store = Store(tmp_path, "csv")
    (tmp_path / "map.toml").write_text(MAPPING)

    @settings(max_examples=60 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32), is_lines=st.booleans())
    def reading_holds(seed: int, is_lines: bool) -> None:
        reads_soundly(tmp_path / "files", "csv", any_json(seed, is_lines), read_mapping(tmp_path / "map.toml"))

    @settings(max_examples=3 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32), is_lines=st.booleans())
    def loading_holds(seed: int, is_lines: bool) -> None:
        store.holds(any_json(seed, is_lines), capsys, "--mapping", str(tmp_path / "map.toml"))

    reading_holds()
    loading_holds()


def test_damaged_parquet_is_refused_in_one_line(tmp_path, capsys):
    store = Store(tmp_path, "csv")
    (tmp_path / "map.toml").write_text(MAPPING)
    pq.write_table(pa.Table.from_pylist([{**GOOD, "id": number} for number in range(50)]), tmp_path / "good.parquet")
    data = (tmp_path / "good.parquet").read_bytes()

    @settings(max_examples=40 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def reading_holds(seed: int) -> None:
        files = {"any.parquet": damaged(data, random.Random(seed))}
        reads_soundly(tmp_path / "files", "csv", files, read_mapping(tmp_path / "map.toml"))

    @settings(max_examples=2 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def loading_holds(seed: int) -> None:
        files = {"any.parquet": damaged(data, random.Random(seed))}
        store.holds(files, capsys, "--mapping", str(tmp_path / "map.toml"))

    reading_holds()
    loading_holds()


def test_what_the_fixtures_hold_is_what_the_fuzzer_starts_from(tmp_path):
    for name, shapes in FOLDERS.items():
        for shape, files in shapes.items():
            folder = write_files(tmp_path / name / shape, files)
            assert {path.read_bytes() for path in folder.rglob("*") if path.is_file()} == set(
                map(as_bytes, files.values())
            )
