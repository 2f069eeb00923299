"""The self-audit: whether card, chart, table, drill-down and CSV agree for the present filter."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from pages.components import data, downloads, words

_CHECKED = "self_audit_checked"


def show(wanted: Filter) -> None:
    """A button, and under it what agrees and what does not; kept until the filter or the store changes."""
    now = (data.scoped(wanted), data.status().version)
    if st.button("Check the numbers", key="check_numbers", icon=":material/fact_check:"):
        st.session_state[_CHECKED] = now
    if st.session_state.get(_CHECKED) != now:
        st.caption("Counts every figure of this filter again, by its rows, its parts and its CSV. Takes some seconds.")
        return
    with st.spinner("Counting again …"):
        found = data.check(wanted)
    wrong = [finding for finding in found if not finding.is_ok]
    if wrong:
        text = (
            f"{words.count(len(wrong))} of {words.counted(len(found), 'comparison')} do not agree. Please report it."
        )
        st.error(text, title="The numbers do not agree")
        for finding in wrong:
            st.text(f"{finding.check}: {finding.detail}")
    else:
        st.text(f"All fine: {words.counted(len(found), 'comparison')} made for this filter, and all agree.")
    table = pd.DataFrame(
        {
            "Comparison": [finding.check for finding in found],
            "Agrees": [finding.is_ok for finding in found],
            "Found": [finding.detail for finding in found],
        }
    )
    with st.expander("All comparisons", key="self_audit_all", type="compact"):
        st.dataframe(table, hide_index=True, alt="All comparisons of the self-audit", height=300)
        downloads.shown(table, "self_audit")
