"""`segments.yaml`: conditions with a name, which campaigns and each other may ask for."""

from __future__ import annotations

import re
from collections import ChainMap
from typing import Final

import msgspec

from config.conditions import timed_condition
from config.faults import shown
from config.schema import ID_LENGTH_MAX, SEGMENT, Key
from config.source import Fields, Source
from config.yaml12 import Mapping, Node, Scalar
from engine.core.cel import CelCheckError, CelTextError
from engine.core.cel import compile as compile_cel
from engine.core.conditions.condition import Condition, segments_asked

SEGMENTS_FILE: Final = "segments.yaml"

_ID: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{ID_LENGTH_MAX - 1}}}")
_HINT: Final = 'write each as `id: condition`, like `vip: user.segment == "VIP"`'


def compile_segments(source: Source) -> dict[str, Condition]:
    """All segments of a shop by id, those first that others ask for. O(size of the file).

    The findings of `source` take every fault. A segment at fault is there all the same, as one
    that nobody is in, for the conditions that ask for it.
    """
    if not source.text.strip():
        return {}
    node = source.root("segments are", _HINT)
    if node is None:
        return {}
    return _Segments(source, node).compiled()


class _Segments:
    def __init__(self, source: Source, node: Mapping) -> None:
        self._node = node
        self._found: dict[str, Condition] = {}
        self._read: set[str] = set()
        # A segment may ask for those that were found before it: what stands in for the others
        # is asked of those at fault alone.
        known = ChainMap(self._found, {segment: _nobody() for segment in node.entries})
        self._source = msgspec.structs.replace(source, segments=known)

    def compiled(self) -> dict[str, Condition]:
        for segment, node in self._node.entries.items():
            if not _ID.fullmatch(segment):
                told = f"{shown(segment)} is no id of a segment"
                self._source.fault(self._line(segment), told, f"a-z, 0-9, - and _: {_HINT}")
            else:
                self._visit(segment, node, ())
        for segment in self._node.entries:
            self._found.setdefault(segment, _nobody())
        return self._found

    def _line(self, segment: str) -> int:
        return self._node.lines[segment]

    def _visit(self, segment: str, node: Node, above: tuple[str, ...]) -> None:
        if segment in self._found:
            return
        if segment in above:
            circle = " → ".join((*above[above.index(segment) :], segment))
            told = f"segments ask for each other in a circle: {circle}"
            self._source.fault(self._line(segment), told, "take one of them out of it")
            return
        fields, key = self._place(segment, node)
        if fields.required(key, _HINT) is None:
            return
        asked = [other for other in _asked_by(fields.get(key)) if other in self._node.entries]
        for other in asked:
            self._visit(other, self._node.entries[other], (*above, segment))
        if segment in self._read:
            return
        self._read.add(segment)
        condition = timed_condition(fields, key, has_event=False) or _nobody()
        if all(other in self._found for other in asked):
            self._found[segment] = condition  # else their own faults are told

    def _place(self, segment: str, node: Node) -> tuple[Fields, str]:
        """Where the segment's condition stands: under its id, or in a map of its own."""
        if isinstance(node, Mapping):
            return Fields(self._source, node, SEGMENT, f"{segment}."), "when"
        return Fields(self._source, self._node, _keys_of(self._node), ""), segment


def _keys_of(node: Mapping) -> dict[str, Key]:
    return {name: Key(name) for name in node.entries}


def _asked_by(node: Node | None) -> list[str]:
    """Ids of the segments that a condition asks for; none where its text is no expression."""
    if not isinstance(node, Scalar):
        return []
    try:
        return segments_asked(compile_cel(node.text).tree)
    except CelTextError as error:
        rest = error.rest if isinstance(error, CelCheckError) else None
        return [] if rest is None else segments_asked(rest)


def _nobody() -> Condition:
    """What stands for a segment at fault."""
    return Condition(compile_cel("false"))
