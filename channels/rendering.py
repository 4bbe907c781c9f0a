"""A template: parsed once, then rendered for one person at a time.

A template file is front matter and a Liquid body. Both see the names of `TEMPLATE_NAMES`, and `now`
(the instant of the rendering: Liquid's own `now` would read a clock). What is rendered into HTML is
escaped; subjects, titles, SMS, push and webhook texts are not. A webhook's body is JSON only if its
template writes JSON: put values in with `| json`, which quotes them (`{"name": {{ user.name | json
}}}`). `| safe` leaves HTML unescaped; what else there is beyond Liquid's own is in `filters`.

A mail's MJML becomes HTML, and its style blocks go into its elements, as the template is parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from liquid.exceptions import LiquidError

from channels.base import CHANNEL_IDS, ChannelError
from channels.templates.front_matter import FRONT_KEYS, STYLES, TemplateFault
from channels.templates.lasting import lasting_ms
from channels.templates.liquid_faults import position, remedy, said
from channels.templates.locales import broader
from channels.templates.metering import WORK_MAX, Meter, WorkExceeded
from channels.templates.missing import Missing
from channels.templates.sandbox import SandboxTemplate
from channels.templates.shielding import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "CHANNEL_IDS",
    "FRONT_KEYS",
    "TEMPLATE_MEMBERS",
    "TEMPLATE_NAMES",
    "RenderFailed",
    "Rendered",
    "Template",
    "TemplateFault",
    "UnknownName",
]

TEMPLATE_NAMES: Final = frozenset(
    {"user", "event", "cart", "recent", "campaign", "variant", "content", "links"}
    | {"catalog", "coupons"}
)
"""What a template can name, beside `now` and what it assigns itself."""

TEMPLATE_MEMBERS: Final = {
    "links": frozenset({"unsubscribe", "preferences"}),
    "campaign": frozenset({"id", "description", "purpose"}),
    "cart": frozenset({"items", "size", "value", "updated_at"}),
}
"""What those of them have that are the same for everybody."""

_TRIMMED: Final = frozenset({"sms", "push"})
_PYTHON_FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Liquid's filters let through besides their own errors, on values they did not expect."""


class RenderFailed(ChannelError):  # noqa: N818 - named for what happened, as outcomes are
    """A template that could not be rendered with these values.

    Attributes:
        template: The template's name, and its locale where it is one for a locale (`NAME.fr`).
        line: The line in the whole file, from 1.
        column: The column in that line, from 1; 0 where it is not known.
        reason: Why.
        path: The file.
    """

    def __init__(
        self, template: str, line: int, reason: str, *, column: int = 0, path: str = ""
    ) -> None:
        super().__init__(f"{template}:{line}: {reason}")
        self.template = template
        self.path = path
        self.line = line
        self.column = column
        self.reason = reason


class WorkTooMuch(RenderFailed):
    """One that was more work than it was let do."""


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """What a rendering made: the parts of a message that come from its template.

    Attributes:
        front: The front matter's values, without those that came out empty.
        body: The body.
        html: Whether the body is HTML.
        undefined: How many times a name that was not there was rendered as nothing.
    """

    front: dict[str, str]
    body: str
    html: bool
    undefined: int


class UnknownName(msgspec.Struct, frozen=True):
    """A name that no rendering will know.

    Attributes:
        name: The name, or one behind a dot: `links.unsub`.
        line: Its line in the whole file.
        nearest: A name that is known and much like it, if there is one.
    """

    name: str
    line: int
    nearest: str | None


class Read(msgspec.Struct, frozen=True):
    """What a template reads of the event or the user: `event.price`, and the line that does."""

    path: tuple[str, ...]
    line: int


class Part(msgspec.Struct, frozen=True):
    """One Liquid text of a template, and the line of the file on which it begins.

    One that was compiled has `lines`, from which those of the file follow.
    """

    source: str
    text: SandboxTemplate
    line: int
    lines: Lines | None = None

    def line_at(self, index: int) -> int:
        if self.lines is not None:
            return self.lines.at(self.source, index)
        return self.line + self.source.count("\n", 0, index)


class Template(msgspec.Struct, frozen=True):
    """A parsed template; may be shared and rendered any number of times.

    Attributes:
        name: The template's name, without channel.
        channel: One of `CHANNEL_IDS`.
        path: The file.
        html: Whether the body is HTML.
        names: What it names, but for what it assigns itself; its locales' too.
        reads: What it reads of `event` and `user`.
        unknown_names: What the template names and nothing will ever give (a slip of the pen).
        locale: The locale that it is for, or "".
        pools: The coupon pools that it takes a code from, by the lines that name them; its
            locales' too.
        variants: What it compares `variant` with, by the lines that do.
    """

    name: str
    channel: str
    path: str
    html: bool
    names: frozenset[str]
    unknown_names: tuple[UnknownName, ...]
    _front: dict[str, Part]
    _body: Part
    locale: str = ""
    pools: dict[str, int] = {}
    reads: tuple[Read, ...] = ()
    variants: dict[str, int] = {}
    _locales: dict[str, Template] = {}

    def with_locales(self, locales: Mapping[str, Template]) -> Template:
        """The same, with those that take its place for users of some locales. O(their names)."""
        names, pools = set(self.names), dict(self.pools)
        for template in locales.values():
            names |= template.names
            pools = {**template.pools, **pools}
        return msgspec.structs.replace(
            self, names=frozenset(names), pools=pools, _locales=dict(locales)
        )

    def each(self) -> Iterator[Template]:
        """This one, and those for users of some locales."""
        yield self
        yield from self._locales.values()

    def sample_codes(self) -> dict[str, str]:
        """What stands for codes of its pools where none is given out. O(pools)."""
        return {pool: f"{pool.upper()}-SAMPLE" for pool in self.pools}

    def for_locale(self, locale: object) -> Template:
        """The one that a user of a locale gets: `fr-FR`, else `fr`, else this one. O(1)."""
        if self._locales and isinstance(locale, str):
            for nearest in broader(locale):
                if nearest in self._locales:
                    return self._locales[nearest]
        return self

    def sources(self) -> tuple[str, ...]:
        """The Liquid texts that are rendered: the front matter's values, then the compiled body."""
        return (*(part.source for part in self._front.values()), self._body.source)

    @property
    def front_keys(self) -> frozenset[str]:
        """What its front matter says something for. O(keys)."""
        return frozenset(key for key, part in self._front.items() if part.source.strip())

    def render(
        self,
        context: Mapping[str, object],
        *,
        now_at_ms: int | None = None,
        strict: bool = False,
        work_max: int = WORK_MAX,
    ) -> Rendered:
        """Render for one person; some 0.5 ms for 20 KB, linear in what is written.

        By the template for the user's `locale`, where there is one.

        Args:
            context: Values for `TEMPLATE_NAMES`, as plain maps, lists, texts and numbers; `catalog`
                is a `Shelf`.
            now_at_ms: What `now` means in the template; without it, `now` is not there.
            strict: Fail on the first name that is not there, instead of counting it.
            work_max: How many units of work it may be, if not `WORK_MAX`.

        Raises:
            WorkTooMuch: It is more work than that.
            RenderFailed: Another limit was passed, a filter met a value that it cannot take, a
                name was missing in strict mode, or `style` came out as none of the known ones.
        """
        user = context.get("user")
        template = self.for_locale(user.get("locale")) if isinstance(user, dict) else self
        if template is not self:
            return template.render(context, now_at_ms=now_at_ms, strict=strict, work_max=work_max)
        missing = Missing(strict=strict)
        about = (context, missing, Meter(work_max), now_at_ms)
        front = {key: self._text(part, *about) for key, part in self._front.items()}
        body = self._text(self._body, *about)
        front = {key: value.strip() for key, value in front.items() if value.strip()}
        if front.get("style", STYLES[0]) not in STYLES:
            reason = f"style came out as {front['style']!r}, not one of {', '.join(STYLES)}"
            raise self._failed(self._front["style"].line, reason)
        if lasting_ms(front.get("expires", "0s")) is None:
            reason = f"expires came out as {front['expires']!r}, no time to last such as 7d"
            raise self._failed(self._front["expires"].line, reason)
        return Rendered(
            front=front,
            body=body.strip() if self.channel in _TRIMMED else body,
            html=self.html,
            undefined=missing.count,
        )

    def _text(
        self,
        part: Part,
        context: Mapping[str, object],
        missing: Missing,
        meter: Meter,
        now_at_ms: int | None,
    ) -> str:
        try:
            return part.text.render_within(context, missing, meter, now_at_ms)
        except LiquidError as fault:
            line, column = position(fault)
            at = part.line + max(line, 1) - 1
            if part.lines is not None and fault.token is not None:
                at, column = part.line_at(max(0, fault.token.start_index)), 0
            kind = WorkTooMuch if isinstance(fault, WorkExceeded) else RenderFailed
            failed = self._failed(at, said(fault), column, kind)
            failed.hint = remedy(fault)
            raise failed from fault
        except _PYTHON_FAULTS as fault:
            reason = f"a filter cannot take its value ({type(fault).__name__}: {fault})"
            raise self._failed(part.line, reason) from fault

    def _failed(
        self, line: int, reason: str, column: int = 0, kind: type[RenderFailed] = RenderFailed
    ) -> RenderFailed:
        name = f"{self.name}.{self.locale}" if self.locale else self.name
        return kind(name, line, reason, column=column, path=self.path)
