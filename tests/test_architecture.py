"""The layout holds: documented names, one direction, nothing at import, no script where Streamlit would run it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pandas.api.types import is_bool_dtype, is_string_dtype

from data_access.cli import _parser
from data_access.filters import Filter
from data_access.measures import DIMENSIONS, MEASURES
from data_access.metrics import BOUND_SUFFIXES, METRICS, PLAIN_COLUMNS
from data_access.reports import REPORT_DIMENSIONS, REPORTS, run_report
from data_access.schema import metadata
from data_access.sources import SOURCES
from data_access.sources.mapping import FIELDS
from data_access.store import open_reader, read_status, resolved

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# One row per row of the store: their columns are described there.
ROW_REPORTS = {
    "worklist",
    "conversations",
    "rejected_rows",
    "sources",
    "orphans",
    "rising_topics",
    "changes",
    "coverage",
}


def doc(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def headings(name: str) -> set[str]:
    return {line.lstrip("#").strip() for line in doc(name).splitlines() if line.startswith("#")}


def commands() -> list[str]:
    actions = [action for action in _parser()._actions if hasattr(action, "choices") and action.choices]
    return sorted(actions[0].choices)


# --- the documents


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_section_with_its_definition(name):
    text = doc("metrics.md")
    assert name in headings("metrics.md")
    assert METRICS[name].definition in text


@pytest.mark.parametrize("name", [name for name in REPORTS if name not in ROW_REPORTS])
def test_every_figure_of_a_report_is_a_metric_or_a_bound_of_one(tiny_store_url, name):
    engine = open_reader(tiny_store_url)
    frame = run_report(engine, name, resolved(Filter(), read_status(engine, tiny_store_url)))
    for column in frame.columns:
        bound = any(column.removesuffix(end) in METRICS for end in BOUND_SUFFIXES if column.endswith(end))
        is_plain = column in PLAIN_COLUMNS or column in REPORT_DIMENSIONS or is_string_dtype(frame[column])
        assert column in METRICS or bound or is_plain or is_bool_dtype(frame[column]), column


def test_every_report_and_measure_is_listed():
    text = doc("metrics.md")
    assert all(f"`{name}`" in text for name in REPORTS)
    assert all(f"`{name}`" in text for name in MEASURES)
    assert set(REPORT_DIMENSIONS) <= set(DIMENSIONS)


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_and_column_of_the_store_is_described(table):
    text = doc("interaction-store.md")
    assert table.name in headings("interaction-store.md")
    section = text.split(f"### {table.name}\n", 1)[1].split("\n### ", 1)[0]
    for column in table.columns:
        assert f"`{column.name}`" in section, column.name
        assert column.comment, column.name


def test_every_field_of_a_mapping_and_every_format_is_described():
    text = doc("loading.md")
    for names in FIELDS.values():
        for name in names:
            assert f"`{name}`" in text, name
    assert all(f"`{name}`" in text for name in SOURCES)


@pytest.mark.parametrize("command", commands())
def test_every_command_and_option_is_described(command):
    assert f"frontdoor {command}" in headings("cli.md")
    section = doc("cli.md").split(f"### frontdoor {command}\n", 1)[1].split("\n### ", 1)[0]
    parser = next(a for a in _parser()._actions if hasattr(a, "choices") and a.choices).choices[command]
    for action in parser._actions:
        for option in action.option_strings:
            assert option in section, option


def test_the_generated_documents_are_up_to_date():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "write_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_is_described():
    from data_access.config import DEFAULTS_FILE

    names = re.findall(r"^(\w+) =", DEFAULTS_FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    assert all(name in doc("settings.md") for name in names)


def test_links_between_the_documents_lead_somewhere():
    for path in [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


# --- the layout


def test_no_script_stands_directly_in_pages_but_main():
    """Streamlit runs such scripts by themselves on a cold deep link, without sign-in and filters."""
    assert {path.name for path in (ROOT / "pages").glob("*.py")} <= {"main.py", "__init__.py"}


def test_tests_are_flat_and_name_what_they_test():
    assert not [path for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name not in ("__pycache__",)]
    for path in (ROOT / "tests").glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        assert names, path.name
        assert len(names) == len(set(names)), path.name
        assert all(name.count("_") >= 3 for name in names), path.name


def test_importing_the_command_line_opens_reads_and_connects_to_nothing(tmp_path):
    """No store, no settings, no text model, no Streamlit; only Python's own modules and those of packages."""
    probe = """
import sys
opened = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])
    if event.startswith(("socket.", "sqlite3.", "subprocess.")):
        opened.append(event)
sys.addaudithook(watch)
import data_access.cli, data_access.loader, data_access.reports, data_access.audit
import duckdb, sqlalchemy
print([name for name in opened if "/data_access/" in name and not name.endswith((".py", ".pyc")) or "/" not in name])
print([name for name in ("streamlit", "plotly", "data_access.text.lexlinear") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["[]", "[]"]
    assert list(tmp_path.iterdir()) == []


def test_modules_of_data_access_call_nothing_that_opens_at_the_top():
    """No connection, no file and no session state at module level."""
    forbidden = {"open", "connect", "create_engine", "open_reader", "open_writer", "read_text", "read_bytes", "load"}
    for path in (ROOT / "data_access").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                assert name not in forbidden, (path.name, name)


def test_sql_is_written_with_sqlalchemy_alone():
    """No statement as text outside the module of engine differences and the store."""
    for path in (ROOT / "data_access").rglob("*.py"):
        if path.name in ("dialects.py", "store.py", "annotations.py"):
            continue
        found = re.findall(r"\btext\(\s*f?[\"'](?:SELECT|INSERT|UPDATE|DELETE)", path.read_text(encoding="utf-8"))
        assert not found, path.name
        assert "GROUPING SETS" not in path.read_text(encoding="utf-8").upper()


def test_every_key_of_a_large_table_holds_the_customer_or_the_hash_of_the_event():
    for name in ("customers", "customer_identities", "interactions", "reported_facts", "waits", "conversations"):
        assert "customer_id" in metadata.tables[name].primary_key.columns, name
    assert "interaction_id" in metadata.tables["event_keys"].primary_key.columns


def test_the_package_says_which_licences_it_uses():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    for line in block.strip().splitlines():
        assert "#" in line, line
