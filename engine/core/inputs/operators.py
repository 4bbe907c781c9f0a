"""What an operator says of one enrollment."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class EnrollmentForwarded(msgspec.Struct, tag="forwarded", omit_defaults=True, gc=False):
    """An operator has an enrollment go on now, whatever is left of the wait that it is in.

    Attributes:
        enrollment: Its id.
        clock_at_ms: Where its clock stood as the operator saw it: the start of that wait.
    """

    user_id: str
    enrollment: str
    clock_at_ms: int
    at_ms: int = 0
    is_anonymous: ClassVar[bool] = False
    message_id: ClassVar[str] = ""
    """Never a duplicate by id: one told twice finds it in another wait."""


class EnrollmentCancelled(EnrollmentForwarded, tag="cancelled"):
    """An operator has an enrollment end."""
