"""The shop that bears the load: receipts at once and later, carts that are left, visits that wait.

What comes of an event can be told beforehand, so that every message is either expected or not:
an order has a mail and, some seconds later, a webhook; a cart has a webhook unless an order of the
same shopper came before it was due. A visit has nothing: nobody agreed to that. What is remembered
of a shopper does not grow for ever (as a `per` would have it), so that memory can be seen to be
flat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.shop import WRITE_KEY

if TYPE_CHECKING:
    from pathlib import Path

LATEST_MS = 6_000
"""The longest wait of a message after its event."""

_SETTINGS = f"""
[shop]
name = "Mixed"

[server]
rate = 0

[keys]
write = ["{WRITE_KEY}"]

[storage]
sync = "full"
resume_grace = "1s"

[events]
keep = "{{keep_s}}s"
dedupe_window = "{{dedupe_s}}s"
max_lateness = "1m"

[channels.email]
transport = "smtp"
host = "127.0.0.1"
port = {{smtp_port}}
tls = "none"
from = "Mixed <shop@example.com>"

[channels.webhook]
transport = "http"
url = "http://127.0.0.1:{{hook_port}}/"
"""

_RECEIPT = """
campaign: receipt
purpose: transactional
enter: {event: Order Completed}
steps:
  - {send: email, template: receipt, id: receipt}
  - {wait: 5s, id: pause}
  - {send: webhook, template: after, id: after}
"""

_CART = """
campaign: cart
purpose: transactional
enter: {event: Product Added, reentry: 1s}
exit: {event: Order Completed}
steps:
  - {wait: %WAIT%, id: pause}
  - {send: webhook, template: cart, id: cart}
"""

CART_WAIT_MS = 3_000
"""At first: each reload makes it longer, since what a shorter one makes due at once is late."""

_BROWSE = """
campaign: browse
purpose: marketing
enter: {event: Product Viewed, when: event.price > 60.0, reentry: 5s}
exit: {event: Order Completed}
steps:
  - {wait: 10s, id: first}
  - {wait: 20s, id: second}
  - {send: email, template: browse, id: browse}
"""

_TEMPLATES = {
    "browse.email": "---\nsubject: browse\n---\nNobody agreed to this.\n",
    "receipt.email": "---\nsubject: receipt {{ event.order_id }}\n---\nThank you.\n",
    "after.webhook": '---\n---\n{"name": "after {{ event.order_id }}"}\n',
    "cart.webhook": '---\n---\n{"name": "cart {{ event.cart_id }}"}\n',
}


def write_shop(folder: Path, *, smtp_port: int, hook_port: int, keep_s: int) -> None:
    """Write the shop's files. Message ids are remembered for half as long as events are."""
    for name in ("campaigns", "templates"):
        (folder / name).mkdir(parents=True)
    settings = _SETTINGS.format(
        keep_s=keep_s, dedupe_s=max(1, keep_s // 2), smtp_port=smtp_port, hook_port=hook_port
    )
    (folder / "hairspring.toml").write_text(settings)
    (folder / "campaigns" / "receipt.yaml").write_text(_RECEIPT)
    (folder / "campaigns" / "browse.yaml").write_text(_BROWSE)
    write_cart(folder, CART_WAIT_MS)
    for name, text in _TEMPLATES.items():
        (folder / "templates" / f"{name}.liquid").write_text(text)


def write_cart(folder: Path, wait_ms: int) -> None:
    """Write the campaign that reloads change."""
    (folder / "campaigns" / "cart.yaml").write_text(_CART.replace("%WAIT%", f"{wait_ms}ms"))
