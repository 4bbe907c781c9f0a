"""`python -m bench.mixed`: the real process under a load as a shop has it, for an hour.

`hairspring serve` with mails and webhooks, six clients, a backup and a reload each ten minutes,
deadlines all the time, and events kept so shortly that pruning is at work. A line a minute, and a
verdict at the end: exit code 1 where a message is missing or came twice, or something grows.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.mixed.load import Load
from bench.mixed.readings import HEAD, Gauge, Minute
from bench.mixed.shop import CART_WAIT_MS, LATEST_MS, write_cart, write_shop
from bench.mixed.verdict import Verdict, judge
from bench.process import ROOT, Server, serve_command, serving
from bench.serving import DATABASE
from engine.cli.running import Running, reach

LINE_S = 60.0
OPERATED_EVERY_S = 600.0
ARRIVE_WITHIN_S = 120.0
LEVELS = re.compile(r'"level":"(warning|error|critical)"')


class Hour:
    """One run, and all that it starts.

    Args:
        for_s: How long the load lasts.
        rate: Items a second.
        users: Shoppers from the start.
        out: Where lines go as JSON, besides to the terminal; or None.
    """

    def __init__(self, *, for_s: float, rate: float, users: int, out: Path | None) -> None:
        self._for_s = for_s
        self._rate = rate
        self._users = users
        self._out = out
        self._line_s = min(LINE_S, for_s / 6)
        self._operated_every_s = min(OPERATED_EVERY_S, for_s / 3)
        self._said: list[str] = []
        self.minutes: list[Minute] = []
        self.backups = self.reloads = 0

    def run(self) -> Verdict:
        """Start everything, bear the load, wait for what is still to come, and judge."""
        with ExitStack() as opening:
            self._open(opening)
            print(HEAD, flush=True)
            asyncio.run(self._bear())
            taken = self._wait_for_messages()
            self._server.stop()
            verdict = judge(
                self.minutes,
                taken,
                expected=self._load.expected,
                newcomers=self._load.newcomers,
                said=[*self._said, *self._complaints()],
            )
        self._write(verdict)
        return verdict

    def _open(self, opening: ExitStack) -> None:
        folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="mixed-")))
        sinks = opening.enter_context(serving(["-m", "bench.mixed.sinks"]))
        smtp_port = re.search(r"mails on port (\d+)", sinks.said)
        assert smtp_port is not None, sinks.said
        self._sinks = f"http://127.0.0.1:{sinks.port}"
        self._shop, self._data = folder / "shop", folder / "data"
        self._backup = folder / "backup.db"
        self._log = folder / "serve.log"
        write_shop(
            self._shop,
            smtp_port=int(smtp_port[1]),
            hook_port=sinks.port,
            keep_s=max(2, int(self._for_s / 6)),
        )
        self._server = Server(serve_command(self._shop, self._data), log=self._log)
        opening.callback(self._server.kill)
        running = reach(self._data)
        assert isinstance(running, Running)
        self._running = running
        self._load = Load(self._server.port, rate=self._rate, users=self._users)

    async def _bear(self) -> None:
        await self._load.introduce()
        self._gauge = Gauge(self._server.pid, self._running.url, self._data, DATABASE)
        self._began_s = time.monotonic()
        beside = [
            asyncio.create_task(self._tell_minutes()),
            asyncio.create_task(self._back_up_at_times()),
            asyncio.create_task(self._reload_at_times()),
        ]
        try:
            await self._load.run(self._for_s)
        finally:
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
        broken = [one for one in ended if isinstance(one, Exception)]
        if broken:
            raise broken[0]
        await asyncio.to_thread(self._tell_minute)

    async def _tell_minutes(self) -> None:
        number = 1
        while True:
            await self._sleep_until(number * self._line_s)
            await asyncio.to_thread(self._tell_minute)
            number += 1

    def _tell_minute(self) -> None:
        at_s = round(time.monotonic() - self._began_s)
        events, messages = self._load.acknowledged, int(self._get("/count"))
        minute = self._gauge.read(at_s=at_s, events=events, messages=messages)
        self.minutes.append(minute)
        print(minute.line(), flush=True)
        self._write(minute)

    async def _back_up_at_times(self) -> None:
        """In the middle between two reloads."""
        at_s = self._operated_every_s / 2
        while True:
            await self._sleep_until(at_s)
            at_s += self._operated_every_s
            await asyncio.to_thread(self._back_up)

    def _back_up(self) -> None:
        command = ["-m", "engine", "backup", str(self._backup), "--data", str(self._data)]
        made = subprocess.run(
            [sys.executable, *command, "--force", "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.backups += 1
        if made.returncode:
            self._said.append(f"a backup failed: {made.stderr}")

    async def _reload_at_times(self) -> None:
        at_s = self._operated_every_s
        while True:
            await self._sleep_until(at_s)
            at_s += self._operated_every_s
            self.reloads += 1
            write_cart(self._shop, CART_WAIT_MS + 100 * self.reloads)
            answer = await asyncio.to_thread(self._running.ask, "POST", "api", "reload")
            if not msgspec.json.decode(answer)["changed"]:
                self._said.append("a reload found nothing changed")

    async def _sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(self._began_s + at_s - time.monotonic())

    def _wait_for_messages(self) -> dict[str, list[str]]:
        give_up_s = time.monotonic() + ARRIVE_WITHIN_S
        # What must not come has as long as the last wait to come all the same.
        time.sleep(LATEST_MS / 1_000)
        taken = self._taken()
        while self._load.expected - taken.keys() and time.monotonic() < give_up_s:
            time.sleep(0.5)
            taken = self._taken()
        return taken

    def _taken(self) -> dict[str, list[str]]:
        return msgspec.json.decode(self._get("/taken"), type=dict[str, list[str]])

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._sinks + path, timeout=ARRIVE_WITHIN_S) as answer:
            body: bytes = answer.read()
        return body

    def _complaints(self) -> list[str]:
        """What the process logged as an error; warnings are for the reader alone."""
        found: list[str] = []
        for line in self._log.read_text().splitlines():
            level = LEVELS.search(line)
            if level is not None:
                print(line, file=sys.stderr)
                found += [line] if level[1] != "warning" else []
        return found

    def _write(self, what: msgspec.Struct) -> None:
        if self._out is not None:
            with self._out.open("ab") as lines:
                lines.write(msgspec.json.encode(what) + b"\n")


def main() -> int:
    """Run as asked; 0 where all is as promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.mixed", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the load lasts")
    parser.add_argument("--rate", type=float, default=150.0, help="items a second")
    parser.add_argument("--users", type=int, default=2_000, help="shoppers from the start")
    parser.add_argument("--out", type=Path, help="add each line and the verdict here, as JSON")
    asked = parser.parse_args()
    hour = Hour(for_s=asked.minutes * 60, rate=asked.rate, users=asked.users, out=asked.out)
    verdict = hour.run()
    print(f"{hour.backups} backups, {hour.reloads} reloads")
    print(msgspec.json.format(msgspec.json.encode(verdict), indent=2).decode())
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
