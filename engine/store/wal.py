"""Whether a write-ahead log ends where a crash may end it.

SQLite takes a log up to the first frame whose checksum is wrong, and says nothing of what lies
behind (https://www.sqlite.org/fileformat2.html#walformat). After a power cut that is what it should
do: the transaction that was under way is torn, and nobody was told that it was done. But where each
commit is synced, nothing of the next one is written before: a frame that does not count, before a
commit with more behind it, was whole once. Somebody was answered for what it held.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24

_MAGIC: Final = (0x377F0682, 0x377F0683)
_WORD: Final = (1 << 32) - 1


class _Frame:
    """Head of one frame: what SQLite's own look at it is based on, but for the page.

    Attributes:
        commits: Whether it is the last of a transaction.
    """

    __slots__ = ("commits", "salt")

    def __init__(self, head: bytes) -> None:
        self.commits = head[4:8] != bytes(4)
        self.salt = head[8:16]


def damage(log: Path, accepted: int) -> str:
    """What is wrong with the log of a database whose commits are each synced, or "".

    `accepted` is how many frames SQLite takes it for. O(frames).
    """
    try:
        with log.open("rb") as file:
            head = file.read(HEADER_BYTES)
            if len(head) < HEADER_BYTES or not any(head):
                return ""  # as a crash leaves one that was just made
            if not _is_header(head):
                return "its header is none"
            page_bytes = int.from_bytes(head[8:12], "big")
            written = _current(file, page_bytes, accepted, salt=head[16:24])
            if any(before.commits for before, _ in pairwise(written)):
                return f"it ends with frame {accepted}, and there are commits behind that"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _current(file: BinaryIO, page_bytes: int, after: int, salt: bytes) -> Iterator[_Frame]:
    """Heads of frames behind the first `after` that are of the log's present round.

    Frames of an earlier round, which was checkpointed, have another salt.
    """
    frame_bytes = FRAME_HEADER_BYTES + page_bytes
    place = HEADER_BYTES + after * frame_bytes
    while True:
        file.seek(place)
        head = file.read(FRAME_HEADER_BYTES)
        if len(head) < FRAME_HEADER_BYTES:
            return
        frame = _Frame(head)
        if frame.salt == salt:
            yield frame
        place += frame_bytes


def _is_header(head: bytes) -> bool:
    """Whether magic and checksum are right."""
    magic = int.from_bytes(head[:4], "big")
    if magic not in _MAGIC:
        return False
    first = second = 0
    words = struct.unpack(">6I" if magic & 1 else "<6I", head[:24])
    for place in range(0, len(words), 2):
        first = (first + words[place] + second) & _WORD
        second = (second + words[place + 1] + first) & _WORD
    return struct.pack(">2I", first, second) == head[24:32]
