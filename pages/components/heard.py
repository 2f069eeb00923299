"""Heard or not: where customers talk against where anybody listens."""

from __future__ import annotations

import streamlit as st

from data_access.filters import Filter
from pages.components import charts_age, choices, data, findings_age, panel, selection

GROUPS = {"": "All customers", "age_group": "By age", "brand": "By brand"}
LISTENERS = {"answer": "Answered", "seen": "Seen", "read": "Read"}
_MEASURES = {"answer": "answered", "seen": "seen", "read": "read_by_scorer"}


def show(wanted: Filter) -> None:
    """One chart: share of the conversations against share of the answers, largest gaps first."""
    options = {key: label for key, label in GROUPS.items() if key != "brand" or panel.has_brands()}
    with st.container(horizontal=True, gap="small"):
        group = choices.one_of("Split", options, "heard_by") or None
        listened = choices.one_of("Heard means", LISTENERS, "heard_means")
    frame = data.heard_or_not(wanted, (group,) if group else ())
    order = frame.sort_values(f"{listened}_gap_per_week", ascending=False, kind="stable").reset_index(drop=True)
    if order["channel"].nunique() == 1:
        panel.title(findings_age.heard(order, listened, group))
        return
    measure = _MEASURES[listened]
    dimensions = (group, "channel") if group else ("channel",)
    cut = len(order) - charts_age.HEARD_ROWS
    weekly = [] if findings_age.is_weekly(order) else [name for name in order if "_per_week" in str(name)]
    panel.chart(
        "heard_or_not",
        charts_age.heard_dumbbell(order, listened, group, measure=measure, factor=findings_age.gap_factor(order)),
        order.drop(columns=weekly),
        wanted,
        finding=findings_age.heard(order, listened, group),
        counted=findings_age.heard_counted(order, listened, group)
        + (f" The first {charts_age.HEARD_ROWS} of {len(order)}, all in the table." if cut > 0 else ""),
        cells=lambda: [
            *selection.cells(order, dimensions, "first_responses"),
            *selection.cells(
                order[order[f"{_COUNT[listened]}_count"] > 0], dimensions, measure, prefix=f"{LISTENERS[listened]}: "
            ),
        ],
        charted=("inbound_share", f"{listened}_share", *([] if weekly else [f"{listened}_gap_per_week"])),
    )


_COUNT = {"answer": "answered", "seen": "seen", "read": "read"}
