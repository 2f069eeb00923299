"""Tweets by id and thread by thread: in memory while they are few, in a temporary file where a file has many."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from data_access.errors import SourceError
from data_access.sources.base import BATCH_ROWS, Reject
from data_access.temporary import TemporaryFolder

IN_MEMORY = BATCH_ROWS
WRITTEN_AT_ONCE = 10_000
# Each is an open file while threads are put together; beyond 20 million tweets the groups grow.
MOST_GROUPS = 400
# A tweet of the real file takes about 300 characters, its raw text included; one of a broken file up to 64 million.
CHARACTERS_IN_MEMORY = 64_000_000
DISK_MEMORY_LIMIT = "256MB"


@dataclass(slots=True)
class Tweet:
    """One tweet: as its file or the store tells it, and its place in its thread."""

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
    replies: list[Tweet] = field(default_factory=list)

    def content(self) -> tuple[object, ...]:
        """What two rows of one tweet must share."""
        return self.author, self.is_inbound, self.at, self.text, self.responses, self.parent


@dataclass(frozen=True)
class Threads:
    """Whole threads: their tweets in order of arrival, and by id with those that they list as answers."""

    tweets: list[Tweet]
    known: Mapping[str, Tweet]


class Tweets:
    """The tweets of one load, the first of each id. Memory is bounded: many go into a temporary file."""

    def __init__(self) -> None:
        self._few: dict[str, Tweet] = {}
        self._characters = 0
        self._rejects: list[Reject] = []
        self._disk: _Disk | None = None

    def __enter__(self) -> Tweets:
        return self

    def __exit__(self, *_: object) -> None:
        if self._disk is not None:
            self._disk.close()

    def add(self, tweet: Tweet) -> None:
        """One more. A tweet that stands in the file already counts no more; see `repeats`."""
        if self._disk is not None:
            self._disk.add(tweet)
            return
        first = self._few.setdefault(tweet.id, tweet)
        if first is not tweet:
            if tweet.is_from_file and first.content() != tweet.content():
                self._rejects.append(_repeat(tweet.id, tweet.line, tweet.raw, first.line))
            return
        self._characters += len(tweet.text) + len(tweet.raw)
        if len(self._few) > IN_MEMORY or self._characters > CHARACTERS_IN_MEMORY:
            self._disk = _Disk()
            for earlier in self._few.values():
                self._disk.add(earlier)
            self._few.clear()

    def repeats(self) -> list[Reject]:
        """Rows of tweets that stood in the file already with other content; told once."""
        found, self._rejects = self._rejects, []
        return found if self._disk is None else found + self._disk.drop_repeats()

    def company_authors(self) -> dict[str, str]:
        """Accounts that wrote for a company: in lower case, and as the last of them is written."""
        if self._disk is not None:
            return {author.lower(): author for author in self._disk.company_authors()}
        return {tweet.author.lower(): tweet.author for tweet in self._few.values() if not tweet.is_inbound}

    def touched_ids(self) -> Iterator[str]:
        """Ids of the tweets and of those that they answer; some several times."""
        if self._disk is not None:
            return self._disk.touched_ids()
        parents = (tweet.parent for tweet in self._few.values() if tweet.parent)
        return itertools.chain(list(self._few), list(parents))

    def threads(self) -> Iterator[Threads]:
        """All threads, group by group, each thread whole within one group."""
        if self._disk is not None:
            yield from self._disk.threads()
            return
        roots = roots_of({tweet.id: tweet.parent for tweet in self._few.values()})
        for tweet in self._few.values():
            tweet.root = roots[tweet.id]
        yield _linked(list(self._few.values()))


def roots_of(parents: Mapping[str, str | None]) -> dict[str, str]:
    """The thread of each tweet: its topmost ancestor, also one that is not there.

    A ring of replies can only come from a broken file; its smallest id, whoever is asked, stands for the thread.
    """
    roots: dict[str, str] = {}
    for name in parents:
        path: dict[str, None] = {}
        current = name
        while current not in roots and current not in path:
            path[current] = None
            parent = parents[current]
            if parent is None or parent not in parents:
                roots[current] = parent or current
                break
            current = parent
        else:
            if current in path:
                ring = list(path)[list(path).index(current) :]
                roots[current] = min(ring, key=int)
        root = roots[current]
        for member in path:
            roots[member] = root
    return roots


def _linked(tweets: list[Tweet], elsewhere: Iterable[Tweet] = ()) -> Threads:
    known = {tweet.id: tweet for tweet in (*elsewhere, *tweets)}
    for tweet in tweets:
        if tweet.parent is not None and tweet.parent in known:
            known[tweet.parent].replies.append(tweet)
    return Threads(tweets, known)


def _repeat(name: str, line: int, raw: str, first_line: int) -> Reject:
    return Reject(line, f"tweet {name} stands in line {first_line} already, with different content", raw)


_SCHEMA = pa.schema(
    [
        ("place", pa.int64()),
        ("id", pa.string()),
        ("author", pa.string()),
        ("is_inbound", pa.bool_()),
        ("at", pa.timestamp("us")),
        ("text", pa.string()),
        ("responses", pa.list_(pa.string())),
        ("parent", pa.string()),
        ("line", pa.int64()),
        ("raw", pa.string()),
        ("is_from_file", pa.bool_()),
    ]
)
_STORED = tuple(name for name in _SCHEMA.names if name != "place")


class _Disk:
    """Tweets in a DuckDB file of their own in the temporary folder, which sorts and joins beyond memory.

    Raises SourceError where that folder is full.
    """

    def __init__(self) -> None:
        self._folder = TemporaryFolder("tweets")
        path = self._folder.path
        config: dict[str, Any] = {
            "memory_limit": DISK_MEMORY_LIMIT,
            "temp_directory": str(path / "spill"),
            "autoinstall_known_extensions": False,
        }
        with self._saying():
            self._connection = duckdb.connect(path / "tweets.duckdb", config=config)
        columns = (
            'place BIGINT, id VARCHAR, author VARCHAR, is_inbound BOOLEAN, "at" TIMESTAMP, text VARCHAR, '
            "responses VARCHAR[], parent VARCHAR, line BIGINT, raw VARCHAR, is_from_file BOOLEAN"
        )
        self._run(f"CREATE TABLE tweets ({columns})")
        self._waiting: list[Tweet] = []
        self._characters = 0
        self._count = self._checked = 0

    def close(self) -> None:
        """Give the space back."""
        self._connection.close()
        self._folder.close()

    def add(self, tweet: Tweet) -> None:
        self._waiting.append(tweet)
        self._characters += len(tweet.text) + len(tweet.raw)
        if len(self._waiting) >= WRITTEN_AT_ONCE or self._characters > CHARACTERS_IN_MEMORY:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        columns: dict[str, Any] = {name: [getattr(tweet, name) for tweet in self._waiting] for name in _STORED}
        columns["place"] = range(self._count, self._count + len(self._waiting))
        self._count += len(self._waiting)
        batch = pa.table(columns, schema=_SCHEMA)
        self._waiting, self._characters = [], 0
        self._insert("INSERT INTO tweets SELECT * FROM batch", batch)

    def _insert(self, statement: str, batch: pa.Table) -> None:
        self._connection.register("batch", batch)
        self._run(statement)
        self._connection.unregister("batch")

    @contextlib.contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            yield
        # A write that fails at the end of a statement is a TransactionException, later ones a FatalException. OSError
        # is what pyarrow makes of all that goes wrong in its files and in the engine's batches.
        except (duckdb.OperationalError, duckdb.FatalException, OSError) as problem:
            reason = (str(problem).splitlines() or [""])[0]
            raise SourceError(
                f"{self._folder.path}: the temporary folder cannot hold the tweets: {reason}"
            ) from problem

    def _run(self, statement: str, values: list[object] | None = None) -> duckdb.DuckDBPyConnection:
        with self._saying():
            return self._connection.execute(statement, values)

    def drop_repeats(self) -> list[Reject]:
        """Keep the first row of each id; those of others in the file that say something else."""
        self._flush()
        if self._checked == self._count:
            return []
        self._checked = self._count
        self._run(
            "CREATE OR REPLACE TABLE repeats AS "
            "SELECT t.place, f.first FROM tweets t "
            "JOIN (SELECT id, min(place) AS first FROM tweets GROUP BY id HAVING count(*) > 1) f USING (id) "
            "WHERE t.place <> f.first"
        )
        rows = self._run(
            "SELECT later.id, later.line, later.raw, earlier.line FROM repeats r "
            "JOIN tweets later ON later.place = r.place JOIN tweets earlier ON earlier.place = r.first "
            "WHERE later.is_from_file "
            'AND (later.author, later.is_inbound, later."at", later.text, later.responses, later.parent) '
            "IS DISTINCT FROM "
            '(earlier.author, earlier.is_inbound, earlier."at", earlier.text, earlier.responses, earlier.parent) '
            "ORDER BY later.place"
        ).fetchall()
        self._run("DELETE FROM tweets WHERE place IN (SELECT place FROM repeats)")
        return [_repeat(*row) for row in rows]

    def company_authors(self) -> list[str]:
        statement = "SELECT author FROM tweets WHERE NOT is_inbound GROUP BY author ORDER BY max(place)"
        return [author for (author,) in self._run(statement).fetchall()]

    def touched_ids(self) -> Iterator[str]:
        statement = "SELECT id FROM tweets UNION ALL SELECT DISTINCT parent FROM tweets WHERE parent IS NOT NULL"
        yield from (name for (name,) in self._rows(statement))

    def threads(self) -> Iterator[Threads]:
        self.drop_repeats()  # what the store holds of tweets that the file has
        for number in self._shelve(self._place()):
            with pa.OSFile(str(self._shelf(number))) as file:
                table = pa.ipc.open_stream(file).read_all()
            self._shelf(number).unlink()
            columns = [table[name].to_pylist() for name in (*_STORED, "root")]
            yield _linked([Tweet(*row) for row in zip(*columns, strict=True)], self._answers_elsewhere(number))

    def _shelf(self, number: int) -> Path:
        return self._folder.path / f"{number}.arrow"

    def _shelve(self, groups: int) -> list[int]:
        """Put each tweet, in order of arrival, into the file of its group; the groups that have any.

        Sorting whole tweets by group would need memory for each run of the sort.
        """
        writers: dict[int, pa.RecordBatchWriter] = {}
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._saying())
            tweets, places = (stack.enter_context(self._connection.cursor()) for _ in range(2))
            placed = places.execute("SELECT place, root, number FROM groups")
            for batch in tweets.execute("SELECT * FROM tweets").to_arrow_reader(WRITTEN_AT_ONCE):
                rows = placed.fetchmany(batch.num_rows)
                assert [row[0] for row in rows] == batch["place"].to_pylist()
                of_group: dict[int, list[int]] = {}
                for index, (_, _, number) in enumerate(rows):
                    of_group.setdefault(number, []).append(index)
                whole = batch.append_column("root", pa.array([root for _, root, _ in rows], pa.string()))
                for number, indices in of_group.items():
                    part = whole.take(pa.array(indices))
                    if number not in writers:
                        file = stack.enter_context(pa.OSFile(str(self._shelf(number)), "wb"))
                        writers[number] = stack.enter_context(pa.ipc.new_stream(file, part.schema))
                    writers[number].write_batch(part)
        return [number for number in range(groups) if number in writers]

    def _rows(self, statement: str) -> Iterator[tuple[Any, ...]]:
        """Row by row, never all of them at once."""
        with self._saying(), self._connection.cursor() as reading:
            reading.execute(statement)
            while rows := reading.fetchmany(5_000):
                yield from rows

    def _place(self) -> int:
        """Number the group of each tweet's thread: by doubling the step up until all have met their root."""
        self._run(
            "CREATE TABLE climbing AS SELECT t.id, p.id AS above, "
            "CASE WHEN p.id IS NULL THEN coalesce(t.parent, t.id) END AS root "
            "FROM tweets t LEFT JOIN tweets p ON p.id = t.parent"
        )
        self._run("CREATE TABLE roots AS SELECT id, root FROM climbing WHERE root IS NOT NULL")
        self._run("DELETE FROM climbing WHERE root IS NOT NULL")
        step = 1
        while (left := self._number("SELECT count(*) FROM climbing")) and step <= self._count:
            self._run(
                "CREATE TABLE higher AS SELECT c.id, u.above, r.root FROM climbing c "
                "LEFT JOIN climbing u ON u.id = c.above LEFT JOIN roots r ON r.id = c.above"
            )
            self._run("INSERT INTO roots SELECT id, root FROM higher WHERE root IS NOT NULL")
            self._run("CREATE OR REPLACE TABLE climbing AS SELECT * FROM higher WHERE root IS NULL")
            self._run("DROP TABLE higher")
            step *= 2
        if left:  # rings of replies, and what hangs on them
            pairs = self._run("SELECT id, parent FROM tweets JOIN climbing USING (id)").fetchall()
            rings = roots_of(dict(pairs))
            self._insert(
                "INSERT INTO roots SELECT * FROM batch", pa.table({"id": list(rings), "root": list(rings.values())})
            )
        groups = min(MOST_GROUPS, max(1, round(self._number("SELECT count(*) FROM tweets") / BATCH_ROWS)))
        self._run(
            "CREATE TABLE groups AS SELECT t.place, id, r.root, CAST(hash(r.root) % ? AS BIGINT) AS number "
            "FROM (SELECT place, id FROM tweets) t JOIN roots r USING (id) ORDER BY t.place",
            [groups],
        )
        # A tweet may list as its answer one of another thread.
        self._run(
            "CREATE TABLE elsewhere AS SELECT DISTINCT mine.number, other.id "
            "FROM (SELECT id, unnest(responses) AS answer FROM tweets WHERE is_inbound) t "
            "JOIN groups mine USING (id) JOIN groups other ON other.id = t.answer WHERE other.number <> mine.number"
        )
        return groups

    def _answers_elsewhere(self, number: int) -> list[Tweet]:
        statement = (
            "SELECT id, author, is_inbound, \"at\", '', CAST([] AS VARCHAR[]), parent "
            "FROM tweets JOIN elsewhere USING (id) WHERE elsewhere.number = ?"
        )
        return [Tweet(*row) for row in self._run(statement, [number]).fetchall()]

    def _number(self, statement: str) -> int:
        row = self._run(statement).fetchone()
        assert row is not None
        return int(row[0])
