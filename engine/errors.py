"""The one tree of operating errors: what failed, on what, and what to do about it.

A programmer's error is an `assert`; everything a person can mend is one of these.
"""

from __future__ import annotations

from typing_extensions import override


class HairspringError(Exception):
    """An operating error that a person can act on.

    Attributes:
        code: Stable, dotted, lower case (`store.newer`, `shop.invalid`); safe to match on.
        message: What failed, and on what.
        hint: What to do about it; may be empty where nothing can be done.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    @override
    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HairspringError):
    """The command was called in a way that cannot be meant (exit code 2)."""

    code = "usage"


class StoreError(HairspringError):
    """The data folder or its database cannot be used as it is."""

    code = "store"


class ServeError(HairspringError):
    """The process cannot serve: a port in use, a key missing."""

    code = "serve"
