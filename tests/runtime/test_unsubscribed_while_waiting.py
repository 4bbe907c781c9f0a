"""Who says no while a message of his waits gets none, on whichever channel, however he says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from channels.base import CHANNEL_IDS, Retry
from channels.templates.parsing import parse_template
from engine.core.inputs import ConsentStated, UserIdentified
from engine.core.plan import Plan
from tests.core.world import campaign, send
from tests.runtime.rig import TEMPLATES, Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

    from channels.base import Outcome

TRAITS = {
    "push": {"endpoint": "https://push.example.com/1"},
    "phone": "+33612345678",
    "consent": {"email": True, "sms": True},
}
_BODIES = {"webhook": "{}", "sms": "Still there", "in_app": "---\ntitle: T\n---\nThere"}
WAYS = ("by-link", "by-topic", "by-trait", "to-everything")


def _no(way: str, channel: str, now_ms: int) -> ConsentStated | UserIdentified:
    """He does not want it any more."""
    if way == "by-link":
        return ConsentStated("u", "one-click", now_ms, now_ms, channels={channel: False})
    if way == "by-topic":
        return ConsentStated("u", "preferences", now_ms, now_ms, topics={"sales": False})
    said: Any = False if way == "to-everything" else {channel: False}
    return UserIdentified("u", now_ms, now_ms, msgspec.Raw(msgspec.json.encode({"consent": said})))


async def _open(folder: Path, channel: str, *script: Outcome) -> Rig:
    plan = Plan("p", [campaign("c", send(channel), topic="sales")])
    ends: dict[str, Any] = {channel: ScriptedChannel(*script)}
    rig = await Rig.open(folder / "hairspring.db", plan, concurrency=1, **ends)
    made = {("t", one): parse_template("t", one, body, one) for one, body in _BODIES.items()}
    rig.dispatcher.composer.templates = {**TEMPLATES, **made}
    rig.reachable("other", "u", **TRAITS)
    rig.start()
    return rig


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channel", CHANNEL_IDS)
async def test_what_waits_behind_another_message_does_not_go_after_a_no(
    tmp_path: Path, channel: str, way: str
) -> None:
    rig = await _open(tmp_path, channel)
    end = rig.channels[channel]
    end.gate.clear()
    await rig.shell.submit([rig.event(user="other"), rig.event(user="u")])
    await end.began.wait()
    await rig.shell.submit([_no(way, channel, rig.clock.now_ms())])
    end.gate.set()
    (skipped,) = await rig.until("skipped")
    assert (skipped.user_id, skipped.reason) == ("u", "no_consent")
    await rig.until("delivered")
    assert [one.user_id for one in end.handed] == ["other"]
    await rig.close()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("channel", CHANNEL_IDS)
async def test_a_no_during_an_attempt_that_fails_is_the_end_of_it(
    tmp_path: Path, channel: str, way: str
) -> None:
    rig = await _open(tmp_path, channel, Retry("busy"))
    end = rig.channels[channel]
    end.gate.clear()
    await rig.shell.submit([rig.event(user="u")])
    await end.began.wait()
    await rig.shell.submit([_no(way, channel, rig.clock.now_ms())])
    end.gate.set()
    (skipped,) = await rig.until("skipped")
    assert (skipped.user_id, skipped.reason) == ("u", "no_consent")
    assert len(end.handed) == 1
    assert await rig.store.count("outbox") == 0
    await rig.close()
