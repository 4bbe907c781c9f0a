"""The shop of a world: small, and with every way in which a promise could be broken."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from config import load_shop

if TYPE_CHECKING:
    from config import Shop

GRACE_MS: Final = 3_000

_FILES: Final = {
    "hairspring.toml": """
[storage]
resume_grace = "3s"
max_replay = 200
[events]
max_lateness = "1h"
dedupe_window = "30d"
""",
    "campaigns/cart.yaml": """
campaign: cart
priority: 50
enter: {event: Product Added, when: event.price > 20.0, reentry: 10s}
exit: {event: Order Completed}
steps:
  - {wait: 2s, id: soon}
  - if: user.tier == "gold"
    id: gold
    then: [{send: push, template: note, else: [email], id: push, expires: 20s}]
    else: [{send: email, template: note, else: [sms, push], id: mail}]
  - {wait: 40s, id: later}
  - {send: email, template: note, id: last, expires: 1m}
""",
    "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
priority: 90
enter: {event: Order Completed, per: event.order, reentry: never}
steps:
  - {send: email, template: note, else: [webhook], id: receipt}
  - {wait: 7s, id: pause}
  - {send: webhook, template: note, id: ship}
""",
    "campaigns/browse.yaml": """
campaign: browse
enter: {event: Product Viewed, while_active: restart}
exit: {event: [Product Added, Order Completed]}
steps:
  - {wait: 5s, id: idle}
  - {send: in_app, template: note, id: banner, expires: 5s}
  - {wait: 0s, id: nothing}
  - {send: push, template: note, else: [in_app], id: push}
""",
    "campaigns/welcome.yaml": """
campaign: welcome
priority: 70
enter: {event: [Signed Up, Product Viewed], reentry: never}
audience: user.email != ""
steps:
  - {send: in_app, template: note, id: hello}
  - {wait: 500ms, id: breath}
  - if: user.tier == "gold"
    id: gold
    then: [{exit: special}]
    else: [{send: sms, template: note, else: [email], id: text}]
""",
    "campaigns/each.yaml": """
campaign: each
enter: {event: Product Added, per: event.sku, while_active: restart, reentry: 1s}
steps:
  - {wait: 3h, id: long}
  - {send: in_app, template: note, id: old, expires: 2h}
""",
    **{
        f"templates/note.{channel}.liquid": (
            f"---\n{front}: 'to {{{{ user.id }}}}'\n---\n{{{{ campaign.id }}}} {{{{ event.sku }}}}"
            if front
            else "{{ campaign.id }} {{ event.order }}"
        )
        for channel, front in (
            ("email", "subject"),
            ("push", "title"),
            ("in_app", "title"),
            ("sms", ""),
            ("webhook", ""),
        )
    },
}


@cache
def world_shop() -> Shop:
    """The shop, loaded once."""
    return load_shop(_FILES)
