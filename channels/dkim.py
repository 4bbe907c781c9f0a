"""A mail signed by DKIM (RFC 6376, RFC 8301, RFC 8463): who sent it, and that nobody changed it.

Both canonicalizations are `relaxed`, so that a relay may fold and trim. The signature is a function
of the mail and of the send's instant: a retry is the same mail, bit for bit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_pem_private_key,
)

from channels.base import ChannelError

if TYPE_CHECKING:
    from channels.settings import DkimSettings

SIGNED: Final = (
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post",
)  # fmt: skip
"""Headers that are signed where a mail has them."""

_SEALED: Final = ("From", "Subject", "Date", "Reply-To", "To", "List-Unsubscribe")
"""Those of them that are also signed as not there once more, so that none can be added (RFC 6376,
8.15)."""

RSA_BITS_MIN: Final = 1024
"""The least that verifiers take (RFC 8301, 3.2)."""

_ED25519_BYTES: Final = 32
_LINE_CHARS: Final = 70
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_-]+)*")
_BLANKS: Final = re.compile(rb"[ \t]+")
_TRAILING: Final = re.compile(rb"[ \t]+(?=\r\n)")
_FILES: Final = (".pem", ".key", ".der", ".txt", ".private")
_FOLDS: Final = re.compile(rb"\r\n(?=[ \t])")


class DkimFault(ChannelError):  # noqa: N818 - what `check` lists are faults
    """A key, or a name, that no mail can be signed with.

    Attributes:
        key: Which setting of the table is at fault.
    """

    def __init__(self, key: str, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class DkimSigner:
    """Signs mails with one key.

    Args:
        settings: Domain, selector and private key.

    Raises:
        DkimFault: The key cannot be read or used, or a name is none.
    """

    def __init__(self, settings: DkimSettings) -> None:
        for key, name in (("domain", settings.domain), ("selector", settings.selector)):
            if not _NAME.fullmatch(name):
                hint = 'domain = "shop.example", selector = "hairspring"'
                raise DkimFault(key, f"{name[:_LINE_CHARS]!r} is no name in DNS", hint=hint)
        self._domain = settings.domain
        self._selector = settings.selector
        self._key = _read_key(settings.key)
        self._algorithm = "rsa" if isinstance(self._key, RSAPrivateKey) else "ed25519"

    def signed(self, mail: bytes, at_ms: int) -> bytes:
        """The mail with its signature at the top.

        Linear in the mail, and 0.03 ms for Ed25519, 0.3 to 1 ms for RSA.

        Args:
            mail: Lines that end in CRLF.
            at_ms: The instant that the signature bears, milliseconds since the epoch.
        """
        head, _, body = mail.partition(b"\r\n\r\n")
        headers = _headers(head)
        names = [name for name in SIGNED if name.lower().encode() in headers]
        digest = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
        fields = (
            f"v=1; a={self._algorithm}-sha256; c=relaxed/relaxed; d={self._domain};",
            f"s={self._selector}; t={at_ms // 1000};",
            *_wrapped("h=" + ":".join((*names, *_SEALED)) + ";"),
            f"bh={digest};",
        )
        unsigned = "DKIM-Signature: " + "\r\n ".join((*fields, "b="))
        seen = [headers[name.lower().encode()] for name in names]
        data = b"".join((*seen, _relaxed(unsigned.encode()).removesuffix(b"\r\n")))
        signature = base64.b64encode(self._sign(data)).decode()
        lines = [
            signature[place : place + _LINE_CHARS]
            for place in range(0, len(signature), _LINE_CHARS)
        ]
        return "\r\n ".join((unsigned, *lines)).encode() + b"\r\n" + mail

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, PKCS1v15(), hashes.SHA256())
        return self._key.sign(hashlib.sha256(data).digest())  # RFC 8463, 3


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a name may be: a key
        return False


def _read_key(told: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """A key from PEM, from base64 (PKCS #8, or Ed25519's 32 bytes), or from a file of either."""
    text = told.strip()
    if "-----BEGIN" not in text and _is_file(text):
        try:
            text = Path(text).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as fault:
            hint = "a PEM file that the user of this process may read"
            raise DkimFault("key", f"the key file cannot be read: {fault}", hint=hint) from fault
    elif text.endswith(_FILES):  # no base64 has a dot: what is told is a name, and no secret
        hint = "a private key in PEM, by its whole path"
        raise DkimFault("key", f"there is no file {Path(text).absolute()}", hint=hint)
    try:
        if "-----BEGIN" in text:
            key: object = load_pem_private_key(text.replace("\\n", "\n").encode(), None)
        else:
            raw = base64.b64decode("".join(text.split()), validate=True)
            is_seed = len(raw) == _ED25519_BYTES
            key = (
                Ed25519PrivateKey.from_private_bytes(raw)
                if is_seed
                else load_der_private_key(raw, None)
            )
    except (ValueError, TypeError, binascii.Error) as fault:
        hint = "a private key in PEM without a passphrase, or a file of one"
        raise DkimFault("key", "this is no private key, nor a file of one", hint=hint) from fault
    if isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS_MIN:
        hint = "openssl genrsa 2048"
        raise DkimFault("key", f"{key.key_size} bits of RSA are too few", hint=hint)
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        raise DkimFault("key", "mails are signed with RSA or Ed25519", hint="openssl genrsa 2048")
    return key


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Each header as it is signed, by its name; ours occur once."""
    lines = [line for line in _FOLDS.sub(b"", head).split(b"\r\n") if line]
    return {line.partition(b":")[0].strip().lower(): _relaxed(line) for line in lines}


def _relaxed(header: bytes) -> bytes:
    """RFC 6376, 3.4.2."""
    name, _, value = _FOLDS.sub(b"", header).partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value).strip() + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376, 3.4.4."""
    if not body:
        return b""
    tidy = _TRAILING.sub(b"", _BLANKS.sub(b" ", body + b"\r\n")).rstrip(b"\r\n")
    return tidy + b"\r\n" if tidy else b""


def _wrapped(text: str) -> list[str]:
    """A list of names in lines of a seemly length, broken behind colons."""
    lines = [""]
    for part in re.findall(r"[^:]+:?", text):
        if len(lines[-1]) + len(part) > _LINE_CHARS:
            lines.append("")
        lines[-1] += part
    return lines
