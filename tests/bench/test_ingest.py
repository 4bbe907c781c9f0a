"""The load generator."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from bench.ingest import send

_REQUEST = b"POST /v1/track HTTP/1.1\r\n\r\n"


def _answer(listening: socket.socket, said: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1_024)
        connection.sendall(said)
        connection.recv(1_024)  # until it is closed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n{}", "401 Unauthorized"),
        (b"HTTP/1.1 200 OK\r\n\r\n{", "200 OK"),
    ],
)
def test_an_answer_that_is_not_a_whole_200_ends_the_measurement(said: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = Thread(target=_answer, args=(listening, said))
        answering.start()
        try:
            with pytest.raises(RuntimeError, match=told):
                send(listening.getsockname()[1], [_REQUEST])
        finally:
            answering.join()
