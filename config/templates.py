"""The templates of a shop: which there are, and each of them parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.base import CHANNEL_IDS
from channels.rendering import Template, TemplateFault, parse_template
from config.faults import Findings, nearest, shown
from config.schema import TEMPLATE_NAMES, TEMPLATE_NAMES_LATER
from config.source import NOT_BUILT

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = "templates/"
_ENDING = ".liquid"


def find_templates(files: Mapping[str, str], findings: Findings) -> dict[tuple[str, str], str]:
    """The path of every template file, by name and channel. O(files)."""
    found: dict[tuple[str, str], str] = {}
    for path in files:
        if not path.startswith(TEMPLATES):
            continue
        stem = path.removeprefix(TEMPLATES).removesuffix(_ENDING)
        name, _, channel = stem.rpartition(".")
        if not path.endswith(_ENDING):
            findings.warn(path, 1, "is not read", "templates are named NAME.CHANNEL.liquid")
        elif not name:
            hint = f"name it {TEMPLATES}{stem}.CHANNEL.liquid, CHANNEL of {', '.join(CHANNEL_IDS)}"
            findings.fault(path, 1, "names no channel", hint)
        elif channel not in CHANNEL_IDS:
            told = f"names no channel: {shown(channel)}"
            findings.fault(path, 1, told, nearest(channel, CHANNEL_IDS))
        else:
            found[name, channel] = path
    return found


def parse_templates(
    paths: Mapping[tuple[str, str], str],
    files: Mapping[str, str],
    findings: Findings,
    names: frozenset[str] = TEMPLATE_NAMES,
) -> dict[tuple[str, str], Template]:
    """Every template that parses, by name and channel; the others are faults. O(size).

    `names` are those that a template of this shop can name.
    """
    parsed: dict[tuple[str, str], Template] = {}
    for (name, channel), path in paths.items():
        try:
            template = parse_template(name, channel, files[path], path, names=names)
        except TemplateFault as first:
            for fault in (first, *first.also):
                findings.fault(path, fault.line, fault.message, fault.hint)
        except RecursionError:
            findings.fault(path, 1, "nests too deep", "flatten it")
        else:
            parsed[name, channel] = template
            _warn_of(template, findings, names)
    return parsed


def _warn_of(template: Template, findings: Findings, names: frozenset[str]) -> None:
    if template.channel == "email" and "subject" not in template.front_keys:
        hint = "begin the file with three lines: --- and subject: … and ---"
        findings.warn(template.path, 1, "a mail without a subject", hint)
    for unknown in template.unknown_names:
        if unknown.name in TEMPLATE_NAMES_LATER:
            told, hint = f"{unknown.name} {NOT_BUILT} and renders empty", "leave it out until it is"
        else:
            told = f"nothing is called {shown(unknown.name)}: it always renders empty"
            hint = nearest(unknown.name, sorted(names))
        findings.warn(template.path, unknown.line, told, hint)
