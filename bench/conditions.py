"""What a compiled condition costs beside the Python that one would write by hand for it.

Each is asked of users in turn, as events that arrive would have it asked. Where it asks of the
past, its `Moment` is made anew each time, as each event makes one.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from bench.harness import Laps, Run
from engine.core import cel, history
from engine.core.conditions.moment import Moment
from engine.core.conditions.needs import needs
from engine.core.plan import Plan
from engine.core.state import User, new_user

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_760_000_000_000
USERS = 5_000
VIEWED, ORDERED = "Product Viewed", "Order Completed"

PLAN = Plan("bench")
PLAIN = 'user.segment == "VIP" && cart.value > 500.0'
COUNTED = f'count("{VIEWED}", "24h") >= 3 && !did("{ORDERED}", "24h")'
LONG = " && ".join(
    [
        f'count("{VIEWED}", "24h") >= size(user.list)',
        f'did("{VIEWED}", "7d")',
        f'since("{VIEWED}") > "1s"',
    ]
)
"""Of the first all instants are kept: with what it is compared is not known before."""


class Known(msgspec.Struct, frozen=True):
    """What both sides know of one user.

    Attributes:
        bound: Traits and cart.
        user: His state.
        instants: His past once more, as one would hold it by hand.
    """

    bound: dict[str, Any]
    user: User
    instants: dict[str, list[int]]


class Facts(msgspec.Struct, frozen=True):
    """Users, and how often each is asked about."""

    rounds: int
    known: list[Known]


def ask(load: Facts, holds: Callable[[Known], object]) -> Run:
    """Ask of all users in turn; the outcome is how often it held."""
    met, laps = 0, Laps()
    with laps.running():
        for _ in range(load.rounds):
            for known in load.known:
                if holds(known) is True:
                    met += 1
    return Run(laps.seconds, met)


def known(program: cel.Program, bound: dict[str, Any], instants: dict[str, list[int]]) -> Known:
    """A user to whom that happened, with what the program has kept of it."""
    user, kept = new_user("u"), needs([program])
    for name, happened in instants.items():
        for at_ms in happened:
            history.insert(user, name, at_ms, kept[name], at_ms)
    return Known(bound, user, instants)


def compiled(text: str) -> Callable[[Known], object]:
    """The condition as an event asks it."""
    truth = cel.compile(text).truth

    def holds(one: Known) -> object:
        return truth({"user": one.bound["user"], "@": Moment(one.user, NOW_MS, PLAN)})

    return holds


class Plain:
    """A condition on traits and cart."""

    name = "condition-plain"
    title = "user.segment == … && cart.value > …; over a lambda"
    n = 1_000_000
    n_small = 10_000
    limit = 6.0
    repetitions = 7

    def prepare(self, n: int) -> Facts:
        """Draw users: a third of them VIP, half of the carts above 500."""
        draw, program = random.Random(n), cel.compile(PLAIN)
        drawn = [
            {
                "user": {"segment": draw.choice(["VIP", "new", "old"])},
                "cart": {"value": draw.uniform(0, 1_000)},
            }
            for _ in range(USERS)
        ]
        return Facts(n // USERS, [known(program, bound, {}) for bound in drawn])

    def reference(self, load: Facts) -> Run:
        """The lambda."""
        return ask(
            load,
            lambda one: (
                one.bound["user"]["segment"] == "VIP" and one.bound["cart"]["value"] > 500.0
            ),
        )

    def ours(self, load: Facts) -> Run:
        """The compiled condition."""
        truth = cel.compile(PLAIN).truth
        return ask(load, lambda one: truth(one.bound))


class Counted:
    """A condition on how often something happened of late."""

    name = "condition-counted"
    title = "count(…, 24h) >= 3 && !did(…, 24h); over a lambda"
    n = 500_000
    n_small = 10_000
    limit = 8.0
    repetitions = 7

    def prepare(self, n: int) -> Facts:
        """Draw users with up to 12 views in two days, a third of whom ordered."""
        draw, program = random.Random(n), cel.compile(COUNTED)
        past = range(NOW_MS - 2 * DAY_MS, NOW_MS)
        drawn = [
            {
                VIEWED: sorted(draw.sample(past, draw.randrange(12))),
                ORDERED: sorted(draw.sample(past, draw.choice([0, 0, 1]))),
            }
            for _ in range(USERS)
        ]
        return Facts(n // USERS, [known(program, {"user": {}}, instants) for instants in drawn])

    def reference(self, load: Facts) -> Run:
        """The lambda, on sorted lists of instants."""
        low_ms = NOW_MS - DAY_MS
        return ask(
            load,
            lambda one: (
                sum(at_ms > low_ms for at_ms in one.instants[VIEWED]) >= 3
                and not any(at_ms > low_ms for at_ms in one.instants[ORDERED])
            ),
        )

    def ours(self, load: Facts) -> Run:
        """The compiled condition."""
        return ask(load, compiled(COUNTED))


class Bisected(Counted):
    """The same over the lambda of somebody who thought of bisection."""

    name = "condition-bisected"
    title = "the same; over a lambda that bisects"
    limit = 8.0

    @override
    def reference(self, load: Facts) -> Run:
        """The lambda, on sorted lists of instants, with no sum over them."""
        low_ms = NOW_MS - DAY_MS
        return ask(
            load,
            lambda one: (
                len(one.instants[VIEWED]) - bisect_right(one.instants[VIEWED], low_ms) >= 3
                and not (one.instants[ORDERED] and one.instants[ORDERED][-1] > low_ms)
            ),
        )


class Long:
    """How the cost grows with what is known: a hundred times as many events."""

    name = "condition-1000-events"
    title = "count, did, since over 1,000 events of one name; over 10"
    n = 200_000
    n_small = 5_000
    limit = 2.0
    repetitions = 7

    def prepare(self, n: int) -> Facts:
        """One user with 10 events, one with 1,000; half of each in the last day."""
        program = cel.compile(LONG)
        users = [
            [NOW_MS - place * (2 * DAY_MS) // count for place in range(count, 0, -1)]
            for count in (10, 1_000)
        ]
        bound = {"user": {"list": [1, 2, 3]}}
        return Facts(n, [known(program, bound, {VIEWED: instants}) for instants in users])

    def reference(self, load: Facts) -> Run:
        """Of the user with 10."""
        return ask(Facts(load.rounds, load.known[:1]), compiled(LONG))

    def ours(self, load: Facts) -> Run:
        """Of the user with 1,000."""
        return ask(Facts(load.rounds, load.known[1:]), compiled(LONG))


SCENARIOS = (Plain(), Counted(), Bisected(), Long())
