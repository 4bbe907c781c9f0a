"""Campaigns as a shop's files say them, where a test is about what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import load_shop

if TYPE_CHECKING:
    from engine.core.plan import Campaign

TEMPLATES = {
    "templates/t.push.liquid": "---\ntitle: Hello\n---\nHello",
    "templates/t.in_app.liquid": "Hello",
    "templates/t.email.liquid": "---\nsubject: Hello\n---\nHello",
}
CAME = """
campaign: came
enter: {event: Session Started}
steps: [{exit: x, id: x}]
"""


def campaigns(*texts: str) -> list[Campaign]:
    """Each text's campaign; `t` is a template of push, email and in-app messages."""
    files = {f"campaigns/{place}.yaml": text for place, text in enumerate(texts)}
    return list(load_shop({**files, **TEMPLATES}).plan.campaigns.values())
