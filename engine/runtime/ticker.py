"""Wakes the loop at an instant: `timerfd` where there is one, `loop.call_at` elsewhere.

The default loop rounds its timers up to whole milliseconds of epoll; a timerfd is exact to some
ten microseconds (timerfd_create(2)). Waking early is harmless: who is woken compares with the
clock.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_NS_PER_S = 1_000_000_000
_DELAY_MAX_NS = 86_400 * _NS_PER_S
"""Longer sleeps are taken a day at a time, well inside what every timer can say."""


class Ticker(Protocol):
    """One alarm."""

    def arm(self, delay_ns: int) -> None:
        """Call back once after `delay_ns` real nanoseconds; replaces the alarm set before."""
        ...

    def disarm(self) -> None:
        """Do not call back."""
        ...

    def close(self) -> None:
        """Give the timer back; harmless when done twice."""
        ...


def make_ticker(wake: Callable[[], None]) -> Ticker:
    """The finest ticker that this machine and the running loop have."""
    loop = asyncio.get_running_loop()
    if sys.platform == "linux":
        # An old kernel, another libc, or a loop without add_reader (a RuntimeError) has none.
        with suppress(OSError, AttributeError, RuntimeError):
            return TimerfdTicker(loop, wake)
    return LoopTicker(loop, wake)


class LoopTicker(Ticker):
    """By `loop.call_at`: up to a millisecond or two late, with uvloop even early."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        self._handle: asyncio.TimerHandle | None = None

    @override
    def arm(self, delay_ns: int) -> None:
        self.disarm()
        delay_ns = min(delay_ns, _DELAY_MAX_NS)
        self._handle = self._loop.call_later(delay_ns / _NS_PER_S, self._wake)

    @override
    def disarm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    @override
    def close(self) -> None:
        self.disarm()


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("it_interval", _TimeSpec), ("it_value", _TimeSpec))


class TimerfdTicker(Ticker):
    """By a timerfd in the loop's selector. Raises OSError where the kernel gives none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self._loop = loop
        self._wake = wake
        # Its calls never block: keeping the interpreter's lock is cheaper than winning it back.
        self._libc = ctypes.PyDLL(None, use_errno=True)
        descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._descriptor = descriptor
        self._spec = _TimerSpec()
        try:
            loop.add_reader(descriptor, self._ring)
        except BaseException:
            os.close(descriptor)
            raise

    @override
    def arm(self, delay_ns: int) -> None:
        # Zero would disarm it; one nanosecond is "at once".
        delay_ns = min(max(delay_ns, 1), _DELAY_MAX_NS)
        value = self._spec.it_value
        value.tv_sec, value.tv_nsec = divmod(delay_ns, _NS_PER_S)
        self._set()

    @override
    def disarm(self) -> None:
        value = self._spec.it_value
        value.tv_sec = value.tv_nsec = 0
        self._set()

    @override
    def close(self) -> None:
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _set(self) -> None:
        if self._libc.timerfd_settime(self._descriptor, 0, ctypes.byref(self._spec), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def _ring(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return
        self._wake()
