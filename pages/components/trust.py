"""Parts of the page Data: coverage, settings in force, definitions."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd
import streamlit as st

from data_access.config import Settings
from data_access.filters import Filter
from data_access.identities import REASONS
from data_access.metrics import METRICS
from pages.components import data, tables, words

MOST_SHARED = 200
_CAPPED = ("customers", "shared", "chain", "decision", "forgotten")
_ITEMS = {
    "addressed_to_us": "Addressed to us",
    "age_known": "Age of the customer known",
    "sentiment_scored": "Opening scored for sentiment",
    "topic_known": "Topic found",
    "team_known": "Team assigned",
    "customer_identified": "Customer known by an id, address or number",
    "known_on_several_channels": "Customer known on more than one channel",
    "response_recorded": "Source can tell whether it was answered",
    "answer_time_known": "Answer has a time (of the answered)",
}


def coverage(frame: pd.DataFrame) -> None:
    """What may be missing, with how much of it is there."""
    shown = pd.DataFrame(
        {
            "What": [_ITEMS.get(item, item) for item in frame["item"]],
            "Known": frame["known_share"],
            "Conversations": frame["known_count"],
            "Of": frame["conversation_count"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        alt="How much of the data is known",
        column_config={
            "Known": st.column_config.ProgressColumn("Known", format="percent", min_value=0, max_value=1),
            **{name: st.column_config.NumberColumn(format="localized") for name in ("Conversations", "Of")},
        },
    )


def identity_sentence(known: pd.DataFrame, shared: pd.DataFrame) -> str:
    """How far customers are known across channels, and how much joins nobody."""
    row: dict[Any, Any] = known.set_index("item").to_dict("index")["known_on_several_channels"]
    if not row["conversation_count"]:
        return "No conversation in this filter."
    text = (
        f"{words.percent(row['known_share'])} of conversations belong to a customer known on more than one channel "
        f"({words.count(row['known_count'])} of {words.count(row['conversation_count'])})."
    )
    capped = int(shared["reason"].isin(_CAPPED).sum())
    idle = len(shared) - capped
    if capped:
        joins = "joins" if capped == 1 else "join"
        text += f" {words.counted(capped, 'identity', 'identities')} of several people {joins} nobody."
    if idle:
        text += f" {words.count(idle)} more cannot join by the settings or for want of a country code."
    return text


def shared_identities(shared: pd.DataFrame, zone: str) -> None:
    """What joins nobody, with the reason in words; masked."""
    told = shared.head(MOST_SHARED).assign(reason=[REASONS[reason] for reason in shared["reason"].head(MOST_SHARED)])
    tables.show(told, zone, alt="Addresses and numbers that join nobody", most_height=220)
    if len(shared) > MOST_SHARED:
        st.caption(f"The first {MOST_SHARED} of {words.count(len(shared))}; the file has all.")


def settings(in_force: Settings) -> None:
    """Thresholds as a table, the rest as a list."""
    rows = [
        {
            "Channel": words.value("channel", channel),
            "Brand": threshold.brand or "all",
            "Team": threshold.team or "all",
            "Response target": words.minutes(threshold.target_seconds / 60),
            "Ignored after": words.minutes(threshold.ignored_after_seconds / 60),
            "Clock": threshold.clock,
            "In force from": str(threshold.in_force_from or "always"),
        }
        for threshold in in_force.thresholds
        for channel in threshold.channels
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Response targets and limits in force", height=240)
    st.text(
        f"Zone {in_force.zone}; age bands {', '.join(in_force.age_bands)}; "
        f"customers are joined by {', '.join(in_force.identity.joins)}; "
        f"repeat contact and back door within {words.counted(in_force.joined_up.window_days, 'day')}; "
        f"a call given up within {in_force.short_abandon_seconds} s is a short abandon; "
        f"answers at an unknown time count as {in_force.unknown_time_counts_as}."
    )


def definitions() -> None:
    """The registry as a table."""
    st.dataframe(_definitions(), hide_index=True, alt="Definitions of every figure", height=420, row_height=58)


@functools.cache
def _definitions() -> pd.DataFrame:
    """One row per figure, in words of the pages; nothing in it changes while the dashboard runs."""
    rows = [
        {
            "Figure": metric.label,
            "Unit": words.definition(metric.unit),
            "Counts": metric.grain,
            "Belongs to": words.definition(metric.owning_time),
            "Definition": words.definition(metric.definition),
            "Source": words.definition(metric.source),
        }
        for metric in METRICS.values()
    ]
    return pd.DataFrame(rows)


def unknown_time(wanted: Filter, known: pd.DataFrame, zone: str) -> None:
    """How far the reading of answers at an unknown time moves the figures."""
    answered = known.set_index("item").loc["answer_time_known"]
    if answered["conversation_count"] == answered["known_count"]:
        st.text("Every answer has a time: this setting moves nothing.")
        return
    tables.show(
        data.unknown_time_effect(wanted), zone, alt="The figures under both readings of answers at an unknown time"
    )
    st.caption(f"In force: answers at an unknown time count as {data.status().settings.unknown_time_counts_as}.")
