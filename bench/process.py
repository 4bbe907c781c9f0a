"""A server in a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
STOP_WITHIN_S = 30.0

_PORT = re.compile(r"events on http://127\.0\.0\.1:(\d+)")


class Server:
    """A running process that has said `events on http://127.0.0.1:PORT`.

    Args:
        command: What follows `python`.
        log: Where its standard error goes, to be read afterwards; None: nowhere that stays.

    Attributes:
        port: Where it takes requests.
        pid: Of the process.
        said: The line that told so.

    Raises RuntimeError where it says something else.
    """

    def __init__(self, command: list[str], *, log: Path | None = None) -> None:
        # Nobody reads a pipe while the load runs, and a full one would hold the process up.
        self._errors = (
            tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 - as long as the process
            if log is None
            else log.open("w+")
        )
        self._process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.said = self._process.stdout.readline()
        found = _PORT.search(self.said)
        if found is None:
            self._process.kill()
            self._process.wait()
            told = self._complaint()
            self.kill()
            raise RuntimeError(f"the server did not start: {told}")
        self.port = int(found[1])

    def kill(self) -> None:
        """SIGKILL, if it still runs; nothing where it was killed before."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def stop(self) -> None:
        """SIGTERM, and the end of it. Raises RuntimeError where its exit code is not 0."""
        self._process.terminate()
        self._process.communicate(timeout=STOP_WITHIN_S)
        if self._process.returncode:
            raise RuntimeError(f"it ended with {self._process.returncode}: {self._complaint()}")

    def _complaint(self) -> str:
        self._errors.seek(0)
        return self._errors.read()[-2_000:]


@contextmanager
def serving(command: list[str]) -> Iterator[Server]:
    """Run a server; it is stopped in order, or killed where the caller fails."""
    server = Server(command)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def serve_command(shop: Path, data: Path) -> list[str]:
    """What follows `python` to serve a shop as anybody would."""
    command = ["-m", "engine", "serve", str(shop), "--data", str(data)]
    return [*command, "--host", "127.0.0.1", "--port", "0"]
