"""Customer Support on Twitter: tweets to conversations between one customer and one company in one thread.

The thread is the tree of replies; where a parent is not in the data the thread begins at the missing tweet.
Brand is the company account in the thread, else the first company account that the customer addresses.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_access.errors import SourceError
from data_access.sources.base import BATCH_ROWS, Batch, Reject, Source, StoreContext, StoredEvent, event_table
from data_access.sources.delimited import Record, read_records

COLUMNS = (
    "tweet_id",
    "author_id",
    "inbound",
    "created_at",
    "text",
    "response_tweet_id",
    "in_response_to_tweet_id",
)
_REQUIRED = COLUMNS[:5]
_ID = re.compile(r"^(\d{1,40})(?:\.0+)?$", re.ASCII)
_MENTION = re.compile(r"@(\w+)")
_TRUE, _FALSE = {"true", "1", "t", "yes"}, {"false", "0", "f", "no"}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_TWITTER_TIME = re.compile(r"^\w{3} (\w{3}) (\d{1,2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2}) (\d{4})$")


@dataclass(slots=True)
class _Tweet:
    id: str
    author: str
    is_inbound: bool
    at: dt.datetime
    text: str
    responses: list[str]
    parent: str | None
    line: int = 0
    raw: str = ""
    is_from_file: bool = True
    root: str = ""
    customer: str | None = None
    company: str | None = None
    replies: list[_Tweet] = field(default_factory=list)


def read(path: Path, *, context: StoreContext, encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of one file. Raises SourceError where columns are missing; bad rows become rejects."""
    tweets: dict[str, _Tweet] = {}
    batch = Batch()
    for item in _parsed(path, encoding):
        batch.read_count += 1
        if isinstance(item, Reject):
            batch.rejects.append(item)
            continue
        earlier = tweets.get(item.id)
        if earlier is None:
            tweets[item.id] = item
        elif not _same(earlier, item):
            reason = f"tweet {item.id} stands in line {earlier.line} already, with different content"
            batch.rejects.append(Reject(item.line, reason, item.raw))
    accounts = _add_stored(tweets, context)
    yield batch
    yield from _placed(tweets, accounts)


def rethread(context: StoreContext) -> Iterator[Batch]:
    """The stored tweets with their places in threads, as the accounts now known give them."""
    tweets = {event.external_id: _stored(event) for event in context.stored_events()}
    yield from _placed(tweets, context.company_accounts())


def _placed(tweets: dict[str, _Tweet], accounts: Mapping[str, str]) -> Iterator[Batch]:
    _thread(tweets)
    for members in _by_root(tweets).values():
        _assign(members, tweets, accounts)
    placed = list(tweets.values())
    for start in range(0, len(placed), BATCH_ROWS):
        yield Batch(events=_events(placed[start : start + BATCH_ROWS], tweets, accounts))


def _parsed(path: Path, encoding: str | None) -> Iterator[_Tweet | Reject]:
    header, records = read_records(path, encoding=encoding)
    names = [name.lower() for name in header]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise SourceError(
            f"{path}: is not in the twcs format: column {missing[0]} is missing; "
            f"its columns are {', '.join(names)[:200]}"
        )
    place = {name: names.index(name) for name in COLUMNS if name in names}
    previous: _Tweet | None = None
    for item in records:
        if isinstance(item, Reject):
            yield item
            continue
        if len(item.fields) != len(names):
            yield Reject(item.line, _fragment_reason(item, previous, len(names)), item.raw)
            continue
        try:
            tweet = _tweet(item, place)
        except ValueError as problem:
            yield Reject(item.line, str(problem), item.raw)
            continue
        previous = tweet
        yield tweet


def _fragment_reason(record: Record, previous: _Tweet | None, width: int) -> str:
    reason = f"{len(record.fields)} fields instead of {width}"
    if previous is not None and len(record.fields) < width:
        reason += (
            f"; it looks like the rest of tweet {previous.id} (line {previous.line}), broken by an unquoted line end"
        )
    return reason


def _tweet(record: Record, place: Mapping[str, int]) -> _Tweet:
    def value(name: str) -> str:
        index = place.get(name)
        return record.fields[index].strip() if index is not None and index < len(record.fields) else ""

    inbound = value("inbound").lower()
    if inbound not in _TRUE | _FALSE:
        raise ValueError(f"inbound is {value('inbound')!r}, not True or False")
    author = value("author_id")
    if not author:
        raise ValueError("author_id is empty")
    parent = value("in_response_to_tweet_id")
    return _Tweet(
        id=_identifier(value("tweet_id"), "tweet_id"),
        author=author.removesuffix(".0") if author.removesuffix(".0").isdigit() else author,
        is_inbound=inbound in _TRUE,
        at=_time(value("created_at")),
        text=html.unescape(record.fields[place["text"]]),
        responses=[
            _identifier(part.strip(), "response_tweet_id")
            for part in value("response_tweet_id").split(",")
            if part.strip() and part.strip().lower() != "nan"
        ],
        parent=_identifier(parent, "in_response_to_tweet_id") if parent and parent.lower() != "nan" else None,
        line=record.line,
        raw=record.raw,
    )


def _identifier(text: str, name: str) -> str:
    match = _ID.match(text)
    if match is None:
        raise ValueError(f"{name} is {text[:60]!r}, not a number")
    return match[1]


def _time(text: str) -> dt.datetime:
    """UTC, naive. Twitter's own format, else ISO 8601 (UTC where it names no offset)."""
    if match := _TWITTER_TIME.match(text):
        month, day, hour, minute, second, sign, offset_hours, offset_minutes, year = match.groups()
        try:
            local = dt.datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second))
            offset = dt.timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
            return local - offset if sign == "+" else local + offset
        except (ValueError, KeyError, OverflowError) as problem:
            raise ValueError(f"created_at {text!r} is not a possible date") from problem
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment
    except (ValueError, OverflowError) as problem:
        raise ValueError(
            f"created_at {text[:60]!r} is not a time such as 'Tue Oct 31 22:10:47 +0000 2017'"
        ) from problem


def _same(one: _Tweet, other: _Tweet) -> bool:
    return (one.author, one.is_inbound, one.at, one.text, one.responses, one.parent) == (
        other.author,
        other.is_inbound,
        other.at,
        other.text,
        other.responses,
        other.parent,
    )


def _add_stored(tweets: dict[str, _Tweet], context: StoreContext) -> dict[str, str]:
    """Add the stored tweets of threads that this file continues; return account (lower case) to brand."""
    known = dict(context.company_accounts())
    mine = {t.author.lower(): t.author for t in tweets.values() if not t.is_inbound}
    new = [account for account in mine if account not in known]
    ids = set(tweets)
    for tweet in list(tweets.values()):
        if tweet.parent:
            ids.add(tweet.parent)
    for event in context.related_events(sorted(ids), new):
        if event.external_id in tweets:
            continue
        tweets[event.external_id] = _stored(event)
    return {**mine, **known}


def _stored(event: StoredEvent) -> _Tweet:
    return _Tweet(
        id=event.external_id,
        author=event.author or "",
        is_inbound=event.is_inbound,
        at=event.occurred_at,
        text=event.text or "",
        responses=[part for part in (event.recorded_responses or "").split(",") if part],
        parent=event.reply_to,
        is_from_file=False,
    )


def _thread(tweets: dict[str, _Tweet]) -> None:
    for tweet in tweets.values():
        path = []
        current, seen = tweet, set()
        while not current.root and current.parent in tweets and current.id not in seen:
            seen.add(current.id)
            path.append(current)
            current = tweets[current.parent]
        root = current.root or (_ring_root(current, tweets) if current.id in seen else current.parent or current.id)
        current.root = current.root or root
        for member in path:
            member.root = root
    for tweet in tweets.values():
        if tweet.parent in tweets:
            tweets[tweet.parent].replies.append(tweet)


def _ring_root(tweet: _Tweet, tweets: Mapping[str, _Tweet]) -> str:
    """A ring of replies can only come from a broken file; its smallest id, whoever is asked, stands for the thread."""
    ring = [tweet.id]
    while (parent := tweets[ring[-1]].parent) is not None and parent != tweet.id:
        ring.append(parent)
    return min(ring, key=int)


def _by_root(tweets: dict[str, _Tweet]) -> dict[str, list[_Tweet]]:
    threads: dict[str, list[_Tweet]] = defaultdict(list)
    for tweet in tweets.values():
        threads[tweet.root].append(tweet)
    for members in threads.values():
        members.sort(key=_order)
    return threads


def _order(tweet: _Tweet) -> tuple[dt.datetime, int]:
    return tweet.at, int(tweet.id)


def _assign(members: Sequence[_Tweet], tweets: Mapping[str, _Tweet], accounts: Mapping[str, str]) -> None:
    """Give each tweet of a thread its customer and its company."""
    companies = list(dict.fromkeys(t.author for t in members if not t.is_inbound))
    for tweet in members:
        if tweet.is_inbound:
            tweet.customer = tweet.author
            tweet.company = _company_of(tweet, tweets, companies, accounts)
        else:
            tweet.company = tweet.author
            tweet.customer = _customer_of(tweet, tweets)


def _customer_of(tweet: _Tweet, tweets: Mapping[str, _Tweet]) -> str | None:
    """The customer whom a company tweet answers; else the first customer it names; else nobody known."""
    seen = set()
    current = tweets.get(tweet.parent or "")
    while current is not None and current.id not in seen:
        if current.is_inbound:
            return current.author
        seen.add(current.id)
        current = tweets.get(current.parent or "")
    named = [account for account in _MENTION.findall(tweet.text) if account.isdigit()]
    return named[0] if named else None


def _company_of(
    tweet: _Tweet, tweets: Mapping[str, _Tweet], companies: Sequence[str], accounts: Mapping[str, str]
) -> str | None:
    parent = tweets.get(tweet.parent or "")
    if parent is not None and not parent.is_inbound:
        return parent.author
    named = [account for account in _MENTION.findall(tweet.text) if account.lower() in accounts]
    if len(companies) == 1:
        return companies[0]
    if companies:
        answering = [reply.author for reply in sorted(tweet.replies, key=_order) if not reply.is_inbound]
        in_thread = {company.lower(): company for company in companies}
        addressed = [in_thread[account.lower()] for account in named if account.lower() in in_thread]
        return [*answering, *addressed, *companies][0]
    return named[0] if named else None


def _events(placed: Sequence[_Tweet], tweets: Mapping[str, _Tweet], accounts: Mapping[str, str]) -> object:
    rows: dict[str, list[object]] = defaultdict(list)
    for tweet in placed:
        brand = accounts.get(tweet.company.lower(), tweet.company) if tweet.company else None
        customer = tweet.customer
        # Without a customer (a broadcast) the conversation is the tweet's own.
        whose = customer if customer is not None else f"nobody:{tweet.id}"
        rows["external_id"].append(tweet.id)
        rows["thread_id"].append(tweet.root)
        rows["conversation"].append(f"{tweet.root}|{whose}|{(tweet.company or '').lower()}")
        rows["customer"].append(customer)
        rows["handle"].append(customer)
        rows["channel"].append("twitter")
        rows["direction"].append("inbound" if tweet.is_inbound else "outbound")
        rows["author_kind"].append("customer" if tweet.is_inbound else "agent")
        rows["author"].append(tweet.author)
        signature = None if tweet.is_inbound else _signature(tweet.text)
        rows["agent"].append(f"{signature} ({tweet.author})" if signature else None)
        rows["brand"].append(brand)
        rows["occurred_at"].append(tweet.at)
        rows["text"].append(tweet.text)
        rows["reply_to"].append(tweet.parent)
        rows["recorded_responses"].append(",".join(tweet.responses) or None)
        rows["has_reported_answer"].append(tweet.is_inbound and _is_reported(tweet, tweets))
        rows["is_addressed"].append(tweet.company is not None)
        rows["is_parent_missing"].append(tweet.parent is not None and tweet.parent not in tweets)
        rows["is_from_file"].append(tweet.is_from_file)
        rows["line"].append(tweet.line)
        rows["raw"].append(tweet.raw)
    return event_table(rows, len(placed))


def _signature(text: str) -> str | None:
    """Agents sign with ^GA, *AFM or -KC at the end of the tweet."""
    match = re.search(r"(?:\^|\*|\s-)\s?([A-Z][A-Za-z]{0,11})\s*(?:https?://\S+\s*)*(?:\d+/\d+\s*)?$", text)
    return match[1] if match else None


def _is_reported(tweet: _Tweet, tweets: Mapping[str, _Tweet]) -> bool:
    """The file lists answers that are not in it, and none of those in it is the company's."""
    if tweet.company is None or not tweet.responses:
        return False
    present = [tweets[answer] for answer in tweet.responses if answer in tweets]
    by_company = any(not answer.is_inbound and answer.author == tweet.company for answer in present)
    return not by_company and len(present) < len(tweet.responses)


SOURCE = Source(
    name="twcs",
    summary="Customer Support on Twitter (tweet_id, author_id, inbound, created_at, text, …)",
    read=read,
    rethread=rethread,
)
