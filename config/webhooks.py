"""`[webhooks.NAME]`: who may call `POST /webhooks/NAME`, and what such a call means here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from config.kinds import Flag, Secret
from engine.core import cel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind: TypeAlias = Literal[
    "shopify",
    "woocommerce",
    "stripe",
    "standard",
    "ses",
    "sendgrid",
    "postmark",
    "mailgun",
    "resend",
    "brevo",
    "generic",
]
Signature: TypeAlias = Literal["standard", "hmac-base64", "hmac-hex", "token"]
Expression: TypeAlias = Annotated[str, Meta(description="a CEL expression in quotes")]
KINDS: Final[tuple[str, ...]] = (
    "shopify", "woocommerce", "stripe", "standard", "ses", "sendgrid", "postmark", "mailgun",
    "resend", "brevo", "generic",
)  # fmt: skip

NAMES: Final = frozenset({"body", "headers", "query"})
"""What expressions of a mapping may name."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TAKEN: Final = {"twilio": "channels.sms"}
"""Names whose webhooks have settings of their own, and where."""

MAPPED: Final = (
    "event", "user_id", "anonymous_id", "email", "phone", "properties", "traits", "timestamp",
    "message_id",
)  # fmt: skip
"""Keys that are expressions."""


class WebhookSource(msgspec.Struct, frozen=True, kw_only=True):
    """`[webhooks.NAME]`: a source, known by its name where it is one of `KINDS`.

    Attributes:
        kind: How its calls are signed and read; left out: the section's name.
        secret: What its calls are signed by.
        signature: generic: how.
        header: generic: where the signature stands, for `hmac-base64` and `hmac-hex`.
        event: generic: what the event is called; null or "" where a call is none.
        user_id, anonymous_id, email, phone: generic: whose it is, by any of these.
        properties: generic: of the event; left out: the body.
        traits: generic: what is said of the user besides.
        timestamp: generic: when it happened; left out: when it came.
        message_id: generic: what is the same where a call is sent again.
        passive: Whether it is nothing that the user did.
    """

    kind: Kind | None = None
    secret: Secret = ""
    signature: Signature = "standard"
    header: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]*$", description="a header's name")] = ""
    event: Expression = ""
    user_id: Expression = ""
    anonymous_id: Expression = ""
    email: Expression = ""
    phone: Expression = ""
    properties: Expression = ""
    traits: Expression = ""
    timestamp: Expression = ""
    message_id: Expression = ""
    passive: Flag = False


def section_of(name: str) -> str:
    """Where in hairspring.toml the calls of a name are set."""
    return _TAKEN.get(name, f"webhooks.{name}")


def kind_named(name: str, source: WebhookSource) -> str:
    """Its kind; that of its name where it says none; else `generic`."""
    return source.kind or (name if name in KINDS else "generic")


def webhook_faults(name: str, source: WebhookSource) -> Iterator[tuple[str, str, str]]:
    """What cannot be: the key ("" for all of it), what is wrong, what would be right. O(text)."""
    if name in _TAKEN:
        told = f"[{section_of(name)}] has what POST /webhooks/{name} needs"
        yield "", "the name is taken", told
    elif not _NAME.fullmatch(name):
        yield "", "this is no name for a source", "a-z, 0-9 and -, up to 40"
    kind = kind_named(name, source)
    said = [key for key in MAPPED if getattr(source, key)]
    if kind == "generic":
        yield from _mapping_faults(source, said)
        return
    for key in said:
        hint = f'{kind} is read as it is; write kind = "generic" for a mapping of your own'
        yield key, "it has no meaning there", hint


def unsigned(sources: Mapping[str, WebhookSource]) -> Iterator[tuple[str, str]]:
    """Those without a secret, and what comes of that.

    All but Amazon's are signed by one; Amazon signs whatever anybody's topic carries.
    """
    for name, source in sources.items():
        if source.secret:
            continue
        if kind_named(name, source) == "ses":
            told = "whoever has an account at Amazon may say anything by it"
            yield name, f'{told}: secret = "env:…", and subscribe the address with ?token=SECRET'
        else:
            yield name, 'nobody is let in without one: secret = "env:…"'


def _mapping_faults(source: WebhookSource, said: list[str]) -> Iterator[tuple[str, str, str]]:
    if not source.event:
        yield "event", "it is missing", "what the event is called: event = '\"Points Earned\"'"
    if not any((source.user_id, source.anonymous_id, source.email, source.phone)):
        yield "user_id", "it is missing", 'whose it is: user_id = "body.customer.id"'
    if source.signature.startswith("hmac") and not source.header:
        yield "header", "it is missing", 'where the signature stands: header = "X-Signature"'
    for key in said:
        try:
            cel.compile(getattr(source, key), cel.Scope(NAMES))
        except cel.CelTextError as error:
            for one in error.every():
                hint = one.hint or f"an expression over {', '.join(sorted(NAMES))}"
                yield key, one.message, hint
