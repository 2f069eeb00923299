"""One customer's journey as a time line: a lane per channel, a bar per wait. Pure, as `charts`."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from pages.components import charts, theme, words
from pages.components.drawing import Drawing, drawn

MOST_NUMBERED = 30
_MOST_TRACKS = 3
_TRACK = 0.26


@drawn
def journey_timeline(data_frame: pd.DataFrame, zone: str, chosen: str = "") -> Drawing:
    """Each wait as a bar until its answer, or to the right edge where it is still open; red: beyond the target.

    Frame: `journeys` of one customer. A dot is the beginning of a conversation, red where we failed it in any
    wait; filled end: a human answered here; diamond: elsewhere; small square: a bot. Times in `zone`. `customdata`
    of every mark is `["conversation", id]`.
    """
    lanes = list(dict.fromkeys(data_frame["channel"])) if len(data_frame) else []
    figure = charts._figure(76 + 46 * max(len(lanes), 1))
    if not lanes:
        return figure
    shown = data_frame.copy()
    for name in shown.columns[[str(kind).startswith("datetime") for kind in shown.dtypes]]:
        shown[name] = shown[name].dt.tz_localize("UTC").dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    shown["y"] = shown["channel"].map({channel: place for place, channel in enumerate(lanes)}) + _tracks(shown)
    waits = shown[shown["waited_until_at"].notna()]
    for beyond in (False, True):
        broken = _stretches(waits, beyond)
        figure.add_scatter(
            x=broken["x"], y=broken["y"], mode="lines", connectgaps=False, hoverinfo="skip", showlegend=False,
            line={"width": 7, "color": theme.IGNORED if beyond else theme.STATE_COLORS["answered_late"]},
            opacity=0.85 if beyond else 0.9,
        )  # fmt: skip
    answered = waits[waits["ended_at"].notna()]
    here = answered["answered_elsewhere_on"].isna()
    for part, symbol, label, at in (
        (answered[here], "circle", "Answered by a human", "ended_at"),
        (answered[~here], "diamond", "Answered on another channel", "ended_at"),
        (shown[shown["bot_answered_at"].notna()], "square", "Answered by a bot", "bot_answered_at"),
    ):
        if len(part):
            figure.add_scatter(
                x=part[at], y=part["y"], mode="markers", name=label,
                marker={"symbol": symbol, "size": 7 if symbol == "square" else 9,
                        "color": theme.CONTEXT if symbol == "square" else theme.ACCENT},
                customdata=[["conversation", value] for value in part["conversation_id"]],
                hovertext=[f"{label}, {_moment(value)}" for value in part[at]],
                hovertemplate="%{hovertext}<extra></extra>",
            )  # fmt: skip
    _add_openings(figure, shown, chosen)
    figure.add_scatter(
        x=[None], y=[None], mode="lines", name="Waiting beyond the target", line={"width": 7, "color": theme.IGNORED}
    )
    figure.update_layout(legend=charts._legend(), margin={"t": 34, "r": 16})
    figure.update_xaxes(type="date", nticks=8)
    charts._name_axis(figure, [words.plotly(words.value("channel", channel)) for channel in lanes])
    figure.update_yaxes(range=[len(lanes) - 0.4, -0.6])
    return figure


def _tracks(shown: pd.DataFrame) -> pd.Series:
    """Waits of one channel that overlap stand beside each other, a little apart."""
    offsets = dict.fromkeys(shown.index, 0.0)
    for _, lane in shown.groupby("channel", sort=False):
        free: list[pd.Timestamp] = []
        for index, row in lane.sort_values("opened_at", kind="stable").iterrows():
            begins, ends = row["started_at"], row["waited_until_at"]
            if pd.isna(begins) or pd.isna(ends):
                continue
            track = next((place for place, until in enumerate(free) if until <= begins), len(free))
            free[track : track + 1] = [ends]
            offsets[index] = (track % _MOST_TRACKS) * _TRACK
    return pd.Series(offsets, dtype="float64")


def _stretches(waits: pd.DataFrame, beyond: bool) -> dict[str, list[object]]:
    """The part of each wait within its target, or beyond it, as one broken line."""
    x: list[object] = []
    y: list[object] = []
    for row in waits.to_dict("records"):
        begins, ends, due = row["started_at"], row["waited_until_at"], row["target_due_at"]
        turn = ends if pd.isna(due) else min(max(due, begins), ends)
        first, last = (turn, ends) if beyond else (begins, turn)
        if last > first and (row["is_failed"] or not beyond):
            x += [first, last, None]
            y += [row["y"], row["y"], None]
    return {"x": x, "y": y}


def _add_openings(figure: Drawing, shown: pd.DataFrame, chosen: str) -> None:
    """One dot per conversation where it was opened, with its number; red where we failed it."""
    failed = shown.groupby("conversation_id")["is_failed"].any()
    steps = shown.drop_duplicates("conversation_id")
    is_failed = steps["conversation_id"].map(failed).to_numpy(bool)
    is_chosen = (steps["conversation_id"] == chosen).to_numpy(bool)
    numbers = [f"<b>{n}</b>" if own else f"{n}" for n, own in zip(steps["step_number"], is_chosen, strict=True)]
    figure.add_scatter(
        x=steps["opened_at"],
        y=steps["y"],
        mode="markers+text" if len(steps) <= MOST_NUMBERED else "markers",
        text=numbers,
        textposition="top center",
        textfont={"size": 11},
        customdata=[["conversation", value] for value in steps["conversation_id"]],
        hovertext=[_opening(row) for row in steps.to_dict("records")],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "opacity": 1,
            "size": [15 if own else 10 for own in is_chosen],
            "symbol": ["circle" if kind != "outreach" else "triangle-up" for kind in steps["kind"]],
            # Not in the colour of the channel, which the lane names: blue would be taken for an answer.
            "color": [theme.IGNORED if bad else theme.CONTEXT for bad in is_failed],
            "line": {"width": [3 if own else 1 for own in is_chosen], "color": theme.CONTEXT},
        },
        showlegend=False,
    )
    for is_there, label, hue in (
        (not is_failed.all(), "Opened", theme.CONTEXT),
        (is_failed.any(), "Opened, failed in a wait", theme.IGNORED),
    ):
        if is_there:
            figure.add_scatter(x=[None], y=[None], mode="markers", name=label, marker={"size": 10, "color": hue})


def _opening(row: dict[Any, Any]) -> str:
    channel = words.plotly(words.value("channel", row["channel"]))
    state = row["response_state"]
    told = words.value("state", state) if isinstance(state, str) else "Nothing to answer"
    parts = [f"{row['step_number']}. {channel}, {_moment(row['opened_at'])}", told]
    parts += [f"waited {words.minutes(float(row['waited_minutes']))}"] if pd.notna(row["waited_minutes"]) else []
    parts += ["the caller gave up"] if row.get("is_abandoned") else []
    return "<br>".join(words.plotly(part) for part in parts)


def _moment(at: object) -> str:
    return f"{at:%-d %b %Y, %H:%M}"


__all__ = ["journey_timeline"]
