from __future__ import annotations

from typing import Any

import pytest

from channels.rendering import RenderFailed, TemplateFault
from channels.templates.metering import ITEMS_MAX, OUTPUT_BYTES_MAX
from channels.templates.parsing import parse_template
from channels.templates.sandbox import Sandbox

ODD = (None, True, -1, 1.5, float("inf"), "", "é<&\x00", [], [[1], {"a": None}], {"a": 1}, {})


def _render(text: str, **context: Any) -> str:
    return parse_template("x", "sms", text, "x").render(context).body


def _told(text: str, **context: Any) -> str:
    """What came of it: a text, or the reason why not. Anything else that is raised is a bug."""
    try:
        return f"rendered {_render(text, **context)}"
    except RenderFailed as failed:
        return failed.reason


def test_the_largest_loop_still_runs() -> None:
    assert len(_render(f"{{% for i in (1..{ITEMS_MAX}) %}}x{{% endfor %}}")) == ITEMS_MAX


@pytest.mark.parametrize(
    "text",
    [
        f"{{% for i in (1..{ITEMS_MAX + 1}) %}}x{{% endfor %}}",
        "{% for i in (1..101) %}{% for j in (1..100) %}x{% endfor %}{% endfor %}",
        "{{ (1..1000000000) | join: ',' }}",
        "{{ (1..1000000000) | reverse | size }}",
        "{% assign a = user.big | append: user.big %}",
        "{{ user.big | replace: '', user.big }}",
        "{{ user.big | replace: 'x', 'xx' }}",
        "{% assign a = user.big | split: '' %}",
        "{% assign a = user.wide | split: ',' %}{{ a | join: user.big }}",
        "{% assign a = user.items | concat: user.items %}",
        "{{ user.big }}{{ user.big }}",
        "{% capture a %}{{ user.big }}{{ user.big }}{% endcapture %}",
        "{% assign n = 99999999999999999999 %}" + "{% assign n = n | times: n %}" * 20,
        "{% if 1 %}" * 40 + "{% endif %}" * 40,
        "{% for i in (1..10000) %}{% endfor %}" * 2_000,
        "{% for i in (1..10000) %}" + "{% if user.no %}{% endif %}" * 2_000 + "{% endfor %}",
        "{% tablerow i in (1..10000) %}" + "{{ user.no }}" * 2_000 + "{% endtablerow %}",
        "{% for i in (1..1000) %}{% assign a = user.big | size %}{% endfor %}",
        "{% for i in (1..5000) %}{% assign a = user.items | sort | reverse | first %}{% endfor %}",
    ],
    ids=lambda text: text[:40],
)
def test_what_would_grow_without_bound_fails_instead(text: str) -> None:
    user = {
        "big": "x" * (OUTPUT_BYTES_MAX * 2 // 3),
        "wide": "a," * 5_000,
        "items": ["x"] * (ITEMS_MAX * 2 // 3),
    }
    with pytest.raises(Exception, match=r"limit|too l|too large|nesting|too much work") as failed:
        _render(text, user=user)
    assert type(failed.value).__name__ in {"RenderFailed", "TemplateFault", "WorkTooMuch"}


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 | divided_by: 0 }}",
        "{{ 1 | modulo: 0 }}",
        "{{ user.x | date: '%Y', 'Mars/Olympus' }}",
        "{{ 'x' | slice: 'y' }}",
        "{{ user.map | sort }}",
        "{{ 'x' | truncate: 'y' }}",
        "{{ user.map | map: user.map }}",
        "{{ 'zz' | base64_decode }}",
        "{{ 1e400 | round }}",
    ],
)
def test_a_filter_that_cannot_take_its_value_fails_or_gives_a_text(text: str) -> None:
    assert _told(text, user={"x": 1, "map": [{}, 1, "a", None]})


@pytest.mark.parametrize("name", sorted(Sandbox(autoescape=False).filters))
def test_no_filter_gets_out_on_any_value(name: str) -> None:
    for arguments in ("", ": user.v", ": 'a', user.v", ": 2, 'b'"):
        template = f"{{{{ user.v | {name}{arguments} }}}}"
        assert [_told(template, user={"v": value}) for value in ODD]


def test_nothing_of_python_can_be_reached() -> None:
    text = "[{{ user.__class__ }}{{ user.x.upper }}{{ user.items }}{{ user['__dict__'] }}]"
    assert _render(text, user={"x": "a"}) == "[]"


@pytest.mark.parametrize(
    "text", ["{{ user.list | join: user.big }}", "{{ user.big | replace: 'x', 'xx' }}"]
)
def test_what_multiplies_its_inputs_is_refused_before_it_is_made(text: str) -> None:
    name = "join" if "join" in text else "replace"
    reason = _told(text, user={"list": ["a"] * 100, "big": "x" * (OUTPUT_BYTES_MAX // 2 + 1)})
    assert reason == f"'{name}' would make too long a text"


@pytest.mark.parametrize("tag", ["{% include 'x' %}", "{% render 'x' %}", "{% layout 'x' %}"])
def test_no_template_reads_another_file(tag: str) -> None:
    with pytest.raises(TemplateFault, match="unexpected tag"):
        _render(tag)


def test_a_trait_of_ten_megabytes_is_no_text_of_a_message() -> None:
    user = {"name": "x" * 10_000_000}
    assert _told("{{ user.name }}", user=user).startswith("output stream limit")
    assert _told("{{ user.name | upcase }}", user=user) == "a filter's value is too large"
    assert _told("{{ user.name | truncate: 5 }}", user=user) == "a filter's value is too large"
    assert _told("{% if user.name %}Hello{% endif %}", user=user) == "rendered Hello"
