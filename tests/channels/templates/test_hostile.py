"""Values of people and shops that mean harm, at each end and in each field: nothing is smuggled in.

What arrives has the headers, fields and keys of a message that means well, or does not arrive.
"""

from __future__ import annotations

import email
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from channels.base import Accepted, Message, Rejected
from channels.templates.front_matter import FRONT_KEYS
from tests.channels.providers import (
    ENDS,
    HttpProvider,
    PushProvider,
    SmtpProvider,
    TwilioProvider,
    message,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trustme

HARM = {
    "crlf": "x\r\nBcc: eve@example.net\r\nX-Evil: 1\r\n\r\nbody",
    "lf": "x\nBcc: eve@example.net\nX-Evil: 1\n\nbody",
    "cr": "x\rBcc: eve@example.net\rX-Evil: 1",
    "line-separator": "x\u2028Bcc: eve@example.net\x85X-Evil: 1\x0b\x0c",
    "nul": "x\x00X-Evil: 1",
    "dot": "x\r\n.\r\nMAIL FROM:<eve@example.net>\r\n",
    "form": "x&To=%2B33600000000&X-Evil=1",
    "json": 'x","x-evil":"1',
}
OF_MESSAGE = ("to", "user_id", "meant_for", "body", "template", "variant")
_ALIKE = {"smtp-none-auth", "smtp-starttls", "smtp-starttls-auth", "smtp-implicit", "world"}
"""Ends whose mails are those of another one; and no end that a value gets out to."""


def _hostile(provider: Any, sent: Message, field: str, harm: str) -> Message:
    """The message with a field that means harm, which is otherwise as good as can be."""
    if field == "to" and isinstance(provider, PushProvider):
        said = {**provider.browser.subscription, "endpoint": provider.url + harm}
        return msgspec.structs.replace(sent, to=msgspec.json.encode(said).decode())
    if field in OF_MESSAGE:
        return msgspec.structs.replace(sent, **{field: getattr(sent, field) + harm})
    value = {
        "url": f"{getattr(provider, 'url', 'https://shop.example/')}?{harm}",
        "from": f"{harm} <shop@example.com>",
        "reply_to": f"{harm} <shop@example.com>",
    }.get(field, harm)
    return msgspec.structs.replace(sent, front={**sent.front, field: value})


def _names(provider: Any) -> list[set[str]]:
    """Of each wire, the names of what it is made of: headers, fields of a form, keys."""
    if isinstance(provider, SmtpProvider):
        return [{name.lower() for name, _ in _mail(wire).items()} for wire in provider.wires()]
    if isinstance(provider, TwilioProvider):
        headers = [{*of} for of, _ in provider.requests]
        return [
            {*of, *(name for name, _ in parse_qsl(body.decode()))}
            for of, (_, body) in zip(headers, provider.requests, strict=True)
        ]
    if isinstance(provider, HttpProvider):
        return [{*of} for of, _ in provider.requests]
    return [{*msgspec.json.decode(wire)} for wire in provider.wires()]


def _mail(wire: bytes) -> Any:
    return email.message_from_bytes(wire)


@pytest.fixture(params=[name for name in ENDS if name not in _ALIKE])
async def provider(
    request: pytest.FixtureRequest, authority: trustme.CA, ca_file: Path
) -> AsyncIterator[Any]:
    async with opened(ENDS[request.param](authority, ca_file)) as end:
        yield end


async def test_no_value_in_any_field_adds_a_header_a_field_or_a_message(provider: Any) -> None:
    channel = provider.make()
    tame = message(provider.channel_id)
    fields = (*FRONT_KEYS[provider.channel_id], *OF_MESSAGE)
    number = 0
    for field in fields:
        for harm in HARM.values():
            number += 2
            well = msgspec.structs.replace(tame, id=f"{number:032x}")
            bad = msgspec.structs.replace(tame, id=f"{number + 1:032x}")
            meant = well if field == "to" else _hostile(provider, well, field, "x")
            assert isinstance(await channel.deliver(meant), Accepted)
            before = _names(provider)
            outcome = await channel.deliver(_hostile(provider, bad, field, harm))
            assert isinstance(outcome, Accepted | Rejected), (field, harm, outcome)
            after = _names(provider)
            assert len(after) == len(before) + isinstance(outcome, Accepted)
            if isinstance(outcome, Accepted):
                assert after[-1] == before[-1], (field, harm)
    await channel.aclose()
