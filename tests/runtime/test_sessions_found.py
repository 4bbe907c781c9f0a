"""Sessions that are found of a past whose beginning the archive has let go of."""

from __future__ import annotations

from random import Random  # noqa: TID251 - seeded, and the seed is in the name of the test
from typing import TYPE_CHECKING

import pytest

from engine.core.history import instants_of
from engine.core.inputs import SentMessage
from engine.core.messages.answers import answered
from engine.store import floors
from tests.core.world import HOUR, MINUTE, START
from tests.runtime.living import PLAIN, edge, living, shop_of

if TYPE_CHECKING:
    from pathlib import Path

GAP = 30 * MINUTE
KEEP = 4 * HOUR
SETTINGS = '[events]\nkeep = "4h"\ndedupe_window = "1h"\nmax_lateness = "1h"\n'
COUNTS = shop_of(PLAIN, edge("v", 'visits("4h") >= 99'), toml=SETTINGS)


def starts_of(activities: list[int]) -> list[int]:
    """When sessions began, as somebody says who saw it all."""
    return [
        at_ms
        for place, at_ms in enumerate(activities)
        if not place or at_ms - activities[place - 1] >= GAP
    ]


@pytest.mark.parametrize("seed", range(6))
async def test_no_session_begins_where_the_archive_does(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floors, "SLICE_USERS", 3)
    random = Random(seed)
    done: dict[str, list[int]] = {user: [] for user in "abcdefgh"}
    async with living(tmp_path, shop_of(PLAIN, toml=SETTINGS), keep_ms=KEEP) as life:
        while life.now_ms < START + 14 * HOUR:
            await life.until(life.now_ms + random.choice([1, 2, 5, 9, 14]) * MINUTE)
            user = random.choice("aaabbcdefgh")
            done[user].append(life.now_ms)
            await life.event("View", user=user)
            while random.random() < 0.9 and await life.store.keep_archive(life.now_ms):
                pass
            while await life.store.prune(life.now_ms):
                pass
        (first,) = await life.store.read(
            lambda c: c.execute("SELECT min(first_input) FROM journal").fetchone()
        )
        assert first > 1, "the archive was never cut"
        await life.reload(COUNTS)
        users = life.processor.users
        for user, activities in done.items():
            known = [*instants_of(users[user].history.get("Session Started", b""))]
            assert set(known) <= set(starts_of(activities)), user
            since_ms = life.now_ms - KEEP
            expected = [at_ms for at_ms in starts_of(activities) if at_ms > since_ms]
            assert [at_ms for at_ms in known if at_ms > since_ms] == expected, user


async def test_a_click_begins_one_and_what_a_machine_does_begins_none(tmp_path: Path) -> None:
    sent = SentMessage("m", "email", sent_at_ms=START)
    async with living(tmp_path) as life:
        for hour, machine in ((1, "scanner"), (2, ""), (3, "scanner")):
            await life.until(START + hour * HOUR)
            clicked = answered("u", sent, "clicked", life.now_ms, machine=machine)
            await life.restarted.shell.submit([clicked])
        await life.reload(shop_of(PLAIN, edge("v", 'visits("7d") >= 9')))
        started = life.processor.users["u"].history["Session Started"]
        assert [*instants_of(started)] == [START + 2 * HOUR]
