"""One YAML file at hand: its text, where faults go, and its maps key by key."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, TypeVar

import msgspec

from config.asking import Memory, Mention
from config.faults import Findings, nearest, shown
from config.quantities import parse_share
from config.reads import Unreadable, read_zone
from config.yaml12 import Mapping, Node, Scalar, Sequence, YamlFault, compose
from engine.core.cel import Program
from engine.core.conditions.condition import Condition
from engine.core.durations import DurationError, parse_duration_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.schema import Key

NOT_BUILT = "is not built yet in this version"
_W = TypeVar("_W", bound=str)


class Source(msgspec.Struct, frozen=True, eq=False):
    """A file and where what is wrong with it goes.

    Attributes:
        path: Relative to the shop folder.
        text: All of it.
        findings: Takes faults and warnings.
        segments: The shop's, by id: conditions may ask for them.
        collections: What the shop has of them, by name: its conditions can name them.
        memory: How much of the past it keeps.
        receipts: Takes what conditions ask to have been sent.
        variants: Takes what they compare `variant` with.
        named: Takes what is named under `event`.
        written: Takes every condition.
    """

    path: str
    text: str
    findings: Findings
    segments: MappingOf[str, Condition] = {}
    collections: frozenset[str] = frozenset()
    memory: Memory = Memory()
    receipts: list[Mention] = []
    variants: list[Mention] = []
    named: list[Mention] = []
    written: list[Written] = []

    def root(self, what: str, hint: str) -> Mapping | None:
        """The map that the file is; None where it is none, which is told. O(size).

        Args:
            what: What is to be a map, with its verb: `a campaign is`.
            hint: What would be one.
        """
        try:
            node, twice = compose(self.text)
        except YamlFault as error:
            self.fault(error.line, error.message, error.hint)
            return None
        for fault in twice:
            self.fault(fault.line, fault.message, fault.hint)
        if isinstance(node, Mapping):
            return node
        self.fault(node.line, f"{what} a map, this is {kind_of(node)}", hint)
        return None

    def fault(self, line: int, message: str, hint: str = "", *, column: int = 0) -> None:
        """Something that keeps the shop from being loaded."""
        self.findings.fault(self.path, line, message, hint, column=column)

    def warn(self, line: int, message: str, hint: str = "", *, column: int = 0) -> None:
        """Something that is probably not meant."""
        self.findings.warn(self.path, line, message, hint, column=column)


def kind_of(node: Node) -> str:
    """A node as a fault tells it."""
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "empty"
        case Scalar(value=str()):
            return f"the text {shown(node.text)}"
        case Scalar(value=bool()):
            return node.text
        case _:
            return f"the number {node.text[:40]}"


class Written(msgspec.Struct, frozen=True, eq=False):
    """A condition, and the key of a map that it was read of."""

    fields: Fields
    name: str
    program: Program


class Fields:
    """The keys of one map. Keys that nobody knows, and keys still to be built, are told at once.

    Args:
        source: The file.
        node: The map.
        keys: Those that it can have.
        prefix: What names the map in faults: `enter.` for the keys of `enter`, else empty.

    Attributes:
        all_known: Whether it has no other keys.
    """

    def __init__(self, source: Source, node: Mapping, keys: dict[str, Key], prefix: str) -> None:
        self.source = source
        self.node = node
        self.prefix = prefix
        self.all_known = node.lines.keys() <= keys.keys()
        for name, line in node.lines.items():
            key = keys.get(name)
            if key is None:
                source.fault(line, f"unknown key {prefix}{shown(name)[1:-1]}", nearest(name, keys))
            elif key.later:
                source.fault(line, f"{prefix}{name} {NOT_BUILT}", key.later)

    def get(self, name: str) -> Node | None:
        """The value of a key; None where it is not there, or empty, which is a fault.

        Else what was cut off below its key would be taken as never said.
        """
        node = self.peek(name)
        if node is None and name in self.node.entries:
            self.fault(name, "has nothing behind it", "say what it is to be, or leave it out")
        return node

    def peek(self, name: str) -> Node | None:
        """The value of a key, for whoever tells himself that it is empty; as `get`."""
        node = self.node.entries.get(name)
        return None if isinstance(node, Scalar) and node.value is None else node

    def line(self, name: str) -> int:
        """The line of a key, else that of the map."""
        return self.node.lines.get(name, self.node.line)

    def fault(self, name: str, message: str, hint: str = "") -> None:
        """A fault at a key: `message` follows its name."""
        self.source.fault(self.line(name), f"{self.prefix}{name} {message}", hint)

    def required(self, name: str, hint: str) -> Node | None:
        """The value of a key that must be there; its lack is a fault."""
        node = self.peek(name)
        if node is None:
            self.fault(name, "is empty" if name in self.node.entries else "is missing", hint)
        return node

    def text(
        self, name: str, hint: str = "write a text, in quotes if it is a number or has : or #"
    ) -> str | None:
        """A text; None where there is none, or none that fits (a fault)."""
        node = self.peek(name)
        if node is None:
            if name in self.node.entries:
                self.fault(name, "is empty", hint)
            return None
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.strip():
            return node.value
        self.fault(name, f"is {kind_of(node)}", hint)
        return None

    def word(self, name: str, words: Iterable[_W], default: _W) -> _W:
        """One of several words."""
        known = list(words)
        text = self.text(name, f"one of {', '.join(known)}")
        if text is None:
            return default
        for word in known:
            if word == text:
                return word
        self.fault(name, f"is {shown(text)}", nearest(text, known))
        return default

    def duration_ms(self, name: str) -> int | None:
        """A duration in milliseconds; None where there is none, or none that fits (a fault)."""
        text = self.text(name, "write a duration like 30s, 15m, 24h or 7d")
        if text is None:
            return None
        try:
            return parse_duration_ms(text)
        except DurationError as error:
            self.fault(name, f"is wrong: {error.message}", error.hint)
            return None

    def share(self, name: str) -> float:
        """A share from 0.0 to 1.0, written as `10%`; 0.0 where there is none, or none that fits."""
        text = self.text(name, "write a share like 10%")
        if text is None:
            return 0.0
        try:
            return parse_share(text)
        except ValueError:
            self.fault(name, f"is {shown(text)}", "write a share from 0% to 100%, like 10%")
            return 0.0

    def zone(self, name: str) -> str | None:
        """The key of a time zone; None where there is none, or none that fits (a fault)."""
        hint = "an IANA time zone like Europe/Paris"
        text = self.text(name, hint)
        if text is None:
            return None
        try:
            return read_zone(text)
        except Unreadable as error:
            self.fault(name, f"is {shown(text)}, which is no time zone", error.hint or hint)
            return None

    def names(self, name: str, what: str) -> tuple[str, ...]:
        """A text or a list of texts, each once; none that fits is a fault."""
        node = self.peek(name)
        if node is None:
            if name in self.node.entries:
                self.fault(name, "is empty", f"write {what} or a list of them")
            return ()
        read: list[str] = []
        for item in node.items if isinstance(node, Sequence) else [node]:
            text = item.value if isinstance(item, Scalar) else None
            if not isinstance(text, str) or not text.strip():
                hint = f"write {what} or a list of them"
                self.source.fault(item.line, f"{self.prefix}{name} is {kind_of(item)}", hint)
            elif text in read:
                told = f"{self.prefix}{name} has {shown(text)} twice"
                self.source.fault(item.line, told, "keep one of them")
            else:
                read.append(text)
                if name == "event":
                    where = f"{self.prefix}{name}"
                    self.source.named.append(Mention(text, self.source.path, item.line, 0, where))
        if isinstance(node, Sequence) and not node.items:
            self.fault(name, "is an empty list", f"name {what}")
        return tuple(read)

    def map(self, name: str, keys: dict[str, Key], hint: str) -> Fields | None:
        """The fields of a map within; None where there is none, or none that fits (a fault)."""
        node = self.peek(name)
        if node is None:
            if name in self.node.entries:
                self.fault(name, "is empty", hint)
            return None
        if not isinstance(node, Mapping):
            self.fault(name, f"is {kind_of(node)}", hint)
            return None
        return Fields(self.source, node, keys, f"{self.prefix}{name}.")
