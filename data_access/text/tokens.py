"""Cuts customer text into lower-case tokens, the one form that sentiment, cues and language all read."""

from __future__ import annotations

import html
import re

MAX_CHARACTERS = 100_000
"""Longer texts are read up to here: nothing a person writes is longer, and hostile input must stay cheap."""

NEUTRAL = "<n>"
"""Stands where a word was taken out, so that its neighbours do not become one phrase."""

SHOUTING = "<shouting>"
"""Added at the end of a text that is written mostly in capitals."""

BOUNDARIES = frozenset({".", "...", "!", "!!", "?", "??", ";"})
"""Tokens that end a sentence: no phrase and no negation reaches across them."""

_DROPPED = re.compile(r"https?://\S{1,2000}|www\.\S{1,2000}|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}|(?<!\w)@\w+")
_TOKEN = re.compile(
    r"[:;=][-o^']?[)(\]\[dp/\\|3*]+(?!\w)"  # emoticons
    r"|<3|\bx'?d\b"
    r"|\d[\d.,:]*"
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"
    r"|[.!?;\n]+"
    r"|[\u2600-\u27bf\U0001f300-\U0001faff]"
)
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_HASHTAG = re.compile(r"#(\w{2,60})")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_QUOTES = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'", "\ufe0f": None, "\x00": " "}
)
_SAD = re.compile(r"[(\[/\\|]")


def _mark(raw: str) -> str:
    """Name a run of punctuation, an emoticon or a number by its kind, so that variants count as one."""
    first = raw[0]
    if first in ".\n;!?":
        if "?" in raw:
            return "??" if raw.count("?") > 1 or "!" in raw else "?"
        if "!" in raw:
            return "!!" if raw.count("!") > 1 else "!"
        if first == "\n" or raw[:3] != "...":
            return "."
        return "..."
    if first.isdigit():
        return "#"
    if first in ":;=":
        return ":(" if _SAD.search(raw) else ":)"
    return raw


def tokens_of(text: str) -> list[str]:
    """Tokens of one text in order: words, `#` for any number, punctuation by kind, emoji one by one.

    Handles, web and mail addresses are gone: a handle's words say nothing about what its author feels.
    """
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    text = text.translate(_QUOTES)
    if "@" in text or "://" in text or "www." in text:
        text = _DROPPED.sub(" ", text)
    if "#" in text:
        text = _HASHTAG.sub(lambda found: " " + _CAMEL.sub(" ", found.group(1)).replace("_", " ") + " ", text)
    lower = text.lower()
    lower = _REPEATED.sub(r"\1\1", lower)
    tokens = [raw if raw[0].isalpha() else _mark(raw) for raw in _TOKEN.findall(lower)]
    if is_shouting(text):
        tokens.append(SHOUTING)
    return tokens


def is_shouting(text: str) -> bool:
    """Whether at least twelve letters and two thirds of all of them are capitals."""
    if len(text) < 12 or text[:200].islower():
        return False
    sample = text[:2000]
    upper = sum(map(str.isupper, sample))
    if upper < 12:
        return False
    return upper > 2 * sum(map(str.islower, sample))
