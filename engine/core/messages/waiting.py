"""The messages that one user waits for: small for the few of most users.

A few are a tuple, without their ids: an id follows from its message (`ids.effect_id`). For one that
is 48 bytes where a dict and its key take 288, and it is paid for with a hash, 0.3 us, where a
message is asked for by its id. Past `FEW` they are a dict, and so they are where an id does not
follow, since its message became another enrollment's as two users were merged, or is only known of
from the archive. Saved they are a dict either way.

The order is that in which they were sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engine.core.ids import effect_id as effect_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.core.state import User

FEW: Final = 4


class Pending(msgspec.Struct, omit_defaults=True, gc=False):
    """A message between its step and the end of its delivery.

    Attributes:
        enrollment: Id of the enrollment it belongs to.
        entered_at_ms: That one's start: an exit event with an earlier `t` does not take it back.
        fallbacks: Channels still to be tried, should this one fail.
        cancelled: Why it must not be handed over any more, or "".
        variants: Those of its enrollment as it was sent.
        sent_at_ms: When it was judged; 0 where a version sent it that did not keep that.
        iteration: Which time it is in the repeats around its step (`repeats.iteration_of`).
        per: The enrollment's.
        topic: What it is about, where its campaign says so: nobody is sent what he has refused.
    """

    enrollment: str
    campaign: str
    step: str
    channel: str
    template: str
    entered_at_ms: int
    marketing: bool = True
    expires_at_ms: int = 0
    fallbacks: tuple[str, ...] = ()
    cancelled: str = ""
    variants: tuple[tuple[str, str], ...] = ()
    sent_at_ms: int = 0
    iteration: int = 0
    per: str = ""
    topic: str = ""

    @property
    def following_id(self) -> str:
        """The effect id that follows from it: its own, unless it became another enrollment's."""
        return effect_id_of(self.enrollment, self.step, self.iteration, self.channel)


Waiting: TypeAlias = tuple[Pending, ...] | dict[str, Pending]
"""Never an empty dict. Whoever changes what an id follows from has them `by_id` before."""


def find_message(waiting: Waiting, effect_id: str) -> Pending | None:
    """The message of that id, or None. O(1)."""
    if isinstance(waiting, dict):
        return waiting.get(effect_id)
    for one in waiting:
        if effect_id_of(one.enrollment, one.step, one.iteration, one.channel) == effect_id:
            return one
    return None


def each_message(waiting: Waiting) -> Iterable[Pending]:
    """All messages. O(1)."""
    return waiting.values() if isinstance(waiting, dict) else waiting


def by_id(waiting: Waiting) -> dict[str, Pending]:
    """All messages by their ids: the dict itself, where they are one. O(1)."""
    if isinstance(waiting, dict):
        return waiting
    return {
        effect_id_of(one.enrollment, one.step, one.iteration, one.channel): one for one in waiting
    }


def ids_of(waiting: Waiting, is_meant: Callable[[Pending], bool]) -> list[str]:
    """Ids of the messages of which `is_meant` is true, in order. O(messages)."""
    if isinstance(waiting, dict):
        return [effect_id for effect_id, one in waiting.items() if is_meant(one)]
    return [one.following_id for one in waiting if is_meant(one)]


def compact(messages: dict[str, Pending]) -> Waiting:
    """Those messages, as small as they can be; a dict that stays one is kept. O(1)."""
    if len(messages) > FEW:
        return messages
    for effect_id, one in messages.items():
        if one.following_id != effect_id:
            return messages
    return tuple(messages.values())


def put_message(user: User, effect_id: str, pending: Pending) -> None:
    """Have a user wait for one more, in place of one of its id, which follows from it. O(1)."""
    waiting = user.pending
    if isinstance(waiting, dict):
        waiting[effect_id] = pending
        return
    for place, one in enumerate(waiting):
        if one.enrollment == pending.enrollment and _cause(one) == _cause(pending):
            user.pending = (*waiting[:place], pending, *waiting[place + 1 :])
            return
    if len(waiting) < FEW:
        user.pending = (*waiting, pending)
    else:
        user.pending = {**by_id(waiting), effect_id: pending}


def take_message(user: User, effect_id: str) -> Pending | None:
    """Have a user wait for the message of that id no more; None where he does not. O(1)."""
    waiting = user.pending
    if isinstance(waiting, dict):
        taken = waiting.pop(effect_id, None)
        user.pending = waiting or ()
        return taken
    taken = find_message(waiting, effect_id)
    if taken is not None:
        user.pending = tuple([one for one in waiting if one is not taken])
    return taken


def _cause(pending: Pending) -> tuple[str, str, int, str]:
    return pending.enrollment, pending.step, pending.iteration, pending.channel
