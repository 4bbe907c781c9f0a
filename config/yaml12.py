"""YAML by its 1.2 core schema, with the place of every value.

The parser is libyaml's, by way of PyYAML's events; what a plain scalar means is decided here by
the YAML 1.2.2 core schema (chapter 10.3.2) instead of 1.1, so `on`, `no`, `1:30` and `1_000` are
text. One step stricter: a number with a leading zero (`012`, an article number as a rule) is text
too. The tree is built without recursion, and with a limit on size, depth and what aliases unfold
to, so that a hostile file costs no more than an honest one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import yaml

from config.yamlfaults import character_told, syntax_told

if TYPE_CHECKING:
    from collections.abc import Iterator

NODES_MAX: Final = 20_000
"""Values in one file, aliases counted as what they stand for."""

DEPTH_MAX: Final = 32
"""Lists and maps within each other."""

_NUMBER_LENGTH_MAX: Final = 40

_KEY_HINT: Final = "keys are text; a value that begins with { or [ needs quotes, like '{{ x }}'"
_TAG_HINT: Final = "leave it out; a value that begins with ! needs quotes, like '!(a)'"

_ESCAPE: Final = {'"': "\\", "'": "'"}
"""In each quoting, the character that begins an escape."""

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)

Value: TypeAlias = bool | int | float | str | None


class YamlFault(Exception):  # noqa: N818 - it is told as a fault, with its place
    """The text is no YAML that we take.

    Attributes:
        line: Counted from 1.
        message: What is wrong.
        hint: What would be right.
    """

    def __init__(self, line: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


class Scalar(msgspec.Struct, eq=False):
    """A single value: its meaning, its text, and where that starts in the file, in characters."""

    value: Value
    text: str
    line: int
    index: int = 0
    weight: int = 1


class Sequence(msgspec.Struct, eq=False):
    """A list."""

    items: list[Node]
    line: int
    weight: int = 1


class Mapping(msgspec.Struct, eq=False):
    """A map from text to values; `lines` tells where each key stands."""

    entries: dict[str, Node]
    lines: dict[str, int]
    line: int
    weight: int = 1


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> object:
    """A node as Python data, without places. O(weight)."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key: plain(value) for key, value in node.entries.items()}


def resolve(text: str) -> Value:
    """What a plain scalar means."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) <= _NUMBER_LENGTH_MAX:
        if _INT.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def compose(text: str) -> tuple[Node, list[YamlFault]]:
    """The one document of a text as located values, and keys that stand twice in it. O(text).

    Keys are text, whatever a value written like them would be.

    Raises:
        YamlFault: It is no YAML, holds no or several documents, a tag other than the core
            schema's, a key that is a list or map, or more than the limits allow.
    """
    try:
        composer = _Composer()
        return composer.run(yaml.parse(text, Loader=_loader())), composer.twice
    except yaml.MarkedYAMLError as error:
        raise YamlFault(*syntax_told(text, error)) from error
    except yaml.reader.ReaderError as error:
        raise YamlFault(*character_told(text, error.position, error.character)) from error
    except UnicodeError as error:
        raise YamlFault(1, "not text in UTF-8", "save the file as UTF-8") from error


def _loader() -> type[yaml.SafeLoader]:
    # The same events either way; libyaml's are ten times as fast and nearly always there.
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader


class _Composer:
    """Turns events into a tree; the collections still open are a stack."""

    def __init__(self) -> None:
        self.twice: list[YamlFault] = []
        self._open: list[Sequence | Mapping] = []
        self._keys: list[str | None] = []
        self._names: list[str | None] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None

    def run(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                raise YamlFault(line, "a second document in one file", "keep one, without `---`")
            if isinstance(event, yaml.NodeEvent):
                self._node(event, line)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        if self._root is None:
            raise YamlFault(1, "the file is empty", "write something, or remove it")
        return self._root

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        match event:
            case yaml.AliasEvent():
                self._alias(event.anchor or "", line)
            case yaml.ScalarEvent():
                node = _scalar(event, line)
                self._name(event.anchor, node)
                self._place(node)
            case yaml.SequenceStartEvent():
                _only_tag(event.tag, "seq", line)
                self._enter(Sequence([], line), event.anchor)
            case yaml.MappingStartEvent():
                _only_tag(event.tag, "map", line)
                self._enter(Mapping({}, {}, line), event.anchor)
            case _:
                raise AssertionError(event)

    def _enter(self, node: Sequence | Mapping, anchor: str | None) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise YamlFault(node.line, f"nested more than {DEPTH_MAX} deep", "flatten it")
        if self._open and isinstance(self._open[-1], Mapping) and self._keys[-1] is None:
            raise YamlFault(node.line, "a key that is a list or map", _KEY_HINT)
        self._open.append(node)
        self._keys.append(None)
        self._names.append(anchor)

    def _close(self) -> None:
        node = self._open.pop()
        self._keys.pop()
        self._name(self._names.pop(), node)
        self._place(node)

    def _name(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _alias(self, anchor: str, line: int) -> None:
        node = self._anchors.get(anchor)
        if node is None:
            # libyaml knows no anchors; one that is still open holds itself.
            told = f"*{anchor} names nothing that is complete above it"
            raise YamlFault(line, told, "a value that begins with * needs quotes")
        self._place(node, line)

    def _place(self, node: Node, line: int | None = None) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            self._key(parent, node, line or node.line)
            return
        else:
            parent.entries[key] = node
            self._keys[-1] = None
        parent.weight += node.weight
        if parent.weight > NODES_MAX:
            raise YamlFault(line or node.line, f"more than {NODES_MAX} values", "split the file")

    def _key(self, parent: Mapping, node: Node, line: int) -> None:
        if not isinstance(node, Scalar):
            raise YamlFault(line, "a key that is a list or map", _KEY_HINT)
        if node.text in parent.lines:
            first = parent.lines[node.text]
            told = f"{node.text} stands twice in one map, first in line {first}"
            self.twice.append(YamlFault(line, told, "keep one of them"))
        parent.lines.setdefault(node.text, line)
        self._keys[-1] = node.text


def _scalar(event: yaml.ScalarEvent, line: int) -> Scalar:
    text: str = event.value
    start = event.start_mark.index if event.start_mark else 0
    tag = event.tag
    if tag is None:
        return Scalar(resolve(text) if event.implicit[0] else text, text, line, start)
    if tag in {"!", "tag:yaml.org,2002:str"}:
        return Scalar(text, text, line, start)
    value = resolve(text)
    kind = {
        "tag:yaml.org,2002:null": value is None,
        "tag:yaml.org,2002:bool": isinstance(value, bool),
        "tag:yaml.org,2002:int": isinstance(value, int) and not isinstance(value, bool),
        "tag:yaml.org,2002:float": isinstance(value, int | float) and not isinstance(value, bool),
    }.get(tag)
    if not kind:
        raise YamlFault(line, f"the tag {tag} on {text[:40]!r}", _TAG_HINT)
    return Scalar(value, text, line, start)


def _only_tag(tag: str | None, core: str, line: int) -> None:
    if tag not in {None, "!", f"tag:yaml.org,2002:{core}"}:
        raise YamlFault(line, f"the tag {tag}", _TAG_HINT)


def place_within(text: str, scalar: Scalar, offset: int) -> tuple[int, int]:
    """Where in the file the character `offset` of a text scalar stands: line and column from 1.

    Walks value and source side by side: runs of white space match each other (folding,
    indentation), and an escape in the source stands for one character. O(scalar's length).
    """
    value = scalar.text
    escape = _ESCAPE.get(text[scalar.index : scalar.index + 1])
    at = _content_start(text, scalar.index)
    done = 0
    while done < min(offset, len(value)) and at < len(text):
        if text[at] == escape:
            at += 2
            done += 1
        elif value[done].isspace():
            at = _behind_space(text, at)
            done = min(offset, _behind_space(value, done))
        else:
            at += 1
            done += 1
    breaks = [match.end() for match in re.finditer("\n", text)]
    row = bisect_right(breaks, at)
    return row + 1, at - (breaks[row - 1] if row else 0) + 1


def _content_start(text: str, index: int) -> int:
    first = text[index : index + 1]
    if first in {"'", '"'}:
        return index + 1
    if first in {"|", ">"}:
        return _behind_space(text, text.find("\n", index) + 1)
    return index


def _behind_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
