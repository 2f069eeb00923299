"""Made-up interactions of any size with realistic skew, as column batches: what the benchmarks load.

Heavy customers (Zipf), quiet nights, a weekly rhythm, bursts, threads of 1 to 200 messages, eight channels, one
in five conversations never answered. Deterministic for a seed; nothing in it is real.

`python benchmarks/generate.py ROWS FILE` writes Parquet or CSV by the suffix; memory stays that of one batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

BATCH_CONVERSATIONS = 60_000
CHANNELS = np.array(["email", "phone", "chat", "twitter", "facebook", "whatsapp", "web_form", "review"])
CHANNEL_SHARES = np.array([0.30, 0.26, 0.14, 0.09, 0.06, 0.07, 0.06, 0.02])
MEDIAN_MINUTES = np.array([300.0, 0.5, 2.0, 60.0, 90.0, 45.0, 400.0, 2000.0])
TOPICS = np.array(["delivery", "billing", "refund", "account", "product", "waiting", "cancel", "other"])
TEAMS = np.array([f"Team {letter}" for letter in "ABCDEFGHIJ"])
BRANDS = np.array(["North", "South", "West"])
AGENTS_PER_TEAM = 30
SENTIMENTS = np.array(["negative", "neutral", "positive"])
WORDS = np.array(
    [
        "the", "my", "your", "order", "parcel", "invoice", "still", "not", "late", "never", "again", "please",
        "thanks", "waiting", "phone", "email", "answer", "refund", "broken", "works", "great", "where", "when",
        "help", "nobody", "hours", "days", "cancel", "account", "password", "price", "friendly", "quick", "slow",
        "rude", "delivery", "driver", "app", "website", "store", "call", "back", "today", "tomorrow", "week"
    ]
)  # fmt: skip
START = np.datetime64("2025-01-01T00:00:00")
DAYS = 365
# Share of a day's contacts by hour: quiet nights, two peaks.
BY_HOUR = np.array([1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 18, 15, 15, 17, 18, 17, 14, 12, 11, 10, 7, 4, 2], dtype=float)
MEAN_MESSAGES = 3.4  # of a conversation, inbound and outbound together


def batches(rows: int, *, seed: int = 1, with_text: bool = True, with_scores: bool = True) -> Iterator[pa.Table]:
    """At least `rows` interactions in batches of whole conversations, in order of opening within a batch.

    One row per interaction: id, conversation, customer, email, channel, direction, agent, team, brand,
    occurred_at (UTC), text, sentiment_label, is_complaint, needs_reply, topic, audience, reply_to.
    """
    rng = np.random.default_rng(seed)
    people = max(rows // 8, 100)
    done = first = 0
    while done < rows:
        count = min(BATCH_CONVERSATIONS, max(int((rows - done) / MEAN_MESSAGES) + 1, 1))
        table = _conversations(rng, first, count, people, with_text=with_text, with_scores=with_scores)
        table = table.slice(0, min(table.num_rows, rows - done))
        yield table
        done += table.num_rows
        first += count


def _conversations(
    rng: np.random.Generator, first: int, count: int, people: int, *, with_text: bool, with_scores: bool
) -> pa.Table:
    channel = rng.choice(len(CHANNELS), count, p=CHANNEL_SHARES)
    # Heavy customers: a twentieth of the people write a third of everything.
    person = (people * rng.power(0.6, count)).astype(np.int64)
    day = rng.integers(0, DAYS, count)
    day = np.where(rng.random(count) < 0.06, 200 + rng.integers(0, 3, count), day)  # a burst
    day = np.where((day % 7 >= 5) & (rng.random(count) < 0.5), day - 2, day)  # quiet weekends
    hour = rng.choice(24, count, p=BY_HOUR / BY_HOUR.sum())
    opened = day * 86_400 + hour * 3600 + rng.integers(0, 3600, count)
    turns = 1 + rng.geometric(0.42, count) - 1
    turns = np.where(rng.random(count) < 0.001, rng.integers(30, 100, count), np.minimum(turns, 100))
    is_answered = rng.random(count) < np.where(np.isin(channel, [3, 4, 7]), 0.6, 0.88)
    wait = MEDIAN_MINUTES[channel] * 60 * rng.lognormal(0, 1.3, count)
    lengths = np.where(is_answered, 2 * turns, np.minimum(turns, 3))
    owner = np.repeat(np.arange(count), lengths)
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    answered = is_answered[owner]
    is_inbound = ~answered | (step % 2 == 0)
    gap = np.where(step == 0, 0.0, wait[owner] * rng.lognormal(0, 0.4, len(owner)) + 1)
    total = np.cumsum(gap)
    since = total - np.repeat(total[np.cumsum(lengths) - lengths], lengths)
    at = opened[owner] + np.minimum(since, 40 * 86_400).astype(np.int64)
    team = (channel * 10 // len(CHANNELS) + person % 2) % len(TEAMS)
    conversation = first + owner
    ids = pa.array(np.char.add(np.char.add(conversation.astype(str), "-"), step.astype(str)))
    outbound = ~is_inbound
    columns: dict[str, pa.Array] = {
        "id": ids,
        "conversation": pa.array(conversation.astype(str)),
        "customer": pa.array(np.char.add("p", person[owner].astype(str))),
        "email": pa.array(np.char.add(person[owner].astype(str), "@x.example"), mask=~np.isin(channel, [0, 6])[owner]),
        "channel": pa.array(CHANNELS[channel][owner]),
        "direction": pa.array(np.where(is_inbound, "inbound", "outbound")),
        "agent": pa.array(
            np.char.add(
                np.char.add(TEAMS[team][owner], " agent "),
                rng.integers(0, AGENTS_PER_TEAM, len(owner)).astype(str),
            ),
            mask=is_inbound,
        ),
        "team": pa.array(TEAMS[team][owner]),
        "brand": pa.array(BRANDS[person % 3][owner]),
        "occurred_at": pa.array(START + at.astype("timedelta64[s]")).cast(pa.timestamp("s")),
        "audience": pa.array(
            (50 * rng.lognormal(1, 1.5, len(owner))).astype(np.int64),
            mask=~(np.isin(channel, [3, 4, 7])[owner] & is_inbound),
        ),
    }
    if with_text:
        length = rng.integers(4, 12)
        words = WORDS[rng.integers(0, len(WORDS), (len(owner), length))]
        text = words[:, 0]
        for place in range(1, length):
            text = np.char.add(np.char.add(text, " "), words[:, place])
        columns["text"] = pa.array(text)
    if with_scores:
        mood = rng.choice(3, len(owner), p=[0.4, 0.4, 0.2])
        columns["sentiment_label"] = pa.array(SENTIMENTS[mood], mask=outbound)
        columns["is_complaint"] = pa.array((mood == 0) & (rng.random(len(owner)) < 0.7), mask=outbound)
        columns["needs_reply"] = pa.array((mood != 2) | (step == 0), mask=outbound)
        columns["topic"] = pa.array(TOPICS[(conversation + person[owner]) % len(TOPICS)], mask=outbound)
    return pa.table(columns)


MAPPING = """source = "bench"
[columns]
{columns}
"""


def write(path: Path, rows: int, **options: object) -> None:
    """Write the batches to one file, and the mapping that reads it beside it (`.toml`)."""
    writer: pq.ParquetWriter | pa_csv.CSVWriter | None = None
    for table in batches(rows, **options):  # type: ignore[arg-type]
        if writer is None:
            kind = pq.ParquetWriter if path.suffix == ".parquet" else pa_csv.CSVWriter
            writer = kind(str(path), table.schema)
            columns = "\n".join(f'{name} = "{name}"' for name in table.column_names)
            path.with_suffix(".toml").write_text(MAPPING.format(columns=columns), encoding="utf-8")
        writer.write_table(table)
    assert writer is not None
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-text", action="store_true")
    wanted = parser.parse_args()
    write(wanted.file, wanted.rows, seed=wanted.seed, with_text=not wanted.without_text)
