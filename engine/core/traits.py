"""What identify calls say of a user: read within what a state can hold, and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLOAT_MAX = 10**308
"""Whole numbers beyond this are cut to it: a float holds no more."""

_decode = msgspec.json.Decoder(dict).decode
_encode = msgspec.msgpack.Encoder().encode


def read_traits(raw: msgspec.Raw) -> dict[str, Any]:
    """The traits of an identify call; {} where they are no JSON object. O(size).

    Whole numbers beyond 64 bits become floats, since a saved state holds no others: one of them
    must not keep its user, and all who are saved with it, from being saved.
    """
    try:
        said: dict[str, Any] = _decode(raw)
    except msgspec.MsgspecError:
        return {}
    try:
        _encode(said)
    except OverflowError:
        said = {key: _storable(value) for key, value in said.items()}
    return said


def merge_traits(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Later traits win by key; consent is merged channel by channel."""
    merged = {**known, **said}
    before, consent = known.get("consent"), said.get("consent")
    if isinstance(before, dict) and isinstance(consent, dict):
        merged["consent"] = {**before, **consent}
    return merged


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(max(-_FLOAT_MAX, min(value, _FLOAT_MAX)))
    return value
