"""The garbage collector's part in pauses, and the allocator's in what a process holds.

A collection looks at each object that it tracks, some 0.3 us where they lie all over memory: a full
one of a million users, who are two or three dicts each, took 1.8 s. But state has no cycles, and
reference counts free it. So whatever outlives one young collection is *frozen*, which takes no time
and means that the collector never looks at it again; it is freed like anything else once nobody
refers to it. What is never freed is a cycle that was frozen while it was in use. There are few: a
young collection comes only after so many objects more were made than freed, a request that was
answered adds none to them, and a connection leaves none, however it ends (`server.connection`).

Large buffers come and go: bodies, batches, pages of an answer. glibc gives one of 128 KiB pages of
its own, which go back as it is freed; but the first that is freed raises that size to its own, up
to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), and from then on the like of it lie among what stays, and
leave holes there. So the size is set, which keeps it where it is.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final, Literal

YOUNG_MAX = 2_000
"""Objects made and not freed, before the young ones are looked at: for about half a millisecond."""

LARGE_BYTES: Final = 128 << 10
"""Buffers from this size on go back to the system as they are freed."""

_M_MMAP_THRESHOLD: Final = -3
_NEVER = 2**30
_AS_IT_COMES = (700, 10, 10)


def settle_collector() -> None:
    """Free what starting left behind, and from now on look at each object once.

    Call once everything long-lived is loaded. O(what is tracked).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, _NEVER, _NEVER)
    if _freeze_survivors not in gc.callbacks:
        gc.callbacks.append(_freeze_survivors)


def return_large_buffers() -> bool:
    """Have what large buffers took go back to the system; whether this libc can. O(1).

    For the whole process, and until its end.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) == 1


def release_collector() -> None:
    """Have the collector look at everything again, as Python comes. O(1)."""
    if _freeze_survivors in gc.callbacks:
        gc.callbacks.remove(_freeze_survivors)
    gc.unfreeze()
    gc.set_threshold(*_AS_IT_COMES)


def _freeze_survivors(phase: Literal["start", "stop"], _info: dict[str, int]) -> None:
    if phase == "stop":
        gc.freeze()
