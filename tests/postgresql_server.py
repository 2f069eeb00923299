"""A PostgreSQL of the tests' own on a loopback port, in a temporary folder; it never runs as root."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a server in an empty folder, yield the URL of its database `postgres`; skip where there is none."""
    if not _initdbs():
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    if os.geteuid() == 0:
        for part in (folder, *folder.parents):
            if not part.stat().st_mode & 0o001:
                part.chmod(part.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    _run(folder, "initdb", "-D", data, "-A", "trust", "-U", "frontdoor", "--no-sync", "-E", "UTF8", "--locale=C")
    start(folder, port)
    try:
        yield f"postgresql+psycopg://frontdoor@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(
            subprocess.CalledProcessError, FileNotFoundError
        ):  # pytest may have cleared its folder
            stop(folder)


def start(folder: Path, port: int) -> None:
    """Start the server of a folder that was stopped."""
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    _run(folder, "pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", str(folder / "log"), "-w", "start")


def stop(folder: Path) -> None:
    """Stop the server of a folder at once: whoever is connected loses it."""
    _run(folder, "pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")


def _initdbs() -> list[str]:
    return sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))


def _run(folder: Path, program: str, *arguments: str) -> None:
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    binary = str(Path(_initdbs()[-1]).parent / program)
    subprocess.run([*as_user, binary, *arguments], check=True, capture_output=True, cwd=folder)
