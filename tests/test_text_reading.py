import pytest

from data_access.text import TextSettings, evaluate, language, read_batch
from data_access.text.evaluation import _interval, measures
from data_access.text.reading import COLUMNS

SETTINGS = TextSettings()
needs_langid = pytest.mark.skipif(not language.is_installed(), reason="the extra [language] is not installed")


def read(texts, settings=SETTINGS, **more):
    return read_batch(texts, inbound=[True] * len(texts), public=[True] * len(texts), settings=settings, **more)


def test_every_column_is_there_and_as_long_as_the_batch():
    found = read(["one", None, "", "three"])
    assert tuple(found) == COLUMNS
    assert {len(column) for column in found.values()} == {4}
    assert all(len(column) == 0 for column in read([]).values())


@pytest.mark.parametrize("text", [None, "", "   \n\t", "@someone", "https://example.com/x", "\x00\x00", "\ud800"])
def test_nothing_to_read_gives_no_label_and_the_reason_empty(text):
    found = read([text])
    assert found["not_scored_reason"] == ["empty"]
    assert (
        found["sentiment_label"] == found["sentiment_scorer"] == found["is_complaint"] == found["evidence"] == [None]
    )
    assert found["needs_reply"] == [True]


def test_a_batch_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="2 texts but 1 inbound"):
        read_batch(["a", "b"], inbound=[True], public=[True, True], settings=SETTINGS)


@needs_langid
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Mein Paket ist seit drei Wochen nicht angekommen und niemand antwortet mir", "de"),
        ("Mi pedido todavía no ha llegado y nadie me contesta los correos", "es"),
        ("Votre service client ne répond jamais au téléphone, c'est inadmissible", "fr"),
        ("荷物がまだ届きません。どうなっていますか", "ja"),
    ],
)
def test_an_unsupported_language_gives_a_reason_never_neutral(text, code):
    found = read([text])
    assert found["language"] == [code]
    assert found["not_scored_reason"] == [f"unsupported language: {code}"]
    assert found["sentiment_label"] == found["is_complaint"] == [None]
    assert found["needs_reply"] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "ok",
        "thx m8",
        "Flight AA123 JFK LHR delayed",
        "wtf",
        "Where is my parcel",
        "gate 12 closed",
        "lol nice",
        "😡😡😡",
        "#fail",
    ],
)
def test_short_english_is_never_thought_foreign(text):
    assert read([text])["not_scored_reason"] == [None]


def test_a_language_given_by_the_source_is_believed():
    texts = ["Great service", "Great service", "Great service", "Great service"]
    found = read(texts, languages=["en-GB", "DE", None, "und"])
    assert found["not_scored_reason"] == [None, "unsupported language: de", None, None]
    assert found["language"][:2] == ["en", "de"]


def test_without_the_extra_everything_in_latin_letters_is_read(monkeypatch):
    monkeypatch.setattr(language, "_detector", lambda: None)
    found = read(["Mein Paket ist nicht angekommen", "荷物がまだ届きません"])
    assert found["sentiment_label"][0] is not None
    assert found["language"] == [None, "und"]
    assert found["not_scored_reason"] == [None, "unsupported language: und"]


def test_detection_can_be_switched_off():
    found = read(["Mein Paket ist nicht angekommen und niemand antwortet"], TextSettings(detect_language=False))
    assert found["language"] == [None]
    assert found["sentiment_label"] != [None]


ROWS = [
    ("This is awful, worst ever", "negative"),
    ("Lovely, thank you so much", "positive"),
    ("awful, just awful", "positive"),
]


@pytest.mark.parametrize(
    "spelling",
    [
        {"negative": "negative", "positive": "positive"},
        {"negative": "0", "positive": "2"},
        {"negative": "-1", "positive": "1"},
    ],
)
def test_sentiment_labels_may_be_words_or_numbers(spelling):
    rows = [(text, spelling[label]) for text, label in ROWS]
    found = evaluate(rows, task="sentiment", preset=None, scorer="lexlinear-en", settings=SETTINGS)
    assert found["n"] == 3
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["per_class"]["positive"]["recall"] == 0.5
    assert found["per_class"]["negative"] | {} == found["per_class"]["negative"]
    assert found["macro_recall"] == pytest.approx(0.75)


def test_measures_are_what_a_calculation_by_hand_gives():
    found = measures(["a", "a", "a", "b"], ["a", "a", "b", "b"], ["a", "b"])
    assert found["accuracy"] == 0.75
    assert found["per_class"]["a"]["precision"] == 1.0
    assert found["per_class"]["a"]["recall"] == pytest.approx(2 / 3)
    assert found["per_class"]["b"]["f1"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["per_class"]["b"]["support"] == 1


def test_the_interval_is_wilsons():
    low, high = _interval(8, 10)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert _interval(0, 0) == (0.0, 1.0)


def test_complaints_are_evaluated_with_the_preset_asked_for():
    rows = [("I want a refund, this is broken", "1"), ("lovely day", "0"), ("nobody answers", "1.0")]
    for preset in ("strict", "sensitive"):
        found = evaluate(rows, task="complaint", preset=preset, scorer="lexlinear-en", settings=SETTINGS)
        assert found["accuracy"] == 1.0
    with pytest.raises(ValueError, match="no complaint preset"):
        evaluate(rows, task="complaint", preset="mild", scorer="lexlinear-en", settings=SETTINGS)


def test_topics_are_evaluated_by_the_primary_one_with_none_allowed():
    rows = [("my parcel was not delivered", "delivery"), ("hmm", "none")]
    assert evaluate(rows, task="topic", preset=None, scorer="lexlinear-en", settings=SETTINGS)["accuracy"] == 1.0


@pytest.mark.parametrize(("task", "label"), [("sentiment", "furious"), ("complaint", "2"), ("topic", "astrology")])
def test_an_unknown_label_is_refused_with_its_row(task, label):
    rows = [("fine", {"sentiment": "0", "complaint": "0", "topic": "none"}[task]), ("text", label)]
    with pytest.raises(ValueError, match=f"row 2: the label '{label}'"):
        evaluate(rows, task=task, preset=None, scorer="lexlinear-en", settings=SETTINGS)


def test_a_text_that_is_not_scored_counts_as_a_miss():
    found = evaluate(
        [("", "neutral"), ("awful", "negative")],
        task="sentiment",
        preset=None,
        scorer="lexlinear-en",
        settings=SETTINGS,
    )
    assert found["not_scored"] == 1
    assert found["accuracy"] == 0.5


def test_no_rows_give_zero_and_the_widest_interval():
    found = evaluate([], task="sentiment", preset=None, scorer="lexlinear-en", settings=SETTINGS)
    assert (found["n"], found["accuracy"], found["accuracy_interval"]) == (0, 0.0, [0.0, 1.0])
