"""Everybody whom a process knows: who there is, which plan each is under, when each is due.

What is due to a user by time alone stands in the timer wheel, and what he lacks of a changed plan
he takes on before anything else happens to him. What comes of either is an effect of the batch that
is open, which the processor seals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.adoption import take_on
from engine.core.effects import have_effect
from engine.core.state import NEVER, User, first_due_at_ms, stands
from engine.core.transition import fire
from engine.runtime.plans import Plans
from engine.runtime.roster import SWEPT_AT_ONCE
from engine.timers import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.effects import Effect
    from engine.core.inputs import Input
    from engine.core.plan import Plan


class Population:
    """All users of one process, each at his place in time.

    Args:
        plan: The plan in force, unless `changes` say otherwise.
        users: Who is known, by id.
        now_ms: Logical time to start from.
        changes, plans: What the last run left that users may lack (`Plans`).

    Attributes:
        wake_at_ms: No deadline is earlier; `NEVER` where there is none.
        on_fired: Told (due_at_ms, now_ms) of each deadline as it fires.
    """

    def __init__(
        self,
        plan: Plan,
        users: dict[str, User],
        *,
        now_ms: int,
        changes: Iterable[tuple[int, Input]],
        plans: Mapping[str, Plan] | None,
    ) -> None:
        self.users = users
        self.plans = Plans(plan, users, changes, plans)
        self.plan, self._changed = self.plans.plan, self.plans.number
        self._changes = self.plans.changes
        self.on_fired: Callable[[int, int], None] | None = None
        self.wake_at_ms = NEVER
        self._effects: list[Effect] = []
        self._touched: dict[str, None] = {}
        self._deadlines: Deadlines[User] = Deadlines(now_ms)
        for user in users.values():
            self._follow(user)

    def sweep(self, go_on: Callable[[], bool] | None = None) -> bool:
        """Have users take changes on while `go_on` answers True; whether there are more.

        Looks at some dozens between two answers. O(users) in all.
        """
        roster = self.plans.roster
        while roster.has_visits:
            for user in roster.visit(SWEPT_AT_ONCE):
                if user.seen < self._changed and (stands(user) or self.plan.edges):
                    self._catch_up(user)
            if go_on is not None and not go_on():
                return roster.has_visits
        return False

    def _fire(self, user: User, until_ms: int, now_ms: int) -> None:
        if self.on_fired is not None:
            self.on_fired(first_due_at_ms(user), now_ms)
        fire(self.plan, user, until_ms, self._effects)

    def _follow(self, user: User) -> None:
        """Have the wheel look at the user in time; a later deadline, or none, touches no slot."""
        due_at_ms = user.due_at_ms
        if due_at_ms < user.armed_at_ms:
            self._deadlines.insert(user, due_at_ms)
            if due_at_ms < self.wake_at_ms:
                self.wake_at_ms = due_at_ms

    def _catch_up(self, user: User) -> None:
        """Have a user take on what he lacks, with nothing else happening to him."""
        before = len(self._effects)
        take_on(user, self._changes, self._effects)
        if have_effect(self._effects, before):
            self._touched[user.user_id] = None
        self._follow(user)
