"""Made to say it again: likeness of texts, what is stored of it, and the figures, on stores counted on paper."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from conftest import TINY_MAPPING
from hypothesis import given
from hypothesis import strategies as st
from stored_rows import rows_of

from data_access.config import read_settings
from data_access.errors import MappingError
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild
from data_access.measures import Selection
from data_access.queries.conversations import count_rows, selected_rows
from data_access.reports import run_report
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved
from data_access.text.retelling import likeness, telling_of

# anna: router on Monday by email (answered by Bo on Tuesday), again by chat two days later (restatement, other channel),
# and again in the chat to another agent, an hour after Di had answered (restatement, other agent); then a bill.
# ben: the same bill by email and, 31 days later, by phone: too long ago. cleo: two different matters on two channels.
# dora: "hello" by email and by phone: too few words. emil: writes twice by email, nobody answers: no other agent.
MESSAGES = """\
id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,is_complaint,needs_reply,topic,is_internal,outreach
1,a1,anna,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,My new router loses the wireless signal upstairs,negative,true,true,router,,
2,a1,anna,email,outbound,agent,Bo,Mail,Acme,2026-01-06T09:00:00Z,Please restart it,,,,,,
3,a2,anna,chat,inbound,customer,,Chat,Acme,2026-01-07T09:00:00Z,The router loses its wireless signal again upstairs,negative,true,true,router,,
4,a2,anna,chat,outbound,agent,Di,Chat,Acme,2026-01-07T09:10:00Z,Have you restarted it?,,,,,,
5,a2,anna,chat,inbound,customer,,Chat,Acme,2026-01-07T10:10:00Z,As I said: the router loses the wireless signal,negative,true,true,router,,
6,a2,anna,chat,outbound,agent,Cy,Chat,Acme,2026-01-07T11:10:00Z,We send another,,,,,,
7,a3,anna,phone,inbound,customer,,Phone,Acme,2026-01-20T09:00:00Z,Why was my invoice charged double?,negative,true,true,billing,,
8,b1,ben,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,My invoice AB12345 charges roaming in Norway,negative,true,true,billing,,
9,b2,ben,phone,inbound,customer,,Phone,Acme,2026-02-05T09:00:01Z,My invoice AB12345 charges roaming in Norway,negative,true,true,billing,,
10,c1,cleo,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,The parcel arrived with a broken window,negative,true,true,delivery,,
11,c2,cleo,chat,inbound,customer,,Chat,Acme,2026-01-09T09:00:00Z,Cancel my newsletter subscription,neutral,false,true,contract,,
12,d1,dora,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,hello there,neutral,false,true,,,
13,d2,dora,phone,inbound,customer,,Phone,Acme,2026-01-06T09:00:00Z,hello again,neutral,false,true,,,
14,e1,emil,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,The engineer forgot the garden cable,negative,true,true,engineer,,
15,e2,emil,email,inbound,customer,,Mail,Acme,2026-01-08T09:00:00Z,The engineer forgot the garden cable,negative,true,true,engineer,,
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("told")
    return _loaded(folder, MESSAGES)


def _loaded(folder: Path, messages: str) -> str:
    (folder / "messages.csv").write_text(messages, encoding="utf-8")
    url = f"duckdb:///{folder / 'store'}"
    load(url, [LoadOrder(folder / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    return url


def told(url, by=(), report="restatements", **fields):
    engine = open_reader(url)
    return run_report(engine, report, resolved(Filter(**fields), read_status(engine, url)), by)


# --- likeness


def test_the_same_matter_in_other_words_is_more_alike_than_another_matter():
    first = telling_of("The parcel LK74725 is marked as delivered, but nothing came")
    again = telling_of("I already told you: you say that LK74725 was delivered and there is no parcel here")
    other = telling_of("Which hub setting gives the best wifi upstairs?")
    assert likeness(first, again) > 0.5
    assert likeness(first, other) < 0.1


def test_likeness_counts_words_one_to_one_and_a_number_twice():
    # words parcel+missing against parcel+missing+order number: shared 2; sizes 2 and 2 + 2, one more on each side
    one, other = telling_of("parcel missing"), telling_of("parcel missing LK74725")
    assert likeness(one, other) == pytest.approx((2 * 2 / (3 + 5) + 2 / 3) / 2)
    both = telling_of("parcel LK74725")
    assert likeness(both, telling_of("delivery 74725")) == pytest.approx((2 * 2 / (4 + 4) + 2 / 4) / 2)


def test_slips_and_endings_are_the_same_word_and_courtesy_handles_and_brands_are_none():
    assert likeness(telling_of("engineers cancelled"), telling_of("egnineer cancels")) > 0.4
    telling = telling_of("Hello @AcmeHelp, thank you, please help me with the Acme router https://x.y/z", {"acme"})
    assert telling.words == ("router",)


def test_a_text_that_says_too_little_has_no_likeness_and_years_and_ranges_are_no_numbers():
    assert likeness(telling_of("hello again"), telling_of("hello again")) is None
    assert telling_of("since 2017, for 10/1-10/7, £27.50, AB12345").numbers == {"27.50", "12345"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_likeness_is_symmetric_between_0_and_1_and_1_only_in_the_limit(one, other):
    left, right = telling_of(one), telling_of(other)
    found = likeness(left, right)
    assert found is None or 0 <= found <= 1
    assert found == pytest.approx(likeness(right, left)) or found is None


# --- the figures


def test_restatements_are_counted_as_on_paper(store):
    row = told(store).iloc[0]
    # tellings: anna 4 (the chat has two waits), ben 2, cleo 2, dora 2, emil 2
    assert row["telling_count"] == 12
    # compared: anna chat 1 (email), chat 2 (email and Di), phone (all); cleo chat. Not ben (31 days), dora, emil
    assert (row["compared_count"], row["restatement_count"]) == (4, 2)
    assert (row["compared_customer_count"], row["restated_customer_count"]) == (2, 1)
    assert row["restated_customer_share"] == 0.5
    assert row["restated_customer_share_low"] == pytest.approx(0.0945, abs=1e-4)  # Wilson, 1 of 2
    # one matter told three times: 5 January 09:00 to 7 January 10:10 is 49 h 10 min
    assert (row["restated_issue_count"], row["restatements_per_issue"]) == (1, 2.0)
    # One of two restatements begins a matter: Wilson's interval of 1 of 2 is 0.0945 to 0.9055, turned over.
    bounds = row["restatements_per_issue_low"], row["restatements_per_issue_high"]
    assert bounds == pytest.approx((1 / 0.9055, 1 / 0.0945), rel=1e-3)
    assert row["between_tellings_minutes"] == row["median_issue_minutes"] == 49 * 60 + 10


def test_the_pair_says_from_where_to_where_and_adds_up(store):
    pairs = told(store, ("told_before_on", "channel")).set_index(["told_before_on", "channel"])
    again = pairs[pairs["restatement_count"] > 0]["restatement_count"].to_dict()
    assert sum(again.values()) == 2
    assert again[("email", "chat")] >= 1
    assert pairs["telling_count"].sum() == 12
    for by in ("team", "topic", "age_group", "channel", "period"):
        parts, whole = told(store, (by,)), told(store).iloc[0]
        for column in ("telling_count", "compared_count", "restatement_count"):
            assert parts[column].sum() == whole[column]
        assert parts["between_tellings_minutes"].sum() == whole["between_tellings_minutes"]


def test_the_figure_its_rows_and_the_pairs_with_texts_are_the_same(store):
    engine = open_reader(store)
    wanted = resolved(Filter(), read_status(engine, store))
    pairs = told(store, report="told_again")
    selection = Selection(wanted, "restatements")
    assert count_rows(engine, selection) == len(selected_rows(engine, selection)) == len(pairs) == 2
    assert list(pairs["text_again"]) == [
        "As I said: the router loses the wireless signal",
        "The router loses its wireless signal again upstairs",
    ]
    assert pairs["text_before"].iloc[1] == "My new router loses the wireless signal upstairs"
    assert (pairs["likeness"] >= wanted.restated_similarity).all()
    cell = (("told_before_on", "email"), ("channel", "chat"))
    chosen = told(store, ("told_before_on", "channel")).set_index(["told_before_on", "channel"])
    expected = chosen.loc[("email", "chat"), "restatement_count"]
    assert count_rows(engine, Selection(wanted, "restatements", cell)) == expected


def test_a_telling_to_another_agent_is_known_only_once_that_agent_answered(store):
    at = dt.datetime(2026, 1, 7, 11)
    engine = open_reader(store)
    wanted = resolved(Filter(as_of=at, channels=("chat",)), read_status(engine, store))
    assert told(store, as_of=at)["restatement_count"].iloc[0] == 2  # by the email, which is known at once
    only_chat = told(store, report="told_again", as_of=at)
    assert set(only_chat["to_another"]) == {"channel"}
    assert count_rows(engine, Selection(wanted, "restatements")) == 2
    before = told(store, as_of=dt.datetime(2026, 1, 7, 8))
    assert before["compared_count"].iloc[0] == 0


def test_another_threshold_changes_the_verdict_and_not_the_store(store, tmp_path):
    shutil.copytree(store.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    (tmp_path / "store" / "settings.toml").write_text("[joined_up]\nrestated_similarity = 0.99\n")
    rebuild(url)
    assert rows_of(url)["waits"] == rows_of(store)["waits"]
    assert told(url)["restatement_count"].iloc[0] == 0
    assert told(url)["compared_count"].iloc[0] == 4


def test_the_rows_in_any_order_of_loads_and_after_a_rebuild_are_the_same(store, tmp_path):
    header, *rows = MESSAGES.splitlines(keepends=True)
    url = f"duckdb:///{tmp_path / 'store'}"
    for place, part in enumerate((rows[5:], rows[:5])):
        path = tmp_path / f"part{place}.csv"
        path.write_text(header + "".join(part), encoding="utf-8")
        load(url, [LoadOrder(path, "csv", mapping_of(TINY_MAPPING, "tiny"))])
    assert rows_of(url)["waits"] == rows_of(store)["waits"]
    rebuild(url)
    assert rows_of(url)["waits"] == rows_of(store)["waits"]


def test_a_viewer_of_one_team_sees_the_pair_but_not_the_other_team_s_text(store):
    engine = open_reader(store)
    wanted = resolved(Filter(), read_status(engine, store)).replace(scope_teams=("Chat",))
    pairs = run_report(engine, "told_again", wanted)
    by_email = pairs[pairs["told_before_on"] == "email"]
    assert len(by_email) >= 1
    assert by_email["text_before"].isna().all()
    assert not by_email["is_before_readable"].any()
    assert by_email["text_again"].str.contains("router").all()
    mail = wanted.replace(scope_teams=("Mail",))
    assert run_report(engine, "told_again", mail).empty


def test_an_empty_store_and_a_filter_that_matches_nothing_give_one_row_of_zeros(empty_store_url, store):
    for frame in (told(empty_store_url), told(store, brands=("Nobody",))):
        assert len(frame) == 1
        assert frame["telling_count"].iloc[0] == frame["restated_issue_count"].iloc[0] == 0
        assert frame["restated_customer_share"].isna().all()
    assert told(empty_store_url, report="told_again").empty


@pytest.mark.real_data
def test_on_twitter_only_other_agents_are_known_and_never_another_channel(twcs_store_url):
    frame = told(twcs_store_url, ("told_before_on", "channel"))
    assert set(frame[frame["compared_count"] > 0]["told_before_on"]) == {"twitter"}
    assert frame["compared_share"].max() <= 1
    row = told(twcs_store_url).iloc[0]
    assert 0 < row["compared_count"] < 0.15 * row["telling_count"]


@pytest.mark.parametrize(
    "text",
    [
        "restated_similarity = 0",
        "restated_similarity = 1.5",
        'restated_similarity = "much"',
        "silent_after_days = 0",
        "silent_after_days = 1.5",
        "silent_after_days = true",
        "restated = 1",
    ],
)
def test_a_setting_out_of_bounds_is_refused_by_name(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(f"[joined_up]\n{text}\n")
    with pytest.raises(MappingError, match=r"joined_up\.restated|joined_up\.silent"):
        read_settings(path)
