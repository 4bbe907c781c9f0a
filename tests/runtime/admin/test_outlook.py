"""What a round over everybody finds, and when another one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config import load_shop
from engine.core.inputs import EventReceived, UserIdentified
from engine.runtime.admin.outlook import HOUR_MS, Outlook
from tests.runtime.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FILES = {
    "segments.yaml": 'gold: user.plan == "gold"\n',
    "campaigns/a.yaml": "campaign: a\nenter: {event: Go}\nsteps: [{wait: 1h, id: w}]\n",
    "campaigns/b.yaml": "campaign: b\nenter: {when: 'idle(\"2h\")'}\nsteps: [{exit: x}]\n",
}


async def test_deadlines_stand_in_their_hours_and_segments_are_counted(tmp_path: Path) -> None:
    rig = await Rig.open(tmp_path / "hairspring.db", load_shop(FILES).plan)
    processor = rig.processor
    first_ms = (processor.now_ms // HOUR_MS + 1) * HOUR_MS
    for number, user_id in enumerate(("ada", "bob", "cleo")):
        at_ms = first_ms + number
        traits = msgspec.Raw(b'{"plan": "%s"}' % (b"gold" if number else b"free"))
        processor.take(UserIdentified(user_id, at_ms, at_ms, traits), at_ms)
        processor.take(EventReceived(user_id, "Go", at_ms, at_ms), at_ms)
    outlook = Outlook(processor, rig.clock)
    assert outlook.look() is None
    found = await outlook.settled()
    assert found is not None
    hour = first_ms // HOUR_MS
    assert (found.users, found.due) == (3, {("a", hour + 1): 3})
    assert found.asked == {("b", hour + 2): 3}
    assert found.segments == {"gold": 2}
    assert await outlook.soon() is found
    await outlook.stop()
    await rig.store.close()


async def test_whoever_looks_after_a_while_is_told_of_now_and_not_of_the_round_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await Rig.open(tmp_path / "hairspring.db", load_shop(FILES).plan)
    outlook = Outlook(rig.processor, rig.clock)
    nobody = await outlook.settled()
    assert nobody is not None
    assert nobody.users == 0
    now_ms = rig.processor.now_ms
    rig.processor.take(EventReceived("ada", "Go", now_ms, now_ms), now_ms)
    assert await outlook.soon() is nobody
    monkeypatch.setattr("engine.runtime.admin.outlook.FRESH_FOR_S", -1.0)
    found = await outlook.soon()
    assert found is not None
    assert found.users == 1
    await outlook.stop()
    await rig.store.close()
