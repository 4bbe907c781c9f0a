"""`explain` of a user with a long archive, and what is due meanwhile.

One user did 60,000 things, which the process kept; he is asked about as of an instant in the midst,
so that he is lived through again from the archive, on threads beside the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from bench.meanwhile import Load, Meanwhile, at_work, during
from bench.shop import WAITING
from config import load_shop
from engine.runtime.admin.explaining import Explaining

if TYPE_CHECKING:
    from pathlib import Path

    from engine.runtime.admin.explaining import Explanation

QUESTIONS = 3

_ASKED = """
campaign: asked
enter: {event: Seen, when: 'count("Seen", "7d") >= 100000'}
exit: {when: 'idle("30d")'}
steps: [{exit: done}]
"""


class ExplainLateness(Meanwhile):
    """While a user is explained."""

    name = "explain-lateness"
    title = "deadlines while a user of 60,000 events is explained, p99 of lateness; over 5 ms"

    def prepare(self, n: int) -> Load:
        """A shop that asks how often he did it."""
        files = {"campaigns/waiting.yaml": WAITING, "campaigns/asked.yaml": _ASKED}
        return Load(n, load_shop(files))

    @override
    async def run(self, load: Load, path: Path) -> tuple[list[int], bool]:
        async with at_work(load.shop, path, ["long"] * load.n) as core:
            asked_at_ms = core.clock.now_ms()
            explaining = Explaining.running(core.store, core.processor)

            async def ask() -> list[Explanation]:
                return [
                    await explaining.explain(
                        "long", "asked", now_ms=core.processor.now_ms, at_ms=asked_at_ms
                    )
                    for _ in range(QUESTIONS)
                ]

            late_ns, told = await during(core, ask)
        return late_ns, all(one.verdict is not None for one in told)


SCENARIOS = (ExplainLateness(),)
