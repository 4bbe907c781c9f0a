"""The processor: inputs and time in, batches out; no I/O, no clock, no await.

Theory of operation. One owner calls `take` for each input and `advance` as time passes. Both apply
to the users in memory at once and collect what must become durable in the *open batch*. `begin`
seals it; its owner commits it and calls `finish`, which gives out what may leave the process now.
While one batch is being committed the next one fills; batches are sealed, committed and finished
in order. A batch whose commit failed is committed again as it is: users were encoded when it was
sealed.

The live process, the simulator and recovery are three such owners of the same object.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.core.effects import have_effect, is_refusal
from engine.core.grace import hold
from engine.core.inputs import (
    ClockAdjusted,
    EventReceived,
    Input,
    InputErased,
    OfAll,
    PlanAnnounced,
    PlanChanged,
    TimeResumed,
    TimeSkipped,
    UserErased,
    UsersMerged,
)
from engine.core.shards import SHARDS_MASK
from engine.core.state import NEVER, User, encode_merged
from engine.core.transition import step_event
from engine.runtime.bandits import Bandits
from engine.runtime.dedupe import Dedupe, hash_of
from engine.runtime.hearing import hear
from engine.runtime.population import Population
from engine.runtime.saving import Saving
from engine.runtime.sealing import Released, release, seal
from engine.runtime.taking import ENCODED_AT_ONCE, Taken
from engine.runtime.tombstones import Tombstones
from engine.runtime.versions import NO_VERSIONS, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.effects import Effect
    from engine.core.inputs import UserInput
    from engine.core.plan import Plan
    from engine.store.batch import Batch, QuarantineChange, UserLog

__all__ = ["Processor", "Released"]


class Processor(Population):
    """All users of one process, and the only door to them.

    Args:
        plan: The plan in force, unless `changes` or a replay say otherwise.
        users: Who is known, by id.
        now_ms: Logical time to start from; no stamp is earlier.
        next_input, next_message, next_batch: Numbers of the next input, outbox row and batch.
        log: What the last run left in the user log.
        dedupe: Ids already taken.
        max_replay: How many inputs a restart replays at most.
        changes, plans: What the last run left that users may lack (`Plans`).
        keeps: Whether batches are committed. False is for an owner without a store: its batches
            carry what may leave and nothing that a restart would read.
        bandits: What was counted of experiments (and, once it `begin`s, what draws weights).

    Attributes:
        now_ms: Logical time: the newest stamp or fired deadline.
        wake_at_ms: The instant to call `advance` at: never later than the earliest deadline, and
            far in the future (`NEVER`) where there is none.
        tombstones: Whom was erased.
        finished: Number of the newest batch that is durable.
        next_input: Number of the next input.
        saving: Whose saved state is behind, and how far.
        errors: How many conditions ended in an error since the start, by campaign.
        on_fired: Told (due_at_ms, now_ms) of each deadline as it fires; set it after a replay.
    """

    def __init__(
        self,
        plan: Plan,
        users: dict[str, User] | None = None,
        *,
        now_ms: int = 0,
        next_input: int = 1,
        next_message: int = 1,
        next_batch: int = 1,
        log: UserLog | None = None,
        dedupe: Dedupe | None = None,
        max_replay: int = 100_000,
        changes: Iterable[tuple[int, Input]] = (),
        plans: Mapping[str, Plan] | None = None,
        keeps: bool = True,
        bandits: Bandits | None = None,
    ) -> None:
        super().__init__(plan, users, now_ms=now_ms, changes=changes, plans=plans, keeps=keeps)
        self.bandits = bandits or Bandits()
        self.errors: Counter[str] = Counter()
        self.dedupe = dedupe
        self.next_input = next_input
        self._next_message = next_message
        self._number = next_batch
        self.finished = next_batch - 1
        self.saving = Saving(self.users, max_replay, log)
        self.tombstones = Tombstones()
        self._open()

    def take(self, happened: UserInput, now_ms: int) -> bool:  # noqa: C901, PLR0912 - as below
        """Stamp one input and apply it to its user; False for a duplicate, which changes nothing.

        The owner may answer the client once batch `awaited()` is finished, duplicate or not.
        """
        if now_ms > self.now_ms:
            self.now_ms = now_ms
        else:
            now_ms = self.now_ms
        if type(happened) is not EventReceived:
            return self._take_other(happened, now_ms)
        # What nearly every input is goes its way with few calls (bench/README.md, a step).
        message_id, dedupe = happened.message_id, self.dedupe
        if message_id and dedupe is not None:
            if now_ms >= dedupe.full_at_ms:
                dedupe.turn(now_ms)
            digest = hash_of(message_id.encode())
            shard = dedupe.new[digest & SHARDS_MASK]
            if digest in shard or digest in dedupe.old[digest & SHARDS_MASK]:
                return False
            shard.add(digest)
            dedupe.taken += 1
            if self._keeps:
                self._hashes.append(digest)
        happened.at_ms = now_ms
        user = self.users.parts[hash(happened.user_id) & SHARDS_MASK].get(happened.user_id)
        before = len(effects := self._effects)
        if user is None:
            user = self._welcome(happened)
        elif user.seen < self._changed:
            self._bring_up(user)
        if user.due_at_ms <= now_ms:
            self._fire(user, now_ms, now_ms)
        if step_event(self.plan, user, happened, effects):
            self._follow(user)
        if self._keeps:
            number = self.next_input
            self.next_input = number + 1
            self._inputs.append(happened)
            user.seen = number
            if not user.unsaved:
                self.saving.note(user, number)
            if len(effects) > before and have_effect(effects, before):
                self._touched[user.user_id] = None
        return True

    def resume(self, stopped_at_ms: int, grace_ms: int, now_ms: int) -> None:
        """The process was away since `stopped_at_ms`: hold back what fell due meanwhile."""
        self._pass_over(TimeResumed(stopped_at_ms, grace_ms), now_ms)

    def adjust(self, stopped_at_ms: int, now_ms: int) -> None:
        """Logical time jumps to `now_ms`: the wall clock was found to be right."""
        self._pass_over(ClockAdjusted(stopped_at_ms), now_ms)

    def adopt(
        self, plan: Plan, now_ms: int, content: bytes = b"", versions: Versions = NO_VERSIONS
    ) -> None:
        """Put another plan into force, compiled from `content`; users come to it in time. O(1)."""
        self.plans.learn(plan)
        self._pass_over(PlanChanged(plan.id, versions.engine, versions.tzdata), now_ms, content)

    def announce(self, plan: Plan, now_ms: int, content: bytes = b"") -> None:
        """Keep of users what `plan` asks for, too, which is to come into force.

        What is due by now fires first: it keeps what was asked for until now. O(names + due).
        """
        self.plans.learn(plan)
        self._pass_over(PlanAnnounced(plan.id), now_ms, content)

    def erase(self, user_id: str, now_ms: int) -> None:
        """Forget a user, all his ids; once that is durable, his rows are the owner's to erase."""
        self.now_ms = max(self.now_ms, now_ms)
        self._inputs.append(UserErased(user_id, self.now_ms))
        self.next_input += 1
        self._forget(user_id)

    def advance(self, now_ms: int, go_on: Callable[[], bool] | None = None) -> int:
        """Fire deadlines that are due by `now_ms`, in order; returns how many.

        Each fires at its own instant, however late the caller is. Where `go_on` answers False
        between two, the rest stays due. Behind all that is due, weights of bandits are drawn, once
        everybody is under the plan in force.
        """
        fired = self._fire_due(now_ms, go_on)
        if self.bandits.due_at_ms != NEVER:
            self._draw_weights(now_ms)
        return fired

    def quarantine(self, item: QuarantineChange) -> None:
        """Keep an item that could not be taken, or let one go that now was."""
        self._quarantined.append(item)

    def replay(self, tail: Iterable[tuple[int, Input]]) -> int:
        """Apply journaled inputs again, to the users who had not seen them when they were saved.

        Returns how many were in the tail. Whoever had an effect was saved with it, so what a
        replay makes is new: it goes into the open batch like any other effect.
        """
        count = 0
        for count, (number, happened) in enumerate(tail, start=1):  # noqa: B007 - the last is told
            self.now_ms = max(self.now_ms, happened.at_ms)
            if isinstance(happened, TimeSkipped | OfAll):
                self._pass_to_all(happened, number)
            elif isinstance(happened, UserErased):
                self._forget(happened.user_id)
            elif not isinstance(happened, InputErased):
                user = self.find(happened.user_id)
                if user is None or user.seen < number:
                    self._apply(self._join(happened), number)
        # Refusals are counted once; the user, or the quarantine, has them already.
        self._effects[:] = [effect for effect in self._effects if not is_refusal(effect)]
        return count

    @property
    def made(self) -> list[Effect]:
        """Effects of the open batch so far, in order."""
        return self._effects

    @property
    def open_size(self) -> int:
        """What the open batch holds: inputs, effects, users to save, and quarantined items."""
        return len(self._taken) + len(self._effects) + len(self._touched) + len(self._quarantined)

    def encode(self) -> None:
        """Encode for the journal what was taken, while it is at hand, where that is worth it."""
        self._taken.encode(ENCODED_AT_ONCE)

    def awaited(self) -> int:
        """Number of the batch whose end makes everything so far durable."""
        return self._number if self._has_open() else self._number - 1

    def begin(self, now_ms: int, *, be_it_empty: bool = False) -> Batch | None:
        """Seal the open batch; None where there is nothing to commit but, `be_it_empty`, the time.

        O(what it holds); users are encoded here, since they go on changing.
        """
        if not (be_it_empty or self._has_open()):
            return None
        self.now_ms = max(self.now_ms, now_ms)
        if self.dedupe is not None:
            self.dedupe.limit(self.now_ms)
        self._touched.update(dict.fromkeys(self.users.choose_saves()))
        touched = self._touched if self._keeps else ()
        saves = self.saving.choose(self._number, touched, len(self._taken), self.next_input)
        saves.rows += self._merged
        batch = seal(
            self._number,
            self.now_ms,
            next_input=self.next_input,
            next_message=self._next_message,
            taken=self._taken,
            effects=self._effects,
            quarantined=self._quarantined,
            saves=saves,
            plans=self.plans,
            errors=self.errors,
            bandits=self.bandits,
        )
        self._look_ahead(self.bandits.due_at_ms)
        self._next_message += len(batch.messages)
        self._number += 1
        self._open()
        return batch

    def finish(self, batch: Batch) -> Released:
        """The batch is durable: give out what waited for it."""
        assert batch.number == self.finished + 1, "batches finish in order"
        self.finished = batch.number
        return release(batch)

    def save_all(self) -> None:
        """Have the open batch carry every user that a replay would still need: a checkpoint."""
        self._touched.update(dict.fromkeys(self.saving.unsaved))

    def _open(self) -> None:
        self._taken = Taken()
        self._inputs, self._hashes = self._taken.fresh, self._taken.hashes
        self._effects = []
        self._touched = {}
        self._merged: list[tuple[str, bytes]] = []
        self._quarantined: list[QuarantineChange] = []

    def _has_open(self) -> bool:
        return self.open_size > 0 or self.plans.is_unsettled

    def _take_other(self, happened: UserInput, now_ms: int) -> bool:
        """As `take`, for an input that is no event, or history."""
        if happened.message_id and self.dedupe is not None:
            digest = self.dedupe.take(happened.message_id, now_ms)
            if digest is None:
                return False
            if self._keeps:
                self._hashes.append(digest)
        happened.at_ms = now_ms
        if type(happened) is UsersMerged:
            heard = hear(happened, self.aliases, self.users, self._effects)
            if heard is None:
                return True
            happened = heard
        number = self.next_input
        if self._keeps:
            self.next_input = number + 1
            self._inputs.append(happened)
        self._apply(self._join(happened), number)
        return True

    def _apply(self, happened: UserInput, number: int) -> None:
        """Apply an input, and note whom a restart would have to replay it to."""
        effects, at_ms = self._effects, happened.at_ms
        before = len(effects)
        user = self.users.get(happened.user_id)
        if user is None:
            user = self._welcome(happened)
        elif user.seen < self._changed:
            self._bring_up(user)
        if user.due_at_ms <= at_ms:
            self._fire(user, at_ms, at_ms)
        self._step(user, happened)
        if self._keeps:
            user.seen = number
            self.saving.note(user, number)
            if len(effects) > before and have_effect(effects, before):
                self._touched[user.user_id] = None

    def _join(self, happened: UserInput) -> UserInput:
        """Where two ids were said to be one user's, make them so: both are saved with it.

        Returns the input as it is to be applied.
        """
        if not isinstance(happened, UsersMerged):
            return happened
        if self.aliases.mean_one(happened.user_id, happened.merged_id):
            return happened
        user, joined = self._unite(happened)
        self.saving.forget(happened.merged_id)
        self._touched.pop(happened.merged_id, None)
        self._touched[user.user_id] = None
        self._merged.append((happened.merged_id, encode_merged(happened.merged_id, user)))
        return joined

    def _forget(self, user_id: str) -> None:
        if (user := self.find(user_id)) is not None:
            user_id = user.user_id
            self._leave(user)
            self.aliases.forget(user)
        self._touched.pop(user_id, None)
        self.saving.forget(user_id)

    def _pass_over(self, happened: TimeSkipped | OfAll, now_ms: int, content: bytes = b"") -> None:
        self.now_ms = max(self.now_ms, now_ms)
        happened.at_ms = self.now_ms
        self._pass_to_all(happened, self.next_input)
        if self._keeps:
            self._inputs.append(happened)
            self.plans.keep(happened, self.next_input, content)
        self.next_input += 1

    def _draw_weights(self, now_ms: int) -> None:
        """Draw weights, if that is due and nothing else is; else wake for it in time."""
        bandits = self.bandits
        if bandits.due_at_ms <= now_ms < self.wake_at_ms and not self.users.has_changes:
            for drawn in bandits.draw(self.plan, self.now_ms):
                self._pass_over(drawn, self.now_ms)
        self.wake_at_ms = min(self.wake_at_ms, bandits.due_at_ms)

    def _pass_to_all(self, happened: TimeSkipped | OfAll, number: int) -> None:
        if not isinstance(happened, TimeSkipped | PlanChanged):
            # Nobody takes these on in his own time: what was due before them fires before them,
            # also where a replay, or a process that is late, has not come to it yet.
            self._fire_due(happened.at_ms)
        self.plans.note(happened, number)
        if isinstance(happened, OfAll):
            self.plan, self._changed = self.plans.plan, self.plans.number
            return
        self._fire_due(happened.stopped_at_ms)
        at_ms = happened.at_ms
        overdue = [user for _, user in self._deadlines.advance(at_ms - 1)]
        if happened.grace_ms:
            # A restart within the grace of the one before: who waits, waits for this one's.
            overdue += [user for user in self.users.values() if user.held_until_ms >= at_ms]
        for user in overdue:
            if user.seen < self._changed:
                self._catch_up(user)
            hold(self.plan, user, happened)
            self.saving.note(user, number)
            self._follow(user)
