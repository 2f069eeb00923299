"""Made to say it again: how often, from which channel to which, and the texts side by side."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from pages.components import charts_told, data, downloads, panel, selection, tables, words
from pages.components import findings_told as findings
from pages.components.selection import Cell

MOST_ROWS = 100
COLUMNS = (
    "told_before_at", "told_before_on", "text_before", "told_again_at", "channel", "text_again", "between_minutes",
    "likeness",
)  # fmt: skip
_HIDDEN = "(another team's conversation: its text is not shown to you)"


def show(wanted: Filter) -> None:
    """One chart, and the pairs of texts; says so where nothing can be known."""
    total = data.restatements(wanted).iloc[0]
    if not total["compared_count"]:
        panel.title("Made to say it again: nothing can be known here")
        st.text(_why_empty(total["telling_count"]))
        return
    pairs = data.restatements(wanted, ("told_before_on", "channel"))
    threshold = data.status().settings.joined_up.restated_similarity
    panel.chart(
        "told_again",
        charts_told.told_again_bar(pairs),
        pairs[pairs["compared_count"] > 0].reset_index(drop=True),
        wanted,
        finding=findings.told_again(total, pairs),
        counted=findings.told_counted(total, threshold),
        cells=lambda: _cells(pairs),
        charted=("restatement_count", "restated_share"),
    )
    st.caption(words.markdown(findings.told_cost(total)))


def _cells(pairs: pd.DataFrame) -> list[Cell]:
    shown = charts_told.pairs_shown(pairs)
    each = [
        Cell(charts_told.pair_name(row), "restatements", (("told_before_on", before), ("channel", channel)))
        for (_, row), before, channel in zip(shown.iterrows(), shown["told_before_on"], shown["channel"], strict=True)
    ]
    return [Cell("All of them", "restatements"), *each]


def _why_empty(telling_count: int) -> str:
    if not telling_count:
        return "No customer of this filter wrote or called about something that asks for a reply."
    return (
        f"{words.none_of(telling_count, 'tellings')} of this filter follows, within 30 days, an earlier "
        "one of the same customer on another channel or answered by another agent. A customer is the same only where "
        "an address, number, handle or id says so, and agents are known only where the source names them."
    )


def side_by_side(wanted: Filter) -> None:
    """The newest restatements: choose one to read both texts in full and to open the conversations."""
    rows = data.told_again(wanted, MOST_ROWS + 1)
    if rows.empty:
        return
    panel.title("What was said first, and said again")
    listed = rows.head(MOST_ROWS)
    zone = data.scoped(wanted).zone
    chosen = tables.pick(
        readable(listed)[list(COLUMNS)],
        zone,
        key="told_again_rows",
        alt="What was told again; choose a row",
        most_height=300,
    )
    everything = words.counted(data.restatements(wanted).iloc[0]["restatement_count"], "restatement")
    shown = f"The newest {MOST_ROWS} of {everything}" if len(rows) > MOST_ROWS else f"{everything}, all"
    text = f"{shown}. Choose a row to read both texts."
    st.caption(words.markdown(panel.caption(wanted, text)))
    if chosen is not None:
        _pair(wanted, listed.iloc[chosen], zone)
    downloads.told_again(wanted, "told_again_pairs")


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The pairs with a word in place of texts that the viewer may not read."""
    texts = [
        text if is_readable else _HIDDEN
        for text, is_readable in zip(rows["text_before"], rows["is_before_readable"], strict=True)
    ]
    return rows.assign(text_before=texts)


def _pair(wanted: Filter, row: pd.Series, zone: str) -> None:
    before, after = st.columns(2, gap="medium")
    for place, at, channel, text, conversation_id, label in (
        (before, "told_before_at", "told_before_on", "text_before", "before_conversation_id", "Told first"),
        (after, "told_again_at", "channel", "text_again", "conversation_id", "Told again"),
    ):
        with place, st.container(border=True, gap="xxsmall"):
            where = words.in_sentence(words.value("channel", row[channel]))
            st.caption(words.markdown(f"{label}: {where}, {words.moment(row[at], zone)}"))
            is_hidden = text == "text_before" and not row["is_before_readable"]
            st.text(_HIDDEN if is_hidden else str(row[text]))
            selection.conversation_link("Open the conversation", wanted, str(row[conversation_id]))
