"""A processor in virtual time, and campaigns written as plain data.

Both are made to be read in a test: `campaign("c", wait(5), send("email"))` and
`world.event("Go", at=10)`; what happened is told as one short text a record.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from config.schema import FUNCTIONS, NAMES
from engine.core import cel
from engine.core.conditions.condition import Condition
from engine.core.inputs import (
    EMPTY,
    DeliveryReported,
    EventReceived,
    UserIdentified,
    UsersMerged,
)
from engine.core.messages.waiting import by_id
from engine.core.plan import Campaign, Entry, Plan
from engine.core.steps.kinds import END, Exit, If, Send, Step, Wait, WaitEvent, WaitWhen
from engine.runtime.processor import Processor

if TYPE_CHECKING:
    from engine.core.cel import Program
    from engine.core.collections import Collection
    from engine.core.effects import CancelMessage, CloseMessage, Record, SendMessage
    from engine.core.policy import Policy
    from engine.core.state import User
    from engine.store.batch import Quarantined

S = 1_000
MINUTE = 60 * S
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = 1_767_225_600_000
"""2026-01-01T00:00:00Z: instants of tests count from here."""

Block: TypeAlias = "tuple[dict[str, Any], ...]"


def wait(duration_ms: int, step_id: str = "") -> dict[str, Any]:
    return {"wait": duration_ms, "id": step_id}


def send(
    *channels: str,
    expires: int | None = None,
    step_id: str = "",
    template: str = "t",
    names: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    said = {"send": channels, "expires": expires, "id": step_id, "template": template}
    return said | {"names": names}


def when(condition: str, then: Block = (), otherwise: Block = ()) -> dict[str, Any]:
    return {"if": condition, "then": then, "else": otherwise, "id": ""}


def wait_when(
    condition: str, at_most: int | None = None, then: Block = (), otherwise: Block = ()
) -> dict[str, Any]:
    said = {"wait_when": condition, "at_most": at_most, "id": ""}
    return said | {"then": then, "else": otherwise}


def wait_event(
    name: str,
    at_most: int | None = None,
    then: Block = (),
    otherwise: Block = (),
    when: str | None = None,
    step_id: str = "",
) -> dict[str, Any]:
    said = {"wait_event": name, "at_most": at_most, "when": when, "id": step_id}
    return said | {"then": then, "else": otherwise}


def leave(reason: str) -> dict[str, Any]:
    return {"exit": reason, "id": ""}


@cache
def program(text: str) -> Program:
    return cel.compile(text)


@cache
def timed(text: str | None) -> Condition | None:
    """A condition of the language, as shops write it, with the functions of history."""
    if text is None:
        return None
    return Condition(cel.compile(text, cel.Scope(NAMES, FUNCTIONS)))


def compiled(text: str | None) -> Program | None:
    return None if text is None else program(text)


class _Layout:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.starts: dict[int, int] = {}

    def number(self, block: Block) -> None:
        for step in block:
            self.starts[id(step)] = len(self.starts)
            self.number(step.get("then", ()))
            self.number(step.get("else", ()))

    def lay(self, block: Block, path: str, behind: int) -> None:
        for place, step in enumerate(block):
            follow = self.start(block[place + 1 :], behind)
            step_id = step["id"] or f"{path}.{place}"
            if "wait" in step:
                self.steps.append(Wait(step_id, step["wait"], follow))
            elif "send" in step:
                sends = tuple(step["send"])
                template, names = step["template"], step["names"]
                self.steps.append(
                    Send(step_id, sends, template, step["expires"], follow, names=names)
                )
            elif "exit" in step:
                self.steps.append(Exit(step_id, step["exit"]))
            else:
                then, otherwise = (self.start(step[way], follow) for way in ("then", "else"))
                self.steps.append(_branch(step_id, step, then, otherwise))
                self.lay(step["then"], f"{step_id}.then", follow)
                self.lay(step["else"], f"{step_id}.else", follow)

    def start(self, block: Block, behind: int) -> int:
        return self.starts[id(block[0])] if block else behind


def _branch(step_id: str, step: dict[str, Any], then: int, otherwise: int) -> Step:
    if "if" in step:
        return If(step_id, program(step["if"]), then, otherwise)
    if "wait_event" in step:
        name, asked = step["wait_event"], compiled(step["when"])
        return WaitEvent(step_id, (name,), asked, step["at_most"], then, otherwise)
    condition = timed(step["wait_when"])
    assert condition is not None
    return WaitWhen(step_id, condition, step["at_most"], then, otherwise)


def campaign(
    campaign_id: str,
    *steps: dict[str, Any],
    on: tuple[str, ...] = ("Go",),
    when: str | None = None,
    per: str | None = None,
    reentry: int | None = 0,
    restart: bool = False,
    exits: tuple[str, ...] = (),
    rises: str | None = None,
    backfill: bool = False,
    exit_when: str | None = None,
    **more: Any,
) -> Campaign:
    """A campaign whose steps are nested data, laid flat as a plan wants them.

    With `rises` users come in as that becomes true, and by no event.
    """
    layout = _Layout()
    layout.number(steps)
    layout.lay(steps, "steps", END)
    audience = compiled(more.pop("audience", None))
    return Campaign(
        campaign_id,
        Entry(
            () if rises else on,
            compiled(when),
            compiled(per),
            reentry,
            restart,
            timed(rises),
            backfill,
        ),
        tuple(layout.steps),
        tuple(step.id for step in layout.steps),
        audience=audience,
        exit_events=exits,
        exit_when=timed(exit_when),
        **more,
    )


REACHABLE = {"email": "a@example.com", "consent": {"email": True}}


class World:
    """One processor whose batches are durable at once; instants count from `START`.

    Attributes:
        records: What the last call made happen.
        messages: What it sent.
        cancelled: What it took back.
        closed: What deliveries it ended.
    """

    def __init__(
        self,
        *campaigns: Campaign,
        policy: Policy | None = None,
        collections: tuple[Collection, ...] = (),
    ) -> None:
        self.policy = policy
        self.collections = collections
        self.processor = Processor(Plan("p", campaigns, policy, collections), now_ms=START)
        self.records: list[Record] = []
        self.messages: list[SendMessage] = []
        self.cancelled: list[CancelMessage] = []
        self.closed: list[CloseMessage] = []
        self.quarantined: list[Quarantined] = []

    def event(
        self, name: str, at: int, *, t: int | None = None, user: str = "u", **properties: Any
    ) -> list[str]:
        """An event that arrives `at`, and happened at `t` (without: when it arrived).

        Users whose id begins with `anon` are known by that alone.
        """
        occurred_at_ms = START + (at if t is None else min(t, at))
        raw = msgspec.Raw(msgspec.json.encode(properties)) if properties else EMPTY
        event = EventReceived(user, name, occurred_at_ms, START + at, raw)
        event.is_anonymous = user.startswith("anon")
        self.processor.take(event, START + at)
        return self.commit()

    def merge(self, merged: str, at: int, *, user: str = "u", **traits: Any) -> list[str]:
        """An identify call with both ids."""
        raw = msgspec.Raw(msgspec.json.encode(traits)) if traits else EMPTY
        said = UsersMerged(user, START + at, START + at, raw, merged_id=merged)
        self.processor.take(said, START + at)
        return self.commit()

    def alias(self, merged: str, at: int, *, user: str = "u") -> list[str]:
        said = UsersMerged(user, START + at, START + at, merged_id=merged, is_alias=True)
        self.processor.take(said, START + at)
        return self.commit()

    def identify(self, at: int, *, user: str = "u", **traits: Any) -> list[str]:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        said = UserIdentified(user, START + at, START + at, raw)
        said.is_anonymous = user.startswith("anon")
        self.processor.take(said, START + at)
        return self.commit()

    def reachable(self, at: int = 0, *, user: str = "u") -> None:
        self.identify(at, user=user, **REACHABLE)

    def report(
        self, outcome: Any, at: int, *, message: str = "", user: str = "u", **more: Any
    ) -> list[str]:
        """The end of a delivery: of `message`, else of the user's oldest that is under way."""
        effect_id = message or next(iter(by_id(self.user(user).pending)))
        self.processor.take(DeliveryReported(user, effect_id, outcome, **more), START + at)
        return self.commit()

    def advance(self, at: int) -> list[str]:
        self.processor.advance(START + at)
        return self.commit()

    def resume(self, stopped: int, at: int, *, grace: int = 30 * S) -> list[str]:
        self.processor.resume(START + stopped, grace, START + at)
        return self.commit()

    def adopt(self, *campaigns: Campaign, at: int, plan_id: str = "p2") -> list[str]:
        plan = Plan(plan_id, campaigns, self.policy, self.collections)
        self.processor.adopt(plan, START + at)
        self.processor.sweep()
        return self.commit()

    def user(self, user_id: str = "u") -> User:
        found = self.processor.find(user_id)
        assert found is not None, user_id
        return found

    def commit(self) -> list[str]:
        """What happened since the last time, one text a record."""
        self.records, self.messages, self.cancelled, self.closed = [], [], [], []
        batch = self.processor.begin(self.processor.now_ms)
        if batch is not None:
            released = self.processor.finish(batch)
            self.records = released.records
            self.messages = [message for _, message in released.messages]
            self.cancelled = released.cancelled
            self.closed = released.closed
            self.quarantined += batch.quarantined
        return [told(record) for record in self.records]


def told(record: Record) -> str:
    """`10 c sent first email`: when (since `START`), campaign, kind, and what else it says."""
    said = (record.step, record.channel, record.branch, record.reason)
    words = [str(record.at_ms - START), record.campaign, record.kind, *filter(None, said)]
    if record.variant:
        words.append(f"variant {record.variant}")
    if record.judged_at_ms:
        words.append(f"judged {record.judged_at_ms - START}")
    return " ".join(words)
