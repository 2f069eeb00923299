"""Fits the shipped weights of `lexlinear-en` on the SemEval tweets; run by `make train-sentiment`.

Learns from ../shared/data/training only and writes n-grams with weights, never a text. Same input, same
bytes.
1,700 of the 2,000 TweetEval validation tweets stand in the training file too: they are left out of training,
so that the validation figures are honest (`--held-out ''` keeps them in).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import lzma
import os
import re
import sys
from collections import Counter
from pathlib import Path

os.environ.update(
    OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1"
)  # sums in one order, so equal bytes

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from data_access.text import lexlinear, scorers  # noqa: E402
from data_access.text.tokens import tokens_of  # noqa: E402

FEATURES = 10_000
SMALLEST_COUNT = 4
FIRST_PENALTY = 2.0
PENALTY = 3.0  # best macro-recall on TweetEval validation of 0.3, 1, 3 and 8
DATA = ROOT.parent / "shared" / "data"
DEFAULT_INPUT = DATA / "training" / "semeval_2013_2016_tweets.csv"
DEFAULT_HELD_OUT = DATA / "labelled" / "tweeteval_val" / "val_text.txt"
_IGNORED = re.compile(r"@\w+|https?://\S+|&\w+;|\W+")


def plain(text: str) -> str:
    """What is left of a tweet once handles, links and punctuation are gone: equal for copies of one tweet."""
    return " ".join(_IGNORED.sub(" ", text.lower()).split())


def read_rows(path: Path, held_out: Path | None) -> tuple[list[str], np.ndarray]:
    """Texts and labels 0, 1, 2 of the training file, in file order, each text once, none that is held out."""
    seen: set[str] = set()
    if held_out is not None and held_out.is_file():
        seen = {plain(line) for line in held_out.read_text(encoding="utf-8").splitlines()}
    elif held_out is not None:
        print(
            f"{held_out} is absent: nothing is held out, figures on TweetEval validation would flatter.",
            file=sys.stderr,
        )
    texts: list[str] = []
    labels: list[int] = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = plain(row["text"])
            if key in seen:
                continue
            seen.add(key)
            texts.append(row["text"])
            labels.append(lexlinear.LABELS.index(row["label"]))
    return texts, np.array(labels)


def matrix(rows: list[list[str]], names: list[str]) -> csr_matrix:
    """One row per text: each known n-gram once, divided by the same norm that scoring uses."""
    places = {name: place for place, name in enumerate(names)}
    values: list[float] = []
    columns: list[int] = []
    starts = [0]
    for row in rows:
        known = sorted(places[name] for name in row if name in places)
        columns += known
        values += [1 / lexlinear.norm_of(len(known))] * len(known)
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), shape=(len(rows), len(names)))


def fit(rows: list[list[str]], labels: np.ndarray, penalty: float, names: list[str]) -> LogisticRegression:
    """A multinomial logistic regression with balanced classes: service text is not as cheerful as tweets at large."""
    model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=3000, tol=1e-5)
    return model.fit(matrix(rows, names), labels)


def train(
    texts: list[str], labels: np.ndarray, *, features: int = FEATURES, penalty: float = PENALTY
) -> lexlinear.Weights:
    """Choose the n-grams that carry most weight in a first fit, then fit again on these alone."""
    overlay = lexlinear.shipped_overlay()
    rows = [
        sorted(set(lexlinear.features_of(lexlinear.neutralised(tokens_of(text), overlay, frozenset()))))
        for text in texts
    ]
    counts = Counter(name for row in rows for name in row)
    names = sorted(name for name, count in counts.items() if count >= SMALLEST_COUNT)
    first = fit(rows, labels, FIRST_PENALTY, names)
    spread = first.coef_.max(axis=0) - first.coef_.min(axis=0)
    importance = spread * np.sqrt([counts[name] for name in names])
    chosen = sorted(names[place] for place in np.lexsort((names, -importance.round(9)))[:features])
    model = fit(rows, labels, penalty, chosen)
    negative, neutral, positive = model.coef_
    biases = model.intercept_
    return lexlinear.Weights(
        float(biases[0] - biases[1]),
        float(biases[2] - biases[1]),
        {
            name: (float(negative[place] - neutral[place]), float(positive[place] - neutral[place]))
            for place, name in enumerate(chosen)
        },
    )


def train_multilingual(texts: list[str], labels: np.ndarray) -> np.ndarray:
    """The linear head on multilingual sentence vectors: 512 rows and a bias, three columns."""
    encoder = scorers.load_encoder()
    vectors = np.vstack([scorers.encode(encoder, texts[start : start + 256]) for start in range(0, len(texts), 256)])
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=3000).fit(vectors, labels)
    return np.vstack([model.coef_.T, model.intercept_[None, :]]).astype("<f4")


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=DEFAULT_INPUT)
    parser.add_argument(
        "--held-out", default=str(DEFAULT_HELD_OUT), help="texts, one a line, to leave out of training"
    )
    parser.add_argument("--output", type=Path, help="default: the file in data_access/text that ships")
    parser.add_argument("--multilingual", action="store_true", help="fit the head of the multilingual scorer instead")
    chosen = parser.parse_args()
    if not chosen.input.exists():
        sys.exit(f"{chosen.input} is absent: the training tweets are not part of the repository (see NOTICE).")
    texts, labels = read_rows(chosen.input, Path(chosen.held_out) if chosen.held_out else None)
    if chosen.multilingual:
        output = chosen.output or scorers.MULTILINGUAL_HEAD
        head = train_multilingual(texts, labels)
        output.write_bytes(lzma.compress(head.tobytes(), preset=9))
        content = f"{head.shape[0]} x {head.shape[1]} numbers"
    else:
        output = chosen.output or lexlinear.WEIGHTS_FILE
        weights = train(texts, labels)
        about = {
            "trained_on": "SemEval 2013-2016 tweets",
            "texts": len(texts),
            "version": lexlinear.SCORER_VERSION,
        }
        lexlinear.save_weights(output, weights, about=about)
        content = f"{len(weights.by_feature)} n-grams"
    written = output.read_bytes()
    print(
        f"{output}: {content} from {len(texts)} texts, {len(written)} bytes, sha256 "
        f"{hashlib.sha256(written).hexdigest()}"
    )


if __name__ == "__main__":
    main()
