"""Everybody whom a process knows: who there is, which plan each is under, when each is due.

What is due to a user by time alone stands in the timer wheel, and what he lacks of a changed plan
he takes on before anything else happens to him. What comes of either is an effect of the batch that
is open, which the processor seals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.adoption import adopt, take_on
from engine.core.effects import have_effect
from engine.core.guardrails import address_of, put_off_until_ms
from engine.core.holding import verdict_on
from engine.core.inputs import UsersJoined
from engine.core.messages.waiting import find_message
from engine.core.people.aliases import Aliases
from engine.core.people.merging import bear, merge
from engine.core.state import NEVER, User, first_due_at_ms, new_user, stands
from engine.core.transition import fire, step
from engine.runtime.addresses import Barred
from engine.runtime.plans import NO_PLAN, Plans
from engine.runtime.roster import SWEPT_AT_ONCE, Roster
from engine.timers import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.core.effects import Effect, SendMessage
    from engine.core.inputs import Input, UserInput, UsersMerged
    from engine.core.messages.waiting import Pending
    from engine.core.plan import Plan


class Population:
    """All users of one process, each at his place in time.

    Args:
        plan: The plan in force, unless `changes` say otherwise.
        users: Who is known, by id; whom another one bears is taken out.
        now_ms: Logical time to start from.
        changes, plans: What the last run left that users may lack (`Plans`).
        keeps: Whether what happens is saved.

    Attributes:
        users: Everybody, by id and in a row.
        aliases: Ids of users who were merged into others.
        barred: Addresses that nothing goes to.
        wake_at_ms: No deadline is earlier; `NEVER` where there is none.
        on_fired: Told (due_at_ms, now_ms) of each deadline as it fires.
        on_made: Told (effects, from where in them on, now_ms) of what each deadline has made.
    """

    def __init__(
        self,
        plan: Plan,
        users: dict[str, User] | None,
        *,
        now_ms: int,
        changes: Iterable[tuple[int, Input]],
        plans: Mapping[str, Plan] | None,
        keeps: bool,
    ) -> None:
        users = users or {}
        self.now_ms = now_ms
        self._keeps = keeps
        self.aliases = Aliases(users)
        self.users = Roster(users.values())
        self.barred = Barred(self.users.values())
        self.plans = Plans(plan, self.users, changes, plans)
        self.plan, self._changed = self.plans.plan, self.plans.number
        self._changes = self.plans.changes
        self.on_fired: Callable[[int, int], None] | None = None
        self.on_made: Callable[[list[Effect], int, int], None] | None = None
        self.wake_at_ms = NEVER
        self._effects: list[Effect] = []
        self._touched: dict[str, None] = {}
        self._deadlines: Deadlines[User] = Deadlines(now_ms)
        for user in users.values():
            self._follow(user)

    def _fire_due(self, now_ms: int, go_on: Callable[[], bool] | None = None) -> int:
        """Fire deadlines that are due, in order; how many. `wake_at_ms` is the next one's."""
        fired = 0
        for due_at_ms, user in self._deadlines.advance(now_ms):
            if due_at_ms > self.now_ms:
                self.now_ms = due_at_ms
            if user.seen < self._changed:
                self._catch_up(user)
            if user.due_at_ms <= due_at_ms:  # and not put off by another plan
                self._fire(user, due_at_ms, now_ms)
                if self._keeps:
                    # Deadlines are not journaled: one that only led to the next wait is saved too.
                    self._touched[user.user_id] = None
                fired += 1
            if user.due_at_ms != NEVER:
                self._deadlines.insert(user, user.due_at_ms)
            if go_on is not None and not go_on():
                break
        self._look_ahead()
        if self.now_ms < now_ms < self.wake_at_ms:
            self.now_ms = now_ms
        return fired

    def _look_ahead(self, at_most_ms: int = NEVER) -> None:
        """Tell `wake_at_ms` anew: sooner than it was where by now very many wait. O(1)."""
        next_at_ms = self._deadlines.next_deadline()
        self.wake_at_ms = at_most_ms if next_at_ms is None else min(next_at_ms, at_most_ms)

    def sweep(self, go_on: Callable[[], bool] | None = None) -> bool:
        """Have users take changes on while `go_on` answers True; whether there are more.

        Looks at some dozens between two answers. O(users) in all.
        """
        roster = self.users
        while roster.has_visits:
            for user in roster.visit(SWEPT_AT_ONCE):
                if user.seen < self._changed and (stands(user) or self.plan.edges):
                    self._catch_up(user)
            if go_on is not None and not go_on():
                return roster.has_visits
        return False

    def find(self, user_id: str) -> User | None:
        """The user whom an id means, by his own or by one that was merged into it. O(1)."""
        return self.users.get(user_id) or self.users.get(self.aliases.bearer(user_id))

    def verdict(self, message: SendMessage, now_ms: int, address: str = "") -> str | None:
        """As `holding.verdict_on`: why a message may not be handed over now, or "" where it may.

        None where nobody waits for it any more: its outcome is known. `address` is the one that it
        was made for, where it is made: it may have turned out bad, and be his no more. One that is
        no good for somebody else is none for him.
        """
        user, pending = self._waiting_for(message)
        if user is None or pending is None:
            return None
        if user.seen < self._changed and stands(user):
            self._catch_up(user)
        reason = verdict_on(self.plan, user, pending, max(now_ms, self.now_ms))
        if not reason and self.barred.bars(message.channel, address or self.address_of(message)):
            return "suppressed"
        return reason

    def address_of(self, message: SendMessage) -> str:
        """Where a message would go by now, where that is a text; else ""."""
        user = self.find(message.user_id)
        address = None if user is None else address_of(user, message.channel)
        return address if isinstance(address, str) else ""

    def held_until_ms(self, message: SendMessage, now_ms: int) -> int:
        """When to ask again for a message that is `HELD`; 0 where no time is known."""
        user, pending = self._waiting_for(message)
        if user is None or pending is None:
            return 0
        return put_off_until_ms(self.plan.policy, user, pending, max(now_ms, self.now_ms))

    def _waiting_for(self, message: SendMessage) -> tuple[User | None, Pending | None]:
        """Who waits for a message, be he another one's by now, and what he knows of it."""
        user = self.find(message.user_id)
        return user, find_message(user.pending, message.id) if user is not None else None

    def find_anew(self, users: Iterable[User], plan: Plan) -> None:
        """Have users go on under `plan`, whose own plan nobody can read any more, as of now."""
        for user in users:
            self._touched[user.user_id] = None
            adopt(NO_PLAN, plan, user, self.now_ms, self._effects)
            self._follow(user)

    def _welcome(self, happened: UserInput) -> User:
        """Whom an input concerns whose id is no user's: by an alias, or somebody new."""
        user_id, bearers = happened.user_id, self.aliases.of
        if user_id in bearers:
            user = self.users[bearers[user_id]]
            if user.seen < self._changed:
                self._bring_up(user)
            return user
        user = new_user(user_id)
        user.seen = self._changed
        if happened.is_anonymous:
            user.is_anonymous = True
        self.users.welcome(user)
        return user

    def ids_of(self, user_id: str) -> tuple[str, ...]:
        """All ids of the user whom one of them means, his own first; that one for nobody."""
        user = self.find(user_id)
        return (user_id,) if user is None else (user.user_id, *user.aliases)

    def __contains__(self, user_id: object) -> bool:
        """Whether an id means anybody. O(1)."""
        return isinstance(user_id, str) and self.find(user_id) is not None

    def _unite(self, merged: UsersMerged) -> tuple[User, UsersJoined]:
        """Have the user of one id go on as that of both; him, and the input that he is to take.

        What was due to either fires first, as before any input. O(kept of both).
        """
        at_ms = merged.at_ms
        user = self.find(merged.user_id) or self._welcome(merged)
        other = self.users.get(merged.merged_id)
        joined = UsersJoined(**msgspec.structs.asdict(merged))
        for one in (user, other):
            if one is not None:
                if one.seen < self._changed:
                    self._catch_up(one)
                if one.due_at_ms <= at_ms:
                    self._fire(one, at_ms, at_ms)
        if other is not None:
            self._leave(other)
            before = user.suppressed
            awaited = merge(self.plan, user, other, at_ms, self._effects)
            joined.awaited = {} if merged.is_history else awaited  # history ends no wait
            self.barred.follow(user.user_id, before, user.suppressed)
        bear(user, merged.merged_id, other, at_ms)
        self.aliases.of.update(dict.fromkeys(user.aliases, user.user_id))
        return user, joined

    def _leave(self, user: User) -> None:
        """He is nobody any more: nothing is due to him."""
        self.users.dismiss(user)
        self._deadlines.remove(user)
        self.barred.follow(user.user_id, user.suppressed, {})

    def _step(self, user: User, happened: UserInput) -> None:
        """Apply an input, which is no plain event, and all that everybody is to know of it."""
        before = user.suppressed
        step(self.plan, user, happened, self._effects)
        self.barred.follow(user.user_id, before, user.suppressed)
        self._follow(user)

    def _fire(self, user: User, until_ms: int, now_ms: int) -> None:
        if self.on_fired is not None:
            self.on_fired(first_due_at_ms(user), now_ms)
        effects = self._effects
        before = len(effects)
        fire(self.plan, user, until_ms, effects)
        if self.on_made is not None and len(effects) > before:
            self.on_made(effects, before, now_ms)

    def _follow(self, user: User) -> None:
        """Have the wheel look at the user in time; a later deadline, or none, touches no slot."""
        due_at_ms = user.due_at_ms
        if due_at_ms < user.armed_at_ms:
            self._deadlines.insert(user, due_at_ms)
            if due_at_ms < self.wake_at_ms:
                self.wake_at_ms = due_at_ms

    def _bring_up(self, user: User) -> None:
        """Have a user take on what he lacks of changes before an input is applied."""
        if self._changes:
            take_on(user, self._changes, self._effects)
            user.seen = self._changed

    def _catch_up(self, user: User) -> None:
        """Have a user take on what he lacks, with nothing else happening to him."""
        before = len(self._effects)
        take_on(user, self._changes, self._effects)
        if have_effect(self._effects, before):
            self._touched[user.user_id] = None
        self._follow(user)
