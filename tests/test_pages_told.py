"""The components on restatements and silence in every situation, on a small script of their own."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from test_leaving import MESSAGES as SILENCE
from test_leaving import stored
from test_told import MESSAGES, _loaded

from data_access.filters import Filter
from data_access.queries.restatements import told_again
from data_access.store import open_reader, read_status, resolved
from pages.components.told_again import MOST_ROWS

pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


def _components(brands: tuple[str, ...]) -> None:
    from data_access.filters import Filter as Wanted
    from pages.components import data, leaving, told_again

    data.pin()
    told_again.show(Wanted(brands=brands))
    leaving.show(Wanted(brands=brands))
    told_again.side_by_side(Wanted(brands=brands))


def shown(monkeypatch: pytest.MonkeyPatch, url: str, wanted: Filter | None = None) -> tuple[AppTest, str]:
    monkeypatch.setenv("FRONTDOOR_STORE", url)
    app = AppTest.from_function(_components, args=((wanted or Filter()).brands,), default_timeout=60).run()
    assert not app.exception
    parts = (app.markdown, app.caption, app.text)
    return app, " ".join(str(e.value) for part in parts for e in part).replace("\\", "").replace("\u00a0", " ")


def test_restatements_are_charted_with_their_error_and_the_pairs_below(monkeypatch, tmp_path):
    app, text = shown(monkeypatch, _loaded(tmp_path, MESSAGES))
    assert len(app.get("plotly_chart")) == 1
    assert "1 customer of 2 whose contacts can be compared had to say it again" in text
    assert "Of real pairs called the same, 60 %" in text
    assert "49 customer-hours" in text
    (table,) = app.dataframe
    assert next(iter(table.value["text_again"])).startswith("As I said")
    assert "Leaving? Nothing can be known here" in text


def test_silence_is_charted_with_its_caveat(monkeypatch, tmp_path):
    app, text = shown(monkeypatch, stored(tmp_path))
    assert "No proof of cause" in text
    assert "Too few comparable customers" in text
    assert len(app.get("plotly_chart")) >= 1


def test_silence_without_a_counterpart_is_said_and_not_drawn(monkeypatch, tmp_path):
    messages = SILENCE.splitlines(keepends=True)
    answered_only = messages[0] + "".join(line for line in messages if "nora" in line or "omar" in line)
    app, text = shown(monkeypatch, stored(tmp_path, answered_only))
    assert "Too few comparable customers to say whether the ignored leave: 0 ignored" in text
    assert "Followed: 1 of 1 complaining customers" in text
    assert "Difference" not in text
    assert not app.get("plotly_chart")


def test_a_viewer_of_one_team_reads_no_text_of_another(monkeypatch, tmp_path):
    url = _loaded(tmp_path, MESSAGES)
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Chat")
    app, _ = shown(monkeypatch, url)
    (table,) = app.dataframe
    assert not table.value["text_before"].str.contains("My new router").any()  # by email, of the team Mail
    assert table.value["text_before"].str.contains("another team").any()


def test_a_filter_that_matches_nothing_says_why_and_draws_nothing(monkeypatch, tmp_path):
    app, text = shown(monkeypatch, _loaded(tmp_path, MESSAGES), Filter(brands=("Nobody",)))
    assert not app.get("plotly_chart")
    assert "nothing can be known here" in text
    assert "Leaving? Nobody complained here" in text
    assert "No complaint matches this filter." in text


def test_an_empty_store_draws_nothing(monkeypatch, empty_store_url):
    app, _ = shown(monkeypatch, empty_store_url)
    assert not app.get("plotly_chart")


def test_a_cut_list_of_restatements_says_of_how_many_it_shows_the_newest(monkeypatch, demo_store_url):
    monkeypatch.setenv("FRONTDOOR_STORE", demo_store_url)
    engine = open_reader(demo_store_url)
    pairs = told_again(engine, resolved(Filter(), read_status(engine, demo_store_url)))
    _, text = shown(monkeypatch, demo_store_url)
    assert len(pairs) > MOST_ROWS
    assert f"The newest {MOST_ROWS} of {len(pairs)} restatements" in text
