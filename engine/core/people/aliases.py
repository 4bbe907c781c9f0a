"""Whose an id is: users who were merged into others, and who may be.

An id that was merged away is an *alias* for good: whatever comes under it later is the other's.
Each user bears his aliases (`User.aliases`), so that they are saved, erased and lived through again
with him; what is here is the way back from an alias to him, made of that. Nobody's alias is a user,
and an alias never changes hands but together with him who bears it: so there are no chains to
follow, and no circles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.inputs import UsersMerged
    from engine.core.state import User

ALIASES_MAX: Final = 1_000
"""Ids that may be merged into one user: they are saved with him."""


class Aliases:
    """All aliases of a process.

    Args:
        users: Everybody by id, as they were saved: who was merged away is taken out.

    Attributes:
        of: Alias to the id of the user who bears it.
    """

    __slots__ = ("of",)

    def __init__(self, users: dict[str, User]) -> None:
        gone = {alias for user in users.values() if user.aliases for alias in user.aliases}
        gone.update([user.user_id for user in users.values() if user.merged_into])
        for user_id in gone:
            users.pop(user_id, None)
        bearers = [user for user in users.values() if user.aliases]
        self.of: Shards[str] = Shards()
        for user in bearers:
            self.of.update(dict.fromkeys(user.aliases, user.user_id))

    def bearer(self, user_id: str) -> str:
        """The id of the user whom an id means; itself where it is nobody's alias. O(1)."""
        return self.of.get(user_id) or user_id

    def mean_one(self, user_id: str, other_id: str) -> bool:
        """Whether two ids are one user's. O(1)."""
        return self.bearer(user_id) == self.bearer(other_id)

    def forget(self, user: User) -> None:
        """Nobody bears these any more. O(his aliases)."""
        for alias in user.aliases:
            del self.of[alias]

    def judge(self, said: UsersMerged, users: Mapping[str, User]) -> str | None:
        """Why two ids are not merged; "" where there is nothing to be merged; None: they are.

        An `identify` joins an anonymous user alone, and the first that claims him: two customers
        who share a browser stay two. An `alias` joins whomever it names, unless he was merged
        before. O(1).
        """
        merged_id, bearer = said.merged_id, self.bearer(said.user_id)
        owner = self.of.get(merged_id)
        if owner == bearer:
            return ""
        if said.is_alias:
            if merged_id == said.user_id:
                return "a user cannot be merged into himself"
            if merged_id == bearer:
                return "the other one was merged into this one before: it would be a circle"
            if owner is not None:
                return "this id was merged into another user before"
        else:
            other = users.get(merged_id)
            is_known = other is not None and not other.is_anonymous
            if merged_id == bearer or owner is not None or is_known:
                return ""
        return self._room(bearer, merged_id, users)

    def _room(self, bearer: str, merged_id: str, users: Mapping[str, User]) -> str | None:
        both = [users[user_id] for user_id in (bearer, merged_id) if user_id in users]
        if 1 + sum(len(user.aliases) for user in both) > ALIASES_MAX:
            return f"the user would have more than {ALIASES_MAX:,} ids"
        return None
