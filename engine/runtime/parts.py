"""The parts of a running process that most of its doors are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from engine.runtime.clock import Clock
    from engine.runtime.metrics import Metrics
    from engine.runtime.processor import Processor
    from engine.runtime.shell import Shell
    from engine.store import Store


class Parts(NamedTuple):
    """At work, or about to be."""

    store: Store
    shell: Shell
    processor: Processor
    clock: Clock
    metrics: Metrics
