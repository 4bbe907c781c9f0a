"""From a deadline to its webhook, beside a bare flush of the same disk at the same time.

A message waits for two commits: that of its cause, and that of its bytes. So a disk that takes long
to flush, because others flush to it, makes it late whatever the process does. Here the same disk is
asked for the same, by nobody: for each deadline a file in the folder of the data is written and
flushed twice, in place, as much as a commit of ours writes. Both run at once, so that what holds
the disk up meets both.
"""

from __future__ import annotations

import os
import time
from threading import Event, Thread
from typing import TYPE_CHECKING

from typing_extensions import override

from bench.delays import EARLY_MAX_NS, OVER_BARE_NS, Shop
from bench.instants import NS_PER_MS
from bench.lateness import promised

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from bench.delays import Arrivals
    from bench.harness import Run

FLUSHED_BYTES = 20_480
"""What a commit writes under this load: some five pages."""

FILE_BYTES = 4 << 20
"""The file is as large as a write-ahead log, and there before anything is measured."""

FLUSHES_EACH = 2


class Flushes:
    """Writes and flushes to a file of its own, from its start to its end.

    Args:
        gap_ms: Between the beginnings of two.

    Attributes:
        late_ns: How long after each beginning was due both flushes were done.
    """

    def __init__(self, path: Path, gap_ms: float) -> None:
        self.late_ns: list[int] = []
        self._gap_ns = int(gap_ms * NS_PER_MS)
        self._ended = Event()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.write(self._file, bytes(FILE_BYTES))
        os.fsync(self._file)
        self._thread = Thread(target=self._go_on)
        self._thread.start()

    def end(self) -> None:
        """No more of them, and the file is closed."""
        self._ended.set()
        self._thread.join()
        os.close(self._file)

    def _go_on(self) -> None:
        written = os.urandom(FLUSHED_BYTES)
        place = 0
        due_ns = time.monotonic_ns()
        while not self._ended.wait(max(0.0, (due_ns - time.monotonic_ns()) / 1e9)):
            for _ in range(FLUSHES_EACH):
                os.pwrite(self._file, written, place)
                os.fdatasync(self._file)
                place = (place + FLUSHED_BYTES) % (FILE_BYTES - FLUSHED_BYTES)
            self.late_ns.append(time.monotonic_ns() - due_ns)
            due_ns += self._gap_ns


class Beside(Shop):
    """A shop, and the bare flushes of each run of it."""

    def __init__(self, count: int, gap_ms: float) -> None:
        super().__init__(count, gap_ms)
        self._pair: tuple[Arrivals, list[int]] | None = None

    @override
    def open(self, opening: ExitStack) -> None:
        super().open(opening)
        self._path = self.folder / "flushed"

    def both(self) -> tuple[Arrivals, list[int]]:
        """What came, and the flushes beside it: the same to two that ask, one after the other."""
        if self._pair is not None:
            pair, self._pair = self._pair, None
            return pair
        flushes = Flushes(self._path, self.gap_ms)
        try:
            arrivals = self.run(is_killed=False)
        finally:
            flushes.end()
        self._pair = (arrivals, flushes.late_ns)
        return self._pair


class DeadlineWebhookDisk:
    """What is left beside what the disk takes is to be ten milliseconds."""

    name = "deadline-webhook-disk"
    title = "deadline to webhook at 100 a second, p99; over two bare flushes beside it and 10 ms"
    n = 1_000
    n_small = 50
    limit = 1.0
    repetitions = 3

    def prepare(self, n: int) -> Beside:
        """A shop, a sink, and a file to be flushed."""
        return Beside(n, 10.0)

    def reference(self, load: Beside) -> Run:
        """Two flushes for each deadline, by a thread of this process."""
        _, late_ns = load.both()
        return promised(late_ns, (load.count, 0), load.count, OVER_BARE_NS)

    def ours(self, load: Beside) -> Run:
        """Wheel, core, commit, rendering, its commit, a request."""
        arrivals, _ = load.both()
        assert not arrivals.again, "nothing went wrong, so nothing is tried again"
        late_ns = arrivals.late_ns
        early = sum(late < -EARLY_MAX_NS for late in late_ns)
        return promised(late_ns, (len(late_ns) - arrivals.doubled, early), load.count)


SCENARIOS = (DeadlineWebhookDisk(),)
