"""Charts on age and on being heard: fairness raw and at one channel mix, talk against answers, mix over time.

Pure functions of a data frame, as in `charts`: no Streamlit, no SQL, no state; text from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from pages.components import charts, theme, words
from pages.components.drawing import Drawing, drawn

HEARD_ROWS = 12
_SHIFT = 0.16
_FASTEST = 1 / 60  # minutes: what a log axis begins with


@drawn
def standardised_dumbbell(
    data_frame: pd.DataFrame, raw: str, same: str, count: str, everybody: tuple[str, str], *, measure: str
) -> Drawing:
    """A figure per age group as it is (hollow) and at everybody's channel mix (filled), each with its interval.

    Shares on a linear axis, `*_minutes*` on a log axis; a median that is not reached stands as text. `everybody` are
    the columns of all customers: as they are (dotted), and on the channels compared (dashed) where that differs.
    """
    figure = charts._figure(86 + 36 * max(len(data_frame), 1))
    if data_frame.empty:
        return figure
    is_time = "minutes" in raw
    shown = _in_order(data_frame)
    keys, n = [str(key) for key in shown["age_group"]], shown[count].to_numpy(int)
    names = [words.plotly(words.value("age_group", key)) for key in keys]
    hues = [
        theme.CONTEXT if k < SMALL_SAMPLE else theme.color("age_group", key) for key, k in zip(keys, n, strict=True)
    ]
    rows = np.arange(len(keys))
    reached: list[float] = []
    marks = dict(zip([float(shown[name].iloc[0]) for name in everybody], ("dot", "dash"), strict=True))
    for mark, dash in marks.items():
        if not math.isnan(mark):
            reached.append(_drawn(mark, is_time))
            figure.add_vline(x=reached[-1], line={"color": theme.CONTEXT, "width": 1, "dash": dash})
    for name, label, shift, is_filled in (
        (raw, "As it is", -_SHIFT, False),
        (same, "At everybody's channel mix", _SHIFT, True),
    ):
        value, low, high = (shown[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        texts = [_said(v, lo, hi, is_time) for v, lo, hi in zip(value, low, high, strict=True)]
        for row, hue in enumerate(hues):
            if math.isnan(value[row]):
                continue
            ends = [_drawn(end if not math.isnan(end) else value[row], is_time) for end in (low[row], high[row])]
            reached += ends if n[row] >= SMALL_SAMPLE else [_drawn(value[row], is_time)]
            figure.add_scatter(
                x=ends, y=[row + shift] * 2, mode="lines",
                line={"color": hue, "width": 1.4}, opacity=0.6, hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        figure.add_scatter(
            x=[_drawn(v, is_time) for v in value],
            y=rows + shift,
            mode="markers",
            customdata=[[measure, f"age_group={key}"] for key in keys],
            hovertext=[
                f"{group}, {words.in_sentence(label)}: {text}; {words.counted(k, 'conversation')}"
                + ("; too few to judge" if k < SMALL_SAMPLE else "")
                for group, text, k in zip(names, texts, n, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={
                "size": 11,
                "symbol": "circle" if is_filled else "circle-open",
                "color": hues,
                "line": {"width": 2, "color": hues},
            },
            showlegend=False,
        )
        figure.add_scatter(  # the key of the legend: one neutral colour
            x=[None], y=[None], mode="markers", name=label,
            marker={"size": 10, "symbol": "circle" if is_filled else "circle-open", "color": theme.CONTEXT,
                    "line": {"width": 2, "color": theme.CONTEXT}},
        )  # fmt: skip
    for row, (k, value) in enumerate(zip(n, shown[raw], strict=True)):
        unreached = is_time and math.isnan(value)
        text = f"{words.NOT_REACHED}, {k:,}" if unreached else f"{k:,}"
        figure.add_annotation(
            x=1, xref="paper", y=row, text=text, xanchor="left", xshift=5, showarrow=False, font={"size": 11}
        )
    _value_axis(figure, reached, is_time)
    is_wide = is_time and bool(shown[raw].isna().any())
    figure.update_layout(legend=charts._legend(), margin={"t": 34, "r": 118 if is_wide else 52})
    charts._name_axis(figure, names)
    return figure


@drawn
def heard_dumbbell(
    data_frame: pd.DataFrame,
    listened: str = "answer",
    group: str | None = None,
    *,
    measure: str = "answered",
    factor: float = 1.0,
) -> Drawing:
    """Share of the conversations (hollow) against share of what was heard (filled), per channel of a group.

    At the right the gap in conversations per week, above 0 where customers talk more than anybody listens. The
    frame is in the order of the gap; grey under n = 30. `factor` other than 1 makes it the gap of a period that is
    shorter than a week.
    """
    shown = data_frame.head(HEARD_ROWS)
    figure = charts._figure(86 + 30 * max(len(shown), 1))
    if shown.empty:
        return figure
    n = shown["conversation_count"].to_numpy(int)
    keys = [str(channel) for channel in shown["channel"]]
    hues = [theme.CONTEXT if k < SMALL_SAMPLE else theme.color("channel", key) for key, k in zip(keys, n, strict=True)]
    names = [_place(row, group) for row in shown.to_dict("records")]
    cells = [
        [f"channel={row['channel']}", *([f"{group}={row[group]}"] if group else [])]
        for row in shown.to_dict("records")
    ]
    talk, heard = (shown[name].to_numpy(float) for name in ("inbound_share", f"{listened}_share"))
    for row, hue in enumerate(hues):
        if not math.isnan(heard[row]):
            figure.add_scatter(
                x=[talk[row], heard[row]], y=[row, row], mode="lines", line={"color": hue, "width": 3},
                opacity=0.45, hoverinfo="skip", showlegend=False,
            )  # fmt: skip
    top = 0.05
    for name, label, opened, symbol in (
        ("inbound_share", "Of the conversations", "first_responses", "circle-open"),
        (f"{listened}_share", f"Of {LISTENED[listened]}", measure, "circle"),
    ):
        value, low, high = (shown[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
        top = max(top, float(np.nanmax(np.append(value, 0.0))))
        figure.add_scatter(
            x=value,
            y=list(range(len(shown))),
            mode="markers",
            customdata=[[opened, *cell] for cell in cells],
            hovertext=[
                f"{place}: {words.percent(v)} {words.in_sentence(label)} "
                f"(95 %: {words.percent(lo)} to {words.percent(hi)})"
                + ("; too few to judge" if k < SMALL_SAMPLE else "")
                for place, v, lo, hi, k in zip(names, value, low, high, n, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            marker={"size": 11, "symbol": symbol, "color": hues, "line": {"width": 2, "color": hues}},
            showlegend=False,
        )
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=label,
            marker={"size": 10, "symbol": symbol, "color": theme.CONTEXT,
                    "line": {"width": 2, "color": theme.CONTEXT}},
        )  # fmt: skip
    gap, gap_low, gap_high = (
        shown[f"{listened}_gap_per_week{end}"].to_numpy(float) * factor for end in ("", "_low", "_high")
    )
    for row, (value, low, high, k) in enumerate(zip(gap, gap_low, gap_high, n, strict=True)):
        is_sure = k >= SMALL_SAMPLE and not low <= 0 <= high
        text = words.signed(value)
        figure.add_annotation(
            x=1, xref="paper", y=row, xanchor="left", xshift=6, showarrow=False, font={"size": 12},
            text=f"<b>{text}</b>" if is_sure else f"<span style='color:{theme.CONTEXT_INK}'>{text}</span>",
        )  # fmt: skip
    figure.add_annotation(
        x=1, xref="paper", y=1, yref="paper", xanchor="left", yanchor="bottom", xshift=6, showarrow=False,
        text="a week" if factor == 1 else "in all", font={"size": 11},
    )  # fmt: skip
    figure.update_xaxes(range=[0, min(1.02, top * 1.06 + 0.01)], tickformat=theme.SHARE_TICKS, nticks=6)
    figure.update_layout(legend=charts._legend(), margin={"t": 34, "r": 62})
    charts._name_axis(figure, names)
    return figure


LISTENED = {"answer": "the answers", "seen": "what a human saw", "read": "what the scorer read"}


@drawn
def mix_over_time_line(data_frame: pd.DataFrame, channel: str, age_group: str, *, grain: str = "week") -> Drawing:
    """Share of one channel in an age group's conversations by period with its 95 % band; grey: all customers.

    Frame: one row per period and age group, of that channel, zeros filled in.
    """
    own = data_frame[data_frame["age_group"] == age_group]
    figure = charts.share_by_period(
        own, "share", "group_conversation_count", measure="contacts", grain=grain,
        color=theme.color("age_group", age_group),
    )  # fmt: skip
    if own.empty:
        return figure
    for trace in figure.data:
        if "customdata" in trace:
            trace["customdata"] = [
                [*cell, f"age_group={age_group}", f"channel={channel}"] for cell in trace["customdata"]
            ]
    everybody = data_frame.groupby("period")[["conversation_count", "group_conversation_count"]].sum()
    usual = everybody["conversation_count"] / everybody["group_conversation_count"]
    figure.add_scatter(
        x=list(usual.index), y=usual.to_numpy(float), mode="lines", name="All customers here",
        line={"color": theme.CONTEXT, "width": 2, "dash": "dot"},
        hovertext=[
            f"All customers here, {words.period(at, grain)}: {words.percent(value)}" for at, value in usual.items()
        ],
        hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip
    figure.add_annotation(
        x=1, xref="paper", y=float(usual.iloc[-1]), text="all", xanchor="left", xshift=4, showarrow=False,
        font={"size": 12, "color": theme.CONTEXT},
    )  # fmt: skip
    top = max(float(figure.layout["yaxis"]["range"][1]), float(usual.max()) * 1.1)
    figure.update_yaxes(range=[0, min(1.03, top)])
    figure.update_layout(margin={"r": 34})
    return figure


# --- parts ---------------------------------------------------------------------------------------------


def _in_order(data_frame: pd.DataFrame) -> pd.DataFrame:
    order = {key: place for place, key in enumerate(theme.natural_order("age_group", list(data_frame["age_group"])))}
    return data_frame.sort_values("age_group", key=lambda column: column.map(order), kind="stable")


def _place(row: dict[Any, Any], group: str | None) -> str:
    channel = words.value("channel", row["channel"])
    if group is None:
        return words.plotly(channel)
    return words.plotly(f"{words.shortened(words.value(group, row[group]), 20)} · {channel}")


def _drawn(value: float, is_time: bool) -> float:
    return max(value, _FASTEST) if is_time and not math.isnan(value) else value


def _said(value: float, low: float, high: float, is_time: bool) -> str:
    if math.isnan(value):
        return words.NOT_REACHED if is_time else "cannot be compared"
    if is_time:
        upper = "not reached" if math.isnan(high) else words.minutes(high)
        return f"{words.minutes(value)} (95 %: {words.minutes(low, 'unknown')} to {upper})"
    return f"{words.percent(value)} (95 %: {words.percent(low)} to {words.percent(high)})"


def _value_axis(figure: Drawing, reached: Sequence[float], is_time: bool) -> None:
    known = [value for value in reached if not math.isnan(value)] or ([1.0, 60.0] if is_time else [0.0, 1.0])
    if not is_time:
        figure.update_xaxes(
            range=[max(0.0, min(known) - 0.03), min(1.02, max(known) + 0.03)], tickformat=theme.SHARE_TICKS, nticks=6
        )
        return
    first, last = math.log10(min(known)) - 0.1, math.log10(max(known)) + 0.1
    ticks = [(at, text) for at, text in (*charts._TIME_TICKS, (30, "30 min"), (120, "2 h"), (720, "12 h"))]
    ticks = sorted((at, text) for at, text in ticks if first <= math.log10(at) <= last)
    figure.update_xaxes(
        type="log", range=[first, last], tickvals=[at for at, _ in ticks], ticktext=[text for _, text in ticks],
        title={"text": "log scale: each step is a multiple", "font": {"size": 11}},
    )  # fmt: skip


__all__ = ["LISTENED", "heard_dumbbell", "mix_over_time_line", "standardised_dumbbell"]
