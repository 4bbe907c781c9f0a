"""What the server says: problem details (RFC 9457), and the form that stock tracking SDKs read."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

ERRORS_MAX = 100
"""Faults that one answer lists; the quarantine has all of them."""

RETRY_AFTER_S = 1
"""What a 503 asks a client to wait; stock SDKs add their own growing delay."""

_encode = msgspec.json.Encoder().encode
_SUCCESS = _encode({"success": True})


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One thing that is wrong with a body: where (`$.batch[3].timestamp`), and what."""

    path: str
    message: str


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """An item that was not taken: its place in the body from 0, where in it the fault is, what."""

    index: int
    path: str
    message: str


class Refusal(HairspringError):  # noqa: N818 - an answer more than an error
    """A request that is answered with an error.

    Attributes:
        status: HTTP status, 400 or more.
        faults: What is wrong with the body.
        headers: Further headers of the answer.
        more: Further members of the answer's body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        # Of a body as a whole, the fault is at its root: whoever reads `errors` alone learns of it.
        self.faults = faults or ([Fault("$", message)] if code.startswith("body.") else ())
        self.headers = headers
        self.more = more


def in_one_line(error: HairspringError) -> str:
    """What failed and what to do about it, as an answer has it."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def success() -> web.Response:
    """The one answer that every stock SDK takes for a yes."""
    return web.Response(body=_SUCCESS, headers={"Content-Type": JSON})


def answer_json(value: object) -> web.Response:
    """200 with a JSON body."""
    return web.Response(body=_encode(value), headers={"Content-Type": JSON})


def failure(refusal: Refusal) -> web.Response:
    """A refusal as tracking SDKs read it: `code` and `message` stop Rudder's from sending again."""
    faults = refusal.faults[:ERRORS_MAX]
    body = {
        "success": False,
        "code": refusal.code,
        "message": refusal.message,
        "detail": "; ".join(f"{fault.path}: {fault.message}" for fault in faults[:3]),
        "errors": faults,
    }
    return _refused(refusal, body, JSON)


def problem(refusal: Refusal) -> web.Response:
    """A refusal as problem details; `code` is stable and safe to match on (RFC 9457, 3.2)."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.message,
    }
    if refusal.faults:
        body["errors"] = refusal.faults[:ERRORS_MAX]
    if refusal.more is not None:
        body.update(refusal.more)
    return _refused(refusal, body, PROBLEM_JSON)


def _refused(refusal: Refusal, body: object, content_type: str) -> web.Response:
    headers = {"Content-Type": content_type}
    if refusal.headers is not None:
        headers.update(refusal.headers)
    return web.Response(status=refusal.status, body=_encode(body), headers=headers)
