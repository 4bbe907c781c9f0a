"""One script played to the engine and to the oracle, and what each of them says came of it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from config import load_shop
from engine.core.inputs import EventImported, EventReceived, UserIdentified, UserScored
from engine.core.state import decode_user, encode_user
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


def campaigns_of(case: Case, *, adopted: bool) -> list[dict[str, Any]]:
    """The campaigns before another plan is adopted, or after: some come with it, some go."""
    gone = case.get("goes" if adopted else "comes", ())
    return [campaign for campaign in case["campaigns"] if campaign["id"] not in gone]


def files_of(case: Case, *, adopted: bool = False) -> dict[str, str]:
    """The shop as files; JSON is YAML.

    What comes later is a draft until then, under another id: so its history is kept already.
    """
    gap = case.get("session_gap")
    settings = f'[events]\nsession_gap = "{gap}ms"\n' if gap else ""
    files = {"hairspring.toml": settings, "templates/t.in_app.liquid": "Hello"}
    for campaign in case["campaigns"] if not adopted else campaigns_of(case, adopted=True):
        written = _campaign(campaign)
        if not adopted and campaign["id"] in case.get("comes", ()):
            written |= {"campaign": f"draft-{campaign['id']}", "status": "draft"}
        files[f"campaigns/{written['campaign']}.yaml"] = json.dumps(written, indent=1)
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
    if step.keys() & {"exit", "set"}:
        return step
    if "emit" in step:
        return {"emit": {key: value for key, value in step["emit"].items() if value}}
    if "send" in step:
        return {**step, "template": "t"}
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
        self.adopted = plan_of(*files_of(case, adopted=True).items()) if "comes" in case else plan
        self.dedupe = Dedupe(DAYS, 1_000)
        self.processor = Processor(plan, now_ms=case.get("begin", START), dedupe=self.dedupe)
        self.log: Told = []

    def event(self, now: int, user: str, name: str, t: int, said: Any, message: str) -> bool:
        raw = msgspec.Raw(msgspec.json.encode(said))
        return self._taken(EventReceived(user, name, t, now, raw, message), now)

    def bring_in(self, now: int, user: str, name: str, t: int, said: Any) -> None:
        """History."""
        raw = msgspec.Raw(msgspec.json.encode(said))
        self._taken(EventImported(user, name, t, now, raw), now)

    def resume(self, stopped: int, grace: int, now: int) -> None:
        self.processor.resume(stopped, grace, now)
        self.advance(now)

    def identify(self, now: int, user: str, traits: dict[str, Any]) -> None:
        raw = msgspec.Raw(msgspec.json.encode(traits))
        self._taken(UserIdentified(user, now, now, raw), now)

    def advance(self, now: int) -> None:
        self.processor.advance(now)
        self._hear()

    def score(self, now: int, user: str, score: float) -> None:
        self._taken(UserScored(user, "m", score, now, now), now)

    def adopt(self, now: int, *, at_once: bool) -> None:
        """Another plan, that users take on now, or each in his own time."""
        self.processor.adopt(self.adopted, now)
        self.settle(now, at_once=at_once)

    def settle(self, now: int, *, at_once: bool = True) -> None:
        if at_once:
            self.processor.sweep()
        self.processor.advance(now)
        self._hear()

    def restart(self, now: int) -> None:
        """All users go to bytes and back, once they have taken on what changed."""
        self.settle(now)
        before = self.processor
        users = {name: decode_user(encode_user(user)) for name, user in before.users.items()}
        for user in users.values():
            user.seen = 0
        self.processor = Processor(before.plan, users, now_ms=now, dedupe=self.dedupe)

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
                if not one.campaign.startswith("draft-")
            ]


class Player:
    """The engine and the oracle, side by side."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.now = case.get("begin", START)
        self.engine = Engine(case)
        gap = case.get("session_gap", 0)
        self.oracle = Oracle(campaigns_of(case, adopted=False), case["segments"], self.now, gap)
        self.known: set[str] = set()
        self.last: tuple[Any, ...] = ("u", "A", self.now, {}, "first")
        self.instants = instants_of(case)

    def pass_time(self, one: dict[str, Any]) -> None:
        """What lies between two happenings; in a downtime nobody is there."""
        before, self.now = self.now, self.now + one["later"]
        between = _between(self.instants, before, self.now)
        if one["kind"] == "down":
            self.engine.resume(before, one["grace"], self.now)
            self.oracle.resume(between, self.now + one["grace"])
        else:
            self.oracle.pass_time(between)

    def happen(self, one: dict[str, Any], message: str) -> None:
        engine, oracle, now = self.engine, self.oracle, self.now
        match one["kind"]:
            case "down":
                pass
            case "advance":
                engine.advance(now)
            case "restart":
                engine.restart(now)
            case "adopt" if engine.adopted is not engine.processor.plan:
                engine.adopt(now, at_once=one["at_once"])
                oracle.adopt(campaigns_of(self.case, adopted=True))
            case "adopt":
                engine.settle(now)
            case "identify":
                engine.identify(now, one["user"], one["said"])
                oracle.identify(one["user"], one["said"])
            case "score":
                engine.score(now, one["user"], one["score"])
                oracle.score(one["user"], one["score"])
            case "import":
                said = (one["user"], one["name"], now - one["age"], one["said"])
                engine.bring_in(now, *said)
                oracle.event(*said, imported=True)
            case kind:
                if kind == "event":
                    t = now - one["age"]
                    self.last = (one["user"], one["name"], t, one["said"], message)
                self._send()

    def _send(self) -> None:
        """The last event, for the first time or again."""
        message = self.last[-1]
        assert self.engine.event(self.now, *self.last) == (message not in self.known)
        if message not in self.known:
            self.known.add(message)
            self.oracle.event(*self.last[:4])

    def end(self) -> None:
        before, self.now = self.now, self.now + self.case["after"]
        self.engine.settle(before)
        self.engine.advance(self.now)
        self.oracle.pass_time(_between(self.instants, before, self.now))


def play(case: Case) -> tuple[Told, Told]:
    """What the engine says, and what the oracle says: in the same order for each user."""
    player = Player(case)
    for number, one in enumerate(case["script"]):
        player.pass_time(one)
        player.happen(one, f"m{number}")
    player.end()
    return _by_user(player.engine.log), _by_user(player.oracle.log)


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
