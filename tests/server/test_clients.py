"""Whom a request is from: what a listed proxy says of it, and nothing that a client can write."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from multidict import CIMultiDict

from engine.server.clients import HOPS_MAX, Proxies
from engine.server.rates import BAD_KEYS_BURST
from tests.server.house import House

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48")
PROXY = "127.0.0.1"
REAL = "203.0.113.9"

LISTED = [
    ("203.0.113.9", REAL),
    ("198.51.100.1, 203.0.113.9", REAL),
    ("127.0.0.1, 203.0.113.9", REAL),
    ("203.0.113.9, 10.1.2.3", REAL),
    ("203.0.113.9,10.1.2.3 ,\t2001:db8:1::5", REAL),
    ("203.0.113.9:4711", REAL),
    ("::ffff:203.0.113.9", REAL),
    ("203.0.113.9, ::ffff:10.1.2.3", REAL),
    ("2001:db8:2::7", "2001:db8:2::7"),
    ("[2001:db8:2::7]:4711", "2001:db8:2::7"),
    ("[2001:db8:2::7]", "2001:db8:2::7"),
    ("10.1.2.3", "10.1.2.3"),
    ("10.9.9.9, 10.1.2.3", "10.9.9.9"),
    ("garbage, 203.0.113.9", REAL),
    ("203.0.113.9, ", REAL),
    ("203.0.113.9, unknown", PROXY),
    ("203.0.113.9, garbage, 10.1.2.3", PROXY),
    ("203.0.113.9, 10.1.2.300", PROXY),
    ("203.0.113.9:x y", PROXY),
    ("", PROXY),
    (" , ", PROXY),
    ("[]", PROXY),
    ("203.0.113.9, []:80, 10.1.2.3", PROXY),
    (",".join(["10.0.0.1"] * 50_000), "10.0.0.1"),
    (",".join([REAL, *["10.0.0.1"] * (HOPS_MAX - 1)]), REAL),
    (",".join([REAL, *["10.0.0.1"] * HOPS_MAX]), "10.0.0.1"),
]
PAIRED = [
    ("for=203.0.113.9", REAL),
    ("For=198.51.100.1, FOR=203.0.113.9", REAL),
    ('for="203.0.113.9:4711";proto=https;by=127.0.0.1', REAL),
    ('by="[::1]:80" ; for="[2001:db8:2::7]:_port"', "2001:db8:2::7"),
    (r'for="\203.0.113.9"', REAL),
    ('host="a, for=127.0.0.1";for=203.0.113.9', REAL),
    ("for=203.0.113.9, for=10.1.2.3;proto=http", REAL),
    ("for=203.0.113.9,, ,", REAL),
    ("for=unknown", PROXY),
    ("for=_hidden, for=10.1.2.3", PROXY),
    ("for=203.0.113.9;for=203.0.113.9", PROXY),
    ("proto=https", PROXY),
    ("for=203.0.113.9, proto=https", PROXY),
    ('for="203.0.113.9', PROXY),
    ('for="x, for=203.0.113.9', PROXY),
    ("for=203.0.113.9 for=198.51.100.1", PROXY),
    ("for=[2001:db8:2::7]", PROXY),
    ("=", PROXY),
    ("", PROXY),
    (" " * 4_000 + "x", PROXY),
    ("for=203.0.113.9," * 1_000, PROXY),
    ('for="[]"', PROXY),
    (",".join(["for=203.0.113.9;by=10.0.0.1;host=x;proto=http"] * HOPS_MAX), REAL),
    (";" * 200 + "for=203.0.113.9", PROXY),
]


@pytest.mark.parametrize(("said", "client"), LISTED, ids=range(len(LISTED)))
def test_the_client_is_the_rightmost_that_is_no_proxy(said: str, client: str) -> None:
    assert Proxies(OURS).client_of(PROXY, CIMultiDict({"X-Forwarded-For": said})) == client


@pytest.mark.parametrize(("said", "client"), PAIRED, ids=range(len(PAIRED)))
def test_forwarded_is_read_by_its_grammar_or_not_at_all(said: str, client: str) -> None:
    assert Proxies(OURS).client_of(PROXY, CIMultiDict({"Forwarded": said})) == client


def test_a_header_of_several_lines_is_one_list() -> None:
    lines = CIMultiDict([("x-forwarded-for", "198.51.100.1"), ("X-Forwarded-For", REAL)])
    assert Proxies(OURS).client_of(PROXY, lines) == REAL


@pytest.mark.parametrize("peer", ["203.0.113.1", "127.0.0.2", "11.0.0.1", "2001:db8:2::1", ""])
def test_nobody_else_is_believed(peer: str) -> None:
    said = CIMultiDict({"X-Forwarded-For": REAL, "Forwarded": f"for={REAL}"})
    assert Proxies(OURS).client_of(peer, said) == peer
    assert Proxies().client_of(PROXY, said) == PROXY


def test_where_both_headers_are_there_they_name_the_same_or_neither_is_believed() -> None:
    proxies = Proxies(OURS)
    said = CIMultiDict({"X-Forwarded-For": REAL, "Forwarded": f"for={REAL}"})
    assert proxies.client_of(PROXY, said) == REAL
    for other in ("for=198.51.100.1", "for=unknown", "for="):
        said["Forwarded"] = other
        assert proxies.client_of(PROXY, said) == PROXY


addresses = st.ip_addresses().map(str)
ours = st.sampled_from(["127.0.0.1", "10.255.0.1", "2001:db8:1:ffff::1"])
written = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.lists(
    st.sampled_from(['"', "\\", ",", ";", "=", "for", REAL, "127.0.0.1", "[", "]", " "]),
    max_size=12,
).map("".join)


@examples(deadline=None)
@given(addresses, written, st.lists(ours, max_size=3), st.booleans())
def test_whatever_a_client_writes_it_is_counted_by_its_own_address(
    real: str, said: str, between: list[str], other: bool
) -> None:
    proxies = Proxies(OURS)
    client = ip_address(real)
    mapped = getattr(client, "ipv4_mapped", None) or client
    if proxies.believes(mapped):
        return
    chain = CIMultiDict({"X-Forwarded-For": ", ".join([said, real, *between])})
    assert proxies.client_of(PROXY, chain) == str(mapped)

    node = f'"[{real}]:80"' if client.version == 6 else real
    pairs = [
        f"for={node}",
        *(f'for="{one}"' if "." in one else f'for="[{one}]"' for one in between),
    ]
    chain = CIMultiDict({"Forwarded": ", ".join([said, *pairs])})
    # What is no header any more by what he wrote counts for the proxy: no address of his choice.
    assert proxies.client_of(PROXY, chain) in {str(mapped), PROXY}

    chain = CIMultiDict({"Forwarded": ", ".join(pairs)})
    assert proxies.client_of(PROXY, chain) == str(mapped)
    if other:
        chain["X-Forwarded-For"] = said
        assert proxies.client_of(PROXY, chain) in {str(mapped), PROXY}


async def test_keys_that_are_not_known_are_counted_by_client_behind_a_proxy(
    tmp_path: Path,
) -> None:
    house = await House.start(tmp_path, proxies=("127.0.0.1",))

    async def ask_as(client: str) -> int:
        headers = {"X-Forwarded-For": client, "Authorization": "Bearer nobody"}
        return (await house.post("/events", {"user_id": "u", "event": "E"}, headers=headers)).status

    said = [await ask_as("198.51.100.1, 203.0.113.7") for _ in range(BAD_KEYS_BURST + 1)]
    forged = await ask_as("198.51.100.2, 203.0.113.7")
    other = await ask_as("203.0.113.8")
    await house.aclose()

    assert said == [401] * BAD_KEYS_BURST + [429]
    assert (forged, other) == (429, 401)
