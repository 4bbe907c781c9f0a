"""Whose an id is by the durable journal alone, and whom it ever had to do with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.inputs import UserErased, UsersMerged

if TYPE_CHECKING:
    from engine.core.inputs import Input


class Kin:
    """Of all lives of a process: the journal is read anew by each, what was ever joined stays.

    Attributes:
        merges: What was ever merged, by number and instant: the one who goes on, the other id.
        partings: Ids that an erasure took from each other, by number.
    """

    def __init__(self) -> None:
        self.merges: dict[tuple[int, int], tuple[str, str]] = {}
        self.partings: dict[int, set[str]] = {}
        self._bearer: dict[str, str] = {}
        self._family: dict[str, str] = {}

    def begin(self) -> None:
        """The journal is about to be read from its first input on."""
        self._bearer.clear()

    def see_restored(self, count: int) -> None:
        """The journal ends behind its first `count` inputs again."""
        self.merges = {key: both for key, both in self.merges.items() if key[0] <= count}
        self.partings = {key: ids for key, ids in self.partings.items() if key <= count}

    def see(self, number: int, happened: Input) -> tuple[str, ...]:
        """Input `number` is durable; the ids that it erases, if it erases anybody."""
        if isinstance(happened, UsersMerged):
            bearer, merged = self.bearer(happened.user_id), happened.merged_id
            for one in self.ids_of(merged):
                self._bearer[one] = bearer
            self.merges[number, happened.at_ms] = bearer, merged
            self._family[self.family(merged)] = self.family(bearer)
        elif isinstance(happened, UserErased):
            gone = self.ids_of(self.bearer(happened.user_id))
            self.partings.setdefault(number, set()).update(gone)
            for one in gone:
                self._bearer.pop(one, None)
            return gone
        return ()

    def bearer(self, user_id: str) -> str:
        """Whom an id means now."""
        return self._bearer.get(user_id, user_id)

    def ids_of(self, bearer: str) -> tuple[str, ...]:
        """His id, and all that mean him. O(aliases)."""
        return (bearer, *[one for one, other in self._bearer.items() if other == bearer])

    def is_joined(self, user_id: str) -> bool:
        """Whether an id was ever joined with another one."""
        return user_id in self._family or user_id in self._family.values()

    def family(self, user_id: str) -> str:
        """The same for all ids that were ever joined, be it that an erasure parted them since."""
        while (other := self._family.get(user_id, user_id)) != user_id:
            user_id = other
        return user_id
