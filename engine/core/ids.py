"""Ids that follow from their cause, so that a replay makes the same ones.

BLAKE2b (RFC 7693) with a 128-bit digest: user ids come from clients, so the hash must not be one
for which collisions can be made.
"""

from __future__ import annotations

from hashlib import blake2b

_SEPARATOR = "\x1f"


def _hash(*parts: str) -> str:
    # Each part is preceded by its length, so that no two lists of parts read the same.
    text = _SEPARATOR.join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def enrollment_id(campaign: str, user_id: str, per: str, entered_at_ms: int, ordinal: int) -> str:
    """32 hex digits; `ordinal` counts the entries at the very same instant."""
    return _hash("enrollment", campaign, user_id, per, str(entered_at_ms), str(ordinal))


def effect_id(enrollment: str, step: str, iteration: int, channel: str) -> str:
    """32 hex digits: one id a message, however often it is tried."""
    return _hash("effect", enrollment, step, str(iteration), channel)
