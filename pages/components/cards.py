"""Cards: value, comparison in words, n, receipt, and a link to exactly the rows that were counted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from data_access.estimates import SMALL_SAMPLE
from data_access.filters import Filter, previous_period
from data_access.measures import Selection, measure_named
from data_access.metrics import METRICS
from pages.components import data, selection, words


@dataclasses.dataclass(frozen=True)
class Card:
    """One headline figure. `measure` opens its rows, `anchor` goes to them; `receipt` says how it was counted."""

    label: str
    value: str
    comparison: str
    basis: str
    measure: str
    metric: str = ""
    numerator: str = ""
    denominator: str = ""
    cell: tuple[tuple[str, str], ...] = ()
    visibility: str = ""
    any_period: bool = False
    interval: str = ""  # of 95 %, where the figure is a share
    anchor: str = ""  # instead of a measure: the heading on the same page under which the rows stand


def any_period(wanted: Filter) -> Filter:
    """The filter without its period: what is open now is open whenever it began."""
    return wanted.replace(date_from=None, date_to=None)


def row(cards: Sequence[Card], wanted: Filter) -> None:
    """Cards side by side; they wrap where the screen is narrow."""
    with st.grid(len(cards), min_column_width=210, gap="small"):
        for card in cards:
            _show(card, wanted)


def _show(card: Card, wanted: Filter) -> None:
    own = wanted.replace(visibility=card.visibility) if card.visibility else wanted
    own = any_period(own) if card.any_period else own
    with st.container(border=True, gap="xxsmall", height="stretch", key=f"card_{card.measure}_{card.metric}"):
        st.metric(words.markdown(card.label), card.value)
        st.caption(words.markdown(card.comparison))
        with st.container(
            horizontal=True, vertical_alignment="center", gap="xsmall", horizontal_alignment="distribute"
        ):
            if card.anchor:
                st.markdown(f"[{words.markdown(card.basis)}](#{card.anchor})", width="content")
            else:
                opened = words.markdown(f"Opens exactly these: {measure_named(card.measure).label}")
                selection.link(card.basis, own, card.measure, card.cell, help=opened)
            with st.popover("How counted", type="tertiary", key=f"receipt_{card.measure}_{card.metric}"):
                _receipt(card, own)


def _receipt(card: Card, wanted: Filter) -> None:
    shown, status = data.scoped(wanted), data.status()
    metric = METRICS.get(card.metric)
    lines = [
        ("Figure", f"{card.label}: {card.value}"),
        ("Numerator", card.numerator),
        ("Denominator", card.denominator or card.basis),
        ("95 % interval", card.interval),
        ("Definition", words.definition(metric.definition) if metric else ""),
        ("Belongs to the moment of", words.definition(metric.owning_time) if metric else ""),
        ("Rows", "listed on this page" if card.anchor else measure_named(card.measure).label),
        ("Filter", shown.sentence()),
        ("Data as of", f"{words.moment(status.as_of, shown.zone)} ({shown.zone})"),
    ]
    st.text("\n\n".join(f"{name}: {text}" for name, text in lines if text))


def interval(row: Any, share: str) -> str:
    """The interval of a share in words; empty where there is none."""
    low, high = row[f"{share}_low"], row[f"{share}_high"]
    return "" if math.isnan(low) else f"{words.percent(low)} to {words.percent(high)}"


def change_words(
    now: Any, before: Any, share: str, wanted: Filter, *, count: str, higher: str = "up", lower: str = "down"
) -> str:
    """This share against the period before, in words; a change only where the 95 % interval leaves out zero.

    The interval of the difference is Newcombe's, from the two Wilson intervals (Statistics in Medicine 17
    (1998) 873-890). Shares hold only mature contacts, so an unfinished period is not compared.
    """
    length = length_words(wanted)
    if before is None or not length:
        return "Choose a period with two ends to compare"
    if math.isnan(before[share]) or not before[count]:
        return nothing_before(wanted)
    if before[count] < SMALL_SAMPLE:
        return f"Only {words.count(before[count])} in the {length} before: too few to compare"
    difference = now[share] - before[share]
    if math.isnan(difference):
        return f"{words.percent(before[share])} in the {length} before"
    low = difference - math.hypot(now[share] - now[f"{share}_low"], before[f"{share}_high"] - before[share])
    high = difference + math.hypot(now[f"{share}_high"] - now[share], before[share] - before[f"{share}_low"])
    if low <= 0 <= high:
        return f"No clear change: {words.percent(before[share])} in the {length} before"
    word = higher if difference > 0 else lower
    return f"{word.capitalize()} {words.points(difference)} from {words.percent(before[share])} in the {length} before"


def before(wanted: Filter) -> Filter | None:
    """The period of equal length before; None where there is none."""
    return previous_period(wanted)


def rows_of(wanted: Filter, measure: str, cell: tuple[tuple[str, str], ...] = ()) -> Selection:
    """The selection of a card."""
    return Selection(wanted, measure, cell)


def nothing_before(wanted: Filter) -> str:
    """That the period before has nothing to compare with."""
    return f"Nothing to compare with in the {length_words(wanted)} before"


def length_words(wanted: Filter) -> str:
    """The length of the period: 'day', '28 days'; empty where it has no two ends."""
    if wanted.date_from is None or wanted.date_to is None:
        return ""
    days = (wanted.date_to - wanted.date_from).days + 1
    return "day" if days == 1 else f"{days} days"
