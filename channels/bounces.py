"""What a mail server's refusal says: of the address, of the mail, or of us.

A *hard* bounce means that the address itself is no good, and nothing is sent to it again. Anything
else that is refused for good is of this mail alone: its content, our reputation, a policy, a full
mailbox. What is put off (4yz) is tried again and no bounce yet.
"""

from __future__ import annotations

import re
from typing import Final

_ENHANCED: Final = re.compile(r"\s*(?P<class>[245])\.(?P<subject>\d{1,3})\.(?P<detail>\d{1,3})\b")
_ADDRESS: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
"""Enhanced codes (RFC 3463, RFC 7505) that mean the address itself: no such mailbox, no such
domain, no address at all, moved away, a domain that takes no mail, a mailbox that was disabled."""

_NO_MAIL_HERE: Final = 556
"""RFC 7504: the domain takes no mail."""

_WORDS: Final = re.compile(
    r"\b(no such (user|recipient|mailbox|person|address)"
    r"|(user|recipient|mailbox|address|account)\b[^.;]{0,40}?\b"
    r"(unknown|not found|(does not|doesn't|not) exist|is disabled|has been disabled)"
    r"|unknown (user|recipient|mailbox)"
    r"|(invalid|nonexistent|non-existent) (recipient|mailbox|user))\b",
    re.IGNORECASE,
)
_REFUSED_TO_SOMEBODY: Final = frozenset({550, 551, 553})
_POLICY: Final = re.compile(
    r"\b(spam|block(ed|list)|blacklist|policy|reputation|denied|relay|spf|dkim|dmarc|rbl|sender)\b",
    re.IGNORECASE,
)


def is_hard(code: int, said: str, *, at_recipient: bool) -> bool:
    """Whether a refusal means that the address is no good. O(said).

    Enhanced codes decide where there is one. Without one, only what answers `RCPT` can: 556, or
    550, 551 and 553 in words that name the mailbox and no policy.

    Args:
        code: The reply's code.
        said: Its text.
        at_recipient: Whether it answers `RCPT`, and not the mail itself.
    """
    enhanced = _ENHANCED.match(said)
    if enhanced is not None:
        return (
            enhanced["class"] == "5" and f"{enhanced['subject']}.{enhanced['detail']}" in _ADDRESS
        )
    if not at_recipient:
        return False
    if code == _NO_MAIL_HERE:
        return True
    named = _WORDS.search(said) is not None and _POLICY.search(said) is None
    return code in _REFUSED_TO_SOMEBODY and named
