"""A campaign's file: as it is in force, with what `check` says; and this or another on the past."""

from __future__ import annotations

import os
from functools import lru_cache, partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from config import (
    ContentInvalid,
    ShopInvalid,
    campaign_id_in,
    campaign_path,
    decode_content,
    encode_content,
    load_shop,
)
from engine.runtime.admin.diffing import Diffing
from engine.runtime.aside import aside
from engine.runtime.errands import DAYS_MAX, BacktestErrand
from engine.server.admin.simulating import DAYS_USUAL, archive_of, content_in_force
from engine.server.answers import Refusal
from engine.server.dashboard import frame, studied, taken, words
from engine.server.dashboard.flow import campaign_address
from engine.server.dashboard.frame import Page, card, form, table
from engine.server.dashboard.happened import line_of
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.now import of
from engine.server.dashboard.people import address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web

    from config import Fault
    from engine.runtime.admin.studies import Study
    from engine.server.admin.operating import House

RECORDS: Final = 1_000
"""Of a run, that are asked for; those of messages among them are shown."""

SHOWN: Final = 100

_DAYS_WRONG: Final = f"days is a whole number from 1 to {DAYS_MAX}; nothing was run"

_WITHIN_S: Final = 0.02
"""How long a page waits for what `check` says; else that comes a moment later."""


class _File:
    """A campaign's file, and the shop that it stands in."""

    def __init__(self, files: dict[str, str], campaign_id: str) -> None:
        self.files = files
        self.path = campaign_path(files, campaign_id) or f"campaigns/{campaign_id}.yaml"
        self.text = files.get(self.path, "")

    def edited(self, text: str) -> bytes:
        """The shop's content with another text in this one's place."""
        return encode_content({**self.files, self.path: text})


async def show(house: House, request: web.Request, mark: str) -> Page:
    """The file, and what came of the backtest that is asked after."""
    campaign_id = request.match_info["id"]
    file = await _file_of(house, campaign_id)
    digits = request.query.get("study", "")
    study = of(house).studies.find(f"backtest {digits}") if digits else None
    gone: Content = None
    text, days = file.text, str(DAYS_USUAL)
    if study is not None:
        text, days = study.said["text"], study.said["days"]
    elif digits:
        gone = tag("p", "What came of it is not kept any more: run it again.", class_="alert")
    checked = await _looked_over(house, file.edited(text))
    taking = study and _taken_on(house, f"{digits} {campaign_id}", file.edited(text))
    found = studied.parts(
        (study, _told),
        (taking, partial(taken.told, campaign_id)),
        (checked, _findings),
        (study if study and study.result else None, partial(_who, campaign_id)),
    )
    return _page(campaign_id, [_edit(campaign_id, mark, file, text, days), gone, found])


async def backtest(
    house: House, request: web.Request, said: Mapping[str, str]
) -> tuple[str, str] | Page:
    """Check the file that a form has, and unless that is all, run it over the archive."""
    campaign_id = request.match_info["id"]
    file = await _file_of(house, campaign_id)
    text = said.get("text", file.text).replace("\r\n", "\n")
    days = said.get("days", "")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= DAYS_MAX):
        edit = _edit(campaign_id, said["mark"], file, text, days, _DAYS_WRONG)
        return msgspec.structs.replace(_page(campaign_id, edit), status=400)
    content = file.edited(text)
    found = msgspec.json.decode(await aside(partial(_check, content)))
    if found["faults"] or said.get("do") == "check":
        edit = _edit(campaign_id, said["mark"], file, text, days)
        return _page(campaign_id, [edit, tag("div", _findings(found), id="found")])
    errand = BacktestErrand(
        content=content.decode(),
        archive=archive_of(house, int(days)),
        campaign=campaign_id_in(text) or campaign_id,
        records=RECORDS,
    )
    asked = f"{house.clock.now_ms()} {days} ".encode() + content
    digits = _digits(asked)
    studied.looked(house, f"backtest {digits}", errand, {"text": text, "days": days})
    return f"{campaign_address(campaign_id)}/file?study={digits}", ""


async def _file_of(house: House, campaign_id: str) -> _File:
    if campaign_id not in house.processor.plan.campaigns:
        message = f"there is no campaign {campaign_id[:100]!r} in the shop"
        raise Refusal(404, "campaign.unknown", message)
    content = await content_in_force(house)
    try:
        return await aside(partial(_parted, content, campaign_id))
    except ContentInvalid as invalid:
        raise Refusal(500, invalid.code, invalid.message) from invalid


@lru_cache(maxsize=8)
def _parted(content: bytes, campaign_id: str) -> _File:
    return _File(decode_content(content), campaign_id)


async def _looked_over(house: House, content: bytes) -> Study:
    """What `check` says of a shop, which takes longer than a page may."""
    studies = of(house).studies

    async def check(_told: object) -> msgspec.Raw:
        return await aside(partial(_check, content))

    study = studies.look(f"check {_digits(content)}", check)
    await studies.wait(study, _WITHIN_S)
    return study


def _taken_on(house: House, key: str, content: bytes) -> Study:
    """What would come of a shop, were it taken on now."""

    async def differ(told: Callable[[int, int], None]) -> msgspec.Raw:
        changed = await aside(lambda: load_shop(decode_content(content), env=os.environ))
        await house.shell.durable()  # the plan in force is in the store then
        differing = Diffing(house.store, house.processor, told)
        came = await differing.diff(changed, house.clock.now_ms, [])
        return msgspec.Raw(msgspec.json.encode(came))

    return of(house).studies.look(f"taken on {key}", differ)


def _check(content: bytes) -> msgspec.Raw:
    """Faults and warnings of a shop, as JSON."""
    found: dict[str, Sequence[Fault]] = {"faults": ()}
    try:
        found["warnings"] = load_shop(decode_content(content), env=os.environ).warnings
    except ShopInvalid as invalid:
        found = {"faults": invalid.faults, "warnings": invalid.warnings}
    return msgspec.Raw(msgspec.json.encode(found))


def _digits(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _page(campaign_id: str, content: Content) -> Page:
    back = tag("a", "Its flow", href=campaign_address(campaign_id), class_="act other")
    lead = (
        "The file that is in force. Change it here as you like: that changes the backtest alone, "
        "and nothing of the shop."
    )
    return Page(title=f"{campaign_id}: file and backtest", path="/campaigns", lead=lead,
                beside=back, content=tag("div", content))  # fmt: skip


def _edit(campaign_id: str, mark: str, file: _File, text: str, days: str, wrong: str = "") -> Html:
    lines = min(max(text.count("\n") + 2, 8), 28)
    written = tag(
        "div",
        tag("label", file.path, for_="text"),
        tag("textarea", Html("\n"), text, id="text", name="text", rows=lines, wrap="off",
            spellcheck="false", autocapitalize="off"),
        class_="field",
    )  # fmt: skip
    span = tag(
        "div",
        tag("label", "Days of the archive", for_="days"),
        tag("input", id="days", name="days", value=days, type="number", min=1, max=DAYS_MAX,
            required=True, aria_invalid="true" if wrong else None,
            aria_describedby="wrong" if wrong else None),
        class_="field",
    )  # fmt: skip
    buttons = tag(
        "div",
        tag("button", "Backtest", name="do", value="backtest"),
        tag("button", "Check", name="do", value="check", class_="other"),
        class_="acts",
    )
    fields = [frame.wrong(wrong) if wrong else None, tag("div", span, buttons, class_="fields")]
    action = f"{campaign_address(campaign_id)}/file"
    return card("The file", form(action, mark, written, fields, class_="stacked"))


def _findings(found: dict[str, list[dict[str, Any]]]) -> Html:
    kinds = (("fault", "bad", found["faults"]), ("warning", "warn", found["warnings"]))
    rows: list[list[Content]] = [
        [
            tag("span", kind, class_=f"pill {colour}"),
            tag("code", f"{one['path']}:{one['line']}", class_="unbroken"),
            tag("span", "; ".join(filter(None, (one["message"], one["hint"]))), class_="wide"),
        ]
        for kind, colour, each in kinds
        for one in each
    ]
    count = len(found["faults"])
    said = f"It does not check: {_counted(count, 'fault')}." if count else "It checks."
    told = tag("p", said, class_="verdict", role="status")
    listed = table("Findings", ["Kind", "Where", "What"], rows, empty="Nothing else.", blocks=True)
    return card("What check says of the shop with it", told, listed)


def _counted(count: int, name: str) -> str:
    return f"{words.count(count)} {name}{'' if count == 1 else 's'}"


def _told(told: dict[str, Any]) -> Content:
    compared = told["compared"]
    users = compared["users"]
    late, other = (
        sum(one[name] for one in compared["changes"]) for name in ("other_time", "other_template")
    )
    if users:
        verdict = f"It would have sent something else to {_counted(users, 'user')}."
    elif late or other:
        verdict = (
            f"It would have sent everybody as many messages, {words.count(late)} of them at "
            f"another time, {words.count(other)} from another template."
        )
    else:
        verdict = "It would have sent everybody the same messages."
    since = told["exact_from"]
    exact: Content = None
    if since:
        exact = tag("p", "The archive begins ", words.instant_said(since), " UTC: what conditions "
                    "ask of the time before is not found.", class_="soft")  # fmt: skip
    return [
        card(
            "What would have happened",
            tag("p", verdict, class_="verdict", role="status"),
            table("Compared", ["What", "Was#", "Would be#", "Change#"],
                  _rows(_of(told["before"]), _of(told["after"]))),
            studied.spanned(told),
            exact,
        ),
        _changes(compared),
        _sample(compared) if compared["sample"] else None,
    ]  # fmt: skip


def _of(summaries: list[dict[str, Any]]) -> dict[str, float]:
    """What is told of one campaign, one line each."""
    if not summaries:
        return {}
    (one,) = summaries[:1]
    lines: dict[str, float] = {"entered": one["entered"]}
    for name, key in (("sent", "sent"), ("failed", "failed"), ("skipped", "skipped")):
        lines |= {f"{name}: {what}": count for what, count in sorted(one[key].items())}
    lines["put off"] = one["deferred"]
    lines |= {f"left: {why}": count for why, count in sorted(one["exited"].items())}
    lines["finished"] = one["finished"]
    lines |= {f"not let in: {why}": count for why, count in sorted(one["refused"].items())}
    return lines | {"converted": one["goals"], "value": one["goal_value"]}


def _rows(before: dict[str, float], after: dict[str, float]) -> list[list[Content]]:
    rows: list[list[Content]] = []
    for name in dict.fromkeys([*before, *after]):
        then, now = before.get(name, 0), after.get(name, 0)
        more = now - then
        kind = "plain" if not more else "good" if more > 0 else "warn"
        pill = tag("span", f"{more:+,.0f}" if more else "same", class_=f"pill {kind}")
        rows.append([name, words.count(then), words.count(now), pill])
    return rows


def _changes(compared: dict[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [one["channel"], words.count(one["before"]), words.count(one["after"]),
         words.count(one["users_more"]), words.count(one["users_less"]),
         words.count(one["other_time"]), words.count(one["other_template"])]
        for one in compared["changes"]
    ]  # fmt: skip
    heads = ["Channel", "Was#", "Would be#", "Users with more#", "With fewer#", "Other time#",
             "Other template#"]  # fmt: skip
    return card("Messages", table("Messages by channel", heads, rows, empty="None, either way."))


def _sample(compared: dict[str, Any]) -> Html:
    rows: list[list[Content]] = [
        [
            tag("a", one["user_id"], href=address(one["user_id"])),
            ", ".join(f"{more:+} {what}" for what, more in one["messages"].items()),
        ]
        for one in compared["sample"]
    ]
    return card("For whom it differs", table("For whom it differs", ["User", "Messages"], rows))


def _who(campaign_id: str, told: dict[str, Any]) -> Html:
    """Who would have got what, and who would not."""
    lines = [one for one in told["records"] if one["kind"] in {"sent", "skipped", "deferred"}]
    items = [line_of({**one, "campaign": ""}, whose=True) for one in lines[:SHOWN]]
    title = f"Who would have got what, and what was not sent: {campaign_id}"
    if not items:
        return card(title, tag("p", "Nobody.", class_="empty"))
    more: Content = None
    if len(lines) > SHOWN or told["records_total"] > RECORDS:
        text = f"The first {words.count(len(items))} are shown."
        more = tag("p", text, class_="soft")
    return card(title, tag("ol", items, class_="timeline"), more)
