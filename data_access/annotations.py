"""What managers enter in the app: labels of sampled texts. Never in the store.

A separate SQLite file beside the generations (`annotations.sqlite`), or a schema of its own
(`frontdoor_annotations`) on PostgreSQL. Where neither can be written, labelling is off with a reason.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Sequence

import pandas as pd
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Table,
    Text,
    and_,
    create_engine,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from data_access.estimates import share, wilson_interval
from data_access.filters import Filter
from data_access.frames import fetch, typed
from data_access.schema import conversations, interactions
from data_access.store import one_line, parse_url, store_folder, write_tables_afresh
from data_access.vocabulary import SENTIMENTS

SAMPLE_SIZE = 50
SCHEMA_NAME = "frontdoor_annotations"
FILE_NAME = "annotations.sqlite"

metadata = MetaData()
labels = Table(
    "labels",
    metadata,
    Column("interaction_id", Text, primary_key=True, comment="The labelled interaction"),
    Column("sentiment_label", Text, nullable=False, comment="What the manager reads: negative, neutral, positive"),
    Column("is_complaint", Boolean, nullable=False, comment="Whether the manager reads a complaint"),
    Column("labelled_at", DateTime, nullable=False, comment="When, UTC"),
    Column("viewer", Text, nullable=False, comment="Who labelled"),
)


@dataclasses.dataclass(frozen=True)
class Annotations:
    """Where labels are kept, or why they cannot be."""

    engine: Engine | None
    reason: str = ""


def open_annotations(url: str) -> Annotations:
    """Open, creating what is missing; an unwritable place gives a reason, never an error."""
    folder = store_folder(url)
    try:
        if folder is not None:
            if not folder.exists():
                return Annotations(None, f"there is no store in {folder} yet")
            path = folder / FILE_NAME
            if not os.access(path if path.exists() else folder, os.W_OK):
                return Annotations(None, f"{folder} cannot be written by this process")
            engine = _engine(url)
            metadata.create_all(engine)
        else:
            engine = _engine(url)
            with engine.begin() as connection:
                _make_on_server(connection)
                reason = _why_read_only(connection)
            if reason:
                engine.dispose()
                return Annotations(None, f"labels cannot be kept: {reason}")
    except (SQLAlchemyError, OSError) as problem:
        return Annotations(None, f"labels cannot be kept: {one_line(problem)}")
    return Annotations(engine)


def open_to_read(url: str) -> Engine | None:
    """Where labels were ever kept beside this store, an engine to read them; creates nothing."""
    folder = store_folder(url)
    if folder is not None and not (folder / FILE_NAME).exists():
        return None
    engine = _engine(url)
    with engine.connect() as connection:
        is_kept = inspect(connection).has_table(labels.name, schema=None if folder is not None else SCHEMA_NAME)
    if is_kept:
        return engine
    engine.dispose()
    return None


def is_there(url: str) -> bool:
    """Whether labels were ever kept beside this store; creates nothing."""
    engine = open_to_read(url)
    if engine is not None:
        engine.dispose()
    return engine is not None


def write_afresh(url: str) -> None:
    """Leave nothing of removed labels in a server's files; a folder's are overwritten as they are removed."""
    if store_folder(url) is None and is_there(url):
        write_tables_afresh(url, f"{SCHEMA_NAME}.{labels.name}")


def _engine(url: str) -> Engine:
    folder = store_folder(url)
    if folder is not None:
        return create_engine(f"sqlite:///{folder / FILE_NAME}")
    return create_engine(parse_url(url)).execution_options(schema_translate_map={None: SCHEMA_NAME})


def _make_on_server(connection: Connection) -> None:
    """Make the schema and its table where they are missing.

    "IF NOT EXISTS" alone would not do: also where the schema is there, it asks for a right to make schemas, which the
    reader's role has not.
    """
    if not inspect(connection).has_schema(SCHEMA_NAME):
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA_NAME}"))
    metadata.create_all(connection)


def _why_read_only(connection: Connection) -> str:
    """Why labels cannot be written on a server; "" where they can."""
    if connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on":
        return "the role's transactions are read-only"
    for privilege in ("SELECT", "INSERT", "DELETE"):
        allowed = func.has_table_privilege(f"{SCHEMA_NAME}.{labels.name}", privilege)
        if not connection.scalar(select(allowed)):
            return f"the role has no right to {privilege} in {SCHEMA_NAME}.{labels.name}"
    return ""


def save_label(
    annotations: Annotations, interaction_id: str, *, sentiment_label: str, is_complaint: bool, viewer: str
) -> None:
    """Keep one label, replacing an earlier one of the same interaction."""
    if annotations.engine is None:
        raise ValueError(annotations.reason)
    if sentiment_label not in SENTIMENTS:
        raise ValueError(f"sentiment must be one of {', '.join(SENTIMENTS)}, not {sentiment_label!r}")
    with annotations.engine.begin() as connection:
        connection.execute(delete(labels).where(labels.c.interaction_id == interaction_id))
        connection.execute(
            insert(labels).values(
                interaction_id=interaction_id,
                sentiment_label=sentiment_label,
                is_complaint=is_complaint,
                labelled_at=dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0),
                viewer=viewer,
            )
        )


def saved_labels(annotations: Annotations) -> pd.DataFrame:
    """All labels, one row per interaction."""
    if annotations.engine is None:
        return pd.DataFrame(columns=[column.name for column in labels.columns])
    return fetch(annotations.engine, select(labels))


_TEXT_KINDS = {
    "interaction_id": "text",
    "channel": "text",
    "brand": "text",
    "occurred_at": "at",
    "text": "text",
    "scored_sentiment": "text",
    "scored_is_complaint": "flag",
}


def _readable(wanted: Filter) -> list[ColumnElement[bool]]:
    """Inbound, scored by us (not supplied), addressed to us, within the viewer's scope."""
    i = interactions.c
    return [
        i.direction == "inbound",
        i.sentiment_label.is_not(None),
        i.sentiment_scorer != "supplied",
        i.is_addressed.is_(True),
        i.occurred_at <= wanted.now,
        *wanted.replace(date_from=None, date_to=None).clauses(conversations, conversations.c.opened_at),
    ]


def draw_sample(engine: Engine, wanted: Filter, *, size: int = SAMPLE_SIZE, seed: str = "") -> pd.DataFrame:
    """A random sample of texts to label, the same for the same store and seed. One row per interaction.

    Random: interactions are ordered by a hash of their id, which is itself a hash of what the source named.
    The scores are not shown to the labeller before the label is saved; see `measured_error`.
    """
    i = interactions.c
    statement = (
        select(
            i.interaction_id,
            i.channel,
            i.brand,
            i.occurred_at,
            i.text,
            i.sentiment_label.label("scored_sentiment"),
            i.is_complaint.label("scored_is_complaint"),
        )
        .select_from(interactions)
        .join(
            conversations,
            and_(conversations.c.customer_id == i.customer_id, conversations.c.conversation_id == i.conversation_id),
        )
        .where(*_readable(wanted))
        .order_by(func.md5(i.interaction_id.concat(seed)), i.interaction_id)
        .limit(size)
    )
    return typed(fetch(engine, statement), _TEXT_KINDS)


def labelled_texts(engine: Engine, wanted: Filter, ids: Sequence[str]) -> pd.DataFrame:
    """The scores of labelled interactions that are still in the store."""
    i = interactions.c
    statement = select(
        i.interaction_id,
        i.channel,
        i.brand,
        i.occurred_at,
        i.text,
        i.sentiment_label.label("scored_sentiment"),
        i.is_complaint.label("scored_is_complaint"),
    ).where(i.interaction_id.in_(list(ids)), i.occurred_at <= wanted.now)
    return typed(fetch(engine, statement), _TEXT_KINDS)


# Until a manager has labelled a sample: what the benchmark measured, see benchmarks/text.md.
PUBLISHED_LEVEL_ERROR = 0.10


def measured_error(engine: Engine, wanted: Filter, annotations: Annotations) -> pd.DataFrame:
    """How far the scorer is from the manager's labels. One row per task: sentiment, complaint.

    `agreement_share` with Wilson interval; `labelled_share` and `scored_share` are the negative share
    (sentiment) and the complaint share (complaint); `level_error` is their difference with its 95 % interval
    for paired answers. No rows where nothing is labelled.
    """
    given = saved_labels(annotations)
    columns = [
        "task",
        "labelled_count",
        "agreement_count",
        "agreement_share",
        "agreement_share_low",
        "agreement_share_high",
        "labelled_share",
        "scored_share",
        "level_error",
        "level_error_low",
        "level_error_high",
    ]
    if given.empty:
        return pd.DataFrame(columns=columns)
    scored = labelled_texts(engine, wanted, list(given["interaction_id"]))
    both = given.merge(scored, on="interaction_id")
    rows = []
    for task, truth, guess in (
        ("sentiment", both["sentiment_label"] == "negative", both["scored_sentiment"] == "negative"),
        ("complaint", both["is_complaint"].astype(bool), both["scored_is_complaint"].astype(bool)),
    ):
        count = len(both)
        if count == 0:
            continue
        agree = int(
            (both["sentiment_label"] == both["scored_sentiment"]).sum()
            if task == "sentiment"
            else (truth == guess).sum()
        )
        low, high = wilson_interval(agree, count)
        difference = guess.astype(float) - truth.astype(float)
        spread = 1.96 * float(difference.std(ddof=1)) / count**0.5 if count > 1 else float("nan")
        rows.append(
            {
                "task": task,
                "labelled_count": count,
                "agreement_count": agree,
                "agreement_share": float(share(agree, count)),
                "agreement_share_low": float(low),
                "agreement_share_high": float(high),
                "labelled_share": float(truth.mean()),
                "scored_share": float(guess.mean()),
                "level_error": float(difference.mean()),
                "level_error_low": float(difference.mean()) - spread,
                "level_error_high": float(difference.mean()) + spread,
            }
        )
    return pd.DataFrame(rows, columns=columns)
