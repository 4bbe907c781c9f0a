"""Operations of the admin port, and those of both."""

from __future__ import annotations

from typing import Final

from engine.runtime.admin.performance import HOURS, HOURS_MAX
from engine.runtime.bulk import Bulked
from engine.runtime.errands import DAYS_MAX
from engine.runtime.reloading import Reloaded
from engine.server.admin.bulk import BulkAsked
from engine.server.admin.importing import Taken
from engine.server.admin.looking import FUNNEL_WITHIN, GOAL_WITHIN, USERS_MAX, USERS_USUAL
from engine.server.admin.operating import BackupAsked
from engine.server.admin.outlook import DAYS_AHEAD, DAYS_AHEAD_MAX, DAYS_BACK
from engine.server.admin.records import KINDS
from engine.server.admin.records import NUMBER_MAX as RECORD_MAX
from engine.server.admin.simulating import BacktestAsked, SimulateAsked
from engine.server.openapi import previewed, told
from engine.server.openapi.operation import LINES, Moment, Operation, Parameter, of_admin, whole
from engine.server.openapi.refusals import (
    FORM,
    OF_ADMIN_PORT,
    QUERY,
    Refusals,
    merged,
)
from engine.server.openapi.users import OF_USERS
from engine.store.backup import Backup
from engine.store.segments import DAYS_KEPT

_CAMPAIGN: Final[Refusals] = {404: ("campaign.unknown",)}
_SHOP: Final[Refusals] = {409: ("shop.unknown",), 422: ("shop.invalid",)}
_BUSY: Final[Refusals] = {503: ("busy",)}
_HOURS: Final = whole("hours", "How many hours the trend has.", 1, HOURS_MAX, HOURS)
_DAYS: Final = whole("days", "The last so many days of the archive; else all of it.", 1, DAYS_MAX)
_SINCE: Final = Parameter("since", "From which instant on.", Moment)
_OF_SHOP: Final = "A whole shop (`version` 1, `files`); nothing: the folder that the process runs."
_SEEN: Final = {"user_id": "u1", "event": "Seen", "timestamp": "2026-11-01T09:00:00Z"}
_SHOP_EXAMPLE: Final = {
    "files": {"campaigns/hello.yaml": "campaign: hello\nenter: {event: Seen}\nsteps: []\n"}
}


def _both_ports() -> list[Operation]:
    return [
        Operation("get", "/healthz", "health", "alive", answer=told.Health, refused=OF_ADMIN_PORT),
        Operation(
            "get",
            "/readyz",
            "health",
            "ready to take events",
            answer=told.Health,
            refused=merged(OF_ADMIN_PORT, {503: ("not_ready",)}),
        ),
        Operation(
            "get", "/openapi.json", "health", "this document", answer=dict, refused=OF_ADMIN_PORT
        ),
        Operation(
            "get", "/docs", "health", "the same for people", answer="text/html",
            refused=OF_ADMIN_PORT,
        ),
    ]  # fmt: skip


def _process() -> list[Operation]:
    return [
        Operation(
            "get",
            "/metrics",
            "operating",
            "metrics in Prometheus' form",
            "admin",
            answer="text/plain",
            refused=merged(OF_ADMIN_PORT, {401: ("key.unknown",), 429: ("key.too_many",)}),
            about="From this machine no key is needed.",
        ),
        of_admin(
            "post",
            "/api/backup",
            "write a backup",
            FORM,
            {400: ("backup.place",)},
            body=BackupAsked,
            lines=Backup,
            example={"path": "/backups/shop.db"},
        ),
        of_admin(
            "post",
            "/api/import",
            "history, as lines",
            {400: ("history.invalid",), 413: ("body.too_large",)},
            body=LINES,
            answer=Taken,
            needs_body=False,
        ),
        of_admin(
            "post",
            "/api/reload",
            "take a changed shop on",
            {409: ("reload.nowhere",), 422: ("shop.invalid",)},
            answer=Reloaded,
        ),
        of_admin(
            "post",
            "/api/diff",
            "what would come of a changed shop",
            FORM,
            {409: ("reload.nowhere",), 422: ("shop.invalid",)},
            body=dict,
            lines=dict,
            about=_OF_SHOP,
            needs_body=False,
        ),
        of_admin("get", "/api/plan/infer", "propose a tracking plan", lines=dict),
    ]


def _virtual_time() -> list[Operation]:
    return [
        of_admin(
            "post",
            "/api/simulate",
            "run a shop over events in virtual time",
            FORM,
            _SHOP,
            _BUSY,
            body=SimulateAsked,
            lines=dict,
            example={"events": [_SEEN]},
        ),
        of_admin(
            "post",
            "/api/backtest",
            "run a shop over the archive",
            FORM,
            _SHOP,
            _BUSY,
            _CAMPAIGN,
            body=BacktestAsked,
            lines=dict,
            example={"days": 7, **_SHOP_EXAMPLE},
            needs_body=False,
        ),
        of_admin(
            "get",
            "/api/funnel",
            "who went from event to event",
            QUERY,
            _BUSY,
            lines=dict,
            query=(
                Parameter("events", "Names by commas, 1 to 20; or `event`, several times.",
                          example="Product Added,Order Completed"),
                Parameter("event", "A name with a comma in it.", list[str]),
                Parameter("within", "From each to the next.", default=FUNNEL_WITHIN),
                _SINCE,
                _DAYS,
            ),
        ),
        of_admin(
            "get",
            "/api/discover",
            "what goes before a goal",
            QUERY,
            _BUSY,
            lines=dict,
            query=(
                Parameter("goal", "An event.", required=True, example="Order Completed"),
                Parameter("within", "From the landmark to the goal.", default=GOAL_WITHIN),
                Parameter("cohort", "`week`, or a trait.", default="week"),
                whole("users", "How many are looked at.", 100, USERS_MAX, USERS_USUAL),
                _SINCE,
                _DAYS,
            ),
        ),
    ]  # fmt: skip


def _campaigns() -> list[Operation]:
    of_records = (
        Parameter("campaign", "Of this one alone."),
        Parameter("kind", f"Of these kinds: {', '.join(sorted(KINDS))}.", list[str]),
        whole("after", "Behind which record.", 0, RECORD_MAX, 0),
    )
    return [
        of_admin(
            "get", "/api/campaigns", "how campaigns do", QUERY, answer=told.Campaigns,
            query=(_HOURS,),
        ),
        of_admin(
            "get",
            "/api/campaigns/{id}",
            "how one does",
            QUERY,
            _CAMPAIGN,
            answer=told.Campaign,
            query=(_HOURS,),
            of_path=(Parameter("id", "A campaign's."),),
        ),
        of_admin(
            "post",
            "/api/trigger",
            "start a campaign, at a pace",
            FORM,
            {404: ("campaign.unknown", "segment.unknown")},
            body=BulkAsked,
            lines=Bulked,
            example={"campaign": "cart-abandonment", "user_ids": ["u1"], "dry_run": True},
        ),
        of_admin(
            "get", "/api/records.csv", "records as CSV", QUERY, answer="text/csv", query=of_records
        ),
        of_admin(
            "get", "/api/records.ndjson", "records as lines", QUERY, answer=LINES, query=of_records
        ),
        of_admin(
            "get",
            "/api/deadlines",
            "what is due, by hour",
            QUERY,
            answer=told.Deadlines,
            query=(
                whole("days", "Ahead.", 1, DAYS_AHEAD_MAX, DAYS_AHEAD),
            ),
        ),
        of_admin(
            "get",
            "/api/segments",
            "how large segments are",
            QUERY,
            answer=told.Segments,
            query=(whole("days", "Back.", 1, DAYS_KEPT, DAYS_BACK),),
        ),
    ]  # fmt: skip


def _templates() -> list[Operation]:
    return [
        of_admin(
            "get", "/api/templates", "templates and clicks on them", {}, answer=previewed.Templates
        ),
        of_admin(
            "get",
            "/api/templates/{id}",
            "one as it comes out, with clicks by link",
            {404: ("template.unknown", "user.unknown"), 422: ("preview.failed",)},
            answer=previewed.TemplateMade,
            query=(
                Parameter("user", "Whom it is made for; left out: somebody who never was."),
                Parameter("locale", "Left out: his own."),
            ),
            of_path=(Parameter("id", "`NAME.CHANNEL`, as its file is called."),),
        ),
    ]


OF_OPERATORS: Final = (
    *_both_ports(),
    *_process(),
    *_virtual_time(),
    *_campaigns(),
    *_templates(),
    *OF_USERS,
)
"""All of them."""
