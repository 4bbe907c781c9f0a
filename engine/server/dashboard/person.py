"""One user's page: who he is, what waits for him, what he did and got, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from engine.core.inputs import EnrollmentCancelled, EnrollmentForwarded
from engine.core.instants import format_instant
from engine.core.messages.waiting import each_message
from engine.core.state import NEVER
from engine.runtime.admin import dossier
from engine.runtime.admin.explaining import Explaining, Inexplicable
from engine.runtime.admin.past import PlanUnreadable
from engine.runtime.bulk import is_in
from engine.server.admin.overruling import overrule
from engine.server.admin.users import erase_user, export_user, unknown_user
from engine.server.answers import Refusal, in_one_line
from engine.server.dashboard import frame, words
from engine.server.dashboard.flow import campaign_address
from engine.server.dashboard.frame import Page, card, form, table
from engine.server.dashboard.happened import line_of
from engine.server.dashboard.markup import Content, Html, tag
from engine.server.dashboard.people import address
from engine.server.dashboard.reasons import explanation
from engine.server.queries import instant_asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from engine.core.state import Enrollment, User
    from engine.server.admin.operating import House

_DIGITS_MAX: Final = 16

LINES: Final = 50
"""Of the timeline, on a page."""


async def show(house: House, request: web.Request, mark: str) -> Page:
    """The page."""
    user = _find(house, request)
    before_ms = instant_asked(request, "before") if request.query.get("before") else None
    ids = (user.user_id, *user.aliases)
    lines = await dossier.timeline(
        house.store, *ids, limit=LINES, before_ms=NEVER if before_ms is None else before_ms
    )
    content = tag(
        "div",
        tag("div", _about(house, user), _coming(house, user, mark), class_="grid two"),
        await _why(house, request, user),
        _timeline(user, lines, before_ms),
        tag("div", _consents(user), _state(house, user), class_="grid two"),
    )
    name = user.traits.get("name") or user.traits.get("first_name")
    beside = [
        tag(
            "a", "Export", href=f"{address(user.user_id)}/export", class_="act other", download=True
        ),
        tag("a", "Erase…", href=f"{address(user.user_id)}/erase", class_="act other"),
    ]
    lead = name if isinstance(name, str) else None
    return Page(title=user.user_id, path="/users", lead=lead, beside=beside, content=content)


async def export(house: House, request: web.Request, _mark: str) -> web.StreamResponse:
    """Everything that is held of him, as a file."""
    user_id = request.match_info["id"]
    answer = await export_user(house, user_id)
    name = quote(f"{user_id[:80]}.json", safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def ask_to_erase(house: House, request: web.Request, mark: str) -> Page:
    """Asks once more: what is erased does not come back."""
    return _asks_to_erase(_find(house, request), mark)


def _asks_to_erase(user: User, mark: str, wrong: str = "") -> Page:
    field = tag(
        "div",
        tag("label", "Type the user's id to confirm", for_="id"),
        tag(
            "input",
            id="id",
            name="id",
            required=True,
            autocomplete="off",
            spellcheck="false",
            aria_invalid="true" if wrong else None,
            aria_describedby="wrong" if wrong else None,
        ),
        class_="field",
    )
    content = card(
        "This cannot be undone",
        tag("p", "His state, his events, what happened to him and his messages go from the disk; ",
            "what comes of him from before now is refused."),
        frame.wrong(wrong) if wrong else None,
        form(f"{address(user.user_id)}/erase", mark, field,
             tag("div", tag("button", "Erase for good", class_="danger"),
                 tag("a", "Keep", href=address(user.user_id), class_="act other"), class_="acts"),
             class_="fields"),
    )  # fmt: skip
    status = 400 if wrong else 200
    return Page(title=f"Erase {user.user_id}", path="/users", content=content, status=status)


async def erase(
    house: House, request: web.Request, said: Mapping[str, str]
) -> tuple[str, str] | Page:
    """Erase him, where his id was typed."""
    user_id = request.match_info["id"]
    if said.get("id", "").strip() != user_id:
        wrong = "the id that was typed is not this user's; nothing was erased"
        return _asks_to_erase(_find(house, request), said["mark"], wrong)
    await erase_user(house, user_id)
    return "/users", f"{user_id} is erased."


def _find(house: House, request: web.Request) -> User:
    user_id = request.match_info["id"]
    user = house.processor.find(user_id)
    if user is None:
        raise unknown_user(user_id)
    return user


def _about(house: House, user: User) -> Html:
    processor, now_ms = house.processor, house.processor.now_ms
    inside = [
        tag("a", name, href="/segments", class_="pill plain")
        for name, segment in processor.plan.segments.items()
        if is_in(processor, user, segment, now_ms)
    ]
    rows: list[list[Content]] = [
        [tag("code", name), tag("span", _json(value), class_="mono")]
        for name, value in sorted(user.traits.items())
    ]
    facts: list[tuple[str, Content]] = [
        ("Last seen", words.instant(user.last_seen_at_ms) if user.last_seen_at_ms else words.NONE),
        ("Segments", [[one, " "] for one in inside] or words.NONE),
    ]
    if user.is_anonymous:
        facts.append(("Known", "by a device's id alone"))
    if user.aliases:
        facts.append(("Also", words.listed([*user.aliases], "and")))
    facts += [
        (f"No more {channel}", f"{to} was refused for good")
        for channel, to in user.suppressed.items()
    ]
    return card("Who it is", _facts(facts), tag("h3", "Traits"),
                table("Traits", ["Trait", "Value"], rows, empty="None is known."))  # fmt: skip


async def forward(house: House, request: web.Request, said: Mapping[str, str]) -> tuple[str, str]:
    """Have an enrollment go on now."""
    done = await overrule(house, request, EnrollmentForwarded, _clock(said))
    told = {"gone_on": "It had gone on already."}.get(done.outcome, "It went on.")
    return address(done.user_id), told


async def cancel(house: House, request: web.Request, said: Mapping[str, str]) -> tuple[str, str]:
    """Have an enrollment end."""
    done = await overrule(house, request, EnrollmentCancelled, _clock(said))
    told = {"gone_on": "It had gone on: nothing was ended."}.get(done.outcome, "It is ended.")
    return address(done.user_id), told


def _clock(said: Mapping[str, str]) -> int:
    clock = said.get("clock", "")
    if not (clock.isascii() and clock.isdigit() and len(clock) < _DIGITS_MAX):
        raise Refusal(400, "form.invalid", "the form is not whole; load the page anew")
    return int(clock)


def _buttons(user: User, one: Enrollment, mark: str) -> Html:
    """Have it go on, or end; each says of which wait."""
    place = f"{address(user.user_id)}/enrollments/{quote(one.enrollment, safe='')}"
    clock = tag("input", type="hidden", name="clock", value=one.clock_at_ms)
    on = tag("button", "Now", class_="other small",
             aria_label=f"Have {one.campaign} go on now")  # fmt: skip
    end = tag("button", "End", class_="other small", aria_label=f"End {one.campaign} for him")
    return tag("div", form(f"{place}/forward", mark, clock, on),
               form(f"{place}/cancel", mark, clock, end), class_="acts tight")  # fmt: skip


def _coming(house: House, user: User, mark: str) -> Html:
    """What waits: enrollments with their next deadline, conditions, messages on their way."""
    plan = house.processor.plan
    state = dossier.told_state(user, plan)
    rows: list[tuple[int, list[Content]]] = [
        (one.due_at_ms, [
            [tag("a", one.campaign, href=campaign_address(one.campaign)), tag("br"),
             f"in step {told.get('step', one.position)}", ", held out" if one.held_out else ""],
            words.due(one.due_at_ms),
            _buttons(user, one, mark),
        ])
        for one, told in zip(user.enrollments, state["enrollments"], strict=True)
    ]  # fmt: skip
    alarms = {} if user.watch is None else user.watch.alarms
    rows += [
        (at_ms, [[name, tag("br"), "its condition is asked again"], words.due(at_ms), None])
        for name, at_ms in alarms.items()
        if at_ms < NEVER
    ]
    if user.session is not None and not user.session.ended:
        rows.append(
            (
                user.session.ends_at_ms,
                ["his session ends", words.due(user.session.ends_at_ms), None],
            )
        )
    told = [row for _, row in sorted(rows, key=lambda one: one[0])]
    pending: list[list[Content]] = [
        [one.campaign, one.step, one.channel,
         words.instant(one.sent_at_ms) if one.sent_at_ms else words.NONE]
        for one in each_message(user.pending)
    ]  # fmt: skip
    heads = ["What", "Due, UTC", "Have it"]
    return card(
        "What comes next",
        table("Deadlines", heads, told, empty="Nothing waits for him."),
        [tag("h3", "Messages under way"),
         table("Messages under way", ["Campaign", "Step", "Channel", "Since"], pending)]
        if pending else None,
    )  # fmt: skip


async def _why(house: House, request: web.Request, user: User) -> Html:
    campaign, at = request.query.get("campaign", ""), request.query.get("at", "")
    names = sorted(house.processor.plan.campaigns)
    options = [tag("option", name, value=name, selected=name == campaign) for name in names]
    form_ = tag(
        "form",
        tag("div", tag("label", "Campaign", for_="campaign"),
            tag("select", options, id="campaign", name="campaign"), class_="field"),
        tag("div", tag("label", "At, in UTC (empty: now)", for_="at"),
            tag("input", id="at", name="at", value=at, type="datetime-local", step="1"),
            class_="field"),
        tag("button", "Explain"),
        action=f"{address(user.user_id)}#why",
        class_="fields",
    )  # fmt: skip
    told: Content = None
    if campaign:
        told = await _explained(house, user.user_id, campaign, request)
    elif not names:
        told = tag("p", "The shop has no campaign.", class_="empty")
    return card("Why, or why not", form_, told, id_="why")


async def _explained(house: House, user_id: str, campaign: str, request: web.Request) -> Content:
    explaining = Explaining.running(house.store, house.processor)
    try:
        at_ms = instant_asked(request, "at") if request.query.get("at") else None
        told = await explaining.explain(user_id, campaign, now_ms=house.clock.now_ms(), at_ms=at_ms)
    except (Inexplicable, PlanUnreadable, Refusal) as error:
        return tag("p", words.sentence(in_one_line(error)), class_="alert", role="alert")
    return explanation(told)


def _timeline(user: User, lines: list[dict[str, Any]], before_ms: int | None) -> Html:
    newest_first = list(reversed(lines))
    more: Content = None
    if len(lines) == LINES:
        query = urlencode({"before": lines[0]["at"]})
        more = tag("p", tag("a", "Earlier", href=f"{address(user.user_id)}?{query}#timeline"))
    title = "Timeline" if before_ms is None else f"Timeline before {format_instant(before_ms)}"
    told = tag("ol", [line_of(one) for one in newest_first], class_="timeline")
    empty = tag("p", "Nothing is kept.", class_="empty")
    return card(title, told if lines else empty, more, id_="timeline")


def _consents(user: User) -> Html:
    said = user.traits.get("consent")
    rows: list[list[Content]] = [
        [tag("code", str(name)), _yes_or_no(value)]
        for name, value in (said.items() if isinstance(said, dict) else ())
        if isinstance(value, bool)
    ]
    return card("Consents", table("Consents", ["For", "Said"], rows, empty="He has said nothing."))


def _yes_or_no(value: bool) -> Html:  # noqa: FBT001 - it is the value that is told
    return tag("span", "yes" if value else "no", class_="pill good" if value else "pill bad")


def _state(house: House, user: User) -> Html:
    state = dossier.told_state(user, house.processor.plan)
    told = msgspec.json.format(msgspec.json.encode(state), indent=2).decode()
    whole = tag("details", tag("summary", "As the engine keeps it"),
                tag("pre", told, tabindex="0", aria_label="State as JSON"))  # fmt: skip
    return card("State", whole)


def _facts(facts: list[tuple[str, Content]]) -> Html:
    return tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in facts], class_="facts")


def _json(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
