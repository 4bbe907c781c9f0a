"""Finds users by what somebody knows of them: an id, an address, the beginning of a trait.

There is no index of what is asked for a few times a day. Everybody is gone over in slices, for as
long as a page may take; whoever wants more goes on from there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from engine.core.state import User
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor

FOUND_MAX: Final = 50
"""Users that one search tells."""

SLICE_USERS: Final = 256
"""Users between two turns of the loop: some 0.2 ms."""

BUDGET_NS: Final = 25_000_000
"""How long one search takes at the most, turns of the loop included."""

_ADDRESSES: Final = ("email", "phone", "name", "first_name")
"""Traits that a text without a name is looked for in, besides the id."""


class Search(msgspec.Struct, frozen=True):
    """What a search found.

    Attributes:
        users: Ids, in no order that means anything; who was asked for by id stands first.
        looked_at: How many were gone over, from the first of all.
        total: How many there are.
        next: Where to go on; None where everybody was gone over.
    """

    users: list[str]
    looked_at: int
    total: int
    next: int | None


async def search(processor: Processor, clock: Clock, said: str, start: int = 0) -> Search:
    """Users whose id, address or name begins with a text; `trait=text` asks for another trait.

    Upper and lower case are the same. O(users), up to `BUDGET_NS`; an id as it stands is O(1).
    """
    text = said.strip()
    found: list[str] = []
    exact = processor.find(text)
    if exact is not None and not start:
        found.append(exact.user_id)
    trait, equals, value = text.partition("=")
    names = (trait.strip(),) if equals else _ADDRESSES
    begins = (value.strip() if equals else text).casefold()
    roster, place = processor.users, start
    until_ns = clock.monotonic_ns() + BUDGET_NS
    while some := roster.there(place, SLICE_USERS):
        for user in some:
            place += 1
            if user is not exact and _fits(user, begins, names, by_id=not equals):
                if processor.users.get(user.user_id) is not user:
                    continue
                found.append(user.user_id)
                if len(found) >= FOUND_MAX:
                    return Search(found, place, len(processor.users), place)
        await asyncio.sleep(0)
        if clock.monotonic_ns() > until_ns and roster.there(place, 1):
            return Search(found, place, len(processor.users), place)
    return Search(found, place, len(processor.users), None)


def _fits(user: User, begins: str, names: tuple[str, ...], *, by_id: bool) -> bool:
    if by_id and user.user_id.casefold().startswith(begins):
        return True
    traits = user.traits
    return bool(traits) and any(
        name in traits and _text(traits[name]).startswith(begins) for name in names
    )


def _text(value: Any) -> str:  # noqa: ANN401 - a trait is any JSON
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).casefold()
