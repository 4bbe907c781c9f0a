"""What a witness says where a promise is broken."""

from __future__ import annotations


class Violation(Exception):  # noqa: N818 - what it is
    """A promise was broken.

    Attributes:
        promise: Which one, in a few words that stay the same from run to run.
    """

    def __init__(self, promise: str, seen: str) -> None:
        super().__init__(f"{promise}: {seen}")
        self.promise = promise
