"""Every report on the hand-made store, counted on paper from `TINY_MESSAGES`, and on the empty store."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES

from data_access.errors import FilterError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.queries.channel_mix import channel_mix, channel_users, customers_using
from data_access.queries.conversations import (
    conversation_events,
    conversation_of,
    customer_conversations,
    customer_facts,
)
from data_access.queries.data_quality import coverage, loads, sources, tells_complaints, unknown_time_effect
from data_access.queries.ignored_complaints import ignored_worklist
from data_access.queries.options import filter_options
from data_access.reports import REPORTS, run_report
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved

AT = "2026-01-05T18:00:00"


@pytest.fixture(scope="module")
def tiny(tiny_store_url):
    engine = open_reader(tiny_store_url)
    status = read_status(engine, tiny_store_url)

    def _report(name: str, by: tuple[str, ...] = (), **fields: object) -> pd.DataFrame:
        if isinstance(fields.get("as_of"), str):
            fields["as_of"] = dt.datetime.fromisoformat(str(fields["as_of"]))
        return run_report(engine, name, resolved(Filter(**fields), status), by)

    _report.engine, _report.wanted = engine, resolved(Filter(), status)
    return _report


def counted(frame: pd.DataFrame, key: str, value: str) -> dict[object, int]:
    return dict(zip(frame[key], frame[value], strict=True))


def conversation_named(tiny, external_id: str) -> pd.Series:
    rows = tiny("conversations")
    return rows[rows["external_id"] == external_id].iloc[0]


# --- response times -------------------------------------------------------------------------------------------


def test_first_response_times_of_the_tiny_store_are_those_counted_on_paper(tiny):
    row = tiny("response_times").iloc[0]
    # c1 to c7, c9 and c10 were opened by customers; c8 is outreach. c1, c2, c6 and c9 were answered.
    assert row["conversation_count"] == 9
    assert row["answered_count"] == 4
    assert row["unanswered_count"] == 5
    assert row["answered_share"] == pytest.approx(4 / 9)
    # Every target has passed, that of c5 in this very second; in time were c1 (1 h of 8 h) and c6 (60 s of 2 min).
    assert row["target_due_count"] == 9
    assert row["in_target_count"] == 2
    assert row["in_target_share"] == pytest.approx(2 / 9)
    # Answered after 1, 10, 60 and 600 minutes.
    assert row["median_minutes_answered"] == 35
    assert row["p90_minutes_answered"] == pytest.approx(60 + 0.7 * 540)
    assert math.isnan(row["median_minutes_all"])
    assert row["no_reply_needed_count"] == 1
    assert row["answered_unknown_time_count"] == 0
    assert row["closed_without_reply_count"] == 0
    assert not row["is_provisional"]  # every target has passed


def test_reply_times_count_every_wait_that_asks_for_a_reply(tiny):
    row = tiny("reply_times").iloc[0]
    # The nine openings without c10 (praise), and the second question of c6; the closing thanks of c9 asks nothing.
    assert row["wait_count"] == 9
    assert row["no_reply_needed_count"] == 2
    assert row["answered_count"] == 5
    assert row["in_target_count"] == 2
    assert row["target_due_count"] == 9
    # Answered after 1, 5, 10, 60 and 600 minutes.
    assert row["median_minutes_answered"] == 10
    assert row["p90_minutes_answered"] == pytest.approx(60 + 0.6 * 540)
    # Kaplan-Meier: 8/9, 7/9, 6/9, then 5/6 of it (c5 is censored in that second), then 3/4: 7/12 by 600 minutes.
    assert row["median_minutes_all"] == 600


def test_what_needs_no_reply_can_be_counted_as_waiting(tiny):
    row = tiny("reply_times", with_no_reply_needed=True).iloc[0]
    assert row["wait_count"] == 11
    assert row["answered_count"] == 5
    assert row["no_reply_needed_count"] == 2


def test_the_answer_curve_keeps_the_unanswered_in_the_denominator(tiny):
    curve = tiny("answer_curve")
    assert list(curve["minutes"]) == [1, 10, 60, 600]
    assert list(curve["at_risk_count"]) == [9, 8, 7, 5]
    survival = [8 / 9, 7 / 9, 7 / 9 * 6 / 7, 7 / 9 * 6 / 7 * 4 / 5]
    assert list(curve["answered_share"]) == pytest.approx([1 - s for s in survival])
    assert (curve["answered_share_low"] <= curve["answered_share"]).all()
    assert (curve["answered_share_high"] >= curve["answered_share"]).all()


def test_the_reply_curve_is_of_waits(tiny):
    curve = tiny("reply_curve")
    assert list(curve["minutes"]) == [1, 5, 10, 60, 600]
    assert list(curve["at_risk_count"]) == [9, 8, 7, 6, 4]


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        ("channel", {"email": (4, 2), "twitter": (2, 0), "chat": (2, 1), "phone": (1, 1)}),
        ("brand", {"Acme": (9, 4)}),
        ("team", {"Mail": (4, 2), "Social": (2, 0), "Chat": (2, 1), "Phone": (1, 1)}),
        ("agent", {"nobody": (5, 0), "Bo": (2, 2), "Cy": (1, 1), "Di": (1, 1)}),
        (
            "age_group",
            {"<18": (2, 1), "18-24": (1, 1), "35-44": (1, 0), "65+": (1, 1), "unknown": (4, 1)},
        ),
        ("topic", {"billing": (4, 2), "delivery": (2, 1), "outage": (2, 1), "unknown": (1, 0)}),
        ("sentiment", {"negative": (5, 2), "neutral": (3, 2), "positive": (1, 0)}),
        ("source", {"tiny": (9, 4)}),
        ("weekday", {1: (3, 2), 2: (2, 1), 3: (1, 1), 4: (2, 0), 5: (1, 0)}),
        ("hour", {9: (3, 2), 10: (3, 2), 11: (1, 0), 12: (2, 0)}),
    ],
)
def test_first_responses_by_a_dimension_are_those_counted_on_paper(tiny, dimension, expected):
    frame = tiny("response_times", (dimension,))
    found = {row[dimension]: (row["conversation_count"], row["answered_count"]) for row in frame.to_dict("records")}
    assert found == expected


def test_periods_are_local_days_and_weeks_beginning_on_monday(tiny):
    days = tiny("response_times", ("period",), grain="day")
    assert [str(day)[:10] for day in days["period"]] == [f"2026-01-0{day}" for day in (5, 6, 7, 8, 9)]
    assert list(days["conversation_count"]) == [3, 2, 1, 2, 1]
    weeks = tiny("response_times", ("period",), grain="week")
    assert list(weeks["conversation_count"]) == [9]
    assert str(weeks["period"].iloc[0]) == "2026-01-05 00:00:00"
    months = tiny("response_times", ("period",), grain="month")
    assert str(months["period"].iloc[0]) == "2026-01-01 00:00:00"


def test_two_dimensions_at_once_add_up_to_the_whole(tiny):
    frame = tiny("response_times", ("channel", "age_group"))
    assert frame["conversation_count"].sum() == 9
    cell = frame[(frame["channel"] == "email") & (frame["age_group"] == "65+")].iloc[0]
    assert (cell["conversation_count"], cell["answered_count"], cell["median_minutes_answered"]) == (1, 1, 600)


def test_before_a_reply_came_the_conversation_was_unanswered(tiny):
    # On Monday at 18:00 c1 was answered, c2 (until 19:00) and c3 were not; nothing later is seen.
    row = tiny("response_times", as_of=AT).iloc[0]
    assert (row["conversation_count"], row["answered_count"]) == (3, 1)
    assert row["target_due_count"] == 2  # c3 has until 20:00
    assert row["in_target_share"] == 0.5


def test_agents_of_replies_that_came_later_are_not_known_yet(tiny):
    assert counted(tiny("response_times", ("agent",), as_of=AT), "agent", "conversation_count") == {
        "nobody": 2,
        "Bo": 1,
    }


# --- complaints -----------------------------------------------------------------------------------------------


def test_the_six_states_of_the_tiny_complaints_are_those_counted_on_paper(tiny):
    row = tiny("ignored_complaints").iloc[0]
    assert row["complaint_count"] == 6
    assert row["answered_in_target_count"] == 1  # c1
    assert row["answered_late_count"] == 2  # c2, and the second question of c6
    assert row["answered_unknown_time_count"] == 0
    assert row["answered_elsewhere_count"] == 1  # c4, by phone
    assert row["waiting_count"] == 1  # c5
    assert row["ignored_count"] == 1  # c3
    # c5 is too young to be judged; of the other five nobody answered c3.
    assert row["due_count"] == 5
    assert row["ignored_in_time_count"] == 1
    assert row["ignored_share"] == pytest.approx(0.2)
    assert row["ignored_share_low"] == pytest.approx(0.03622, abs=1e-5)
    assert row["ignored_share_high"] == pytest.approx(0.62446, abs=1e-5)
    assert row["bot_only_count"] == 0
    assert row["is_provisional"]


@pytest.mark.parametrize(
    ("as_of", "states"),
    [
        ("2026-01-05T09:59:59", {"waiting": 2}),
        ("2026-01-05T10:00:00", {"answered_in_target": 1, "waiting": 1}),
        ("2026-01-05T18:00:00", {"answered_in_target": 1, "waiting": 2}),
        ("2026-01-05T19:00:00", {"answered_in_target": 1, "answered_late": 1, "waiting": 1}),
        ("2026-01-06T10:59:59", {"answered_in_target": 1, "answered_late": 1, "waiting": 2}),
        (
            "2026-01-06T11:00:00",
            {"answered_in_target": 1, "answered_late": 1, "waiting": 1, "answered_elsewhere": 1},
        ),
        (
            "2026-01-07T11:59:59",
            {"answered_in_target": 1, "answered_late": 2, "waiting": 1, "answered_elsewhere": 1},
        ),
        (
            "2026-01-07T12:00:00",
            {"answered_in_target": 1, "answered_late": 2, "ignored": 1, "answered_elsewhere": 1},
        ),
    ],
)
def test_states_as_of_an_earlier_moment_know_nothing_of_later_events(tiny, as_of, states):
    row = tiny("ignored_complaints", as_of=as_of).iloc[0]
    found = {name: row[f"{name}_count"] for name in _STATES if row[f"{name}_count"]}
    assert found == states


_STATES = (
    "answered_in_target",
    "answered_late",
    "answered_unknown_time",
    "answered_elsewhere",
    "waiting",
    "ignored",
)


def test_complaints_by_channel_and_by_who_answered(tiny):
    by_channel = tiny("ignored_complaints", ("channel",))
    assert counted(by_channel, "channel", "complaint_count") == {"email": 3, "twitter": 2, "chat": 1}
    assert counted(by_channel, "channel", "ignored_in_time_count") == {"email": 1, "twitter": 0, "chat": 0}
    by_agent = tiny("ignored_complaints", ("agent",))
    assert counted(by_agent, "agent", "complaint_count") == {"nobody": 3, "Bo": 2, "Di": 1}


def test_the_period_of_a_complaint_is_that_of_the_complaint(tiny):
    row = tiny("ignored_complaints", date_from=dt.date(2026, 1, 7), date_to=dt.date(2026, 1, 7)).iloc[0]
    assert (row["complaint_count"], row["answered_late_count"]) == (1, 1)


def test_the_worklist_holds_the_waiting_and_the_ignored_oldest_first(tiny):
    rows = tiny("worklist")
    assert list(rows["response_state"]) == ["ignored", "waiting"]
    assert list(rows["channel"]) == ["email", "twitter"]
    assert list(rows["waited_minutes"]) == [96 * 60, 60]
    assert list(rows["minutes_to_ignored"]) == [-48 * 60, 23 * 60]
    assert list(rows["earlier_conversation_count"]) == [0, 0]
    assert not rows["is_bot_answered"].any()


def test_the_worklist_can_be_cut_and_put_in_order_of_its_audience(tiny):
    assert len(ignored_worklist(tiny.engine, tiny.wanted, 1)) == 1
    assert len(ignored_worklist(tiny.engine, tiny.wanted, order="audience")) == 2
    with pytest.raises(FilterError, match="unknown order 'newest'"):
        ignored_worklist(tiny.engine, tiny.wanted, order="newest")


def test_the_backlog_is_who_still_waits_for_us(tiny):
    row = tiny("backlog").iloc[0]
    # c3 since Monday noon, c7 (only a bot answered) since Thursday 10:00, c5 for an hour; c4 was called back.
    assert row["open_count"] == 3
    assert row["waiting_count"] == 1
    assert row["ignored_count"] == 2
    assert row["complaint_count"] == 2
    assert row["oldest_minutes"] == 5760
    assert row["median_minutes"] == 26 * 60


def test_the_ages_of_the_backlog_have_their_natural_order(tiny):
    rows = tiny("backlog", ("age",))
    # Exactly one hour is no longer "under 1 hour"; 26 hours and 96 hours are between one and seven days.
    assert list(zip(rows["age"], rows["open_count"], strict=True)) == [
        ("1 to 4 hours", 1),
        ("1 to 3 days", 1),
        ("3 to 7 days", 1),
    ]


# --- channel mix, sentiment, calls ---------------------------------------------------------------------------------


def test_channel_mix_shows_ages_at_the_time_of_contact_by_age_and_the_channels_by_size(tiny):
    rows = tiny("channel_mix")
    found = [
        (row["age_group"], row["channel"], row["conversation_count"], row["customer_count"])
        for row in rows.to_dict("records")
    ]
    # Anna turns 22 the day after; Dora is 17 for one more day; Cleo's band is given; Ben has only a year.
    assert found == [
        ("<18", "twitter", 1, 1),
        ("<18", "phone", 1, 1),
        ("18-24", "email", 1, 1),
        ("35-44", "email", 1, 1),
        ("65+", "email", 1, 1),
        ("unknown", "email", 1, 1),
        ("unknown", "chat", 2, 2),
        ("unknown", "twitter", 1, 1),
    ]


def test_channel_shares_add_to_one_and_customer_shares_may_add_to_more(tiny):
    rows = tiny("channel_mix")
    assert rows.groupby("age_group")["share"].sum().tolist() == pytest.approx([1.0] * 5)
    young = rows[rows["age_group"] == "<18"]
    assert list(young["share"]) == [0.5, 0.5]
    assert list(young["customer_share"]) == [1.0, 1.0]  # Dora used both
    unknown = rows[rows["age_group"] == "unknown"]
    assert counted(unknown, "channel", "customer_share") == {"chat": 0.5, "email": 0.25, "twitter": 0.25}


def test_sentiment_is_that_of_the_opening(tiny):
    row = tiny("sentiment").iloc[0]
    assert (row["scored_count"], row["not_scored_count"]) == (9, 0)
    assert (row["negative_count"], row["neutral_count"], row["positive_count"]) == (5, 3, 1)
    assert row["negative_share"] == pytest.approx(5 / 9)
    assert row["neutral_share"] == pytest.approx(3 / 9)
    assert row["positive_share"] == pytest.approx(1 / 9)
    assert row["mean_score"] == pytest.approx(-4 / 9)


def test_phone_messages_are_no_calls_whose_offering_is_known(tiny):
    row = tiny("calls").iloc[0]
    assert row["offered_count"] == 0
    assert math.isnan(row["service_level_share"])


# --- rows -----------------------------------------------------------------------------------------------------------


def test_the_conversations_report_has_one_row_each_of_every_kind(tiny):
    rows = tiny("conversations").set_index("external_id")
    assert len(rows) == 10
    assert rows["kind"].value_counts().to_dict() == {"customer_opened": 9, "outreach": 1}
    assert rows["response_state"].fillna("").to_dict() == {
        "c1": "answered_in_target",
        "c2": "answered_late",
        "c3": "ignored",
        "c4": "answered_elsewhere",
        "c5": "waiting",
        "c6": "answered_late",  # its opening was answered in time, its complaint was not
        "c7": "ignored",
        "c8": "",
        "c9": "answered_late",
        "c10": "",  # praise asks for nothing
    }
    openings = rows["opening_state"].fillna("").to_dict()
    assert openings["c6"] == "answered_in_target"
    assert rows["response_state"].fillna("").to_dict() | {"c6": "answered_in_target"} == openings
    assert rows["first_response_minutes"].dropna().to_dict() == {"c1": 60, "c2": 600, "c6": 1, "c9": 10}
    assert rows["is_complaint"].sum() == 6
    assert rows["is_answered"].sum() == 4
    assert rows.loc["c1", "age_group"] == "18-24"
    assert rows.loc["c4", "age_group"] == "<18"


def test_the_columns_of_the_conversations_report_are_those_of_the_contract(tiny):
    assert " ".join(tiny("conversations").columns).startswith(
        "conversation_id customer_id kind channel brand team opened_at first_response_at first_response_minutes "
        "is_answered is_complaint response_state age_group topic sentiment_label"
    )


def test_a_conversation_shows_its_events_in_order_with_the_internal_note_marked(tiny):
    name = conversation_named(tiny, "c3")["conversation_id"]
    events = conversation_events(tiny.engine, tiny.wanted, name)
    assert list(events["direction"]) == ["inbound", "outbound"]
    assert list(events["is_visible"]) == [True, False]
    assert list(events["external_id"]) == ["5", "6"]
    then = tiny.wanted.replace(as_of=dt.datetime(2026, 1, 5, 12, 10))
    assert len(conversation_events(tiny.engine, then, name)) == 1


def test_a_customer_is_followed_across_channels(tiny):
    dora = conversation_named(tiny, "c4")["customer_id"]
    journey = customer_conversations(tiny.engine, tiny.wanted, dora)
    assert list(journey["external_id"]) == ["c4", "c9"]
    assert list(journey["channel"]) == ["twitter", "phone"]
    assert len(customer_facts(tiny.engine, tiny.wanted, dora)) == 1


def test_other_teams_conversations_of_the_same_customer_show_state_but_no_text(tiny):
    dora = conversation_named(tiny, "c4")["customer_id"]
    tweet, call = (conversation_named(tiny, name)["conversation_id"] for name in ("c4", "c9"))
    limited = tiny.wanted.replace(scope_teams=("Social",))
    journey = customer_conversations(tiny.engine, limited, dora)
    assert list(journey["is_readable"]) == [True, False]
    assert list(journey["response_state"]) == ["answered_elsewhere", "answered_late"]
    assert conversation_events(tiny.engine, limited, tweet)["text"].iloc[0] == "Still no internet!"
    hidden = conversation_events(tiny.engine, limited, call)
    assert len(hidden) == 3
    told = {"occurred_at", "direction", "author_kind", "is_visible", "needs_reply", "is_readable"}
    for column in set(hidden) - told:
        assert not (hidden[column].any() if hidden[column].dtype == bool else hidden[column].notna().any()), column
    assert hidden["needs_reply"].all()  # none is marked as one that asks for nothing
    for frame in (journey[~journey["is_readable"]], conversation_of(tiny.engine, limited, call)):
        assert (
            frame[["brand", "team", "topic", "sentiment_label", "responder_agent", "external_id"]]
            .isna()
            .all(axis=None)
        )
        assert not frame["is_complaint"].any()


def test_a_customer_who_never_spoke_to_my_team_does_not_exist_for_me(tiny):
    ben = conversation_named(tiny, "c2")
    limited = tiny.wanted.replace(scope_teams=("Social",))
    assert customer_conversations(tiny.engine, limited, ben["customer_id"]).empty
    assert conversation_events(tiny.engine, limited, ben["conversation_id"]).empty
    assert conversation_of(tiny.engine, limited, ben["conversation_id"]).empty
    assert customer_facts(tiny.engine, limited, ben["customer_id"]).empty


def test_a_scope_limits_every_figure_and_the_empty_scope_shows_nothing(tiny):
    mail = run_report(tiny.engine, "response_times", tiny.wanted.replace(scope_teams=("Mail",)))
    assert mail["conversation_count"].iloc[0] == 4
    nothing = run_report(tiny.engine, "response_times", tiny.wanted.replace(scope_teams=()))
    assert nothing["conversation_count"].iloc[0] == 0
    assert len(run_report(tiny.engine, "conversations", tiny.wanted.replace(scope_brands=("Other",)))) == 0
    options = filter_options(tiny.engine, tiny.wanted.replace(scope_teams=("Mail",)))
    assert options["team"] == ["Mail"]
    assert options["channel"] == ["email"]


# --- the data behind it -------------------------------------------------------------------------------------------


def test_a_customer_who_was_written_to_and_called_is_known_on_both_channels(tmp_path):
    header = TINY_MESSAGES.splitlines()[0]
    rows = [
        "1,a,zoe,email,outbound,agent,Bo,Mail,Acme,2026-01-05T09:00:00Z,Your contract ends,neutral,,,,,true",
        "2,b,zoe,phone,inbound,customer,,Phone,Acme,2026-01-06T09:00:00Z,Why?,neutral,false,true,contract,,",
        "3,c,yan,phone,inbound,customer,,Phone,Acme,2026-01-07T09:00:00Z,Hello,neutral,false,true,contract,,",
        "4,d,yan,chat,inbound,customer,,Chat,Acme,2026-01-08T09:00:00Z,Hello,neutral,false,true,contract,,",
        "5,e,xia,chat,inbound,customer,,Chat,Acme,2026-01-08T10:00:00Z,Hello,neutral,false,true,contract,,",
    ]
    file, url = tmp_path / "messages.csv", f"duckdb:///{tmp_path / 'store'}"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    load(url, [LoadOrder(file, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    engine = open_reader(url)
    found = []
    for as_of in (dt.datetime(2026, 1, 7, 12), dt.datetime(2026, 1, 9)):
        wanted = resolved(Filter(as_of=as_of), read_status(engine, url))
        known = coverage(engine, wanted).set_index("item").loc["known_on_several_channels"]
        found.append((known["known_count"], known["conversation_count"]))
    engine.dispose()
    assert found == [(1, 2), (3, 4)]  # Zoe's call; then also both of Yan's contacts, the first before he came by chat


def test_coverage_names_what_is_missing(tiny):
    rows = coverage(tiny.engine, tiny.wanted).set_index("item")
    assert tuple(rows.loc["addressed_to_us", ["known_count", "conversation_count"]]) == (10, 10)
    assert tuple(rows.loc["age_known", ["known_count", "conversation_count"]]) == (5, 9)
    assert tuple(rows.loc["topic_known", ["known_count", "conversation_count"]]) == (8, 9)
    assert tuple(rows.loc["team_known", ["known_count", "conversation_count"]]) == (9, 9)
    assert tuple(rows.loc["known_on_several_channels", ["known_count", "conversation_count"]]) == (2, 9)
    assert tuple(rows.loc["answer_time_known", ["known_count", "conversation_count"]]) == (4, 4)


def test_the_source_is_complete_to_its_newest_event(tiny):
    row = sources(tiny.engine).iloc[0]
    assert row["source"] == "tiny"
    assert row["complete_to_at"] == pd.Timestamp("2026-01-09 12:00")
    assert not row["is_complete_to_given"]
    assert row["has_response_times"]
    assert row["conversation_count"] == 10


def test_loads_name_their_files_and_counts(tiny):
    rows = loads(tiny.engine).set_index("file")
    assert tuple(rows.loc["messages.csv", ["read_count", "stored_count", "rejected_count"]]) == (19, 19, 0)
    assert tuple(rows.loc["customers.csv", ["read_count", "stored_count", "rejected_count"]]) == (4, 4, 0)


def test_without_answers_at_an_unknown_time_the_setting_moves_nothing(tiny):
    rows = unknown_time_effect(tiny.engine, tiny.wanted)
    assert list(rows["unknown_time_counts_as"]) == ["answered", "unanswered"]
    assert rows["answered_share"].nunique() == 1


# --- every report -------------------------------------------------------------------------------------------------

BY_REPORTS = [name for name, report in REPORTS.items() if report.takes_by]
CONTRACT_DIMENSIONS = ("period", "channel", "brand", "team", "agent", "age_group", "topic")
CONTRACT = {
    "response_times": "conversation_count answered_count answered_share in_target_share median_minutes_answered "
    "p90_minutes_answered median_minutes_all",
    "reply_times": "wait_count answered_count answered_share in_target_share median_minutes_answered "
    "p90_minutes_answered median_minutes_all",
    "ignored_complaints": "complaint_count answered_in_target_count answered_late_count answered_unknown_time_count "
    "answered_elsewhere_count waiting_count ignored_count due_count ignored_share ignored_share_low "
    "ignored_share_high",
    "channel_mix": "age_group channel conversation_count share share_low share_high customer_count customer_share",
    "sentiment": "scored_count negative_share neutral_share positive_share mean_score",
    "answer_curve": "minutes answered_share answered_share_low answered_share_high at_risk_count",
    "backlog": "open_count",
    "conversations": "conversation_id response_state",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_report_has_the_columns_of_the_contract_after_its_dimensions(tiny, name):
    for by in [(), ("channel",), ("period", "team")]:
        if by and not REPORTS[name].takes_by:
            continue
        columns = list(tiny(name, by).columns)
        assert set(CONTRACT[name].split()) <= set(columns)
        assert columns[: len(by)] == list(by) or name == "channel_mix"


@pytest.mark.parametrize("name", BY_REPORTS)
@pytest.mark.parametrize("dimension", CONTRACT_DIMENSIONS)
def test_every_report_can_be_split_by_every_dimension_of_the_contract(tiny, empty_store_url, opened, name, dimension):
    frame = tiny(name, (dimension,))
    assert dimension in frame.columns
    assert frame[dimension].notna().all()
    engine, wanted = opened(empty_store_url)
    empty = run_report(engine, name, wanted, (dimension,))
    assert empty.empty
    assert list(empty.columns) == list(frame.columns)
    assert list(empty.dtypes) == list(frame.dtypes)


@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_store_gives_every_report_with_its_columns_and_types(tiny, empty_store_url, opened, name):
    engine, wanted = opened(empty_store_url)
    empty, full = run_report(engine, name, wanted), tiny(name)
    assert list(empty.columns) == list(full.columns)
    assert list(empty.dtypes) == list(full.dtypes)


@pytest.mark.parametrize(
    "name", ["response_times", "reply_times", "ignored_complaints", "backlog", "sentiment", "calls"]
)
def test_without_a_dimension_there_is_exactly_one_row_even_of_nothing(tiny, empty_store_url, opened, name):
    engine, wanted = opened(empty_store_url)
    for frame in (
        tiny(name),
        tiny(name, channels=("letter",)),
        tiny(name, as_of="2020-01-01T00:00:00"),
        run_report(engine, name, wanted),
    ):
        assert len(frame) == 1
    nothing = tiny(name, channels=("letter",)).iloc[0]
    assert all(value == 0 for column, value in nothing.items() if str(column).endswith("_count"))
    assert all(math.isnan(value) for column, value in nothing.items() if str(column).endswith("_share"))


@pytest.mark.parametrize("name", BY_REPORTS)
def test_the_parts_of_every_report_add_up_to_its_whole(tiny, name):
    if name in ("answer_curve", "reply_curve", "channel_mix", "heard_or_not", "sentiment_trend", "recovery"):
        return
    whole = tiny(name).iloc[0]
    for dimension in CONTRACT_DIMENSIONS:
        parts = tiny(name, (dimension,))
        for column in parts.columns:
            # Groups without a wait are not shown, also where something there needed no reply.
            if column.endswith("_count") and (name, column) != ("reply_times", "no_reply_needed_count"):
                assert parts[column].sum() == whole[column], (dimension, column)


def test_unknown_reports_and_dimensions_are_refused_by_name(tiny):
    for name, by in [("nonsense", ()), ("response_times", ("nonsense",)), ("conversations", ("channel",))]:
        with pytest.raises(FilterError):
            tiny(name, by)
    with pytest.raises(FilterError, match="twice"):
        tiny("response_times", ("channel", "channel"))


def test_a_customer_of_two_channels_of_a_door_counts_once(tiny_store_url, opened):
    engine, wanted = opened(tiny_store_url)
    users = channel_users(engine, wanted)
    # Dora (<18) wrote on twitter and phoned, Emil (unknown) wrote on twitter: of all four doors together each is one.
    frame = customers_using(users, ("twitter", "phone")).set_index("age_group")
    assert frame["customer_count"].to_dict() == {"<18": 1, "18-24": 0, "35-44": 0, "65+": 0, "unknown": 1}
    assert frame["everybody_count"].to_dict() == {"<18": 1, "18-24": 1, "35-44": 1, "65+": 1, "unknown": 4}
    assert frame.loc["unknown", "customer_share"] == 0.25
    assert frame.loc["unknown", "customer_share_low"] == pytest.approx(0.0456, abs=0.0001)
    assert customers_using(users, ())["customer_count"].sum() == 0


def test_customers_who_use_a_channel_are_those_of_the_channel_mix(tiny_store_url, opened):
    engine, wanted = opened(tiny_store_url)
    mix, users = channel_mix(engine, wanted), channel_users(engine, wanted)
    for channel in ("email", "chat", "phone"):
        found = customers_using(users, (channel,)).set_index("age_group")["customer_count"]
        expected = mix[mix["channel"] == channel].set_index("age_group")["customer_count"]
        assert found[found > 0].to_dict() == expected.to_dict()


# --- no figure without an end -----------------------------------------------------------------------------------


def test_where_every_contact_repeats_another_the_contacts_per_issue_have_no_upper_bound(tiny):
    row = tiny("repeat_contacts", ("channel",)).set_index("channel").loc["phone"]
    assert (row["recognisable_count"], row["repeat_count"]) == (1, 1)
    assert row["contacts_per_issue_low"] > 1
    assert math.isnan(row["contacts_per_issue_high"])


@pytest.mark.parametrize("name", REPORTS)
def test_no_report_holds_an_infinite_number(tiny, name):
    for by in ((), ("channel",)) if REPORTS[name].takes_by else ((),):
        numbers = tiny(name, by).select_dtypes("float")
        assert not numbers.isin([math.inf, -math.inf]).any().any(), by


# --- teams ----------------------------------------------------------------------------------------------------


def test_teams_on_channels_of_their_own_are_not_compared(tiny):
    assert counted(tiny("funnel"), "team", "comparable_count") == {"Mail": 0, "Social": 0, "Phone": 0, "Chat": 0}


def test_agents_are_compared_with_what_was_answered_and_nobody_with_nobody(demo_store_url):
    engine = open_reader(demo_store_url)
    wanted = resolved(Filter(), read_status(engine, demo_store_url))
    found = run_report(engine, "funnel", wanted, ("agent",)).set_index("agent")
    nobody, agents = found.loc["nobody"], found.drop("nobody")
    assert (nobody["target_due_count"] > 100, nobody["in_target_count"], nobody["comparable_count"]) == (True, 0, 0)
    assert nobody[["expected_share", "adjusted_share", "limit_low_998", "verdict"]].isna().all()
    share = agents["in_target_count"].sum() / agents["target_due_count"].sum()
    assert agents["overall_share"].unique() == pytest.approx([share])
    # What is expected of all agents together is what they did.
    expected = (agents["expected_share"] * agents["target_due_count"]).sum()
    assert expected == pytest.approx(agents["in_target_count"].sum())
    teams = run_report(engine, "funnel", wanted)
    assert teams["target_due_count"].sum() == found["target_due_count"].sum()
    assert teams["overall_share"].iloc[0] < share


def test_teams_that_share_a_channel_are_compared_also_where_all_do_the_same(tmp_path):
    head, *rows = TINY_MESSAGES.splitlines()
    mail = [row for row in rows if row.split(",")[1] == "c1"]
    others = [
        row.replace("c1,anna", "x1,zoe").replace("Mail", "Post").replace(row.split(",")[0], "9", 1) for row in mail
    ]
    others[1] = others[1].replace("9,", "99,", 1)
    chat = [row for row in rows if row.split(",")[1] == "c6"]
    messages = tmp_path / "messages.csv"
    messages.write_text("\n".join([head, *mail, *others, *chat]) + "\n", encoding="utf-8")
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(messages, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    engine = open_reader(url)
    found = run_report(engine, "funnel", resolved(Filter(), read_status(engine, url)), ())
    assert (found["in_target_share"] == found["expected_share"]).all()
    assert counted(found, "team", "comparable_count") == {"Mail": 1, "Post": 1, "Chat": 0}


# --- what could be known ----------------------------------------------------------------------------------------


def test_a_complaint_would_be_known_where_a_text_was_read_by_then_whatever_became_of_it(
    tiny_store_url, empty_store_url, opened
):
    engine, wanted = opened(tiny_store_url)
    assert tells_complaints(engine, wanted)
    assert tells_complaints(engine, wanted.replace(channels=("phone",)))  # read, though none complains
    assert tells_complaints(engine, wanted.replace(channels=("phone",), states=("ignored",)))
    assert not tells_complaints(engine, wanted.replace(channels=("letter",)))
    assert not tells_complaints(engine, wanted.replace(as_of=dt.datetime(2026, 1, 5, 8)))
    assert not tells_complaints(engine, wanted.replace(scope_teams=("Nowhere",)))
    assert not tells_complaints(*opened(empty_store_url))
