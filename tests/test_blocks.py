"""Blocks of columns say the same as records read one by one, whatever stands in the file."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_access.errors import SourceError
from data_access.identities import content_hashes, opaque_id, opaque_ids
from data_access.sources import blocks
from data_access.sources.base import Batch, Reject, one_ahead, raw_texts
from data_access.sources.blocks import Block, can_read_blocks, read_blocks
from data_access.sources.delimited import read_header, read_records

Found = list[tuple[int, object, str]]


def of_blocks(path: Path, delimiter: str = ",") -> Found:
    """Records and rejects of a file, read by blocks: line, fields or reason, raw text."""
    names = read_header(path, encoding=None, delimiter=delimiter)
    found: Found = []
    for item in read_blocks(path, range(len(names)), encoding=None, delimiter=delimiter):
        if isinstance(item, Block):
            rows = zip(*(column.to_pylist() for column in item.columns), strict=True)
            for place, (fields, line) in enumerate(zip(rows, item.lines.tolist(), strict=True)):
                raw = item.raw(place)
                assert raw_texts(path, [(None, int(item.at[place]), int(item.sizes[place]))]) == [raw]
                found.append((line, list(fields), raw))
        elif isinstance(item, Reject):
            found.append((item.line, item.reason, item.raw))
        else:
            found.append((item.line, item.fields, item.raw))
    return sorted(found, key=lambda one: one[0])


def of_records(path: Path, delimiter: str = ",") -> Found:
    """The same, read one by one."""
    _, items = read_records(path, delimiter=delimiter)
    return [(item.line, item.reason if isinstance(item, Reject) else item.fields, item.raw) for item in items]


PIECES = (
    b"a", b"b c", b",", b",", b";", b"\n", b"\n", b"1,2\n", b'"x",y\n', b'"q""q","two\nlines"\r\n', b"\r\n", b"\r",
    b'"', b'""',
    b'"\n', b',"', "é".encode(), b"\xff", b"\x00", b" ", b"\n\n", "\u2028".encode(), "€,ü\n".encode(),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=40),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    sizes=st.sampled_from([(32, 8), (64, 16), (4 << 20, 1 << 16)]),
    longest=st.sampled_from([20, 1 << 19]),
    delimiter=st.sampled_from([",", ";"]),
)
def test_blocks_give_the_lines_fields_and_raw_texts_of_single_records(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pieces: list[bytes],
    mark: bytes,
    sizes: tuple[int, int],
    longest: int,
    delimiter: str,
) -> None:
    for name, value in zip(("BLOCK_BYTES", "_LEAST_BLOCK", "_MAX_RECORD_BYTES"), (*sizes, longest), strict=True):
        monkeypatch.setattr(blocks, name, value)
    path = tmp_path / "any.csv"
    path.write_bytes(mark + f"x{delimiter}y\n".encode() + b"".join(pieces))
    assert of_blocks(path, delimiter) == of_records(path, delimiter)


def test_only_the_records_in_doubt_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "1,2\n" * 1000 + "1,2,3\n" + "3,4\n" * 1000)
    items = list(read_blocks(path, [1], encoding=None, delimiter=","))
    assert [len(item.lines) if isinstance(item, Block) else item.line for item in items] == [2000, 1002]


def test_files_that_are_not_utf8_have_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("x,y\n".encode("utf-16"))
    assert not can_read_blocks(path, None, ",")
    assert not can_read_blocks(path, "cp1252", ",")
    assert not can_read_blocks(path, "utf-8", "§")
    assert can_read_blocks(path, "UTF_8", ",")


def hash_of_one(*parts: object) -> str:
    """The hash of a row's content as stores of before hold it."""
    text = "\x1f".join("\x00" if part is None else str(part) for part in parts)
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")


moments = st.datetimes(min_value=dt.datetime(1900, 1, 1), max_value=dt.datetime(2100, 1, 1))
whole_moments = moments.map(lambda moment: moment.replace(microsecond=0))
ROWS = st.lists(
    st.tuples(
        st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**62), 2**62),
        st.none() | st.floats(),
        st.none() | moments | whole_moments,
    )
)
KINDS = (pa.string(), pa.bool_(), pa.int64(), pa.float64(), pa.timestamp("us"))


@given(ROWS)
def test_hashes_of_columns_are_those_of_single_rows(rows: list[tuple[object, ...]]) -> None:
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(KINDS)]
    assert content_hashes(columns).to_pylist() == [hash_of_one(*row) for row in rows]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))), st.text(st.characters(exclude_categories=["Cs"])))
def test_ids_of_a_column_are_those_of_single_values(values: list[str], source: str) -> None:
    made = opaque_ids("v", source, pa.array(values, pa.string()))
    made.validate(full=True)
    assert made.to_pylist() == [opaque_id("v", source, value) for value in values]


def test_batches_read_ahead_come_in_order_up_to_the_one_that_fails() -> None:
    def batches() -> Iterator[Batch]:
        for number in range(3):
            yield Batch(read_count=number)
        raise SourceError("x.csv: cut off")

    ahead = one_ahead(batches())
    assert [next(ahead).read_count for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceError, match="cut off"):
        next(ahead)
    assert list(one_ahead(iter(()))) == []


def test_reading_ahead_ends_with_who_wanted_it() -> None:
    read = []

    def batches() -> Iterator[Batch]:
        for number in itertools.count():
            read.append(number)
            yield Batch(read_count=number)

    ahead = one_ahead(batches())
    assert next(ahead).read_count == 0
    ahead.close()
    assert len(read) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frontdoor-reading")]
