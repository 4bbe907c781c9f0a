"""A staging shop's redirections: every message of a channel goes to one address, whoever it is for.

They are applied as a message is handed over, so that they hold for what was made before they were
set, too. What is stored of a message has whom it was meant for; so has what goes over the wire
(`Message.meant_for`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from channels.base import Accepted, Channel, Message, Outcome, Rejected, Retry
from channels.email import EmailFault, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Redirections:
    """Where messages go instead.

    Args:
        addresses: By channel id; messages of other channels go where they are meant to.
    """

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        """May be set anew while channels are at work: it holds from the next attempt on."""

    def over(self, channels: Mapping[str, Channel]) -> dict[str, Channel]:
        """The same channels, behind these redirections."""
        return {
            channel_id: _Redirected(self, channel_id, channel)
            for channel_id, channel in channels.items()
        }


class _Redirected(Channel):
    def __init__(self, redirections: Redirections, channel_id: str, channel: Channel) -> None:
        self._redirections = redirections
        self._channel_id = channel_id
        self._channel = channel

    @override
    async def deliver(self, message: Message) -> Outcome:
        address = self._redirections.addresses.get(self._channel_id)
        if address is None:
            return await self._channel.deliver(message)
        outcome = await self._channel.deliver(redirected(message, address))
        # What is wrong with this address is nothing that is wrong with the user's.
        match outcome:
            case Rejected():
                return Rejected(outcome.reason)
            case Accepted():
                return Accepted(outcome.detail)
            case Retry():
                return msgspec.structs.replace(outcome, is_bounce=False)

    @override
    async def aclose(self) -> None:
        await self._channel.aclose()


def redirected(message: Message, address: str) -> Message:
    """The message, to another address: a webhook's is its `url`."""
    if message.channel == "webhook":
        meant_for = message.front.get("url") or message.user_id
        front = {**message.front, "url": address}
        return msgspec.structs.replace(message, front=front, meant_for=meant_for)
    meant_for = message.to or message.user_id
    return msgspec.structs.replace(message, to=address, meant_for=meant_for)


def redirection_faults(addresses: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with addresses to redirect to: (channel id, what, what would be right)."""
    for channel_id, address in addresses.items():
        if channel_id == "email":
            try:
                parse_address(address)
            except EmailFault as fault:
                yield channel_id, fault.message, "staging@shop.example"
        elif channel_id == "webhook":
            from channels.posting import address_fault  # 0.1 s that no other channel needs

            if told := address_fault(address):
                yield channel_id, told, "https://staging.shop.example/hooks"
        elif not address.strip():
            yield channel_id, "there is no address", "give one, or leave the channel out"
