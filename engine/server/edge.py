"""The outermost layer of every request: its id, its one log line, and errors as answers.

A request that was answered as asked is logged at debug level: a line costs about a tenth of a small
request. What was refused is logged at info, what failed here at error. Nothing of a body and no
address is logged.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Final

from aiohttp import web

from engine.runtime.clock import monotonic_ns
from engine.runtime.shell import Unavailable
from engine.server.answers import RETRY_AFTER_S, Refusal, failure, problem

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware
    from structlog.typing import FilteringBoundLogger

REQUEST_ID: Final = "X-Request-Id"
SDK_PREFIX: Final = "/v1/"
"""Below it, errors have the form that stock tracking SDKs read."""

TAKEN: Final = web.RequestKey("taken", tuple)
"""How many items of a request were accepted, and how many rejected."""

_ERROR_MIN = 400
_FAILED_MIN = 500
_OWN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def make_edge(log: FilteringBoundLogger, instance: str) -> Middleware:
    """The middleware.

    Args:
        log: Where the line goes; its level is asked once.
        instance: Begins the ids of requests that bring none; different in each run.
    """
    serial = count(1)
    verbose = log.is_enabled_for(logging.DEBUG)

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_ns = monotonic_ns()
        request_id = request.headers.get(REQUEST_ID)
        if request_id is None or not _OWN_ID.fullmatch(request_id):
            request_id = f"{instance}-{next(serial):x}"
        try:
            answer = await handler(request)
        except (web.HTTPException, Refusal, Unavailable) as error:
            answer = _answer(request, _refusal(error))
        except ConnectionError:
            raise  # the client is gone; there is nobody to answer
        except Exception:
            # Whatever broke, this client hears of it and the others go on.
            log.exception("request.broken", route=_route(request), request_id=request_id)
            broken = Refusal(500, "broken", "this request met a fault of the server; it is logged")
            answer = _answer(request, broken)
        answer.headers[REQUEST_ID] = request_id
        if verbose or answer.status >= _ERROR_MIN:
            _say(log, request, answer, request_id, started_ns)
        return answer

    return edge


def _say(
    log: FilteringBoundLogger,
    request: web.Request,
    answer: web.StreamResponse,
    request_id: str,
    started_ns: int,
) -> None:
    if answer.status < _ERROR_MIN:
        say = log.debug
    elif answer.status < _FAILED_MIN:
        say = log.info
    else:
        say = log.warning
    accepted, rejected = request.get(TAKEN, (0, 0))
    say(
        "request",
        method=request.method,
        route=_route(request),
        status=answer.status,
        accepted=accepted,
        rejected=rejected,
        ms=round((monotonic_ns() - started_ns) / 1_000_000, 3),
        request_id=request_id,
    )


def _route(request: web.Request) -> str:
    """The route's own pattern: a path may hold what somebody typed."""
    resource = request.match_info.route.resource
    return "unknown" if resource is None else resource.canonical


def _answer(request: web.Request, refusal: Refusal) -> web.Response:
    return (failure if request.path.startswith(SDK_PREFIX) else problem)(refusal)


def _refusal(error: web.HTTPException | Refusal | Unavailable) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Unavailable):
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        later = {"Retry-After": str(RETRY_AFTER_S)}
        return Refusal(503, error.code, message, headers=later)
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    status = HTTPStatus(error.status)
    code = "http." + status.name.lower()
    message = status.description or status.phrase
    if isinstance(error, web.HTTPMethodNotAllowed):
        message = f"{error.method} is not for this route; {headers['Allow']} is"
    elif isinstance(error, web.HTTPNotFound):
        message = "there is no such route"
    return Refusal(error.status, code, message, headers=headers)
