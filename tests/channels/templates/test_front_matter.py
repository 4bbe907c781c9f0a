from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import CHANNEL_IDS
from channels.templates.front_matter import (
    FRONT_KEYS,
    FrontValue,
    TemplateFault,
    split_front_matter,
)

PATH = "templates/cart.email.liquid"


def _front(text: str, channel: str = "email") -> dict[str, str]:
    parts = split_front_matter(channel, text, PATH, [])
    return {key: value.text for key, value in parts.front.items()}


def _fault(text: str, channel: str = "email") -> TemplateFault:
    (fault,) = _faults(text, channel)
    assert fault.path == PATH
    assert fault.hint
    return fault


def _faults(text: str, channel: str = "email") -> list[TemplateFault]:
    faults: list[TemplateFault] = []
    try:
        split_front_matter(channel, text, PATH, faults)
    except TemplateFault as fault:
        faults.append(fault)
    return faults


@pytest.mark.parametrize(
    "value", ["on", "no", "yes", "off", "012", "1:30", "50", "1e3", "true", "2026-01-01", "~"]
)
def test_every_value_is_the_text_that_was_written(value: str) -> None:
    assert _front(f"---\nsubject: {value}\n---\n") == {"subject": value}


def test_a_value_without_text_is_empty() -> None:
    assert _front("---\nsubject:\n---\n") == {"subject": ""}


@pytest.mark.parametrize("text", ["", "hello", "hello\n---\nsubject: x\n---\n", "----\n", "\n---"])
def test_without_a_first_fence_everything_is_body(text: str) -> None:
    parts = split_front_matter("email", text, PATH, [])
    assert (parts.front, parts.body, parts.body_line) == ({}, text, 1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_body_begins_after_the_second_fence(end: str) -> None:
    text = end.join(["---", "subject: x", "--- ", "a", "---", "b"])
    parts = split_front_matter("email", text, PATH, [])
    assert parts.front == {"subject": FrontValue("x", 2)}
    assert parts.body == end.join(["a", "---", "b"])
    assert parts.body_line == 4


def test_a_byte_order_mark_is_passed_over() -> None:
    assert _front("\ufeff---\nsubject: x\n---\n") == {"subject": "x"}


@pytest.mark.parametrize("head", ["", "\n", "# a comment\n"])
def test_front_matter_may_say_nothing(head: str) -> None:
    assert _front(f"---\n{head}---\nbody") == {}


def test_a_block_of_text_begins_on_the_line_after_its_key() -> None:
    parts = split_front_matter("email", "---\nsubject: |\n  a\n  b\n---\n", PATH, [])
    assert parts.front == {"subject": FrontValue("a\nb", 3)}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("---\nsubject: x\n", 1, "the front matter has no end"),
        ("---\n\nsubjct: x\n---\n", 3, "a template of email knows no 'subjct'"),
        ("---\nsubject: a\nsubject: b\n---\n", 3, "'subject' is there twice"),
        ("---\nsubject: {{ user.name }}\n---\n", 2, "'subject' is not a text"),
        ("---\nsubject: [a]\n---\n", 2, "'subject' is not a text"),
        ("---\nfrom: x\nsubject: Hi {{ a }}: b\n---\n", 3, "the front matter is not YAML"),
        ("---\n- subject\n---\n", 2, "the front matter is not a mapping"),
        ("---\njust text\n---\n", 2, "the front matter is not a mapping"),
        ("---\n? [a]\n: b\n---\n", 2, "a template of email knows no ''"),
        ("---\nsubject: \x00\n---\n", 2, "the front matter is not YAML"),
        ("---\n\tsubject: x\n---\n", 2, "the front matter is not YAML: a tab in column 1"),
        (
            "---\nsubject: a: b\n---\n",
            2,
            "the front matter is not YAML: a second `: ` in column 11",
        ),
        ("\n---\nsubject: x\n---\n", 2, "front matter that is not at the start"),
        (" ---\nsubject: x\n---\n", 1, "front matter that is not at the start"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, message: str) -> None:
    fault = _fault(text)
    assert fault.line == line
    assert fault.message.startswith(message)


def test_a_key_that_is_nearly_right_is_suggested() -> None:
    assert _fault("---\nsubjct: x\n---\n").hint == "did you mean 'subject'?"
    assert _fault("---\nzzz: x\n---\n").hint == "it knows subject, preheader, from, reply_to"


@pytest.mark.parametrize("channel", CHANNEL_IDS)
def test_each_channel_knows_its_own_keys(channel: str) -> None:
    for key in FRONT_KEYS[channel]:
        value = {"style": "toast", "expires": "7d"}.get(key, "x")
        assert _front(f"---\n{key}: {value}\n---\n", channel) == {key: value}
    assert _fault("---\nweight: x\n---\n", channel).message.endswith("in its front matter")


@pytest.mark.parametrize("said", ["soon", "7 d", "1m1h", "-1d", "1.5h", "99999999d"])
def test_how_long_a_message_lasts_is_checked_as_it_is_read(said: str) -> None:
    assert _fault(f"---\nexpires: {said}\n---\n", "in_app").hint == "30m, 1h30m or 7d"
    assert _front("---\nexpires: 1d12h\n---\n", "in_app") == {"expires": "1d12h"}


def test_a_style_that_is_none_is_told_at_once_and_one_that_is_rendered_later() -> None:
    assert (
        _fault("---\nstyle: popup\n---\n", "in_app").hint == "one of modal, banner, toast, tooltip"
    )
    assert _front("---\nstyle: '{{ event.style }}'\n---\n", "in_app") == {
        "style": "{{ event.style }}"
    }


@given(st.text(":-'\"{}[]|>&*!%#\n\t\x00\x85 abstylesubjct", max_size=80))
def test_any_front_matter_is_read_or_is_a_fault_in_one_of_its_lines(head: str) -> None:
    text = f"---\n{head}\n---\nbody"
    faults: list[TemplateFault] = []
    line = 1
    try:
        parts = split_front_matter("email", text, PATH, faults)
    except TemplateFault as fault:
        faults.append(fault)
    if faults:
        line = max(fault.line for fault in faults)
    else:
        assert parts.body.endswith("body")
    assert 1 <= line <= len(text.splitlines())
