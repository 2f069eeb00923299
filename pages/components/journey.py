"""One customer's journey on one time line, one conversation in full. Customer text is plain text only."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from data_access.filters import Filter
from pages.components import (
    charts_journey,
    data,
    downloads,
    findings_age,
    panel,
    reading,
    selection,
    tables,
    words,
)

MOST_OTHERS = 20
MOST_EVENTFUL = 8
_CONFIG = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False, "showTips": False}


def timeline(wanted: Filter, conversation_id: str) -> None:
    """The whole journey of the customer of this conversation; a click on a mark opens its conversation."""
    found = data.conversation_of(wanted, conversation_id)
    if found.empty:
        return
    frame = data.journey_of(wanted, str(found.iloc[0]["customer_id"]))
    if frame["conversation_id"].nunique() < 2:
        return
    zone = data.scoped(wanted).zone
    said = findings_age.journey(frame)
    with st.container(gap="xsmall", key="panel_journey"):
        panel.title(f"This customer's journey: {said}")
        figure = panel.readable(charts_journey.journey_timeline(frame, zone, conversation_id))
        event = st.plotly_chart(
            figure,
            key="chart_journey",
            on_select="rerun",
            selection_mode="points",
            config=_CONFIG,
            alt=f"Journey: {said}",
        )
        hidden = "" if frame["is_readable"].all() else " Of other teams' conversations only channel, time and state."
        counted = (
            "Every conversation of the customer, whatever the filter, in order: bars are waits until the answer or "
            "as-of, red where beyond the target; red dot: failed in any wait. Ignored and late are counted "
            f"by wait, of which a conversation can have several.{hidden}"
        )
        st.caption(words.markdown(panel.caption(wanted, counted)))
        with st.expander("Table and CSV", key="behind_journey", type="compact", on_change="rerun") as behind:
            if behind.open:
                shown = frame.drop(columns=["customer_id", "conversation_id"])
                tables.show(shown, zone, alt=f"Journey: {said}", most_height=260)
                downloads.shown(frame, "journey")
    _follow(event, conversation_id)


def _follow(event: Any, opened: str) -> None:
    """Open the conversation of the mark that was clicked, once."""
    points = event.selection.points if event else []
    if not points:
        st.session_state.pop("journey_followed", None)
        return
    clicked = points[0].get("customdata")
    clicked = list(clicked.values()) if isinstance(clicked, dict) else clicked
    if not isinstance(clicked, list | tuple) or len(clicked) != 2 or clicked[0] != "conversation":
        return
    wish = str(clicked[1])
    if st.session_state.get("journey_followed") != wish:
        st.session_state["journey_followed"] = wish
        if wish != opened:
            st.query_params["conversation"] = wish
            st.rerun()


def eventful(wanted: Filter) -> None:
    """The customers whom we failed on most channels, each with a link to the journey."""
    frame = data.eventful_customers(wanted, MOST_EVENTFUL)
    is_known = len(frame) > 0 or bool(data.repeat_contacts(wanted).iloc[0]["recognisable_count"])
    panel.title(findings_age.eventful(frame, is_anybody_known=is_known))
    extent = f"The first {MOST_EVENTFUL}; the CSV has all." if len(frame) == MOST_EVENTFUL else ""
    if len(frame):
        zone = data.scoped(wanted).zone
        shown = frame.drop(columns=["customer_id", "first_at", "equally_ignored_count"])
        place = tables.pick(shown, zone, key="eventful", alt="Customers whom we failed on most channels")
        number = 0 if place is None else place
        row = frame.iloc[number]
        label = "Open the chosen journey" if place is not None else "Open the first journey"
        selection.journey_link(label, wanted, str(row["customer_id"]))
        downloads.eventful(wanted, "eventful_customers")
    st.caption(
        words.markdown(
            panel.caption(
                wanted,
                "Customers with two conversations or more in the filter, by the number of channels on which a wait, "
                "complaint or not, was ignored (calls given up included); late: answered or still waiting past the "
                f"target. {extent}",
            )
        )
    )


def show(wanted: Filter, conversation_id: str) -> None:
    """The head, the events in order, and where else this customer spoke to us."""
    found = data.conversation_of(wanted, conversation_id)
    if found.empty:
        st.info("This conversation is not in the store, or not among what you may see.", title="No such conversation")
        return
    head = found.iloc[0]
    zone = data.scoped(wanted).zone
    _head(wanted, head, zone)
    for place, event in enumerate(data.conversation_events(wanted, conversation_id).to_dict("records")):
        _event(event, zone, head["brand"], f"{conversation_id}_{place}")
    _others(wanted, head, zone)


_NO_ANSWER = {"answered_unknown_time": "at an unknown time", "answered_elsewhere": "none here"}


def _state(row: Any) -> str:
    """The state of a conversation, which of one with a complaint is not that of its first answer."""
    state = words.value("state", row["response_state"]) if pd.notna(row["response_state"]) else "No reply needed"
    return f"Complaint {words.in_sentence(state)}" if pd.notna(row["is_complaint"]) and row["is_complaint"] else state


def _head(wanted: Filter, head: Any, zone: str) -> None:
    facts = data.customer_facts(wanted, str(head["customer_id"]))
    name = facts.iloc[0]["display_name"] if len(facts) and pd.notna(facts.iloc[0]["display_name"]) else None
    handle = facts.iloc[0]["handle"] if len(facts) and pd.notna(facts.iloc[0]["handle"]) else None
    title = f"{words.value('channel', head['channel'])}: {_state(head)}"
    st.markdown(f"**{words.markdown(title)}**")
    parts = [
        str(name or handle or "Customer without a name"),
        f"age {words.value('age_group', head['age_group']).lower()}",
    ]
    parts += [str(head[column]) for column in ("brand", "team") if pd.notna(head[column])]
    parts += [words.value("topic", head["topic"])] if pd.notna(head["topic"]) and head["topic"] != "unknown" else []
    first = words.minutes(head["first_response_minutes"], _NO_ANSWER.get(str(head["opening_state"]), "none so far"))
    st.text(f"{' · '.join(parts)}\nOpened {words.moment(head['opened_at'], zone)}; first answer: {first}")


def _event(event: dict[Any, Any], zone: str, brand: Any, key: str) -> None:
    is_customer = event["direction"] == "inbound"
    who = {"customer": "Customer", "bot": "Bot", "system": "Automatic", "agent": "We"}.get(
        str(event["author_kind"]), "We"
    )
    if not is_customer and pd.notna(event["agent"]):
        who = f"{who}: {event['agent']}" if who == "We" else who
    marks = ["complaint"] if event["is_complaint"] is True else []
    marks += [str(event["sentiment_label"])] if is_customer and pd.notna(event["sentiment_label"]) else []
    marks += ["asks for no reply"] if is_customer and not event["needs_reply"] else []
    marks += ["internal note, not seen by the customer"] if not event["is_visible"] else []
    line = f"{who}, {words.moment(event['occurred_at'], zone)}" + (f" ({', '.join(marks)})" if marks else "")
    with st.container(border=is_customer, gap="xxsmall", key=None):
        st.caption(words.markdown(line))
        if not event["is_readable"]:
            st.caption("Another team's conversation: its text is not shown to you.")
        else:
            st.text(str(event["text"]) if pd.notna(event["text"]) else "(no text in the source)")
            reading.show(event, brand, key)


def _others(wanted: Filter, head: Any, zone: str) -> None:
    others = data.customer_conversations(wanted, str(head["customer_id"]))
    others = others[others["conversation_id"] != head["conversation_id"]]
    if others.empty:
        st.caption("No other conversation of this customer is known.")
        return
    panel.title(f"{words.counted(len(others), 'other conversation')} of this customer")
    for row in others.tail(MOST_OTHERS).to_dict("records"):
        when = "before" if row["opened_at"] < head["opened_at"] else "after"
        channel = words.value("channel", row["channel"])
        label = f"{channel}, {words.moment(row['opened_at'], zone)}, {when}: {words.in_sentence(_state(row))}"
        selection.conversation_link(label, wanted, str(row["conversation_id"]))
