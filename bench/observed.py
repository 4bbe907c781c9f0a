"""The real process, with every deadline's lateness noted to the microsecond.

    python -m bench.observed SHOP DATA NOTES

It is `hairspring serve` in all but the line that counts a deadline in the histogram of `/metrics`,
whose buckets are too wide for a benchmark: here it is also written to NOTES when the process ends,
as pairs of the instant that it was due and of how many nanoseconds later it fired.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from bench.instants import NS_PER_MS
from config import load_folder
from engine.app import App, Options
from engine.cli.serve import fastest_loop, stop_on_signals
from engine.runtime.logs import set_up_logs

if TYPE_CHECKING:
    from config import Shop


class Observed(App):
    """Keeps what it counts, as (due_at_ms, late_ns) pairs."""

    def __init__(self, shop: Shop, options: Options) -> None:
        super().__init__(shop, options)
        self.notes: list[tuple[int, int]] = []

    @override
    def _count_lateness(self, due_at_ms: int, now_ms: int) -> None:
        super()._count_lateness(due_at_ms, now_ms)
        clock = self.clock
        # The next whole millisecond less the time until then: instants are no finer.
        next_ms = clock.now_ms() + 1
        late_ns = (next_ms - due_at_ms) * NS_PER_MS - clock.delay_ns(next_ms)
        self.notes.append((due_at_ms, late_ns))


async def _serve(shop: Path, data: Path) -> list[tuple[int, int]]:
    options = Options(data=data, folder=shop, host="127.0.0.1", port=0)
    app = await Observed.start(load_folder(shop), options)
    stop = stop_on_signals(app.left, app.reloading)
    try:
        print(f"events on {app.ingest.url}", flush=True)
        await app.run(stop)
    finally:
        await app.stop()
    return app.notes


def main() -> None:
    """Serve until SIGTERM, then write what was noted."""
    shop, data, notes_path = map(Path, sys.argv[1:])
    set_up_logs(as_json=True, verbose=False)
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        notes = runner.run(_serve(shop, data))
    notes_path.write_bytes(msgspec.json.encode(notes))


if __name__ == "__main__":
    main()
