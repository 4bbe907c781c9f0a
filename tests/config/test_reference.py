"""The reference says every key there is, with its default, and its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from channels.settings import SETTINGS
from channels.templates.filters import FILTERS
from channels.templates.parsing import parse_template
from config import ShopInvalid, load_shop
from config.faults import Findings
from config.reading import read_settings
from config.schema import (
    CAMPAIGN,
    ENTER,
    EXIT,
    EXPECT,
    FUNCTIONS,
    GIVEN,
    GOAL,
    NAMES,
    PURPOSES,
    STATUSES,
    STEP_KEYS,
    STEPS,
    TEMPLATE_NAMES,
    TEST,
    TESTS,
)
from config.serving import WriteKey
from config.settings import COLLECTIONS, SECTIONS, Settings, ShopCollection

REFERENCE = Path(__file__).parents[2] / "docs/reference"
SETTINGS_PAGE = (REFERENCE / "settings.md").read_text()
TESTS_PAGE = (REFERENCE.parent / "how-to/test-your-shop.md").read_text()
CAMPAIGNS_PAGE = (REFERENCE / "campaigns.md").read_text()
SURVEYS_PAGE = (REFERENCE / "surveys.md").read_text()
TEMPLATES_PAGE = (REFERENCE / "templates.md").read_text()


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The cells of each table row below a heading, by the key in the first."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, heading
    lines = [line for line in found[1].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row[1:] for row in cells}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_settings_key_is_in_the_reference_with_its_default(section: str) -> None:
    told = rows(SETTINGS_PAGE, f"`[{section}]`")
    fields = msgspec.structs.fields(SECTIONS[section])
    known = {f"{section}.{field.encode_name}" for field in fields}
    extra = {"key", "rate", "rate_each", "origins"} if section == "keys" else set()
    assert set(told) == known | extra
    written = [
        f"{key} = {told[key][0].strip('`')}\n" for key in sorted(known) if told[key][0] != "none"
    ]
    findings = Findings()
    assert read_settings("".join(written), findings, {}) == Settings()
    assert findings.faults == []


@pytest.mark.parametrize("section", SECTIONS)
def test_the_reference_marks_what_is_still_to_be_built(section: str) -> None:
    told = rows(SETTINGS_PAGE, f"`[{section}]`")
    for field in msgspec.inspect.type_info(SECTIONS[section]).fields:  # type: ignore[attr-defined]
        extra = getattr(field.type, "extra", None) or {}
        later = told[f"{section}.{field.encode_name}"][1].startswith("*later*")
        assert later is ("later" in extra), field.encode_name


@pytest.mark.parametrize("channel", SETTINGS)
def test_the_reference_marks_what_of_a_channel_is_still_to_be_built(channel: str) -> None:
    told = rows(SETTINGS_PAGE, "`[channels.*]`")
    for field in msgspec.inspect.type_info(SETTINGS[channel]).fields:  # type: ignore[attr-defined]
        extra = getattr(field.type, "extra", None) or {}
        later = told[field.encode_name][1].startswith("*later*")
        assert later is ("later" in extra), field.encode_name


def test_every_key_of_a_write_key_is_in_the_reference() -> None:
    told = rows(SETTINGS_PAGE, "`[keys]`")
    assert {field.encode_name for field in msgspec.structs.fields(WriteKey)} <= set(told)


def test_every_key_of_every_channel_is_in_the_reference() -> None:
    told = rows(SETTINGS_PAGE, "`[channels.*]`")
    for kind in SETTINGS.values():
        assert {field.encode_name for field in msgspec.structs.fields(kind)} <= set(told)
    assert all(f"`{channel}`" in SETTINGS_PAGE for channel in SETTINGS)


def test_every_toml_example_loads() -> None:
    examples = blocks(SETTINGS_PAGE + TEMPLATES_PAGE, "toml")
    assert len(examples) >= 3
    secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
    env = {
        "SERVER_KEY": "s",
        "BROWSER_KEY": "b",
        "SMTP_PASSWORD": "p",
        "WEBHOOK_SECRET": secret,
        "FEED_TOKEN": "f",
    }
    for example in examples:
        assert load_shop({"hairspring.toml": example}, env=env).warnings == []


def test_every_key_of_a_campaign_is_in_the_reference() -> None:
    for heading, keys in (
        ("Keys of a campaign", CAMPAIGN),
        ("`enter`", ENTER),
        ("`exit`", EXIT),
        ("`goal`", GOAL),
    ):
        built = {name for name, key in keys.items() if not key.later}
        assert set(rows(CAMPAIGNS_PAGE, heading)) == built
    for words in (STATUSES, PURPOSES):
        assert all(f"`{word}`" in CAMPAIGNS_PAGE for word in words)


def test_every_step_and_its_keys_are_in_the_reference() -> None:
    told = rows(CAMPAIGNS_PAGE, "Steps")
    built = {name for name, key in STEPS.items() if not key.later}
    assert built == set(STEP_KEYS)
    assert built <= set(told)
    for step, keys in STEP_KEYS.items():
        assert {step, *re.findall(r"`(\w+)`", told[step][0])} == set(keys)
    assert {"template", "else", "expires"} <= set(told)


def test_what_is_still_to_be_built_is_named() -> None:
    introduction = CAMPAIGNS_PAGE.partition("## Keys of a campaign")[0]
    for keys in (CAMPAIGN, STEPS):
        assert all(f"`{name}`" in introduction for name, key in keys.items() if key.later)


def test_every_name_of_conditions_and_templates_is_in_the_reference() -> None:
    assert set(rows(CAMPAIGNS_PAGE, "Conditions")) == NAMES
    assert set(rows(CAMPAIGNS_PAGE, "Functions of history")) == FUNCTIONS
    templates = CAMPAIGNS_PAGE.partition("## Templates")[2]
    assert all(f"`{name}`" in templates for name in TEMPLATE_NAMES)


def test_every_example_of_a_condition_compiles() -> None:
    (example,) = blocks(CAMPAIGNS_PAGE, "cel")
    conditions = example.splitlines()
    assert len(conditions) >= 4
    for condition in conditions:
        said = f"audience: |\n  {condition}\nenter:\n  event: A\nsteps:\n  - exit: b\n"
        plan = load_shop({"campaigns/a.yaml": f"campaign: a\n{said}"}).plan
        assert plan.campaigns["a"].audience is not None


def test_every_campaign_example_loads() -> None:
    examples, segments = [], []
    for block in blocks(CAMPAIGNS_PAGE + SURVEYS_PAGE, "yaml"):
        (examples if block.startswith("campaign:") else segments).append(block)
    assert len(examples) >= 3
    assert len(segments) == 1
    templates = {
        f"templates/{name}.{channel}.liquid": "---\n"
        f"{'subject' if channel == 'email' else 'title'}: Hello\n---\nHello"
        for name in ("cart-reminder", "order-receipt", "welcome", "upgrade")
        for channel in ("email", "push", "in_app")
    }
    for example in examples:
        shop = {"campaigns/a.yaml": example, "segments.yaml": segments[0], **templates}
        assert load_shop(shop).warnings == []
        with pytest.raises(ShopInvalid, match="which is not there"):
            load_shop({"campaigns/a.yaml": example})


@pytest.mark.parametrize(
    "example", blocks(CAMPAIGNS_PAGE + TEMPLATES_PAGE + SURVEYS_PAGE, "liquid")
)
def test_the_template_examples_parse(example: str) -> None:
    template = parse_template("a", "email", example, "a.email.liquid", names=TEMPLATE_NAMES)
    assert template.html
    assert template.unknown_names == ()


def test_every_filter_of_ours_is_in_the_reference() -> None:
    told = re.findall(r"`(\w+)(?::[^`]*)?`", TEMPLATES_PAGE.partition("## Filters")[2])
    assert set(FILTERS) <= set(told)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_key_of_a_collection_is_in_the_reference_with_its_default(name: str) -> None:
    told = rows(SETTINGS_PAGE, "`[collections.*]`")
    fields = {field.encode_name for field in msgspec.structs.fields(COLLECTIONS[name])}
    prefix = f"collections.{name}."
    assert {key.removeprefix(prefix) for key in told if key.startswith(prefix)} == fields
    assert {field.encode_name for field in msgspec.structs.fields(ShopCollection)} <= set(told)
    written = [f"{prefix}{key} = {told[prefix + key][0].strip('`')}\n" for key in sorted(fields)]
    findings = Findings()
    assert read_settings("".join(written), findings, {}) == Settings()
    assert findings.faults == []


def test_every_key_of_a_shop_test_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", TESTS_PAGE.partition("## Every key")[2]))
    assert {name for keys in (TESTS, TEST, GIVEN, EXPECT) for name in keys} <= told
