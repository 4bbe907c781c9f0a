"""Sockets: where an application listens, and how it stops."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from engine.errors import ServeError

if TYPE_CHECKING:
    from typing import Self

    from structlog.typing import FilteringBoundLogger

IDLE_S = 75.0
"""Longer than proxies keep an idle connection, so that it is they who close it."""

SHUTDOWN_WITHIN_S = 25.0
"""Longer than an answer may take to be durable."""

LINGER_S = 2.0
"""How long the rest of a refused body is read, so that its client sees the answer."""

BACKLOG = 1024


class Site:
    """One application on one address. Made by `listen`.

    Attributes:
        host: As it was asked for.
        port: Where it listens; a free one, where 0 was asked for.
    """

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._runner = runner

    @property
    def url(self) -> str:
        """Its address without a path, as `http://127.0.0.1:8080`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Take no connection more, let requests under way end, close. Idempotent."""
        await self._runner.cleanup()


async def listen(
    app: web.Application,
    host: str,
    port: int,
    *,
    log: FilteringBoundLogger | None = None,
    idle_s: float = IDLE_S,
) -> Site:
    """Serve an application.

    Args:
        app: Made for this loop, and served once.
        host: A name or address of this machine.
        port: 0 takes a free one.
        log: Where faults below the application go (what is no HTTP, say); by default the
            process's own log.
        idle_s: How long a connection may stay without a whole request head.

    Raises:
        ServeError: The address cannot be had (`serve.port` where another program has it).
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_make_logger(log or structlog.get_logger("hairspring")),
        auto_decompress=False,  # bodies are inflated within bounds by `read_body`
        keepalive_timeout=idle_s,
        lingering_time=LINGER_S,
        shutdown_timeout=SHUTDOWN_WITHIN_S,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=BACKLOG)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise _explain(error, host, port) from error
    return Site(runner, host, site.port)


def _explain(error: OSError, host: str, port: int) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            f"port {port} on {host} is in use",
            hint="end the program that has it, or choose another with --port",
            code="serve.port",
        )
    if error.errno == errno.EACCES:
        return ServeError(
            f"port {port} on {host} is not for this user",
            hint="choose one above 1023 with --port",
            code="serve.port",
        )
    return ServeError(
        f"cannot listen on {host}: {error.strerror or error}",
        hint="give an address of this machine with --host, as 127.0.0.1 or 0.0.0.0",
        code="serve.host",
    )


class _Faults(logging.Handler):
    """What aiohttp reports, without the peer's address and the bytes that it sent."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # Whoever scans ports sends it: noise on the open internet.
            self._log.debug("http.malformed", error=type(error).__name__)
        else:
            self._log.error("http.broken", exc_info=error)


def _make_logger(log: FilteringBoundLogger) -> logging.Logger:
    logger = logging.Logger("hairspring.http", logging.DEBUG)  # noqa: LOG001 - one a site
    logger.addHandler(_Faults(log))
    return logger
