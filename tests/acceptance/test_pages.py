"""A web page of another origin, in a real browser, sends events as stock SDKs do."""

from __future__ import annotations

import json
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tests.acceptance.conftest import write
from tests.clients.chromium import chromium, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(300),  # a browser has to be started
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is one"),
]

SEND = """async ([url, key]) => {
  const headers = {Authorization: 'Basic ' + btoa(key + ':'), 'Content-Type': 'text/plain'}
  const body = JSON.stringify({anonymousId: 'a1', type: 'track', event: 'Seen', messageId: key})
  try {
    const answer = await fetch(url + '/v1/t', {method: 'POST', headers, body, keepalive: true})
    return [answer.status, await answer.json(), answer.headers.get('retry-after')]
  } catch (error) {
    return [0, String(error), null]
  }
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A shop</title>")

    @override
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page_served() -> Iterator[str]:
    """The address of an empty page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_a_page_sends_where_its_key_may_and_reads_why_it_may_not(tmp_path, serve):
    with page_served() as own, page_served() as foreign, chromium() as browser:
        keys = [
            {"key": "any"},
            {"key": "own", "origins": [own]},
            {"key": "slow", "rate": 1, "origins": [own]},
        ]
        told = ", ".join(
            "{" + ", ".join(f"{name} = {json.dumps(said)}" for name, said in key.items()) + "}"
            for key in keys
        )
        settings = f"[server]\nevents_max = 1\n[keys]\nwrite = [{told}]\n"
        write(tmp_path / "shop", {"hairspring.toml": settings})
        serving = serve(tmp_path / "shop")
        page = browser.new_page()
        page.goto(own)
        assert page.evaluate(SEND, [serving.url, "any"]) == [200, {"success": True}, None]
        assert page.evaluate(SEND, [serving.url, "own"]) == [200, {"success": True}, None]
        at_once = f"(said) => Promise.all(Array.from({{length: 12}}, () => ({SEND})(said)))"
        answers = page.evaluate(at_once, [serving.url, "slow"])
        assert {status for status, _, _ in answers} == {200, 429}
        refused = next(answer for answer in answers if answer[0] == 429)
        assert refused[1]["code"] == "rate.exceeded"
        assert int(refused[2]) >= 1
        page.goto(foreign)
        assert page.evaluate(SEND, [serving.url, "any"])[0] == 200
        refused = page.evaluate(SEND, [serving.url, "own"])
        assert (refused[0], refused[1]["code"]) == (403, "origin.foreign")
    with urllib.request.urlopen(f"{serving.admin_url}/metrics") as answer:
        text = answer.read().decode()
    assert 'hairspring_requests_refused_total{why="origin"} 1.0' in text
