"""What goes over the wire for one committed message: its template rendered with its snapshot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

from channels.base import Message, address_of
from channels.rendering import RenderFailed, WorkTooMuch
from channels.templates.metering import WORK_MAX
from engine.runtime.aside import aside
from engine.runtime.delivery.linking import render_linked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from channels.links import Links
    from channels.rendering import Rendered, Template
    from engine.core.effects import SendMessage
    from engine.runtime.metrics import Metrics

WORK_AT_ONCE: Final = 20_000
"""Units of a rendering on the loop, some 25 ms; mails have some hundred. More is done aside."""

_log = structlog.get_logger("hairspring.delivery")
_decode_snapshot = msgspec.json.Decoder(dict).decode


class Unmade(Exception):  # noqa: N818 - an outcome more than an error
    """There is nothing to hand over, and never will be; why.

    Attributes:
        outcome: What that makes of the delivery.
    """

    outcome: Literal["failed", "cancelled"] = "failed"


def compose(
    message: SendMessage,
    snapshot: bytes,
    templates: Mapping[tuple[str, str], Template],
    front: Mapping[str, Mapping[str, str]],
    metrics: Metrics,
    links: Links,
    named: Mapping[str, object] | None = None,
    *,
    work_max: int = WORK_MAX,
) -> Message:
    """Render a message.

    Args:
        message: As it was committed.
        snapshot: What its template may name, as JSON.
        templates: By (name, channel).
        front: What its front matter has where its template is silent, by channel id.
        metrics: Counts names that are not there.
        links: Makes those of the message.
        named: What its template may name beside.
        work_max: How many units of work it may be, if not all that a template may.

    Raises:
        WorkTooMuch: It is more work than that.
        Unmade: There is no template or no address, or the template cannot be rendered.
    """
    template = templates.get((message.template, message.channel))
    if template is None:
        raise Unmade(f"template: there is no {message.template}.{message.channel}.liquid")
    context = {**_decode_snapshot(snapshot), **(named or {})}
    to = address_of(message.channel, context["user"])
    if to is None:
        raise Unmade(f"no {message.channel} address that can be used")
    rendered, leave_by = _rendered(links, template, message, context, work_max)
    if rendered.undefined:
        metrics.undefined.labels(message.template).inc(rendered.undefined)
    return Message(
        id=message.id,
        at_ms=message.at_ms,
        user_id=message.user_id,
        campaign=message.campaign,
        step=message.step,
        channel=message.channel,
        to=to,
        body=rendered.body,
        front={**front.get(message.channel, {}), **rendered.front},
        html=rendered.html,
        enrollment=message.enrollment,
        template=message.template,
        variant=context.get("variant", ""),
        purpose=context.get("campaign", {}).get("purpose", "marketing"),
        expires_at_ms=message.expires_at_ms,
        unsubscribe=leave_by,
    )


def _rendered(
    links: Links,
    template: Template,
    message: SendMessage,
    context: Mapping[str, Any],
    work_max: int,
) -> tuple[Rendered, str]:
    try:
        return render_linked(links, template, message, context, work_max=work_max)
    except RenderFailed as error:
        if isinstance(error, WorkTooMuch) and work_max < WORK_MAX:
            raise
        raise Unmade(f"template: {error}") from error
    except Exception as error:
        # One message must not end all others.
        _log.error("rendering.broke", template=message.template, exc_info=True)
        raise Unmade(f"template: rendering broke: {error!r}") from error


class Composer:
    """Makes messages; those of a template that once was much work, beside the loop.

    What comes out is the same either way: work is counted, not timed.

    Args:
        front: What a message's front matter has where its template is silent, by channel id.
        metrics: Counts names that are not there.
    """

    def __init__(self, front: Mapping[str, Mapping[str, str]], metrics: Metrics) -> None:
        self._front = front
        self._metrics = metrics
        self._heavy: set[tuple[str, str]] = set()

    async def compose(
        self,
        message: SendMessage,
        snapshot: bytes,
        templates: Mapping[tuple[str, str], Template],
        links: Links,
        named: Mapping[str, object],
    ) -> Message:
        """As the function of that name. Raises Unmade."""
        key = message.template, message.channel
        about = (message, snapshot, templates, self._front, self._metrics, links, named)
        if key not in self._heavy:
            try:
                return compose(*about, work_max=WORK_AT_ONCE)
            except WorkTooMuch:
                self._heavy.add(key)
        return await aside(partial(compose, *about))
