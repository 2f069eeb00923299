"""Charts put together as plain dictionaries are what plotly's own methods make, are kept, and are never changed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from pages.components import charts, charts_joined_up, theme
from pages.components.drawing import Chart, Drawing, drawn

LINE = {"color": "#123456", "width": 1}


def compose(figure) -> None:
    """What our charts do with a figure."""
    figure.update_layout(height=200, margin={"l": 4, "t": 20}, legend={"font": {"size": 11}})
    figure.update_xaxes(showgrid=True, tickfont={"size": 11})
    figure.add_bar(x=np.array([0.25, 0.5]), y=["a", "b"], marker={"color": ["#111111", "#222222"]}, orientation="h")
    figure.add_scatter(x=pd.Series([1.0, 2.0]), y=[pd.Timestamp("2026-01-05"), None], mode="lines", fill=None)
    figure.add_heatmap(z=[[1.0, float("nan")]], showscale=False)
    figure.add_vline(x=0.4, line=LINE)
    figure.add_hline(y=1, line=LINE)
    for place in range(3):
        figure.add_annotation(x=place, y=0, text=f"<b>{place}</b>", font={"size": 12})
    figure.update_layout(margin={"t": 34}, legend={"orientation": "h"})
    figure.update_xaxes(tickfont={"color": "#333333"}, range=[0, 1])
    figure.update_yaxes(range=[0, 2], nticks=5)


def as_sent(figure: go.Figure) -> dict:
    return json.loads(pio.to_json(figure, validate=False))


def shares(count: int = 3) -> pd.DataFrame:
    frame = pd.DataFrame({"channel": ["email", "phone", "chat"][:count], "s": [0.5, 0.25, 0.125][:count], "n": 100})
    return frame.assign(s_low=frame["s"] - 0.1, s_high=frame["s"] + 0.1)


def bar(frame: pd.DataFrame) -> Chart:
    return charts.share_bar(frame, "channel", "s", "n", measure="complaints_due")


def test_a_drawing_gives_the_figure_that_plotlys_own_methods_give() -> None:
    made, theirs = Drawing(), go.Figure()
    compose(made)
    compose(theirs)
    assert as_sent(made.figure()) == as_sent(theirs)


def test_a_property_that_plotly_does_not_know_fails_in_the_tests() -> None:
    made = Drawing()
    made.add_bar(x=[1], y=[1], heigth=3)
    with pytest.raises(ValueError, match="heigth"):
        made.figure()


def test_what_is_sent_has_the_colour_of_the_theme_and_else_what_was_drawn() -> None:
    chart = bar(shares())
    sent, plain = as_sent(chart.sent("#C9CED3")), as_sent(chart)
    assert sent["layout"]["font"]["color"] == "#C9CED3"
    assert sent["layout"]["xaxis"]["tickfont"] == {"size": 11, "color": "#C9CED3"}
    assert sent["layout"]["yaxis"]["tickfont"]["color"] == "#C9CED3"
    assert sent["data"] == plain["data"]
    assert as_sent(chart.sent("")) == plain
    assert as_sent(chart.sent("#3A4046"))["layout"]["font"]["color"] == "#3A4046"


def test_the_same_frame_gives_the_chart_already_drawn_and_another_frame_another() -> None:
    assert bar(shares()) is bar(shares())
    other = shares()
    other.loc[0, "s"] = 0.375
    assert bar(other) is not bar(shares())
    assert list(bar(other).data[0].x) != list(bar(shares()).data[0].x)
    assert bar(shares()) is not charts.share_bar(
        shares(), "channel", "s", "n", measure="complaints_due", color=theme.IGNORED
    )


def test_a_chart_made_of_a_kept_one_leaves_it_as_it_was() -> None:
    before = as_sent(bar(shares()))
    changed = charts_joined_up.within(bar(shares()), 14)
    assert all("within_days=14" in cell for cell in changed.data[0].customdata)
    assert as_sent(bar(shares())) == before


def test_a_variant_is_made_once_for_each_name() -> None:
    figure = bar(shares())
    assert charts_joined_up.within(figure, 14) is charts_joined_up.within(figure, 14)
    assert charts_joined_up.within(figure, 21) is not charts_joined_up.within(figure, 14)


def test_drawing_cannot_change_the_frame_that_the_page_goes_on_with() -> None:
    @drawn
    def spoiling(data_frame: pd.DataFrame) -> Drawing:
        data_frame["s"] = 0.0
        return Drawing()

    frame = shares()
    spoiling(frame)
    assert list(frame["s"]) == [0.5, 0.25, 0.125]
