"""What an ecommerce event says of the item that it names: which, how many, at what price.

Shops send what they send: prices that are texts, quantities below zero, descriptions of a hundred
kilobytes. Whatever it is, it is read as a shop would expect, or not believed, and never an error.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, TypedDict, cast

import msgspec

KEY_LENGTH_MAX = 200
"""Characters of what tells one item from another."""

ITEM_BYTES_MAX = 2_048
"""Bytes of an item's properties, as JSON; beyond it the largest are left out."""

QUANTITY_MAX = 1_000_000_000
"""A quantity that is more is not believed."""

PRICE_MAX = 1_000_000_000_000
"""A price that is more, or less than its negative, is not believed."""

DECIMALS = 6
"""Of a quantity: 0.1 + 0.2 - 0.3 is nothing."""

_PLAIN_NUMBER = re.compile(r"\s*[+-]?\d{1,15}(?:\.\d{1,15})?\s*", re.ASCII)
_INTEGER_MAX = 1 << 63

_decode = msgspec.json.Decoder(dict).decode
_encode = msgspec.json.Encoder().encode
_typed_dict = cast("Any", TypedDict)


class ItemSaid(msgspec.Struct, gc=False):
    """What one event says of one item.

    Attributes:
        key: What tells it from others; never empty.
        quantity: How many pieces; more than 0.
        price: Of one piece; 0 where none can be read.
        properties: Of the event, as JSON, within `ITEM_BYTES_MAX`; b"" where nobody asks for them.
    """

    key: str
    quantity: int | float
    price: float
    properties: bytes


class ItemReader:
    """Reads items from the properties of events.

    Args:
        key: The property that tells one item from another.
        whole: Whether anything asks for the other properties.
    """

    __slots__ = ("_key", "_read", "_whole")

    def __init__(self, key: str, *, whole: bool) -> None:
        self._key = key
        self._whole = whole
        self._read: Any = _decode
        if not whole:
            asked = dict.fromkeys((key, "price", "quantity"), Any)
            self._read = msgspec.json.Decoder(_typed_dict("Asked", asked, total=False)).decode

    def say(self, raw: msgspec.Raw) -> ItemSaid | None:
        """The item that an event names; None where it names none, or no piece of it. O(size)."""
        try:
            said: dict[str, Any] = self._read(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # no object
            return None
        key = _key_of(said.get(self._key))
        quantity = _number(said.get("quantity"), QUANTITY_MAX)
        quantity = 1 if quantity is None else round(quantity, DECIMALS)
        if not key or quantity <= 0:
            return None
        price = _number(said.get("price"), PRICE_MAX)
        properties = b""
        if self._whole:
            properties = bytes(raw)
            if len(properties) > ITEM_BYTES_MAX:
                properties = _shed(said, self._key)
        return ItemSaid(key, quantity, 0.0 if price is None else float(price), properties)


def _key_of(value: object) -> str:
    """What tells an item from another; 7, 7.0 and "7" are one. "" where it does not."""
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INTEGER_MAX:
        return str(value)
    if isinstance(value, str) and len(value) <= KEY_LENGTH_MAX and not value.isspace():
        return value
    return ""


def _number(value: object, most: int) -> int | float | None:
    """A number, or a text that is one; None for anything else, and for what is not believed."""
    if isinstance(value, str):
        if not _PLAIN_NUMBER.fullmatch(value):
            return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -most <= value <= most:  # NaN neither
        return None
    return int(value) if value == int(value) else value


def _shed(said: dict[str, Any], key: str) -> bytes:
    """Properties within `ITEM_BYTES_MAX`, without the largest of them. O(n log n)."""
    sizes = {name: len(_encode({name: value})) - 1 for name, value in said.items()}
    room = ITEM_BYTES_MAX - 1
    kept = set()
    # What the collection itself is about goes in first, then the smallest.
    for name in sorted(sizes, key=lambda name: (name not in {key, "price"}, sizes[name])):
        if sizes[name] <= room:
            room -= sizes[name]
            kept.add(name)
    return _encode({name: value for name, value in said.items() if name in kept})
