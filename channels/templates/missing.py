"""Names that a template has and a rendering has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liquid.exceptions import UndefinedError
from liquid.undefined import UNDEFINED, Undefined
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from liquid import Token


class Missing:
    """What one rendering named and did not find.

    Attributes:
        count: How many times a missing value was rendered as nothing.
        strict: Raise at the first instead of counting.
    """

    __slots__ = ("count", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.count = 0
        self.strict = strict


class CountedUndefined(Undefined):
    """A name that was not found: nothing when rendered, and counted (in strict mode: a fault).

    Testing one with `if`, comparing it, or giving it a `default` is asking whether it is there,
    and is neither counted nor a fault.
    """

    __slots__ = ("missing",)

    def __init__(
        self,
        name: str,
        *,
        token: Token | None = None,
        obj: object = UNDEFINED,
        hint: str | None = None,
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.missing: Missing | None = None

    def miss(self) -> None:
        """Count one use; raises `UndefinedError` in strict mode."""
        if self.missing is None:
            return
        if self.missing.strict:
            raise UndefinedError(self.hint or f"{self.name!r} is undefined", token=self.token)
        self.missing.count += 1
        self.missing = None  # a value that goes through three filters is missing once

    @override
    def __str__(self) -> str:
        self.miss()
        return ""

    @override
    def __len__(self) -> int:
        self.miss()
        return 0

    @override
    def __iter__(self) -> Iterator[Any]:
        self.miss()
        return iter(())
