"""The quarantine: what could not be taken, told to operators, and taken after what was mended.

What is taken goes from the quarantine in the commit that journals it: whatever happens in between,
it is there or it was taken, and never both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from engine.core.effects import QuarantineInput
from engine.core.intake.items import ItemInvalid
from engine.runtime.admin.quarantine import LISTED, LISTED_MAX, page
from engine.runtime.dedupe import hash_of
from engine.server import native, posthog, segment
from engine.server.admin.progress import tell_long
from engine.server.answers import Refusal, answer_json, in_one_line
from engine.server.forms import EVERYTHING, read_form
from engine.server.queries import whole_number_asked
from engine.store import Retried, holdings
from engine.store.batch import ALIAS, IDENTIFY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.core.effects import Effect
    from engine.core.inputs import FromClient, UserInput
    from engine.core.intake.tracking_plan import TrackingPlan
    from engine.runtime.starting import Fate
    from engine.server.admin.operating import House
    from engine.store.holdings import Item

AT_ONCE: Final = 64
"""Items that are submitted side by side, so that they share commits."""

NUMBER_MAX: Final = (1 << 63) - 1
"""What SQLite counts to."""

LEFT_TOLD_MAX: Final = 100
"""Items that stay of which an answer says why; it counts them all."""


class Left(msgspec.Struct, frozen=True):
    """An item that stays: where in it the fault is, and what."""

    number: int
    path: str
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of trying again.

    Attributes:
        asked: Items that were tried.
        taken: Those that were taken, and went from the quarantine.
        left: Why others stay, of up to `LEFT_TOLD_MAX`.
    """

    asked: int
    taken: int
    left: list[Left]


class RetryAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/quarantine/retry`: these, or all of a source, or all."""

    numbers: list[Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]] | None = None
    source: str | None = None
    all: bool = False


def quarantine_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def tell(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        limit = whole_number_asked(request, "limit", LISTED, 1, LISTED_MAX)
        after = whole_number_asked(request, "after", 0, 0, NUMBER_MAX)
        source = request.query.get("source")
        return answer_json(await page(house.store, source=source, limit=limit, after=after))

    async def retry(request: web.Request) -> web.StreamResponse:
        house = enter(request)
        asked = await read_form(request, RetryAsked, EVERYTHING)
        if sum((asked.numbers is not None, asked.source is not None, asked.all)) != 1:
            message = (
                'say which: {"numbers": […]}, {"source": "/v1/batch"} or {"all": true}, '
                "as no body does"
            )
            raise Refusal(400, "body.invalid", message)
        return await tell_long(request, lambda told: retry_items(house, asked, told))

    return {
        "/api/quarantine": {"GET": tell},
        "/api/quarantine/retry": {"POST": retry},
    }


def read_again(
    source: str, body: bytes, received_at_ms: int, plan: TrackingPlan | None = None
) -> list[FromClient]:
    """What an item of a source says, as it would be read now. Raises ItemInvalid. O(size)."""
    if source in posthog.ROUTES:
        return posthog.read_captured(body, received_at_ms, plan=plan)
    read = _read_again(source, body, received_at_ms)
    return [read if plan is None else plan.judge(read)]


def _read_again(source: str, body: bytes, received_at_ms: int) -> FromClient:
    if source in segment.ROUTES:
        kind = segment.ROUTES[source]
        return segment.read_call(body, received_at_ms=received_at_ms, kind=kind)
    kind = "score" if source == "/v1/scores" else ""
    return native.read_native(body, received_at_ms=received_at_ms, kind=kind)


async def retry_items(house: House, asked: RetryAsked, told: Callable[[int, int], None]) -> Outcome:
    """Read items again and take what can be; `told` is told (done, total). Raises Unavailable."""
    total = len(asked.numbers or ()) or house.store.quarantine.rows
    tried = taken = after = 0
    left: list[Left] = []
    numbers = None if asked.numbers is None else sorted(set(asked.numbers))
    while True:
        items = await holdings.quarantine(
            house.store, after=after, limit=AT_ONCE, source=asked.source, numbers=numbers
        )
        if not items:
            return Outcome(tried, taken, left)
        after = items[-1].number
        faults = await asyncio.gather(*(_take(house, item) for item in items))
        tried += len(items)
        stay = [fault for fault in faults if fault is not None]
        taken += len(items) - len(stay)
        left += stay[: LEFT_TOLD_MAX - len(left)]
        told(tried, max(total, tried))


async def _take(house: House, item: Item) -> Left | None:
    """Take an item, whole and in one commit; else why it stays.

    What its user's state refuses once more is there again, under a number of its own.
    """
    try:
        plan = house.tracking_plan()
        inputs = read_again(item.source, item.body, item.received_at_ms, plan)
    except ItemInvalid as fault:
        return Left(item.number, fault.path, in_one_line(fault))
    # It may be asked for twice at once (a button pressed twice), and is taken once all the same.
    # Its number alone would not do: another item has that once this one has gone.
    own = f"quarantine:{item.number}:{item.received_at_ms}:{hash_of(item.body):x}"
    is_known = item.source in {ALIAS, IDENTIFY}
    for place, one in enumerate(inputs):
        if is_known or not one.message_id:
            one.message_id = f"{own}:{place}"
    refused: list[QuarantineInput] = []

    def told(_happened: UserInput, _fate: Fate, effects: Sequence[Effect]) -> None:
        refused.extend(effect for effect in effects if type(effect) is QuarantineInput)

    await house.shell.submit(inputs, [Retried(item.number)], len(item.body), told)
    return Left(item.number, refused[0].path, refused[0].reason) if refused else None
