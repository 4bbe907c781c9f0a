from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import load_shop
from engine.core.steps.kinds import END, Exit, If, Send, Wait

if TYPE_CHECKING:
    from engine.core.plan import Campaign

TEMPLATES = {
    f"templates/{name}.{channel}.liquid": "Hello"
    for name in ("t", "u")
    for channel in ("email", "push", "sms", "in_app", "webhook")
}


def compiled(steps: str, head: str = "enter: {event: Signed Up}\n", **files: str) -> Campaign:
    text = f"campaign: a\n{head}steps:\n{steps}"
    shop = load_shop({"campaigns/a.yaml": text, **TEMPLATES, **files})
    return shop.plan.campaigns["a"]


NESTED = """
  - send: email
    template: t
    id: one
  - if: event.price > 1.0
    id: two
    then:
      - wait: 1h
        id: three
      - if: user.vip
        then:
          - exit: vip
        else:
          - send: push
            template: u
            else: [sms, email]
            expires: 10m
    else: []
  - wait: 0s
    id: last
"""


def test_nested_steps_become_a_flat_program_in_the_order_of_the_file() -> None:
    campaign = compiled(NESTED)
    one, two, three, four, leaves, push, last = campaign.steps
    assert isinstance(one, Send)
    assert (one.id, one.channels, one.template, one.expires_ms, one.next) == (
        *("one", ("email",), "t", None),
        1,
    )
    assert isinstance(two, If)
    assert (two.condition.text, two.then, two.next) == ("event.price > 1.0", 2, 6)
    assert isinstance(three, Wait)
    assert (three.duration_ms, three.next) == (3_600_000, 3)
    assert isinstance(four, If)
    assert (four.id, four.then, four.next) == ("steps.1.then.1", 4, 5)
    assert isinstance(leaves, Exit)
    assert (leaves.id, leaves.reason) == ("steps.1.then.1.then.0", "vip")
    assert isinstance(push, Send)
    assert (push.id, push.channels, push.expires_ms, push.next) == (
        *("steps.1.then.1.else.0", ("push", "sms", "email"), 600_000),
        6,
    )
    assert isinstance(last, Wait)
    assert (last.id, last.duration_ms, last.next) == ("last", 0, END)


def test_signatures_are_ids_where_given_else_path_and_content() -> None:
    campaign = compiled(NESTED)
    named = [s for s in campaign.signatures if "\n" not in s]
    assert named == ["one", "two", "three", "last"]
    assert campaign.signatures[3] == "steps.1.then.1\nif user.vip"
    assert campaign.signatures[5] == "steps.1.then.1.else.0\nsend push,sms,email u 600000"
    assert len(set(campaign.signatures)) == len(campaign.steps)


@pytest.mark.parametrize(
    ("before", "after"),
    [("wait: 1h", "wait: 60m"), ("if: user.vip", "if: 'user.vip'"), ("else: [sms]", "else: sms")],
)
def test_the_same_content_written_otherwise_has_the_same_signature(before: str, after: str) -> None:
    steps = (
        "  - wait: 1h\n  - if: user.vip\n    then: [{exit: x}]\n"
        "  - {send: push, template: t, else: [sms]}\n"
    )
    assert compiled(steps).signatures == compiled(steps.replace(before, after)).signatures


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("wait: 1h", "wait: 2h", 0),
        ("user.vip", "user.gold", 1),
        ("exit: x", "exit: y", 2),
        ("send: push", "send: email", 3),
        ("template: t", "template: u", 3),
        ("else: [sms]", "else: [in_app]", 3),
        ("expires: 1h", "expires: 2h", 3),
    ],
)
def test_another_content_has_another_signature(before: str, after: str, changed: int) -> None:
    steps = (
        "  - wait: 1h\n  - if: user.vip\n    then: [{exit: x}]\n"
        "  - {send: push, template: t, else: [sms], expires: 1h}\n"
    )
    old, new = compiled(steps).signatures, compiled(steps.replace(before, after, 1)).signatures
    if before == "wait: 1h":
        assert old[0] != new[0]
    differing = [n for n, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    assert differing == [changed]


def test_an_if_at_the_end_leads_both_ways_to_the_end() -> None:
    campaign = compiled("  - if: user.vip\n    then: [{send: email, template: t}]\n")
    branch, send = campaign.steps
    assert isinstance(branch, If)
    assert isinstance(send, Send)
    assert (branch.then, branch.next, send.next) == (1, END, END)


def test_every_key_of_a_campaign_arrives_in_the_plan() -> None:
    head = """
description: All of it
status: draft
purpose: transactional
priority: 0
audience: user.country == "FR"
enter:
  event: [A, B]
  when: event.price > 1.0
  per: event.order_id
  reentry: 48h
  while_active: restart
exit:
  event: C
"""
    campaign = compiled("  - {send: email, template: t}\n", head)
    assert (campaign.description, campaign.status) == ("All of it", "draft")
    assert (campaign.purpose, campaign.priority) == ("transactional", 0)
    assert campaign.audience is not None
    assert campaign.audience.text == 'user.country == "FR"'
    entry = campaign.entry
    assert (entry.events, entry.reentry_ms, entry.restart) == (("A", "B"), 172_800_000, True)
    assert entry.when is not None
    assert entry.when.truth({"event": {"price": 2}}) is True
    assert entry.per is not None
    assert entry.per.evaluate({"event": {"order_id": "x"}}) == "x"
    assert campaign.exit_events == ("C",)


def test_what_a_campaign_does_not_say_has_its_default() -> None:
    campaign = compiled("  - {send: email, template: t}\n")
    assert (campaign.description, campaign.status, campaign.purpose) == ("", "live", "marketing")
    assert (campaign.priority, campaign.audience, campaign.exit_events) == (50, None, ())
    entry = campaign.entry
    assert (entry.when, entry.per, entry.reentry_ms, entry.restart) == (None, None, 0, False)


@pytest.mark.parametrize(
    ("written", "reentry_ms"), [("always", 0), ("never", None), ("0s", 0), ("1d", 86_400_000)]
)
def test_reentry(written: str, reentry_ms: int | None) -> None:
    head = f"enter: {{event: A, reentry: {written}}}\n"
    assert compiled("  - {send: email, template: t}\n", head).entry.reentry_ms == reentry_ms


@pytest.mark.parametrize(
    ("steps", "template", "wanted"),
    [
        ("  - {send: email, template: t}\n", "Hello {{ user.name }}", False),
        ("  - {send: email, template: t}\n", "Hello {{ event.name }}", True),
        ("  - {send: push, else: email, template: t}\n", "Hello {{ event.name }}", True),
        ("  - {if: user.vip, then: [{exit: x}]}\n  - {send: sms, template: t}\n", "Hello", False),
        ("  - {if: event.a, then: [{exit: x}]}\n  - {send: sms, template: t}\n", "Hello", True),
        (
            "  - {if: event_name == 'A', then: [{exit: x}]}\n  - {send: sms, template: t}\n",
            "Hello",
            True,
        ),
    ],
)
def test_the_entering_event_is_kept_where_something_can_ask_for_it(
    steps: str, template: str, wanted: bool
) -> None:
    campaign = compiled(steps, **{"templates/t.email.liquid": template})
    assert campaign.wants_event is wanted


def test_an_alias_repeats_steps_with_ids_of_their_own() -> None:
    campaign = compiled(
        "  - if: user.vip\n    then: &both\n"
        "      - {wait: 1h}\n      - {send: email, template: t}\n    else: *both\n"
    )
    assert [step.id for step in campaign.steps] == [
        "steps.0",
        "steps.0.then.0",
        "steps.0.then.1",
        "steps.0.else.0",
        "steps.0.else.1",
    ]
