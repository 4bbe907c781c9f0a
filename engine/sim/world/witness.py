"""Who looks on, and speaks up when a promise of durability.md is broken.

What is promised is held against the durable file, read through SQLite, and against a processor that
has never crashed, to which the journal is given from its first input: that one is what the state,
the messages and the records have to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from engine.core.adoption import take_on
from engine.core.coming import gap
from engine.core.effects import Record, SendMessage
from engine.core.holding import holds
from engine.core.inputs import Input, decode_inputs
from engine.core.state import NEVER, decode_user, encode_user
from engine.runtime.processor import Processor
from engine.runtime.versions import versions
from engine.sim.world.erased import Erased
from engine.sim.world.machine import MS
from engine.sim.world.restraint import may_repeat, over_a_cap, shows_quiet
from engine.sim.world.shop import BY_HAND
from engine.sim.world.starts import Starts

if TYPE_CHECKING:
    from channels.base import Message
    from config import Shop
    from engine.core.inputs import UserInput
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.runtime.clock import Clock
    from engine.runtime.erasing import Erased as Told
    from engine.runtime.processor import Released
    from engine.runtime.starting import Started
    from engine.sim.world.disk import Disk

_decode_record = msgspec.json.Decoder(Record).decode
_decode_message = msgspec.json.Decoder(SendMessage).decode

PROMPT_MS: Final = 250
"""A deadline in a healed world fires no later than this."""

JUMP_MIN_MS: Final = 500
"""Logical time that goes faster than the monotonic clock by more than this has jumped."""

UNTOLD_MAX_MS: Final = 100
"""Between the instant that a restart tells and the one at which it is done."""


class Violation(Exception):  # noqa: N818 - what it is
    """A promise was broken.

    Attributes:
        promise: Which one, in a few words that stay the same from run to run.
    """

    def __init__(self, promise: str, seen: str) -> None:
        super().__init__(f"{promise}: {seen}")
        self.promise = promise


class Witness:
    """Sees everything that one world does, through all lives of its process.

    Attributes:
        journal: The inputs that are durable, in order; input n is at n - 1.
        acknowledged: Message ids whose clients were answered with 200.
        violation: The first one; it is kept, since a supervisor may swallow what is raised.
    """

    def __init__(self, disk: Disk, plans: list[Plan], grace_ms: int) -> None:
        self.journal: list[Input] = []
        self.acknowledged: set[str] = set()
        self.violation: Violation | None = None
        self._disk = disk
        self._plans = {plan.id: plan for plan in plans}
        self._erased = Erased()
        self._starts = Starts()
        self._grace_ms = grace_ms
        self._numbers: dict[str, int] = {}
        self._is_looking = False
        self._last_at_ms = 0
        self._now_ms = 0
        self._restarted_at_ms = 0
        self._wires: dict[str, bytes] = {}
        self._judged: dict[str, int] = {}
        self._causes: dict[tuple[str, str, str, int, str], str] = {}
        self._answered: set[str] = set()
        self._offset_ms = 0
        self._prompt_from_ms = NEVER
        self._processor: Processor
        self._clock: Clock

    def blame(self, promise: str, seen: str) -> NoReturn:
        """Say that a promise was broken."""
        violation = Violation(promise, seen)
        self.violation = self.violation or violation
        raise violation

    # The durable file

    def see_opened(self) -> None:
        """A process has opened the file, and ends erasures next: know by its id what they take.

        What was in the last commit of a life whose power went, nobody has looked at before.
        """
        for first, lines in self._ask("SELECT first_input, inputs FROM journal"):
            for number, happened in enumerate(decode_inputs(lines), start=first):
                if message_id := getattr(happened, "message_id", ""):
                    self._numbers[message_id] = number

    def see_what_is_there(self) -> None:
        """A process has ended what erasures were begun: all acknowledged has to be in the file."""
        self.journal.clear()
        before, self._numbers = self._numbers, {}
        self._last_at_ms = 0
        self._answered.clear()
        self._is_looking = True
        self.see_work_done()
        tombstones = dict(self._ask("SELECT digest, at_ms FROM tombstones"))
        self._erased.see_file(tombstones, before.keys() - self._numbers.keys())
        lost = self.acknowledged - self._numbers.keys() - self._erased.gone
        if lost:
            self.blame("what was acknowledged is durable", f"{sorted(lost)} are gone")
        remains = self._erased.remains(self.journal)
        if remains or self._ask("SELECT 1 FROM tombstones WHERE finished = 0"):
            self.blame("an erasure comes to its end", remains or "a tombstone is unfinished")

    def see_end(self) -> None:
        """The process is gone."""
        self._is_looking = False

    def see_work_done(self) -> None:
        """The disk has done something: read what is new in the journal."""
        if not self._is_looking or self._disk.connection is None:
            return
        rows = self._ask(
            "SELECT first_input, inputs_count, at_ms, inputs FROM journal "
            "WHERE first_input > ? ORDER BY first_input",
            len(self.journal),
        )
        for first, count, at_ms, lines in rows:
            inputs = decode_inputs(lines)
            if first != len(self.journal) + 1 or count != len(inputs):
                self.blame("inputs are numbered without gaps", f"{first} after {len(self.journal)}")
            for happened in inputs:
                self._see_durable(happened)
            if at_ms < self._last_at_ms:
                self.blame("stamps never decrease", f"row {first}: {at_ms} < {self._last_at_ms}")

    def _see_durable(self, happened: Input) -> None:
        if happened.at_ms < self._last_at_ms:
            self.blame(
                "stamps never decrease",
                f"input {len(self.journal) + 1}: {happened.at_ms} < {self._last_at_ms}",
            )
        self._last_at_ms = happened.at_ms
        self.journal.append(happened)
        number = len(self.journal)
        self._erased.see_durable(number, happened, self._numbers)
        if self._erased.bygone(number, happened):
            self.blame("nothing is taken of before an erasure", f"input {number}: {happened}")
        message_id = getattr(happened, "message_id", "")
        if message_id:
            if message_id in self._numbers:
                self.blame("a message id is taken once", message_id)
            self._numbers[message_id] = number

    def _ask(self, sql: str, *parameters: object) -> list[Any]:
        connection = self._disk.connection
        assert connection is not None
        return connection.quietly(sql, parameters)

    # The process

    def see_heal(self) -> None:
        """Faults are over, and the process is at work: from now on deadlines are prompt."""
        if self._prompt_from_ms == NEVER:
            self._prompt_from_ms = self._glance_ms()

    def see_answered(self, inputs: list[UserInput]) -> None:
        """A client was answered with 200."""
        self._erased.see_answered(inputs)
        ids = [happened.message_id for happened in inputs]
        self.acknowledged.update(ids)
        early = [one for one in ids if one not in self._numbers and one not in self._erased.gone]
        if early:
            self.blame("200 means on disk", f"{early} were acknowledged and are not")

    def see_started(self, inputs: list[UserInput], outcomes: list[Started]) -> None:
        """A client was told what came of the manual starts among these."""
        wrong = self._starts.see_answered(inputs, outcomes)
        if wrong:
            self.blame("a manual start comes to one end", wrong)

    def see_erasure_begun(self, user_id: str) -> None:
        """Somebody asked for a user to be erased."""
        self._erased.see_begun(user_id)

    def see_erased(self, user_id: str, erased: Told) -> None:
        """Somebody was told that a user is erased: no byte of him is left, unless he came again."""
        self._erased.see_done(user_id, erased.at_ms)
        if not self._erased.is_durable(user_id):
            self.blame("an erasure is told once it is durable", user_id)
        if user_id in self._processor.users or self._erased.came_again(user_id, self.journal):
            return
        found = [name for name, data in self._disk.files() if user_id.encode() in data]
        if found:
            self.blame("an erased user is gone to the last byte", f"{user_id} is in the {found}")

    def see_restart(self, processor: Processor, clock: Clock, shop: Shop) -> None:
        """The state is back, and the time that nobody lived through was told."""
        self._processor, self._clock = processor, clock
        last = self._ask("SELECT value FROM meta WHERE name = 'last_at_ms'")
        last_at_ms = int(str(last[0][0])) if last else 0
        self._restarted_at_ms = processor.now_ms if last_at_ms else 0
        self._now_ms = 0
        self._prompt_from_ms = NEVER
        untold_ms = self._glance_ms() - processor.now_ms
        if last_at_ms and untold_ms > UNTOLD_MAX_MS:
            self.blame("a restart tells for how long it was away", f"{untold_ms} ms are missing")
        if processor.now_ms < last_at_ms:
            self.blame("logical time never goes back", f"{processor.now_ms} < {last_at_ms}")
        expected = self._replayed()
        if last_at_ms:
            expected.resume(last_at_ms, self._grace_ms, processor.now_ms)
        waits = expected.users and gap(expected.plans.bare, shop.plan)
        if not expected.plans.hold(shop.plan, versions()) and not waits:
            expected.adopt(shop.plan, processor.now_ms, shop.content, versions())
        self._compare(expected, processor, "a restart has the state that the journal gives")

    def see_turn(self, processor: Processor) -> None:
        """A callback has run: time went on, and the wheel knows everybody's deadline."""
        now_ms = processor.now_ms
        if now_ms < self._now_ms:
            self.blame("logical time never goes back", f"{now_ms} < {self._now_ms}")
        self._now_ms = now_ms
        wake_at_ms = processor.wake_at_ms
        for user in processor.users.values():
            if user.due_at_ms != NEVER and not wake_at_ms <= user.armed_at_ms <= user.due_at_ms:
                self.blame(
                    "the wheel holds what users' deadlines say",
                    f"{user.user_id}: due {user.due_at_ms}, armed {user.armed_at_ms}, "
                    f"wake {wake_at_ms}",
                )

    def see_fired(self, due_at_ms: int, now_ms: int) -> None:
        """A deadline fired."""
        clock_ms = self._glance_ms()
        if due_at_ms > min(now_ms, clock_ms):
            self.blame("no deadline is early", f"due {due_at_ms}, fired {now_ms} at {clock_ms}")
        held_until_ms = self._restarted_at_ms + self._grace_ms
        in_force = self._processor.plans.in_force
        # A wait that another plan made shorter may have been over by then, and fires at once.
        changed = in_force is not None and in_force.at_ms >= self._restarted_at_ms
        if due_at_ms < self._restarted_at_ms and now_ms < held_until_ms and not changed:
            self.blame(
                "what fell due during a downtime waits for the grace",
                f"due {due_at_ms}, fired {now_ms}, {held_until_ms - now_ms} ms too soon",
            )
        offset_ms = clock_ms - self._disk.machine.now_ns // MS
        if offset_ms - self._offset_ms > JUMP_MIN_MS:
            # What lies before was skipped, and is judged now.
            self._prompt_from_ms = max(self._prompt_from_ms, clock_ms)
        self._offset_ms = offset_ms
        late_ms = clock_ms - due_at_ms
        if due_at_ms > max(held_until_ms, self._prompt_from_ms) and late_ms > PROMPT_MS:
            self.blame("deadlines are prompt", f"due {due_at_ms}, {late_ms} ms late")

    def _glance_ms(self) -> int:
        """What the process's clock says, without that the look takes time."""
        machine = self._disk.machine
        look_ns, machine.look_ns = machine.look_ns, 0
        now_ms = self._clock.now_ms()
        machine.look_ns = look_ns
        return now_ms

    # What leaves

    def see_released(self, released: Released) -> None:
        """The processor lets go of what a batch made."""
        for _, message in released.messages:
            if not self._ask("SELECT 1 FROM outbox WHERE id = ?", message.id):
                self.blame("nothing is released before its cause is durable", message.id)

    def see_handed(self, message: Message) -> None:
        """A message is about to be handed over."""
        rows = self._ask("SELECT message, rendered, dead FROM outbox WHERE id = ?", message.id)
        if not rows or rows[0][2] is not None:
            state = "is a dead letter" if rows else "is not in the outbox"
            self.blame("nothing is sent without a durable, open cause", f"{message.id} {state}")
        wire = message.to_bytes()
        if rows[0][1] != wire or self._wires.setdefault(message.id, wire) != wire:
            self.blame("a message has the same bytes each time", message.id)
        if message.id in self._answered:
            self.blame("what was delivered is not sent again", message.id)
        user = self._processor.find(message.user_id)
        pending = user.pending.get(message.id) if user is not None else None
        if pending is None or pending.cancelled:
            self.blame("what was taken back is not sent", message.id)
        plan = self._processor.plan
        if holds(plan, plan.campaigns[message.campaign], message.user_id):
            self.blame("what a paused campaign holds is not sent", message.id)
        at_ms = max(self._glance_ms(), self._processor.now_ms)
        if user is not None and pending.marketing and shows_quiet(plan, user, at_ms):
            self.blame("nothing is handed over in quiet hours", f"{message.id} at {at_ms}")
        cause = _decode_message(rows[0][0])
        self._judged[cause.id] = cause.at_ms
        iteration = pending.iteration
        key = (cause.user_id, cause.enrollment, cause.step, iteration, cause.channel)
        if self._causes.setdefault(key, message.id) != message.id:
            self.blame("one cause has one id", f"{key}: {message.id}, {self._causes[key]}")
        since_ms = cause.at_ms - pending.entered_at_ms
        if not may_repeat(self._plans.values(), cause, iteration, since_ms):
            self.blame("a step is sent again by a repeat alone", f"{key} after {since_ms} ms")

    def see_delivered(self, message: Message) -> None:
        """The process has heard that a provider took it."""
        self._answered.add(message.id)

    # The end

    def is_settled(self, processor: Processor) -> bool:
        """Whether no delivery is open any more."""
        return not any(user.pending for user in processor.users.values()) and not self._ask(
            "SELECT 1 FROM outbox WHERE dead IS NULL LIMIT 1"
        )

    def see_end_state(self, processor: Processor, sent: set[str]) -> None:
        """Everything is healed and drained: state, messages and records are the uncrashed ones."""
        self.see_what_is_there()
        lost = sent - self._numbers.keys() - self._erased.gone
        if lost:
            self.blame("what was sent until it was acknowledged is taken", f"{sorted(lost)}")
        expected = self._replayed()
        expected.sweep()
        expected.advance(processor.now_ms)
        self._compare(expected, processor, "the end is that of an uncrashed run")
        batch = expected.begin(processor.now_ms)
        there = [
            _decode_record(row[0])
            for row in self._ask("SELECT record FROM records ORDER BY number")
        ]
        made = [] if batch is None else [one for one in batch.records if one.kind != "refused"]
        if sorted(map(_plain, there)) != sorted(map(_plain, made)):
            seen = sorted(set(map(_plain, there)) ^ set(map(_plain, made)))[:4]
            self.blame("records are those of an uncrashed run", f"{seen or 'some twice'}")
        self._see_endings(there)
        if over := over_a_cap(there, self._judged, self.journal, self._plans):
            self.blame("caps hold", over)
        wrong = self._starts.see_end(self.journal, there, BY_HAND, self._erased.gone)
        if wrong:
            self.blame("a manual start comes to one end", wrong)

    def _see_endings(self, records: list[Record]) -> None:
        """Each message has one end, and what is told as delivered was taken."""
        ends: dict[str, str] = {}
        for record in records:
            if not record.message or record.kind == "sent":
                continue
            if record.message in ends:
                self.blame("a message has one end", record.message)
            ends[record.message] = record.kind
        for record in records:
            if record.kind == "sent" and record.message not in ends:
                self.blame("a message has one end", f"{record.message} has none")
        for effect_id, kind in ends.items():
            if kind == "delivered" and effect_id not in self._wires:
                self.blame("delivered is what a provider took", effect_id)

    def _replayed(self) -> Processor:
        """A processor that never crashed, after every durable input."""
        first = next(iter(self._plans.values()))
        following = len(self.journal) + 1
        processor = Processor(first, next_input=following, max_replay=1 << 40, plans=self._plans)
        processor.replay(enumerate(self.journal, start=1))
        return processor

    def _compare(self, expected: Processor, found: Processor, promise: str) -> None:
        if expected.users.keys() != found.users.keys():
            self.blame(promise, f"users {expected.users.keys() ^ found.users.keys()}")
        if (expected.plan.id, expected.plans.number) != (found.plan.id, found.plans.number):
            self.blame(promise, f"plan {expected.plan.id}, found {found.plan.id}")
        for user_id, user in expected.users.items():
            if _caught_up(expected, user) != _caught_up(found, found.users[user_id]):
                self.blame(promise, f"\n  expected {user}\n  found    {found.users[user_id]}")


def _caught_up(processor: Processor, user: User) -> bytes:
    """A user as he is once he has taken on what he lacks, which may be at any time."""
    copy = decode_user(encode_user(user))
    take_on(copy, processor.plans.changes, [])
    return encode_user(copy)


def _plain(record: Record) -> str:
    return repr(record)
