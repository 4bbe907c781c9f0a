"""Liquid within bounds: no clock, no files, no unbounded loop, output or intermediate value.

python-liquid meters loops, assigned names and output; what a chain of filters builds in between it
does not meter (`replace: ''` squares its input), so every filter here is fenced on both sides.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

import msgspec
from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import FilterArgumentError, ResourceLimitError, UndefinedError
from liquid.filter import liquid_filter, with_context
from liquid.output import LimitedStringIO
from liquid.undefined import UNDEFINED, Undefined
from liquid.utils import ReadOnlyChainMap
from typing_extensions import override

from channels.dates import format_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from liquid import Token

OUTPUT_BYTES_MAX: Final = 1024 * 1024
"""A rendered text, and each text that a filter makes on the way, is no longer than this."""

ITEMS_MAX: Final = 10_000
"""Loop iterations of one nest of loops, and items of a list that a filter takes or makes."""

_DIGIT_BITS_MAX: Final = 4096
_LOCALS_BYTES_MAX: Final = 4 * OUTPUT_BYTES_MAX
_DEPTH_MAX: Final = 30
_MULTIPLYING = frozenset({"replace", "join"})


class Missing:
    """What one rendering named and did not find.

    Attributes:
        count: How many times a missing value was rendered as nothing.
        strict: Raise at the first instead of counting.
    """

    __slots__ = ("count", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.count = 0
        self.strict = strict


class CountedUndefined(Undefined):
    """A name that was not found: nothing when rendered, and counted (in strict mode: a fault).

    Testing one with `if`, comparing it, or giving it a `default` is asking whether it is there,
    and is neither counted nor a fault.
    """

    __slots__ = ("missing",)

    def __init__(
        self,
        name: str,
        *,
        token: Token | None = None,
        obj: object = UNDEFINED,
        hint: str | None = None,
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.missing: Missing | None = None

    def miss(self) -> None:
        """Count one use; raises `UndefinedError` in strict mode."""
        if self.missing is None:
            return
        if self.missing.strict:
            raise UndefinedError(self.hint or f"{self.name!r} is undefined", token=self.token)
        self.missing.count += 1
        self.missing = None  # a value that goes through three filters is missing once

    @override
    def __str__(self) -> str:
        self.miss()
        return ""

    @override
    def __len__(self) -> int:
        self.miss()
        return 0

    @override
    def __iter__(self) -> Iterator[Any]:
        self.miss()
        return iter(())


class SandboxContext(RenderContext):
    """A rendering's scope, without the clock that Liquid's own `now` and `today` read.

    Its buffers keep line ends as they are: python-liquid's turn CRLF into LF.
    """

    __slots__ = ("missing", "now_at_ms")

    def __init__(self, template: BoundTemplate, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(template, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.missing = Missing(strict=False)
        self.now_at_ms: int | None = None

    @override
    def get(
        self, path: list[object], *, token: Token | None, default: object = UNDEFINED
    ) -> object:
        found = super().get(path, token=token, default=default)
        if isinstance(found, CountedUndefined):
            found.missing = self.missing
        return found

    @override
    def get_buffer(self, buf: TextIO | None = None) -> LimitedStringIO:
        used = buf.size if isinstance(buf, LimitedStringIO) else 0
        return LimitedStringIO(OUTPUT_BYTES_MAX - used, newline="")


class SandboxTemplate(BoundTemplate):
    """A parsed text that renders in a `SandboxContext`."""

    context_class: type[RenderContext] = SandboxContext

    def render_within(
        self, context: Mapping[str, object], missing: Missing, now_at_ms: int | None
    ) -> str:
        """The text for this context; what is missing is told to `missing`."""
        scope = dict(context)
        if now_at_ms is not None:
            scope["now"] = scope["today"] = now_at_ms
        inside = SandboxContext(self, globals=self.make_globals(scope))
        inside.missing = missing
        inside.now_at_ms = now_at_ms
        buffer = inside.get_buffer()
        self.render_with_context(inside, buffer)
        return buffer.getvalue()


class Sandbox(Environment):
    """The one dialect of our templates, with limits on everything."""

    template_class: type[BoundTemplate] = SandboxTemplate
    block_nesting_limit: ClassVar[int] = _DEPTH_MAX
    context_depth_limit: ClassVar[int] = _DEPTH_MAX
    loop_iteration_limit: ClassVar[int | None] = ITEMS_MAX
    local_namespace_limit: ClassVar[int | None] = _LOCALS_BYTES_MAX
    output_stream_limit: ClassVar[int | None] = OUTPUT_BYTES_MAX

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(undefined=CountedUndefined, autoescape=autoescape)

    @override
    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for reading_files in ("include", "render"):
            del self.tags[reading_files]
        self.add_filter("date", _date)
        self.add_filter("json", _json)

    @override
    def add_filter(self, name: str, func: Callable[..., Any]) -> None:
        super().add_filter(name, _fenced(name, func))


def _fenced(name: str, func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)  # keeps the marks by which Liquid passes context and environment
    def fence(value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if name != "default" and isinstance(value, CountedUndefined):
            value.miss()
        for given in (value, *args):
            _measure(given)
        if name in _MULTIPLYING:
            _foresee(name, value, args)
        made = func(value, *args, **kwargs)
        _measure(made)
        return made

    return fence


def _measure(value: object) -> None:
    if isinstance(value, str):
        within = len(value) <= OUTPUT_BYTES_MAX
    elif isinstance(value, (list, tuple, range)):
        within = len(value) <= ITEMS_MAX
    elif isinstance(value, int):
        within = value.bit_length() <= _DIGIT_BITS_MAX
    else:
        within = True
    if not within:
        raise ResourceLimitError("a filter's value is too large", token=None)


def _foresee(name: str, value: object, args: tuple[object, ...]) -> None:
    """Refuse what would be too large before it is made: these two multiply their inputs."""
    if name == "join":
        items = value if isinstance(value, (list, tuple, range)) else ()
        separator = len(str(args[0])) if args else 1
        size = sum(len(str(item)) for item in items) + separator * len(items)
    else:
        text = str(value)
        found = text.count(str(args[0])) if args else 0
        size = len(text) + found * (len(str(args[1])) if len(args) > 1 else 0)
    if size > OUTPUT_BYTES_MAX:
        raise ResourceLimitError(f"'{name}' would make too long a text", token=None)


@with_context
@liquid_filter
def _date(
    value: object, form: object = "", zone: object = "UTC", *, context: SandboxContext
) -> str:
    """`| date: FORMAT, ZONE`: an instant (milliseconds, seconds, ISO 8601, `now`) in local time."""
    if isinstance(value, Undefined) or value is None:
        return ""
    at = context.now_at_ms if isinstance(value, str) and value in {"now", "today"} else value
    try:
        return format_date(at, str(form), str(zone) or "UTC")
    except ValueError as fault:
        raise FilterArgumentError(str(fault), token=None) from fault


@liquid_filter
def _json(value: object) -> str:
    """`| json`: the value as JSON, quotes included; what is missing is `null`."""
    return _encoder.encode(value).decode()


def _plain(value: object) -> object:
    if isinstance(value, Undefined):
        return None
    if isinstance(value, range):
        return list(value)
    return str(value)


_encoder = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
