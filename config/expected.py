"""What is expected in a shop test: kinds of records, each with as much of it as the test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import CHANNEL_IDS
from config.faults import nearest, shown
from config.given import known, one_of
from config.schema import EXPECT_FIELDS, EXPECT_TEXTS, SAYS
from config.source import Fields, kind_of
from config.yaml12 import Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf
    from collections.abc import Sequence

    from config.cast import Cast
    from config.loader import Shop
    from config.moments import Moments

EXPECT_HINT: Final = "write `- {at: +30m, sent: email, template: cart-reminder}`"


class Expected(msgspec.Struct, frozen=True):
    """One thing that is to happen.

    Attributes:
        line: Where it stands in the file.
        at_ms: When; None: after the one before it, whenever.
        fields: Fields of its record, and what they say.
        texts: Parts of the rendered message, and what each of them holds.
    """

    line: int
    kind: str
    user_id: str
    at_ms: int | None
    fields: dict[str, str]
    texts: dict[str, tuple[str, ...]] = {}


def read_expected(
    fields: Fields, cast: Cast, moments: Moments, shop: Shop, campaigns: Sequence[str]
) -> Expected | None:
    """One thing that is expected; None where it is at fault, which is told.

    `campaigns` are those that the test is about; empty: all of the shop.
    """
    kind = one_of(fields, SAYS, EXPECT_HINT)
    user_id = cast.meant(fields)
    at_ms = moments.read(fields, "at") if "at" in fields.node.entries else None
    if kind is None or user_id is None:
        return None
    if user_id not in cast.named:
        told = f"is {shown(user_id)}, to whom nothing happens"
        fields.fault("user", told, nearest(user_id, cast.named))
    said = {
        name: _number(fields) if name == "value" else fields.text(name)
        for name in EXPECT_FIELDS
        if name in fields.node.entries
    }
    first = SAYS[kind]
    if first in said:
        fields.fault(first, f"beside `{kind}`, which says it", "keep one of them")
    said[first] = fields.text(kind)
    found = {name: text for name, text in said.items() if text is not None}
    for name, names in _names(shop, campaigns, found.get("campaign")).items():
        if name in found:
            known(fields, kind if name == first else name, found[name], names)
    texts = {
        name: fields.names(name, "what it holds")
        for name in EXPECT_TEXTS
        if name in fields.node.entries
    }
    if texts and kind != "sent":
        fields.fault(next(iter(texts)), f"beside `{kind}`", "only what is sent is rendered")
    return Expected(fields.node.line, kind, user_id, at_ms, found, texts)


def _number(fields: Fields) -> str | None:
    """What a goal is worth, as it is compared; None where it is no number, which is a fault."""
    node = fields.peek("value")
    number = node.value if isinstance(node, Scalar) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        return worth(number)
    fields.fault("value", f"is {kind_of(node)}" if node is not None else "is empty", "a number")
    return None


def worth(value: float) -> str:
    """A goal's value as text: 30 and 30.0 are the same."""
    return f"{value:.12g}"


def _names(
    shop: Shop, campaigns: Sequence[str], campaign: str | None
) -> MappingOf[str, Sequence[str]]:
    """What a shop has of that which fields of a record name."""
    plan = shop.plan
    known_campaigns = list(campaigns or plan.campaigns)
    about = [campaign] if campaign is not None else known_campaigns
    return {
        "campaign": known_campaigns,
        "channel": CHANNEL_IDS,
        "template": sorted({name for name, _ in shop.templates}),
        "step": [
            step.id for one in about if one in plan.campaigns for step in plan.campaigns[one].steps
        ],
    }
