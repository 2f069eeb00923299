"""Charts of joined-up service: the flow from front door to back door, and shares over a range of days.

Pure functions of a data frame, as in `charts`: no Streamlit, no SQL, no state; text from the data is escaped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from pages.components import charts, theme, words
from pages.components.drawing import Chart, Drawing, drawn

_NODE, _PAD, _TOP, _BOTTOM = 14, 9, 24, 6  # pixels
_BESIDE = _NODE // 2 + 5  # pixels from the middle of a node to its name
_SIDE = 96  # pixels beside the arrows, for the names
_READABLE = 13.0  # pixels that an arrow needs to carry its words


@drawn
def back_door_sankey(data_frame: pd.DataFrame, height: int = 360) -> Drawing:
    """From the private channel that failed to the public one: arrows as wide as complaints, with their median wait.

    An arrow too thin for words says the same on hover. Grain: one row per pair of channels.
    """
    figure = charts._figure(height)
    figure.update_layout(margin={"l": _SIDE, "r": _SIDE, "t": _TOP, "b": _BOTTOM})
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    if data_frame.empty:
        return figure
    inner = float(height - _TOP - _BOTTOM)
    left, right = (_nodes(data_frame, name) for name in ("front_channel", "channel"))
    scale = (inner - _PAD * (max(len(left), len(right)) - 1)) / float(data_frame["back_door_count"].sum())
    for column in (left, right):
        _place(column, scale, inner)
    nodes = [*left, *right]
    index = {(node.side, node.channel): place for place, node in enumerate(nodes)}
    order = {node.channel: place for place, node in enumerate(right)}
    links = data_frame.assign(place=data_frame["channel"].map(order)).sort_values("place", kind="stable")
    figure.add_sankey(
        arrangement="fixed",
        node={
            "label": [""] * len(nodes),
            "x": [0.001 if node.side == "front_channel" else 0.999 for node in nodes],
            "y": [node.middle / inner for node in nodes],
            "color": [theme.color("channel", node.channel) for node in nodes],
            "thickness": _NODE,
            "pad": _PAD,
            "line": {"width": 0},
            "customdata": [_named(node.channel) for node in nodes],
            "hovertemplate": "%{customdata}: complaints in public %{value:,}<extra></extra>",
        },
        link={
            "source": [index["front_channel", channel] for channel in links["front_channel"]],
            "target": [index["channel", channel] for channel in links["channel"]],
            "value": links["back_door_count"].tolist(),
            "color": [charts._faded(theme.color("channel", channel), 0.32) for channel in links["front_channel"]],
            "customdata": [
                f"{_named(row['front_channel'])} to {_named(row['channel'])}: {row['back_door_count']:,}; "
                f"half posted {words.minutes(row['median_minutes_waited'])} or more after it, the middle half "
                f"{words.minutes(row['p25_minutes_waited'])} to {words.minutes(row['p75_minutes_waited'])}"
                for row in links.to_dict("records")
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    )
    for node in nodes:
        is_left = node.side == "front_channel"
        figure.add_annotation(
            x=0 if is_left else 1, y=1 - node.middle / inner, xref="paper", yref="paper",
            text=f"{_named(node.channel)} <b>{node.count:,}</b>", showarrow=False, yanchor="middle",
            xanchor="right" if is_left else "left", xshift=-_BESIDE if is_left else _BESIDE, font={"size": 12},
        )  # fmt: skip
    starts = {node.channel: node.middle - node.count * scale / 2 for node in left}
    for row in links.to_dict("records"):
        thick = row["back_door_count"] * scale
        middle = starts[row["front_channel"]] + thick / 2
        starts[row["front_channel"]] += thick
        if thick >= _READABLE:
            figure.add_annotation(
                x=0, xshift=_NODE + 6, y=1 - middle / inner, xref="paper", yref="paper", showarrow=False,
                text=f"{row['back_door_count']:,} · {words.minutes(row['median_minutes_waited'])}",
                xanchor="left", yanchor="middle", font={"size": 11},
            )  # fmt: skip
    for at, side, text in ((0, "left", "had contacted us by"), (1, "right", "complained on")):
        figure.add_annotation(
            x=at, y=1, xref="paper", yref="paper", text=text, showarrow=False, xanchor=side, yanchor="bottom",
            xshift=(at * 2 - 1) * (_SIDE - 4), yshift=6, font={"size": 11, "color": theme.CONTEXT},
        )  # fmt: skip
    return figure


@dataclasses.dataclass
class _Node:
    side: str
    channel: str
    count: int
    middle: float = 0.0


def _nodes(data_frame: pd.DataFrame, side: str) -> list[_Node]:
    """The channels of one side, largest first."""
    sums = data_frame.groupby(side)["back_door_count"].sum()
    return [
        _Node(side, str(name), int(sums[name])) for name in sorted(sums.index, key=lambda name: (-sums[name], name))
    ]


def _place(column: Sequence[_Node], scale: float, inner: float) -> None:
    """Middles of the nodes from the top, in pixels, the free space around them."""
    used = sum(node.count * scale for node in column) + _PAD * (len(column) - 1)
    at = (inner - used) / 2
    for node in column:
        node.middle = at + node.count * scale / 2
        at += node.count * scale + _PAD


def _named(channel: str) -> str:
    return words.plotly(words.value("channel", channel))


@drawn
def share_by_window_line(
    data_frame: pd.DataFrame, share: str, count: str, *, measure: str, rival: str = "", color: str = theme.ACCENT
) -> Drawing:
    """A share for each N of the range, with 95 % intervals; the N of the setting filled, the rival in grey.

    Points under n = 30 are hollow. Grain: one row per `within_days`.
    """
    figure = charts._figure(250)
    if data_frame.empty:
        return figure
    x = [words.counted(days, "day") for days in data_frame["within_days"]]
    n = data_frame[count].to_numpy(int)
    ours = data_frame["is_ours"].to_numpy(bool)
    for name, hue, is_main in ((rival, theme.CONTEXT, False), (share, color, True)):
        if not name:
            continue
        values, low, high = (data_frame[column].to_numpy(float) for column in (name, f"{name}_low", f"{name}_high"))
        is_filled = ours & (n >= SMALL_SAMPLE)
        figure.add_scatter(
            x=x,
            y=values,
            mode="lines+markers",
            line={"color": hue, "width": 2, "dash": "solid" if is_main else "dot"},
            marker={
                "size": [12 if own else 8 for own in ours],
                "color": [hue if full else "rgba(128,138,148,0.25)" for full in is_filled],
                "line": {"width": 1.8, "color": [hue if k >= SMALL_SAMPLE else theme.CONTEXT for k in n]},
            },
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - values,
                "arrayminus": values - low,
                "thickness": 1.2,
                "width": 3,
                "color": theme.CONTEXT,
            },
            customdata=[[measure, f"within_days={days}"] for days in data_frame["within_days"]],
            hovertext=[
                charts._hover(f"within {label}", s, lo, hi, k, False)
                for label, s, lo, hi, k in zip(x, values, low, high, n, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
        for at, value, lower, upper in zip(x, values, low, high, strict=True):
            said, is_below = words.percent(float(value)), is_main and bool(rival)
            figure.add_annotation(
                x=at, y=lower if is_below else upper, yshift=-10 if is_below else 10, showarrow=False,
                text=f"<b>{said}</b>" if is_main else said, font={"size": 11},
            )  # fmt: skip
    known = data_frame[[f"{name}_high" for name in (share, rival) if name]].max().max()
    top = 0.1 if pd.isna(known) else float(known)
    if rival:
        lows = data_frame[[f"{name}_low" for name in (share, rival)]].min().min()
        floor = 0.0 if pd.isna(lows) else float(lows)
        figure.update_yaxes(
            range=[max(0.0, floor - (1 - floor) * 0.35), 1.0 + (1 - floor) * 0.2],
            tickformat=theme.SHARE_TICKS,
            nticks=5,
        )
    else:
        figure.update_yaxes(range=[0, min(1.06, top * 1.2 + 0.01)], tickformat=theme.SHARE_TICKS, nticks=5)
    figure.update_xaxes(
        type="category", title={"text": "days within which contacts belong together", "font": {"size": 11}}
    )
    return figure


def within(figure: Chart, days: int) -> Chart:
    """The same figure, every mark of which opens its rows for this number of days."""

    def limit(copy: Chart) -> None:
        for trace in copy.data:
            if trace.customdata is not None:
                trace.customdata = [[*cell, f"within_days={days}"] for cell in trace.customdata]

    return figure.variant(f"within {days} days", limit)
