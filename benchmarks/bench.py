"""The project's own benchmark: every figure with a reference measured in the same run, and their ratio.

`make bench` (1 M interactions) or `python benchmarks/bench.py --rows 10000000 --parts store,pages`. Parts:

- load: a CSV through the loader, with texts to read and without (so without scoring), up to the stored rows and to
  the published store, against DuckDB's own COPY of the same file
- store: interactions put in directly, then derived, against one DuckDB copy of the interactions table
- pages: the queries of every page, caches empty, first and second time, for all time, for the 90 days that a page
  shows first, and with 3 and 6 filters, against one DuckDB scan of the columns that these queries name, and the
  overview against pandas on the same rows in memory
- postgresql: the same pages on a PostgreSQL that this script starts itself, on a tenth of the rows
- sessions: reruns of every page over websockets, data in the cache, their processor time against Streamlit showing
  as many plain texts, the overview with 1, 5, 20 and 50 sessions that rerun again and again or click once at the same
  moment, and the server's memory
- browser: from a filter change to the last chart drawn in headless Chromium, per page, against its queries alone
- export: all conversations as CSV from a running dashboard, with its memory, against DuckDB's COPY to CSV

Writes `benchmarks/results/latest.json` and the table in `benchmarks/README.md`. Nothing here runs in CI.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Boolean, Connection, Engine, case, event, func, insert, literal, select

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
import served  # noqa: E402
from generate import batches, write  # noqa: E402

from data_access import derive, dialects  # noqa: E402
from data_access.filters import Filter  # noqa: E402
from data_access.identities import opaque_ids  # noqa: E402
from data_access.loader import LoadOrder, load  # noqa: E402
from data_access.schema import conversations, customer_identities, customers, interactions, waits  # noqa: E402
from data_access.sources.mapping import read_mapping  # noqa: E402
from data_access.store import current_settings, open_reader, open_writer, read_status, resolved  # noqa: E402

PARTS = ("load", "store", "pages", "postgresql", "sessions", "browser", "export")
RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
README = ROOT / "benchmarks" / "README.md"
MORE_MEMORY_MB = 4_000  # of the embedded engine, to see what its usual limit costs
FILTERS: dict[str, dict[str, str]] = {
    "0 filters": {"period": "all"},
    "90 days": {},  # what a page shows before anybody chooses a period
    "3 filters": {"period": "all", "channel": "email", "brand": "North", "visibility": "private"},
    "6 filters": {
        "from": "2025-03-01",
        "to": "2025-10-31",
        "channel": "email",
        "brand": "North",
        "topic": "billing",
        "sentiment": "negative",
    },
}
_COLUMN = re.compile(r"\b(waits|conversations|interactions|customers)(?:_\d+)?\.\"?(\w+)\"?")


class Figures:
    """What was measured, one entry a figure; saved after each, so that a stopped run keeps what it had.

    Figures of another size, or of parts that were not measured again, stay in the file.
    """

    def __init__(self, rows: int) -> None:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        self.about = {
            "commit": commit.stdout.strip(),
            "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "machine": f"{os.cpu_count()} cores, {_total_memory_mb():,} MB, {platform.system()} {platform.machine()}",
            "load_average": os.getloadavg()[0],
            "python": platform.python_version(),
            "duckdb": duckdb.__version__,
            "rows": rows,
        }
        self.parts: dict[str, list[dict[str, Any]]] = {}

    def add(self, part: str, name: str, value: float, unit: str, **reference: Any) -> None:
        """One figure; `reference` and `reference_value` in the same unit give the ratio value / reference."""
        entry = {"name": name, "value": round(value, 4), "unit": unit, **reference}
        if reference.get("reference_value"):
            entry["reference_value"] = round(reference["reference_value"], 4)
            entry["ratio"] = round(value / reference["reference_value"], 3)
        self.parts.setdefault(part, []).append(entry)
        print(json.dumps({"part": part, **entry}), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        found[f"{part}, {self.about['rows']:,} interactions"] = {"about": self.about, "figures": self.parts[part]}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _total_memory_mb() -> int:
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6)


@contextmanager
def _timed() -> Iterator[list[float]]:
    found = [0.0]
    start = time.perf_counter()
    yield found
    found[0] = time.perf_counter() - start


def _in_a_process(run: Callable[..., None], *given: Any) -> tuple[float, float]:
    """Seconds and peak memory in MB of a function in a process of its own."""
    child = os.fork()
    start = time.perf_counter()
    if child == 0:
        try:
            run(*given)
        except BaseException as problem:
            print(problem, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("a measured step failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


# --- load -----------------------------------------------------------------------------------------------


def measure_load(figures: Figures, rows: int, folder: Path) -> None:
    """Rows per second of a CSV through the loader, its peak memory and the size of the store."""
    for name, with_text in (("without texts", False), ("with texts to read", True)):
        file = folder / f"{'with' if with_text else 'without'}.csv"
        write(file, rows, with_text=with_text, with_scores=not with_text)
        url = f"duckdb:///{folder / file.stem}"
        shutil.rmtree(folder / file.stem, ignore_errors=True)  # into an older store nothing would be stored
        moments = folder / "moments.json"
        moments.unlink(missing_ok=True)
        seconds, memory = _in_a_process(_load, url, file, moments)
        until = json.loads(moments.read_text(encoding="utf-8"))
        with _timed() as copied:
            duckdb.sql(f"CREATE OR REPLACE TABLE copied AS FROM read_csv('{file}', all_varchar = true)")
        duckdb.sql("DROP TABLE copied")
        figures.add(
            "load",
            f"CSV {name}, derived and published",
            rows / seconds,
            "rows/s",
            reference="DuckDB COPY of the file",
            reference_value=rows / copied[0],
        )
        figures.add(
            "load",
            f"CSV {name}, up to the stored rows",
            rows / until["seconds"],
            "rows/s",
            reference="DuckDB COPY of the file",
            reference_value=rows / copied[0],
        )
        figures.add(
            "load", f"CSV {name}, processor time up to the stored rows", 1e6 * until["cpu_seconds"] / rows, "µs/row"
        )
        figures.add("load", f"CSV {name}, peak memory up to the stored rows", until["peak_mb"], "MB")
        figures.add("load", f"CSV {name}, peak memory", memory, "MB")
        size = sum(path.stat().st_size for path in (folder / file.stem).glob("*.duckdb")) / 1e6
        figures.add(
            "load",
            f"CSV {name}, size of the store",
            size,
            "MB",
            reference="the CSV file",
            reference_value=file.stat().st_size / 1e6,
        )


def _load(url: str, file: Path, moments: Path) -> None:
    """Load, and note what it took until the rows were stored: what comes then is derive, and publishing."""
    start, cpu_start = time.perf_counter(), time.process_time()

    def progress(stage: str, _rows: int, _expected: int | None = None, /) -> None:
        if stage == "deriving" and not moments.exists():
            found = {
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - cpu_start,
                "peak_mb": _own_peak_mb(),
            }
            moments.write_text(json.dumps(found), encoding="utf-8")

    load(url, [LoadOrder(file, "csv", read_mapping(file.with_suffix(".toml")))], progress=progress)


# --- store and derive ------------------------------------------------------------------------------------


def make_store(figures: Figures, rows: int, url: str, part: str = "store") -> None:
    """Put interactions in directly, derive them, publish: a store of any size in minutes."""
    with open_writer(url) as connection:
        with _timed() as put:
            put_in(connection, rows)
        derived = {"derive waits and conversations": _rebuilt(connection, url)}
        figures.add(part, "peak memory of putting in and deriving", _own_peak_mb(), "MB")
        if connection.dialect.name == "duckdb":
            os.environ[dialects.MEMORY_VARIABLE] = str(MORE_MEMORY_MB)
            derived[f"the same, engine with {MORE_MEMORY_MB:,} MB"] = _rebuilt(connection, url)
            del os.environ[dialects.MEMORY_VARIABLE]
        derive.refresh_source_status(connection, "bench", None, dt.datetime.max)
        table = "bench_copy"
        engine_name = "DuckDB" if connection.dialect.name == "duckdb" else "PostgreSQL"
        with _timed() as copied:
            connection.exec_driver_sql(f"CREATE TABLE {table} AS SELECT * FROM interactions")
        connection.exec_driver_sql(f"DROP TABLE {table}")
    figures.add(part, "made up and put in", rows / put[0], "rows/s")
    for name, seconds in derived.items():
        figures.add(
            part,
            name,
            rows / seconds,
            "rows/s",
            reference=f"{engine_name} copy of the interactions table",
            reference_value=rows / copied[0],
        )


def _rebuilt(connection: Connection, url: str) -> float:
    with _timed() as derived:
        derive.rebuild(connection, current_settings(url, connection))
    return derived[0]


def put_in(connection: Connection, rows: int) -> None:
    """Made-up interactions without texts, and their customers, two of three with an age; nothing is derived."""
    for batch in batches(rows, with_text=False):
        dialects.bulk_insert(connection, interactions, _as_interactions(batch))
    people = select(interactions.c.customer_id).distinct().subquery("people")
    person = people.c.customer_id
    # Ids are hashes, so their letters are as good as dice.
    first, second = (func.ascii(func.substr(person, place, 1)) for place in (3, 4))
    born = case((first % 3 > 0, 1940 + second % 66))
    connection.execute(insert(customers).from_select(["customer_id", "birth_year"], select(person, born)))
    names = ["customer_id", "identity_kind", "identity_value", "origin"]
    known = select(person, literal("id:bench"), person, literal("bench"))
    connection.execute(insert(customer_identities).from_select(names, known))


def _own_peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _ids(prefix: str, values: pa.ChunkedArray) -> pa.Array:
    """As the loader makes them: a letter and a hash."""
    return opaque_ids(prefix, "bench", values.combine_chunks())


def _as_interactions(batch: pa.Table) -> pa.Table:
    """A batch of the generator as rows of `interactions`, as the loader would store them."""
    is_inbound = pc.equal(batch["direction"], "inbound")
    made = {
        "interaction_id": _ids("i", batch["id"]),
        "external_id": batch["id"],
        "conversation_id": _ids("v", batch["conversation"]),
        "customer_id": _ids("c", batch["customer"]),
        "thread_id": batch["conversation"],
        "author_kind": pc.if_else(is_inbound, "customer", "agent"),
        "topics": batch["topic"],
        "content_hash": batch["id"],
    }
    usual = {"source": "bench", "load_run": 1, "is_visible": True, "is_addressed": True}
    columns = []
    schema = dialects.arrow_schema(interactions)
    for field in schema:
        given = made.get(field.name)
        if given is None and field.name in batch.column_names:
            given = batch[field.name]
        if given is None:
            is_needed = not interactions.c[field.name].nullable
            value = usual.get(field.name, False if is_needed else None)
            given = pa.array([value] * batch.num_rows, field.type)
        columns.append(given.cast(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


# --- pages -----------------------------------------------------------------------------------------------


def measure_pages(figures: Figures, url: str, part: str) -> None:
    """Query time of each page with empty caches, first and again, against a scan of the columns it names."""
    from pages.components.navigation import PAGES  # noqa: PLC0415  # wants a running Streamlit

    os.environ["FRONTDOOR_STORE"] = url
    for page in PAGES:
        for filters, params in FILTERS.items():
            cold = _page_run(page, params)
            warm = min((_page_run(page, params) for _ in range(2)), key=lambda run: run["sql"])
            scan = _scan_seconds(open_reader(url), warm["columns"])
            figures.add(
                part,
                f"{page}, {filters}, data warm",
                1000 * warm["sql"],
                "ms",
                reference="one scan of the columns it needs",
                reference_value=1000 * scan,
                statements=warm["statements"],
            )
            figures.add(part, f"{page}, {filters}, data cold", 1000 * cold["sql"], "ms")
            figures.add(part, f"{page}, {filters}, rerun without queries", 1000 * (warm["all"] - warm["sql"]), "ms")


def _page_run(page: str, params: dict[str, str]) -> dict[str, Any]:
    """Run one page in a test harness; seconds in the engine, seconds in all, statements, columns named."""
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415

    from pages.components import data  # noqa: PLC0415

    data.forget_answers()
    spent, texts = [0.0], list[str]()

    def before(connection: Any, *_: Any) -> None:
        connection.info["bench_start"] = time.perf_counter()

    def after(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        spent[0] += time.perf_counter() - connection.info["bench_start"]
        texts.append(statement)

    app = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=600)
    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        for name, value in params.items():
            app.query_params[name] = value
        if page != "overview":
            app.run()
            data.forget_answers()
            spent[0] = 0.0
            texts.clear()
            app.switch_page(f"reports/{page}.py")
            for name, value in params.items():
                app.query_params[name] = value
        with _timed() as everything:
            app.run()
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)
    if app.exception:
        raise SystemExit(f"{page}: {app.exception[0].message}")
    if not texts:
        raise SystemExit(f"{page}: asked the store nothing, so there is nothing to measure")
    columns = {found for text in texts for found in _COLUMN.findall(text)}
    return {"sql": spent[0], "all": everything[0], "statements": len(texts), "columns": columns}


def _scan_seconds(engine: Engine, columns: set[tuple[str, str]]) -> float:
    """One pass over these columns, table by table: the least that a page's data can cost."""
    known = {table.name: table.columns for table in (waits, conversations, interactions)}
    best = float("inf")
    with engine.connect() as connection:
        for _ in range(3):
            with _timed() as found:
                for table, stored in known.items():
                    wanted = [stored[name] for owner, name in sorted(columns) if owner == table and name in stored]
                    if wanted:
                        connection.execute(
                            select(*((func.bool_or if isinstance(c.type, Boolean) else func.max)(c) for c in wanted))
                        ).all()
            best = min(best, found[0])
    return best


def measure_pandas(figures: Figures, url: str) -> None:
    """The overview's main figures in pandas, rows in memory, against ours."""
    from data_access.queries.ignored_complaints import ignored_complaints  # noqa: PLC0415
    from data_access.queries.response_times import response_times  # noqa: PLC0415

    engine = open_reader(url)
    wanted = resolved(Filter(), read_status(engine, url))
    with _timed() as ours:
        response_times(engine, wanted, ("channel",))
        ignored_complaints(engine, wanted, ("channel",))
    with engine.connect() as connection:
        opened = pd.DataFrame(
            connection.execute(
                select(
                    *(
                        conversations.c[name]
                        for name in ("channel", "kind", "first_response_seconds", "target_seconds", "target_due_at")
                    )
                )
            ).all()
        )
        waited = pd.DataFrame(
            connection.execute(
                select(
                    *(
                        waits.c[name]
                        for name in (
                            "channel",
                            "kind",
                            "first_complaint_at",
                            "complaint_ignored_due_at",
                            "response_at",
                        )
                    )
                )
            ).all()
        )
    with _timed() as theirs:
        mine = opened[opened["kind"] == "customer_opened"]
        mine.groupby("channel")["first_response_seconds"].agg(["size", "count", "median"])
        due = mine[mine["target_due_at"] <= wanted.now]
        (due["first_response_seconds"] <= due["target_seconds"]).groupby(due["channel"]).mean()
        complaints = waited[waited["first_complaint_at"].notna() & (waited["complaint_ignored_due_at"] <= wanted.now)]
        late = ~(complaints["response_at"] <= complaints["complaint_ignored_due_at"])
        late.groupby(complaints["channel"]).mean()
    figures.add(
        "pages",
        "response times and ignored complaints by channel",
        1000 * ours[0],
        "ms",
        reference="pandas, all rows already in memory",
        reference_value=1000 * theirs[0],
    )


# --- postgresql ------------------------------------------------------------------------------------------


def measure_postgresql(figures: Figures, rows: int) -> None:
    """The pages on a PostgreSQL started here."""
    sys.path.insert(0, str(ROOT / "tests"))
    from postgresql_server import running_server  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="frontdoor-postgresql-") as data, running_server(Path(data)) as url:
        make_store(figures, rows, url, "postgresql")
        measure_pages(figures, url, "postgresql")


# --- export ----------------------------------------------------------------------------------------------


def measure_export(figures: Figures, url: str, folder: Path) -> None:
    """All conversations as CSV from a running dashboard, against DuckDB's COPY to CSV."""
    names = ", ".join(f'"{name}"' for name in ("conversation_id", "channel", "team", "opened_at", "topic", "status"))
    newest = max((folder / "store").glob("store-*.duckdb"))
    copy = f"COPY (SELECT {names} FROM conversations) TO '{folder / 'copy.csv'}'"
    # In a process of its own: the store's engine may write no file, and one process has one engine for a file.
    script = (
        "import duckdb, sys, time; raw = duckdb.connect(sys.argv[1], read_only=True); start = time.perf_counter(); "
        "raw.execute(sys.argv[2]); print(time.perf_counter() - start)"
    )
    copied = subprocess.run(
        [sys.executable, "-c", script, str(newest), copy], check=True, capture_output=True, text=True
    )
    engine = open_reader(url)
    with engine.connect() as connection:
        rows = int(connection.scalar(select(func.count()).select_from(conversations)) or 0)
    engine.dispose()
    served.measure_export(figures, url, folder, rows, float(copied.stdout))


def query_milliseconds(url: str, page: str) -> float:
    """The queries of a page with one channel chosen, caches empty."""
    os.environ["FRONTDOOR_STORE"] = url
    return 1000 * float(_page_run(page, {"period": "all", "channel": "chat"})["sql"])


# --- report ----------------------------------------------------------------------------------------------


def write_readme() -> None:
    """The table of `benchmarks/README.md`, from the last results."""
    lines = []
    for title, part in json.loads(RESULTS.read_text()).items():
        about = part["about"]
        lines += [
            f"### {title[:1].upper()}{title[1:]}",
            "",
            f"Commit `{about['commit']}`, {about['measured_at'][:10]}, {about['machine']}, load average "
            f"{about['load_average']:.1f} at the start.",
            "",
            "| figure | value | reference | ratio |",
            "|---|---|---|---|",
        ]
        for entry in part["figures"]:
            reference = ""
            if "reference_value" in entry:
                reference = f"{entry['reference']}: {entry['reference_value']:,.4g}"
            ratio = f"{entry['ratio']:.2f}" if "ratio" in entry else ""
            lines.append(f"| {entry['name']} | {entry['value']:,.4g} {entry['unit']} | {reference} | {ratio} |")
        lines.append("")
    text = README.read_text(encoding="utf-8")
    start, end = "<!-- results -->", "<!-- end of results -->"
    before, after = text.split(start)[0], text.split(end)[1]
    README.write_text(f"{before}{start}\n" + "\n".join(lines) + f"{end}{after}", encoding="utf-8")


def main() -> int:
    """Measure the wanted parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parts", default=",".join(PARTS), help="comma separated")
    parser.add_argument("--folder", type=Path, help="where the stores are made; kept, and used again")
    wanted = parser.parse_args()
    parts = wanted.parts.split(",")
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"unknown part {unknown[0]}; known are {', '.join(PARTS)}")
    figures = Figures(wanted.rows)
    folder = wanted.folder or Path(tempfile.mkdtemp(prefix="frontdoor-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    url = f"duckdb:///{folder / 'store'}"
    try:
        if "load" in parts:
            rows = min(wanted.rows, 1_000_000)
            measure_load(Figures(rows), rows, folder)
        if "store" in parts or not (folder / "store").exists():
            shutil.rmtree(folder / "store", ignore_errors=True)
            make_store(figures, wanted.rows, url)
        if "pages" in parts:
            measure_pages(figures, url, "pages")
            measure_pandas(figures, url)
        if "postgresql" in parts:
            measure_postgresql(Figures(wanted.rows // 10), wanted.rows // 10)
        if "sessions" in parts:
            served.measure_sessions(figures, url, folder)
        if "browser" in parts:
            served.measure_browser(figures, url, folder, lambda page: query_milliseconds(url, page))
        if "export" in parts:
            measure_export(figures, url, folder)
    finally:
        if wanted.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    write_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
