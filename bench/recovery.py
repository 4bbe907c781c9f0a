"""A restart after a kill: everybody is read and the journal's tail is replayed.

A hundred thousand users with an enrollment and its deadline are saved, and as many inputs of theirs
came since. Each time the files are those that a killed process left, with its write-ahead log.
Ours is what `serve` does from opening the database, which it checks then, to what it would serve
with; the collector is as it comes, as there. The reference reads and decodes the same rows of users
and journal. The oracle: as many users and as many inputs to be replayed.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import sqlite3
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.harness import Run, Standing
from bench.serving import DATABASE
from bench.shop import write_shop
from config import load_folder
from engine.core.inputs import EventReceived, decode_inputs
from engine.core.state import decode_user
from engine.runtime.clock import Clock
from engine.runtime.memory import release_collector
from engine.runtime.restart import restart
from engine.store import Store
from engine.store.user_log import marked, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from config import Shop
    from engine.core.inputs import Input, UserInput
    from engine.core.state import User
    from engine.runtime.processor import Processor

SUBMITTED_AT_ONCE = 1_000
_PROPERTIES = msgspec.Raw(b'{"product_id":"sku-1","price":75.5,"quantity":1,"currency":"EUR"}')


class Left(Standing):
    """The data folder that a killed process left.

    Args:
        count: How many users, and how many inputs since they were saved.
    """

    shop: Shop

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    @override
    def open(self, opening: ExitStack) -> None:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
        write_shop(folder)
        self.shop = load_folder(folder)
        self._working, self._left = folder / "working", folder / "left"
        self._working.mkdir()
        asyncio.run(self._work_and_be_killed())

    async def _work_and_be_killed(self) -> None:
        store = await Store.open(self._working / DATABASE)
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
        # With its write-ahead log, which closing would remove; nothing is written in between.
        await store.read(lambda _: shutil.copytree(self._working, self._left))
        await store.close()

    @contextmanager
    def again(self) -> Iterator[Path]:
        """The database as it was left: a start on it changes no other one."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self._left, folder, dirs_exist_ok=True)
            yield Path(folder) / DATABASE


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
        with load.again() as path, _collector_as_it_comes():
            started = time.perf_counter()
            connection = sqlite3.connect(path)
            users, tail, replay_from = _read(connection)
            seconds = time.perf_counter() - started
            connection.close()
        inputs = [number for first, some in tail for number in range(first, first + len(some))]
        return Run(seconds, (len(users), sum(number >= replay_from for number in inputs)))

    def ours(self, load: Left) -> Run:
        """The store's check and recovery, the state, the wheel, the replay; nothing runs yet."""
        with load.again() as path, _collector_as_it_comes():
            seconds, processor, replayed = asyncio.run(_restart(load.shop, path))
        return Run(seconds, (len(processor.users), replayed))


def _read(
    connection: sqlite3.Connection,
) -> tuple[dict[str, User], list[tuple[int, list[Input]]], int]:
    """Users, the journal's tail by rows, and the number of the first input to be replayed."""
    select = connection.execute
    ((replay_from,),) = select("SELECT value FROM meta WHERE name = 'replay_from'")
    users = {}
    for (state,) in select("SELECT state FROM users"):
        user = decode_user(state)
        users[user.user_id] = user
    for (states,) in select("SELECT states FROM user_log ORDER BY batch"):
        for state in unpack(states):
            if marked(state):
                continue
            user = decode_user(state)
            users[user.user_id] = user
    tail = select(
        "SELECT first_input, inputs FROM journal WHERE first_input + inputs_count > ?",
        (replay_from,),
    )
    return users, [(first, decode_inputs(inputs)) for first, inputs in tail], replay_from


@contextmanager
def _collector_as_it_comes() -> Iterator[None]:
    gc.collect()
    release_collector()
    yield
    gc.collect()


async def _restart(shop: Shop, path: Path) -> tuple[float, Processor, int]:
    started = time.perf_counter()
    store = await Store.open(path)
    restarted = await restart(shop, store, lambda _: None, Clock)
    seconds = time.perf_counter() - started
    await store.close()
    return seconds, restarted.processor, restarted.replayed


SCENARIOS = (Recovery(),)
