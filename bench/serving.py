"""The servers that `bench.ingest` asks, each in a process of its own.

Ours is `hairspring serve`, as anybody would start it. The reference (`python -m bench.serving`) is
the very same aiohttp application, with its outermost layer, keys, limits and decoding, but where
the process hands to the engine what it read, this one answers at once: no processor, no journal,
no commit. With a folder it journals and commits there before it answers, and nothing else.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bench.journaling import GroupCommit
from bench.process import serve_command, serving
from bench.shop import WRITE_KEY
from config.serving import WriteKey
from engine.cli.serve import fastest_loop, stop_on_signals
from engine.core.inputs import EventReceived, UserInput, decode_inputs
from engine.runtime.clock import Clock
from engine.runtime.logs import set_up_logs
from engine.runtime.memory import settle_collector
from engine.runtime.metrics import Metrics
from engine.server import IngestDoor, listen, make_ingest_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.runtime.starting import Told
    from engine.server.ingest import Submit
    from engine.store import QuarantineChange

DATABASE = "hairspring.db"
"""Its name in a data folder, where a shop does not say otherwise."""


@contextmanager
def serving_ours(shop: Path, data: Path) -> Iterator[int]:
    """Run the process; gives the port on 127.0.0.1 that takes events."""
    with serving(serve_command(shop, data)) as server:
        yield server.port


@contextmanager
def serving_reference(data: Path | None = None) -> Iterator[int]:
    """Run the same application without an engine; gives its port.

    It answers at once, or where there is a `data` folder, once its journal there is on disk.
    """
    with serving(["-m", "bench.serving", *([] if data is None else [str(data)])]) as server:
        yield server.port


class Journal:
    """Reads what a running process has made durable, as another process sees it.

    Args:
        data: The data folder.
    """

    def __init__(self, data: Path) -> None:
        self._uri = f"file:{data / DATABASE}?mode=ro"
        self._next_input = 0

    def read_on(self) -> int:
        """How many different events were added since the last call. O(what was)."""
        connection = sqlite3.connect(self._uri, uri=True)
        try:
            rows = connection.execute(
                "SELECT first_input + inputs_count, inputs FROM journal WHERE first_input >= ? "
                "ORDER BY first_input",
                (self._next_input,),
            ).fetchall()
        finally:
            connection.close()
        ids: set[str] = set()
        for next_input, lines in rows:
            self._next_input = next_input
            for happened in decode_inputs(lines):
                if isinstance(happened, EventReceived):
                    ids.add(happened.message_id)
        return len(ids)


async def _answer_at_once(
    inputs: Sequence[UserInput],
    quarantined: Sequence[QuarantineChange] = (),
    size_bytes: int = 0,
    told: Told | None = None,
) -> None:
    """Stands where the engine would be."""


async def _serve(data: Path | None) -> None:
    if data is None:
        await _serve_with(_answer_at_once)
        return
    journal = await GroupCommit.begin(data / DATABASE)
    try:
        await _serve_with(journal.submit)
    finally:
        await journal.end()


async def _serve_with(submit: Submit) -> None:
    log = structlog.get_logger("hairspring.http")
    door = IngestDoor(
        submit=submit,
        now_ms=Clock().now_ms,
        keys=(WriteKey(key=WRITE_KEY),),
        why_not_ready=lambda: "",
        metrics=Metrics(),
        log=log,
        instance="bench",
    )
    async with await listen(make_ingest_app(door), "127.0.0.1", 0, log=log) as site:
        stop = stop_on_signals()
        settle_collector()
        print(f"events on {site.url}", flush=True)
        await stop.wait()


def main() -> None:
    """Serve the reference until SIGTERM."""
    data = Path(sys.argv[1]) if sys.argv[1:] else None
    set_up_logs(as_json=True, verbose=False)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(_serve(data))


if __name__ == "__main__":
    main()
