"""Long looks at the past that pages ask for: each is done once, and kept for a while.

A page that is loaded again finds what it asked for under way, or done: so whoever has no script
loads it again, and who looks with several windows has it done once. What nobody looks at any more
is given up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from engine.errors import HairspringError
from engine.runtime.beside import Beside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias

    import msgspec

    Told: TypeAlias = Callable[[int, int], None]
    Work: TypeAlias = Awaitable[msgspec.Raw]

KEPT_MAX: Final = 16
"""Studies that are kept, under way or done; the one that was looked at longest ago goes first."""

GIVEN_UP_AFTER_S: Final = 60.0
"""How long one goes on that nobody looks at."""

KEPT_S: Final = 600.0
"""How long what came of one is kept, since somebody looked."""


class Study:
    """One long look.

    Attributes:
        done, total: How far it has come, in whatever unit.
        result: What came of it, as JSON; None while it is under way, and where it failed.
        failure: Why it failed.
        said: What a form said that asked for it, for its page to show again.
    """

    def __init__(self, said: Mapping[str, str] | None = None) -> None:
        self.said = said or {}
        self.done, self.total = 0, 1
        self.result: msgspec.Raw | None = None
        self.failure: HairspringError | None = None
        self.looked_s = 0.0
        self.task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.result is not None or self.failure is not None

    def told(self, done: int, total: int) -> None:
        """Hear how far it has come."""
        self.done, self.total = done, total


class Studies:
    """The studies of one process.

    Attributes:
        beside: Does those that take a process of their own.
    """

    def __init__(self, beside: Beside | None = None) -> None:
        self.beside = Beside() if beside is None else beside
        self._studies: dict[str, Study] = {}

    def look(
        self, key: str, work: Callable[[Told], Work], said: Mapping[str, str] | None = None
    ) -> Study:
        """The study of a key, begun if there is none. O(studies).

        Args:
            key: What is asked, in whatever words: the same for the same.
            work: Does it, and gives it as JSON; it is told whom to tell how far it has come.
            said: As `Study.said`.
        """
        found = self.find(key)
        if found is None:
            found = self._studies[key] = Study(said)
            found.looked_s = _now_s()
            found.task = asyncio.create_task(self._do(found, work))
        return found

    def find(self, key: str) -> Study | None:
        """The study of a key, if it is there; it is looked at by that. O(studies)."""
        self._let_go()
        found = self._studies.get(key)
        if found is not None:
            found.looked_s = _now_s()
        return found

    async def wait(self, study: Study, within_s: float) -> None:
        """Wait until a study is over, if that is soon."""
        if study.task is not None and not study.is_over:
            await asyncio.wait({study.task}, timeout=within_s)

    async def stop(self) -> None:
        """Give up whatever is under way."""
        tasks = [study.task for study in self._studies.values() if study.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._studies.clear()

    def _let_go(self) -> None:
        now_s = _now_s()
        by_age = sorted(self._studies.items(), key=lambda one: one[1].looked_s)
        over = [key for key, study in by_age if study.is_over]
        old = {key for key in over if now_s - self._studies[key].looked_s > KEPT_S}
        for key in {*old, *over[: max(0, len(by_age) - KEPT_MAX + 1)]}:
            del self._studies[key]

    async def _do(self, study: Study, work: Callable[[Told], Work]) -> None:
        working = asyncio.ensure_future(work(study.told))
        try:
            while not (await asyncio.wait({working}, timeout=1))[0]:
                if _now_s() - study.looked_s > GIVEN_UP_AFTER_S:
                    hint = "ask for it again, and leave the page open"
                    study.failure = HairspringError("nobody waited for it", hint=hint)
                    return
            study.result = working.result()
        except HairspringError as error:
            study.failure = error
        finally:
            if not working.done():
                working.cancel()
                await asyncio.wait({working})


def _now_s() -> float:
    return asyncio.get_running_loop().time()
