from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from config import ShopInvalid, write_starter
from config.starter import WORKFLOW, demo_shop
from engine.cli import hairspring
from engine.cli.testing import command
from engine.errors import HairspringError

HOW_TO = Path(__file__).parents[2] / "docs/how-to/test-your-shop.md"

BROKEN = """
start: 2026-03-02T09:00
users:
  ada: {first_name: Ada, email: ada@example.com}
  bob: {first_name: Bob}
tests:
  - test: What is promised
    campaign: cart-abandonment
    user: ada
    given:
      - {at: +0s, event: Product Added, properties: {product_id: p1, name: Monstera, price: 30}}
      - {at: +0s, user: bob, event: Prodct Added}
      - {at: +2h, event: Order Completed, properties: {order_id: o1}}
    expect:
      - {at: +0s, sent: in_app, title: Saved for me}
      - {at: +10m, sent: in_app}
      - {at: +2h, exited: event}
      - {at: +24h, sent: email, template: cart-reminder}
      - {at: +24h, user: bob, refused: reentry}
  - test: Nothing at all
    campaign: order-receipt
    user: ada
    given:
      - {at: +0s, event: Order Completed, properties: {order_id: o1, total: 3}}
    expect_nothing: true
"""

TOLD = """\
tests/broken.yaml
  FAILED  What is promised (line 7)
    - expected, did not happen; + happened, was not expected
      +0s   Mon 2026-03-02 09:00:00  ada  entered: cart-abandonment
    - +0s   Mon 2026-03-02 09:00:00  ada  sent: in_app, title: Saved for me  (line 15)
    + +0s   Mon 2026-03-02 09:00:00  ada  sent: in_app, campaign: cart-abandonment, step: nudge, \
template: cart-saved, title: Saved for you
                                          title does not hold 'Saved for me': it is 'Saved for you'
    - +10m  Mon 2026-03-02 09:10:00  ada  sent: in_app  (line 16)
    + +15m  Mon 2026-03-02 09:15:00  ada  sent: in_app, campaign: cart-abandonment, step: push, \
template: cart-reminder, title: Your cart is waiting
                                          is at another time
      +2h   Mon 2026-03-02 11:00:00  ada  goal: cart-abandonment
      +2h   Mon 2026-03-02 11:00:00  ada  exited: event, campaign: cart-abandonment
    - +1d   Tue 2026-03-03 09:00:00  ada  sent: email, template: cart-reminder  (line 18)
    - +1d   Tue 2026-03-03 09:00:00  bob  refused: reentry  (line 19)
    no campaign knows the event 'Prodct Added'; did you mean Product Added?
  FAILED  Nothing at all (line 20)
    - expected, did not happen; + happened, was not expected
    + +0s  Mon 2026-03-02 09:00:00  ada  entered: order-receipt
    + +0s  Mon 2026-03-02 09:00:00  ada  sent: email, campaign: order-receipt, step: receipt, \
template: order-receipt, subject: Your order o1 is confirmed
    + +0s  Mon 2026-03-02 09:00:00  ada  finished: order-receipt
    templates/order-receipt.email.liquid:36: event.products is undefined: ada
2 tests: 0 passed, 2 failed
"""

ATTRIBUTES = {
    "testsuites": ({"name", "tests", "failures", "errors", "time"}, {"disabled", "skipped"}),
    "testsuite": ({"name", "tests"}, {"failures", "errors", "skipped", "time", "file"}),
    "testcase": ({"name", "classname"}, {"time", "file", "line"}),
    "failure": (set(), {"message", "type"}),
}
"""Of each element, what it must have and what it may have (Jenkins' junit-10.xsd, and `file` and
`line`, which GitLab and GitHub's actions read)."""

CHILDREN = {"testsuites": "testsuite", "testsuite": "testcase", "testcase": "failure"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_starter(tmp_path / "shop")
    return tmp_path / "shop"


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_the_demo_shop_passes_its_tests() -> None:
    done = run(demo_shop())
    assert done.exit_code == 0, done.output
    assert re.search(r"^(\d+) tests: \1 passed$", done.output, re.MULTILINE)


def test_a_new_shop_has_tests_that_pass(shop: Path) -> None:
    assert run(shop).output == run(demo_shop()).output


def test_what_ci_runs_of_a_new_shop_passes_and_is_what_the_page_about_it_shows(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (shop / WORKFLOW).read_text()
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    lines = [step["run"].split() for step in steps if "run" in step]
    ours = [line[1:] for line in lines if line[0] == "hairspring"]
    assert [line[0] for line in ours] == ["check", "test"]
    monkeypatch.chdir(shop)
    for name, *arguments in ours:
        done = CliRunner().invoke(hairspring, [name, *arguments])
        assert done.exit_code == 0, done.output
    (report,) = [step["with"]["path"] for step in steps if "upload" in step.get("uses", "")]
    assert ET.parse(shop / report).getroot().get("failures") == "0"
    assert f"```yaml\n{text}```" in HOW_TO.read_text()


def test_a_broken_expectation_shows_what_was_expected_beside_what_happened(shop: Path) -> None:
    (shop / "tests/broken.yaml").write_text(BROKEN)
    done = run(shop, "--only", "broken")
    assert done.output == TOLD
    assert done.exit_code == 1


def test_tests_are_chosen_by_a_part_of_their_name_or_file(shop: Path) -> None:
    assert run(shop, "-k", "WELCOME").output.count("  passed  ") == 3
    assert run(shop, "-k", "free sample", "-k", "one welcome").output.count("  passed  ") == 2
    slip = run(shop, "-k", "Free sampel")
    assert slip.exit_code == 2
    assert "no test is called 'Free sampel'" in slip.output


def test_what_came_of_them_is_told_as_json(shop: Path) -> None:
    (shop / "tests/broken.yaml").write_text(BROKEN)
    told = msgspec.json.decode(run(shop, "--json").output)
    assert (told["passed"], told["failed"]) == (20, 2)
    (first, second) = [test for test in told["tests"] if not test["passed"]]
    assert (first["file"], first["line"], first["name"]) == (
        "tests/broken.yaml",
        7,
        "What is promised",
    )
    assert [line["mark"] for line in first["lines"]] == ["-", "+", "-", "+", "-", "-"]
    assert second["faults"] == [
        "templates/order-receipt.email.liquid:36: event.products is undefined: ada"
    ]


def check_element(element: ET.Element) -> None:
    required, optional = ATTRIBUTES[element.tag]
    assert required <= element.attrib.keys() <= required | optional
    assert all(re.fullmatch(r"\d+", element.get(key, "0")) for key in ("tests", "failures"))
    assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    assert all(child.tag == CHILDREN.get(element.tag) for child in element)
    for child in element:
        check_element(child)


def test_a_report_has_the_shape_that_ci_reads(shop: Path, tmp_path: Path) -> None:
    (shop / "tests/broken.yaml").write_text(BROKEN.replace("Nothing at all", r'"Nothing \a <&>"'))
    report = tmp_path / "report.xml"
    assert run(shop, "--junit", report).exit_code == 1
    root = ET.parse(report).getroot()
    check_element(root)
    assert root.get("tests") == "22"
    assert root.get("failures") == "2"
    assert [suite.get("name") for suite in root] == [
        "tests/broken.yaml",
        "tests/cart-abandonment.yaml",
        "tests/on-the-page.yaml",
        "tests/order-receipt.yaml",
        "tests/welcome.yaml",
    ]
    failed = root.findall("./testsuite/testcase/failure")
    assert len(failed) == 2
    assert "- +1d   Tue 2026-03-03 09:00:00  ada  sent: email" in str(failed[0].text)


def test_a_shop_without_tests_is_told_how_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "hairspring.toml").write_text("")
    done = run(tmp_path)
    assert isinstance(done.exception, HairspringError)
    assert "first.yaml" in done.exception.hint


def test_a_file_of_tests_that_does_not_check_runs_none(shop: Path) -> None:
    (shop / "tests/broken.yaml").write_text("tests: 3")
    done = run(shop)
    assert isinstance(done.exception, ShopInvalid)
    assert done.output == ""
    (shop / "tests/broken.yaml").unlink()
    (shop / "tests/notes.txt").write_text("")
    with pytest.raises(ShopInvalid, match=r"tests are named NAME\.yaml"):
        CliRunner().invoke(command, [str(shop)], catch_exceptions=False)


@pytest.mark.parametrize("file", ["campaigns/welcome.yaml", "tests/welcome.yaml"])
def test_faults_are_told_as_json_where_the_outcome_would_be(shop: Path, file: str) -> None:
    (shop / file).write_text("- 3\n")
    done = run(shop, "--json")
    told = msgspec.json.decode(done.stdout)
    assert (done.exit_code, told["ok"]) == (1, False)
    assert file in {fault["path"] for fault in told["faults"]}


def test_a_report_that_cannot_be_written_is_told(shop: Path) -> None:
    done = run(shop, "--junit", shop / "nowhere" / "report.xml")
    assert isinstance(done.exception, HairspringError)
    assert "cannot be written" in str(done.exception)
