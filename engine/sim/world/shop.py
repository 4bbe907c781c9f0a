"""The shop of a world: small, and with every way in which a promise could be broken."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from config import load_shop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config import Shop

GRACE_MS: Final = 3_000

BY_HAND: Final = frozenset({"hand"})
"""Campaigns that nothing but a manual start enters."""

AIMS: Final = {"trial": (25_000, 20.0), "cart": (60_000, -1.0)}
"""Campaigns with a goal: within how long an order may be it, and of more than which price."""

TOPIC: Final = "ideas"
"""What some messages are about, and some users want no more of."""

TESTER: Final = "who1who"
"""Of the users, the one whom the shop's own files name: no erasure takes him out of those."""

_FILES: Final = {
    "hairspring.toml": """
[storage]
resume_grace = "3s"
max_replay = 200
[events]
max_lateness = "1h"
dedupe_window = "30d"
[guardrails]
caps = [{max = 5, per = "10s"}, {max = 3, per = "30s", channel = "in_app"}]
spacing = "200ms"
holdout = "12%"
quiet_hours = {from = "00:01", to = "00:02"}
""",
    "campaigns/cart.yaml": """
campaign: cart
priority: 50
enter: {event: Product Added, when: event.price > 20.0, reentry: 10s}
exit: {event: Order Completed}
goal: {event: Order Completed, within: 1m, value: event.price}
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
exit: {event: Signed Up}
steps:
  - {send: email, template: note, else: [webhook], id: receipt}
  - {wait: 7s, id: pause}
  - {send: webhook, template: note, id: ship}
""",
    "campaigns/browse.yaml": """
campaign: browse
group: nudge
topic: ideas
enter: {event: Product Viewed, while_active: restart}
exit: {event: [Product Added, Order Completed]}
steps:
  - {wait: 5s, id: idle}
  - {send: in_app, template: note, id: banner, expires: 5s}
  - {wait: 2s, id: nothing}
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
    "campaigns/hand.yaml": """
campaign: hand
priority: 60
group: nudge
enter: {manual: true, reentry: 4s}
exit: {event: [Product Viewed, Order Completed]}
steps:
  - {send: in_app, template: note, id: word}
  - {wait: 3s, id: pause}
  - if: content.twice == true
    id: twice
    then: [{send: push, template: note, else: [in_app], id: again}]
""",
    "campaigns/circle.yaml": """
campaign: circle
priority: 40
enter: {event: Product Viewed, reentry: 5s}
exit: {event: Signed Up}
steps:
  - set: {looks: '=count("Product Viewed", "30s")', sku: =event.sku}
    id: mark
  - repeat:
      times: 3
      every: 4s
      until: user.tier == "gold"
      steps:
        - emit: {event: Looked Again, properties: {looks: =user.looks}}
          id: tell
        - wait:
            event: Product Added
            when: event.price > 20.0
            at_most: 3s
            then: [{send: in_app, template: note, id: added}]
          id: awaited
    id: thrice
  - {send: in_app, template: note, id: enough}
""",
    "campaigns/echo.yaml": """
campaign: echo
priority: 45
enter: {event: Looked Again, reentry: 2s}
steps:
  - choose:
      - {when: user.looks > 2, steps: [{send: push, template: note, else: [in_app], id: much}]}
      - else: [{emit: {event: Looked Once}}]
    id: which
  - {wait: {until: "00:01"}, id: minute}
  - {send: webhook, template: note, id: end}
""",
    "campaigns/trial.yaml": """
campaign: trial
priority: 55
enter: {event: [Product Viewed, Product Added], reentry: 3s}
exit: {event: Signed Up}
goal: {event: Order Completed, when: event.price > 20.0, within: 25s, value: event.price}
holdout: 20%
steps:
  - split:
      name: copy
      variants:
        a: {weight: 1, steps: [{send: in_app, template: note, id: plain}]}
        b: {weight: 2, steps: [{send: push, template: note, else: [in_app], id: loud}]}
    id: copy
  - {wait: 2s, id: breath}
  - split:
      name: learn
      mode: bandit
      variants:
        x: {steps: [{send: email, template: note, else: [in_app], id: short}]}
        y: {steps: [{send: in_app, template: note, id: long}]}
    id: learn
  - wait:
      event: Product Added
      when: event.price > 20.0
      at_most: 20s
      then: [{send: in_app, template: note, id: added}]
      else: [{send: webhook, template: note, id: never}]
    id: awaited
""",
    "campaigns/marked.yaml": """
campaign: marked
enter: {when: 'user.looks >= 2 && did("Looked Once", "20s")', reentry: 3s}
steps:
  - {send: in_app, template: note, id: seen}
""",
    "campaigns/calm.yaml": """
campaign: calm
enter: {when: idle("6s")}
steps:
  - {set: {calm: true}, id: calm}
""",
    "campaigns/risk.yaml": """
campaign: risk
purpose: transactional
enter: {when: score("churn") >= 0.7}
exit: {event: [Product Viewed, Product Added]}
steps:
  - {send: webhook, template: note, id: warn}
""",
    "campaigns/parcel.yaml": """
campaign: parcel
purpose: transactional
enter: {event: Parcel Sent, reentry: 3s}
exit: {event: [Product Viewed, Product Added]}
steps:
  - {send: webhook, template: note, id: tell}
  - {wait: 2s, id: breath}
  - {send: sms, template: note, else: [email], id: again}
""",
    "campaigns/thanks.yaml": """
campaign: thanks
topic: ideas
enter: {event: [Email Opened, Email Link Clicked, In-App Message Opened, SMS Link Clicked]}
exit: {event: Unsubscribed}
steps:
  - {wait: 1s, id: breath}
  - {send: email, template: note, else: [push], id: more}
""",
    "segments.yaml": """
keen: count("Product Viewed", "30s") >= 2
""",
    "campaigns/lapse.yaml": """
campaign: lapse
enter:
  when: in_segment("keen") && !did("Order Completed", "20s") && idle("4s")
  reentry: 6s
exit: {when: 'did("Product Added", "3s")'}
steps:
  - {wait: 2s, id: breath}
  - {send: in_app, template: note, id: still}
  - wait:
      when: count("Product Added", "50s") >= 1 || user.tier == "gold"
      at_most: 15s
      then: [{send: push, template: note, id: came}]
      else: [{send: in_app, template: note, id: gone}]
    id: until
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


_EDITS: Final[tuple[Mapping[str, Mapping[str, str]], ...]] = (
    {},
    {  # waits that are over by now, or longer; a campaign that is gone; texts; what nobody kept
        "hairspring.toml": {'max = 5, per = "10s"': 'max = 4, per = "40s"', "00:01": "00:00"},
        "campaigns/cart.yaml": {"wait: 2s": "wait: 500ms", "wait: 40s": "wait: 90s"},
        "campaigns/receipt.yaml": {"wait: 7s": "wait: 1s"},
        "campaigns/trial.yaml": {"weight: 1": "weight: 60", "holdout: 20%": "holdout: 45%"},
        "campaigns/browse.yaml": {"": ""},
        "campaigns/lapse.yaml": {'"50s")': '"90s", e, e.price > 20.0)'},
        "campaigns/circle.yaml": {"times: 3": "times: 5", "every: 4s": "every: 2s"},
        "campaigns/marked.yaml": {'did("Looked Once", "20s")': 'count("Looked Once", "40s") >= 2'},
        "templates/note.push.liquid": {"to {{": "for {{"},
    },
    {  # steps that are gone or new, and who is let go of; who said nothing is written to
        "hairspring.toml": {
            "[events]": '[consent]\nunknown = "allow"\n[events]',
            "caps =": "#",
            "quiet_hours =": "#",
            "12%": "2%",
        },
        "campaigns/cart.yaml": {"id: later": "id: other"},
        "campaigns/trial.yaml": {"weight: 2": "weight: 40", "wait: 2s": "wait: 6s"},
        "campaigns/circle.yaml": {"id: thrice": "id: often", "at_most: 3s": "at_most: 9s"},
        "campaigns/echo.yaml": {'"00:01"}': '"00:02", timezone: Asia/Kolkata}'},
        "campaigns/browse.yaml": {"wait: 2s": "wait: 0s", "wait: 5s": "wait: 8s"},
        "campaigns/welcome.yaml": {"campaign: welcome": "campaign: welcome\nstatus: archived"},
        "segments.yaml": {">= 2": ">= 1"},
        "campaigns/lapse.yaml": {"at_most: 15s": "at_most: 5s", 'idle("4s")': 'idle("9s")'},
        "campaigns/each.yaml": {
            "wait: 3h": "wait: 20s",
            "campaign: each": "campaign: each\npriority: 95",
        },
    },
    {  # campaigns that hold who is inside, and what of theirs is in the outbox
        "campaigns/cart.yaml": {"campaign: cart": "campaign: cart\nstatus: paused"},
        "campaigns/receipt.yaml": {"campaign: receipt": "campaign: receipt\nstatus: draft"},
        "campaigns/lapse.yaml": {"campaign: lapse": "campaign: lapse\nstatus: paused"},
        "campaigns/trial.yaml": {
            "campaign: trial": "campaign: trial\nstatus: paused",
            "at_most: 20s": "at_most: 5s",
        },
    },
    {  # one is for testers alone, one is paused and changed meanwhile, one lets go of everybody
        "hairspring.toml": {"[events]": '[testing]\nusers = ["' + TESTER + '"]\n[events]'},
        "campaigns/welcome.yaml": {"campaign: welcome": "campaign: welcome\nstatus: test"},
        "campaigns/lapse.yaml": {
            "campaign: lapse": "campaign: lapse\nstatus: test",
            "at_most: 15s": "at_most: 25s",
        },
        "campaigns/cart.yaml": {
            "campaign: cart": "campaign: cart\nstatus: paused",
            "wait: 40s": "wait: 20s",
        },
        "campaigns/browse.yaml": {"campaign: browse": "campaign: browse\nstatus: archived"},
    },
)
"""By edition, what is other than in the first: in a file, a text and what stands in its place."""

EDITIONS: Final = len(_EDITS)


@cache
def world_shop(edition: int = 0, *, forgets: bool = False) -> Shop:
    """The shop as it is in one of its editions, loaded once; one that forgets keeps a minute."""
    files = dict(_FILES)
    if forgets:
        short = 'dedupe_window = "1m"\nkeep = "1m"'
        files["hairspring.toml"] = files["hairspring.toml"].replace('dedupe_window = "30d"', short)
    for name, edits in _EDITS[edition].items():
        for before, after in edits.items():
            if not before:
                del files[name]
            else:
                files[name] = files[name].replace(before, after)
    return load_shop(files)
