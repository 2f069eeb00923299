"""Write the generated parts of docs/ from the code: metrics, store tables, command line, mapping fields, settings.

`python scripts/write_docs.py` writes; `--check` only says whether they are up to date (exit 1 where not).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from data_access import cli
from data_access.config import DEFAULTS_FILE
from data_access.measures import MEASURES
from data_access.metrics import METRICS
from data_access.reports import REPORTS
from data_access.schema import metadata
from data_access.sources import SOURCES
from data_access.sources.mapping import CLOSED_VALUES, FIELDS, REQUIRED

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMANDS = (
    *("init", "demo", "load", "watch", "upgrade", "migrate", "forget", "rebuild", "rescore", "evaluate", "check"),
    *("report", "export", "identities", "identities explain", "identities split", "identities merge"),
    *("status", "sources"),
)


def metrics() -> str:
    """One section for each metric."""
    parts = []
    for metric in METRICS.values():
        better = {"lower": "lower is better", "higher": "higher is better"}.get(metric.direction, "neither")
        parts.append(
            f"### {metric.name}\n\n**{metric.label}** ({metric.unit}). {metric.definition}\n\n"
            f"- Grain: {metric.grain}. Owned by: {metric.owning_time}. Better: {better}.\n- Source: {metric.source}.\n"
        )
    return "\n".join(parts)


def measures() -> str:
    """The countable sets that figures and drill-downs share."""
    rows = ["| measure | counts | grain | owned by |", "|---|---|---|---|"]
    for measure in MEASURES.values():
        grain = "conversation" if measure.table.name == "conversations" else "wait"
        rows.append(f"| `{measure.name}` | {measure.label} | {grain} | `{measure.owning}` |")
    return "\n".join(rows)


def reports() -> str:
    """The reports by name."""
    return "\n".join(f"- `{report.name}`: {report.summary}" for report in REPORTS.values())


def tables() -> str:
    """Every table, column by column."""
    parts = []
    for table in metadata.sorted_tables:
        rows = ["| column | type | key | meaning |", "|---|---|---|---|"]
        for column in table.columns:
            key = "key" if column.primary_key else ""
            rows.append(f"| `{column.name}` | {str(column.type).lower()} | {key} | {column.comment} |")
        parts.append(f"### {table.name}\n\n{table.comment}.\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def commands() -> str:
    """The help of every command, as it prints itself."""
    os.environ["COLUMNS"] = "100"
    parts = []
    for command in COMMANDS:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            cli.main([*command.split(), "--help"])
        parts.append(f"### frontdoor {command}\n\n```\n{out.getvalue().rstrip()}\n```\n")
    return "\n".join(parts)


def fields() -> str:
    """The fields of a mapping."""
    parts = []
    for grain, names in FIELDS.items():
        rows = [f'**grain = "{grain}"**\n', "| field | values |", "|---|---|"]
        for name in names:
            required = ["required"] if name in REQUIRED[grain] else []
            values = ": ".join([*required, *filter(None, [", ".join(CLOSED_VALUES.get(name, ()))])])
            rows.append(f"| `{name}` | {values} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def sources() -> str:
    """The file formats."""
    return "\n".join(f"- `{source.name}`: {source.summary}" for source in SOURCES.values())


def settings() -> str:
    """The shipped settings with their comments."""
    return f"```toml\n{DEFAULTS_FILE.read_text(encoding='utf-8').rstrip()}\n```"


GENERATED: dict[str, dict[str, Callable[[], str]]] = {
    "metrics.md": {"metrics": metrics, "measures": measures, "reports": reports},
    "interaction-store.md": {"tables": tables},
    "cli.md": {"commands": commands},
    "loading.md": {"fields": fields, "sources": sources},
    "settings.md": {"settings": settings},
}


def filled(text: str, name: str, body: str) -> str:
    """The text with the part between the markers of `name` replaced."""
    start, end = f"<!-- {name}: written by scripts/write_docs.py -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n\n{body}\n\n{end}{after}"


def main() -> int:
    """Write or check all generated parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    stale = []
    for file, parts in GENERATED.items():
        path = DOCS / file
        before = text = path.read_text(encoding="utf-8")
        for name, build in parts.items():
            text = filled(text, name, build())
        if text != before:
            stale.append(file)
            if not is_check:
                path.write_text(text, encoding="utf-8")
    if stale and is_check:
        print(f"not up to date: {', '.join(stale)}; run: python scripts/write_docs.py", file=sys.stderr)
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
