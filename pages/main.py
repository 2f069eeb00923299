"""The frame of every page: sign-in, store, filter bar, navigation. No query, no chart.

A session waits for its turn before it draws anything; the store is looked at before, for a server may take its time.
"""

from pathlib import Path

import streamlit as st

from data_access.errors import FrontdoorError, StoreError
from pages.components import auth, data, empty, filter_bar, turns, words
from pages.components.navigation import PAGES

ICON = Path(__file__).parent / "assets" / "frontdoor.png"

pages = {
    name: st.Page(
        f"reports/{name}.py",
        title=title,
        url_path="" if name == "overview" else name,
        default=name == "overview",
        help=question,
    )
    for name, (title, question) in PAGES.items()
}
page = st.navigation(list(pages.values()), position="hidden")
st.set_page_config(
    page_title=f"{page.title} · Frontdoor", page_icon=str(ICON), layout="wide", initial_sidebar_state="collapsed"
)
st.session_state["frontdoor_page"] = next(
    (name for name, known in pages.items() if known.url_path == page.url_path), "overview"
)

if auth.current_viewer() is None:
    st.info("Sign in to see this dashboard.")
    st.stop()
navigation = st.container(horizontal=True, vertical_alignment="center", gap="small", key="navigation")
try:
    status = data.pin()
    options = data.filter_options()
except StoreError as problem:
    data.unpin()
    empty.no_store(problem)
    st.stop()
with turns.reruns.taken():
    wanted = filter_bar.show(status, options)
    with navigation:
        st.markdown("**Frontdoor**", width="content")
        for known in pages.values():
            st.page_link(known, query_params=filter_bar.params() if known is page else filter_bar.before_rows())
        if status.settings.simulated:
            st.badge("Simulated company, no real customers", color="orange")
    for notice in filter_bar.notices():
        st.warning(words.markdown(notice))
    empty.trouble()
    shown = data.scoped(wanted)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(PAGES[st.session_state["frontdoor_page"]][1], anchor=False, width="content")
        as_of = f"Data as of {words.moment(status.as_of, shown.zone)} ({shown.zone})."
        said = "Nothing is loaded yet." if status.is_empty else f"{shown.sentence()}. {as_of}"
        st.caption(words.markdown(said), width="content")
    if status.is_empty and st.session_state["frontdoor_page"] != "data":
        empty.empty_store()
        st.stop()
    if page.url_path not in ("conversations", "data"):  # these show rows, and no shares of what was answered
        empty.of_outcome(wanted)
    try:
        page.run()
    except FrontdoorError as problem:
        empty.problem(problem)
