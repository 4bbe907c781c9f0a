"""An operator has one enrollment go on now, or end: `POST /api/users/ID/enrollments/ID/…`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.inputs import EnrollmentCancelled, EnrollmentForwarded
from engine.core.steps.overruling import QUIET, STANDS, find, why_not_forward
from engine.server.admin.users import unknown_user
from engine.server.answers import Refusal, answer_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    from engine.core.inputs import OfOperator
    from engine.core.state import User
    from engine.server.admin.operating import House

_WHY_NOT: Final = {
    QUIET: "quiet hours hold its message: it goes as they end",
    STANDS: "its campaign is not open to him now, and so he stands still",
}


class Overruled(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it.

    Attributes:
        user_id: The user's own id.
        enrollment: The enrollment's.
        outcome: `forwarded` or `cancelled`; `gone_on`: he was not in that wait any more.
        inside: Whether he is still in the campaign by this enrollment.
    """

    user_id: str
    enrollment: str
    outcome: str
    inside: bool


def overruling_handlers(
    enter: Callable[[web.Request], House],
) -> Mapping[str, Mapping[str, Handler]]:
    """By path, its methods and their handlers; `enter` asks for the key and gives the house."""

    async def forward(request: web.Request) -> web.StreamResponse:
        return answer_json(await overrule(enter(request), request, EnrollmentForwarded))

    async def cancel(request: web.Request) -> web.StreamResponse:
        return answer_json(await overrule(enter(request), request, EnrollmentCancelled))

    return {
        "/api/users/{id}/enrollments/{enrollment}/forward": {"POST": forward},
        "/api/users/{id}/enrollments/{enrollment}/cancel": {"POST": cancel},
    }


async def overrule(
    house: House,
    request: web.Request,
    kind: type[EnrollmentForwarded],
    clock_at_ms: int | None = None,
) -> Overruled:
    """Have it done; returns once it is durable.

    Args:
        house: Whose user it is.
        request: Names user and enrollment in its path.
        kind: What is to be done.
        clock_at_ms: The wait that is meant, where a page has shown it; None: the one he is in.

    Raises:
        Refusal: 404 for nobody, and for an enrollment that he is not in; 409 where it may not go
            on: `enrollment.quiet_hours`, `enrollment.held`.
        Unavailable: It is not known whether it was taken.
    """
    user_id, enrollment_id = request.match_info["id"], request.match_info["enrollment"]
    processor = house.processor
    user = processor.find(user_id)
    if user is None:
        raise unknown_user(user_id)
    asked = _asked(user, enrollment_id, kind, clock_at_ms)
    waiting = find(user, asked)
    if waiting is not None and not isinstance(asked, EnrollmentCancelled):
        why = why_not_forward(processor.plan, user, waiting)
        if why:
            raise Refusal(409, f"enrollment.{why}", _WHY_NOT[why])
    await house.shell.submit([asked])
    now = processor.find(user.user_id)
    inside = now is not None and any(e.enrollment == enrollment_id for e in now.enrollments)
    done = "cancelled" if isinstance(asked, EnrollmentCancelled) else "forwarded"
    outcome = done if waiting is not None else "gone_on"
    return Overruled(user.user_id, enrollment_id, outcome, inside)


def _asked(
    user: User, enrollment_id: str, kind: type[EnrollmentForwarded], clock_at_ms: int | None
) -> OfOperator:
    clocks = [one.clock_at_ms for one in user.enrollments if one.enrollment == enrollment_id]
    if not clocks and clock_at_ms is None:
        message = f"{user.user_id!r} is in no enrollment {enrollment_id[:100]!r} now"
        raise Refusal(404, "enrollment.unknown", message)
    return kind(user.user_id, enrollment_id, clocks[0] if clock_at_ms is None else clock_at_ms)
