"""Golden scripts: a shop, what happens, and what came of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from config import load_shop, read_folder
from engine.core.instants import parse_instant_ms
from engine.sim.reading import Reading
from engine.sim.run import Options, Report, Run, arriving

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sim.sources import Source

GOLDEN = Path(__file__).parents[1] / "golden"
SCRIPTS = sorted(GOLDEN.glob("*.txt"))
SHORT = re.compile(r"(\S+) +(\S+) +([^{]*[^{ ])(?: +(\{.*\}))?")


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
