import streamlit as st

from pages.components import filter_bar, joined_up, journey, leaving, told_again

wanted = filter_bar.current()
looked = joined_up.choose(wanted)
if not joined_up.headline(looked):
    st.stop()

left, right = st.columns([1.25, 1], gap="medium")
with left:
    joined_up.flow(looked)
with right:
    joined_up.ranking(looked)
    joined_up.by_days(looked)

left, right = st.columns([1.25, 1], gap="medium")
with left:
    told_again.show(wanted)
with right:
    leaving.show(wanted)

told_again.side_by_side(wanted)
journey.eventful(wanted)
