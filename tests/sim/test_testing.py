"""Shop tests as they are run: what passes, what fails, and by whom it is judged."""

from __future__ import annotations

from typing import get_args

import pytest

from config import load_shop, read_tests
from config.schema import SAYS
from engine.core.effects import Kind
from engine.sim.testing import Outcome, run_test

SHOP = load_shop(
    {
        "hairspring.toml": '[shop]\ntimezone = "Europe/Paris"\n',
        "campaigns/cart.yaml": """
campaign: cart
enter: {event: Product Added}
exit: {event: Order Completed}
steps:
  - {wait: 30m, id: pause}
  - {send: push, else: [in_app], template: nudge, id: first}
""",
        "campaigns/evening.yaml": """
campaign: evening
enter: {when: "did('Product Added') && now.getHours(user.timezone) >= 18"}
steps:
  - {send: in_app, template: nudge, id: first}
""",
        "campaigns/leaving.yaml": """
campaign: leaving
enter: {when: score("churn") > 0.5}
steps:
  - {send: in_app, template: nudge, id: first}
""",
        "campaigns/call.yaml": """
campaign: call
enter: {manual: true}
steps:
  - {send: push, template: call, id: note}
""",
        "templates/call.push.liquid": "---\ntitle: Call\n---\n{{ content.agent }}",
        "campaigns/split.yaml": """
campaign: split
enter: {event: Signed Up}
goal: {event: Order Completed, value: event.total}
steps:
  - {split: {name: copy, variants: {x: {weight: 1}, y: {weight: 1}}}, id: copy}
  - {send: in_app, template: nudge, id: first}
""",
        "templates/nudge.push.liquid": "---\ntitle: For {{ user.name }}\n---\nIt   is\nhere",
        "templates/nudge.in_app.liquid": "Hello {{ user.name }}",
    }
)

HEAD = """
campaign: cart
users:
  ada: {name: Ada, push: {endpoint: "https://push.example/ada"}}
  bob: {name: Bob, push: {endpoint: "https://push.example/bob"}, timezone: America/New_York}
  cyn: {push: {endpoint: "https://push.example/cyn"}}
tests:
  - test: One
    user: ada
"""


def outcome(said: str, head: str = HEAD) -> Outcome:
    text = head + "".join(f"    {line}\n" for line in said.strip().splitlines())
    (test,) = read_tests({"tests/a.yaml": text}, SHOP)
    return run_test(SHOP, test)


def marks(said: str, head: str = HEAD) -> list[tuple[str, str, str]]:
    """Each marked line: its mark, what it is about, and to whom."""
    lines = outcome(said, head).lines
    return [(line.mark, next(iter(line.said)), line.user_id) for line in lines if line.mark]


GIVEN = "given:\n  - {at: +0s, event: Product Added}\n"


@pytest.mark.parametrize(
    "expect",
    [
        "[{at: +30m, sent: push}]",
        "[{sent: push}]",
        "[{entered: cart}, {sent: push}, {at: +30m, finished: cart}]",
        "[{at: 2026-01-05T09:30, sent: push, step: first, template: nudge, campaign: cart}]",
        "[{at: 2026-01-05T08:30Z, sent: push, title: For Ada, body: [It is here, is here]}]",
        "[{at: +30m, sent: push}, {at: +30m, delivered: push}]",
    ],
)
def test_an_expectation_says_as_much_as_it_wants(expect: str) -> None:
    assert outcome(f"{GIVEN}expect: {expect}").passed


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("[]", [("+", "sent", "ada")]),
        ("[{at: +31m, sent: push}]", [("+", "sent", "ada"), ("-", "sent", "ada")]),
        ("[{sent: in_app}]", [("-", "sent", "ada"), ("+", "sent", "ada")]),
        ("[{sent: push}, {sent: push}]", [("-", "sent", "ada")]),
        ("[{sent: push}, {entered: cart}]", [("-", "entered", "ada")]),
        ("[{sent: push, body: It is there}]", [("-", "sent", "ada"), ("+", "sent", "ada")]),
        ("[{sent: push}, {exited: event}]", [("-", "exited", "ada")]),
    ],
)
def test_what_is_otherwise_is_marked(expect: str, told: list[tuple[str, str, str]]) -> None:
    assert sorted(marks(f"{GIVEN}expect: {expect}")) == sorted(told)


def test_a_manual_start_is_given_with_what_it_brings() -> None:
    given = "campaign: call\ngiven: [{at: +1m, trigger: call, content: {agent: Grace}}]\n"
    assert outcome(f"{given}expect: [{{at: +1m, sent: push, body: Grace}}]").passed
    assert marks(f"{given}expect: []") == [("+", "sent", "ada")]


def test_every_message_is_expected_and_of_the_rest_what_is_named() -> None:
    assert marks(f"{GIVEN}expect: [{{sent: push}}]") == []
    assert marks(f"{GIVEN}expect: [{{entered: cart}}]") == [("+", "sent", "ada")]


def test_where_nothing_is_expected_an_entry_is_too_much() -> None:
    assert marks(f"{GIVEN}until: +1m\nexpect: []") == []
    assert marks(f"{GIVEN}until: +1m\nexpect_nothing: true") == [("+", "entered", "ada")]
    assert marks("given:\n  - {at: +0s, event: Other}\nexpect_nothing: true") == []


def test_users_are_compared_each_for_himself() -> None:
    given = f"{GIVEN}  - {{at: +0s, user: bob, event: Product Added}}\n"
    assert marks(f"{given}expect: [{{sent: push}}, {{sent: push, user: bob}}]") == []
    assert marks(f"{given}expect: [{{sent: push, user: bob}}, {{sent: push}}]") == []
    assert marks(f"{given}expect: [{{sent: push}}]") == [("+", "sent", "bob")]


def test_only_the_users_that_a_test_names_are_there() -> None:
    head = HEAD.replace("campaign: cart\n", "").replace("    user: ada\n", "")
    told = outcome(f"{GIVEN.replace('event', 'user: bob, event')}expect: []", head)
    assert {line.user_id for line in told.lines} == {"bob"}


def test_deliveries_fail_from_one_instant_to_another() -> None:
    given = """
given:
  - {at: +0s, fail: push, reason: the provider is down}
  - {at: +0s, event: Product Added}
  - {at: +1h, recover: push}
  - {at: +1h, event: Product Added}
  - {at: +2h, fail: push, user: bob}
  - {at: +2h, event: Product Added}
"""
    expect = """
expect:
  - {at: +30m, sent: push}
  - {at: +30m, failed: push, reason: the provider is down}
  - {at: +30m, sent: in_app}
  - {at: +1h30m, sent: push}
  - {at: +2h30m, sent: push}
"""
    assert outcome(given.strip() + expect).passed


def test_an_event_may_come_late() -> None:
    given = "given:\n  - {at: +0s, received: +20m, event: Product Added}\n"
    told = outcome(f"{given}expect: [{{at: +20m, entered: cart}}, {{at: +30m, sent: push}}]")
    assert told.passed


def test_instants_without_a_zone_are_in_the_zone_of_the_file() -> None:
    head = HEAD.replace("campaign: cart", "campaign: evening\ntimezone: America/New_York")
    given = "until: +12h\ngiven: [{at: 2026-01-05T09:00, user: bob, event: Product Added}]\n"
    assert outcome(
        f"{given}expect: [{{at: 2026-01-05T18:00, user: bob, sent: in_app}}]", head
    ).passed


def test_a_score_and_an_identify_call_are_given_like_events() -> None:
    head = HEAD.replace("campaign: cart", "campaign: leaving")
    given = (
        "given:\n  - {at: +0s, identify: {name: Eve}}\n  - {at: +1m, score: churn, value: 0.9}\n"
    )
    assert outcome(f"{given}expect: [{{at: +1m, sent: in_app, body: Hello Eve}}]", head).passed


def test_a_split_takes_the_way_of_its_variant() -> None:
    head = HEAD.replace("campaign: cart", "campaign: split")
    given = "given: [{at: +0s, event: Signed Up}, {at: +0s, user: bob, event: Signed Up}]\n"
    told = outcome(f"{given}expect: []", head)
    drawn = {line.user_id: line.said["branched"] for line in told.lines if "branched" in line.said}
    assert set(drawn.values()) <= {"x", "y"}
    expect = ", ".join(
        f"{{user: {user_id}, branched: {variant}}}, {{user: {user_id}, sent: in_app, variant: "
        f"{variant}}}"
        for user_id, variant in drawn.items()
    )
    assert outcome(f"{given}expect: [{expect}]", head).passed


def test_two_ids_of_one_user_are_compared_as_one() -> None:
    given = """
given:
  - {at: +0s, user: visitor, event: Product Added}
  - {at: +10m, alias: visitor}
"""
    expect = "expect: [{at: +30m, sent: push, title: For Ada}]"
    assert outcome(f"{given.strip()}\n{expect}").passed


def test_a_goal_is_expected_with_its_value() -> None:
    head = HEAD.replace("campaign: cart", "campaign: split")
    given = """
given:
  - {at: +0s, event: Signed Up}
  - {at: +1h, event: Order Completed, properties: {total: 30}}
"""
    for value, passed in ((30, True), (30.0, True), (31, False)):
        expect = f"expect: [{{sent: in_app}}, {{at: +1h, goal: split, value: {value}}}]"
        assert outcome(f"{given.strip()}\n{expect}", head).passed is passed


def test_every_kind_of_record_can_be_expected() -> None:
    by_people = {"opened", "clicked", "unsubscribed"}  # nobody answers in a shop's test
    assert set(get_args(Kind)) - by_people == set(SAYS)


def test_a_name_that_the_user_lacks_is_a_failure() -> None:
    head = HEAD.replace("campaign: cart", "campaign: leaving")
    given = "given:\n  - {at: +1m, user: cyn, score: churn, value: 0.9}\n"
    told = outcome(f"{given}expect: [{{at: +1m, user: cyn, sent: in_app}}]", head)
    assert not told.passed
    assert [line.mark for line in told.lines if line.mark] == []
    assert told.faults == ["templates/nudge.in_app.liquid:1: user.name is undefined: cyn"]


def test_a_test_runs_the_same_each_time() -> None:
    text = HEAD + "".join(f"    {line}\n" for line in f"{GIVEN}expect: []".splitlines())
    (test,) = read_tests({"tests/a.yaml": text}, SHOP)
    assert run_test(SHOP, test) == run_test(SHOP, test)


MAIL = load_shop(
    {
        "campaigns/mail.yaml": """
campaign: mail
purpose: transactional
enter: {event: Go}
steps:
  - {send: email, template: hello, id: mail}
""",
        "templates/hello.email.liquid": "---\nsubject: Hello\n---\n"
        "<!doctype html><html><head><style>p { color: red }</style></head><body>"
        '<p class="a">Hello <b>Ada</b>,</p><p>your total is&nbsp;<i>30</i>.</p></body></html>',
    }
)


def mail_outcome(body: str) -> Outcome:
    said = f"""
tests:
  - test: It
    users: {{ada: {{email: ada@example.com}}}}
    given: [{{at: +0s, event: Go}}]
    expect: [{{at: +0s, sent: email, body: {body!r}}}]
"""
    (test,) = read_tests({"tests/a.yaml": said}, MAIL)
    return run_test(MAIL, test)


@pytest.mark.parametrize("body", ["Hello Ada, your total is 30.", "Hello <b>Ada</b>,"])
def test_a_mail_holds_what_is_read_and_what_is_written(body: str) -> None:
    assert mail_outcome(body).passed


def test_a_mail_that_says_something_else_is_told_as_it_is_read() -> None:
    (differs,) = [line.differs for line in mail_outcome("Hello Bob").lines if line.differs]
    assert differs == ("body does not hold 'Hello Bob': it is 'Hello Ada, your total is 30.'",)
