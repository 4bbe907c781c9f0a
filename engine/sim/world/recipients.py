"""Who got a message and answers to it; and who says yes or no to being written to, out of the blue.

They open and click, machines do it for them, they unsubscribe by a message's link, complain; their
mailbox says that it is none. What they say comes by the doors of links and providers, which leave
out whom nobody knows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.core.inputs import ConsentStated, SentMessage
from engine.core.messages.answers import answered
from engine.sim.world.clients import Body
from engine.sim.world.machine import MS
from engine.sim.world.shop import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.base import Message
    from engine.core.inputs import Answer, UserInput
    from engine.sim.world.machine import Machine
    from engine.sim.world.scenario import Chance

ANSWERS: Final[tuple[tuple[Answer, str], ...]] = (
    *(("opened", ""),) * 4,
    *(("clicked", ""),) * 3,
    ("opened", "proxy"),
    ("clicked", "scanner"),
    ("dismissed", ""),
    *(("unsubscribed", ""),) * 2,
    ("complained", ""),
    ("bounced", ""),
)
"""What is done with a message, and the machine that does it, if one does."""

ANSWERS_MAX: Final = 16
"""Answers of one world: some make further messages go."""

STATEMENTS: Final = 4
"""How often somebody states a consent that no message asked for."""

WITHIN_MS: Final = 15_000


class Act(NamedTuple):
    """What somebody does, under a message id of its own."""

    user_id: str
    message_id: str
    said: dict[str, Any]
    sent: SentMessage | None = None
    answer: Answer = "opened"
    machine: str = ""

    def inputs(self, now_ms: int) -> list[UserInput]:
        """As the door makes them of it."""
        made: list[UserInput] = []
        if self.said:
            stated = ConsentStated(self.user_id, "world", now_ms, now_ms, **self.said)
            stated.message_id = f"{self.message_id}c"
            made.append(stated)
        if self.sent is not None:
            about = (self.user_id, self.sent, self.answer, now_ms)
            made.append(answered(*about, machine=self.machine, message_id=self.message_id))
        return made


class Recipients:
    """All who may be written to.

    Args:
        chance: Draws what they do.
        may: Whether a kind of fault may happen now.
        reach: Told of each fault that did.
        post: Has something said until it is taken.
    """

    def __init__(
        self,
        machine: Machine,
        chance: Chance,
        may: Callable[[str], bool],
        reach: Callable[[str], None],
        post: Callable[[Body], None],
    ) -> None:
        self._machine = machine
        self._chance = chance
        self._may = may
        self._reach = reach
        self._post = post
        self._numbers = self._answers = 0

    def begin(self, names: list[str], unsafe_ms: int) -> None:
        """Draw who states a consent, and when."""
        chance = self._chance
        for _ in range(STATEMENTS):
            state = partial(self._state, chance.choice(names))
            self._machine.after(chance.randrange(unsafe_ms) * MS, state)

    def take(self, message: Message) -> None:
        """A provider took a message: whoever gets it may answer, and again."""
        chance = self._chance
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            if not self._may("answered") or self._answers >= ANSWERS_MAX:
                return
            self._answers += 1
            delay_ns = chance.randrange(WITHIN_MS) * MS
            self._machine.after(delay_ns, partial(self._answer, message, *chance.choice(ANSWERS)))

    def _answer(self, message: Message, answer: Answer, machine: str) -> None:
        if not self._may("answered"):
            return
        self._reach("answered")
        said: dict[str, Any] = {}
        if answer in {"unsubscribed", "complained"}:
            said = {"channels": {message.channel: False}}
            if answer == "unsubscribed" and self._chance.random() < 0.3:  # noqa: PLR2004 - some
                said = {"topics": {TOPIC: False}}
        elif answer == "bounced":
            said = {"suppressed": {message.channel: True}}
        sent = SentMessage(
            id=message.id,
            channel=message.channel,
            campaign=message.campaign,
            enrollment=message.enrollment,
            step=message.step,
            template=message.template,
            variant=message.variant,
            sent_at_ms=message.at_ms,
        )
        self._do(Act(message.user_id, self._next_id(message.user_id), said, sent, answer, machine))

    def _state(self, user_id: str) -> None:
        if not self._may("consented"):
            return
        self._reach("consented")
        chance = self._chance
        channel = chance.choice(("email", "email", "sms", "push", "in_app"))
        yes = chance.random() < 0.4  # noqa: PLR2004 - nearly half
        said = chance.choice(
            (
                {"channels": {channel: yes}},
                {"channels": {channel: yes}},
                {"topics": {TOPIC: yes}},
                {"suppressed": {channel: not yes}},
            )
        )
        self._do(Act(user_id, self._next_id(user_id), said))

    def _next_id(self, user_id: str) -> str:
        self._numbers += 1
        return f"{user_id}-r{self._numbers}"

    def _do(self, act: Act) -> None:
        # Of somebody who is not known nothing is taken: no message id has to be.
        self._post(Body([], lambda process, answer: process.hear(act, answer)))
