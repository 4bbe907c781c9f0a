"""The routes that links in messages lead to (http.md): open, click, unsubscribe, preferences.

Whoever has a message has its links: there is no login. A link's token says which message it is in
and nothing is done by looking at one: programs that fetch links ahead unsubscribe nobody. What is
not good is answered by a page, 404 where it was never signed here and 410 where its time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import msgspec
from aiohttp import web

from channels.links import Links
from channels.tokens import LinkFacts, Signer, TokenInvalid, pack_facts, unpack_facts
from engine.core.guardrails import address_of
from engine.core.inputs import ConsentStated
from engine.core.intake.feedback import feedback
from engine.core.messages.answers import answered
from engine.core.people.consents import is_stated
from engine.runtime.addresses import WRITTEN
from engine.runtime.admin.owners import Owners
from engine.runtime.clock import monotonic_ns
from engine.server.admin.own_keys import take_signing_keys
from engine.server.bodies import read_body
from engine.server.forms import FORM_LIMITS
from engine.server.links import pages
from engine.server.links.engagement import Engagement, sent_message
from engine.server.links.preferences import Shown, choices_of, masked_address, stated
from engine.server.links.robots import machine_of, wants_no_tracking
from engine.server.links.texts import LANGUAGES, language_of, within
from engine.server.pixel import GIF, NEVER_KEPT
from engine.server.rates import BadKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from aiohttp.typedefs import Handler

    from channels.tokens import Purpose
    from config import Settings
    from engine.core.inputs import Answer, UserInput
    from engine.core.state import User
    from engine.runtime.metrics import Metrics
    from engine.runtime.shell import Shell
    from engine.server.links.texts import Texts

_NEVER_KEPT: Final = {
    "Cache-Control": NEVER_KEPT,
    "Pragma": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_ONE_CLICK: Final = "List-Unsubscribe"


class LinkDoor:
    """What stands behind links in messages.

    Args:
        links: Makes and signs them.
        settings: What the shop says of itself; `follow` has others take their place.
        shell: Takes what is done by links, and has the processor that knows users.
        now_ms: Logical now.
        metrics: Counts.
        engagement: Takes what is done with messages; by default one that holds it for a second.
    """

    def __init__(
        self,
        links: Links,
        settings: Settings,
        shell: Shell,
        now_ms: Callable[[], int],
        metrics: Metrics,
        *,
        engagement: Engagement | None = None,
    ) -> None:
        processor, submit = shell.processor, shell.submit
        self._bad = BadKeys(monotonic_ns, "link's token", refused=metrics.links_refused)
        self.engagement = engagement or Engagement(submit, now_ms, processor.find, metrics)
        self._links = links
        self._owners = {channel: Owners(processor, channel) for channel in WRITTEN}
        self._submit = submit
        self._processor = processor
        self._now_ms = now_ms
        self._metrics = metrics
        self.follow(settings)

    def follow(self, settings: Settings) -> None:
        """Make links, and show pages, as the shop has it from now on."""
        self._links.follow(settings.shop.url, settings.tracking.of_links())
        self.shown = Shown(
            name=settings.shop.name,
            topics=settings.consent.topics,
            honors_gpc=settings.consent.honor_gpc,
        )

    def bars_tracking(self, headers: Mapping[str, str]) -> bool:
        """Whether a request comes of a browser that is not to be tracked."""
        return self.shown.honors_gpc and wants_no_tracking(headers)

    def routes(self) -> Mapping[str, Mapping[str, Handler]]:
        """By path, its methods and their handlers."""
        return {
            "/o/{token}.gif": {"GET": self.open},
            "/c/{token}": {"GET": self.click},
            "/s/{token}": {"GET": self.ask_survey, "POST": self.take_survey},
            "/u/{token}": {"GET": self.ask_to_leave, "POST": self.leave},
            "/preferences/{token}": {"GET": self.preferences, "POST": self.prefer},
        }

    async def open(self, request: web.Request) -> web.StreamResponse:
        """`GET /o/{token}.gif`: a picture whatever the token, since a broken one helps nobody."""
        try:
            facts = self._read(request, "open")
        except TokenInvalid as invalid:
            self._refuse(request, "open", invalid)
            status = 410 if invalid.is_expired else 404
            return web.Response(body=GIF, status=status, headers=_picture())
        self._note(request, facts, "opened")
        return web.Response(body=GIF, headers=_picture())

    async def click(self, request: web.Request) -> web.StreamResponse:
        """`GET /c/{token}`: on to the address that was signed into the token, and nowhere else."""
        try:
            facts = self._read(request, "click")
        except TokenInvalid as invalid:
            return self._invalid(request, "click", invalid, _led_to(invalid))
        self._note(request, facts, "clicked", facts.about)
        return web.Response(status=302, headers={"Location": facts.about, **_NEVER_KEPT})

    async def ask_to_leave(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/{token}`: a page with a button."""
        try:
            facts = self._read(request, "unsubscribe")
        except TokenInvalid as invalid:
            return self._invalid(request, "unsubscribe", invalid)
        texts, language = self._texts(request, facts)
        address = masked_address(self._processor.find(facts.user_id), facts.channel)
        lead = texts["unsubscribe_lead" if address else "unsubscribe_lead_bare"].format(
            shop=self.shown.name, address=address, channel=within(texts[facts.channel], language)
        )
        return pages.asking_page(
            texts,
            language,
            self.shown.name,
            lead=lead,
            topic=self.shown.topic_label(facts.about) if facts.about else "",
            preferences=self._preferences_of(facts),
        )

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/{token}`: at once, whoever asks; RFC 8058's one click, or the page's button."""
        try:
            facts = self._read(request, "unsubscribe")
        except TokenInvalid as invalid:
            return self._invalid(request, "unsubscribe", invalid)
        form = await _form(request)
        by_topic = form.get("scope") == ["topic"] and bool(facts.about)
        source = "one-click" if _ONE_CLICK in form else "unsubscribe-page"
        texts, language = self._texts(request, facts)
        if by_topic:
            await self._state(facts, source, topics={facts.about: False})
            topic = self.shown.topic_label(facts.about)
            lead = texts["unsubscribed_topic"].format(shop=self.shown.name, topic=topic)
        else:
            await self._state(facts, source, channels={facts.channel: False})
            channel = within(texts[facts.channel], language)
            lead = texts["unsubscribed_lead"].format(shop=self.shown.name, channel=channel)
        preferences = self._preferences_of(facts)
        return pages.done_page(texts, language, self.shown.name, lead=lead, preferences=preferences)

    async def ask_survey(self, request: web.Request) -> web.StreamResponse:
        """`GET /s/{token}`: the answer that the link stands for, with a button."""
        return await self._survey(request)

    async def take_survey(self, request: web.Request) -> web.StreamResponse:
        """`POST /s/{token}`: the answer is given, once a message and survey."""
        return await self._survey(request, is_given=True)

    async def _survey(self, request: web.Request, *, is_given: bool = False) -> web.StreamResponse:
        try:
            facts = self._read(request, "survey")
        except TokenInvalid as invalid:
            return self._invalid(request, "survey", invalid)
        survey, _, value = facts.about.partition("\n")
        if is_given and self._processor.find(facts.user_id) is not None:
            sent = sent_message(facts)
            await self._submit([feedback(facts.user_id, sent, survey, value, self._now_ms())])
        texts, language = self._texts(request, facts)
        return pages.survey_page(texts, language, self.shown.name, value=value, thanks=is_given)

    async def preferences(self, request: web.Request) -> web.StreamResponse:
        """`GET /preferences/{token}`: what holds now, as boxes."""
        try:
            facts = self._read(request, "preferences")
        except TokenInvalid as invalid:
            return self._invalid(request, "preferences", invalid)
        return self._preference_page(request, facts)

    async def prefer(self, request: web.Request) -> web.StreamResponse:
        """`POST /preferences/{token}`: what was ticked and what was not, or a no to everything."""
        try:
            facts = self._read(request, "preferences")
        except TokenInvalid as invalid:
            return self._invalid(request, "preferences", invalid)
        form = await _form(request)
        choices = self._choices(request, facts)
        leaves = form.get("do") == ["leave"]
        channels, topics = stated(choices, form, leaves=leaves)
        if channels or topics:
            await self._state(facts, "preferences", channels=channels, topics=topics)
        return self._preference_page(request, facts, "left_all" if leaves else "saved")

    def _preference_page(
        self, request: web.Request, facts: LinkFacts, said: str = ""
    ) -> web.Response:
        texts, language = self._texts(request, facts)
        told = texts[said] if said else ""
        choices = self._choices(request, facts)
        return pages.preferences_page(texts, language, self.shown.name, choices, told)

    def _choices(self, request: web.Request, facts: LinkFacts) -> list[pages.Choice]:
        user = self._processor.find(facts.user_id)
        texts, _ = self._texts(request, facts)
        return choices_of(self._processor.plan, user, facts, self.shown, texts)

    def _preferences_of(self, facts: LinkFacts) -> str:
        """The preference page of whoever holds a link, for as long as a new one would be good."""
        expires_at_ms = self._now_ms() + self._links.tracking.expires_ms
        token = self._links.signer.sign("preferences", pack_facts(facts), expires_at_ms)
        return f"../preferences/{token}"

    def _read(self, request: web.Request, purpose: Purpose) -> LinkFacts:
        token = request.match_info["token"]
        return unpack_facts(self._links.signer.read(purpose, token, self._now_ms()))

    def _note(self, request: web.Request, facts: LinkFacts, answer: Answer, link: str = "") -> None:
        headers = request.headers
        if self.bars_tracking(headers):
            self._metrics.untracked.labels(answer).inc()
            return
        since_ms = self._now_ms() - facts.sent_at_ms
        machine = machine_of(request.method, headers, answer, since_ms)
        agent = headers.get("User-Agent", "")
        self.engagement.note(facts, answer, agent=agent, machine=machine, link=link)

    async def _state(
        self,
        facts: LinkFacts,
        source: str,
        *,
        channels: dict[str, bool] | None = None,
        topics: dict[str, bool] | None = None,
    ) -> None:
        """Take it, and return once it is durable; nothing of somebody who is not known.

        What was said before, by a link that is followed again, is no news.
        """
        user = self._processor.find(facts.user_id)
        if user is None:
            return
        said: dict[str, Any] = {"channels": channels or {}, "topics": topics or {}}
        if is_stated(user, **said):
            await self._submit([])  # durable it has to be all the same, and may not be yet
            return
        now_ms = self._now_ms()
        own = ConsentStated(facts.user_id, source, now_ms, now_ms, **said)
        inputs: list[UserInput] = [own, *await self._of_others(user, facts, own)]
        if not all([*said["channels"].values(), *said["topics"].values()]):
            sent = sent_message(facts)
            inputs.append(answered(facts.user_id, sent, "unsubscribed", now_ms))
            self._metrics.answers.labels("unsubscribed", "person").inc()
        await self._submit(inputs)

    async def _of_others(
        self, user: User, facts: LinkFacts, stated: ConsentStated
    ) -> list[ConsentStated]:
        """The same no of other users with the address that a link came to: its owner is theirs.

        What he says of other channels is of other addresses. O(users), in slices.
        """
        channel, owners = facts.channel, self._owners.get(facts.channel)
        address = address_of(user, channel)
        channels = {channel: False} if stated.channels.get(channel) is False else {}
        topics = {topic: yes for topic, yes in stated.topics.items() if not yes}
        if owners is None or not isinstance(address, str) or not (channels or topics):
            return []
        said = {"channels": channels, "topics": topics}
        return [
            msgspec.structs.replace(stated, user_id=other, **said)
            for other in await owners.of(address)
            if other != user.user_id
        ]

    def _texts(self, request: web.Request, facts: LinkFacts | None) -> tuple[Texts, str]:
        user = None if facts is None else self._processor.find(facts.user_id)
        locale = None if user is None else user.traits.get("locale")
        language = language_of(locale, request.headers.get("Accept-Language", ""))
        return LANGUAGES[language], language

    def _refuse(self, request: web.Request, route: str, invalid: TokenInvalid) -> None:
        """Count it; whoever tries many is told to come again later (Refusal, 429)."""
        reason = "expired" if invalid.is_expired else "forged"
        self._bad.note(request, route, reason, is_guess=not invalid.is_expired)

    def _invalid(
        self, request: web.Request, route: str, invalid: TokenInvalid, address: str = ""
    ) -> web.Response:
        self._refuse(request, route, invalid)
        texts, language = self._texts(request, None)
        if invalid.is_expired:
            return pages.expired_page(texts, language, self.shown.name, address)
        return pages.invalid_page(texts, language, self.shown.name)


def open_links(settings: Settings, data: Path, port: int) -> Links:
    """What makes the links of a shop's messages, signed with its keys. Raises ServeError."""
    signer = Signer(take_signing_keys(settings.keys, data))
    return Links(settings.shop.url, signer, settings.tracking.of_links(), port=port)


def _led_to(invalid: TokenInvalid) -> str:
    """Where a click that has expired led; "" where another version has packed it."""
    try:
        return unpack_facts(invalid.payload).about if invalid.is_expired else ""
    except TokenInvalid:
        return ""


async def _form(request: web.Request) -> dict[str, list[str]]:
    """The fields of a form; none of what is no form. Raises Refusal for what is too large."""
    if not request.can_read_body:
        return {}
    body = await read_body(request, FORM_LIMITS)
    if request.content_type == "multipart/form-data":
        # RFC 8058 allows it: what is asked of it is whether the one field is there.
        return {_ONE_CLICK: ["One-Click"]} if b'name="List-Unsubscribe"' in body else {}
    try:
        return parse_qs(body.decode("ascii", "replace"), max_num_fields=500)
    except ValueError:
        return {}


def _picture() -> dict[str, str]:
    return {"Content-Type": "image/gif", **_NEVER_KEPT}
