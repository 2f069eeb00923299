import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_access.text.phrases import PhraseError, PhraseIndex, compile_phrase
from data_access.text.tokens import MAX_CHARACTERS, SHOUTING, tokens_of


def found(pattern: str, text: str, lists: dict[str, list[str]] | None = None) -> bool:
    return bool(PhraseIndex([pattern], lists).find(tokens_of(text)))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("on hold", "I was ON HOLD again", True),
        ("on hold", "on my hold", False),
        ("hung|hangs up", "she hangs up", True),
        ("refund*", "I want refunds", True),
        ("no .. answer", "no one will answer", True),
        ("no .. answer", "no word since then in answer", False),
        ("no .. answer", "No. They answer", False),
        ("so (very) slow", "so slow", True),
        ("so (very) slow", "so very slow", True),
        ("# hours", "after 3 hours", True),
        ("# hours", "after 3hours", True),
        ("don't work", "they dont work", True),
        ("dont work", "they don\u2019t work", True),
        ("@not good", "never good", True),
        ("@not good", "ever good", False),
        ("a b a c", "a b a b a c", True),
    ],
)
def test_a_pattern_finds_what_its_words_say(pattern, text, expected):
    assert found(pattern, text, {"not": ["not", "never"]}) is expected


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "empty"),
        (".. late", "begin or end"),
        ("late ..", "begin or end"),
        ("(very) .. late", "begin or end"),
        ("Late", "lower case"),
        ("e-mail", "not one word"),
        ("a|", "an alternative is empty"),
        ("@nobody here", "not defined"),
        ("a .. b .. c .. d", "at most two gaps"),
        (" ".join("abcdefghijklm"), "more than 12"),
    ],
)
def test_a_pattern_that_could_never_match_is_refused_with_its_reason(pattern, reason):
    with pytest.raises(PhraseError, match=reason):
        compile_phrase(pattern, {})


def test_handles_links_and_mail_addresses_are_no_words():
    assert tokens_of("@GreatBrand see https://great.example/love or joy@love.example now") == [
        "see",
        "or",
        "now",
    ]


def test_hashtags_emoji_numbers_and_shouting_become_tokens():
    assert tokens_of("#EpicFail 😡 12.50 :-( sooooo late!!!") == [
        "epic",
        "fail",
        "😡",
        "#",
        ":(",
        "soo",
        "late",
        "!!",
    ]
    assert tokens_of("WHERE IS MY PARCEL NOW")[-1] == SHOUTING


def test_html_entities_are_read_as_what_they_stand_for():
    assert tokens_of("you &amp; me &lt;3") == ["you", "me", "<3"]


def test_a_text_longer_than_the_limit_is_read_up_to_it():
    assert len(tokens_of("a " * MAX_CHARACTERS)) == MAX_CHARACTERS // 2


@given(st.text(max_size=300))
def test_any_text_can_be_cut_and_its_tokens_can_be_stored(text):
    for token in tokens_of(text):
        assert token
        token.encode("utf-8")


@given(
    st.lists(st.sampled_from(["a", "b", "c", "..", "(a)", "b|c", "@n", "!", "?"]), min_size=1, max_size=8),
    st.text("abc!?. ", max_size=80),
)
def test_matching_never_fails_and_stays_inside_the_text(parts, text):
    pattern = " ".join(parts)
    try:
        index = PhraseIndex([pattern], {"n": ["a", "c"]})
    except PhraseError:
        return
    tokens = tokens_of(text)
    for match in index.find(tokens):
        assert 0 <= match.start < match.end <= len(tokens)
