"""What is said of a user: traits, who he is, and the proof of what he agreed to by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.effects import QuarantineInput
from engine.core.inputs import TraitsDefaulted, TraitsImported
from engine.core.people.consents import prove_said
from engine.core.people.traits import recall, tell

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.core.inputs import UserIdentified
    from engine.core.state import User

IDENTIFIED: Final = "identify"
"""How consent came that an identify call has brought."""


def identify(user: User, happened: UserIdentified, effects: list[Effect]) -> None:
    """Have what was said of the user in his traits; what he has no room for is quarantined.

    Consent in it is proven as of the call's own time.
    """
    before = user.traits.get("consent")
    if isinstance(happened, TraitsImported):
        said_at_ms, is_default = happened.occurred_at_ms, happened.default
        refused = recall(user, happened.traits, said_at_ms, behind=is_default)
    else:
        refused = tell(user, happened.traits, behind=isinstance(happened, TraitsDefaulted))
        user.is_anonymous = user.is_anonymous and happened.is_anonymous
        user.identified_at_ms = max(user.identified_at_ms, happened.occurred_at_ms)
    prove_said(user, before, happened.occurred_at_ms, IDENTIFIED)
    if refused:
        effects.append(QuarantineInput(happened, "$.traits", refused))
