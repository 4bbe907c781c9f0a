"""How much may come in: events a second of each key and each address, and bad keys of each.

Theory of operation. A bucket is one number, the instant at which all that it let through would have
been let through at its rate (GCRA, ITU-T I.371): something more is let through while that lies no
further ahead than the burst. So a bucket costs nothing while nobody asks, and a request that names
a key pays for one comparison and one addition.

What is asked is real time, by the monotonic clock: a rate guards this process and no logical time.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Final

from engine.server.answers import Refusal
from engine.server.clients import client_of
from engine.server.machines import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from prometheus_client import Counter

BURST: Final = 3
"""Seconds of its rate that a key may use up at once."""

BAD_KEYS_PER_S: Final = 10
BAD_KEYS_BURST: Final = 100
"""Requests with a key that is not known, of one address: beyond it they are refused as too many."""

GUESSES_PER_S: Final = 1
GUESSES_BURST: Final = 10
"""The same where people sign in: nobody types faster."""

ADDRESSES_MAX: Final = 10_000
"""Addresses that are counted for one thing; past it, who was silent longest is forgotten."""

_NS_PER_S: Final = 1_000_000_000


class Bucket:
    """Lets so much through a second, and a burst of it at once. Each call is O(1).

    Args:
        rate: A second; 1 or more.
        burst: At once, after a while without any; 1 or more.
    """

    __slots__ = ("_burst_ns", "_each_ns", "_used_until_ns", "rate")

    def __init__(self, rate: int, burst: int) -> None:
        self.rate = rate
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


def bucket_of_events(rate: int, events_max: int) -> Bucket:
    """For events, of which `events_max` come in one body: a burst has always room for it."""
    return Bucket(rate, max(BURST * rate, events_max))


class Addresses:
    """A bucket for each address that asked of late; of IPv6, for each network of 64 bits.

    Whoever has been quiet for as long as it takes is forgotten, and nothing with him. Where
    there are `most` that have not, the one that was silent longest makes room, and has a whole
    burst again when it comes back. To refuse the newcomer instead would let whoever has many
    addresses shut all others out; and whoever asks on stays counted.

    Args:
        make: Makes the bucket of an address.
        most: How many there are at most.
    """

    __slots__ = ("_buckets", "_make", "_most")

    def __init__(self, make: Callable[[], Bucket], most: int = ADDRESSES_MAX) -> None:
        self._make = make
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, address: str, now_ns: int) -> Bucket:
        """The bucket of an address, which asks now. O(1), and amortised for who is forgotten."""
        network = network_of(address)
        bucket = self._find(network)
        if bucket is None:
            self._make_room(now_ns)
            bucket = self._buckets[network] = self._make()
        return bucket

    def known(self, address: str) -> Bucket | None:
        """The same where there is one: nothing is remembered of who asks for the first time."""
        return self._find(network_of(address))

    def _find(self, network: str) -> Bucket | None:
        bucket = self._buckets.get(network)
        if bucket is not None:
            self._buckets.move_to_end(network)
        return bucket

    def _make_room(self, now_ns: int) -> None:
        """Forget who was silent longest, and whoever behind him counts no more."""
        while self._buckets:
            first = next(iter(self._buckets))
            if len(self._buckets) < self._most and not self._buckets[first].is_full(now_ns):
                return
            del self._buckets[first]


class Allowance:
    """What one key may send, or one address with it.

    Args:
        bucket: What it has left; None: no limit.
        what: What its rate is of, for people: `this write key (server.rate)`.
        monotonic_ns: Reads the monotonic clock.
        on_refused: Told of each refusal.
        within: Another allowance that all of it counts under as well; what this one refuses takes
            nothing of that one.
    """

    __slots__ = ("_bucket", "_monotonic_ns", "_on_refused", "_what", "_within")

    def __init__(
        self,
        bucket: Bucket | None,
        *,
        what: str,
        monotonic_ns: Callable[[], int],
        on_refused: Callable[[], None],
        within: Allowance | None = None,
    ) -> None:
        self._bucket = bucket
        self._monotonic_ns = monotonic_ns
        self._what = what
        self._on_refused = on_refused
        self._within = within

    def begin(self) -> None:
        """Let a request in: it is one event, at least. Raises Refusal (429)."""
        self.take(1)

    def go_on(self, count: int) -> None:
        """Let `count` more events of it in. Raises Refusal (429): then none of it counts."""
        if count > 0:
            try:
                self.take(count)
            except Refusal:
                self.give_back(1)
                raise

    def take(self, count: int) -> None:
        """Let `count` events in. Raises Refusal (429): then nothing of them counts."""
        bucket = self._bucket
        if bucket is not None and (wait_ns := bucket.take(count, self._monotonic_ns())):
            self._on_refused()
            message = f"more than {bucket.rate} events a second by {self._what}; nothing was taken"
            raise too_many("rate.exceeded", message, wait_ns)
        if self._within is not None:
            try:
                self._within.take(count)
            except Refusal:
                if bucket is not None:
                    bucket.give_back(count)
                raise

    def give_back(self, count: int) -> None:
        """Have events that were let in not count."""
        if self._bucket is not None:
            self._bucket.give_back(count)
        if self._within is not None:
            self._within.give_back(count)


class EachAddress:
    """What each address may send with one key (`rate_each`).

    Args:
        rate: Events a second; 1 or more.
        events_max: Events in one body.
        monotonic_ns: Reads the monotonic clock.
        on_refused: Told of each refusal.
    """

    __slots__ = ("_addresses", "_monotonic_ns", "_on_refused")

    def __init__(
        self,
        rate: int,
        events_max: int,
        *,
        monotonic_ns: Callable[[], int],
        on_refused: Callable[[], None],
    ) -> None:
        self._addresses = Addresses(partial(bucket_of_events, rate, events_max))
        self._monotonic_ns = monotonic_ns
        self._on_refused = on_refused

    def within(self, key: Allowance, address: str) -> Allowance:
        """What an address may send with the key: as much as is left to both. O(1)."""
        return Allowance(
            self._addresses.of(address, self._monotonic_ns()),
            what="this address (rate_each of the write key)",
            monotonic_ns=self._monotonic_ns,
            on_refused=self._on_refused,
            within=key,
        )


class BadKeys:
    """How many requests that prove nothing each client's address has sent.

    Whoever sends a write key that is known, or a good signature, is never asked: behind a proxy
    that is not listed all clients have one address. Where what is sent is a secret itself, `bar`
    asks everybody.

    Args:
        monotonic_ns: Reads the monotonic clock.
        what: What they have that is not known, for people.
        refused: Counts those that are refused, by the labels that `note` and `bar` are told.
        per_s: Of one address, a second.
        burst: Of one address, at once.
    """

    def __init__(
        self,
        monotonic_ns: Callable[[], int],
        what: str = "key",
        *,
        refused: Counter | None = None,
        per_s: int = BAD_KEYS_PER_S,
        burst: int = BAD_KEYS_BURST,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._what = what
        self._refused = refused
        self._per_s = per_s
        self._addresses = Addresses(partial(Bucket, per_s, burst))

    def note(self, request: web.Request, *why: str, is_guess: bool = True) -> None:
        """Count one that is about to be refused; of its address, too, if it may be a guess. O(1).

        Raises Refusal (429) where its address has sent too many.
        """
        self._count(why)
        if is_guess:
            now_ns = self._monotonic_ns()
            if wait_ns := self._addresses.of(client_of(request), now_ns).take(1, now_ns):
                raise self._too_many(wait_ns)

    def bar(self, request: web.Request, *why: str) -> None:
        """Refuse an address that has sent too many just now, whatever it says this time. O(1).

        Asked before a secret is compared, or whoever guesses one had as many tries as he can send;
        and in the same turn of the loop, or he had as many as he sends at once. Raises Refusal
        (429), which is counted.
        """
        bucket = self._addresses.known(client_of(request))
        if bucket is None:
            return
        if wait_ns := bucket.take(1, self._monotonic_ns()):
            self._count(why)
            raise self._too_many(wait_ns)
        bucket.give_back(1)

    def _count(self, why: tuple[str, ...]) -> None:
        if self._refused is not None:
            self._refused.labels(*why).inc()

    def _too_many(self, wait_ns: int) -> Refusal:
        told = f"a {self._what} that is not known"
        plural = "" if self._per_s == 1 else "s"
        message = f"more than {self._per_s} request{plural} a second with {told}"
        return too_many("key.too_many", message, wait_ns)


def too_many(code: str, message: str, wait_ns: int) -> Refusal:
    """The refusal of what comes too fast, with the whole seconds to wait."""
    seconds = -(-wait_ns // _NS_PER_S)
    told = f"{message}; come again in {seconds} s"
    return Refusal(429, code, told, headers={"Retry-After": str(seconds)})
