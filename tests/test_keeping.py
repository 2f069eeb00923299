"""What is kept between reruns is made once, and nobody can spoil it for the others."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.keeping import KEPT_ANSWERS, kept


def test_equal_frames_are_asked_once_and_others_again() -> None:
    asked: list[int] = []

    @kept
    def total(frame: pd.DataFrame, name: str) -> int:
        asked.append(len(frame))
        return int(frame[name].sum())

    frame = pd.DataFrame({"n": [1, 2]})
    assert total(frame, "n") == total(frame.copy(), "n") == 3
    assert asked == [2]
    assert total(frame.assign(n=4), "n") == 8
    assert asked == [2, 2]
    for number in range(KEPT_ANSWERS):
        total(pd.DataFrame({"n": [number]}), "n")
    assert total(frame, "n") == 3
    assert len(asked) == 3 + KEPT_ANSWERS, "the oldest answer is forgotten"


def _spoil_and_ask_again() -> None:
    import streamlit as st  # the function is a script of its own

    from data_access.filters import Filter
    from pages.components import data

    data.pin()
    for _ in range(2):
        whole, by_channel = data.ignored_complaints(Filter()), data.ignored_complaints(Filter(), ("channel",))
        options, (known, everything) = data.filter_options(), data.response_recorded(Filter())
        said = [int(whole["complaint_count"].iloc[0]), int(by_channel["complaint_count"].sum()), known, everything]
        st.text(" ".join(map(str, [*said, *options["channel"]])))
        whole["complaint_count"] = 0
        by_channel.loc[:, "complaint_count"] = 0
        options["channel"].append("carrier pigeon")


@pytest.fixture
def said_by(tiny_store_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], list[str]]:
    """Run a page on the tiny store; the texts that it shows."""
    monkeypatch.setenv("FRONTDOOR_STORE", tiny_store_url)

    def _said(script: Callable[[], None]) -> list[str]:
        page = AppTest.from_function(script, default_timeout=60).run()
        assert not page.exception
        return [text.value for text in page.text]

    return _said


def test_what_one_page_does_to_its_answers_no_other_page_sees(said_by) -> None:
    first, second = said_by(_spoil_and_ask_again)
    assert first == second
    assert not first.startswith("0 ")


def _ask_twice() -> None:
    import streamlit as st
    from sqlalchemy import Engine, event

    from data_access.filters import Filter
    from pages.components import data

    asked: list[str] = []

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    data.pin()
    event.listen(Engine, "before_cursor_execute", note)
    data.forget_answers()
    for forget in (False, False, True):
        if forget:
            data.forget_answers()
        asked.clear()
        data.backlog(Filter())
        st.text(len(asked))
    event.remove(Engine, "before_cursor_execute", note)


def test_the_store_is_asked_once_and_again_after_answers_are_forgotten(said_by) -> None:
    first, second, third = map(int, said_by(_ask_twice))
    assert (first, second) == (third, 0)
    assert first > 0
