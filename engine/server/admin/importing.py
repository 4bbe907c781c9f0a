"""`POST /api/import`: history into the state of the running process, a piece at a time.

The body is lines of history as they are journaled (`engine/sim/history.py` makes them of recorded
events). It goes the way of any other input, through the same inbox and in the same slices, so that
no deadline is late for it; the answer is that it is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.core.inputs import Imported
from engine.server.answers import Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.server.admin.operating import House

PIECE_BYTES_MAX = 4 << 20
"""A larger body is refused: the client cuts history into pieces far smaller than this."""

_decode = msgspec.json.Decoder(Imported).decode_lines


class Taken(msgspec.Struct, frozen=True):
    """What became of a piece of history: taken now, or known already by its message id."""

    taken: int
    known: int


def import_handler(enter: Callable[[web.Request], House]) -> Handler:
    """The handler; `enter` lets in whoever has a key."""

    async def take(request: web.Request) -> web.Response:
        house = enter(request)
        body = await request.read()
        try:
            history = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(400, "history.invalid", f"this is no history: {error}") from error
        known = house.processor.dedupe
        fresh = history if known is None else known.fresh(history)
        # Also where nothing is left: what is known may not be durable yet.
        await house.shell.submit(fresh, size_bytes=len(body))
        return answer_json(Taken(len(fresh), len(history) - len(fresh)))

    return take
