"""Standard output of a command: a failure to write it is told from a failure of the command."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast


def counted(count: int, noun: str, many: str | None = None) -> str:
    """A count with its noun: '1 row', '1,200 rows'; `many` where the plural has no s more."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


class OutputError(Exception):
    """Standard output cannot be written; what the command does beside its output is not concerned."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem.strerror or problem))
        self.is_reader_gone = isinstance(problem, BrokenPipeError)


class _Output:
    """Passes everything on. Letters that the encoding lacks are written as \\u00e4, which JSON reads as the letter."""

    def __init__(self, out: TextIO, say: Callable[[str], None]) -> None:
        self._out, self._say = out, say

    def write(self, text: str) -> int:
        with _told_apart():
            try:
                return self._out.write(text)
            except UnicodeEncodeError:
                encoding = self._out.encoding or "ascii"
                self._say(
                    f"note: standard output is {encoding}; letters that it lacks are written as \\u00e4; "
                    "PYTHONIOENCODING=utf-8 writes them as they are"
                )
                self._say = lambda _: None
                return self._out.write("".join(_escaped(letter, encoding) for letter in text))

    def flush(self) -> None:
        with _told_apart():
            self._out.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise OutputError(problem) from problem


def _escaped(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        units = letter.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
    return letter


@contextlib.contextmanager
def standard_output(say: Callable[[str], None]) -> Iterator[None]:
    """Write all of standard output until the end, or raise OutputError. `say` tells on standard error."""
    real = sys.stdout
    try:
        with contextlib.redirect_stdout(cast("TextIO", _Output(real, say))):
            yield
            sys.stdout.flush()
    except OutputError:
        _drop_what_is_left(real)
        raise


def _drop_what_is_left(out: TextIO) -> None:
    """What could not be written is not tried again at the end of the process, whose status that would become."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, out.fileno())
        os.close(nothing)
