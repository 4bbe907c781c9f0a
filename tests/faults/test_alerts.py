"""What an operator is told while it happens, by a real process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import settings
from tests.faults.filling import at_rest, fill, is_ready, place_what_waits
from tests.faults.life import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Mailbox
    from tests.faults.life import Life

pytestmark = [pytest.mark.acceptance, pytest.mark.crash]


def mails(mailbox: Mailbox) -> list[str]:
    return [subject for subject in mailbox.ids if subject.startswith("[My shop]")]


def test_on_a_full_disk_a_mail_says_that_the_journal_cannot_be_written_and_that_it_can_again(
    life: Life, small_disk: Path, mailbox: Mailbox
):
    alerts = '[alerts]\nto = ["ops@example.com", "log"]\ndisk_free = "4 KiB"\n'
    (life.shop / "hairspring.toml").write_text(settings(mailbox) + alerts)
    life.data = small_disk / "data"
    life.start()
    life.live(range(2))
    at_rest(life)
    filler = fill(small_disk)
    placing = place_what_waits(life, 3)
    mailbox.wait_for(lambda: len(mails(mailbox)) == 2)
    journal, disk = sorted(mails(mailbox), key=lambda said: "journal" not in said)
    assert "the journal cannot be written" in journal
    assert "0 MiB are free where the data folder is, less than 0 MiB" in disk
    life.serving.wait_to_say("alert.raised", times=2)
    filler.unlink()
    placing.join()
    until(lambda: is_ready(life))
    assert len(mails(mailbox)) == 2
