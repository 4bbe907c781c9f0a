"""Plans of earlier runs, compiled again: there may be users who are saved under them.

A program may refuse what an earlier one took. Such a plan is *lost*: the next one that can be
read stands in for it, and who is in a campaign of it is found anew there, by the signature of the
step that he waits in. Nobody is dropped who can be found; who cannot leaves with the reason
`step_removed` or `campaign_removed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from channels.rendering import Template
from config import ContentInvalid, Shop, ShopInvalid, decode_content, load_shop
from engine.core.inputs import OfPlan
from engine.core.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.inputs import Input

_log = structlog.get_logger("hairspring")


class Stored(msgspec.Struct, frozen=True, eq=False):
    """What earlier runs' plans come to under this program.

    Attributes:
        plans: By id, in order of time; a lost one's id leads to what stands in for it.
        lost: Ids of those that cannot be read any more.
        templates: Those of all of them, the newest of each name and channel.
    """

    plans: dict[str, Plan]
    lost: frozenset[str]
    templates: dict[tuple[str, str], Template]


def read_stored(
    changes: Iterable[tuple[int, Input]], contents: Mapping[str, bytes], shop: Shop
) -> Stored:
    """Compile what the changes name; `shop` is the one to go on with. O(size of the contents)."""
    named = [one.plan_id for _, one in changes if isinstance(one, OfPlan)]
    ids = dict.fromkeys(filter(None, named))
    shops = {plan_id: _read(plan_id, contents.get(plan_id), shop) for plan_id in ids}
    plans: dict[str, Plan] = {}
    standing_in = shop.plan
    for plan_id, stored in reversed(shops.items()):
        standing_in = stored.plan if stored is not None else standing_in
        plans[plan_id] = standing_in
    templates: dict[tuple[str, str], Template] = {}
    for stored in (*shops.values(), shop):
        templates.update(stored.templates if stored is not None else {})
    lost = frozenset(plan_id for plan_id, stored in shops.items() if stored is None)
    return Stored(plans, lost, templates)


def _read(plan_id: str, content: bytes | None, shop: Shop) -> Shop | None:
    if plan_id == shop.plan.id:
        return shop
    read = read_shop(content)
    if isinstance(read, Shop):
        return read
    hint = "who is in a campaign of it goes on in the next plan, where the same step is found there"
    _log.warning("plan.unreadable", plan=plan_id, why=read, hint=hint)
    return None


def read_shop(content: bytes | None) -> Shop | str:
    """The shop that a stored plan was compiled from, or why this version cannot read it. O(size).

    `content` is None where none is stored.
    """
    if content is None:
        return "its content is not stored"
    try:
        return load_shop(decode_content(content))
    except (ShopInvalid, ContentInvalid) as error:
        return error.message
