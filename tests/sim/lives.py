"""A run that a seed makes up, on a database: batches, restarts, changes of the shop."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING

import msgspec

from config import decode_content, load_shop
from engine.core.inputs import (
    DeliveryReported,
    EventImported,
    EventReceived,
    TriggerReceived,
    UserIdentified,
)
from engine.runtime.admin.tallying import Tallying
from engine.runtime.clock import Clock
from engine.runtime.restart import restart
from engine.sim.world.shop import world_shop

if TYPE_CHECKING:
    from config import Shop
    from engine.runtime.processor import Processor
    from engine.store import Store

START_AT_MS = 1_767_225_600_000
KEEP_MS = 40_000
EVENTS = ("Product Added", "Product Viewed", "Order Completed", "Signed Up", "Other")


def short_lived(shop: Shop) -> Shop:
    """The same, that keeps what happened for less than a minute."""
    files = decode_content(shop.content)
    settings = files["hairspring.toml"].replace('dedupe_window = "30d"', 'dedupe_window = "40s"')
    files["hairspring.toml"] = settings.replace("[events]", '[events]\nkeep = "40s"')
    return load_shop(files)


def changed(shop: Shop) -> Shop:
    """The same with another wait, a campaign that is gone, and one whose steps are others."""
    files = decode_content(shop.content)
    cart = files["campaigns/cart.yaml"]
    files["campaigns/cart.yaml"] = cart.replace("wait: 40s", "wait: 20s").replace("2s", "3s")
    del files["campaigns/browse.yaml"]
    receipt = files["campaigns/receipt.yaml"]
    files["campaigns/receipt.yaml"] = receipt.replace("id: pause", "id: other")
    return load_shop(files)


class Run:
    """A life that a seed makes up: batches, restarts in the midst of one, changes of the shop."""

    def __init__(self, store: Store, seed: int, *, archives: bool) -> None:
        self.store = store
        self.random = Random(seed)
        self.archives = archives
        self.now_ms = START_AT_MS
        shop = short_lived(world_shop())
        self.shops = [shop, changed(shop)]

    async def live(self, *, spans: int) -> None:
        for _ in range(spans):
            processor = await self.start()
            for _ in range(self.random.randrange(1, 12)):
                self.now_ms += self.random.choice((0, 3, 700, 2_000, 9_000))
                self.take_some(processor)
                await self.commit(processor)
                if self.archives:
                    await self.tidy_up()
            if self.random.random() < 0.5:
                self.take_some(processor)  # what nobody acknowledged is gone with the process
            self.now_ms += self.random.choice((1, 5_000, 60_000))

    async def start(self) -> Processor:
        def clock(last_at_ms: int) -> Clock:
            at_ns = self.now_ms * 1_000_000
            return Clock(last_at_ms, wall_ns=lambda: at_ns, monotonic_ns=lambda: 0)

        shop = self.shops[self.random.random() < 0.3]
        return (await restart(shop, self.store, lambda _: None, clock)).processor

    def take_some(self, processor: Processor) -> None:
        random = self.random
        if random.random() < 0.7:
            processor.advance(self.now_ms)
        for _ in range(random.randrange(3)):
            user, name = random.choice("uvwxyz"), random.choice(EVENTS)
            at_ms = self.now_ms - random.choice((0, 0, 10, 4_000))
            said = {"price": random.randrange(50), "sku": random.choice("ab"), "order": at_ms % 7}
            raw = msgspec.Raw(msgspec.json.encode(said))
            form = EventImported if random.random() < 0.1 else EventReceived
            processor.take(form(user, name, at_ms, at_ms, raw), self.now_ms)
        if random.random() < 0.4:
            user = random.choice("uvwxyz")
            traits = {"email": f"{user}@example.com", "consent": {"email": random.random() < 0.8}}
            raw = msgspec.Raw(msgspec.json.encode(traits))
            processor.take(UserIdentified(user, self.now_ms, self.now_ms, raw), self.now_ms)
        if random.random() < 0.3:
            raw = msgspec.Raw(msgspec.json.encode({"twice": random.random() < 0.5}))
            campaign = random.choice(("hand", "hand", "cart", "lapse"))
            started = TriggerReceived(random.choice("uvwxyz"), campaign, self.now_ms, raw)
            processor.take(started, self.now_ms)
        if random.random() < 0.3:
            processor.sweep(lambda: False)

    async def commit(self, processor: Processor) -> None:
        batch = processor.begin(self.now_ms)
        if batch is None:
            return
        await self.store.commit(batch)
        for _, message in processor.finish(batch).messages:
            outcome = self.random.choice(("delivered", "delivered", "failed"))
            reason = "no" if outcome == "failed" else ""
            report = DeliveryReported(message.user_id, message.id, outcome, reason)
            processor.take(report, self.now_ms)

    async def tidy_up(self) -> None:
        while await self.store.keep_archive(self.now_ms):
            pass
        while await self.store.prune(self.now_ms):
            pass


async def count_records(store: Store, run: Run) -> None:
    """Have what campaigns did counted and saved, as a process does now and then."""
    tallying = Tallying(store, await run.start())
    await tallying.open()
    await tallying.catch_up()
    await tallying.save()
