"""What operators and providers ask for, as the body of a request says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from engine.server.answers import Refusal
from engine.server.bodies import Limits, read_body

if TYPE_CHECKING:
    from aiohttp import web

_T = TypeVar("_T")

FIELDS_MAX: Final = 200
"""Of a form as browsers send it."""

FORM_LIMITS: Final = Limits(body_max_bytes=64 << 10)


EVERYTHING: Final = b'{"all":true}'
"""What a request without a body asks for, where it says which are meant."""


async def read_form(request: web.Request, form: type[_T], absent: bytes = b"{}") -> _T:
    """The JSON body of a request as a `form`; none stands for `absent`. Raises Refusal (400)."""
    return decode_form(await request.read() or absent, form)


def decode_form(body: bytes, form: type[_T]) -> _T:
    """A JSON text as a `form`. Raises Refusal (400)."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "body.invalid", str(error)) from error


async def read_fields(request: web.Request) -> list[tuple[str, str]]:
    """The fields of an `x-www-form-urlencoded` body, in order. Raises Refusal as `read_body`."""
    body = await read_body(request, FORM_LIMITS)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise Refusal(400, "body.malformed", "the body is no form") from error
