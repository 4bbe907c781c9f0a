"""Logs: JSON lines to a pipe or file, coloured lines to a terminal; no bodies, no addresses."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog


def set_up_logs(*, as_json: bool, verbose: bool, quiet: bool = False) -> None:
    """Log to standard error; call once, before anything logs.

    `verbose` logs each request too, `quiet` only what a person should act on.
    """
    as_json = as_json or not sys.stderr.isatty()
    last: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
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
            structlog.BytesLoggerFactory(sys.stderr.buffer)
            if as_json
            else structlog.PrintLoggerFactory(sys.stderr)
        ),
        cache_logger_on_first_use=True,
    )
