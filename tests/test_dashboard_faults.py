"""Faults under an open dashboard: it says what is wrong, keeps what it has, and is up to date again by itself."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from conftest import TINY_MAPPING, TINY_MESSAGES
from postgresql_server import running_server, start, stop
from sqlalchemy import event, make_url, text
from streamlit.testing.v1 import AppTest

from data_access import dialects, store
from data_access.loader import LoadOrder, load
from data_access.sources.mapping import mapping_of
from data_access.store import current_generation, store_folder
from pages.components import data

MAIN = Path(__file__).resolve().parents[1] / "pages" / "main.py"
Server = tuple[Path, str]


class Network:
    """A way to a server on this machine that can be cut: refused, or silent as behind a firewall that drops all."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._goes = threading.Event()
        self._goes.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed by `refuse` or at the end
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                self._goes.wait()
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._goes.clear()

    def refuse(self) -> None:
        """All connections end, and new ones are refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """As it was."""
        self._goes.set()
        if self._listener.fileno() == -1:
            self._listener = self._listen(self.port)

    def close(self) -> None:
        self.mend()
        self.refuse()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL that the tests stop and start, with the tiny store in it."""
    folder, messages = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("faults") / "messages.csv"
    messages.write_text(TINY_MESSAGES, encoding="utf-8")
    with running_server(folder) as url:
        load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))])
        yield folder, url


@pytest.fixture
def network(server: Server) -> Iterator[Network]:
    made = Network(int(make_url(server[1]).port or 0))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No caches of other tests; looks that give up soon."""
    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setattr(store, "WATCH_SECONDS", 1)
    monkeypatch.setattr(dialects, "CONNECT_SECONDS", 2)  # the least that the driver allows
    monkeypatch.setattr(dialects, "_DEADLINE_MARGIN_SECONDS", 0.5)
    monkeypatch.setattr(data, "RETRY_SECONDS", 0.0)
    yield
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    def _open(url: str, period: str = "all") -> AppTest:
        monkeypatch.setenv("FRONTDOOR_STORE", url)
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        app.query_params["period"] = period
        return app.run()

    return _open


def through(network: Network, url: str) -> str:
    return make_url(url).set(port=network.port).render_as_string(hide_password=False)


def figures(app: AppTest) -> list[tuple[str, str]]:
    assert not app.exception
    return [(metric.label, metric.value) for metric in app.metric]


def warnings(app: AppTest) -> str:
    return (
        " ".join(f"{element.proto.title} {element.value}" for element in app.warning)
        .replace("\\", "")
        .replace("\u00a0", " ")
    )


@pytest.mark.postgresql
def test_a_server_restarted_between_two_clicks_is_not_noticed(opened, server) -> None:
    folder, url = server
    app = opened(url)
    before = figures(app)
    stop(folder)
    start(folder, int(make_url(url).port or 0))
    app.multiselect(key="f_channel").select("email").run()  # asked anew: nothing of it was kept
    assert warnings(app) == ""
    assert not app.error
    assert figures(app) != before


@pytest.mark.postgresql
def test_while_the_server_is_down_the_page_keeps_what_it_has_and_says_since_when(opened, server) -> None:
    folder, url = server
    app = opened(url)
    before = figures(app)
    stop(folder)
    try:
        app.run()
        assert figures(app) == before
        assert "does not answer" in warnings(app)
        assert "Shown is what it last said, at" in warnings(app)
        visitor = opened(url)  # who comes now gets what others have asked
        assert figures(visitor) == before
        app.multiselect(key="f_channel").select("email").run()  # nobody has asked this yet
        assert "This was not asked before" in " ".join(element.value for element in app.error)
        assert not app.exception
    finally:
        start(folder, int(make_url(url).port or 0))
    app.run()
    assert warnings(app) == ""
    assert not app.error
    assert figures(app)


@pytest.mark.postgresql
def test_who_comes_first_while_the_server_is_down_is_told_so(opened, server, network) -> None:
    network.refuse()
    app = opened(through(network, server[1]))
    assert "cannot be opened" in " ".join(element.proto.title for element in app.error)
    assert "refused" in " ".join(element.value for element in app.error)
    assert not app.exception
    network.mend()
    assert figures(app.run())


@pytest.mark.postgresql
@pytest.mark.parametrize("cut", [Network.refuse, Network.silence])
def test_a_network_that_is_cut_hangs_nobody_and_comes_back(opened, server, network, cut) -> None:
    app = opened(through(network, server[1]))
    before = figures(app)
    cut(network)
    started = time.monotonic()
    app.run()
    assert time.monotonic() - started < 30  # never minutes, as TCP alone would take
    assert figures(app) == before
    assert "does not answer" in warnings(app)
    network.mend()
    app.run()
    assert warnings(app) == ""
    assert figures(app) == before


@pytest.mark.postgresql
def test_a_statement_that_takes_too_long_is_stopped_and_the_page_says_what_to_do(
    opened, server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STATEMENT_SECONDS", 1)
    monkeypatch.setattr(data.overview_query, "changes", lambda engine, _: _slept(engine))
    app = opened(server[1], period="7d")
    assert not app.exception
    said = " ".join(element.value for element in app.error).replace("\\", "").replace("\u00a0", " ")
    assert "stopped this question after" in said
    assert "choose a shorter period or more filters" in said
    assert figures(app)  # what had been answered before stays
    assert warnings(app) == ""  # the server answers; only this took too long


def _slept(engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))


@pytest.mark.postgresql
def test_a_look_at_a_server_is_one_statement_on_a_connection_that_is_kept(server) -> None:
    watcher = store.open_watcher(server[1])
    connections: list[object] = []
    statements: list[str] = []
    event.listen(watcher, "connect", lambda connection, _: connections.append(connection))
    event.listen(watcher, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for _ in range(3):
        assert store.current_version(server[1], watcher) == 1
    watcher.dispose()
    assert len(connections) == 1
    assert len(statements) == 3


def test_a_generation_deleted_by_hand_leaves_the_open_page_as_it_was_and_is_said(
    opened, tiny_store_url, tmp_path
) -> None:
    shutil.copytree(store_folder(tiny_store_url), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    app = opened(url)
    before = figures(app)
    generation = current_generation(tmp_path / "store")
    kept = generation.rename(tmp_path / "elsewhere")
    app.run()
    assert figures(app) == before
    assert "is not there; restore it from a backup" in warnings(app)
    kept.rename(generation)
    app.run()
    assert warnings(app) == ""
    assert figures(app) == before


def test_a_store_copied_to_another_machine_opens_there_with_the_same_figures(opened, tiny_store_url, tmp_path) -> None:
    here = figures(opened(tiny_store_url))
    shutil.copytree(store_folder(tiny_store_url), tmp_path / "copied")
    there = opened(f"duckdb:///{tmp_path / 'copied'}")
    assert figures(there) == here
    assert warnings(there) == ""


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 1000])
def test_a_store_that_cannot_be_read_is_said_in_words(opened, tiny_store_url, tmp_path, content: bytes) -> None:
    shutil.copytree(store_folder(tiny_store_url), tmp_path / "broken")
    current_generation(tmp_path / "broken").write_bytes(content)
    app = opened(f"duckdb:///{tmp_path / 'broken'}")
    assert not app.exception
    assert not app.metric
    assert "cannot be opened" in " ".join(element.proto.title for element in app.error)
