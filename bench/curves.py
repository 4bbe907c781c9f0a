"""`python -m bench.curves`: what each history function costs, by how many events it asks about.

A user with so many events of one name, all in the window. Each line is one question; a column is a
number of events, in microseconds and as a multiple of the first. Nothing is compared or limited:
`conditions` does that for those that must not depend on the number.
"""

from __future__ import annotations

import random
import time

import msgspec

from engine.core import cel, history
from engine.core.conditions.moment import Moment
from engine.core.conditions.needs import needs
from engine.core.plan import Plan
from engine.core.state import new_user

SIZES = (10, 100, 1_000)
ASKED_FOR_S = 0.05
REPETITIONS = 5
NOW_MS = 1_760_000_000_000
SPAN_MS = 86_000_000
QUESTIONS = (
    'count("Seen", "1d")',
    'did("Seen", "1d")',
    'since("Seen")',
    'last("Seen").price',
    'first("Seen").price',
    'sum("Seen", "price", "1d")',
    'avg("Seen", "price", "1d")',
    'min("Seen", "price", "1d")',
    'max("Seen", "price", "1d")',
    'distinct("Seen", "price", "1d")',
    'did("Seen", "1d", e, e.price > 10)',
    'did("Seen", "1d", e, e.price > 1000)',
    'count("Seen", "1d", e, e.price > 10)',
)


def asked_us(text: str, size: int) -> float:
    """The least time of one question among several rounds, in microseconds."""
    draw = random.Random(size)
    program, user = cel.compile(text), new_user("u")
    ((name, kept),) = needs([program]).items()
    for at_ms in sorted(NOW_MS - draw.randrange(SPAN_MS) for _ in range(size)):
        price = msgspec.json.encode({"price": draw.randrange(100)})
        history.insert(user, name, at_ms, kept, at_ms, price)
    plan = Plan("curves")
    best, times = float("inf"), 1
    for _ in range(REPETITIONS):
        spent = 0.0
        while spent < ASKED_FOR_S:
            began = time.perf_counter()
            for _ in range(times):
                program.evaluate({"@": Moment(user, NOW_MS, plan)})
            spent = time.perf_counter() - began
            best = min(best, spent / times)
            times *= 1 if spent >= ASKED_FOR_S else 2
    return best * 1e6


def main() -> None:
    """Print the table, a line as it comes."""
    print(f"{'us a question':<40}" + "".join(f"{size:>16,}" for size in SIZES))
    for text in QUESTIONS:
        took = [asked_us(text, size) for size in SIZES]
        cells = "".join(f"{us:>9.1f} {us / took[0]:>5.1f}x" for us in took)
        print(f"{text:<40}{cells}", flush=True)


if __name__ == "__main__":
    main()
