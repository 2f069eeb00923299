"""The demo company: its files against its truth, its stories, and what its texts may look like."""

from __future__ import annotations

import csv
import json
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from zoneinfo import ZoneInfo

import pytest

from data_access.demo import ALL_STORIES, DemoTruth, write_demo_sources
from data_access.demo.channels import CHANNELS

SEEDS = (7, 8, 9)
SCALE = 0.25
LONDON = ZoneInfo("Europe/London")
FILES = {
    "customers.csv", "messages.csv", "messages.toml", "social.csv", "social.toml", "calls.csv", "calls.toml",
    "settings.toml",
}  # fmt: skip
KINDS = {"email", "phone", "handle:twitter", "handle:facebook", "id:messages", "id:calls", "id:social"}
NO_STORIES: frozenset[str] = frozenset()


@dataclass
class Demo:
    folder: Path
    truth: DemoTruth

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def mapped(self, source: str) -> list[dict[str, str]]:
        """Rows in Frontdoor's words, by the mapping beside the file: a small reader of our own."""
        mapping = tomllib.loads((self.folder / f"{source}.toml").read_text(encoding="utf-8"))
        values = mapping.get("values", {})
        return [
            {
                field: values.get(field, {}).get(row[column], row[column])
                for field, column in mapping["columns"].items()
            }
            for row in self.rows(f"{source}.csv")
        ]

    def times(self, source: str, field: str) -> list[datetime]:
        mapping = tomllib.loads((self.folder / f"{source}.toml").read_text(encoding="utf-8"))
        return [_instant(row[field], mapping["time"]["format"]) for row in self.mapped(source) if row[field]]

    def events(self) -> list[dict[str, str]]:
        return self.mapped("messages") + self.mapped("social")


def _instant(text: str, pattern: str) -> datetime:
    at = datetime.strptime(text, pattern)  # noqa: DTZ007 - a format without an offset is UTC here
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@pytest.fixture(scope="module", params=SEEDS)
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp(f"seed{request.param}")
    return Demo(folder, write_demo_sources(folder, seed=request.param, scale=SCALE))


@pytest.fixture(scope="module", params=SEEDS)
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp(f"plain{request.param}")
    return Demo(folder, write_demo_sources(folder, seed=request.param, scale=SCALE, plant=NO_STORIES))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    truths = [
        write_demo_sources(tmp_path / name, seed=seed, scale=0.05) for name, seed in (("a", 3), ("b", 3), ("c", 4))
    ]
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert truths[0] == truths[1]
    for name in ("customers.csv", "messages.csv", "social.csv", "calls.csv"):
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()


def test_the_mappings_name_columns_that_exist_and_translate_every_value(demo: Demo) -> None:
    words = {
        "channel": set(CHANNELS),
        "direction": {"inbound", "outbound"},
        "author_kind": {"customer", "agent", "bot", "system"},
        "status": {"closed", "abandoned"},
    }
    for source in ("messages", "social", "calls"):
        rows = demo.mapped(source)
        for field, allowed in words.items():
            assert {row[field] for row in rows if field in row} <= allowed
    settings = tomllib.loads((demo.folder / "settings.toml").read_text(encoding="utf-8"))
    assert settings["zone"] == "Europe/London"
    assert settings["simulated"] is True


def test_counts_by_channel_in_the_files_are_those_of_the_truth(demo: Demo) -> None:
    truth, calls, events = demo.truth, demo.mapped("calls"), demo.events()
    by_event = Counter(row["channel"] for row in events)
    assert {channel: by_event[channel] for channel in CHANNELS} == truth.interactions_by_channel
    conversations = {(row["channel"], row["conversation"]) for row in events}
    conversations |= {("phone", row["id"]) for row in calls}
    by_conversation = Counter(channel for channel, _ in conversations)
    assert dict(by_conversation) == {key: n for key, n in truth.conversations_by_channel.items() if n}
    assert len(conversations) == truth.conversation_count
    assert len(events) == truth.interaction_count
    assert len(calls) == truth.call_count
    assert len(demo.rows("customers.csv")) == truth.customer_count
    outreach = {row["conversation"] for row in events if row.get("outreach") == "true"}
    outreach |= {row["id"] for row in calls if row["direction"] == "outbound"}
    assert len(outreach) == truth.outreach_count
    assert truth.customer_opened_count == truth.conversation_count - truth.outreach_count


def test_the_unanswered_in_the_files_are_those_of_the_truth(demo: Demo) -> None:
    opened, answered, bots = set(), set(), set()
    for row in demo.events():
        if row.get("outreach") == "true":
            continue
        opened.add(row["conversation"])
        if row["direction"] == "outbound" and row["author_kind"] == "agent" and row.get("is_internal") != "true":
            answered.add(row["conversation"])
        if row["author_kind"] == "bot":
            bots.add(row["conversation"])
    for row in demo.mapped("calls"):
        if row["direction"] == "inbound":
            opened.add(row["id"])
            if row["is_answered"] == "true":
                answered.add(row["id"])
            assert (row["is_answered"] == "true") == bool(row["first_response_seconds"])
            assert (row["is_abandoned"] == "true") == bool(row["abandoned_seconds"])
    assert opened - answered == demo.truth.unanswered_ids
    assert bots - answered == demo.truth.bot_only_ids
    assert sum(demo.truth.unanswered_by_channel.values()) == len(demo.truth.unanswered_ids)


def test_first_response_times_in_the_files_are_those_of_the_truth(demo: Demo) -> None:
    first: dict[str, datetime] = {}
    for source in ("messages", "social"):
        for row, at in zip(demo.mapped(source), demo.times(source, "occurred_at"), strict=True):
            is_human = row["author_kind"] == "agent" and row.get("is_internal") != "true"
            if is_human and row.get("outreach") != "true":
                first[row["conversation"]] = min(at, first.get(row["conversation"], at))
    for row, at in zip(demo.mapped("calls"), demo.times("calls", "opened_at"), strict=True):
        if row["first_response_seconds"]:
            first[row["id"]] = at + timedelta(seconds=int(row["first_response_seconds"]))
    told = {one.conversation_id: one.first_response_at for one in demo.truth.conversations if one.first_response_at}
    assert first == told


def test_ids_are_unique_and_every_reply_follows_what_it_replies_to(demo: Demo) -> None:
    events = demo.events()
    times = demo.times("messages", "occurred_at") + demo.times("social", "occurred_at")
    at = {row["id"]: time for row, time in zip(events, times, strict=True)}
    assert len(at) == len(events)
    calls = [row["id"] for row in demo.mapped("calls")]
    assert len(set(calls)) == len(calls)
    conversation = {row["id"]: row["conversation"] for row in events}
    for row in events:
        if row["reply_to"]:
            assert at[row["reply_to"]] <= at[row["id"]]
            assert conversation[row["reply_to"]] == row["conversation"]
    opening: dict[str, dict[str, str]] = {}
    for row in sorted(events, key=lambda row: at[row["id"]]):
        opening.setdefault(row["conversation"], row)
    for row in opening.values():
        assert row["direction"] == ("outbound" if row.get("outreach") == "true" else "inbound")
        assert row["reply_to"] == ""


def test_every_time_lies_in_the_twelve_months_and_calls_carry_the_london_offset(demo: Demo) -> None:
    begin = datetime(2025, 11, 1, tzinfo=LONDON).astimezone(UTC)
    assert demo.truth.horizon == datetime(2026, 11, 1, tzinfo=LONDON).astimezone(UTC)
    times = demo.times("messages", "occurred_at") + demo.times("social", "occurred_at")
    times += demo.times("calls", "opened_at")
    assert min(times) >= begin
    assert max(times) < demo.truth.horizon
    for row in demo.rows("calls.csv"):
        at = datetime.strptime(row["offered_at"], "%Y-%m-%dT%H:%M:%S%z")
        assert at.utcoffset() == at.astimezone(LONDON).utcoffset()
        assert 8 <= at.hour < 20
        if row["closed_at"]:
            assert row["closed_at"] >= row["offered_at"]


def test_texts_are_printable_varied_and_as_long_as_the_channel_allows(demo: Demo) -> None:
    texts = [(row["channel"], row["text"], row["direction"]) for row in demo.events()]
    texts += [("phone", row["text"], "inbound") for row in demo.mapped("calls") if row["is_answered"] == "true"]
    for channel, text, direction in texts:
        if channel == "phone" and not text:
            continue
        assert text.strip()
        assert text.replace("\n", "").isprintable()
        if direction == "inbound":
            assert len(text) <= {"twitter": 280, "sms": 160}.get(channel, 1000)
    openings = [row["text"] for row in demo.events() if row["direction"] == "inbound" and not row["reply_to"]]
    assert len(set(openings)) > 0.6 * len(openings)
    for text in openings:
        assert not any(slot in text for slot in ("{days}", "{amount}", "{first}", "{order}", "{hold}"))


def test_texts_that_look_hostile_occur_in_a_handful_of_rows(demo: Demo) -> None:
    texts = [row["text"] for row in demo.events()]
    for start in ("=HYPERLINK(", "<b>bold</b>", "**markdown**", "[link](http://example.com)"):
        assert 0 <= sum(text.startswith(start) for text in texts) <= 12
    assert any(text.startswith(("=", "<", "**", "[", "+", "@SUM")) for text in texts)


def test_customers_have_invented_unique_identities_and_known_or_unknown_ages(demo: Demo) -> None:
    rows = demo.rows("customers.csv")
    seen: Counter[str] = Counter()
    for row in rows:
        assert sum(bool(row[name]) for name in ("birth_date", "birth_year", "age_group")) <= 1
        for identity in row["identities"].split(";"):
            kind, _, value = identity.partition("=")
            seen[identity] += 1
            assert kind in {
                "email",
                "phone",
                "handle:twitter",
                "handle:facebook",
                "id:messages",
                "id:calls",
                "id:social",
            }
            if kind == "email":
                assert value.endswith(("@example.com", "@example.org"))
            if kind == "phone":
                assert value.startswith(("+447700900", "+441632960", "+4420794", "+441"))
    assert max(seen.values()) == 1
    unknown = sum(not (row["birth_date"] or row["birth_year"] or row["age_group"]) for row in rows)
    assert 0.08 < unknown / len(rows) < 0.16


def test_the_recorded_customer_of_every_conversation_can_be_found_in_the_files(demo: Demo) -> None:
    owner = {
        identity: row["customer_id"] for row in demo.rows("customers.csv") for identity in row["identities"].split(";")
    }
    told = {one.conversation_id: one.recorded_customer for one in demo.truth.conversations}
    names: dict[str, set[str]] = defaultdict(set)
    for source in ("messages", "social", "calls"):
        for row in demo.mapped(source):
            key = row["id"] if source == "calls" else row["conversation"]
            found = owner.get(f"id:{source}={row['customer']}") if row["customer"] else None
            found = found or owner.get(f"email={row.get('email')}") or ""
            names[key].add(found)
            assert row["customer"] or row.get("email") or row.get("handle")
    for key, found in names.items():
        expected = told[key] if told[key].startswith("LF") else ""
        assert found == {expected}


def test_age_groups_of_the_truth_follow_from_what_the_customer_file_says(demo: Demo) -> None:
    known = {row["customer_id"]: row for row in demo.rows("customers.csv")}
    limits, bands = (18, 25, 35, 45, 55, 65), ("<18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
    for one in demo.truth.conversations:
        row = known.get(one.recorded_customer, {})
        day = one.opened_at.astimezone(LONDON).date()
        if row.get("birth_date"):
            born = date.fromisoformat(row["birth_date"])
            age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
            assert one.age_group == bands[sum(age >= limit for limit in limits)]
        elif row.get("birth_year"):
            ages = (day.year - int(row["birth_year"]), day.year - int(row["birth_year"]) - 1)
            assert {one.age_group} == {bands[sum(age >= limit for limit in limits)] for age in ages}
        else:
            assert one.age_group == (row.get("age_group") or "unknown")


def test_the_channels_of_the_ages_follow_the_published_figures(plain: Demo) -> None:
    mix: dict[str, Counter[str]] = defaultdict(Counter)
    for one in plain.truth.conversations:
        if not one.is_outreach:
            mix[one.age_group][one.channel] += 1
    phone = {group: counts["phone"] / counts.total() for group, counts in mix.items()}
    assert 0.36 < phone["55-64"] < 0.52
    assert 0.38 < phone["65+"] < 0.56
    assert phone["18-24"] < 0.28
    # Public accounts that are not linked are of unknown age, so what is known of the young is a bound.
    social = {group: (counts["twitter"] + counts["facebook"]) / counts.total() for group, counts in mix.items()}
    known = [counts for group, counts in mix.items() if group != "unknown"]
    everyone = sum(one["twitter"] + one["facebook"] for one in known) / sum(one.total() for one in known)
    assert 2 < social["18-24"] / everyone < 4


def test_a_phone_outage_is_days_of_lost_calls_and_of_posts_that_blame_the_phone(demo: Demo) -> None:
    story = demo.truth.stories["phone_outage"]
    assert story.last_day - story.first_day == timedelta(days=2)
    assert story.first_day.isocalendar().week == story.last_day.isocalendar().week
    assert story.abandoned_count / story.call_count > 0.7
    assert story.usual_abandoned_count / story.usual_call_count < 0.12
    assert len(story.phone_post_ids) / 3 > 5 * story.usual_phone_posts_per_day
    calls = zip(demo.mapped("calls"), demo.times("calls", "opened_at"), strict=True)
    then = [
        row
        for row, at in calls
        if story.first_day <= at.astimezone(LONDON).date() <= story.last_day and row["direction"] == "inbound"
    ]
    assert len(then) == story.call_count
    assert sum(row["is_abandoned"] == "true" for row in then) == story.abandoned_count


def test_the_reviews_desk_ignores_most_reviews_from_a_day_on(demo: Demo) -> None:
    story = demo.truth.stories["reviews_ignored"]
    assert len(story.after_unanswered_ids) / story.after_count > 0.7
    assert story.before_unanswered_count / story.before_count < 0.45
    assert set(story.after_unanswered_ids) <= demo.truth.unanswered_ids


def test_the_oldest_wait_longer_by_their_channels_only(demo: Demo) -> None:
    story = demo.truth.stories["age_gap_mix"]
    oldest = story.oldest_within_hour_count / story.oldest_count
    others = story.others_within_hour_count / story.others_count
    assert others - oldest > 0.04
    assert abs(_within_channel_gap(demo.truth, "65+")) < 0.03


def test_the_young_are_answered_less_on_whatsapp(demo: Demo) -> None:
    story = demo.truth.stories["age_gap_real"]
    young = story.group_answered_count / story.group_count
    others = story.others_answered_count / story.others_count
    assert others - young > 0.1


def test_e_mail_answers_slow_down_over_the_last_months(demo: Demo) -> None:
    story = demo.truth.stories["email_decline"]
    assert len(story.months) == 12
    steady = [row.median_minutes for row in story.months if row.month < "2026-07"]
    assert story.months[-1].median_minutes > 2 * median(steady)


def test_the_bot_answers_at_once_and_people_much_later(demo: Demo) -> None:
    story = demo.truth.stories["instant_bot"]
    assert story.median_minutes_naive == 0
    assert story.median_minutes_human > 15
    assert 0.85 < story.bot_reply_count / story.chat_count < 0.98
    assert story.bot_only_count == len(demo.truth.bot_only_ids)


def test_chats_open_in_both_hours_called_one_o_clock(demo: Demo) -> None:
    story = demo.truth.stories["dst_night"]
    assert story.night == date(2026, 10, 25)
    assert story.repeated_from == datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert len(story.first_hour_ids) >= 3
    assert len(story.second_hour_ids) >= 3
    opened = {one.conversation_id: one.opened_at.astimezone(LONDON) for one in demo.truth.conversations}
    for ids, fold in ((story.first_hour_ids, 0), (story.second_hour_ids, 1)):
        assert {(opened[one].hour, opened[one].fold) for one in ids} == {(1, fold)}


def test_back_door_pairs_are_an_unanswered_private_contact_and_a_later_public_complaint(demo: Demo) -> None:
    truth, story = demo.truth, demo.truth.stories["back_door"]
    rows = {one.conversation_id: one for one in truth.conversations}
    assert story.pairs == truth.back_door_pairs
    assert len(story.pairs) > 40
    for pair in story.pairs:
        first, second = rows[pair.first_id], rows[pair.second_id]
        assert first.recorded_customer == second.recorded_customer
        assert pair.first_id in truth.unanswered_ids
        assert second.intent == "complaint"
        assert second.channel in ("twitter", "facebook")
        assert timedelta(hours=20) <= second.opened_at - first.opened_at < timedelta(days=7)


def test_restatements_are_told_on_two_channels_in_other_words(demo: Demo) -> None:
    text: dict[str, str] = {row["id"]: row["text"] for row in demo.mapped("calls")}
    for row in demo.events():
        text.setdefault(row["conversation"], row["text"])
    assert len(demo.truth.restatement_pairs) > 50
    for pair in demo.truth.restatement_pairs:
        assert pair.first_channel != pair.second_channel
        assert text[pair.first_id]
        assert text[pair.second_id]
        assert text[pair.first_id] != text[pair.second_id]


def test_nothing_is_there_to_find_where_nothing_was_planted(plain: Demo) -> None:
    truth = plain.truth
    assert truth.stories == {}
    assert truth.planted == ()
    assert truth.back_door_pairs == ()
    assert truth.bot_only_ids == frozenset()
    assert {one.story for one in truth.conversations} == {""}
    assert not any(row["author_kind"] == "bot" for row in plain.events())
    assert abs(_within_channel_gap(truth, "65+")) < 0.03
    assert abs(_within_channel_gap(truth, "18-24")) < 0.04
    daily: dict[date, Counter[bool]] = defaultdict(Counter)
    for one in truth.conversations:
        if one.channel == "phone" and not one.is_outreach:
            daily[one.opened_at.astimezone(LONDON).date()][one.first_response_at is None] += 1
    assert not [day for day, calls in daily.items() if calls.total() >= 5 and calls[True] > calls[False]]


@pytest.mark.parametrize("name", sorted(ALL_STORIES))
def test_each_story_can_be_planted_alone(name: str, tmp_path: Path) -> None:
    truth = write_demo_sources(tmp_path, scale=0.05, plant=frozenset({name}))
    assert set(truth.stories) == {name}
    assert bool(truth.back_door_pairs) == (name == "back_door")


def test_scale_multiplies_the_volume_and_a_tiny_company_is_whole(tmp_path: Path) -> None:
    small, large = (write_demo_sources(tmp_path / f"{scale}", scale=scale) for scale in (0.1, 0.4))
    assert 3.6 < large.conversation_count / small.conversation_count < 4.4
    tiny = write_demo_sources(tmp_path / "tiny", scale=0.01)
    assert tiny.conversation_count > 100
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == FILES


def test_the_whole_company_has_the_promised_volume_and_strength_of_stories(tmp_path: Path) -> None:
    truth = write_demo_sources(tmp_path)
    assert 21_500 < truth.conversation_count < 23_000
    assert 58_000 < truth.interaction_count < 66_000
    reviews = truth.stories["reviews_ignored"]
    assert 0.80 < len(reviews.after_unanswered_ids) / reviews.after_count < 0.92
    young = truth.stories["age_gap_real"]
    assert 0.54 < young.group_answered_count / young.group_count < 0.70
    assert young.others_answered_count / young.others_count > 0.86


def test_another_end_moves_the_whole_year(tmp_path: Path) -> None:
    truth = write_demo_sources(tmp_path, scale=0.05, end=date(2025, 6, 30))
    assert (truth.first_day, truth.last_day) == (date(2024, 7, 1), date(2025, 6, 30))
    assert truth.stories["dst_night"].night == date(2024, 10, 27)


def test_truth_goes_to_json_with_and_without_its_rows(tmp_path: Path) -> None:
    truth = write_demo_sources(tmp_path, scale=0.05)
    brief = json.loads(truth.to_json())
    assert "conversations" not in brief
    assert brief["unanswered_ids"] == sorted(truth.unanswered_ids)
    whole = json.loads(truth.to_json(with_conversations=True))
    assert len(whole["conversations"]) == truth.conversation_count


def test_unknown_stories_and_scales_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown stories"):
        write_demo_sources(tmp_path, plant=frozenset({"meteor"}))
    with pytest.raises(ValueError, match="scale"):
        write_demo_sources(tmp_path, scale=0)


def _within_channel_gap(truth: DemoTruth, group: str) -> float:
    """Answered within an hour, a group against the other known ages, weighted by its own channels."""
    gap, weight = 0.0, 0
    for channel in CHANNELS:
        cells = [one for one in truth.age_by_channel if one.channel == channel and one.age_group != "unknown"]
        mine = [one for one in cells if one.age_group == group]
        others = [one for one in cells if one.age_group != group]
        count, other_count = (sum(one.conversation_count for one in rows) for rows in (mine, others))
        if count and other_count:
            share, other_share = (
                sum(one.answered_within_hour_count for one in rows) / total
                for rows, total in ((mine, count), (others, other_count))
            )
            gap += count * (share - other_share)
            weight += count
    return gap / weight
