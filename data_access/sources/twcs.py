"""Customer Support on Twitter: tweets to conversations between one customer and one company in one thread.

The thread is the tree of replies; where a parent is not in the data the thread begins at the missing tweet.
Brand is the company account in the thread, else the first company account that the customer addresses.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from data_access.errors import SourceError
from data_access.sources.base import BATCH_ROWS, Batch, Part, Reject, Source, StoreContext, StoredEvent, event_table
from data_access.sources.delimited import Record, read_records
from data_access.sources.threads import Tweet, Tweets

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
_SIGNATURE = re.compile(r"(?:\^|\*|\s-)\s?([A-Z][A-Za-z]{0,11})\s*(?:https?://\S+\s*)*(?:\d+/\d+\s*)?$")
_MENTION = re.compile(r"@(\w+)")
_TRUE = frozenset({"true", "1", "t", "yes"})
_TRUE_OR_FALSE = _TRUE | {"false", "0", "f", "no"}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1
    )
}
_TWITTER_TIME = re.compile(r"^\w{3} (\w{3}) (\d{1,2}) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2}) (\d{4})$")


def read(path: Path, *, context: StoreContext, encoding: str | None = None, **_: object) -> Iterator[Batch]:
    """Batches of one file. Raises SourceError where columns are missing; bad rows become rejects."""
    with Tweets() as tweets:
        batch = Batch()
        for item in _parsed(path, encoding):
            batch.read_count += 1
            if isinstance(item, Reject):
                batch.rejects.append(item)
            else:
                tweets.add(item)
            if batch.read_count >= BATCH_ROWS:
                yield batch
                batch = Batch()
        batch.rejects += tweets.repeats()
        yield batch
        yield from _placed(tweets, _add_stored(tweets, context))


def rethread(context: StoreContext) -> Iterator[Batch]:
    """The stored tweets with their places in threads, as the accounts now known give them."""
    with Tweets() as tweets:
        for event in context.stored_events():
            tweets.add(_stored(event))
        yield from _placed(tweets, context.company_accounts())


def _placed(tweets: Tweets, accounts: Mapping[str, str]) -> Iterator[Batch]:
    for group in tweets.threads():
        for members in _by_root(group.tweets):
            _assign(members, group.known, accounts)
        for start in range(0, len(group.tweets), BATCH_ROWS):
            yield Batch(events=_events(group.tweets[start : start + BATCH_ROWS], group.known, accounts))


def _parsed(path: Path, encoding: str | None) -> Iterator[Tweet | Reject]:
    header, records = read_records(path, encoding=encoding)
    names = [name.lower() for name in header]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise SourceError(
            f"{path}: is not in the twcs format: column {missing[0]} is missing; "
            f"its columns are {', '.join(names)[:200]}"
        )
    place = {name: names.index(name) for name in COLUMNS if name in names}
    last_needed = max(place[name] for name in _REQUIRED)
    previous: Tweet | None = None
    for item in records:
        if isinstance(item, Reject):
            yield item
            continue
        # A tweet may lack its reply ids: as one in the published file, whose record an unquoted line end has cut.
        if not last_needed < len(item.fields) <= len(names):
            yield Reject(item.line, _fragment_reason(item, previous, len(names)), item.raw)
            continue
        try:
            tweet = _tweet(item, place)
        except ValueError as problem:
            yield Reject(item.line, str(problem), item.raw)
            continue
        previous = tweet
        yield tweet


def _fragment_reason(record: Record, previous: Tweet | None, width: int) -> str:
    reason = f"{len(record.fields)} fields instead of {width}"
    if previous is not None and len(record.fields) < width:
        reason += (
            f"; it looks like the rest of tweet {previous.id} (line {previous.line}), broken by an unquoted line end"
        )
    return reason


def _tweet(record: Record, place: Mapping[str, int]) -> Tweet:
    fields = record.fields

    def optional(name: str) -> str:
        index = place.get(name)
        value = fields[index].strip() if index is not None and index < len(fields) else ""
        return "" if value.lower() == "nan" else value

    given = fields[place["inbound"]].strip()
    inbound = given.lower()
    if inbound not in _TRUE_OR_FALSE:
        raise ValueError(f"inbound is {given!r}, not True or False")
    author = fields[place["author_id"]].strip()
    if not author:
        raise ValueError("author_id is empty")
    if author.endswith(".0") and author[:-2].isdigit():
        author = author[:-2]
    answers, parent = optional("response_tweet_id"), optional("in_response_to_tweet_id")
    parts = (part.strip() for part in answers.split(",")) if answers else ()
    return Tweet(
        id=_identifier(fields[place["tweet_id"]].strip(), "tweet_id"),
        author=author,
        is_inbound=inbound in _TRUE,
        at=_time(fields[place["created_at"]].strip()),
        text=html.unescape(fields[place["text"]]),
        responses=[_identifier(part, "response_tweet_id") for part in parts if part and part.lower() != "nan"],
        parent=_identifier(parent, "in_response_to_tweet_id") if parent else None,
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
            if offset_hours == offset_minutes == "00":
                return local
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


def _add_stored(tweets: Tweets, context: StoreContext) -> dict[str, str]:
    """Add the stored tweets of threads that this file continues; return account (lower case) to brand."""
    known, mine = dict(context.company_accounts()), tweets.company_authors()
    new = [account for account in mine if account not in known]
    for event in context.related_events(tweets.touched_ids(), new):
        tweets.add(_stored(event))
    return {**mine, **known}


def _stored(event: StoredEvent) -> Tweet:
    return Tweet(
        id=event.external_id,
        author=event.author or "",
        is_inbound=event.is_inbound,
        at=event.occurred_at,
        text=event.text or "",
        responses=[part for part in (event.recorded_responses or "").split(",") if part],
        parent=event.reply_to,
        is_from_file=False,
    )


def _by_root(tweets: Sequence[Tweet]) -> Iterable[list[Tweet]]:
    threads: dict[str, list[Tweet]] = defaultdict(list)
    for tweet in tweets:
        threads[tweet.root].append(tweet)
    for members in threads.values():
        members.sort(key=_order)
    return threads.values()


def _order(tweet: Tweet) -> tuple[dt.datetime, int]:
    return tweet.at, int(tweet.id)


def _assign(members: Sequence[Tweet], tweets: Mapping[str, Tweet], accounts: Mapping[str, str]) -> None:
    """Give each tweet of a thread its customer and its company."""
    companies = list(dict.fromkeys(t.author for t in members if not t.is_inbound))
    for tweet in members:
        if tweet.is_inbound:
            tweet.customer = tweet.author
            tweet.company = _company_of(tweet, tweets, companies, accounts)
        else:
            tweet.company = tweet.author
            tweet.customer = _customer_of(tweet, tweets)


def _customer_of(tweet: Tweet, tweets: Mapping[str, Tweet]) -> str | None:
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
    tweet: Tweet, tweets: Mapping[str, Tweet], companies: Sequence[str], accounts: Mapping[str, str]
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


def _events(placed: Sequence[Tweet], tweets: Mapping[str, Tweet], accounts: Mapping[str, str]) -> pa.Table:
    names = {company: (company or "").lower() for company in {tweet.company for tweet in placed}}
    brands = {company: accounts.get(name, company) if company else None for company, name in names.items()}
    customers = [tweet.customer for tweet in placed]
    signatures = [None if tweet.is_inbound else _signature(tweet.text) for tweet in placed]
    columns: dict[str, Sequence[object]] = {
        "external_id": [tweet.id for tweet in placed],
        "thread_id": [tweet.root for tweet in placed],
        # Without a customer (a broadcast) the conversation is the tweet's own.
        "conversation": [
            f"{t.root}|{t.customer if t.customer is not None else f'nobody:{t.id}'}|{names[t.company]}" for t in placed
        ],
        "customer": customers,
        "handle": customers,
        "channel": ["twitter"] * len(placed),
        "direction": ["inbound" if tweet.is_inbound else "outbound" for tweet in placed],
        "author_kind": ["customer" if tweet.is_inbound else "agent" for tweet in placed],
        "author": [tweet.author for tweet in placed],
        "agent": [f"{s} ({t.author})" if s else None for s, t in zip(signatures, placed, strict=True)],
        "brand": [brands[tweet.company] for tweet in placed],
        "occurred_at": [tweet.at for tweet in placed],
        "text": [tweet.text for tweet in placed],
        "reply_to": [tweet.parent for tweet in placed],
        "recorded_responses": [",".join(tweet.responses) or None for tweet in placed],
        "has_reported_answer": [tweet.is_inbound and _is_reported(tweet, tweets) for tweet in placed],
        "is_addressed": [tweet.company is not None for tweet in placed],
        "is_parent_missing": [tweet.parent is not None and tweet.parent not in tweets for tweet in placed],
        "is_from_file": [tweet.is_from_file for tweet in placed],
        "line": [tweet.line for tweet in placed],
        "raw": [tweet.raw for tweet in placed],
    }
    return event_table(columns, len(placed))


def _signature(text: str) -> str | None:
    """Agents sign with ^GA, *AFM or -KC at the end of the tweet."""
    match = _SIGNATURE.search(text)
    return match[1] if match else None


def _is_reported(tweet: Tweet, tweets: Mapping[str, Tweet]) -> bool:
    """The file lists answers that are not in it, and none of those in it is the company's."""
    if tweet.company is None or not tweet.responses:
        return False
    present = [tweets[answer] for answer in tweet.responses if answer in tweets]
    by_company = any(not answer.is_inbound and answer.author == tweet.company for answer in present)
    return not by_company and len(present) < len(tweet.responses)


SOURCE = Source(
    name="twcs",
    summary="Customer Support on Twitter (tweet_id, author_id, inbound, created_at, text, …)",
    gaps="no teams, ages or resolution; a brand that nobody addresses by its account is unknown",
    read=read,
    rethread=rethread,
    parts=(Part("tweets", frozenset({"tweet_id", "author_id", "inbound", "created_at"})),),
)
