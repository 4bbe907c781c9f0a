"""Plans that ask for a past that nobody kept: what the archive has of it, and when they hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.history import instants_of, sent_name
from engine.core.inputs import (
    EventImported,
    EventReceived,
    HistoryFound,
    PlanAnnounced,
)
from engine.core.past.coming import gap
from engine.core.past.found import Found
from engine.core.state import NEVER, Session, User, encode_user
from engine.runtime.filling import Filling
from engine.runtime.processor import Processor
from engine.store.gathering import SLICE_INPUTS, Gathering
from tests.core.world import DAY, HOUR, MINUTE, START
from tests.runtime.living import (
    BEFORE,
    PLAIN,
    SENDING,
    SETTINGS,
    Life,
    edge,
    living,
    replays,
    shop_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from config import Shop


VIEWED = 'count("View", "7d") >= 3 && !did("Buy", "7d")'
VIEWED_OFTEN = shop_of(PLAIN, edge("viewed", VIEWED))


async def test_a_plan_is_announced_once_what_is_due_has_fired_in_slices(tmp_path: Path) -> None:
    waiting = shop_of(
        {"campaigns/plain.yaml": "campaign: plain\nenter: {event: Go}\nsteps: [{wait: 1h}]\n"}
    )
    async with living(tmp_path, waiting) as life:
        for user in ("u", "v", "w"):
            await life.event("Go", user=user)
        fired_by: list[asyncio.Task[Any] | None] = []
        life.processor.on_fired = lambda *_: fired_by.append(asyncio.current_task())
        life.now_ms += HOUR + 500
        await life.reload(shop_of(PLAIN, edge("viewed", VIEWED)))
        assert fired_by == [life.working] * 3
        assert await replays(life)


async def test_a_condition_that_a_reload_brings_sees_the_days_before_it(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        await life.event("View")
        await life.until(START + DAY)
        await life.event("View")
        await life.until(START + 2 * DAY)
        await life.reload(VIEWED_OFTEN)
        await life.event("View")
        assert life.told() == [("viewed", START + 2 * DAY)]


async def test_a_deadline_that_only_the_past_tells_is_due_at_its_millisecond(
    tmp_path: Path,
) -> None:
    left = shop_of(edge("left", 'did("Add", "7d") && !did("Buy", "7d") && idle("3d")'))
    async with living(tmp_path) as life:
        await life.event("Add", START + 5, user="left")
        await life.event("Add", START + 5, user="bought")
        await life.event("Buy", START + 6, user="bought")
        await life.until(START + DAY)
        await life.reload(left)
        await life.until(START + 4 + 3 * DAY)
        assert life.told() == []
        await life.until(START + 5 + 3 * DAY)
        assert life.told() == [("left", START + 5 + 3 * DAY)]


async def test_the_sessions_of_the_days_before_are_found(tmp_path: Path) -> None:
    back = shop_of(PLAIN, edge("back", 'visits("7d") >= 3 && !session.first'))
    async with living(tmp_path) as life:
        for hour in (0, 5):
            await life.until(START + hour * HOUR)
            await life.event("View")
            await life.event("Go")
        await life.until(START + DAY)
        await life.reload(back)
        session = life.processor.users["u"].session
        assert session is not None
        assert session.ended
        assert life.told() == [("plain", START), ("plain", START + 5 * HOUR)]
        await life.event("View")
        assert life.told()[2:] == [("back", START + DAY)]


@pytest.mark.parametrize("dies", [False, True])
async def test_the_messages_of_the_days_before_are_found(tmp_path: Path, dies: bool) -> None:
    asks = edge("told", 'received("in_app", "7d") >= 3 && received("hello", "3d") >= 2')
    often, seldom = shop_of(SENDING, asks), shop_of(SENDING)
    async with living(tmp_path, seldom) as life:
        for hour in (0, 30):
            await life.until(START + hour * HOUR)
            await life.event("Go")
            await life.until(life.now_ms + MINUTE)
        if dies:
            await life.die()
            await life.start(often)
            await life.come_into_force(often)
        else:
            await life.reload(often)
        sent = [START + MINUTE, START + 30 * HOUR + MINUTE]
        history = life.processor.users["u"].history
        assert [*instants_of(history[sent_name("in_app")])] == sent
        await life.until(START + 3 * DAY)
        await life.event("Go")
        assert not any(name == "told" for name, _ in life.told())
        await life.until(START + 3 * DAY + MINUTE)
        assert life.told()[-1] == ("told", START + 3 * DAY + MINUTE)
        assert await replays(life)


async def test_a_message_that_goes_out_while_others_are_looked_for_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = edge("told", 'received("in_app", "7d") >= 9')
    often, seldom = shop_of(SENDING, asks), shop_of(SENDING)
    hand_out = Filling._hand_out

    async def after_a_minute(filling: Filling, *found: Any) -> None:
        await life.until(START + 2 * MINUTE)
        await hand_out(filling, *found)

    monkeypatch.setattr(Filling, "_hand_out", after_a_minute)
    async with living(tmp_path, seldom) as life:
        await life.event("Go")
        await life.until(START + MINUTE)
        await life.event("Go")
        await life.reload(often)
        history = life.processor.users["u"].history
        expected = [START + MINUTE, START + 2 * MINUTE]
        assert [*instants_of(history[sent_name("in_app")])] == expected


def sends(life: Life, what: str = "in_app") -> list[int]:
    packed = life.processor.users["u"].history.get(sent_name(what), b"")
    return [(at_ms - START) // MINUTE for at_ms in instants_of(packed)]


async def sent(life: Life, *at_minutes: int) -> None:
    for at in at_minutes:
        await life.until(START + (at - 1) * MINUTE)
        await life.event("Go")
        await life.until(START + at * MINUTE)


ASKS_OFTEN = edge("told", 'received("in_app", "7d") >= 9 && received("hello") >= 99')


async def test_what_went_out_while_nothing_asked_for_it_is_found(tmp_path: Path) -> None:
    """Also where something did before, and what it had is kept still."""
    often, seldom = shop_of(SENDING, ASKS_OFTEN), shop_of(SENDING)
    async with living(tmp_path, often) as life:
        await sent(life, 1)
        await life.reload(seldom)
        await sent(life, 61, 121)
        await life.reload(often)
        await sent(life, 181)
        assert sends(life) == [1, 61, 121, 181]
        assert life.processor.users["u"].details[sent_name("hello")].total == 4


async def test_who_was_erased_and_came_back_has_what_went_out_since(tmp_path: Path) -> None:
    often, seldom = shop_of(SENDING, ASKS_OFTEN), shop_of(SENDING)
    async with living(tmp_path, seldom) as life:
        await sent(life, 1)
        life.processor.erase("u", life.now_ms)
        await life.restarted.shell.submit(())
        await sent(life, 121)
        await life.reload(often)
        assert sends(life) == [121]


async def test_messages_of_one_instant_are_two(tmp_path: Path) -> None:
    text = SENDING["campaigns/hello.yaml"]
    twice = SENDING | {"campaigns/again.yaml": text.replace("campaign: hello", "campaign: again")}
    once = shop_of(twice, edge("told", 'received("in_app", "1h") >= 1'))
    async with living(tmp_path, once) as life:
        await sent(life, 1)
        await life.until(START + 2 * HOUR)
        await life.reload(shop_of(twice, ASKS_OFTEN))
        assert sends(life) == [1, 1]


async def cut(life: Life, first_left: int) -> None:
    await life.store.transact(
        lambda c: c.execute("DELETE FROM journal WHERE first_input < ?", (first_left,))
    )


async def test_a_longer_window_where_the_archive_was_cut_has_what_is_left(tmp_path: Path) -> None:
    once = shop_of(SENDING, edge("told", 'received("in_app", "1h") >= 1'))
    async with living(tmp_path, once) as life:
        await sent(life, 1, 121)
        await cut(life, 3)
        await life.reload(shop_of(SENDING, ASKS_OFTEN))
        assert sends(life) == [1, 121]


async def test_a_session_that_began_before_the_archive_does_is_one(tmp_path: Path) -> None:
    asks = 'visits("WINDOW") >= 9 || session.duration > "9h"'
    short, long = (shop_of(PLAIN, edge("v", asks.replace("WINDOW", w))) for w in ("2h", "7d"))
    async with living(tmp_path, short) as life:
        for minute in (0, 20, 40, 60):
            await life.until(START + minute * MINUTE)
            await life.event("View")
        await cut(life, 4)
        await life.reload(long)
        user = life.processor.users["u"]
        assert [*instants_of(user.history["Session Started"])] == [START]
        assert user.session is not None
        assert user.session.started_at_ms == START


async def test_sessions_that_began_while_nobody_counted_them_are_found(tmp_path: Path) -> None:
    """A count that was kept once, and not since, is not trusted for what came since."""
    counts = shop_of(PLAIN, edge("v", 'visits("7d") >= 9'))
    lasts = shop_of(PLAIN, edge("v", 'session.duration > "9h"'))
    async with living(tmp_path, counts) as life:
        await life.event("View")
        await life.reload(lasts)
        for minute in (60, 120):
            await life.until(START + minute * MINUTE)
            await life.event("View")
        await cut(life, 3)
        await life.reload(counts)
        started = life.processor.users["u"].history["Session Started"]
        # The first one was let go of as nothing counted it, and the archive has it no more.
        assert [*instants_of(started)] == [START + HOUR, START + 2 * HOUR]


async def test_sessions_of_before_are_told_apart_by_the_gap_of_the_coming_shop(
    tmp_path: Path,
) -> None:
    patient = shop_of(PLAIN, edge("v", 'visits("7d") >= 9'), toml=SETTINGS + 'session_gap = "2h"\n')
    async with living(tmp_path) as life:
        for minute in (0, 60, 300):
            await life.until(START + minute * MINUTE)
            await life.event("View")
        await life.reload(patient)
        started = life.processor.users["u"].history["Session Started"]
        assert [*instants_of(started)] == [START, START + 5 * HOUR]


async def test_history_that_was_brought_in_makes_no_session(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        for user_id, name in (("u", "View"), ("v", "Read")):
            brought = EventImported(user_id, name, START - DAY, START, at_ms=START)
            await life.restarted.shell.submit([brought])
        await life.event("View", user="v")
        await life.reload(shop_of(PLAIN, edge("v", 'visits("90d") >= 9 && session.first')))
        users = life.processor.users
        assert users["u"].session is None
        assert "Session Started" not in users["u"].history
        assert users["v"].session is not None
        assert not users["v"].session.first


def test_a_session_that_is_left_of_a_plan_that_is_lost_ends_without_a_word() -> None:
    processor = Processor(BEFORE.plan)
    processor.take(EventReceived("u", "Go", START, START), START)
    user = processor.users["u"]
    user.session = Session(START, START, START + HOUR)
    processor.take(EventReceived("u", "Go", START, START), START)
    processor.advance(START + 2 * HOUR)
    assert user.session.ended
    assert processor.wake_at_ms == NEVER


async def test_what_was_true_already_brings_nobody_in_unless_it_is_asked_for(
    tmp_path: Path,
) -> None:
    backfill = edge("filled", VIEWED, "  backfill: true\n")
    async with living(tmp_path) as life:
        for _ in range(3):
            await life.event("View")
        await life.until(START + HOUR)
        await life.reload(shop_of(PLAIN, edge("viewed", VIEWED), backfill))
        await life.until(START + 2 * HOUR)
        assert life.told() == [("filled", START + HOUR)]


async def test_a_start_under_a_changed_shop_finds_the_past_too(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        for _ in range(2):
            await life.event("View")
        await life.die()
        life.now_ms += DAY
        await life.start(VIEWED_OFTEN)
        assert life.restarted.waits
        assert life.processor.plans.bare.id == BEFORE.plan.id
        await life.come_into_force(VIEWED_OFTEN)
        await life.event("View")
        assert life.told() == [("viewed", START + DAY)]


async def test_what_asks_for_nothing_more_of_the_past_is_in_force_at_once(tmp_path: Path) -> None:
    exits = {"campaigns/plain.yaml": PLAIN["campaigns/plain.yaml"] + "exit: {event: Stop}\n"}
    less = shop_of(PLAIN, edge("viewed", 'count("View", "2d") >= 2 && !did("Buy", "2d")'))
    async with living(tmp_path, VIEWED_OFTEN) as life:
        await life.event("View")
        for shop in (less, shop_of(exits), BEFORE):
            assert not life.restarted.filling.needs(shop.plan)
            await life.reload(shop)
        assert not any(isinstance(one, PlanAnnounced) for one in await life.journal())


async def test_a_condition_that_was_taken_away_sees_all_once_it_is_back(tmp_path: Path) -> None:
    async with living(tmp_path, VIEWED_OFTEN) as life:
        await life.event("View")
        await life.reload(BEFORE)
        await life.event("View")  # which nothing asks for
        await life.reload(VIEWED_OFTEN)
        await life.event("View", START)
        assert life.told() == [("viewed", START)]


async def test_what_happens_meanwhile_counts_once(tmp_path: Path) -> None:
    every_one = shop_of(PLAIN, edge("spent", 'sum("View", "price", "7d") > 1000000.0'))
    async with living(tmp_path) as life:
        await life.event("View")
        busy = asyncio.create_task(life.reload(every_one))
        while not busy.done():
            await life.event("View", START - 1)
        await busy
        views = sum(isinstance(one, EventReceived) for one in await life.journal())
        assert 1 < views == len(life.processor.users["u"].history["View"]) // 8


async def test_somebody_of_whom_something_comes_all_the_time_is_waited_for_at_last(
    tmp_path: Path,
) -> None:
    async with living(tmp_path) as life:
        shell = life.restarted.shell
        await life.event("View")
        going = True

        async def hammer() -> None:
            while going:
                await life.event("View", START - 1)

        hammering = [asyncio.create_task(hammer()) for _ in range(8)]
        await life.reload(VIEWED_OFTEN)
        going = False
        await asyncio.gather(*hammering)
        assert life.processor.plans.bare.id == VIEWED_OFTEN.plan.id
        assert not shell.is_holding


async def test_who_reads_the_journal_comes_to_its_end_while_it_grows(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        widened = BEFORE.plan.widened(VIEWED_OFTEN.plan)
        gathering = Gathering(widened, gap(BEFORE.plan, VIEWED_OFTEN.plan), START)
        for _ in range(3):
            await life.event("View")
            assert not await life.store.read(gathering.read_some)
            assert gathering.behind == life.processor.users["u"].seen + 1


async def test_a_row_of_many_inputs_is_read_in_slices(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        raw = msgspec.Raw(b"{}")
        views = [EventReceived("u", "View", START, START, raw) for _ in range(SLICE_INPUTS + 1)]
        await life.restarted.shell.submit(views)
        widened = BEFORE.plan.widened(VIEWED_OFTEN.plan)
        gathering = Gathering(widened, gap(BEFORE.plan, VIEWED_OFTEN.plan), START)
        behind = []
        while await life.store.read(gathering.read_some):
            behind.append(gathering.behind)
        seen = life.processor.users["u"].seen
        assert (len(behind), behind[-1]) == (2, seen + 1)
        ((_, found),) = gathering.found()
        assert len(instants_of(found.history["View"])) == min(SLICE_INPUTS + 1, 3)


async def test_a_later_plan_that_is_faster_wins(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        await life.event("View")
        slow = asyncio.create_task(life.reload(VIEWED_OFTEN))
        await asyncio.sleep(0)
        other = shop_of(PLAIN, edge("other", 'count("View", "9d") >= 9'))
        await life.reload(other)
        await slow
        assert life.processor.plans.bare.id == other.plan.id


async def test_who_was_erased_has_no_past_to_be_found(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        for _ in range(2):
            await life.event("View")
        life.processor.erase("u", life.now_ms)
        await life.restarted.shell.submit(())
        await life.event("View")
        await life.reload(VIEWED_OFTEN)
        assert len(life.processor.users["u"].history["View"]) == 8


async def test_few_bytes_are_held_however_many_users_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(tmp_path) as life:
        users = [f"u{number}" for number in range(500)]
        events = [EventReceived(user, "View", START, START) for user in users for _ in range(2)]
        await life.restarted.shell.submit(events)
        readings = 0
        begin = Filling._hand_out

        async def counted(self: Filling, *args: Any) -> None:
            nonlocal readings
            readings += 1
            await begin(self, *args)

        monkeypatch.setattr(Filling, "_hand_out", counted)
        monkeypatch.setattr(life.restarted.filling, "_bytes_max", 100_000)
        await life.reload(VIEWED_OFTEN)
        assert 2 <= readings <= 20
        assert {len(life.processor.users[user].history["View"]) for user in users} == {16}


async def test_what_the_archive_has_let_go_of_stays_as_it_was_kept(tmp_path: Path) -> None:
    more = shop_of(PLAIN, edge("viewed", 'count("View") >= 5 && last("View").sku == "a"'))
    less = shop_of(PLAIN, edge("viewed", 'count("View") >= 9'))
    async with living(tmp_path, less) as life:
        for _ in range(3):
            await life.event("View", sku="a")
            life.now_ms += MINUTE
        await life.store.transact(
            lambda c: c.execute("DELETE FROM journal WHERE first_input <= 2").rowcount
        )
        await life.reload(more)
        user = life.processor.users["u"]
        assert user.details["View"].total == 3
        await life.event("View", sku="b")
        await life.event("View", sku="a")
        assert life.told() == [("viewed", life.now_ms)]


async def test_what_is_found_twice_is_journaled_once(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        await life.event("View")
        await life.restarted.filling.prepare(VIEWED_OFTEN.plan, VIEWED_OFTEN.content)
        await life.restarted.filling.prepare(VIEWED_OFTEN.plan, VIEWED_OFTEN.content)
        found = [one for one in await life.journal() if isinstance(one, HistoryFound)]
        assert len(found) == 1


def test_what_is_no_find_changes_nothing() -> None:
    processor = Processor(VIEWED_OFTEN.plan)
    processor.take(EventReceived("u", "View", START, START), START)
    before = encode_user(processor.users["u"])
    processor.take(HistoryFound("u", b"\xc1"), START)
    processor.users["u"].seen -= 1
    assert encode_user(processor.users["u"]) == before
    assert msgspec.msgpack.decode(b"\x80", type=Found) == Found()


# Against a shop that asked for it from the start

RICH = {
    "campaigns/a.yaml": """
campaign: a
enter:
  when: >-
    count("View", "2h", e, e.sku == "a") >= 2 && sum("Buy", "total", "3h") < 50.0
    && cart.value > 10.0
steps: [{exit: done}]
""",
    "campaigns/b.yaml": """
campaign: b
enter: {when: 'count("Add") >= 3 && first("View").sku != "b" && distinct("View", "sku") > 1'}
steps: [{exit: done}]
""",
    "campaigns/d.yaml": """
campaign: d
enter: {when: 'visits("1d") >= 3 && session.duration > "10m" && count("Session Ended") > 1'}
steps: [{exit: done}]
""",
    "campaigns/c.yaml": """
campaign: c
enter: {event: Go, when: 'size(recent) > 1 && score("churn") > 0.5'}
steps: [{exit: done}]
""",
}
CARTS = """[events]
keep = "30d"
[collections.cart]
add = ["Add"]
remove = ["Drop"]
clear = ["Buy"]
[collections.recent]
add = ["View"]
"""
AFTER = shop_of(RICH, toml=CARTS)
PART = {name: RICH[name] for name in ("campaigns/b.yaml",)}
VISITS = edge("visits", 'visits("2h") > 1')
BEFORES = [
    shop_of(PLAIN, toml=CARTS),
    shop_of(PART, toml=CARTS),
    shop_of(RICH),
    shop_of(VISITS, toml=CARTS),
]
"""That ask for nothing, for some of it, for a cart that other events fill, and for sessions."""

events = st.tuples(
    st.sampled_from(["View", "View", "Add", "Drop", "Buy", "Other"]),
    st.sampled_from(["u", "v"]),
    st.sampled_from([0, 0, 0, -1, -30, -90, -200]),  # minutes before it came
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([0, 0, 1, 20, 61]),  # minutes since the one before
)


def kept_of(user: User, shop: Shop) -> list[Any]:
    plan = shop.plan
    newest_ms = max(one for packed in user.history.values() for one in instants_of(packed))

    def asked_for(name: str, packed: bytes) -> list[int]:
        """What is beyond that may stay a while: it goes as the name is next added to."""
        kept = plan.kept[name]
        floor_ms = 0 if kept.window_ms is None else newest_ms - kept.window_ms
        return [one for one in instants_of(packed) if one >= floor_ms][-kept.most :]

    return [
        {name: asked_for(name, one) for name, one in user.history.items() if name in plan.kept},
        {name: msgspec.to_builtins(one) for name, one in user.details.items()},
        {name: msgspec.to_builtins(one) for name, one in user.collections.items()},
        user.session and msgspec.to_builtins(user.session),
    ]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    script=st.lists(events, min_size=1, max_size=30),
    place=st.integers(0, 30),
    before=st.sampled_from(BEFORES),
    dies_at=st.none() | st.integers(0, 6),
)
def test_afterwards_all_is_as_if_it_had_been_asked_for_from_the_start(
    tmp_path_factory: pytest.TempPathFactory,
    script: list[tuple[str, str, int, str, int]],
    place: int,
    before: Shop,
    dies_at: int | None,
) -> None:
    async def run(path: Path) -> tuple[dict[str, list[Any]], bool]:
        async with living(path, before) as life:
            for at, (name, user, behind, sku, passed) in enumerate(script):
                if at == place:
                    await change(life, dies_at)
                await life.until(life.now_ms + passed * MINUTE)
                said = {"sku": sku, "product_id": sku, "price": 7.5, "total": at}
                await life.event(name, life.now_ms + behind * MINUTE, user, **said)
            if place >= len(script):
                await change(life, dies_at)
            # What only `before` asked for goes as a name is next added to, and what a late event
            # held back once its instant has passed.
            await life.until(life.now_ms + MINUTE)
            for user in ("u", "v"):
                for name in ("View", "Add", "Buy"):
                    await life.event(name, user=user, sku="a", product_id="a", price=1, total=1)
            users = {name: kept_of(user, AFTER) for name, user in life.processor.users.items()}
            same = await replays(life)
            return users, same

    processor = Processor(AFTER.plan)
    now_ms = START
    for at, (name, user, behind, sku, passed) in enumerate(script):
        now_ms += passed * MINUTE
        said = {"sku": sku, "product_id": sku, "price": 7.5, "total": at}
        raw = msgspec.Raw(msgspec.json.encode(said))
        processor.advance(now_ms)
        processor.take(EventReceived(user, name, now_ms + behind * MINUTE, now_ms, raw), now_ms)
    now_ms += MINUTE
    processor.advance(now_ms)
    for user in ("u", "v"):
        for name in ("View", "Add", "Buy"):
            said = {"sku": "a", "product_id": "a", "price": 1, "total": 1}
            raw = msgspec.Raw(msgspec.json.encode(said))
            processor.take(EventReceived(user, name, now_ms, now_ms, raw), now_ms)
    expected = {name: kept_of(user, AFTER) for name, user in processor.users.items()}
    users, same = asyncio.run(run(tmp_path_factory.mktemp("life")))
    assert users == expected
    assert same


async def change(life: Life, dies_at: int | None) -> None:
    """Have the plan in force, by a process that dies so many turns of its work before, or not."""
    if dies_at is not None:
        reloading = asyncio.create_task(life.reload(AFTER))
        for _ in range(dies_at * 7):
            await asyncio.sleep(0)
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)
        await life.die()
        await life.start(AFTER)
        if life.restarted.waits:
            await life.come_into_force(AFTER)
    else:
        await life.reload(AFTER)
