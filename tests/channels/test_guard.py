from __future__ import annotations

import socket

import pytest

from channels.guard import Inward, guarded_socket, is_public


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.3",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::a00:1",
        "no address",
    ],
)
def test_an_address_of_this_machine_or_its_network_is_not_public(address: str) -> None:
    assert not is_public(address)


def test_no_socket_is_made_for_an_address_that_leads_inwards() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    with pytest.raises(Inward, match="not on the public internet"):
        guarded_socket(info)


def test_a_socket_for_a_public_address_is_of_its_family() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("93.184.216.34", 80))
    with guarded_socket(info) as made:
        assert made.family == socket.AF_INET
