"""What every fault is provoked in: the real process, its mail server, and a shop on a disk."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.conftest import mailbox, serve, settings, write
from tests.faults.life import Life
from tests.faults.native import Shim, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.conftest import Mailbox, Serving

__all__ = ["mailbox", "serve"]


@pytest.fixture
def shop(tmp_path: Path, mailbox: Mailbox) -> Path:
    """A receipt at once, and a reminder half a second later unless the order was cancelled."""
    folder = tmp_path / "shop"
    write(
        folder,
        {
            "hairspring.toml": settings(mailbox),
            "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
enter: {event: Order Completed, per: event.order_id, reentry: never}
exit: {event: Order Cancelled}
steps:
  - {send: email, template: receipt, id: receipt}
  - {wait: 500ms, id: pause}
  - {send: email, template: reminder, id: reminder}
""",
            **{
                f"templates/{name}.email.liquid": (
                    f"---\nsubject: {name} {{{{ event.order_id }}}}\n---\nX\n"
                )
                for name in ("receipt", "reminder")
            },
        },
    )
    return folder


@pytest.fixture(scope="session")
def shim_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim that spoils system calls; skipped where no C compiler is."""
    return compiled(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def shim(shim_library: Path, tmp_path: Path) -> Shim:
    """A shim of this test's own."""
    return Shim(shim_library, tmp_path)


@pytest.fixture
def life(shop: Path, serve: Callable[..., Serving], mailbox: Mailbox) -> Life:
    """A data folder, and nobody who serves from it yet."""
    return Life(shop, serve, mailbox)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, in memory."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", path]
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)
