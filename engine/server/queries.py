"""What the query of a request says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.core.instants import parse_instant_ms
from engine.server.answers import Refusal

if TYPE_CHECKING:
    from aiohttp import web


def instant_asked(request: web.Request, name: str) -> int | None:
    """The instant that a query names, None where it names none. Raises Refusal."""
    said = request.query.get(name)
    if said is None:
        return None
    try:
        return parse_instant_ms(said)
    except ValueError as error:
        raise Refusal(400, "query.invalid", f"{name}: {error}") from error
