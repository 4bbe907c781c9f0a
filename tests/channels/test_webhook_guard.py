"""Where a webhook may go: anywhere the shop wrote into its settings, else the public internet."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import aiohttp.connector
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from channels.base import Accepted, Rejected
from channels.redirecting import redirected
from tests.channels.providers import message

if TYPE_CHECKING:
    from tests.channels.providers import HttpProvider

INWARD = "leads to an address that is not on the public internet"


class Rebinding(AbstractResolver):
    """A resolver under an attacker's hand: each look-up has the next answer, the last for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]  # fmt: skip

    @override
    async def close(self) -> None:
        pass


def to(url: str, number: int = 1) -> Any:
    return message("webhook", number, front={"url": url})


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_a_name_that_points_inwards_is_resolved_once_and_refused(
    http_server: HttpProvider, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolver = Rebinding(address)
    monkeypatch.setattr(aiohttp.connector, "DefaultResolver", lambda **_: resolver)
    channel = http_server.make(trusted=())
    outcome = await channel.deliver(to(f"http://shop.example:{http_server.port}/hook"))
    assert outcome == Rejected(f"shop.example:{http_server.port} {INWARD}")
    assert (resolver.asked, http_server.requests) == (1, [])
    await channel.aclose()


async def test_a_name_that_points_inwards_the_second_time_is_refused_then(
    http_server: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As public as an address can be with nobody there: the top of a block that is not routed.
    resolver = Rebinding("198.97.255.254", "127.0.0.1")
    monkeypatch.setattr(aiohttp.connector, "DefaultResolver", lambda **_: resolver)
    monkeypatch.setattr(aiohttp.connector, "_DNSCacheTable", _NoCache)
    channel = http_server.make(trusted=(), timeout_ms=100)
    url = f"http://shop.example:{http_server.port}/hook"
    first = await channel.deliver(to(url, 1))
    assert not isinstance(first, Accepted)
    assert await channel.deliver(to(url, 2)) == Rejected(
        f"shop.example:{http_server.port} {INWARD}"
    )
    assert http_server.requests == []
    await channel.aclose()


class _NoCache(aiohttp.connector._DNSCacheTable):
    """Nothing that was resolved is remembered."""

    @override
    def expired(self, key: tuple[str, int]) -> bool:
        return True


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_no_spelling_of_this_machine_is_taken_from_a_template(
    http_server: HttpProvider, host: str
) -> None:
    channel = http_server.make(trusted=())
    outcome = await channel.deliver(to(f"http://{host}:{http_server.port}/admin"))
    assert not isinstance(outcome, Accepted)
    assert http_server.requests == []
    await channel.aclose()


async def test_the_shops_own_url_a_trusted_host_and_a_redirection_go_anywhere(
    http_server: HttpProvider,
) -> None:
    channel = http_server.make(trusted=())
    assert isinstance(await channel.deliver(message("webhook")), Accepted)
    assert isinstance(await channel.deliver(to(http_server.url, 2)), Accepted)
    elsewhere = f"{http_server.url}/elsewhere"
    assert isinstance(await channel.deliver(to(elsewhere, 3)), Rejected)
    staged = redirected(to("https://crm.example/hook", 4), elsewhere)
    assert isinstance(await channel.deliver(staged), Accepted)
    await channel.aclose()
    trusting = http_server.make(trusted=("127.0.0.1",))
    assert isinstance(await trusting.deliver(to(elsewhere, 3)), Accepted)
    await trusting.aclose()
