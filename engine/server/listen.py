"""Sockets: where an application listens, and how it stops."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web
from typing_extensions import override

from engine.errors import ServeError
from engine.server.connection import Connection
from engine.server.connections import CONNECTIONS_MAX, Connections
from engine.server.edge import EDGE, Edge
from engine.server.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from structlog.typing import FilteringBoundLogger

DRAIN_S = 10.0
"""How long requests under way may take to end once a site closes."""

CUT_S = 0.5
"""How long handlers may take to end whose connections were cut."""

LINGER_S = 2.0
"""How long the rest of a refused body is read, so that its client sees the answer."""

BACKLOG = 1024
"""Connections that the system keeps while the loop is at other work."""

_ACCEPTS_AT_ONCE = 32
"""Connections that one turn of the loop takes: deadlines wait for a turn."""

_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""An address that a name has and this machine does not, as `localhost` in IPv6 often is."""


class Bound:
    """An address of this machine that is ours, and where nobody is served yet. Made by `bind`.

    Attributes:
        host: As it was asked for.
        port: A free one, where 0 was asked for.
    """

    def __init__(self, host: str, port: int, sockets: list[socket.socket]) -> None:
        self.host = host
        self.port = port
        self.sockets = sockets

    def close(self) -> None:
        """Give it back. Idempotent."""
        for bound in self.sockets:
            bound.close()


class Site:
    """One application on one address. Made by `serve` or `listen`.

    Attributes:
        host: As it was asked for.
        port: Where it listens; a free one, where 0 was asked for.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        bound: Bound,
        servers: Sequence[asyncio.Server],
        connections: Connections,
    ) -> None:
        self.host = bound.host
        self.port = bound.port
        self._runner = runner
        self._servers = servers
        self._connections = connections

    @property
    def url(self) -> str:
        """Its address without a path, as `http://127.0.0.1:8080`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._connections.open)

    @property
    def turned_away(self) -> int:
        """Connections that were too many, since the start."""
        return self._connections.turned_away

    @property
    def cut(self) -> int:
        """Connections that were too slow, since the start."""
        return self._connections.cut

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self, within_s: float = DRAIN_S) -> None:
        """Take no connection more, let requests under way end, close. Idempotent.

        What has not ended after `within_s` seconds is cut.
        """
        for server in self._servers:
            server.close()
        await self._connections.drain(within_s)
        await self._runner.cleanup()
        self._connections.aclose()


async def bind(
    host: str,
    port: int,
    *,
    name: str = "port",
    port_option: str = "--port",
    host_option: str = "--host",
) -> Bound:
    """Take an address; clients are refused until `serve`.

    Args:
        host: A name or address of this machine. A name may stand for several addresses.
        port: 0 takes a free one.
        name: What the port is called in an error.
        port_option: Where another port can be chosen.
        host_option: Where another address can be chosen.

    Raises:
        ServeError: The address cannot be had (`serve.port` where another program has it).
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        sockets = _bind_all([(one[0], one[4]) for one in found], port)
    except OSError as error:
        address = f"{name} {port} on {host}"
        raise _explain(error, address, port_option, host_option) from error
    return Bound(host, sockets[0].getsockname()[1], sockets)


def _bind_all(found: Sequence[tuple[int, tuple[Any, ...]]], port: int) -> list[socket.socket]:
    """A socket for each address that this machine has; raises OSError where it has none."""
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, address in dict.fromkeys(found):
        try:
            own = _bind(family, (address[0], port, *address[2:]))
        except OSError as error:
            if error.errno not in _NOT_HERE:
                for other in bound:
                    other.close()
                raise
            missing = error
        else:
            bound.append(own)
            # All addresses of a name share one port, also where the system chose it.
            port = own.getsockname()[1]
    if not bound and missing is not None:
        raise missing
    return bound


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    own = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Else a restart would wait for the old connections to be forgotten.
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The address of a name alone, not the other protocol's too.
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind(address)
    except OSError:
        own.close()
        raise
    return own


async def serve(
    app: web.Application,
    bound: Bound,
    *,
    log: FilteringBoundLogger | None = None,
    connections_max: int = CONNECTIONS_MAX,
    patience: Patience | None = None,
) -> Site:
    """Serve an application.

    Args:
        app: Made for this loop, and served once.
        bound: Where; owned from here on.
        log: Where faults below the application go; by default the process's own log.
        connections_max: Connections that may be open; the next hear 503.
        patience: How long each of them may take.

    Raises:
        ServeError: Another program took the address just now.
    """
    patience = patience or Patience()
    log = log or structlog.get_logger("hairspring")
    edge = app.get(EDGE) or Edge(log, "")
    connections = Connections(edge, log, most=connections_max, patience=patience)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CUT_S)
    await runner.setup()
    server = runner.server
    assert server is not None
    # aiohttp declares it for requests of servers without an application.
    server.request_handler = cast("Any", edge.around(server.request_handler))
    make = partial(
        Connection,
        connections,
        server,
        loop=asyncio.get_running_loop(),
        access_log=None,
        logger=_make_logger(log),
        auto_decompress=False,  # bodies are inflated within bounds by `read_body`
        keepalive_timeout=patience.idle_s,
        lingering_time=LINGER_S,
    )
    try:
        servers = await _accept(bound, make)
    except OSError as error:
        await runner.cleanup()
        address = f"port {bound.port} on {bound.host}"
        raise _explain(error, address, "--port", "--host") from error
    return Site(runner, bound, servers, connections)


async def _accept(bound: Bound, make: Callable[[], Connection]) -> list[asyncio.Server]:
    """Listen and take connections; raises OSError with nothing left open."""
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    try:
        for own in bound.sockets:
            # asyncio's one number is both: how many a turn takes, and how many may wait for it.
            servers.append(await loop.create_server(make, sock=own, backlog=_ACCEPTS_AT_ONCE))
            own.listen(BACKLOG)
    except OSError:
        for server in servers:
            server.close()
        bound.close()
        raise
    return servers


async def listen(
    app: web.Application,
    host: str,
    port: int,
    *,
    log: FilteringBoundLogger | None = None,
    connections_max: int = CONNECTIONS_MAX,
    patience: Patience | None = None,
) -> Site:
    """`bind` and `serve` in one."""
    bound = await bind(host, port)
    return await serve(app, bound, log=log, connections_max=connections_max, patience=patience)


def _explain(error: OSError, address: str, port_option: str, host_option: str) -> ServeError:
    if error.errno == errno.EADDRINUSE:
        return ServeError(
            f"{address} is in use",
            hint=f"end the program that has it, or choose another with {port_option}",
            code="serve.port",
        )
    if error.errno == errno.EACCES:
        return ServeError(
            f"{address} is not for this user",
            hint=f"choose one above 1023 with {port_option}",
            code="serve.port",
        )
    return ServeError(
        f"cannot listen: {address}: {error.strerror or error}",
        hint=f"give an address of this machine with {host_option}, as 127.0.0.1 or 0.0.0.0",
        code="serve.host",
    )


class _Faults(logging.Handler):
    """What aiohttp reports, without the peer's address and the bytes that it sent."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._log.error("http.broken", exc_info=record.exc_info[1] if record.exc_info else None)


def _make_logger(log: FilteringBoundLogger) -> logging.Logger:
    logger = logging.Logger("hairspring.http", logging.DEBUG)  # noqa: LOG001 - one a site
    logger.addHandler(_Faults(log))
    return logger
