"""The admin key that is made at the first start."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from engine.errors import ServeError
from engine.server import take_admin_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_configured_key_is_the_key_and_nothing_is_made(tmp_path: Path) -> None:
    assert take_admin_key("configured", tmp_path).key == "configured"
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    made = take_admin_key("", tmp_path)
    again = take_admin_key("", tmp_path)

    assert made.made_at == tmp_path / "admin.key"
    assert again.made_at is None
    assert made.key == again.key
    assert len(made.key) >= 32


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    take_admin_key("", tmp_path)

    assert stat.S_IMODE((tmp_path / "admin.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.key"]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()

    assert take_admin_key("", one).key != take_admin_key("", other).key


@pytest.mark.parametrize("text", ["", "short\n", "two words, and long enough\n", "\x00" * 40])
def test_a_file_that_holds_no_key_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "admin.key").write_text(text)
    with pytest.raises(ServeError) as caught:
        take_admin_key("", tmp_path)

    assert caught.value.code == "serve.admin_key"
    assert "remove the file" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="cannot be used"):
        take_admin_key("", tmp_path / "missing")
