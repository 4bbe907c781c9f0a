"""Addresses of machines: this one's, and what tells one machine from another.

Who asks now has most often asked just before, and reading an address costs as much as a small look
at its request; so the last that were read are kept.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_KEPT: Final = 1_024
_CHARS_MAX: Final = 64
"""No address is longer; what a client writes is not kept at any length."""

_ONES_OWN_V6: Final = 64
"""Bits of an IPv6 address that tell one network from another: a machine has all behind them."""


def is_this_machine(peer: str) -> bool:
    """Whether a peer's address is a loopback one."""
    address = address_of(peer)
    return address is not None and address.is_loopback


def address_of(text: str) -> Address | None:
    """The address that a text is, or None; of IPv4 that is mapped into IPv6, the former."""
    return _read(text) if len(text) <= _CHARS_MAX else None


@lru_cache(_KEPT)
def _read(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


@lru_cache(_KEPT)
def network_of(peer: str) -> str:
    """What tells one sender from another: an IPv4 address, or of an IPv6 one its network."""
    address = address_of(peer)
    if not isinstance(address, IPv6Address):
        return peer if address is None else str(address)
    return str(int(address) >> (128 - _ONES_OWN_V6))
