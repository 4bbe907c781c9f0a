from __future__ import annotations

import msgspec
import pytest

from channels.rendering import WorkTooMuch
from channels.templates.parsing import parse_template
from engine.core.effects import SendMessage
from engine.runtime.delivery.composing import WORK_AT_ONCE, Composer, Unmade
from engine.runtime.metrics import Metrics
from tests.core.world import START

HEAVY = "{% for i in (1..9000) %}{% assign x = i | times: 2 %}{% endfor %}{{ x }}"
SNAPSHOT = msgspec.json.encode({"user": {"id": "u", "phone": "+33600000000"}})
MESSAGE = SendMessage(
    user_id="u", id="0" * 32, at_ms=START, campaign="c", enrollment="e" * 32,
    step="s", channel="sms", template="t",
)  # fmt: skip


async def test_what_is_much_work_comes_out_the_same_beside_the_loop() -> None:
    templates = {("t", "sms"): parse_template("t", "sms", HEAVY, "t")}
    with pytest.raises(WorkTooMuch):
        templates["t", "sms"].render({}, now_at_ms=START, work_max=WORK_AT_ONCE)
    composer = Composer(templates, Metrics())
    for _ in range(2):
        assert (await composer.compose(MESSAGE, SNAPSHOT, {})).body == "18000"


async def test_what_is_too_much_work_is_no_message() -> None:
    templates = {("t", "sms"): parse_template("t", "sms", HEAVY * 9, "t")}
    with pytest.raises(Unmade, match="too much work"):
        await Composer(templates, Metrics()).compose(MESSAGE, SNAPSHOT, {})


async def test_what_is_wrong_with_a_template_is_told_with_its_file_and_line() -> None:
    path, text = "templates/t.sms.liquid", "{% for a in (1..99999) %}\nx{% endfor %}"
    templates = {("t", "sms"): parse_template("t", "sms", text, path)}
    with pytest.raises(Unmade, match=r"^template: templates/t\.sms\.liquid:1: loop iteration"):
        await Composer(templates, Metrics()).compose(MESSAGE, SNAPSHOT, {})
