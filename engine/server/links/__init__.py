"""What links in messages lead to."""

from engine.server.links.door import LinkDoor, open_links
from engine.server.links.preferences import Shown

__all__ = ["LinkDoor", "Shown", "open_links"]
