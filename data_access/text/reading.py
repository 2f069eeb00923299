"""Reads batches of text into the columns the store keeps: sentiment, complaint, topics, blamed channel, evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_access.text.cues import (
    CUES_VERSION,
    Cues,
    Found,
    Preset,
    blamed_channel,
    complaint_score,
    load_cues,
)
from data_access.text.language import language_of
from data_access.text.lexlinear import SCORER_ID, LexLinear, Sentiment
from data_access.text.scorers import Scorer, scorer_of
from data_access.text.tokens import tokens_of

COLUMNS = (
    "language",
    "sentiment_label",
    "sentiment_score",
    "sentiment_confidence",
    "not_scored_reason",
    "sentiment_scorer",
    "is_complaint",
    "complaint_score",
    "complaint_scorer",
    "needs_reply",
    "topics",
    "blamed_channel",
    "evidence",
)
_PRAISE_CONFIDENCE = 0.65
_EVIDENCE_WORDS = 5
_NOTHING = frozenset({".", "...", ";"})
_LANGUAGE_NAMES = {"eng": "en", "english": "en"}
_UNKNOWN_LANGUAGES = frozenset({"", "und", "unknown", "null", "none", "nan"})


@dataclass(frozen=True)
class TextSettings:
    """How text is read, as set for one store; frozen so that it can key caches."""

    brand_words: tuple[str, ...] = ()
    cues_file: str | None = None
    preset_public: str = "strict"
    preset_private: str = "sensitive"
    detect_language: bool = True
    scorer: str = SCORER_ID
    model_folder: str | None = None


def require_usable(settings: TextSettings) -> None:
    """Raises CueFileError where the cue file, or a preset that is to be in it, is not there or is wrong."""
    _cues_of(settings)


def _cues_of(settings: TextSettings) -> tuple[Cues, dict[bool, str], dict[bool, Preset]]:
    """The cues, and the presets of public channels (True) and private ones: their names, their rules."""
    cues = load_cues(settings.cues_file)
    presets = {True: settings.preset_public, False: settings.preset_private}
    return cues, presets, {side: cues.preset(name) for side, name in presets.items()}


def read_batch(
    texts: Sequence[str | None],
    *,
    inbound: Sequence[bool],
    public: Sequence[bool],
    settings: TextSettings,
    languages: Sequence[str | None] | None = None,
) -> dict[str, list[Any]]:
    """One list for each column, each as long as `texts`; a text that cannot be scored has a reason instead
    of a label.

    `is_complaint`, topics and blamed channel are read from inbound text only: an agent's apology is no
    complaint.
    """
    count = len(texts)
    given = languages if languages is not None else [None] * count
    if not len(inbound) == len(public) == len(given) == count:
        raise ValueError(
            f"read_batch got {count} texts but {len(inbound)} inbound, {len(public)} public, {len(given)} languages"
        )
    cues, presets, rules = _cues_of(settings)
    scorer = scorer_of(settings.scorer, tuple(settings.brand_words), settings.model_folder)
    tokens = [tokens_of(text) if isinstance(text, str) else [] for text in texts]
    columns: dict[str, list[Any]] = {name: [None] * count for name in COLUMNS}
    columns["needs_reply"] = [True] * count
    columns["topics"] = [[] for _ in range(count)]
    scored: list[int] = []
    for place, words in enumerate(tokens):
        language, reason = _language(words, given[place], settings, scorer)
        columns["language"][place] = language
        columns["not_scored_reason"][place] = reason
        if reason is None:
            scored.append(place)
    sentiments = _score(scorer, [str(texts[place]) for place in scored], [tokens[place] for place in scored])
    for place, sentiment in zip(scored, sentiments, strict=True):
        columns["sentiment_label"][place] = sentiment.label
        columns["sentiment_score"][place] = round(sentiment.score, 4)
        columns["sentiment_confidence"][place] = round(sentiment.confidence, 4)
        columns["sentiment_scorer"][place] = scorer.identifier
        if not inbound[place]:
            continue
        side = bool(public[place])
        _read_cues(
            columns,
            place,
            tokens=tokens[place],
            sentiment=sentiment,
            cues=cues,
            preset_name=presets[side],
            preset=rules[side],
        )
    return columns


def _score(scorer: Scorer, texts: Sequence[str], tokens: Sequence[Sequence[str]]) -> list[Sentiment]:
    if isinstance(scorer, LexLinear):
        return [scorer.score_tokens(words) for words in tokens]
    return scorer.score(texts)


def _language(
    words: Sequence[str], given: str | None, settings: TextSettings, scorer: Scorer
) -> tuple[str | None, str | None]:
    if _NOTHING.issuperset(words):
        return None, "empty"
    language: str | None = None
    named = given.strip().lower().replace("_", "-").partition("-")[0] if isinstance(given, str) else ""
    if named not in _UNKNOWN_LANGUAGES:
        language = _LANGUAGE_NAMES.get(named, named)
    elif settings.detect_language:
        language = language_of(words)
    if language is None or scorer.languages is None or language in scorer.languages:
        return language, None
    return language, f"unsupported language: {language}"


def _read_cues(
    columns: dict[str, list[Any]],
    place: int,
    *,
    tokens: Sequence[str],
    sentiment: Sentiment,
    cues: Cues,
    preset_name: str,
    preset: Preset,
) -> None:
    found = cues.find(tokens)
    score = complaint_score(found.complaint, preset, sentiment.score)
    is_complaint = score >= preset.threshold
    topics = cues.rank_topics(found.topics)
    praises = sentiment.label == "positive" and any(weight < 0 for _, _, weight in found.complaint)
    channel = blamed_channel(found.blamed) if is_complaint or not praises else None
    no_reply = None if is_complaint else asks_for_nothing(tokens, found, sentiment, cues)
    columns["is_complaint"][place] = is_complaint
    columns["complaint_score"][place] = round(score, 4) if math.isfinite(score) else 0.0
    columns["complaint_scorer"][place] = f"cues/{preset_name}/{CUES_VERSION}"
    columns["needs_reply"][place] = no_reply is None
    columns["topics"][place] = topics
    columns["blamed_channel"][place] = channel
    columns["evidence"][place] = _evidence(found, topics, no_reply)


def asks_for_nothing(tokens: Sequence[str], found: Found, sentiment: Sentiment, cues: Cues) -> str | None:
    """Why a text needs no reply (`closing`, `praise` or `spam`), None where it may want one; in doubt it wants one."""
    complains = any(weight > 0 for _, _, weight in found.complaint)
    if complains or found.blamed or sentiment.label == "negative" or "?" in tokens or "??" in tokens:
        return None
    if found.closes:
        return "closing"
    if found.requests:
        return None
    if found.spam:
        return "spam"
    short = sum(token[0].isalpha() for token in tokens) <= cues.praise_longest
    if found.praise and short and sentiment.label == "positive" and sentiment.confidence >= _PRAISE_CONFIDENCE:
        return "praise"
    return None


def _evidence(found: Found, topics: Sequence[str], no_reply: str | None) -> str | None:
    fired: dict[str, Any] = {}
    if found.complaint:
        fired["complaint"] = found.complaint
    if topics:
        fired["topics"] = {name: [words for words, _ in found.topics[name]][:_EVIDENCE_WORDS] for name in topics}
    if found.blamed:
        fired["blamed_channel"] = list(dict.fromkeys(found.blamed))[:_EVIDENCE_WORDS]
    if no_reply:
        fired["no_reply_needed"] = no_reply
    return json.dumps(fired, ensure_ascii=False, separators=(",", ":")) if fired else None


def explain(text: str, *, settings: TextSettings) -> list[tuple[str, float]]:
    """Words and phrases that made the sentiment of `lexlinear-en`, as log-odds of positive over negative,
    largest first.
    """
    scorer = scorer_of(SCORER_ID, tuple(settings.brand_words))
    assert isinstance(scorer, LexLinear)
    return scorer.explain(text)
