from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CHANNEL_IDS
from channels.rendering import (
    TEMPLATE_MEMBERS,
    TEMPLATE_NAMES,
    Rendered,
    RenderFailed,
    Template,
    TemplateFault,
    UnknownName,
)
from channels.templates.parsing import parse_template

NOW_MS = 1_767_225_600_000
ANN = {"user": {"first_name": "Ann", "tier": "<gold> & more"}}


def _template(text: str, channel: str = "sms") -> Template:
    return parse_template("reminder", channel, text, "templates/reminder.liquid")


def _render(text: str, channel: str = "sms", context: Any = None, **how: Any) -> Rendered:
    return _template(text, channel).render(ANN if context is None else context, **how)


def test_front_matter_and_body_are_both_rendered() -> None:
    text = "---\nsubject: 'Hi {{ user.first_name }}'\n---\nDear {{ user.first_name }},\n"
    assert _render(text, "email") == Rendered(
        front={"subject": "Hi Ann"}, body="Dear Ann,\n", html=False, undefined=0
    )


def test_every_documented_name_is_known() -> None:
    said = {name: {"x"} for name in TEMPLATE_NAMES} | TEMPLATE_MEMBERS
    text = "".join(
        f"{{{{ {name}.{member} }}}}" for name, members in said.items() for member in members
    )
    assert _template(text).unknown_names == ()


def test_a_name_that_nothing_gives_is_found_with_its_line_and_its_like() -> None:
    text = "---\nsubject: '{{ usr.x }}'\n---\n\n{{ cart.size }} {{ gizmo }} {{ now }}"
    assert _template(text, "email").unknown_names == (
        UnknownName("usr", 2, "user"),
        UnknownName("gizmo", 5, None),
    )


def test_a_slip_behind_a_name_that_is_the_same_for_everybody_is_found_once() -> None:
    text = "{{ links.unsub }}\n{{ links.unsubscrib }} {{ links.unsub }} {{ cart['itms'] }}"
    assert _template(text).unknown_names == (
        UnknownName("links.unsub", 1, "links.unsubscribe"),
        UnknownName("cart.itms", 2, "cart.items"),
        UnknownName("links.unsubscrib", 2, "links.unsubscribe"),
    )


def test_names_that_a_template_makes_are_known_to_it() -> None:
    text = "{% assign n = cart.size %}{% for item in cart.items %}{{ item.x }}{{ n }}{% endfor %}"
    assert _template(text).unknown_names == ()


def test_a_shops_own_collections_can_be_named() -> None:
    names = TEMPLATE_NAMES | {"wishlist"}
    made = parse_template("x", "sms", "{{ wishlist.size }}", "x", names=names)
    assert made.unknown_names == ()


@pytest.mark.parametrize(
    ("channel", "text", "html", "body"),
    [
        ("email", "<p>{{ user.tier }}</p>", True, "<p>&lt;gold&gt; &amp; more</p>"),
        ("email", "Tier: {{ user.tier }}", False, "Tier: <gold> & more"),
        ("email", "1 < 2, {{ user.tier }}", False, "1 < 2, <gold> & more"),
        ("email", "<p>{{ user.tier | safe }}</p>", True, "<p><gold> & more</p>"),
        ("in_app", "Tier: {{ user.tier }}", True, "Tier: &lt;gold&gt; &amp; more"),
        ("sms", "Tier: {{ user.tier }}", False, "Tier: <gold> & more"),
        ("push", "Tier: {{ user.tier }}", False, "Tier: <gold> & more"),
        ("webhook", '{"t": {{ user.tier | json }}}', False, '{"t": "<gold> & more"}'),
    ],
)
def test_values_are_escaped_where_the_body_is_html(
    channel: str, text: str, html: bool, body: str
) -> None:
    rendered = _render(text, channel)
    assert (rendered.html, rendered.body) == (html, body)


@pytest.mark.parametrize(("channel", "key"), [("email", "subject"), ("in_app", "title")])
def test_headings_are_not_escaped(channel: str, key: str) -> None:
    rendered = _render(f"---\n{key}: '{{{{ user.tier }}}}'\n---\n<p>x</p>", channel)
    assert rendered.front == {key: "<gold> & more"}


def test_a_value_with_a_tag_does_not_make_a_text_mail_html() -> None:
    context = {"user": {"first_name": "<b>Ann</b>"}}
    assert _render("Hi {{ user.first_name }}", "email", context).html is False


def test_a_webhooks_body_is_kept_to_the_last_blank() -> None:
    assert _render("---\n---\n {}\r\n\n", "webhook").body == " {}\r\n\n"


def test_an_sms_has_no_blanks_around_it() -> None:
    assert _render("\nHi {{ user.first_name }}\n\n").body == "Hi Ann"


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('aé"\\\n\x00{}%'),
    )
)
def test_json_of_any_value_reads_back(value: dict[str, object]) -> None:
    rendered = _render('{"v": {{ event | json }}}', "webhook", {"event": value})
    assert msgspec.json.decode(rendered.body) == {"v": value}


def test_json_of_what_is_missing_is_null_and_counted() -> None:
    rendered = _render("[{{ user.nope | json }}]", "webhook")
    assert (rendered.body, rendered.undefined) == ("[null]", 1)


@pytest.mark.parametrize(
    ("text", "body", "undefined"),
    [
        ("{{ user.nope }}", "", 1),
        ("{{ user.nope.deeper }}", "", 1),
        ("{{ nope }}", "", 1),
        ("{{ user.nope }}{{ user.nope }}", "", 2),
        ("{{ user.nope | upcase | append: '!' }}", "!", 1),
        ("{{ user.nope | plus: 1 }}", "1", 1),
        ("{{ user.nope | default: 'you' }}", "you", 0),
        ("{% if user.nope %}x{% else %}y{% endif %}", "y", 0),
        ("{% if user.nope == 'a' %}x{% endif %}", "", 0),
        ("{% for item in user.nope %}x{% endfor %}", "", 1),
        ("{% assign n = user.nope %}{{ n }}", "", 1),
        ("{{ user.first_name }}", "Ann", 0),
    ],
)
def test_what_is_missing_renders_empty_and_is_counted_where_it_is_shown(
    text: str, body: str, undefined: int
) -> None:
    rendered = _render(text)
    assert (rendered.body, rendered.undefined) == (body, undefined)


def test_missing_values_are_counted_for_each_rendering_alone() -> None:
    template = _template("{{ user.nope }}")
    assert [template.render(ANN).undefined for _ in range(3)] == [1, 1, 1]


def test_a_value_of_none_is_there_and_empty() -> None:
    assert _render("[{{ user.x }}]", context={"user": {"x": None}}).undefined == 0


def test_in_strict_mode_the_first_missing_value_is_told_with_line_and_column() -> None:
    with pytest.raises(RenderFailed) as failed:
        _render("---\nsubject: x\n---\n\n  {{ user.nope }}", "email", strict=True)
    assert (failed.value.line, failed.value.column) == (5, 6)
    assert failed.value.reason == "user.nope is undefined"
    assert failed.value.template == "reminder"


def test_in_strict_mode_asking_whether_a_value_is_there_is_no_fault() -> None:
    text = "{{ user.nope | default: 'you' }}{% if user.nope %}x{% endif %}"
    assert _render(text, strict=True).body == "you"


def test_a_fault_in_the_front_matter_is_told_with_its_own_line() -> None:
    with pytest.raises(RenderFailed) as failed:
        _render("---\nfrom: x\nsubject: '{{ user.nope }}'\n---\nx", "email", strict=True)
    assert failed.value.line == 3


def test_front_matter_that_comes_out_empty_is_left_out() -> None:
    text = "---\nsubject: ' {{ user.first_name }} '\nreply_to: '{{ user.nope }}'\n---\nx"
    assert _render(text, "email").front == {"subject": "Ann"}


def test_a_style_that_comes_out_unknown_fails() -> None:
    text = "---\ntitle: x\nstyle: '{{ user.tier }}'\n---\nx"
    with pytest.raises(RenderFailed, match="modal, banner, toast, tooltip") as failed:
        _render(text, "in_app")
    assert failed.value.line == 3


def test_now_is_the_instant_that_was_given() -> None:
    text = "{{ now | date: '%Y-%m-%d %H:%M' }} {{ 'today' | date: '%Y', 'Asia/Tokyo' }}"
    assert _render(text, now_at_ms=NOW_MS).body == "2026-01-01 00:00 2026"


def test_without_an_instant_now_is_missing_as_any_other_name() -> None:
    rendered = _render("[{{ now }}{{ now | date: '%Y' }}{{ 'now' | date: '%Y' }}]")
    assert (rendered.body, rendered.undefined) == ("[]", 2)


def test_a_rendering_is_a_function_of_its_inputs() -> None:
    text = "{{ now }}{{ 'now' | date: '%f %c' }}{{ user | json }}{% cycle 'a', 'b' %}"
    template = _template(text)
    assert len({template.render(ANN, now_at_ms=NOW_MS).body for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\n\n{{ user.x", 3, "expected '}}', found end of file"),
        ("a\n{% if user.x %}\n{% if user.y %}{% endif %}\n", 2, "expected tag endif"),
        ("a\n{% if user.x %}{% endif %}\n{% for x in cart.items %}\n", 3, "expected tag endfor"),
        ("a\n{% endif %}", 2, "unexpected tag 'endif'"),
        ("\n\n{% wibble %}", 3, "unexpected tag 'wibble'"),
        ("{{ user.x }}\n{{ user. }}\n{{ user.y }}", 2, "expected an identifier"),
        ("\n{% assign = 1 %}", 2, "expected"),
        ("{% include 'x' %}", 1, "unexpected tag 'include'"),
        ("{% render 'x' %}", 1, "unexpected tag 'render'"),
        ("a\nb {{ user.x | upcas }}", 2, "there is no filter 'upcas'"),
    ],
)
def test_a_fault_in_the_body_is_told_with_its_line_in_the_file(
    text: str, line: int, message: str
) -> None:
    for before, lines in (("", 0), ("---\nsubject: x\n---\n", 3)):
        with pytest.raises(TemplateFault) as fault:
            _template(before + text, "email")
        assert fault.value.line == line + lines
        assert fault.value.message.startswith(message)
        assert fault.value.path == "templates/reminder.liquid"
        assert fault.value.hint


def test_a_filter_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(TemplateFault) as fault:
        _template("{{ user.x | upcas }}")
    assert fault.value.hint == "did you mean 'upcase'?"


@pytest.mark.parametrize("text", ["", " \n\n"])
@pytest.mark.parametrize("channel", ["email", "push", "sms", "in_app"])
def test_an_empty_template_says_nothing_to_anybody_and_is_a_fault(channel: str, text: str) -> None:
    with pytest.raises(TemplateFault, match="the template is empty") as fault:
        _template(text, channel)
    assert fault.value.line == 1
    assert fault.value.hint


def test_a_mail_wants_a_body_below_its_subject() -> None:
    with pytest.raises(TemplateFault, match="the template has no body") as fault:
        _template("---\nsubject: x\n---\n \n", "email")
    assert fault.value.line == 4


def test_a_title_alone_is_a_message_and_a_webhook_may_be_empty() -> None:
    assert _render("---\ntitle: x\n---\n", "push").front == {"title": "x"}
    assert _render("", "webhook") == Rendered(front={}, body="", html=False, undefined=0)


def test_all_faults_of_a_template_are_told_at_once() -> None:
    text = (
        "---\nsubjct: x\nfrm: y\npreheader: '{{ user.a'\n---\n{{ user.a | upcas }}\n"
        "{{ user.b | dwncase }}\n"
    )
    with pytest.raises(TemplateFault) as caught:
        _template(text, "email")
    faults = [caught.value, *caught.value.also]
    assert [fault.line for fault in faults] == [2, 3, 4, 6, 7]
    assert [fault.hint for fault in faults[:2]] == [
        "did you mean 'subject'?",
        "did you mean 'from'?",
    ]
    assert [fault.hint for fault in faults[3:]] == [
        "did you mean 'upcase'?",
        "did you mean 'downcase'?",
    ]


@given(st.text("{}%-|.: \n'\"abuser<>/", max_size=60), st.sampled_from(CHANNEL_IDS))
def test_any_text_is_a_template_or_a_fault_in_one_of_its_lines(text: str, channel: str) -> None:
    line = 1
    try:
        assert _template(text, channel).render({}).undefined >= 0
    except (TemplateFault, RenderFailed) as fault:
        line = fault.line
    assert 1 <= line <= text.count("\n") + 1
