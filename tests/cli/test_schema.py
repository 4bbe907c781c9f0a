from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner, Result

from config.completion import KINDS, schema_of
from engine.cli.schema import command
from engine.errors import HairspringError

if TYPE_CHECKING:
    from pathlib import Path


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_printed(kind: str) -> None:
    assert msgspec.json.decode(run(kind).output) == schema_of(kind)


def test_all_are_written_to_a_folder_that_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / ".schemas"
    done = run("--out", folder)
    assert done.output.splitlines() == [f"wrote {folder / kind}.schema.json" for kind in KINDS]
    for kind in KINDS:
        written = (folder / f"{kind}.schema.json").read_bytes()
        assert msgspec.json.decode(written) == schema_of(kind)


def test_a_kind_that_there_is_not_is_told_with_the_nearest() -> None:
    done = run("campain")
    assert done.exit_code == 2
    assert "did you mean campaign?" in done.output
    assert run().exit_code == 2
    assert run("campaign", "--out", "x").exit_code == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--out", tmp_path / "file" / "folder")
    assert isinstance(done.exception, HairspringError)
    assert "cannot be written" in str(done.exception)
