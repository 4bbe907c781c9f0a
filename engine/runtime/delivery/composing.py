"""What goes over the wire for one committed message: its template rendered with its snapshot.

What a message is made from beside its snapshot (templates, links, products and codes) lies here in
one place; a reload changes the templates.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

from channels.base import Message, address_of
from channels.rendering import RenderFailed, WorkTooMuch
from channels.templates.metering import WORK_MAX
from engine.runtime.aside import aside
from engine.runtime.delivery.linking import UNSENT, render_linked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from channels.links import Links
    from channels.rendering import Rendered, Template
    from engine.core.effects import SendMessage
    from engine.runtime.catalog.stock import Named, Stock
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


class Composer:
    """Makes messages; those of a template that once was much work, beside the loop.

    What comes out is the same either way: work is counted, not timed.

    Args:
        templates: By (name, channel).
        metrics: Counts names that are not there.
        front: What a message's front matter has where its template is silent, by channel id.
        links: Makes those of each message.
        stock: Products and codes that templates may name.

    Attributes:
        templates: Those that messages are made by from now on; whoever reloads sets them.
        stock: As it was given.
    """

    def __init__(
        self,
        templates: Mapping[tuple[str, str], Template],
        metrics: Metrics,
        *,
        front: Mapping[str, Mapping[str, str]] | None = None,
        links: Links = UNSENT,
        stock: Stock | None = None,
    ) -> None:
        self.templates = templates
        self.stock = stock
        self._metrics = metrics
        self._front = front or {}
        self._links = links
        self._heavy: set[tuple[str, str]] = set()

    async def names_for(self, messages: Sequence[SendMessage]) -> Named:
        """What their templates may name beside their snapshots, by message id.

        As `Stock.names_for`. Raises CommitFailed.
        """
        return await self.stock.names_for(messages, self.templates) if self.stock else {}

    async def compose(
        self, message: SendMessage, snapshot: bytes, named: Mapping[str, object] | Unmade
    ) -> Message:
        """Render a message.

        Args:
            message: As it was committed.
            snapshot: What its template may name, as JSON.
            named: What `names_for` had of it.

        Raises Unmade where there is no template or no address, where the template cannot be
        rendered, and where `named` says so.
        """
        if isinstance(named, Unmade):
            raise named
        key = message.template, message.channel
        template = self.templates.get(key)
        if template is None:
            raise Unmade(f"template: there is no {message.template}.{message.channel}.liquid")
        context = {**_decode_snapshot(snapshot), **named}
        if key not in self._heavy:
            try:
                return self._make(template, message, context, WORK_AT_ONCE)
            except WorkTooMuch:
                self._heavy.add(key)
        return await aside(partial(self._make, template, message, context, WORK_MAX))

    def _make(
        self, template: Template, message: SendMessage, context: Mapping[str, Any], work_max: int
    ) -> Message:
        """As `compose`, by so much work at the most. Raises Unmade, WorkTooMuch."""
        to = address_of(message.channel, context["user"])
        if to is None:
            raise Unmade(f"no {message.channel} address that can be used")
        rendered, leave_by = _rendered(self._links, template, message, context, work_max)
        if rendered.undefined:
            self._metrics.undefined.labels(message.template).inc(rendered.undefined)
        return Message(
            id=message.id,
            at_ms=message.at_ms,
            user_id=message.user_id,
            campaign=message.campaign,
            step=message.step,
            channel=message.channel,
            to=to,
            body=rendered.body,
            front={**self._front.get(message.channel, {}), **rendered.front},
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
        where = f"{error.path or error.template}:{error.line}"
        raise Unmade(f"template: {where}: {error.reason}") from error
    except Exception as error:
        # One message must not end all others.
        _log.error("rendering.broke", template=message.template, exc_info=True)
        raise Unmade(f"template: rendering broke: {error!r}") from error
