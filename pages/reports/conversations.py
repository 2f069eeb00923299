import streamlit as st

from pages.components import choices, data, downloads, empty, filter_bar, journey, panel, selection, tables, words
from pages.components.navigation import PAGES

ROWS_PER_PAGE = 100
ORDERS = {"newest": "Newest first", "oldest": "Oldest first"}
wanted = filter_bar.current()
rows_wanted, problems = selection.from_url(wanted)
for problem in problems:
    st.warning(words.markdown(f"Left out of the link: {problem}"))
back, filter_there = filter_bar.came_from()
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    if back:
        label = f"Back to {PAGES[back][0]}"
        st.page_link(f"reports/{back}.py", label=label, query_params=filter_there, icon=":material/arrow_back:")
    number = data.count_rows(rows_wanted)
    if number and (rows_wanted.measure != "contacts" or rows_wanted.cell):
        selection.all_link(wanted)
st.subheader(words.markdown(words.counted_as(number, selection.in_words(rows_wanted))), anchor=False)
if not number:
    empty.no_rows(rows_wanted)
    st.stop()

conversation_id = st.query_params.get("conversation", "")
if not conversation_id and "customer" in dict(rows_wanted.cell):
    conversation_id = str(data.selected_rows(rows_wanted, 1).iloc[0]["conversation_id"])
if conversation_id:
    journey.timeline(wanted, conversation_id)
left, right = st.columns([1.2, 1], gap="medium") if conversation_id else (st.container(), None)
with left:
    pages = -(-number // ROWS_PER_PAGE)
    listed = f"rows_{hash(rows_wanted)}"  # another list begins at its first page, and nothing is ticked in it
    page = st.pagination(pages, key=f"{listed}_page") if pages > 1 else 1
    order = choices.one_of("Order", ORDERS, "rows_order") if number > 1 else "newest"
    first = (page - 1) * ROWS_PER_PAGE
    rows = data.selected_rows(rows_wanted, ROWS_PER_PAGE, first, newest_first=order == "newest")
    shown = selection.shown(rows_wanted, rows)
    alt = f"{number} rows; choose one to read the conversation"
    turn = selection.turn_of_rows(conversation_id)
    place = tables.pick(
        shown, data.scoped(wanted).zone, key=f"{listed}_{order}_{page}_{turn}", alt=alt, most_height=520
    )
    extent = (
        f"Rows {words.count(first + 1)} to {words.count(first + len(rows))} of {words.count(number)}, "
        f"{ORDERS[order].lower()}."
    )
    st.caption(words.markdown(panel.caption(wanted, f"{extent} Choose one to read it.")))
    downloads.rows(rows_wanted, "conversations", label=f"CSV of all {words.counted(number, 'row')}")
seen, now = st.session_state.get("read_row"), (page, order, place, rows_wanted)
st.session_state["read_row"] = now
if place is not None and seen != now:
    selection.open_row(str(rows.iloc[place]["conversation_id"]))
if right is not None:
    with right:
        selection.step_links(rows, wanted, conversation_id)
        journey.show(wanted, conversation_id)
