"""A shop folder on disk to its files as text. Nothing outside the folder is read."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from config.faults import Findings, ShopInvalid
from config.reading import SETTINGS_FILE
from config.segments import SEGMENTS_FILE
from config.tracking_plan import TRACKING_PLAN_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_BYTES_MAX: Final = 512 * 1024
"""One file."""

FILES_MAX: Final = 5_000
"""Files in `campaigns/` and `templates/`, each."""

FOLDERS: Final = {"campaigns": ".yaml", "templates": ".liquid"}
"""The folders of a shop, and how the names of their files end."""

TESTS_FOLDER: Final = "tests"
"""Where a shop's tests are: no part of what is loaded."""


def read_folder(path: Path) -> dict[str, str]:
    """The files of a shop folder: text by relative path with `/`, in order of path.

    Read are `hairspring.toml`, `segments.yaml`, `tracking-plan.yaml` and what lies in `campaigns/`
    and `templates/`; hidden files and editors' copies (`x~`) are passed over. O(size).

    Raises:
        ShopInvalid: A file is larger than `FILE_BYTES_MAX`, not UTF-8, not readable, no regular
            file, or a link out of the folder.
    """
    findings = Findings()
    files = collect(path, findings)
    if findings.faults:
        raise ShopInvalid(findings.faults, findings.warnings)
    return files


def collect(path: Path, findings: Findings) -> dict[str, str]:
    """As `read_folder`, but what cannot be read is a fault among the findings, and left out."""
    root = path.resolve()
    files: dict[str, str] = {}
    for name in _names(root, findings):
        text = _read(root, name, findings)
        if text is not None:
            files[name] = text
    return files


def read_tests_folder(path: Path) -> dict[str, str]:
    """The files under a shop's `tests/`, as `read_folder` has those of the shop itself. O(size).

    Raises:
        ShopInvalid: As `read_folder`, or a file is no `.yaml`.
    """
    findings = Findings()
    root = path.resolve()
    files: dict[str, str] = {}
    for name in _names_in(root, TESTS_FOLDER, ".yaml", findings):
        if not name.endswith(".yaml"):
            findings.fault(name, 1, "is not read", "tests are named NAME.yaml")
        elif (text := _read(root, name, findings)) is not None:
            files[name] = text
    if findings.faults:
        raise ShopInvalid(findings.faults, findings.warnings)
    return files


def _names(root: Path, findings: Findings) -> Iterator[str]:
    for name in (SETTINGS_FILE, SEGMENTS_FILE, TRACKING_PLAN_FILE):
        if (root / name).is_symlink() or (root / name).exists():
            yield name
    for folder, ending in FOLDERS.items():
        yield from _names_in(root, folder, ending, findings)


def _names_in(root: Path, folder: str, ending: str, findings: Findings) -> Iterator[str]:
    try:
        entries = sorted(entry.name for entry in (root / folder).iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        hint = f"make {folder} a folder that the user of this process may read"
        findings.fault(folder, 1, f"cannot be read: {error.strerror}", hint)
        return
    names = [name for name in entries if not name.startswith(".") and not name.endswith("~")]
    if len(names) > FILES_MAX:
        findings.fault(folder, 1, f"holds {len(names)} files", f"at most {FILES_MAX}")
    for name in names[:FILES_MAX]:
        inner = f"{folder}/{name}"
        if name.endswith(ending) and (root / inner).is_dir():
            hint = "put a file here, or give the folder another name"
            findings.fault(inner, 1, "a folder with the name of a file", hint)
        elif (root / inner).is_dir():
            findings.warn(inner, 1, "a folder, which is not read", f"put files in {folder}/ itself")
        else:
            yield inner


def _read(root: Path, name: str, findings: Findings) -> str | None:
    file = root / name
    try:
        if not file.resolve().is_relative_to(root):
            findings.fault(name, 1, "a link out of the shop folder", "put the file itself here")
            return None
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            findings.fault(name, 1, "no regular file", "put a text file here")
            return None
        if status.st_size > FILE_BYTES_MAX:
            hint = f"at most {FILE_BYTES_MAX} bytes a file"
            findings.fault(name, 1, f"has {status.st_size} bytes", hint)
            return None
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        findings.fault(name, *_not_utf8(error))
    except FileNotFoundError:
        findings.fault(name, 1, "a link to what is not there", "put the file itself here")
    except OSError as error:
        hint = "make it a file that the user of this process may read"
        findings.fault(name, 1, f"cannot be read: {error.strerror}", hint)
    except RuntimeError:  # what pathlib makes of a loop before Python 3.13
        findings.fault(name, 1, "a link that leads to itself", "put the file itself here")
    return None


def _not_utf8(error: UnicodeDecodeError) -> tuple[int, str, str]:
    """Line, message and hint."""
    before = error.object[: error.start]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8-sig", "replace")) + 1
    byte = error.object[error.start]
    message = f"not text in UTF-8: the byte {byte:02X} in column {column}"
    return before.count(b"\n") + 1, message, "save the file as UTF-8"
