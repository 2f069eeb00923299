"""Data tables with headings in words; what comes from the data is shown as plain text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st

from data_access.metrics import parts_of
from pages.components import words
from pages.components.keeping import kept

_LABELLED = {
    "channel": "channel",
    "previous_channel": "channel",
    "front_channel": "channel",
    "told_before_on": "channel",
    "blamed_channel": "channel",
    "answered_elsewhere_on": "channel",
    "response_state": "state",
    "opening_state": "state",
    "worst_state": "state",
    "state": "state",
    "kind": "kind",
    "topic": "topic",
    "sentiment_label": "sentiment",
    "sentiment": "sentiment",
    "age_group": "age_group",
    "team": "team",
    "agent": "agent",
    "weekday": "weekday",
}

_SHARES = ("share", "share_low", "share_high", "difference", "limit_low", "limit_high")
_EXACT_UP_TO, _MINUTES_UP_TO, _HOURS_UP_TO = 600, 86_400, 14 * 86_400  # in seconds
_WHOLE, _MOST_PLACES = 100.0, 4
_ROW_PIXELS = 36  # a little more than Streamlit draws, heading included
_INDICES = ("index", "index_low", "index_high")


def prepared(data_frame: pd.DataFrame, zone: str, grain: str = "week") -> pd.DataFrame:
    """The frame as people read it: labels for codes, times in the reporting zone."""
    shown = data_frame.copy()
    for name in shown.columns:
        if name in _LABELLED:
            shown[name] = [words.NOTHING if pd.isna(raw) else words.value(_LABELLED[name], raw) for raw in shown[name]]
        elif name == "period":
            shown[name] = [words.period(at, grain) for at in shown[name]]
        elif _is_share(name):
            shown[name] = shown[name] * 100
        elif _is_duration(name):
            shown[name] = _durations(shown[name], 1 if name.endswith("seconds") else 60)
        elif pd.api.types.is_datetime64_any_dtype(shown[name]):
            shown[name] = shown[name].dt.tz_localize("UTC").dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    return shown


def columns(data_frame: pd.DataFrame) -> dict[str, Any]:
    """Headings and number formats by the unit in the name."""
    found: dict[str, Any] = {}
    for name in data_frame.columns:
        label = words.column(str(name))
        if _is_share(name):
            found[name] = st.column_config.NumberColumn(label, format=f"%.{_share_places(data_frame[name])}f %%")
        elif _is_duration(name):
            plain = label.replace(" (minutes)", "").replace(" (seconds)", "")
            found[name] = st.column_config.NumberColumn(plain, format="localized")
        elif name in _INDICES:
            found[name] = st.column_config.NumberColumn(label, format="%.0f")
        elif pd.api.types.is_datetime64_any_dtype(data_frame[name]):
            found[name] = st.column_config.DatetimeColumn(label, format="D MMM YYYY, HH:mm")
        elif pd.api.types.is_bool_dtype(data_frame[name]):
            found[name] = st.column_config.CheckboxColumn(label)
        elif pd.api.types.is_numeric_dtype(data_frame[name]):
            found[name] = st.column_config.NumberColumn(label, format="localized")
        else:
            found[name] = st.column_config.TextColumn(label)
    return found


def _is_share(name: str) -> bool:
    return name.endswith("_share") or "_share_" in name or name in _SHARES or name.startswith("level_error")


def _share_places(per_cent: Any) -> int:
    """Decimals with which no value of a column reads 0 or 100 % that is not: one, unless some are very near."""
    size = per_cent.abs()
    odd = size[(size > 0) & (size != _WHOLE)]
    rest = min(float(odd.min()), float((odd - _WHOLE).abs().min())) if len(odd) else 1.0
    return next(places for places in range(1, _MOST_PLACES + 1) if rest >= 0.5 / 10**places or places == _MOST_PLACES)


def _is_duration(name: str) -> bool:
    return "minutes" in name or name.endswith("_seconds")


def _durations(values: pd.Series, seconds_per_unit: int) -> pd.Series:
    """Durations that the table writes out ("4 hr, 20 min") and sorts by length, in about the two largest units.

    One unit for a column would say 0.0 h of seconds or thousands of hours of a year. Negative ones are none.
    """
    seconds = values.where(values >= 0).to_numpy(float) * seconds_per_unit
    step = np.select([seconds < _EXACT_UP_TO, seconds < _MINUTES_UP_TO, seconds < _HOURS_UP_TO], [1, 60, 3600], 86_400)
    rounded = np.floor(seconds / step + 0.5) * step
    return pd.Series(pd.to_timedelta(rounded, unit="s"), index=values.index)


def leading(data_frame: pd.DataFrame, charted: Sequence[str]) -> pd.DataFrame:
    """The frame with what a chart shows of it first, behind its dimensions: each share with what it is made of."""
    names = [str(name) for name in data_frame.columns]
    shares = [name for name in charted if name in names]
    first = [part for share in shares for part in (share, *parts_of(share))]
    limits = [f"{share}_{end}" for share in shares for end in ("low", "high")]
    dimensions = list(itertools.takewhile(lambda name: not _is_figure(name), names))
    order = dict.fromkeys([*dimensions, *first, *limits, *names])
    return data_frame[[name for name in order if name in names]]


def _is_figure(name: str) -> bool:
    return name.startswith("is_") or name.endswith("_count") or _is_share(name) or _is_duration(name)


@kept
def readable(data_frame: pd.DataFrame, zone: str, grain: str = "week") -> tuple[pa.Table, dict[str, Any]]:
    """The frame as it goes to the browser, with the heading and number format of each column."""
    shown = prepared(data_frame, zone, grain)
    return pa.Table.from_pandas(shown), columns(shown)


def _height(row_count: int, most: int) -> Any:
    """No empty lines below the last row; without `most` as Streamlit has it, ten rows."""
    if not most:
        return "auto"
    return "content" if (row_count + 1) * _ROW_PIXELS <= most else most


def show(data_frame: pd.DataFrame, zone: str, *, alt: str, grain: str = "week", most_height: int = 0) -> None:
    """A table to read, no higher than its rows or `most_height` pixels."""
    shown, headings = readable(data_frame, zone, grain)
    st.dataframe(
        shown,
        hide_index=True,
        column_config=headings,
        alt=words.shortened(alt, 200),
        height=_height(len(data_frame), most_height),
        placeholder=words.NOTHING,
        lazy=False,
    )


def pick(data_frame: pd.DataFrame, zone: str, *, key: str, alt: str, most_height: int = 0) -> int | None:
    """A table of which one row can be chosen; the chosen row's place, or None."""
    shown, headings = readable(data_frame, zone)
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config=headings,
        alt=words.shortened(alt, 200),
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        height=_height(len(data_frame), most_height),
        placeholder=words.NOTHING,
        lazy=False,
    )
    chosen = event.selection.rows if event else []
    return int(chosen[0]) if chosen and chosen[0] < len(data_frame) else None
