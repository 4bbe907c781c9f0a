"""How much may come in: of each key so many events a second, of each address so many bad keys.

Theory of operation. A bucket is one number, the instant at which all that it let through would have
been let through at its rate (GCRA, ITU-T I.371): something more is let through while that lies no
further ahead than the burst. So a bucket costs nothing while nobody asks, and a request that names
a key pays for one comparison and one addition.

What is asked is real time, by the monotonic clock: a rate guards this process and no logical time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.server.answers import Refusal
from engine.server.machines import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

BURST: Final = 3
"""Seconds of its rate that a key may use up at once."""

BAD_KEYS_PER_S: Final = 10
BAD_KEYS_BURST: Final = 100
"""Requests with a key that is not known, of one address: beyond it they are refused as too many."""

GUESSES_PER_S: Final = 1
GUESSES_BURST: Final = 10
"""The same where people sign in: nobody types faster."""

ADDRESSES_MAX: Final = 10_000
"""Addresses whose bad keys are counted; past it, who came first is forgotten."""

_NS_PER_S: Final = 1_000_000_000


class Bucket:
    """Lets so much through a second, and a burst of it at once. Each call is O(1).

    Args:
        rate: A second; 1 or more.
        burst: At once, after a while without any; 1 or more.
    """

    __slots__ = ("_burst_ns", "_each_ns", "_used_until_ns")

    def __init__(self, rate: int, burst: int) -> None:
        self._each_ns = max(1, _NS_PER_S // rate)
        self._burst_ns = burst * self._each_ns
        self._used_until_ns = 0

    def take(self, count: int, now_ns: int) -> int:
        """Let `count` through; 0, or the nanoseconds until it could be. Then nothing is used."""
        used_until_ns = self._used_until_ns
        used_until_ns = (max(now_ns, used_until_ns)) + count * self._each_ns
        wait_ns = used_until_ns - now_ns - self._burst_ns
        if wait_ns > 0:
            return wait_ns
        self._used_until_ns = used_until_ns
        return 0

    def give_back(self, count: int) -> None:
        """Have what was let through not count."""
        self._used_until_ns -= count * self._each_ns

    def is_full(self, now_ns: int) -> bool:
        """Whether nothing that it let through counts any more."""
        return self._used_until_ns <= now_ns


class Allowance:
    """What one key may send.

    Args:
        rate: Events a second; 0: no limit.
        events_max: Events in one body, which a burst has always room for.
        what: What the rate is of, for people: `this write key (server.rate)`.
        monotonic_ns: Reads the monotonic clock.
        on_refused: Told of each refusal.
    """

    __slots__ = ("_bucket", "_monotonic_ns", "_on_refused", "_rate", "_what")

    def __init__(
        self,
        rate: int,
        events_max: int,
        *,
        what: str,
        monotonic_ns: Callable[[], int],
        on_refused: Callable[[], None],
    ) -> None:
        self._rate = rate
        self._monotonic_ns = monotonic_ns
        self._bucket = Bucket(rate, max(BURST * rate, events_max)) if rate else None
        self._what = what
        self._on_refused = on_refused

    def begin(self) -> None:
        """Let a request in: it is one event, at least. Raises Refusal (429)."""
        if self._bucket is not None and (wait_ns := self._bucket.take(1, self._monotonic_ns())):
            raise self._too_many(wait_ns)

    def go_on(self, count: int) -> None:
        """Let `count` more events of it in. Raises Refusal (429): then none of it counts."""
        if count > 0 and self._bucket is not None:
            wait_ns = self._bucket.take(count, self._monotonic_ns())
            if wait_ns:
                self._bucket.give_back(1)
                raise self._too_many(wait_ns)

    def _too_many(self, wait_ns: int) -> Refusal:
        self._on_refused()
        message = f"more than {self._rate} events a second by {self._what}; nothing was taken"
        return too_many("rate.exceeded", message, wait_ns)


class BadKeys:
    """How many requests with keys that are not known each address has sent.

    Whoever sends a key that is known is never asked: behind a proxy all clients have one address.

    Args:
        monotonic_ns: Reads the monotonic clock.
        what: What they are, for people.
        per_s: Of one address, a second.
        burst: Of one address, at once.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        what: str = "key",
        *,
        per_s: int = BAD_KEYS_PER_S,
        burst: int = BAD_KEYS_BURST,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._what = what
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[str, Bucket] = {}

    def note(self, peer: str) -> None:
        """Count one of an address. Raises Refusal (429) where it has sent too many. O(1)."""
        now_ns = self._monotonic_ns()
        address = network_of(peer)
        bucket = self._buckets.get(address)
        if bucket is None:
            self._make_room(now_ns)
            bucket = self._buckets[address] = Bucket(self._per_s, self._burst)
        if wait_ns := bucket.take(1, now_ns):
            raise self._too_many(wait_ns)

    def bar(self, peer: str) -> None:
        """Refuse an address that has sent too many just now, whatever it says this time. O(1).

        Asked before a secret is compared, or whoever guesses one had as many tries as he can send.
        Raises Refusal (429).
        """
        bucket = self._buckets.get(network_of(peer))
        if bucket is None:
            return
        if wait_ns := bucket.take(1, self._monotonic_ns()):
            raise self._too_many(wait_ns)
        bucket.give_back(1)

    def _too_many(self, wait_ns: int) -> Refusal:
        told = f"a {self._what} that is not known"
        plural = "" if self._per_s == 1 else "s"
        message = f"more than {self._per_s} request{plural} a second with {told}"
        return too_many("key.too_many", message, wait_ns)

    def _make_room(self, now_ns: int) -> None:
        """Forget who came first, and whoever behind him has been quiet since; a few each time."""
        while self._buckets:
            first = next(iter(self._buckets))
            if len(self._buckets) < ADDRESSES_MAX and not self._buckets[first].is_full(now_ns):
                return
            del self._buckets[first]


def too_many(code: str, message: str, wait_ns: int) -> Refusal:
    """The refusal of what comes too fast, with the whole seconds to wait."""
    seconds = -(-wait_ns // _NS_PER_S)
    told = f"{message}; come again in {seconds} s"
    return Refusal(429, code, told, headers={"Retry-After": str(seconds)})
