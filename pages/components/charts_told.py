"""Charts on customers made to say it again, and on those who fell silent.

Pure functions of a data frame, as in `charts`: no Streamlit, no SQL, no state; text from the data is escaped.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from pages.components import charts, theme, words
from pages.components.drawing import Drawing, drawn

PAIR_ROWS = 12


def pairs_shown(data_frame: pd.DataFrame) -> pd.DataFrame:
    """The pairs of channels on which customers said it again, most first; cut to what is drawn."""
    some = data_frame[data_frame["restatement_count"] > 0]
    return some.sort_values("restatement_count", ascending=False, kind="stable").head(PAIR_ROWS)


def pair_name(row: pd.Series) -> str:
    """'Email, then phone', or 'Email, another agent' where the channel is the same."""
    before, after = (words.value("channel", row[name]) for name in ("told_before_on", "channel"))
    if row["told_before_on"] == row["channel"]:
        return f"{before}, then another agent"
    return f"{before}, then {words.in_sentence(after)}"


@drawn
def told_again_bar(data_frame: pd.DataFrame, *, measure: str = "restatements") -> Drawing:
    """Times a customer said it again, per pair of channels, in the colour of the channel that was told first.

    At the right the share of the tellings that could be compared; pairs with fewer than 30 of them faded.
    """
    shown = pairs_shown(data_frame)
    figure = charts._figure(62 + 27 * max(len(shown), 2))
    if shown.empty:
        return figure
    names = [words.plotly(words.shortened(pair_name(row), 34)) for _, row in shown.iterrows()]
    counts, compared = (shown[name].to_numpy(int) for name in ("restatement_count", "compared_count"))
    shares = shown["restated_share"].to_numpy(float)
    few = compared < SMALL_SAMPLE
    figure.add_bar(
        x=counts,
        y=list(range(len(shown))),
        orientation="h",
        width=0.62,
        marker={
            "color": [theme.color("channel", str(channel)) for channel in shown["told_before_on"]],
            "opacity": [0.45 if small else 1.0 for small in few],
        },
        customdata=[
            [measure, f"told_before_on={before}", f"channel={channel}"]
            for before, channel in zip(shown["told_before_on"], shown["channel"], strict=True)
        ],
        hovertext=[
            f"{name}: {words.counted(k, 'time')}, {words.percent(s)} of {n:,} compared"
            + ("; too few to judge the share" if small else "")
            for name, k, s, n, small in zip(names, counts, shares, compared, few, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    for place, (k, s, n, small) in enumerate(zip(counts, shares, compared, few, strict=True)):
        share = f"of {n:,}" if small else f"{words.percent(float(s))} of {n:,}"
        figure.add_annotation(
            x=k, y=place, xanchor="left", xshift=6, showarrow=False, font={"size": 12},
            text=f"<b>{k:,}</b> <span style='font-size:11px'>{share}</span>",
        )  # fmt: skip
    figure.update_xaxes(range=[0, float(counts.max()) * 1.38 + 0.5], **charts.whole_ticks(float(counts.max())))
    charts._name_axis(figure, names)
    return figure


@drawn
def silence_dumbbell(data_frame: pd.DataFrame) -> Drawing:
    """Share who fell silent of the ignored and of the answered.

    Filled: among comparable customers; hollow: of all followed, with its interval. The dotted line is the share of
    the comparable answered, and the broad bar the 95 % interval of the difference from it. One row of the report.
    """
    figure = charts._figure(190)
    if data_frame.empty:
        return figure
    row = data_frame.iloc[0]
    groups = (("ignored", "Ignored", theme.IGNORED), ("answered", "Answered in time", theme.ACCENT))
    top = 0.05
    for place, (name, label, color) in enumerate(groups):
        raw, low, high = (float(row[f"{name}_silent_share{end}"]) for end in ("", "_low", "_high"))
        matched, n = float(row[f"matched_{name}_silent_share"]), int(row[f"{name}_customer_count"])
        top = max(top, np.nan_to_num(high), np.nan_to_num(matched))
        hue = theme.CONTEXT if n < SMALL_SAMPLE else color
        figure.add_scatter(
            x=[low, high], y=[place + 0.14] * 2, mode="lines", line={"color": hue, "width": 1.4}, opacity=0.6,
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        for value, of, shift, symbol, what in (
            (raw, n, 0.14, "circle-open", "all followed"),
            (matched, int(row[f"matched_{name}_count"]), -0.14, "circle", "comparable"),
        ):
            figure.add_scatter(
                x=[value],
                y=[place + shift],
                mode="markers",
                customdata=[[f"silent_{name}"]],
                hovertext=[f"{label}, {what}: {words.percent(value)} of {of:,} fell silent"],
                hovertemplate="%{hovertext}<extra></extra>",
                marker={"size": 11, "symbol": symbol, "color": hue, "line": {"width": 2, "color": hue}},
                showlegend=False,
            )
    grey = theme.CONTEXT
    for label, symbol in (("Comparable customers", "circle"), ("All followed", "circle-open")):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=label,
            marker={"size": 10, "symbol": symbol, "color": grey, "line": {"width": 2, "color": grey}},
        )  # fmt: skip
    answered = float(row["matched_answered_silent_share"])
    low, high = (answered + float(row[f"silence_difference_share_{end}"]) for end in ("low", "high"))
    if not np.isnan(answered):
        top = max(top, high)
        figure.add_scatter(
            x=[max(low, 0.0), min(high, 1.0)], y=[-0.14] * 2, mode="lines", line={"color": theme.IGNORED, "width": 3},
            opacity=0.5, hoverinfo="skip", showlegend=False, name="interval of the difference",
        )  # fmt: skip
        figure.add_vline(x=answered, line={"color": grey, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=min(high, 1.0), y=-0.14, text=f"<b>{words.signed_points(float(row['silence_difference_share']))}</b>",
            xanchor="left", xshift=8, showarrow=False, font={"size": 12},
        )  # fmt: skip
    figure.update_xaxes(range=[0, min(1.0, float(top)) * 1.4 + 0.02], tickformat=theme.SHARE_TICKS, nticks=6)
    figure.update_layout(legend=charts._legend(), margin={"t": 34})
    charts._name_axis(figure, [label for _, label, _ in groups])
    return figure
