"""Forgetting a customer: nothing personal is left, no load brings it back, every figure stays. On both engines."""

from __future__ import annotations

import datetime as dt
import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import TINY_MAPPING
from hypothesis import given
from hypothesis import strategies as st
from source_files import FRESHDESK
from sqlalchemy import create_engine, func, select, text
from stored_rows import frame_of, rows_of

from data_access import annotations as kept
from data_access import decisions
from data_access import store as store_module
from data_access.cli import main
from data_access.config import Settings, read_settings
from data_access.errors import FilterError, FrontdoorError
from data_access.export import to_csv
from data_access.filters import Filter
from data_access.forget import TABLES, _band, forget, made_up_age
from data_access.forgotten import tokens
from data_access.loader import LoadOrder, load, rebuild, rescore
from data_access.reports import REPORTS, run_report
from data_access.schema import (
    conversations,
    customers,
    interactions,
    load_runs,
    metadata,
    rejected_rows,
    reported_facts,
    waits,
)
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved, store_folder

# Anna Smithson writes by email and chat, rings twice in one second, and is 65 on 3 March 2026, between two
# contacts. One row of hers is rejected, and one of Ben's, who is somebody else.
MESSAGES = """\
id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,is_complaint,needs_reply,topic,email,phone
a-1,talk-1,anna77,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,Anna Smithson here: XYZZY1 never came,negative,true,true,delivery,anna.smithson@example.org,
a-2,talk-1,anna77,email,outbound,agent,Bo,Mail,Acme,2026-01-05T10:00:00Z,Dear Anna XYZZY2 sorry,neutral,,,,,
a-3,talk-2,anna77,chat,inbound,customer,,Chat,Acme,2026-03-02T09:00:00Z,XYZZY3 hello?,negative,true,true,delivery,,
a-4,talk-3,anna77,phone,inbound,customer,,Phone,Acme,2026-03-04T09:00:00Z,XYZZY4 still nothing,negative,true,true,delivery,,+44 20 7946 0018
a-5,talk-4,anna77,phone,inbound,customer,,Phone,Acme,2026-03-04T09:00:00Z,XYZZY5 the same second,neutral,false,true,billing,,
b-1,talk-9,ben,email,inbound,customer,,Mail,Acme,2026-01-06T09:00:00Z,Ben waits,negative,true,true,billing,ben@example.org,
b-2,talk-9,ben,email,outbound,agent,Bo,Mail,Acme,2026-01-07T19:00:00Z,We will look,neutral,,,,,
a-6,talk-5,anna77,email,inbound,customer,,Mail,Acme,yesterday,XYZZY6 rejected,,,,,anna.smithson@example.org,
b-3,talk-8,ben,email,inbound,customer,,Mail,Acme,tomorrow,Ben again,,,,,ben@example.org,
"""
PEOPLE = """\
customer_id,birth_date,display_name,segment,followers,identities
P1,1961-03-03,Anna Smithson,gold,47110815,id:shop=anna77;email=anna.smithson@example.org
P2,1980-05-05,Ben,,,id:shop=ben
"""
# Digits are long, so that no hash of a row or token, which are hexadecimal, holds them by chance.
SECRETS = (
    "XYZZY",
    "anna77",
    "anna.smithson",
    "Smithson",
    "79460018",
    "date(1961, 3, 3)",
    "'P1'",
    "a-1",
    "talk-1",
    "47110815",
)
MAPPING = {
    "source": "shop",
    "columns": {
        **{name: name for name in TINY_MAPPING["columns"] if name not in ("is_internal", "outreach")},
        "email": "email",
        "phone": "phone",
    },
}
# Rows with ids and texts, or words of texts: not figures.
# `shared_identities` counts who shows an address that joins nobody: one less.
# Reports of rows, which name customers, and those on words of texts.
ROW_REPORTS = {"worklist", "conversations", "journeys", "rejected_rows", "orphans", "shared_identities"}
ROW_REPORTS |= {"rising_topics", "restatements", "told_again"}
DIMENSIONS: list[tuple[str, ...]] = [(), ("period",), ("channel",), ("age_group",)]
NOW = dt.datetime(2026, 6, 1, 12)


def orders(folder: Path, messages: str = MESSAGES, name: str = "messages.csv") -> list[LoadOrder]:
    (folder / name).write_text(messages, encoding="utf-8")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    return [
        LoadOrder(folder / name, "csv", mapping_of(MAPPING, "shop")),
        LoadOrder(folder / "people.csv", "customers"),
    ]


@pytest.fixture
def store(new_store_url: str, tmp_path: Path) -> str:
    """Anna and Ben, loaded in two steps, with a label on the first message of each."""
    load(new_store_url, orders(tmp_path)[:1], now=NOW)
    load(new_store_url, orders(tmp_path)[1:], now=NOW)
    stored = frame_of(new_store_url, interactions).set_index("external_id")["interaction_id"]
    opened = kept.open_annotations(new_store_url)
    for external_id in ("a-1", "b-1"):
        kept.save_label(opened, stored[external_id], sentiment_label="negative", is_complaint=True, viewer="mo")
    assert opened.engine is not None
    opened.engine.dispose()
    return new_store_url


def figures(url: str) -> dict[tuple[str, ...], str]:
    engine = open_reader(url)
    wanted = resolved(Filter(grain="month"), read_status(engine, url))
    found = {}
    for report in REPORTS.values():
        if report.name in ROW_REPORTS:
            continue
        for by in DIMENSIONS if report.takes_by else [()]:
            try:
                found[report.name, *by] = to_csv(run_report(engine, report.name, wanted, by))
            except FilterError:  # a dimension that the report does not have
                continue
    engine.dispose()
    return found


def labels_of(url: str) -> list[str]:
    opened = kept.open_annotations(url)
    assert opened.engine is not None
    found = kept.saved_labels(opened)["interaction_id"].tolist()
    opened.engine.dispose()
    return found


def everything(url: str) -> str:
    """All that the store holds, as one text."""
    engine = open_reader(url)
    parts = []
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            parts += [repr(tuple(row)) for row in connection.execute(select(table))]
    engine.dispose()
    return "\n".join(parts)


def left(url: str) -> list[str]:
    """The secrets that the store still tells, however a telephone number is spaced."""
    told = everything(url)
    return [secret for secret in SECRETS if secret in told or secret in told.replace(" ", "")]


def test_nothing_personal_is_left_in_the_store_its_rejects_and_its_labels(store):
    assert left(store) == [*SECRETS]
    labels = labels_of(store)
    done = forget(store, ["email=Anna.Smithson@example.org"], now=NOW)
    assert (done.customer_count, done.interaction_count, done.conversation_count) == (1, 5, 4)
    assert (done.rejected_row_count, done.label_count) == (1, 1)
    assert left(store) == []
    assert "Ben waits" in everything(store)
    assert "Ben again" in everything(store)
    assert len(labels) == 2
    assert len(labels_of(store)) == 1


def test_every_figure_is_the_same_before_and_after_and_after_a_rebuild(store):
    before = figures(store)
    assert len(before) > 20
    forget(store, ["id:shop=anna77"], now=NOW)
    after = figures(store)
    assert [name for name in before if before[name] != after[name]] == []
    assert main(["check", "--numbers", "--store", store]) == 0
    derived = rows_of(store, waits, conversations)
    rebuild(store)
    assert rows_of(store, waits, conversations) == derived
    assert figures(store) == before


def test_all_customers_can_be_forgotten_and_the_figures_still_stay(store):
    before = figures(store)
    people = frame_of(store, customers)["customer_id"].tolist()
    assert forget(store, people, now=NOW).customer_count == 2
    assert figures(store) == before
    assert "Ben" not in everything(store)


def test_other_messages_of_a_forgotten_conversation_are_rejected_whoever_wrote_them(store, tmp_path):
    """With a message of hers beside them in the file, and in a file of their own."""
    forget(store, ["id:shop=anna77"], now=NOW)
    head, hers = MESSAGES.splitlines()[:2]
    others = [
        "c-1,talk-1,,email,inbound,customer,,Mail,Acme,2026-01-05T09:30:00Z,XYZZY8 my address is 5 Elm Street,,,,,,",
        "c-2,talk-1,,email,outbound,agent,Bo,Mail,Acme,2026-01-05T11:00:00Z,XYZZY9 to 5 Elm Street,,,,,,",
        "c-3,talk-1,,email,outbound,agent,Bo,Mail,Acme,2026-06-02T11:00:00Z,Written since then,,,,,,",
    ]
    before = figures(store)
    later = NOW + dt.timedelta(days=2)
    beside = load(store, orders(tmp_path, "\n".join([head, hers, *others[:2]]) + "\n")[:1], now=later)
    assert (beside.stored_count, beside.unchanged_count, beside.rejected_count) == (0, 1, 2)
    after = figures(store)
    assert {name[0] for name in before if before[name] != after[name]} <= {"freshness"}
    alone = load(store, orders(tmp_path, "\n".join([head, *others]) + "\n")[:1], now=later)
    assert (alone.stored_count, alone.unchanged_count, alone.rejected_count) == (1, 0, 2)
    told = everything(store)
    assert "XYZZY" not in told
    assert "Elm Street" not in told
    assert "Written since then" in told


def test_loading_the_same_files_again_brings_nothing_back(store, tmp_path):
    forget(store, ["phone=+442079460018"], now=NOW)
    before, rows = figures(store), rows_of(store)
    result = load(store, orders(tmp_path, name="renamed.csv"), now=NOW)
    assert (result.read_count, result.stored_count, result.unchanged_count, result.rejected_count) == (11, 0, 9, 2)
    assert "1 forgotten customers were left out" in result.notes
    assert left(store) == []
    after = figures(store)
    assert {name[0] for name in before if before[name] != after[name]} <= {"freshness"}  # which counts loads
    assert rows_of(store) == rows
    rebuild(store)
    assert rows_of(store) == rows


def _freshdesk(folder: Path, name: str, *files: list[dict[str, object]]) -> LoadOrder:
    (folder / name).mkdir()
    for number, tickets in enumerate(files):
        (folder / name / f"{number}.json").write_text(json.dumps(tickets), encoding="utf-8")
    return LoadOrder(folder / name, "freshdesk")


def test_of_a_forgotten_customer_an_older_export_tells_nothing_and_rejects_name_their_file(new_store_url, tmp_path):
    ticket = FRESHDESK["tickets.json"][0]
    listed = {name: value for name, value in ticket.items() if name != "stats"} | {
        "updated_at": "2026-01-07T09:00:00Z"
    }
    load(new_store_url, [_freshdesk(tmp_path, "list", [listed])], now=NOW)
    forget(new_store_url, [f"id:freshdesk={ticket['requester_id']}"], now=NOW)
    before = rows_of(new_store_url, interactions, reported_facts, waits)
    assert not frame_of(new_store_url, reported_facts)["is_response_known"].any()
    older = ticket | {"updated_at": "2026-01-06T09:00:00Z"}
    assert older["stats"]["first_responded_at"]
    unknown = [{**older, "id": number} for number in (901, 902)]
    result = load(new_store_url, [_freshdesk(tmp_path, "export", [unknown[0]], [unknown[1]], [older])], now=NOW)
    assert (result.read_count, result.unchanged_count, result.rejected_count) == (3, 1, 2)
    assert rows_of(new_store_url, interactions, reported_facts, waits) == before
    assert sorted(frame_of(new_store_url, rejected_rows)["file"]) == ["0.json", "1.json"]


def test_an_older_message_of_a_forgotten_customer_is_rejected_without_its_text_and_a_later_one_is_new(store, tmp_path):
    forget(store, ["id:shop=anna77"], now=NOW)
    rows = [
        MESSAGES.splitlines()[0],
        "a-0,talk-0,anna77,email,inbound,customer,,Mail,Acme,2025-12-05T09:00:00Z,XYZZY0 late,,,,,,",
        "a-7,talk-1,anna77,email,outbound,agent,Bo,Mail,Acme,2026-01-08T09:00:00Z,XYZZY7 to Anna,,,,,,",
        "a-9,talk-1,anna77,email,inbound,customer,,Mail,Acme,2026-06-02T09:00:00Z,I am back,,,,,,",
    ]
    result = load(store, orders(tmp_path, "\n".join(rows) + "\n")[:1], now=NOW + dt.timedelta(days=2))
    assert (result.read_count, result.stored_count, result.rejected_count) == (3, 1, 2)
    assert "XYZZY" not in everything(store)
    assert "its customer was forgotten on 2026-06-01" in everything(store)
    stored = frame_of(store, interactions)
    back = stored.loc[stored["text"] == "I am back"]
    # The new message leads to none of the forgotten ones.
    assert stored["conversation_id"].tolist().count(back["conversation_id"].item()) == 1
    assert stored["customer_id"].tolist().count(back["customer_id"].item()) == 1
    assert forget(store, ["id:shop=anna77"], now=NOW + dt.timedelta(days=3)).interaction_count == 1
    assert "anna77" not in everything(store)


def test_a_row_rejected_later_keeps_no_name_of_a_forgotten_customer_but_that_of_others(store, tmp_path):
    forget(store, ["id:shop=anna77"], now=NOW)
    rows = [
        MESSAGES.splitlines()[0],
        "c-1,talk-7,cy,email,inbound,customer,,Mail,Acme,yesterday,ANNA smithson told me,,,,,,",
        'c-2,talk-7,cy,email,inbound,customer,,Mail,Acme,yesterday,"from: Smithson, Anna",,,,,,',
        "c-3,talk-7,cy,Anna Smithson,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,in the wrong column,,,,,,",
        "c-4,talk-7,cy,email,inbound,customer,,Mail,Acme,yesterday,Anna Jones and Mr Smithers,,,,,,",
    ]
    load(store, orders(tmp_path, "\n".join(rows) + "\n")[:1], now=NOW)
    assert "smithson" not in everything(store).casefold()
    rejected = frame_of(store, rejected_rows)
    kept_raw = rejected.loc[rejected["raw"].fillna("").str.contains("c-"), "raw"].tolist()
    assert len(kept_raw) == 1
    assert "Anna Jones" in kept_raw[0]
    assert len(rejected) == 6


def test_reading_all_texts_again_leaves_what_was_read_of_the_forgotten(store):
    forget(store, ["id:shop=anna77"], now=NOW)
    before = figures(store)
    rescore(store)
    assert figures(store) == before


def test_a_customer_forgotten_before_is_no_error_and_an_unknown_one_is(store, capsys):
    customer_id = frame_of(store, customers).set_index("display_name").loc["Anna Smithson", "customer_id"]
    assert main(["forget", customer_id, "--store", store]) == 0
    assert "5 interactions in 4 conversations left as counts" in capsys.readouterr().out
    before = rows_of(store)
    for name in (customer_id, "email=anna.smithson@example.org"):
        assert main(["forget", name, "--store", store]) == 0
        assert "forgotten before" in capsys.readouterr().out
    with pytest.raises(FrontdoorError, match="no customer of the store"):
        forget(store, ["email=nobody@example.org"])
    assert main(["forget", "id:shop=ben", "email=nobody@example.org", "--store", store]) == 2
    assert rows_of(store) == before


def test_an_interrupted_forgetting_can_be_repeated(store):
    before = rows_of(store)
    program = (
        "import os, signal\n"
        "from data_access import forget\n"
        "forget_labels = forget._forget_labels\n"
        "forget._forget_labels = lambda *given: (forget_labels(*given), os.kill(os.getpid(), signal.SIGKILL))\n"
        f"forget.forget({store!r}, ['id:shop=anna77'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert rows_of(store) == before
    assert forget(store, ["id:shop=anna77"], now=NOW).customer_count == 1
    assert left(store) == []


# --- people

# Anna and Ben share a telephone number from which somebody else rang, too. Anna wrote once more in Ben's
# conversation, and by a second address that only a decision by hand joins to her.
SHARED = """\
id,conversation,customer,channel,direction,author_kind,agent,team,brand,occurred_at,text,sentiment_label,is_complaint,needs_reply,topic,email,phone,name
a-1,talk-1,zoe,email,inbound,customer,,Mail,Acme,2026-01-05T09:00:00Z,XYZZY1,negative,true,true,delivery,zoe.z@example.org,+442079460018,Zoe Zander
a-2,talk-2,zoe,phone,inbound,customer,,Phone,Acme,2026-01-06T09:00:00Z,XYZZY2,negative,true,true,delivery,,+442079460018,
b-1,talk-3,ben,email,inbound,customer,,Mail,Acme,2026-01-07T09:00:00Z,Ben waits,negative,true,true,billing,ben@example.org,+442079460018,Ben
b-2,talk-3,zoe,email,inbound,customer,,Mail,Acme,2026-01-07T10:00:00Z,XYZZY3 in copy,negative,true,true,billing,zoe.z@example.org,,Zoe Zander
n-1,talk-4,,phone,inbound,customer,,Phone,Acme,2026-01-08T09:00:00Z,who rang,negative,true,true,billing,,+442079460018,
n-2,talk-5,,phone,inbound,customer,,Phone,Acme,2026-01-09T09:00:00Z,who rang again,negative,true,true,billing,,+442079460018,
a-3,talk-6,,email,inbound,customer,,Mail,Acme,2026-01-10T09:00:00Z,XYZZY4,negative,true,true,delivery,second.zoe@example.org,,Zoe
n-3,talk-7,,chat,inbound,customer,,Chat,Acme,2026-01-11T09:00:00Z,nobody known,negative,true,true,delivery,,,Nobody
"""
SHARED_PEOPLE = """\
customer_id,birth_date,display_name,segment,followers,identities
P1,1961-03-03,Zoe Zander,gold,47110815,id:shop=zoe;phone=+442079460018
P2,1980-05-05,Ben,,,id:shop=ben;phone=+442079460018
"""
HERS = ("XYZZY", "zoe", "Zander", "P1'", "47110815", "date(1961, 3, 3)")
SHARED_MAPPING = {"source": "shop", "columns": {**MAPPING["columns"], "display_name": "name"}}


@pytest.fixture
def household(new_store_url: str, tmp_path: Path) -> tuple[str, list[LoadOrder]]:
    (tmp_path / "messages.csv").write_text(SHARED, encoding="utf-8")
    (tmp_path / "people.csv").write_text(SHARED_PEOPLE, encoding="utf-8")
    files = [
        LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(SHARED_MAPPING, "shop")),
        LoadOrder(tmp_path / "people.csv", "customers"),
    ]
    load(new_store_url, files, now=NOW)
    decisions.merge(new_store_url, "id:shop=zoe", "email=second.zoe@example.org")
    return new_store_url, files


def people_of(url: str) -> list[set[dt.datetime]]:
    """Who is one person, told by when they wrote."""
    frame = frame_of(url, interactions)
    return sorted((set(group) for _, group in frame.groupby("customer_id")["occurred_at"]), key=min)


def test_who_is_one_person_stays_so_after_forgetting_a_rebuild_and_a_reload(household):
    url, files = household
    people, before = people_of(url), figures(url)
    assert [len(person) for person in people] == [3, 2, 1, 1, 1]  # Zoe, Ben with her copy, three unknown
    forget(url, ["id:shop=zoe"], now=NOW)
    told = everything(url)
    assert [word for word in HERS if word in told] == []
    assert "+442079460018" in told  # Ben's, too
    assert people_of(url) == people
    after = figures(url)
    assert [name for name in before if before[name] != after[name]] == []
    rows = rows_of(url)
    rebuild(url)
    assert rows_of(url) == rows
    assert load(url, files, now=NOW + dt.timedelta(days=1)).stored_count == 0
    assert rows_of(url) == rows
    assert [word for word in HERS if word in everything(url)] == []
    assert main(["check", "--numbers", "--store", url]) == 0


def test_the_rest_of_a_household_can_be_forgotten_one_by_one(household):
    url, _ = household
    people, before = people_of(url), figures(url)
    for customer_id in frame_of(url, customers)["customer_id"]:
        forget(url, [customer_id], now=NOW)
        rebuild(url)
        assert people_of(url) == people
    assert figures(url) == before
    told = everything(url)
    assert [word for word in (*HERS, "ben@", "Ben", "79460018", "Nobody", "rang") if word in told] == []


def test_an_address_that_was_split_off_is_forgotten_wherever_others_state_it(tmp_path):
    """It stands in a message of Zoe's and in her line of the file; both stay hers, without the address."""
    shown = SHARED.splitlines()[0] + "\nm-1,talk-1,zoe,email,inbound,customer,,Mail,Acme,2026-01-10T09:00:00Z,"
    (tmp_path / "messages.csv").write_text(shown + "XYZZY,neutral,false,true,delivery,old@example.org,,\n")
    (tmp_path / "people.csv").write_text("customer_id,identities\nP1,id:shop=zoe;email=old@example.org\n")
    url = f"duckdb:///{tmp_path / 'store'}"
    files = [
        LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(SHARED_MAPPING, "shop")),
        LoadOrder(tmp_path / "people.csv", "customers"),
    ]
    load(url, files, now=NOW)
    decisions.split(url, "id:shop=zoe", ["email=old@example.org"])
    hers = frame_of(url, interactions)["customer_id"].tolist()
    forget(url, ["email=old@example.org"], now=NOW)
    for _ in range(2):
        told = everything(url)
        assert "zoe" in told
        assert [word for word in ("old@example.org", "XYZZY") if word in told] == []
        assert frame_of(url, interactions)["customer_id"].tolist() == hers
        assert main(["check", "--store", url]) == 0
        rebuild(url)
    assert load(url, files, now=NOW + dt.timedelta(days=1)).stored_count == 0
    assert "old@example.org" not in everything(url)


def test_an_address_that_joins_nobody_names_no_customer_to_forget(household):
    url, _ = household
    before = rows_of(url)
    with pytest.raises(FrontdoorError, match="joins nobody and was shown by"):
        forget(url, ["phone=+442079460018"])
    assert rows_of(url) == before


# --- what others' rows say


# 5001 begins a thread, in which the company and 5002 answer; 5002 is answered by the company and by 5001.
TWEETS = """\
tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id
7100000101,5001,True,2026-01-05 09:00:00+00:00,@Acme it is broken,"7100000102,7100000103",
7100000102,Acme,False,2026-01-05 10:00:00+00:00,@5001 sorry,,7100000101
7100000103,5002,True,2026-01-05 11:00:00+00:00,@Acme mine too,"7100000104,7100000105",7100000101
7100000104,Acme,False,2026-01-05 12:00:00+00:00,@5002 sorry,,7100000103
7100000105,5001,True,2026-01-05 13:00:00+00:00,@Acme still broken,,7100000103
"""
LATER = """\
tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id
7100000106,5002,True,2026-02-05 11:00:00+00:00,@Acme and mine still,,7100000101
"""
THEIR_IDS = ("7100000101", "7100000102", "7100000105")


def in_conversations(url: str) -> set[frozenset[dt.datetime]]:
    """The times of the events that stand in one conversation, of each conversation."""
    frame = frame_of(url, interactions)
    return {frozenset(times) for _, times in frame.groupby("conversation_id")["occurred_at"]}


def test_ids_of_the_forgotten_stay_in_no_row_of_others_and_their_threads_stay_whole(new_store_url, tmp_path):
    for name, content in (("tweets.csv", TWEETS), ("later.csv", LATER)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    order, later = LoadOrder(tmp_path / "tweets.csv", "twcs"), LoadOrder(tmp_path / "later.csv", "twcs")
    load(new_store_url, [order], now=NOW)
    before, conversations_before = figures(new_store_url), in_conversations(new_store_url)
    forget(new_store_url, ["handle:twitter=5001"], now=NOW)
    assert [name for name in THEIR_IDS if name in everything(new_store_url)] == []
    assert (figures(new_store_url), in_conversations(new_store_url)) == (before, conversations_before)
    stored = frame_of(new_store_url, interactions).set_index("external_id")
    others = stored.loc[["7100000103", "7100000104"]]
    (thread,) = set(others["thread_id"])
    assert others.loc["7100000103", "reply_to"] == thread in stored.index
    answer, by_the_forgotten = others.loc["7100000103", "recorded_responses"].split(",")
    assert (answer, by_the_forgotten in stored.index) == ("7100000104", True)
    assert thread in set(frame_of(new_store_url, conversations)["external_id"])
    rebuild(new_store_url)
    assert (figures(new_store_url), in_conversations(new_store_url)) == (before, conversations_before)
    assert load(new_store_url, [order], now=NOW).stored_count == 0
    assert load(new_store_url, [later], now=NOW).stored_count == 1
    assert [name for name in THEIR_IDS if name in everything(new_store_url)] == []
    assert len(in_conversations(new_store_url)) == len(conversations_before)
    assert set(
        frame_of(new_store_url, interactions).set_index("external_id").loc[[*others.index, "7100000106"]]["thread_id"]
    ) == {thread}


@pytest.mark.parametrize("name", ["bad anna.smithson@example.org.csv", "anna77_export.csv", "Smithson, Anna.csv"])
def test_a_name_of_a_file_that_names_the_forgotten_is_replaced_now_and_later(new_store_url, tmp_path, name):
    def files() -> list[tuple[str, ...]]:
        runs, rejects = frame_of(new_store_url, load_runs), frame_of(new_store_url, rejected_rows)
        return [tuple(sorted(runs["file"])), tuple(sorted(rejects["file"]))]

    shop, people = orders(tmp_path, name=name)
    elsewhere, _ = orders(tmp_path, MESSAGES.replace("tomorrow", "soon"), "messages.csv")
    for order in (shop, people, elsewhere):
        load(new_store_url, [order], now=NOW)
    runs, rejects = files()
    assert (runs.count(name), rejects.count(name)) == (1, 2)
    forget(new_store_url, ["id:shop=anna77"], now=NOW)
    (replaced,) = set(files()[0]) - {"messages.csv", "people.csv"}
    assert replaced.startswith("forgotten-")
    assert files() == [tuple(sorted(replaced if one == name else one for one in kind)) for kind in (runs, rejects)]
    assert left(new_store_url) == []
    orders(tmp_path, MESSAGES.replace("tomorrow", "some day"), name)
    load(new_store_url, [shop], now=NOW)
    assert (files()[0].count(replaced), files()[1].count(replaced)) == (2, 3)
    assert left(new_store_url) == []


# --- files


@pytest.fixture
def embedded(tmp_path: Path) -> str:
    """Two generations of Anna and Ben in a folder."""
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, orders(tmp_path)[:1], now=NOW)
    load(url, orders(tmp_path)[1:], now=NOW)
    return url


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_file_of_the_folder_holds_a_word_of_the_forgotten(embedded):
    folder = store_folder(embedded)
    assert folder is not None
    for leftover in ("loading.duckdb", "loading.duckdb.wal", "rewriting.duckdb"):  # of a killed load
        (folder / leftover).write_bytes(b"XYZZY")
    (folder / "loading.duckdb.tmp").mkdir()
    (folder / "loading.duckdb.tmp" / "spilled").write_bytes(b"XYZZY")
    assert all(word in bytes_of(folder) for word in (b"XYZZY", b"anna.smithson", b"Ben waits"))
    assert len(list(folder.glob("store-*.duckdb"))) == 2
    forget(embedded, ["id:shop=anna77"], now=NOW)
    assert [path.name for path in folder.glob("store-*.duckdb")] == ["store-000003.duckdb"]
    found = bytes_of(folder)
    assert [word for word in (b"XYZZY", b"anna.smithson", b"Smithson", b"anna77") if word in found] == []
    assert b"Ben waits" in found


def test_a_reader_that_holds_an_older_generation_goes_on_and_the_next_sees_the_new_one(embedded):
    engine = open_reader(embedded)
    texts = select(func.count()).where(interactions.c.text.is_not(None))
    with engine.connect() as held:
        assert held.scalar(texts) == 7
        forget(embedded, ["id:shop=anna77"], now=NOW)
        assert held.scalar(texts) == 7
        counted: list[int | None] = []

        def count_elsewhere() -> None:
            with engine.connect() as other:  # a new connection of the old engine, whose file is removed
                counted.append(other.scalar(texts))

        thread = threading.Thread(target=count_elsewhere)
        thread.start()
        thread.join()
        assert counted == [7]
    engine.dispose()
    new = open_reader(embedded)
    with new.connect() as connection:
        assert connection.scalar(texts) == 2
    new.dispose()


def test_readers_open_a_store_whose_generations_vanish_under_them(embedded):
    """Each forgetting removes all older generations: a reader between CURRENT and its file looks again."""
    done, problems, counted = threading.Event(), list[BaseException](), list[int]()

    def read() -> None:
        while not done.is_set():
            try:
                engine = open_reader(embedded)
                with engine.connect() as connection:
                    counted.append(connection.scalar(select(func.count()).select_from(interactions)) or 0)
                engine.dispose()
            except BaseException as problem:  # whatever it is, the test must hear of it
                problems.append(problem)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(8):  # after the first the customer is forgotten, and the store is only written afresh
        forget(embedded, ["id:shop=anna77"], now=NOW)
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []
    assert set(counted) == {7}


TOLD = (b"XYZZY", b"anna.smithson", b"Smithson", b"anna77", b"talk-1")


def statistics_of(connection) -> str:
    """What the planner keeps of the values of our tables; whoever may read a table may read it."""
    rows = connection.execute(text("SELECT tablename, attname, pg_stats::text FROM pg_stats"))
    return "\n".join(str(row) for row in rows if row.tablename in metadata.tables)


def bytes_on_server(connection) -> bytes:
    """The files of every table and index of the database, as a superuser may read them."""
    connection.execute(text("CHECKPOINT"))
    found = connection.scalars(
        text(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid), 0, 100000000, true) FROM pg_class "
            "WHERE relkind IN ('r', 't', 'i') AND pg_relation_filepath(oid) IS NOT NULL"
        )
    )
    return b"".join(bytes(content) for content in found if content is not None)


@pytest.mark.postgresql
def test_neither_files_nor_statistics_of_a_server_hold_a_word_of_the_forgotten(new_database, tmp_path):
    url = new_database()
    load(url, orders(tmp_path), now=NOW)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        before = statistics_of(connection), bytes_on_server(connection)
    assert [word for word in TOLD if word.decode() not in before[0]] == []
    assert [word for word in TOLD if word not in before[1]] == []
    forget(url, ["id:shop=anna77"], now=NOW)
    with engine.connect() as connection:
        after = statistics_of(connection), bytes_on_server(connection)
    assert [word for word in TOLD if word.decode() in after[0]] == []
    assert [word for word in TOLD if word in after[1]] == []
    assert "Ben waits" in after[0]
    assert b"Ben waits" in after[1]
    engine.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("looked_at", ["agents", "interactions"])
def test_a_session_that_still_sees_the_old_rows_is_said_and_the_command_can_be_repeated(
    looked_at, new_database, tmp_path, monkeypatch, capsys
):
    url = new_database()
    load(url, orders(tmp_path), now=NOW)
    monkeypatch.setattr(store_module, "_REWRITE_LOCK_SECONDS", 1)
    engine = open_reader(url)
    with engine.connect() as held:
        held.execute(text(f"SELECT count(*) FROM {looked_at}"))
        assert main(["forget", "id:shop=anna77", "--store", url]) == 1
        said = capsys.readouterr().err
        assert "it is done, but deleted rows are still in the files" in said
        assert "Traceback" not in said
    assert left(url) == []
    assert main(["forget", "id:shop=anna77", "--store", url]) == 0
    engine.dispose()


# --- parts


def test_every_table_of_the_store_says_what_forgetting_does_with_it():
    missing = {table.name for table in metadata.sorted_tables} - set(TABLES)
    assert not missing, f"may {missing} hold personal data? Remove it in data_access/forget.py and say so in TABLES"


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ('1,"Anna@Example.org",x', "anna@example.org"),
        ('{"phone": "+44 (0)20 7946-0018"}', "+442079460018"),
        ("see @Anna_B!", "anna_b"),
        ("id:shop=anna77|email=a@b.c", "anna77"),
        ("From: Anna <anna@example.org>;", "anna@example.org"),
    ],
)
def test_identities_are_found_in_raw_rows_as_files_write_them(raw, named):
    assert named in tokens(raw)


SETTINGS: Settings = read_settings(None)


@given(
    born=st.dates(dt.date(1930, 1, 1), dt.date(2010, 12, 31)),
    days=st.lists(st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 31)), min_size=1, max_size=6),
)
def test_a_made_up_age_gives_each_contact_its_age_group(born, days):
    contacts = [(dt.datetime(day.year, day.month, day.day, 12), _band(day, born, SETTINGS)) for day in days]
    made = made_up_age(contacts, born, None, SETTINGS)
    groups = {group for _, group in contacts}
    if len(groups) == 1:
        assert made == {"birth_date": None, "birth_year": None, "age_group_given": groups.pop()}
        return
    substitute = made["birth_date"] or dt.date(made["birth_year"], 7, 1)
    assert [_band(day, substitute, SETTINGS) for day in days] == [group for _, group in contacts]
    is_on_birthday = any((day.month, day.day) in ((born.month, born.day), (3, 1)) for day in days)
    assert made["birth_date"] != born or is_on_birthday


def test_forgetting_many_of_the_demo_company_changes_no_figure(tmp_path):
    url = f"duckdb:///{tmp_path / 'demo'}"
    assert main(["demo", "--store", url, "--scale", "0.05"]) == 0
    before = figures(url)
    people = sorted(frame_of(url, customers)["customer_id"])
    assert forget(url, random.Random(3).sample(people, 60)).customer_count == 60
    after = figures(url)
    assert [name for name in before if before[name] != after[name]] == []
    assert main(["check", "--store", url]) == 0
