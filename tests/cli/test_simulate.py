from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from engine.cli.simulate import command
from engine.errors import HairspringError, UsageError
from engine.sim.sources import EventsUnreadable

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGN = """
campaign: cart
enter: {event: Product Added}
exit: {event: Order Completed}
steps:
  - {wait: 30m, id: w}
  - {send: push, else: [email, in_app], template: nudge, id: first}
"""

EVENTS = [
    '{"type": "identify", "user_id": "u1", "timestamp": 0, "traits": {"email": "a@example.com"}}',
    '{"user_id": "u1", "event": "Product Added", "timestamp": "2026-01-01T10:00:00Z"}',
    '{"user_id": "u2", "event": "Product Added", "timestamp": "2026-01-01T10:00:01Z"}',
    '{"user_id": "u2", "event": "Order Completed", "timestamp": "2026-01-01T10:20:00Z"}',
    '{"user_id": "u3"}',
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "campaigns").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "hairspring.toml").write_text("")
    (folder / "campaigns" / "cart.yaml").write_text(CAMPAIGN)
    for channel in ("push", "email", "in_app"):
        (folder / "templates" / f"nudge.{channel}.liquid").write_text(
            "---\nsubject: Hello\n---\nHello {{ user.name }}"
            if channel == "email"
            else "Hello {{ user.name }}"
        )
    return folder


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(EVENTS))
    return path


def run(shop: Path, *args: object) -> Result:
    result = CliRunner().invoke(command, [str(shop), *map(str, args)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_summary_is_plain_and_aligned_where_there_is_no_terminal(
    shop: Path, events: Path
) -> None:
    result = run(shop, "--events", events)
    assert result.exit_code == 0
    head, *table = result.stdout.splitlines()
    assert head == (
        "4 events of 2 users, 1970-01-01T00:00:00.000Z to 2026-01-01T10:20:00.000Z; left out: "
        "1 bad line"
    )
    assert table == [
        "campaign   entered   sent       skipped   finished   exited    refused",
        "cart       2         in_app 1   -         1          event 1   -",
        "",
        "step of cart   reached   sent       skipped   deferred   branched   exited    waiting",
        "w              2         -          -         -          -          event 1   -",
        "first          1         in_app 1   -         -          -          -         -",
    ]
    assert result.stderr == "events.ndjson:5: $.event: missing\n"


def test_records_go_to_out_as_json_lines(shop: Path, events: Path, tmp_path: Path) -> None:
    out = tmp_path / "records.ndjson"
    assert run(shop, "--events", events, "--out", out).exit_code == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(record["at"], record["user_id"], record["kind"]) for record in records] == [
        ("2026-01-01T10:00:00.000Z", "u1", "entered"),
        ("2026-01-01T10:00:01.000Z", "u2", "entered"),
        ("2026-01-01T10:20:00.000Z", "u2", "exited"),
        ("2026-01-01T10:30:00.000Z", "u1", "sent"),
        ("2026-01-01T10:30:00.000Z", "u1", "finished"),
        ("2026-01-01T10:30:00.000Z", "u1", "delivered"),
    ]


def test_records_may_go_down_a_pipe_and_the_summary_beside_it(shop: Path, events: Path) -> None:
    with events.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "engine", "simulate", shop, "--events", "-", "--out", "-"],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()].count("sent") == 1
    assert "stdin:5: $.event: missing" in done.stderr
    assert "4 events of 2 users" in done.stderr


def test_machines_get_the_summary_as_json(shop: Path, events: Path) -> None:
    result = run(shop, "--events", events, "--json", "--fail", "in_app=1", "--render")
    told = json.loads(result.stdout)
    assert told["events"] == 4
    assert told["bad_lines_shown"] == ["events.ndjson:5: $.event: missing"]
    assert told["undefined"] == {"nudge.in_app": 1}
    steps = told["campaigns"][0].pop("steps")
    assert [(step["step"], step["reached"]) for step in steps] == [("w", 2), ("first", 1)]
    assert steps[0]["exited"] == {"event": 1}
    assert told["campaigns"] == [
        {
            "campaign": "cart",
            "entered": 2,
            "sent": {"in_app": 1},
            "failed": {"in_app": 1},
            "skipped": {},
            "skipped_unspoken": 0,
            "deferred": 0,
            "exited": {"event": 1},
            "finished": 1,
            "refused": {},
            "goals": 0,
            "goal_value": 0.0,
            "variants": {},
            "held_out": None,
        }
    ]


def test_the_share_lost_to_silence_about_consent_is_told(shop: Path, tmp_path: Path) -> None:
    (shop / "campaigns" / "cart.yaml").write_text(
        CAMPAIGN.replace("send: push, else: [email, in_app]", "send: email")
    )
    events = tmp_path / "more.ndjson"
    events.write_text("\n".join(EVENTS[:2]))
    result = run(shop, "--events", events)
    assert (
        "not sent, since the user never said yes or no to the channel: 1 message, 100.0% "
        '([consent] unknown = "deny")'
    ) in result.stdout


def test_who_could_not_be_reached_is_told_with_what_would_help(shop: Path, tmp_path: Path) -> None:
    (shop / "campaigns" / "cart.yaml").write_text(CAMPAIGN.replace(", in_app]", "]"))
    events = tmp_path / "more.ndjson"
    events.write_text(EVENTS[1])
    told = run(shop, "--events", events).stdout
    assert "had no address on any channel of the step: 1 message (identify calls bring" in told


def test_a_table_is_read_by_its_map(shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("who,did,at,price\nu1,Product Added,2026-01-01 10:00:00,5\n")
    result = run(
        shop, "--events", path, "--map", "user_id=who, event=did", "--map", "timestamp=at", "--json"
    )
    assert json.loads(result.stdout)["events"] == 1


def test_a_map_makes_a_csv_of_a_file_of_any_name(shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.txt"
    path.write_text("\ufeffwho,event,timestamp\nu1,Product Added,2026-01-01 10:00:00\n")
    result = run(shop, "--events", path, "--map", "user_id=who", "--json")
    assert json.loads(result.stdout)["events"] == 1
    piped = subprocess.run(
        [sys.executable, "-m", "engine", "simulate", shop, "--events", "-", "--map", "user_id=who"],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert piped.stdout.startswith(b"1 event of 1 user")


def test_a_map_given_with_ndjson_is_wrong_usage(shop: Path, events: Path) -> None:
    with pytest.raises(
        UsageError, match=r"--map names columns of a CSV, and events\.ndjson is JSON"
    ):
        run(shop, "--events", events, "--map", "event=action")


def test_json_that_is_called_csv_is_told_so(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS[1])
    with pytest.raises(EventsUnreadable, match="is JSON, and its name says CSV"):
        run(shop, "--events", tmp_path / "events.csv")


def test_one_column_cannot_be_the_user_and_the_event(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user_id,event,timestamp\nu1,Seen,1\n")
    with pytest.raises(EventsUnreadable, match="one column is mapped to two fields"):
        run(shop, "--events", tmp_path / "events.csv", "--map", "user_id=event")


def test_a_campaign_whose_event_never_came_is_told_with_those_that_did(
    shop: Path, tmp_path: Path
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        "user_id,event,timestamp\nu1,add_to_cart,1\nu1,add_to_cart,2\nu1,product\x1bview,3\n"
    )
    told = run(shop, "--events", path).stdout.splitlines()
    assert told[-2:] == [
        "cart: no event here is called Product Added",
        "the most frequent events here: add_to_cart, 'product\\x1bview'",
    ]
    report = json.loads(run(shop, "--events", path, "--json").stdout)
    assert report["never_came"] == {"cart": ["Product Added"]}


def test_an_event_that_is_passive_came(shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(
        '{"user_id": "u1", "event": "Product Added", "timestamp": 1, "passive": true}\n'
        '{"user_id": "u1", "event": "Seen", "timestamp": 2}\n'
    )
    report = json.loads(run(shop, "--events", path, "--json").stdout)
    assert report["never_came"] == {}
    assert report["campaigns"][0]["entered"] == 1


def test_nothing_is_told_of_events_where_each_campaign_met_its_own(
    shop: Path, events: Path
) -> None:
    assert "events here" not in run(shop, "--events", events).stdout
    assert json.loads(run(shop, "--events", events, "--json").stdout)["names"] == []


def test_until_takes_iso_8601_or_milliseconds(shop: Path, events: Path) -> None:
    for until in ("2026-01-01T10:29:59.9999999Z", "1767263399999"):
        told = json.loads(run(shop, "--events", events, "--until", until, "--json").stdout)
        assert told["campaigns"][0]["sent"] == {}
    told = json.loads(run(shop, "--events", events, "--until", "1767263400000", "--json").stdout)
    assert told["campaigns"][0]["sent"] == {"in_app": 1}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--until", "tomorrow"], "'tomorrow' is no instant"),
        (["--fail", "fax=0.1"], "'fax' is no channel; there are email, push"),
        (["--fail", "push"], "'push': give a share from 0 to 1, as push=0.1"),
        (["--fail", "push=1.5"], "give a share from 0 to 1"),
        (["--fail", "push=nan"], "give a share from 0 to 1"),
        (["--map", "user=who"], "'user=who': write FIELD=COLUMN; fields are user_id, event"),
        (["--map", "event="], "write FIELD=COLUMN"),
        (["--map", "event=a,event=b"], "'event' is there twice; give it one column"),
        (["--fail", "push=0.1", "--fail", "push=1"], "'push' is there twice; give it one share"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_right(
    shop: Path, events: Path, args: list[str], told: str
) -> None:
    result = run(shop, "--events", events, *args)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.replace("│", " ").split())


def test_the_file_of_events_is_never_overwritten(shop: Path, events: Path) -> None:
    before = events.read_text()
    result = run(shop, "--events", events, "--out", events.parent / "." / events.name)
    assert result.exit_code == 2
    assert events.read_text() == before


def test_an_out_that_cannot_be_written_is_told_with_its_name(
    shop: Path, events: Path, tmp_path: Path
) -> None:
    with pytest.raises(HairspringError, match="cannot be written: Is a directory"):
        run(shop, "--events", events, "--out", tmp_path)


def test_a_file_without_any_event_fails(shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "none.ndjson"
    path.write_text("[]\n")
    with pytest.raises(EventsUnreadable, match="its only line is no event"):
        run(shop, "--events", path)


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert "hairspring simulate my-shop --events events.ndjson.gz" in result.stdout


def test_faults_of_the_shop_are_json_where_json_was_asked_for(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    (shop / "campaigns").mkdir(parents=True)
    (shop / "campaigns/bad.yaml").write_text("campaign: Bad One")
    (tmp_path / "events.ndjson").write_text("{}")
    asked = [str(shop), "--events", str(tmp_path / "events.ndjson"), "--json"]
    told = CliRunner().invoke(command, asked)
    assert told.exit_code == 1
    assert json.loads(told.output)["faults"][0]["path"] == "campaigns/bad.yaml"
