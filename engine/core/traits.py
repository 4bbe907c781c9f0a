"""What identify calls say of a user: read within what a state can hold, and merged.

A user is saved whole with everything that happens to him, so that what is known of him is bounded.
What would put him over a bound is refused whole, and changes nothing but his consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.items import TRAITS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.state import User

TRAITS_BYTES_MAX = 64 << 10
"""Bytes of all traits of one user, as they are saved."""

CONSENT_CHANNELS = ("email", "push", "sms", "in_app", "webhook")
"""Whose consent is taken also from an identify call that is refused."""

_SHORT_MAP, _LONG_MAP = 1 << 4, 1 << 16
"""Entries from which on msgpack writes a longer head of a map."""

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


def tell(user: User, said: dict[str, Any]) -> str:
    """Merge what an identify call said into its user; why it is refused, or "".

    Refused whole is what would leave the user with more than `TRAITS_MAX` traits or more than
    `TRAITS_BYTES_MAX`, and with more than before. Of a refused one the consent alone is taken,
    channel by channel: nobody is written to against his word because his profile is full.
    O(size of what was said and of what it replaces), and a copy of the map.
    """
    known = user.traits
    merged = merge_traits(known, said)
    size_before = user.traits_bytes or traits_bytes(known)  # 0 too where an older version saved it
    fresh = {key: merged[key] for key in said}
    gone = {key: known[key] for key in said if key in known}
    size = size_before + traits_bytes(fresh) - traits_bytes(gone)
    reason = ""
    if len(merged) > TRAITS_MAX and len(merged) > len(known):
        reason = f"the user would have {len(merged)} traits, more than {TRAITS_MAX}"
    elif size > TRAITS_BYTES_MAX and size > size_before:
        reason = f"the user would have {size} bytes of traits, more than {TRAITS_BYTES_MAX}"
    if reason:
        consent = _consent(known, said)
        if consent is None:
            return reason
        # At most one plain word a channel goes beyond the bound.
        merged = {**known, "consent": consent}
        gone = {"consent": known["consent"]} if "consent" in known else {}
        size = size_before + traits_bytes({"consent": consent}) - traits_bytes(gone)
    user.traits, user.traits_bytes = merged, size
    return reason


def traits_bytes(traits: Mapping[str, Any]) -> int:
    """What traits add to a saved state: keys and values, without the head of the map. O(size)."""
    if not traits:
        return 0
    count = len(traits)
    head = 1 if count < _SHORT_MAP else 3 if count < _LONG_MAP else 5
    return len(_encode(traits)) - head


def _consent(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any] | None:
    """Consent with what was said of it in a plain yes or no, by channel; None where nothing was."""
    before, consent = known.get("consent"), said.get("consent")
    if not isinstance(consent, dict):
        return None
    plain = {
        channel: consent[channel]
        for channel in CONSENT_CHANNELS
        if isinstance(consent.get(channel), bool)
    }
    return {**before, **plain} if isinstance(before, dict) else plain


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(max(-_FLOAT_MAX, min(value, _FLOAT_MAX)))
    return value
