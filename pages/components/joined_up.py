"""Parts of the page "Joined-up service": the choice of days and topic, cards, flow, ranking, range of days."""

from __future__ import annotations

import dataclasses

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from pages.components import cards, charts, charts_joined_up, choices, data, empty, findings, panel, selection, words
from pages.components import findings_joined_up as said
from pages.components.cards import Card
from pages.components.selection import Cell

ALL_OF = {"back_door": "complaints in public", "repeats": "conversations", "resolved": "conversations"}
TOPICS = {"fitting": "Same or unknown topic", "any": "Any topic"}
RANKINGS = {"doors": "Front doors", "age_group": "Age groups", "repeats": "Repeat contacts by channel"}
RANGES = {"back_door": "Back door", "repeats": "Repeat contacts", "resolved": "No further contact"}
MOST_ARROWS = 12


@dataclasses.dataclass(frozen=True)
class Looked:
    """What is looked at: the filter with its window of days, and how much the topic matters."""

    wanted: Filter
    topic: str

    @property
    def days(self) -> int:
        """N."""
        return self.wanted.within_days

    @property
    def cell(self) -> tuple[tuple[str, str], ...]:
        """The cell that every link of the page carries, so that the rows are those of this N."""
        return (("within_days", str(self.days)),)

    def measure(self, name: str) -> str:
        """A measure of repeat contacts under the chosen reading of topics."""
        return f"{name}_any_topic" if self.topic == "any" else name


def choose(wanted: Filter) -> Looked:
    """The days within which contacts belong together, and the topic; both change every figure at once."""
    ours, days = data.scoped(wanted).within_days, data.windows(wanted)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        labels = {n: words.counted(n, "day") + (" (setting)" if n == ours else "") for n in days}
        chosen = choices.one_of("Contacts belong together within", labels, "within_days", first=ours)
        topic = choices.one_of("Repeat contacts are about", TOPICS, "repeat_topic")
    return Looked(wanted.replace(within_days=chosen), topic)


def headline(looked: Looked) -> bool:
    """The cards; False where there is nothing to look at, which is then said."""
    wanted = looked.wanted
    again = data.repeat_contacts(wanted, (), looked.topic).iloc[0]
    if not again["conversation_count"]:
        empty.nothing(wanted)
        return False
    before = cards.before(wanted)
    total, past = data.back_door(wanted).iloc[0], data.back_door(before).iloc[0] if before else None
    again_past = data.repeat_contacts(before, (), looked.topic).iloc[0] if before else None
    cards.row(
        [
            _back_door_card(total, past, looked),
            _repeat_card(again, again_past, looked),
            _resolution_card(again, looked),
            _coverage_card(total, looked),
        ],
        wanted,
    )
    return True


def _back_door_card(total: said.Row, past: said.Row | None, looked: Looked) -> Card:
    part, whole = words.count(total["back_door_count"]), total["known_private_count"]
    is_known = bool(total["known_private_count"])
    return Card(
        label="Came by the back door",
        value=words.percent(total["back_door_share"]) if is_known else "Not known",
        comparison=cards.change_words(total, past, "back_door_share", looked.wanted, count="known_private_count")
        if is_known
        else "No complaint can be told here"
        if _untold(total, looked.wanted)
        else "No complaint in public of a customer known in private",
        basis=f"{part} of {words.counted(whole, 'complaint')}",
        measure="back_door",
        metric="back_door_share",
        interval=cards.interval(total, "back_door_share"),
        numerator=f"{part} after a private contact that had failed in the {words.counted(looked.days, 'day')} before",
        denominator=words.counted_as(whole, "complaints in public of customers known on a private channel"),
        cell=looked.cell,
    )


def _repeat_card(again: said.Row, past: said.Row | None, looked: Looked) -> Card:
    part, whole = words.count(again["repeat_count"]), words.count(again["recognisable_count"])
    return Card(
        label="Repeat contacts",
        value=words.percent(again["repeat_share"]) if again["recognisable_count"] else "Not known",
        comparison=f"{again['contacts_per_issue']:.2f} contacts per issue. "
        + cards.change_words(again, past, "repeat_share", looked.wanted, count="recognisable_count")
        if again["recognisable_count"]
        else "No customer can be recognised",
        basis=f"{part} of {whole}",
        measure=looked.measure("repeat_contacts"),
        metric="repeat_share",
        interval=cards.interval(again, "repeat_share"),
        numerator=f"{part} within {words.counted(looked.days, 'day')} of another; {TOPICS[looked.topic].lower()}",
        denominator=words.counted_as(again["recognisable_count"], "conversations of customers who can be recognised"),
        cell=looked.cell,
    )


def _resolution_card(again: said.Row, looked: Looked) -> Card:
    part, whole = words.count(again["no_further_contact_count"]), words.count(again["judged_count"])
    silent = again["no_further_contact_unanswered_count"]
    unanswered = f"{words.counted(silent, 'contact')} without a further one {'is' if silent == 1 else 'are'}"
    blind = said.resolution(again, len(data.store_channels()))
    return Card(
        label="No further contact",
        value=words.percent(again["no_further_contact_share"]) if again["judged_count"] else "Not known",
        comparison=f"{blind}. {unanswered} not answered so far" if again["judged_count"] else blind,
        basis=f"{part} of {whole} judged",
        measure=looked.measure("no_further_contact"),
        metric="no_further_contact_share",
        interval=cards.interval(again, "no_further_contact_share"),
        numerator=f"{part} without a further contact on any channel within {words.counted(looked.days, 'day')}",
        denominator=words.counted_as(
            again["judged_count"], f"first contacts whose {words.counted(looked.days, 'day')} have passed"
        ),
        cell=looked.cell,
    )


def _coverage_card(total: said.Row, looked: Looked) -> Card:
    known = words.count(total["known_private_count"])
    whole = words.counted(total["public_complaint_count"], "complaint")
    has_any = bool(total["public_complaint_count"])
    return Card(
        label="Public complaints we can trace",
        value=words.percent(total["known_private_share"]) if has_any else words.NOTHING,
        comparison="Their customer is known on a private channel; of the others nothing can be said",
        basis=f"{known} of {whole}",
        measure="public_complaints_known",
        metric="known_private_share",
        numerator=f"{known} of customers known on a private channel when they posted",
        denominator=f"{whole} in public",
    )


def _untold(total: said.Row, wanted: Filter) -> str:
    """Why no complaint in public could be known; empty where one could."""
    return "" if total["public_complaint_count"] else empty.complaints_unknown(wanted.replace(visibility="public"))


def _unknown(wanted: Filter) -> str:
    """Why nothing can be said of the back door; empty where something can."""
    total, shown = data.back_door(wanted).iloc[0], data.scoped(wanted)
    untold = _untold(total, wanted)
    return said.back_door_unknown(total, data.store_channels(), is_limited=shown.is_limited, complaints_unknown=untold)


def flow(looked: Looked) -> None:
    """The Sankey from front door to back door; or why it cannot be drawn."""
    wanted = looked.wanted
    total, unknown = data.back_door(wanted).iloc[0], _unknown(wanted)
    if unknown:
        st.info(words.markdown(unknown), title="The back door cannot be seen here")
        return
    frame = data.back_door_flow(wanted)
    sentence = said.flow(frame, total, looked.days)
    ended = said.stopped(data.status().complete_to, data.status().as_of, looked.days)
    counted = said.flow_counted(total, looked.days) + ended
    if frame.empty:
        panel.told(wanted, sentence, counted)
        return
    arrows = [
        Cell(
            f"{words.value('channel', row['front_channel'])} → {words.value('channel', row['channel'])}: "
            f"{words.count(row['back_door_count'])}, posted after {words.minutes(row['median_minutes_waited'])}",
            "back_door",
            (("front_channel", row["front_channel"]), ("channel", row["channel"]), *looked.cell),
        )
        for row in frame.to_dict("records")
    ]
    panel.chart(
        "back_door_flow",
        charts_joined_up.back_door_sankey(frame),
        frame,
        wanted,
        finding=sentence,
        counted=counted,
        cells=lambda: arrows,
        rows="back_door",
    )
    with st.container(horizontal=True, gap="xsmall", key="back_door_arrows"):
        for arrow in arrows[:MOST_ARROWS]:
            selection.link(arrow.label, wanted, arrow.measure, arrow.values, help="Open these complaints in public")


def ranking(looked: Looked) -> None:
    """Which door fails worst, which ages are failed, where customers come again: one chart, one choice."""
    wanted = looked.wanted
    by = choices.one_of("Compare", RANKINGS, "joined_up_ranking")
    if by == "doors":
        frame = data.front_doors(wanted)
        if not frame["failed_contact_count"].sum():
            st.text("No private contact of this filter failed, or none is old enough to be judged.")
            return
        unknown = said.doors_unknown(frame, data.store_channels(), tells_complaints=data.tells_public_complaints())
        if unknown:
            st.text(unknown)
            return
        seen = frame[said.has_public_account(frame)]
        _bars(
            "front_doors", seen, "channel", "came_out_share", "failed_contact_count", looked, "failed_contacts",
            finding=said.doors(seen, looked.days), counted=said.doors_counted(frame), also="came_out",
        )  # fmt: skip
        return
    if by == "age_group":
        frame = data.back_door(wanted, ("age_group",))
        if not frame["known_private_count"].sum():
            st.text(_unknown(wanted))
            return
        share, count = "back_door_share", "known_private_count"
        _bars(
            "back_door_by_age", frame, "age_group", share, count, looked, "public_complaints_known",
            finding=findings.groups_apart(frame, "age_group", share, count, "came by the back door"),
            counted="Of complaints in public of customers known on a private channel "
            f"({_stands_on(frame, count, 'public_complaint_count')} complaints in public), those after a private "
            "contact that had failed, by age at the time of the post; 95 % interval, under 30 greyed.",
            also="back_door",
        )  # fmt: skip
        return
    frame = data.repeat_contacts(wanted, ("channel",), looked.topic)
    share, count = "repeat_share", "recognisable_count"
    _bars(
        "repeats_by_channel", frame, "channel", share, count, looked, "recognisable",
        finding=findings.groups_apart(frame, "channel", share, count, "are repeat contacts"),
        counted="Of conversations of customers who can be recognised "
        f"({_stands_on(frame, count, 'conversation_count')}), those within {words.counted(looked.days, 'day')} of "
        "another on any channel, by their own channel; 95 % interval, "
        "under 30 greyed.", also=looked.measure("repeat_contacts"),
    )  # fmt: skip


def _stands_on(frame: pd.DataFrame, count: str, whole: str) -> str:
    """On which share of all a figure stands; the rows of the frame are parts of the whole."""
    return f"{words.percent(frame[count].sum() / max(frame[whole].sum(), 1))} of {words.count(frame[whole].sum())}"


def _bars(
    name: str, frame: pd.DataFrame, dimension: str, share: str, count: str, looked: Looked, measure: str, *,
    finding: str, counted: str, also: str,
) -> None:  # fmt: skip
    figure = charts.share_bar(frame, dimension, share, count, measure=measure)

    def opened() -> list[Cell]:
        found = selection.part_and_whole(frame, dimension, also, measure)
        return [dataclasses.replace(cell, values=(*cell.values, *looked.cell)) for cell in found]

    panel.chart(
        name,
        charts_joined_up.within(figure, looked.days),
        frame,
        looked.wanted,
        finding=finding,
        counted=counted,
        cells=opened,
        rows=measure,
        charted=(share, count),
    )


def by_days(looked: Looked) -> None:
    """The same share for a range of N, so that nobody picks the handy one."""
    wanted = looked.wanted
    what = choices.one_of("For other numbers of days", RANGES, "joined_up_range")
    if what == "back_door":
        frame, share, count, rival = data.back_door_range(wanted), "back_door_share", "known_private_count", ""
        measure, done, of = "back_door", "came by the back door", "complaints in public of customers known in private"
    else:
        frame = data.repeat_contacts_range(wanted, looked.topic)
        is_repeat = what == "repeats"
        share, count = (
            ("repeat_share", "recognisable_count") if is_repeat else ("no_further_contact_share", "judged_count")
        )
        rival = "" if is_repeat else "no_further_contact_same_channel_share"
        measure = looked.measure("repeat_contacts" if is_repeat else "no_further_contact")
        done = "are repeat contacts" if is_repeat else "without a further contact"
        of = (
            "conversations of customers who can be recognised"
            if is_repeat or not frame["recognisable_count"].sum()
            else "first contacts whose days have passed"
        )
    if not frame[count].sum():
        st.text(_unknown(wanted) if what == "back_door" else f"No {of} in this filter.")
        return
    blind = " Dotted: what a tool shows that sees the same channel alone." if rival else ""
    is_back_door = what == "back_door"
    whole = data.back_door(wanted)["public_complaint_count"] if is_back_door else frame["conversation_count"]
    counts = sorted({int(frame[count].min()), int(frame[count].max())})
    stood = " to ".join(words.count(number) for number in counts)
    shares = " to ".join(words.percent(number / max(int(whole.max()), 1)) for number in counts)
    stands_on = f"{stood}: {shares} of {words.count(whole.max())} {ALL_OF[what]}"
    panel.chart(
        f"by_days_{what}",
        charts_joined_up.share_by_window_line(frame, share, count, measure=measure, rival=rival),
        frame,
        wanted,
        finding=said.by_window(frame, share, done),
        counted=f"Of {of} ({stands_on}), by the number of days allowed; filled: the one chosen above; "
        f"95 % interval.{blind}",
        cells=lambda: selection.cells(frame, ("within_days",), measure),
        charted=(share, count),
    )
