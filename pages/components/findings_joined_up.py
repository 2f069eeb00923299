"""Joined-up service in sentences: what was found, and what cannot be known. Plain text; no Streamlit, no SQL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from data_access.filters import day_words, listed
from data_access.vocabulary import PUBLIC_CHANNELS
from pages.components import words
from pages.components.keeping import kept

FEWEST_HALVED = 5  # complaints of an arrow of which a title says what half of them had
Row = Any  # one row of a frame


NO_PUBLIC = "No public channel is loaded, so nobody can be seen going public."


def back_door_unknown(
    total: Row, channels: Sequence[str], *, is_limited: bool = False, complaints_unknown: str = ""
) -> str:
    """Why nothing can be said of the back door; empty where something can.

    `channels` are those of the store; `is_limited` for a viewer who sees some teams or brands only;
    `complaints_unknown` why no complaint in public of the filter could be known.
    """
    if total["known_private_count"]:
        return ""
    number = total["public_complaint_count"]
    if not total["public_complaint_count"]:
        if complaints_unknown:
            return complaints_unknown
        if is_limited:
            return "None of your teams' complaints in public match this filter, so there is no back door to look at."
        if not any(channel in PUBLIC_CHANNELS for channel in channels):
            return NO_PUBLIC
        return "No complaint in public matches this filter, so there is no back door to look at."
    if all(channel in PUBLIC_CHANNELS for channel in channels):
        return (
            "Only public channels are loaded. Whether the customers who complained had tried a private channel first "
            "cannot be known: load calls, e-mails or chats with ids, addresses or handles that join them."
        )
    return (
        f"{words.none_of(number, 'complaints in public')} comes from a customer known on a private channel: "
        "the accounts are joined to nobody. Load a customers file that lists their handles and addresses."
    )


@kept
def flow(frame: pd.DataFrame, total: Row, days: int) -> str:
    """Whether a front door failed, and the widest arrow."""
    if frame.empty:
        limit = words.percent(float(total["back_door_share_high"]))
        return (
            f"No private contact failed in the {words.counted(days, 'day')} before any of the "
            f"{words.counted(total['known_private_count'], 'complaint')} (at most {limit} of such complaints)"
        )
    top = frame.iloc[0]
    front, public = (words.value("channel", top[name]) for name in ("front_channel", "channel"))
    by_front = frame.groupby("front_channel")["back_door_count"].sum()
    worst = str(by_front.idxmax())
    start = f"{words.value('channel', worst)} failed before {words.count(by_front.max())} of "
    start += f"{words.count(by_front.sum())}"
    arrow = f"{words.in_sentence(front)} to {words.in_sentence(public)}"
    if top["back_door_count"] < FEWEST_HALVED:
        return f"{start}; widest, {arrow}"
    after = words.minutes(top["median_minutes_waited"])
    return f"{start}; widest, {arrow}: half posted {after} or more after the failed contact"


def flow_counted(total: Row, days: int) -> str:
    """What the arrows count, and on how much of the complaints in public they stand."""
    return (
        f"Complaints in public ({words.count(total['back_door_count'])} of {words.count(total['known_private_count'])}"
        " of customers known on a private channel) after a private contact in the "
        f"{words.counted(days, 'day')} before that had passed its target without any human reply; on each arrow how "
        "many, and the median time from that contact to the post. Each counts once, under the contact furthest back. "
        f"Known: {words.percent(total['known_private_share'])} of "
        f"{words.counted_as(total['public_complaint_count'], 'complaints in public')}."
    )


def doors_unknown(frame: pd.DataFrame, channels: Sequence[str], *, tells_complaints: bool) -> str:
    """Why of no failed contact it can be known whether it came out in public; empty where of some it can.

    `channels` are those of the store; `tells_complaints`: a complaint in public would be known as one.
    """
    if not any(channel in PUBLIC_CHANNELS for channel in channels):
        return NO_PUBLIC
    if not tells_complaints:
        return (
            "What customers write in public has no text that can be read, or mark of its source, to tell a complaint "
            "by, so nobody can be seen complaining there."
        )
    if frame["known_public_count"].sum():
        return ""
    number = frame["failed_contact_count"].sum()
    return (
        f"{words.none_of(number, 'failed contacts')} is of a customer whose public account is known, so nobody can be "
        "seen going public. Load a customers file that lists their handles."
    )


@kept
def doors(frame: pd.DataFrame, days: int) -> str:
    """The door whose failures come out in public most surely."""
    judged: Any = frame[frame["failed_contact_count"] >= SMALL_SAMPLE]
    if judged.empty:
        return "Too few failed contacts on every private channel to rank them"
    worst = judged.loc[judged["came_out_share_low"].idxmax()]
    label = words.value("channel", worst["channel"])
    share = words.percent(worst["came_out_share"])
    return f"{label}: {share} of its failed contacts came out in public within {words.counted(days, 'day')}"


@kept
def doors_counted(frame: pd.DataFrame) -> str:
    """What the ranking counts, with its coverage; `frame` has the doors that are not drawn, too."""
    total, known = frame["failed_contact_count"].sum(), frame["known_public_count"].sum()
    coverage = words.percent(known / total) if total else words.NOTHING
    return (
        "Of private contacts that no human answered in time and whose days have passed: those whose customer then "
        "complained in public, still without a reply, 95 % interval; under 30 greyed. At least so many: for "
        f"{coverage} of them a public account is known at all.{_blind_doors(frame)}"
    )


def _blind_doors(frame: pd.DataFrame) -> str:
    blind = frame[~has_public_account(frame)]
    named = [
        f"{words.in_sentence(words.value('channel', row['channel']))} ({words.count(row['failed_contact_count'])})"
        for row in blind.to_dict("records")
    ]
    return f" Not drawn: {listed(named)}, as no public account of these customers is known." if named else ""


def has_public_account(frame: pd.DataFrame) -> np.ndarray:
    """The doors some of whose customers could be seen in public."""
    return (frame["known_public_count"] > 0).to_numpy(bool)


@kept
def by_window(frame: pd.DataFrame, share: str, done: str) -> str:
    """How far the share hangs on the number of days."""
    known: Any = frame[frame[share].notna()]
    if known.empty:
        return "Nothing to judge for any number of days"
    ours: Any = frame[frame["is_ours"]].iloc[0]
    days = f"within {words.counted(ours['within_days'], 'day')}"
    start = f"Nothing to judge {days}" if math.isnan(ours[share]) else f"{words.percent(ours[share])} {done} {days}"
    ends = [
        row for place, row in known.iterrows() if place in (known.index[0], known.index[-1]) and not row["is_ours"]
    ]
    others = [f"{words.percent(row[share])} within {words.counted(row['within_days'], 'day')}" for row in ends]
    return "; ".join(text for text in (start, ", ".join(others)) if text)


def resolution(again: Row, channel_count: int) -> str:
    """First-contact resolution beside what a tool sees that knows one channel."""
    if not again["recognisable_count"]:
        return "No customer can be recognised"
    if channel_count < 2:
        return "One channel is loaded: nobody can be seen coming back on another"
    gap = again["no_further_contact_same_channel_share"] - again["no_further_contact_share"]
    if math.isnan(gap):
        return "No first contact is old enough to be judged"
    alone = words.percent(again["no_further_contact_same_channel_share"])
    return f"Usual tools call this resolved, see one channel and show {alone}"


def stopped(complete_to: Sequence[tuple[str, Any]], as_of: Any, days: int) -> str:
    """Sources that ended long before the others: contacts by them cannot be seen after that."""
    if as_of is None:
        return ""
    late = [(name, at) for name, at in complete_to if (as_of - at).days >= days]
    named = ", ".join(f"{name} ({day_words(at.date())})" for name, at in late)
    return f" Not seen after their data ends: {named}." if late else ""
