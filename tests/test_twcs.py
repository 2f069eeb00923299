"""Customer Support on Twitter: the real file against an independent count, and hand-made threads."""

from __future__ import annotations

import csv
import itertools
import json
import random
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from conftest import TIMES
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stored_rows import differing, frame_of, rows_of
from twcs_recount import (
    Conversation,
    Tweet,
    conversations_of,
    described,
    is_answered_at_unknown_time,
    minutes,
    read_tweets,
)

from data_access.cli import main
from data_access.errors import SourceError
from data_access.filters import Filter
from data_access.loader import LoadOrder, LoadResult, load, rebuild
from data_access.reports import run_report
from data_access.schema import conversations, interactions, load_runs, rejected_rows, waits
from data_access.sources import threads, twcs
from data_access.sources.base import Batch, StoredEvent
from data_access.store import open_reader, read_status, resolved

HEADER = ["tweet_id", "author_id", "inbound", "created_at", "text", "response_tweet_id", "in_response_to_tweet_id"]
real_data = pytest.mark.real_data
Row = Sequence[object]


def tweet(
    name: int, author: str, minute: float, text: str, parent: int | str = "", answers: str = "", inbound: object = None
) -> Row:
    """A row of a file; who has a number for a name is a customer."""
    at = f"Tue Oct 31 10:{int(minute):02d}:{round(minute % 1 * 60):02d} +0000 2017"
    return [name, author, author.isdigit() if inbound is None else inbound, at, text, answers, parent]


def write(path: Path, rows: Sequence[Row], header: Sequence[str] = HEADER, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def load_rows(tmp_path: Path):
    """Load rows as one more file into the test's store; the result, and the store's conversations by opening tweet."""
    numbers = itertools.count()

    def _load(*rows: Row, store: str = "store") -> LoadResult:
        path = write(tmp_path / f"{next(numbers)}.csv", rows)
        return load(f"duckdb:///{tmp_path / store}", [LoadOrder(path, "twcs")])

    _load.url = lambda store="store": f"duckdb:///{tmp_path / store}"
    return _load


def report(url: str, name: str, by: tuple[str, ...] = (), **fields: object):
    engine = open_reader(url)
    return run_report(engine, name, resolved(Filter(**fields), read_status(engine, url)), by)


def kinds(url: str) -> dict[tuple[str, str | None], str]:
    """Kind of each conversation by the customer's account (or that of the tweet) and brand."""
    events = frame_of(url, interactions).sort_values("occurred_at")
    who = events.groupby("conversation_id")["author"].agg(lambda s: next((a for a in s if a.isdigit()), s.iloc[0]))
    rows = frame_of(url, conversations)
    return {
        (who[row.conversation_id], row.brand if isinstance(row.brand, str) else None): row.kind
        for row in rows.itertuples()
    }


# --- the real file ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def raw(shared_data: Path) -> list[Tweet]:
    return read_tweets(shared_data / "twcs" / "twcs_first5000.csv")


@pytest.fixture(scope="session")
def recounted(raw: list[Tweet]) -> list[Conversation]:
    return conversations_of(raw)


@real_data
def test_five_thousand_tweets_load_and_the_broken_record_is_rejected_by_name(twcs_store_url, shared_data):
    run = frame_of(twcs_store_url, load_runs).iloc[0]
    assert (run["read_count"], run["stored_count"], run["unchanged_count"], run["rejected_count"]) == (
        5001,
        5000,
        0,
        1,
    )
    rejected = frame_of(twcs_store_url, rejected_rows)
    assert len(rejected) == 1
    assert "tweet 3399" in rejected["reason"].iloc[0]
    assert "I just love the start of email" in rejected["raw"].iloc[0]
    lines = (shared_data / "twcs" / "twcs_first5000.csv").read_text(encoding="utf-8").splitlines()
    assert "I just love the start of email" in lines[rejected["line"].iloc[0] - 1]


@real_data
def test_loading_the_file_again_stores_nothing_and_says_so(twcs_store_url, shared_data, tmp_path, capsys):
    shutil.copytree(twcs_store_url.removeprefix("duckdb:///"), tmp_path / "store")
    url = f"duckdb:///{tmp_path / 'store'}"
    file = shared_data / "twcs" / "twcs_first5000.csv"
    assert main(["load", str(file), "--source", "twcs", "--store", url, "--json"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out.splitlines()[-1]) == {
        "read_count": 5001,
        "stored_count": 0,
        "unchanged_count": 5000,
        "rejected_count": 1,
    }
    assert "5,000 there already" in output.err
    assert rows_of(url) == rows_of(twcs_store_url)
    assert len(frame_of(url, rejected_rows)) == 1


@real_data
def test_the_file_has_as_many_tweets_of_customers_and_companies_as_others_counted(twcs_store_url):
    directions = frame_of(twcs_store_url, interactions)["direction"].value_counts()
    assert directions.to_dict() == {"inbound": 2778, "outbound": 2222}


@real_data
def test_every_conversation_and_wait_is_that_of_the_independent_count(twcs_store_url, recounted):
    mine = sorted(
        (one.kind, one.company, one.tweets[0].at, tuple((s.at, e.at if e else None) for s, e in one.waits()))
        for one in recounted
    )
    waiting: dict[str, list] = defaultdict(list)
    for row in frame_of(twcs_store_url, waits).sort_values(["conversation_id", "wait_number"]).itertuples():
        end = row.response_at.to_pydatetime() if row.response_at == row.response_at else None
        waiting[row.conversation_id].append((row.started_at.to_pydatetime(), end))
    theirs = sorted(
        (row.kind, row.brand, row.opened_at.to_pydatetime(), tuple(waiting[row.conversation_id]))
        for row in frame_of(twcs_store_url, conversations).itertuples()
    )
    assert [row[:3] for row in theirs] == [row[:3] for row in mine]
    assert sorted(theirs, key=repr) == sorted(mine, key=repr)


@real_data
def test_the_counts_that_others_published_come_out(twcs_store_url, recounted):
    rows, waiting = frame_of(twcs_store_url, conversations), frame_of(twcs_store_url, waits)
    assert (rows["kind"] == "customer_opened").sum() == 1479
    assert sum(one.kind == "customer_opened" for one in recounted) == 1479
    assert len(waiting) == 2411 == sum(len(one.waits()) for one in recounted)
    assert waiting["response_at"].isna().sum() == 325
    assert round(waiting["response_seconds"].median() / 60, 1) == 12.2
    for brand, count, median in (
        ("ChipotleTweets", 208, 9.95),
        ("AmazonHelp", 187, 9.2333),
        ("British_Airways", 73, 344.1333),
    ):
        seconds = waiting[(waiting["brand"] == brand) & waiting["response_at"].notna()]["response_seconds"]
        own = [minutes(wait) for one in recounted if one.company == brand for wait in one.waits() if wait[1]]
        assert (len(seconds), len(own)) == (count, count)
        assert seconds.median() / 60 == pytest.approx(median, abs=1e-4)
        assert statistics.median(own) == pytest.approx(median, abs=1e-4)


@real_data
def test_direct_replies_are_another_count_and_come_out_of_the_raw_file(raw):
    """No parent, and a company tweet answers that very tweet: what others call first reply."""
    replies: dict[str, list[Tweet]] = defaultdict(list)
    for one in raw:
        if not one.inbound:
            replies[one.parent].append(one)
    opening = [one for one in raw if one.inbound and not one.parent]
    answered = [one for one in opening if replies[one.id]]
    assert len(opening) == 1285
    assert round(len(answered) / len(opening), 3) == 0.898
    every = [one for one in raw if one.inbound and replies[one.id]]
    assert round(len(every) / 2778, 3) == 0.750
    first = [min((r.at - one.at).total_seconds() / 60 for r in replies[one.id]) for one in every]
    assert round(statistics.median(first), 1) == 11.5
    assert (
        11.5
        < statistics.median(min((r.at - o.at).total_seconds() / 60 for r in replies[o.id]) for o in answered)
        < 12.5
    )


@real_data
def test_first_response_times_of_the_report_are_those_of_the_independent_count(twcs_store_url, raw, recounted):
    known = {one.id: one for one in raw}
    opened = [one for one in recounted if one.kind == "customer_opened"]
    first = [one.waits()[0] for one in opened]
    timed = [minutes(wait) for wait in first if wait[1]]
    untimed = sum(
        end is None and is_answered_at_unknown_time(one, start, known)
        for one, (start, end) in zip(opened, first, strict=True)
    )
    row = report(twcs_store_url, "response_times").iloc[0]
    assert row["conversation_count"] == len(opened) == 1479
    assert row["answered_unknown_time_count"] == untimed == 37
    assert row["answered_count"] == len(timed) + untimed == 1381
    assert row["median_minutes_answered"] == pytest.approx(statistics.median(timed))
    assert row["median_minutes_answered"] == pytest.approx(13.0167, abs=1e-4)
    end = max(one.at for one in raw)
    due = [
        (start, stop)
        for one, (start, stop) in zip(opened, first, strict=True)
        if (end - start.at).total_seconds() >= 3600
        and (stop is not None or not is_answered_at_unknown_time(one, start, known))
    ]
    assert row["target_due_count"] == len(due)
    assert row["in_target_count"] == sum(
        stop is not None and (stop.at - start.at).total_seconds() <= 3600 for start, stop in due
    )


@real_data
def test_the_median_with_silence_is_where_the_independent_curve_crosses_half(twcs_store_url, raw, recounted):
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    known, end = {one.id: one for one in raw}, max(one.at for one in raw)
    observed = []
    for one in recounted:
        if one.kind == "customer_opened":
            start, stop = one.waits()[0]
            if stop is not None or not is_answered_at_unknown_time(one, start, known):
                observed.append((stop is not None, ((stop.at if stop else end) - start.at).total_seconds() / 60))
    times, survival = nonparametric.kaplan_meier_estimator(*zip(*observed, strict=True))
    row = report(twcs_store_url, "response_times").iloc[0]
    assert row["median_minutes_all"] == pytest.approx(float(times[survival <= 0.5 + 1e-12][0]))
    curve = report(twcs_store_url, "answer_curve")
    wanted = dict(zip(times, 1 - survival, strict=True))
    assert list(curve["answered_share"]) == pytest.approx([wanted[m] for m in curve["minutes"]], abs=1e-9)
    assert curve["at_risk_count"].iloc[0] == len(observed) == 1442


@real_data
def test_reply_times_of_the_report_are_the_waits_outside_outreach(twcs_store_url, raw, recounted):
    known = {one.id: one for one in raw}
    ours = [(one, wait) for one in recounted if one.kind in ("customer_opened", "fragment") for wait in one.waits()]
    row = report(twcs_store_url, "reply_times", with_no_reply_needed=True).iloc[0]
    assert row["wait_count"] == len(ours) == 2400
    timed = [minutes(wait) for _, wait in ours if wait[1]]
    untimed = sum(end is None and is_answered_at_unknown_time(one, start, known) for one, (start, end) in ours)
    assert row["answered_count"] == len(timed) + untimed
    assert row["answered_unknown_time_count"] == untimed == 40
    assert row["median_minutes_answered"] == pytest.approx(statistics.median(timed))
    without = report(twcs_store_url, "reply_times").iloc[0]
    assert without["wait_count"] + without["no_reply_needed_count"] == 2400


@real_data
def test_brands_of_the_report_are_those_of_the_independent_count(twcs_store_url, recounted):
    found = report(twcs_store_url, "response_times", ("brand",)).set_index("brand")["conversation_count"].to_dict()
    wanted: dict[str, int] = defaultdict(int)
    for one in recounted:
        if one.kind == "customer_opened":
            wanted[one.company] += 1
    assert found == wanted


@real_data
def test_calling_unknown_times_unanswered_moves_exactly_those_conversations(twcs_store_url):
    answered = report(twcs_store_url, "response_times").iloc[0]
    strict = report(twcs_store_url, "response_times", unknown_time_counts_as="unanswered").iloc[0]
    assert strict["answered_unknown_time_count"] == 0
    assert answered["answered_count"] - strict["answered_count"] == 37
    assert strict["target_due_count"] - answered["target_due_count"] == 37
    assert answered["in_target_count"] == strict["in_target_count"]
    assert strict["answered_share"] == pytest.approx(1344 / 1479)


@real_data
@settings(max_examples=3 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_any_split_of_the_tweets_in_any_order_gives_the_rows_of_one_load(shared_data, tmp_path_factory, seed):
    folder, dice = tmp_path_factory.mktemp("split"), random.Random(seed)
    with (shared_data / "twcs" / "twcs_first5000.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = [row for row in csv.reader(file) if len(row) > 5]
    start = dice.randrange(len(rows) - 300)
    rows = rows[start : start + 300]
    parts: list[list[list[str]]] = [[] for _ in range(2)]
    by_thread = dice.random() < 0.5  # neighbours stay together, or every row goes its own way
    for place, row in enumerate(rows):
        parts[place * len(parts) // len(rows) if by_thread else dice.randrange(len(parts))].append(row)
    dice.shuffle(parts)
    parts.append(dice.choice(parts))  # a file that comes twice changes nothing
    whole, split = (f"duckdb:///{folder / name}" for name in ("whole", "split"))
    load(whole, [LoadOrder(write(folder / "all.csv", rows, header), "twcs")])
    for place, part in enumerate(parts):
        load(split, [LoadOrder(write(folder / f"{place}.csv", part, header), "twcs")])
    one, other = rows_of(whole), rows_of(split)
    for table in one:
        assert one[table] == other[table], table


# --- hand-made threads -------------------------------------------------------------------------------------------

QUESTION = tweet(1, "101", 0, "@Acme my order never came")
ANSWER = tweet(2, "Acme", 12.5, "@101 sorry", 1)


def test_a_question_and_its_answer_are_one_conversation_with_one_wait(load_rows):
    load_rows(QUESTION, ANSWER)
    (conversation,) = frame_of(load_rows.url(), conversations).itertuples()
    assert (conversation.kind, conversation.brand, conversation.channel) == ("customer_opened", "Acme", "twitter")
    assert conversation.first_response_seconds == 750
    assert conversation.is_public
    assert conversation.wait_count == 1


def test_true_and_false_are_read_in_every_spelling(load_rows):
    words = [("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("1", "0")]
    rows = []
    for place, (yes, no) in enumerate(words):
        rows.append(tweet(10 * place, str(100 + place), 0, "@Acme hm", inbound=yes))
        rows.append(tweet(10 * place + 1, "Acme", 1, "hm", 10 * place, inbound=no))
    assert load_rows(*rows).stored_count == 8
    assert kinds(load_rows.url()) == {(str(100 + place), "Acme"): "customer_opened" for place in range(4)}


@pytest.mark.parametrize(
    ("encoding", "index"), [("utf-8", [""]), ("utf-8-sig", []), ("utf-8-sig", ["", "Unnamed: 0"]), ("utf-16", [""])]
)
def test_index_columns_and_byte_order_marks_make_no_difference(tmp_path, encoding, index):
    rows = [[*("7" for _ in index), *row] for row in (QUESTION, ANSWER)]
    path, url = write(tmp_path / "t.csv", rows, [*index, *HEADER], encoding), f"duckdb:///{tmp_path / 'store'}"
    assert load(url, [LoadOrder(path, "twcs")]).stored_count == 2
    assert frame_of(url, conversations)["first_response_seconds"].tolist() == [750]


def test_columns_may_come_in_any_order_and_case(tmp_path):
    path = write(tmp_path / "t.csv", [list(reversed(row)) for row in (QUESTION, ANSWER)], [*reversed(HEADER)])
    path.write_text(path.read_text().replace("tweet_id,", "TWEET_ID,", 1))
    url = f"duckdb:///{tmp_path / 'store'}"
    assert load(url, [LoadOrder(path, "twcs")]).stored_count == 2


def test_ids_like_3_0_are_numbers(load_rows):
    answer = [*ANSWER]
    answer[0], answer[6] = "2.0", "1.0"
    load_rows([*QUESTION[:5], "2.0", ""], answer)
    assert frame_of(load_rows.url(), conversations)["first_response_seconds"].tolist() == [750]


def test_a_text_of_several_lines_with_quotes_and_commas_stays_one_tweet(load_rows):
    text = '@Acme first, "second"\nthird\r\n\nfourth'
    assert load_rows(tweet(1, "101", 0, text), ANSWER).stored_count == 2
    assert text in frame_of(load_rows.url(), interactions)["text"].tolist()


def test_entities_are_read_as_the_characters_they_stand_for(load_rows):
    load_rows(tweet(1, "101", 0, "@Acme you &amp; me &lt;3"), ANSWER)
    assert "@Acme you & me <3" in frame_of(load_rows.url(), interactions)["text"].tolist()


def test_a_tweet_whose_parent_is_not_in_the_file_begins_a_fragment(load_rows):
    load_rows(
        tweet(5, "Acme", 0, "@101 please tell us more", 4), tweet(6, "101", 3, "@Acme well", 5), ANSWER, QUESTION
    )
    rows = frame_of(load_rows.url(), conversations)
    assert sorted(rows["kind"]) == ["customer_opened", "fragment"]
    row = report(load_rows.url(), "response_times").iloc[0]
    assert row["conversation_count"] == 1  # outside first responses
    assert report(load_rows.url(), "reply_times").iloc[0]["wait_count"] == 2  # inside reply times


def test_a_later_file_that_brings_the_parent_mends_the_fragment(load_rows):
    load_rows(ANSWER)
    assert [*kinds(load_rows.url()).values()] == ["fragment"]
    load_rows(QUESTION)
    assert kinds(load_rows.url()) == {("101", "Acme"): "customer_opened"}
    load_rows(QUESTION, ANSWER, store="at once")
    assert rows_of(load_rows.url()) == rows_of(load_rows.url("at once"))


def test_each_customer_of_a_thread_has_a_conversation_of_their_own(load_rows):
    load_rows(
        QUESTION,
        tweet(3, "102", 2, "@101 @Acme same here", 1),
        tweet(4, "Acme", 5, "@101 sorry", 1),
        tweet(5, "Acme", 9, "@102 you too", 3),
    )
    rows = frame_of(load_rows.url(), conversations)
    assert kinds(load_rows.url()) == {("101", "Acme"): "customer_opened", ("102", "Acme"): "customer_opened"}
    assert sorted(rows["first_response_seconds"]) == [300, 420]
    assert rows["external_id"].nunique() == 1
    assert rows["customer_id"].nunique() == 2


def test_each_company_of_a_thread_has_a_conversation_of_its_own(load_rows):
    load_rows(
        tweet(1, "101", 0, "@Acme @Bolt who of you is it"),
        tweet(2, "Bolt", 4, "@101 not us", 1),
        tweet(3, "101", 6, "@Bolt are you sure", 2),
        tweet(4, "Acme", 8, "@101 it is us", 1),
    )
    # The question belongs to the company that answered it first; the other one reached out.
    assert kinds(load_rows.url()) == {("101", "Bolt"): "customer_opened", ("Acme", "Acme"): "outreach"}


def test_an_unanswered_tweet_belongs_to_the_first_company_account_it_names(load_rows):
    load_rows(QUESTION, ANSWER, tweet(9, "109", 1, "hello @someone, @ACME and @Bolt"))
    rows = frame_of(load_rows.url(), conversations)
    assert rows["brand"].tolist() == ["Acme", "Acme"]
    assert sorted(rows["kind"]) == ["customer_opened", "customer_opened"]
    assert report(load_rows.url(), "response_times", ("brand",))["answered_count"].tolist() == [1]


def test_a_tweet_that_addresses_no_company_is_kept_uncounted_and_reported(load_rows):
    result = load_rows(QUESTION, ANSWER, tweet(9, "109", 1, "@friend how are you"))
    assert result.stored_count == 3
    assert ("109", None) in kinds(load_rows.url())
    assert kinds(load_rows.url())["109", None] == "not_addressed"
    assert report(load_rows.url(), "response_times").iloc[0]["conversation_count"] == 1
    assert report(load_rows.url(), "reply_times").iloc[0]["wait_count"] == 1
    assert report(load_rows.url(), "channel_mix")["conversation_count"].sum() == 1
    assert report(load_rows.url(), "ignored_complaints").iloc[0]["complaint_count"] == 1
    assert len(report(load_rows.url(), "conversations")) == 2
    coverage = report(load_rows.url(), "coverage").set_index("item")
    assert coverage.loc["addressed_to_us", "known_count"] == 1
    assert coverage.loc["addressed_to_us", "conversation_count"] == 2


def test_a_company_known_from_an_earlier_load_is_recognised_in_a_later_one(load_rows):
    load_rows(QUESTION, ANSWER)
    load_rows(tweet(9, "109", 1, "@acme nobody answers"))
    assert kinds(load_rows.url())["109", "Acme"] == "customer_opened"


def test_a_company_that_only_a_later_load_makes_known_is_recognised_in_earlier_tweets(load_rows):
    load_rows(tweet(9, "109", 1, "@acme nobody answers"), tweet(10, "110", 1, "@Bolt @Acme help"))
    assert set(kinds(load_rows.url()).values()) == {"not_addressed"}
    load_rows(QUESTION, ANSWER)
    found = kinds(load_rows.url())
    assert found["109", "Acme"] == found["110", "Acme"] == "customer_opened"


def test_companies_that_become_known_one_after_the_other_give_the_brand_of_one_load(load_rows):
    files = (
        [tweet(10, "110", 1, "@Bolt @Acme help")],
        [tweet(1, "101", 0, "@Acme hm"), tweet(2, "Acme", 2, "@101 yes", 1)],
        [tweet(3, "103", 0, "@Bolt hm"), tweet(4, "Bolt", 2, "@103 yes", 3)],
    )
    load_rows(*itertools.chain(*files), store="at once")
    assert kinds(load_rows.url("at once"))["110", "Bolt"] == "customer_opened"
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):
        for place in order:
            load_rows(*files[place], store=str(order))
        assert rows_of(load_rows.url(str(order))) == rows_of(load_rows.url("at once")), order


def test_accounts_named_in_the_settings_are_companies(tmp_path, load_rows):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "settings.toml").write_text('[accounts.twcs]\n"115911" = "TMobileHelp"\n')
    load_rows(tweet(9, "109", 1, "@115911 nobody answers"))
    assert kinds(load_rows.url()) == {("109", "TMobileHelp"): "customer_opened"}


def test_loading_again_after_an_account_was_added_to_the_settings_finds_its_tweets(tmp_path, load_rows):
    load_rows(tweet(9, "109", 1, "@115911 nobody answers"))
    assert kinds(load_rows.url()) == {("109", None): "not_addressed"}
    (tmp_path / "store" / "settings.toml").write_text('[accounts.twcs]\n"115911" = "TMobileHelp"\n')
    load_rows(tweet(9, "109", 1, "@115911 nobody answers"))
    assert kinds(load_rows.url()) == {("109", "TMobileHelp"): "customer_opened"}


@pytest.mark.parametrize("by", ["rebuild", "a load of another file"])
def test_accounts_added_to_or_removed_from_the_settings_apply_to_stored_tweets(tmp_path, load_rows, by):
    asked, other = tweet(9, "109", 1, "@115911 nobody answers"), tweet(20, "120", 2, "@Nobody hm")
    answered = [tweet(30, "130", 3, "@115912 hm"), tweet(31, "115912", 4, "@130 yes", 30, inbound=False)]
    load_rows(asked, *answered)
    before = rows_of(load_rows.url())
    file = tmp_path / "store" / "settings.toml"
    file.write_text('[accounts.twcs]\n"115911" = "TMobileHelp"\n"115912" = "Sprint"\n')
    rebuild(load_rows.url()) if by == "rebuild" else load_rows(other)
    found = kinds(load_rows.url())
    assert found["109", "TMobileHelp"] == found["130", "Sprint"] == "customer_opened"
    (tmp_path / "fresh").mkdir()
    shutil.copy(file, tmp_path / "fresh")
    load_rows(*([] if by == "rebuild" else [other]), asked, *answered, store="fresh")
    assert rows_of(load_rows.url()) == rows_of(load_rows.url("fresh"))
    if by == "rebuild":
        file.write_text("")
        rebuild(load_rows.url())
        assert rows_of(load_rows.url()) == before


@pytest.mark.parametrize(
    ("answers", "others", "is_reported"),
    [
        ("", [], False),
        ("7", [], True),  # listed, and not in the file
        ("7,8", [tweet(8, "108", 3, "@101 me too", 1)], True),  # one in the file is another customer's
        ("8", [tweet(8, "108", 3, "@101 me too", 1)], False),  # the only one is in the file, and not the company's
        ("7,2", [ANSWER], False),  # the company's own answer is in the file
    ],
)
def test_answered_at_an_unknown_time_wants_an_answer_outside_the_file(load_rows, answers, others, is_reported):
    load_rows(
        tweet(1, "101", 0, "@Acme hm", "", answers),
        *others,
        tweet(90, "190", 0, "@Acme x"),
        tweet(91, "Acme", 1, "y", 90),
    )
    mine = frame_of(load_rows.url(), conversations).set_index("external_id").query("opened_at.dt.minute == 0")
    events = frame_of(load_rows.url(), interactions).set_index("external_id")
    row = frame_of(load_rows.url(), conversations).set_index("conversation_id").loc[events.loc["1", "conversation_id"]]
    assert len(mine)
    assert bool(row["has_reported_answer"]) == is_reported


def test_the_answer_that_a_later_file_brings_is_no_longer_at_an_unknown_time(load_rows):
    load_rows(tweet(1, "101", 0, "@Acme hm", "", "2"), tweet(90, "190", 0, "@Acme x"), tweet(91, "Acme", 1, "y", 90))
    assert report(load_rows.url(), "response_times").iloc[0]["answered_unknown_time_count"] == 1
    load_rows(ANSWER)
    row = report(load_rows.url(), "response_times").iloc[0]
    assert (row["answered_unknown_time_count"], row["answered_count"]) == (0, 2)


def test_a_broadcast_of_a_company_is_outreach_to_nobody(load_rows):
    load_rows(tweet(5, "Acme", 0, "Our shops are closed today"))
    assert kinds(load_rows.url()) == {("Acme", "Acme"): "outreach"}
    assert report(load_rows.url(), "response_times").iloc[0]["conversation_count"] == 0
    assert report(load_rows.url(), "channel_mix").empty


def test_a_company_that_writes_first_makes_outreach_and_its_waits_do_not_count(load_rows):
    load_rows(tweet(5, "Acme", 0, "@101 how was it?"), tweet(6, "101", 5, "@Acme why do you ask?", 5))
    assert kinds(load_rows.url()) == {("101", "Acme"): "outreach"}
    assert report(load_rows.url(), "reply_times", with_no_reply_needed=True).iloc[0]["wait_count"] == 0
    assert report(load_rows.url(), "backlog").iloc[0]["open_count"] == 0


def test_a_customer_who_writes_twice_waits_from_the_first_tweet(load_rows):
    load_rows(QUESTION, tweet(3, "101", 6, "@Acme hello?", 1), tweet(4, "Acme", 10, "@101 sorry", 3))
    assert frame_of(load_rows.url(), waits)["response_seconds"].tolist() == [600]


def test_an_answer_in_the_same_second_comes_after_the_question(load_rows):
    load_rows(tweet(2, "101", 5, "@Acme hm"), tweet(1, "Acme", 5, "@101 yes", 2))
    assert frame_of(load_rows.url(), waits)["response_seconds"].tolist() == [0]


LATE_QUESTION, EARLY_ANSWER = tweet(1, "101", 9, "@Acme hm"), tweet(2, "Acme", 3, "@101 yes", 1)


def test_an_answer_dated_before_its_question_is_an_answer_at_an_unknown_time(load_rows):
    result = load_rows(LATE_QUESTION, EARLY_ANSWER, QUESTION)
    assert (result.stored_count, result.rejected_count) == (2, 1)  # tweet 1 stands twice with different content
    assert result.notes == [
        "1 × a reply dated before what it answers (2 in line 3 of 0.csv before 1 in line 2 of 0.csv): "
        "one of the two times is wrong, "
        "so it counts as an answer at an unknown time"
    ]
    (row,) = frame_of(load_rows.url(), conversations).itertuples()
    assert (row.kind, row.outbound_count, row.has_reported_answer) == ("customer_opened", 0, True)
    assert str(row.opened_at) == "2017-10-31 10:09:00"
    assert pd.isna(row.first_response_at)


@pytest.mark.parametrize("first", [LATE_QUESTION, EARLY_ANSWER], ids=["question first", "answer first"])
def test_an_answer_dated_before_its_question_is_found_whichever_is_loaded_first(load_rows, first):
    load_rows(LATE_QUESTION, EARLY_ANSWER, store="whole")
    load_rows(first)
    result = load_rows(EARLY_ANSWER if first is LATE_QUESTION else LATE_QUESTION)
    assert (result.stored_count, result.rejected_count) == (1, 0)
    named = "2 before 1 in line 2 of 2.csv" if first is EARLY_ANSWER else "2 in line 2 of 2.csv before 1"
    assert [note.split(" (")[1].split(")")[0] for note in result.notes] == [named]
    assert rows_of(load_rows.url()) == rows_of(load_rows.url("whole"))


def test_a_ring_of_replies_is_one_thread_wherever_one_enters_it(load_rows):
    ring = [tweet(8, "Acme", 1, "a", 3), tweet(3, "Beta", 1, "b", 8), tweet(1, "101", 1, "c", 8)]
    load_rows(*ring, store="whole")
    for row in ring:
        load_rows(row)
    assert set(frame_of(load_rows.url(), interactions)["thread_id"]) == {"3"}
    assert rows_of(load_rows.url()) == rows_of(load_rows.url("whole"))


def test_a_correction_of_the_wrong_time_makes_it_an_answer(load_rows):
    load_rows(LATE_QUESTION, EARLY_ANSWER)
    assert load_rows(tweet(2, "Acme", 19, "@101 yes", 1)).notes == []
    (row,) = frame_of(load_rows.url(), waits).itertuples()
    assert (row.response_seconds, row.has_reported_answer) == (600, False)


@settings(max_examples=3 * TIMES, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6))
def test_threads_with_wrong_times_give_the_same_rows_in_any_order_of_loads(tmp_path_factory, seed):
    folder, dice = tmp_path_factory.mktemp("misdated"), random.Random(seed)
    rows = [
        tweet(
            name,
            dice.choice(["101", "102", "Acme", "Beta"]),
            dice.randrange(8),
            dice.choice(["@Acme hm", "@101 @Beta so", "well"]),
            dice.choice(["", *range(1, 13)]),
        )
        for name in range(1, 13)
    ]
    whole, split = (f"duckdb:///{folder / name}" for name in ("whole", "split"))
    result = load(whole, [LoadOrder(write(folder / "all.csv", rows), "twcs")])
    assert (result.read_count, result.stored_count) == (12, 12)
    dice.shuffle(rows)
    cut = dice.randrange(1, 12)
    for place, part in enumerate((rows[:cut], rows[cut:], rows[:3])):
        result = load(split, [LoadOrder(write(folder / f"{place}.csv", part), "twcs")])
        assert result.read_count == result.stored_count + result.unchanged_count + result.rejected_count == len(part)
    assert differing(rows_of(whole), rows_of(split)) == []


def test_tweets_that_answer_each_other_in_a_ring_load_and_end(load_rows):
    assert (
        load_rows(
            tweet(1, "101", 0, "@Acme a", 2), tweet(2, "Acme", 0, "b", 1), tweet(3, "103", 0, "c", 3)
        ).stored_count
        == 3
    )


def test_a_corrected_tweet_of_a_later_file_replaces_the_old_one(load_rows):
    load_rows(QUESTION, ANSWER)
    result = load_rows(tweet(1, "101", 0, "@Acme my order came"))
    assert (result.stored_count, result.unchanged_count) == (1, 0)
    events = frame_of(load_rows.url(), interactions)
    assert len(events) == 2
    assert "@Acme my order came" in events["text"].tolist()


def test_reloading_a_reply_whose_customer_only_the_parent_told_stores_nothing(load_rows):
    reply = tweet(3, "Acme", 2, "@102 sorry", 2)
    load_rows(reply)  # the first customer it names is 102
    load_rows(QUESTION, tweet(2, "Acme", 1, "@101 hm", 1))  # it answers 101
    assert load_rows(reply).stored_count == 0


def test_words_of_other_brands_do_not_change_how_a_text_is_read(load_rows):
    files = (
        [tweet(1, "101", 0, "@Acme this is terrible terrible service"), tweet(2, "Acme", 3, "@101 hm", 1)],
        [tweet(3, "103", 0, "@terrible x"), tweet(4, "terrible", 3, "@103 y", 3)],
    )
    load_rows(*files[0], *files[1], store="at once")
    for part in files:
        load_rows(*part)
    assert rows_of(load_rows.url()) == rows_of(load_rows.url("at once"))


def test_agents_are_known_by_their_signatures(load_rows):
    load_rows(
        QUESTION, tweet(2, "Acme", 1, "@101 sorry ^JD", 1), tweet(3, "Acme", 2, "@101 more -KC https://t.co/x", 1)
    )
    agents = frame_of(load_rows.url(), interactions)["agent"].dropna().tolist()
    assert sorted(agents) == ["JD (Acme)", "KC (Acme)"]
    assert report(load_rows.url(), "response_times", ("agent",))["agent"].tolist() == ["JD (Acme)"]


IMPOSSIBLE = [
    (0, "abc", "tweet_id"),
    (0, "", "tweet_id"),
    (0, "9" * 5000, "tweet_id"),
    (1, "", "author_id"),
    (2, "maybe", "inbound"),
    (3, "Tue Oct 32 10:00:00 +0000 2017", "created_at"),
    (3, "2017-02-30 10:00:00", "created_at"),
    (3, "0001-01-01T00:00:00+14:00", "created_at"),
    (3, "Fri Dec 31 23:00:00 -0900 9999", "created_at"),
    (3, "", "created_at"),
    (3, "Tue Oct 31 10:00:00 +0000 2099", "future"),
    (5, "2,x", "response_tweet_id"),
    (6, "x", "in_response_to_tweet_id"),
]


def test_rows_with_an_impossible_value_are_rejected_by_name_and_their_neighbours_load(load_rows):
    broken = [[*tweet(50 + place, "150", 0, "@Acme x")] for place in range(len(IMPOSSIBLE))]
    for row, (column, value, _) in zip(broken, IMPOSSIBLE, strict=True):
        row[column] = value
    result = load_rows(QUESTION, *broken, ANSWER)
    assert (result.stored_count, result.rejected_count) == (2, len(IMPOSSIBLE))
    rejected = frame_of(load_rows.url(), rejected_rows).set_index("line")["reason"]
    for line, (_, value, named) in enumerate(IMPOSSIBLE, 3):
        assert named in rejected[line], value[:40]


def test_a_row_with_too_many_or_too_few_fields_is_rejected(load_rows):
    result = load_rows(QUESTION, [*tweet(50, "150", 0, "@Acme x"), "one", "more"], ["51", "151"], ANSWER)
    assert (result.stored_count, result.rejected_count) == (2, 2)
    assert all("fields instead of 7" in reason for reason in frame_of(load_rows.url(), rejected_rows)["reason"])


def test_rows_written_by_the_recount_and_by_hand_agree(load_rows, tmp_path):
    load_rows(QUESTION, ANSWER, tweet(3, "101", 20, "@Acme still nothing", 2))
    (one,) = conversations_of(read_tweets(tmp_path / "0.csv"))
    told = described(one)
    assert told["kind"] == "customer_opened"
    assert [end is None for _, end in told["waits"]] == [False, True]
    assert len(frame_of(load_rows.url(), waits)) == 2


# --- more tweets than memory holds -----------------------------------------------------------------------------------


class Stored:
    """A store as the source sees it, that gives all its events as related ones."""

    def __init__(self, events: Sequence[StoredEvent]) -> None:
        self.events = events

    def company_accounts(self) -> dict[str, str]:
        return {"acme": "ACME Ltd"}

    def related_events(self, ids: Iterable[str], new_accounts: Sequence[str]) -> Iterator[StoredEvent]:
        return iter([event for event in self.events if {event.external_id, event.reply_to} & set(ids)])

    def stored_events(self) -> Iterator[StoredEvent]:
        return iter(self.events)


def told(batches: Iterable[Batch]) -> tuple[int, list[str], list[str]]:
    """Rows read, events and rejects, whatever their order."""
    read_count, events, rejects = 0, list[str](), list[str]()
    for batch in batches:
        read_count += batch.read_count
        rejects += map(repr, batch.rejects)
        events += map(repr, batch.events.to_pylist() if batch.events is not None else ())
    return read_count, sorted(events), sorted(rejects)


def any_tweet(dice: random.Random) -> Row:
    """One that may repeat, contradict, answer or list any other, in a ring, too."""
    answers, parent = dice.choice(["", "1", "3,5", "24", "30"]), dice.choice(["", *range(1, 30)])
    author = dice.choice(["101", "102", "Acme", "Beta", "BETA"])
    text = dice.choice(["@Acme hm", "@101 @Beta so", "well", "a\x00b &amp;"])
    return tweet(dice.randrange(1, 25), author, dice.randrange(8), text, parent, answers, dice.choice([True, False]))


@settings(max_examples=8 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_tweets_in_the_temporary_file_give_the_events_of_those_in_memory(tmp_path, monkeypatch, seed):
    dice = random.Random(seed)
    path = write(tmp_path / "t.csv", [any_tweet(dice) for _ in range(dice.randrange(1, 40))])
    stored = Stored(
        [
            StoredEvent(
                str(name),
                dice.choice(["105", "Gamma"]),
                dice.choice([True, False]),
                datetime(2017, 10, 31, 10, dice.randrange(8)),
                "@Gamma hm",
                dice.choice([None, *map(str, range(1, 40))]),
                dice.choice([None, "1,2"]),
            )
            for name in range(20, 20 + dice.randrange(8))
        ]
    )
    with monkeypatch.context() as patch:
        in_memory = told(twcs.read(path, context=stored)), told(twcs.rethread(stored))
        patch.setattr(threads, "IN_MEMORY", dice.choice([0, 3]))
        patch.setattr(threads, "WRITTEN_AT_ONCE", 4)
        patch.setattr(threads, "BATCH_ROWS", 5)  # many groups of threads
        on_disk = told(twcs.read(path, context=stored)), told(twcs.rethread(stored))
    assert on_disk == in_memory
    assert len(in_memory[0][1]) > 0


def test_the_temporary_file_is_gone_after_the_load_and_after_a_load_that_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "IN_MEMORY", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = write(tmp_path / "t.csv", [QUESTION, ANSWER])
    batches = twcs.read(path, context=Stored([]))
    assert next(batches).read_count == 2
    assert len([*(tmp_path / "temporary").iterdir()]) == 1
    assert sum(batch.events.num_rows for batch in batches) == 2
    assert [*(tmp_path / "temporary").iterdir()] == []
    broken_off = twcs.read(path, context=Stored([]))
    next(broken_off)
    broken_off.close()
    assert [*(tmp_path / "temporary").iterdir()] == []


def test_a_full_temporary_folder_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(threads, "IN_MEMORY", 0)
    monkeypatch.setattr(threads, "DISK_MEMORY_LIMIT", "1MB")
    path = write(tmp_path / "t.csv", [tweet(n, "101", n % 50, "@Acme " + "x" * 100_000) for n in range(1, 60)])
    with pytest.raises(SourceError, match="temporary folder cannot hold the tweets: ") as said:
        list(twcs.read(path, context=Stored([])))
    assert len(str(said.value).splitlines()) == 1
