"""Sentiment charts are pure functions: what is drawn, marked, ordered and opened, and the words beside them."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_access.estimates import laney_p_prime, wilson_interval
from data_access.measures import Selection
from data_access.metrics import METRICS
from pages.components import charts_sentiment, findings_sentiment, reading, theme, words

HOSTILE = "<a href='http://e.example'>x</a>"


def trend(negatives: list[int], scored: int = 100, positives: int = 20) -> pd.DataFrame:
    n = np.full(len(negatives), scored)
    limits = laney_p_prime(negatives, n, np.arange(len(n)) < 8)
    low, high = wilson_interval(negatives, n)
    empty = np.full(len(n), np.nan)
    return pd.DataFrame(
        {
            "period": pd.date_range("2026-01-05", periods=len(n), freq="7D"),
            "scored_count": n,
            "negative_share": np.array(negatives) / n,
            "negative_share_low": low,
            "negative_share_high": high,
            "net_share": (positives - np.array(negatives)) / n,
            "centre_share": limits.centre if limits else empty,
            "limit_low": limits.low if limits else empty,
            "limit_high": limits.high if limits else empty,
            "baseline_count": limits.baseline_count if limits else 0,
            "baseline_shown_count": limits.baseline_count if limits else 0,
            "signal": limits.signal if limits else "",
        }
    )


CALM = [50, 52, 48, 51, 49, 50, 53, 47, 50, 49]
JUMP = [*CALM, 80, 51]


def blamed(rows: list[tuple[str, str, int, int]]) -> pd.DataFrame:
    columns = ["channel", "blamed_channel", "conversation_count", "channel_conversation_count"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["share"] = frame["conversation_count"] / frame["channel_conversation_count"]
    frame["share_low"], frame["share_high"] = wilson_interval(
        frame["conversation_count"], frame["channel_conversation_count"]
    )
    return frame


BLAMED = blamed(
    [
        ("twitter", "phone", 50, 200),
        ("twitter", "email", 5, 200),
        ("email", "phone", 10, 400),
        ("sms", "phone", 2, 9),
        ("phone", "phone", 90, 900),
    ]
)


def recovered(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["wait_band", "written_again_count", "recovered_count"])
    frame["recovered_share"] = frame["recovered_count"] / frame["written_again_count"]
    frame["recovered_share_low"], frame["recovered_share_high"] = wilson_interval(
        frame["recovered_count"], frame["written_again_count"]
    )
    return frame


def terms(*rising: bool, kind: str = "topic") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term_kind": kind,
            "term": [f"term_{place}" for place in range(len(rising))],
            "conversation_count": 40,
            "previous_conversation_count": 20,
            "total_count": 1000,
            "previous_total_count": 900,
            "log_odds": 0.7,
            "z": [4.0 - place for place in range(len(rising))],
            "p_value": 0.001,
            "is_rising": list(rising),
        }
    )


def error(n: int, *, low: float, level: float, high: float) -> pd.DataFrame:
    row = {"task": "sentiment", "labelled_count": n, "level_error": level}
    return pd.DataFrame([{**row, "level_error_low": low, "level_error_high": high}])


def points(figure: object) -> object:
    return next(trace for trace in figure.data if trace.type == "scatter" and trace.mode == "markers")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "figure",
    [
        charts_sentiment.negative_share_line(trend(CALM).head(0)),
        charts_sentiment.net_sentiment_line(trend(CALM).head(0)),
        charts_sentiment.said_on_about_heatmap(BLAMED.head(0)),
        charts_sentiment.recovery_bar(recovered([]).astype({"written_again_count": "int64"})),
        charts_sentiment.rising_terms_dot(terms()),
    ],
)
def test_an_empty_frame_gives_a_figure_without_marks_and_axes(figure) -> None:
    assert len(figure.data) == 0
    assert figure.layout.xaxis.visible is False


def test_the_module_knows_no_streamlit_and_no_sql() -> None:
    tree = ast.parse(Path(charts_sentiment.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(name.split(".")[0] in ("streamlit", "sqlalchemy") or "queries" in name for name in names)


def test_only_signals_are_marked_and_the_hover_names_the_rule() -> None:
    calm, jump = (charts_sentiment.negative_share_line(trend(values)) for values in (CALM, JUMP))
    assert set(points(calm).marker.symbol) == {"circle"}
    assert [place for place, symbol in enumerate(points(jump).marker.symbol) if symbol == "diamond"] == [10]
    assert "Signal: beyond the limits" in points(jump).hovertext[10]
    assert not any("Signal" in text for place, text in enumerate(points(jump).hovertext) if place != 10)


@pytest.mark.parametrize("line", [charts_sentiment.negative_share_line, charts_sentiment.net_sentiment_line])
def test_the_latest_whole_week_has_the_label_and_the_cut_one_is_hollow_and_outside_the_line(line) -> None:
    frame = trend([*CALM, 62, 40])
    figure = line(frame, cut=[frame["period"].iloc[-1]])
    label = next(note for note in figure.layout.annotations if str(note.text).startswith("<b>"))
    assert label.x == frame["period"].iloc[-2]
    assert [hue == charts_sentiment.NEGATIVE for hue in points(figure).marker.color] == [True] * 11 + [False]
    drawn = next(trace for trace in figure.data if trace.line.width == 2.5)
    assert [math.isnan(y) for y in drawn.y] == [False] * 11 + [True]


@pytest.mark.parametrize(("last", "side"), [(54, 1), (46, -1)])
def test_the_label_stands_on_the_side_away_from_the_usual_line(last: int, side: int) -> None:
    figure = charts_sentiment.negative_share_line(trend([*CALM, last]))
    label = next(note for note in figure.layout.annotations if str(note.text).startswith("<b>"))
    assert label.yshift * side > 0


def test_without_a_baseline_there_are_no_limits_and_nothing_is_marked() -> None:
    few = trend(CALM[:5])
    figure = charts_sentiment.negative_share_line(few)
    assert not any(trace.line.dash == "dot" for trace in figure.data)
    assert "too few weeks" in findings_sentiment.trend(few, "week")
    said = findings_sentiment.honesty(pd.DataFrame())
    assert "nothing is marked" in findings_sentiment.trend_counted(few, "week", said)


def test_the_caption_says_that_the_usual_share_belongs_to_the_chosen_period() -> None:
    said = findings_sentiment.honesty(pd.DataFrame())
    ever = trend(CALM)
    later = ever.assign(baseline_count=26, baseline_shown_count=0)
    mixed = ever.assign(baseline_shown_count=5)
    texts = [findings_sentiment.trend_counted(frame, "week", said) for frame in (later, ever, mixed)]
    for text, which in zip(
        texts,
        (
            "26 weeks before the chosen period",
            "first 8 of the 10 weeks shown",
            "3 weeks before the chosen period and the first 5 of the 10 weeks shown",
        ),
        strict=True,
    ):
        assert f"Usual share and limits (Laney p′) are those of the {which}; another period has others" in text


def test_the_outer_band_is_the_interval_widened_by_the_error_of_the_scorer() -> None:
    frame = trend(CALM)
    fills = [t for t in charts_sentiment.negative_share_line(frame, level_error=0.1).data if t.fill]
    assert len(fills) == 2
    for fill, error in zip(fills, (0.1, 0.0), strict=True):
        upper, lower = list(fill.y)[: len(frame)], list(fill.y)[len(frame) :][::-1]
        assert lower == pytest.approx(list(frame["negative_share_low"] - error))
        assert upper == pytest.approx(list(frame["negative_share_high"] + error))
    assert len([t for t in charts_sentiment.negative_share_line(frame).data if t.fill]) == 1


def test_a_band_never_leaves_nothing_to_everything() -> None:
    figure = charts_sentiment.negative_share_line(trend([3, 97, *CALM]), level_error=0.3)
    values = [y for trace in figure.data for y in trace.y]
    assert min(values) >= 0
    assert max(values) <= 1


def test_a_point_opens_the_scored_conversations_of_its_period() -> None:
    for figure in (
        charts_sentiment.negative_share_line(trend(CALM)),
        charts_sentiment.net_sentiment_line(trend(CALM)),
    ):
        assert list(points(figure).customdata[1]) == ["scored", "period=2026-01-12"]


def test_the_interval_of_net_sentiment_is_that_of_a_difference_of_shares() -> None:
    # 50 negative, 20 positive of 100: variance (0.7 - 0.3**2) / 100, so 1.96 * 0.0781 = 0.153 on each side of -0.3.
    low, high = charts_sentiment.net_interval(trend([50] * 8))
    assert low[0] == pytest.approx(-0.453, abs=0.001)
    assert high[0] == pytest.approx(-0.147, abs=0.001)


def test_the_title_names_signals_with_their_rule_or_says_there_is_none() -> None:
    assert findings_sentiment.trend(trend(CALM), "week").endswith(
        "50 % is usual; no week differs from it by more than chance"
    )
    named = findings_sentiment.trend(trend(JUMP), "week")
    assert named.endswith("signals: week of 16 Mar 2026 (beyond the limits)")


def test_the_heat_map_stands_by_size_and_each_cell_opens_its_rows() -> None:
    figure = charts_sentiment.said_on_about_heatmap(BLAMED)
    marks = points(figure)
    assert [list(cell) for cell in marks.customdata][:2] == [
        ["blaming", "channel=phone", "blamed_channel=phone"],
        ["blaming", "channel=twitter", "blamed_channel=phone"],
    ]
    assert len(marks.customdata) == len(BLAMED)
    assert "50 of 200 conversations, 25 %" in marks.hovertext[1]
    assert list(figure.layout.yaxis.ticktext) == ["Phone", "Twitter", "Email", "SMS"]
    assert "<b>50</b>" in " ".join(str(note.text) for note in figure.layout.annotations)


def test_a_channel_with_few_conversations_has_no_colour_in_the_heat_map() -> None:
    figure = charts_sentiment.said_on_about_heatmap(BLAMED)
    assert list(figure.data[0].z[-1]) == [0, 0]
    assert figure.data[0].zmax == pytest.approx(0.25)


def test_the_heat_map_title_names_the_channel_blamed_elsewhere_not_at_home() -> None:
    assert findings_sentiment.said_on_about(BLAMED) == (
        "The most blamed channel elsewhere: phone, in 62 conversations on other channels, most on Twitter (50)"
    )
    assert findings_sentiment.said_on_about(BLAMED.tail(1)).startswith("No text was read in which")


def test_the_most_blamed_channel_is_named_only_where_chance_does_not_make_one_so() -> None:
    near = blamed([("twitter", "web_form", 54, 400), ("twitter", "phone", 43, 400)])
    assert findings_sentiment.said_on_about(near) == (
        "No channel is clearly the most blamed elsewhere: web form in 54 conversations, phone in 43"
    )
    tie = blamed([("twitter", "web_form", 1, 4), ("email", "phone", 1, 4)])
    assert findings_sentiment.said_on_about(tie).startswith("No channel is clearly the most blamed elsewhere")
    alone = findings_sentiment.said_on_about(tie.tail(1))
    assert alone == "Blamed elsewhere is only phone, in 1 conversation on other channels"
    even = blamed([("twitter", "phone", 30, 400), ("facebook", "phone", 28, 400), ("twitter", "email", 9, 400)])
    assert findings_sentiment.said_on_about(even).endswith("phone, in 58 conversations on other channels")


def test_wait_bands_stand_shortest_first_and_open_who_wrote_again() -> None:
    frame = recovered([("within 15 minutes", 200, 180), ("1 to 4 hours", 200, 140), ("over 1 day", 200, 100)])
    bar = charts_sentiment.recovery_bar(frame).data[0]
    assert [cell[1] for cell in bar.customdata] == [f"wait_band={band}" for band in frame["wait_band"]]
    assert {cell[0] for cell in bar.customdata} == {"written_again"}
    assert findings_sentiment.recovery(frame) == (
        "What waiting costs: 90 % end better if answered within 15 minutes, 50 % after more than 1 day"
    )


def test_what_waiting_costs_is_said_only_where_the_intervals_are_apart() -> None:
    near = recovered([("within 15 minutes", 40, 30), ("over 1 day", 40, 28)])
    few = recovered([("within 15 minutes", 4, 4), ("over 1 day", 4, 0)])
    assert findings_sentiment.recovery(near).startswith("No clear cost")
    assert findings_sentiment.recovery(few).startswith("Too few")


def test_a_clear_dip_between_the_shortest_and_the_longest_wait_is_what_waiting_costs() -> None:
    frame = recovered([("within 15 minutes", 200, 180), ("4 to 24 hours", 200, 130), ("over 1 day", 40, 34)])
    assert findings_sentiment.recovery(frame) == (
        "What waiting costs: 90 % end better if answered within 15 minutes, 65 % after 4 to 24 hours; "
        "after more than 1 day 85 %"
    )


def test_a_single_label_says_nothing_of_the_scorer() -> None:
    few = error(1, low=-1.0, level=-1.0, high=1.0).assign(task="sentiment", agreement_count=0)
    assert findings_sentiment.measured(few) == [
        "Sentiment: 0 of 1 labels agree: too few to say how far the scorer is off."
    ]


def test_the_latest_week_is_a_whole_one() -> None:
    frame = pd.DataFrame({"period": pd.date_range("2026-01-05", periods=2, freq="7D"), "scored_count": 100})
    frame = frame.assign(negative_share=[0.2, 0.9], centre_share=0.2, signal="", baseline_count=8)
    said = findings_sentiment.trend(frame, "week", [frame["period"].iloc[-1]])
    assert said == (
        "20 % open negative in the latest full week, 20 % is usual; no week differs from it by more than chance"
    )


def test_only_what_rose_by_more_than_chance_is_called_rising() -> None:
    some, none = terms(True, False, False), terms(False, False)
    assert list(charts_sentiment.rising_shown(some)["term"]) == ["term_0"]
    assert findings_sentiment.rising(some, has_both_ends=True) == "Rising: Term 0"
    assert findings_sentiment.rising(none, has_both_ends=True).startswith("Nothing rose: none of 2")
    assert set(points(charts_sentiment.rising_terms_dot(some)).marker.color) == {theme.ACCENT}
    assert set(points(charts_sentiment.rising_terms_dot(none)).marker.color) == {theme.CONTEXT}
    assert "in grey" in findings_sentiment.rising_counted(none)
    assert findings_sentiment.rising_counted(none).endswith("a word opens none.")


def test_without_a_period_before_nothing_is_compared() -> None:
    assert findings_sentiment.rising(terms(), has_both_ends=False).startswith("Choose a period with two ends")
    assert not findings_sentiment.is_comparable(terms(False).assign(previous_total_count=0))


def test_a_topic_opens_its_conversations_and_a_word_nothing() -> None:
    topic = points(charts_sentiment.rising_terms_dot(terms(True)))
    word = points(charts_sentiment.rising_terms_dot(terms(True, kind="word")))
    assert list(topic.customdata[0]) == ["contacts", "topic=term_0"]
    assert list(word.customdata[0]) == [""]
    assert findings_sentiment.topic_cells(terms(True, kind="word")) == []


def test_hostile_words_are_escaped_in_figures() -> None:
    figure = charts_sentiment.rising_terms_dot(terms(True, kind="word").assign(term=HOSTILE))
    assert "<a" not in " ".join([*figure.layout.yaxis.ticktext, *figure.data[0].hovertext])


def test_every_cell_can_be_opened() -> None:
    from data_access.filters import Filter

    for _, measure, values in [
        *findings_sentiment.said_cells(BLAMED),
        *findings_sentiment.topic_cells(terms(True)),
    ]:
        assert Selection(Filter(), measure, values).cell == values


def test_the_published_error_stands_until_thirty_labels_measure_it() -> None:
    none = findings_sentiment.honesty(pd.DataFrame())
    few = findings_sentiment.honesty(error(29, low=-0.3, level=-0.1, high=0.1))
    assert none.level_error == few.level_error == pytest.approx(0.10)
    assert none.sentence.startswith("Levels may be off by about 10 points; ranking and trend hold")
    assert "29 texts labelled so far" in few.sentence


def test_the_measured_error_is_as_much_as_its_interval_allows() -> None:
    said = findings_sentiment.honesty(error(50, low=-0.12, level=-0.04, high=0.03))
    assert said.level_error == pytest.approx(0.12)
    assert "off by about 12 points; ranking and trend hold (measured on 50 labelled texts" in said.sentence
    assert "4.0 points less negative than people do, 95 % −12 points to +3 points" in said.sentence


def test_no_disagreement_in_fifty_is_no_proof_of_none() -> None:
    assert findings_sentiment.honesty(error(50, low=0.0, level=0.0, high=0.0)).level_error == pytest.approx(3 / 50)


def test_net_points_carry_their_sign() -> None:
    assert words.signed_points(-0.42) == "−42 points"
    assert words.signed_points(0.01) == "+1 point"
    assert words.signed_points(-0.001) == "0 points"
    assert words.signed_points(math.nan) == words.NOTHING


def test_stored_cues_become_rows_and_broken_ones_stay_plain_text() -> None:
    stored = (
        '{"complaint":[["not_working","crashes",0.9]],"topics":{"billing":["bill"]},'
        '"blamed_channel":[["web_form","app crashes",1.0]],"no_reply_needed":"thanks"}'
    )
    rows = reading.cue_rows(stored)
    assert list(rows["Read as"]) == [
        "Complaint: not working",
        "Topic: billing",
        "Blames: web form",
        "Asks for no reply",
    ]
    assert list(rows["Because of"]) == ["crashes", "bill", "app crashes", "thanks"]
    assert list(reading.cue_rows("{broken")["Because of"]) == ["{broken"]
    assert reading.cue_rows("").empty


def test_the_figures_of_the_page_are_in_the_registry() -> None:
    assert {"negative_share", "net_share", "recovered_share", "not_scored_count"} <= set(METRICS)


def test_the_opening_to_closing_bar_draws_each_closing_part_of_each_opening() -> None:
    frame = pd.DataFrame(
        [
            ("negative", "negative", 30, 100, 0.3, 0.2, 0.4),
            ("negative", "positive", 70, 100, 0.7, 0.6, 0.8),
            ("positive", "neutral", 5, 5, 1.0, 0.5, 1.0),
        ],
        columns=["sentiment", "closing_sentiment", "conversation_count", "opened_so_count", "share", "low", "high"],
    )
    figure = charts_sentiment.opening_to_closing_bar(frame)
    parts = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data}
    assert parts["ends negative"] == {"opens positive": 0.0, "opens negative": 0.3}
    assert parts["ends positive"]["opens negative"] == 0.7
    assert (figure.layout.legend.y, figure.layout.legend.yanchor) == (1, "bottom")  # above the bars, not on them
    assert charts_sentiment.opening_to_closing_bar(frame.head(0)).data == ()
