"""Clients that send what happened until they hear that it was taken, and now and then nonsense.

A client knows its items by their message ids. It sends a body, waits for the answer for a while,
and where none comes, or one that says *not known*, it sends the very same body again. Nothing else
is asked of clients, so that no event is lost.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.starts import TRIGGER
from engine.sim.world.machine import MS
from engine.sim.world.restraint import AHEAD_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.world.machine import Machine
    from engine.sim.world.scenario import Chance

TAKEN: Final = 200
NO_ANSWER: Final = 0

PATIENCE_DOUBLES_MAX: Final = 6
"""How often a client's patience doubles: it may be hours until somebody is there to answer."""

STARTS: Final = 4
"""How often campaigns are started by hand."""

BODY_SMALL: Final = 4
"""Items of a body that a browser may send."""

NAMES: Final = (
    *("Product Viewed",) * 4,
    *("Product Added",) * 4,
    *("Order Completed",) * 2,
    "Signed Up",
    *("Never Heard Of",) * 3,
    "identify",
    "identify",
)


STARTED: Final = ("hand", "hand", "cart", "lapse", "each")
"""Campaigns that are started by hand; not all take somebody in who did not do what they ask for."""


class Body:
    """Some items on their way.

    Attributes:
        ids: Message ids of what must be taken in the end.
        items: The items as JSON.
        acknowledged: Whether the client knows that they were taken.
        tries: How often it was sent.
    """

    __slots__ = ("acknowledged", "answered", "ids", "items", "tries")

    def __init__(self, ids: list[str], items: list[bytes]) -> None:
        self.ids = ids
        self.items = items
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
        self._numbers = 0
        self._names: list[str] = []

    @property
    def are_done(self) -> bool:
        """Whether everything was acknowledged."""
        return all(body.acknowledged for body in self.bodies)

    def begin(self, names: list[str], events: int, within_ms: int) -> None:
        """Have users do so much: an identify call each, then events at drawn instants.

        What several did in one body comes from a shop's own server; a browser tells of its user.
        """
        chance, self._names = self._chance, names
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
            self._machine.after(at_ms * MS, partial(self._start, names))

    def _start(self, names: list[str]) -> None:
        """Somebody starts a campaign by hand, for some of the users or for all."""
        chance = self._chance
        campaign, content = chance.choice(STARTED), {"twice": chance.random() < 0.5}  # noqa: PLR2004 - half
        ids, items = [], []
        for user in chance.sample(names, chance.randint(1, len(names))):
            self._numbers += 1
            ids.append(f"{user}-{self._numbers}")
            said = {"type": TRIGGER, "user_id": user, "message_id": ids[-1], "timestamp": 0}
            items.append(msgspec.json.encode(said | {"campaign": campaign, "content": content}))
        self.bodies.append(Body(ids, items))
        self._post(self.bodies[-1])

    def _act(self, users: list[str], kind: str = "") -> None:
        """Users do something, and it is sent."""
        made = [self._item(user, kind) for user in users]
        chance = self._chance
        if len(users) > 1 and self._may("swapped") and chance.random() < 0.5:  # noqa: PLR2004 - half
            self._reach("swapped")
            chance.shuffle(made)
        items = [item for _, item in made]
        if self._may("garbage") and chance.random() < 0.1:  # noqa: PLR2004 - now and then
            self._reach("garbage")
            items.insert(chance.randint(0, len(items)), chance.choice((b"{}", b"[]", b'{"type":1')))
        body = Body([message_id for message_id, _ in made], items)
        self.bodies.append(body)
        self._post(body)

    def _item(self, user: str, kind: str) -> tuple[str, bytes]:
        chance = self._chance
        self._numbers += 1
        message_id = f"{user}-{self._numbers}"
        kind = kind or chance.choice(NAMES)
        if self._may("merged") and chance.random() < 0.15:  # noqa: PLR2004 - who he is, is told often
            kind = "identify"
        item: dict[str, object] = {"user_id": user, "message_id": message_id}
        if self._may("aliased") and chance.random() < 0.06:  # noqa: PLR2004 - now and then
            self._reach("aliased")
            previous = chance.choice(self._names)
            said = {
                "type": "alias",
                "previous_id": previous,
                "timestamp": self._machine.wall_ns() // MS,
            }
            return message_id, msgspec.json.encode(item | said)
        if self._may("merged"):
            message_id = self._tell_device(item, user, kind)
        at_ms = self._machine.wall_ns() // MS
        if self._may("late") and chance.random() < 0.2:  # noqa: PLR2004 - one in five
            self._reach("late")
            at_ms -= chance.choice((300, 2_000, 30_000, 600_000, 7_200_000))
        elif self._may("future") and chance.random() < 0.2:  # noqa: PLR2004 - one in five
            self._reach("future")
            at_ms += chance.choice((300, 60_000, 86_400_000))
        item["timestamp"] = at_ms
        if kind == "identify":
            item["type"] = kind
            item["traits"] = self._traits(user)
        else:
            item["event"] = kind
            item["properties"] = {
                "price": chance.choice((5.0, 30.0, 300.0)),
                "sku": chance.choice("abc"),
                "order": f"o{chance.randrange(6)}",
            }
        return message_id, msgspec.json.encode(item)

    def _tell_device(self, item: dict[str, object], user: str, kind: str) -> str:
        """Have an item say what a device knows: its own id alone, or both; now and then of two.

        No id is in another one, nor in anything that somebody else says: an erasure takes all.
        """
        chance = self._chance
        owner = chance.choice((user.strip("who"),) * 3 + ("all",))
        device = f"dev{owner}.{chance.randrange(2)}dev"
        if kind == "identify":
            item["anonymous_id"] = device
        elif chance.random() < 0.4:  # noqa: PLR2004 - nearly half
            self._reach("merged")
            item["anonymous_id"] = device
            item["message_id"] = f"{device}-{self._numbers}"
            del item["user_id"]
        return str(item["message_id"])

    def _traits(self, user: str) -> dict[str, object]:
        chance = self._chance
        traits: dict[str, object] = {
            "email": chance.choice(("", f"{user}@shop.example", f"{user}@other.example")),
            "tier": chance.choice(("gold", "none")),
            "timezone": chance.choice((None, None, *AHEAD_MINUTES)),
            "consent": {"email": chance.random() < 0.8, "sms": chance.random() < 0.8},  # noqa: PLR2004 - most
        }
        if chance.random() < 0.5:  # noqa: PLR2004 - half
            traits["phone"] = f"+4912345{self._numbers}"
        if chance.random() < 0.5:  # noqa: PLR2004 - half
            traits["push"] = {"endpoint": f"https://push.example/{user}"}
        return traits

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
