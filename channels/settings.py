"""What `[channels.*]` of a shop's settings means, one Struct a channel, every key with its default.

Durations arrive as milliseconds and secrets as their values: whoever reads the file has parsed
`"10s"` and looked up `env:NAME` before.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from channels.base import ChannelError

TIMEOUT_MS: Final = 30_000
"""What one attempt, and within it one answer of a provider, may take by default."""

TTL_MS: Final = 24 * 3_600_000
"""For how long a push is worth showing by default."""

KEEP_MS: Final = 30 * 24 * 3_600_000
"""For how long an in-app message waits for its user by default."""

Tls: TypeAlias = Literal["none", "starttls", "implicit"]


class _Shared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every channel has.

    Attributes:
        transport: How messages leave; `registry.TRANSPORTS` has those of each channel.
        concurrency: Deliveries under way at one time to one provider, 1 or more; the connections
            kept, too. Of webhooks and pushes, which go to many, four times as many in all.
        rate: Messages a second at most, 0 or more; 0 is no limit. Each attempt counts.
        timeout_ms: The longest wait for a provider's answer (`timeout` in the file); to confirm a
            mail that it was given, an SMTP server has at least ten minutes.
        cost: What one delivered message costs, in the shop's currency, 0 or more: for reports.
    """

    transport: str = "file"
    concurrency: int = 8
    rate: float = 0.0
    timeout_ms: int = msgspec.field(default=TIMEOUT_MS, name="timeout")
    cost: float = 0.0


class DkimSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dkim` of `[channels.email]`: one signature on each mail.

    Attributes:
        domain: Whose signature it is: that of `from`, or one above it.
        selector: The key is published at `SELECTOR._domainkey.DOMAIN`.
        key: The private key, RSA or Ed25519: PEM, base64, or a file of either.
    """

    domain: str
    selector: str
    key: str


class EmailSettings(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.email]`.

    Attributes:
        from_: The sender where a template names none (`from` in the file), `Name <address>`.
        host: smtp: the server's name or address.
        port: smtp: 0 is the usual one for `tls`: 25, 587 (starttls) or 465 (implicit).
        username: smtp: empty means no login.
        password: smtp: the password to `username`.
        tls: smtp: `none`, `starttls` (must be offered, or nothing is sent) or `implicit`.
        ca_file: smtp: a PEM file of authorities to trust instead of the system's.
        dkim: smtp: the signatures that each mail bears, in this order from the top.
    """

    from_: str = msgspec.field(default="My shop <shop@example.com>", name="from")
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = ""
    tls: Tls = "none"
    ca_file: str = ""
    dkim: tuple[DkimSettings, ...] = ()


class WebhookSettings(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.webhook]`.

    Attributes:
        url: http: where bodies go unless the template's front matter names another address.
        trusted: http: hosts that a template may name though they are on our own network.
        secret: http: signs each request (Standard Webhooks); base64, with or without `whsec_`.
        ca_file: http: a PEM file of authorities to trust instead of the system's.
    """

    url: str = ""
    trusted: tuple[str, ...] = ()
    secret: str = ""
    ca_file: str = ""


class PushSettings(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.push]`.

    Attributes:
        vapid_key: webpush: our private key; empty: made once and kept in the data folder.
        contact: webpush: whom push services may write to; empty: the sender of emails.
        ttl_ms: webpush: how long a push service keeps a message for a device that is off (`ttl`);
            less where the message expires sooner.
        trusted: webpush: hosts of endpoints that may be on our own network, and without TLS.
        ca_file: webpush: a PEM file of authorities to trust instead of the system's.
    """

    vapid_key: str = ""
    contact: str = ""
    ttl_ms: int = msgspec.field(default=TTL_MS, name="ttl")
    trusted: tuple[str, ...] = ()
    ca_file: str = ""


class SmsSettings(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.sms]`.

    Attributes:
        account_sid: twilio: the account.
        auth_token: twilio: its secret; verifies what Twilio tells us, too.
        from_: twilio: the number, short code or name that messages come from (`from` in the file).
        messaging_service_sid: twilio: who chooses the sender instead.
        base_url: twilio: where its interface is.
        segments_max: twilio: a longer message is not sent.
        help_text: twilio: the answer to HELP; empty: Twilio's own, if any.
        ca_file: twilio: a PEM file of authorities to trust instead of the system's.
    """

    account_sid: str = ""
    auth_token: str = ""
    from_: str = msgspec.field(default="", name="from")
    messaging_service_sid: str = ""
    base_url: str = "https://api.twilio.com"
    segments_max: int = 10
    help_text: str = ""
    ca_file: str = ""


class InAppSettings(_Shared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[channels.in_app]`.

    Attributes:
        keep_ms: inbox: how long a message stays (`keep`), unless its template says less.
        messages_max: inbox: of one user; beyond it the oldest go.
        streams_max: inbox: browsers that listen at one time.
    """

    keep_ms: int = msgspec.field(default=KEEP_MS, name="keep")
    messages_max: int = 100
    streams_max: int = 1_000


ChannelSettings: TypeAlias = (
    EmailSettings | WebhookSettings | PushSettings | SmsSettings | InAppSettings
)

SETTINGS: Final[dict[str, type[ChannelSettings]]] = {
    "email": EmailSettings,
    "push": PushSettings,
    "sms": SmsSettings,
    "in_app": InAppSettings,
    "webhook": WebhookSettings,
}
"""Which Struct holds the settings of each channel; made without arguments it has the defaults."""


class SettingsFault(ChannelError):  # noqa: N818 - what `check` lists are faults
    """A setting that a channel cannot use.

    Attributes:
        channel: The channel's id.
        key: The key at fault, as the file spells it.
    """

    def __init__(self, channel: str, key: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"channels.{channel}.{key}: {message}", hint=hint)
        self.channel = channel
        self.key = key
