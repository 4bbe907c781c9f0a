"""A house that operators may come into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import engine.server

if TYPE_CHECKING:
    from tests.server.house import House


def let_in(house: House) -> None:
    operated: Any = {"erasing": None, "reloading": None}
    for name in ("store", "shell", "processor", "clock"):
        operated[name] = getattr(house, name)
    house.operated = lambda: engine.server.House(**operated)
