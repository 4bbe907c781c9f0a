"""Providers that take, refuse, stay silent or forget to answer, and remember what they were handed.

They pass the suite that every channel passes (tests/channels/test_conformance.py).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Outcome, Rejected, Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.base import Message

Fate: TypeAlias = Literal[
    "taken",
    "provider_slow",
    "provider_busy",
    "provider_rejects",
    "provider_hangs",
    "provider_deaf",
    "provider_broken",
]
"""What becomes of an attempt: `taken`, or a kind of fault (`scenario.FAULTS`)."""

FAULTY: Final[tuple[Fate, ...]] = get_args(Fate)[1:]

GIVEN_UP_S = 30.0
"""How long a channel waits for a provider that says nothing."""


class Provider:
    """One provider, which outlives the processes that send by it.

    Args:
        fate: Draws what becomes of an attempt.
        pause_s: Draws how long the next thing takes, up to so many seconds.

    Attributes:
        wires: Everything that was taken, as it came: (effect id, bytes).
        on_handed: Told of each attempt before it begins.
        on_taken: Told of each message that it took.
        on_answered: Told of each message that the process was told to be taken.
    """

    def __init__(
        self,
        fate: Callable[[], Fate],
        pause_s: Callable[[float], float],
    ) -> None:
        self.wires: list[tuple[str, bytes]] = []
        self.on_handed: Callable[[Message], None] = lambda _: None
        self.on_taken: Callable[[Message], None] = lambda _: None
        self.on_answered: Callable[[Message], None] = lambda _: None
        self._fate = fate
        self._pause_s = pause_s

    def connect(self) -> Channel:
        """The channel by which a process reaches it."""
        return _ProviderChannel(self)

    async def attempt(self, message: Message) -> Outcome:
        """One attempt to hand a message over; raises where its fate is `provider_broken`."""
        self.on_handed(message)
        fate = self._fate()
        await asyncio.sleep(self._pause_s(10.0 if fate == "provider_slow" else 0.2))
        match fate:
            case "provider_busy":
                return Retry("come again", after_ms=int(self._pause_s(5_000)) or None)
            case "provider_rejects":
                how = self._pause_s(1)
                return Rejected("no such address", how > 0.5, is_bounce=how > 0.25)  # noqa: PLR2004 - half of them, and a half of the rest
            case "provider_hangs":
                await asyncio.sleep(GIVEN_UP_S)
                return Retry("no answer")
            case "provider_broken":
                raise OSError("the provider spoke in tongues")
            case _:
                self.wires.append((message.id, message.to_bytes()))
                self.on_taken(message)
        await asyncio.sleep(self._pause_s(0.1))
        if fate == "provider_deaf":
            return Retry("the connection broke before the answer")
        self.on_answered(message)
        return Accepted()


class _ProviderChannel(Channel):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._is_closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        return CLOSED if self._is_closed else await self._provider.attempt(message)

    @override
    async def aclose(self) -> None:
        self._is_closed = True
