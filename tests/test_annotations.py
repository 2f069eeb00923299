"""Labels are kept beside the store, and the measured error is that of the labelled sample."""

from pathlib import Path

import pytest

from data_access.annotations import draw_sample, measured_error, open_annotations, save_label, saved_labels
from data_access.loader import LoadOrder, load
from data_access.sources.mapping import mapping_of

MESSAGES = """\
id,customer,channel,occurred_at,text
1,a,email,2026-01-05T09:00:00Z,This is terrible and nobody answers me
2,b,email,2026-01-05T10:00:00Z,Thank you so much it is wonderful
3,c,email,2026-01-05T11:00:00Z,What time do you open on Sunday?
4,d,email,2026-01-05T12:00:00Z,The worst service I ever had and I want a refund
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    file = tmp_path / "m.csv"
    file.write_text(MESSAGES, encoding="utf-8")
    columns = {name: name for name in ("id", "customer", "channel", "occurred_at", "text")}
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(file, "csv", mapping_of({"source": "mail", "columns": columns}, "test"))])
    return url


def test_a_sample_is_random_but_the_same_for_the_same_seed(url, opened):
    engine, wanted = opened(url)
    first = draw_sample(engine, wanted, size=3, seed="x")
    assert len(first) == 3
    assert list(first["interaction_id"]) == list(draw_sample(engine, wanted, size=3, seed="x")["interaction_id"])
    assert set(draw_sample(engine, wanted, size=50)["text"]) == {
        line.split(",")[-1] for line in MESSAGES.split("\n")[1:5]
    }


def test_the_measured_error_counts_agreement_and_the_difference_of_levels(url, opened):
    engine, wanted = opened(url)
    annotations = open_annotations(url)
    assert measured_error(engine, wanted, annotations).empty
    for row in draw_sample(engine, wanted).itertuples():
        # The manager finds everything negative and a complaint; the scorer two of four.
        save_label(annotations, row.interaction_id, sentiment_label="negative", is_complaint=True, viewer="m")
    error = measured_error(engine, wanted, annotations).set_index("task")
    assert error.loc["sentiment", "labelled_count"] == 4
    assert error.loc["sentiment", "agreement_count"] == 2
    assert error.loc["sentiment", "labelled_share"] == 1.0
    assert error.loc["sentiment", "scored_share"] == 0.5
    assert error.loc["sentiment", "level_error"] == -0.5
    assert error.loc["sentiment", "level_error_low"] < -0.5 < error.loc["sentiment", "level_error_high"]
    assert error.loc["complaint", "agreement_count"] == 2


def test_labelling_again_replaces_the_label_and_leaves_the_store_alone(url, opened):
    engine, wanted = opened(url)
    annotations = open_annotations(url)
    target = draw_sample(engine, wanted)["interaction_id"].iloc[0]
    before = sorted(path.name for path in Path(url.removeprefix("duckdb:///")).glob("store-*"))
    for label in ("negative", "positive"):
        save_label(annotations, target, sentiment_label=label, is_complaint=False, viewer="m")
    assert list(saved_labels(annotations)["sentiment_label"]) == ["positive"]
    assert sorted(path.name for path in Path(url.removeprefix("duckdb:///")).glob("store-*")) == before


def test_where_labels_cannot_be_kept_the_reason_is_given(tmp_path):
    annotations = open_annotations(f"duckdb:///{tmp_path / 'absent'}")
    assert annotations.engine is None
    assert "no store" in annotations.reason
    with pytest.raises(ValueError, match="no store"):
        save_label(annotations, "i1", sentiment_label="negative", is_complaint=True, viewer="m")
