from __future__ import annotations

import pytest

from channels.bounces import is_hard


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (550, "5.1.1 <ann@example.org>: Recipient address rejected: User unknown"),
        (550, "5.1.1 The email account that you tried to reach does not exist."),
        (550, "5.1.2 no such domain"),
        (553, "5.1.3 bad syntax"),
        (551, "5.1.6 moved away"),
        (556, "5.1.10 the domain takes no mail"),
        (550, "5.2.1 mailbox disabled"),
        (556, "no mail here"),
        (550, "No such user here"),
        (550, "Requested action not taken: mailbox not found"),
        (550, "<ann@example.org>: user does not exist"),
        (553, "unknown user"),
    ],
)
def test_an_address_that_is_no_good_is_a_hard_bounce(code: int, said: str) -> None:
    assert is_hard(code, said, at_recipient=True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (550, "5.7.1 Message rejected due to policy: user unknown to us"),
        (550, "5.7.26 unauthenticated mail is not accepted"),
        (552, "5.2.2 mailbox full"),
        (552, "5.3.4 message too big"),
        (550, "5.1.8 bad sender's address"),
        (550, "blocked: user unknown on spam list"),
        (550, "Sender verify failed: user unknown"),
        (550, "relay access denied"),
        (554, "no such user"),
        (550, "rejected"),
        (450, "4.1.1 try later"),
        (550, ""),
    ],
)
def test_any_other_refusal_says_nothing_of_the_address(code: int, said: str) -> None:
    assert not is_hard(code, said, at_recipient=True)


def test_words_count_in_answer_to_the_address_alone_and_codes_everywhere() -> None:
    assert not is_hard(550, "no such user", at_recipient=False)
    assert not is_hard(556, "no mail here", at_recipient=False)
    assert is_hard(550, "5.1.1 no such user", at_recipient=False)
