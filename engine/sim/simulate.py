"""Run a plan over inputs in virtual time.

The simulator is one more owner of the processor: for each input it first lets every deadline up to
its instant fire, each at its own instant, then has the input taken. A commit takes no time here.
Whenever a message may have been made, the open batch is finished, the message is answered at that
very instant, and only then does time go on.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final

from engine.core.effects import Record
from engine.core.inputs import DeliveryReported, UserIdentified
from engine.runtime.processor import Processor
from engine.sim.deliveries import Deliveries
from engine.store import Quarantined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engine.core.effects import Effect, SendMessage
    from engine.core.inputs import OfDelivery, UserInput
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.runtime.dedupe import Dedupe
    from engine.runtime.processor import Released

AFTER_LAST_MAX_MS = 90 * 86_400_000
"""For how long after the last event deadlines are followed where no end is given."""

BATCH_MAX = 256
"""Inputs and deadlines before what they made is let out, where nothing waits for it."""

GONE_MAX: Final = 1_000
"""Users who were merged into others and are let go of together, or as many as there are left."""

_UNAWAITED: Final = frozenset({"entered", "refused", "branched", "exited", "finished"})
"""Kinds of records that are told as well later: neither a message nor the user's state is asked."""


class Simulation:
    """One run.

    Args:
        plan: The plan, in force from the start.
        dedupe: Refuses ids that were taken; None takes everything.
        deliveries: Answers messages; by default all are delivered.
        users: Who is known already, as saved under whatever plan: each goes on where the same step
            is found, as of `now_ms`. They are changed in place.
        now_ms: Logical time to start from.

    Attributes:
        processor: Users, and logical time, as far as it has come.
        taken: Inputs applied.
        duplicates: Inputs refused, since their id was taken already.
        after_until: Inputs left out, since they were received after the end.
        quarantined: Inputs that could not be taken as they were said, by the reason.
        first_at_ms: When the first input was received; 0 before there was one.
        last_at_ms: When the last one applied was received.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        dedupe: Dedupe | None = None,
        deliveries: Deliveries | None = None,
        users: Iterable[User] = (),
        now_ms: int = 0,
    ) -> None:
        known = {user.user_id: _in_no_outbox(user) for user in users}
        self.processor = Processor(plan, known, now_ms=now_ms, dedupe=dedupe, keeps=False)
        self.processor.find_anew(known.values(), plan)
        self.processor.bandits.begin(0)
        self.taken = 0
        self.duplicates = 0
        self.after_until = 0
        self.quarantined: Counter[str] = Counter()
        self.first_at_ms = 0
        self.last_at_ms = 0
        self._deliveries = deliveries or Deliveries()
        self._held = 0
        self._is_awaited = False

    def run(self, inputs: Iterable[UserInput], until_ms: int | None = None) -> Iterator[Released]:
        """Take the inputs, then let time pass; gives what happened, piece by piece.

        Records come in order of `at_ms`, those of one instant in the order in which they happened.

        Args:
            inputs: In order of `received_at_ms` (`ordering.in_order`).
            until_ms: The last instant, inclusive, of inputs and deadlines. None: until no deadline
                is left, at most 90 days past the last input.
        """
        processor = self.processor
        for happened in inputs:
            now_ms = happened.received_at_ms  # type: ignore[union-attr]
            if until_ms is not None and now_ms > until_ms:
                self.after_until += 1
                continue
            if processor.wake_at_ms <= now_ms:
                yield from self._advance(now_ms)
            if isinstance(happened, UserIdentified):
                # What was made before is judged by who the user was then.
                yield from self._release()
                self._let_go()
            self._take(happened, now_ms)
            user = processor.find(happened.user_id)  # not known where all of his were duplicates
            if (user is not None and user.pending) or self._held >= BATCH_MAX:
                yield from self._release()
        if until_ms is None:
            until_ms = self.last_at_ms + AFTER_LAST_MAX_MS
        yield from self._advance(until_ms)
        yield from self._release()

    def _take(self, happened: UserInput, now_ms: int) -> None:
        if not self.taken:
            self.first_at_ms = now_ms
        before = len(self.processor.made)
        if self.processor.take(happened, now_ms):
            made = self.processor.made
            self._is_awaited = self._is_awaited or _is_awaited(made, before)
            self.taken += 1
            self._held += 1
            self.last_at_ms = now_ms
        else:
            self.duplicates += 1

    def _let_go(self) -> None:
        """Have nothing left of visitors who turned out to be customers. Amortised O(1)."""
        users = self.processor.users
        if users.gone > max(GONE_MAX, len(users)):
            self.processor.sweep()

    def _advance(self, now_ms: int) -> Iterator[Released]:
        """Fire what is due, instant by instant."""
        processor = self.processor
        while (due_at_ms := processor.wake_at_ms) <= now_ms:
            before = len(processor.made)
            # An earlier start of a far slot is an instant at which nothing may be due.
            if processor.advance(due_at_ms):
                self._held += 1
                self._is_awaited = self._is_awaited or _is_awaited(processor.made, before)
                if self._held >= BATCH_MAX or self._is_awaited:
                    yield from self._release()

    def _release(self) -> Iterator[Released]:
        """Finish the open batch and answer its messages, until no message can come of it.

        That a message was delivered is noted in the batch that is open then, and let out with it.
        """
        processor = self.processor
        failed = True
        while failed and (batch := processor.begin(processor.now_ms)) is not None:
            released = processor.finish(batch)
            self.quarantined.update(
                [item.reason for item in batch.quarantined if isinstance(item, Quarantined)]
            )
            answers = [self._answer(message) for _, message in released.messages]
            yield released
            failed = False
            for happened in chain.from_iterable(answers):
                processor.take(happened, processor.now_ms)
                # A fallback may stand in for what failed, and a bounce is an event.
                failed = failed or getattr(happened, "outcome", "") == "failed"
        self._held = 0
        self._is_awaited = False
        self._deliveries.settle()

    def _answer(self, message: SendMessage) -> list[OfDelivery]:
        """What the dispatcher would report; nothing where nobody waits for it any more."""
        now_ms, address = self.processor.now_ms, self.processor.address_of(message)
        reason = self.processor.verdict(message, now_ms, address)
        if reason is None:
            return []
        if reason:
            bad_address = address if reason == "suppressed" else ""
            return [DeliveryReported(message.user_id, message.id, "cancelled", reason, bad_address)]
        return self._deliveries.deliver(message, now_ms)


def _in_no_outbox(user: User) -> User:
    """As he was saved, without messages whose outcome nobody will tell here."""
    user.pending = ()
    user.held_until_ms = user.seen = 0
    return user


def _is_awaited(effects: list[Effect], start: int) -> bool:
    """Whether anything from a place on is to be answered, or counted, before a deadline."""
    return len(effects) > start and any(
        type(effect) is not Record or effect.kind not in _UNAWAITED for effect in effects[start:]
    )
