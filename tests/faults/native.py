"""A shim that has the kernel's answers spoiled: `shim.c`, compiled where there is a compiler."""

from __future__ import annotations

import ctypes
import mmap
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).with_name("shim.c")

FAIL, FAIL_FROM_THEN_ON, TEAR_AND_DIE = range(3)
"""How a call is spoiled: it fails; it and all that follow fail; half is written, and SIGKILL."""


class Control(ctypes.Structure):
    """The twin of the struct in `shim.c`."""

    _fields_ = (
        ("calls", ctypes.c_int64),
        ("nth", ctypes.c_int64),
        ("how", ctypes.c_int64),
        ("error", ctypes.c_int64),
        ("spoiled", ctypes.c_int64),
        ("wall_ns", ctypes.c_int64),
        ("monotonic_ns", ctypes.c_int64),
        ("files", ctypes.c_char * 1024),
    )


class Shim:
    """The compiled shim.

    Attributes:
        control: What it is told, and what it tells; zero all over until a test says otherwise.
        env: The environment of a process that it is to spoil.
    """

    def __init__(self, library: Path, folder: Path) -> None:
        path = folder / "control"
        path.write_bytes(bytes(ctypes.sizeof(Control)))
        with path.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), 0)
        self.control: Any = Control.from_buffer(self._mapped)
        self.env = {"LD_PRELOAD": str(library), "HAIRSPRING_TEST_SHIM": str(path)}


def compiled(folder: Path) -> Path:
    """The shim's library; skips the test that needs it where it cannot be made."""
    if sys.platform != "linux":
        pytest.skip("LD_PRELOAD is of Linux")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler (cc)")
    library = folder / "shim.so"
    arguments = ("-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl")
    subprocess.run([compiler, *arguments], check=True)
    return library
