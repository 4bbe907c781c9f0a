"""The garbage collector's part in pauses.

State has no cycles: users, enrollments and effects are Structs that the collector does not track,
and reference counts free them. What it would do is walk what lives long, again and again. So what
is there after recovery is frozen, and young generations are collected seldom.
"""

from __future__ import annotations

import gc

YOUNG_MAX = 50_000
"""Container objects made and not freed, before the youngest generation is looked at."""


def settle_collector() -> None:
    """Free what starting left behind, leave what it built alone, look seldom from now on.

    Call once everything long-lived is loaded. O(what is tracked).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 20, 100)
