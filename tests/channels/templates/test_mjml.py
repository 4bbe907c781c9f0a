from __future__ import annotations

import pytest

from channels.rendering import RenderFailed, Template, TemplateFault
from channels.templates import mjml
from channels.templates.mjml import compile_mjml
from channels.templates.parsing import parse_template

CART = {
    "user": {"first_name": "<Ann>", "locale": "fr-FR"},
    "cart": {"items": [{"name": "Fern", "url": "https://a.example/?a=1&b=2"}, {"name": "Oak"}]},
}
MAIL = """---
subject: Your cart
---
{%- assign hello = "Hello" -%}
<mjml>
  <mj-head><mj-preview>{{ hello }}, {{ user.first_name }}</mj-preview></mj-head>
  <mj-body>
    {% for item in cart.items %}
    <mj-section>
      <mj-column>
        {% if item.url %}
        <mj-button href="{{ item.url | default: "none" }}">See {{ item.name }}</mj-button>
        {% endif %}
        <mj-table>
          {%- for n in (1..2) %}<tr><td>{{ item.name }} {{ n }}</td></tr>{% endfor -%}
        </mj-table>
      </mj-column>
    </mj-section>
    {% endfor %}
    <mj-section><mj-column><mj-text>{{ user.nobody }}</mj-text></mj-column></mj-section>
  </mj-body>
</mjml>
"""


def _template(body: str) -> Template:
    return parse_template("cart", "email", f"---\nsubject: x\n---\n{body}", "cart.email.liquid")


def _faults(body: str) -> list[tuple[int, str]]:
    with pytest.raises(TemplateFault) as raised:
        _template(body)
    assert all(fault.hint for fault in (raised.value, *raised.value.also))
    return [(fault.line - 3, fault.message) for fault in (raised.value, *raised.value.also)]


def test_mjml_becomes_html_as_it_is_loaded_with_its_liquid_in_it() -> None:
    rendered = parse_template("cart", "email", MAIL, "x").render(CART)
    assert rendered.html
    assert rendered.body.startswith("<!doctype html>")
    assert "mj-" not in rendered.body.replace("mj-column", "").replace("mj-outlook", "")
    assert "Hello, &lt;Ann&gt;" in rendered.body
    assert 'href="https://a.example/?a=1&amp;b=2"' in rendered.body
    assert rendered.body.count("See ") == 1
    assert rendered.undefined == 1


def test_liquid_between_rows_of_a_table_stays_between_them() -> None:
    body = parse_template("cart", "email", MAIL, "x").render(CART).body
    rows = "".join(f"<tr><td>Fern {n}</td></tr>" for n in (1, 2))
    assert rows in body.replace("<tbody>", "").replace("</tbody>", "")


def test_the_language_of_the_shop_is_that_of_the_mail_unless_it_says_another() -> None:
    empty = "<mjml{}><mj-body></mj-body></mjml>"
    assert 'lang="en"' in _template(empty.format("")).render({}).body
    assert 'lang="it"' in _template(empty.format(' lang="it"')).render({}).body


def test_no_font_is_asked_of_anybody_unless_the_mail_names_it() -> None:
    text = "<mj-section><mj-column><mj-text>a</mj-text></mj-column></mj-section>"
    assert "fonts.g" not in _template(f"<mjml><mj-body>{text}</mj-body></mjml>").render({}).body


def test_a_name_that_is_missing_is_told_with_its_line_in_the_file() -> None:
    template = parse_template("cart", "email", MAIL, "x")
    with pytest.raises(RenderFailed, match="nobody") as failed:
        template.render(CART, strict=True)
    assert MAIL.splitlines()[failed.value.line - 1].strip().endswith("mj-section>")
    assert "user.nobody" in MAIL.splitlines()[failed.value.line - 1]


SECTION = "<mjml><mj-body><mj-section>\n<mj-column>{}</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("body", "line", "told"),
    [
        (SECTION.format("\n<mj-txt>a</mj-txt>"), 3, "there is no element mj-txt in MJML"),
        (SECTION.format("<mj-include path='/etc/passwd'/>"), 2, "mj-include is not read"),
        (
            SECTION.format("</mj-section>"),
            2,
            "</mj-section> closes nothing; mj-column of line 5 is open",
        ),
        ("<mjml>\n<mj-body></mj-body>", 1, "<mjml> is never closed"),
        (
            SECTION.format("<mj-text {% if x %}color='red'{% endif %}>a</mj-text>"),
            2,
            "Liquid among the attributes of mj-text",
        ),
        (SECTION.format("<mj-social>\n<mj-raw/></mj-social>"), 3, "no MJML: unexpected element"),
        (SECTION.format("") + "\n<p>more</p>", 3, "there is something behind </mjml>"),
        (SECTION.format("{% if %}"), 2, "missing expression"),
        (SECTION.format("{{ a | upcas }}"), 2, "there is no filter 'upcas'"),
    ],
)
def test_mjml_at_fault_is_told_with_its_line(body: str, line: int, told: str) -> None:
    assert _faults(body) == [(line, told)]


def test_blocks_that_cross_elements_are_told_where_they_end() -> None:
    (fault,) = _faults(
        "<mjml><mj-body><mj-section><mj-column><mj-social>\n{% if a %}"
        '<mj-social-element name="x">X</mj-social-element></mj-social>{% endif %}'
        "</mj-column></mj-section></mj-body></mjml>\n{% endif %}"
    )
    assert fault[0] >= 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Qualité > Prix", "Qualité &gt; Prix"),
        ("à partir de 5 €> ici", "à partir de 5 €&gt; ici"),
        ("𝄞>", "𝄞&gt;"),
        ("a > b", "a > b"),
        ("{{ user.first_name }} é > <b>é > c</b>", "&lt;Ann&gt; é &gt; <b>é &gt; c</b>"),
    ],
)
def test_a_greater_than_behind_an_accent_is_text_as_any_other(text: str, shown: str) -> None:
    """The compiler panics where it would have to look two bytes back, into a character."""
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>"
        f"{text}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert f">{shown}</div>" in _template(body).render(CART).body


def test_a_greater_than_behind_an_accent_in_a_style_stays_one() -> None:
    style = "<mj-style>p.é > b {margin: 0}</mj-style>"
    body = f"<mjml><mj-head>{style}</mj-head><mj-body></mj-body></mjml>"
    assert "p.é   > b {margin: 0}" in compile_mjml(body, 1, "x", "fr")[0]


def test_what_the_compiler_panics_at_is_a_fault_as_any_other() -> None:
    with pytest.raises(OSError, match="the compiler cannot read it"):
        mjml._compiled("<mjml><mj-body>é > b</mj-body></mjml>")
