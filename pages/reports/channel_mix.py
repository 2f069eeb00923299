import streamlit as st

from pages.components import (
    age,
    cards,
    charts,
    data,
    downloads,
    empty,
    filter_bar,
    findings,
    headlines,
    heard,
    panel,
    silence,
    tables,
    words,
)
from pages.components.selection import cells

EXPLAINED = (
    "Share: of the age group's conversations, with 95 % interval. Share of customers: of the age group's people, "
    "those who used the channel at all, as surveys ask; adds to more than 100 %."
)

wanted = filter_bar.current()
mix = data.channel_mix(wanted)
if mix.empty:
    empty.nothing(wanted)
    st.stop()
public = mix if wanted.visibility == "public" else mix[mix["channel"].isin(panel.PUBLIC)]
cards.row(headlines.channel_mix(mix, public), wanted)

left, right = st.columns([1.15, 1], gap="medium")
with left:
    panel.chart(
        "channel_mix",
        charts.channel_mix_bar(mix),
        mix,
        wanted,
        finding=findings.channel_mix(mix, wanted.age_groups),
        counted="Per cent of each age group's conversations by channel; at the right, how many. "
        f"{words.counted(mix['conversation_count'].sum(), 'conversation')}; age at the time of contact.",
        cells=lambda: cells(mix, ("age_group", "channel"), "contacts"),
    )
with right:
    heard.show(wanted)

if age.is_known(mix):
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.subheader("Is it age, or the channel?", anchor=False)
        age.fairness(wanted)
    with right:
        st.subheader("More and less than all customers", anchor=False)
        age.index(mix, wanted)
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.subheader("Does the mix change?", anchor=False)
        age.mix_over_time(wanted)
    with right:
        st.subheader("How many customers use a channel at all", anchor=False)
        silence.customers_of_door(wanted)
else:
    age.not_known(mix, wanted)

st.subheader("The same in numbers")
tables.show(mix, data.scoped(wanted).zone, alt="Channel mix by age group with intervals")
downloads.shown(mix, "channel_mix_table")
st.caption(words.markdown(panel.caption(wanted, EXPLAINED)))
