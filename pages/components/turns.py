"""Reruns of all sessions take turns: drawn all at once, each takes as long as all of them together, and more.

Python runs one thread at a time. Twenty reruns that share it end together, after the time of twenty, which the
change from thread to thread makes longer; one after the other half of them end in half of that time.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

AT_ONCE = 2  # one computes while another waits for its messages to be taken


class Turns:
    """A number of threads may go on at once; the others wait, first come, first served."""

    def __init__(self, at_once: int) -> None:
        self._looking = threading.Lock()
        self._free = at_once
        self._waiting: deque[threading.Lock] = deque()
        self._held = threading.local()

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Go on only with a turn, and give it back at the end."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    @contextlib.contextmanager
    def left(self) -> Iterator[None]:
        """Wait for something else than the processor: without the turn, if this thread has one."""
        if not getattr(self._held, "is_mine", False):
            yield
            return
        self._give_back()
        try:
            yield
        finally:
            self._take()

    def _take(self) -> None:
        with self._looking:
            if self._free:
                self._free -= 1
                place = None
            else:
                place = threading.Lock()
                place.acquire()
                self._waiting.append(place)
        if place is not None:
            place.acquire()
        self._held.is_mine = True

    def _give_back(self) -> None:
        """Hand the turn to who has waited longest: a semaphore would let whoever just comes take it first."""
        self._held.is_mine = False
        with self._looking:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


reruns = Turns(AT_ONCE)
