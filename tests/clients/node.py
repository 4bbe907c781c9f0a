"""Node and the packages that tests need of it, installed once beside their `package.json`."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
INSTALL = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]


def why_not() -> str:
    """What keeps stock clients of Node from being run here, or ""; installs them where needed."""
    if not shutil.which("npm"):
        return "npm is not installed"
    asked = HERE / "package.json"
    done = HERE / "node_modules" / ".installed"
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests may begin at once
        if done.exists() and done.read_text() == asked.read_text():
            return ""
        told = subprocess.run(
            INSTALL, cwd=HERE, capture_output=True, text=True, timeout=300, check=False
        )
        if told.returncode:
            return "npm could not install the packages: " + told.stderr.strip().splitlines()[-1]
        # esbuild's program comes in a package of its own, chosen by the machine.
        done.write_text(asked.read_text())
    return ""
