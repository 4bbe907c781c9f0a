from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.cli.private_file import private_file
from engine.errors import HairspringError

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_for_its_owner_alone_also_where_a_file_for_all_was(tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    file.write_text("old")
    file.chmod(0o644)
    with private_file(file, tmp_path / "data") as raw:
        raw.write(b"new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_one_that_failed_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    file.write_text("old")
    with pytest.raises(TypeError), private_file(file, tmp_path / "data") as raw:
        raw.writelines([b"new", None])  # type: ignore[list-item]
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["nowhere/ada.json", "data/hairspring.db", "link", "data"])
def test_where_it_cannot_be_is_told_with_what_to_do(tmp_path: Path, name: str) -> None:
    database = tmp_path / "data" / "hairspring.db"
    database.parent.mkdir()
    database.write_text("all there is")
    (tmp_path / "link").symlink_to(database)
    with (
        pytest.raises(HairspringError) as caught,
        private_file(tmp_path / name, tmp_path / "data") as raw,
    ):
        raw.write(b"new")
    assert caught.value.hint
    assert database.read_text() == "all there is"
