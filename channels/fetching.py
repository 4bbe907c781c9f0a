"""A file fetched over HTTP, only where it has changed since."""

from __future__ import annotations

from typing import Final, TypeAlias

import aiohttp
import msgspec

TIMEOUT_S: Final = 60.0
_OK: Final = 200
_UNCHANGED: Final = 304


class Fetched(msgspec.Struct, frozen=True):
    """A file.

    Attributes:
        data: Its bytes.
        kind: `json` or `csv` where the server says so, else "".
        tag: What to give `fetch` the next time: the answer's `ETag`, else its `Last-Modified`.
    """

    data: bytes
    kind: str = ""
    tag: str = ""


Fetch: TypeAlias = Fetched | str | None
"""A file, None where it is as it was, or why there is none."""


async def fetch(
    url: str,
    *,
    authorization: str = "",
    tag: str = "",
    bytes_max: int,
    timeout_s: float = TIMEOUT_S,
) -> Fetch:
    """Fetch once; never raises for what a network or a server does.

    Args:
        url: An address that the shop wrote.
        authorization: The header's value, if not empty; it does not follow a redirection elsewhere.
        tag: As the last answer gave it.
        bytes_max: Larger files are not read to their end.
        timeout_s: For the whole exchange.
    """
    headers = {"Accept": "application/json, text/csv;q=0.9, */*;q=0.5"}
    if authorization:
        headers["Authorization"] = authorization
    if tag:
        headers["If-None-Match" if tag.startswith(('"', "W/")) else "If-Modified-Since"] = tag
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, headers=headers, max_redirects=5) as answer,
        ):
            if answer.status == _UNCHANGED and tag:
                return None
            if answer.status != _OK:
                return f"it answered {answer.status}"
            data = bytearray()
            async for chunk in answer.content.iter_any():
                data += chunk
                if len(data) > bytes_max:
                    return f"it is larger than {bytes_max} bytes"
            new = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            kinds = {"application/json": "json", "text/csv": "csv"}
            return Fetched(bytes(data), kinds.get(answer.content_type, ""), new)
    except TimeoutError:
        return f"it did not answer within {timeout_s:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as fault:
        return f"it cannot be fetched: {type(fault).__name__}"
