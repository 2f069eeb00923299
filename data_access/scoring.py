"""What the texts of interactions say, row by row; on all cores where there are many.

Imports nothing of the store, so that a worker process starts quickly and stays small.
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, NamedTuple

from data_access import text
from data_access.vocabulary import PUBLIC_CHANNELS

SUPPLIED_FIELDS = (
    "language",
    "sentiment_label",
    "sentiment_score",
    "is_complaint",
    "needs_reply",
    "topic",
    "blamed_channel",
)
SCORE_COLUMNS = (
    "language",
    "sentiment_label",
    "sentiment_score",
    "sentiment_confidence",
    "sentiment_scorer",
    "not_scored_reason",
    "is_complaint",
    "complaint_scorer",
    "needs_reply",
    "topics",
    "topic",
    "blamed_channel",
    "evidence",
    "supplied",
)
ROWS_PER_TASK = 5_000
LEAST_FOR_WORKERS = 30_000  # below it starting workers takes longer than reading the texts


class TextRow(NamedTuple):
    """An interaction as its reader needs it; what the source supplied goes before what is read."""

    interaction_id: str
    text: str | None
    direction: str
    channel: str
    brand: str | None
    language: str | None
    sentiment_label: str | None
    sentiment_score: float | None
    is_complaint: bool | None
    needs_reply: bool | None
    topic: str | None
    blamed_channel: str | None


Scores = dict[str, list[Any]]


def scored_in_turn(
    rows: Iterator[TextRow], count: int, settings: text.TextSettings, *, cores: int | None = None
) -> Iterator[Scores]:
    """`scored` of all `count` rows, some thousands at a time and in their order.

    Many rows are read by worker processes, one a core; these end with this process, also when it is killed.
    """
    tasks = iter(lambda: list(itertools.islice(rows, ROWS_PER_TASK)), [])
    workers = cores or os.cpu_count() or 1
    if count < LEAST_FOR_WORKERS or workers == 1:
        for task in tasks:
            yield scored(task, settings)
        return
    # Spawned, not forked: this process has threads of the engine.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        yield from _results(pool, tasks, settings, ahead=2 * workers)


def _results(
    pool: ProcessPoolExecutor, tasks: Iterable[list[TextRow]], settings: text.TextSettings, *, ahead: int
) -> Iterator[Scores]:
    """Results in the order of the tasks, of which only so many wait: memory stays bounded."""
    waiting: deque[Future[Scores]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(scored, task, settings))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _end_with_parent() -> None:
    """Leave no worker behind when the loader is killed: it would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch(sentinel: int) -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def scored(rows: Sequence[TextRow], settings: text.TextSettings) -> Scores:
    """Columns of `SCORE_COLUMNS` and `interaction_id`, a value for each row."""
    read = _read(rows, settings)
    columns: Scores = {name: list(read[name]) for name in SCORE_COLUMNS if name not in ("topic", "supplied")}
    columns["supplied"] = [
        ",".join(name for name in SUPPLIED_FIELDS if getattr(row, name) is not None) or None for row in rows
    ]
    columns["topics"] = [",".join(topics) or None for topics in read["topics"]]
    columns["topic"] = [topics[0] if topics else None for topics in read["topics"]]
    columns["interaction_id"] = [row.interaction_id for row in rows]
    for index, row in enumerate(rows):
        _keep_supplied(columns, index, row)
    return columns


def _read(rows: Sequence[TextRow], settings: text.TextSettings) -> dict[str, list[Any]]:
    """What the texts say, row by row. The words of a row's own brand never count as sentiment: that of other
    brands would depend on which rows are read together.
    """
    by_brand: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_brand[(row.brand or "") if settings.scorer == text.SCORER_ID else ""].append(place)
    columns: dict[str, list[Any]] = defaultdict(lambda: [None] * len(rows))
    for brand, places in by_brand.items():
        words = tuple(sorted({*settings.brand_words, *brand.lower().split()}))
        read = text.read_batch(
            [rows[place].text for place in places],
            inbound=[rows[place].direction == "inbound" for place in places],
            public=[rows[place].channel in PUBLIC_CHANNELS for place in places],
            settings=dataclasses.replace(settings, brand_words=words),
            languages=[rows[place].language for place in places],
        )
        for name, values in read.items():
            column = columns[name]
            for place, value in zip(places, values, strict=True):
                column[place] = value
    return columns


def _keep_supplied(columns: Scores, index: int, row: TextRow) -> None:
    if row.sentiment_label is not None or row.sentiment_score is not None:
        _keep_supplied_sentiment(columns, index, row)
    if row.is_complaint is not None:
        columns["is_complaint"][index] = row.is_complaint if row.direction == "inbound" else None
        columns["complaint_scorer"][index] = "supplied"
    if row.needs_reply is not None:
        columns["needs_reply"][index] = row.needs_reply
    if row.topic is not None:
        columns["topic"][index] = columns["topics"][index] = row.topic
    if row.blamed_channel is not None:
        columns["blamed_channel"][index] = row.blamed_channel
    if columns["is_complaint"][index]:
        columns["needs_reply"][index] = True


def _keep_supplied_sentiment(columns: Scores, index: int, row: TextRow) -> None:
    score, label = row.sentiment_score, row.sentiment_label
    if label is None:
        assert score is not None
        label = "negative" if score <= -0.05 else "positive" if score >= 0.05 else "neutral"
    if score is None:
        score = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[label]
    columns["sentiment_label"][index], columns["sentiment_score"][index] = label, score
    columns["sentiment_confidence"][index] = None
    columns["sentiment_scorer"][index] = "supplied"
    columns["not_scored_reason"][index] = None
