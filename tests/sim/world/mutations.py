"""The product with one promise broken at a time, as a slip in the code would break it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.core import exits, experiments, goals, guardrails, holding, walk
from engine.core.inputs import EventNoticed, PlanChanged, WeightsDrawn
from engine.core.messages import answers, sending, waiting
from engine.core.people import consents, doubling, identifying, merging, scores, traits
from engine.runtime import population, starting
from engine.runtime import processor as processor_module
from engine.runtime.addresses import Barred
from engine.runtime.bandits import Bandits
from engine.runtime.clock import Clock
from engine.runtime.dedupe import Dedupe
from engine.runtime.delivery import reporting
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.erasing import Erasing
from engine.runtime.plans import Plans
from engine.runtime.processor import Processor, Released
from engine.runtime.roster import Roster
from engine.runtime.saving import Saving
from engine.runtime.shell import Shell, Unavailable
from engine.runtime.tombstones import Tombstones
from engine.sim.world import process as process_module
from engine.store import CommitFailed, Store, backup, erasure, restore
from engine.store import database as database_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Mutation = Callable[[pytest.MonkeyPatch], None]


# Rule 2: stamped when applied, stamps never decrease, deadlines first


def stamps_go_back(patch: pytest.MonkeyPatch) -> None:
    """The clock follows the wall clock wherever it goes, and nobody holds it against the last."""
    init, take = Clock.__init__, Processor.take

    def start(self: Clock, not_before_ms: int = 0, **sources: Any) -> None:  # noqa: ARG001
        init(self, 0, **sources)

    def take_as_it_is(self: Processor, happened: Any, now_ms: int) -> bool:
        self.now_ms = now_ms
        return take(self, happened, now_ms)

    patch.setattr(Clock, "__init__", start)
    patch.setattr(Processor, "take", take_as_it_is)


def inputs_pass_deadlines(patch: pytest.MonkeyPatch) -> None:
    """A user's deadline that is due is not fired before his input."""
    apply = Processor._apply

    def pass_on(self: Processor, happened: Any, number: int) -> None:
        vars(self)["_fire"] = lambda *_: None
        try:
            apply(self, happened, number)
        finally:
            del vars(self)["_fire"]

    patch.setattr(Processor, "_apply", pass_on)


def deadlines_are_early(patch: pytest.MonkeyPatch) -> None:
    """What is due in a moment fires now."""
    advance = Processor.advance
    patch.setattr(Processor, "advance", lambda self, at, *more: advance(self, at + 40, *more))


def wakes_are_lost(patch: pytest.MonkeyPatch) -> None:
    """An alarm is set once, and not again for an earlier deadline."""
    arm = Shell._arm

    def arm_once(self: Shell, ticker: Any) -> None:
        if self._armed_at_ms == processor_module.NEVER:
            arm(self, ticker)

    patch.setattr(Shell, "_arm", arm_once)


# Rule 3: apply at once, release after commit


def answers_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    submit = Shell.submit

    async def submit_only(self: Shell, *what: Any) -> None:
        task = asyncio.create_task(submit(self, *what))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        if task.done():
            task.result()

    patch.setattr(Shell, "submit", submit_only)


def answers_with_the_commit_before(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Processor, "awaited", lambda self: self.finished)


def releases_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    run_commit = Shell._run_commit

    async def release_first(self: Shell, batch: Any) -> None:
        messages = list(enumerate(batch.messages, start=batch.first_message))
        self._release(Released(batch.number, messages, batch.cancelled, batch.closed, []))
        await run_commit(self, batch)

    patch.setattr(Shell, "_run_commit", release_first)


def a_failed_commit_counts(patch: pytest.MonkeyPatch) -> None:
    commit = Store.commit

    async def commit_and_hope(self: Store, batch: Any) -> None:
        try:
            await commit(self, batch)
        except CommitFailed as error:
            if not error.again:
                raise

    patch.setattr(Store, "commit", commit_and_hope)


def a_commit_tried_again_lacks_its_messages(patch: pytest.MonkeyPatch) -> None:
    commit = Store.commit

    async def commit_later(self: Store, batch: Any) -> None:
        try:
            await commit(self, batch)
        except CommitFailed as error:
            if not error.again:
                raise
            batch.messages.clear()
            await commit_later(self, batch)

    patch.setattr(Store, "commit", commit_later)


def commits_come_in_pieces(patch: pytest.MonkeyPatch) -> None:
    """Each statement is a transaction of its own."""
    patch.setattr(database_module, "_in_transaction", lambda connection, work: work(connection))


def commits_are_not_synced(patch: pytest.MonkeyPatch) -> None:
    opened = Store.open.__func__  # type: ignore[attr-defined]

    async def open_loosely(cls: type[Store], path: Any, **options: Any) -> Store:
        return await opened(cls, path, **{**options, "sync": "normal"})

    patch.setattr(Store, "open", classmethod(open_loosely))


# Rule 4: whoever has an effect is saved with it


def users_with_effects_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    for module in (population, processor_module):
        patch.setattr(module, "have_effect", lambda *_: False)


def users_whose_deadline_fired_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    advance = Processor.advance

    def advance_and_forget(self: Processor, *how: Any) -> int:
        before = dict(self._touched)
        fired = advance(self, *how)
        self._touched.clear()
        self._touched.update(before)
        return fired

    patch.setattr(Processor, "advance", advance_and_forget)


def the_journal_is_cut_too_high(patch: pytest.MonkeyPatch) -> None:
    choose = Saving.choose

    def choose_none(self: Saving, number: int, touched: Any, inputs: int, following: int) -> Any:
        saves = choose(self, number, touched, inputs, following)
        saves.replay_from = following
        return saves

    patch.setattr(Saving, "choose", choose_none)


def the_user_log_is_cut_too_high(patch: pytest.MonkeyPatch) -> None:
    choose = Saving.choose

    def choose_none(self: Saving, number: int, *rest: Any) -> Any:
        saves = choose(self, number, *rest)
        saves.log_from = number + 1
        return saves

    patch.setattr(Saving, "choose", choose_none)


def a_replay_repeats_what_was_seen(patch: pytest.MonkeyPatch) -> None:
    replay = Processor.replay

    def replay_all(self: Processor, tail: Any) -> int:
        for user in self.users.values():
            user.seen = 0
        return replay(self, tail)

    patch.setattr(Processor, "replay", replay_all)


# Rule 5: what a downtime held back


def nothing_is_held_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(processor_module, "hold", lambda *_: None)


def a_downtime_is_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Shell, "resume", lambda *_: None)


def a_downtime_holds_what_had_fired(patch: pytest.MonkeyPatch) -> None:
    """As it was: held from the beginning of time on."""

    def resume(self: Shell, grace_ms: int) -> None:
        self.processor.resume(0, grace_ms, self._clock.now_ms())

    patch.setattr(Shell, "resume", resume)


# Rules 6 and 8: ids and bytes


def every_message_is_one_of_a_repeat(patch: pytest.MonkeyPatch) -> None:
    """What tells the times of a repeat apart goes on where none is around the step."""
    numbers = count()
    send = walk.send
    patch.setattr(walk, "send", lambda *what: send(*what[:5], next(numbers)))


def effect_ids_are_counted(patch: pytest.MonkeyPatch) -> None:
    numbers = count()
    patch.setattr(waiting, "effect_id_of", lambda *_: f"{next(numbers):032x}")


def bytes_are_not_kept(patch: pytest.MonkeyPatch) -> None:
    async def keep_nothing(*_: Any) -> None:
        pass

    patch.setattr(Store, "keep_rendered", keep_nothing)


def message_ids_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dedupe, "restore", lambda *_: None)


def nobody_asks_whether_it_may_still_go(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispatcher, "may_go", lambda *_: True)


def refused_input_is_said_to_be_taken(patch: pytest.MonkeyPatch) -> None:
    submit = Shell.submit

    async def submit_bravely(self: Shell, *what: Any) -> None:
        with suppress(Unavailable):
            await submit(self, *what)

    patch.setattr(Shell, "submit", submit_bravely)


# Guardrails


def quiet_hours_are_asked_at_the_step_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(holding, "put_off_until_ms", lambda *_: 0)


def caps_are_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guardrails, "is_capped", lambda *_: False)


def nothing_keeps_messages_apart(patch: pytest.MonkeyPatch) -> None:
    """Spacing is not asked, the other caps are."""
    is_capped = guardrails.is_capped

    def only_longer(user: Any, caps: Any, channel: str, now_ms: int) -> bool:
        return is_capped(user, [cap for cap in caps if cap.per_ms > 1_000], channel, now_ms)

    patch.setattr(guardrails, "is_capped", only_longer)


# Rule 7: a configuration change has one instant


def a_changed_plan_is_taken_on_late(patch: pytest.MonkeyPatch) -> None:
    """As of the instant at which a user's turn comes, and not as of the change."""
    take_on = population.take_on

    def take_on_now(user: Any, changes: Any, effects: Any) -> int:
        late = [
            replace(change, happened=replace(change.happened, at_ms=change.happened.at_ms + 700))
            if isinstance(change.happened, PlanChanged)
            else change
            for change in changes
        ]
        return take_on(user, late, effects)

    patch.setattr(population, "take_on", take_on_now)


def a_changed_plan_is_forgotten_by_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Plans, "keep", lambda *_: None)


def a_changed_plan_is_let_go_of_before_all_are_saved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Roster, "has_saves", property(lambda _: False))
    patch.setattr(Roster, "choose_saves", lambda _: [])


def a_changed_plan_passes_by_who_has_a_deadline(patch: pytest.MonkeyPatch) -> None:
    """He goes on in the new plan at the place that was his in the old one."""

    def catch_up(self: Processor, user: Any) -> None:
        user.seen = self.plans.number
        self._follow(user)

    patch.setattr(Processor, "_catch_up", catch_up)


# Rule 10: erasing a user erases


def what_happened_before_an_erasure_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tombstones, "bars", lambda *_: False)


def an_erasure_that_was_begun_is_left_so(patch: pytest.MonkeyPatch) -> None:
    async def finish_none(*_: Any) -> None:
        pass

    patch.setattr(process_module, "finish_erasures", finish_none)


def an_erasure_is_done_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """His rows go, and what forgets him may not have come to the journal."""
    erase = Erasing.erase

    async def erase_at_once(self: Erasing, user_id: str) -> Any:
        submit, self._shell.submit = self._shell.submit, submit_none  # type: ignore[method-assign]
        try:
            return await erase(self, user_id)
        finally:
            self._shell.submit = submit  # type: ignore[method-assign]

    async def submit_none(*_: Any) -> None:
        pass

    patch.setattr(Erasing, "erase", erase_at_once)


def an_erasure_that_failed_forgets_whom_it_had_begun(patch: pytest.MonkeyPatch) -> None:
    """Asked again, it takes along only what the user is known by then."""
    patch.setattr(Erasing, "_all_ids", lambda self, user_id: self._processor.ids_of(user_id))


def an_erasure_leaves_the_other_ids(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Erasing, "_all_ids", lambda self, user_id: self._processor.ids_of(user_id)[:1])


def an_erased_user_stays_in_the_user_log(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(erasure.Erasure, "_log", lambda *_: False)


def an_erased_user_stays_in_pages(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(erasure, "compact", lambda *_, **__: True)


def caps_count_twice(patch: pytest.MonkeyPatch) -> None:
    take_place = sending.take_place

    def take_two(*what: Any) -> None:
        take_place(*what)
        take_place(*what)

    patch.setattr(sending, "take_place", take_two)


# Experiments and goals


def what_was_drawn_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(experiments, "_keep", lambda *_: None)


def who_is_held_out_is_sent_all_the_same(patch: pytest.MonkeyPatch) -> None:
    restraint = sending.restraint

    def restrain_others(policy: Any, user: Any, _: Any, *more: Any) -> Any:
        return restraint(policy, user, SimpleNamespace(held_out=False), *more)

    patch.setattr(sending, "restraint", restrain_others)


def who_is_held_out_has_no_goals(patch: pytest.MonkeyPatch) -> None:
    counts = goals._counts
    patch.setattr(
        goals, "_counts", lambda turn, one, at: not one.held_out and counts(turn, one, at)
    )


def a_goal_counts_each_time(patch: pytest.MonkeyPatch) -> None:
    """Of an enrollment that came to its end it is told again."""
    reach = exits.reach

    def reach_again(turn: Any, *what: Any) -> Any:
        ended = turn.user.ended
        ids = reach(turn, *what)
        turn.user.ended = ended
        return ids

    patch.setattr(exits, "reach", reach_again)


def goals_have_no_window(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        goals, "_counts", lambda _, one, occurred_at_ms: one.entered_at_ms <= occurred_at_ms
    )


def a_bandit_forgets_what_it_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Bandits, "to_save", lambda _: b"")


def a_bandits_weights_are_forgotten_by_a_restart(patch: pytest.MonkeyPatch) -> None:
    keep = Plans.keep

    def keep_others(self: Plans, happened: Any, *more: Any) -> None:
        if not isinstance(happened, WeightsDrawn):
            keep(self, happened, *more)

    patch.setattr(Plans, "keep", keep_others)


# Merges


def a_merge_moves_who_had_a_variant(patch: pytest.MonkeyPatch) -> None:
    join_said = merging._join_said

    def join_drawn(user: Any, other: Any) -> None:
        drawn = {**user.drawn, **other.drawn}
        join_said(user, other)
        user.drawn = drawn

    patch.setattr(merging, "_join_said", join_drawn)


def a_merge_lets_what_the_other_had_drawn_go(patch: pytest.MonkeyPatch) -> None:
    join_said = merging._join_said

    def join_no_draws(user: Any, other: Any) -> None:
        drawn = user.drawn
        join_said(user, other)
        user.drawn = drawn

    patch.setattr(merging, "_join_said", join_no_draws)


def a_merge_lets_both_go_on(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merging, "_give_way", lambda *_: None)


def a_merge_sends_a_step_that_the_other_had(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merging, "join_passed", lambda *_: None)


def a_merge_forgets_until_when_the_other_was_in_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(doubling, "ended_at_ms", lambda _marks: 0)


def of_two_consents_any_yes_wins(patch: pytest.MonkeyPatch) -> None:
    def laxer(own: Any, other: Any) -> Any:
        if not isinstance(own, dict) or not isinstance(other, dict):
            return own or other
        return {key: own.get(key, False) or other.get(key, False) for key in {**own, **other}}

    patch.setattr(traits, "_stricter", laxer)


# What is told of a manual start is what came of it


def a_start_is_answered_with_what_came_of_another(patch: pytest.MonkeyPatch) -> None:
    """By the first entry at that instant, which may be that of a deadline or of another start."""
    found: dict[str, starting.Started] = {}

    def of_the_first(user_id: str, effects: Any) -> starting.Started:
        return found.setdefault(user_id, outcome_of(user_id, effects))

    outcome_of = starting.outcome_of
    patch.setattr(starting, "outcome_of", of_the_first)


# What people say and do


def what_is_passive_counts_as_a_deed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(EventNoticed, "passive", False)


def a_default_overrules_what_was_said(patch: pytest.MonkeyPatch) -> None:
    tell = identifying.tell
    patch.setattr(identifying, "tell", lambda user, said, **_: tell(user, said))


def the_first_score_stays(patch: pytest.MonkeyPatch) -> None:
    note = scores.note
    patch.setattr(scores, "note", lambda user, *said: None if user.scores else note(user, *said))


def an_opening_is_told_each_time(patch: pytest.MonkeyPatch) -> None:
    note = answers._note
    patch.setattr(answers, "_note", lambda *what: note(*what) or True)


def a_no_is_asked_for_at_the_step_alone(patch: pytest.MonkeyPatch) -> None:
    cancelled = holding.cancelled

    def unless_refused(*what: Any) -> str:
        reason = cancelled(*what)
        return "" if reason == "no_consent" else reason

    patch.setattr(holding, "cancelled", unless_refused)


def a_topic_that_was_refused_is_written_about(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guardrails, "is_refused", lambda *_: False)


def an_address_that_bounced_is_written_to(patch: pytest.MonkeyPatch) -> None:
    for module in (consents, sending):
        patch.setattr(module, "suppress", lambda *_, **__: None)


def an_address_that_bounced_for_another_is_written_to(patch: pytest.MonkeyPatch) -> None:
    """Of a mailbox that several have, each finds out for himself."""
    patch.setattr(Barred, "bars", lambda *_: False)


def nobody_hears_of_an_address_that_was_refused(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reporting, "bounced_at_hand_over", lambda *_: None)


# Places and quiet hours, to the millisecond


def what_failed_keeps_its_place(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sending, "give_back", lambda *_: None)


def quiet_hours_put_off_for_too_long(patch: pytest.MonkeyPatch) -> None:
    quiet_until_ms = guardrails.quiet_until_ms

    def too_late(*what: Any) -> int:
        until_ms = quiet_until_ms(*what)
        return until_ms and until_ms + 1_000

    patch.setattr(guardrails, "quiet_until_ms", too_late)


# Backups, and what is let go of by age


def a_backup_leaves_the_log_out(patch: pytest.MonkeyPatch) -> None:
    """A copy of the file, as a script would make it."""

    def copy(source: Path, _: Path, part: Path, *__: Any) -> None:
        shutil.copyfile(source, part)

    patch.setattr(backup, "_copy", copy)


def a_restoration_leaves_the_log_of_before(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore, "_FILES", ("",))


def what_is_to_be_kept_goes(patch: pytest.MonkeyPatch) -> None:
    prune = Store.prune
    patch.setattr(Store, "prune", lambda self, now_ms: prune(self, now_ms + 30_000))


MUTATIONS: tuple[Mutation, ...] = (
    stamps_go_back,
    inputs_pass_deadlines,
    deadlines_are_early,
    wakes_are_lost,
    answers_before_the_commit,
    answers_with_the_commit_before,
    releases_before_the_commit,
    a_failed_commit_counts,
    a_commit_tried_again_lacks_its_messages,
    commits_come_in_pieces,
    commits_are_not_synced,
    users_with_effects_are_not_saved,
    users_whose_deadline_fired_are_not_saved,
    the_journal_is_cut_too_high,
    the_user_log_is_cut_too_high,
    a_replay_repeats_what_was_seen,
    nothing_is_held_after_a_restart,
    a_downtime_is_not_told,
    a_downtime_holds_what_had_fired,
    effect_ids_are_counted,
    every_message_is_one_of_a_repeat,
    bytes_are_not_kept,
    message_ids_are_forgotten,
    nobody_asks_whether_it_may_still_go,
    refused_input_is_said_to_be_taken,
    a_changed_plan_is_taken_on_late,
    a_changed_plan_is_forgotten_by_a_restart,
    a_changed_plan_is_let_go_of_before_all_are_saved,
    a_changed_plan_passes_by_who_has_a_deadline,
    what_happened_before_an_erasure_is_taken,
    an_erasure_that_was_begun_is_left_so,
    an_erasure_is_done_before_it_is_durable,
    an_erased_user_stays_in_the_user_log,
    an_erased_user_stays_in_pages,
    quiet_hours_are_asked_at_the_step_alone,
    caps_are_not_asked,
    nothing_keeps_messages_apart,
    a_start_is_answered_with_what_came_of_another,
    caps_count_twice,
    what_was_drawn_is_not_kept,
    who_is_held_out_is_sent_all_the_same,
    who_is_held_out_has_no_goals,
    a_goal_counts_each_time,
    goals_have_no_window,
    a_bandit_forgets_what_it_counted,
    a_bandits_weights_are_forgotten_by_a_restart,
    a_merge_moves_who_had_a_variant,
    a_merge_lets_what_the_other_had_drawn_go,
    a_merge_lets_both_go_on,
    a_merge_sends_a_step_that_the_other_had,
    a_merge_forgets_until_when_the_other_was_in_it,
    of_two_consents_any_yes_wins,
    an_erasure_that_failed_forgets_whom_it_had_begun,
    an_erasure_leaves_the_other_ids,
    what_is_passive_counts_as_a_deed,
    a_default_overrules_what_was_said,
    the_first_score_stays,
    an_opening_is_told_each_time,
    a_no_is_asked_for_at_the_step_alone,
    a_topic_that_was_refused_is_written_about,
    an_address_that_bounced_is_written_to,
    an_address_that_bounced_for_another_is_written_to,
    nobody_hears_of_an_address_that_was_refused,
    what_failed_keeps_its_place,
    quiet_hours_put_off_for_too_long,
    a_backup_leaves_the_log_out,
    a_restoration_leaves_the_log_of_before,
    what_is_to_be_kept_goes,
)
