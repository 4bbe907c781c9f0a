"""Golden scripts: a shop and events above, what `simulate` makes of them below.

A script in `tests/golden` is parts with a `=== title` line each: files of the shop, or `shop` with
the name of a folder that has them, `events`, maybe `options`, and `records` and `summary` at the
end. An event is NDJSON as it is, or for short: `INSTANT USER EVENT {properties}`, or
`INSTANT USER identify {traits}`. A part `reload INSTANT FILE` is what that file of the shop is from
then on; where it is empty, the file is gone. `pytest tests/sim --rewrite` writes the last two parts
anew; read the difference before you keep it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from config import load_shop
from engine.core.instants import parse_instant_ms
from engine.sim.run import Options, Report, run_shop
from engine.sim.sources import open_events
from tests.sim.scripts import SCRIPTS, event_line, files_of, parts_of, reloads_of, run_reloaded

if TYPE_CHECKING:
    from pathlib import Path


RESULTS = ("records", "summary")
IDS = ("enrollment", "message")  # hashes tell a reader nothing


def shown(line: bytes) -> str:
    record = json.loads(line)
    first = " ".join(record.pop(key) for key in ("at", "user_id", "campaign", "kind"))
    return " ".join([first, *(f"{k}={v!r}" for k, v in record.items() if k not in IDS)])


def summary_of(report: Report) -> list[str]:
    told = msgspec.to_builtins(report)
    campaigns = told.pop("campaigns")
    told.pop("first_at")
    told.pop("last_at")
    lines = [" ".join(f"{key}={value}" for key, value in told.items() if value)]
    for campaign in campaigns:
        name = campaign.pop("campaign")
        campaign.pop("steps")
        if any(campaign.values()):
            lines.append(f"{name}: " + " ".join(f"{k}={v}" for k, v in campaign.items() if v))
    return lines


def options_of(text: str) -> Options:
    said = dict(line.split(None, 1) for line in text.splitlines() if line)
    fail = dict(pair.split("=") for pair in said.get("fail", "").split())
    return Options(
        until_ms=parse_instant_ms(said["until"]) if "until" in said else None,
        failing={channel: float(share) for channel, share in fail.items()},
        render=said.get("render") == "yes",
    )


def run_script(parts: dict[str, str], folder: Path) -> dict[str, str]:
    events = folder / "events.ndjson"
    events.write_text("\n".join(map(event_line, parts["events"].splitlines())))
    lines: list[bytes] = []
    files, options = files_of(parts), options_of(parts.get("options", ""))

    def write(block: bytes) -> None:
        lines.extend(block.splitlines())

    with open_events(str(events)) as source:
        if reloads := reloads_of(parts):
            report = run_reloaded(files, reloads, source, options, write)
        else:
            shop = load_shop(files)
            report = run_shop(shop, source, options=options, write=write, label="events")
    return {
        "records": "".join(f"{shown(line)}\n" for line in lines),
        "summary": "".join(f"{line}\n" for line in summary_of(report)),
    }


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_gives_what_stands_below_it(
    script: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = script.read_text()
    parts = parts_of(text)
    results = run_script(parts, tmp_path)
    if request.config.getoption("--rewrite", default=False):
        inputs = text.split("=== records\n")[0]
        written = "".join(f"=== {title}\n{results[title]}" for title in RESULTS)
        script.write_text(inputs + written)
        return
    assert [parts[title].splitlines() for title in RESULTS] == [
        results[title].splitlines() for title in RESULTS
    ]


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 5
