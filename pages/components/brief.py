"""The Monday brief: sentences with tested changes and failing channels, each with a link to its rows."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data_access.estimates import SMALL_SAMPLE
from data_access.filters import Filter
from pages.components import cards, data, findings, selection, words

LARGEST = 3
_ROWS = {"ignored_share": "complaints_ignored_in_time", "in_target_share": "target_due", "negative_share": "scored"}


def changes(wanted: Filter) -> None:
    """The three largest tested changes, or why there is none."""
    if wanted.date_from is None or wanted.date_to is None:
        st.text("Choose a period with two ends to compare it with the one before.")
        return
    found = data.changes(wanted)
    real, tested = found[found["is_change"]], int(found["p_value"].notna().sum())
    before = f"the {cards.length_words(wanted)} before"
    if found.empty:
        st.text(f"{cards.nothing_before(wanted)}.")
        return
    if not tested:
        st.text(f"Too few in every share to compare with {before}.")
        return
    if real.empty:
        st.text(f"Nothing changed by more than chance: {words.counted(tested, 'share')} compared with {before}.")
        return
    # "All channels" and its channels tell one story twice: the channels are the nearer cause.
    by_channel = real[real["channel"] != ""]
    for row in (by_channel if len(by_channel) else real).head(LARGEST).to_dict("records"):
        cell = (("channel", row["channel"]),) if row["channel"] else ()
        selection.link(findings.change(row), wanted, _ROWS[row["metric"]], cell)
    changed = f"{len(real)} of {words.counted(tested, 'share')} changed by more than chance (false discovery rate 5 %)"
    st.caption(words.markdown(f"{changed}, compared with {before}."))


def failing_doors(channels: pd.DataFrame, wanted: Filter) -> None:
    """The channels where the largest part of complaints is ignored."""
    judged = (
        channels[(channels["due_count"] >= SMALL_SAMPLE) & (channels["ignored_share"] > 0)]
        if len(channels)
        else channels
    )
    worst = judged.sort_values("ignored_share_low", ascending=False).head(LARGEST)
    if worst.empty:
        st.text("No channel has enough ignored complaints to be named.")
        return
    for row in worst.to_dict("records"):
        where, part = words.value("channel", row["channel"]), words.part_of(row["ignored_share"], "complaints")
        of_due = f"{words.count(row['ignored_in_time_count'])} of {words.count(row['due_count'])}"
        text = f"{where}: {part} ignored ({of_due})"
        selection.link(text, wanted, "complaints_ignored_in_time", (("channel", row["channel"]),))
