"""The same charts in Apache Superset on the same PostgreSQL, beside ours: milliseconds a chart, and their ratio.

Superset lives in an environment of its own, since it holds other versions of our libraries:

    python3 -m venv /tmp/superset
    /tmp/superset/bin/pip install apache-superset psycopg2-binary rich "flask-caching<2.4"
    .venv/bin/python benchmarks/superset.py /tmp/superset --rows 1000000

starts a PostgreSQL and a Superset on loopback, fills the store, and asks Superset's REST API for the data of
each chart, without its cache. Superset's charts leave out what a general tool has no word for (intervals, the
never answered inside a median), so ours do more work. Writes where `bench.py` does. Not part of CI.
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import ROOT, Figures, make_store, write_readme
from served import free_port
from sqlalchemy import Engine

from data_access.filters import Filter
from data_access.queries.channel_mix import channel_mix
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.queries.response_times import response_times
from data_access.queries.sentiment import sentiment
from data_access.store import open_reader, read_status, resolved

sys.path.insert(0, str(ROOT / "tests"))
from postgresql_server import running_server

REPEATS = 5
CONFIG = """
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
FAB_API_SWAGGER_UI = False
CACHE_CONFIG = DATA_CACHE_CONFIG = {{"CACHE_TYPE": "NullCache"}}
FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache"}}
"""


def _metric(label: str, expression: str) -> dict[str, str]:
    return {"expressionType": "SQL", "label": label, "sqlExpression": expression}


_DUE = "kind = 'customer_opened' AND complaint_ignored_due_at <= (SELECT max(complete_to) FROM source_status)"
_IN_TIME = "least(response_at, complaint_elsewhere_at) <= complaint_ignored_due_at"


def _by_week(column: str) -> dict[str, Any]:
    """A chart's x axis in weeks, as Superset asks for it."""
    week = {"label": "week", "sqlExpression": column, "expressionType": "SQL", "columnType": "BASE_AXIS"}
    return {"columns": [{**week, "timeGrain": "P1W"}]}


# Of each chart: its table, what Superset asks, and the frame that our page asks.
CHARTS: dict[str, tuple[str, dict[str, Any], Callable[[Engine, Filter], Any]]] = {
    "contacts by channel and age group": (
        "conversations",
        {"columns": ["channel", "age_group"], "metrics": [_metric("contacts", "count(*)")]},
        lambda engine, wanted: channel_mix(engine, wanted, ("channel", "age_group")),
    ),
    "ignored share by week": (
        "waits",
        {
            **_by_week("first_complaint_at"),
            "metrics": [
                _metric(
                    "ignored_share",
                    f"1.0 - count(*) FILTER (WHERE {_DUE} AND {_IN_TIME})::float"
                    f" / nullif(count(*) FILTER (WHERE {_DUE}), 0)",
                )
            ],
        },
        lambda engine, wanted: ignored_complaints(engine, wanted.replace(grain="week"), ("period",)),
    ),
    "response time by channel": (
        "conversations",
        {
            "columns": ["channel"],
            "metrics": [
                _metric("median", "percentile_cont(0.5) WITHIN GROUP (ORDER BY first_response_seconds)"),
                _metric("p90", "percentile_cont(0.9) WITHIN GROUP (ORDER BY first_response_seconds)"),
                _metric("contacts", "count(*)"),
            ],
        },
        lambda engine, wanted: response_times(engine, wanted, ("channel",)),
    ),
    "negative share by week": (
        "conversations",
        {
            **_by_week("opened_at"),
            "metrics": [
                _metric(
                    "negative_share",
                    "count(*) FILTER (WHERE sentiment_label = 'negative')::float / nullif(count(sentiment_label), 0)",
                )
            ],
        },
        lambda engine, wanted: sentiment(engine, wanted.replace(grain="week"), ("period",)),
    ),
}


class Superset:
    """A Superset on loopback, spoken to through its REST API."""

    def __init__(self, address: str, password: str) -> None:
        self.address, self._token = address, ""
        given = {"username": "bench", "password": password, "provider": "db"}
        self._token = self.ask("/api/v1/security/login", given)["access_token"]

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a POST; raises SystemExit with Superset's own words where it refuses."""
        request = urllib.request.Request(
            self.address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            raise SystemExit(f"Superset refused {path}: {problem.read().decode()[:500]}") from problem

    def add_tables(self) -> dict[str, int]:
        """Make the two tables known that the charts read; their numbers by name."""
        return {
            table: self.ask("/api/v1/dataset/", {"database": 1, "schema": "public", "table_name": table})["id"]
            for table in ("conversations", "waits")
        }

    def chart_data(self, table: int, query: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of a chart, computed afresh."""
        asked = {"row_limit": 10_000, "filters": [], "orderby": [], **query}
        body = {"datasource": {"id": table, "type": "table"}, "force": True, "queries": [asked]}
        (found,) = self.ask("/api/v1/chart/data", {**body, "result_type": "full", "result_format": "json"})["result"]
        return list(found["data"])


@contextlib.contextmanager
def running_superset(environment: Path, folder: Path, url: str) -> Iterator[Superset]:
    """Start the Superset of an environment with a database of its own, in which only the store's is known."""
    password = secrets.token_hex(16)
    (folder / "superset_config.py").write_text(CONFIG.format(secret=secrets.token_hex(32), folder=folder))
    variables = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "FLASK_APP": "superset.app:create_app()",
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
    }
    port = free_port()
    program = str(environment / "bin" / "superset")
    user = ["--username", "bench", "--firstname", "b", "--lastname", "b", "--email", "b@x.example"]
    store = ["--database_name", "frontdoor", "--uri", url.replace("+psycopg://", "+psycopg2://")]
    for step in (
        ["db", "upgrade"],
        ["fab", "create-admin", *user, "--password", password],
        ["init"],
        ["set-database-uri", *store],
    ):
        done = subprocess.run([program, *step], env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"superset {step[0]} failed: {done.stderr[-1000:]}")
    with (folder / "superset.log").open("w") as log:
        command = [program, "run", "--port", str(port), "--with-threads"]
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).read()
                    break
                time.sleep(1)
            yield Superset(f"http://127.0.0.1:{port}", password)
        except SystemExit:
            print((folder / "superset.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(timeout=60)


def _median_ms(run: Callable[[], Any]) -> float:
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> int:
    """Measure every chart on both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", type=Path, help="folder of the virtual environment that holds Superset")
    parser.add_argument("--rows", type=int, default=1_000_000)
    wanted = parser.parse_args()
    figures = Figures(wanted.rows)
    with (
        tempfile.TemporaryDirectory(prefix="frontdoor-superset-") as name,
        tempfile.TemporaryDirectory(prefix="frontdoor-postgresql-") as data,
        running_server(Path(data)) as url,
    ):
        make_store(figures, wanted.rows, url)
        engine = open_reader(url)
        everything = resolved(Filter(), read_status(engine, url))
        with running_superset(wanted.environment.resolve(), Path(name), url) as superset:
            tables = superset.add_tables()
            for title, (table, query, ours) in CHARTS.items():
                if not superset.chart_data(tables[table], query):
                    raise SystemExit(f"Superset gave no rows for {title}")
                theirs = _median_ms(lambda table=table, query=query: superset.chart_data(tables[table], query))
                mine = _median_ms(lambda ours=ours: ours(engine, everything))
                figures.add("superset", title, mine, "ms", reference="Apache Superset", reference_value=theirs)
        engine.dispose()
    write_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
