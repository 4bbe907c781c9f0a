"""How long a text is as an SMS: which alphabet it takes, and how many segments (3GPP TS 23.038).

A text of the GSM alphabet has 160 characters in one segment, else 153 in each; one with any other
character goes as UTF-16, with 70 and 67. Neither an escaped character nor a surrogate pair is cut.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

Alphabet: TypeAlias = Literal["GSM-7", "UCS-2"]

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED: Final = frozenset("\f^{}\\[~]|€")
"""Those that take two places each."""

_PLACES: Final[dict[Alphabet, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""Places of a segment that is alone, and of each of several."""

_BEYOND_BMP: Final = 0xFFFF


class Length(msgspec.Struct, frozen=True):
    """How long a text is.

    Attributes:
        alphabet: `GSM-7`, or `UCS-2` where one character is beyond that.
        places: Septets, or code units of UTF-16.
        segments: What a provider bills; 1 for an empty text.
    """

    alphabet: Alphabet
    places: int
    segments: int


def measure(text: str) -> Length:
    """Count the segments of a text. O(length)."""
    alphabet: Alphabet = "GSM-7" if _BASIC.union(_ESCAPED).issuperset(text) else "UCS-2"
    widths = [_width(character, alphabet) for character in text]
    places, (alone, each) = sum(widths), _PLACES[alphabet]
    if places <= alone:
        return Length(alphabet, places, 1)
    segments, filled = 1, 0
    for width in widths:
        if filled + width > each:
            segments, filled = segments + 1, 0
        filled += width
    return Length(alphabet, places, segments)


def _width(character: str, alphabet: Alphabet) -> int:
    if alphabet == "GSM-7":
        return 2 if character in _ESCAPED else 1
    return 2 if ord(character) > _BEYOND_BMP else 1
