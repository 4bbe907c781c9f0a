from __future__ import annotations

import pytest

from channels.rendering import RenderFailed, Template, TemplateFault
from channels.templates.parsing import parse_template

STYLED = """---
subject: x
---
{% comment %}<style>p { color: blue }</style>{% endcomment %}
{%- capture amount -%}{{ 1 }}.{{ 2 }}{%- endcapture -%}
<!doctype html>
<html lang="en"><head><title>{{ user.name }}</title>
<style>
  /* { a comment } */
  p { color: red; padding: {{ user.padding }}; }
  a:hover { color: green }
  @media (prefers-color-scheme: dark) {
    p { color: white; background: url("a;b") } i { top: 0 !important }
  }
</style>
<style>{% if user.dark %}b { color: black }{% endif %}</style>
</head>
<body>
<!--[if mso]><p>{{ user.name }}</p><![endif]-->
<table>{% for row in user.rows %}<tr class="{{ row }}"><td>{{ row }}</td></tr>{% endfor %}</table>
<p {% if user.dark %}class="dark"{% endif %}>{{ user.name }}</p><a href={{ user.url }}>x</a><b>y</b>
</body></html>
"""
ANN = {
    "user": {"name": "<Ann>", "padding": "4px", "rows": ["a", "b"], "dark": True, "url": "/?a&b"}
}


def _template(text: str, channel: str = "email") -> Template:
    return parse_template("x", channel, text, "x.email.liquid")


def _body(text: str, channel: str = "email") -> str:
    return _template(text, channel).render(ANN).body


def test_rules_go_into_the_elements_that_they_are_for() -> None:
    body = _body(STYLED)
    assert '<p style="color: red;padding: 4px;" class="dark">&lt;Ann&gt;</p>' in body or (
        'style="color: red;padding: 4px;"' in body and 'class="dark"' in body
    )
    assert "<title>&lt;Ann&gt;</title>" in body
    assert body.lstrip().startswith("<!DOCTYPE html>")


def test_what_no_element_can_have_stays_in_the_block_and_wins() -> None:
    body = _body(STYLED)
    assert "a:hover { color: green; }" in body
    assert "p { color: red" not in body
    assert 'color: white !important; background: url("a;b") !important' in body.replace(
        ";background", "; background"
    )
    assert body.count("!important") == 3


def test_a_block_with_liquid_tags_is_left_as_it_is() -> None:
    body = _body(STYLED)
    assert "<style>b { color: black }</style>" in body
    assert "data-css-inline" not in body


def test_liquid_stays_where_it_stands() -> None:
    body = _body(STYLED)
    rows = "".join(f'<tr class="{row}"><td>{row}</td></tr>' for row in "ab")
    assert rows in body.replace("<tbody>", "").replace("</tbody>", "")
    assert "<!--[if mso]><p>&lt;Ann&gt;</p><![endif]-->" in body
    assert 'href="/?a&amp;b"' in body


def test_html_without_a_style_block_is_as_it_was_written() -> None:
    text = "<P>Hello  {{ user.padding }}</p>\r\n<br>"
    assert _body(f"---\nsubject: x\n---\n{text}") == "<P>Hello  4px</p>\r\n<br>"


def test_in_app_messages_keep_their_style_block() -> None:
    text = "<style>p { color: red }</style><p>x</p>"
    assert _body(text, "in_app") == text


def test_no_stylesheet_is_fetched() -> None:
    link = '<link rel="stylesheet" href="http://127.0.0.1:9/none.css">'
    assert link in _body(f"<head>{link}<style>p {{ top: 0 }}</style></head><p>x</p>")


def test_what_fails_is_told_with_its_line_in_the_file() -> None:
    with pytest.raises(RenderFailed) as failed:
        _template(STYLED.replace("<b>y</b>", "\n{{ user.nobody }}")).render(ANN, strict=True)
    assert failed.value.line == STYLED.count("\n", 0, STYLED.index("<b>y")) + 2
    assert failed.value.path == "x.email.liquid"


@pytest.mark.parametrize(
    ("style", "becomes"),
    [
        ("{{ user.padding }}", "color: red;4px"),
        ("top: 1px; {{ user.padding }}; margin:0", "color: red;top: 1px;4px;margin: 0"),
        ("{% if user.dark %}margin: 0;{% endif %}", "color: red;margin: 0;"),
        ("margin: {{ user.padding }}", "color: red;margin: 4px"),
        ("background: url(data:image/png;base64,{{ user.padding }})",
         "color: red;background: url(data:image/png;base64,4px)"),
    ],
)  # fmt: skip
def test_liquid_may_stand_for_whole_declarations(style: str, becomes: str) -> None:
    text = f"<head><style>p {{ color: red }}</style></head><body><p style='{style}'>x</p></body>"
    assert f'<p style="{becomes}">x</p>' in _body(text)


@pytest.mark.parametrize("style", ["color red", "margin: 0; bold", "]"])
def test_a_style_that_is_no_css_is_a_fault_with_its_line(style: str) -> None:
    text = f"<style>p {{ color: red }}</style>\n<b style='top: 0'>x</b>\n<p style='{style}'>y</p>"
    with pytest.raises(TemplateFault) as caught:
        _template(f"---\nsubject: x\n---\n{text}")
    assert (caught.value.path, caught.value.line) == ("x.email.liquid", 6)
    assert caught.value.message.startswith("the style of <p> is no CSS")


def test_a_style_without_quotes_that_is_no_css_is_told_too() -> None:
    text = "---\nsubject: x\n---\n<style>p { color: red }</style><p style=bold>y</p>"
    with pytest.raises(TemplateFault) as caught:
        _template(text)
    assert caught.value.line == 4
    assert "cannot be inlined" in caught.value.message
