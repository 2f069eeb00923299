"""The charts of `benchmarks/superset.py` count what ours count: their SQL on the made-up store, without Superset."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import superset  # noqa: E402

from data_access.filters import Filter  # noqa: E402
from data_access.store import open_reader, read_status, resolved  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Filter]:
    url = f"duckdb:///{tmp_path_factory.mktemp('superset') / 'store'}"
    superset.make_store(url, 3_000)
    engine = open_reader(url)
    return engine, resolved(Filter(), read_status(engine, url))


def in_sql(chart: superset.Chart, engine: Engine, wanted: Filter) -> pd.DataFrame:
    """The chart as Superset asks for it."""
    by = ["date_trunc('week', opened_at)" if name == "period" else name for name in chart.by]
    columns = [*zip(by, chart.by, strict=True)]
    columns += [(expression, name) for name, expression in chart.metrics_as_of(wanted.now).items()]
    selected = ", ".join(f"{expression} AS {name}" for expression, name in columns)
    statement = f"SELECT {selected} FROM {chart.table} WHERE {chart.where} GROUP BY {', '.join(by)}"
    with engine.connect() as connection:
        return pd.DataFrame(connection.exec_driver_sql(statement).mappings().all())


@pytest.mark.parametrize("chart", superset.CHARTS, ids=lambda chart: chart.title)
def test_a_chart_of_superset_gives_our_figures(store: tuple[Engine, Filter], chart: superset.Chart) -> None:
    ours = chart.ours(*store)
    assert len(ours) > 1
    assert all((ours[name] > 0).any() for name in chart.metrics if name != "not_scored_count")
    chart.check(in_sql(chart, *store), ours)


def test_the_made_up_customers_have_ages(store: tuple[Engine, Filter]) -> None:
    (mix,) = (chart.ours(*store) for chart in superset.CHARTS if "age_group" in chart.by)
    assert {"18-24", "35-44", "65+"} <= set(mix["age_group"])


@pytest.mark.parametrize("chart", superset.CHARTS, ids=lambda chart: chart.title)
def test_a_comparison_of_different_things_is_refused(store: tuple[Engine, Filter], chart: superset.Chart) -> None:
    theirs, ours = in_sql(chart, *store), chart.ours(*store)
    one_more = ours.assign(**{next(iter(chart.metrics)): ours[next(iter(chart.metrics))] + 1})
    for wrong in (one_more, ours.iloc[1:], ours.iloc[:0]):
        with pytest.raises(SystemExit, match=chart.title):
            chart.check(theirs, wrong)
