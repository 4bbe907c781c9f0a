"""Rendering: a mail of 20 KB beside bare python-liquid that renders the same compiled text.

The reference parses what our template became (HTML, its CSS inlined) and its subject, with Liquid's
own filters and a `money` by Babel, and has no limits, no count of what is missing, no locale to
find. Both escape. The outcome is what each person's mail says.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec
from babel import Locale
from liquid import BoundTemplate, Environment
from typing_extensions import override

from bench.harness import Laps, Run, Scenario
from channels.rendering import Template
from channels.templates.parsing import parse_template

_TEMPLATE: Final = """---
subject: "{{ user.first_name | default: 'You' }}, {{ cart.items.size }} things wait in your cart"
---
<mjml>
  <mj-head><mj-style>.name { font-weight: 600 } .small { color: #6d756f }</mj-style></mj-head>
  <mj-body>
    <mj-section><mj-column>
      <mj-text font-size="28px">Still thinking it over, {{ user.first_name | default: "there" }}?</mj-text>
      <mj-text>{% if user.tier == "gold" %}Delivery is free.{% else %}Free from {{ 50 | money: "EUR" }}.{% endif %}</mj-text>
    </mj-column></mj-section>
    {% for item in cart.items %}
    <mj-section>
      <mj-column width="30%"><mj-image src="{{ item.image_url }}" alt="{{ item.name }}" /></mj-column>
      <mj-column width="70%">
        <mj-text css-class="name"><a href="{{ item.url }}">{{ item.name | truncate: 40 }}</a></mj-text>
        {% if item.quantity > 1 %}<mj-text css-class="small">{{ item.quantity }} of them</mj-text>{% endif %}
        <mj-text>{{ item.price | times: item.quantity | money: item.currency }}</mj-text>
        <mj-text css-class="small">{{ item.brand | upcase }}: {{ item.text }}</mj-text>
      </mj-column>
    </mj-section>
    {% unless forloop.last %}<mj-section><mj-column><mj-divider /></mj-column></mj-section>{% endunless %}
    {% endfor %}
    <mj-section><mj-column>
      <mj-text>Together {{ cart.value | money: "EUR" }}</mj-text>
      <mj-button href="{{ event.url | default: 'https://shop.example/cart' }}">Back to my cart</mj-button>
      <mj-text css-class="small"><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""  # noqa: E501 - as a shop writes it
_ITEMS: Final = 4
_PATTERN: Final = Locale("en").currency_formats["standard"]


def _context(number: int) -> dict[str, Any]:
    items = [
        {
            "product_id": f"p{place}",
            "name": f"Fern & Moss, pot number {number * _ITEMS + place}",
            "brand": "Fern & Oak",
            "text": "Grown on the edge of Lyon, by hand, in the shade of old trees. " * 2,
            "price": 12.5 + place,
            "currency": "EUR",
            "quantity": 1 + place % 3,
            "url": f"https://shop.example/p/{place}?from=cart&user={number}",
            "image_url": f"https://shop.example/i/{place}.jpg",
        }
        for place in range(_ITEMS)
    ]
    return {
        "user": {"id": f"u{number}", "first_name": f"Ann {number}", "locale": "en", "tier": "blue"},
        "event": {"url": "https://shop.example/cart"},
        "cart": {"items": items, "size": _ITEMS, "value": 120.5},
        "links": {"unsubscribe": f"https://shop.example/u/{number}"},
    }


def _money(value: object, currency: str) -> str:
    return str(_PATTERN.apply(Decimal(str(value)), Locale("en"), currency=currency))


def _bare(text: str, *, escaping: bool) -> BoundTemplate:
    environment = Environment(autoescape=escaping)
    environment.add_filter("money", _money)
    return environment.from_string(text)


class Mails(msgspec.Struct):
    """One template, parsed for each side, and what it is rendered for."""

    ours: Template
    bare: tuple[BoundTemplate, BoundTemplate]
    contexts: list[dict[str, Any]]


class Rendering(Scenario[Mails]):
    """A 20 KB mail, subject and body."""

    name = "render-20k"
    title = "mails of 20 KB rendered, beside bare python-liquid with the same text and data"
    n = 200  # many short pairs: what disturbs the machine for seconds spoils both of a pair alike
    n_small = 100
    limit = 1.3
    repetitions = 41

    @override
    def prepare(self, n: int) -> Mails:
        ours = parse_template("bench", "email", _TEMPLATE, "bench.email.liquid")
        subject, body = ours.sources()
        bare = _bare(subject, escaping=False), _bare(body, escaping=True)
        return Mails(ours, bare, [_context(number) for number in range(n)])

    @override
    def reference(self, load: Mails) -> Run:
        subject, body = load.bare
        made: list[tuple[str, str]] = []
        laps = Laps()
        with laps.running():
            for context in load.contexts:
                made.append((subject.render(context), body.render(context)))  # noqa: PERF401 - as ours
        return Run(laps.seconds, made)

    @override
    def ours(self, load: Mails) -> Run:
        made: list[tuple[str, str]] = []
        laps = Laps()
        with laps.running():
            for context in load.contexts:
                rendered = load.ours.render(context, now_at_ms=1_767_225_600_000)
                made.append((rendered.front["subject"], rendered.body))
        return Run(laps.seconds, made)


SCENARIOS = (Rendering(),)
