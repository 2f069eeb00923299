"""A choice among a few, always made, that is still made when its page is opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import streamlit as st

_Option = TypeVar("_Option", str, int)


def one_of(label: str, options: Mapping[_Option, str], key: str, *, first: _Option | None = None) -> _Option:
    """A segmented control of which one is always chosen: on coming back to the page what was left.

    At the beginning it is `first`, or the first of them.
    """
    left, beginning = f"left_{key}", next(iter(options)) if first is None else first
    kept = st.session_state.get(left, beginning)
    # What is not drawn on another page is lost there, so it is kept under a name of its own.
    st.session_state.setdefault(key, kept if kept in options else beginning)
    chosen = st.segmented_control(label, list(options), format_func=options.__getitem__, key=key, required=True)
    found: _Option = beginning if chosen is None else chosen
    st.session_state[left] = found
    return found
