"""Titles and captions of the sentiment page: the finding in words, computed. Plain text; no Streamlit, no SQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd

from data_access.annotations import PUBLISHED_LEVEL_ERROR
from data_access.estimates import SMALL_SAMPLE, has_leader
from pages.components import charts_sentiment, words
from pages.components.keeping import kept

_MOST_NAMED = 3
Values = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Honesty:
    """How far levels may be off: a share for the band, and the sentence that says where it comes from."""

    level_error: float
    sentence: str


def honesty(measured: pd.DataFrame) -> Honesty:
    """From the labels where there are at least 30, else from the published benchmark.

    Off by as much as the 95 % interval allows; without any disagreement by 3/n (the rule of three).
    """
    row = next((row for row in measured.to_dict("records") if row["task"] == "sentiment"), None)
    n = int(row["labelled_count"]) if row else 0
    if row is None or n < SMALL_SAMPLE:
        so_far = f"; {words.counted(n, 'text')} labelled so far, {SMALL_SAMPLE} needed to measure here" if n else ""
        return Honesty(
            PUBLISHED_LEVEL_ERROR,
            f"Levels may be off by about {words.fixed(PUBLISHED_LEVEL_ERROR * 100)} points; ranking and trend hold "
            f"(published benchmarks{so_far}).",
        )
    low, high = float(row["level_error_low"]), float(row["level_error_high"])
    error = min(max(abs(low), abs(high), 3 / n), 1.0)
    return Honesty(
        error,
        f"Levels may be off by about {words.fixed(error * 100)} points; ranking and trend hold (measured on {n} "
        f"labelled texts: the scorer calls {difference(float(row['level_error']))} negative than people do, "
        f"95 % {words.signed_points(low)} to {words.signed_points(high)}).",
    )


def difference(level_error: float) -> str:
    """A level error in words: '4 points more'."""
    if abs(level_error) < 0.005:
        return "no more"
    return f"{words.points(level_error)} {'more' if level_error > 0 else 'less'}"


def measured(data_frame: pd.DataFrame) -> list[str]:
    """The measured error of each task as a sentence with its intervals."""
    found = []
    for row in data_frame.to_dict("records"):
        n = int(row["labelled_count"])
        name, level = ("Sentiment", "negative") if row["task"] == "sentiment" else ("Complaints", "a complaint")
        if n < SMALL_SAMPLE:
            few = f"{words.count(row['agreement_count'])} of {words.count(n)} labels agree"
            found.append(f"{name}: {few}: too few to say how far the scorer is off.")
            continue
        agreed = (
            f"{words.count(row['agreement_count'])} of {words.count(n)} agree, "
            f"{words.percent(row['agreement_share'])} "
            f"(95 %: {words.percent(row['agreement_share_low'])} to {words.percent(row['agreement_share_high'])})"
        )
        low, high = words.signed_points(row["level_error_low"]), words.signed_points(row["level_error_high"])
        more = difference(float(row["level_error"]))
        found.append(f"{name}: {agreed}. The scorer calls {more} {level} than people do (95 %: {low} to {high}).")
    return found


@kept
def trend(data_frame: pd.DataFrame, grain: str, cut: Sequence[Any] = ()) -> str:
    """The last negative share, and which periods are signals by which rule; `cut` periods are not the last."""
    judged = _full(data_frame, cut)
    if judged.empty:
        return f"Too few in every full {grain} to speak of a trend"
    last = judged.iloc[-1]
    now = f"{words.percent(last['negative_share'])} open negative in the latest full {grain}"
    if not data_frame["baseline_count"].max():
        return f"{now}; too few {grain}s to tell a signal from chance"
    signals = data_frame[data_frame["signal"] != ""]
    usual = words.percent(last["centre_share"])
    if signals.empty:
        return f"{now}, {usual} is usual; no {grain} differs from it by more than chance"
    rules = []
    for rule, part in signals.groupby("signal", sort=False):
        when = [words.period(pd.Timestamp(at), grain) for at in part["period"]]
        named = ", ".join(when) if len(when) <= _MOST_NAMED else _many(part, grain)
        rules.append(f"{named} ({rule})")
    return f"{now}, {usual} is usual; signals: {'; '.join(rules)}"


def _full(data_frame: pd.DataFrame, cut: Sequence[Any]) -> pd.DataFrame:
    """The periods that are whole and hold enough to judge."""
    return data_frame[(data_frame["scored_count"] >= SMALL_SAMPLE) & ~data_frame["period"].isin(cut)]


def _many(periods: pd.DataFrame, grain: str) -> str:
    first = words.the_period(pd.Timestamp(periods["period"].iloc[0]), grain)
    return f"{len(periods)} {grain}s, first {first}"


@kept
def trend_counted(data_frame: pd.DataFrame, grain: str, said: Honesty) -> str:
    """What the trend counts, and how its limits came about."""
    base = int(data_frame["baseline_count"].max()) if len(data_frame) else 0
    text = (
        f"Negative share of conversations with a scored opening, by {grain}: line, 95 % interval as a band, and a "
        "fainter band that adds the error of the scorer."
    )
    if not base:
        return f"{text} Control limits need eight {grain}s, so nothing is marked. {said.sentence}"
    return (
        f"{text} Usual share and limits (Laney p′) are those of {_baseline(data_frame, grain)}; another period has "
        f"others. Marked is only a {grain} beyond the limits, or the eighth {grain} in a row on one "
        f"side of the usual share and those that follow it there. {said.sentence}"
    )


def _baseline(data_frame: pd.DataFrame, grain: str) -> str:
    """The periods on which usual share and limits stand."""
    base, shown = (int(data_frame[name].max()) for name in ("baseline_count", "baseline_shown_count"))
    first = f"the first {shown} of the {words.counted(len(data_frame), grain)} shown"
    if shown == base:
        return first
    before = f"{words.counted(base - shown, grain)} before the chosen period"
    return f"the {before} and {first}" if shown else f"the {before}"


@kept
def net(data_frame: pd.DataFrame, grain: str, cut: Sequence[Any] = ()) -> str:
    """First against last full period that can be judged; a change only where their intervals are apart."""
    judged = _full(data_frame, cut)
    if len(judged) < 2:
        return f"Too few full {grain}s to speak of a trend in net sentiment"
    low, high = charts_sentiment.net_interval(judged)
    first, last = judged.iloc[0], judged.iloc[-1]
    now, then = words.signed_points(last["net_share"]), words.signed_points(first["net_share"])
    when = words.the_period(pd.Timestamp(first["period"]), grain)
    if low[-1] > high[0] or high[-1] < low[0]:
        word = "better" if last["net_share"] > first["net_share"] else "worse"
        return f"Net sentiment {now}, {word} than the {then} of {when}"
    return f"Net sentiment {now} in the latest full {grain}, not clearly different from the {then} of {when}"


def net_counted(grain: str, said: Honesty) -> str:
    """What net sentiment counts."""
    return (
        f"Positive less negative share of conversations with a scored opening, by {grain}, 95 % interval. "
        f"Control limits belong to the negative share and stand there. {said.sentence}"
    )


@kept
def said_on_about(data_frame: pd.DataFrame) -> str:
    """The most blamed channel, and where it is blamed when customers sit elsewhere; where surely so."""
    other = data_frame[data_frame["channel"] != data_frame["blamed_channel"]]
    if other.empty:
        return "No text was read in which somebody complains on one channel about another"
    blamed = _largest_first(other, "blamed_channel")
    (worst, number), *others = blamed.items()
    what = words.in_sentence(words.value("channel", worst))
    if not others:
        return f"Blamed elsewhere is only {what}, in {words.counted(number, 'conversation')} on other channels"
    if not has_leader(list(blamed.values())):
        second, fewer = others[0]
        then = words.in_sentence(words.value("channel", second))
        most = f"{what} in {words.counted(number, 'conversation')}, {then} in {words.count(fewer)}"
        return f"No channel is clearly the most blamed elsewhere: {most}"
    where = _largest_first(other[other["blamed_channel"] == worst], "channel")
    there, part = next(iter(where.items()))
    on = (
        f", most on {words.in_sentence(words.value('channel', there))} ({words.count(part)})"
        if has_leader(list(where.values()))
        else ""
    )
    return (
        f"The most blamed channel elsewhere: {what}, in {words.counted(number, 'conversation')} on other channels{on}"
    )


def _largest_first(data_frame: pd.DataFrame, dimension: str) -> dict[str, int]:
    """Conversations by a dimension."""
    counts: Any = data_frame.groupby(dimension)["conversation_count"].sum().sort_values(ascending=False, kind="stable")
    return {str(name): int(number) for name, number in counts.items()}


def said_cells(data_frame: pd.DataFrame) -> list[tuple[str, str, Values]]:
    """Label, measure and values of each cell of the heat map: 'Twitter about phone'."""
    found: list[tuple[str, str, Values]] = []
    for row in data_frame.to_dict("records"):
        on, about = str(row["channel"]), str(row["blamed_channel"])
        label = f"{words.value('channel', on)} about {words.in_sentence(words.value('blamed_channel', about))}"
        found.append((label, "blaming", (("channel", on), ("blamed_channel", about))))
    return found


@kept
def recovery(data_frame: pd.DataFrame) -> str:
    """The shortest against the longest wait that can be judged, chosen before looking; else against the lowest."""
    judged = data_frame[data_frame["written_again_count"] >= SMALL_SAMPLE].to_dict("records")
    if len(judged) < 2:
        return "Too few wrote again to say what waiting costs"
    first, last = judged[0], judged[-1]
    fast, slow = words.percent(first["recovered_share"]), words.percent(last["recovered_share"])
    text = f"{fast} end better if answered {_band(first)}, {slow} {_band(last)}"
    if last["recovered_share_high"] < first["recovered_share_low"]:
        return f"What waiting costs: {text}"
    if last["recovered_share_low"] > first["recovered_share_high"]:
        return f"Those who waited longer end better: {text}"
    least = min(judged, key=lambda row: float(row["recovered_share"]))
    if least["recovered_share_high"] < first["recovered_share_low"]:
        lowest = f"{words.percent(least['recovered_share'])} {_band(least)}"
        return f"What waiting costs: {fast} end better if answered {_band(first)}, {lowest}; {_band(last)} {slow}"
    return f"No clear cost from the shortest to the longest wait: {text}"


@kept
def change(data_frame: pd.DataFrame) -> str:
    """How many of those who open negative end better, of all who wrote again after the answer."""
    negative = data_frame[data_frame["sentiment"] == "negative"]
    total = int(negative["conversation_count"].sum())
    if total < SMALL_SAMPLE:
        return "Too few who opened negative wrote again to say how they end"
    better = 1 - float(negative.loc[negative["closing_sentiment"] == "negative", "share"].sum())
    return f"{words.percent(better)} of those who open negative and write again end neutral or positive"


def _band(row: Any) -> str:
    text = str(row["wait_band"])
    return text if text.startswith("within") else f"after {text.replace('over', 'more than')}"


@kept
def is_comparable(data_frame: pd.DataFrame) -> bool:
    """Whether there is anything to compare with: topics and words, and conversations in the period before."""
    return len(data_frame) > 0 and bool(data_frame["previous_total_count"].max())


@kept
def rising(data_frame: pd.DataFrame, *, has_both_ends: bool) -> str:
    """What grew by more than chance, topics first; or that nothing did."""
    if not has_both_ends:
        return "Choose a period with two ends to see which topics rise against the one before"
    if data_frame.empty:
        return "Too few texts to test which topics rise"
    if not is_comparable(data_frame):
        return "No conversation in the period before to compare topics with"
    found = data_frame[data_frame["is_rising"].astype(bool)]
    if found.empty:
        return f"Nothing rose: none of {words.count(len(data_frame))} topics and words grew by more than chance"
    topics, terms = found[found["term_kind"] == "topic"], found[found["term_kind"] != "topic"]
    named = [charts_sentiment.term_name(row) for row in pd.concat([topics, terms]).to_dict("records")]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"Rising: {', '.join(words.shortened(name, 24) for name in named[:_MOST_NAMED])}{more}"


@kept
def rising_counted(data_frame: pd.DataFrame) -> str:
    """What the rising terms count, and how they were tested."""
    found, shown = int(data_frame["is_rising"].astype(bool).sum()), len(charts_sentiment.rising_shown(data_frame))
    cut = f"the first {shown} of {found} that rose" if found > shown else "those that rose"
    which = cut if found else f"none rose, the {shown} nearest to it in grey"
    total, before = (
        data_frame[name].max() if len(data_frame) else 0 for name in ("total_count", "previous_total_count")
    )
    return (
        f"Conversations that open with the topic or word, of {words.count(total)} now and {words.count(before)} in "
        f"the period of equal length before: {which}, each with its own 95 % interval. Log-odds with a prior, "
        f"{words.count(len(data_frame))} tested, false discovery rate 5 %. "
        "A topic opens its conversations; a word opens none."
    )


def topic_cells(data_frame: pd.DataFrame) -> list[tuple[str, str, Values]]:
    """Label, measure and values of the tested topics, the strongest first; a word has no rows of its own."""
    topics = data_frame.loc[data_frame["term_kind"] == "topic", "term"]
    return [(words.value("topic", term), "contacts", (("topic", str(term)),)) for term in topics]
