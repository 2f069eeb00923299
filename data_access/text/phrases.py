"""Finds written phrases in token lists: the small pattern language of the cue file and of the overlay.

A pattern is words in order. `a|b` allows either, `refund*` any word that begins so, `(very)` may be absent,
`..` skips up to
three words, `#` is any number and `@name` a named word list. There are no regular expressions, so no
pattern can run away.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_access.text.tokens import BOUNDARIES, SHOUTING, tokens_of

GAP = 3
MAX_ELEMENTS = 12
MAX_TOKENS = 6_000
_CACHE_LIMIT = 200_000
_NO_PHRASES: tuple[int, ...] = ()


class PhraseError(ValueError):
    """A pattern that cannot be read or could never match, with the reason in words."""


@dataclass(frozen=True)
class Match:
    """One phrase found: its number in the list given to `PhraseIndex` and the tokens it covers."""

    phrase: int
    start: int
    end: int


_Words = tuple[frozenset[str], tuple[str, ...]]
_Element = _Words | None  # None is a gap


def canonical(token: str) -> str:
    """The token without apostrophes, so that `don't` and `dont` are the same word."""
    return token.replace("'", "") if "'" in token else token


def _words(text: str, lists: Mapping[str, Sequence[str]]) -> _Words:
    exact: set[str] = set()
    prefixes: list[str] = []
    for alternative in text.split("|"):
        if alternative.startswith("@"):
            if alternative[1:] not in lists:
                raise PhraseError(f"the word list {alternative} is not defined under [words]")
            exact.update(canonical(word) for word in lists[alternative[1:]])
        elif alternative.endswith("*") and len(alternative) > 3:
            _check_word(alternative[:-1])
            prefixes.append(canonical(alternative[:-1]))
        else:
            _check_word(alternative)
            exact.add(canonical(alternative))
    return frozenset(exact), tuple(prefixes)


def _check_word(word: str) -> None:
    if word in {"#", SHOUTING} or word in BOUNDARIES:
        return
    if not word:
        raise PhraseError("an alternative is empty")
    if word != word.lower():
        raise PhraseError(f"write {word!r} in lower case")
    if tokens_of(word) != [word]:
        raise PhraseError(f"{word!r} is not one word and could never match")


def compile_phrase(text: str, lists: Mapping[str, Sequence[str]]) -> list[tuple[_Element, ...]]:
    """All the plain sequences that one pattern stands for, raising PhraseError with the reason where it
    cannot be read.
    """
    parts = text.split()
    if not parts:
        raise PhraseError("the pattern is empty")
    if len(parts) > MAX_ELEMENTS:
        raise PhraseError(f"the pattern has more than {MAX_ELEMENTS} parts")
    if ".." in (parts[0], parts[-1]):
        raise PhraseError("a pattern cannot begin or end with '..'")
    choices: list[tuple[tuple[_Element, ...], ...]] = []
    for part in parts:
        if part == "..":
            choices.append(((None,),))
        elif part.startswith("(") and part.endswith(")"):
            choices.append(((), (_words(part[1:-1], lists),)))
        else:
            choices.append(((_words(part, lists),),))
    if parts.count("..") > 2 or sum(len(choice) == 2 for choice in choices) > 3:
        raise PhraseError("at most two gaps '..' and three optional words '(…)' are allowed in a pattern")
    sequences = [tuple(itertools.chain(*chosen)) for chosen in itertools.product(*choices)]
    if any(not sequence or sequence[0] is None or sequence[-1] is None for sequence in sequences):
        raise PhraseError("a pattern cannot begin or end with '..' once its optional words are left out")
    return sequences


class PhraseIndex:
    """Many phrases compiled together, so that each token is looked up once however many phrases there are."""

    def __init__(self, phrases: Sequence[str], lists: Mapping[str, Sequence[str]] | None = None) -> None:
        self._sequences: list[tuple[int, tuple[_Element, ...]]] = []
        self._by_word: dict[str, list[int]] = {}
        self._by_prefix: list[tuple[str, int]] = []
        for number, phrase in enumerate(phrases):
            for sequence in compile_phrase(phrase, lists or {}):
                place = len(self._sequences)
                self._sequences.append((number, sequence[1:]))
                first = sequence[0]
                assert first is not None
                for word in first[0]:
                    self._by_word.setdefault(word, []).append(place)
                self._by_prefix.extend((prefix, place) for prefix in first[1])
        self._starts: dict[str, tuple[int, ...]] = {}

    def _starting(self, word: str) -> tuple[int, ...]:
        found = dict.fromkeys(self._by_word.get(word, ()))
        found.update(dict.fromkeys(place for prefix, place in self._by_prefix if word.startswith(prefix)))
        if len(self._starts) >= _CACHE_LIMIT:
            self._starts.clear()
        starts = tuple(found) or _NO_PHRASES
        self._starts[word] = starts
        return starts

    def find(self, tokens: Sequence[str]) -> list[Match]:
        """Every phrase found in the first 6,000 tokens, at most once for each place where it begins, in
        order of place.
        """
        words = [canonical(token) for token in tokens[:MAX_TOKENS]]
        found: list[Match] = []
        starts = self._starts
        for place, word in enumerate(words):
            candidates = starts.get(word)
            if candidates is None:
                candidates = self._starting(word)
            if not candidates:
                continue
            seen: set[int] = set()
            for candidate in candidates:
                number, rest = self._sequences[candidate]
                if number in seen:
                    continue
                end = _end_of(rest, words, place + 1) if rest else place + 1
                if end:
                    seen.add(number)
                    found.append(Match(number, place, end))
        return found


def _end_of(rest: tuple[_Element, ...], words: list[str], place: int) -> int:
    """Where the remaining elements end when they match from this place, else 0."""
    count = len(words)
    for position, element in enumerate(rest):
        if element is None:
            tail = rest[position + 1 :]
            for skipped in range(GAP + 1):
                end = _end_of(tail, words, place + skipped)
                if end:
                    return end
                if place + skipped >= count or words[place + skipped] in BOUNDARIES:
                    return 0
            return 0
        if place >= count:
            return 0
        word = words[place]
        if word not in element[0] and not (element[1] and word.startswith(element[1])):
            return 0
        place += 1
    return place
