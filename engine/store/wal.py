"""Whether a write-ahead log ends where a crash may end it.

SQLite takes a log up to the first frame whose checksum is wrong, and says nothing of what lies
behind (https://www.sqlite.org/fileformat2.html#walformat). After a power cut that is what it should
do: the transaction that was under way is torn, and nobody was told that it was done. But where each
commit is synced, nothing of the next one is written before: a frame that does not count, before a
commit with more behind it, was whole once. Somebody was answered for what it held.
"""

from __future__ import annotations

import struct
from io import SEEK_END
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
    """Head of one frame.

    Attributes:
        page: Whose content it has; they count from 1.
        size: Where it is the last of a transaction: pages of the database after that; else 0.
        content: Where in the log the page begins.
    """

    __slots__ = ("content", "page", "salt", "size")

    def __init__(self, head: bytes, place: int) -> None:
        self.page = int.from_bytes(head[:4], "big")
        self.size = int.from_bytes(head[4:8], "big")
        self.salt = head[8:16]
        self.content = place + FRAME_HEADER_BYTES


def damage(path: Path, accepted: int) -> str:
    """What is wrong with the log of a database whose commits are each synced, or "".

    `accepted` is how many frames SQLite takes it for. O(frames), where its header is none O(size).
    """
    try:
        with path.with_name(path.name + "-wal").open("rb") as log, path.open("rb") as database:
            head = log.read(HEADER_BYTES)
            page_bytes = _page_bytes(database)
            if _is_header(head):
                written = _frames(log, page_bytes, accepted)
                current = [frame for frame in written if frame.salt == head[16:24]]
                if any(before.size for before, _ in pairwise(current)):
                    return f"it ends with frame {accepted}, and there are commits behind that"
            elif _has_news(log, database, page_bytes):
                return "its header is none, and it has commits that the database has not"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _frames(log: BinaryIO, page_bytes: int, after: int) -> Iterator[_Frame]:
    """Heads of all frames behind the first `after`: of the present round, then of earlier ones."""
    place = HEADER_BYTES + after * (FRAME_HEADER_BYTES + page_bytes)
    while True:
        log.seek(place)
        head = log.read(FRAME_HEADER_BYTES)
        if len(head) < FRAME_HEADER_BYTES:
            return
        yield _Frame(head, place)
        place += FRAME_HEADER_BYTES + page_bytes


def _has_news(log: BinaryIO, database: BinaryIO, page_bytes: int) -> bool:
    """Whether there are commits in a log without header that the database has not.

    A header that was torn as a new round began is none either: the round before is all in the
    database then, and nothing is lost.
    """
    pages_max = (log.seek(0, SEEK_END) + database.seek(0, SEEK_END)) // page_bytes
    frames = [one for one in _frames(log, page_bytes, 0) if 1 <= one.page <= pages_max]
    newest: dict[int, _Frame] = {}
    begun: dict[int, _Frame] = {}
    size = 0
    for frame in frames:
        if frame.salt != frames[0].salt:
            break
        begun[frame.page] = frame
        if frame.size:
            newest.update(begun)
            begun.clear()
            size = frame.size
    return any(
        _read(log, frame.content, page_bytes)
        != _read(database, (page - 1) * page_bytes, page_bytes)
        for page, frame in newest.items()
        if page <= size
    )


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _page_bytes(database: BinaryIO) -> int:
    """As the database's header has it: 1 stands for 65,536."""
    said = int.from_bytes(_read(database, 16, 2), "big")
    return 1 << 16 if said <= 1 else said


def _is_header(head: bytes) -> bool:
    """Whether it is whole, and magic and checksum are right."""
    magic = int.from_bytes(head[:4], "big")
    if magic not in _MAGIC or len(head) < HEADER_BYTES:
        return False
    first = second = 0
    words = struct.unpack(">6I" if magic & 1 else "<6I", head[:24])
    for place in range(0, len(words), 2):
        first = (first + words[place] + second) & _WORD
        second = (second + words[place + 1] + first) & _WORD
    return struct.pack(">2I", first, second) == head[24:32]
