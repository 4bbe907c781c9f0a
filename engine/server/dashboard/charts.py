"""Small charts as inline SVG. What they show is told in words beside them, or in their title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.server.dashboard.markup import Html, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = 240
_HEIGHT = 48


def line(values: Sequence[float], label: str) -> Html:
    """A line over an even row of values from zero up. O(values)."""
    most = max(values, default=0.0) or 1.0
    step = _WIDTH / max(1, len(values) - 1)
    points = [
        f"{place * step:.1f} {_HEIGHT - 2 - (_HEIGHT - 6) * value / most:.1f}"
        for place, value in enumerate(values)
    ] or [f"0 {_HEIGHT - 2}"]
    drawn = "M" + "L".join(points)
    ground = f"{drawn}L{_WIDTH if len(values) > 1 else 0} {_HEIGHT}L0 {_HEIGHT}Z"
    return tag(
        "svg",
        tag("path", d=ground, class_="ground"),
        tag("path", d=drawn, class_="drawn"),
        class_="line",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def bars(values: Sequence[float], labels: Sequence[str], label: str) -> Html:
    """A bar for each value, each with its own title. O(values)."""
    most = max(values, default=0.0) or 1.0
    step = _WIDTH / max(1, len(values))
    drawn = [
        tag(
            "g",
            tag("title", labels[place]),
            tag(
                "rect",
                x=f"{place * step:.2f}",
                width=f"{max(0.5, step * 0.82):.2f}",
                y=f"{_HEIGHT - (_HEIGHT - 2) * value / most:.1f}",
                height=f"{(_HEIGHT - 2) * value / most:.1f}",
            ),
        )
        for place, value in enumerate(values)
    ]
    return tag(
        "svg",
        drawn,
        class_="bars",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def meter(part: float, whole: float, kind: str = "") -> Html:
    """A bar that is filled as far as a part goes; the number stands beside it, so it is not told.

    A width in an attribute, since a style's would be forbidden by the page's own policy.
    """
    filled = 100 * part / whole if whole else 0
    return tag(
        "svg",
        tag("rect", class_="whole", width=100, height=6),
        tag("rect", class_=f"part {kind}".strip(), width=f"{filled:.1f}", height=6),
        class_="meter",
        viewBox="0 0 100 6",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
