"""What waits for the processor, and who waits for an answer.

Clients' submissions are taken in order. What was taken waits until the batch that carries it is
durable. Both are bounded, in items and in bytes, and so is the time that a client waits: past any
of these he hears that it is not known whether his input was taken, and may send it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Final

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.core.inputs import UserInput
    from engine.runtime.starting import Told
    from engine.store import QuarantineChange

INBOX_MAX: Final = 20_000
"""Items that may wait for the processor; past that, clients are told to come again."""

HELD_BYTES_MAX: Final = 64 << 20
"""Bytes of bodies that are not durable yet; past that, clients are told to come again."""

ANSWERS_A_TURN: Final = 32
"""Clients who are answered before the loop turns: the requests of the first come in meanwhile.

Clients who wait for one commit, and are all answered at once, all ask again at once: then the disk
waits while requests are read, and requests wait for the disk. It also bounds how late a deadline
is made by answers, at about 0.1 ms each.
"""

ANSWER_WITHIN_S: Final = 20.0
"""A client whose commit takes longer hears 503: not known."""


class Unavailable(HairspringError):  # noqa: N818 - a state, said to the client as 503
    """New input cannot be taken now; nothing is known of it, and it may be sent again."""

    code = "unavailable"


class Submission:
    """Items of one body, in order.

    Attributes:
        inputs: What is to be taken.
        quarantined: What could not be, and what of the quarantine this takes after all.
        size: Bytes of the body.
        taken: How many inputs the processor has taken.
        told: Whom to tell of each as it is taken, if anybody.
    """

    __slots__ = (
        "answer",
        "answer_by_s",
        "awaited",
        "inputs",
        "quarantined",
        "size",
        "taken",
        "told",
    )

    def __init__(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[QuarantineChange],
        answer: asyncio.Future[None] | None,
        answer_by_s: float = inf,
        size: int = 0,
        told: Told | None = None,
    ) -> None:
        self.inputs = inputs
        self.quarantined = quarantined
        self.answer = answer
        self.answer_by_s = answer_by_s
        self.size = size
        self.told = told
        self.taken = 0
        self.awaited = 0

    @property
    def left(self) -> int:
        """Items that still wait."""
        return len(self.inputs) - self.taken + len(self.quarantined)

    @property
    def is_through(self) -> bool:
        """Whether the processor has taken all of its inputs."""
        return self.taken == len(self.inputs)

    def let_go(self) -> None:
        """Its inputs are taken: what waits from now on is the answer alone.

        Of the next bodies inputs are made in the memory that these had, which is in the cache.
        """
        self.inputs = ()


class Inbox:
    """Submissions that wait to be taken, and those that wait to be durable.

    Attributes:
        queue: Those to be taken, in order.
        waiting: Items in it.
        held_bytes: Of bodies that are not durable yet.
    """

    def __init__(self) -> None:
        self.queue: deque[Submission] = deque()
        self.waiting = 0
        self.held_bytes = 0
        self._taken: list[Submission] = []
        self._awaiting: deque[Submission] = deque()
        self._finished = 0
        self._answering: asyncio.Handle | None = None
        self._patience: asyncio.TimerHandle | None = None

    def put(
        self,
        inputs: Sequence[UserInput],
        quarantined: Sequence[QuarantineChange],
        size_bytes: int,
        told: Told | None = None,
    ) -> asyncio.Future[None]:
        """Add items of a client; what to await. Raises Unavailable where there is no room."""
        count, held_bytes = len(inputs) + len(quarantined), self.held_bytes + size_bytes
        # One body may be larger than either bound, as the shop has set it: it comes through alone.
        if (self.waiting and self.waiting + count > INBOX_MAX) or (
            self.held_bytes and held_bytes > HELD_BYTES_MAX
        ):
            raise Unavailable("too much is waiting to be taken", hint="send it again in a moment")
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        answer_by_s = loop.time() + ANSWER_WITHIN_S
        self.queue.append(Submission(inputs, quarantined, answer, answer_by_s, size_bytes, told))
        self.waiting += count
        self.held_bytes = held_bytes
        if self._patience is None:
            # One timer for all who wait: one each would cost more than taking the input.
            self._patience = loop.call_at(answer_by_s, self._give_up, loop)
        return answer

    def put_own(self, inputs: Sequence[UserInput], answer: asyncio.Future[None] | None) -> None:
        """Add what the process itself has to say; never refused, and taken in one go."""
        self.queue.append(Submission(inputs, (), answer))
        self.waiting += len(inputs)

    def wait(self, awaited: int) -> asyncio.Future[None]:
        """What to await until a batch is durable, which is the open one or was sealed last."""
        answer = asyncio.get_running_loop().create_future()
        submission = Submission((), (), answer)
        submission.awaited = awaited
        self._awaiting.append(submission)
        return answer

    def take(self, most: int) -> tuple[Submission, Sequence[UserInput]]:
        """The first submission, and its next inputs, so many at the most: they are taken from now.

        All of them, where the process itself says it: they must not come into two batches. Once
        all are taken, it is in the queue no more. O(most).
        """
        submission = self.queue[0]
        place, inputs = submission.taken, submission.inputs
        if submission.answer_by_s == inf:
            most = len(inputs)
        some = inputs if not place and len(inputs) <= most else inputs[place : place + most]
        submission.taken = place + len(some)
        self.waiting -= len(some)
        if submission.is_through:
            self.waiting -= len(submission.quarantined)
            self._taken.append(self.queue.popleft())
        return submission, some

    def end(self, awaited: int) -> None:
        """What was taken whole since the last call is answered once batch `awaited` is durable."""
        for submission in self._taken:
            if submission.answer is not None:
                submission.let_go()
                submission.awaited = awaited
                self._awaiting.append(submission)
        self._taken.clear()

    def answer(self, finished: int) -> None:
        """Tell those whose batch is durable, some a turn: the newest that is has this number."""
        self._finished = finished
        if self._answering is None:
            self._answer_some()

    def _answer_some(self) -> None:
        self._answering = None
        awaiting, finished = self._awaiting, self._finished
        for _ in range(ANSWERS_A_TURN):
            if not awaiting or awaiting[0].awaited > finished:
                return
            self._answer_first()
        if awaiting and awaiting[0].awaited <= finished:
            self._answering = asyncio.get_running_loop().call_soon(self._answer_some)

    def _answer_first(self) -> None:
        submission = self._awaiting.popleft()
        self.held_bytes -= submission.size
        answer = submission.answer
        if answer is not None and not answer.done():
            answer.set_result(None)

    def refuse(self, error: str) -> None:
        """Clients of whose input nothing was taken yet hear at once that it is not known.

        What the process itself has to say stays: a drain waits until the journal can be written.
        """
        kept: deque[Submission] = deque()
        for submission in self.queue:
            if submission.answer_by_s == inf or submission.answer is None or submission.taken:
                kept.append(submission)
                continue
            self.waiting -= submission.left
            self.held_bytes -= submission.size
            if not submission.answer.done():
                submission.answer.set_exception(Unavailable(error))
        self.queue = kept

    def abandon(self, error: str) -> None:
        """Nothing more is committed: everybody else hears now that it is not known."""
        while self._awaiting and self._awaiting[0].awaited <= self._finished:
            self._answer_first()
        for submission in chain(self._awaiting, self.queue):
            if submission.answer is not None and not submission.answer.done():
                submission.answer.set_exception(Unavailable(error))

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those who have waited too long hear that it is not known; they wait in order of time."""
        self._patience = None
        now_s = loop.time()
        for submission in chain(self._awaiting, self.queue):
            answer = submission.answer
            if answer is None or answer.done() or submission.answer_by_s == inf:
                continue
            if submission.answer_by_s > now_s:
                self._patience = loop.call_at(submission.answer_by_s, self._give_up, loop)
                break
            answer.set_exception(Unavailable("the commit takes too long", hint="send it again"))
