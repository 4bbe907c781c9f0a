"""Everybody in a row, so that they can be gone over in slices while their number changes.

A dict cannot be: it must not grow meanwhile, and a copy of a million takes some forty milliseconds.
A row of references is 8 bytes a user. It is gone over twice for each change of the plan: first to
have everybody take it on, then to have them saved, which a disk takes longer for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.state import stands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.state import User

SWEPT_AT_ONCE = 8
"""Users that a sweep looks at between two looks at the clock: some 0.2 ms, where each of them waits
and is sent something by the change."""

SAVES_A_COMMIT = 64
"""Users who took a changed plan on that are saved with a commit."""

LOOKS_A_COMMIT = 4_096
"""Users that are looked at for that: some 0.2 ms."""


class Roster:
    """All users, and how far they were gone over.

    Args:
        users: Who there is, by id; the owner adds and takes away.
    """

    __slots__ = ("_end", "_place", "_row", "_saved", "_stay", "_users")

    def __init__(self, users: dict[str, User]) -> None:
        self._users = users
        self._row = list(users.values())
        # Of those before `_end`: the next to be visited, how many before him stay, whom to save.
        self._end = 0
        self._place = 0
        self._stay = 0
        self._saved = 0

    @property
    def has_visits(self) -> bool:
        """Whether there is anybody left to visit: to take a change on, or to be let go of."""
        return self._place < self._end or (
            self._saved >= self._end and len(self._row) > len(self._users)
        )

    @property
    def has_saves(self) -> bool:
        """Whether there is anybody left to save."""
        return self._saved < self._end

    def welcome(self, user: User) -> None:
        """Add a user who was just made. O(1)."""
        self._row.append(user)

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

    def visit(self, count: int) -> Iterator[User]:
        """The next `count` users; whom the owner took away is let go of."""
        if self._place >= self._end and self.has_visits:
            self.begin()
            self._saved = self._end  # only to let go
        row, users = self._row, self._users
        for place in range(self._place, min(self._place + count, self._end)):
            user = row[place]
            self._place = place + 1
            if users.get(user.user_id) is user:
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
            if stands(user) and self._users.get(user.user_id) is user:
                chosen.append(user.user_id)
                if len(chosen) == SAVES_A_COMMIT:
                    break
        return chosen

    def _close_up(self) -> None:
        """Take those out of the row who were let go of."""
        gone = self._place - self._stay
        if gone:
            del self._row[self._stay : self._place]
            self._place = self._stay
            self._end -= gone
            self._saved = min(self._saved, self._end)
