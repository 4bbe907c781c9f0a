"""The templates of a shop: which there are, and each of them parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from channels.base import CHANNEL_IDS
from channels.rendering import TEMPLATE_MEMBERS, Template, TemplateFault
from channels.templates.customs import Customs
from channels.templates.locales import canonical, is_known
from channels.templates.parsing import parse_template
from config.faults import Findings, nearest, shown
from config.schema import TEMPLATE_NAMES
from engine.core.steps.kinds import Send, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.core.plan import Campaign

TEMPLATES = "templates/"
_ENDING = ".liquid"
_NAMED = "templates are named NAME.CHANNEL.liquid, or NAME.CHANNEL.LOCALE.liquid"


class TemplateFiles(msgspec.Struct):
    """The files of one template.

    Attributes:
        path: That for every user; "" where there is none.
        locales: Those for users of some locales, by locale.
    """

    path: str = ""
    locales: dict[str, str] = {}


def find_templates(
    files: Mapping[str, str], findings: Findings
) -> dict[tuple[str, str], TemplateFiles]:
    """The paths of every template, by name and channel. O(files)."""
    found: dict[tuple[str, str], TemplateFiles] = {}
    for path in files:
        if not path.startswith(TEMPLATES):
            continue
        stem = path.removeprefix(TEMPLATES).removesuffix(_ENDING)
        if not path.endswith(_ENDING):
            findings.warn(path, 1, "is not read", _NAMED)
            continue
        name, channel, locale = _named(stem)
        if not name:
            hint = f"name it {TEMPLATES}{stem}.CHANNEL.liquid, CHANNEL of {', '.join(CHANNEL_IDS)}"
            findings.fault(path, 1, "names no channel", hint)
        elif channel not in CHANNEL_IDS:
            told = f"names no channel: {shown(channel)}"
            findings.fault(path, 1, told, nearest(channel, CHANNEL_IDS))
        elif not locale:
            found.setdefault((name, channel), TemplateFiles()).path = path
        elif _is_locale(path, f"{name}.{channel}", locale, findings):
            found.setdefault((name, channel), TemplateFiles()).locales[locale] = path
    for (name, channel), one in found.items():
        if not one.path:
            path = min(one.locales.values())
            hint = f"write {TEMPLATES}{name}.{channel}{_ENDING} for users of other languages"
            findings.fault(path, 1, "is for some users alone", hint)
            one.path = path
    return found


def _named(stem: str) -> tuple[str, str, str]:
    """Name, channel and locale; a name may have dots in it."""
    rest, _, last = stem.rpartition(".")
    name, _, channel = rest.rpartition(".")
    if last not in CHANNEL_IDS and channel in CHANNEL_IDS:
        return name, channel, last
    return rest, last, ""


def _is_locale(path: str, name: str, locale: str, findings: Findings) -> bool:
    if is_known(locale):
        return True
    right = canonical(locale)
    hint = "name a language, and a region if you like: fr, fr-CA"
    if right and right != locale and is_known(right):
        hint = f"name it {TEMPLATES}{name}.{right}{_ENDING}"
    findings.fault(path, 1, f"names no locale: {shown(locale)}", hint)
    return False


def parse_templates(
    found: Mapping[tuple[str, str], TemplateFiles],
    files: Mapping[str, str],
    findings: Findings,
    names: frozenset[str] = TEMPLATE_NAMES,
    customs: Customs = Customs(),  # noqa: B008 - frozen
) -> dict[tuple[str, str], Template]:
    """Every template that parses, by name and channel; the others are faults. O(size).

    `names` are those that a template of this shop can name.
    """
    parsed: dict[tuple[str, str], Template] = {}
    for (name, channel), one in found.items():
        read: dict[str, Template] = {}
        for locale, path in (("", one.path), *one.locales.items()):
            try:
                template = parse_template(
                    name, channel, files[path], path, names=names, customs=customs, locale=locale
                )
            except TemplateFault as first:
                for fault in (first, *first.also):
                    findings.fault(path, fault.line, fault.message, fault.hint)
            except RecursionError:
                findings.fault(path, 1, "nests too deep", "flatten it")
            else:
                read[locale] = template
                _warn_of(template, findings, names)
        if "" in read:
            parsed[name, channel] = read.pop("").with_locales(read)
    return parsed


def _warn_of(template: Template, findings: Findings, names: frozenset[str]) -> None:
    if template.channel == "email" and "subject" not in template.front_keys:
        hint = "begin the file with three lines: --- and subject: … and ---"
        findings.warn(template.path, 1, "a mail without a subject", hint)
    for unknown in template.unknown_names:
        told = f"nothing is called {shown(unknown.name)}: it always renders empty"
        root, _, member = unknown.name.partition(".")
        known = TEMPLATE_MEMBERS[root] if member else names
        hint = nearest(member or root, sorted(known))
        findings.warn(template.path, unknown.line, told, hint)


def warn_of_variants(
    templates: Mapping[tuple[str, str], Template],
    campaigns: Iterable[Campaign],
    findings: Findings,
) -> None:
    """Warn of each variant that a template asks for and no campaign that sends it can have.

    O(steps + templates).
    """
    had: dict[tuple[str, str], set[str]] = {}
    for campaign in campaigns:
        splits = [step for step in campaign.steps if isinstance(step, Split)]
        variants = {variant for split in splits for variant in split.weights}
        for step in campaign.steps:
            if isinstance(step, Send):
                for channel in {*step.channels, *step.preferred, *step.others}:
                    had.setdefault((step.template, channel), set()).update(variants)
    for key, known in had.items():
        template = templates.get(key)
        for one in template.each() if template is not None else ():
            for variant, line in one.variants.items():
                if variant and variant not in known:
                    told = f"no campaign that sends it has the variant {shown(variant)}"
                    hint = nearest(variant, sorted(known)) or "there is no split in any of them"
                    findings.warn(one.path, line, told, hint)
