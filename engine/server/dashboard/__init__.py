"""The dashboard: what a shop's campaigns do, on pages for people. On the operators' port alone."""

from engine.server.dashboard.alone import refused
from engine.server.dashboard.door import dashboard_handlers
from engine.server.dashboard.session import Sessions

__all__ = ["Sessions", "dashboard_handlers", "refused"]
