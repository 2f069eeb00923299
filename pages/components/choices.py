"""A choice among a few, always made, that stands in the address and is still made when its page is opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import streamlit as st

from pages.components import address

_Option = TypeVar("_Option", str, int)


def one_of(label: str, options: Mapping[_Option, str], key: str, *, first: _Option | None = None) -> _Option:
    """A segmented control of which one is always chosen: on coming back to the page what was left.

    At the beginning it is what the address says, else `first`, or the first of them; that one the address leaves out.
    """
    left, beginning = _left(key), next(iter(options)) if first is None else first
    kept = st.session_state.get(left, beginning)
    if address.went_back() or not {left, key} & set(st.session_state):
        of_address = {str(option): option for option in options}
        kept = of_address.get(st.query_params.get(key, ""), beginning)
        st.session_state[key] = kept
    # What is not drawn on another page is lost there, so it is kept under a name of its own.
    st.session_state.setdefault(key, kept if kept in options else beginning)
    chosen = st.segmented_control(label, list(options), format_func=options.__getitem__, key=key, required=True)
    found: _Option = beginning if chosen is None else chosen
    st.session_state[left] = found
    address.say(key, None if found == beginning else str(found))
    return found


def is_choice(name: str) -> bool:
    """The parameter is a choice of this session."""
    return _left(name) in st.session_state


def _left(key: str) -> str:
    return f"left_{key}"
