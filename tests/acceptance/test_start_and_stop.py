"""How the process begins and ends: ports before work, one time for the drain, JSON lines only."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sqlite3
import stat
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import aiohttp
import pytest

from config import load_folder
from engine.app import App, Options
from engine.errors import ServeError
from tests.acceptance.conftest import run, write

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.acceptance

KEY = "Authorization: Bearer demo-write-key"
HALF = f"POST /events HTTP/1.1\r\nHost: x\r\n{KEY}\r\nContent-Length: 1000\r\n\r\n{{".encode()


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def told(log: list[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in log]


@pytest.mark.parametrize("which", ["events", "admin"])
def test_a_port_in_use_is_found_before_any_work(shop, which):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if which == "admin":
            settings = shop / "hairspring.toml"
            settings.write_text(settings.read_text() + f"\n[server]\nadmin_port = {port}\n")
        done = run("serve", shop, "--port", port if which == "events" else 0)
    assert done.returncode == 1
    (line,) = told(done.stderr.splitlines())
    assert (line["event"], line["code"]) == ("serve.failed", "serve.port")
    assert f"port {port} on 127.0.0.1 is in use" in line["why"]
    assert ("server.admin_port" if which == "admin" else "--port") in line["hint"]
    assert done.stdout == ""
    assert not (shop / "data" / "hairspring.db").exists()
    assert not (shop / "data" / "admin.key").exists()  # or nobody would ever be told of it


def test_every_line_of_a_piped_log_is_json(shop, serve):
    # A mail without a subject is a warning.
    write(shop, {"templates/idle.email.liquid": "{{ user.nothing }}"})
    serving = serve(shop)
    serving.process.send_signal(signal.SIGHUP)
    serving.wait_to_say('"event":"reloaded"')
    assert serving.drain() == 0
    events = [line["event"] for line in told(serving.log)]
    assert "shop.warning" in events
    assert "draining" in events
    assert events[-1] == "stopped"


def test_a_shop_with_faults_is_one_line_of_json(shop):
    write(shop, {"campaigns/one.yaml": "campaign: one\nenter: {event: Go}\nstepz: []\n"})
    done = run("serve", shop, "--port", "0")
    assert done.returncode == 1
    (line,) = told(done.stderr.splitlines())
    assert line["event"] == "serve.failed"
    assert "campaigns/one.yaml:3: unknown key" in line["why"]


@contextmanager
def held_up_drain(serving, number: signal.Signals) -> Iterator[None]:
    """A drain that waits for a client: of its body the first byte is there, and no more comes."""
    with connect(serving.url) as half:
        half.sendall(HALF)
        wait_for_connections(serving, 1)
        serving.process.send_signal(number)
        serving.wait_to_say('"event":"draining"')
        yield


def test_a_second_signal_ends_the_process_at_once(shop, serve):
    serving = serve(shop)
    with held_up_drain(serving, signal.SIGINT):
        serving.process.send_signal(signal.SIGINT)
        code = serving._end()
    assert code == 130
    *_, draining, last = told(serving.log)
    assert draining["within_s"] == 10
    assert "second signal" in draining["hint"]
    assert (last["event"], last["messages"]) == ("stopped.at_once", 0)
    assert "next start" in last["hint"]


def wait_for_connections(serving, count: int) -> None:
    while f"\nhairspring_connections {count}.0\n" not in get(f"{serving.admin_url}/metrics")[1]:
        pass


def wait_to_be_refused(url: str) -> None:
    with suppress(ConnectionError):
        while True:
            connect(url).close()


def test_the_admin_port_says_how_a_drain_comes_along(shop, serve):
    serving = serve(shop)
    with held_up_drain(serving, signal.SIGTERM):
        assert get(f"{serving.admin_url}/healthz")[0] == 200
        status, said = get(f"{serving.admin_url}/readyz")
        assert (status, json.loads(said)["code"]) == (503, "not_ready")
    # The slow client is gone, and there is nothing more to wait for.
    assert serving._end() == 0


def test_a_body_that_comes_in_during_a_drain_is_taken_and_answered(shop, serve):
    serving = serve(shop)
    body = json.dumps([{"user_id": "ada", "event": "Paid", "message_id": "m1"}]).encode()
    head = f"POST /events HTTP/1.1\r\nHost: x\r\n{KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    with connect(serving.url) as client:
        client.sendall(head.encode() + body[:20])
        wait_for_connections(serving, 1)
        serving.process.send_signal(signal.SIGTERM)
        serving.wait_to_say('"event":"draining"')
        wait_to_be_refused(serving.url)
        client.sendall(body[20:])
        said = b"".join(iter(lambda: client.recv(1 << 16), b"")).decode()
    assert serving._end() == 0
    assert said.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nConnection: close\r\n" in said
    assert said.endswith('{"accepted":1,"rejected":[]}')
    held = run("users", "export", "ada", "--data", shop / "data")
    assert '"Paid"' in held.stdout, held


async def test_a_drain_that_cannot_save_ends_and_says_so(shop):
    app = await App.start(load_folder(shop), Options(data=shop / "data", port=0, drain_s=0.1))
    other = sqlite3.connect(shop / "data" / "hairspring.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    headers = {"Authorization": "Bearer demo-write-key"}
    async with aiohttp.ClientSession(headers=headers) as session:
        item = {"user_id": "u", "event": "E"}
        posting = asyncio.create_task(session.post(f"{app.ingest.url}/events", json=item))
        while not app.why_not_ready():
            await asyncio.sleep(0)

        with pytest.raises(ServeError, match="the journal cannot be written") as caught:
            await app.stop()

        async with await posting as answer:
            # Not known: it is in memory alone.
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    other.close()
    assert caught.value.code == "serve.unsaved"
    assert "nothing acknowledged is lost" in caught.value.hint


def test_the_admin_key_is_made_once_and_printed_once(shop, serve):
    first = serve(shop)
    key_file = shop / "data" / "admin.key"
    key = key_file.read_text().strip()
    line = first.process.stdout.readline()
    assert line == f"admin key, made now and kept in {key_file}: {key}\n"
    for file in (key_file, *key_file.parent.glob("hairspring.db*")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.drain() == 0
    assert not any(key in line for line in first.log)

    second = serve(shop)
    second.process.send_signal(signal.SIGTERM)
    assert second.process.stdout.read() == ""
    assert second._end() == 0
    assert key_file.read_text().strip() == key


def test_more_connections_than_files_leave_the_admin_port_reachable(shop, serve):
    serving = serve(shop, files=300)
    clients = []
    try:
        clients = [connect(serving.url) for _ in range(400)]
        serving.wait_to_say('"event":"connections.turned_away"')
        assert get(f"{serving.url}/healthz")[0] == 503
        assert get(f"{serving.admin_url}/healthz")[0] == 200
        _, said = get(f"{serving.admin_url}/metrics")
        assert (
            float(re.search(r"^hairspring_connections_turned_away (\S+)", said, re.MULTILINE)[1])
            > 300
        )
    finally:
        for client in clients:
            client.close()
    assert serving.drain() == 0
    lines = [line for line in told(serving.log) if line["level"] != "info"]
    few, *turned_away = [line for line in lines if line["event"] != "loop.stalled"]
    assert few["event"] == "connections.few"
    assert "LimitNOFILE" in few["hint"]
    assert {line["event"] for line in turned_away} == {"connections.turned_away"}
    assert len(turned_away) < 10
    assert turned_away[0]["so_far"] == 1


async def test_slow_clients_and_slow_deliveries_share_one_time(shop):
    tried = asyncio.Event()

    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.set()
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = shop / "hairspring.toml"
    settings.write_text(
        re.sub(r"^port = \d+", f"port = {port}", settings.read_text(), flags=re.MULTILINE)
    )
    options = Options(data=shop / "data", port=0, drain_s=0.5)
    app = await App.start(load_folder(shop), options)
    who = {"type": "identify", "user_id": "u", "traits": {"email": "u@example.com"}}
    order = {"user_id": "u", "event": "Order Completed", "properties": {"order_id": "A1"}}
    headers = {"Authorization": "Bearer demo-write-key"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{app.ingest.url}/events", json=[who, order]) as answer,
    ):
        assert answer.status == 200
    await tried.wait()
    _, half = await asyncio.open_connection("127.0.0.1", app.ingest.port)
    half.write(HALF)
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    await app.stop()

    # Twice the time would be one after the other; what is left is for closing what was cut.
    assert 0.5 <= loop.time() - began_s < 5
    assert app.left()["messages"] == 1
    for writer in (half, *writers):
        writer.close()
    server.close()
