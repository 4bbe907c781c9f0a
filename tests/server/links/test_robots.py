from __future__ import annotations

import pytest

from engine.server.links.robots import machine_of, wants_no_tracking
from tests.server.links.visits import APPLE, BROWSER, GMAIL

SOON, LATER = 3_000, 120_000
MAIL_ON_A_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML)"


@pytest.mark.parametrize(
    ("agent", "answer", "since_ms", "machine"),
    [
        (BROWSER, "opened", SOON, ""),
        (BROWSER, "clicked", SOON, ""),
        ("", "opened", SOON, ""),
        ("Python/3.11 aiohttp/3.14", "clicked", SOON, ""),
        (MAIL_ON_A_MAC, "opened", SOON, ""),
        (APPLE, "opened", LATER, "apple-mail-privacy"),
        (APPLE, "clicked", LATER, ""),
        (GMAIL, "opened", SOON, "gmail-proxy"),
        (GMAIL, "opened", LATER, ""),
        ("YahooMailProxy; https://help.yahoo.com/", "opened", SOON, "prefetch"),
        ("YahooMailProxy; https://help.yahoo.com/", "opened", LATER, ""),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", "clicked", LATER, "scanner"),
        ("Mozilla/5.0 (compatible; Barracuda Sentinel)", "clicked", LATER, "scanner"),
        ("WhatsApp/2.23", "clicked", LATER, "scanner"),
        ("x" * 600 + "bot/", "clicked", LATER, ""),
    ],
)
def test_who_asks(agent: str, answer: str, since_ms: int, machine: str) -> None:
    assert machine_of("GET", {"User-Agent": agent}, answer, since_ms) == machine  # type: ignore[arg-type]


def test_a_head_request_sees_nothing() -> None:
    assert machine_of("HEAD", {"User-Agent": BROWSER}, "clicked", LATER) == "head"


@pytest.mark.parametrize("name", ["Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"])
def test_what_is_fetched_ahead_says_so(name: str) -> None:
    headers = {"User-Agent": BROWSER, name: "prefetch;prerender"}
    assert machine_of("GET", headers, "clicked", LATER) == "prefetch"


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, False),
        ({"Sec-GPC": "1"}, True),
        ({"DNT": "1"}, True),
        ({"Sec-GPC": "0", "DNT": "0"}, False),
        ({"DNT": "null"}, False),
    ],
)
def test_who_asks_not_to_be_tracked(headers: dict[str, str], *, wanted: bool) -> None:
    assert wants_no_tracking(headers) is wanted
