"""One open connection: what is read of it, and how it ends. All of a port's are `connections`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from engine.server.answers import Refusal
from engine.server.leaving import unbind

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp.streams import StreamReader
    from aiohttp.web_protocol import _RequestHandler

    from engine.server.connections import Connections

_DENSE_FROM_BYTES = 4 << 10
_LINE_BYTES_MIN = 8
"""No more line ends are in what anybody means: requests without a header have nine bytes to each.
In chunks of one byte each, three; and 64 KiB of them took 30 ms."""


class Connection(web.RequestHandler, asyncio.BufferedProtocol):
    """One connection.

    It reads into a buffer that all share. asyncio would make one of 256 KiB for each read and cut
    it down to what came: pages that the system gives, clears and takes back, for every request.
    """

    __slots__ = (
        "_awaits_head",
        "_begun",
        "_body",
        "_connections",
        "_ended",
        "_ends",
        "_failed",
        "_socket",
    )

    def __init__(
        self,
        connections: Connections,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        **options: Any,  # noqa: ANN401 - aiohttp's own
    ) -> None:
        super().__init__(server, loop=loop, **options)
        self._awaits_head = True
        self._begun = False
        self._body: StreamReader | None = None  # of the last request whose head was read
        self._connections = connections
        self._ended = False
        self._ends = False  # behind what was asked
        self._failed: BaseException | None = None
        # aiohttp forgets its transport as soon as it is closing, be it with unread bytes.
        self._socket: asyncio.Transport | None = None

    @property
    def busy(self) -> bool:
        """Whether a request of it waits, is worked on or is being answered."""
        return self._request_in_progress or bool(self._messages)

    @property
    def idle(self) -> bool:
        """Whether it was answered whatever it has asked, and asks nothing."""
        return not self.busy and not self._awaits_head

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        own = cast("asyncio.Transport", transport)  # uvloop's is of no common class
        if not self._connections.take(self):
            self._parser = None  # it refers back
            self._connections.turn_away(own)
            return
        self._socket = own
        # Every byte that does not leave at once counts as unread, also while it closes.
        self._socket.set_write_buffer_limits(high=0)
        super().connection_made(transport)
        self._connections.await_head(self)
        if self._connections.draining:
            self.force_close()

    @override
    def _handle_request(
        self, request: web.BaseRequest, start_time: float | None, request_handler: _RequestHandler
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        # It is under way as it is taken, and not with the turn of the loop in which it begins: in
        # between a drain would cut it, and the rest of its body would pass for another's head.
        self._request_in_progress = True
        return super()._handle_request(request, start_time, request_handler)

    @override
    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        if self._ends and not self._messages:
            resp.force_close()  # the last one, and its client is told so
        return super().finish_response(request, resp, start_time)

    @override
    async def start(self) -> None:
        try:
            await super().start()
        finally:
            self._ended = True
            self._let_go()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.forget(self)
        unbind(self._socket)
        self._socket = self._body = None
        # Not why: aiohttp would raise `exc` of the transport, with its frames, where one waits.
        super().connection_lost(None)
        if self._ended:
            self._let_go()

    def _let_go(self) -> None:
        """Break the cycles of what failed, and of requests that nobody will ask for."""
        if self._failed is not None:
            self._failed.__traceback__ = None
            self._failed = None
        for message, _ in self._messages:
            _forget_frames(getattr(message, "exc", None))
        self._messages.clear()

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return self._connections.buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._connections.buffer[:nbytes]))

    @override
    def data_received(self, data: bytes) -> None:
        if self._ends and data and self._has_all_bodies():
            return
        if len(data) > _DENSE_FROM_BYTES and data.count(b"\r\n") * _LINE_BYTES_MIN > len(data):
            self._connections.cut += 1
            message = "it is nearly all line ends; send a body in chunks of more than a few bytes"
            self._part_with(Refusal(400, "http.malformed", message))
            return
        super().data_received(data)
        if self._messages:
            self._body = self._messages[-1][1]
        if self._messages or self._request_in_progress:  # `busy`, without the call
            if self._awaits_head:
                self._awaits_head = False
                self._connections.head_came(self)
        elif data:
            self._begun = True
            if not self._awaits_head:
                self._awaits_head = True
                self._connections.await_head(self)
        if self._ends:
            self._close_behind_all()

    @override
    def eof_received(self) -> bool:  # type: ignore[override] # asyncio asks, aiohttp never says
        """Its client will send no more; whether it is kept open for answers that are to come.

        Whoever shuts down only his sending (`nc -N`, RFC 9112, 9.6) waits for them. Whoever closed
        looks the same, until something is sent to him: so all of them have `Patience.last_s`, and
        an answer that comes as it is made, a stream, ends here.
        """
        if not self._owes_an_answer():
            return False
        if not self._ends:
            self._connections.await_last(self)
            self.end()
        return True

    def _owes_an_answer(self) -> bool:
        """Whether requests are there, the last one wholly, and none has part of its answer."""
        return self.busy and self._has_all_bodies() and not self._has_begun_to_answer()

    def _has_all_bodies(self) -> bool:
        """Whether of all requests whose heads were read the bodies are there, too."""
        return self._body is None or self._body.is_eof()

    def _has_begun_to_answer(self) -> bool:
        request = self._current_request
        return request is not None and request.writer.output_size > 0

    def end(self) -> None:
        """Answer what was asked, once its last body is there, and close; read nothing behind it."""
        self._ends = True
        self._close_behind_all()

    def _close_behind_all(self) -> None:
        # aiohttp reads nothing any more of what it closes, be it the rest of a body.
        if self._messages or not self._has_all_bodies():
            return
        if self.busy:
            self.close()  # with the answer
        else:
            self.force_close()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._connections.await_reader(self)

    @override
    def resume_writing(self) -> None:
        self._connections.read_on(self)
        super().resume_writing()

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what no handler has answered; the connection ends with it."""
        edge = self._connections.edge
        if isinstance(exc, ConnectionError):
            self._failed = exc  # the client is gone
        elif isinstance(exc, HttpProcessingError):
            self._part_with(edge.refuse_malformed(exc))
            _forget_frames(exc)
            self._failed = ConnectionResetError("what is no HTTP is answered, and left")
        elif request.writer.output_size:
            self._failed = ConnectionResetError("an answer has begun; there is no second one")
        if self._failed is not None:
            raise self._failed
        answer = edge.answer_unhandled(exc)
        _forget_frames(exc)
        return answer

    @override
    def log_exception(self, *args: Any, **options: Any) -> None:
        error = options.get("exc_info")
        if self._socket is None and isinstance(error, RuntimeError):
            return  # its client left while the rest of a refused body was read
        super().log_exception(*args, **options)

    def refuse_head(self, within_s: float) -> None:
        """The head did not come in time."""
        if self._begun:
            message = f"the head of the request did not arrive within {within_s:g} s"
            self._part_with(Refusal(408, "http.slow", message))
        self.force_close()

    def _part_with(self, why: Refusal) -> None:
        """Here it ends; its socket is closed once the answer could be read."""
        socket = self._socket
        if socket is None or socket.is_closing():
            return
        # A close while more of a request comes in would be a reset, and the answer lost with it.
        self.transport = self._socket = None
        self._connections.part_with(socket, why)
        self.connection_lost(None)

    def cut_off(self, why: Refusal) -> None:
        """Close now; whoever waits for an answer of which nothing was sent hears why."""
        if self.busy and not self._has_begun_to_answer():
            self._part_with(why)
        else:
            self.abort()

    def abort(self) -> None:
        """Close now, whatever was to be sent."""
        if self._socket is not None:
            self._socket.abort()


def _forget_frames(error: BaseException | None) -> None:
    if error is not None:
        error.__traceback__ = None
