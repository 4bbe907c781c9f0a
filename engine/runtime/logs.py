"""Logs: JSON lines to a pipe or file, coloured lines to a terminal; no bodies, no addresses.

What libraries and Python itself say to standard error (a warning, an exception that nobody caught)
goes the same way, so that whoever reads JSON lines reads nothing else.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import orjson
import structlog
from typing_extensions import override

from engine.runtime.clock import monotonic_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_SAID_EVERY_NS = 2_000_000_000


def set_up_logs(*, as_json: bool, verbose: bool, quiet: bool = False) -> bool:
    """Log to standard error; call once, before anything logs.

    `verbose` logs each request too, `quiet` only what a person should act on. Returns whether the
    lines are JSON.
    """
    as_json = as_json or not sys.stderr.isatty()
    last: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
        if as_json
        # The plain form shows no variables: they may hold what no log should.
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
        ),
        logger_factory=(
            structlog.BytesLoggerFactory(cast("BinaryIO", _Lossy(sys.stderr.buffer)))
            if as_json
            else structlog.PrintLoggerFactory(sys.stderr)
        ),
    )
    _hear_others()
    return as_json


def _to_json(line: Any, **options: Any) -> bytes:  # noqa: ANN401 - as structlog has it
    """The line as JSON; what JSON has no form for, or what is half a character, as its repr."""
    try:
        return orjson.dumps(line, **options)
    except TypeError:
        return orjson.dumps({key: ascii(value) for key, value in line.items()})


class _Lossy:
    """A stream that drops what cannot be written.

    A full disk under a log must not end the process that it tells of.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(data)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Others(logging.Handler):
    """What libraries log."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger(record.name).log(
            record.levelno,
            "library",
            logger=record.name,
            said=record.getMessage(),
            **({"exc_info": error} if error else {}),
        )


def now_and_then(event: str, now_ns: Callable[[], int] = monotonic_ns) -> Callable[[str], None]:
    """Whom long work may tell where it is, as often as it likes: a line every two seconds says it.

    The first comes when it has taken two seconds. He may be told on any thread.
    """
    started_ns = next_ns = now_ns()
    next_ns += _SAID_EVERY_NS

    def told(where: str) -> None:
        nonlocal next_ns
        at_ns = now_ns()
        if at_ns >= next_ns:
            next_ns = at_ns + _SAID_EVERY_NS
            seconds = (at_ns - started_ns) // 1_000_000_000
            structlog.get_logger("hairspring").info(event, at=where, seconds=seconds)

    return told


def _hear_others() -> None:
    logging.basicConfig(handlers=[_Others()], level=logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(
        failed.exc_type, failed.exc_value, failed.exc_traceback
    )
    sys.unraisablehook = lambda failed: _uncaught(
        failed.exc_type, failed.exc_value, failed.exc_traceback
    )


def _uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    exc_info = (kind, error or kind(), traceback)
    structlog.get_logger("hairspring").critical("uncaught", exc_info=exc_info)
