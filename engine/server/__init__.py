"""HTTP in: events from clients, health and metrics for operators. The only part that speaks it."""

from engine.server.admin import AdminDoor, make_admin_app
from engine.server.bodies import Limits
from engine.server.ingest import IngestDoor, make_ingest_app
from engine.server.listen import Site, listen

__all__ = [
    "AdminDoor",
    "IngestDoor",
    "Limits",
    "Site",
    "listen",
    "make_admin_app",
    "make_ingest_app",
]
