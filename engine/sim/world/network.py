"""The wire between whoever is outside and the process: it takes a while, and breaks with either."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.sim.world.clients import NO_ANSWER
from engine.sim.world.machine import MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.world.clients import Body
    from engine.sim.world.machine import Machine
    from engine.sim.world.process import Process
    from engine.sim.world.scenario import Chance


class Network:
    """All connections of a world.

    Args:
        serving: The process, where one serves.

    Attributes:
        on_answer: Told of each body that the process has answered.
    """

    def __init__(
        self, machine: Machine, chance: Chance, serving: Callable[[], Process | None]
    ) -> None:
        self.on_answer: Callable[[Body], None] = lambda _: None
        self._machine = machine
        self._chance = chance
        self._serving = serving
        self._unanswered: list[Callable[[int], None]] = []

    def send(self, body: Body, answered: Callable[[int], None]) -> None:
        """A body goes over the wire, and its answer comes back, if there is one."""
        chance = self._chance
        way_ns, back_ns = chance.randrange(50_000, 30 * MS), chance.randrange(50_000, 30 * MS)

        def arrives() -> None:
            process = self._serving()
            self._unanswered.append(answered)
            if process is None:
                return  # whoever is refused comes again once it is open

            def answer(status: int) -> None:
                self._unanswered.remove(answered)
                self.on_answer(body)
                self._machine.after(back_ns, partial(answered, status))

            body.ask(process, answer)

        self._machine.after(way_ns, arrives)

    def cut(self) -> None:
        """Whoever waits for an answer notices that none will come."""
        for answered in self._unanswered:
            self._machine.after(self._chance.randrange(1_000) * MS, partial(answered, NO_ANSWER))
        self._unanswered.clear()
