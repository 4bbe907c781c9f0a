from __future__ import annotations

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email import EmailFault, build_mail, parse_address, parse_from
from tests.channels.providers import AT_MS, message

if TYPE_CHECKING:
    from email.message import EmailMessage

SHOP = "My shop <shop@example.com>"
HEADERS = ["Message-ID", "Date", "From", "To", "Subject", "MIME-Version"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
HOSTILE = "hello\r\nBcc: everybody@example.net\r\n\r\nbody"


def _mail(front: dict[str, str] | None = None, body: str = "hello", **changes: object) -> bytes:
    sent = message("email", front={"subject": "hi"} if front is None else front, body=body)
    return build_mail(msgspec.structs.replace(sent, **changes), SHOP).data


def _read(data: bytes) -> EmailMessage:
    read = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(read, email.message.EmailMessage)
    return read


def _head(data: bytes) -> list[str]:
    """The names of the headers as a server splits them: by lines, no parser's good will."""
    lines = data.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
    return [line.partition(":")[0] for line in lines if line[0] not in " \t"]


def test_a_mail_says_what_the_message_says() -> None:
    sent = message("email")
    mail = build_mail(sent, SHOP)
    read = _read(mail.data)
    assert (mail.sender, mail.recipient) == ("shop@example.com", "ann@example.org")
    assert read["Message-ID"] == f"<{sent.id}@example.com>"
    assert parsedate_to_datetime(read["Date"]).timestamp() == AT_MS // 1000
    assert read["Subject"] == "Ça va, 世界? 😀"
    assert read["From"].addresses[0].display_name == "Mön Shop, Inc"
    assert read["From"].addresses[0].addr_spec == "shop@example.com"
    assert read["To"] == "ann@example.org"
    assert read["Reply-To"] is None


def test_the_sender_of_the_settings_stands_in_for_one_that_is_missing() -> None:
    assert _read(_mail())["From"] == SHOP


def test_answers_go_to_reply_to() -> None:
    read = _read(_mail({"reply_to": "Help <help@example.com>"}))
    assert read["Reply-To"] == "Help <help@example.com>"


@pytest.mark.parametrize("html", [False, True])
def test_equal_messages_are_equal_mails(html: bool) -> None:
    body = "<p>bonjour, ça va ?</p>"
    assert _mail(body=body, html=html) == _mail(body=body, html=html)


def test_an_html_mail_has_a_text_part_before_the_html() -> None:
    body = "<p>Hello <a href='https://shop.example/c'>there</a></p>"
    read = _read(_mail(body=body, html=True))
    text, html = read.iter_parts()
    assert read.get_content_type() == "multipart/alternative"
    assert text.get_content_type() == "text/plain"
    assert text.get_content().strip() == "Hello there (https://shop.example/c)"
    assert html.get_content_type() == "text/html"
    assert html.get_content().strip() == body


def test_a_text_mail_is_one_part() -> None:
    read = _read(_mail(body="1 < 2 & 3"))
    assert read.get_content_type() == "text/plain"
    assert read.get_content().strip() == "1 < 2 & 3"


def test_a_body_cannot_end_its_part() -> None:
    boundary = _read(_mail(body="<p>x</p>", html=True)).get_boundary()
    body = f"<p>x</p>\n--{boundary}--\nafter"
    read = _read(_mail(body=body, html=True))
    parts = list(read.iter_parts())
    assert len(parts) == 2
    assert parts[1].get_content().replace("\r\n", "\n").strip() == body


@pytest.mark.parametrize(
    ("body", "start"),
    [("<p>x</p>", ""), ('<html><body class="a"><p>x</p></body>', '<html><body class="a">')],
)
def test_a_preheader_is_hidden_at_the_top_and_escaped(body: str, start: str) -> None:
    read = _read(_mail({"preheader": "10 < 20 & more"}, body=body, html=True))
    text, html = read.iter_parts()
    assert html.get_content().startswith(f'{start}<div style="display:none')
    hidden, _, rest = html.get_content().partition("</div>")
    assert ">10 &lt; 20 &amp; more&#847;&zwnj;&nbsp;" in hidden
    assert rest.startswith("<p>x</p>")
    assert text.get_content().strip() == "x"


@pytest.mark.parametrize("key", ["from", "reply_to"])
def test_an_address_of_the_front_matter_is_told_by_its_key(key: str) -> None:
    with pytest.raises(EmailFault, match=f"{key}: this is no email address"):
        _mail({key: "n\u00e4h@example.com"})


@pytest.mark.parametrize("key", ["subject", "from", "reply_to", "preheader"])
def test_no_front_matter_value_can_add_a_header(key: str) -> None:
    value = HOSTILE if key in {"subject", "preheader"} else f"{HOSTILE} <a@example.com>"
    data = _mail({key: value}, body="<p>x</p>", html=True)
    expected = [*HEADERS, "Reply-To"] if key == "reply_to" else HEADERS
    assert sorted(_head(data)) == sorted([*expected, "Content-Type"])
    assert "everybody@example.net" not in str(_read(data)["To"])
    assert _read(data)["Bcc"] is None


@given(TEXTS)
@example("a" * 2_000)
@example("\u2028Bcc: x@y.example\x85Cc: z@y.example\x0b\x1c")
@example("=?utf-8?q?Bcc=3A_x?=")
@example("é" * 300)
@example(" ")
def test_a_subject_is_one_header_of_short_seven_bit_lines(subject: str) -> None:
    data = _mail({"subject": subject})
    assert sorted(_head(data)) == sorted([*HEADERS, "Content-Type", "Content-Transfer-Encoding"])
    assert data.isascii()
    assert max(len(line) for line in data.split(b"\r\n")) <= 78
    assert b"\n" not in data.replace(b"\r\n", b"")


@given(TEXTS)
def test_a_subject_reads_back_as_one_line_of_itself(subject: str) -> None:
    plain = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", subject).strip()
    if "=?" in plain:
        plain = ""  # an encoded word in a subject is read as what it encodes, as it must be
    read = str(_read(_mail({"subject": plain}))["Subject"])
    assert " ".join(read.split(" ")) == plain


@pytest.mark.parametrize("name", ["Shop " * 100, "x" * 2_000, "é" * 500, '"' * 60, "=?a?q?b?="])
def test_a_long_or_odd_name_stays_in_short_lines_and_reads_back(name: str) -> None:
    front = {"from": f"{name} <shop@example.com>", "reply_to": f"{name} <help@example.com>"}
    data = _mail(front)
    assert max(len(line) for line in data.split(b"\r\n")) <= 150
    raw = email.message_from_bytes(data)["From"]
    shown, _, address = str(make_header(decode_header(raw))).rpartition(" <")
    sender = parse_from(front["from"])
    assert address == "shop@example.com>"
    assert parse_from(f"{shown} <a@b.example>").display_name == sender.display_name


@given(TEXTS)
def test_a_body_reads_back_line_for_line(body: str) -> None:
    unix = body.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    data = _mail(body=body)
    assert data.isascii()
    assert max(len(line) for line in data.split(b"\r\n")) <= 78
    assert b"\n" not in data.replace(b"\r\n", b"")
    read = _read(data).get_content()
    assert read.replace("\r\n", "\n") == f"{unix}\n"


@given(TEXTS)
def test_a_senders_name_never_changes_the_address(name: str) -> None:
    front = {"from": f"{name} <shop@example.com>", "subject": "x"}
    read = _read(_mail(front))
    assert [one.addr_spec for one in read["From"].addresses] == ["shop@example.com"]
    assert build_mail(message("email", front=front), SHOP).sender == "shop@example.com"


@given(TEXTS)
def test_any_text_as_a_recipient_is_an_address_or_a_fault(to: str) -> None:
    try:
        mail = build_mail(message("email", to=to), SHOP)
    except EmailFault:
        return
    assert mail.recipient.isascii()
    assert re.fullmatch(r"[^\s<>,;]+@[^\s<>,;@]+", mail.recipient)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@.org",
        "ann@example..org",
        "ann@-example.org",
        ".ann@example.org",
        "ann bob@example.org",
        "ann@example.org, bob@example.org",
        "Ann <ann@example.org>",
        "ann@example.org\nBcc: bob@example.org",
        "ann@example.org>",
        "änn@example.org",
        "ann@exa_mple.org",
        "a" * 250 + "@example.org",
        "ann@" + "b" * 64 + ".org",
    ],
)
def test_what_is_no_single_address_is_a_fault(to: str) -> None:
    with pytest.raises(EmailFault):
        parse_address(to)


@pytest.mark.parametrize(
    ("to", "address"),
    [
        (" ann@example.org ", "ann@example.org"),
        ("ann+cart.x@mail.example.org", "ann+cart.x@mail.example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),  # not strasse.example
        ("ann@localhost", "ann@localhost"),
        ("o'hara@example.org", "o'hara@example.org"),
    ],
)
def test_an_address_is_put_into_the_form_that_smtp_takes(to: str, address: str) -> None:
    assert parse_address(to) == address


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("shop@example.com", "", "shop@example.com"),
        ("<shop@example.com>", "", "shop@example.com"),
        ("My shop <shop@example.com>", "My shop", "shop@example.com"),
        ('"Shop, My \\"fine\\" one" <shop@example.com>', 'Shop, My "fine" one', "shop@example.com"),
        ("Shop, Inc. <shop@bücher.example>", "Shop, Inc.", "shop@xn--bcher-kva.example"),
    ],
)
def test_a_sender_has_an_address_and_maybe_a_name(text: str, name: str, address: str) -> None:
    sender = parse_from(text)
    assert (sender.display_name, sender.addr_spec) == (name, address)


@pytest.mark.parametrize("text", ["", "My shop", "My shop <shop>", "My shop <a@b.example", "<>"])
def test_a_sender_without_an_address_is_a_fault(text: str) -> None:
    with pytest.raises(EmailFault):
        parse_from(text)
