"""How customers sound when they come to us."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Engine, and_, case, cast, func, select
from sqlalchemy.sql.elements import ColumnElement

from data_access import dialects
from data_access.estimates import discoveries, laney_p_prime, log_odds_z, share, wilson_interval
from data_access.filters import Filter, previous_period
from data_access.frames import (
    count_all,
    count_if,
    dimension_kinds,
    fetch,
    grouped,
    in_natural_order,
    row_query,
    summed,
    typed,
)
from data_access.measures import MEASURES, period_start
from data_access.schema import conversations, customers, interactions
from data_access.vocabulary import SENTIMENTS, UNKNOWN


def sentiment(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Sentiment of the opening inbound interaction. One row per group of conversations, without `by` exactly one.

    Shares are of the scored (`scored_count`); the others are counted beside them (`not_scored_count`).
    """
    return _with_shares(_counted(engine, wanted, by), by)


def sentiment_at_once(engine: Engine, wanted: Filter) -> tuple[dict[tuple[str, ...], pd.DataFrame], pd.DataFrame]:
    """The frames of `sentiment`, whole and by channel, and that of `sentiment_trend`, from one look at the period."""
    dimensions = ("period", "channel")
    counts = _counted(engine, wanted, dimensions)
    groupings: tuple[tuple[str, ...], ...] = ((), ("channel",), ("period",))
    frames = {by: _with_shares(summed(counts, dimensions, by), by) for by in groupings}
    return frames, _trend(engine, wanted, (), frames["period",])


def _counted(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    label = conversations.c.sentiment_label
    rows = row_query(
        MEASURES["contacts"],
        wanted,
        by,
        {
            "is_scored": label.is_not(None),
            "is_not_scored": label.is_(None),
            **{f"is_{name}": label == name for name in SENTIMENTS},
            # Whole millionths: a sum of integers is the same on every engine and in every order.
            "score_millionths": cast(func.round(conversations.c.sentiment_score * 1_000_000), BigInteger),
        },
    )
    frame = grouped(
        engine,
        rows,
        by,
        {
            "scored_count": count_if("is_scored"),
            "not_scored_count": count_if("is_not_scored"),
            **{f"{name}_count": count_if(f"is_{name}") for name in SENTIMENTS},
            "score_millionths": lambda c: func.sum(c.score_millionths).filter(c.is_scored),
        },
    )
    return frame.assign(score_millionths=pd.to_numeric(frame["score_millionths"]).fillna(0).astype("int64"))


def _with_shares(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    total = frame["score_millionths"].astype("float64")
    frame["mean_score"] = share(total, frame["scored_count"]) / 1_000_000
    for name in SENTIMENTS:
        frame[f"{name}_share"] = share(frame[f"{name}_count"], frame["scored_count"])
    frame["negative_share_low"], frame["negative_share_high"] = wilson_interval(
        frame["negative_count"], frame["scored_count"]
    )
    kinds = {
        **dimension_kinds(by),
        "scored_count": "count",
        "not_scored_count": "count",
        **{f"{name}_count": "count" for name in SENTIMENTS},
        "negative_share": "share",
        "negative_share_low": "share",
        "negative_share_high": "share",
        "neutral_share": "share",
        "positive_share": "share",
        "mean_score": "share",
    }
    return in_natural_order(typed(frame, kinds), by, "scored_count")


BASELINE_PERIODS = 26
_GRAIN_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91}


def sentiment_trend(engine: Engine, wanted: Filter, by: Sequence[str] = ()) -> pd.DataFrame:
    """Negative share by period with control limits. One row per group and period.

    Limits are Laney's p', frozen on the up to 26 periods before the filter's first day where there are at
    least eight, else on the first half, or the first eight where that is more, of those and the periods shown;
    empty under eight. `baseline_shown_count` of them are among the rows. `signal` names the rule that a period
    breaks. `net_share` is the positive less the negative share.
    """
    outer = tuple(name for name in by if name != "period")
    return _trend(engine, wanted, outer, sentiment(engine, wanted, (*outer, "period")))


def _trend(engine: Engine, wanted: Filter, outer: tuple[str, ...], of_period: pd.DataFrame) -> pd.DataFrame:
    frame = of_period.assign(is_shown=True)
    if wanted.date_from is not None:
        # Whole periods before the one in which the filter begins; a piece of a period is no baseline.
        first = period_start(wanted.date_from, wanted.grain)
        back = dt.timedelta(days=BASELINE_PERIODS * _GRAIN_DAYS[wanted.grain])
        earlier = wanted.replace(
            date_from=period_start(first - back, wanted.grain), date_to=first - dt.timedelta(days=1)
        )
        frame = pd.concat([sentiment(engine, earlier, (*outer, "period")).assign(is_shown=False), frame])
    frame = frame[frame["scored_count"] > 0].reset_index(drop=True)
    parts = []
    groups = frame.groupby(list(outer), sort=False) if outer else [((), frame)]
    for _, part in groups:
        parts.append(_with_limits(part.sort_values("period")))
    frame = pd.concat(parts) if parts else _with_limits(frame)
    frame["net_share"] = frame["positive_share"] - frame["negative_share"]
    kinds = {
        **dimension_kinds((*outer, "period")),
        "scored_count": "count",
        "not_scored_count": "count",
        "negative_count": "count",
        "negative_share": "share",
        "negative_share_low": "share",
        "negative_share_high": "share",
        "net_share": "share",
        "centre_share": "share",
        "limit_low": "share",
        "limit_high": "share",
        "baseline_count": "count",
        "baseline_shown_count": "count",
        "signal": "text",
    }
    return in_natural_order(typed(frame, kinds), (*outer, "period"), "scored_count")


def _with_limits(part: pd.DataFrame) -> pd.DataFrame:
    part = part.copy()
    is_shown = part["is_shown"].astype(bool)
    baseline = (~is_shown).to_numpy()
    if baseline.sum() < MIN_PERIODS_BEFORE:
        baseline = np.arange(len(part)) < max(len(part) // 2, MIN_PERIODS_BEFORE)
    limits = laney_p_prime(part["negative_count"], part["scored_count"], baseline)
    part["centre_share"] = limits.centre if limits else np.nan
    part["limit_low"] = limits.low if limits else np.nan
    part["limit_high"] = limits.high if limits else np.nan
    part["baseline_count"] = limits.baseline_count if limits else 0
    part["baseline_shown_count"] = int((baseline & is_shown.to_numpy()).sum()) if limits else 0
    part["signal"] = limits.signal if limits else ""
    return part[is_shown]


MIN_PERIODS_BEFORE = 8


def said_on_about(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Where customers blame which channel. One row per channel of the conversation and blamed channel.

    `share` is of the channel's conversations with us, blaming or not, with Wilson interval.
    """
    dimensions = ("channel", "blamed_channel")
    frame = grouped(
        engine, row_query(MEASURES["blaming"], wanted, dimensions, {}), dimensions, {"conversation_count": count_all()}
    )
    whole = grouped(
        engine,
        row_query(MEASURES["contacts"], wanted, ("channel",), {}),
        ("channel",),
        {"channel_conversation_count": count_all()},
    )
    frame = frame.merge(whole, on="channel", how="left")
    frame["share"] = share(frame["conversation_count"], frame["channel_conversation_count"])
    frame["share_low"], frame["share_high"] = wilson_interval(
        frame["conversation_count"], frame["channel_conversation_count"]
    )
    kinds = {
        **dimension_kinds(dimensions),
        "conversation_count": "count",
        "channel_conversation_count": "count",
        "share": "share",
        "share_low": "share",
        "share_high": "share",
    }
    return in_natural_order(typed(frame, kinds), dimensions, "conversation_count")


def recovery(engine: Engine, wanted: Filter, by: Sequence[str] = ("wait_band",)) -> pd.DataFrame:
    """What waiting costs: of negative openings after whose answer the customer wrote again, those that close
    neutral or positive. One row per group, by default per waiting time before the answer.
    """
    dimensions = tuple(by)
    rows = row_query(
        MEASURES["written_again"],
        wanted,
        dimensions,
        {"is_recovered": conversations.c.closing_sentiment_label != "negative"},
    )
    frame = grouped(
        engine, rows, dimensions, {"written_again_count": count_all(), "recovered_count": count_if("is_recovered")}
    )
    frame["recovered_share"] = share(frame["recovered_count"], frame["written_again_count"])
    frame["recovered_share_low"], frame["recovered_share_high"] = wilson_interval(
        frame["recovered_count"], frame["written_again_count"]
    )
    kinds = {
        **dimension_kinds(dimensions),
        "written_again_count": "count",
        "recovered_count": "count",
        "recovered_share": "share",
        "recovered_share_low": "share",
        "recovered_share_high": "share",
    }
    return in_natural_order(typed(frame, kinds), dimensions, "written_again_count")


def sentiment_change(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """From the opening to the closing: conversations in which the customer wrote again after the answer.

    One row per opening and closing sentiment; `share` is of the opening's conversations, Wilson interval.
    """
    dimensions = ("sentiment", "closing_sentiment")
    measure = MEASURES["answered_and_written_again"]
    frame = grouped(
        engine, row_query(measure, wanted, dimensions, {}), dimensions, {"conversation_count": count_all()}
    )
    opened = frame.groupby("sentiment")["conversation_count"].transform("sum")
    frame["opened_so_count"] = opened
    frame["share"] = share(frame["conversation_count"], opened)
    frame["share_low"], frame["share_high"] = wilson_interval(frame["conversation_count"], opened)
    kinds = {
        **dimension_kinds(dimensions),
        "conversation_count": "count",
        "opened_so_count": "count",
        "share": "share",
        "share_low": "share",
        "share_high": "share",
    }
    return in_natural_order(typed(frame, kinds), dimensions, "conversation_count")


MIN_TERM_CONVERSATIONS = 5
_MIN_WORD_LETTERS = 4


def rising_topics(engine: Engine, wanted: Filter) -> pd.DataFrame:
    """Topics and words that grew against the previous period of equal length. One row per topic or word.

    Counted by conversations that open with it. `log_odds` with an informative Dirichlet prior and its `z`;
    `is_rising` controls the false discovery rate at 5 % over all tested, topics and words apart. Empty where
    the filter has no beginning or end.
    """
    before = previous_period(wanted)
    kinds = {
        "term_kind": "text",
        "term": "text",
        "conversation_count": "count",
        "previous_conversation_count": "count",
        "total_count": "count",
        "previous_total_count": "count",
        "log_odds": "share",
        "z": "share",
        "p_value": "share",
        "is_rising": "flag",
    }
    if before is None:
        return typed(pd.DataFrame(columns=list(kinds)), kinds)
    # Both periods at once: the one before ends where this one begins.
    period, is_now = wanted.replace(date_from=before.date_from), conversations.c.opened_at >= wanted.bounds_utc()[0]
    topics, words = _topic_counts(engine, period, is_now), _word_counts(engine, period, is_now)
    total, total_before = int(topics["n"].sum()), int(topics["n_before"].sum())
    parts = []
    for term_kind, counts in (("topic", topics[topics["term"] != UNKNOWN]), ("word", words)):
        both = counts[(counts["n"] + counts["n_before"]) >= MIN_TERM_CONVERSATIONS]
        both = both.sort_values("term", kind="stable").reset_index(drop=True)
        now, then = both["n"].to_numpy(np.int64), both["n_before"].to_numpy(np.int64)
        odds, z = log_odds_z(now, then, total, total_before)
        p_values = np.array([math.erfc(value / math.sqrt(2)) / 2 for value in z], dtype=np.float64)
        parts.append(
            pd.DataFrame(
                {
                    "term_kind": term_kind,
                    "term": both["term"],
                    "conversation_count": now,
                    "previous_conversation_count": then,
                    "total_count": total,
                    "previous_total_count": total_before,
                    "log_odds": odds,
                    "z": z,
                    "p_value": p_values,
                    "is_rising": discoveries(p_values) & (z > 0),
                }
            )
        )
    frame = typed(pd.concat(parts, ignore_index=True), kinds)
    return frame.sort_values(["is_rising", "z"], ascending=False, kind="stable").reset_index(drop=True)


def _topic_counts(engine: Engine, period: Filter, is_now: ColumnElement[bool]) -> pd.DataFrame:
    """Conversations with us by topic, unknown included: `n` of this period, `n_before` of the one before."""
    frame = grouped(
        engine,
        row_query(MEASURES["contacts"], period, ("topic",), {"is_now": is_now, "is_before": ~is_now}),
        ("topic",),
        {"n": count_if("is_now"), "n_before": count_if("is_before")},
    )
    return frame.rename(columns={"topic": "term"})


def _word_counts(engine: Engine, period: Filter, is_now: ColumnElement[bool]) -> pd.DataFrame:
    """How many conversations open with each word: `n` of this period, `n_before` of the one before.

    The customer's own name below a text is no word of it: it tells of nobody else, and is personal.
    """
    i, c = interactions.c, conversations.c
    start, _ = period.bounds_utc()
    own_name = func.concat(" ", customers.c.display_name, " ", i.display_name, " ")
    words = (
        select(
            c.conversation_id,
            is_now.label("is_now"),
            dialects.words_of(i.text).label("term"),
            func.regexp_replace(func.lower(own_name), "[^a-z]+", " ", "g").label("own_name"),
        )
        .select_from(conversations)
        .outerjoin(customers, customers.c.customer_id == c.customer_id)
        .join(
            interactions,
            and_(
                i.customer_id == c.customer_id,
                i.conversation_id == c.conversation_id,
                i.occurred_at == c.first_inbound_at,
                i.direction == "inbound",
            ),
        )
        .where(*MEASURES["contacts"].clauses(period), i.occurred_at >= start, i.text.is_not(None))
        .subquery("words")
    )
    w = words.c
    statement = (
        select(
            w.term,
            func.count(case((w.is_now, w.conversation_id)).distinct()).label("n"),
            func.count(case((~w.is_now, w.conversation_id)).distinct()).label("n_before"),
        )
        .where(
            func.length(w.term) >= _MIN_WORD_LETTERS,
            func.strpos(w.own_name, func.concat(" ", w.term, " ")) == 0,
        )
        .group_by(w.term)
    )
    return fetch(engine, statement)
