"""The policy at a send: expiry, whom a channel may reach, what may wait, quiet hours.

In this order, the first that says no decides (`sending`): expiry; whether a channel is open, with
fallbacks; holdout; quiet hours, which defer; caps and spacing (`caps`). Transactional messages ask
expiry, address and suppression alone.

The same questions are asked at the step and again before every attempt to deliver, since a user
may unsubscribe, or an instant pass, while a message waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.cel import zone_of
from engine.core.messages.caps import is_capped
from engine.core.people.traits import is_refused

if TYPE_CHECKING:
    from engine.core.messages.waiting import Pending
    from engine.core.policy import Policy
    from engine.core.state import Enrollment, User

PENDING_MAX = 10_000
"""Messages that may wait for their delivery, a user; transactional ones have as many places again.

They are saved with their user: were there no bound, a provider that is down would make each of a
busy user's commits dearer than the one before.
"""

ADDRESS_TRAITS = {"email": "email", "sms": "phone", "push": "push"}
"""The trait that holds a channel's address; a channel that is not here reaches everybody."""


def address_of(user: User, channel: str) -> object:
    """The address of `user` on `channel`: the trait's value, or None where there is none.

    Channels that need no address give the user's id.
    """
    trait = ADDRESS_TRAITS.get(channel)
    if trait is None:
        return user.user_id
    value = user.traits.get(trait)
    if trait == "push":
        return value if isinstance(value, dict | list | str) and value else None
    if trait == "phone" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # a shop that sends it as a number
    return (value.strip() or None) if isinstance(value, str) else None


def barrier(policy: Policy, user: User, channel: str, marketing: bool, topic: str = "") -> str:  # noqa: FBT001 - of a hot path: by name it is three times as dear
    """Why `channel` may not be used for `user`, or "" where it may.

    `unreachable`, `no_consent` or `suppressed`. Transactional messages ask address and
    suppression alone. `topic` is what a marketing message is about; "" where that is not said.
    """
    suppressed = False
    if channel in ADDRESS_TRAITS:
        address = address_of(user, channel)
        if address is None:
            return "unreachable"
        suppressed = user.suppressed.get(channel) == address
    if marketing and not consents(policy, user, channel, topic):
        return "no_consent"
    return "suppressed" if suppressed else ""


def is_full(user: User, *, marketing: bool) -> bool:
    """Whether no more messages of that purpose may wait for `user`.

    One count for all channels, so that the question is O(1) also for him who has the most.
    """
    return len(user.pending) >= (PENDING_MAX if marketing else 2 * PENDING_MAX)


def consents(policy: Policy, user: User, channel: str, topic: str = "") -> bool:
    """Whether marketing may use `channel`: what the user said, else what the shop assumes.

    A topic that he has refused goes by no channel; a yes to a topic opens none.
    """
    said = user.traits.get("consent")
    if said is False:
        return False  # a no to everything; a yes has to name its channel
    if isinstance(said, dict):
        if topic and is_refused(said, topic):
            return False
        answer = said.get(channel)
        if answer is not None:
            return answer is True
    return channel not in policy.consent_required or policy.consent_unknown_allows


def quiet_until_ms(policy: Policy, user: User, now_ms: int) -> int:
    """When the quiet hours end that hold marketing for `user` at `now_ms`; 0 where none do.

    They are those of the clock where he says that he lives, else of the shop's.
    """
    quiet = policy.quiet_hours
    if quiet is None:
        return 0
    own = user.traits.get("timezone")
    zone = own if isinstance(own, str) and zone_of(own) is not None else policy.timezone
    return quiet.until_ms(zone, now_ms)


def restraint(
    policy: Policy, user: User, enrollment: Enrollment, channel: str, now_ms: int
) -> tuple[str, int]:
    """What holds a marketing message back that could go: why, or until when.

    `("holdout", 0)`, `("capped", 0)`; `("", until_ms)` where it is quiet; `("", 0)` where nothing
    does. O(caps).
    """
    if enrollment.held_out:
        return "holdout", 0
    if policy.quiet_hours is not None:
        until_ms = quiet_until_ms(policy, user, now_ms)
        if until_ms:
            return "", until_ms
    if policy.caps and is_capped(user, policy.caps, channel, now_ms):
        return "capped", 0
    return "", 0


def put_off_until_ms(policy: Policy, user: User, pending: Pending, now_ms: int) -> int:
    """Until when a message in the outbox, which may still go, is to wait; 0 where it need not."""
    return quiet_until_ms(policy, user, now_ms) if pending.marketing else 0


def cancelled(policy: Policy, user: User, pending: Pending, now_ms: int) -> str:
    """Why a message in the outbox may not be handed over any more, or "".

    `exited`, `expired`, `unreachable`, `no_consent` or `suppressed`.
    """
    if pending.cancelled:
        return pending.cancelled
    if pending.expires_at_ms:
        # What quiet hours would keep until then is late already: others may have its place.
        goes_at_ms = put_off_until_ms(policy, user, pending, now_ms) or now_ms
        if goes_at_ms > pending.expires_at_ms:
            return "expired"
    return barrier(policy, user, pending.channel, pending.marketing, pending.topic)
