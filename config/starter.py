"""The shop that comes with the package: run by the demo, copied by `init`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from config.folder import read_folder, read_tests_folder
from engine.errors import HairspringError

PRODUCTS: Final = "products.json"
"""What the demo shop's catalog is read from: in its folder, and no part of its content."""

WORKFLOW: Final = ".github/workflows/shop.yml"
"""How GitHub Actions check and test the shop, where its folder is a repository."""

_IGNORED: Final = "# State and outbox of the running process; no part of the shop.\ndata/\n"


def demo_shop() -> Path:
    """The folder of the demo shop; read it, write nothing into it."""
    return Path(__file__).with_name("demo_shop")


class FolderTaken(HairspringError):  # noqa: N818 - as ShopInvalid
    """A folder that a shop cannot be written to."""

    code = "shop.taken"


def write_starter(folder: Path) -> list[Path]:
    """Write a commented shop to start from; the files written, in order of path.

    Args:
        folder: Not there yet, or empty; folders above it are made.

    Raises:
        FolderTaken: It holds something already, is a file, or cannot be written.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise FolderTaken(
                f"{folder} is not empty", hint="name a folder that does not exist yet"
            )
        written = []
        shop = demo_shop()
        others = {name: (shop / name).read_text(encoding="utf-8") for name in (PRODUCTS, WORKFLOW)}
        read = {**read_folder(shop), **read_tests_folder(shop), **others}
        files = {".gitignore": _IGNORED, **dict(sorted(read.items()))}
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
            written.append(file)
    except OSError as error:
        told = f"{folder} cannot be written: {error.strerror}"
        raise FolderTaken(told, hint="name a folder that we may write to") from error
    return written
