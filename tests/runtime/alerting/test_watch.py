"""Each alert provoked in a real process that serves; looks are made by hand, at instants given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from channels.signing import signature, signing_key
from config import load_folder
from config.alerts import Alerts, AlertTarget
from engine.app import App, Options
from engine.core.effects import Record
from engine.core.inputs import EventReceived, UserIdentified
from engine.runtime.alerting import AlertWatch
from engine.runtime.alerting.book import SETTLED_MS
from engine.runtime.alerting.rhythm import HOUR_MS, WEEK_H
from engine.runtime.alerting.watch import CAMPAIGNS_EVERY
from engine.runtime.clock import wall_ms
from engine.store import Store
from tests.channels.providers import SECRET, HttpProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CAMPAIGN = """campaign: hello
purpose: transactional
enter: {event: Signed Up, reentry: always}
steps:
  - {send: webhook, template: hello, id: hello}
  - {wait: 5s, id: pause}
"""
SKIPPED = """campaign: lost
purpose: transactional
enter: {event: Lost, reentry: always}
steps:
  - {send: sms, template: hello, id: hello}
"""
EXPERIMENT = """campaign: trial
purpose: transactional
enter: {event: Tried, reentry: always}
goal: {event: Bought}
steps:
  - split:
      name: way
      variants:
        a: {weight: 1, steps: []}
        b: {weight: 1, steps: [{emit: {event: Bought}, id: buys}]}
    id: way
  - {wait: 1d, id: day}
"""
FAR_S = 1e9


@pytest.fixture
async def shop() -> AsyncIterator[HttpProvider]:
    provider = HttpProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
async def ops() -> AsyncIterator[HttpProvider]:
    provider = HttpProvider()
    await provider.start()
    yield provider
    await provider.close()


@pytest.fixture
def folder(tmp_path: Path, shop: HttpProvider) -> Path:
    folder = tmp_path / "shop"
    for name in ("campaigns", "templates", "coupons"):
        (folder / name).mkdir(parents=True)
    (folder / "hairspring.toml").write_text(
        f'[storage]\nsync = "normal"\n[channels.webhook]\ntransport = "http"\nurl = "{shop.url}"\n'
    )
    (folder / "campaigns/hello.yaml").write_text(CAMPAIGN)
    (folder / "campaigns/lost.yaml").write_text(SKIPPED)
    (folder / "templates/hello.webhook.liquid").write_text("{}")
    (folder / "templates/hello.sms.liquid").write_text("Hi")
    return folder


async def start(folder: Path) -> App:
    options = Options(data=folder.parent / "data", folder=folder, port=0)
    return await App.start(load_folder(folder), options)


@pytest.fixture
async def app(folder: Path) -> AsyncIterator[App]:
    started = await start(folder)
    yield started
    await started.stop()


class Night:
    """Alerts of an app, and a clock of their own."""

    def __init__(self, app: App, ops: HttpProvider, **chosen: Any) -> None:
        self.app = app
        self.ops = ops
        self.ms = 1_800_000_000_000
        self.read = 0
        targets = chosen.pop("to", (AlertTarget(to=ops.url, secret=SECRET),))
        self.alerts = Alerts(to=targets, **({"disk_free_bytes": 1} | chosen))

    async def fall(self) -> AlertWatch:
        """Begin to watch."""
        app, settings = self.app, self.app.shop.settings
        app.metrics.watch = lambda *_: None  # type: ignore[method-assign] - one registry, many nights
        settings = msgspec.structs.replace(settings, alerts=self.alerts)
        self.watch = await AlertWatch(settings, app._watched(), real_ms=lambda: self.ms).open()
        self.watch.start(FAR_S)
        return self.watch

    async def look(self, after_ms: int = 1) -> None:
        """Look again, at campaigns too."""
        await self.watch.count()
        for _ in range(CAMPAIGNS_EVERY + 2):
            self.ms += after_ms
            await self.watch.look()

    async def told(self, count: int = 1) -> list[tuple[str, str]]:
        """What was told since, once there is so much of it."""
        while len(self.ops.requests) < self.read + count:
            await asyncio.sleep(0.01)
        bodies = [msgspec.json.decode(body) for _, body in self.ops.requests[self.read :]]
        self.read = len(self.ops.requests)
        return [(body["type"], body["data"]["alert"]) for body in bodies]

    async def over(self) -> None:
        """Watch no more."""
        await self.watch.aclose()


async def until(holds: Callable[[], Any]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


async def say(app: App, name: str, count: int) -> None:
    now_ms = app.clock.now_ms()
    raw = msgspec.Raw(b"{}")
    users = [f"u{number}" for number in range(count)]
    events = [EventReceived(user, name, now_ms, now_ms, raw) for user in users]
    await app.shell.submit([*(UserIdentified(user, now_ms, now_ms, raw) for user in users)])
    await app.shell.submit(events)


async def test_a_full_disk_is_told_signed_in_words_and_again_when_there_is_room(
    app: App, ops: HttpProvider
):
    night = Night(app, ops, disk_free_bytes=1 << 60)
    await night.fall()
    await night.look()
    assert await night.told() == [("alert.raised", "disk")]
    headers, body = ops.requests[0]
    key = signing_key(SECRET)
    assert key is not None
    said = signature(key, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == said
    assert "MiB are free where the data folder is" in msgspec.json.decode(body)["text"]
    await night.over()
    night.alerts = msgspec.structs.replace(night.alerts, disk_free_bytes=1)
    await night.fall()
    await night.look(SETTLED_MS)
    assert await night.told() == [("alert.recovered", "disk")]
    await night.over()


async def test_a_restart_tells_nothing_twice_and_loses_nothing(app: App, ops: HttpProvider):
    ops.mood = "hangs"
    night = Night(app, ops, disk_free_bytes=1 << 60)
    await night.fall()
    await night.look()
    await night.over()
    ops.mood = "well"
    for _ in range(2):
        await night.fall()
        await night.look()
        await until(lambda: not night.watch._couriers[0].waiting)
        await night.over()
    assert await night.told() == [("alert.raised", "disk")]


async def test_what_is_to_be_told_is_kept_before_it_is(app: App, ops: HttpProvider):
    ops.be("deaf")
    night = Night(app, ops, disk_free_bytes=1 << 60)
    await night.fall()
    await night.watch.look()
    await until(lambda: ops.requests)
    await night.over()  # nobody has heard it
    ops.be("well")
    night.read = len(ops.requests)
    await night.fall()
    await night.watch.look()
    assert await night.told() == [("alert.raised", "disk")]
    first, last = (msgspec.json.decode(ops.requests[at][1])["data"] for at in (0, -1))
    assert first["id"] == last["id"]
    await night.over()


async def test_a_target_that_is_dead_is_logged_and_counted_and_the_others_are_told(
    app: App, ops: HttpProvider, caplog: pytest.LogCaptureFixture
):
    dead = AlertTarget(to="http://127.0.0.1:1/secret-path")
    night = Night(app, ops, disk_free_bytes=1 << 60, to=(dead, AlertTarget(to=ops.url)))
    await night.fall()
    await night.look()
    assert await night.told() == [("alert.raised", "disk")]
    count = app.metrics.alerts.labels("webhook 1", "retry")._value
    await until(count.get)
    await night.over()
    assert "secret-path" not in caplog.text


async def test_keys_that_are_not_known_are_told_of_when_there_are_many(app: App, ops: HttpProvider):
    night = Night(app, ops, bad_keys=3)
    await night.fall()
    await night.look()
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer nobody"}) as client:
        for _ in range(3):
            async with client.post(f"{app.ingest.url}/events", json=[]) as answer:
                assert answer.status == 401
    await night.look()
    assert await night.told() == [("alert.raised", "keys")]
    await night.look(600_000)
    assert await night.told() == [("alert.recovered", "keys")]
    await night.over()


async def test_a_provider_that_is_down_is_told_and_that_it_is_back(
    app: App, ops: HttpProvider, shop: HttpProvider
):
    shop.mood = "down"  # answers 503
    night = Night(app, ops)
    await night.fall()
    await say(app, "Signed Up", 5)
    await until(lambda: b'hairspring_breakers_open{channel="webhook"} 1.0' in app.metrics.render())
    await night.look()
    assert await night.told() == [("alert.raised", "breaker:webhook")]
    await night.over()


async def test_failures_and_dead_letters_are_told_once_each(
    app: App, ops: HttpProvider, shop: HttpProvider
):
    async def refuse(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=410)

    shop.answer = refuse
    night = Night(app, ops)
    await night.fall()
    await say(app, "Signed Up", 20)
    await until(lambda: app.metrics.kinds["failed"] == 20)
    await night.look()
    told = await night.told(2)
    assert sorted(told) == [("alert.raised", "dead_letters"), ("alert.raised", "failures:hello")]
    await night.over()


async def test_of_few_deliveries_no_share_is_told(app: App, ops: HttpProvider, shop: HttpProvider):
    async def refuse(_request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=410)

    shop.answer = refuse
    night = Night(app, ops, dead_letters=1)
    await night.fall()
    await say(app, "Signed Up", 19)
    await until(lambda: app.metrics.kinds["failed"] == 19)
    await night.look()
    assert await night.told() == [("alert.raised", "dead_letters")]
    await night.over()


async def test_sends_that_are_skipped_are_told(app: App, ops: HttpProvider):
    night = Night(app, ops)
    await night.fall()
    await say(app, "Lost", 50)  # nobody has a phone
    await until(lambda: app.metrics.kinds["skipped"] == 50)
    await night.look()
    assert await night.told() == [("alert.raised", "skips:lost")]
    await night.over()


async def test_deadlines_that_fire_late_are_told(app: App, ops: HttpProvider):
    night = Night(app, ops)
    await night.fall()
    await say(app, "Signed Up", 30)
    app.clock.jump(app.clock.now_ms() + 20_000)  # as if nobody had had a turn for so long
    await say(app, "Nothing", 1)
    await until(lambda: app.metrics.lateness_beyond(1)[1] >= 30)
    await night.look()
    assert await night.told() == [("alert.raised", "lateness")]
    await night.look(60_000)
    assert await night.told() == [("alert.recovered", "lateness")]
    await night.over()


async def test_a_pool_of_few_codes_is_told(app: App, ops: HttpProvider):
    (app._options.data.parent / "shop/coupons/spring.txt").write_text("A-1\nB-2\n")
    await app.stock.look_again()
    night = Night(app, ops)
    await night.fall()
    await night.look()
    assert await night.told() == [("alert.raised", "coupons:spring")]
    await night.over()


async def test_an_experiment_that_is_decided_is_told_once(folder: Path, ops: HttpProvider):
    (folder / "campaigns/trial.yaml").write_text(EXPERIMENT)
    app = await start(folder)
    night = Night(app, ops)
    await night.fall()
    await night.look()
    await say(app, "Tried", 80)
    await until(lambda: app.metrics.kinds["goal"] > 20)
    await night.look()
    assert await night.told() == [("alert.raised", "decided:trial/way")]
    data = msgspec.json.decode(ops.requests[0][1])["data"]
    assert data["text"].startswith("trial, way: b is better than a: by 100.0 (")
    assert data["hint"].endswith("hairspring report trial has the numbers")
    await until(lambda: not night.watch._couriers[0].waiting)
    await night.over()
    await night.fall()
    await night.look(SETTLED_MS)
    (folder / "campaigns/trial.yaml").write_text(
        EXPERIMENT.replace("campaign:", "status: paused\ncampaign:")
    )
    assert app.reloading is not None
    await app.reloading.reload()
    await night.look(SETTLED_MS)
    assert await night.told() == [("alert.recovered", "decided:trial/way")]
    await night.over()
    await app.stop()


async def test_nobody_is_told_of_experiments_who_does_not_want_to_be(
    folder: Path, ops: HttpProvider
):
    (folder / "campaigns/trial.yaml").write_text(EXPERIMENT)
    app = await start(folder)
    night = Night(app, ops, experiments=False)
    await night.fall()
    await say(app, "Tried", 80)
    await until(lambda: app.metrics.kinds["goal"] > 20)
    await night.look()
    assert not night.watch._book.open
    await night.over()
    await app.stop()


async def start_with(folder: Path, per_hour: int, *, silent_hours: int = 0) -> App:
    """A process that recorded so many who entered, each hour of the five weeks before."""
    await (await start(folder)).stop()
    now_hour = wall_ms() // HOUR_MS
    rows = [
        (msgspec.json.encode(Record(hour * HOUR_MS + number, "u", "hello", "entered", "e")),)
        for hour in range(now_hour - 5 * WEEK_H, now_hour - silent_hours)
        for number in range(per_hour)
    ]
    store = await Store.open(folder.parent / "data/hairspring.db", sync="normal")
    insert = "INSERT INTO records (user_id, campaign, record) VALUES ('u', 'hello', ?)"
    await store.transact(lambda connection: connection.executemany(insert, rows))
    await store.close()
    return await start(folder)


async def test_a_campaign_that_fell_silent_is_told_and_that_it_goes_on(
    folder: Path, ops: HttpProvider
):
    app = await start_with(folder, 8, silent_hours=3)
    night = Night(app, ops)
    await night.fall()
    await night.look()
    assert await night.told() == [("alert.raised", "silent:hello")]
    text = msgspec.json.decode(ops.requests[0][1])["data"]["text"]
    assert text == (
        "hello: 0 entered in the last 3 h; at this time of the week "
        "at least 24 in each of the 4 weeks before"
    )
    await say(app, "Signed Up", 20)
    await night.look(SETTLED_MS)
    assert await night.told() == [("alert.recovered", "silent:hello")]
    await night.over()
    await app.stop()


async def test_a_silence_that_was_told_is_not_over_because_it_is_night_or_has_lasted_a_week(
    folder: Path, ops: HttpProvider
):
    app = await start_with(folder, 8, silent_hours=3)
    night = Night(app, ops)
    night.ms = app.clock.now_ms()
    await night.fall()
    await night.look()
    assert await night.told() == [("alert.raised", "silent:hello")]
    counts = night.watch._hours._kept.counts["hello"]["entered"]
    for hour in [*counts]:
        counts[hour] = 1  # nothing could be called silent by so few
    await night.look(SETTLED_MS)
    assert [*night.watch._book.open] == ["silent:hello"]
    await say(app, "Signed Up", 20)
    await night.look(SETTLED_MS)
    assert await night.told() == [("alert.recovered", "silent:hello")]
    await night.over()
    await app.stop()


async def test_a_campaign_that_bursts_is_told(folder: Path, ops: HttpProvider):
    app = await start_with(folder, 2)
    night = Night(app, ops)
    await night.fall()
    await say(app, "Signed Up", 60)
    await night.look()
    assert await night.told() == [("alert.raised", "burst:hello")]
    await night.over()
    await app.stop()


async def test_what_was_counted_is_counted_once_over_restarts(folder: Path, ops: HttpProvider):
    app = await start_with(folder, 1)
    for _ in range(3):
        night = Night(app, ops)
        await night.fall()
        await night.look()
        counts = night.watch._hours.of("hello", "entered")
        assert len(counts) >= 4 * WEEK_H
        assert set(counts.values()) == {1}
        await night.over()
    await app.stop()
