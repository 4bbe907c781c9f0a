"""`python -m bench.peers`: the same durable delays by us and by other tools, and `kill -9` for all.

Ten thousand delays that are due spread over five seconds. A delay that is over appends a line to a
file: peers from a task, ours by the transport `file` of a webhook, which is also flushed to disk.
First left alone, then killed with SIGKILL when half of them are due and started again at once.
What has not run half a minute after the last was due counts as lost.

Each peer has a virtual environment of its own, made from the requirements beside its module the
first time. Those with Redis need `redis-server` on the path; it is not killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.delays import QUIET_S, requests_that_wait, write_shop
from bench.harness import quantile
from bench.ingest import send
from bench.instants import now_ms, sleep_until
from bench.peers import plot
from bench.process import ROOT, Server, serve_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SPREAD_MS = 5_000
GIVE_UP_AFTER_S = 30.0
LEADS_S = {"celery_redis": 30, "huey_redis": 20, "apscheduler_sqlite": 60, "dbos_sqlite": 90}
"""How long scheduling may take, from the start of the worker to the first that is due."""

OURS = "hairspring"


class Outcome(msgspec.Struct):
    """What became of one run.

    Attributes:
        lost: Delays that never ran.
        again: How often a delay ran that had run before.
        late_ms: How late each ran first; less than 0 is early.
        late_scheduling: Whether some were due before all were scheduled.
    """

    lost: int
    again: int
    late_ms: list[float]
    late_scheduling: bool = False


def run_peer(name: str, python: Path, count: int, *, is_killed: bool) -> Outcome:
    """Have a peer's worker schedule and run delays."""
    with tempfile.TemporaryDirectory() as folder, _redis(name) as redis:
        first_at_ms = now_ms() + LEADS_S[name] * 1_000 * count // 10_000 + 5_000
        plan = {
            "count": count,
            "first_at_ms": first_at_ms,
            "spread_ms": SPREAD_MS,
            "redis": redis,
        }
        (Path(folder) / "plan.json").write_text(json.dumps(plan))
        worker = _start(name, python, folder)
        try:
            sleep_until(first_at_ms)
            was_scheduled = (Path(folder) / "scheduled").exists()
            if is_killed:
                sleep_until(first_at_ms + SPREAD_MS // 2)
                _kill(worker)
                worker = _start(name, python, folder)
            last_at_ms = first_at_ms + SPREAD_MS
            sleep_until(last_at_ms)
            _wait_for(lambda: has_come(_ran(Path(folder)), count), last_at_ms)
            time.sleep(QUIET_S)
            if worker.poll() is not None:  # what it did not run would count as lost
                said = (Path(folder) / "errors").read_text(errors="replace")[-2_000:]
                raise RuntimeError(f"the worker of {name} ended by itself: {said}")
        finally:
            _kill(worker)
        return _counted(_ran(Path(folder)), count, late_scheduling=not was_scheduled)


def run_ours(count: int, *, is_killed: bool) -> Outcome:
    """Have `hairspring serve` take an event each, and wait by a campaign."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shop(folder, None)
        outbox = folder / "data" / "outbox" / "webhook.ndjson"
        server = Server(serve_command(folder, folder / "data"))
        try:
            first_at_ms = now_ms() + 5_000
            due = {
                f"delay-{number}": first_at_ms + SPREAD_MS * number // count
                for number in range(count)
            }
            send(server.port, requests_that_wait(due))
            was_scheduled = now_ms() < first_at_ms
            watch = _Watch(outbox)
            kill_at_ms = first_at_ms + SPREAD_MS // 2 if is_killed else 1 << 60
            give_up_ms = first_at_ms + SPREAD_MS + int(GIVE_UP_AFTER_S * 1_000)
            while not has_come(watch.ran, count) and now_ms() < give_up_ms:
                watch.look()
                time.sleep(0.001)
                if now_ms() >= kill_at_ms:
                    kill_at_ms = 1 << 60
                    server.kill()
                    server = Server(serve_command(folder, folder / "data"))
            time.sleep(QUIET_S)
            watch.look()
        finally:
            server.kill()
        return _counted(watch.ran, count, late_scheduling=not was_scheduled)


class _Watch:
    """Notes when it first saw each line of a growing file, each millisecond or so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.ran: list[dict[str, int | str]] = []

    def look(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            lines.seek(self._offset)
            fresh = lines.read()
        at_ns = time.time_ns()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            hook = json.loads(json.loads(line)["body"])
            self.ran.append({**hook, "at_ns": at_ns})


def _start(name: str, python: Path, folder: str) -> subprocess.Popen[bytes]:
    with (Path(folder) / "errors").open("ab") as errors:
        return subprocess.Popen(
            [python, "-m", f"bench.peers.{name}"],
            cwd=ROOT,
            env={**os.environ, "PEER_FOLDER": folder},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _kill(worker: subprocess.Popen[bytes]) -> None:
    """The worker and the processes that it started."""
    with suppress(ProcessLookupError):  # it ended by itself
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


@contextmanager
def _redis(name: str) -> Iterator[str]:
    """A Redis of its own, with its append-only file; "" for a peer that needs none."""
    if not name.endswith("_redis"):
        yield ""
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", folder, "--appendonly", "yes"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait_for(lambda: _answers(port), now_ms())
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _wait_for(is_so: Callable[[], bool], from_ms: int) -> None:
    """Until it is so, or half a minute after an instant."""
    while not is_so() and now_ms() < from_ms + GIVE_UP_AFTER_S * 1_000:
        time.sleep(0.1)


def has_come(ran: list[dict[str, int | str]], count: int) -> bool:
    """Whether as many different delays ran: one that ran twice stands for no other."""
    return len(ran) >= count and len({one["name"] for one in ran}) == count


def _ran(folder: Path) -> list[dict[str, int | str]]:
    path = folder / "ran.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _counted(ran: list[dict[str, int | str]], count: int, *, late_scheduling: bool) -> Outcome:
    firsts: dict[str, float] = {}
    for one in ran:
        late_ms = int(one["at_ns"]) / 1e6 - int(one["due_at_ms"])
        firsts.setdefault(str(one["name"]), late_ms)
    return Outcome(count - len(firsts), len(ran) - len(firsts), [*firsts.values()], late_scheduling)


def environment(name: str, folder: Path) -> Path:
    """The Python of a peer's own environment; it is made where it is not there yet."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / name], check=True)
        install = ["-m", "pip", "install", "--quiet", "-r", str(HERE / f"{name}.txt")]
        subprocess.run([str(python), *install], check=True)
    return python


def line(name: str, plain: Outcome, killed: Outcome) -> str:
    """A row of the table, in Markdown."""
    ordered = sorted(int(late * 1e6) for late in plain.late_ms)
    p50, p99 = (quantile(ordered, share) / 1e6 for share in (0.5, 0.99))
    early = sum(late < -1 for late in plain.late_ms)
    noted = " (some were due before all were scheduled)" if plain.late_scheduling else ""
    return (
        f"| {name}{noted} | {p50:,.1f} | {p99:,.1f} | {early:,} | {plain.lost:,} "
        f"| {killed.lost:,} | {killed.again:,} |"
    )


def main() -> int:
    """Run those who were asked for; print a table, and draw a plot where a path is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", action="append", choices=[OURS, *LEADS_S])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-peers")
    parser.add_argument("--plot", type=Path, help="an SVG file")
    options = parser.parse_args()
    late_ms: dict[str, list[float]] = {}
    print("| | p50 ms | p99 ms | early | lost | lost after kill | run again after kill |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.only or [OURS, *LEADS_S]:
        if name == OURS:
            outcomes = [run_ours(options.count, is_killed=killed) for killed in (False, True)]
        elif name.endswith("_redis") and not shutil.which("redis-server"):
            print(f"{name} needs redis-server on the path", file=sys.stderr)
            continue
        else:
            python = environment(name, options.environments)
            outcomes = [
                run_peer(name, python, options.count, is_killed=killed) for killed in (False, True)
            ]
        late_ms[name] = outcomes[0].late_ms
        print(line(name, *outcomes), flush=True)
    if options.plot:
        drawn = {name: late for name, late in late_ms.items() if late}
        options.plot.write_text(plot.svg(drawn, "How late durable delays ran"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
