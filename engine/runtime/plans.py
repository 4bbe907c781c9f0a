"""Which plan is in force, and which changes of it not everybody has taken on yet.

A change is one input, at one instant. From then on new input is judged by the new plan; each user
comes to it in his own time (`core.adoption`): before his next input or deadline, or as the sweep
comes by. Until everybody is saved under the new plan the change is kept, and so is the plan before.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from engine.core.adoption import Change
from engine.core.experiments import experiment_of
from engine.core.inputs import (
    OfAll,
    OfPlan,
    PlanAnnounced,
    PlanChanged,
    TimeSkipped,
    WeightsDrawn,
    encode_inputs,
)
from engine.core.plan import Plan
from engine.core.state import stands
from engine.store.batch import KeptChange

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from engine.core.inputs import Input
    from engine.core.state import User
    from engine.runtime.roster import Roster
    from engine.runtime.versions import Versions

NO_PLAN = Plan("")
"""What stands for a plan that cannot be read any more, where somebody is in a campaign of it."""


class Plans:
    """The plan in force, the changes that led to it, and who there is to take them on.

    Args:
        plan: In force where there are no `changes`.
        roster: Everybody, to be gone over.
        changes: What the last run left: numbered changes, of which users may lack all but the
            first, which brought the plan that held before (`plan`, where it names none).
        known: Further plans, by id, for those and for what a replay comes to.

    Attributes:
        plan: In force now; widened, where another was announced.
        bare: The same as it was compiled.
        number: Of the change that brought it; 0 where none did.
        in_force: That change, or None.
        changes: Those that users may lack, oldest first.
        roster: Everybody, to be gone over.
    """

    def __init__(
        self,
        plan: Plan,
        roster: Roster,
        changes: Iterable[tuple[int, Input]] = (),
        known: Mapping[str, Plan] | None = None,
    ) -> None:
        self.plan = self.bare = plan
        self.number = 0
        self.in_force: PlanChanged | None = None
        self.changes: list[Change] = []
        self.roster = roster
        self._known: Mapping[str, Plan] = known or {}
        self._weights: dict[str, dict[str, float]] = {}
        self._fresh: list[KeptChange] = []
        for number, happened in changes:
            if self.in_force is None and isinstance(happened, PlanChanged):
                self.number, self.in_force = number, happened
                self._put(self._known.get(happened.plan_id, plan))
            else:
                self.note(happened, number)

    def note(self, happened: Input, number: int) -> None:
        """A change came, of the plan or of time. O(1).

        Skipped time, and that from an announcement on more is kept, matter only to users who lack a
        change of the plan before it; all others have both at once.
        """
        before = self.plan
        if isinstance(happened, WeightsDrawn):
            self._weigh(happened)
            return
        if isinstance(happened, PlanAnnounced):
            coming = self._known.get(happened.plan_id)
            if coming is not None:  # else it cannot be read any more, and never came into force
                self.plan = self.bare.widened(coming)
        if isinstance(happened, PlanChanged):
            self._put(self._known.get(happened.plan_id, self.bare))
            self.number, self.in_force = number, happened
            self.roster.begin()
        elif not self.changes or not isinstance(happened, TimeSkipped | PlanAnnounced):
            return
        self.changes.append(Change(number, happened, before, self.plan))

    def _put(self, plan: Plan) -> None:
        self.plan = self.bare = plan.weighed(self._weights)

    def _weigh(self, drawn: WeightsDrawn) -> None:
        """Put weights into force. Everything due by now has fired: whoever is behind needs none."""
        experiment = experiment_of(drawn.campaign, drawn.split)
        self._weights = {**self._weights, experiment: drawn.weights}
        self.plan, self.bare = self.plan.weighed(self._weights), self.bare.weighed(self._weights)

    def hold(self, plan: Plan, versions: Versions) -> bool:
        """Whether that very plan is in force, under these versions."""
        held = self.in_force
        return held is not None and held == PlanChanged(plan.id, *versions, held.at_ms)

    def learn(self, plan: Plan) -> None:
        """Know a plan that is about to come into force, or to be announced."""
        self._known = {plan.id: plan}

    def keep(self, happened: OfAll | TimeSkipped, number: int, content: bytes) -> None:
        """Have the open batch store a change that was just noted, for a restart.

        `content` is what its plan was compiled from, if it brings one.
        """
        plan_id = happened.plan_id if isinstance(happened, OfPlan) else ""
        if isinstance(happened, TimeSkipped) and not self.changes:
            return  # skipped time, which everybody has
        self._fresh.append(KeptChange(number, plan_id, encode_inputs([happened]), content))

    def to_keep(self) -> list[KeptChange]:
        """What `keep` was told since the last time."""
        fresh, self._fresh = self._fresh, []
        return fresh

    @property
    def is_unsettled(self) -> bool:
        """Whether everybody has taken the changes on, and not everybody was saved since."""
        return bool(self.changes) and not self.roster.has_changes

    def settle(self) -> int:
        """Once everybody was visited and saved: forget what nobody lacks.

        Returns the number of the change that everybody has taken on then, or 0 where there are
        users who have not.
        """
        if not self.is_unsettled or self.roster.has_saves:
            return 0
        self.changes.clear()
        return self.number


def strays(
    users: Iterable[User], changes: Iterable[tuple[int, Input]], lost: Container[str]
) -> dict[str, list[User]]:
    """Users in a campaign whose newest change of the plan is to one that is lost, by its id.

    Their places are those of a plan that nobody can read any more: they have to be found anew in
    another. `changes` are all that the last run left, those of the journal's tail among them.
    O(users * log changes).
    """
    led = [(number, one.plan_id) for number, one in changes if isinstance(one, PlanChanged)]
    numbers = [number for number, _ in led]
    found: dict[str, list[User]] = {}
    if not any(plan_id in lost for _, plan_id in led):
        return found
    for user in users:
        place = bisect_right(numbers, user.seen) - 1 if stands(user) else -1
        if place >= 0 and led[place][1] in lost:
            found.setdefault(led[place][1], []).append(user)
    return found
