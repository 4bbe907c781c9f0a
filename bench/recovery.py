"""A restart after a kill: everybody is read and the journal's tail is replayed.

A hundred thousand users with an enrollment and its deadline are saved, and as many inputs of theirs
came since. Ours is what `serve` does between opening the database and serving,
with the collector as it comes, as there. The reference reads and decodes the same rows. The oracle
is a sum over all users and inputs that both must come to.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.harness import Run
from bench.shop import write_shop
from config import load_folder
from engine.core.inputs import EventReceived, decode_inputs
from engine.core.state import decode_user
from engine.runtime.clock import Clock
from engine.runtime.memory import release_collector
from engine.runtime.restart import restart
from engine.store import Store
from engine.store.recovery import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from config import Shop
    from engine.core.inputs import UserInput
    from engine.runtime.processor import Processor

SUBMITTED_AT_ONCE = 1_000
_PROPERTIES = msgspec.Raw(b'{"product_id":"sku-1","price":75.5,"quantity":1,"currency":"EUR"}')


class Left(AbstractContextManager["Left"]):
    """The data folder that a killed process left.

    Args:
        count: How many users, and how many inputs since they were saved.

    Attributes:
        tail_count: How many inputs wait to be replayed: all but the few whose users were saved
            since. Known once the rows were read.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.tail_count = 0
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "hairspring.db"
        write_shop(Path(self._folder.name))
        self.shop: Shop = load_folder(Path(self._folder.name))

    @override
    def __enter__(self) -> Self:
        asyncio.run(self._work_and_be_killed())
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    async def _work_and_be_killed(self) -> None:
        store = await Store.open(self.path)
        restarted = await restart(self.shop, store, lambda _: None, Clock)
        shell, now_ms = restarted.shell, restarted.clock.now_ms()
        working = asyncio.create_task(shell.run())
        for events in _first_events(self.count, now_ms):
            await shell.submit(events)
        await shell.settle()
        for events in _later_events(self.count, now_ms):
            await shell.submit(events)
        working.cancel()  # nobody is saved any more
        await asyncio.gather(working, return_exceptions=True)
        await store.close()

    def rows(self) -> Iterator[tuple[str, list[bytes]]]:
        """What a restart needs: rows of users, of the user log, and of the journal's tail."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            meta = dict(connection.execute("SELECT name, value FROM meta"))
            select = connection.execute
            yield "users", [state for (state,) in select("SELECT state FROM users")]
            yield "log", [states for (states,) in select("SELECT states FROM user_log")]
            tail = select(
                "SELECT inputs FROM journal WHERE first_input + inputs_count > ?",
                (meta["replay_from"],),
            )
            yield "journal", [inputs for (inputs,) in tail]
            self.tail_count = meta["next_input"] - meta["replay_from"]
        finally:
            connection.close()


def _first_events(count: int, now_ms: int) -> Iterator[list[UserInput]]:
    """An event each that enters a campaign."""
    for first in range(0, count, SUBMITTED_AT_ONCE):
        yield [_event(number, 0, now_ms) for number in range(first, first + SUBMITTED_AT_ONCE)]


def _later_events(count: int, now_ms: int) -> Iterator[list[UserInput]]:
    """One more each, which no campaign asks for but which is remembered."""
    for first in range(0, count, SUBMITTED_AT_ONCE):
        yield [_event(number, 1, now_ms) for number in range(first, first + SUBMITTED_AT_ONCE)]


def _event(number: int, turn: int, now_ms: int) -> EventReceived:
    return EventReceived(
        f"user-{number}",
        "Page Left" if turn else "Product Viewed",
        now_ms,
        now_ms,
        _PROPERTIES,
        f"message-{turn}-{number}",
    )


class Recovery:
    """All there is to read, and how much longer than reading it a restart takes."""

    name = "recovery"
    title = "a restart: read everybody, replay the tail; over reading and decoding the same rows"
    n = 100_000
    n_small = 2_000
    limit = 3.0
    repetitions = 5

    def prepare(self, n: int) -> Left:
        """A process works and is killed."""
        return Left(n)

    def reference(self, load: Left) -> Run:
        """SELECT and decode."""
        with _collector_as_it_comes():
            started = time.perf_counter()
            users = {}
            kept = []
            for kind, rows in load.rows():
                if kind == "journal":
                    kept = [decode_inputs(inputs) for inputs in rows]
                    continue
                for row in rows:
                    for state in unpack(row) if kind == "log" else (row,):
                        user = decode_user(state)
                        users[user.user_id] = user
            seconds = time.perf_counter() - started
        assert load.tail_count <= sum(map(len, kept)), "rows are missing"
        return Run(seconds, (len(users), load.tail_count))

    def ours(self, load: Left) -> Run:
        """The store's recovery, the state, the wheel, the replay; nothing runs yet."""
        with _collector_as_it_comes():
            seconds, processor, replayed = asyncio.run(_restart(load))
        return Run(seconds, (len(processor.users), replayed))


class _collector_as_it_comes(AbstractContextManager[None]):  # noqa: N801 - it is used as a function
    @override
    def __enter__(self) -> None:
        gc.collect()
        release_collector()

    @override
    def __exit__(self, *_: object) -> None:
        gc.collect()


async def _restart(load: Left) -> tuple[float, Processor, int]:
    started = time.perf_counter()
    store = await Store.open(load.path)
    restarted = await restart(load.shop, store, lambda _: None, Clock)
    seconds = time.perf_counter() - started
    await store.close()
    return seconds, restarted.processor, restarted.replayed


SCENARIOS = (Recovery(),)
