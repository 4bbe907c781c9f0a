"""Whether a regular expression is found in a text, in time linear in the text.

The tree becomes a nondeterministic automaton (Thompson 1968), its state sets are walked at once and
each step remembered, so that a text of n characters takes n steps, each at worst as long as the
pattern has states. No pattern can make it slower, which is why Python's own `re`, whose time can
be exponential, is not used.

What one question may visit is counted as if nothing were remembered from the ones before: whether
it is answered follows from the pattern and the text alone, in a replay as it did live.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, assert_never

from engine.core.cel.errors import CelError, CelWorkError
from engine.core.cel.limits import PATTERN_STATES_MAX, STATE_VISITS_MAX, SUBJECT_LENGTH_MAX
from engine.core.cel.pattern import (
    Alternatives,
    Boundary,
    Chars,
    PatternError,
    Repeat,
    Sequence,
    Shape,
    parse_pattern,
)

_STEPS_KEPT_MAX = 20_000
_PATTERNS_KEPT_MAX = 64
_END = ""
_WORD = Chars(((48, 57), (65, 90), (95, 95), (97, 122)))

State = Chars | Boundary | None
"""What must be there to go on; None for a state that only leads to others."""

Step = tuple[frozenset[int], str, str]
"""The states before a character, the character before it, and it; none at either end."""

Following = frozenset[int] | None
"""The states behind a character; None where there is a match before it."""

_UNKNOWN: Final[Following] = frozenset({-1})


class _Node(dict[str, "_Node | None"]):
    """Where each character leads that was met here; None where there is a match before it.

    Attributes:
        states: The states before the character.
        before: What stands before it, as far as boundaries ask: "", a line's end, or one letter or
            blank for all that are of words or not.
    """

    __slots__ = ("before", "states")

    def __init__(self, states: frozenset[int], before: str) -> None:
        super().__init__()
        self.states = states
        self.before = before


class Visits:
    """What one question has asked of regular expressions, however many and of however many texts.

    Attributes:
        left: How many more states it may visit in steps that it has not made.
        met: By pattern, the steps that it has made.
    """

    __slots__ = ("left", "met")

    def __init__(self) -> None:
        self.left = STATE_VISITS_MAX
        self.met: dict[str, dict[Step, Following]] = {}


class Automaton:
    """A regular expression, ready to be asked.

    States are numbered; `_next` holds where each leads. State 0 is the match.

    Raises:
        PatternError: The text is no regular expression, or exceeds a limit.
    """

    __slots__ = (
        "_first",
        "_next",
        "_nodes",
        "_pattern",
        "_sets",
        "_start",
        "_states",
        "_steps",
        "_weight",
    )

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._states: list[State] = [None]
        self._next: list[list[int]] = [[]]
        self._first = self._before(parse_pattern(pattern), 0)
        self._steps: dict[Step, tuple[Following, int]] = {}
        # Each set of states once: what is the same object need not be compared state by state.
        self._sets: dict[frozenset[int], frozenset[int]] = {}
        self._start = _Node(frozenset(), _END)
        self._nodes: dict[tuple[frozenset[int], str], _Node] = {}
        self._weight = 0

    def _add(self, state: State, following: list[int]) -> int:
        if len(self._states) >= PATTERN_STATES_MAX:
            raise PatternError(f"has more than {PATTERN_STATES_MAX} states")
        self._states.append(state)
        self._next.append(following)
        return len(self._states) - 1

    def _before(self, shape: Shape, then: int) -> int:
        """The state from which the shape leads to the state `then`."""
        match shape:
            case Chars() | Boundary():
                return self._add(shape, [then])
            case Sequence(parts):
                for part in reversed(parts):
                    then = self._before(part, then)
                return then
            case Alternatives(parts):
                return self._add(None, [self._before(part, then) for part in parts])
            case Repeat(part, least, most):
                return self._before_repeated(part, least, most, then)
            case _:
                assert_never(shape)

    def _before_repeated(self, part: Shape, least: int, most: int | None, then: int) -> int:
        if most is None:
            again = self._add(None, [then])
            self._next[again].append(self._before(part, again))
            then = again
        else:
            end = then
            for _ in range(most - least):
                then = self._add(None, [end, self._before(part, then)])
        for _ in range(least):
            end, then = then, self._before(part, then)
            if then == end:  # the part is the empty text, and so is any number of it
                break
        return then

    def found_in(self, text: str, visits: Visits | None = None) -> bool:
        """Whether any part of the text is what the pattern says. O(length) steps of O(states).

        Raises:
            CelWorkError: The question that `visits` are of visits more than `STATE_VISITS_MAX`.
        """
        if visits is None:
            if (len(text) + 1) * len(self._states) <= STATE_VISITS_MAX:
                return self._is_in(text)
            visits = Visits()
        met = visits.met.setdefault(self._pattern, {})
        states: frozenset[int] = frozenset()
        before = _END
        for char in (*text, _END):
            step = states, before, char
            following = met.get(step, _UNKNOWN)
            if following is _UNKNOWN:
                following, visited = self._steps.get(step) or self._made(step)
                visits.left -= visited
                if visits.left < 0:
                    raise CelWorkError(
                        "the regular expression takes too long for this text",
                        hint="use a simpler one, or ask it of shorter texts",
                    )
                met[step] = following
            if following is None:
                return True
            states, before = following, char
        return False

    def _is_in(self, text: str) -> bool:
        """As `found_in`, for a text that is too short for any limit: nothing is counted."""
        node = self._start
        for char in text:
            try:
                following = node[char]
            except KeyError:
                following = self._grown(node, char)
            if following is None:
                return True
            node = following
        return (node[_END] if _END in node else self._grown(node, _END)) is None

    def _grown(self, node: _Node, char: str) -> _Node | None:
        """Where a character leads from a node; remembered."""
        step = node.states, node.before, char
        following, _ = self._steps.get(step) or self._made(step)
        then = None
        if following is not None:
            key = following, _kind(char)
            then = self._nodes.get(key)
            if then is None:
                then = self._nodes[key] = _Node(*key)
        node[char] = then
        return then

    def _made(self, step: Step) -> tuple[Following, int]:
        """A step and how many states it visits; remembered, and all where they are too many not."""
        following, visited = self._step(*step)
        self._weight += 1 + len(following or ())
        if self._weight > _STEPS_KEPT_MAX:
            self._steps.clear()
            self._sets.clear()
            for node in (self._start, *self._nodes.values()):
                node.clear()  # they lead to one another
            self._nodes.clear()
            self._weight = 0
        if following is not None:
            following = self._sets.setdefault(following, following)
        self._steps[step] = following, visited
        return following, visited

    def _step(self, states: frozenset[int], before: str, char: str) -> tuple[Following, int]:
        """The states behind `char`, None where there is a match before it; and how many it saw."""
        reached: set[int] = set()
        waiting = [self._first, *states]
        following: set[int] = set()
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            match self._states[number]:
                case Chars() as chars:
                    if char and chars.has(char):
                        following.update(self._next[number])
                case Boundary(what):
                    if _is_boundary(what, before, char):
                        waiting.extend(self._next[number])
                case None:
                    waiting.extend(self._next[number])
        return None if 0 in reached else frozenset(following), len(reached)


def _is_boundary(what: str, before: str, after: str) -> bool:
    match what:
        case "A":
            return before == _END
        case "z":
            return after == _END
        case "^":
            return before in {_END, "\n"}
        case "$":
            return after in {_END, "\n"}
        case _:
            is_word = [bool(char) and _WORD.has(char) for char in (before, after)]
            return (is_word[0] is not is_word[1]) is (what == "b")


def _kind(char: str) -> str:
    """One character for all between which no boundary tells a difference."""
    if char in {_END, "\n"}:
        return char
    return "a" if _WORD.has(char) else " "


@lru_cache(maxsize=_PATTERNS_KEPT_MAX)
def automaton_of(pattern: str) -> Automaton:
    """The automaton of a regular expression.

    Raises:
        PatternError: It is none, or exceeds a limit.
    """
    return Automaton(pattern)


def found(pattern: str, text: str, visits: Visits | None = None) -> bool:
    """Whether a regular expression is found in a text; `visits` are those of the question.

    Raises:
        CelError: It is none, or it or the text exceeds a limit.
    """
    if len(text) > SUBJECT_LENGTH_MAX:
        raise CelError(f"a text to match has at most {SUBJECT_LENGTH_MAX} characters")
    try:
        return automaton_of(pattern).found_in(text, visits)
    except PatternError as error:
        raise CelError(f"not a regular expression: {error}") from error
