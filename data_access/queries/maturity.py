"""What provisional periods will come to: expected final ignored share from past cohorts, with an interval."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import BigInteger, Engine, and_, case, cast, false, func, select
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.estimates import Z95, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import fetch, row_query, typed
from data_access.measures import MEASURES, is_complaint_due, is_complaint_ignored_in_time, period_start
from data_access.schema import waits
from data_access.zones import local

_STEPS = 24  # the horizon of each complaint is cut into so many steps


def maturity(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """One row per period with complaints that are still too young to judge.

    A young unanswered complaint becomes ignored with the share that past, mature complaints of the filter's
    channels, unanswered at the same part of their horizon, became. `expected_ignored_share` with a 95 %
    interval that holds the chance of the young ones and the uncertainty of the past share: both from the Wilson
    score, so that a past in which nobody was ignored, or everybody, does not promise that it stays so. The
    past shares of all steps come from the same complaints, so their uncertainties add up and do not cancel.
    Without a past, share and interval are empty.
    """
    kinds = {
        "period": "at",
        "complaint_count": "count",
        "due_count": "count",
        "ignored_in_time_count": "count",
        "young_count": "count",
        "young_answered_count": "count",
        "expected_ignored_share": "share",
        "expected_ignored_share_low": "share",
        "expected_ignored_share_high": "share",
    }
    begun = _young_since(engine, wanted)
    if begun is None:
        return typed(pd.DataFrame(columns=list(kinds)), kinds)
    chance, low_chance, high_chance = _chance_by_step(engine, wanted.replace(date_from=None, date_to=None))
    # Older periods have no young complaint; they are left unread.
    recent = wanted.replace(date_from=max(begun, wanted.date_from or begun))
    rows = row_query(
        MEASURES["complaints"],
        recent,
        ("period",),
        {
            "is_due": is_complaint_due(wanted),
            "is_ignored": is_complaint_ignored_in_time(wanted),
            "is_answered": _answered_by_now(wanted),
            "step": _step(dialects.seconds_between(waits.c.first_complaint_at, wanted.censored_at(waits))),
        },
    ).subquery("counted")
    r = rows.c
    counted = fetch(
        engine,
        select(
            r.period,
            r.step,
            func.count().label("n"),
            func.count().filter(r.is_due).label("due"),
            func.count().filter(r.is_ignored).label("ignored"),
            func.count().filter(and_(~r.is_due, r.is_answered)).label("young_answered"),
            func.count().filter(and_(~r.is_due, ~r.is_answered)).label("young_open"),
        ).group_by(r.period, r.step),
    )
    counted = counted.sort_values(["period", "step"])  # a sum of floats must not depend on the engine's order
    found = []
    for period, part in counted.groupby("period"):
        young = int(part["n"].sum() - part["due"].sum())
        if young == 0:
            continue
        steps = part["step"].clip(0, _STEPS - 1).to_numpy(np.int64)
        open_now = part["young_open"].to_numpy(np.float64)
        total, ignored = int(part["n"].sum()), int(part["ignored"].sum())
        is_open = open_now > 0
        expected = ignored + float((open_now[is_open] * chance[steps][is_open]).sum())
        low = ignored + _bound(open_now, chance[steps], low_chance[steps])
        high = ignored + _bound(open_now, chance[steps], high_chance[steps])
        found.append(
            {
                "period": period,
                "complaint_count": total,
                "due_count": int(part["due"].sum()),
                "ignored_in_time_count": ignored,
                "young_count": young,
                "young_answered_count": int(part["young_answered"].sum()),
                "expected_ignored_share": float(share(expected, total)),
                "expected_ignored_share_low": low / total,
                "expected_ignored_share_high": high / total,
            }
        )
    return typed(pd.DataFrame(found, columns=list(kinds)), kinds)


def _young_since(engine: Engine, wanted: Filter) -> dt.date | None:
    """First local day of the first period with a complaint too young to judge; None without one."""
    first = waits.c.first_complaint_at
    is_young = ~func.coalesce(is_complaint_due(wanted), false())
    statement = select(func.min(first).label("at")).where(*MEASURES["complaints"].clauses(wanted), is_young)
    found = fetch(engine, statement)["at"].iloc[0]
    if pd.isna(found):
        return None
    return period_start(local(found, wanted.zone).date(), wanted.grain)


def _bound(
    open_now: npt.NDArray[np.float64], chance: npt.NDArray[np.float64], bound: npt.NDArray[np.float64]
) -> float:
    """How many of the open ones become ignored at one end of the 95 % interval; never outside 0 to all of them.

    Two distances from the expectation, added as independent: that of the past share to its limit, and that of
    the young ones' own chance, a normal with the variance at that limit.
    """
    if not open_now.any():
        return 0.0
    here = open_now > 0  # steps nobody is at may have no past, and need none
    open_now, chance, bound = open_now[here], chance[here], bound[here]
    expected = float((open_now * chance).sum())
    past = float((open_now * (bound - chance)).sum())
    own = Z95 * math.sqrt(float((open_now * bound * (1 - bound)).sum()))
    distance = math.hypot(past, own)
    return min(max(expected + math.copysign(distance, past), 0.0), float(open_now.sum()))


def _answered_by_now(wanted: Filter) -> ColumnElement[bool]:
    here = and_(waits.c.response_at.is_not(None), waits.c.response_at <= wanted.now)
    elsewhere = and_(waits.c.complaint_elsewhere_at.is_not(None), waits.c.complaint_elsewhere_at <= wanted.now)
    return func.coalesce(here, False) | func.coalesce(elsewhere, False) | waits.c.has_reported_answer.is_(True)


def _step(seconds: ColumnElement[int]) -> ColumnElement[int]:
    """Which part of its horizon a complaint has reached, 0 to 23, on the calendar clock."""
    horizon = dialects.seconds_between(waits.c.first_complaint_at, waits.c.complaint_ignored_due_at)
    return cast(func.floor(_STEPS * seconds / case((horizon > 0, horizon * 1.0), else_=1.0)), BigInteger)


def _chance_by_step(
    engine: Engine, wanted: Filter
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Per step: share of past complaints, unanswered at its beginning, that became ignored; its Wilson limits."""
    answered_at = func.least(
        func.coalesce(waits.c.response_at, waits.c.complaint_elsewhere_at),
        func.coalesce(waits.c.complaint_elsewhere_at, waits.c.response_at),
    )
    measure = MEASURES["complaints"]
    rows = (
        select(
            is_complaint_ignored_in_time(wanted).label("is_ignored"),
            func.coalesce(_step(dialects.seconds_between(waits.c.first_complaint_at, answered_at)), _STEPS).label(
                "step"
            ),
        )
        .select_from(waits)
        .where(*measure.clauses(wanted), is_complaint_due(wanted), waits.c.has_reported_answer.is_(False))
        .subquery("past")
    )
    counts = fetch(
        engine,
        select(rows.c.step, func.count().label("n"), func.count().filter(rows.c.is_ignored).label("ignored")).group_by(
            rows.c.step
        ),
    )
    ignored = float(counts["ignored"].sum())
    unanswered = np.array([float(counts.loc[counts["step"] >= step, "n"].sum()) for step in range(_STEPS)])
    became = np.minimum(ignored, unanswered)
    low, high = wilson_interval(became, unanswered)  # empty where there is no past: nothing is known
    return np.asarray(share(became, unanswered)), low, high
