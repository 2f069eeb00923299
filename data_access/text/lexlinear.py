"""Sentiment of English service text: a lexicon overlay plus a linear model over word 1-2-grams, in plain Python."""

from __future__ import annotations

import functools
import json
import lzma
import math
import tomllib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_access.text.phrases import Match, PhraseIndex, canonical
from data_access.text.tokens import BOUNDARIES, NEUTRAL, tokens_of

SCORER_ID = "lexlinear-en"
SCORER_VERSION = "1"
LABELS = ("negative", "neutral", "positive")
WEIGHTS_FILE = Path(__file__).with_name("lexlinear_en.xz")
OVERLAY_FILE = Path(__file__).with_name("overlay.toml")

_NEGATORS = frozenset(
    """
    not no never without nothing nobody none neither nor cannot cant dont doesnt didnt wont isnt wasnt
    arent werent havent hasnt hadnt couldnt wouldnt shouldnt aint hardly barely
    """.split()  # noqa: SIM905 - a list of words is read best as words
)
_NEGATED_WORDS = 3
_NORM_FLOOR = 4.0
_SATURATION = 6.0
_NEGATED_SHARE = -0.6


@dataclass(frozen=True)
class Sentiment:
    """What one text was read as: label, score from -1 to 1 (share positive minus share negative) and confidence."""

    label: str
    score: float
    confidence: float


@dataclass(frozen=True)
class Weights:
    """The trained linear part: for each n-gram its log-odds of negative and of positive against neutral."""

    negative_bias: float
    positive_bias: float
    by_feature: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Overlay:
    """The written part: service phrases with their weights, and the vocabulary that counts for nothing."""

    phrases: PhraseIndex
    weights: tuple[float, ...]
    neutral: PhraseIndex


def features_of(tokens: Sequence[str]) -> Iterator[str]:
    """The word 1-2-grams of one text, negated words marked `not_`, none across a word that was taken out."""
    negated = 0
    previous = NEUTRAL
    for token in tokens:
        if token == NEUTRAL:
            previous = token
            continue
        word = canonical(token)
        if word in BOUNDARIES:
            negated = 0
            yield word
        elif negated:
            negated -= 1
            yield "not_" + word
        else:
            yield word
        if word in _NEGATORS:
            negated = _NEGATED_WORDS
        if previous != NEUTRAL:
            yield previous + " " + word
        previous = word


def norm_of(count: int) -> float:
    """What the weights of `count` known n-grams are divided by, so that long texts are not more certain for
    being long.
    """
    return math.sqrt(count + _NORM_FLOOR)


def neutralised(tokens: Sequence[str], overlay: Overlay, brand_words: frozenset[str]) -> list[str]:
    """The tokens with brand and courtesy words taken out: `please`, `help` and a company's name are no feelings."""
    left = [NEUTRAL if token in brand_words else token for token in tokens] if brand_words else list(tokens)
    for match in overlay.neutral.find(left):
        left[match.start : match.end] = [NEUTRAL] * (match.end - match.start)
    return left


def save_weights(path: Path, weights: Weights, *, about: Mapping[str, str | int | float]) -> None:
    """Write weights as compressed text and 8-bit numbers; equal weights give equal bytes."""
    names = sorted(weights.by_feature)
    largest = max(max(map(abs, pair)) for pair in weights.by_feature.values())
    step = largest / 127
    numbers = array("b", [round(weights.by_feature[name][side] / step) for side in (0, 1) for name in names])
    header = dict(about) | {
        "negative_bias": round(weights.negative_bias, 6),
        "positive_bias": round(weights.positive_bias, 6),
        "step": step,
        "features": len(names),
    }
    text = json.dumps(header, sort_keys=True) + "\n" + "\n".join(names) + "\n\n"
    path.write_bytes(lzma.compress(text.encode() + numbers.tobytes(), preset=9 | lzma.PRESET_EXTREME))


def load_weights(path: Path = WEIGHTS_FILE) -> Weights:
    """Read weights as `save_weights` wrote them, raising ValueError where the file is cut off or something else."""
    try:
        head, _, numbers_raw = lzma.decompress(path.read_bytes()).partition(b"\n\n")
        header_line, *names = head.decode().split("\n")
        header = json.loads(header_line)
        numbers = array("b", numbers_raw)
        count, step = int(header["features"]), float(header["step"])
        negatives, positives = numbers[:count], numbers[count:]
        return Weights(
            float(header["negative_bias"]),
            float(header["positive_bias"]),
            {
                name: (negative * step, positive * step)
                for name, negative, positive in zip(names, negatives, positives, strict=True)
            },
        )
    except (OSError, lzma.LZMAError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The sentiment weights {path} cannot be read ({error!r}). Run `make train-sentiment`."
        ) from error


def load_overlay(path: Path = OVERLAY_FILE) -> Overlay:
    """Read the overlay, whose groups each hold a weight and phrases."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    lists = content["words"]
    phrases: list[str] = []
    weights: list[float] = []
    for side in ("negative", "positive"):
        for group in content[side].values():
            phrases += group["patterns"]
            weights += [float(group["weight"])] * len(group["patterns"])
    return Overlay(PhraseIndex(phrases, lists), tuple(weights), PhraseIndex(content["neutral"]["patterns"], lists))


@functools.cache
def shipped_weights() -> Weights:
    """The weights that come with the package, read on first use."""
    return load_weights()


@functools.cache
def shipped_overlay() -> Overlay:
    """The overlay that comes with the package, read on first use."""
    return load_overlay()


def outermost(matches: Sequence[Match]) -> list[Match]:
    """The matches that lie inside no longer one, so that `no problem` hides `problem`."""
    kept: list[Match] = []
    reach = -1
    longest: Match | None = None
    for match in sorted(matches, key=lambda found: (found.start, -found.end)):
        inside = (
            longest is not None and match.end <= reach and (match.end - match.start) < (longest.end - longest.start)
        )
        if inside:
            continue
        kept.append(match)
        if match.end > reach:
            reach, longest = match.end, match
    return kept


class LexLinear:
    """The scorer `lexlinear-en`; one is shared by all texts of a batch."""

    identifier = f"{SCORER_ID}/{SCORER_VERSION}"
    languages = frozenset({"en"})

    def __init__(
        self,
        brand_words: Sequence[str] = (),
        *,
        weights: Weights | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        self._brand_words = frozenset(word.lower() for word in brand_words)
        self._weights = weights or shipped_weights()
        self._overlay = overlay or shipped_overlay()

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        """Sentiment of each text."""
        return [self.score_tokens(tokens_of(text)) for text in texts]

    def score_tokens(self, tokens: Sequence[str]) -> Sentiment:
        """Sentiment of one text that is already cut into tokens."""
        known = self._weights.by_feature
        left = neutralised(tokens, self._overlay, self._brand_words)
        negative = positive = 0.0
        count = 0
        for feature in set(features_of(left)):
            pair = known.get(feature)
            if pair is not None:
                negative += pair[0]
                positive += pair[1]
                count += 1
        norm = norm_of(count)
        lift = self._lift(sum(weight for _, weight in self._phrases(tokens)))
        return _sentiment(
            self._weights.negative_bias + negative / norm - lift / 2,
            self._weights.positive_bias + positive / norm + lift / 2,
        )

    def explain(self, text: str) -> list[tuple[str, float]]:
        """Words and phrases with what each adds to the log-odds of positive over negative, largest first.

        With the bias (`base`) they add up to exactly the log-odds that the score is made of.
        """
        tokens = tokens_of(text)
        left = neutralised(tokens, self._overlay, self._brand_words)
        known = self._weights.by_feature
        found = {feature: known[feature] for feature in features_of(left) if feature in known}
        norm = norm_of(len(found))
        parts: dict[str, float] = {}
        for feature, (negative, positive) in found.items():
            name = feature.replace("not_", "not ")
            parts[name] = parts.get(name, 0.0) + (positive - negative) / norm
        written = self._phrases(tokens)
        total = sum(weight for _, weight in written)
        share = self._lift(total) / total if total else 0.0
        for phrase, weight in written:
            parts[phrase] = parts.get(phrase, 0.0) + weight * share
        return sorted(parts.items(), key=lambda part: (-abs(part[1]), part[0]))

    @property
    def base(self) -> float:
        """Log-odds of positive over negative of a text without any known word."""
        return self._weights.positive_bias - self._weights.negative_bias

    @staticmethod
    def _lift(total: float) -> float:
        return _SATURATION * math.tanh(total / _SATURATION)

    def _phrases(self, tokens: Sequence[str]) -> list[tuple[str, float]]:
        brand_words = self._brand_words
        if brand_words:
            tokens = [NEUTRAL if token in brand_words else token for token in tokens]
        found: dict[tuple[int, bool], tuple[str, float]] = {}
        for match in outermost(self._overlay.phrases.find(tokens)):
            weight = self._overlay.weights[match.phrase]
            start = match.start
            negated = weight > 0 and _is_negated(tokens, start)
            key = (match.phrase, negated)
            if key not in found:
                words = " ".join(tokens[start : match.end])
                found[key] = ("not " + words, weight * _NEGATED_SHARE) if negated else (words, weight)
        return list(found.values())


def _is_negated(tokens: Sequence[str], start: int) -> bool:
    for token in reversed(tokens[max(0, start - 2) : start]):
        if token in BOUNDARIES:
            return False
        if canonical(token) in _NEGATORS:
            return True
    return False


def _sentiment(negative: float, positive: float) -> Sentiment:
    top = max(negative, positive, 0.0)
    odds = (math.exp(negative - top), math.exp(-top), math.exp(positive - top))
    total = sum(odds)
    best = max(range(3), key=odds.__getitem__)
    return Sentiment(LABELS[best], (odds[2] - odds[0]) / total, odds[best] / total)
