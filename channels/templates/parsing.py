"""A template file to a `Template`: taken apart, checked, a mail compiled to HTML."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Final, cast

import msgspec
from liquid.exceptions import LiquidError

from channels.rendering import TEMPLATE_MEMBERS, TEMPLATE_NAMES, Part, Read, Template, UnknownName
from channels.templates.comparing import words_for
from channels.templates.customs import Customs
from channels.templates.front_matter import (
    FRONT_KEYS,
    FrontValue,
    Split,
    TemplateFault,
    split_front_matter,
)
from channels.templates.inlining import has_styles, inline_css
from channels.templates.liquid_faults import locate, said
from channels.templates.mjml import compile_mjml, is_mjml
from channels.templates.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from liquid.static_analysis import Variable

    from channels.templates.sandbox import SandboxTemplate

_FILTER_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FILTER_NAMES: Final = frozenset({"value", "argument", "user"})
_CLOCK_NAMES: Final = frozenset({"now", "today"})
_TAG: Final = re.compile(r"<(?:!doctype|!--|/?[a-z][a-z0-9]*)(?=[\s/>])", re.IGNORECASE)
_LIQUID: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def parse_template(
    name: str,
    channel: str,
    text: str,
    path: str,
    *,
    names: frozenset[str] = TEMPLATE_NAMES,
    customs: Customs = Customs(),  # noqa: B008 - frozen
    locale: str = "",
) -> Template:
    """Parse a template file.

    Args:
        name: The template's name.
        channel: One of `CHANNEL_IDS`.
        text: The file's whole text.
        path: Names the file in faults.
        names: What templates can name; a shop with collections of its own adds theirs.
        customs: The shop's currency, language, zone and filters.
        locale: The locale that it is for, or "".

    Raises:
        TemplateFault: The front matter, the Liquid or the MJML is at fault, a filter does not
            exist, or there is nothing to send. It has all other faults of the file with it.
    """
    faults: list[TemplateFault] = []
    parts = split_front_matter(channel, text, path, faults)
    if (silent := _silent(channel, parts, path)) is not None:
        faults.append(silent)
    html = channel == "in_app" or (channel == "email" and _is_html(parts.body))
    reader = _Reader(path, customs, faults)
    body = reader.parse(FrontValue(text=parts.body, line=parts.body_line), escaping=html)
    front = {key: reader.parse(value, escaping=False) for key, value in parts.front.items()}
    read = [part for part in (*front.values(), body) if part is not None]
    found = _Found()
    for part in read:
        _check(part, path, names, faults, found)
    if body is not None and channel == "email" and html:
        body = reader.compile(body, locale or customs.locale)
    if faults or body is None:
        first, *others = sorted(faults, key=lambda fault: fault.line)
        first.also = tuple(others)
        raise first
    return Template(
        name=name,
        channel=channel,
        path=path,
        html=html,
        names=frozenset(found.named),
        unknown_names=tuple(sorted(found.unknown, key=lambda one: (one.line, one.name))),
        _front={key: part for key, part in front.items() if part is not None},
        _body=body,
        locale=locale,
        pools=found.pools,
        reads=tuple(Read(path, line) for path, line in sorted(found.reads)),
        variants=found.variants,
    )


def _silent(channel: str, parts: Split, path: str) -> TemplateFault | None:
    """What keeps a template from saying anything to anybody."""
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


@lru_cache(16)
def _sandbox(customs: Customs, *, escaping: bool) -> Sandbox:
    return Sandbox(autoescape=escaping, customs=customs)


class _Reader:
    """Parses the parts of one file; what is at fault goes to `faults`."""

    def __init__(self, path: str, customs: Customs, faults: list[TemplateFault]) -> None:
        self._path = path
        self._customs = customs
        self._faults = faults

    def parse(self, value: FrontValue, *, escaping: bool) -> Part | None:
        sandbox = _sandbox(self._customs, escaping=escaping)
        try:
            parsed = sandbox.from_string(value.text)
        except LiquidError as fault:
            line = value.line + locate(sandbox, value.text, fault) - 1
            hint = "tags are written {% … %} and values {{ … }}, each block with its end"
            self._faults.append(TemplateFault(self._path, line, said(fault), hint=hint))
            return None
        return Part(source=value.text, text=cast("SandboxTemplate", parsed), line=value.line)

    def compile(self, body: Part, language: str) -> Part | None:
        """The part that a mail's HTML or MJML becomes."""
        source, line = body.source, body.line
        try:
            if is_mjml(source):
                made, lines = compile_mjml(source, line, self._path, language)
            elif has_styles(source):
                made, lines = inline_css(source, line, self._path)
            else:
                return body
        except TemplateFault as fault:
            self._faults += (fault, *fault.also)
            return None
        sandbox = _sandbox(self._customs, escaping=True)
        try:
            parsed = sandbox.from_string(made)
        except LiquidError as fault:
            at = lines.at(made, max(0, fault.token.start_index if fault.token else 0))
            hint = "open and close each Liquid block among the children of one element"
            told = f"{said(fault)}, once it is compiled"
            self._faults.append(TemplateFault(self._path, at, told, hint=hint))
            return None
        return Part(source=made, text=cast("SandboxTemplate", parsed), line=line, lines=lines)


class _Found:
    """What the parts of a template name."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.unknown: list[UnknownName] = []
        self.pools: dict[str, int] = {}
        self.reads: set[tuple[tuple[str, ...], int]] = set()
        self.variants: dict[str, int] = {}

    def note_variants(self, part: Part) -> None:
        for word, index in words_for(part.text, "variant"):
            self.variants.setdefault(word, part.line_at(index))


def _check(
    part: Part, path: str, names: frozenset[str], faults: list[TemplateFault], about: _Found
) -> None:
    """Names that are not known, one a name and part; filters that do not exist are faults.

    All names go into what is found.
    """
    found = part.text.analyze(include_partials=False)
    known = part.text.env.filters
    for name, spans in found.filters.items():
        if name not in known:
            line = part.line_at(spans[0].index)
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see the Liquid reference"
            faults.append(TemplateFault(path, line, f"there is no filter {name!r}", hint=hint))
    if {"product", "recommend"} & found.filters.keys():
        about.named.add("catalog")
    about.named.update(found.globals)
    for name, uses in found.globals.items():
        if name not in names and name not in _CLOCK_NAMES:
            near = get_close_matches(name, names, n=1)
            line = part.line_at(uses[0].span.index)
            about.unknown.append(UnknownName(name, line, near[0] if near else None))
    about.unknown += _unknown_members(part, found.globals)
    for use in (*found.globals.get("event", ()), *found.globals.get("user", ())):
        said = tuple(takewhile(lambda one: isinstance(one, str), use.segments))
        if len(said) > 1:
            about.reads.add((tuple(map(str, said)), part.line_at(use.span.index)))
    if "variant" in found.globals and "variant" not in found.locals:
        about.note_variants(part)
    _check_pools(part, path, found.globals.get("coupons", ()), faults, about)


def _check_pools(
    part: Part, path: str, uses: Iterable[Variable], faults: list[TemplateFault], about: _Found
) -> None:
    for use in uses:
        line = part.line_at(use.span.index)
        pool = use.segments[1] if len(use.segments) > 1 else None
        if isinstance(pool, str):
            about.pools.setdefault(pool, line)
        else:
            hint = "write {{ coupons.NAME }}, NAME of coupons/NAME.txt"
            faults.append(TemplateFault(path, line, "coupons without a pool", hint=hint))


def _unknown_members(part: Part, uses: Mapping[str, Sequence[Variable]]) -> Iterator[UnknownName]:
    """What is named behind a name of which all is known: a slip there is an empty link, say."""
    for root, members in TEMPLATE_MEMBERS.items():
        slips: dict[str, UnknownName] = {}
        for use in uses.get(root, ()):
            member = use.segments[1] if len(use.segments) > 1 else None
            if isinstance(member, str) and member not in members:
                near = get_close_matches(member, members, n=1)
                right = f"{root}.{near[0]}" if near else None
                slip = UnknownName(f"{root}.{member}", part.line_at(use.span.index), right)
                slips.setdefault(member, slip)
        yield from slips.values()


class FilterFault(msgspec.Struct, frozen=True):
    """What is wrong with a filter of the shop's.

    Attributes:
        name: The filter.
        told: What is wrong.
        hint: What would be right.
    """

    name: str
    told: str
    hint: str


def filter_faults(filters: Mapping[str, str]) -> Iterator[FilterFault]:
    """Everything about filters of a shop's own that would keep them from being used. O(size).

    Each is a Liquid text that may name `value`, `argument`, `user` and `now`, and use the filters
    of Liquid, ours, and those before it.
    """
    earlier: list[tuple[str, str]] = []
    for name, text in filters.items():
        sandbox = Sandbox(autoescape=False, customs=Customs(filters=tuple(earlier)))
        earlier.append((name, text))
        if not _FILTER_NAME.fullmatch(name):
            yield FilterFault(name, "a filter's name is a-z, 0-9 and _, up to 40", "like loud")
        elif name in sandbox.filters:
            yield FilterFault(name, "Liquid has a filter of that name", "give it another name")
        try:
            found = sandbox.from_string(text).analyze(include_partials=False)
        except LiquidError as fault:
            yield FilterFault(name, said(fault), "write Liquid: {{ value | upcase }}!")
            continue
        for other in found.filters.keys() - sandbox.filters.keys():
            hint = "those of the shop's stand before the ones that use them"
            yield FilterFault(name, f"there is no filter {other!r}", hint)
        for other in found.globals.keys() - _FILTER_NAMES - _CLOCK_NAMES:
            hint = f"a filter knows {', '.join(sorted(_FILTER_NAMES))}"
            yield FilterFault(name, f"nothing is called {other!r}", hint)
