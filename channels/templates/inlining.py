"""The CSS of an HTML mail, written into its elements: many mail programs read no style block.

Done once, as a template is loaded, with its Liquid in it. What cannot be written into an element
(`:hover`, `@media`, `@font-face`) stays in the block; what `@media` says is marked `!important`
there, since it would lose against what now stands in the element. Nothing is fetched. A style block
with Liquid tags (`{% … %}`) in it, or with `data-css-inline="ignore"`, is left as it is.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Final

from channels.templates.front_matter import TemplateFault
from channels.templates.shielding import MARKUP, VERBATIM, Shielded

if TYPE_CHECKING:
    from css_inline import CSSInliner

    from channels.templates.shielding import Lines

_STYLE: Final = re.compile(r"(<style\b)([^>]*>)(.*?)(</style\s*>)", re.IGNORECASE | re.DOTALL)
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_MEDIA: Final = re.compile(r"@media\b[^{]*\{", re.IGNORECASE)
_RULE: Final = re.compile(r"\{([^{}]*)\}")
_DECLARATION: Final = re.compile(r"""((?:[^;"'()]|"[^"]*"|'[^']*'|\([^()]*\))+)(;|$)""")
_ATTRIBUTE: Final = re.compile(r"""(\sstyle\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_DECLARED: Final = re.compile(r"--liquid-\d+:\s*")
_OURS: Final = ' data-css-inline="ignore"'


def has_styles(source: str) -> bool:
    """Whether there is a style block in an HTML body."""
    return _STYLE.search(source) is not None


def inline_css(source: str, first_line: int, path: str) -> tuple[str, Lines]:
    """The body with its CSS in its elements, and where its lines come from. O(rules * elements).

    Args:
        source: HTML with Liquid, a whole document or a part of one: a document comes out.
        first_line: The line of the file on which it begins.
        path: Names the file in faults.

    Raises:
        TemplateFault: What stands in a `style` attribute is no CSS.
    """
    from css_inline import InlineError

    shielded = Shielded(source, first_line)
    document, _ = shielded.wrapped(_wrap)

    def prepare(found: re.Match[str]) -> str:
        opening, attributes, css, closing = found.groups()
        if shielded.has_tags(css):
            return f"{opening}{_OURS}{attributes}{css}{closing}"
        return f"{opening}{attributes}{_winning(_COMMENT.sub('', css))}{closing}"

    declared = _with_declarations(shielded, document)
    try:
        compiled = _inliner().inline(_STYLE.sub(prepare, declared)).replace(_OURS, "")
    except InlineError as error:
        raise _fault(shielded, declared, first_line, path, str(error)) from error
    compiled = _DECLARED.sub("", compiled)
    restored, lines, _seen = shielded.restored(shielded.head + compiled)
    return restored, lines


def _with_declarations(shielded: Shielded, document: str) -> str:
    """The document with Liquid that stands for whole declarations in `style` as one of its own."""
    number = count()

    def declare(found: re.Match[str]) -> str:
        is_bare = shielded.has_any(found[1]) and ":" not in found[1]
        return f"--liquid-{next(number)}:{found[1].strip()}{found[2]}" if is_bare else found[0]

    def mend(markup: re.Match[str]) -> str:
        if not markup["tag"] or not shielded.has_any(markup[0]):
            return markup[0]
        return _ATTRIBUTE.sub(
            lambda found: f"{found[1]}{found[2]}{_DECLARATION.sub(declare, found[3])}{found[2]}",
            markup[0],
        )

    return MARKUP.sub(mend, document)


def _fault(
    shielded: Shielded, document: str, first_line: int, path: str, told: str
) -> TemplateFault:
    """Which `style` attribute is no CSS."""
    from css_inline import InlineError

    for markup in MARKUP.finditer(document):
        style = _ATTRIBUTE.search(markup[0]) if markup["tag"] else None
        if style is None:
            continue
        try:
            _inliner().inline(f"<style>p{{margin:0}}</style><p{style[0]}></p>")
        except InlineError as error:
            line = shielded.line_of_text(document, markup.start())
            hint = "write `name: value`, with a semicolon between two"
            message = f"the style of <{markup['tag']}> is no CSS: {error}"
            return TemplateFault(path, line, message, hint=hint)
    hint = 'mark its style block: <style data-css-inline="ignore">'
    return TemplateFault(path, first_line, f"its CSS cannot be inlined: {told}", hint=hint)


def _wrap(word: str, around: list[str]) -> str:
    return word if around and around[-1] in VERBATIM else f"<!--{word}-->"


def _winning(css: str) -> str:
    """The CSS with all that `@media` blocks declare marked `!important`."""
    parts: list[str] = []
    end = 0
    while (found := _MEDIA.search(css, end)) is not None:
        close = _closing(css, found.end())
        parts += (css[end : found.end()], _RULE.sub(_mark, css[found.end() : close]))
        end = close
    return "".join(parts) + css[end:]


def _closing(css: str, start: int) -> int:
    """Where the block that begins at `start` ends."""
    depth, index = 1, start
    while index < len(css) and depth:
        depth += {"{": 1, "}": -1}.get(css[index], 0)
        index += 1
    return index


def _mark(rule: re.Match[str]) -> str:
    marked = [
        found[1].rstrip() + ("" if "!important" in found[1] else " !important")
        for found in _DECLARATION.finditer(rule[1])
        if found[1].strip()
    ]
    return "{" + ";".join(marked) + "}"


@cache
def _inliner() -> CSSInliner:
    from css_inline import CSSInliner  # 5 ms that no other template needs

    return CSSInliner(
        keep_style_tags=True,
        remove_inlined_selectors=True,
        keep_link_tags=True,
        load_remote_stylesheets=False,
    )
