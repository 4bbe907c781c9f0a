"""The steps of a campaign, nested as they are written, to the flat program of `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from channels.base import CHANNEL_IDS
from config.conditions import condition, timed_condition
from config.faults import nearest, shown
from config.schema import ID_LENGTH_MAX, STEP_KEYS, STEPS, WAIT
from config.source import NOT_BUILT, Fields, Source, kind_of
from config.yaml12 import Mapping, Node, Sequence
from engine.core.durations import format_duration
from engine.core.plan import END, Exit, If, Send, Step, Wait, WaitWhen

if TYPE_CHECKING:
    from collections.abc import Collection
    from collections.abc import Mapping as MappingOf

Templates: TypeAlias = "MappingOf[tuple[str, str], frozenset[str]]"
"""What templates name, by their name and channel."""

_Open: TypeAlias = tuple[int, str]
"""A position, and the attribute of its step that is still to be led on."""

_WAIT_HINT: Final = "write a duration like 30s, 15m, 24h or 7d"
_STEP_HINT: Final = "write `- wait: 30m`, `- send: email`, `- if: CONDITION` or `- exit: reason`"


class Program:
    """Steps laid out in the order of the file, each with the position that follows it.

    Args:
        source: The campaign's file.
        templates: What each template of the shop names, by its name and channel.
        live: Whether steps without an id deserve a warning.

    Attributes:
        steps: The flat program, as far as it is without fault.
        signatures: See `plan.Campaign`.
        sends: Whether there is a `send`, at fault or not.
    """

    def __init__(self, source: Source, templates: Templates, *, live: bool) -> None:
        self.steps: list[Step] = []
        self.signatures: list[str] = []
        self.sends = False
        self._source = source
        self._templates = templates
        self._live = live
        self._lines: dict[str, int] = {}

    def lay_out(self, node: Node | None) -> None:
        """Read the list under `steps`. O(steps)."""
        if node is None:
            return
        if isinstance(node, Sequence) and not node.items:
            self._source.fault(node.line, "steps is an empty list", _STEP_HINT)
        self._block(node, "steps")

    def _block(self, node: Node, path: str) -> tuple[int, list[_Open]]:
        """Lay out a list of steps.

        Returns its first position (END where it has none), and what goes on behind its last.
        """
        if not isinstance(node, Sequence):
            hint = "write a list, each step after a `- `"
            self._source.fault(node.line, f"{path} is {kind_of(node)}", hint)
            return END, []
        start, tails = END, list[_Open]()
        for number, item in enumerate(node.items):
            at, behind = self._step(item, f"{path}.{number}")
            if at == END:
                continue
            if start == END:
                start = at
            elif not tails:
                told = f"the step {self.steps[at].id} is never reached"
                self._source.warn(item.line, told, "what stands before it always exits")
            for position, way in tails:
                self._lead(position, way, at)
            tails = behind
        return start, tails

    def _lead(self, position: int, way: str, to: int) -> None:
        self.steps[position] = msgspec.structs.replace(self.steps[position], **{way: to})

    def _step(self, node: Node, path: str) -> tuple[int, list[_Open]]:
        """Lay out one step; END where it is at fault, which is told."""
        kind = self._kind(node, path)
        if kind is None:
            return END, []
        assert isinstance(node, Mapping)
        fields = Fields(self._source, node, STEP_KEYS[kind], f"{path}.")
        step_id = self._id(fields, path, kind)
        step: Step | None
        match kind:
            case "wait":
                if isinstance(fields.get("wait"), Mapping):
                    return self._wait_when(fields, step_id, path)
                step = self._wait(fields, step_id)
            case "send":
                step = self._send(fields, step_id)
            case "exit":
                step = self._exit(fields, step_id)
            case _:
                return self._if(fields, step_id, path)
        if step is None:
            return END, []
        at = self._add(step, path)
        return at, [] if isinstance(step, Exit) else [(at, "next")]

    def _kind(self, node: Node, path: str) -> str | None:
        if not isinstance(node, Mapping):
            self._source.fault(node.line, f"{path} is {kind_of(node)}", _STEP_HINT)
            return None
        found = [name for name in STEPS if name in node.entries]
        if not found:
            first = next(iter(node.entries), None)
            told = f"{path} is no step" if first is None else f"{path} is no step: {shown(first)}"
            hint = _STEP_HINT if first is None else nearest(first, STEPS)
            self._source.fault(node.line, told, hint)
            return None
        if len(found) > 1:
            told = f"{path} is several steps at once: {', '.join(found)}"
            self._source.fault(node.line, told, "begin each with a `- ` of its own")
            return None
        (kind,) = found
        if STEPS[kind].later:
            self._source.fault(node.lines[kind], f"{kind} {NOT_BUILT}", STEPS[kind].later)
            return None
        return kind

    def _id(self, fields: Fields, path: str, kind: str) -> str:
        given = fields.text("id")
        if given is not None and not (len(given) <= ID_LENGTH_MAX and given.isprintable()):
            fields.fault("id", f"is {shown(given)}", f"at most {ID_LENGTH_MAX} characters")
            given = None
        if given is None and self._live and kind in {"wait", "send"}:
            hint = "with `id: …` users on their way keep their place when this file changes"
            self._source.warn(fields.node.line, f"{path} ({kind}) has no id", hint)
        step_id = given or path
        if step_id in self._lines:
            told = f"the id {step_id} is that of the step in line {self._lines[step_id]} too"
            self._source.fault(fields.line("id"), told, "give each step an id of its own")
        self._lines.setdefault(step_id, fields.line("id"))
        return step_id

    def _add(self, step: Step, path: str) -> int:
        signature = step.id if step.id != path else f"{path}\n{_content(step)}"
        self.steps.append(step)
        self.signatures.append(signature)
        return len(self.steps) - 1

    def _wait(self, fields: Fields, step_id: str) -> Wait | None:
        node = fields.required("wait", _WAIT_HINT)
        duration_ms = fields.duration_ms("wait") if node is not None else None
        return None if duration_ms is None else Wait(step_id, duration_ms)

    def _send(self, fields: Fields, step_id: str) -> Send | None:
        self.sends = True
        fields.required("send", f"a channel: {', '.join(CHANNEL_IDS)}")
        first = fields.text("send", f"one channel: {', '.join(CHANNEL_IDS)}")
        others = fields.names("else", "a channel")
        channels = [] if first is None else self._channel(fields, "send", first, ())
        for other in others:
            channels += self._channel(fields, "else", other, channels)
        hint = "the name of a template: NAME of templates/NAME.CHANNEL.liquid"
        template = fields.text("template", hint) if fields.required("template", hint) else None
        for channel in channels if template is not None else ():
            self._template(fields, str(template), channel)
        expires_ms = fields.duration_ms("expires")
        if not channels or template is None:
            return None
        named = [self._templates.get((template, channel), frozenset()) for channel in channels]
        names = frozenset[str]().union(*named)
        return Send(step_id, tuple(channels), template, expires_ms, names=names)

    def _channel(
        self, fields: Fields, name: str, channel: str, before: Collection[str]
    ) -> list[str]:
        if channel == "preferred":
            fields.fault(name, f"preferred {NOT_BUILT}", "name a channel, and others in `else`")
        elif channel not in CHANNEL_IDS:
            told = f"names no channel: {shown(channel)}"
            fields.fault(name, told, nearest(channel, CHANNEL_IDS))
        elif channel in before:
            fields.fault(name, f"has {channel} again", "each channel is tried once")
        else:
            return [channel]
        return []

    def _template(self, fields: Fields, template: str, channel: str) -> None:
        if (template, channel) in self._templates:
            return
        path = f"templates/{template}.{channel}.liquid"
        known = [f"templates/{name}.{of}.liquid" for name, of in self._templates if of == channel]
        hint = nearest(path, known) if known else "write it"
        fields.fault("template", f"wants {path}, which is not there", hint)

    def _exit(self, fields: Fields, step_id: str) -> Exit | None:
        hint = "a reason of your own, like `exit: bought`"
        reason = fields.text("exit", hint) if fields.required("exit", hint) else None
        if reason is not None and len(reason) > ID_LENGTH_MAX:
            fields.fault("exit", "is long", f"at most {ID_LENGTH_MAX} characters")
        return None if reason is None else Exit(step_id, reason)

    def _wait_when(self, fields: Fields, step_id: str, path: str) -> tuple[int, list[_Open]]:
        wait = fields.map("wait", WAIT, _WAIT_HINT)
        assert wait is not None, "it is a map"
        if not any(key.later and key.name in wait.node.entries for key in WAIT.values()):
            wait.required("when", 'a condition, like `when: idle("30m")`')
        condition = timed_condition(wait, "when", has_event=True)
        at_most_ms = wait.duration_ms("at_most")
        if "else" in wait.node.entries and "at_most" not in wait.node.entries:
            wait.fault("else", "is never reached", "say how long with `at_most`")
        at = END
        if condition is not None:
            at = self._add(WaitWhen(step_id, condition, at_most_ms), path)
        return at, self._ways(wait, path, at)

    def _ways(self, fields: Fields, path: str, at: int) -> list[_Open]:
        """Lay out the steps under `then` and `else`; what goes on behind each.

        Where `at` is END, what they belong to is at fault: they may have faults of their own.
        """
        tails: list[_Open] = []
        for way, attribute in (("then", "then"), ("else", "next")):
            node = fields.get(way)
            start, behind = (END, []) if node is None else self._block(node, f"{path}.{way}")
            tails += behind
            if at != END and start == END:
                tails.append((at, attribute))
            elif at != END:
                self._lead(at, attribute, start)
        return tails

    def _if(self, fields: Fields, step_id: str, path: str) -> tuple[int, list[_Open]]:
        fields.required("if", "a condition, like `if: event.price > 50.0`")
        program = condition(fields, "if") if fields.get("if") else None
        if not any(fields.get(way) for way in ("then", "else")):
            hint = "give `then:` or `else:` a list of steps"
            fields.fault("if", "leads nowhere", hint)
        at = self._add(If(step_id, program), path) if program is not None else END
        return at, self._ways(fields, path, at)


def _content(step: Step) -> str:
    """What a step without an id is, apart from where it leads."""
    match step:
        case Wait():
            return f"wait {format_duration(step.duration_ms)}"
        case WaitWhen():
            return f"wait when {step.condition.text} {step.at_most_ms}"
        case Send():
            return f"send {','.join(step.channels)} {step.template} {step.expires_ms}"
        case If():
            return f"if {step.condition.text}"
        case Exit():
            return f"exit {step.reason}"
