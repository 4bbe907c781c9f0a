"""A campaign file to a `plan.Campaign`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from config.asking import check_variants
from config.circles import Placed
from config.conditions import (
    CONTENT_HINT,
    condition,
    forbid_variant,
    is_met,
    timed_condition,
    value,
)
from config.faults import nearest, shown
from config.foregone import is_always
from config.goals import read_goal
from config.schema import (
    CAMPAIGN,
    ENTER,
    EVENT_NAMES,
    EXIT,
    ID_LENGTH_MAX,
    PRIORITY_MAX,
    PURPOSES,
    STATUSES,
    WHILE_ACTIVE,
)
from config.source import Fields, Source, kind_of
from config.steps import Program, Templates
from config.tracking import read_topic, read_tracking
from config.yaml12 import Scalar
from engine.core.conditions.bindings import CONTENT
from engine.core.conditions.condition import in_segment
from engine.core.durations import format_duration
from engine.core.plan import Campaign, Entry
from engine.core.steps.kinds import CHANGES, Send, Split, Step, WaitEvent, programs_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.core.conditions.condition import Condition
    from engine.core.plan import Status

_ID: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{ID_LENGTH_MAX - 1}}}")
_NO_ID: Final = re.compile(r"[^a-z0-9]+")
_ENTER_HINT: Final = (
    "write `enter:` and under it `event: NAME`, `when: CONDITION`, or `manual: true`"
)
_NEVER: Final = "never"
_ALWAYS: Final = "always"


def compile_campaign(source: Source, templates: Templates) -> Placed | None:
    """The campaign that a file means, and where it stands. O(length of the file).

    Args:
        source: The file; its findings take every fault and warning.
        templates: What each template file names, by name and channel.

    Returns:
        None where a fault leaves no campaign; one may be returned beside faults, too.
    """
    node = source.root("a campaign is", "campaign: my-id")
    if node is None:
        return None
    fields = Fields(source, node, CAMPAIGN, "")
    status: Status = fields.word("status", STATUSES, "live")
    program = Program(source, templates, live=status == "live")
    program.lay_out(fields.required("steps", "list at least one step under `steps:`"))
    campaign_id = _id(fields)
    entry = _entry(fields)
    exit_events, exit_when = _exits(fields, entry)
    audience = condition(fields, "audience")
    forbid_variant(fields, "audience", audience)
    splits = [step for step in program.steps if isinstance(step, Split)]
    variants = {variant for split in splits for variant in split.weights}
    first_split = min([int(path.split(".")[1]) for path in program.splits], default=0)
    check_variants(source.variants, variants, source.findings, first_split)
    campaign = Campaign(
        id=campaign_id or "",
        entry=entry or Entry(events=()),
        steps=tuple(program.steps),
        signatures=tuple(program.signatures),
        description=fields.text("description") or "",
        status=status,
        purpose=fields.word("purpose", PURPOSES, "marketing"),
        priority=_priority(fields),
        audience=audience,
        exit_events=exit_events,
        exit_when=exit_when,
        wants_event=_wants_event(program.steps, exit_when),
        holdout=fields.share("holdout"),
        group=_group(fields),
        goal=read_goal(fields),
        topic=read_topic(fields),
        tracking=read_tracking(fields),
    )
    if "goal" not in fields.node.entries:
        for split in program.bandits:
            told = "is bandit, which shifts weight to what reaches the goal"
            split.fault("mode", told, "say what that is, under `goal:`")
    if campaign_id is None:
        return None
    _warn_of_awaited_ends(fields, campaign, program)
    if entry is not None:
        silent = bool(program.steps) and not program.sends and not _makes(program.steps)
        _warn_of(fields, campaign, silent=silent)
    return Placed(campaign, source.path, fields.line("campaign"), program.lines)


def _id(fields: Fields) -> str | None:
    hint = "an id of a-z, 0-9 and -, like `campaign: cart-abandonment`"
    text = fields.text("campaign", hint) if fields.required("campaign", hint) else None
    if text is not None and not _ID.fullmatch(text):
        ascii_text = normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
        near = _NO_ID.sub("-", ascii_text).strip("-")[:ID_LENGTH_MAX]
        right = f"an id has a-z, 0-9 and - alone, up to {ID_LENGTH_MAX}: `campaign: {near}`"
        fields.fault("campaign", f"is {shown(text)}", right if near else hint)
        return None
    return text


def _group(fields: Fields) -> str:
    hint = "a name of a-z, 0-9 and -, like `group: recovery`"
    text = fields.text("group", hint)
    if text is not None and not _ID.fullmatch(text):
        fields.fault("group", f"is {shown(text)}", hint)
        return ""
    return text or ""


def _priority(fields: Fields) -> int:
    node = fields.get("priority")
    if node is None:
        return 50
    number = node.value if isinstance(node, Scalar) else None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= PRIORITY_MAX:
        hint = f"a whole number from 0 to {PRIORITY_MAX}"
        fields.fault("priority", f"is {kind_of(node)}", hint)
        return 50
    return number


def _entry(fields: Fields) -> Entry | None:
    if fields.required("enter", _ENTER_HINT) is None:
        return None
    enter = fields.map("enter", ENTER, _ENTER_HINT)
    if enter is None:
        return None
    by_event = "event" in enter.node.entries
    when = condition(enter, "when") if by_event else None
    if when is not None and CONTENT in when.names:
        told = "enter.when asks for content, which no event brings: it is not asked by hand"
        enter.source.warn(enter.line("when"), told, CONTENT_HINT)
    per = value(enter, "per")
    forbid_variant(enter, "when", when)
    forbid_variant(enter, "per", per)
    reentry_ms = _reentry_ms(enter)
    restart = enter.word("while_active", WHILE_ACTIVE, "ignore") == "restart"
    events = enter.names("event", "an event's name")
    manual = _manual(enter)
    if manual and per is not None and per.names & EVENT_NAMES:
        enter.fault("per", "asks for an event, and a manual start has none", "ask for `content`")
    edge = None if by_event or manual else _edge(enter)
    if by_event and "segment" in enter.node.entries:
        hint = 'ask for it in `when`, as in_segment("vip"), or leave `event` out'
        enter.fault("segment", "beside `event`", hint)
    if not events and edge is None and not manual:
        return None
    return Entry(
        events=events,
        when=when,
        per=per,
        reentry_ms=reentry_ms,
        restart=restart,
        edge=edge,
        backfill=_backfill(enter, by_condition=not (by_event or manual)),
    )


def _manual(enter: Fields) -> bool:
    """Whether users come in by hand alone; what else brings them in is then a fault."""
    if not _flag(enter, "manual"):
        return False
    for other in ("event", "when", "segment"):
        if other in enter.node.entries:
            told = "beside `manual`, which is for campaigns that nothing else enters"
            hint = "leave one of them out: each live campaign starts by hand, too"
            enter.fault(other, told, hint)
    return True


def _flag(enter: Fields, name: str) -> bool:
    node = enter.get(name)
    if node is None:
        return False
    if not (isinstance(node, Scalar) and isinstance(node.value, bool)):
        enter.fault(name, f"is {kind_of(node)}", "write true, or leave it out")
        return False
    return node.value


def _edge(enter: Fields) -> Condition | None:
    """What users come in by as it becomes true of them; None where it is at fault."""
    if "segment" in enter.node.entries:
        if "when" in enter.node.entries:
            enter.fault("when", "beside `segment`", "write both conditions under `when`")
        segment = enter.text("segment", "the id of a segment of segments.yaml")
        if segment is None:
            return None
        if segment not in enter.source.segments:
            told = f"is {shown(segment)}, which segments.yaml does not have"
            enter.fault("segment", told, nearest(segment, enter.source.segments))
            return None
        return in_segment(segment, enter.source.segments)
    if "when" in enter.node.entries:
        return timed_condition(enter, "when", has_event=False)
    enter.fault("event", "is missing", _ENTER_HINT)
    return None


def _backfill(enter: Fields, *, by_condition: bool) -> bool:
    backfill = _flag(enter, "backfill")
    if backfill and not by_condition:
        enter.fault("backfill", "is for campaigns that a condition enters", "leave it out")
    return backfill


def _reentry_ms(enter: Fields) -> int | None:
    node = enter.get("reentry")
    if node is None or (isinstance(node, Scalar) and node.value == _ALWAYS):
        return 0
    if isinstance(node, Scalar) and node.value == _NEVER:
        return None
    return enter.duration_ms("reentry") or 0


def _exits(fields: Fields, entry: Entry | None) -> tuple[tuple[str, ...], Condition | None]:
    """By which events, and as what becomes true, those who are in it leave."""
    hint = "write `exit:` and under it `event: NAME`"
    leave = fields.map("exit", EXIT, hint)
    if leave is None:
        return (), None
    if "event" not in leave.node.entries and "when" not in leave.node.entries:
        leave.fault("event", "is missing", hint)
    when = timed_condition(leave, "when", has_event=True)
    if when is not None and entry is not None and not is_always(when.program.tree):
        brings_in = entry.edge.program if entry.edge is not None else entry.when
        if is_met(brings_in, [when.program]):
            told = "holds of whoever comes in: he leaves at once, and is sent nothing"
            leave.source.warn(leave.line("when"), f"exit.when {told}", "ask for what comes later")
    return leave.names("event", "an event's name"), when


def _wants_event(steps: Iterable[Step], exit_when: Condition | None) -> bool:
    """Whether anything can ask for the entering event; that it is kept costs memory."""
    if exit_when is not None and exit_when.names & EVENT_NAMES:
        return True
    for step in steps:
        if isinstance(step, Send) and step.names & EVENT_NAMES:
            return True
        # What is asked of an awaited event is not asked of the one that entered.
        asked = () if isinstance(step, WaitEvent) else programs_of(step)
        if any(program.names & EVENT_NAMES for program in asked):
            return True
    return False


def _makes(steps: Iterable[Step]) -> bool:
    """Whether anything comes of it besides messages."""
    return any(isinstance(step, CHANGES) for step in steps)


def _warn_of_awaited_ends(fields: Fields, campaign: Campaign, program: Program) -> None:
    """Warn of waits for an event that ends the campaign before it goes on by it."""
    ends: dict[str, str] = {}
    goal = campaign.goal
    if goal is not None and goal.when is None:
        within = format_duration(goal.within_ms)
        ends = dict.fromkeys(goal.events, f"goal.event ends it first, within {within}")
    ends |= dict.fromkeys(campaign.exit_events, "exit.event ends it first")
    for step in program.steps:
        for event in step.events if isinstance(step, WaitEvent) else ():
            if event in ends:
                told = f"the step {step.id} does not go on by {shown(event)}: {ends[event]}"
                hint = "wait for another event, or take this one out there"
                fields.source.warn(program.lines[step.id], told, hint)


def _warn_of(fields: Fields, campaign: Campaign, *, silent: bool) -> None:
    line = fields.line("campaign")
    if silent:
        fields.source.warn(line, f"{campaign.id} can send nothing", "add a `send` step")
    if campaign.holdout == 1 and campaign.is_marketing and not silent:
        told = f"holdout is everybody: {campaign.id} sends nothing"
        hint = "lower it; to hold the campaign back, write `status: paused`"
        fields.source.warn(fields.line("holdout"), told, hint)
    if campaign.holdout and not campaign.is_marketing:
        told = f"holdout does nothing: {campaign.id} is transactional"
        fields.source.warn(fields.line("holdout"), told, "leave it out")
