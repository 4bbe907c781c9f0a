"""What a condition asks of a user's history, of time and of his cart: the oracle's own functions.

As `trees`: from the contract alone, by a search over everything that ever happened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.conditions.carts import cart_of, recent_of
from tests.conditions.trees import (
    Happened,
    View,
    WrongError,
    compare,
    holds,
    is_number,
    member,
    quoted,
    told,
)

# History


@dataclass(frozen=True)
class Count:
    """`count(name, w, e, P)`; as a condition of its own, `did`."""

    name: str
    window: int | None = None
    counted: Any = None
    function: str = "count"

    def cel(self) -> str:
        said = [quoted(self.name)]
        said += [] if self.window is None else [quoted(told(self.window))]
        said += [] if self.counted is None else ["e", self.counted.cel()]
        return f"{self.function}({', '.join(said)})"

    def of(self, view: View) -> Any:
        number = sum(self._counts(view, one) for one in view.of(self.name, self.window))
        return number >= 1 if self.function == "did" else number

    def _counts(self, view: View, one: Happened) -> bool:
        if self.counted is None:
            return True
        before, view.counted = view.counted, one.said
        try:
            return holds(self.counted, view)
        finally:
            view.counted = before


@dataclass(frozen=True)
class Reckoned:
    """`sum avg min max distinct` of a property of the events in a window."""

    function: str
    name: str
    property: str
    window: int | None = None

    def cel(self) -> str:
        said = [quoted(self.name), quoted(self.property)]
        said += [] if self.window is None else [quoted(told(self.window))]
        return f"{self.function}({', '.join(said)})"

    def of(self, view: View) -> Any:
        events = view.of(self.name, self.window)
        values = [one.said[self.property] for one in events if self.property in one.said]
        if self.function == "distinct":
            return len({(_kind(value), value) for value in values})
        numbers = [value for value in values if is_number(value)]
        if self.function == "sum":
            return math.fsum(numbers)
        if not numbers:
            raise WrongError
        if self.function == "avg":
            return math.fsum(numbers) / len(numbers)
        return min(numbers) if self.function == "min" else max(numbers)


def _kind(value: Any) -> str:
    return "number" if is_number(value) else type(value).__name__


@dataclass(frozen=True)
class Outermost:
    """`last(name).property` or `first(name).property`."""

    function: str
    name: str
    property: str

    def cel(self) -> str:
        return f"{self.function}({quoted(self.name)}).{self.property}"

    def of(self, view: View) -> Any:
        events = view.of(self.name)
        if not events:
            raise WrongError
        return member(events[-1 if self.function == "last" else 0].said, self.property)


# Time


@dataclass(frozen=True)
class Since:
    """`since(name)` beside a duration."""

    name: str
    by: str
    duration: int
    form: str = 'since("{name}") {by} "{duration}"'

    def cel(self) -> str:
        return self.form.format(name=self.name, by=self.by, duration=told(self.duration))

    def of(self, view: View) -> bool:
        events = view.of(self.name)
        if not events:
            raise WrongError
        return compare(view.now - events[-1].t, self.by, self.duration)


@dataclass(frozen=True)
class Idle:
    window: int

    def cel(self) -> str:
        return f"idle({quoted(told(self.window))})"

    def of(self, view: View) -> bool:
        return view.active is not None and view.now - view.active >= self.window


@dataclass(frozen=True)
class Now:
    """`now` beside an instant in milliseconds, give or take a constant; `us` is added to it.

    The instant is a literal, or a trait that holds it as text.
    """

    by: str
    instant: int | str
    shift: int = 0
    us: int = 0
    form: str = "now {by} {instant}"

    def cel(self) -> str:
        if isinstance(self.instant, str):
            said = f"timestamp(user.{self.instant})"
        else:
            said = f"timestamp({quoted(iso(self.instant, self.us))})"
        return self.form.format(by=self.by, instant=said, shift=told(abs(self.shift)))

    def of(self, view: View) -> bool:
        if isinstance(self.instant, str):
            text = member(view.user, self.instant)
            if not isinstance(text, str):
                raise WrongError
            try:
                instant_us = micros(text)
            except ValueError:
                raise WrongError from None
        else:
            instant_us = self.instant * 1000 + self.us
        return compare(view.now * 1000, self.by, instant_us + self.shift * 1000)


def iso(instant: int, us: int = 0) -> str:
    whole, ms = divmod(instant, 1000)
    day = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{day}.{ms:03}{us:03}Z" if us else f"{day}.{ms:03}Z"


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@dataclass(frozen=True)
class Calendar:
    """A part of the local date or time beside a number; the zone is a name, or `user.timezone`."""

    getter: str
    by: str
    number: int
    zone: str = ""

    def cel(self) -> str:
        zone = self.zone if self.zone in {"", "user.timezone"} else quoted(self.zone)
        return f"now.{self.getter}({zone}) {self.by} {self.number}"

    def of(self, view: View) -> bool:
        return compare(self.part(view), self.by, self.number)

    def part(self, view: View) -> int:
        zone = self.zone or "UTC"
        if zone == "user.timezone":
            zone = member(view.user, "timezone")
        local = local_time(view.now, zone)
        return {
            "getFullYear": local.year,
            "getMonth": local.month - 1,
            "getDate": local.day,
            "getDayOfMonth": local.day - 1,
            "getDayOfYear": (local.date() - local.date().replace(month=1, day=1)).days,
            "getDayOfWeek": (local.weekday() + 1) % 7,
            "getHours": local.hour,
            "getMinutes": local.minute,
            "getSeconds": local.second,
            "getMilliseconds": local.microsecond // 1000,
        }[self.getter]


def local_time(now: int, zone: Any) -> datetime:
    if not isinstance(zone, str):
        raise WrongError
    try:
        found = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise WrongError from None
    whole, ms = divmod(now, 1000)
    return datetime.fromtimestamp(whole, found).replace(microsecond=ms * 1000)


# What else is known of a user


@dataclass(frozen=True)
class Cart:
    """`cart.size`, `cart.value`."""

    name: str

    def cel(self) -> str:
        return f"cart.{self.name}"

    def of(self, view: View) -> Any:
        return member(cart_of(view.events), self.name)


@dataclass(frozen=True)
class AnyItem:
    """`cart.items.exists(i, i.product_id == "p")`, or of `recent`."""

    where: str
    product: str

    def cel(self) -> str:
        return f"{self.where}.exists(i, i.product_id == {quoted(self.product)})"

    def of(self, view: View) -> bool:
        recent = self.where == "recent"
        items = recent_of(view.events) if recent else cart_of(view.events)["items"]
        return any(item.get("product_id") == self.product for item in items)


@dataclass(frozen=True)
class Visits:
    """`visits(w)`: how many sessions began."""

    window: int | None = None

    def cel(self) -> str:
        return f"visits({'' if self.window is None else quoted(told(self.window))})"

    def of(self, view: View) -> int:
        return len(view.of("Session Started", self.window))


@dataclass(frozen=True)
class SessionLasts:
    """`session.duration` beside a duration."""

    by: str
    duration: int

    def cel(self) -> str:
        return f"session.duration {self.by} {quoted(told(self.duration))}"

    def of(self, view: View) -> bool:
        if view.session is None:
            raise WrongError
        lasted = view.session["active"] - view.session["start"]
        return compare(lasted, self.by, self.duration)


@dataclass(frozen=True)
class FirstSession:
    """`session.first`."""

    def cel(self) -> str:
        return "session.first"

    def of(self, view: View) -> bool:
        if view.session is None:
            raise WrongError
        return bool(view.session["first"])


@dataclass(frozen=True)
class InSegment:
    segment: str

    def cel(self) -> str:
        return f"in_segment({quoted(self.segment)})"

    def of(self, view: View) -> bool:
        return holds(view.segments[self.segment], view)


@dataclass(frozen=True)
class Score:
    """`score("m")`: the latest word of a model."""

    def cel(self) -> str:
        return 'score("m")'

    def of(self, view: View) -> float:
        if view.score is None:
            raise WrongError
        return view.score


@dataclass(frozen=True)
class Received:
    """`received(channel or campaign, w)`."""

    what: str
    window: int | None = None

    def cel(self) -> str:
        window = "" if self.window is None else f", {quoted(told(self.window))}"
        return f"received({quoted(self.what)}{window})"

    def of(self, view: View) -> int:
        return sum(
            self.what in {channel, campaign}
            and (self.window is None or view.now - self.window < at)
            and at <= view.now  # one that was held back is judged later
            for at, channel, campaign in view.sent
        )
