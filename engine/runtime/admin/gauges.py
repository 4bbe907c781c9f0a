"""What of the parts at work is read anew each time somebody asks for `/metrics`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from engine.runtime.admin.pulse import Pulse
    from engine.runtime.dispatcher import Dispatcher
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store


class Room(NamedTuple):
    """What the database takes on its disk, and what is left there, in bytes.

    Attributes:
        database: Its file.
        log: Its write-ahead log.
        free: What is left for this process; -1 where that cannot be told.
    """

    database: int
    log: int
    free: int


def room_of(path: Path) -> Room:
    """Of the database at a path; a file that is not there takes none. O(1), and asks the disk."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = -1
    return Room(_size(path), _size(path.with_name(f"{path.name}-wal")), free)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def watch_disk(metrics: Metrics, store: Store, pulse: Pulse) -> None:
    """Have `metrics` tell how old and how large what is on disk is."""

    def files() -> dict[str, float]:
        room = room_of(store.path)
        return {"database": room.database, "log": room.log}

    metrics.watch_each("file_bytes", "Sizes of files.", "file", files, kind="gauge")
    watch = metrics.watch
    watch("disk_free_bytes", "What is left on the disk.", lambda: room_of(store.path).free)
    watch("journal_age_seconds", "Since the last commit.", pulse.committed_ago_s)
    watch("checkpoint_age_seconds", "Of the oldest input unsaved.", pulse.checkpoint_ago_s)


def watch_work(
    metrics: Metrics, shell: Shell, processor: Processor, dispatcher: Dispatcher, store: Store
) -> None:
    """Have `metrics` tell how much there is of what is held, waits, failed or was turned away."""
    watch, dedupe = metrics.watch, processor.dedupe
    watch("users", "Users in memory.", lambda: len(processor.users))
    watch("users_unsaved", "Users a restart would replay.", lambda: len(processor.saving.unsaved))
    watch("inbox", "Inputs that wait to be taken.", lambda: shell.inbox.waiting)
    watch("deliveries_held", "Messages held in memory.", lambda: len(dispatcher))
    watch("journal_failing", "1 while commits fail.", lambda: bool(shell.failure))
    metrics.watch_each(
        "condition_errors", "Conditions that failed.", "campaign", lambda: processor.errors
    )
    watch("quarantined", "Items in the quarantine.", lambda: store.quarantine.rows)
    watch(
        "quarantine_dropped",
        "Items that newer ones displaced.",
        lambda: store.quarantine.dropped,
    )
    watch(
        "dead_letters_dropped",
        "Dead letters that newer ones displaced.",
        lambda: store.letters.dropped,
    )
    watch("erased_barred", "Inputs of erased users.", lambda: processor.tombstones.barred)
    watch(
        "dedupe_forgotten",
        "Ids forgotten too soon.",
        lambda: 0 if dedupe is None else dedupe.forgotten,
    )
