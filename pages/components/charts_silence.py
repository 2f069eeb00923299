"""Charts on silence: competing definitions, funnel, hour by weekday, expected shares, published marks, dumbbell.

Pure functions of a data frame, as in `charts`: no Streamlit, no SQL, no state; text from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE, Z95
from data_access.published import PublishedFigure
from pages.components import charts, theme, words
from pages.components.drawing import Chart, Drawing, drawn

_Z998 = 3.090232306167813  # of the wider funnel limits, as in queries.teams
_OUTSIDE = "#B0683A"
_MOST_NAMES = 14
_FEWEST_TICKS = 3
_EXPECTED = ("expected_ignored_share", "expected_ignored_share_low", "expected_ignored_share_high")
_SHARE_RAMP = [[0, "rgba(209,34,58,0.06)"], [1, theme.IGNORED]]
_COUNT_RAMP = [[0, "rgba(46,121,173,0.06)"], [1, theme.ACCENT]]


@drawn
def definitions_dot(data_frame: pd.DataFrame) -> Drawing:
    """One question under each competing definition: a dot per definition with its interval, ours filled.

    Shares on an axis from zero, minutes on a log axis; a median that is not reached stands as text.
    """
    figure = charts._figure(56 + 36 * max(len(data_frame), 1))
    if data_frame.empty:
        return figure
    is_time = str(data_frame["unit"].iloc[0]) == "minutes"
    values = data_frame["value"].to_numpy(float)
    low, high = (data_frame[f"value_{end}"].to_numpy(float) for end in ("low", "high"))
    ours = data_frame["is_ours"].to_numpy(bool)
    names = [
        f"<b>{name}</b>" if own else name
        for name, own in zip([_lines(text) for text in data_frame["definition"]], ours, strict=True)
    ]
    said = [
        words.minutes(value, words.NOT_REACHED) if is_time else words.percent(value) if not math.isnan(value) else "–"
        for value in values
    ]
    if is_time:
        values = np.where(values > 0, np.maximum(values, 1 / 60), np.where(values == 0, 1 / 60, np.nan))
    rows = np.arange(len(names))
    has = ~np.isnan(values)
    figure.add_scatter(
        x=values[has],
        y=rows[has],
        mode="markers",
        marker={
            "size": 11,
            "color": [theme.ACCENT if own else "rgba(128,138,148,0.25)" for own in ours[has]],
            "line": {"width": 1.8, "color": [theme.ACCENT if own else theme.CONTEXT for own in ours[has]]},
        },
        error_x=None
        if is_time
        else {
            "type": "data",
            "symmetric": False,
            "array": (high - values)[has],
            "arrayminus": (values - low)[has],
            "thickness": 1.2,
            "width": 3,
            "color": theme.CONTEXT,
        },
        hovertext=[
            f"{words.plotly(text)}: {shown}"
            for text, shown, there in zip(data_frame["definition"], said, has, strict=True)
            if there
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    known = np.where(np.isnan(high), values, high)[has]
    for row, (text, own) in enumerate(zip(said, ours, strict=True)):
        figure.add_annotation(
            x=1, xref="paper", y=row, text=f"<b>{text}</b>" if own else text, xanchor="left", xshift=6,
            showarrow=False, font={"size": 12},
        )  # fmt: skip
    if is_time:
        first, last = (
            (min(float(values[has].min()), 1), max(float(values[has].max()), 60)) if has.any() else (1.0, 60.0)
        )
        span = math.log10(last) - math.log10(first)
        _time_axis(figure, math.log10(first) - 0.06 * span, math.log10(last) + 0.06 * span)
    else:
        top = float(known.max()) if len(known) else 1.0
        figure.update_xaxes(
            range=[0, min(1.03, top * 1.05 + 0.01)], tickformat=theme.SHARE_TICKS, nticks=4, tickangle=0
        )
    charts._name_axis(figure, names)
    figure.update_layout(margin={"r": 86})
    return figure


@drawn
def funnel_plot(data_frame: pd.DataFrame, dimension: str, *, measure: str = "waits_target_due") -> Drawing:
    """In-target share at one channel mix against the number of waits, with 95 and 99.8 % limits of chance.

    Filled and named outside the wide limits, grey under n = 30. A group that is alone on its channels is not drawn:
    it would stand exactly on the average, as if it were like the others.
    """
    figure = charts._figure(380)
    data_frame = data_frame[~is_alone(data_frame)]
    if data_frame.empty:
        return figure
    n = data_frame["target_due_count"].to_numpy(float)
    share = data_frame["adjusted_share"].to_numpy(float)
    centre = float(data_frame["overall_share"].iloc[0])
    first, last = max(float(n.min()) * 0.7, 1.0), float(n.max()) * 1.6
    x = np.geomspace(first, last, 80)
    spread = math.sqrt(centre * (1 - centre)) / np.sqrt(x) if 0 < centre < 1 else np.zeros_like(x)
    for z, dash, label in ((_Z998, "solid", "99.8 %"), (Z95, "dot", "95 %")):
        for sign in (-1, 1):
            y = np.clip(centre + sign * z * spread, 0, 1)
            figure.add_scatter(
                x=x,
                y=y,
                mode="lines",
                line={"color": theme.CONTEXT, "width": 1, "dash": dash},
                hoverinfo="skip",
                showlegend=False,
                name=f"limit {label}",
            )
        figure.add_annotation(
            x=math.log10(last), y=float(y[-1]), text=label, xanchor="left", xshift=4,
            yshift=6 if z > 2 else 0, showarrow=False, font={"size": 11, "color": theme.CONTEXT},
        )  # fmt: skip
    figure.add_hline(y=centre, line={"color": theme.CONTEXT, "width": 1})
    few = n < SMALL_SAMPLE
    outside = (data_frame["verdict"] != "as expected").to_numpy(bool) & ~few
    names = [words.plotly(words.shortened(words.value(dimension, value), 24)) for value in data_frame[dimension]]
    figure.add_scatter(
        x=n,
        y=share,
        mode="markers",
        customdata=[[measure, f"{dimension}={value}"] for value in data_frame[dimension]],
        hovertext=[
            f"{name}: {words.percent(adjusted)} at one channel mix, {words.percent(raw)} as it is, of {int(due):,}"
            + ("; too few to judge" if small else f"; {verdict}")
            for name, adjusted, raw, due, small, verdict in zip(
                names, share, data_frame["in_target_share"], n, few, data_frame["verdict"], strict=True
            )
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "size": 10,
            "color": [
                _OUTSIDE if out else "rgba(128,138,148,0.25)" if dull else "rgba(46,121,173,0.55)"
                for out, dull in zip(outside, few, strict=True)
            ],
            "line": {
                "width": 1.5,
                "color": [
                    _OUTSIDE if out else theme.CONTEXT if dull else theme.ACCENT
                    for out, dull in zip(outside, few, strict=True)
                ],
            },
        },
        showlegend=False,
    )
    low, high = _share_range(share[~few].tolist(), centre, float(min(n.max(), 400)))
    named = outside if outside.any() or len(names) > _MOST_NAMES else np.ones(len(names), bool)
    for place, side in _named(names, n, share, named, centre, (math.log10(first), math.log10(last)), (low, high)):
        figure.add_annotation(
            x=math.log10(n[place]), y=share[place], text=names[place], xanchor="left" if side > 0 else "right",
            xshift=8 * side, showarrow=False, font={"size": 11},
        )  # fmt: skip
    ticks = _log_ticks(first, last)
    figure.update_xaxes(
        type="log",
        range=[math.log10(first), math.log10(last)],
        tickvals=ticks,
        ticktext=[f"{at:,}" for at in ticks],
        title={"text": "waits whose target has passed (each step is a multiple: log scale)", "font": {"size": 11}},
    )
    figure.update_yaxes(range=[low, high], tickformat=theme.SHARE_TICKS, nticks=7)
    figure.update_layout(margin={"r": 52, "t": 10})
    return figure


def is_alone(data_frame: pd.DataFrame) -> np.ndarray:
    """Groups that nobody shares a channel with: what they do is what is expected of them, so it says nothing."""
    return np.asarray(data_frame["comparable_count"].to_numpy() == 0)


@drawn
def hour_weekday_heatmap(data_frame: pd.DataFrame, show: str = "count") -> Drawing:
    """Hours of the week: how many complaints come (`count`), or the share of them ignored (`share`).

    Shares of fewer than 30 due complaints are grey. Grain: one row per weekday and hour, reporting zone.
    """
    figure = charts._figure(264)
    if data_frame.empty:
        return figure
    is_share = show == "share"

    def grid(column: str) -> np.ndarray:
        table = data_frame.pivot_table(index="weekday", columns="hour", values=column, aggfunc="sum")
        return table.reindex(index=range(1, 8), columns=range(24)).fillna(0).to_numpy(float)

    count, due, ignored = (grid(name) for name in ("complaint_count", "due_count", "ignored_in_time_count"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(due > 0, ignored / due, np.nan)
    few = due < SMALL_SAMPLE
    shade = np.where(few, np.nan, share) if is_share else np.where(count > 0, count, np.nan)
    labels = [words.value("weekday", day) for day in range(1, 8)]
    measure = "complaints_ignored_in_time" if is_share else "complaints"
    if is_share:
        figure.add_heatmap(
            z=np.where(few & (due > 0), 1.0, np.nan), x=list(range(24)), y=list(range(7)), xgap=2, ygap=2,
            showscale=False, colorscale=[[0, "rgba(128,138,148,0.22)"], [1, "rgba(128,138,148,0.22)"]],
            hoverinfo="skip",
        )  # fmt: skip
    top = float(np.nanmax(shade)) if (~np.isnan(shade)).any() else 1.0
    figure.add_heatmap(
        z=shade,
        x=list(range(24)),
        y=list(range(7)),
        zmin=0,
        zmax=top or 1.0,
        xgap=2,
        ygap=2,
        colorscale=_SHARE_RAMP if is_share else _COUNT_RAMP,
        colorbar={
            "thickness": 8,
            "len": 0.9,
            "outlinewidth": 0,
            **({"tickformat": theme.SHARE_TICKS, "nticks": 4} if is_share else charts.whole_ticks(top, 4)),
            "tickfont": {"size": 11},
            "x": 1.005,
            "xpad": 2,
        },
        hoverinfo="skip",
    )
    places = [(row, hour) for row in range(7) for hour in range(24) if (due if is_share else count)[row, hour] > 0]
    charts.clickable_cells(
        figure,
        [hour for _, hour in places],
        [row for row, _ in places],
        [[measure, f"weekday={row + 1}", f"hour={hour}"] for row, hour in places],
        [
            f"{labels[row]} {hour:02d}:00 to {(hour + 1) % 24:02d}:00: "
            + (
                f"{ignored[row, hour]:,.0f} of {due[row, hour]:,.0f} ignored"
                + ("; too few to judge" if few[row, hour] else f", {words.percent(share[row, hour])}")
                if is_share
                else words.counted(count[row, hour], "complaint")
            )
            for row, hour in places
        ],
        size=18,
    )
    figure.update_xaxes(
        tickvals=list(range(0, 24, 3)), ticktext=[f"{hour:02d}:00" for hour in range(0, 24, 3)],
        range=[-0.5, 23.5], showgrid=False, tickangle=0,
    )  # fmt: skip
    charts._name_axis(figure, [label[:3] for label in labels])
    figure.update_layout(margin={"t": 6, "r": 4})
    return figure


@drawn
def ignored_by_period_line(
    data_frame: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    grain: str = "week",
    measure: str = "complaints_due",
    cut: Sequence[Any] = (),
) -> Drawing:
    """The ignored share by period; provisional periods hatched, with the expected final share as hollow diamonds."""
    shown = data_frame.merge(
        expected.reindex(columns=["period", "young_count", *_EXPECTED]), on="period", how="left", validate="one_to_one"
    )
    figure = charts.share_by_period(
        shown, "ignored_share", "due_count", measure=measure, grain=grain, color=theme.IGNORED, cut=cut
    )
    later = shown[shown[_EXPECTED[0]].notna()]
    if later.empty:
        return figure
    value, low, high = (later[name].to_numpy(float) for name in _EXPECTED)
    for trace in figure.data:
        if trace.get("mode") == "markers":  # what is known so far stays, small, under what it will come to
            is_young = shown[_EXPECTED[0]].notna().to_numpy(bool)
            trace["marker"]["size"] = np.where(is_young, 5, 8).tolist()
            trace["marker"]["line"]["width"] = np.where(is_young, 0, 1.5).tolist()
    figure.add_scatter(
        x=list(later["period"]),
        y=value,
        mode="markers",
        customdata=[[measure, f"period={pd.Timestamp(at):%Y-%m-%d}"] for at in later["period"]],
        hovertext=[
            f"{words.period(pd.Timestamp(at), grain)}: expected to end at {words.percent(s)} "
            f"(95 %: {words.percent(lo)} to {words.percent(hi)}); {words.count(young)} too young to judge"
            for at, s, lo, hi, young in zip(later["period"], value, low, high, later["young_count"], strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": "diamond-open",
            "size": 11,
            "color": theme.IGNORED,
            "line": {"width": 2, "color": theme.IGNORED},
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "thickness": 1.5,
            "width": 4,
            "color": theme.IGNORED,
        },
        showlegend=False,
        name="expected",
    )
    top = figure.layout["yaxis"]["range"][1]
    if float(high.max()) > top:
        figure.update_yaxes(range=[0, min(1.03, float(high.max()) * 1.08)])
    return figure


def with_published(figure: Chart, dimension: str, figures: Sequence[PublishedFigure]) -> Chart:
    """A bar chart of shares with published figures: marks on the rows of their group, a line where of everybody."""
    if not figures:
        return figure
    names = ", ".join(found.name for found in figures)
    return figure.variant(f"with {names}", lambda copy: _mark_published(copy, dimension, figures))


def _mark_published(figure: Chart, dimension: str, figures: Sequence[PublishedFigure]) -> None:
    bars = [trace for trace in figure.data if trace.type == "bar" and trace.customdata is not None]
    if not bars:
        return
    rows = {str(cell[1]): place for place, cell in enumerate(bars[0].customdata)}
    keyed = [(f"{dimension}={_group(found, dimension)}", found) for found in figures]
    marked = [(rows[key], found) for key, found in keyed if key in rows]
    everybody = [found for found in figures if _group(found, dimension) is None]
    drawn = [*everybody, *(found for _, found in marked)]
    top = max([float(figure.layout.xaxis.range[1]), *(found.value * 1.2 for found in drawn)])
    values = np.asarray(bars[0].x, float)
    upper = values + np.asarray(bars[0].error_x.array, float)
    figure.update_xaxes(range=[0, top])
    at = [*marked, *((row, found) for found in everybody for row in rows.values())]
    for row, found in at:  # a bar's own label moves out of the way of a mark
        label = figure.layout.annotations[row]
        if label.x - 0.01 * top <= found.value <= label.x + 0.3 * top and found.value - upper[row] < 0.3 * top:
            label.x = found.value
    for found in everybody:
        figure.add_vline(x=found.value, line={"color": theme.CONTEXT, "width": 1.5, "dash": "dot"}, layer="below")
        figure.add_annotation(
            x=found.value, y=1, yref="paper", text=f"published {words.percent(found.value)}", xanchor="left",
            yanchor="bottom", showarrow=False, font={"size": 11, "color": theme.CONTEXT},
        )  # fmt: skip
    if not marked:
        return
    figure.add_scatter(
        x=[found.value for _, found in marked],
        y=[row for row, _ in marked],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 24, "color": theme.CONTEXT, "line": {"width": 3}},
        hovertext=[words.plotly(f"Published: {found.words} ({found.source}, {found.year})") for _, found in marked],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
        name="published",
    )
    for row, found in marked:
        if found.value > upper[row] + 0.3 * top:  # clear of the bar's own label
            figure.add_annotation(
                x=found.value, y=row, text=f"published {words.percent(found.value)}", xanchor="left", xshift=6,
                showarrow=False, font={"size": 11, "color": theme.CONTEXT},
            )  # fmt: skip


# --- parts ---------------------------------------------------------------------------------------------


def _group(found: PublishedFigure, dimension: str) -> str | None:
    return found.channel if dimension == "channel" else found.age_group


def _lines(text: object, width: int = 24) -> str:
    """A definition as a name on the axis: begun with a capital, on two lines where it is long."""
    plain = words.shortened(text, 80)
    plain = plain[:1].upper() + plain[1:]
    cut = plain.rfind(" ", 0, len(plain) // 2 + 6) if len(plain) > width else -1
    return words.plotly(plain) if cut <= 0 else f"{words.plotly(plain[:cut])}<br>{words.plotly(plain[cut + 1 :])}"


def _log_ticks(first: float, last: float) -> list[int]:
    """Round numbers within the ends of a log axis of counts: as few as show how far apart they are, three or more."""
    ticks: list[int] = []
    for steps in ((1, 3), (1, 2, 5), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [int(step * 10**power) for power in range(8) for step in steps if step * 10**power % 1 == 0]
        ticks = [at for at in ticks if first <= at <= last]
        if len(ticks) >= _FEWEST_TICKS:
            break
    return ticks


def _time_axis(figure: Drawing, first: float, last: float) -> None:
    ticks = [(at, text) for at, text in charts._TIME_TICKS if first <= math.log10(at) <= last]
    figure.update_xaxes(
        type="log", range=[first, last], tickvals=[at for at, _ in ticks], ticktext=[text for _, text in ticks],
        title={"text": "log scale: each step is a multiple", "font": {"size": 11}},
    )  # fmt: skip


def _share_range(shares: Sequence[float], centre: float, n: float) -> tuple[float, float]:
    half = _Z998 * math.sqrt(max(centre * (1 - centre), 1e-6) / max(n, 1))
    known = [*(s for s in shares if not math.isnan(s)), centre - half, centre + half]
    low, high = min(known), max(known)
    room = 0.06 * (high - low)
    return max(-0.02, low - room), min(1.02, high + room)


def _named(
    names: Sequence[str],
    n: np.ndarray,
    share: np.ndarray,
    wanted: np.ndarray,
    centre: float,
    across: tuple[float, float],
    upright: tuple[float, float],
) -> list[tuple[int, int]]:
    """Points whose names have room, right (1) or left (-1) of them, the most unusual first.

    The others keep their names for the pointer and the table. Sizes are for a chart 500 pixels wide.
    """
    x = (np.log10(n) - across[0]) / (across[1] - across[0])
    y = (share - upright[0]) / (upright[1] - upright[0])
    taken = [(a - 0.008, a + 0.008, b - 0.014, b + 0.014) for a, b in zip(x, y, strict=True)]
    found: list[tuple[int, int]] = []
    for place in sorted(np.flatnonzero(wanted).tolist(), key=lambda p: -abs(share[p] - centre) * math.sqrt(n[p])):
        width = 0.012 * len(names[place])
        for side in (1, -1):
            near, far = x[place] + 0.012 * side, x[place] + (0.012 + width) * side
            box = (min(near, far), max(near, far), y[place] - 0.02, y[place] + 0.02)
            is_free = all(box[1] < o[0] or box[0] > o[1] or box[3] < o[2] or box[2] > o[3] for o in taken)
            if is_free and box[0] >= 0 and box[1] <= 1.05 and len(found) < _MOST_NAMES:
                taken.append(box)
                found.append((place, side))
                break
    return found


__all__ = [
    "definitions_dot",
    "funnel_plot",
    "hour_weekday_heatmap",
    "ignored_by_period_line",
    "is_alone",
    "with_published",
]
