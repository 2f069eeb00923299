"""CSV of exactly what is shown, and of the rows behind it; written when clicked, formulas defused."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from data_access.export import to_csv
from data_access.filters import Filter
from data_access.measures import Selection
from pages.components import data, export_route

MOST_IN_MEMORY = 50_000


def _button(label: str, name: str, read: Callable[[], pd.DataFrame]) -> None:
    """A button that writes the file when it is clicked; the click does not run the page again."""
    st.download_button(
        label,
        data=lambda: to_csv(read()),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv_{name}",
        on_click="ignore",
        icon=":material/download:",
    )


def shown(data_frame: pd.DataFrame, name: str, *, label: str = "CSV of this table") -> None:
    """A button for the frame that was charted."""
    _button(label, name, lambda: data_frame)


def rows(selection: Selection, name: str, *, label: str = "CSV of the rows behind it") -> None:
    """A button for every row of a selection; read from the store when clicked, streamed where they are many."""
    if data.count_rows(selection) > MOST_IN_MEMORY:
        st.link_button(label, export_route.link(selection, name), icon=":material/download:")
        return
    read = data.rows_later(selection)
    _button(label, name, read)


def rejected(wanted: Filter, name: str = "rejected_rows", *, label: str = "CSV of all rejected rows") -> None:
    """A button for every rejected row; read from the store when clicked."""
    read = data.rejected_later(wanted)
    _button(label, name, read)


def worklist(wanted: Filter, order: str, name: str, *, label: str = "CSV of the whole list") -> None:
    """A button for every unanswered complaint; read from the store when clicked."""
    read = data.worklist_later(wanted, order)
    _button(label, name, read)


def told_again(wanted: Filter, name: str, *, label: str = "CSV of all pairs with their texts") -> None:
    """A button for every restatement with both texts; read from the store when clicked."""
    read = data.told_again_later(wanted)
    _button(label, name, read)


def eventful(wanted: Filter, name: str, *, label: str = "CSV of all of them") -> None:
    """A button for every customer whom we failed; read from the store when clicked."""
    read = data.eventful_later(wanted)
    _button(label, name, read)
