"""Shell, dispatcher and store as the process wires them, with doors that a test can hold shut."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from channels.base import CLOSED, Accepted, Channel, Message, Outcome
from channels.templates.parsing import parse_template
from engine.core.inputs import EventReceived
from engine.runtime.clock import Clock
from engine.runtime.dedupe import Dedupe
from engine.runtime.delivery.composing import Composer
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.erasing import Erasing
from engine.runtime.metrics import Metrics
from engine.runtime.processor import Processor
from engine.runtime.shell import Shell
from engine.store import Store
from tests.core.world import HOUR, REACHABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.core.effects import Record
    from engine.core.plan import Plan
    from engine.runtime.processor import Released
    from engine.store import Batch

RATE = 10_000.0
"""Logical milliseconds a real one: a second's wait is over in a tenth of a millisecond."""


class GatedStore(Store):
    """A store whose commits wait at a gate, and fail as they are told."""

    @override
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()
        self.faults: list[Exception] = []
        self.batches: list[Batch] = []
        self.pruned_at_ms: list[int] = []
        self.prune_faults: list[Exception] = []

    @override
    async def commit(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.began.set()
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        await super().commit(batch)

    @override
    async def prune(self, now_ms: int) -> bool:
        self.pruned_at_ms.append(now_ms)
        if self.prune_faults:
            raise self.prune_faults.pop(0)
        return await super().prune(now_ms)


class ScriptedChannel(Channel):
    """Takes what comes, but for the outcomes in its script, and keeps what it was handed.

    Attributes:
        script: What becomes of the next attempts; an exception is raised.
        handed: Every attempt, in order.
        taken: Messages that were accepted.
        gate: Attempts wait here; open unless closed.
    """

    def __init__(self, *script: Outcome | Exception) -> None:
        self.script = list(script)
        self.handed: list[Message] = []
        self.taken: list[Message] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()
        self.closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        if self.closed:
            return CLOSED
        self.handed.append(message)
        self.began.set()
        await self.gate.wait()
        outcome = self.script.pop(0) if self.script else Accepted()
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, Accepted):
            self.taken.append(message)
        return outcome

    @override
    async def aclose(self) -> None:
        self.closed = True


TEMPLATES = {
    ("t", "email"): parse_template(
        "t", "email", "---\nsubject: Hello {{ user.id }}\n---\n<p>{{ event.sku }}</p>", "t.email"
    ),
    ("t", "push"): parse_template(
        "t", "push", "---\ntitle: Hello\n---\nsku {{ event.sku }}", "t.push"
    ),
}


class Rig:
    """One run of a process on a database file."""

    def __init__(self, store: GatedStore, plan: Plan, channels: dict[str, ScriptedChannel]) -> None:
        self.store = store
        self.plan = plan
        self.channels = channels
        self.records: list[Record] = []
        self.changed = asyncio.Event()
        self.working: asyncio.Task[None] | None = None
        self.processor: Processor
        self.shell: Shell
        self.dispatcher: Dispatcher
        self.clock: Clock

    @classmethod
    async def open(
        cls,
        path: Path,
        plan: Plan,
        *,
        rate: float = RATE,
        concurrency: int = 8,
        wall_ns: Callable[[], int] = time.time_ns,  # noqa: TID251 - a machine's own clock
        **channels: ScriptedChannel,
    ) -> Rig:
        """Recover what the file holds; nothing runs before `start`."""
        rig = cls(await GatedStore.open(path), plan, channels)
        recovered = await rig.store.recover(HOUR)
        rig.clock = Clock(recovered.last_at_ms, rate=rate, wall_ns=wall_ns)
        dedupe = Dedupe(HOUR, 10_000)
        for at_ms, hashes in recovered.hashes:
            dedupe.restore(at_ms, hashes)
        rig.processor = Processor(
            plan,
            recovered.users,
            now_ms=recovered.last_at_ms,
            next_input=recovered.next_input,
            next_message=recovered.next_message,
            next_batch=recovered.next_batch,
            log=recovered.log,
            dedupe=dedupe,
        )
        rig.processor.replay(recovered.tail)
        rig.shell = Shell(rig.processor, rig.store, rig.clock, rig.release)
        rig.dispatcher = Dispatcher(
            store=rig.store,
            channels=channels,
            composer=Composer(TEMPLATES, Metrics()),
            processor=rig.processor,
            report=rig.shell.report,
            now_ms=rig.clock.now_ms,
            jitter=lambda: 0.0,
            metrics=Metrics(),
            concurrency=dict.fromkeys(channels, concurrency),
            rate=rate,
        )
        return rig

    def start(self) -> None:
        self.working = asyncio.create_task(self.shell.run())
        self.dispatcher.start()

    async def close(self) -> None:
        await self.dispatcher.stop(1.0)
        if self.working is not None:
            self.working.cancel()
            await asyncio.gather(self.working, return_exceptions=True)
        await self.store.close()

    def release(self, released: Released) -> None:
        self.records += released.records
        self.dispatcher.release(released)
        self.changed.set()

    async def until(self, kind: str, count: int = 1) -> list[Record]:
        """The records of a kind, once there are so many."""
        while len(found := [one for one in self.records if one.kind == kind]) < count:
            self.changed.clear()
            await self.changed.wait()
        return found

    def event(self, name: str = "Go", *, user: str = "u", message: str = "") -> EventReceived:
        now_ms = self.clock.now_ms()
        return EventReceived(user, name, now_ms, now_ms, message_id=message)

    def erasing(self, folder: Path) -> Erasing:
        """Erasures, while what channels of kind `file` have written is in that folder."""
        return Erasing(
            store=self.store,
            shell=self.shell,
            processor=self.processor,
            now_ms=self.clock.now_ms,
            channels=self.channels,
            outbox=folder / "outbox",
        )

    def reachable(self, *users: str, **traits: Any) -> None:
        for user in users:
            self.processor.take(self.event("Other", user=user), self.clock.now_ms())
            self.processor.users[user].traits = {**REACHABLE, **traits}
