"""What every command does at the terminal: wrong usage told as faults are, and a closed pipe."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from typing_extensions import override

from engine.errors import HairspringError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from rich.console import Console, RenderableType

PIPE_CLOSED = 141
"""The exit code where who read the output is gone (`| head`): 128 + SIGPIPE, as a shell tells it
of other programs."""


@contextmanager
def pipe_may_close() -> Iterator[None]:
    """Where nobody reads what is printed any more, the command ends quietly with `PIPE_CLOSED`.

    Raises:
        HairspringError: There is no room for what is printed.
    """
    try:
        yield
    except BrokenPipeError:
        # What is still buffered would fail once more, and loudly, when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        hint = "make room, or send it elsewhere"
        raise HairspringError(f"there is no room to write: {error.strerror}", hint=hint) from error


_PROGRESS_AFTER_NS = 2_000_000_000
_PROGRESS_EVERY_NS = 50_000_000


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Whom to tell (done, total) of long work: shown on a terminal, once it has taken two seconds.

    However seldom he is told. He may be told on any thread.
    """
    from engine.runtime.clock import monotonic_ns

    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return

    from rich.progress import Progress

    started_ns = monotonic_ns()

    class Late(Progress):
        """Drawn by its own thread, so that it is there while nobody tells anything."""

        @override
        def get_renderables(self) -> Iterable[RenderableType]:
            if monotonic_ns() - started_ns >= _PROGRESS_AFTER_NS:
                yield from super().get_renderables()

    with Late(console=plain_console(err=True), transient=True, disable=False) as shown:
        task = shown.add_task(label, total=None)
        next_ns = started_ns

        def told(done: int, total: int) -> None:
            nonlocal next_ns
            now_ns = monotonic_ns()
            if now_ns >= next_ns:  # it costs more than many a row does
                next_ns = now_ns + _PROGRESS_EVERY_NS
                shown.update(task, completed=done, total=total)

        yield told


def plain_console(*, err: bool = False) -> Console:
    """A console that colours and wraps nothing, and leaves a closed pipe to `pipe_may_close`."""
    from rich import console

    class Plain(console.Console):
        @override
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Plain(stderr=err, highlight=False, soft_wrap=True)


def usage_told(error: click.ClickException) -> str:
    """What is wrong with how a command was called, what would be right, and where that stands."""
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return error.format_message()
    context = error.ctx
    told = error.format_message().rstrip(".").replace("a valid integer range", "a whole number")
    if isinstance(error, click.NoSuchOption):
        told = _no_such_option(context, error.option_name)
    return f"{told}\n  see: {context.command_path} --help"


def _no_such_option(context: click.Context, name: str) -> str:
    from config.faults import nearest

    parameters = context.command.get_params(context)
    known = [name for each in parameters if isinstance(each, click.Option) for name in each.opts]
    return f"{context.command_path} has no option {name}; {nearest(name, known)}"


def no_such_command(
    context: click.Context, name: str, *, known: Collection[str]
) -> click.UsageError:
    """What to raise for a command that is not there."""
    from config.faults import nearest

    return click.UsageError(f"there is no command {name}; {nearest(name, known)}", context)
