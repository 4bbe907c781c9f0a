"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LEFTOVER = re.compile(  # each word with a bracket in it, so that this line is none
    r"\b([T]ODO|[F]IXME|[X]XX|[N]otImplementedError)\b|[#] noqa$|[#] type: ignore$"
)
BAD_NAME = re.compile(r"(^|_)(utils?|common|helpers?|manager)(_|$|\.)")
REGISTRY_FILES = {"uv.lock", "package-lock.json", "yarn.lock", "poetry.lock"}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_module_is_longer_than_one_idea():
    long = {
        name_of(path): lines
        for path in sources()
        if path.parts[len(ROOT.parts)] != "tests"
        and (lines := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


def test_no_function_is_longer_than_a_screen():
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": length
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_nothing_is_left_over():
    left = [
        f"{name_of(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if LEFTOVER.search(line)
    ]
    assert left == []


def test_every_module_says_what_it_is():
    silent = [
        name_of(path)
        for path in sources()
        if path.parts[len(ROOT.parts)] in {"engine", "channels", "config", "bench"}
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_name_hides_what_a_module_is_for():
    assert [name_of(path) for path in sources() if BAD_NAME.search(path.name)] == []


def test_what_tests_share_lies_in_no_test():
    borrowed = [
        f"{name_of(path)}: {node.module}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and re.fullmatch(r"tests\..*\btest_\w+", node.module or "")
    ]
    assert borrowed == []


def test_the_top_level_is_the_agreed_one():
    agreed = {
        "pyproject.toml", "README.md", "engine", "channels", "config", "bench", "tests",
        "Makefile", "docs", "requirements",
    }  # fmt: skip
    found = {path.parts[len(ROOT.parts)] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} <= agreed


def test_no_commit_names_a_registry():
    names = {path.name for path in tracked()}
    assert names & REGISTRY_FILES == set()
    pinned = "".join(path.read_text() for path in (ROOT / "requirements").iterdir())
    assert "http" not in re.sub(
        r"\baiohttp\b|\bhttp-?[a-z-]*(==|$)", "", pinned, flags=re.MULTILINE
    )


def test_only_the_clock_reads_time():
    # Ruff bans the names; this counts who was let off.
    exempt = {"engine/runtime/clock.py"}
    offenders = {
        name_of(path)
        for path in sources()
        if path.parts[len(ROOT.parts)] in {"engine", "channels", "config"}
        and re.search(r"\btime\.(time|monotonic)(_ns)?\(|datetime\.now\(", path.read_text())
    }
    assert offenders <= exempt
