import streamlit as st

from pages.components import cards, charts, data, empty, filter_bar, findings, headlines, panel, theme, words, worklist
from pages.components.selection import cells

SHARE, DUE, DONE = "ignored_share", "due_count", "of complaints ignored"
OF_DUE = "Of complaints old enough to be judged, those no human answered in time"

wanted = filter_bar.current()
total = data.ignored_complaints(wanted).iloc[0]
if not total["complaint_count"]:
    empty.nothing(wanted, "complaints")
    st.stop()
before = cards.before(wanted)
past = data.ignored_complaints(before).iloc[0] if before else None
cards.row([headlines.ignored_share(total, past, wanted), *headlines.complaint_states(total)], wanted)

left, right = st.columns(2, gap="medium")
with left:
    channels = data.ignored_complaints(wanted, ("channel",))
    panel.chart(
        "states_by_channel",
        charts.response_states_bar(channels),
        channels,
        wanted,
        finding=findings.response_states(channels, "channel"),
        counted="Per cent of each channel's complaints by what happened to them so far; at the right, how many. "
        f"{words.count(total['complaint_count'])} complaints.",
        cells=[
            cell
            for state in theme.STATE_ORDER
            for cell in cells(
                channels[channels[f"{state}_count"] > 0],
                ("channel",),
                f"complaints_{state}",
                prefix=f"{words.value('state', state)}: ",
            )
        ],
        rows="complaints",
    )
with right:
    panel.share_over_time(
        "ignored_by_period", data.ignored_complaints(wanted, ("period",)), SHARE, DUE, wanted,
        measure="complaints_due", done=DONE, color=theme.IGNORED,
        counted=f"{OF_DUE}, by {wanted.grain} of the complaint; 95 % interval. A late answer changes nothing.",
    )  # fmt: skip

st.subheader("Whom to answer first")
worklist.show(wanted)

for place, dimension in zip(st.columns(2, gap="medium"), ("team", panel.brand_or_age()), strict=True):
    with place:
        panel.share_by_group(
            f"ignored_by_{dimension}", data.ignored_complaints(wanted, (dimension,)), dimension, SHARE, DUE, wanted,
            measure="complaints_due", done=DONE, counted=OF_DUE, color=theme.IGNORED,
        )  # fmt: skip
st.caption(words.markdown(f"Targets and limits in force: {panel.thresholds_words()}."))
