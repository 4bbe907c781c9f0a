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
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from config import load_shop, read_folder
from engine.core.instants import parse_instant_ms
from engine.sim.reading import Reading
from engine.sim.run import Options, Report, Run, arriving, run_shop
from engine.sim.sources import open_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.sources import Source

GOLDEN = Path(__file__).parents[1] / "golden"
SCRIPTS = sorted(GOLDEN.glob("*.txt"))
RESULTS = ("records", "summary")
SHORT = re.compile(r"(\S+) +(\S+) +([^{]*[^{ ])(?: +(\{.*\}))?")
IDS = ("enrollment", "message")  # hashes tell a reader nothing


def parts_of(text: str) -> dict[str, str]:
    head, *rest = re.split(r"^=== (.+)\n", text, flags=re.MULTILINE)
    titles = [title.strip() for title in rest[::2]]
    assert len(set(titles)) == len(titles), "a part is there twice"
    return {"": head, **dict(zip(titles, rest[1::2], strict=True))}


def event_line(line: str) -> str:
    found = SHORT.fullmatch(line)
    if found is None or line.startswith(("{", "!")):
        return line.removeprefix("!")
    at, user_id, name, said = found.groups()
    item: dict[str, Any] = {"timestamp": at, "user_id": user_id}
    if name == "identify":
        item |= {"type": name, "traits": json.loads(said)}
    else:
        item |= {"event": name, "properties": json.loads(said or "{}")}
    return json.dumps(item)


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


def files_of(parts: dict[str, str]) -> dict[str, str]:
    files = read_folder(GOLDEN / parts["shop"].strip()) if "shop" in parts else {}
    own = {title: text for title, text in parts.items() if "." in title and " " not in title}
    return {"hairspring.toml": "", **files, **own}


def reloads_of(parts: dict[str, str]) -> dict[int, dict[str, str]]:
    """By instant, in order of time, the files that are others from then on."""
    found: dict[int, dict[str, str]] = {}
    for title, text in parts.items():
        if title.startswith("reload "):
            _, at, path = title.split()
            found.setdefault(parse_instant_ms(at), {})[path] = text
    return dict(sorted(found.items()))


def reloaded(files: dict[str, str], changed: dict[str, str]) -> dict[str, str]:
    return {path: text for path, text in (files | changed).items() if text or "/" not in path}


def run_reloaded(
    files: dict[str, str],
    reloads: dict[int, dict[str, str]],
    source: Source,
    options: Options,
    write: Callable[[bytes], object],
) -> Report:
    """As `run_shop`, with other shops from these instants on, that everybody takes on at once."""
    reading, names = Reading("events"), Counter[str]()
    inputs = list(arriving(source.inputs(reading, {}), names, None))
    run = Run(load_shop(files), options)
    processor = run._simulation.processor
    begun_ms = 0
    for at_ms, changed in reloads.items():
        run._options = msgspec.structs.replace(options, until_ms=at_ms - 1)
        for _ in run.records([one for one in inputs if begun_ms <= arrived(one) < at_ms], write):
            pass
        files = reloaded(files, changed)
        run.shop = load_shop(files)
        processor.adopt(run.shop.plan, at_ms)
        while processor.sweep():
            pass
        begun_ms = at_ms
    run._options = options
    for _ in run.records([one for one in inputs if begun_ms <= arrived(one)], write):
        pass
    return run.report(reading, names)


def arrived(happened: Any) -> int:
    at_ms: int = happened.received_at_ms
    return at_ms


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
