"""Shops with faults in them, and what is said of each."""

from __future__ import annotations

from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
BASE = {"hairspring.toml": "", "templates/hello.email.liquid": "---\nsubject: Hi\n---\n<p>Hi</p>\n"}
ENV = {"EMPTY": ""}


def sections(text: str, mark: str) -> list[tuple[str, str]]:
    """Name and text of each part of a script that begins with a line `mark name`."""
    parts = ("\n" + text).split(f"\n{mark} ")
    return [(name, body) for name, _, body in (part.partition("\n") for part in parts[1:])]


CASES = [
    (path.stem, title, body)
    for path in sorted(GOLDEN.glob("*.txt"))
    for title, body in sections(path.read_text(), "##")
]
