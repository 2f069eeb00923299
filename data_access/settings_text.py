"""Settings as the text of a `settings.toml`: for a store whose settings stand nowhere but in the store."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any

from data_access.calendars import WEEKDAYS, Calendar
from data_access.config import Settings, Threshold, read_settings

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_TABLES = ("identity", "joined_up")


def settings_text(settings: Settings) -> str:
    """TOML of what differs from the shipped defaults; read with them it gives the same settings."""
    defaults = read_settings()
    lines = [
        *_entries(settings, defaults, _plain_names()),
        *(line for table in _TABLES for line in _table(table, settings, defaults)),
        *_accounts(settings),
        *(line for calendar in settings.calendars for line in _calendar(calendar)),
        *(line for use in settings.calendar_uses for line in _block("calendar_use", vars(use))),
    ]
    for threshold in settings.thresholds:
        if threshold not in defaults.thresholds:
            lines += _block("thresholds", _threshold(threshold))
    return "".join(line + "\n" for line in lines)


def _plain_names() -> list[str]:
    """Settings that are one value each, or a list of texts."""
    apart = {*_TABLES, "accounts", "calendars", "calendar_uses", "thresholds"}
    return [name for name in Settings.__dataclass_fields__ if name not in apart]


def _entries(own: object, shipped: object, names: list[str]) -> Iterator[str]:
    for name in names:
        if getattr(own, name) != getattr(shipped, name):
            yield f"{name} = {_value(getattr(own, name))}"


def _table(name: str, settings: Settings, defaults: Settings) -> list[str]:
    own, shipped = getattr(settings, name), getattr(defaults, name)
    entries = list(_entries(own, shipped, list(type(own).__dataclass_fields__)))
    return [f"[{name}]", *entries] if entries else []


def _accounts(settings: Settings) -> Iterator[str]:
    for source in dict.fromkeys(source for source, _, _ in settings.accounts):
        yield f"[accounts.{_text(source)}]"
        for of, account, brand in settings.accounts:
            if of == source:
                yield f"{_text(account)} = {_text(brand)}"


def _calendar(calendar: Calendar) -> Iterator[str]:
    key = f"calendars.{_text(calendar.name)}"
    yield f"[{key}]"
    for name in ("zone", "country", "subdivision", "closed_days"):
        if getattr(calendar, name):
            yield f"{name} = {_value(getattr(calendar, name))}"
    for hours in calendar.hours:
        shifts = {
            day: tuple(f"{_clock(start)}-{_clock(end)}" for start, end in of_day)
            for day, of_day in zip(WEEKDAYS, hours.shifts, strict=True)
            if of_day
        }
        yield from _block(f"{key}.hours", {"from": hours.since, **shifts})


def _threshold(threshold: Threshold) -> dict[str, Any]:
    return {
        "channel": threshold.channels,
        "target": _duration(threshold.target_seconds),
        "ignored_after": _duration(threshold.ignored_after_seconds),
        "clock": threshold.clock,
        "brand": threshold.brand,
        "team": threshold.team,
        "from": threshold.in_force_from,
    }


def _block(key: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[[{key}]]"
    for name, value in values.items():
        if value is not None:
            yield f"{name} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_value(one) for one in value)}]"
    if isinstance(value, dt.date):
        return value.isoformat()
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """A basic string of TOML, which also is a key: the escapes are those of JSON, but for one more character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _duration(seconds: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
