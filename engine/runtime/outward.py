"""The channels of a shop as a process has them: an error says what keeps one from being made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.base import ChannelError
from channels.registry import build_channels
from engine.errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from channels.registry import Channels
    from channels.settings import ChannelSettings


def open_channels(
    settings: Mapping[str, ChannelSettings], *, data: Path, now_ms: Callable[[], int], shop_url: str
) -> Channels:
    """As `channels.registry.build_channels`. Raises ServeError."""
    try:
        return build_channels(settings, data=data, now_ms=now_ms, shop_url=shop_url)
    except ChannelError as error:
        raise ServeError(error.message, hint=error.hint, code="serve.channel") from error
