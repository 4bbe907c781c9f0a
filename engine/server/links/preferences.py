"""What a preference page shows of a user, and what a filled one says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import CHANNEL_IDS
from engine.core.guardrails import ADDRESS_TRAITS, address_of, consents
from engine.core.people.traits import TOPICS, is_refused
from engine.core.steps.kinds import Send
from engine.server.links.pages import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from channels.tokens import LinkFacts
    from engine.core.plan import Plan
    from engine.core.state import User
    from engine.server.links.texts import Texts

_TO_PEOPLE: Final = tuple(channel for channel in CHANNEL_IDS if channel != "webhook")
_SHOWN_ALWAYS: Final = 1
"""Characters of an address before the `@` that its page shows: links are forwarded."""

_DIGITS_SHOWN: Final = 3


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a shop says on the pages behind its links.

    Attributes:
        name: The shop's.
        topics: What each topic is called.
        honors_gpc: Whether `Sec-GPC` and `DNT` mean no tracking.
    """

    name: str = "My shop"
    topics: Mapping[str, str] = {}
    honors_gpc: bool = True

    def topic_label(self, topic: str) -> str:
        """What a topic is called; its id where the shop has no other word."""
        return self.topics.get(topic) or topic


def choices_of(
    plan: Plan, user: User | None, facts: LinkFacts, shown: Shown, texts: Texts
) -> list[Choice]:
    """The boxes for a user: channels that the shop uses and that reach him, and its topics.

    That of the message is always there. O(steps of the plan).
    """
    used = {facts.channel, *_channels_used(plan)}
    said = {} if user is None else user.traits.get("consent")
    choices = []
    for channel in CHANNEL_IDS:
        address = masked_address(user, channel)
        spoken = isinstance(said, dict) and channel in said
        reaches = user is not None and address_of(user, channel) is not None
        if channel != facts.channel and not (channel in used and reaches) and not spoken:
            continue
        if channel == "webhook" and not spoken:
            continue
        chosen = user is not None and consents(plan.policy, user, channel)
        choices.append(Choice("channel", channel, texts[channel], address, chosen))
    topics = dict.fromkeys([*shown.topics, *_topics_used(plan), *_topics_said(said)])
    choices += [
        Choice("topic", topic, shown.topic_label(topic), "", not is_refused(said, topic))
        for topic in topics
        if topic
    ]
    return choices


def stated(
    choices: Sequence[Choice], form: Mapping[str, Sequence[str]], *, leaves: bool
) -> tuple[dict[str, bool], dict[str, bool]]:
    """What a filled page changes: channels and topics, yes or no.

    With `leaves` it is a no to every channel to a person, be it one that does not reach him yet.
    What the page did not show is left as it is.
    """
    if leaves:
        return dict.fromkeys(_TO_PEOPLE, False), {}
    said: dict[str, dict[str, bool]] = {"channel": {}, "topic": {}}
    for one in choices:
        if one.key not in form.get(f"shown_{one.group}", ()):
            continue
        chosen = one.key in form.get(one.group, ())
        if chosen != one.chosen:
            said[one.group][one.key] = chosen
    return said["channel"], said["topic"]


def masked_address(user: User | None, channel: str) -> str:
    """As much of an address as tells its owner which it is; "" where there is none to show."""
    address = None if user is None or channel not in ADDRESS_TRAITS else address_of(user, channel)
    if not isinstance(address, str):
        return ""
    if channel == "sms":
        return "•••" + address[-_DIGITS_SHOWN:]
    if channel == "push":
        return ""
    local, at, domain = address.rpartition("@")
    return f"{local[:_SHOWN_ALWAYS]}•••{at}{domain}" if at else ""


def _channels_used(plan: Plan) -> set[str]:
    return {
        channel
        for campaign in plan.campaigns.values()
        if campaign.is_marketing and campaign.status != "archived"
        for step in campaign.steps
        if isinstance(step, Send)
        for channel in step.channels
    }


def _topics_used(plan: Plan) -> list[str]:
    return sorted({campaign.topic for campaign in plan.campaigns.values() if campaign.topic})


def _topics_said(said: object) -> list[str]:
    topics = said.get(TOPICS) if isinstance(said, dict) else None
    return [topic for topic in topics if isinstance(topic, str)] if isinstance(topics, dict) else []
