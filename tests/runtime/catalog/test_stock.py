from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from config import load_folder
from engine.app import App, Options
from engine.core.inputs import EventReceived, UserIdentified, UsersMerged
from engine.runtime.admin.dossier import export
from engine.runtime.aside import aside
from engine.runtime.catalog import recommending as recommending_module
from engine.store import coupons
from tests.core.world import START

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CAMPAIGN = """campaign: hello
purpose: transactional
enter:
  event: Signed Up
  reentry: always
steps:
  - send: sms
    template: hello
    id: hello
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    for name in ("campaigns", "coupons", "templates"):
        (shop / name).mkdir(parents=True)
    (shop / "hairspring.toml").write_text("")
    (shop / "campaigns/hello.yaml").write_text(CAMPAIGN)
    (shop / "coupons/spring.txt").write_text("A-1\nB-2\n")
    (shop / "templates/hello.sms.liquid").write_text("{{ coupons.spring }}")
    return shop


async def _start(folder: Path) -> App:
    options = Options(data=folder.parent / "data", folder=folder, port=0)
    return await App.start(load_folder(folder), options)


def _event(user_id: str, name: str = "Signed Up", **properties: Any) -> EventReceived:
    raw = msgspec.Raw(msgspec.json.encode(properties))
    return EventReceived(user_id, name, START, START, raw)


async def _say(app: App, *inputs: Any) -> None:
    await app.shell.submit(list(inputs))


def _known(user_id: str) -> UserIdentified:
    return UserIdentified(user_id, START, START, msgspec.Raw(b'{"phone": "+33600000000"}'))


def _merged(user_id: str, merged_id: str) -> UsersMerged:
    traits = msgspec.Raw(b"{}")
    return UsersMerged(user_id, START, START, traits, merged_id=merged_id, is_alias=True)


async def _sent(folder: Path, count: int) -> list[dict[str, Any]]:
    """The messages of the transport `file`, once there are so many."""
    file = folder.parent / "data/outbox/sms.ndjson"
    while True:
        lines = file.read_bytes().splitlines() if file.exists() else []
        if len(lines) >= count:
            return [msgspec.json.decode(line) for line in lines]
        await asyncio.sleep(0.01)


async def _settle(app: App) -> None:
    """Until nothing waits to be delivered."""
    while len(app.dispatcher) or await app.store.count("outbox"):
        await asyncio.sleep(0.01)


async def test_everybody_has_one_code_and_no_code_has_two(folder: Path) -> None:
    app = await _start(folder)
    for user in ("ann", "bob", "ann"):
        await _say(app, _known(user), _event(user))
        await _settle(app)
    bodies = [(one["user_id"], one["body"]) for one in await _sent(folder, 3)]
    assert bodies == [("ann", "A-1"), ("bob", "B-2"), ("ann", "A-1")]
    assert app.stock.left == {"spring": 0}
    assert 'hairspring_coupons_left{pool="spring"} 0.0' in app.metrics.render().decode()
    await app.stop()


async def test_a_message_whose_pool_is_empty_is_skipped_and_says_so(folder: Path) -> None:
    (folder / "coupons/spring.txt").write_text("A-1\n")
    app = await _start(folder)
    await _say(app, _known("ann"), _event("ann"))
    await _say(app, _known("bob"), _event("bob"))
    await _settle(app)
    (sent,) = await _sent(folder, 1)
    assert sent["body"] == "A-1"
    user = app.processor.users["bob" if sent["user_id"] == "ann" else "ann"]
    assert user.pending == ()
    assert 'reason="no_coupon"' in app.metrics.render().decode()
    await app.stop()


async def test_codes_stay_given_over_restarts_and_new_ones_come_by_a_reload(folder: Path) -> None:
    app = await _start(folder)
    await _say(app, _known("ann"), _event("ann"))
    await _settle(app)
    await app.stop()
    (folder / "coupons/spring.txt").write_text("A-1\nC-3\n")  # B-2 is withdrawn, nobody had it
    app = await _start(folder)
    assert app.stock.left == {"spring": 1}
    await _say(app, _known("bob"), _event("bob"))
    await _settle(app)
    (folder / "coupons/spring.txt").write_text("A-1\nC-3\nD-4\n")
    assert app.reloading is not None
    await app.reloading.reload()
    await _say(app, _known("cid"), _event("cid"))
    await _settle(app)
    assert [one["body"] for one in await _sent(folder, 3)] == ["A-1", "C-3", "D-4"]
    await app.stop()


async def test_two_reloads_at_once_lose_no_code(folder: Path) -> None:
    app = await _start(folder)
    codes = [f"C-{number}" for number in range(2 * coupons.SLICE_CODES)]
    (folder / "coupons/spring.txt").write_text("\n".join(codes))
    await asyncio.gather(app.stock.look_again(), app.stock.look_again())
    assert app.stock.left == {"spring": len(codes)}
    await app.stop()


async def test_an_erased_users_code_stays_taken_and_is_nobodys_any_more(folder: Path) -> None:
    app = await _start(folder)
    await _say(app, _known("ann"), _event("ann"))
    await _settle(app)
    assert await app.store.read(lambda c: coupons.held(c, "ann"))
    await app.erasing.erase("ann")
    held = await app.store.read(lambda c: c.execute("SELECT code, is_taken, holder FROM coupons"
                                                    " ORDER BY number").fetchall())  # fmt: skip
    assert held == [("A-1", 1, None), ("B-2", 0, None)]
    await app.stop()


async def test_whoever_turns_out_to_be_one_user_has_the_earlier_code_of_both(folder: Path) -> None:
    app = await _start(folder)
    for user in ("anon", "ann"):
        await _say(app, _known(user), _event(user))
        await _settle(app)
    await _say(app, _merged("ann", "anon"), _event("ann"))
    await _settle(app)
    assert [one["body"] for one in await _sent(folder, 3)] == ["A-1", "B-2", "A-1"]
    made = b"".join([
        piece async for piece in export(
            app.store, folder, app.processor.ids_of("anon"), None, made_at_ms=START)
    ])  # fmt: skip
    told = msgspec.json.decode(made)
    assert [(one["pool"], one["code"]) for one in told["coupons"]] == [
        ("spring", "A-1"),
        ("spring", "B-2"),
    ]
    await app.stop()


async def test_of_a_crowd_each_has_a_code_of_his_own_and_few_left_are_told(folder: Path) -> None:
    (folder / "coupons/spring.txt").write_text("".join(f"C-{n}\n" for n in range(90)))
    app = await _start(folder)
    users = [f"u{number}" for number in range(70)]
    low = 'hairspring_coupons_low{pool="spring"}'
    assert f"{low} 0.0" in app.metrics.render().decode()
    await _say(app, *(_known(user) for user in users), *(_event(user) for user in users))
    await _settle(app)
    assert len({one["body"] for one in await _sent(folder, 70)}) == 70
    assert f"{low} 1.0" in app.metrics.render().decode()
    await app.stop()


async def test_nothing_is_used_up_by_a_message_that_does_not_go(folder: Path) -> None:
    (folder / "coupons/autumn.txt").write_text("\n")
    (folder / "templates/hello.sms.liquid").write_text("{{ coupons.spring }}{{ coupons.autumn }}")
    app = await _start(folder)
    await _say(app, _known("ann"), _event("ann"))
    await _settle(app)
    assert app.stock.left == {"spring": 2, "autumn": 0}
    await app.stop()


PRODUCTS = [{"id": f"p{number}", "title": f"Product {number}"} for number in range(4)]
RECOMMEND = "{% assign some = event | recommend: 2 %}{{ some | map: 'title' | join: ', ' }}"


class Feed:
    """A server of products."""

    def __init__(self) -> None:
        self.body = msgspec.json.encode(PRODUCTS)
        self.status = 200
        self.asked: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.headers))
        tag = f'"{hash(self.body)}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.Response(
            body=self.body,
            status=self.status,
            headers={"ETag": tag, "Content-Type": "application/json"},
        )


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    made = Feed()
    app = web.Application()
    app.router.add_get("/products", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/products"
    yield made
    await runner.cleanup()


async def _stocked(app: App, count: int) -> None:
    while app.stock.shelf is None or len(app.stock.shelf) != count:
        await asyncio.sleep(0.01)


async def test_products_are_fetched_only_where_they_have_changed(folder: Path, feed: Feed) -> None:
    (folder / "hairspring.toml").write_text(
        f'[catalog]\nurl = "{feed.url}"\nauthorization = "Bearer x"\n'
    )
    app = await _start(folder)
    await _stocked(app, 4)
    assert feed.asked[0]["Authorization"] == "Bearer x"
    assert await app.stock.refresh()
    assert "If-None-Match" in feed.asked[-1]
    feed.body = msgspec.json.encode(PRODUCTS[:3])
    assert await app.stock.refresh()
    assert app.stock.shelf is not None
    assert len(app.stock.shelf) == 3
    await app.stop()


@pytest.mark.parametrize(
    "fault",
    [
        {"body": b"nonsense"},
        {"body": b"[]"},
        {"status": 500, "body": b"oops"},
        {"body": msgspec.json.encode([PRODUCTS[0], {}, {}])},
    ],
)
async def test_the_last_good_products_stay_also_over_a_restart(
    folder: Path, feed: Feed, fault: dict[str, Any]
) -> None:
    (folder / "hairspring.toml").write_text(f'[catalog]\nurl = "{feed.url}"\n')
    app = await _start(folder)
    await _stocked(app, 4)
    for name, value in fault.items():
        setattr(feed, name, value)
    assert not await app.stock.refresh()
    assert app.stock.failures == 1
    await app.stop()
    app = await _start(folder)
    assert app.stock.shelf is not None
    assert len(app.stock.shelf) == 4
    await app.stop()


async def test_a_server_that_is_not_there_is_told_and_nobody_waits_for_it(folder: Path) -> None:
    (folder / "hairspring.toml").write_text('[catalog]\nurl = "http://127.0.0.1:9/products"\n')
    app = await _start(folder)
    assert not await app.stock.refresh()
    await app.stop()


async def _reloaded(app: App, folder: Path, settings: str) -> None:
    (folder / "hairspring.toml").write_text(settings)
    assert app.reloading is not None
    assert (await app.reloading.reload()).restart_needed == []


async def test_a_reload_takes_on_another_catalog(folder: Path, feed: Feed) -> None:
    app = await _start(folder)
    assert app.stock.shelf is None
    await _say(app, _event("bob", "Order Completed", product_id="p0"))

    (folder / "products.json").write_bytes(msgspec.json.encode(PRODUCTS[:2]))
    await _reloaded(app, folder, '[catalog]\nfile = "products.json"\n')
    await _stocked(app, 2)
    counted = app.stock.recommending
    assert counted is not None
    while await counted.catch_up():
        pass
    assert counted.together.owned("bob") == {"p0"}

    feed.status = 500
    await _reloaded(app, folder, f'[catalog]\nurl = "{feed.url}"\n')
    await _stocked(app, 2)  # those that there were, until there are others
    feed.status = 200
    assert await app.stock.refresh()
    await _stocked(app, 4)
    assert app.stock.recommending is counted, "what goes together is the same"

    await _reloaded(app, folder, f'[catalog]\nurl = "{feed.url}"\nbought = ["Paid"]\n')
    await _stocked(app, 4)
    assert app.stock.recommending is not counted
    assert "catalog_products 4.0" in app.metrics.render().decode()

    await _reloaded(app, folder, "")
    assert app.stock.shelf is None
    assert "catalog_products 0.0" in app.metrics.render().decode()
    await app.stop()


async def test_a_reload_takes_on_when_codes_are_few(folder: Path) -> None:
    app = await _start(folder)
    few = 'hairspring_coupons_low{pool="spring"}'
    assert f"{few} 1.0" in app.metrics.render().decode()
    await _reloaded(app, folder, "[coupons]\nlow = 1\n")
    assert f"{few} 0.0" in app.metrics.render().decode()
    await app.stop()


async def test_what_was_bought_together_is_recommended_also_after_a_restart(folder: Path) -> None:
    (folder / "hairspring.toml").write_text('[catalog]\nfile = "products.json"\n')
    (folder / "products.json").write_bytes(msgspec.json.encode(PRODUCTS))
    (folder / "templates/hello.sms.liquid").write_text(RECOMMEND)
    app = await _start(folder)
    bought = [{"product_id": "p0"}, {"product_id": "p3"}]
    await _say(app, _event("bob", "Order Completed", products=bought))
    await _say(app, _event("cid", "Product Viewed", product_id="p0"))
    await _say(app, _event("cid", "Product Viewed", product_id="p2"))
    await _say(app, _event("dan", "Order Completed", product_id="p2"))
    recommending = app.stock.recommending
    assert recommending is not None
    while await recommending.catch_up():
        pass
    await _say(app, _known("ann"), _event("ann", product_id="p0"))
    await _say(app, _known("bob"), _event("bob", product_id="p0"))
    await _settle(app)
    told = {one["user_id"]: one["body"] for one in await _sent(folder, 2)}
    assert told == {"ann": "Product 3, Product 2", "bob": "Product 2, Product 1"}
    await app.stop()
    app = await _start(folder)
    again = app.stock.recommending
    assert again is not None
    while await again.catch_up():
        pass
    assert list(again.together.suggest(["p0"]))[:2] == ["p3", "p2"]
    assert again.together.owned("bob") == {"p0", "p3"}
    await app.erasing.erase("bob")
    assert again.together.owned("bob") == frozenset()
    await app.stop()


async def test_who_is_erased_while_a_slice_is_read_is_not_in_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "hairspring.toml").write_text('[catalog]\nfile = "products.json"\n')
    (folder / "products.json").write_bytes(msgspec.json.encode(PRODUCTS))
    app = await _start(folder)
    await _say(app, _event("bob", "Order Completed", product_id="p0"))
    await _say(app, _event("ann", "Order Completed", product_id="p1"))
    recommending = app.stock.recommending
    assert recommending is not None

    async def erased_meanwhile(work: Callable[[], Any]) -> Any:
        done = await aside(work)
        recommending.forget(["bob"])
        return done

    monkeypatch.setattr(recommending_module, "aside", erased_meanwhile)
    while await recommending.catch_up():
        pass
    assert recommending.together.owned("ann") == {"p1"}
    assert recommending.together.owned("bob") == frozenset()
    await app.stop()
