"""Addresses as they are compared, and those that nothing goes to, whoever has them.

A mailbox or a number is often that of several users: a guest's at each order, then the customer's.
What its provider said of it, and its owner's complaint, is true of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from channels.twilio import e164

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.state import User


def mailbox(address: str) -> str | None:
    """An address as mailboxes are compared: whoever writes one differently means the same one."""
    return address.strip().lower() or None


WRITTEN: Final[Mapping[str, Callable[[str], str | None]]] = {"email": mailbox, "sms": e164}
"""By channel, the one form of an address; None for what is none."""


class Barred:
    """Addresses that users had as a provider, their owner or an operator said no to them.

    Derived of what each user keeps (`User.suppressed`), and as long as one of them keeps it.
    """

    __slots__ = ("_users",)

    def __init__(self, users: Iterable[User]) -> None:
        self._users: dict[tuple[str, str], dict[str, None]] = {}
        for user in users:
            if user.suppressed:
                self.follow(user.user_id, {}, user.suppressed)

    def follow(self, user_id: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """What a user keeps was one thing, and is another. O(channels), nothing where it stays."""
        if before is now:
            return
        for channel, address in before.items():
            key = _key(channel, address)
            users = self._users.get(key)
            if users is not None and users.pop(user_id, True) is None and not users:
                del self._users[key]
        for channel, address in now.items():
            self._users.setdefault(_key(channel, address), {})[user_id] = None

    def bars(self, channel: str, address: str) -> bool:
        """Whether nothing goes there. O(1)."""
        return bool(self._users) and _key(channel, address) in self._users

    def whose(self, channel: str, address: str) -> list[str]:
        """Ids of those who keep it so. O(these)."""
        return list(self._users.get(_key(channel, address), ()))


def _key(channel: str, address: str) -> tuple[str, str]:
    written = WRITTEN.get(channel)
    return channel, (written(address) if written is not None else None) or address
