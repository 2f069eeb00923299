"""Frames to CSV and JSON: UTC times, named missing values, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import numpy as np
import pandas as pd

# What Excel, LibreOffice and Google Sheets take for a formula, also behind blanks. Source: OWASP, CSV injection.
_FORMULA = re.compile(r"^[\s\x00]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]")
_CHUNK_ROWS = 20_000


def defused(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would run it as a formula."""
    return "'" + text if _FORMULA.match(text) else text


def _cell(value: Any, name: str) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat() if name == "period" else value.isoformat() + "Z"
    if hasattr(value, "item"):
        return value.item()
    return value


def csv_lines(frame: pd.DataFrame) -> Iterator[str]:
    """The frame as CSV, chunk by chunk: header, then rows; missing is empty, flags are true or false."""
    yield from csv_of_parts(
        frame.iloc[start : start + _CHUNK_ROWS] for start in range(0, max(len(frame), 1), _CHUNK_ROWS)
    )


def csv_of_parts(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    """Frames of the same columns as one CSV, a text for each: what a stream of any length is written from."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for number, part in enumerate(parts):
        if number == 0:
            writer.writerow(part.columns)
        writer.writerows(zip(*(_csv_column(part[name], str(name)) for name in part), strict=True))
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _csv_column(values: pd.Series[Any], name: str) -> list[Any]:
    """The cells of one column. Whole seconds and plain texts, which nearly all cells are, take a short way."""
    if values.dtype.kind == "M" and name != "period" and values.dt.tz is None:
        moments = values.to_numpy("datetime64[us]")
        is_known = ~np.isnat(moments)
        if (moments[is_known].astype(np.int64) % 1_000_000 == 0).all():
            texts = np.char.add(np.datetime_as_string(moments, unit="s"), "Z")
            return list(np.where(is_known, texts, ""))
    if isinstance(values.dtype, pd.StringDtype):
        texts_of: dict[str, str] = {}
        missing = values.isna().to_numpy(bool)
        return [
            "" if gone else text if text[:1].isalnum() else texts_of.setdefault(text, defused(text))
            for text, gone in zip(values.to_numpy(object), missing, strict=True)
        ]
    return [_csv_cell(value, name) for value in values]


def _csv_cell(value: Any, name: str) -> Any:
    cell = _cell(value, name)
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return defused(cell) if isinstance(cell, str) else cell


def to_csv(frame: pd.DataFrame) -> str:
    """The whole frame as CSV text."""
    return "".join(csv_lines(frame))


def write_json(frame: pd.DataFrame, out: TextIO) -> None:
    """One bare array of objects, `null` for missing, times ISO 8601 UTC (`period` is a local date)."""
    names = list(frame.columns)
    columns = [[_cell(value, name) for value in frame[name]] for name in names]
    out.write("[")
    for number, row in enumerate(zip(*columns, strict=True)):
        out.write(",\n" if number else "\n")
        out.write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False))
    out.write("\n]\n" if len(frame) else "]\n")
