"""Points at which a process dies when told to: what arms them, and that each is in the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine import failpoints
from engine.errors import UsageError
from engine.failpoints import POINTS, arm

ENGINE = Path(__file__).parents[1] / "engine"
DIES = "from engine.failpoints import arm, come_to; arm('in-drain=2,in-commit=9'); "


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DIES + code], capture_output=True, text=True, check=False
    )


def test_a_process_dies_the_nth_time_it_comes_to_a_point():
    done = run("come_to('in-drain'); print('once', flush=True); come_to('in-drain'); print('no')")
    assert (done.returncode, done.stdout) == (-9, "once\n")


def test_a_point_that_is_not_armed_is_passed():
    done = run("[come_to('in-backup') for _ in range(9)]; come_to('in-commit'); print('alive')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


@pytest.mark.parametrize("said", ["", "in-commits=1", "in-commit", "in-commit=0", "in-drain=1,"])
def test_what_arms_nothing_is_refused(said: str):
    with pytest.raises(UsageError, match="HAIRSPRING_FAILPOINTS"):
        arm(said)
    assert not failpoints._left  # or this very process would die there


def test_every_point_is_in_the_code_and_no_other():
    code = "".join(path.read_text() for path in ENGINE.rglob("*.py"))
    assert set(re.findall(r'come_to\("([^"]+)"\)', code)) == set(POINTS)


def test_every_point_is_in_the_docs_with_what_holds_there():
    page = (ENGINE.parent / "docs/explanation/what-it-promises.md").read_text()
    told = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE)
    assert dict(told) == dict(POINTS)
    assert f"each of {len(POINTS)} named points" in page
