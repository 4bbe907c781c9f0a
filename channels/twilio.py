"""The transport `twilio`: SMS by Twilio's REST interface, or by whoever speaks it.

Twilio knows no idempotency key. A message whose request was cut off before its answer came may be
under way already, and is sent again: who gets it twice has it by the same words, and the second
copy has its effect id in the address of its status callback, as the first one.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec
from aiohttp.helpers import is_ip_address
from typing_extensions import override
from yarl import URL

from channels.base import CLOSED, Accepted, Channel, Message, Outcome, Rejected, Retry, legible
from channels.gsm import measure
from channels.guard import is_public
from channels.posting import Answer, Poster, judge, retry_after_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from channels.settings import SmsSettings

CALLBACK_PATH: Final = "/webhooks/twilio"
"""Where Twilio tells what became of a message, below the shop's own address."""

CHARS_MAX: Final = 1600
"""Characters of one message that Twilio takes."""

VALID_S_MAX: Final = 36_000
"""The longest `ValidityPeriod`."""

STOPPED: Final = 21610
"""The number has answered STOP."""

NO_SUCH_NUMBER: Final = frozenset({21211, 21214, 21217, 21401, 21421, 21614, 30005, 30006})
"""Codes that mean the number itself: it is none, is not in use, or takes no SMS."""

_OURS_TO_MEND: Final = frozenset({20003, 20005, 20404, 20403, 30002})
"""Codes that mean the account: its keys, its address, its state."""

_TOO_FAST: Final = frozenset({14107, 20429, 21611, 30001, 30022})
_MEND: Final = "it refuses the account; check account_sid, auth_token and base_url"
_ACCOUNT_STATUSES: Final = frozenset({401, 403, 404})
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SPACING: Final = re.compile(r"[\s().\-\u00a0/]+")


class _Said(msgspec.Struct):
    """What Twilio says of a message, or of what is wrong with it."""

    sid: str = ""
    code: int | None = None
    message: str = ""


_decode = msgspec.json.Decoder(_Said).decode


class TwilioChannel(Channel):
    """Sends SMS for one account.

    Args:
        settings: With an account, and a sender or a messaging service. A `ca_file` is read here.
        shop_url: Where the shop is reached from outside; where Twilio cannot reach it, nobody tells
            what became of a message that it took.
        now_ms: The wall clock, for how long a message is still of use.

    Raises:
        OSError: The `ca_file` cannot be read, or holds no certificate.
    """

    def __init__(
        self,
        settings: SmsSettings,
        shop_url: str = "",
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._settings = settings
        self._shop_url = shop_url if is_outside(shop_url) else ""
        self._now_ms = now_ms
        account = settings.account_sid
        self._url = URL(settings.base_url) / f"2010-04-01/Accounts/{account}/Messages.json"
        login = b64encode(f"{account}:{settings.auth_token}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        self._poster = Poster(
            connections=settings.concurrency,
            timeout_ms=settings.timeout_ms,
            ca_file=settings.ca_file,
        )
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        number = e164(message.to)
        if number is None:
            told = "the phone number is not in international form, as +33612345678"
            return Rejected(told, address_invalid=True)
        length, most = measure(message.body), self._settings.segments_max
        if len(message.body) > CHARS_MAX or length.segments > most:
            return Rejected(
                f"the SMS has {length.segments} segments of {length.alphabet} and "
                f"{len(message.body)} characters; channels.sms.segments_max is {most}, and "
                f"{CHARS_MAX} characters are the most: shorten its text"
            )
        async with self._slots:
            if self._closed:
                return CLOSED
            body = urlencode(self._form(message, number)).encode()
            answer = await self._poster.post(self._url, body, self._headers, is_trusted=True)
        return _judge(answer) if isinstance(answer, Answer) else answer

    @override
    async def aclose(self) -> None:
        self._closed = True
        await self._poster.aclose()

    def _form(self, message: Message, number: str) -> dict[str, str]:
        settings = self._settings
        form = {"To": number, "Body": message.body}
        if settings.messaging_service_sid:
            form["MessagingServiceSid"] = settings.messaging_service_sid
        if settings.from_:
            form["From"] = settings.from_
        if self._shop_url:
            form["StatusCallback"] = callback_address(self._shop_url, message)
        if message.expires_at_ms:
            now_ms = message.at_ms if self._now_ms is None else self._now_ms()
            left_s = (message.expires_at_ms - now_ms) // 1000
            form["ValidityPeriod"] = str(max(1, min(VALID_S_MAX, left_s)))
        return form


def e164(said: str) -> str | None:
    """A number in the form of E.164, without what people write between digits; None if it is none.

    One without its country is none: nobody knows which was meant.
    """
    number = _SPACING.sub("", said)
    return number if _NUMBER.fullmatch(number) else None


def callback_address(shop_url: str, message: Message) -> str:
    """Where Twilio is to tell what became of a message; it signs the whole address."""
    told = {
        "id": message.id,
        "user": message.user_id,
        "campaign": message.campaign,
        "enrollment": message.enrollment,
        "step": message.step,
        "template": message.template,
        "variant": message.variant,
        "at": message.at_ms,
    }
    told = {key: value for key, value in told.items() if value}
    return f"{shop_url.rstrip('/')}{CALLBACK_PATH}?{urlencode(told)}"


def _judge(answer: Answer) -> Outcome:
    """By Twilio's own code where it says one, else by the status."""
    said = _read(answer.body)
    outcome = judge(answer.status, answer.headers, answer.name)
    name = f"{answer.name} answered {answer.status}"
    if isinstance(outcome, Accepted):
        if answer.body.strip() and not answer.body.lstrip().startswith(b"{"):
            # A page of a proxy, say. Nothing at all is an answer that was cut off: it was taken.
            return Retry(f"{name} with what is not Twilio's; check base_url, and what is between")
        return Accepted(legible(said.sid) or outcome.detail)
    if said.code:
        return _by_code(said.code, f"{name}, {said.code}", answer, outcome)
    if answer.status in _ACCOUNT_STATUSES:
        return Retry(f"{name}: {_MEND}")
    return outcome


def _by_code(code: int, told: str, answer: Answer, outcome: Outcome) -> Outcome:
    if code == STOPPED:
        return Rejected(f"{told}: the number has answered STOP", address_invalid=True)
    if code in NO_SUCH_NUMBER:
        return Rejected(f"{told}: the number takes no SMS", address_invalid=True)
    if code in _TOO_FAST:
        return Retry(f"{told}: too fast", retry_after_ms(answer.headers))
    if code in _OURS_TO_MEND:
        return Retry(f"{told}: {_MEND}")
    if isinstance(outcome, Rejected):
        return Rejected(f"{told}; see twilio.com/docs/api/errors/{code}")
    return outcome


def _read(body: bytes) -> _Said:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Said()


def is_outside(address: str) -> bool:
    """Whether a provider may reach an address: its host is on the internet, by its name."""
    host = URL(address).host or ""
    if is_ip_address(host):
        return is_public(host)
    return "." in host and not host.endswith((".localhost", ".local", ".internal", ".test"))
