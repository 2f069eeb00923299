"""The Monday brief: sentences with tested changes and failing channels, each with a link to its rows."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from pages.components import cards, data, findings, selection, words

LARGEST = 3
_ROWS = {"ignored_share": "complaints_ignored_in_time", "in_target_share": "target_due", "negative_share": "scored"}


def changes(wanted: Filter) -> None:
    """The three largest tested changes of a channel, or why there is none; all channels stand on the cards."""
    if wanted.date_from is None or wanted.date_to is None:
        st.text("Choose a period with two ends to compare it with the one before.")
        return
    if wanted.states:
        st.text("Not compared: the filter by response state decides what is answered or ignored.")
        return
    before = f"the {cards.length_words(wanted)} before"
    found = data.changes(wanted)
    if found.empty:
        st.text(f"{cards.nothing_before(wanted)}.")
        return
    by_channel = found[found["channel"] != ""]
    real, tested = by_channel[by_channel["is_change"]], int(by_channel["p_value"].notna().sum())
    shares = f"{words.counted(tested, 'share')} by channel"
    if by_channel.empty:
        st.text(f"One channel only: the cards above compare it with {before}.")
    elif not tested:
        st.text(f"Too few on every channel to compare with {before}.")
    elif real.empty:
        st.text(f"No channel changed by more than chance: {shares} compared with {before}.")
    else:
        for row in real.head(LARGEST).to_dict("records"):
            selection.link(findings.change(row), wanted, _ROWS[row["metric"]], (("channel", row["channel"]),))
        changed = f"{len(real)} of {shares} changed by more than chance (false discovery rate 5 %)"
        st.caption(words.markdown(f"{changed}, compared with {before}."))


def failing_doors(channels: pd.DataFrame, wanted: Filter, unknown: str) -> None:
    """The channels where clearly more complaints are ignored than on all others; a single one as it is.

    `unknown` says why no complaint could be known; empty where one could.
    """
    if wanted.states:
        st.text("Not judged: the filter by response state decides what is ignored.")
        return
    if unknown:
        st.text(unknown)
        return
    due = channels[channels["due_count"] > 0]
    worst = findings.standing_out(due, "ignored_in_time_count", "due_count").head(LARGEST)
    if len(due) == 1:
        st.text("Only one channel here, so there is no other to compare it with.")
        worst = due[due["ignored_in_time_count"] > 0]
    elif worst.empty:
        st.text(findings.no_door(channels))
    for row in worst.to_dict("records"):
        where, part = words.value("channel", row["channel"]), words.part_of(row["ignored_share"], "complaints")
        of_due = f"{words.count(row['ignored_in_time_count'])} of {words.count(row['due_count'])}"
        text = f"{where}: {part} ignored ({of_due})"
        selection.link(text, wanted, "complaints_ignored_in_time", (("channel", row["channel"]),))
