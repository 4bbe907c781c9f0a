"""What an HTML mail says to those who read text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from typing_extensions import override

_SILENT: Final = frozenset({"head", "script", "style", "template", "title"})
_PARAGRAPHS: Final = frozenset(
    {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
)
_LINES: Final = frozenset(
    {"address", "article", "aside", "center", "dd", "div", "dl", "dt", "footer", "form", "header"}
    | {"hr", "li", "main", "nav", "section", "tr"}
)
_SPACES: Final = re.compile(r"[ \t\r\n\f]+")


def plain_text(html: str) -> str:
    """The text of an HTML body: links with their address, lists with dashes, images by their `alt`.

    Never fails: what is not well formed gives the text that can be made out. Linear in its input.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []
        self._links: list[tuple[str, int]] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        elif tag == "br":
            self.parts.append("\n")
        elif tag == "img":
            self._say(dict(attrs).get("alt") or "")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.parts)))
        self._break(tag)
        if tag == "li":
            self.parts.append("- ")
        elif tag in {"td", "th"}:
            self.parts.append(" ")

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in self._silent:
            while self._silent.pop() != tag:
                pass
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        self._break(tag)

    @override
    def handle_data(self, data: str) -> None:
        self._say(data)

    def _say(self, text: str) -> None:
        if not self._silent:
            self.parts.append(_SPACES.sub(" ", text))

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag in _LINES:
            self.parts.append("\n")

    def _end_link(self, address: str, start: int) -> None:
        shown = "".join(self.parts[start:]).strip()
        bare = address.removeprefix("mailto:")
        if bare and not address.startswith("#") and shown != bare:
            self._say(f" ({bare})" if shown else bare)
