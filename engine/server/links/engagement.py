"""What is done with messages, held for a second and told apart, then taken as input.

A scanner follows the links of a message one right after the other, and may do so while the mail is
still being handed over. So what comes to one message by one program within a second is looked at
together: two different links are more than a person follows in that time. Nobody waits for it: a
click is redirected at once, and what has been held as a process is killed is lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from channels.links import long_id
from engine.core.inputs import MessageAnswered, SentMessage
from engine.core.messages.answers import answered
from engine.core.messages.waiting import find_message
from engine.runtime.inbox import Unavailable
from engine.server.links.robots import SCANNER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from channels.tokens import LinkFacts
    from engine.core.inputs import Answer, UserInput
    from engine.core.state import User
    from engine.runtime.metrics import Metrics

HELD_FOR_S: Final = 1.0
EARLY_AFTER_S: Final = 0.1
"""What comes while its message is being handed over, and not about done with, is a machine's."""

HELD_MAX: Final = 10_000
"""Messages of which anything is held; what comes to others meanwhile is not taken."""

VISITS_MAX: Final = 32
"""Of one message, by one program, within a second; beyond it they are not taken."""

LINKS_AT_ONCE_MAX: Final = 1
"""Different links that a person follows within a second."""

EARLY: Final = "before-delivery"


class Submits(Protocol):
    """As `ingest.Submit`, of which this asks no more."""

    def __call__(self, inputs: Sequence[UserInput]) -> Awaitable[None]:
        """See `engine.runtime.shell.Shell.submit`."""
        ...


class _Visit:
    """One request; `machine` is why it is taken for one's, or ""."""

    __slots__ = ("answer", "at_ms", "link", "machine")

    def __init__(self, answer: Answer, at_ms: int, link: str, machine: str) -> None:
        self.answer: Answer = answer
        self.at_ms = at_ms
        self.link = link
        self.machine = machine


class _Group:
    """What one program does with one message within the time that it is held."""

    __slots__ = ("facts", "visits")

    def __init__(self, facts: LinkFacts) -> None:
        self.facts = facts
        self.visits: list[_Visit] = []


class Engagement:
    """Takes what is done with messages.

    Args:
        submit: The processor's door.
        now_ms: Logical now.
        find: Who is known by an id.
        metrics: Counts answers by kind, and by whom.
        held_for_s: How long it is held.
        early_after_s: How long a message may be handed over still by then, as it is about done.
    """

    def __init__(
        self,
        submit: Submits,
        now_ms: Callable[[], int],
        find: Callable[[str], User | None],
        metrics: Metrics,
        *,
        held_for_s: float = HELD_FOR_S,
        early_after_s: float = EARLY_AFTER_S,
    ) -> None:
        self._submit = submit
        self._now_ms = now_ms
        self._find = find
        self._counted = metrics.answers
        self._held_for_s = held_for_s
        self._early_after_s = early_after_s
        self._held: dict[tuple[bytes, str], _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def note(
        self, facts: LinkFacts, answer: Answer, *, agent: str, machine: str, link: str = ""
    ) -> None:
        """Take one; never refused, and what is too much is counted and let go. O(1)."""
        if self._find(facts.user_id) is None:
            return  # erased, or of another process
        key = (facts.message, agent)
        group = self._held.get(key)
        is_full = len(self._held) >= HELD_MAX if group is None else len(group.visits) >= VISITS_MAX
        if is_full:
            self._counted.labels(answer, "dropped").inc()
            return
        loop = asyncio.get_running_loop()
        if group is None:
            group = self._held[key] = _Group(facts)
            loop.call_later(self._held_for_s, self._settle, key)
        visit = _Visit(answer, self._now_ms(), link, machine)
        group.visits.append(visit)
        if not machine and self._is_under_way(facts):
            loop.call_later(self._early_after_s, self._look_again, visit, facts)

    async def aclose(self) -> None:
        """Take what is held by now; returns once it is durable, or cannot be."""
        for key in [*self._held]:
            self._settle(key)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_under_way(self, facts: LinkFacts) -> bool:
        user = self._find(facts.user_id)
        if user is None:
            return False
        return find_message(user.pending, long_id(facts.message)) is not None

    def _look_again(self, visit: _Visit, facts: LinkFacts) -> None:
        if not visit.machine and self._is_under_way(facts):
            visit.machine = EARLY

    def _settle(self, key: tuple[bytes, str]) -> None:
        group = self._held.pop(key, None)
        if group is None:
            return  # taken as the process stopped
        links = {visit.link for visit in group.visits if visit.answer == "clicked"}
        if len(links) > LINKS_AT_ONCE_MAX:
            for visit in group.visits:
                visit.machine = visit.machine or SCANNER
        sent = sent_message(group.facts)
        user_id = group.facts.user_id
        inputs: list[UserInput] = []
        for visit in group.visits:
            by = "machine" if visit.machine else "person"
            self._counted.labels(visit.answer, by).inc()
            told = answered(
                user_id, sent, visit.answer, visit.at_ms, link=visit.link, machine=visit.machine
            )
            inputs.append(told)
        task = asyncio.get_running_loop().create_task(self._take(inputs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, inputs: list[UserInput]) -> None:
        try:
            await self._submit(inputs)
        except Unavailable:
            for told in inputs:
                assert isinstance(told, MessageAnswered)
                self._counted.labels(told.answer, "dropped").inc()


def sent_message(facts: LinkFacts) -> SentMessage:
    """The message that a link is of, as inputs name it."""
    return SentMessage(
        id=long_id(facts.message),
        channel=facts.channel,
        campaign=facts.campaign,
        enrollment=long_id(facts.enrollment),
        step=facts.step,
        template=facts.template,
        variant=facts.variant,
        sent_at_ms=facts.sent_at_ms,
    )
