"""`make` on a fresh checkout says what it does, and what to do where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def make(place: Path, *args: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", place)
    shutil.copy(ROOT / "pyproject.toml", place)
    shutil.copytree(ROOT / "requirements", place / "requirements")
    return subprocess.run(
        ["make", "demo", *args],
        cwd=place,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_network_it_says_what_it_did_and_what_to_do(tmp_path: Path) -> None:
    # An environment whose pip finds nothing, as pip does where no index can be reached.
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\n[ "$3" = --version ] && exit 0\necho "ERROR: no connection" >&2\nexit 1\n'
    )
    python.chmod(0o755)
    done = make(tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines()[:3] == [
        "Setting up .venv, once: about a minute.",
        "[1/3] a Python environment …",
        "[2/3] some thirty packages …",
    ]
    assert "ERROR: no connection\n" in done.stderr
    assert "Is the network there?" in done.stderr
    assert "PIP_FIND_LINKS" in done.stderr
    assert not (tmp_path / ".venv/.run").exists()


def test_without_python_it_says_so(tmp_path: Path) -> None:
    done = make(tmp_path, "PYTHON=python-of-nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("There is no python-of-nowhere. Install Python 3.11 or newer")
