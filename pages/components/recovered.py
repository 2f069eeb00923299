"""What an answer does: from opening to closing sentiment, and how much waiting costs."""

from __future__ import annotations

from data_access.filters import Filter
from pages.components import charts_sentiment, data, panel
from pages.components import findings_sentiment as findings
from pages.components.selection import cells


def show(wanted: Filter) -> None:
    """Two charts: how conversations end that opened so, and recovery by the wait for the first answer."""
    change = data.sentiment_change(wanted)
    panel.chart(
        "opening_to_closing",
        charts_sentiment.opening_to_closing_bar(change),
        change,
        wanted,
        finding=findings.change(change),
        counted="Conversations that were answered and in which the customer wrote again, by the sentiment of the "
        "first and of the last message; at the right, how many.",
        cells=lambda: cells(change, ("sentiment", "closing_sentiment"), "answered_and_written_again"),
        rows="answered_and_written_again",
    )
    waits = data.recovery(wanted)
    panel.chart(
        "recovery_by_wait",
        charts_sentiment.recovery_bar(waits),
        waits,
        wanted,
        finding=findings.recovery(waits),
        counted="Of conversations that open negative, were answered, and in which the customer wrote again: share "
        "that closes neutral or positive, by the wait for the first answer, 95 % interval; under 30 greyed.",
        cells=lambda: cells(waits, ("wait_band",), "written_again"),
        rows="written_again",
        charted=("recovered_share",),
    )
