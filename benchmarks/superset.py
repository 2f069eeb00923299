"""The same charts in Apache Superset on the same PostgreSQL, beside ours: milliseconds a chart, and their ratio.

Superset lives in an environment of its own, since it holds other versions of our libraries:

    python3 -m venv /tmp/superset
    /tmp/superset/bin/pip install apache-superset psycopg2-binary cachetools rich "flask-caching<2.4"
    .venv/bin/python benchmarks/superset.py --venv /tmp/superset --rows 100000

starts a PostgreSQL and a Superset on loopback, fills a store, and asks Superset's REST API for the data of each
chart, past its cache, and our own queries for the same figures. Both must give the same numbers, else it stops.
Each chart is measured the first time, then again (median of rounds in which both take turns), also beside the
bare statement that Superset sent to the database: what is left when Superset's own work is taken away.

Ours is a call in this process, Superset's a request over HTTP; what either draws from the data is left out of both.
Ours also gives what Superset's charts leave out: intervals, provisional periods, the median with the unanswered
kept in. Writes where `bench.py` does. Not part of CI; `tests/test_superset_charts.py` keeps the charts equal.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from bench import ROOT, Figures, put_in, write_readme
from served import free_port
from sqlalchemy import Engine, create_engine, make_url

from data_access import derive
from data_access.filters import Filter
from data_access.queries.channel_mix import channel_mix
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.response_times import response_times
from data_access.queries.sentiment import sentiment
from data_access.store import current_settings, open_reader, open_writer, read_status, resolved

REPEATS = 9
START_SECONDS = 300
CONFIG = """
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = {metadata!r}
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache"}}
"""
_T = TypeVar("_T")


# --- the charts ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chart:
    """One chart of both products: what a person types into Superset, and the query of our page.

    Dimensions and metrics bear the names of our columns; `period` is the week of `opened_at`, and `{as_of}` stands
    for the moment up to which the data is complete, which Superset must be told by hand.
    """

    title: str
    table: str
    by: tuple[str, ...]
    where: str
    metrics: Mapping[str, str]
    ours: Callable[[Engine, Filter], pd.DataFrame]

    def metrics_as_of(self, as_of: dt.datetime) -> dict[str, str]:
        """SQL of each metric by its name."""
        moment = f"TIMESTAMP '{as_of.isoformat(sep=' ')}'"
        return {name: expression.format(as_of=moment) for name, expression in self.metrics.items()}

    def query(self, as_of: dt.datetime) -> dict[str, Any]:
        """The chart in the words of Superset's REST API."""
        week = {"label": "period", "sqlExpression": "opened_at", "expressionType": "SQL", "isColumnReference": True}
        axis = {**week, "columnType": "BASE_AXIS", "timeGrain": "P1W"}
        return {
            "columns": [axis if name == "period" else name for name in self.by],
            "metrics": [
                {"expressionType": "SQL", "label": name, "sqlExpression": expression}
                for name, expression in self.metrics_as_of(as_of).items()
            ],
            "filters": [],
            "extras": {"where": f"({self.where})"},
            "orderby": [],
            "row_limit": 10_000,
        }

    def check(self, theirs: pd.DataFrame, ours: pd.DataFrame) -> None:
        """Raise SystemExit where the two differ in a group or a number: then different things were measured."""
        columns = [*self.by, *self.metrics]
        one, other = (frame[columns].sort_values(list(self.by), ignore_index=True) for frame in (theirs, ours))
        if other.empty:
            raise SystemExit(f"{self.title}: there is nothing to compare")
        try:
            pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-9, atol=1e-12)
        except AssertionError as problem:
            raise SystemExit(f"{self.title}: Superset (left) and Frontdoor (right) differ\n{problem}") from None


_WITH_US = "kind IN ('customer_opened', 'fragment')"
_ANSWERED = "first_response_at IS NOT NULL OR has_reported_answer"
_DUE = "complaint_ignored_due_at <= {as_of}"
_ELSEWHERE = "coalesce(complaint_elsewhere_at <= complaint_ignored_due_at, FALSE)"
_IGNORED_IN_TIME = (
    f"{_DUE} AND NOT coalesce(response_at <= complaint_ignored_due_at, FALSE)"
    f" AND NOT coalesce(has_reported_answer, FALSE) AND NOT {_ELSEWHERE}"
)
CHARTS = (
    Chart(
        "conversations by week and channel",
        "conversations",
        ("period", "channel"),
        f"{_WITH_US} AND first_inbound_at IS NOT NULL",
        {"scored_count": "count(sentiment_label)", "not_scored_count": "count(*) - count(sentiment_label)"},
        lambda engine, wanted: sentiment(engine, wanted, ("period", "channel")),
    ),
    Chart(
        "answered share and response time by channel",
        "conversations",
        ("channel",),
        "kind = 'customer_opened' AND is_response_known",
        {
            "conversation_count": "count(*)",
            "answered_count": f"count(*) FILTER (WHERE {_ANSWERED})",
            "answered_share": f"avg(CASE WHEN {_ANSWERED} THEN 1.0 ELSE 0.0 END)",
            "median_minutes_answered": "percentile_cont(0.5) WITHIN GROUP (ORDER BY first_response_seconds) / 60",
            "p90_minutes_answered": "percentile_cont(0.9) WITHIN GROUP (ORDER BY first_response_seconds) / 60",
        },
        lambda engine, wanted: response_times(engine, wanted, ("channel",)),
    ),
    Chart(
        "unanswered complaints by channel",
        "waits",
        ("channel",),
        f"{_WITH_US} AND is_response_known AND first_complaint_at IS NOT NULL",
        {
            "complaint_count": "count(*)",
            "ignored_count": f"count(*) FILTER (WHERE {_IGNORED_IN_TIME} AND response_at IS NULL)",
            "due_count": f"count(*) FILTER (WHERE {_DUE})",
            "ignored_in_time_count": f"count(*) FILTER (WHERE {_IGNORED_IN_TIME})",
            "ignored_share": f"1.0 * count(*) FILTER (WHERE {_IGNORED_IN_TIME})"
            f" / nullif(count(*) FILTER (WHERE {_DUE}), 0)",
        },
        lambda engine, wanted: ignored_complaints(engine, wanted, ("channel",)),
    ),
    Chart(
        "channel mix by age group",
        "conversations",
        ("age_group", "channel"),
        f"{_WITH_US} AND first_inbound_at IS NOT NULL",
        {"conversation_count": "count(*)", "customer_count": "count(DISTINCT customer_id)"},
        channel_mix,
    ),
    Chart(
        "negative share by week",
        "conversations",
        ("period",),
        f"{_WITH_US} AND first_inbound_at IS NOT NULL",
        {
            "scored_count": "count(sentiment_label)",
            "negative_count": "count(*) FILTER (WHERE sentiment_label = 'negative')",
            "negative_share": "1.0 * count(*) FILTER (WHERE sentiment_label = 'negative')"
            " / nullif(count(sentiment_label), 0)",
        },
        lambda engine, wanted: sentiment(engine, wanted, ("period",)),
    ),
)


def make_store(url: str, rows: int) -> None:
    """The store of `bench.py`."""
    with open_writer(url) as connection:
        put_in(connection, rows)
        derive.rebuild(connection, current_settings(url, connection))
        derive.refresh_source_status(connection, "bench", None, dt.datetime.max)


# --- Superset --------------------------------------------------------------------------------------------


class Superset:
    """A Superset on loopback, spoken to through its REST API."""

    def __init__(self, address: str, password: str) -> None:
        self._address, self._token = address, ""
        given = {"username": "bench", "password": password, "provider": "db"}
        self._token = self._ask("/api/v1/security/login", given)["access_token"]

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to a POST, or a GET without a body; SystemExit with Superset's own words where it refuses."""
        request = urllib.request.Request(
            self._address + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise SystemExit(f"Superset refused {path}: {problem.read().decode()[:2000]}") from problem

    def add_tables(self, tables: set[str]) -> dict[str, int]:
        """Make tables of the only database known as datasets; their numbers by name."""
        (database,) = self._ask("/api/v1/database/")["result"]
        given = {"database": database["id"], "schema": "public"}
        return {table: self._ask("/api/v1/dataset/", {**given, "table_name": table})["id"] for table in tables}

    def chart_data(self, table: int, query: dict[str, Any]) -> dict[str, Any]:
        """What a chart gets, computed afresh: `data`, one object a row, and `query`, the statement."""
        body = {"datasource": {"id": table, "type": "table"}, "force": True, "queries": [query]}
        (found,) = self._ask("/api/v1/chart/data", {**body, "result_type": "full", "result_format": "json"})["result"]
        if found["is_cached"]:
            raise SystemExit("Superset answered from its cache")
        return dict(found)


def as_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of a chart; Superset gives times as milliseconds since 1970."""
    frame = pd.DataFrame(rows)
    if "period" in frame:
        frame["period"] = pd.to_datetime(frame["period"], unit="ms").astype("datetime64[us]")
    return frame


@contextlib.contextmanager
def running_superset(venv: Path, folder: Path, url: str) -> Iterator[Superset]:
    """Start the Superset of an environment; it knows the store's database only, and keeps its own beside that."""
    store = make_url(url).set(drivername="postgresql+psycopg2")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE superset")
    server.dispose()
    metadata = store.set(database="superset").render_as_string(hide_password=False)
    (folder / "superset_config.py").write_text(CONFIG.format(secret=secrets.token_hex(32), metadata=metadata))
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "SUPERSET_HOME": str(folder),
        "FLASK_APP": "superset.app:create_app()",
    }
    password = secrets.token_hex(16)
    person = ["--username", "bench", "--firstname", "b", "--lastname", "b", "--email", "b@x.example"]
    for step in (
        ["db", "upgrade"],
        ["fab", "create-admin", *person, "--password", password],
        ["init"],
        ["set-database-uri", "--database_name", "store", "--uri", store.render_as_string(hide_password=False)],
    ):
        command = [str(venv / "bin" / "superset"), *step]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"superset {step[0]} failed: {done.stderr[-2000:]}")
    address = f"127.0.0.1:{free_port()}"
    command = [str(venv / "bin" / "gunicorn"), "--bind", address, "--threads", "2", "--timeout", "600"]
    with (folder / "superset.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "superset.app:create_app()"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(process, f"http://{address}/health")
            yield Superset(f"http://{address}", password)
        except SystemExit:
            print((folder / "superset.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for(process: subprocess.Popen[bytes], address: str) -> None:
    """Until a server answers; SystemExit where it ends or takes too long."""
    for _ in range(START_SECONDS):
        if process.poll() is not None:
            raise SystemExit("Superset ended while it started")
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(1)
    raise SystemExit(f"Superset did not answer within {START_SECONDS} s")


def version_of(venv: Path) -> str:
    """Version of the Superset that an environment holds."""
    asked = "from importlib.metadata import version; print(version('apache-superset'))"
    command = [str(venv / "bin" / "python"), "-c", asked]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# --- measuring -------------------------------------------------------------------------------------------


def _timed(run: Callable[..., _T], *given: Any) -> tuple[_T, float]:
    """What it gives, and the milliseconds it took."""
    start = time.perf_counter()
    found = run(*given)
    return found, 1000 * (time.perf_counter() - start)


def _rows_of(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(statement))


def measure(
    figures: Figures, engine: Engine, wanted: Filter, ask: Callable[[Chart], dict[str, Any]], version: str
) -> None:
    """Every chart on both, the first time (ours before Superset's) and again; stops where they differ."""
    chart_data = f"Apache Superset {version}, chart data"
    for chart in CHARTS:
        frame, ours_first = _timed(chart.ours, engine, wanted)
        answer, theirs_first = _timed(ask, chart)
        chart.check(as_frame(answer["data"]), frame)
        rounds = [
            (
                _timed(chart.ours, engine, wanted)[1],
                _timed(ask, chart)[1],
                _timed(_rows_of, engine, answer["query"])[1],
            )
            for _ in range(REPEATS)
        ]
        ours, theirs, statement = (statistics.median(times) for times in zip(*rounds, strict=True))
        for name, value, reference, reference_value in (
            ("first time", ours_first, chart_data, theirs_first),
            ("again", ours, chart_data, theirs),
            ("again, beside the database alone", ours, "the statement of Superset's chart", statement),
        ):
            title = f"{chart.title}, {name}"
            figures.add("superset", title, value, "ms", reference=reference, reference_value=reference_value)


def main() -> int:
    """Measure every chart on both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=Path("/tmp/superset"), help="environment that holds Superset")
    parser.add_argument("--rows", type=int, default=100_000)
    wanted = parser.parse_args()
    venv = wanted.venv.absolute()
    if not (venv / "bin" / "superset").exists():
        parser.error(f"{venv} holds no Superset; the head of this script says how to install it")
    sys.path.insert(0, str(ROOT / "tests"))
    from postgresql_server import running_server  # noqa: PLC0415  # wants pytest

    figures = Figures(wanted.rows)
    with (
        tempfile.TemporaryDirectory(prefix="frontdoor-superset-") as folder,
        tempfile.TemporaryDirectory(prefix="frontdoor-postgresql-") as data,
        running_server(Path(data)) as url,
    ):
        make_store(url, wanted.rows)
        engine = open_reader(url)
        everything = resolved(Filter(), read_status(engine, url))
        with running_superset(venv, Path(folder), url) as superset:
            tables = superset.add_tables({chart.table for chart in CHARTS})

            def ask(chart: Chart) -> dict[str, Any]:
                return superset.chart_data(tables[chart.table], chart.query(everything.now))

            measure(figures, engine, everything, ask, version_of(venv))
        engine.dispose()
    write_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
