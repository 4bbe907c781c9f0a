"""A finding as the beginning of a campaign for whoever is on his way to the goal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.insight.discover import Finding

_ID_MAX: Final = 40
_NOT_IN_IDS: Final = re.compile(r"[^a-z0-9]+")


def suggestion(finding: Finding, goal: str, within: str) -> str:
    """YAML of a paused campaign, which checks as it is; what it sends is left to the shop.

    Half of those who come in are held out, so that what it does can be told from what would have
    come anyhow.
    """
    event, awaited = _quoted(finding.event), _quoted(goal)
    times = f"count({event}, {_quoted(finding.window)}) >= {finding.count}"
    condition = f"{times} && !did({awaited}, {_quoted(finding.window)})"
    name = _NOT_IN_IDS.sub("-", f"after {finding.event}".lower())[:_ID_MAX].strip("-")
    told = (
        f"{finding.did.rate:.1%} of {finding.did.users:,} who did so came to the goal within "
        f"{within}, {finding.did_not.rate:.1%} of {finding.did_not.users:,} others"
    )
    lines = (
        f"campaign: {name or 'suggested'}",
        f"description: {_quoted(told)}",
        "status: paused",
        "enter:",
        f"  when: {_quoted(condition)}",
        "  reentry: 30d",
        f"exit: {{event: {awaited}}}",
        f"goal: {{event: {awaited}, within: {within}}}",
        "holdout: 50%",
        "steps:",
        "  - {wait: 1h, id: pause}",
        "  # send here what helps them on",
    )
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """As JSON writes it, which YAML and CEL read alike."""
    return json.dumps(text, ensure_ascii=False)
