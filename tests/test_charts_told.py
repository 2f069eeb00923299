"""Charts and sentences on restatements and silence: what is drawn, what opens, what is said of small numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from pages.components import charts_told, findings_told

PAIRS = pd.DataFrame(
    {
        "told_before_on": ["phone", "email", "phone", "<b>x</b>"],
        "channel": ["email", "email", "chat", "chat"],
        "compared_count": [40, 100, 10, 50],
        "restatement_count": [20, 5, 8, 0],
        "restated_share": [0.5, 0.05, 0.8, 0.0],
    }
)
SILENT = {
    "complaining_customer_count": 300,
    "followed_customer_count": 250,
    "ignored_customer_count": 100,
    "ignored_silent_share": 0.7,
    "ignored_silent_share_low": 0.6,
    "ignored_silent_share_high": 0.78,
    "answered_customer_count": 150,
    "answered_silent_share": 0.5,
    "answered_silent_share_low": 0.42,
    "answered_silent_share_high": 0.58,
    "strata_count": 20,
    "matched_ignored_count": 60,
    "matched_answered_count": 90,
    "left_out_count": 100,
    "matched_ignored_silent_share": 0.72,
    "matched_answered_silent_share": 0.5,
    "silence_difference_share": 0.22,
    "silence_difference_share_low": 0.05,
    "silence_difference_share_high": 0.39,
}


def test_pairs_are_drawn_by_number_in_the_colour_of_the_first_channel_and_open_their_rows():
    (bar,) = charts_told.told_again_bar(PAIRS).data
    assert list(bar.x) == [20, 8, 5]
    assert bar.customdata[0] == ["restatements", "told_before_on=phone", "channel=email"]
    assert bar.marker.color[0] == bar.marker.color[1] != bar.marker.color[2]
    assert list(bar.marker.opacity) == [1.0, 0.45, 1.0]  # ten compared are too few


def test_a_pair_on_one_channel_is_named_by_the_other_agent():
    names = list(charts_told.told_again_bar(PAIRS).layout.yaxis.ticktext)
    assert names == ["Phone, then email", "Phone, then chat", "Email, then another agent"]


def test_names_from_the_data_are_no_markup_and_nothing_at_all_is_an_empty_figure():
    hostile = PAIRS.assign(restatement_count=[0, 0, 0, 9])
    assert "<b>x" not in charts_told.told_again_bar(hostile).layout.yaxis.ticktext[0]
    assert not charts_told.told_again_bar(PAIRS.head(0)).data
    assert not charts_told.silence_dumbbell(pd.DataFrame([SILENT]).head(0)).data


def test_the_broad_bar_is_the_interval_of_the_difference_from_the_answered():
    figure = charts_told.silence_dumbbell(pd.DataFrame([SILENT]))
    bar = next(trace for trace in figure.data if trace.name == "interval of the difference")
    assert list(bar.x) == pytest.approx([0.55, 0.89])
    opened = {trace.customdata[0][0] for trace in figure.data if trace.customdata is not None}
    assert opened == {"silent_ignored", "silent_answered"}


def test_without_a_counterpart_no_difference_is_drawn():
    alone = {**SILENT, **dict.fromkeys([n for n in SILENT if n.startswith(("matched", "silence"))], float("nan"))}
    alone |= {"strata_count": 0, "matched_ignored_count": 0, "matched_answered_count": 0}
    figure = charts_told.silence_dumbbell(pd.DataFrame([alone]))
    assert not any(trace.name == "interval of the difference" for trace in figure.data)
    assert findings_told.fell_silent(alone, 90).startswith("Too few comparable customers")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.05, 0.39, "Ignored customers fell silent more often"),
        (-0.3, -0.1, "Ignored customers fell silent less often"),
        (-0.1, 0.2, "No clear difference"),
    ],
)
def test_a_difference_is_named_only_where_its_interval_is_clear_of_nothing(low, high, said):
    row = SILENT | {"silence_difference_share_low": low, "silence_difference_share_high": high}
    assert findings_told.fell_silent(row, 90).startswith(said)


def test_the_caption_says_the_caveat_and_how_many_are_left_out():
    text = findings_told.silent_counted(SILENT, 90, 7)
    for part in ("No proof of cause", "silence can also mean satisfaction", "100 without a counterpart", "+22 points"):
        assert part in text


def test_the_measured_error_is_said_only_at_the_threshold_at_which_it_was_measured():
    assert "60 %" in findings_told.measured(0.25)
    assert "60 %" not in findings_told.measured(0.4)


def test_few_customers_get_a_count_and_no_share():
    few = {"compared_customer_count": 12, "restated_customer_count": 5, "restated_customer_share": 5 / 12}
    assert findings_told.told_again(few, PAIRS).endswith("too few to speak of a share")
    many = {"compared_customer_count": 100, "restated_customer_count": 25, "restated_customer_share": 0.25}
    assert "25 % of customers whose contacts can be compared" in findings_told.told_again(many, PAIRS)
    assert findings_told.told_again(many, PAIRS).endswith("most often phone, then email")
