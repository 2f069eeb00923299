import streamlit as st

from pages.components import (
    cards,
    data,
    downloads,
    filter_bar,
    headlines,
    labelling,
    panel,
    self_audit,
    tables,
    trust,
    words,
)

MOST_REJECTS = 500

wanted = filter_bar.current()
zone = data.scoped(wanted).zone
status = data.status()
loads, sources, coverage = data.loads(), data.sources(), data.coverage(wanted)
rejected = data.rejected_counts(wanted)
cards.row(headlines.data(status, zone, loads, rejected, sources, coverage), wanted)

left, right = st.columns(2, gap="medium")
with left:
    st.subheader("How much of the data is known")
    trust.coverage(coverage)
    downloads.shown(coverage, "coverage")
    st.caption(words.markdown(panel.caption(wanted, "Of the conversations of this filter.")))
    st.subheader("Who is known on several channels")
    shared = data.shared_identities(wanted)
    st.text(trust.identity_sentence(coverage, shared))
    if not shared.empty:
        trust.shared_identities(shared, zone)
        downloads.shown(shared, "shared_identities")
    st.caption("Customers are joined by ids, addresses, numbers and handles, never by names; identities are masked.")
    st.subheader("Sources, and up to when they are complete")
    tables.show(sources, zone, alt="Sources and up to when they are complete")
    if not sources["has_response_times"].all():
        st.caption(
            "A source without response times knows only resolution or dates: it is in no response time, and where it "
            "cannot tell whether anybody answered, nobody is called ignored."
        )
    st.caption("Silence after a source's last complete moment is not counted as ignored.")
with right:
    st.subheader("What was loaded")
    # A row of a file is read by the loader; "read" of a conversation is another thing.
    shown = loads.rename(columns={"read_count": "rows_read_count"})
    tables.show(shown, zone, alt="Loaded files, newest first", most_height=240)
    downloads.shown(loads, "loads")
    st.subheader("Rejected rows", anchor=headlines.REJECTED_ANCHOR)
    rejects = data.rejected_rows(wanted, MOST_REJECTS)
    if rejects.empty:
        st.text("No row was rejected.")
    else:
        tables.show(rejects, zone, alt="Rejected rows with reasons", most_height=220)
        downloads.rejected(wanted)
        if rejected[0] > len(rejects):
            st.caption(f"The first {words.count(len(rejects))} of {words.count(rejected[0])}; the CSV has all.")

st.subheader("Label texts and see how far the scorer is off")
labelling.show()
st.subheader("Do the numbers agree?")
self_audit.show(wanted)
st.subheader("Answers at an unknown time")
trust.unknown_time(wanted, coverage, zone)
st.subheader("Settings in force")
trust.settings(status.settings)
st.subheader("Definitions")
trust.definitions()
