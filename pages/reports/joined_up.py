import streamlit as st

from pages.components import filter_bar, leaving, told_again

wanted = filter_bar.current()
left, right = st.columns([1.4, 1], gap="medium")
with left:
    told_again.show(wanted)
with right:
    leaving.show(wanted)
