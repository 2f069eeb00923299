"""The declared tables as text; `python tests/schema_snapshot.py` writes those of the present version."""

from __future__ import annotations

from pathlib import Path

from data_access import dialects
from data_access.schema import SCHEMA_VERSION, metadata

FOLDER = Path(__file__).resolve().parent


def snapshot_file(version: int) -> Path:
    """Where the structure of a schema version stands."""
    return FOLDER / f"schema_v{version}.txt"


def structure() -> str:
    """Every table with its columns, types and keys, in a fixed order; comments are no structure."""
    lines = []
    for table in metadata.sorted_tables:
        lines += [table.name, *(f"    {column.name}: {dialects.declared_column(column)}" for column in table.columns)]
        lines.append("    key: " + ", ".join(column.name for column in table.primary_key.columns))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    snapshot_file(SCHEMA_VERSION).write_text(structure(), encoding="utf-8")
