"""Compiled campaigns: a flat program of steps each, and which event wakes which of them.

A plan is made once from a shop folder (`config.compile`) and never changes; another configuration
is another plan. Conditions are compiled CEL programs. Nothing in here is kept in a user's state
but ids: an enrollment names its campaign and its step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from copy import copy
from functools import partial, reduce
from operator import attrgetter, or_
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from engine.core.cel import Program
from engine.core.collections import Role, asked_for, roles
from engine.core.conditions.bindings import binder, event_reader
from engine.core.conditions.condition import Condition
from engine.core.conditions.moment import Moment
from engine.core.conditions.needs import needs, with_newest
from engine.core.conditions.touches import Touches
from engine.core.conditions.wakes import Index, Wakes
from engine.core.experiments import experiments_of
from engine.core.goals import Goal
from engine.core.history import Kept, sent_name
from engine.core.inputs import EventReceived
from engine.core.messages.caps import place_name, places_kept
from engine.core.messages.clicks import utm_of
from engine.core.messages.facts import facts_of
from engine.core.messages.preferring import sends_kept
from engine.core.past.coming import widen, widen_collections
from engine.core.past.sessions import asks_for_sessions
from engine.core.people.scores import models_asked
from engine.core.policy import Policy
from engine.core.state import User
from engine.core.steps.kinds import (
    CHANGES,
    Emit,
    Repeat,
    Send,
    Split,
    Step,
    WaitEvent,
    WaitWhen,
    programs_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.collections import Collection


Status: TypeAlias = Literal["live", "test", "draft", "paused", "archived"]
Purpose: TypeAlias = Literal["marketing", "transactional"]

NO_FACTS = msgspec.Raw(b"")

_SENT, _PLACES = sent_name(""), place_name("")
"""How the names begin, in a history, of messages that went and of places that they took."""


class Entry(msgspec.Struct, frozen=True, eq=False):
    """How users come in; where neither an event nor a condition brings them, by hand alone.

    Attributes:
        events: Names of the events that enter.
        when: Asked when such an event arrives, after it has been applied.
        edge: Where no event enters: whoever this becomes true of comes in at that instant.
        backfill: Whether those come in too of whom it is true as the campaign goes live.
        per: One enrollment per user and value of this; None: one per user.
        reentry_ms: Least time between two entries; 0 always admits, None never again.
        restart: A new entry ends the active enrollment instead of being refused.
    """

    events: tuple[str, ...]
    when: Program | None = None
    per: Program | None = None
    reentry_ms: int | None = 0
    restart: bool = False
    edge: Condition | None = None
    backfill: bool = False


class Campaign(msgspec.Struct, frozen=True, eq=False):
    """One campaign, ready to run.

    Attributes:
        steps: The flat program; step 0 is the first, `END` is behind the last.
        signatures: For each step, its id if the shop gave one, else path and content: where an
            enrollment in flight finds its place again after the file changed.
        exit_events: Names of the events that end an enrollment at once.
        wants_event: Whether a step or template can ask for the properties of the entering event.
        facts: What templates see of it as `campaign`, as JSON (`facts_of`).
        is_guarded: Whether entry asks more of a user who is in nothing than event and `enter.when`.
        is_marketing: Whether its messages need consent.
        is_live: Whether nobody's place in it is asked for its status (`holding`).
        exit_when: Whoever is in it leaves at the instant at which this is true.
        group: A user is in at most one enrollment of all campaigns of a group; "" is none.
        raised_by: What can make a condition true that is asked of those who are in it, if one is.
        repeats: Its `repeat` steps and their positions, in the order of the file.
        splits: Its `split` steps, in the order of the file.
        goal: What it is for, if that is said.
        holdout: Share of entrants, 0.0 to 1.0, who go through everything and are sent nothing.
        topic: What its messages are about, for those who want no more of that; "" is not said.
        tracking: What it says over the shop's settings of that; None: nothing. As JSON has it.
    """

    id: str
    entry: Entry
    steps: tuple[Step, ...]
    signatures: tuple[str, ...]
    description: str = ""
    status: Status = "live"
    purpose: Purpose = "marketing"
    priority: int = 50
    audience: Program | None = None
    exit_events: tuple[str, ...] = ()
    wants_event: bool = True
    facts: msgspec.Raw = NO_FACTS
    is_guarded: bool = False
    is_marketing: bool = True
    is_live: bool = True
    exit_when: Condition | None = None
    raised_by: Touches | None = None
    holdout: float = 0.0
    group: str = ""
    repeats: tuple[tuple[int, Repeat], ...] = ()
    splits: tuple[Split, ...] = ()
    goal: Goal | None = None
    topic: str = ""
    tracking: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        derive = msgspec.structs.force_setattr
        facts = facts_of(self.id, self.description, self.purpose, self.topic, self.tracking)
        derive(self, "facts", facts)
        entry = self.entry
        asks_more = self.audience is not None or entry.per is not None
        is_guarded = asks_more or self.status != "live" or entry.reentry_ms != 0
        derive(self, "is_guarded", is_guarded)
        derive(self, "is_marketing", self.purpose == "marketing")
        derive(self, "is_live", self.status == "live")
        repeats = tuple((at, s) for at, s in enumerate(self.steps) if isinstance(s, Repeat))
        derive(self, "repeats", repeats)
        derive(self, "splits", tuple(step for step in self.steps if isinstance(step, Split)))
        asked = [step.condition for step in self.steps if isinstance(step, WaitWhen)]
        if self.exit_when is not None:
            asked.append(self.exit_when)
        raised_by = reduce(or_, (condition.raised_by for condition in asked)) if asked else None
        derive(self, "raised_by", raised_by)

    def programs(self) -> Iterator[Program]:
        """Every condition and expression of it."""
        yield from filter(None, (self.audience, self.entry.when, self.entry.per))
        for condition in filter(None, (self.entry.edge, self.exit_when)):
            yield condition.program
        if self.goal is not None:
            yield from filter(None, (self.goal.when, self.goal.value))
        for step in self.steps:
            yield from programs_of(step)

    @property
    def rank(self) -> tuple[int, str]:
        """Sort key: higher priority first, then id."""
        return (-self.priority, self.id)


class Reactions(msgspec.Struct, frozen=True, eq=False):
    """What one event name can do.

    Attributes:
        entries: Campaigns that it may enter, in order of rank, with the condition to ask first.
        exits: Ids of campaigns that it ends.
        goals: Ids of campaigns whose goal it may be.
        ends: Whether it is an exit or a goal of any.
        awaits: Ids of campaigns in which somebody may wait for it.
        name: The event's name: the one object of it that users share.
        kept: What of it a user's history must hold; None for nothing. At least one where it exits.
        gathers: What it does to a user's collections.
        bind: Binds what the conditions of `entries` name, for the user and the event at hand.
        read: Where that is the event alone (`bindings.event_reader`).
        wakes: What it may change of conditions that are asked as it happens.
        enters_alone: Whether it can enter campaigns, and does nothing else.
    """

    entries: tuple[tuple[Campaign, Program | None], ...]
    exits: frozenset[str]
    name: str
    kept: Kept | None
    gathers: tuple[Role, ...]
    bind: Callable[[User, EventReceived], dict[str, Any]]
    wakes: Wakes
    awaits: frozenset[str] = frozenset()
    goals: frozenset[str] = frozenset()
    ends: bool = False
    enters_alone: bool = False
    read: Callable[[msgspec.Raw], Any] | None = None

    def __post_init__(self) -> None:
        does_more = self.gathers or self.kept is not None or self.ends or not self.entries
        msgspec.structs.force_setattr(self, "enters_alone", not does_more)


NOTHING = Wakes()
"""What an input wakes that no condition can see."""

NO_REACTIONS = Reactions((), frozenset(), "", None, (), lambda _user, _event: {}, NOTHING)
"""None at all."""


class Plan:
    """All campaigns and the policy, indexed by what wakes them. Immutable once made.

    Args:
        plan_id: Names the content that this was compiled from.
        campaigns: In any order; ids are unique.
        policy: The shop's settings.
        collections: All that the shop declares; the plan has those that it asks for.
        segments: By id.

    Attributes:
        weights: Those of bandits that were drawn, by experiment (`weighed`).
    """

    weights: Mapping[str, Mapping[str, float]] = MappingProxyType({})

    def __init__(
        self,
        plan_id: str,
        campaigns: Iterable[Campaign] = (),
        policy: Policy | None = None,
        collections: Iterable[Collection] = (),
        segments: Mapping[str, Condition] | None = None,
    ) -> None:
        self.id = plan_id
        self.policy = policy or Policy()
        ranked = sorted(campaigns, key=attrgetter("rank"))
        self.campaigns = {campaign.id: campaign for campaign in ranked}
        self.experiments = experiments_of(ranked, self.policy.holdout)
        self.segments = segments or {}
        """Conditions that others may ask for, by their id."""
        programs = [program for c in ranked for program in c.programs()]
        programs += [segment.program for segment in self.segments.values()]
        self.asked = needs(programs, self.policy.events_kept_max)
        """What conditions ask of events, by name."""
        self.kept = with_newest(self.asked, ranked, self.policy.max_lateness_ms)
        """What history keeps, by event name."""
        self.kept_sends = sends_kept(programs, ranked, self.policy.events_kept_max)
        """What it keeps of messages sent, by channel or campaign."""
        self.kept_places = places_kept(self.policy.caps)
        """What it keeps of messages that count under the caps, by channel."""
        named = _named(ranked)
        self.models = models_asked(programs)
        """Those whose scores a condition asks for."""
        self.collections = asked_for(collections, programs, named)
        """Those that a condition or a template asks for, by name."""
        names = {name for c in ranked for name in c.entry.events} | self.kept.keys()
        names.update(*[one.events for one in self.collections.values()])
        woken = Index(ranked, self.collections.values())
        *_, awaiting, aiming = by_event = _by_event(ranked)
        names.update(woken.events(), awaiting, aiming)
        self.has_goals, self.utm = bool(aiming), utm_of(ranked, self.policy)
        """Whether an enrollment can reach a goal; by campaign, what visits tell its links by."""
        self.edges = tuple(c for c in ranked if c.entry.edge is not None)
        """Campaigns that users come in by a condition, in order of rank."""
        self.newcomers: frozenset[str] | None = None
        """Of `edges`, those that may be true of somebody who has done nothing; made by `edges`."""
        self.beginners: frozenset[str] | None = None
        """Likewise, of somebody who has just done what they do not name."""
        self.keeps_sessions = asks_for_sessions(programs, names)
        """Whether anything asks for sessions: then the engine makes their events."""
        makes = any(isinstance(step, CHANGES) for c in ranked for step in c.steps)
        timed = [self.edges, self.keeps_sessions, makes, awaiting]
        self.is_timed = any([*timed, *[c.raised_by for c in ranked]])
        """Whether more can happen than that an event enters or ends, and a wait is over."""
        self.on_activity, self.on_traits = woken.on_activity, woken.on_traits
        self.on_scores, self.on_sends, self.on_merges = woken.on_others
        self.unnamed = msgspec.structs.replace(NO_REACTIONS, wakes=self.on_activity)
        """Reactions to an event that no campaign names."""
        self.may_follow = makes or self.on_sends.has_edges
        """Whether what a step does can bring somebody in."""
        self._reactions = {
            name: _react(self, name, [by[name] for by in by_event], woken) for name in names
        }
        self.reactions = self._reactions.get
        """`reactions(name)` is None for an event that no campaign names. O(1)."""

    @property
    def events(self) -> list[str]:
        """Names of events that something of it asks for, sorted. O(names log names)."""
        return sorted(name for name in self._reactions if name.isprintable())

    @property
    def emits(self) -> frozenset[str]:
        """Names of events that its campaigns make. O(steps)."""
        steps = (step for campaign in self.campaigns.values() for step in campaign.steps)
        return frozenset(step.event for step in steps if isinstance(step, Emit))

    def keeps(self, name: str) -> bool:
        """Whether it asks for what a history has under a name. O(1)."""
        return self.kept_of(name) is not None

    def kept_of(self, name: str) -> Kept | None:
        """What a history keeps under a name: of an event, of messages, of their places. O(1)."""
        if name.startswith(_PLACES):
            return self.kept_places.get(name.removeprefix(_PLACES))
        if name.startswith(_SENT):
            return self.kept_sends.get(name.removeprefix(_SENT))
        return self.kept.get(name)

    def weighed(self, weights: Mapping[str, Mapping[str, float]]) -> Plan:
        """The same plan with these weights of bandits in force. O(1)."""
        if weights == self.weights:
            return self
        weighed = copy(self)
        weighed.weights = weights
        return weighed

    def widened(self, coming: Plan) -> Plan:
        """The same plan, which keeps of users what a coming one asks for, too.

        O(names and collections of both).
        """
        wide = copy(self)
        wide.kept = widen(self.kept, coming.kept)
        wide.kept_sends = widen(self.kept_sends, coming.kept_sends)
        wide.kept_places = widen(self.kept_places, coming.kept_places)
        wide.models = self.models | coming.models
        if coming.keeps_sessions and not self.keeps_sessions:
            gap_ms = coming.policy.session_gap_ms
            wide.policy = msgspec.structs.replace(self.policy, session_gap_ms=gap_ms)
        wide.keeps_sessions = self.keeps_sessions or coming.keeps_sessions
        wide.is_timed = self.is_timed or coming.keeps_sessions
        wide.collections = gathered = widen_collections(self.collections, coming.collections)
        wide._reactions = reactions = dict(self._reactions)  # noqa: SLF001 - its own
        for name in coming.kept.keys() | {n for one in gathered.values() for n in one.events}:
            reactions[name] = msgspec.structs.replace(
                reactions.get(name, self.unnamed),
                name=name,
                kept=wide.kept.get(name),
                gathers=roles(gathered.values(), name),
            )
        wide.reactions = reactions.get
        return wide


def _named(campaigns: Iterable[Campaign]) -> frozenset[str]:
    """What their templates name."""
    sends = [step for c in campaigns for step in c.steps if isinstance(step, Send)]
    return frozenset[str]().union(*[step.names for step in sends])


def _by_event(ranked: Iterable[Campaign]) -> tuple[dict[str, list[Campaign]], ...]:
    """Which campaigns an event enters or ends, which wait for it or aim at it, by rank."""
    entering: dict[str, list[Campaign]] = defaultdict(list)
    leaving: dict[str, list[Campaign]] = defaultdict(list)
    awaiting: dict[str, list[Campaign]] = defaultdict(list)
    aiming: dict[str, list[Campaign]] = defaultdict(list)
    for campaign in ranked:
        for name in dict.fromkeys(campaign.entry.events):
            entering[name].append(campaign)
        for name in dict.fromkeys(campaign.exit_events):
            leaving[name].append(campaign)
        for name in campaign.goal.events if campaign.goal is not None else ():
            aiming[name].append(campaign)
        for step in campaign.steps:
            for name in step.events if isinstance(step, WaitEvent) else ():
                awaiting[name].append(campaign)
    return entering, leaving, awaiting, aiming


def _react(plan: Plan, name: str, by_event: Iterable[list[Campaign]], woken: Index) -> Reactions:
    entering, leaving, awaiting, aiming = by_event
    entries = tuple((campaign, campaign.entry.when) for campaign in entering)
    asked = [when for _, when in entries if when is not None]
    return Reactions(
        entries=entries,
        exits=frozenset(campaign.id for campaign in leaving),
        name=name,
        kept=plan.kept.get(name),
        gathers=roles(plan.collections.values(), name),
        bind=binder(asked, plan.collections, partial(Moment, plan=plan)),
        read=event_reader(asked),
        wakes=woken.on_event(name),
        awaits=frozenset(campaign.id for campaign in awaiting),
        goals=frozenset(campaign.id for campaign in aiming),
        ends=bool(leaving or aiming),
    )
