"""Who looks on, and speaks up when a promise of durability.md is broken.

What is promised is held against the durable file, read through SQLite, and against a processor that
has never crashed, to which the journal is given from its first input: that one is what the state,
the messages and the records have to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from engine.core.effects import SendMessage
from engine.core.holding import holds
from engine.core.messages.waiting import find_message
from engine.core.past.coming import gap
from engine.core.state import NEVER
from engine.runtime.versions import versions
from engine.sim.world import twin
from engine.sim.world.durable import Durable, what_holds
from engine.sim.world.endings import Books, broken
from engine.sim.world.machine import MS
from engine.sim.world.restraint import HAND_OVER_MS, may_repeat, shows_quiet
from engine.sim.world.shop import GRACE_MS, TESTER
from engine.sim.world.starts import Starts
from engine.sim.world.unions import doubled
from engine.sim.world.violation import Violation

if TYPE_CHECKING:
    from pathlib import Path

    from channels.base import Message
    from config import Shop
    from engine.core.inputs import UserInput
    from engine.core.state import User
    from engine.runtime.clock import Clock
    from engine.runtime.processor import Processor, Released
    from engine.runtime.starting import Started
    from engine.sim.world.disk import Disk

_decode_message = msgspec.json.Decoder(SendMessage).decode

PROMPT_MS: Final = 250
"""A deadline in a healed world fires no later than this."""

JUMP_MIN_MS: Final = 500
"""Logical time that goes faster than the monotonic clock by more than this has jumped."""

UNTOLD_MAX_MS: Final = 100
"""Between the instant that a restart tells and the one at which it is done."""


class Witness:
    """Sees everything that one world does, through all lives of its process.

    Attributes:
        journal: The inputs that are durable, in order; input n is at n - 1.
        acknowledged: Message ids whose clients were answered with 200.
        violation: The first one; it is kept, since a supervisor may swallow what is raised.
    """

    def __init__(self, disk: Disk, shops: list[Shop]) -> None:
        self.acknowledged: set[str] = set()
        self.violation: Violation | None = None
        self._disk = disk
        self._plans = {shop.plan.id: shop.plan for shop in shops}
        events = shops[0].settings.events
        keep_ms = max(events.keep_ms, events.dedupe_window_ms)
        self._file = Durable(disk, self.blame, keep_ms, events.dedupe_window_ms)
        self.journal = self._file.journal
        self._erased = self._file.erased
        self._starts = Starts(events.dedupe_window_ms)
        self._grace_ms = GRACE_MS
        self._now_ms = 0
        self._restarted_at_ms = 0
        self._taken: set[str] = set()
        self._wires: dict[str, bytes] = {}
        self._judged: dict[str, SendMessage] = {}
        self._handed: dict[str, int] = {}
        self._causes: dict[tuple[str, str, str, int, str], str] = {}
        self._answered: set[str] = set()
        self._offset_ms = 0
        self._prompt_from_ms = NEVER
        self._processor: Processor
        self._clock: Clock

    @property
    def pruned(self) -> int:
        """How much the file has let go of by age."""
        return self._file.pruned

    def blame(self, promise: str, seen: str) -> NoReturn:
        """Say that a promise was broken."""
        violation = Violation(promise, seen)
        self.violation = self.violation or violation
        raise violation

    # The durable file

    def see_opened(self) -> None:
        """A process has opened the file, and ends erasures next."""
        self._file.see_opened()

    def see_what_is_there(self) -> None:
        """A process has ended what erasures were begun: all acknowledged has to be in the file."""
        before: Processor | None = getattr(self, "_processor", None)  # it pruned in its drain, too
        self._file.see_what_is_there(before.now_ms if before is not None else 0)
        self._answered.clear()
        lost = self.acknowledged - self._file.numbers.keys() - self._erased.gone
        if lost:
            self.blame("what was acknowledged is durable", f"{sorted(lost)} are gone")
        left = self._erased.remains(self.journal)
        if left or self._ask("SELECT 1 FROM tombstones WHERE finished = 0"):
            self.blame("an erasure comes to its end", left or "a tombstone is unfinished")

    def known(self) -> dict[str, int]:
        """What clients know to be taken by now, with its number in the file; `NEVER`: none there.

        What is older than ids are remembered may be sent again, and then has another one.
        """
        numbers = self._file.numbers
        return {one: numbers.get(one, NEVER) for one in self.acknowledged}

    def see_backup(self, path: Path, known: dict[str, int]) -> None:
        """A backup is made; this was `known` as it began."""
        held = what_holds(path)
        kept = {one for one, number in known.items() if number >= held.first}
        missing = kept - held.ids.keys() - self._erased.gone
        if missing:
            self.blame("a backup has what was acknowledged", f"{sorted(missing)} are not in {path}")

    def see_restored(self, path: Path) -> None:
        """A backup stands in the place of the database: what came since never was."""
        held = what_holds(path)
        numbers = self._file.numbers
        pruned = {one for one in numbers if numbers[one] < held.first}
        lost = self.acknowledged - held.ids.keys() - pruned
        self.acknowledged -= lost
        self._file.see_restored(held, lost)
        self._starts.see_restored(self._file.numbers)
        sent = {one.message for one in self._file.records.values()}
        self._wires = {one: wire for one, wire in self._wires.items() if one in held.rendered}
        self._judged = {one: how for one, how in self._judged.items() if one in sent}
        self._handed = {one: at for one, at in self._handed.items() if one in sent}

    def see_end(self) -> None:
        """The process is gone."""
        self._file.see_end()

    def see_work_done(self) -> None:
        """The disk has done something: read what is new in the journal."""
        self._file.see_work_done()

    def _ask(self, sql: str, *parameters: object) -> list[Any]:
        return self._file.ask(sql, *parameters)

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
        early = [
            one for one in ids if one not in self._file.numbers and one not in self._erased.gone
        ]
        # An alias that is refused is in the quarantine, while that is kept, and nowhere else.
        self._erased.gone.update(self._file.refused.intersection(early))
        own = {one.message_id for one in inputs if getattr(one, "merged_id", "") == one.user_id}
        self._erased.gone.update(own)
        early = sorted({*early} - self._erased.gone)
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

    def see_erased(self, user_id: str) -> None:
        """Somebody was told that a user is erased: no byte is left, unless he came again."""
        finished = "SELECT digest, at_ms FROM tombstones WHERE finished = 1"
        done = self._erased.see_finished(dict(self._ask(finished)))
        if not self._erased.is_durable(user_id):
            self.blame("an erasure is told once it is durable", user_id)
        for one in done:
            named = self._is_quarantined(one) or self._erased.came_again(one, self.journal)
            if one == TESTER or one in self._processor or named:
                continue
            found = [name for name, data in self._disk.files() if one.encode() in data]
            if found:
                self.blame("an erased user is gone to the last byte", f"{one} is in the {found}")

    def _is_quarantined(self, text: str) -> bool:
        return bool(self._ask("SELECT 1 FROM quarantine WHERE instr(body, ?)", text.encode()))

    def see_restart(self, processor: Processor, clock: Clock, shop: Shop) -> None:
        """The state is back, and the time that nobody lived through was told."""
        self._processor, self._clock = processor, clock
        last_at_ms = int(self._file.meta("last_at_ms") or b"0")
        self._restarted_at_ms = processor.now_ms if last_at_ms else 0
        self._now_ms = 0
        self._prompt_from_ms = NEVER
        untold_ms = self._glance_ms() - processor.now_ms
        if last_at_ms and untold_ms > UNTOLD_MAX_MS:
            self.blame("a restart tells for how long it was away", f"{untold_ms} ms are missing")
        if processor.now_ms < last_at_ms:
            self.blame("logical time never goes back", f"{processor.now_ms} < {last_at_ms}")
        expected = twin.replayed(self.journal, self._plans)
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
                told = f"{user.user_id}: due {user.due_at_ms}, armed {user.armed_at_ms}"
                self.blame("the wheel holds what users' deadlines say", f"{told}, {wake_at_ms}")
            if len(user.enrollments) > 1 and (told := doubled(user)):
                self.blame("nobody is in a campaign twice", told)

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
            self._judged[message.id] = message
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
        self._taken.add(message.id)
        if message.id in self._answered:
            self.blame("what was delivered is not sent again", message.id)
        user = self._processor.find(message.user_id)
        pending = find_message(user.pending, message.id) if user is not None else None
        if user is None or pending is None or pending.cancelled:
            self.blame("what was taken back is not sent", message.id)
        self._see_whether_it_may_go(message, user, marketing=pending.marketing)
        cause = _decode_message(rows[0][0])
        self._judged[cause.id] = cause
        if told := self._file.revivals.should_stay(cause, pending.entered_at_ms):
            self.blame("a letter whose enrollment was left stays dead", f"{message.id}: {told}")
        iteration = pending.iteration
        key = (cause.user_id, cause.enrollment, cause.step, iteration, cause.channel)
        if self._causes.setdefault(key, message.id) != message.id:
            self.blame("one cause has one id", f"{key}: {message.id}, {self._causes[key]}")
        since_ms = cause.at_ms - pending.entered_at_ms
        if not may_repeat(self._plans.values(), cause, iteration, since_ms):
            self.blame("a step is sent again by a repeat alone", f"{key} after {since_ms} ms")

    def _see_whether_it_may_go(self, message: Message, user: User, *, marketing: bool) -> None:
        plan, change = self._processor.plan, self._processor.plans.in_force
        if change is not None and change.at_ms > self._glance_ms() - HAND_OVER_MS:
            return  # it was asked for under the plan before
        if holds(plan, plan.campaigns[message.campaign], user.user_id):
            self.blame("what a paused campaign holds is not sent", message.id)
        at_ms = max(self._glance_ms(), self._processor.now_ms)
        if marketing and shows_quiet(plan, user, at_ms):
            self.blame("nothing is handed over in quiet hours", f"{message.id} at {at_ms}")
        self._handed[message.id] = at_ms
        if self._processor.awaited() == self._processor.finished:  # nothing is under way
            bearer = self._file.kin.bearer(message.user_id)
            topic = plan.campaigns[message.campaign].topic
            if told := self._file.consents.forbid(bearer, message, topic, at_ms):
                self.blame("a no is kept to", f"{message.id}: {told}")

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
        lost = sent - self._file.numbers.keys() - self._erased.gone
        if lost:
            self.blame("what was sent until it was acknowledged is taken", f"{sorted(lost)}")
        expected = twin.replayed(self.journal, self._plans)
        expected.sweep()
        expected.advance(processor.now_ms)
        self._compare(expected, processor, "the end is that of an uncrashed run")
        there = list(self._file.records.values())
        if told := twin.other_records(expected, there):
            self.blame("records are those of an uncrashed run", told)
        books = Books(
            journal=self.journal,
            records=there,
            wires=self._taken,
            judged=self._judged,
            handed=self._handed,
            plans=self._plans,
            starts=self._starts,
            kin=self._file.kin,
            gone=self._erased.gone,
            erased=self._erased.users,
            bandits=self._file.meta("bandits"),
            users=processor.users,
            consents=self._file.consents,
            now_ms=processor.now_ms,
        )
        if wrong := broken(books):
            self.blame(*wrong)

    def _compare(self, expected: Processor, found: Processor, promise: str) -> None:
        if wrong := twin.difference(expected, found):
            self.blame(promise, wrong)
