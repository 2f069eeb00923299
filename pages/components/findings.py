"""Chart titles and brief sentences: the finding in words, computed. Plain text; no Streamlit, no SQL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE, combined_shares, discoveries, lead_p_value
from data_access.filters import listed
from data_access.vocabulary import NOBODY, UNKNOWN
from pages.components import theme, words
from pages.components.keeping import kept

_MOST_NAMED = 3
Row = Any  # one row of a frame


def answer_curve(total: Row) -> str:
    """The median with silence in, beside the flattering one."""
    answered, everyone = total["median_minutes_answered"], total["median_minutes_all"]
    if math.isnan(answered):
        return "Nobody was answered at a known time"
    usual = f"The usual number says {words.minutes(answered)}"
    if math.isnan(everyone):
        return f"{usual}; counting everyone, fewer than half are answered so far"
    if everyone <= answered * 1.05:
        return f"Half of all customers are answered within {words.minutes(everyone)}, silence counted"
    return f"{usual}; counting everyone it is {words.minutes(everyone)}"


@kept
def curves_apart(groups: pd.DataFrame, curve: pd.DataFrame, dimension: str) -> str:
    """The fastest and the slowest of the drawn groups by the time in which half are answered, silence kept in.

    Apart where, when half of the fastest are answered, the intervals of the two curves do not meet.
    """
    drawn: Any = groups[groups[dimension].isin(curve[dimension])]
    everything, drawn = drawn, _named(drawn, dimension)
    if drawn.empty:
        return "Too few in every group to draw its curve"
    among = _among(everything, drawn, dimension)
    medians = drawn["median_minutes_all"].fillna(math.inf)
    if math.isinf(medians.min()):
        return f"Half are answered so far in no group{among}"
    fast, slow = drawn.loc[medians.idxmin()], drawn.loc[medians.idxmax()]
    best = words.shortened(words.value(dimension, fast[dimension]), 40)
    soonest = f"half within {words.minutes(fast['median_minutes_all'])}"
    if len(drawn) == 1:
        return f"{best}: {soonest}"
    at = float(fast["median_minutes_all"]) + 1e-9
    low, high = (_at(curve[curve[dimension] == row[dimension]], at) for row in (fast, slow))
    late = slow["median_minutes_all"]
    latest = f"half {words.NOT_REACHED}" if math.isnan(late) else f"half within {words.minutes(late)}"
    if low[0] <= high[1]:
        return f"No clear difference{among}: {soonest} where fastest, {latest} where slowest"
    return f"{best}: {soonest}; {words.shortened(words.inside(dimension, slow[dimension]), 40)}: {latest}"


def _at(curve: pd.DataFrame, minutes: float) -> tuple[float, float]:
    """The interval of one answer curve at a time; before its first answer nobody is answered."""
    so_far = curve[curve["minutes"] <= minutes]
    if so_far.empty:
        return 0.0, 0.0
    return float(so_far["answered_share_low"].iloc[-1]), float(so_far["answered_share_high"].iloc[-1])


@kept
def groups_apart(data_frame: pd.DataFrame, dimension: str, share: str, count: str, done: str) -> str:
    """The best and the worst group that can be judged: 'Email 91 % …, Facebook 34 %'."""
    everything = data_frame[(data_frame[count] >= SMALL_SAMPLE) & data_frame[share].notna()]
    judged = _named(everything, dimension)
    if not data_frame[count].sum():
        return "There is nothing here to compare"
    if judged.empty:
        return "Too few in every group to compare them"
    top, bottom, is_clear = ends(judged, share, count)
    best = words.shortened(words.value(dimension, top[dimension]), 40)
    if len(judged) == 1:
        others = data_frame[(data_frame[count] > 0) & ~data_frame[dimension].isin([UNKNOWN, top[dimension]])]
        few = "; the others are too few to compare" if len(others) else ""
        return f"{best}: {words.percent(top[share])} {done}{few}"
    worst = words.shortened(words.inside(dimension, bottom[dimension]), 40)
    if not is_clear:
        among = _among(everything, judged, dimension)
        return f"No clear difference{among}: {words.between(judged[share].min(), judged[share].max())} {done}"
    # Where another group's share is higher or lower still, but too few to be sure, the words must not name an extreme.
    if top[share] < judged[share].max() or bottom[share] > judged[share].min():
        return f"{best}: {words.percent(top[share])} {done}, clearly more than {worst}: {words.percent(bottom[share])}"
    return f"{best}: {words.percent(top[share])} {done}; {worst}: {words.percent(bottom[share])}"


def _named(data_frame: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """The groups that have a name; where none has, all."""
    named = data_frame[data_frame[dimension] != UNKNOWN]
    return named if len(named) else data_frame


def _among(everything: pd.DataFrame, named: pd.DataFrame, dimension: str) -> str:
    """That what is said of all groups leaves out the nameless one, which is drawn: ' among known ages'."""
    if len(named) == len(everything):
        return ""
    return f" among known {'ages' if dimension == 'age_group' else dimension.replace('_', ' ') + 's'}"


@kept
def standing_out(data_frame: pd.DataFrame, part: str, whole: str) -> pd.DataFrame:
    """The groups of which a larger part is counted than of all others together, by more than chance; surest first.

    The interval of the difference (Newcombe, 95 %) leaves out zero: so the lower limit of the group's own share lies
    above the share of the others.
    """
    counted, all_counted = float(data_frame[part].sum()), float(data_frame[whole].sum())
    lead = []
    for k, n in data_frame[[part, whole]].astype(float).itertuples(index=False):
        is_judged = n >= SMALL_SAMPLE and all_counted > n
        lead.append(combined_shares([1.0, -1.0], [k, counted - k], [n, all_counted - n])[1] if is_judged else 0.0)
    found = data_frame.assign(lead=lead)
    return found[found["lead"] > 0].sort_values("lead", ascending=False, kind="stable").drop(columns="lead")


def no_door(channels: pd.DataFrame) -> str:
    """That no channel fails clearly more often than the others, and what the channels too small to judge add."""
    if channels.empty:
        return "No complaint matches this filter."
    if not channels["due_count"].sum():
        return "No complaint is old enough to be judged."
    if not channels["ignored_in_time_count"].sum():
        return "No complaint old enough to be judged was ignored."
    large = channels["due_count"] >= SMALL_SAMPLE
    said = (
        f"No channel with {SMALL_SAMPLE} complaints or more stands out from the others."
        if large.any()
        else f"No channel has the {SMALL_SAMPLE} complaints that it takes to judge it."
    )
    small: Any = channels[~large & (channels["ignored_in_time_count"] > 0)]
    if small.empty:
        return said
    named = [
        f"{words.value('channel', row['channel'])} {words.count(row['ignored_in_time_count'])} "
        f"of {words.count(row['due_count'])}"
        for row in small.sort_values("ignored_in_time_count", ascending=False, kind="stable").to_dict("records")
    ]
    number = words.counted(small["ignored_in_time_count"].sum(), "ignored complaint")
    return f"{said} {number} came by channels with fewer: {', '.join(named)}."


def ends(judged: pd.DataFrame, share: str, count: str) -> tuple[Row, Row, bool]:
    """The rows of the highest and lowest share, of equal ones the larger, and whether their intervals are apart.

    Where they are not, though those of two other rows are, these two: the surest high and the surest low.
    """
    top: Any = judged.sort_values([share, count], ascending=[False, False], kind="stable").iloc[0]
    bottom: Any = judged.sort_values([share, count], ascending=[True, False], kind="stable").iloc[0]
    if top[f"{share}_low"] > bottom[f"{share}_high"]:
        return top, bottom, True
    sure_top, sure_bottom = (
        judged.sort_values(f"{share}_low", kind="stable").iloc[-1],
        judged.sort_values(f"{share}_high", kind="stable").iloc[0],
    )
    if sure_top[f"{share}_low"] > sure_bottom[f"{share}_high"]:
        return sure_top, sure_bottom, True
    return top, bottom, False


@kept
def over_time(data_frame: pd.DataFrame, share: str, count: str, done: str, grain: str, cut: Sequence[Any] = ()) -> str:
    """First against last full, mature period; a change only where their intervals are apart.

    `cut` are the periods of which the filter or *as of* leaves only some days.
    """
    mature = data_frame[data_frame[share].notna() & (data_frame[count] >= SMALL_SAMPLE)]
    mature = mature[~mature["period"].isin(cut)]
    if "is_provisional" in mature:
        mature = mature[~mature["is_provisional"]]
    if len(mature) < 2:
        return f"Too few full {grain}s to speak of a trend in the share {done}"
    first, last = mature.iloc[0], mature.iloc[-1]
    when = words.during(pd.Timestamp(first["period"]), grain)
    now = f"{words.percent(last[share])} {done}"
    if last[f"{share}_low"] > first[f"{share}_high"]:
        return f"{now}, up from {words.percent(first[share])} {when}"
    if last[f"{share}_high"] < first[f"{share}_low"]:
        return f"{now}, down from {words.percent(first[share])} {when}"
    spread = f"all {grain}s {words.between(mature[share].min(), mature[share].max())}"
    return f"{now} in the latest full {grain}, not clearly different from the first; {spread}"


def backlog(total: Row) -> str:
    """Who waits now, and how long the oldest has."""
    if not total["open_count"]:
        return "Nobody waits for a reply"
    late = "all" if total["ignored_count"] == total["open_count"] else words.count(total["ignored_count"])
    ignored = f", {late} of them longer than allowed" if total["ignored_count"] else ""
    oldest = words.minutes(total["oldest_minutes"])
    return f"{words.counted(total['open_count'], 'wait')} open now{ignored}; the oldest for {oldest}"


def calls(total: Row) -> str:
    """Phone in one sentence; the mean never stands without the abandoned."""
    speed = words.minutes(total["average_speed_of_answer_seconds"] / 60, "an unknown time")
    answered = words.percent(total["answered_count"] / total["offered_count"])
    gone = words.counted(total["abandoned_count"], "caller")
    return f"{answered} of calls answered, on average after {speed}; {gone} gave up"


@kept
def response_states(data_frame: pd.DataFrame, dimension: str) -> str:
    """Where clearly more complaints are ignored now than elsewhere."""
    judged: Any = data_frame[data_frame["complaint_count"] >= SMALL_SAMPLE]
    if judged.empty:
        return "Too few complaints in every group to compare"
    part = judged["ignored_count"] / judged["complaint_count"]
    if not part.max():
        return "No complaint is ignored now"
    is_only = int((data_frame["complaint_count"] > 0).sum()) == 1
    worst: Any = judged if is_only else standing_out(data_frame, "ignored_count", "complaint_count")
    if worst.empty:
        share = data_frame["ignored_count"].sum() / data_frame["complaint_count"].sum()
        return f"{words.percent(share)} of complaints are ignored now; no {dimension.replace('_', ' ')} stands out"
    label, share = words.shortened(words.value(dimension, worst.iloc[0][dimension]), 40), part[worst.index[0]]
    return f"{label}: {words.part_of(float(share), 'complaints')} are ignored now"


def everybody(ages: Sequence[str]) -> str:
    """With whom an age group is compared: a filter by age, `ages`, leaves the others out."""
    return "all customers of the ages chosen" if ages else "all customers"


def only_one(data_frame: pd.DataFrame, dimension: str, chosen: Sequence[str]) -> str:
    """That a group has no other to be compared with, and whether the filter's choice is why; empty where it has."""
    named = [value for value in chosen if value != UNKNOWN]
    noun = dimension.replace("_", " ")
    if chosen and not named:
        who = "customers of unknown age are" if dimension == "age_group" else f"what has no {noun} is"
        return f"Only {who} in the filter, so there is nothing to compare"
    if len(named) == 1:
        return f"Only one {noun} is in the filter, so there is no other to compare it with"
    if data_frame.loc[~data_frame[dimension].isin([UNKNOWN, NOBODY]), dimension].nunique() == 1:
        return f"Only one {noun} is known here, so there is no other to compare it with"
    return ""


@kept
def channel_mix(data_frame: pd.DataFrame, ages: Sequence[str] = ()) -> str:
    """The first channel of the youngest and of the oldest group in which one is surely ahead of the second.

    `ages` are those that the filter chooses.
    """
    judged = _first_channels(data_frame)
    if ages and set(ages) <= {UNKNOWN}:
        return only_one(data_frame, "age_group", ages)
    if not judged:
        return "The age of too few customers is known to say where which of them talk"
    clear = [row for row in judged if row["is_clear"]]
    is_every = len(judged) == data_frame.loc[data_frame["age_group"] != UNKNOWN, "age_group"].nunique()
    if not clear:
        every = "at any of the ages chosen" if ages else "at any age"
        return f"No channel is clearly first {every if is_every else 'in any age group large enough to judge'}"
    unclear = _no_first([row["age_group"] for row in judged if not row["is_clear"]])
    ends = clear[:1] if len(clear) == 1 else [clear[0], clear[-1]]
    if len(clear) > 1 and len({row["channel"] for row in clear}) == 1:
        name = words.value("channel", clear[0]["channel"])
        spread = [f"{words.percent(row['share'])} at {row['age_group']}" for row in ends]
        every = "at every age chosen" if ages else "at every age"
        where = every if is_every else f"in the {len(judged)} age groups large enough to judge"
        where = f"in {len(clear)} of {len(judged)} age groups" if unclear else where
        return f"{name} comes first {where}: {', '.join(spread)}{unclear}"
    parts = [
        f"{words.in_sentence(words.value('channel', row['channel']))} first for {row['age_group']} "
        f"({words.percent(row['share'])})"
        for row in ends
    ]
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}{unclear}"


def _no_first(ages: Sequence[str]) -> str:
    """The age groups in which chance may have made a channel the first, in words; empty without any."""
    if len(ages) > _MOST_NAMED:
        return f"; no clear first in {len(ages)} others"
    return f"; no clear first at {listed(ages)}" if ages else ""


def _first_channels(data_frame: pd.DataFrame) -> list[Row]:
    """The most used channel of each known age group of at least 30 conversations, young to old.

    `is_clear` where it is ahead of the second by more than chance, all ages looked at together.
    """
    found, p_values = [], []
    for age in theme.natural_order("age_group", list(data_frame["age_group"])):
        group = data_frame[data_frame["age_group"] == age]
        if age != UNKNOWN and group["conversation_count"].sum() >= SMALL_SAMPLE:
            found.append(group.sort_values("share", ascending=False).to_dict("records")[0])
            p_values.append(lead_p_value(group["conversation_count"]))
    clear = discoveries(np.array(p_values, dtype=np.float64))
    return [{**row, "is_clear": bool(is_clear)} for row, is_clear in zip(found, clear, strict=True)]


@kept
def channel_index(data_frame: pd.DataFrame, ages: Sequence[str] = ()) -> str:
    """The strongest preference against the average customer, judged by the lower limit of its interval.

    `ages` are those that the filter chooses: the average is theirs.
    """
    alone = only_one(data_frame, "age_group", ages)
    if alone:
        return alone
    whole = data_frame["conversation_count"].sum()
    usual: Any = data_frame.groupby("channel")["conversation_count"].sum() / (whole or 1)
    best, text = 1.0, "No age group clearly prefers a channel"
    for row in data_frame.to_dict("records"):
        if row["age_group"] == UNKNOWN or row["conversation_count"] < SMALL_SAMPLE:
            continue
        surely = row["share_low"] / usual[row["channel"]]
        if surely > best:
            channel, times = words.value("channel", row["channel"]), row["share"] / usual[row["channel"]]
            best = surely
            text = (
                f"{row['age_group']} use {words.in_sentence(channel)} {times:.1f} times as much as {everybody(ages)}"
            )
    return text


_WHAT = {
    "ignored_share": "of complaints ignored",
    "in_target_share": "answered within target",
    "negative_share": "open negative",
}


def change(row: Row) -> str:
    """One tested change as a sentence, short enough for a line of a telephone."""
    where = words.value("channel", row["channel"])
    what = _WHAT[row["metric"]]
    direction = "up" if row["difference"] > 0 else "down"
    now, then = words.percent(row["share"]), words.percent(row["previous_share"])
    return f"{where}: {now} {what}, {direction} from {then}"


def service_level(total: Row) -> str:
    """Offered, service level with and without short abandons where there are any."""
    level, of_all = words.percent(total["service_level_share"]), words.percent(total["service_level_all_share"])
    said = f"{words.counted(total['offered_count'], 'call')} offered; {level} answered within target"
    number = total["short_abandoned_count"]
    if not number:
        return f"{said}."
    return f"{said}. That leaves out {words.counted(number, 'short abandon')}; of all offered it is {of_all}."


def resolution(total: Row, channels: Sequence[str]) -> str:
    """Resolution with the unresolved kept in; `channels` are those of which a source knows it."""
    median = words.minutes(total["median_minutes_all"], words.NOT_REACHED)
    where = words.value("channel", channels[0]) if len(channels) == 1 else words.counted(len(channels), "channel")
    share = words.percent(total["resolved_share"])
    return f"{where}: {share} resolved; median time to resolution {median}, unresolved included"


def resolution_counted(total: Row) -> str:
    """On what the resolution stands."""
    return (
        f"Of {words.counted(total['conversation_count'], 'conversation')} whose source knows resolution; "
        f"resolved ones only: {words.minutes(total['median_minutes_resolved'])}."
    )
