"""Numbers and names as the pages say them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from data_access.filters import Filter, listed
from data_access.measures import DIMENSIONS, MEASURES, Measure
from data_access.vocabulary import TOPIC_LABELS
from pages.components import charts, findings, findings_age, findings_joined_up, headlines, panel, tables, words

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0004, "under 0.1 %"),
        (0.0005, "0.1 %"),
        (0.0625, "6.3 %"),
        (0.0996, "10 %"),
        (0.145, "15 %"),
        (0.625, "63 %"),
        (0.875, "88 %"),
        (0.9949, "99 %"),
        (0.9955, "99.6 %"),
        (0.9999, "over 99.9 %"),
        (1.0, "100 %"),
        (float("nan"), "–"),
    ],
)
def test_a_share_rounds_half_up_and_is_nothing_or_all_only_where_it_is(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_points_and_counts_round_as_shares_do() -> None:
    assert words.percent(0.004, 0) == "under 1 %"
    assert words.percent(0.997, 0) == "over 99 %"
    assert words.points(0.125) == "13 points"
    assert words.signed_points(-0.125) == "−13 points"
    assert words.signed_points(-0.001) == "0 points"
    assert words.decimal(2.25) == "2.3"
    assert words.signed(-30.5) == "−31"


def test_a_bar_and_a_table_say_of_nearly_all_what_the_card_says() -> None:
    assert charts.bare_percent(0.9955) == "99.6"
    assert charts.bare_percent(1.0) == "100"
    formats = tables.columns(pd.DataFrame({"ignored_share": [0.04, 55.0], "answered_share": [99.55, 100.0]}))
    assert formats["ignored_share"]["type_config"]["format"] == "%.2f %%"
    assert formats["answered_share"]["type_config"]["format"] == "%.1f %%"


def test_a_duration_in_a_table_fits_the_shortest_and_the_longest_and_names_no_unit_twice() -> None:
    frame = pd.DataFrame(
        {"minutes": [1 / 60, 1.5, 260.4, 8742.8 * 60, float("nan")], "average_speed_of_answer_seconds": [23.4] * 5}
    )
    frame["p25_minutes_waited"] = [-1.0] * 5
    shown = tables.prepared(frame, "UTC")
    assert shown["minutes"].dt.total_seconds().tolist()[:4] == [1, 90, 260 * 60, 364 * 86_400]
    assert shown["minutes"].isna().tolist() == [False] * 4 + [True]
    assert shown["average_speed_of_answer_seconds"].dt.total_seconds().tolist() == [23] * 5
    assert shown["p25_minutes_waited"].isna().all()
    labels = [heading["label"] for heading in tables.columns(shown).values()]
    assert labels == ["Answered within", "Average speed of answer", "A quarter posted within"]
    assert "minutes" not in words.column("median_minutes_never_labelled").removesuffix(" (minutes)")


def test_a_table_begins_with_what_its_chart_shows_and_what_that_is_made_of() -> None:
    names = "channel complaint_count due_count waiting_count ignored_in_time_count ignored_share ignored_share_low"
    frame = pd.DataFrame([range(7)], columns=names.split())
    assert list(tables.leading(frame, ("ignored_share",))) == [
        "channel",
        "ignored_share",
        "ignored_in_time_count",
        "due_count",
        "ignored_share_low",
        "complaint_count",
        "waiting_count",
    ]
    assert list(tables.leading(frame, ("no_such_share",))) == list(frame)


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    assert words.markdown("0.0 % after 4 h 20 min") == "0\\.0\u00a0\\% after 4\u00a0h 20\u00a0min"
    assert words.markdown("12 points up, 5 sheep") == "12\u00a0points up\\, 5 sheep"


def test_a_target_of_many_channels_says_how_many_instead_of_hiding_some() -> None:
    assert panel._target_words(480.0, ["Email", "Web form"]) == "target: Email, Web form"
    many = ["Twitter", "Facebook", "SMS", "WhatsApp"]
    assert panel._target_words(60.0, many) == "target 1 h: 4 channels"


def test_what_is_bold_and_what_is_grey_in_heard_or_not_is_said_as_it_is_drawn() -> None:
    frame = pd.DataFrame({"conversation_count": [515], "weeks": [13.0]})
    assert "bold where beyond chance, else grey. Dots grey under 30." in findings_age.heard_counted(frame, "answer")


def test_every_topic_of_the_cues_reads_as_words() -> None:
    topics = tomllib.loads((ROOT / "data_access" / "text" / "cues.toml").read_text(encoding="utf-8"))["topic"]
    assert set(TOPIC_LABELS) <= set(topics)
    assert words.value("topic", "outage_fault") == "Outage or fault"
    assert words.value("topic", "lost_property") == "Lost property"
    assert Filter(topics=("outage_fault", "delivery")).sentence().endswith("topic outage/fault or delivery")


def test_the_backlog_counts_waits_for_that_is_what_it_holds() -> None:
    total = pd.Series({"open_count": 3181, "ignored_count": 3156, "oldest_minutes": 364 * 1440.0})
    assert findings.backlog(total) == "3,181 waits open now, 3,156 of them longer than allowed; the oldest for 364 d"


def test_the_card_of_the_backlog_names_no_oldest_where_none_is_open() -> None:
    none = {"open_count": 0, "ignored_count": 0, "oldest_minutes": float("nan")}
    assert headlines.open_now(none).comparison == "Whenever they began: none is open"


def test_half_of_one_is_not_spoken_of() -> None:
    one = pd.DataFrame(
        {"front_channel": ["email"], "channel": ["twitter"], "back_door_count": [1], "median_minutes_waited": [60.0]}
    )
    total = pd.Series({"known_private_count": 1, "back_door_share_high": 1.0})
    assert findings_joined_up.flow(one, total, 7) == "Email failed before 1 of 1; widest, email to Twitter"


@pytest.mark.parametrize(
    ("dimension", "value", "said"),
    [
        ("age_group", "unknown", "age unknown"),
        ("brand", "unknown", "brand unknown"),
        ("team", "Phone South", "team Phone South"),
        ("team", "unknown", "no team"),
        ("channel", "facebook", "channel Facebook"),
        ("front_channel", "phone", "failed on phone"),
        ("blamed_channel", "web_form", "blaming web form"),
        ("sentiment", "positive", "opening positive"),
        ("closing_sentiment", "negative", "ending negative"),
        ("told_before_on", "email", "told before on email"),
        ("weekday", "1", "on a Monday"),
        ("hour", "9", "from 09:00"),
    ],
)
def test_a_value_in_a_heading_says_what_it_is_a_value_of(dimension: str, value: str, said: str) -> None:
    assert words.with_dimension(dimension, value) == said


def test_every_dimension_of_a_cell_has_words_in_headings() -> None:
    assert set(DIMENSIONS) - {"period"} == set(words._OF_DIMENSION)


def test_what_is_counted_is_one_or_several() -> None:
    assert words.counted_as(1, "complaints in public after a private contact had failed") == (
        "1 complaint in public after a private contact had failed"
    )
    assert words.counted_as(1200, "conversations with us, of one customer") == (
        "1,200 conversations with us, of one customer"
    )
    assert words.none_of(1, "complaints in public") == "No complaint in public"
    assert words.none_of(1200, "tellings") == "None of the 1,200 tellings"


@pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))
def test_a_single_row_of_every_measure_is_said_as_one(measure: Measure) -> None:
    said = words.counted_as(1, measure.label)
    assert said != f"1 {measure.label}"
    assert not re.search(r"\b(that|who) (open|ask|blame|close|write|wait)\b", said), "the verb would be wrong of one"


def test_many_names_have_commas_and_one_and() -> None:
    assert [listed(["a", "b", "c"][:number]) for number in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert listed(["a", "b", "c"], "or") == "a, b or c"
    left_out = pd.DataFrame({"left_out_channels": ["facebook, review, sms, web_form"]})
    assert findings_age.left_out(left_out) == ", without Facebook, reviews, SMS and web form"
    mix = pd.DataFrame(
        [
            {"age_group": age, "channel": channel, "conversation_count": n, "share": n / 300}
            for age, counts in {"18-24": (9, 1), "25-34": (1, 1), "35-44": (1, 1), "45-54": (1, 1)}.items()
            for channel, n in zip(("phone", "chat"), (30 * k for k in counts), strict=True)
        ]
    )
    assert findings.channel_mix(mix).endswith("no clear first at 25-34, 35-44 and 45-54")


def test_no_sentence_joins_names_with_one_word_throughout() -> None:
    """More than two names read 'a and b and c' then: `listed` says them."""
    joined = re.compile(r"""["'] (and|or) ["']\.join""")
    pages = (ROOT / "pages").rglob("*.py")
    found = [path.name for path in pages if joined.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_what_is_said_of_known_groups_says_that_the_unknown_are_left_out() -> None:
    rows = pd.DataFrame(
        {
            "age_group": ["18-24", "65+", "unknown"],
            "s": [0.48, 0.55, 0.57],
            "s_low": 0.4,
            "s_high": 0.6,
            "n": [90, 90, 866],
        }
    )
    known = "between 48 % and 55 % open negative"
    assert (
        findings.groups_apart(rows, "age_group", "s", "n", "open negative")
        == f"No clear difference among known ages: {known}"
    )
    assert (
        findings.groups_apart(rows.head(2), "age_group", "s", "n", "open negative") == f"No clear difference: {known}"
    )
    few = rows.assign(n=[90, 90, 10])  # grey: no figure of its own
    assert findings.groups_apart(few, "age_group", "s", "n", "open negative") == f"No clear difference: {known}"
    groups = rows.assign(median_minutes_all=[float("nan"), float("nan"), 5.0])
    curve = pd.DataFrame({"age_group": rows["age_group"], "minutes": 1.0})
    assert findings.curves_apart(groups, curve, "age_group") == "Half are answered so far in no group among known ages"


def test_the_caption_of_a_split_says_that_each_group_is_a_whole() -> None:
    frame = pd.DataFrame({"conversation_count": [66, 809], "weeks": 12.0})
    text = findings_age.heard_counted(frame, "answer", "age_group")
    assert (
        "the channel's share of each age group's conversations (875 conversations opened by customers in all)" in text
    )
    assert "its share of the answers, group by group. A week: the difference times its conversations per week" in text
    alone = findings_age.heard_counted(frame, "answer")
    assert "the channel's share of 875 conversations opened by customers; filled: its share of the answers." in alone
