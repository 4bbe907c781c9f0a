"""The outermost layer of every request: its id, its one log line, and errors as answers.

It stands around the whole application, so that whatever aiohttp refuses by itself (a path that is
none, an `Expect` that it does not know) leaves as ours does; what is no HTTP at all comes here from
`connections`. aiohttp's own middlewares would cost a small request as much again.

A request that was answered as asked is logged at debug level: a line costs about a tenth of a small
request. What was refused is logged at info, what failed here at warning; what came too fast is
counted instead, or a flood of requests would be one of lines. Nothing of a body, no address and no
path that somebody typed is logged.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError, LineTooLong

from engine.runtime.clock import monotonic_ns
from engine.runtime.inbox import Unavailable
from engine.server.answers import RETRY_AFTER_S, Refusal, failure, in_one_line, problem
from engine.server.hardening import harden
from engine.server.origins import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping

    from aiohttp.typedefs import Handler
    from structlog.typing import FilteringBoundLogger

    from engine.server.origins import Origins

REQUEST_ID: Final = "X-Request-Id"
SERVER: Final = "hairspring"
"""What answers say of the server: no version, which would tell whom to attack."""

SDK_PREFIXES: Final = ("/v1/", "/batch")
"""Below them, errors have the form that stock tracking SDKs read."""

PROGRAMS_PREFIX: Final = "/api/"
"""Below it, errors are for programs, whatever a client would rather have."""

TAKEN: Final = web.RequestKey("taken", tuple)
"""How many items of a request were accepted, and how many rejected."""

_GIVEN_ID: Final = web.RequestKey("given_id", str)

UNKNOWN: Final = "unknown"
"""The route of a path that has none, in the log."""

_ERROR_MIN = 400
_TOO_MANY = 429
_FAILED_MIN = 500
_OWN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_CODES: Final = {404: "http.not_found", 413: "body.too_large", 417: "http.expectation"}
"""Of what aiohttp refuses before a handler is asked."""


class Edge:
    """Makes the routes of an application, and stands around it.

    Args:
        log: Where the lines go; its level is asked once.
        instance: Begins the ids of requests that bring none; different in each run.
        origins: Whose web pages may send requests and read answers; None: nobody's.
        page: Makes a refusal a page, for who looks with a browser; None: nobody does.
    """

    def __init__(
        self,
        log: FilteringBoundLogger,
        instance: str,
        origins: Origins | None = None,
        page: Callable[[Refusal], web.Response] | None = None,
    ) -> None:
        self._log = log
        self._origins = origins
        self._page = page
        self._instance = instance
        self._serial = count(1)
        self._verbose = log.is_enabled_for(logging.DEBUG)

    def add_routes(
        self,
        app: web.Application,
        method: str,
        handlers: Mapping[str, Handler],
        *,
        of_pages: bool = False,
    ) -> None:
        """Route (path to handler) one method, as `add_resource` does."""
        for path, handler in handlers.items():
            self.add_resource(app, path, {method: handler}, of_pages=of_pages)

    def add_resource(
        self,
        app: web.Application,
        path: str,
        handlers: Mapping[str, Handler],
        *,
        of_pages: bool = False,
    ) -> None:
        """Route the methods of one path; all others are answered 405. GET brings HEAD.

        With `of_pages`, web pages of other origins may ask for it, and are told so (OPTIONS).
        """
        methods = dict(handlers)
        if "GET" in methods:
            methods["HEAD"] = methods["GET"]
        origins = self._origins if of_pages else None
        if origins is not None:
            methods["OPTIONS"] = _questions(origins, ", ".join(methods))
        allowed = ", ".join(methods)

        async def not_this_method(request: web.Request) -> web.StreamResponse:
            raise Refusal(
                405,
                "http.method_not_allowed",
                f"{request.method} is not for this route; {allowed} is",
                headers={"Allow": allowed},
            )

        resource = app.router.add_resource(path)
        for method, handler in methods.items():
            resource.add_route(method, handler)
        resource.add_route("*", not_this_method)

    def close(self, app: web.Application) -> None:
        """Answer 404 to every path that has no route; called after the last `add_routes`."""

        async def nothing_here(_: web.Request) -> web.StreamResponse:
            raise Refusal(404, "http.not_found", "there is no such route")

        app.router.add_resource("/{path:.*}", name=UNKNOWN).add_route("*", nothing_here)
        app[EDGE] = self

    def around(
        self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The application's handler, inside this layer."""
        log, verbose, origins = self._log, self._verbose, self._origins

        async def handled(request: web.Request) -> web.StreamResponse:
            started_ns = monotonic_ns()
            request_id = request.headers.get(REQUEST_ID)
            if request_id is None or not _OWN_ID.fullmatch(request_id):
                request_id = self._next_id()
            request[_GIVEN_ID] = request_id
            try:
                answer = await handle(request)
            except Refusal as refusal:
                answer = self._answer(request, refusal)
            except Unavailable as error:
                answer = self._answer(request, _later(error))
            except (web.HTTPException, web.RequestPayloadError) as error:
                answer = self._answer(request, _as_refusal(error))
            except ConnectionError:
                raise  # the client is gone; there is nobody to answer
            except Exception:
                # Whatever broke, this client hears of it and the others go on.
                log.exception("request.broken", route=_route(request), request_id=request_id)
                answer = self._answer(request, _BROKEN)
            headers = answer.headers
            headers[REQUEST_ID] = request_id
            headers["Server"] = SERVER
            harden(headers)
            if origins is not None and (origin := request.headers.get(ORIGIN)) is not None:
                origins.mark(headers, origin)
            if verbose or answer.status >= _ERROR_MIN:
                _say(log, request, answer, request_id, started_ns)
            return answer

        return handled

    def mark_origin(self, request: web.Request, headers: MutableMapping[str, str]) -> None:
        """Let a page read an answer that begins before its handler ends."""
        origin = request.headers.get(ORIGIN)
        if self._origins is not None and origin is not None:
            self._origins.mark(headers, origin)

    def refuse_malformed(self, error: HttpProcessingError) -> Refusal:
        """What is said to bytes that are no HTTP."""
        refusal = _malformed(error)
        # Whoever scans ports sends it: noise on the open internet.
        self._log.debug("http.malformed", status=refusal.status, error=type(error).__name__)
        return refusal

    def answer_unhandled(self, error: BaseException | None) -> web.Response:
        """The answer to a fault below the handlers."""
        self._log.error("http.broken", exc_info=error)
        answer = problem(_BROKEN)
        answer.headers[REQUEST_ID] = self._next_id()
        answer.headers["Server"] = SERVER
        harden(answer.headers)
        answer.force_close()
        return answer

    def answer_raw(self, refusal: Refusal) -> bytes:
        """A refusal as it goes over the wire where no request was read."""
        answer = problem(refusal)
        body = answer.body
        assert isinstance(body, bytes)
        headers = {
            **answer.headers,
            REQUEST_ID: self._next_id(),
            "Server": SERVER,
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        harden(headers)
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join((*lines, "", "")).encode() + body

    def _answer(self, request: web.Request, refusal: Refusal) -> web.Response:
        if request.path.startswith(SDK_PREFIXES):
            return failure(refusal)
        is_looking = "text/html" in request.headers.get("Accept", "")
        if self._page is None or not is_looking or request.path.startswith(PROGRAMS_PREFIX):
            return problem(refusal)
        return self._page(refusal)

    def _next_id(self) -> str:
        return f"{self._instance}-{next(self._serial):x}"


EDGE: Final = web.AppKey("edge", Edge)
"""Where an application keeps the layer that its routes were made by."""


async def begin_answer(
    request: web.Request, content_type: str, more: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """An answer whose head goes out before its end is known; it bears what all others do."""
    headers = {"Content-Type": content_type, REQUEST_ID: request[_GIVEN_ID], "Server": SERVER}
    headers.update(more or {})
    harden(headers)
    if (edge := request.app.get(EDGE)) is not None:
        edge.mark_origin(request, headers)
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    return answer


_BROKEN: Final = Refusal(500, "broken", "this request met a fault of the server; it is logged")


def _questions(origins: Origins, methods: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return origins.answer_question(request, methods)

    return answer


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return UNKNOWN if resource is None or resource.name == UNKNOWN else resource.canonical


def _say(
    log: FilteringBoundLogger,
    request: web.Request,
    answer: web.StreamResponse,
    request_id: str,
    started_ns: int,
) -> None:
    if answer.status < _ERROR_MIN or answer.status == _TOO_MANY:
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


def _later(error: Unavailable) -> Refusal:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Refusal(503, error.code, in_one_line(error), headers=headers)


def _as_refusal(error: web.HTTPException | web.RequestPayloadError) -> Refusal:
    if isinstance(error, web.RequestPayloadError):
        return Refusal(400, "body.cut", "the body is not what its headers announce")
    code = _CODES.get(error.status, "http.refused")
    return Refusal(error.status, code, HTTPStatus(error.status).description or error.reason)


def _malformed(error: HttpProcessingError) -> Refusal:
    match error:
        case LineTooLong():
            message = "the request line or a header is too long"
            return Refusal(431, "http.head_too_large", message)
        case BadHttpMethod():
            message = "this is no HTTP/1.1 request, or its method is not known"
        case _:
            message = "the head of the request is no HTTP/1.1, or has too many headers"
    return Refusal(400, "http.malformed", message)
