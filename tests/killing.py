"""Frontdoor commands that start at once and are killed (SIGKILL) in the middle; places that can be set back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import create_engine, make_url, text

# Forks a process per command, with all modules and weights in memory: a kill hits the command, not its start. Nothing
# here may start a thread before the fork, as opening a store would. The server kills, for only until it has waited for
# a process is the id sure to be of that process.
_SERVER = """
import json, os, signal, sys, time
import psycopg
from data_access import cli, text
text.read_batch(["help"], inbound=[True], public=[True], settings=text.TextSettings())
for line in sys.stdin:
    arguments, seconds = json.loads(line)
    until = time.monotonic() + seconds
    process = os.fork()
    if process == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        said = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for place, file in enumerate((nothing, said, said)):
            os.dup2(file, place)
        status = 70
        try:
            status = cli.main(arguments)
        finally:
            sys.stderr.flush()
            os._exit(status)
    ended, status = os.waitpid(process, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.002)
        ended, status = os.waitpid(process, os.WNOHANG)
    if not ended:
        os.kill(process, signal.SIGKILL)
        ended, status = os.waitpid(process, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
LONGEST_SECONDS = 600
AT_REST_SECONDS = 60


class Commands:
    """Runs commands of Frontdoor, to the end or until they are killed. `said` holds what they printed."""

    def __init__(self, server: subprocess.Popen[str], said: Path) -> None:
        self._server, self.said = server, said

    def run(self, arguments: Sequence[str]) -> float:
        """Run a command to its end, which must be a good one; its seconds."""
        started = time.monotonic()
        status = self._status(arguments, LONGEST_SECONDS)
        assert status == 0, self.said.read_text()
        return time.monotonic() - started

    def kill(self, arguments: Sequence[str], after_seconds: float) -> bool:
        """Run a command and kill it after so long; whether it had not ended by itself."""
        status = self._status(arguments, after_seconds)
        assert status in (0, -signal.SIGKILL), self.said.read_text()
        return status != 0

    def _status(self, arguments: Sequence[str], seconds: float) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([list(arguments), seconds]) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@contextmanager
def commands(folder: Path, **environment: str) -> Iterator[Commands]:
    """A server of commands, with variables of their environment."""
    said = folder / "said.txt"
    said.touch()
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(said)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
    )
    try:
        yield Commands(server, said)
    finally:
        server.stdin.close()  # type: ignore[union-attr]
        server.wait(AT_REST_SECONDS)


class Place(Protocol):
    """Where a store is, and how it was."""

    url: str

    def keep(self) -> None:
        """Remember the present state; it may be that there is nothing."""

    def restore(self) -> None:
        """Go back to that state."""

    def come_to_rest(self) -> None:
        """Return once nobody is at work here; fail where something stays behind."""


class FolderPlace:
    """A folder of generations."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._kept = folder / "store", folder / "kept"
        self.url = f"duckdb:///{self.folder}"

    def keep(self) -> None:
        if self.folder.exists():
            shutil.copytree(self.folder, self._kept)

    def restore(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._kept.exists():
            shutil.copytree(self._kept, self.folder)

    def come_to_rest(self) -> None:
        """At most one work file of a kind, and a generation that was not published, beside those that are kept."""
        names = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
        assert len([name for name in names if name.startswith("store-")]) <= 3
        assert len(names) <= 3 + len(("CURRENT", "LOCK", "CURRENT.new", "loading", "its log", "its spill"))


class DatabasePlace:
    """A database of the PostgreSQL that the tests start, and a copy of it as a template."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._name = make_url(url).database
        self._server = create_engine(make_url(url).set(database="template1"), isolation_level="AUTOCOMMIT")

    def keep(self) -> None:
        self.come_to_rest()
        self._do(f"CREATE DATABASE {self._name}_kept TEMPLATE {self._name}")

    def restore(self) -> None:
        self._do(
            f"DROP DATABASE {self._name} WITH (FORCE)", f"CREATE DATABASE {self._name} TEMPLATE {self._name}_kept"
        )

    def drop_kept(self) -> None:
        """Remove the copy; the database is its fixture's."""
        self._do(f"DROP DATABASE IF EXISTS {self._name}_kept WITH (FORCE)")
        self._server.dispose()

    def come_to_rest(self) -> None:
        """A server notices within a statement that its client is gone: sessions, locks and temporary tables go."""
        until = time.monotonic() + AT_REST_SECONDS
        while left := self._left():
            assert time.monotonic() < until, left
            time.sleep(0.05)
        engine = create_engine(self.url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")) == 0
        engine.dispose()

    def _left(self) -> list[str]:
        sessions = text(
            "SELECT application_name || ': ' || state FROM pg_stat_activity WHERE datname = :name "
            "UNION ALL SELECT 'a lock: ' || locktype FROM pg_locks JOIN pg_database d ON d.oid = database "
            "WHERE datname = :name"
        )
        with self._server.connect() as connection:
            return list(connection.scalars(sessions, {"name": self._name}))

    def _do(self, *statements: str) -> None:
        with self._server.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


def children_of(parent: int) -> set[int]:
    """Processes below a process, whoever started them, read from /proc."""
    below: dict[int, set[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        below.setdefault(int(fields[1]), set()).add(int(path.parent.name))
    found, new = set[int](), {parent}
    while new:
        new = {child for process in new for child in below.get(process, ())} - found
        found |= new
    return found


def is_alive(process: int) -> bool:
    """Whether a process is there and is more than an entry that nobody has read yet."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
