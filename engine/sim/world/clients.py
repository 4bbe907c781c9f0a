"""Clients that send what happened until they hear that it was taken, and now and then nonsense.

A client knows its items by their message ids. It sends a body, waits for the answer for a while,
and where none comes, or one that says *not known*, it sends the very same body again. Nothing else
is asked of clients, so that no event is lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from engine.sim.world.machine import MS
from engine.sim.world.sayings import Sayings

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.world.machine import Machine
    from engine.sim.world.process import Process
    from engine.sim.world.scenario import Chance

TAKEN: Final = 200
NO_ANSWER: Final = 0

PATIENCE_DOUBLES_MAX: Final = 6
"""How often a client's patience doubles: it may be hours until somebody is there to answer."""

STARTS: Final = 4
"""How often campaigns are started by hand."""

BODY_SMALL: Final = 4
"""Items of a body that a browser may send."""


class Body:
    """Something that is said to the process until it is heard that it was taken.

    Attributes:
        ids: Message ids of what must be taken in the end.
        ask: Says it to a process, and takes the status of its answer.
        acknowledged: Whether the client knows that it was taken.
        tries: How often it was sent.
    """

    __slots__ = ("acknowledged", "answered", "ask", "ids", "tries")

    def __init__(
        self, ids: list[str], ask: Callable[[Process, Callable[[int], None]], None]
    ) -> None:
        self.ids = ids
        self.ask = ask
        self.acknowledged = False
        self.answered = 0
        self.tries = 0


class Clients:
    """All clients of a world.

    Args:
        chance: Draws what they do.
        may: Whether a kind of fault may happen now.
        reach: Told of each fault that did.
        send: Takes a body to the process and brings the status back: `TAKEN`, another status for
            *not known*, or `NO_ANSWER` where the connection broke.

    Attributes:
        bodies: Everything that they have to send, in order.
    """

    def __init__(
        self,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
        send: Callable[[Body, Callable[[int], None]], None],
    ) -> None:
        self.bodies: list[Body] = []
        self._machine = machine
        self._chance = chance
        self._may = may
        self._reach = reach
        self._send = send
        self._sayings = Sayings(machine, chance, may, reach)

    @property
    def are_done(self) -> bool:
        """Whether everything was acknowledged."""
        return all(body.acknowledged for body in self.bodies)

    def begin(self, names: list[str], events: int, within_ms: int) -> None:
        """Have users do so much: an identify call each, then events at drawn instants.

        What several did in one body comes from a shop's own server; a browser tells of its user.
        """
        chance, self._sayings.names = self._chance, names
        for name in names:
            at_ms = chance.randrange(500)
            self._machine.after(at_ms * MS, partial(self._act, [name], "identify"))
        left = events
        while left > 0:
            count = min(left, chance.choice((1, 1, 1, 2, 4, 16)))
            left -= count
            doers = chance.choices(names, k=count)
            if chance.random() < 0.5:  # noqa: PLR2004 - half
                doers = doers[:1] * count
            # A large body may be a shop's nightly sync: nothing in it has an effect.
            kind = chance.choice(("", "identify", "Never Heard Of")) if count > BODY_SMALL else ""
            self._machine.after(chance.randrange(within_ms) * MS, partial(self._act, doers, kind))
        for _ in range(STARTS):
            at_ms = chance.randrange(within_ms)
            self._machine.after(at_ms * MS, self._start)

    def _start(self) -> None:
        """Somebody starts a campaign by hand."""
        self._say(*self._sayings.start())

    def _act(self, users: list[str], kind: str = "") -> None:
        """Users do something, and it is sent."""
        made = [self._sayings.item(user, kind) for user in users]
        chance = self._chance
        if len(users) > 1 and self._may("swapped") and chance.random() < 0.5:  # noqa: PLR2004 - half
            self._reach("swapped")
            chance.shuffle(made)
        items = [item for _, item in made]
        if self._may("garbage") and chance.random() < 0.1:  # noqa: PLR2004 - now and then
            self._reach("garbage")
            items.insert(chance.randint(0, len(items)), chance.choice((b"{}", b"[]", b'{"type":1')))
        self._say([message_id for message_id, _ in made], items)

    def _say(self, ids: list[str], items: list[bytes]) -> None:
        self.post(Body(ids, lambda process, answer: process.take(items, answer)))

    def post(self, body: Body) -> None:
        """Have something said until it is taken."""
        self.bodies.append(body)
        self._post(body)

    def _post(self, body: Body) -> None:
        body.tries += 1
        this_try = body.tries

        def answered(status: int) -> None:
            if body.acknowledged or body.answered >= this_try:
                return
            body.answered = this_try
            if status == TAKEN and self._may("answer_lost") and self._chance.random() < 0.3:  # noqa: PLR2004 - often
                self._reach("answer_lost")
                status = NO_ANSWER
            if status != TAKEN:
                self._machine.after(self._chance.randrange(100, 3_000) * MS, again)
                return
            body.acknowledged = True
            if self._may("duplicate") and self._chance.random() < 0.2:  # noqa: PLR2004 - one in five
                self._reach("duplicate")
                self._machine.after(self._chance.randrange(20_000) * MS, again)

        def again() -> None:
            self._post(body)

        self._send(body, answered)
        # A client does not wait for ever; whichever comes first, an answer or its patience, counts.
        patience_ms = self._chance.randrange(5_000, 40_000) << min(body.tries, PATIENCE_DOUBLES_MAX)
        self._machine.after(patience_ms * MS, lambda: answered(NO_ANSWER))
