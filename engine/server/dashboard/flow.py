"""A campaign as its flow: each step where it stands, branches side by side, with what came of it.

The steps of a plan lie flat, each with the positions it leads on to. What belongs to a branch ends
where all branches that go on come together again: at the first position that each of them reaches.
It is drawn as lists in lists, so that whoever has the page read out hears the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from engine.core.steps.kinds import (
    END,
    Choose,
    Emit,
    Exit,
    If,
    Repeat,
    Send,
    Set,
    Split,
    Wait,
    WaitEvent,
    WaitUntil,
    WaitWhen,
)
from engine.server.dashboard import words
from engine.server.dashboard.markup import Content, Html, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.plan import Campaign
    from engine.core.steps.kinds import Step

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EVERY_DAY: Final = 7


def campaign_address(campaign_id: str) -> str:
    """Of a campaign's own page."""
    return f"/campaigns/{quote(campaign_id, safe='')}"


def draw(campaign: Campaign, told: dict[str, Any]) -> Html:
    """The flow, with what `Performance.campaign` tells of it. O(steps squared)."""
    counts = {one["id"]: one for one in told["steps"]}
    drawing = _Drawing(campaign, counts)
    first = _node("enter", "Enter", _entry(campaign), [("entered", told["entered"])])
    gone = [
        ("finished", told["finished"]),
        *((f"left: {reason}", count) for reason, count in told["exited"].items()),
        ("converted", told["converted"]),
    ]
    last = _node("end", "End", None, gone)
    steps = drawing.chain(0, frozenset())
    return tag("ol", tag("li", first), steps, tag("li", last), class_="flow")


class _Drawing:
    def __init__(self, campaign: Campaign, counts: dict[str, dict[str, Any]]) -> None:
        self._steps = campaign.steps
        self._counts = counts

    def chain(self, position: int, until: frozenset[int]) -> list[Html]:
        """Steps from a position on, one list item each, up to where others begin."""
        items: list[Html] = []
        while position != END and position not in until and position < len(self._steps):
            step = self._steps[position]
            counts = self._counts.get(step.id, {})
            ways = _ways(step)
            if isinstance(step, Repeat):
                inner = self.chain(position + 1, until | {position, step.end})
                below: Content = self._branches([(f"up to {step.times} times", inner)])
                following = step.next
            elif len(ways) > 1:
                following = self._meet([to for _, to in ways], position)
                stop = until | {following}
                below = self._branches([
                    (_named(name, counts), self.chain(to, stop)) for name, to in ways
                ])  # fmt: skip
            else:
                following, below = (ways[0][1] if ways else END), None
            items.append(tag("li", _drawn(step, counts), below))
            position = following if following > position or following == END else END
        return items

    def _branches(self, branches: list[tuple[str, list[Html]]]) -> Html:
        drawn = [
            tag(
                "div",
                tag("h3", name),
                tag("ol", items, class_="flow") if items else tag("p", "goes on", class_="soft"),
                class_="way",
            )
            for name, items in branches
        ]
        return tag("div", drawn, class_="ways")

    def _meet(self, ways: list[int], position: int) -> int:
        """Where branches come together: the first position that all which go on reach."""
        reached = [self._reach(to, position) for to in ways]
        going_on = [one for one in reached if END in one]
        if not going_on:
            return END
        shared = frozenset.intersection(*going_on) - {END}
        return min(shared, default=END)

    def _reach(self, position: int, behind: int) -> frozenset[int]:
        """Every position that a way comes by, going forwards; `END` among them where it ends."""
        found: set[int] = set()
        waiting = [position]
        while waiting:
            at = waiting.pop()
            if at in found:
                continue
            if at == END or at >= len(self._steps) or at <= behind:
                found.add(END)  # back to a repeat around it: from there it goes on
                continue
            found.add(at)
            step = self._steps[at]
            after = [step.next] if isinstance(step, Repeat) else [to for _, to in _ways(step)]
            waiting += after
        return frozenset(found)


def _ways(step: Step) -> list[tuple[str, int]]:
    match step:
        case If():
            return [("then", step.then), ("else", step.next)]
        case WaitWhen() | WaitEvent() if step.then != step.next:
            return [("it came", step.then), ("time was up", step.next)]
        case Choose():
            named = [
                (f"{one.text}", to) for one, to in zip(step.conditions, step.ways, strict=True)
            ]
            return [*named, ("else", step.next)]
        case Split():
            return list(zip(step.weights, step.ways, strict=True))
        case Exit():
            return []
        case _:
            return [("", step.next)]


def _named(name: str, counts: dict[str, Any]) -> str:
    went = counts.get("branched", {}).get(name)
    return name if went is None else f"{name} · {words.count(went)}"


def _entry(campaign: Campaign) -> str:
    entry = campaign.entry
    if entry.events:
        when = f", when {entry.when.text}" if entry.when is not None else ""
        return f"by {words.listed(entry.events)}{when}"
    return f"when {entry.edge.text}" if entry.edge is not None else "by hand"


def _drawn(step: Step, counts: dict[str, Any]) -> Html:
    kind, what, detail = _described(step)
    return _node(kind, what, detail, list(_numbers(step, counts)), step.id)


def _node(
    kind: str, what: str, detail: str | None, numbers: list[tuple[str, float]], step: str = ""
) -> Html:
    told = [tag("span", tag("b", words.count(count)), f" {name}") for name, count in numbers]
    return tag(
        "div",
        tag("p", tag("span", what, class_="what"), " ", tag("code", step, class_="soft")),
        tag("p", detail, class_="soft mono") if detail else None,
        tag("p", told, class_="numbers") if told else None,
        class_=f"node {kind}",
    )


def _numbers(step: Step, counts: dict[str, Any]) -> Iterator[tuple[str, float]]:
    if "reached" in counts:
        yield "came here", counts["reached"]
    if counts.get("waiting"):
        yield "wait here", counts["waiting"]
    if isinstance(step, Send):
        for name in ("sent", "delivered", "opened", "clicked", "failed"):
            if counts.get(name) or name in {"sent", "opened"}:
                yield name, counts.get(name, 0)
        if counts.get("goals"):
            yield "converted", counts["goals"]
        skipped = counts.get("skipped") or {}
        if isinstance(skipped, dict):
            for reason, count in skipped.items():
                yield f"skipped: {reason}", count


def _described(step: Step) -> tuple[str, str, str | None]:  # noqa: C901, PLR0911 - a case each
    match step:
        case Wait():
            return "wait", f"Wait {words.span(step.duration_ms)}", None
        case WaitWhen():
            return "wait", f"Wait until it is true{_at_most(step.at_most_ms)}", step.condition.text
        case WaitUntil():
            time = f"{step.minute // 60:02d}:{step.minute % 60:02d}"
            days = "" if len(step.days) == _EVERY_DAY else " on " + ", ".join(
                _DAYS[day] for day in sorted(step.days)
            )  # fmt: skip
            return "wait", f"Wait until {time}{days}", step.timezone or "the user's own time"
        case WaitEvent():
            when = step.when.text if step.when is not None else None
            return "wait", f"Wait for {words.listed(step.events)}{_at_most(step.at_most_ms)}", when
        case Repeat():
            until = f"until {step.until.text}" if step.until is not None else None
            return "repeat", f"Repeat, {step.times} times at the most", until
        case Send():
            return "send", f"Send {words.listed(step.channels, 'else')}", step.template
        case If():
            return "if", "If", step.condition.text
        case Choose():
            return "if", "Choose", None
        case Split():
            mode = "Bandit" if step.is_bandit else "Split"
            shares = ", ".join(f"{name} {weight:g}" for name, weight in step.weights.items())
            return "if", f"{mode} {step.name}", shares
        case Set():
            return "set", "Set " + ", ".join(one.name for one in step.traits), None
        case Emit():
            return "set", f"Emit {step.event}", None
        case Exit():
            return "exit", f"Exit: {step.reason}", None


def _at_most(ms: int | None) -> str:
    return "" if ms is None else f", {words.span(ms)} at the most"
