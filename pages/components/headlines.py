"""The cards of each page, from frames: label, value, comparison, n and receipt. No query, no Streamlit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from data_access.filters import Filter
from pages.components.cards import Card, change_words, interval
from pages.components.words import (
    NOT_REACHED,
    count,
    counted,
    counted_as,
    minutes,
    moment,
    percent,
    signed_points,
    value,
)

Row = Any  # one row of a frame
_OPENED = "conversations opened by customers"
_COMPLAINTS = "complaints"


def in_target(times: Row, past: Row | None, wanted: Filter) -> Card:
    """Share answered within target, of those whose target has passed."""
    return Card(
        label="Answered within target",
        value=percent(times["in_target_share"]),
        comparison=change_words(times, past, "in_target_share", wanted, count="target_due_count"),
        basis=f"{count(times['in_target_count'])} of {count(times['target_due_count'])} due",
        measure="target_due",
        metric="in_target_share",
        numerator=f"{count(times['in_target_count'])} answered within their target",
        denominator=counted_as(times["target_due_count"], "conversations whose target has passed"),
        interval=interval(times, "in_target_share"),
    )


def median(times: Row) -> Card:
    """The median with silence in, and the flattering one beside it."""
    usual, tail = minutes(times["median_minutes_answered"]), minutes(times["p90_minutes_answered"])
    open_yet = count(times["unanswered_count"])
    return Card(
        label="Median wait, silence included",
        value=minutes(times["median_minutes_all"], NOT_REACHED),
        comparison=f"Answered only: {usual}, 9 of 10 within {tail}; {open_yet} not answered so far",
        basis=counted(times["conversation_count"], "conversation"),
        measure="first_responses",
        metric="median_minutes_all",
        numerator="the first time by which half of all were answered",
        denominator=counted_as(times["conversation_count"], _OPENED),
    )


def not_answered(times: Row) -> Card:
    """Those without a human answer so far."""
    parts = (
        (times["closed_without_reply_count"], "closed without a reply"),
        (times["answered_unknown_time_count"], "answered at an unknown time"),
    )
    named = "; ".join(f"{count(number)} {text}" for number, text in parts if number)
    return Card(
        label="Not answered so far",
        value=percent(1 - times["answered_share"]),
        comparison=named or "Silence stays in every share of this page",
        basis=f"{count(times['unanswered_count'])} of {count(times['conversation_count'])}",
        measure="unanswered",
        metric="unanswered_count",
        numerator=f"{count(times['unanswered_count'])} without a human answer",
        denominator=counted_as(times["conversation_count"], _OPENED),
        interval=interval({"x_low": 1 - times["answered_share_high"], "x_high": 1 - times["answered_share_low"]}, "x"),
    )


def open_now(waiting: Row) -> Card:
    """The present backlog."""
    late, oldest = count(waiting["ignored_count"]), minutes(waiting["oldest_minutes"])
    said = f"{late} longer than allowed; oldest {oldest}" if waiting["open_count"] else "none is open"
    return Card(
        label="Waiting for a reply now",
        value=count(waiting["open_count"]),
        comparison=f"Whenever they began: {said}",
        basis=counted(waiting["open_count"], "open wait"),
        measure="open_waits",
        metric="open_count",
        numerator=count(waiting["open_count"]),
        denominator="waits that ask for a reply and have none, whenever they began",
        any_period=True,
    )


def ignored_share(complaints: Row, past: Row | None, wanted: Filter, *, unknown: str = "") -> Card:
    """Share of complaints nobody answered in time, anywhere; `unknown` says why no complaint could be known."""
    return Card(
        label="Complaints ignored",
        value="Not known" if unknown else percent(complaints["ignored_share"]),
        comparison="No complaint can be told here"
        if unknown
        else change_words(complaints, past, "ignored_share", wanted, count="due_count"),
        basis=f"{count(complaints['ignored_in_time_count'])} of {count(complaints['due_count'])} due",
        measure="complaints_ignored_in_time",
        metric="ignored_share",
        numerator=f"{count(complaints['ignored_in_time_count'])} that no human answered in time, anywhere",
        denominator=counted_as(complaints["due_count"], "complaints old enough to be judged"),
        interval=interval(complaints, "ignored_share"),
    )


def complaint_states(complaints: Row, wanted: Filter) -> list[Card]:
    """The three states that ask for something to be done, or that others miss; of the complaints of the period."""
    now = "Ignored now" if wanted.date_from is None and wanted.date_to is None else "Of this period ignored now"
    late, good = count(complaints["answered_late_count"]), count(complaints["answered_in_target_count"])
    bots = complaints["bot_only_count"]
    silent = (
        f"{count(bots)} of the unanswered got a bot's answer only" if bots else "Unanswered for longer than allowed"
    )
    time_left = "There is still time to answer these" if complaints["waiting_count"] else "None still has time"
    return [
        _state("ignored", now, silent, complaints),
        _state("waiting", "Waiting, not yet ignored", time_left, complaints),
        _state(
            "answered_elsewhere", "Answered on another channel", f"{late} answered late, {good} in target", complaints
        ),
    ]


def _state(name: str, label: str, comparison: str, complaints: Row) -> Card:
    number = complaints[f"{name}_count"]
    return Card(
        label=label,
        value=count(number),
        comparison=comparison,
        basis=counted(number, "complaint"),
        measure=f"complaints_{name}",
        metric=f"{name}_count",
        numerator=count(number),
        denominator=counted_as(complaints["complaint_count"], _COMPLAINTS),
    )


def channel_mix(mix: pd.DataFrame, public: pd.DataFrame) -> list[Card]:
    """How many, where most, how public, and of how many the age is known."""
    total = int(mix["conversation_count"].sum())
    by_channel = mix.groupby("channel")["conversation_count"].sum().sort_values(ascending=False)
    first, most = str(by_channel.index[0]), int(by_channel.iloc[0])
    open_to_all = int(public["conversation_count"].sum())
    ageless = int(mix.loc[mix["age_group"] == "unknown", "conversation_count"].sum())
    everything, whole = counted(total, "conversation"), counted_as(total, "conversations with us")
    return [
        Card("Conversations", count(total), f"on {counted(len(by_channel), 'channel')}",
             everything, "contacts", "conversation_count", count(total), whole),
        Card("Most used channel", value("channel", first), f"{percent(most / total)} of conversations",
             f"{count(most)} of {count(total)}", "contacts", "share", count(most), whole, (("channel", first),)),
        Card("In public", percent(open_to_all / total), "on channels that others can read",
             f"{count(open_to_all)} of {count(total)}", "contacts", "public", count(open_to_all), whole,
             visibility="public"),
        Card("Age known", percent(1 - ageless / total), f"{count(ageless)} of unknown age stay visible below",
             counted(ageless, "conversation") + " without", "contacts", "age_known", count(total - ageless), whole,
             (("age_group", "unknown"),)),
    ]  # fmt: skip


def sentiment(total: Row, past: Row | None, saved: Row, saved_past: Row | None, wanted: Filter) -> list[Card]:
    """Negative and recovery with their comparison, net sentiment, and who could not be scored."""
    whole = counted_as(total["scored_count"], "conversations whose opening was scored")
    unscored = total["not_scored_count"]
    net = total["positive_share"] - total["negative_share"]
    both = f"{percent(total['positive_share'])} open positive, {percent(total['negative_share'])} negative"
    again = saved["written_again_count"]
    return [
        Card("Open negative", percent(total["negative_share"]),
             change_words(total, past, "negative_share", wanted, count="scored_count"),
             f"{count(total['negative_count'])} of {count(total['scored_count'])} scored",
             "negative", "negative_share", count(total["negative_count"]), whole,
             interval=interval(total, "negative_share")),
        Card("Net sentiment", signed_points(net), both, f"{count(total['scored_count'])} scored", "scored",
             "net_share", f"{count(total['positive_count'])} positive "
             f"less {count(total['negative_count'])} negative", whole),
        Card("Recovered after an answer", percent(saved["recovered_share"]),
             change_words(saved, saved_past, "recovered_share", wanted, count="written_again_count"),
             f"{count(saved['recovered_count'])} of {count(again)}", "written_again",
             "recovered_share", f"{count(saved['recovered_count'])} that close neutral or positive",
             counted_as(again, "negative openings after whose answer the customer wrote again"),
             interval=interval(saved, "recovered_share")),
        Card("Could not be scored", count(unscored), "No text, or a language that is not read",
             counted(unscored, "conversation"), "not_scored", "not_scored_count", count(unscored),
             "conversations with us"),
    ]  # fmt: skip


REJECTED_ANCHOR = "rejected-rows"


def data(
    status: Any,
    zone: str,
    loads: pd.DataFrame,
    rejected: tuple[int, int],
    sources: pd.DataFrame,
    coverage: pd.DataFrame,
) -> list[Card]:
    """Freshness, rejects (all of them, those of them still rejected), what is set aside, and the worst coverage."""
    known: Any = coverage.set_index("item").to_dict("index")
    addressed, ages = known["addressed_to_us"], known["age_known"]
    everything = counted(int(addressed["conversation_count"]), "conversation")
    aside = int(addressed["conversation_count"] - addressed["known_count"])
    return [
        Card("Data as of", moment(status.as_of, zone),
             f"{counted(len(sources), 'source')}, store version {status.version}", everything,
             "all_conversations", "as_of"),
        Card("Rows rejected", count(rejected[0]),
             f"each once, however often its file was loaded; {count(rejected[1])} still, in its newest load",
             "listed below with reasons" if rejected[0] else "none to list", "", "rejected_count", count(rejected[0]),
             "rejected rows in the store, whatever the filter", anchor=REJECTED_ANCHOR),
        Card("Not addressed to us", count(aside), "kept, and counted in no other figure",
             counted(aside, "conversation"), "not_addressed", "not_addressed"),
        Card("Age known", percent(ages["known_share"]), "the others stay visible as unknown",
             counted(int(ages["conversation_count"]), "conversation"), "contacts", "age_known",
             count(ages["known_count"]), count(ages["conversation_count"])),
    ]  # fmt: skip
