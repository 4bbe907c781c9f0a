"""Headers that keep a browser from making more of an answer than it is.

They are on every answer: a page, a file, a picture, an error, a line to bytes that are no HTTP.
What needs another value (the dashboard's own pages, the SDK's files) says it itself, and keeps it.

There is no `Strict-Transport-Security`: TLS ends at a proxy, which knows whether all of a name is
served by it; this process does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

HARDENING: Final = {
    # Its type is what it says: JSON with a script in a value is no page.
    "X-Content-Type-Options": "nosniff",
    # Opened as a page all the same, it loads nothing and stands in no frame.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    # Addresses have tokens and users' ids in them.
    "Referrer-Policy": "no-referrer",
    # Nothing of a user stays with a proxy or a browser.
    "Cache-Control": "no-store",
}
"""What an answer says that does not say otherwise."""

_HEADERS: Final = tuple(HARDENING.items())


def harden(headers: MutableMapping[str, str]) -> None:
    """Add what is missing of them. O(1)."""
    for name, value in _HEADERS:
        headers.setdefault(name, value)
