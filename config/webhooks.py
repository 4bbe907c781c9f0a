"""`[webhooks.NAME]`: who may call `POST /webhooks/NAME`, and what such a call means here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, field

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
Secret: TypeAlias = Annotated[
    str, Meta(description='text in quotes, or "env:NAME"', extra={"reads": "secret"})
]

KINDS: Final[tuple[str, ...]] = (
    "shopify", "woocommerce", "stripe", "standard", "ses", "sendgrid", "postmark", "mailgun",
    "resend", "brevo", "generic",
)  # fmt: skip

SOURCES_MAX: Final = 50
NAMES: Final = frozenset({"body", "headers", "query"})
"""What expressions of a mapping may name."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TAKEN: Final = frozenset({"twilio"})
"""Names whose webhooks have settings of their own."""

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
    passive: Annotated[bool, Meta(description="true or false")] = field(default=False)


def kind_named(name: str, source: WebhookSource) -> str:
    """Its kind; that of its name where it says none; else `generic`."""
    return source.kind or (name if name in KINDS else "generic")


def webhook_faults(
    sources: Mapping[str, WebhookSource],
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What cannot be: where in `[webhooks]`, what is wrong, and what would be right. O(text)."""
    if len(sources) > SOURCES_MAX:
        yield (), f"has {len(sources)} sources, more than {SOURCES_MAX}", "keep those in use"
    for name, source in sources.items():
        if not _NAME.fullmatch(name) or name in _TAKEN:
            hint = "a-z, 0-9 and -, up to 40"
            if name in _TAKEN:
                hint = f"POST /webhooks/{name} is there once [channels.sms] has that transport"
            yield (name,), "is no name for a source", hint
        yield from _faults_of(name, source)


def _faults_of(name: str, source: WebhookSource) -> Iterator[tuple[tuple[str, ...], str, str]]:
    kind = kind_named(name, source)
    said = [key for key in MAPPED if getattr(source, key)]
    if kind != "generic":
        for key in said:
            hint = f'{kind} is read as it is; write kind = "generic" for a mapping of your own'
            yield (name, key), "has no meaning there", hint
        return
    if not source.event:
        yield (
            (name, "event"),
            "is missing",
            """what the event is called: event = '"Points Earned"'""",
        )
    if not any((source.user_id, source.anonymous_id, source.email, source.phone)):
        yield (name, "user_id"), "is missing", 'whose it is: user_id = "body.customer.id"'
    if source.signature.startswith("hmac") and not source.header:
        yield (name, "header"), "is missing", 'where the signature stands: header = "X-Signature"'
    for key in said:
        try:
            cel.compile(getattr(source, key), cel.Scope(NAMES))
        except cel.CelTextError as error:
            yield (name, key), str(error), f"an expression over {', '.join(sorted(NAMES))}"
