from __future__ import annotations

import pytest

from channels.signing import signature, signing_key

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_signature_is_the_one_that_the_reference_implementations_make() -> None:
    key = signing_key(SECRET)
    assert key is not None
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_prefix_is_no_part_of_the_key() -> None:
    assert signing_key(f"whsec_{SECRET}") == signing_key(SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "a", "whsec_é"])
def test_what_is_not_base64_is_no_secret(secret: str) -> None:
    assert signing_key(secret) is None
