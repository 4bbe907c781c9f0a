"""What is made of two ids that were said to be one user's: a merge, or no more than was said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.effects import QuarantineInput
from engine.core.inputs import UserIdentified, UsersMerged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.core.effects import Effect
    from engine.core.people.aliases import Aliases
    from engine.core.state import User


def hear(
    said: UsersMerged,
    aliases: Aliases,
    users: Mapping[str, User],
    effects: list[Effect],
) -> UserIdentified | None:
    """The input to be taken for it; None where there is nothing to be taken.

    What joins nobody is journaled without the other id: it may be another user's, whose erasure has
    to leave nothing. What is refused is quarantined, and of an identify call the traits are taken
    all the same.
    """
    why = aliases.judge(said, users)
    if why is None:
        return said
    if why:
        path = "$.previous_id" if said.is_alias else "$.anonymous_id"
        effects.append(QuarantineInput(said, path, why, said.is_alias))
        if said.is_alias:
            return None
    return UserIdentified(
        said.user_id, said.occurred_at_ms, said.received_at_ms, said.traits, said.message_id,
        said.at_ms,
    )  # fmt: skip
