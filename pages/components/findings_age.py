"""Sentences on age, on being heard and on journeys. Plain text, no Streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE, combined_shares, discoveries, p_values, share
from data_access.filters import listed
from data_access.vocabulary import UNKNOWN
from pages.components import findings, words
from pages.components.keeping import kept

DONE = {"answered": "are answered", "in_hour": "are answered within an hour"}
_NOUN = {"answer": "of the answers", "seen": "of what a human saw", "read": "of what the scorer read"}
_VERB = {"answer": "answered", "seen": "seen by a human", "read": "read by the scorer"}
_NEARLY_A_WEEK = 6 / 7
Row = Any  # one row of a frame


@kept
def fairness(frame: pd.DataFrame, of: str, ages: Sequence[str] = ()) -> str:
    """The age group that is answered worst, and how much of its gap is channel; `ages` are those of the filter."""
    known: Any = _judged(frame)
    if len(known) < 2:
        alone = findings.only_one(frame, "age_group", ages)
        return alone or "Too few customers of known age to compare age groups"
    everybody = findings.everybody(ages)
    if of == "median":
        return _medians(known, everybody)
    real = known[known[f"{of}_verdict"] == "below"]
    gap = f"{of}_gap_share"
    if len(real):
        return _gap_words(real.sort_values(f"standardised_{gap}").iloc[0], of, everybody)
    apparent = known[known[f"{gap}_high"] < 0]
    if len(apparent):
        return _gap_words(apparent.sort_values(gap).iloc[0], of, everybody)
    done = DONE[of].replace("are", "is", 1)
    return f"No age group {done} clearly less often than {everybody}, raw or at one channel mix"


def _gap_words(row: Row, of: str, everybody: str) -> str:
    gap, rest = float(row[f"{of}_gap_share"]), float(row[f"standardised_{of}_gap_share"])
    if gap >= 0:
        return (
            f"{row['age_group']} {DONE[of]} no less often than {everybody} as it is, but {words.points(rest)} less "
            "often at one channel mix: their channels hide the gap"
        )
    start = f"{row['age_group']} {DONE[of]} {words.points(gap)} less often than {everybody}"
    if math.isnan(rest):
        return f"{start}; too few channels in common to say how much of it is channel"
    part = (gap - rest) / gap
    remains = f"{words.points(rest)} remain at one channel mix"
    if row[f"{of}_verdict"] != "below":
        remains += ", no more than chance" if rest < 0 else ""
    if part >= 1:
        return f"{start}: all of the gap is channel"
    if part <= 0:
        return f"{start}: none of the gap is channel, {remains}"
    return f"{start}: {words.percent(part, 0)} of the gap is channel, {remains}"


def _medians(known: Any, everybody: str) -> str:
    """A group waits longest only where its interval leaves out the median of all."""
    order = known["median_minutes_all"].fillna(np.inf)
    clear = order[known["median_minutes_all_low"] > known["overall_median_minutes"]]
    if clear.empty:
        ends = [known.loc[place] for place in (order.idxmin(), order.idxmax())]
        spread = " to ".join(
            f"{words.minutes(float(end['median_minutes_all']), words.NOT_REACHED)} ({end['age_group']})"
            for end in ends
        )
        return f"No age group clearly waits longer than {everybody}: medians from {spread}"
    row: Row = known.loc[clear.idxmax()]
    raw, usual, same = (
        words.minutes(float(row[name]), words.NOT_REACHED)
        for name in ("median_minutes_all", "overall_median_minutes", "standardised_median_minutes")
    )
    return f"{row['age_group']} wait longest: median {raw} ({everybody} {usual}), {same} at one channel mix"


@kept
def left_out(frame: pd.DataFrame) -> str:
    """The channels that some age group does not use: ', without reviews'; empty where every group uses all."""
    names = [name for name in str(frame["left_out_channels"].iloc[0] or "").split(", ") if name]
    said = listed([words.in_sentence(words.value("channel", name)) for name in names])
    return f", without {said}" if names else ""


@kept
def unknown_age(frame: pd.DataFrame, of: str = "answered") -> str:
    """How many are of unknown age, and how far they could move a group's answered share; empty where all are known."""
    total = int(frame["conversation_count"].sum())
    ageless = int(frame.loc[frame["age_group"] == UNKNOWN, "conversation_count"].sum())
    known = _judged(frame)
    if not ageless or known.empty:
        return ""
    start = f" {words.percent(ageless / total)} are of unknown age"
    if of != "answered":
        return f"{start}."
    worst: Row = known.sort_values(["answered_share", "conversation_count"], ascending=[True, False]).iloc[0]
    return (
        f"{start}: if all were {worst['age_group']}, their answered "
        f"share of {words.percent(worst['answered_share'])} would be {words.percent(worst['unknown_all_share'])}; "
        f"whoever they are, it is "
        f"{words.between(worst['unknown_worst_share'], worst['unknown_best_share'])}."
    )


@kept
def heard(frame: pd.DataFrame, listened: str, group: str | None) -> str:
    """Where customers talk most beyond what anybody hears."""
    gap = f"{listened}_gap_per_week"
    if frame.empty or frame[gap].isna().all():
        return f"Nothing was {_VERB[listened]} here: there is nothing to compare the conversations with"
    if (frame["conversation_count"] == frame["group_conversation_count"]).all():
        return "Only one channel here: there is no other to which we could listen more or less"
    judged = frame["conversation_count"] >= SMALL_SAMPLE
    if not judged.any():
        return "Too few on every channel to tell whether we listen where customers talk"
    sure: Any = frame[judged & (frame[f"{gap}_low"] > 0)]
    if sure.empty:
        return "No channel stands out by more than chance: customers talk about as much as we listen"
    row = sure.sort_values(gap, ascending=False).iloc[0]
    rate = f"{words.decimal(row[gap] * gap_factor(frame))} conversations{' a week' if is_weekly(frame) else ''}"
    where = words.value("channel", row["channel"])
    whole = "the conversations"
    if group:
        where = f"{words.shortened(words.value(group, row[group]), 28)}, {words.in_sentence(where)}"
        whole = f"this {group.replace('_', ' ')}'s conversations"
    return (
        f"{where}: {words.percent(row['inbound_share'])} of {whole}, "
        f"{words.percent(row[f'{listened}_share'])} {_NOUN[listened]}; {rate} beyond that"
    )


def is_weekly(frame: pd.DataFrame) -> bool:
    """The frame spans a week, of which the last day may not be over: less is not counted up to one."""
    return bool(len(frame)) and float(frame["weeks"].iloc[0]) > _NEARLY_A_WEEK


def gap_factor(frame: pd.DataFrame) -> float:
    """What makes gaps of the conversations that there were out of gaps a week, where that is shorter."""
    return 1.0 if is_weekly(frame) or frame.empty else float(frame["weeks"].iloc[0])


@kept
def heard_counted(frame: pd.DataFrame, listened: str, group: str | None = None) -> str:
    """What the gap means, on how many conversations and weeks it stands; of a split, that each group is a whole."""
    total = words.counted_as(int(frame["conversation_count"].sum()), "conversations opened by customers")
    weeks = float(frame["weeks"].iloc[0]) if len(frame) else 0.0
    of, each, own = total, "", "the "
    if group:
        of, each, own = f"each {group.replace('_', ' ')}'s conversations ({total} in all)", ", group by group", "its "
    gap = (
        f"A week: the difference times {own}conversations per week ({words.decimal(weeks)} weeks)"
        if is_weekly(frame)
        else f"In all: the difference times {own}conversations"
    )
    return (
        f"Hollow: the channel's share of {of}; filled: its share {_NOUN[listened]}{each}. {gap}: so many more come "
        "by this channel than its share stands for; bold where beyond chance, else grey. Dots grey under 30."
    )


@kept
def mix_over_time(frame: pd.DataFrame, channel: str, grain: str) -> str:
    """In which age group a channel's share changed most from the first half of the periods to the second, tested."""
    name = words.value("channel", channel)
    if frame["period"].nunique() < 2:
        return f"Only one {grain}: a longer period shows whether {words.in_sentence(name)} grows"
    tested = _changes(frame)
    if tested.empty:
        return f"Too few customers of known age to say how {words.in_sentence(name)} changes"
    real: Any = tested[tested["is_real"]]
    if real.empty:
        return f"{name}: no age group's share changed by more than chance"
    row = real.sort_values("change", key=abs).iloc[-1]
    direction = "up" if row["change"] > 0 else "down"
    return (
        f"{name} at {row['age_group']}: {direction} from {words.percent(row['before'])} to "
        f"{words.percent(row['after'])} of their conversations"
    )


@kept
def most_changed(frame: pd.DataFrame) -> str:
    """The age group whose share of the channel changed most surely; the largest known one where none did."""
    tested = _changes(frame)
    if not tested.empty and tested["is_real"].any():
        return str(tested[tested["is_real"]].sort_values("change", key=abs).iloc[-1]["age_group"])
    known = frame[frame["age_group"] != UNKNOWN].groupby("age_group")["group_conversation_count"].sum()
    return str(known.idxmax()) if len(known) else UNKNOWN


def _changes(frame: pd.DataFrame) -> pd.DataFrame:
    """First half of the periods against the second. One row per known age group with 30 conversations in each."""
    periods = sorted(frame["period"].unique())
    middle = periods[len(periods) // 2] if periods else None
    rows = []
    for age, part in frame[frame["age_group"] != UNKNOWN].groupby("age_group"):
        halves = [part[part["period"] < middle], part[part["period"] >= middle]]
        n = [float(half["group_conversation_count"].sum()) for half in halves]
        k = [float(half["conversation_count"].sum()) for half in halves]
        if min(n) >= SMALL_SAMPLE:
            rows.append((str(age), *(float(s) for s in share(k, n)), *combined_shares([-1.0, 1.0], k, n)))
    tested = pd.DataFrame(rows, columns=["age_group", "before", "after", "change", "low", "high"])
    tested["is_real"] = discoveries(p_values(*(tested[name].to_numpy(float) for name in ("change", "low", "high"))))
    return tested


@kept
def journey(frame: pd.DataFrame) -> str:
    """How many conversations on how many channels, and how often we failed."""
    steps = frame.drop_duplicates("conversation_id")
    failed = frame[frame["is_failed"]]
    ignored = int((frame["response_state"] == "ignored").sum())
    ours = steps["kind"] == "outreach"
    channels = words.counted(steps.loc[~ours, "channel"].nunique(), "channel")
    text = f"{words.counted(int((~ours).sum()), 'conversation')} on {channels}"
    text += f" and {int(ours.sum())} that we opened" if ours.any() else ""
    if failed.empty:
        return f"{text}, every wait within its target"
    late = len(failed) - ignored
    parts = [f"ignored {_times(ignored)}"] if ignored else []
    parts += [f"beyond the target {_times(late)}"] if late else []
    return f"{text}: {listed(parts)}"


@kept
def eventful(frame: pd.DataFrame, *, is_anybody_known: bool = True) -> str:
    """The customers whom we failed on most channels; `frame` holds the first of them, as many as are listed.

    `is_anybody_known`: a customer of the filter would be recognised when they write again.

    Waits of all kinds, complaints or not: so "ignored", which elsewhere is said of complaints, is not the word.
    """
    if frame.empty and not is_anybody_known:
        return "No customer can be recognised, so nobody is known to have had two conversations"
    if frame.empty:
        return "No customer with two conversations or more was failed in this filter"
    row: Row = frame.iloc[0]
    if not row["ignored_count"]:
        return "Every customer with two conversations or more was answered in this filter; some were answered late"
    channels = words.counted(row["ignored_channel_count"], "channel")
    alike = int(row["equally_ignored_count"])
    who = "One customer was" if alike == 1 else f"{words.count(alike)} customers were"
    return f"{who} left without an answer {_times(int(row['ignored_count']))} on {channels}"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _judged(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["age_group"] != UNKNOWN) & (frame["conversation_count"] >= SMALL_SAMPLE)]
