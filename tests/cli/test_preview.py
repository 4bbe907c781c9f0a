from __future__ import annotations

from email import message_from_bytes
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from engine.cli.preview import PreviewFailed, command
from engine.runtime.catalog.kept import KeptFeed, keep

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGN = "campaign: c\nenter: {event: A}\nsteps: [{send: email, template: hello, id: s}]\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name in ("campaigns", "templates"):
        (tmp_path / "shop" / name).mkdir(parents=True)
    (tmp_path / "shop/hairspring.toml").write_text("")
    (tmp_path / "shop/campaigns/c.yaml").write_text(CAMPAIGN)
    text = (
        "---\nsubject: Hello {{ user.first_name }}\n---\n<p>{{ cart.items[0].price | money }}</p>\n"
    )
    (tmp_path / "shop/templates/hello.email.liquid").write_text(text)
    french = text.replace("Hello", "Bonjour")
    (tmp_path / "shop/templates/hello.email.fr.liquid").write_text(french)
    return tmp_path / "shop"


def _run(*arguments: object) -> str:
    result = CliRunner().invoke(
        command, [str(one) for one in arguments], catch_exceptions=False, standalone_mode=False
    )
    return result.stderr


def test_a_mail_is_written_as_html_text_and_a_whole_mail(shop: Path, tmp_path: Path) -> None:
    file = shop / "templates/hello.email.liquid"
    _run(file, "--sample", "--out", tmp_path / "out", "--locale", "fr-FR")
    assert "24,90" in (tmp_path / "out.html").read_text()
    assert (tmp_path / "out.txt").read_text().strip()
    mail = message_from_bytes((tmp_path / "out.eml").read_bytes())
    assert mail["Subject"] == "Bonjour Ada"


def test_an_ending_chooses_the_file(shop: Path, tmp_path: Path) -> None:
    _run("hello.email", "--shop", shop, "--sample", "--out", tmp_path / "one.txt")
    assert sorted(path.name for path in tmp_path.glob("one*")) == ["one.txt"]


def test_a_name_that_is_missing_is_told_with_its_line(shop: Path, tmp_path: Path) -> None:
    file = shop / "templates/hello.email.liquid"
    file.write_text("---\nsubject: x\n---\n<p>\n{{ user.nobody }}</p>")
    with pytest.raises(PreviewFailed, match=r"hello.email.liquid:5: .*nobody"):
        _run(file, "--sample", "--out", tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_a_limit_that_is_passed_is_no_name_that_is_missing(shop: Path, tmp_path: Path) -> None:
    file = shop / "templates/hello.email.liquid"
    file.write_text("---\nsubject: x\n---\n{% for i in (1..99999999) %}x{% endfor %}")
    with pytest.raises(PreviewFailed, match=r"hello.email.liquid:4: loop") as failed:
        _run(file, "--sample", "--out", tmp_path / "out")
    assert "limits" in failed.value.hint


def test_an_ending_that_a_message_has_no_file_for_is_told(shop: Path, tmp_path: Path) -> None:
    file = shop / "templates/hello.email.liquid"
    file.write_text("---\nsubject: x\n---\nNothing but text")
    with pytest.raises(PreviewFailed, match=r"makes no \.html") as failed:
        _run(file, "--sample", "--out", tmp_path / "out.html")
    assert ".txt" in failed.value.hint
    assert not list(tmp_path.glob("out*"))


def test_a_template_that_is_not_there_is_told(shop: Path) -> None:
    with pytest.raises(PreviewFailed, match="there is no template"):
        _run("helo", "--shop", shop, "--sample")


def test_products_of_an_address_are_those_that_were_fetched_last(
    shop: Path, tmp_path: Path
) -> None:
    url = "http://127.0.0.1:9/products.json"
    (shop / "hairspring.toml").write_text(f'[catalog]\nurl = "{url}"\n')
    names = "{% assign more = cart | recommend: 2 %}{% for p in more %}{{ p.title }};{% endfor %}"
    (shop / "templates/hello.email.liquid").write_text(f"---\nsubject: x\n---\n{names}")
    told = _run("hello", "--shop", shop, "--sample", "--out", tmp_path / "none.txt")
    assert told.startswith("warning: no products:")
    assert url in told
    assert (tmp_path / "none.txt").read_text().strip() == ""

    products = [{"id": name, "title": name.upper(), "price": 1} for name in "abcd"]
    (shop / "data").mkdir()
    keep(shop / "data", url, KeptFeed("json", "", msgspec.json.encode(products)))
    assert _run("hello", "--shop", shop, "--sample", "--out", tmp_path / "some.txt") == ""
    assert (tmp_path / "some.txt").read_text().strip() == "C;D;"  # A and B are in the cart
