"""Everybody, by id, and in a row so that they can be gone over in slices while users come and go.

A dict cannot be: it must not grow meanwhile, and a copy of a million takes some forty milliseconds.
A row of references is 8 bytes a user. It is gone over twice for each change of the plan: first to
have everybody take it on, then to have them saved, which a disk takes longer for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from typing_extensions import override

from engine.core.shards import SHARDS_MASK, Shards
from engine.core.state import stands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.state import User

SWEPT_AT_ONCE = 8
"""Users that a sweep looks at between two looks at the clock: some 0.2 ms, where each of them waits
and is sent something by the change."""

SAVES_A_COMMIT = 64
"""Users who took a changed plan on that are saved with a commit."""

LOOKS_A_COMMIT = 4_096
"""Users that are looked at for that: some 0.2 ms."""


class Roster(Mapping[str, "User"]):
    """All users by id, in the order in which they came, and how far they were gone over.

    Args:
        users: Who there is to begin with, each id once.

    Attributes:
        parts: As `Shards.parts`: where a hot loop finds a user by his id.
    """

    __slots__ = ("_count", "_end", "_place", "_row", "_saved", "_stay", "_users", "parts")

    def __init__(self, users: Iterable[User] = ()) -> None:
        self._users: Shards[User] = Shards()
        self.parts = self._users.parts
        self._row = list(users)
        self._count = len(self._row)
        # Of those before `_end`: the next to be visited, how many before him stay, whom to save.
        self._end = 0
        self._place = 0
        self._stay = 0
        self._saved = 0
        for user in self._row:
            self._users[user.user_id] = user

    @override
    def __getitem__(self, user_id: str) -> User:
        return self._users[user_id]

    @override
    def get(self, user_id: str) -> User | None:  # type: ignore[override]
        return self.parts[hash(user_id) & SHARDS_MASK].get(user_id)

    @override
    def __contains__(self, user_id: object) -> bool:
        return user_id in self._users

    @override
    def __len__(self) -> int:
        return self._count

    @override
    def __iter__(self) -> Iterator[str]:
        """Ids; whoever goes over all of them in one go holds up the loop for it. O(users)."""
        row = self._row
        return (
            user.user_id
            for user in chain(islice(row, self._stay), islice(row, self._place, None))
            if self._is_here(user)
        )

    @property
    def has_visits(self) -> bool:
        """Whether there is anybody left to visit: to take a change on, or to be let go of."""
        return self._place < self._end or (self._saved >= self._end and self.gone > 0)

    @property
    def gone(self) -> int:
        """How many were taken away and are in the row all the same, until they are let go of."""
        return len(self._row) - self._count

    @property
    def has_changes(self) -> bool:
        """Whether anybody has not been visited since the last change.

        Not so where the row is gone over to let go of those who went: as long as users are merged
        all the time there is always one of them.
        """
        return self._place < self._end and self._saved < self._end

    @property
    def has_saves(self) -> bool:
        """Whether there is anybody left to save."""
        return self._saved < self._end

    def welcome(self, user: User) -> None:
        """Add a user whose id nobody has. O(1)."""
        self._users[user.user_id] = user
        self._row.append(user)
        self._count += 1

    def dismiss(self, user: User) -> None:
        """Nobody has his id any more; he leaves the row as it is gone over next. O(1)."""
        del self._users[user.user_id]
        self._count -= 1

    def begin(self) -> None:
        """Visit everybody who is there now, from the start, and then save them. O(1)."""
        self._close_up()
        self._place = self._stay = self._saved = 0
        self._end = len(self._row)

    def there(self, place: int, count: int) -> list[User]:
        """Some of the row from a place on, to be looked at alone; none at its end. O(count).

        Between two calls the row may close up over those who were let go of.
        """
        return self._row[place : place + count]

    def slices(self, count: int) -> Iterator[list[User]]:
        """Everybody who is there from the first slice to the last, the newest first.

        At least once: while it goes back, the row may close up, and bring some before it again. Who
        comes meanwhile is not among them. O(count) each.
        """
        end = len(self._row)
        while end:
            begin = max(0, end - count)
            yield [user for user in reversed(self._row[begin:end]) if self._is_here(user)]
            end = min(begin, len(self._row))

    def visit(self, count: int) -> Iterator[User]:
        """The next `count` users; whom the owner took away is let go of."""
        if self._place >= self._end and self.has_visits:
            self.begin()
            self._saved = self._end  # only to let go
        row = self._row
        for place in range(self._place, min(self._place + count, self._end)):
            user = row[place]
            self._place = place + 1
            if self._is_here(user):
                row[self._stay] = user
                self._stay += 1
                yield user
        if self._place == self._end:
            self._close_up()

    def choose_saves(self) -> list[str]:
        """Ids of some more who have taken it on, once everybody was visited.

        O(`LOOKS_A_COMMIT`).
        """
        chosen: list[str] = []
        if self._place < self._end:
            return chosen
        for place in range(self._saved, min(self._saved + LOOKS_A_COMMIT, self._end)):
            user = self._row[place]
            self._saved = place + 1
            if stands(user) and self._is_here(user):
                chosen.append(user.user_id)
                if len(chosen) == SAVES_A_COMMIT:
                    break
        return chosen

    def _is_here(self, user: User) -> bool:
        user_id = user.user_id
        return self.parts[hash(user_id) & SHARDS_MASK].get(user_id) is user

    def _close_up(self) -> None:
        """Take those out of the row who were let go of."""
        gone = self._place - self._stay
        if gone:
            del self._row[self._stay : self._place]
            self._place = self._stay
            self._end -= gone
            self._saved = min(self._saved, self._end)
