"""Parquet through a mapping: blocks of columns say what single records say, and rejects show the record."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from data_access.errors import SourceError
from data_access.loader import LoadOrder, load
from data_access.schema import interactions, rejected_rows
from data_access.sources import parquet
from data_access.sources.base import Batch, raw_texts
from data_access.sources.mapped import read
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader

MAPPING = mapping_of(
    {
        "source": "desk",
        "columns": {
            "id": "id", "occurred_at": "at", "channel": "via", "text": "Body", "is_complaint": "bad",
            "audience": "seen", "sentiment_score": "mood", "customer": "who",
        },
        "time": {"zone": "Europe/London"},
    },
    "desk",
)  # fmt: skip
CUSTOMERS = {
    pa.string(): st.sampled_from(["ann", "", " bob ", "a\x00b", "é", "\x00"]),
    pa.int64(): st.integers(-5, 2**40),
    pa.float64(): st.sampled_from([1.0, 2.5, float("nan"), float("inf"), -0.0]),
    pa.decimal128(12, 2): st.sampled_from([decimal.Decimal("1.50"), decimal.Decimal(2)]),
    pa.date32(): st.dates(dt.date(1990, 1, 1), dt.date(2026, 1, 1)),
    pa.dictionary(pa.int8(), pa.string()): st.sampled_from(["x", "y\x00"]),
    pa.binary(): st.sampled_from([b"raw", b"\xff"]),
    pa.large_string(): st.sampled_from(["long", ""]),
    pa.bool_(): st.booleans(),
}
TIMES = {
    pa.timestamp("us", tz="Europe/Berlin"): st.datetimes(
        dt.datetime(1800, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(ZoneInfo("UTC"))
    ),
    pa.timestamp("ms"): st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2030, 1, 1)).map(
        lambda t: t.replace(microsecond=0)
    ),
    pa.string(): st.sampled_from(["2026-01-05T09:00:00Z", "2026-03-29 01:30:00", "soon", "", "now"]),
    pa.int32(): st.integers(0, 2**31 - 1),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    count = draw(st.integers(0, 12))

    def column(kind: pa.DataType, values: st.SearchStrategy) -> pa.Array:
        return pa.array(draw(st.lists(st.none() | values, min_size=count, max_size=count)), kind)

    who, at = draw(st.sampled_from(list(CUSTOMERS))), draw(st.sampled_from(list(TIMES)))
    return pa.table(
        {
            "id": column(pa.int64(), st.integers(1, 9)),
            "at": column(at, TIMES[at]),
            "via": column(pa.string(), st.sampled_from(["email", "Email ", "pigeon", ""])),
            "Body": column(pa.string(), st.text(max_size=5)),
            "bad": column(pa.bool_(), st.booleans()),
            "seen": column(pa.float32(), st.sampled_from([3.0, -1.0, 1e12])),
            "mood": column(pa.float64(), st.sampled_from([0.5, -2.0])),
            "who": column(who, CUSTOMERS[who]),
            "more": column(pa.list_(pa.int8()), st.lists(st.integers(0, 3), max_size=2)),
        }
    )


def read_all(path: Path) -> list[tuple]:
    """What the reader says of every record: its event or its reject, in order of the file."""
    found: list[tuple] = []
    for batch in read(path, mapping=MAPPING):
        assert batch.read_count == len(batch.rejects) + (batch.events.num_rows if batch.events is not None else 0)
        found += _of(batch, path)
    return sorted(found, key=lambda one: one[0])


def _of(batch: Batch, path: Path) -> list[tuple]:
    found: list[tuple] = [(reject.line, reject.reason, reject.raw) for reject in batch.rejects]
    if batch.events is not None:
        rows = batch.events.to_pylist()
        raws = raw_texts(path, [tuple(row.pop(name) for name in ("raw", "raw_at", "raw_bytes")) for row in rows])
        found += [(row["line"], repr(row), raw) for row, raw in zip(rows, raws, strict=True)]
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(table=tables(), group=st.integers(1, 5))
def test_blocks_of_columns_say_what_single_records_say(tmp_path, monkeypatch, table, group):
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path, row_group_size=group)
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "BLOCK_ROWS", 4)
        patch.setattr(parquet, "_READ_ROWS", 3)
        assert parquet.has_single_values(table.schema, list(MAPPING.columns.values()))
        of_blocks = read_all(path)
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "has_single_values", lambda *_: False)
        of_records = read_all(path)
    assert of_blocks == of_records


def test_rejects_found_while_storing_show_the_record_of_the_file(tmp_path):
    rows = [
        {"id": 1, "at": "2026-01-05T09:00:00Z", "via": "email", "Body": "first", "note": {"deep": [1]}},
        {"id": 2, "at": "2026-01-05T10:00:00Z", "via": "email", "Body": "good", "note": None},
        {"id": 1, "at": "2026-01-05T09:00:00Z", "via": "email", "Body": "another", "note": None},
        {"id": 3, "at": "1712-01-05T09:00:00Z", "via": "email", "Body": "old", "note": None},
    ]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    mapping = mapping_of(
        {"source": "desk", "columns": {"id": "id", "occurred_at": "at", "channel": "via", "text": "Body"}}, "desk"
    )
    url = f"duckdb:///{tmp_path / 'store'}"
    result = load(url, [LoadOrder(path, "csv", mapping)])
    assert (result.read_count, result.stored_count, result.rejected_count) == (4, 2, 2)
    with open_reader(url).connect() as connection:
        r, i = rejected_rows.c, interactions.c
        found = connection.execute(select(r.line, r.reason, r.raw).order_by(r.line)).all()
        stored = connection.execute(select(i.text).order_by(i.external_id)).scalars().all()
    assert stored == ["first", "good"]
    assert [(line, json.loads(raw)) for line, _, raw in found] == [(3, rows[2]), (4, rows[3])]
    assert "id 1 stands in line 1 already" in found[0].reason
    assert "before 1900" in found[1].reason
    assert load(url, [LoadOrder(path, "csv", mapping)]).unchanged_count == 2


def test_long_rows_come_in_shorter_stretches(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    text = pa.array(["x" * 1_000] * 100).dictionary_encode()
    pq.write_table(pa.table({"id": list(range(100)), "text": text}), path)
    monkeypatch.setattr(parquet, "_READ_ROWS", 10)
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 25_000)
    stretches = list(parquet.stretches(path))
    assert [len(stretch.given) for stretch in stretches] == [30, 30, 30, 10]
    assert [line for stretch in stretches for line, _ in stretch.records()] == list(range(1, 101))
    assert sum(stretch.byte_count for stretch in stretches) == path.stat().st_size


GOOD = {"id": "1", "at": "2026-01-05T09:00:00Z", "via": "email", "Body": "good"}
PLAIN = mapping_of(
    {
        "source": "desk",
        "columns": {"id": "id", "occurred_at": "at", "channel": "via", "text": "Body", "customer": "who"},
    },
    "desk",
)
FAR = dt.datetime(9999, 12, 31, 23, 59, 59)
NO_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
)


def rejected(url: str) -> list[tuple[str, str]]:
    """Reason and record of each reject."""
    with open_reader(url).connect() as connection:
        found = connection.execute(select(rejected_rows.c.reason, rejected_rows.c.raw).order_by(rejected_rows.c.line))
        return [(reason, raw) for reason, raw in found]


def table_with(**columns: pa.Array) -> pa.Table:
    """Two good records and a bad channel, with other columns added or instead."""
    rows = pa.Table.from_pylist([{**GOOD, "who": "ann"}, {**GOOD, "id": "2", "who": "bob"}]).to_pydict()
    return pa.table({**rows, **columns})


@pytest.mark.parametrize(
    ("columns", "stored", "reason"),
    [
        (
            {"at": pa.array([dt.datetime(2026, 1, 5), FAR], pa.timestamp("us", tz="Europe/Berlin"))},
            1,
            "not a possible",
        ),
        ({"more": pa.array([FAR, None], pa.timestamp("us", tz="Europe/Berlin"))}, 2, ""),
        ({"at": pa.array([dt.datetime(2026, 1, 5)] * 2, pa.timestamp("us", tz="Mars/Phobos"))}, 2, ""),
        ({"who": NO_UTF8}, 1, "is not UTF-8"),
        ({"Body": pa.array(["a", "b"], pa.string_view())}, 2, ""),
        ({"who": pa.array([b"a", b"b"], pa.binary_view())}, 2, ""),
        ({"more": pa.array([90_000_000, None], pa.int32()).cast(pa.int32()).view(pa.time32("ms"))}, 2, ""),
        ({"who": pa.array([[1], None], pa.list_(pa.int8()))}, 1, "who is a list"),
        (
            {
                "who": pa.ExtensionArray.from_storage(
                    pa.fixed_shape_tensor(pa.int8(), [1]), pa.array([[1], None], pa.list_(pa.int8(), 1))
                )
            },
            1,
            "who is",
        ),
        ({"BODY": pa.array(["another", "another"])}, 2, ""),
    ],
    ids=["far", "far-unmapped", "unknown-zone", "utf8", "view", "binary-view", "time", "list", "tensor", "case"],
)
def test_what_python_cannot_hold_costs_its_own_record_only(tmp_path, columns, stored, reason):
    path, url = tmp_path / "rows.parquet", f"duckdb:///{tmp_path / 'store'}"
    pq.write_table(table_with(**columns), path)
    result = load(url, [LoadOrder(path, "csv", PLAIN)])
    assert (result.read_count, result.stored_count) == (2, stored)
    assert len(rejected(url)) == 2 - stored
    assert all(reason in found for found, _ in rejected(url))
    # The same file with the first record again, otherwise: found while storing, and read again to be shown.
    table = table_with(**columns)
    other = table.slice(0, 1).set_column(table.schema.get_field_index("via"), "via", pa.array(["phone"]))
    pq.write_table(pa.concat_tables([table, other]), path)
    result = load(f"{url}-again", [LoadOrder(path, "csv", PLAIN)])
    assert (result.read_count, result.stored_count) == (3, stored)
    shown = [json.loads(raw) for found, raw in rejected(f"{url}-again") if "stands in line" in found]
    assert [record["via"] for record in shown] == ["phone"] * (reason[:3] != "who")  # of a list no record is good
    if "BODY" in columns:
        with open_reader(url).connect() as connection:
            assert set(connection.scalars(select(interactions.c.text))) == {"good"}


def test_a_mapped_column_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pa.Table.from_arrays([pa.array(["1"])] * 2, names=["id", "id"])
    pq.write_table(table, path)
    with pytest.raises(SourceError, match="'id' of the mapping stands there twice"):
        list(read(path, mapping=PLAIN))


def test_a_file_that_shrank_since_shows_nothing_for_a_record_that_is_gone(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": ["1", "2"]}), path)
    assert raw_texts(path, [(None, 5, None), (None, 1, None), ("kept", None, None)]) == ["", '{"id": "2"}', "kept"]
