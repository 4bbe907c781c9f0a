"""`POST /webhooks/{source}`: what shops, payment and mail providers tell.

A call is verified over its bytes before anything of it is read. What it says is said of a user: of
whoever is known by the source's id, else of whoever has that address, else of somebody new, by the
id or by the address. Then it goes the way of every other input, and the answer is that it is on
disk. Each thing said has an id of its own, so that a call that is sent again is taken once.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias, assert_never

import msgspec

from config.webhooks import section_of
from engine.core.inputs import ConsentStated, SentMessage
from engine.core.intake.items import TEXT_LENGTH_MAX, ItemInvalid, decode_item, read_item
from engine.core.intake.tracking_plan import TrackingPlan, no_plan
from engine.core.messages.answers import answered, bounce_id
from engine.server.answers import Refusal, Rejection, answer_json, in_one_line
from engine.server.bodies import read_body
from engine.server.edge import TAKEN
from engine.server.links.robots import machine_of
from engine.server.rates import BadKeys
from engine.server.webhooks.heard import Call, Consented, Feedback, Said, Who
from engine.server.webhooks.once import Tokens, again
from engine.store import Quarantined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.core.effects import Effect
    from engine.core.inputs import UserInput
    from engine.runtime.metrics import Metrics
    from engine.runtime.starting import Fate
    from engine.server.bodies import Limits
    from engine.server.ingest import Submit
    from engine.server.webhooks.sources import Source

ROUTE = "/webhooks/{source}"

Owners: TypeAlias = Callable[[str, str], Awaitable[list[str]]]
"""Ids of all users with an address (the second) on a channel (the first)."""

Sent: TypeAlias = Callable[[str, str], Awaitable[SentMessage | None]]
"""What is known of a message (the second, its effect id) to a user (the first)."""

WasSaid: TypeAlias = Callable[[str, str, int], Awaitable[bool]]
"""Whether an input of a user (the first) is kept whose message id (the second) is forgotten, and
that may have been said since an instant (the third)."""

RefusedSince: TypeAlias = Callable[[str, str, int], bool]
"""Whether a user (the first) has said no to a channel (the second) since an instant (the third)."""

_encode = msgspec.json.Encoder().encode


class WebhookDoor:
    """What stands behind the route.

    Args:
        sources: By name.
        submit: The processor's door.
        now_ms: Logical time, for the instant of reception.
        wall_ms: The wall clock, which signatures are held against.
        is_known: Whether there is a user with an id.
        owners: Finds users by an address.
        sent: Finds a message.
        was_said: Finds what was said before ids were forgotten.
        refused_since: Knows what users said no to.
        metrics: Counts items by fate.
        limits: What one call may bring.
        tracking_plan: Gives the one in force, or None.
    """

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        submit: Submit,
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
        is_known: Callable[[str], bool],
        owners: Owners,
        sent: Sent,
        was_said: WasSaid,
        refused_since: RefusedSince,
        metrics: Metrics,
        limits: Limits,
        tracking_plan: Callable[[], TrackingPlan | None] = no_plan,
    ) -> None:
        self.sources = sources
        self.submit = submit
        self.now_ms = now_ms
        self.wall_ms = wall_ms
        self.is_known = is_known
        self.owners = owners
        self.sent = sent
        self.was_said = was_said
        self.refused_since = refused_since
        self.metrics = metrics
        self.limits = limits
        self.tracking_plan = tracking_plan
        self.tokens = Tokens()


def webhook_handler(door: WebhookDoor, monotonic_ns: Callable[[], int]) -> Handler:
    """The route's handler. `monotonic_ns` is what calls that are not let in are counted against."""
    bad = BadKeys(monotonic_ns, "webhook's source or signature", refused=door.metrics.refused)

    async def take(request: web.Request) -> web.StreamResponse:
        name = request.match_info["source"]
        source = door.sources.get(name)
        if source is None:
            bad.note(request, "source")
            hint = f"add [{section_of(name[:40])}] to hairspring.toml"
            raise Refusal(404, "webhook.unknown", f"there is no source {name[:40]!r}; {hint}")
        body = await read_body(request, door.limits)
        _see_that_they_are_text(request.headers)
        call = Call(
            headers=request.headers, query=dict(request.query), body=body, now_ms=door.wall_ms()
        )
        if source.by_token:
            bad.bar(request, "signature")
        try:
            await _admit(name, source, call)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.UNAUTHORIZED:
                bad.note(request, "signature")
            raise
        if source.confirm is not None and await source.confirm(call):
            return answer_json({"confirmed": True})
        if source.refuses_again:
            with door.tokens.taken(f"{name}:{source.delivery_of(call)}", call.now_ms):
                hearing = await _hear(door, request, source, call)
            if hearing.known and hearing.known == len(hearing.inputs):
                raise again()  # before a restart
        else:
            hearing = await _hear(door, request, source, call)
        door.metrics.inputs.labels("accepted").inc(len(hearing.inputs))
        door.metrics.inputs.labels("rejected").inc(len(hearing.rejected))
        return answer_json({"accepted": len(hearing.inputs), "rejected": hearing.rejected})

    return take


async def _hear(door: WebhookDoor, request: web.Request, source: Source, call: Call) -> _Hearing:
    """Returns once what a call says is on disk."""
    hearing = _Hearing(door, request.match_info["source"])
    await hearing.hear(source, call)
    request[TAKEN] = (len(hearing.inputs), len(hearing.rejected))
    if hearing.inputs or hearing.quarantined:
        await door.submit(hearing.inputs, hearing.quarantined, len(call.body), hearing.tell)
    return hearing


def _see_that_they_are_text(headers: Mapping[str, str]) -> None:
    """Raise Refusal (400) for bytes that are no UTF-8: what is signed or kept could not be told."""
    try:
        "".join(headers.values()).encode()
    except UnicodeEncodeError:
        raise Refusal(400, "http.malformed", "a header of the request is not UTF-8") from None


async def _admit(name: str, source: Source, call: Call) -> None:
    """Raise Refusal unless a call is of its source."""
    if source.needs_secret and not source.secret:
        message = f"webhooks.{name}.secret is empty: nobody is let in without a signature"
        raise Refusal(401, "webhook.secret", message)
    done = source.verify(call, source.secret)
    if inspect.isawaitable(done):
        await done


class _Hearing:
    """All that one call says, as inputs; what cannot be taken of it goes to the quarantine.

    Attributes:
        known: Inputs that were taken before, under the same message id.
    """

    def __init__(self, door: WebhookDoor, name: str) -> None:
        self.inputs: list[UserInput] = []
        self.rejected: list[Rejection] = []
        self.quarantined: list[Quarantined] = []
        self.known = 0
        self._door = door
        self._name = name
        self._received_at_ms = door.now_ms()
        self._found: dict[Who, str] = {}
        self._reached: dict[tuple[str, str], list[str]] = {}

    async def hear(self, source: Source, call: Call) -> None:
        """Raises Refusal (400) where the call says nothing that can be read."""
        delivery = source.delivery_of(call)
        for place, heard in enumerate(source.read(call)):
            told = heard.key or (f"{delivery}:{place}" if delivery else "")
            message_id = f"webhooks/{self._name}:{told}"[:TEXT_LENGTH_MAX] if told else ""
            match heard:
                case Said():
                    user_id = await self._find(heard.who)
                    since_ms = heard.told_since_ms
                    if since_ms is None or not await self._door.was_said(
                        user_id, message_id, since_ms
                    ):
                        self._say(heard, user_id, message_id, place)
                case Consented():
                    await self._state(heard, message_id)
                case Feedback():
                    await self._answer(heard, message_id)
                case _:
                    assert_never(heard)

    def tell(self, _happened: UserInput, fate: Fate, _effects: Sequence[Effect]) -> None:
        """Note what became of one input."""
        self.known += fate == "known"

    def _say(self, said: Said, user_id: str, message_id: str, place: int) -> None:
        who = said.who
        # Known by nothing but an id that the source has drawn, he is nobody's name.
        known_as = "anonymous_id" if user_id == who.anonymous_id and not who.id else "user_id"
        raw = _encode({**said.item, known_as: user_id, "message_id": message_id})
        plan = self._door.tracking_plan()
        try:
            read = read_item(decode_item(raw), self._received_at_ms)
            self.inputs.append(read if plan is None else plan.judge(read))
        except ItemInvalid as fault:
            reason, source = in_one_line(fault), f"/webhooks/{self._name}"
            self.rejected.append(Rejection(place, fault.path, reason))
            self.quarantined.append(
                Quarantined(self._received_at_ms, source, fault.path, reason, raw)
            )

    async def _state(self, said: Consented, message_id: str) -> None:
        user_id, at_ms = await self._find(said.who), self._received_at_ms
        when = at_ms if said.occurred_at_ms is None else min(said.occurred_at_ms, at_ms)
        # A source tries for hours, and tells what held then: whoever said no since has said no.
        channels = {
            channel: yes
            for channel, yes in said.channels.items()
            if not (yes and self._door.refused_since(user_id, channel, when))
        }
        if channels:
            self.inputs.append(
                ConsentStated(user_id, self._name, when, at_ms, channels, message_id=message_id)
            )
        # Whose address it is has said no for everybody who is reached there.
        for channel, address in said.who.addresses():
            if said.channels.get(channel, True):
                continue
            for other in await self._owners(channel, address):
                key, no = message_id and f"{message_id}:{other}", {channel: False}
                if other != user_id:
                    self.inputs.append(
                        ConsentStated(other, self._name, when, at_ms, no, message_id=key)
                    )

    async def _answer(self, told: Feedback, message_id: str) -> None:
        """What became of a mail; of somebody whom nobody knows there is nothing to be told."""
        effect_id = told.message_id.strip("<> ").partition("@")[0]
        user_id, sent = await self._recipient(told.address, effect_id)
        if not user_id:
            return
        at_ms = self._received_at_ms
        machine = told.machine
        if told.user_agent and not machine:
            since_ms = at_ms - sent.sent_at_ms if sent is not None else 0
            machine = machine_of("GET", {"User-Agent": told.user_agent}, told.answer, since_ms)
        bounce = told.bounce
        own_id = bounce_id(effect_id, bounce) if bounce and sent is not None else ""
        if not (own_id and sent and await self._door.was_said(user_id, own_id, sent.sent_at_ms)):
            self.inputs.append(
                answered(
                    user_id,
                    sent or SentMessage(effect_id, "email"),
                    told.answer,
                    at_ms,
                    link=told.link,
                    machine=machine,
                    message_id=own_id or message_id,
                    bounce=bounce,
                )
            )
        if told.suppresses:
            bad = ConsentStated(user_id, self._name, at_ms, at_ms, suppressed={"email": True})
            bad.message_id = message_id and f"{message_id}:suppressed"
            self.inputs.append(bad)

    async def _find(self, who: Who) -> str:
        """Whom a source means: somebody known by its id, then by an address, else somebody new."""
        if who not in self._found:
            self._found[who] = await self._look_for(who)
        return self._found[who]

    async def _recipient(self, address: str, effect_id: str) -> tuple[str, SentMessage | None]:
        """Who of those with an address was sent a mail, and that; else one of them, or ""."""
        owners = await self._owners("email", address)
        for user_id in owners if effect_id else ():
            if (sent := await self._door.sent(user_id, effect_id)) is not None:
                return user_id, sent
        return min(owners, default=address if self._door.is_known(address) else ""), None

    async def _owners(self, channel: str, address: str) -> list[str]:
        if (channel, address) not in self._reached:
            self._reached[channel, address] = await self._door.owners(channel, address)
        return self._reached[channel, address]

    async def _look_for(self, who: Who) -> str:
        if who.id and self._door.is_known(who.id):
            return who.id
        for channel, address in who.addresses():
            if owners := await self._owners(channel, address):
                return min(owners)
        return who.id or who.email or who.phone or who.anonymous_id
