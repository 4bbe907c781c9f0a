"""The campaign language once more, as naively as it can be said: the model's half of the tests.

Written from the contract alone and sharing nothing with `engine.core`: plain dicts, nested steps
taken one after the other, every question answered by a search over everything that ever happened.
Slow on purpose; instants are plain integers.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Dict: TypeAlias = "dict[str, Any]"

CONDITIONS: dict[str, Any] = {
    "true": lambda _e, _u, _n: True,
    "event.n > 1": lambda e, _u, _n: e["n"] > 1,
    "user.vip == true": lambda _e, u, _n: u["vip"] is True,
    'event_name == "A"': lambda _e, _u, n: n == "A",
    "!(event.n > 1)": lambda e, _u, _n: not e["n"] > 1,
}
"""What the conditions of the tests mean; a KeyError is CEL's error."""


def told_by(value: Any) -> tuple[str, Any] | None:
    """A `per` value as what keeps enrollments apart, or None where it cannot."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, int | float):
        return ("number", float(value))
    if isinstance(value, str):
        return ("text", value)
    return None


class Naive:
    """All users of a shop; `log` holds what happened since it was last emptied."""

    def __init__(self, campaigns: list[Dict], policy: Dict) -> None:
        self.campaigns = sorted(campaigns, key=lambda c: (-c["priority"], c["id"]))
        self.policy = policy
        self.users: dict[str, Dict] = {}
        self.log: list[Dict] = []
        self.taken_back: list[tuple[Any, str]] = []
        self.closed: list[tuple[Any, bool]] = []
        self.late_start = False

    def user(self, name: str) -> Dict:
        return self.users.setdefault(
            name,
            {
                "name": name, "traits": {}, "applied": -1, "events": [], "live": [],
                "starts": [], "outbox": {}, "refused": {}, "held": 0, "clock": 0, "judge": 0,
            },
        )  # fmt: skip

    def campaign(self, campaign_id: str) -> Dict:
        return next(c for c in self.campaigns if c["id"] == campaign_id)

    # What can happen

    def event(self, name: str, now: int, event: str, t: int, properties: Dict) -> None:
        user = self.user(name)
        self.let_time_pass(user, now)
        user["clock"] = user["judge"] = now
        late = t < user["applied"]
        user["applied"] = max(user["applied"], t)
        user["events"].append((event, t))
        for live in sorted(user["live"], key=self.rank):
            if event in self.campaign(live["campaign"])["exits"] and t >= live["start"]:
                self.exit(user, live, "event")
        for key, message in user["outbox"].items():
            if event in self.campaign(message["campaign"])["exits"] and t >= message["start"]:
                self.take_back(message, key)
        for campaign in self.campaigns:
            if event in campaign["on"]:
                self.ask_entry(user, campaign, event, t, properties, late=late)

    def identify(self, name: str, now: int, traits: Dict) -> None:
        user = self.user(name)
        self.let_time_pass(user, now)
        consent = {**user["traits"].get("consent", {}), **traits.get("consent", {})}
        user["traits"].update(traits)
        if consent:
            user["traits"]["consent"] = consent

    def report(self, name: str, now: int, key: Any, outcome: str, *, invalid: bool) -> None:
        user = self.user(name)
        self.let_time_pass(user, now)
        user["clock"] = user["judge"] = now
        message = user["outbox"].pop(key, None)
        if message is None:
            return
        if invalid:
            user["refused"][message["channel"]] = self.address(user, message["channel"])
        kind = "skipped" if outcome == "cancelled" else outcome
        self.tell(user, kind, message, message=key, reason="said")
        stands_in = False
        if outcome == "failed" and not message["back"]:
            limit = message["limit"]
            if limit is None or now <= limit:
                stands_in = not self.send_first_open(user, message, message["left"], key)
        self.closed.append((key, outcome == "failed" and not stands_in))

    def advance(self, now: int) -> None:
        for user in self.users.values():
            self.let_time_pass(user, now)

    def resume(self, stopped: int, now: int, grace: int) -> None:
        self.advance(stopped)
        for user in self.users.values():
            if any(live["due"] < now for live in user["live"]):
                user["held"] = max(user["held"], now + grace)

    # Time

    def let_time_pass(self, user: Dict, now: int) -> None:
        while True:
            ready = [one for one in user["live"] if max(one["due"], user["held"]) <= now]
            if not ready:
                return
            first = min(ready, key=lambda one: (one["due"], self.rank(one)))
            user["applied"] = max(user["applied"], first["due"])
            user["clock"] = first["due"]
            user["judge"] = max(first["due"], user["held"])
            first["at"], first["due"] = first["due"], None
            self.walk(user, first)

    def rank(self, live: Dict) -> tuple[int, str, int]:
        return (-self.campaign(live["campaign"])["priority"], live["campaign"], live["order"])

    # Coming in

    def ask_entry(
        self, user: Dict, campaign: Dict, event: str, t: int, properties: Dict, *, late: bool
    ) -> None:
        if not self.holds(campaign["when"], user, event, properties):
            return
        per = ("", "") if campaign["per"] is None else told_by(properties.get("k"))
        active = [
            live for live in user["live"]
            if live["campaign"] == campaign["id"] and live["per"] == per
        ]  # fmt: skip
        reason = self.refusal(user, campaign, event, t, properties, per, late, bool(active))
        if reason:
            self.tell(user, "refused", {"campaign": campaign["id"], "key": None}, reason=reason)
            return
        for live in active:
            self.exit(user, live, "restarted")
        mine = (campaign["id"], per)
        ordinal = user["starts"].count((*mine, t))
        user["starts"].append((*mine, t))
        live = {
            "key": (campaign["id"], user["name"], per, t, ordinal), "campaign": campaign["id"],
            "per": per, "start": t, "at": t, "due": None, "order": len(user["starts"]),
            "event": event, "properties": properties, "rest": named(campaign["steps"], "steps"),
        }  # fmt: skip
        user["live"].append(live)
        self.tell(user, "entered", live)
        if t < user["clock"]:
            self.start_late(user, live)
        else:
            self.walk(user, live)

    def refusal(
        self, user: Dict, campaign: Dict, event: str, t: int, properties: Dict,
        per: Any, late: bool, active: bool,
    ) -> str:  # fmt: skip
        starts = [start for *of, start in user["starts"] if tuple(of) == (campaign["id"], per)]
        reentry = campaign["reentry"]
        exits = [when for name, when in user["events"] if name in campaign["exits"]]
        tester = campaign["status"] == "test" and user["name"] in self.policy["testers"]
        questions = [
            ("status", campaign["status"] != "live" and not tester),
            ("audience", not self.holds(campaign["audience"], user, event, properties)),
            ("late", late and user["clock"] - t > self.policy["max_lateness"]),
            ("late", late and any(when > t for when in exits)),
            ("per", per is None),
            ("active", active and not campaign["restart"]),
            ("reentry", not active and reentry is None and bool(starts)),
            ("reentry", not active and bool(reentry and starts and t - max(starts) < reentry)),
            ("limit", not active and len(user["live"]) >= self.policy["limit"]),
        ]
        return next((reason for reason, refused in questions if refused), "")

    def holds(self, condition: str | None, user: Dict, event: str, properties: Dict) -> bool:
        if condition is None:
            return True
        try:
            return CONDITIONS[condition](properties, user["traits"], event) is True
        except KeyError:
            return False

    # From step to step

    def walk(self, user: Dict, live: Dict, sends: list[tuple[int, Dict]] | None = None) -> None:
        while live["rest"]:
            step, *live["rest"] = live["rest"]
            if "wait" in step:
                live["due"] = live["at"] + step["wait"]
                if sends is None or live["due"] > user["clock"]:
                    return
                live["at"], live["due"] = live["due"], None
            elif "send" in step and sends is not None:
                sends.append((live["at"], step))
            elif "send" in step:
                self.send(user, live, step, live["at"])
            elif "exit" in step:
                self.exit(user, live, step["exit"], step["id"])
                return
            else:
                truth = self.holds(step["if"], user, live["event"], live["properties"])
                way = "then" if truth else "else"
                self.tell(user, "branched", live, step=step["id"], branch=way)
                live["rest"] = [*step[way], *live["rest"]]
        user["live"].remove(live)
        self.tell(user, "finished", live)

    def start_late(self, user: Dict, live: Dict) -> None:
        self.late_start = True
        sends: list[tuple[int, Dict]] = []
        self.walk(user, live, sends)
        latest = max((due for due, _ in sends), default=0)
        for due, step in sends:
            if due == latest:
                self.send(user, live, step, due)
            else:
                self.skip(user, live, step, "expired")

    def exit(self, user: Dict, live: Dict, reason: str, step: str = "") -> None:
        user["live"].remove(live)
        self.tell(user, "exited", live, reason=reason, step=step)
        if not step:
            for key, message in user["outbox"].items():
                if message["key"] == live["key"]:
                    self.take_back(message, key)

    def take_back(self, message: Dict, key: Any) -> None:
        if not message["back"]:
            message["back"] = True
            self.taken_back.append((key, "exited"))

    # Messages

    def send(self, user: Dict, live: Dict, step: Dict, due: int) -> None:
        expires = step["expires"]
        if expires is not None and user["judge"] - due > expires:
            self.skip(user, live, step, "expired")
            return
        draft = {
            "key": live["key"], "campaign": live["campaign"], "start": live["start"],
            "step": step["id"], "limit": None if expires is None else due + expires,
        }  # fmt: skip
        reason = self.send_first_open(user, draft, step["send"], None)
        if reason:
            self.skip(user, live, step, reason)

    def skip(self, user: Dict, live: Dict, step: Dict, reason: str) -> None:
        self.tell(user, "skipped", live, step=step["id"], channel=step["send"][0], reason=reason)

    def send_first_open(self, user: Dict, draft: Dict, channels: Any, instead_of: Any) -> str:
        reasons = []
        for place, channel in enumerate(channels):
            reason = self.closed_to(user, channel, draft["campaign"])
            if not reason:
                key = (draft["key"], draft["step"], channel)
                left = channels[place + 1 :]
                user["outbox"][key] = {
                    **draft, "channel": channel, "left": left, "back": False,
                    "at": user["judge"], "instead_of": instead_of,
                    "more": not all(self.closed_to(user, each, draft["campaign"]) for each in left),
                }  # fmt: skip
                self.tell(user, "sent", user["outbox"][key], message=key)
                return ""
            reasons.append(reason)
        return reasons[0] if reasons else "nobody"

    def closed_to(self, user: Dict, channel: str, campaign: str) -> str:
        address = self.address(user, channel)
        if not address:
            return "unreachable"
        said = user["traits"].get("consent", {}).get(channel)
        needed = channel in {"email", "sms"}
        marketing = self.campaign(campaign)["purpose"] == "marketing"
        if marketing and (said is False or (needed and said is not True)):
            return "no_consent"
        return "suppressed" if user["refused"].get(channel) == address else ""

    def address(self, user: Dict, channel: str) -> Any:
        trait = {"email": "email", "sms": "phone", "push": "push"}.get(channel)
        return "everybody" if trait is None else user["traits"].get(trait)

    def tell(self, user: Dict, kind: str, about: Dict, **more: Any) -> None:
        late = user["judge"] - user["clock"] >= 1000
        self.log.append(
            {
                "at": user["clock"], "user": user["name"], "campaign": about["campaign"],
                "kind": kind, "enrollment": about["key"], "step": about.get("step", ""),
                "channel": about.get("channel", ""), "reason": "", "branch": "", "message": None,
                "judged": user["judge"] if late else 0, **more,
            }
        )  # fmt: skip


def named(steps: Any, path: str) -> list[Dict]:
    """Steps with their paths as ids."""
    result = []
    for place, step in enumerate(steps):
        own = f"{path}.{place}"
        one = {**step, "id": own}
        if "if" in step:
            one["then"] = named(step["then"], f"{own}.then")
            one["else"] = named(step["else"], f"{own}.else")
        result.append(one)
    return result
