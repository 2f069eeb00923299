import streamlit as st

from pages.components import filter_bar, joined_up

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
