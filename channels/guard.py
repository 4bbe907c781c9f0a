"""Addresses that others have given: none of them leads into this machine or its network.

Push endpoints come from browsers, and templates may take a webhook's address from an event. Each is
judged when its name has been resolved, as the socket to connect it is made, so that neither a name
that points inwards, nor one that does so the second time it is asked, nor an odd spelling of an
address comes through (server-side request forgery). What a shop wrote into `hairspring.toml` is
trusted and does not come here.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses whose last 32 bits are reached in IPv4 (RFC 6052)."""


class Inward(OSError):  # noqa: N818 - a refusal, told as an outcome
    """An address that is not on the public internet."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "leads to an address that is not on the public internet")


def is_public(address: str) -> bool:
    """Whether an IP address, as a resolver gives it, is one of the public internet. O(1).

    By the registries for special purposes (RFC 6890) that Python's `ipaddress` knows. An IPv4
    address inside an IPv6 one (mapped, 6to4, NAT64, Teredo) is judged in its place.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = _inside(parsed) or parsed
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def guarded_socket(info: AddrInfoType) -> socket.socket:
    """A socket for one resolved address (aiohttp's `socket_factory`).

    Raises:
        Inward: The address is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise Inward
    return socket.socket(family, kind, protocol)


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
