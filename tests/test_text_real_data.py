"""The figures the product promises, on real labelled sets that are not part of the repository."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
sys.path.insert(0, str(ROOT / "benchmarks"))

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.exists(), reason="../shared/data is absent: it is not part of the repository"),
]

import text_quality as quality  # noqa: E402

from data_access.text import TextSettings, evaluate, read_batch  # noqa: E402

SETTINGS = TextSettings()


def measured(rows, task, preset=None):
    return evaluate(rows, task=task, preset=preset, scorer="lexlinear-en", settings=SETTINGS)


def vader(rows, task):
    pytest.importorskip("vaderSentiment", reason="vaderSentiment (dev extra) is not installed")
    return quality.vader_measures(rows, task)


def test_airline_sentiment_reaches_the_promised_quality_without_training_on_airlines():
    rows = [(text, label) for text, label, _ in quality.airline_rows()]
    found = measured(rows, "sentiment")
    assert found["macro_recall"] >= 0.70
    assert found["macro_f1"] >= 0.66
    assert found["macro_f1"] >= vader(rows, "sentiment")["macro_f1"] + 0.05


def test_each_airlines_negative_share_is_within_eleven_points():
    rows = quality.airline_rows()
    count = len(rows)
    read = read_batch([text for text, _, _ in rows], inbound=[True] * count, public=[True] * count, settings=SETTINGS)
    for airline in {name for _, _, name in rows}:
        places = [place for place, row in enumerate(rows) if row[2] == airline]
        truth = sum(rows[place][1] == "negative" for place in places) / len(places)
        ours = sum(read["sentiment_label"][place] == "negative" for place in places) / len(places)
        assert abs(truth - ours) <= 0.11, airline


def test_unseen_tweets_are_read_well_enough():
    rows = quality.tweeteval_rows()
    found = measured(rows, "sentiment")
    assert found["n"] == 2000
    assert found["macro_recall"] >= 0.62
    assert found["macro_f1"] >= vader(rows, "sentiment")["macro_f1"] + 0.05


@pytest.mark.parametrize("column", ["finalLabel", "agreed"])
def test_complaints_are_found_nearly_as_well_as_two_people_agree(column):
    rows = quality.complaint_rows(column)
    best = max(measured(rows, "complaint", preset)["macro_f1"] for preset in ("strict", "sensitive"))
    assert best >= 0.78
    assert best >= vader(rows, "complaint")["macro_f1"] + 0.05


def test_bank_complaints_are_flagged_and_hardly_ever_called_positive():
    texts = quality.narratives()
    count = len(texts)
    read = read_batch(texts, inbound=[True] * count, public=[False] * count, settings=SETTINGS)
    assert read["sentiment_label"].count("positive") <= 0.03 * count
    assert sum(map(bool, read["is_complaint"])) >= 0.88 * count
