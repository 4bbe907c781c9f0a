"""Properties of an event, decoded as far as they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FLOAT_MAX = 10**308
"""Whole numbers beyond this are cut to it: a float holds no more."""

_INT_MIN, _INT_END = -(2**63), 2**64
"""Whole numbers that can be saved; the end not included."""

read_object = msgspec.json.Decoder(dict[str, Any]).decode
"""All properties; raises `msgspec.MsgspecError` for what is no JSON object."""

_decode = msgspec.json.Decoder().decode
_typed_dict = cast("Any", TypedDict)


def reader(names: Iterable[str] | None) -> Callable[[bytes], Any]:
    """A decoder of these properties that skips the others; None: of all of them.

    Where names are given it raises `msgspec.ValidationError` for what is no JSON object.
    """
    if names is None:
        return _decode
    asked = sorted(names)
    if not "".join(asked).isascii():
        # The decoder of named fields passes over names beyond ASCII (msgspec 0.22).
        kept = frozenset(asked)
        return lambda raw: {name: value for name, value in read_object(raw).items() if name in kept}
    fields = _typed_dict("Asked", dict.fromkeys(asked, Any), total=False)
    return msgspec.json.Decoder(fields).decode


def storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value as a user's state can hold it: whole numbers past 64 bits become floats."""
    if isinstance(value, dict):
        return {key: storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    if isinstance(value, int) and not _INT_MIN <= value < _INT_END:
        return float(max(-_FLOAT_MAX, min(value, _FLOAT_MAX)))
    return value
