"""What `/metrics` tells, what the reference says that it tells, and what Grafana asks of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from config import load_shop
from engine.app import App, Options
from engine.runtime.admin.gauges import room_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs/reference/metrics.md"
DASHBOARD = ROOT / "docs/dashboards/hairspring.json"
KEY = "demo-write-key"
FILES = {
    "hairspring.toml": (
        "[consent]\nrequired = []\n[alerts]\nto = 'log'\n"
        "[catalog]\nurl = 'http://127.0.0.1:9/none'\n"
    ),
    "templates/t.in_app.liquid": "---\ntitle: Hi\n---\nHi {{ user.none }}",
    "templates/t.webhook.liquid": "{}",
    "campaigns/c.yaml": """
campaign: c
enter: {event: Go}
steps:
  - {wait: 1ms, id: w}
  - {send: in_app, template: t, id: one}
  - {send: webhook, template: t, id: two}
  - {if: user.none > 1, id: x, then: [{exit: never}]}
""",
}


@pytest.fixture
async def told(tmp_path: Path) -> dict[str, Any]:
    """Families by name, of a process in which something happened."""
    app = await App.start(load_shop(FILES), Options(data=tmp_path, port=0))
    async with aiohttp.ClientSession() as client:
        for key, event in ((KEY, "Go"), ("wrong", "Go"), (KEY, "")):
            body = {"user_id": "ada", "event": event}
            url, headers = f"{app.ingest.url}/events", {"Authorization": f"Bearer {key}"}
            async with client.post(url, json=body, headers=headers) as answer:
                await answer.read()
        await app.shell.settle()
        async with client.get(f"{app.admin.url}/metrics") as answer:
            text = await answer.text()
    await app.stop()
    return {family.name: family for family in text_string_to_metric_families(text)}


def documented() -> Iterator[tuple[str, str, set[str]]]:
    """Name, kind and labels, of each row of the table."""
    for row in re.findall(r"^\| (`[a-z].*)\|$", REFERENCE.read_text(), re.MULTILINE):
        names, kinds, labels, _ = (cell.strip() for cell in row.split(" |", 3))
        for name in re.findall(r"`(\w+)`", names):
            yield name, kinds, set(re.findall(r"`(\w+)`", labels))


async def test_the_table_has_all_that_is_told_and_nothing_else(told: dict[str, Any]) -> None:
    rows = {name.removesuffix("_total"): (kinds, labels) for name, kinds, labels in documented()}
    served = {name.removesuffix("_created"): one for name, one in told.items()}
    assert set(rows) == set(served)
    for name, family in told.items():
        if name.endswith("_created"):
            continue
        kinds, labels = rows[name]
        assert family.type in kinds, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, name


async def test_grafana_asks_for_what_there_is(told: dict[str, Any]) -> None:
    dashboard = msgspec.json.decode(DASHBOARD.read_bytes())
    labels = {name: more for name, _, more in documented()}
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) > len(panels) > 20
    for expr in asked:
        names = re.findall(r"\b(?:hairspring|process)_\w+", expr)
        assert names, expr
        for name in names:
            base = name.removesuffix("_bucket")
            family = told[base.removesuffix("_total")]
            assert (family.type == "histogram") is name.endswith("_bucket"), expr
            assert (family.type == "counter") is name.endswith("_total"), expr
            known = labels[base] | {"instance"} | ({"le"} if base != name else set())
            grouped = [
                one.strip() for by in re.findall(r"by \(([^)]*)\)", expr) for one in by.split(",")
            ]
            chosen = re.findall(r"(\w+)=~?\"", expr)
            assert set(grouped) | set(chosen) <= known, expr
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


async def test_files_and_ages_are_those_of_the_disk(told: dict[str, Any]) -> None:
    sizes = {one.labels["file"]: one.value for one in told["hairspring_file_bytes"].samples}
    assert sizes["database"] > 0
    assert sizes["log"] > 0
    (free,) = told["hairspring_disk_free_bytes"].samples
    assert free.value > 0
    (age,) = told["hairspring_journal_age_seconds"].samples
    assert age.value >= 0


def test_a_disk_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    assert room_of(tmp_path / "gone" / "shop.db") == (0, 0, -1)
