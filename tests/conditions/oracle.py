"""Campaigns over conditions, by brute force: every user is asked every condition at every instant.

`Oracle.pass_time` goes from one millisecond (or candidate instant) to the next; at each, deadlines
first, then the inputs of that instant, one after the other. What rises is told by asking before and
after. Nothing is armed, solved for or remembered but the last answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tests.conditions.candidates import within
from tests.conditions.functions import InSegment, Received
from tests.conditions.trees import Happened, View, holds

if TYPE_CHECKING:
    from collections.abc import Iterable

Dict: TypeAlias = "dict[str, Any]"

LATENESS = 86_400_000
"""`events.max_lateness`, in milliseconds."""


def asks_sends(node: Any, segments: Dict) -> bool:
    """Whether something in it, or in a segment that it asks for, asks for messages that went."""
    for part in within(node):
        if isinstance(part, Received):
            return True
        segment = part.segment if isinstance(part, InSegment) else None
        if isinstance(part, dict) and isinstance(part.get("segment"), str):
            segment = part["segment"]
        if segment is not None and asks_sends(segments[segment], segments):
            return True
    return False


class Oracle:
    """All users of a shop; `log` is what happened, as (at, user, campaign, kind, said).

    Args:
        campaigns: Dicts of `id`, `priority`, `enter` (`when` | `event`, `when` | `segment`,
            `reentry`, `restart`), `audience`, `exit` (`event`, `when`) and nested `steps`.
        segments: Trees by id.
    """

    def __init__(self, campaigns: list[Dict], segments: Dict, start: int) -> None:
        self.campaigns = sorted(campaigns, key=lambda c: (-c["priority"], c["id"]))
        self.segments = segments
        self.users: dict[str, Dict] = {}
        self.log: list[tuple[Any, ...]] = []
        self.now = start

    # What can happen

    def event(self, name: str, event: str, t: int, said: Dict) -> None:
        user = self._user(name)
        user["events"].append(Happened(t, event, said))
        user["active"] = t if user["active"] is None else max(user["active"], t)
        user["applied"] = max(user["applied"], t)
        self._input(user, event, t, said)

    def identify(self, name: str, traits: Dict) -> None:
        user = self._user(name)
        user["traits"] = {**user["traits"], **traits}
        self._input(user, "", self.now, {})

    def score(self, name: str, score: float) -> None:
        user = self._user(name)
        user["score"] = score
        self._input(user, "", self.now, {})

    def adopt(self, campaigns: list[Dict]) -> None:
        """Other campaigns: of what comes, nobody enters for what is true of him already."""
        before = {campaign["id"]: campaign for campaign in self.campaigns}
        after = {campaign["id"]: campaign for campaign in campaigns}
        for user in self.users.values():
            for live in self._in_order(user):
                if live["campaign"] not in after:
                    self._exit(user, live, "campaign_removed")
        self.campaigns = sorted(campaigns, key=lambda c: (-c["priority"], c["id"]))
        for user in self.users.values():
            view = self.view(user)
            known = dict.fromkeys(after, False) | user["before"]
            user["before"] = {key: known[key] for key in after}
            risen = self._risen(user, view)
            for campaign in self.campaigns:
                comes = campaign["id"] in risen and campaign["id"] not in before
                if comes and campaign["enter"].get("backfill"):
                    self._ask_entry(user, campaign, view, self.now)
            self._tick(user)

    def pass_time(self, instants: Iterable[int]) -> None:
        """Live through these instants, in order; the last of them is where the oracle stands.

        Ends of waits lie between them where not every millisecond is asked.
        """
        for instant in instants:
            while ends := [at for at in self._ends() if self.now < at < instant]:
                self._stand_at(min(ends))
            self._stand_at(instant)

    def _ends(self) -> list[int]:
        lives = (live for user in self.users.values() for live in user["live"])
        return [live["due"] for live in lives if live["due"] is not None]

    def _stand_at(self, instant: int) -> None:
        self.now = instant
        for user in self.users.values():
            self._tick(user)

    # One user at one instant

    def _user(self, name: str) -> Dict:
        return self.users.setdefault(
            name,
            {
                "name": name, "traits": {}, "events": [], "active": None, "live": [], "starts": [],
                "applied": -1, "score": None, "sent": [], "sends": False,
                "before": dict.fromkeys((c["id"] for c in self.campaigns), False), "count": 0,
            },
        )  # fmt: skip

    def view(self, user: Dict, event: str = "", said: Dict | None = None) -> View:
        return View(
            self.now, user["events"], user["active"], user["traits"], said or {}, event,
            self.segments, score=user["score"],
            sent=user["sent"],
        )  # fmt: skip

    def _tick(self, user: Dict) -> None:
        """What time alone does, one thing after the other, in order of rank."""
        while due := self._due(user):
            _, enters, _, first = min(due, key=lambda one: one[:3])
            user["applied"] = self.now
            view = self.view(user)
            if enters:
                user["before"][first["id"]] = True
                self._ask_entry(user, first, view, self.now)
            elif self._leaves(first, view):
                self._exit(user, first, "when")
            else:
                self._pass(user, first, view)
            self._follow(user)

    def _due(self, user: Dict) -> list[tuple[Any, ...]]:
        """What happens to a user by time alone, as (rank, whether he enters, order, what)."""
        view = self.view(user)
        before = dict(user["before"])
        risen = self._risen(user, view)
        user["before"] |= {key: before[key] for key in risen}  # not before its turn
        entering = [(self._rank(c["id"]), 1, 0, c) for c in self.campaigns if c["id"] in risen]
        return entering + [
            (self._rank(live["campaign"]), 0, live["order"], live)
            for live in user["live"]
            if self._leaves(live, view) or self._time_is_up(live) or self._goes_on(live, view)
        ]

    def _follow(self, user: Dict) -> None:
        """What messages that went out make true, and what that sends in turn."""
        for _ in range(100):
            if not user["sends"]:
                return
            user["sends"] = False
            view = self.view(user)
            asking = {c["id"] for c in self.campaigns if asks_sends(c["enter"], self.segments)}
            risen = self._risen(user, view, asking)
            inside = {c["id"] for c in self.campaigns if asks_sends(c, self.segments)}
            self._look_again(user, view, inside)
            for campaign in self.campaigns:
                if campaign["id"] in risen:
                    self._ask_entry(user, campaign, view, self.now)

    def _look_again(self, user: Dict, view: View, inside: set[str]) -> None:
        for live in self._in_order(user):
            if live["campaign"] in inside and self._leaves(live, view):
                self._exit(user, live, "when")
        for live in self._in_order(user):
            if live["campaign"] in inside and self._goes_on(live, view):
                self._pass(user, live, view)

    def _input(self, user: Dict, event: str, t: int, said: Dict) -> None:
        view = self.view(user, event, said)
        risen = self._risen(user, view)
        for live in self._in_order(user):
            leaving = event and event in self._exit_events(live) and t >= live["start"]
            if leaving:
                self._exit(user, live, "event")
            elif self._leaves(live, view):
                self._exit(user, live, "when")
        for live in self._in_order(user):
            if self._goes_on(live, view):
                self._pass(user, live, view)
        for campaign in self.campaigns:
            enter = campaign["enter"]
            if campaign["id"] in risen:
                self._ask_entry(user, campaign, view, self.now, t)
            elif event in enter.get("event", ()) and (
                enter.get("when") is None or holds(enter["when"], view)
            ):
                self._ask_entry(user, campaign, view, t, t)
        self._follow(user)
        self._tick(user)

    def _risen(self, user: Dict, view: View, asked: set[str] | None = None) -> set[str]:
        """Campaigns whose condition is true now and was not when it was looked at last."""
        risen = set()
        for campaign in self.campaigns:
            if asked is not None and campaign["id"] not in asked:
                continue
            enter = campaign["enter"]
            tree = enter.get("when")
            if enter.get("segment"):
                tree = self.segments[enter["segment"]]
            if enter.get("event") or tree is None:
                continue
            after = holds(tree, view)
            if after and not user["before"][campaign["id"]]:
                risen.add(campaign["id"])
            user["before"][campaign["id"]] = after
        return risen

    def _in_order(self, user: Dict) -> list[Dict]:
        return sorted(user["live"], key=lambda one: (self._rank(one["campaign"]), one["order"]))

    def _rank(self, campaign_id: str) -> tuple[int, str]:
        return (-self._campaign(campaign_id)["priority"], campaign_id)

    def _campaign(self, campaign_id: str) -> Dict:
        return next(c for c in self.campaigns if c["id"] == campaign_id)

    def _exit_events(self, live: Dict) -> Any:
        return self._campaign(live["campaign"]).get("exit", {}).get("event", ())

    def _leaves(self, live: Dict, view: View) -> bool:
        tree = self._campaign(live["campaign"]).get("exit", {}).get("when")
        return tree is not None and holds(tree, self._own(live, view))

    @staticmethod
    def _own(live: Dict, view: View) -> View:
        """In the steps of an enrollment, `event` is the one that started it."""
        return View(**{**vars(view), "event": live["event"], "event_name": live["event_name"]})

    def _goes_on(self, live: Dict, view: View) -> bool:
        return bool(live["until"]) and holds(live["until"]["when"], self._own(live, view))

    def _time_is_up(self, live: Dict) -> bool:
        return bool(live["due"] is not None and live["due"] <= self.now)

    # Coming in

    def _is_late(self, user: Dict, campaign: Dict, occurred: int) -> bool:
        exits = campaign.get("exit", {}).get("event", ())
        return occurred < user["applied"] and (
            self.now - occurred > LATENESS
            or any(one.name in exits and one.t > occurred for one in user["events"])
        )

    def _ask_entry(
        self, user: Dict, campaign: Dict, view: View, t: int, occurred: int | None = None
    ) -> None:
        occurred = self.now if occurred is None else occurred
        enter = campaign["enter"]
        active = [live for live in user["live"] if live["campaign"] == campaign["id"]]
        starts = [start for of, start in user["starts"] if of == campaign["id"]]
        reentry = enter.get("reentry", 0)
        reason = ""
        if campaign.get("audience") is not None and not holds(campaign["audience"], view):
            reason = "audience"
        elif self._is_late(user, campaign, occurred):
            reason = "late"
        elif active and not enter.get("restart"):
            reason = "active"
        elif not active and starts and (reentry is None or t - max(starts) < reentry):
            reason = "reentry"
        if reason:
            self._tell(user, campaign["id"], "refused", reason)
            return
        for live in active:
            self._exit(user, live, "restarted")
        user["starts"].append((campaign["id"], t))
        user["count"] += 1
        live = {
            "campaign": campaign["id"], "start": t, "clock": t, "due": None, "until": None,
            "order": user["count"], "event": view.event, "event_name": view.event_name,
            "rest": list(campaign["steps"]),
        }  # fmt: skip
        user["live"].append(live)
        self._tell(user, campaign["id"], "entered", "")
        if self._leaves(live, view):
            self._exit(user, live, "when")
        else:
            self._walk(user, live, view)

    # From step to step

    def _pass(self, user: Dict, live: Dict, view: View) -> None:
        """What an enrollment waited for is there, or its time is up."""
        until, live["until"] = live["until"], None
        live["clock"], live["due"] = self.now, None
        if until:
            held = holds(until["when"], self._own(live, view))
            live["rest"] = [*until.get("then" if held else "else", ()), *live["rest"]]
        self._walk(user, live, view)

    def _walk(self, user: Dict, live: Dict, view: View) -> None:
        own = self._own(live, view)
        while live["rest"]:
            step, *live["rest"] = live["rest"]
            if "wait" in step and not isinstance(step["wait"], dict):
                live["due"] = live["clock"] + step["wait"]
                return
            if "wait" in step:
                wait = step["wait"]
                if not holds(wait["when"], own):
                    live["until"] = wait
                    live["due"] = live["clock"] + wait["at_most"]
                    return
                live["rest"] = [*wait.get("then", ()), *live["rest"]]
            elif "if" in step:
                way = "then" if holds(step["if"], own) else "else"
                self._tell(user, live["campaign"], "branched", way)
                live["rest"] = [*step.get(way, ()), *live["rest"]]
            elif "send" in step:
                self._tell(user, live["campaign"], "sent", "")
                user["sent"].append((self.now, step["send"], live["campaign"]))
                user["sends"] = True
            else:
                self._exit(user, live, step["exit"])
                return
        user["live"].remove(live)
        self._tell(user, live["campaign"], "finished", "")

    def _exit(self, user: Dict, live: Dict, reason: str) -> None:
        user["live"].remove(live)
        self._tell(user, live["campaign"], "exited", reason)

    def _tell(self, user: Dict, campaign: str, kind: str, said: str) -> None:
        self.log.append((self.now, user["name"], campaign, kind, said))
