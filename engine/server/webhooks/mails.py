"""What mail providers tell of a mail: SendGrid, Postmark, Mailgun, Resend, Brevo.

Each has its own words for the same few things: somebody opened it, clicked a link, complained or
unsubscribed, or it came back. Delivered is what the outbox knows already, and deferred is not over.
Only what will never arrive, or was complained of, keeps further mail from an address.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from engine.server.answers import Refusal
from engine.server.webhooks.heard import (
    Consented,
    Feedback,
    Who,
    at,
    body_as_json,
    body_as_object,
    object_at,
    objects,
    text,
)
from engine.server.webhooks.signatures import (
    check_mailgun,
    check_sendgrid,
    check_standard,
    check_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.server.webhooks.heard import Call, Heard, Json

UNSUBSCRIBED: Final = "unsubscribed"
RESUBSCRIBED: Final = "resubscribed"
HARD: Final = "hard"
"""A bounce that is for good."""

SOFT: Final = "soft"
"""One that is not: the mail is lost, the address may be good."""


def tell(
    what: str,
    address: object,
    *,
    message_id: object = "",
    key: object = "",
    link: object = "",
    user_agent: object = "",
    machine: str = "",
) -> Iterator[Heard]:
    """What one of our words for it means, of a mailbox; nothing where there is no address."""
    mailbox = _mailbox(text(address))
    if not mailbox or not what:
        return
    told = partial(Feedback, address=mailbox, message_id=text(message_id), key=text(key))
    # A call that is sent again must not take back what was said since.
    own_key = f"{text(key)}:consent" if text(key) else ""
    consented = partial(Consented, who=Who(email=mailbox), key=own_key)
    match what:
        case "opened" | "clicked":
            yield told(
                answer="opened" if what == "opened" else "clicked",
                link=text(link),
                user_agent=text(user_agent),
                machine=machine,
            )
        case "complained":
            yield told(answer="complained", suppresses=True)
            yield consented(channels={"email": False})
        case "hard" | "soft":
            yield told(answer="bounced", bounce=what, suppresses=what == HARD)
        case "unsubscribed":
            yield told(answer="unsubscribed")
            yield consented(channels={"email": False})
        case "resubscribed":
            yield consented(channels={"email": True})
        case _:
            raise AssertionError(f"no such word: {what}")


def _mailbox(address: str) -> str:
    """`Name <a@b.c>` or `a@b.c`, as `a@b.c`."""
    return address.rpartition("<")[2].rstrip(">").strip()


# SendGrid

_SENDGRID: Final = {
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": UNSUBSCRIBED,
    "group_unsubscribe": UNSUBSCRIBED,
    "resubscribe": RESUBSCRIBED,
    "group_resubscribe": RESUBSCRIBED,
}
_SENDGRID_DROPPED: Final = {
    "invalid": HARD,
    "bounced address": HARD,
    "unsubscribed address": UNSUBSCRIBED,
    "spam reporting address": "complained",
}
"""By reason: what it knew of the address before."""


def verify_sendgrid(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_sendgrid(call, secret)


def read_sendgrid(call: Call) -> Iterator[Heard]:
    """A list of events; several may be of one delivery, each with an id of its own."""
    body = body_as_json(call)
    for told in objects(body if isinstance(body, list) else [body]):
        kind = text(told.get("event"))
        what = _SENDGRID.get(kind, "")
        if kind == "bounce":
            what = HARD if told.get("type") in (None, "bounce") else SOFT  # else blocked, expired
        elif kind == "dropped":
            what = _SENDGRID_DROPPED.get(text(told.get("reason")).lower(), SOFT)
        yield from tell(
            what,
            told.get("email"),
            message_id=told.get("smtp-id"),
            key=told.get("sg_event_id"),
            link=told.get("url"),
            user_agent=told.get("useragent"),
            machine="provider" if told.get("sg_machine_open") is True else "",
        )


# Postmark, which signs nothing: the address or Basic bears a secret

_POSTMARK: Final = {"Open": "opened", "Click": "clicked", "SpamComplaint": "complained"}
_POSTMARK_HARD: Final = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_POSTMARK_ARRIVED: Final = frozenset(
    {
        "AddressChange", "AutoResponder", "ChallengeVerification", "OpenRelayTest", "Subscribe",
        "Transient",
    }
)  # fmt: skip
"""What came back is an answer (out of office), or not the end: the mail has arrived, or is tried
again."""


def verify_by_token(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_token(call, secret)


def read_postmark(call: Call) -> Iterator[Heard]:
    """One event."""
    told = body_as_object(call)
    kind, why = text(told.get("RecordType")), text(told.get("Type"))
    what = _POSTMARK.get(kind, "")
    if kind == "Bounce" and why not in _POSTMARK_ARRIVED:
        what = HARD if why in _POSTMARK_HARD else SOFT
        if why in {"Unsubscribe", "SpamComplaint"}:
            what = UNSUBSCRIBED if why == "Unsubscribe" else "complained"
    elif kind == "SubscriptionChange":
        what = _postmark_change(told)
    key = ":".join(filter(None, (text(told.get("MessageID")), kind, _when(told))))
    yield from tell(
        what,
        told.get("Recipient") or told.get("Email"),
        message_id=at(told, "Metadata", "message_id"),
        key=key,
        link=told.get("OriginalLink"),
        user_agent=told.get("UserAgent"),
    )


def _postmark_change(told: Json) -> str:
    if told.get("SuppressSending") is not True:
        # Reactivated by the shop (`Customer`) or Postmark (`Admin`), nobody has said yes.
        return RESUBSCRIBED if told.get("Origin") == "Recipient" else ""
    reason = text(told.get("SuppressionReason"))
    return {"HardBounce": HARD, "SpamComplaint": "complained"}.get(reason, UNSUBSCRIBED)


def _when(told: Json) -> str:
    names = ("ReceivedAt", "BouncedAt", "ChangedAt", "DeliveredAt")
    return next(filter(None, (text(told.get(name)) for name in names)), "")


# Mailgun

_MAILGUN: Final = {
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": UNSUBSCRIBED,
    "bounced": HARD,
}
_FAILED: Final = {
    "bounce": HARD,
    "suppress-bounce": HARD,
    "suppress-unsubscribe": UNSUBSCRIBED,
    "suppress-complaint": "complained",
}
"""By reason. What was given up after eight hours (`old`), or refused for what it says, or for who
sent it (`espblock`, `generic`), tells nothing of the address."""

_DROPPED: Final = {"605": HARD, "606": UNSUBSCRIBED, "607": "complained"}
"""By code: what it knew of the address before."""


def verify_mailgun(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    body = _mailgun(call)
    signed = at(body, "signature")
    said = signed if isinstance(signed, dict) else body  # events of before 2018 have it beside
    check_mailgun(
        call,
        secret,
        instant=text(said.get("timestamp")),
        token=text(said.get("token")),
        given=text(said.get("signature")),
    )


def token_of_mailgun(call: Call) -> str:
    """What a request is signed by: none is taken twice."""
    body = _mailgun(call)
    return text(at(body, "signature", "token")) or text(body.get("token"))


def read_mailgun(call: Call) -> Iterator[Heard]:
    """One event, in the form of today or as the form that it was before 2018."""
    body = _mailgun(call)
    told = object_at(body, "event-data") or body
    kind = text(told.get("event")).lower()
    what = _MAILGUN.get(kind, "")
    if kind == "failed":
        reason = text(told.get("reason"))
        if text(told.get("severity")) == "permanent" or reason == "old":  # else it is tried again
            what = _FAILED.get(reason, SOFT)
    elif kind == "dropped":
        what = _DROPPED.get(text(told.get("code")), SOFT)
    client = object_at(told, "client-info")
    yield from tell(
        what,
        told.get("recipient"),
        message_id=at(told, "message", "headers", "message-id") or told.get("Message-Id"),
        key=told.get("id"),
        link=told.get("url"),
        user_agent=client.get("user-agent") or told.get("user-agent"),
        machine="provider" if text(client.get("bot")) else "",
    )


def _mailgun(call: Call) -> Json:
    if call.body.lstrip()[:1] == b"{":
        return body_as_object(call)
    try:
        return dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=200))
    except ValueError as error:
        raise Refusal(400, "body.malformed", f"the body is no form: {error}") from None


# Resend, by Standard Webhooks

_RESEND: Final = {
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.complained": "complained",
}


def verify_resend(call: Call, secret: str) -> None:
    """Raises Refusal (401)."""
    check_standard(call, secret)


def read_resend(call: Call) -> Iterator[Heard]:
    """One event, of each to whom the mail went."""
    body = body_as_object(call)
    kind, told = text(body.get("type")), object_at(body, "data")
    what = _RESEND.get(kind, "")
    if kind == "email.bounced":
        is_soft = text(at(told, "bounce", "type")) in {"Transient", "Undetermined"}
        said = text(at(told, "bounce", "message"))
        what = SOFT if is_soft or "suppress" in said else HARD
    to = told.get("to")
    headers = {
        text(one.get("name")).lower(): one.get("value") for one in objects(told.get("headers"))
    }
    for address in to if isinstance(to, list) else [to]:
        yield from tell(
            what,
            address,
            message_id=headers.get("message-id") or told.get("message_id"),
            link=at(told, "click", "link"),
            user_agent=at(told, "click", "userAgent"),
        )


# Brevo, which signs nothing

_BREVO: Final = {
    "opened": "opened",
    "unique_opened": "opened",
    "proxy_open": "opened",
    "unique_proxy_open": "opened",
    "click": "clicked",
    "complaint": "complained",
    "spam": "complained",
    "unsubscribed": UNSUBSCRIBED,
    "hard_bounce": HARD,
    "invalid_email": HARD,
    "soft_bounce": SOFT,
    "blocked": SOFT,
    "error": SOFT,
}


def read_brevo(call: Call) -> Iterator[Heard]:
    """One event."""
    told: dict[str, Any] = dict(body_as_object(call))
    kind = text(told.get("event"))
    when = text(told.get("ts_epoch")) or text(told.get("ts_event")) or text(told.get("ts"))
    key = ":".join(filter(None, (text(told.get("message-id")), kind, when)))
    yield from tell(
        _BREVO.get(kind, ""),
        told.get("email"),
        message_id=told.get("message-id"),
        key=key if when else "",
        link=told.get("link"),
        machine="proxy" if "proxy" in kind else "",
    )
