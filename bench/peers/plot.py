"""A plot of distributions as SVG: how many of all delays were no later than so much."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 80
LEAST_MS, MOST_MS = 0.1, 100_000.0
POINTS = 200
COLOURS = ("#0b6e4f", "#6ab187", "#c1440e", "#3d5a98", "#8a5fa8", "#8c6d1f")


def svg(late_ms: Mapping[str, list[float]], title: str) -> str:
    """One line a name; lateness on a logarithmic axis, what is less than 0.1 ms at its edge."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f"<title>{title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(round(log10(LEAST_MS)), round(log10(MOST_MS)) + 1):
        x = _x(10.0**power)
        parts.append(_line(x, _y(0), x, _y(1)))
        parts.append(_text(x, _y(0) + 16, _spelled(10.0**power)))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(LEFT, _y(share), WIDTH - RIGHT, _y(share)))
        parts.append(_text(LEFT - 24, _y(share) + 4, f"{share:.0%}"))
    for place, (name, values) in enumerate(late_ms.items()):
        colour = COLOURS[place % len(COLOURS)]
        parts.append(f'<path d="{_path(values)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = LEFT + 220 * (place % 3), HEIGHT - 36 + 20 * (place // 3)
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _path(values: list[float]) -> str:
    ordered = sorted(values)
    last = len(ordered) - 1
    points = []
    for step in range(POINTS + 1):
        share = step / POINTS
        points.append(f"{_x(ordered[round(last * share)]):.1f},{_y(share):.1f}")
    return "M" + " L".join(points)


def _x(late_ms: float) -> float:
    clipped = min(max(late_ms, LEAST_MS), MOST_MS)
    span = log10(MOST_MS) - log10(LEAST_MS)
    return LEFT + (WIDTH - LEFT - RIGHT) * (log10(clipped) - log10(LEAST_MS)) / span


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _spelled(late_ms: float) -> str:
    return f"{late_ms:g} ms" if late_ms < 1_000 else f"{late_ms / 1_000:g} s"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="#555">{text}</text>'
