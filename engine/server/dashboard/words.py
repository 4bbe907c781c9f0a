"""Numbers and instants as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.core.instants import format_instant
from engine.core.state import NEVER
from engine.server.dashboard.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE: Final = "\u2013"

_UNITS: Final = (
    (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"),
)  # fmt: skip
_SCALES: Final = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
_TEN = 10
_HUNDRED = 100
_KIBI = 1_024


def count(number: float) -> str:
    """A whole number with commas between its thousands."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """A number in a few characters: 1,234 as it is, 12,345 as 12.3k."""
    for least, name in _SCALES:
        if abs(number) >= least:
            unit = {"G": 1e9, "M": 1e6, "k": 1e3}[name]
            return f"{number / unit:.1f}{name}"
    if number == int(number) or abs(number) >= _HUNDRED:
        return count(number)
    return f"{number:.1f}" if abs(number) >= _TEN else f"{number:.2g}"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else NONE


def size(count: int) -> str:
    """So many bytes, in the unit that leaves one to four digits."""
    told, unit = float(count), "B"
    for name in ("KiB", "MiB", "GiB", "TiB"):
        if told < _KIBI:
            break
        told, unit = told / _KIBI, name
    return f"{told:,.0f} {unit}" if unit == "B" or told >= _TEN else f"{told:.1f} {unit}"


def span(ms: float) -> str:
    """How long something takes, in its two largest units."""
    if ms < _TEN and ms != int(ms):
        return f"{ms:.2g} ms"
    rest, told = int(ms), list[str]()
    for unit_ms, name in _UNITS:
        if (whole := rest // unit_ms) and len(told) < 2:  # noqa: PLR2004 - as the docstring says
            told.append(f"{whole} {name}")
            rest -= whole * unit_ms
        elif told:
            break
    return " ".join(told) or "0 ms"


def instant(at_ms: int, *, with_date: bool = True) -> Html:
    """An instant, in UTC, to the second; the exact one for machines and on hovering."""
    exact = format_instant(at_ms)
    shown = exact[:19].replace("T", " ") if with_date else exact[11:19]
    return tag("time", shown, datetime=exact, title=f"{exact} (UTC)")


def due(at_ms: int) -> Html:
    """When something is due, if ever."""
    return instant(at_ms) if at_ms < NEVER else Html(NONE)


def minute(at_ms: int) -> Html:
    """As `instant`, to the minute and without the year."""
    exact = format_instant(at_ms)
    return tag("time", exact[5:16].replace("T", " "), datetime=exact, title=f"{exact} (UTC)")


def instant_said(exact: str) -> Html:
    """As `instant`, of one in ISO 8601."""
    if not exact:
        return Html(NONE)
    return tag("time", exact[:19].replace("T", " "), datetime=exact, title=f"{exact} (UTC)")


def listed(names: Sequence[str], last: str = "or") -> str:
    """Names in a sentence."""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def sentence(said: str) -> str:
    """What an error says, as it stands by itself on a page."""
    end = "" if said.endswith((".", "?", "!")) else "."
    return f"{said[:1].upper()}{said[1:]}{end}"
