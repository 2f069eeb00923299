"""Says which language a text is in; asks the optional py3langid only where English words do not settle it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from data_access.text.phrases import canonical

# none that is also common in Spanish, German, French, Dutch, Italian or Portuguese
_ENGLISH = frozenset(
    """
    the and to you your for is it my of that this with have not are but be what when why how can just we
    they there from would had were please thanks thank hello its im dont cant didnt wont if by about
    more who did get got help still service after need never any out now their our could should because
    than then here where which his she does great good yes love hey flight time been will i all do was
    customer order phone call working work back again ive doesnt isnt thats youre know want today day
    """.split()  # noqa: SIM905 - a list of words is read best as words
)
_CERTAIN_SHARE = 0.2
_SHORTEST = 4
_CONFIDENT = 0.9
_LAST_LATIN = 0x24F
UNDETERMINED = "und"


@functools.cache
def _detector() -> Callable[[str], tuple[str, float]] | None:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415
    except ImportError:
        return None
    # 0.4 renamed the way its own model is opened
    opened = getattr(LanguageIdentifier, "from_model_file", None) or LanguageIdentifier.from_pickled_model
    identifier = opened(MODEL_FILE, norm_probs=True)

    def classify(text: str) -> tuple[str, float]:
        language, confidence = identifier.classify(text)
        return str(language), float(confidence)

    return classify


def is_installed() -> bool:
    """Whether the extra `language` is there."""
    return _detector() is not None


def language_of(tokens: Sequence[str]) -> str | None:
    """Two-letter language of one text, `en` where in doubt, None without words or a detector, `und` for
    other scripts then.

    Short texts are the ones detectors get wrong, and a text wrongly left out is silence: another language
    is only
    believed when the detector is sure and fewer than a fifth of the words are common English ones.
    """
    words = [canonical(token) for token in tokens[:400] if token[0].isalpha()]
    if not words:
        return None
    english = sum(word in _ENGLISH for word in words)
    if english >= _CERTAIN_SHARE * len(words):
        return "en"
    classify = _detector()
    foreign_script = sum(ord(word[0]) > _LAST_LATIN for word in words) > len(words) / 2
    if classify is None:
        return UNDETERMINED if foreign_script else None
    if len(words) < _SHORTEST and not foreign_script:
        return "en"
    language, confidence = classify(" ".join(tokens[:400]))
    if language == "en" or confidence < _CONFIDENT:
        return "en"
    return language
