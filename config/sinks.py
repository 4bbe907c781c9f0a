"""`[sinks.NAME]`: where records are streamed to, a CRM or a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind: TypeAlias = Literal[
    "entered", "sent", "skipped", "deferred", "delivered", "failed", "opened", "clicked",
    "unsubscribed", "branched", "exited", "finished", "goal",
]  # fmt: skip

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One sink.

    Attributes:
        kind: `webhook` posts batches, `file` appends lines.
        url: webhook: where to.
        secret: webhook: signs each request (Standard Webhooks).
        ca_file: webhook: a PEM file of authorities to trust instead of the system's.
        timeout_ms: webhook: the longest wait for an answer.
        rotate_bytes: file: a file that has grown so far is put aside, and a new one begun.
        files: file: those put aside that are kept; the oldest go first.
        batch: Records handed over at once.
        kinds: Of records; none: all.
        campaigns: Whose records; none: all.
    """

    kind: Literal["webhook", "file"]
    url: Annotated[str, Meta(description="an address that starts with https:// or http://")] = ""
    secret: Annotated[
        str, Meta(description='text in quotes, or "env:NAME"', extra={"reads": "secret"})
    ] = ""
    ca_file: Annotated[str, Meta(description="the name of a PEM file")] = ""
    timeout_ms: Annotated[
        int, Meta(ge=1, description='a duration like "30s"', extra={"reads": "duration"})
    ] = field(default=30_000, name="timeout")
    rotate_bytes: Annotated[
        int, Meta(ge=1, description='a size like "64 MiB"', extra={"reads": "size"})
    ] = field(default=64 << 20, name="rotate")
    files: Annotated[int, Meta(ge=1, description="a whole number, 1 or more")] = 10
    batch: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 100
    kinds: tuple[Kind, ...] = ()
    campaigns: tuple[Annotated[str, Meta(min_length=1, description="a campaign's id")], ...] = ()


def sink_faults(name: str, chosen: SinkSettings) -> Iterator[tuple[str, str, str]]:
    """What keeps a sink from being used: (key, what, what would be right)."""
    if not _NAME.fullmatch(name):
        yield "", "is no name for a sink", "a-z, 0-9, _ and -, up to 40"
    if chosen.kind == "file":
        return
    from channels.posting import address_fault  # 0.1 s that no other setting needs
    from channels.signing import signing_key

    if fault := address_fault(chosen.url):
        yield "url", fault, "https://crm.example/hooks/hairspring"
    if chosen.secret and signing_key(chosen.secret) is None:
        hint = "whsec_ and 24 to 64 random bytes in base64: openssl rand -base64 32"
        yield "secret", "the secret is not base64", hint


def campaign_faults(
    sinks: Mapping[str, SinkSettings], campaigns: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Sinks that ask for a campaign that there is not: (sink, campaign)."""
    for name, chosen in sinks.items():
        for campaign in chosen.campaigns:
            if campaign not in campaigns:
                yield name, campaign
