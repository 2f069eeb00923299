"""The address in the browser: what was last said of it, and who leads where."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_TOLD = "address_told"


def went_back() -> bool:
    """The browser's back or forward button started this rerun: its address is meant, however fresh the last one is."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def say(name: str, value: str | None) -> None:
    """Put one parameter into the address, or take it out, where that is not so already."""
    if value is None and name in st.query_params:
        del st.query_params[name]
    elif value is not None and st.query_params.get_all(name) != [value]:
        st.query_params[name] = value
    _remember()


def tell_browser() -> None:
    """Send the whole address again where a link led to the page on which it stands.

    Streamlit (1.67) draws what such a link asks for and leaves the browser's address as it was: the next rerun would
    go back to that. On the way to another page it takes the address along; sent then, too, it could reach the browser
    while that still stands on the page before.
    """
    before = st.session_state.get(_TOLD)
    page, whole = _remember()
    if before is not None and before[0] == page and before[1] != whole and not went_back():
        st.query_params.from_dict(whole)


def _remember() -> tuple[str | None, dict[str, list[str]]]:
    whole = {name: st.query_params.get_all(name) for name in st.query_params}
    st.session_state[_TOLD] = st.session_state.get("frontdoor_page"), whole
    return st.session_state[_TOLD]  # type: ignore[no-any-return]
