"""`POST /webhooks/twilio`: what became of an SMS, and what people answer to one.

Twilio signs the address that it calls and every field of the form with the account's secret, so
that what the address says of the message (`channels.twilio.callback_address`) is our own word.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from aiohttp import web

from channels.settings import SmsSettings
from channels.twilio import CALLBACK_PATH, NO_SUCH_NUMBER, STOPPED, e164
from engine.core.guardrails import address_of
from engine.core.inputs import ConsentStated, SentMessage
from engine.core.messages.answers import answered, bounce_id
from engine.runtime.admin.owners import Owners
from engine.runtime.clock import monotonic_ns
from engine.server.answers import Refusal
from engine.server.forms import read_fields
from engine.server.rates import BadKeys

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Self

    from aiohttp.typedefs import Handler

    from config.settings import Settings
    from engine.core.inputs import Answer, Bounce, UserInput
    from engine.core.state import User
    from engine.runtime.metrics import Metrics
    from engine.runtime.parts import Parts
    from engine.server.ingest import Submit

SIGNATURE: Final = "X-Twilio-Signature"

STOP_WORDS: Final = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"}
)
START_WORDS: Final = frozenset({"START", "UNSTOP"})
HELP_WORDS: Final = frozenset({"HELP", "INFO"})

_ANSWERS: Final[dict[str, Answer]] = {
    "delivered": "delivered",
    "undelivered": "bounced",
    "failed": "bounced",
}
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_PORTS: Final = {"https": 443, "http": 80}


class TwilioDoor:
    """What stands behind the route.

    Args:
        settings: Of the channel.
        shop_url: What Twilio calls us by.
        submit: The processor's door.
        now_ms: Logical time.
        find: Who is known by an id.
        owners: Ids of all users with a phone number.
        metrics: Counts who is refused.
        monotonic_ns: What calls without a good signature are counted against.
    """

    def __init__(
        self,
        *,
        settings: SmsSettings,
        shop_url: str,
        submit: Submit,
        now_ms: Callable[[], int],
        find: Callable[[str], User | None],
        owners: Callable[[str], Awaitable[list[str]]],
        metrics: Metrics,
        monotonic_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._settings = settings
        self._shop_url = shop_url
        self._submit = submit
        self._now_ms = now_ms
        self._find = find
        self._owners = owners
        self._bad = BadKeys(monotonic_ns, "webhook's signature", refused=metrics.refused)

    @classmethod
    def of(cls, settings: Settings, parts: Parts) -> Self | None:
        """That of a process; None where the shop has no account at Twilio."""
        chosen = settings.channels["sms"]
        if not isinstance(chosen, SmsSettings) or chosen.transport != "twilio":
            return None
        return cls(
            settings=chosen,
            shop_url=settings.shop.url,
            submit=parts.shell.submit,
            now_ms=parts.clock.now_ms,
            find=parts.processor.find,
            owners=Owners(parts.processor, "sms").of,
            metrics=parts.metrics,
        )

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """By path, its methods and their handlers."""
        return {CALLBACK_PATH: {"POST": self.take}}

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answers once what follows is durable. Raises Refusal: 403, or 429 for many such."""
        fields = await read_fields(request)
        if not self._is_signed(request, fields):
            self._bad.note(request, "signature")
            message = (
                f"{SIGNATURE} is not of this account, or not for this address; Twilio is to call "
                "what shop.url says, and channels.sms.auth_token is its account's"
            )
            raise Refusal(403, "twilio.signature", message)
        said = dict(fields)
        if status := said.get("MessageStatus", ""):
            await self._hear_status(request, said, status)
            return web.Response(status=204)
        return _twiml(await self._hear_answer(said))

    def _is_signed(self, request: web.Request, fields: Sequence[tuple[str, str]]) -> bool:
        address = self._shop_url.rstrip("/") + request.raw_path
        given = request.headers.get(SIGNATURE, "").encode("utf-8", "replace")
        token = self._settings.auth_token
        good = [
            hmac.compare_digest(signature(token, spelled, fields).encode(), given)
            for spelled in _spellings(address)
        ]
        return any(good)

    async def _hear_status(
        self, request: web.Request, said: Mapping[str, str], status: str
    ) -> None:
        answer = _ANSWERS.get(status)
        about = request.query
        user = self._find(about.get("user", ""))
        if answer is None or user is None or not about.get("id"):
            return
        sent = SentMessage(
            id=about["id"],
            channel="sms",
            campaign=about.get("campaign", ""),
            enrollment=about.get("enrollment", ""),
            step=about.get("step", ""),
            template=about.get("template", ""),
            variant=about.get("variant", ""),
            sent_at_ms=_number(about.get("at", "")),
        )
        told = f"{said.get('MessageSid', '')}:{status}"
        now_ms = self._now_ms()
        code = _number(said.get("ErrorCode", ""))
        bounce: Bounce | Literal[""] = ""
        if answer == "bounced":
            bounce = "hard" if code == STOPPED or code in NO_SUCH_NUMBER else "soft"
        inputs: list[UserInput] = [
            answered(
                user.user_id,
                sent,
                answer,
                now_ms,
                message_id=bounce_id(sent.id, bounce) if bounce else f"twilio:{told}",
                bounce=bounce,
            )
        ]
        is_his = e164(said.get("To", "")) == e164(str(address_of(user, "sms") or ""))
        if is_his and code == STOPPED:
            inputs.append(_stated(user.user_id, now_ms, "sms-stop", f"{told}:stop", yes=False))
        elif is_his and code in NO_SUCH_NUMBER:
            bad = {"sms": True}
            key = f"twilio:{told}:{code}"
            inputs.append(
                ConsentStated(
                    user.user_id, "bounced", now_ms, now_ms, suppressed=bad, message_id=key
                )
            )
        await self._submit(inputs)

    async def _hear_answer(self, said: Mapping[str, str]) -> str:
        """An SMS that somebody has sent us; what he is answered, or ""."""
        word = said.get("OptOutType", "") or said.get("Body", "").strip().strip(".!").upper()
        if word in HELP_WORDS:
            return self._settings.help_text
        if word not in STOP_WORDS | START_WORDS:
            return ""
        yes = word in START_WORDS
        now_ms, told = self._now_ms(), said.get("MessageSid", "")
        source = "sms-start" if yes else "sms-stop"
        stated: list[UserInput] = [
            _stated(user_id, now_ms, source, f"{told}:{user_id}", yes=yes)
            for user_id in await self._owners(said.get("From", ""))
        ]
        if stated:
            await self._submit(stated)
        return ""


def _stated(user_id: str, now_ms: int, source: str, told: str, *, yes: bool) -> ConsentStated:
    """A yes or no to SMS; a no shuts the number to transactional messages too, as at Twilio."""
    return ConsentStated(
        user_id,
        source,
        now_ms,
        now_ms,
        channels={"sms": yes},
        suppressed={"sms": not yes},
        message_id=f"twilio:{told}" if told else "",
    )


def signature(auth_token: str, address: str, fields: Sequence[tuple[str, str]]) -> str:
    """What Twilio signs a request by form with: its address and each field once, in order."""
    said = address + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.digest(auth_token.encode(), said.encode("utf-8", "replace"), hashlib.sha1)
    return b64encode(digest).decode()


def _spellings(address: str) -> list[str]:
    """An address as it is, and with the usual port, which Twilio writes or leaves out."""
    parts = urlsplit(address)
    port = _PORTS.get(parts.scheme)
    bare = parts.netloc.removesuffix(f":{port}")
    if bare == parts.netloc and ":" in bare.rpartition("]")[2]:
        return [address]
    rest = address.removeprefix(f"{parts.scheme}://{parts.netloc}")
    return [f"{parts.scheme}://{bare}{rest}", f"{parts.scheme}://{bare}:{port}{rest}"]


def _twiml(text: str) -> web.Response:
    inside = f"<Message>{escape(text)}</Message>" if text else ""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>'
    return web.Response(text=body, content_type="text/xml")


def _number(text: str) -> int:
    """0 where it is none, or none that can be kept."""
    return int(text) if _NUMBER.fullmatch(text) else 0
