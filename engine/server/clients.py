"""Which client a request comes from: its peer, or whom a proxy that is believed names.

Behind a reverse proxy all requests come from one address, and the client's own stands in a header,
which anybody can write. So it is read of the proxies alone that `[server] proxies` lists, and from
the right: each proxy appends the address that it was asked from, what stands further left was there
before. The client is the rightmost address that is no proxy of ours, as nginx's
`real_ip_recursive` has it.

`X-Forwarded-For` is what proxies write, `Forwarded` (RFC 7239) is what they are to write. A proxy
writes one of them and hands on the other as its client wrote it; so where both are there and do not
name the same, none is believed. Then, and where a header cannot be read, the client is the peer.

All that counts or trusts a client by its address asks here.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from aiohttp import web

from engine.server.machines import address_of, is_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from multidict import MultiMapping

    from engine.server.machines import Address

HOPS_MAX: Final = 32
"""Addresses that are looked at in one header: each but the last is a proxy of ours."""

_PAIRED_CHARS_MAX: Final = 4_096
_SIGNS_MAX: Final = 4 * HOPS_MAX
"""No `Forwarded` that names so few hops is longer, or of more parameters: RFC 7239 has four. It is
read from the left, whole, a parameter at a time."""

_LISTED: Final = "X-Forwarded-For"
_PAIRED: Final = "Forwarded"
_SPOKEN_FOR: Final = (_PAIRED, _LISTED, "X-Real-IP", "Via", "Origin")
"""Headers of proxies, which speak for whoever is behind them, and of web pages."""

_NODE = re.compile(r"\[([^\]]*)\](?::\w+)?|([0-9.]+)(?::\w+)?|([0-9A-Fa-f:.]+)", re.ASCII)
"""An address with or without a port: RFC 7239, 6, and what proxies write besides."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(
    rf'[ \t]*+(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*+"))?+[ \t]*+([;,]|\Z)', re.ASCII
)
"""A parameter of `Forwarded`, if there is one, up to what ends it; linear, whatever it meets."""

_ESCAPED = re.compile(r"\\(.)")


class Proxies:
    """Those who are believed whom they ask for.

    Args:
        listed: Addresses and networks, as `[server] proxies` has them.
    """

    __slots__ = ("_networks",)

    def __init__(self, listed: Iterable[str] = ()) -> None:
        self._networks = tuple(ip_network(one) for one in listed)

    def believes(self, address: Address | None) -> bool:
        """Whether it is the address of one of them. O(listed)."""
        return address is not None and any(address in network for network in self._networks)

    def client_of(self, peer: str, headers: MultiMapping[str]) -> str:
        """The address of the client for whom a peer asks, which may be the peer. O(header)."""
        if not self._networks or not self.believes(address_of(peer)):
            return peer
        listed = headers.getall(_LISTED, ())
        paired = headers.getall(_PAIRED, ())
        named = {self._client_among(_hops_listed(",".join(listed)))} if listed else set()
        if paired:
            named.add(self._client_among(_hops_paired(",".join(paired))))
        client = named.pop() if len(named) == 1 else None
        return peer if client is None else str(client)

    def _client_among(self, hops: Iterable[Address | None]) -> Address | None:
        """The first that is no proxy, from the right, else the last; None: it cannot be read."""
        client: Address | None = None
        for hop in hops:
            client = hop
            if not self.believes(hop):
                break
        return client


PROXIES: Final = web.AppKey("proxies", Proxies)
"""Where an application keeps whom it believes."""

_NOBODY: Final = Proxies()


def client_of(request: web.Request) -> str:
    """The address of the client that a request comes from; "" where there is none."""
    return _proxies(request).client_of(request.remote or "", request.headers)


def is_of_this_machine(request: web.Request) -> bool:
    """Whether a request comes from this machine, and from nobody through it.

    A proxy on this machine speaks for anybody, whatever address it names; so does a page in a
    browser. Of an address that is listed as a proxy's nothing is: a proxy that names nobody asks
    like a program beside it.
    """
    peer = request.remote or ""
    if not is_this_machine(peer) or any(header in request.headers for header in _SPOKEN_FOR):
        return False
    return not _proxies(request).believes(address_of(peer))


def origin_asked(request: web.Request) -> str:
    """The origin that a client asked for, as its browser writes it: `https://ops.example`.

    TLS ends at a proxy, which may ask by another name, too: what was asked of a proxy that is
    believed stands in `X-Forwarded-Proto` and `X-Forwarded-Host`.
    """
    scheme, host = request.scheme, request.headers.get("Host", "")
    if _proxies(request).believes(address_of(request.remote or "")):
        said = _first_of(request, "X-Forwarded-Proto").lower()
        scheme = said if said in {"http", "https"} else scheme
        host = _first_of(request, "X-Forwarded-Host") or host
    return f"{scheme}://{host}"


def _first_of(request: web.Request, header: str) -> str:
    return request.headers.get(header, "").partition(",")[0].strip()


def _proxies(request: web.Request) -> Proxies:
    return request.app.get(PROXIES, _NOBODY)


def _hops_listed(said: str) -> Iterator[Address | None]:
    """The addresses of `X-Forwarded-For`, the last one first; None for what is none."""
    nodes = [node for part in said.rsplit(",", HOPS_MAX)[-HOPS_MAX:] if (node := part.strip())]
    return map(_address_in, reversed(nodes))


def _hops_paired(said: str) -> Iterator[Address | None]:
    """The same of `Forwarded`; a header that is not of its grammar has one hop, which is none."""
    signs = said.count(",") + said.count(";")
    is_within = len(said) <= _PAIRED_CHARS_MAX and signs <= _SIGNS_MAX
    nodes = _nodes_paired(said) if is_within else [None]
    return map(_address_in, reversed(["" if node is None else node for node in nodes[-HOPS_MAX:]]))


def _nodes_paired(said: str) -> list[str | None]:
    """What each element of a `Forwarded` says under `for`; None where it does not say so once."""
    nodes: list[str | None] = []
    place, of_element = 0, []
    is_empty = True
    while place <= len(said):
        pair = _PAIR.match(said, place)
        if pair is None:
            return [None]
        name, value, end = pair.groups()
        if name is not None:
            is_empty = False
            if name.lower() == "for":
                of_element.append(_unquoted(value))
        if end != ";":
            if not is_empty:  # an empty element of a list is none (RFC 9110, 5.6.1)
                nodes.append(of_element[0] if len(of_element) == 1 else None)
            of_element, is_empty = [], True
        if not end:
            break
        place = pair.end()
    return nodes


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def _address_in(node: str) -> Address | None:
    """The address that a hop is told by, without its port; None for a name, or for `unknown`."""
    found = _NODE.fullmatch(node)
    return None if found is None else address_of(found[1] or found[2] or found[3] or "")
