"""An address that is no good is no good for whoever has it, however he writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Rejected
from engine.core.inputs import ConsentStated, UserIdentified, UsersMerged
from engine.core.plan import Plan
from engine.core.state import new_user
from engine.runtime.addresses import Barred
from tests.core.world import campaign, send
from tests.runtime.rig import Rig, ScriptedChannel

if TYPE_CHECKING:
    from pathlib import Path

NO_MAILBOX = Rejected("no such mailbox", address_invalid=True)


async def _open(folder: Path, *script: Rejected) -> Rig:
    plan = Plan("p", [campaign("c", send("email", "push"))])
    ends = {channel: ScriptedChannel() for channel in ("email", "push")}
    ends["email"].script += script
    rig = await Rig.open(folder / "hairspring.db", plan, **ends)
    rig.start()
    return rig


async def _comes(rig: Rig, user: str, email: str) -> None:
    """A checkout: who he is, and what brings him in."""
    now_ms = rig.clock.now_ms()
    traits = {"email": email, "push": {"endpoint": "https://p.example/1"}, "consent": ALL}
    said = UserIdentified(user, now_ms, now_ms, msgspec.Raw(msgspec.json.encode(traits)))
    await rig.shell.submit([said, rig.event(user=user)])


ALL = {"email": True, "push": True}


async def test_what_bounced_for_one_goes_to_nobody_else_who_has_it(tmp_path: Path) -> None:
    rig = await _open(tmp_path, NO_MAILBOX)
    await _comes(rig, "guest-1", "ann@example.com")
    await rig.until("failed")
    await _comes(rig, "ann", "Ann@Example.com ")
    (skipped,) = await rig.until("skipped")
    assert (skipped.user_id, skipped.channel, skipped.reason) == ("ann", "email", "suppressed")
    assert [one.user_id for one in rig.channels["email"].handed] == ["guest-1"]
    await rig.close()


async def test_from_then_on_he_is_reached_by_another_channel_after_a_restart_too(
    tmp_path: Path,
) -> None:
    rig = await _open(tmp_path, NO_MAILBOX)
    await _comes(rig, "guest-1", "ann@example.com")
    await rig.until("failed")
    await _comes(rig, "ann", "ann@example.com")
    await rig.until("skipped")
    await rig.shell.durable()
    await rig.close()
    rig = await _open(tmp_path)
    await _comes(rig, "guest-2", "ann@example.com")
    await rig.until("skipped")
    await rig.shell.submit([rig.event(user="ann")])
    (delivered,) = await rig.until("delivered")
    assert (delivered.user_id, delivered.channel) == ("ann", "push")
    assert rig.channels["email"].handed == []
    await rig.close()


async def test_a_freed_or_erased_one_bars_nobody(tmp_path: Path) -> None:
    rig = await _open(tmp_path, NO_MAILBOX, NO_MAILBOX)
    for user in ("guest-1", "guest-2"):
        await _comes(rig, user, f"{user}@example.com")
    await rig.until("delivered", 2)  # by push
    now_ms = rig.clock.now_ms()
    freed = ConsentStated("guest-1", "operator", now_ms, now_ms, suppressed={"email": False})
    await rig.shell.submit([freed])
    await rig.erasing(tmp_path).erase("guest-2")
    for user, email in (("ann", "guest-1@example.com"), ("bob", "guest-2@example.com")):
        await _comes(rig, user, email)
    await rig.until("delivered", 4)
    assert [one.user_id for one in rig.channels["email"].taken] == ["ann", "bob"]
    await rig.close()


async def test_whoever_turns_out_to_be_another_takes_it_along(tmp_path: Path) -> None:
    rig = await _open(tmp_path, NO_MAILBOX)
    await _comes(rig, "guest-1", "ann@example.com")
    await rig.until("failed")
    now_ms = rig.clock.now_ms()
    merged = UsersMerged("customer", now_ms, now_ms, msgspec.Raw(b"{}"))
    merged.merged_id, merged.is_alias = "guest-1", True
    await rig.shell.submit([merged])
    assert rig.processor.barred.whose("email", "ann@example.com") == ["customer"]
    await rig.erasing(tmp_path).erase("customer")
    assert not rig.processor.barred.bars("email", "ann@example.com")
    await rig.close()


_ADDRESSES = st.sampled_from(("a@x", "A@x ", "b@x"))
_KEPT = st.dictionaries(st.sampled_from(("email", "sms", "push")), _ADDRESSES, max_size=2)


def _same(channel: str, kept: str | None, address: str) -> bool:
    if kept is None or channel != "email":
        return kept == address
    return kept.strip().lower() == address.strip().lower()


@given(st.lists(st.tuples(st.sampled_from("abc"), _KEPT)))
def test_it_bars_what_any_user_keeps(changes: list[tuple[str, dict[str, str]]]) -> None:
    kept: dict[str, dict[str, str]] = {user: {} for user in "abc"}
    barred = Barred([])
    for user_id, now in changes:
        barred.follow(user_id, kept[user_id], now)
        kept[user_id] = now
        users = [new_user(one) for one in "abc"]
        for user in users:
            user.suppressed = kept[user.user_id]
        read = Barred(users)
        for channel in ("email", "sms", "push"):
            for address in ("a@x", "A@x ", "b@x"):
                whose = [
                    one for one, by in kept.items() if _same(channel, by.get(channel), address)
                ]
                assert sorted(barred.whose(channel, address)) == whose
                assert sorted(read.whose(channel, address)) == whose
                assert barred.bars(channel, address) == bool(whose)
