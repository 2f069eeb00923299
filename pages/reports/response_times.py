import streamlit as st

from pages.components import cards, charts, data, empty, filter_bar, findings, headlines, panel, silence, words
from pages.components.choices import one_of
from pages.components.selection import cells

SPLITS = {"": "everybody", "channel": "channel", "age_group": "age group", "team": "team", "brand": "brand"}
VIEWS = {"waits": "Over time and by channel", "definitions": "By definition", "teams": "Teams and agents"}
SHARE, DUE, DONE = "in_target_share", "target_due_count", "answered within target"
OF_DUE = "Of conversations whose target has passed"

wanted = filter_bar.current()
total = data.response_times(wanted).iloc[0]
if not total["conversation_count"]:
    silence.unrecorded(wanted)
    empty.no_answers(wanted, "conversations opened by customers")
    st.stop()
before = cards.before(wanted)
past = data.response_times(before).iloc[0] if before else None
now = cards.any_period(wanted)
backlog, ages = data.backlog_and_ages(now)
waiting = backlog.iloc[0]
cards.row(
    [
        headlines.in_target(total, past, wanted),
        headlines.median(total),
        headlines.not_answered(total),
        headlines.open_now(waiting),
    ],
    wanted,
)

split = one_of("Answer curve by", SPLITS, "curve_by")
groups, curve = panel.curve_of(wanted, split)
panel.chart(
    "answer_curve",
    charts.answer_curve_line(curve, split or None, targets=panel.target_marks(wanted)),
    curve,
    wanted,
    finding=findings.curves_apart(groups, curve, split) if split else findings.answer_curve(total),
    counted=panel.curve_counted(total, groups, curve, split),
    cells=lambda: cells(groups, (split,), "first_responses") if split else panel.within_cells("first_responses"),
    rows="first_responses",
)
silence.unrecorded(wanted)
silence.settings_used(wanted)

view = one_of("More on waits", VIEWS, "waits_view")
if view != "waits":
    {"definitions": silence.definitions, "teams": silence.teams}[view](wanted)
    st.stop()
left, right = st.columns(2, gap="medium")
with left:
    panel.share_over_time(
        "in_target_by_period", data.response_times(wanted, ("period",)), SHARE, DUE, wanted, measure="target_due",
        done=DONE,
        counted=f"{OF_DUE}, by {wanted.grain} of opening, 95 % interval.",
    )  # fmt: skip
    phone = data.calls(wanted).iloc[0]
    if phone["offered_count"]:
        calls = data.calls(wanted, ("period",))
        panel.chart(
            "calls_by_period",
            charts.calls_by_period_bar(calls, grain=wanted.grain, short=data.short_abandon_seconds()), calls, wanted,
            finding=findings.calls(phone), counted=findings.service_level(phone) + panel.cut_off(calls, wanted),
            cells=lambda: cells(calls, ("period",), "calls_offered", grain=wanted.grain),
        )  # fmt: skip
with right:
    silence.in_target_or_published(data.response_times(wanted, ("channel",)), wanted, OF_DUE)
    silence.backlog(ages, waiting, now)
solved = data.resolution_times(wanted).iloc[0]
if solved["resolved_count"]:
    told = findings.resolution(solved, list(data.resolution_times(wanted, ("channel",))["channel"]))
    panel.title(told)
    st.caption(words.markdown(panel.caption(wanted, findings.resolution_counted(solved))))
