"""Reading the texts again keeps what the source supplied, follows the cues, and goes on after an interruption."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from data_access import loader, scoring
from data_access.cli import main
from data_access.loader import LoadOrder, load, rescore
from data_access.schema import interactions
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader

ROWS = """\
id,occurred_at,text,sentiment_label,is_complaint
1,2026-01-05T09:00:00Z,This is terrible and nobody answers me,positive,false
2,2026-01-05T10:00:00Z,This is terrible and nobody answers me,,
3,2026-01-05T11:00:00Z,,,
4,2026-01-05T12:00:00Z,My zorblax is gone again,,
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    file = tmp_path / "m.csv"
    file.write_text(ROWS, encoding="utf-8")
    columns = {name: name for name in ROWS.split("\n", maxsplit=1)[0].split(",")}
    mapping = mapping_of({"source": "mail", "columns": columns, "constants": {"channel": "email"}}, "test")
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(file, "csv", mapping)])
    return url


def stored(url: str) -> dict[str, object]:
    with open_reader(url).connect() as connection:
        return {row.external_id: row for row in connection.execute(select(interactions))}


def test_what_the_source_supplied_is_kept_and_marked(url):
    assert rescore(url) == 4
    rows = stored(url)
    assert (rows["1"].sentiment_label, rows["1"].sentiment_scorer, rows["1"].is_complaint) == (
        "positive",
        "supplied",
        False,
    )
    assert rows["1"].complaint_scorer == "supplied"
    assert (rows["2"].sentiment_label, rows["2"].is_complaint) == ("negative", True)
    assert rows["2"].sentiment_scorer.startswith("lexlinear-en/")
    assert rows["2"].complaint_scorer.startswith("cues/sensitive")


def test_an_empty_text_gets_no_label_and_a_reason(url):
    row = stored(url)["3"]
    assert (row.sentiment_label, row.not_scored_reason) == (None, "empty")


def test_new_cues_of_the_store_are_followed_after_a_rescore(url, tmp_path):
    assert stored(url)["4"].is_complaint is False
    shipped = Path(loader.__file__).with_name("text") / "cues.toml"
    own = shipped.read_text(encoding="utf-8").replace('"broken", ', '"broken", "zorblax", ', 1)
    assert "zorblax" in own
    (tmp_path / "store" / "my-cues.toml").write_text(own, encoding="utf-8")
    (tmp_path / "store" / "settings.toml").write_text('cues_file = "my-cues.toml"\n', encoding="utf-8")
    assert main(["rescore", "--store", url]) == 0
    row = stored(url)["4"]
    assert "zorblax" in (row.evidence or "")
    assert row.is_complaint is True


def test_an_interrupted_rescore_goes_on_where_it_stopped(url, monkeypatch):
    seen: list[int] = []
    real = scoring.scored

    def stops_at_the_second_chunk(rows, *rest):
        if seen:
            raise KeyboardInterrupt
        seen.append(len(rows))
        return real(rows, *rest)

    monkeypatch.setattr(scoring, "scored", stops_at_the_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        rescore(url, chunk_rows=2)
    monkeypatch.setattr(scoring, "scored", real)
    assert rescore(url, chunk_rows=2) == 2  # the first two were published before the interruption
    assert rescore(url, chunk_rows=2) == 4


def test_an_unknown_scorer_is_refused_in_one_line(url, capsys):
    assert main(["rescore", "--scorer", "nope", "--store", url]) == 2
    assert "There is no scorer 'nope'" in capsys.readouterr().err
