"""The head of a template file: YAML between two `---` lines, every value a text.

By the YAML 1.2 core schema `on`, `no`, `1:30` and `012` are texts; here even `50` and `true` are,
since a value is a Liquid text that is rendered before anything reads it.
"""

from __future__ import annotations

from difflib import get_close_matches
from io import StringIO
from typing import Final

import msgspec
import yaml

from channels.base import ChannelError
from channels.templates.choices import CHOICES_MAX, list_answers
from channels.templates.lasting import lasting_ms

FRONT_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "email": ("subject", "preheader", "from", "reply_to"),
    "push": ("title", "url", "image", "style"),
    "sms": (),
    "in_app": (
        "title",
        "url",
        "button",
        "image",
        "style",
        "target",
        "expires",
        "survey",
        "choices",
    ),
    "webhook": ("url",),
}
"""What the front matter of each channel's templates may say."""

STYLES: Final = ("modal", "banner", "toast", "tooltip")
"""How an in-app message may look (`style`)."""

_FENCE: Final = "---"


class TemplateFault(ChannelError):  # noqa: N818 - what `check` lists are faults
    """A template file that cannot be used as it is written.

    Attributes:
        path: The file.
        line: The line in the whole file, from 1.
        message: What is wrong.
        hint: What would be right.
        also: Further faults of the same file.
    """

    def __init__(self, path: str, line: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line
        self.also: tuple[TemplateFault, ...] = ()


class FrontValue(msgspec.Struct, frozen=True):
    """One value of the front matter, not yet rendered, and its line in the whole file."""

    text: str
    line: int


class Split(msgspec.Struct, frozen=True):
    """A template file taken apart.

    Attributes:
        front: The front matter's values, in the order of the file.
        body: What follows it, character for character.
        body_line: The line on which the body begins, from 1.
    """

    front: dict[str, FrontValue]
    body: str
    body_line: int


def split_front_matter(channel: str, text: str, path: str, faults: list[TemplateFault]) -> Split:
    """Take a template file apart.

    Args:
        channel: One of `CHANNEL_IDS`: it decides which keys there may be.
        text: The file's text; a byte order mark is passed over.
        path: Names the file in faults.
        faults: Takes what is wrong with the front matter and leaves the body as it is: no YAML, a
            key that the channel does not know or that is there twice, a value that is no text.

    Raises:
        TemplateFault: The front matter has no end, or does not begin on the first line.
    """
    lines = StringIO(text.removeprefix("\ufeff"), newline="\n").readlines()
    if not lines or lines[0].rstrip() != _FENCE:
        _refuse_late_fence(lines, channel, path)
        return Split(front={}, body="".join(lines), body_line=1)
    for end, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            front = _front("".join(lines[1:end]), channel, path, faults)
            return Split(front=front, body="".join(lines[end + 1 :]), body_line=end + 2)
    raise TemplateFault(
        path, 1, "the front matter has no end", hint="close it with a line that says ---"
    )


def _refuse_late_fence(lines: list[str], channel: str, path: str) -> None:
    """Front matter behind empty lines or indented would be sent to people as text."""
    number = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if number + 1 >= len(lines) or lines[number].strip() != _FENCE:
        return
    key, colon, _ = lines[number + 1].partition(":")
    if colon and key.strip() in FRONT_KEYS[channel]:
        hint = "begin the file with it: --- on the first line, without spaces before it"
        raise TemplateFault(path, number + 1, "front matter that is not at the start", hint=hint)


def _front(
    text: str, channel: str, path: str, faults: list[TemplateFault]
) -> dict[str, FrontValue]:
    front: dict[str, FrontValue] = {}
    try:
        root = _compose(text, path)
    except TemplateFault as fault:
        faults.append(fault)
        return front
    if root is None:
        return front
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 2
        hint = "write it as key: value, one a line"
        faults.append(TemplateFault(path, line, "the front matter is not a mapping", hint=hint))
        return front
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        try:
            _check_key(name, key.start_mark.line + 2, channel, path, front)
            front[name] = _value(name, value, path)
        except TemplateFault as fault:
            faults.append(fault)
    if "choices" in front and "survey" not in front:
        hint = "name what is asked: survey: nps"
        told = "choices without a survey: nothing is asked"
        faults.append(TemplateFault(path, front["choices"].line, told, hint=hint))
    return front


def _check_key(name: str, line: int, channel: str, path: str, front: dict[str, FrontValue]) -> None:
    if name not in FRONT_KEYS[channel]:
        what = f"a template of {channel} knows no {name!r} in its front matter"
        raise TemplateFault(path, line, what, hint=_nearest(name, FRONT_KEYS[channel]))
    if name in front:
        raise TemplateFault(path, line, f"{name!r} is there twice", hint="keep one of them")


def _compose(text: str, path: str) -> yaml.Node | None:
    hint = "quote a value that holds {{, {%, a colon or #: subject: '{{ user.name }}: hello'"
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        line, column = (mark.line + 2, mark.column) if mark else (2, 0)
        told = str(fault.problem)
        if mark and text[mark.index : mark.index + 1] == "\t":
            told, hint = f"a tab in column {column + 1}", "write spaces in its place"
        elif "mapping values" in told:
            told = f"a second `: ` in column {column + 1}"
        message = f"the front matter is not YAML: {told}"
    except yaml.YAMLError as fault:
        line, message = 2, f"the front matter is not YAML: {fault}"
    raise TemplateFault(path, line, message, hint=hint)


def _value(name: str, node: yaml.Node, path: str) -> FrontValue:
    line = node.start_mark.line + 2
    if not isinstance(node, yaml.ScalarNode):
        hint = f"a value that starts with {{{{ needs quotes: {name}: '{{{{ user.name }}}}'"
        raise TemplateFault(path, line, f"{name!r} is not a text", hint=hint)
    block = node.style in {"|", ">"}
    text = node.value.rstrip("\n") if block else node.value
    if name == "style" and "{" not in text and text not in STYLES:
        raise TemplateFault(
            path, line, f"unknown style {text!r}", hint=f"one of {', '.join(STYLES)}"
        )
    if name == "expires" and "{" not in text and lasting_ms(text) is None:
        raise TemplateFault(path, line, f"{text!r} is no time to last", hint="30m, 1h30m or 7d")
    if name == "choices" and "{" not in text and not list_answers(text):
        hint = f"1-5, or Yes, No; {CHOICES_MAX} of them at the most"
        raise TemplateFault(path, line, f"{text!r} lists no answers", hint=hint)
    return FrontValue(text=text, line=line + block)


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"it knows {', '.join(known)}" if known else "it has no front matter"


_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
