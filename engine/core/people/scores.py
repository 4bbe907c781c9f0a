"""Scores: what models say of a user, from 0.0 to 1.0, the latest of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.cel.checked import Asked, within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.cel import Program
    from engine.core.inputs import UserScored
    from engine.core.state import User


def models_asked(programs: Iterable[Program]) -> frozenset[str]:
    """The models whose scores these conditions ask for; no others are kept. O(size of all)."""
    parts = (part for program in programs for part in within(program.tree))
    return frozenset(
        part.name for part in parts if isinstance(part, Asked) and part.function == "score"
    )


def note(user: User, scored: UserScored, models: frozenset[str]) -> None:
    """Have a score in its user's state, where the plan asks for its model. O(scores)."""
    if scored.model in models:
        user.scores = {**user.scores, scored.model: scored.score}  # an empty one is shared


def keep_only(user: User, models: frozenset[str]) -> None:
    """Let go of the scores of models that the plan does not ask for. O(scores)."""
    if not user.scores.keys() <= models:
        user.scores = {model: score for model, score in user.scores.items() if model in models}
