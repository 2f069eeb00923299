"""Parts of the pages on silence: definitions, teams and agents, hours, expected shares, published figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from data_access.published import PublishedFigure, figures_for
from pages.components import (
    cards,
    charts,
    charts_age,
    charts_silence,
    choices,
    data,
    downloads,
    empty,
    findings,
    findings_silence,
    headlines,
    panel,
    selection,
    tables,
    theme,
    words,
)
from pages.components.keeping import kept

MOST_ROWS = 500
UNITS = {"complaint": "Complaint", "conversation": "Conversation", "customer": "Customer"}
HOURS = {"count": "When complaints come", "share": "Share of them ignored"}
GROUPS = {"team": "Teams", "agent": "Agents"}
LISTED = {"": "All unanswered", "waiting": "Still time to answer", "ignored": "Ignored"}
DOORS = {"phone": "Phone", "email": "Email", "social": "Social media"}
SOCIAL = ("twitter", "facebook", "instagram")
_DUE = {"ignored_share": "complaints_due", "answered_share": "first_responses"}


def definitions(wanted: Filter) -> None:
    """How each headline depends on its definition: one question at a time, all in the table."""
    frame = data.definitions(wanted)
    questions = list(dict.fromkeys(frame["question"]))
    question = choices.one_of("Question", {text: _short(text) for text in questions}, "definition_question")
    shown = frame[frame["question"] == question].reset_index(drop=True)
    panel.chart(
        "definitions",
        charts_silence.definitions_dot(shown),
        frame,
        wanted,
        finding=f"{question} {findings_silence.spread(shown)}",
        counted="Bold and filled: the definition of this dashboard. Lines are 95 % intervals; each definition "
        f"counts other rows, in the table with numerator and denominator.{_rowless(shown)}",
        cells=lambda: definition_cells(shown),
    )


def _short(question: str) -> str:
    names = {"How long": "Median wait", "What share is answered": "Answered", "What share of complaints": "Ignored"}
    return next((name for start, name in names.items() if question.startswith(start)), "Phone service level")


# The rows of each definition's denominator, by its words: a measure, and the clock where it differs.
_DEFINITION_ROWS: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "calendar clock, first human answer": ("first_responses", (("clock", "calendar"),)),
    "business clock, first human answer": ("first_responses", (("clock", "business"),)),
    "answered only (silence left out)": ("answered_timed", ()),
    "bots count as answers": ("first_responses", ()),
    "only a direct reply to the opening counts": ("first_responses", ()),
    "conversations, any human answer": ("first_responses", ()),
    "conversations, bots count": ("first_responses", ()),
    "conversations, only answers in the data": ("first_responses", ()),
    "conversations, direct reply to the opening": ("first_responses", ()),
    "waits: every time a customer was left waiting": ("waits", ()),
    "complaints": ("complaints_due", ()),
    "complaints, answers at an unknown time not believed": ("complaints_due", ()),
    "of all calls offered": ("calls_offered", ()),
    "of calls answered (abandons left out)": ("calls_answered", ()),
}


def definition_cells(shown: pd.DataFrame) -> list[selection.Cell]:
    """What each definition is counted over, where a list of rows can show exactly that."""
    return [
        selection.Cell(f"Counted over: {text}", *_cell_of(text))
        for text in shown["definition"]
        if text in _DEFINITION_ROWS
    ]


def _cell_of(definition: str) -> tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    measure, changes = _DEFINITION_ROWS[definition]
    return measure, (), changes


def _rowless(shown: pd.DataFrame) -> str:
    """The definitions whose grain no list of rows has."""
    names = [text for text in shown["definition"] if text not in _DEFINITION_ROWS]
    return f" No list of rows shows what these count: {'; '.join(names)}." if names else ""


def teams(wanted: Filter) -> None:
    """Teams and agents against chance and channel mix, queue-jumping and orphans."""
    group = choices.one_of("Compare", GROUPS, "funnel_by")
    frame = data.funnel(wanted, (group,))
    whose = (
        "by who answered, against all that were answered; the unanswered belong to nobody and are not drawn."
        if group == "agent"
        else "by assigned team, the unanswered in it."
    )
    figure = charts_silence.funnel_plot(frame, group)
    marks = (
        " Between the lines is chance (95 % dotted, 99.8 %); brown: outside, named where there is room; grey: under "
        "30."
        if len(figure.data)
        else ""
    )
    panel.chart(
        "funnel",
        figure,
        frame,
        wanted,
        finding=findings_silence.funnel(frame, group, wanted.teams if group == "team" else ()),
        counted="Of all waits, not only the first of each conversation as on the card above, the share answered "
        f"within target, at one channel mix, {whose}{marks}" + findings_silence.alone(frame, group),
        cells=lambda: selection.cells(frame, (group,), "waits_target_due"),
        charted=("adjusted_share", "in_target_share"),
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Who jumps the queue", anchor=False)
        _queue(wanted)
    with right:
        st.subheader("Whose agent is gone", anchor=False)
        orphans = data.orphans(wanted, MOST_ROWS)
        _table(
            orphans,
            "orphans",
            findings_silence.orphaned,
            "Open waits whose last agent wrote nothing for 14 days or now answers for another team, oldest first"
            + (f"; the first {MOST_ROWS}." if len(orphans) == MOST_ROWS else "."),
            wanted,
        )


def _queue(wanted: Filter) -> None:
    """Who answers newer contacts past older complaints, where complaints are known."""
    total = data.ignored_complaints(wanted).iloc[0]
    unknown = "" if total["complaint_count"] else empty.complaints_unknown(wanted)
    if unknown:
        st.text(unknown)
        return
    _table(
        findings_silence.surest_first(data.cherry_picking(wanted)),
        "queue_jumping",
        findings_silence.overtaking,
        "Answered contacts without a complaint that were newer than a complaint still waiting in the same team "
        "and channel; first where the share is surely highest, last what is under 30 and too few to judge. Single "
        "overtakings cannot be opened as rows.",
        wanted,
    )


def _table(frame: pd.DataFrame, name: str, finding: Any, counted: str, wanted: Filter) -> None:
    said = finding(frame)
    panel.title(said)
    if len(frame):
        zone = data.scoped(wanted).zone
        if name == "orphans":
            shown = frame.drop(columns=["customer_id", "conversation_id", "agent_team", "agent_last_seen_at"])
            place = tables.pick(shown, zone, key=name, alt=said, most_height=240)
            if place is not None:
                found = str(frame.iloc[place]["conversation_id"])
                selection.conversation_link("Open the chosen conversation", wanted, found)
        else:
            limits = [str(column) for column in frame if str(column).endswith(("_low", "_high"))]
            tables.show(frame.drop(columns=limits), zone, alt=said, most_height=240)
        downloads.shown(frame, name)
    st.caption(words.markdown(panel.caption(wanted, counted)))


def rate_card(unit: str, wanted: Filter, complaints: Any, past: Any) -> cards.Card:
    """The ignored share per complaint, conversation or customer."""
    own = headlines.ignored_share(complaints, past, wanted)
    if unit == "complaint":
        return own
    before = cards.before(wanted)
    now: Any = data.ignored_rates(wanted).set_index("unit_counted").loc[unit]
    then = data.ignored_rates(before).set_index("unit_counted").loc[unit] if before else None
    part, whole = now["ignored_in_time_count"], now["due_count"]
    return dataclasses.replace(
        own,
        label=f"{UNITS[unit]}s with an ignored complaint",
        value=words.percent(now["ignored_share"]),
        comparison=cards.change_words(now, then, "ignored_share", wanted, count="due_count"),
        basis=f"{words.count(part)} of {words.counted(whole, unit)}",
        numerator=words.counted_as(part, f"{unit}s with a complaint that no human answered in time, anywhere"),
        denominator=words.counted_as(whole, f"{unit}s with a complaint old enough to be judged"),
        interval=cards.interval(now, "ignored_share"),
    )


def states_or_published(channels: pd.DataFrame, total: Any, wanted: Filter) -> None:
    """Complaints by channel: what happened to them, or the ignored share beside published figures."""
    if st.toggle("Show published figures", key="published_ignored", help="Ignored share beside what others measured"):
        published(
            "ignored_by_channel",
            channels,
            "ignored_share",
            "due_count",
            wanted,
            "of complaints ignored",
            theme.IGNORED,
        )
        return
    panel.chart(
        "states_by_channel",
        charts.response_states_bar(channels),
        channels,
        wanted,
        finding=findings.response_states(channels, "channel"),
        counted="Per cent of each channel's complaints by what happened to them so far; at the right, how many. "
        f"{words.counted(total['complaint_count'], 'complaint')}.{_wordless(channels)}",
        cells=lambda: _state_cells(channels),
        rows="complaints",
    )


def _wordless(channels: pd.DataFrame) -> str:
    """Why the phone can look better here than it is."""
    if "phone" not in set(channels["channel"]):
        return ""
    return " Callers who hung up left no words, so they are no complaints: Response times counts them."


def _state_cells(channels: pd.DataFrame) -> list[selection.Cell]:
    return [
        cell
        for state in theme.STATE_ORDER
        for cell in selection.cells(
            channels[channels[f"{state}_count"] > 0],
            ("channel",),
            f"complaints_{state}",
            prefix=f"{words.value('state', state)}: ",
        )
    ]


def in_target_or_published(channels: pd.DataFrame, wanted: Filter, counted: str) -> None:
    """By channel: the share answered within target, or answered at all beside published figures."""
    if st.toggle(
        "Show published figures", key="published_answered", help="Answered share beside what others measured"
    ):
        published("answered_by_channel", channels, "answered_share", "conversation_count", wanted, "answered at all")
        return
    panel.share_by_group(
        "in_target_by_channel", channels, "channel", "in_target_share", "target_due_count", wanted,
        measure="target_due", done="answered within target", counted=counted,
    )  # fmt: skip


def published(
    name: str, frame: pd.DataFrame, share: str, count: str, wanted: Filter, done: str, color: str | None = None
) -> None:
    """A share by channel with the published figures that can stand beside it."""
    present = set(frame.loc[frame[count] > 0, "channel"])
    figures = [figure for figure in figures_for(share) if figure.channel in present]
    measure = _DUE[share]
    figure = charts.share_bar(frame, "channel", share, count, measure=measure, color=color)
    panel.chart(
        name,
        charts_silence.with_published(figure, "channel", figures),
        frame,
        wanted,
        finding=findings.groups_apart(frame, "channel", share, count, done),
        counted=f"Bars: this company, 95 % interval. {_marks(figures)}",
        cells=lambda: selection.cells(frame, ("channel",), measure),
        charted=(share, count),
    )


def _marks(figures: list[PublishedFigure]) -> str:
    if not figures:
        return "No published figure fits the channels of this filter."
    return f"Upright marks: published elsewhere. {findings_silence.published(figures)}"


def hours(wanted: Filter) -> None:
    """Hour by weekday in the reporting zone."""
    show = choices.one_of("Hour of the week", HOURS, "hours_show")
    frame = data.ignored_complaints(wanted, ("weekday", "hour"))
    what = (
        "Share of complaints old enough to be judged that nobody answered in time; grey under 30. Each hour is tested "
        "against all others."
        if show == "share"
        else "Complaints by hour and weekday of the complaint."
    )
    measure = "complaints_ignored_in_time" if show == "share" else "complaints"
    panel.chart(
        "hours",
        charts_silence.hour_weekday_heatmap(frame, show),
        frame,
        wanted,
        finding=findings_silence.hours(frame, show),
        counted=what,
        cells=lambda: selection.cells(
            frame[frame["ignored_in_time_count"] > 0] if show == "share" else frame, ("weekday", "hour"), measure
        ),
        rows=measure,
        charted=("ignored_share",) if show == "share" else ("complaint_count",),
    )


def ignored_by_period(wanted: Filter, counted: str) -> None:
    """The ignored share over time with what provisional periods will come to."""
    frame, later = data.ignored_complaints(wanted, ("period",)), data.maturity(wanted)
    cut, done = panel.cut_periods(frame, wanted), "of complaints ignored"
    panel.chart(
        "ignored_by_period",
        charts_silence.ignored_by_period_line(frame, later, grain=wanted.grain, cut=cut),
        _with_expected(frame, later),
        wanted,
        finding=findings.over_time(frame, "ignored_share", "due_count", done, wanted.grain, cut),
        counted=f"{counted}{findings_silence.expected(later, wanted.grain)}{panel.hollow(frame, wanted)}",
        cells=lambda: selection.cells(frame, ("period",), "complaints_due", grain=wanted.grain),
        charted=("ignored_share",),
    )


@kept
def _with_expected(frame: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    columns = ["period", *(name for name in later.columns if name.startswith("expected_"))]
    return frame.merge(later[columns], on="period", how="left")


def backlog(ages: pd.DataFrame, waiting: Any, wanted: Filter) -> None:
    """Open waits by age; where nobody waits, that alone."""
    said = findings.backlog(waiting)
    counted = "Open waits by age, whenever they began: a reply is needed, and no human gave one, here or elsewhere."
    if not waiting["open_count"]:
        panel.told(wanted, said, counted)
        return
    panel.chart(
        "backlog_by_age",
        charts.backlog_by_age_bar(ages),
        ages,
        wanted,
        finding=said,
        counted=counted,
        cells=lambda: selection.cells(ages, ("age",), "open_waits"),
    )


def listed(wanted: Filter) -> Filter:
    """The filter of the worklist: all unanswered, those with time left, or the ignored."""
    if wanted.states:
        return wanted
    state = choices.one_of("Which", LISTED, "worklist_state")
    return wanted.replace(states=(state,)) if state else wanted


def unrecorded(wanted: Filter) -> None:
    """Why conversations are missing here: their source cannot tell whether anybody answered."""
    known, total = data.response_recorded(wanted)
    missing = total - known
    if missing:
        st.caption(
            f"Left out of every figure here: {missing:,} of {words.counted(total, 'conversation')} whose source "
            "cannot tell whether anybody answered, such as service requests, or tickets without their comments. "
            "The page Data names the sources without response times."
        )


def settings_used(wanted: Filter) -> None:
    """Targets and calendars in force, with their dates."""
    settings = data.status().settings
    text = findings_silence.targets(settings, data.filter_options()["channel"])
    st.caption(words.markdown(f"{text} {findings_silence.calendars(settings, wanted.clock)}"))


def customers_of_door(wanted: Filter) -> None:
    """Share of customers per age group who used a door at all, beside published figures."""
    door = choices.one_of("Customers who use", DOORS, "published_door")
    wished = SOCIAL if door == "social" else (door,)
    channels = tuple(channel for channel in wished if not wanted.channels or channel in wanted.channels)
    frame = data.customers_using(wanted, channels)
    if not frame["customer_count"].sum():
        st.text(f"No customer of this filter used {words.in_sentence(DOORS[door])}.")
        return
    is_published = st.toggle("Show published figures", key="published_customers", help="Beside what surveys found")
    figures = [figure for figure in figures_for("customer_share") if figure.channel == door and is_published]
    bars = charts.share_bar(frame, "age_group", "customer_share", "everybody_count", measure="contacts")
    narrowed = wanted.replace(channels=channels)
    panel.chart(
        "customers_of_door",
        charts_silence.with_published(bars, "age_group", figures),
        frame,
        narrowed,
        finding=findings_silence.shares_by_age(frame, words.in_sentence(DOORS[door])),
        counted="Of each age group's customers with any contact, those who used it; 95 % interval."
        + (f" {_marks(figures)}" if is_published else ""),
        cells=lambda: selection.cells(frame, ("age_group",), "contacts"),
        charted=("customer_share", "customer_count", "everybody_count"),
    )


def standardised(wanted: Filter) -> None:
    """In-target share by age group, as it is and at one channel mix."""
    frame = data.standardised(wanted)
    if frame.empty:
        st.text("No conversation of this filter is old enough to be judged against its target.")
        return
    covered = words.percent(float(frame["covered_share"].iloc[0]))
    panel.chart(
        "standardised",
        charts_age.standardised_dumbbell(
            frame,
            "in_target_share",
            "standardised_share",
            "target_due_count",
            ("overall_share", "same_share"),
            measure="target_due",
        ),
        frame,
        wanted,
        finding=findings_silence.channel_part(frame, wanted.age_groups),
        counted="Answered within target, of conversations whose target has passed; at the right, how many. Dotted: "
        f"{findings.everybody(wanted.age_groups)} as they are; dashed, to be compared with the filled marks: the same "
        f"on the channels that every group uses, {covered} of conversations.",
        cells=lambda: selection.cells(frame, ("age_group",), "target_due"),
        charted=("in_target_share", "standardised_share"),
    )
