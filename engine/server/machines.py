"""Where a request comes from: this machine, or another one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final


def is_this_machine(peer: str) -> bool:
    """Whether a peer's address is a loopback one, IPv4 mapped into IPv6 too."""
    address = address_of(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and address.is_loopback


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


_ONES_OWN_V6: Final = 64
"""Bits of an IPv6 address that tell one network from another: a machine has all behind them."""


def network_of(peer: str) -> str:
    """What tells one sender from another: an IPv4 address, or of an IPv6 one its network."""
    address = address_of(peer)
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> (128 - _ONES_OWN_V6))
