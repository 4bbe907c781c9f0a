"""Rendering with the links of a message: those that its template names, and those put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from channels.links import Links, Tracking, short_id
from channels.templates.filters import SURVEYS
from channels.templates.metering import WORK_MAX
from channels.tokens import LinkFacts, Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from channels.rendering import Rendered, Template
    from engine.core.effects import SendMessage

UNSENT: Final = Links(
    "http://localhost:8080",
    Signer(["of messages that nobody is sent"]),
    Tracking(opens=False, clicks=False),
)
"""Of messages that are rendered to be looked at: links of the right form, and good for nothing."""


def render_linked(
    links: Links,
    template: Template,
    message: SendMessage,
    context: Mapping[str, Any],
    *,
    strict: bool = False,
    work_max: int = WORK_MAX,
) -> tuple[Rendered, str]:
    """Render a message; and where a mail program lets its user unsubscribe, or "".

    `context` is its snapshot; `strict` and `work_max` as for `Template.render`. Raises
    RenderFailed.
    """
    campaign = context.get("campaign")
    own = links.of(_facts(message, context), campaign if isinstance(campaign, dict) else {})
    named = {**context, "links": own.names, SURVEYS: own.survey}
    rendered = template.render(named, now_at_ms=message.at_ms, strict=strict, work_max=work_max)
    if links is UNSENT:
        return rendered, ""
    return own.put_into(rendered), own.list_unsubscribe


def _facts(message: SendMessage, context: Mapping[str, Any]) -> LinkFacts:
    variant = context.get("variant")
    return LinkFacts(
        user_id=message.user_id,
        message=short_id(message.id),
        channel=message.channel,
        campaign=message.campaign,
        enrollment=short_id(message.enrollment),
        step=message.step,
        template=message.template,
        variant=variant if isinstance(variant, str) else "",
        sent_at_ms=message.at_ms,
    )
