"""A campaign that sends a text message, whose template a test writes."""

from __future__ import annotations

CAMPAIGN = (
    "campaign: hello\nenter:\n  event: Signed Up\nsteps:\n  - send: sms\n    template: hello\n"
    "    id: hello\n"
)
