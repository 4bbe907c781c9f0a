"""A live run's journal, exported and run again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.acceptance.conftest import run

if TYPE_CHECKING:
    from pathlib import Path


def exported(shop: Path, file: Path) -> Path:
    """The journal of a shop, running or stopped, in a file."""
    done = run("export-journal", file, "--data", shop / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert file.stat().st_mode & 0o077 == 0
    return file


def assert_the_same(shop: Path, file: Path, tmp_path: Path) -> dict:
    """Run again, it makes the same records and states; what the summary tells of that."""
    out = tmp_path / "records.ndjson"
    done = run("simulate", shop, "--events", file, "--out", out, "--json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    replayed = json.loads(done.stdout)["replayed"]
    assert (replayed["different"], replayed["shown"]) == (0, [])
    return replayed
