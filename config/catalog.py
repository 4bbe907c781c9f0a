"""The shop's products from its folder: what `check` says of them, and what tests render with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from channels.feed import FEED_BYTES_MAX, FeedFault, read_feed
from channels.templates.shelf import Shelf
from config.reading import SETTINGS_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from config.faults import Findings
    from config.settings import CatalogSettings


def read_shelf(folder: Path | None, settings: CatalogSettings, findings: Findings) -> Shelf | None:
    """The shop's products; an empty shelf where they are fetched, None where it has none. O(size).

    A file that has no product in it is a fault; rows that are none are a warning.
    """
    if not settings.file or folder is None:
        return Shelf() if settings.file or settings.url else None
    file = folder / settings.file
    try:
        inside = file.resolve().is_relative_to(folder.resolve())
        size = file.stat().st_size if inside else 0
        if not inside:
            hint = "put the file itself here"
            findings.fault(settings.file, 1, "a link out of the shop folder", hint)
            return None
        if size > FEED_BYTES_MAX:
            hint = f"at most {FEED_BYTES_MAX} bytes"
            findings.fault(settings.file, 1, f"has {size} bytes", hint)
            return None
        feed = read_feed(file.read_bytes(), file.suffix.removeprefix("."), settings.fields)
    except OSError as error:
        hint = f"as {SETTINGS_FILE} says: [catalog] file"
        findings.fault(settings.file, 1, f"cannot be read: {error.strerror}", hint)
    except FeedFault as fault:
        findings.fault(settings.file, 1, fault.message, fault.hint)
    else:
        if feed.left_out:
            told = f"{feed.left_out} rows are no products; {feed.faults[0]}"
            findings.warn(settings.file, 1, told, "they are left out")
        return Shelf(feed.catalog)
    return None
