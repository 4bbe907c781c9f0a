"""Every key of the settings, with its default."""

from __future__ import annotations

DEFAULTS = """
[shop]
name = "My shop"
timezone = "UTC"
currency = "USD"
locale = "en"
url = "http://localhost:8080"
[server]
host = "127.0.0.1"
port = 8080
admin_port = 0
admin_host = "127.0.0.1"
body_max = "1 MiB"
events_max = 2500
event_max = "32 KiB"
rate = 1000
proxies = []
[keys]
write = ["demo-write-key"]
trigger = []
admin = ""
signing = ""
signing_previous = []
[storage]
file = "hairspring.db"
sync = "full"
max_replay = 100000
resume_grace = "30s"
dead_letters_max = 100000
dead_letters_size_max = "1 GiB"
[events]
max_lateness = "24h"
dedupe_window = "24h"
dedupe_max = 5000000
session_gap = "30m"
keep = "30d"
[history]
max_events = 1000
[consent]
required = ["email", "sms"]
unknown = "deny"
honor_gpc = true
topics = {}
[tracking]
opens = true
clicks = true
transactional = false
utm = {}
expires = "365d"
[guardrails]
caps = []
spacing = "0s"
enrollments_max = 100
holdout = "0%"
[testing]
users = []
redirect_to = {}
[catalog]
file = ""
url = ""
refresh = "15m"
authorization = ""
fields = {}
viewed = ["Product Viewed"]
bought = ["Order Completed"]
[coupons]
low = 50
[alerts]
to = []
late = "1s"
failed = "20%"
skipped = "90%"
rhythm = true
experiments = true
disk_free = "512 MiB"
bad_keys = 100
dead_letters = 10
again = "1h"
per_hour = 20
[channels.email]
transport = "file"
from = "My shop <shop@example.com>"
"""
