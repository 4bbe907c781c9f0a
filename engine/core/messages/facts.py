"""What templates see of a campaign, and whoever makes a message of it with them."""

from __future__ import annotations

from typing import Any

import msgspec


def facts_of(
    campaign_id: str,
    description: str,
    purpose: str,
    topic: str,
    tracking: dict[str, Any] | None,
) -> msgspec.Raw:
    """As JSON; topic and tracking only where the campaign says anything of them."""
    facts: dict[str, Any] = {"id": campaign_id, "description": description, "purpose": purpose}
    if topic:
        facts["topic"] = topic
    if tracking is not None:
        facts["tracking"] = tracking
    return msgspec.Raw(msgspec.json.encode(facts))
