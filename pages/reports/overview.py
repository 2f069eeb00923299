import streamlit as st

from pages.components import brief, cards, data, empty, filter_bar, headlines, panel, theme, words, worklist

wanted = filter_bar.current()
times = data.response_times(wanted).iloc[0]
complaints = data.ignored_complaints(wanted).iloc[0]
if not times["conversation_count"] and not complaints["complaint_count"]:
    empty.no_answers(wanted)
    st.stop()
unknown = "" if complaints["complaint_count"] else empty.complaints_unknown(wanted)
before = cards.before(wanted)
past_times = data.response_times(before).iloc[0] if before else None
past_complaints = data.ignored_complaints(before).iloc[0] if before else None
cards.row(
    [
        headlines.ignored_share(complaints, past_complaints, wanted, unknown=unknown),
        headlines.in_target(times, past_times, wanted),
        headlines.median(times),
        headlines.open_now(data.backlog(cards.any_period(wanted)).iloc[0]),
    ],
    wanted,
)

channels = data.ignored_complaints(wanted, ("channel",))
left, right = st.columns(2, gap="medium")
with left:
    st.subheader("What changed")
    brief.changes(wanted)
    st.subheader("Where the front door fails")
    brief.failing_doors(channels, wanted, unknown)
with right:
    if not unknown:
        panel.share_by_group(
            "overview_ignored", channels, "channel", "ignored_share", "due_count", wanted,
            measure="complaints_ignored_in_time", whole="complaints_due", done="of complaints ignored",
            color=theme.IGNORED,
            counted=f"Of {words.counted(complaints['due_count'], 'complaint')} old enough to be judged, those no "
            "human answered in time, 95 % interval",
        )  # fmt: skip

st.subheader("The ten oldest ignored complaints, whenever written")
worklist.oldest(cards.any_period(wanted))
