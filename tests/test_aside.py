"""Rows put aside in files come back as they were, and the files go with their use."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Integer, MetaData, Table, Text, literal, select

from data_access import dialects
from data_access.aside import put_aside
from data_access.loader import LoadOrder, load
from data_access.sources.mapping import mapping_of
from data_access.store import open_writer
from data_access.temporary import parts_folder

KINDS = Table(
    "kinds",
    MetaData(),
    Column("number", Integer),
    Column("big", BigInteger),
    Column("text", Text),
    Column("at", DateTime),
    Column("share", Double),
    Column("flag", Boolean),
    Column("nothing", Text),
    prefixes=["TEMPORARY"],
)
ROWS = [
    (1, 2**53 + 1, "it's \x1f é", dt.datetime(2026, 1, 5, 9, 0, 0, 123456), 0.1, True, None),
    (2, -(2**62), "", dt.datetime(1900, 1, 1), -1.5, False, None),
    (3, None, None, None, None, None, None),
]


def folder_of(url: str) -> Path:
    return parts_folder(Path(url.removeprefix("duckdb:///")) / "loading.duckdb")


@pytest.fixture(params=["it's a store", "number=7/text=x", "s[tore] *", "s\\tore**{a,b}"])
def url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A store in a folder whose name wants quoting, or looks like a pattern."""
    messages, made = tmp_path / "messages.csv", f"duckdb:///{tmp_path / request.param}"
    messages.write_text(TINY_MESSAGES)
    load(made, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    return made


def test_rows_come_back_with_the_types_of_the_table(url):
    other = folder_of(url.replace("*", "other")) / KINDS.name  # its name fits the pattern, if it is taken for one
    other.mkdir(parents=True, exist_ok=True)
    (other / "0.parquet").write_bytes(b"PAR1")
    with open_writer(url) as connection:
        dialects.create_temporary(connection, KINDS)
        connection.execute(KINDS.insert(), [dict(zip(KINDS.columns.keys(), row, strict=True)) for row in ROWS])
        with put_aside(connection) as aside:
            for number in (1, 2, 3, 4):  # the last one is empty
                aside.put(KINDS, select(KINDS).where(KINDS.c.number == literal(number)))
            rows = aside.rows(KINDS)
            back = connection.execute(select(*rows.c).order_by(rows.c.number)).all()
        assert not folder_of(url).exists()
    assert [tuple(row) for row in back] == ROWS


def test_divided_rows_come_back_by_the_number_that_they_have(url):
    with open_writer(url) as connection:
        dialects.create_temporary(connection, KINDS)
        connection.execute(KINDS.insert(), [dict(zip(KINDS.columns.keys(), row, strict=True)) for row in ROWS])
        read = ("number", "text", "at", "nothing")
        rows = select(*(KINDS.c[name] for name in read), (KINDS.c.number % 2).label("part"))
        with put_aside(connection) as aside:
            for _ in range(2):  # what was divided before is gone
                with aside.divided(KINDS, rows, "part") as copies:
                    back = [connection.execute(select(copies(n)).order_by("number")).all() for n in (0, 1)]
                assert not list(folder_of(url).rglob("*.parquet"))
    wanted = [tuple(row[KINDS.columns.keys().index(name)] for name in read) for row in ROWS]
    assert [[tuple(row) for row in part] for part in back] == [[wanted[1]], [wanted[0], wanted[2]]]


def test_an_error_leaves_no_files(url):
    def fail() -> None:
        with open_writer(url) as connection, put_aside(connection) as aside:
            aside.put(
                KINDS, select(*(literal(value).label(c.name) for c, value in zip(KINDS.c, ROWS[0], strict=True)))
            )
            assert list(folder_of(url).rglob("*.parquet"))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not folder_of(url).exists()


def test_files_of_a_killed_command_are_removed_by_the_next(url):
    left = folder_of(url) / "waits" / "0.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"what somebody wrote")
    with open_writer(url):
        assert not left.exists()


def test_a_writer_reaches_no_other_file(url, tmp_path):
    with open_writer(url) as connection, pytest.raises(Exception, match=r"(?i)permission|disabled"):
        connection.exec_driver_sql(f"COPY (SELECT 1) TO '{str(tmp_path).replace(chr(39), chr(39) * 2)}/x.parquet'")
