"""The end of a run: everybody saved, or somebody told that it could not be."""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from typing import TYPE_CHECKING, Any, Final

from engine.errors import ServeError

if TYPE_CHECKING:
    from engine.runtime.shell import Shell

_LOOK_S: Final = 0.25


async def settle(shell: Shell, working: asyncio.Task[None], by_s: float) -> None:
    """Have everything durable, and end the shell, whose task is `working`.

    Nothing is waited for where the shell has failed, or where the journal cannot be written and
    the loop's time has come to `by_s`: a start finds what was acknowledged. Raises ServeError where
    not everybody is saved.
    """
    shell.stop_taking()
    loop = asyncio.get_running_loop()
    settled = asyncio.create_task(shell.settle())
    ends: set[asyncio.Task[Any]] = {settled, working}
    failure = ""
    while not (await asyncio.wait(ends, timeout=_LOOK_S, return_when=FIRST_COMPLETED))[0]:
        if shell.failure and loop.time() >= by_s:
            failure = shell.failure
            break
    for task in ends:
        task.cancel()
    await asyncio.gather(*ends, return_exceptions=True)
    if failure:
        raise ServeError(
            f"not everybody is saved: the journal cannot be written: {failure}",
            hint="nothing acknowledged is lost: the next start replays it",
            code="serve.unsaved",
        )
