"""One data folder through deaths and restarts, and what must hold at the end of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from engine.core.inputs import EventReceived
from engine.core.state import decode_user
from engine.sim.exported import InputLine, RecordLine, StateLine, decode_lines
from engine.sim.exporting import export
from engine.sim.replaying import Replay
from engine.store import Store
from tests.acceptance.conftest import HAIRSPRING, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from engine.sim.exported import Line
    from tests.acceptance.conftest import Mailbox, Serving

USERS = 5
KEY = {"Authorization": "Bearer demo-write-key"}
WITHIN_S = 60.0
"""No test waits as long: this only keeps a broken run from hanging."""


def ask(
    url: str,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    """The status and the body of an answer; status 0 where there was none: the process is away."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    data = None if body is None else json.dumps(body)
    try:
        connection.request(method, path, data, headers or KEY)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (http.client.HTTPException, ConnectionError):
        return 0, ""
    finally:
        connection.close()


def until(holds: Callable[[], Any], what: object = "") -> None:
    """Return once it holds; between two looks another thread or process has its turn."""
    by_s = time.monotonic() + WITHIN_S  # noqa: TID251 - the limit of a wait, not a time to assert
    while not holds():
        assert time.monotonic() < by_s, what  # noqa: TID251 - as above
        time.sleep(0.002)


def order(number: int) -> list[dict[str, Any]]:
    """Who he is, and what he orders."""
    user = f"u{number % USERS}"
    who = {"type": "identify", "user_id": user, "traits": {"email": f"{user}@example.com"}}
    what = {"user_id": user, "event": "Order Completed", "properties": {"order_id": f"o{number}"}}
    return [{**who, "message_id": f"i{number}"}, {**what, "message_id": f"o{number}"}]


def failure(log: list[str]) -> dict[str, Any]:
    """The line in which a process says why it ends; each is JSON."""
    (line,) = [said for line in log if (said := json.loads(line))["event"] == "serve.failed"]
    return line


class Life:
    """A shop, a data folder, and the process that serves it at present.

    Attributes:
        serving: The process.
        orders: What was acknowledged.
        deaths: How often the process died, of SIGKILL.
    """

    def __init__(self, shop: Path, serve: Callable[..., Serving], mailbox: Mailbox) -> None:
        self.shop = shop
        self.data = shop / "data"
        self.orders: list[int] = []
        self.deaths = 0
        self._serve = serve
        self._mailbox = mailbox
        self.serving: Serving

    def start(self, point: str = "", *more: object, **how: Any) -> None:
        """Start the process; it dies at `point`, given as `in-commit=3`."""
        env = {**how.pop("env", {}), "HAIRSPRING_FAILPOINTS": point}
        self.serving = self._serve(self.shop, "--data", self.data, *more, env=env, **how)

    def dies(self) -> None:
        """The process is dead, or is about to be, of SIGKILL; its pipes are closed."""
        assert self.serving._end() == -signal.SIGKILL, self.serving.log
        self.deaths += 1

    def dies_at_start(self, point: str, *more: str) -> None:
        """A start that ends at a point."""
        armed = {"HAIRSPRING_FAILPOINTS": point}
        done = run("serve", self.shop, "--data", self.data, "--port", "0", *more, env=armed)
        assert done.returncode == -signal.SIGKILL, done.stderr
        self.deaths += 1

    def place(self, number: int) -> int:
        """Send an order once; the status, 0 where there was no answer."""
        status, _ = ask(self.serving.url, "POST", "/events", order(number))
        if status == 200:
            self.orders.append(number)
        return status

    def live(self, numbers: range, *points: str) -> None:
        """Send orders until each is acknowledged; whenever the process dies, start it again.

        The next one of `points` is where it dies then.
        """
        left = iter(points)
        for number in numbers:
            while self.place(number) != 200:
                if not self.is_alive():
                    self.start(next(left, ""))

    def is_alive(self) -> bool:
        """Whether the process still is; a dead one died of SIGKILL."""
        if self.serving.process.poll() is None:
            return True
        self.dies()
        return False

    def ended(self) -> tuple[int, dict[str, Any]]:
        """The process ends by itself: its exit code, and the line that says why."""
        code = self.serving._end()
        return code, failure(self.serving.log)

    def refused_start(
        self, prefix: str = "exec ", env: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """A start that is refused: the line that says why. The shell says `prefix` before it."""
        serve = (HAIRSPRING, "serve", self.shop, "--data", self.data, "--port", "0", "--json")
        done = subprocess.run(
            ["sh", "-c", f'{prefix or "exec "}"$@"', "sh", *serve],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            env={**os.environ, **(env or {})},
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        return failure(done.stderr.splitlines())

    def suffers(self, env: dict[str, str], numbers: range) -> int:
        """Serve and send orders until the process ends, or all are acknowledged: then kill it.

        Returns the number after the last that was acknowledged.
        """
        self.start(env=env, may_fail=True)
        for number in numbers:
            while self.serving.url and self.place(number) != 200:
                if self.serving.process.poll() is not None:
                    break
            if number not in self.orders:
                assert self.serving._end() != 0
                return number
        self.serving.kill()
        return numbers.stop

    @property
    def arrived(self) -> set[str]:
        """Subjects of the mails that arrived."""
        return set(self._mailbox.ids)

    @property
    def expected(self) -> set[str]:
        """Subjects of all mails that acknowledged orders lead to."""
        return {f"{kind} o{number}" for kind in ("receipt", "reminder") for number in self.orders}

    def all_arrived(self) -> bool:
        return self.expected <= self._mailbox.ids.keys()

    def come_to_rest(self) -> None:
        """Wait until all mails arrived, over whatever deaths there are still; then end."""

        def arrived() -> bool:
            if not self.is_alive():
                self.start()
            return self.all_arrived()

        until(arrived, "mails are missing")
        if self.serving.drain() == -signal.SIGKILL:
            self.deaths += 1
            self.start()
            assert self.serving.drain() == 0

    async def holds(self, elsewhere: Collection[str] = ()) -> None:
        """What must hold once the process has ended in order, however it came there.

        Every acknowledged order was taken once, has its mails under one id each, and went its whole
        way; a run that took in the same, and was never killed, gives the same records and states.
        Mails of orders that are `elsewhere` arrived, too, and are of no account here.
        """
        assert self.all_arrived()
        orders = {subject.split()[1] for subject in self.arrived}
        assert orders - set(elsewhere) == {f"o{number}" for number in self.orders}
        assert {one: ids for one, ids in self._mailbox.ids.items() if len(ids) > 1} == {}
        lines = await journal(self.data)
        taken = Counter(
            line.input.message_id
            for line in lines
            if isinstance(line, InputLine) and isinstance(line.input, EventReceived)
        )
        assert taken == Counter(f"o{number}" for number in self.orders)
        kinds = Counter(
            (line.record.kind, line.record.step)
            for line in lines
            if isinstance(line, RecordLine) and line.record.campaign == "receipt"
        )
        count = len(set(self.orders))
        assert kinds == dict.fromkeys(WAY, count)
        states = [decode_user(line.state) for line in lines if isinstance(line, StateLine)]
        assert [one for one in states if one.pending or one.enrollments] == []
        replay = Replay()
        for _ in replay.run(iter(lines)):
            pass
        assert (replay.comparison.different, replay.comparison.shown) == (0, [])


WAY = (
    ("entered", ""),
    ("sent", "receipt"),
    ("delivered", "receipt"),
    ("sent", "reminder"),
    ("delivered", "reminder"),
    ("finished", ""),
)
"""What an order leads to: kind of record, and step."""


async def journal(data: Path) -> list[Line]:
    """Everything that a data folder's runs took in, and what came of it."""
    store = await Store.open(data / "hairspring.db")
    written: list[bytes] = []
    try:
        await export(store, written.append, lambda *_: None)
    finally:
        await store.close()
    return list(decode_lines(_lines(written), "journal"))


def _lines(written: list[bytes]) -> Iterator[bytes]:
    for piece in written:
        yield from piece.splitlines()
