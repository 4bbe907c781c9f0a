"""Who did what when: the events of each user in order of time, of some where there are too many."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest as hash_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVENTS_MAX: Final = 4_000_000
"""Events that are held at once: 16 bytes each. Beyond that every second user is let go of."""

NAMES_MAX: Final = 5_000
"""Names of events that are told apart; further ones are left out, and counted."""


class Trail:
    """One user's events.

    Attributes:
        instants: When each was, by event time.
        names: What each was: places in `Trails.names`.
        is_sorted: Whether they stand in order of time.
    """

    __slots__ = ("instants", "is_sorted", "names")

    def __init__(self) -> None:
        self.instants = array("q")
        self.names = array("H")
        self.is_sorted = True

    def add(self, name: int, at_ms: int) -> None:
        """Note an event. O(1)."""
        if self.instants and at_ms < self.instants[-1]:
            self.is_sorted = False
        self.instants.append(at_ms)
        self.names.append(name)

    def sort(self) -> None:
        """Put them into order of time; those of one instant stay as they came."""
        if self.is_sorted:
            return
        order = sorted(range(len(self.instants)), key=self.instants.__getitem__)
        self.instants = array("q", (self.instants[at] for at in order))
        self.names = array("H", (self.names[at] for at in order))
        self.is_sorted = True


class Trails:
    """The trails of everybody, or of those whom a hash draws: the same each time.

    Args:
        only: Names of the events that are kept; None: all.
        events_max: How many are held at once.

    Attributes:
        names: Of events, by their numbers.
        traits: Of each user, what was asked for of his traits.
        share: Which share of all users is looked at: 1, ½, ¼, …
        names_left_out: Events that bear no name of the first `NAMES_MAX`.
    """

    def __init__(self, only: Sequence[str] | None = None, events_max: int = EVENTS_MAX) -> None:
        self._only = only is not None
        self._events_max = events_max
        self._numbers = {name: at for at, name in enumerate(dict.fromkeys(only or ()))}
        self._trails: dict[str, Trail] = {}
        self._aliases: dict[str, str] = {}
        self._below = 1 << 64
        self._held = 0
        self.traits: dict[str, str] = {}
        self.share = 1.0
        self.names_left_out = 0

    @property
    def names(self) -> list[str]:
        """Of events, by their numbers."""
        return list(self._numbers)

    def number_of(self, name: str) -> int | None:
        """The number of a name; None where nothing bears it."""
        return self._numbers.get(name)

    def add(self, user_id: str, name: str, at_ms: int) -> None:
        """Note an event. O(1), but for when half the users are let go of."""
        number = self._numbers.get(name)
        if number is None:
            if self._only:
                return
            if len(self._numbers) >= NAMES_MAX:
                self.names_left_out += 1
                return
            number = self._numbers[name] = len(self._numbers)
        user_id = self._bearer(user_id)
        trail = self._trails.get(user_id)
        if trail is None:
            if not self._is_drawn(user_id):
                return
            trail = self._trails[user_id] = Trail()
        trail.add(number, at_ms)
        self._held += 1
        if self._held > self._events_max:
            self._halve()

    def join(self, user_id: str, merged_id: str) -> None:
        """Two ids are one person's from here on, and were all along. O(events of the other)."""
        user_id, merged_id = self._bearer(user_id), self._bearer(merged_id)
        if user_id == merged_id:
            return
        self._aliases[merged_id] = user_id
        other = self._trails.pop(merged_id, None)
        if (said := self.traits.pop(merged_id, None)) is not None:
            self.traits.setdefault(user_id, said)
        if other is None:
            return
        trail = self._trails.get(user_id)
        if trail is None and self._is_drawn(user_id):
            trail = self._trails[user_id] = Trail()
        if trail is None:
            self._held -= len(other.instants)
            return
        for name, at_ms in zip(other.names, other.instants, strict=True):
            trail.add(name, at_ms)

    def say(self, user_id: str, value: str) -> None:
        """Note what a user's trait is by now."""
        self.traits[self._bearer(user_id)] = value

    def __iter__(self) -> Iterator[tuple[str, Trail]]:
        """Users in order of their ids, each with his trail in order of time."""
        for user_id in sorted(self._trails):
            trail = self._trails[user_id]
            trail.sort()
            yield user_id, trail

    def __len__(self) -> int:
        return len(self._trails)

    def keep(self, users_max: int) -> None:
        """Let go of users until there are no more than that. O(users log users)."""
        while len(self._trails) > users_max:
            self._halve()

    def _bearer(self, user_id: str) -> str:
        """Whose trail an id's events are in. What leads there is shortened on the way."""
        aliases, path = self._aliases, []
        while (bearer := aliases.get(user_id)) is not None:
            path.append(user_id)
            user_id = bearer
        for alias in path[:-1]:
            aliases[alias] = user_id
        return user_id

    def _is_drawn(self, user_id: str) -> bool:
        return hash_of(user_id.encode("utf-8", "surrogatepass")) < self._below

    def _halve(self) -> None:
        self._below >>= 1
        self.share /= 2
        self._trails = {
            user_id: trail for user_id, trail in self._trails.items() if self._is_drawn(user_id)
        }
        self._held = sum(len(trail.instants) for trail in self._trails.values())
