"""What pure functions made of the frames of cached queries, kept: every rerun of every session asks for it again.

Kept by what was asked, not by where it is: frames are written into the key, some tenths of a millisecond for the few
dozen rows of a chart. Many readers share what comes back, so nobody may change it.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

KEPT_ANSWERS = 32  # of each function: what some viewers with filters of their own look at


def kept(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function, which is run once for equal arguments while they are among the last `KEPT_ANSWERS`."""

    @functools.lru_cache(maxsize=KEPT_ANSWERS)
    def _answer(asked: bytes) -> _T:
        arguments, named = pickle.loads(asked)  # noqa: S301  # written a few lines below
        return function(*arguments, **named)

    @functools.wraps(function)
    def _kept(*arguments: _P.args, **named: _P.kwargs) -> _T:
        return _answer(pickle.dumps((arguments, named), pickle.HIGHEST_PROTOCOL))

    return _kept
