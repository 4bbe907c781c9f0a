"""What is told of templates, and of one as it comes out now."""

from __future__ import annotations

import msgspec


class SendStep(msgspec.Struct):
    """A step that sends."""

    campaign: str
    step: str


class TemplateLine(msgspec.Struct):
    """A template of one channel; `clicks` are those of people, on any of its links."""

    template: str
    channel: str
    file: str
    locales: list[str]
    sent_by: list[SendStep]
    clicks: int


class Templates(msgspec.Struct):
    """All templates."""

    templates: list[TemplateLine]


class LinkClicked(msgspec.Struct):
    """Where a link leads, without query and fragment, and how often people followed it."""

    leads_to: str
    clicks: int


class TemplateMade(TemplateLine):
    """One as it comes out now; `elsewhere` are clicks on links that others' messages had."""

    front: dict[str, str]
    body: str
    links: list[LinkClicked]
    elsewhere: int
