"""One script played to the engine and to the oracle, and what each of them says came of it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from config import load_shop
from engine.core.inputs import EventReceived, UserIdentified
from engine.runtime.dedupe import Dedupe
from engine.runtime.processor import Processor
from tests.conditions.candidates import candidates
from tests.conditions.oracle import Oracle
from tests.conditions.trees import told
from tests.core.world import START

if TYPE_CHECKING:
    from engine.core.plan import Plan

Case: TypeAlias = "dict[str, Any]"
Told: TypeAlias = "list[tuple[Any, ...]]"

DAYS = 10**9
"""Milliseconds: longer than any script."""


# What a case is as files


def files_of(case: Case) -> dict[str, str]:
    """The shop as files; JSON is YAML."""
    files = {"hairspring.toml": ""}
    for campaign in case["campaigns"]:
        path = f"campaigns/{campaign['id']}.yaml"
        files[path] = json.dumps(_campaign(campaign), indent=1)
    if case["segments"]:
        said = {name: tree.cel() for name, tree in case["segments"].items()}
        files["segments.yaml"] = json.dumps(said, indent=1)
    return files


def _campaign(campaign: dict[str, Any]) -> dict[str, Any]:
    written = dict(campaign)
    said = {"campaign": written.pop("id"), "priority": written.pop("priority")}
    enter = dict(written["enter"])
    reentry = enter.pop("reentry", 0)
    enter["reentry"] = "never" if reentry is None else told(reentry) if reentry else "always"
    if enter.pop("restart", False):
        enter["while_active"] = "restart"
    said["enter"] = _texts(enter)
    for key in ("exit", "audience"):
        if written.get(key):
            said[key] = _texts(written[key])
    said["steps"] = [_step(step) for step in written["steps"]]
    return said


def _texts(node: Any) -> Any:
    """Trees as their texts; what is None is left out."""
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items() if value is not None}
    return node.cel() if hasattr(node, "cel") else node


def _step(step: dict[str, Any]) -> dict[str, Any]:
    if "exit" in step:
        return step
    inner = step["wait"] if isinstance(step.get("wait"), dict) else step
    ways = {way: [_step(one) for one in inner[way]] for way in ("then", "else") if way in inner}
    if "if" in step:
        return {"if": step["if"].cel(), **ways}
    if not ways:
        return {"wait": told(step["wait"])}
    return {"wait": {"when": inner["when"].cel(), "at_most": told(inner["at_most"]), **ways}}


@lru_cache(maxsize=2)
def plan_of(*files: tuple[str, str]) -> Plan:
    """The plan of a shop; several scripts are played to each, compiling takes longest."""
    return load_shop(dict(files)).plan


# Playing


class Engine:
    """The real processor, its batches durable at once."""

    def __init__(self, case: Case) -> None:
        plan = plan_of(*files_of(case).items())
        begin = case.get("begin", START)
        self.processor = Processor(plan, now_ms=begin, dedupe=Dedupe(DAYS, 1_000))
        self.log: Told = []

    def event(self, now: int, user: str, name: str, t: int, said: Any, message: str) -> bool:
        raw = msgspec.Raw(msgspec.json.encode(said))
        return self._taken(EventReceived(user, name, t, now, raw, message), now)

    def identify(self, now: int, user: str, traits: dict[str, Any]) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        self._taken(UserIdentified(user, now, now, raw), now)

    def advance(self, now: int) -> None:
        self.processor.advance(now)
        self._hear()

    def _taken(self, happened: Any, now: int) -> bool:
        taken = self.processor.take(happened, now)
        self._hear()
        return taken

    def _hear(self) -> None:
        batch = self.processor.begin(self.processor.now_ms)
        if batch is not None:
            self.log += [
                (one.at_ms, one.user_id, one.campaign, one.kind, one.reason or one.branch)
                for one in self.processor.finish(batch).records
            ]


def play(case: Case) -> tuple[Told, Told]:
    """What the engine says, and what the oracle says: in the same order for each user."""
    now = case.get("begin", START)
    engine = Engine(case)
    oracle = Oracle(case["campaigns"], case["segments"], now)
    known: set[str] = set()
    last: tuple[Any, ...] = ("u", "A", now, {}, "first")
    instants = instants_of(case)
    for number, one in enumerate(case["script"]):
        before, now = now, now + one["later"]
        oracle.pass_time(_between(instants, before, now))
        if one["kind"] == "advance":
            engine.advance(now)
        elif one["kind"] == "identify":
            engine.identify(now, one["user"], one["said"])
            oracle.identify(one["user"], one["said"])
        else:
            if one["kind"] == "event":
                t = now - one["age"]
                last = (one["user"], one["name"], t, one["said"], f"m{number}")
            taken = engine.event(now, *last)
            assert taken == (last[-1] not in known)
            known.add(last[-1])
            if taken:
                name, event, t, said, _ = last
                oracle.event(name, event, t, said)
    end = now + case["after"]
    engine.advance(end)
    oracle.pass_time(_between(instants, now, end))
    return _by_user(engine.log), _by_user(oracle.log)


def instants_of(case: Case) -> list[int] | None:
    """The instants that are to be asked, where not every millisecond is."""
    if "scale" not in case:
        return case.get("instants")
    begin = case["begin"]
    end = begin + sum(one["later"] for one in case["script"]) + case["after"]
    return candidates(case, case["scale"], begin, end)


def _between(instants: list[int] | None, before: int, now: int) -> Any:
    """What lies behind `before`, up to `now`, and always `now` itself."""
    if instants is None:
        return range(before + 1, now + 1) if now > before else (now,)
    return [*(at for at in instants if before < at < now), now]


def _by_user(log: Told) -> Told:
    """Instants since `START`; what users do is in order for each of them, not between them."""
    return sorted(((at - START, *more) for at, *more in log), key=lambda one: one[1])
