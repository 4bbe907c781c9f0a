"""Operations on one user, and on what could not be taken or delivered."""

from __future__ import annotations

from typing import Any, Final

from engine.runtime.admin.dossier import TIMELINE_MAX
from engine.runtime.admin.explaining import Explanation
from engine.runtime.admin.quarantine import LISTED, LISTED_MAX
from engine.runtime.delivery import letters
from engine.runtime.erasing import Erased
from engine.server.admin.consents import ConsentAsked, TokenAsked
from engine.server.admin.overruling import Overruled
from engine.server.admin.quarantine import NUMBER_MAX, RetryAsked
from engine.server.admin.quarantine import Outcome as Retaken
from engine.server.admin.users import TIMELINE_LIMIT
from engine.server.openapi import told
from engine.server.openapi.operation import Moment, Operation, Parameter, of_admin, whole
from engine.server.openapi.refusals import FORM, QUERY, USER

_USER_ID: Final = (Parameter("id", "Any id of a user, percent-encoded.", example="u1"),)


def _users() -> list[Operation]:
    at = "/api/users/{id}"
    more: dict[str, Any] = {"of_path": _USER_ID}
    return [
        of_admin("get", at, "a user's state", USER, answer=told.UserState, **more),
        of_admin(
            "delete", at, "erase a user", USER, {500: ("erase.files",)}, answer=Erased, **more
        ),
        of_admin(
            "get", f"{at}/snapshot", "what templates may name", USER, answer=told.Snapshot, **more
        ),
        of_admin(
            "get",
            f"{at}/timeline",
            "what happened",
            USER,
            QUERY,
            answer=told.Timeline,
            query=(
                whole("limit", "The newest so many lines.", 1, TIMELINE_MAX, TIMELINE_LIMIT),
                Parameter("before", "Of before this instant.", Moment),
            ),
            **more,
        ),
        of_admin(
            "get",
            f"{at}/explain",
            "why he came into a campaign, did not, or when he will",
            QUERY,
            {
                400: ("explain.instant",),
                404: ("campaign.unknown", "explain.archive", "past.plan", "user.unknown"),
            },
            answer=Explanation,
            query=(
                Parameter("campaign", "A campaign's id.", required=True, example="welcome"),
                Parameter("at", "An instant in the past.", Moment),
            ),
            **more,
        ),
    ]


def _held() -> list[Operation]:
    at = "/api/users/{id}"
    more: dict[str, Any] = {"of_path": _USER_ID}
    return [
        of_admin(
            "get", f"{at}/export", "everything that is held", USER, answer=told.Export, **more
        ),
        of_admin(
            "post",
            f"{at}/consent",
            "state consent that came otherwise",
            USER,
            FORM,
            body=ConsentAsked,
            answer=told.ConsentTold,
            example={"source": "phone call", "channels": {"email": True}},
            **more,
        ),
        of_admin(
            "post",
            f"{at}/token",
            "a signed user token",
            FORM,
            body=TokenAsked,
            answer=told.TokenTold,
            example={"expires_in": 3_600},
            **more,
        ),
        of_admin(
            "get", "/api/suppressed", "addresses that nothing goes to", answer=told.Suppressed
        ),
    ]


def _enrollments() -> list[Operation]:
    at = "/api/users/{id}"
    return [
        *[
            of_admin(
                "post",
                f"{at}/enrollments/{{enrollment}}/{done}",
                f"have an enrollment {what}",
                {404: ("enrollment.unknown", "user.unknown")},
                *refused,
                answer=Overruled,
                of_path=(*_USER_ID, Parameter("enrollment", "Its id, as the user's state has it.")),
            )
            for done, what, *refused in (
                (
                    "forward",
                    "go on now",
                    {409: ("enrollment.held", "enrollment.quiet_hours")},
                ),
                ("cancel", "end"),
            )
        ],
    ]


def _refused_items() -> list[Operation]:
    return [
        of_admin(
            "get",
            "/api/quarantine",
            "what could not be taken",
            QUERY,
            answer=told.QuarantinePage,
            query=(
                whole("limit", "Items of a page.", 1, LISTED_MAX, LISTED),
                whole("after", "Behind which number.", 0, NUMBER_MAX, 0),
                Parameter("source", "The route that they came by.", example="/v1/batch"),
            ),
        ),
        of_admin(
            "post",
            "/api/quarantine/retry",
            "try it again",
            FORM,
            body=RetryAsked,
            lines=Retaken,
            example={"all": True},
        ),
        of_admin(
            "get",
            "/api/deadletters",
            "messages that failed for good",
            QUERY,
            answer=told.LettersPage,
            query=(
                whole("limit", "Letters of a page.", 1, letters.LISTED_MAX, letters.LISTED),
                whole("after", "Behind which number.", 0, NUMBER_MAX, 0),
                Parameter("campaign", "Of this campaign."),
                Parameter("channel", "Of this channel."),
            ),
        ),
        of_admin(
            "post",
            "/api/deadletters/retry",
            "deliver them after all",
            FORM,
            body=letters.Chosen,
            lines=letters.Outcome,
            example={"all": True},
        ),
    ]


OF_USERS: Final = (*_users(), *_held(), *_enrollments(), *_refused_items())
"""All of them."""
