"""One life of the process: what serves in production, from its start to its end, on a world's loop.

The store, the restart, the shell, the processor and the dispatcher are the real ones, wired as
`engine.app` wires them. What is missing is HTTP: items are decoded as the server decodes them, and
submitted.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from channels.redirecting import Redirections
from engine.core.intake.items import ItemInvalid, decode_item, read_item
from engine.core.intake.starts import TRIGGER, read_trigger
from engine.errors import HairspringError
from engine.runtime.clock import Clock, check_wall_clock
from engine.runtime.delivery import letters
from engine.runtime.delivery.composing import Composer
from engine.runtime.dispatcher import Dispatcher
from engine.runtime.erasing import Erasing, finish_erasures
from engine.runtime.inbox import Unavailable
from engine.runtime.metrics import Metrics
from engine.runtime.reloading import Reloading
from engine.runtime.restart import come_into_force, restart
from engine.runtime.starting import Outcomes
from engine.sim.world.clients import TAKEN
from engine.sim.world.loop import WorldLoop
from engine.store import Quarantined, Store
from engine.store.backup import back_up

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from channels.base import Channel
    from config import Shop
    from engine.core.inputs import FromClient, TriggerReceived, UserInput
    from engine.runtime.filling import Filling
    from engine.runtime.processor import Processor, Released
    from engine.runtime.shell import Shell
    from engine.sim.world.disk import Disk
    from engine.sim.world.machine import Machine
    from engine.sim.world.providers import Provider
    from engine.sim.world.recipients import Act
    from engine.sim.world.scenario import Chance
    from engine.sim.world.witness import Witness

NOT_KNOWN: Final = 503
NO_FOLDER: Final = Path("/nowhere")
"""Of a shop that is in no folder, and of channels that write no files."""

DRAIN_S: Final = 10.0

_METRICS = Metrics()
"""Counted by every world and read by none: making one takes longer than many a start."""


class Process:
    """One run of the process.

    Attributes:
        loop: Its own; whoever has the world takes its turns.
        is_open: Whether clients are served.
        ended: Why it ended, once it has: "drained", or what the process would have said.
        under_erasure: Users whom somebody waits to hear are erased.
    """

    def __init__(
        self,
        shop: Shop,
        machine: Machine,
        disk: Disk,
        providers: Mapping[str, Provider],
        witness: Witness,
        chance: Chance,
        *,
        accept_clock: bool,
    ) -> None:
        self.loop = WorldLoop(machine)
        self.is_open = False
        self.ended = ""
        self.under_erasure: set[str] = set()
        self.processor: Processor
        self.shell: Shell
        self.dispatcher: Dispatcher
        self._shop = shop
        self._machine = machine
        self._disk = disk
        self._providers = providers
        self._witness = witness
        self._chance = chance
        self._accept_clock = accept_clock
        self._look_ns = machine.look_ns
        self._requests: set[asyncio.Task[object]] = set()
        self._operated: set[asyncio.Task[object]] = set()
        with self.loop.running():
            self._told_to_stop = asyncio.Event()
            self._main = self.loop.create_task(self._run())

    def stop(self) -> None:
        """Tell it to drain and end, as SIGTERM does."""
        with self.loop.running():
            self._told_to_stop.set()

    def take(self, items: Sequence[bytes], answer: Callable[[int], None]) -> None:
        """A request with these items has come in; `answer` has the status, if one is given."""
        with self.loop.running():
            self._have_done(self._serve(items, answer), self._requests)

    def hear(self, act: Act, answer: Callable[[int], None]) -> None:
        """Somebody does something with a message, or states a consent."""
        with self.loop.running():
            self._have_done(self._hear(act, answer), self._requests)

    def reload(self, shop: Shop) -> None:
        """Take a changed shop on, as SIGHUP has it done once it is read."""
        with self.loop.running():
            work = partial(self._reloading.put_into_force, shop)
            self._have_done(_until_it_fails(work), self._operated)

    def revive(self, told: Callable[[], None]) -> None:
        """Have all dead letters delivered; `told` is called once that is on its way, for some."""
        with self.loop.running():
            work = partial(self._revive, told)
            self._have_done(_until_it_fails(work), self._operated)

    def back_up(self, path: Path, made: Callable[[], None]) -> None:
        """Copy the database, while all goes on; `made` is called once there is a backup."""
        with self.loop.running():
            work = partial(self._back_up, path, made)
            self._have_done(_until_it_fails(work), self._operated)

    def _have_done(
        self, work: Coroutine[Any, Any, object], tasks: set[asyncio.Task[object]]
    ) -> None:
        task = self.loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def erase(self, user_id: str, told: Callable[[], None]) -> None:
        """A request to erase a user has come in; `told` is called if it is answered with a yes."""
        if user_id in self.under_erasure:
            return
        self.under_erasure.add(user_id)
        with self.loop.running():
            self._have_done(self._erase(user_id, told), self._operated)

    def check(self) -> None:
        """Notice the end of the main task, and what nobody handled."""
        if self._main.done() and not self.ended:
            self.is_open = False
            error = self._main.exception()
            if isinstance(error, HairspringError):
                self.ended = error.code
            elif error is not None:
                raise error
            else:
                self.ended = "drained"
        for fault in self.loop.faults:
            raise fault.get("exception") or RuntimeError(fault["message"])

    async def _run(self) -> None:
        storage, events = self._shop.settings.storage, self._shop.settings.events
        self._store = store = await Store.open(
            self._disk.path,
            sync=storage.sync,
            keep_ms=max(events.keep_ms, events.dedupe_window_ms),
            worker=self._disk.serve(self.loop),
        )
        self._witness.see_opened()
        await finish_erasures(store, NO_FOLDER)
        self._witness.see_what_is_there()
        restarted = await restart(self._shop, store, self._release, self._start_clock)
        clock, processor, shell = restarted.clock, restarted.processor, restarted.shell
        self.processor, self.shell = processor, shell
        self._witness.see_restart(processor, clock, self._shop)
        self._machine.look_ns = self._look_ns
        processor.on_fired = self._witness.see_fired
        channels = {name: provider.connect() for name, provider in self._providers.items()}
        self.dispatcher = Dispatcher(
            store=store,
            channels=channels,
            composer=Composer(restarted.templates, _METRICS),
            processor=processor,
            report=shell.report,
            now_ms=clock.now_ms,
            jitter=self._chance.random,
            metrics=_METRICS,
            concurrency=dict.fromkeys(channels, 2),
        )
        self._clock = clock
        self._set_up_operating(channels, restarted.filling)
        working = self.loop.create_task(shell.run())
        if restarted.waits:
            coming = partial(come_into_force, self._shop, restarted)
            self._have_done(_until_it_fails(coming), self._operated)
        self.dispatcher.start()
        self.is_open = True
        stopping: asyncio.Future[Any] = self.loop.create_task(self._told_to_stop.wait())
        ends: list[asyncio.Future[Any]] = [working, self.dispatcher.broken]
        await asyncio.wait([stopping, *ends], return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            if end.done():
                end.result()
        self.is_open = False
        await self.dispatcher.stop(DRAIN_S)
        await self._cut_off()
        shell.stop_taking()
        settled = self.loop.create_task(shell.settle())
        await asyncio.wait([settled, working], return_when=asyncio.FIRST_COMPLETED)
        for end in (working, settled):
            if end.done():
                end.result()  # what cannot be mended ends the work, in a drain too
        working.cancel()
        await asyncio.wait([working])
        await store.close()

    async def _cut_off(self) -> None:
        """Cut off who asked for an erasure or a plan, as the admin port does.

        The next start ends the one, and begins the other anew.
        """
        for task in self._operated:
            task.cancel()
        await asyncio.gather(*self._operated, return_exceptions=True)

    def _set_up_operating(self, channels: Mapping[str, Channel], filling: Filling) -> None:
        self._erasing = Erasing(
            store=self._store,
            shell=self.shell,
            processor=self.processor,
            now_ms=self._clock.now_ms,
            channels=channels,
            outbox=NO_FOLDER,
        )
        self._reloading = Reloading(
            NO_FOLDER,
            self._shop.settings,
            shell=self.shell,
            processor=self.processor,
            composer=self.dispatcher.composer,
            filling=filling,
            redirections=Redirections({}),
        )

    async def _erase(self, user_id: str, told: Callable[[], None]) -> None:
        self._witness.see_erasure_begun(user_id)
        try:
            await self._erasing.erase(user_id)
        except HairspringError:
            return  # who asked will ask again
        finally:
            self.under_erasure.discard(user_id)
        self._witness.see_erased(user_id)
        told()

    async def _revive(self, told: Callable[[], None]) -> None:
        chosen = letters.Chosen(all=True)
        parts = self._store, self.shell, self.processor
        came = await letters.retry(*parts, chosen, lambda *_: None)
        if came.retried:
            told()

    async def _back_up(self, path: Path, made: Callable[[], None]) -> None:
        known = self._witness.known()
        await back_up(self._store, path, self._clock.now_ms())
        self._witness.see_backup(path, known)
        made()

    def _release(self, released: Released) -> None:
        self._witness.see_released(released)
        self.dispatcher.release(released)

    def _start_clock(self, last_at_ms: int) -> Clock:
        machine = self._machine
        if not self._accept_clock:
            check_wall_clock(last_at_ms, machine.wall_ns)
        # All that a start says is of one instant, so that the witness can tell which.
        machine.look_ns = 0
        return Clock(last_at_ms, wall_ns=machine.wall_ns, monotonic_ns=machine.monotonic_ns)

    async def _serve(self, items: Sequence[bytes], answer: Callable[[int], None]) -> None:
        received_at_ms = self._clock.now_ms()
        inputs: list[UserInput] = []
        quarantined: list[Quarantined] = []
        for data in items:
            try:
                inputs.append(_read(data, received_at_ms))
            except ItemInvalid as fault:
                kept = Quarantined(received_at_ms, "world", fault.path, fault.message, data)
                quarantined.append(kept)
        await self._submit(inputs, quarantined, sum(map(len, items)), answer)

    async def _hear(self, act: Act, answer: Callable[[int], None]) -> None:
        if self.processor.find(act.user_id) is None:
            answer(TAKEN)  # the doors take nothing of somebody whom nobody knows
            return
        await self._submit(act.inputs(self._clock.now_ms()), [], 0, answer)

    async def _submit(
        self,
        inputs: list[UserInput],
        quarantined: list[Quarantined],
        size_bytes: int,
        answer: Callable[[int], None],
    ) -> None:
        outcomes = Outcomes()
        try:
            await self.shell.submit(inputs, quarantined, size_bytes, outcomes.tell)
        except Unavailable:
            answer(NOT_KNOWN)
        else:
            self._witness.see_answered(inputs)
            self._witness.see_started(inputs, outcomes.started)
            answer(TAKEN)


def _read(data: bytes, received_at_ms: int) -> FromClient | TriggerReceived:
    """An item as the server reads it; whoever says it, a manual start is one, too."""
    item = decode_item(data)
    if item.type != TRIGGER:
        return read_item(item, received_at_ms)
    started = read_trigger(data)
    started.received_at_ms = received_at_ms
    return started


async def _until_it_fails(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Do what only the log tells of where the journal cannot be written any more.

    It begins with its task: a crash may come before.
    """
    with suppress(HairspringError):
        await work()
