"""Steps once more, as naively as they can be said: nested, each enrollment a generator of its own.

Written from the contract alone; one user, whose traits and enrollments are plain data. What is not
of interest here (guardrails, late events, priorities) is left out: `interpreter` has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

    Walk: TypeAlias = "Generator[tuple[int | None, str], str, bool]"
    """Yields until when it waits, and for which event; is sent what came: an event, or ""."""

Dict: TypeAlias = "dict[str, Any]"

CHANGES_MAX = 100


class Shopper:
    """One user in a shop; `told` says what happened."""

    def __init__(self, shop: list[Dict]) -> None:
        self.shop = sorted(shop, key=lambda one: one["id"])
        self.traits: Dict = {}
        self.live: list[Dict] = []
        self.told: list[str] = []
        self.now = self.made = self.entries = 0
        self.queue: list[str] = []

    # What can happen

    def event(self, name: str, now: int) -> None:
        self.advance(now)
        self.now, self.made = now, 0
        self.apply(name)
        self.settle()

    def advance(self, now: int) -> None:
        last = None
        while True:
            due = [one for one in self.live if one["until"] is not None and one["until"] <= now]
            if not due:
                return
            first = min(due, key=lambda one: (one["until"], one["campaign"]["id"], one["order"]))
            self.now = first["until"]
            if self.now != last:
                last, self.made = self.now, 0
            first["clock"] = self.now
            self.walk(first, "")
            self.settle()

    def apply(self, name: str) -> None:
        waiting = [one for one in self.live if one["for"] == name and self.now < one["until"]]
        for one in sorted(waiting, key=lambda one: (one["campaign"]["id"], one["order"])):
            one["clock"] = self.now
            self.walk(one, name)
        for campaign in self.shop:
            if name == campaign["on"]:
                self.enter(campaign)

    def settle(self) -> None:
        while self.queue:
            self.apply(self.queue.pop(0))

    def enter(self, campaign: Dict) -> None:
        if any(one["campaign"] is campaign for one in self.live):
            self.tell(campaign, "refused active")
            return
        self.entries += 1
        one = {"campaign": campaign, "clock": self.now, "order": self.entries}
        one["walk"] = self.steps(one, campaign["steps"])
        self.live.append(one)
        self.tell(campaign, "entered")
        self.walk(one, None)

    def walk(self, one: Dict, came: str | None) -> None:
        try:
            one["until"], one["for"] = one["walk"].send(came)
        except StopIteration as end:
            self.live.remove(one)
            self.tell(one["campaign"], "finished" if end.value else "exited out")

    # Steps; a block answers whether it goes on behind it

    def steps(self, one: Dict, steps: list[Dict]) -> Walk:
        for step in steps:
            (kind,) = step
            goes_on = yield from getattr(self, kind)(one, step[kind])
            if not goes_on:
                return False
        return True

    def wait(self, one: Dict, units: int) -> Walk:
        yield one["clock"] + units, ""
        return True

    def until_event(self, one: Dict, said: Dict) -> Walk:
        came = yield (one["clock"] + said["at_most"], said["event"])
        goes_on = yield from self.steps(one, said["then"] if came else said["else"])
        return goes_on

    def send(self, one: Dict, name: str) -> Walk:
        self.tell(one["campaign"], f"sent {name}")
        yield from ()
        return True

    def leave(self, _one: Dict, _said: None) -> Walk:
        yield from ()
        return False

    def choose(self, one: Dict, branches: list[Dict]) -> Walk:
        for number, branch in enumerate(branches):
            if "else" in branch or self.traits.get("a") == branch["when"]:
                self.tell(one["campaign"], f"branched {'else' if 'else' in branch else number}")
                return (yield from self.steps(one, branch.get("steps", branch.get("else"))))
        self.tell(one["campaign"], "branched else")
        return True

    def set(self, _one: Dict, value: int) -> Walk:
        self.traits["a"] = value
        yield from ()
        return True

    def emit(self, one: Dict, name: str) -> Walk:
        if any(name == campaign["on"] or awaits(campaign["steps"], name) for campaign in self.shop):
            if self.made < CHANGES_MAX:
                self.made += 1
                self.queue.append(name)
            else:
                self.tell(one["campaign"], "refused loop")
        yield from ()
        return True

    def repeat(self, one: Dict, said: Dict) -> Walk:
        began = one["clock"] - said["every"]
        for _ in range(said["times"]):
            if began + said["every"] > one["clock"]:
                yield began + said["every"], ""
            if said["until"] is not None and self.traits.get("a") == said["until"]:
                return True
            began = one["clock"]
            goes_on = yield from self.steps(one, said["steps"])
            if not goes_on:
                return False
        return True

    def tell(self, campaign: Dict, what: str) -> None:
        self.told.append(f"{self.now} {campaign['id']} {what}")


def awaits(steps: Any, name: str) -> bool:
    """Whether anything within waits for an event."""
    if isinstance(steps, list):
        return any(awaits(step, name) for step in steps)
    if isinstance(steps, dict):
        said = steps.get("until_event")
        return bool(said and said["event"] == name) or any(awaits(v, name) for v in steps.values())
    return False
