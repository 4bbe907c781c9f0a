"""HTTP in: events from clients, health and metrics for operators. The only part that speaks it."""

from engine.server.admin import AdminDoor, make_admin_app, way_in
from engine.server.bodies import Limits
from engine.server.capacity import connections_for, connections_within, raise_open_files
from engine.server.connections import CONNECTIONS_MAX, Patience
from engine.server.front import front_door
from engine.server.ingest import IngestDoor, make_ingest_app
from engine.server.links import LinkDoor, Shown, open_links
from engine.server.listen import Bound, Site, bind, listen, serve
from engine.server.operating import House, Operating
from engine.server.own_keys import AdminKey, take_admin_key
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
