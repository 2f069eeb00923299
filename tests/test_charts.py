"""Charts are pure: a frame in, a figure out; what comes from the data is never markup."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from data_access.estimates import wilson_interval
from data_access.metrics import METRICS
from data_access.vocabulary import CHANNELS, RESPONSE_STATES, SENTIMENTS
from pages.components import charts, findings, findings_age, panel, theme, words

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = '<a href="https://evil.example">x</a> & $y$ [z](https://evil.example)'


def shares(groups: list[str], dimension: str, share: str = "ignored_share", count: str = "due_count") -> pd.DataFrame:
    """Shares .1, .2 … of 100 each, the last of 10 only."""
    n = len(groups)
    values = np.arange(1, n + 1) / 10
    return pd.DataFrame(
        {
            dimension: groups,
            share: values,
            f"{share}_low": values - 0.05,
            f"{share}_high": values + 0.05,
            count: [100] * (n - 1) + [10],
        }
    )


def periods(n: int, provisional: int = 0) -> pd.DataFrame:
    frame = shares([str(i) for i in range(n)], "unused")
    frame["period"] = pd.date_range("2026-01-05", periods=n, freq="7D")
    frame["is_provisional"] = [False] * (n - provisional) + [True] * provisional
    return frame


def states(**counts: int) -> pd.DataFrame:
    row = {f"{state}_count": counts.get(state, 0) for state in RESPONSE_STATES}
    return pd.DataFrame([{"channel": "email", **row, "complaint_count": sum(counts.values())}])


def mix() -> pd.DataFrame:
    rows = [("18-24", "phone", 30), ("18-24", "twitter", 70), ("unknown", "phone", 5), ("65+", "phone", 90)]
    frame = pd.DataFrame(rows, columns=["age_group", "channel", "conversation_count"])
    total = frame.groupby("age_group")["conversation_count"].transform("sum")
    frame["share"] = frame["conversation_count"] / total
    frame["share_low"], frame["share_high"] = frame["share"] - 0.05, frame["share"] + 0.05
    return frame


def curve() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "minutes": [0.0, 1.0, 60.0],
            "answered_share": [0.1, 0.4, 0.45],
            "answered_share_low": [0.05, 0.3, 0.35],
            "answered_share_high": [0.2, 0.5, 0.55],
            "at_risk_count": [100, 90, 60],
        }
    )


EMPTY = {
    "curve": charts.answer_curve_line(curve().head(0)),
    "curve by channel": charts.answer_curve_line(curve().head(0).assign(channel=[]), "channel"),
    "over time": charts.share_by_period_line(
        periods(2).head(0), "ignored_share", "due_count", measure="complaints_due"
    ),
    "bars": charts.share_bar(
        shares(["a"], "team").head(0), "team", "ignored_share", "due_count", measure="complaints"
    ),
    "states": charts.response_states_bar(states(ignored=1).head(0)),
    "backlog": charts.backlog_by_age_bar(
        pd.DataFrame({"age": [], "open_count": [], "waiting_count": [], "ignored_count": []})
    ),
    "calls": charts.calls_by_period_bar(pd.DataFrame({"period": []})),
    "mix": charts.channel_mix_bar(mix().head(0)),
    "index": charts.channel_index_heatmap(mix().head(0)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_frame_gives_a_figure_without_marks(name: str) -> None:
    assert isinstance(EMPTY[name], go.Figure)
    assert len(EMPTY[name].data) == 0


def test_every_channel_state_and_sentiment_has_a_colour_and_ignored_has_one_of_its_own() -> None:
    fixed = {("channel", c) for c in CHANNELS} | {("state", s) for s in RESPONSE_STATES}
    fixed |= {("sentiment", s) for s in SENTIMENTS} | {("age_group", a) for a in ("<18", "18-24", "65+", "unknown")}
    colors = {key: theme.color(*key) for key in fixed}
    assert all(color.startswith("#") for color in colors.values())
    assert [key for key, color in colors.items() if color == theme.IGNORED] == [("state", "ignored")]
    assert len({colors["channel", c] for c in CHANNELS}) == len(CHANNELS)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """By WCAG 2.2."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_fixed_colour_can_be_seen_on_white_and_on_the_dark_background() -> None:
    for color in (
        *theme.CHANNEL_COLORS.values(),
        theme.IGNORED,
        theme.ACCENT,
        theme.age_color("<18"),
        theme.age_color("65+"),
    ):
        assert contrast(color, "#FFFFFF") >= 2.7, color
        assert contrast(color, "#14181C") >= 2.7, color
    for ground in ("#FFFFFF", "#14181C"):
        assert contrast(theme.CONTEXT_INK, ground) >= 4


def test_the_ink_on_every_fixed_colour_can_be_read():
    colors = {*theme.CHANNEL_COLORS.values(), *theme.STATE_COLORS.values(), *theme.SENTIMENT_COLORS.values()}
    for color in colors | {theme.ACCENT, theme.age_color("<18"), theme.age_color("65+")}:
        ink = theme.ink_on(color)
        assert contrast(color, ink) >= 4.5, color
        assert contrast(color, ink) >= contrast(color, "#FFFFFF" if ink != "#FFFFFF" else "#000000")
    assert theme.ink_on("#FFFF00") == "#000000"
    assert theme.ink_on("#00008B") == "#FFFFFF"


def test_ages_stand_in_their_natural_order_with_unknown_last() -> None:
    assert theme.natural_order("age_group", ["unknown", "65+", "<18", "18-24"]) == ["<18", "18-24", "65+", "unknown"]


def test_bars_are_ordered_by_size_and_groups_under_thirty_come_last_and_grey() -> None:
    frame = shares(["a", "b", "c"], "team")
    bar = charts.share_bar(frame, "team", "ignored_share", "due_count", measure="complaints_due").data[0]
    assert [cell[1] for cell in bar.customdata] == ["team=b", "team=a", "team=c"]
    assert bar.marker.color[2] == theme.CONTEXT
    assert bar.marker.opacity[2] < 1


def test_bars_start_at_zero_and_every_bar_knows_what_it_opens() -> None:
    figure = charts.share_bar(
        shares(["a", "b"], "team"), "team", "ignored_share", "due_count", measure="complaints_due"
    )
    assert figure.layout.xaxis.range[0] == 0
    assert all(cell[0] == "complaints_due" for cell in figure.data[0].customdata)


def test_hostile_names_are_escaped_in_figures_but_not_in_the_cells_they_open() -> None:
    figure = charts.share_bar(
        shares([HOSTILE, "b"], "brand"), "brand", "ignored_share", "due_count", measure="complaints"
    )
    shown = " ".join([*figure.layout.yaxis.ticktext, *figure.data[0].hovertext])
    assert "<a" not in shown
    assert "&lt;a" in shown
    assert ["complaints", f"brand={HOSTILE}"] in [list(cell) for cell in figure.data[0].customdata]


def test_hostile_text_is_no_markdown() -> None:
    shown = words.markdown(HOSTILE + " :red[x] ![p](http://e.example/p.png)\n# head")
    for sign in "<[]()$!:#":
        assert f" {sign}" not in f" {shown}".replace("\\" + sign, "")
    assert "\n" not in shown


def test_provisional_periods_are_hatched_and_outside_the_line() -> None:
    figure = charts.share_by_period_line(
        periods(4, provisional=1), "ignored_share", "due_count", measure="complaints_due"
    )
    hatch = [trace for trace in figure.data if trace.type == "bar"]
    lines = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines"]
    line = next(trace for trace in lines if trace.line.width)
    assert hatch[0].marker.pattern.shape == "/"
    assert math.isnan(line.y[3])
    assert not math.isnan(line.y[2])


def test_hatched_periods_are_spoken_of_only_where_there_are_any() -> None:
    assert panel.provisional(periods(3), "day") == ""
    assert panel.provisional(periods(3, provisional=1), "day") == " The hatched day may still change."
    assert panel.provisional(periods(3, provisional=2), "week") == " Hatched weeks may still change."


def test_the_bar_of_a_single_day_is_not_as_wide_as_the_plot() -> None:
    counts = {"offered_count": 9, "answered_count": 7, "abandoned_count": 2, "short_abandoned_count": 1}
    day = pd.DataFrame([{"period": pd.Timestamp("2026-01-05"), **counts}])
    figure = charts.calls_by_period_bar(day, grain="day")
    first, last = figure.layout.xaxis.range
    assert figure.data[0].width <= 0.3 * (pd.Timestamp(last) - pd.Timestamp(first)).total_seconds() * 1000
    week = pd.concat([day.assign(period=day["period"] + pd.Timedelta(days=at)) for at in range(3)])
    assert charts.calls_by_period_bar(week, grain="day").layout.xaxis.range is None


def test_a_period_that_is_cut_is_hollow_and_the_label_stands_at_the_last_whole_one() -> None:
    frame = periods(4).assign(due_count=100)
    figure = charts.share_by_period_line(
        frame, "ignored_share", "due_count", measure="complaints_due", cut=[frame["period"].iloc[-1]]
    )
    marks = next(trace for trace in figure.data if trace.mode == "markers")
    assert [hue == theme.ACCENT for hue in marks.marker.color] == [True, True, True, False]
    assert figure.layout.annotations[-1].x == frame["period"].iloc[-2]


def test_a_line_and_its_band_stop_where_weeks_have_no_data() -> None:
    frame = periods(9).drop(index=[1, 2, 3]).reset_index(drop=True)
    figure = charts.share_by_period_line(frame, "ignored_share", "due_count", measure="complaints_due")
    band, line, points = figure.data
    assert [math.isnan(y) for y in line.y] == [False, True, *[False] * 5]
    assert len(points.x) == len(frame)
    lone, others = [list(part) for part in _split(band.x)]
    assert min(lone) < frame["period"][0] < max(lone)
    assert [others[0], others[4]] == [frame["period"][1], frame["period"][5]]


def _split(dates: Sequence[object]) -> list[Sequence[object]]:
    gap = list(dates).index(None)
    return [dates[:gap], dates[gap + 1 :]]


def test_dates_under_a_chart_stand_apart_however_the_data_lie() -> None:
    frame = periods(60).drop(index=range(1, 50)).reset_index(drop=True)
    axis = charts.share_by_period_line(frame, "ignored_share", "due_count", measure="complaints_due").layout.xaxis
    assert list(axis.tickvals) == [frame["period"][0], frame["period"][1], frame["period"].iloc[-1]]
    assert axis.tickformat.endswith("%Y")
    regular = charts.share_by_period_line(periods(14), "ignored_share", "due_count", measure="complaints_due")
    assert list(regular.layout.xaxis.tickvals) == list(periods(14)["period"])[1::2]
    assert "%Y" not in regular.layout.xaxis.tickformat


def test_names_of_teams_and_brands_keep_their_capital_inside_a_sentence() -> None:
    frame = pd.DataFrame(
        {"team": ["Back office", "Phone South"], "s": [0.9, 0.2], "s_low": [0.8, 0.1], "s_high": [0.95, 0.3]}
    ).assign(n=100)
    assert findings.groups_apart(frame, "team", "s", "n", "late") == "Back office: 90 % late; Phone South: 20 %"
    assert words.inside("team", "unknown") == "no team"
    assert words.inside("channel", "phone") == "phone"


def test_a_trend_names_its_periods_as_people_do_and_leaves_out_those_that_are_cut() -> None:
    frame = shares(["1", "2", "3"], "unused").assign(due_count=100, is_provisional=False)
    frame = frame.assign(ignored_share_low=frame["ignored_share"], ignored_share_high=frame["ignored_share"])
    frame["period"] = pd.to_datetime(["2025-10-01", "2026-01-01", "2026-04-01"])

    def said(grain: str, cut: Sequence[pd.Timestamp] = (), shown: pd.DataFrame = frame) -> str:
        return findings.over_time(shown, "ignored_share", "due_count", "ignored", grain, cut)

    assert said("quarter") == "30 % ignored, up from 10 % in Q4 2025"
    assert said("day") == "30 % ignored, up from 10 % on 1 Oct 2025"
    assert said("week") == "30 % ignored, up from 10 % in the week of 1 Oct 2025"
    assert said("month", [frame["period"].iloc[-1]]) == "20 % ignored, up from 10 % in Oct 2025"
    level = frame.assign(ignored_share_low=0.0, ignored_share_high=0.5)
    assert said("week", shown=level) == (
        "30 % ignored in the latest full week, not clearly different from the first; all weeks between 10 % and 30 %"
    )
    assert said("week", shown=level.assign(ignored_share=0.0)).endswith("all weeks 0 %")


def test_what_reads_the_same_is_said_once_and_what_is_too_few_in_plain_words() -> None:
    frame = shares(["a", "b"], "team").assign(due_count=100, ignored_share=0.0)
    said = findings.groups_apart(frame, "team", "ignored_share", "due_count", "of complaints ignored")
    assert said == "No clear difference: 0 % of complaints ignored"
    few = findings.groups_apart(
        frame.assign(due_count=3), "team", "ignored_share", "due_count", "of complaints ignored"
    )
    assert few == "Too few in every group to compare them"


def of_channels(**counts: tuple[int, int]) -> pd.DataFrame:
    """Complaints ignored in time and now, of those due, by channel."""
    frame = pd.DataFrame([(name, *both) for name, both in counts.items()], columns=["channel", "ignored", "due_count"])
    frame["ignored_in_time_count"] = frame["ignored_count"] = frame["ignored"]
    frame["complaint_count"], frame["ignored_share"] = frame["due_count"], frame["ignored"] / frame["due_count"]
    frame["ignored_share_low"], frame["ignored_share_high"] = wilson_interval(frame["ignored"], frame["due_count"])
    return frame


def test_a_channel_is_named_as_failing_only_where_more_is_ignored_than_on_the_others_together() -> None:
    quiet = of_channels(chat=(2, 49), email=(6, 9), twitter=(3, 5), phone=(0, 12))
    assert findings.standing_out(quiet, "ignored_in_time_count", "due_count").empty
    assert findings.no_door(quiet) == (
        "No channel with 30 complaints or more stands out from the others. "
        "9 ignored complaints came by channels with fewer: Email 6 of 9, Twitter 3 of 5."
    )
    assert findings.response_states(quiet, "channel") == "15 % of complaints are ignored now; no channel stands out"
    loud = of_channels(chat=(2, 100), email=(40, 80), facebook=(30, 90), phone=(1, 3))
    found = findings.standing_out(loud, "ignored_in_time_count", "due_count")
    assert found["channel"].tolist() == ["email"]  # Facebook's third is near the share of the others
    assert findings.response_states(loud, "channel") == "Email: 1 of 2 complaints are ignored now"
    assert findings.no_door(of_channels(email=(3, 9))) == (
        "No channel has the 30 complaints that it takes to judge it. "
        "3 ignored complaints came by channels with fewer: Email 3 of 9."
    )
    young = of_channels(chat=(0, 49)).assign(due_count=0)
    assert findings.no_door(young) == "No complaint is old enough to be judged."
    assert findings.no_door(young.head(0)) == "No complaint matches this filter."
    assert findings.no_door(of_channels(chat=(0, 49))) == "No complaint old enough to be judged was ignored."
    assert findings.no_door(of_channels(chat=(9, 40), email=(9, 40))).endswith("stands out from the others.")


def test_a_single_group_that_can_be_judged_is_not_said_to_be_ahead_of_the_others() -> None:
    frame = of_channels(chat=(2, 49), email=(6, 9))
    said = findings.groups_apart(frame, "channel", "ignored_share", "due_count", "of complaints ignored")
    assert said == "Chat: 4.1 % of complaints ignored; the others are too few to compare"
    alone = findings.groups_apart(frame.head(1), "channel", "ignored_share", "due_count", "of complaints ignored")
    assert alone == "Chat: 4.1 % of complaints ignored"


def test_the_title_of_curves_speaks_of_what_is_drawn() -> None:
    groups = pd.DataFrame({"channel": ["phone", "review", "sms"], "median_minutes_all": [1.0, math.nan, 0.1]})
    fast, slow = curve().assign(channel="phone", answered_share_low=0.45), curve().assign(channel="review")
    slow["answered_share_high"] = slow["answered_share_low"] = 0.1
    drawn = pd.concat([fast, slow])
    assert findings.curves_apart(groups, drawn, "channel") == "Phone: half within 60 s; reviews: half not reached"
    near = pd.concat([fast, slow.assign(answered_share_high=0.6)])
    assert findings.curves_apart(groups, near, "channel").startswith("No clear difference: half within 60 s")
    assert findings.curves_apart(groups, fast, "channel") == "Phone: half within 60 s"
    assert findings.curves_apart(groups, slow, "channel") == "Half are answered so far in no group"
    assert findings.curves_apart(groups, drawn.head(0), "channel").startswith("Too few")


def test_the_caption_of_curves_counts_what_is_drawn_and_names_what_is_not() -> None:
    groups = pd.DataFrame(
        {
            "channel": ["phone", "email", "sms"],
            "conversation_count": [200, 100, 12],
            "answered_unknown_time_count": [0, 3, 0],
        }
    )
    drawn = pd.concat([curve().assign(channel=name) for name in ("phone", "email")])
    said = panel.curve_counted(groups.sum(), groups, drawn, "channel")
    assert said.startswith("Share of 297 conversations answered")
    assert "left out: SMS (12)." in said
    assert said.endswith("3 answered at an unknown time are left out.")
    alone = panel.curve_counted(groups.sum(), pd.DataFrame(), curve(), "")
    assert alone.startswith("Share of 309 conversations answered")
    assert "left out: " not in panel.curve_counted(groups.sum(), groups.head(2), drawn, "channel")


def test_names_of_channels_keep_their_capital_inside_a_sentence() -> None:
    assert words.in_sentence("Twitter, then another agent") == "Twitter, then another agent"
    assert words.in_sentence("Phone, then Twitter") == "phone, then Twitter"


def test_the_answer_curve_begins_at_zero_never_falls_and_keeps_its_end() -> None:
    line = next(trace for trace in charts.answer_curve_line(curve()).data if trace.name)
    assert line.y[0] == 0
    assert list(line.y) == sorted(line.y)
    assert line.y[-1] == 0.45
    assert charts.answer_curve_line(curve()).layout.xaxis.type == "log"


def test_a_target_beyond_all_answers_is_on_the_axis_with_room_for_its_words():
    figure = charts.answer_curve_line(curve(), targets={"target: letter": 60 * 24 * 10})
    last = 10 ** figure.layout.xaxis.range[1]
    assert last == pytest.approx(2 * 60 * 24 * 10)
    assert [shape.x0 for shape in figure.layout.shapes] == [60 * 24 * 10]


def test_times_on_the_axis_stand_apart_on_a_telephone() -> None:
    long = curve().assign(minutes=[0.0, 1.0, 100 * 1440.0])
    axis = charts.answer_curve_line(long).layout.xaxis
    pixels = 226 / (axis.range[1] - axis.range[0])  # of the plot on a screen of 390
    places = [math.log10(at) * pixels for at in axis.tickvals]
    room = [(len(one) + len(other)) * 5.2 / 2 for one, other in zip(axis.ticktext, axis.ticktext[1:], strict=False)]
    assert all(right - left > need for left, right, need in zip(places, places[1:], room, strict=False))


def test_thinning_keeps_the_last_point_of_a_long_curve() -> None:
    n = 5000
    long = pd.DataFrame({"minutes": np.arange(n) + 1.0, "answered_share": np.linspace(0, 0.9, n)})
    long["answered_share_low"] = long["answered_share_high"] = long["answered_share"]
    line = next(trace for trace in charts.answer_curve_line(long).data if trace.name)
    assert len(line.x) <= charts.CURVE_POINTS + 3
    assert line.y[-1] == pytest.approx(0.9)


def test_the_parts_of_a_hundred_per_cent_bar_add_to_one() -> None:
    figure = charts.response_states_bar(states(ignored=3, waiting=1, answered_late=6))
    assert sum(trace.x[0] for trace in figure.data) == pytest.approx(1)
    assert {trace.customdata[0][0] for trace in figure.data} == {
        "complaints_ignored",
        "complaints_waiting",
        "complaints_answered_late",
    }
    mixed = charts.channel_mix_bar(mix())
    assert [sum(trace.x[i] for trace in mixed.data) for i in range(3)] == pytest.approx([1, 1, 1])


def test_a_small_group_has_no_colour_in_the_index() -> None:
    heat = charts.channel_index_heatmap(mix()).data[0]
    assert all(math.isnan(value) for value in heat.z[-1])  # unknown: 5 conversations


def test_titles_are_findings_in_words() -> None:
    far = pd.DataFrame(
        {"team": ["a", "b"], "s": [0.9, 0.2], "s_low": [0.8, 0.1], "s_high": [0.95, 0.3], "n": [100, 100]}
    )
    near = far.assign(s=[0.5, 0.45], s_low=[0.4, 0.35], s_high=[0.6, 0.55])
    few = far.assign(n=[5, 6])
    third = pd.DataFrame({"team": ["c"], "s": [0.95], "s_low": [0.25], "s_high": [1.0], "n": [31]})
    assert findings.groups_apart(pd.concat([far, third]), "team", "s", "n", "ignored") == (
        "a: 90 % ignored, clearly more than b: 20 %"
    )
    surer = third.assign(s_low=[0.7])
    assert findings.groups_apart(pd.concat([far, surer]), "team", "s", "n", "ignored") == "c: 95 % ignored; b: 20 %"
    assert findings.groups_apart(far, "team", "s", "n", "ignored") == "a: 90 % ignored; b: 20 %"
    assert findings.groups_apart(near, "team", "s", "n", "ignored").startswith("No clear difference")
    assert findings.groups_apart(few, "team", "s", "n", "ignored").startswith("Too few")
    for nothing in (far.assign(n=0), far.head(0)):
        assert findings.groups_apart(nothing, "team", "s", "n", "ignored") == "There is nothing here to compare"
    tied = far.assign(s=[1.0, 0.0])
    smaller = tied.assign(team=["A", "B"], n=[38, 38])
    for parts in ([tied, smaller], [smaller, tied]):
        frame = pd.concat(parts, ignore_index=True)
        assert findings.groups_apart(frame, "team", "s", "n", "ignored") == "a: 100 % ignored; b: 0 %"
        bars = charts.share_bar(frame, "team", "s", "n", measure="m").data[0]
        assert next(iter(bars.customdata))[1] == "team=a"
    states_frame = states(ignored=30, answered_late=10)
    assert findings.response_states(states_frame, "channel") == "Email: 3 of 4 complaints are ignored now"


def ages(counts: dict[str, tuple[int, int, int]]) -> pd.DataFrame:
    """Conversations by phone, chat and e-mail of each age group."""
    rows = [
        (age, channel, number)
        for age, numbers in counts.items()
        for channel, number in zip(("phone", "chat", "email"), numbers, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["age_group", "channel", "conversation_count"])
    return frame.assign(
        share=frame["conversation_count"] / frame.groupby("age_group")["conversation_count"].transform("sum")
    )


def test_a_channel_is_called_first_only_of_ages_where_chance_does_not_make_it_so() -> None:
    close, far = (88, 80, 60), (200, 100, 60)
    assert findings.channel_mix(ages({"18-24": close, "25-34": far, "65+": (300, 90, 10)})) == (
        "Phone comes first in 2 of 3 age groups: 56 % at 25-34, 75 % at 65+; no clear first at 18-24"
    )
    assert findings.channel_mix(ages({"18-24": close, "25-34": close})) == "No channel is clearly first at any age"
    few = ages({"18-24": close, "25-34": (1, 2, 0)})
    assert findings.channel_mix(few) == "No channel is clearly first in any age group large enough to judge"
    assert findings.channel_mix(ages({"25-34": far, "65+": far})).startswith("Phone comes first at every age: 56 % at")
    apart = ages({"18-24": (10, 90, 5), "25-34": close, "65+": far})
    assert findings.channel_mix(apart) == (
        "Chat first for 18-24 (86 %), phone first for 65+ (56 %); no clear first at 25-34"
    )


def test_short_abandons_are_said_with_the_share_that_they_would_change_and_only_where_there_are_any() -> None:
    calls = {"offered_count": 100, "short_abandoned_count": 10, "service_level_share": 0.5}
    some = findings.service_level({**calls, "service_level_all_share": 0.45})
    assert some.endswith("50 % answered within target. That leaves out 10 short abandons; of all offered it is 45 %.")
    none = findings.service_level({**calls, "short_abandoned_count": 0, "service_level_all_share": 0.5})
    assert none == "100 calls offered; 50 % answered within target."


def test_a_median_that_is_not_reached_is_said_beside_the_usual_number() -> None:
    row = {"median_minutes_answered": 11.0, "median_minutes_all": float("nan")}
    assert (
        findings.answer_curve(row)
        == "The usual number says 11 min; counting everyone, fewer than half are answered so far"
    )
    assert "4 h 20 min" in findings.answer_curve({"median_minutes_answered": 11.0, "median_minutes_all": 260.0})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "30 s"),
        (1.4, "84 s"),
        (5.5, "5.5 min"),
        (59, "59 min"),
        (260, "4 h 20 min"),
        (4560, "3 d 4 h"),
        (30000, "21 d"),
    ],
)
def test_durations_are_said_in_two_units_at_most(value: float, text: str) -> None:
    assert words.minutes(value) == text


def test_nothing_on_screen_calls_what_is_not_answered_yet_never_answered() -> None:
    """Whether somebody will be answered is not known at `as_of`: only that nobody has so far."""
    shown = [*(ROOT / "pages").rglob("*.py"), *(ROOT / "data_access" / "queries").glob("*.py")]
    shown += [ROOT / "data_access" / name for name in ("metrics.py", "measures.py", "reports.py", "estimates.py")]
    said = re.compile(r"\b(never|not ever)[ -](been )?answered", re.IGNORECASE)
    assert [
        (path.name, said.findall(path.read_text("utf-8"))) for path in shown if said.search(path.read_text("utf-8"))
    ] == []
    assert "never" not in METRICS["median_minutes_all"].definition


def test_definitions_are_said_in_the_words_of_headings():
    said = [
        words.definition(text)
        for metric in METRICS.values()
        for text in (metric.definition, metric.owning_time, metric.unit, metric.source)
    ]
    assert not [text for text in said if re.search(r"_|`|\*|--|\.md", text)]
    assert any("\u201cOld enough to judge\u201d" in text for text in said)
    assert "opening of the conversation" in said


def test_what_definitions_name_of_reports_and_settings_is_still_in_the_registry():
    registry = " ".join(f"{metric.definition} {metric.source}" for metric in METRICS.values())
    assert [written for written, _ in words._OF_REGISTRY if written not in registry] == []


def test_an_age_group_waits_longest_only_beyond_its_interval():
    frame = pd.DataFrame(
        {
            "age_group": ["18-24", "65+"],
            "conversation_count": [100, 51],
            "median_minutes_all": [50.0, 113.0],
            "median_minutes_all_low": [30.0, 40.0],
            "overall_median_minutes": [50.0, 50.0],
            "standardised_median_minutes": [50.0, 60.0],
        }
    )
    unsure = "No age group clearly waits longer than all customers: medians from 50 min (18-24) to 1 h 53 min (65+)"
    assert findings_age.fairness(frame, "median") == unsure
    sure = frame.assign(median_minutes_all_low=[30.0, 60.0])
    assert findings_age.fairness(sure, "median").startswith(
        "65+ wait longest: median 1 h 53 min (all customers 50 min)"
    )
    never = sure.assign(median_minutes_all=[50.0, float("nan")])
    assert findings_age.fairness(never, "median").startswith("65+ wait longest: median not reached")
