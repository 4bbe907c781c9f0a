"""What the witness takes for a step that a repeat sends again."""

from __future__ import annotations

import msgspec
import pytest

from engine.core.effects import SendMessage
from engine.sim.world.restraint import may_repeat
from engine.sim.world.scenario import draw
from engine.sim.world.shop import world_shop
from engine.sim.world.world import run


@pytest.mark.parametrize(
    ("step", "iteration", "since_ms", "may"),
    [
        ("enough", 0, 0, True),
        ("enough", 1, 60_000, False),
        ("added", 0, 0, True),
        ("added", 1, 3_999, False),
        ("added", 1, 4_000, True),
        ("added", 2, 7_999, False),
        ("added", 2, 8_000, True),
        ("added", 3, 60_000, False),
    ],
)
def test_a_repeat_alone_sends_again_and_pauses(
    step: str, iteration: int, since_ms: int, *, may: bool
) -> None:
    empty = msgspec.Raw(b"{}")
    sent = SendMessage("m", 0, "u", "circle", "e", step, "in_app", "note", empty)
    assert may_repeat([world_shop().plan], sent, iteration, since_ms) == may


def test_a_step_within_a_repeat_is_sent_in_two_of_its_times() -> None:
    assert run(draw(102_831)).seen == ""
