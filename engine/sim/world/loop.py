"""A loop of asyncio whose time is the world's: it never waits, and can be dropped half way.

Callbacks run in the order in which they were scheduled, as asyncio promises; the interleavings come
from what is outside (the disk, providers, clients, timers), which happens between any two callbacks
at instants that the seed draws. Nothing here reads a clock, a socket or a file.

Whoever owns it takes one `turn` at a time, and so decides after which callback the process dies.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import TypeVarTuple, override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextvars import Context

    from engine.sim.world.machine import Machine

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

_NS_PER_S = 1_000_000_000
_CLOSES_MAX = 10


class WorldLoop(asyncio.BaseEventLoop):
    """The loop of one process in a world: what asyncio's tasks, futures and locks ask of a loop.

    There are no readers, no threads and no subprocesses in it: `BaseEventLoop` by itself has none.

    Attributes:
        faults: What nobody handled, as asyncio tells it to a loop's exception handler.
    """

    def __init__(self, machine: Machine) -> None:
        self._is_dead = True
        super().__init__()
        self._is_dead = False
        self.faults: list[dict[str, Any]] = []
        self._machine = machine
        self._handles: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._sequence = 0

    # What the owner does

    def next_at_ns(self) -> int | None:
        """When there is something to do: now where a callback is ready. None: never."""
        if self._handles:
            return self._machine.now_ns
        while self._timers and self._timers[0][2].cancelled():
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def turn(self) -> bool:
        """Run one callback; whether there was one."""
        now_ns = self._machine.now_ns
        while self._timers and self._timers[0][0] <= now_ns:
            self._handles.append(heappop(self._timers)[2])
        while self._handles:
            handle = self._handles.popleft()
            if not handle.cancelled():
                with self.running():
                    handle._run()  # noqa: SLF001 - it is a loop that runs handles
                return True
        return False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop, as whatever wakes a task from outside has to see it."""
        before = asyncio._get_running_loop()  # noqa: SLF001 - meant for implementers of loops
        asyncio._set_running_loop(self)  # noqa: SLF001 - as above
        try:
            yield
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001 - as above

    def bury(self) -> None:
        """The process is gone: nothing of it runs any more.

        Python closes coroutines that nobody will resume, and that runs their `finally` clauses:
        here and now, where each finds a loop that schedules nothing and a world that listens to
        nobody, and not whenever a collector comes by.
        """
        self._is_dead = True
        self._handles.clear()
        self._timers.clear()
        with self.running():
            for task in asyncio.all_tasks(self):
                _close(task.get_coro())

    # What asyncio asks of a loop

    @override
    def time(self) -> float:
        return self._machine.now_ns / _NS_PER_S

    @override
    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self._is_dead:
            self._handles.append(handle)
        return handle

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self._is_dead:
            self._sequence += 1
            heappush(self._timers, (round(when * _NS_PER_S), self._sequence, handle))
        return handle

    @override
    def run_in_executor(
        self, executor: object, func: Callable[[*_Ts], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """There are no threads: it is done in a turn of its own."""
        future: asyncio.Future[_T] = self.create_future()

        def do() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)

        self.call_soon(do)
        return future

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._is_dead:
            self.faults.append(context)

    @override
    def is_running(self) -> bool:
        return not self._is_dead

    @override
    def is_closed(self) -> bool:
        return self._is_dead

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Part of a loop's contract with its timers: tidy up where most were called off."""
        if len(self._timers) > 64 and self._sequence % 64 == 0:  # noqa: PLR2004 - seldom enough
            self._timers = [timer for timer in self._timers if not timer[2].cancelled()]
            heapify(self._timers)


def _close(coroutine: Any) -> None:  # noqa: ANN401 - a generator or coroutine of any kind
    """Close it, however often its `finally` clauses wait for something."""
    for _ in range(_CLOSES_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # "ignored GeneratorExit": it awaits in a finally; close that too
        return
