"""The outermost layer of every request: its id, its one log line, and errors as answers.

It wraps each handler where the routes are made, and there is one for every path: aiohttp's own
middlewares would cost a small request as much again.

A request that was answered as asked is logged at debug level: a line costs about a tenth of a small
request. What was refused is logged at info, what failed here at warning. Nothing of a body, no
address and no path that somebody typed is logged.
"""

from __future__ import annotations

import logging
import re
from itertools import count
from typing import TYPE_CHECKING, Final

from aiohttp import web

from engine.runtime.clock import monotonic_ns
from engine.runtime.shell import Unavailable
from engine.server.answers import RETRY_AFTER_S, Refusal, failure, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler
    from structlog.typing import FilteringBoundLogger

REQUEST_ID: Final = "X-Request-Id"
SDK_PREFIX: Final = "/v1/"
"""Below it, errors have the form that stock tracking SDKs read."""

TAKEN: Final = web.RequestKey("taken", tuple)
"""How many items of a request were accepted, and how many rejected."""

UNKNOWN: Final = "unknown"
"""The route of a path that has none, in the log."""

_ERROR_MIN = 400
_FAILED_MIN = 500
_OWN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class Edge:
    """Makes the routes of an application, each inside this layer.

    Args:
        log: Where the lines go; its level is asked once.
        instance: Begins the ids of requests that bring none; different in each run.
    """

    def __init__(self, log: FilteringBoundLogger, instance: str) -> None:
        self._log = log
        self._instance = instance
        self._serial = count(1)
        self._verbose = log.is_enabled_for(logging.DEBUG)

    def add_routes(
        self, app: web.Application, method: str, handlers: Mapping[str, Handler]
    ) -> None:
        """Route (path to handler) one method; all others are answered 405. GET brings HEAD."""
        allowed = "GET, HEAD" if method == "GET" else method

        async def not_this_method(request: web.Request) -> web.StreamResponse:
            raise Refusal(
                405,
                "http.method_not_allowed",
                f"{request.method} is not for this route; {allowed} is",
                headers={"Allow": allowed},
            )

        for path, handler in handlers.items():
            resource = app.router.add_resource(path)
            wrapped = self.wrap(handler, path)
            for name in allowed.split(", "):
                resource.add_route(name, wrapped)
            resource.add_route("*", self.wrap(not_this_method, path))

    def close(self, app: web.Application) -> None:
        """Answer 404 to every path that has no route; called after the last `add_routes`."""

        async def nothing_here(_: web.Request) -> web.StreamResponse:
            raise Refusal(404, "http.not_found", "there is no such route")

        app.router.add_route("*", "/{path:.*}", self.wrap(nothing_here, UNKNOWN))

    def wrap(self, handler: Handler, route: str) -> Handler:
        """The handler, inside this layer."""
        log, instance, serial, verbose = self._log, self._instance, self._serial, self._verbose

        async def handle(request: web.Request) -> web.StreamResponse:
            started_ns = monotonic_ns()
            request_id = request.headers.get(REQUEST_ID)
            if request_id is None or not _OWN_ID.fullmatch(request_id):
                request_id = f"{instance}-{next(serial):x}"
            try:
                answer = await handler(request)
            except Refusal as refusal:
                answer = _answer(request, refusal)
            except Unavailable as error:
                answer = _answer(request, _later(error))
            except ConnectionError:
                raise  # the client is gone; there is nobody to answer
            except Exception:
                # Whatever broke, this client hears of it and the others go on.
                log.exception("request.broken", route=route, request_id=request_id)
                message = "this request met a fault of the server; it is logged"
                answer = _answer(request, Refusal(500, "broken", message))
            answer.headers[REQUEST_ID] = request_id
            if verbose or answer.status >= _ERROR_MIN:
                _say(log, request, route, answer, request_id, started_ns)
            return answer

        return handle


def _say(
    log: FilteringBoundLogger,
    request: web.Request,
    route: str,
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
        route=route,
        status=answer.status,
        accepted=accepted,
        rejected=rejected,
        ms=round((monotonic_ns() - started_ns) / 1_000_000, 3),
        request_id=request_id,
    )


def _answer(request: web.Request, refusal: Refusal) -> web.Response:
    return (failure if request.path.startswith(SDK_PREFIX) else problem)(refusal)


def _later(error: Unavailable) -> Refusal:
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    return Refusal(503, error.code, message, headers={"Retry-After": str(RETRY_AFTER_S)})
