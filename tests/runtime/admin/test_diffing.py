"""What is told of a changed shop is what comes of it, and telling it changes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from config import load_shop
from engine.cli.differences import lines_of
from engine.core.state import encode_user
from engine.runtime.admin import diffing
from engine.runtime.admin.diffing import Diffing, PastAsked, ShopDiff
from engine.runtime.versions import NO_VERSIONS
from engine.store.gathering import Gathering
from tests.cart import CART
from tests.core.world import HOUR, MINUTE, START
from tests.runtime.living import Life, living
from tests.runtime.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from config import Shop

FILES = {
    **CART,
    "campaigns/cart.yaml": CART["campaigns/cart.yaml"] + "  - {wait: 2h, id: second}\n",
    "campaigns/gone.yaml": """
campaign: gone
enter: {event: Go}
steps:
  - {wait: 3h, id: w}
  - {if: did("Go"), then: [{exit: out}]}
""",
    "campaigns/old.yaml": """
campaign: old
enter: {event: Go}
steps: [{send: in_app, template: t, id: s}]
""",
}
CHANGED = {
    **FILES,
    "campaigns/cart.yaml": FILES["campaigns/cart.yaml"].replace("1h", "1s"),
    "campaigns/old.yaml": FILES["campaigns/old.yaml"].replace("old\n", "old\nstatus: archived\n"),
    "campaigns/idle.yaml": """
campaign: idle
enter: {when: 'did("Go") && idle("1s")', backfill: true}
steps: [{wait: 1d, id: w}]
""",
}
del CHANGED["campaigns/gone.yaml"]


async def rig_of(path: Path, shop: Shop, users: int) -> Rig:
    """Some users who came in a few seconds ago, under that shop."""
    rig = await Rig.open(path / "hairspring.db", shop.plan)
    rig.processor.adopt(shop.plan, rig.clock.now_ms(), shop.content, NO_VERSIONS)
    now_ms = rig.clock.now_ms()
    for number in range(users):
        rig.processor.take(rig.event(user=f"u{number}"), now_ms)
    batch = rig.processor.begin(now_ms)
    assert batch is not None
    await rig.store.commit(batch)
    rig.processor.finish(batch)
    return rig


async def told(rig: Rig, files: dict[str, str], at_ms: int) -> ShopDiff:
    shop = load_shop(files)
    return await Diffing(rig.store, rig.processor).diff(shop, lambda: at_ms, [])


async def test_what_is_told_is_what_a_reload_does_then(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 40)
    before = {name: encode_user(user) for name, user in rig.processor.users.items()}
    at_ms = rig.processor.now_ms + 5_000
    diff = await told(rig, CHANGED, at_ms)
    assert {name: encode_user(user) for name, user in rig.processor.users.items()} == before
    rig.processor.adopt(load_shop(CHANGED).plan, at_ms)
    rig.processor.sweep()
    rig.processor.advance(at_ms)
    batch = rig.processor.begin(at_ms)
    assert batch is not None
    came = Counter((one.campaign, one.kind, one.reason) for one in batch.records)
    foretold: Counter[tuple[str, str, str]] = Counter()
    for one in diff.campaigns:
        foretold[one.campaign, "entered", ""] = one.entered
        foretold[one.campaign, "sent", ""] = one.sent
        for reason, count in one.exits.items():
            foretold[one.campaign, "exited", reason] = count
    assert +foretold == came
    assert sum(one.taken_back for one in diff.campaigns) == len(batch.cancelled) == 40
    await rig.store.close()


async def test_each_campaign_says_who_waits_where_and_whose_deadline_moves(
    tmp_path: Path,
) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 7)
    files = {**FILES, "campaigns/cart.yaml": FILES["campaigns/cart.yaml"].replace("1h", "2h")}
    diff = await told(rig, files, rig.processor.now_ms)
    cart, gone, old = diff.campaigns
    assert (cart.change, cart.inside, cart.waiting, cart.moved) == ("changed", 7, {"first": 7}, 7)
    assert [(one.user_id, one.step) for one in cart.moves] == [
        (f"u{n}", "first") for n in range(6, 1, -1)
    ]
    assert (gone.change, gone.waiting, gone.moved, gone.exits) == ("same", {"w": 7}, 0, {})
    assert (old.change, old.inside) == ("same", 0)
    await rig.store.close()


async def test_each_campaign_says_whose_step_is_gone(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 7)
    changed = {**FILES, "campaigns/cart.yaml": CHANGED["campaigns/cart.yaml"]}
    changed["campaigns/cart.yaml"] = changed["campaigns/cart.yaml"].replace("first", "other")
    del changed["campaigns/gone.yaml"]
    diff = await told(rig, changed, rig.processor.now_ms)
    cart, gone, _ = diff.campaigns
    assert (cart.exits, cart.gone) == ({"step_removed": 7}, {"first": 7})
    assert [(one.user_id, one.step, one.reason) for one in cart.leavers] == [
        (f"u{n}", "first", "step_removed") for n in range(6, 1, -1)
    ]
    assert (gone.exits, gone.gone, gone.waiting) == ({"campaign_removed": 7}, {}, {"w": 7})
    assert {(one.step, one.reason) for one in gone.leavers} == {("w", "campaign_removed")}
    lines = list(lines_of(diff))
    assert "      u6 in first: step_removed" in lines
    assert "    waited in steps that are gone: first 7" in lines
    await rig.store.close()


async def test_a_pause_has_deadlines_move_to_never(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 1)
    paused = FILES["campaigns/cart.yaml"].replace("cart\n", "cart\nstatus: paused\n")
    diff = await told(rig, {**FILES, "campaigns/cart.yaml": paused}, rig.processor.now_ms)
    cart = diff.campaigns[0]
    assert cart.status == ("live", "paused")
    assert [one.then for one in cart.moves] == [None]
    await rig.store.close()


async def test_what_a_file_says_counts_and_not_how_it_is_written(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 1)
    files = {**FILES, "campaigns/cart.yaml": "# said anew\n" + FILES["campaigns/cart.yaml"]}
    diff = await told(rig, files, rig.processor.now_ms)
    assert diff.changed
    assert (diff.files.added, diff.files.removed, diff.files.changed) == ([], [], [])
    assert {one.change for one in diff.campaigns} == {"same"}
    await rig.store.close()


async def test_the_loop_turns_also_where_nobody_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffing, "SLICE_NS", 0)
    monkeypatch.setattr(diffing, "LOOKED_AT_ONCE", 10)
    rig = await rig_of(tmp_path, load_shop({"hairspring.toml": ""}), 100)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    looks: list[int] = []
    counting = asyncio.create_task(count())
    shop = load_shop(FILES)
    await Diffing(rig.store, rig.processor, lambda *_: looks.append(turns)).diff(
        shop, lambda: rig.processor.now_ms, []
    )
    counting.cancel()
    assert len(set(looks)) == 10
    await rig.store.close()


async def test_caps_name_the_channels_of_the_past_that_they_ask_for(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 1)
    caps = '[guardrails]\ncaps = [{max = 1, per = "7d", channel = "in_app"}]\n'
    files = {**FILES, "hairspring.toml": FILES["hairspring.toml"] + caps}
    diff = await told(rig, files, rig.processor.now_ms + HOUR)
    assert diff.past == PastAsked([], [], [], ["in_app"], sessions=False)
    await rig.store.close()


async def test_a_past_that_was_not_kept_is_named(tmp_path: Path) -> None:
    rig = await rig_of(tmp_path, load_shop(FILES), 1)
    asks = 'campaign: asks\nenter: {when: \'did("Seen", "7d") && score("churn") > 0.5\'}\n'
    files = {**FILES, "campaigns/asks.yaml": asks + "steps: [{wait: 1h, id: w}]"}
    diff = await told(rig, files, rig.processor.now_ms + HOUR)
    assert diff.past == PastAsked(["Seen"], [], ["churn"], [], sessions=False)
    await rig.store.close()


PLAIN = {
    "hairspring.toml": '[events]\nkeep = "30d"\n',
    "templates/t.in_app.liquid": "Hello",
    "campaigns/hello.yaml": """
campaign: hello
purpose: transactional
enter: {event: Go, reentry: always}
steps:
  - {wait: 1m, id: w}
  - {send: in_app, template: t, id: s}
""",
    "campaigns/long.yaml": """
campaign: long
enter: {event: Stay}
steps: [{wait: 9d, id: w}]
""",
}
ASKED = {
    "viewed": 'count("View", "7d") >= 2 && !did("Buy")',
    "visits": 'visits("7d") >= 2',
    "told": 'received("in_app", "1d") >= 2',
    "carts": "cart.size >= 2",
}
ASKING = {
    **PLAIN,
    "campaigns/long.yaml": f'{PLAIN["campaigns/long.yaml"]}exit: {{when: did("Buy")}}\n',
    **{
        f"campaigns/{name}.yaml": f"campaign: {name}\nenter:\n  when: '{asked}'\n"
        "  backfill: true\nsteps: [{wait: 1d, id: w}]\n"
        for name, asked in ASKED.items()
    },
}


async def lived(life: Life) -> None:
    """A day of five users, of whom each is one that a condition asks for; one has nothing."""
    for hour in (0, 5):
        await life.until(START + hour * HOUR)
        for user in ("viewer", "buyer"):
            await life.event("View", user=user)
        await life.event("Go", user="told")
        await life.event("Product Added", user="cart", product_id=f"p{hour}", price=1)
        await life.until(life.now_ms + MINUTE)
    await life.event("Stay", user="buyer")
    await life.event("Buy", user="buyer")
    await life.event("Other", user="nobody")
    await life.until(START + 10 * HOUR)


async def test_who_comes_in_by_a_past_that_nobody_kept_is_told_as_a_reload_finds_it(
    tmp_path: Path,
) -> None:
    asking = load_shop(ASKING)
    async with living(tmp_path, load_shop(PLAIN)) as life:
        await lived(life)
        users = life.processor.users
        before = {name: encode_user(user) for name, user in users.items()}
        diff = await Diffing(life.store, life.processor).diff(asking, lambda: life.now_ms, [])
        assert {name: encode_user(user) for name, user in users.items()} == before
        came = len(life.records)
        await life.reload(asking)
        await life.until(life.now_ms)
        done = Counter((one.campaign, one.kind) for one in life.records[came:])
    foretold = {(one.campaign, "entered"): one.entered for one in diff.campaigns}
    foretold |= {(one.campaign, "exited"): sum(one.exits.values()) for one in diff.campaigns}
    assert +Counter(foretold) == done
    assert done == {
        ("viewed", "entered"): 1,
        ("visits", "entered"): 4,
        ("told", "entered"): 1,
        ("carts", "entered"): 1,
        ("long", "exited"): 1,
    }


async def test_a_past_that_takes_much_room_is_found_in_several_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Gathering] = []

    def narrow(*args: Any, **named: Any) -> Gathering:
        made.append(Gathering(*args, **named, bytes_max=1))
        return made[-1]

    monkeypatch.setattr(diffing, "Gathering", narrow)
    async with living(tmp_path, load_shop(PLAIN)) as life:
        await lived(life)
        asking = load_shop(ASKING)
        diff = await Diffing(life.store, life.processor).diff(asking, lambda: life.now_ms, [])
    entered = {one.campaign: one.entered for one in diff.campaigns if one.entered}
    assert entered == {"viewed": 1, "visits": 4, "told": 1, "carts": 1}
    assert len(made) > 1
