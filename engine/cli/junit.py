"""What came of shop tests as JUnit XML, which every CI reads.

There is no standard; this is what Jenkins' schema (`junit-10.xsd`), GitLab and GitHub's actions
have in common: suites, one a file, of cases, with a `failure` each where one failed.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from engine.cli.comparison import comparison

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.cli.testing import Ran

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What a document may not hold (XML 1.0, 2.2)."""


def as_junit(ran: Sequence[Ran]) -> bytes:
    """The document, in UTF-8. O(size)."""
    root = ET.Element("testsuites", {"name": "hairspring", **_counts(ran)})
    for path, group in groupby(ran, key=lambda one: one[0].path):
        of_file = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _text(path), **_counts(of_file)})
        for test, outcome, took_ns in of_file:
            case = ET.SubElement(
                suite,
                "testcase",
                {
                    "name": _text(test.name),
                    "classname": _text(path.removesuffix(".yaml").replace("/", ".")),
                    "file": _text(path),
                    "line": str(test.line),
                    "time": _seconds(took_ns),
                },
            )
            if not outcome.passed:
                lines = [line for _, line in comparison(test, outcome)]
                said = {"message": f"{path}:{test.line}: not as expected", "type": "comparison"}
                failure = ET.SubElement(case, "failure", said)
                failure.text = _text("\n".join(lines))
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _counts(ran: Sequence[Ran]) -> dict[str, str]:
    return {
        "tests": str(len(ran)),
        "failures": str(sum(not outcome.passed for _, outcome, _ in ran)),
        "errors": "0",
        "skipped": "0",
        "time": _seconds(sum(took_ns for _, _, took_ns in ran)),
    }


def _seconds(took_ns: int) -> str:
    return f"{took_ns / 1e9:.3f}"


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
