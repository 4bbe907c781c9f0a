"""Ids that follow from their cause, so that a replay makes the same ones.

An enrollment's is BLAKE2b (RFC 7693) with a 128-bit digest: user ids come from clients, so the hash
must not be one for which collisions can be made. An effect's follows from an enrollment's and from
what the shop wrote, where nobody gains by a collision: XXH3 in 128 bits, five times as fast.
"""

from __future__ import annotations

from hashlib import blake2b

from xxhash import xxh3_128_hexdigest

_BLANK = blake2b(digest_size=16)
"""Copied for each digest: that takes half as long as making one."""

# Parts of free text are preceded by their length, so that no two causes read the same.


def enrollment_id(campaign: str, user_id: str, per: str, entered_at_ms: int, ordinal: int) -> str:
    """32 hex digits; `ordinal` counts the entries at the very same instant."""
    cause = f"{entered_at_ms} {ordinal} {campaign} {len(user_id)} {user_id} {per}"
    return digest(cause)


def digest(text: str) -> str:
    """32 hex digits that stand for a text too long to be kept; it may come from a client."""
    hashing = _BLANK.copy()
    hashing.update(text.encode("utf-8", "surrogatepass"))
    return hashing.hexdigest()


def effect_id(enrollment: str, step: str, iteration: int, channel: str) -> str:
    """32 hex digits: one id a message, however often it is tried."""
    return xxh3_128_hexdigest(f"{enrollment} {iteration} {channel} {step}".encode())
