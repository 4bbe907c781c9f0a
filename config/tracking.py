"""`topic` and `tracking` of a campaign: what it is about, and what is learnt of its messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from channels.links import UTM_KEYS
from config.faults import nearest, shown
from config.schema import TRACKING, UTM
from config.source import Fields, kind_of
from config.yaml12 import Scalar

if TYPE_CHECKING:
    from collections.abc import Collection

_TOPIC: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_HINT: Final = "write `tracking:` and under it `clicks: false`, `opens: false` or `utm:`"


def read_topic(fields: Fields) -> str:
    """What a campaign's messages are about; "" where it does not say, or it is at fault."""
    hint = "a name of a-z, 0-9 and -, like `topic: newsletter`"
    text = fields.text("topic", hint)
    if text is not None and not _TOPIC.fullmatch(text):
        fields.fault("topic", f"is {shown(text)}", hint)
        return ""
    return text or ""


def topic_warning(topic: str, topics: Collection[str]) -> tuple[str, str] | None:
    """What is odd about a topic, and what to do; None where the shop names it, or names none."""
    if not topic or not topics or topic in topics:
        return None
    told = f"topic is {shown(topic)}, which consent.topics does not name"
    return told, nearest(topic, sorted(topics))


def read_tracking(fields: Fields) -> dict[str, Any] | None:
    """What the campaign says over the shop's `[tracking]`; None where it says nothing."""
    own = fields.map("tracking", TRACKING, _HINT)
    if own is None:
        return None
    said: dict[str, Any] = {}
    for name in ("opens", "clicks"):
        node = own.get(name)
        if node is None:
            continue
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            said[name] = node.value
        else:
            own.fault(name, f"is {kind_of(node)}", "write true or false")
    utm = own.map("utm", UTM, f"write one of {', '.join(UTM_KEYS)} and its value")
    if utm is not None:
        values = {key: utm.text(key) for key in UTM_KEYS if key in utm.node.entries}
        said["utm"] = {key: text for key, text in values.items() if text is not None}
    return said
