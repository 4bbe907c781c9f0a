"""Long work of the processor's kind, on a thread beside the loop, which it gives way to.

Python runs one thread at a time. One that wants to run waits for `sys.getswitchinterval()` until
the other is asked to stop: five milliseconds as it comes, which each deadline would be late while
hundreds of campaigns are compiled. Meanwhile it is half a millisecond.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

GIVES_WAY_WITHIN_S: Final = 0.000_5

_usual: list[float] = []
"""The interval from before, once for each work under way."""


async def aside(work: Callable[[], _T]) -> _T:
    """What `work` gives, done on another thread. Raises what it raises."""
    with giving_way():
        return await asyncio.to_thread(work)


@contextmanager
def giving_way() -> Iterator[None]:
    """For as long as this is entered, threads beside the loop give way to it soon."""
    _usual.append(_usual[0] if _usual else sys.getswitchinterval())
    sys.setswitchinterval(GIVES_WAY_WITHIN_S)
    try:
        yield
    finally:
        usual = _usual.pop()
        if not _usual:
            sys.setswitchinterval(usual)
