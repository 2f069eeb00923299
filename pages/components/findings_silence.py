"""Sentences on silence: definitions, funnel, hours, expected shares, channel part. Plain text, no Streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.config import Settings
from data_access.estimates import SMALL_SAMPLE, combined_shares, discoveries, has_leader, p_values
from data_access.filters import day_words, listed
from data_access.published import PublishedFigure
from data_access.vocabulary import NOBODY, UNKNOWN
from pages.components import charts_silence, findings, theme, words
from pages.components.keeping import kept

_MOST_NAMED = 3
Row = Any  # one row of a frame


@kept
def spread(data_frame: pd.DataFrame) -> str:
    """How far the definitions of one question are apart: 'From 48 % to 88 % …; ours says 86 %'."""
    known: Any = data_frame[data_frame["value"].notna()]
    if known.empty:
        return "Too little data to answer this under any definition"
    is_time = known["unit"].iloc[0] == "minutes"
    said = words.minutes if is_time else words.percent
    low, high = float(known["value"].min()), float(known["value"].max())
    ours = data_frame[data_frame["is_ours"]]
    own = float(ours["value"].iloc[0]) if len(ours) else float("nan")
    here = f"ours says {words.NOT_REACHED if is_time and math.isnan(own) else said(own)}"
    if said(low) == said(high) and len(known) == len(data_frame):
        return f"Every definition says {said(low)}"
    end = f" or {words.NOT_REACHED}" if is_time and len(known) < len(data_frame) else ""
    wide = f" ({words.points(high - low)} apart)" if not is_time else ""
    return f"From {said(low)} to {said(high)}{end}{wide}, depending on the definition; {here}"


@kept
def funnel(data_frame: pd.DataFrame, dimension: str, chosen: Sequence[str] = ()) -> str:
    """How many groups chance and channel mix do not explain, by name where they are few; `chosen` by the filter."""
    noun = "agent" if dimension == "agent" else "team"
    known = data_frame[data_frame[dimension] != NOBODY]
    judged = known[known["target_due_count"] >= SMALL_SAMPLE]
    judged = judged[~charts_silence.is_alone(judged)]
    if len(judged) < 2:
        alone = findings.only_one(known, dimension, chosen) if len(known) < 2 else ""
        return alone or f"No {noun}s that share channels and are large enough to compare"
    parts = []
    for verdict, phrase in (("below", "less"), ("above", "more")):
        found = judged[judged["verdict"] == verdict]
        if len(found):
            names = [words.shortened(words.value(dimension, name), 28) for name in found[dimension]]
            named = f" ({', '.join(names)})" if len(names) <= _MOST_NAMED else ""
            parts.append(f"{len(found)}{named} {phrase} often")
    if not parts:
        others = len(known) - len(judged)
        rest = f"; {words.counted(others, noun)} cannot be compared" if others else ""
        who = "Neither" if len(judged) == 2 else "None"
        return f"{who} of {len(judged)} {noun}s differs by more than chance, once channels are the same{rest}"
    return f"Of {len(judged)} {noun}s, {listed(parts)} in target than chance and channels explain"


@kept
def alone(data_frame: pd.DataFrame, dimension: str) -> str:
    """Groups that cannot be told apart from their channels, in words; empty where there are none."""
    names = data_frame.loc[charts_silence.is_alone(data_frame) & (data_frame[dimension] != NOBODY), dimension]
    is_only_one = len(data_frame[data_frame[dimension] != NOBODY]) < 2  # nobody else is here: not the channel's doing
    if names.empty or is_only_one:
        return ""
    said = [words.shortened(words.value(dimension, name), 28) for name in names]
    who = f"{', '.join(said[:5])} and {len(said) - 5} more" if len(said) > 5 else listed(said)
    verb, they = ("share", "they") if len(said) > 1 else ("shares", "it")
    return (
        f" Not drawn: {who} {verb} no channel with others in this filter, so {they} cannot be told apart from the "
        "channel."
    )


@kept
def hours(data_frame: pd.DataFrame, show: str) -> str:
    """Of the hours of the week that are ignored more than chance explains the worst; or when most complaints come.

    One of 168 hours is always the worst: so each is tested against all others, with a false discovery rate of 5 %.
    """
    if show == "count":
        return _busiest(data_frame)
    judged: Any = data_frame[data_frame["due_count"] >= SMALL_SAMPLE]
    if judged.empty:
        return f"No hour of the week has {SMALL_SAMPLE} complaints old enough to judge: widen the period"
    hours_judged = words.counted(len(judged), "hour")
    above = judged[_above_the_others(judged, data_frame)]
    if above.empty:
        return f"No hour of the week is ignored more than chance explains, of {hours_judged} with enough complaints"
    worst = above.sort_values(["ignored_share", "due_count"]).iloc[-1]
    whole = words.percent(data_frame["ignored_in_time_count"].sum() / data_frame["due_count"].sum())
    more = f"; {words.counted(len(above), 'hour')} of {len(judged)} above chance" if len(above) > 1 else ""
    return f"Ignored most on {_hour(worst)}: {words.percent(worst['ignored_share'])} (all hours: {whole}{more})"


def _busiest(data_frame: pd.DataFrame) -> str:
    """The hour with most complaints where it surely has more than the others, else the hours of the day with half."""
    counts = data_frame["complaint_count"]
    number = int(counts.sum())
    if has_leader(counts):
        top: Any = data_frame.sort_values("complaint_count").iloc[-1]
        most = words.counted(top["complaint_count"], "complaint")
        return f"The busiest hour is {_hour(top)}: {most}, {words.percent(top['complaint_count'] / number)} of all"
    if number < SMALL_SAMPLE:
        return f"No hour of the week is clearly the busiest, of {words.counted(number, 'complaint')}"
    of_day = data_frame.groupby("hour")["complaint_count"].sum().reindex(range(24), fill_value=0).to_numpy(int)
    first, length = _shortest_half(of_day)
    part = words.percent(np.roll(of_day, -first)[:length].sum() / number)
    return (
        f"No single hour is clearly the busiest; {part} of complaints come "
        f"from {first:02d}:00 to {(first + length) % 24:02d}:00"
    )


def _shortest_half(of_day: np.ndarray) -> tuple[int, int]:
    """First hour and length of the shortest part of the day with half of all; of equal ones the fullest."""
    for length in range(1, 24):
        held = [int(np.roll(of_day, -first)[:length].sum()) for first in range(24)]
        if 2 * max(held) >= of_day.sum():
            return held.index(max(held)), length
    return 0, 24


def _above_the_others(judged: pd.DataFrame, everything: pd.DataFrame) -> np.ndarray:
    """Which hours' shares are above that of all other hours, when all judged are looked at together."""
    n, k = judged["due_count"].to_numpy(float), judged["ignored_in_time_count"].to_numpy(float)
    all_n, all_k = float(everything["due_count"].sum()), float(everything["ignored_in_time_count"].sum())
    gaps = [
        combined_shares([1.0, -1.0], [own_k, all_k - own_k], [own_n, all_n - own_n])
        for own_k, own_n in zip(k, n, strict=True)
    ]
    estimate, low, high = np.array(gaps, dtype=np.float64).reshape(-1, 3).T
    return discoveries(p_values(estimate, low, high)) & (estimate > 0)


def _hour(row: Row) -> str:
    hour = int(row["hour"])
    return f"{words.value('weekday', int(row['weekday']))}s from {hour:02d}:00 to {(hour + 1) % 24:02d}:00"


@kept
def expected(frame: pd.DataFrame, grain: str) -> str:
    """What the newest provisional period will come to; empty where there is none, or no past to judge by."""
    known = frame[frame["expected_ignored_share"].notna()]
    if known.empty:
        return ""
    last: Any = known.iloc[-1]
    when = words.period(last["period"], grain)
    return (
        f" Diamonds: expected final share of provisional {grain}s, from past ones; {when} "
        f"{words.percent(last['expected_ignored_share'])} ({words.percent(last['expected_ignored_share_low'])} to "
        f"{words.percent(last['expected_ignored_share_high'])}), {words.count(last['young_count'])} still too young."
    )


@kept
def channel_part(data_frame: pd.DataFrame, ages: Sequence[str] = ()) -> str:
    """How much of the largest gap between age groups is channel; `ages` are those of the filter."""
    dimension = "age_group"
    judged: Any = data_frame[
        (data_frame["target_due_count"] >= SMALL_SAMPLE)
        & (data_frame[dimension] != UNKNOWN)
        & data_frame["standardised_share"].notna()
    ]
    if len(judged) < 2:
        alone = findings.only_one(data_frame, dimension, ages)
        return alone or "Too few customers of known age to compare age groups"
    top, bottom, is_clear = findings.ends(judged, "in_target_share", "target_due_count")
    raw = float(top["in_target_share"] - bottom["in_target_share"])
    same = float(top["standardised_share"] - bottom["standardised_share"])
    best, worst = words.percent(top["in_target_share"]), words.percent(bottom["in_target_share"])
    pair = f"{top[dimension]} {best} in target, {bottom[dimension]} {worst}"
    if not is_clear:
        return f"No clear difference between age groups ({pair})"
    left = f"of the {words.points(raw)}, {words.points(same)} remain at one channel mix"
    if same <= 0:
        return f"{pair}: all of the gap is channel"
    if same >= raw:
        return f"{pair}: none of the gap is channel"
    return f"{pair}: {words.percent(1 - same / raw, 0)} of the gap is channel; {left}"


@kept
def rates(frame: pd.DataFrame) -> str:
    """The ignored share by every unit, with intervals, in one sentence."""
    parts = [
        f"per {row['unit_counted']} {words.percent(row['ignored_share'])} "
        f"({words.percent(row['ignored_share_low'])} to {words.percent(row['ignored_share_high'])})"
        for row in frame.to_dict("records")
    ]
    return f"Ignored {', '.join(parts)}; 95 % intervals in brackets."


def published(figures: Sequence[PublishedFigure]) -> str:
    """Source, year, population and caveat of each figure; plain text."""
    said: dict[str, list[str]] = {}
    for figure in figures:
        said.setdefault(f"{figure.source}, {figure.year}; {figure.population}. {figure.caveat}", []).append(
            figure.words
        )
    parts = [f"{'; '.join(texts)} ({origin.rstrip('.')})." for origin, texts in said.items()]
    return " ".join(part[:1].upper() + part[1:] for part in parts)


def targets(settings: Settings, channels: Sequence[str]) -> str:
    """Targets and limits of the channels at hand, each with its clock and the date it came into force."""
    parts = []
    for threshold in settings.thresholds:
        named = [words.value("channel", channel) for channel in threshold.channels if channel in channels]
        if not named:
            continue
        narrower = " ".join(x for x in (threshold.brand, threshold.team) if x)
        text = (
            f"{', '.join(named)}{f' ({narrower})' if narrower else ''} "
            f"{words.minutes(threshold.target_seconds / 60)}, ignored after "
            f"{words.minutes(threshold.ignored_after_seconds / 60)}"
        )
        text += " of business hours" if threshold.clock == "business" else ""
        text += f", since {day_words(threshold.in_force_from)}" if threshold.in_force_from else ""
        parts.append(text)
    return f"Targets in force: {'; '.join(parts) or 'none'}."


def calendars(settings: Settings, clock: str) -> str:
    """Which calendars count as business hours, and since when."""
    if not settings.calendars:
        hint = ": business hours are all hours" if clock == "business" else ""
        return f"No opening hours in the settings{hint}."
    parts = []
    for calendar in settings.calendars:
        users = [
            " ".join(x for x in (words.value("channel", use.channel) if use.channel else "", use.brand, use.team) if x)
            or "everybody"
            for use in settings.calendar_uses
            if use.calendar == calendar.name
        ]
        since = [day_words(hours.since) for hours in calendar.hours if hours.since]
        text = f"{calendar.name} ({calendar.zone}) for {', '.join(users) or 'nobody'}"
        text += f", holidays of {calendar.country}" if calendar.country else ""
        text += f", hours changed on {', '.join(since)}" if since else ""
        parts.append(text)
    lead = "Waits above are counted in business hours" if clock == "business" else "Waits above are in calendar time"
    return f"{lead}; each target counts by its own clock. Calendars: {'; '.join(parts)}."


@kept
def surest_first(frame: pd.DataFrame) -> pd.DataFrame:
    """Teams and channels by how surely newer contacts were answered past older complaints; too few to judge last."""
    few = frame["easy_answered_count"] < SMALL_SAMPLE
    ordered = frame.assign(few=few).sort_values(
        ["few", "overtaking_share_low", "overtaking_share"], ascending=[True, False, False], kind="stable"
    )
    return ordered.drop(columns="few").reset_index(drop=True)


@kept
def overtaking(frame: pd.DataFrame) -> str:
    """Where newer, easier contacts are answered past older complaints most surely."""
    judged: Any = frame[frame["easy_answered_count"] >= SMALL_SAMPLE]
    if judged.empty:
        return "Too few answered contacts without a complaint to say who jumps the queue"
    if not judged["overtaking_count"].sum():
        return "No older complaint was clearly passed over"
    worst: Any = surest_first(judged).iloc[0]
    team = words.shortened(words.value("team", worst["team"]), 28)
    channel = words.in_sentence(words.value("channel", worst["channel"]))
    return (
        f"{team}, {channel}: {words.percent(worst['overtaking_share'])} of answered contacts without a complaint "
        "went past an older complaint"
    )


@kept
def orphaned(frame: pd.DataFrame) -> str:
    """How many customers wait for somebody who is gone."""
    if frame.empty:
        return "Nobody waits for an agent who left or changed team"
    wait = "waits" if len(frame) == 1 else "wait"
    oldest = words.minutes(float(frame["waited_minutes"].max()))
    number = words.counted(len(frame), "customer")
    return f"{number} {wait} for an agent who left or changed team; the oldest for {oldest}"


@kept
def shares_by_age(frame: pd.DataFrame, door: str) -> str:
    """The youngest and the oldest age group by how many use a door; of one that is large enough, that one."""
    judged: Any = frame[(frame["everybody_count"] >= SMALL_SAMPLE) & (frame["age_group"] != UNKNOWN)]
    if judged.empty:
        return f"Too few customers of known age to say who uses {door}"
    order = theme.natural_order("age_group", list(judged["age_group"]))
    ends = [judged[judged["age_group"] == age].iloc[0] for age in dict.fromkeys((order[0], order[-1]))]
    text = ", ".join(f"{words.percent(row['customer_share'])} of those {row['age_group']}" for row in ends)
    return f"{door[:1].upper()}{door[1:]} used by {text}"
