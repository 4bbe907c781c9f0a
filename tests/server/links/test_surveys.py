from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from channels.links import Links, long_id
from channels.templates.parsing import parse_template
from channels.tokens import Signer, unpack_facts
from engine.core.effects import SendMessage
from engine.core.inputs import EventReceived
from engine.runtime.delivery.linking import render_linked
from tests.server.house import House
from tests.server.links.visits import ID, Reader, given

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    house = await House.start(tmp_path)
    made = Reader(house)
    await made.exists(locale="fr")
    yield made
    await house.aclose()


async def test_looking_at_a_link_gives_no_answer(reader: Reader) -> None:
    answer = await reader.get("/s/{}", "survey", "nps\n9")
    assert answer.status == 200
    assert "Vous avez choisi : 9" in answer.text
    assert '<form method="post">' in answer.text
    assert given(reader) == []


async def test_sending_it_is_the_event_feedback_given_once(reader: Reader) -> None:
    path = "/s/" + reader.token("survey", "nps\n9")
    for _ in range(2):
        answer = await reader.post(path)
        assert (answer.status, "Merci !" in answer.text) == (200, True)
    other = "/s/" + reader.token("survey", "nps\n2")
    await reader.post(other)
    assert given(reader) == [9]
    (event,) = [one for one in reader.house.inputs if getattr(one, "name", "") == "Feedback Given"]
    assert isinstance(event, EventReceived)
    assert msgspec.json.decode(event.properties) == {
        "survey": "nps",
        "value": 9,
        "campaign": "cart",
        "step": "first",
        "channel": "email",
        "message_id": ID,
    }


async def test_what_was_not_signed_here_is_no_answer(reader: Reader) -> None:
    assert (await reader.post("/s/" + reader.token("click", "nps\n9"))).status == 404
    assert (
        await reader.post("/s/" + reader.token("survey", "nps\n9", expires_in=-1))
    ).status == 410
    assert (await reader.post("/s/forged")).status == 404
    assert given(reader) == []


async def test_an_answer_is_shown_as_text(reader: Reader) -> None:
    answer = await reader.get("/s/{}", "survey", "nps\n<script>")
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_template_has_a_link_for_each_answer() -> None:
    links = Links("https://shop.example", Signer(["a-signing-key-of-this-shop"]))
    text = '---\nsubject: How was it?\n---\n<a href="{{ 5 | survey_link: "nps" }}">5</a>'
    template = parse_template("t", "email", text, "t.email.liquid")
    sent = SendMessage(ID, 1_000, "u", "cart", ID, "first", "email", "t")
    rendered, _ = render_linked(links, template, sent, {"campaign": {"purpose": "marketing"}})
    token = rendered.body.partition('href="https://shop.example/s/')[2].partition('"')[0]
    facts = unpack_facts(links.signer.read("survey", token, 2_000))
    assert (facts.user_id, long_id(facts.message), facts.about) == ("u", ID, "nps\n5")


def test_a_link_that_names_no_survey_is_at_fault() -> None:
    template = parse_template("t", "push", "{{ 5 | survey_link }}", "t.push.liquid")
    with pytest.raises(Exception, match="survey_link names its survey"):
        template.render({})
