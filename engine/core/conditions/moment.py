"""What conditions ask of a user's past at one instant: the functions of history.

A `Moment` is bound to the name "@" for programs that use such a function; compiled code calls its
methods. A window `w` at instant `now` holds the events with `now - w < t <= now`; without one it is
the user's whole life, of which the plan's `kept` says what is still known.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from engine.core.cel import CelError
from engine.core.conditions.atoms import MOMENT
from engine.core.conditions.bindings import bind_more
from engine.core.history import WIDTH, instants_of, read_instant, sent_name
from engine.core.inputs import EMPTY
from engine.core.past.details import canonical
from engine.core.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.core.cel import Work
    from engine.core.past.details import Details
    from engine.core.plan import Plan
    from engine.core.state import User

    Predicate = Callable[[dict[str, Any]], Any]

_NO_INSTANTS = instants_of(b"")
_NUMBERS: frozenset[type] = frozenset({int, float})


class Moment:
    """A user's past as it stands at one instant.

    Args:
        user: Whose past.
        now_ms: The instant.
        plan: In force.

    Attributes:
        until_ms: Every answer lowers it to the first instant after `now_ms` at which that very
            answer may be another one if nothing more happens; `NEVER` where it may not.
        failed: Whether a part of a condition ended in an error since this was last set to False.
        work: What is left to the question that is asked; None between two.
    """

    __slots__ = ("_known", "failed", "now_ms", "plan", "until_ms", "user", "work")

    def __init__(self, user: User, now_ms: int, plan: Plan) -> None:
        self.user = user
        self.now_ms = now_ms
        self.plan = plan
        self.until_ms = NEVER
        self.failed = False
        self.work: Work | None = None
        self._known: dict[str, tuple[bool, int]] | None = None

    def count(
        self, name: str, window_ms: int | None = None, predicate: Predicate | None = None
    ) -> int:
        """How many events `name` the window holds of which the predicate is true.

        O(log n); with a predicate O(events in the window). Without window and predicate it counts
        all that ever were, where the plan keeps that.
        """
        instants, start, end = self._span(name, window_ms)
        if predicate is not None:
            places = self._such(name, start, end, predicate)
            if places:
                self._leaves(instants[places[0]], window_ms)
            return len(places)
        if window_ms is None:
            details = self.user.details.get(name)
            past = 0 if details is None else max(0, details.total - len(instants))
            return past + end
        if start < end:
            self._leaves(instants[start], window_ms)
        return end - start

    def did(
        self, name: str, window_ms: int | None = None, predicate: Predicate | None = None
    ) -> bool:
        """Whether there is one of those that `count` counts; costs as `count`."""
        instants, start, end = self._span(name, window_ms)
        if predicate is not None:
            details = self.user.details.get(name)
            while start < end and predicate(_properties(details, end - 1)) is not True:
                end -= 1
        if start < end:
            self._leaves(instants[end - 1], window_ms)
            return True
        return False

    def nth_newest(self, name: str, n: int, predicate: Predicate | None = None) -> int | None:
        """The instant of the `n`-th newest event up to now of which the predicate is true.

        None where fewer are kept, in whatever window. O(1); with a predicate O(events asked until
        so many are found).
        """
        if predicate is None:
            packed = self.user.history.get(name)
            if not packed:
                return None
            place = len(packed) - WIDTH
            if read_instant(packed, place)[0] <= self.now_ms:
                place -= WIDTH * (n - 1)
                at_ms: int | None = read_instant(packed, place)[0] if place >= 0 else None
                return at_ms
        instants, _, end = self._span(name, None)
        if predicate is None:
            return instants[end - n] if end >= n else None
        details = self.user.details.get(name)
        for place in range(end - 1, -1, -1):
            if predicate(_properties(details, place)) is True:
                n -= 1
                if not n:
                    return instants[place]
        return None

    def since(self, name: str) -> timedelta:
        """How long ago the last one was. O(1).

        That this is another answer each millisecond lowers no `until_ms`.
        Raises CelError where there was none.
        """
        instants, _, end = self._span(name, None)
        if not end:
            raise _never(name)
        return timedelta(milliseconds=self.now_ms - instants[end - 1])

    def last(self, name: str) -> dict[str, Any]:
        """The properties of the last one, as far as they are kept.

        Raises CelError where there was none.
        """
        _, _, end = self._span(name, None)
        if not end:
            raise _never(name)
        return _properties(self.user.details.get(name), end - 1)

    def first(self, name: str) -> dict[str, Any]:
        """The properties of the first one ever, as far as they are kept.

        Raises CelError where there was none.
        """
        _, _, end = self._span(name, None)
        if not end:
            raise _never(name)
        details = self.user.details.get(name)
        if details is not None and details.first:
            return details.first_properties()
        return _properties(details, 0)

    def idle(self, window_ms: int) -> bool:
        """Whether at least this long has passed since the user last did something. O(1)."""
        last_seen_at_ms = self.user.last_seen_at_ms
        if not last_seen_at_ms:
            return False
        idle_at_ms = last_seen_at_ms + window_ms
        if self.now_ms >= idle_at_ms:
            return True
        self._until(idle_at_ms)
        return False

    def in_segment(self, segment: str) -> bool:
        """Whether the segment's condition holds; one that ends in an error does not.

        Segments that it asks for are each asked once, however many ask for them.
        """
        known: dict[str, tuple[bool, int]] = {} if self._known is None else self._known
        if segment not in known:
            condition = self.plan.segments[segment]
            bound: dict[str, Any] = {"user": self.user.traits}
            bind_more(bound, condition.names, EMPTY, self.now_ms, self.user, self.plan.collections)
            bound[MOMENT] = within = Moment(self.user, self.now_ms, self.plan)
            within.work, within._known = self.work, known
            known[segment] = condition.ask(bound)
        holds, until_ms = known[segment]
        self._until(until_ms)
        return holds

    def score(self, model: str) -> float:
        """The latest score of a model, from 0.0 to 1.0. O(1).

        Raises CelError where there is none.
        """
        score = self.user.scores.get(model)
        if score is None:
            raise CelError(f"the model {model!r} has not scored the user")
        return score

    def received(self, what: str, window_ms: int | None = None) -> int:
        """How many messages of a channel or campaign the user was sent in the window."""
        return self.count(sent_name(what), window_ms)

    def total(self, name: str, detail: str, window_ms: int | None = None) -> float:
        """The sum of a property over the events in the window, 0.0 where none has a number.

        Infinite where it is beyond every number, as CEL's own sums are. O(events in the window),
        as all below.
        """
        return _rounded(self._numbers(name, detail, window_ms), 1)

    def average(self, name: str, detail: str, window_ms: int | None = None) -> float:
        """The mean of a property; CelError where no event in the window has a number."""
        numbers = self._some_numbers(name, detail, window_ms)
        return _rounded(numbers, len(numbers))

    def least(self, name: str, detail: str, window_ms: int | None = None) -> float:
        """The least of a property; CelError where no event in the window has a number."""
        return min(self._some_numbers(name, detail, window_ms))

    def greatest(self, name: str, detail: str, window_ms: int | None = None) -> float:
        """The greatest of a property; CelError where no event in the window has a number."""
        return max(self._some_numbers(name, detail, window_ms))

    def distinct(self, name: str, detail: str, window_ms: int | None = None) -> int:
        """How many different values a property has, as `==` compares them; null is one."""
        return len({canonical(value) for value in self._values(name, detail, window_ms)})

    def _span(self, name: str, window_ms: int | None) -> tuple[memoryview[int], int, int]:
        """All instants of a name, and which of them the window holds."""
        packed = self.user.history.get(name)
        if not packed:
            return _NO_INSTANTS, 0, 0
        instants = instants_of(packed)
        end = len(instants)
        now_ms = self.now_ms
        if instants[-1] > now_ms:  # asked about an instant before what has happened
            end = bisect_right(instants, now_ms)
            self._until(instants[end])
        if window_ms is None:
            return instants, 0, end
        low_ms = now_ms - window_ms
        return instants, 0 if instants[0] > low_ms else bisect_right(instants, low_ms), end

    def _such(self, name: str, start: int, end: int, predicate: Predicate) -> list[int]:
        """The places in a range of which the predicate is true."""
        details = self.user.details.get(name)
        return [at for at in range(start, end) if predicate(_properties(details, at)) is True]

    def _values(self, name: str, detail: str, window_ms: int | None = None) -> list[Any]:
        instants, start, end = self._span(name, window_ms)
        details = self.user.details.get(name)
        if start == end or details is None:
            return []
        self._leaves(instants[start], window_ms)
        return details.values(detail, start, end)

    def _numbers(self, name: str, detail: str, window_ms: int | None = None) -> list[float]:
        values = self._values(name, detail, window_ms)
        return [float(value) for value in values if type(value) in _NUMBERS]

    def _some_numbers(self, name: str, detail: str, window_ms: int | None = None) -> list[float]:
        numbers = self._numbers(name, detail, window_ms)
        if not numbers:
            raise CelError(f"no event {name!r} with a number {detail!r} is known")
        return numbers

    def _leaves(self, at_ms: int, window_ms: int | None) -> None:
        if window_ms is not None:
            self._until(at_ms + window_ms)

    def _until(self, at_ms: int) -> None:
        if at_ms < self.until_ms:
            self.until_ms = at_ms


def _properties(details: Details | None, place: int) -> dict[str, Any]:
    return {} if details is None else details.properties(place)


def _never(name: str) -> CelError:
    return CelError(f"the user never did {name!r}")


def _rounded(numbers: list[float], parts: int) -> float:
    """The sum over `parts`, rounded once: Shewchuk's exact partial sums (`math.fsum`). O(n).

    Those overflow where numbers are huge, though what they come to may not be: then as fractions.
    """
    try:
        return math.fsum(numbers) / parts
    except OverflowError:
        exact = sum(map(Fraction, numbers)) / parts
        try:
            return float(exact)
        except OverflowError:
            return math.inf if exact > 0 else -math.inf
