"""The doors of a process besides those for events: what channels have people and providers ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from channels.registry import push_key
from channels.settings import InAppSettings
from engine.runtime.clock import wall_ms
from engine.server.inbox import InboxDoor
from engine.server.twilio import TwilioDoor

if TYPE_CHECKING:
    from pathlib import Path

    from channels.tokens import Signer
    from config.settings import Settings
    from engine.runtime.delivery.inboxes import Inboxes
    from engine.runtime.parts import Parts


class ChannelDoors(msgspec.Struct, frozen=True, eq=False):
    """Doors that channels have; None where their transport needs none.

    Attributes:
        push_key: What browsers subscribe to push messages with; "" where there is none.
        twilio: What Twilio calls.
        inbox: Users' in-app messages.
    """

    push_key: str = ""
    twilio: TwilioDoor | None = None
    inbox: InboxDoor | None = None


def channel_doors(
    settings: Settings, parts: Parts, *, data: Path, inboxes: Inboxes, signer: Signer
) -> ChannelDoors:
    """Those of a process."""
    chosen = settings.channels["in_app"]
    inbox = None
    if isinstance(chosen, InAppSettings) and chosen.transport == "inbox":
        submit, now_ms = parts.shell.submit, parts.clock.now_ms
        inbox = InboxDoor(
            inboxes,
            chosen,
            signer,
            submit=submit,
            now_ms=now_ms,
            wall_ms=wall_ms,
            metrics=parts.metrics,
        )
    return ChannelDoors(
        push_key(settings.channels, data),
        TwilioDoor.of(settings, parts),
        inbox,
    )
