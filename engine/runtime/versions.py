"""What a restart may have changed beside the shop: the program, and its time-zone data."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import TZPATH

from engine import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

_SOURCE: Final = "tzdata.zi"
_MARK: Final = "# version "


class Versions(NamedTuple):
    """Of the program, and of the time-zone data that it goes by ("" where nothing tells)."""

    engine: str = ""
    tzdata: str = ""


NO_VERSIONS: Final = Versions()
"""Of what has none: virtual time, a test."""


def versions() -> Versions:
    """Those of this process."""
    return Versions(__version__, tzdata_version())


def tzdata_version(folders: Iterable[str] = TZPATH) -> str:
    """The release of the time-zone data in use, like `2025b`, or "" where nothing tells it.

    `zoneinfo` looks in `folders` first, and then for the package `tzdata`.
    """
    for folder in folders:
        try:
            with (Path(folder) / _SOURCE).open(encoding="utf-8", errors="replace") as lines:
                first = lines.readline(200)
        except OSError:
            continue
        if first.startswith(_MARK):
            return first.removeprefix(_MARK).strip()
    try:
        return version("tzdata")
    except PackageNotFoundError:
        return ""
