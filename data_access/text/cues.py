"""Reads complaints, topics, blamed channels and requests by the cue file, and says which words decided."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_access.text.phrases import Match, PhraseError, PhraseIndex, canonical, compile_phrase
from data_access.text.tokens import NEUTRAL

CUES_VERSION = "1"
CUES_FILE = Path(__file__).with_name("cues.toml")
CHANNELS = (
    "phone",
    "email",
    "chat",
    "web_form",
    "sms",
    "whatsapp",
    "twitter",
    "facebook",
    "instagram",
    "review",
    "forum",
    "letter",
    "in_person",
    "other",
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SECTIONS = frozenset(
    {
        "version",
        "words",
        "presets",
        "complaint",
        "softener",
        "topic",
        "blamed_channel",
        "blamed_channel_ignored",
        "no_reply_needed",
    }
)
_NO_REPLY_LISTS = ("closing_words", "closing_needs", "praise", "spam", "request")

Cue = tuple[str, str, float]


class CueFileError(ValueError):
    """A mistake in a cue file, said with its file, line and reason so that whoever edits it can mend it."""


@dataclass(frozen=True)
class Preset:
    """How much is needed before a text counts as a complaint."""

    threshold: float
    sentiment_weight: float


@dataclass(frozen=True)
class Found:
    """All cues found in one text."""

    complaint: list[Cue]
    topics: dict[str, list[tuple[str, float]]]
    blamed: list[tuple[str, str, float]]
    praise: list[str]
    spam: list[str]
    requests: list[str]
    closes: bool


class _Reader:
    """Takes the parsed file apart and turns every mistake into a message with a line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def line_of(self, section: str, needle: str) -> int:
        """The line, counted from one, of the first `needle` at or after the section's header, else of the header."""
        header = re.compile(r"\s*\[\s*" + re.escape(section) + r"\s*\]")
        start = next((place for place, line in enumerate(self.lines) if header.match(line)), 0)
        for place in range(start, len(self.lines)):
            if needle and needle in self.lines[place]:
                return place + 1
        return start + 1

    def fail(self, reason: str, section: str = "", needle: str = "") -> CueFileError:
        return CueFileError(f"{self.path}, line {self.line_of(section, needle)}: {reason}")

    def table(self, content: Mapping[str, Any], name: str) -> dict[str, Any]:
        value = content.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(f"[{name}] must be a table", name, name)
        return value

    def number(self, table: Mapping[str, Any], key: str, section: str, default: float | None = None) -> float:
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1000:
            raise self.fail(f"{key} of [{section}] must be a number, not {value!r}", section, key)
        return float(value)

    def patterns(
        self,
        table: Mapping[str, Any],
        section: str,
        lists: Mapping[str, Sequence[str]],
        key: str = "patterns",
    ) -> list[str]:
        value = table.get(key)
        if not isinstance(value, list) or not value:
            raise self.fail(
                f"[{section}] needs {key}, a list of at least one pattern in quotation marks", section, key
            )
        for pattern in value:
            if not isinstance(pattern, str):
                raise self.fail(
                    f"{pattern!r} in {key} of [{section}] must be in quotation marks", section, str(pattern)
                )
            try:
                compile_phrase(pattern, lists)
            except PhraseError as error:
                raise self.fail(f"pattern {pattern!r} of [{section}]: {error}", section, f'"{pattern}"') from error
        return value

    def only(self, table: Mapping[str, Any], section: str, allowed: Sequence[str]) -> None:
        for key in table:
            if key not in allowed:
                raise self.fail(f"{key!r} is not known in [{section}]; allowed: {', '.join(allowed)}", section, key)


class Cues:
    """A cue file ready to be matched."""

    def __init__(self, path: Path, content: Mapping[str, Any], text: str) -> None:
        reader = _Reader(path, text)
        for section in content:
            if section not in _SECTIONS:
                raise reader.fail(
                    f"the section {section!r} is not known; allowed: {', '.join(sorted(_SECTIONS))}",
                    section,
                    section,
                )
        if content.get("version") != 1:
            raise reader.fail("version = 1 is missing or another version", "", "version")
        lists = self._word_lists(reader, content)
        self.presets = self._presets(reader, content)
        self._phrases: list[str] = []
        self._targets: list[tuple[str, str, float]] = []
        for kind, default in (
            ("complaint", 1.0),
            ("softener", -1.0),
            ("topic", 1.0),
            ("blamed_channel", 1.0),
        ):
            for name, group in reader.table(content, kind).items():
                self._add_group(reader, lists, kind=kind, name=name, group=group, default=default)
        if not any(kind == "complaint" for kind, _, _ in self._targets):
            raise reader.fail("at least one group [complaint.<name>] is needed")
        ignored = reader.table(content, "blamed_channel_ignored")
        if ignored:
            reader.only(ignored, "blamed_channel_ignored", ("patterns",))
            self._extend("ignored", "", 0.0, reader.patterns(ignored, "blamed_channel_ignored", lists))
        self._add_no_reply(reader, lists, reader.table(content, "no_reply_needed"))
        self.topic_order = {name: place for place, name in enumerate(reader.table(content, "topic"))}
        self._index = PhraseIndex(self._phrases, lists)

    @staticmethod
    def _word_lists(reader: _Reader, content: Mapping[str, Any]) -> dict[str, list[str]]:
        lists = reader.table(content, "words")
        for name, words in lists.items():
            if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
                raise reader.fail(f"the word list {name!r} must be a list of words in quotation marks", "words", name)
            for word in words:
                try:
                    compile_phrase(word, {})
                except PhraseError as error:
                    raise reader.fail(f"word {word!r} of the list {name!r}: {error}", "words", f'"{word}"') from error
        return lists

    @staticmethod
    def _presets(reader: _Reader, content: Mapping[str, Any]) -> dict[str, Preset]:
        presets: dict[str, Preset] = {}
        for name, table in reader.table(content, "presets").items():
            section = f"presets.{name}"
            if not isinstance(table, dict):
                raise reader.fail(f"[{section}] must be a table", section, name)
            reader.only(table, section, ("threshold", "sentiment_weight"))
            presets[name] = Preset(
                reader.number(table, "threshold", section),
                reader.number(table, "sentiment_weight", section, 0.0),
            )
        for needed in ("strict", "sensitive"):
            if needed not in presets:
                raise reader.fail(f"[presets.{needed}] is missing", "presets")
        return presets

    def _add_group(
        self,
        reader: _Reader,
        lists: Mapping[str, Sequence[str]],
        *,
        kind: str,
        name: str,
        group: object,
        default: float,
    ) -> None:
        section = f"{kind}.{name}"
        if not isinstance(group, dict):
            raise reader.fail(f"[{section}] must be a table with patterns", section, name)
        if not _NAME.fullmatch(name):
            raise reader.fail(f"the name {name!r} must be lower-case letters, digits and underscores", section, name)
        if kind == "blamed_channel" and name not in CHANNELS:
            raise reader.fail(f"{name!r} is not a channel; allowed: {', '.join(CHANNELS)}", section, name)
        reader.only(group, section, ("weight", "patterns"))
        weight = reader.number(group, "weight", section, default)
        if (weight > 0) == (kind == "softener"):
            wanted = "below zero" if kind == "softener" else "above zero"
            raise reader.fail(f"weight of [{section}] must be {wanted}, not {weight:g}", section, "weight")
        self._extend(kind, name, weight, reader.patterns(group, section, lists))

    def _add_no_reply(self, reader: _Reader, lists: Mapping[str, Sequence[str]], table: Mapping[str, Any]) -> None:
        section = "no_reply_needed"
        reader.only(table, section, (*_NO_REPLY_LISTS, "closing_longest", "praise_longest"))
        self.closing_longest = int(reader.number(table, "closing_longest", section, 12))
        self.praise_longest = int(reader.number(table, "praise_longest", section, 40))
        self.closing_words: frozenset[str] = frozenset()
        for key in _NO_REPLY_LISTS:
            if key not in table:
                continue
            patterns = reader.patterns(table, section, lists, key)
            if key == "closing_words":
                self.closing_words = frozenset(map(canonical, patterns))
            else:
                self._extend(key, "", 0.0, patterns)

    def _extend(self, kind: str, name: str, weight: float, patterns: Sequence[str]) -> None:
        self._phrases += patterns
        self._targets += [(kind, name, weight)] * len(patterns)

    def preset(self, name: str) -> Preset:
        """The preset of that name, or a CueFileError that lists the ones there are."""
        if name not in self.presets:
            known = ", ".join(sorted(self.presets))
            raise CueFileError(
                f"There is no complaint preset {name!r} (preset_public, preset_private of the settings); the cue file "
                f"has: {known}."
            )
        return self.presets[name]

    def find(self, tokens: Sequence[str]) -> Found:
        """Every cue of the text, each group of a kind with the words that fired it."""
        complaint: dict[str, Cue] = {}
        topics: dict[str, list[tuple[str, float]]] = {}
        channels: list[tuple[Match, str, float]] = []
        hidden: list[Match] = []
        softening: list[tuple[Match, str, float]] = []
        negative: list[tuple[Match, str, float]] = []
        lists: dict[str, list[str]] = {"praise": [], "spam": [], "request": [], "closing_needs": []}
        for match in self._index.find(tokens):
            kind, name, weight = self._targets[match.phrase]
            if kind == "complaint":
                negative.append((match, name, weight))
            elif kind == "softener":
                softening.append((match, name, weight))
            elif kind == "topic":
                words = _words(tokens, match)
                found = topics.setdefault(name, [])
                if all(words != earlier for earlier, _ in found):
                    found.append((words, weight))
            elif kind == "blamed_channel":
                channels.append((match, name, weight))
            elif kind == "ignored":
                hidden.append(match)
            else:
                lists[kind].append(_words(tokens, match))
        for ours, theirs in ((softening, negative), (negative, softening)):
            longer = [match for match, _, _ in theirs if match.end - match.start > 1]
            for match, name, weight in ours:
                if name not in complaint and not _inside(match, longer):
                    complaint[name] = (name, _words(tokens, match), weight)
        blamed = [
            (name, _words(tokens, match), weight) for match, name, weight in channels if not _overlaps(match, hidden)
        ]
        return Found(
            list(complaint.values()),
            topics,
            blamed,
            lists["praise"],
            lists["spam"],
            lists["request"],
            bool(lists["closing_needs"]) and self._only_closing_words(tokens),
        )

    def _only_closing_words(self, tokens: Sequence[str]) -> bool:
        words = [canonical(token) for token in tokens if token[0].isalpha()]
        if len(words) > self.closing_longest or any(token in {"?", "??", "#", NEUTRAL} for token in tokens):
            return False
        return all(word in self.closing_words for word in words)

    def rank_topics(self, topics: Mapping[str, Sequence[tuple[str, float]]]) -> list[str]:
        """Topic names, the one with most weight of different words first, then in the order of the file."""
        weights = {
            name: sum(weight * len(words.split()) ** 0.5 for words, weight in found) for name, found in topics.items()
        }
        return sorted(weights, key=lambda name: (-weights[name], self.topic_order.get(name, 0)))


def blamed_channel(blamed: Sequence[tuple[str, str, float]]) -> str | None:
    """The channel most different words blame, the earliest in the text where two are even."""
    weights: dict[str, float] = {}
    for name, _, weight in dict.fromkeys(blamed):
        weights[name] = weights.get(name, 0.0) + weight
    return max(weights, key=weights.__getitem__) if weights else None


def _words(tokens: Sequence[str], match: Match) -> str:
    return " ".join(tokens[match.start : match.end])


def _inside(match: Match, longer: Sequence[Match]) -> bool:
    length = match.end - match.start
    return any(
        other.start <= match.start and match.end <= other.end and length < other.end - other.start for other in longer
    )


def _overlaps(match: Match, others: Sequence[Match]) -> bool:
    return any(match.start < other.end and other.start < match.end for other in others)


def complaint_score(found: Sequence[Cue], preset: Preset, sentiment_score: float) -> float:
    """The groups' weights and softeners, each once, minus the weighted sentiment."""
    return sum(weight for _, _, weight in found) - preset.sentiment_weight * sentiment_score


def load_cues(path: str | None = None) -> Cues:
    """A cue file (the shipped one without a path), read again only when it has changed; CueFileError for
    any mistake.
    """
    file = Path(path) if path else CUES_FILE
    try:
        state = file.stat()
    except OSError as error:
        raise CueFileError(f"{file}: the cue file cannot be read: {error.strerror}") from error
    return _read(file, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=16)
def _read(file: Path, _changed_at: int, _size: int) -> Cues:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise CueFileError(f"{file}: the cue file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CueFileError(f"{file}, line 1: the cue file cannot be read as UTF-8 text ({error})") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        number = int(line.group(1)) if line else len(text.splitlines()) or 1
        raise CueFileError(f"{file}, line {number}: {error}") from error
    return Cues(file, content, text)
