"""Who is heard, and how ages are answered at one channel mix: counted on paper, and found in the demo company."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY_MAPPING
from test_demo_stories import Report, reporting

from data_access.demo import DemoTruth, write_demo_sources
from data_access.demo.stories import ALL_STORIES, YOUNG_UNANSWERED_SHARE
from data_access.estimates import wilson_interval
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import count_rows
from data_access.sources.mapping import mapping_of, read_mapping
from data_access.store import settings_file
from pages.components import charts_age, findings_age

# Two weeks to the minute. y: 18-24, o: 65+, u: age unknown. Minutes to the answer, or never.
#            chat                  email               letter
# y          10, 20, 30, never     120, never
# o          40, 50                90, 100, never, and one opened in the last second
# u          40                    never
# o                                                    never, but an agent left a note; it has no text
OPENED = (
    ("y1", "young", "chat", "2026-01-05T00:00:00Z", 10),
    ("y2", "young", "chat", "2026-01-06T10:00:00Z", 20),
    ("y3", "young", "chat", "2026-01-07T10:00:00Z", 30),
    ("y4", "young", "chat", "2026-01-08T10:00:00Z", None),
    ("y5", "young", "email", "2026-01-06T10:00:00Z", 120),
    ("y6", "young", "email", "2026-01-07T10:00:00Z", None),
    ("o1", "old", "chat", "2026-01-06T10:00:00Z", 40),
    ("o2", "old", "chat", "2026-01-07T10:00:00Z", 50),
    ("o3", "old", "email", "2026-01-06T10:00:00Z", 90),
    ("o4", "old", "email", "2026-01-07T10:00:00Z", 100),
    ("o5", "old", "email", "2026-01-08T10:00:00Z", None),
    ("o6", "old", "email", "2026-01-19T00:00:00Z", None),
    ("u1", "someone", "chat", "2026-01-06T10:00:00Z", 40),
    ("u2", "someone", "email", "2026-01-07T10:00:00Z", None),
    ("o7", "old", "letter", "2026-01-06T10:00:00Z", None),
)
PEOPLE = "customer_id,birth_year,identities\nY,2004,id:tiny=young\nO,1950,id:tiny=old\n"
HEADER = (
    "id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,"
    "is_complaint,needs_reply,topic,is_internal,outreach"
)


def messages() -> Iterator[str]:
    yield HEADER
    for name, customer, channel, opened_at, minutes in OPENED:
        said = ",," if channel == "letter" else "I have a question,neutral,"
        start = f"{name},{customer},{channel}"
        yield f"{name}-in,{start},inbound,customer,,Care,Acme,{opened_at},{said}false,true,billing,,"
        if minutes is not None:
            at = dt.datetime.fromisoformat(opened_at) + dt.timedelta(minutes=minutes)
            yield f"{name}-out,{start},outbound,agent,Bo,Care,Acme,{at:%Y-%m-%dT%H:%M:%SZ},Here it is,,,,,,"
    yield "o7-note,o7,old,letter,outbound,agent,Bo,Care,Acme,2026-01-07T10:00:00Z,who takes this?,,,,,true,"


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Fifteen conversations of three customers."""
    folder = tmp_path_factory.mktemp("counted")
    (folder / "messages.csv").write_text("\n".join(messages()) + "\n", encoding="utf-8")
    (folder / "customers.csv").write_text(PEOPLE, encoding="utf-8")
    url = f"duckdb:///{folder / 'store'}"
    orders = [
        LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny")),
        LoadOrder(folder / "customers.csv", "customers"),
    ]
    load(url, orders)
    return reporting(url)


def by_age(report: Report, **fields: object) -> pd.DataFrame:
    return report("age_fairness", **fields).set_index("age_group")


def by_channel(report: Report, **fields: object) -> pd.DataFrame:
    return report("heard_or_not", **fields).set_index("channel")


# --- age, on paper


def test_answers_by_age_are_counted_as_they_are(counted):
    frame = by_age(counted)
    assert list(frame.index) == ["18-24", "65+", "unknown"]
    assert list(frame["conversation_count"]) == [6, 7, 2]
    assert list(frame["answered_count"]) == [4, 4, 1]
    assert list(frame["answered_share"]) == pytest.approx([4 / 6, 4 / 7, 1 / 2])
    assert list(frame["answered_gap_share"]) == pytest.approx([4 / 6 - 9 / 15, 4 / 7 - 9 / 15, 1 / 2 - 9 / 15])
    assert frame["overall_answered_share"].tolist() == pytest.approx([9 / 15] * 3)
    # The one opened in the last second cannot have been answered within an hour, nor not.
    assert list(frame["in_hour_due_count"]) == [6, 6, 2]
    assert list(frame["in_hour_count"]) == [3, 2, 1]


def test_a_channel_that_one_group_does_not_use_is_left_out_for_all_and_the_covered_weight_said(counted):
    frame = by_age(counted)
    assert frame["covered_share"].tolist() == pytest.approx([14 / 15] * 3)
    # Chat and email weigh a half each: seven conversations of each.
    assert list(frame["standardised_answered_share"]) == pytest.approx(
        [0.5 * 3 / 4 + 0.5 * 1 / 2, 0.5 * 2 / 2 + 0.5 * 2 / 4, 0.5 * 1 / 1 + 0.5 * 0 / 1]
    )
    everybody = 0.5 * 6 / 7 + 0.5 * 3 / 7
    assert list(frame["standardised_answered_gap_share"]) == pytest.approx(
        [0.625 - everybody, 0.75 - everybody, 0.5 - everybody]
    )
    assert frame["same_answered_share"].tolist() == pytest.approx([everybody] * 3)
    assert set(frame["left_out_channels"]) == {"letter"}
    parts = frame["answered_channel_part_share"] + frame["standardised_answered_gap_share"]
    assert list(parts) == pytest.approx(list(frame["answered_gap_share"]))


def test_the_curve_is_standardised_and_then_its_median_read(counted):
    frame = by_age(counted)
    # 18-24: 10, 20, 30 of 6 are a half; at one mix 3/8 by 30 minutes and 5/8 by 120.
    assert frame.loc["18-24", "median_minutes_all"] == 30
    assert frame.loc["18-24", "standardised_median_minutes"] == 120
    # 65+: at one mix 1/2 by 50 minutes.
    assert frame.loc["65+", "standardised_median_minutes"] == 50
    assert frame.loc["unknown", "median_minutes_all"] == 40


def test_whoever_the_unknown_are_the_answered_share_lies_between_its_bounds(counted):
    young = by_age(counted).loc["18-24"]
    assert young["unknown_worst_share"] == pytest.approx(4 / 7)
    assert young["unknown_all_share"] == pytest.approx(5 / 8)
    assert young["unknown_best_share"] == pytest.approx(5 / 7)
    unknown = by_age(counted).loc["unknown"]
    assert math.isnan(unknown["unknown_all_share"])
    assert unknown["answered_verdict"] == "not judged"


def test_a_median_that_is_not_reached_is_empty(counted):
    frame = by_age(counted, channels=("letter",))
    assert math.isnan(frame.loc["65+", "median_minutes_all"])
    assert math.isnan(frame.loc["65+", "standardised_median_minutes"])


def test_a_group_alone_has_no_gap_and_an_empty_filter_no_row(counted):
    alone = by_age(counted, age_groups=("65+",)).loc["65+"]
    assert alone["answered_gap_share"] == 0
    assert alone["standardised_answered_gap_share"] == 0
    assert alone["unknown_worst_share"] == alone["answered_share"] == alone["unknown_best_share"]
    assert counted("age_fairness", channels=("phone",)).empty


def test_age_fairness_is_blind_to_what_came_later(counted):
    frame = by_age(counted, as_of=dt.datetime(2026, 1, 6, 10, 25))
    assert list(frame["conversation_count"]) == [3, 3, 1]
    assert list(frame["answered_count"]) == [2, 0, 0]


@pytest.mark.parametrize(
    ("measure", "column"),
    [("first_responses", "conversation_count"), ("hour_due", "in_hour_due_count"), ("in_hour", "in_hour_count")],
)
def test_figures_by_age_open_exactly_their_rows(counted, measure, column):
    for age, number in by_age(counted)[column].items():
        assert count_rows(counted.engine, Selection(counted.wanted, measure, (("age_group", str(age)),))) == number


# --- the mix


def test_the_mix_has_an_index_against_all_customers_and_bounds_for_the_unknown(counted):
    row = counted("channel_mix").set_index(["age_group", "channel"]).loc[("18-24", "chat")]
    assert row["index"] == pytest.approx(100 * (4 / 6) / (7 / 15))
    assert row["index_low"] < row["index"] < row["index_high"]
    assert row["unknown_low_share"] == pytest.approx(4 / 7)
    assert row["unknown_high_share"] == pytest.approx(5 / 7)


def test_the_mix_over_time_is_indexed_within_its_period(counted):
    frame = counted("channel_mix", ("period",), grain="week").set_index(["period", "age_group", "channel"])
    first, second = pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-19")
    assert frame.loc[(first, "18-24", "chat"), "index"] == pytest.approx(100 * (4 / 6) / (7 / 14))
    assert frame.loc[(second, "65+", "email"), "index"] == pytest.approx(100)


# --- heard or not, on paper


def test_the_gap_between_talk_and_answers_is_counted_in_conversations_per_week(counted):
    frame = counted("heard_or_not")
    assert list(frame["channel"]) == ["email", "letter", "chat"]  # largest gap first
    assert list(frame["inbound_share"]) == pytest.approx([7 / 15, 1 / 15, 7 / 15])
    assert list(frame["answer_share"]) == pytest.approx([3 / 9, 0, 6 / 9])
    assert list(frame["answer_gap_share"]) == pytest.approx([7 / 15 - 3 / 9, 1 / 15, 7 / 15 - 6 / 9])
    assert frame["weeks"].tolist() == pytest.approx([2, 2, 2])
    assert list(frame["answer_gap_per_week"]) == pytest.approx([1.0, 0.5, -1.5])
    assert list(frame["recorded_share"]) == [1, 1, 1]  # this source tells of every answer


def test_who_saw_and_what_was_read_is_told_apart_from_who_was_answered(counted):
    frame = by_channel(counted)
    assert list(frame["seen_count"]) == [3, 1, 6]  # the letter has a note
    assert list(frame["read_count"]) == [7, 0, 7]  # and no text
    assert frame.loc["letter", "seen_gap_share"] == pytest.approx(1 / 15 - 1 / 10)
    assert frame.loc["letter", "read_gap_share"] == pytest.approx(1 / 15)


def test_the_gaps_of_a_group_add_up_to_nothing_and_its_parts_to_the_whole(counted):
    for by in ((), ("age_group",), ("brand",), ("period",)):
        frame = counted("heard_or_not", by)
        groups = frame.groupby(list(by)) if by else [((), frame)]
        for _, part in groups:
            assert part["inbound_share"].sum() == pytest.approx(1)
            if part["answered_count"].sum():
                assert part["answer_gap_share"].sum() == pytest.approx(0, abs=1e-12)
            else:
                assert part["answer_gap_share"].isna().all()
        assert frame["conversation_count"].sum() == 15


def test_a_period_of_the_report_has_its_own_weeks(counted):
    frame = counted("heard_or_not", ("period",), grain="week")
    weeks = frame.drop_duplicates("period").set_index("period")["weeks"]
    assert weeks[pd.Timestamp("2026-01-05")] == pytest.approx(1)
    assert weeks[pd.Timestamp("2026-01-19")] == pytest.approx(1 / 7)  # a day at least


@pytest.mark.parametrize(
    ("measure", "column"), [("answered", "answered"), ("seen", "seen"), ("read_by_scorer", "read")]
)
def test_what_was_heard_opens_exactly_its_rows(counted, measure, column):
    for channel, number in by_channel(counted)[f"{column}_count"].items():
        wanted = Selection(counted.wanted, measure, (("channel", str(channel)),))
        assert count_rows(counted.engine, wanted) == number


def test_a_note_after_the_moment_of_looking_was_not_seen_yet(counted):
    frame = by_channel(counted, as_of=dt.datetime(2026, 1, 6, 12, 0))
    assert frame.loc["letter", "seen_count"] == 0


def test_empty_stores_and_filters_give_empty_frames_of_the_same_columns(counted, empty_store_url):
    empty = reporting(empty_store_url)
    for name in ("age_fairness", "heard_or_not", "journeys"):
        assert list(empty(name).columns) == list(counted(name).columns)
        assert empty(name).empty
        assert counted(name, channels=("phone",)).empty
        assert (empty(name).dtypes == counted(name).dtypes).all()


# --- the demo company, over three seeds

SEEDS = (3, 7, 11)
Company = tuple[DemoTruth, Report]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, bool], Company]:
    """A demo company of a seed, with its stories or without any; each is made once."""
    made: dict[tuple[int, bool], Company] = {}

    def _company(seed: int, is_planted: bool) -> Company:
        if (seed, is_planted) not in made:
            folder: Path = tmp_path_factory.mktemp("company")
            plant = ALL_STORIES if is_planted else frozenset()
            truth = write_demo_sources(folder, seed=seed, scale=0.15, plant=plant)
            url = f"duckdb:///{folder / 'store'}"
            settings = settings_file(url)
            settings.parent.mkdir()
            settings.write_text((folder / "settings.toml").read_text())
            orders = [LoadOrder(folder / "customers.csv", "customers")]
            for name in ("messages", "social", "calls"):
                orders.append(LoadOrder(folder / f"{name}.csv", "csv", read_mapping(folder / f"{name}.toml")))
            load(url, orders)
            made[seed, is_planted] = truth, reporting(url)
        return made[seed, is_planted]

    return _company


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gap_that_is_only_channel_is_gone_at_one_channel_mix(company, seed):
    truth, report = company(seed, True)
    story = truth.stories["age_gap_mix"]
    oldest = by_age(report).loc["65+"]
    assert (oldest["in_hour_due_count"], oldest["in_hour_count"]) == (
        story.oldest_count,
        story.oldest_within_hour_count,
    )
    known = [age for age in by_age(report).index if age not in ("65+", "unknown")]
    others = by_age(report).loc[known, ["in_hour_due_count", "in_hour_count"]].sum()
    # The raw gap is there: 65+ below the other known ages by more than chance …
    assert oldest["in_hour_share_high"] < others["in_hour_count"] / others["in_hour_due_count"]
    # … and at one channel mix it is not: the interval covers 0, and nothing is called a gap.
    assert oldest["standardised_in_hour_gap_share_low"] < 0 < oldest["standardised_in_hour_gap_share_high"]
    assert oldest["in_hour_verdict"] == "no clear gap"


def test_over_the_seeds_the_gap_of_the_oldest_goes_with_the_channels(company):
    found = [by_age(company(seed, True)[1]).loc["65+"] for seed in SEEDS]
    assert sum(oldest["in_hour_channel_part_share"] for oldest in found) < 0
    # So with the median: beyond everybody's as it is, not so at one mix.
    assert sum(oldest["median_minutes_all"] - oldest["standardised_median_minutes"] for oldest in found) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gap_that_is_real_stays_at_one_channel_mix(company, seed):
    truth, report = company(seed, True)
    story = truth.stories["age_gap_real"]
    young = by_age(report, channels=("whatsapp",)).loc["18-24"]
    assert (young["conversation_count"], young["answered_count"]) == (story.group_count, story.group_answered_count)
    assert young["standardised_answered_gap_share_high"] < 0
    assert young["answered_channel_part_share"] == pytest.approx(0, abs=1e-12)  # one channel: none of it is channel


def test_the_planted_share_lies_in_the_interval_over_the_seeds(company):
    frames = [by_age(company(seed, True)[1], channels=("whatsapp",)).loc["18-24"] for seed in SEEDS]
    answered, total = (sum(frame[name] for frame in frames) for name in ("answered_count", "conversation_count"))
    low, high = wilson_interval(answered, total)
    assert low < 1 - YOUNG_UNANSWERED_SHARE < high


@pytest.mark.parametrize("seed", SEEDS)
def test_where_no_gap_was_planted_none_is_found_at_any_age(company, seed):
    report = company(seed, False)[1]
    for fields in ({}, {"channels": ("whatsapp",)}):
        frame = by_age(report, **fields)
        for name in ("answered_verdict", "in_hour_verdict"):
            assert set(frame[name]) <= {"no clear gap", "not judged"}


@pytest.mark.parametrize("seed", SEEDS)
def test_reviews_that_nobody_answers_are_not_heard_and_the_truth_lies_in_the_interval(company, seed):
    truth, report = company(seed, True)
    from_day = truth.stories["reviews_ignored"].from_day
    row = by_channel(report, date_from=from_day).loc["review"]
    told = [
        one for one in truth.conversations if not one.is_outreach and local_day(one.opened_at, truth.zone) >= from_day
    ]
    reviews = [one for one in told if one.channel == "review"]
    answered = [one for one in told if one.first_response_at is not None]
    gap = len(reviews) / len(told) - sum(one.channel == "review" for one in answered) / len(answered)
    assert row["answer_gap_share"] == pytest.approx(gap)
    assert 0 < row["answer_gap_share_low"] < gap < row["answer_gap_share_high"]
    worst = report("heard_or_not", date_from=from_day).iloc[:3]["channel"]
    assert "review" in set(worst)
    before = by_channel(report, date_to=from_day - dt.timedelta(days=1)).loc["review"]
    assert before["answer_gap_share_high"] < row["answer_gap_share_low"]  # it began when the desk stopped


@pytest.mark.parametrize("seed", SEEDS)
def test_where_reviews_are_answered_as_ever_their_gap_stays_as_it_was(company, seed):
    from_day = company(seed, True)[0].stories["reviews_ignored"].from_day
    report = company(seed, False)[1]
    after = by_channel(report, date_from=from_day).loc["review"]
    before = by_channel(report, date_to=from_day - dt.timedelta(days=1)).loc["review"]
    assert before["answer_gap_share_low"] < after["answer_gap_share_high"]
    assert after["answer_gap_share_low"] < before["answer_gap_share_high"]


def local_day(moment: dt.datetime, zone: str) -> dt.date:
    from zoneinfo import ZoneInfo

    return moment.astimezone(ZoneInfo(zone)).date()


# --- without ages


def test_without_ages_everything_is_unknown_and_nothing_is_compared(shared_data, twcs_store_url):
    report = reporting(twcs_store_url)
    frame = by_age(report)
    assert list(frame.index) == ["unknown"]
    assert frame.loc["unknown", "answered_verdict"] == "not judged"
    assert frame.loc["unknown", "answered_gap_share"] == 0
    assert Filter(channels=("twitter",)).channels == tuple(by_channel(report).index)


def _heard(*counts: int, weeks: float = 13.0, low: float = -1.0) -> pd.DataFrame:
    frame = pd.DataFrame({"channel": ["email", "chat", "twitter"][: len(counts)], "conversation_count": counts})
    frame["group_conversation_count"], frame["weeks"] = sum(counts), weeks
    frame["inbound_share"], frame["answer_share"] = 0.5, 0.4
    return frame.assign(answer_gap_per_week=21.0, answer_gap_per_week_low=low)


def test_that_nobody_is_heard_less_is_not_said_where_too_few_wrote_to_tell():
    few, many = (findings_age.heard(_heard(*counts), "answer", None) for counts in ((20, 29), (60, 50)))
    assert few == "Too few on every channel to tell whether we listen where customers talk"
    assert many.startswith("No channel stands out by more than chance")


def test_a_gap_is_not_counted_up_to_a_week_where_the_period_is_shorter():
    week = findings_age.heard(_heard(60, 50, weeks=6.9 / 7, low=1.0), "answer", None)
    day = _heard(60, 50, weeks=1 / 7, low=1.0)
    assert week.endswith("; 21 conversations a week beyond that")
    assert findings_age.heard(day, "answer", None).endswith("; 3.0 conversations beyond that")
    assert "week" not in findings_age.heard_counted(day, "answer")
    notes = charts_age.heard_dumbbell(
        day.assign(**{f"{name}_{end}": 0.5 for name in ("inbound_share", "answer_share") for end in ("low", "high")},
                   answer_gap_per_week_high=40.0),
        factor=findings_age.gap_factor(day),
    ).layout.annotations  # fmt: skip
    assert "in all" in [note.text for note in notes]
    assert "<b>+3.0</b>" in [note.text for note in notes]
