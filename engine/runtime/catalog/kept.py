"""The products of an address as they were fetched last, kept in the data folder.

A start does not wait for the address, and whoever has the folder alone has its products, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_FILE = "catalog.feed"


class KeptFeed(NamedTuple):
    """A feed that could be read.

    Attributes:
        kind: What it is written in, as `channels.feed.read_feed` asks.
        tag: By which the address is asked for another one.
        data: Its bytes.
    """

    kind: str
    tag: str
    data: bytes


def read_kept(data: Path, url: str) -> KeptFeed | None:
    """The last good feed of an address, if there is any. O(size)."""
    try:
        said = (data / _FILE).read_bytes()
    except OSError:
        return None
    of, kind, tag, feed = (*said.split(b"\n", 3), b"", b"", b"")[:4]
    if of.decode(errors="replace") != url or not feed:
        return None
    return KeptFeed(kind.decode(), tag.decode(), feed)


def keep(data: Path, url: str, feed: KeptFeed) -> None:
    """Write it, whole or not at all. Raises OSError. O(size)."""
    from channels.lines import create_private

    file = data / _FILE
    part = file.with_suffix(".part")
    with create_private(part) as writing:
        writing.write(f"{url}\n{feed.kind}\n{feed.tag}\n".encode() + feed.data)
    part.replace(file)
