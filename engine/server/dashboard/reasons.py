"""Why somebody came into a campaign, or did not: the explanation as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.server.dashboard import words
from engine.server.dashboard.happened import line_of
from engine.server.dashboard.markup import Content, Html, tag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.conditions.explaining import Part
    from engine.core.reports.account import Account, Came, Place
    from engine.runtime.admin.explaining import Explanation

_VALUE_MAX = 80


def explanation(told: Explanation) -> Html:
    """The verdict, and what it rests on."""
    found = told.account
    return tag(
        "div",
        tag("p", words.sentence(told.verdict.text), class_="verdict", role="status"),
        tag("p", "As of ", words.instant_said(told.at), " UTC.", class_="soft"),
        list(_parts(found)),
    )


def _parts(found: Account) -> Iterator[Content]:
    if found.status:
        yield tag("p", f"The campaign's status is {found.status}.")
    for place in found.places:
        yield from _place(place)
    if found.enter_when is not None:
        yield [tag("h3", "enter.when"), _tree(found.enter_when)]
    elif found.enter_events:
        yield tag("p", f"Comes in by {words.listed(found.enter_events)}.")
        if found.came is not None:
            yield from _came(found.came)
    if found.audience is not None:
        yield [tag("h3", "audience, as it is now"), _tree(found.audience)]
    if found.refusals:
        items = [
            tag("li", words.instant_said(one.at), tag("span", one.reason), class_="bad")
            for one in found.refusals
        ]
        yield [tag("h3", "Not let in"), tag("ol", items, class_="timeline")]
    if found.records:
        lines = [line_of(msgspec.to_builtins(one) | {"campaign": ""}) for one in found.records]
        yield [tag("h3", "What happened in it"), tag("ol", lines, class_="timeline")]


def _place(place: Place) -> Iterator[Content]:
    since, until = words.instant_said(place.since), words.instant_said(place.until)
    by = f" by {place.event}" if place.event else " by hand" if place.by_hand else ""
    yield tag("p", "In it since ", words.instant_said(place.entered_at), f"{by}; waits in step ",
              tag("strong", place.step), " since ", since,
              [" until ", until] if place.until else None, ".")  # fmt: skip
    if place.held_out:
        yield tag("p", "Held out: goes through everything, and is sent nothing.")
    if place.waits_for is not None:
        yield [tag("h3", "Waits for"), _tree(place.waits_for)]
    if place.awaits:
        yield tag("p", f"Waits for {words.listed(place.awaits)}.")
    if place.exit_events:
        yield tag("p", f"Leaves by {words.listed(place.exit_events)}.")
    if place.exit_when is not None:
        yield [tag("h3", "exit.when"), _tree(place.exit_when)]


def _came(came: Came) -> Iterator[Content]:
    yield tag("p", f"The last one: {came.event} at ", words.instant_said(came.at), ".")
    if came.lost:
        yield tag("p", f"What was said of it is not known any more: {came.lost}.")
    if came.when is not None:
        yield [tag("h3", "enter.when, as it was then"), _tree(came.when)]


def _tree(part: Part) -> Html:
    return tag("ul", _branch(part), class_="tree")


def _branch(part: Part) -> Html:
    events = [
        tag("li", tag("span", f"{one.event} at "), words.instant_said(one.at))
        for one in part.events
    ]
    inner = [_branch(one) for one in part.parts]
    below = tag("ul", events, inner, class_="tree") if events or inner else None
    until = [" at least until ", words.instant_said(part.until)] if part.until else None
    return tag(
        "li", _value(part), " ", tag("code", part.text), tag("span", until, class_="soft"), below
    )


def _value(part: Part) -> Html:
    if part.error:
        return tag("span", f"error: {part.error}", class_="pill bad")
    if isinstance(part.value, bool):
        return tag("span", "true" if part.value else "not true",
                   class_="pill good" if part.value else "pill bad")  # fmt: skip
    text = msgspec.json.encode(part.value).decode()
    shown = text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}…"
    return tag("span", shown, class_="pill plain")
