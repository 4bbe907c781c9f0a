"""A template: parsed once, then rendered for one person at a time.

A template file is front matter and a Liquid body. Both see the names of `TEMPLATE_NAMES`, and `now`
(the instant of the rendering: Liquid's own `now` would read a clock). What is rendered into HTML is
escaped; subjects, titles, SMS, push and webhook texts are not. A webhook's body is JSON only if its
template writes JSON: put values in with `| json`, which quotes them (`{"name": {{ user.name | json
}}}`). `| date: FORMAT, ZONE` takes milliseconds, ISO 8601 or `now`; `| safe` leaves HTML unescaped.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Final, cast

import msgspec
from liquid.exceptions import LiquidError

from channels.base import CHANNEL_IDS, ChannelError
from channels.front_matter import (
    FRONT_KEYS,
    STYLES,
    FrontValue,
    Split,
    TemplateFault,
    split_front_matter,
)
from channels.liquid_faults import locate, position, said
from channels.sandbox import Missing, Sandbox, SandboxTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "CHANNEL_IDS",
    "FRONT_KEYS",
    "TEMPLATE_NAMES",
    "RenderFailed",
    "Rendered",
    "Template",
    "TemplateFault",
    "UnknownName",
    "parse_template",
]

TEMPLATE_NAMES: Final = frozenset(
    {"user", "event", "cart", "recent", "campaign", "variant", "content", "links"}
)
"""What a template can name, beside `now` and what it assigns itself."""

_CLOCK_NAMES: Final = frozenset({"now", "today"})
_TAG: Final = re.compile(r"<(?:!doctype|!--|/?[a-z][a-z0-9]*)(?=[\s/>])", re.IGNORECASE)
_LIQUID: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_MJML: Final = re.compile(r"\s*<mjml\b", re.IGNORECASE)
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
        template: The template's name.
        line: The line in the whole file, from 1.
        column: The column in that line, from 1; 0 where it is not known.
        reason: Why.
    """

    def __init__(self, template: str, line: int, reason: str, *, column: int = 0) -> None:
        super().__init__(f"{template}:{line}: {reason}")
        self.template = template
        self.line = line
        self.column = column
        self.reason = reason


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
        name: The name.
        line: Its line in the whole file.
        nearest: A name that is known and much like it, if there is one.
    """

    name: str
    line: int
    nearest: str | None


class _Part(msgspec.Struct, frozen=True):
    """One Liquid text of a template, and the line of the file on which it begins."""

    source: str
    text: SandboxTemplate
    line: int

    def line_at(self, index: int) -> int:
        return self.line + self.source.count("\n", 0, index)


class Template(msgspec.Struct, frozen=True):
    """A parsed template; may be shared and rendered any number of times.

    Attributes:
        name: The template's name, without channel.
        channel: One of `CHANNEL_IDS`.
        path: The file.
        html: Whether the body is HTML.
        names: What it names, but for what it assigns itself.
        unknown_names: What the template names and nothing will ever give (a slip of the pen).
    """

    name: str
    channel: str
    path: str
    html: bool
    names: frozenset[str]
    unknown_names: tuple[UnknownName, ...]
    _front: dict[str, _Part]
    _body: _Part

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
    ) -> Rendered:
        """Render for one person; about 0.1 ms for a kilobyte, linear in what is written.

        Args:
            context: Values for `TEMPLATE_NAMES`, as plain maps, lists, texts and numbers.
            now_at_ms: What `now` means in the template; without it, `now` is not there.
            strict: Fail on the first name that is not there, instead of counting it.

        Raises:
            RenderFailed: A limit was passed, a filter met a value that it cannot take, a name was
                missing in strict mode, or `style` came out as none of the known ones.
        """
        missing = Missing(strict=strict)
        front = {
            key: _render(self.name, part, context, missing, now_at_ms)
            for key, part in self._front.items()
        }
        body = _render(self.name, self._body, context, missing, now_at_ms)
        front = {key: value.strip() for key, value in front.items() if value.strip()}
        if front.get("style", STYLES[0]) not in STYLES:
            reason = f"style came out as {front['style']!r}, not one of {', '.join(STYLES)}"
            raise RenderFailed(self.name, self._front["style"].line, reason)
        return Rendered(
            front=front,
            body=body.strip() if self.channel in _TRIMMED else body,
            html=self.html,
            undefined=missing.count,
        )


def parse_template(
    name: str,
    channel: str,
    text: str,
    path: str,
    *,
    names: frozenset[str] = TEMPLATE_NAMES,
) -> Template:
    """Parse a template file.

    Args:
        name: The template's name.
        channel: One of `CHANNEL_IDS`.
        text: The file's whole text.
        path: Names the file in faults.
        names: What templates can name; a shop with collections of its own adds theirs.

    Raises:
        TemplateFault: The front matter or the Liquid is at fault, a filter does not exist, there is
            nothing to send, or the body is MJML, which this version cannot yet turn into HTML. It
            has all other faults of the file with it.
    """
    faults: list[TemplateFault] = []
    parts = split_front_matter(channel, text, path, faults)
    if (silent := _silent(channel, parts, path)) is not None:
        faults.append(silent)
    html = channel == "in_app" or (channel == "email" and _is_html(parts.body))
    body = _parse(FrontValue(text=parts.body, line=parts.body_line), path, faults, escaping=html)
    front = {key: _parse(value, path, faults, escaping=False) for key, value in parts.front.items()}
    read = [part for part in (*front.values(), body) if part is not None]
    named: set[str] = set()
    unknown = [found for part in read for found in _check(part, path, names, faults, named)]
    if faults or body is None:
        first, *others = sorted(faults, key=lambda fault: fault.line)
        first.also = tuple(others)
        raise first
    return Template(
        name=name,
        channel=channel,
        path=path,
        html=html,
        names=frozenset(named),
        unknown_names=tuple(sorted(unknown, key=lambda found: (found.line, found.name))),
        _front={key: part for key, part in front.items() if part is not None},
        _body=body,
    )


def _silent(channel: str, parts: Split, path: str) -> TemplateFault | None:
    """What keeps a template from saying anything to anybody."""
    line = parts.body_line + _blank_lines(parts.body)
    if channel == "email" and _MJML.match(parts.body):
        hint = "write the body as HTML, or compile the MJML to HTML first"
        return TemplateFault(path, line, "MJML bodies are not supported yet", hint=hint)
    title = parts.front.get("title")
    if parts.body.strip() or channel == "webhook" or (title is not None and title.text.strip()):
        return None
    where = "below the front matter" if parts.body_line > 1 else "into the file"
    what = "a title or a text" if "title" in FRONT_KEYS[channel] else "the text of the message"
    told = "the template is empty" if not parts.front else "the template has no body"
    return TemplateFault(path, parts.body_line, told, hint=f"write {what} {where}")


def _is_html(body: str) -> bool:
    """Whether the template itself has a tag: what is rendered into it has no say in this."""
    return _TAG.search(_LIQUID.sub("", body)) is not None


def _blank_lines(body: str) -> int:
    return body[: len(body) - len(body.lstrip())].count("\n")


@cache
def _sandbox(*, escaping: bool) -> Sandbox:
    return Sandbox(autoescape=escaping)


def _parse(
    value: FrontValue, path: str, faults: list[TemplateFault], *, escaping: bool
) -> _Part | None:
    sandbox = _sandbox(escaping=escaping)
    try:
        parsed = sandbox.from_string(value.text)
    except LiquidError as fault:
        line = value.line + locate(sandbox, value.text, fault) - 1
        hint = "tags are written {% … %} and values {{ … }}, each block with its end"
        faults.append(TemplateFault(path, line, said(fault), hint=hint))
        return None
    return _Part(source=value.text, text=cast("SandboxTemplate", parsed), line=value.line)


def _render(
    template: str,
    part: _Part,
    context: Mapping[str, object],
    missing: Missing,
    now_at_ms: int | None,
) -> str:
    try:
        return part.text.render_within(context, missing, now_at_ms)
    except LiquidError as fault:
        line, column = position(fault)
        at = part.line + max(line, 1) - 1
        raise RenderFailed(template, at, said(fault), column=column) from fault
    except _PYTHON_FAULTS as fault:
        reason = f"a filter cannot take its value ({type(fault).__name__}: {fault})"
        raise RenderFailed(template, part.line, reason) from fault


def _check(
    part: _Part,
    path: str,
    names: frozenset[str],
    faults: list[TemplateFault],
    named: set[str],
) -> Iterator[UnknownName]:
    """Names that are not known, one a name and part; filters that do not exist are faults.

    All names go into `named`.
    """
    found = part.text.analyze(include_partials=False)
    known = part.text.env.filters
    for name, spans in found.filters.items():
        if name not in known:
            line = part.line_at(spans[0].index)
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see the Liquid reference"
            faults.append(TemplateFault(path, line, f"there is no filter {name!r}", hint=hint))
    named.update(found.globals)
    for name, uses in found.globals.items():
        if name not in names and name not in _CLOCK_NAMES:
            near = get_close_matches(name, names, n=1)
            line = part.line_at(uses[0].span.index)
            yield UnknownName(name, line, near[0] if near else None)
