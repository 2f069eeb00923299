"""The contract of the command line: statuses, one line for an error, machine-readable output."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY_CUSTOMERS, TINY_MESSAGES
from source_files import CALLS, FRESHDESK, write_files

from data_access.cli import main
from data_access.reports import REPORTS
from data_access.schema import SCHEMA_VERSION
from data_access.store import current_generation, current_version, open_writer, write_info

ROOT = Path(__file__).resolve().parents[1]
MAPPING = 'source = "desk"\n[columns]\nid = "id"\noccurred_at = "at"\nchannel = "channel"\ntext = "text"\n'
ROWS = "id,at,channel,text\n1,2026-01-05T09:00:00Z,email,hello\n2,2026-01-05T09:00:00Z,{channel},hello\n"
ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture
def run(capsys):
    """Run a command; status, standard output, standard error."""

    def _run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse
            status = int(stop.code or 0)
        output = capsys.readouterr()
        return status, output.out, output.err

    return _run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.csv").write_text(ROWS.format(channel="chat"))
    (tmp_path / "some.csv").write_text(ROWS.format(channel="fax"))
    (tmp_path / "map.toml").write_text(MAPPING)
    return tmp_path


def is_one_line_without_traceback(err: str) -> bool:
    return err.count("\n") == 1 and "Traceback" not in err and err.strip() != ""


# --- statuses


def test_a_load_ends_with_0_done_1_some_rejected_2_nothing_done(run, files):
    store = ("--store", f"duckdb:///{files / 's'}")
    mapping = ("--source", "csv", "--mapping", files / "map.toml")
    assert run("load", files / "good.csv", *mapping, *store)[0] == 0
    assert run("load", files / "good.csv", *mapping, *store)[0] == 0
    assert run("load", files / "some.csv", *mapping, *store)[0] == 1
    before = current_generation(files / "s")
    status, out, err = run("load", files / "absent.csv", *mapping, *store)
    assert status == 2
    assert out == ""
    assert is_one_line_without_traceback(err)
    assert "absent.csv: there is no such file" in err
    assert current_generation(files / "s") == before


def test_load_json_ends_with_one_object_on_standard_output_and_words_on_standard_error(run, files):
    status, out, err = run(
        *(
            "load",
            files / "some.csv",
            files / "good.csv",
            "--source",
            "csv",
            "--mapping",
            files / "map.toml",
            "--json",
        ),
        *("--store", f"duckdb:///{files / 's'}"),
    )
    assert status == 1
    assert json.loads(out.splitlines()[-1]) == {
        "read_count": 4,
        "stored_count": 2,
        "unchanged_count": 1,
        "rejected_count": 1,
    }
    assert "4 rows read: 2 stored, 1 there already, 1 rejected" in err
    assert "frontdoor report rejected_rows" in err


def test_one_unreadable_file_among_several_leaves_the_store_as_it_was(run, files):
    (files / "empty.csv").write_bytes(b"")
    store = ("--store", f"duckdb:///{files / 's'}")
    status, _, err = run(
        "load", files / "good.csv", files / "empty.csv", "--source", "csv", "--mapping", files / "map.toml", *store
    )
    assert status == 2
    assert is_one_line_without_traceback(err)
    assert json.loads(run("status", "--json", *store)[1])["exists"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("load",),
        ("load", "{files}/good.csv", "--source", "nonsense"),
        ("load", "{files}/good.csv", "--source", "csv"),
        ("load", "{files}/good.csv"),
        ("load", "{files}/good.csv", "--source", "twcs"),
        ("load", "{files}/good.csv", "--source", "twcs", "--mapping", "{files}/map.toml"),
        ("load", "{files}/good.csv", "--source", "csv", "--mapping", "{files}/absent.toml"),
        ("load", "{files}/good.csv", "--source", "csv", "--mapping", "{files}/good.csv"),
        ("load", "{files}/good.csv", "--source", "csv", "--mapping", "{files}/map.toml", "--encoding", "klingon"),
        ("load", "{files}/good.csv", "--source", "twcs", "--dry-run"),
        ("load", "{files}", "--source", "twcs"),
        ("load", "{files}/good.csv", "--complete-to", "soon"),
        ("report", "response_times"),
        ("report", "nonsense"),
        ("check",),
        ("rebuild",),
        ("rescore",),
        ("export", "{files}/out"),
    ],
)
def test_bad_arguments_and_absent_stores_end_with_2_and_a_line_that_says_what(run, files, arguments):
    named = [argument.format(files=files) for argument in arguments]
    store = ("--store", f"duckdb:///{files / 'none'}") if named and named[0] != "nonsense" else ()
    status, out, err = run(*named, *store)
    assert status == 2
    assert out == ""
    assert is_one_line_without_traceback(err.replace("good.csv: recognised as csv\n", ""))
    assert err.startswith("frontdoor")


@pytest.mark.parametrize(
    "arguments",
    [
        ("response_times", "--by", "nonsense"),
        ("conversations", "--by", "channel"),
        ("response_times", "--by", "channel", "--by", "channel"),
        ("response_times", "--by", "state"),
        ("nonsense",),
        ("response_times", "--from", "yesterday"),
        ("response_times", "--to", "9999-12-31"),
        ("response_times", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("response_times", "--as-of", "0001-01-01T00:00:00+05:00"),
        ("response_times", "--as-of", "noon"),
        ("response_times", "--channel", "fax"),
        ("response_times", "--state", "lost"),
        ("response_times", "--grain", "year"),
        ("response_times", "--format", "xml"),
        ("response_times", "--cell", "channel=email"),
        ("response_times", "--measure", "answered"),
        ("conversations", "--measure", "nonsense"),
        ("conversations", "--measure", "answered", "--cell", "channel"),
        ("conversations", "--measure", "answered", "--cell", "nonsense=1"),
        ("conversations", "--measure", "answered", "--cell", "period=soon"),
        ("conversations", "--measure", "answered", "--cell", "period=9999-12-31"),
        ("conversations", "--measure", "answered", "--cell", "within_minutes=nan"),
        ("conversations", "--measure", "answered", "--cell", "hour=noon"),
    ],
)
def test_a_report_refuses_what_it_does_not_know_in_one_line(run, tiny_store_url, arguments):
    status, out, err = run("report", *arguments, "--store", tiny_store_url)
    assert (status, out) == (2, "")
    assert is_one_line_without_traceback(err)


def test_store_urls_that_cannot_be_are_refused_in_one_line(run):
    for url in ("nonsense", "mysql://host/base", "duckdb:///", "sqlite:///x.db"):
        status, _, err = run("status", "--store", url)
        assert status == 2, url
        assert is_one_line_without_traceback(err)
        assert "duckdb:///" in err


def test_a_settings_file_with_a_mistake_is_named_with_the_entry(run, files):
    (files / "s").mkdir()
    for text, named in [
        ("colour = 1", "unknown setting 'colour'"),
        ('zone = "Mars"', "'Mars' is not an IANA time zone"),
        ("zone = 3", "zone must be a str"),
        ('age_bands = ["old"]', "age band 'old'"),
        ("age_bands = []", "age_bands is empty"),
        ('age_bands = ["<18", "18-24", "24+"]', "age_bands entry 3 ('24+') overlaps the entries before"),
        ('age_bands = ["<18", "20-24", "25+"]', "age_bands entry 2 ('20-24') leaves a gap; it must begin at 18"),
        ('age_bands = ["18-24", "25+"]', "age_bands entry 1 ('18-24') leaves a gap; it must begin at 0"),
        ('age_bands = ["<18", "24-18", "25+"]', "age_bands entry 2 ('24-18') holds no age"),
        ('age_bands = ["<18", "18-64"]', "age_bands entry 2 ('18-64') must be open, such as '18+'"),
        ("age_bands = [3]", "age_bands entry 1 must be a text"),
        ("accounts = 3", "accounts must be a table"),
        ("[accounts]\ntwcs = 3", "accounts.twcs must be a table"),
        ("[accounts.twcs]\nAcme = 3", "accounts.twcs Acme must be a text"),
        ("thresholds = 3", "thresholds must be a list"),
        ("thresholds = [3]", "thresholds entry"),
        ('[[thresholds]]\nchannel = "fax"\ntarget = "1 h"\nignored_after = "2 h"', "unknown channel 'fax'"),
        ('[[thresholds]]\nchannel = "email"\ntarget = "1 hour"\nignored_after = "2 h"', "must be a duration"),
        ('[[thresholds]]\nchannel = "email"\ntarget = "3 h"\nignored_after = "2 h"', "must not be shorter"),
        ('[[thresholds]]\nchannel = "email"\ntarget = "1 h"\nignored_after = "2 h"\nfrom = "May"', "must be a date"),
        ('[[thresholds]]\nchannel = "fax"\ntarget = "1 h"\nignored_after = "2 h"', "thresholds entry 1: unknown"),
        ('cues_file = "nope.toml"', f"cues_file names {files / 's' / 'nope.toml'}, which is not there"),
        ('[[thresholds]]\nchannel = 3\ntarget = "1 h"\nignored_after = "2 h"', "thresholds entry"),
        ('unknown_time_counts_as = "maybe"', "must be 'answered' or 'unanswered'"),
        ("calendars = 3", "calendars must be a table"),
        ("calendar_use = 3", "calendar_use must be a list"),
        ('[calendars.a]\nzone = "UTC"\nhours = 3', "hours are missing"),
        ('[calendars.a]\nzone = "UTC"\nclosed_days = 3', "closed_days must be dates"),
        ('[[calendars.a.hours]]\nmon = 3\n[calendars.a]\nzone = "UTC"', "mon must be a list"),
        ("zone = ", "not valid TOML"),
    ]:
        (files / "s" / "settings.toml").write_text(text + "\n")
        status, _, err = run("init", "--store", f"duckdb:///{files / 's'}")
        assert status == 2, text
        assert is_one_line_without_traceback(err), err
        assert "settings.toml" in err
        assert named in err, (text, err)


# --- reports


def fits(cell: str, value: object, name: str) -> bool:
    """A CSV cell says what the JSON value says."""
    if value is None:
        return cell == ""
    if isinstance(value, bool):
        return cell == ("true" if value else "false")
    if isinstance(value, int | float):
        return math.isclose(float(cell), value)
    return cell == value or cell == "'" + str(value)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("kind", ["tiny", "empty", "demo"])
def test_every_report_prints_the_same_frame_as_csv_and_as_a_bare_json_array(
    run, tiny_store_url, empty_store_url, demo_store_url, name, kind
):
    store = ("--store", {"tiny": tiny_store_url, "empty": empty_store_url, "demo": demo_store_url}[kind])
    period = ("--from", "2026-10-01", "--to", "2026-10-31") if kind == "demo" else ()
    status, out, err = run("report", name, "--format", "json", *store, *period)
    assert (status, err) == (0, "")
    rows = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert isinstance(rows, list)
    status, out, err = run("report", name, "--format", "csv", *store, *period)
    assert (status, err) == (0, "")
    table = list(csv.DictReader(io.StringIO(out)))
    assert len(table) == len(rows)
    for cells, row in zip(table, rows, strict=True):
        assert list(cells) == list(row)
        for column, value in row.items():
            assert fits(cells[column], value, column), (column, value, cells[column])
            if column.endswith("_at") and value is not None:
                assert ISO_UTC.fullmatch(value)


@pytest.mark.parametrize(
    "name", ["response_times", "reply_times", "ignored_complaints", "backlog", "sentiment", "calls"]
)
def test_without_by_there_is_exactly_one_row_and_with_by_none_is_a_total(run, tiny_store_url, empty_store_url, name):
    for url in (tiny_store_url, empty_store_url):
        assert len(json.loads(run("report", name, "--json", "--store", url)[1])) == 1
    groups = json.loads(run("report", name, "--by", "channel", "--json", "--store", tiny_store_url)[1])
    assert {row["channel"] for row in groups} <= {"email", "twitter", "chat", "phone"}
    assert json.loads(run("report", name, "--by", "channel", "--json", "--store", empty_store_url)[1]) == []


def test_missing_is_null_in_json_and_empty_in_csv(run, tiny_store_url):
    (row,) = json.loads(run("report", "response_times", "--json", "--store", tiny_store_url)[1])
    assert row["median_minutes_all"] is None
    rows = json.loads(run("report", "conversations", "--json", "--store", tiny_store_url)[1])
    assert {row["external_id"]: row["first_response_at"] for row in rows}["c3"] is None
    (row,) = csv.DictReader(io.StringIO(run("report", "response_times", "--store", tiny_store_url)[1]))
    assert row["median_minutes_all"] == ""
    assert row["is_provisional"] == "false"


def test_a_journey_of_a_customer_whom_the_store_does_not_know_is_said_to_be_none(run, tiny_store_url):
    status, out, err = run("report", "journeys", "--customer", "nobody", "--store", tiny_store_url)
    assert (status, out.count("\n")) == (0, 1)
    assert is_one_line_without_traceback(err)
    assert "'nobody'" in err
    known = run("report", "journeys", "--format", "json", "--store", tiny_store_url)[1]
    customer = json.loads(known)[0]["customer_id"]
    assert run("report", "journeys", "--customer", customer, "--store", tiny_store_url)[2] == ""


@pytest.mark.postgresql
def test_init_on_a_server_says_which_settings_hold(run, new_database):
    status, out, _ = run("init", "--store", new_database())
    assert status == 0
    assert "None" not in out
    assert "FRONTDOOR_SETTINGS=FILE" in out


@pytest.mark.parametrize(("delimiter", "written"), [(";", '";"'), ("\t", '"\\t"')])
def test_a_csv_that_is_divided_otherwise_than_its_mapping_says_is_met_with_what_to_write(
    run, files, delimiter, written
):
    (files / "other.csv").write_text(ROWS.format(channel="chat").replace(",", delimiter))
    arguments = ("load", files / "other.csv", "--mapping", files / "map.toml", "--store", f"duckdb:///{files / 's'}")
    status, _, err = run(*arguments)
    assert status == 2
    assert is_one_line_without_traceback(err)
    assert f"delimiter = {written}" in err
    (files / "map.toml").write_text(f"delimiter = {written}\n{MAPPING}")
    assert run(*arguments)[0] == 0


def test_a_folder_that_may_not_be_read_is_not_called_empty(run, files, monkeypatch):
    (files / "folder").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    status, _, err = run("load", files / "folder", "--store", f"duckdb:///{files / 's'}")
    assert (status, err) == (2, f"frontdoor: {files / 'folder'}: cannot be read: Permission denied\n")


def test_a_naive_as_of_is_utc_whatever_the_zone_of_machine_and_store(run, tiny_store_url, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    counts = {}
    for moment in ("2026-01-05T10:00:00", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00+01:00", "2026-01-05T09:59:59"):
        out = run("report", "response_times", "--as-of", moment, "--json", "--store", tiny_store_url)[1]
        counts[moment] = json.loads(out)[0]["answered_count"]
    assert list(counts.values()) == [1, 1, 1, 0]


def test_from_and_to_are_local_days_both_inclusive_also_on_dst_days(run, tmp_path):
    """London's autumn day has 25 hours, its spring day 23; a row at the edge of each hour."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "settings.toml").write_text('zone = "Europe/London"\n')
    moments = [f"2025-10-{day}T{hour:02d}:30:00Z" for day in (25, 26) for hour in range(24)]
    moments += [f"2025-03-{day}T{hour:02d}:30:00Z" for day in (29, 30) for hour in range(24)]
    rows = "".join(f"{place},{moment},email,x\n" for place, moment in enumerate(moments))
    (tmp_path / "a.csv").write_text("id,at,channel,text\n" + rows)
    (tmp_path / "m.toml").write_text(MAPPING)
    store = ("--store", f"duckdb:///{tmp_path / 's'}")
    assert run("load", tmp_path / "a.csv", "--mapping", tmp_path / "m.toml", *store)[0] == 0
    for day, count in (("2025-10-26", 25), ("2025-03-30", 23), ("2025-10-25", 23)):
        out = run("report", "response_times", "--from", day, "--to", day, "--json", *store)[1]
        assert json.loads(out)[0]["conversation_count"] == count, day
    out = run("report", "response_times", "--by", "period", "--grain", "day", "--json", *store)[1]
    days = {row["period"]: row["conversation_count"] for row in json.loads(out)}
    assert days == {"2025-03-29": 24, "2025-03-30": 23, "2025-03-31": 1, "2025-10-25": 23, "2025-10-26": 25}


def test_filters_may_be_repeated(run, tiny_store_url):
    out = run(
        "report", "response_times", "--channel", "email", "--channel", "chat", "--json", "--store", tiny_store_url
    )[1]
    assert json.loads(out)[0]["conversation_count"] == 6


def test_the_rows_of_a_measure_are_those_of_its_figure(run, tiny_store_url):
    command = ("report", "conversations", "--measure", "complaints", "--cell", "channel=email", "--json")
    rows = json.loads(run(*command, "--store", tiny_store_url)[1])
    assert sorted(row["external_id"] for row in rows) == ["c1", "c2", "c3"]


def test_cells_that_a_spreadsheet_would_run_are_defused_in_csv_and_untouched_in_json(run, tmp_path):
    (tmp_path / "a.csv").write_text('id,at,channel,team\n1,2026-01-05T09:00:00Z,email,"=HYPERLINK(""x"")"\n')
    (tmp_path / "m.toml").write_text(MAPPING.replace('text = "text"', 'team = "team"'))
    store = ("--store", f"duckdb:///{tmp_path / 's'}")
    run("load", tmp_path / "a.csv", "--mapping", tmp_path / "m.toml", *store)
    (row,) = csv.DictReader(io.StringIO(run("report", "conversations", *store)[1]))
    assert row["team"] == '\'=HYPERLINK("x")'
    (row,) = json.loads(run("report", "conversations", "--json", *store)[1])
    assert row["team"] == '=HYPERLINK("x")'


# --- the other commands


def test_init_creates_an_empty_store_with_a_settings_file_once(run, tmp_path):
    store = ("--store", f"duckdb:///{tmp_path / 's'}")
    status, out, _ = run("init", *store)
    assert status == 0
    assert "settings.toml" in out
    settings = (tmp_path / "s" / "settings.toml").read_text()
    assert all(line.startswith("#") or not line for line in settings.splitlines())
    assert run("check", "--numbers", *store)[0] == 0
    status, _, err = run("init", *store)
    assert status == 2
    assert "exists already" in err


def test_status_prints_where_the_store_is_before_and_after_it_exists(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("FRONTDOOR_STORE", raising=False)
    assert f"duckdb:///{tmp_path}/frontdoor" in run("status")[1]
    monkeypatch.setenv("FRONTDOOR_STORE", f"duckdb:///{tmp_path / 'other'}")
    assert json.loads(run("status", "--json")[1]) == {
        "store": f"duckdb:///{tmp_path / 'other'}",
        "settings_file": str(tmp_path / "other" / "settings.toml"),
        "exists": False,
    }
    assert run("init")[0] == 0
    facts = json.loads(run("status", "--json")[1])
    assert facts["exists"] is True
    assert facts["as_of"] is None
    assert facts["rows"]["interactions"] == 0
    assert run("status", "--store", f"duckdb:///{tmp_path / 'third'}")[0] == 0


def test_a_password_in_the_store_url_is_never_shown(run):
    _, out, err = run("status", "--store", "postgresql+psycopg://me:secret@127.0.0.1:1/base")
    assert "secret" not in out + err


def test_demo_makes_a_store_once_and_if_missing_keeps_it(run, tmp_path):
    store = ("--store", f"duckdb:///{tmp_path / 's'}", "--scale", "0.01")
    assert run("demo", *store)[0] == 0
    before = current_generation(tmp_path / "s")
    assert run("demo", "--if-missing", *store)[0] == 0
    assert run("demo", *store)[0] == 2
    assert current_generation(tmp_path / "s") == before
    assert run("demo", "--store", f"duckdb:///{tmp_path / 't'}", "--scale", "0")[0] == 2


def test_a_demo_of_an_older_version_is_upgraded(run, tmp_path):
    url = f"duckdb:///{tmp_path / 's'}"
    assert run("demo", "--store", url, "--scale", "0.01")[0] == 0
    with open_writer(url) as connection:
        connection.exec_driver_sql("ALTER TABLE waits DROP COLUMN previous_agent")
        write_info(connection, schema_version="2")
    assert run("status", "--store", url)[0] == 2
    status, out, _ = run("demo", "--if-missing", "--store", url)
    assert (status, out) == (0, f"{url} is there already; upgraded from schema 2 to {SCHEMA_VERSION}\n")
    assert run("status", "--store", url)[0] == 0


def test_rebuild_derives_with_the_present_settings_and_says_how_much(run, tmp_path):
    store = ("--store", f"duckdb:///{tmp_path / 's'}")
    (tmp_path / "m.csv").write_text(TINY_MESSAGES)
    names = TINY_MESSAGES.splitlines()[0].split(",")
    (tmp_path / "m.toml").write_text('source="tiny"\n[columns]\n' + "".join(f'{n}="{n}"\n' for n in names))
    (tmp_path / "c.csv").write_text(TINY_CUSTOMERS)
    assert run("load", tmp_path / "m.csv", "--mapping", tmp_path / "m.toml", *store)[0] == 0
    assert run("load", tmp_path / "c.csv", *store)[0] == 0
    (tmp_path / "s" / "settings.toml").write_text(
        '[[thresholds]]\nchannel = "email"\ntarget = "10 min"\nignored_after = "100 d"\n'
    )
    assert "run: frontdoor rebuild" in run("check", *store)[2]
    status, out, _ = run("rebuild", "--json", *store)
    assert (status, json.loads(out)) == (0, {"conversation_count": 10})
    (row,) = json.loads(run("report", "ignored_complaints", "--channel", "email", "--json", *store)[1])
    assert (row["answered_late_count"], row["waiting_count"], row["ignored_count"]) == (2, 1, 0)
    assert run("check", *store)[2] == ""


def test_export_writes_every_report_as_the_report_prints_it(run, tiny_store_url, tmp_path):
    status, out, _ = run("export", tmp_path / "out", "--json", "--store", tiny_store_url)
    assert status == 0
    assert sorted(json.loads(out)["files"]) == sorted(f"{name}.csv" for name in REPORTS)
    for name in ("response_times", "conversations", "channel_mix"):
        printed = run("report", name, "--store", tiny_store_url)[1]
        assert (tmp_path / "out" / f"{name}.csv").read_bytes().decode() == printed


def test_sources_lists_the_formats(run):
    names = {row["name"] for row in json.loads(run("sources", "--json")[1])}
    assert {"twcs", "csv", "customers"} <= names
    assert "twcs:" in run("sources")[1]


def test_a_format_is_recognised_and_said_so(run, tmp_path):
    (tmp_path / "c.csv").write_text(TINY_CUSTOMERS)
    status, _, err = run("load", tmp_path / "c.csv", "--store", f"duckdb:///{tmp_path / 's'}")
    assert status == 0
    assert "recognised as customers" in err


def test_python_m_data_access_is_the_command_frontdoor(tiny_store_url):
    arguments = ["report", "response_times", "--format", "json", "--store", tiny_store_url]
    outputs = [
        subprocess.run(
            [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
        ).stdout
        for command in ([sys.executable, "-m", "data_access"], [str(Path(sys.executable).parent / "frontdoor")])
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])[0]["conversation_count"] == 9


def test_a_reader_of_the_output_that_goes_away_leaves_no_traceback(demo_store_url):
    command = f"{sys.executable} -m data_access report conversations --store {demo_store_url} | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.startswith("conversation_id,")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("output", "said"), [("> /dev/full", "No space left on device"), ("| true", "")])
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_load_whose_output_cannot_be_written_is_done_and_says_nothing_else(files, output, said, form):
    url = f"duckdb:///{files / 's'}"
    load = f"{sys.executable} -m data_access load good.csv --mapping map.toml --store {url} {form} {output}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", load], cwd=files, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "nothing was done" not in done.stderr
    assert ": :" not in done.stderr
    assert ("the output could not be written" in done.stderr) == bool(said)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert current_version(url) == 1


def test_a_load_whose_messages_cannot_be_written_is_done(files):
    url = f"duckdb:///{files / 's'}"
    load = f"{sys.executable} -m data_access load some.csv --mapping map.toml --store {url} --json 2> /dev/full"
    done = subprocess.run(["bash", "-c", load], cwd=files, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1  # a row was rejected
    assert json.loads(done.stdout)["rejected_count"] == 1


def test_letters_that_the_encoding_of_the_output_lacks_are_escaped_and_said_once(files):
    (files / "odd.csv").write_text(ROWS.format(channel="f\u00e4x \U0001f600"), encoding="utf-8")
    store = ("--store", f"duckdb:///{files / 's'}")
    assert main(["load", str(files / "odd.csv"), "--mapping", str(files / "map.toml"), *store]) == 1
    command = [sys.executable, "-m", "data_access", "report", "rejected_rows", "--format", "json", *store]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120, env=environment)
    assert b"f\\u00e4x \\ud83d\\ude00" in done.stdout
    assert "f\u00e4x \U0001f600" in json.loads(done.stdout)[0]["raw"]
    assert done.stderr.decode().count("note: standard output is ascii") == 1


def test_progress_is_silent_where_standard_error_is_no_terminal(files):
    command = [
        sys.executable,
        "-m",
        "data_access",
        "load",
        str(files / "good.csv"),
        "--mapping",
        str(files / "map.toml"),
    ]
    done = subprocess.run(
        [*command, "--json", "--store", f"duckdb:///{files / 's'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
    )
    assert len(done.stdout.splitlines()) == 1
    assert "rows/s" not in done.stderr


def test_help_names_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("init", "demo", "load", "rebuild", "check", "report", "export", "status"):
        assert command in out


def test_files_of_a_folder_that_were_surely_to_be_loaded_are_named_with_the_reason(tmp_path, capsys):
    folder = write_files(tmp_path / "export", FRESHDESK)
    where = ["--store", f"duckdb:///{tmp_path / 'store'}"]
    assert main(["load", str(folder), *where]) == 0
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    capsys.readouterr()
    assert main(["load", str(folder), *where]) == 0
    assert "not read: logo.png\n" in capsys.readouterr().err
    (folder / "calls.csv").write_text(CALLS["calls.csv"])
    (folder / "more.json").write_text("")
    (folder / "old.json.gz").write_bytes(gzip.compress(b"[]"))
    (folder / "dead.json").symlink_to(tmp_path / "nowhere.json")
    for dry in ([], ["--dry-run"]):
        assert main(["load", str(folder), *where, *dry]) == 1
        said = capsys.readouterr().err
        for words in (
            "not read: calls.csv (recognised as calls: load it by itself)",
            "not read: more.json (it is empty)",
            "not read: old.json.gz (",
            "unpack it)",
            "not read: dead.json (a link to a file that is not there)",
            "not read: logo.png",
        ):
            assert words in said


def test_a_pipe_is_refused_in_words(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.csv")
    assert main(["load", str(tmp_path / "pipe.csv"), "--store", f"duckdb:///{tmp_path / 'store'}"]) == 2
    assert "is a pipe or a device, which cannot be read twice: write it to a file first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('preset_public = "loose"', "no complaint preset 'loose'"),
        ("short_abandon_seconds = -4", "short_abandon_seconds must be a whole number from 0 to 86400, not -4"),
        ("short_abandon_seconds = true", "short_abandon_seconds must be"),
    ],
)
@pytest.mark.parametrize("command", ["rebuild", "rescore", "load"])
def test_a_wrong_setting_is_said_before_anything_is_done(tmp_path, capsys, setting, words, command):
    url = f"duckdb:///{tmp_path / 'store'}"
    assert main(["init", "--store", url]) == 0
    (tmp_path / "store" / "settings.toml").write_text(f"{setting}\n")
    (tmp_path / "calls.csv").write_text(CALLS["calls.csv"])
    capsys.readouterr()
    assert main([command, "--store", url, *([str(tmp_path / "calls.csv")] if command == "load" else [])]) == 2
    assert words in capsys.readouterr().err
