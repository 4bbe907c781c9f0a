"""The charts of a report: small SVG of our own, inline, in the colours of its page.

A chart is read out by its title; its numbers stand in a table beside it.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Told = dict[str, Any]

WIDTH: Final = 720
_BARS: Final = 84
_ROW: Final = 36
_LABEL: Final = 150


def bars(name: str, counts: Sequence[float], labels: tuple[str, str]) -> str:
    """Counts over time, oldest first; `labels` are those of both ends."""
    most = max([*counts, 1])
    step = WIDTH / max(len(counts), 1)
    gap = 1 if step > 3 else 0  # noqa: PLR2004 - pixels
    drawn = [
        f'<rect x="{place * step:.1f}" y="{_BARS - height:.1f}" width="{step - gap:.1f}" '
        f'height="{height:.1f}"/>'
        for place, count in enumerate(counts)
        if (height := max(count / most * (_BARS - 4), 1.5 if count else 0))
    ]
    total = f"{sum(counts):,.0f}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {_BARS + 1}" role="img" class="bars">'
        f"<title>{escape(name)}: {total}, at most {most:,.0f} an hour</title>"
        f'<line x1="0" x2="{WIDTH}" y1="{_BARS}" y2="{_BARS}"/>{"".join(drawn)}</svg>'
        f'<p class="ends"><span>{escape(labels[0])}</span><span>{escape(labels[1])}</span></p>'
    )


def intervals(title: str, rows: Sequence[tuple[str, Told, str]], *, zero: bool) -> str:
    """Estimates with their intervals, one a row: (name, interval, as it is told).

    `zero` draws the line of no effect. Ends that nothing is known of reach to the edge.
    """
    known: list[tuple[float, float]] = [
        (ends["low"], ends["high"]) if ends["low"] is not None else (ends["estimate"],) * 2
        for _, ends, _ in rows
    ]
    low = min([low for low, _ in known] + ([0.0] if zero else []))
    high = max([high for _, high in known] + ([0.0] if zero else []))
    margin = (high - low) * 0.06 or 0.01
    low, high = low - margin, high + margin
    told = 170

    def x(value: float) -> float:
        return _LABEL + (value - low) / (high - low) * (WIDTH - _LABEL - told)

    drawn = []
    for place, (name, ends, said) in enumerate(rows):
        y = _ROW * place + _ROW / 2
        unknown = ends["low"] is None
        first, last = (low, high) if unknown else (ends["low"], ends["high"])
        drawn.append(
            f'<text x="0" y="{y + 5:.0f}">{escape(_short(name))}</text>'
            f'<line x1="{x(first):.1f}" x2="{x(last):.1f}" y1="{y}" y2="{y}" '
            f'class="{"unknown" if unknown else "span"}"/>'
            f'<circle cx="{x(ends["estimate"]):.1f}" cy="{y}" r="5"/>'
            f'<text x="{WIDTH}" y="{y + 5:.0f}" text-anchor="end" class="said">'
            f"{escape(said)}</text>"
        )
    height = _ROW * len(rows)
    line = f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height}" class="zero"/>'
    return (
        f'<div class="wide" role="region" aria-label="{escape(title)}" tabindex="0">'
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" class="intervals">'
        f"<title>{escape(title)}</title>{line if zero else ''}{''.join(drawn)}</svg></div>"
    )


def share_bar(share: float) -> str:
    """How large a share is, 0 to 1, behind a number in a table."""
    return (
        '<svg viewBox="0 0 100 8" class="share" aria-hidden="true" preserveAspectRatio="none">'
        f'<rect width="100" height="8" class="ground"/><rect width="{share * 100:.1f}" height="8"/>'
        "</svg>"
    )


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"  # noqa: PLR2004 - what the column holds
