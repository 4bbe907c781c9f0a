from __future__ import annotations

from typing import TYPE_CHECKING

from engine.runtime.versions import tzdata_version

if TYPE_CHECKING:
    from pathlib import Path


def test_the_release_of_time_zone_data_stands_in_its_source(tmp_path: Path) -> None:
    (tmp_path / "tzdata.zi").write_text("# version 2026a\n# more\n")
    assert tzdata_version([str(tmp_path / "nothing here"), str(tmp_path)]) == "2026a"


def test_a_source_that_does_not_tell_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "tzdata.zi").write_text("Z Europe/Paris 0 - LMT\n")
    assert tzdata_version([str(tmp_path)]) == tzdata_version([])
