"""Web pages for tests of browsers: one text at every path of an origin of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pages(ThreadingHTTPServer):
    """Serves `text`, as HTML unless the path ends with `.js`; `files` come first.

    Attributes:
        text: The page.
        files: What stands at a path of its own.
        headers: Further headers of each answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.text = "<!doctype html><title>A shop</title>"
        self.files: dict[str, str] = {}
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Of its root; by a name under which browsers trust it as they trust https."""
        return f"http://localhost:{self.server_port}"


class _Page(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.server.files.get(path, self.server.text).encode()
        self.send_response(200)
        kind = "text/javascript" if path.endswith(".js") else "text/html; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # a browser that goes elsewhere waits for nothing
            self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def pages() -> Iterator[Pages]:
    """Such a server, closed in the end."""
    server = Pages()
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
