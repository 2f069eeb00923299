"""Stores that the tests share. `tiny` is small enough to count on paper: see `TINY_MESSAGES`."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
import streamlit as st
from hypothesis import settings as hypothesis_settings
from postgresql_server import running_server
from sqlalchemy import Engine, create_engine, event, make_url, text

from data_access.cli import main
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, open_writer, read_status, resolved
from pages.components import drawing

# The same examples on every run: a test that fails now and then stops nobody from releasing. For a hunt:
# HYPOTHESIS_PROFILE=default .venv/bin/python -m pytest tests/test_bad_input.py
hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

TIMES = int(os.environ.get("FRONTDOOR_FUZZ", "1"))
"""How many times as many examples the tests on random loads take: they load whole stores, so few by default."""

_numbers = itertools.count(1)
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

if "PYTEST_XDIST_WORKER" in os.environ:

    @event.listens_for(Engine, "connect")
    def _one_thread(connection: Any, _record: object) -> None:
        """One process of tests a core: more threads of each engine would only stand in each other's way."""
        if type(connection).__module__.startswith("duckdb_sqlalchemy"):
            connection.execute("SET threads = 1")


TINY_MAPPING = {
    "source": "tiny",
    "columns": {
        name: name
        for name in (
            "id conversation customer channel direction author_kind agent team brand occurred_at text "
            "sentiment_label is_complaint needs_reply topic is_internal outreach"
        ).split()
    },
}
# Monday 5 January 2026 to Friday 9 January 2026, UTC. The newest event (complete to) is 9 January 12:00.
# c1 email, complaint answered after 1 h (target 8 h); c2 email, complaint answered after 10 h (late);
# c3 email, complaint never answered since 5 January (ignored); c4 twitter, complaint, answered by phone after 2 h
# (elsewhere); c5 twitter, complaint 1 h old at the end (waiting); c6 chat, answered after 60 s, then a complaint
# answered after 300 s (late); c7 chat, only a bot answered; c8 outreach; c9 phone of the customer of c4;
# c10 email, praise that needs no reply, never answered.
TINY_MESSAGES = """\
id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,is_complaint,needs_reply,topic,is_internal,outreach
1,c1,anna,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,My order never came,negative,true,true,delivery,,
2,c1,anna,email,outbound,agent,Bo,Mail,Acme,2026-01-05T10:00:00Z,Sorry. It is on its way,neutral,,,,,
3,c2,ben,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,The bill is wrong,negative,true,true,billing,,
4,c2,ben,email,outbound,agent,Bo,Mail,Acme,2026-01-05T19:00:00Z,We will look at it,neutral,,,,,
5,c3,cleo,email,inbound,customer,,Mail,Acme,2026-01-05T12:00:00Z,Nobody helps me,negative,true,true,billing,,
6,c3,cleo,email,outbound,agent,Bo,Mail,Acme,2026-01-05T12:30:00Z,internal: who takes this?,neutral,,,,true,
7,c4,dora,twitter,inbound,customer,,Social,Acme,2026-01-06T09:00:00Z,Still no internet!,negative,true,true,outage,,
8,c9,dora,phone,inbound,customer,,Phone,Acme,2026-01-06T10:50:00Z,Calling about the internet,neutral,false,true,outage,,
9,c9,dora,phone,outbound,agent,Cy,Phone,Acme,2026-01-06T11:00:00Z,It is repaired,positive,,,,,
10,c5,emil,twitter,inbound,customer,,Social,Acme,2026-01-09T11:00:00Z,Worst service,negative,true,true,billing,,
11,c6,fay,chat,inbound,customer,,Chat,Acme,2026-01-07T10:00:00Z,How do I pay?,neutral,false,true,billing,,
12,c6,fay,chat,outbound,agent,Di,Chat,Acme,2026-01-07T10:01:00Z,On the web page,neutral,,,,,
13,c6,fay,chat,inbound,customer,,Chat,Acme,2026-01-07T10:05:00Z,That page is broken,negative,true,true,billing,,
14,c6,fay,chat,outbound,agent,Di,Chat,Acme,2026-01-07T10:10:00Z,Sorry. Try again,neutral,,,,,
15,c7,gus,chat,inbound,customer,,Chat,Acme,2026-01-08T10:00:00Z,Where is my parcel?,neutral,false,true,delivery,,
16,c7,gus,chat,outbound,bot,,Chat,Acme,2026-01-08T10:00:00Z,We got your message,,,,,,
17,c8,hal,email,outbound,agent,Bo,Mail,Acme,2026-01-08T11:00:00Z,Your contract ends,neutral,,,,,true
18,c10,ida,email,inbound,customer,,Mail,Acme,2026-01-08T12:00:00Z,Thank you so much,positive,false,false,,,
19,c9,dora,phone,inbound,customer,,Phone,Acme,2026-01-09T12:00:00Z,Thanks,positive,false,false,,,
"""
TINY_CUSTOMERS = """\
customer_id,birth_date,birth_year,age_group,identities
A,2004-01-06,,,id:tiny=anna
B,,1950,,id:tiny=ben
C,,,35-44,id:tiny=cleo
D,2008-01-07,,,id:tiny=dora
"""


@pytest.fixture(scope="session")
def tiny_store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hand-made store; read it only."""
    folder = tmp_path_factory.mktemp("tiny")
    messages, customers = folder / "messages.csv", folder / "customers.csv"
    messages.write_text(TINY_MESSAGES, encoding="utf-8")
    customers.write_text(TINY_CUSTOMERS, encoding="utf-8")
    url = f"duckdb:///{folder / 'store'}"
    load(
        url,
        [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny")), LoadOrder(customers, "customers")],
    )
    return url


@pytest.fixture(scope="session")
def empty_store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which nothing was loaded."""
    url = f"duckdb:///{tmp_path_factory.mktemp('empty') / 'store'}"
    with open_writer(url):
        pass
    return url


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The database of a PostgreSQL that is started for the tests.

    Its folder is none of pytest's: another run of pytest would close them all to the user of the server.
    """
    with tempfile.TemporaryDirectory(prefix="frontdoor-postgresql-") as folder, running_server(Path(folder)) as url:
        yield url


@pytest.fixture
def new_database(postgresql_url: str) -> Iterator[Callable[[], str]]:
    """Make empty databases on that server, dropped after the test."""
    made: list[str] = []
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")

    def _make() -> str:
        name = f"frontdoor_{os.getpid()}_{next(_numbers)}"
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        made.append(name)
        return make_url(postgresql_url).set(database=name).render_as_string(hide_password=False)

    yield _make
    with server.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=["duckdb", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def new_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL at which a store can be made, once for each engine."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path / 'new-store'}"
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture(scope="session")
def demo_store_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo company at a quarter of its size."""
    url = f"duckdb:///{tmp_path_factory.mktemp('demo') / 'store'}"
    assert main(["demo", "--store", url, "--scale", "0.25"]) == 0
    return url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the repository; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.exists():
        pytest.skip("../shared/data is absent: real data is not part of the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def twcs_store_url(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first 5,000 tweets of Customer Support on Twitter."""
    url = f"duckdb:///{tmp_path_factory.mktemp('twcs') / 'store'}"
    load(url, [LoadOrder(shared_data / "twcs" / "twcs_first5000.csv", "twcs")])
    return url


@pytest.fixture(scope="module")
def no_earlier_answers() -> None:
    """Pages ask anew what pages of other files of tests have asked."""
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is limited, and the settings are those of the store, whatever the environment says."""
    for name in ("FRONTDOOR_TEAMS", "FRONTDOOR_BRANDS", "FRONTDOOR_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _the_main_module_is_kept() -> Iterator[None]:
    """An `AppTest` leaves its page as `__main__`, which worker processes of a later test would run as theirs."""
    kept = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = kept


@pytest.fixture(scope="session", autouse=True)
def _every_chart_is_checked_by_plotly() -> Iterator[None]:
    """Charts are made unchecked, for speed; in the tests plotly looks at all of each and raises where it is wrong."""
    unchecked = drawing.Drawing.figure

    def _checked(made: drawing.Drawing) -> drawing.Chart:
        go.Figure({"data": made.data, "layout": made.layout})
        return unchecked(made)

    drawing.Drawing.figure = _checked  # type: ignore[method-assign]
    yield
    drawing.Drawing.figure = unchecked  # type: ignore[method-assign]


Opened = tuple[Engine, Filter]


@pytest.fixture
def opened() -> Callable[..., Opened]:
    """Open a store: its engine and a resolved filter."""

    def _open(url: str, **fields: object) -> Opened:
        engine = open_reader(url)
        return engine, resolved(Filter(**fields), read_status(engine, url))  # type: ignore[arg-type]

    return _open
