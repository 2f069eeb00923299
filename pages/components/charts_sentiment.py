"""Charts of the sentiment page as pure functions of a data frame: no Streamlit, no SQL, no state.

As in `pages.components.charts`: titles and captions stand outside, `customdata` is `[measure, "key=value", …]`,
text from the data is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE, Z95, net_share_interval
from data_access.vocabulary import SENTIMENTS
from pages.components import charts, theme, words
from pages.components.drawing import Chart, Drawing, drawn

NEGATIVE = theme.SENTIMENT_COLORS["negative"]
RECOVERED = theme.SENTIMENT_COLORS["positive"]
MOST_TERMS = 12
MOST_UNPROVEN = 6
_WEAK_SHADE = 0.55


@drawn
def negative_share_line(
    data_frame: pd.DataFrame,
    *,
    grain: str = "week",
    level_error: float = 0.0,
    measure: str = "scored",
    cut: Sequence[Any] = (),
) -> Drawing:
    """Negative share by period with its frozen control limits; only periods that break a rule are marked.

    Inner band: 95 % interval. Outer, fainter band: the same widened by `level_error`, a share. Hollow: `cut` periods.
    """
    figure = charts._figure(300)
    if data_frame.empty:
        return _nothing(figure)
    x, y = list(data_frame["period"]), data_frame["negative_share"].to_numpy(float)
    n, signal = data_frame["scored_count"].to_numpy(int), [str(rule) for rule in data_frame["signal"]]
    low, high = (data_frame[f"negative_share_{end}"].to_numpy(float) for end in ("low", "high"))
    if level_error > 0:
        wide = np.maximum(low - level_error, 0), np.minimum(high + level_error, 1)
        charts.band(figure, x, *wide, grain, charts._faded(NEGATIVE, 0.08))
    charts.band(figure, x, low, high, grain, charts._faded(NEGATIVE, 0.20))
    limits = data_frame[["limit_low", "centre_share", "limit_high"]].to_numpy(float)
    if not np.isnan(limits).all():
        _limits(figure, x, limits, grain)
    named = [words.period(pd.Timestamp(at), grain) for at in x]
    hover = [
        charts._hover(name, share, lo, hi, k, False) + (f"<br><b>Signal: {words.plotly(rule)}</b>" if rule else "")
        for name, share, lo, hi, k, rule in zip(named, y, low, high, n, signal, strict=True)
    ]
    is_whole = charts.is_whole(x, cut)
    _points(figure, x, y, n, hover, measure, [bool(rule) for rule in signal], is_whole, grain)
    charts.label_latest(figure, x, y, is_whole & (n >= SMALL_SAMPLE), usual=limits[:, 1])
    tops = [high[n >= SMALL_SAMPLE] + level_error, limits[:, 2], y]
    known = np.concatenate([part[~np.isnan(part)] for part in tops])
    figure.update_yaxes(range=[0, min(1.03, float(known.max()) * 1.08 + 0.01)], tickformat=theme.SHARE_TICKS)
    charts._period_axis(figure, x, grain)
    figure.update_layout(margin={"r": 66})
    return figure


@drawn
def net_sentiment_line(
    data_frame: pd.DataFrame, *, grain: str = "week", measure: str = "scored", cut: Sequence[Any] = ()
) -> Drawing:
    """Net sentiment (positive less negative share) by period with its 95 % interval, around zero; hollow: `cut`."""
    figure = charts._figure(300)
    if data_frame.empty:
        return _nothing(figure)
    x, y, n = list(data_frame["period"]), data_frame["net_share"].to_numpy(float), data_frame["scored_count"]
    low, high = net_interval(data_frame)
    charts.band(figure, x, low, high, grain, charts._faded(NEGATIVE, 0.20))
    figure.add_hline(y=0, line={"color": theme.CONTEXT, "width": 1})
    hover = [
        f"{words.period(pd.Timestamp(at), grain)}: {words.signed_points(net)} of {k:,} "
        f"(95 %: {words.signed_points(lo)} to {words.signed_points(hi)})"
        + ("; too few to judge" if k < SMALL_SAMPLE else "")
        for at, net, lo, hi, k in zip(x, y, low, high, n, strict=True)
    ]
    judged, is_whole = n.to_numpy(int) >= SMALL_SAMPLE, charts.is_whole(x, cut)
    _points(figure, x, y, n.to_numpy(int), hover, measure, [False] * len(x), is_whole, grain)
    charts.label_latest(figure, x, y, is_whole & judged, words.signed_points, np.zeros(len(x)))
    edges = np.concatenate((low[judged], high[judged], y, [0.0]))
    room = 0.08 * max(float(edges.max() - edges.min()), 0.1)
    bottom, top = max(float(edges.min()) - room, -1.05), min(float(edges.max()) + room, 1.05)
    step = next(size for size in (0.05, 0.1, 0.2, 0.5) if (top - bottom) / size <= 7)
    ticks = [step * place for place in range(math.ceil(bottom / step), math.floor(top / step) + 1)]
    figure.update_yaxes(
        range=[bottom, top],
        tickvals=ticks,
        ticktext=[f"{100 * at:+.0f}" if round(at, 6) else "0" for at in ticks],  # points: a difference of two shares
        title={"text": "points", "font": {"size": 11}},
    )
    charts._period_axis(figure, x, grain)
    figure.update_layout(margin={"r": 66})
    return figure


def net_interval(data_frame: pd.DataFrame) -> tuple[Any, Any]:
    """95 % interval of the net share of each row."""
    low, high = net_share_interval(data_frame["negative_share"], data_frame["net_share"], data_frame["scored_count"])
    return low, high


@drawn
def said_on_about_heatmap(data_frame: pd.DataFrame) -> Drawing:
    """Conversations of a channel (rows) that blame a channel (columns): number and share of the row's channel.

    Rows and columns by size; grey where the row's channel has fewer than 30 conversations.
    """
    on = _by_size(data_frame, "channel")
    about = _by_size(data_frame, "blamed_channel")
    figure = charts._figure(58 + 36 * max(len(on), 1))
    if not on:
        return _nothing(figure)
    indexed: Any = data_frame.set_index(["channel", "blamed_channel"])
    whole = data_frame.groupby("channel")["channel_conversation_count"].max()
    is_few = [bool(whole[row] < SMALL_SAMPLE) for row in on]
    share = indexed["share"].unstack().reindex(index=on, columns=about).to_numpy(float)
    counts = indexed["conversation_count"].unstack().reindex(index=on, columns=about).to_numpy(float)
    lows, highs = (indexed[f"share_{end}"].unstack().reindex(index=on, columns=about) for end in ("low", "high"))
    shade = np.where(np.array(is_few)[:, None], np.nan, share)
    top = float(np.nanmax(shade)) if not np.isnan(shade).all() else 1.0
    columns = [words.plotly(words.value("blamed_channel", name)) for name in about]
    rows = [words.plotly(words.value("channel", name)) for name in on]
    figure.add_heatmap(
        z=np.where(np.isnan(shade), 0.0, shade),
        x=columns,
        y=list(range(len(on))),
        zmin=0,
        zmax=top,
        xgap=2,
        ygap=2,
        showscale=False,
        colorscale=[[0, "rgba(142,94,162,0.06)"], [1, NEGATIVE]],
        hoverinfo="skip",
    )
    places = [(i, j) for i in range(len(on)) for j in range(len(about)) if not math.isnan(counts[i, j])]
    charts.clickable_cells(
        figure,
        [columns[j] for _, j in places],
        [i for i, _ in places],
        [["blaming", f"channel={on[i]}", f"blamed_channel={about[j]}"] for i, j in places],
        [
            f"On {rows[i]} about {columns[j]}: {counts[i, j]:,.0f} of {words.counted(whole[on[i]], 'conversation')}, "
            f"{words.percent(share[i, j])} (95 %: {words.percent(float(lows.iloc[i, j]))} to "
            f"{words.percent(float(highs.iloc[i, j]))}){'; too few to judge' if is_few[i] else ''}"
            for i, j in places
        ],
        size=30,
    )
    for i, j in places:
        dark = not is_few[i] and share[i, j] > _WEAK_SHADE * top
        hue = {"color": theme.CONTEXT} if is_few[i] else {"color": "#FFFFFF"} if dark else {}
        figure.add_annotation(
            x=j,
            y=i,
            showarrow=False,
            font={"size": 12, **hue},
            text=f"<b>{counts[i, j]:,.0f}</b> <span style='font-size:10px'>{_cell_percent(share[i, j])}</span>",
        )
    figure.update_xaxes(side="top", type="category", showgrid=False, tickangle=0)
    figure.update_layout(margin={"t": 26})
    charts._name_axis(figure, rows)
    return figure


def recovery_bar(data_frame: pd.DataFrame) -> Chart:
    """Share of negative openings that close neutral or positive, by how long the answer took; shortest first."""
    if not data_frame["written_again_count"].sum():
        return _nothing(charts._figure(60)).figure()
    return charts.share_bar(
        data_frame,
        "wait_band",
        "recovered_share",
        "written_again_count",
        measure="written_again",
        color=RECOVERED,
        by_size=False,
    )


@drawn
def opening_to_closing_bar(data_frame: pd.DataFrame) -> Drawing:
    """How conversations end that opened so: a bar per opening sentiment, its parts the closing ones; n right."""
    figure = charts._figure(176)
    if not len(data_frame):
        return _nothing(figure)
    openings = [name for name in SENTIMENTS if name in set(data_frame["sentiment"])][::-1]
    totals = dict(zip(data_frame["sentiment"], data_frame["opened_so_count"], strict=True))
    pairs = {(row["sentiment"], row["closing_sentiment"]): row for row in data_frame.to_dict("records")}
    for closing in SENTIMENTS:
        rows = [pairs.get((opening, closing)) for opening in openings]
        shares = [float(row["share"]) if row else 0.0 for row in rows]
        figure.add_bar(
            orientation="h",
            name=f"ends {closing}",
            y=[f"opens {opening}" for opening in openings],
            x=shares,
            text=[words.percent(share) if share >= 0.04 else "" for share in shares],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            marker={"color": theme.SENTIMENT_COLORS[closing]},
            textfont={"color": theme.ink_on(theme.SENTIMENT_COLORS[closing])},
            customdata=[
                ["answered_and_written_again", f"sentiment={opening}", f"closing_sentiment={closing}"]
                for opening in openings
            ],
            hovertext=[
                f"opens {opening}, ends {closing}: {words.percent(share)} of {totals[opening]:,}"
                for opening, share in zip(openings, shares, strict=True)
            ],
            hoverinfo="text",
        )
    for opening in openings:
        figure.add_annotation(
            x=1.01,
            y=f"opens {opening}",
            text=f"{totals[opening]:,}",
            showarrow=False,
            xanchor="left",
            font={"size": 11},
        )
    figure.update_layout(barmode="stack", legend=charts._legend(), margin={"t": 34})
    figure.update_yaxes(showgrid=False)
    figure.update_xaxes(range=[0, 1.1], tickformat=theme.SHARE_TICKS, tickvals=[0, 0.25, 0.5, 0.75, 1])
    return figure


def rising_shown(data_frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that `rising_terms_dot` draws: the rising ones; where nothing rose, the nearest to it."""
    rising = data_frame[data_frame["is_rising"].astype(bool)] if len(data_frame) else data_frame
    if len(rising):
        return rising.sort_values("z", ascending=False, kind="stable").head(MOST_TERMS)
    near = data_frame[data_frame["z"] > 0] if len(data_frame) else data_frame
    return near.sort_values("z", ascending=False, kind="stable").head(MOST_UNPROVEN)


@drawn
def rising_terms_dot(data_frame: pd.DataFrame) -> Drawing:
    """How many times as often as before, per topic or word, with 95 % interval; only rising ones in colour.

    Counts now and before stand beside each. Log axis; topics open their conversations, words open nothing.
    """
    shown = rising_shown(data_frame)
    figure = charts._figure(62 + 27 * max(len(shown), 2))
    if shown.empty:
        return _nothing(figure)
    names = [term_name(row) for row in shown.to_dict("records")]
    odds, z = shown["log_odds"].to_numpy(float), shown["z"].to_numpy(float)
    error = np.divide(np.abs(odds), np.abs(z), out=np.zeros_like(odds), where=z != 0)
    times, low, high = np.exp(odds), np.exp(odds - Z95 * error), np.exp(odds + Z95 * error)
    y = list(range(len(shown)))
    is_rising = shown["is_rising"].to_numpy(bool)
    now, before = shown["conversation_count"], shown["previous_conversation_count"]
    figure.add_scatter(
        x=times,
        y=y,
        mode="markers",
        marker={"size": 9, "color": np.where(is_rising, theme.ACCENT, theme.CONTEXT).tolist()},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - times,
            "arrayminus": times - low,
            "thickness": 1.4,
            "width": 3,
            "color": theme.CONTEXT,
        },
        customdata=[
            ["contacts", f"topic={term}"] if kind == "topic" else [""]
            for kind, term in zip(shown["term_kind"], shown["term"], strict=True)
        ],
        hovertext=[
            f"{words.plotly(name)}: {ratio:.1f} times as often (95 %: {lo:.1f} to {hi:.1f}); "
            f"{k:,} of {total:,} conversations, {then:,} of {total_then:,} before"
            for name, ratio, lo, hi, k, total, then, total_then in zip(
                names, times, low, high, now, shown["total_count"], before, shown["previous_total_count"], strict=True
            )
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=1, line={"color": theme.CONTEXT, "width": 1, "dash": "dot"})
    for place, (k, then) in enumerate(zip(now, before, strict=True)):
        figure.add_annotation(
            x=1,
            xref="paper",
            y=place,
            xanchor="left",
            xshift=6,
            showarrow=False,
            font={"size": 12},
            text=f"<b>{k:,}</b> <span style='font-size:11px'>({then:,} before)</span>",
        )
    least, most = min(float(low.min()), 0.9), max(float(high.max()) * 1.1, 1.5)
    ticks = [tick for tick in (0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100) if least <= tick <= most]
    figure.update_xaxes(
        type="log",
        range=[math.log10(least), math.log10(most)],
        tickvals=ticks,
        ticktext=[f"{tick:g}×" for tick in ticks],
        title={"text": "times as often as before (each step is a multiple: log scale)", "font": {"size": 11}},
    )
    charts._name_axis(figure, [words.plotly(words.shortened(name, 24)) for name in names])
    figure.update_layout(margin={"r": 104, "t": 8})
    return figure


def term_name(row: Any) -> str:
    """A topic by its label, a word in quotation marks."""
    return words.value("topic", row["term"]) if row["term_kind"] == "topic" else f"“{row['term']}”"


# --- shared parts -------------------------------------------------------------------------------------


def _nothing(figure: Drawing) -> Drawing:
    """No marks, and no axes that would ask where they are."""
    figure.update_layout(height=60)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _limits(figure: Drawing, x: Any, limits: Any, grain: str) -> None:
    for column, name, dash in ((0, "lower limit", "dot"), (1, "usual", "solid"), (2, "upper limit", "dot")):
        line_x, line_y = charts.with_gaps(x, limits[:, column], grain)
        figure.add_scatter(
            x=line_x,
            y=line_y,
            mode="lines",
            line={"color": theme.CONTEXT, "width": 1.2, "dash": dash, "shape": "linear" if column == 1 else "hvh"},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_annotation(
            x=1,
            xref="paper",
            y=limits[-1, column],
            text=name if column != 1 else f"usual {words.percent(limits[-1, column])}",
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"size": 11, "color": theme.CONTEXT},
        )


def _points(
    figure: Drawing,
    x: Any,
    y: Any,
    n: Any,
    hover: list[str],
    measure: str,
    is_signal: list[bool],
    is_whole: Any,
    grain: str,
) -> None:
    line_x, line_y = charts.with_gaps(x, np.where(is_whole, y, np.nan), grain)
    figure.add_scatter(
        x=line_x, y=line_y, mode="lines", line={"color": NEGATIVE, "width": 2.5}, hoverinfo="skip", showlegend=False
    )
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        customdata=[[measure, f"period={pd.Timestamp(at):%Y-%m-%d}"] for at in x],
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": ["diamond" if flag else "circle" for flag in is_signal],
            "size": [13 if flag else 6 for flag in is_signal],
            "color": np.where(is_whole & (n >= SMALL_SAMPLE), NEGATIVE, "rgba(128,138,148,0.35)").tolist(),
            "line": {"width": 1.5, "color": np.where(n >= SMALL_SAMPLE, NEGATIVE, theme.CONTEXT).tolist()},
        },
        showlegend=False,
    )


def _cell_percent(share: float) -> str:
    return "&lt;0.1 %" if 0 < share < 0.0005 else words.percent(share)


def _by_size(data_frame: pd.DataFrame, column: str) -> list[str]:
    if data_frame.empty:
        return []
    total: Any = data_frame.groupby(column, sort=False)["conversation_count"].sum()
    return [str(name) for name in total.sort_values(ascending=False, kind="stable").index]
