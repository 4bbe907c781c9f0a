"""A step of the core beside a hand-written loop for the same two rules.

From a line of JSON to records: decode, refuse what was taken already, apply, fire what is due.
Neither side writes anything down: a journal and saved users are what `ingest` measures.

The reference is what one would write for a shop with exactly these two rules, tuned as far as it
stays readable: typed decoding of the one property it needs, a set, a dict of carts, a heap with
lazy deletion, a Struct a record; no ids, no snapshot of what a template may name, no guardrails,
nothing that another rule would need.
"""

from __future__ import annotations

import random
from collections import Counter
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

import msgspec

from bench.harness import Laps, Run
from engine.core import cel
from engine.core.inputs import EventReceived
from engine.core.plan import Campaign, Entry, Plan
from engine.core.steps.kinds import Send, Wait
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from engine.sim.simulate import BATCH_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.effects import Record

START_AT_MS = 1_760_000_000_000
DAY_MS = 86_400_000
SPAN_MS = 5 * 3_600_000
CART_WAIT_MS = 1_800_000
EVENTS_PER_USER = 10
DUPLICATES_SHARE = 0.01
NAMES = {"Page Viewed": 40, "Product Viewed": 42, "Product Added": 12, "Order Completed": 6}
"""What happens in a shop, in percent."""

CART, BROWSE = "cart-abandonment", "browse-luxury"
CART_MIN, BROWSE_MIN = 20.0, 150.0
CHANNEL = "in_app"

Lines: TypeAlias = list[bytes]


class Happened(msgspec.Struct, gc=False):
    """A record as the reference makes it: the fields that tell something here."""

    at_ms: int
    user_id: str
    campaign: str
    kind: str
    step: str = ""
    channel: str = ""
    template: str = ""


class _Properties(msgspec.Struct, gc=False):
    price: float = 0.0


class _Event(msgspec.Struct, gc=False):
    user_id: str
    name: str
    occurred_at_ms: int
    message_id: str
    properties: _Properties


class Step:
    """The cart rule and a rule of one event, eight other campaigns loaded."""

    name = "step"
    title = "decode, dedupe, step, timers, records; over a hand-written loop for the same two rules"
    n = 200_000
    n_small = 20_000
    limit = 5.0
    repetitions = 9

    def prepare(self, n: int) -> Lines:
        """Draw `n` events in the journal's form, in order of time, some of them sent twice.

        Prices are log-normal, as prices are: three of four products are worth the cart rule, one
        of seventeen the other.
        """
        draw = random.Random(n)
        names, weights = list(NAMES), list(NAMES.values())
        users = n // EVENTS_PER_USER
        lines: Lines = []
        for number in range(n):
            if lines and draw.random() < DUPLICATES_SHARE:
                lines.append(draw.choice(lines[-1_000:]))
                continue
            at_ms = START_AT_MS + number * SPAN_MS // n
            name = draw.choices(names, weights)[0]
            event = EventReceived(
                user_id=f"user-{draw.randrange(users)}",
                name=name,
                occurred_at_ms=at_ms,
                received_at_ms=at_ms,
                properties=msgspec.Raw(msgspec.json.encode(_properties(draw))),
                message_id=f"{draw.getrandbits(128):032x}",
            )
            lines.append(msgspec.json.encode(event))
        return lines

    def reference(self, load: Lines) -> Run:
        """Go through the lines by hand."""
        laps = Laps()
        with laps.running():
            happened = _by_hand(load)
        return Run(laps.seconds, _sum_up(happened))

    def ours(self, load: Lines) -> Run:
        """Hand the lines to a processor that keeps nothing."""
        dedupe = Dedupe(DAY_MS, 5_000_000)
        processor = Processor(plan(), now_ms=START_AT_MS, dedupe=dedupe, keeps=False)
        laps = Laps()
        with laps.running():
            happened = through(processor, load)
        return Run(laps.seconds, _sum_up(happened))


def _properties(draw: random.Random) -> dict[str, str | float]:
    number = draw.randrange(500)
    return {
        "product_id": f"p-{number}",
        "price": round(draw.lognormvariate(3.6, 0.9), 2),
        "currency": "EUR",
        "category": "shoes",
        "url": f"https://shop.example/p/{number}",
    }


def plan() -> Plan:
    """The ten campaigns."""
    cart = Campaign(
        CART,
        Entry(("Product Added",), when=cel.compile(f"event.price > {CART_MIN}")),
        (Wait("wait", CART_WAIT_MS, 1), Send("nudge", (CHANNEL,), "cart")),
        ("wait", "nudge"),
        exit_events=("Order Completed",),
    )
    browse = Campaign(
        BROWSE,
        Entry(("Product Viewed",), when=cel.compile(f"event.price > {BROWSE_MIN}")),
        (Send("show", (CHANNEL,), "luxury"),),
        ("show",),
    )
    others = [
        Campaign(
            f"other-{number}",
            Entry((f"Other {number}",), when=cel.compile(f"event.rank > {number}")),
            (Wait("wait", DAY_MS, 1), Send("tell", (CHANNEL,), "other")),
            ("wait", "tell"),
        )
        for number in range(8)
    ]
    return Plan("bench", [cart, browse, *others])


def through(processor: Processor, lines: Lines) -> list[Record]:
    """Decode and take all of them, and what is due until a day after; every record."""
    decode = msgspec.json.Decoder(EventReceived).decode
    take = processor.take
    happened: list[Record] = []
    for start in range(0, len(lines), BATCH_MAX):
        for line in lines[start : start + BATCH_MAX]:
            event = decode(line)
            now_ms = event.received_at_ms
            if processor.wake_at_ms <= now_ms:
                processor.advance(now_ms)
            take(event, now_ms)
        happened += _released(processor)
    processor.advance(START_AT_MS + SPAN_MS + DAY_MS)
    happened += _released(processor)
    return happened


def _released(processor: Processor) -> list[Record]:
    batch = processor.begin(processor.now_ms)
    return processor.finish(batch).records if batch is not None else []


def _by_hand(lines: Lines) -> list[Happened]:  # noqa: C901 - one loop is what it is measured for
    decode = msgspec.json.Decoder(_Event).decode
    known: set[str] = set()
    carts: dict[str, int] = {}
    waiting: list[tuple[int, str]] = []
    happened: list[Happened] = []
    add = happened.append

    def nudge(now_ms: int) -> None:
        while waiting and waiting[0][0] <= now_ms:
            due_at_ms, user_id = heappop(waiting)
            if carts.get(user_id) == due_at_ms:
                del carts[user_id]
                add(Happened(due_at_ms, user_id, CART, "sent", "nudge", CHANNEL, "cart"))
                add(Happened(due_at_ms, user_id, CART, "finished"))

    for line in lines:
        event = decode(line)
        now_ms = event.occurred_at_ms
        if waiting and waiting[0][0] <= now_ms:
            nudge(now_ms)
        message_id = event.message_id
        if message_id in known:
            continue
        known.add(message_id)
        name, user_id = event.name, event.user_id
        if name == "Product Viewed":
            if event.properties.price > BROWSE_MIN:
                add(Happened(now_ms, user_id, BROWSE, "entered"))
                add(Happened(now_ms, user_id, BROWSE, "sent", "show", CHANNEL, "luxury"))
                add(Happened(now_ms, user_id, BROWSE, "finished"))
        elif name == "Product Added":
            if event.properties.price > CART_MIN:
                if user_id in carts:
                    add(Happened(now_ms, user_id, CART, "refused"))
                else:
                    carts[user_id] = due_at_ms = now_ms + CART_WAIT_MS
                    heappush(waiting, (due_at_ms, user_id))
                    add(Happened(now_ms, user_id, CART, "entered"))
        elif name == "Order Completed" and carts.pop(user_id, 0):
            add(Happened(now_ms, user_id, CART, "exited"))
    nudge(START_AT_MS + SPAN_MS + DAY_MS)
    return happened


def _sum_up(happened: Iterable[Record | Happened]) -> tuple[dict[tuple[str, str], int], int]:
    """How often what happened, and a sum over the single records that asks for no order."""
    counts = Counter((each.campaign, each.kind) for each in happened)
    told = (
        f"{each.at_ms} {each.user_id} {each.campaign} {each.kind} "
        f"{each.step} {each.channel} {each.template}"
        for each in happened
    )
    return dict(counts), sum(crc32(text.encode()) for text in told)


SCENARIOS = (Step(),)
