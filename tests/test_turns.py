"""Reruns take turns, and who waits for the store gives the turn away meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import data, turns

MAIN = Path(__file__).resolve().parents[1] / "pages" / "main.py"
LONG = 60  # seconds; only what is wrong takes so long


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def in_queue(one: turns.Turns, count: int) -> None:
    """Wait until so many wait for their turn."""
    waited = threading.Event()
    for _ in range(LONG * 100):
        if len(one._waiting) == count:
            return
        waited.wait(0.01)
    raise AssertionError(f"{len(one._waiting)} wait, not {count}")


def test_who_came_first_goes_first_and_no_more_than_allowed_at_once():
    one, order, together = turns.Turns(2), list[int](), list[int]()
    inside = threading.Semaphore(2)

    def work(number: int) -> None:
        with one.taken():
            together.append(inside.acquire(blocking=False))
            order.append(number)
            inside.release()

    with one.taken(), one.taken():
        threads = []
        for number in range(6):
            threads.append(started(lambda number=number: work(number)))
            in_queue(one, number + 1)
        assert order == []
    for thread in threads:
        thread.join(LONG)
    assert sorted(order) == list(range(6))
    assert all(together)
    assert one._free == 2


def test_with_one_turn_the_order_is_that_of_coming():
    one, order = turns.Turns(1), list[int]()

    def work(number: int) -> None:
        with one.taken():
            order.append(number)

    with one.taken():
        threads = []
        for number in range(5):
            threads.append(started(lambda number=number: work(number)))
            in_queue(one, number + 1)
    for thread in threads:
        thread.join(LONG)
    assert order == list(range(5))


def test_a_turn_that_is_left_is_another_s_until_it_is_given_back():
    one, went_on = turns.Turns(1), threading.Event()

    def work() -> None:
        with one.taken():
            went_on.set()

    with one.taken():
        with one.left():
            other = started(work)
            assert went_on.wait(LONG)
        other.join(LONG)
        assert one._free == 0
    assert one._free == 1


def test_leaving_without_a_turn_takes_none():
    one = turns.Turns(1)
    with one.left():
        assert one._free == 1
    assert one._free == 1
    with one.taken(), one.left(), one.left():
        assert one._free == 1
    assert one._free == 1


def test_an_error_gives_the_turn_back():
    one = turns.Turns(1)
    with pytest.raises(ValueError, match="a page failed"), one.taken():
        raise ValueError("a page failed")
    assert one._free == 1
    with one.taken():
        with pytest.raises(ValueError, match="a question failed"), one.left():
            raise ValueError("a question failed")
        assert one._free == 0
    assert one._free == 1


def test_while_one_session_asks_others_draw_and_what_two_ask_is_asked_once(monkeypatch):
    one = turns.Turns(1)
    monkeypatch.setattr(turns, "reruns", one)
    asking, may_end, asked, drawn = threading.Event(), threading.Event(), list[str](), threading.Event()
    answer = data._Answer()

    def ask() -> str:
        asked.append("once")
        asking.set()
        assert may_end.wait(LONG)
        return "answer"

    found: list[str] = []

    def session() -> None:
        with one.taken():
            found.append(answer.found(ask))

    def other() -> None:
        with one.taken():
            drawn.set()

    threads = [started(session)]
    assert asking.wait(LONG)
    threads += [started(session), started(other)]
    assert drawn.wait(LONG)
    may_end.set()
    for thread in threads:
        thread.join(LONG)
    assert found == ["answer", "answer"]
    assert asked == ["once"]


def test_an_answer_that_failed_is_asked_for_again():
    answer = data._Answer()
    with pytest.raises(ZeroDivisionError):
        answer.found(lambda: 1 / 0)
    assert answer.found(lambda: None) is None
    assert answer.found(lambda: 1 / 0) is None  # nothing is an answer, too


@pytest.mark.usefixtures("no_earlier_answers", "nothing_set")
def test_every_rerun_gives_its_turn_back(tiny_store_url, monkeypatch):
    monkeypatch.setenv("FRONTDOOR_STORE", tiny_store_url)
    app = AppTest.from_file(str(MAIN), default_timeout=LONG).run()
    assert not app.exception
    assert app.title[0].value
    monkeypatch.setenv("FRONTDOOR_STORE", "duckdb:////nowhere/at/all")
    app.run()
    assert turns.reruns._free == turns.AT_ONCE
