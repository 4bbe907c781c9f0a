"""The channels of a shop as a process has them: an error says what keeps one from being made."""

from __future__ import annotations

import random  # noqa: TID251 - spreads retries; nothing is decided by it
from typing import TYPE_CHECKING

from channels.base import SPREAD, WIDE, ChannelError
from channels.registry import build_channels
from engine.errors import ServeError
from engine.runtime.clock import wall_ms
from engine.runtime.delivery.sinks import Sinks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from channels.inbox import Shelf
    from channels.registry import Channels
    from channels.settings import ChannelSettings
    from config import Settings
    from engine.runtime.metrics import Metrics
    from engine.store import Store


def open_channels(
    settings: Mapping[str, ChannelSettings],
    *,
    data: Path,
    now_ms: Callable[[], int],
    shop_url: str,
    shelf: Shelf,
) -> Channels:
    """As `channels.registry.build_channels`. Raises ServeError."""
    try:
        return build_channels(settings, data=data, now_ms=now_ms, shop_url=shop_url, shelf=shelf)
    except ChannelError as error:
        raise ServeError(error.message, hint=error.hint, code="serve.channel") from error


def attempts_max(settings: Mapping[str, ChannelSettings]) -> int:
    """Attempts that may be under way at one time, over all channels."""
    return sum(
        chosen.concurrency * (SPREAD if channel_id in WIDE else 1)
        for channel_id, chosen in settings.items()
    )


async def open_sinks(settings: Settings, store: Store, data: Path, metrics: Metrics) -> Sinks:
    """A shop's sinks, at work. Raises ServeError, StoreError, CommitFailed."""
    sinks = Sinks(
        settings.sinks,
        store=store,
        data=data,
        wall_ms=wall_ms,
        jitter=random.Random().random,  # noqa: S311 - spreads retries; nothing is decided by it
        metrics=metrics,
    )
    await sinks.start()
    return sinks
