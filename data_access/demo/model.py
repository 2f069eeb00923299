"""The objects that the demo company is made of; the truth is counted from these, never from a query."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

AGE_BANDS = ("<18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
MOBILE_PREFIX = "+447700900"
Intent = Literal["complaint", "question", "praise", "odd"]


def age_band(age: int) -> str:
    """Name the age band of an age in whole years."""
    limits = (18, 25, 35, 45, 55, 65)
    return AGE_BANDS[sum(age >= limit for limit in limits)]


def age_on(birth_date: date, day: date) -> int:
    """Whole years of age on a day."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


@dataclass(slots=True)
class Customer:
    """One simulated person; what the company knows of the age is said by `age_known_as`."""

    number: int
    customer_id: str
    first: str
    last: str
    birth_date: date
    age_known_as: Literal["date", "year", "band", "none"]
    known_on: date
    segment: str
    followers: int
    email: str
    phone: str
    twitter: str
    facebook: str
    has_twitter: bool
    has_facebook: bool
    is_public_linked: bool
    is_listed: bool
    phone_team: str
    only_channel: str = ""

    def band_on(self, day: date) -> str:
        """Band of the true age on a day."""
        return age_band(age_on(self.birth_date, day))

    @property
    def has_public_account(self) -> bool:
        """Whether this person uses a social network at all."""
        return self.has_twitter or self.has_facebook

    @property
    def has_mobile(self) -> bool:
        """Whether the number is one that texts can be sent to."""
        return self.phone.startswith(MOBILE_PREFIX)

    def handle(self, channel: str) -> str:
        """Name of this person on a public channel."""
        return {"twitter": self.twitter, "facebook": self.facebook}.get(channel, f"reader{self.number * 37 + 411}")

    def source_id(self, channel: str) -> str:
        """Id of this person in the system that serves a channel."""
        if channel == "phone":
            return f"C{100_000 + self.number * 7_919 % 900_001}"
        if channel in ("twitter", "facebook"):
            return f"{channel[:2]}{1_000_000 + self.number * 6_007 % 8_000_009}"
        return f"M{10_000 + self.number}"


@dataclass(slots=True)
class Issue:
    """One matter of a customer: the facts that every telling of it shares."""

    topic: str
    intent: Intent
    facts: dict[str, str]
    matter: int
    told: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Event:
    """One message or post of a conversation."""

    event_id: str
    at: datetime
    direction: Literal["inbound", "outbound"]
    author_kind: Literal["customer", "agent", "bot", "system"]
    agent: str
    text: str
    reply_to: str = ""
    is_internal: bool = False
    asks: bool = True

    @property
    def is_response(self) -> bool:
        """Whether this is a human answer that the customer can see."""
        return self.direction == "outbound" and self.author_kind == "agent" and not self.is_internal


@dataclass(slots=True)
class Call:
    """What a phone system records of one call; seconds."""

    queue: str
    agent: str
    wait_seconds: int
    is_answered: bool
    talk_seconds: int
    text: str


@dataclass(slots=True)
class Conversation:
    """Messages (`events`) or one call (`call`) between one customer and the company about one issue."""

    conversation_id: str
    channel: str
    customer: Customer
    issue: Issue
    team: str
    opened_at: datetime
    opened_on: date
    is_outreach: bool = False
    blames: str = ""
    events: list[Event] = field(default_factory=list)
    call: Call | None = None
    is_identified: bool = True
    shows_source_id: bool = True
    story: str = ""

    @property
    def source(self) -> str:
        """Source system, and name of the file, that holds it."""
        if self.channel == "phone":
            return "calls"
        return "social" if self.channel in ("twitter", "facebook") else "messages"

    @property
    def first_response_at(self) -> datetime | None:
        """Instant of the first human answer to a conversation that the customer opened."""
        if self.is_outreach:
            return None
        if self.call is not None:
            return self.opened_at + timedelta(seconds=self.call.wait_seconds) if self.call.is_answered else None
        return next((event.at for event in self.events if event.is_response), None)

    @property
    def ended_at(self) -> datetime:
        """Instant of the last thing in it."""
        if self.call is not None:
            return self.opened_at + timedelta(seconds=self.call.wait_seconds + self.call.talk_seconds)
        return self.events[-1].at

    @property
    def opening_text(self) -> str:
        """What the customer said first; empty for a call that nobody took."""
        return self.call.text if self.call is not None else self.events[0].text

    @property
    def is_left_hanging(self) -> bool:
        """Whether it was answered once and then left with a customer asking again."""
        visible = [
            event for event in self.events if not event.is_internal and event.author_kind in ("customer", "agent")
        ]
        return (
            self.first_response_at is not None
            and bool(visible)
            and visible[-1].direction == "inbound"
            and any(event.asks for event in _last_run(visible))
        )

    @property
    def is_public(self) -> bool:
        """Whether everyone can read it."""
        return self.channel in ("twitter", "facebook", "review")

    @property
    def recorded_customer(self) -> str:
        """Whom the data can know as the customer: the listed person, or the bare account."""
        if self.is_identified:
            return self.customer.customer_id
        return f"{self.channel}:{self.customer.number}"

    @property
    def recorded_age_group(self) -> str:
        """Age group that the data can know at the opening of the conversation."""
        if not self.is_identified or self.customer.age_known_as == "none":
            return "unknown"
        return self.customer.band_on(self.opened_on)


def _last_run(visible: list[Event]) -> list[Event]:
    """The customer's messages since the last answer."""
    run: list[Event] = []
    for event in reversed(visible):
        if event.direction == "outbound":
            break
        run.append(event)
    return run
