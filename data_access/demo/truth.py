"""What really happened in the demo company, counted from the generator's own objects, never by a query."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median

from data_access.demo.channels import CHANNELS, IGNORED_AFTER_MINUTES, PRIVATE_CHANNELS, TARGET_MINUTES
from data_access.demo.clock import ZONE_NAME, repeated_hour
from data_access.demo.company import World
from data_access.demo.model import AGE_BANDS, Conversation

AGE_GROUPS = (*AGE_BANDS, "unknown")
BACK_DOOR_WINDOW = timedelta(days=7)
SILENT_DAYS, SILENT_FROM_DAYS = 90, 7  # as Frontdoor's settings ship: silent_after_days, window_days


@dataclass(frozen=True, slots=True)
class ConversationTruth:
    """One row per conversation, in order of opening; `intent` is what the text was written to say."""

    conversation_id: str
    source: str
    channel: str
    team: str
    recorded_customer: str
    age_group: str
    is_outreach: bool
    opened_at: datetime
    first_response_at: datetime | None
    has_bot_reply: bool
    event_count: int
    intent: str
    topic: str
    blamed_channel: str
    story: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two conversations of one recorded customer, the second after the first."""

    first_id: str
    second_id: str
    first_channel: str
    second_channel: str
    hours_between: float


@dataclass(frozen=True, slots=True)
class AgeChannelCell:
    """One row per recorded age group and channel, customer-opened conversations only."""

    age_group: str
    channel: str
    conversation_count: int
    answered_count: int
    answered_within_hour_count: int


@dataclass(frozen=True, slots=True)
class MonthlyDelay:
    """One row per local month: calendar minutes to the first answer on one channel, answered ones only."""

    month: str
    conversation_count: int
    answered_count: int
    median_minutes: float


@dataclass(frozen=True, slots=True)
class PhoneOutage:
    """Calls and public posts that blame the phone, during the outage and over the whole period without it."""

    first_day: date
    last_day: date
    call_count: int
    abandoned_count: int
    usual_call_count: int
    usual_abandoned_count: int
    phone_post_ids: tuple[str, ...]
    usual_phone_posts_per_day: float


@dataclass(frozen=True, slots=True)
class ReviewsIgnored:
    """Reviews without an answer before and from the day on which the desk stopped answering most of them."""

    from_day: date
    before_count: int
    before_unanswered_count: int
    after_count: int
    after_unanswered_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgeGapMix:
    """Answered within an hour, 65 and over against the other known ages: raw; no gap inside a channel."""

    oldest_count: int
    oldest_within_hour_count: int
    others_count: int
    others_within_hour_count: int


@dataclass(frozen=True, slots=True)
class AgeGapReal:
    """Answered conversations on one channel, one age group against the other known ages."""

    channel: str
    age_group: str
    group_count: int
    group_answered_count: int
    others_count: int
    others_answered_count: int


@dataclass(frozen=True, slots=True)
class EmailDecline:
    """When answers by e-mail began to slow down, and their delay by month."""

    from_day: date
    months: tuple[MonthlyDelay, ...]


@dataclass(frozen=True, slots=True)
class InstantBot:
    """Chats by what answered first; medians in minutes over those that have that answer."""

    chat_count: int
    bot_reply_count: int
    human_reply_count: int
    bot_only_count: int
    median_minutes_naive: float
    median_minutes_human: float


@dataclass(frozen=True, slots=True)
class DstNight:
    """Chats opened in the two hours that are both called one o'clock.

    `answered_earlier_by_wall_clock` counts those whose local answer time reads earlier than their opening.
    """

    night: date
    repeated_from: datetime
    first_hour_ids: tuple[str, ...]
    second_hour_ids: tuple[str, ...]
    answered_earlier_by_wall_clock: int


@dataclass(frozen=True, slots=True)
class BackDoor:
    """Failed private contacts followed in public; only pairs of one recorded customer can be traced."""

    pairs: tuple[Pair, ...]
    untraceable_count: int
    public_complaint_count: int
    known_on_private_count: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row per private channel that failed and public channel; each post under the contact that waited longest."""

    front_channel: str
    public_channel: str
    post_count: int
    median_hours: float


@dataclass(frozen=True, slots=True)
class FirstContacts:
    """Contacts of recorded customers within seven days of one another, whatever the topic.

    Of the first contacts that are older than seven days: those without a further one, on any channel and on theirs.
    """

    contact_count: int
    repeat_count: int
    judged_count: int
    no_further_contact_count: int
    no_further_contact_same_channel_count: int


@dataclass(frozen=True, slots=True)
class IgnoredLeave:
    """Customers by their first complaint that can be followed for `days`: how many more of the ignored fell silent.

    `made_silent_count` would have made contact in these days, had they not left: the effect itself, which no
    comparison of groups is needed to know. `silent_from_days` after *ignored after* the silence begins. `kept_away`
    are all contacts that were not made, by recorded customer and time. Complaints are those meant as such, by their
    opening: who reads texts also finds others, such as complaints left hanging after a first answer.
    """

    days: int
    silent_from_days: int
    ignored_count: int
    ignored_silent_count: int
    made_silent_count: int
    answered_count: int
    answered_silent_count: int
    kept_away: tuple[tuple[str, datetime], ...]


Story = (
    IgnoredLeave
    | PhoneOutage
    | ReviewsIgnored
    | AgeGapMix
    | AgeGapReal
    | EmailDecline
    | InstantBot
    | DstNight
    | BackDoor
)


@dataclass(frozen=True, slots=True)
class DemoTruth:
    """What really happened. Ids are conversation ids; `horizon` (UTC) is the end of the last day.

    `ignored_complaint_ids` are complaints unanswered past *ignored after* at the horizon, with no human on
    another channel in that time; `back_door_pairs` follow DESIGN section 2 with N = 7, whatever was planted, and
    stand on `known_public_complaint_count` posts: by listed people, or after a private contact of the same person.
    """

    seed: int
    scale: float
    first_day: date
    last_day: date
    horizon: datetime
    zone: str
    planted: tuple[str, ...]
    customer_count: int
    conversation_count: int
    customer_opened_count: int
    outreach_count: int
    interaction_count: int
    call_count: int
    conversations_by_channel: dict[str, int]
    interactions_by_channel: dict[str, int]
    customer_opened_by_channel: dict[str, int]
    unanswered_by_channel: dict[str, int]
    complaints_by_channel: dict[str, int]
    age_by_channel: tuple[AgeChannelCell, ...]
    unanswered_ids: frozenset[str]
    bot_only_ids: frozenset[str]
    left_hanging_ids: frozenset[str]
    answered_elsewhere_ids: frozenset[str]
    ignored_complaint_ids: frozenset[str]
    repeat_contact_pairs: tuple[Pair, ...]
    restatement_pairs: tuple[Pair, ...]
    back_door_pairs: tuple[Pair, ...]
    back_door_arrows: tuple[Arrow, ...]
    known_public_complaint_count: int
    first_contacts: FirstContacts
    stories: dict[str, Story]
    conversations: tuple[ConversationTruth, ...]

    def to_json(self, *, with_conversations: bool = False) -> str:
        """Write it as JSON with sorted sets; the rows per conversation only on request."""
        fields = asdict(self)
        if not with_conversations:
            del fields["conversations"]
        return json.dumps(fields, default=_plain, ensure_ascii=False, indent=1)


def tell_truth(world: World, seed: int, scale: float, plant: frozenset[str]) -> DemoTruth:
    """Count what happened in a world."""
    everything = world.conversations
    opened = [one for one in everything if not one.is_outreach]
    unanswered = [one for one in opened if one.first_response_at is None]
    elsewhere = _answered_elsewhere(opened, world.horizon)
    back_door = _back_door_pairs(opened)
    return DemoTruth(
        seed=seed,
        scale=scale,
        first_day=world.first_day,
        last_day=world.last_day,
        horizon=world.horizon,
        zone=ZONE_NAME,
        planted=tuple(sorted(plant)),
        customer_count=sum(customer.is_listed for customer in world.customers),
        conversation_count=len(everything),
        customer_opened_count=len(opened),
        outreach_count=len(everything) - len(opened),
        interaction_count=sum(len(one.events) for one in everything),
        call_count=sum(one.call is not None for one in everything),
        conversations_by_channel=_by_channel(everything),
        interactions_by_channel=_by_channel(one for one in everything for _ in one.events),
        customer_opened_by_channel=_by_channel(opened),
        unanswered_by_channel=_by_channel(unanswered),
        complaints_by_channel=_by_channel(one for one in opened if one.issue.intent == "complaint"),
        age_by_channel=_age_by_channel(opened),
        unanswered_ids=_ids(unanswered),
        bot_only_ids=_ids(one for one in unanswered if _bot_reply_at(one)),
        left_hanging_ids=_ids(one for one in opened if one.is_left_hanging),
        answered_elsewhere_ids=elsewhere,
        ignored_complaint_ids=_ids(
            one
            for one in unanswered
            if one.issue.intent == "complaint"
            and one.conversation_id not in elsewhere
            and world.horizon - one.opened_at > _ignored_after(one)
        ),
        repeat_contact_pairs=_traceable(world.follow_ups),
        restatement_pairs=_traceable(filter(_is_restatement, world.follow_ups)),
        back_door_pairs=back_door,
        back_door_arrows=_arrows(back_door),
        known_public_complaint_count=_known_in_private(opened),
        first_contacts=_first_contacts(opened, world.horizon),
        stories=_stories(world, opened, back_door),
        conversations=tuple(map(_row, everything)),
    )


def _stories(world: World, opened: list[Conversation], back_door: tuple[Pair, ...]) -> dict[str, Story]:
    plan, told = world.plan, dict[str, Story]()
    if plan.outage_days:
        told["phone_outage"] = _phone_outage(plan.outage_days, opened)
    if plan.reviews_ignored_from:
        told["reviews_ignored"] = _reviews_ignored(plan.reviews_ignored_from, opened)
    if plan.is_oldest_slow_mix:
        old, others = _split(opened, lambda one: one.recorded_age_group == "65+")
        told["age_gap_mix"] = AgeGapMix(len(old), sum(map(_in_hour, old)), len(others), sum(map(_in_hour, others)))
    if plan.is_young_ignored:
        whatsapp = [one for one in opened if one.channel == "whatsapp"]
        young, others = _split(whatsapp, lambda one: one.recorded_age_group == "18-24")
        counts = (len(young), _answered(young), len(others), _answered(others))
        told["age_gap_real"] = AgeGapReal("whatsapp", "18-24", *counts)
    if plan.email_decline_from:
        told["email_decline"] = EmailDecline(plan.email_decline_from, _monthly(opened, "email"))
    if plan.has_bot:
        told["instant_bot"] = _instant_bot([one for one in opened if one.channel == "chat"])
    repeated_from = repeated_hour(world.first_day, world.last_day)
    if plan.has_dst_night and repeated_from:
        told["dst_night"] = _dst_night(repeated_from, opened)
    if plan.has_back_door:
        went_public = sum(second.is_public for first, second in world.follow_ups if not first.is_public)
        public = [one for one in opened if one.is_public and one.issue.intent == "complaint"]
        traced = len({pair.second_id for pair in back_door})
        told["back_door"] = BackDoor(back_door, went_public - traced, len(public), _known_in_private(opened))
    if plan.has_leavers:
        told["ignored_leave"] = _ignored_leave(world, opened)
    return told


def _ignored_leave(world: World, opened: list[Conversation]) -> IgnoredLeave:
    silence, grace = timedelta(days=SILENT_DAYS), timedelta(days=SILENT_FROM_DAYS)
    contacts: dict[str, list[datetime]] = defaultdict(list)
    kept_away: dict[str, list[datetime]] = defaultdict(list)
    first: dict[str, Conversation] = {}
    asked_again = {second.conversation_id for _, second in world.follow_ups}
    for one in world.conversations:
        if one.is_outreach:
            contacts[one.recorded_customer] += [event.at for event in one.events if event.direction == "inbound"][:1]
        elif one.conversation_id not in asked_again:  # who asks again about the same matter is not back
            contacts[one.recorded_customer].append(one.opened_at)
    for one in world.not_made:
        if not one.is_outreach:
            kept_away[one.recorded_customer].append(one.opened_at)
    for one in opened:
        if one.issue.intent == "complaint":
            first.setdefault(one.recorded_customer, one)
    counts = Counter[str]()
    for name, one in first.items():
        due = one.opened_at + _ignored_after(one)
        begin, end = due + grace, due + grace + silence
        if end > world.horizon:
            continue
        state = "answered" if one.first_response_at and one.first_response_at <= due else "ignored"
        is_silent = not any(begin < at <= end for at in contacts[name])
        counts[state] += 1
        counts[f"{state} silent"] += is_silent
        counts[f"{state} made silent"] += is_silent and any(begin < at <= end for at in kept_away[name])
    return IgnoredLeave(
        SILENT_DAYS,
        SILENT_FROM_DAYS,
        counts["ignored"],
        counts["ignored silent"],
        counts["ignored made silent"],
        counts["answered"],
        counts["answered silent"],
        tuple((name, at) for name, times in sorted(kept_away.items()) for at in sorted(times)),
    )


def _phone_outage(days: tuple[date, ...], opened: list[Conversation]) -> PhoneOutage:
    calls = [one for one in opened if one.channel == "phone"]
    during = [one for one in calls if one.opened_on in days]
    usual = [one for one in calls if one.opened_on not in days]
    posts = [one for one in opened if one.is_public and one.blames == "phone"]
    then = tuple(one.conversation_id for one in posts if one.opened_on in days)
    return PhoneOutage(
        days[0],
        days[-1],
        len(during),
        len(during) - _answered(during),
        len(usual),
        len(usual) - _answered(usual),
        then,
        (len(posts) - len(then)) / (365 - len(days)),
    )


def _reviews_ignored(from_day: date, opened: list[Conversation]) -> ReviewsIgnored:
    reviews = [one for one in opened if one.channel == "review"]
    before = [one for one in reviews if one.opened_on < from_day]
    after = [one for one in reviews if one.opened_on >= from_day]
    ignored = tuple(one.conversation_id for one in after if one.first_response_at is None)
    return ReviewsIgnored(from_day, len(before), len(before) - _answered(before), len(after), ignored)


def _instant_bot(chats: list[Conversation]) -> InstantBot:
    human = [_minutes(one, one.first_response_at) for one in chats if one.first_response_at]
    bot = [one for one in chats if _bot_reply_at(one)]
    naive = [_minutes(one, _bot_reply_at(one) or one.first_response_at) for one in chats]
    answered = [minutes for minutes in naive if minutes is not None]
    return InstantBot(
        len(chats),
        len(bot),
        len(human),
        sum(one.first_response_at is None for one in bot),
        _median(answered),
        _median([minutes for minutes in human if minutes is not None]),
    )


def _dst_night(repeated_from: datetime, opened: list[Conversation]) -> DstNight:
    hour = timedelta(hours=1)
    chats = [one for one in opened if one.channel == "chat"]
    first = [one for one in chats if repeated_from <= one.opened_at < repeated_from + hour]
    second = [one for one in chats if repeated_from + hour <= one.opened_at < repeated_from + 2 * hour]
    crossing = 0
    for one in first:
        answered_at = one.first_response_at
        crossing += answered_at is not None and repeated_from + hour <= answered_at < one.opened_at + hour
    return DstNight(
        first[0].opened_on if first else repeated_from.date(),
        repeated_from,
        tuple(one.conversation_id for one in first),
        tuple(one.conversation_id for one in second),
        crossing,
    )


def _back_door_pairs(opened: list[Conversation]) -> tuple[Pair, ...]:
    """Public complaints after a private contact, unanswered and past its target, in the seven days before."""
    private: dict[str, list[Conversation]] = defaultdict(list)
    for one in opened:
        if one.channel in PRIVATE_CHANNELS:
            private[one.recorded_customer].append(one)
    pairs = []
    for post in opened:
        if not post.is_public or post.issue.intent != "complaint":
            continue
        for one in private[post.recorded_customer]:
            is_recent = timedelta(0) < post.opened_at - one.opened_at <= BACK_DOOR_WINDOW
            is_overdue = post.opened_at - one.opened_at > timedelta(minutes=TARGET_MINUTES[one.channel])
            answered_at = one.first_response_at
            if is_recent and is_overdue and (answered_at is None or answered_at >= post.opened_at):
                pairs.append(_pair(one, post))
    return tuple(pairs)


def _arrows(pairs: tuple[Pair, ...]) -> tuple[Arrow, ...]:
    """Posts by private and public channel, largest first."""
    longest: dict[str, Pair] = {}
    for pair in pairs:
        if pair.second_id not in longest or pair.hours_between > longest[pair.second_id].hours_between:
            longest[pair.second_id] = pair
    hours: dict[tuple[str, str], list[float]] = defaultdict(list)
    for pair in longest.values():
        hours[pair.first_channel, pair.second_channel].append(pair.hours_between)
    arrows = [Arrow(*channels, len(waited), _median(waited)) for channels, waited in hours.items()]
    return tuple(sorted(arrows, key=lambda arrow: (-arrow.post_count, arrow.front_channel, arrow.public_channel)))


def _known_in_private(opened: list[Conversation]) -> int:
    """Public complaints of people in the customers file, or who had been in touch on a private channel before."""
    since: dict[str, datetime] = {}
    for one in opened:
        if not one.is_public:
            since.setdefault(one.recorded_customer, one.opened_at)
    return sum(
        one.is_identified or since.get(one.recorded_customer, one.opened_at) < one.opened_at
        for one in opened
        if one.is_public and one.issue.intent == "complaint"
    )


def _first_contacts(opened: list[Conversation], horizon: datetime) -> FirstContacts:
    by_customer: dict[str, list[Conversation]] = defaultdict(list)
    for one in opened:
        by_customer[one.recorded_customer].append(one)
    counts: Counter[str] = Counter()
    for contacts in by_customer.values():
        for place, one in enumerate(contacts):
            counts["contact"] += 1
            if place and one.opened_at - contacts[place - 1].opened_at <= BACK_DOOR_WINDOW:
                counts["repeat"] += 1
            elif one.opened_at + BACK_DOOR_WINDOW <= horizon:
                counts["judged"] += 1
                later = [c for c in contacts[place + 1 :] if c.opened_at - one.opened_at <= BACK_DOOR_WINDOW]
                counts["quiet"] += not later
                counts["quiet_here"] += all(c.channel != one.channel for c in later)
    names = ("contact", "repeat", "judged", "quiet", "quiet_here")
    return FirstContacts(*(counts[name] for name in names))


def _answered_elsewhere(opened: list[Conversation], horizon: datetime) -> frozenset[str]:
    """Unanswered ones whose customer a human reached on another channel in time, about the same topic."""
    answers: dict[str, list[tuple[datetime, str, str]]] = defaultdict(list)
    for one in opened:
        if one.call is not None and one.first_response_at:
            answers[one.recorded_customer].append((one.first_response_at, one.channel, one.issue.topic))
        for event in one.events:
            if event.is_response:
                answers[one.recorded_customer].append((event.at, one.channel, one.issue.topic))
    return _ids(
        one
        for one in opened
        if one.first_response_at is None
        and any(
            one.opened_at < at <= min(one.opened_at + _ignored_after(one), horizon)
            and channel != one.channel
            and topic == one.issue.topic
            for at, channel, topic in answers[one.recorded_customer]
        )
    )


def _age_by_channel(opened: list[Conversation]) -> tuple[AgeChannelCell, ...]:
    cells: dict[tuple[str, str], list[Conversation]] = defaultdict(list)
    for one in opened:
        cells[one.recorded_age_group, one.channel].append(one)
    return tuple(
        AgeChannelCell(group, channel, len(rows), _answered(rows), sum(map(_in_hour, rows)))
        for group in AGE_GROUPS
        for channel in CHANNELS
        if (rows := cells[group, channel])
    )


def _monthly(opened: list[Conversation], channel: str) -> tuple[MonthlyDelay, ...]:
    months: dict[str, list[Conversation]] = defaultdict(list)
    for one in opened:
        if one.channel == channel:
            months[f"{one.opened_on:%Y-%m}"].append(one)
    return tuple(
        MonthlyDelay(
            month,
            len(rows),
            _answered(rows),
            _median([minutes for one in rows if (minutes := _minutes(one, one.first_response_at)) is not None]),
        )
        for month, rows in sorted(months.items())
    )


def _row(one: Conversation) -> ConversationTruth:
    return ConversationTruth(
        one.conversation_id,
        one.source,
        one.channel,
        one.team,
        one.recorded_customer,
        one.recorded_age_group,
        one.is_outreach,
        one.opened_at,
        one.first_response_at,
        _bot_reply_at(one) is not None,
        len(one.events),
        one.issue.intent,
        one.issue.topic,
        one.blames,
        one.story,
    )


def _traceable(pairs: Iterable[tuple[Conversation, Conversation]]) -> tuple[Pair, ...]:
    return tuple(_pair(one, two) for one, two in pairs if one.recorded_customer == two.recorded_customer)


def _is_restatement(pair: tuple[Conversation, Conversation]) -> bool:
    """Whether one matter was put into words twice on two channels (a call that nobody took has no words)."""
    first, second = pair
    is_same_kind = first.issue.intent == second.issue.intent
    is_told_twice = bool(first.opening_text and second.opening_text)
    return is_same_kind and is_told_twice and first.channel != second.channel


def _pair(one: Conversation, two: Conversation) -> Pair:
    hours = round((two.opened_at - one.opened_at).total_seconds() / 3600, 4)
    return Pair(one.conversation_id, two.conversation_id, one.channel, two.channel, hours)


def _split(
    opened: list[Conversation], is_in: Callable[[Conversation], bool]
) -> tuple[list[Conversation], list[Conversation]]:
    """Conversations of known age, in two parts."""
    known = [one for one in opened if one.recorded_age_group != "unknown"]
    return [one for one in known if is_in(one)], [one for one in known if not is_in(one)]


def _ignored_after(one: Conversation) -> timedelta:
    return timedelta(minutes=IGNORED_AFTER_MINUTES[one.channel])


def _minutes(one: Conversation, at: datetime | None) -> float | None:
    return None if at is None else (at - one.opened_at).total_seconds() / 60


def _in_hour(one: Conversation) -> bool:
    minutes = _minutes(one, one.first_response_at)
    return minutes is not None and minutes <= 60


def _answered(rows: list[Conversation]) -> int:
    return sum(one.first_response_at is not None for one in rows)


def _bot_reply_at(one: Conversation) -> datetime | None:
    return next((event.at for event in one.events if event.author_kind == "bot"), None)


def _median(values: list[float]) -> float:
    return round(median(values), 4) if values else 0.0


def _ids(rows: Iterable[Conversation]) -> frozenset[str]:
    return frozenset(one.conversation_id for one in rows)


def _by_channel(rows: Iterable[Conversation]) -> dict[str, int]:
    counts = Counter(one.channel for one in rows)
    return {channel: counts[channel] for channel in CHANNELS}


def _plain(value: object) -> object:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
