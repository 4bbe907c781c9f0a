"""Campaigns over conditions, by brute force: every user is asked every condition at every instant.

`Oracle.pass_time` goes from one millisecond (or candidate instant) to the next; at each, deadlines
first, then the inputs of that instant, one after the other. What rises is told by asking before and
after. Nothing is armed, solved for or remembered but the last answers.

After a downtime, users of whom something is due stand still at the instants of it (`holding`):
inputs come in meanwhile, and at the end each instant since is gone through once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tests.conditions import holding
from tests.conditions.candidates import within
from tests.conditions.functions import Calendar, InSegment, Now, Received
from tests.conditions.trees import Happened, Read, View, WrongError, follow, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Dict: TypeAlias = "dict[str, Any]"

LATENESS = 86_400_000
"""`events.max_lateness`, in milliseconds."""


CHANGES_MAX = 90
"""Changes of one instant, some fewer than are a loop."""


class LoopError(Exception):
    """Campaigns that go on starting each other: what is refused then, `tests/golden` tells."""


def asks_sends(part: Any) -> bool:
    """Whether it asks for messages that went."""
    return isinstance(part, Received)


def asks_traits(part: Any) -> bool:
    """Whether it asks for traits."""
    match part:
        case Read():
            return part.of_what == "user"
        case Now():
            return isinstance(part.instant, str)
        case Calendar():
            return part.zone == "user.timezone"
        case _:
            return False


def asks(node: Any, segments: Dict, what: Callable[[Any], bool]) -> bool:
    """Whether something in it, or in a segment that it asks for, asks for that."""
    for part in within(node):
        if what(part):
            return True
        segment = part.segment if isinstance(part, InSegment) else None
        if isinstance(part, dict) and isinstance(part.get("segment"), str):
            segment = part["segment"]
        if segment is not None and asks(segments[segment], segments, what):
            return True
    return False


class Oracle:
    """All users of a shop; `log` is what happened, as (at, user, campaign, kind, said).

    Args:
        campaigns: Dicts of `id`, `priority`, `enter` (`when` | `event`, `when` | `segment`,
            `per`, `reentry`, `restart`), `audience`, `exit` (`event`, `when`) and nested `steps`.
        segments: Trees by id.
        gap: Milliseconds after which a session ends; 0: there are none.
    """

    def __init__(self, campaigns: list[Dict], segments: Dict, start: int, gap: int = 0) -> None:
        self.campaigns = sorted(campaigns, key=lambda c: (-c["priority"], c["id"]))
        self.segments = segments
        self.users: dict[str, Dict] = {}
        self.log: list[tuple[Any, ...]] = []
        self.now = self.judged = start
        self.gap = gap

    # What can happen

    def event(self, name: str, event: str, t: int, said: Dict, *, imported: bool = False) -> None:
        user = self._user(name)
        self._begin_input(user)
        made = follow(user, t, self.gap, self.now) if self.gap and not imported else []
        user["active"] = t if user["active"] is None else max(user["active"], t)
        user["applied"] = max(user["applied"], t)
        user["events"].append(Happened(t, event, said))
        self._input(user, event, t, said, enters=not imported)
        for what, at, session in made:
            self._begin_input(user)
            user["session"] = session or user["session"]
            user["events"].append(Happened(at, what, {}))
            self._input(user, what, at, {})
        self._tick(user)

    def identify(self, name: str, traits: Dict) -> None:
        user = self._user(name)
        self._begin_input(user)
        user["traits"] = {**user["traits"], **traits}
        self._input(user, "", self.now, {})
        self._tick(user)

    def score(self, name: str, score: float) -> None:
        user = self._user(name)
        self._begin_input(user)
        user["score"] = score
        self._input(user, "", self.now, {})
        self._tick(user)

    def resume(self, instants: Iterable[int], until: int) -> None:
        """Nobody was there at these instants, and what was due then waits `until` an instant."""
        *_, self.now = instants
        self.judged = self.now
        for user in self.users.values():
            is_due = holding.settle(self, user, self.now - 1)
            if is_due and user["held"] < until:
                user["held"] = until
        self._stand_at(self.now)

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
        self.now = self.judged = instant
        for user in self.users.values():
            self._tick(user)

    # One user at one instant

    def _user(self, name: str) -> Dict:
        return self.users.setdefault(
            name,
            {
                "name": name, "traits": {}, "events": [], "active": None, "live": [], "starts": [],
                "applied": -1, "score": None, "sent": [], "queue": [], "session": None,
                "before": dict.fromkeys((c["id"] for c in self.campaigns), False), "count": 0,
                "held": 0, "asked": {}, "risen": set(), "waiting": {}, "recalled": None,
            },
        )  # fmt: skip

    def view(self, user: Dict, event: str = "", said: Dict | None = None) -> View:
        return View(
            self.now, user["events"], user["active"], user["traits"], said or {}, event,
            self.segments, score=user["score"],
            sent=user["sent"], session=user["session"],
        )  # fmt: skip

    def _judging(self, view: View) -> View:
        """Branches and audiences are asked when they are judged, which may be later than due."""
        return View(**{**vars(view), "now": self.judged})

    def _tick(self, user: Dict) -> None:
        """What is due by now; where it was held back, instant by instant."""
        if user["held"] > self.now:
            return
        now = self.now
        if user["held"]:
            self.judged, user["held"] = user["held"], 0
            user["risen"], user["waiting"] = set(), {}
            for self.now in range(holding.oldest(user, now), now):
                self._do_what_is_due(user)
        self.now = self.judged = now
        self._do_what_is_due(user)

    def _do_what_is_due(self, user: Dict) -> None:
        """What time alone does; the end of a session is an event, which comes after it."""
        self._end_session(user, self.now - 1)
        self._let_time_act(user)
        if self._end_session(user, self.now):
            self._let_time_act(user)

    def _end_session(self, user: Dict, upto: int) -> bool:
        session = user["session"]
        if session is None or session["ended"] or holding.due(session) > upto:
            return False
        self._recall(user)
        user["session"] = {**session, "ended": True}
        user["events"].append(Happened(session["ends"], "Session Ended", {}))
        self._input(user, "Session Ended", session["ends"], {})
        user["recalled"] = None
        user["applied"] = max(user["applied"], session["ends"])
        return True

    def _let_time_act(self, user: Dict) -> None:
        """One thing after the other, in order of rank."""
        while due := self._due(user):
            _, enters, _, first = min(due, key=lambda one: one[:3])
            user["applied"] = max(user["applied"], self.now)
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
            if live["asked"] <= self.now and self.is_due(live, view)
        ]

    def is_due(self, live: Dict, view: View) -> bool:
        """Whether something happens to an enrollment at the view's instant."""
        up = self._is_up(live, view.now)
        return up or self._leaves(live, view) or self._has_come(live, view)

    def _has_come(self, live: Dict, view: View) -> bool:
        """Whether it goes on, unless it came to where it is by what happened later."""
        return bool(view.now >= live["since"] and self._goes_on(live, view))

    def _follow(self, user: Dict) -> None:
        """What steps have made, and what that makes true, and what that makes in turn."""
        for _ in range(CHANGES_MAX):
            if not user["queue"]:
                return
            change = user["queue"].pop(0)
            if "event" in change:
                self._begin_input(user)
                self._recall(user)
                user["events"].append(Happened(self.now, change["event"], change["said"]))
                self._apply(user, change["event"], self.now, change["said"])
                user["recalled"] = None
                continue
            view = self.view(user)
            inside = {c["id"] for c in self.campaigns if asks(c, self.segments, change["asking"])}
            self._look_again(user, view, inside)
            for campaign in self.campaigns:
                if campaign["id"] in change["risen"]:
                    self._ask_entry(user, campaign, view, self.now)
        raise LoopError

    def _changed(self, user: Dict, what: Callable[[Any], bool]) -> None:
        """A step has changed something: what that makes true has its turn later."""
        enters = {c["id"] for c in self.campaigns if asks(c["enter"], self.segments, what)}
        risen = self._risen(user, self.view(user), enters)
        user["queue"].append({"risen": risen, "asking": what})
        user["recalled"] = None

    def _look_again(self, user: Dict, view: View, inside: set[str]) -> None:
        for live in self._in_order(user):
            if live["campaign"] in inside and self._leaves(live, view):
                self._exit(user, live, "when")
        for live in self._in_order(user):
            if live["campaign"] in inside and self._goes_on(live, view):
                self._pass(user, live, view)

    def _is_up(self, live: Dict, at: int | None = None) -> bool:
        due = live["due"]
        return bool(due is not None and due <= (self.now if at is None else at))

    def _begin_input(self, user: Dict) -> None:
        """While somebody is held back: what has risen by now, and who waits, is told apart."""
        user["waiting"] = {}
        if user["held"] <= self.now:
            return
        holding.settle(self, user, self.now)
        view = self.view(user)
        user["waiting"] = {
            live["order"]: (self._leaves(live, view), self._goes_on(live, view))
            for live in user["live"]
            if live["waits"]
        }

    def _input(self, user: Dict, event: str, t: int, said: Dict, *, enters: bool = True) -> None:
        self._apply(user, event, t, said, enters=enters)
        self._follow(user)

    def _apply(self, user: Dict, event: str, t: int, said: Dict, *, enters: bool = True) -> None:
        view = self.view(user, event, said)
        risen = self._risen(user, view)
        self._look_at_lives(user, view, event, t)
        for campaign in self.campaigns if enters else ():
            self._may_enter(user, campaign, view, risen, t)

    def _may_enter(self, user: Dict, campaign: Dict, view: View, risen: set[str], t: int) -> None:
        enter = campaign["enter"]
        if campaign["id"] in risen:
            self._ask_entry(user, campaign, view, self.now, t)
        elif view.event_name in enter.get("event", ()) and (
            enter.get("when") is None or holds(enter["when"], view)
        ):
            self._ask_entry(user, campaign, view, t, t)

    def _look_at_lives(self, user: Dict, view: View, event: str, t: int) -> None:
        for live in self._in_order(user):
            leaving = event and event in self._exit_events(live) and t >= live["start"]
            had_left, _ = user["waiting"].get(live["order"], (False, False))
            if leaving:
                self._exit(user, live, "event")
            elif self._leaves(live, view) and not had_left:
                self._exit(user, live, "when")
        for live in self._in_order(user):
            _, had_gone_on = user["waiting"].get(live["order"], (False, False))
            if self._goes_on(live, view) and not had_gone_on:
                self._pass(user, live, view)
        for live in user["live"]:
            if live["order"] not in user["waiting"]:
                live["asked"] = self.now

    def _risen(self, user: Dict, view: View, asked: set[str] | None = None) -> set[str]:
        """Campaigns whose condition is true now and was not when it was looked at last."""
        risen = set()
        for campaign in self.campaigns:
            key, tree = campaign["id"], self.edge(campaign)
            if tree is None or (asked is not None and key not in asked):
                continue
            if key in user["risen"]:
                continue
            before, after = user["before"][key], holds(tree, view)
            if user["asked"].get(key, 0) > view.now:
                was = (user["recalled"] or {}).get(key, after)
                if user["recalled"] is None or (before and not was):
                    continue  # it was asked later; or it is so by what came later
                before = before or was
            if after and not before:
                risen.add(key)
            user["before"][key], user["asked"][key] = after, view.now
        return risen

    def _recall(self, user: Dict) -> None:
        """A change of an instant that has passed: keep what was true before it."""
        user["recalled"] = None
        if self.judged > self.now:
            view = self.view(user)
            trees = {c["id"]: self.edge(c) for c in self.campaigns}
            user["recalled"] = {key: holds(tree, view) for key, tree in trees.items() if tree}

    def edge(self, campaign: Dict) -> Any:
        """The condition that users come in by, where it is one."""
        enter = campaign["enter"]
        if enter.get("segment"):
            return self.segments[enter["segment"]]
        return None if enter.get("event") else enter.get("when")

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

    # Coming in

    def _is_late(self, user: Dict, campaign: Dict, occurred: int) -> bool:
        exits = campaign.get("exit", {}).get("event", ())
        return occurred < user["applied"] and (
            self.judged - occurred > LATENESS
            or any(one.name in exits and one.t > occurred for one in user["events"])
        )

    def _ask_entry(
        self, user: Dict, campaign: Dict, view: View, t: int, occurred: int | None = None
    ) -> None:
        occurred = self.now if occurred is None else occurred
        enter = campaign["enter"]
        per = self._per(campaign, view)
        mine = (campaign["id"], per)
        active = [live for live in user["live"] if (live["campaign"], live["per"]) == mine]
        starts = [start for of, start in user["starts"] if of == mine]
        reentry = enter.get("reentry", 0)
        reason = ""
        if campaign.get("audience") is not None and not holds(
            campaign["audience"], self._judging(view)
        ):
            reason = "audience"
        elif self._is_late(user, campaign, occurred):
            reason = "late"
        elif per is None:
            reason = "per"
        elif active and not enter.get("restart"):
            reason = "active"
        elif starts and not active and (reentry is None or (reentry and t - max(starts) < reentry)):
            reason = "reentry"
        if reason:
            self._tell(user, campaign["id"], "refused", reason)
            return
        for live in active:
            self._exit(user, live, "restarted")
        user["starts"].append((mine, t))
        user["count"] += 1
        live = {
            "campaign": campaign["id"], "per": per,
            "asked": self.now, "since": self.now, "waits": False,
            "start": t, "clock": t, "due": None, "until": None,
            "order": user["count"], "event": view.event, "event_name": view.event_name,
            "rest": list(campaign["steps"]),
        }  # fmt: skip
        user["live"].append(live)
        self._tell(user, campaign["id"], "entered", "")
        if self._leaves(live, view):
            self._exit(user, live, "when")
            return
        self._walk(user, live, view)
        while t < self.now and live in user["live"] and self._is_up(live):
            self._pass(user, live, view)

    def _per(self, campaign: Dict, view: View) -> Any:
        """What keeps enrollments apart, None where it cannot: numbers, texts, true and false do."""
        tree = campaign["enter"].get("per")
        if tree is None:
            return ""
        try:
            value = tree.of(self._judging(view))
        except WrongError:
            return None
        told = isinstance(value, bool | int | float | str)
        return (isinstance(value, bool), isinstance(value, str), value) if told else None

    # From step to step

    def _pass(self, user: Dict, live: Dict, view: View) -> None:
        """What an enrollment waited for is there, or its time is up."""
        until, live["until"], live["since"] = live["until"], None, self.now
        held = bool(until) and holds(until["when"], self._own(live, view))
        is_up = self._is_up(live) and not held
        live["clock"], live["due"] = live["due"] if is_up else self.now, None
        if until:
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
                live["clock"] = max(live["clock"], self.now)
                live["rest"] = [*wait.get("then", ()), *live["rest"]]
            elif "if" in step:
                way = "then" if holds(step["if"], self._judging(own)) else "else"
                self._tell(user, live["campaign"], "branched", way)
                live["rest"] = [*step.get(way, ()), *live["rest"]]
            elif "send" in step:
                self._tell(user, live["campaign"], "sent", "")
                self._recall(user)
                user["sent"].append((self.judged, step["send"], live["campaign"]))
                self._changed(user, asks_sends)
            elif "set" in step:
                self._recall(user)
                user["traits"].update(step["set"])
                self._changed(user, asks_traits)
            elif "emit" in step:
                said = step["emit"]
                user["queue"].append({"event": said["event"], "said": said["properties"]})
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
