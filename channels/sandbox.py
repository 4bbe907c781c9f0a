"""Liquid within bounds: no clock, no files, no unbounded loop, output or intermediate value.

python-liquid meters loops, assigned names and output; what a chain of filters builds in between it
does not meter (`replace: ''` squares its input), so every filter here is fenced on both sides.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import FilterArgumentError, LiquidError, ResourceLimitError, UndefinedError
from liquid.filter import with_context
from liquid.output import LimitedStringIO
from liquid.undefined import UNDEFINED, Undefined
from liquid.utils import ReadOnlyChainMap
from markupsafe import Markup
from typing_extensions import override

from channels.customs import Customs
from channels.dates import zone_of
from channels.filters import FILTERS
from channels.liquid_faults import said
from channels.locales import babel_locale
from channels.metering import VALUE_CHARS_A_UNIT, Meter, MeteredFor, MeteredTablerow
from channels.shelf import EMPTY, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import tzinfo

    from babel import Locale
    from liquid import Token

OUTPUT_BYTES_MAX: Final = 1024 * 1024
"""A rendered text, and each text that a filter makes on the way, is no longer than this."""

ITEMS_MAX: Final = 10_000
"""Loop iterations of one nest of loops, and items of a list that a filter takes or makes."""

_DIGIT_BITS_MAX: Final = 4096
_LOCALS_BYTES_MAX: Final = 4 * OUTPUT_BYTES_MAX
_DEPTH_MAX: Final = 30
_APPLYING: Final = 20
_ITEM_CHARS: Final = 64
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

    __slots__ = ("_locale", "_zone", "loop_weight", "meter", "missing", "now_at_ms")

    def __init__(self, template: BoundTemplate, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(template, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.missing = Missing(strict=False)
        self.meter = Meter()
        self.loop_weight = 1
        self.now_at_ms: int | None = None
        self._locale: Locale | None = None
        self._zone: tzinfo | None = None

    @property
    def customs(self) -> Customs:
        """The shop's."""
        assert isinstance(self.env, Sandbox)
        return self.env.customs

    @property
    def products(self) -> Shelf:
        """The shop's products."""
        shelf = self.globals.get("catalog")
        return shelf if isinstance(shelf, Shelf) else EMPTY

    def recommend(self, given: list[str], count: int) -> list[object]:
        """Products for this user that go with those given."""
        self.meter.spend(50 + len(given))
        return self.products.recommend(given, str(self._trait("id")), count)

    def locale(self) -> Locale:
        """How this user reads numbers and instants; the shop's way where nothing is known."""
        if self._locale is None:
            told = self._trait("locale")
            found = babel_locale(told) if isinstance(told, str) else None
            found = found or babel_locale(self.customs.locale) or babel_locale("en")
            assert found is not None
            self._locale = found
        return self._locale

    def zone(self) -> tzinfo:
        """The user's time zone; the shop's where he has none, or one that is none."""
        if self._zone is None:
            try:
                self._zone = zone_of(str(self._trait("timezone") or self.customs.timezone))
            except ValueError:
                self._zone = zone_of(self.customs.timezone)
        return self._zone

    def _trait(self, name: str) -> object:
        user = self.globals.get("user")
        return user.get(name) if isinstance(user, dict) else None

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

    @override
    def raise_for_loop_limit(self, length: int = 1) -> None:
        super().raise_for_loop_limit(length)
        self.meter.spend(length * self.loop_weight)


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
        return self._rendered(inside)

    def apply(self, value: object, argument: object, outer: SandboxContext) -> str:
        """The text that a filter of the shop's makes of a value, at the expense of `outer`."""
        given = {name: outer.globals.get(name) for name in ("user", "now", "catalog")}
        scope = {**given, "value": value, "argument": argument}
        inside = SandboxContext(self, globals=self.make_globals(scope))
        inside.missing, inside.meter = outer.missing, outer.meter
        inside.now_at_ms = outer.now_at_ms
        inside.meter.spend(_APPLYING)
        return self._rendered(inside)

    def _rendered(self, inside: SandboxContext) -> str:
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

    def __init__(self, *, autoescape: bool, customs: Customs = Customs()) -> None:  # noqa: B008 - frozen
        super().__init__(undefined=CountedUndefined, autoescape=autoescape)
        self.customs = customs
        for name, source in customs.filters:
            with suppress(
                LiquidError
            ):  # `filter_faults` tells it, and templates that it is not there
                text = self.from_string(source)
                assert isinstance(text, SandboxTemplate)
                self.add_filter(name, _applied(name, text, escaped=autoescape))

    @override
    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for reading_files in ("include", "render"):
            del self.tags[reading_files]
        self.add_tag(MeteredFor)
        self.add_tag(MeteredTablerow)
        for name, func in FILTERS.items():
            self.add_filter(name, func)

    @override
    def add_filter(self, name: str, func: Callable[..., Any]) -> None:
        super().add_filter(name, _fenced(name, func))


def _applied(name: str, text: SandboxTemplate, *, escaped: bool) -> Callable[..., str]:
    def apply(value: object, argument: object = "", *, context: SandboxContext) -> str:
        try:
            made = text.apply(value, argument, context)
        except LiquidError as fault:  # its place is one in the filter, not in the template
            told = f"in the shop's filter {name!r}: {said(fault)}"
            raise FilterArgumentError(told, token=None) from fault
        return Markup(made) if escaped else made  # noqa: S704 - it has escaped its values

    return with_context(apply)


def _fenced(name: str, func: Callable[..., Any]) -> Callable[..., Any]:
    takes_context = getattr(func, "with_context", False)

    @functools.wraps(func)  # keeps the mark by which Liquid passes the environment
    def fence(value: Any, *args: Any, context: SandboxContext, **kwargs: Any) -> Any:  # noqa: ANN401
        if name != "default" and isinstance(value, CountedUndefined):
            value.miss()
        size = _measure(value)
        for given in args:
            size += _measure(given)
        if name in _MULTIPLYING:
            _foresee(name, value, args)
        if takes_context:
            made = func(value, *args, context=context, **kwargs)
        else:
            made = func(value, *args, **kwargs)
        context.meter.spend(1 + (size + _measure(made)) // VALUE_CHARS_A_UNIT)
        return made

    return with_context(fence)


def _measure(value: object) -> int:
    """About how much there is of it, in characters; an item of a list counts for some."""
    if isinstance(value, str):
        size = len(value)
        within = size <= OUTPUT_BYTES_MAX
    elif isinstance(value, (list, tuple, range)):
        size = len(value) * _ITEM_CHARS
        within = len(value) <= ITEMS_MAX
    elif isinstance(value, int):
        size = 0
        within = value.bit_length() <= _DIGIT_BITS_MAX
    else:
        size, within = 0, True
    if not within:
        raise ResourceLimitError("a filter's value is too large", token=None)
    return size


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
