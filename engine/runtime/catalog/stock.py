"""What messages find beside their person: the shop's products, and codes from its pools.

Products come from a file of the shop or an address, are looked at again on an interval, and take
the place of those before only where they can be read; the last good ones of an address are kept in
the data folder, so that a start does not depend on it. Codes are given out in a commit of their own
before the message that tells them is rendered.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from channels.feed import FEED_BYTES_MAX, Feed, FeedFault, read_feed
from channels.templates.shelf import Shelf
from config.coupons import read_pools
from config.faults import Findings
from engine.errors import StoreError
from engine.failpoints import come_to
from engine.runtime.again import until_committed
from engine.runtime.aside import aside
from engine.runtime.catalog.kept import KeptFeed, keep, read_kept
from engine.runtime.catalog.recommending import Recommending
from engine.runtime.delivery.composing import Unmade
from engine.store import coupons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from channels.rendering import Template
    from config.settings import Settings
    from engine.core.effects import SendMessage
    from engine.runtime.metrics import Metrics
    from engine.store import Store

NO_COUPON: Final = "no_coupon"
"""Why a message is skipped whose pool has no code left."""

_TRIES_AGAIN_S: Final = 30.0
_LEFT_OUT_MAX: Final = 0.5

_log = structlog.get_logger("hairspring.catalog")


Named: TypeAlias = "Mapping[str, Mapping[str, object] | Unmade]"
"""What templates may name beside snapshots, by message id; or why there will be no message."""


class Exhausted(Unmade):
    """A pool that a message takes a code from has none left: no other channel has one, either."""

    outcome = "cancelled"


class Stock:
    """Products and codes of one process.

    Args:
        store: Where codes are given out, and whose journal says what goes together.
        settings: The shop's, until others are taken on (`follow`).
        folder: The shop's folder; None: neither files nor pools.
        data: The data folder.
        metrics: Where products and codes left are told.

    Attributes:
        shelf: The products; None where the shop has no catalog.
        recommending: What goes together; None likewise.
        ids_of: All ids of a user, his own first; for whoever knows of merges to set.
        left: How many codes of each pool are nobody's.
        failures: How often products could not be read since the start.
    """

    def __init__(
        self, store: Store, settings: Settings, folder: Path | None, data: Path, metrics: Metrics
    ) -> None:
        self.ids_of: Callable[[str], tuple[str, ...]] = lambda user_id: (user_id,)
        self._store = store
        self._catalog = settings.catalog
        self._key = settings.collections["recent"].key
        self._low = settings.coupons.low
        self._folder = folder
        self._data = data
        self._tag = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._reading_pools = asyncio.Lock()
        self._refreshing = asyncio.Lock()
        self._following = asyncio.Lock()
        self.left: dict[str, int] = {}
        self.failures = 0
        self.shelf: Shelf | None = None
        self.recommending: Recommending | None = None
        metrics.watch("catalog_products", "Products of the catalog.", lambda: len(self.shelf or ()))
        metrics.watch(
            "catalog_failures", "Times that no products were read.", lambda: self.failures
        )
        metrics.watch_each(
            "coupons_left", "Codes that are nobody's.", "pool", lambda: self.left, kind="gauge"
        )

        metrics.watch_each(
            "coupons_low", "Whether that is coupons.low or less.", "pool", self._low_pools, "gauge"
        )

    async def open(self) -> Self:
        """Read pools and products in, as far as they are at hand, and begin to look for more."""
        await self.read_pools()
        await self._begin()
        return self

    async def aclose(self) -> None:
        """Look for nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def follow(self, settings: Settings) -> None:
        """Take on settings that may be others, and look at pools and products again.

        Until the first ones of another feed can be read, the products are those that there were.
        What goes together is counted anew where other events say it.
        """
        async with self._following:
            self._low = settings.coupons.low
            before = self._catalog, self._key
            self._catalog, self._key = settings.catalog, settings.collections["recent"].key
            if before != (self._catalog, self._key):
                await self.aclose()
                self._tag = ""
                counted = self._catalog.viewed, self._catalog.bought, self._key
                if counted != (before[0].viewed, before[0].bought, before[1]):
                    self.recommending = None
                await self._begin()
            await self.look_again()

    async def _begin(self) -> None:
        """Have products, if the shop has a catalog, and look for more from then on."""
        if not (self._catalog.file or self._catalog.url):
            self.shelf = self.recommending = None
            return
        if self.recommending is None:
            self.recommending = Recommending(self._store, self._catalog, self._key)
        together = self.recommending.together
        catalog = None if self.shelf is None else self.shelf.catalog
        self.shelf = Shelf(catalog, suggest=together.suggest, owned=together.owned)
        if self._catalog.url:
            await self._take_kept()
        else:
            await self.refresh()
        self._tasks = [
            asyncio.create_task(self._refresh_all()),
            asyncio.create_task(self.recommending.run()),
        ]

    async def look_again(self) -> None:
        """Read pools and products again."""
        try:
            await self.read_pools()
        except StoreError as error:
            _log.warning("coupons.unread", why=error.message)
        if self.shelf is not None:
            await self.refresh()

    def forget(self, ids: Sequence[str]) -> None:
        """Keep nothing more in memory of a user who is erased."""
        if self.recommending is not None:
            self.recommending.forget(ids)

    # Codes

    async def read_pools(self) -> None:
        """Read pools whose files have changed into the store. Raises CommitFailed, StoreError."""
        if self._folder is None:
            return
        async with self._reading_pools:  # of two at once, each would let go of the other's codes
            await self._read_pools(self._folder)

    async def _read_pools(self, folder: Path) -> None:
        findings = Findings()
        pools = await aside(partial(read_pools, folder, findings))
        for fault in findings.faults:
            _log.warning("coupons.fault", why=str(fault))
        known = await self._store.read(coupons.digests)
        for name, pool in pools.items():
            if known.get(name) == pool.digest:
                continue
            reading = await self._store.transact(partial(coupons.begin, pool=name))
            for place in range(0, len(pool.codes), coupons.SLICE_CODES):
                some = pool.codes[place : place + coupons.SLICE_CODES]
                await self._store.transact(
                    partial(coupons.add, pool=name, reading=reading, codes=some)
                )
            drop = partial(coupons.drop_others, pool=name, reading=reading)
            while await self._store.transact(drop):
                pass
            await self._store.transact(partial(coupons.finish, pool=name, digest=pool.digest))
            _log.info("coupons.read", pool=name, codes=len(pool.codes))
        self.left = await self._store.read(coupons.left)

    async def names_for(
        self,
        messages: Sequence[SendMessage],
        templates: Mapping[tuple[str, str], Template],
    ) -> dict[str, Mapping[str, object] | Unmade]:
        """What templates may name beside snapshots, by message id: `catalog`, and `coupons`.

        Each user's code of each pool that his template names is his, durably, before this returns:
        one commit for all. Where a pool has none left, it is Exhausted. Raises CommitFailed.
        """
        shelf: dict[str, object] = {} if self.shelf is None else {"catalog": self.shelf}
        named: dict[str, Mapping[str, object] | Unmade] = {one.id: shelf for one in messages}
        taking = [
            (message, template)
            for message in messages
            if (template := templates.get((message.template, message.channel))) and template.pools
        ]
        wanted: list[coupons.Wanted]
        wanted = [
            (self.ids_of(one.user_id), one.at_ms, list(template.pools)) for one, template in taking
        ]
        assigned = await self._assign(wanted) if wanted else []
        for (message, template), (codes, fresh) in zip(taking, assigned, strict=True):
            if len(codes) < len(template.pools):
                lacking = sorted(template.pools.keys() - codes.keys())
                _log.warning("coupons.empty", pools=lacking, template=message.template)
                named[message.id] = Exhausted(NO_COUPON)
            else:
                named[message.id] = {**shelf, "coupons": codes}
            self._count(fresh)
        return named

    def _low_pools(self) -> dict[str, float]:
        return {pool: float(left <= self._low) for pool, left in self.left.items()}

    def _count(self, fresh: list[str]) -> None:
        for pool in fresh:
            left = self.left[pool] = self.left.get(pool, 1) - 1
            if left == self._low or not left:
                _log.warning("coupons.low", pool=pool, left=left)

    async def _assign(self, wanted: Sequence[coupons.Wanted]) -> list[coupons.Given]:
        work = partial(coupons.assign_each, wanted=wanted)
        given = await until_committed(partial(self._store.transact, work))
        come_to("after-coupons")
        return given

    # Products

    async def _refresh_all(self) -> None:
        wait_s = 0.0 if self._catalog.url else self._catalog.refresh_ms / 1000
        while True:
            await asyncio.sleep(wait_s)
            done = await self.refresh()
            every_s = self._catalog.refresh_ms / 1000
            wait_s = every_s if done else min(every_s, _TRIES_AGAIN_S)

    async def refresh(self) -> bool:
        """Look whether there are other products, and take them; whether that could be told."""
        async with self._refreshing:  # or an older answer may come last, and is kept
            told = await (self._fetch() if self._catalog.url else self._look())
        if told:
            self.failures += 1
            _log.warning("catalog.kept", why=told, products=len(self.shelf or ()))
        return not told

    async def _look(self) -> str:
        if self._folder is None:
            return "the shop has no folder"
        try:
            file = self._folder / self._catalog.file
            status = file.stat()
            tag = f"{status.st_mtime_ns} {status.st_size}"
            if tag == self._tag:
                return ""
            if status.st_size > FEED_BYTES_MAX:
                return f"{self._catalog.file} has {status.st_size} bytes"
            data = await aside(file.read_bytes)
        except OSError as error:
            return f"{self._catalog.file} cannot be read: {error.strerror}"
        return await self._take(data, file.suffix.removeprefix("."), tag)

    async def _fetch(self) -> str:
        from channels.fetching import fetch

        answer = await fetch(
            self._catalog.url,
            authorization=self._catalog.authorization,
            tag=self._tag,
            bytes_max=FEED_BYTES_MAX,
        )
        if answer is None:
            return ""
        if isinstance(answer, str):
            return answer
        told = await self._take(answer.data, answer.kind, answer.tag)
        if not told:
            feed = KeptFeed(answer.kind, answer.tag, answer.data)
            try:
                await aside(partial(keep, self._data, self._catalog.url, feed))
            except OSError as error:
                _log.warning("catalog.unkept", why=error.strerror)
        return told

    async def _take_kept(self) -> None:
        """The last good products of this address, if there are any."""
        kept = await aside(partial(read_kept, self._data, self._catalog.url))
        if kept is not None:
            await self._take(kept.data, kept.kind, kept.tag)

    async def _take(self, data: bytes, kind: str, tag: str) -> str:
        """Put products on the shelf; why not, or ""."""
        assert self.shelf is not None
        try:
            feed: Feed = await aside(partial(read_feed, data, kind, self._catalog.fields))
        except FeedFault as fault:
            return fault.message
        rows = len(feed.catalog) + feed.left_out
        if self.shelf and feed.left_out > rows * _LEFT_OUT_MAX:
            return f"{feed.left_out} of {rows} rows are no products: {feed.faults[0]}"
        self.shelf.catalog, self._tag = feed.catalog, tag
        _log.info(
            "catalog.taken",
            products=len(feed.catalog),
            left_out=feed.left_out,
            faults=list(feed.faults),
        )
        return ""
