"""How long work says how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of each step: the stage, rows done since the last call, and rows expected of it where that is known.

    A stage that comes again, as with the next slice of a large file, begins anew, with what is left.
    """

    def __call__(self, stage: str, rows: int, expected: int | None = None, /) -> None:
        """Show it."""


def say_nothing(_stage: str, _rows: int, _expected: int | None = None, /) -> None:
    """Progress that nobody wants to see."""
