"""Plans that change over the shell, and over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config import load_shop
from config.serving import Server
from config.settings import Events, Settings
from engine.core.inputs import PlanChanged, decode_inputs
from engine.core.plan import Plan
from engine.runtime import restart as restart_module
from engine.runtime.clock import Clock
from engine.runtime.reloading import restart_needed
from engine.runtime.versions import Versions, versions
from engine.sim.world.shop import world_shop
from engine.store import Store
from tests.core.world import HOUR, START, campaign, wait
from tests.runtime.rig import Rig
from tests.store.plans import plan_content

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_whom_nothing_happens_to_takes_a_change_on_as_the_sweep_comes_by(
    tmp_path: Path,
) -> None:
    rig = await Rig.open(tmp_path / "h.db", Plan("p", [campaign("c", wait(HOUR))]), rate=1.0)
    rig.start()
    await rig.shell.submit([rig.event(user=f"u{number}") for number in range(100)])
    rig.shell.adopt(Plan("q"), b"content", versions())
    exited = await rig.until("exited", 100)
    assert {record.reason for record in exited} == {"campaign_removed"}
    assert {record.at_ms for record in exited} == {rig.processor.plans.in_force.at_ms}  # type: ignore[union-attr]
    await rig.shell.settle()
    assert rig.processor.plans.changes == []
    assert await plan_content(rig.store, "q") == b"content"
    await rig.close()


async def journaled(path: Path) -> list[PlanChanged]:
    store = await Store.open(path)
    rows = await store.read(
        lambda c: c.execute("SELECT inputs FROM journal ORDER BY first_input").fetchall()
    )
    await store.close()
    inputs = [one for (lines,) in rows for one in decode_inputs(lines)]
    return [one for one in inputs if isinstance(one, PlanChanged)]


async def run_once(path: Path) -> None:
    store = await Store.open(path)
    restarted = await restart_module.restart(
        world_shop(),
        store,
        lambda _: None,
        lambda _: Clock(wall_ns=lambda: START * 1_000_000, monotonic_ns=lambda: 0),
    )
    restarted.processor.sweep()
    batch = restarted.processor.begin(START)
    assert batch is not None
    await store.commit(batch)
    await store.close()


async def test_another_program_or_other_time_zone_data_is_a_change_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h.db"
    for engine, tzdata in (("1", "a"), ("1", "a"), ("2", "a"), ("2", "b")):
        now = Versions(engine, tzdata)
        monkeypatch.setattr(restart_module, "versions", lambda now=now: now)
        await run_once(path)
    changes = await journaled(path)
    assert [(one.engine, one.tzdata) for one in changes] == [("1", "a"), ("2", "a"), ("2", "b")]
    assert {one.plan_id for one in changes} == {world_shop().plan.id}


def test_a_reload_names_what_only_a_restart_takes_on() -> None:
    before = Settings()
    now = msgspec.structs.replace(
        before,
        server=Server(port=1, body_max_bytes=1),
        events=Events(keep_ms=1, max_lateness_ms=1),
        channels={**before.channels, "email": msgspec.structs.replace(
            before.channels["email"], concurrency=3)},
    )  # fmt: skip
    assert restart_needed(before, now) == [
        "channels.email.concurrency",
        "events.keep",
        "server.body_max",
        "server.port",
    ]
    assert restart_needed(before, before) == []


def _said(text: str) -> Settings:
    return load_shop({"hairspring.toml": text}).settings


def test_a_reload_names_sinks_sources_and_alerts_that_are_others_now() -> None:
    before = _said(
        '[sinks.lake]\nkind = "file"\n[sinks.crm]\nkind = "file"\n'
        '[webhooks.shopify]\nsecret = "a"\n'
    )
    now = _said(
        '[sinks.lake]\nkind = "file"\nbatch = 7\n[sinks.new]\nkind = "file"\n'
        '[webhooks.shopify]\nsecret = "b"\n[alerts]\nto = ["log"]\n'
    )
    assert restart_needed(before, now) == [
        "alerts.to", "sinks.crm", "sinks.lake.batch", "sinks.new", "webhooks.shopify.secret",
    ]  # fmt: skip
    assert restart_needed(before, before) == []


def test_another_shop_url_is_named_where_twilio_calls_us_by_it() -> None:
    said = '[shop]\nurl = "https://{}.example"\n[channels.sms]\ntransport = "{}"\n{}'
    account = 'account_sid = "AC0"\nauth_token = "t"\nfrom = "+15550100"\n'
    twilio = [_said(said.format(host, "twilio", account)) for host in ("one", "two")]
    assert restart_needed(*twilio) == ["shop.url"]
    files = [_said(said.format(host, "file", "")) for host in ("one", "two")]
    assert restart_needed(*files) == []
