"""MJML to HTML, once, as a template is loaded; its Liquid stays in it.

Between MJML's own elements each piece of Liquid stands in an `mj-raw`; inside what holds HTML
(`mj-text`, `mj-table`, …) it is a comment meanwhile, since a tag between two rows would be moved
out of the table. No fonts are added: a mail asks nobody for one that its author did not name.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from channels.templates.front_matter import TemplateFault
from channels.templates.shielding import MARKUP, Shielded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from channels.templates.shielding import Lines

ELEMENTS: Final = frozenset(
    {"mj-accordion", "mj-accordion-element", "mj-accordion-text", "mj-accordion-title", "mj-all"}
    | {"mj-attributes", "mj-body", "mj-breakpoint", "mj-button", "mj-carousel", "mj-class"}
    | {"mj-carousel-image", "mj-column", "mj-divider", "mj-font", "mj-group", "mj-head", "mj-hero"}
    | {"mj-image", "mj-include", "mj-navbar", "mj-navbar-link", "mj-preview", "mj-raw", "mj-text"}
    | {"mj-section", "mj-social", "mj-social-element", "mj-spacer", "mj-style", "mj-table"}
    | {"mj-title", "mj-wrapper"}
)
_TAKES_RAW: Final = frozenset(
    {"mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"}
)
_TEXTS: Final = frozenset({"mj-preview", "mj-title", "mj-style", "style", "script", "title"})
_ROOT: Final = re.compile(r"<mjml\b", re.IGNORECASE)
_PLACE: Final = re.compile(r" (?:in root template )?at position (\d+)(?::\d+)?")
_QUOTED: Final = re.compile(r""""[^"]*"|'[^']*'""")
_UNREAD: Final = re.compile(r"([\u0800-\U0010ffff]|[\x80-\U0010ffff][\x00-\x7f])>")
_ESCAPED: Final = r"\1&gt;"
_SPACED: Final = r"\1  >"
_CSS: Final = frozenset({"mj-style", "style", "script"})
_SEE: Final = "see https://documentation.mjml.io"
_CLOSED: Final = frozenset({*ELEMENTS, "mjml"})


def is_mjml(source: str) -> bool:
    """Whether a body is MJML: its first tag is `<mjml>`, whatever Liquid comes before it."""
    shielded = Shielded(source, 1)
    return _ROOT.match(shielded.text, len(shielded.head)) is not None


def compile_mjml(source: str, first_line: int, path: str, language: str) -> tuple[str, Lines]:
    """The HTML that an MJML body makes, with its Liquid, and where its lines come from.

    Some milliseconds: done once, as the template is loaded.

    Args:
        source: The body.
        first_line: The line of the file on which it begins.
        path: Names the file in faults.
        language: What the mail is written in, where the MJML has no `lang`.

    Raises:
        TemplateFault: It is no MJML, or has Liquid where none can stand; with all that was found.
    """
    shielded = Shielded(source, first_line)
    faults = list(_faults(shielded, path))
    if faults:
        faults[0].also = tuple(faults[1:])
        raise faults[0]
    document, between = shielded.wrapped(_wrap)
    end = document.rfind("</mjml>") + len("</mjml>")
    behind, rest = shielded.words(document[end:])
    if rest:
        line = shielded.line_of_text(document, len(document) - len(rest))
        hint = "the mail ends with </mjml>"
        raise TemplateFault(path, line, "there is something behind </mjml>", hint=hint)
    compiled = shielded.head + _render(document[:end], shielded, path) + behind
    compiled = compiled.replace('lang="und"', f'lang="{language}"')
    restored, lines, seen = shielded.restored(compiled)
    for number, piece in enumerate(shielded.pieces):
        if number not in seen and (number in between or piece.startswith("{%")):
            told = f"MJML has no room for {_short(piece)} here"
            hint = "put it between elements, into mj-text or mj-table, or into an attribute's value"
            raise TemplateFault(path, shielded.line_of(number), told, hint=hint)
    return restored, lines


def _wrap(word: str, around: list[str]) -> str:
    inner = around[-1] if around else ""
    if inner in _TAKES_RAW:
        return f"<mj-raw>{word}</mj-raw>"
    return word if inner in _TEXTS else f"<!--{word}-->"


def _render(mjml: str, shielded: Shielded, path: str) -> str:
    mjml = _with_tame_text(mjml)
    try:
        return _compiled(mjml)
    except OSError as fault:
        told = str(fault)
        place = _PLACE.search(told)
        within = len(mjml.encode()[: int(place[1])].decode(errors="ignore")) if place else 0
        line = shielded.line_of_text(mjml, within)
        message = f"no MJML: {_PLACE.sub('', told)}".replace(" in root template", "")
        raise TemplateFault(path, line, message, hint=_SEE) from None


def _compiled(mjml: str) -> str:
    """What the compiler makes of it. Raises OSError."""
    from mrml import RenderOptions, to_html  # 10 ms that no other body needs

    try:
        return to_html(mjml, None, RenderOptions(fonts={})).content
    except BaseException as fault:  # a panic of Rust's is no Exception
        if type(fault).__module__ != "pyo3_runtime":
            raise
        raise OSError(f"the compiler cannot read it ({fault})") from fault


def _with_tame_text(mjml: str) -> str:
    """The same to a browser, without any `>` in text that the compiler panics at.

    It looks for a `]]` before it, two bytes further back, which may be the middle of a character:
    of `é > b`. O(length).
    """
    parts, at, inside = [], 0, ""
    for markup in MARKUP.finditer(mjml):
        parts += [_UNREAD.sub(_SPACED if inside in _CSS else _ESCAPED, mjml[at : markup.start()])]
        parts += [markup[0]]
        at = markup.end()
        inside = "" if markup["end"] else (markup["tag"] or inside).lower()
    return "".join([*parts, mjml[at:]])


def _faults(shielded: Shielded, path: str) -> Iterator[TemplateFault]:
    """What MJML's compiler passes over, or tells without a place."""
    opened: list[tuple[str, int]] = []
    for markup in MARKUP.finditer(shielded.text):
        tag = (markup["tag"] or "").lower()
        if not tag or (opened and opened[-1][0] == "mj-raw" and tag != "mj-raw"):
            continue
        line = shielded.line_at(markup.start())
        told = _odd(tag, _QUOTED.sub("", markup["attributes"]), shielded)
        if told is not None and not markup["end"]:
            yield TemplateFault(path, line, told[0], hint=told[1])
        if tag not in _CLOSED:
            continue
        if markup["end"]:
            if not opened or opened[-1][0] != tag:
                where = f"; {opened[-1][0]} of line {opened[-1][1]} is open" if opened else ""
                hint = "close elements in the order in which they were opened"
                yield TemplateFault(path, line, f"</{tag}> closes nothing{where}", hint=hint)
                return
            opened.pop()
        elif not markup["attributes"].endswith("/"):
            opened.append((tag, line))
    if opened:
        name, line = opened[-1]
        yield TemplateFault(path, line, f"<{name}> is never closed", hint=f"write </{name}>")


def _odd(tag: str, unquoted: str, shielded: Shielded) -> tuple[str, str] | None:
    """What is wrong with a tag by itself, and what would be right."""
    if tag == "mj-include":
        return "mj-include is not read", "templates read no other files: write it out"
    if tag.startswith("mj-") and tag not in ELEMENTS:
        near = get_close_matches(tag, ELEMENTS, n=1)
        hint = f"did you mean {near[0]}?" if near else _SEE
        return f"there is no element {tag} in MJML", hint
    if tag in _CLOSED and shielded.has_any(unquoted):
        return f"Liquid among the attributes of {tag}", "write it into an attribute's value"
    return None


def _short(piece: str) -> str:
    line = " ".join(piece.split())
    return line if len(line) <= _SHORT_CHARS else line[: _SHORT_CHARS - 1] + "…"


_SHORT_CHARS: Final = 40
