"""`POST /trigger`: campaigns started by hand, for one user or many, told what came of each.

A trigger key is a secret: whoever has it has messages sent. So it is compared in constant time, and
no event's write key does in its place. While there is none, this machine alone may start campaigns:
neither a proxy on it, which speaks for anybody, nor a web page in a browser on it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec

from config.faults import nearest
from engine.core.intake.items import Id, ItemInvalid, message_id_of
from engine.core.intake.starts import StartSaid, campaign_of, content_of, user_of
from engine.runtime.starting import Outcomes, Started
from engine.server.answers import ERRORS_MAX, Fault, Refusal, Rejection, answer_json
from engine.server.bodies import decode_body, read_body
from engine.server.clients import is_of_this_machine
from engine.server.edge import TAKEN
from engine.server.keys import BEARER
from engine.server.rates import Allowance, BadKeys, bucket_of_events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from aiohttp import web

    from engine.server.ingest import IngestDoor


class StartBody(msgspec.Struct):
    """The body of `POST /trigger`."""

    user_id: Id = None
    user_ids: list[Any] | None = None
    trigger_type: str | None = None
    campaign: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"")
    message_id: Id = None
    dry_run: bool = False


_FIELDS: Final = StartBody.__struct_fields__
_decode = msgspec.json.Decoder(StartBody).decode
_decode_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def start_handler(door: IngestDoor) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The route's handler."""
    admit = _door_keeper(door)

    async def trigger(request: web.Request) -> web.Response:
        allowance = admit(request)
        allowance.begin()
        body = await read_body(request, door.limits)
        asked = _read(body, door.limits.events_max)
        allowance.go_on(len(asked.user_ids) + len(asked.rejected) - 1)
        if asked.said.campaign not in door.campaigns():
            raise unknown_campaign(asked.said.campaign, door.campaigns())
        received_at_ms = door.now_ms()
        of = asked.said.of_many if asked.are_many else asked.said.of
        outcomes = Outcomes()
        inputs = [of(user_id, received_at_ms) for user_id in dict.fromkeys(asked.user_ids)]
        if asked.is_dry and door.would is not None:
            return answer_json(_told(asked, await door.would(inputs)))
        request[TAKEN] = (len(inputs), len(asked.rejected))
        await door.submit(inputs, size_bytes=len(body), told=outcomes.tell)
        door.metrics.inputs.labels("accepted").inc(len(inputs))
        if asked.rejected:
            door.metrics.inputs.labels("rejected").inc(len(asked.rejected))
        return answer_json(_told(asked, outcomes.started))

    return trigger


def unknown_campaign(campaign: str, known: Collection[str]) -> Refusal:
    """What to say of a campaign that the shop does not have."""
    near = nearest(campaign, known) or "it has none at all"
    message = f"the shop has no campaign {campaign!r}; {near}"
    return Refusal(404, "campaign.unknown", message)


class _Asked(msgspec.Struct, frozen=True):
    """What a body asks for.

    Attributes:
        user_ids: In order; some may be there twice.
        rejected: What of `user_ids` is no user.
        are_many: Whether it is the form for many, be it of one.
        is_dry: Whether it is only told what would come of it.
    """

    said: StartSaid
    user_ids: list[str]
    rejected: list[Rejection]
    are_many: bool
    is_dry: bool


def _read(body: bytes, users_max: int) -> _Asked:
    """What a body asks for. Raises Refusal: 400 with the field at fault, 413 for too many users."""
    said = decode_body(_decode, body)
    unknown = [key for key in decode_body(_decode_keys, body) if key not in _FIELDS]
    if unknown:
        faults = [
            Fault(f"$.{key[:100]}", f"is not known here; {nearest(key, _FIELDS)}")
            for key in unknown[:ERRORS_MAX]  # no more is told, and each takes a while
        ]
        raise Refusal(400, "body.invalid", "the body has keys that are not known", faults=faults)
    try:
        start = StartSaid(
            campaign_of(said.campaign, said.trigger_type),
            content_of(said.content),
            message_id_of(said.message_id),
        )
        if said.user_ids is None:
            user_id = user_of(said.user_id, "$.user_id")
            return _Asked(start, [user_id], [], are_many=False, is_dry=said.dry_run)
    except ItemInvalid as fault:
        raise _invalid([fault]) from fault
    if said.user_id is not None:
        raise _invalid([ItemInvalid("beside user_ids", path="$.user_id", hint="say one of them")])
    if len(said.user_ids) > users_max:
        told = f"{len(said.user_ids)} users in one body, more than {users_max} (server.events_max)"
        raise Refusal(413, "body.too_many", told)
    return _many(start, said.user_ids, is_dry=said.dry_run)


def _many(start: StartSaid, said: list[Any], *, is_dry: bool) -> _Asked:
    """A start for many users: those who are none are told, and cost the others nothing."""
    user_ids: list[str] = []
    faults: list[ItemInvalid] = []
    rejected: list[Rejection] = []
    for index, one in enumerate(said):
        try:
            user_ids.append(user_of(one, f"$.user_ids[{index}]"))
        except ItemInvalid as fault:
            faults.append(fault)
            rejected.append(Rejection(index, fault.path, fault.message))
    if not user_ids:
        raise _invalid(faults or [ItemInvalid("is empty", path="$.user_ids", hint="name somebody")])
    return _Asked(start, user_ids, rejected, are_many=True, is_dry=is_dry)


def _invalid(faults: list[ItemInvalid]) -> Refusal:
    told = [
        Fault(fault.path, f"{fault.message}; {fault.hint}" if fault.hint else fault.message)
        for fault in faults
    ]
    return Refusal(400, "body.invalid", f"{told[0].path}: {told[0].message}", faults=told)


def _told(asked: _Asked, started: list[Started]) -> dict[str, object]:
    """The answer: for each user in the order of the body, a second time as known."""
    first = {one.user_id: one for one in started}
    results = [first.pop(user_id, Started(user_id, "known")) for user_id in asked.user_ids]
    counts = {
        outcome: sum(one.outcome == outcome for one in results)
        for outcome in ("entered", "refused", "known")
    }
    told = {"campaign": asked.said.campaign, **counts, "results": results}
    told |= {"dry_run": True} if asked.is_dry else {}
    return told | {"rejected": asked.rejected} if asked.are_many else told


def _door_keeper(door: IngestDoor) -> Callable[[web.Request], Allowance]:
    """What lets a request in: with the allowance of its key, or of this machine."""
    limits = door.limits
    refused = door.metrics.refused
    bad = BadKeys(door.monotonic_ns, refused=refused)
    allowances = [
        Allowance(
            bucket_of_events(limits.rate, limits.events_max) if limits.rate else None,
            what=told,
            monotonic_ns=door.monotonic_ns,
            on_refused=refused.labels("rate").inc,
        )
        for told in ["this trigger key (server.rate)"] * len(door.trigger_keys)
        or ["this machine (server.rate)"]
    ]
    secrets = [(BEARER + key).encode() for key in door.trigger_keys]

    def admit(request: web.Request) -> Allowance:
        """Raise Refusal unless the request may start campaigns."""
        if not secrets:
            _admit_this_machine(request)
            return allowances[0]
        bad.bar(request, "key")
        said = request.headers.get("Authorization", "").encode("utf-8", "replace")
        # All of them, so that the time it takes tells nothing.
        admitted = [hmac.compare_digest(said, secret) for secret in secrets]
        if any(admitted):
            return allowances[admitted.index(True)]
        bad.note(request, "key")
        code = "key.unknown" if said else "key.missing"
        message = "one of [keys] trigger is needed, as a Bearer token"
        raise Refusal(401, code, message, headers={"WWW-Authenticate": "Bearer"})

    return admit


def _admit_this_machine(request: web.Request) -> None:
    """Raise Refusal (403) unless a request comes from this machine, and through nobody."""
    if is_of_this_machine(request):
        return
    message = (
        "while [keys] trigger is empty, campaigns are started from this machine alone, and "
        "neither through a proxy nor by a web page; give it a key"
    )
    raise Refusal(403, "key.none", message)
