"""What is wrong with a shop folder, where, and what would be right."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAULTS_MAX = 200
"""So many are listed; a file that is wrong all over is not told so ten thousand times."""


class Fault(msgspec.Struct, frozen=True, order=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, or worth a warning; its text is `file:line: wrong; right`.

    Attributes:
        path: The file, relative to the shop folder, with `/`.
        line: Counted from 1.
        column: Counted from 1, in code points; 0 (and not in JSON) where a line is meant.
        message: What is wrong.
        hint: What would be right; may be empty.
    """

    path: str
    line: int
    column: int = 0
    message: str
    hint: str

    @override
    def __str__(self) -> str:
        told = f"{self.path}:{self.line}: {self.message}"
        return f"{told}; {self.hint}" if self.hint else told


class ShopInvalid(HairspringError):  # noqa: N818 - the public name, as `shop.invalid` reads
    """A shop folder that does not check; it is never loaded.

    Attributes:
        faults: All that was found, in order of file and line; never empty.
        warnings: What was found besides.
    """

    code = "shop.invalid"

    def __init__(
        self,
        faults: Sequence[Fault],
        warnings: Sequence[Fault] = (),
        *,
        hint: str = "hairspring check SHOP lists every fault",
    ) -> None:
        assert faults
        self.faults = list(faults)
        self.warnings = list(warnings)
        lines = [str(fault) for fault in self.faults[:FAULTS_MAX]]
        if len(self.faults) > FAULTS_MAX:
            lines.append(f"and {len(self.faults) - FAULTS_MAX} more")
        super().__init__("\n".join(lines), hint=hint)


class Findings:
    """Collects faults and warnings while a folder is read."""

    def __init__(self) -> None:
        self._faults: set[Fault] = set()
        self._warnings: set[Fault] = set()

    def fault(self, path: str, line: int, message: str, hint: str = "", *, column: int = 0) -> None:
        """Something that keeps the shop from being loaded."""
        self._faults.add(_found(path, line, column, message, hint))

    def warn(self, path: str, line: int, message: str, hint: str = "", *, column: int = 0) -> None:
        """Something that is probably not meant."""
        self._warnings.add(_found(path, line, column, message, hint))

    @property
    def faults(self) -> list[Fault]:
        """In order of file, line and column. O(n log n)."""
        return sorted(self._faults)

    @property
    def warnings(self) -> list[Fault]:
        """In order of file, line and column. O(n log n)."""
        return sorted(self._warnings)


def _found(path: str, line: int, column: int, message: str, hint: str) -> Fault:
    return Fault(
        path=_printable(path),
        line=line,
        column=column,
        message=_on_one_line(message),
        hint=_on_one_line(hint),
    )


def _on_one_line(text: str) -> str:
    """What others say may have line breaks, or quote what no terminal should be sent."""
    return _printable(" ".join(text.split()))


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that nobody knows: the nearest known one, else all of them.

    Ratcliff and Obershelp's ratio, as `difflib` has it. O(known * len(name) ** 2).
    """
    names = list(known)
    found = get_close_matches(name[:80].lower().replace("-", "_"), names, n=1, cutoff=0.6)
    found = found or get_close_matches(name[:80], names, n=1, cutoff=0.6)
    if found:
        return f"did you mean {found[0]}?"
    return f"known are: {', '.join(names)}" if names else ""


def shown(value: object, length_max: int = 60) -> str:
    """A value as a fault quotes it: on one line and not long."""
    text = value if isinstance(value, str) else str(value)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"
