"""The planted stories: what happens, when, and how strongly; each can be left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

ALL_STORIES = frozenset(
    {
        "phone_outage", "reviews_ignored", "age_gap_mix", "age_gap_real", "email_decline", "instant_bot",
        "dst_night", "back_door", "ignored_leave",
    }
)  # fmt: skip

OUTAGE_CALL_COUNT = 75  # calls over the usual, at scale 1
OUTAGE_POST_COUNT = 110
OUTAGE_WAIT_SECONDS, USUAL_WAIT_SECONDS = 2400.0, 20.0  # medians of the time until an agent is free
REVIEWS_IGNORED_SHARE = 0.85
YOUNG_UNANSWERED_SHARE = 0.38  # 18-24 on WhatsApp, against 0.10 for everyone else
EMAIL_SLOWDOWN = 7.0  # factor on the median at the end of the period
BOT_SHARE, BOT_HUMAN_MEDIAN_MINUTES = 0.93, 24.0
NIGHT_CHAT_COUNT = 16  # in each of the two hours called one o'clock, at scale 1
LEAVE_SHARE = 0.8  # of customers whom nobody answered: no further issue of theirs ever
LEAVERS_REPLACED_COUNT = 3_000  # issues of others in place of those who left, at scale 1: as busy a year as without
BACK_DOOR_SHARE = 0.5  # of failed private contacts of people with a public account


@dataclass(frozen=True, slots=True)
class StoryPlan:
    """When each planted story happens; None or empty where it is left out."""

    last_day: date
    outage_days: tuple[date, ...]
    reviews_ignored_from: date | None
    email_decline_from: date | None
    is_oldest_slow_mix: bool
    is_young_ignored: bool
    has_bot: bool
    has_dst_night: bool
    has_back_door: bool
    has_leavers: bool

    def unanswered_share(self, channel: str, day: date, band: str, usual: float) -> float:
        """Share of conversations that are never answered."""
        if channel == "review" and self.reviews_ignored_from and day >= self.reviews_ignored_from:
            return REVIEWS_IGNORED_SHARE
        if channel == "whatsapp" and self.is_young_ignored and band == "18-24":
            return YOUNG_UNANSWERED_SHARE
        return usual

    def median_minutes(self, channel: str, day: date, usual: float) -> float:
        """Median staffed minutes to the first human answer."""
        if channel == "chat" and self.has_bot:
            return BOT_HUMAN_MEDIAN_MINUTES
        if channel == "email" and self.email_decline_from and day > self.email_decline_from:
            done: float = (day - self.email_decline_from) / (self.last_day - self.email_decline_from)
            return float(usual * EMAIL_SLOWDOWN**done)
        return usual

    def wait_seconds(self, day: date) -> float:
        """Median seconds until an agent is free to take a call."""
        return OUTAGE_WAIT_SECONDS if day in self.outage_days else USUAL_WAIT_SECONDS


def plan_stories(plant: frozenset[str], first_day: date, last_day: date) -> StoryPlan:
    """Set the dates of the stories that are to be planted."""
    unknown = sorted(plant - ALL_STORIES)
    if unknown:
        raise ValueError(f"unknown stories {unknown}; choose from {sorted(ALL_STORIES)}")
    tuesday = last_day - timedelta(days=130)
    while tuesday.weekday() != 1:
        tuesday += timedelta(days=1)
    outage = tuple(max(first_day, tuesday + timedelta(days=n)) for n in range(3))
    return StoryPlan(
        last_day=last_day,
        outage_days=outage if "phone_outage" in plant else (),
        reviews_ignored_from=last_day - timedelta(days=150) if "reviews_ignored" in plant else None,
        email_decline_from=last_day - timedelta(days=122) if "email_decline" in plant else None,
        is_oldest_slow_mix="age_gap_mix" in plant,
        is_young_ignored="age_gap_real" in plant,
        has_bot="instant_bot" in plant,
        has_dst_night="dst_night" in plant,
        has_back_door="back_door" in plant,
        has_leavers="ignored_leave" in plant,
    )
