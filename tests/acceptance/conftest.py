"""The real process over real sockets: a shop in a folder, a mail server, `hairspring serve`."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import EmailMessage

ADDRESS = re.compile(r"events on (http://\S+), metrics on (http://\S+)/metrics")
SERVE = ("--port", "0", "--json")
HAIRSPRING = Path(sys.executable).with_name("hairspring")


def run(
    *arguments: object, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`hairspring` with these arguments, to its end; `env` goes beside the test's environment."""
    return subprocess.run(
        [HAIRSPRING, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        check=False,
    )


class _FreePort(Controller):
    """Knows the port that the system gave before it knocks there."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mailbox:
    """An SMTP server that keeps what it is sent.

    `ids` has each Subject's Message-IDs. It is kept as mails arrive: a header of
    `email.policy.default` is parsed anew each time it is asked for, and a wait that asked
    every mail at every arrival would hold up the server it waits for.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.ids: dict[str, set[str]] = {}
        self.arrived = threading.Condition()
        self.open()

    def open(self, port: int = 0) -> None:
        """Listen, on a free port or on one that was had before."""
        self.controller = _FreePort(self, hostname="127.0.0.1", port=port)
        self.controller.start()

    def close(self) -> None:
        self.controller.stop(no_assert=True)

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802, ARG002 - aiosmtpd's form
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self.arrived:
            self.mails.append(mail)
            self.ids.setdefault(mail["Subject"], set()).add(mail["Message-ID"])
            self.arrived.notify_all()
        return "250 taken"

    @property
    def port(self) -> int:
        return self.controller.port

    def wait_for(self, condition, within_s: float = 60.0) -> None:
        """Return once `condition()` holds; the limit only keeps a broken run from hanging."""
        with self.arrived:
            assert self.arrived.wait_for(condition, within_s), f"{len(self.mails)} mails only"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.close()


class Serving:
    """A running `hairspring serve`, which may open as many files as `files` says.

    `limit` is more for the shell to say before it, `env` goes beside the test's own environment.
    One that `may_fail` has no `url` where it ended before it served.
    """

    def __init__(
        self,
        shop: Path,
        *more: str | Path,
        files: int | None = None,
        limit: str = "",
        env: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> None:
        limit += f"ulimit -n {files}; " if files else ""
        self.process = subprocess.Popen(
            ["sh", "-c", f'{limit}exec "$@"', "sh", HAIRSPRING, "serve", shop, *SERVE, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        )
        self.log: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = ADDRESS.search(line)
        assert found or may_fail, line + "".join(self.log)
        self.url, self.admin_url = found.groups() if found else ("", "")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._said:
                self.log.append(line)
                self._said.notify_all()

    def wait_to_say(self, text: str, times: int = 1) -> None:
        """Return once as many log lines have `text`."""
        with self._said:
            assert self._said.wait_for(
                lambda: sum(text in line for line in self.log) >= times, 60
            ), self.log

    def tell(self, *items: dict[str, Any]) -> None:
        """Send these in one request, and return once they are acknowledged."""
        body, key = json.dumps(items).encode(), {"Authorization": "Bearer demo-write-key"}
        request = urllib.request.Request(f"{self.url}/events", body, key)
        urllib.request.urlopen(request).close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def drain(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(60)
        self._reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


@pytest.fixture
def serve() -> Iterator[type[Serving]]:
    started: list[Serving] = []

    def start(shop: Path, *more: str | Path, **how: Any) -> Serving:
        started.append(Serving(shop, *more, **how))
        return started[-1]

    yield start
    for serving in started:
        if serving.process.returncode is None:
            serving.kill()


@pytest.fixture
def shop(tmp_path: Path, mailbox: Mailbox) -> Path:
    """A shop with a welcome at once and a reminder three seconds later, by mail."""
    folder = tmp_path / "shop"
    write(
        folder,
        {
            "hairspring.toml": settings(mailbox),
            "campaigns/receipt.yaml": """
campaign: receipt
purpose: transactional
enter: {event: Order Completed, per: event.order_id, reentry: never}
steps:
  - {send: email, template: receipt, id: receipt}
  - {wait: 3s, id: pause}
  - {send: email, template: reminder, id: reminder}
""",
            "templates/receipt.email.liquid": """---
subject: "receipt {{ event.order_id }}"
---
Thank you, {{ user.first_name }}.
""",
            "templates/reminder.email.liquid": """---
subject: "reminder {{ event.order_id }}"
---
How was it?
""",
        },
    )
    return folder


def settings(mailbox: Mailbox) -> str:
    """`hairspring.toml` of a shop whose mails go to the mailbox; its grace is a short one."""
    return f"""
[storage]
resume_grace = "100ms"

[channels.email]
transport = "smtp"
host = "127.0.0.1"
port = {mailbox.port}
tls = "none"
from = "Test shop <shop@example.com>"
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())
