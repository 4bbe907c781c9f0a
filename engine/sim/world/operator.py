"""Who runs the shop: edits it, has users erased, and has what failed delivered after all.

He edits whether the process runs or not; where he does not have the edit taken on, the next start
does. To erase a user he asks the running process until it says that it is done.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from engine.sim.world.machine import MS
from engine.sim.world.shop import EDITIONS, TESTER, world_shop

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from config import Shop
    from engine.sim.world.machine import Machine
    from engine.sim.world.process import Process
    from engine.sim.world.scenario import Chance

REVIVALS: Final = 12
"""How often he has all dead letters delivered after all."""

EDITS: Final = 3
"""How often the shop may be edited."""

ERASURES: Final = 2
"""How often a user may be erased."""

LOOKS_AFTER_MS: Final = 10_000
"""How long after an edit that matters he looks whether the process has taken it on."""


class Operator:
    """One person, at instants drawn once.

    Args:
        running: The process, where one serves.

    Attributes:
        edition: Of the shop's files as they are now.
        forgets: Whether the shop keeps events for a minute.
        to_erase: Users that he wants erased, and has not heard are.
        erased: Those who are, as he was told.
        on_reloaded: Told each time that the process took an edit on.
    """

    def __init__(
        self,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
        running: Callable[[], Process | None],
    ) -> None:
        self.edition = 0
        self.forgets = False
        self.to_erase: set[str] = set()
        self.erased: set[str] = set()
        self.on_reloaded: Callable[[], None] = lambda: None
        self._machine = machine
        self._chance = chance
        self._may = may
        self._reach = reach
        self._running = running

    @property
    def shop(self) -> Shop:
        """As its files are now."""
        return world_shop(self.edition, forgets=self.forgets)

    def begin(self, users: list[str], unsafe_ms: int) -> None:
        """Draw it all, for so long from now."""
        chance, machine = self._chance, self._machine
        for _ in range(EDITS):
            edition, reloads = chance.randrange(EDITIONS), chance.random() < 0.8  # noqa: PLR2004 - most
            act = partial(self._edit, edition, reloads=reloads)
            machine.after(chance.randrange(unsafe_ms) * MS, act)
        for _ in range(REVIVALS):
            machine.after(chance.randrange(unsafe_ms) * MS, self._revive)
        for _ in range(ERASURES):
            user = chance.choice(users)
            machine.after(chance.randrange(unsafe_ms) * MS, partial(self._want_erased, user))

    def _edit(self, edition: int, *, reloads: bool) -> None:
        if not self._may("plan_changed") or edition == self.edition:
            return
        self._reach("plan_changed")
        self.edition = edition
        process = self._running()
        if reloads and process is not None:
            process.reload(self.shop)
            self.on_reloaded()

    def resume(self) -> None:
        """Have no campaign paused any more, and see to it that the process knows."""
        self.edition = 0
        process = self._running()
        if process is not None:
            process.reload(self.shop)  # in any case: an edit of before may still be on its way
        self._machine.after(LOOKS_AFTER_MS * MS, self._look_after_resuming)

    def _look_after_resuming(self) -> None:
        process = self._running()
        if process is None or process.processor.plans.bare.id != self.shop.plan.id:
            self.resume()

    def _revive(self) -> None:
        process = self._running()
        if self._may("revived") and process is not None:
            process.revive(partial(self._reach, "revived"))
            if self._chance.random() < 0.2:  # noqa: PLR2004 - now and then he is impatient
                process.revive(lambda: None)

    def _want_erased(self, user: str) -> None:
        if self._may("user_erased") and user not in {TESTER, *self.to_erase}:
            self._reach("user_erased")
            self.to_erase.add(user)
            self._ask_to_erase(user)

    def _ask_to_erase(self, user: str) -> None:
        """Ask, and again a while later where nobody is there, it fails, or no answer comes."""
        if user not in self.to_erase:
            return
        process = self._running()
        if process is not None:
            process.erase(user, partial(self._note_erased, user))
        again_ns = self._chance.randrange(5_000, 60_000) * MS
        self._machine.after(again_ns, partial(self._ask_to_erase, user))

    def _note_erased(self, user: str) -> None:
        self.to_erase.discard(user)
        self.erased.add(user)

    def erase_again(self, erased: Collection[str]) -> None:
        """All is as it was when only these were erased: have the others erased once more."""
        back, self.erased = self.erased.difference(erased, self.to_erase), {*erased}
        self.to_erase |= back
        for user in sorted(back):
            self._ask_to_erase(user)
