"""Labelling: a manager reads sampled texts and says what they are; the scorer's error is measured from that.

Customer text is plain text only, and the score of a text is not shown before its label is saved.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from data_access.annotations import SAMPLE_SIZE
from data_access.estimates import SMALL_SAMPLE
from data_access.vocabulary import SENTIMENTS
from pages.components import data, downloads, findings_sentiment, tables, words

_ROUND, _LAST = "label_round", "label_last"
_MOST_ROUNDS = 20
_SHOWN = ["task", "labelled_count", "agreement_share", "labelled_share", "scored_share"]
_COMPLAINT = {True: "Complaint", False: "No complaint"}


def show() -> None:
    """The measured error, and the next text of the sample to label."""
    store = data.label_store()
    if store.engine is None:
        st.text(f"Texts cannot be labelled here: {store.reason}.")
        st.caption(words.markdown(findings_sentiment.honesty(pd.DataFrame()).sentence))
        return
    place, right = st.columns(2, gap="medium")
    with right:
        _error()
    with place:
        _next()


def _error() -> None:
    measured = data.measured_error()
    if measured.empty:
        st.text("Nothing is labelled yet, so the error of the scorer on these texts is not known.")
    else:
        for line in findings_sentiment.measured(measured):
            st.text(line)
        tables.show(measured[_SHOWN], data.scoped_zone(), alt="Measured error of the scorer against the labels")
        downloads.shown(measured, "measured_error")
        if int(measured["labelled_count"].max()) < SMALL_SAMPLE:
            st.caption(f"Under {SMALL_SAMPLE} labels this is a first look; the pages use it from {SMALL_SAMPLE} on.")
    st.caption(words.markdown(findings_sentiment.honesty(measured).sentence))


def _next() -> None:
    done = data.labelled_ids()
    number = int(st.session_state.get(_ROUND, 1))
    sample = data.label_sample(_seed(number))
    if sample.empty:
        st.text(
            "There is no text to label: none that you may read was scored here. Scores of a source are not judged."
        )
        return
    is_done = sample["interaction_id"].isin(done)
    labelled = int(is_done.sum())
    st.progress(labelled / len(sample), text=f"{labelled} of {len(sample)} labelled")
    _last()
    if labelled == len(sample):
        st.text("This sample is done. Thank you.")
        if len(sample) == SAMPLE_SIZE and st.button(f"Draw another {SAMPLE_SIZE}", key="label_more"):
            st.session_state[_ROUND] = _open_round(number, done)
            st.rerun()
        return
    row = sample[~is_done].iloc[0]
    with st.form("label_form", border=True):
        st.caption(
            words.markdown(
                f"{words.value('channel', row['channel'])}, {words.moment(row['occurred_at'], data.scoped_zone())}"
            )
        )
        st.text(str(row["text"]))
        own = str(row["interaction_id"])
        sentiment = st.radio(
            "How does the customer sound?",
            list(SENTIMENTS),
            format_func=str.capitalize,
            index=None,
            horizontal=True,
            key=f"label_sentiment_{own}",
        )
        complaint = st.radio(
            "Is it a complaint?",
            list(_COMPLAINT),
            format_func=_COMPLAINT.__getitem__,
            index=None,
            horizontal=True,
            key=f"label_complaint_{own}",
        )
        is_sent = st.form_submit_button("Save and next")
    if not is_sent:
        return
    if sentiment is None or complaint is None:
        st.warning("Choose how the customer sounds, and whether it is a complaint.")
        return
    data.save_label(own, sentiment, is_complaint=complaint)
    st.session_state[_LAST] = _compared(row, sentiment, is_complaint=complaint)
    st.rerun()


def _last() -> None:
    last = st.session_state.get(_LAST)
    if last:
        st.text(last)


def _compared(row: pd.Series, sentiment: str, *, is_complaint: bool) -> str:
    read = f"{row['scored_sentiment']}, {_COMPLAINT[bool(row['scored_is_complaint'])].lower()}"
    return f"Saved: {sentiment}, {_COMPLAINT[is_complaint].lower()}. The scorer read it as {read}."


def _seed(number: int) -> str:
    return "" if number == 1 else str(number)


def _open_round(number: int, done: set[str]) -> int:
    """The next sample in which a text is left; draws are independent of the scores, so any is random."""
    for following in range(number + 1, number + _MOST_ROUNDS):
        if not data.label_sample(_seed(following))["interaction_id"].isin(done).all():
            return following
    return number + 1
