"""The mapping file: which column of a CSV is what. A mistake in it names file and entry."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from data_access.errors import MappingError
from data_access.vocabulary import AUTHOR_KINDS, CHANNELS, DIRECTIONS, SENTIMENTS

SHARED_FIELDS = (
    "conversation",
    "customer",
    "email",
    "phone",
    "handle",
    "display_name",
    "channel",
    "direction",
    "agent",
    "team",
    "brand",
    "text",
    "language",
    "sentiment_label",
    "sentiment_score",
    "is_complaint",
    "needs_reply",
    "topic",
    "blamed_channel",
    "audience",
    "outreach",
    "changed_at",
)
INTERACTION_FIELDS = ("id", "occurred_at", "author_kind", "reply_to", "is_internal", *SHARED_FIELDS)
CONVERSATION_FIELDS = (
    "id",
    "opened_at",
    "first_response_at",
    "first_response_seconds",
    "first_response_minutes",
    "is_answered",
    "resolved_at",
    "status",
    "queue",
    "is_abandoned",
    "abandoned_seconds",
    "talk_seconds",
    *SHARED_FIELDS,
)
FIELDS = {"interaction": INTERACTION_FIELDS, "conversation": CONVERSATION_FIELDS}
REQUIRED = {"interaction": ("id", "occurred_at", "channel"), "conversation": ("id", "opened_at", "channel")}
CLOSED_VALUES = {
    "channel": CHANNELS,
    "blamed_channel": CHANNELS,
    "direction": DIRECTIONS,
    "author_kind": AUTHOR_KINDS,
    "sentiment_label": SENTIMENTS,
}


_DIRECTIVE = re.compile("%(.)", re.DOTALL)
# Directives that together make a day; a format without one of these sets would make days up.
_DAYS = tuple(
    frozenset(letters) for year in "yY" for letters in (*(f"{year}d{month}" for month in "mbB"), f"{year}j", "c", "x")
)
_WEEKS = tuple(frozenset(f"{week}{day}") for week in ("YU", "YW", "yU", "yW", "GV") for day in "uwaA")


@dataclasses.dataclass(frozen=True)
class Mapping:
    """A checked mapping; see `docs/loading.md` for the file's form."""

    source: str
    grain: str
    columns: dict[str, str]
    constants: dict[str, str]
    values: dict[str, dict[str, str]]
    time_format: str | None
    zone: str
    encoding: str | None
    delimiter: str
    short_rows: str = "reject"
    is_built_in: bool = False

    def has(self, field: str) -> bool:
        """The field comes from a column or a constant."""
        return field in self.columns or field in self.constants

    @property
    def tells_offset(self) -> bool:
        """Every time of the given format says its own offset: as %z or %Z, or by a Z that all end with."""
        form = self.time_format or ""
        letters = set(_DIRECTIVE.findall(form))
        return not letters.isdisjoint("zZ") or _DIRECTIVE.sub(" ", form).endswith(("Z", "UTC", "GMT"))


def read_mapping(path: Path) -> Mapping:
    """The mapping of a TOML file. Raises MappingError naming the file and the wrong entry."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise MappingError(f"{path}: there is no such mapping file") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise MappingError(f"{path}: not valid TOML: {problem}") from problem
    except OSError as problem:
        raise MappingError(f"{path}: cannot be read: {problem.strerror}") from problem
    return mapping_of(raw, str(path))


def mapping_of(raw: dict[str, Any], where: str) -> Mapping:
    """The mapping of parsed TOML; `where` names it in messages."""
    known = {"source", "grain", "encoding", "delimiter", "columns", "constants", "values", "time", "short_rows"}
    for key in sorted(set(raw) - known):
        raise MappingError(f"{where}: unknown entry {key!r}; known are {', '.join(sorted(known))}")
    grain = raw.get("grain", "interaction")
    if grain not in FIELDS:
        raise MappingError(f"{where}: grain must be interaction or conversation, not {grain!r}")
    source = raw.get("source")
    if not isinstance(source, str) or not source.strip():
        raise MappingError(f'{where}: source is missing; name the system, such as source = "helpdesk"')
    columns = _texts(raw.get("columns", {}), f"{where}: [columns]")
    constants = _texts(raw.get("constants", {}), f"{where}: [constants]")
    for section, fields in (("columns", columns), ("constants", constants)):
        for field in fields:
            if field not in FIELDS[grain]:
                raise MappingError(
                    f"{where}: [{section}] {field!r} is no field of grain {grain}; "
                    f"known are {', '.join(FIELDS[grain])}"
                )
    for field in REQUIRED[grain]:
        if field not in columns and field not in constants:
            raise MappingError(f"{where}: [columns] {field} is missing")
    if "id" not in columns:
        raise MappingError(f"{where}: [columns] id must be a column, not a constant")
    values = {
        field: _texts(table, f"{where}: [values.{field}]")
        for field, table in _table(raw.get("values", {}), f"{where}: [values]").items()
    }
    for field, table in values.items():
        if field not in FIELDS[grain]:
            raise MappingError(f"{where}: [values.{field}] is no field of grain {grain}")
        if field not in columns:
            raise MappingError(f"{where}: [values.{field}] translates nothing: no column is {field} under [columns]")
        for value in table.values():
            if field in CLOSED_VALUES and value not in CLOSED_VALUES[field]:
                allowed = ", ".join(CLOSED_VALUES[field])
                raise MappingError(f"{where}: [values.{field}] {value!r} is unknown; known are {allowed}")
    for field, value in constants.items():
        if field in CLOSED_VALUES and value not in CLOSED_VALUES[field]:
            allowed = ", ".join(CLOSED_VALUES[field])
            raise MappingError(f"{where}: [constants] {field} = {value!r} is unknown; known are {allowed}")
    time = _table(raw.get("time", {}), f"{where}: [time]")
    for key in sorted(set(time) - {"format", "zone"}):
        raise MappingError(f"{where}: [time] unknown entry {key!r}; known are format, zone")
    zone = time.get("zone", "UTC")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError) as problem:
        raise MappingError(f"{where}: [time] zone {zone!r} is not an IANA time zone") from problem
    time_format = _checked_time_format(time.get("format"), where)
    encoding = raw.get("encoding")
    if encoding is not None and not isinstance(encoding, str):
        raise MappingError(f"{where}: encoding must be a text such as 'cp1252', not {encoding!r}")
    delimiter = raw.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise MappingError(f"{where}: delimiter must be one character, not {delimiter!r}")
    short_rows = raw.get("short_rows", "reject")
    if short_rows not in ("reject", "fill"):
        raise MappingError(f"{where}: short_rows must be reject or fill, not {short_rows!r}")
    return Mapping(
        source=source.strip(),
        grain=grain,
        columns=columns,
        constants=constants,
        values=values,
        time_format=time_format,
        zone=zone,
        encoding=encoding,
        delimiter=delimiter,
        short_rows=short_rows,
    )


def _checked_time_format(form: Any, where: str) -> str | None:
    """The format; None for ISO 8601. Raises MappingError for one that would date some times wrongly."""
    if form is None or form == "ISO8601":
        return None
    named = f"{where}: [time] format {form!r}"
    try:
        pd.to_datetime(pd.Series(["x"]), format=form, errors="coerce")
    except (ValueError, TypeError, AttributeError, re.error) as problem:
        raise MappingError(f"{named} is not one such as '%Y-%m-%d %H:%M:%S'") from problem
    letters = set(_DIRECTIVE.findall(form))
    if not any(day <= letters for day in (*_DAYS, *_WEEKS)):
        raise MappingError(f"{named} does not say year, month and day, as '%Y-%m-%d %H:%M:%S' does")
    if ("I" in letters) != ("p" in letters):
        raise MappingError(f"{named} needs %I and %p together: the hour of half a day, and which half")
    return str(form)


def _table(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise MappingError(f"{where} must be a table")
    return given


def _texts(table: Any, where: str) -> dict[str, str]:
    found = {}
    for key, given in _table(table, where).items():
        value = str(given).lower() if isinstance(given, bool) else given
        if not isinstance(value, str | int | float):
            raise MappingError(f"{where} {key} must be a text, not {value!r}")
        found[str(key)] = str(value)
    return found
