"""Operations of the port that clients reach."""

from __future__ import annotations

from typing import Any, Final

from engine.core.intake.items import Item
from engine.server.openapi import told
from engine.server.openapi.browsing import BROWSING
from engine.server.openapi.operation import FORM, GIF, Operation, Parameter
from engine.server.openapi.refusals import (
    BODY,
    DURABLE,
    ITEMS,
    SENDING,
    STARTING,
    merged,
)
from engine.server.posthog import ROUTES as OF_POSTHOG
from engine.server.posthog import CapturedBatch
from engine.server.segment import ROUTES, SegmentBatch
from engine.server.starting import StartBody

_ITEM: Final = {
    "user_id": "u1",
    "event": "Product Added",
    "message_id": "m1",
    "properties": {"product_id": "p1", "price": 19.5},
}
_CALL: Final = {"userId": "u1", "event": "Product Added", "properties": {"price": 19.5}}
_OF_KIND: Final[dict[str, dict[str, Any]]] = {
    "alias": {"userId": "u1", "previousId": "u0"},
    "group": {"userId": "u1", "groupId": "g1"},
    "identify": {"userId": "u1", "traits": {"email": "ada@example.com"}},
}
_CAPTURED: Final = {
    "api_key": "demo-write-key",
    "batch": [{"distinct_id": "u1", "event": "Seen", "properties": {"page": "cart"}}],
}
_SCORE: Final = {"user_id": "u1", "model": "churn", "score": 0.75}
_START: Final = {"user_id": "u1", "trigger_type": "cart_abandonment", "content": {"code": "SAVE20"}}
_QUARANTINED: Final = "Items that cannot be taken are quarantined; 400 where none could be."


def _sdk() -> list[Operation]:
    found = []
    refused = merged(BODY, ITEMS, SENDING, DURABLE)
    for path, kind in ROUTES.items():
        body, example = (Item, _OF_KIND.get(kind, _CALL)) if kind else (SegmentBatch, {})
        found.append(
            Operation(
                "post",
                path,
                "events",
                f"a {kind} call, as Segment's clients send it" if kind else "many calls",
                "write",
                body=body,
                answer=told.Success,
                example=example or {"batch": [{"type": "track", **_CALL}]},
                refused=refused,
                about=_QUARANTINED,
            )
        )
    found += [
        Operation(
            "post",
            path,
            "events",
            "events, as PostHog's clients send them",
            "write",
            body=CapturedBatch,
            answer=told.Success,
            example=_CAPTURED,
            refused=refused,
            about=_QUARANTINED,
        )
        for path in OF_POSTHOG
    ]
    return found


def _native() -> list[Operation]:
    refused = merged(BODY, ITEMS, SENDING, DURABLE)
    who = (
        Parameter("user_id", "Whose event it is.", example="u1"),
        Parameter("anonymous_id", "Who he is while nobody knows his id."),
        Parameter("event", "What happened.", required=True, example="Mail Read"),
        Parameter("timestamp", "When; else now.", example="2026-11-23T09:00:00Z"),
        Parameter("message_id", "Under the same one, nothing is taken twice."),
    )
    return [
        Operation(
            "post",
            "/events",
            "events",
            "events and traits",
            "write",
            body=[Item],
            answer=told.Accepted,
            example=_ITEM,
            refused=refused,
            about=f"One item, an array of them, or one a line (NDJSON). {_QUARANTINED}",
        ),
        Operation(
            "post",
            "/v1/scores",
            "events",
            "models' scores",
            "write",
            body=[Item],
            answer=told.ScoresAccepted,
            example=_SCORE,
            refused=refused,
            about=_QUARANTINED,
        ),
        Operation(
            "get",
            "/track",
            "events",
            "a tracking pixel",
            "key",
            answer=GIF,
            query=who,
            refused=merged(ITEMS, SENDING, DURABLE),
            about="Further parameters are properties. The key may be left out where there is one.",
        ),
        Operation(
            "post",
            "/track",
            "events",
            "an event of a page that is left",
            "key",
            body=[Item],
            answer=told.Accepted,
            example=_ITEM,
            refused=refused,
            about="As `/events`; or a form, as `GET /track` has parameters.",
        ),
    ]


def _starting() -> list[Operation]:
    return [
        Operation(
            "post",
            "/trigger",
            "events",
            "start a campaign",
            "trigger",
            body=StartBody,
            answer=told.TriggerTold,
            example=_START,
            refused=merged(
                BODY, STARTING, DURABLE, {404: ("campaign.unknown",), 413: ("body.too_many",)}
            ),
            about="While `[keys] trigger` is empty, from this machine alone and without a key.",
        ),
    ]


def _webhooks() -> list[Operation]:
    codes = {
        400: ("http.malformed", "webhook.nobody", "webhook.unmapped"),
        401: ("webhook.secret", "webhook.signature", "webhook.stale"),
        404: ("webhook.unknown",),
        406: ("webhook.again",),
        429: ("key.too_many",),
        503: ("webhook.amazon",),
    }
    return [
        Operation(
            "post",
            "/webhooks/{source}",
            "events",
            "what shops and providers tell",
            body=dict,
            answer=told.Heard,
            of_path=(Parameter("source", "One of `[webhooks]` in `hairspring.toml`."),),
            refused=merged(BODY, DURABLE, codes),
            about="Signed by its source; what is in it, each source says in its own way.",
        ),
        Operation(
            "post",
            "/webhooks/twilio",
            "events",
            "what Twilio tells",
            body=FORM,
            answer="text/xml",
            refused=merged(BODY, DURABLE, {403: ("twilio.signature",), 429: ("key.too_many",)}),
            about="Signed by `X-Twilio-Signature`. 204 for what became of a message.",
        ),
    ]


TAKING: Final = (*_sdk(), *_native(), *_starting(), *_webhooks(), *BROWSING)
"""All of them but those of both ports."""
