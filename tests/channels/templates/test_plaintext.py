from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.templates.plaintext import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", "\n"),
        ("just text", "just text\n"),
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("<div>one</div><div>two</div>", "one\n\ntwo\n"),
        ("a<br>b<br/>c", "a\nb\nc\n"),
        ("<ul><li>one</li>\n<li>two</li></ul>", "- one\n\n- two\n"),
        ('<a href="https://x.example/?a=1&amp;b=2">go</a>', "go (https://x.example/?a=1&b=2)\n"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example\n"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example\n"),
        ('<a href="#top">up</a>', "up\n"),
        ('<a href="https://x.example"><img src="y" alt="logo"></a>', "logo (https://x.example)\n"),
        ('<a href="https://x.example"><img src="y"></a>', "https://x.example\n"),
        ("<head><title>t</title><style>p {}</style></head><p>x</p>", "x\n"),
        ("<script>if (a < b) alert('x')</script>after", "after\n"),
        ("5 &lt; 6 &amp; caf&eacute;&nbsp;!", "5 < 6 & café\xa0!\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\n\nc\n"),
        ("<p>one\n   two\t three</p>", "one two three\n"),
        ("</style></a></p>loose ends<b", "loose ends<b\n"),
        ("<!-- hidden -->shown", "shown\n"),
        ("<h1>Title</h1>text", "Title\n\ntext\n"),
    ],
)
def test_a_text_reader_gets_the_words_and_the_addresses(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(st.sampled_from(list("<>/!&;#\"'= -aplisctyehrd\n\x00é")), max_size=200))
def test_any_markup_gives_some_text(html: str) -> None:
    text = plain_text(html)
    assert text.endswith("\n")
    assert "\n\n\n" not in text
