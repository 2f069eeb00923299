"""Twelve months of customer service at Larkfield: who gets in touch, when, about what, and what then."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from data_access.demo import stories
from data_access.demo.channels import (
    BEHAVIOURS,
    CHANNELS,
    PRIVATE_CHANNELS,
    PUBLIC_CHANNELS,
    WEEKDAY_WEIGHTS,
    channel_mix,
)
from data_access.demo.clock import ZONE, draw_time, local_to_utc, repeated_hour, shift
from data_access.demo.model import Conversation, Customer, Intent
from data_access.demo.people import make_customers
from data_access.demo.stories import StoryPlan, plan_stories
from data_access.demo.texts import draw_topic, make_issue, phrases
from data_access.demo.threads import Lead, Stage

CUSTOMER_COUNT, ISSUE_COUNT, OUTREACH_COUNT = 7_000, 18_600, 700  # at scale 1
# Two issues of one customer are this far apart, so that only a follow-up is ever a repeat contact.
ISSUE_GAP_DAYS = 21
# After so many days comes another issue, no longer a follow-up: those who leave make no such contact.
LEFT_AFTER_DAYS = 14
_CAST = ("phone_outage", "dst_night")
LONGEST_FOLLOW_UP = timedelta(days=6, hours=12)
PHONE_COMPLAINT_SHARE = 0.44
REPEAT_AFTER_SILENCE, REPEAT_AFTER_ANSWER = 0.35, 0.12


@dataclass
class World:
    """Everything that happened, as objects; `not_made` are contacts that never came, because the customer had left."""

    first_day: date
    last_day: date
    horizon: datetime
    plan: StoryPlan
    customers: list[Customer]
    conversations: list[Conversation] = field(default_factory=list)
    follow_ups: list[tuple[Conversation, Conversation]] = field(default_factory=list)
    not_made: list[Conversation] = field(default_factory=list)


def simulate(seed: int, scale: float, end: date, plant: frozenset[str]) -> World:
    """Play the twelve months that end with the local day `end`; the same arguments give the same world."""
    rng = random.Random(seed)  # noqa: S311 - a simulation must be repeatable, nothing here is secret
    first_day = end - timedelta(days=364)
    plan = plan_stories(plant, first_day, end)
    horizon = local_to_utc(end + timedelta(days=1), 0)
    customers = make_customers(rng, max(80, round(CUSTOMER_COUNT * scale)), first_day, end)
    world = World(first_day, end, horizon, plan, customers)
    _Year(rng, world, scale).play()
    if plan.has_leavers:
        _let_leave(random.Random(f"{seed} leavers"), world)  # noqa: S311 - a source of its own: the rest stays as it is
    world.conversations.sort(key=lambda conversation: (conversation.opened_at, conversation.conversation_id))
    return world


def _let_leave(rng: random.Random, world: World) -> None:
    """Some whom nobody answered have no further issue; who plays in another story later stays."""
    by_customer: dict[int, list[Conversation]] = {}
    for one in sorted(world.conversations, key=lambda one: (one.opened_at, one.conversation_id)):
        by_customer.setdefault(one.customer.number, []).append(one)
    for mine in by_customer.values():
        for one in mine:
            asked = one.issue.intent in ("complaint", "question") and not one.is_outreach
            is_ignored = asked and one.first_response_at is None
            later = [other for other in mine if other.opened_on >= one.opened_on + timedelta(days=LEFT_AFTER_DAYS)]
            if is_ignored and not any(other.story in _CAST for other in later) and rng.random() < stories.LEAVE_SHARE:
                world.not_made += later
                break
    gone = {one.conversation_id for one in world.not_made}
    world.conversations = [one for one in world.conversations if one.conversation_id not in gone]
    world.follow_ups = [pair for pair in world.follow_ups if pair[1].conversation_id not in gone]


class _Year:
    """The year as it unfolds."""

    def __init__(self, rng: random.Random, world: World, scale: float) -> None:
        self.rng, self.world, self.scale, self.plan = rng, world, scale, world.plan
        middle = local_to_utc(world.first_day + timedelta(days=182), 0)
        self.stage = Stage(rng, world.plan, middle, world.horizon)
        self.days = [world.first_day + timedelta(days=number) for number in range(365)]
        self.day_weights = _running_sum([WEEKDAY_WEIGHTS[day.weekday()] for day in self.days])
        self.people_weights = _running_sum([rng.lognormvariate(0, 0.6) for _ in world.customers])
        self.busy_days: dict[int, list[date]] = {}

    def play(self) -> None:
        """Stories first where they need free customers on given days, then everyday life."""
        if self.plan.outage_days:
            self._play_outage()
        if self.plan.has_dst_night:
            self._play_dst_night()
        for _ in range(self._scaled(OUTREACH_COUNT)):
            self._play_outreach()
        odd_left = len(phrases("odd"))
        more = stories.LEAVERS_REPLACED_COUNT if self.plan.has_leavers else 0
        for number in range(self._scaled(ISSUE_COUNT + more)):
            is_odd = number % 31 == 30 and odd_left > 0
            odd_left -= is_odd
            self._play_issue(is_odd=is_odd)

    def _play_issue(self, *, is_odd: bool) -> None:
        day = self.rng.choices(self.days, cum_weights=self.day_weights)[0]
        customer = self._free_customer(day)
        if customer is None:
            return
        channel = customer.only_channel or self._channel(customer, day)
        self._contact_and_follow_up(customer, channel, day, "odd" if is_odd and channel != "phone" else None)

    def _contact_and_follow_up(
        self, customer: Customer, channel: str, day: date, intent: Intent | None = None, story: str = ""
    ) -> None:
        at = self._time(customer, channel, day)
        if at is None:
            return
        topic = draw_topic(self.rng, channel)
        if intent is None:
            intent = "complaint" if topic == "phone_queue" else self._intent(channel)
        issue = make_issue(self.rng, customer, topic, intent)
        first = self.stage.contact(customer, issue, channel, at, story=story)
        self._add(first)
        if intent in ("complaint", "question"):
            self._follow_up(first)

    def _follow_up(self, first: Conversation) -> None:
        """Who was not helped comes back: on another private channel, or in public (the back door)."""
        customer, is_private = first.customer, not first.is_public
        failed = first.first_response_at is None
        accounts = [name for name in ("twitter", "facebook") if getattr(customer, f"has_{name}")]
        goes_public = failed and is_private and self.plan.has_back_door and accounts and not customer.only_channel
        if goes_public and self.rng.random() < stories.BACK_DOOR_SHARE:
            self._come_back(first, self.rng.choice(accounts), Lead(failed_channel=first.channel), "back_door")
            return
        if self.rng.random() >= (REPEAT_AFTER_SILENCE if failed else REPEAT_AFTER_ANSWER):
            return
        day = first.opened_on
        choices = [name for name in PRIVATE_CHANNELS if name != first.channel]
        weights = dict(zip(CHANNELS, self._mix(customer, day), strict=True))
        channel = self.rng.choices(choices, [weights[name] for name in choices])[0]
        self._come_back(
            first, customer.only_channel or channel, Lead(again="unanswered" if failed else "answered"), ""
        )

    def _come_back(self, first: Conversation, channel: str, lead: Lead, story: str) -> None:
        day = first.opened_on + timedelta(days=self.rng.randint(1, 6))
        at = self._time(first.customer, channel, day)
        is_too_early = at is None or at < first.opened_at + timedelta(hours=20) or at <= first.ended_at
        if at is None or is_too_early or at > first.opened_at + LONGEST_FOLLOW_UP:
            return
        days = int(first.issue.facts["days"]) + (day - first.opened_on).days
        issue = replace(first.issue, facts={**first.issue.facts, "days": str(days)})
        if channel in PUBLIC_CHANNELS:
            issue.intent = "complaint"
        second = self.stage.contact(first.customer, issue, channel, at, lead=lead, story=story)
        self._add(second)
        self.world.follow_ups.append((first, second))

    def _play_outage(self) -> None:
        """More calls than usual, most of them abandoned, and people who say so in public."""
        for _ in range(self._scaled(stories.OUTAGE_CALL_COUNT)):
            day = self.rng.choice(self.plan.outage_days)
            customer = self._free_customer(day, is_on_any_channel=True)
            if customer is not None:
                self._contact_and_follow_up(customer, "phone", day, story="phone_outage")
        for _ in range(self._scaled(stories.OUTAGE_POST_COUNT)):
            day = self.rng.choice(self.plan.outage_days)
            customer = self._free_customer(day, is_on_any_channel=True)
            if customer is None:
                continue
            channel = self.rng.choices(("twitter", "facebook"), (70, 30))[0]
            at = self._time(customer, channel, day)
            issue = make_issue(self.rng, customer, "phone_queue", "complaint")
            if at is not None:
                self._add(self.stage.contact(customer, issue, channel, at, story="phone_outage"))

    def _play_dst_night(self) -> None:
        """The night in which one o'clock comes twice: chats in both hours, answered by a night crew."""
        repeat_at = repeated_hour(self.world.first_day, self.world.last_day)
        if repeat_at is None:
            return
        for hour in (0, 1):
            for _ in range(max(3, self._scaled(stories.NIGHT_CHAT_COUNT))):
                at = repeat_at + timedelta(hours=hour, seconds=self.rng.randrange(3600))
                customer = self._free_customer(at.astimezone(ZONE).date(), is_on_any_channel=True)
                if customer is None:
                    continue
                intent: Intent = self.rng.choice(("complaint", "question"))
                issue = make_issue(self.rng, customer, "broadband_down", intent)
                self._add(self.stage.contact(customer, issue, "chat", at, story="dst_night"))

    def _play_outreach(self) -> None:
        day = self.rng.choice(self.days)
        customer = self._free_customer(day, is_on_any_channel=True)
        channel = self.rng.choices(("sms", "email", "phone"), (40, 35, 25))[0]
        at = None if customer is None else self._time(customer, "phone", day)
        if customer is not None and at is not None:
            issue = make_issue(self.rng, customer, draw_topic(self.rng, "email"), "question")
            self._add(self.stage.outreach(customer, issue, channel, at))

    def _free_customer(self, day: date, *, is_on_any_channel: bool = False) -> Customer | None:
        """Draw someone with no other issue near the day, and keep the day for them."""
        for _ in range(12):
            customer = self.rng.choices(self.world.customers, cum_weights=self.people_weights)[0]
            taken = self.busy_days.setdefault(customer.number, [])
            is_free = all(abs((day - other).days) >= ISSUE_GAP_DAYS for other in taken)
            if is_free and not (is_on_any_channel and customer.only_channel):
                taken.append(day)
                return customer
        return None

    def _time(self, customer: Customer, channel: str, day: date) -> datetime | None:
        """A moment on the day; calls only while the line is open, nothing after the end."""
        for _ in range(20):
            at = draw_time(self.rng, day, channel)
            hours = shift(customer.phone_team, day) if channel == "phone" else None
            if at < self.world.horizon and (hours is None or hours[0] <= at < hours[1] - timedelta(hours=1)):
                return at
        return None

    def _mix(self, customer: Customer, day: date) -> tuple[int, ...]:
        return channel_mix(customer.band_on(day), is_slow_for_oldest=self.plan.is_oldest_slow_mix)

    def _channel(self, customer: Customer, day: date) -> str:
        channel = self.rng.choices(CHANNELS, self._mix(customer, day))[0]
        customer.has_twitter |= channel == "twitter"
        customer.has_facebook |= channel == "facebook"
        return channel

    def _intent(self, channel: str) -> Intent:
        drawn = self.rng.random()
        if channel == "phone":
            return "complaint" if drawn < PHONE_COMPLAINT_SHARE else "question"
        usual = BEHAVIOURS[channel]
        if drawn < usual.complaint_share:
            return "complaint"
        return "praise" if drawn < usual.complaint_share + usual.praise_share else "question"

    def _scaled(self, count: int) -> int:
        return round(count * self.scale)

    def _add(self, conversation: Conversation) -> None:
        customer = conversation.customer
        customer.has_twitter |= conversation.channel == "twitter"
        customer.has_facebook |= conversation.channel == "facebook"
        self.world.conversations.append(conversation)


def _running_sum(weights: list[int] | list[float]) -> list[float]:
    total, sums = 0.0, []
    for weight in weights:
        total += weight
        sums.append(total)
    return sums
