"""`[alerts]`: who is told when something goes wrong, and what that is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, field

from config.kinds import Count, Duration, Flag, Secret, Share, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

TargetKind: TypeAlias = Literal["log", "email", "webhook"]

LOG: Final = "log"
_HINT: Final = 'an address of email, an https:// address, or "log"'
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


class AlertTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told.

    Attributes:
        to: An address of email, that of a webhook, or `log`.
        secret: webhook: signs each request (Standard Webhooks).
        ca_file: webhook: a PEM file of authorities to trust instead of the system's.
    """

    to: Secret
    secret: Secret = ""
    ca_file: Annotated[str, Meta(description="the name of a PEM file")] = ""

    @property
    def kind(self) -> TargetKind:
        """How it is told."""
        if self.to == LOG:
            return "log"
        return "webhook" if "://" in self.to else "email"


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts]`: without `to` there are none.

    Attributes:
        late_ms: Deadlines that fire later than this are late: more than one in a hundred of a
            minute's is told.
        failed: Share of a campaign's deliveries of an hour that failed, over which it is told.
        skipped: Share of a campaign's sends of an hour that were skipped, over which it is told.
        rhythm: Whether campaigns that fall silent or burst are told.
        experiments: Whether it is told that an experiment is decided.
        disk_free_bytes: What must be free where the data folder is.
        bad_keys: Requests with a bad key in ten minutes, from which on it is told.
        dead_letters: New ones in an hour, from which on it is told.
        again_ms: What is over and comes back within this is told only when it is past.
        per_hour: New alerts told in an hour at most; the rest as soon as there is room.
    """

    to: tuple[AlertTarget, ...] = ()
    late_ms: Annotated[Duration, Meta(ge=1)] = field(default=1_000, name="late")
    failed: Share = 0.2
    skipped: Share = 0.9
    rhythm: Flag = True
    experiments: Flag = True
    disk_free_bytes: Size = field(default=512 << 20, name="disk_free")
    bad_keys: Count = 100
    dead_letters: Count = 10
    again_ms: Duration = field(default=3_600_000, name="again")
    per_hour: Count = 20


def alert_faults(alerts: Alerts) -> Iterator[tuple[int, str, str]]:
    """What keeps somebody from being told: (place in `to`, what, what would be right)."""
    for place, target in enumerate(alerts.to):
        if target.kind == "email" and not _MAIL.fullmatch(target.to):
            yield place, "this is nobody who can be told", _HINT
        if target.kind != "webhook":
            if target.secret or target.ca_file:
                yield place, "secret and ca_file are for webhooks", "leave them out"
            continue
        from channels.posting import address_fault  # 0.1 s that no other setting needs
        from channels.signing import signing_key

        if fault := address_fault(target.to):
            yield place, fault, _HINT
        if target.secret and signing_key(target.secret) is None:
            hint = "whsec_ and 24 to 64 random bytes in base64: openssl rand -base64 32"
            yield place, "the secret is not base64", hint
