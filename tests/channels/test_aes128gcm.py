from __future__ import annotations

import pytest

from channels.aes128gcm import PLAIN_BYTES_MAX, RECORD_BYTES, encrypt
from channels.webpush import Subscription, read_subscription
from tests.channels.providers import Browser


def subscription(browser: Browser) -> Subscription:
    read = read_subscription(browser.subscription)
    assert isinstance(read, Subscription)
    return read


@pytest.mark.parametrize("size", [2, 100, PLAIN_BYTES_MAX])
def test_a_browser_reads_what_was_encrypted_for_it(size: int) -> None:
    browser = Browser("https://push.example/1")
    plain = b'"' + b"x" * (size - 2) + b'"'
    to = subscription(browser)
    assert browser.read(encrypt(plain, to.receiver, to.auth)) == plain.decode()[1:-1]


def test_the_longest_message_is_the_longest_body_that_every_push_service_takes() -> None:
    to = subscription(Browser("https://push.example/1"))
    assert len(encrypt(b"x" * PLAIN_BYTES_MAX, to.receiver, to.auth)) == RECORD_BYTES


def test_each_encryption_has_keys_of_its_own() -> None:
    to = subscription(Browser("https://push.example/1"))
    first, second = encrypt(b"x", to.receiver, to.auth), encrypt(b"x", to.receiver, to.auth)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]
