"""Texts read by worker processes, and rows that have none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest
from stored_rows import frame_of

from data_access import scoring
from data_access.loader import LoadOrder, load
from data_access.schema import interactions
from data_access.scoring import SCORE_COLUMNS, TextRow, scored, scored_in_turn
from data_access.sources.mapping import mapping_of
from data_access.text import TextSettings

ROOT = Path(__file__).parents[1]
TEXTS = ("Where is my order?", "Thank you so much", "", None, "The phone line is broken again", "ok")


def text_rows(count: int) -> list[TextRow]:
    """Rows whose texts, brands and directions differ."""
    return [
        TextRow(str(n), TEXTS[n % 6], ("inbound", "outbound")[n % 4 == 3], "email", (None, "Acme")[n % 2], *[None] * 7)
        for n in range(count)
    ]


def test_workers_give_the_rows_of_one_process_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = text_rows(47)
    monkeypatch.setattr(scoring, "ROWS_PER_TASK", 5)
    alone = list(scored_in_turn(iter(rows), len(rows), TextSettings()))
    monkeypatch.setattr(scoring, "LEAST_FOR_WORKERS", 1)
    assert list(scored_in_turn(iter(rows), len(rows), TextSettings(), cores=2)) == alone
    assert [name for part in alone for name in part["interaction_id"]] == [row.interaction_id for row in rows]


KILLED = """
import multiprocessing, time
from data_access import scoring
from data_access.text import TextSettings
if __name__ == "__main__":
    scoring.ROWS_PER_TASK, scoring.LEAST_FOR_WORKERS = 1, 1
    rows = (scoring.TextRow(str(n), "late again", "inbound", "email", *[None] * 8) for n in range(1_000_000))
    results = scoring.scored_in_turn(rows, 1_000_000, TextSettings(), cores=2)
    next(results)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


def test_workers_end_when_the_loader_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(_is_running, workers)):
        assert time.monotonic() < deadline, "a worker outlives its loader"
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


GIVEN = ("language", "sentiment_label", "sentiment_score", "is_complaint", "needs_reply", "topic", "blamed_channel")


def test_rows_without_a_text_are_stored_as_a_reader_of_texts_would_say(tmp_path: Path) -> None:
    """The statement that stores them, and the reader of texts, of every mix of what a source may supply."""
    cases = list(
        product(
            ("inbound", "outbound"), (None, "en"), (None, "negative", "neutral", "positive"),
            (None, -1.0, -0.05, 0.0, 0.05),
            (None, True, False), (None, True, False), (None, "billing"), (None, "phone"),
        )
    )  # fmt: skip
    lines = ["id,occurred_at,channel,direction," + ",".join(GIVEN)]
    lines += [
        f"{n},2025-01-01 09:00,email," + ",".join("" if value is None else str(value) for value in case)
        for n, case in enumerate(cases)
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    columns = {name: name for name in ("id", "occurred_at", "channel", "direction", *GIVEN)}
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(path, "csv", mapping_of({"source": "s", "columns": columns}, "m"))])
    stored = frame_of(url, interactions).astype(object)
    stored = stored.where(stored.notna(), None).set_index("external_id")
    rows = [TextRow(str(n), None, case[0], "email", None, *case[1:]) for n, case in enumerate(cases)]
    said = scored(rows, TextSettings())
    assert {name: stored[name].reindex([row.interaction_id for row in rows]).tolist() for name in SCORE_COLUMNS} == {
        name: said[name] for name in SCORE_COLUMNS
    }
