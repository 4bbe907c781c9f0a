"""Liquid within bounds: no clock, no files, no unbounded loop, output or intermediate value.

python-liquid meters loops, assigned names and output; `metering` and `fencing` bound the rest.
"""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING, Any, ClassVar, Final, TextIO

from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    OutputStreamLimitError,
)
from liquid.filter import with_context
from liquid.output import LimitedStringIO
from liquid.undefined import UNDEFINED
from liquid.utils import ReadOnlyChainMap
from markupsafe import Markup
from typing_extensions import override

from channels.templates.customs import Customs
from channels.templates.dates import zone_of
from channels.templates.fencing import fenced
from channels.templates.filters import FILTERS
from channels.templates.liquid_faults import said
from channels.templates.locales import babel_locale
from channels.templates.metering import (
    ITEMS_MAX,
    OUTPUT_BYTES_MAX,
    VALUE_CHARS_A_UNIT,
    Meter,
    MeteredFor,
    MeteredOutput,
    MeteredTablerow,
    WorkExceeded,
)
from channels.templates.missing import CountedUndefined, Missing
from channels.templates.shelf import EMPTY, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from babel import Locale
    from liquid import Token

_LOCALS_BYTES_MAX: Final = 4 * OUTPUT_BYTES_MAX
_DEPTH_MAX: Final = 30
_APPLYING: Final = 20


_SIZED: Final = frozenset({str, list})
_LOOKED_AT: Final = 256


def _looking_units(value: Any) -> int:  # noqa: ANN401 - of _SIZED
    """What looking through a value may take: comparing it, asking whether it contains another."""
    return len(value) // VALUE_CHARS_A_UNIT if type(value) is str else len(value) // 16


class _Output(LimitedStringIO):
    """What is written, up to a limit; most of it is ASCII, whose bytes need no counting."""

    __slots__ = ("limit", "size")  # half the time of a write was looking for them in its dict

    @override
    def write(self, text: str) -> int:
        size = self.size + (len(text) if text.isascii() else len(text.encode()))
        if size > self.limit:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        self.size = size
        return _write(self, text)


_write: Final = StringIO.write


class SandboxContext(RenderContext):
    """A rendering's scope, without the clock that Liquid's own `now` and `today` read.

    Its buffers keep line ends as they are: python-liquid's turn CRLF into LF.
    """

    __slots__ = ("_fences", "_locale", "_zone", "loop_weight", "meter", "missing", "now_at_ms")

    def __init__(self, template: BoundTemplate, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(template, **kwargs)
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.missing = Missing(strict=False)
        self.meter = Meter()
        self.loop_weight = 1
        self.now_at_ms: int | None = None
        self._fences: dict[str, Callable[..., object]] = {}
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
        # What is there in plain maps, as nearly always: a third of python-liquid's way to it.
        try:
            found: object = self.scope[path[0]]  # type: ignore[index]  # or TypeError
            for place in range(1, len(path)):
                if type(found) is not dict:
                    break
                found = found[path[place]]
            else:
                if type(found) in _SIZED and len(found) > _LOOKED_AT:  # type: ignore[arg-type]
                    self.meter.spend(_looking_units(found))
                return found
        except (KeyError, TypeError):
            pass
        found = super().get(path, token=token, default=default)
        if isinstance(found, CountedUndefined):
            found.missing = self.missing
        elif type(found) in _SIZED:
            self.meter.spend(_looking_units(found))
        return found

    @override
    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        fence = self._fences.get(name)
        if fence is None:
            fence = self._fences[name] = super().filter(name, token)
        return fence

    @override
    def get_buffer(self, buf: TextIO | None = None) -> LimitedStringIO:
        used = buf.size if isinstance(buf, LimitedStringIO) else 0
        return _Output(OUTPUT_BYTES_MAX - used, newline="")

    @override
    def raise_for_loop_limit(self, length: int = 1) -> None:
        super().raise_for_loop_limit(length)
        self.meter.spend(length * self.loop_weight)


class SandboxTemplate(BoundTemplate):
    """A parsed text that renders in a `SandboxContext`."""

    context_class: type[RenderContext] = SandboxContext

    def render_within(
        self,
        context: Mapping[str, object],
        missing: Missing,
        meter: Meter,
        now_at_ms: int | None,
    ) -> str:
        """The text for this context; what is missing is told to `missing`, work to `meter`."""
        scope = dict(context)
        if now_at_ms is not None:
            scope["now"] = scope["today"] = now_at_ms
        inside = SandboxContext(self, globals=self.make_globals(scope))
        inside.missing, inside.meter = missing, meter
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
        self.add_tag(MeteredOutput)
        self.add_tag(MeteredTablerow)
        for name, func in FILTERS.items():
            self.add_filter(name, func)

    @override
    def add_filter(self, name: str, func: Callable[..., Any]) -> None:
        super().add_filter(name, fenced(name, func))


def _applied(name: str, text: SandboxTemplate, *, escaped: bool) -> Callable[..., str]:
    def apply(value: object, argument: object = "", *, context: SandboxContext) -> str:
        try:
            made = text.apply(value, argument, context)
        except WorkExceeded:
            raise
        except LiquidError as fault:  # its place is one in the filter, not in the template
            told = f"in the shop's filter {name!r}: {said(fault)}"
            raise FilterArgumentError(told, token=None) from fault
        return Markup(made) if escaped else made  # noqa: S704 - it has escaped its values

    return with_context(apply)
