"""Long work in a process of its own: it takes nothing of the loop's time but the reading of lines.

The process is this program's own, started for one errand, with the lowest priority and bounds on
its memory and its time. It is asked on the first line of its standard input, and answers in lines
of JSON on its output: `{"done", "total"}` now and then, and last `{"result"}` or `{"error"}`. One
runs at a time; others wait in line. It ends with whoever asked.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import engine
from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.runtime.errands import Errand

MODULE: Final = "engine.sim.errands"
"""What is started: `python -m` this."""

WAITING_MAX: Final = 8
"""Errands under way and in line."""

WITHIN_S: Final = 600.0
"""What one may take, waiting aside."""

_LINE_BYTES_MAX: Final = 64 << 20
_RESULT: Final = b'{"result":'

_encode = msgspec.json.Encoder().encode


class ErrandFailed(HairspringError):  # noqa: N818 - an outcome, as CommitFailed
    """The work beside was not done to its end."""

    code = "errand"


class _Told(msgspec.Struct):
    """A line on the way, or the last one where the work failed."""

    done: int = 0
    total: int = 1
    error: dict[str, str] | None = None


_decode = msgspec.json.Decoder(_Told).decode


class Beside:
    """Has errands done, one after the other.

    Args:
        within_s: What each may take.
    """

    def __init__(self, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s
        self._one = asyncio.Semaphore(1)
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether no further errand is taken now."""
        return self._waiting >= WAITING_MAX

    async def do(
        self, errand: Errand, told: Callable[[int, int], None], body: bytes = b""
    ) -> msgspec.Raw:
        """The result, as JSON. `told` hears of (done, total), in whatever unit.

        What the errand is about may be sent along as `body`.

        Raises ErrandFailed, with the code of what failed there.
        """
        self._waiting += 1
        try:
            async with self._one:
                try:
                    async with asyncio.timeout(self._within_s):
                        return await _run((_encode(errand), b"\n", body), told)
                except TimeoutError as error:
                    hint = "ask for fewer days or events, or have `hairspring simulate` do it"
                    message = f"it takes longer than {self._within_s:g} s"
                    raise ErrandFailed(message, hint=hint, code="errand.time") from error
        finally:
            self._waiting -= 1


async def _run(asked: Sequence[bytes], told: Callable[[int, int], None]) -> msgspec.Raw:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        MODULE,
        stdin=PIPE,
        stdout=PIPE,
        limit=_LINE_BYTES_MAX,
        env={**os.environ, "PYTHONPATH": _own_path()},
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.writelines(asked)
        process.stdin.close()
        async for line in process.stdout:
            if line.startswith(_RESULT):
                # As it is: to decode a few megabytes would be a long pause.
                return msgspec.Raw(line.rstrip()[len(_RESULT) : -1])
            heard = _decode(line)
            if heard.error is not None:
                raise ErrandFailed(**heard.error)
            told(heard.done, heard.total)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    raise ErrandFailed(
        f"the process that did it ended with {process.returncode}",
        hint="it may have met the end of the memory: ask for fewer days or events",
    )


def _own_path() -> str:
    """Where this very program is found, before wherever else Python is told to look."""
    own = str(Path(engine.__file__).parents[1])
    return os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH", "")]))
