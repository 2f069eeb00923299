"""How alike two tellings are: content words that match, typing slips allowed, and numbers that only one matter has.

A telling is compared with an earlier one of the same customer, never with strangers', so that words need no
weights from the whole store: what is computed for one customer does not depend on anybody else's rows.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from dataclasses import dataclass

from rapidfuzz.distance import Indel

from data_access.text.tokens import MAX_CHARACTERS, tokens_of

FEWEST_WORDS = 2
"""A text with fewer content words and numbers says too little to be compared: no likeness is computed."""

MOST_WORDS = 120
"""Longer tellings are compared by their first content words: the matter is told at the beginning."""

SAME_WORD = 0.75
"""Two words of four letters or more are the same word from this normalised Indel similarity on."""

NUMBER_WEIGHT = 2.0
"""A shared number (an order, an amount) counts as much as two shared words."""

_NUMBER = re.compile(
    r"(?<![\w.,])[#£$€]?([a-z]{0,4}-?\d[\d-]{2,}\d|[a-z]{1,4}\d{2,}|\d+[.,]\d{2})(?![\w])", re.IGNORECASE
)
_LINKS = re.compile(r"https?://\S{1,2000}|www\.\S{1,2000}|(?<!\w)@\w+")
_YEAR = re.compile(r"(?:19|20)\d\d")

# What every contact has in it, whatever the matter: grammar, greetings, courtesy, the act of contacting, and
# the complaint about not being answered, which is about the service and not the matter.
_COMMON = frozenset(
    """
    a about above after again all already also always am an and another any anybody anymore anyone anything are
    aren't around as ask asked asking at back be because been before being best better between both but by call
    called calling came can can't cannot check come coming contact contacted could couldn't cs cust customer
    customers day days dear did didn't do does doesn't doing don't done down each either else email emailed emails
    even ever every everyone everything explain explained far fed few find first fix fixed for from further get
    gets getting give given go goes going gone good got great guys had hadn't happen happened happening happens
    has hasn't have haven't having he he'd he'll he's hello help helped helping her here here's hers hey hi him
    his hour hours how however i i'd i'll i'm i've if in instead into is isn't it it'd it'll it's its itself just
    keep keeps kind know known last later least let let's like little long look looking lot made make makes making
    many may maybe me mean message messaged might mine minute minutes more morning most much must my myself name need
    needed needs never new next no nobody none not nothing now of off ok okay on once one only onto or other our
    ours out over own people phone phoned please pls plz point put quite rather re read really reason regards
    reply replied replies respond response rest right said same saw say saying says second see seem seems seen
    send sent service shall she she's should shouldn't since sincerely so some somebody someone something soon
    sorry still such support sure take taken takes taking talk team tell telling than thank thanks that that's
    thats the their theirs them themselves then there there's these they they're thing things think this those
    though through time times to today together told tomorrow tonight too took tried try trying twice two u under
    until up upon ur us use used using usually very via wait waited waiting want wanted wants was wasn't way we
    we'd we'll we're we've week weeks well went were weren't what what's when where which while who who's whole
    whom why will wish wishes with within without won't wonder would wouldn't write writing written wrote yeah yes
    yesterday yet you you'd you'll you're you've your yours yourself
    account advance afternoon answered appreciate believe best bit colleague colleagues concern dm enough evening
    feel follow following forward guess happy hate hope hoping idea issue issues job kind lot love matter order
    please private problem problems provide query quick question questions reach reference regarding ringing seriously
    simply situation sort stuff submitted unacceptable understand wonderful worst year years
    monday tuesday wednesday thursday friday saturday sunday
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Telling:
    """What a text says of its matter: different content words and numbers, in order of appearance."""

    words: tuple[str, ...]
    numbers: frozenset[str]

    @property
    def size(self) -> int:
        """Content words and numbers together."""
        return len(self.words) + len(self.numbers)


NOTHING_TOLD = Telling((), frozenset())


def telling_of(text: str, ignored_words: Collection[str] = ()) -> Telling:
    """Content words and numbers of a text; `ignored_words` (brands, lower case) never count."""
    plain = _LINKS.sub(" ", html.unescape(text[:MAX_CHARACTERS]))
    numbers = dict.fromkeys(
        number
        for match in _NUMBER.finditer(plain)
        if (number := _bare(match[1].lower())) and not _YEAR.fullmatch(number)
    )
    words = dict.fromkeys(
        token
        for token in tokens_of(_NUMBER.sub(" ", plain))
        if len(token) > 1 and token[0].isalpha() and token not in _COMMON and token not in ignored_words
    )
    return Telling(tuple(words)[:MOST_WORDS], frozenset(list(numbers)[:MOST_WORDS]))


def _bare(found: str) -> str:
    """The digits of an order or account number, or an amount; empty for a range such as 10-17."""
    digits = found.lstrip("abcdefghijklmnopqrstuvwxyz-").replace(",", ".")
    plain = digits.replace("-", "")
    return "" if plain != digits and len(plain) < 6 else plain


def likeness(one: Telling, other: Telling) -> float | None:
    """Likeness of two tellings, 0 to 1; None where one of them says too little.

    Dice's coefficient over content words and weighted numbers, drawn half way to the overlap coefficient,
    because one telling is often shorter than the other; each side counts one word more than it has, because one
    word in common is often chance. Words match one to one, best first. Sources: L. R. Dice, Ecology 26 (1945)
    297-302; the word measure is rapidfuzz's normalised Indel similarity.
    """
    if one.size < FEWEST_WORDS or other.size < FEWEST_WORDS:
        return None
    shared = _shared_words(one.words, other.words) + NUMBER_WEIGHT * len(one.numbers & other.numbers)
    sizes = sorted(len(side.words) + NUMBER_WEIGHT * len(side.numbers) + 1 for side in (one, other))
    return float(shared * 2 / sum(sizes) + shared / sizes[0]) / 2


def _shared_words(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Words in common, slips and endings allowed; each word is used once."""
    common = set(one) & set(other)
    left = [word for word in one if word not in common and len(word) > 3]
    right = [word for word in other if word not in common and len(word) > 3]
    candidates = []
    for place, word in enumerate(left):
        for against, rival in enumerate(right):
            found = Indel.normalized_similarity(word, rival, score_cutoff=SAME_WORD)
            if found:
                candidates.append((-found, place, against))
    shared = float(len(common))
    used_left, used_right = set[int](), set[int]()
    for found, place, against in sorted(candidates):
        if place not in used_left and against not in used_right:
            used_left.add(place)
            used_right.add(against)
            shared -= found
    return shared
