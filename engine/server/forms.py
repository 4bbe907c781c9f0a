"""What operators ask for, as the body of a request says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.server.answers import Refusal

if TYPE_CHECKING:
    from aiohttp import web

_T = TypeVar("_T")


async def read_form(request: web.Request, form: type[_T]) -> _T:
    """The body of a request as a `form`. Raises Refusal (400)."""
    try:
        return msgspec.json.decode(await request.read(), type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "body.invalid", str(error)) from error
