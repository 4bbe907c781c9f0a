"""`send`: the channels, the template that each of them needs, and how late it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.base import CHANNEL_IDS
from config.faults import nearest, shown
from config.source import NOT_BUILT
from engine.core.steps import END, Send

if TYPE_CHECKING:
    from collections.abc import Collection

    from config.source import Fields
    from config.steps.program import Laid, Program, Templates


def read_send(program: Program, fields: Fields, step_id: str, path: str) -> Laid:
    """A message."""
    program.sends = True
    first = fields.text("send", f"one channel: {', '.join(CHANNEL_IDS)}")
    others = fields.names("else", "a channel")
    channels = [] if first is None else _channel(fields, "send", first, ())
    for other in others:
        channels += _channel(fields, "else", other, channels)
    hint = "the name of a template: NAME of templates/NAME.CHANNEL.liquid"
    template = fields.text("template", hint) if fields.required("template", hint) else None
    for channel in channels if template is not None else ():
        _template(program.templates, fields, str(template), channel)
    expires_ms = fields.duration_ms("expires")
    if not channels or template is None:
        return END, []
    named = [program.templates.get((template, channel), frozenset()) for channel in channels]
    names = frozenset[str]().union(*named)
    at = program.add(Send(step_id, tuple(channels), template, expires_ms, names=names), path)
    return at, [(at, "next")]


def _channel(fields: Fields, name: str, channel: str, before: Collection[str]) -> list[str]:
    if channel == "preferred":
        fields.fault(name, f"preferred {NOT_BUILT}", "name a channel, and others in `else`")
    elif channel not in CHANNEL_IDS:
        told = f"names no channel: {shown(channel)}"
        fields.fault(name, told, nearest(channel, CHANNEL_IDS))
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
