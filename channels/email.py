"""A message as a mail: the same bytes each time, and no way to smuggle a header in.

RFC 5322 for the form, RFC 2045 to 2047 for MIME. Every text part is quoted-printable, so a mail is
7-bit (any relay takes it) and no part can contain the boundary. Written out here, since the
standard library's `EmailMessage` takes over a millisecond of the loop's time for it; the tests read
each mail back with that library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import idna
import msgspec

from channels.base import ChannelError
from channels.templates.plaintext import plain_text

if TYPE_CHECKING:
    from channels.base import Message

ADDRESS_CHARS_MAX: Final = 254
"""The longest address that fits an SMTP path (RFC 5321, 4.5.3.1.3, and its erratum 1690)."""

_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BODY_TAG: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_TO_ESCAPE: Final = re.compile(r'[\\"]')
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SPACED_WORDS: Final = re.compile(r" *[^ ]+")
_HIDDEN: Final = (
    "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;"
    "font-size:1px;line-height:1px;color:transparent;mso-hide:all"
)
"""By several ways, since no single one is understood by every mail program."""

_BLANKS: Final = "&#847;&zwnj;&nbsp;" * 80
"""Behind a preheader: where a mailbox has room, it goes on with what comes next in the mail."""

_LINE_CHARS_MAX: Final = 64
_WORD_BYTES_MAX: Final = 36


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


class Mailbox(msgspec.Struct, frozen=True):
    """An address and the name that is shown for it; the name may be empty."""

    display_name: str
    addr_spec: str

    @property
    def domain(self) -> str:
        """What follows the `@`."""
        return self.addr_spec.rpartition("@")[2]


def build_mail(message: Message, default_from: str) -> Mail:
    """The mail that a message is: a function of the message (and of the default sender) alone.

    A body that is HTML gets a text part derived from it, and its `preheader` hidden at the top.
    Linear in the body; 0.1 ms for a short text, and for HTML what `plain_text` takes.

    Args:
        message: For the channel `email`.
        default_from: The sender where the message's front matter has no `from`.

    Raises:
        EmailFault: The recipient, `from` or `reply_to` is no address.
    """
    sender = _said("from", message.front.get("from") or default_from)
    recipient = parse_address(message.to)
    lines = [
        f"Message-ID: <{message.key}@{sender.domain}>",
        f"Date: {_date(message.at_ms // 1000)}",
        f"From: {_mailbox(sender)}",
        f"To: {recipient}",
    ]
    if reply_to := message.front.get("reply_to"):
        lines.append(f"Reply-To: {_mailbox(_said('reply_to', reply_to))}")
    lines.append(f"Subject: {_folded(_one_line(message.front.get('subject', '')))}")
    if message.unsubscribe:
        # RFC 8058; both must be signed by DKIM for a mail program to offer its button.
        lines.append(f"List-Unsubscribe: <{message.unsubscribe}>")
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    if message.meant_for:
        lines.append(f"X-Meant-For: {_folded(_one_line(message.meant_for))}")
    lines.append("MIME-Version: 1.0")
    head = "\r\n".join(lines).encode("ascii")
    return Mail(sender=sender.addr_spec, recipient=recipient, data=head + b"\r\n" + _body(message))


@lru_cache(maxsize=16)
def _date(at_s: int) -> str:
    """RFC 5322, 3.3; a bulk is sent within a few seconds."""
    return format_datetime(datetime.fromtimestamp(at_s, UTC))


def _said(name: str, text: str) -> Mailbox:
    """A mailbox of the front matter, which is a fault of the template and not of whom it is to."""
    try:
        return parse_from(text)
    except EmailFault as fault:
        raise EmailFault(f"{name}: {fault.message}", hint=fault.hint) from fault


def _body(message: Message) -> bytes:
    """The headers of the content, an empty line, and the content (RFC 2046, 5.1)."""
    if not message.html:
        return _part("plain", message.body)
    shown = _with_preheader(message.body, message.front.get("preheader", ""))
    boundary = b"=_" + hashlib.sha256(message.id.encode()).hexdigest()[:32].encode()
    return (
        b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n' % boundary
        + b"--%b\r\n%b" % (boundary, _part("plain", plain_text(message.body)))
        + b"--%b\r\n%b" % (boundary, _part("html", shown))
        + b"--%b--\r\n" % boundary
    )


def _part(subtype: str, text: str) -> bytes:
    """Quoted-printable (RFC 2045, 6.7), which has no `=_` and so never contains a boundary."""
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    coded = binascii.b2a_qp(unix.removesuffix("\n").encode()).replace(b"\n", b"\r\n")
    head = f'Content-Type: text/{subtype}; charset="utf-8"'
    return b"%b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%b\r\n" % (
        head.encode(),
        coded,
    )


def parse_address(text: str) -> str:
    """One address in the form that SMTP takes: ASCII, an international domain in its A-form.

    By IDNA 2008 (RFC 5891) after UTS #46: the older form, which Python's own codec has, makes
    `strasse.de`, somebody else's domain, of `straße.de`.

    Raises:
        EmailFault: It is no single address, too long, or not ASCII before the `@`.
    """
    local, _, domain = text.strip().rpartition("@")
    if not _LOCAL.fullmatch(local) or len(text) > ADDRESS_CHARS_MAX:
        raise EmailFault("this is no email address", hint="one address, as in name@example.com")
    try:
        encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as fault:
        raise EmailFault("the address has no usable domain") from fault
    if not all(_LABEL.fullmatch(label) for label in encoded.split(".")):
        raise EmailFault("the address has no usable domain")
    return f"{local}@{encoded}"


def parse_from(text: str) -> Mailbox:
    """A sender: an address, with or without a name (`My shop <shop@example.com>`).

    Raises:
        EmailFault: There is no usable address in it.
    """
    line = _one_line(text)
    name, opening, rest = line.rpartition("<")
    if not opening:
        return Mailbox("", parse_address(line))
    if not rest.endswith(">"):
        raise EmailFault("this is no sender", hint="write it as Name <name@example.com>")
    shown = name.strip()
    if len(shown) > 1 and shown[0] == shown[-1] == '"':
        shown = _QUOTED_PAIR.sub(r"\1", shown[1:-1])
    return Mailbox(shown, parse_address(rest[:-1]))


def _mailbox(box: Mailbox) -> str:
    """RFC 5322, 3.4: a phrase of atoms as it is, other ASCII quoted, the rest encoded."""
    name = box.display_name
    if not name:
        return box.addr_spec
    if len(name) > _LINE_CHARS_MAX or not _is_plain(name):
        name = _encoded(name)
    elif not _ATOMS.fullmatch(name):
        quoted = _TO_ESCAPE.sub(r"\\\g<0>", name)
        name = f'"{quoted}"'
    return f"{name}\r\n <{box.addr_spec}>"


def _folded(text: str) -> str:
    """An unstructured header's text, broken before spaces (RFC 5322, 2.2.3), or encoded."""
    if not _is_plain(text):
        return _encoded(text)
    lines = [""]
    for word in _SPACED_WORDS.findall(text):
        if len(lines[-1]) + len(word) > _LINE_CHARS_MAX:
            lines.append("")
        lines[-1] += word
    return "\r\n".join(lines)


def _is_plain(text: str) -> bool:
    """Whether a text can stand in a header unencoded, in lines of a seemly length."""
    return (
        text.isascii()
        and "=?" not in text
        and all(len(word) <= _LINE_CHARS_MAX for word in _SPACED_WORDS.findall(text))
    )


def _encoded(text: str) -> str:
    """Encoded words (RFC 2047), each of whole characters, one a line."""
    words: list[str] = []
    chunk = b""
    for character in text:
        coded = character.encode()
        if len(chunk) + len(coded) > _WORD_BYTES_MAX:
            words.append(_word(chunk))
            chunk = b""
        chunk += coded
    words.append(_word(chunk))
    return "\r\n ".join(words)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(chunk).decode()}?="


def _one_line(text: str) -> str:
    """A header's text without what could end the header (RFC 5322, 2.2)."""
    return _CONTROL.sub(" ", text).strip()


def _with_preheader(body: str, preheader: str) -> str:
    if not preheader:
        return body
    hidden = f'<div style="{_HIDDEN}">{html.escape(_one_line(preheader))}{_BLANKS}</div>'
    opening = _BODY_TAG.search(body)
    at = opening.end() if opening else 0
    return body[:at] + hidden + body[at:]
