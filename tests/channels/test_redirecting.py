from __future__ import annotations

import json
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from channels.base import Accepted, Channel, Message, Outcome, Rejected, Retry
from channels.file import FileChannel
from channels.redirecting import Redirections, redirection_faults

if TYPE_CHECKING:
    from pathlib import Path


class Taking(Channel):
    """Keeps what it is handed, and answers one thing."""

    def __init__(self, outcome: Outcome) -> None:
        self.handed: list[Message] = []
        self.outcome = outcome
        self.closed = False

    @override
    async def deliver(self, message: Message) -> Outcome:
        self.handed.append(message)
        return self.outcome

    @override
    async def aclose(self) -> None:
        self.closed = True


def message(channel: str, to: str, **front: str) -> Message:
    return Message(
        id="m1", at_ms=1_767_225_600_000, user_id="ada", campaign="c", step="s",
        channel=channel, to=to, body="Hello", front=front,
    )  # fmt: skip


async def test_a_message_goes_to_the_address_instead_and_says_whom_it_was_meant_for() -> None:
    inner = Taking(Accepted())
    channels = Redirections({"sms": "+1"}).over({"sms": inner})
    await channels["sms"].deliver(message("sms", "+2"))
    [handed] = inner.handed
    assert (handed.to, handed.meant_for, handed.user_id) == ("+1", "+2", "ada")


async def test_channels_without_an_address_to_redirect_to_are_left_alone() -> None:
    inner = Taking(Accepted())
    sent = message("push", "{}")
    await Redirections({"sms": "+1"}).over({"push": inner})["push"].deliver(sent)
    assert inner.handed == [sent]


async def test_a_webhook_is_redirected_by_its_url() -> None:
    inner = Taking(Accepted())
    channels = Redirections({"webhook": "https://b.example"}).over({"webhook": inner})
    await channels["webhook"].deliver(message("webhook", "", url="https://a.example"))
    [handed] = inner.handed
    assert (handed.front["url"], handed.meant_for) == ("https://b.example", "https://a.example")


async def test_what_reaches_everybody_was_meant_for_a_user_by_his_id() -> None:
    inner = Taking(Accepted())
    await (
        Redirections({"in_app": "me"})
        .over({"in_app": inner})["in_app"]
        .deliver(message("in_app", ""))
    )
    assert (inner.handed[0].to, inner.handed[0].meant_for) == ("me", "ada")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Rejected("no such mailbox", address_invalid=True), Rejected("no such mailbox")),
        (Rejected("mailbox full", is_bounce=True), Rejected("mailbox full")),
        (
            Retry("mailbox full", 5, of_provider=False, is_bounce=True),
            Retry("mailbox full", 5, of_provider=False),
        ),
    ],
)
async def test_an_address_that_a_provider_refuses_says_nothing_of_the_users(
    said: Outcome, told: Outcome
) -> None:
    inner = Taking(said)
    outcome = (
        await Redirections({"sms": "+1"}).over({"sms": inner})["sms"].deliver(message("sms", "+2"))
    )
    assert outcome == told


async def test_addresses_that_are_set_anew_hold_from_the_next_attempt_on() -> None:
    inner = Taking(Accepted())
    redirections = Redirections({})
    channel = redirections.over({"sms": inner})["sms"]
    await channel.deliver(message("sms", "+2"))
    redirections.addresses = {"sms": "+1"}
    await channel.deliver(message("sms", "+2"))
    assert [one.to for one in inner.handed] == ["+2", "+1"]


async def test_closing_closes_the_channel_behind_it() -> None:
    inner = Taking(Accepted())
    await Redirections({}).over({"sms": inner})["sms"].aclose()
    assert inner.closed


async def test_the_file_and_the_mail_in_it_say_whom_a_message_was_meant_for(
    tmp_path: Path,
) -> None:
    files = {"email": FileChannel("email", tmp_path)}
    channel = Redirections({"email": "me@shop.example"}).over(files)["email"]
    await channel.deliver(message("email", "ada@home.example", subject="Hi"))
    await channel.aclose()
    line = json.loads((tmp_path / "email.ndjson").read_bytes())
    assert (line["to"], line["meant_for"]) == ("me@shop.example", "ada@home.example")
    mail = message_from_bytes((tmp_path / "m1.eml").read_bytes())
    assert (mail["To"], mail["X-Meant-For"]) == ("me@shop.example", "ada@home.example")


@pytest.mark.parametrize(
    ("channel", "address"), [("email", "nobody"), ("webhook", "ftp://a"), ("sms", " ")]
)
def test_an_address_that_nothing_could_go_to_is_a_fault(channel: str, address: str) -> None:
    assert [fault[0] for fault in redirection_faults({channel: address})] == [channel]
