"""What the running process keeps because it failed, tried again: a bar tells how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from engine.cli.running import reach_running
from engine.cli.terminal import progress_bar

if TYPE_CHECKING:
    from pathlib import Path

_T = TypeVar("_T")


def have_retried(data: Path, kept: str, asked: object, form: type[_T], *, why: str) -> _T:
    """Have it done by whoever serves from a data folder.

    Args:
        data: The folder.
        kept: `deadletters` or `quarantine`, as in `POST /api/…/retry`.
        asked: Which of them, as that route takes it.
        form: What it answers.
        why: What needs a process that runs: told where there is none.

    Raises Refused, StoreError.
    """
    running = reach_running(data, why)
    with progress_bar("retrying") as told:
        return running.follow(
            "POST", "api", kept, "retry",
            body=msgspec.json.encode(asked), form=form, on_progress=told,
        )  # fmt: skip
