from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from channels.dkim import DkimFault, DkimSigner
from channels.email import build_mail
from channels.registry import EmailSettings, settings_faults
from channels.settings import DkimSettings
from tests.channels.providers import AT_MS, message

if TYPE_CHECKING:
    from tests.channels.providers import SmtpProvider

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa.generate_private_key(65537, 2048)
KEYS = {"ed25519": ED25519, "rsa": RSA}


def _pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _settings(kind: str, key: str = "") -> DkimSettings:
    return DkimSettings(domain="shop.example", selector=kind, key=key or _pem(KEYS[kind]))


def _published(name: bytes, **_: Any) -> bytes:
    """What DNS has: raw bytes for Ed25519 (RFC 8463, 4), a SubjectPublicKeyInfo for RSA."""
    kind = name.decode().partition(".")[0]
    assert name.startswith(f"{kind}._domainkey.shop.example".encode())
    public = KEYS[kind].public_key()
    if kind == "ed25519":
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}".encode()


def _holds(mail: bytes, place: int = 0) -> bool:
    try:
        return bool(dkim.DKIM(mail).verify(idx=place, dnsfunc=_published))
    except dkim.ValidationError:
        return False


def _mail(body: str = "Hello  \n\n there \n\n\n", **changes: Any) -> bytes:
    return build_mail(message("email", body=body, **changes), "a@shop.example").data


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("html", [False, True])
def test_a_signature_holds(kind: str, html: bool) -> None:
    mail = _mail("<p>Ça va,\n  世界?</p>" * 50, html=html)
    signed = DkimSigner(_settings(kind)).signed(mail, AT_MS)
    assert signed.endswith(mail)
    assert f"; t={AT_MS // 1000};".encode() in signed
    assert _holds(signed)


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_is_the_same_at_each_attempt(kind: str) -> None:
    first, second = (DkimSigner(_settings(kind)).signed(_mail(), AT_MS) for _ in range(2))
    assert first == second


def test_a_relay_may_fold_and_trim_and_nobody_may_change_or_add() -> None:
    signed = DkimSigner(_settings("ed25519")).signed(_mail(), AT_MS)
    assert _holds(signed.replace(b"To: ann@", b"To:   ann@"))
    assert _holds(signed + b"\r\n\r\n")
    assert not _holds(signed.replace(b"Hello", b"Hallo"))
    assert not _holds(signed.replace(b"To: ann@", b"To: bob@"))
    for added in (b"From: x@evil.example", b"Subject: y", b"List-Unsubscribe: <https://evil>"):
        head, _, body = signed.partition(b"\r\n\r\n")
        assert not _holds(head + b"\r\n" + added + b"\r\n\r\n" + body), added


def test_headers_of_unsubscribing_are_signed_where_they_are() -> None:
    head, _, body = _mail().partition(b"\r\n\r\n")
    extra = b"\r\nList-Unsubscribe: <https://a.example/u>\r\nList-Unsubscribe-Post: x"
    signed = DkimSigner(_settings("ed25519")).signed(head + extra + b"\r\n\r\n" + body, AT_MS)
    assert _holds(signed)
    assert not _holds(signed.replace(b"https://a.", b"https://b."))


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("")
@example("\n")
@example(" \t \n \t\n")
@example("a \t b\t\n.\n..\n")
@example("-- \n\n\n")
def test_the_signature_of_any_text_holds(body: str) -> None:
    mail = _mail(body, front={"subject": body[:200], "from": "Shop <a@shop.example>"})
    assert _holds(DkimSigner(_settings("ed25519")).signed(mail, AT_MS))


async def test_mails_go_out_with_every_signature_that_is_set(mail_server: SmtpProvider) -> None:
    channel = mail_server.make(dkim=(_settings("ed25519"), _settings("rsa")))
    await channel.deliver(message("email"))
    await channel.aclose()
    (taken,) = mail_server.mailbox.mails
    data = taken if isinstance(taken, bytes) else taken.as_bytes()
    assert data.count(b"DKIM-Signature: ") == 2
    assert data.index(b"a=ed25519") < data.index(b"a=rsa")
    assert _holds(data, 0)
    assert _holds(data, 1)


def test_a_key_may_be_a_file_or_base64(tmp_path: Path) -> None:
    file = tmp_path / "dkim.pem"
    file.write_text(_pem(RSA))
    der = ED25519.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    seed = bytes(range(32))
    mail = _mail()
    by_pem = DkimSigner(_settings("ed25519")).signed(mail, AT_MS)
    for key in (base64.b64encode(der), base64.b64encode(seed)):
        assert DkimSigner(_settings("ed25519", key.decode())).signed(mail, AT_MS) == by_pem
    assert _holds(DkimSigner(_settings("rsa", str(file))).signed(mail, AT_MS))
    long = base64.b64encode(RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    assert _holds(DkimSigner(_settings("rsa", long.decode())).signed(mail, AT_MS))
    in_one_line = _pem(RSA).replace("\n", "\\n")
    assert _holds(DkimSigner(_settings("rsa", in_one_line)).signed(mail, AT_MS))


def test_an_rsa_key_that_verifiers_refuse_is_refused_here() -> None:
    with pytest.raises(DkimFault, match="mails are signed with RSA or Ed25519") as fault:
        DkimSigner(_settings("rsa", _pem(ec.generate_private_key(ec.SECP256R1()))))
    assert fault.value.key == "key"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"key": "nonsense"}, "dkim.key: this is no private key"),
        ({"key": "k" * 5_000}, "dkim.key: this is no private key"),
        ({"key": "not-there.pem"}, f"dkim.key: there is no file {Path.cwd()}/not-there.pem"),
        ({"key": ""}, "dkim.key: this is no private key"),
        ({"domain": "shop example"}, "dkim.domain:"),
        ({"selector": "a\r\nBcc: x"}, "dkim.selector:"),
    ],
)
def test_settings_that_sign_nothing_are_faults(changes: dict[str, str], told: str) -> None:
    about = {"domain": "shop.example", "selector": "s", "key": _pem(ED25519), **changes}
    settings = EmailSettings(transport="smtp", host="a", dkim=(DkimSettings(**about),))
    (fault,) = settings_faults("email", settings)
    assert told in fault.message
    assert fault.hint
