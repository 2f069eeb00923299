"""What a running dashboard takes: reruns over websockets, a filter change in a browser, a long export, memory.

Times are wall times with the processor time of the server beside them, since machines are shared. The reference of
a rerun is a page of as many plain texts: what Streamlit itself takes for that many elements, its garbage set aside
as ours is, for that would be half of it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SESSIONS = (1, 5, 20, 50)
RERUNS_PER_SESSION = 8
RERUNS_PER_PAGE = 20
CLICKS = 5  # times that many click once
SETTLED_SECONDS = 0.6
_READY = "[data-testid=stApp][data-test-script-state=notRunning]"


@dataclass(frozen=True)
class Server:
    """A dashboard on a port of its own."""

    address: str
    process: int

    def cpu_seconds(self) -> float:
        """Processor time so far, all threads."""
        fields = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, which: str = "VmRSS") -> float:
        """Resident memory; with `VmHWM` the most there was since `forget_peak`."""
        status = Path(f"/proc/{self.process}/status").read_text(encoding="ascii")
        return int(re.search(rf"{which}:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def forget_peak(self) -> None:
        """Begin to watch for the most memory anew."""
        Path(f"/proc/{self.process}/clear_refs").write_text("5", encoding="ascii")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(script: str, folder: Path, **environment: str) -> Iterator[Server]:
    """Start a Streamlit script of the repository, or any other by its full path."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}"]
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=known, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).read()
                    break
                except OSError:
                    time.sleep(0.2)
            yield Server(f"127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


# --- reruns ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reruns:
    """Seconds of each rerun, messages of the last one, and the link to its long export if it has one."""

    seconds: list[float]
    messages: int
    links: list[str]


async def rerun(address: str, page: str, sessions: int, count: int) -> Reruns:
    """Seconds from a rerun message to the end of its script, over real websockets, several sessions at once."""
    from streamlit.proto.BackMsg_pb2 import BackMsg  # noqa: PLC0415
    from streamlit.proto.ClientState_pb2 import ClientState, ContextInfo  # noqa: PLC0415
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg  # noqa: PLC0415
    from websockets.asyncio.client import connect  # noqa: PLC0415

    browser = ContextInfo(timezone="UTC", locale="en", color_scheme="light", url=f"http://{address}/")
    state = ClientState(query_string="period=all", page_name="" if page == "overview" else page, context_info=browser)
    asked = BackMsg(rerun_script=state).SerializeToString()

    async def one() -> Reruns:
        times: list[float] = []
        messages, links = 0, list[str]()
        async with connect(f"ws://{address}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as channel:
            for _ in range(count):
                messages, links = 0, []
                start = time.perf_counter()
                await channel.send(asked)
                while True:
                    message = ForwardMsg.FromString(await channel.recv())
                    messages += 1
                    kind = message.WhichOneof("type")
                    element = message.delta.new_element
                    if kind == "delta" and element.WhichOneof("type") == "exception":
                        raise SystemExit(f"{page}: {element.exception.message}")
                    if kind == "delta" and element.WhichOneof("type") == "link_button":
                        links.append(element.link_button.url)
                    if kind == "script_finished":
                        break
                times.append(time.perf_counter() - start)
        return Reruns(times, messages, links)

    found = await asyncio.gather(*(one() for _ in range(sessions)))
    return Reruns([second for each in found for second in each.seconds], found[-1].messages, found[-1].links)


def measure_sessions(figures: Any, url: str, folder: Path) -> None:
    """Each page with its data in the cache, then the first page with several sessions at once; memory."""
    from pages.components.navigation import PAGES  # noqa: PLC0415

    messages: dict[str, int] = {}
    cost: dict[str, float] = {}
    with running("app.py", folder, FRONTDOOR_STORE=url) as server:
        for page in PAGES:
            asyncio.run(rerun(server.address, page, 1, 2))  # fills the cache
            before = server.cpu_seconds()
            done = asyncio.run(rerun(server.address, page, 1, RERUNS_PER_PAGE))
            cost[page] = 1000 * (server.cpu_seconds() - before) / RERUNS_PER_PAGE
            messages[page] = done.messages
            figures.add("sessions", f"{page}, median rerun", 1000 * float(np.median(done.seconds)), "ms")
            figures.add("sessions", f"{page}, p95 rerun", 1000 * float(np.quantile(done.seconds, 0.95)), "ms")
        at_start = server.memory_mb()
        for count in SESSIONS:
            start = time.perf_counter()
            done = asyncio.run(rerun(server.address, "overview", count, RERUNS_PER_SESSION))
            taken = time.perf_counter() - start
            figures.add("sessions", f"{count} at once, reruns", len(done.seconds) / taken, "per s")
            figures.add("sessions", f"{count} at once, median rerun", 1000 * float(np.median(done.seconds)), "ms")
            figures.add("sessions", f"{count} at once, p95 rerun", 1000 * float(np.quantile(done.seconds, 0.95)), "ms")
        figures.add("sessions", "server memory, every page seen by one session", at_start, "MB")
        grown = server.memory_mb() - at_start
        figures.add("sessions", "more of it per session", grown / sum(SESSIONS), "MB")
        for count in SESSIONS[1:]:
            clicks = [asyncio.run(rerun(server.address, "overview", count, 1)).seconds for _ in range(CLICKS)]
            name = f"{count} who click once at the same moment"
            figures.add("sessions", f"{name}, median rerun", 1000 * float(np.median(clicks)), "ms")
            figures.add("sessions", f"{name}, p95 rerun", 1000 * float(np.quantile(clicks, 0.95)), "ms")
    plain = folder / "plain.py"
    plain.write_text(
        "import gc, os, streamlit as st\ngc.freeze()\n"
        "for n in range(int(os.environ['BENCH_TEXTS'])):\n    st.text(n)\n"
    )
    texts = max(messages.values())
    with running(str(plain), folder, BENCH_TEXTS=str(texts)) as server:
        asyncio.run(rerun(server.address, "overview", 1, 2))
        before = server.cpu_seconds()
        asyncio.run(rerun(server.address, "overview", 1, RERUNS_PER_PAGE))
        per_text = 1000 * (server.cpu_seconds() - before) / RERUNS_PER_PAGE / texts
    for page in PAGES:
        figures.add(
            "sessions",
            f"{page}, processor time of a rerun",
            cost[page],
            "ms",
            reference=f"Streamlit showing {messages[page]} plain texts",
            reference_value=per_text * messages[page],
        )


# --- export ----------------------------------------------------------------------------------------------


def measure_export(figures: Any, url: str, folder: Path, rows: int, copy_seconds: float) -> None:
    """All conversations as CSV through the route of a running dashboard; its memory above that before."""
    with running("app.py", folder, FRONTDOOR_STORE=url) as server:
        links = asyncio.run(rerun(server.address, "conversations", 1, 2)).links
        export = next((link for link in links if link.startswith("/export/")), None)
        if export is None:
            print(f"{rows:,} rows fit into one download: nothing is streamed, nothing measured", flush=True)
            return
        server.forget_peak()
        before, cpu = server.memory_mb(), server.cpu_seconds()
        start, size = time.perf_counter(), 0
        with urllib.request.urlopen(f"http://{server.address}{export}", timeout=600) as answer:
            while part := answer.read(1 << 20):
                size += len(part)
        taken = time.perf_counter() - start
        name = f"{rows:,} conversations as CSV ({size / 1e6:,.0f} MB)"
        figures.add("export", name, taken, "s", reference="DuckDB COPY of six columns", reference_value=copy_seconds)
        figures.add("export", "processor time of the server", server.cpu_seconds() - cpu, "s")
        figures.add("export", "most memory of the server above that before", server.memory_mb("VmHWM") - before, "MB")


# --- browser ---------------------------------------------------------------------------------------------


def measure_browser(figures: Any, url: str, folder: Path, query_ms: Callable[[str], float]) -> None:
    """From a filter change to the last chart drawn, in a headless browser; nothing asked before of that filter."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from pages.components.navigation import PAGES  # noqa: PLC0415

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("browser: chromium is not installed, left out")
        return
    with running("app.py", folder, FRONTDOOR_STORE=url) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for page in PAGES:
            opened = browser.new_page(viewport={"width": 1280, "height": 800})
            opened.goto(f"http://{server.address}/{'' if page == 'overview' else page}?period=all", timeout=120_000)
            opened.get_by_role("heading", level=1).wait_for(timeout=120_000)
            opened.evaluate(_WATCH_CHARTS)
            _drawn(opened)
            taken = _changed(opened)
            figures.add(
                "browser",
                f"{page}, filter change to the last chart",
                1000 * taken,
                "ms",
                reference="its queries alone, in another process",
                reference_value=query_ms(page),
            )
            opened.close()
        browser.close()


def _changed(page: Any) -> float:
    """Choose the first channel that the bar offers; seconds until the page has settled."""
    page.locator(".st-key-f_channel input").click()
    option = page.get_by_role("option").first
    option.wait_for()
    start = time.perf_counter()
    option.click()
    page.wait_for_url("**channel=**")
    last = _drawn(page)
    return last - start


# Notes when something was last drawn into a chart; the page itself does, since asking it all the time takes the
# processor that the dashboard needs.
_WATCH_CHARTS = """() => {
    window.lastDrawn = performance.now();
    new MutationObserver(changes => {
        if (changes.some(change => change.target.closest?.('.js-plotly-plot'))) window.lastDrawn = performance.now();
    }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


def _drawn(page: Any) -> float:
    """When the script had ended and no chart was drawn any more: on the clock of `time.perf_counter`."""
    finished: float | None = None
    while True:
        now = time.perf_counter()
        ready, quiet = page.evaluate(
            "selector => [document.querySelector(selector) !== null, performance.now() - window.lastDrawn]", _READY
        )
        if not ready:
            finished = None
        elif finished is None:
            finished = now
        drawn = now - quiet / 1000
        if finished is not None and now - max(drawn, finished) > SETTLED_SECONDS:
            return max(drawn, finished)
        page.wait_for_timeout(50)
