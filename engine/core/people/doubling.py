"""Two users become one: what of either one user would not have had.

One user is in a campaign once at a time, for each value of `per`, and comes in again no sooner than
`reentry` allows. Two ids of his may have been in it both, of which at least one is out by now: what
of the other goes on gives way, so that no step is sent which the first was sent already. What that
one was sent, step by step, is not kept: when it ended is, and whether anything was delivered.

Whoever was delivered nothing, and can be reached by no channel of the campaign, stands in nobody's
way: a device without an address must not cost a customer his mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from engine.core.entry import is_too_soon
from engine.core.guardrails import barrier
from engine.core.messages.waiting import by_id, each_message
from engine.core.past.entered import (
    count_of,
    ended_at_ms,
    entry_key,
    is_served,
    newest_entry,
)
from engine.core.steps.kinds import Send
from engine.core.steps.repeats import has_passed

if TYPE_CHECKING:
    from engine.core.messages.waiting import Pending
    from engine.core.past.entered import Entry
    from engine.core.plan import Campaign, Plan
    from engine.core.state import Enrollment, User

    What: TypeAlias = tuple[str, str, str, int]


class Doubled(NamedTuple):
    """What one user would not have had, by id.

    Attributes:
        again: Enrollments that leave, as the other one is out; and messages that are taken back.
        behind: Enrollments that give way where the other one is in the campaign once more.
    """

    again: set[str]
    behind: set[str]


def find_doubled(plan: Plan, user: User, other: User) -> Doubled:
    """Of both users. O(enrollments + messages)."""
    sides = _Side(plan, user, other, yields=False), _Side(plan, other, user, yields=True)
    again: set[str] = set()
    behind: set[str] = set()
    for side in sides:
        side.ask_enrollments()
        again |= side.again
        behind |= side.behind
    leaving = again | behind
    messages = {one for side in sides for one in side.messages(leaving)}
    messages -= _spared(user, other, messages, leaving)
    return Doubled(again | messages, behind)


def _spared(user: User, other: User, taken: set[str], leaving: set[str]) -> set[str]:
    """Of messages that both wait for, one of each step that would else be gone altogether.

    Both are of enrollments that have ended; of one that is leaving the message goes with it. The
    younger's, beside which nothing else of the other one's can have been where that was his last;
    else that may have had the step, and neither is spared.
    """
    if not taken:
        return set()
    own, theirs = (
        {
            what(one): (one.entered_at_ms, effect_id, _is_of_last(side, one))
            for effect_id, one in by_id(side.pending).items()
            if not one.cancelled and one.enrollment not in leaving
        }
        for side in (user, other)
    )
    both = [sorted((own[step], theirs[step])) for step in own.keys() & theirs.keys()]
    return {
        younger
        for (_, older, is_of_last), (_, younger, _) in both
        if is_of_last and {older, younger} <= taken
    }


def _is_of_last(user: User, message: Pending) -> bool:
    """Whether a message is of the last enrollment of a user's in its campaign, and none beside it.

    Two begin at one instant where their users became one.
    """
    entry = newest_entry(user.entries, entry_key(message.campaign, message.per))
    if entry is None or entry[0] > message.entered_at_ms:
        return False
    return entry[0] < message.entered_at_ms or count_of(entry[1]) == 1


def what(pending: Pending) -> What:
    """What a second message of a step has in common with the first."""
    return pending.campaign, pending.per, pending.step, pending.iteration


class _Side:
    """What of `user` is doubled by `other`.

    `yields`: also where both began at one instant.
    """

    def __init__(self, plan: Plan, user: User, other: User, *, yields: bool) -> None:
        self.again: set[str] = set()
        self.behind: set[str] = set()
        self._plan, self._user, self._other, self._yields = plan, user, other, yields
        self._inside = {(one.campaign, one.per): one for one in other.enrollments}
        open_ones = [one for one in each_message(other.pending) if not one.cancelled]
        self._under_way = {(one.campaign, one.per) for one in open_ones}
        self._waiting = {(one.enrollment, one.step, one.iteration) for one in open_ones}
        self._reached: dict[str, bool] = {}

    def ask_enrollments(self) -> None:
        """Those that began while the other one was in the same, or too soon behind him."""
        for one in self._user.enrollments:
            entry, campaign = self._entry(one), self._plan.campaigns.get(one.campaign)
            if entry is None or campaign is None or not self._stands(one, campaign, entry):
                continue
            met = one.entered_at_ms < ended_at_ms(entry[1])
            if (one.campaign, one.per) in self._inside:
                if met:
                    self.behind.add(one.enrollment)
            elif met or one.entered_at_ms < entry[0] or self._is_too_soon(one, campaign, entry):
                self.again.add(one.enrollment)

    def messages(self, leaving: set[str]) -> list[str]:
        """Those of enrollments that are `leaving`, and second ones where theirs has ended."""
        if not self._other.entries:
            return []
        active = {one.enrollment for one in self._user.enrollments}
        return [
            effect_id
            for effect_id, one in by_id(self._user.pending).items()
            if (
                one.enrollment in leaving
                if one.enrollment in active
                else self._is_second(one, leaving)
            )
        ]

    def _is_second(self, message: Pending, leaving: set[str]) -> bool:
        """Whether a message is one too many whose enrollment has ended."""
        entry, campaign = self._entry(message), self._plan.campaigns.get(message.campaign)
        if entry is None or campaign is None:
            return False
        inside = self._inside.get((message.campaign, message.per))
        if inside is None and self._is_too_soon(message, campaign, entry):
            return self._stands(message, campaign, entry)
        if (
            inside is not None
            and inside.enrollment in leaving
            and has_passed(inside, message.step, message.iteration)
            and (inside.enrollment, message.step, message.iteration) not in self._waiting
        ):
            return True
        return is_served(entry[1]) and _has_met(message, campaign, entry)

    def _entry(self, one: Enrollment | Pending) -> Entry | None:
        return newest_entry(self._other.entries, entry_key(one.campaign, one.per))

    def _is_too_soon(self, one: Enrollment | Pending, campaign: Campaign, entry: Entry) -> bool:
        """Whether `reentry` keeps out what began behind the other one's newest entry."""
        if entry[0] > one.entered_at_ms or (entry[0] == one.entered_at_ms and not self._yields):
            return False
        own = campaign.entry
        return not own.restart and is_too_soon(own, entry[0], one.entered_at_ms)

    def _stands(self, one: Enrollment | Pending, campaign: Campaign, entry: Entry) -> bool:
        """Whether the other one has had anything of a campaign, or can be sent it."""
        if is_served(entry[1]) or (one.campaign, one.per) in self._under_way:
            return True
        reached = self._reached.get(campaign.id)
        if reached is None:
            reached = self._reached[campaign.id] = self._is_reached(campaign)
        return reached

    def _is_reached(self, campaign: Campaign) -> bool:
        """Whether any message of a campaign can go to the other one. O(steps)."""
        sends = [step for step in campaign.steps if isinstance(step, Send)]
        channels = {channel for step in sends for channel in step.channels}
        policy, is_marketing, topic = self._plan.policy, campaign.is_marketing, campaign.topic
        return any(not barrier(policy, self._other, by, is_marketing, topic) for by in channels)


def _has_met(message: Pending, campaign: Campaign, entry: Entry) -> bool:
    """Whether the other one may have been in it besides a message's enrollment, or too soon behind.

    When his earlier ones began is not kept. One message too few is better than one too many.
    """
    if message.entered_at_ms < ended_at_ms(entry[1]):
        return True
    again = campaign.entry
    is_behind = entry[0] >= message.entered_at_ms and not again.restart
    return is_behind and is_too_soon(again, message.entered_at_ms, entry[0])
