"""What users of other products complain of: one test each, named after the complaint.

Each is a shop and a shop test of it, run by `hairspring test`, or the real process where the
complaint is about a shop that is changed while it runs.
"""

from __future__ import annotations

import json
import signal
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner

from config import load_shop
from engine.cli.diff import command as diff_command
from engine.cli.testing import command
from engine.core.inputs import EventReceived
from engine.runtime.processor import Processor
from tests.acceptance.conftest import write
from tests.core.world import HOUR, MINUTE, START, World

if TYPE_CHECKING:
    from engine.core.plan import Campaign

TEMPLATES = {
    "templates/hello.in_app.liquid": "Hello",
    "templates/hello.push.liquid": "Hello",
    "templates/hello.email.liquid": "---\nsubject: Hello\n---\n<p>Hello</p>\n",
}

MANY = load_shop(
    {
        "hairspring.toml": "",
        "segments.yaml": 'buyers: did("Order Completed", "30d")\n',
        "campaigns/a.yaml": """
campaign: cart
enter:
  when: did("Product Added", "7d") && !did("Order Completed", "7d") && idle("30m")
steps: [{send: in_app, template: hello, id: hello}]
""",
        "campaigns/b.yaml": """
campaign: buyers
enter: {segment: buyers}
steps: [{wait: 1d, id: pause}, {send: in_app, template: hello, id: hello}]
""",
        **TEMPLATES,
    }
)


def tried(campaigns: str, test: str, *, settings: str = "", segments: str = "") -> dict:
    """What `hairspring test` tells of one test; a campaign begins with each `campaign:`."""
    files = {"hairspring.toml": settings, "segments.yaml": segments, **TEMPLATES}
    for number, campaign in enumerate(campaigns.split("\ncampaign: ")[1:]):
        files[f"campaigns/{number}.yaml"] = f"campaign: {campaign}"
    body = "".join(f"    {line}\n" for line in test.strip().splitlines())
    files["tests/a.yaml"] = f"tests:\n  - test: It\n{body}"
    with TemporaryDirectory() as folder:
        write(Path(folder), files)
        done = CliRunner().invoke(command, [folder, "--json"], catch_exceptions=False)
    told: dict = json.loads(done.output)["tests"][0]
    return told


def check(campaigns: str, test: str, **files: str) -> None:
    told = tried(campaigns, test, **files)
    assert told["passed"], told


def test_a_campaign_with_weeks_of_waiting_is_tried_before_it_runs() -> None:
    """Mautic 2307; Dittofeed, Braze, Klaviyo and PostHog skip steps or delays."""
    check(
        """
campaign: drip
enter: {event: Signed Up}
steps:
  - {wait: 3w, id: weeks}
  - if: user.plan == "free"
    id: is-free
    then: [{send: email, template: hello, id: upgrade}]
    else: [{exit: pays, id: pays}]
""",
        """
users:
  ada: {plan: free, email: ada@example.com, consent: {email: true}}
  bob: {plan: pro, email: bob@example.com, consent: {email: true}}
given:
  - {at: +0s, user: ada, event: Signed Up}
  - {at: +0s, user: bob, event: Signed Up}
expect:
  - {at: +21d, user: ada, sent: email}
  - {at: +21d, user: bob, exited: pays}
""",
    )


def test_a_user_comes_into_a_segment_with_the_event_that_makes_it_true() -> None:
    """Mautic 3058, 15785: segments rebuilt by cron."""
    check(
        """
campaign: vip
enter: {segment: vip}
steps:
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given:
  - {at: +0s, event: Order Completed, properties: {total: 60}}
  - {at: +1h1ms, event: Order Completed, properties: {total: 60}}
expect:
  - {at: +1h1ms, sent: in_app}
""",
        segments='vip: sum("Order Completed", "total", "30d") > 100.0\n',
    )


def test_a_scheduled_step_does_not_vanish() -> None:
    """Mautic 2004, 2419; n8n 14863, 28664; PostHog's waits that silently stopped for 23 days."""
    check(
        """
campaign: yearly
enter: {event: Signed Up}
steps:
  - {wait: 365d, id: year}
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
until: +366d
given:
  - {at: +0s, event: Signed Up}
  - {at: +200d, event: Something Else}
expect:
  - {at: +365d, sent: in_app}
  - {at: +365d, finished: yearly}
""",
    )


def test_two_events_in_one_second_enter_once() -> None:
    """Novu 2569."""
    check(
        """
campaign: cart
enter: {event: Product Added, reentry: 1h}
steps:
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given:
  - {at: +0s, event: Product Added}
  - {at: +1ms, event: Product Added}
  - {at: +1ms, event: Product Added, id: m1}
  - {at: +2ms, event: Product Added, id: m1}
expect:
  - {at: +0s, sent: in_app}
  - {at: +1ms, refused: reentry}
  - {at: +1ms, refused: reentry}
""",
    )


def test_who_enters_again_has_one_schedule_and_not_two() -> None:
    """Mautic 9797."""
    check(
        """
campaign: cart
enter: {event: Product Added, while_active: restart}
steps:
  - {wait: 1h, id: pause}
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given:
  - {at: +0s, event: Product Added}
  - {at: +30m, event: Product Added}
expect:
  - {at: +30m, exited: restarted}
  - {at: +1h30m, sent: in_app}
""",
    )


def test_one_bad_recipient_does_not_send_again_to_the_rest() -> None:
    """Mautic 7226."""
    check(
        """
campaign: news
enter: {event: News}
steps:
  - {send: in_app, template: hello, id: hello}
""",
        """
given:
  - {at: +0s, user: bob, fail: in_app, reason: bad recipient}
  - {at: +0s, user: ada, event: News}
  - {at: +0s, user: bob, event: News}
  - {at: +0s, user: cyn, event: News}
expect:
  - {at: +0s, user: ada, sent: in_app}
  - {at: +0s, user: bob, sent: in_app}
  - {at: +0s, user: bob, failed: in_app, reason: bad recipient}
  - {at: +0s, user: cyn, sent: in_app}
""",
    )


def test_nobody_gets_both_variants() -> None:
    """Mautic 14098."""
    given = "".join(
        f"  - {{at: +{hour}h, user: u{user}, event: Go}}\n" for hour in (0, 1) for user in range(20)
    )
    told = tried(
        """
campaign: a
enter: {event: Go}
steps:
  - split:
      name: copy
      variants:
        x: {weight: 1, steps: [{send: in_app, template: hello, id: x}]}
        y: {weight: 1, steps: [{send: in_app, template: hello, id: y}]}
    id: split
""",
        f"expect: []\ngiven:\n{given}",
    )
    got: dict[str, list[str]] = {}
    for line in told["lines"]:
        got.setdefault(line["user_id"], []).append(line["said"]["step"])
    assert len(got) == 20
    assert {tuple(steps) for steps in got.values()} == {("x", "x"), ("y", "y")}


def test_no_mail_after_unsubscribing() -> None:
    """Parcelvoy 442."""
    check(
        """
campaign: drip
enter: {event: Signed Up}
steps:
  - {send: email, template: hello, id: first}
  - {wait: 1h, id: pause}
  - {send: email, template: hello, id: second}
""",
        """
users: {ada: {email: ada@example.com, consent: {email: true}}}
given:
  - {at: +0s, event: Signed Up}
  - {at: +59m59s999ms, identify: {consent: {email: false}}}
expect:
  - {at: +0s, sent: email}
  - {at: +1h, skipped: no_consent, step: second}
""",
    )


def test_what_ends_a_campaign_stops_what_is_under_way() -> None:
    """Mautic 6815; Braze leaves users in the delay, Klaviyo looks when it sends."""
    check(
        """
campaign: cart
enter: {event: Product Added}
exit: {event: Order Completed}
steps:
  - {wait: 1h, id: pause}
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given:
  - {at: +0s, event: Product Added}
  - {at: +30m, received: +50m, event: Order Completed}
expect:
  - {at: +50m, exited: event}
""",
    )


@pytest.mark.parametrize(
    ("zone", "entered", "sent"),
    [
        ("Europe/Paris", "2026-03-28T20:00", "2026-03-29T18:30+02:00"),
        ("America/New_York", "2026-03-07T20:00", "2026-03-08T18:30-04:00"),
        ("Australia/Sydney", "2026-04-04T20:00", "2026-04-05T18:30+10:00"),
        ("Asia/Kolkata", "2026-03-28T20:00", "2026-03-29T18:30+05:30"),
    ],
)
def test_half_past_six_is_half_past_six_where_the_user_is(
    zone: str, entered: str, sent: str
) -> None:
    """Mautic 7665, 10170: hours off; here over a night on which clocks are set."""
    check(
        """
campaign: evening
enter: {event: Product Added}
steps:
  - {wait: {until: "18:30"}, id: evening}
  - {send: in_app, template: hello, id: hello}
""",
        f"""
start: {entered}Z
users: {{ada: {{timezone: {zone}}}}}
given:
  - {{at: {local(entered, zone)}, event: Product Added}}
expect:
  - {{at: {sent}, sent: in_app}}
""",
    )


def local(text: str, zone: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()


def test_a_time_of_day_stays_as_it_was_set_however_often_the_campaign_is_saved() -> None:
    """Mautic 17090: each time it is opened and saved it goes out an hour earlier."""
    evening = """
campaign: evening
description: Saved {times} times
enter: {{event: Go}}
steps:
  - {{wait: {{until: "19:00"}}, id: evening}}
  - {{send: in_app, template: hello, id: hello}}
"""

    def saved(times: int) -> list[Campaign]:
        files = {"campaigns/a.yaml": evening.format(times=times), **TEMPLATES}
        return list(load_shop(files).plan.campaigns.values())

    world = World(*saved(0))
    world.identify(0, timezone="Asia/Tokyo")
    world.event("Go", 0)
    for times in range(1, 10):
        assert world.adopt(*saved(times), at=times * MINUTE, plan_id=f"p{times + 1}") == []
        assert world.user().due_at_ms == START + 10 * HOUR
    assert world.advance(10 * HOUR - 1) == []
    assert world.advance(10 * HOUR)[0] == f"{10 * HOUR} evening sent hello in_app"


def test_the_last_days_can_be_asked_for_in_any_number() -> None:
    """Parcelvoy 535; Braze's windows in calendar days."""
    check(
        """
campaign: keen
enter: {event: Product Viewed, when: 'count("Product Viewed", "73h") >= 3'}
steps:
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given:
  - {at: +0s, event: Product Viewed}
  - {at: +10h, event: Product Viewed}
  - {at: +73h, event: Product Viewed}
  - {at: +82h59m59s999ms, event: Product Viewed}
expect:
  - {at: +82h59m59s999ms, sent: in_app}
""",
    )


def test_a_wait_ends_with_the_event_that_it_is_for() -> None:
    """PostHog 45743, which looks every ten minutes."""
    check(
        """
campaign: trial
enter: {event: Trial Started}
steps:
  - wait:
      event: Project Created
      at_most: 3d
      then: [{send: in_app, template: hello, id: well-done}]
      else: [{send: in_app, template: hello, id: help}]
    id: project
""",
        """
given:
  - {at: +0s, user: ada, event: Trial Started}
  - {at: +0s, user: bob, event: Trial Started}
  - {at: +2h3ms, user: ada, event: Project Created}
expect:
  - {at: +2h3ms, user: ada, sent: in_app, step: well-done}
  - {at: +3d, user: bob, sent: in_app, step: help}
""",
    )


def test_under_a_cap_the_campaign_of_higher_priority_wins() -> None:
    """Asked in Customer.io's community, and never answered."""
    check(
        """
campaign: a-low
priority: 10
enter: {event: Go}
steps:
  - {send: in_app, template: hello, id: hello}
campaign: b-high
priority: 90
enter: {event: Go}
steps:
  - {send: in_app, template: hello, id: hello}
""",
        """
user: ada
given: [{at: +0s, event: Go}]
expect:
  - {at: +0s, sent: in_app, campaign: b-high}
  - {at: +0s, skipped: capped, campaign: a-low}
""",
        settings='[guardrails]\ncaps = [{max = 1, per = "1d"}]\n',
    )


def test_a_step_that_fails_says_so_and_why() -> None:
    """Notifuse 191, 327: a failed step with no error logged."""
    check(
        """
campaign: push
enter: {event: Go}
steps:
  - {send: push, template: hello, id: hello}
""",
        """
users: {ada: {push: {endpoint: "https://push.example/ada"}}, bob: {}}
given:
  - {at: +0s, fail: push, reason: the key is no longer valid}
  - {at: +0s, user: ada, event: Go}
  - {at: +0s, user: bob, event: Go}
expect:
  - {at: +0s, user: ada, sent: push}
  - {at: +0s, user: ada, failed: push, reason: the key is no longer valid}
  - {at: +0s, user: bob, skipped: unreachable}
""",
    )


def test_a_drip_sequence_goes_out_day_by_day() -> None:
    """Listmonk 206, its oldest open wish."""
    check(
        """
campaign: drip
enter: {event: Signed Up}
steps:
  - repeat: {times: 3, every: 1d, steps: [{send: email, template: hello, id: mail}]}
    id: daily
""",
        """
users: {ada: {email: ada@example.com, consent: {email: true}}}
given: [{at: +0s, event: Signed Up}]
expect:
  - {at: +0s, sent: email}
  - {at: +1d, sent: email}
  - {at: +2d, sent: email}
""",
    )


RECEIPT = """
campaign: {id}
status: {status}
purpose: transactional
enter: {{event: {event}}}
steps:
  - {{wait: {wait}, id: pause}}
  - {{send: email, template: {id}, id: mail{expires}}}
"""


def tell(serving, *names: str) -> None:
    serving.tell(
        {"type": "identify", "user_id": "u1", "traits": {"email": "u1@example.com"}},
        *({"user_id": "u1", "event": name} for name in names),
    )


def goes_once(serving, mailbox) -> None:
    """What was asked for has come, no oftener than what is asked for only now."""
    mailbox.wait_for(lambda: "hello" in mailbox.ids)
    tell(serving, "fresh asked")
    mailbox.wait_for(lambda: "fresh" in mailbox.ids)
    assert serving.drain() == 0
    assert sorted(mail["Subject"] for mail in mailbox.mails) == ["fresh", "hello"]


def reload(serving, times: int) -> None:
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"reloaded"', times)


def campaign(shop: Path, name: str, wait: str, status: str = "live", expires: str = "") -> None:
    said = {"event": f"{name} asked", "wait": wait, "status": status, "expires": expires}
    text = RECEIPT.format(id=name, **said)
    template = f"---\nsubject: {name}\n---\n<p>{name}</p>\n"
    files = {f"campaigns/{name}.yaml": text, f"templates/{name}.email.liquid": template}
    write(shop, files)


def test_one_users_event_is_no_work_about_anybody_else() -> None:
    """Mautic 2870: days for one decision at a million contacts."""

    def calls(users: int) -> int:
        processor = Processor(MANY.plan, now_ms=0)
        raw = msgspec.Raw(b"{}")
        for number in range(users):
            processor.take(EventReceived(f"u{number}", "Product Added", 0, 0, raw), 0)
        count = 0

        def counted(_frame: object, happened: str, _what: object) -> None:
            nonlocal count
            count += happened == "call"

        sys.setprofile(counted)
        try:
            processor.take(EventReceived("u1", "Order Completed", 1, 1, raw), 1)
        finally:
            sys.setprofile(None)
        return count

    assert calls(10) == calls(2_000) > 0


@pytest.mark.acceptance
def test_two_workers_never_go_over_the_same_users(shop, serve, mailbox):
    """Mautic PR 15348: parallel workers, and everything twice."""
    campaign(shop, "hello", "100ms")
    campaign(shop, "fresh", "0ms")
    serving = serve(shop)
    second = serve(shop, may_fail=True)
    assert second._end() == 1
    tell(serving, "hello asked")
    goes_once(serving, mailbox)


@pytest.mark.acceptance
def test_what_waited_as_the_process_was_killed_goes_out_under_the_next(shop, serve, mailbox):
    """n8n 14863, 28664: a wait that never resumes; here over a SIGKILL and a time that passed."""
    campaign(shop, "hello", "1s")
    campaign(shop, "fresh", "0ms")
    serving = serve(shop)
    tell(serving, "hello asked")
    serving.kill()
    serving = serve(shop)
    goes_once(serving, mailbox)


@pytest.mark.acceptance
def test_a_mistake_behind_a_delay_is_seen_before_it_goes_out_and_taken_back(shop, serve, mailbox):
    """PostHog: hundreds were told that their credits were cancelled, unseen for twelve hours."""
    campaign(shop, "mistake", "12h")
    campaign(shop, "fresh", "0ms")
    serving = serve(shop)
    tell(serving, "mistake asked")
    campaign(shop, "mistake", "12h", "archived")
    diff = CliRunner().invoke(diff_command, [str(shop), "--json"], catch_exceptions=False)
    (told,) = [one for one in json.loads(diff.output)["campaigns"] if one["inside"]]
    assert (told["campaign"], told["waiting"]) == ("mistake", {"pause": 1})
    assert told["exits"] == {"archived": 1}
    reload(serving, 1)
    campaign(shop, "mistake", "0ms")  # nobody is inside any more, whatever is said now
    reload(serving, 2)
    tell(serving, "fresh asked")
    mailbox.wait_for(lambda: "fresh" in mailbox.ids)
    assert serving.drain() == 0
    assert "mistake" not in mailbox.ids


@pytest.mark.acceptance
def test_a_paused_campaign_that_resumes_does_not_mail_everybody(shop, serve, mailbox):
    """Mautic 6484."""
    expires = ", expires: 100ms"
    campaign(shop, "held", "1h", expires=expires)
    campaign(shop, "marker", "1500ms")
    campaign(shop, "fresh", "0ms")
    serving = serve(shop)
    tell(serving, "held asked", "marker asked")
    # Its time comes within the pause, however long the reload takes.
    campaign(shop, "held", "1s", "paused", expires)
    reload(serving, 1)
    mailbox.wait_for(lambda: "marker" in mailbox.ids)  # so what was held is past its time by now
    campaign(shop, "held", "1s", expires=expires)
    reload(serving, 2)
    tell(serving, "fresh asked")
    mailbox.wait_for(lambda: "fresh" in mailbox.ids)
    assert serving.drain() == 0
    assert "held" not in mailbox.ids


@pytest.mark.acceptance
def test_editing_a_live_campaign_does_not_process_everyone_again(shop, serve, mailbox):
    """Mautic 6054; PostHog 66380."""
    campaign(shop, "hello", "0ms")
    campaign(shop, "fresh", "0ms")
    serving = serve(shop)
    tell(serving, "hello asked")
    mailbox.wait_for(lambda: "hello" in mailbox.ids)
    write(shop, {"templates/hello.email.liquid": "---\nsubject: edited\n---\n<p>edited</p>\n"})
    reload(serving, 1)
    tell(serving, "fresh asked")
    mailbox.wait_for(lambda: "fresh" in mailbox.ids)
    assert serving.drain() == 0
    assert sorted(mail["Subject"] for mail in mailbox.mails) == ["fresh", "hello"]
