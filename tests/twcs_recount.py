"""An independent count on the raw tweets in plain Python: no pandas, no SQL, nothing of data_access."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass
class Tweet:
    id: str
    author: str
    inbound: bool
    at: datetime
    text: str
    answers: list[str]
    parent: str


@dataclass
class Conversation:
    """The tweets between one customer and one company in one thread."""

    root: str
    customer: str
    company: str
    tweets: list[Tweet] = field(default_factory=list)
    is_fragment: bool = False

    @property
    def kind(self) -> str:
        if not self.company:
            return "not_addressed"
        if self.is_fragment:
            return "fragment"
        return "customer_opened" if self.tweets[0].inbound else "outreach"

    def waits(self) -> list[tuple[Tweet, Tweet | None]]:
        """First unanswered tweet of the customer, and the company tweet that ends the wait."""
        found: list[tuple[Tweet, Tweet | None]] = []
        waiting: Tweet | None = None
        for tweet in self.tweets:
            if tweet.inbound:
                waiting = waiting or tweet
            elif waiting is not None:
                found.append((waiting, tweet))
                waiting = None
        return [*found, (waiting, None)] if waiting else found


def read_tweets(path: Path) -> list[Tweet]:
    """The well-formed rows of a file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["inbound"] in ("True", "False")]
    return [
        Tweet(
            row["tweet_id"],
            row["author_id"],
            row["inbound"] == "True",
            datetime.strptime(row["created_at"], "%a %b %d %H:%M:%S %z %Y").astimezone(UTC).replace(tzinfo=None),
            row["text"],
            [part for part in (row["response_tweet_id"] or "").split(",") if part],
            (row["in_response_to_tweet_id"] or "").removesuffix(".0"),
        )
        for row in rows
    ]


def conversations_of(tweets: Iterable[Tweet]) -> list[Conversation]:
    """One per thread, customer and company."""
    known = {tweet.id: tweet for tweet in tweets}
    companies = {tweet.author.lower(): tweet.author for tweet in known.values() if not tweet.inbound}
    threads: dict[str, list[Tweet]] = defaultdict(list)
    for tweet in known.values():
        top = tweet
        while top.parent in known:
            top = known[top.parent]
        threads[top.parent or top.id].append(tweet)
    found: dict[tuple[str, str, str], Conversation] = {}
    for root, members in threads.items():
        members.sort(key=lambda tweet: (tweet.at, int(tweet.id)))
        speaking = list(dict.fromkeys(tweet.author for tweet in members if not tweet.inbound))
        for tweet in members:
            customer, company = tweet.author, tweet.author
            if tweet.inbound:
                company = _company_of(tweet, members, known, speaking, companies)
            else:
                customer = _customer_of(tweet, known)
            key = (root, customer, company)
            one = found.setdefault(key, Conversation(*key))
            one.tweets.append(tweet)
            one.is_fragment |= bool(tweet.parent) and tweet.parent not in known
    for one in found.values():
        one.tweets.sort(key=lambda tweet: (tweet.at, not tweet.inbound, int(tweet.id)))
    return list(found.values())


def _company_of(
    tweet: Tweet,
    members: list[Tweet],
    known: Mapping[str, Tweet],
    speaking: list[str],
    companies: Mapping[str, str],
) -> str:
    """The company account in the thread, else the first company account that the customer addresses."""
    parent = known.get(tweet.parent)
    if parent is not None and not parent.inbound:
        return parent.author
    if len(speaking) == 1:
        return speaking[0]
    named = [companies[name.lower()] for name in re.findall(r"@(\w+)", tweet.text) if name.lower() in companies]
    if not speaking:
        return named[0] if named else ""
    answering = [other.author for other in members if other.parent == tweet.id and not other.inbound]
    return [*answering, *(name for name in named if name in speaking), *speaking][0]


def _customer_of(tweet: Tweet, known: Mapping[str, Tweet]) -> str:
    """Whom a company tweet answers, else the first customer it names, else nobody."""
    above = known.get(tweet.parent)
    while above is not None:
        if above.inbound:
            return above.author
        above = known.get(above.parent)
    named = [name for name in re.findall(r"@(\w+)", tweet.text) if name.isdigit()]
    return named[0] if named else f"nobody:{tweet.id}"


def is_answered_at_unknown_time(conversation: Conversation, start: Tweet, known: Mapping[str, Tweet]) -> bool:
    """One of the tweets of the unanswered wait that begins with `start` has an answer outside the file."""
    waiting = [tweet for tweet in conversation.tweets if tweet.inbound and tweet.at >= start.at]
    for tweet in waiting:
        present = [known[name] for name in tweet.answers if name in known]
        absent = [name for name in tweet.answers if name not in known]
        if absent and not any(other.author == conversation.company for other in present):
            return True
    return False


def minutes(wait: tuple[Tweet, Tweet | None]) -> float:
    """Minutes of an answered wait."""
    start, end = wait
    assert end is not None
    return (end.at - start.at).total_seconds() / 60


def described(conversation: Conversation) -> dict[str, Any]:
    """What the store should say of it."""
    return {
        "kind": conversation.kind,
        "brand": conversation.company,
        "opened_at": conversation.tweets[0].at,
        "waits": [(start.at, end.at if end else None) for start, end in conversation.waits()],
    }
