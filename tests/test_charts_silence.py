"""Charts on silence are pure: a frame in, a figure out; hostile names stay text, empty frames stay empty."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from data_access.config import read_settings
from data_access.estimates import Z95
from data_access.published import figures_for
from pages.components import charts, charts_age, charts_silence, findings_silence

HOSTILE = '<a href="https://evil.example">x</a> & [z](https://evil.example)'
MANY = 400


def funnel_frame(**changes: object) -> pd.DataFrame:
    n = np.array([400.0, 100.0, 20.0, 200.0])
    raw = np.array([0.2, 0.52, 0.9, 0.5])
    frame = pd.DataFrame(
        {
            "team": [HOSTILE, "Mail", "Few", "Alone"],
            "target_due_count": n.astype(int),
            "comparable_count": [400, 90, 20, 0],
            "in_target_share": raw,
            "expected_share": [0.5, 0.5, 0.5, 0.5],
            "adjusted_share": raw,
            "overall_share": 0.5,
            "verdict": ["below", "as expected", "above", "as expected"],
        }
    )
    return frame.assign(**changes)


def hours_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "weekday": [1, 1, 7],
            "hour": [9, 10, 23],
            "complaint_count": [100, 12, 50],
            "due_count": [90, 10, 50],
            "ignored_in_time_count": [9, 9, 40],
            "ignored_share": [0.1, 0.9, 0.8],
            "ignored_share_low": [0.05, 0.6, 0.67],
            "ignored_share_high": [0.18, 0.98, 0.89],
        }
    )


def periods_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": pd.date_range("2026-01-05", periods=3, freq="7D"),
            "due_count": [100, 100, 40],
            "ignored_share": [0.2, 0.3, 0.1],
            "ignored_share_low": [0.15, 0.25, 0.05],
            "ignored_share_high": [0.25, 0.35, 0.2],
            "is_provisional": [False, False, True],
        }
    )


def expected_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": [pd.Timestamp("2026-01-19")],
            "young_count": [60],
            "expected_ignored_share": [0.4],
            "expected_ignored_share_low": [0.3],
            "expected_ignored_share_high": [0.55],
        }
    )


def standardised_frame(raw: tuple[float, float] = (0.6, 0.3), same: tuple[float, float] = (0.5, 0.4)) -> pd.DataFrame:
    frame = pd.DataFrame({"age_group": ["65+", "18-24"], "target_due_count": [MANY, MANY], "overall_share": 0.45})
    frame["same_share"] = 0.47
    for name, values in (("in_target_share", raw), ("standardised_share", same)):
        frame[name] = values
        frame[f"{name}_low"], frame[f"{name}_high"] = frame[name] - 0.04, frame[name] + 0.04
    return frame


def definitions_frame(unit: str = "share") -> pd.DataFrame:
    values = [0.4, 0.8, float("nan")] if unit == "share" else [30.0, 600.0, float("nan")]
    return pd.DataFrame(
        {
            "definition": ["ours", HOSTILE, "never reached"],
            "is_ours": [True, False, False],
            "unit": unit,
            "value": values,
            "value_low": [v - 0.1 for v in values],
            "value_high": [v + 0.1 for v in values],
        }
    )


def dumbbell(frame: pd.DataFrame) -> go.Figure:
    return charts_age.standardised_dumbbell(
        frame,
        "in_target_share",
        "standardised_share",
        "target_due_count",
        ("overall_share", "same_share"),
        measure="target_due",
    )


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: charts_silence.definitions_dot(definitions_frame().head(0)),
        lambda: charts_silence.funnel_plot(funnel_frame().head(0), "team"),
        lambda: charts_silence.hour_weekday_heatmap(hours_frame().head(0), "count"),
        lambda: charts_silence.hour_weekday_heatmap(hours_frame().head(0), "share"),
        lambda: charts_silence.ignored_by_period_line(periods_frame().head(0), expected_frame().head(0)),
        lambda: dumbbell(standardised_frame().head(0)),
    ],
)
def test_an_empty_frame_gives_an_empty_figure(drawn) -> None:
    assert len(drawn().data) == 0


@pytest.mark.parametrize("unit", ["share", "minutes"])
def test_only_our_definition_is_filled_and_what_is_not_reached_is_said_not_drawn(unit: str) -> None:
    figure = charts_silence.definitions_dot(definitions_frame(unit))
    assert len(figure.data[0].x) == 2
    assert figure.data[0].marker.color[0] != figure.data[0].marker.color[1]
    said = [annotation.text for annotation in figure.layout.annotations]
    assert said == (["<b>40 %</b>", "80 %", "–"] if unit == "share" else ["<b>30 min</b>", "10 h", "not reached"])


def test_the_limits_drawn_are_those_of_the_frame() -> None:
    figure = charts_silence.funnel_plot(funnel_frame(), "team")
    lower = next(t for t in figure.data if t.name == "limit 95 %")
    n, y = float(lower.x[40]), float(lower.y[40])
    assert y == pytest.approx(max(0.0, 0.5 - Z95 * math.sqrt(0.25 / n)))


def test_a_funnel_names_what_is_outside_greys_the_few_and_opens_rows() -> None:
    figure = charts_silence.funnel_plot(funnel_frame(), "team")
    points = figure.data[-1]
    assert list(points.customdata[1]) == ["waits_target_due", "team=Mail"]
    assert len(set(points.marker.color)) == 3
    named = [a.text for a in figure.layout.annotations if a.text not in ("95 %", "99.8 %")]
    assert len(named) == 1
    assert named[0].startswith("&lt;a href")


def test_who_shares_no_channel_is_not_drawn_but_named_in_words() -> None:
    drawn = [cell[1] for cell in charts_silence.funnel_plot(funnel_frame(), "team").data[-1].customdata]
    assert drawn[1:] == ["team=Mail", "team=Few"]
    assert findings_silence.alone(funnel_frame(), "team").startswith(" Not drawn: Alone shares no channel")
    assert len(charts_silence.funnel_plot(funnel_frame().tail(1), "team").data) == 0


def test_names_in_a_crowd_do_not_overlap() -> None:
    many = pd.concat([funnel_frame().head(1)] * 9, ignore_index=True)
    many["team"] = [f"Team {i}" for i in range(9)]
    named = [a.text for a in charts_silence.funnel_plot(many, "team").layout.annotations if "Team" in a.text]
    assert len(named) <= 2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_funnel_of_all_or_nothing_is_drawn(share: float) -> None:
    frame = funnel_frame(
        overall_share=share, adjusted_share=share, in_target_share=share, expected_share=share, verdict="as expected"
    )
    assert len(charts_silence.funnel_plot(frame, "team").data[-1].x) == 3


def test_definitions_count_other_rows_so_they_are_not_called_the_same_contacts() -> None:
    assert findings_silence.spread(definitions_frame()).startswith("From 40 % to 80 %")


def test_that_nobody_differs_is_said_of_two_and_of_many() -> None:
    two = funnel_frame(verdict="as expected")
    assert findings_silence.funnel(two, "team").startswith("Neither of 2 teams differs by more than chance")
    many = pd.concat([two, two.assign(team=["Post", "Chat", "x", "y"])])
    assert findings_silence.funnel(many, "team").startswith("None of 4 teams differs")


def test_the_finding_of_a_funnel_counts_only_who_can_be_compared() -> None:
    text = findings_silence.funnel(funnel_frame(), "team")
    assert text.startswith("Of 2 teams, 1 (")
    assert "less often" in text
    assert "more often" not in text


def test_hours_of_fewer_than_thirty_are_grey_in_shares_and_not_in_counts() -> None:
    *_, shares, share_marks = charts_silence.hour_weekday_heatmap(hours_frame(), "share").data
    *_, counts, count_marks = charts_silence.hour_weekday_heatmap(hours_frame(), "count").data
    assert math.isnan(shares.z[0][10])
    assert shares.z[6][23] == pytest.approx(0.8)
    assert counts.z[0][10] == 12
    assert ["complaints_ignored_in_time", "weekday=7", "hour=23"] in [list(cell) for cell in share_marks.customdata]
    places = {
        tuple(cell): (x, y) for cell, x, y in zip(count_marks.customdata, count_marks.x, count_marks.y, strict=True)
    }
    assert places["complaints", "weekday=1", "hour=10"] == (10, 0)


def test_the_sentence_on_hours_leaves_out_hours_with_too_few() -> None:
    assert "Sundays from 23:00 to 00:00: 80 %" in findings_silence.hours(hours_frame(), "share")
    few = hours_frame().assign(due_count=3)
    assert "widen the period" in findings_silence.hours(few, "share")


@pytest.mark.parametrize("n", [[1], [450], [1_200, 1_300], [3_000], [40, 5_000], [10, 90_000]])
def test_the_log_axis_of_the_funnel_has_ticks_that_show_its_scale(n: list[int]) -> None:
    teams = [f"Team {place}" for place in range(len(n))]
    frame = pd.concat([funnel_frame().head(1)] * len(n)).assign(target_due_count=n, team=teams)
    axis = charts_silence.funnel_plot(frame, "team").layout.xaxis
    least, most = (10**end for end in axis.range)
    assert len(axis.tickvals) >= (3 if max(n) > 30 else 1)
    assert len(axis.tickvals) <= 9
    assert all(least <= at <= most for at in axis.tickvals)


def test_who_jumps_the_queue_stands_with_the_row_of_the_title_first_and_the_few_last() -> None:
    frame = pd.DataFrame(
        {
            "team": ["Large", "Small", "Few"],
            "channel": "email",
            "easy_answered_count": [1000, 40, 5],
            "overtaking_count": [300, 14, 4],
            "overtaking_share": [0.3, 0.35, 0.8],
            "overtaking_share_low": [0.27, 0.22, 0.38],
        }
    )
    shown = findings_silence.surest_first(frame.iloc[::-1])
    assert list(shown["team"]) == ["Large", "Small", "Few"]
    assert list(shown.columns) == list(frame.columns)
    assert findings_silence.overtaking(frame).startswith("Large, email: 30 %")
    assert findings_silence.overtaking(frame.tail(1)).startswith("Too few answered contacts")
    none = frame.assign(overtaking_count=0)
    assert findings_silence.overtaking(none) == "No older complaint was clearly passed over"


def week_of_hours(ignored: int, worst: int) -> pd.DataFrame:
    """Every hour of the week with 40 complaints of which so many were ignored, and one hour with more."""
    hours = pd.DataFrame([{"weekday": day, "hour": hour} for day in range(1, 8) for hour in range(24)])
    part = np.where((hours["weekday"] == 3) & (hours["hour"] == 14), worst, ignored)
    return hours.assign(
        complaint_count=40, due_count=40, ignored_in_time_count=part, ignored_share=part / 40,
        ignored_share_low=0.0, ignored_share_high=1.0,
    )  # fmt: skip


def test_the_worst_of_all_hours_is_named_only_where_chance_does_not_make_one_so() -> None:
    # 18 of 40 against 10 of 40: alone it is p = 0.006, the worst of 168 hours is that often by chance.
    assert findings_silence.hours(week_of_hours(10, 18), "share").startswith("No hour of the week is ignored more")
    said = findings_silence.hours(week_of_hours(10, 30), "share")
    assert said == "Ignored most on Wednesdays from 14:00 to 15:00: 75 % (all hours: 25 %)"


def test_the_busiest_hour_is_named_only_where_chance_does_not_make_one_so() -> None:
    assert findings_silence.hours(hours_frame(), "count") == (
        "The busiest hour is Mondays from 09:00 to 10:00: 100 complaints, 62 % of all"
    )
    near = pd.DataFrame({"weekday": [1, 1, 2], "hour": [16, 17, 10], "complaint_count": [69, 61, 20]})
    assert findings_silence.hours(near, "count") == (
        "No single hour is clearly the busiest; 87 % of complaints come from 16:00 to 18:00"
    )
    night = pd.DataFrame({"weekday": [1, 1, 2], "hour": [23, 0, 10], "complaint_count": [40, 41, 39]})
    assert findings_silence.hours(night, "count").endswith("68 % of complaints come from 23:00 to 01:00")
    tie = pd.DataFrame({"weekday": [1, 2, 3], "hour": [9, 10, 11], "complaint_count": [1, 1, 1]})
    assert findings_silence.hours(tie, "count") == "No hour of the week is clearly the busiest, of 3 complaints"


def test_the_scale_of_a_few_complaints_has_whole_numbers_none_twice() -> None:
    few = hours_frame().assign(complaint_count=1)
    scale = charts_silence.hour_weekday_heatmap(few, "count").data[0].colorbar
    assert (scale.tick0, scale.dtick) == (0, 1)
    assert charts_silence.hour_weekday_heatmap(hours_frame(), "count").data[0].colorbar.nticks == 4


def test_a_provisional_period_shows_what_it_will_come_to_hollow_and_within_the_axis() -> None:
    figure = charts_silence.ignored_by_period_line(periods_frame(), expected_frame())
    expected = figure.data[-1]
    assert expected.marker.symbol == "diamond-open"
    assert list(expected.y) == [0.4]
    assert list(expected.error_y.array) == pytest.approx([0.15])
    assert figure.layout.yaxis.range[1] >= 0.55
    assert list(expected.customdata[0]) == ["complaints_due", "period=2026-01-19"]


def test_without_provisional_periods_nothing_is_expected() -> None:
    figure = charts_silence.ignored_by_period_line(periods_frame(), expected_frame().head(0))
    assert all(trace.name != "expected" for trace in figure.data)
    assert findings_silence.expected(expected_frame().head(0), "week") == ""


def test_a_published_figure_stands_on_the_row_of_its_channel() -> None:
    frame = periods_frame().assign(channel=["email", "twitter", "phone"])
    bars = charts.share_bar(frame, "channel", "ignored_share", "due_count", measure="complaints_due")
    figure = charts_silence.with_published(bars, "channel", figures_for("ignored_share"))
    mark = figure.data[-1]
    assert list(mark.x) == [0.71]
    assert bars.data[0].customdata[mark.y[0]][1] == "channel=twitter"
    assert figure.layout.xaxis.range[1] > 0.71


def test_a_published_figure_without_its_channel_is_not_drawn() -> None:
    frame = periods_frame().assign(channel=["email", "chat", "phone"])
    bars = charts.share_bar(frame, "channel", "ignored_share", "due_count", measure="complaints_due")
    assert len(charts_silence.with_published(bars, "channel", figures_for("ignored_share")).data) == 1


def test_a_published_figure_of_everybody_is_a_line_and_no_label_lies_under_a_mark() -> None:
    frame = periods_frame().assign(age_group=["18-24", "25-34", "65+"], ignored_share=[0.26, 0.05, 0.04])
    frame["ignored_share_low"], frame["ignored_share_high"] = (
        frame["ignored_share"] - 0.01,
        frame["ignored_share"] + 0.01,
    )
    bars = charts.share_bar(frame, "age_group", "ignored_share", "due_count", measure="contacts")
    social = [figure for figure in figures_for("customer_share") if figure.channel == "social"]
    figure = charts_silence.with_published(bars, "age_group", social)
    assert [shape.x0 for shape in figure.layout.shapes] == [0.068]
    assert list(figure.data[-1].x) == [0.2]
    labels = [a.x for a in figure.layout.annotations[:3]]
    assert labels[1:] == [0.068, 0.068]


def test_every_published_figure_says_source_year_population_and_caveat() -> None:
    for metric in ("ignored_share", "answered_share", "customer_share"):
        text = findings_silence.published(figures_for(metric))
        for figure in figures_for(metric):
            assert {figure.source in text, figure.year in text, figure.population in text} == {True}
            assert figure.caveat.rstrip(".") in text


def test_a_dumbbell_is_in_age_order_with_raw_hollow_and_standardised_filled() -> None:
    figure = dumbbell(standardised_frame())
    assert list(figure.layout.yaxis.ticktext) == ["18-24", "65+"]
    raw, same = (t for t in figure.data if t.customdata is not None)
    assert raw.marker.symbol == "circle-open"
    assert same.marker.symbol == "circle"
    assert list(raw.x) == [0.3, 0.6]
    assert list(raw.customdata[0]) == ["target_due", "age_group=18-24"]


@pytest.mark.parametrize(
    ("raw", "same", "said"),
    [
        ((0.6, 0.3), (0.5, 0.4), "67 % of the gap is channel"),
        ((0.6, 0.3), (0.4, 0.4), "all of the gap is channel"),
        ((0.6, 0.3), (0.7, 0.3), "none of the gap is channel"),
        ((0.41, 0.4), (0.4, 0.4), "No clear difference"),
    ],
)
def test_the_sentence_says_how_much_of_the_gap_is_channel(
    raw: tuple[float, float], same: tuple[float, float], said: str
) -> None:
    assert said in findings_silence.channel_part(standardised_frame(raw, same))


def test_names_from_the_data_are_never_markup() -> None:
    for figure in (
        charts_silence.funnel_plot(funnel_frame(), "team"),
        charts_silence.definitions_dot(definitions_frame()),
    ):
        assert "<a href" not in "".join(
            [a.text for a in figure.layout.annotations]
            + [str(t) for trace in figure.data for t in (trace.hovertext or ())]
            + [str(t) for t in (figure.layout.yaxis.ticktext or ())]
        )


def test_targets_and_calendars_are_said_with_their_dates(tmp_path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        '[[thresholds]]\nchannel = "email"\ntarget = "4 h"\nignored_after = "24 h"\nclock = "business"\n'
        "from = 2026-03-01\n",
        encoding="utf-8",
    )
    text = findings_silence.targets(read_settings(file), ["email", "phone"])
    assert "Email 4 h, ignored after 24 h of business hours, since 1 Mar 2026" in text
    assert "Phone 20 s, ignored after 30 min" in text
    assert "Chat" not in text
    assert "all hours" in findings_silence.calendars(read_settings(), "business")


def test_a_dumbbell_marks_everybody_as_they_are_and_on_the_channels_compared() -> None:
    marks = [(shape.x0, shape.line.dash) for shape in dumbbell(standardised_frame()).layout.shapes]
    assert marks == [(0.45, "dot"), (0.47, "dash")]
    alike = dumbbell(standardised_frame().assign(same_share=0.45))
    assert [shape.x0 for shape in alike.layout.shapes] == [0.45]
