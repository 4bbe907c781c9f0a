"""What identify calls say of a user: read within what a state can hold, and merged.

A user is saved whole with everything that happens to him, so that what is known of him is bounded.
What would put him over a bound is refused whole, and changes nothing but his consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.intake.items import DEPTH_MAX, TRAITS_MAX, depth_of
from engine.core.properties import storable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.core.state import User

TRAITS_BYTES_MAX = 64 << 10
"""Bytes of all traits of one user, as they are saved (msgpack)."""

CONSENT_CHANNELS = ("email", "push", "sms", "in_app", "webhook")
"""Whose consent is taken also from an identify call that is refused."""

TOPICS = "topics"
"""Under this key of `consent` stands a map of topic to true or false."""

TOPICS_MAX = 100
"""Topics that are taken from a refused identify call, and from a preference centre."""

SUBSCRIPTIONS_MAX = 20
"""Push subscriptions of one user that are kept as he is told of one more: the last ones."""

_HEADS_BYTES = 4
"""By how much the heads of maps may grow when two are merged."""

_decode = msgspec.json.Decoder(dict).decode
_encode = msgspec.msgpack.Encoder().encode


def read_traits(raw: msgspec.Raw) -> tuple[dict[str, Any], int]:
    """The traits of an identify call, and their size as they are saved. O(size).

    {} where they are no JSON object. Whole numbers beyond 64 bits become floats, since a saved
    state holds no others: one of them must not keep its user, and all who are saved with it, from
    being saved.
    """
    try:
        said: dict[str, Any] = _decode(raw)
    except msgspec.MsgspecError:
        return {}, 0
    try:
        return said, len(_encode(said))
    except OverflowError:
        said = {key: storable(value) for key, value in said.items()}
        return said, len(_encode(said))


def merge_traits(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Later traits win by key; consent is merged channel by channel.

    One push subscription, which is what a browser knows, goes behind those of other browsers; a
    list of them takes their place.
    """
    merged = {**known, **said}
    if "push" in known and _endpoint(said.get("push")):
        same = (None, _endpoint(said["push"]))
        others = [one for one in _listed(known["push"]) if _endpoint(one) not in same]
        if others:
            merged["push"] = [*others, said["push"]][-SUBSCRIPTIONS_MAX:]
    consent = said.get("consent")
    if isinstance(consent, dict):
        earlier = _by_channel(known)
        merged["consent"] = {**earlier, **consent}
        if isinstance(consent.get(TOPICS), dict) and isinstance(earlier.get(TOPICS), dict):
            merged["consent"][TOPICS] = {**earlier[TOPICS], **consent[TOPICS]}
    return merged


def _by_channel(known: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of consent; False, a no to everything, is a no to each channel."""
    consent = known.get("consent")
    if consent is False:
        return dict.fromkeys(CONSENT_CHANNELS, False)
    return consent if isinstance(consent, dict) else {}


def is_refused(consent: object, topic: str) -> bool:
    """Whether a user who said this has refused a topic. O(1)."""
    topics = consent.get(TOPICS) if isinstance(consent, dict) else None
    return isinstance(topics, dict) and topics.get(topic) is False


def join_traits(user: User, others: Mapping[str, Any]) -> None:
    """Have what another user said fill in where `user` is silent, as far as there is room.

    Consent by channel: any no wins, and a no to everything wins over all. O(traits of both).
    """
    traits = dict(user.traits)
    consent = _stricter(traits.get("consent"), others.get("consent"))
    if consent is not None:
        traits["consent"] = consent
    size = len(_encode(traits))
    for key, value in others.items():
        if key not in traits and len(traits) < TRAITS_MAX:
            more = len(_encode({key: value}))
            if size + more <= TRAITS_BYTES_MAX:
                traits[key] = value
                size += more
    if traits:
        user.traits, user.traits_bytes = traits, size + _HEADS_BYTES


def _stricter(own: Any, other: Any) -> Any:  # noqa: ANN401 - whatever a shop has said
    """Consent of both; None where neither said any. What names no channel is no yes to any."""
    if own is False or other is False:
        return False
    if not isinstance(own, dict) or not isinstance(other, dict):
        return other if own is None or isinstance(other, dict) else own
    refused = {channel: False for one in (own, other) for channel in one if one[channel] is False}
    both = {**other, **own, **refused}
    if isinstance(own.get(TOPICS), dict) and isinstance(other.get(TOPICS), dict):
        both[TOPICS] = _stricter(own[TOPICS], other[TOPICS])
    return both


def drop_subscriptions(user: User, endpoints: Collection[str]) -> None:
    """Have push subscriptions leave the trait `push`; the last one takes the trait with it.

    O(traits). The trait may be one subscription or a list of them, each an object or its JSON.
    """
    several = _listed(user.traits.get("push"))
    kept = [one for one in several if _endpoint(one) not in endpoints]
    if len(kept) == len(several):
        return
    traits = {key: value for key, value in user.traits.items() if key != "push"}
    if kept:
        traits["push"] = kept
    user.traits, user.traits_bytes = traits, len(_encode(traits))


def _listed(held: Any) -> list[Any]:  # noqa: ANN401 - whatever a shop has said
    """What the trait `push` says, as a list."""
    if isinstance(held, str):
        held = _read(held)
    return held if isinstance(held, list) else [held]


def _endpoint(subscription: Any) -> Any:  # noqa: ANN401 - whatever a shop has said
    return subscription.get("endpoint") if isinstance(subscription, dict) else None


def _read(said: str) -> Any:  # noqa: ANN401 - any JSON value
    # How deep a decoder can go depends on who called it: live and replay must agree.
    if depth_of(said.encode()) > DEPTH_MAX:
        return None
    try:
        return msgspec.json.decode(said)
    except msgspec.DecodeError:
        return None


def recall(user: User, raw: msgspec.Raw, occurred_at_ms: int, *, behind: bool = False) -> str:
    """As `tell`, for what was said at an instant that may lie before what is known.

    Where the user was identified after it, it adds what nobody said since, and changes nothing.
    """
    if user.traits and (not user.identified_at_ms or occurred_at_ms < user.identified_at_ms):
        return tell(user, raw, behind=True)
    user.identified_at_ms = occurred_at_ms
    return tell(user, raw, behind=behind)


def tell(user: User, raw: msgspec.Raw, *, behind: bool = False) -> str:
    """Merge what an identify call said into its user; why it is refused, or "".

    Refused whole is what would leave the user with more than `TRAITS_MAX` traits or more than
    `TRAITS_BYTES_MAX`, and with more than before. Of a refused one the consent alone is taken,
    channel by channel: nobody is written to against his word because his profile is full.

    With `behind` it is what was known before, and what is known now wins over it.

    O(size of what was said), and a copy of the map: `traits_bytes` adds up what was said, and only
    where that comes to the bound are the traits measured, which the bound keeps small.
    """
    known = user.traits
    said, size = read_traits(raw)
    merged = merge_traits(said, known) if behind else merge_traits(known, said)
    if known and not user.traits_bytes:  # saved by a version that did not count
        user.traits_bytes = len(_encode(known))
    size += user.traits_bytes + _HEADS_BYTES
    if len(merged) > TRAITS_MAX or size > TRAITS_BYTES_MAX:
        size = len(_encode(merged))
        reason = _excess(known, merged, size)
        if reason:
            consent = _consent(known, said)
            if behind and consent is not None:
                consent = merge_traits({"consent": consent}, known)["consent"]
            if consent is not None:
                # At most one plain word a channel, and some topics, go beyond the bound.
                user.traits = {**known, "consent": consent}
            user.traits_bytes = len(_encode(user.traits))
            return reason
    user.traits, user.traits_bytes = merged, size
    return ""


def _excess(known: Mapping[str, Any], merged: Mapping[str, Any], size: int) -> str:
    """Which bound the merged traits are beyond, and further beyond than those known; else ""."""
    count = len(merged)
    if count > TRAITS_MAX and count > len(known):
        return f"the user would have {count} traits, more than {TRAITS_MAX}"
    if size > TRAITS_BYTES_MAX and size > len(_encode(known)):
        return f"the user would have {size} bytes of traits, more than {TRAITS_BYTES_MAX}"
    return ""


def _consent(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any] | bool | None:
    """Consent with what was said of it in a plain yes or no, by channel; None where nothing was.

    False is a no to everything.
    """
    consent = said.get("consent")
    if not isinstance(consent, dict):
        return False if consent is False else None
    plain: dict[str, Any] = {
        channel: consent[channel]
        for channel in CONSENT_CHANNELS
        if isinstance(consent.get(channel), bool)
    }
    earlier = _by_channel(known)
    topics = consent.get(TOPICS)
    if isinstance(topics, dict):
        said_of = {key: yes for key, yes in topics.items() if isinstance(yes, bool)}
        already = earlier.get(TOPICS)
        both = {**(already if isinstance(already, dict) else {}), **said_of}
        plain[TOPICS] = dict([*both.items()][:TOPICS_MAX])
    return {**earlier, **plain}
