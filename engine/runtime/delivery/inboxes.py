"""Inboxes as the process has them: what is put in wakes whoever listens for its user.

Whoever listens holds nothing but the number up to which he has read: what he is sent he reads from
the store, a few at a time, so that a slow browser costs no memory.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from channels.inbox import Shelf
from channels.settings import InAppSettings
from engine.errors import StoreError
from engine.store import inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from channels.inbox import InAppMessage
    from channels.settings import ChannelSettings
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor
    from engine.store import Store
    from engine.store.inbox import Kept, Mark


class Listener:
    """One who listens for a user's messages. Made by `Inboxes.listen`."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.woken = asyncio.Event()


class Inboxes(Shelf):
    """All inboxes.

    Args:
        store: Where they are.
        now_ms: Logical now.
        ids_of: All ids of the user whom one means, his own first.
        messages_max: Of one user.

    Attributes:
        is_closed: Nobody is to listen any more.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        ids_of: Callable[[str], tuple[str, ...]],
        messages_max: int,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._ids_of = ids_of
        self._messages_max = messages_max
        self._listeners: dict[str, set[Listener]] = {}
        self._listening = 0
        self.is_closed = False

    @classmethod
    def of(
        cls,
        settings: Mapping[str, ChannelSettings],
        store: Store,
        clock: Clock,
        processor: Processor,
    ) -> Self:
        """Those of a process."""
        chosen = settings["in_app"]
        assert isinstance(chosen, InAppSettings)
        return cls(store, clock.now_ms, processor.ids_of, chosen.messages_max)

    @property
    def listening(self) -> int:
        """How many listen now."""
        return self._listening

    def listening_for(self, user_id: str) -> int:
        """How many listen under an id."""
        return len(self._listeners.get(user_id, ()))

    @override
    async def put(self, message: InAppMessage) -> str:
        user_ids = self._ids_of(message.user_id)
        work = partial(
            inbox.put,
            message_id=message.id,
            user_ids=user_ids,
            expires_at_ms=message.expires_at_ms,
            message=msgspec.json.encode(message),
            most=self._messages_max,
        )
        try:
            await self._store.transact(work)
        except StoreError as error:
            return error.message
        for user_id in user_ids:
            for listener in self._listeners.get(user_id, ()):
                listener.woken.set()
        return ""

    async def of_user(self, user_id: str, *, after: int = 0, limit: int = -1) -> list[Kept]:
        """His messages behind a number that have not expired, oldest first. Raises StoreError."""
        user_ids = self._ids_of(user_id)
        return await self._store.read(
            lambda connection: inbox.of_user(
                connection, user_ids, now_ms=self._now_ms(), after=after, limit=limit
            )
        )

    async def find(self, user_id: str, message_id: str) -> Kept | None:
        """A message of that user; None for one that is somebody else's too. Raises StoreError."""
        kept = await self._store.read(partial(inbox.find, message_id=message_id))
        return kept if kept is not None and kept.user_id in self._ids_of(user_id) else None

    async def mark(self, message_id: str, done: Mark) -> None:
        """Say what was done with a message. Raises CommitFailed."""
        at_ms = self._now_ms()
        await self._store.transact(
            partial(inbox.mark, message_id=message_id, done=done, at_ms=at_ms)
        )

    def listen(self, user_id: str) -> Listener:
        """Be woken for a user's messages until `leave`."""
        listener = Listener(user_id)
        self._listeners.setdefault(user_id, set()).add(listener)
        self._listening += 1
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        others = self._listeners[listener.user_id]
        others.remove(listener)
        if not others:
            del self._listeners[listener.user_id]
        self._listening -= 1

    def close(self) -> None:
        """Have everybody leave, who listens."""
        self.is_closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.woken.set()
