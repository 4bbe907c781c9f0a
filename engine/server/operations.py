"""Every route for programs: what it is for, who is let in, what it takes and what it answers."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from engine.core.items import Item
from engine.runtime.erasing import Erased
from engine.runtime.reloading import Reloaded
from engine.server.answers import Fault, Rejection
from engine.server.bulk import BulkAsked
from engine.server.consents import ConsentAsked, TokenAsked
from engine.server.importing import Taken
from engine.server.inbox import AnswerGiven, Marked
from engine.server.operating import BackupAsked
from engine.server.overruling import Overruled
from engine.server.posthog import CapturedBatch
from engine.server.quarantine import RetryAsked
from engine.server.segment import ROUTES, SegmentBatch
from engine.server.starting import StartBody

LINES: Final = "application/x-ndjson"


class Problem(msgspec.Struct):
    """Problem details (RFC 9457). `code` is stable and safe to match on."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[Fault] = []


class SdkFailure(msgspec.Struct):
    """An error as stock tracking SDKs read it."""

    success: bool
    code: str
    message: str
    detail: str
    errors: list[Fault] = []


class Success(msgspec.Struct):
    """What every stock SDK takes for a yes."""

    success: bool


class Accepted(msgspec.Struct):
    """How many items are durable, and which were not taken."""

    accepted: int
    rejected: list[Rejection]
    untracked: int = 0


class Operation(NamedTuple):
    """One method of one route.

    Attributes:
        key: What admits: a name of the security schemes, or "".
        body: The type of its body; a text names another media type.
        answer: The type of its answer; likewise.
        query: Parameters of its query.
        example: A body that is taken.
    """

    method: str
    path: str
    tag: str
    summary: str
    key: str = ""
    body: Any = None
    answer: Any = None
    query: tuple[str, ...] = ()
    example: Any = None


_ITEM: Final = {
    "user_id": "u1",
    "event": "Product Added",
    "message_id": "m1",
    "properties": {"product_id": "p1", "price": 19.5},
}
_CALL: Final = {"userId": "u1", "event": "Product Added", "properties": {"price": 19.5}}


def _sdk() -> list[Operation]:
    found = []
    for path, kind in ROUTES.items():
        body, example = (Item, _CALL) if kind else (SegmentBatch, {"batch": [_CALL]})
        told = f"a {kind} call, as Segment's clients send it" if kind else "many calls"
        found.append(Operation("post", path, "events", told, "write", body, Success, (), example))
    batch = {"api_key": "…", "batch": [{"distinct_id": "u1", "event": "Seen"}]}
    for path in ("/batch/", "/batch"):
        told = "events, as PostHog's clients send them"
        more = ("write", CapturedBatch, Success, (), batch)
        found.append(Operation("post", path, "events", told, *more))
    return found


_START: Final = {"user_id": "u1", "trigger_type": "cart_abandonment", "content": {"code": "SAVE20"}}
_O: Final = Operation

OPERATIONS: Final = (
    *_sdk(),
    _O("post", "/events", "events", "events and traits", "write", Item, Accepted, (), _ITEM),
    _O("post", "/v1/scores", "events", "models' scores", "write", Item, Accepted),
    _O(
        "get",
        "/track",
        "events",
        "a tracking pixel",
        "key",
        None,
        "image/gif",
        ("user_id", "event"),
    ),
    _O("post", "/track", "events", "an event of a page that is left", "key", Item, Accepted),
    _O("post", "/trigger", "events", "start a campaign", "trigger", StartBody, dict, (), _START),
    _O("post", "/webhooks/{source}", "events", "what shops and providers tell", "", dict, dict),
    _O(
        "post",
        "/webhooks/twilio",
        "events",
        "what Twilio tells",
        "",
        "application/x-www-form-urlencoded",
        "text/xml",
    ),
    _O("get", "/healthz", "health", "alive", "", None, dict),
    _O("get", "/readyz", "health", "ready to take events", "", None, dict),
    _O("get", "/openapi.json", "health", "this document", "", None, dict),
    _O("get", "/docs", "health", "this document for people", "", None, "text/html"),
    _O(
        "get",
        "/v1/projects/{key}/settings",
        "browser",
        "settings of Segment's browser client",
        "",
        None,
        dict,
    ),
    _O(
        "get",
        "/sourceConfig",
        "browser",
        "settings of RudderStack's",
        "",
        None,
        dict,
        ("writeKey",),
    ),
    _O(
        "get",
        "/sourceConfig/",
        "browser",
        "settings of RudderStack's",
        "",
        None,
        dict,
        ("writeKey",),
    ),
    _O("get", "/sdk.js", "browser", "the browser SDK", "", None, "text/javascript"),
    _O("get", "/sdk-inapp.js", "browser", "its in-app messages", "", None, "text/javascript"),
    _O("get", "/sdk-sw.js", "browser", "its service worker", "", None, "text/javascript"),
    _O("get", "/push/key", "browser", "the public key for web push", "", None, dict),
    _O("get", "/inbox", "browser", "a user's in-app messages", "user", None, dict),
    _O(
        "get",
        "/inbox/stream",
        "browser",
        "the same as they come",
        "user",
        None,
        "text/event-stream",
    ),
    _O("post", "/inbox/{id}/answer", "browser", "an answer to one", "user", AnswerGiven, dict),
    _O("post", "/inbox/{id}/{done}", "browser", "read, click or dismiss", "user", Marked, dict),
    _O("get", "/o/{token}.gif", "links", "a mail was opened", "", None, "image/gif"),
    _O("get", "/c/{token}", "links", "a link was clicked", "", None, "text/html"),
    _O("get", "/s/{token}", "links", "a short link", "", None, "text/html"),
    _O("post", "/s/{token}", "links", "a short link", "", None, "text/html"),
    _O("get", "/u/{token}", "links", "ask to unsubscribe", "", None, "text/html"),
    _O("post", "/u/{token}", "links", "unsubscribe by one click (RFC 8058)", "", None, "text/html"),
    _O("get", "/preferences/{token}", "links", "the preference centre", "", None, "text/html"),
    _O("post", "/preferences/{token}", "links", "what somebody prefers", "", None, "text/html"),
    _O("get", "/metrics", "operating", "metrics in Prometheus' form", "admin", None, "text/plain"),
    _O("post", "/api/backup", "operating", "write a backup", "admin", BackupAsked, LINES),
    _O("post", "/api/import", "operating", "history, as lines", "admin", LINES, Taken),
    _O(
        "post",
        "/api/trigger",
        "operating",
        "start a campaign, at a pace",
        "admin",
        BulkAsked,
        LINES,
    ),
    _O("post", "/api/reload", "operating", "take a changed shop on", "admin", None, Reloaded),
    _O("post", "/api/diff", "operating", "what would come of a changed shop", "admin", dict, LINES),
    _O(
        "post",
        "/api/simulate",
        "operating",
        "run a shop over events in virtual time",
        "admin",
        dict,
        LINES,
    ),
    _O("post", "/api/backtest", "operating", "run a shop over the archive", "admin", dict, LINES),
    _O("get", "/api/records.csv", "operating", "records as CSV", "admin", None, "text/csv"),
    _O("get", "/api/records.ndjson", "operating", "records as lines", "admin", None, LINES),
    _O("get", "/api/deadlines", "operating", "what is due, by hour", "admin", None, dict),
    _O("get", "/api/segments", "operating", "how large segments are", "admin", None, dict),
    _O("get", "/api/funnel", "operating", "who went from event to event", "admin", None, dict),
    _O("get", "/api/discover", "operating", "what goes before a goal", "admin", None, dict),
    _O("get", "/api/campaigns", "operating", "how campaigns do", "admin", None, dict, ("hours",)),
    _O("get", "/api/campaigns/{id}", "operating", "how one does", "admin", None, dict),
    _O("get", "/api/users/{id}", "operating", "a user's state", "admin", None, dict),
    _O("delete", "/api/users/{id}", "operating", "erase a user", "admin", None, Erased),
    _O(
        "get",
        "/api/users/{id}/snapshot",
        "operating",
        "what templates may name",
        "admin",
        None,
        dict,
    ),
    _O(
        "get",
        "/api/users/{id}/timeline",
        "operating",
        "what happened",
        "admin",
        None,
        dict,
        ("limit",),
    ),
    _O(
        "get",
        "/api/users/{id}/explain",
        "operating",
        "why, or when",
        "admin",
        None,
        dict,
        ("campaign", "at"),
    ),
    _O(
        "post",
        "/api/users/{id}/enrollments/{enrollment}/forward",
        "operating",
        "have an enrollment go on now",
        "admin",
        None,
        Overruled,
    ),
    _O(
        "post",
        "/api/users/{id}/enrollments/{enrollment}/cancel",
        "operating",
        "have an enrollment end",
        "admin",
        None,
        Overruled,
    ),
    _O(
        "get", "/api/users/{id}/export", "operating", "everything that is held", "admin", None, dict
    ),
    _O(
        "get", "/api/suppressed", "operating", "addresses that nothing goes to", "admin", None, dict
    ),
    _O(
        "post", "/api/users/{id}/consent", "operating", "state consent", "admin", ConsentAsked, dict
    ),
    _O(
        "post",
        "/api/users/{id}/token",
        "operating",
        "a signed user token",
        "admin",
        TokenAsked,
        dict,
    ),
    _O(
        "get",
        "/api/quarantine",
        "operating",
        "what could not be taken",
        "admin",
        None,
        dict,
        ("limit", "after", "source"),
    ),
    _O("post", "/api/quarantine/retry", "operating", "try it again", "admin", RetryAsked, LINES),
    _O(
        "get",
        "/api/deadletters",
        "operating",
        "messages that failed for good",
        "admin",
        None,
        dict,
        ("limit", "after"),
    ),
    _O(
        "post",
        "/api/deadletters/retry",
        "operating",
        "deliver them after all",
        "admin",
        dict,
        LINES,
    ),
    _O("get", "/api/plan/infer", "operating", "propose a tracking plan", "admin", None, LINES),
)
"""All of them. Those of long work answer in lines, of which the last has the result."""
