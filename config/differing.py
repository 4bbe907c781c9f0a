"""What differs between the files of two shops: by what they say, and not by how it is written."""

from __future__ import annotations

import tomllib
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from config.reading import SETTINGS_FILE
from config.yaml12 import YamlFault, compose, plain

if TYPE_CHECKING:
    from collections.abc import Mapping


class Files(msgspec.Struct, frozen=True):
    """Paths relative to the shop folder, sorted."""

    added: list[str]
    removed: list[str]
    changed: list[str]


def differing_files(before: Mapping[str, str], now: Mapping[str, str]) -> Files:
    """Which files say something else; comments and the way of writing say nothing. O(size)."""
    both = before.keys() & now.keys()
    changed = [path for path in both if _differ(path, before[path], now[path])]
    return Files(
        sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys()), sorted(changed)
    )


def campaigns_of(files: Mapping[str, str]) -> dict[str, Any]:
    """What the campaigns' files say, by the campaign's id; of files that check. O(size)."""
    said = [_said(path, text) for path, text in files.items() if path.startswith("campaigns/")]
    named = [one for one in said if isinstance(one, dict) and "campaign" in one]
    return {str(one["campaign"]): one for one in named}


def _differ(path: str, before: str, now: str) -> bool:
    return before != now and _said(path, before) != _said(path, now)


def _said(path: str, text: str) -> object:
    """What a file says; its text, where that has no form to be read in."""
    suffix = PurePath(path).suffix
    try:
        if suffix == ".yaml":
            return plain(compose(text)[0])
        if path == SETTINGS_FILE:
            return tomllib.loads(text)
    except (YamlFault, tomllib.TOMLDecodeError):
        return text  # of an earlier version that read it otherwise
    return text
