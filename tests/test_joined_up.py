"""Back door, repeat contacts and first-contact resolution on a store that a person can count on paper."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import pandas as pd
import pytest
from conftest import TINY_MAPPING
from stored_rows import differing, rows_of

from data_access import audit
from data_access.cli import main
from data_access.errors import FilterError, MappingError
from data_access.estimates import wilson_interval
from data_access.filters import Filter
from data_access.loader import LoadOrder, load, rebuild
from data_access.measures import Selection
from data_access.queries.back_door import back_door, back_door_flow, back_door_range, front_doors
from data_access.queries.conversations import count_rows, selected_rows
from data_access.queries.repeat_contacts import repeat_contacts, repeat_contacts_range
from data_access.reports import run_report
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved, settings_file

COLUMNS = list(TINY_MAPPING["columns"])
# customer, conversation, channel, direction, day and time in March 2026, complaint, needs a reply, topic.
# anna: e-mail never answered, tweets two days later: back door. ben: e-mail answered after an hour, tweets about
# something else: not. cleo: tweets four hours after her e-mail, whose target is eight: not. dora: tweets eight days
# and an hour after hers: only within 14 days. emil: tweets only: not known. fay: e-mails after her tweet:
# not known then. gus: tweets before the answer to his e-mail came: back door. hal: e-mail and call unanswered, then
# Facebook: back door, once. ida: chat unanswered there, but a call about it answered in time: not. jon: his e-mail
# asks for nothing. zoe: a chat at the very end.
EVENTS = """\
anna anna-e email    inbound  02T09:00 y y billing
anna anna-t twitter  inbound  04T09:00 y y billing
ben  ben-e  email    inbound  02T09:00 y y billing
ben  ben-e  email    outbound 02T10:00 n n billing
ben  ben-t  twitter  inbound  04T09:00 y y delivery
cleo cleo-e email    inbound  04T05:00 y y billing
cleo cleo-t twitter  inbound  04T09:00 y y billing
dora dora-e email    inbound  02T09:00 y y billing
dora dora-t twitter  inbound  10T10:00 y y billing
emil emil-t twitter  inbound  04T09:00 y y billing
fay  fay-t  twitter  inbound  03T09:00 y y billing
fay  fay-e  email    inbound  03T12:00 y y billing
gus  gus-e  email    inbound  02T09:00 y y billing
gus  gus-e  email    outbound 05T09:00 n n billing
gus  gus-t  twitter  inbound  04T09:00 y y billing
hal  hal-e  email    inbound  02T12:00 y y billing
hal  hal-p  phone    inbound  03T09:00 y y billing
hal  hal-f  facebook inbound  04T12:00 y y billing
ida  ida-c  chat     inbound  03T09:00 y y billing
ida  ida-p  phone    inbound  03T09:20 n y billing
ida  ida-p  phone    outbound 03T09:25 n n billing
ida  ida-t  twitter  inbound  04T09:00 y y billing
jon  jon-e  email    inbound  02T09:00 n n -
jon  jon-t  twitter  inbound  04T09:00 y y billing
zoe  zoe-c  chat     inbound  20T08:59 n y billing
zoe  zoe-c  chat     outbound 20T09:00 n n billing
"""
PUBLIC = {"anna-t", "ben-t", "cleo-t", "dora-t", "emil-t", "fay-t", "gus-t", "hal-f", "ida-t", "jon-t"}
TEAMS = {"email": "Mail", "phone": "Phone", "chat": "Chat", "twitter": "Social", "facebook": "Social"}
END = dt.datetime(2026, 3, 20, 9)


def events() -> list[dict[str, str]]:
    rows = []
    for number, line in enumerate(EVENTS.splitlines(), 1):
        customer, conversation, channel, direction, at, complaint, needs, topic = line.split()
        is_inbound = direction == "inbound"
        rows.append(
            dict.fromkeys(COLUMNS, "")
            | {
                "id": str(number),
                "conversation": conversation,
                "customer": customer,
                "channel": channel,
                "direction": direction,
                "author_kind": "customer" if is_inbound else "agent",
                "agent": "" if is_inbound else "Bo",
                "team": TEAMS[channel],
                "occurred_at": f"2026-03-{at}:00Z",
                "text": f"Text {number}",
                "sentiment_label": "neutral",
                "is_complaint": {"y": "true", "n": "false"}[complaint] if is_inbound else "",
                "needs_reply": {"y": "true", "n": "false"}[needs] if is_inbound else "",
                "topic": "" if topic == "-" else topic,
            }
        )
    return rows


def order(folder: Path, name: str, rows: list[dict[str, str]], complete_to: dt.datetime | None = None) -> LoadOrder:
    path = folder / f"{name}.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)
    mapping = mapping_of({**TINY_MAPPING, "source": name.split("-", maxsplit=1)[0]}, name)
    return LoadOrder(path, "csv", mapping, complete_to=complete_to)


def looking(url: str, **fields: object) -> tuple:
    engine = open_reader(url)
    return engine, resolved(Filter(**fields), read_status(engine, url))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("joined")
    found = f"duckdb:///{folder / 'store'}"
    load(found, [order(folder, "joined", events())])
    return found


def ids(url: str, measure: str, *cell: tuple[str, str], **fields: object) -> list[str]:
    engine, wanted = looking(url, **fields)
    rows = selected_rows(engine, Selection(wanted, measure, cell))
    return sorted(rows["external_id"])


# --- the back door


def test_the_back_door_counts_unanswered_overdue_private_contacts_before_the_post(url):
    assert ids(url, "back_door") == ["anna-t", "gus-t", "hal-f"]
    row = back_door(*looking(url)).iloc[0]
    assert (row["public_complaint_count"], row["known_private_count"], row["back_door_count"]) == (10, 8, 3)
    low, high = wilson_interval(3, 8)
    assert tuple(row[["back_door_share", "back_door_share_low", "back_door_share_high"]]) == (3 / 8, low, high)
    assert row["known_private_share"] == 0.8


def test_who_is_known_in_private_is_judged_as_of_the_post(url):
    assert set(ids(url, "public_complaints")) == PUBLIC
    assert set(ids(url, "public_complaints_known")) == PUBLIC - {"emil-t", "fay-t"}


def test_the_number_of_days_is_an_argument_and_a_cell_and_the_range_is_shown_whole(url):
    frame = back_door_range(*looking(url))
    assert list(frame["within_days"]) == [1, 3, 7, 14, 30]
    assert list(frame["back_door_count"]) == [0, 3, 3, 4, 4]
    assert list(frame["is_ours"]) == [False, False, True, False, False]
    for days, count in zip(frame["within_days"], frame["back_door_count"], strict=True):
        assert len(ids(url, "back_door", ("within_days", str(days)))) == count
        assert back_door(*looking(url, within_days=int(days))).iloc[0]["back_door_count"] == count
    assert "dora-t" in ids(url, "back_door", within_days=14)
    assert list(back_door_range(*looking(url, within_days=10))["within_days"]) == [1, 3, 7, 10, 14, 30]


def test_each_arrow_has_its_median_wait_and_opens_its_rows(url):
    frame = back_door_flow(*looking(url))
    assert frame[["front_channel", "channel", "back_door_count", "median_minutes_waited"]].values.tolist() == [
        ["email", "twitter", 2, 2880.0],
        ["email", "facebook", 1, 2880.0],
    ]
    assert ids(url, "back_door", ("front_channel", "email"), ("channel", "twitter")) == ["anna-t", "gus-t"]
    assert ids(url, "back_door", ("front_channel", "phone")) == []
    engine, wanted = looking(url)
    rows = selected_rows(engine, Selection(wanted, "back_door", (("channel", "facebook"),)))
    assert rows[["front_channel", "front_waited_minutes"]].values.tolist() == [["email", 2880.0]]


def test_failing_doors_are_ranked_by_contacts_nobody_answered_in_time(url):
    assert ids(url, "failed_contacts") == ["anna-e", "cleo-e", "dora-e", "fay-e", "gus-e", "hal-e", "hal-p"]
    assert ids(url, "came_out") == ["anna-e", "gus-e", "hal-e", "hal-p"]
    frame = front_doors(*looking(url)).set_index("channel")
    assert frame.loc["email", ["failed_contact_count", "came_out_count"]].tolist() == [6, 3]
    assert frame.loc["phone", ["failed_contact_count", "came_out_count"]].tolist() == [1, 1]
    assert frame["known_public_share"].tolist() == [1.0, 1.0]


def test_a_contact_whose_days_have_not_passed_is_not_judged(url):
    """As of 10 March 08:59 those of 3 March, 9:00 and later, and of 4 March, are younger than seven days."""
    fields = {"as_of": dt.datetime(2026, 3, 10, 8, 59)}
    assert ids(url, "failed_contacts", **fields) == ["anna-e", "dora-e", "gus-e", "hal-e"]


def test_what_happens_later_changes_nothing(url, tmp_path):
    """At any moment the full store says what a store says that holds nothing later."""
    moments = (dt.datetime(2026, 3, 4, 8, 59), dt.datetime(2026, 3, 4, 9), dt.datetime(2026, 3, 10, 12), END)
    for number, as_of in enumerate(moments):
        then = f"duckdb:///{tmp_path / f'store{number}'}"
        rows = [row for row in events() if dt.datetime.fromisoformat(row["occurred_at"][:-1]) <= as_of]
        load(then, [order(tmp_path, f"joined-{number}", rows, as_of)])
        for name in ("back_door", "back_door_flow", "back_door_range", "front_doors", "repeat_contacts_range"):
            frames = [run_report(*_named(where, as_of, name)) for where in (url, then)]
            pd.testing.assert_frame_equal(*frames)
    assert back_door(*looking(url, as_of=moments[0])).iloc[0]["public_complaint_count"] == 1
    assert back_door(*looking(url, as_of=moments[1])).iloc[0]["back_door_count"] == 2  # hal's post is later


def _named(url: str, as_of: dt.datetime, name: str) -> tuple:
    engine, wanted = looking(url, as_of=as_of)
    return engine, name, wanted


def test_a_private_source_that_stopped_before_the_post_is_never_blamed(tmp_path):
    private = [row for row in events() if row["channel"] not in ("twitter", "facebook")]
    public = [row for row in events() if row["channel"] in ("twitter", "facebook")]
    customers = tmp_path / "people.csv"
    pairs = sorted({row["customer"] for row in events()})
    customers.write_text(
        "customer_id,birth_date,birth_year,age_group,identities\n"
        + "".join(f"{name},,,,id:private={name};id:public={name}\n" for name in pairs)
    )
    found = {}
    for stopped in (dt.datetime(2026, 3, 20, 9), dt.datetime(2026, 3, 4)):
        url = f"duckdb:///{tmp_path / f'store{stopped.day}'}"
        before = [row for row in private if row["occurred_at"] <= f"{stopped.isoformat()}Z"]
        orders = [LoadOrder(customers, "customers"), order(tmp_path, f"private-{stopped.day}", before, stopped)]
        load(url, [*orders, order(tmp_path, f"public-{stopped.day}", public, END)])
        row = back_door(*looking(url)).iloc[0]
        found[stopped.day] = (row["known_private_count"], row["back_door_count"])
    assert found == {20: (8, 3), 4: (7, 0)}  # of cleo's e-mail of 4 March nothing is known any more


def test_a_customers_file_makes_known_in_private_in_whichever_order_it_is_loaded(tmp_path):
    """Listed addresses have no date; an address that an event brought counts from its conversation on."""
    people = tmp_path / "people.csv"
    people.write_text(
        "customer_id,birth_date,birth_year,age_group,identities\n"
        "E,,,,id:joined=emil;email=emil@example.com\nF,,,,id:joined=fay;handle:twitter=fay\n"
    )
    counts, origins = [], []
    for first in (0, 1):
        url = f"duckdb:///{tmp_path / f'store{first}'}"
        orders = [order(tmp_path, f"joined-{first}", events()), LoadOrder(people, "customers")]
        for one in orders if first == 0 else reversed(orders):
            load(url, [one])
        counts.append(ids(url, "public_complaints_known"))
        from data_access.schema import customer_identities

        origins.append(rows_of(url, customer_identities))
    assert counts[0] == counts[1] == sorted(PUBLIC - {"fay-t"})
    assert origins[0] == origins[1]


def test_an_answer_at_an_unknown_time_is_the_sources_word_unless_the_setting_says_otherwise(tmp_path):
    """A ticket that is answered, nobody knows when, and a public complaint two days later."""
    rows = [row for row in events() if row["conversation"] in ("anna-t", "zoe-c")]
    tickets = tmp_path / "tickets.csv"
    tickets.write_text("ticket,customer,channel,opened_at,answered\nt1,anna,email,2026-03-02T09:00:00Z,true\n")
    people = tmp_path / "people.csv"
    people.write_text("customer_id,birth_date,birth_year,age_group,identities\nA,,,,id:desk=anna;id:joined=anna\n")
    mapping = {
        "source": "desk",
        "grain": "conversation",
        "columns": {
            "id": "ticket",
            "customer": "customer",
            "channel": "channel",
            "opened_at": "opened_at",
            "is_answered": "answered",
        },
    }
    url = f"duckdb:///{tmp_path / 'store'}"
    desk = LoadOrder(tickets, "csv", mapping_of(mapping, "desk"), complete_to=END)
    load(url, [LoadOrder(people, "customers"), desk, order(tmp_path, "joined", rows)])
    assert back_door(*looking(url)).iloc[0][["known_private_count", "back_door_count"]].tolist() == [1, 0]
    counted = back_door(*looking(url, unknown_time_counts_as="unanswered")).iloc[0]
    assert counted[["known_private_count", "back_door_count"]].tolist() == [1, 1]


# --- repeat contacts


def test_repeats_follow_another_contact_of_a_fitting_topic_on_any_channel(url):
    expected = ["anna-t", "cleo-t", "fay-e", "gus-t", "hal-f", "hal-p", "ida-p", "ida-t", "jon-t"]
    assert ids(url, "repeat_contacts") == expected
    assert ids(url, "repeat_contacts_any_topic") == sorted([*expected, "ben-t"])
    assert ids(url, "repeat_contacts", ("within_days", "14")) == sorted([*expected, "dora-t"])
    row = repeat_contacts(*looking(url)).iloc[0]
    assert (row["conversation_count"], row["recognisable_count"], row["repeat_count"]) == (22, 22, 9)
    assert (row["issue_count"], row["contacts_per_issue"]) == (13, 22 / 13)


def test_first_contact_resolution_stands_beside_its_channel_blind_rival(url):
    assert ids(url, "no_further_contact") == ["ben-e", "ben-t", "dora-e", "dora-t", "emil-t"]
    row = repeat_contacts(*looking(url)).iloc[0]
    counts = ("judged_count", "no_further_contact_count", "no_further_contact_same_channel_count")
    assert tuple(row[list(counts)]) == (12, 5, 12)  # zoe's of 20 March is too young
    assert row["no_further_contact_unanswered_count"] == 4  # all but ben's e-mail
    any_topic = repeat_contacts(*looking(url), topic="any").iloc[0]
    assert tuple(any_topic[list(counts)]) == (11, 3, 11)


def test_first_contacts_are_judged_only_when_their_days_have_passed(url):
    row = repeat_contacts(*looking(url, as_of=dt.datetime(2026, 3, 9, 10))).iloc[0]
    assert row["judged_count"] == 5  # the e-mails of 2 March; hal's of noon is two hours too young
    frame = repeat_contacts_range(*looking(url)).set_index("within_days")
    assert frame["judged_count"].to_dict() == {1: 16, 3: 12, 7: 12, 14: 11, 30: 0}


def test_customers_without_any_identity_are_outside_repeat_contacts_and_counted_as_coverage(tmp_path):
    rows = events()
    for row in rows:
        if row["customer"] in ("anna", "emil"):
            row["customer"] = ""
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [order(tmp_path, "joined", rows)])
    row = repeat_contacts(*looking(url)).iloc[0]
    assert (row["conversation_count"], row["recognisable_count"]) == (22, 19)
    assert row["recognisable_share"] == 19 / 22
    assert "anna-t" not in ids(url, "repeat_contacts")


def test_an_id_that_joins_nobody_makes_nobody_recognisable(tmp_path):
    url = f"duckdb:///{tmp_path / 'store'}"
    file = settings_file(url)
    assert file is not None
    file.parent.mkdir()
    file.write_text('[identity]\nnever_joins = ["id:anna", "id:emil"]\n')
    load(url, [order(tmp_path, "joined", events())])
    row = repeat_contacts(*looking(url)).iloc[0]
    assert (row["conversation_count"], row["recognisable_count"]) == (22, 19)
    assert row["recognisable_share"] == 19 / 22
    assert "anna-t" not in ids(url, "repeat_contacts")


# --- everything agrees


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_of_loads_derives_what_a_rebuild_derives(url, tmp_path, seed):
    rows = events()
    random.Random(seed).shuffle(rows)
    found = f"duckdb:///{tmp_path / 'store'}"
    for number, part in enumerate((rows[:9], rows[9:18], rows[18:])):
        load(found, [order(tmp_path, f"joined-{number}", part)])
    loaded = rows_of(found)
    rebuild(found)
    assert differing(loaded, rows_of(found)) == []
    from data_access.schema import conversations, waits

    assert differing(rows_of(found, waits, conversations), rows_of(url, waits, conversations)) == []


@pytest.mark.parametrize(
    "fields", [{}, {"within_days": 14}, {"channels": ("email", "twitter")}, {"age_groups": ("x",)}]
)
def test_figures_arrows_and_the_range_equal_their_rows(url, fields):
    findings = list(audit.check_numbers(*looking(url, **fields)))
    assert [finding for finding in findings if not finding.is_ok] == []
    names = {finding.check.split(":")[0] for finding in findings}
    assert {"back_door", "came_out", "no_further_contact_any_topic"} <= names


@pytest.mark.parametrize("dimension", ["channel", "team", "age_group", "period", "topic"])
def test_parts_add_up_to_the_whole(url, dimension):
    engine, wanted = looking(url)
    for query, columns in (
        (back_door, ("public_complaint_count", "known_private_count", "back_door_count")),
        (repeat_contacts, ("recognisable_count", "repeat_count", "issue_count", "judged_count")),
    ):
        whole, parts = query(engine, wanted).iloc[0], query(engine, wanted, (dimension,))
        assert [parts[name].sum() for name in columns] == [whole[name] for name in columns]


def test_a_limited_viewer_sees_their_own_complaints_and_that_another_teams_door_failed(url):
    fields = {"scope_teams": ("Social",)}
    assert ids(url, "back_door", **fields) == ["anna-t", "gus-t", "hal-f"]
    assert ids(url, "back_door", scope_teams=("Mail",)) == []
    assert back_door(*looking(url, scope_teams=("Mail",))).iloc[0]["public_complaint_count"] == 0
    assert ids(url, "came_out", scope_teams=("Phone",)) == ["hal-p"]


def test_the_command_line_gives_the_same_rows_as_the_arrow(url, capsys):
    assert main(["report", "conversations", "--store", url, "--measure", "back_door", "--cell", "front_channel=email",
                 "--cell", "channel=twitter", "--cell", "within_days=7"]) == 0  # fmt: skip
    assert capsys.readouterr().out.count("-t,") == 2
    assert main(["report", "back_door", "--store", url, "--within-days", "14", "--format", "json"]) == 0
    assert '"back_door_count": 4' in capsys.readouterr().out


def test_days_and_dimensions_that_make_no_sense_are_refused_by_name(url, tmp_path):
    engine, wanted = looking(url)
    with pytest.raises(FilterError, match="367"):
        Filter(within_days=367)
    with pytest.raises(FilterError, match="within_days"):
        count_rows(engine, Selection(wanted, "back_door", (("within_days", "soon"),)))
    with pytest.raises(FilterError, match="whole number from 1 to 366"):
        count_rows(engine, Selection(wanted, "back_door", (("within_days", "0"),)))
    with pytest.raises(FilterError, match="front_channel"):
        count_rows(engine, Selection(wanted, "complaints", (("front_channel", "email"),)))
    with pytest.raises(FilterError, match="back_door_flow"):
        back_door(engine, wanted, ("front_channel",))
    from data_access.config import read_settings

    for text in ("[joined_up]\nwindow_days = 0", '[joined_up]\nwindow_days = "7"', "[joined_up]\ndays = 7"):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        with pytest.raises(MappingError, match="joined_up"):
            read_settings(path)
    path.write_text("[joined_up]\nwindow_days = 3")
    assert read_settings(path).joined_up.window_days == 3


def test_an_empty_store_has_one_row_of_zeros_and_no_arrow(empty_store_url):
    engine, wanted = looking(empty_store_url)
    row = back_door(engine, wanted).iloc[0]
    assert row["public_complaint_count"] == 0
    assert pd.isna(row["back_door_share"])
    assert back_door_flow(engine, wanted).empty
    assert pd.isna(repeat_contacts(engine, wanted).iloc[0]["contacts_per_issue"])
    assert list(back_door_range(engine, wanted)["back_door_count"]) == [0] * 5
