"""However many ids turn out to be one user's, in whatever order: no step goes twice."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.messages.waiting import by_id
from tests.core.world import DAY, S, World, campaign, send, wait
from tests.core.written import campaigns

if TYPE_CHECKING:
    from engine.core.effects import Record
    from engine.core.plan import Campaign

IDS = ("u", "anon-0", "anon-1", "anon-2")
STEPS = (wait(10 * S), send("in_app", step_id="one"), wait(10 * S), send("in_app", step_id="two"))


instants = st.integers(0, 60).map(lambda second: second * S)


@given(
    entered=st.lists(st.tuples(st.sampled_from(IDS), instants), max_size=8),
    merged=st.lists(st.tuples(st.sampled_from(IDS[1:]), instants), max_size=6),
    reentry=st.sampled_from([None, 15 * S, 0]),
)
@settings(max_examples=80)
def test_nobody_is_in_a_campaign_twice_nor_sent_what_he_was_sent_under_another_id(
    entered: list[tuple[str, int]], merged: list[tuple[str, int]], reentry: int | None
) -> None:
    world = World(campaign("c", *STEPS, reentry=reentry))
    happening = [(at, who, "go") for who, at in entered]
    happening += [(at, who, "merge") for who, at in merged]
    sent = {who: set[str]() for who in IDS}
    known_as = {who: who for who in IDS}
    for at, who, what in [*sorted(happening), (DAY, "u", "go")]:
        world.advance(at)  # nothing is sent by the input itself
        for one in world.records:
            if one.kind == "sent":
                assert reentry is not None or one.step not in sent[one.user_id]
                sent[one.user_id].add(one.step)
        if what == "go":
            world.event("Go", at, user=who)
        else:
            world.merge(who, at)
            sent["u"] |= sent[who]
            known_as[who] = "u"
        for user in world.processor.users.values():
            assert known_as[user.user_id] == user.user_id
            assert len(user.enrollments) <= 1


class Onlooker:
    """Knows of each enrollment which others were under way beside it, under other ids.

    Attributes:
        had: Of which enrollment which step was delivered, in which of its times.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = 0
        self.had: set[tuple[str, str, int]] = set()
        self._bearer = {who: who for who in IDS}
        self._whose: dict[str, str] = {}
        self._per: dict[str, str] = {}
        self._beside: dict[str, set[str]] = {}
        self._ended: set[str] = set()
        self._left: set[str] = set()  # by what the other had done: whoever came in later is anew
        self._sent_by: dict[str, str] = {}

    def go_on(self, what: str, who: str, n: int) -> None:
        if what == "merge":
            self.world.merge(who, self.now)
            gone = self._bearer[who]
            self._bearer = {one: "u" if by == gone else by for one, by in self._bearer.items()}
            left = [one for one in self.world.records if one.reason in {"event", "goal"}]
            self._left.update(one.enrollment for one in left)
        elif what in {"delivered", "failed"}:
            self.hand_over(who, what)
        else:
            self.world.event(what, self.now, user=who, n=n)
        self.see()

    def wait(self, gap: int) -> None:
        until = self.now + gap
        while self.now < until:
            self.now = min(self.now + S, until)
            self.world.advance(self.now)
            self.see()

    def see(self) -> None:
        for one in self.world.records:
            if one.kind == "entered":
                own = {
                    other for other in self._beside.keys() - self._ended if self._parts(other, one)
                }
                self._whose[one.enrollment], self._beside[one.enrollment] = one.user_id, own
                for other in own:
                    self._beside[other].add(one.enrollment)
            elif one.kind in {"exited", "finished"}:
                self._ended.add(one.enrollment)
            elif one.kind == "sent":
                self._sent_by[one.message] = one.enrollment
        for user in self.world.processor.users.values():
            self._per.update((one.enrollment, one.per) for one in user.enrollments)

    def _parts(self, other: str, one: Record) -> bool:
        return self._bearer[self._whose[other]] != self._bearer[one.user_id]

    def hand_over(self, who: str, outcome: str = "delivered") -> None:
        """Have all that waits for whoever an id means handed over, as far as it may go."""
        user = self.world.processor.find(who)
        for message, one in list(by_id(user.pending).items()) if user is not None else ():
            enrollment = self._sent_by[message]
            if not one.cancelled and outcome == "delivered":
                what = one.step, one.iteration
                others = self._met(enrollment)
                assert not self.had & {(other, *what) for other in others}, (what, self.now)
                self.had.add((enrollment, *what))
            told = "cancelled" if one.cancelled else outcome
            self.world.report(told, self.now, message=message, user=who)
            self.see()

    def _met(self, enrollment: str) -> set[str]:
        """Those of the same user, by now, that were under way beside it."""
        if enrollment in self._left:
            return set()
        own, per = self._bearer[self._whose[enrollment]], self._per[enrollment]
        return {
            other
            for other in self._beside[enrollment] - self._left
            if self._bearer[self._whose[other]] == own and self._per[other] == per
        }


happenings = st.one_of(
    st.tuples(st.sampled_from(IDS), st.just("Go")),
    st.tuples(st.sampled_from(IDS), st.sampled_from(["Go", "Buy", "Look", "Pay", "delivered"])),
    st.tuples(st.sampled_from(IDS), st.sampled_from(["delivered", "failed"])),
    st.tuples(st.sampled_from(IDS[1:]), st.just("merge")),
)
entries = st.sampled_from([
    "", "reentry: 12s", "reentry: never", "while_active: restart", "per: event.n",
    "per: event.n, reentry: never",
])  # fmt: skip
CAMPAIGN = """
campaign: c
enter: {{event: Go, {entry}}}
exit: {{event: Buy}}
goal: {{event: Pay, within: 1d}}
steps:
  - {{wait: 10s, id: w1}}
  - {{send: in_app, else: [push], template: t, id: one}}
  - repeat:
      times: {times}
      every: 5s
      steps:
        - {{send: in_app, template: t, id: each}}
        - wait: {{event: Look, at_most: 7s, then: [{{send: in_app, template: t, id: looked}}]}}
          id: w2
    id: r
  - {{wait: 10s, id: w3}}
  - {{send: in_app, template: t, id: two}}
  - {{wait: 10s, id: w4}}
"""


@cache
def compiled(entry: str, times: int) -> list[Campaign]:
    return campaigns(CAMPAIGN.format(entry=entry, times=times))


@given(
    said=st.lists(st.tuples(happenings, st.sampled_from([1, 2])), min_size=3, max_size=16),
    gaps=st.lists(st.sampled_from([1, S, 4 * S, 9 * S, 16 * S]), min_size=16, max_size=16),
    entry=entries,
    times=st.sampled_from([1, 3]),
)
@settings(max_examples=150)
def test_no_step_is_sent_again_that_an_enrollment_beside_it_had(
    said: list[tuple[tuple[str, str], int]], gaps: list[int], entry: str, times: int
) -> None:
    """Two that were under way at once, under two ids that turn out to be one user's.

    What was delivered of the one is not handed over of the other from then on. Messages are
    delivered as it is said, or stay on their way to the very end.
    """
    onlooker = Onlooker(World(*compiled(entry, times)))
    for ((who, what), n), gap in zip(said, gaps, strict=False):
        onlooker.wait(gap)
        onlooker.go_on(what, who, n)
    onlooker.wait(90 * S)
    for who in IDS:
        onlooker.hand_over(who)
