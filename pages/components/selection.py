"""Selections as links: every figure, bar and point opens exactly its rows on the page Conversations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from data_access.errors import FilterError
from data_access.filters import Filter
from data_access.measures import MEASURES, Selection, measure_named, parse_cell, period_bounds
from pages.components import choices, filter_bar, words

ROWS_PAGE = "reports/conversations.py"
_HANDLED = "selection_handled"
# Of rows that are conversations, and of rows that are waits: these begin with the moment by which they are in order,
# and what a conversation says of its first response would contradict the wait's own.
_OF_CONVERSATIONS = ("opened_at", "channel", "opening_state", "first_response_minutes", "is_complaint", "worst_state")
_OF_WAITS = ("channel", "response_state", "waited_minutes", "response_at", "is_complaint")
_OF_BOTH = (
    "front_channel",
    "front_waited_minutes",
    "topic",
    "sentiment_label",
    "age_group",
    "team",
    "brand",
    "responder_agent",
    "status",
)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One clickable thing of a chart: its label, the measure it counts and the values it is limited to.

    `changes` are fields of the filter that differ from the page's, such as the clock.
    """

    label: str
    measure: str
    values: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, Any], ...] = ()

    def selection(self, wanted: Filter) -> Selection:
        """The rows it opens."""
        return Selection(wanted.replace(**dict(self.changes)), self.measure, self.values)


def cells(
    data_frame: pd.DataFrame, dimensions: Sequence[str], measure: str, *, prefix: str = "", grain: str = "week"
) -> list[Cell]:
    """One cell per row of a frame."""
    found = []
    for row in data_frame[list(dimensions)].drop_duplicates().to_dict("records"):
        label = ", ".join(words.value(str(name), value, grain) for name, value in row.items())
        values = tuple((str(name), cell_text(value)) for name, value in row.items())
        found.append(Cell(f"{prefix}{label}", measure, values))
    return found


def part_and_whole(data_frame: pd.DataFrame, dimension: str, part: str, whole: str) -> list[Cell]:
    """Cells of the rows that a share counts, and of all of which they are a part."""
    return [
        cell
        for measure, prefix in ((part, "Counted: "), (whole, "All: "))
        for cell in cells(data_frame, (dimension,), measure, prefix=prefix)
    ]


def shown(selected: Selection, rows: pd.DataFrame) -> pd.DataFrame:
    """Selected rows as they are listed: the columns in which anything stands.

    The state of a conversation is that of its worst complaint, which says nothing of the first response beside it:
    so it stands under a heading of its own, and only where the conversation holds a complaint.
    """
    if "wait_number" in rows:
        names = (measure_named(selected.measure).owning, *_OF_WAITS)
    else:
        names = _OF_CONVERSATIONS
        rows = rows.assign(worst_state=rows["response_state"].where(rows["is_complaint"]))
    return rows[[name for name in (*names, *_OF_BOTH) if name in rows and rows[name].notna().any()]]


def cell_text(value: object) -> str:
    """A value as it stands in a cell: dates as 2026-10-05."""
    return f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else str(value)


def params(selection: Selection) -> dict[str, Any]:
    """URL parameters of the page Conversations that open this selection."""
    found: dict[str, Any] = {name: list(values) for name, values in filter_bar.params_of(selection.filter).items()}
    found["measure"] = selection.measure
    if selection.cell:
        found["cell"] = [f"{key}={value}" for key, value in selection.cell]
    if back := filter_bar.way_back(selection.filter):
        found["back"] = back
    return found


def from_url(wanted: Filter) -> tuple[Selection, list[str]]:
    """The selection that the URL asks for, and what could not be read in it."""
    measure = st.query_params.get("measure", "contacts")
    problems = []
    if measure not in MEASURES:
        problems.append(f"measure={measure} is unknown")
        measure = "contacts"
    cell: list[tuple[str, str]] = []
    for text in st.query_params.get_all("cell"):
        try:
            cell += Selection(wanted, measure, parse_cell([text])).cell
        except FilterError as problem:
            problems.append(str(problem))
    return Selection(wanted, measure, tuple(cell)), problems


def link(
    label: str, wanted: Filter, measure: str, values: Sequence[tuple[str, str]] = (), *, help: str | None = None
) -> None:
    """A link that opens the rows of a measure; `label` is plain text."""
    st.page_link(
        ROWS_PAGE,
        label=words.markdown(label),
        query_params=params(Selection(wanted, measure, tuple(values))),
        icon=":material/list:",
        help=help,
    )


def follow_click(key: str, event: Any, wanted: Filter) -> None:
    """Go to the rows of the mark that was clicked, once."""
    picked = event.selection.points if event else []
    if not picked:
        st.session_state.pop(f"{_HANDLED}_{key}", None)
        return
    found = _clicked(picked[0])
    if found is None or st.session_state.get(f"{_HANDLED}_{key}") == found:
        return
    st.session_state[f"{_HANDLED}_{key}"] = found
    measure, values = found
    st.switch_page(ROWS_PAGE, query_params=params(Selection(wanted, measure, values)))


def _clicked(point: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]] | None:
    data = point.get("customdata")
    while isinstance(data, Mapping):
        data = list(data.values())
    if not isinstance(data, Sequence) or not data or data[0] not in MEASURES:
        return None
    return str(data[0]), parse_cell([str(part) for part in data[1:]])


def conversation_link(label: str, wanted: Filter, conversation_id: str, *, icon: str = ":material/forum:") -> None:
    """A link to one conversation as a timeline."""
    found = params(Selection(wanted, "contacts"))
    found |= {"conversation": conversation_id, "measure": st.query_params.get("measure", "contacts")}
    found |= {
        name: st.query_params.get_all(name)
        for name in st.query_params
        if name in ("cell", "back") or choices.is_choice(name)
    }
    st.page_link(ROWS_PAGE, label=words.markdown(label), query_params=found, icon=icon)


def step_links(rows: pd.DataFrame, wanted: Filter, conversation_id: str) -> None:
    """Links from the open conversation to those before and after it in the list."""
    listed = list(dict.fromkeys(rows["conversation_id"]))
    if conversation_id not in listed:
        return
    place = listed.index(conversation_id)
    with st.container(horizontal=True, gap="small", key="rows_steps"):
        if place:
            conversation_link("Previous in the list", wanted, listed[place - 1], icon=":material/arrow_upward:")
        if place + 1 < len(listed):
            conversation_link("Next in the list", wanted, listed[place + 1], icon=":material/arrow_downward:")


_PICKED, _TURN = "rows_picked", "rows_turn"


def open_row(conversation_id: str) -> None:
    """Open the conversation of the row that was chosen in the list."""
    st.session_state[_PICKED] = conversation_id
    st.query_params["conversation"] = conversation_id
    st.rerun()


def turn_of_rows(conversation_id: str) -> int:
    """How often another way than the list opened a conversation: then the tick at a row says nothing any more."""
    if st.session_state.get(_PICKED, conversation_id) != conversation_id:
        del st.session_state[_PICKED]
        st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    return int(st.session_state.get(_TURN, 0))


def journey_link(label: str, wanted: Filter, customer_id: str) -> None:
    """A link to the journey of one customer: their rows of the filter, and the newest of them opened."""
    found = params(Selection(wanted, "contacts", (("customer", customer_id),)))
    st.page_link(ROWS_PAGE, label=words.markdown(label), query_params=found, icon=":material/timeline:")


def in_words(selection: Selection) -> str:
    """What the rows are: 'complaints due, channel Facebook, week of 5 Oct 2026'."""
    parts = [MEASURES[selection.measure].label]
    for key, value in selection.cell:
        if key == "within_minutes":
            parts.append(f"within {words.minutes(float(value))}")
        elif key == "period":
            start, _ = period_bounds(value, selection.filter.grain)
            parts.append(words.period(start, selection.filter.grain))
        elif key == "customer":
            parts.append("of one customer")
        elif key in ("gave_up_within", "gave_up_after"):
            parts.append(f"{key.removeprefix('gave_up_')} {value} s")
        else:
            parts.append(words.with_dimension(key, value))
    return ", ".join(parts)


def all_link(wanted: Filter) -> None:
    """A link from a selection to all conversations of the filter."""
    query = {name: list(values) for name, values in filter_bar.params_of(wanted).items()}
    label = "All conversations of this filter"
    st.page_link(ROWS_PAGE, label=label, query_params=query, icon=":material/filter_alt_off:")
