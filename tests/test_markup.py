"""Words of HTML, and plain text that only looks like it: what people write is never taken for tags."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from data_access.sources.records import plain

MAY_BE_MARKUP = re.compile(r"<[A-Za-z/!?]|&[#A-Za-z]")


@pytest.mark.parametrize(
    "text",
    [
        "wait time <30 min promised and I waited >3 hours",
        "fee <\u20ac10 was promised; charged >\u20ac50",
        "write to Ann <b@x.org> or <support@acme.example>",
        "Dear <name>, your order <order number> is <status>",
        "I waited <i think> 3 hours, see <https://acme.example/a?b=1&copy=2>",
        "a <- b -> c <= d >= e <> f <3 </3",
        "two  spaces\n\n  and a <!-- that never ends",
        "Fish&Chips at AT&T & co",
    ],
)
def test_what_only_looks_like_markup_is_kept(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>Where is <b>my</b> parcel?</p><p>Ann</p>", "Where is my parcel?\nAnn"),
        ("Hello<br/>there<BR>you", "Hello\nthere\nyou"),
        ("<!DOCTYPE html><html><head><style>p > a {x}</style></head><body>Hi</body></html>", "Hi"),
        ("<!--[if mso]><td><![endif]-->Hi<o:p></o:p><![if !mso]>!<![endif]>", "Hi !"),
        ('<a href="https://acme.example/?a=1">here</a> &amp; <i>now</i>', "here & now"),
        ("<script>if (a < b) alert('>')</script>Hi", "Hi"),
        ("<p>under <30 minutes</p>", "under <30 minutes"),
        ("Tom &amp; Ann &lt;ann@x.org&gt;", "Tom & Ann <ann@x.org>"),
    ],
)
def test_markup_gives_its_words(markup, words):
    assert plain(markup) == words


@given(some.text(some.sampled_from("<<<>>&;/! \n\t=ab19#\u20ac\"'-")) | some.text())
def test_a_text_without_anything_like_a_tag_is_unchanged(text):
    if not MAY_BE_MARKUP.search(text):
        assert plain(text) == text


@pytest.mark.parametrize("piece", ["<a ", "<!--", "<script>", "<a =", "<b", "<div ", "<!["])
def test_broken_markup_of_any_length_is_read_in_time_that_grows_with_it(piece):
    assert plain(f"Hi{piece * 40_000}").startswith("Hi")
