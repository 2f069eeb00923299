"""The worklist of unanswered complaints, and the ten oldest for the brief."""

from __future__ import annotations

import streamlit as st

from data_access.filters import Filter
from data_access.measures import Selection
from pages.components import choices, data, downloads, empty, panel, selection, tables, words

MOST_ROWS = 200
ORDERS = {"oldest": "Oldest first", "audience": "Most seen first", "time_left": "Least time left first"}
COLUMNS = (
    "channel",
    "brand",
    "team",
    "response_state",
    "complained_at",
    "waited_minutes",
    "minutes_to_ignored",
    "audience",
    "topic",
    "sentiment_label",
    "earlier_conversation_count",
    "last_agent",
)
_SHORT = tuple(name for name in COLUMNS if name not in ("response_state", "minutes_to_ignored", "last_agent"))


def show(wanted: Filter) -> None:
    """All that wait or are ignored in a chosen order, with their CSV.

    Where all still have time, the least time left comes first: a choice of its own, so that neither changes the other.
    """
    if wanted.states == ("waiting",):
        order = choices.one_of("Order", ORDERS, "waiting_order", first="time_left")
    else:
        order = choices.one_of("Order", ORDERS, "worklist_order")
    found = data.ignored_worklist(wanted, MOST_ROWS + 1, order)
    if found.empty:
        st.text("No complaint of this filter is waiting or ignored.")
        return
    listed = found.head(MOST_ROWS)
    counts = data.ignored_complaints(wanted).iloc[0]
    everything = words.counted(counts["waiting_count"] + counts["ignored_count"], "unanswered complaint")
    which = f"The first {words.count(len(listed))} of {everything}" if len(found) > MOST_ROWS else everything
    chosen = tables.pick(
        listed[list(COLUMNS)],
        data.scoped(wanted).zone,
        key="worklist",
        alt="Unanswered complaints; choose one for a link to it",
        most_height=330,
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if chosen is not None:
            selection.conversation_link("Open the chosen conversation", wanted, listed.iloc[chosen]["conversation_id"])
        downloads.worklist(wanted, order, "ignored_worklist")
    text = f"{which}. Choose a row for a link to its conversation."
    st.caption(words.markdown(panel.caption(wanted, text)))


def oldest(wanted: Filter, number: int = 10) -> None:
    """The oldest ignored complaints."""
    ignored_count = data.count_rows(Selection(wanted, "complaints_ignored"))
    found = data.ignored_worklist(wanted.replace(states=("ignored",)), number)
    if found.empty:
        st.text(empty.complaints_unknown(wanted) or "No complaint is ignored.")
        return
    chosen = tables.pick(
        found[list(_SHORT)],
        data.scoped(wanted).zone,
        key="oldest",
        alt="The oldest ignored complaints; choose one for a link to it",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if chosen is not None:
            selection.conversation_link("Open the chosen conversation", wanted, found.iloc[chosen]["conversation_id"])
        everything = f"All {words.counted(ignored_count, 'ignored complaint')}, whenever written"
        selection.link(everything, wanted, "complaints_ignored")
    text = "Complaints that nobody has answered for longer than allowed. Choose a row for a link to its conversation."
    st.caption(words.markdown(panel.caption(wanted, text)))
