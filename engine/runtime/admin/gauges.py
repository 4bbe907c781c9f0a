"""What of the parts at work is read anew each time somebody asks for `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.runtime.dispatcher import Dispatcher
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store


def watch_work(
    metrics: Metrics, shell: Shell, processor: Processor, dispatcher: Dispatcher, store: Store
) -> None:
    """Have `metrics` tell how much there is of what is held, waits, failed or was turned away."""
    watch, dedupe = metrics.watch, processor.dedupe
    watch("users", "Users in memory.", lambda: len(processor.users))
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
        lambda: store.letters_dropped,
    )
    watch("erased_barred", "Inputs of erased users.", lambda: processor.tombstones.barred)
    watch(
        "dedupe_forgotten",
        "Ids forgotten too soon.",
        lambda: 0 if dedupe is None else dedupe.forgotten,
    )
