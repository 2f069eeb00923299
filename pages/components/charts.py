"""Charts as pure functions of a data frame: no Streamlit, no SQL, no state.

Titles and captions stand outside the figure, where they wrap and can be read aloud. `customdata` of every
clickable mark is `[measure, "key=value", …]`: what `pages.components.selection` turns into rows.
Text from the data is escaped, because plotly renders a kind of HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from pages.components import theme, words
from pages.components.drawing import Drawing, drawn

CURVE_POINTS = 240
BAR_ROWS = 16
PERIOD_TICKS = 7
FEWEST_PERIODS = 3  # that an axis has room for
_TIME_TICKS = (
    (1 / 60, "1 s"),
    (10 / 60, "10 s"),
    (1, "1 min"),
    (10, "10 min"),
    (60, "1 h"),
    (240, "4 h"),
    (1440, "1 d"),
    (10080, "1 wk"),
    (129600, "90 d"),
)  # far enough apart for a telephone 390 pixels wide
_FIRST_MINUTE = 1 / 60
_CURVE_HEIGHT, _LABEL_ROW = 250, 0.056  # of the answer curve: the plot alone in pixels, a row of words as a part of it
_SHARE_AXIS = {"tickformat": theme.SHARE_TICKS, "rangemode": "tozero"}


@drawn
def answer_curve_line(
    data_frame: pd.DataFrame,
    group: str | None = None,
    *,
    targets: Mapping[str, float] | None = None,
    measure: str = "first_responses",
) -> Drawing:
    """Share answered within t on a log time axis, one step line per group, 95 % band where there is one line.

    `targets` are vertical marks: label to minutes. Points are thinned for drawing only.
    """
    figure = _figure(330)
    parts = [("", data_frame)] if group is None else _parts(data_frame, group)
    last = max((float(part["minutes"].max()) for _, part in parts if len(part)), default=1.0)
    # To the right of a target there must be room for its words.
    end = max(last * 1.15, 60.0, *(2 * minute for minute in (targets or {}).values()))
    ends: list[tuple[float, str, str]] = []
    for key, part in parts:
        if part.empty:
            continue
        drawn = _thinned(part)
        x = np.concatenate(([_FIRST_MINUTE], np.maximum(drawn["minutes"].to_numpy(), _FIRST_MINUTE), [end]))
        shares = _extended(drawn["answered_share"])
        hue = theme.color(group or "", key)
        if len(parts) == 1:
            low, high = _extended(drawn["answered_share_low"]), _extended(drawn["answered_share_high"])
            figure.add_scatter(
                x=x,
                y=high,
                mode="lines",
                line={"width": 0, "shape": "hv"},
                hoverinfo="skip",
                showlegend=False,
            )
            figure.add_scatter(
                x=x,
                y=low,
                mode="lines",
                line={"width": 0, "shape": "hv"},
                fill="tonexty",
                fillcolor=theme.BAND,
                hoverinfo="skip",
                showlegend=False,
            )
        label = words.plotly(words.value(group, key)) if group else "All"
        cells = [[measure, f"within_minutes={minute:.10g}", *([f"{group}={key}"] if group else [])] for minute in x]
        figure.add_scatter(
            x=x,
            y=shares,
            mode="lines+markers",
            name=label,
            customdata=cells,
            text=[
                f"{words.percent(share)} answered within {words.minutes(minute)}"
                for share, minute in zip(shares, x, strict=True)
            ],
            line={"color": hue, "width": 2.5, "shape": "hv"},
            marker={"size": 5, "opacity": 0, "color": hue},
            hovertemplate="%{text}<extra>" + label + "</extra>",
            showlegend=False,
        )
        ends.append((float(shares[-1]), label, hue))
    _end_labels(figure, ends if group else [(s, words.percent(s), h) for s, _, h in ends])
    by_time = sorted((targets or {}).items(), key=lambda target: -target[1])
    for place, (label, minute) in enumerate(by_time):
        # Above the plot, each to the left a row higher, and each line ends at its own: none crosses another's words.
        top = 1 + _LABEL_ROW * (place + 1)
        figure.add_vline(x=minute, line={"color": theme.CONTEXT, "width": 1, "dash": "dot"}, top=top)
        figure.add_annotation(
            x=math.log10(minute),
            y=top,
            yref="paper",
            text=words.plotly(label),
            showarrow=False,
            font={"size": 11, "color": theme.CONTEXT_INK},
            xanchor="left",
            yanchor="top",
            xshift=3,
        )
    ticks = [(at, text) for at, text in _TIME_TICKS if at <= end * 1.01]
    figure.update_xaxes(
        type="log",
        range=[math.log10(_FIRST_MINUTE), math.log10(end)],
        tickvals=[at for at, _ in ticks],
        ticktext=[text for _, text in ticks],
        title={
            "text": "time since the customer wrote (each step is a multiple: log scale)",
            "font": {"size": 11},
        },
    )
    figure.update_yaxes(range=[0, 1.02], **{k: v for k, v in _SHARE_AXIS.items() if k != "rangemode"})
    rows = round(_LABEL_ROW * _CURVE_HEIGHT) * len(by_time)
    figure.update_layout(margin={"r": 92, "t": 8 + rows}, height=_CURVE_HEIGHT + 60 + rows)
    return figure


@drawn
def share_by_period_line(
    data_frame: pd.DataFrame,
    share: str,
    count: str,
    *,
    measure: str,
    grain: str = "week",
    color: str = theme.ACCENT,
    fixed_top: float | None = None,
    cut: Sequence[Any] = (),
) -> Drawing:
    """A share over time: line, 95 % interval as a band, provisional periods hatched.

    Hollow are points under n = 30 and the `cut` periods, of which only some days are there.
    """
    return share_by_period(
        data_frame, share, count, measure=measure, grain=grain, color=color, fixed_top=fixed_top, cut=cut
    )


def share_by_period(
    data_frame: pd.DataFrame,
    share: str,
    count: str,
    *,
    measure: str,
    grain: str = "week",
    color: str = theme.ACCENT,
    fixed_top: float | None = None,
    cut: Sequence[Any] = (),
) -> Drawing:
    """The drawing of `share_by_period_line`, for charts that add to it."""
    figure = _figure(250)
    if data_frame.empty:
        return figure
    x = list(data_frame["period"])
    y, n = data_frame[share].to_numpy(float), data_frame[count].to_numpy(int)
    low, high = data_frame[f"{share}_low"].to_numpy(float), data_frame[f"{share}_high"].to_numpy(float)
    provisional = (
        data_frame["is_provisional"].to_numpy(bool) if "is_provisional" in data_frame else np.zeros(len(x), bool)
    )
    known = np.concatenate((high[n >= SMALL_SAMPLE], y))
    known = known[~np.isnan(known)]
    top = fixed_top or min(1.03, max(0.1, float(known.max()) * 1.12 if len(known) else 0.1))
    if provisional.any():
        figure.add_bar(
            x=[at for at, flag in zip(x, provisional, strict=True) if flag],
            y=[top] * int(provisional.sum()),
            marker={
                "color": "rgba(0,0,0,0)",
                "line": {"width": 0},
                "pattern": {
                    "shape": "/",
                    "fgcolor": theme.CONTEXT,
                    "size": 7,
                    "solidity": 0.12,
                    "fgopacity": 0.6,
                },
            },
            width=_period_milliseconds(grain),
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_annotation(
            x=[at for at, flag in zip(x, provisional, strict=True) if flag][-1],
            y=1,
            yref="paper",
            text="provisional",
            showarrow=False,
            yanchor="bottom",
            font={"size": 11, "color": theme.CONTEXT},
        )
    mature = ~provisional & ~np.isnan(y) & is_whole(x, cut)
    band(figure, x, np.where(np.isnan(y), np.nan, low), np.minimum(high, 1.0), grain, _faded(color, 0.18))
    line_x, line_y = with_gaps(x, np.where(mature, y, np.nan), grain)
    figure.add_scatter(
        x=line_x,
        y=line_y,
        mode="lines",
        line={"color": color, "width": 2.5},
        hoverinfo="skip",
        showlegend=False,
    )
    is_solid = mature & (n >= SMALL_SAMPLE)
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        cliponaxis=False,
        customdata=[[measure, f"period={pd.Timestamp(at):%Y-%m-%d}"] for at in x],
        text=[words.period(pd.Timestamp(at), grain) for at in x],
        meta=None,
        hovertext=[
            _hover(words.period(pd.Timestamp(at), grain), s, lo, hi, k, bool(p))
            for at, s, lo, hi, k, p in zip(x, y, low, high, n, provisional, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "size": 8,
            "color": np.where(is_solid, color, "rgba(128,138,148,0.35)").tolist(),
            "line": {"width": 1.5, "color": np.where(n >= SMALL_SAMPLE, color, theme.CONTEXT).tolist()},
        },
        showlegend=False,
    )
    label_latest(figure, x, y, mature)
    figure.update_yaxes(range=[0, top], **_SHARE_AXIS)
    _period_axis(figure, x, grain)
    return figure


@drawn
def share_bar(
    data_frame: pd.DataFrame,
    dimension: str,
    share: str,
    count: str,
    *,
    measure: str,
    color: str | None = None,
    by_size: bool | None = None,
) -> Drawing:
    """A share per group as horizontal bars from zero with 95 % intervals; groups under n = 30 greyed, last."""
    shown = data_frame[data_frame[count] > 0]
    if dimension not in ("age_group", "sentiment") if by_size is None else by_size:
        shown = shown.assign(few=shown[count] < SMALL_SAMPLE).sort_values(
            ["few", share, count], ascending=[True, False, False], kind="stable"
        )
    else:
        order = {value: place for place, value in enumerate(theme.natural_order(dimension, list(shown[dimension])))}
        shown = shown.sort_values(dimension, key=lambda column: column.map(order), kind="stable")
    shown = shown.head(BAR_ROWS)
    figure = _figure(62 + 27 * max(len(shown), 2))
    if shown.empty:
        return figure
    names = [words.plotly(words.shortened(words.value(dimension, value), 24)) for value in shown[dimension]]
    y = list(range(len(shown)))
    values, low, high = (shown[name].to_numpy(float) for name in (share, f"{share}_low", f"{share}_high"))
    n = shown[count].to_numpy(int)
    hues = [
        theme.CONTEXT if k < SMALL_SAMPLE else color or theme.color(dimension, str(v))
        for k, v in zip(n, shown[dimension], strict=True)
    ]
    figure.add_bar(
        x=values,
        y=y,
        orientation="h",
        width=0.62,
        marker={"color": hues, "opacity": [0.45 if k < SMALL_SAMPLE else 1.0 for k in n]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - values,
            "arrayminus": values - low,
            "thickness": 1.2,
            "width": 3,
            "color": theme.CONTEXT,
        },
        customdata=[[measure, f"{dimension}={value}"] for value in shown[dimension]],
        hovertext=[
            _hover(name, s, lo, hi, k, False) for name, s, lo, hi, k in zip(names, values, low, high, n, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    for place, (value, upper, k) in enumerate(zip(values, high, n, strict=True)):
        figure.add_annotation(
            x=upper,
            y=place,
            xanchor="left",
            xshift=6,
            showarrow=False,
            font={"size": 12},
            text=f"<b>{words.percent(float(value))}</b> <span style='font-size:11px'>of {k:,}</span>",
        )
    figure.update_xaxes(
        range=[0, min(1.0, float(np.nanmax(high))) * 1.32 + 0.02], tickformat=theme.SHARE_TICKS, nticks=5
    )
    _name_axis(figure, names)
    return figure


@drawn
def response_states_bar(data_frame: pd.DataFrame, dimension: str = "channel") -> Drawing:
    """Complaints of each group by response state, as parts of 100 %; the most ignored on top."""
    states = (
        [state for state in theme.STATE_ORDER if data_frame[f"{state}_count"].sum() > 0] if len(data_frame) else []
    )
    shown = data_frame[data_frame["complaint_count"] > 0] if len(data_frame) else data_frame
    if len(shown):
        part = shown["ignored_count"] / shown["complaint_count"]
        shown = (
            shown.assign(few=shown["complaint_count"] < SMALL_SAMPLE, part=part)
            .sort_values(["few", "part"], ascending=[True, False])
            .head(BAR_ROWS)
        )
    figure = _figure(92 + 27 * max(len(shown), 2))
    if shown.empty:
        return figure
    total = shown["complaint_count"].to_numpy(float)
    names = [words.plotly(words.shortened(words.value(dimension, value), 22)) for value in shown[dimension]]
    for state in reversed(states):
        counts = shown[f"{state}_count"].to_numpy(float)
        label = words.value("state", state)
        figure.add_bar(
            x=counts / total,
            y=list(range(len(shown))),
            orientation="h",
            name=label,
            width=0.68,
            marker={"color": theme.STATE_COLORS[state], "line": {"width": 0}},
            opacity=1.0,
            text=[bare_percent(k / t) if k / t >= 0.055 else "" for k, t in zip(counts, total, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": theme.ink_on(theme.STATE_COLORS[state]), "size": 11},
            customdata=[[f"complaints_{state}", f"{dimension}={value}"] for value in shown[dimension]],
            hovertext=[
                f"{name}: {label.lower()} {k:,.0f} of {t:,.0f}"
                for name, k, t in zip(names, counts, total, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    for place, n in enumerate(total):
        figure.add_annotation(
            x=1.0, y=place, xanchor="left", xshift=5, showarrow=False, text=f"{n:,.0f}", font={"size": 11}
        )
    figure.update_layout(barmode="stack", legend=_legend(), margin={"r": 52, "t": 34})
    figure.update_xaxes(range=[0, 1], tickformat=theme.SHARE_TICKS)
    _name_axis(figure, names)
    return figure


@drawn
def backlog_by_age_bar(data_frame: pd.DataFrame) -> Drawing:
    """Open waits by how long they have lasted: waiting and ignored stacked, from zero."""
    figure = _figure(230)
    if data_frame.empty:
        return figure
    x = list(data_frame["age"])
    for state in ("waiting", "ignored"):
        figure.add_bar(
            x=x,
            y=data_frame[f"{state}_count"],
            name="Waiting, not yet too long" if state == "waiting" else "Ignored: longer than allowed",
            marker={"color": theme.STATE_COLORS[state]},
            width=0.7,
            customdata=[["open_waits", f"age={age}", f"state={state}"] for age in x],
            hovertemplate="%{x}: %{y:,} " + state + "<extra></extra>",
        )
    total = data_frame["open_count"]
    for at, n in zip(x, total, strict=True):
        figure.add_annotation(x=at, y=n, yshift=9, text=f"<b>{n:,}</b>", showarrow=False, font={"size": 12})
    figure.update_layout(barmode="stack", legend=_legend(), margin={"t": 34})
    figure.update_yaxes(
        rangemode="tozero", range=[0, float(total.max()) * 1.15 + 1], **whole_ticks(float(total.max()))
    )
    figure.update_xaxes(type="category")
    return figure


@drawn
def calls_by_period_bar(data_frame: pd.DataFrame, *, grain: str = "week", short: int = 5) -> Drawing:
    """Calls offered per period: answered, abandoned, abandoned at once (in `short` seconds); stacked from zero."""
    figure = _figure(230)
    if data_frame.empty:
        return figure
    x = list(data_frame["period"])
    late = data_frame["abandoned_count"] - data_frame["short_abandoned_count"]
    other = data_frame["offered_count"] - data_frame["answered_count"] - data_frame["abandoned_count"]
    at_once = data_frame["short_abandoned_count"]
    for name, values, hue, (measure, *of) in (
        ("Answered", data_frame["answered_count"], theme.CHANNEL_COLORS["phone"], ("calls_answered",)),
        ("Caller gave up", late, theme.STATE_COLORS["waiting"], ("calls_abandoned", f"gave_up_after={short}")),
        ("Gave up at once", at_once, "#A9B0B7", ("calls_abandoned", f"gave_up_within={short}")),
        ("Not answered, not known why", other, theme.CONTEXT, ("calls_lost",)),
    ):
        if not values.sum():
            continue
        figure.add_bar(
            x=x,
            y=values,
            name=name,
            marker={"color": hue},
            width=_period_milliseconds(grain) * 0.8,
            customdata=[[measure, f"period={pd.Timestamp(at):%Y-%m-%d}", *of] for at in x],
            text=[words.period(pd.Timestamp(at), grain) for at in x],
            textposition="none",
            hovertemplate="%{text}: " + name.lower() + " %{y:,}<extra></extra>",
        )
    figure.update_layout(barmode="stack", legend=_legend(), margin={"t": 34})
    figure.update_yaxes(rangemode="tozero", **whole_ticks(float(data_frame["offered_count"].max())))
    _period_axis(figure, x, grain)
    return figure


@drawn
def channel_mix_bar(data_frame: pd.DataFrame, channels: Sequence[str] | None = None) -> Drawing:
    """Conversations of each age group by channel, as parts of 100 %; channels in one order, largest first."""
    ages = theme.natural_order("age_group", list(data_frame["age_group"])) if len(data_frame) else []
    figure = _figure(92 + 34 * max(len(ages), 1))
    if not ages:
        return figure
    order = channels or list(
        data_frame.groupby("channel")["conversation_count"].sum().sort_values(ascending=False).index
    )
    table = data_frame.pivot_table(
        index="age_group", columns="channel", values="conversation_count", aggfunc="sum", fill_value=0
    ).reindex(ages)
    total = table.sum(axis=1).to_numpy(float)
    few = total < SMALL_SAMPLE
    for channel in order:
        if channel not in table:
            continue
        counts = table[channel].to_numpy(float)
        label, hue = words.plotly(words.value("channel", channel)), theme.color("channel", channel)
        shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        figure.add_bar(
            x=shares,
            y=list(range(len(ages))),
            orientation="h",
            name=label,
            width=0.74,
            # Pale by colour: with a list of opacities plotly.js has no style for the number on a bar that is clicked.
            marker={"color": [_faded(hue, 0.4) if pale else hue for pale in few], "line": {"width": 0}},
            # On what is too few to judge no number is read either; it would not stand out from the pale colour.
            text=[bare_percent(s) if s >= 0.04 and not pale else "" for s, pale in zip(shares, few, strict=True)],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": theme.ink_on(hue), "size": 11},
            customdata=[["contacts", f"age_group={age}", f"channel={channel}"] for age in ages],
            hovertext=[
                f"{words.plotly(words.value('age_group', age))}: {label} {words.percent(s)} ({k:,.0f} of {t:,.0f})"
                for age, s, k, t in zip(ages, shares, counts, total, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    for place, n in enumerate(total):
        figure.add_annotation(
            x=1.0, y=place, xanchor="left", xshift=5, showarrow=False, text=f"{n:,.0f}", font={"size": 11}
        )
    figure.update_layout(barmode="stack", legend=_legend(), margin={"r": 56, "t": 52})
    figure.update_xaxes(range=[0, 1], tickformat=theme.SHARE_TICKS)
    _name_axis(figure, [words.plotly(words.value("age_group", age)) for age in ages])
    return figure


@drawn
def channel_index_heatmap(data_frame: pd.DataFrame) -> Drawing:
    """How much more (over 100) or less each age group uses a channel than all customers; grey under n = 30."""
    ages = theme.natural_order("age_group", list(data_frame["age_group"])) if len(data_frame) else []
    figure = _figure(112 + 28 * max(len(ages), 1))
    if not ages:
        return figure
    table = data_frame.pivot_table(
        index="age_group", columns="channel", values="conversation_count", aggfunc="sum", fill_value=0
    ).reindex(ages)
    table = table[table.sum().sort_values(ascending=False).index[:10]]
    whole = data_frame["conversation_count"].sum()
    group = data_frame.groupby("age_group")["conversation_count"].sum().reindex(ages).to_numpy(float)
    usual = table.sum().to_numpy(float) / whole
    counts = table.to_numpy(float)
    expected = group[:, None] * usual[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.where(expected > 0, 100 * counts / expected, np.nan)
    is_few = (expected < SMALL_SAMPLE / 3) | (group[:, None] < SMALL_SAMPLE)
    shade = np.where(is_few, np.nan, np.clip(np.log2(np.maximum(index, 25) / 100), -1, 1))
    names = [words.plotly(words.value("channel", channel)) for channel in table.columns]
    labels = [words.plotly(words.value("age_group", age)) for age in ages]
    figure.add_heatmap(
        z=shade,
        x=list(range(len(names))),
        y=list(range(len(ages))),
        zmin=-1,
        zmax=1,
        xgap=2,
        ygap=2,
        showscale=False,
        colorscale=[[0, "#93672A"], [0.5, "rgba(150,158,166,0.10)"], [1, "#2E79AD"]],
        hoverinfo="skip",
    )
    places = [(i, j) for i in range(len(ages)) for j in range(len(names)) if counts[i, j] > 0]
    clickable_cells(
        figure,
        [j for _, j in places],
        [i for i, _ in places],
        [["contacts", f"age_group={ages[i]}", f"channel={table.columns[j]}"] for i, j in places],
        [
            f"{labels[i]}, {names[j]}: {words.counted(counts[i, j], 'conversation')}, {expected[i, j]:,.0f} expected"
            for i, j in places
        ],
        size=26,
    )
    for i, row in enumerate(index):
        for j, number in enumerate(row):
            if math.isnan(number):
                continue
            # Half-way the colour lets the background through: there the theme's own ink is the one to be read.
            ink = theme.CONTEXT_INK if is_few[i, j] else "#FFFFFF" if abs(shade[i, j]) > 0.85 else None
            font = {"size": 12} if ink is None else {"size": 12, "color": ink}
            figure.add_annotation(x=j, y=i, text=words.fixed(number), showarrow=False, font=font)
    # Upright, because side by side the names of eight channels would run into one another on a narrow screen.
    figure.update_xaxes(
        side="top", type="linear", showgrid=False, tickangle=-90, ticklabelposition="outside",
        tickvals=list(range(len(names))), ticktext=names, range=[-0.5, len(names) - 0.5],
    )  # fmt: skip
    _name_axis(figure, labels)
    return figure


# --- shared parts -------------------------------------------------------------------------------------


def clickable_cells(
    figure: Drawing,
    x: Sequence[object],
    y: Sequence[object],
    cells: Sequence[Sequence[str]],
    hovertext: Sequence[str],
    *,
    size: int,
) -> None:
    """Unseen markers over the cells of a heat map, whose own cells plotly cannot select: hover and click."""
    figure.add_scatter(
        x=list(x),
        y=list(y),
        mode="markers",
        marker={"size": size, "opacity": 0, "symbol": "square", "color": theme.CONTEXT},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=[list(cell) for cell in cells],
        hovertext=list(hovertext),
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def whole_ticks(top: float, most: int = 5) -> dict[str, object]:
    """Ticks of an axis of counts: of a short one plotly would show halves, or whole numbers twice."""
    return {"tickformat": ",d", **({"tick0": 0, "dtick": 1} if top < most else {"nticks": most})}


def bare_percent(share: float) -> str:
    """A share on its mark, in per cent without the sign: the caption says the unit."""
    return words.percent(share, None if share > 0.99 else 0).removesuffix(" %")


def _figure(height: int) -> Drawing:
    figure = Drawing()
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 12, "t": 20, "b": 4},
        bargap=0.2,
        dragmode=False,
        hovermode="closest",
        clickmode="event+select",
        showlegend=True,
        separators=".,",
        hoverlabel={"align": "left"},
        uniformtext={"mode": "hide", "minsize": 9},
    )
    figure.update_xaxes(
        fixedrange=True,
        showgrid=True,
        gridcolor=theme.GRID,
        zeroline=False,
        automargin=True,
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        fixedrange=True,
        showgrid=True,
        gridcolor=theme.GRID,
        zeroline=False,
        automargin=True,
        tickfont={"size": 11},
    )
    return figure


def _legend() -> dict[str, object]:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "font": {"size": 11},
        "title": {"text": ""},
        "traceorder": "normal",
        "itemclick": False,
        "itemdoubleclick": False,
    }


def _name_axis(figure: Drawing, names: Sequence[str]) -> None:
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=list(names),
        range=[len(names) - 0.45, -0.55],
        showgrid=False,
        tickfont={"size": 12},
    )


def _period_axis(figure: Drawing, x: Sequence[Any], grain: str) -> None:
    """Dates at periods that stand far enough apart, from the last one back; the year where there are several."""
    form = {"day": "%-d %b", "week": "%-d %b", "month": "%b %Y", "quarter": "%b %Y"}[grain]
    if len(x) and grain in {"day", "week"} and pd.Timestamp(x[0]).year != pd.Timestamp(x[-1]).year:
        form += "\n%Y"
    figure.update_xaxes(type="date", tickformat=form, tickangle=0, showgrid=False)
    numbers = _period_numbers(x, grain)
    step = -(-(numbers[-1] - numbers[0] + 1) // PERIOD_TICKS) if len(x) else 1
    ticks: list[int] = []
    for place in range(len(x) - 1, -1, -1):
        if not ticks or numbers[ticks[-1]] - numbers[place] >= step:
            ticks.append(place)
    figure.update_xaxes(tickvals=[x[place] for place in reversed(ticks)])
    missing = FEWEST_PERIODS - (numbers[-1] - numbers[0] + 1) if len(x) else 0
    if missing > 0:  # else the bar of one day would be as wide as the plot
        beside = pd.Timedelta(milliseconds=_period_milliseconds(grain) * (missing + 1) / 2)
        figure.update_xaxes(range=[pd.Timestamp(x[0]) - beside, pd.Timestamp(x[-1]) + beside])


def label_latest(
    figure: Drawing,
    x: Sequence[Any],
    y: Any,
    judged: np.ndarray,
    text: Callable[[float], str] = words.percent,
    usual: Any = None,
) -> None:
    """The figure at the latest period that is judged, on the side away from the `usual` line where there is one."""
    if not judged.any():
        return
    place = int(np.flatnonzero(judged)[-1])
    figure.add_annotation(
        x=x[place],
        y=y[place],
        text=f"<b>{text(float(y[place]))}</b>",
        showarrow=False,
        yshift=-14 if usual is not None and y[place] < usual[place] else 14,
        font={"size": 12},
    )


def is_whole(x: Sequence[Any], cut: Sequence[Any]) -> np.ndarray:
    """Which periods are not among those of which only some days are there."""
    return ~np.isin(np.array(x, dtype="datetime64[ns]"), np.array(list(cut), dtype="datetime64[ns]"))


def with_gaps(x: Sequence[Any], y: Any, grain: str) -> tuple[list[Any], Any]:
    """A line that stops where periods without data lie between two points."""
    gaps = np.flatnonzero(np.diff(_period_numbers(x, grain)) > 1) + 1
    dates = list(x)
    for place in reversed(gaps.tolist()):
        dates.insert(place, x[place])
    return dates, np.insert(np.asarray(y, float), gaps, np.nan)


def band(figure: Drawing, x: Sequence[Any], low: Any, high: Any, grain: str, color: str) -> None:
    """The interval of each period as an area, one for each run of periods without a gap; a lone one as a bar."""
    known = np.flatnonzero(~(np.isnan(low) | np.isnan(high)))
    runs = np.split(known, np.flatnonzero(np.diff(_period_numbers(x, grain)[known]) > 1) + 1)
    edge_x: list[Any] = []
    edge_y: list[float | None] = []
    for run in runs:
        if not len(run):
            continue
        dates, lows, highs = [x[place] for place in run], low[run].tolist(), high[run].tolist()
        if len(run) == 1:
            aside = pd.Timedelta(milliseconds=_period_milliseconds(grain) / 4)
            dates, lows, highs = [dates[0] - aside, dates[0] + aside], lows * 2, highs * 2
        edge_x += [None] * bool(edge_x) + dates + dates[::-1]
        edge_y += [None] * bool(edge_y) + highs + lows[::-1]
    figure.add_scatter(
        x=edge_x, y=edge_y, mode="lines", line={"width": 0}, fill="toself", fillcolor=color,
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _period_numbers(x: Sequence[Any], grain: str) -> Any:
    """Periods counted from a fixed one: neighbours differ by 1."""
    unit = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q"}[grain]
    return pd.PeriodIndex(pd.DatetimeIndex(list(x)), freq=unit).asi8


def _period_milliseconds(grain: str) -> float:
    return {"day": 1, "week": 7, "month": 30, "quarter": 91}[grain] * 86_400_000.0


def _parts(data_frame: pd.DataFrame, group: str) -> list[tuple[str, pd.DataFrame]]:
    keys = theme.natural_order(group, list(data_frame[group]))
    return [(key, data_frame[data_frame[group] == key]) for key in keys]


def _thinned(part: pd.DataFrame) -> pd.DataFrame:
    if len(part) <= CURVE_POINTS:
        return part
    logs = np.log10(np.maximum(part["minutes"].to_numpy(float), _FIRST_MINUTE))
    bins = np.floor((logs - logs[0]) / max(logs[-1] - logs[0], 1e-9) * (CURVE_POINTS - 1)).astype(int)
    keep = np.flatnonzero(np.append(np.diff(bins) > 0, True))
    return part.iloc[keep]


def _extended(values: Any) -> Any:
    array = values.to_numpy(float)
    return np.concatenate(([0.0], array, [array[-1]]))


def _end_labels(figure: Drawing, ends: Sequence[tuple[float, str, str]]) -> None:
    taken: list[float] = []
    for share, label, hue in sorted(ends, key=lambda end: -end[0]):
        at = min(share, *(other - 0.055 for other in taken)) if taken else share
        taken.append(at)
        figure.add_annotation(
            x=1,
            xref="paper",
            y=at,
            text=label,
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"color": hue, "size": 12},
        )


def _faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _hover(name: str, share: float, low: float, high: float, n: int, is_provisional: bool) -> str:
    few = "; too few to judge" if n < SMALL_SAMPLE else ""
    later = "; provisional" if is_provisional else ""
    return f"{name}: {words.percent(share)} of {n:,} (95 %: {words.percent(low)} to {words.percent(high)}){few}{later}"
