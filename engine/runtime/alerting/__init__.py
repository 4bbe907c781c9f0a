"""Alerts: what goes wrong (`causes`, `rhythm`), what of it is told (`book`), to whom (`telling`).

Alerts are no messages to users: they pass by no outbox. `watch` looks every few seconds, beside all
else; nothing waits for it.
"""

from engine.runtime.alerting.watch import AlertWatch, Watched, open_alerts

__all__ = ["AlertWatch", "Watched", "open_alerts"]
