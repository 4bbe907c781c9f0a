from __future__ import annotations

import pytest

from channels.gsm import Length, measure


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", Length("GSM-7", 0, 1)),
        ("a" * 160, Length("GSM-7", 160, 1)),
        ("a" * 161, Length("GSM-7", 161, 2)),
        ("a" * 306, Length("GSM-7", 306, 2)),
        ("a" * 307, Length("GSM-7", 307, 3)),
        ("ß€" + "a" * 157, Length("GSM-7", 160, 1)),
        ("ß€" + "a" * 158, Length("GSM-7", 161, 2)),
        ("ç", Length("UCS-2", 1, 1)),
        ("世" * 70, Length("UCS-2", 70, 1)),
        ("世" * 71, Length("UCS-2", 71, 2)),
        ("世" * 134, Length("UCS-2", 134, 2)),
        ("世" * 135, Length("UCS-2", 135, 3)),
        ("😀" * 35, Length("UCS-2", 70, 1)),
    ],
)
def test_a_text_has_as_many_segments_as_are_billed(text: str, length: Length) -> None:
    assert measure(text) == length


def test_a_character_of_two_places_is_not_cut_between_segments() -> None:
    # Each segment ends one place early: 152 of 153, and 66 of 67.
    assert measure("a" * 152 + "€" + "a" * 151).segments == 2
    assert measure("a" * 152 + "€" + "a" * 152).segments == 3
    assert measure("世" * 66 + "😀" + "世" * 65).segments == 2
    assert measure("世" * 66 + "😀" + "世" * 66).segments == 3
