"""The customers of the demo company: ages, identities across channels, and what the company knows of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal

from data_access.demo.model import MOBILE_PREFIX, Customer, age_band, age_on
from data_access.demo.texts import names

AGE_SHARES = {
    (16, 17): 0.01, (18, 24): 0.12, (25, 34): 0.17, (35, 44): 0.17, (45, 54): 0.17, (55, 64): 0.17,
    (65, 88): 0.19,
}  # fmt: skip
SEGMENTS = ("home broadband", "mobile", "bundle", "small business")
# Numbers that the UK regulator keeps free for drama, so that no real telephone rings.
LANDLINE_PREFIXES = (
    "+441632960", "+441134960", "+441144960", "+441154960", "+441164960", "+441174960", "+441184960",
    "+441214960", "+441314960", "+441414960", "+441514960", "+441614960", "+442079460", "+441914980",
)  # fmt: skip
UNLISTED_CHANNELS = ("email", "chat", "web_form", "phone", "twitter", "facebook", "review")


def make_customers(rng: random.Random, count: int, first_day: date, last_day: date) -> list[Customer]:
    """Make the people; one in fourteen is unknown to the company (not listed) and keeps to one channel."""
    mobiles = _numbers((MOBILE_PREFIX,))
    landlines = _numbers(LANDLINE_PREFIXES)
    return [_make_customer(rng, number, (first_day, last_day), mobiles, landlines) for number in range(count)]


def _make_customer(
    rng: random.Random,
    number: int,
    period: tuple[date, date],
    mobiles: Iterator[str],
    landlines: Iterator[str],
) -> Customer:
    first_day, last_day = period
    youngest, oldest = rng.choices(list(AGE_SHARES), list(AGE_SHARES.values()))[0]
    middle = first_day + (last_day - first_day) / 2
    birth_date = middle - timedelta(days=round(rng.uniform(youngest, oldest + 0.99) * 365.25))
    age = age_on(birth_date, middle)
    first, last = rng.choice(names("first")), rng.choice(names("last"))
    is_listed = rng.random() >= 0.07
    phone = next(mobiles if age < 45 and rng.random() < 0.3 else landlines, "") if is_listed else ""
    slug = f"{first}.{last}{number}".lower()
    return Customer(
        number=number,
        customer_id=f"LF{100_000 + number}",
        first=first,
        last=last,
        birth_date=birth_date,
        age_known_as=_age_known_as(rng, birth_date, first_day, last_day),
        known_on=first_day,
        segment=rng.choices(SEGMENTS, (40, 25, 28, 7))[0],
        followers=int(rng.lognormvariate(4.6, 1.4)),
        email=f"{slug}@example.{'com' if rng.random() < 0.7 else 'org'}",
        phone=phone,
        twitter=f"{first.lower()}_{number}_sim",
        facebook=f"{first.lower()}.{last.lower()}.{number}.sim",
        has_twitter=rng.random() < (0.7 if age < 35 else 0.3),
        has_facebook=rng.random() < 0.4,
        is_public_linked=rng.random() >= 0.22,
        is_listed=is_listed,
        phone_team=rng.choice(("Phone North", "Phone South")),
        only_channel="" if is_listed else rng.choice(UNLISTED_CHANNELS),
    )


def _age_known_as(
    rng: random.Random, birth_date: date, first_day: date, last_day: date
) -> Literal["date", "year", "band", "none"]:
    """Decide what the company knows; a year or a band only where it names one band all year."""
    drawn = rng.random()
    if drawn < 0.12:
        return "none"
    possible = {age_band(day.year - birth_date.year - less) for day in (first_day, last_day) for less in (0, 1)}
    if drawn < 0.60 or len(possible) > 1:
        return "date"
    return "year" if drawn < 0.82 else "band"


def _numbers(prefixes: tuple[str, ...]) -> Iterator[str]:
    """Every number once, in a fixed scattered order; shared numbers would join strangers."""
    for turn in range(1000):
        for prefix in prefixes:
            yield f"{prefix}{turn * 617 % 1000:03d}"
