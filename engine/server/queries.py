"""What the query of a request says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.core.instants import parse_instant_ms
from engine.server.answers import Refusal

if TYPE_CHECKING:
    from aiohttp import web

_WHOLE = re.compile(r"[0-9]{1,19}", re.ASCII)


def whole_number_asked(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    """The whole number that a query names, from `least` to `most`, else the default.

    Raises Refusal.
    """
    said = request.query.get(name)
    if said is None:
        return default
    if not (_WHOLE.fullmatch(said) and least <= int(said) <= most):
        message = f"{name} is a whole number from {least} to {most}"
        raise Refusal(400, "query.invalid", message)
    return int(said)


def instant_asked(request: web.Request, name: str) -> int | None:
    """The instant that a query names, None where it names none. Raises Refusal."""
    said = request.query.get(name)
    if said is None:
        return None
    try:
        return parse_instant_ms(said)
    except ValueError as error:
        raise Refusal(400, "query.invalid", f"{name}: {error}") from error
