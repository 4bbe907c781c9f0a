"""Records counted by campaign, hour and kind: what campaigns are held against."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from engine.runtime.alerting.rhythm import HOUR_MS, KEPT_H
from engine.store import CommitFailed, alerting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.store import Store

COUNTED: Final = frozenset({"entered", "sent", "skipped", "delivered", "failed"})
"""Kinds of records that are counted."""

READ_AT_ONCE: Final = 250
"""Records counted in one go: a millisecond in which no commit begins."""

NAME: Final = "hours"

_log = structlog.get_logger("hairspring.alerts")


class _Kept(msgspec.Struct):
    position: int = 0
    since_hour: int | None = None
    counts: dict[str, dict[str, dict[int, int]]] = {}


class Hours:
    """Counts of all campaigns, as far back as they are asked for.

    Attributes:
        since_hour: From which on they are complete; None: nothing was counted yet.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept = _Kept()
        self._saved_at = 0

    async def open(self) -> None:
        """Go on where it was; from the first record there is, the first time. Raises StoreError."""
        raw = await self._store.read(partial(alerting.kept, name=NAME))
        if raw is not None:
            self._kept = msgspec.msgpack.decode(raw, type=_Kept)
            self._saved_at = self._kept.position

    async def read_on(self) -> bool:
        """Count some more; whether there may be yet more. Raises StoreError."""
        kept = self._kept
        work = partial(alerting.count_records, after=kept.position, limit=READ_AT_ONCE)
        kept.position, number, counted = await self._store.read(work)
        for campaign, hour, kind, count in counted:
            if kept.since_hour is None or hour < kept.since_hour:
                kept.since_hour = hour
            if kind in COUNTED:
                hours = kept.counts.setdefault(campaign, {}).setdefault(kind, {})
                hours[hour] = hours.get(hour, 0) + count
        return number == READ_AT_ONCE

    @property
    def since_hour(self) -> int | None:
        """From which hour on counts are complete."""
        return self._kept.since_hour

    def of(self, campaign: str, kind: str) -> Mapping[int, int]:
        """Counts by hour since the epoch; the owner goes on counting in them."""
        return self._kept.counts.get(campaign, {}).get(kind, {})

    def lately(self, campaign: str, kind: str, now_ms: int) -> int:
        """How many in this hour and the one before."""
        hours, hour = self.of(campaign, kind), now_ms // HOUR_MS
        return hours.get(hour, 0) + hours.get(hour - 1, 0)

    async def save(self, now_ms: int) -> None:
        """Keep it, without what is too old, if there is anything new. O(campaigns x hours)."""
        kept = self._kept
        if kept.position == self._saved_at:
            return
        oldest = now_ms // HOUR_MS - KEPT_H
        if kept.since_hour is not None:
            kept.since_hour = max(kept.since_hour, oldest)
        for of_campaign in kept.counts.values():
            for kind, hours in of_campaign.items():
                of_campaign[kind] = {hour: n for hour, n in hours.items() if hour >= oldest}
        raw = msgspec.msgpack.encode(kept)
        try:
            await self._store.transact(partial(alerting.keep, name=NAME, value=raw))
        except CommitFailed as error:
            _log.warning("alerts.unsaved", why=error.message)  # it is counted again from there
        else:
            self._saved_at = kept.position
