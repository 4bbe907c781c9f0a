"""A message as a mail: the same bytes each time, and no way to smuggle a header in.

RFC 5322 for the form, RFC 2045 to 2047 for MIME. Every text part is quoted-printable, so a mail is
7-bit (any relay takes it) and no part can contain the boundary.
"""

from __future__ import annotations

import hashlib
import html
import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from channels.base import ChannelError
from channels.plaintext import plain_text

if TYPE_CHECKING:
    from channels.base import Message

ADDRESS_CHARS_MAX: Final = 254
"""The longest address that fits an SMTP path (RFC 5321, 4.5.3.1.3, and its erratum 1690)."""

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BODY_TAG: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_POLICY: Final = SMTP.clone(cte_type="7bit", max_line_length=78)


class EmailFault(ChannelError):  # noqa: N818 - a message that cannot be a mail, told as a value
    """An address that no mail can have."""


class Mail(msgspec.Struct, frozen=True):
    """A mail and its envelope.

    Attributes:
        sender: The envelope's sender, an address alone.
        recipient: The envelope's recipient.
        data: The mail, lines ending in CRLF, 7-bit.
    """

    sender: str
    recipient: str
    data: bytes


def build_mail(message: Message, default_from: str) -> Mail:
    """The mail that a message is: a function of the message (and of the default sender) alone.

    A body that is HTML gets a text part derived from it, and its `preheader` hidden at the top.

    Args:
        message: For the channel `email`.
        default_from: The sender where the message's front matter has no `from`.

    Raises:
        EmailFault: The recipient, `from` or `reply_to` is no address.
    """
    sender = parse_from(message.front.get("from") or default_from)
    recipient = parse_address(message.to)
    try:
        return Mail(sender=sender.addr_spec, recipient=recipient, data=_compose(message, sender))
    except (ValueError, LookupError, AttributeError) as fault:  # what header parsing lets through
        raise EmailFault(f"the mail cannot be written: {type(fault).__name__}: {fault}") from fault


def _compose(message: Message, sender: Address) -> bytes:
    mail = EmailMessage(policy=_POLICY)
    mail["Message-ID"] = f"<{message.key}@{sender.domain}>"
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at_ms / 1000, UTC))
    mail["From"] = sender
    mail["To"] = Address(addr_spec=parse_address(message.to))
    if reply_to := message.front.get("reply_to"):
        mail["Reply-To"] = parse_from(reply_to)
    mail["Subject"] = _one_line(message.front.get("subject", ""))
    if message.html:
        body = _with_preheader(message.body, message.front.get("preheader", ""))
        mail.set_content(plain_text(message.body), cte="quoted-printable")
        mail.add_alternative(body, subtype="html", cte="quoted-printable")
        mail.set_boundary(f"=_{hashlib.sha256(message.id.encode()).hexdigest()[:32]}")
    else:
        mail.set_content(message.body, cte="quoted-printable")
    return mail.as_bytes()


def parse_address(text: str) -> str:
    """One address in the form that SMTP takes: ASCII, an international domain in its A-form.

    Raises:
        EmailFault: It is no single address, too long, or not ASCII before the `@`.
    """
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL.fullmatch(local) or len(text) > ADDRESS_CHARS_MAX:
        raise EmailFault("this is no email address", hint="one address, as in name@example.com")
    try:
        encoded = domain.encode("idna").decode()
    except UnicodeError as fault:
        raise EmailFault("the address has no usable domain") from fault
    if not all(_LABEL.fullmatch(label) for label in encoded.split(".")):
        raise EmailFault("the address has no usable domain")
    return f"{local}@{encoded}"


def parse_from(text: str) -> Address:
    """A sender: an address, with or without a name (`My shop <shop@example.com>`).

    Raises:
        EmailFault: There is no usable address in it.
    """
    line = _one_line(text)
    name, opening, rest = line.rpartition("<")
    if not opening:
        return Address(addr_spec=parse_address(line))
    if not rest.endswith(">"):
        raise EmailFault("this is no sender", hint="write it as Name <name@example.com>")
    shown = name.strip()
    if len(shown) > 1 and shown[0] == shown[-1] == '"':
        shown = _QUOTED_PAIR.sub(r"\1", shown[1:-1])
    return Address(display_name=shown, addr_spec=parse_address(rest[:-1]))


def _one_line(text: str) -> str:
    """A header's text without what could end the header (RFC 5322, 2.2)."""
    return _CONTROL.sub(" ", text).strip()


def _with_preheader(body: str, preheader: str) -> str:
    if not preheader:
        return body
    hidden = (
        '<div style="display:none;max-height:0;overflow:hidden">'
        f"{html.escape(_one_line(preheader))}</div>"
    )
    opening = _BODY_TAG.search(body)
    at = opening.end() if opening else 0
    return body[:at] + hidden + body[at:]
