"""Frames to CSV and JSON: UTC times, named missing values, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

# What Excel, LibreOffice and Google Sheets take for a formula, also behind blanks. Source: OWASP, CSV injection.
_FORMULA = re.compile(r"^[\s\x00]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]")
# Where lists are separated by semicolons, a spreadsheet splits our lines there, and sees none of our quotes.
_INNER_FORMULA = re.compile(r"(?<=[\s\S])([;\t\r\n][\s\x00]*)(?=[=+\-@\uff0b\uff0d\uff1d\uff20])")
_SPECIAL = r'^[^A-Za-z0-9]|[",;\t\r\n]'  # perhaps a formula, or wants quotes
_QUOTED = re.compile(r'[",\r\n]')
_CHUNK_ROWS = 20_000


def defused(text: str) -> str:
    """The text with an apostrophe before all of it that a spreadsheet would run as a formula."""
    inner = _INNER_FORMULA.sub(r"\1'", text)
    return "'" + inner if _FORMULA.match(text) else inner


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
    """Frames of the same columns as one CSV, a text for each: what a stream of any length is written from.

    Rows are put together column by column in Arrow, as the csv module would write them: a million in seconds.
    """
    for number, part in enumerate(parts):
        yield (_row(part.columns) if number == 0 else "") + "".join(_csv_rows(part))


def _csv_rows(part: pd.DataFrame) -> list[str]:
    if part.empty:
        return []
    columns = [_csv_column(part[name], str(name)) for name in part]
    if len(columns) == 1:  # a row of one empty cell would be an empty line
        columns = [pc.if_else(pc.equal(columns[0], _text("")), _text('""'), columns[0])]
    lines = pc.binary_join_element_wise(*columns, _text(","))
    return cast("list[str]", pc.binary_join_element_wise(lines, _text(""), _text("\r\n")).to_pylist())


def _csv_column(values: pd.Series[Any], name: str) -> pa.Array:
    """The cells of one column as they stand in the file. Plain ones, which nearly all are, never become objects."""
    if isinstance(values.dtype, pd.StringDtype):
        texts = pc.fill_null(_arrow(values).cast(pa.large_string()), _text(""))
        is_special = pc.match_substring_regex(texts, _SPECIAL)
        if not pc.any(is_special).as_py():
            return texts
        written = [_quoted(defused(text)) for text in texts.filter(is_special).to_pylist()]
        return pc.replace_with_mask(texts, is_special, pa.array(written, pa.large_string()))
    if values.dtype.kind == "b":
        return pc.if_else(_arrow(values), _text("true"), _text("false"))
    if values.dtype.kind == "i":
        return _arrow(values).cast(pa.large_string())
    if values.dtype.kind == "f":
        written = ["" if math.isnan(value) else repr(value) for value in values.tolist()]
        return pa.array(written, pa.large_string())
    if values.dtype.kind == "M" and name != "period" and values.dt.tz is None:
        moments = _arrow(values)
        seconds = moments.cast(pa.timestamp("s"), safe=False)
        if pc.all(pc.equal(seconds.cast(moments.type), moments)).as_py() is not False:
            written = pc.binary_replace_slice(seconds.cast(pa.large_string()), 10, 11, "T")
            return pc.fill_null(pc.binary_join_element_wise(written, _text("Z"), _text("")), _text(""))
    cells = [_csv_cell(value, name) for value in values]
    return pa.array([_quoted(cell if isinstance(cell, str) else repr(cell)) for cell in cells], pa.large_string())


def _arrow(values: pd.Series[Any]) -> pa.Array:
    made = pa.array(values, from_pandas=True)
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _text(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())


def _row(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _quoted(cell: str) -> str:
    return _row(("", cell))[1:-2] if _QUOTED.search(cell) else cell


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
