"""Instants as a shop test writes them: `+30m` after its start, or by calendar and clock."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from config.faults import shown
from config.source import Fields, kind_of
from config.yaml12 import Scalar
from engine.core.durations import DurationError, parse_duration_ms
from engine.core.instants import parse_instant_ms

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

START: Final = "2026-01-05T09:00"
"""When a test starts that does not say: a Monday morning, far from any change of clocks."""

_SIGNS: Final = {"+": 1, "-": -1}


class Moments:
    """Reads instants.

    Args:
        zone: Of instants that name none.

    Attributes:
        start_at_ms: What relative ones count from.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.start_at_ms = self._absolute(START)

    def start(self, fields: Fields, name: str) -> None:
        """Take the start from a key, if it is there; one that does not fit is a fault."""
        if name not in fields.node.entries:
            return
        text = _text(fields, name)
        try:
            self.start_at_ms = self._absolute(text)
        except ValueError:
            self._fault(fields, name, text, f"write one like {START}")

    def read(self, fields: Fields, name: str) -> int | None:
        """The instant under a key; None where none fits, which is a fault."""
        text = _text(fields, name)
        try:
            return self._relative(text) if text[:1] in _SIGNS else self._absolute(text)
        except (ValueError, DurationError):
            hint = f"write `+30m` after the start, or an instant like {START}"
            self._fault(fields, name, text, hint)
            return None

    @staticmethod
    def _fault(fields: Fields, name: str, text: str, hint: str) -> None:
        node = fields.peek(name)
        found = shown(text) if text else "empty" if node is None else kind_of(node)
        fields.fault(name, f"is {found}, which is no instant", hint)

    def _relative(self, text: str) -> int:
        """Raises ValueError or DurationError."""
        duration_ms = 0 if text[1:] == "0" else parse_duration_ms(text[1:])
        return parse_instant_ms(self.start_at_ms + _SIGNS[text[0]] * duration_ms)

    def _absolute(self, text: str) -> int:
        """Raises ValueError."""
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        return parse_instant_ms(moment.isoformat())


def _text(fields: Fields, name: str) -> str:
    node = fields.peek(name)
    return node.text if isinstance(node, Scalar) else ""
