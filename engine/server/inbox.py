"""A user's in-app messages, for his browser: a list, a live stream, and what he does with each.

Whose they are, a token says that the shop's own server has signed (`channels.tokens`): as a Bearer
token, or as `token` in the address, since an `EventSource` sends no headers. What is done with a
message is journaled before it is marked in the inbox, and an answer that comes twice is one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from aiohttp import web

from channels.inbox import InAppMessage
from channels.links import SURVEY_CHARS_MAX
from channels.templates.choices import choices
from channels.tokens import TokenInvalid
from engine.core.inputs import SentMessage
from engine.core.instants import format_instant
from engine.core.intake.feedback import feedback
from engine.core.messages.answers import answered
from engine.runtime.clock import monotonic_ns
from engine.server.answers import Refusal, answer_json
from engine.server.edge import begin_answer
from engine.server.forms import decode_form, read_form
from engine.server.keys import BEARER
from engine.server.rates import BadKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp.typedefs import Handler

    from channels.settings import InAppSettings
    from channels.tokens import Signer
    from engine.core.inputs import Answer
    from engine.runtime.delivery.inboxes import Inboxes, Listener
    from engine.runtime.metrics import Metrics
    from engine.server.ingest import Submit
    from engine.store.inbox import Kept, Mark

HEARTBEAT_S: Final = 15.0
"""A comment goes out as often: proxies close a connection on which nothing happens."""

STREAMS_OF_USER_MAX: Final = 8
"""Tabs of one user that listen at one time."""

READ_AT_ONCE: Final = 4
"""Messages of a stream that are in memory at one time, each of 64 KiB at the most."""

AGAIN_AFTER_MS: Final = 3_000
"""How long a browser waits before it listens again."""

_MARKS: Final[dict[str, tuple[Answer, Mark]]] = {
    "read": ("opened", "read"),
    "click": ("clicked", "clicked"),
    "dismiss": ("dismissed", "dismissed"),
}

DWELL_MS_MAX: Final = 30 * 86_400_000
"""The longest time that a message was looked at: as long as the longest is kept."""

_NUMBER_DIGITS_MAX: Final = 18
_STREAM: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_decode = msgspec.json.Decoder(InAppMessage).decode
_encode = msgspec.json.Encoder().encode


class AnswerGiven(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /inbox/{id}/answer`."""

    value: str | int | float


class Marked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /inbox/{id}/click|dismiss`, where it has one.

    Attributes:
        dwell_ms: For how long the message was looked at before.
    """

    dwell_ms: Annotated[int, msgspec.Meta(ge=0, le=DWELL_MS_MAX)] = 0


class InboxDoor:
    """What stands behind the routes.

    Args:
        inboxes: Those of all users.
        settings: Of the channel.
        signer: Has signed users' tokens.
        submit: The processor's door.
        now_ms: Logical now: what messages expire by.
        wall_ms: The wall clock: what tokens expire by.
        metrics: Counts who is refused.
        monotonic_ns: What wrong tokens are counted against.
        heartbeat_s: As `HEARTBEAT_S`.
    """

    def __init__(
        self,
        inboxes: Inboxes,
        settings: InAppSettings,
        signer: Signer,
        *,
        submit: Submit,
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
        metrics: Metrics,
        monotonic_ns: Callable[[], int] = monotonic_ns,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._inboxes = inboxes
        self._settings = settings
        self._signer = signer
        self._submit = submit
        self._now_ms = now_ms
        self._wall_ms = wall_ms
        self._heartbeat_s = heartbeat_s
        self._bad = BadKeys(monotonic_ns, "user's token", refused=metrics.refused)

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """By path, its methods and their handlers."""
        return {
            "/inbox": {"GET": self.list},
            "/inbox/stream": {"GET": self.stream},
            "/inbox/{id}/answer": {"POST": self.answer},
            "/inbox/{id}/{done:read|click|dismiss}": {"POST": self.mark},
        }

    async def list(self, request: web.Request) -> web.Response:
        """`GET /inbox`: what has not expired and was not dismissed, newest first."""
        user_id = self._user(request)
        kept = await self._inboxes.of_user(user_id)
        messages = [told(one) for one in reversed(kept) if not one.dismissed_at_ms]
        answer = answer_json({"messages": messages})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def mark(self, request: web.Request) -> web.Response:
        """`POST /inbox/{id}/read|click|dismiss`: 204 once it is durable."""
        user_id = self._user(request)
        body = await request.read()
        marked = decode_form(body, Marked) if body else Marked()
        kept = await self._inboxes.find(user_id, request.match_info["id"])
        if kept is None:
            raise Refusal(404, "inbox.unknown", "there is no such message in this inbox")
        answer, done = _MARKS[request.match_info["done"]]
        if not getattr(kept, f"{done}_at_ms"):
            message = _decode(kept.message)
            link = message.url if answer == "clicked" else ""
            said = answered(
                kept.user_id,
                sent_message(message),
                answer,
                self._now_ms(),
                link=link,
                message_id=f"inbox:{kept.id}:{done}",
                dwell_ms=marked.dwell_ms,
            )
            await self._submit([said])
            await self._inboxes.mark(kept.id, done)
        return web.Response(status=204)

    async def answer(self, request: web.Request) -> web.Response:
        """`POST /inbox/{id}/answer`: what is said to the message's survey; once, 204."""
        user_id = self._user(request)
        asked = await read_form(request, AnswerGiven)
        kept = await self._inboxes.find(user_id, request.match_info["id"])
        message = None if kept is None else _decode(kept.message)
        if kept is None or message is None or not message.survey:
            raise Refusal(404, "inbox.unknown", "no message in this inbox asks anything by that id")
        value = str(asked.value)
        known = choices(message.choices)
        if not value.strip() or len(value) > SURVEY_CHARS_MAX or (known and value not in known):
            told = f"one of {', '.join(known)}" if known else f"1 to {SURVEY_CHARS_MAX} characters"
            raise Refusal(400, "survey.value", f"$.value: this is no answer; it takes {told}")
        sent = sent_message(message)
        await self._submit([feedback(kept.user_id, sent, message.survey, value, self._now_ms())])
        return web.Response(status=204)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`GET /inbox/stream`: server-sent events, from behind `Last-Event-ID` on."""
        user_id = self._user(request)
        self._make_room(user_id)
        if request.method == "HEAD":
            return web.Response(headers={"Content-Type": "text/event-stream"})
        listener = self._inboxes.listen(user_id)
        try:
            answer = await begin_answer(request, "text/event-stream", _STREAM)
            await answer.write(b"retry: %d\n\n" % AGAIN_AFTER_MS)
            await self._send_all(request, answer, listener)
            await answer.write_eof()
        finally:
            self._inboxes.leave(listener)
        return answer

    async def _send_all(
        self, request: web.Request, answer: web.StreamResponse, listener: Listener
    ) -> None:
        """Send what there is and what comes, until the token or the process comes to its end."""
        after = _last_event(request)
        while not self._inboxes.is_closed:
            listener.woken.clear()
            kept = await self._inboxes.of_user(listener.user_id, after=after, limit=READ_AT_ONCE)
            for one in kept:
                after = one.number
                if not one.dismissed_at_ms:
                    await answer.write(as_event(one))
            if len(kept) == READ_AT_ONCE:
                continue
            try:
                await asyncio.wait_for(listener.woken.wait(), self._heartbeat_s)
            except TimeoutError:
                await answer.write(b":\n\n")
            if self._reads(request) != listener.user_id:
                return

    def _make_room(self, user_id: str) -> None:
        """Raise Refusal where too many listen."""
        later = {"Retry-After": "30"}
        if self._inboxes.listening_for(user_id) >= STREAMS_OF_USER_MAX:
            message = f"{STREAMS_OF_USER_MAX} browsers of this user listen already"
            raise Refusal(429, "inbox.streams_of_user", message, headers=later)
        if self._inboxes.listening >= self._settings.streams_max:
            message = (
                f"{self._settings.streams_max} browsers listen already; GET /inbox still works"
            )
            raise Refusal(503, "inbox.streams", message, headers=later)

    def _reads(self, request: web.Request) -> str:
        """Whose token a request has, while it is good; else ""."""
        try:
            return self._signer.read_user(_token(request), self._wall_ms())
        except TokenInvalid:
            return ""

    def _user(self, request: web.Request) -> str:
        """Whose token a request has. Raises Refusal: 401, or 429 for an address with many bad ones.

        One that has expired was signed here: a page that is left open guesses nothing.
        """
        token = _token(request)
        try:
            return self._signer.read_user(token, self._wall_ms())
        except TokenInvalid as invalid:
            self._bad.note(request, "token", is_guess=not invalid.is_expired)
            code = "token.expired" if invalid.is_expired else "token.invalid"
            message = (
                "a user's token is needed, as a Bearer token or as `token` in the address"
                if not token
                else "the user's token has expired: have your server sign another"
                if invalid.is_expired
                else "this is no user's token of this shop"
            )
            headers = {"WWW-Authenticate": "Bearer"}
            raise Refusal(401, code, message, headers=headers) from invalid


def told(kept: Kept) -> dict[str, Any]:
    """A message as browsers read it; what it does not say is not there."""
    message = _decode(kept.message)
    shown = {
        "style": message.style,
        "title": message.title,
        "body": message.body,
        "url": message.url,
        "button": message.button,
        "image": message.image,
        "target": message.target,
        "survey": message.survey,
        "choices": choices(message.choices),
    }
    return {
        "id": kept.id,
        "at": format_instant(message.at_ms),
        "expires_at": format_instant(kept.expires_at_ms),
        "campaign": message.campaign,
        "step": message.step,
        "read": bool(kept.read_at_ms),
        "clicked": bool(kept.clicked_at_ms),
        **{name: value for name, value in shown.items() if value},
    }


def as_event(kept: Kept) -> bytes:
    """A message as a server-sent event; its JSON has no line break."""
    return b"id: %d\nevent: message\ndata: %s\n\n" % (kept.number, _encode(told(kept)))


def sent_message(message: InAppMessage) -> SentMessage:
    """The message as inputs name it."""
    return SentMessage(
        id=message.id,
        channel="in_app",
        campaign=message.campaign,
        enrollment=message.enrollment,
        step=message.step,
        template=message.template,
        variant=message.variant,
        sent_at_ms=message.at_ms,
    )


def _token(request: web.Request) -> str:
    said = request.headers.get("Authorization", "")
    return said.removeprefix(BEARER) if said.startswith(BEARER) else request.query.get("token", "")


def _last_event(request: web.Request) -> int:
    said = request.headers.get("Last-Event-ID", "") or request.query.get("last_event_id", "")
    return int(said) if _is_number(said) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS_MAX
