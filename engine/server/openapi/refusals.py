"""How requests may be refused: by status, the codes that a program may match on.

A test drives every route and holds each answer against this (`tests/acceptance/test_openapi.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

Refusals: TypeAlias = Mapping[int, tuple[str, ...]]

NONE: Final[Refusals] = {}

ABOUT: Final[Mapping[int, str]] = {
    400: "What was sent cannot be taken; the answer says where each fault is.",
    401: "No key, or one that is not known.",
    403: "Not from here, or not from this web page.",
    404: "There is no such thing.",
    406: "This was taken before; do not send it again.",
    408: "It took too long to arrive.",
    409: "Not in the state that this process is in.",
    410: "It was good once.",
    413: "Too much at once; nothing was taken.",
    422: "The shop has faults; it stays as it was.",
    429: "Too fast; nothing was taken. Come again after `Retry-After` seconds.",
    500: "A fault of the server's side.",
    503: "Not now; it is not known whether it was taken. Come again after `Retry-After` seconds.",
}

FAILED: Final = 422
"""Of work that took long and failed, too, by any code."""

BODY: Final[Refusals] = {
    400: ("body.cut", "body.empty", "body.gzip", "body.invalid", "body.malformed"),
    408: ("body.slow",),
    413: ("body.too_large",),
}
"""Of a body that is read within bounds."""

ITEMS: Final[Refusals] = {400: ("item.invalid",), 413: ("body.too_many",)}
"""Of events; where some of them could be taken, the answer is 200."""

DURABLE: Final[Refusals] = {503: ("unavailable",)}
"""Of whatever is on disk before it is answered."""

SENDING: Final[Refusals] = {
    401: ("key.missing", "key.unknown"),
    403: ("origin.foreign",),
    429: ("key.too_many", "rate.exceeded"),
}
"""Of a write key."""

STARTING: Final[Refusals] = {
    401: ("key.missing", "key.unknown"),
    403: ("key.none",),
    429: ("key.too_many", "rate.exceeded"),
}
"""Of a trigger key, or of this machine while there is none."""

READING: Final[Refusals] = {
    401: ("token.expired", "token.invalid"),
    429: ("key.too_many",),
}
"""Of a user's token."""

OF_ADMIN_PORT: Final[Refusals] = {403: ("host.foreign",)}
"""Of a request that asks for the admin port by a name that is not its own."""

OPERATING: Final[Refusals] = {
    401: ("key.unknown",),
    429: ("key.too_many",),
    503: ("not_ready", "unavailable"),
    **OF_ADMIN_PORT,
}
"""Of the admin key."""

FORM: Final[Refusals] = {400: ("body.cut", "body.invalid"), 413: ("body.too_large",)}
"""Of a JSON body on the admin port."""

QUERY: Final[Refusals] = {400: ("query.invalid",)}

USER: Final[Refusals] = {404: ("user.unknown",)}


def merged(*all_of_them: Refusals) -> Refusals:
    """What one of several parts of a route may refuse."""
    found: dict[int, set[str]] = {}
    for refusals in all_of_them:
        for status, codes in refusals.items():
            found.setdefault(status, set()).update(codes)
    return {status: tuple(sorted(codes)) for status, codes in sorted(found.items())}
