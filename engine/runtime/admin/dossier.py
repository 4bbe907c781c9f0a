"""What is held of one user, told as JSON: to operators, and to whoever asks for his own data."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Any, Final, assert_never

import msgspec

from channels.file import lines_in_files
from engine.core.effects import Record
from engine.core.history import instants_of, sent_name
from engine.core.inputs import (
    ConsentStated,
    DeliveryReported,
    EnrollmentCancelled,
    EnrollmentForwarded,
    EventReceived,
    HistoryFound,
    LetterRevived,
    MessageAnswered,
    TriggerReceived,
    UserErased,
    UserIdentified,
    UserScored,
    UsersMerged,
)
from engine.core.instants import format_instant
from engine.core.messages.caps import place_name
from engine.core.messages.waiting import by_id
from engine.core.past.entered import count_of, each_entry
from engine.core.people.consents import proofs
from engine.core.people.traits import CONSENT_CHANNELS
from engine.core.reports.records import told
from engine.core.state import NEVER
from engine.runtime.admin.quarantine import told_item
from engine.store import holdings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from engine.core.collections import Collected
    from engine.core.inputs import FromClient, UserInput
    from engine.core.past.details import Details
    from engine.core.plan import Plan
    from engine.core.state import Enrollment, User
    from engine.store import Store

TIMELINE_MAX: Final = 10_000
"""Lines of one timeline at the most: the newest; what lies before is asked for by instant."""

_INTERNAL: Final = ("seen", "unsaved", "armed_at_ms", "refused", "traits_bytes", "late_entries")
_encode = msgspec.json.Encoder().encode


def told_state(user: User, plan: Plan | None = None) -> dict[str, Any]:
    """A user's state, instants in ISO 8601; with a plan, the step that each enrollment is in."""
    state = msgspec.to_builtins(user)
    for name in _INTERNAL:
        state.pop(name, None)
    state["history"] = {
        name: [format_instant(at_ms) for at_ms in instants_of(packed)]
        for name, packed in user.history.items()
        if name.isprintable()
    }
    state["received"] = {
        name[1:]: [format_instant(at_ms) for at_ms in instants_of(packed)]
        for name, packed in user.history.items()
        if name == sent_name(name[1:]) and name[1:].isprintable()
    }
    state["places"] = {
        channel: [format_instant(at_ms) for at_ms in instants_of(packed)]
        for channel in CONSENT_CHANNELS
        if (packed := user.history.get(place_name(channel)))
    }
    state["details"] = {
        name: _told_details(details, instants_of(user.history[name]))
        for name, details in user.details.items()
    }
    state["collections"] = {
        name: _told_collected(collected) for name, collected in user.collections.items()
    }
    state.pop("rapport", None)
    answers = {} if user.rapport is None else user.rapport.answers
    state["answers"] = {
        effect_id: _dated(msgspec.to_builtins(one)) for effect_id, one in answers.items()
    }
    state["consents"] = [
        {"at": format_instant(at_ms), "what": what, "said": "yes" if yes else "no", "source": by}
        for at_ms, what, yes, by in proofs(user)
    ]
    if user.session is not None:
        state["session"] = _dated(state["session"])
    state["entries"] = [
        {"campaign": key.partition("\n")[0], "per": key.partition("\n")[2],
         "at": format_instant(at_ms), "count": count_of(marks)}
        for key, (at_ms, marks) in each_entry(user.entries)
    ]  # fmt: skip
    state["drawn"] = [
        {"campaign": key.partition("\n")[0], "split": key.partition("\n")[2], "variant": variant}
        for key, variant in user.drawn.items()
    ]
    state["aliases"] = [
        {"id": alias, "merged_at": format_instant(at_ms)} for alias, at_ms in user.aliases.items()
    ]
    state["refusals"] = [
        {"at": format_instant(at_ms), "campaign": campaign, "reason": reason}
        for at_ms, campaign, reason in user.refusals
    ]
    state["enrollments"] = [_told_enrollment(one, plan) for one in user.enrollments]
    state["pending"] = {
        name: _dated(msgspec.to_builtins(pending)) | {"variants": dict(pending.variants)}
        for name, pending in by_id(user.pending).items()
    }
    return _dated(state)


async def timeline(
    store: Store, *ids: str, limit: int, before_ms: int = NEVER
) -> list[dict[str, Any]]:
    """The newest `limit` events and records of a user before an instant, in order of time.

    Of all his `ids`.

    An event stands where it was taken, which is `at`; at one instant it stands before what it did.
    O(what is kept of him), in memory O(limit).
    """
    newest: list[tuple[int, int, UserInput | UserErased | Record]] = []
    place = 0

    def add(at_ms: int, happened: UserInput | UserErased | Record) -> None:
        nonlocal place
        place += 1
        if at_ms >= before_ms:
            return
        if len(newest) < limit:
            heapq.heappush(newest, (at_ms, place, happened))
        elif limit:
            heapq.heappushpop(newest, (at_ms, place, happened))

    async for happened in holdings.inputs_of(store, *ids):
        add(happened.at_ms, happened)
    async for record in holdings.records_of(store, *ids):
        add(record.at_ms, record)
    return [_told(happened) for _, _, happened in sorted(newest, key=lambda one: one[:2])]


async def export(
    store: Store, outbox: Path, ids: tuple[str, ...], user: User | None, *, made_at_ms: int
) -> AsyncIterator[bytes]:
    """Everything that is held of a user, as one JSON document, in pieces.

    Args:
        store: Open.
        outbox: The folder of the transport `file`.
        ids: All of his, his own first.
        user: His state now, where there is one.
        made_at_ms: Logical now.
    """
    head = {"user_id": ids[0], "made_at": format_instant(made_at_ms)}
    yield _encode(head)[:-1]
    yield b',"state":' + _encode(told_state(user) if user is not None else None)
    yield b',"events":['
    behind = b""
    async for happened in holdings.inputs_of(store, *ids):
        yield behind + _encode(_told(happened))
        behind = b","
    yield b'],"records":['
    records = [record async for record in holdings.records_of(store, *ids)]
    records.sort(key=lambda record: record.at_ms)
    yield b",".join([_encode(_told(record)) for record in records])
    rest = {
        "messages": [_told_message(message) for message in await holdings.messages_of(store, *ids)],
        "inbox": [
            {name: value for name, value in _dated(msgspec.to_builtins(one)).items() if value}
            | {"message": msgspec.Raw(one.message)}
            for one in await holdings.inbox_of(store, *ids)
        ],
        "coupons": [
            {"pool": pool, "code": code, "at": format_instant(at_ms)}
            for pool, code, at_ms in await holdings.coupons_of(store, *ids)
        ],
        "files": {
            channel: [msgspec.Raw(line) for line in lines]
            for channel, lines in (await asyncio.to_thread(lines_in_files, outbox, ids)).items()
        },
        "quarantine": [told_item(item) for item in await holdings.quarantined_of(store, *ids)],
        "earlier_states": [
            {"at": format_instant(at_ms), "state": told_state(earlier)}
            for at_ms, earlier in await holdings.floors_of(store, *ids)
        ],
    }
    yield b"]," + _encode(rest)[1:]


def _told(happened: UserInput | UserErased | Record) -> dict[str, Any]:  # noqa: PLR0911 - a case each
    match happened:
        case MessageAnswered(name=""):
            return _told_answer(happened)
        case EventReceived() | UserIdentified() | UserScored() | TriggerReceived():
            return _received(happened)
        case ConsentStated():
            return {"kind": "consent"} | _dated(msgspec.to_builtins(happened))
        case DeliveryReported() | LetterRevived():
            kind = "revived" if isinstance(happened, LetterRevived) else "reported"
            told_of = msgspec.json.decode(msgspec.json.encode(happened))
            told_of.pop("pending", None)
            return {"kind": kind} | _dated(told_of)
        case EnrollmentForwarded():
            is_end = isinstance(happened, EnrollmentCancelled)
            own = {"kind": "cancelled" if is_end else "forwarded"}
            return own | _dated(msgspec.to_builtins(happened))
        case UserErased() | HistoryFound():  # what was found, are events that stand here, too
            kind = "erased" if isinstance(happened, UserErased) else "found"
            return {"at": format_instant(happened.at_ms), "kind": kind}
        case Record():
            said: dict[str, Any] = msgspec.to_builtins(told(happened))
            del said["user_id"]
            return said
        case _:
            assert_never(happened)


def _received(happened: FromClient | TriggerReceived) -> dict[str, Any]:
    kind, own = "trigger", dict[str, Any]()
    match happened:
        case EventReceived():
            kind, own = "event", {"properties": happened.properties}
        case UserIdentified():
            kind, own = "identify", {"traits": happened.traits}
            if isinstance(happened, UsersMerged):
                kind, own = "merged", {"id": happened.merged_id, **own}
        case UserScored():
            kind, own = "score", {"model": happened.model, "score": happened.score}
        case TriggerReceived():
            own = {"campaign": happened.campaign, "content": happened.content}
    said = {
        "at": format_instant(happened.at_ms),
        "kind": kind,
        "event": happened.name if isinstance(happened, EventReceived) else "",
        "timestamp": format_instant(happened.occurred_at_ms),
        "received_at": format_instant(happened.received_at_ms),
        "message_id": happened.message_id,
    }
    return {key: value for key, value in said.items() if value} | own


def _told_answer(happened: MessageAnswered) -> dict[str, Any]:
    """What a machine did with a message, or what has no name as an event."""
    sent = happened.sent
    said = {
        "at": format_instant(happened.at_ms),
        "kind": happened.answer,
        "machine": happened.machine,
        "campaign": sent.campaign,
        "channel": sent.channel,
        "message": sent.id,
        "link": happened.link,
    }
    return {key: value for key, value in said.items() if value}


def _told_collected(collected: Collected) -> dict[str, Any]:
    said: dict[str, Any] = _dated(msgspec.to_builtins(collected))
    said["items"] = [
        {
            "item": item.key,
            "added_at": None if item.added_at_ms < 0 else format_instant(item.added_at_ms),
            "changes": [
                {"at": format_instant(int(at_ms)), "quantity": change}
                for at_ms, change in zip(item.moves[::2], item.moves[1::2], strict=True)
            ],
            "price": item.price,
            "properties": msgspec.Raw(item.properties or b"{}"),
        }
        for item in collected.items
    ]
    return said


def _told_enrollment(enrollment: Enrollment, plan: Plan | None) -> dict[str, Any]:
    said: dict[str, Any] = _dated(msgspec.to_builtins(enrollment))
    said["event"] = msgspec.Raw(enrollment.event)
    said["variants"] = dict(enrollment.variants)
    if enrollment.content:
        said["content"] = msgspec.Raw(enrollment.content)
    said.pop("position", None)
    if enrollment.chain:
        links, since_ms = enrollment.chain
        said["chain"] = {"links": links, "since": format_instant(since_ms)}
    campaign = plan.campaigns.get(enrollment.campaign) if plan is not None else None
    # By its signature: while a changed plan is taken on, positions may be those of the one before.
    if campaign is not None and enrollment.signature in campaign.signatures:
        said["step"] = campaign.steps[campaign.signatures.index(enrollment.signature)].id
    return said


def _told_details(details: Details, instants: memoryview[int]) -> dict[str, Any]:
    """Of each event what conditions read of it, beside the instants in `history`."""
    said: dict[str, Any] = {"total": details.total}
    if details.columns or details.rows:
        said["properties"] = [details.properties(place) for place in range(len(instants))]
    if details.first:
        said["first"] = {
            "at": format_instant(details.first_at_ms),
            "properties": details.first_properties(),
        }
    return said


def _told_message(held: holdings.Message) -> dict[str, Any]:
    # By way of JSON: a message is a row of it, and the snapshot in it has no other form.
    said = msgspec.json.decode(msgspec.json.encode(held.message))
    said.pop("snapshot", None)
    return _dated(said) | {
        "status": "waiting" if held.dead is None else "dead",
        "reason": held.dead or "",
        "snapshot": held.snapshot,
        "rendered": held.rendered,
    }


def _dated(said: dict[str, Any]) -> dict[str, Any]:
    """Instants as ISO 8601, under their name without the unit; those that are never left out."""
    dated = {}
    for name, value in said.items():
        if not name.endswith("_at_ms") and name not in {"at_ms", "held_until_ms"}:
            dated[name] = value
        elif 0 < value < NEVER:
            dated[name.removesuffix("_ms")] = format_instant(value)
    return dated
