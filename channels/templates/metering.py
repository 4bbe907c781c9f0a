"""What a rendering may cost: work is counted, not timed, so that it comes out alike everywhere.

python-liquid bounds the iterations of one nest of loops; ten thousand loops in a row, or one around
a long text of conditions, would still hold the loop up for minutes. Each loop is charged for what
it goes over, by the length of its text, and each filter for what it is given and makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.tablerow_tag import TablerowNode, TablerowTag
from liquid.exceptions import ResourceLimitError
from liquid.stringify import to_liquid_string
from markupsafe import escape
from typing_extensions import override

if TYPE_CHECKING:
    from liquid import RenderContext, Token
    from liquid.expression import Expression

OUTPUT_BYTES_MAX: Final = 1024 * 1024
"""A rendered text, and each text that a filter makes on the way, is no longer than this."""

ITEMS_MAX: Final = 10_000
"""Loop iterations of one nest of loops, and items of a list that a filter takes or makes."""

WORK_MAX: Final = 400_000
"""Units of one rendering: some half a second of a slow machine, and many times what mails need."""

CALL_WORK_MAX: Final = 40_000
"""Units of one call of a filter, which no other thread can break into."""

_ITERATION: Final = 4
CHARS_A_UNIT: Final = 32
"""Of a loop's text, for each time that it is gone through."""

VALUE_CHARS_A_UNIT: Final = 1024
"""Of what goes through a filter."""


class WorkExceeded(ResourceLimitError):  # noqa: N818 - named for what happened
    """More work than a rendering may be."""


class Meter:
    """What is left of a rendering's work."""

    __slots__ = ("left",)

    def __init__(self, work_max: int = WORK_MAX) -> None:
        self.left = work_max

    def spend(self, units: int) -> None:
        """Take off what something costs. Raises WorkExceeded where nothing is left."""
        self.left -= units
        if self.left < 0:
            raise WorkExceeded("the template does too much work", token=None)


def _announce(loop: MeteredForNode | MeteredTablerowNode, context: RenderContext) -> None:
    """Tell what one time through its block costs, before it begins."""
    weight = getattr(loop, "weight", None)
    if weight is None:
        weight = loop.weight = _ITERATION + len(str(loop.block)) // CHARS_A_UNIT
    context.loop_weight = weight  # type: ignore[attr-defined]  # a SandboxContext, always


class MeteredForNode(ForNode):
    """A `for` that is charged for its iterations as it begins."""

    __slots__ = ("weight",)
    weight: int

    @override
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        _announce(self, context)
        return super().render_to_output(context, buffer)


class MeteredTablerowNode(TablerowNode):
    """A `tablerow`, likewise."""

    __slots__ = ("weight",)
    weight: int

    @override
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        _announce(self, context)
        return super().render_to_output(context, buffer)


class MeteredFor(ForTag):
    """`{% for %}`."""

    node_class = MeteredForNode


class MeteredTablerow(TablerowTag):
    """`{% tablerow %}`."""

    node_class = MeteredTablerowNode


class MeteredOutputNode(OutputNode):
    """A `{{ … }}`: python-liquid's, with shorter ways for what is a plain path, and for texts."""

    __slots__ = ("filters", "path", "path_token")

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        self.path: list[object] | None = None
        if type(expression) is FilteredExpression and type(expression.left) is Path:
            segments = expression.left.path
            if not any(isinstance(one, Path) for one in segments):  # none that is looked up first
                self.path, self.path_token = [*segments], expression.left.token
                self.filters = expression.filters or ()

    @override
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if self.path is None:
            value = self.expression.evaluate(context)
        else:
            value = context.get(self.path, token=self.path_token)
            for one in self.filters:
                value = one.evaluate(value, context)
        if type(value) is str:
            return buffer.write(escape(value) if context.autoescape else value)
        return buffer.write(to_liquid_string(value, context.autoescape))


class MeteredOutput(Output):
    """`{{ … }}`."""

    node_class = MeteredOutputNode
