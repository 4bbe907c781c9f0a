"""Clicks that a goal may be put down to: of a message's links, and visits that bear its UTM.

A person's click on a message is remembered with the enrollment that sent it, where that may reach
a goal; so is an event of his that bears the `utm_…` that links of one of its messages were given
(`[tracking] utm`): a landing page that tells its address, an order that tells where it came from.
That is how a click is known where links do not lead over this process, or led there unseen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from engine.core.messages.attribution import send_of
from engine.core.messages.waiting import find_message
from engine.core.steps.kinds import Send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from engine.core.inputs import EventReceived, MessageAnswered
    from engine.core.plan import Campaign, Plan
    from engine.core.policy import Policy
    from engine.core.state import Ended, Enrollment, User

    Awaiting: TypeAlias = Enrollment | Ended

CLICKS_MAX: Final = 8
"""Clicks of an enrollment that are remembered, the newest: an event may come late."""

VISIT_MESSAGES_MAX: Final = 32
"""Messages that a visit's UTM is held against, those delivered last."""

UTM: Final = ("source", "medium", "campaign", "content", "term")

_ADDRESSES: Final = ("url", "search")
"""Properties that may hold UTM parameters in an address."""

_FIELDS_MAX: Final = 100
_PLACE: Final = re.compile(r"\{(campaign|step|template|channel)\}")
_OF_MESSAGE: Final = ("{step}", "{template}", "{channel}")
_UNSURE: Final = "{variant}"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def utm_of(campaigns: Iterable[Campaign], policy: Policy) -> dict[str, dict[str, str]]:
    """By campaign with a goal, what its links get as `utm_…`, where a visit tells it by that."""
    found = {}
    for campaign in campaigns:
        shared = policy.utm if campaign.is_marketing or policy.utm_transactional else ()
        utm = {**dict(shared), **(campaign.tracking or {}).get("utm", {})}
        told = {key: value for key, value in utm.items() if value and _UNSURE not in value}
        if campaign.goal is not None and ("source" in told or "campaign" in told):
            found[campaign.id] = told
    return found


def note_click(user: User, happened: MessageAnswered) -> None:
    """A person clicked: the enrollment that the message is of remembers it. O(enrollments)."""
    effect_id = happened.sent.id
    pending = find_message(user.pending, effect_id)
    enrollment = happened.sent.enrollment if pending is None else pending.enrollment
    heir = own = None
    for one in _awaiting(user):
        if any(message == effect_id for _, message in one.touches):
            heir = one  # its enrollment may have given way in a merge
        if one.enrollment == enrollment:
            own = one
    found = heir or own
    if found is not None:
        _remember(found, happened.occurred_at_ms, effect_id)


def note_visit(plan: Plan, user: User, event: EventReceived) -> None:
    """Where an event bears the UTM of a message, remember it as a click on the newest such one.

    Asked of users with an enrollment, in a plan that has such UTM. O(size of the event), and where
    it bears any, O(messages that are remembered * sends of their campaigns).
    """
    raw = bytes(event.properties)
    if b"utm_" not in raw:
        return
    said = utm_said(_decode(raw))
    if not said:
        return
    occurred_at_ms = event.occurred_at_ms
    delivered = [
        (at_ms, message, one)
        for one in _awaiting(user)
        if one.campaign in plan.utm
        for at_ms, message in one.touches
        if at_ms <= occurred_at_ms
    ]
    delivered.sort(key=lambda touch: touch[:2], reverse=True)
    for _, message, one in delivered[:VISIT_MESSAGES_MAX]:
        campaign = plan.campaigns[one.campaign]
        if _bears(campaign, plan.utm[one.campaign], one.enrollment, message, said):
            _remember(one, occurred_at_ms, message)
            return


def utm_said(properties: Mapping[str, Any]) -> dict[str, str]:
    """The UTM parameters that an event bears, by key: as properties, else in an address of it."""
    said: dict[str, str] = {}
    for name in _ADDRESSES:
        address = properties.get(name)
        if isinstance(address, str) and "utm_" in address:
            query = address.partition("#")[0].partition("?")[2]
            try:
                pairs = parse_qsl(query, max_num_fields=_FIELDS_MAX)
            except ValueError:
                continue
            said |= {key[4:]: value for key, value in pairs if key[:4] == "utm_"}
    for key in UTM:
        value = properties.get(f"utm_{key}")
        if isinstance(value, str) and value:
            said[key] = value
    return said


def _awaiting(user: User) -> Iterator[Awaiting]:
    yield from user.enrollments
    yield from user.ended


def _remember(one: Awaiting, at_ms: int, effect_id: str) -> None:
    one.clicks = tuple(sorted((*one.clicks, (at_ms, effect_id)))[-CLICKS_MAX:])


def _bears(
    campaign: Campaign,
    utm: Mapping[str, str],
    enrollment: str,
    message: str,
    said: Mapping[str, str],
) -> bool:
    """Whether all that is said is what a message's links were given, its source or campaign too."""
    told = {key: value for key, value in utm.items() if key in said}
    if "source" not in told and "campaign" not in told:
        return False
    places = {"campaign": campaign.id}
    if any(place in value for value in told.values() for place in _OF_MESSAGE):
        step_id, channel = send_of(campaign, enrollment, message)
        places |= {"step": step_id, "channel": channel, "template": _template(campaign, step_id)}
    filled = {key: _PLACE.sub(lambda place: places[place[1]], value) for key, value in told.items()}
    return all(said[key] == value for key, value in filled.items())


def _template(campaign: Campaign, step_id: str) -> str:
    sends = (step for step in campaign.steps if isinstance(step, Send) and step.id == step_id)
    return next((step.template for step in sends), "")
