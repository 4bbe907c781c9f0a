"""`send`: the channels, the template that each of them needs, and how late it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from channels.base import CHANNEL_IDS
from config.faults import nearest, shown
from engine.core.messages.preferring import CHANNELS
from engine.core.steps.kinds import END, Send

if TYPE_CHECKING:
    from collections.abc import Collection

    from config.source import Fields
    from config.steps.program import Laid, Program, Templates


PREFERRED: Final = "preferred"
"""In the place of a channel: the one that the user answers to."""


def read_send(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A message."""
    program.sends = True
    first = fields.text("send", f"one channel: {', '.join(CHANNEL_IDS)}; or {PREFERRED}")
    hint = "the name of a template: NAME of templates/NAME.CHANNEL.liquid"
    template = fields.text("template", hint) if fields.required("template", hint) else None
    channels, preferred = list[str](), list[str]()
    if first == PREFERRED:
        preferred = _preferred(program.templates, fields, template)
    elif first is not None:
        channels = _channel(fields, "send", first, ())
    for other in fields.names("else", "a channel"):
        channels += _channel(fields, "else", other, channels)
    others = tuple(channels) if preferred else ()
    for channel in channels if template is not None else ():
        _template(program.templates, fields, str(template), channel)
    channels = list(dict.fromkeys([*preferred, *channels]))
    expires_ms = fields.duration_ms("expires")
    if not channels or template is None:
        return END, []
    named = [program.templates.get((template, channel), frozenset()) for channel in channels]
    names = frozenset[str]().union(*named)
    step = Send(
        step_id,
        tuple(channels),
        template,
        expires_ms,
        names=names,
        preferred=tuple(preferred),
        others=others,
    )
    at = program.add(step, path)
    return at, [(at, "next")]


def _preferred(templates: Templates, fields: Fields, template: str | None) -> list[str]:
    """The channels that a user may prefer: those that the template is there for."""
    if template is None:
        return []
    found = [channel for channel in CHANNELS if (template, channel) in templates]
    if not found:
        told = f"wants templates/{template}.CHANNEL.liquid for one of {', '.join(CHANNELS)}"
        fields.fault("template", f"{told}, and there is none", "write one for each that may be")
    return found


def _channel(fields: Fields, name: str, channel: str, before: Collection[str]) -> list[str]:
    if channel == PREFERRED:
        fields.fault(name, f"has {PREFERRED}", f"write `send: {PREFERRED}`, or name a channel")
    elif channel not in CHANNEL_IDS:
        told = f"names no channel: {shown(channel)}"
        known = [*CHANNEL_IDS, PREFERRED] if name == "send" else CHANNEL_IDS
        fields.fault(name, told, nearest(channel, known))
    elif channel in before:
        fields.fault(name, f"has {channel} again", "each channel is tried once")
    else:
        return [channel]
    return []


def _template(templates: Templates, fields: Fields, template: str, channel: str) -> None:
    if (template, channel) in templates:
        return
    path = f"templates/{template}.{channel}.liquid"
    known = [f"templates/{name}.{of}.liquid" for name, of in templates if of == channel]
    hint = nearest(path, known) if known else "write it"
    fields.fault("template", f"wants {path}, which is not there", hint)
