"""Commits that are made again while there is no room for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from engine.store import CommitFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_T = TypeVar("_T")

STORE_AGAIN_S: Final = 0.25


async def until_committed(commit: Callable[[], Awaitable[_T]]) -> _T:
    """What a commit gives, once it went through. Raises CommitFailed that nothing can mend."""
    while True:
        try:
            return await commit()
        except CommitFailed as error:
            if not error.again:
                raise
            await asyncio.sleep(STORE_AGAIN_S)
