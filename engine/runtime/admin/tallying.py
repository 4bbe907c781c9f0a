"""Keeps what every campaign did: counted as batches are released, saved now and then.

What was saved bears the number of the newest record in it. At a start the records behind that are
read from the database, a slice at a time; until that has caught up, released records are left to be
read there too, so that each is counted once, in order. Refusals are in no table: those since the
last saving are lost with a process that is killed.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from engine.core.effects import Record
from engine.core.reports.tallies import HOUR_MS, Tallies, Tally
from engine.errors import StoreError
from engine.store import archive, streaming
from engine.store import tallies as stored

if TYPE_CHECKING:
    from engine.core.effects import Effect
    from engine.runtime.processor import Processor, Released
    from engine.store import Store

SLICE: Final = 256
"""Records that are read and counted at once: under a millisecond."""

SAVED_EVERY_S: Final = 15.0

_log = structlog.get_logger("hairspring")
_decode = msgspec.json.Decoder(Record).decode


class Tallying:
    """The tallies of one store.

    Args:
        store: Open; nothing is released of it before `open` is done.
        processor: Whose plan says what goals are put down to, and whose time what is kept.

    Attributes:
        tallies: What was counted.
    """

    def __init__(self, store: Store, processor: Processor) -> None:
        self.tallies = Tallies()
        self._store = store
        self._processor = processor
        self._seen = self._newest = self._saved = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read what was saved. O(campaigns * hours). Raises StoreError."""
        saved = await self._store.read(stored.read)
        for campaign, hour, counts in saved.rows:
            if hour == stored.IN_ALL:
                self.tallies.campaigns[campaign] = Tally(counts)
            elif campaign in self.tallies.campaigns:
                self.tallies.campaigns[campaign].take(hour, counts)
        self._seen = self._saved = saved.seen
        self._newest = max(saved.seen, await self._store.read(archive.next_record) - 1)

    def start(self) -> None:
        """Catch up, and save now and then, until `stop`."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Save what was counted, as far as that goes: what is not is counted again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self.save()
        except StoreError as error:
            _log.warning("tallies.unsaved", why=error.message, hint="they are counted again")

    @property
    def behind(self) -> int:
        """How many records are still to be counted."""
        return self._newest - self._seen

    def released(self, released: Released) -> None:
        """Count what a batch let out. O(records)."""
        records = released.records
        if not records:
            return
        kept = sum([record.kind != "refused" for record in records])
        if self._newest > self._seen:
            records = [record for record in records if record.kind == "refused"]
        else:
            self._seen += kept
        self._newest += kept
        self.tallies.count(records, self._processor.plan)

    def late(self, effects: list[Effect], start: int, now_ms: int, rate: float) -> None:
        """Count how late deadlines made what is in `effects` from a place on. O(that)."""
        for effect in effects[start:]:
            if type(effect) is Record:
                at_ms = effect.at_ms
                self.tallies.late(effect.campaign, at_ms, (now_ms - at_ms) / rate)

    async def catch_up(self) -> None:
        """Count the records that are not yet, in slices. Raises StoreError."""
        while self._seen < self._newest:
            # All up to here is durable; what is released while it is read comes with the next.
            until = self._newest
            rows = await self._store.read(partial(streaming.records, after=self._seen, limit=SLICE))
            records = [_decode(raw) for number, raw in rows if number <= until]
            self.tallies.count(records, self._processor.plan)
            self._seen = rows[-1][0] if len(records) == SLICE else until

    async def save(self) -> None:
        """Save what changed since the last time; hours older than records are kept go.

        O(what changed). Raises StoreError.
        """
        tallies, seen = self.tallies, self._seen
        tallies.fold()
        changed, tallies.changed = tallies.changed, set()
        if not changed and seen == self._saved:
            return
        dropped = self._drop(self._processor.now_ms - self._store.keep_ms)
        changed = {one for one in changed if one[0] in tallies.campaigns}
        rows = [
            (campaign, stored.IN_ALL, tallies.campaigns[campaign].encode())
            for campaign in {campaign for campaign, _ in changed}
        ]
        rows += [(name, hour, tallies.campaigns[name].encode_hour(hour)) for name, hour in changed]
        try:
            await self._store.transact(partial(stored.write, rows=rows, dropped=dropped, seen=seen))
        except StoreError:
            tallies.changed |= changed
            raise
        self._saved = seen
        newest = max((hour for _, hour in changed), default=0)
        for campaign, _ in changed:
            tallies.campaigns[campaign].pack(newest)

    def _drop(self, before_ms: int) -> list[tuple[str, int]]:
        """Let go of hours before an instant, and of campaigns that are gone and have none."""
        gone: list[tuple[str, int]] = []
        plan = self._processor.plan
        for campaign, tally in [*self.tallies.campaigns.items()]:
            gone += [(campaign, hour) for hour in tally.drop(before_ms // HOUR_MS)]
            if not tally.hours and campaign not in plan.campaigns:
                del self.tallies.campaigns[campaign]
                gone.append((campaign, stored.IN_ALL))
        return gone

    async def _run(self) -> None:
        try:
            while True:
                await self._keep()
                await asyncio.sleep(SAVED_EVERY_S)
        except Exception:  # noqa: BLE001 - counts are no reason to end the work
            hint = "what campaigns did is not counted on; please report this"
            _log.exception("tallies.broke", hint=hint)

    async def _keep(self) -> None:
        try:
            await self.catch_up()
            await self.save()
        except StoreError as error:
            _log.warning("tallies.unsaved", why=error.message, hint="it is tried again")
