"""Every example in the docs runs; every page is reached from the front page.

Fenced `sh` blocks run in order, a page at a time, in a shell of their own in an empty folder, with
the shop that `hairspring init my-shop` writes. Ports of 18,000 and more become others that are
free, so that two runs on one machine are not in each other's way. Lines of a `console` block after
`$` run likewise, and what is printed below must come out. Blocks of other languages are checked
where they are used.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli import COMMANDS
from engine.core import cel

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PORT = re.compile(r"\b18[0-9]{3}\b")
LINK = re.compile(r"\]\(([^)#:\s]+\.md)")
ADDRESS = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return [
        code
        for language, mark, code in FENCE.findall(page.read_text())
        if language == "sh" and "not-run" not in mark
    ]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """What GitHub makes of its headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(prose(page))
    }


def free_ports(count: int) -> int:
    """The first of so many in a row that are free, where the system gives none by itself.

    Each process begins to look in a place of its own.
    """
    first = 20_000 + os.getpid() * count % 10_000
    while not all(map(is_free, range(first, first + count))):
        first += count
    return first


def is_free(port: int) -> bool:
    with socket.socket() as asking:
        try:
            asking.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def at_free_ports(script: str) -> str:
    told = sorted(map(int, PORT.findall(script)))
    if not told:
        return script
    assert told[-1] - told[0] <= 1, "a page has one port, and the admin port behind it"
    shift = free_ports(2) - told[0]
    return PORT.sub(lambda port: str(int(port[0]) + shift), script)


def expressions(page: Path) -> list[str]:
    return [
        line
        for language, _, code in FENCE.findall(page.read_text())
        if language == "cel"
        for line in code.splitlines()
    ]


@pytest.mark.parametrize("text", [text for page in PAGES for text in expressions(page)])
def test_the_expressions_are_conditions(text: str):
    assert cel.compile(text).names


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_examples_run(page: Path, tmp_path: Path):
    script = tmp_path / "example.sh"
    place = tmp_path / "place"
    place.mkdir()
    script.write_text(at_free_ports("set -euo pipefail\n" + "\n".join(blocks(page))))
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", str(script)],
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    # A server that was told to stop at the end of a page may still be saving there.
    shutil.rmtree(place, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_reached_from_the_readme():
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        waiting += [(page.parent / link).resolve() for link in LINK.findall(page.read_text())]
    assert set(PAGES) - seen == set()
    assert [page for page in seen if not page.exists()] == []


def test_every_link_leads_to_a_file_and_a_heading_that_are_there():
    broken = [
        f"{page.relative_to(ROOT)}: {path}#{anchor}"
        for page in [*PAGES, ROOT / "bench/README.md"]
        for path, anchor in ADDRESS.findall(prose(page))
        for target in [(page.parent / path).resolve() if path else page]
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_decision_is_in_the_table_above_them():
    text = (ROOT / "docs/decisions.md").read_text()
    table, *_ = text.partition("\n## ")
    assert anchors(ROOT / "docs/decisions.md") - {"decisions"} <= set(
        re.findall(r"#([\w-]+)\)", table)
    )


def test_the_readme_fits_a_screen_or_two():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 80


def test_every_command_is_documented():
    page = (ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in COMMANDS if f"| `{name}" not in page] == []


def test_no_example_leaves_the_prompt_behind_what_it_printed():
    # What the server answers has no end of line; a pipe, a file or `; echo` takes care of it.
    command = re.compile(r"^curl (?:[^'\n\\]|\\(?:.|\n)|'[^']*')*", re.MULTILINE)
    answers = [
        f"{page.relative_to(ROOT)}: {found}"
        for page in PAGES
        for block in blocks(page)
        for found in command.findall(block)
    ]
    assert len(answers) > 3
    assert [answer for answer in answers if not re.search(r" \| |; echo$| -o ", answer)] == []
