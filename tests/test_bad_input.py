"""Whatever a file holds: a clear line, no traceback, nothing lost, and the good rows around the bad."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import TIMES
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stored_rows import frame_of

from data_access.cli import main
from data_access.errors import SourceError
from data_access.loader import LoadOrder, load
from data_access.schema import interactions, load_runs, rejected_rows
from data_access.sources import delimited
from data_access.sources.base import Reject
from data_access.sources.delimited import Record, read_records
from data_access.sources.mapping import mapping_of

TWCS = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
QUESTION = "1,101,True,Tue Oct 31 10:00:00 +0000 2017,@Acme hello,,\n"
ANSWER = "2,Acme,False,Tue Oct 31 10:10:00 +0000 2017,@101 hi,,1\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x00\x00\x00\x01\x00\x08\x06\x00\x00\x00\\r\xa8f"


@pytest.fixture
def load_bytes(tmp_path: Path, capsys):
    """Load bytes as a file of a format: status, counts, the line on standard error, rejected rows."""
    count = 0

    def _load(data: bytes | str, *arguments: str, source: str = "twcs") -> tuple[int, dict, str]:
        nonlocal count
        count += 1
        path = tmp_path / f"{count}.csv"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        capsys.readouterr()
        status = main(["load", str(path), "--source", source, "--store", _load.url, "--json", *arguments])
        output = capsys.readouterr()
        return status, json.loads(output.out.splitlines()[-1]) if output.out else {}, output.err

    _load.url = f"duckdb:///{tmp_path / 'store'}"
    return _load


def rejects(url: str) -> list[tuple[int, str]]:
    rows = frame_of(url, rejected_rows).sort_values("line")
    return list(zip(rows["line"], rows["reason"], strict=True))


def records(tmp_path: Path, text: str) -> list[tuple[int, list[str] | str]]:
    """Line and fields of each record, line and "rejected" of each reject."""
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    _, items = read_records(path)
    return [(item.line, item.fields if isinstance(item, Record) else "rejected") for item in items]


def test_a_field_too_long_is_rejected_as_that(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f'a,b\n1,{"x" * 4_000_001}\n2,"{"x" * 4_000_001}"\n3,"{"x" * 3_999_000}\n{"x" * 2_000}"\n4,y\n')
    _, items = read_records(path)
    found = [(item.line, item.reason) for item in items if not isinstance(item, Record)]
    words = "cannot be split into fields: a field of over 4,000,000 characters"
    quote = "a quote is not closed, or not doubled"
    assert found[:3] == [(2, words), (3, words), (4, f"{words}, or {quote}")]


# --- files that are none


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (PNG, "is not a CSV"),
        (gzip.compress(TWCS.encode(), mtime=0), "is not a CSV but compressed (gzip): unpack it"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00tweets.csv", "is not a CSV but a zip archive: unpack it"),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00[Content_Types].xml", "is not a CSV but a workbook: save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "is not a CSV but a workbook: save it as CSV"),
        ((TWCS + QUESTION).encode("utf-16-le"), "is not a CSV"),  # no byte order mark
        (b"", "is empty"),
        (b"\n\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a,b,c\n1,2,3\n", "column tweet_id is missing"),
        (TWCS.replace("created_at", "when").encode(), "column created_at is missing"),
        ("tweet_id,n\u00e4me\n".encode("cp1252"), "--encoding"),
        (b'tweet_id,"author_id\n1,2\n', "is not a CSV"),
        (b"<html><body>Please sign in</body></html>\n", "column tweet_id is missing"),
    ],
)
def test_a_file_that_is_no_csv_of_the_format_is_refused_whole_in_one_line(load_bytes, data, named):
    status, counts, err = load_bytes(data)
    assert (status, counts) == (2, {})
    assert named in err
    assert err.count("\n") == 1
    assert "1.csv" in err
    assert "Traceback" not in err


def test_a_header_without_rows_loads_nothing_and_says_so(load_bytes):
    status, counts, err = load_bytes(TWCS)
    assert status == 0
    assert counts == {"read_count": 0, "stored_count": 0, "unchanged_count": 0, "rejected_count": 0}
    assert "nothing new" in err


def test_a_folder_is_no_file(tmp_path, capsys):
    assert main(["load", str(tmp_path), "--source", "twcs", "--store", f"duckdb:///{tmp_path / 's'}"]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text(TWCS + QUESTION)
    path.chmod(0)
    command = [sys.executable, "-m", "data_access", "load", str(path), "--source", "twcs"]
    command += ["--store", f"duckdb:///{tmp_path / 's'}"]
    if os.geteuid() == 0:  # root reads everything: become nobody for this
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
        tmp_path.chmod(0o777)
        probe = ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", "import data_access.cli"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("root reads every file, and another user cannot run this interpreter")
        command = [*probe[:4], *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert "secret.csv" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr


# --- encodings


def test_bytes_of_another_encoding_reject_only_their_rows_and_say_how_to_mend_it(load_bytes):
    text = TWCS + QUESTION + QUESTION.replace("1,101", "3,103").replace("hello", "caf\u00e9") + ANSWER
    status, counts, _ = load_bytes(text.encode("cp1252"))
    assert (status, counts["stored_count"], counts["rejected_count"]) == (1, 2, 1)
    ((line, reason),) = rejects(load_bytes.url)
    assert line == 3
    assert "byte 0xe9 is not UTF-8" in reason
    assert "--encoding cp1252" in reason
    assert "caf\\xe9" in frame_of(load_bytes.url, rejected_rows)["raw"].iloc[0]
    status, counts, _ = load_bytes(text.encode("cp1252"), "--encoding", "cp1252")
    assert (status, counts["stored_count"], counts["unchanged_count"]) == (0, 1, 2)
    assert "@Acme caf\u00e9" in frame_of(load_bytes.url, interactions)["text"].tolist()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1"])
def test_a_named_encoding_is_read(load_bytes, encoding):
    data = (TWCS + QUESTION.replace("hello", "caf\u00e9")).encode(encoding)
    status, counts, _ = load_bytes(data, "--encoding", encoding)
    assert (status, counts["stored_count"]) == (0, 1)
    assert frame_of(load_bytes.url, interactions)["text"].tolist() == ["@Acme caf\u00e9"]


def test_an_encoding_that_cannot_read_the_file_is_refused_in_one_line(load_bytes):
    for encoding in ("idna", "punycode", "base64", "klingon", "utf-16"):
        status, _, err = load_bytes(TWCS + QUESTION, "--encoding", encoding)
        assert status == 2, encoding
        assert err.count("\n") == 1
        assert "Traceback" not in err


# --- quotes, lines, NUL


def test_a_quote_that_is_never_closed_costs_its_own_row_only(load_bytes):
    broken = '5,105,True,Tue Oct 31 10:00:00 +0000 2017,"@Acme never closed,,\n'
    quoted = '6,106,True,Tue Oct 31 10:00:00 +0000 2017,"@Acme, quoted ""well""\nand long",,\n'
    for rows, first in ((QUESTION + broken + quoted + ANSWER, 3), (quoted + QUESTION + broken + ANSWER, 5)):
        status, counts, _ = load_bytes(TWCS + rows)
        assert (status, counts["read_count"], counts["rejected_count"]) == (1, 4, 1)
        assert (first, "cannot be split into fields: a quote is not closed, or not doubled") in rejects(load_bytes.url)
    texts = frame_of(load_bytes.url, interactions)["text"].tolist()
    assert sorted(texts) == ["@101 hi", "@Acme hello", '@Acme, quoted "well"\nand long']


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ('1,"x"\n2,y\n', [(2, ["1", "x"]), (3, ["2", "y"])]),
        ('1,"a\nb"\n2,y\n', [(2, ["1", "a\nb"]), (4, ["2", "y"])]),
        ('1,"open\n2,y\n3,z\n', [(2, "rejected"), (3, ["2", "y"]), (4, ["3", "z"])]),
        ('1,"open\n2,"y"\n', [(2, "rejected"), (3, ["2", "y"])]),
        ('1,"open\n2,"y"\n3,"open\n4,"z"\n', [(2, "rejected"), (3, ["2", "y"]), (4, "rejected"), (5, ["4", "z"])]),
        ('1,x\n2,"cut off', [(2, ["1", "x"]), (3, "rejected")]),
        ('1,say "hi" now\n', [(2, ["1", 'say "hi" now'])]),
        ('1,"say "hi" now"\n2,y\n', [(2, ["1", 'say hi" now"']), (3, ["2", "y"])]),
        ('1,"say "hi, you" now"\n2,y\n', [(2, "rejected"), (3, ["2", "y"])]),
        ("\n1,x\n\n\n2,y\n", [(3, ["1", "x"]), (6, ["2", "y"])]),
        ("1,x\r\n2,y\r\n", [(2, ["1", "x"]), (3, ["2", "y"])]),
        ("1,x\r2,y\r", [(2, ["1", "x"]), (3, ["2", "y"])]),
        ("1,x\n2,y", [(2, ["1", "x"]), (3, ["2", "y"])]),
    ],
)
def test_records_keep_their_lines_and_bad_quotes_cost_no_neighbour(tmp_path, rows, found):
    assert records(tmp_path, "a,b\n" + rows) == found


def test_two_thousand_lines_may_stand_between_a_lost_quote_and_the_next(tmp_path):
    rows = [f"{place},x" for place in range(delimited.MAX_RECORD_LINES * 2)]
    rows[10] = '10,"open'
    found = records(tmp_path, "a,b\n" + "\n".join(rows) + "\n")
    assert len(found) == len(rows)
    assert found[10] == (12, "rejected")
    assert all(fields != "rejected" for place, (_, fields) in enumerate(found) if place != 10)


def test_a_single_line_of_50_megabytes_is_rejected_and_its_neighbours_load(load_bytes):
    long = "3,103,True,Tue Oct 31 10:00:00 +0000 2017," + "x" * 50_000_000 + ",,\n"
    started = time.monotonic()
    status, counts, _ = load_bytes(TWCS + QUESTION + long + ANSWER)
    assert (status, counts["stored_count"], counts["rejected_count"]) == (1, 2, 1)
    ((line, reason),) = rejects(load_bytes.url)
    assert line == 3
    assert "a line of over 16,000,000 characters" in reason
    assert len(frame_of(load_bytes.url, rejected_rows)["raw"].iloc[0]) == len(long)  # nothing is lost
    assert time.monotonic() - started < 60


def test_a_file_of_one_long_line_is_no_csv(load_bytes):
    status, _, err = load_bytes("x" * 17_000_000)
    assert status == 2
    assert "is not a CSV" in err
    assert len(err) < 500


def test_a_field_of_five_million_characters_is_rejected(load_bytes):
    row = f'3,103,True,Tue Oct 31 10:00:00 +0000 2017,"{"x" * 5_000_000}",,\n'
    status, counts, _ = load_bytes(TWCS + QUESTION + row + ANSWER)
    assert (status, counts["stored_count"], counts["rejected_count"]) == (1, 2, 1)


def test_nul_bytes_harm_nobody(load_bytes):
    status, counts, _ = load_bytes(TWCS.encode() + QUESTION.replace("hello", "he\x00llo").encode() + ANSWER.encode())
    assert (status, counts["stored_count"]) == (0, 2)
    assert "@Acme he\ufffdllo" in frame_of(load_bytes.url, interactions)["text"].tolist()
    status, counts, _ = load_bytes(TWCS + "\x00\x00\x00\n" + QUESTION.replace("1,", "1\x00,", 1))
    assert (status, counts["rejected_count"]) == (1, 2)


def test_hostile_texts_are_stored_as_they_are(load_bytes):
    texts = [
        "'; DROP TABLE waits; --",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "\u202egnp.exe",
        "%s {0} $HOME",
    ]
    rows = io.StringIO()
    for place, text in enumerate(texts):
        csv.writer(rows).writerow([place + 10, 200 + place, True, "Tue Oct 31 10:00:00 +0000 2017", text, "", ""])
    status, counts, _ = load_bytes(TWCS + rows.getvalue())
    assert (status, counts["stored_count"]) == (0, len(texts))
    assert sorted(frame_of(load_bytes.url, interactions)["text"]) == sorted(texts)


def test_rejected_rows_are_kept_once_however_often_the_file_is_loaded(load_bytes, tmp_path):
    for _ in range(2):
        path = tmp_path / "same.csv"
        path.write_text(TWCS + "x,y\n")
        assert main(["load", str(path), "--source", "twcs", "--store", load_bytes.url]) == 1
    assert len(frame_of(load_bytes.url, rejected_rows)) == 1
    assert frame_of(load_bytes.url, load_runs)["rejected_count"].tolist() == [1, 1]


# --- any bytes: read = stored + unchanged + rejected

MAPPING = 'source="x"\n[columns]\nid="id"\noccurred_at="at"\nchannel="ch"\ntext="t"\naudience="n"\nreply_to="r"\n'
FACTS = (
    'source="y"\ngrain="conversation"\n[columns]\nid="id"\nopened_at="at"\nchannel="ch"\nfirst_response_minutes="n"\n'
    'resolved_at="t"\ntalk_seconds="r"\n'
)
TRICKY = [
    "", "1", "1.0", "-1", "nan", "inf", "1e308", "1e999", "9" * 30, "true", "email", "Fax", "2025-05-05T09:00:00Z",
    "2025-05-05", "0001-01-01", "9999-12-31T23:59:59-12:00", "Tue Oct 31 10:00:00 +0000 2017", "caf\u00e9", "\u0663",
    "a\nb", 'say "x"',
    "\x00", "\ud7ff", "id:x=1", "email=a@b;phone=+44", "2004-02-29", "65+", ",", "\r", "1_000", "0x1F",
]  # fmt: skip
CELLS = st.one_of(st.sampled_from(TRICKY), st.text(max_size=12), st.integers().map(str), st.floats().map(str))
ROWS = st.lists(st.lists(CELLS, max_size=9), max_size=8)
HEADERS = {
    "twcs": TWCS.strip(),
    "csv": "id,at,ch,t,n,r",
    "facts": "id,at,ch,t,n,r",
    "customers": "customer_id,birth_date,birth_year,age_group,segment,followers,display_name,identities",
}


def written(header: str, rows: list[list[str]], damage: bytes, place: float) -> bytes:
    """Rows as CSV, with some bytes put in somewhere."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    data = (header + "\n" + out.getvalue()).encode("utf-8", "surrogatepass")
    cut = int(place * len(data))
    return data[:cut] + damage + data[cut:]


@pytest.mark.parametrize("kind", HEADERS)
def test_any_bytes_end_with_a_status_and_counts_that_add_up(kind, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp(kind)
    (folder / "csv.toml").write_text(MAPPING)
    (folder / "facts.toml").write_text(FACTS)
    source = "csv" if kind == "facts" else kind
    mapping = ["--mapping", str(folder / f"{kind}.toml")] if source == "csv" else []
    url = f"duckdb:///{folder / 'store'}"

    @settings(max_examples=14 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(rows=ROWS, damage=st.binary(max_size=4), place=st.floats(0, 1))
    @example(rows=[[cell] * 6 for cell in TRICKY], damage=b"", place=1.0)
    @example(rows=[["1", "2025-05-05T09:00:00Z", "email", "x", "1", ""]], damage=b'"', place=0.9)
    def property_holds(rows: list[list[str]], damage: bytes, place: float) -> None:
        (folder / "any.csv").write_bytes(written(HEADERS[kind], rows, damage, place))
        capsys.readouterr()
        command = ["load", str(folder / "any.csv"), "--source", source, "--store", url, "--json", *mapping]
        status = main(command)
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        if status == 2:
            assert output.out == ""
            assert len(output.err.splitlines()) == 1
            return
        counts = json.loads(output.out.splitlines()[-1])
        assert counts["read_count"] == counts["stored_count"] + counts["unchanged_count"] + counts["rejected_count"]
        assert status == (1 if counts["rejected_count"] else 0)
        assert min(counts.values()) >= 0
        again = main(command)
        counts = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (again, counts["stored_count"]) == (status, 0)

    property_holds()
    assert main(["check", "--numbers", "--store", url]) == 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='",\n\r ax', max_size=60))
def test_no_character_of_a_file_is_lost_between_records_and_rejects(tmp_path, text):
    path = tmp_path / "any.csv"
    path.write_bytes(("a,b\n" + text).encode())
    try:
        _, items = read_records(path)
    except SourceError:
        return
    raw = "".join(item.raw for item in items)
    assert raw.replace("\n", "").replace("\r", "") == text.replace("\n", "").replace("\r", "")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.text(alphabet='",\n\r\u00e9a;', max_size=8), min_size=2, max_size=4), max_size=6))
def test_what_the_csv_module_writes_comes_back_as_it_was(tmp_path, rows):
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    _, items = read_records(path)
    found = list(items)
    assert not any(isinstance(item, Reject) for item in found)
    assert [item.fields for item in found] == rows


def test_a_load_of_several_files_publishes_all_or_nothing(tmp_path):
    (tmp_path / "good.csv").write_text("id,at,ch\n1,2025-05-05T09:00:00Z,email\n")
    (tmp_path / "bad.csv").write_bytes(PNG)
    mapping = mapping_of({"source": "x", "columns": {"id": "id", "occurred_at": "at", "channel": "ch"}}, "t")
    orders = [LoadOrder(tmp_path / name, "csv", mapping) for name in ("good.csv", "bad.csv")]
    with pytest.raises(SourceError):
        load(f"duckdb:///{tmp_path / 's'}", orders)
    assert not (tmp_path / "s" / "CURRENT").exists()
    load(f"duckdb:///{tmp_path / 's'}", orders[:1])
    with pytest.raises(SourceError):
        load(f"duckdb:///{tmp_path / 's'}", orders)
    assert len(frame_of(f"duckdb:///{tmp_path / 's'}", load_runs)) == 1
