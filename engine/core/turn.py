"""One input, or one deadline, at work on one user: what the parts of the core hand around."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from engine.core.conditions.atoms import MOMENT
from engine.core.conditions.bindings import CONTENT, bind_more, read_content
from engine.core.conditions.moment import Moment
from engine.core.effects import ConditionFailed, Effect, Record
from engine.core.experiments import VARIANT, variant_of
from engine.core.inputs import EMPTY, EventReceived
from engine.core.people import refusals
from engine.core.plan import Campaign, Plan
from engine.core.state import Enrollment, Session, User

if TYPE_CHECKING:
    from engine.core.cel import Program
    from engine.core.conditions.condition import Condition
    from engine.core.effects import Kind
    from engine.core.messages.waiting import Pending
    from engine.core.state import Ended

JUDGED_MIN_MS = 1_000
"""Records say when they were judged where that differs from `at_ms` by this much."""


CHANGES_MAX = 100
"""Changes that one input or instant may make after another, each by what the one before did."""


class Change(msgspec.Struct, gc=False):
    """What a change to the user brings about at the same instant, once its turn comes.

    Attributes:
        at_ms, now_ms: As those of the turn in which it was made.
        event: One of the engine's own, which is still to be applied; None for what has been made.
        came: Campaigns whose condition it has made true.
        inside: Those who are in these campaigns are asked again; None: in all.
        session: The one that begins with the event.
        chain: Of the enrollments that come about by it (`chains`).
    """

    at_ms: int
    now_ms: int
    event: EventReceived | None = None
    came: list[Campaign] = []
    inside: frozenset[str] | None = frozenset()
    session: Session | None = None
    chain: tuple[int, ...] = ()


class Queue:
    """Changes of one user at one instant, first in, first out.

    Attributes:
        changes: Whose turn has not come.
        chain: That of the one whose turn it is; () while it is none's.
    """

    __slots__ = ("_at_ms", "_made", "chain", "changes")

    def __init__(self) -> None:
        self.changes: deque[Change] = deque()
        self.chain: tuple[int, ...] = ()
        self._at_ms = 0
        self._made = 0

    @property
    def is_full(self) -> bool:
        """Whether this instant has seen `CHANGES_MAX` of them."""
        return self._made >= CHANGES_MAX

    def append(self, change: Change) -> None:
        """Take one more; whoever calls has asked whether it `is_full`."""
        self._made += 1
        self.changes.append(change)

    def go_to(self, at_ms: int) -> None:
        """From here on it is that instant; a later one may make as many changes again."""
        if at_ms != self._at_ms:
            self._at_ms, self._made = at_ms, 0


class Turn(msgspec.Struct, gc=False):
    """One user, one instant, one list of effects.

    A Struct, since one is made for every entry and every deadline, and little of it is written.

    Attributes:
        plan: The plan in force.
        user: The user whose turn it is.
        at_ms: What records bear as `at`: the due instant of a deadline, now for an input.
        now_ms: Logical now: when guardrails and conditions are asked.
        effects: Effects are appended here, in order.
        event_name: Of the event at hand, or "".
        raw: Its properties, as JSON.
        enrollment: Whose conditions are asked; None where they are nobody's yet.
        bound: What conditions were given so far; None before the first asked.
        queue: Takes what follows at the same instant; None where nothing can.
        content: What the manual start at hand brought, as JSON; empty where none is.
    """

    plan: Plan
    user: User
    at_ms: int
    now_ms: int
    effects: list[Effect]
    event_name: str = ""
    raw: msgspec.Raw | bytes = EMPTY
    enrollment: Enrollment | None = None
    bound: dict[str, Any] | None = None
    queue: Queue | None = None
    content: bytes = b""

    def bindings(self, program: Program | Condition) -> dict[str, Any]:
        """The values that `program` may name; made once a turn, and added to as it asks."""
        bound = self.bound
        if bound is None:
            self.bound = bound = {}
        return self._bind(bound, program.names, self.now_ms)

    @property
    def variant(self) -> str:
        """That of the newest split that the enrollment at hand has gone by; "" where none."""
        return "" if self.enrollment is None else variant_of(self.enrollment.variants)

    def ask(self, condition: Condition, campaign_id: str) -> tuple[bool, int]:
        """Whether a condition is true at `at_ms`, and until when that surely holds by itself.

        One that ends in an error is not, and is counted.
        """
        at_ms = self.at_ms
        bound: dict[str, Any] = {}
        if at_ms == self.now_ms and not condition.is_plain:
            bound = self.bindings(condition)
        elif not condition.is_plain:
            # A deadline that was held back: what conditions say is what they said when it was due.
            self._bind(bound, condition.names, at_ms)
        if MOMENT not in bound:
            bound[MOMENT] = Moment(self.user, at_ms, self.plan)
        answer = condition.ask(bound)
        if bound[MOMENT].failed:
            bound[MOMENT].failed = False
            if not answer[0] and condition.program.truth(bound) is not False:
                self.effects.append(ConditionFailed(campaign_id))
        return answer

    def _bind(self, bound: dict[str, Any], names: frozenset[str], at_ms: int) -> dict[str, Any]:
        """Add what these names ask for as of an instant, and is not there yet."""
        bound["event_name"] = self.event_name
        bound["user"] = self.user.traits  # a step may have set one since
        bind_more(bound, names, self.raw, at_ms, self.user, self.plan.collections)
        if MOMENT in names and MOMENT not in bound:
            bound[MOMENT] = Moment(self.user, at_ms, self.plan)
        own = self.enrollment
        if CONTENT in names:
            bound[CONTENT] = read_content(self.content if own is None else own.content)
        if VARIANT in names:  # it changes as the enrollment goes by a split
            bound[VARIANT] = self.variant
        return bound

    def holds(self, program: Program, campaign_id: str) -> bool:
        """Whether a condition is true here; one that ends in an error is not, and is counted."""
        truth = program.truth(self.bindings(program))
        if truth is not True and truth is not False:
            self.effects.append(ConditionFailed(campaign_id))
        return truth is True

    def refuse(self, campaign_id: str, reason: str) -> None:
        """Record that something was not granted. The user keeps the last few; O(1)."""
        user, at_ms = self.user, self.at_ms
        # In their places: what is given by name has to be looked for.
        refused = Record(at_ms, user.user_id, campaign_id, "refused", "", "", "", "", reason)
        self.effects.append(refused)
        user.refused = refusals.add(user.refused, at_ms, campaign_id, reason)

    def record(
        self,
        kind: Kind,
        about: Enrollment | Ended | Pending,
        step: str = "",
        channel: str = "",
        template: str = "",
        reason: str = "",
        message: str = "",
    ) -> Record:
        """Append one record about an enrollment, or about a message that it sent.

        It is given back for what few records have besides: `branch`, `until_ms`, `value`.
        """
        at_ms, now_ms, variants = self.at_ms, self.now_ms, about.variants
        record = Record(
            at_ms,
            self.user.user_id,
            about.campaign,
            kind,
            about.enrollment,
            step,
            channel,
            template,
            reason,
            message,
        )
        # Each field takes time to be given, and these stay as they are for most.
        if now_ms is not at_ms and now_ms - at_ms >= JUDGED_MIN_MS:
            record.judged_at_ms = now_ms
        if variants:
            record.variant = variants[-1][1]
        self.effects.append(record)
        return record
