"""One chart with all that belongs to it: finding, figure, caption, table, rows and CSV."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from data_access.estimates import SMALL_SAMPLE
from data_access.filters import Filter, listed
from data_access.measures import Selection, period_bounds
from data_access.vocabulary import PUBLIC_CHANNELS
from data_access.zones import local
from pages.components import charts, data, downloads, findings, selection, tables, theme, words
from pages.components.drawing import Chart, Sent
from pages.components.selection import Cell

PUBLIC = PUBLIC_CHANNELS
MOST_CURVES = 8
MOST_LEFT_OUT = 5  # groups without a curve that the caption names
MOST_NAME_LETTERS = 20  # of the channels of one target: more run out of a narrow chart
OF_OUTCOME = "Filtered by outcome: these shares say nothing"
_OF_ANSWERS = ("complaints_ignored_in_time", "target_due")
Row = Any  # one row of a frame
_CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False, "showTips": False}


def chart(
    name: str,
    figure: Chart,
    data_frame: pd.DataFrame,
    wanted: Filter,
    *,
    finding: str,
    counted: str,
    cells: Callable[[], Sequence[Cell]],
    rows: str | None = None,
    charted: Sequence[str] = (),
) -> None:
    """Show a chart. `finding` and `counted` are plain text; `cells` gives what its marks open, when somebody asks.

    A figure without a mark would be axes that plotly made up: it is left out, what is said and the table stay.

    `rows` names the measure whose rows the second CSV holds: by default that of the first cell. `charted` are the
    columns that are drawn: they stand first in the table, where they are seen without scrolling.
    """
    with st.container(gap="xsmall", key=f"panel_{name}"):
        title(finding)
        event = _drawn(name, figure, finding) if len(figure.data) else None
        st.caption(words.markdown(caption(wanted, counted)))
        if data_frame.empty:
            return
        with st.expander("Table, rows and CSV", key=f"behind_{name}", type="compact", on_change="rerun") as behind:
            if behind.open:
                _behind(name, data_frame, wanted, cells(), rows, finding, charted)
    selection.follow_click(f"chart_{name}", event, wanted)


def _drawn(name: str, figure: Chart, finding: str) -> Any:
    return st.plotly_chart(
        readable(figure),
        key=f"chart_{name}",
        on_select="rerun",
        selection_mode="points",
        config=_CONFIG,
        alt=words.shortened(finding, 300),
    )


def title(text: str) -> None:
    """What a chart or table tells, as its heading: so a screen reader goes from one to the next."""
    st.markdown(f"#### {words.markdown(text)}", anchors=False)


def readable(figure: Chart) -> Sent:
    """Text dark (or light) enough to read: Streamlit's own chart grey has too little contrast."""
    return figure.sent({"light": "#3A4046", "dark": "#C9CED3"}.get(str(st.context.theme.type), ""))


def share_over_time(
    name: str,
    data_frame: pd.DataFrame,
    share: str,
    count: str,
    wanted: Filter,
    *,
    measure: str,
    done: str,
    counted: str,
    color: str = theme.ACCENT,
) -> None:
    """A share by period, with its finding."""
    grain, cut = wanted.grain, cut_periods(data_frame, wanted)
    chart(
        name,
        charts.share_by_period_line(data_frame, share, count, measure=measure, grain=grain, color=color, cut=cut),
        data_frame,
        wanted,
        finding=OF_OUTCOME
        if _is_decided(wanted, measure)
        else findings.over_time(data_frame, share, count, done, grain, cut),
        counted=counted + provisional(data_frame, grain) + hollow(data_frame, wanted),
        cells=lambda: selection.cells(data_frame, ("period",), measure, grain=grain),
        charted=(share, count),
    )


def share_by_group(
    name: str,
    data_frame: pd.DataFrame,
    dimension: str,
    share: str,
    count: str,
    wanted: Filter,
    *,
    measure: str,
    done: str,
    counted: str,
    color: str | None = None,
    whole: str = "",
) -> None:
    """A share by group as bars, with its finding.

    A bar opens the rows of `measure`; where that is the part alone, those of the `whole` are offered beside it.
    """
    groups = int((data_frame[count] > 0).sum())
    cut = f"; the first {charts.BAR_ROWS} of {groups}, all in the table" if groups > charts.BAR_ROWS else ""
    chart(
        name,
        charts.share_bar(data_frame, dimension, share, count, measure=measure, color=color),
        data_frame,
        wanted,
        finding=OF_OUTCOME
        if _is_decided(wanted, measure)
        else findings.groups_apart(data_frame, dimension, share, count, done),
        counted=f"{counted}, by {dimension_words(dimension)}; under {SMALL_SAMPLE} greyed{cut}.",
        cells=lambda: (
            selection.part_and_whole(data_frame, dimension, measure, whole)
            if whole
            else selection.cells(data_frame, (dimension,), measure)
        ),
        charted=(share, count),
    )


def _is_decided(wanted: Filter, measure: str) -> bool:
    """A filter by response state decides what the share will be: nothing is found out by it."""
    return bool(wanted.states) and measure in _OF_ANSWERS


def told(wanted: Filter, finding: str, counted: str) -> None:
    """A finding with what it counts, where there is nothing to draw."""
    title(finding)
    st.caption(words.markdown(caption(wanted, counted)))


def caption(wanted: Filter, counted: str) -> str:
    """What is counted, as of when, in which zone."""
    shown = data.scoped(wanted)
    return f"{counted} As of {words.moment(data.status().as_of, shown.zone)}, {shown.zone}."


def provisional(data_frame: pd.DataFrame, grain: str) -> str:
    """That hatched periods may still change, where any is hatched."""
    hatched = int(data_frame["is_provisional"].sum()) if "is_provisional" in data_frame else 0
    which = f"The hatched {grain}" if hatched == 1 else f"Hatched {grain}s"
    return f" {which} may still change." if hatched else ""


def cut_off(data_frame: pd.DataFrame, wanted: Filter, lead: str = "Not whole") -> str:
    """The periods of which the filter or *as of* leaves only some days, in words; empty where there are none."""
    cut = [words.period(period, wanted.grain) for period in cut_periods(data_frame, wanted)]
    return f" {lead}: {listed(cut)}." if cut else ""


def hollow(data_frame: pd.DataFrame, wanted: Filter) -> str:
    """The same under a line, which stops before them."""
    return cut_off(data_frame, wanted, "Not whole, so hollow")


def cut_periods(data_frame: pd.DataFrame, wanted: Filter) -> list[Any]:
    """The first and last periods of a frame where the filter or *as of* leaves only some of their days."""
    shown, as_of = data.scoped(wanted), data.status().as_of
    if data_frame.empty or as_of is None:
        return []
    today = local(as_of, shown.zone).date()
    until = min(wanted.date_to or today, today - dt.timedelta(days=1))
    cut = []
    for period in dict.fromkeys((data_frame["period"].min(), data_frame["period"].max())):
        first, last = period_bounds(f"{period:%Y-%m-%d}", wanted.grain)
        if last > until or (wanted.date_from and first < wanted.date_from):
            cut.append(period)
    return cut


def _behind(
    name: str,
    data_frame: pd.DataFrame,
    wanted: Filter,
    cells: Sequence[Cell],
    rows: str | None,
    finding: str,
    charted: Sequence[str],
) -> None:
    shown, zone = tables.leading(data_frame, charted), data.scoped(wanted).zone
    tables.show(shown, zone, alt=f"Data behind: {finding}", grain=wanted.grain)
    rows = rows or (cells[0].measure if cells else None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        downloads.shown(data_frame, name)
        if rows:
            downloads.rows(Selection(wanted, rows), f"{name}_rows")
    if not cells:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.selectbox(
            "Open the rows of",
            range(len(cells)),
            format_func=lambda at: words.shortened(cells[at].label, 60),
            index=None,
            key=f"open_{name}",
            placeholder="Choose a bar or point",
            width=360,
        )
        if place is not None and place < len(cells):
            cell = cells[place]
            opened = cell.selection(wanted)
            number = data.count_rows(opened)
            selection.link(f"Open {words.counted(number, 'row')}", opened.filter, cell.measure, cell.values)


def target_marks(wanted: Filter) -> dict[str, float]:
    """The targets in force as marks on a time axis: few channels by name, else how many; the caption names all.

    Of the channels on which a conversation of the filter was opened, and no others.
    """
    settings = data.status().settings
    named: dict[float, list[str]] = {}
    present = set(data.response_times(wanted, ("channel",))["channel"])
    for threshold in settings.thresholds:
        if threshold.brand is None and threshold.team is None:
            for channel in threshold.channels:
                if channel in present:
                    named.setdefault(threshold.target_seconds / 60, []).append(words.value("channel", channel))
    return {_target_words(at, names): at for at, names in sorted(named.items())}


def _target_words(at: float, names: Sequence[str]) -> str:
    listed = ", ".join(names)
    if len(listed) <= MOST_NAME_LETTERS:
        return f"target: {listed}"
    return f"target {words.minutes(at)}: {words.counted(len(names), 'channel')}"


def within_cells(measure: str) -> list[Cell]:
    """Points of an answer curve that can be opened without a mouse."""
    marks = (
        (1, "1 minute"),
        (5, "5 minutes"),
        (15, "15 minutes"),
        (60, "1 hour"),
        (240, "4 hours"),
        (1440, "1 day"),
        (10080, "1 week"),
    )
    return [Cell(f"Answered within {text}", measure, (("within_minutes", str(at)),)) for at, text in marks]


def thresholds_words() -> str:
    """Targets and *ignored after* in force, one phrase per channel in the store."""
    present = data.filter_options()["channel"]
    parts = []
    for threshold in data.status().settings.thresholds:
        for channel in threshold.channels:
            if channel in present:
                narrower = " ".join(x for x in (threshold.brand, threshold.team) if x)
                target, ignored = (
                    words.minutes(threshold.target_seconds / 60),
                    words.minutes(threshold.ignored_after_seconds / 60),
                )
                name = f"{words.value('channel', channel)}{f' ({narrower})' if narrower else ''}"
                parts.append(f"{name} {target}, ignored after {ignored}")
    return "; ".join(parts)


def has_brands() -> bool:
    """The store has several brands: a split by brand would show more than everybody again."""
    return len(data.filter_options()["brand"]) > 1


def brand_or_age() -> str:
    """The dimension that tells more: brands where there are several, else age groups."""
    return "brand" if has_brands() else "age_group"


def dimension_words(dimension: str) -> str:
    """A dimension inside a caption."""
    return "assigned team" if dimension == "team" else dimension.replace("_", " ")


def curve_of(wanted: Filter, split: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Groups and answer curves; of many groups the largest that can be judged."""
    if not split:
        return pd.DataFrame(), data.answer_curve(wanted)
    groups, curve = data.response_times(wanted, (split,)), data.answer_curve(wanted, (split,))
    judged = groups[groups["conversation_count"] >= SMALL_SAMPLE].nlargest(MOST_CURVES, "conversation_count")
    return groups, curve[curve[split].isin(judged[split])]


def curve_counted(total: Row, groups: pd.DataFrame, curve: pd.DataFrame, split: str) -> str:
    """What the answer curve counts; of a split the groups that are drawn, and which are not."""
    if not split:
        return f"{_answered_of(total)}; 95 % interval.{_untimed(total)}"
    is_drawn = groups[split].isin(curve[split])
    drawn = groups.loc[is_drawn, ["conversation_count", "answered_unknown_time_count"]].sum()
    return f"{_answered_of(drawn)}.{_not_drawn(groups[~is_drawn], split, int(is_drawn.sum()))}{_untimed(drawn)}"


def _answered_of(counts: Row) -> str:
    known = counts["conversation_count"] - counts["answered_unknown_time_count"]
    return (
        f"Share of {words.counted(known, 'conversation')} answered by a human within the time, the unanswered kept in"
    )


def _not_drawn(groups: pd.DataFrame, split: str, drawn: int) -> str:
    if groups.empty:
        return ""
    largest = groups.nlargest(MOST_LEFT_OUT, "conversation_count")
    named = [
        f"{words.shortened(words.inside(split, name), 24)} ({words.count(number)})"
        for name, number in zip(largest[split], largest["conversation_count"], strict=True)
    ]
    more = f" and {len(groups) - len(named)} more" if len(groups) > len(named) else ""
    return (
        f" Drawn: {words.counted(drawn, 'group')}, the largest of {SMALL_SAMPLE} or more, {MOST_CURVES} at most; "
        f"left out: {', '.join(named)}{more}."
    )


def _untimed(counts: Row) -> str:
    unknown = counts["answered_unknown_time_count"]
    return f" {words.count(unknown)} answered at an unknown time are left out." if unknown else ""
