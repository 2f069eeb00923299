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
        patch.setattr(parquet, "_RECORD_ROWS", 2)
        assert parquet.can_read_blocks(path, list(MAPPING.columns.values()))
        of_blocks = read_all(path)
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "can_read_blocks", lambda *_: False)
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


def test_long_rows_come_in_shorter_blocks(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": list(range(100)), "text": ["x" * 1_000] * 100}), path)
    monkeypatch.setattr(parquet, "_READ_ROWS", 10)
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 25_000)
    blocks = list(parquet.read_blocks(path, ["text"], lambda _, value: str(value)))
    assert [len(block.lines) for block in blocks] == [30, 30, 30, 10]
    assert [int(line) for block in blocks for line in block.lines] == list(range(1, 101))
    assert sum(block.byte_count for block in blocks) == path.stat().st_size


def test_text_that_is_no_utf8_is_refused_with_its_place(tmp_path):
    path = tmp_path / "rows.parquet"
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\x00\x00\x00\x00\x01\x00\x00\x00"), pa.py_buffer(b"\xff")]
    )
    pq.write_table(pa.table({"id": ["1"], "text": broken}), path)
    with pytest.raises(SourceError, match=r"is broken behind row 0: .*UTF"):
        list(parquet.read_blocks(path, ["id", "text"], lambda _, value: str(value)))
