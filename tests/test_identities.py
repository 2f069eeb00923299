"""Who is who: what joins customers, what joins nobody, and decisions by hand that outlive every load."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest
from conftest import TIMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_rows import frame_of, rows_of
from test_customers import EVENT_COLUMNS, Files, event, people

from data_access import customers as settling
from data_access import decisions, loader
from data_access.cli import main
from data_access.config import read_settings
from data_access.errors import FrontdoorError, MappingError
from data_access.filters import Filter
from data_access.identities import Statement, customer_of, masked, normalised, people_of, reason_of_itself
from data_access.loader import LoadOrder, load, rebuild
from data_access.reports import run_report
from data_access.schema import (
    conversations,
    customer_identities,
    customer_records,
    customers,
    event_keys,
    interactions,
    stated_identities,
    waits,
)
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved
from pages.components import trust

RULES = read_settings().identity
WHO = (
    conversations,
    waits,
    interactions,
    customers,
    customer_identities,
    stated_identities,
    customer_records,
    event_keys,
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def rules_of(files: Files, toml: str, store: str = "store") -> None:
    (files.folder / store).mkdir(exist_ok=True)
    (files.folder / store / "settings.toml").write_text(f"[identity]\n{toml}\n")


def reasons(files: Files) -> dict[str, str | None]:
    rows = frame_of(files.url(), customer_identities)
    return {
        f"{kind}={value}": None if pd.isna(reason) else reason
        for kind, value, reason in zip(rows["identity_kind"], rows["identity_value"], rows["reason"], strict=True)
    }


# --- what an identity is


@pytest.mark.parametrize(
    ("kind", "given", "region", "expected"),
    [
        ("phone", "+44 (0)20 7946 0123", "", "+442079460123"),
        ("phone", "0044 20 7946 0123", "", "+442079460123"),
        ("phone", "020 7946 0123", "GB", "+442079460123"),
        ("phone", "020 7946 0123", "", "020 7946 0123"),  # of which country?
        ("phone", "+44 20 7946 0123 ext. 7", "", "+442079460123;ext=7"),  # a switchboard is not a person
        ("phone", "+44 20", "", "+44 20"),
        ("phone", "withheld", "GB", "withheld"),
        ("phone", "  ", "GB", None),
        ("email", " Anna@Example.COM ", "", "anna@example.com"),
        ("email", "anna+bills@example.com", "", "anna+bills@example.com"),  # exact: no guessing
        ("email", "anna", "", None),
        ("handle:twitter", "@Anna_A", "", "anna_a"),
    ],
)
def test_identities_are_compared_in_one_form(kind, given, region, expected):
    assert normalised(kind, given, region) == expected


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("phone", "+442079460123", None),
        ("phone", "020 7946 0123", "number"),
        ("email", "b@x.example, phone=+442079460123", "address"),
        ("email", "b@x.example; c@x.example", "address"),
        ("email", "b c@x.example", "address"),
        ("email", "info@x.example", "never"),
        ("email", "noreply@x.example", "never"),
        ("email", "informer@x.example", None),
        ("id:desk", "info@x.example", None),
        ("id:desk", "anonymous7", None),
        ("id:desk", "Guest", "never"),
        ("id:desk", "guest-12", None),
        ("handle:chat", "guest", None),
        ("name", "Anna Smith", "kind"),
    ],
)
def test_what_can_join_nobody_whoever_shows_it(kind, value, reason):
    assert reason_of_itself(kind, value, RULES) == reason


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("email", "info@x.example", "i…@x.example"),
        ("phone", "+442079460123", "+44…23"),
        ("phone", "12345", "1…"),
        ("handle:twitter", "anna", "a…"),
    ],
)
def test_a_masked_identity_tells_only_those_who_know_it(kind, value, shown):
    assert masked(kind, value) == shown


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ('joins = ["name"]', "unknown kind 'name'"),
        ('phone_region = "UK"', "phone_region must be a country such as 'GB'"),
        ("shared_after = 0", "shared_after must be a whole number from 1"),
        ("never_joins = 'info@*'", "never_joins must be a list of texts"),
        ("cap = 3", "unknown key 'cap'"),
    ],
)
def test_wrong_rules_are_refused_by_name(tmp_path, toml, named):
    path = tmp_path / "settings.toml"
    path.write_text(f"[identity]\n{toml}\n")
    with pytest.raises(MappingError, match=named.replace("(", r"\(")):
        read_settings(path)


# --- what joins nobody


def test_a_name_joins_nobody(files):
    path = files.folder / "named.csv"
    path.write_text(
        "id,conversation,name,channel,direction,occurred_at\n"
        "1,a,Anna Smith,email,inbound,2025-05-05T09:00:00Z\n2,b,Anna Smith,phone,inbound,2025-05-05T09:00:00Z\n"
    )
    from data_access.loader import LoadOrder, load
    from data_access.sources.mapping import mapping_of

    columns = {name: name for name in ("id", "conversation", "channel", "direction", "occurred_at")}
    mapping = mapping_of({"source": "desk", "columns": {**columns, "display_name": "name"}}, "t")
    load(files.url(), [LoadOrder(path, "csv", mapping)])
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"})}
    assert frame_of(files.url(), customers)["display_name"].tolist() == ["Anna Smith"] * 2


def test_an_address_of_two_customers_of_a_source_joins_nobody_and_lets_go_of_those_it_had_joined(files):
    """A family's telephone: who calls from it without an id cannot be told."""
    shared = "+442079460123"
    files.events(event(1, "a", customer="1", phone=shared) + event(2, "call", phone=shared, channel="phone"))
    assert people(files.url()) == {frozenset({"a", "call"})}
    files.events(event(3, "b", customer="2", phone=shared))
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"}), frozenset({"call"})}
    assert reasons(files) == {"id:desk=1": None, "id:desk=2": None, f"phone={shared}": "customers"}


def test_an_address_seen_with_more_others_than_the_cap_joins_nobody(files):
    """Three e-mail addresses on one telephone are one person (the cap), a fourth makes it shared."""
    shared = "+442079460123"
    rows = [event(n, f"c{n}", email=f"e{n}@x.example", phone=shared) for n in range(4)]
    files.events("".join(rows[:3]))
    assert people(files.url()) == {frozenset({"c0", "c1", "c2"})}
    files.events(rows[3])
    assert people(files.url()) == {frozenset({f"c{n}"}) for n in range(4)}
    assert reasons(files)[f"phone={shared}"] == "shared"
    rules_of(files, "shared_after = 4")
    rebuild(files.url())
    assert people(files.url()) == {frozenset({f"c{n}" for n in range(4)})}


def test_a_correction_that_ends_the_sharing_joins_again(files):
    shared = "+442079460123"
    both = event(1, "a", customer="1", phone=shared) + event(2, "call", phone=shared, channel="phone")
    files.events(both + event(3, "b", customer="2", phone=shared))
    files.events(event(3, "b", customer="2", phone="+442079460124"))
    assert people(files.url()) == {frozenset({"a", "call"}), frozenset({"b"})}


def test_a_long_chain_of_addresses_falls_into_what_stands_with_an_id(files):
    """Eleven addresses that hang together only through each other: nobody knows who is at their end."""
    short = event(0, "s", email="a@x.example", handle="h") + event(1, "t", phone="+442079460100", handle="h")
    files.events(short, source="other")
    assert people(files.url()) == {frozenset({"s", "t"})}  # two addresses, one person
    long = [event(n, f"l{n}", email=f"m{n}@x.example", phone=f"+4420794602{n:02}") for n in range(12)]
    long += [event(50 + n, f"k{n}", email=f"m{n + 1}@x.example", phone=f"+4420794602{n:02}") for n in range(11)]
    long += [event(90, "l-known", customer="9", email="m0@x.example")]
    files.events("".join(long))
    found = people(files.url())
    assert frozenset({"l0", "l-known"}) in found  # m0 stands with id 9: a direct link
    assert {frozenset({name}) for name in ("l1", "l11", "k0", "k10")} | {frozenset({"s", "t"})} <= found
    assert reasons(files)["email=m5@x.example"] == "chain"


def test_an_id_that_two_customers_of_a_file_list_joins_neither_and_stays_with_itself(files):
    files.events(event(1, "a", customer="7") + event(2, "b", customer="7"))
    result = files.customers("A,1980-01-01,id:desk=7\nB,1990-01-01,id:desk=7\n")
    assert people(files.url()) == {frozenset({"a", "b"})}
    assert frame_of(files.url(), conversations)["age_group"].tolist() == ["unknown"] * 2
    assert len(result.notes) == 2


def test_kinds_that_do_not_join_are_kept_and_a_rebuild_brings_them_in(files):
    rules_of(files, 'joins = ["id"]\nphone_region = "GB"')
    files.events(event(1, "a", customer="1", email="x@x.example") + event(2, "b", email="x@x.example"))
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"})}
    assert reasons(files)["email=x@x.example"] == "kind"
    rules_of(files, "")
    rebuild(files.url())
    assert people(files.url()) == {frozenset({"a", "b"})}


def test_an_id_that_stands_for_nobody_joins_nobody_also_where_a_file_of_customers_has_it(files):
    files.events(event(1, "a", customer="Guest") + event(2, "b", customer="guest") + event(3, "c", customer="7"))
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"}), frozenset({"c"})}
    assert reasons(files)["id:desk=guest"] == "never"
    files.customers("A,1980-01-01,id:desk=guest\nB,1990-01-01,id:desk=7\n")
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"}), frozenset({"c"})}
    ages = frame_of(files.url(), conversations).set_index("external_id")["age_group"].to_dict()
    assert ages == {"a": "unknown", "b": "unknown", "c": "35-44"}
    rules_of(files, "never_joins = []")
    rebuild(files.url())
    assert frozenset({"b"}) in people(files.url())
    assert frame_of(files.url(), conversations).set_index("external_id").loc["b", "age_group"] == "45-54"


def test_a_load_asks_whether_an_id_of_very_many_conversations_is_a_person(files, monkeypatch):
    monkeypatch.setattr(loader, "MOST_OF_A_PERSON", 3)
    rows = "".join(event(n, f"g{n}", customer="walk-in") for n in range(4))
    result = files.events(rows + "".join(event(10 + n, f"p{n}", customer="7") for n in range(3)))
    (note,) = result.notes
    assert note.startswith("an id of a customer stands in more than 3 conversations (w… in 4): ")
    rules_of(files, 'never_joins = ["id:walk-in"]')
    rebuild(files.url())
    assert len(people(files.url())) == 5
    again = files.events("".join(event(20 + n, f"h{n}", customer="walk-in") for n in range(4)))
    assert again.notes == []  # it was answered


def test_a_region_makes_national_numbers_join_after_a_rebuild(files):
    files.events(event(1, "a", phone="020 7946 0123") + event(2, "b", phone="+44 20 7946 0123"))
    assert people(files.url()) == {frozenset({"a"}), frozenset({"b"})}
    rules_of(files, 'phone_region = "GB"')
    rebuild(files.url())
    assert people(files.url()) == {frozenset({"a", "b"})}


def test_a_conversation_of_two_customers_of_a_source_belongs_to_one_and_joins_no_address(files):
    rows = event(1, "both", customer="1", email="one@x.example") + event(
        2, "both", customer="2", email="two@x.example"
    )
    files.events(rows + event(3, "mail", email="two@x.example") + event(4, "other", customer="2"))
    assert people(files.url()) == {frozenset({"both"}), frozenset({"mail"}), frozenset({"other"})}


def test_people_are_named_after_the_strongest_identity():
    statements = [
        Statement(frozenset({("id:desk", "1"), ("email", "a@x.example")})),
        Statement(frozenset({("id:crm", "A"), ("email", "a@x.example")}), own=("id:crm", "A")),
    ]
    found = people_of(statements, [], [], RULES)
    assert set(found.of_statement) == {customer_of(("id:crm", "A"))}


# --- what is told of it


def test_what_joins_nobody_is_reported_masked_with_its_customers_and_reason(files):
    family_phone = "+442079460123"
    files.events(
        event(1, "a", customer="1", phone=family_phone)
        + event(2, "b", customer="2", phone=family_phone)
        + event(3, "c", phone=family_phone)
        + event(4, "d", email="info@x.example")
    )
    engine = open_reader(files.url())
    wanted = resolved(Filter(), read_status(engine, files.url()))
    rows = run_report(engine, "shared_identities", wanted)
    assert rows.to_numpy().tolist() == [
        ["phone", "+44…23", "customers", 3, 3],
        ["email", "i…@x.example", "never", 1, 1],
    ]
    limited = run_report(engine, "shared_identities", wanted.replace(scope_teams=("Mail",)))
    assert limited["identity"].tolist() == ["…", "…"]
    coverage = run_report(engine, "coverage", wanted).set_index("item")
    assert coverage.loc["customer_identified", "known_count"] == 2
    assert trust.identity_sentence(run_report(engine, "coverage", wanted), rows) == (
        "0 % of conversations belong to a customer known on more than one channel (0 of 4). "
        "1 identity of several people joins nobody. 1 more cannot join by the settings or for want of a country code."
    )


# --- decisions by hand


def family(files: Files, store: str = "store") -> None:
    files.events(
        event(1, "desk", customer="1", email="a@x.example", phone="+442079460123")
        + event(2, "mail", email="a@x.example")
        + event(3, "call", phone="+442079460123", channel="phone")
        + event(4, "tweet", handle="@who", channel="twitter")
        + event(5, "nobody"),
        store=store,
    )


def test_a_split_makes_another_person_who_stays_apart_on_reload_and_rebuild(files):
    family(files)
    done = decisions.split(files.url(), "email=a@x.example", ["phone=+44 20 7946 0123"])
    assert (done.number, len(done.customers)) == (1, 2)
    expected = {frozenset({"desk", "mail"}), frozenset({"call"}), frozenset({"tweet"}), frozenset({"nobody"})}
    assert people(files.url()) == expected
    before = rows_of(files.url(), *WHO)
    family(files)
    rebuild(files.url())
    assert rows_of(files.url(), *WHO) == before
    files.events(event(6, "again", phone="+442079460123", email="a@x.example", channel="phone"))
    assert people(files.url()) == (expected - {frozenset({"desk", "mail"})}) | {frozenset({"desk", "mail", "again"})}


def test_a_merge_makes_one_person_who_stays_one_also_of_a_conversation_that_nobody_knows(files):
    family(files)
    tweet, nobody = (
        frame_of(files.url(), conversations).set_index("external_id")["customer_id"][name]
        for name in ("tweet", "nobody")
    )
    assert decisions.merge(files.url(), "id:desk=1", "handle:twitter=who").number == 1
    assert decisions.merge(files.url(), "id:desk=1", nobody).number == 2
    assert tweet not in set(frame_of(files.url(), customers)["customer_id"])
    assert people(files.url()) == {frozenset({"desk", "mail", "call", "tweet", "nobody"})}
    before = rows_of(files.url(), *WHO)
    family(files)
    rebuild(files.url())
    assert rows_of(files.url(), *WHO) == before


def test_a_merge_takes_a_split_back_and_a_split_a_merge(files):
    family(files)
    before = rows_of(files.url(), *WHO)
    decisions.split(files.url(), "id:desk=1", ["phone=+442079460123"])
    undone = decisions.merge(files.url(), "id:desk=1", "phone=+442079460123")
    assert (undone.withdrawn, undone.number) == ((1,), None)
    assert rows_of(files.url(), *WHO) == before
    decisions.merge(files.url(), "id:desk=1", "handle:twitter=who")
    undone = decisions.split(files.url(), "id:desk=1", ["handle:twitter=who"])
    assert (undone.withdrawn, undone.number) == ((1,), None)
    assert rows_of(files.url(), *WHO) == before


def test_an_identity_that_only_a_customers_file_lists_is_split_off_and_taken_back(files, capsys):
    """Nobody wrote from the address: it is a person of its own, who can be named, and whoever writes from it later."""
    listed = "A,1980-01-01,id:desk=1;email=old@x.example\n"
    files.events(event(1, "desk", customer="1"))
    files.customers(listed)
    before = rows_of(files.url(), *WHO)
    done = decisions.split(files.url(), "id:desk=1", ["email=old@x.example"])
    other = customer_of(("email", "old@x.example"))
    assert (done.number, done.customers) == (1, tuple(sorted((customer_of(("id:customers", "A")), other))))
    assert main(["identities", "explain", other, "--store", files.url()]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"customer {other}: 0 conversations",
        "  email=old@x.example (from customers; 0 conversations)",
        "  decision 1 by hand: email=old@x.example is another person than id:customers=A, id:desk=1",
    ]
    split_rows = rows_of(files.url(), *WHO)
    files.customers(listed)
    rebuild(files.url())
    assert rows_of(files.url(), *WHO) == split_rows
    assert main(["check", "--store", files.url()]) == 0
    undone = decisions.merge(files.url(), *done.customers)
    assert (undone.withdrawn, undone.number) == ((1,), None)
    assert rows_of(files.url(), *WHO) == before
    decisions.split(files.url(), "id:desk=1", ["email=old@x.example"])
    files.events(event(2, "mail", email="old@x.example"))
    assert people(files.url()) == {frozenset({"desk"}), frozenset({"mail"})}


def test_an_identity_shown_beside_a_stronger_one_only_is_split_off_and_taken_back(files):
    """Of one message that shows both, the stronger keeps the message."""
    files.events(event(1, "mail", email="a@x.example", handle="h"))
    before = rows_of(files.url(), *WHO)
    done = decisions.split(files.url(), "email=a@x.example", ["email=a@x.example"])
    assert people(files.url()) == {frozenset({"mail"})}
    assert set(done.customers) == {customer_of(("email", "a@x.example")), customer_of(("handle:email", "h"))}
    decisions.merge(files.url(), *done.customers)
    assert rows_of(files.url(), *WHO) == before


def test_taking_a_split_back_does_not_join_who_came_to_one_of_the_two_since(files):
    """Without id 3 the handle joins A to id 2; with it again, A and id 2 are two customers of the desk."""
    files.events(event(1, "two", customer="2", handle="h"))
    files.customers("A,1980-01-01,id:desk=3;handle:email=h\n")
    before = rows_of(files.url(), *WHO)
    decisions.split(files.url(), "id:customers=A", ["id:desk=3"])
    assert set(frame_of(files.url(), conversations)["customer_id"]) == {customer_of(("id:customers", "A"))}
    undone = decisions.merge(files.url(), "id:customers=A", "id:desk=3")
    assert (undone.withdrawn, undone.number) == ((1,), None)
    assert rows_of(files.url(), *WHO) == before


def test_two_customers_of_a_source_become_one_only_by_hand(files):
    files.events(event(1, "a", customer="1") + event(2, "b", customer="2"))
    decisions.merge(files.url(), "id:desk=1", "id:desk=2")
    assert people(files.url()) == {frozenset({"a", "b"})}


@pytest.mark.parametrize(("one", "other"), [("email=b@x.example", "email=c@x.example"), ("id:desk=2", "id:desk=3")])
def test_a_merge_keeps_together_whom_an_address_had_joined_to_an_id_of_a_customers_file(files, one, other):
    """The person of the file has no id of the desk; with two of them, the address would join nobody."""
    files.customers("crm2,1970-01-01,email=b@x.example\n")
    files.events(event(1, "bob", customer="2", email="b@x.example"))
    files.events(event(2, "carl", customer="3", email="c@x.example"))
    decisions.merge(files.url(), one, other)
    assert people(files.url()) == {frozenset({"bob", "carl"})}
    assert frame_of(files.url(), customers)["birth_date"].notna().tolist() == [True]
    before = rows_of(files.url(), *WHO)
    rebuild(files.url())
    assert rows_of(files.url(), *WHO) == before


def test_a_merge_keeps_together_whom_an_address_had_joined_across_sources(files):
    for source in ("desk", "shop"):
        rows = event(1, f"{source} x", customer="1", email="b@x.example")
        files.events(rows + event(2, f"{source} y", customer="2", email="b@y.example"), source=source)
    assert people(files.url()) == {frozenset({"desk x", "shop x"}), frozenset({"desk y", "shop y"})}
    decisions.merge(files.url(), "email=b@x.example", "email=b@y.example")
    assert people(files.url()) == {frozenset({"desk x", "shop x", "desk y", "shop y"})}
    assert decisions.split(files.url(), "id:desk=1", ["id:desk=2", "id:shop=2", "email=b@y.example"]).withdrawn == (1,)
    assert people(files.url()) == {frozenset({"desk x", "shop x"}), frozenset({"desk y", "shop y"})}


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["explain", "cnobody"], "there is no customer 'cnobody'"),
        (["explain", "email=z@x.example"], "nobody in the store has email=z@x.example"),
        (["explain", "name=Anna"], "is none of email="),
        (["split", "id:desk=1", "--identity", "handle:twitter=who"], "has no handle:twitter=who"),
        (
            ["split", "handle:twitter=who", "--identity", "handle:twitter=who"],
            "has nothing else: name some of its identities",
        ),
        (["merge", "id:desk=1", "email=a@x.example"], "are one customer already"),
        (["merge", "id:desk=1", "cnobody"], "there is no customer 'cnobody'"),
    ],
)
def test_what_cannot_be_decided_is_said_in_words_and_changes_nothing(files, capsys, command, named):
    family(files)
    before = rows_of(files.url(), *WHO)
    assert main(["identities", *command, "--store", files.url()]) == 2
    assert named in capsys.readouterr().err
    assert rows_of(files.url(), *WHO) == before


def test_a_shared_address_cannot_name_one_customer(files):
    shared = "+442079460123"
    files.events(event(1, "a", customer="1", phone=shared) + event(2, "b", customer="2", phone=shared))
    with pytest.raises(FrontdoorError, match="was shown by 2 customers; name one of them by its id"):
        decisions.merge(files.url(), f"phone={shared}", "id:desk=1")


def test_the_command_explains_the_chain_of_joins_in_words(files, capsys):
    family(files)
    decisions.merge(files.url(), "id:desk=1", "handle:twitter=who")
    capsys.readouterr()
    assert main(["identities", "explain", "phone=+442079460123", "--store", files.url()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": 4 conversations")
    assert lines[1:] == [
        "  id:desk=1 (from desk; 1 conversation)",
        "  email=a@x.example (from desk; 2 conversations): stands with id:desk=1 in conversation desk (email, desk)",
        "  phone=+442079460123 (from desk; 2 conversations): stands with id:desk=1 in conversation desk (email, desk)",
        "  handle:twitter=who (from desk; 1 conversation): stands with id:desk=1 in decision 1 by hand",
        "  decision 1 by hand: id:desk=1 is one person with handle:twitter=who",
    ]
    assert main(["identities", "explain", "phone=+442079460123", "--json", "--store", files.url()]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [one["stands_with"] for one in found["identities"]] == [None, "id:desk=1", "id:desk=1", "id:desk=1"]


def test_the_command_splits_and_merges_and_status_counts_the_decisions(files, capsys):
    family(files)
    store = ["--store", files.url(), "--json"]
    assert main(["identities", "split", "id:desk=1", "--identity", "phone=+442079460123", *store]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["verdict"], done["decision"], done["withdrawn"], len(done["customers"])) == ("split", 1, [], 2)
    assert main(["status", *store]) == 0
    assert json.loads(capsys.readouterr().out)["identity_decision_count"] == 1
    assert main(["identities", "merge", *done["customers"], *store]) == 0
    assert json.loads(capsys.readouterr().out)["withdrawn"] == [1]
    assert main(["check", "--store", files.url()]) == 0


# --- in any order


@st.composite
def stated(draw) -> list[dict[str, str]]:
    """Messages that show a few identities at random: families, shared addresses, chains and two ids of a person."""
    values = {
        "customer": ["1", "2", "3"],
        "email": ["a@x.example", "b@x.example", "c@x.example", "info@x.example"],
        "phone": ["+442079460120", "+442079460121", "020 7946 0121"],
        "handle": ["h", "i"],
    }
    some = st.fixed_dictionaries({}, optional={name: st.sampled_from(given) for name, given in values.items()})
    return draw(st.lists(some, min_size=4, max_size=6))


LISTED = ("A,1980-01-01,id:desk=1;email=a@x.example\n", "B,2000-01-01,id:desk=2;id:desk=3;phone=+442079460121\n")


@settings(max_examples=2 * TIMES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(everyone=stated(), seed=st.integers(0, 10**6), shared=st.integers(1, 2), chained=st.integers(1, 3))
def test_caps_and_decisions_give_the_rows_of_one_load_in_any_split_and_order(
    tmp_path_factory, everyone, seed, shared, chained
):
    files, dice = Files(tmp_path_factory.mktemp("who")), random.Random(seed)
    for store in ("at once", "split"):
        rules_of(files, f"shared_after = {shared}\nchained_after = {chained}", store)
    rows = [event(place, f"c{place // 2}", **who) for place, who in enumerate(everyone)]
    everything = "".join(rows)
    files.customers("".join(LISTED), store="at once")
    files.events(everything, store="at once")
    parts = [lambda part=part: files.events(part, store="split") for part in dice.sample(rows, len(rows))]
    parts += [lambda line=line: files.customers(line, store="split") for line in LISTED]
    dice.shuffle(parts)
    for load_part in parts:
        load_part()
    before = rows_of(files.url("at once"), *WHO)
    assert rows_of(files.url("split"), *WHO) == before
    assert main(["check", "--store", files.url("split")]) == 0
    decide_and_undo(files.url("split"), dice)
    assert rows_of(files.url("split"), *WHO) == before
    files.events(everything, store="split")
    assert rows_of(files.url("split"), *WHO) == before


def decide_and_undo(url: str, dice: random.Random) -> None:
    """Split one customer who has two identities that join, and take it back."""
    found = frame_of(url, customer_identities)
    found = found[found["reason"].isna()].sort_values(["customer_id", "identity_kind", "identity_value"])
    several = [group for _, group in found.groupby("customer_id") if len(group) > 1]
    if not several:
        return
    one = dice.choice(several)
    kind, value = one[["identity_kind", "identity_value"]].iloc[dice.randrange(len(one))]
    count = len(frame_of(url, interactions))
    try:
        done = decisions.split(url, one["customer_id"].iloc[0], [f"{kind}={value}"])
    except FrontdoorError as problem:
        if "no effect" in str(problem):
            return
        raise
    assert len(frame_of(url, interactions)) == count
    split_rows = rows_of(url, *WHO)
    rebuild(url)
    assert rows_of(url, *WHO) == split_rows
    rest = [name for name in done.customers if f"{kind}={value}" not in _identities(url, name)]
    decisions.merge(url, dice.choice(rest), f"{kind}={value}")  # the whole split is withdrawn


def _identities(url: str, customer: str) -> set[str]:
    rows = frame_of(url, customer_identities)
    rows = rows[rows["customer_id"] == customer]
    return set(rows["identity_kind"] + "=" + rows["identity_value"])


# --- the many who need no thought are settled in SQL


def crowd(dice: random.Random) -> tuple[str, str, str]:
    """Events of many small groups of people, more of their events, and lines of a customers file, all at random.

    Most groups are one id with its addresses, or addresses without an id; in some, people share addresses or write in
    one conversation.
    """
    parts: list[list[str]] = [[], []]
    listed = []
    for group in range(30):
        strangeness, with_id = dice.choice([0.0, 0.0, 0.1, 0.4]), dice.choice([0.8, 0.8, 0.0])
        for place in range(dice.randint(2, 7)):
            conversation = f"c{group}-{dice.randrange(4)}"
            who = int(conversation[-1]) % 2
            shown = {}
            for name, form in (
                ("customer", "{}"),
                ("email", "{}@x.example"),
                ("phone", "+4420794612{}"),
                ("handle", "h{}"),
            ):
                if dice.random() < (with_id if name == "customer" else 0.4):
                    person = dice.randrange(3) if dice.random() < strangeness else who
                    shown[name] = form.format(f"{group:02}{person}")
            parts[dice.randrange(2)].append(event(f"{group}-{place}", conversation, **shown))
        if dice.random() < 0.3:
            more = dice.choice([f"email={group:02}{dice.randrange(3)}@x.example", f"id:desk={group:02}1"])
            listed.append(f"L{group},1980-01-01,id:desk={group:02}0;{more}\n")
    return "".join(parts[0]), "".join(parts[1]), "".join(listed)


def settle_crowd(url: str, crowd_of: tuple[str, str, str], folder: Path, least: int, monkeypatch) -> None:
    """Load a crowd in steps, with a decision by hand between them; more than `least` statements go through SQL."""
    monkeypatch.setattr(settling, "FEW_STATEMENTS", least)
    mapping = mapping_of({"source": "desk", "columns": {name: name for name in EVENT_COLUMNS}}, "t")
    header = ",".join(EVENT_COLUMNS) + "\n"
    for place, part in enumerate(crowd_of[:2]):
        (folder / f"{place}.csv").write_text(header + part)
    (folder / "listed.csv").write_text("customer_id,birth_date,identities\n" + crowd_of[2])
    load(url, [LoadOrder(folder / "0.csv", "csv", mapping)])
    names = sorted({name for name in frame_of(url, stated_identities)["identity_value"] if len(name) == 3})
    decisions.merge(url, f"id:desk={names[0]}", f"id:desk={names[2]}")
    load(url, [LoadOrder(folder / "listed.csv", "customers"), LoadOrder(folder / "1.csv", "csv", mapping)])


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_plain_statements_are_settled_in_sql_as_one_by_one(tmp_path_factory, monkeypatch, seed):
    folder, rows = tmp_path_factory.mktemp("crowd"), crowd(random.Random(seed))
    everyone = 10**9
    for least, store in ((0, "in SQL"), (everyone, "one by one")):
        settle_crowd(f"duckdb:///{folder / store}", rows, folder, least, monkeypatch)
    found = rows_of(f"duckdb:///{folder / 'in SQL'}", *WHO)
    assert found == rows_of(f"duckdb:///{folder / 'one by one'}", *WHO)
    assert len(found["customers"]) > 30
    monkeypatch.setattr(settling, "FEW_STATEMENTS", 0)
    rebuild(f"duckdb:///{folder / 'in SQL'}")
    assert rows_of(f"duckdb:///{folder / 'in SQL'}", *WHO) == found


@pytest.mark.postgresql
def test_plain_statements_are_settled_alike_on_both_engines(tmp_path, new_database, monkeypatch):
    url, rows = new_database(), crowd(random.Random(7))
    settle_crowd(url, rows, tmp_path, 0, monkeypatch)
    settle_crowd(f"duckdb:///{tmp_path / 'plain'}", rows, tmp_path, 10**9, monkeypatch)
    assert rows_of(url, *WHO) == rows_of(f"duckdb:///{tmp_path / 'plain'}", *WHO)


def test_few_statements_are_left_for_a_closer_look(files, monkeypatch):
    """Of a crowd without anything strange nobody is looked at one by one; a shared address and its people are."""
    looked_at: list[Statement] = []

    def watched(statements, *rest):
        looked_at.extend(statements)
        return people_of(statements, *rest)

    monkeypatch.setattr(settling, "people_of", watched)
    monkeypatch.setattr(settling, "FEW_STATEMENTS", 0)
    plain = [event(n, f"c{n}", customer=f"{n % 5}", email=f"{n % 5}@x.example") for n in range(20)]
    files.events("".join(plain))
    assert looked_at == []
    files.events(
        "".join(event(f"p{n}", f"p{n}", email=f"p{n % 3}@x.example", phone=f"+442079460{n}") for n in range(100, 109))
    )
    assert looked_at == []
    files.events(event("x", "x", customer="9", email="3@x.example"))
    assert {one.identities for one in looked_at} == {
        frozenset({("id:desk", "3"), ("email", "3@x.example")}),
        frozenset({("id:desk", "9"), ("email", "3@x.example")}),
    }


def test_an_address_without_an_id_that_stands_with_too_many_others_is_looked_at(files, monkeypatch):
    """Plain statements are so only up to the limits from which on an address is shared or a chain."""
    monkeypatch.setattr(settling, "FEW_STATEMENTS", 0)
    count = RULES.shared_after + 1
    files.events(
        "".join(event(n, f"c{n}", email="desk@x.example", phone=f"+4420794601{n:02}") for n in range(count))
        + "".join(event(f"q{n}", f"q{n}", email="q@x.example", phone=f"+4420794602{n:02}") for n in range(2))
    )
    rows = frame_of(files.url(), customer_identities)
    reasons = {str(value): set(group.fillna("")) for value, group in rows.groupby("identity_value")["reason"]}
    assert reasons["desk@x.example"] == {"shared"}
    assert reasons["q@x.example"] == reasons["+442079460200"] == {""}
    assert len(people(files.url())) == count + 1
