"""`tests/*.yaml`: what is given and what is expected of it, as located data.

A test gives users, what they do and which deliveries fail, each at its time, and says what is to
come of it. Instants are written as they are (`2026-03-02T18:30`, in the file's time zone where they
name none), or counted from the start of the test (`+30m`, `-7d`). Names of campaigns, steps,
channels and templates are looked up in the shop, so that a slip of the pen is a fault with its line
and no test that cannot pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from config.cast import Cast
from config.expected import EXPECT_HINT, Expected, read_expected
from config.faults import Findings, ShopInvalid
from config.given import GIVEN_HINT, Outage, known, read_given
from config.moments import Moments
from config.schema import EXPECT, GIVEN, TEST, TESTS, Key
from config.source import Fields, Source, kind_of
from config.yaml12 import Mapping, Scalar, Sequence
from engine.core.inputs import FromClient, TriggerReceived

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf

    from config.loader import Shop

_TESTS_HINT: Final = "write `tests:` and under it `- test: NAME` with `given:` and `expect:`"


class ShopTest(msgspec.Struct, frozen=True):
    """One test.

    Attributes:
        path: Its file, relative to the shop folder.
        line: Where it begins there.
        name: As it is called.
        zone: The time zone in which its instants are told.
        start_at_ms: What relative times count from.
        until_ms: The last instant, inclusive; None: until no deadline is left, at most 90 days past
            the last input.
        campaigns: What it is about; empty: all of the shop.
        given: Inputs, in order of the time at which they are received; users' traits first.
        outages: In order of time.
        expected: In the order of the file.
        nothing: Whether nothing at all is to happen.
    """

    path: str
    line: int
    name: str
    zone: str
    start_at_ms: int
    until_ms: int | None
    campaigns: frozenset[str]
    given: tuple[FromClient | TriggerReceived, ...]
    outages: tuple[Outage, ...]
    expected: tuple[Expected, ...]
    nothing: bool


def read_tests(files: MappingOf[str, str], shop: Shop) -> list[ShopTest]:
    """The tests of a shop, in order of file and line. O(size).

    Args:
        files: The files under `tests/`, text by path (`folder.read_tests_folder`).
        shop: What they are tests of.

    Raises:
        ShopInvalid: A file is at fault; it has every fault of all of them.
    """
    findings = Findings()
    tests = [
        test
        for path in sorted(files)
        for test in _File(Source(path, files[path], findings), shop).tests()
    ]
    if findings.faults:
        hint = "docs/how-to/test-your-shop.md has every key of a test"
        raise ShopInvalid(findings.faults, findings.warnings, hint=hint)
    return tests


class _File:
    """One file, and what its tests share."""

    def __init__(self, source: Source, shop: Shop) -> None:
        self._source = source
        self._shop = shop
        self._names: dict[str, int] = {}

    def tests(self) -> list[ShopTest]:
        node = self._source.root("a file of tests is", _TESTS_HINT)
        if node is None:
            return []
        above = Fields(self._source, node, TESTS, "")
        above.required("tests", _TESTS_HINT)
        zone = above.zone("timezone") or self._shop.settings.shop.timezone
        tests = [self._test(above, own, zone) for own in _maps(above, "tests", TEST, _TESTS_HINT)]
        return [test for test in tests if test is not None]

    def _test(self, above: Fields, own: Fields, zone: str) -> ShopTest | None:
        """One test; None where it has no name, which is told."""
        name = self._name(own)
        moments = Moments(ZoneInfo(zone))
        moments.start(_nearer(own, above, "start"), "start")
        cast = Cast(above, own)
        holder = _nearer(own, above, "campaign")
        campaigns = holder.names("campaign", "the id of a campaign")
        for campaign in campaigns:
            known(holder, "campaign", campaign, self._shop.plan.campaigns)
        listed = _maps(own, "given", GIVEN, GIVEN_HINT)
        there = self._shop.plan.campaigns
        given = [read_given(fields, cast, moments, there) for fields in listed]
        inputs = [one for one in given if one is not None and not isinstance(one, Outage)]
        outages = [one for one in given if isinstance(one, Outage)]
        nothing = _nothing(own)
        listed = [] if nothing else _maps(own, "expect", EXPECT, EXPECT_HINT)
        expected = [
            read_expected(fields, cast, moments, self._shop, campaigns) for fields in listed
        ]
        first_at_ms = min([moments.start_at_ms, *(one.received_at_ms for one in inputs)])
        traits = list(cast.identified(first_at_ms))
        until_ms = moments.read(own, "until") if "until" in own.node.entries else None
        if until_ms is not None and any(one.received_at_ms > until_ms for one in inputs):
            own.fault(
                "until", "is before something that is given", "make it later, or leave it out"
            )
        if name is None:
            return None
        return ShopTest(
            path=self._source.path,
            line=own.line("test"),
            name=name,
            zone=zone,
            start_at_ms=moments.start_at_ms,
            until_ms=until_ms,
            campaigns=frozenset(campaigns),
            given=(*traits, *sorted(inputs, key=lambda one: one.received_at_ms)),
            outages=tuple(sorted(outages, key=lambda one: one.at_ms)),
            expected=tuple(one for one in expected if one is not None),
            nothing=nothing,
        )

    def _name(self, fields: Fields) -> str | None:
        hint = "say in a few words what is true, like `test: A purchase ends the reminders`"
        name = fields.text("test", hint) if fields.required("test", hint) is not None else None
        if name is not None and name in self._names:
            told = f"is that of the test in line {self._names[name]} too"
            fields.fault("test", told, "give each test a name of its own")
        if name is not None:
            self._names.setdefault(name, fields.line("test"))
        return name


def _nearer(own: Fields, above: Fields, name: str) -> Fields:
    """Where a key counts that a test may have, and else its file."""
    return own if name in own.node.entries else above


def _nothing(fields: Fields) -> bool:
    """Whether nothing is to happen; a test that says nothing of what is to happen is at fault."""
    node = fields.get("expect_nothing")
    if node is None:
        if "expect" not in fields.node.entries:
            hint = "write `expect:` and a list, or `expect_nothing: true`"
            fields.fault("expect", "is missing", hint)
        return False
    if not (isinstance(node, Scalar) and node.value is True):
        fields.fault("expect_nothing", f"is {kind_of(node)}", "write true, or leave it out")
    if "expect" in fields.node.entries:
        fields.fault("expect_nothing", "beside `expect`", "keep one of them")
    return True


def _maps(fields: Fields, name: str, keys: dict[str, Key], hint: str) -> list[Fields]:
    """The maps of a list under a key; what is no map in it is a fault."""
    node = fields.peek(name)
    if node is None:
        if name in fields.node.entries:
            fields.fault(name, "is empty", hint)
        return []
    if not isinstance(node, Sequence):
        fields.fault(name, f"is {kind_of(node)}", hint)
        return []
    for item in node.items:
        if not isinstance(item, Mapping):
            fields.source.fault(item.line, f"{name} has {kind_of(item)}", hint)
    maps = [item for item in node.items if isinstance(item, Mapping)]
    return [Fields(fields.source, item, keys, "") for item in maps]
