"""What an HTML mail says to those who read text.

One pattern takes the markup apart: the standard library's `HTMLParser` needs more than twice as
long, on the loop that fires deadlines.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

_TOKEN: Final = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<[!?][^>]*>"
    r"""|<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?P<attributes>(?:[^<>"']|"[^"]*"|'[^']*')*+)>"""
    r"|(?P<text>[^<]+|<)",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(
    r"""(?:^|\s)(?P<name>href|alt)\s*=\s*(?:"(?P<a>[^"]*)"|'(?P<b>[^']*)'|(?P<c>[^\s"'>]+))""",
    re.IGNORECASE,
)
_SILENT: Final = frozenset({"head", "script", "style", "template", "title"})
_PARAGRAPHS: Final = frozenset(
    {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
)
_LINES: Final = frozenset(
    {"address", "article", "aside", "center", "dd", "div", "dl", "dt", "footer", "form", "header"}
    | {"hr", "li", "main", "nav", "section", "tr"}
)
_BREAKS: Final = dict.fromkeys(_LINES, "\n") | dict.fromkeys(_PARAGRAPHS, "\n\n") | {"br": "\n"}
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")
_BLANKS: Final = re.compile(r" {2,}")
_LINE_ENDS: Final = re.compile(r" *\n *")
_EMPTY_LINES: Final = re.compile(r"\n{3,}")


def plain_text(html: str) -> str:
    """The text of an HTML body: links with their address, lists with dashes, images by their `alt`.

    Never fails: what is not well formed gives the text that can be made out. Linear in what is
    well formed.
    """
    reader = _Reader()
    for token in _TOKEN.finditer(html):
        if token["text"] is not None:
            reader.say(token["text"])
        elif token["tag"] is not None:
            reader.pass_tag(token["tag"].lower(), token["attributes"], ends=bool(token["end"]))
    text = _LINE_ENDS.sub("\n", _BLANKS.sub(" ", "".join(reader.parts)))
    return _EMPTY_LINES.sub("\n\n", text).strip(" \n") + "\n"


class _Reader:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._silent = ""
        self._links: list[tuple[str, int]] = []

    def say(self, text: str) -> None:
        if not self._silent:
            self.parts.append(_SPACES.sub(" ", unescape(text) if "&" in text else text))

    def pass_tag(self, tag: str, attributes: str, *, ends: bool) -> None:
        if self._silent or tag in _SILENT:
            self._pass_silent(tag, ends=ends)
            return
        if tag == "a":
            self._pass_link(attributes, ends=ends)
        elif tag == "img":
            self.say(_attribute(attributes, "alt"))
        elif tag in _BREAKS:
            self.parts.append(_BREAKS[tag])
        if tag == "li" and not ends:
            self.parts.append("- ")
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    def _pass_silent(self, tag: str, *, ends: bool) -> None:
        if not self._silent and not ends:
            self._silent = tag
        elif ends and tag == self._silent:
            self._silent = ""

    def _pass_link(self, attributes: str, *, ends: bool) -> None:
        if not ends:
            self._links.append((_attribute(attributes, "href"), len(self.parts)))
        elif self._links:
            address, start = self._links.pop()
            shown = "".join(self.parts[start:]).strip()
            bare = unescape(address).strip().removeprefix("mailto:")
            if bare and not bare.startswith("#") and shown != bare:
                self.parts.append(f" ({bare})" if shown else bare)


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found["name"].lower() == name:
            return found["a"] or found["b"] or found["c"] or ""
    return ""
