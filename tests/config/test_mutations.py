"""Campaigns as a careless hand, a bad merge or a hostile one leaves them: told, never met halfway.

Valid files are mutated as data (keys go, get other names, values of other kinds, parts stand where
others stood) and as text (lines and characters go, come and double, anchors, tags, control
characters). Whatever comes of it, `check` tells faults with a line that the file has, or the shop
loads, and then events, starts and time go through it.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config import Shop, ShopInvalid, load_shop
from config.schema import (
    CAMPAIGN,
    CHOICE,
    EMIT,
    ENTER,
    EXIT,
    GOAL,
    REPEAT,
    SPLIT,
    STEP_KEYS,
    VARIANT,
    WAIT,
)
from engine.core.inputs import EventReceived, TriggerReceived, UserIdentified
from engine.sim.simulate import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random  # noqa: TID251 - Hypothesis draws from it

    from engine.core.inputs import UserInput

ROOT: Final = Path(__file__).parents[2]
START_MS: Final = 1_800_000_000_000
HOUR_MS: Final = 3_600_000

SEGMENTS: Final = """
rich: user.balance > 1000.0
vip: {when: 'in_segment("rich") && did("Order Completed", "30d")', description: Rich}
"""

EVERYTHING: Final = """
campaign: everything
description: all of it
status: live
purpose: marketing
priority: 60
group: recovery
audience: '!(user.country in ["XX"])'
enter: {event: [Product Added, Told], when: event.price > 20.0, per: event.product_id,
        reentry: 48h, while_active: restart}
exit: {event: Order Completed, when: 'did("Cart Cleared", "1d") && idle("30m")'}
goal: {event: Order Completed, when: event.total > 1.0, within: 7d, value: event.total}
holdout: 10%
steps:
  - {wait: 30m, id: first}
  - send: email
    template: hello
    else: [push, in_app]
    expires: 10m
    id: hello
  - wait: {until: "18:30", days: [mon, fri], timezone: Europe/Paris}
    id: evening
  - wait: {event: Product Viewed, when: event.price > 3, at_most: 24h,
           then: [{exit: bought}], else: [{set: {tier: at-risk, n: '=user.n + 1'}}]}
    id: viewed
  - wait: {when: 'count("Product Viewed", "1h") >= 2 && !in_segment("vip")', at_most: 2d}
    id: when
  - if: user.vip == true || now < timestamp("2030-01-01T00:00:00Z")
    then: [{emit: {event: Told, properties: {price: 3.5, n: '=count("Told")'}}}]
    else: [{send: preferred, template: hello, id: best}]
  - choose:
      - {when: user.country == "FR", steps: [{send: sms, template: hello, id: fr}]}
      - {else: [{wait: 1m, id: other}]}
  - split: {name: copy, variants: {a: {weight: 1, steps: [{wait: 1h, id: a}]}, b: {weight: 3}}}
    id: split
  - repeat: {times: 3, every: 2d, until: 'did("Order Completed", "30d")',
             steps: [{send: in_app, template: hello, id: again}]}
    id: repeat
  - exit: done
"""

BY_CONDITION: Final = """
campaign: by-condition
enter: {when: 'did("Product Added", "7d") && idle("30m") && since("Product Viewed") >= "5m"'}
goal: {event: Order Completed}
steps:
  - split: {name: words, mode: bandit, variants: {a: {steps: []}, b: {steps: []}}}
  - if: variant == "a"
    then: [{exit: a}]
  - {send: webhook, template: hello, id: hook}
"""

DEMO: Final = [path.read_text() for path in sorted((ROOT / "config/demo_shop/campaigns").iterdir())]
SEEDS: Final = [EVERYTHING, BY_CONDITION, *DEMO]
BODIES: Final = {
    "email": "---\nsubject: Hi\n---\nHello {{ user.first_name }} {{ cart.size }}",
    "push": "---\ntitle: Hi\n---\nHello",
    "sms": "Hello",
    "in_app": "Hello {{ variant }}",
    "webhook": "{}",
}
SENT: Final = (ROOT / "config/demo_shop/templates").iterdir()
NAMES: Final = {"hello", *(path.name.partition(".")[0] for path in SENT)}
TEMPLATES: Final = {
    f"templates/{name}.{channel}.liquid": text
    for name in sorted(NAMES)
    for channel, text in BODIES.items()
}

KEYS: Final = sorted(
    set().union(
        CAMPAIGN, CHOICE, EMIT, ENTER, EXIT, GOAL, REPEAT, SPLIT, VARIANT, WAIT,
        *STEP_KEYS.values(), ["preferred", "stepz", "on", "", "é", "<<", "\u202e", "a b", "0"],
    )
)  # fmt: skip
ODD: Final[list[Any]] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**6,
    10**30,
    -(2**63),
    2**64,
    1e308,
    float("inf"),
    float("nan"),
    "",
    " ",
    "=",
    "=1",
    "= ",
    "x" * 5_000,
    "é",
    "😀",
    "\u202e",
    "\u2028",
    "\x85",
    "a\nb",
    "0s",
    "-1h",
    "1h1h",
    "999999999w",
    "9" * 400 + "s",
    "25:00",
    "24:00",
    "18:30",
    "Europe/Paris",
    "Mars/Olympus",
    "101%",
    "-1%",
    "50%",
    "never",
    "always",
    "live",
    "test",
    "draft",
    "paused",
    "archived",
    "email",
    "preferred",
    "hello",
    "vip",
    "rich",
    "mon",
    "2026-01-01",
    "012",
    "on",
    "~",
    "null",
    "{",
    "}",
    "[",
    "*",
    "&a",
    "!x",
    "#",
    ":",
    "- a",
    "'",
    '"',
    "Order Completed",
    "Session Started",
    "Told",
    "user.vip",
    "event.price > 3",
    "1 / 0 > 1",
    "variant == 'a'",
    "now",
    "now > now",
    "true",
    "false",
    "cart.size > 0",
    "count('A') > 9999",
    "(" * 60,
    "!" * 200 + "true",
    "a" * 200 + "()",
    "1 +" * 2_000 + "1",
    "content.x == 1",
    "last('A').b",
    "[1,2,3].all(x, x > 0)",
    "received('x') > 1",
    "in_segment('nobody')",
    "idle('0s')",
    "score('m') > 0.5",
    "session.first",
    "event_name == 'Told'",
    [],
    {},
    [[]],
    [None],
    ["email", "email"],
    {"event": "Told"},
    {"when": "true"},
    {"manual": True},
    {"segment": "vip"},
    {"exit": "x"},
    {"wait": "1m"},
    [{"wait": "1m"}],
    [{"emit": {"event": "Told"}}],
    {"send": "email", "template": "hello"},
    {"set": {"a": float("inf")}},
    {"": ""},
    {"a": {"b": {}}},
]
TEXTS: Final = [
    "\t",
    "\x00",
    "\x07",
    "\ufeff",
    "\u2028",
    "\r",
    "\r\n",
    "---\n",
    "...\n",
    "%YAML 9.9\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!python/object:os.system ",
    "!!binary ",
    "? ",
    "| ",
    "> ",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "- ",
    "#",
    "\\",
    "\ud7ff",
    "😀",
    "é",
    "@",
    "`",
    "0x",
    "~",
    "=",
    "&a [*a]",
    "a: &a [x]\nb: *a\n",
    "\n",
    "  ",
    "[" * 40,
    "[" * 5_000,
    "{a: " * 40,
    "]" * 40,
]


def places(data: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each part of some data, itself first."""
    found = [at]
    entries: Any = ()
    if isinstance(data, dict):
        entries = data.items()
    elif isinstance(data, list):
        entries = enumerate(data)
    for key, inner in entries:
        found += places(inner, (*at, key))
    return found


def part(data: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        data = data[key]
    return data


def odd(rng: Random) -> Any:
    """A copy: what is put in may be mutated next."""
    return deepcopy(rng.choice(ODD))


def nested(depth: int) -> Any:
    value: Any = "x"
    for number in range(depth):
        value = [value] if number % 2 else {"steps": value}
    return value


def mutate_data(data: Any, rng: Random) -> Any:
    """The data with one thing about it changed."""
    ways = places(data)[1:]
    if not ways:
        return odd(rng)
    at = rng.choice(ways)
    holder, key = part(data, at[:-1]), at[-1]
    kind = rng.randrange(9)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = holder.pop(key)
    elif kind == 2 and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = odd(rng)
    elif kind == 3:
        holder[key] = deepcopy(part(data, rng.choice(ways)))
    elif kind == 4:
        holder[key] = [holder[key]] if rng.random() < 0.5 else {rng.choice(KEYS): holder[key]}
    elif kind == 5 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    elif kind == 6:
        holder[key] = nested(rng.choice([5, 31, 33, 60]))
    else:
        holder[key] = odd(rng)
    return data


def mutate_text(text: str, rng: Random) -> str:
    """The text with a line or some characters of it gone, come or doubled."""
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(text) + 1)
    kind = rng.randrange(5)
    if kind == 0:
        return text[:at] + rng.choice(TEXTS) + text[at:]
    if kind == 1:
        return text[:at] + text[at + rng.randrange(1, 12) :]
    if kind == 2:
        return text[:at]
    line = rng.randrange(max(1, len(lines)))
    if kind == 3:
        return "".join([*lines[:line], *lines[line + 1 :]])
    return "".join([*lines[: line + 1], *lines[line : line + rng.randrange(1, 4)], *lines[line:]])


def mutated(text: str, rng: Random) -> str:
    try:
        data = yaml.safe_load(text)
        for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
            if isinstance(data, dict | list):
                data = mutate_data(data, rng)
        flow = rng.choice([None, False, True])
        text = yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    except (
        TypeError,
        ValueError,
        OverflowError,
    ):  # msgpack knows no number as large as some of ODD
        pass
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        text = mutate_text(text, rng)
    return text


def check(files: dict[str, str]) -> Shop | None:
    """The shop, where it has no fault; each fault and warning names a place that is there."""
    shop = None
    try:
        shop = load_shop(files)
        told = shop.warnings
    except ShopInvalid as invalid:
        told = [*invalid.faults, *invalid.warnings]
    for one in told:
        assert one.path in files
        assert 1 <= one.line <= len(re.split(r"\r\n|[\r\n\x85\u2028\u2029]", files[one.path])) + 1
        assert one.message
        assert re.fullmatch(r"[^:]+:\d+: .+", str(one))
        assert str(one).isprintable()
    return shop


def happenings() -> list[UserInput]:
    """What a few users do within two days."""
    inputs: list[UserInput] = []

    def happen(make: Callable[[str, int], UserInput]) -> None:
        at_ms = START_MS + len(inputs) * HOUR_MS // 2
        inputs.append(make(f"u{len(inputs) % 3}", at_ms))

    def event(name: str, **properties: object) -> None:
        raw = msgspec.Raw(msgspec.json.encode(properties))
        happen(lambda user_id, at_ms: EventReceived(user_id, name, at_ms, at_ms, raw))

    def identify(**traits: object) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        happen(lambda user_id, at_ms: UserIdentified(user_id, at_ms, at_ms, raw))

    for turn in range(4):
        identify(email="a@example.com", consent={"email": True}, vip=turn % 2 == 0, n=turn)
        event("Product Added", product_id=f"p{turn}", price=30.5, quantity=2)
        event("Product Viewed", product_id="p1", price=4, category="Plants")
        happen(lambda user_id, at_ms: TriggerReceived(user_id, "everything", at_ms))
        identify(balance=2_000.0, country="FR", timezone="Mars/Olympus", tier="gold", plan="free")
        event("Signed Up", plan="free")
        event("Cart Cleared")
        event("Told", price=25.0, product_id="x")
        event("Order Completed", order_id=f"o{turn}", total=12.5)
    return inputs


def play(shop: Shop) -> None:
    """Have events, starts and ninety days go through it."""
    for _ in Simulation(shop.plan).run(happenings()):
        pass


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.split("campaign: ")[1].split()[0])
@settings(max_examples=500 // len(SEEDS))
@given(st.randoms(use_true_random=False))
def test_a_mutated_campaign_is_told_with_its_line_or_loads_and_runs(seed: str, rng: Random) -> None:
    others = {
        f"campaigns/other-{number}.yaml": text
        for number, text in enumerate(SEEDS)
        if text != seed and rng.random() < 0.3
    }
    segments = mutated(SEGMENTS, rng) if rng.random() < 0.2 else SEGMENTS
    mine = {"campaigns/mutated.yaml": mutated(seed, rng), "segments.yaml": segments}
    shop = check({"hairspring.toml": "", **mine, **others, **TEMPLATES})
    if shop is not None:
        play(shop)


def test_what_is_mutated_is_a_shop_without_fault() -> None:
    files = {f"campaigns/{number}.yaml": text for number, text in enumerate(SEEDS)}
    shop = check({"hairspring.toml": "", "segments.yaml": SEGMENTS, **files, **TEMPLATES})
    assert shop is not None
    assert len(shop.plan.campaigns) == len(SEEDS)
    play(shop)
