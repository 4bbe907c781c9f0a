"""The answers that an in-app message lists."""

from __future__ import annotations

import pytest

from channels.templates.choices import choices as choices_of
from channels.templates.choices import list_answers
from channels.templates.front_matter import TemplateFault
from channels.templates.parsing import parse_template


@pytest.mark.parametrize(
    ("said", "choices"),
    [
        ("1-5", ["1", "2", "3", "4", "5"]),
        ("Yes, No,", ["Yes", "No"]),
        ("5-1", ["5-1"]),
        ("0-9999", ["0-9999"]),
        (f"1-{'9' * 5_000}", [f"1-{'9' * 5_000}"]),
        ("", []),
    ],
)
def test_answers_are_a_range_or_a_list(said: str, choices: list[str]) -> None:
    assert choices_of(said) == choices


@pytest.mark.parametrize(
    ("said", "lists"),
    [
        ("1-5", True),
        ("7-7", True),
        ("Yes, No", True),
        ("5-1, 2", True),
        ("-", True),
        ("5-1", False),
        ("0-9999", False),
        (",", False),
        ("", False),
    ],
)
def test_a_range_that_is_none_and_an_empty_list_are_no_answers(said: str, lists: bool) -> None:
    assert list_answers(said) is lists


@pytest.mark.parametrize(
    ("front", "line", "told"),
    [
        ("survey: nps\nchoices: 5-1", 3, "'5-1' lists no answers"),
        ("choices: 1-5\nsurvey: nps", 0, ""),
        ("title: a\nchoices: 1-5", 3, "choices without a survey"),
        ('survey: nps\nchoices: "{{ user.answers }}"', 0, ""),
    ],
)
def test_choices_that_ask_nothing_are_faults(front: str, line: int, told: str) -> None:
    text = f"---\n{front}\n---\nHow was it?"
    if not told:
        assert parse_template("t", "in_app", text, "t.in_app.liquid").front_keys
        return
    with pytest.raises(TemplateFault, match=told) as fault:
        parse_template("t", "in_app", text, "t.in_app.liquid")
    assert fault.value.line == line
