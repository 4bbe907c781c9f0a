"""`split`: a way for each variant of an experiment."""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Final

from config.faults import shown
from config.schema import ID_LENGTH_MAX, MODES, SPLIT, VARIANT
from config.source import Fields, kind_of
from config.yaml12 import Mapping, Scalar
from engine.core.experiments import VARIANT as ASKED
from engine.core.steps.kinds import END, Split

if TYPE_CHECKING:
    from config.steps.program import Laid, Open, Program
    from config.yaml12 import Node

WEIGHT_MAX: Final = 1e6

_WORD: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{ID_LENGTH_MAX - 1}}}")
_WORD_HINT: Final = f"a name of letters, digits, - and _, up to {ID_LENGTH_MAX}, like"
_HINT: Final = "write `split:` and under it `name: copy` and `variants:`"
_VARIANTS_HINT: Final = "list two or more, like `a: {weight: 1, steps: […]}`"
_WEIGHT_HINT: Final = f"a number above 0, up to {WEIGHT_MAX:,.0f}: the shares of all count"


def read_split(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """Ways of which each user is drawn one."""
    split = fields.map("split", SPLIT, _HINT)
    if split is None:
        return END, []
    program.splits.append(path)
    name = _name(program, split)
    node = split.required("variants", _VARIANTS_HINT)
    if node is None:
        return END, []
    if not isinstance(node, Mapping) or not node.entries:
        told = "is empty" if isinstance(node, Mapping) else f"is {kind_of(node)}"
        split.fault("variants", told, _VARIANTS_HINT)
        return END, []
    is_bandit = split.word("mode", MODES, "fixed") == "bandit"
    if is_bandit:
        program.bandits.append(split)
    read = [_variant(split, node, variant, is_bandit=is_bandit) for variant in node.entries]
    if len(read) == 1:
        split.fault("variants", "has one variant alone", "give it another to compare it with")
    weights = {variant: weight for (weight, _), variant in zip(read, node.entries, strict=True)}
    at = program.add(Split(step_id, name, weights, (END,) * len(read), is_bandit), path)
    tails: list[Open] = []
    for place, (variant, (_, steps)) in enumerate(zip(node.entries, read, strict=True)):
        tails += program.way(at, place, steps, f"{path}.{variant}")
    return at, tails


def _name(program: Program, split: Fields) -> str:
    hint = f"{_WORD_HINT} `name: copy`"
    name = split.text("name", hint) if split.required("name", hint) else None
    if name is None:
        return ""
    if not _WORD.fullmatch(name):
        split.fault("name", f"is {shown(name)}", hint)
    if name in [step.name for step in program.steps if isinstance(step, Split)]:
        told = f"is {shown(name)}, which another split of the campaign is called too"
        split.fault("name", told, f"ask for `{ASKED}` in an `if` to go the same way again")
    return name


def _variant(
    split: Fields, variants: Mapping, name: str, *, is_bandit: bool
) -> tuple[float, Node | None]:
    """A variant's weight, and its steps; 1.0 stands for a weight that is at fault.

    What a bandit begins with may be left out.
    """
    line, node = variants.lines[name], variants.entries[name]
    where = f"{split.prefix}variants."
    if not _WORD.fullmatch(name):
        split.source.fault(line, f"{where[:-1]} has {shown(name)}", f"{_WORD_HINT} `a`")
    if not isinstance(node, Mapping):
        told = f"{where}{shown(name)[1:-1]} is {kind_of(node)}"
        split.source.fault(line, told, "write it as `{weight: 1, steps: […]}`")
        return 1.0, None
    fields = Fields(split.source, node, VARIANT, f"{where}{shown(name)[1:-1]}.")
    has_none = is_bandit and "weight" not in node.entries
    return 1.0 if has_none else _weight(fields), fields.get("steps")


def _weight(fields: Fields) -> float:
    node = fields.required("weight", _WEIGHT_HINT)
    if node is None:
        return 1.0
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isfinite(value) and 0 < value <= WEIGHT_MAX:
            return float(value)
        if value == 0:
            fields.fault("weight", "is 0: nobody would get it", "leave the variant out")
            return 1.0
    fields.fault("weight", f"is {kind_of(node)}", _WEIGHT_HINT)
    return 1.0
