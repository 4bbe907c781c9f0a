"""HTTP in: the only part that speaks it.

Here lie the sockets and the doors for clients: how events come in, how many may, and how each
request is answered. Doors of another kind have rooms of their own: `admin` and `dashboard` for
operators, `webhooks` for other services, `links` for who reads a message, `sdk` and `storefront`
for browsers, `openapi` for tools.
"""

from engine.server.admin.operating import House, Operating
from engine.server.admin.own_keys import AdminKey, take_admin_key
from engine.server.admin.port import AdminDoor, make_admin_app, way_in
from engine.server.bodies import Limits
from engine.server.capacity import connections_for, connections_within, raise_open_files
from engine.server.clients import Proxies
from engine.server.connections import CONNECTIONS_MAX
from engine.server.front import front_door
from engine.server.ingest import IngestDoor, make_ingest_app
from engine.server.links import LinkDoor, Shown, open_links
from engine.server.listen import Bound, Site, bind, listen, serve
from engine.server.patience import Patience
from engine.server.webhooks.opening import webhooks_of

__all__ = [
    "CONNECTIONS_MAX",
    "AdminDoor",
    "AdminKey",
    "Bound",
    "House",
    "IngestDoor",
    "Limits",
    "LinkDoor",
    "Operating",
    "Patience",
    "Proxies",
    "Shown",
    "Site",
    "bind",
    "connections_for",
    "connections_within",
    "front_door",
    "listen",
    "make_admin_app",
    "make_ingest_app",
    "open_links",
    "raise_open_files",
    "serve",
    "take_admin_key",
    "way_in",
    "webhooks_of",
]
