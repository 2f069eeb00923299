"""How one text was read: the words that made its score, and the cues. Plain text and tables only."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import streamlit as st

from pages.components import data, words

MOST_WORDS = 8
_SUPPLIED = "supplied"
_CUES = {
    "complaint": "Complaint",
    "topics": "Topic",
    "blamed_channel": "Blames",
    "no_reply_needed": "Asks for no reply",
}


def show(event: dict[Any, Any], brand: Any, key: str) -> None:
    """Under a readable text: why it has no score, that the source supplied it, or what made it."""
    if not event["is_readable"]:
        return
    scorer, reason, evidence = (_text(event[name]) for name in ("sentiment_scorer", "not_scored_reason", "evidence"))
    if scorer == _SUPPLIED:
        st.caption("Sentiment supplied by the source, not read here.")
    elif not scorer and event["direction"] == "inbound":
        st.caption(words.markdown(f"Not scored: {reason}." if reason else "Not scored."))
    is_ours = bool(scorer) and scorer != _SUPPLIED
    if not is_ours and not evidence:
        return
    with st.expander("How this was read", key=f"read_{key}", type="compact", on_change="rerun") as opened:
        if opened.open:
            if is_ours:
                _score(event, scorer, None if pd.isna(brand) else str(brand))
            _cues(evidence)


def _score(event: dict[Any, Any], scorer: str, brand: str | None) -> None:
    st.text(
        f"Score {event['sentiment_score']:+.2f}, from −1 (negative) to +1 (positive): "
        f"{event['sentiment_label']}. Read by {scorer}."
    )
    if not data.is_explainable(scorer):
        st.caption("This scorer cannot show its words, or is another version than the one installed.")
        return
    found = data.explained(str(event["text"]), brand)
    if not found:
        st.text("No known word: it is read as a text that says nothing.")
        return
    st.dataframe(
        pd.DataFrame(
            {
                "Words": [word for word, _ in found[:MOST_WORDS]],
                "Towards": ["positive" if weight > 0 else "negative" for _, weight in found[:MOST_WORDS]],
                "Weight": [weight for _, weight in found[:MOST_WORDS]],
            }
        ),
        hide_index=True,
        alt="Words that made the score, the strongest first",
        column_config={
            "Weight": st.column_config.NumberColumn(format="%+.2f", help="Log-odds of positive over negative")
        },
    )
    if len(found) > MOST_WORDS:
        st.caption(f"The {MOST_WORDS} strongest of {len(found)}.")


def _cues(evidence: str) -> None:
    rows = cue_rows(evidence)
    if rows.empty:
        st.text("No cue of a complaint, topic or blamed channel.")
        return
    st.dataframe(rows, hide_index=True, alt="Cues found in the text", placeholder=words.NOTHING)


def cue_rows(evidence: str) -> pd.DataFrame:
    """The stored evidence as rows: what was read, because of which words, with which weight where there is one."""
    try:
        found = json.loads(evidence) if evidence else {}
    except ValueError:
        found = {"": [evidence]}
    rows: list[tuple[str, str, float | None]] = []
    for kind, value in found.items() if isinstance(found, dict) else ():
        name = _CUES.get(kind, str(kind))
        if kind == "topics" and isinstance(value, dict):
            rows += [
                (f"{name}: {words.in_sentence(words.value('topic', topic))}", ", ".join(map(str, said)), None)
                for topic, said in value.items()
            ]
        elif kind in ("complaint", "blamed_channel") and isinstance(value, list):
            dimension = "channel" if kind == "blamed_channel" else "topic"
            for group, said, weight in (part for part in value if isinstance(part, list) and len(part) == 3):
                rows.append((f"{name}: {words.in_sentence(words.value(dimension, group))}", str(said), float(weight)))
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value), None))
    return pd.DataFrame(rows, columns=["Read as", "Because of", "Weight"]).astype({"Weight": "float64"})


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)
