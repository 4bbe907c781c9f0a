"""Golden scripts: the files of a shop above, every fault and warning that they have below.

A shop in a script has an empty `hairspring.toml` and a template `hello` for email unless it says
otherwise. Run as a program (`PYTHONPATH=. python tests/config/test_faults.py`), this file writes
the answers into the scripts; read the difference before you commit it.
"""

from __future__ import annotations

import pytest

from config import ShopInvalid, load_shop, read_tests
from tests.config.cases import BASE, CASES, ENV, GOLDEN, sections


def answer(body: str) -> str:
    files = dict(BASE)
    for name, text in sections(body, "@@"):
        if name.startswith("drop "):
            del files[name.removeprefix("drop ")]
        elif name != "expect":
            files[name] = text + "\n"
    tests = {name: files.pop(name) for name in list(files) if name.startswith("tests/")}
    try:
        shop = load_shop(files, env=ENV)
        read_tests(tests, shop)
        return "".join(f"warning {warning}\n" for warning in shop.warnings)
    except ShopInvalid as invalid:
        faults = [f"{fault}\n" for fault in invalid.faults]
        return "".join([*faults, *(f"warning {warning}\n" for warning in invalid.warnings)])


@pytest.mark.parametrize(
    ("title", "body"), [case[1:] for case in CASES], ids=[f"{c[0]}: {c[1]}" for c in CASES]
)
def test_a_shop_is_told_every_fault_it_has(title: str, body: str) -> None:
    expected = dict(sections(body, "@@"))["expect"].strip()
    assert title
    assert answer(body).strip() == expected


def test_a_script_says_each_case_once() -> None:
    titles = [case[:2] for case in CASES]
    assert len(set(titles)) == len(titles) > 30


def rewrite() -> None:
    for path in sorted(GOLDEN.glob("*.txt")):
        told = []
        for title, body in sections(path.read_text(), "##"):
            head = body[: body.index("@@ expect\n") if "@@ expect\n" in body else -len("@@ expect")]
            told.append(f"## {title}\n{head}@@ expect\n{answer(body)}")
        path.write_text("\n".join(told))


if __name__ == "__main__":
    rewrite()
