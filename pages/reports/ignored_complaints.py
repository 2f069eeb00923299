import streamlit as st

from pages.components import cards, data, empty, filter_bar, findings_silence, headlines, panel, silence, theme, words
from pages.components import worklist as unanswered
from pages.components.choices import one_of

SHARE, DUE, DONE = "ignored_share", "due_count", "of complaints ignored"
OF_DUE = "Of complaints old enough to be judged, those no human answered in time"

wanted = filter_bar.current()
total = data.ignored_complaints(wanted).iloc[0]
if not total["complaint_count"]:
    silence.unrecorded(wanted)
    empty.no_complaints(wanted)
    st.stop()
before = cards.before(wanted)
past = data.ignored_complaints(before).iloc[0] if before else None
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    unit = one_of("First card: ignored per", silence.UNITS, "rate_unit")
    st.caption(words.markdown(findings_silence.rates(data.ignored_rates(wanted))), width="content")
cards.row([silence.rate_card(unit, wanted, total, past), *headlines.complaint_states(total, wanted)], wanted)

left, right = st.columns(2, gap="medium")
with left:
    silence.states_or_published(data.ignored_complaints(wanted, ("channel",)), total, wanted)
with right:
    silence.ignored_by_period(
        wanted, f"{OF_DUE}, by {wanted.grain} of the complaint; 95 % interval. A late answer changes nothing."
    )

st.subheader("Whom to answer first")
unanswered.show(silence.listed(wanted))

silence.hours(wanted)
for place, dimension in zip(st.columns(2, gap="medium"), ("team", panel.brand_or_age()), strict=True):
    with place:
        panel.share_by_group(
            f"ignored_by_{dimension}", data.ignored_complaints(wanted, (dimension,)), dimension, SHARE, DUE, wanted,
            measure="complaints_ignored_in_time", whole="complaints_due", done=DONE, counted=OF_DUE,
            color=theme.IGNORED,
        )  # fmt: skip
silence.unrecorded(wanted)
silence.settings_used(wanted)
