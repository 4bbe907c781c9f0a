from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from config import ShopInvalid, load_folder
from config.coupons import read_pools
from config.faults import Findings
from tests.config.campaign import CAMPAIGN

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("campaigns", "coupons", "templates"):
        (tmp_path / name).mkdir()
    (tmp_path / "hairspring.toml").write_text("")
    (tmp_path / "campaigns/hello.yaml").write_text(CAMPAIGN)
    (tmp_path / "templates/hello.sms.liquid").write_text("Your code: {{ coupons.spring }}")
    return tmp_path


def _pools(folder: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    findings = Findings()
    pools = read_pools(folder, findings)
    told = [str(one) for one in (*findings.faults, *findings.warnings)]
    return {name: pool.codes for name, pool in pools.items()}, told


def test_a_pool_is_a_code_a_line_or_a_column(folder: Path) -> None:
    (folder / "coupons/spring.txt").write_text("# ours\nA-1\n\n B-2 \r\nC-3")
    (folder / "coupons/late.csv").write_text('value,Code\n10,"X1"\n20,X2\n')
    (folder / "coupons/bare.csv").write_text("Q1,5\nQ2,5\n")
    assert _pools(folder) == (
        {"spring": ("A-1", "B-2", "C-3"), "late": ("X1", "X2"), "bare": ("Q1", "Q2")},
        [],
    )


def test_codes_are_told_to_be_none_with_their_line_and_are_no_part_of_the_plan(
    folder: Path,
) -> None:
    (folder / "coupons/spring.txt").write_text("A-1\nSECRET-2\n")
    shop = load_folder(folder)
    assert b"SECRET" not in shop.content
    (folder / "coupons/spring.txt").write_text("A-1\nB 2\nA-1\n")
    codes, told = _pools(folder)
    assert codes == {"spring": ("A-1",)}
    assert told[0].startswith("coupons/spring.txt:2: this is no code")
    assert told[1].startswith("coupons/spring.txt:3: a code of line 1 again")
    with pytest.raises(ShopInvalid, match="this is no code"):
        load_folder(folder)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("Spring.txt", "A", "is no name of a pool"),
        ("spring.csv", "A", "there twice"),
        ("spring.json", "A", "is not read"),
        ("other.txt", "", "has no codes"),
        ("other.txt", "x" * 200, "this is no code"),
    ],
)
def test_what_is_wrong_with_a_pool_is_told(folder: Path, name: str, text: str, told: str) -> None:
    (folder / "coupons/spring.txt").write_text("A-1\n")
    (folder / "coupons" / name).write_text(text)
    assert any(told in fault for fault in _pools(folder)[1])


def test_a_pool_that_a_template_names_is_there(folder: Path) -> None:
    with pytest.raises(ShopInvalid, match=r"hello.sms.liquid:1: there is no pool 'spring'"):
        load_folder(folder)
    (folder / "coupons/spring.txt").write_text("A-1\n")
    assert load_folder(folder).templates["hello", "sms"].pools == {"spring": 1}


def test_coupons_are_of_a_pool_that_can_be_told(folder: Path) -> None:
    for text in ("{{ coupons }}", "{{ coupons[user.pool] }}"):
        (folder / "templates/hello.sms.liquid").write_text(f"\n{text}")
        with pytest.raises(ShopInvalid, match=r"hello.sms.liquid:2: coupons without a pool"):
            load_folder(folder)


def test_products_of_a_file_are_read_with_the_shop(folder: Path) -> None:
    (folder / "coupons/spring.txt").write_text("A-1\n")
    (folder / "hairspring.toml").write_text('[catalog]\nfile = "products.csv"\n')
    with pytest.raises(ShopInvalid, match=r"products.csv:1: cannot be read"):
        load_folder(folder)
    (folder / "products.csv").write_text("id,title,price\nf1,Fern,3\nf2,Oak,dear\n")
    shop = load_folder(folder)
    assert shop.shelf is not None
    assert list(shop.shelf) == ["f1"]
    assert "row 2: price is no number" in str(shop.warnings[0])
    (folder / "products.csv").write_text("title\nFern\n")
    with pytest.raises(ShopInvalid, match=r"products.csv:1: the feed has no product"):
        load_folder(folder)
