"""Empty states: why there is nothing, and what to do."""

from __future__ import annotations

import contextlib

import streamlit as st

from data_access.errors import StoreError
from data_access.filters import Filter, listed
from data_access.measures import Selection, measure_named
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


UNKNOWN_ANSWERS = "Not known: no source of these conversations can tell whether anybody answered."
UNKNOWN_COMPLAINTS = (
    "Not known: none of these conversations has a text that can be read, or a mark of its source, to tell a complaint "
    "by."
)


def complaints_unknown(wanted: Filter) -> str:
    """Why no complaint of the filter is known, where none could be; empty where there just is none."""
    known, whole = data.response_recorded(wanted.replace(states=()))
    if not whole or (known and data.tells_complaints(wanted)):
        return ""
    return UNKNOWN_COMPLAINTS if known else UNKNOWN_ANSWERS


def no_complaints(wanted: Filter) -> None:
    """A page on complaints without any: because none could be known, or because the filter matches none."""
    unknown = complaints_unknown(wanted)
    if not unknown:
        nothing(wanted, "complaints")
        return
    remedy = (
        " Load the texts, or map a column that marks complaints. Response times shows who waits, complaint or not."
        if unknown == UNKNOWN_COMPLAINTS
        else " The page Data names the sources without response times."
    )
    st.info(unknown + remedy, title="Complaints are not known here")
    everything_link(wanted)


def no_answers(wanted: Filter, what: str = "conversations") -> None:
    """A page on answers without conversations: no source can tell whether they were answered, or there are none."""
    known, whole = data.response_recorded(wanted.replace(states=()))
    if known or not whole:
        nothing(wanted, what)
        return
    st.info(
        f"{UNKNOWN_ANSWERS} Channel mix and Sentiment trends count them, and the page Data names the sources.",
        title="Answers are not known here",
    )
    everything_link(wanted)


def is_narrowed(wanted: Filter) -> bool:
    """The filter leaves something out that it could show."""
    return wanted.replace(grain="week", clock="calendar", with_no_reply_needed=False, within_days=0) != Filter()


def everything_link(wanted: Filter) -> None:
    """A link to the page without its filter, where it has one."""
    if not is_narrowed(wanted):
        return
    st.page_link(
        f"reports/{st.session_state.get('frontdoor_page', 'overview')}.py",
        label="Show everything: all time, no filter",
        query_params={"period": "all"},
        icon=":material/filter_alt_off:",
    )


def nothing(wanted: Filter, what: str = "conversations") -> None:
    """A filter, or the limits of the viewer, that match nothing."""
    shown = data.scoped(wanted)
    hint = " Widen the period or remove a filter." if is_narrowed(wanted) else ""
    st.info(
        words.markdown(f"No {what} match: {shown.sentence()}.{hint}"),
        title=f"No {what} here",
    )
    if shown.is_limited:
        st.caption("You see only your teams and brands; somebody without these limits may see more.")
    everything_link(wanted)


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
    unknown = complaints_unknown(wanted.filter) if measure_named(wanted.measure).owning == "first_complaint_at" else ""
    shown = data.scoped(wanted.filter)
    if unknown:
        st.info(unknown, title="No rows here")
        selection.all_link(wanted.filter)
        return
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
