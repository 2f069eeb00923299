"""Percentiles of the engines and medians without the whole curve: the same numbers as the one implementation gives."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pytest
from sqlalchemy import BigInteger, cast, column, create_engine, func, select, values

from data_access.estimates import percentile_of_counts
from data_access.frames import percentile, percentiles
from data_access.queries.response_times import answer_curve, response_times


@pytest.mark.postgresql
def test_the_percentiles_of_the_engines_are_ours_and_medians_to_the_last_digit(postgresql_url):
    dice = random.Random(7)
    engines = [create_engine("duckdb:///:memory:"), create_engine(postgresql_url)]
    for size in (1, 2, 3, 10, 77, 500):
        numbers = [int(dice.lognormvariate(8, 3)) for _ in range(size)]
        ours = [
            percentile_of_counts(np.array(numbers, dtype=np.float64), np.ones(size, dtype=np.int64), q)
            for q in (0.5, 0.9)
        ]
        table = values(column("n", BigInteger), name="numbers").data([(number,) for number in numbers])
        seconds = cast(table.c.n, BigInteger)
        one = percentile(seconds, 0.5)
        both = percentiles(seconds, 0.5, 0.9)
        nobody = percentiles(seconds, 0.5, 0.9).filter(seconds < 0)
        statement = select(one, both, nobody, func.count()).select_from(table)
        for engine in engines:
            with engine.connect() as connection:
                median, found, nothing, counted = connection.execute(statement).one()
                assert nothing is None
                assert [round(value, 6) for value in found] == [round(value, 6) for value in ours], (engine.name, size)
                assert (median, found[0], counted) == (ours[0], ours[0], size)
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("dimension", ["", "channel", "period", "age_group"])
@pytest.mark.parametrize("as_of", [None, dt.datetime(2026, 5, 4, 9), dt.datetime(2026, 2, 11, 13)])
def test_the_median_of_all_is_where_the_curve_passes_a_half_in_every_group(demo_store_url, opened, dimension, as_of):
    by = (dimension,) if dimension else ()
    engine, wanted = opened(demo_store_url, grain="week", as_of=as_of)
    rows, curve = response_times(engine, wanted, by), answer_curve(engine, wanted, by)
    assert rows["median_minutes_all"].notna().any()
    for row in rows.to_dict("records"):
        part = curve[curve[dimension] == row[dimension]] if by else curve
        reached = part[part["answered_share"] >= 0.5 - 1e-12]["minutes"]
        expected = reached.iloc[0] if len(reached) else float("nan")
        assert row["median_minutes_all"] == pytest.approx(expected, rel=0, abs=0, nan_ok=True), row
