"""`[server]` and `[keys]`: where the process listens, who may send and operate, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import field

from config.kinds import Address, Count, CountOrNone, Network, Port, Secret, Size, Text

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`[server]`: where the process listens, and the limits on what comes in.

    Attributes:
        admin_port: 0 means the port served plus 1.
        rate: Events a second and key; 0 is no limit.
        proxies: Those who are believed whom they ask for.
    """

    host: Text = "127.0.0.1"
    port: Port = 8080
    admin_port: Port = 0
    admin_host: Text = "127.0.0.1"
    body_max_bytes: Size = field(default=1 << 20, name="body_max")
    events_max: Count = 2500
    event_max_bytes: Size = field(default=32 << 10, name="event_max")
    rate: CountOrNone = 1000
    proxies: tuple[Network, ...] = ()


class WriteKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that sends events, with a rate of its own and the web origins it may be used from.

    Attributes:
        rate: Events a second; None: `server.rate`; 0: no limit.
        rate_each: Of them, those of each client address; 0: no limit.
        origins: None is any.
    """

    key: Secret
    rate: CountOrNone | None = None
    rate_each: CountOrNone = 0
    origins: tuple[Address, ...] | None = None


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """`[keys]`: who may send and operate. An empty `admin` or `signing` is made at first start.

    Attributes:
        signing: Signs links in messages, and users' tokens.
        signing_previous: What it was before: links of then are still good.
    """

    write: tuple[WriteKey, ...] = (WriteKey(key="demo-write-key"),)
    trigger: tuple[Secret, ...] = ()
    admin: Secret = ""
    signing: Secret = ""
    signing_previous: tuple[Secret, ...] = ()


_OWN: Final = {"127.0.0.1": '"127.0.0.1"', "::1": '"::1"', "localhost": '"127.0.0.1", "::1"'}
"""Hosts of this machine alone, and the addresses that a proxy on it comes from."""


def counted_as_one(server: Server, keys: Keys) -> Iterator[tuple[int, str, str]]:
    """Write keys whose `rate_each` holds all clients for one, by their places, with what to do.

    Whoever listens on this machine alone is reached by a proxy on it, and that is one address.
    """
    own = _OWN.get(server.host)
    if server.proxies or own is None:
        return
    for place, key in enumerate(keys.write):
        if key.rate_each:
            told = f"at {server.host} all clients come by a proxy, which counts as one"
            yield place, told, f"name it: [server] proxies = [{own}]"
