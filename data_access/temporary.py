"""Temporary folders and databases; those of killed commands are removed, for they hold what people wrote."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

_PREFIX = "frontdoor-"
_IN_USE = "IN-USE"  # locked by the process that uses the folder; the lock ends with the process, however it ends


class TemporaryFolder:
    """A folder where `TMPDIR` says, in use until it is closed; `kind` becomes part of its name.

    Raises OSError where none can be made.
    """

    def __init__(self, kind: str) -> None:
        remove_abandoned()
        self._made = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{kind}-")
        self.path = Path(self._made.name)
        begun = self.path / "beginning"
        self._lock = begun.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        begun.rename(self.path / _IN_USE)  # so that nobody finds it without its lock

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        self._made.cleanup()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remove_abandoned() -> None:
    """Remove this user's temporary folders that no process uses any more: those of commands that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # One in use is locked, and others may end or remove theirs at any moment: no reason for a command to fail.
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                with (folder / _IN_USE).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)


def parts_folder(path: Path) -> Path:
    """Where rows wait beside a DuckDB file that is a working copy: see `aside`."""
    return path.with_name(path.name + ".parts")


def remove_database(path: Path) -> None:
    """Remove a DuckDB file, its logs, what the engine spilled and what was put aside; nothing where there is none."""
    for end in ("", ".wal", ".wal.checkpoint", ".wal.recovery"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()
    for folder in (path.with_name(path.name + ".tmp"), parts_folder(path)):
        shutil.rmtree(folder, ignore_errors=True)
