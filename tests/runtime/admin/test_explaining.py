"""What is told of an instant later is what was told then: restarts, edits and pruning between."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from config import load_shop
from engine.cli.explaining import lines_of
from engine.core.inputs import DeliveryReported, EventReceived, UserIdentified
from engine.core.instants import format_instant
from engine.core.state import encode_user
from engine.runtime.admin.explaining import Explaining, Inexplicable
from engine.runtime.admin.past import PlanUnreadable
from engine.runtime.clock import Clock
from engine.runtime.restart import restart
from engine.store import Store
from tests.core.world import DAY, HOUR, MINUTE, START

if TYPE_CHECKING:
    from pathlib import Path

    from config import Shop
    from engine.runtime.admin.explaining import Explanation
    from engine.runtime.processor import Processor

KEEP = 8 * HOUR

CAMPAIGNS = {
    "quiet": """
campaign: quiet
enter: {when: 'did("Seen", "2h") && !did("Bought", "3h") && idle("30m")'}
exit: {when: 'did("Bought", "1h")'}
steps:
  - {wait: {when: 'count("Seen", "1h") >= 2', at_most: 50m}, id: twice}
  - {send: in_app, template: t, id: s}
  - {wait: WAIT, id: pause}
""",
    "visited": """
campaign: visited
enter:
  event: Session Started
steps:
  - exit: end
""",
    "order": """
campaign: order
audience: 'user.tier == "gold"'
enter: {event: Bought, when: 'event.total > 50 && count("Bought", "1d") <= 3', reentry: 1h}
exit: {event: Back}
steps: [{wait: 40m, id: pause}, {send: in_app, template: t, id: s}]
""",
}


def shop_of(wait: str = "20m", *, without: str = "") -> Shop:
    files = {"hairspring.toml": '[events]\nkeep = "8h"\n', "templates/t.in_app.liquid": "Hello"}
    for name, text in CAMPAIGNS.items():
        if name != without:
            files[f"campaigns/{name}.yaml"] = text.replace("WAIT", wait)
    return load_shop(files)


class Life:
    """A process on a clock that stands where it is told, and what it said of users."""

    store: Store
    processor: Processor

    def __init__(self, path: Path, shop: Shop) -> None:
        self.path = path
        self.shop = shop
        self.now_ms = START

    async def start(self) -> None:
        self.store = await Store.open(self.path, sync="normal", keep_ms=DAY)
        self.store.keep_ms = KEEP
        started = await restart(self.shop, self.store, lambda _: None, self._clock)
        self.processor = started.processor
        await self.commit()

    def _clock(self, last_at_ms: int) -> Clock:
        at_ns = self.now_ms * 1_000_000
        return Clock(last_at_ms, wall_ns=lambda: at_ns, monotonic_ns=lambda: 0)

    async def at(self, at: int) -> None:
        """Time goes on."""
        self.now_ms = START + at
        self.processor.advance(self.now_ms)
        await self.commit()

    async def event(self, user: str, name: str, *, late: int = 0, **properties: Any) -> None:
        raw = msgspec.Raw(msgspec.json.encode(properties))
        at_ms = self.now_ms
        self.processor.take(EventReceived(user, name, at_ms - late, at_ms, raw), at_ms)
        await self.commit()

    async def traits(self, user: str, **traits: Any) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        self.processor.take(UserIdentified(user, self.now_ms, self.now_ms, raw), self.now_ms)
        await self.commit()

    async def adopt(self, shop: Shop) -> None:
        self.shop = shop
        self.processor.adopt(shop.plan, self.now_ms, shop.content)
        while self.processor.sweep():
            pass
        await self.commit()

    async def commit(self) -> None:
        while (batch := self.processor.begin(self.now_ms)) is not None:
            await self.store.commit(batch)
            self.processor.finish(batch)

    async def work(self) -> None:
        """What is done in the background."""
        while await self.store.prune(self.now_ms):
            pass
        while await self.store.keep_archive(self.now_ms):
            pass

    async def explain(self, user: str, campaign: str, at: int | None = None) -> Explanation:
        explaining = Explaining.running(self.store, self.processor)
        at_ms = None if at is None else START + at
        return await explaining.explain(user, campaign, now_ms=self.now_ms, at_ms=at_ms)


@pytest.fixture
async def life(tmp_path: Path) -> Any:
    life = Life(tmp_path / "hairspring.db", shop_of())
    await life.start()
    yield life
    await life.store.close()


async def happen(life: Life, random: Random, *, edits: bool) -> None:
    user = random.choice(["ada", "bob"])
    match random.randrange(12 if edits else 10):
        case 0 | 1 | 2 | 3:
            await life.event(user, "Seen", late=random.choice([0, 0, 7 * MINUTE]))
        case 4 | 5:
            await life.event(user, "Bought", total=random.choice([20, 80]))
        case 6:
            await life.event(user, random.choice(["Back", "Other"]))
        case 7:
            await life.traits(user, tier=random.choice(["gold", "silver"]))
        case 8:
            await life.work()
        case 9:  # killed, and away for a while
            await life.store.close()
            life.now_ms += random.choice([2_000, 17 * MINUTE])
            await life.start()
        case _:
            await life.adopt(shop_of(random.choice(["5m", "20m", "90m"])))


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_so_at_an_instant_is_told_later_as_it_was_told_then(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    life = Life(tmp_path / "hairspring.db", shop_of())
    await life.start()
    for user in ("ada", "bob"):
        await life.event(user, "Seen")
    said: list[tuple[int, str, str, bytes]] = []
    for _ in range(25):
        await happen(life, random, edits=seed % 2 == 1)
        later = life.now_ms - START + random.choice([1, MINUTE, 11 * MINUTE, 31 * MINUTE])
        await life.at(later)
        for user in ("ada", "bob"):
            for campaign in CAMPAIGNS:
                told = msgspec.json.encode(await life.explain(user, campaign))
                said.append((later, user, campaign, told))
        await life.at(later + 1)
    oldest = life.now_ms - START - KEEP
    for at, user, campaign, told in random.sample(said, 20):
        if at > oldest:
            assert msgspec.json.encode(await life.explain(user, campaign, at)) == told
    await life.store.close()
    store = await Store.open(life.path)
    resting = await Explaining.resting(store)
    for at, user, campaign, told in said[-4:]:
        again = await resting.explain(user, campaign, now_ms=life.now_ms, at_ms=START + at)
        assert msgspec.json.encode(again) == told
    await store.close()


async def test_a_folder_at_rest_says_what_the_process_said_last(tmp_path: Path) -> None:
    life = Life(tmp_path / "hairspring.db", shop_of())
    await life.start()
    await life.event("ada", "Seen")
    await life.at(40 * MINUTE)
    told = await life.explain("ada", "quiet")
    await life.store.close()
    store = await Store.open(life.path)
    again = await (await Explaining.resting(store)).explain("ada", "quiet", now_ms=life.now_ms)
    assert again == told
    assert told.verdict.kind == "in"
    assert "waits in step twice" in told.verdict.text
    await store.close()


async def test_an_event_that_brought_nobody_in_is_asked_again_as_it_was_then(life: Life) -> None:
    await life.traits("ada", tier="gold")
    await life.event("ada", "Bought", total=20)
    await life.at(HOUR)
    await life.traits("ada", tier="silver")
    told = await life.explain("ada", "order")
    assert told.verdict.kind == "not_true"
    assert told.verdict.at == format_instant(START)
    came = told.account.came
    assert came is not None
    assert came.when is not None
    assert [(part.text, part.value) for part in came.when.parts] == [
        ("event.total > 50", False),
        ('count("Bought", "1d") <= 3', True),
    ]
    # The one that is asked about is the newest by then, not the newest.
    await life.event("ada", "Bought", total=80)
    await life.at(HOUR + MINUTE)
    refused = await life.explain("ada", "order")
    assert (refused.verdict.kind, refused.verdict.reason) == ("refused", "audience")
    assert (await life.explain("ada", "order", 30 * MINUTE)).verdict.kind == "not_true"


async def test_who_is_in_it_is_told_where_and_who_was_what_became_of_it(life: Life) -> None:
    await life.traits("ada", tier="gold")
    await life.event("ada", "Bought", total=80)
    await life.at(10 * MINUTE)
    inside = await life.explain("ada", "order")
    assert inside.verdict.kind == "in"
    (place,) = inside.account.places
    assert place.step == "pause"
    assert place.until == place.next_at == format_instant(START + 40 * MINUTE)
    assert place.exit_events == ("Back",)
    await life.event("ada", "Back")
    await life.at(11 * MINUTE)
    after = await life.explain("ada", "order")
    assert after.verdict.kind == "ended"
    left = format_instant(START + 10 * MINUTE)
    assert after.verdict.text == f"entered at {format_instant(START)} and left at {left} (event)"
    assert [one.kind for one in after.account.records] == ["exited", "entered"]


async def test_before_any_event_it_says_which_it_waits_for(life: Life) -> None:
    await life.event("ada", "Other")
    told = await life.explain("ada", "order")
    assert (told.verdict.kind, told.verdict.text) == (
        "waits",
        "waits for Bought: none has come, imported history aside",
    )


async def test_whoever_came_in_by_what_the_engine_made_is_not_told_that_it_never_came(
    life: Life,
) -> None:
    await life.event("ada", "Other")
    told = await life.explain("ada", "visited")
    start = format_instant(START)
    assert told.verdict.text == (
        "waits for Session Started: none that came is kept; "
        f"he last entered at {start} and left at {start} (end)"
    )


@pytest.mark.parametrize(
    ("user", "campaign", "at", "code", "hint"),
    [
        ("adda", "quiet", None, "user.unknown", "did you mean ada?"),
        ("zoe", "quiet", None, "user.unknown", "ids are taken letter by letter"),
        ("ada", "quite", None, "campaign.unknown", "did you mean quiet?"),
        ("ada", "quiet", DAY, "explain.instant", "leave the instant out"),
        ("ada", "quiet", -1, "user.unknown", "ids are taken letter by letter"),
    ],
)
async def test_what_there_is_not_is_told_with_the_nearest_that_there_is(
    life: Life, user: str, campaign: str, at: int | None, code: str, hint: str
) -> None:
    await life.event("ada", "Seen")
    await life.at(HOUR)
    with pytest.raises(Inexplicable) as caught:
        await life.explain(user, campaign, at)
    assert caught.value.code == code
    assert hint in caught.value.hint


async def test_further_back_than_the_archive_it_says_so(life: Life) -> None:
    await life.event("ada", "Seen")
    for hour in range(1, 40):
        await life.at(hour * HOUR)
        await life.event("ada", "Seen")
        await life.work()
    assert (await life.explain("ada", "quiet", 33 * HOUR)).at == format_instant(START + 33 * HOUR)
    with pytest.raises(Inexplicable) as caught:
        await life.explain("ada", "quiet", 2 * HOUR)
    assert caught.value.code == "explain.archive"


async def test_a_campaign_that_was_not_there_then_is_told_so(life: Life) -> None:
    await life.event("ada", "Seen")
    await life.adopt(shop_of(without="order"))
    await life.at(HOUR)
    await life.adopt(shop_of())
    await life.at(HOUR + 1)
    assert (await life.explain("ada", "order")).campaign == "order"
    with pytest.raises(Inexplicable, match="the shop has no campaign 'order' at 2026-01-01T00:30"):
        await life.explain("ada", "order", 30 * MINUTE)


async def test_who_was_erased_and_came_back_has_no_past(life: Life) -> None:
    await life.event("ada", "Seen")
    await life.at(MINUTE)
    life.processor.erase("ada", life.now_ms)
    await life.commit()
    await life.at(HOUR)
    await life.event("ada", "Other")
    await life.at(2 * HOUR)
    told = await life.explain("ada", "quiet")
    assert told.verdict.kind == "not_true"
    assert await life.explain("ada", "quiet", 2 * HOUR) == told


async def test_a_plan_that_cannot_be_read_any_more_is_told(life: Life) -> None:
    await life.event("ada", "Seen")
    await life.at(MINUTE)
    await life.adopt(shop_of("5m"))
    await life.store.transact(lambda c: c.execute("UPDATE plans SET content = x'00'"))
    await life.at(HOUR)
    assert (await life.explain("ada", "quiet")).verdict.kind == "in"
    with pytest.raises(PlanUnreadable):
        await life.explain("ada", "quiet", 30)


async def test_asking_changes_nothing(life: Life) -> None:
    await life.event("ada", "Seen")
    before = encode_user(life.processor.users["ada"])
    life.now_ms += 2 * HOUR  # deadlines are due that did not fire yet
    told = await life.explain("ada", "quiet")
    assert told.verdict.kind == "in" or told.account.records == []
    assert encode_user(life.processor.users["ada"]) == before
    assert life.processor.begin(life.now_ms) is None


async def test_a_message_that_was_not_delivered_yet_is_told_with_its_id(tmp_path: Path) -> None:
    life = Life(tmp_path / "hairspring.db", shop_of())
    await life.start()
    await life.traits("ada", tier="gold")
    await life.event("ada", "Bought", total=80)
    await life.at(HOUR)
    told = await life.explain("ada", "order")
    (waiting,) = told.account.undelivered
    (sent,) = [one for one in told.account.records if one.kind == "sent"]
    assert (waiting.message, waiting.channel) == (sent.message, "in_app")
    assert f"  {waiting.message}  s in_app" in list(lines_of(told))
    outcome = DeliveryReported("ada", waiting.message, "delivered", at_ms=life.now_ms)
    life.processor.take(outcome, life.now_ms)
    await life.commit()
    assert (await life.explain("ada", "order")).account.undelivered == []
    assert (await life.explain("ada", "order", HOUR - 1)).account.undelivered == [waiting]
    await life.store.close()
