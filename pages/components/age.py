"""Age: answers by age group raw and at one channel mix, the mix over time, and what cannot be known without ages."""

from __future__ import annotations

import dataclasses

import pandas as pd
import streamlit as st

from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.vocabulary import UNKNOWN
from pages.components import (
    charts,
    charts_age,
    choices,
    data,
    findings,
    findings_age,
    panel,
    selection,
    silence,
    theme,
    words,
)
from pages.components.keeping import kept

FIGURES = {"answered": "Answered", "in_hour": "Within an hour", "target": "In target", "median": "Median wait"}
_COLUMNS = {
    "answered": (
        "answered_share",
        "standardised_answered_share",
        "conversation_count",
        ("overall_answered_share", "same_answered_share"),
    ),
    "in_hour": (
        "in_hour_share",
        "standardised_in_hour_share",
        "in_hour_due_count",
        ("overall_in_hour_share", "same_in_hour_share"),
    ),
    "median": (
        "median_minutes_all",
        "standardised_median_minutes",
        "conversation_count",
        ("overall_median_minutes", "same_median_minutes"),
    ),
}
_MEASURES = {"answered": "first_responses", "in_hour": "hour_due", "median": "first_responses"}
_COUNTED = {
    "answered": "Answered by a human so far, of conversations opened by customers",
    "in_hour": "Answered by a human within an hour, of conversations opened by customers an hour ago or earlier",
    "median": "Time by which half were answered by a human, the unanswered kept in",
}


def is_known(mix: pd.DataFrame) -> bool:
    """Some conversation is of a customer whose age is known."""
    return bool((mix.loc[mix["age_group"] != UNKNOWN, "conversation_count"] > 0).any())


def not_known(mix: pd.DataFrame, wanted: Filter) -> None:
    """Say what cannot be known without ages, and what would change that."""
    if wanted.age_groups:
        st.info(
            "Take the age out of the filter to compare age groups.",
            title="Only customers of unknown age are in the filter",
        )
        return
    st.info(
        words.markdown(
            f"{words.none_of(mix['conversation_count'].sum(), 'conversations')} of this filter is of a customer whose "
            "age is known: no birth date, birth year or age group of theirs was loaded. So nothing here can say "
            "whether age groups use other channels or are answered less. Load a file of customers with ages "
            "(frontdoor load customers.csv --source customers) to see it."
        ),
        title="The age of these customers is not known",
    )


def fairness(wanted: Filter) -> None:
    """Answers by age group, as they are and at one channel mix."""
    of = choices.one_of("Compare", FIGURES, "fairness_of")
    if of == "target":
        silence.standardised(wanted)
        return
    frame = data.age_fairness(wanted)
    if frame.empty:
        st.text("No customer opened a conversation in this filter.")
        return
    raw, same, count, everybody = _COLUMNS[of]
    covered = words.percent(float(frame["covered_share"].iloc[0]))
    panel.chart(
        "age_fairness",
        charts_age.standardised_dumbbell(frame, raw, same, count, everybody, measure=_MEASURES[of]),
        frame,
        wanted,
        finding=findings_age.fairness(frame, of, wanted.age_groups),
        counted=f"{_COUNTED[of]}; 95 % intervals; at the right, how many. Dotted: "
        f"{findings.everybody(wanted.age_groups)} as they are; dashed, to be compared with the filled marks: the same "
        "on the channels that every group uses, "
        f"{covered} of conversations{findings_age.left_out(frame)}." + findings_age.unknown_age(frame, of),
        cells=lambda: selection.cells(frame, ("age_group",), _MEASURES[of]),
        charted=(raw, same, count),
    )


def index(mix: pd.DataFrame, wanted: Filter) -> None:
    """Channels that age groups use more and less than all customers of the filter; where there is one group, that."""
    finding, ages = findings.channel_index(mix, wanted.age_groups), wanted.age_groups
    counted = (
        f"100: as often as {findings.everybody(ages)}; 200: twice as often. Uncoloured where under 10 are expected."
    )
    if mix["age_group"].nunique() < 2:
        panel.told(wanted, finding, "Each age group's channels would be set against those of all customers.")
        return
    panel.chart(
        "channel_index",
        charts.channel_index_heatmap(mix),
        mix,
        wanted,
        finding=finding,
        counted=counted,
        cells=lambda: selection.cells(mix, ("age_group", "channel"), "contacts"),
    )


def mix_over_time(wanted: Filter) -> None:
    """One channel's share in each age group's conversations, by period."""
    mix = data.channel_counts(wanted, ("period",))
    by_size = mix.groupby("channel")["conversation_count"].sum().sort_values(ascending=False)
    ages = theme.natural_order("age_group", list(mix["age_group"].unique()))
    with st.container(horizontal=True, gap="small"):
        channel = str(
            st.selectbox(
                "Channel",
                list(by_size.index),
                format_func=lambda value: words.value("channel", value),
                key="mix_channel",
                width=180,
            )
        )
        frame = of_channel(mix, channel)
        changed = findings_age.most_changed(frame)
        start = ages.index(changed) if changed in ages else 0
        age_group = str(
            st.selectbox(
                "Age group",
                ages,
                index=start,
                format_func=lambda value: words.value("age_group", value),
                key=f"mix_age_{channel}",
                width=150,
            )
        )
    panel.chart(
        "mix_over_time",
        charts_age.mix_over_time_line(frame, channel, age_group, grain=wanted.grain),
        frame,
        wanted,
        finding=findings_age.mix_over_time(frame, channel, wanted.grain),
        counted=f"Share of the conversations of {_whose(age_group)} that come by {_name(channel)}, with 95 % "
        "interval; hollow under 30. Tested: the first half of the periods against the second, over all age groups.",
        cells=lambda: [
            dataclasses.replace(cell, values=(*cell.values, ("channel", channel)))
            for cell in selection.cells(
                frame[(frame["conversation_count"] > 0) & (frame["age_group"] == age_group)],
                ("period", "age_group"),
                "contacts",
                grain=wanted.grain,
            )
        ],
    )


def _whose(age_group: str) -> str:
    return "customers of unknown age" if age_group == UNKNOWN else f"those {age_group}"


def _name(channel: object) -> str:
    return words.in_sentence(words.value("channel", channel))


@kept
def of_channel(mix: pd.DataFrame, channel: str) -> pd.DataFrame:
    """One row per period and age group: the channel's share, zero where the group did not use it."""
    by_age = mix.groupby(["period", "age_group"])["conversation_count"].sum()
    whole = by_age.rename("group_conversation_count").reset_index()
    own = mix.loc[mix["channel"] == channel, ["period", "age_group", "conversation_count"]]
    frame: pd.DataFrame = whole.merge(own, on=["period", "age_group"], how="left", validate="one_to_one")
    frame["conversation_count"] = frame["conversation_count"].fillna(0).astype("int64")
    frame["share"] = share(frame["conversation_count"], frame["group_conversation_count"])
    frame["share_low"], frame["share_high"] = wilson_interval(
        frame["conversation_count"], frame["group_conversation_count"]
    )
    return frame
