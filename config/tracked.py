"""What campaigns ask of events and users, against what the tracking plan says there is.

What can never be is a fault: a comparison of a text with a number, a value that an enum does not
have, a name where the plan forbids all but its own. A name that the plan only does not have is a
warning: the shop may send it all the same.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from config.asking import Mention
from config.faults import nearest, shown
from config.yaml12 import Scalar, place_within
from engine.core.cel.checked import (
    Apply,
    Asked,
    Comprehension,
    Constant,
    Field,
    Has,
    Items,
    Kind,
    Local,
    Operate,
    Variable,
    parts,
)
from engine.core.conditions.needs import asked_by
from engine.core.intake.tracking_plan import RESERVED_TRAITS
from engine.core.messages.answers import EVENTS as ANSWERS
from engine.core.past.sessions import SESSION_ENDED, SESSION_STARTED
from engine.core.steps.kinds import Emit, Send, Set

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from channels.rendering import Template
    from config.circles import Placed
    from config.faults import Findings
    from config.source import Source, Written
    from engine.core.cel.checked import Checked
    from engine.core.intake.forms import Form
    from engine.core.intake.tracking_plan import TrackingPlan

OWN_EVENTS: Final = ANSWERS | {SESSION_STARTED, SESSION_ENDED}
"""Events of the engine's own, which no plan needs to have."""

_COMPARED: Final = frozenset({"<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/", "%"})
_OF_EVENTS: Final = frozenset(
    ("count", "did", "since", "last", "first", "sum", "avg", "min", "max", "distinct")
)
_OF_NUMBERS: Final = frozenset({"sum", "avg", "min", "max"})
_OF_TEXTS: Final = frozenset({"startsWith", "endsWith", "contains", "matches"})
_SIDES: Final = {
    "string": "a text",
    "integer": "a number",
    "number": "a number",
    "boolean": "a truth value",
    "array": "a list",
    "object": "a map",
}
_KINDS: Final = {
    Kind.STRING: "a text",
    Kind.INT: "a number",
    Kind.DOUBLE: "a number",
    Kind.BOOL: "a truth value",
    Kind.LIST: "a list",
    Kind.MAP: "a map",
}


class Tracked:
    """The check of one shop.

    Args:
        plan: What there is.
        placed: The campaigns.
        findings: Takes what is wrong.
    """

    def __init__(self, plan: TrackingPlan, placed: Sequence[Placed], findings: Findings) -> None:
        self._plan = plan
        self._placed = {one.path: one.campaign for one in placed}
        self._findings = findings
        steps = [step for one in placed for step in one.campaign.steps]
        emitted = {step.event for step in steps if isinstance(step, Emit)}
        self._made = OWN_EVENTS | emitted
        given = {trait.name for step in steps if isinstance(step, Set) for trait in step.traits}
        self._given = given | {*RESERVED_TRAITS}

    def check_events(self, named: Iterable[Mention]) -> None:
        """What campaigns name under `event:`."""
        for one in named:
            self._check_event(one.name, one)

    def check_condition(self, written: Written) -> None:
        """One condition. O(its size)."""
        _Condition(self, written, self._at_hand(written)).check()

    def check_templates(self, templates: Mapping[tuple[str, str], Template]) -> None:
        """What templates read of the event that started the enrollment, and of the user."""
        starts: dict[tuple[str, str], set[str] | None] = {}
        for campaign in self._placed.values():
            for step in campaign.steps:
                for channel in step.channels if isinstance(step, Send) else ():
                    assert isinstance(step, Send)
                    names = starts.setdefault((step.template, channel), set())
                    if names is not None:
                        names |= {*campaign.entry.events}
        for key, template in templates.items():
            forms = {"event": self._forms(starts.get(key) or ()), "user": self._user()}
            for path, read in ((one.path, read) for one in template.each() for read in one.reads):
                whose, name = read.path[:2]
                place = Mention(name, path, read.line, 0, f"{whose}.{name}")
                self.check_name(forms[whose], place, of_user=whose == "user")

    def warn_of_passive(self) -> None:
        """Warn where a campaign starts by nothing that users do."""
        for path, campaign in self._placed.items():
            signals = {*campaign.entry.events}
            edge = None if campaign.entry.edge is None else campaign.entry.edge.program
            for program in (campaign.entry.when, campaign.audience, edge):
                if program is not None:
                    signals |= {_signal(asked) for asked in asked_by(program)}
            if signals and signals <= self._plan.passive:
                told = f"{campaign.id} starts by what no user does: {', '.join(sorted(signals))}"
                hint = "ask for something of his own, like did(NAME), if he is to have a part in it"
                self._findings.warn(path, 1, told, hint)

    def _at_hand(self, written: Written) -> Sequence[str]:
        """The events that `event` may be."""
        fields = written.fields
        if "event" in fields.node.entries and not fields.prefix.endswith("exit."):
            node = fields.node.entries["event"]
            items = node.items if hasattr(node, "items") else [node]
            return [item.text for item in items if isinstance(item, Scalar)]
        campaign = self._placed.get(fields.source.path)
        return () if campaign is None else campaign.entry.events

    def _forms(self, names: Iterable[str]) -> list[Form] | None:
        """Those of events; None where one is not in the plan, and may be anything."""
        forms = [self._plan.events.get(name) for name in names]
        known = [form for form in forms if form is not None]
        return known if known and len(known) == len(forms) else None

    def _user(self) -> list[Form] | None:
        return None if self._plan.traits is None else [self._plan.traits]

    def _check_event(self, name: str, place: Mention) -> None:
        if name in self._plan.events or name in self._made or not name:
            return
        told = f"{place.where}: tracking-plan.yaml has no event {shown(name)}"
        hint = nearest(name, sorted({*self._plan.events, *self._made}))
        if not hint.startswith("did you mean"):
            hint = "add it there, or name one that it has"
        self._tell(place, told, hint, self._plan.is_open)

    def check_name(
        self, forms: list[Form] | None, place: Mention, *, of_user: bool = False
    ) -> list[Form] | None:
        """The forms of what has a name in others; None where that may be anything."""
        if not forms or not all(form.kind == "object" and form.properties for form in forms):
            return None
        found = [form.properties[place.name] for form in forms if place.name in form.properties]
        if not found and not (of_user and place.name in self._given):
            known = [name for form in forms for name in form.properties]
            told = f"{place.where}: tracking-plan.yaml has no {shown(place.name)} there"
            self._tell(place, told, nearest(place.name, known), any(f.is_open for f in forms))
        return found if len(found) == len(forms) else None

    def _tell(self, place: Mention, told: str, hint: str, is_open: bool) -> None:  # noqa: FBT001 - named where it is given
        tell = self._findings.warn if is_open else self._findings.fault
        tell(place.path, place.line, told, hint, column=place.column)

    def fault(self, place: Mention, told: str, hint: str) -> None:
        """Something that can never be."""
        text = f"{place.where}: {told}"
        self._findings.fault(place.path, place.line, text, hint, column=place.column)


def check_against(
    plan: TrackingPlan,
    source: Source,
    placed: Sequence[Placed],
    templates: Mapping[tuple[str, str], Template],
) -> None:
    """Tell all that does not fit, and all campaigns that start by passive events alone.

    `source` is what the shop's files were read with. O(size of conditions and templates).
    """
    tracked = Tracked(plan, placed, source.findings)
    tracked.check_events(source.named)
    for written in source.written:
        tracked.check_condition(written)
    tracked.check_templates(templates)
    tracked.warn_of_passive()


class _Condition:
    """A walk through one condition, in which the forms of what it reads are known."""

    def __init__(self, tracked: Tracked, written: Written, at_hand: Sequence[str]) -> None:
        self._to = tracked
        self._written = written
        self._event = tracked._forms(at_hand)  # noqa: SLF001 - one thing in two classes
        self._locals: dict[int, list[Form] | None] = {}

    def check(self) -> None:
        self._visit(self._written.program.tree)

    def _visit(self, node: object) -> None:
        match node:
            case Asked():
                with self._element(node.level, self._to._forms([node.name])):  # noqa: SLF001 - as above
                    self._ask(node)
                    self._visit(node.predicate)
            case Comprehension(_, _, over, level, test, result):
                self._visit(over)
                with self._element(level, None):
                    self._visit(test)
                    self._visit(result)
            case _:
                self._hold_against(node)
                for part in parts(node):
                    self._visit(part)

    def _hold_against(self, node: object) -> None:
        """What is said of a value, against what the plan says that it is."""
        match node:
            case Operate(at, operator, (left, right)) if operator in _COMPARED:
                self._compare(at, operator, left, right)
            case Operate(at, "in", (left, Items(_, items))):
                for item in items:
                    self._compare(at, "==", left, item)
            case Apply(at, function, (target, *_)) if function in _OF_TEXTS:
                side = self._side(target)
                if side not in {"", "a text"}:
                    told = f"{function}() is asked of {side}, by tracking-plan.yaml"
                    self._to.fault(self._place("", at), told, "it is for texts")
            case Field() | Has():
                self._forms_of(node, tell=True)
            case _:
                pass

    @contextmanager
    def _element(self, level: int, forms: list[Form] | None) -> Iterator[None]:
        """While what is asked of each event, or of each element of a list, is looked at."""
        around = self._locals.get(level)
        self._locals[level] = forms
        try:
            yield
        finally:
            self._locals[level] = around

    def _ask(self, asked: Asked) -> None:
        if asked.function not in _OF_EVENTS:
            return
        self._to._check_event(asked.name, self._place(asked.name, asked.at))  # noqa: SLF001 - as above
        if not asked.field:
            return
        forms = self._locals[asked.level]
        found = self._to.check_name(forms, self._place(asked.field, asked.at))
        odd = [form for form in found or () if form.kind not in {"integer", "number", "any"}]
        if odd and asked.function in _OF_NUMBERS:
            told = f"{asked.function}() of {shown(asked.field)}, which is {odd[0].told}"
            self._to.fault(self._place("", asked.at), told, "it is for numbers")

    def _forms_of(  # noqa: PLR0911 - one a kind of node
        self, node: object, *, tell: bool = False
    ) -> list[Form] | None:
        """What a value may be; None where that may be anything."""
        match node:
            case Variable(_, "event"):
                return self._event
            case Variable(_, "user"):
                return self._to._user()  # noqa: SLF001 - as above
            case Local(_, level):
                return self._locals.get(level)
            case Asked(_, "last" | "first", name):
                return self._to._forms([name])  # noqa: SLF001 - as above
            case Field(at, operand, name) | Has(at, operand, name):
                forms = self._forms_of(operand)
                of_user = isinstance(operand, Variable) and operand.name == "user"
                if tell:
                    return self._to.check_name(forms, self._place(name, at), of_user=of_user)
                if not forms:
                    return None
                found = [form.properties.get(name) for form in forms]
                known = [form for form in found if form is not None]
                return known if len(known) == len(found) else None
            case _:
                return None

    def _side(self, node: object) -> str:
        """What one side of an operator is, in a word; "" where that may be anything."""
        forms = self._forms_of(node)
        if forms and not isinstance(node, Has):
            sides = {_SIDES.get(form.kind, "") for form in forms}
            return sides.pop() if len(sides) == 1 else ""
        return _KINDS.get(getattr(node, "kind", Kind.ANY), "")

    def _compare(self, at: int, operator: str, left: Checked, right: Checked) -> None:
        if Kind.ANY not in {left.kind, right.kind}:
            return  # what is wrong with it, the language has told
        sides = self._side(left), self._side(right)
        if all(sides) and sides[0] != sides[1]:
            told = f"`{operator}` between {sides[0]} and {sides[1]}, by tracking-plan.yaml"
            self._to.fault(self._place("", at), told, "no event that fits the plan makes it true")
            return
        if operator not in {"==", "!="}:
            return
        for one, other in ((left, right), (right, left)):
            forms = self._forms_of(one)
            if forms and isinstance(other, Constant) and all(form.enum for form in forms):
                known = [str(value) for form in forms for value in form.enum]
                if str(other.value) not in known and other.value is not None:
                    told = f"{shown(other.value)} is none of its values in tracking-plan.yaml"
                    self._to.fault(
                        self._place("", other.at), told, nearest(str(other.value), known)
                    )

    def _place(self, name: str, at: int) -> Mention:
        fields = self._written.fields
        node = fields.node.entries[self._written.name]
        assert isinstance(node, Scalar), "an expression was read of it"
        line, column = place_within(fields.source.text, node, at)
        where = f"{fields.prefix}{self._written.name}, column {column}"
        return Mention(name, fields.source.path, line, column, where)


def _signal(asked: Asked) -> str:
    """The event that a question is about; one that is no event's name where it is about others."""
    return asked.name if asked.function in _OF_EVENTS else f"{asked.function}()"
