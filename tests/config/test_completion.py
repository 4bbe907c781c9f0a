"""JSON Schemas take every file of a shop that checks, and refuse what is wrong with its structure.

Which faults are of structure is told by their words: keys that nobody knows or that are missing,
values of the wrong kind, words that there are not.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from config import ShopInvalid, load_shop, read_folder, read_tests, read_tests_folder
from config.completion import KINDS, schema_of
from config.starter import demo_shop
from config.yaml12 import YamlFault, compose, plain
from tests.config.cases import BASE, CASES, ENV, sections
from tests.config.defaults import DEFAULTS

ROOT = Path(__file__).parents[2]
VALIDATORS = {kind: Draft202012Validator(schema_of(kind)) for kind in KINDS}
SHOPS = [demo_shop(), ROOT / "tests/golden/shop"]
STRUCTURAL = re.compile(
    r"unknown key|unknown section|unknown channel"
    r"|is missing|is a map|is a list|is an empty list|is the number|is the text|several things"
    r"|is not a duration|is no duration|is no size|does not fit here|is not known here|is no list"
    r"|is no table|names no channel|is no step|is several steps|is 'sometimes'|is no instant$"
    r"|says nothing|beside `expect`|has no day"
)


def kind_of(path: str) -> str | None:
    folder = path.partition("/")[0] if path.endswith((".yaml", ".toml")) else ""
    kinds = {
        "hairspring.toml": "settings",
        "segments.yaml": "segments",
        "tracking-plan.yaml": "tracking-plan",
        "campaigns": "campaign",
        "tests": "tests",
    }
    return kinds.get(folder)


def complaints(path: str, text: str) -> list[str]:
    kind = kind_of(path)
    if kind is None or (kind in {"segments", "tracking-plan"} and not text.strip()):
        return []
    data = tomllib.loads(text) if kind == "settings" else plain(compose(text)[0])
    return [error.message for error in VALIDATORS[kind].iter_errors(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_every_file_of_a_shop_fits(shop: Path) -> None:
    files = {**read_folder(shop), **read_tests_folder(shop)}
    assert {path: found for path in files if (found := complaints(path, files[path]))} == {}
    assert len(files) > 2


def test_every_setting_fits_as_it_is_written() -> None:
    assert complaints("hairspring.toml", DEFAULTS) == []
    assert complaints("hairspring.toml", '[guardrails]\nholdout = "12.5%"') == []
    assert complaints("hairspring.toml", "[guardrails]\nholdout = 0.1") != []


@pytest.mark.parametrize(
    ("key", "step", "fits"),
    [
        ("group: a", "repeat: {times: 1000, steps: [{exit: gone}]}", True),
        ("group: Re Covery", "exit: gone", False),
        ("group: a", "repeat: {steps: [{exit: gone}]}", False),
        ("group: a", "repeat: {times: 1001, steps: [{exit: gone}]}", False),
        ("group: a", 'wait: {until: "18:30", days: [mon, sun]}', True),
        ("group: a", 'wait: {until: "18:30", days: [tues]}', False),
    ],
)
def test_a_campaign_fits_where_its_reader_takes_it(key: str, step: str, *, fits: bool) -> None:
    text = f"campaign: a\n{key}\nenter: {{event: In}}\nsteps:\n  - {step}\n"
    files = {**BASE, "campaigns/a.yaml": text}
    assert (complaints("campaigns/a.yaml", text) == []) == (faults_of(files) == []) == fits


def faults_of(files: dict[str, str]) -> list[tuple[str, str]]:
    tests = {name: files[name] for name in files if name.startswith("tests/")}
    others = {name: files[name] for name in files if name not in tests}
    try:
        read_tests(tests, load_shop(others, env=ENV))
    except ShopInvalid as invalid:
        return [(fault.path, fault.message) for fault in invalid.faults]
    return []


@pytest.mark.parametrize(
    ("title", "body"), [case[1:] for case in CASES], ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_a_schema_says_no_where_the_structure_is_wrong(title: str, body: str) -> None:
    files = BASE | {name: text + "\n" for name, text in sections(body, "@@") if name != "expect"}
    faults = faults_of(files)
    for path, text in files.items():
        if kind_of(path) is None:
            continue
        told = [message for at, message in faults if at == path]
        try:
            found = complaints(path, text)
        except (YamlFault, tomllib.TOMLDecodeError):
            continue
        of_structure = [one for one in told if STRUCTURAL.search(one) and ", column " not in one]
        if of_structure:
            assert found, (title, path, of_structure)
        elif not told:
            assert found == [], (title, path)


def without_words(shape: dict[str, object]) -> list[str]:
    properties = shape.get("properties", {})
    assert isinstance(properties, dict)
    return [name for name, one in properties.items() if "description" not in one]


def test_every_key_of_a_campaign_and_a_test_has_a_shape_and_words() -> None:
    for kind in ("campaign", "tests"):
        schema = schema_of(kind)
        parts = [schema, *schema["$defs"].values()]
        assert [name for part in parts for name in without_words(part)] == []
