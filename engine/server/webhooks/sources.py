"""The sources that there are: how each signs, what tells its deliveries apart, what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from config.webhooks import kind_named
from engine.server.webhooks import generic, mails, shopify, sns, stripe, woocommerce
from engine.server.webhooks.heard import Call, Heard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from config.webhooks import WebhookSource

Verify: TypeAlias = Callable[[Call, str], Awaitable[None] | None]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One of a shop's sources.

    Attributes:
        verify: Takes a call and the secret; raises Refusal (401).
        delivery_of: What tells a call from another, and is the same where it is sent again; "".
        read: What it says. Raises Refusal (400).
        secret: What it signs by; "" where it needs none.
        needs_secret: Whether nobody is let in while there is none.
        by_token: Whether the secret goes along as it is, and signs nothing: it can be guessed.
        confirm: Does what a call asks for besides, and whether it was one that did.
        refuses_again: Whether a call that was taken before is answered with a refusal: 406, which
            ends its being sent.
    """

    verify: Verify
    delivery_of: Callable[[Call], str]
    read: Callable[[Call], Iterable[Heard]]
    secret: str = ""
    needs_secret: bool = True
    by_token: bool = False
    confirm: Callable[[Call], Awaitable[bool]] | None = None
    refuses_again: bool = False


def sources_of(chosen: Mapping[str, WebhookSource], fetch: sns.Fetch) -> dict[str, Source]:
    """By name, those that a shop's settings have."""
    return {
        name: _source(kind_named(name, source), source, fetch) for name, source in chosen.items()
    }


def _source(kind: str, source: WebhookSource, fetch: sns.Fetch) -> Source:
    if kind == "generic":
        mapped = generic.Mapping(source)
        return Source(
            verify=mapped.verify,
            delivery_of=mapped.delivery_of,
            read=mapped.read,
            secret=source.secret,
            by_token=source.signature == "token",
        )
    if kind == "ses":
        amazon = sns.Amazon(fetch)
        return Source(
            verify=amazon.verify,
            delivery_of=sns.delivery_of,
            read=sns.read,
            secret=source.secret,
            needs_secret=False,  # Amazon signs by a certificate of its own
            by_token=bool(source.secret),  # anybody may have it sign
            confirm=amazon.confirm,
        )
    return msgspec.structs.replace(_BY_KIND[kind], secret=source.secret)


def _nothing(_: Call) -> str:
    return ""


_BY_KIND: Final = {
    "shopify": Source(verify=shopify.verify, delivery_of=shopify.delivery_of, read=shopify.read),
    "woocommerce": Source(
        verify=woocommerce.verify, delivery_of=woocommerce.delivery_of, read=woocommerce.read
    ),
    "stripe": Source(verify=stripe.verify, delivery_of=stripe.delivery_of, read=stripe.read),
    "standard": Source(
        verify=generic.verify_standard, delivery_of=generic.delivery_of, read=generic.read_standard
    ),
    "resend": Source(
        verify=mails.verify_resend, delivery_of=generic.delivery_of, read=mails.read_resend
    ),
    "sendgrid": Source(
        verify=mails.verify_sendgrid, delivery_of=_nothing, read=mails.read_sendgrid
    ),
    "postmark": Source(
        verify=mails.verify_by_token,
        delivery_of=_nothing,
        read=mails.read_postmark,
        by_token=True,
    ),
    "brevo": Source(
        verify=mails.verify_by_token, delivery_of=_nothing, read=mails.read_brevo, by_token=True
    ),
    "mailgun": Source(
        verify=mails.verify_mailgun,
        delivery_of=mails.token_of_mailgun,
        read=mails.read_mailgun,
        refuses_again=True,
    ),
}
