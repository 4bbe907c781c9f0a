"""An export, run again, is the run: over restarts, changed shops, and from a cut archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from config import load_shop
from engine.core.inputs import (
    EventReceived,
)
from engine.core.instants import parse_instant_ms
from engine.core.state import encode_user
from engine.runtime.errands import Archive
from engine.runtime.processor import Processor
from engine.sim.archived import Archived
from engine.sim.comparing import compare_shops
from engine.sim.exported import (
    End,
    FloorLine,
    Head,
    InputLine,
    JournalUnreadable,
    Line,
    beginning,
    decode_lines,
    encode_lines,
    seen_by,
    users_inputs,
)
from engine.sim.exporting import export
from engine.sim.reading import Reading
from engine.sim.replaying import Comparison, Replay
from engine.sim.run import Options, run_shop
from engine.sim.sources import open_events
from engine.store import Store
from tests.sim.lives import KEEP_MS, START_AT_MS, Run

if TYPE_CHECKING:
    from pathlib import Path

    from config import Shop


async def exported(store: Store) -> list[bytes]:
    written: list[bytes] = []
    await export(store, written.append, lambda _done, _total: None)
    return b"".join(written).splitlines()


def run_again(lines: list[bytes]) -> tuple[Comparison, Head]:
    replay = Replay()
    told = list(decode_lines(lines, "run"))
    head = told[0]
    assert isinstance(head, Head)
    for _ in replay.run(told):
        pass
    return replay.comparison, head


@pytest.mark.parametrize("archives", [False, True])
@pytest.mark.parametrize("seed", range(10))
async def test_a_run_comes_out_again(tmp_path: Path, seed: int, archives: bool) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP_MS)
    await Run(store, seed, archives=archives).live(spans=8)
    found, head = run_again(await exported(store))
    await store.close()
    assert (found.different, found.shown) == (0, [])
    assert found.inputs > 0
    assert found.states > 0
    assert archives or (head.exact_from_ms == 0 and found.records > 0)


async def test_an_archive_that_was_cut_begins_with_the_states_of_then(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal", keep_ms=KEEP_MS)
    run = Run(store, 1, archives=True)
    await run.live(spans=20)
    lines = await exported(store)
    await store.close()
    found, head = run_again(lines)
    assert (found.different, found.shown) == (0, [])
    assert head.exact_from_ms > START_AT_MS
    first = next(msgspec.json.decode(line) for line in lines if b'"type":"input"' in line[:16])
    assert first["number"] > 1
    assert any(b'"type":"floor"' in line[:16] for line in lines)
    # Without them it is another story.
    bare = [line for line in lines if b'"type":"floor"' not in line[:16]]
    assert run_again(bare)[0].different > 0


async def test_events_alone_come_at_their_stamps(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db", sync="normal")
    await Run(store, 3, archives=False).live(spans=3)
    lines = await exported(store)
    await store.close()
    reading = Reading("run")
    alone = list(users_inputs(decode_lines(lines, "run"), reading))
    assert reading.events == len(alone) > 0
    assert [one.received_at_ms for one in alone] == sorted(one.at_ms for one in alone)


async def test_an_archive_and_its_export_begin_with_the_same_users(tmp_path: Path) -> None:
    path = tmp_path / "hairspring.db"
    store = await Store.open(path, sync="normal", keep_ms=KEEP_MS)
    run = Run(store, 1, archives=True)
    await run.live(spans=20)
    lines = await exported(store)
    told: list[tuple[int, int]] = []
    archive = Archive(path=str(path), keep_ms=KEEP_MS, from_ms=0, until_ms=run.now_ms)
    with Archived(archive, lambda done, total: told.append((done, total))) as archived:
        users = {user.user_id: user.seen for user in archived.users()}
        inputs = list(archived.inputs())
    await store.close()
    journal = list(decode_lines(lines, "run"))
    _, floors, rest = beginning(iter(journal))
    assert users == {user.user_id: user.seen for user in floors}
    assert inputs == list(users_inputs(rest, Reading("run"), seen_by(floors)))
    assert len(users) > 1 < len(inputs)


async def test_where_nothing_was_taken_in_there_is_nothing_to_export(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "hairspring.db")
    with pytest.raises(JournalUnreadable, match="nothing has been taken in"):
        await exported(store)
    await store.close()


CART = """
campaign: cart
enter: {event: Added, reentry: never}
steps:
  - {wait: 1m, id: pause}
  - {send: in_app, template: hello, id: hello}
"""
ORDERED = """
campaign: ordered
enter: {event: Order, when: count("Order") == 3}
steps: [{exit: thrice, id: x}]
"""


def cart_shop(cart: str = CART) -> Shop:
    files = {"campaigns/cart.yaml": cart, "campaigns/ordered.yaml": ORDERED}
    return load_shop({**files, "templates/hello.in_app.liquid": "Hello"})


def cut_journal(tmp_path: Path) -> Path:
    """Of somebody who waits and has ordered twice where it begins; one order is in his state."""
    happened = [("Added", 0), ("Order", 1_000), ("Order", 2_000), ("Order", 30_000)]
    inputs = [
        EventReceived(
            "u", name, START_AT_MS + at_ms, START_AT_MS + at_ms, at_ms=START_AT_MS + at_ms
        )
        for name, at_ms in happened
    ]
    live = Processor(cart_shop().plan)
    for one in inputs[:3]:
        live.take(msgspec.structs.replace(one), one.at_ms)
    user = live.users["u"]
    user.seen = 3
    lines: list[Line] = [
        Head(1, "0", "", START_AT_MS + 40_000, START_AT_MS + 2_000, "p"),
        FloorLine(encode_user(user)),
        *(InputLine(number, one) for number, one in enumerate(inputs[2:], start=3)),
        End(2, 0, 0),
    ]
    path = tmp_path / "journal.ndjson"
    path.write_bytes(encode_lines(lines))
    return path


def told_of(path: Path, shop: Shop) -> list[tuple[int, str, str]]:
    """What becomes of a journal under another shop than its own."""
    lines: list[bytes] = []
    with open_events(str(path)) as source:
        run_shop(shop, source, options=Options(), write=lambda block: lines.extend(block.split()))
    records = [msgspec.json.decode(line) for line in lines]
    return [
        (parse_instant_ms(one["at"]) - START_AT_MS, one["campaign"], one["kind"]) for one in records
    ]


def test_under_another_shop_everybody_goes_on_as_he_was_where_it_was_cut(tmp_path: Path) -> None:
    path = cut_journal(tmp_path)
    slower = CART.replace("1m", "3m")
    for shop, sent_ms in ((cart_shop(CART), 60_000), (cart_shop(slower), 180_000)):
        assert told_of(path, shop) == [
            (30_000, "ordered", "entered"),
            (30_000, "ordered", "exited"),
            (sent_ms, "cart", "sent"),
            (sent_ms, "cart", "finished"),
            (sent_ms, "cart", "delivered"),
        ]


def test_so_does_everybody_in_both_of_two_shops_that_are_compared(tmp_path: Path) -> None:
    twice = CART + "  - {send: in_app, template: hello, id: again}\n"
    with open_events(str(cut_journal(tmp_path))) as source:
        report, compared = compare_shops(
            cart_shop(), cart_shop(twice), source, options=Options(until_ms=None)
        )
    assert report.users == 1
    assert [one.sent for one in report.campaigns if one.campaign == "cart"] == [{"in_app": 1}]
    assert [(one.before, one.after) for one in compared.changes] == [(1, 2)]
