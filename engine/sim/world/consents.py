"""Who said no to what, and which addresses are no good, by the durable journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.inputs import (
    ConsentStated,
    DeliveryReported,
    TraitsDefaulted,
    UserIdentified,
    UsersMerged,
)
from engine.sim.world.restraint import HAND_OVER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from channels.base import Message
    from engine.core.inputs import Input
    from engine.sim.world.kin import Kin

_decode = msgspec.json.Decoder(dict[str, Any]).decode

TRAITS = {"email": "email", "sms": "phone"}
"""By channel, the trait that has its address."""


class Said:
    """What one user said; a topic is told from a channel by its colon.

    Attributes:
        yes: By channel or topic.
        bad: By channel, the address that nothing more goes to.
        traits: As they are.
        is_sure: Whether he was never merged, so that it is plain what he has there.
        since_ms: When he said the last of it.
    """

    def __init__(self) -> None:
        self.yes: dict[str, bool] = {}
        self.bad: dict[str, str] = {}
        self.traits: dict[str, Any] = {}
        self.is_sure = True
        self.since_ms = 0


class Consents:
    """Of all users of a world; of each by the id that he goes on under."""

    def __init__(self) -> None:
        self.users: dict[str, Said] = {}

    def begin(self) -> None:
        """The journal is about to be read from its first input on."""
        self.users.clear()

    def see(self, happened: Input, kin: Kin, erased: Sequence[str]) -> None:
        """An input is durable; `kin` has seen it, and knows whom it has erased."""
        for user_id in erased:
            self.users.pop(user_id, None)
        if isinstance(happened, DeliveryReported) and not happened.bad_address:
            return
        if isinstance(happened, UserIdentified | ConsentStated | DeliveryReported):
            user = self.users.setdefault(kin.bearer(happened.user_id), Said())
            user.since_ms = happened.at_ms
            match happened:
                case UsersMerged():
                    self._join(user, happened.merged_id)
                    _tell(user, happened)
                case UserIdentified():
                    _tell(user, happened)
                case ConsentStated():
                    _state(user, happened)
                case DeliveryReported():
                    _bounce(user, happened.bad_address)

    def _join(self, user: Said, merged_id: str) -> None:
        other = self.users.pop(merged_id, Said())
        for about, yes in other.yes.items():
            user.yes[about] = yes and user.yes.get(about, True)
        user.traits = {**other.traits, **user.traits}
        user.is_sure = False

    def forbid(self, user_id: str, message: Message, topic: str, at_ms: int) -> str:
        """What a message goes against that he said, and not only just now; or "".

        `topic` is that of its campaign; a transactional one is held to addresses alone.
        """
        for other_id, other in self.users.items():
            is_settled = other.is_sure and at_ms - other.since_ms > HAND_OVER_MS
            if is_settled and message.to and other.bad.get(message.channel) == message.to:
                return f"nothing more goes to that address, which {other_id} has, too"
        user = self.users.get(user_id)
        if user is None or at_ms - user.since_ms <= HAND_OVER_MS:
            return ""
        if message.purpose != "marketing":
            return ""
        said = [
            about for about in (message.channel, f"topic:{topic}") if user.yes.get(about) is False
        ]
        return f"{user_id} said no to {said[0]}" if said else ""


def _tell(user: Said, happened: UserIdentified) -> None:
    """What an identify call says; a default says what nobody has said."""
    said = _decode(happened.traits)
    consent = said.get("consent")
    if isinstance(consent, dict):
        user.yes.update(consent)
    behind = isinstance(happened, TraitsDefaulted)
    user.traits = {**said, **user.traits} if behind else {**user.traits, **said}


def _bounce(user: Said, address: str) -> None:
    """An address is no good; where it is not his any more, it says nothing of the one he has."""
    user.bad.update(
        {by: address for by, trait in TRAITS.items() if user.traits.get(trait) == address}
    )


def _state(user: Said, stated: ConsentStated) -> None:
    user.yes.update(stated.channels)
    user.yes.update({f"topic:{topic}": yes for topic, yes in stated.topics.items()})
    for channel, is_bad in stated.suppressed.items():
        address = user.traits.get(TRAITS.get(channel, ""))
        if not is_bad:
            user.bad.pop(channel, None)
        elif address:
            user.bad[channel] = address
