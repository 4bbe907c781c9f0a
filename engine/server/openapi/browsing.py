"""Operations that browsers and readers of messages come by."""

from __future__ import annotations

from typing import Any, Final, Literal

from engine.server.inbox import AnswerGiven, Marked
from engine.server.openapi import refusals, told
from engine.server.openapi.operation import FORM, GIF, HTML, SCRIPT, Operation, Parameter
from engine.server.openapi.refusals import BODY, DURABLE, READING, SENDING, merged

_TOKEN: Final = (Parameter("token", "Signed; it stands in the message's link."),)

_OF_MESSAGE: Final = Parameter("id", "A message's.")
_DONE: Final = Parameter("done", "What was done with it.", Literal["read", "click", "dismiss"])
_AFTER: Final = Parameter("last_event_id", "Behind which message; else `Last-Event-ID` says it.")
_OF_KEY: Final = Parameter("writeKey", "A write key.", required=True, example="demo-write-key")


def _browser() -> list[Operation]:
    rudder = [
        Operation(
            "get",
            path,
            "browser",
            "settings of RudderStack's browser client",
            answer=told.RudderSettings,
            query=(_OF_KEY,),
            refused=SENDING,
        )
        for path in ("/sourceConfig", "/sourceConfig/")
    ]
    files = [
        Operation("get", f"/{name}", "browser", what, answer=SCRIPT)
        for name, what in (
            ("sdk.js", "the browser SDK"),
            ("sdk-inapp.js", "its in-app messages"),
            ("sdk-sw.js", "its service worker"),
        )
    ]
    return [
        Operation(
            "get",
            "/v1/projects/{key}/settings",
            "browser",
            "settings of Segment's browser client",
            answer=told.SegmentSettings,
            of_path=(Parameter("key", "A write key.", example="demo-write-key"),),
            refused=SENDING,
        ),
        *rudder,
        *files,
        Operation(
            "get",
            "/push/key",
            "browser",
            "the public key for web push",
            answer=told.PushKey,
            refused={404: ("push.off",)},
        ),
    ]


def _inbox() -> list[Operation]:
    unknown: refusals.Refusals = {404: ("inbox.unknown",)}
    of_form: refusals.Refusals = {400: ("body.invalid", "survey.value"), 413: ("body.too_large",)}
    return [
        Operation(
            "get", "/inbox", "browser", "a user's in-app messages", "user", answer=told.Inbox,
            refused=READING,
        ),
        Operation(
            "get",
            "/inbox/stream",
            "browser",
            "the same as they come",
            "user",
            answer="text/event-stream",
            query=(_AFTER,),
            refused=merged(READING, {429: ("inbox.streams_of_user",), 503: ("inbox.streams",)}),
            about="Server-sent events; each has a message as JSON for its data.",
        ),
        Operation(
            "post",
            "/inbox/{id}/answer",
            "browser",
            "an answer to one that asks",
            "user",
            body=AnswerGiven,
            of_path=(_OF_MESSAGE,),
            example={"value": 5},
            status=204,
            refused=merged(READING, unknown, DURABLE, of_form),
        ),
        Operation(
            "post",
            "/inbox/{id}/{done}",
            "browser",
            "read, click or dismiss",
            "user",
            body=Marked,
            of_path=(_OF_MESSAGE, _DONE),
            example={"dwell_ms": 1_500},
            status=204,
            refused=merged(READING, unknown, DURABLE, of_form, {404: ("http.not_found",)}),
            needs_body=False,
        ),
    ]  # fmt: skip


def _links() -> list[Operation]:
    guessed: refusals.Refusals = {429: ("key.too_many",)}
    of_form = merged(guessed, BODY, DURABLE)

    def page(path: str, asks: str, takes: str) -> list[Operation]:
        pages: dict[str, Any] = {"answer": HTML, "of_path": _TOKEN, "shown": (404, 410)}
        return [
            Operation("get", path, "links", asks, refused=guessed, **pages),
            Operation(
                "post", path, "links", takes, body=FORM, refused=of_form, needs_body=False, **pages
            ),
        ]

    return [
        Operation(
            "get",
            "/o/{token}.gif",
            "links",
            "a mail was opened",
            answer=GIF,
            of_path=_TOKEN,
            shown=(404, 410),
            refused=guessed,
        ),
        Operation(
            "get",
            "/c/{token}",
            "links",
            "a link was clicked",
            answer=HTML,
            of_path=_TOKEN,
            status=302,
            shown=(404, 410),
            refused=guessed,
            about="Leads to the address that was signed into the token, and nowhere else.",
        ),
        *page("/s/{token}", "an answer to a survey, to be confirmed", "the answer"),
        *page("/u/{token}", "ask to unsubscribe", "unsubscribe by one click (RFC 8058)"),
        *page("/preferences/{token}", "the preference centre", "what somebody prefers"),
    ]


BROWSING: Final = (*_browser(), *_inbox(), *_links())
"""All of them."""
