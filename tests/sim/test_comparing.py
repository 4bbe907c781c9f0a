"""Two shops over the same events: what the other one would change, and for whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from click.testing import CliRunner

from config import Shop, load_shop
from engine.cli.simulate import command
from engine.core.instants import parse_instant_ms
from engine.sim.comparing import Change, Compared, compare_shops
from engine.sim.run import Options, Report, run_shop
from engine.sim.sources import open_events

if TYPE_CHECKING:
    from pathlib import Path

HELLO = {"templates/hello.in_app.liquid": "Hello", "templates/hello.push.liquid": "Hello"}
PLAIN = """
campaign: a
enter: {event: In}
steps:
  - {wait: 10m, id: pause}
  - {send: in_app, template: hello, id: hello}
"""
CHANGED = """
campaign: a
enter: {event: In, when: event.size > 1}
steps:
  - {wait: 10m, id: pause}
  - {send: in_app, template: hello, id: hello}
  - {send: in_app, template: hello, id: again}
"""


def shop(campaign: str) -> Shop:
    return load_shop({"campaigns/a.yaml": campaign, **HELLO})


def written(tmp_path: Path, users: int = 40) -> Path:
    file = tmp_path / "events.ndjson"
    lines = [
        {
            "timestamp": f"2026-01-01T10:{number:02}:00Z",
            "user_id": f"u{number}",
            "event": "In",
            "properties": {"size": number % 4},
        }
        for number in range(users)
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def compare(file: Path, first: Shop, second: Shop, **options: object) -> tuple[Report, Compared]:
    with open_events(str(file)) as source:
        return compare_shops(first, second, source, options=Options(**options))  # type: ignore[arg-type]


def test_a_shop_compared_with_itself_changes_nothing(tmp_path: Path) -> None:
    _, compared = compare(written(tmp_path), shop(PLAIN), shop(PLAIN))
    assert compared.users == 0
    assert compared.sample == []
    assert compared.entered == {}
    assert compared.changes == [Change("a", "in_app", 40, 40)]


def test_who_would_get_more_and_who_less_is_counted(tmp_path: Path) -> None:
    report, compared = compare(written(tmp_path), shop(PLAIN), shop(CHANGED))
    assert report.campaigns[0].entered == 40
    assert compared.entered == {"a": (40, 20)}
    assert compared.changes == [Change("a", "in_app", 40, 40, users_more=20, users_less=20)]
    assert compared.users == 40
    assert len(compared.sample) == 10
    for user in compared.sample:
        ahead = 1 if int(user.user_id[1:]) % 4 > 1 else -1
        assert user.messages == {"a in_app": ahead}


def test_what_goes_at_another_time_or_says_something_else_is_counted(tmp_path: Path) -> None:
    later = PLAIN.replace("wait: 10m", "wait: 20m")
    _, compared = compare(written(tmp_path), shop(PLAIN), shop(later))
    assert compared.changes == [Change("a", "in_app", 40, 40, other_time=40)]
    files = {"campaigns/a.yaml": PLAIN.replace("template: hello", "template: bye"), **HELLO}
    other = load_shop({**files, "templates/bye.in_app.liquid": "Bye"})
    _, compared = compare(written(tmp_path), shop(PLAIN), other)
    assert compared.changes == [Change("a", "in_app", 40, 40, other_template=40)]
    assert compared.users == 0


def test_the_first_of_a_users_messages_is_held_against_his_first(tmp_path: Path) -> None:
    """One more of them is one more, and none at another time."""
    twice = PLAIN + "  - {wait: 1h, id: hour}\n  - {send: in_app, template: hello, id: again}\n"
    _, compared = compare(written(tmp_path), shop(PLAIN), shop(twice))
    assert compared.changes == [Change("a", "in_app", 40, 80, users_more=40)]
    _, compared = compare(written(tmp_path), shop(twice), shop(PLAIN))
    assert compared.changes == [Change("a", "in_app", 80, 40, users_less=40)]


def test_the_command_says_where_there_are_as_many_messages_at_another_time(
    tmp_path: Path,
) -> None:
    file = written(tmp_path)
    for name, wait in (("one", "10m"), ("two", "1h")):
        campaign = PLAIN.replace("10m", wait)
        for path, text in {"campaigns/a.yaml": campaign, "hairspring.toml": "", **HELLO}.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
    said = [str(tmp_path / "one"), "--events", str(file), "--compare", str(tmp_path / "two")]
    lines = CliRunner().invoke(command, said).output.splitlines()
    assert lines[-3:] == [
        "the other shop would send everybody as many messages, and not as here:",
        "campaign   channel   here   there   users more   users less   other time   other template",
        "a          in_app    40     40      -            -            40           -",
    ]


def test_the_same_files_give_the_same_comparison(tmp_path: Path) -> None:
    file = written(tmp_path)
    first = compare(file, shop(PLAIN), shop(CHANGED))
    assert first == compare(file, shop(PLAIN), shop(CHANGED))


def test_the_first_shop_is_told_as_if_it_ran_alone(tmp_path: Path) -> None:
    file = written(tmp_path)
    options = Options(until_ms=parse_instant_ms("2026-01-01T10:20Z"))
    with open_events(str(file)) as source:
        alone = run_shop(shop(PLAIN), source, options=options)
    beside, compared = compare(file, shop(PLAIN), shop(CHANGED), until_ms=options.until_ms)
    assert beside == alone
    assert beside.after_until == 19
    assert compared.entered == {"a": (21, 10)}


def test_a_campaign_that_only_one_of_them_has_is_told(tmp_path: Path) -> None:
    other = load_shop({"campaigns/b.yaml": PLAIN.replace("campaign: a", "campaign: b"), **HELLO})
    _, compared = compare(written(tmp_path, 3), shop(PLAIN), other)
    assert compared.entered == {"a": (3, 0), "b": (0, 3)}
    assert compared.changes == [
        Change("a", "in_app", 3, 0, users_less=3),
        Change("b", "in_app", 0, 3, users_more=3),
    ]


def test_the_command_tells_both(tmp_path: Path) -> None:
    file = written(tmp_path)
    for name, campaign in (("one", PLAIN), ("two", CHANGED)):
        for path, text in {"campaigns/a.yaml": campaign, "hairspring.toml": "", **HELLO}.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
    said = [str(tmp_path / "one"), "--events", str(file), "--compare", str(tmp_path / "two")]
    done = CliRunner().invoke(command, said)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "pause       40        -           -         -          -          -        -" in lines
    start = lines.index("the other shop would send something else to 40 users:")
    assert lines[start + 1 : start + 4] == [
        "campaign   channel   here   there   users more   users less   other time   other template",
        "a          in_app    40     40      20           20           -            -",
        "a: 40 entered here, 20 there",
    ]
    assert lines[-1] == "  and 30 users more"
    told = msgspec.json.decode(CliRunner().invoke(command, [*said, "--json"]).output)
    assert told["compared"]["users"] == 40
    assert told["campaigns"][0]["steps"][0] == {"step": "pause", "reached": 40}
