"""A shop that opens every door there is."""

from __future__ import annotations

EVERYTHING = """
[webhooks.stripe]
kind = "stripe"
secret = "whsec_x"
[channels.in_app]
transport = "inbox"
[channels.sms]
transport = "twilio"
account_sid = "AC00000000000000000000000000000000"
auth_token = "x"
from = "+15550001111"
"""
