"""Leaving? Ignored customers who fell silent, against comparable customers who were answered."""

from __future__ import annotations

import streamlit as st

from data_access.filters import Filter
from pages.components import charts_told, data, empty, panel, words
from pages.components import findings_told as findings
from pages.components.selection import Cell


def show(wanted: Filter) -> None:
    """One chart with its words; says so where nobody can be followed for long enough, or compared."""
    frame = data.fell_silent(wanted)
    row = frame.iloc[0]
    shown = data.scoped(wanted)
    if not row["followed_customer_count"]:
        number = row["complaining_customer_count"]
        if not number:
            unknown = empty.complaints_unknown(wanted)
            panel.title(f"Leaving? {'Nothing can be known' if unknown else 'Nobody complained'} here")
            st.text(unknown or "No complaint matches this filter.")
            return
        panel.title("Leaving? Nothing can be known here")
        days = shown.within_days + shown.silent_after_days
        st.text(
            f"{words.none_of(number, 'complaining customers')} of this filter can be followed: that needs {days} days "
            "of data after the complaint was due, in every source that was still running, and a customer who would be "
            "recognised on coming back."
        )
        return
    counted = findings.silent_counted(row, shown.silent_after_days, shown.within_days)
    finding = findings.fell_silent(row, shown.silent_after_days)
    if not row["strata_count"]:
        panel.told(wanted, finding, counted)
        return
    panel.chart(
        "fell_silent",
        charts_told.silence_dumbbell(frame),
        frame,
        wanted,
        finding=finding,
        counted=counted,
        cells=lambda: [
            Cell("Ignored, fell silent", "silent_ignored"),
            Cell("All ignored", "followed_ignored"),
            Cell("Answered, fell silent", "silent_answered"),
            Cell("All answered", "followed_answered"),
        ],
        rows="followed_customers",
        charted=("matched_ignored_silent_share", "matched_answered_silent_share", "silence_difference_share"),
    )
