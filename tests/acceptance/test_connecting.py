"""The stock clients of docs/how-to/connect-the-sdk-you-have.md, each program run as it stands."""

from __future__ import annotations

import functools
import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.conftest import write
from tests.clients import chromium, node

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]

PAGE = Path(__file__).parents[2] / "docs/how-to/connect-the-sdk-you-have.md"
FENCE = re.compile(r"^```(python|js)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
HOST = "http://localhost:8080"
ADMIN = {"Authorization": "Bearer an-admin-key"}


IMPORTED = re.compile(r'from "([^"]+)"|^(?:import|from) ([a-z.]+)', re.MULTILINE)


def programs(language: str, mark: str = "") -> dict[str, str]:
    """By the package that each is for."""
    return {
        "".join(IMPORTED.findall(code)[0]): code
        for lang, how, code in FENCE.findall(PAGE.read_text())
        if (lang, how.strip()) == (language, mark)
    }


PYTHON, NODE, BROWSER = programs("python"), programs("js"), programs("js", "browser")
CALLS = 5
"""That each program makes."""


@pytest.fixture
def connected(tmp_path, serve):
    """A served shop without campaigns."""
    write(tmp_path / "shop", {"hairspring.toml": '[keys]\nadmin = "an-admin-key"\n'})
    return serve(tmp_path / "shop")


def told(serving, path: str) -> Any:
    request = urllib.request.Request(serving.admin_url + path, headers=ADMIN)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def run_python(code: str, url: str, folder: Path) -> None:
    program = folder / "client.py"
    program.write_text(code.replace(HOST, url))
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def run_node(code: str, url: str, folder: Path) -> None:
    # Where its imports are found; tests at the same time have folders of the same name.
    program = node.HERE / "node_modules" / f"{folder.name}-{os.getpid()}.mjs"
    program.write_text(code.replace(HOST, url))
    try:
        done = subprocess.run(
            ["node", program], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        program.unlink()
    assert done.returncode == 0, done.stderr


def look_at_ada(serving) -> None:
    """What every program says of her has arrived, once."""
    ada = told(serving, "/api/users/ada")
    assert ada["traits"]["email"] == "ada@example.com"
    assert ada["traits"]["group"] == {"name": "Acme", "id": "g1"}
    assert "ada-before" in [alias["id"] for alias in ada["aliases"]]
    timeline = told(serving, "/api/users/ada/timeline")["timeline"]
    events = Counter(entry["event"] for entry in timeline if entry.get("kind") == "event")
    assert events == {"Page Viewed": 1, "Product Added": 1}
    (added,) = [entry for entry in timeline if entry.get("event") == "Product Added"]
    assert {"product_id": "p1", "price": 120}.items() <= added["properties"].items()


@pytest.mark.parametrize("client", PYTHON)
def test_a_python_client_arrives_by_its_host_alone(connected, tmp_path, client):
    run_python(PYTHON[client], connected.url, tmp_path)
    look_at_ada(connected)


@pytest.mark.parametrize("client", NODE)
def test_a_node_client_arrives_by_its_host_alone(connected, tmp_path, client):
    if reason := node.why_not():
        pytest.skip(reason)
    run_node(NODE[client], connected.url, tmp_path)
    look_at_ada(connected)


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Hands requests on, and tells of the first two posts' answers that something failed.

    So the client sends again what was taken, as after an answer that was lost.
    """

    server: Relay

    def do_POST(self) -> None:
        status, headers, said = self.ask()
        with self.server.lock:
            if self.server.failures:
                status = self.server.failures.pop(0)
                said = b'{"success": false, "code": "unavailable", "message": "try again"}'
                headers["Retry-After"] = "1"
            self.server.statuses.append(status)
        self.tell(status, headers, said)

    def do_GET(self) -> None:
        self.tell(*self.ask())

    def do_OPTIONS(self) -> None:
        self.tell(*self.ask())

    def ask(self) -> tuple[int, dict[str, str], bytes]:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        behind = http.client.HTTPConnection(self.server.behind, timeout=30)
        # The host too: the settings of browsers' clients name the one that was asked.
        behind.request(self.command, self.path, body, dict(self.headers.items()))
        answer = behind.getresponse()
        said = answer.read()
        behind.close()
        own = ("content-length", "connection", "transfer-encoding", "date", "server")
        headers = {k: v for k, v in answer.getheaders() if k.lower() not in own}
        return answer.status, headers, said

    def tell(self, status: int, headers: dict[str, str], said: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Relay(http.server.ThreadingHTTPServer):
    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Forgetful)
        self.behind = behind.removeprefix("http://")
        self.failures = [503, 429]
        self.statuses: list[int] = []
        self.lock = threading.Lock()  # a browser has several requests under way
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def relay(connected) -> Iterator[Relay]:
    relay = Relay(connected.url)
    yield relay
    relay.shutdown()
    relay.server_close()


@pytest.mark.parametrize("client", PYTHON)
def test_what_a_python_client_sends_again_is_taken_once(connected, relay, tmp_path, client):
    run_python(PYTHON[client], relay.url, tmp_path)

    assert relay.statuses[:2] == [503, 429]
    assert 200 in relay.statuses
    look_at_ada(connected)


@pytest.mark.parametrize("client", NODE)
def test_what_a_node_client_sends_again_is_taken_once(connected, relay, tmp_path, client):
    if reason := node.why_not():
        pytest.skip(reason)
    run_node(NODE[client], relay.url, tmp_path)

    assert relay.statuses[:2] == [503, 429]
    assert 200 in relay.statuses
    look_at_ada(connected)


@pytest.fixture
def page_at(tmp_path) -> Iterator[Any]:
    """Serves a page with a script on an origin of its own, and gives its address."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve_page(script: str) -> str:
        (tmp_path / "client.js").write_text(script)
        page = '<!doctype html><title>Shop</title><script src="client.js"></script>'
        (tmp_path / "index.html").write_text(page)
        return f"http://localhost:{server.server_port}/index.html"

    yield serve_page
    server.shutdown()
    server.server_close()


def bundled(code: str, url: str, name: str) -> str:
    """The program with its packages, as a shop's build would have it."""
    program = node.HERE / "node_modules" / f"{name}-{os.getpid()}.mjs"
    program.write_text(code.replace(HOST, url))
    try:
        return subprocess.run(
            [node.HERE / "node_modules/.bin/esbuild", program, "--bundle", "--format=iife"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
    finally:
        program.unlink()


def visit_until_all_is_taken(address: str) -> None:
    """Open the page, and return once each of its calls was answered with 200."""
    with chromium.chromium() as browser:
        page = browser.new_page()
        taken = [0]

        def is_last(response: Any) -> bool:
            taken[0] += response.request.method == "POST" and response.status == 200
            return taken[0] == CALLS

        with page.expect_response(is_last, timeout=120_000):
            page.goto(address)


@pytest.mark.parametrize("client", BROWSER)
def test_a_browser_client_arrives_by_its_host_alone(connected, page_at, tmp_path, client):
    if reason := node.why_not() or chromium.why_not():
        pytest.skip(reason)
    visit_until_all_is_taken(page_at(bundled(BROWSER[client], connected.url, tmp_path.name)))
    look_at_ada(connected)


@pytest.mark.parametrize("client", BROWSER)
def test_what_a_browser_client_sends_again_is_taken_once(
    connected, relay, page_at, tmp_path, client
):
    if reason := node.why_not() or chromium.why_not():
        pytest.skip(reason)
    visit_until_all_is_taken(page_at(bundled(BROWSER[client], relay.url, tmp_path.name)))

    assert {503, 429} < set(relay.statuses)
    assert relay.statuses.count(200) == CALLS
    look_at_ada(connected)
