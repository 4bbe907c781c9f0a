"""From settings to channels: the one place that knows every transport there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from channels.base import CHANNEL_IDS, Channel
from channels.email import EmailFault, parse_from
from channels.file import FileChannel
from channels.inbox import InboxChannel, Shelf
from channels.settings import (
    SETTINGS,
    ChannelSettings,
    EmailSettings,
    InAppSettings,
    PushSettings,
    SettingsFault,
    SmsSettings,
    WebhookSettings,
)
from channels.signing import signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SETTINGS",
    "TRANSPORTS",
    "ChannelSettings",
    "Channels",
    "EmailSettings",
    "InAppSettings",
    "PushSettings",
    "SettingsFault",
    "SmsSettings",
    "WebhookSettings",
    "build_channels",
    "front_defaults",
    "settings_faults",
]

TRANSPORTS: Final[dict[str, tuple[str, ...]]] = {
    "email": ("file", "smtp"),
    "push": ("file", "webpush"),
    "sms": ("file", "twilio"),
    "in_app": ("file", "inbox"),
    "webhook": ("file", "http"),
}
"""The transports of each channel, the default first."""

Channels: TypeAlias = dict[str, Channel]
_PORT_MAX: Final = 65_535


def build_channels(
    settings: Mapping[str, ChannelSettings],
    *,
    data: Path,
    now_ms: Callable[[], int] | None = None,
    shop_url: str = "",
    shelf: Shelf | None = None,
) -> Channels:
    """One channel for each id there is; nothing is opened or connected before the first message.

    Args:
        settings: By channel id; a channel that is not named has its defaults.
        data: The data folder; the file transport writes to its `outbox`.
        now_ms: The wall clock, for signatures that bear the instant of the attempt.
        shop_url: Where providers reach the shop.
        shelf: Where inboxes are, for the transport `inbox`.

    Raises:
        SettingsFault: The first fault that `settings_faults` finds.
    """
    built: Channels = {}
    for channel_id in CHANNEL_IDS:
        chosen = settings.get(channel_id, SETTINGS[channel_id]())
        for fault in settings_faults(channel_id, chosen):
            raise fault
        if chosen.transport == TRANSPORTS[channel_id][0]:
            sender = chosen.from_ if isinstance(chosen, EmailSettings) else ""
            built[channel_id] = FileChannel(channel_id, data / "outbox", sender=sender)
        else:
            built[channel_id] = _build(chosen, _Place(settings, data, now_ms, shop_url, shelf))
    return built


class _Place(msgspec.Struct, frozen=True):
    """What channels are built from beside their own settings; as in `build_channels`."""

    settings: Mapping[str, ChannelSettings]
    data: Path
    now_ms: Callable[[], int] | None
    shop_url: str
    shelf: Shelf | None


def _build(chosen: ChannelSettings, place: _Place) -> Channel:
    """A channel whose messages leave this machine; its module is loaded for it alone (0.1 s)."""
    match chosen:
        case EmailSettings():
            from channels.smtp import SmtpChannel

            return SmtpChannel(chosen)
        case WebhookSettings():
            from channels.webhook import WebhookChannel

            return WebhookChannel(chosen, place.now_ms)
        case PushSettings():
            from channels.vapid import Vapid, take_key
            from channels.webpush import WebPushChannel

            vapid = Vapid(take_key(chosen.vapid_key, place.data), _contact(chosen, place.settings))
            return WebPushChannel(chosen, vapid, place.now_ms)
        case SmsSettings():
            from channels.twilio import TwilioChannel

            return TwilioChannel(chosen, place.shop_url, place.now_ms)
        case InAppSettings():
            assert place.shelf is not None, "whoever has inboxes says where they are"
            return InboxChannel(chosen, place.shelf)


def push_key(settings: Mapping[str, ChannelSettings], data: Path) -> str:
    """What browsers subscribe with, in base64url; "" where no push leaves by their services.

    A key is made where there is none. Raises SettingsFault as `build_channels` does.
    """
    chosen = settings.get("push")
    if not isinstance(chosen, PushSettings) or chosen.transport != "webpush":
        return ""
    from channels.vapid import Vapid, take_key

    return Vapid(take_key(chosen.vapid_key, data), "").public_key


def _contact(chosen: PushSettings, settings: Mapping[str, ChannelSettings]) -> str:
    """Whom push services may write to: who is named, else the sender of emails."""
    if chosen.contact:
        return chosen.contact
    email = settings.get("email")
    sender = email.from_ if isinstance(email, EmailSettings) else EmailSettings().from_
    return f"mailto:{parse_from(sender).addr_spec}"


def settings_faults(channel_id: str, chosen: ChannelSettings) -> Iterator[SettingsFault]:
    """Everything about a channel's settings that would keep it from being built."""
    known = TRANSPORTS[channel_id]
    if chosen.transport not in known:
        near = get_close_matches(chosen.transport, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        yield SettingsFault(
            channel_id,
            "transport",
            f"unknown transport {chosen.transport!r}",
            hint=f"{hint}known here: {', '.join(known)}",
        )
    for key, value, least in (
        ("concurrency", chosen.concurrency, 1),
        ("rate", chosen.rate, 0),
        ("timeout", chosen.timeout_ms, 1),
        ("cost", chosen.cost, 0),
    ):
        if not value >= least:  # so that nan is told too
            yield SettingsFault(channel_id, key, f"{value} is too small", hint=f"{least} or more")
    yield from _own_faults(chosen)


def _own_faults(chosen: ChannelSettings) -> Iterator[SettingsFault]:
    """Of the keys that a channel alone has."""
    match chosen:
        case EmailSettings():
            yield from _email_faults(chosen)
        case WebhookSettings():
            yield from _webhook_faults(chosen)
        case PushSettings():
            yield from _push_faults(chosen)
        case SmsSettings():
            yield from _sms_faults(chosen)
        case InAppSettings():
            least = {"messages_max": chosen.messages_max, "streams_max": chosen.streams_max}
            for key, value in (*least.items(), ("keep", chosen.keep_ms)):
                if value < 1:
                    yield SettingsFault("in_app", key, f"{value} is too small", hint="1 or more")


def _email_faults(chosen: EmailSettings) -> Iterator[SettingsFault]:
    try:
        parse_from(chosen.from_)
    except EmailFault as fault:
        yield SettingsFault("email", "from", fault.message, hint="My shop <shop@example.com>")
    if chosen.transport != "smtp":
        return
    if not chosen.host:
        hint = "the name of your mail server, or of your provider's"
        yield SettingsFault("email", "host", "the transport smtp needs a host", hint=hint)
    if not 0 <= chosen.port <= _PORT_MAX:
        yield SettingsFault("email", "port", f"{chosen.port} is no port", hint="1 to 65535")
    yield from _ca_file_faults("email", chosen.ca_file)
    if chosen.dkim:
        from channels.dkim import DkimFault, DkimSigner  # 0.05 s that nobody else needs

        for one in chosen.dkim:
            try:
                DkimSigner(one)
            except DkimFault as fault:
                told = f"dkim.{fault.key}: {fault.message}"
                yield SettingsFault("email", "dkim", told, hint=fault.hint)


def _webhook_faults(chosen: WebhookSettings) -> Iterator[SettingsFault]:
    if chosen.url:
        from channels.posting import address_fault  # 0.1 s that files do not need

        if fault := address_fault(chosen.url):
            hint = "https://shop.example/hooks/hairspring"
            yield SettingsFault("webhook", "url", fault, hint=hint)
    if chosen.secret and signing_key(chosen.secret) is None:
        hint = "whsec_ and 24 to 64 random bytes in base64: openssl rand -base64 32"
        yield SettingsFault("webhook", "secret", "the secret is not base64", hint=hint)
    yield from _ca_file_faults("webhook", chosen.ca_file)


def _push_faults(chosen: PushSettings) -> Iterator[SettingsFault]:
    if chosen.vapid_key:
        from channels.vapid import KEY_HINT, read_key  # as above

        if read_key(chosen.vapid_key) is None:
            told = "it is no private key of P-256"
            yield SettingsFault("push", "vapid_key", told, hint=KEY_HINT)
    if chosen.contact and not chosen.contact.startswith(("mailto:", "https://")):
        hint = "mailto:ops@shop.example, or an address that starts with https://"
        yield SettingsFault("push", "contact", "push services cannot write there", hint=hint)
    if chosen.ttl_ms < 0:
        yield SettingsFault("push", "ttl", f"{chosen.ttl_ms} is too small", hint="0s or more")
    yield from _ca_file_faults("push", chosen.ca_file)


def _sms_faults(chosen: SmsSettings) -> Iterator[SettingsFault]:
    from channels.posting import address_fault  # as above

    if fault := address_fault(chosen.base_url):
        yield SettingsFault("sms", "base_url", fault, hint="https://api.twilio.com")
    if chosen.segments_max < 1:
        told = f"{chosen.segments_max} is too small"
        yield SettingsFault("sms", "segments_max", told, hint="1 or more")
    yield from _ca_file_faults("sms", chosen.ca_file)
    if chosen.transport != "twilio":
        return
    for key, value in (("account_sid", chosen.account_sid), ("auth_token", chosen.auth_token)):
        if not value:
            told = f"the transport twilio needs an {key}"
            yield SettingsFault("sms", key, told, hint="as Twilio's console shows it")
    if not (chosen.from_ or chosen.messaging_service_sid):
        hint = 'a number of yours, from = "+15550100", or messaging_service_sid'
        yield SettingsFault("sms", "from", "the transport twilio needs a sender", hint=hint)


def _ca_file_faults(channel_id: str, ca_file: str) -> Iterator[SettingsFault]:
    if ca_file and not Path(ca_file).is_file():
        told = f"there is no file {Path(ca_file).absolute()}"
        hint = "a PEM file with the authorities to trust, by its whole path"
        yield SettingsFault(channel_id, "ca_file", told, hint=hint)


def front_defaults(chosen: ChannelSettings) -> dict[str, str]:
    """What a message's front matter has where its template is silent: `from`, or `url`.

    Merged under the rendered front matter when a message is made, it keeps a retry's bytes the
    same when the settings have changed in between.
    """
    match chosen:
        case EmailSettings():
            return {"from": chosen.from_}
        case WebhookSettings():
            return {"url": chosen.url} if chosen.url else {}
        case _:
            return {}
