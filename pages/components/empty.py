"""Empty states: why there is nothing, and what to do."""

from __future__ import annotations

import contextlib

import streamlit as st

from data_access.errors import StoreError
from data_access.filters import Filter, listed
from data_access.measures import Selection
from pages.components import data, filter_bar, selection, words


def no_store(problem: Exception) -> None:
    """There is no store, or it cannot be opened."""
    st.error(words.markdown(problem), title="The store cannot be opened")
    st.text("To see a simulated company:   frontdoor demo")
    st.text("To load your own file:        frontdoor load FILE --source NAME")
    look_again()


def trouble() -> None:
    """The store does not answer any more: say so and of when the page is, and be up to date again by itself."""
    if data.trouble():
        st.warning(words.markdown(data.trouble()), title="The store does not answer")
        look_again()


@st.fragment(run_every=data.RETRY_SECONDS)
def look_again() -> None:
    """Look again and again whether the store answers, and run the page when it does."""
    with contextlib.suppress(StoreError):
        data.pin()
    if not data.trouble():
        st.rerun()


def empty_store() -> None:
    """A store without data."""
    st.info(
        words.markdown(f"The store {data.store_name()} is there, but nothing was loaded into it."), title="No data yet"
    )
    st.text(
        "To load a file that is recognised:  frontdoor load FILE\n"
        "To load any other CSV or JSON:      frontdoor load FILE --mapping MAP.toml\n"
        "To look at a simulated company:     frontdoor demo"
    )
    st.text("Each of them with --store and this store's address, where FRONTDOOR_STORE does not name it.")


def nothing(wanted: Filter, what: str = "conversations") -> None:
    """A filter, or the limits of the viewer, that match nothing."""
    shown = data.scoped(wanted)
    st.info(
        words.markdown(f"No {what} match: {shown.sentence()}. Widen the period or remove a filter."),
        title=f"No {what} here",
    )
    if shown.scope_teams is not None or shown.scope_brands is not None:
        st.caption("You see only your teams and brands; somebody without these limits may see more.")
    st.page_link(
        f"reports/{st.session_state.get('frontdoor_page', 'overview')}.py",
        label="Show everything: all time, no filter",
        query_params={"period": "all"},
        icon=":material/filter_alt_off:",
    )


def of_outcome(wanted: Filter) -> None:
    """That a filter by response state decides beforehand what the shares of answered and ignored say."""
    if wanted.states:
        states = listed([words.in_sentence(words.value("state", state)) for state in wanted.states], "or")
        st.info(
            f"Only what is {states} is counted, so shares of answered or ignored say nothing. "
            "Take the response state out of the filter to see them.",
            title="Filtered by outcome",
        )


def no_rows(wanted: Selection) -> None:
    """A selection without rows: its cell can be what leaves none, so it is said, and can be left behind."""
    if wanted.measure == "contacts" and not wanted.cell:
        nothing(wanted.filter, "rows")
        return
    shown = data.scoped(wanted.filter)
    said = f"No rows match: {selection.in_words(wanted)}; {shown.sentence()}. Look at all of the filter, or widen it."
    st.info(words.markdown(said), title="No rows here")
    selection.all_link(wanted.filter)


def problem(message: Exception) -> None:
    """A question that the store did not answer."""
    st.error(words.markdown(message), title="This could not be shown")
    st.page_link(
        f"reports/{st.session_state.get('frontdoor_page', 'overview')}.py",
        label="Try again",
        query_params=filter_bar.params(),
        icon=":material/refresh:",
    )
    if data.trouble():
        look_again()
