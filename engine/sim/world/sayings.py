"""What users of a world do and say, as the items that clients send of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.intake.starts import TRIGGER
from engine.sim.world.machine import MS
from engine.sim.world.restraint import AHEAD_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.world.machine import Machine
    from engine.sim.world.scenario import Chance

STARTED: Final = ("hand", "hand", "cart", "lapse", "each")
"""Campaigns that are started by hand; not all take somebody in who did not do what they ask for."""

PARCEL: Final = "Parcel Sent"
"""Nothing that a user does."""

KINDS: Final = (
    *("Product Viewed",) * 4,
    *("Product Added",) * 4,
    *("Order Completed",) * 2,
    *("Signed Up",) * 2,
    *("Never Heard Of",) * 2,
    *("identify",) * 2,
    PARCEL,
    "default",
    "group",
    *("score",) * 2,
)
"""Names of events, and types of what is none."""

SHARED: Final = "desk@firm.example"
"""A mailbox that several users may have."""

_SAID: Final = frozenset({"identify", "default", "group", "score"})


class Sayings:
    """Makes items, each under a message id of its own.

    Args:
        chance: Draws what they say.
        may: Whether a kind of fault may happen now.
        reach: Told of each fault that did.
    """

    def __init__(
        self,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
    ) -> None:
        self.names: list[str] = []
        self._machine = machine
        self._chance = chance
        self._may = may
        self._reach = reach
        self._numbers = 0

    def start(self) -> tuple[list[str], list[bytes]]:
        """Somebody starts a campaign by hand, for some of the users or for all: ids and items."""
        chance, names = self._chance, self.names
        campaign, content = chance.choice(STARTED), {"twice": chance.random() < 0.5}  # noqa: PLR2004 - half
        ids, items = [], []
        for user in chance.sample(names, chance.randint(1, len(names))):
            self._numbers += 1
            ids.append(f"{user}-{self._numbers}")
            said = {"type": TRIGGER, "user_id": user, "message_id": ids[-1], "timestamp": 0}
            items.append(msgspec.json.encode(said | {"campaign": campaign, "content": content}))
        return ids, items

    def item(self, user: str, kind: str) -> tuple[str, bytes]:
        """A user does something, drawn where no kind is given: its message id, and the item."""
        chance = self._chance
        self._numbers += 1
        message_id = f"{user}-{self._numbers}"
        kind = kind or chance.choice(KINDS)
        if self._may("merged") and chance.random() < 0.15:  # noqa: PLR2004 - who he is, is told often
            kind = "identify"
        item: dict[str, object] = {"user_id": user, "message_id": message_id}
        if self._may("aliased") and chance.random() < 0.06:  # noqa: PLR2004 - now and then
            self._reach("aliased")
            previous = chance.choice(self.names)
            said = {
                "type": "alias",
                "previous_id": previous,
                "timestamp": self._machine.wall_ns() // MS,
            }
            return message_id, msgspec.json.encode(item | said)
        if self._may("merged"):
            message_id = self._tell_device(item, user, kind)
        item["timestamp"] = self._at_ms()
        item |= self._said(user, kind) if kind in _SAID else self._event(kind)
        return message_id, msgspec.json.encode(item)

    def _at_ms(self) -> int:
        chance = self._chance
        at_ms = self._machine.wall_ns() // MS
        if self._may("late") and chance.random() < 0.2:  # noqa: PLR2004 - one in five
            self._reach("late")
            return at_ms - chance.choice((300, 2_000, 30_000, 600_000, 7_200_000))
        if self._may("future") and chance.random() < 0.2:  # noqa: PLR2004 - one in five
            self._reach("future")
            return at_ms + chance.choice((300, 60_000, 86_400_000))
        return at_ms

    def _event(self, name: str) -> dict[str, object]:
        chance = self._chance
        properties = {
            "price": chance.choice((5.0, 30.0, 300.0)),
            "sku": chance.choice("abc"),
            "order": f"o{chance.randrange(6)}",
        }
        event: dict[str, object] = {"event": name, "properties": properties}
        return event | {"passive": True} if name == PARCEL else event

    def _said(self, user: str, kind: str) -> dict[str, object]:
        """What is said of a user, in a call that is no event."""
        chance = self._chance
        match kind:
            case "score":
                return {"type": kind, "model": "churn", "score": chance.choice((0.1, 0.6, 0.8, 1))}
            case "group":
                group = {"group_id": f"g{chance.randrange(3)}", "traits": {"seats": 5}}
                return {"type": kind, **group}
            case "default":
                origin = chance.choice(("letter", "friend", "fair"))
                return {"type": kind, "traits": {"origin": origin, "tier": "gold"}}
            case _:
                return {"type": kind, "traits": self._traits(user)}

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
            "email": chance.choice(("", f"{user}@shop.example", f"{user}@other.example", SHARED)),
            "timezone": chance.choice((None, None, *AHEAD_MINUTES)),
            "consent": {"email": chance.random() < 0.8, "sms": chance.random() < 0.8},  # noqa: PLR2004 - most
        }
        if chance.random() < 0.8:  # noqa: PLR2004 - most
            traits["tier"] = chance.choice(("gold", "none"))
        if chance.random() < 0.2:  # noqa: PLR2004 - one in five
            traits["origin"] = "himself"
        if chance.random() < 0.5:  # noqa: PLR2004 - half
            traits["phone"] = f"+4912345{self._numbers}"
        if chance.random() < 0.5:  # noqa: PLR2004 - half
            traits["push"] = {"endpoint": f"https://push.example/{user}"}
        return traits
